//! One binding of a user to a contact.

use std::net::SocketAddr;

use base::Mono;
use serde::{Deserialize, Serialize};

use crate::{Flow, NameAddr, Params, TransportKind, Uri};

/// Where a contact without a port listens (RFC 3261 §19.1.2).
const SIP_PORT: u16 = 5060;

/// A contact that stands for a user until it expires.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// Whose it is.
    pub user: String,
    /// Where the user can be reached: the Request-URI of requests to it.
    pub contact: Uri,
    /// The Contact's parameters as received, without `expires`.
    pub params: Params,
    /// The flow it was registered over; requests go back along it, NAT or not (RFC 5626 §5.3).
    pub flow: Flow,
    /// The proxies between, top first: the route set of requests to it (RFC 3327 §5.3).
    pub path: Vec<String>,
    /// When it ends.
    pub expires_at: Mono,
    /// Preference in thousandths, 0 to 1000 (`q`, RFC 3261 §20.10).
    pub q: u16,
    /// Call-ID of the REGISTER that made or refreshed it.
    pub call_id: String,
    /// CSeq number of that REGISTER: an older one changes nothing (RFC 3261 §10.3 step 7).
    pub cseq: u32,
    /// The phone's own name for itself.
    pub user_agent: Option<String>,
    /// `+sip.instance`, without quotes and brackets: which device it is (RFC 5626 §4.1).
    pub instance: Option<String>,
    /// `reg-id`: which of the device's flows (RFC 5626 §4.2).
    pub reg_id: Option<u32>,
}

impl Binding {
    /// Whole seconds left, rounded up.
    pub fn expires_in_s(&self, now: Mono) -> u32 {
        let left = self.expires_at.since(now);
        u32::try_from(left.as_secs() + u64::from(left.subsec_nanos() > 0)).unwrap_or(u32::MAX)
    }

    /// As a response lists it: with the seconds left.
    pub(super) fn to_contact(&self, now: Mono) -> NameAddr {
        let params = self.params.clone().with("expires", Some(&self.expires_in_s(now).to_string()));
        NameAddr { display: None, uri: self.contact.clone(), params }
    }

    /// Whether both are the same binding: the same flow of the same device when both say so (RFC 5626 §6), the
    /// same contact otherwise.
    pub fn is_same(&self, other: &Binding) -> bool {
        match (self.device_flow(), other.device_flow()) {
            (Some(a), Some(b)) => a == b,
            (Some(_), None) | (None, Some(_)) | (None, None) => self.contact.equivalent(&other.contact),
        }
    }

    /// As it can be reached when no connection is left of those it was registered over: where it was, by datagrams;
    /// where it says it listens, by TCP. Devices that promised to come back by themselves do (RFC 5626 §4.2), and
    /// WebSocket clients and those behind TLS cannot be connected to.
    pub(super) fn without_connection(mut self) -> Option<Self> {
        match self.flow.transport {
            TransportKind::Udp => Some(self),
            TransportKind::Tcp if self.reg_id.is_none() && self.path.is_empty() => {
                let port = self.contact.port.unwrap_or(SIP_PORT);
                self.flow.remote = SocketAddr::new(self.contact.host.ip()?, port);
                Some(self)
            }
            TransportKind::Tcp | TransportKind::Tls | TransportKind::Ws | TransportKind::Wss => None,
        }
    }

    fn device_flow(&self) -> Option<(&str, u32)> {
        self.instance.as_deref().zip(self.reg_id)
    }
}
