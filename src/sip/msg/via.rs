//! Via: the way a request came and its responses go back (RFC 3261 §20.42).

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::host::{HostRef, parse_hostport};
use super::typed::Checked;
use super::{Host, Params, UriError, syntax};

/// The transport a Via names. Unlike [`TransportKind`](super::TransportKind) it may be one the box does not have.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Transport {
    /// `UDP`
    Udp,
    /// `TCP`
    Tcp,
    /// `TLS`
    Tls,
    /// `WS` (RFC 7118)
    Ws,
    /// `WSS` (RFC 7118)
    Wss,
    /// Any other, as received.
    Other(String),
}

impl Transport {
    /// Its name on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
            Transport::Tls => "TLS",
            Transport::Ws => "WS",
            Transport::Wss => "WSS",
            Transport::Other(name) => name,
        }
    }
}

impl From<&str> for Transport {
    fn from(name: &str) -> Self {
        [Transport::Udp, Transport::Tcp, Transport::Tls, Transport::Ws, Transport::Wss]
            .into_iter()
            .find(|transport| transport.as_str().eq_ignore_ascii_case(name))
            .unwrap_or_else(|| Transport::Other(name.to_owned()))
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One Via value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Via {
    /// The transport it was sent over.
    pub transport: Transport,
    /// Host of `sent-by`: who says to have sent it.
    pub host: Host,
    /// Port of `sent-by`.
    pub port: Option<u16>,
    /// `branch`, `received`, `rport` and others.
    pub params: Params,
}

impl Via {
    /// `SIP/2.0/transport host:port;branch=…;rport` as a client writes it (RFC 3261 §8.1.1.7, RFC 3581 §3).
    pub fn new(transport: Transport, sent_by: SocketAddr, branch: &str) -> Self {
        Self {
            transport,
            host: sent_by.ip().into(),
            port: Some(sent_by.port()),
            params: Params::new().with("branch", Some(branch)).with("rport", None),
        }
    }

    /// `branch`, the transaction's name; an empty one is none.
    pub fn branch(&self) -> Option<&str> {
        self.params.get("branch").filter(|branch| !branch.is_empty())
    }

    /// `received`: the address it really came from (RFC 3261 §18.2.1).
    pub fn received(&self) -> Option<IpAddr> {
        let text = self.params.get("received")?;
        text.trim_start_matches('[').trim_end_matches(']').parse().ok()
    }

    /// `rport` with a value: the port it really came from (RFC 3581 §4).
    pub fn rport(&self) -> Option<u16> {
        syntax::number(self.params.get("rport")?, u64::from(u16::MAX)).map(|port| port as u16)
    }

    /// Notes where the request really came from: `received` when `sent-by` says otherwise, `rport` when it was
    /// asked for (RFC 3261 §18.2.1, RFC 3581 §4).
    pub fn stamp(&mut self, remote: SocketAddr) {
        let asked = self.params.has("rport");
        if asked || self.host.ip() != Some(remote.ip()) {
            self.params.set("received", Some(&remote.ip().to_string()));
        }
        if asked {
            self.params.set("rport", Some(&remote.port().to_string()));
        }
    }
}

impl FromStr for Via {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, UriError> {
        let Parts { transport, host, port, params } = Parts::read(text)?;
        let params = Params::parse_header(params).map_err(UriError)?;
        Ok(Self { transport: Transport::from(transport), host: host.into(), port, params })
    }
}

impl Checked for Via {
    fn check(text: &str) -> Result<(), UriError> {
        Params::check_header(Parts::read(text)?.params).map_err(UriError)
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SIP/2.0/{} {}", self.transport, self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        self.params.fmt(f)
    }
}

/// Its parts where they stand.
struct Parts<'a> {
    transport: &'a str,
    host: HostRef<'a>,
    port: Option<u16>,
    params: &'a str,
}

impl<'a> Parts<'a> {
    fn read(text: &'a str) -> Result<Self, UriError> {
        const PROTOCOL: UriError = UriError("protocol that is not SIP/2.0");
        let (name, rest) = text.split_once('/').ok_or(PROTOCOL)?;
        let (version, rest) = rest.split_once('/').ok_or(PROTOCOL)?;
        if !syntax::trim(name).eq_ignore_ascii_case("SIP") || syntax::trim(version) != "2.0" {
            return Err(PROTOCOL);
        }
        let rest = syntax::trim(rest);
        let end = rest.find([' ', '\t', '\r', '\n']).ok_or(UriError("no host"))?;
        let (transport, rest) = rest.split_at(end);
        if !syntax::is_token(transport) {
            return Err(UriError("malformed transport"));
        }
        let (hostport, params) = rest.split_at(rest.find(';').unwrap_or(rest.len()));
        let (host, port) = parse_hostport(syntax::trim(hostport))?;
        Ok(Self { transport, host, port, params })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vias_are_read_in_every_form() {
        for (text, written) in [
            ("SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKa", "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKa"),
            ("SIP / 2.0 / udp  host ;branch=1 ; rport", "SIP/2.0/UDP host;branch=1;rport"),
            ("sip/2.0/TLS [2001:db8::1]:5061", "SIP/2.0/TLS [2001:db8::1]:5061"),
            ("SIP/2.0/SCTP host : 5060;x=\"a;b\"", "SIP/2.0/SCTP host:5060;x=\"a;b\""),
            ("SIP/2.0/WSS df7jal23ls0d.invalid;branch=a", "SIP/2.0/WSS df7jal23ls0d.invalid;branch=a"),
        ] {
            let via: Via = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(via.to_string(), written);
        }
    }

    #[test]
    fn malformed_vias_are_refused() {
        for text in [
            "",
            "SIP/2.0",
            "SIP/2.0/UDP",
            "SIP/2.0/UDP ",
            "SIP/7.0/UDP host",
            "HTTP/2.0/UDP host",
            "SIP/2.0/U@P host",
            "SIP/2.0/UDP ;branch=1",
            "SIP/2.0/UDP host:99999",
            "SIP/2.0/UDP host;;branch=1",
            "SIP/2.0/UDP a b;c=d",
        ] {
            assert!(text.parse::<Via>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn stamping_says_where_it_really_came_from() {
        let remote: SocketAddr = "198.51.100.7:33000".parse().unwrap();
        for (text, stamped) in [
            ("SIP/2.0/UDP 198.51.100.7;branch=1", "SIP/2.0/UDP 198.51.100.7;branch=1"),
            ("SIP/2.0/UDP 10.0.0.1;branch=1", "SIP/2.0/UDP 10.0.0.1;branch=1;received=198.51.100.7"),
            (
                "SIP/2.0/UDP 198.51.100.7;rport;branch=1",
                "SIP/2.0/UDP 198.51.100.7;rport=33000;branch=1;received=198.51.100.7",
            ),
            (
                "SIP/2.0/UDP pc.example;received=1.2.3.4;rport=9",
                "SIP/2.0/UDP pc.example;received=198.51.100.7;rport=33000",
            ),
        ] {
            let mut via: Via = text.parse().unwrap();
            via.stamp(remote);
            assert_eq!(via.to_string(), stamped);
        }
        let mut via: Via = "SIP/2.0/UDP a;rport".parse().unwrap();
        assert_eq!((via.rport(), via.received(), via.branch()), (None, None, None));
        via.stamp("[2001:db8::1]:7".parse().unwrap());
        assert_eq!((via.rport(), via.received()), (Some(7), Some("2001:db8::1".parse().unwrap())));
    }
}
