//! Sources that guess passwords are banned for a while.

use std::net::{IpAddr, Ipv6Addr};

use base::{ExpiringMap, Mono};

use super::EndpointLimits;

/// Sources remembered at once, guessing and banned each; beyond it the one nearest its end is forgotten.
const SOURCES_MAX: usize = 4_096;

/// Counts bad passwords by source.
///
/// A ban touches only what needs a password: calls in progress, trunks and answers to our own requests go on, so
/// that a forged source address can do little harm.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    guesses: ExpiringMap<IpAddr, u32>,
    banned: ExpiringMap<IpAddr, ()>,
}

impl Guard {
    pub(super) fn new() -> Self {
        Self { guesses: ExpiringMap::new(SOURCES_MAX), banned: ExpiringMap::new(SOURCES_MAX) }
    }

    /// Whether requests from there are not even challenged.
    pub(super) fn is_banned(&mut self, address: IpAddr, now: Mono) -> bool {
        while self.banned.expire(now).is_some() {}
        self.banned.get(&source(address)).is_some()
    }

    /// Notes a bad password; true when it was one too many.
    pub(super) fn bad_password(&mut self, address: IpAddr, limits: &EndpointLimits, now: Mono) -> bool {
        while self.guesses.expire(now).is_some() {}
        let source = source(address);
        if let Some(count) = self.guesses.get_mut(&source) {
            *count += 1;
            if *count < limits.ban_after {
                return false;
            }
        } else {
            self.guesses.insert(source, 1, now + limits.ban_window);
            if limits.ban_after > 1 {
                return false;
            }
        }
        self.guesses.remove(&source);
        self.banned.insert(source, (), now + limits.ban_time);
        true
    }

    pub(super) fn banned(&self) -> impl Iterator<Item = IpAddr> {
        self.banned.iter().map(|(address, ())| *address)
    }
}

/// One IPv6 customer has a whole /64 to guess from.
fn source(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_source_is_banned_after_so_many_guesses_in_the_window() {
        let limits = EndpointLimits {
            ban_after: 3,
            ban_window: Duration::from_secs(10),
            ban_time: Duration::from_secs(60),
            ..EndpointLimits::default()
        };
        let at = |seconds: u64| Mono(seconds * 1_000_000_000);
        let (a, b) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let mut guard = Guard::new();
        for second in [0, 1, 11, 12] {
            assert!(!guard.bad_password(a, &limits, at(second)), "{second}");
        }
        assert!(guard.bad_password(a, &limits, at(13)));
        assert!(guard.is_banned(a, at(72)) && !guard.is_banned(b, at(72)));
        assert!(!guard.is_banned(a, at(73)));
    }

    #[test]
    fn a_network_of_one_customer_is_one_source() {
        let (a, b) = ("2001:db8::1".parse().unwrap(), "2001:db8::ffff:1".parse().unwrap());
        let limits = EndpointLimits { ban_after: 2, ..EndpointLimits::default() };
        let mut guard = Guard::new();
        assert!(!guard.bad_password(a, &limits, Mono(0)));
        assert!(guard.bad_password(b, &limits, Mono(0)));
        assert!(guard.is_banned("2001:db8::2".parse().unwrap(), Mono(1)));
        assert!(!guard.is_banned("2001:db8:0:1::2".parse().unwrap(), Mono(1)));
    }
}
