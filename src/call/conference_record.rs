//! `<Conference record>`: one recording of all that is said in a conference (reference: twiml-voice §10.4).
//!
//! It begins with the conference, or when somebody comes into one in progress who wants it recorded, and ends with it.
//! Whoever asked may be gone by then: it belongs to the node. Its row names that call all the same.

use base::{ConferenceSid, Now, RecordingSid};
use twiml::{RecordingEvent, RecordingTrack};

use crate::call::Call;
use crate::conference::ToRecord;
use crate::ctx::Ctx;
use crate::io::OperatorReply;
use crate::node::Node;
use crate::participant::ConferenceRef;
use crate::record::{EventKind, RecordingRow, RecordingSource, RecordingStatus, StoreItem};
use crate::record_control::{RecordChange, RecordFault};
use crate::record_verb::{Recording, complete, tell_recording};

/// A day: longer than any conference is to be.
const CONFERENCE_MS_MAX: u64 = 24 * 3_600 * 1_000;

impl Call {
    /// Starts the recording of the conference this call is in.
    pub(crate) fn record_conference(
        &mut self,
        conference: ConferenceSid,
        wanted: ToRecord,
        ctx: &mut Ctx<'_>,
    ) {
        let sid = RecordingSid::random(&mut ctx.shared.rng);
        let format = ctx.office.media.recording_format;
        let path = format!("{sid}.{}", format.extension());
        let row = RecordingRow {
            sid,
            call: self.sid(),
            conference: Some(conference),
            path: path.clone(),
            channels: 1,
            status: RecordingStatus::InProgress,
            source: RecordingSource::Conference,
            track: RecordingTrack::Both.as_str().to_owned(),
            created: ctx.now.wall,
            updated: ctx.now.wall,
            start: None,
            duration_ms: None,
            bytes: None,
            error_code: None,
        };
        ctx.store(StoreItem::Recording(row.clone()));
        let recording = Recording { row, track: RecordingTrack::Both, callback: wanted.callback };
        ctx.shared.conference_recordings.insert(sid, recording);
        self.trace(EventKind::Media, format!("recording {sid} of the conference"), ctx);
        let max_ms = wanted.ms_max.unwrap_or(CONFERENCE_MS_MAX);
        let (leg, recording, trim) = (self.leg.id, sid, wanted.trim);
        ctx.media(media::Command::RecordRoom { leg, recording, path, max_ms, trim, format });
    }
}

impl Node {
    /// Suspends, resumes or ends the recording of a conference; answers with its row.
    pub(crate) fn control_conference_recording(
        &mut self,
        conference: ConferenceSid,
        recording: Option<RecordingSid>,
        change: RecordChange,
        now: Now,
    ) -> OperatorReply {
        let found = self.shared.conferences.find(&ConferenceRef::Sid(conference));
        // The media plane finds a room by anybody who is in it.
        let Some(leg) = found.and_then(|found| found.members.values().next()).map(|one| one.leg) else {
            return OperatorReply::NoSuchConference;
        };
        let ours = |one: &&mut Recording| {
            one.row.conference == Some(conference) && recording.is_none_or(|sid| sid == one.row.sid)
        };
        let Some(one) = self.shared.conference_recordings.values_mut().find(ours) else {
            return OperatorReply::RecordFault(RecordFault::NoSuchRecording);
        };
        let (status, command) = change.on(leg, one.row.sid);
        one.row.status = status;
        one.row.updated = now.wall;
        let row = one.row.clone();
        let mut ctx = Ctx { now, office: &self.office, shared: &mut self.shared };
        ctx.store(StoreItem::Recording(row.clone()));
        ctx.media(command);
        OperatorReply::Recording(Box::new(row))
    }

    /// Takes what the media plane says of a conference's recording; false when it is about something else.
    pub(crate) fn on_conference_recording(&mut self, event: &media::Event, now: Now) -> bool {
        let (media::Event::RecordStarted { recording, .. } | media::Event::Recorded { recording, .. }) =
            event
        else {
            return false;
        };
        let Some(mut ours) = self.shared.conference_recordings.remove(recording) else { return false };
        let mut ctx = Ctx { now, office: &self.office, shared: &mut self.shared };
        match event {
            media::Event::Recorded { duration_ms, bytes, why, .. } => {
                complete(&mut ours, *duration_ms, *bytes, why, &mut ctx);
            }
            _ => {
                ours.row.start = Some(now.wall);
                ours.row.updated = now.wall;
                ctx.store(StoreItem::Recording(ours.row.clone()));
                tell_recording(&ours, RecordingEvent::InProgress, &mut ctx);
                ctx.shared.conference_recordings.insert(*recording, ours);
            }
        }
        true
    }
}
