//! Which of the machine's addresses a peer sees.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// The local address from which the machine reaches `peer`; what SDP, Via and Contact show when a listener is
/// bound to every address. The kernel's routing table answers: connecting a datagram socket sends nothing.
pub fn address_towards(peer: IpAddr) -> io::Result<IpAddr> {
    let any: IpAddr = match peer {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(SocketAddr::new(peer, 9))?;
    Ok(socket.local_addr()?.ip())
}

/// The addresses of the machine's interfaces that are up, those of the outside before loopback. Link-local
/// IPv6 addresses are left out: they mean nothing without a scope.
pub fn interface_addresses() -> Vec<IpAddr> {
    let mut first: *mut libc::ifaddrs = std::ptr::null_mut();
    // SAFETY: getifaddrs fills `first` with a list that freeifaddrs takes back below.
    if unsafe { libc::getifaddrs(&raw mut first) } != 0 {
        return Vec::new();
    }
    let mut found = Vec::new();
    let mut at = first;
    // SAFETY: `at` walks the list getifaddrs made, which stays valid until freeifaddrs.
    while let Some(interface) = unsafe { at.as_ref() } {
        at = interface.ifa_next;
        if interface.ifa_flags & libc::IFF_UP as u32 == 0 || interface.ifa_addr.is_null() {
            continue;
        }
        // SAFETY: ifa_addr points to a sockaddr of the family it names.
        if let Some(address) = unsafe { ip_of(interface.ifa_addr) } {
            found.push(address);
        }
    }
    // SAFETY: `first` came from getifaddrs and is not used afterwards.
    unsafe { libc::freeifaddrs(first) };
    found.retain(|address| !matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local()));
    found.sort_by_key(|address| (address.is_loopback(), address.is_ipv6()));
    found.dedup();
    found
}

/// # Safety
/// `address` points to a socket address that is as long as its family says.
unsafe fn ip_of(address: *const libc::sockaddr) -> Option<IpAddr> {
    // SAFETY: promised by the caller; read unaligned because the list packs entries.
    unsafe {
        match i32::from((*address).sa_family) {
            libc::AF_INET => {
                let v4 = address.cast::<libc::sockaddr_in>().read_unaligned();
                Some(Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr)).into())
            }
            libc::AF_INET6 => {
                let v6 = address.cast::<libc::sockaddr_in6>().read_unaligned();
                Some(Ipv6Addr::from(v6.sin6_addr.s6_addr).into())
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_reached_from_loopback() {
        assert_eq!(address_towards(Ipv4Addr::LOCALHOST.into()).unwrap(), IpAddr::V4(Ipv4Addr::LOCALHOST));
        let other: IpAddr = "127.0.0.9".parse().unwrap();
        assert!(address_towards(other).unwrap().is_loopback());
    }

    #[test]
    fn the_machine_has_loopback_and_lists_it_last() {
        let found = interface_addresses();
        let first_loopback = found.iter().position(IpAddr::is_loopback).expect("a machine has a loopback");
        assert!(found[first_loopback..].iter().all(IpAddr::is_loopback), "{found:?}");
    }
}
