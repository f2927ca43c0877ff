//! Everything that goes wrong in a call is counted by its code, kept with the request it came of, and told to
//! whoever looks after the box (reference: webhooks §8).

use base::CallSid;
use twiml::{DebuggerFacts, Exchange, HttpMethod, debugger_params};

use crate::ctx::{Asked, Ctx};
use crate::record::NotificationRow;

/// A notification is being written.
pub(crate) fn tell(row: &NotificationRow, ctx: &mut Ctx<'_>) {
    *ctx.shared.notifications.entry(row.code).or_default() += 1;
    let Some(url) = ctx.office.debugger_url.clone() else { return };
    let exchange = exchange_of(row);
    let facts = DebuggerFacts {
        sid: row.sid,
        account: ctx.office.account_sid,
        call: row.call,
        at: row.at,
        code: row.code,
        level: row.level,
        message: &row.message,
        place: row.line.zip(row.column),
        exchange: exchange.as_ref(),
    };
    // What concerns no call is told in its order too.
    let lane = row.call.unwrap_or(CallSid(ctx.office.account_sid.0));
    ctx.fetch(lane, Asked::Debugger, url, HttpMethod::Post, debugger_params(&facts));
}

/// Adds the request a finding came of.
pub(crate) fn with_exchange(row: NotificationRow, exchange: &Exchange) -> NotificationRow {
    let text = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    NotificationRow {
        url: row.url.or_else(|| Some(exchange.url.clone())),
        method: Some(exchange.method),
        request_variables: Some(exchange.request_variables.clone()),
        response_status: exchange.status,
        response_headers: text(&exchange.response_headers),
        response_body: text(&exchange.response_body),
        ..row
    }
}

fn exchange_of(row: &NotificationRow) -> Option<Exchange> {
    let url = row.url.clone()?;
    Some(Exchange {
        answered_by: url.clone(),
        url,
        method: row.method?,
        request_variables: row.request_variables.clone().unwrap_or_default(),
        status: row.response_status,
        response_headers: row.response_headers.clone().unwrap_or_default(),
        response_body: row.response_body.clone().unwrap_or_default(),
    })
}
