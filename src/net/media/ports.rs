//! Pairs of UDP ports for legs: an even one for RTP and the next for RTCP (RFC 3550 §11).

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use socket2::{Domain, Protocol, Socket, Type};

use super::io::stamp_arrivals;

/// The pairs of the configured range, and which of them are taken.
#[derive(Debug)]
pub(super) struct Ports {
    address: IpAddr,
    first: u16,
    taken: Vec<bool>,
    /// Where the search begins: behind the pair given out last, so that a freed pair rests as long as it can and
    /// late packets of a call that ended do not meet a new one.
    next: usize,
}

/// The two sockets of a leg.
#[derive(Debug)]
pub(super) struct Sockets {
    rtp: OwnedFd,
    rtcp: OwnedFd,
    is_v6: bool,
    port: u16,
}

impl Ports {
    /// `start` is any number; it decides where in the range the first leg lies.
    pub(super) fn new(address: IpAddr, range: &RangeInclusive<u16>, start: u64) -> Ports {
        let first = range.start() + range.start() % 2;
        let pairs = (usize::from(*range.end()) + 1).saturating_sub(usize::from(first)) / 2;
        let next = if pairs == 0 { 0 } else { (start % pairs as u64) as usize };
        Ports { address, first, taken: vec![false; pairs], next }
    }

    /// Pairs in the range.
    pub(super) fn len(&self) -> usize {
        self.taken.len()
    }

    /// Binds the next free pair. Ports somebody else holds are passed over.
    pub(super) fn take(&mut self) -> Result<Sockets, String> {
        let pairs = self.taken.len();
        let mut refusal = None;
        for n in 0..pairs {
            let pair = (self.next + n) % pairs;
            if self.taken[pair] {
                continue;
            }
            let port = self.first + 2 * pair as u16;
            match self.bind(port) {
                Ok(sockets) => {
                    self.taken[pair] = true;
                    self.next = (pair + 1) % pairs;
                    return Ok(sockets);
                }
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                // No descriptors, no such address: the next port would fail alike.
                Err(error) => {
                    refusal = Some(error);
                    break;
                }
            }
        }
        Err(match refusal {
            Some(error) => format!("cannot bind a media port on {}: {error}", self.address),
            None => format!("all {pairs} pairs of media ports are taken"),
        })
    }

    /// The pair is free again; its sockets are closed.
    pub(super) fn release(&mut self, port: u16) {
        let pair = usize::from(port.saturating_sub(self.first) / 2);
        if let Some(taken) = self.taken.get_mut(pair) {
            *taken = false;
        }
    }

    fn bind(&self, port: u16) -> io::Result<Sockets> {
        let rtp = socket(self.address, port)?;
        // Without it the delay is not known; everything else goes on.
        stamp_arrivals(rtp.as_raw_fd());
        Ok(Sockets { rtp, rtcp: socket(self.address, port + 1)?, is_v6: self.address.is_ipv6(), port })
    }
}

impl Sockets {
    /// Of the RTP socket; RTCP has the next.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn rtp(&self) -> RawFd {
        self.rtp.as_raw_fd()
    }

    pub(super) fn rtcp(&self) -> RawFd {
        self.rtcp.as_raw_fd()
    }

    /// Whether addresses must be given to the kernel as IPv6.
    pub(super) fn is_v6(&self) -> bool {
        self.is_v6
    }
}

/// DSCP "expedited forwarding" (RFC 3246) in the upper six bits: what switches and routers give voice.
const TOS_EXPEDITED: u32 = 0xB8;

fn socket(ip: IpAddr, port: u16) -> io::Result<OwnedFd> {
    let address = SocketAddr::new(ip, port);
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    if ip.is_ipv6() {
        socket.set_only_v6(false)?;
        let _ = socket.set_tclass_v6(TOS_EXPEDITED);
    } else {
        // A network that knows no classes of service carries voice as well.
        let _ = socket.set_tos_v4(TOS_EXPEDITED);
    }
    socket.bind(&address.into())?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, UdpSocket};

    use super::*;

    fn local() -> IpAddr {
        Ipv4Addr::LOCALHOST.into()
    }

    #[test]
    fn pairs_are_even_and_used_up_and_given_again() {
        let mut ports = Ports::new(local(), &(24_001..=24_008), 0);
        assert_eq!(ports.len(), 3);
        let taken: Vec<Sockets> = (0..3).map(|_| ports.take().unwrap()).collect();
        assert_eq!(taken.iter().map(Sockets::port).collect::<Vec<_>>(), [24_002, 24_004, 24_006]);
        assert_eq!(ports.take().unwrap_err(), "all 3 pairs of media ports are taken");
        drop(taken);
        ports.release(24_004);
        assert_eq!(ports.take().unwrap().port(), 24_004);
    }

    #[test]
    fn a_freed_pair_rests_while_others_are_free() {
        let mut ports = Ports::new(local(), &(24_060..=24_065), 0);
        let taken = (0..4).map(|_| {
            let port = ports.take().unwrap().port();
            ports.release(port);
            port
        });
        assert_eq!(taken.collect::<Vec<_>>(), [24_060, 24_062, 24_064, 24_060]);
    }

    #[test]
    fn packets_ask_for_the_class_of_voice() {
        let sockets = Ports::new(local(), &(24_070..=24_071), 0).take().unwrap();
        for socket in [&sockets.rtp, &sockets.rtcp] {
            assert_eq!(socket2::SockRef::from(socket).tos_v4().unwrap(), TOS_EXPEDITED);
        }
    }

    #[test]
    fn a_port_somebody_holds_is_passed_over() {
        let _rtcp = UdpSocket::bind((local(), 24_021)).unwrap();
        let mut ports = Ports::new(local(), &(24_020..=24_023), 0);
        assert_eq!(ports.take().unwrap().port(), 24_022);
        assert!(ports.take().is_err());
    }

    #[test]
    fn an_address_that_is_not_here_is_said_to_be() {
        let mut ports = Ports::new("192.0.2.1".parse().unwrap(), &(24_030..=24_039), 0);
        assert!(ports.take().unwrap_err().starts_with("cannot bind a media port on 192.0.2.1"));
    }

    #[test]
    fn a_range_without_a_pair_has_none() {
        assert_eq!(Ports::new(local(), &(24_041..=24_042), 5).len(), 0);
        assert_eq!(Ports::new(local(), &(65_534..=65_535), 5).len(), 1);
    }
}
