//! tandem.toml: as typed, then resolved.
