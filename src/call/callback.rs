//! Who is told how a call goes (reference: webhooks §4.1, §4.2).
//!
//! Sequence numbers are given when an event happens. Nobody waits for an answer; the shell delivers the
//! requests of one call in order.

use base::CallSid;
use twiml::{Direction, Level, Overrides, ProgressEvent, ProgressFacts, call_ended_params, progress_params};

use crate::call::{Call, notification};
use crate::ctx::{Asked, Ctx};
use crate::debugger;
use crate::outcome::Outcome;
use crate::record::NotificationRow;

impl Call {
    /// Something happened that a subscriber may want to know.
    pub(crate) fn tell(&mut self, event: ProgressEvent, outcome: Option<Outcome>, ctx: &mut Ctx<'_>) {
        let Some(callback) = self.callback.clone() else { return };
        let sequence = self.callback_seq;
        self.callback_seq += 1;
        if sequence == 0
            && let Some(finding) = Overrides::parse(&callback.url).1.finding()
        {
            self.notify(&finding, None, ctx);
        }
        if !callback.events.contains(&event) {
            return;
        }
        let duration_s = outcome.map_or(0, |outcome| u64::from(outcome.duration_s));
        let sip_code = self.row.sip_code;
        // Whoever asked for nothing but the end of an inbound call gets the one request of webhooks §4.1.
        let params = if self.facts.direction == Direction::Inbound
            && callback.events == [ProgressEvent::Completed]
        {
            call_ended_params(&self.facts, ctx.now.wall, duration_s, sip_code, None)
        } else {
            let (at, recording) = (ctx.now.wall, None);
            let facts = ProgressFacts { event, at, sequence, duration_s, sip_code, recording, error: None };
            progress_params(&self.facts, &facts)
        };
        ctx.fetch(self.sid(), Asked::Callback, callback.url, callback.method, params);
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
        Asked::ConferenceCallback => (16011, Level::Error),
        Asked::Interpreter(_) | Asked::Callback | Asked::Debugger => (15003, Level::Warning),
    };
    let message = format!("a status callback could not be delivered: {}", failure.message);
    let row = notification(call, code, level, message, ctx);
    match &failure.exchange {
        Some(exchange) => debugger::with_exchange(row, exchange),
        None => row,
    }
}
