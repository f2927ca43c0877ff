//! Sound on its way out of a media thread while it is spoken: to a media stream, to speech recognition.
//!
//! A tap's frames lie in a ring that one side fills and the other empties, and neither ever waits: what finds the
//! ring full is lost and counted. The ring goes with its leg from thread to thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI16, AtomicU64, Ordering};

use crate::command::{RecordWhat, TapId};
use crate::play::FRAME_SAMPLES;
use crate::record::{DUAL_FRAME_SAMPLES, Recorder};

/// Frames that may wait for a reader: 1.28 s.
pub const FRAMES_MAX: usize = 64;

/// 20 ms of a tap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TapFrame {
    /// Samples of one channel, at 8 kHz, from the tap's start to this frame; what was lost in between is counted.
    pub at: u64,
    /// 1 or 2.
    pub channels: u8,
    samples: [i16; DUAL_FRAME_SAMPLES],
}

impl TapFrame {
    /// The samples at 8 kHz; those of two channels in turns, what the peer says before what it hears.
    pub fn samples(&self) -> &[i16] {
        &self.samples[..FRAME_SAMPLES * usize::from(self.channels)]
    }

    /// One channel's samples: 0 = the first.
    pub fn channel(&self, channel: u8) -> [i16; FRAME_SAMPLES] {
        let channels = usize::from(self.channels.max(1));
        std::array::from_fn(|n| self.samples[n * channels + usize::from(channel) % channels])
    }
}

/// Where the frames of a tap wait.
#[derive(Debug)]
pub struct TapRing {
    slots: Box<[Slot]>,
    /// Frames put in and taken out since the beginning.
    written: AtomicU64,
    read: AtomicU64,
    lost: AtomicU64,
    /// No more will come.
    is_over: AtomicBool,
}

#[derive(Debug)]
struct Slot {
    at: AtomicU64,
    channels: AtomicI16,
    samples: [AtomicI16; DUAL_FRAME_SAMPLES],
}

impl Default for TapRing {
    fn default() -> TapRing {
        let slot = |_| Slot {
            at: AtomicU64::new(0),
            channels: AtomicI16::new(1),
            samples: std::array::from_fn(|_| AtomicI16::new(0)),
        };
        TapRing {
            slots: (0..FRAMES_MAX).map(slot).collect(),
            written: AtomicU64::new(0),
            read: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            is_over: AtomicBool::new(false),
        }
    }
}

impl TapRing {
    /// Takes the next frame out; `None`: there is none now. For one reader.
    pub fn take(&self) -> Option<TapFrame> {
        let read = self.read.load(Ordering::Relaxed);
        if read == self.written.load(Ordering::Acquire) {
            return None;
        }
        let slot = &self.slots[read as usize % FRAMES_MAX];
        let frame = TapFrame {
            at: slot.at.load(Ordering::Relaxed),
            channels: slot.channels.load(Ordering::Relaxed) as u8,
            samples: std::array::from_fn(|n| slot.samples[n].load(Ordering::Relaxed)),
        };
        self.read.store(read + 1, Ordering::Release);
        Some(frame)
    }

    /// Frames that wait. For the reader.
    pub fn waiting(&self) -> u64 {
        self.written.load(Ordering::Acquire).saturating_sub(self.read.load(Ordering::Relaxed))
    }

    /// Frames that found no room.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Whether no more will come beside those that wait.
    pub fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }

    /// No more will come.
    pub fn end(&self) {
        self.is_over.store(true, Ordering::Release);
    }

    /// Puts a frame in, `samples` of so many channels in turns; lost and counted when there is no room. For one writer.
    pub fn put(&self, at: u64, channels: u8, samples: &[i16]) {
        let written = self.written.load(Ordering::Relaxed);
        if written - self.read.load(Ordering::Acquire) >= FRAMES_MAX as u64 {
            self.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let slot = &self.slots[written as usize % FRAMES_MAX];
        slot.at.store(at, Ordering::Relaxed);
        slot.channels.store(i16::from(channels), Ordering::Relaxed);
        // The last frame of a tap may be shorter: silence fills it.
        let padded = samples.iter().copied().chain(std::iter::repeat(0));
        for (place, sample) in slot.samples.iter().zip(padded) {
            place.store(sample, Ordering::Relaxed);
        }
        self.written.store(written + 1, Ordering::Release);
    }
}

/// A tap of a leg: lays sound out by its timestamps as a recording does, and hands it over sooner.
#[derive(Debug)]
pub struct Tap {
    pub(crate) id: TapId,
    channels: u8,
    pub(crate) sound: Recorder,
    ring: Arc<TapRing>,
}

impl Tap {
    /// A tap that takes sound from now on.
    pub(crate) fn new(id: TapId, what: RecordWhat, ring: Arc<TapRing>, now: u64) -> Tap {
        Tap { id, channels: what.channels(), sound: Recorder::for_tap(what, now), ring }
    }

    /// Time has passed: hands over what is complete.
    pub(crate) fn on_tick(&mut self, now: u64) {
        let (ring, channels) = (&self.ring, self.channels);
        // It has no end of its own.
        let _ = self.sound.on_tick(now, &mut |_, samples, at| ring.put(at, channels, samples));
    }

    /// Hands over what there is; no more will come.
    pub(crate) fn finish(&mut self, now: u64) {
        let (ring, channels) = (&self.ring, self.channels);
        self.sound.finish(now, &mut |_, samples, at| ring.put(at, channels, samples));
        self.ring.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_out_as_they_went_in_and_what_finds_no_room_is_counted() {
        let ring = TapRing::default();
        assert_eq!(ring.take(), None);
        for round in 0..3u64 {
            for n in 0..FRAMES_MAX as u64 + 2 {
                ring.put(round * 1_000 + n, 1, &[n as i16; FRAME_SAMPLES]);
            }
            for n in 0..FRAMES_MAX as u64 {
                let frame = ring.take().expect("a frame waits");
                assert_eq!((frame.at, frame.samples()), (round * 1_000 + n, &[n as i16; FRAME_SAMPLES][..]));
            }
            assert_eq!((ring.take(), ring.lost()), (None, 2 * (round + 1)));
        }
        assert!(!ring.is_over());
        ring.end();
        assert!(ring.is_over());
    }

    #[test]
    fn two_channels_are_told_apart_and_a_short_frame_ends_with_silence() {
        let ring = TapRing::default();
        ring.put(0, 2, &[1, 2, 1, 2]);
        let frame = ring.take().expect("a frame waits");
        assert_eq!(
            (frame.channel(0)[..3].to_vec(), frame.channel(1)[..3].to_vec()),
            (vec![1, 1, 0], vec![2, 2, 0])
        );
        assert_eq!(frame.samples().len(), DUAL_FRAME_SAMPLES);
    }
}
