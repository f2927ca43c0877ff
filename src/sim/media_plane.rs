//! A media plane without packets: it keeps the promises of the real one, and remembers who heard what.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use base::{Mono, RecordingSid};
use media::{
    AmdSettings, AnsweredBy, Command, Direction, Event, LegId, LegStats, Member, Negotiated, PlayId,
    PlayItem, RecordEnd, RecordWhat, RoomId, TapId,
};

use crate::invariants::Violation;

/// What somebody heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A sound began, by its key.
    Clip(String),
    /// A tone began.
    Tone,
    /// A beep in a room.
    Beep,
    /// What it says itself, from now on.
    Itself,
    /// The peer at this RTP address, from now on.
    Peer(SocketAddr),
    /// Whatever it was, it stopped.
    Silence,
    /// Keys were sent to it.
    Digits(String),
}

#[derive(Clone, Debug)]
struct Leg {
    local: SocketAddr,
    /// Where the box said the peer is.
    peer: Option<IpAddr>,
    negotiated: Option<Negotiated>,
    bridged: Option<LegId>,
    /// The room it is in, and how it takes part.
    room: Option<(RoomId, Member)>,
    playing: Option<(PlayId, u64)>,
    /// When the keys that are sent to it are over.
    keys_until: Option<Mono>,
    recordings: BTreeMap<RecordingSid, Running>,
}

#[derive(Clone, Copy, Debug)]
struct Running {
    since: Mono,
    number: u64,
    silence_ms: u64,
}

/// The stub. Timed events carry a number; one that was overtaken by a newer command is dropped.
#[derive(Clone, Debug)]
pub struct StubMedia {
    address: IpAddr,
    legs: BTreeMap<LegId, Leg>,
    next_port: u16,
    next_number: u64,
    /// How long each sound is.
    pub clips: BTreeMap<String, Duration>,
    /// How long sounds are that nobody named.
    pub clip_default: Duration,
    /// Who heard what: the RTP address of the peer, when, what.
    pub heard: Vec<(SocketAddr, Mono, Heard)>,
    /// Who will be found to have answered the next detections, and after how many milliseconds.
    pub answers: VecDeque<(AnsweredBy, u32)>,
    /// How it was listened who answered, in order.
    pub detections: Vec<AmdSettings>,
    /// Recordings of calls fill the disk when they are so long.
    pub disk_full_after: Option<Duration>,
    /// Fail the next so many `Open`s.
    pub open_failures: u32,
    /// Legs that could not be opened and may still be closed: the report and the command cross.
    failed: BTreeSet<LegId>,
    /// Taps that run, and feeds: whose sound goes out, and to whom sound goes.
    pub taps: BTreeMap<TapId, (LegId, RecordWhat)>,
    /// See `taps`.
    pub feeds: BTreeMap<TapId, LegId>,
    /// Whose peers hear taps.
    pub hearers: BTreeMap<TapId, LegId>,
    /// Legs opened since the start.
    pub opened_total: u64,
    /// Rooms that are recorded: in whose name, and since when.
    room_recordings: BTreeMap<RecordingSid, (RoomId, LegId, Mono)>,
    /// Times a leg joined a room.
    pub joins_total: u64,
}

/// Something the stub will do later.
#[derive(Clone, Debug)]
pub(crate) enum Later {
    Event(Event),
    PlayEnds { leg: LegId, play: PlayId, number: u64 },
    RecordEnds { leg: LegId, recording: RecordingSid, number: u64, why: RecordEnd },
    Announced(RoomId, Event),
    RoomRecordEnds(RecordingSid),
}

/// How long every announcement sounds.
const ANNOUNCEMENT: Duration = Duration::from_secs(2);

impl StubMedia {
    /// A media plane at this address.
    pub fn new(address: IpAddr) -> Self {
        Self {
            address,
            legs: BTreeMap::new(),
            next_port: 20_000,
            next_number: 0,
            clips: BTreeMap::new(),
            clip_default: Duration::from_secs(2),
            heard: Vec::new(),
            answers: VecDeque::new(),
            detections: Vec::new(),
            disk_full_after: None,
            open_failures: 0,
            failed: BTreeSet::new(),
            taps: BTreeMap::new(),
            feeds: BTreeMap::new(),
            hearers: BTreeMap::new(),
            opened_total: 0,
            room_recordings: BTreeMap::new(),
            joins_total: 0,
        }
    }

    /// How long a sound is.
    pub(crate) fn duration(&self, key: &str) -> Duration {
        self.clips.get(key).copied().unwrap_or(self.clip_default)
    }

    /// The leg whose peer sends from this RTP address.
    pub fn leg_of(&self, remote: SocketAddr) -> Option<LegId> {
        self.legs
            .iter()
            .find(|(_, leg)| leg.negotiated.is_some_and(|n| n.remote == remote))
            .map(|(id, _)| *id)
    }

    /// What was agreed on with the peer at this RTP address, as the box sees it.
    pub fn negotiated_with(&self, remote: SocketAddr) -> Option<Negotiated> {
        self.legs.get(&self.leg_of(remote)?)?.negotiated
    }

    /// Where the box said the peer at this RTP address is, before anything was agreed on with it.
    pub fn peer_of(&self, remote: SocketAddr) -> Option<IpAddr> {
        self.legs.get(&self.leg_of(remote)?)?.peer
    }

    /// Which way sound goes between the box and the peer at this RTP address, as the box sees it.
    pub fn direction_of(&self, remote: SocketAddr) -> Option<Direction> {
        let leg = self.legs.get(&self.leg_of(remote)?)?;
        leg.negotiated.map(|negotiated| negotiated.direction)
    }

    /// The peer of a leg says nothing from now on: what it ends, and when.
    pub(crate) fn fall_silent(&self, leg: LegId) -> Vec<(Duration, Later)> {
        let recordings = self.legs.get(&leg).into_iter().flat_map(|state| &state.recordings);
        recordings
            .filter(|(_, running)| running.silence_ms > 0)
            .map(|(recording, running)| {
                let (recording, number, why) = (*recording, running.number, RecordEnd::Silence);
                let ends = Later::RecordEnds { leg, recording, number, why };
                (Duration::from_millis(running.silence_ms), ends)
            })
            .collect()
    }

    /// Whether the peers at these two RTP addresses hear each other.
    pub fn bridged(&self, a: SocketAddr, b: SocketAddr) -> bool {
        match (self.leg_of(a), self.leg_of(b)) {
            (Some(a), Some(b)) => {
                let half = |x: LegId, y| {
                    self.legs.get(&x).is_some_and(|leg| leg.bridged == Some(y) && leg.playing.is_none())
                };
                half(a, b) && half(b, a)
            }
            _ => false,
        }
    }

    /// Whose sound the peer at this RTP address is handed, and which side of it.
    pub fn hears_tap(&self, remote: SocketAddr) -> Option<(LegId, RecordWhat)> {
        let leg = self.leg_of(remote)?;
        let (tap, _) = self.hearers.iter().find(|(_, of)| **of == leg)?;
        self.taps.get(tap).copied()
    }

    /// Whether what the peer at `from` says in a room is heard by the one at `to`.
    pub fn hears_in_room(&self, to: SocketAddr, from: SocketAddr) -> bool {
        let member = |remote| {
            let leg = self.legs.get(&self.leg_of(remote)?)?;
            let (room, member) = leg.room?;
            Some((room, member, leg.playing.is_some()))
        };
        let (Some((room, hearer, plays)), Some((other, speaker, _))) = (member(to), member(from)) else {
            return false;
        };
        let is_for_it = speaker.coaches.is_none_or(|coached| self.leg_of(to) == Some(coached));
        room == other
            && to != from
            && !plays
            && !hearer.on_hold
            && !speaker.on_hold
            && !speaker.muted
            && is_for_it
    }

    /// What the peer at this RTP address heard, in order.
    pub fn heard_by(&self, remote: SocketAddr) -> Vec<Heard> {
        self.heard.iter().filter(|(who, _, _)| *who == remote).map(|(_, _, what)| what.clone()).collect()
    }

    /// The rooms and who is in them.
    pub fn seats(&self) -> BTreeMap<LegId, RoomId> {
        self.legs.iter().filter_map(|(id, leg)| Some((*id, leg.room?.0))).collect()
    }

    /// Legs that are open.
    pub fn open_legs(&self) -> usize {
        self.legs.len()
    }

    /// Carries out a command; what follows from it, and when.
    pub(crate) fn command(
        &mut self,
        command: Command,
        now: Mono,
    ) -> Result<Vec<(Duration, Later)>, Violation> {
        let soon = Duration::from_micros(300);
        let mut later = Vec::new();
        match command {
            Command::Open { leg, peer, .. } => {
                if self.legs.contains_key(&leg) {
                    return Err(Violation(format!("{leg:?} is opened twice")));
                }
                if self.open_failures > 0 {
                    self.open_failures -= 1;
                    self.failed.insert(leg);
                    later.push((soon, Later::Event(Event::OpenFailed { leg, why: "simulated".into() })));
                    return Ok(later);
                }
                let local = SocketAddr::new(self.address, self.next_port);
                self.next_port = if self.next_port >= 60_000 { 20_000 } else { self.next_port + 2 };
                self.opened_total += 1;
                let fresh = Leg {
                    local,
                    peer,
                    negotiated: None,
                    bridged: None,
                    room: None,
                    playing: None,
                    keys_until: None,
                    recordings: BTreeMap::new(),
                };
                self.legs.insert(leg, fresh);
                later.push((soon, Later::Event(Event::Opened { leg, local })));
            }
            Command::Readdress { leg, peer } => {
                if let Some(there) = self.legs.get_mut(&leg) {
                    there.peer = peer;
                    later.push((soon, Later::Event(Event::Opened { leg, local: there.local })));
                }
            }
            Command::Configure { leg, negotiated } => {
                if let Some(leg) = self.legs.get_mut(&leg) {
                    leg.negotiated = Some(negotiated);
                }
            }
            Command::Play { leg, play, items, repeat } => {
                if self.legs.contains_key(&leg) {
                    later.extend(self.stop(leg, soon));
                    later.extend(self.play(leg, play, &items, repeat, now));
                }
            }
            Command::StopPlay { leg } => {
                later.extend(self.stop(leg, soon));
                self.note(leg, now, Heard::Silence);
            }
            Command::SendDigits { leg, play, digits } => {
                if self.legs.contains_key(&leg) {
                    let each = Duration::from_millis(150);
                    let wait = each * u32::try_from(digits.len()).unwrap_or(u32::MAX);
                    self.cut_keys(leg, now);
                    self.note(leg, now, Heard::Digits(digits));
                    if let Some(state) = self.legs.get_mut(&leg) {
                        state.keys_until = Some(now + wait);
                    }
                    later.push((wait, Later::Event(Event::Played { leg, play, completed: true })));
                }
            }
            Command::Bridge { a, b } => self.bridge(a, b, now)?,
            Command::Unbridge { a, b } => {
                for leg in [a, b] {
                    if let Some(leg) = self.legs.get_mut(&leg) {
                        leg.bridged = None;
                    }
                }
            }
            Command::Join { leg, room, member } => {
                if let Some(state) = self.legs.get_mut(&leg) {
                    state.room = Some((room, member));
                    self.joins_total += 1;
                    if let Some(other) = state.bridged.take().and_then(|other| self.legs.get_mut(&other)) {
                        other.bridged = None;
                    }
                }
            }
            Command::ChangeMember { leg, member } => {
                if let Some((_, as_now)) = self.legs.get_mut(&leg).and_then(|leg| leg.room.as_mut()) {
                    *as_now = member;
                }
            }
            Command::Leave { leg } => {
                if let Some(leg) = self.legs.get_mut(&leg) {
                    leg.room = None;
                }
            }
            Command::Announce { room, play, items, .. } => {
                let what = match (play, items.first()) {
                    (Some(_), Some(PlayItem::Clip(key))) => Heard::Clip(key.0.clone()),
                    _ => Heard::Beep,
                };
                if let Some(play) = play {
                    let event = Event::Announced { room, play, completed: true };
                    later.push((ANNOUNCEMENT, Later::Announced(room, event)));
                }
                let hears = |leg: &Leg| {
                    leg.playing.is_none()
                        && leg.room.is_some_and(|(of, member)| of == room && !member.on_hold)
                };
                let there: Vec<LegId> =
                    self.legs.iter().filter(|(_, leg)| hears(leg)).map(|(id, _)| *id).collect();
                for leg in there {
                    self.note(leg, now, what.clone());
                }
            }
            Command::Record { leg, recording, max_ms, silence_ms, .. } => {
                let number = self.number();
                if let Some(leg_state) = self.legs.get_mut(&leg) {
                    leg_state.recordings.insert(recording, Running { since: now, number, silence_ms });
                    later.push((soon, Later::Event(Event::RecordStarted { leg, recording })));
                    let (after, why) = match self.disk_full_after {
                        Some(full) => (full, RecordEnd::Failed("No space left on device".to_owned())),
                        None => (Duration::from_millis(max_ms), RecordEnd::MaxLength),
                    };
                    later.push((after, Later::RecordEnds { leg, recording, number, why }));
                } else {
                    let why = RecordEnd::Failed("no such leg".to_owned());
                    let event = Event::Recorded { leg, recording, duration_ms: 0, bytes: 0, why };
                    later.push((soon, Later::Event(event)));
                }
            }
            Command::RecordRoom { leg, recording, max_ms, .. } => {
                let Some((room, _)) = self.legs.get(&leg).and_then(|leg| leg.room) else {
                    return Err(Violation(format!("{leg:?} is in no room that could be recorded")));
                };
                if self.room_recordings.values().any(|(other, _, _)| *other == room) {
                    return Err(Violation(format!("{room:?} is recorded twice")));
                }
                self.room_recordings.insert(recording, (room, leg, now));
                later.push((Duration::from_millis(max_ms), Later::RoomRecordEnds(recording)));
                later.push((soon, Later::Event(Event::RecordStarted { leg, recording })));
            }
            Command::StopRecord { recording, .. } if self.room_recordings.contains_key(&recording) => {
                if let Some((_, leg, since)) = self.room_recordings.remove(&recording) {
                    later.push((soon, Later::Event(room_recorded(recording, leg, since, now))));
                }
            }
            Command::StopRecord { leg, recording } => {
                if let Some(event) = self.end_recording(leg, recording, now, RecordEnd::Stopped) {
                    later.push((soon, Later::Event(event)));
                }
            }
            Command::DetectMachine { leg, settings } => {
                self.detections.push(settings);
                let (answered_by, after) = match self.answers.pop_front() {
                    Some((answered_by, ms)) => (answered_by, ms.min(settings.timeout_ms)),
                    None => (AnsweredBy::Unknown, settings.silence_timeout_ms),
                };
                if self.legs.contains_key(&leg) {
                    let event = Event::AnsweredBy { leg, answered_by, ms: after };
                    later.push((Duration::from_millis(after.into()), Later::Event(event)));
                }
            }
            Command::Tap { leg, tap, what } => {
                if self.legs.contains_key(&leg) {
                    self.taps.insert(tap, (leg, what));
                }
            }
            Command::Untap { tap, .. } => {
                self.taps.remove(&tap);
            }
            Command::Feed { leg, feed } => {
                later.extend(self.stop(leg, soon));
                if self.legs.contains_key(&leg) {
                    self.feeds.insert(feed, leg);
                }
            }
            Command::EndFeed { feed, .. } => {
                self.feeds.remove(&feed);
            }
            Command::Hear { leg, tap } => {
                later.extend(self.stop(leg, soon));
                if self.legs.contains_key(&leg) {
                    self.hearers.insert(tap, leg);
                }
            }
            Command::Echo { leg } => {
                later.extend(self.stop(leg, soon));
                self.note(leg, now, Heard::Itself);
            }
            // No sound is simulated: a pause has nothing to leave out.
            Command::PauseRecord { .. } | Command::ResumeRecord { .. } | Command::Watch { .. } => {}
            Command::Close { leg } => {
                let Some(state) = self.legs.get(&leg).cloned() else {
                    if self.failed.remove(&leg) {
                        return Ok(later);
                    }
                    return Err(Violation(format!("{leg:?} is closed but not open")));
                };
                later.extend(self.stop(leg, soon));
                for recording in state.recordings.keys() {
                    if let Some(event) = self.end_recording(leg, *recording, now, RecordEnd::Closed) {
                        later.push((soon, Later::Event(event)));
                    }
                }
                if let Some(other) = state.bridged.and_then(|other| self.legs.get_mut(&other)) {
                    other.bridged = None;
                }
                self.legs.remove(&leg);
                self.taps.retain(|_, (of, _)| *of != leg);
                self.feeds.retain(|_, of| *of != leg);
                self.hearers.retain(|_, of| *of != leg);
                // After everything else the leg still says.
                later.push((soon * 2, Later::Event(Event::Closed { leg, stats: LegStats::default() })));
            }
        }
        for event in self.end_recordings_of_empty_rooms(now) {
            later.push((soon, Later::Event(event)));
        }
        Ok(later)
    }

    /// Whether something planned is still true; the event it becomes.
    pub(crate) fn happen(&mut self, later: Later, now: Mono) -> Option<Event> {
        match later {
            Later::Event(event) => Some(event),
            // A room everybody has left announces nothing.
            Later::Announced(room, event) => {
                let is_there = |leg: &Leg| leg.room.is_some_and(|(of, _)| of == room);
                self.legs.values().any(is_there).then_some(event)
            }
            Later::PlayEnds { leg, play, number } => {
                let state = self.legs.get_mut(&leg)?;
                if state.playing != Some((play, number)) {
                    return None;
                }
                state.playing = None;
                Some(Event::Played { leg, play, completed: true })
            }
            Later::RecordEnds { leg, recording, number, why } => {
                let running = self.legs.get(&leg)?.recordings.get(&recording)?;
                if running.number != number {
                    return None;
                }
                self.end_recording(leg, recording, now, why)
            }
            Later::RoomRecordEnds(recording) => {
                let (_, leg, since) = self.room_recordings.remove(&recording)?;
                Some(room_recorded(recording, leg, since, now))
            }
        }
    }

    fn bridge(&mut self, a: LegId, b: LegId, now: Mono) -> Result<(), Violation> {
        if a == b {
            return Err(Violation(format!("{a:?} is bridged with itself")));
        }
        for (one, other) in [(a, b), (b, a)] {
            if let Some(leg) = self.legs.get(&one)
                && leg.bridged.is_some_and(|with| with != other)
            {
                return Err(Violation(format!("{one:?} is in two bridges")));
            }
        }
        if !self.legs.contains_key(&a) || !self.legs.contains_key(&b) {
            return Ok(());
        }
        for (one, other) in [(a, b), (b, a)] {
            let remote = self.legs.get(&other).and_then(|leg| leg.negotiated).map(|n| n.remote);
            if let Some(leg) = self.legs.get_mut(&one) {
                leg.bridged = Some(other);
            }
            if let Some(remote) = remote {
                self.note(one, now, Heard::Peer(remote));
            }
        }
        Ok(())
    }

    fn play(
        &mut self,
        leg: LegId,
        play: PlayId,
        items: &[PlayItem],
        repeat: u32,
        now: Mono,
    ) -> Option<(Duration, Later)> {
        let mut length = Duration::ZERO;
        let mut endless = repeat == 0;
        for item in items {
            match item {
                PlayItem::Clip(key) => {
                    length += self.duration(&key.0);
                    self.note(leg, now, Heard::Clip(key.0.clone()));
                }
                PlayItem::Silence { ms } => length += Duration::from_millis(u64::from(*ms)),
                PlayItem::Tone(media::Tone::Beep) => length += Duration::from_millis(200),
                PlayItem::Tone(_) => {
                    endless = true;
                    self.note(leg, now, Heard::Tone);
                }
            }
        }
        let number = self.number();
        self.legs.get_mut(&leg)?.playing = Some((play, number));
        (!endless).then(|| (length * repeat, Later::PlayEnds { leg, play, number }))
    }

    fn stop(&mut self, leg: LegId, soon: Duration) -> Option<(Duration, Later)> {
        let (play, _) = self.legs.get_mut(&leg)?.playing.take()?;
        Some((soon, Later::Event(Event::Played { leg, play, completed: false })))
    }

    fn end_recordings_of_empty_rooms(&mut self, now: Mono) -> Vec<Event> {
        let legs = &self.legs;
        let is_empty =
            |room: RoomId| !legs.values().any(|leg| leg.room.is_some_and(|(other, _)| other == room));
        let mut ended = Vec::new();
        self.room_recordings.retain(|recording, (room, leg, since)| {
            if is_empty(*room) {
                ended.push(room_recorded(*recording, *leg, *since, now));
            }
            !is_empty(*room)
        });
        ended
    }

    fn end_recording(
        &mut self,
        leg: LegId,
        recording: RecordingSid,
        now: Mono,
        why: RecordEnd,
    ) -> Option<Event> {
        let running = self.legs.get_mut(&leg)?.recordings.remove(&recording)?;
        let duration_ms = u64::try_from(now.since(running.since).as_millis()).unwrap_or(u64::MAX);
        Some(Event::Recorded { leg, recording, duration_ms, bytes: duration_ms * 16, why })
    }

    fn note(&mut self, leg: LegId, now: Mono, what: Heard) {
        if let Some(remote) = self.legs.get(&leg).and_then(|leg| leg.negotiated).map(|n| n.remote) {
            self.heard.push((remote, now, what));
        }
    }

    /// Keys that are replaced before they are over are not understood by anybody.
    fn cut_keys(&mut self, leg: LegId, now: Mono) {
        let Some(state) = self.legs.get(&leg).filter(|leg| leg.keys_until.is_some_and(|until| until > now))
        else {
            return;
        };
        let remote = state.negotiated.map(|negotiated| negotiated.remote);
        let last = self
            .heard
            .iter()
            .rposition(|(to, _, heard)| Some(*to) == remote && matches!(heard, Heard::Digits(_)));
        last.into_iter().for_each(|at| drop(self.heard.remove(at)));
    }

    fn number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }

    /// The local RTP addresses of the open legs.
    pub fn local_addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.legs.values().map(|leg| leg.local)
    }
}

fn room_recorded(recording: RecordingSid, leg: LegId, since: Mono, now: Mono) -> Event {
    let duration_ms = u64::try_from(now.since(since).as_millis()).unwrap_or(u64::MAX);
    Event::Recorded { leg, recording, duration_ms, bytes: duration_ms * 16, why: RecordEnd::Stopped }
}
