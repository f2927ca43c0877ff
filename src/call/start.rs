//! `<Start>`: services that run beside the document (reference: twiml-voice §14), and those of them that are not
//! streams.

use base::RecordingSid;
use media::RecordWhat;
use twiml::{CallRecording, RecordChannels, RecordingTrack, Service, Start};

use crate::call::Call;
use crate::ctx::Ctx;
use crate::record::RecordingSource;
use crate::record_verb::{Asking, WHOLE_CALL_MS_MAX};

impl Call {
    /// Begins all services; the next verb does not wait for them.
    pub(crate) fn begin_start(&mut self, start: &Start, ctx: &mut Ctx<'_>) {
        for service in &start.services {
            match service {
                // What keeps a service from beginning has been told.
                Service::Stream(noun) => {
                    let _ = self.start_stream(noun, ctx);
                }
                Service::Recording(recording) => self.start_call_recording(recording, ctx),
                // What keeps it from beginning has been told.
                Service::Siprec(noun) => {
                    let _ = self.start_siprec(noun, ctx);
                }
                Service::Transcription(noun) => {
                    let _ = self.start_transcription(noun, ctx);
                }
            }
        }
        self.skip_verb(ctx);
    }

    /// Records the rest of the call, whatever documents come.
    fn start_call_recording(&mut self, recording: &CallRecording, ctx: &mut Ctx<'_>) {
        let what = match (recording.track, recording.channels) {
            (RecordingTrack::Inbound, _) => RecordWhat::Received,
            (RecordingTrack::Outbound, _) => RecordWhat::Sent,
            (RecordingTrack::Both, RecordChannels::Single) => RecordWhat::Both,
            (RecordingTrack::Both, RecordChannels::Dual) => RecordWhat::Dual,
        };
        let asking = Asking {
            sid: RecordingSid::random(&mut ctx.shared.rng),
            source: RecordingSource::StartCallRecordingTwiml,
            what,
            beep: false,
            max_ms: WHOLE_CALL_MS_MAX,
            silence_ms: 0,
            trim: recording.trim,
            callback: recording.recording_status_callback.clone(),
        };
        if !self.start_recording(asking, ctx) {
            self.warn(TOO_MANY, "too many recordings of this call run already".to_owned(), ctx);
        }
    }
}

/// An internal error of a verb (reference: error-codes).
const TOO_MANY: u32 = 12400;
