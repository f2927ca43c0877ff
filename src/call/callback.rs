//! Who is told how a call goes (reference: webhooks §4.1, §4.2).
//!
//! Sequence numbers are given when an event happens. Nobody waits for an answer; the shell delivers the
//! requests of one call in order.

use base::CallSid;
use twiml::{HttpMethod, Level, ProgressEvent};

use crate::call::{Call, notification};
use crate::ctx::{Asked, Ctx};
use crate::outcome::Outcome;
use crate::record::NotificationRow;

/// Where a call's progress is told.
#[derive(Clone, Debug)]
pub(crate) struct Callback {
    url: String,
    method: HttpMethod,
    events: Vec<ProgressEvent>,
    /// The requests of a number's own callback carry what ended the call; see webhooks §4.1.
    recording: Option<(String, String, u64)>,
}

impl Callback {
    pub(crate) fn new(callback: &twiml::StatusCallback) -> Self {
        Self {
            url: callback.url.clone(),
            method: callback.method,
            events: callback.events.clone(),
            recording: None,
        }
    }
}

impl Call {
    /// Something happened that a subscriber may want to know.
    pub(crate) fn tell(&mut self, event: ProgressEvent, outcome: Option<Outcome>, ctx: &mut Ctx<'_>) {
        let Some(callback) = self.callback.clone() else { return };
        let sequence = self.callback_seq;
        self.callback_seq += 1;
        if !callback.events.contains(&event) {
            return;
        }
        let mut params = twiml::standard_params(&self.facts);
        // `initiated` is a status that only these requests know.
        if event == ProgressEvent::Initiated {
            for (name, value) in &mut params {
                if name == "CallStatus" {
                    "initiated".clone_into(value);
                }
            }
        }
        let mut add = |name: &str, value: String| params.push((name.to_owned(), value));
        add("Timestamp", ctx.now.wall.rfc2822());
        add("CallbackSource", "call-progress-events".to_owned());
        add("SequenceNumber", sequence.to_string());
        if let (ProgressEvent::Completed, Some(outcome)) = (event, outcome) {
            add("CallDuration", outcome.duration_s.to_string());
            // Started minutes: 49 seconds are 1.
            add("Duration", outcome.duration_s.div_ceil(60).to_string());
            add("SipResponseCode", outcome.sip_code.to_string());
        }
        if let (ProgressEvent::Completed, Some((url, sid, seconds))) = (event, &callback.recording) {
            add("RecordingUrl", url.clone());
            add("RecordingSid", sid.clone());
            add("RecordingDuration", seconds.to_string());
        }
        ctx.fetch(self.sid(), Asked::Callback, callback.url, callback.method, params);
    }
}

/// The record of a status callback that could not be delivered (reference: error-codes 15003).
pub(crate) fn failed(call: CallSid, failure: &twiml::FetchFailure, ctx: &mut Ctx<'_>) -> NotificationRow {
    let message = format!("a status callback could not be delivered: {}", failure.message);
    notification(call, 15003, Level::Warning, message, ctx)
}
