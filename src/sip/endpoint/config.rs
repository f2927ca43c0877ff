//! What the endpoint is told about its world: itself, its phones, its trunks, its limits.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{TransportKind, Uri, UserCredentials};

/// Everything the endpoint is configured with. A reload hands in a whole new one; calls in progress keep theirs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EndpointConfig {
    /// The digest realm (RFC 7616 §3.3); the users' HA1 values are made for it.
    pub realm: String,
    /// Lower-case names and addresses that are ours in a Request-URI; empty: any address of ours.
    pub domains: Vec<String>,
    /// Written as User-Agent and Server (RFC 3261 §20.41, §20.35).
    pub user_agent: String,
    /// The sockets the shell has open. A request we begin leaves from the first one of its transport and address
    /// family.
    pub listen: Vec<(TransportKind, SocketAddr)>,
    /// Our own addresses, for sockets bound to the unspecified address: Via and Contact name the one that has the
    /// longest prefix in common with the peer.
    pub addresses: Vec<IpAddr>,
    /// The carriers.
    pub trunks: Vec<TrunkConfig>,
    /// The phones' credentials, by user name.
    pub users: BTreeMap<String, UserCredentials>,
    /// Those of them whose calls are taken but not their REGISTER.
    #[serde(default)]
    pub callers_only: BTreeSet<String>,
    /// Option tags of extensions that are the owner's to understand (RFC 3261 §19.2); the endpoint has its own.
    pub extensions: Vec<String>,
    /// Named maxima.
    pub limits: EndpointLimits,
}

/// One carrier.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrunkConfig {
    /// Its name in the configuration.
    pub name: String,
    /// Where calls to it are sent: the host of the Request-URI, with port and transport.
    pub address: Uri,
    /// Whose INVITEs are its calls.
    pub accept_from: Vec<IpNet>,
    /// Digest user, when it challenges us.
    pub username: Option<String>,
    /// Digest password.
    pub password: Option<String>,
    /// Whether we register with it (RFC 3261 §10.2), so that it knows where we are.
    pub register: bool,
}

/// What is refused beyond.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointLimits {
    /// INVITE sessions at once, both roles; beyond it 503 with Retry-After.
    pub sessions_max: usize,
    /// Transactions at once, client and server each; beyond it a stateless 503.
    pub transactions_max: usize,
    /// Bad passwords from one source within [`ban_window`](Self::ban_window) after which it is banned.
    pub ban_after: u32,
    /// How long a bad password is remembered.
    pub ban_window: Duration,
    /// How long a ban lasts.
    pub ban_time: Duration,
}

impl Default for EndpointLimits {
    fn default() -> Self {
        Self {
            sessions_max: base::limits::CALLS_MAX,
            transactions_max: 8 * base::limits::CALLS_MAX,
            ban_after: 20,
            ban_window: Duration::from_secs(300),
            ban_time: Duration::from_secs(600),
        }
    }
}

/// A network: an address and how many of its leading bits count. Written `192.0.2.0/24`, or a bare address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct IpNet {
    address: IpAddr,
    prefix: u8,
}

/// A text that is not a network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither an IP address nor a network such as 192.0.2.0/24")]
pub struct ParseIpNetError(String);

impl IpNet {
    /// Whether `address` lies in it. An IPv4 address mapped into IPv6 counts as the IPv4 one (RFC 4291 §2.5.5.2).
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(ours), IpAddr::V4(theirs)) => {
                shared_bits(u128::from(ours.to_bits()) << 96, u128::from(theirs.to_bits()) << 96)
                    >= u32::from(self.prefix)
            }
            (IpAddr::V6(ours), IpAddr::V6(theirs)) => {
                shared_bits(ours.to_bits(), theirs.to_bits()) >= u32::from(self.prefix)
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

/// How many leading bits two addresses of one family share; `None` for two families.
pub(crate) fn common_prefix(a: IpAddr, b: IpAddr) -> Option<u32> {
    match (a.to_canonical(), b.to_canonical()) {
        (IpAddr::V4(a), IpAddr::V4(b)) => Some((a.to_bits() ^ b.to_bits()).leading_zeros()),
        (IpAddr::V6(a), IpAddr::V6(b)) => Some((a.to_bits() ^ b.to_bits()).leading_zeros()),
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => None,
    }
}

fn shared_bits(a: u128, b: u128) -> u32 {
    (a ^ b).leading_zeros()
}

impl From<IpAddr> for IpNet {
    fn from(address: IpAddr) -> Self {
        let address = address.to_canonical();
        Self { address, prefix: if address.is_ipv4() { 32 } else { 128 } }
    }
}

impl FromStr for IpNet {
    type Err = ParseIpNetError;
    fn from_str(text: &str) -> Result<Self, ParseIpNetError> {
        let error = || ParseIpNetError(text.chars().take(64).collect());
        let Some((address, prefix)) = text.split_once('/') else {
            return text.parse::<IpAddr>().map(Self::from).map_err(|_| error());
        };
        let whole = Self::from(address.parse::<IpAddr>().map_err(|_| error())?);
        match prefix.parse::<u8>() {
            Ok(prefix) if prefix <= whole.prefix => Ok(Self { prefix, ..whole }),
            Ok(_) | Err(_) => Err(error()),
        }
    }
}

impl fmt::Display for IpNet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_contains_what_shares_its_prefix() {
        for (net, address, inside) in [
            ("192.0.2.0/24", "192.0.2.9", true),
            ("192.0.2.0/24", "192.0.3.9", false),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.6", false),
            ("192.0.2.7", "::ffff:192.0.2.7", true),
            ("0.0.0.0/0", "8.8.8.8", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("2001:db8::/32", "2001:db8:1::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
        ] {
            assert_eq!(
                net.parse::<IpNet>().unwrap().contains(address.parse().unwrap()),
                inside,
                "{address} in {net}"
            );
        }
    }

    #[test]
    fn what_is_not_a_network_is_refused() {
        for text in ["", "192.0.2", "192.0.2.0/33", "192.0.2.0/-1", "::/129", "carrier.example"] {
            assert!(text.parse::<IpNet>().is_err(), "{text}");
        }
    }
}
