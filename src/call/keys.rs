//! Keys a leg's peer presses and keys sent to it, whichever way they travel.
//!
//! A key comes as a telephone event or a tone, which the media plane reports and passes on to a bridged leg by
//! itself, or by SIP INFO, which only the node sees. Some phones send both for one key: the second within
//! [`SAME_KEY`] is the same key. Where telephone events are agreed on, a key that came by INFO is therefore held
//! back that long before it is passed on: if the event follows, the media plane has passed it on already.

use std::collections::VecDeque;
use std::time::Duration;

use base::{CallSid, Mono};
use media::PlayId;
use serde::{Deserialize, Serialize};

use crate::call::{Call, Running};
use crate::child::Stage;
use crate::ctx::{Ctx, Mail};
use crate::leg::Signalling;
use crate::office::DtmfMode;
use crate::record::EventKind;
use crate::timers::Timer;

/// How a key came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Source {
    /// In the audio, or as telephone events beside it.
    Media,
    /// By SIP INFO.
    Info,
}

/// The keys of one leg.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Keys {
    /// What was pressed within [`SAME_KEY`] and came one way only so far.
    recent: VecDeque<(Mono, char, Source)>,
    /// Came by INFO and are not passed on yet.
    held: VecDeque<(Mono, char)>,
    /// Being sent by INFO.
    sending: Option<(PlayId, VecDeque<char>)>,
    /// The keys of the other leg's peer that are being sent in the audio, and when they are over at the latest.
    #[serde(default)]
    passing: Option<(PlayId, Mono)>,
    /// Those to be sent after it: a phone that dials from its memory tells all at once by INFO.
    #[serde(default)]
    to_pass: String,
}

impl Keys {
    /// Gives up the keys that are still to be sent by INFO.
    pub(crate) fn stop_sending(&mut self) {
        self.sending = None;
    }

    /// Whether this is a key press of its own, and not the other half of one.
    fn is_new(&mut self, digit: char, source: Source, now: Mono) -> bool {
        self.recent.retain(|(at, _, _)| now.since(*at) <= SAME_KEY);
        let twin = self.recent.iter().position(|(_, d, s)| *d == digit && *s != source);
        match twin {
            Some(at) => {
                self.recent.remove(at);
                false
            }
            None => {
                if self.recent.len() == KEYS_MAX {
                    self.recent.pop_front();
                }
                self.recent.push_back((now, digit, source));
                true
            }
        }
    }
}

impl Call {
    /// The peer pressed a key.
    pub(crate) fn on_key(&mut self, digit: char, source: Source, ctx: &mut Ctx<'_>) {
        if source == Source::Info && matches!(self.dtmf(ctx), DtmfMode::Rtp | DtmfMode::Inband) {
            self.trace(EventKind::Media, format!("key {digit} by INFO is not taken"), ctx);
            return;
        }
        if self.leg.keys.is_new(digit, source, ctx.now.mono) {
            self.on_digit(digit, ctx);
            self.hand_on(digit, source, ctx);
        } else if source == Source::Media {
            // Its INFO came first and waits no longer.
            if let Some(at) = self.leg.keys.held.iter().position(|(_, d)| *d == digit) {
                self.leg.keys.held.remove(at);
                self.tell_near(digit, true, ctx);
            }
        }
    }

    fn hand_on(&mut self, digit: char, source: Source, ctx: &mut Ctx<'_>) {
        let events = self.leg.negotiated.is_some_and(|n| n.dtmf_receive.is_some());
        match source {
            Source::Media => self.tell_near(digit, true, ctx),
            Source::Info if events && self.leg.keys.held.len() < KEYS_MAX => {
                self.leg.keys.held.push_back((ctx.now.mono + SAME_KEY, digit));
                if self.leg.keys.held.len() == 1 {
                    ctx.timer(self.sid(), Timer::Key, SAME_KEY);
                }
            }
            Source::Info => self.tell_near(digit, false, ctx),
        }
    }

    /// No event followed the keys that came by INFO.
    pub(crate) fn pass_held_keys(&mut self, ctx: &mut Ctx<'_>) {
        while let Some((due, digit)) = self.leg.keys.held.front().copied() {
            if due > ctx.now.mono {
                ctx.timer(self.sid(), Timer::Key, due.since(ctx.now.mono));
                return;
            }
            self.leg.keys.held.pop_front();
            self.tell_near(digit, false, ctx);
        }
    }

    fn tell_near(&mut self, digit: char, by_media: bool, ctx: &mut Ctx<'_>) {
        if let Some(near) = self.near_call() {
            ctx.mail(near, Mail::Key { digit, by_media });
        }
    }

    /// The call it is bridged with.
    pub(crate) fn near_call(&self) -> Option<CallSid> {
        match (&self.running, &self.child) {
            (Running::Dial(run), _) => run.bridged(),
            (Running::Enqueue(run), _) => run.bridged(),
            (Running::Dequeue(run), _) => run.bridged(),
            (_, Some(child)) if child.stage == Stage::Bridged => Some(child.parent),
            (_, Some(_) | None) => None,
        }
    }

    /// The peer of the other leg pressed a key: what the media plane does not pass on goes out from here.
    pub(crate) fn pass_key_on(&mut self, digit: char, by_media: bool, ctx: &mut Ctx<'_>) {
        if self.leg.signalling != Signalling::Up || self.near_call().is_none() {
            return;
        }
        if self.sends_info(ctx) {
            self.send_info(digit, ctx);
        } else if !by_media && self.leg.keys.to_pass.len() < KEYS_MAX {
            self.leg.keys.to_pass.push(digit);
            self.pass_waiting_keys(ctx);
        }
    }

    /// Keys of the other leg's peer go out in the audio once those before them are over.
    fn pass_waiting_keys(&mut self, ctx: &mut Ctx<'_>) {
        let is_free = self.leg.keys.passing.is_none_or(|(_, until)| until < ctx.now.mono);
        if is_free && !self.leg.keys.to_pass.is_empty() {
            let (play, digits) = (ctx.next_play(), std::mem::take(&mut self.leg.keys.to_pass));
            self.leg.keys.passing = Some((play, ctx.now.mono + PASSED_WITHIN));
            ctx.media(media::Command::SendDigits { leg: self.leg.id, play, digits });
        }
    }

    /// A play is over, perhaps that of a key that was passed on.
    pub(crate) fn on_key_passed(&mut self, play: PlayId, ctx: &mut Ctx<'_>) {
        if self.leg.keys.passing.take_if(|(passing, _)| *passing == play).is_none() {
            return;
        }
        if self.near_call().is_none() {
            self.leg.keys.to_pass.clear();
        }
        self.pass_waiting_keys(ctx);
    }

    /// Sends keys to the peer; `play` is over when the last one is sent.
    pub(crate) fn send_digits(&mut self, play: PlayId, digits: String, ctx: &mut Ctx<'_>) {
        if self.sends_info(ctx) {
            self.leg.keys.sending = Some((play, digits.chars().collect()));
            self.next_info_key(ctx);
        } else {
            ctx.media(media::Command::SendDigits { leg: self.leg.id, play, digits });
        }
    }

    /// The next of several keys goes out by INFO.
    pub(crate) fn next_info_key(&mut self, ctx: &mut Ctx<'_>) {
        let Some((play, digits)) = &mut self.leg.keys.sending else { return };
        let play = *play;
        let wait = match digits.pop_front() {
            Some('w') => Duration::from_millis(500),
            Some('W') => Duration::from_secs(1),
            Some(digit) => {
                self.send_info(digit, ctx);
                INFO_PACE
            }
            None => {
                self.leg.keys.sending = None;
                self.on_played(play, ctx);
                return;
            }
        };
        ctx.timer(self.sid(), Timer::InfoKey, wait);
    }

    fn send_info(&mut self, digit: char, ctx: &mut Ctx<'_>) {
        let body = format!("Signal={digit}\r\nDuration={INFO_MS}\r\n").into_bytes();
        let content_type = "application/dtmf-relay".to_owned();
        ctx.sip(sip::Command::Info { session: self.leg.session, content_type, body });
    }

    fn sends_info(&self, ctx: &Ctx<'_>) -> bool {
        self.dtmf(ctx) == DtmfMode::Info && self.leg.negotiated.is_some_and(|n| n.dtmf.is_none())
    }

    fn dtmf(&self, ctx: &Ctx<'_>) -> DtmfMode {
        ctx.office.media_of(self.row.trunk.as_deref(), self.row.phone.as_deref()).dtmf
    }
}

/// Within this time a key that comes by INFO and in the media is one key.
const SAME_KEY: Duration = Duration::from_millis(300);
/// How long a key we send by INFO says it was pressed, in milliseconds.
const INFO_MS: u32 = 160;
/// From one key by INFO to the next, so that each is over before the next begins.
const INFO_PACE: Duration = Duration::from_millis(250);
/// So long all keys that may wait take at most; if nothing tells that they are over, the next are sent all the same.
const PASSED_WITHIN: Duration = Duration::from_secs(5);
/// Keys remembered and held back at once: nobody presses more within the time.
const KEYS_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Mono {
        Mono(0) + Duration::from_millis(ms)
    }

    #[test]
    fn a_key_that_comes_both_ways_is_one_key() {
        use Source::{Info, Media};
        let cases: [&[(u64, char, Source, bool)]; 6] = [
            &[(0, '5', Media, true), (300, '5', Info, false)],
            &[(0, '5', Info, true), (300, '5', Media, false)],
            &[(0, '5', Media, true), (301, '5', Info, true)],
            &[(0, '5', Media, true), (10, '6', Info, true)],
            &[
                (0, '5', Info, true),
                (100, '5', Info, true),
                (110, '5', Media, false),
                (120, '5', Media, false),
            ],
            &[(0, '5', Media, true), (50, '5', Info, false), (100, '5', Info, true)],
        ];
        for presses in cases {
            let mut keys = Keys::default();
            for (ms, digit, source, new) in presses {
                assert_eq!(keys.is_new(*digit, *source, at(*ms)), *new, "{presses:?} at {ms}");
            }
        }
    }

    #[test]
    fn a_flood_of_keys_is_bounded() {
        let mut keys = Keys::default();
        for _ in 0..1_000 {
            keys.is_new('1', Source::Info, at(0));
        }
        assert_eq!(keys.recent.len(), KEYS_MAX);
    }
}
