//! REFER inside an answered session, in both directions, and the NOTIFY that tells what became of it (RFC 3515, RFC
//! 5589).
//!
//! ```text
//! ours    Refer ──REFER──▶ 202 ── NOTIFY 1xx … NOTIFY 2xx-6xx ──▶ over
//! theirs  REFER ──▶ Referred ── AnswerRefer ── Notify 1xx … Notify 2xx-6xx ──▶ over
//! ```
//! One of each at a time: a second REFER while the first is open is refused, which the standard allows and which spares
//! telling subscriptions apart.

use serde::{Deserialize, Serialize};

use super::up::Up;
use super::{COMMAND_IGNORED, dialog_response, set_body};
use crate::endpoint::{Core, Event, Failure, Purpose, RequestId, SessionId};
use crate::transaction::ServerId;
use crate::{HeaderName, Method, NameAddr, Request, Response, Uri, reason_phrase};

/// What is open between the two.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Refers {
    ours: Ours,
    theirs: Theirs,
    /// Whether the peer has referred before: from the second one on, a NOTIFY names which (RFC 3515 §2.4.6).
    again: bool,
}

#[derive(Debug, Default, Serialize, Deserialize)]
enum Ours {
    #[default]
    Idle,
    /// The REFER has no final response.
    Sent(RequestId),
    /// Accepted; the peer tells how it goes.
    Told,
}

#[derive(Debug, Default, Serialize, Deserialize)]
enum Theirs {
    #[default]
    Idle,
    /// The owner has not answered it.
    Asked { server: ServerId, request: Box<Request> },
    /// Accepted: NOTIFY is owed until the last. With the REFER's CSeq, when that has to be named.
    Owed { id: Option<u32> },
}

/// The body of NOTIFY: the start line of a response (RFC 3420).
const SIPFRAG: &str = "message/sipfrag;version=2.0";

/// How long the peer may rely on being told, seconds.
const SUBSCRIBED_S: u32 = 180;

impl Up {
    /// The owner sends the peer elsewhere.
    pub(super) fn refer(&mut self, id: SessionId, to: &Uri, core: &mut Core) {
        if !matches!(self.refers.ours, Ours::Idle) {
            core.tell(Event::ReferAnswered { session: id, code: 491 });
            return;
        }
        let mut refer = self.peer.dialog.request(Method::Refer);
        refer.headers.push(HeaderName::ReferTo, NameAddr::new(to.clone()));
        let mut by = self.peer.dialog.local().clone();
        by.params = crate::Params::new();
        refer.headers.push(HeaderName::ReferredBy, by);
        self.refers.ours = Ours::Sent(self.peer.send(refer, id, Purpose::Refer, core));
    }

    /// A response to our REFER.
    pub(super) fn on_refer_response(
        &mut self,
        id: SessionId,
        request: RequestId,
        response: &Response,
        core: &mut Core,
    ) {
        if !matches!(self.refers.ours, Ours::Sent(sent) if sent == request) || response.is_provisional() {
            return;
        }
        if matches!(response.code, 401 | 407)
            && let Some(again) = self.peer.authorize(request, response, core)
        {
            self.refers.ours = Ours::Sent(again);
            return;
        }
        self.refers.ours = if response.is_success() { Ours::Told } else { Ours::Idle };
        core.tell(Event::ReferAnswered { session: id, code: response.code });
    }

    /// Our REFER, or a NOTIFY of ours, has no answer. The session itself may still live: a BYE will tell.
    pub(super) fn on_refer_failure(
        &mut self,
        id: SessionId,
        request: RequestId,
        failure: Failure,
        core: &mut Core,
    ) {
        if matches!(self.refers.ours, Ours::Sent(sent) if sent == request) {
            self.refers.ours = Ours::Idle;
            let code = match failure {
                Failure::NoAnswer => 408,
                Failure::Unreachable | Failure::Unresolved => 503,
            };
            core.tell(Event::ReferAnswered { session: id, code });
        }
    }

    /// NOTIFY from the peer: how our REFER goes. It may come before the 202 (RFC 3515 §2.4.4).
    pub(super) fn on_notify(&mut self, id: SessionId, request: &Request, server: ServerId, core: &mut Core) {
        let event = request.headers.text(&HeaderName::Event).unwrap_or_default().into_owned();
        if !event.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("refer") {
            core.reply(server, request, 489);
            return;
        }
        if matches!(self.refers.ours, Ours::Idle) {
            core.reply(server, request, 481);
            return;
        }
        core.reply(server, request, 200);
        let state = request.headers.text(&HeaderName::SubscriptionState).unwrap_or_default().into_owned();
        let over = state.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("terminated");
        let code = sipfrag_code(&request.body);
        let last = over || code.is_some_and(|code| code >= 200);
        if last {
            self.refers.ours = Ours::Idle;
        }
        core.tell(Event::Notified { session: id, code, last });
    }

    /// REFER from the peer; the owner answers it.
    pub(super) fn on_refer(&mut self, id: SessionId, request: &Request, server: ServerId, core: &mut Core) {
        if !matches!(self.refers.theirs, Theirs::Idle) {
            core.reply_later(server, request);
            return;
        }
        // Exactly one (RFC 3515 §2.4.1).
        let mut targets = request.headers.all(&HeaderName::ReferTo);
        let to = match (targets.next(), targets.next()) {
            (Some(value), None) => value.text().parse::<NameAddr>().ok(),
            (Some(_), Some(_)) | (None, _) => None,
        };
        let Some(to) = to else {
            core.reply(server, request, 400);
            return;
        };
        self.peer.dialog.refresh_target(&request.headers);
        self.refers.theirs = Theirs::Asked { server, request: Box::new(request.clone()) };
        core.tell(Event::Referred { session: id, to: Box::new(to) });
    }

    /// The owner accepts the peer's REFER, or does not.
    pub(super) fn answer_refer(&mut self, code: u16, core: &mut Core) {
        let Theirs::Asked { server, request } = std::mem::take(&mut self.refers.theirs) else {
            core.count(COMMAND_IGNORED);
            return;
        };
        let contact = core.contact(self.flow, &self.peer.contact_user);
        let tag = self.peer.dialog.local().tag().unwrap_or_default();
        let response = dialog_response(core, &request, code.clamp(200, 699), tag, contact, None);
        core.layer.respond(server, &response, core.now.mono);
        // Who wants no NOTIFY is not sent any (RFC 4488 §4).
        let wanted = request.headers.text(&HeaderName::ReferSub).is_none_or(|text| text.trim() != "false");
        if response.is_success() && wanted {
            let number = request.headers.cseq().map_or(0, |cseq| cseq.number);
            let id = std::mem::replace(&mut self.refers.again, true).then_some(number);
            self.refers.theirs = Theirs::Owed { id };
        }
    }

    /// The owner tells how the peer's REFER goes; a final code is the last word.
    pub(super) fn notify(&mut self, id: SessionId, code: u16, core: &mut Core) {
        let Theirs::Owed { id: named } = &self.refers.theirs else { return };
        let event = named.map_or_else(|| "refer".to_owned(), |number| format!("refer;id={number}"));
        let last = code >= 200;
        let mut notify = self.peer.dialog.request(Method::Notify);
        notify.headers.push(HeaderName::Event, event);
        let state = match last {
            true => "terminated;reason=noresource".to_owned(),
            false => format!("active;expires={SUBSCRIBED_S}"),
        };
        notify.headers.push(HeaderName::SubscriptionState, state);
        let body = format!("SIP/2.0 {code} {}\r\n", reason_phrase(code));
        set_body(&mut notify, SIPFRAG, body.into_bytes());
        self.peer.send(notify, id, Purpose::Notify, core);
        if last {
            self.refers.theirs = Theirs::Idle;
        }
    }
}

/// The code in the first line of a fragment: `SIP/2.0 200 OK`.
fn sipfrag_code(body: &[u8]) -> Option<u16> {
    let line = body.split(|byte| matches!(byte, b'\r' | b'\n')).next()?;
    let text = std::str::from_utf8(line).ok()?;
    let code = text.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()?;
    (100..700).contains(&code).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_of_a_fragment() {
        for (body, code) in [
            (&b"SIP/2.0 200 OK\r\n"[..], Some(200)),
            (b"SIP/2.0 486 Busy Here\r\nContact: <sip:x@y>\r\n", Some(486)),
            (b"SIP/2.0 100\n", Some(100)),
            (b"SIP/2.0 99 No\r\n", None),
            (b"SIP/2.0 800 No\r\n", None),
            (b"INVITE sip:x SIP/2.0\r\n", None),
            (b"SIP/2.0 \xff\xff\xff", None),
            (b"", None),
        ] {
            assert_eq!(sipfrag_code(body), code, "{body:?}");
        }
    }
}
