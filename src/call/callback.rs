//! Who is told how a call goes (reference: webhooks §4.1, §4.2).
//!
//! Sequence numbers are given when an event happens. Nobody waits for an answer; the shell delivers the
//! requests of one call in order.

use base::{CallSid, Timestamp};
use twiml::{
    CallQuality, CallStatus, Direction, Level, Overrides, ProgressEvent, ProgressFacts, call_ended_params,
    progress_params,
};

use crate::call::{Call, notification};
use crate::ctx::{Asked, Ctx};
use crate::debugger;
use crate::outcome::Outcome;
use crate::record::NotificationRow;
use crate::record_verb::recording_facts;
use crate::texml::KeptBack;

impl Call {
    /// Something happened that a subscriber may want to know.
    pub(crate) fn tell(&mut self, event: ProgressEvent, outcome: Option<Outcome>, ctx: &mut Ctx<'_>) {
        let Some(sequence) = self.begin_telling(event, ctx) else { return };
        let at = ctx.now.wall;
        match outcome {
            Some(outcome) if self.keeps_back(event) => {
                self.kept_back = Some(KeptBack { outcome, sequence, at });
            }
            Some(outcome) => self.tell_end(KeptBack { outcome, sequence, at }, None, ctx),
            None => {
                let progress =
                    ProgressFacts { texml: self.texml_progress(None), ..plain(event, at, sequence) };
                self.send_progress(progress, ctx);
            }
        }
    }

    /// Its party pressed a key.
    pub(crate) fn tell_key(&mut self, digit: char, ctx: &mut Ctx<'_>) {
        let event = ProgressEvent::Dtmf;
        if let Some(sequence) = self.begin_telling(event, ctx) {
            let texml = self.texml_progress(None);
            let progress =
                ProgressFacts { digit: Some(digit), texml, ..plain(event, ctx.now.wall, sequence) };
            self.send_progress(progress, ctx);
        }
    }

    /// The event's number, if somebody wants to know of it.
    fn begin_telling(&mut self, event: ProgressEvent, ctx: &mut Ctx<'_>) -> Option<u32> {
        let callback = self.callback.clone()?;
        let wanted = callback.events.contains(&event);
        // Every call has the first four; the others count for those who asked for them.
        if !wanted && matches!(event, ProgressEvent::Amd | ProgressEvent::Dtmf) {
            return None;
        }
        let sequence = self.callback_seq;
        self.callback_seq += 1;
        if sequence == 0
            && let Some(finding) = Overrides::parse(&callback.url).1.finding()
        {
            self.notify(&finding, None, ctx);
        }
        wanted.then_some(sequence)
    }

    /// The call is over.
    pub(crate) fn tell_end(&mut self, end: KeptBack, quality: Option<CallQuality>, ctx: &mut Ctx<'_>) {
        let KeptBack { outcome, sequence, at } = end;
        let recording = self.recorded_whole.map(|(sid, since)| {
            let until = self.answered_until.unwrap_or(ctx.now.mono);
            let ms = u64::try_from(until.since(since).as_millis()).unwrap_or(u64::MAX);
            recording_facts(sid, ms, ctx)
        });
        let progress = ProgressFacts {
            duration_s: u64::from(outcome.duration_s),
            recording,
            texml: self.texml_progress(quality),
            ..plain(ProgressEvent::Completed, at, sequence)
        };
        self.send_progress(progress, ctx);
    }

    fn send_progress(&mut self, progress: ProgressFacts, ctx: &mut Ctx<'_>) {
        let Some(callback) = self.callback.clone() else { return };
        let failed = self.facts.status == CallStatus::Failed;
        let error = self.fault.clone().filter(|_| failed);
        let progress = ProgressFacts { sip_code: self.row.sip_code, error, ..progress };
        // Whoever asked for nothing but the end of an inbound call gets the one request of webhooks §4.1.
        let params =
            if self.facts.direction == Direction::Inbound && callback.events == [ProgressEvent::Completed] {
                call_ended_params(&self.facts, progress)
            } else {
                progress_params(&self.facts, &progress)
            };
        ctx.fetch(self.sid(), Asked::Callback, callback.url, callback.method, params);
    }
}

fn plain(event: ProgressEvent, at: Timestamp, sequence: u32) -> ProgressFacts {
    ProgressFacts {
        event,
        at,
        sequence,
        duration_s: 0,
        sip_code: None,
        recording: None,
        error: None,
        digit: None,
        texml: None,
    }
}

/// The record of a status callback that could not be delivered (reference: error-codes 15003, 16011).
pub(crate) fn failed(
    call: CallSid,
    asked: Asked,
    failure: &twiml::FetchFailure,
    ctx: &mut Ctx<'_>,
) -> NotificationRow {
    let (code, level) = match asked {
        Asked::ConferenceCallback(_) => (16011, Level::Error),
        Asked::Interpreter(_) | Asked::Callback | Asked::Debugger | Asked::RouterEvent => {
            (15003, Level::Warning)
        }
    };
    let message = format!("a status callback could not be delivered: {}", failure.message);
    let row = notification(call, code, level, message, ctx);
    match &failure.exchange {
        Some(exchange) => debugger::with_exchange(row, exchange),
        None => row,
    }
}
