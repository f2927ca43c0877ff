//! The media plane with sockets, threads and files around [`media::engine::MediaCore`].
//!
//! ```text
//!            command()                 ring + eventfd             sendto / recvfrom
//!   node ───────────────► control ───────────────► media thread ◄──────────────────► peers
//!        ◄─────────────── thread  ◄───────────────  (SCHED_FIFO)
//!          Event           │        ring + eventfd      │ ring
//!                          └──────────► writer thread ◄─┘──► files
//! ```
//!
//! Media threads come in pairs: one passes packets on, the other, a few priorities lower, has the calls that must be
//! coded or mixed. A call moves between them as its need changes.
//!
//! The control thread opens sockets, looks sounds up, and frees what the media threads are done with; a media
//! thread owns its legs and touches nothing that could make it wait; the writer thread owns the files.

mod control;
mod delay;
mod io;
mod line;
mod pace;
mod place;
mod ports;
mod realtime;
mod taps;
#[cfg(test)]
mod tests;
mod thread;
mod writer;

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use media::engine::CoreItem;
use media::{ClipKey, Command, Event};
use tokio::sync::mpsc;

use control::{Ask, Asker, Control, Lost};
pub use delay::{CLASSES_US, DelayHistogram};
use io::EventFd;
use line::{Line, Settings};
use ports::Ports;
use realtime::Class;
pub use taps::{FeedWriter, TapReader, Taps};
use thread::Counters;
pub use writer::{ConvertError, Repaired, SYNC_EVERY, can_convert_to, convert, repair, repair_all};
use writer::{Health, Writer};

/// Looks a prepared sound up by its key; called on the control thread, never on a media thread.
pub type Clips = Arc<dyn Fn(&ClipKey) -> Option<CoreItem> + Send + Sync>;

/// How the media plane is set up.
#[derive(Clone, Debug)]
pub struct MediaPlaneConfig {
    /// Pairs of media threads; 0 = one fewer than there are cores, at least one.
    pub threads: usize,
    /// Ports that legs may use, an even one for RTP and the next for RTCP.
    pub ports: RangeInclusive<u16>,
    /// The local address legs are bound to and SDP shows; unspecified (`0.0.0.0`, `::`) = bind to all and show
    /// the one that routes to the peer.
    pub address: IpAddr,
    /// Where the paths of recordings begin.
    pub recordings: PathBuf,
    /// Bytes that must be free there for a recording to begin.
    pub recordings_free_min: u64,
    /// Longest time that packets may gather before a busy thread looks at them; below 250 µs each is served at
    /// once. See [`GATHER_MAX`].
    pub gather_max: Duration,
    /// Thousandths of a core from which a thread's encoders work less, to work as before once it has four sevenths of
    /// that to do. See [`EASED_FROM_PERMILLE`].
    pub eased_from_permille: u64,
}

/// What [`MediaPlaneConfig::gather_max`] should be: saves a busy thread a third of its work, and keeps 99 of 100
/// packets for less than a millisecond: they gather for so long, and what has gathered is served one by one.
pub const GATHER_MAX: Duration = Duration::from_micros(500);

/// What [`MediaPlaneConfig::eased_from_permille`] should be.
pub const EASED_FROM_PERMILLE: u64 = 700;

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
    /// Media threads that run.
    pub threads: usize,
    /// Of them, those that run without real-time priority.
    pub degraded_realtime: usize,
    /// Of them, those that have so much to do that their encoders work less: callers hear it in Opus.
    pub eased: usize,
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
    /// Recordings in progress.
    pub recordings: u64,
    /// Recordings that could not be written, wholly or in part.
    pub recordings_failed: u64,
    /// Why the last of them failed, until another is complete.
    pub recordings_trouble: Option<String>,
    /// How long the box itself keeps packets.
    pub delays: DelayHistogram,
    /// Busiest media thread's load in thousandths of a core.
    pub busy_permille: u64,
}

/// The running media plane.
#[derive(Debug)]
pub struct MediaPlane {
    asker: Asker,
    events: mpsc::Sender<Event>,
    counters: Arc<Mutex<Vec<Arc<Counters>>>>,
    lost: Arc<Lost>,
    health: Arc<Health>,
    taps: Taps,
    control: Mutex<Option<JoinHandle<()>>>,
}

impl MediaPlane {
    /// Starts the threads. Events go to `events`; what nobody takes is kept for a while, then lost and counted.
    pub fn start(
        config: MediaPlaneConfig,
        events: mpsc::Sender<Event>,
        clips: Clips,
    ) -> Result<MediaPlane, MediaPlaneError> {
        let seed = entropy();
        let settings = Settings {
            seed,
            gather_ns: config.gather_max.as_nanos() as u64,
            eased_from_permille: config.eased_from_permille,
        };
        let ports = Ports::new(config.address, &config.ports, seed);
        if ports.len() == 0 {
            return Err(MediaPlaneError::NoPorts(*config.ports.start(), *config.ports.end()));
        }
        warn_of_ephemeral_ports(&config.ports);
        let count = pairs(config.threads);
        let wake = Arc::new(system("make an eventfd", EventFd::new())?);
        let (asker, asks) = Asker::new(wake.clone());
        let mut lines = Vec::with_capacity(2 * count);
        let mut recorded = Vec::with_capacity(2 * count);
        for n in 0..2 * count {
            let class = if n < count { Class::Relay } else { Class::Work };
            let (line, tap) = Line::start(class, n, settings, &wake, Arc::default())?;
            lines.push(line);
            recorded.push(tap);
        }
        let (writes, writes_end) = std::sync::mpsc::channel();
        let health = Arc::new(Health::default());
        let writer = Writer {
            writes: writes_end,
            taps: recorded,
            asker: asker.clone(),
            free_min: config.recordings_free_min,
            health: health.clone(),
        };
        let writer = spawn("media-writer".to_owned(), move || writer.run())?;
        let counters = lines.iter().map(|line| line.counters.clone()).collect();
        let counters = Arc::new(Mutex::new(counters));
        let lost = Arc::new(Lost::default());
        let taps = Taps::default();
        let control = Control {
            taps: taps.clone(),
            asks,
            wake,
            lines,
            counters: counters.clone(),
            settings,
            ports,
            address: config.address,
            recordings: config.recordings,
            clips,
            events: events.clone(),
            writes,
            writer: Some(writer),
            lost: lost.clone(),
            legs: BTreeMap::new(),
            rooms: BTreeMap::new(),
            tones: Vec::new(),
            untold: VecDeque::new(),
        };
        let control = spawn("media-control".to_owned(), move || control.run())?;
        Ok(MediaPlane { asker, events, counters, lost, health, taps, control: Mutex::new(Some(control)) })
    }

    /// Asks for something; never waits. A command that finds too many before it is refused and counted.
    pub fn command(&self, command: Command) {
        let Err(refused) = self.asker.ask(Ask::Command(Box::new(command))) else { return };
        self.lost.commands.fetch_add(1, Relaxed);
        if let Ask::Command(refused) = refused
            && let Command::Open { leg, .. } = *refused
        {
            let why = "the media plane is overloaded".into();
            if self.events.try_send(Event::OpenFailed { leg, why }).is_err() {
                self.lost.events.fetch_add(1, Relaxed);
            }
        }
    }

    /// So many pairs of media threads from now on; 0 = one fewer than there are cores. Calls stay where they are: a
    /// thread that is no longer wanted ends with its last one.
    pub fn set_threads(&self, threads: usize) {
        self.asker.ask_patiently(Ask::Threads(pairs(threads)));
    }

    /// Where the shell's ends of taps and feeds are had.
    pub fn taps(&self) -> Taps {
        self.taps.clone()
    }

    /// What it is doing.
    pub fn stats(&self) -> MediaPlaneStats {
        let counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        let mut delays = DelayHistogram::default();
        counters.iter().for_each(|counters| counters.delays.add_to(&mut delays));
        let sum = |of: fn(&Counters) -> u64| counters.iter().map(|counters| of(counters)).sum::<u64>();
        MediaPlaneStats {
            threads: counters.iter().filter(|c| c.is_running.load(Relaxed)).count(),
            degraded_realtime: counters.iter().filter(|c| c.degraded_realtime.load(Relaxed)).count(),
            eased: counters.iter().filter(|c| c.is_eased.load(Relaxed)).count(),
            legs: sum(|c| c.legs.load(Relaxed)),
            packets_received: sum(|c| c.packets_received.load(Relaxed)),
            packets_sent: sum(|c| c.packets_sent.load(Relaxed)),
            send_errors: sum(|c| c.send_errors.load(Relaxed)),
            events_lost: sum(|c| c.events_lost.load(Relaxed)) + self.lost.events.load(Relaxed),
            commands_refused: self.lost.commands.load(Relaxed),
            frames_lost: sum(|c| c.frames_lost.load(Relaxed)),
            clips_missing: self.lost.clips.load(Relaxed),
            recordings: self.health.running.load(Relaxed),
            recordings_failed: self.health.failed.load(Relaxed),
            recordings_trouble: self.health.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            delays,
            busy_permille: counters.iter().map(|c| c.busy_permille.load(Relaxed)).max().unwrap_or(0),
        }
    }

    /// Closes every leg, completes every recording and ends the threads; returns when that is done. Events go on
    /// until then.
    pub fn stop(&self) {
        let control = self.control.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(control) = control {
            self.asker.ask_patiently(Ask::Stop);
            let _ = control.join();
        }
    }
}

impl Drop for MediaPlane {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Pairs of threads for this setting.
fn pairs(threads: usize) -> usize {
    match threads {
        0 => std::thread::available_parallelism().map_or(1, |cores| cores.get().saturating_sub(1).max(1)),
        n => n,
    }
}

fn spawn(name: String, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, MediaPlaneError> {
    system("start a thread", std::thread::Builder::new().name(name).spawn(run))
}

fn system<T>(what: &'static str, result: std::io::Result<T>) -> Result<T, MediaPlaneError> {
    result.map_err(|error| MediaPlaneError::System { what, error })
}

/// What strangers cannot guess: SSRCs and first sequence numbers grow from it.
fn entropy() -> u64 {
    let mut bytes = [0; 8];
    // SAFETY: fills eight bytes.
    let got = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
    if got != 8 {
        tracing::warn!("no randomness from the system; stream identifiers can be guessed");
        return io::monotonic_ns();
    }
    u64::from_ne_bytes(bytes)
}

/// Ports the kernel hands out to anybody may be taken when a leg wants them.
fn warn_of_ephemeral_ports(ports: &RangeInclusive<u16>) {
    let Ok(text) = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range") else { return };
    let mut numbers = text.split_whitespace().map(str::parse::<u16>);
    let (Some(Ok(low)), Some(Ok(high))) = (numbers.next(), numbers.next()) else { return };
    if *ports.start() <= high && *ports.end() >= low {
        tracing::warn!(
            ports = %format!("{}-{}", ports.start(), ports.end()),
            ephemeral = %format!("{low}-{high}"),
            "the media ports overlap the ports the kernel gives to outgoing connections"
        );
    }
}
