//! Whose packets a leg takes, and where it sends its own.
//!
//! SDP says where the peer wants its media. Most peers also send from there; some send from another port, and
//! one behind NAT sends from an address SDP never showed. So until the first packet of the peer has come, a
//! small set of senders may claim the leg; the first that does owns it until the next offer:
//!
//! | sender | may claim |
//! |---|---|
//! | exactly where SDP points | always |
//! | SDP's host, another port | always |
//! | the host the signalling comes from | when SDP's address cannot be reached from here (RFC 1918, RFC 6598…) |
//! | anybody | when it cannot be reached and nobody knows where the signalling comes from |
//! | whoever owned the leg before this offer | always |
//!
//! Anybody else is a stranger: counted, not heard, not answered. An owner whose packets stop may come back from
//! another port of its host (a NAT forgot it) if it goes on with its stream, or from anywhere if what it sends is
//! authenticated (SRTP). Learning an owner once and only from this set
//! is what keeps third parties from listening in or talking over (the "RTP bleed" family of attacks).

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The state of one socket's latch.
#[derive(Clone, Copy, Debug)]
pub struct Latch {
    /// What the last offer or answer said.
    negotiated: Option<SocketAddr>,
    /// Where the signalling comes from.
    signalling: Option<IpAddr>,
    /// Whose packets are taken.
    owner: Option<SocketAddr>,
    /// Who owned it before this offer.
    before: Option<SocketAddr>,
}

impl Latch {
    /// A latch nobody may claim before [`Latch::offer`].
    pub fn new(signalling: Option<IpAddr>) -> Latch {
        Latch {
            negotiated: None,
            signalling: signalling.map(|ip| ip.to_canonical()),
            owner: None,
            before: None,
        }
    }

    /// An offer and its answer said where the peer is, perhaps anew.
    pub fn offer(&mut self, remote: SocketAddr) {
        let remote = canonical(remote);
        let before = self.owner.take().or(self.before);
        let stays = self.negotiated == Some(remote);
        self.negotiated = Some(remote);
        // A peer that says it moved is reached there, unless what it says cannot be reached.
        self.before = before
            .filter(|&b| stays || (b.ip() != remote.ip() && !is_reachable(remote.ip()) && self.plausible(b)));
    }

    /// Whether this sender's packets are the peer's; the first one that may be becomes the owner.
    #[inline]
    pub fn accepts(&mut self, from: SocketAddr) -> bool {
        match self.owner {
            Some(owner) => owner == from || owner == canonical(from),
            None => self.claim(canonical(from)),
        }
    }

    /// Whether [`Latch::accepts`] would say yes; nobody becomes the owner by being asked about.
    #[inline]
    pub fn may_be(&self, from: SocketAddr) -> bool {
        match self.owner {
            Some(owner) => owner == from || owner == canonical(from),
            None => self.may_claim(canonical(from)),
        }
    }

    /// Whether the owner may have become this sender: its host is that of the owner, or one that may claim. A NAT
    /// that forgets gives the same host another port.
    pub fn may_have_moved_to(&self, from: SocketAddr) -> bool {
        let from = canonical(from);
        self.owner.is_some_and(|owner| owner != from && (owner.ip() == from.ip() || self.may_claim(from)))
    }

    /// The owner is reached there from now on. Whoever says so must know that it is the same one.
    pub fn move_to(&mut self, from: SocketAddr) {
        self.owner = Some(canonical(from));
    }

    /// Where our packets go; `None` while that is nowhere.
    #[inline]
    pub fn target(&self) -> Option<SocketAddr> {
        let target = self.owner.or(self.before).or(self.negotiated)?;
        (target.port() != 0 && !target.ip().is_unspecified()).then_some(target)
    }

    /// The host whose packets are taken, once one has spoken.
    pub fn owner(&self) -> Option<SocketAddr> {
        self.owner
    }

    fn claim(&mut self, from: SocketAddr) -> bool {
        let may = self.may_claim(from);
        if may {
            self.owner = Some(from);
        }
        may
    }

    fn may_claim(&self, from: SocketAddr) -> bool {
        self.negotiated.is_some() && (self.plausible(from) || self.before == Some(from))
    }

    fn plausible(&self, from: SocketAddr) -> bool {
        let Some(negotiated) = self.negotiated else { return false };
        if from.ip() == negotiated.ip() {
            return true;
        }
        match self.signalling {
            _ if is_reachable(negotiated.ip()) => false,
            Some(signalling) => from.ip() == signalling,
            None => true,
        }
    }
}

/// Whether the address means the same host here as it does at the peer.
fn is_reachable(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let shared = ip.octets()[0] == 100 && ip.octets()[1] & 0xC0 == 64; // RFC 6598
            !(ip.is_private() || ip.is_link_local() || ip == Ipv4Addr::UNSPECIFIED || shared)
        }
        IpAddr::V6(ip) => !(ip.is_unique_local() || ip.is_unicast_link_local() || ip.is_unspecified()),
    }
}

/// An IPv4 peer of a dual-stack socket appears as `::ffff:a.b.c.d`.
#[inline]
fn canonical(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(_) => address,
        SocketAddr::V6(v6) => match v6.ip().to_ipv4_mapped() {
            Some(ip) => SocketAddr::new(IpAddr::V4(ip), v6.port()),
            // Scope and flow label are the receiver's view, not part of who it is.
            None => SocketAddr::new(IpAddr::V6(*v6.ip()), v6.port()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn a(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn who_may_claim() {
        let public = "203.0.113.5:4000";
        let private = "192.168.1.20:4000";
        let cases = [
            // SDP, signalling, sender, taken
            (public, Some("203.0.113.5"), public, true),
            (public, Some("203.0.113.5"), "203.0.113.5:62000", true),
            (public, Some("203.0.113.9"), "203.0.113.9:4000", false),
            (public, None, "198.51.100.1:4000", false),
            (private, Some("203.0.113.5"), private, true),
            (private, Some("203.0.113.5"), "203.0.113.5:31000", true),
            (private, Some("203.0.113.5"), "198.51.100.1:4000", false),
            (private, Some("192.168.1.20"), "192.168.1.99:4000", false),
            (private, None, "198.51.100.1:4000", true),
            ("100.64.3.1:4000", Some("203.0.113.5"), "203.0.113.5:1", true),
            ("100.128.3.1:4000", Some("203.0.113.5"), "203.0.113.5:1", false),
            ("[fd00::5]:4000", Some("2001:db8::1"), "[2001:db8::1]:9", true),
            (public, None, "[::ffff:203.0.113.5]:4000", true),
        ];
        for (sdp, signalling, sender, taken) in cases {
            let mut latch = Latch::new(signalling.map(|s| s.parse().unwrap()));
            latch.offer(a(sdp));
            assert_eq!(latch.accepts(a(sender)), taken, "{sdp} {signalling:?} {sender}");
            assert_eq!(latch.target().unwrap(), if taken { canonical(a(sender)) } else { a(sdp) });
        }
    }

    #[test]
    fn nobody_claims_before_there_is_an_offer() {
        let mut latch = Latch::new(None);
        assert!(!latch.accepts(a("192.0.2.1:1")));
        assert_eq!(latch.target(), None);
    }

    #[test]
    fn the_first_owner_stays_until_the_next_offer() {
        let mut latch = Latch::new(None);
        latch.offer(a("10.0.0.1:4000"));
        assert!(latch.accepts(a("198.51.100.1:5")));
        assert!(!latch.accepts(a("10.0.0.1:4000")));
        assert!(!latch.accepts(a("198.51.100.1:6")));

        latch.offer(a("10.0.0.1:4000"));
        assert_eq!(latch.target(), Some(a("198.51.100.1:5")), "goes on sending where it was heard");
        assert!(latch.accepts(a("198.51.100.2:7")));
        assert!(!latch.accepts(a("198.51.100.1:5")));
    }

    #[test]
    fn a_peer_that_says_it_moved_is_sought_there() {
        let mut latch = Latch::new(None);
        latch.offer(a("203.0.113.5:4000"));
        assert!(latch.accepts(a("203.0.113.5:4000")));
        latch.offer(a("203.0.113.77:4000"));
        assert_eq!(latch.target(), Some(a("203.0.113.77:4000")));
        assert!(!latch.accepts(a("203.0.113.5:4000")));
        assert!(latch.accepts(a("203.0.113.77:4000")));
    }

    #[test]
    fn a_host_that_only_changed_its_port_is_sought_at_the_new_one() {
        let mut latch = Latch::new(None);
        latch.offer(a("203.0.113.5:4000"));
        assert!(latch.accepts(a("203.0.113.5:4000")));
        latch.offer(a("203.0.113.5:4002"));
        assert_eq!(latch.target(), Some(a("203.0.113.5:4002")));
    }

    #[test]
    fn a_peer_on_the_same_network_that_moved_is_not_sought_where_it_was() {
        let mut latch = Latch::new(Some("192.168.1.20".parse().unwrap()));
        latch.offer(a("192.168.1.20:4000"));
        assert!(latch.accepts(a("192.168.1.20:4000")));
        latch.offer(a("192.168.1.20:4002"));
        assert_eq!(latch.target(), Some(a("192.168.1.20:4002")));
    }

    #[test]
    fn an_owner_may_move_within_its_host_and_where_it_may_claim() {
        let mut latch = Latch::new(Some("198.51.100.9".parse().unwrap()));
        latch.offer(a("10.0.0.1:4000"));
        assert!(!latch.may_have_moved_to(a("198.51.100.9:7")), "nobody has been heard");
        assert!(latch.may_be(a("198.51.100.9:5")) && latch.owner().is_none());
        assert!(latch.accepts(a("198.51.100.9:5")));
        assert!(!latch.may_be(a("198.51.100.9:7")));
        for (from, may) in [("198.51.100.9:7", true), ("198.51.100.9:5", false), ("203.0.113.1:5", false)] {
            assert_eq!(latch.may_have_moved_to(a(from)), may, "{from}");
        }
        latch.move_to(a("198.51.100.9:7"));
        assert_eq!(latch.target(), Some(a("198.51.100.9:7")));
        assert!(!latch.accepts(a("198.51.100.9:5")));
    }

    #[test]
    fn an_address_of_nothing_is_not_sent_to() {
        let mut latch = Latch::new(None);
        latch.offer(a("0.0.0.0:4000"));
        assert_eq!(latch.target(), None);
    }
}
