//! The words of the cores that these shells take and give, named in one place.

use base::CallSid;
use sip::Flow;
use twiml::HttpMethod;

/// What the SIP endpoint is told by the transports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SipInput {
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
        /// The flow it was to be sent on.
        flow: Flow,
    },
}

/// Which request to a web server an answer belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FetchId(pub u64);

/// The classes of `webhooks` §1 that a call makes itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchKind {
    /// The call waits for a document.
    Document,
    /// Nobody waits: delivered in order for its call; only a failure is reported back.
    StatusCallback,
}

/// A request to the user's web server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchRequest {
    /// Comes back with the answer.
    pub id: FetchId,
    /// The call it is made for.
    pub call: CallSid,
    /// Whether the call waits for it.
    pub kind: FetchKind,
    /// Absolute, possibly with connection overrides in its fragment.
    pub url: String,
    /// GET or POST.
    pub method: HttpMethod,
    /// All parameters, standard ones included.
    pub params: Vec<(String, String)>,
}
