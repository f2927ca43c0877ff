//! We call and have no final answer yet (RFC 3261 §13.2, §9.1).

use std::time::Duration;

use base::Mono;
use serde::{Deserialize, Serialize};

use super::leaving::Leaving;
use super::{COMMAND_IGNORED, Next, Peer, Phone, State, Up, dialog_response, sdp_of};
use crate::dialog::Dialog;
use crate::endpoint::{Cancelled, Command, Core, Event, Failure, RequestId, SessionId, UNRESOLVED};
use crate::transaction::{ServerId, T1_64};
use crate::{DigestClient, DigestStep, Headers, Method, Request, Response, reason_phrase};

/// Timer C: how long a callee may ring without saying so again (RFC 3261 §16.6 item 11 and §16.8: more than three
/// minutes).
const TIMER_C: Duration = Duration::from_secs(181);

/// Early dialogs of one INVITE: forks that ring. Beyond it the others are not known, and answered all the same.
const EARLY_DIALOGS_MAX: usize = 16;

/// An INVITE of ours that waits for its final response.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Calling {
    request: RequestId,
    /// Whether it has an offer; if not, the ACK is the owner's to give.
    offered: bool,
    digest: Option<DigestClient>,
    phone: Option<Phone>,
    /// CSeq of the latest INVITE.
    seq: u32,
    contact_user: String,
    early: Vec<Dialog>,
    /// Whether a provisional response has come: only then may CANCEL be sent (§9.1).
    provisional: bool,
    giving_up: GivingUp,
    timer_c: Mono,
}

/// How far giving up has come; with the code the owner will be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum GivingUp {
    /// We wait for an answer.
    No,
    /// CANCEL waits for a provisional response.
    Wanted(u16),
    /// CANCEL is out; if nothing comes of it until then, that is the end (§9.1).
    Sent(u16, Mono),
}

impl Calling {
    /// For an INVITE just dispatched with CSeq `seq`.
    pub(crate) fn new(
        request: RequestId,
        seq: u32,
        offered: bool,
        digest: Option<DigestClient>,
        phone: Option<Phone>,
        contact_user: String,
        now: Mono,
    ) -> Self {
        Self {
            request,
            offered,
            digest,
            phone,
            seq,
            contact_user,
            early: Vec::new(),
            provisional: false,
            giving_up: GivingUp::No,
            timer_c: now + TIMER_C,
        }
    }

    pub(super) fn is_reached(&self) -> bool {
        self.provisional
    }

    pub(super) fn on_command(&mut self, id: SessionId, command: Command, core: &mut Core) -> Next {
        match command {
            Command::Cancel { .. } | Command::Bye { .. } => self.give_up(id, 487, core),
            Command::Progress { .. }
            | Command::Answer { .. }
            | Command::Refuse { .. }
            | Command::Invite(_)
            | Command::Ack { .. }
            | Command::Offer { .. }
            | Command::AnswerOffer { .. }
            | Command::Info { .. }
            | Command::Refer { .. }
            | Command::AnswerRefer { .. }
            | Command::Notify { .. } => {
                core.count(COMMAND_IGNORED);
                None
            }
        }
    }

    pub(super) fn on_response(
        &mut self,
        id: SessionId,
        request: RequestId,
        response: Response,
        core: &mut Core,
    ) -> Next {
        if request != self.request {
            core.count("sip_responses_to_older_invite");
            return None;
        }
        match response.code {
            100..=199 => self.on_provisional(id, response, core),
            200..=299 => self.on_success(id, &response, core),
            _ => self.on_refusal(id, response, core),
        }
    }

    pub(super) fn on_failure(
        &mut self,
        id: SessionId,
        request: RequestId,
        failure: Failure,
        core: &mut Core,
    ) -> Next {
        if request != self.request {
            return None;
        }
        let code = match (self.giving_up, failure) {
            (GivingUp::Wanted(code) | GivingUp::Sent(code, _), _) => code,
            (GivingUp::No, Failure::NoAnswer) => 408,
            (GivingUp::No, Failure::Unreachable) => 503,
            (GivingUp::No, Failure::Unresolved) => return refused_for(id, 503, UNRESOLVED, core),
        };
        refused(id, code, core)
    }

    /// A request of the callee's in an early dialog.
    pub(super) fn on_request(
        &mut self,
        id: SessionId,
        request: &Request,
        server: ServerId,
        core: &mut Core,
    ) -> Next {
        let from = request.headers.from();
        let tag = from.as_ref().ok().and_then(|from| from.tag()).unwrap_or_default();
        let flow = core.flow_of(self.request);
        let (Some(dialog), Some(flow)) = (self.early.iter_mut().find(|d| d.remote_tag() == tag), flow) else {
            core.reply(server, request, 481);
            return None;
        };
        if let Err(code) = dialog.accept(&request.headers) {
            core.reply(server, request, code);
            return None;
        }
        match &request.method {
            // Our offer has no answer yet (§14.2, RFC 3311 §5.2).
            Method::Invite => core.reply(server, request, 491),
            Method::Update if !request.body.is_empty() => core.reply(server, request, 491),
            Method::Update => {
                dialog.refresh_target(&request.headers);
                let tag = dialog.local().tag().unwrap_or_default();
                let contact = core.contact(flow, &self.contact_user);
                let response = dialog_response(core, request, 200, tag, contact, None);
                core.layer.respond(server, &response, core.now.mono);
            }
            Method::Info => super::up::take_info(id, request, server, core),
            // The callee refuses the INVITE instead; BYE is for the caller alone (§15).
            Method::Bye
            | Method::Ack
            | Method::Cancel
            | Method::Message
            | Method::Notify
            | Method::Options
            | Method::Prack
            | Method::Publish
            | Method::Refer
            | Method::Register
            | Method::Subscribe
            | Method::Other(_) => core.reply(server, request, 481),
        }
        None
    }

    pub(super) fn handle_timeout(&mut self, id: SessionId, core: &mut Core) -> Next {
        match self.giving_up {
            GivingUp::Sent(code, until) if until <= core.now.mono => {
                core.abandon(self.request);
                refused(id, code, core)
            }
            // §16.8: CANCEL if a provisional response has come, else as if 408 had.
            GivingUp::No | GivingUp::Wanted(_) if self.timer_c <= core.now.mono => {
                let code = if let GivingUp::Wanted(code) = self.giving_up { code } else { 408 };
                if self.provisional {
                    self.send_cancel(id, code, core)
                } else {
                    core.abandon(self.request);
                    refused(id, code, core)
                }
            }
            GivingUp::No | GivingUp::Wanted(_) | GivingUp::Sent(..) => None,
        }
    }

    pub(super) fn poll_timeout(&self) -> Mono {
        match self.giving_up {
            GivingUp::Sent(_, until) => until,
            GivingUp::No | GivingUp::Wanted(_) => self.timer_c,
        }
    }

    fn on_provisional(&mut self, id: SessionId, response: Response, core: &mut Core) -> Next {
        self.provisional = true;
        if let GivingUp::Wanted(code) = self.giving_up {
            return self.send_cancel(id, code, core);
        }
        if response.code == 100 || self.giving_up != GivingUp::No {
            return None;
        }
        self.timer_c = core.now.mono + TIMER_C;
        self.note_early(&response, core);
        let body = sdp_of(&response.headers, &response.body).unwrap_or(None);
        let Response { code, reason, headers, body: _ } = response;
        core.tell(Event::Progress { session: id, code, reason, body, headers });
        None
    }

    fn on_success(&mut self, id: SessionId, response: &Response, core: &mut Core) -> Next {
        let invite = core.request(self.request)?.clone();
        let Ok(dialog) = Dialog::uac(&invite, response) else {
            // Without a readable To or Contact nothing can be sent back; the callee's own timer ends it.
            core.count("sip_answers_without_dialog");
            return refused(id, 502, core);
        };
        if let Some(digest) = &mut self.digest {
            digest.on_response(response);
        }
        let mut peer = Peer {
            dialog,
            phone: self.phone.clone(),
            digest: self.digest.take(),
            contact_user: self.contact_user.clone(),
        };
        if self.giving_up != GivingUp::No {
            // It has answered before our CANCEL came (§9.1): take the call and end it.
            let ack = peer.ack(self.seq, Some(&invite), None, core);
            let bye = peer.bye(id, None, core);
            refused(id, 487, core);
            return Some(State::Leaving(Box::new(Leaving::new(bye, peer, Some((self.seq, ack))))));
        }
        let flow = core.flow_of(self.request)?;
        let ack = self.offered.then(|| peer.ack(self.seq, Some(&invite), None, core));
        let body = sdp_of(&response.headers, &response.body).unwrap_or(None);
        core.tell(Event::Answered { session: id, body, headers: response.headers.clone() });
        Some(State::Up(Box::new(Up::called(peer, flow, self.request, self.seq, ack))))
    }

    fn on_refusal(&mut self, id: SessionId, response: Response, core: &mut Core) -> Next {
        if let (GivingUp::No, Some(digest)) = (self.giving_up, &mut self.digest)
            && digest.on_response(&response) == DigestStep::Retry
            && let Some(request) = core.retry(self.request, self.seq + 1, digest)
        {
            self.request = request;
            self.seq += 1;
            // Another transaction: nothing has come back for it yet.
            self.provisional = false;
            self.early.clear();
            return None;
        }
        let Response { code, reason, headers, body: _ } = response;
        match self.giving_up {
            // A challenge is no answer: what matters is that we gave up.
            GivingUp::Wanted(given) | GivingUp::Sent(given, _) if matches!(code, 401 | 407) => {
                refused(id, given, core)
            }
            GivingUp::Sent(408, _) if code == 487 => refused(id, 408, core),
            GivingUp::No | GivingUp::Wanted(_) | GivingUp::Sent(..) => {
                core.tell(Event::Refused { session: id, code, reason, headers });
                Some(State::Over)
            }
        }
    }

    /// CANCEL now, or as soon as it may be sent.
    fn give_up(&mut self, id: SessionId, code: u16, core: &mut Core) -> Next {
        if self.giving_up != GivingUp::No {
            core.count(COMMAND_IGNORED);
            return None;
        }
        if self.provisional || core.is_unsent(self.request) {
            return self.send_cancel(id, code, core);
        }
        self.giving_up = GivingUp::Wanted(code);
        None
    }

    fn send_cancel(&mut self, id: SessionId, code: u16, core: &mut Core) -> Next {
        match core.cancel(self.request) {
            Cancelled::Unsent => refused(id, code, core),
            Cancelled::Sent => {
                self.giving_up = GivingUp::Sent(code, core.now.mono + T1_64);
                None
            }
        }
    }

    fn note_early(&mut self, response: &Response, core: &Core) {
        let Ok(to) = response.headers.to() else { return };
        let Some(tag) = to.tag() else { return };
        if self.early.len() < EARLY_DIALOGS_MAX
            && !self.early.iter().any(|dialog| dialog.remote_tag() == tag)
            && let Some(invite) = core.request(self.request)
            && let Ok(dialog) = Dialog::uac(invite, response)
        {
            self.early.push(dialog);
        }
    }
}

fn refused(id: SessionId, code: u16, core: &mut Core) -> Next {
    refused_for(id, code, reason_phrase(code), core)
}

fn refused_for(id: SessionId, code: u16, reason: &str, core: &mut Core) -> Next {
    let reason = reason.to_owned();
    core.tell(Event::Refused { session: id, code, reason, headers: Headers::new() });
    Some(State::Over)
}
