//! The recording of a whole room: what everybody hears who says nothing, in one channel.
//!
//! Music of those on hold, and what plays to one alone, is not in the mix and so not in the recording. It is told in
//! the name of the leg that asked for it, also when that has left; it ends when nobody is in the room any more.

use base::RecordingSid;

use crate::command::{LegId, RecordWhat};
use crate::event::{Event, RecordEnd};
use crate::leg::listen::NARROW_RATE;
use crate::leg::seat::{FRAME_SAMPLES_MAX, brought};
use crate::play::FRAME_SAMPLES;
use crate::record::{Placed, Recorder, Step};
use crate::resample::Resampler;

use super::{Garbage, Out};

/// A room's recording in progress.
pub(super) struct RoomRecording {
    leg: LegId,
    recorder: Recorder,
    /// From the room's rate to 8 kHz.
    down: Option<Resampler>,
    /// Samples at 8 kHz since it began.
    at: u32,
    /// The last turn of the room's clock.
    now: u64,
}

impl RoomRecording {
    pub(super) fn begin(
        leg: LegId,
        recording: RecordingSid,
        max_ms: u64,
        now: u64,
        out: &mut impl Out,
    ) -> RoomRecording {
        let mut recorder = Recorder::new(recording, RecordWhat::Received, max_ms, 0);
        recorder.start(now);
        out.event(Event::RecordStarted { leg, recording });
        RoomRecording { leg, recorder, down: None, at: 0, now }
    }

    pub(super) fn recording(&self) -> RecordingSid {
        self.recorder.recording()
    }

    pub(super) fn recorder(&mut self) -> &mut Recorder {
        &mut self.recorder
    }

    /// The next 20 ms. Answers why it is over, if it is.
    pub(super) fn take(
        &mut self,
        frame: &[i16],
        rate: u32,
        now: u64,
        out: &mut impl Out,
    ) -> Option<RecordEnd> {
        let mut narrow = [0; FRAME_SAMPLES_MAX];
        let narrow = brought(&mut self.down, frame, rate, NARROW_RATE, &mut narrow);
        self.recorder.on_received(Placed { timestamp: self.at, clock: NARROW_RATE }, narrow, now);
        self.at = self.at.wrapping_add(FRAME_SAMPLES as u32);
        self.now = now;
        match self.recorder.on_tick(now, &mut |recording, frame, at| out.tap(recording, frame, at)) {
            Step::Goes => None,
            Step::Over(why) => Some(why),
        }
    }

    pub(super) fn end(mut self, why: RecordEnd, out: &mut impl Out) {
        self.recorder.finish(self.now, &mut |recording, frame, at| out.tap(recording, frame, at));
        let (recording, duration_ms) = (self.recorder.recording(), self.recorder.duration_ms());
        out.event(Event::Recorded { leg: self.leg, recording, duration_ms, bytes: 0, why });
        out.retire(Garbage::Recorder(self.recorder));
    }
}
