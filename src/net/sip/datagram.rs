//! A UDP socket that says which local address a datagram was sent to, sends from a chosen one, and reports
//! what ICMP said about earlier sends.
//!
//! The standard library's sockets do none of the three. All are a control message of `recvmsg`/`sendmsg`:
//! `IP_PKTINFO` for addresses (needed when bound to every address: an answer must leave from the address the
//! request was sent to, RFC 3581 §4), `IP_RECVERR` for ICMP (RFC 3261 §18.4).

use std::io;
use std::mem;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsRawFd;

use socket2::{Domain, Protocol, SockAddr, SockAddrStorage, Socket, Type};
use tokio::io::Interest;
use tokio::net::UdpSocket;

/// Bytes of kernel buffer asked for each way: a registration storm of a few thousand phones.
const KERNEL_BUFFER: usize = 4 << 20;

/// What a read brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// The first `len` bytes of the buffer.
    Datagram { len: usize, from: SocketAddr, to: SocketAddr, truncated: bool },
    /// An earlier datagram to `to` cannot be delivered.
    Unreachable { to: SocketAddr, from: SocketAddr },
}

/// The socket.
#[derive(Debug)]
pub(super) struct DatagramSocket {
    socket: UdpSocket,
    bound: SocketAddr,
}

impl DatagramSocket {
    /// Opens and binds a socket inside a tokio runtime.
    pub(super) fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        if address.is_ipv6() {
            // One family a socket: peers of the other would show up as mapped addresses.
            socket.set_only_v6(true)?;
        }
        // The kernel grants what its limits allow; less is no reason not to start.
        let _ = socket.set_recv_buffer_size(KERNEL_BUFFER);
        let _ = socket.set_send_buffer_size(KERNEL_BUFFER);
        for (level, option) in match address {
            SocketAddr::V4(_) => [(libc::SOL_IP, libc::IP_PKTINFO), (libc::SOL_IP, libc::IP_RECVERR)],
            SocketAddr::V6(_) => {
                [(libc::SOL_IPV6, libc::IPV6_RECVPKTINFO), (libc::SOL_IPV6, libc::IPV6_RECVERR)]
            }
        } {
            switch_on(&socket, level, option)?;
        }
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        let socket = UdpSocket::from_std(socket.into())?;
        let bound = socket.local_addr()?;
        Ok(Self { socket, bound })
    }

    /// The address bound to, with the port the kernel chose if none was named.
    pub(super) fn bound(&self) -> SocketAddr {
        self.bound
    }

    /// Waits for the next datagram or error report.
    pub(super) async fn receive(&self, buffer: &mut [u8]) -> io::Result<Arrival> {
        self.socket
            .async_io(Interest::READABLE | Interest::ERROR, || match self.receive_now(buffer, 0) {
                // What ICMP reported also fails one call with its errno; the report itself is queued apart.
                Err(error) => loop {
                    match self.receive_now(buffer, libc::MSG_ERRQUEUE) {
                        Ok(Some(report)) => return Ok(report),
                        Ok(None) => {}
                        Err(_) => return Err(error),
                    }
                },
                Ok(datagram) => datagram.ok_or(io::ErrorKind::WouldBlock.into()),
            })
            .await
    }

    /// Sends `bytes` to `to`, from the address of `from` unless that is unspecified; never waits.
    pub(super) fn send(&self, bytes: &[u8], from: IpAddr, to: SocketAddr) -> io::Result<()> {
        match self.send_now(bytes, from, to) {
            // An ICMP error about an earlier datagram, possibly to somebody else, fails one later call.
            Err(error) if is_report(&error) => self.send_now(bytes, from, to),
            result => result,
        }
    }

    /// One datagram or, with `MSG_ERRQUEUE`, one report; `None` for a report that is none of ours.
    fn receive_now(&self, buffer: &mut [u8], flags: libc::c_int) -> io::Result<Option<Arrival>> {
        let mut name = SockAddrStorage::zeroed();
        let mut control = Control::default();
        let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
        // SAFETY: msghdr is plain data for which all-zero is valid.
        let mut header: libc::msghdr = unsafe { mem::zeroed() };
        header.msg_name = (&raw mut name).cast();
        header.msg_namelen = name.size_of();
        header.msg_iov = &raw mut part;
        header.msg_iovlen = 1;
        header.msg_control = control.0.as_mut_ptr().cast();
        header.msg_controllen = mem::size_of_val(&control.0) as _;
        let fd = self.socket.as_raw_fd();
        // SAFETY: every pointer in `header` is to a live local of the length given beside it.
        let len = unsafe { libc::recvmsg(fd, &raw mut header, libc::MSG_DONTWAIT | flags) };
        let len = usize::try_from(len).map_err(|_| io::Error::last_os_error())?;
        // SAFETY: the kernel wrote a socket address of msg_namelen bytes.
        let peer = unsafe { SockAddr::new(name, header.msg_namelen) }.as_socket();
        let peer = peer.ok_or(io::ErrorKind::WouldBlock)?;
        let notes = Notes::read(&header);
        let local = notes.local.map_or(self.bound, |ip| SocketAddr::new(ip, self.bound.port()));
        let local = if self.bound.ip().is_unspecified() { local } else { self.bound };
        if flags & libc::MSG_ERRQUEUE == 0 {
            let truncated = header.msg_flags & libc::MSG_TRUNC != 0;
            return Ok(Some(Arrival::Datagram { len, from: peer, to: local, truncated }));
        }
        // Other reports (fragmentation needed, time exceeded) are to be ignored, RFC 3261 §18.4.
        Ok(notes.unreachable.then_some(Arrival::Unreachable { to: peer, from: local }))
    }

    fn send_now(&self, bytes: &[u8], from: IpAddr, to: SocketAddr) -> io::Result<()> {
        let name = SockAddr::from(to);
        let mut control = Control::default();
        let mut part = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
        // SAFETY: msghdr is plain data for which all-zero is valid.
        let mut header: libc::msghdr = unsafe { mem::zeroed() };
        header.msg_name = name.as_ptr().cast_mut().cast();
        header.msg_namelen = name.len();
        header.msg_iov = &raw mut part;
        header.msg_iovlen = 1;
        if self.bound.ip().is_unspecified() && !from.is_unspecified() {
            header.msg_control = control.0.as_mut_ptr().cast();
            header.msg_controllen = mem::size_of_val(&control.0) as _;
            match from {
                IpAddr::V4(ip) => {
                    let info = libc::in_pktinfo {
                        ipi_ifindex: 0,
                        ipi_spec_dst: libc::in_addr { s_addr: u32::from(ip).to_be() },
                        ipi_addr: libc::in_addr { s_addr: 0 },
                    };
                    control_message(&mut header, libc::SOL_IP, libc::IP_PKTINFO, info);
                }
                IpAddr::V6(ip) => {
                    let ipi6_addr = libc::in6_addr { s6_addr: ip.octets() };
                    let info = libc::in6_pktinfo { ipi6_addr, ipi6_ifindex: 0 };
                    control_message(&mut header, libc::SOL_IPV6, libc::IPV6_PKTINFO, info);
                }
            }
        }
        let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
        // SAFETY: every pointer in `header` is to a live local of the length given beside it; sendmsg reads.
        let sent = unsafe { libc::sendmsg(self.socket.as_raw_fd(), &raw const header, flags) };
        if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}

/// Whether a send failed because of what ICMP said, about this or an earlier datagram.
pub(super) fn is_report(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::ECONNREFUSED | libc::EHOSTUNREACH | libc::ENETUNREACH | libc::ENOPROTOOPT | libc::EPROTO)
    )
}

/// Room for the control messages of one datagram, aligned as `cmsghdr` wants it.
#[derive(Default)]
struct Control([u64; 32]);

/// What the control messages said.
#[derive(Default)]
struct Notes {
    local: Option<IpAddr>,
    unreachable: bool,
}

impl Notes {
    fn read(header: &libc::msghdr) -> Self {
        let mut notes = Self::default();
        // SAFETY: the kernel filled the control buffer; the CMSG functions walk it within msg_controllen, and
        // each payload is read only as the type its level and kind promise.
        unsafe {
            let mut message = libc::CMSG_FIRSTHDR(header);
            while let Some(head) = message.as_ref() {
                let data = libc::CMSG_DATA(message);
                match (head.cmsg_level, head.cmsg_type) {
                    (libc::SOL_IP, libc::IP_PKTINFO) => {
                        let info = data.cast::<libc::in_pktinfo>().read_unaligned();
                        notes.local = Some(Ipv4Addr::from(u32::from_be(info.ipi_addr.s_addr)).into());
                    }
                    (libc::SOL_IPV6, libc::IPV6_PKTINFO) => {
                        let info = data.cast::<libc::in6_pktinfo>().read_unaligned();
                        notes.local = Some(Ipv6Addr::from(info.ipi6_addr.s6_addr).into());
                    }
                    (libc::SOL_IP, libc::IP_RECVERR) | (libc::SOL_IPV6, libc::IPV6_RECVERR) => {
                        notes.unreachable =
                            is_unreachable(&data.cast::<libc::sock_extended_err>().read_unaligned());
                    }
                    _ => {}
                }
                message = libc::CMSG_NXTHDR(header, message);
            }
        }
        notes
    }
}

/// RFC 3261 §18.4: host, network, port or protocol unreachable, and parameter problem.
fn is_unreachable(report: &libc::sock_extended_err) -> bool {
    /// RFC 792: 3 destination unreachable (code 4 asks for smaller packets), 12 parameter problem.
    const V4: [u8; 2] = [3, 12];
    /// RFC 4443: 1 destination unreachable, 4 parameter problem.
    const V6: [u8; 2] = [1, 4];
    match report.ee_origin {
        libc::SO_EE_ORIGIN_ICMP => V4.contains(&report.ee_type) && (report.ee_type, report.ee_code) != (3, 4),
        libc::SO_EE_ORIGIN_ICMP6 => V6.contains(&report.ee_type),
        _ => false,
    }
}

/// Writes the one control message of `header`, whose control buffer is empty and large enough.
fn control_message<T>(header: &mut libc::msghdr, level: libc::c_int, kind: libc::c_int, value: T) {
    let size = mem::size_of::<T>() as libc::c_uint;
    // SAFETY: msg_control points to a `Control`, which has room for a header and any packet info.
    unsafe {
        let message = libc::CMSG_FIRSTHDR(header);
        (*message).cmsg_level = level;
        (*message).cmsg_type = kind;
        (*message).cmsg_len = libc::CMSG_LEN(size) as _;
        libc::CMSG_DATA(message).cast::<T>().write_unaligned(value);
        header.msg_controllen = libc::CMSG_SPACE(size) as _;
    }
}

fn switch_on(socket: &Socket, level: libc::c_int, option: libc::c_int) -> io::Result<()> {
    let on: libc::c_int = 1;
    let size = mem::size_of_val(&on) as libc::socklen_t;
    // SAFETY: `on` lives through the call and is as long as `size` says.
    let result = unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, (&raw const on).cast(), size) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn next(socket: &DatagramSocket) -> (Vec<u8>, Arrival) {
        let mut buffer = vec![0; 2_048];
        let arrival = socket.receive(&mut buffer);
        let arrival =
            tokio::time::timeout(std::time::Duration::from_secs(2), arrival).await.unwrap().unwrap();
        if let Arrival::Datagram { len, .. } = arrival {
            buffer.truncate(len);
        }
        (buffer, arrival)
    }

    #[tokio::test]
    async fn bound_to_all_it_knows_where_a_datagram_was_sent_and_answers_from_there() {
        let all = DatagramSocket::bind("0.0.0.0:0".parse().unwrap()).unwrap();
        let peer = DatagramSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let second = SocketAddr::new("127.0.0.2".parse().unwrap(), all.bound().port());
        peer.send(b"ping", peer.bound().ip(), second).unwrap();
        let (bytes, arrival) = next(&all).await;
        assert_eq!(bytes, b"ping");
        assert_eq!(arrival, Arrival::Datagram { len: 4, from: peer.bound(), to: second, truncated: false });
        all.send(b"pong", second.ip(), peer.bound()).unwrap();
        assert!(matches!(next(&peer).await.1, Arrival::Datagram { from, .. } if from == second));
    }

    #[tokio::test]
    async fn a_closed_port_is_reported_and_harms_no_other_send() {
        let ours = DatagramSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let peer = DatagramSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let closed = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let from = ours.bound().ip();
        ours.send(b"lost", from, closed).unwrap();
        ours.send(b"found", from, peer.bound()).unwrap();
        assert_eq!(next(&peer).await.0, b"found");
        assert_eq!(next(&ours).await.1, Arrival::Unreachable { to: closed, from: ours.bound() });
    }

    #[tokio::test]
    async fn ipv6_works_alike() {
        let Ok(all) = DatagramSocket::bind("[::]:0".parse().unwrap()) else { return };
        let Ok(peer) = DatagramSocket::bind("[::1]:0".parse().unwrap()) else { return };
        let ours = SocketAddr::new("::1".parse().unwrap(), all.bound().port());
        peer.send(b"ping", peer.bound().ip(), ours).unwrap();
        assert!(matches!(next(&all).await.1, Arrival::Datagram { to, .. } if to == ours));
        all.send(b"pong", ours.ip(), peer.bound()).unwrap();
        assert_eq!(next(&peer).await.0, b"pong");
    }

    #[test]
    fn only_what_rfc_3261_names_counts_as_unreachable() {
        let report = |ee_origin, ee_type, ee_code| libc::sock_extended_err {
            ee_errno: 0,
            ee_origin,
            ee_type,
            ee_code,
            ee_pad: 0,
            ee_info: 0,
            ee_data: 0,
        };
        for (origin, kind, code, expected) in [
            (libc::SO_EE_ORIGIN_ICMP, 3, 3, true),
            (libc::SO_EE_ORIGIN_ICMP, 3, 4, false),
            (libc::SO_EE_ORIGIN_ICMP, 11, 0, false),
            (libc::SO_EE_ORIGIN_ICMP, 12, 0, true),
            (libc::SO_EE_ORIGIN_ICMP6, 1, 4, true),
            (libc::SO_EE_ORIGIN_ICMP6, 2, 0, false),
            (libc::SO_EE_ORIGIN_LOCAL, 3, 3, false),
        ] {
            assert_eq!(is_unreachable(&report(origin, kind, code)), expected, "{origin} {kind} {code}");
        }
    }
}
