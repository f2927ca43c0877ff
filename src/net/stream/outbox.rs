//! What waits to be written to an application: bounded, for the application may not read.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use media::tap::TapFrame;
use tokio::sync::Notify;
use twiml::StreamCodec;

use super::codec::Mouth;
use super::message::{Said, Track};

/// Frames of sound that wait: 5 s of each track. For newer ones the oldest are lost.
pub(super) const FRAMES_MAX: usize = 250;

/// Keys and marks that wait; more are lost.
const WORDS_MAX: usize = 2_000;

/// Something to be written.
#[derive(Debug)]
pub(super) enum Next {
    Said(Said),
    Ping,
    /// The last message has been handed out.
    End,
}

/// Between a session and its writer.
#[derive(Debug)]
pub(super) struct Outbox {
    tracks: &'static [Track],
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    frames: VecDeque<TapFrame>,
    /// One for each track.
    mouths: Vec<Mouth>,
    /// Messages of the frame that was taken last.
    ready: VecDeque<Said>,
    words: VecDeque<Said>,
    ping: bool,
    stop: bool,
    stopped: bool,
}

impl Outbox {
    pub(super) fn new(tracks: &'static [Track], codec: StreamCodec) -> Outbox {
        let mouths = tracks.iter().map(|_| Mouth::new(codec)).collect();
        let state = State { mouths, ..State::default() };
        Outbox { tracks, state: Mutex::new(state), changed: Notify::new() }
    }

    /// Puts a frame of sound in; false: another was lost for it.
    pub(super) fn sound(&self, frame: TapFrame) -> bool {
        let mut state = self.state();
        let is_full = state.frames.len() >= FRAMES_MAX;
        if is_full {
            state.frames.pop_front();
        }
        state.frames.push_back(frame);
        drop(state);
        self.changed.notify_one();
        !is_full
    }

    /// Puts a key or a mark in; false: there is no room for it.
    pub(super) fn word(&self, said: Said) -> bool {
        let mut state = self.state();
        let fits = state.words.len() < WORDS_MAX;
        if fits {
            state.words.push_back(said);
        }
        drop(state);
        self.changed.notify_one();
        fits
    }

    /// A sign of life is due.
    pub(super) fn ping(&self) {
        self.state().ping = true;
        self.changed.notify_one();
    }

    /// Nothing but the last message is to be written any more.
    pub(super) fn stop(&self) {
        let mut state = self.state();
        state.frames.clear();
        state.stop = true;
        drop(state);
        self.changed.notify_one();
    }

    /// What is to be written next, as soon as there is something.
    pub(super) async fn next(&self) -> Next {
        loop {
            if let Some(next) = self.take() {
                return next;
            }
            self.changed.notified().await;
        }
    }

    fn take(&self) -> Option<Next> {
        let mut state = self.state();
        if state.stopped {
            return Some(Next::End);
        }
        if std::mem::take(&mut state.ping) {
            return Some(Next::Ping);
        }
        if let Some(word) = state.words.pop_front() {
            return Some(Next::Said(word));
        }
        if state.stop {
            state.stopped = true;
            return Some(Next::Said(Said::Stop));
        }
        if state.ready.is_empty()
            && let Some(frame) = state.frames.pop_front()
        {
            let State { mouths, ready, .. } = &mut *state;
            for (channel, (&track, mouth)) in self.tracks.iter().zip(mouths).enumerate() {
                let sound = mouth.say(&frame.channel(channel as u8));
                ready.push_back(Said::Media { track, timestamp_ms: frame.at / 8, sound });
            }
        }
        state.ready.pop_front().map(Next::Said)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use base::{AccountSid, CallSid, StreamSid};
    use call::StreamOpen;
    use media::tap::TapRing;
    use media::{CodecKind, TapId};
    use twiml::StreamTrack;

    use super::*;
    use crate::stream::message::Numbering;

    fn frame(at: u64, channels: u8) -> TapFrame {
        let ring = TapRing::default();
        ring.put(at, channels, &[8_000, -8_000].repeat(160)[..160 * usize::from(channels)]);
        ring.take().unwrap()
    }

    fn drained(outbox: &Outbox) -> Vec<Next> {
        std::iter::from_fn(|| outbox.take()).take(10_000).collect()
    }

    #[test]
    fn each_track_has_its_message_and_words_go_first() {
        let outbox = Outbox::new(&[Track::Inbound, Track::Outbound], StreamCodec::Pcmu);
        assert!(outbox.sound(frame(160, 2)) && outbox.word(Said::Dtmf('1')));
        let all = drained(&outbox);
        let [Next::Said(Said::Dtmf('1')), Next::Said(inbound), Next::Said(outbound)] = all.as_slice() else {
            panic!("{all:?}")
        };
        let says = |track, sample| Said::Media {
            track,
            timestamp_ms: 20,
            sound: vec![CodecKind::Pcmu.encode(sample); 160],
        };
        assert_eq!((inbound, outbound), (&says(Track::Inbound, 8_000), &says(Track::Outbound, -8_000)));
    }

    #[test]
    fn what_nobody_reads_is_bounded_and_the_newest_is_kept() {
        let outbox = Outbox::new(&[Track::Inbound], StreamCodec::Pcmu);
        let kept = (0..FRAMES_MAX as u64 + 3).filter(|n| outbox.sound(frame(n * 160, 1))).count();
        assert_eq!(kept, FRAMES_MAX);
        let words = (0..WORDS_MAX + 5).filter(|_| outbox.word(Said::Mark("x".into()))).count();
        assert_eq!(words, WORDS_MAX);
        let all = drained(&outbox);
        assert_eq!(all.len(), FRAMES_MAX + WORDS_MAX);
        let Next::Said(Said::Media { timestamp_ms, .. }) = all[WORDS_MAX] else { panic!() };
        assert_eq!(timestamp_ms, 60, "the first three are lost");
    }

    /// As fast as it can be counted: time is in the frames.
    #[test]
    fn an_hour_is_numbered_without_a_gap_and_leaves_nothing_behind() {
        const FRAMES: u64 = 3_600 * 50;
        let open = StreamOpen {
            stream: StreamSid(1),
            call: CallSid(2),
            account: AccountSid(3),
            url: String::new(),
            track: StreamTrack::InboundTrack,
            parameters: Vec::new(),
            tap: TapId(1),
            feed: None,
            texml: None,
            from: String::new(),
            to: String::new(),
        };
        let (outbox, mut numbering, ring) =
            (Outbox::new(&[Track::Inbound], StreamCodec::Pcmu), Numbering::new(&open), TapRing::default());
        numbering.start(&open);
        let (mut last, mut messages) = (String::new(), 1_u64);
        for n in 0..FRAMES {
            ring.put(n * 160, 1, &[8_000; 160]);
            outbox.sound(ring.take().unwrap());
            // A key a minute, before the sound of its moment.
            if n % 3_000 == 0 {
                outbox.word(Said::Dtmf('5'));
            }
            while let Some(Next::Said(said)) = outbox.take() {
                last = numbering.write(&said);
                messages += 1;
            }
        }
        let last: serde_json::Value = serde_json::from_str(&last).unwrap();
        assert_eq!(messages, 1 + FRAMES + 60);
        assert_eq!(last["sequenceNumber"], messages.to_string());
        assert_eq!(last["media"]["chunk"], FRAMES.to_string());
        assert_eq!(last["media"]["timestamp"], ((FRAMES - 1) * 20).to_string());
        let state = outbox.state();
        assert!(state.frames.is_empty() && state.ready.is_empty() && state.words.is_empty());
        assert!(state.frames.capacity() <= 2 * FRAMES_MAX && state.words.capacity() <= 8);
    }

    #[test]
    fn the_last_message_is_the_last() {
        let outbox = Outbox::new(&[Track::Inbound], StreamCodec::Pcmu);
        outbox.sound(frame(0, 1));
        outbox.word(Said::Mark("x".into()));
        outbox.stop();
        let all: Vec<Next> = std::iter::from_fn(|| outbox.take()).take(4).collect();
        assert!(
            matches!(
                all.as_slice(),
                [Next::Said(Said::Mark(_)), Next::Said(Said::Stop), Next::End, Next::End]
            ),
            "{all:?}"
        );
    }
}
