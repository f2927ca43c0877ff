//! The control thread: between the node and the media threads.
//!
//! It does what takes time or memory so that a media thread need not: opening and closing sockets, looking sounds
//! up, building tones, freeing what is no longer used, and waiting for whoever is slow to take events. It runs at
//! ordinary priority.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, Sender, SyncSender, TrySendError};
use std::sync::{Arc, Mutex, mpsc as std_mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use media::engine::{CoreCommand, CoreItem};
use media::{Clip, Command, Event, LegId, PlayItem, RecordEnd, RoomId, Tone};
use tokio::sync::mpsc;

use super::Clips;
use super::io::EventFd;
use super::line::{Line, Settings};
use super::place::Place;
use super::ports::{Ports, Sockets};
use super::realtime::Class;
use super::taps::Taps;
use super::thread::{Counters, Order, Told};
use super::writer::{Plan, Write};
use crate::local::address_towards;

/// Asked of the control thread.
#[derive(Debug)]
pub(super) enum Ask {
    /// By the node, or the writer.
    Command(Box<Command>),
    /// By the writer: to be passed on.
    Event(Box<Event>),
    /// So many pairs of media threads from now on.
    Threads(usize),
    /// Close everything and end.
    Stop,
}

/// Asks the control thread; cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Asker {
    queue: SyncSender<Ask>,
    wake: Arc<EventFd>,
}

impl Asker {
    pub(super) fn new(wake: Arc<EventFd>) -> (Asker, Receiver<Ask>) {
        let (queue, asks) = std_mpsc::sync_channel(ASKS_MAX);
        (Asker { queue, wake }, asks)
    }

    /// Never waits; gives the question back when too many are waiting or the thread is gone.
    pub(super) fn ask(&self, ask: Ask) -> Result<(), Ask> {
        match self.queue.try_send(ask) {
            Ok(()) => {
                self.wake.signal();
                Ok(())
            }
            Err(TrySendError::Full(ask) | TrySendError::Disconnected(ask)) => Err(ask),
        }
    }

    /// Waits until there is room; for threads that may.
    pub(super) fn ask_patiently(&self, ask: Ask) {
        // A control thread that is gone needs no answer.
        let _ = self.queue.send(ask);
        self.wake.signal();
    }
}

/// The control thread.
pub(super) struct Control {
    pub(super) asks: Receiver<Ask>,
    pub(super) wake: Arc<EventFd>,
    pub(super) lines: Vec<Line>,
    /// Of all lines, for whoever wants the figures.
    pub(super) counters: Arc<Mutex<Vec<Arc<Counters>>>>,
    pub(super) settings: Settings,
    pub(super) ports: Ports,
    pub(super) address: IpAddr,
    pub(super) recordings: PathBuf,
    pub(super) clips: Clips,
    pub(super) taps: Taps,
    pub(super) events: mpsc::Sender<Event>,
    pub(super) writes: Sender<Write>,
    pub(super) writer: Option<JoinHandle<()>>,
    pub(super) lost: Arc<Lost>,
    pub(super) legs: BTreeMap<LegId, Place>,
    /// Rooms somebody is in: on which line, and how many.
    pub(super) rooms: BTreeMap<RoomId, (usize, usize)>,
    pub(super) tones: Vec<(Tone, Arc<Clip>)>,
    /// Events that nobody had room for yet.
    pub(super) untold: VecDeque<Event>,
}

/// What the control thread counts.
#[derive(Debug, Default)]
pub(super) struct Lost {
    pub(super) events: AtomicU64,
    pub(super) commands: AtomicU64,
    pub(super) clips: AtomicU64,
}

/// Commands that may wait for the control thread.
pub(super) const ASKS_MAX: usize = 65_536;

/// Orders that may wait for a media thread beside its ring.
const ORDERS_WAITING_MAX: usize = 65_536;

/// Events that may wait for the node.
const UNTOLD_MAX: usize = 65_536;

/// Different tones kept ready; countries have one each.
const TONES_MAX: usize = 64;

/// Commands that may wait for a leg that moves.
const MOVING_COMMANDS_MAX: usize = 256;

/// How often it is tried again to pass on what nobody took.
const RETRY_MS: i32 = 2;

/// How long media threads may take to end.
const STOP: Duration = Duration::from_secs(3);

impl Control {
    /// Runs until told to stop.
    pub(super) fn run(mut self) {
        loop {
            let mut stop = false;
            while let Ok(ask) = self.asks.try_recv() {
                match ask {
                    Ask::Command(command) => self.on_command(*command),
                    Ask::Event(event) => self.tell(*event),
                    Ask::Threads(count) => self.set_threads(count),
                    Ask::Stop => stop = true,
                }
            }
            self.hear_lines();
            self.push_waiting();
            self.tell_untold();
            self.lines.iter_mut().for_each(Line::end_if_unused);
            if stop {
                return self.stop();
            }
            let is_behind = !self.untold.is_empty() || self.lines.iter().any(|line| !line.waiting.is_empty());
            self.wake.wait(if is_behind { RETRY_MS } else { -1 });
        }
    }

    pub(super) fn on_command(&mut self, command: Command) {
        if let Command::Open { leg, near, peer } = command {
            return self.open(leg, near, peer);
        }
        if let Command::Announce { room, play, items, repeat } = command {
            if let Some(&(line, _)) = self.rooms.get(&room) {
                let items = self.items(items);
                self.order(line, Order::Core(CoreCommand::Announce { room, play, items, repeat }));
            }
            return;
        }
        let Some((leg, other)) = legs_of(&command) else { return };
        for leg in [Some(leg), other].into_iter().flatten() {
            if let Some(Place { moving: Some(waiting), .. }) = self.legs.get_mut(&leg) {
                if waiting.len() < MOVING_COMMANDS_MAX {
                    waiting.push(command);
                } else {
                    self.lost.commands.fetch_add(1, Relaxed);
                }
                return;
            }
        }
        let Some(line) = self.line_of(leg) else { return self.refuse(command) };
        let command = match command {
            Command::Open { .. } | Command::Announce { .. } => return,
            Command::Readdress { leg, peer } => return self.readdress(leg, line, peer),
            Command::Configure { leg, negotiated } => {
                self.order(line, Order::Core(CoreCommand::Configure { leg, negotiated }));
                return self.settle_leg(leg, Some(negotiated.codec));
            }
            Command::Play { leg, play, items, repeat } => {
                CoreCommand::Play { leg, play, items: self.items(items), repeat }
            }
            Command::StopPlay { leg } => CoreCommand::StopPlay { leg },
            Command::SendDigits { leg, play, digits } => CoreCommand::SendDigits { leg, play, digits },
            Command::Bridge { a, b } => {
                let Some(other) = self.line_of(b) else { return };
                let class = self.class_of_bridge(a, b);
                if self.lines[line].class != class {
                    let to = if self.lines[other].class == class { other } else { self.emptiest_line(class) };
                    return self.move_leg(a, to, Some(Command::Bridge { a, b }));
                }
                if other != line {
                    return self.move_leg(b, line, Some(Command::Bridge { a, b }));
                }
                self.part(a);
                self.part(b);
                for (leg, with) in [(a, b), (b, a)] {
                    if let Some(place) = self.legs.get_mut(&leg) {
                        place.bridged = Some(with);
                    }
                }
                CoreCommand::Bridge { a, b }
            }
            Command::Unbridge { a, b } => {
                self.order(line, Order::Core(CoreCommand::Unbridge { a, b }));
                if self.legs.get(&a).is_some_and(|place| place.bridged == Some(b)) {
                    self.part(a);
                    self.settle_leg(a, None);
                    self.settle_leg(b, None);
                }
                return;
            }
            Command::Join { leg, room, member } => {
                let to = self.rooms.get(&room).map_or_else(|| self.emptiest_line(Class::Work), |r| r.0);
                if to != line {
                    return self.move_leg(leg, to, Some(Command::Join { leg, room, member }));
                }
                self.part(leg);
                self.enter(leg, room, line);
                CoreCommand::Join { leg, room, member }
            }
            Command::Leave { leg } => {
                self.leave(leg);
                CoreCommand::Leave { leg }
            }
            Command::ChangeMember { leg, member } => CoreCommand::ChangeMember { leg, member },
            Command::Record { leg, recording, path, what, beep, max_ms, silence_ms, trim, format } => {
                let path = self.recordings.join(path);
                let plan = Plan { leg, path, channels: what.channels(), trim, format };
                // Only a writer that is gone does not listen, and then everything is about to end.
                let _ = self.writes.send(Write::Begin { recording, plan });
                let beep = beep.then(|| self.tone(Tone::Beep));
                CoreCommand::Record { leg, recording, what, beep, max_ms, silence_ms }
            }
            Command::RecordRoom { leg, recording, path, max_ms, trim, format } => {
                let plan = Plan { leg, path: self.recordings.join(path), channels: 1, trim, format };
                let _ = self.writes.send(Write::Begin { recording, plan });
                CoreCommand::RecordRoom { leg, recording, max_ms }
            }
            Command::PauseRecord { leg, recording, silence } => {
                CoreCommand::PauseRecord { leg, recording, silence }
            }
            Command::ResumeRecord { leg, recording } => CoreCommand::ResumeRecord { leg, recording },
            Command::StopRecord { leg, recording } => CoreCommand::StopRecord { leg, recording },
            Command::Tap { leg, tap, what } => {
                let ring = self.taps.ring(tap);
                self.order(line, Order::Core(CoreCommand::Tap { leg, tap, what, ring }));
                if let Some(place) = self.legs.get_mut(&leg) {
                    place.taps.insert(tap);
                }
                return self.settle_leg(leg, None);
            }
            Command::Untap { leg, tap } => {
                self.order(line, Order::Core(CoreCommand::Untap { leg, tap }));
                self.taps.forget(tap);
                if let Some(place) = self.legs.get_mut(&leg) {
                    place.taps.remove(&tap);
                }
                return self.settle_leg(leg, None);
            }
            Command::Feed { leg, feed } => CoreCommand::Feed { leg, feed, ring: self.taps.feed_ring(feed) },
            Command::Hear { leg, tap } => CoreCommand::Hear { leg, ring: self.taps.ring(tap) },
            Command::DetectMachine { leg, settings } => CoreCommand::DetectMachine { leg, settings },
            Command::Echo { leg } => CoreCommand::Echo { leg },
            Command::EndFeed { leg, feed } => {
                self.taps.forget(feed);
                CoreCommand::EndFeed { leg, feed }
            }
            Command::Watch { leg, timeout_ms } => CoreCommand::Watch { leg, timeout_ms },
            Command::Close { leg } => CoreCommand::Close { leg },
        };
        self.order(line, Order::Core(command));
    }

    fn open(&mut self, leg: LegId, near: Option<LegId>, peer: Option<IpAddr>) {
        if self.legs.contains_key(&leg) {
            let why = "this leg is open already".into();
            return self.tell(Event::OpenFailed { leg, why });
        }
        let opened = self.told_to(peer).and_then(|ip| Ok((ip, self.ports.take()?)));
        let (ip, sockets) = match opened {
            Ok(opened) => opened,
            Err(why) => {
                tracing::warn!(leg = leg.0, why, "no media leg");
                return self.tell(Event::OpenFailed { leg, why: why.into() });
            }
        };
        let line =
            near.and_then(|near| self.line_of(near)).unwrap_or_else(|| self.emptiest_line(Class::Relay));
        self.lines[line].legs += 1;
        let local = SocketAddr::new(ip, sockets.port());
        self.legs.insert(leg, Place::on(line, local));
        self.order(line, Order::Open { leg, local, peer, sockets });
    }

    /// The address a peer there is told to send to.
    fn told_to(&self, peer: Option<IpAddr>) -> Result<IpAddr, String> {
        // The box itself hears the box wherever others are told to send to.
        let finds_out = self.address.is_unspecified() || peer.is_some_and(|peer| peer.is_loopback());
        match (finds_out, peer) {
            (true, Some(peer)) => address_towards(peer).map_err(|error| format!("no way to {peer}: {error}")),
            (true, None) => {
                Err("no media address is configured, and where the peer is is not known".to_owned())
            }
            (false, _) => Ok(self.address),
        }
    }

    /// Where no address routes there, the one before stays.
    fn readdress(&mut self, leg: LegId, line: usize, peer: Option<IpAddr>) {
        let ip = self.told_to(peer);
        let Some(place) = self.legs.get_mut(&leg) else { return };
        if let Ok(ip) = ip {
            place.local.set_ip(ip);
        }
        let local = place.local;
        self.order(line, Order::Core(CoreCommand::Readdress { leg, local, peer }));
    }

    /// A command for a leg that is not there. A recording must have its end, and whoever listens or speaks too.
    fn refuse(&mut self, command: Command) {
        match command {
            Command::Tap { tap, .. } => self.taps.ring(tap).end(),
            Command::Feed { feed, .. } => self.taps.feed_ring(feed).end(),
            Command::Readdress { leg, .. } => {
                self.tell(Event::OpenFailed { leg, why: "this leg is not open".into() });
            }
            _ => {}
        }
        if let Command::Record { leg, recording, .. } | Command::RecordRoom { leg, recording, .. } = command {
            let why = RecordEnd::Closed;
            self.tell(Event::Recorded { leg, recording, duration_ms: 0, bytes: 0, why });
        }
    }

    fn items(&mut self, items: Vec<PlayItem>) -> Vec<CoreItem> {
        items.into_iter().filter_map(|item| self.item(item)).collect()
    }

    fn item(&mut self, item: PlayItem) -> Option<CoreItem> {
        Some(match item {
            PlayItem::Clip(key) => match (self.clips)(&key) {
                Some(item) => item,
                None => {
                    tracing::warn!(key = key.0, "a sound that is to be played is not prepared");
                    self.lost.clips.fetch_add(1, Relaxed);
                    return None;
                }
            },
            PlayItem::Silence { ms } => CoreItem::Silence { ms },
            PlayItem::Tone(tone) => CoreItem::Clip(self.tone(tone)),
        })
    }

    fn tone(&mut self, tone: Tone) -> Arc<Clip> {
        if let Some((_, clip)) = self.tones.iter().find(|(known, _)| *known == tone) {
            return clip.clone();
        }
        let clip = Arc::new(tone.clip());
        if self.tones.len() < TONES_MAX {
            self.tones.push((tone, clip.clone()));
        }
        clip
    }

    pub(super) fn order(&mut self, line: usize, order: Order) {
        let line = &mut self.lines[line];
        if line.waiting.len() >= ORDERS_WAITING_MAX {
            self.lost.commands.fetch_add(1, Relaxed);
            return;
        }
        line.order(order);
    }

    fn push_waiting(&mut self) {
        self.lines.iter_mut().filter(|line| !line.waiting.is_empty()).for_each(Line::push);
    }

    fn hear_lines(&mut self) {
        for n in 0..self.lines.len() {
            while let Ok(told) = self.lines[n].told.pop() {
                self.hear(n, told);
            }
        }
    }

    fn hear(&mut self, line: usize, told: Told) {
        match told {
            Told::Event(event) => self.on_event(line, event),
            Told::Garbage(garbage) => drop(garbage),
            Told::Sockets(sockets) => self.close_sockets(sockets),
            Told::Released { leg, state, sockets } => {
                let Some(place) = self.legs.get_mut(&leg) else { return };
                let to = place.line;
                let waiting = place.moving.take().unwrap_or_default();
                match (state, sockets) {
                    (Some(state), Some(sockets)) => self.order(to, Order::Adopt { leg: state, sockets }),
                    // Closed before it could move; the event that says so has been told.
                    (_, sockets) => {
                        self.lines[to].legs -= 1;
                        self.part(leg);
                        self.leave(leg);
                        self.legs.remove(&leg);
                        sockets.into_iter().for_each(|sockets| self.close_sockets(sockets));
                    }
                }
                waiting.into_iter().for_each(|command| self.on_command(command));
            }
            Told::Stopped => self.lines[line].stopped = true,
        }
    }

    fn on_event(&mut self, line: usize, event: Event) {
        if let Event::OpenFailed { leg, .. } | Event::Closed { leg, .. } = event {
            self.forget(leg, line);
        }
        self.tell(event);
    }

    fn close_sockets(&mut self, sockets: Sockets) {
        let port = sockets.port();
        drop(sockets);
        self.ports.release(port);
    }

    fn tell(&mut self, event: Event) {
        if self.untold.len() >= UNTOLD_MAX {
            self.lost.events.fetch_add(1, Relaxed);
            return;
        }
        self.untold.push_back(event);
        self.tell_untold();
    }

    fn tell_untold(&mut self) {
        while let Some(event) = self.untold.pop_front() {
            match self.events.try_send(event) {
                Ok(()) => {}
                Err(mpsc::error::TrySendError::Full(event)) => return self.untold.push_front(event),
                // Nobody will ever ask.
                Err(mpsc::error::TrySendError::Closed(_)) => self.untold.clear(),
            }
        }
    }

    fn stop(mut self) {
        for line in &mut self.lines {
            line.waiting.push_back(Order::Stop);
        }
        self.settle(|control| control.lines.iter().all(|line| line.stopped));
        for line in &mut self.lines {
            // A thread that did not end is left behind rather than waited for.
            if let Some(thread) = line.thread.take_if(|thread| line.stopped || thread.is_finished()) {
                let _ = thread.join();
            }
        }
        let _ = self.writes.send(Write::Stop);
        self.settle(|control| control.writer.as_ref().is_none_or(JoinHandle::is_finished));
        self.settle(|control| control.untold.is_empty());
    }

    /// Goes on with everything but new commands until it is so, or for too long.
    fn settle(&mut self, done: impl Fn(&Control) -> bool) {
        let end = Instant::now() + STOP;
        loop {
            self.push_waiting();
            self.hear_lines();
            while let Ok(ask) = self.asks.try_recv() {
                if let Ask::Event(event) = ask {
                    self.tell(*event);
                }
            }
            self.tell_untold();
            if done(self) || Instant::now() >= end {
                return;
            }
            self.wake.wait(RETRY_MS);
        }
    }
}

fn legs_of(command: &Command) -> Option<(LegId, Option<LegId>)> {
    Some(match *command {
        Command::Bridge { a, b } | Command::Unbridge { a, b } => (a, Some(b)),
        Command::Open { leg, .. }
        | Command::Readdress { leg, .. }
        | Command::Configure { leg, .. }
        | Command::Play { leg, .. }
        | Command::StopPlay { leg }
        | Command::SendDigits { leg, .. }
        | Command::Record { leg, .. }
        | Command::RecordRoom { leg, .. }
        | Command::PauseRecord { leg, .. }
        | Command::ResumeRecord { leg, .. }
        | Command::StopRecord { leg, .. }
        | Command::Tap { leg, .. }
        | Command::Untap { leg, .. }
        | Command::Feed { leg, .. }
        | Command::EndFeed { leg, .. }
        | Command::Hear { leg, .. }
        | Command::DetectMachine { leg, .. }
        | Command::Echo { leg }
        | Command::Watch { leg, .. }
        | Command::Join { leg, .. }
        | Command::Leave { leg }
        | Command::ChangeMember { leg, .. }
        | Command::Close { leg } => (leg, None),
        Command::Announce { .. } => return None,
    })
}
