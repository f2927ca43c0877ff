//! What a leg sends: one numbering for everything the peer hears.

use std::net::SocketAddr;

use super::{CLOCK, HeardPacket, Kind, Leg, Playing};
use crate::codec::{CodecKind, transcode};
use crate::dtmf::{self, Place, TelephoneEvent, Tick};
use crate::engine::{Channel, Out};
use crate::outgoing::Stamp;
use crate::play::{FRAME_SAMPLES, Frame};
use crate::record::{self, Placed};
use crate::rtp::{self, Built, Fields, HEADER_BYTES, PACKET_BYTES_MAX};
use crate::tone::dtmf_frequencies;

impl Leg {
    /// Sends what the other leg of the bridge heard, unless something plays.
    #[inline]
    pub(crate) fn relay(&mut self, heard: HeardPacket, bytes: &mut [u8], now: u64, out: &mut impl Out) {
        let (Some(negotiated), Some(to)) = (&self.negotiated, self.rtp.target()) else { return };
        if !negotiated.direction.sends() || !matches!(self.playing, Playing::Nothing) {
            // What is not sent must not look lost when sending goes on.
            return self.outgoing.end_run();
        }
        let fields = heard.parsed.fields;
        let payload = heard.parsed.payload;
        let (payload_type, samples) = match heard.kind {
            Kind::Sound(codec) => {
                let fits = transcode(codec, negotiated.codec, &mut bytes[payload.clone()]);
                (fits.then_some(negotiated.payload_type), payload.len() as u32)
            }
            Kind::Event(event) => (negotiated.dtmf, u32::from(event.duration)),
            Kind::Other => (None, 0),
        };
        let Some(payload_type) = payload_type else { return self.outgoing.skip(fields, now) };
        let codec = negotiated.codec;
        let Some(stamp) = self.outgoing.relay(fields, samples, now) else {
            self.stats.late += 1;
            return;
        };
        if matches!(heard.kind, Kind::Sound(_)) {
            self.record_sent(stamp.timestamp, codec, &bytes[payload.clone()], now);
        }
        let packet = rtp::rewrite(bytes, payload, fields_of(stamp, payload_type, self.outgoing.ssrc()));
        self.outgoing.count(packet.len() - HEADER_BYTES);
        self.stats.packets_sent += 1;
        self.stats.bytes_sent += packet.len() as u64;
        out.send(self.id, Channel::Rtp, to, packet);
    }

    /// One frame of whatever the peer hears from us.
    pub(super) fn sound(&mut self, now: u64, out: &mut impl Out) {
        let Some(negotiated) = self.negotiated else { return };
        match &mut self.playing {
            Playing::Nothing if self.peer.is_some() => {}
            // A packet of the other leg has just gone; what comes next follows it, not overlaps it.
            Playing::Nothing | Playing::Items(_) if self.outgoing.is_early(now) => {}
            Playing::Nothing => {
                self.send_frame(&[negotiated.codec.silence(); FRAME_SAMPLES], now, out);
            }
            Playing::Items(player) => {
                let mut frame = [0; FRAME_SAMPLES];
                let filled = player.fill(negotiated.codec, &mut frame);
                let is_over = player.is_over();
                if filled {
                    self.send_frame(&frame, now, out);
                }
                if is_over {
                    self.end_playing(true, out);
                    self.start_recorders(now, out);
                }
            }
            Playing::Digits(digits) => match digits.sender.tick() {
                Tick::Event { event, place } => self.press(event, place, now, out),
                Tick::Gap if negotiated.dtmf.is_some() => {}
                Tick::Gap | Tick::Pause => {
                    self.send_frame(&[negotiated.codec.silence(); FRAME_SAMPLES], now, out);
                }
                Tick::Done => self.end_playing(true, out),
            },
        }
    }

    /// One packet of a key being pressed, or 20 ms of its tone for a peer that takes no events.
    fn press(&mut self, event: TelephoneEvent, place: Place, now: u64, out: &mut impl Out) {
        let Some(negotiated) = self.negotiated else { return };
        let Playing::Digits(digits) = &mut self.playing else { return };
        let Some(payload_type) = negotiated.dtmf else {
            let frame = match place {
                Place::First | Place::Middle => key_tone(event, negotiated.codec),
                Place::Copy => [negotiated.codec.silence(); FRAME_SAMPLES],
            };
            return self.send_frame(&frame, now, out);
        };
        let target = self.rtp.target().filter(|_| negotiated.direction.sends());
        if place == Place::First {
            digits.key = target.map(|_| (self.outgoing.begin_event(now), now));
        }
        // A key whose beginning could not be sent is not sent at all: half a key is none.
        let (Some(to), Some((start, began))) = (target, digits.key) else { return digits.key = None };
        let stamp = self.outgoing.event(start, u32::from(event.duration), began, place == Place::First);
        self.send_packet(stamp, payload_type, &event.write(), to, out);
    }

    /// 20 ms of sound.
    pub(super) fn send_frame(&mut self, frame: &Frame, now: u64, out: &mut impl Out) {
        let (Some(negotiated), Some(to)) = (self.negotiated, self.rtp.target()) else { return };
        if !negotiated.direction.sends() {
            return;
        }
        let stamp = self.outgoing.frame(now, FRAME_SAMPLES as u32);
        self.send_packet(stamp, negotiated.payload_type, frame, to, out);
        self.record_sent(stamp.timestamp, negotiated.codec, frame, now);
    }

    fn record_sent(&mut self, timestamp: u32, codec: CodecKind, payload: &[u8], now: u64) {
        if self.recorders.is_empty() || !codec.is_g711() {
            return;
        }
        let mut pcm = [0; PACKET_BYTES_MAX];
        let pcm = record::linear(codec, payload, &mut pcm);
        for recorder in &mut self.recorders {
            recorder.on_sent(Placed { timestamp, clock: CLOCK }, pcm, now);
        }
    }

    fn send_packet(
        &mut self,
        stamp: Stamp,
        payload_type: u8,
        payload: &[u8],
        to: SocketAddr,
        out: &mut impl Out,
    ) {
        let packet = Built::new(fields_of(stamp, payload_type, self.outgoing.ssrc()), payload);
        self.outgoing.count(payload.len());
        self.stats.packets_sent += 1;
        self.stats.bytes_sent += packet.bytes().len() as u64;
        out.send(self.id, Channel::Rtp, to, packet.bytes());
    }
}

fn fields_of(stamp: Stamp, payload_type: u8, ssrc: u32) -> Fields {
    Fields { marker: stamp.marker, payload_type, sequence: stamp.sequence, timestamp: stamp.timestamp, ssrc }
}

/// 20 ms of a key's two frequencies (ITU-T Q.23), those that end at the event's duration.
fn key_tone(event: TelephoneEvent, codec: CodecKind) -> Frame {
    let frequencies = dtmf::digit(event.code).and_then(dtmf_frequencies);
    let Some((low, high)) = frequencies else { return [codec.silence(); FRAME_SAMPLES] };
    let begin = event.duration.saturating_sub(FRAME_SAMPLES as u16);
    std::array::from_fn(|n| {
        let t = (f64::from(begin) + n as f64) * std::f64::consts::TAU / f64::from(CLOCK);
        codec.encode(((t * low).sin() * 5_000.0 + (t * high).sin() * 6_000.0) as i16)
    })
}
