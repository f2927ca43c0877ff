//! What comes from the peer: which packets are taken, and what they are.

use std::net::SocketAddr;

use super::Leg;
use super::listen::{Listener, NARROW_RATE};
use crate::codec::CodecKind;
use crate::dtmf::TelephoneEvent;
use crate::engine::{Channel, Garbage, Out};
use crate::event::Event;
use crate::negotiated::Negotiated;
use crate::reception::Verdict;
use crate::rtp::{self, Parsed};

/// A peer that was heard so lately has not moved.
const MOVED_NS: u64 = 1_000_000_000;

/// A peer changes its codec no more often; what comes in yet another meanwhile is not heard. Each change makes a
/// decoder anew.
const CODEC_STAYS_NS: u64 = 200_000_000;

/// A packet of the peer that somebody may hear.
#[derive(Debug)]
pub(crate) struct HeardPacket {
    pub(crate) parsed: Parsed,
    pub(crate) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Sound(CodecKind),
    /// Its packets carry the stream's clock, its duration counts in the clock that was agreed on for events.
    Event(TelephoneEvent),
    /// How loud the silence is that begins (RFC 3389).
    Comfort,
    /// Not to be heard: of a payload type nobody agreed on, empty, or while we do not receive.
    Other,
}

impl Leg {
    /// Takes a packet from the RTP socket. What is somebody's to hear comes back.
    #[inline]
    pub(crate) fn on_rtp(&mut self, from: SocketAddr, bytes: &mut [u8], now: u64) -> Option<HeardPacket> {
        let is_elsewhere = !self.rtp.may_be(from);
        if is_elsewhere && !self.may_have_moved(from, bytes, now) {
            self.stats.strangers += 1;
            return None;
        }
        let len = self.decrypt(Channel::Rtp, bytes)?;
        let bytes = &bytes[..len];
        let Some(parsed) = rtp::parse(bytes) else {
            let count = if self.rtp.owner() == Some(from) {
                &mut self.stats.malformed
            } else {
                &mut self.stats.strangers
            };
            *count += 1;
            return None;
        };
        if is_elsewhere {
            self.rtp.move_to(from);
            if let Some(negotiated) = &self.negotiated {
                self.rtcp.offer(negotiated.remote_rtcp);
            }
            self.stats.moves += 1;
        } else if !self.rtp.accepts(from) {
            self.stats.strangers += 1;
            return None;
        }
        let known = self.reception.ssrc();
        match self.reception.on_packet(parsed.fields, now, self.clock()) {
            Verdict::New | Verdict::Reordered => {}
            Verdict::Duplicate => {
                self.stats.duplicates += 1;
                return None;
            }
            Verdict::Late => {
                self.stats.late += 1;
                return None;
            }
            Verdict::Stranger => {
                self.stats.strangers += 1;
                return None;
            }
        }
        self.heard_at = now;
        self.stats.packets_received += 1;
        self.stats.bytes_received += bytes.len() as u64;
        if known != Some(parsed.fields.ssrc) {
            self.on_new_source();
        }
        let negotiated = &self.negotiated?;
        let mut kind = Kind::Other;
        if negotiated.direction.receives() {
            kind = kind_of(negotiated, parsed.fields.payload_type, &bytes[parsed.payload.clone()]);
            if kind == Kind::Other && !parsed.payload.is_empty() {
                self.was_misfit(parsed.fields.payload_type);
            }
            if let Kind::Sound(codec) = kind
                && !self.follows(codec, now)
            {
                self.was_misfit(parsed.fields.payload_type);
                kind = Kind::Other;
            }
            // Some gateways send the key's tones beside its events; heard together they are two keys.
            if matches!(kind, Kind::Sound(_)) && self.keys.covers(parsed.fields.timestamp, now) {
                kind = Kind::Other;
            }
        }
        Some(HeardPacket { parsed, kind })
    }

    /// Whether the peer may speak in this codec now.
    #[inline]
    fn follows(&mut self, codec: CodecKind, now: u64) -> bool {
        // Right after an agreement what was on its way may come still: it must not keep out what was agreed on.
        let is_straggler = self.spoken.is_none() && self.codec() != Some(codec);
        let since = if is_straggler { now.saturating_sub(CODEC_STAYS_NS) } else { now };
        let (spoken, since) = self.spoken.unwrap_or((codec, since));
        // The laws of G.711 need no decoder.
        if codec == spoken || (codec.is_g711() && spoken.is_g711()) {
            self.spoken = Some((spoken, since));
            return true;
        }
        let may = now.saturating_sub(since) >= CODEC_STAYS_NS;
        if may {
            self.spoken = Some((codec, now));
        }
        may
    }

    /// Whether a packet from a strange address may be the peer's, who has fallen silent where it was: it goes on
    /// with the peer's stream, from where the peer may be. Encrypted, it need only be the peer's.
    fn may_have_moved(&self, from: SocketAddr, bytes: &[u8], now: u64) -> bool {
        if self.rtp.owner().is_none() || now.saturating_sub(self.heard_at) < MOVED_NS {
            return false;
        }
        let Some(parsed) = rtp::parse(bytes) else { return false };
        self.reception.goes_on_with(parsed.fields)
            && (self.secure.is_some() || self.rtp.may_have_moved_to(from))
    }

    /// A telephone event came: the call is told of a key once.
    #[inline]
    pub(crate) fn on_event(&mut self, event: TelephoneEvent, timestamp: u32, now: u64, out: &mut impl Out) {
        if let Some(key) = self.keys.on_packet(event, timestamp, now) {
            out.event(Event::Digit { leg: self.id, digit: key.digit, ms: key.ms });
        }
    }

    /// Takes the listener out, made for this codec and for what this peer takes, so that it and the leg can be used
    /// side by side. What nobody hears above 4 kHz is not decoded.
    pub(crate) fn take_listener(
        &mut self,
        codec: CodecKind,
        peer: Option<&Leg>,
        out: &mut impl Out,
    ) -> Box<Listener> {
        let for_wide = peer.and_then(Leg::codec).is_some_and(|codec| codec.info().rate > NARROW_RATE);
        match self.listener.take() {
            Some(listener) if listener.is_for(codec, for_wide) => listener,
            other => {
                if let Some(old) = other {
                    out.retire(Garbage::Listener(old));
                }
                Box::new(Listener::new(codec, for_wide))
            }
        }
    }

    /// Takes the listener out if a packet has waited in it for too long.
    pub(crate) fn take_overdue_listener(&mut self, now: u64) -> Option<Box<Listener>> {
        self.listener.take_if(|listener| listener.is_overdue(now))
    }

    /// Puts it back.
    pub(crate) fn put_listener(&mut self, listener: Box<Listener>) {
        self.listener = Some(listener);
    }

    /// What we send, and the peer most likely too.
    pub(crate) fn codec(&self) -> Option<CodecKind> {
        self.negotiated.as_ref().map(|negotiated| negotiated.codec)
    }

    /// Whether the peer takes telephone events.
    pub(crate) fn takes_events(&self) -> bool {
        self.negotiated.as_ref().is_some_and(|negotiated| negotiated.dtmf.is_some())
    }

    /// Ticks a second of the peer's timestamps.
    pub(crate) fn clock(&self) -> u32 {
        self.outgoing.clock()
    }

    /// Ticks a second in which the durations of telephone events are counted.
    pub(crate) fn event_clock(&self) -> u32 {
        self.keys.event_clock()
    }

    fn on_new_source(&mut self) {
        let event_clock = self.negotiated.as_ref().map_or(8_000, |negotiated| negotiated.dtmf_clock);
        self.keys.reset(self.clock(), event_clock);
        for recorder in self.takers() {
            recorder.on_new_source();
        }
    }
}

/// What a payload of this type is. A peer may always fall back to the laws of G.711 (RFC 3551 §6).
#[inline]
fn kind_of(negotiated: &Negotiated, payload_type: u8, payload: &[u8]) -> Kind {
    if payload.is_empty() {
        return Kind::Other;
    }
    if let Some((_, codec)) = negotiated.receive.iter().flatten().find(|(pt, _)| *pt == payload_type) {
        return Kind::Sound(*codec);
    }
    if Some(payload_type) == negotiated.dtmf_receive {
        return TelephoneEvent::read(payload).map_or(Kind::Other, Kind::Event);
    }
    if Some(payload_type) == negotiated.comfort_noise {
        return Kind::Comfort;
    }
    let fallback = CodecKind::from_static(payload_type).filter(|codec| codec.is_g711());
    fallback.filter(|_| negotiated.codec.info().clock == 8_000).map_or(Kind::Other, Kind::Sound)
}
