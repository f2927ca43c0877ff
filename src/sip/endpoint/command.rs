//! What the owner asks of the endpoint.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::EndpointConfig;
use crate::{Binding, Flow, HeaderName, NameAddr, TransportKind, Uri};

/// One INVITE session, in either role. The owner numbers those it begins ([`Outgoing`]) and stays below
/// [`SessionId::INCOMING`]; the endpoint numbers those it announces from there on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SessionId(pub u64);

impl SessionId {
    /// The first number of a session announced by [`Event::Incoming`](super::Event::Incoming).
    pub const INCOMING: SessionId = SessionId(1 << 63);
}

/// One event of the outside world.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// A datagram, or one framed message of a stream.
    Received {
        /// Where it came from.
        flow: Flow,
        /// The whole message.
        bytes: Vec<u8>,
    },
    /// A stream connection is gone.
    FlowClosed {
        /// Which.
        flow: Flow,
    },
    /// Nothing can be sent there: connection refused, host unreachable.
    SendFailed {
        /// The flow of the [`Output::Transmit`](super::Output::Transmit) that failed.
        flow: Flow,
    },
    /// The answer to [`Output::Resolve`](super::Output::Resolve).
    Resolved {
        /// Its id.
        id: u64,
        /// The places to try, best first; empty when there are none (RFC 3263 §4).
        addrs: Vec<(TransportKind, SocketAddr)>,
    },
    /// The owner wants something.
    Command(Command),
    /// A reload.
    Config(EndpointConfig),
}

/// What the owner asks for. A command that no longer fits (its session has ended meanwhile) is ignored and
/// counted: the owner learns of the end by an event that is already on its way.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// We are called: a provisional response.
    Progress {
        /// The session.
        session: SessionId,
        /// 101 to 199.
        code: u16,
        /// Early media's SDP.
        body: Option<Vec<u8>>,
    },
    /// We are called: 200, with the answer to the INVITE's offer, or our offer when it had none.
    Answer {
        /// The session.
        session: SessionId,
        /// SDP.
        body: Vec<u8>,
    },
    /// We are called: a final refusal.
    Refuse {
        /// The session.
        session: SessionId,
        /// 300 to 699.
        code: u16,
        /// The reason phrase; `None`: the usual one.
        reason: Option<String>,
        /// More headers: Retry-After, Reason, Contact.
        headers: Vec<(HeaderName, String)>,
    },
    /// We call.
    Invite(Box<Outgoing>),
    /// We call: give up before a final answer.
    Cancel {
        /// The session.
        session: SessionId,
    },
    /// We call: the ACK that is owed because our INVITE had no offer; `body` answers the one in the 200.
    Ack {
        /// The session.
        session: SessionId,
        /// SDP.
        body: Option<Vec<u8>>,
    },
    /// Ends an answered session. No event follows.
    Bye {
        /// The session.
        session: SessionId,
        /// A Reason header (RFC 3326): a Q.850 or SIP cause below or from 300, and its text.
        reason: Option<(u16, String)>,
    },
    /// A re-INVITE of ours with an offer; its outcome is
    /// [`Event::OfferAnswered`](super::Event::OfferAnswered).
    Offer {
        /// The session.
        session: SessionId,
        /// SDP.
        body: Vec<u8>,
    },
    /// What we say to [`Event::Offered`](super::Event::Offered): SDP, or a refusing code such as 488.
    AnswerOffer {
        /// The session.
        session: SessionId,
        /// SDP or a code from 300 to 699.
        result: Result<Vec<u8>, u16>,
    },
    /// Asks the peer to call somebody else (RFC 3515); [`Event::ReferAnswered`](super::Event::ReferAnswered) and
    /// [`Event::Notified`](super::Event::Notified) tell how it goes.
    Refer {
        /// The session.
        session: SessionId,
        /// Whom, with the headers of its INVITE.
        to: Box<Uri>,
    },
    /// What we say to [`Event::Referred`](super::Event::Referred).
    AnswerRefer {
        /// The session.
        session: SessionId,
        /// 202, after which [`Command::Notify`] is owed, or a refusing code.
        code: u16,
    },
    /// How the peer's REFER goes; nothing is sent to a peer that did not refer.
    Notify {
        /// The session.
        session: SessionId,
        /// 100 to 199 on the way, from 200 on the last word.
        code: u16,
    },
    /// INFO inside the session (RFC 6086's legacy use: DTMF).
    Info {
        /// The session.
        session: SessionId,
        /// The body's type.
        content_type: String,
        /// The body.
        body: Vec<u8>,
    },
}

/// An INVITE to send.
#[derive(Clone, Debug, PartialEq)]
pub struct Outgoing {
    /// Its session, numbered by the owner; see [`SessionId`].
    pub session: SessionId,
    /// Where to.
    pub to: Destination,
    /// The From header, without a tag.
    pub from: NameAddr,
    /// The To header, when it is not the Request-URI.
    pub to_header: Option<NameAddr>,
    /// More headers: P-Asserted-Identity, Diversion, Call-Info, X- headers.
    pub headers: Vec<(HeaderName, String)>,
    /// Our SDP offer; `None`: the peer is to offer, and [`Command::Ack`] is owed.
    pub body: Option<Vec<u8>>,
    /// It is a recording session (RFC 7866 §6.1), and this its metadata (RFC 7865), sent beside the offer.
    pub recording: Option<Vec<u8>>,
    /// Digest user and password when challenged; a trunk's own come from its configuration.
    pub credentials: Option<(String, String)>,
}

/// Whom an INVITE is for.
#[allow(clippy::large_enum_variant, reason = "there is one at a time, and it travels in a box")]
#[derive(Clone, Debug, PartialEq)]
pub enum Destination {
    /// A registered phone: along its Path, over the flow it registered with (RFC 3327, RFC 5626 §5.3).
    Contact(Binding),
    /// A URI, located by DNS (RFC 3263).
    Uri(Uri),
    /// A number at a trunk.
    Trunk {
        /// The trunk's name.
        trunk: String,
        /// The user part of the Request-URI.
        user: String,
    },
}

impl Command {
    /// The session it is about.
    pub fn session(&self) -> SessionId {
        match self {
            Command::Progress { session, .. }
            | Command::Answer { session, .. }
            | Command::Refuse { session, .. }
            | Command::Cancel { session }
            | Command::Ack { session, .. }
            | Command::Bye { session, .. }
            | Command::Offer { session, .. }
            | Command::AnswerOffer { session, .. }
            | Command::Info { session, .. }
            | Command::Refer { session, .. }
            | Command::AnswerRefer { session, .. }
            | Command::Notify { session, .. } => *session,
            Command::Invite(outgoing) => outgoing.session,
        }
    }
}
