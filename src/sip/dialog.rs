//! Dialogs: what two ends agree on between a session's requests (RFC 3261 §12).
//!
//! Here are the tags, both CSeq counts, the route set and the remote target; who may send what when is the
//! session's.

use serde::{Deserialize, Serialize};

use crate::{CSeq, HeaderError, HeaderName, Headers, Method, NameAddr, Request, Response, Uri};

/// Hops a request of ours may take (RFC 3261 §8.1.1.6).
pub const MAX_FORWARDS: u32 = 70;

/// One dialog, early or confirmed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dialog {
    call_id: String,
    /// From of our requests, with our tag.
    local: NameAddr,
    /// To of our requests, with the peer's tag; a peer of RFC 2543 has none.
    remote: NameAddr,
    local_seq: u32,
    remote_seq: Option<u32>,
    remote_target: Uri,
    route_set: Vec<NameAddr>,
}

impl Dialog {
    /// The dialog an INVITE makes when we answer it with `local_tag` (§12.1.1). An INVITE without Contact cannot
    /// make one.
    pub fn uas(invite: &Request, local_tag: &str, local_seq: u32) -> Result<Self, HeaderError> {
        let headers = &invite.headers;
        let contact = headers.contacts()?.into_iter().next();
        Ok(Self {
            call_id: headers.call_id()?,
            local: headers.to()?.with_tag(local_tag),
            remote: headers.from()?,
            local_seq,
            remote_seq: Some(headers.cseq()?.number),
            remote_target: contact.ok_or(HeaderError::Missing(HeaderName::Contact))?.uri,
            route_set: headers.record_routes()?,
        })
    }

    /// The dialog a response to our INVITE makes (§12.1.2). A 2xx must have a Contact; the Request-URI stands in
    /// for a missing one, for such peers exist and are called.
    pub fn uac(invite: &Request, response: &Response) -> Result<Self, HeaderError> {
        let headers = &response.headers;
        let contact = headers.contacts()?.into_iter().next();
        let mut route_set = headers.record_routes()?;
        route_set.reverse();
        Ok(Self {
            call_id: invite.headers.call_id()?,
            local: invite.headers.from()?,
            remote: headers.to()?,
            local_seq: invite.headers.cseq()?.number,
            remote_seq: None,
            remote_target: contact.map_or_else(|| invite.uri.clone(), |contact| contact.uri),
            route_set,
        })
    }

    /// Call-ID.
    pub fn call_id(&self) -> &str {
        &self.call_id
    }

    /// Our end, with our tag.
    pub fn local(&self) -> &NameAddr {
        &self.local
    }

    /// The peer's end.
    pub fn remote(&self) -> &NameAddr {
        &self.remote
    }

    /// The peer's tag; empty when it has none (RFC 2543).
    pub fn remote_tag(&self) -> &str {
        self.remote.tag().unwrap_or_default()
    }

    /// The CSeq of our latest request.
    pub fn local_seq(&self) -> u32 {
        self.local_seq
    }

    /// Where a request goes first: the top of the route set, or the remote target (§12.2.1.1).
    pub fn next_hop(&self) -> &Uri {
        self.route_set.first().map_or(&self.remote_target, |route| &route.uri)
    }

    /// A new request inside the dialog, without Via and Contact; counts CSeq up.
    pub fn request(&mut self, method: Method) -> Request {
        self.local_seq += 1;
        self.request_numbered(method, self.local_seq)
    }

    /// The ACK of a 2xx to our INVITE with this CSeq (§13.2.2.4).
    pub fn ack(&self, invite_seq: u32) -> Request {
        self.request_numbered(Method::Ack, invite_seq)
    }

    /// Notes that a request of ours was repeated with the next CSeq, as after a challenge (§22.2).
    pub fn next_seq(&mut self) -> u32 {
        self.local_seq += 1;
        self.local_seq
    }

    /// Whether a request of the peer's comes in order; `Err` is the code to refuse it with (§12.2.2). ACK and CANCEL
    /// have their INVITE's number and are not asked about.
    pub fn accept(&mut self, headers: &Headers) -> Result<(), u16> {
        let number = headers.cseq().map_err(|_| 400u16)?.number;
        match self.remote_seq {
            Some(last) if number < last => Err(500),
            Some(_) | None => {
                self.remote_seq = Some(number);
                Ok(())
            }
        }
    }

    /// Takes the remote target from a target refresh request or its 2xx (§12.2).
    pub fn refresh_target(&mut self, headers: &Headers) {
        if let Ok(Some(contact)) = headers.contacts().map(|contacts| contacts.into_iter().next()) {
            self.remote_target = contact.uri;
        }
    }

    fn request_numbered(&self, method: Method, number: u32) -> Request {
        let (uri, routes) = self.request_uri_and_routes();
        let mut request = Request::new(method.clone(), uri);
        for route in routes {
            request.headers.push(HeaderName::Route, route);
        }
        request.headers.push(HeaderName::MaxForwards, MAX_FORWARDS);
        request.headers.push(HeaderName::From, &self.local);
        request.headers.push(HeaderName::To, &self.remote);
        request.headers.push(HeaderName::CallId, self.call_id.as_str());
        request.headers.push(HeaderName::CSeq, CSeq { number, method });
        request
    }

    /// §12.2.1.1: a loose router (`;lr`) finds the target in the Request-URI; a strict one wants itself there and
    /// the target at the end of the route.
    fn request_uri_and_routes(&self) -> (Uri, Vec<NameAddr>) {
        match self.route_set.split_first() {
            Some((first, rest)) if !first.uri.params.has("lr") => {
                let mut routes = rest.to_vec();
                routes.push(NameAddr::new(self.remote_target.clone()));
                (first.uri.for_request(), routes)
            }
            Some(_) | None => (self.remote_target.for_request(), self.route_set.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Decoded, Message, decode};

    fn message(text: &str) -> Message {
        match decode(text.replace('\n', "\r\n").as_bytes()) {
            Decoded::Message(message) => message,
            other => panic!("{other:?}"),
        }
    }

    fn invite(record_routes: &str) -> Request {
        let text = format!(
            "INVITE sip:bob@here SIP/2.0\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\n{record_routes}\
             From: Alice <sip:alice@there>;tag=at\nTo: <sip:bob@here>\nCall-ID: id\nCSeq: 314 INVITE\n\
             Contact: <sip:alice@192.0.2.4>\n\n"
        );
        match message(&text) {
            Message::Request(request) => request,
            Message::Response(_) => unreachable!(),
        }
    }

    fn routes(request: &Request) -> Vec<String> {
        request.headers.routes().unwrap().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_called_side_sends_along_record_route_as_it_stands() {
        let invite = invite("Record-Route: <sip:p2;lr>, <sip:p1;lr>\n");
        let mut dialog = Dialog::uas(&invite, "bt", 99).unwrap();
        let bye = dialog.request(Method::Bye);
        assert_eq!(bye.uri.to_string(), "sip:alice@192.0.2.4");
        assert_eq!(routes(&bye), ["<sip:p2;lr>", "<sip:p1;lr>"]);
        assert_eq!(dialog.next_hop().to_string(), "sip:p2;lr");
        assert_eq!(bye.headers.from().unwrap().to_string(), "<sip:bob@here>;tag=bt");
        assert_eq!(bye.headers.to().unwrap().tag(), Some("at"));
        assert_eq!(bye.headers.cseq().unwrap(), CSeq { number: 100, method: Method::Bye });
    }

    #[test]
    fn the_calling_side_turns_record_route_round() {
        let text = "SIP/2.0 200 OK\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\nRecord-Route: <sip:p2;lr>\n\
                    Record-Route: <sip:p1;lr>\nFrom: <sip:alice@there>;tag=at\nTo: <sip:bob@here>;tag=bt\n\
                    Call-ID: id\nCSeq: 314 INVITE\nContact: <sip:bob@192.0.2.9:5070;transport=tcp>\n\n";
        let Message::Response(response) = message(text) else { unreachable!() };
        let dialog = Dialog::uac(&invite(""), &response).unwrap();
        let ack = dialog.ack(314);
        assert_eq!(ack.uri.to_string(), "sip:bob@192.0.2.9:5070;transport=tcp");
        assert_eq!(routes(&ack), ["<sip:p1;lr>", "<sip:p2;lr>"]);
        assert_eq!(ack.headers.cseq().unwrap(), CSeq { number: 314, method: Method::Ack });
        assert_eq!(dialog.remote_tag(), "bt");
    }

    #[test]
    fn a_strict_router_gets_itself_as_request_uri() {
        let invite = invite("Record-Route: <sip:p2?X=1>, <sip:p1;lr>\n");
        let mut dialog = Dialog::uas(&invite, "bt", 1).unwrap();
        let bye = dialog.request(Method::Bye);
        assert_eq!(bye.uri.to_string(), "sip:p2");
        assert_eq!(routes(&bye), ["<sip:p1;lr>", "<sip:alice@192.0.2.4>"]);
        assert_eq!(dialog.next_hop().host.to_string(), "p2");
    }

    #[test]
    fn requests_out_of_order_are_refused() {
        let mut invite = invite("");
        let mut dialog = Dialog::uas(&invite, "bt", 1).unwrap();
        for (number, accepted) in
            [(315, Ok(())), (314, Err(500)), (315, Ok(())), (400, Ok(())), (399, Err(500))]
        {
            invite.headers.set(HeaderName::CSeq, format!("{number} INVITE"));
            assert_eq!(dialog.accept(&invite.headers), accepted, "{number}");
        }
    }

    #[test]
    fn an_invite_without_contact_makes_no_dialog() {
        let mut invite = invite("");
        invite.headers.remove(&HeaderName::Contact);
        assert_eq!(Dialog::uas(&invite, "bt", 1), Err(HeaderError::Missing(HeaderName::Contact)));
    }
}
