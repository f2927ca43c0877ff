//! The call: one owner of signalling, interpreters and legs, without IO.
