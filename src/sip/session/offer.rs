//! Changing an answered session: one offer at a time, in either direction (RFC 3264 §4, RFC 3261 §14).

use std::time::Duration;

use base::{Mono, Rng};
use serde::{Deserialize, Serialize};

use super::up::Up;
use super::{Next, dialog_response, sdp_of, set_sdp};
use crate::endpoint::{Core, Ended, Event, Purpose, RequestId, SessionId};
use crate::session::unacked::Unacked;
use crate::transaction::ServerId;
use crate::{Headers, Method, Request, Response};

/// How often an offer is made again after glare before its owner is told 491.
const ATTEMPTS_MAX: u32 = 5;

/// How long a re-INVITE may stay without its final response: Timer C's three minutes, for nobody rings here either.
const ANSWER_TIME: Duration = Duration::from_secs(180);

/// An offer of ours.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Ours {
    /// None.
    Idle,
    /// It waits: an offer of the peer's, or an ACK, comes first.
    Waiting { body: Vec<u8>, attempt: u32 },
    /// The re-INVITE is out.
    Sent { request: RequestId, seq: u32, body: Vec<u8>, attempt: u32, until: Mono },
    /// Both made one at once; ours is made again later (§14.1).
    Glare { body: Vec<u8>, attempt: u32, at: Mono },
}

/// An offer of the peer's, by INVITE or UPDATE, that its owner has not answered.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Theirs {
    pub(super) server: ServerId,
    pub(super) request: Box<Request>,
}

impl Ours {
    pub(super) fn poll_timeout(&self) -> Option<Mono> {
        match self {
            Ours::Idle | Ours::Waiting { .. } => None,
            Ours::Sent { until, .. } => Some(*until),
            Ours::Glare { at, .. } => Some(*at),
        }
    }
}

impl Up {
    /// The owner offers.
    pub(super) fn offer(&mut self, id: SessionId, body: Vec<u8>, core: &mut Core) {
        if !matches!(self.ours, Ours::Idle) {
            core.tell(Event::OfferAnswered { session: id, result: Err(491) });
            return;
        }
        self.ours = Ours::Waiting { body, attempt: 1 };
        self.offer_if_free(id, core);
    }

    /// Sends the waiting offer once nothing is in its way.
    pub(super) fn offer_if_free(&mut self, id: SessionId, core: &mut Core) {
        if self.unacked.is_some() || self.owed.is_some() || self.theirs.is_some() || self.closing.is_some() {
            return;
        }
        if let Ours::Waiting { body, attempt } = &mut self.ours {
            let (body, attempt) = (std::mem::take(body), *attempt);
            let mut invite = self.peer.dialog.request(Method::Invite);
            set_sdp(&mut invite, Some(body.clone()));
            let request = self.peer.send(invite, id, Purpose::Reinvite, core);
            let (seq, until) = (self.peer.dialog.local_seq(), core.now.mono + ANSWER_TIME);
            self.ours = Ours::Sent { request, seq, body, attempt, until };
        }
    }

    /// A response to our re-INVITE.
    pub(super) fn on_offer_response(
        &mut self,
        id: SessionId,
        request: RequestId,
        response: &Response,
        core: &mut Core,
    ) -> Next {
        let (seq, body, attempt) = match &self.ours {
            Ours::Sent { request: sent, seq, body, attempt, .. } if *sent == request => {
                (*seq, body.clone(), *attempt)
            }
            Ours::Idle | Ours::Waiting { .. } | Ours::Sent { .. } | Ours::Glare { .. } => {
                self.acknowledge_again(request, response, core);
                return None;
            }
        };
        match response.code {
            100..=199 => return None,
            200..=299 => {
                self.peer.dialog.refresh_target(&response.headers);
                let invite = core.request(request).cloned();
                self.ack = Some((seq, self.peer.ack(seq, invite.as_ref(), None, core)));
                let answer = sdp_of(&response.headers, &response.body).ok().flatten();
                self.offer_done(id, answer.ok_or(488), core);
            }
            491 if attempt < ATTEMPTS_MAX => {
                let at = core.now.mono + glare_wait(self.first.is_some(), &mut core.rng);
                self.ours = Ours::Glare { body, attempt: attempt + 1, at };
            }
            // The peer no longer has the dialog, or is gone (§12.2.1.2).
            408 => return self.end(id, Ended::TransactionTimeout, Headers::new(), true, core),
            481 => return self.end(id, gone(response), Headers::new(), false, core),
            401 | 407 => match self.peer.authorize(request, response, core) {
                Some(request) => {
                    let (seq, until) = (self.peer.dialog.local_seq(), core.now.mono + ANSWER_TIME);
                    self.ours = Ours::Sent { request, seq, body, attempt, until };
                }
                None => self.offer_done(id, Err(response.code), core),
            },
            code => self.offer_done(id, Err(code), core),
        }
        None
    }

    /// Re-INVITE, or UPDATE with an offer.
    pub(super) fn on_offer(
        &mut self,
        id: SessionId,
        request: &Request,
        server: ServerId,
        sdp: Option<Vec<u8>>,
        core: &mut Core,
    ) {
        if self.theirs.is_some() {
            // Their first offer has no answer yet (§14.2, RFC 3311 §5.2).
            core.reply_later(server, request);
        } else if self.unacked.is_some() || self.owed.is_some() || matches!(self.ours, Ours::Sent { .. }) {
            // Ours is not complete (§14.2). An offer that only waits its turn, or for glare to pass, gives way.
            core.reply(server, request, 491);
        } else {
            core.layer.belongs_to(server, id);
            self.theirs = Some(Theirs { server, request: Box::new(request.clone()) });
            core.tell(Event::Offered { session: id, body: sdp });
        }
    }

    /// The owner answers the peer's offer.
    pub(super) fn answer_offer(&mut self, id: SessionId, result: Result<Vec<u8>, u16>, core: &mut Core) {
        let Some(Theirs { server, request }) = self.theirs.take() else {
            // The peer has given its offer up meanwhile.
            core.count(super::COMMAND_IGNORED);
            return;
        };
        match result {
            Ok(sdp) => {
                self.peer.dialog.refresh_target(&request.headers);
                let contact = core.contact(self.flow, &self.peer.contact_user);
                let tag = self.peer.dialog.local().tag().unwrap_or_default();
                let response = dialog_response(core, &request, 200, tag, contact, Some(sdp));
                core.layer.respond(server, &response, core.now.mono);
                if request.method == Method::Invite {
                    let seq = request.headers.cseq().map_or(0, |cseq| cseq.number);
                    let offers = request.body.is_empty();
                    self.unacked = Some(Unacked::new(server, seq, response, offers, core.now.mono));
                }
            }
            Err(code) => core.reply(server, &request, code.clamp(300, 699)),
        }
        self.offer_if_free(id, core);
    }

    /// The peer's CANCEL for its re-INVITE (§9.2). The owner's answer will find nothing to answer.
    pub(super) fn on_cancel(&mut self, invite: ServerId, core: &mut Core) {
        if let Some(theirs) =
            self.theirs.take_if(|theirs| theirs.server == invite && theirs.request.method == Method::Invite)
        {
            core.reply(theirs.server, &theirs.request, 487);
        }
    }

    /// Our re-INVITE was never answered, or its time after glare has come.
    pub(super) fn on_offer_timeout(&mut self, id: SessionId, core: &mut Core) -> Next {
        match &mut self.ours {
            Ours::Sent { until, .. } if *until <= core.now.mono => {
                self.end(id, Ended::TransactionTimeout, Headers::new(), true, core)
            }
            Ours::Glare { body, attempt, at } if *at <= core.now.mono => {
                self.ours = Ours::Waiting { body: std::mem::take(body), attempt: *attempt };
                self.offer_if_free(id, core);
                None
            }
            Ours::Idle | Ours::Waiting { .. } | Ours::Sent { .. } | Ours::Glare { .. } => None,
        }
    }

    fn offer_done(&mut self, id: SessionId, result: Result<Vec<u8>, u16>, core: &mut Core) {
        self.ours = Ours::Idle;
        core.tell(Event::OfferAnswered { session: id, result });
    }
}

/// 481: the peer says that it has ended already.
pub(super) fn gone(response: &Response) -> Ended {
    Ended::ByPeer { reason: Some((response.code, response.reason.clone())) }
}

/// §14.1: in steps of 10 ms, the one who made the Call-ID 2.1 to 4 seconds, the other 0 to 2.
fn glare_wait(call_id_is_ours: bool, rng: &mut Rng) -> Duration {
    let (least, steps) = if call_id_is_ours { (2_100, 191) } else { (0, 201) };
    Duration::from_millis(least + 10 * rng.below(steps))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_glare_the_caller_waits_longer() {
        let mut rng = Rng::seeded(1);
        for _ in 0..1_000 {
            let (ours, theirs) = (glare_wait(true, &mut rng), glare_wait(false, &mut rng));
            assert!((2_100..=4_000).contains(&ours.as_millis()), "{ours:?}");
            assert!(theirs.as_millis() <= 2_000 && theirs.as_millis().is_multiple_of(10), "{theirs:?}");
        }
    }
}
