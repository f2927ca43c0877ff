//! `tandem.toml`: as typed, then resolved.
//!
//! [`load`] reads a file into what was typed (`raw`, every key with its place), then resolves it into a
//! [`Config`] that is valid by type: whoever holds one need not check it again. Everything that is wrong is
//! found at once, each with file, line, column, key and what would be right. A reload is a new [`Config`].

mod account;
mod agents;
mod audio;
mod book;
mod cross;
mod directory;
mod error;
mod init;
mod load;
mod number;
mod raw;
mod read;
mod recorder;
mod reload;
mod resolve;
mod resolved;
mod retention;
#[cfg(test)]
mod tests;
mod value;
mod webhooks;

pub use account::{AccountError, keep_account, key_seed};
pub use book::{Book, Entry, EntryKey, Kind, Origin, ParseKindError, caller_id_sid, number_sid};
pub use error::ConfigError;
pub use init::{InitError, init};
pub use load::{find_config, find_state, load};
pub use raw::reference;
pub use reload::Change;
pub use resolved::{Config, HttpConfig, LogConfig, LogFormat, MediaConfig, SipConfig, SpeechConfig};
pub use retention::{KeepConfig, RetentionConfig};
pub use webhooks::{SigningKeyConfig, WebhooksConfig};
