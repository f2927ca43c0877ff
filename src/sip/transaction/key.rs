//! How a message finds its transaction (RFC 3261 §17.1.3, §17.2.3) and where an answer goes (§18.2.2, RFC 3581).

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::{Flow, HeaderError, Headers, Method, Request, TransportKind};

/// What a branch made by RFC 3261's rules begins with (§8.1.1.7).
pub const MAGIC_COOKIE: &str = "z9hG4bK";

/// A client transaction's key: the branch of the top Via and the method of CSeq (§17.1.3).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ClientKey {
    branch: String,
    method: Method,
}

impl ClientKey {
    /// From a request about to be sent, or from a response to it.
    pub fn of(headers: &Headers) -> Result<Self, HeaderError> {
        let branch = headers.via()?.branch().unwrap_or_default().to_owned();
        Ok(Self { branch, method: headers.cseq()?.method })
    }
}

/// A server transaction's key: branch and sent-by of the top Via, and the method, ACK counting as INVITE (§17.2.3).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ServerKey {
    branch: String,
    sent_by: String,
    method: Method,
}

impl ServerKey {
    /// From a received request. For a client of RFC 2543, whose branch does not begin with the cookie, the branch
    /// is replaced by the headers that are the same in an INVITE, its ACK and its CANCEL. The To tag is not among
    /// them, though §17.2.3 compares it: a re-INVITE differs by its CSeq.
    pub fn of(request: &Request) -> Result<Self, HeaderError> {
        let via = request.headers.via()?;
        let branch = match via.branch() {
            Some(branch) if branch.starts_with(MAGIC_COOKIE) => branch.to_owned(),
            other => {
                let cseq = request.headers.cseq()?.number;
                let from = request.headers.from()?;
                let call_id = request.headers.call_id()?;
                let (branch, tag) = (other.unwrap_or_default(), from.tag().unwrap_or_default());
                // No branch with the cookie can be equal to this: spaces cannot stand in a parameter.
                format!("{branch} {} {tag} {call_id} {cseq}", request.uri)
            }
        };
        let port = via.port.map(|port| format!(":{port}")).unwrap_or_default();
        let sent_by = format!("{}{port}", via.host).to_ascii_lowercase();
        let method = if request.method == Method::Ack { Method::Invite } else { request.method.clone() };
        Ok(Self { branch, sent_by, method })
    }

    /// The key of the INVITE that a CANCEL with this key gives up (§9.2).
    #[must_use]
    pub fn cancelled(&self) -> Self {
        Self { method: Method::Invite, ..self.clone() }
    }
}

/// What is the same in all copies of one request that a forking proxy sent here along several ways (§8.2.2.2).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MergeKey {
    call_id: String,
    from_tag: String,
    cseq: u32,
    method: Method,
}

impl MergeKey {
    /// `None` for a request inside a dialog.
    pub fn of(request: &Request) -> Result<Option<Self>, HeaderError> {
        if request.headers.to()?.tag().is_some() {
            return Ok(None);
        }
        let from_tag = request.headers.from()?.tag().unwrap_or_default().to_owned();
        let cseq = request.headers.cseq()?;
        Ok(Some(Self {
            call_id: request.headers.call_id()?,
            from_tag,
            cseq: cseq.number,
            method: cseq.method,
        }))
    }
}

/// Where the answers to `request` go, which came over `flow`.
///
/// Over the same connection, or for a datagram to the address it came from: to the port it came from when the client
/// asked for that (RFC 3581 §4), else to the port it names (§18.2.2). `maddr` is not obeyed: it would let anybody
/// point us at anybody.
pub fn reply_flow(request: &Request, flow: Flow) -> Flow {
    let Ok(via) = request.headers.via() else { return flow };
    if flow.transport != TransportKind::Udp || via.params.has("rport") {
        return flow;
    }
    let port = via.port.unwrap_or(flow.transport.default_port());
    Flow { remote: SocketAddr::new(flow.remote.ip(), port), ..flow }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Decoded, Message, decode};

    fn request(method: &str, via: &str, more: &str) -> Request {
        let text = format!(
            "{method} sip:b@example.com SIP/2.0\r\nVia: SIP/2.0/UDP {via}\r\nFrom: <sip:a@example.com>;tag=1\r\n\
             To: <sip:b@example.com>{more}\r\nCall-ID: c\r\nCSeq: 7 {method}\r\nMax-Forwards: 70\r\n\r\n"
        );
        match decode(text.as_bytes()) {
            Decoded::Message(Message::Request(request)) => request,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_request_matches_by_branch_sent_by_and_method() {
        let key = |method, via| ServerKey::of(&request(method, via, "")).unwrap();
        let invite = key("INVITE", "h:5060;branch=z9hG4bKx");
        assert_eq!(invite, key("INVITE", "H:5060;branch=z9hG4bKx;rport"));
        assert_eq!(invite, key("ACK", "h:5060;branch=z9hG4bKx"));
        assert_ne!(invite, key("CANCEL", "h:5060;branch=z9hG4bKx"));
        assert_eq!(invite, key("CANCEL", "h:5060;branch=z9hG4bKx").cancelled());
        assert_ne!(invite, key("INVITE", "h:5060;branch=z9hG4bKy"));
        assert_ne!(invite, key("INVITE", "h:5061;branch=z9hG4bKx"));
        assert_ne!(invite, key("INVITE", "h;branch=z9hG4bKx"));
    }

    #[test]
    fn an_old_client_matches_by_its_other_headers() {
        let key = |request: &Request| ServerKey::of(request).unwrap();
        let invite = request("INVITE", "h:5060;branch=1", "");
        let mut other_call = invite.clone();
        other_call.headers.set(crate::HeaderName::CallId, "d");
        assert_eq!(key(&invite), key(&request("ACK", "h:5060;branch=1", ";tag=ours")));
        assert_ne!(key(&invite), key(&other_call));
        assert_eq!(key(&request("INVITE", "h:5060", "")), key(&request("ACK", "h:5060", "")));
    }

    #[test]
    fn answers_go_where_rport_or_sent_by_says() {
        let flow = |transport, remote: &str| Flow {
            transport,
            local: "192.0.2.1:5060".parse().unwrap(),
            remote: remote.parse().unwrap(),
        };
        let (udp, tcp) = (TransportKind::Udp, TransportKind::Tcp);
        for (transport, via, remote) in [
            (udp, "10.0.0.1:5062;branch=z9hG4bKx;rport", "198.51.100.7:40000"),
            (udp, "10.0.0.1:5062;branch=z9hG4bKx", "198.51.100.7:5062"),
            (udp, "phone.example;branch=z9hG4bKx;maddr=203.0.113.9", "198.51.100.7:5060"),
            (tcp, "10.0.0.1:5062;branch=z9hG4bKx", "198.51.100.7:40000"),
        ] {
            let came = flow(transport, "198.51.100.7:40000");
            assert_eq!(reply_flow(&request("OPTIONS", via, ""), came), flow(transport, remote), "{via}");
        }
    }
}
