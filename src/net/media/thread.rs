//! A media thread: sockets and clock around one [`MediaCore`].
//!
//! Each pass waits for sockets, orders or the core's deadline, serves a bounded batch, and waits again. Nothing
//! in it locks, logs, opens files or waits for another thread; what it has to tell goes into rings that drop and
//! count when they are full, and what it is done with is freed by the control thread.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use base::RecordingSid;
use media::codec::coder::Effort;
use media::engine::{Channel, CoreCommand, Garbage, LegMap, MediaCore, Out};
use media::leg::Leg;
use media::record::DUAL_FRAME_SAMPLES;
use media::rtp::PACKET_BYTES_MAX;
use media::{Event, LegId, RecordEnd};
use rtrb::{Consumer, Producer};

use super::delay::{Delays, MEASURED_EVERY};
use super::io::{self, Epoll, EventFd, NOT_READY, READY_MAX};
use super::line::Settings;
use super::pace::Pace;
use super::ports::Sockets;
use super::realtime::{self, Class};

/// Asked of a media thread by the control thread.
#[derive(Debug)]
pub(super) enum Order {
    /// A leg with its sockets.
    Open { leg: LegId, local: SocketAddr, peer: Option<IpAddr>, sockets: Sockets },
    /// Anything else the core understands.
    Core(CoreCommand),
    /// Hand the leg over, to go on on another thread.
    Release { leg: LegId },
    /// Take over a leg another thread released.
    Adopt { leg: Box<Leg>, sockets: Sockets },
    /// Close all legs and end.
    Stop,
}

/// Told to the control thread.
#[derive(Debug)]
pub(super) enum Told {
    /// For the call.
    Event(Event),
    /// A leg to be taken over by another thread; its sockets follow.
    Released { leg: LegId, state: Option<Box<Leg>>, sockets: Option<Sockets> },
    /// Of a leg that is closed; so may these be.
    Sockets(Sockets),
    /// To be freed.
    Garbage(Garbage),
    /// The last word of the thread.
    Stopped,
}

/// Told to the writer thread.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "a ring's slots are all of one size, and nearly all hold frames"
)]
pub(super) enum Tapped {
    /// Samples of a recording, those of two channels in turns, `at` so many of one channel from its start.
    Frame { recording: RecordingSid, at: u64, len: u16, samples: [i16; DUAL_FRAME_SAMPLES] },
    /// No more will come.
    End { recording: RecordingSid, duration_ms: u64, why: RecordEnd },
}

/// What a media thread is made of.
#[derive(Debug)]
pub(super) struct MediaThread {
    pub(super) class: Class,
    pub(super) settings: Settings,
    pub(super) epoll: Epoll,
    pub(super) orders: Consumer<Order>,
    /// Signalled when orders wait.
    pub(super) wake: Arc<EventFd>,
    pub(super) told: Producer<Told>,
    /// Signalled when something was told.
    pub(super) control: Arc<EventFd>,
    pub(super) taps: Producer<Tapped>,
    pub(super) counters: Arc<Counters>,
}

/// What a media thread counts, for everybody to read.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) is_running: AtomicBool,
    pub(super) degraded_realtime: AtomicBool,
    pub(super) is_eased: AtomicBool,
    pub(super) legs: AtomicU64,
    pub(super) packets_received: AtomicU64,
    pub(super) packets_sent: AtomicU64,
    pub(super) send_errors: AtomicU64,
    pub(super) events_lost: AtomicU64,
    pub(super) frames_lost: AtomicU64,
    pub(super) busy_permille: AtomicU64,
    pub(super) delays: Delays,
}

/// Orders served in one pass.
const ORDERS_PER_PASS: usize = 64;

/// Ends of recordings that wait for room in the writer's ring.
const ENDS_MAX: usize = 1_024;

/// The token of the eventfd; sockets have their place times two, plus one for RTCP.
const WAKE: u64 = u64::MAX;

/// Waits for sockets and for orders.
pub(super) fn epoll_for(wake: &EventFd) -> std::io::Result<Epoll> {
    let epoll = Epoll::new()?;
    epoll.add(wake.as_raw_fd(), WAKE)?;
    Ok(epoll)
}

impl MediaThread {
    /// Runs until told to stop.
    pub(super) fn run(self) {
        self.counters.is_running.store(true, Relaxed);
        self.counters.degraded_realtime.store(!realtime::raise(self.class), Relaxed);
        let MediaThread { settings, mut epoll, mut orders, wake, control, .. } = self;
        let mut core = MediaCore::new(settings.seed);
        let mut places = Places::default();
        let mut shell = Shell {
            sockets: LegMap::default(),
            told: self.told,
            taps: self.taps,
            ends: Vec::with_capacity(ENDS_MAX),
            has_told: false,
            counters: self.counters,
            sent: 0,
            refused: 0,
        };
        let mut ready = [NOT_READY; READY_MAX];
        let mut buffer = [0; PACKET_BYTES_MAX];
        let mut pace = Pace::new(io::monotonic_ns(), settings.gather_ns);
        let mut received = 0;
        let mut count = 0;
        loop {
            let deadline = core.next_deadline();
            // After a full batch there is more to do, not a reason to rest.
            if count < READY_MAX
                && let Some(until) = pace.pause(io::monotonic_ns(), deadline)
            {
                io::sleep_until(until);
            }
            let now = io::monotonic_ns();
            let timeout = match deadline {
                _ if orders.slots() > 0 => Some(0),
                _ if !shell.ends.is_empty() => Some(1_000_000),
                deadline => deadline.map(|at| at.saturating_sub(now)),
            };
            count = epoll.wait(&mut ready, timeout);
            let now = io::monotonic_ns();
            pace.woke(now);
            if serve_orders(&mut orders, &mut core, &mut places, &epoll, &mut shell, now) {
                break;
            }
            let legs = ready[..count].iter().filter_map(|event| places.of(event.u64));
            std::hint::black_box(legs.fold(0, |all, (leg, ..)| core.glimpse(leg).wrapping_add(all)));
            for event in &ready[..count] {
                let token = event.u64;
                if token == WAKE {
                    wake.clear();
                    continue;
                }
                let Some((leg, fd, channel)) = places.of(token) else { continue };
                if received % MEASURED_EVERY != 0 {
                    let Some((len, from)) = io::receive(fd, &mut buffer) else { continue };
                    received += 1;
                    core.on_packet(leg, channel, from, &mut buffer[..len], now, &mut shell);
                    continue;
                }
                let Some((len, from, stamp)) = io::receive_stamped(fd, &mut buffer) else { continue };
                received += 1;
                let sent = shell.sent;
                core.on_packet(leg, channel, from, &mut buffer[..len], now, &mut shell);
                if let Some(stamp) = stamp.filter(|_| channel == Channel::Rtp && shell.sent != sent) {
                    shell.counters.delays.record(io::realtime_ns().saturating_sub(stamp));
                }
            }
            if core.is_due(now) {
                core.on_deadline(now, &mut shell);
            }
            shell.finish_pass(&control);
            shell.counters.legs.store(core.legs() as u64, Relaxed);
            shell.counters.packets_received.store(received, Relaxed);
            if let Some(busy) = pace.done(io::monotonic_ns(), received + shell.sent) {
                shell.counters.busy_permille.store(busy, Relaxed);
                core.set_effort(effort(core.effort(), busy, settings.eased_from_permille));
                shell.counters.is_eased.store(core.effort() != Effort::Full, Relaxed);
            }
        }
        shell.counters.legs.store(0, Relaxed);
        shell.counters.degraded_realtime.store(false, Relaxed);
        shell.counters.is_eased.store(false, Relaxed);
        shell.counters.is_running.store(false, Relaxed);
        shell.tell(Told::Stopped);
        shell.finish_pass(&control);
    }
}

/// How hard encoders work after a while of such a load: a step at a time, so that the load can follow.
fn effort(now: Effort, busy_permille: u64, eased_from: u64) -> Effort {
    let (is_busy, has_rest) = (busy_permille >= eased_from, busy_permille < eased_from * 4 / 7);
    match now {
        Effort::Full if is_busy => Effort::Less,
        Effort::Less if is_busy => Effort::Least,
        Effort::Least if has_rest => Effort::Less,
        Effort::Less if has_rest => Effort::Full,
        effort => effort,
    }
}

/// True when it is time to end.
fn serve_orders(
    orders: &mut Consumer<Order>,
    core: &mut MediaCore,
    places: &mut Places,
    epoll: &Epoll,
    shell: &mut Shell,
    now: u64,
) -> bool {
    for _ in 0..ORDERS_PER_PASS {
        let Ok(order) = orders.pop() else { return false };
        match order {
            Order::Open { leg, local, peer, sockets } => {
                if let Some(sockets) = places.attach(leg, sockets, epoll, shell) {
                    shell.tell(Told::Sockets(sockets));
                    shell.event(Event::OpenFailed {
                        leg,
                        why: "the system has no room for its sockets".into(),
                    });
                    continue;
                }
                core.on_command(CoreCommand::Open { leg, local, peer }, now, shell);
            }
            Order::Core(CoreCommand::Close { leg }) => {
                core.on_command(CoreCommand::Close { leg }, now, shell);
                if let Some(sockets) = places.detach(leg, epoll, shell) {
                    shell.tell(Told::Sockets(sockets));
                }
            }
            Order::Core(command) => core.on_command(command, now, shell),
            Order::Release { leg } => {
                let state = core.release(leg, now, shell);
                let sockets = places.detach(leg, epoll, shell);
                shell.tell(Told::Released { leg, state, sockets });
            }
            Order::Adopt { leg: state, sockets } => {
                let leg = state.id();
                core.adopt(state, now);
                if let Some(sockets) = places.attach(leg, sockets, epoll, shell) {
                    core.on_command(CoreCommand::Close { leg }, now, shell);
                    shell.tell(Told::Sockets(sockets));
                }
            }
            Order::Stop => {
                for leg in places.legs() {
                    core.on_command(CoreCommand::Close { leg }, now, shell);
                    if let Some(sockets) = places.detach(leg, epoll, shell) {
                        shell.tell(Told::Sockets(sockets));
                    }
                }
                shell.flush_ends_patiently();
                return true;
            }
        }
    }
    false
}

/// Whose sockets a token of epoll means.
#[derive(Debug, Default)]
struct Places {
    legs: Vec<Option<(LegId, i32, i32)>>,
    free: Vec<usize>,
}

impl Places {
    #[inline]
    fn of(&self, token: u64) -> Option<(LegId, i32, Channel)> {
        let (leg, rtp, rtcp) = (*self.legs.get((token / 2) as usize)?)?;
        Some(if token.is_multiple_of(2) { (leg, rtp, Channel::Rtp) } else { (leg, rtcp, Channel::Rtcp) })
    }

    fn legs(&self) -> Vec<LegId> {
        self.legs.iter().flatten().map(|&(leg, ..)| leg).collect()
    }

    /// Waits for packets of these sockets. Gives them back when the system refuses, or the leg has some.
    fn attach(&mut self, leg: LegId, sockets: Sockets, epoll: &Epoll, shell: &mut Shell) -> Option<Sockets> {
        if shell.sockets.contains_key(&leg) {
            return Some(sockets);
        }
        let place = self.free.pop().unwrap_or(self.legs.len());
        let token = place as u64 * 2;
        let (rtp, rtcp) = (sockets.rtp(), sockets.rtcp());
        if epoll.add(rtp, token).and_then(|()| epoll.add(rtcp, token + 1)).is_err() {
            epoll.remove(rtp);
            return Some(sockets);
        }
        let entry = Some((leg, rtp, rtcp));
        match self.legs.get_mut(place) {
            Some(empty) => *empty = entry,
            None => self.legs.push(entry),
        }
        shell.sockets.insert(leg, Attached { sockets, place });
        None
    }

    fn detach(&mut self, leg: LegId, epoll: &Epoll, shell: &mut Shell) -> Option<Sockets> {
        let Attached { sockets, place } = shell.sockets.remove(&leg)?;
        epoll.remove(sockets.rtp());
        epoll.remove(sockets.rtcp());
        self.legs[place] = None;
        self.free.push(place);
        Some(sockets)
    }
}

#[derive(Debug)]
struct Attached {
    sockets: Sockets,
    place: usize,
}

/// Where the core's outputs go.
#[derive(Debug)]
struct Shell {
    sockets: LegMap<Attached>,
    told: Producer<Told>,
    taps: Producer<Tapped>,
    /// Ends of recordings that found the writer's ring full: files must not stay open for ever.
    ends: Vec<Tapped>,
    has_told: bool,
    counters: Arc<Counters>,
    sent: u64,
    refused: u64,
}

impl Shell {
    fn tell(&mut self, told: Told) {
        self.has_told = true;
        if let Err(rtrb::PushError::Full(told)) = self.told.push(told) {
            match told {
                // Freed here, late rather than never.
                Told::Garbage(garbage) => drop(garbage),
                _ => {
                    self.counters.events_lost.fetch_add(1, Relaxed);
                }
            }
        }
    }

    fn finish_pass(&mut self, control: &EventFd) {
        while let Some(end) = self.ends.pop() {
            if let Err(rtrb::PushError::Full(end)) = self.taps.push(end) {
                self.ends.push(end);
                break;
            }
        }
        self.counters.packets_sent.store(self.sent, Relaxed);
        self.counters.send_errors.store(self.refused, Relaxed);
        if self.has_told {
            self.has_told = false;
            control.signal();
        }
    }

    /// At the end of the thread there is nothing left to delay.
    fn flush_ends_patiently(&mut self) {
        for _ in 0..1_000 {
            let Some(end) = self.ends.pop() else { return };
            if let Err(rtrb::PushError::Full(end)) = self.taps.push(end) {
                self.ends.push(end);
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
        }
    }
}

impl Out for Shell {
    #[inline]
    fn send(&mut self, leg: LegId, channel: Channel, to: SocketAddr, bytes: &[u8]) {
        let Some(Attached { sockets, .. }) = self.sockets.get(&leg) else { return };
        let fd = match channel {
            Channel::Rtp => sockets.rtp(),
            Channel::Rtcp => sockets.rtcp(),
        };
        if io::send(fd, sockets.is_v6(), to, bytes) {
            self.sent += 1;
        } else {
            self.refused += 1;
        }
    }

    fn event(&mut self, event: Event) {
        match event {
            // The file is complete only behind the frames that are on their way to it.
            Event::Recorded { recording, duration_ms, why, .. } => {
                let end = Tapped::End { recording, duration_ms, why };
                if let Err(rtrb::PushError::Full(end)) = self.taps.push(end) {
                    if self.ends.len() < ENDS_MAX {
                        self.ends.push(end);
                    } else {
                        self.counters.events_lost.fetch_add(1, Relaxed);
                    }
                }
            }
            event => self.tell(Told::Event(event)),
        }
    }

    fn tap(&mut self, recording: RecordingSid, frame: &[i16], at: u64) {
        let mut samples = [0; DUAL_FRAME_SAMPLES];
        let len = frame.len().min(DUAL_FRAME_SAMPLES);
        samples[..len].copy_from_slice(&frame[..len]);
        if self.taps.push(Tapped::Frame { recording, at, len: len as u16, samples }).is_err() {
            self.counters.frames_lost.fetch_add(1, Relaxed);
        }
    }

    fn retire(&mut self, garbage: Garbage) {
        self.tell(Told::Garbage(garbage));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoders_work_less_under_load_and_more_again_when_it_is_gone() {
        let mut seen = Vec::new();
        let mut now = Effort::Full;
        for busy in [300, 650, 720, 900, 950, 600, 500, 390, 390, 100] {
            now = effort(now, busy, 700);
            seen.push(now);
        }
        use Effort::{Full, Least, Less};
        assert_eq!(seen, [Full, Full, Less, Least, Least, Least, Least, Less, Full, Full]);
    }
}
