//! tandem.toml: as typed, then resolved.

mod error;
mod resolved;

pub use error::ConfigError;
pub use resolved::{
    Config, HttpConfig, LogConfig, LogFormat, MediaConfig, SipConfig, SpeechConfig, TlsConfig,
};
