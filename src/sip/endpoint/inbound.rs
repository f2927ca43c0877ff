//! Requests from the network: whose are they, and may they (RFC 3261 §8.2, §9.2, §10.3, §12.2.2).
//!
//! Strangers are answered without a transaction (§8.2.7): whoever has not proved who it is takes no memory.

use super::capabilities::{ALLOW, describe, refuse_method, unsupported};
use super::{Caller, Endpoint, Event, SessionId};
use crate::dialog::Dialog;
use crate::session::{Called, NotSdp, Phone, SDP, Session, sdp_of};
use crate::transaction::{ServerId, Sighting};
use crate::{Challenger, Flow, HeaderName, Host, Method, Request, Scheme, Verdict};

/// Seconds after which one may try again when there is no room.
const RETRY_AFTER_S: u32 = 10;

impl Endpoint {
    pub(super) fn on_request(&mut self, mut request: Request, flow: Flow) {
        // The transport layer's part: where it really came from (§18.2.1, RFC 3581 §4).
        if let Ok(mut via) = request.headers.via() {
            via.stamp(flow.remote);
            request.headers.set_top_via(&via);
        }
        match self.core.layer.sight(&request, self.core.now.mono) {
            Sighting::Absorbed => return,
            Sighting::Merged => return self.refuse(&request, flow, 482, "sip_merged_requests"),
            Sighting::New => {}
        }
        if let Some(code) = refuse_method(&request.method) {
            return self.refuse_method(&request, flow, code);
        }
        let in_dialog = request.headers.to().is_ok_and(|to| to.tag().is_some());
        match request.method {
            Method::Ack => self.on_ack(&request, flow),
            Method::Cancel => self.on_cancel(&request, flow),
            Method::Register => self.on_register(&request, flow),
            Method::Subscribe => self.on_subscribe(&request, flow),
            _ if in_dialog => self.on_request_in_dialog(&request, flow),
            Method::Invite => self.on_invite(request, flow),
            Method::Options => self.on_options(&request, flow),
            // What remains makes sense inside a dialog only.
            _ => self.refuse(&request, flow, 481, "sip_requests_without_dialog"),
        }
    }

    fn on_ack(&mut self, ack: &Request, flow: Flow) {
        match self.session_of(ack) {
            Some(id) => self.with(id, |session, core| session.on_request(ack, None, flow, core)),
            None => self.core.count("sip_acks_ignored"),
        }
    }

    fn on_cancel(&mut self, cancel: &Request, flow: Flow) {
        let Some((user, invite)) = self.core.layer.cancelled_by(cancel) else {
            return self.refuse(cancel, flow, 481, "sip_cancels_too_late");
        };
        let Some(server) = self.open(cancel, flow) else { return };
        // Its To tag is that of the INVITE's answers (§9.2).
        let session = user.and_then(|id| self.sessions.get(&id));
        let tag = session.map(|session| session.local_tag().to_owned());
        let tag = tag.unwrap_or_else(|| self.core.tag());
        let response = self.core.response(cancel, 200, None, &tag);
        self.core.layer.respond(server, &response, self.core.now.mono);
        if let Some(id) = user {
            self.with(id, |session, core| session.on_cancel(invite, core));
        }
    }

    fn on_request_in_dialog(&mut self, request: &Request, flow: Flow) {
        let Some(id) = self.session_of(request) else {
            return self.refuse(request, flow, 481, "sip_requests_to_no_dialog");
        };
        let Some(server) = self.open(request, flow) else { return };
        if !self.refuse_extensions(request, server) {
            self.with(id, |session, core| session.on_request(request, Some(server), flow, core));
        }
    }

    fn on_options(&mut self, request: &Request, flow: Flow) {
        let mut response = self.core.response(request, 200, None, "");
        describe(&mut response);
        self.core.reply_stateless(request, flow, response);
    }

    fn on_register(&mut self, request: &Request, flow: Flow) {
        let Some(user) = self.authenticate(request, flow) else { return };
        let Some(server) = self.open(request, flow) else { return };
        if self.refuse_extensions(request, server) {
            return;
        }
        let ours = request.headers.to().is_ok_and(|to| self.is_ours(&to.uri.host, flow));
        let own = request.headers.from().is_ok_and(|from| from.uri.user_decoded() == user)
            && !self.core.config.callers_only.contains(&user);
        if !ours || !own {
            // An address of record that is not ours (§10.3 step 5), or registering somebody else, or one who may
            // only call (step 4).
            let (code, what) =
                if ours { (403, "sip_registers_of_others") } else { (404, "sip_registers_elsewhere") };
            self.core.count(what);
            return self.core.reply(server, request, code);
        }
        let mut response = self.core.registrar.handle_register(request, &user, flow, self.core.now);
        if response.code >= 300 {
            self.core.count("sip_registers_refused");
        }
        self.core.finish(&mut response);
        self.core.layer.respond(server, &response, self.core.now.mono);
    }

    fn on_invite(&mut self, mut invite: Request, flow: Flow) {
        // Before anything that costs: an overloaded box says so at once (§21.5.4).
        if self.sessions.len() >= self.core.config.limits.sessions_max {
            return self.refuse(&invite, flow, 503, "sip_sessions_full");
        }
        let own = self.own.remove(&invite.uri.user_decoded().into_owned()).is_some();
        let from = match self.trunk_at(flow) {
            _ if own => Caller::Own,
            Some(name) => Caller::Trunk { name },
            None => match self.authenticate(&invite, flow) {
                Some(user) => Caller::Phone { user },
                None => return,
            },
        };
        let Some(server) = self.open(&invite, flow) else { return };
        if let Some((code, what, counter)) = self.fault(&invite, &from, flow) {
            self.core.reject(what, counter, flow);
            return self.core.reply(server, &invite, code);
        }
        if self.refuse_extensions(&invite, server) {
            return self.core.tell(Event::Rejected { what: "unsupported extension", flow });
        }
        match sdp_of(&invite.headers, &invite.body) {
            Ok(sdp) => invite.body = sdp.unwrap_or_default(),
            Err(NotSdp) => {
                self.core.tell(Event::Rejected { what: "unsupported body", flow });
                return self.core.reply_unsupported_type(server, &invite);
            }
        }
        if !invite.body.is_empty() {
            invite.headers.set(HeaderName::ContentType, SDP);
        }
        // They have served; nobody further on is to see or log them.
        invite.headers.remove(&HeaderName::Authorization);
        invite.headers.remove(&HeaderName::ProxyAuthorization);
        let tag = self.core.tag();
        // Our own CSeq may begin anywhere (§12.1.1).
        let Ok(dialog) = Dialog::uas(&invite, &tag, 0) else {
            self.core.reject("INVITE without Contact", "sip_invites_without_contact", flow);
            return self.core.reply(server, &invite, 400);
        };
        let id = SessionId(SessionId::INCOMING.0 + self.core.number());
        self.core.layer.belongs_to(server, id);
        let phone = match &from {
            Caller::Phone { user } => Some(Phone { user: user.clone(), flow }),
            Caller::Trunk { .. } | Caller::Own => None,
        };
        let called = Called::new(invite.clone(), server, dialog, flow, phone, self.core.now.mono);
        self.insert(id, Session::called(id, called));
        self.core.tell(Event::Incoming { session: id, request: Box::new(invite), flow, from });
    }

    /// What is wrong with an INVITE, besides extensions and body.
    fn fault(
        &self,
        invite: &Request,
        from: &Caller,
        flow: Flow,
    ) -> Option<(u16, &'static str, &'static str)> {
        match invite.uri.scheme {
            Scheme::Sip | Scheme::Sips | Scheme::Tel => {}
            Scheme::Other(_) => return Some((416, "unsupported URI scheme", "sip_unsupported_schemes")),
        }
        // A trunk may call us by any name it likes; a phone that wants another domain wants a proxy.
        let elsewhere = invite.uri.is_sip() && !self.is_ours(&invite.uri.host, flow);
        if elsewhere && matches!(from, Caller::Phone { .. }) {
            return Some((404, "call to another domain", "sip_invites_elsewhere"));
        }
        // We call on, so we count hops as a proxy does (RFC 7332).
        if invite.headers.max_forwards() == Ok(Some(0)) {
            return Some((483, "too many hops", "sip_too_many_hops"));
        }
        // What was sent to ourselves has come, not come back.
        (*from != Caller::Own && self.core.is_loop(invite)).then_some((482, "loop", "sip_loops"))
    }

    /// Who sends this request; `None` when it has been answered, or dropped.
    pub(super) fn authenticate(&mut self, request: &Request, flow: Flow) -> Option<String> {
        let now = self.core.now.mono;
        if self.guard.is_banned(flow.remote.ip(), now) {
            self.core.count("sip_banned");
            return None;
        }
        let stale = match self.authenticator.verify(request, Challenger::Server, &self.core.config.users, now)
        {
            Verdict::Accepted { user } => return Some(user),
            Verdict::Missing => false,
            Verdict::Stale => true,
            Verdict::Wrong { user: _ } => {
                self.core.reject("bad password", "sip_bad_passwords", flow);
                if self.guard.bad_password(flow.remote.ip(), &self.core.config.limits, now) {
                    self.core.reject("banned", "sip_bans", flow);
                }
                false
            }
            Verdict::Malformed(why) => {
                self.core.count("sip_malformed_credentials");
                let response = self.core.response(request, 400, Some(why), "");
                self.core.reply_stateless(request, flow, response);
                return None;
            }
        };
        self.core.count("sip_challenges");
        let response = self.authenticator.challenge(request, Challenger::Server, stale, now);
        self.core.reply_stateless(request, flow, response);
        None
    }

    /// The trunk whose calls come from there.
    fn trunk_at(&self, flow: Flow) -> Option<String> {
        let from = flow.remote.ip();
        let trunk = self
            .core
            .config
            .trunks
            .iter()
            .find(|trunk| trunk.accept_from.iter().any(|net| net.contains(from)));
        trunk.map(|trunk| trunk.name.clone())
    }

    fn is_ours(&self, host: &Host, flow: Flow) -> bool {
        let config = &self.core.config;
        let name = host.to_string().to_ascii_lowercase();
        if config.domains.is_empty() || config.domains.contains(&name) {
            return true;
        }
        let ours =
            || config.listen.iter().map(|(_, address)| address.ip()).chain(config.addresses.iter().copied());
        host.ip().is_some_and(|ip| ip == flow.local.ip() || ours().any(|our| our == ip))
    }

    /// The session whose dialog a request names by Call-ID and our tag.
    fn session_of(&self, request: &Request) -> Option<SessionId> {
        let tag = request.headers.to().ok()?.tag()?.to_owned();
        self.dialogs.get(&(request.headers.call_id().ok()?, tag)).copied()
    }

    /// Makes the transaction of a request that is worth one.
    pub(super) fn open(&mut self, request: &Request, flow: Flow) -> Option<ServerId> {
        let server = self.core.layer.open(request, flow, self.core.now.mono).ok();
        if server.is_none() {
            self.refuse(request, flow, 503, "sip_transactions_full");
        }
        server
    }

    /// Whether a request wanted extensions we do not have, and was refused for that (§8.2.2.3).
    pub(super) fn refuse_extensions(&mut self, request: &Request, server: ServerId) -> bool {
        let unsupported = unsupported(&request.headers, &self.core.config.extensions);
        if unsupported.is_empty() {
            return false;
        }
        self.core.count("sip_unsupported_extensions");
        let tag = self.core.tag();
        let mut response = self.core.response(request, 420, None, &tag);
        response.headers.push(HeaderName::Unsupported, unsupported.join(", "));
        self.core.layer.respond(server, &response, self.core.now.mono);
        true
    }

    fn refuse_method(&mut self, request: &Request, flow: Flow, code: u16) {
        self.core.count("sip_methods_refused");
        let mut response = self.core.response(request, code, None, "");
        response.headers.push(HeaderName::Allow, ALLOW);
        self.core.reply_stateless(request, flow, response);
    }

    /// Refuses and forgets. An ACK is never answered (§17).
    fn refuse(&mut self, request: &Request, flow: Flow, code: u16, counter: &'static str) {
        self.core.count(counter);
        if request.method == Method::Ack {
            return;
        }
        let mut response = self.core.response(request, code, None, "");
        if code == 503 {
            response.headers.push(HeaderName::RetryAfter, RETRY_AFTER_S);
        }
        self.core.reply_stateless(request, flow, response);
    }
}
