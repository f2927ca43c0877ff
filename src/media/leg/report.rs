//! What a leg tells its peer and the call now and then, and what the peer's reports say.

use std::net::SocketAddr;

use base::Rng;

use super::{KEEPALIVE_NS, Leg, Playing, Watch};
use crate::engine::{Channel, Out};
use crate::event::Event;
use crate::reception::Report;
use crate::rtcp::{self, COMPOUND_BYTES_MAX, Heard, Sent};

impl Leg {
    /// Takes a packet from the RTCP socket.
    pub(crate) fn on_rtcp(&mut self, from: SocketAddr, bytes: &mut [u8], now: u64) {
        if !self.rtcp.may_be(from) {
            self.stats.strangers += 1;
            return;
        }
        let Some(len) = self.decrypt(Channel::Rtcp, bytes) else { return };
        let bytes = &bytes[..len];
        let Some(read) = rtcp::read(bytes, self.outgoing.ssrc(), now) else {
            match self.rtcp.owner() == Some(from) {
                true => self.stats.malformed += 1,
                false => self.stats.strangers += 1,
            }
            return;
        };
        if !self.rtcp.accepts(from) {
            self.stats.strangers += 1;
            return;
        }
        self.heard_at = now;
        self.peer_report = read.heard.or(self.peer_report);
        if let Some(about_us) = read.about_us {
            self.stats.round_trip_us = about_us.round_trip_us.or(self.stats.round_trip_us);
            self.stats.lost_by_peer = u64::from(about_us.lost);
            let jitter = u64::from(about_us.jitter) * 1_000_000 / u64::from(self.clock());
            self.stats.jitter_by_peer_us = jitter.min(u64::from(u32::MAX)) as u32;
            if let Some(voice) = &mut self.voice {
                voice.set_expected_loss((u32::from(about_us.fraction_lost) * 100 / 256) as u8);
            }
        }
    }

    /// Now and then: reports, watches, pinholes.
    pub(crate) fn keep(&mut self, now: u64, rng: &mut Rng, out: &mut impl Out) {
        if now >= self.report_due {
            self.report_due = now + interval(rng);
            let mut buffer = [0; COMPOUND_BYTES_MAX];
            let (sent, block) = self.report_parts(now);
            let len = self.reporter.report(sent, block, now, &mut buffer);
            self.send_rtcp(&buffer[..len], out);
        }
        if let Some(watch) = &mut self.watch {
            let silent = now.saturating_sub(watch.since.max(self.heard_at));
            if silent < watch.timeout {
                watch.reported = false;
            } else if !watch.reported {
                watch.reported = true;
                out.event(Event::MediaLost { leg: self.id });
            }
        }
        self.note_playout();
        self.look_after(now, out);
        let is_relaying = self.peer.is_some() && matches!(self.playing, Playing::Nothing);
        let is_quiet = self.outgoing.due().is_none_or(|due| now >= due + KEEPALIVE_NS);
        if is_relaying && is_quiet {
            self.send_silence(now, out);
        }
    }

    /// Tells when nothing was heard for so long; 0 = no more.
    pub(crate) fn watch(&mut self, timeout_ms: u64, now: u64) {
        self.watch = (timeout_ms != 0).then(|| Watch {
            timeout: timeout_ms.saturating_mul(1_000_000),
            since: now,
            reported: false,
        });
    }

    /// Says that our stream ends (RFC 3550 §6.6).
    pub(super) fn goodbye(&mut self, now: u64, out: &mut impl Out) {
        let mut buffer = [0; COMPOUND_BYTES_MAX];
        let (sent, block) = self.report_parts(now);
        let len = self.reporter.goodbye(sent, block, now, &mut buffer);
        self.send_rtcp(&buffer[..len], out);
    }

    /// What the next report says.
    pub(super) fn report_parts(&mut self, now: u64) -> (Option<Sent>, Option<(Report, Option<Heard>)>) {
        let (packets, octets) = self.outgoing.sent();
        let has_sent = packets != self.reported_packets;
        self.reported_packets = packets;
        let sent = has_sent.then(|| Sent { timestamp: self.outgoing.timestamp_at(now), packets, octets });
        (sent, self.reception.report().map(|report| (report, self.peer_report)))
    }

    pub(super) fn send_rtcp(&mut self, bytes: &[u8], out: &mut impl Out) {
        if let Some(to) = self.rtcp.target() {
            self.transmit(Channel::Rtcp, to, bytes, out);
        }
    }
}

/// Nanoseconds to the next report (RFC 3550 §6.3.1).
pub(super) fn interval(rng: &mut Rng) -> u64 {
    rtcp::INTERVAL_NS / 2 + rng.below(rtcp::INTERVAL_NS)
}
