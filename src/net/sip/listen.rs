//! Where to listen, as configuration writes it.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use sip::TransportKind;

/// One address to listen on, written `udp:127.0.0.1:5060` or `tcp:[::]:5060`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen {
    /// How.
    pub transport: TransportKind,
    /// Where; unspecified (`0.0.0.0`, `::`) = on every address of that family.
    pub address: SocketAddr,
}

/// A text that is no listener.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a listener like udp:127.0.0.1:5060: {why}")]
pub struct ParseListenError {
    text: String,
    why: String,
}

impl From<(TransportKind, SocketAddr)> for Listen {
    fn from((transport, address): (TransportKind, SocketAddr)) -> Self {
        Self { transport, address }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.transport, self.address)
    }
}

impl FromStr for Listen {
    type Err = ParseListenError;
    fn from_str(text: &str) -> Result<Self, ParseListenError> {
        let error = |why: String| ParseListenError { text: text.chars().take(80).collect(), why };
        let (transport, address) =
            text.split_once(':').ok_or_else(|| error("it names no transport".to_owned()))?;
        Ok(Self {
            transport: transport.parse().map_err(|e: sip::UnknownTransport| error(e.to_string()))?,
            address: address
                .parse()
                .map_err(|_| error(format!("`{address}` is not an IP address and port")))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_survive_their_text_and_others_say_why() {
        for text in ["udp:127.0.0.1:5060", "tcp:0.0.0.0:5060", "tls:[::]:5061"] {
            assert_eq!(text.parse::<Listen>().unwrap().to_string(), text);
        }
        for (text, why) in [
            ("5060", "no transport"),
            ("sctp:127.0.0.1:5060", "sctp"),
            ("udp:localhost:5060", "localhost:5060"),
            ("udp:127.0.0.1", "127.0.0.1"),
        ] {
            let error = text.parse::<Listen>().unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
