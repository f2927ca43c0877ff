//! The media plane with sockets, threads and files around [`media::engine::MediaCore`].
//!
//! ```text
//!            command()                 ring + eventfd             sendto / recvfrom
//!   node ───────────────► control ───────────────► media thread ◄──────────────────► peers
//!        ◄─────────────── thread  ◄───────────────  (SCHED_FIFO)
//!          Event           │        ring + eventfd      │ ring
//!                          └──────────► writer thread ◄─┘──► WAV files
//! ```
//!
//! The control thread opens sockets, looks sounds up, and frees what the media threads are done with; a media
//! thread owns its legs and touches nothing that could make it wait; the writer thread owns the files.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;

use media::{Clip, ClipKey, Command, Event};
use tokio::sync::mpsc;

/// Looks a prepared sound up by its key; called on the control thread, never on a media thread.
pub type Clips = Arc<dyn Fn(&ClipKey) -> Option<Arc<Clip>> + Send + Sync>;

/// How the media plane is set up.
#[derive(Clone, Debug)]
pub struct MediaPlaneConfig {
    /// Media threads; 0 = one fewer than there are cores, at least one.
    pub threads: usize,
    /// Ports that legs may use, an even one for RTP and the next for RTCP.
    pub ports: RangeInclusive<u16>,
    /// The local address legs are bound to and SDP shows; unspecified (`0.0.0.0`, `::`) = bind to all and show
    /// the one that routes to the peer.
    pub address: IpAddr,
}

/// The media plane could not start.
#[derive(Debug, thiserror::Error)]
pub enum MediaPlaneError {
    /// The range holds no even port with its odd neighbour.
    #[error("the media port range {0}-{1} has no room for a pair of ports")]
    NoPorts(u16, u16),
    /// The system refused something.
    #[error("cannot {what}: {error}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        error: std::io::Error,
    },
}

/// What the media plane is doing, for status pages and metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MediaPlaneStats {
    /// Media threads.
    pub threads: usize,
    /// Of them, those that run without real-time priority.
    pub degraded_realtime: usize,
    /// Legs open.
    pub legs: u64,
    /// Packets received on all legs, RTP and RTCP, strangers' included.
    pub packets_received: u64,
    /// Packets sent.
    pub packets_sent: u64,
    /// Packets the kernel refused to send.
    pub send_errors: u64,
    /// Events lost because nobody took them.
    pub events_lost: u64,
    /// Commands refused because too many were waiting.
    pub commands_refused: u64,
    /// Recorded frames lost because the writer was behind.
    pub frames_lost: u64,
    /// Sounds asked for that were not prepared.
    pub clips_missing: u64,
    /// Busiest media thread's load in thousandths of a core.
    pub busy_permille: u64,
}
