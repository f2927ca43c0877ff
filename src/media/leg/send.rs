//! What a leg sends: one numbering for everything the peer hears.

use std::net::SocketAddr;

use super::listen::{NARROW_RATE, Sound, WIDE_RATE};
use super::tap::{Tapped, next_tapped};
use super::voice::{Coded, Source, Voice};
use super::watch::level_of_payload;
use super::{HeardPacket, Kind, Leg, Playing, Sounding};
use crate::codec::coder::duration;
use crate::codec::{CodecKind, transcode};
use crate::dtmf::{self, Place, TelephoneEvent, Tick};
use crate::engine::{Channel, Out};
use crate::negotiated::Negotiated;
use crate::outgoing::Stamp;
use crate::play::{FRAME_SAMPLES, Frame};
use crate::quality::Level;
use crate::rtp::{self, Fields, HEADER_BYTES, PAYLOAD_BYTES_MAX};
use crate::tone::dtmf_frequencies;

/// A frame of the clock.
const FRAME_MS: u32 = 20;

/// Of a key that is sounded, one packet makes no more than so many milliseconds.
const KEY_MS_MAX: u32 = 120;

impl Leg {
    /// Whether this payload can go to the peer as it is, or by a table.
    #[inline]
    pub(crate) fn relays(&self, codec: CodecKind, payload: &[u8]) -> bool {
        let Some(negotiated) = &self.negotiated else { return true };
        let is_spoken = negotiated.codec == codec || (negotiated.codec.is_g711() && codec.is_g711());
        let longest = u32::from(negotiated.max_ptime_ms) * (codec.info().clock / 1_000);
        is_spoken && duration(codec, payload) <= longest
    }

    /// Whether sound and events of that leg share this leg's clock and numbering.
    pub(crate) fn relays_events_of(&self, other: &Leg) -> bool {
        let codec = |leg: &Leg| leg.negotiated.as_ref().map(|negotiated| negotiated.codec);
        match (codec(self), codec(other)) {
            (Some(ours), Some(theirs)) => ours == theirs || (ours.is_g711() && theirs.is_g711()),
            _ => true,
        }
    }

    /// Sends what the other leg of the bridge heard, unless something plays. The payload is one the peer takes.
    #[inline]
    pub(crate) fn relay(
        &mut self,
        heard: &HeardPacket,
        event_clock: u32,
        bytes: &mut [u8],
        now: u64,
        out: &mut impl Out,
    ) {
        let (Some(negotiated), Some(to)) = (&self.negotiated, self.rtp.target()) else { return };
        if !negotiated.direction.sends() || !matches!(self.playing, Playing::Nothing) {
            // What is not sent must not look lost when sending goes on.
            return self.outgoing.end_run();
        }
        let fields = heard.parsed.fields;
        let payload = heard.parsed.payload.clone();
        let codec = negotiated.codec;
        let (payload_type, ticks) = match heard.kind {
            Kind::Sound(from) => {
                let fits = transcode(from, codec, &mut bytes[payload.clone()]);
                (fits.then_some(negotiated.payload_type), duration(codec, &bytes[payload.clone()]))
            }
            Kind::Event(event) => {
                let duration = scale(u64::from(event.duration), event_clock, negotiated.dtmf_clock);
                if event_clock != negotiated.dtmf_clock {
                    let event = TelephoneEvent { duration: duration.min(0xFFFF) as u16, ..event };
                    bytes[payload.start..payload.start + 4].copy_from_slice(&event.write());
                }
                (negotiated.dtmf, scale(duration, negotiated.dtmf_clock, codec.info().clock) as u32)
            }
            Kind::Comfort => (negotiated.comfort_noise, 0),
            Kind::Other => (None, 0),
        };
        let Some(payload_type) = payload_type else { return self.outgoing.skip(fields, now) };
        let Some(stamp) = self.outgoing.relay(fields, ticks, now) else {
            self.stats.late += 1;
            return;
        };
        if matches!(heard.kind, Kind::Sound(_)) && codec.is_g711() {
            self.record_sent_payload(stamp.timestamp, codec, &bytes[payload.clone()], now);
        }
        if let (Some(relayed), Kind::Sound(CodecKind::G722)) = (&mut self.relayed, heard.kind) {
            relayed.note(&bytes[payload.clone()]);
        }
        let packet = rtp::rewrite(bytes, payload, fields_of(stamp, payload_type, self.outgoing.ssrc()));
        self.outgoing.count(packet.len() - HEADER_BYTES);
        self.stats.packets_sent += 1;
        self.stats.bytes_sent += packet.len() as u64;
        self.transmit(Channel::Rtp, to, packet, out);
    }

    /// Records sound whose packets are relayed to the peer.
    pub(crate) fn record_relayed(&mut self, sound: &Sound<'_>, now: u64) {
        if self.records()
            && let Some(timestamp) = self.outgoing.relayed(sound.timestamp)
        {
            self.record_sent(timestamp, sound.narrow, now);
        }
    }

    /// Codes what the other leg of the bridge said for this peer, unless something plays.
    pub(crate) fn speak(&mut self, sound: &Sound<'_>, now: u64, out: &mut impl Out) {
        let Some(negotiated) = self.negotiated else { return };
        if !negotiated.direction.sends() || !matches!(self.playing, Playing::Nothing) {
            return self.outgoing.end_run();
        }
        let at = scale(sound.at, sound.clock, self.clock());
        if self.records() {
            let timestamp = self.outgoing.place(sound.source, at, now).0;
            self.record_sent(timestamp, sound.narrow, now);
        }
        let mut voice = self.take_voice(&negotiated);
        voice.speak(Source::Leg(sound.source), at, sound.pcm, sound.rate, &mut |coded| {
            if !coded.payload.is_empty() {
                let stamp = self.outgoing.voice(sound.source, coded.at, coded.ticks, now);
                self.send_coded(&negotiated, stamp, &coded, out);
            }
        });
        self.voice = Some(voice);
    }

    /// Sends the other leg's key to a peer whose sound is coded anew. `at`: when it began, in ticks of that leg's
    /// clock; its duration counts in `event_clock`.
    pub(crate) fn press_of(
        &mut self,
        event: TelephoneEvent,
        event_clock: u32,
        (source, at, clock): (u64, u64, u32),
        is_first: bool,
        now: u64,
        out: &mut impl Out,
    ) {
        let (Some(negotiated), Some(to)) = (self.negotiated, self.rtp.target()) else { return };
        if !negotiated.direction.sends() || !matches!(self.playing, Playing::Nothing) {
            return self.outgoing.end_run();
        }
        let Some(payload_type) = negotiated.dtmf else {
            if negotiated.dtmf_inband {
                self.sound_key(event, event_clock, (source, at, clock), now, out);
            }
            return;
        };
        let duration =
            scale(u64::from(event.duration), event_clock, negotiated.dtmf_clock).min(0xFFFF) as u16;
        let ticks = scale(u64::from(duration), negotiated.dtmf_clock, self.clock()) as u32;
        let at = scale(at, clock, self.clock());
        let stamp = self.outgoing.voice_event(source, at, ticks, is_first, now);
        let event = TelephoneEvent { duration, ..event };
        self.send_packet(stamp, payload_type, &event.write(), to, out);
    }

    /// Sounds as much of a key as its packets have told of, to a peer that takes no events.
    fn sound_key(
        &mut self,
        event: TelephoneEvent,
        event_clock: u32,
        (source, at, clock): (u64, u64, u32),
        now: u64,
        out: &mut impl Out,
    ) {
        let pressed = (u64::from(event.duration) * 1_000 / u64::from(event_clock)) as u32;
        let begun = self.sounding.filter(|key| (key.source, key.at) == (source, at)).map_or(0, |key| key.ms);
        if pressed <= begun {
            return;
        }
        let until = pressed.min(begun + KEY_MS_MAX);
        self.sounding = Some(Sounding { source, at, ms: until });
        let mut pcm = [0; (KEY_MS_MAX * NARROW_RATE / 1_000) as usize];
        let pcm = &mut pcm[..((until - begun) * NARROW_RATE / 1_000) as usize];
        key_tone(event.code, begun, pcm);
        let at = at + u64::from(begun) * u64::from(clock) / 1_000;
        let sound = Sound { source, at, timestamp: 0, clock, pcm, rate: NARROW_RATE, narrow: pcm };
        self.speak(&sound, now, out);
    }

    /// One frame of whatever the peer hears from us.
    pub(super) fn sound(&mut self, now: u64, out: &mut impl Out) {
        let Some(negotiated) = self.negotiated else { return };
        match &mut self.playing {
            Playing::Nothing if self.peer.is_some() => {}
            // A packet of the other leg has just gone; what comes next follows it, not overlaps it.
            Playing::Nothing | Playing::Items(_) | Playing::Feed(..) | Playing::Tap(_) | Playing::Echo(_)
                if self.outgoing.is_early(now) => {}
            Playing::Nothing => self.send_silence(now, out),
            Playing::Items(player) => {
                let filled = if takes_frames(&negotiated) {
                    let mut frame = [0; FRAME_SAMPLES];
                    let filled = player.fill(negotiated.codec, &mut frame);
                    if filled {
                        self.send_frame(&frame, level_of_payload(negotiated.codec, &frame), now, out);
                    }
                    filled
                } else {
                    let (mut narrow, mut wide) = ([0; FRAME_SAMPLES], [0; 2 * FRAME_SAMPLES]);
                    let filled = player.fill_pcm(&mut narrow, &mut wide);
                    match player.is_wide() {
                        _ if !filled => {}
                        true => self.say(&wide, WIDE_RATE, &narrow, now, out),
                        false => self.say(&narrow, NARROW_RATE, &narrow, now, out),
                    }
                    filled
                };
                let is_over = matches!(&self.playing, Playing::Items(player) if player.is_over());
                debug_assert!(filled || is_over, "a play that is not over has something to say");
                if is_over {
                    self.end_playing(true, out);
                    self.start_recorders(now, out);
                }
            }
            Playing::Echo(line) => {
                let mut frame = [0; FRAME_SAMPLES];
                line.take(&mut frame);
                self.say(&frame, NARROW_RATE, &frame, now, out);
            }
            Playing::Feed(_, feed) => {
                let mut frame = [0; FRAME_SAMPLES];
                if feed.fill(&mut frame) {
                    self.say(&frame, NARROW_RATE, &frame, now, out);
                } else {
                    self.end_playing(true, out);
                }
            }
            Playing::Tap(ring) => match next_tapped(ring) {
                Tapped::Frame(frame) => {
                    let frame = frame.channel(0);
                    self.say(&frame, NARROW_RATE, &frame, now, out);
                }
                Tapped::Nothing => self.send_silence(now, out),
                Tapped::Over => self.end_playing(true, out),
            },
            Playing::Digits(digits) => match digits.sender.tick() {
                Tick::Event { event, place } => self.press(event, place, now, out),
                Tick::Gap if negotiated.dtmf.is_some() => {}
                Tick::Gap | Tick::Pause => self.send_silence(now, out),
                Tick::Done => self.end_playing(true, out),
            },
        }
    }

    /// One packet of a key being pressed, or 20 ms of its tone for a peer that takes no events.
    fn press(&mut self, event: TelephoneEvent, place: Place, now: u64, out: &mut impl Out) {
        let Some(negotiated) = self.negotiated else { return };
        let clock = self.clock();
        let Playing::Digits(digits) = &mut self.playing else { return };
        let Some(payload_type) = negotiated.dtmf else {
            let mut pcm = [0; FRAME_SAMPLES];
            if place != Place::Copy && negotiated.dtmf_inband {
                let begin = u32::from(event.duration) * 1_000 / dtmf::CLOCK - FRAME_MS;
                key_tone(event.code, begin, &mut pcm);
            }
            return self.say(&pcm, NARROW_RATE, &pcm, now, out);
        };
        let target = self.rtp.target().filter(|_| negotiated.direction.sends());
        if place == Place::First {
            digits.key = target.map(|_| (self.outgoing.begin_event(now), now));
        }
        // A key whose beginning could not be sent is not sent at all: half a key is none.
        let (Some(to), Some((start, began))) = (target, digits.key) else { return digits.key = None };
        let ticks = scale(u64::from(event.duration), dtmf::CLOCK, clock) as u32;
        let duration = scale(u64::from(event.duration), dtmf::CLOCK, negotiated.dtmf_clock) as u16;
        let stamp = self.outgoing.event(start, ticks, began, place == Place::First);
        let event = TelephoneEvent { duration, ..event };
        self.send_packet(stamp, payload_type, &event.write(), to, out);
    }

    /// 20 ms of silence.
    pub(super) fn send_silence(&mut self, now: u64, out: &mut impl Out) {
        let Some(negotiated) = self.negotiated else { return };
        if takes_frames(&negotiated) {
            self.send_frame(&[negotiated.codec.silence(); FRAME_SAMPLES], Level::SILENT, now, out);
        } else {
            self.say(&[0; FRAME_SAMPLES], NARROW_RATE, &[0; FRAME_SAMPLES], now, out);
        }
    }

    /// 20 ms of sound, coded, and how loud they are.
    pub(super) fn send_frame(&mut self, frame: &Frame, level: Level, now: u64, out: &mut impl Out) {
        let (Some(negotiated), Some(to)) = (self.negotiated, self.rtp.target()) else { return };
        if !negotiated.direction.sends() {
            return;
        }
        let stamp = self.outgoing.frame(now, FRAME_SAMPLES as u32);
        self.send_packet(stamp, negotiated.payload_type, frame, to, out);
        self.was_sent(level);
        self.record_sent_payload(stamp.timestamp, negotiated.codec, frame, now);
    }

    /// 20 ms of sound at 8 or 16 kHz, and the same at 8 kHz.
    pub(super) fn say(&mut self, pcm: &[i16], rate: u32, narrow: &[i16], now: u64, out: &mut impl Out) {
        let Some(negotiated) = self.negotiated else { return };
        if !negotiated.direction.sends() {
            return;
        }
        if rate == NARROW_RATE && takes_frames(&negotiated) && pcm.len() == FRAME_SAMPLES {
            let mut frame = [0; FRAME_SAMPLES];
            negotiated.codec.encode_all(pcm, &mut frame);
            return self.send_frame(&frame, Level::of(pcm), now, out);
        }
        if self.records() {
            self.record_sent(self.outgoing.timestamp_at(now), narrow, now);
        }
        self.was_sent(Level::of(narrow));
        let mut voice = self.take_voice(&negotiated);
        let at = self.said;
        self.said += u64::from(self.clock() / 1_000 * FRAME_MS);
        voice.speak(Source::Clock, at, pcm, rate, &mut |coded| {
            if !coded.payload.is_empty() {
                // A packet of several frames begins with the first of them, one of several packets after the others.
                let ahead = coded.at.cast_signed() - at.cast_signed();
                let begin = now.saturating_add_signed(ahead * 1_000_000 / i64::from(self.clock() / 1_000));
                let stamp = self.outgoing.frame(begin, coded.ticks);
                self.send_coded(&negotiated, stamp, &coded, out);
            }
        });
        self.voice = Some(voice);
    }

    /// Takes the voice out, so that it and the leg can be used side by side.
    fn take_voice(&mut self, negotiated: &Negotiated) -> Box<Voice> {
        let mut voice = self.voice.take().unwrap_or_else(|| Box::new(Voice::new(negotiated)));
        if let Some(relayed) = &mut self.relayed {
            relayed.take(|sent| voice.follow(sent));
        }
        voice
    }

    fn send_coded(&mut self, negotiated: &Negotiated, stamp: Stamp, coded: &Coded<'_>, out: &mut impl Out) {
        let Some(to) = self.rtp.target() else { return };
        self.send_packet(stamp, negotiated.payload_type, coded.payload, to, out);
    }

    fn send_packet(
        &mut self,
        stamp: Stamp,
        payload_type: u8,
        payload: &[u8],
        to: SocketAddr,
        out: &mut impl Out,
    ) {
        // To clear room for the longest packet there may be takes longer than to fill a usual one.
        let (mut usual, mut longest);
        let packet: &mut [u8] = if payload.len() <= FRAME_SAMPLES {
            usual = [0; HEADER_BYTES + FRAME_SAMPLES];
            &mut usual
        } else {
            longest = [0; HEADER_BYTES + PAYLOAD_BYTES_MAX];
            &mut longest
        };
        let len = rtp::write(fields_of(stamp, payload_type, self.outgoing.ssrc()), payload, packet);
        self.outgoing.count(payload.len());
        self.stats.packets_sent += 1;
        self.stats.bytes_sent += len as u64;
        self.transmit(Channel::Rtp, to, &packet[..len], out);
    }
}

/// Whether a frame of the clock, one byte a sample, is just what the peer wants in a packet.
pub(super) fn takes_frames(negotiated: &Negotiated) -> bool {
    negotiated.codec.is_g711() && Voice::packet_ms(negotiated) == FRAME_MS
}

fn fields_of(stamp: Stamp, payload_type: u8, ssrc: u32) -> Fields {
    Fields { marker: stamp.marker, payload_type, sequence: stamp.sequence, timestamp: stamp.timestamp, ssrc }
}

/// Ticks of one clock in another.
#[inline]
fn scale(ticks: u64, from: u32, to: u32) -> u64 {
    if from == to { ticks } else { ticks * u64::from(to) / u64::from(from.max(1)) }
}

/// A key's two frequencies (ITU-T Q.23), from so many milliseconds after it was pressed, at 8 kHz.
fn key_tone(code: u8, begin_ms: u32, pcm: &mut [i16]) {
    let Some((low, high)) = dtmf::digit(code).and_then(dtmf_frequencies) else { return pcm.fill(0) };
    for (n, sample) in pcm.iter_mut().enumerate() {
        let t = (f64::from(begin_ms) / 1_000.0 + n as f64 / f64::from(NARROW_RATE)) * std::f64::consts::TAU;
        *sample = ((t * low).sin() * 5_000.0 + (t * high).sin() * 6_000.0) as i16;
    }
}
