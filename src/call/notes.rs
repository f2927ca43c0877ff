//! What a call has to say of what went wrong in it: the notifications it leaves behind.

use base::CallSid;
use twiml::{Level, error_level};

use crate::call::Call;
use crate::ctx::Ctx;
use crate::debugger;
use crate::record::{EventKind, NotificationRow, StoreItem};

impl Call {
    /// A finding of the interpreter becomes a notification of the call.
    pub(crate) fn notify(&mut self, finding: &twiml::Finding, url: Option<String>, ctx: &mut Ctx<'_>) {
        let row = NotificationRow {
            url,
            line: Some(finding.line).filter(|line| *line > 0),
            column: Some(finding.column).filter(|column| *column > 0),
            ..notification(self.sid(), finding.code, finding.level, finding.message.clone(), ctx)
        };
        let exchange = ctx.shared.exchanges.latest(self.sid());
        let row =
            match exchange.filter(|exchange| row.url.as_deref().is_some_and(|url| exchange.concerns(url))) {
                Some(exchange) => debugger::with_exchange(row, exchange),
                None => row,
            };
        self.trace(EventKind::Note, format!("{} {}", finding.code, finding.message), ctx);
        ctx.store(StoreItem::Notification(row));
    }

    /// What the call itself has to tell.
    pub(crate) fn warn(&mut self, code: u32, message: String, ctx: &mut Ctx<'_>) {
        self.trace(EventKind::Note, format!("{code} {message}"), ctx);
        let row = notification(self.sid(), code, error_level(code), message, ctx);
        ctx.store(StoreItem::Notification(row));
    }
}

/// A notification that is about no place in a document.
pub(crate) fn notification(
    call: CallSid,
    code: u32,
    level: Level,
    message: String,
    ctx: &mut Ctx<'_>,
) -> NotificationRow {
    NotificationRow {
        sid: base::NotificationSid::random(&mut ctx.shared.rng),
        call: Some(call),
        at: ctx.now.wall,
        code,
        level,
        message,
        url: None,
        method: None,
        line: None,
        column: None,
        request_variables: None,
        response_status: None,
        response_headers: None,
        response_body: None,
    }
}
