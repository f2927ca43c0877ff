//! The configuration, valid by type.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use call::office::{Office, Secret};
use sip::TransportKind;

use crate::{ConfigError, RetentionConfig, WebhooksConfig};

/// Everything the box was told, with every default filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The file it was read from.
    pub file: PathBuf,
    /// What the cores need of it.
    pub office: Office,
    /// The account's token: signs webhooks, opens the REST API.
    pub auth_token: Secret,
    /// Whether the account was made just now and is not kept anywhere yet; see
    /// [`keep_account`](crate::keep_account).
    pub account_is_new: bool,
    /// The directory of database, recordings and credentials.
    pub state: PathBuf,
    /// Numbers of others that may be shown, in the form of [`call::route::normalise`].
    pub caller_ids: Vec<String>,
    /// SIP transports.
    pub sip: SipConfig,
    /// Media ports and threads.
    pub media: MediaConfig,
    /// Bytes that must be free for a recording to begin.
    pub recordings_free_min: u64,
    /// Whether their sound is had without credentials.
    pub recordings_open: bool,
    /// How long what has been is remembered.
    pub retention: RetentionConfig,
    /// The HTTP listener.
    pub http: HttpConfig,
    /// How web servers are asked.
    pub webhooks: WebhooksConfig,
    /// `sqlite:` (a file in state), `sqlite:<path>`, or `postgres://…`.
    pub store_url: Secret,
    /// Text to speech.
    pub speech: SpeechConfig,
    /// Logging.
    pub log: LogConfig,
    /// What is allowed but probably not meant.
    pub warnings: Vec<ConfigError>,
}

/// SIP transports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SipConfig {
    /// The sockets to open, the same as in [`Office::listen`].
    pub listen: Vec<(TransportKind, SocketAddr)>,
}

/// Media ports and threads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaConfig {
    /// What SDP offers; `None`: the address that routes to the peer.
    pub address: Option<IpAddr>,
    /// The first and the last port used, both included; the first is even (RFC 3550 §11).
    pub ports: (u16, u16),
    /// Media threads; `None`: one less than the cores, at least one.
    pub threads: Option<usize>,
}

/// The HTTP listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpConfig {
    /// The local address.
    pub listen: SocketAddr,
    /// What callbacks and recording URLs begin with; no slash at the end.
    pub public_url: String,
    /// Peers whose `X-Forwarded-Proto` is believed.
    pub trusted_proxies: Vec<IpAddr>,
    /// Requests of one credential in a second; 0: no limit.
    pub requests_per_second: u32,
    /// Requests of one credential at once; 0: no limit.
    pub requests_at_once: u32,
    /// Where the carrier says what is left of the office's credit.
    pub balance_url: Option<Secret>,
    /// How long a worker may be without an agent's desktop before it is put out of the way, seconds.
    pub desktop_grace_s: u32,
}

/// Text to speech.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpeechConfig {
    /// The program that turns text into WAV; empty: `<Say>` is silent.
    pub command: String,
    /// `none`, `pocketsphinx` or `command:` with a program and its arguments.
    pub recogniser: String,
    /// The program's voices for published names that are to sound otherwise.
    pub voices: BTreeMap<String, String>,
}

/// Logging.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// A level, or `tracing` filter directives: `info,sip=debug`.
    pub filter: String,
    /// How a line looks.
    pub format: LogFormat,
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}
