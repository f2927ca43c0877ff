//! One face for the four machines: what happens to a transaction, whichever it is.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Action, Timer, client_invite, client_non_invite, server_invite, server_non_invite};

/// What can happen to a transaction. Each machine has its own, narrower inputs.
#[derive(Clone, Copy)]
pub(super) enum Happening {
    /// A response with this code: received by a client, sent by the user of a server.
    Response(u16),
    /// The request again.
    Request,
    /// ACK.
    Ack,
    /// The transport could not send.
    TransportError,
    /// A timer has fired that ran for so long.
    Timer(Timer, Duration),
}

/// A client transaction's machine and its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum ClientState {
    Invite(client_invite::State),
    NonInvite(client_non_invite::State),
}

/// A server transaction's machine and its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum ServerState {
    Invite(server_invite::State),
    NonInvite(server_non_invite::State),
}

impl Happening {
    /// How long the timer ran that has fired.
    pub(super) fn interval(self) -> Duration {
        match self {
            Happening::Timer(_, interval) => interval,
            Happening::Response(_) | Happening::Request | Happening::Ack | Happening::TransportError => {
                Duration::ZERO
            }
        }
    }
}

impl ClientState {
    /// Whether its final answer has come: the request is not sent again.
    pub(super) fn is_answered(self) -> bool {
        use {client_invite::State as Invite, client_non_invite::State as NonInvite};
        match self {
            ClientState::Invite(Invite::Calling | Invite::Proceeding)
            | ClientState::NonInvite(NonInvite::Trying | NonInvite::Proceeding) => false,
            ClientState::Invite(Invite::Completed | Invite::Accepted | Invite::Terminated)
            | ClientState::NonInvite(NonInvite::Completed | NonInvite::Terminated) => true,
        }
    }

    /// Moves on; `None` when ignored.
    pub(super) fn on(&mut self, what: Happening) -> Option<&'static [Action]> {
        match self {
            ClientState::Invite(state) => {
                use client_invite::Input;
                let input = match what {
                    Happening::Response(100..=199) => Input::Provisional,
                    Happening::Response(200..=299) => Input::Success,
                    Happening::Response(_) => Input::Refusal,
                    Happening::TransportError => Input::TransportError,
                    Happening::Timer(timer, _) => Input::Timer(timer),
                    Happening::Request | Happening::Ack => return None,
                };
                let step = client_invite::on(*state, input)?;
                *state = step.next;
                Some(step.actions)
            }
            ClientState::NonInvite(state) => {
                use client_non_invite::Input;
                let input = match what {
                    Happening::Response(100..=199) => Input::Provisional,
                    Happening::Response(_) => Input::Final,
                    Happening::TransportError => Input::TransportError,
                    Happening::Timer(timer, _) => Input::Timer(timer),
                    Happening::Request | Happening::Ack => return None,
                };
                let step = client_non_invite::on(*state, input)?;
                *state = step.next;
                Some(step.actions)
            }
        }
    }

    /// Whether it has come to its end.
    pub(super) fn is_over(self) -> bool {
        matches!(
            self,
            ClientState::Invite(client_invite::State::Terminated)
                | ClientState::NonInvite(client_non_invite::State::Terminated)
        )
    }
}

impl ServerState {
    /// Moves on; `None` when ignored.
    pub(super) fn on(&mut self, what: Happening) -> Option<&'static [Action]> {
        match self {
            ServerState::Invite(state) => {
                use server_invite::Input;
                let input = match what {
                    Happening::Response(100..=199) => Input::Provisional,
                    Happening::Response(200..=299) => Input::Success,
                    Happening::Response(_) => Input::Refusal,
                    Happening::Request => Input::Invite,
                    Happening::Ack => Input::Ack,
                    Happening::TransportError => Input::TransportError,
                    Happening::Timer(timer, _) => Input::Timer(timer),
                };
                let step = server_invite::on(*state, input)?;
                *state = step.next;
                Some(step.actions)
            }
            ServerState::NonInvite(state) => {
                use server_non_invite::Input;
                let input = match what {
                    Happening::Response(100..=199) => Input::Provisional,
                    Happening::Response(_) => Input::Final,
                    Happening::Request => Input::Request,
                    Happening::Ack => return None,
                    Happening::TransportError => Input::TransportError,
                    Happening::Timer(timer, _) => Input::Timer(timer),
                };
                let step = server_non_invite::on(*state, input)?;
                *state = step.next;
                Some(step.actions)
            }
        }
    }

    /// Whether it has come to its end.
    pub(super) fn is_over(self) -> bool {
        matches!(
            self,
            ServerState::Invite(server_invite::State::Terminated)
                | ServerState::NonInvite(server_non_invite::State::Terminated)
        )
    }

    /// Whether it is an INVITE's that was answered with a 2xx: the session repeats that, not the machine.
    pub(super) fn is_accepted(self) -> bool {
        matches!(self, ServerState::Invite(server_invite::State::Accepted))
    }

    /// Whether it has had its final response, and is no success of INVITE.
    pub(super) fn is_answered(self) -> bool {
        use {server_invite::State as Invite, server_non_invite::State as NonInvite};
        match self {
            ServerState::Invite(Invite::Proceeding | Invite::Accepted)
            | ServerState::NonInvite(NonInvite::Trying | NonInvite::Proceeding) => false,
            ServerState::Invite(Invite::Completed | Invite::Confirmed | Invite::Terminated)
            | ServerState::NonInvite(NonInvite::Completed | NonInvite::Terminated) => true,
        }
    }
}
