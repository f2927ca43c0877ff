//! An answered session (RFC 3261 §12.2, §14, §15).

use base::Mono;
use serde::{Deserialize, Serialize};

use super::leaving::Leaving;
use super::offer::{Ours, Theirs, gone};
use super::refer::Refers;
use super::unacked::{Due, Unacked};
use super::{COMMAND_IGNORED, Next, Peer, State, dialog_response, reason, sdp_of, set_body, turn_away};
use crate::endpoint::{Command, Core, Ended, Event, Failure, Purpose, RequestId, SessionId};
use crate::transaction::ServerId;
use crate::{Flow, HeaderName, Headers, Method, Request, Response};

/// A session after its first 2xx.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Up {
    pub(super) peer: Peer,
    /// The flow of the latest message: our Contact is written for it.
    pub(super) flow: Flow,
    /// Our first INVITE and its CSeq, when we called: we made the Call-ID.
    pub(super) first: Option<(RequestId, u32)>,
    /// Our latest ACK and its CSeq, for 2xx that are repeated.
    pub(super) ack: Option<(u32, Request)>,
    /// CSeq of the INVITE whose ACK is the owner's to give, with the answer.
    pub(super) owed: Option<u32>,
    /// Our 2xx that waits for its ACK.
    pub(super) unacked: Option<Unacked>,
    pub(super) ours: Ours,
    pub(super) theirs: Option<Theirs>,
    pub(super) refers: Refers,
    /// The owner has said Bye, but BYE must wait for the ACK of our 2xx (§15). With the reason.
    pub(super) closing: Option<Option<(u16, String)>>,
}

impl Up {
    /// We were called and have just sent `response`; `offers`: it made the offer.
    pub(super) fn answered(
        peer: Peer,
        flow: Flow,
        server: ServerId,
        seq: u32,
        response: Response,
        offers: bool,
        now: Mono,
    ) -> Self {
        let unacked = Some(Unacked::new(server, seq, response, offers, now));
        Self { unacked, ..Self::new(peer, flow) }
    }

    /// We called and have just had a 2xx; `ack` has been sent, or is owed.
    pub(super) fn called(peer: Peer, flow: Flow, first: RequestId, seq: u32, ack: Option<Request>) -> Self {
        let owed = ack.is_none().then_some(seq);
        Self { first: Some((first, seq)), ack: ack.map(|ack| (seq, ack)), owed, ..Self::new(peer, flow) }
    }

    fn new(peer: Peer, flow: Flow) -> Self {
        Self {
            peer,
            flow,
            first: None,
            ack: None,
            owed: None,
            unacked: None,
            ours: Ours::Idle,
            theirs: None,
            refers: Refers::default(),
            closing: None,
        }
    }

    pub(super) fn on_command(&mut self, id: SessionId, command: Command, core: &mut Core) -> Next {
        if self.closing.is_some() {
            core.count(COMMAND_IGNORED);
            return None;
        }
        match command {
            Command::Bye { reason, .. } => return self.bye(id, reason, core),
            // Our Cancel has crossed the answer.
            Command::Cancel { .. } => return self.bye(id, None, core),
            Command::Ack { body, .. } => match self.owed.take() {
                Some(seq) => {
                    self.acknowledge(seq, body, core);
                    self.offer_if_free(id, core);
                }
                None => core.count(COMMAND_IGNORED),
            },
            Command::Offer { body, .. } => self.offer(id, body, core),
            Command::AnswerOffer { result, .. } => self.answer_offer(id, result, core),
            Command::Info { content_type, body, .. } => {
                let mut info = self.peer.dialog.request(Method::Info);
                set_body(&mut info, &content_type, body);
                self.peer.send(info, id, Purpose::Info, core);
            }
            Command::Refer { to, .. } => self.refer(id, &to, core),
            Command::AnswerRefer { code, .. } => self.answer_refer(code, core),
            Command::Notify { code, .. } => self.notify(id, code, core),
            Command::Progress { .. }
            | Command::Answer { .. }
            | Command::Refuse { .. }
            | Command::Invite(_) => core.count(COMMAND_IGNORED),
        }
        None
    }

    /// ACK of our 2xx.
    pub(super) fn on_ack(&mut self, id: SessionId, request: &Request, core: &mut Core) -> Next {
        let number = request.headers.cseq().map_or(0, |cseq| cseq.number);
        if !self.is_from_peer(request) {
            core.count("sip_acks_ignored");
            return None;
        }
        let Some(unacked) = self.unacked.take_if(|unacked| unacked.seq == number) else {
            core.count("sip_acks_repeated");
            return None;
        };
        if let Some(reason) = self.closing.take() {
            return self.bye(id, reason, core);
        }
        let answer = sdp_of(&request.headers, &request.body).unwrap_or(None);
        let offered = unacked.offers;
        core.tell(Event::Acked { session: id, offered, body: answer.filter(|_| offered) });
        self.offer_if_free(id, core);
        None
    }

    /// A request of the peer's other than ACK.
    pub(super) fn on_request(
        &mut self,
        id: SessionId,
        request: &Request,
        server: ServerId,
        flow: Flow,
        core: &mut Core,
    ) -> Next {
        if !self.is_from_peer(request) {
            core.reply(server, request, 481);
            return None;
        }
        if let Err(code) = self.peer.dialog.accept(&request.headers) {
            core.reply(server, request, code);
            return None;
        }
        // A phone may come back with another address or connection.
        self.flow = flow;
        if let Some(phone) = &mut self.peer.phone {
            phone.flow = flow;
        }
        if self.closing.is_some() && request.method != Method::Bye {
            // For its owner this session is over.
            core.reply(server, request, 481);
            return None;
        }
        match &request.method {
            Method::Bye => {
                core.reply(server, request, 200);
                let why = Ended::ByPeer { reason: reason::read(&request.headers) };
                return self.end(id, why, request.headers.clone(), false, core);
            }
            Method::Invite | Method::Update => match sdp_of(&request.headers, &request.body) {
                Err(_) => core.reply_unsupported_type(server, request),
                // Without an offer it only says where the peer is now (RFC 3311 §5.2).
                Ok(None) if request.method == Method::Update => {
                    self.peer.dialog.refresh_target(&request.headers);
                    let contact = core.contact(self.flow, &self.peer.contact_user);
                    let tag = self.peer.dialog.local().tag().unwrap_or_default();
                    let response = dialog_response(core, request, 200, tag, contact, None);
                    core.layer.respond(server, &response, core.now.mono);
                }
                Ok(sdp) => self.on_offer(id, request, server, sdp, core),
            },
            Method::Info => take_info(id, request, server, core),
            Method::Options => core.reply_options(server, request),
            Method::Refer => self.on_refer(id, request, server, core),
            Method::Notify => self.on_notify(id, request, server, core),
            Method::Ack
            | Method::Cancel
            | Method::Message
            | Method::Prack
            | Method::Publish
            | Method::Register
            | Method::Subscribe
            | Method::Other(_) => core.reply(server, request, 405),
        }
        None
    }

    pub(super) fn on_response(
        &mut self,
        id: SessionId,
        purpose: Purpose,
        request: RequestId,
        response: Response,
        core: &mut Core,
    ) -> Next {
        match (purpose, response.code) {
            (Purpose::Invite, _) => self.acknowledge_again(request, &response, core),
            (Purpose::Reinvite, _) => return self.on_offer_response(id, request, &response, core),
            (Purpose::Refer, _) => self.on_refer_response(id, request, &response, core),
            (Purpose::Info | Purpose::Notify, 401 | 407) => {
                self.peer.authorize(request, &response, core);
            }
            (Purpose::Info, 408) => {
                return self.end(id, Ended::TransactionTimeout, Headers::new(), true, core);
            }
            (Purpose::Info, 481) => return self.end(id, gone(&response), Headers::new(), false, core),
            (Purpose::Info | Purpose::Notify | Purpose::Bye, _) => {}
        }
        None
    }

    pub(super) fn on_failure(
        &mut self,
        id: SessionId,
        purpose: Purpose,
        request: RequestId,
        failure: Failure,
        core: &mut Core,
    ) -> Next {
        if purpose == Purpose::Refer {
            self.on_refer_failure(id, request, failure, core);
            return None;
        }
        let waited_for = match purpose {
            Purpose::Reinvite => matches!(self.ours, Ours::Sent { request: sent, .. } if sent == request),
            Purpose::Info => true,
            Purpose::Invite | Purpose::Bye | Purpose::Refer | Purpose::Notify => false,
        };
        if !waited_for {
            return None;
        }
        match failure {
            Failure::NoAnswer => self.end(id, Ended::TransactionTimeout, Headers::new(), true, core),
            Failure::Unreachable | Failure::Unresolved => {
                self.end(id, Ended::FlowLost, Headers::new(), false, core)
            }
        }
    }

    pub(super) fn on_unanswerable(&mut self, id: SessionId, server: ServerId, core: &mut Core) -> Next {
        self.theirs.take_if(|theirs| theirs.server == server);
        if self.unacked.as_ref().is_some_and(|unacked| unacked.server == server) {
            return self.end(id, Ended::FlowLost, Headers::new(), true, core);
        }
        None
    }

    pub(super) fn handle_timeout(&mut self, id: SessionId, core: &mut Core) -> Next {
        let now = core.now.mono;
        if let Some(unacked) = &mut self.unacked {
            let server = unacked.server;
            match unacked.handle_timeout(now) {
                Due::Nothing => {}
                Due::Repeat(response) => core.layer.respond(server, response, now),
                Due::GiveUp => return self.end(id, Ended::AckTimeout, Headers::new(), true, core),
            }
        }
        self.on_offer_timeout(id, core)
    }

    pub(super) fn poll_timeout(&self) -> Option<Mono> {
        let unacked = self.unacked.as_ref().map(Unacked::poll_timeout);
        [unacked, self.ours.poll_timeout()].into_iter().flatten().min()
    }

    /// A 2xx to an INVITE of ours that is acknowledged already, or another fork's (§13.2.2.4).
    pub(super) fn acknowledge_again(&self, request: RequestId, response: &Response, core: &mut Core) {
        if response.is_success() {
            acknowledge_again(&self.peer, self.ack.as_ref(), request, response, core);
        }
    }

    /// The session is over, and not by its owner's Bye, unless that is still waiting.
    pub(super) fn end(
        &mut self,
        id: SessionId,
        why: Ended,
        headers: Headers,
        bye: bool,
        core: &mut Core,
    ) -> Next {
        let reason = match self.closing.take() {
            Some(reason) => reason,
            None => {
                core.tell(Event::Ended { session: id, why, headers });
                None
            }
        };
        if bye {
            return Some(self.leave(id, reason, core));
        }
        self.clear_pending(core);
        Some(State::Over)
    }

    /// The owner ends the session. "The callee's UA MUST NOT send a BYE on a confirmed dialog until it has received
    /// an ACK for its 2xx response or until the server transaction times out" (§15).
    fn bye(&mut self, id: SessionId, reason: Option<(u16, String)>, core: &mut Core) -> Next {
        if self.unacked.is_some() {
            self.clear_pending(core);
            self.closing = Some(reason);
            return None;
        }
        Some(self.leave(id, reason, core))
    }

    fn leave(&mut self, id: SessionId, reason: Option<(u16, String)>, core: &mut Core) -> State {
        self.clear_pending(core);
        if let Some(seq) = self.owed.take() {
            self.acknowledge(seq, None, core);
        }
        let bye = self.peer.bye(id, reason, core);
        State::Leaving(Box::new(Leaving::new(bye, self.peer.clone(), self.ack.take())))
    }

    /// Offers in either direction are void.
    fn clear_pending(&mut self, core: &mut Core) {
        if let Some(theirs) = self.theirs.take() {
            core.reply(theirs.server, &theirs.request, 487);
        }
        if let Ours::Sent { request, .. } = std::mem::replace(&mut self.ours, Ours::Idle) {
            core.abandon(request);
        }
    }

    fn acknowledge(&mut self, seq: u32, sdp: Option<Vec<u8>>, core: &mut Core) {
        let invite = self.first.and_then(|(request, _)| core.request(request).cloned());
        self.ack = Some((seq, self.peer.ack(seq, invite.as_ref(), sdp, core)));
    }

    fn is_from_peer(&self, request: &Request) -> bool {
        let from = request.headers.from();
        from.is_ok_and(|from| from.tag().unwrap_or_default() == self.peer.dialog.remote_tag())
    }
}

/// Sends the ACK of this 2xx again when it is our dialog's; turns another fork's away.
pub(super) fn acknowledge_again(
    peer: &Peer,
    ack: Option<&(u32, Request)>,
    request: RequestId,
    response: &Response,
    core: &mut Core,
) {
    let (Ok(to), Ok(cseq)) = (response.headers.to(), response.headers.cseq()) else { return };
    if to.tag().unwrap_or_default() != peer.dialog.remote_tag() {
        turn_away(request, response, core);
        return;
    }
    // With none sent yet, the owner still owes it.
    if let Some((seq, ack)) = ack
        && *seq == cseq.number
    {
        core.dispatch(ack.clone(), None, peer.hop(core), crate::endpoint::User::Nobody);
    }
}

/// INFO from the peer. We announce no Info packages (RFC 6086 §4.2.2), so one that names a package is refused; the
/// usual DTMF has none.
pub(super) fn take_info(id: SessionId, request: &Request, server: ServerId, core: &mut Core) {
    if request.headers.has(&HeaderName::InfoPackage) {
        core.reply(server, request, 469);
        return;
    }
    core.reply(server, request, 200);
    let content_type = request.headers.text(&HeaderName::ContentType).unwrap_or_default().into_owned();
    core.tell(Event::Info { session: id, content_type, body: request.body.clone() });
}
