//! Looking after a leg: what is wrong with it is told to the call by name, and keys that only sound are heard.

use super::Leg;
use crate::codec::CodecKind;
use crate::engine::{Garbage, Out};
use crate::event::Event;
use crate::negotiated::Negotiated;
use crate::quality::mos::{Path, mos};
use crate::quality::{Agreed, Change, LOOK_NS, Level, Seen, Watcher};
use crate::tone::Detector;

/// One of so many bytes of G.711 is looked at: enough to tell how loud they are. Odd, for a tone whose period is a
/// few samples must not be looked at where it passes through zero alone.
const STRIDE: usize = 3;

/// Samples of the longest piece the detector takes.
const DETECTED_SAMPLES_MAX: usize = 160;

/// Delay that the path and the peer's own buffer are taken to have beside what is measured, in milliseconds.
const DELAY_MS_USUAL: f32 = 40.0;

/// What is watched of a leg.
#[derive(Debug)]
pub struct Guard {
    pub(super) watcher: Watcher,
    /// When it is looked what is wrong.
    due: u64,
    /// As counted the last time.
    counted: Counted,
    /// Packets of the peer whose payload type nobody agreed on, and the last such type.
    misfits: u64,
    misfit: u8,
    /// How loud what the peer hears was last.
    sent: Level,
    /// Packets nobody decoded since one was looked into.
    pub(super) passed: u8,
    /// Of a peer that sends no events.
    detector: Option<Box<Detector>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counted {
    sent: u64,
    received: u64,
    strangers: u64,
    misfits: u64,
}

impl Guard {
    #[inline]
    pub(super) fn glimpse(&self) -> u64 {
        self.due.wrapping_add(u64::from(self.passed)).wrapping_add(self.watcher.glimpse())
    }
}

impl Leg {
    /// There is an agreement, perhaps a new one.
    pub(super) fn guard(&mut self, negotiated: &Negotiated, now: u64, out: &mut impl Out) {
        let agreed = Agreed {
            codec: negotiated.codec,
            receives: negotiated.direction.receives(),
            converses: negotiated.direction.receives() && negotiated.direction.sends(),
            pauses: negotiated.comfort_noise.is_some() || negotiated.codec == CodecKind::Opus,
        };
        let detects =
            negotiated.dtmf_receive.is_none() && negotiated.dtmf_inband && negotiated.direction.receives();
        let leg = self.id;
        let counted = self.counted();
        let guard = self.guard.get_or_insert_with(|| {
            Box::new(Guard {
                watcher: Watcher::new(agreed),
                due: now + LOOK_NS,
                counted,
                misfits: 0,
                misfit: 0,
                sent: Level::SILENT,
                passed: 0,
                detector: None,
            })
        });
        guard.watcher.agree(agreed, &mut |change| out.event(event_of(leg, change)));
        match (&guard.detector, detects) {
            (None, true) => guard.detector = Some(Box::default()),
            (Some(_), false) => {
                if let Some(detector) = guard.detector.take() {
                    out.retire(Garbage::Detector(detector));
                }
            }
            _ => {}
        }
    }

    /// Whether keys must be found in the peer's sound.
    #[inline]
    pub(crate) fn detects(&self) -> bool {
        self.guard.as_ref().is_some_and(|guard| guard.detector.is_some())
    }

    /// Looks for keys in what the peer says.
    pub(crate) fn detect(&mut self, narrow: &[i16], out: &mut impl Out) {
        let Some(detector) = self.guard.as_mut().and_then(|guard| guard.detector.as_mut()) else { return };
        for piece in narrow.chunks(DETECTED_SAMPLES_MAX) {
            if let Some(key) = detector.feed(piece) {
                out.event(Event::Digit { leg: self.id, digit: key.digit, ms: key.ms });
            }
        }
    }

    /// The peer said something this loud.
    #[inline]
    pub(crate) fn was_heard(&mut self, level: Level) {
        if let Some(guard) = &mut self.guard {
            guard.watcher.on_frame(guard.sent, Some(level));
        }
    }

    /// The peer was sent something this loud.
    #[inline]
    pub(crate) fn was_sent(&mut self, level: Level) {
        if let Some(guard) = &mut self.guard {
            guard.sent = level;
        }
    }

    /// A packet of a payload type nobody agreed on.
    pub(super) fn was_misfit(&mut self, payload_type: u8) {
        self.stats.malformed += 1;
        if let Some(guard) = &mut self.guard {
            guard.misfits += 1;
            guard.misfit = payload_type;
        }
    }

    /// Tells what is wrong, twice a second.
    pub(super) fn look_after(&mut self, now: u64, out: &mut impl Out) {
        let (leg, now_counted) = (self.id, self.counted());
        let Some(guard) = &mut self.guard else { return };
        if now < guard.due {
            return;
        }
        // Not from now on: a turn that comes a little late would make each look a turn later.
        guard.due = if now - guard.due < LOOK_NS { guard.due + LOOK_NS } else { now + LOOK_NS };
        let before = std::mem::replace(&mut guard.counted, now_counted);
        let since = |now: u64, before: u64| u32::try_from(now.saturating_sub(before)).unwrap_or(u32::MAX);
        let misfits = since(now_counted.misfits, before.misfits);
        let seen = Seen {
            sent: since(now_counted.sent, before.sent),
            received: since(now_counted.received, before.received).saturating_sub(misfits),
            misfits,
            misfit: guard.misfit,
            strangers: since(now_counted.strangers, before.strangers),
        };
        guard.watcher.on_look(seen, &mut |change| out.event(event_of(leg, change)));
    }

    /// What people would say of what they hear from the peer (ITU-T G.107), in hundredths.
    pub(super) fn mos_x100(&self) -> u16 {
        let Some(codec) = self.codec().filter(|_| self.stats.packets_received > 0) else { return 0 };
        let missed = self.reception.lost() + self.stats.late;
        let path = Path {
            codec,
            loss: missed as f32 / (missed + self.stats.packets_received) as f32,
            burst_ratio: 1.0,
            delay_ms: self.stats.round_trip_us.unwrap_or(0) as f32 / 2_000.0
                + self.reception.jitter_us(self.clock()) as f32 * 2.0 / 1_000.0
                + DELAY_MS_USUAL,
        };
        (mos(&path) * 100.0) as u16
    }

    fn counted(&self) -> Counted {
        Counted {
            sent: self.stats.packets_sent,
            received: self.stats.packets_received,
            strangers: self.stats.strangers + self.stats.forged,
            misfits: self.guard.as_ref().map_or(0, |guard| guard.misfits),
        }
    }
}

/// How loud a payload in a law of G.711 is.
#[inline]
pub(crate) fn level_of_payload(codec: CodecKind, payload: &[u8]) -> Level {
    let mut pcm = [0; 64];
    let count = payload.len().div_ceil(STRIDE).min(pcm.len());
    for (sample, &byte) in pcm.iter_mut().zip(payload.iter().step_by(STRIDE)) {
        *sample = codec.decode(byte);
    }
    Level::of(&pcm[..count])
}

fn event_of(leg: crate::command::LegId, change: Change) -> Event {
    match change {
        Change::Began(finding) => Event::Finding { leg, finding, began: true },
        Change::Ended(finding) => Event::Finding { leg, finding, began: false },
    }
}
