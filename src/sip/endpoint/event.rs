//! What the endpoint tells its owner, and what it asks of the shell.

use serde::{Deserialize, Serialize};

use super::SessionId;
use crate::{Flow, Headers, NameAddr, Request, TransportKind};

/// What is to be done outside.
#[derive(Clone, Debug)]
pub enum Output {
    /// Send `bytes` there; when that cannot be done, [`Input::SendFailed`](super::Input::SendFailed).
    Transmit {
        /// The socket or connection.
        flow: Flow,
        /// One message.
        bytes: Vec<u8>,
    },
    /// Find the addresses of a host (RFC 3263: NAPTR and SRV when no port is named, else A and AAAA) and hand in
    /// [`Input::Resolved`](super::Input::Resolved).
    Resolve {
        /// To be repeated in the answer.
        id: u64,
        /// A name, never an address.
        host: String,
        /// The port, when the URI names one.
        port: Option<u16>,
        /// The transport the URI asks for.
        transport: TransportKind,
    },
    /// The owner is to be told.
    Event(Event),
}

/// The reason of a refusal of ours: the callee's host has no address (RFC 3263 §4.2).
pub const UNRESOLVED: &str = "The Host Does Not Resolve";

/// What has happened.
///
/// A session announced by [`Incoming`](Event::Incoming) ends with exactly one of: our Refuse,
/// [`Cancelled`](Event::Cancelled), or after Answer [`Ended`](Event::Ended) or our Bye. A session begun by Invite
/// ends with [`Refused`](Event::Refused), or after [`Answered`](Event::Answered) with exactly one of
/// [`Ended`](Event::Ended) or our Bye.
#[derive(Clone, Debug)]
pub enum Event {
    /// We are called. 100 has been sent; the caller is who it says it is.
    Incoming {
        /// The new session.
        session: SessionId,
        /// The INVITE, its body the SDP offer or empty.
        request: Box<Request>,
        /// Where it came from.
        flow: Flow,
        /// Who calls.
        from: Caller,
    },
    /// A provisional response other than 100 to our INVITE.
    Progress {
        /// The session.
        session: SessionId,
        /// 101 to 199.
        code: u16,
        /// Its reason phrase.
        reason: String,
        /// Early media's SDP.
        body: Option<Vec<u8>>,
        /// Its headers.
        headers: Headers,
    },
    /// 2xx to our INVITE; the endpoint has sent the ACK, unless the INVITE had no offer and
    /// [`Command::Ack`](super::Command::Ack) is owed.
    Answered {
        /// The session.
        session: SessionId,
        /// SDP.
        body: Option<Vec<u8>>,
        /// The response's headers.
        headers: Headers,
    },
    /// A final refusal of our INVITE: the peer's code, 408 when nobody answered, 503 when nobody could be reached,
    /// 487 after our Cancel.
    Refused {
        /// The session.
        session: SessionId,
        /// 300 to 699.
        code: u16,
        /// The reason phrase; [`UNRESOLVED`] when the callee's host has no address.
        reason: String,
        /// The response's headers; none when the code is our own.
        headers: Headers,
    },
    /// The peer has our 2xx, to the first INVITE or to a re-INVITE.
    Acked {
        /// The session.
        session: SessionId,
        /// Whether our 2xx made an offer, which the ACK has to answer (RFC 3264, RFC 3261 §13.2.1).
        offered: bool,
        /// The answer, when our 2xx made the offer; `None` then: it is missing.
        body: Option<Vec<u8>>,
    },
    /// The caller gave up before our final answer, or can no longer be answered. 487 has been sent.
    Cancelled {
        /// The session.
        session: SessionId,
    },
    /// The peer changes the session by re-INVITE or UPDATE;
    /// [`Command::AnswerOffer`](super::Command::AnswerOffer) is owed.
    Offered {
        /// The session.
        session: SessionId,
        /// SDP; `None`: the peer wants an offer from us.
        body: Option<Vec<u8>>,
    },
    /// The outcome of [`Command::Offer`](super::Command::Offer): SDP, or the code it was refused with. The session
    /// goes on as it was when refused.
    OfferAnswered {
        /// The session.
        session: SessionId,
        /// SDP or a code.
        result: Result<Vec<u8>, u16>,
    },
    /// An answered session is over, and not by our Bye.
    Ended {
        /// The session.
        session: SessionId,
        /// Why.
        why: Ended,
        /// The BYE's headers; none when there was no BYE.
        headers: Headers,
    },
    /// INFO from the peer; 200 has been sent.
    Info {
        /// The session.
        session: SessionId,
        /// The body's type, empty when there is no body.
        content_type: String,
        /// The body.
        body: Vec<u8>,
    },
    /// The peer asks us to call somebody else (RFC 3515);
    /// [`Command::AnswerRefer`](super::Command::AnswerRefer) is owed.
    Referred {
        /// The session.
        session: SessionId,
        /// Refer-To, its URI with the headers the new INVITE is to have, Replaces among them.
        to: Box<NameAddr>,
    },
    /// The answer to [`Command::Refer`](super::Command::Refer): 202, or why the peer will not; 408 and 503 when there
    /// is none.
    ReferAnswered {
        /// The session.
        session: SessionId,
        /// 200 to 699.
        code: u16,
    },
    /// How our REFER goes.
    Notified {
        /// The session.
        session: SessionId,
        /// The response the peer got, when that could be read.
        code: Option<u16>,
        /// Nothing more will be told.
        last: bool,
    },
    /// A phone has registered, refreshed, or changed its contacts.
    Registered {
        /// Its user name.
        user: String,
        /// How many contacts it has now.
        contacts: usize,
    },
    /// A phone's last contact is gone.
    Unregistered {
        /// Its user name.
        user: String,
    },
    /// A phone's contacts are no longer what they were: one more, one less, or refreshed.
    ContactsChanged {
        /// Its user name.
        user: String,
    },
    /// Our registration with a trunk has changed.
    TrunkState {
        /// The trunk's name.
        trunk: String,
        /// The new state.
        state: TrunkState,
    },
    /// Something was refused that an operator may want to know of.
    Rejected {
        /// What, in a few fixed words: `bad password`, `banned`, `unknown method` …
        what: &'static str,
        /// From where.
        flow: Flow,
    },
}

impl Event {
    /// The session it is about, if it is about one.
    pub fn session(&self) -> Option<SessionId> {
        match self {
            Event::Incoming { session, .. }
            | Event::Progress { session, .. }
            | Event::Answered { session, .. }
            | Event::Refused { session, .. }
            | Event::Acked { session, .. }
            | Event::Cancelled { session }
            | Event::Offered { session, .. }
            | Event::OfferAnswered { session, .. }
            | Event::Ended { session, .. }
            | Event::Info { session, .. }
            | Event::Referred { session, .. }
            | Event::ReferAnswered { session, .. }
            | Event::Notified { session, .. } => Some(*session),
            Event::Registered { .. }
            | Event::Unregistered { .. }
            | Event::ContactsChanged { .. }
            | Event::TrunkState { .. }
            | Event::Rejected { .. } => None,
        }
    }
}

/// Why an answered session is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ended {
    /// BYE, or 481 to a request of ours: the peer no longer has the session.
    ByPeer {
        /// The cause and text of its Reason header (RFC 3326), or 481.
        reason: Option<(u16, String)>,
    },
    /// Our 2xx was never acknowledged (RFC 3261 §13.3.1.4); BYE has been sent.
    AckTimeout,
    /// A request of ours inside the session was never answered (RFC 3261 §12.2.1.2); BYE has been sent.
    TransactionTimeout,
    /// The peer can no longer be reached.
    FlowLost,
}

/// Who is calling.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Caller {
    /// A carrier, known by its source address.
    Trunk {
        /// The trunk's name.
        name: String,
    },
    /// A phone of ours, known by its password.
    Phone {
        /// Its user name.
        user: String,
    },
    /// We ourselves, known by a name that was made up for this call ([`Endpoint::expect_own`](super::Endpoint::expect_own)).
    Own,
}

/// How a trunk's registration stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TrunkState {
    /// It is not registered with: it takes calls by address.
    Static,
    /// REGISTER is on its way, for the first time or after a failure.
    Registering,
    /// It knows where we are.
    Registered {
        /// For how long it said, seconds.
        expires_s: u32,
    },
    /// It refused or could not be reached; another attempt follows.
    Failed {
        /// The response's code; 408 when nobody answered, 503 when nobody could be reached.
        code: u16,
        /// Its reason phrase.
        reason: String,
        /// Seconds until the next attempt.
        retry_s: u32,
    },
}
