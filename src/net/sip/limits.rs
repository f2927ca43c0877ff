//! What one peer, and all of them, may use.

use std::time::Duration;

/// Limits of the stream transports; the default suits an office of a few thousand phones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SipLimits {
    /// Connections in all; further ones are closed at once.
    pub connections_max: usize,
    /// Connections from one address: a building of phones behind one router, not a flood.
    pub connections_per_source_max: usize,
    /// Messages waiting for one peer to read; a further one closes the connection.
    pub queued_messages_max: usize,
    /// Bytes waiting for one peer to read; likewise.
    pub queued_bytes_max: usize,
    /// To open a connection.
    pub connect_timeout: Duration,
    /// A message must be taken by the peer's kernel in this time.
    pub write_timeout: Duration,
    /// A message once begun, and the first message of a connection, must be whole in this time: RFC 3261's
    /// 64·T1, after which nobody awaits its answer.
    pub message_timeout: Duration,
    /// A connection over which nothing came is closed after this; longer than the usual registration lasts, so
    /// that a phone without keep-alives stays reachable.
    pub idle_timeout: Duration,
}

impl Default for SipLimits {
    fn default() -> Self {
        Self {
            connections_max: 4_096,
            connections_per_source_max: 256,
            queued_messages_max: 128,
            queued_bytes_max: 512 * 1024,
            connect_timeout: Duration::from_secs(5),
            write_timeout: Duration::from_secs(10),
            message_timeout: Duration::from_secs(32),
            idle_timeout: Duration::from_secs(3_900),
        }
    }
}
