//! The owner's INVITEs: from [`Outgoing`] to a request on its way.

use super::outbound::{Hop, Purpose, User};
use super::recording;
use super::{ALLOW, Destination, Endpoint, Event, Outgoing, SessionId};
use crate::dialog::MAX_FORWARDS;
use crate::session::{Calling, Phone, SDP, Session};
use crate::{CSeq, DigestClient, HeaderName, Headers, Method, NameAddr, Request, Uri, reason_phrase};

/// CSeq of the first request of a dialog; any number would do (RFC 3261 §8.1.1.5).
const FIRST_SEQ: u32 = 1;

/// Where an INVITE goes.
struct Target {
    uri: Uri,
    routes: Vec<String>,
    hop: Hop,
    /// The phone of ours it is, if it is one.
    phone: Option<Phone>,
    credentials: Option<(String, String)>,
}

impl Endpoint {
    pub(super) fn invite(&mut self, outgoing: Outgoing) {
        let id = outgoing.session;
        if self.sessions.contains_key(&id) || id >= SessionId::INCOMING {
            self.core.count("sip_invites_with_bad_session");
            return;
        }
        if self.sessions.len() >= self.core.config.limits.sessions_max {
            self.core.count("sip_sessions_full");
            return self.refused(id, 503);
        }
        let target = match self.target(outgoing.to) {
            Ok(target) => target,
            Err(code) => return self.refused(id, code),
        };
        let (call_id, tag) = (self.core.rng.hex(32), self.core.tag());
        let contact_user = outgoing.from.uri.user_decoded().into_owned();
        let to = outgoing.to_header.unwrap_or_else(|| NameAddr::new(target.uri.clone()));
        let offered = outgoing.body.is_some();

        let mut invite = Request::new(Method::Invite, target.uri);
        let headers = &mut invite.headers;
        for route in target.routes {
            headers.push(HeaderName::Route, route);
        }
        headers.push(HeaderName::MaxForwards, MAX_FORWARDS);
        headers.push(HeaderName::From, outgoing.from.with_tag(&tag));
        headers.push(HeaderName::To, to);
        headers.push(HeaderName::CallId, call_id.as_str());
        headers.push(HeaderName::CSeq, CSeq { number: FIRST_SEQ, method: Method::Invite });
        headers.push(HeaderName::Allow, ALLOW);
        for (name, value) in outgoing.headers {
            // However it was made, a known name counts as known.
            match HeaderName::from(name.as_str()) {
                // A call that goes on brings the hops it has left (RFC 7332).
                HeaderName::MaxForwards => headers.set(name, value),
                name if is_ours_to_write(&name) => self.core.count("sip_headers_ignored"),
                name => headers.push(name, value),
            }
        }
        match (outgoing.body, outgoing.recording) {
            (Some(offer), Some(metadata)) => {
                recording::describe(&mut invite, &offer, &metadata, &self.core.rng.hex(16));
            }
            (Some(offer), None) => {
                headers.push(HeaderName::ContentType, SDP);
                invite.body = offer;
            }
            (None, _) => {}
        }
        let digest = outgoing.credentials.or(target.credentials);
        let digest = digest.map(|(user, password)| DigestClient::new(&user, &password));
        let user = User::Session(id, Purpose::Invite);
        let request = self.core.dispatch(invite, Some(&contact_user), target.hop, user);
        let now = self.core.now.mono;
        let calling = Calling::new(request, FIRST_SEQ, offered, digest, target.phone, contact_user, now);
        self.insert(id, Session::calling(id, call_id, tag, calling));
    }

    fn target(&self, to: Destination) -> Result<Target, u16> {
        match to {
            Destination::Contact(binding) => Ok(Target {
                uri: binding.contact.for_request(),
                routes: binding.path,
                hop: Hop::Flow(binding.flow),
                phone: Some(Phone { user: binding.user, flow: binding.flow }),
                credentials: None,
            }),
            Destination::Uri(uri) if uri.is_sip() => Ok(Target {
                uri: uri.for_request(),
                routes: Vec::new(),
                hop: Hop::Uri(uri),
                phone: None,
                credentials: None,
            }),
            Destination::Uri(_) => Err(416),
            Destination::Trunk { trunk, user } => {
                let config = self.core.config.trunks.iter().find(|config| config.name == trunk);
                let config = config.ok_or(503u16)?;
                let address = &config.address;
                let mut uri = Uri::sip(&user, address.host.clone(), address.port);
                uri.scheme = address.scheme.clone();
                uri.params = address.params.clone();
                Ok(Target {
                    uri,
                    routes: Vec::new(),
                    hop: Hop::Uri(address.clone()),
                    phone: None,
                    credentials: config.username.clone().zip(config.password.clone()),
                })
            }
        }
    }

    fn refused(&mut self, session: SessionId, code: u16) {
        let reason = reason_phrase(code).to_owned();
        self.core.tell(Event::Refused { session, code, reason, headers: Headers::new() });
    }
}

/// Headers an owner may not set: they would break the dialog or the message.
pub(crate) fn is_ours_to_write(name: &HeaderName) -> bool {
    matches!(
        name,
        HeaderName::Via
            | HeaderName::From
            | HeaderName::To
            | HeaderName::CallId
            | HeaderName::CSeq
            | HeaderName::Contact
            | HeaderName::Route
            | HeaderName::RecordRoute
            | HeaderName::Allow
            | HeaderName::Require
            | HeaderName::ContentLength
            | HeaderName::ContentType
            | HeaderName::ContentEncoding
            | HeaderName::Authorization
            | HeaderName::ProxyAuthorization
            | HeaderName::UserAgent
    )
}
