//! INVITE sessions: from the first INVITE to the BYE, in either role (RFC 3261 §13 to §15).
//!
//! ```text
//!   INVITE from a peer ─► Called ──Answer──► Up ──Bye───► Leaving ─► over
//!                           │ Refuse,         │ BYE from
//!                           │ CANCEL          │ the peer
//!                           ▼                 ▼
//!   Invite ───────────► Calling ──2xx──────► Up
//!                           │ 300-699, Cancel
//!                           ▼
//!                          over
//! ```
//!
//! A session is told of requests, responses, failures and time by the endpoint, which has matched them to it, and
//! acts through [`Core`]. Bodies are opaque: what an offer offers is the owner's.

mod body;
mod called;
mod calling;
mod leaving;
mod offer;
mod reason;
mod refer;
mod unacked;
mod up;

use base::Mono;
use serde::{Deserialize, Serialize};

pub(crate) use body::{NotSdp, SDP, sdp_of};
pub(crate) use called::Called;
pub(crate) use calling::Calling;
use leaving::Leaving;
use up::Up;

use crate::dialog::Dialog;
use crate::endpoint::{Command, Core, Failure, Hop, Purpose, RequestId, SessionId, User};
use crate::transaction::ServerId;
use crate::{Flow, HeaderName, Method, Request, Response};

/// One INVITE session.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Session {
    id: SessionId,
    /// With our tag the name of its dialogs, early and confirmed.
    call_id: String,
    local_tag: String,
    state: State,
}

#[derive(Debug, Serialize, Deserialize)]
enum State {
    /// We are called and have not answered.
    Called(Box<Called>),
    /// We call and have no final answer.
    Calling(Box<Calling>),
    /// Answered.
    Up(Box<Up>),
    /// Our BYE is out.
    Leaving(Box<Leaving>),
    /// Nothing more will happen.
    Over,
}

/// What becomes of a session after an input: `None`, it stays what it is.
type Next = Option<State>;

impl Session {
    /// A session for an INVITE that has been let in.
    pub(crate) fn called(id: SessionId, called: Called) -> Self {
        let (call_id, local_tag) = (called.dialog.call_id().to_owned(), called.local_tag.clone());
        Self { id, call_id, local_tag, state: State::Called(Box::new(called)) }
    }

    /// A session for an INVITE of ours.
    pub(crate) fn calling(id: SessionId, call_id: String, local_tag: String, calling: Calling) -> Self {
        Self { id, call_id, local_tag, state: State::Calling(Box::new(calling)) }
    }

    /// Whether whoever we call has shown a sign of life: any response at all.
    pub(crate) fn is_reached(&self) -> bool {
        match &self.state {
            State::Calling(calling) => calling.is_reached(),
            State::Called(_) | State::Up(_) | State::Leaving(_) | State::Over => true,
        }
    }

    /// Call-ID and our tag.
    pub(crate) fn key(&self) -> (String, String) {
        (self.call_id.clone(), self.local_tag.clone())
    }

    /// Call-ID, our tag, the peer's, once it is answered.
    pub(crate) fn dialog(&self) -> Option<(String, String, String)> {
        let State::Up(up) = &self.state else { return None };
        let (call_id, local) = self.key();
        Some((call_id, local, up.peer.dialog.remote_tag().to_owned()))
    }

    /// Our tag.
    pub(crate) fn local_tag(&self) -> &str {
        &self.local_tag
    }

    /// Whether it can be forgotten.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    /// The owner wants something.
    pub(crate) fn on_command(&mut self, command: Command, core: &mut Core) {
        let id = self.id;
        let next = match &mut self.state {
            State::Called(called) => called.on_command(command, core),
            State::Calling(calling) => calling.on_command(id, command, core),
            State::Up(up) => up.on_command(id, command, core),
            State::Leaving(_) | State::Over => {
                core.count(COMMAND_IGNORED);
                None
            }
        };
        self.go(next);
    }

    /// A request inside one of its dialogs; `server` is `None` for ACK alone.
    pub(crate) fn on_request(
        &mut self,
        request: &Request,
        server: Option<ServerId>,
        flow: Flow,
        core: &mut Core,
    ) {
        let id = self.id;
        let Some(server) = server else {
            if let State::Up(up) = &mut self.state {
                let next = up.on_ack(id, request, core);
                self.go(next);
            } else {
                core.count("sip_acks_ignored");
            }
            return;
        };
        let next = match &mut self.state {
            State::Called(called) => called.on_request(id, request, server, core),
            State::Calling(calling) => calling.on_request(id, request, server, core),
            State::Up(up) => up.on_request(id, request, server, flow, core),
            State::Leaving(leaving) => leaving.on_request(request, server, core),
            State::Over => {
                core.reply(server, request, 481);
                None
            }
        };
        self.go(next);
    }

    /// CANCEL for one of its INVITEs; the CANCEL itself has been answered (§9.2).
    pub(crate) fn on_cancel(&mut self, invite: ServerId, core: &mut Core) {
        let id = self.id;
        let next = match &mut self.state {
            State::Called(called) => called.on_cancel(id, core),
            State::Up(up) => {
                up.on_cancel(invite, core);
                None
            }
            State::Calling(_) | State::Leaving(_) | State::Over => None,
        };
        self.go(next);
    }

    /// A response to one of its requests.
    pub(crate) fn on_response(
        &mut self,
        purpose: Purpose,
        request: RequestId,
        response: Response,
        core: &mut Core,
    ) {
        let id = self.id;
        let next = match &mut self.state {
            State::Calling(calling) => calling.on_response(id, request, response, core),
            State::Up(up) => up.on_response(id, purpose, request, response, core),
            State::Leaving(leaving) => leaving.on_response(purpose, request, &response, core),
            State::Called(_) | State::Over => None,
        };
        self.go(next);
    }

    /// One of its requests has no answer.
    pub(crate) fn on_failure(
        &mut self,
        purpose: Purpose,
        request: RequestId,
        failure: Failure,
        core: &mut Core,
    ) {
        let id = self.id;
        let next = match &mut self.state {
            State::Calling(calling) => calling.on_failure(id, request, failure, core),
            State::Up(up) => up.on_failure(id, purpose, request, failure, core),
            State::Leaving(leaving) => leaving.on_failure(request),
            State::Called(_) | State::Over => None,
        };
        self.go(next);
    }

    /// The answer to one of the peer's INVITEs cannot be delivered.
    pub(crate) fn on_unanswerable(&mut self, server: ServerId, core: &mut Core) {
        let id = self.id;
        let next = match &mut self.state {
            State::Called(called) => called.on_unanswerable(id, core),
            State::Up(up) => up.on_unanswerable(id, server, core),
            State::Calling(_) | State::Leaving(_) | State::Over => None,
        };
        self.go(next);
    }

    /// Time has passed.
    pub(crate) fn handle_timeout(&mut self, core: &mut Core) {
        let id = self.id;
        let next = match &mut self.state {
            State::Called(called) => called.handle_timeout(id, core),
            State::Calling(calling) => calling.handle_timeout(id, core),
            State::Up(up) => up.handle_timeout(id, core),
            State::Leaving(_) | State::Over => None,
        };
        self.go(next);
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due.
    pub(crate) fn poll_timeout(&self) -> Option<Mono> {
        match &self.state {
            State::Called(called) => called.poll_timeout(),
            State::Calling(calling) => Some(calling.poll_timeout()),
            State::Up(up) => up.poll_timeout(),
            // The BYE's own transaction ends it.
            State::Leaving(_) | State::Over => None,
        }
    }

    fn go(&mut self, next: Next) {
        if let Some(state) = next {
            self.state = state;
        }
    }
}

/// A phone of ours at the other end. It is reached the way it reached us, for its Contact may mean nothing outside its
/// network (RFC 5626 §5.3).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Phone {
    /// Whose it is.
    pub(crate) user: String,
    /// The flow of its latest message in the session.
    pub(crate) flow: Flow,
}

/// What an answered session and one that is being left have: a dialog and the way its requests go.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Peer {
    dialog: Dialog,
    /// `None`: requests go where the dialog says.
    phone: Option<Phone>,
    /// Answers challenges to our requests.
    digest: Option<crate::DigestClient>,
    /// The user part of our Contact.
    contact_user: String,
}

impl Peer {
    /// Where its requests go. A phone whose connection has broken has come back with another by registering.
    fn hop(&self, core: &Core) -> Hop {
        let next = self.dialog.next_hop();
        match &self.phone {
            Some(phone) if phone.flow.transport.is_reliable() => {
                Hop::Flow(core.registered_flow(&phone.user, next).unwrap_or(phone.flow))
            }
            Some(phone) => Hop::Flow(phone.flow),
            None => Hop::Uri(next.clone()),
        }
    }

    /// Sends a request inside the dialog.
    fn send(&self, request: Request, id: SessionId, purpose: Purpose, core: &mut Core) -> RequestId {
        let names_contact = matches!(purpose, Purpose::Reinvite | Purpose::Refer | Purpose::Notify);
        let contact = names_contact.then_some(self.contact_user.as_str());
        core.dispatch(request, contact, self.hop(core), User::Session(id, purpose))
    }

    /// Sends the ACK of a 2xx.
    fn ack(&self, seq: u32, invite: Option<&Request>, sdp: Option<Vec<u8>>, core: &mut Core) -> Request {
        let mut ack = ack_of(&self.dialog, seq, invite);
        set_sdp(&mut ack, sdp);
        core.dispatch(ack.clone(), None, self.hop(core), User::Nobody);
        ack
    }

    /// Sends BYE.
    fn bye(&mut self, id: SessionId, reason: Option<(u16, String)>, core: &mut Core) -> RequestId {
        let mut bye = self.dialog.request(Method::Bye);
        if let Some((cause, text)) = reason {
            bye.headers.push(HeaderName::Reason, reason::write(cause, &text));
        }
        self.send(bye, id, Purpose::Bye, core)
    }

    /// Sends a challenged request again, if we have credentials that were not refused yet.
    fn authorize(&mut self, request: RequestId, response: &Response, core: &mut Core) -> Option<RequestId> {
        let digest = self.digest.as_mut()?;
        if digest.on_response(response) != crate::DigestStep::Retry {
            return None;
        }
        core.retry(request, self.dialog.next_seq(), digest)
    }
}

/// Acknowledges and ends a call nobody waits for: another fork's answer, or one that came after we gave up
/// (§13.2.2.4).
pub(crate) fn turn_away(request: RequestId, response: &Response, core: &mut Core) {
    let Some(invite) = core.request(request) else { return };
    let Ok(mut dialog) = Dialog::uac(invite, response) else {
        core.count("sip_forks_without_dialog");
        return;
    };
    let ack = ack_of(&dialog, dialog.local_seq(), Some(invite));
    let hop = core.direct_flow(request).map_or_else(|| Hop::Uri(dialog.next_hop().clone()), Hop::Flow);
    core.dispatch(ack, None, hop.clone(), User::Nobody);
    core.dispatch(dialog.request(Method::Bye), None, hop, User::Nobody);
}

/// The ACK of a 2xx; it carries the INVITE's credentials (§22.1).
fn ack_of(dialog: &Dialog, seq: u32, invite: Option<&Request>) -> Request {
    let mut ack = dialog.ack(seq);
    for name in [HeaderName::Authorization, HeaderName::ProxyAuthorization] {
        for value in invite.iter().flat_map(|invite| invite.headers.all(&name)) {
            ack.headers.push(name.clone(), value.clone());
        }
    }
    ack
}

/// Writes an SDP body, or none.
fn set_sdp(request: &mut Request, sdp: Option<Vec<u8>>) {
    if let Some(sdp) = sdp {
        set_body(request, SDP, sdp);
    }
}

fn set_body(request: &mut Request, content_type: &str, body: Vec<u8>) {
    request.headers.set(HeaderName::ContentType, content_type);
    request.body = body;
}

/// A response inside a dialog or making one: our tag, Contact, Record-Route (§12.1.1), and SDP.
fn dialog_response(
    core: &Core,
    request: &Request,
    code: u16,
    tag: &str,
    contact: crate::NameAddr,
    sdp: Option<Vec<u8>>,
) -> Response {
    let mut response = core.response(request, code, None, tag);
    for route in request.headers.all(&HeaderName::RecordRoute) {
        response.headers.push(HeaderName::RecordRoute, route.clone());
    }
    response.headers.push(HeaderName::Contact, contact);
    response.headers.push(HeaderName::Allow, crate::endpoint::ALLOW);
    if let Some(sdp) = sdp {
        response.headers.push(HeaderName::ContentType, SDP);
        response.body = sdp;
    }
    response
}

/// Counts commands that came too late, or do not fit.
const COMMAND_IGNORED: &str = "sip_commands_ignored";
