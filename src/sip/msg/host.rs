//! Hosts: names and addresses, with or without a port (RFC 3261 §25.1 `hostport`).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use super::{UriError, syntax};

/// Where a URI points: a name to resolve or an address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Host {
    /// A domain name, as received. Empty in URIs that have no host (`tel:`).
    Name(String),
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address, in brackets on the wire.
    V6(Ipv6Addr),
}

impl Host {
    /// The address, when it is one.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Host::Name(_) => None,
            Host::V4(ip) => Some(IpAddr::V4(*ip)),
            Host::V6(ip) => Some(IpAddr::V6(*ip)),
        }
    }

    /// Whether both mean the same host: names without case (RFC 3261 §19.1.4).
    pub fn equivalent(&self, other: &Host) -> bool {
        match (self, other) {
            (Host::Name(a), Host::Name(b)) => a.eq_ignore_ascii_case(b),
            (Host::Name(_) | Host::V4(_) | Host::V6(_), _) => self == other,
        }
    }
}

impl From<IpAddr> for Host {
    fn from(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(ip) => Host::V4(ip),
            IpAddr::V6(ip) => Host::V6(ip),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Name(name) => f.write_str(name),
            Host::V4(ip) => ip.fmt(f),
            Host::V6(ip) => write!(f, "[{ip}]"),
        }
    }
}

/// A host where it stands.
#[derive(Clone, Copy)]
pub(super) enum HostRef<'a> {
    Name(&'a str),
    V4(Ipv4Addr),
    V6(Ipv6Addr),
}

impl From<HostRef<'_>> for Host {
    fn from(host: HostRef<'_>) -> Self {
        match host {
            HostRef::Name(name) => Host::Name(name.to_owned()),
            HostRef::V4(ip) => Host::V4(ip),
            HostRef::V6(ip) => Host::V6(ip),
        }
    }
}

/// `host`, `host:port`, `[v6]`, `[v6]:port`: the `sent-by` of a Via as well.
pub(super) fn parse_hostport(text: &str) -> Result<(HostRef<'_>, Option<u16>), UriError> {
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (address, port) =
            rest.split_once(']').ok_or(UriError("IPv6 address without its closing bracket"))?;
        let address = address.parse().map_err(|_| UriError("malformed IPv6 address"))?;
        (HostRef::V6(address), port)
    } else {
        let end = text.find(':').unwrap_or(text.len());
        (parse_host_name(syntax::trim(&text[..end]))?, &text[end..])
    };
    let port = match syntax::trim(port) {
        "" => None,
        port => {
            let digits = port.strip_prefix(':').ok_or(UriError("malformed host"))?;
            let port = syntax::number(syntax::trim(digits), u64::from(u16::MAX))
                .ok_or(UriError("malformed port"))?;
            Some(port as u16)
        }
    };
    Ok((host, port))
}

fn parse_host_name(text: &str) -> Result<HostRef<'_>, UriError> {
    // The underscore is in no grammar and in many networks.
    let fine = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    if text.is_empty() || !text.bytes().all(fine) {
        return Err(UriError("malformed host"));
    }
    Ok(text.parse().map_or(HostRef::Name(text), HostRef::V4))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports_are_read_with_space_between() {
        for (text, host, port) in [
            ("gw.example", Host::Name("gw.example".into()), None),
            ("192.0.2.1 : 5060", Host::V4([192, 0, 2, 1].into()), Some(5060)),
            ("[::1]:5061", Host::V6(Ipv6Addr::LOCALHOST), Some(5061)),
            ("256.0.0.1", Host::Name("256.0.0.1".into()), None),
            ("h:0", Host::Name("h".into()), Some(0)),
        ] {
            let read = parse_hostport(text).map(|(host, port)| (Host::from(host), port));
            assert_eq!(read, Ok((host, port)), "{text}");
        }
        for text in ["", ":5060", "a:", "a:b", "a b", "[::1", "::1", "[::1]x", "[fe80::1%eth0]", "a:65536"] {
            assert!(parse_hostport(text).is_err(), "{text}");
        }
    }

    #[test]
    fn names_compare_without_case_and_addresses_by_value() {
        let name = |text: &str| Host::Name(text.into());
        assert!(name("GW.example").equivalent(&name("gw.EXAMPLE")) && !name("a").equivalent(&name("b")));
        let address: IpAddr = "2001:db8::1".parse().unwrap();
        assert!(Host::from(address).equivalent(&Host::from(address)));
        assert_eq!(Host::from(address).to_string(), "[2001:db8::1]");
        assert!(!Host::V4(Ipv4Addr::LOCALHOST).equivalent(&name("127.0.0.1")));
    }
}
