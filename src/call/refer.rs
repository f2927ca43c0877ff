//! `<Refer>`: the caller's own equipment is asked to call somebody else (reference: twiml-voice §13).
//!
//! ```text
//! asked ──202──▶ accepted ──NOTIFY 1xx──▶ … ──last NOTIFY──▶ action, or the next verb
//!   └──refused, no answer──▶ over        └──nothing heard──▶ over
//! ```
//! Where it succeeds the caller hangs up, before or after the action: the verb's own end is the last NOTIFY.

use std::time::Duration;

use sip::Uri;
use twiml::{After, DialCallStatus, Refer, ReferFacts, dial_call_status, refer_params};

use crate::call::{Call, Running};
use crate::ctx::Ctx;
use crate::record::EventKind;
use crate::timers::Timer;

/// A `<Refer>` that runs.
#[derive(Clone, Debug)]
pub(crate) struct ReferRun {
    verb: Refer,
    /// What the REFER was answered with.
    response: Option<u16>,
    /// The last code a NOTIFY told.
    notified: Option<u16>,
}

impl Call {
    pub(crate) fn begin_refer(&mut self, verb: Refer, ctx: &mut Ctx<'_>) {
        let to = match verb.uri.parse::<Uri>() {
            Ok(mut uri) => {
                uri.headers =
                    verb.headers.iter().map(|(name, value)| (name.clone(), escaped(value))).collect();
                Box::new(uri)
            }
            Err(error) => {
                self.warn(13243, format!("`{}` is not a SIP address: {error}", verb.uri), ctx);
                self.skip_verb(ctx);
                return;
            }
        };
        self.running = Running::Refer(Box::new(ReferRun { verb, response: None, notified: None }));
        ctx.timer(self.sid(), Timer::Refer, SILENT_MAX);
        ctx.sip(sip::Command::Refer { session: self.leg.session, to });
    }

    /// The REFER was answered.
    pub(crate) fn on_refer_answered(&mut self, code: u16, ctx: &mut Ctx<'_>) {
        self.trace(EventKind::Decision, format!("REFER answered with {code}"), ctx);
        let Running::Refer(run) = &mut self.running else { return };
        run.response = Some(code);
        if code >= 300 {
            self.refer_over(Some(DialCallStatus::Failed), ctx);
        }
        self.drive(ctx);
    }

    /// The caller's equipment tells how it goes.
    pub(crate) fn on_notified(&mut self, code: Option<u16>, last: bool, ctx: &mut Ctx<'_>) {
        let Running::Refer(run) = &mut self.running else { return };
        run.notified = code.or(run.notified);
        ctx.timer(self.row.sid, Timer::Refer, SILENT_MAX);
        if last {
            self.refer_notified_last(ctx);
        }
        self.drive(ctx);
    }

    /// Nothing is heard of it any more.
    pub(crate) fn refer_silent(&mut self, ctx: &mut Ctx<'_>) {
        if matches!(self.running, Running::Refer(_)) {
            self.refer_notified_last(ctx);
        }
    }

    fn refer_notified_last(&mut self, ctx: &mut Ctx<'_>) {
        let Running::Refer(run) = &self.running else { return };
        let status = match run.notified {
            Some(100..=299) => Some(ReferStatus::InProgress),
            Some(code) => Some(ReferStatus::Dial(dial_call_status(code, DialCallStatus::Busy))),
            None => None,
        };
        self.finish_refer(status, ctx);
    }

    /// The caller hung up meanwhile.
    pub(crate) fn refer_abandoned(&mut self, ctx: &mut Ctx<'_>) {
        let Running::Refer(run) = &self.running else { return };
        // Who has got through and hangs up here has not given up.
        let through = run.notified.is_some_and(|code| (200..300).contains(&code));
        let status =
            if through { ReferStatus::InProgress } else { ReferStatus::Dial(DialCallStatus::Canceled) };
        self.finish_refer(Some(status), ctx);
    }

    fn refer_over(&mut self, status: Option<DialCallStatus>, ctx: &mut Ctx<'_>) {
        self.finish_refer(status.map(ReferStatus::Dial), ctx);
    }

    fn finish_refer(&mut self, status: Option<ReferStatus>, ctx: &mut Ctx<'_>) {
        let Running::Refer(run) = std::mem::replace(&mut self.running, Running::Nothing) else { return };
        ctx.cancel_timer(self.row.sid, Timer::Refer);
        let status = status.map(|status| match status {
            ReferStatus::InProgress => "in-progress",
            ReferStatus::Dial(status) => status.as_str(),
        });
        self.trace(EventKind::Decision, format!("refer: {}", status.unwrap_or("nothing heard")), ctx);
        let Some(action) = run.verb.action else {
            self.skip_verb(ctx);
            return;
        };
        let facts = ReferFacts {
            status: status.map(str::to_owned),
            refer_code: run.response,
            notify_code: run.notified,
        };
        let params = refer_params(&facts);
        self.verb_done(After::Action { url: Some(action), method: run.verb.method, params }, ctx);
    }
}

/// What became of it.
enum ReferStatus {
    /// The target answered: the call goes on, elsewhere.
    InProgress,
    Dial(DialCallStatus),
}

/// A header's value as it may stand in a URI (RFC 3261 §19.1.1).
fn escaped(value: &str) -> String {
    let mut out = String::new();
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// How long the caller's equipment may say nothing: longer than anybody lets a phone ring.
const SILENT_MAX: Duration = Duration::from_secs(180);
