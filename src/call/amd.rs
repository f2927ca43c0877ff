//! Who answered: answering machine detection (reference: webhooks §4.5).
//!
//! The media plane listens; what it finds is written down and told. Without a callback whoever wants to know waits
//! for the verdict, with one it is told beside the call.

use media::{AmdSettings, AnsweredBy};
use twiml::{AmdFacts, Dialect, MachineDetection, ProgressEvent, amd_params};

use crate::call::Call;
use crate::ctx::{Asked, Ctx};
use crate::record::{EventKind, StoreItem};

impl Call {
    /// Begins to listen who answered; [`Call::on_answered_by`] follows unless the call ends before.
    pub(crate) fn detect_machine(&mut self, detection: &MachineDetection, ctx: &mut Ctx<'_>) {
        let settings = AmdSettings {
            message_end: detection.message_end,
            timeout_ms: detection.timeout_ms,
            speech_threshold_ms: detection.speech_threshold_ms,
            speech_end_threshold_ms: detection.speech_end_threshold_ms,
            silence_timeout_ms: detection.silence_timeout_ms,
        };
        self.amd_callback = detection.callback.clone();
        if detection.beside && detection.callback.is_none() {
            self.warn(NOBODY_TOLD, "the verdict has no URL to be told at".to_owned(), ctx);
        }
        ctx.media(media::Command::DetectMachine { leg: self.leg.id, settings });
    }

    /// It is known who answered.
    pub(crate) fn on_answered_by(&mut self, answered_by: AnsweredBy, ms: u32, ctx: &mut Ctx<'_>) {
        if self.ended.is_some() {
            return;
        }
        let word = word(answered_by, self.facts.dialect);
        self.trace(EventKind::Decision, format!("answered by {word} after {ms} ms"), ctx);
        self.row.answered_by = Some(word.to_owned());
        self.row.updated = ctx.now.wall;
        ctx.store(StoreItem::Call(self.row.clone()));
        self.facts.answered_by = Some(word.to_owned());
        self.facts.machine_detection_ms = Some(ms);
        if let Some(callback) = self.amd_callback.take() {
            let (account_sid, call_sid) = (ctx.office.account_sid, self.sid());
            let params = amd_params(&AmdFacts { account_sid, call_sid, answered_by: word.to_owned(), ms });
            ctx.fetch(self.sid(), Asked::Callback, callback.url, callback.method, params);
        }
        self.tell(ProgressEvent::Amd, None, ctx);
        self.callee_detected(ctx);
        self.drive(ctx);
    }
}

/// The other dialect does not say how a machine's greeting ended (reference: texml-delta §3).
fn word(answered_by: AnsweredBy, dialect: Dialect) -> &'static str {
    match answered_by.as_str() {
        word if dialect == Dialect::Texml && word.starts_with("machine") => "machine",
        word => word,
    }
}

/// No URL for a verdict that the call does not wait for (reference: webhooks §4.5).
const NOBODY_TOLD: u32 = 21262;
