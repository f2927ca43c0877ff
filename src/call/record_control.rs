//! Recordings of a live call that the API begins, suspends and ends (reference: rest-voice §8).

use base::RecordingSid;
use media::LegId;
use serde::{Deserialize, Serialize};

use crate::call::Call;
use crate::ctx::Ctx;
use crate::place::RecordWish;
use crate::record::{RecordingRow, RecordingSource, RecordingStatus, StoreItem};
use crate::record_verb::{Asking, WHOLE_CALL_MS_MAX};

/// What the API may do about a recording of a live call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RecordOrder {
    /// Begin one.
    Start(RecordWish),
    /// Do something with one that runs.
    Control {
        /// Which; `None`: the only one (`Twilio.CURRENT`).
        recording: Option<RecordingSid>,
        /// What.
        change: RecordChange,
    },
}

/// What may be done with a recording that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RecordChange {
    /// Take no sound in.
    Pause {
        /// Silence stands for what is left out; otherwise the recording is shorter.
        silence: bool,
    },
    /// Take sound in again.
    Resume,
    /// End it.
    Stop,
}

impl RecordChange {
    /// How the recording stands afterwards, and what the media plane is told.
    pub(crate) fn on(self, leg: LegId, recording: RecordingSid) -> (RecordingStatus, media::Command) {
        match self {
            RecordChange::Pause { silence } => {
                (RecordingStatus::Paused, media::Command::PauseRecord { leg, recording, silence })
            }
            RecordChange::Resume => {
                (RecordingStatus::InProgress, media::Command::ResumeRecord { leg, recording })
            }
            RecordChange::Stop => {
                (RecordingStatus::Processing, media::Command::StopRecord { leg, recording })
            }
        }
    }
}

/// Why a recording is not begun or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RecordFault {
    /// The call is not answered, or over.
    NotInProgress,
    /// The call has no such recording that runs.
    NoSuchRecording,
    /// The call has as many as it may have.
    TooMany,
}

impl Call {
    /// Carries an order out; answers with the recording's row.
    pub(crate) fn order_recording(
        &mut self,
        order: RecordOrder,
        ctx: &mut Ctx<'_>,
    ) -> Result<RecordingRow, RecordFault> {
        if self.ended.is_some() || !self.leg.is_up() {
            return Err(RecordFault::NotInProgress);
        }
        match order {
            RecordOrder::Start(wish) => self.record_by_api(wish, ctx),
            RecordOrder::Control { recording, change } => self.control_recording(recording, change, ctx),
        }
    }

    fn record_by_api(&mut self, wish: RecordWish, ctx: &mut Ctx<'_>) -> Result<RecordingRow, RecordFault> {
        let sid = RecordingSid::random(&mut ctx.shared.rng);
        let asking = Asking {
            sid,
            source: RecordingSource::StartCallRecordingApi,
            what: wish.what,
            beep: false,
            max_ms: WHOLE_CALL_MS_MAX,
            silence_ms: 0,
            trim: wish.trim,
            callback: wish.callback,
        };
        if !self.start_recording(asking, ctx) {
            return Err(RecordFault::TooMany);
        }
        self.recordings.get(&sid).map(|recording| recording.row.clone()).ok_or(RecordFault::TooMany)
    }

    fn control_recording(
        &mut self,
        recording: Option<RecordingSid>,
        change: RecordChange,
        ctx: &mut Ctx<'_>,
    ) -> Result<RecordingRow, RecordFault> {
        let leg = self.leg.id;
        let sid = match recording {
            Some(sid) => sid,
            None if self.recordings.len() == 1 => *self.recordings.keys().next().expect("there is one"),
            None => return Err(RecordFault::NoSuchRecording),
        };
        let one = self.recordings.get_mut(&sid).ok_or(RecordFault::NoSuchRecording)?;
        let (status, command) = change.on(leg, sid);
        one.row.status = status;
        one.row.updated = ctx.now.wall;
        let row = one.row.clone();
        ctx.store(StoreItem::Recording(row.clone()));
        ctx.media(command);
        Ok(row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_silence_or_left_out_as_it_was_asked_for() {
        let (leg, recording) = (LegId(1), RecordingSid(2));
        for silence in [true, false] {
            let told = RecordChange::Pause { silence }.on(leg, recording);
            let command = media::Command::PauseRecord { leg, recording, silence };
            assert_eq!(told, (RecordingStatus::Paused, command));
        }
    }
}
