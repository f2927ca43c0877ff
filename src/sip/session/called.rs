//! We are called and have not answered yet (RFC 3261 §13.3.1).

use std::time::Duration;

use base::Mono;
use serde::{Deserialize, Serialize};

use super::{COMMAND_IGNORED, Next, Peer, Phone, State, Up, dialog_response};
use crate::dialog::Dialog;
use crate::endpoint::{Command, Core, Event, SessionId, is_ours_to_write};
use crate::transaction::ServerId;
use crate::{Flow, HeaderName, Method, Request};

/// A proxy gives an INVITE up after three minutes without a provisional response, so the last one is repeated
/// (RFC 3261 §13.3.1.1).
const REPEAT_PROGRESS: Duration = Duration::from_secs(60);

/// An INVITE of the peer's that waits for our final response.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Called {
    pub(super) invite: Box<Request>,
    pub(super) server: ServerId,
    pub(super) local_tag: String,
    pub(super) dialog: Dialog,
    /// Where the INVITE came from: our Contact is written for it.
    pub(super) flow: Flow,
    phone: Option<Phone>,
    /// Whether the INVITE had an offer.
    pub(super) offered: bool,
    /// The latest provisional response and when it is due again.
    progress: Option<(crate::Response, Mono)>,
    /// Expires of the INVITE (§13.3.1).
    expires_at: Option<Mono>,
}

impl Called {
    /// For an INVITE whose dialog `dialog` is and that came over `flow`; `phone`: the
    /// phone of ours that calls.
    pub(crate) fn new(
        invite: Request,
        server: ServerId,
        dialog: Dialog,
        flow: Flow,
        phone: Option<Phone>,
        now: Mono,
    ) -> Self {
        let expires = invite.headers.expires().ok().flatten();
        Self {
            server,
            local_tag: dialog.local().tag().unwrap_or_default().to_owned(),
            dialog,
            flow,
            phone,
            offered: !invite.body.is_empty(),
            progress: None,
            expires_at: expires.map(|seconds| now + Duration::from_secs(u64::from(seconds))),
            invite: Box::new(invite),
        }
    }

    pub(super) fn on_command(&mut self, command: Command, core: &mut Core) -> Next {
        match command {
            Command::Progress { code, body, .. } => {
                let contact = core.contact(self.flow, &self.contact_user());
                let code = code.clamp(101, 199);
                let response = dialog_response(core, &self.invite, code, &self.local_tag, contact, body);
                core.layer.respond(self.server, &response, core.now.mono);
                self.progress = Some((response, core.now.mono + REPEAT_PROGRESS));
                None
            }
            Command::Answer { body, .. } => Some(self.answer(body, core)),
            Command::Refuse { code, reason, headers, .. } => {
                self.refuse(code.clamp(300, 699), reason.as_deref(), headers, core);
                Some(State::Over)
            }
            // Ending what has not been answered is refusing it.
            Command::Bye { .. } => {
                self.refuse(480, None, Vec::new(), core);
                Some(State::Over)
            }
            Command::Invite(_)
            | Command::Cancel { .. }
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

    pub(super) fn on_cancel(&mut self, id: SessionId, core: &mut Core) -> Next {
        self.refuse(487, None, Vec::new(), core);
        core.tell(Event::Cancelled { session: id });
        Some(State::Over)
    }

    pub(super) fn on_unanswerable(&mut self, id: SessionId, core: &mut Core) -> Next {
        core.tell(Event::Cancelled { session: id });
        Some(State::Over)
    }

    /// A request in the early dialog.
    pub(super) fn on_request(
        &mut self,
        id: SessionId,
        request: &Request,
        server: ServerId,
        core: &mut Core,
    ) -> Next {
        if let Err(code) = self.dialog.accept(&request.headers) {
            core.reply(server, request, code);
            return None;
        }
        match &request.method {
            // The caller may end an early dialog so (§15).
            Method::Bye => {
                core.reply(server, request, 200);
                return self.on_cancel(id, core);
            }
            // A second INVITE before the first is answered (§14.2), an offer before ours is (RFC 3311 §5.2).
            Method::Invite => core.reply_later(server, request),
            Method::Update if !request.body.is_empty() => core.reply_later(server, request),
            Method::Update => {
                self.dialog.refresh_target(&request.headers);
                let contact = core.contact(self.flow, &self.contact_user());
                let response = dialog_response(core, request, 200, &self.local_tag, contact, None);
                core.layer.respond(server, &response, core.now.mono);
            }
            Method::Info => super::up::take_info(id, request, server, core),
            Method::Ack
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
        let now = core.now.mono;
        if self.expires_at.is_some_and(|at| at <= now) {
            return self.on_cancel(id, core);
        }
        if let Some((response, at)) = &mut self.progress
            && *at <= now
        {
            *at = now + REPEAT_PROGRESS;
            core.layer.respond(self.server, response, now);
        }
        None
    }

    pub(super) fn poll_timeout(&self) -> Option<Mono> {
        let repeat = self.progress.as_ref().map(|(_, at)| *at);
        [repeat, self.expires_at].into_iter().flatten().min()
    }

    /// 200, which the session repeats until its ACK comes.
    fn answer(&mut self, body: Vec<u8>, core: &mut Core) -> State {
        let contact_user = self.contact_user();
        let contact = core.contact(self.flow, &contact_user);
        let response = dialog_response(core, &self.invite, 200, &self.local_tag, contact, Some(body));
        core.layer.respond(self.server, &response, core.now.mono);
        let peer =
            Peer { dialog: self.dialog.clone(), phone: self.phone.clone(), digest: None, contact_user };
        let seq = self.invite.headers.cseq().map_or(0, |cseq| cseq.number);
        let up = Up::answered(peer, self.flow, self.server, seq, response, !self.offered, core.now.mono);
        State::Up(Box::new(up))
    }

    fn refuse(
        &mut self,
        code: u16,
        reason: Option<&str>,
        headers: Vec<(HeaderName, String)>,
        core: &mut Core,
    ) {
        let mut response = core.response(&self.invite, code, reason, &self.local_tag);
        for (name, value) in headers {
            let name = HeaderName::from(name.as_str());
            // A redirect has its Contact from the owner.
            if name == HeaderName::Contact || !is_ours_to_write(&name) {
                response.headers.push(name, value);
            } else {
                core.count("sip_headers_ignored");
            }
        }
        core.layer.respond(self.server, &response, core.now.mono);
    }

    /// Whom the peer called is whom it reaches by our Contact.
    fn contact_user(&self) -> String {
        self.invite.uri.user_decoded().into_owned()
    }
}
