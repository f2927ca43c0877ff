//! The requests that are made from an INVITE and share its branch: the ACK of a refusal, and CANCEL.

use crate::{CSeq, HeaderName, Headers, Method, Request};

/// The ACK of a refusal: Request-URI, Call-ID, From, CSeq number, Route and the one Via of the INVITE, To of the
/// response (RFC 3261 §17.1.1.3).
pub(super) fn ack_of_refusal(invite: &Request, response: &Headers) -> Request {
    let mut ack = along(invite, Method::Ack);
    if let Some(to) = response.get(&HeaderName::To) {
        ack.headers.set(HeaderName::To, to.clone());
    }
    ack
}

/// The CANCEL of an INVITE (RFC 3261 §9.1): all of its ACK's headers, To as in the INVITE.
pub fn cancel_of(invite: &Request) -> Request {
    along(invite, Method::Cancel)
}

fn along(invite: &Request, method: Method) -> Request {
    let mut request = Request::new(method.clone(), invite.uri.clone());
    if let Some(via) = invite.headers.get(&HeaderName::Via) {
        request.headers.push(HeaderName::Via, via.clone());
    }
    for (name, value) in invite.headers.iter() {
        match name {
            HeaderName::MaxForwards
            | HeaderName::Route
            | HeaderName::From
            | HeaderName::To
            | HeaderName::CallId => request.headers.push(name.clone(), value.clone()),
            _ => {}
        }
    }
    if let Ok(cseq) = invite.headers.cseq() {
        request.headers.push(HeaderName::CSeq, CSeq { number: cseq.number, method });
    }
    request
}
