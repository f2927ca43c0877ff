//! What was said in a recording, as text (reference: twiml-voice §8, `transcribe`).
//!
//! It takes longer than the call may last, so the node keeps what it needs to tell it. A transcription has a row from
//! the beginning, and is told once: with its text, or as failed.

use base::{CallSid, TranscriptionSid};
use twiml::{CallFacts, CallStatus, HttpMethod, Level, TranscriptionFacts, recording_transcription_params};

use crate::call::{Call, notification};
use crate::ctx::{Asked, Ctx};
use crate::io::Output;
use crate::node::Node;
use crate::record::{RecordingRow, StoreItem, TranscriptionRow, TranscriptionStatus};
use crate::record_verb::{recording_url, seconds};

/// A transcription under way.
#[derive(Clone, Debug)]
pub(crate) struct Transcribing {
    row: TranscriptionRow,
    callback: Option<String>,
    facts: CallFacts,
}

/// Transcriptions under way; further ones fail at once.
const TRANSCRIBING_MAX: usize = 1_000;

/// What is shorter or longer is not transcribed, in milliseconds.
const SHORTEST_MS: u64 = 2_000;
const LONGEST_MS: u64 = 121_000;

const TOO_SHORT: u32 = 13_617;
const TOO_LONG: u32 = 13_618;
const CANNOT: u32 = 13_619;
const NOT_THERE: u32 = 13_620;

impl Call {
    /// A recording is complete whose words are wanted.
    pub(crate) fn transcribe(
        &mut self,
        recording: &RecordingRow,
        wanted: &twiml::Transcribe,
        ctx: &mut Ctx<'_>,
    ) {
        let sid = TranscriptionSid::random(&mut ctx.shared.rng);
        let duration_ms = recording.duration_ms.unwrap_or(0);
        let row = TranscriptionRow {
            sid,
            recording: recording.sid,
            call: self.sid(),
            status: TranscriptionStatus::InProgress,
            text: None,
            duration_s: seconds(duration_ms),
            created: ctx.now.wall,
            updated: ctx.now.wall,
        };
        ctx.store(StoreItem::Transcription(row.clone()));
        let job = Transcribing { row, callback: wanted.callback.clone(), facts: self.facts.clone() };
        let unfit = match duration_ms {
            0 => Some((NOT_THERE, "there is no recording to be transcribed")),
            1..SHORTEST_MS => Some((TOO_SHORT, "the recording is too short to be transcribed")),
            LONGEST_MS.. => Some((TOO_LONG, "the recording is too long to be transcribed")),
            _ if ctx.shared.transcribing.len() >= TRANSCRIBING_MAX => {
                Some((CANNOT, "too many recordings are being transcribed"))
            }
            _ => None,
        };
        if let Some((code, why)) = unfit {
            return over(job, Err((code, why.to_owned())), ctx);
        }
        ctx.shared.transcribing.insert(sid, job);
        let path = recording.path.clone();
        let language = wanted.language.clone().unwrap_or_else(|| LANGUAGE.to_owned());
        ctx.shared.outputs.push_back(Output::Transcribe { sid, path, language });
    }
}

impl Node {
    /// A transcription is done, or cannot be.
    pub(crate) fn on_transcribed(
        &mut self,
        sid: TranscriptionSid,
        result: Result<String, (u32, String)>,
        now: base::Now,
    ) {
        let Some(mut job) = self.shared.transcribing.remove(&sid) else { return };
        match self.calls.get(&job.row.call) {
            Some(call) => job.facts = call.facts.clone(),
            None => job.facts.status = CallStatus::Completed,
        }
        let mut ctx = Ctx { now, office: &self.office, shared: &mut self.shared };
        over(job, result, &mut ctx);
    }
}

/// Writes down and tells what became of it.
fn over(job: Transcribing, result: Result<String, (u32, String)>, ctx: &mut Ctx<'_>) {
    let Transcribing { mut row, callback, facts } = job;
    row.updated = ctx.now.wall;
    row.status = match &result {
        Ok(_) => TranscriptionStatus::Completed,
        Err(_) => TranscriptionStatus::Failed,
    };
    match result {
        Ok(text) => row.text = Some(text),
        Err((code, why)) => warn(row.call, code, why, ctx),
    }
    ctx.store(StoreItem::Transcription(row.clone()));
    let Some(url) = callback else { return };
    let account = ctx.office.account_sid;
    let params = recording_transcription_params(
        &facts,
        &TranscriptionFacts {
            sid: row.sid,
            url: format!(
                "{}/2010-04-01/Accounts/{account}/Transcriptions/{}",
                ctx.office.public_url, row.sid
            ),
            status: row.status.as_str(),
            text: row.text.unwrap_or_default(),
            recording_sid: row.recording,
            recording_url: recording_url(ctx, row.recording),
        },
    );
    ctx.fetch(row.call, Asked::Callback, url, HttpMethod::Post, params);
}

fn warn(call: CallSid, code: u32, why: String, ctx: &mut Ctx<'_>) {
    let row = notification(call, code, Level::Warning, why, ctx);
    ctx.store(StoreItem::Notification(row));
}

/// The verb has no attribute for it.
const LANGUAGE: &str = "en-US";
