//! Our BYE is out (RFC 3261 §15.1.1): the session is over for its owner, but not yet for the peer.

use serde::{Deserialize, Serialize};

use super::up::acknowledge_again;
use super::{Next, Peer, State};
use crate::endpoint::{Core, Purpose, RequestId};
use crate::transaction::ServerId;
use crate::{Method, Request, Response};

/// A session that waits for the answer to its BYE.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Leaving {
    bye: RequestId,
    peer: Peer,
    /// The ACK of our INVITE and its CSeq, for 2xx that are still being repeated.
    ack: Option<(u32, Request)>,
}

impl Leaving {
    pub(super) fn new(bye: RequestId, peer: Peer, ack: Option<(u32, Request)>) -> Self {
        Self { bye, peer, ack }
    }

    pub(super) fn on_request(&mut self, request: &Request, server: ServerId, core: &mut Core) -> Next {
        // Two BYEs may cross; anything else is for a call that no longer exists.
        let code = if request.method == Method::Bye { 200 } else { 481 };
        core.reply(server, request, code);
        None
    }

    pub(super) fn on_response(
        &mut self,
        purpose: Purpose,
        request: RequestId,
        response: &Response,
        core: &mut Core,
    ) -> Next {
        match purpose {
            Purpose::Invite | Purpose::Reinvite => {
                if response.is_success() {
                    acknowledge_again(&self.peer, self.ack.as_ref(), request, response, core);
                }
                None
            }
            Purpose::Info | Purpose::Refer | Purpose::Notify => None,
            Purpose::Bye if request != self.bye || response.is_provisional() => None,
            Purpose::Bye => match self.peer.authorize(request, response, core) {
                Some(again) => {
                    self.bye = again;
                    None
                }
                None => Some(State::Over),
            },
        }
    }

    pub(super) fn on_failure(&mut self, request: RequestId) -> Next {
        (request == self.bye).then_some(State::Over)
    }
}
