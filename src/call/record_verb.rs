//! `<Record>` (reference: twiml-voice §8) and what becomes of every recording of a call.
//!
//! The media plane records; the call only says when. The action is requested once the file is complete, so
//! that its length is true, also when the caller ended the recording by hanging up.

use base::RecordingSid;
use media::{RecordEnd, RecordWhat};
use twiml::{
    After, CallFacts, Interpreter, RecordChannels, RecordFacts, RecordFormat, RecordingCallbackFacts,
    RecordingEvent, RecordingFacts, RecordingStatusCallback, RecordingTrack, record_params, recording_params,
};

use crate::call::{Call, Running};
use crate::ctx::{Asked, Ctx};
use crate::record::{EventKind, RecordingRow, RecordingSource, RecordingStatus, StoreItem};

/// A `<Record>` that runs.
#[derive(Clone, Debug)]
pub(crate) struct RecordRun {
    verb: twiml::Record,
    sid: RecordingSid,
    /// The key that ended it, or `hangup`.
    pub(crate) ended_by: Option<String>,
}

/// A recording of this call that is not complete yet.
#[derive(Clone, Debug)]
pub(crate) struct Recording {
    pub(crate) row: RecordingRow,
    pub(crate) track: RecordingTrack,
    pub(crate) callback: Option<RecordingStatusCallback>,
}

/// How a call is recorded from its answer to its end.
#[derive(Clone, Debug)]
pub(crate) struct WholeCall {
    pub(crate) what: RecordWhat,
    pub(crate) source: RecordingSource,
    pub(crate) trim: bool,
    pub(crate) callback: Option<RecordingStatusCallback>,
}

impl RecordRun {
    pub(crate) fn recording(&self) -> RecordingSid {
        self.sid
    }

    /// What follows when the file is complete.
    fn after(self, duration_ms: u64, ctx: &Ctx<'_>) -> After {
        let recording = recording_facts(self.sid, duration_ms, ctx);
        let params = record_params(&RecordFacts { recording, digits: self.ended_by });
        After::Action { url: self.verb.action, method: self.verb.method, params }
    }
}

/// The action of a `<Record>` whose caller has hung up, of an application that is over already.
#[derive(Clone, Debug)]
pub(crate) struct OwedAction {
    run: RecordRun,
    interpreter: Interpreter,
    facts: CallFacts,
}

/// Four hours: the longest call that is recorded whole.
pub(crate) const WHOLE_CALL_MS_MAX: u64 = 4 * 3_600 * 1_000;

/// Recordings of one call that may run at once.
const RECORDINGS_MAX: usize = 4;

impl Call {
    pub(crate) fn begin_record(&mut self, verb: twiml::Record, ctx: &mut Ctx<'_>) {
        let sid = RecordingSid::random(&mut ctx.shared.rng);
        let asked = Asking {
            sid,
            source: RecordingSource::RecordVerb,
            // The caller alone, or beside what it hears (reference: texml-delta §3).
            what: match verb.channels {
                RecordChannels::Single => RecordWhat::Received,
                RecordChannels::Dual => RecordWhat::Dual,
            },
            beep: verb.play_beep,
            max_ms: u64::from(verb.max_length_s) * 1_000,
            silence_ms: u64::from(verb.timeout_s) * 1_000,
            trim: verb.trim,
            callback: verb.recording_status_callback.clone(),
        };
        let format = verb.format;
        self.running = Running::Record(RecordRun { verb, sid, ended_by: None });
        if !self.start_recording_as(asked, format, ctx) {
            self.record_over(sid, 0, None, ctx);
        }
    }

    /// Starts any recording of this call; false when it has too many.
    pub(crate) fn start_recording(&mut self, asking: Asking, ctx: &mut Ctx<'_>) -> bool {
        self.start_recording_as(asking, None, ctx)
    }

    /// Likewise, into a file of this format if the box can write it.
    fn start_recording_as(
        &mut self,
        asking: Asking,
        wanted: Option<RecordFormat>,
        ctx: &mut Ctx<'_>,
    ) -> bool {
        if self.recordings.len() >= RECORDINGS_MAX {
            return false;
        }
        let media = &ctx.office.media;
        let format = match wanted {
            Some(RecordFormat::Wav) => media::RecordFormat::Wav,
            Some(RecordFormat::Mp3) if media.encodes_mp3 => media::RecordFormat::Mp3,
            Some(RecordFormat::Mp3) | None => media.recording_format,
        };
        let path = format!("{}.{}", asking.sid, format.extension());
        let row = RecordingRow {
            sid: asking.sid,
            call: self.sid(),
            conference: None,
            path: path.clone(),
            channels: asking.what.channels(),
            status: RecordingStatus::InProgress,
            source: asking.source,
            track: track(asking.what).as_str().to_owned(),
            created: ctx.now.wall,
            updated: ctx.now.wall,
            start: None,
            duration_ms: None,
            bytes: None,
            error_code: None,
        };
        ctx.store(StoreItem::Recording(row.clone()));
        let recording = Recording { row, track: track(asking.what), callback: asking.callback };
        self.recordings.insert(asking.sid, recording);
        self.trace(EventKind::Media, format!("recording {}", asking.sid), ctx);
        ctx.media(media::Command::Record {
            leg: self.leg.id,
            recording: asking.sid,
            path,
            what: asking.what,
            beep: asking.beep,
            max_ms: asking.max_ms,
            silence_ms: asking.silence_ms,
            trim: asking.trim,
            format,
        });
        true
    }

    /// Whoever the call is for wants it recorded whole, prompts included (a number's `record = true`, or `Record` of a
    /// call made through the API).
    pub(crate) fn record_whole_call(&mut self, ctx: &mut Ctx<'_>) {
        let Some(WholeCall { what, source, trim, callback }) = self.record_all.take() else { return };
        let sid = RecordingSid::random(&mut ctx.shared.rng);
        let asking = Asking {
            sid,
            source,
            what,
            beep: false,
            max_ms: WHOLE_CALL_MS_MAX,
            silence_ms: 0,
            trim,
            callback,
        };
        if self.start_recording(asking, ctx) {
            self.recorded_whole = Some((sid, ctx.now.mono));
        }
    }

    pub(crate) fn record_digit(&mut self, digit: char, ctx: &mut Ctx<'_>) {
        let leg = self.leg.id;
        let Running::Record(run) = &mut self.running else { return };
        if run.ended_by.is_none() && run.verb.finish_on_key.contains(digit) {
            run.ended_by = Some(digit.to_string());
            ctx.media(media::Command::StopRecord { leg, recording: run.sid });
        }
    }

    pub(crate) fn on_record_started(&mut self, sid: RecordingSid, ctx: &mut Ctx<'_>) {
        let Some(recording) = self.recordings.get_mut(&sid) else { return };
        recording.row.start = Some(ctx.now.wall);
        recording.row.updated = ctx.now.wall;
        ctx.store(StoreItem::Recording(recording.row.clone()));
        let recording = recording.clone();
        tell_recording(&recording, RecordingEvent::InProgress, ctx);
    }

    pub(crate) fn on_recorded(
        &mut self,
        sid: RecordingSid,
        duration_ms: u64,
        bytes: u64,
        why: &RecordEnd,
        ctx: &mut Ctx<'_>,
    ) {
        let Some(mut recording) = self.recordings.remove(&sid) else { return };
        self.trace(EventKind::Media, format!("recorded {sid}: {duration_ms} ms, {why:?}"), ctx);
        if let RecordEnd::Failed(why) = why {
            self.warn(RECORDING_FAILED, format!("the recording could not be written: {why}"), ctx);
        }
        complete(&mut recording, duration_ms, bytes, why, ctx);
        let transcribe = match (&self.running, &self.owed) {
            (Running::Record(run), _) if run.sid == sid => run.verb.transcribe.clone(),
            (_, Some(owed)) if owed.run.sid == sid => owed.run.verb.transcribe.clone(),
            (_, _) => None,
        };
        if let Some(wanted) = transcribe {
            self.transcribe(&recording.row, &wanted, ctx);
        }
        self.record_over(sid, duration_ms, Some(why), ctx);
        self.drive(ctx);
    }

    /// The verb's recording is complete: its action follows.
    fn record_over(
        &mut self,
        sid: RecordingSid,
        duration_ms: u64,
        why: Option<&RecordEnd>,
        ctx: &mut Ctx<'_>,
    ) {
        if let Some(owed) = self.owed.take_if(|owed| owed.run.sid == sid) {
            return self.ask_owed(*owed, duration_ms, ctx);
        }
        match &self.running {
            Running::Record(run) if run.sid == sid => {}
            _ => return,
        }
        let Running::Record(run) = std::mem::replace(&mut self.running, Running::Nothing) else { return };
        // It is as long as the silence that ended it at most: there was nothing else.
        let is_empty =
            why == Some(&RecordEnd::Silence) && duration_ms <= u64::from(run.verb.timeout_s) * 1_000;
        let goes_on = is_empty && ctx.office.empty_record_goes_on;
        let after = if goes_on { After::Next } else { run.after(duration_ms, ctx) };
        self.verb_done(after, ctx);
    }

    /// The application that records is over, as its caller has hung up: what it is owed waits for the file beside the
    /// call.
    pub(crate) fn owe_action(&mut self) {
        if let (Running::Record(run), Some(interpreter)) = (&self.running, &self.interpreter) {
            let (run, interpreter, facts) = (run.clone(), interpreter.clone(), self.facts.clone());
            self.owed = Some(Box::new(OwedAction { run, interpreter, facts }));
            self.running = Running::Nothing;
        }
    }

    /// Asked in the application's own name; nobody is left to carry the answer out.
    fn ask_owed(&mut self, owed: OwedAction, duration_ms: u64, ctx: &mut Ctx<'_>) {
        let OwedAction { run, mut interpreter, facts } = owed;
        interpreter.handle(twiml::Input::VerbDone(run.after(duration_ms, ctx)), ctx.now);
        while let Some(output) = interpreter.poll_output() {
            if let twiml::Output::Fetch { url, method, params, .. } = output {
                self.trace(EventKind::Fetch, format!("{} {}", method.as_str(), twiml::shown(&url)), ctx);
                let mut all = twiml::standard_params(&facts);
                all.extend(params);
                ctx.fetch(self.sid(), Asked::Callback, url, method, all);
            }
        }
    }
}

/// What became of a recording is written down and told.
pub(crate) fn complete(
    recording: &mut Recording,
    duration_ms: u64,
    bytes: u64,
    why: &RecordEnd,
    ctx: &mut Ctx<'_>,
) {
    let row = &mut recording.row;
    row.updated = ctx.now.wall;
    row.duration_ms = Some(duration_ms);
    row.bytes = Some(bytes);
    let (status, event) = match why {
        RecordEnd::Failed(_) => (RecordingStatus::Failed, RecordingEvent::Absent),
        _ if duration_ms == 0 => (RecordingStatus::Absent, RecordingEvent::Absent),
        _ => (RecordingStatus::Completed, RecordingEvent::Completed),
    };
    row.status = status;
    row.error_code = (status == RecordingStatus::Failed).then_some(RECORDING_FAILED);
    ctx.store(StoreItem::Recording(row.clone()));
    tell_recording(recording, event, ctx);
}

pub(crate) fn tell_recording(recording: &Recording, event: RecordingEvent, ctx: &mut Ctx<'_>) {
    let Some(callback) = &recording.callback else { return };
    let row = &recording.row;
    // Whoever waits for a recording to be complete is not to wait for one that never will be.
    let failed =
        row.status == RecordingStatus::Failed && callback.events.contains(&RecordingEvent::Completed);
    if !(failed || callback.events.contains(&event)) {
        return;
    }
    let params = recording_params(&RecordingCallbackFacts {
        account_sid: ctx.office.account_sid,
        call_sid: row.call,
        conference_sid: row.conference,
        recording_sid: row.sid,
        url: callback.sends_url.then(|| recording_url(ctx, row.sid)),
        status: row.status,
        duration_s: row.duration_ms.map(seconds),
        channels: row.channels,
        start: row.start,
        source: row.source,
        track: recording.track,
        error_code: row.error_code,
    });
    ctx.fetch(row.call, Asked::Callback, callback.url.clone(), callback.method, params);
}

fn track(what: RecordWhat) -> RecordingTrack {
    match what {
        RecordWhat::Received => RecordingTrack::Inbound,
        RecordWhat::Sent => RecordingTrack::Outbound,
        RecordWhat::Both | RecordWhat::Dual => RecordingTrack::Both,
    }
}

/// What requests say of a recording.
pub(crate) fn recording_facts(sid: RecordingSid, duration_ms: u64, ctx: &Ctx<'_>) -> RecordingFacts {
    RecordingFacts { url: recording_url(ctx, sid), sid, duration_s: seconds(duration_ms) }
}

/// A recording that is asked for.
pub(crate) struct Asking {
    pub(crate) sid: RecordingSid,
    pub(crate) source: RecordingSource,
    pub(crate) what: RecordWhat,
    pub(crate) beep: bool,
    pub(crate) max_ms: u64,
    pub(crate) silence_ms: u64,
    pub(crate) trim: bool,
    pub(crate) callback: Option<RecordingStatusCallback>,
}

/// Where a recording can be fetched from (reference: webhooks §4.4).
pub(crate) fn recording_url(ctx: &Ctx<'_>, sid: RecordingSid) -> String {
    format!("{}/2010-04-01/Accounts/{}/Recordings/{sid}", ctx.office.public_url, ctx.office.account_sid)
}

/// Whole seconds, rounded to the nearest: what a person would call the length.
pub(crate) fn seconds(ms: u64) -> u64 {
    (ms + 500) / 1_000
}

/// Recording: file could not be written (reference: error-codes, internal errors of a verb).
const RECORDING_FAILED: u32 = 12400;
