//! The system calls of a media thread, each a thin cover over libc: no allocation, no lock.

use std::io;
use std::mem::{MaybeUninit, size_of};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::AcqRel;

/// Readiness of sockets, level-triggered, with a deadline in nanoseconds.
#[derive(Debug)]
pub(super) struct Epoll {
    fd: OwnedFd,
    /// False on kernels before 5.11, where deadlines are whole milliseconds.
    has_pwait2: bool,
}

/// What [`Epoll::wait`] fills.
pub(super) type Ready = [libc::epoll_event; READY_MAX];

/// Sockets served in one pass; the rest waits for the next, so that orders and deadlines get their turn.
pub(super) const READY_MAX: usize = 64;

/// No socket.
pub(super) const NOT_READY: libc::epoll_event = libc::epoll_event { events: 0, u64: 0 };

impl Epoll {
    pub(super) fn new() -> io::Result<Epoll> {
        // SAFETY: takes no pointers; the descriptor it returns is ours.
        let fd = unsafe { owned(libc::epoll_create1(libc::EPOLL_CLOEXEC)) }?;
        Ok(Epoll { fd, has_pwait2: true })
    }

    pub(super) fn add(&self, fd: RawFd, token: u64) -> io::Result<()> {
        let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: token };
        // SAFETY: `event` outlives the call, which copies it.
        check(unsafe { libc::epoll_ctl(self.fd.as_raw_fd(), libc::EPOLL_CTL_ADD, fd, &raw mut event) })?;
        Ok(())
    }

    pub(super) fn remove(&self, fd: RawFd) {
        // SAFETY: takes no pointers for this operation. Failure means it was not there.
        unsafe { libc::epoll_ctl(self.fd.as_raw_fd(), libc::EPOLL_CTL_DEL, fd, std::ptr::null_mut()) };
    }

    /// Waits until a socket is ready or so many nanoseconds have passed (`None`: for ever); how many are ready.
    pub(super) fn wait(&mut self, ready: &mut Ready, timeout_ns: Option<u64>) -> usize {
        let (fd, max) = (self.fd.as_raw_fd(), READY_MAX as i32);
        if self.has_pwait2 {
            let timeout = timeout_ns.map(timespec);
            let timeout = timeout.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
            // SAFETY: `ready` has room for `max` events, `timeout` outlives the call, no signal mask is given.
            let count = unsafe { libc::epoll_pwait2(fd, ready.as_mut_ptr(), max, timeout, std::ptr::null()) };
            if count >= 0 {
                return count as usize;
            }
            if io::Error::last_os_error().raw_os_error() != Some(libc::ENOSYS) {
                return 0; // a signal
            }
            self.has_pwait2 = false;
        }
        let ms = timeout_ns.map_or(-1, |ns| ns.div_ceil(1_000_000).min(i32::MAX as u64) as i32);
        // SAFETY: `ready` has room for `max` events.
        let count = unsafe { libc::epoll_wait(fd, ready.as_mut_ptr(), max, ms) };
        count.max(0) as usize
    }
}

/// Wakes a thread that waits in [`Epoll::wait`] or [`EventFd::wait`]. Who is woken looks at everything that may have been
/// meant after [`EventFd::clear`], so that one signal does for all that come before it.
#[derive(Debug)]
pub(super) struct EventFd {
    fd: OwnedFd,
    /// A signal was given that nobody has cleared.
    is_signalled: AtomicBool,
}

impl EventFd {
    pub(super) fn new() -> io::Result<EventFd> {
        // SAFETY: takes no pointers; the descriptor it returns is ours.
        let fd = unsafe { owned(libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK)) }?;
        Ok(EventFd { fd, is_signalled: AtomicBool::new(false) })
    }

    /// What was put down for the other side before this call is there for it to see.
    pub(super) fn signal(&self) {
        if self.is_signalled.swap(true, AcqRel) {
            return;
        }
        let one = 1u64;
        // SAFETY: writes the eight bytes of `one`. A full counter means that the other side is awake already.
        unsafe { libc::write(self.fd.as_raw_fd(), (&raw const one).cast(), 8) };
    }

    pub(super) fn clear(&self) {
        let mut count = 0u64;
        // SAFETY: reads eight bytes into `count`. There may be nothing to read.
        unsafe { libc::read(self.fd.as_raw_fd(), (&raw mut count).cast(), 8) };
        // Last: a signal in between is one of those that are looked at from here on.
        self.is_signalled.swap(false, AcqRel);
    }

    /// Waits for a signal, at most so many milliseconds (−1: for ever), and clears it.
    pub(super) fn wait(&self, timeout_ms: i32) {
        let mut poll = libc::pollfd { fd: self.fd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one descriptor, which outlives the call.
        unsafe { libc::poll(&raw mut poll, 1, timeout_ms) };
        self.clear();
    }
}

impl AsRawFd for EventFd {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

/// Nanoseconds of the monotonic clock.
#[inline]
pub(super) fn monotonic_ns() -> u64 {
    let mut time = MaybeUninit::<libc::timespec>::uninit();
    // SAFETY: the call fills `time`; it cannot fail with this clock.
    let time = unsafe {
        libc::clock_gettime(libc::CLOCK_MONOTONIC, time.as_mut_ptr());
        time.assume_init()
    };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Sleeps until the monotonic clock says so, or a signal comes.
pub(super) fn sleep_until(ns: u64) {
    let time = timespec(ns);
    // SAFETY: `time` outlives the call; no remainder is asked for.
    unsafe {
        libc::clock_nanosleep(
            libc::CLOCK_MONOTONIC,
            libc::TIMER_ABSTIME,
            &raw const time,
            std::ptr::null_mut(),
        );
    }
}

/// Receives one datagram; `None` when there is none.
#[inline]
pub(super) fn receive(fd: RawFd, buffer: &mut [u8]) -> Option<(usize, SocketAddr)> {
    let mut address = MaybeUninit::<libc::sockaddr_storage>::uninit();
    let mut len = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
    // SAFETY: buffer and address have the lengths given; both outlive the call.
    let count = unsafe {
        libc::recvfrom(
            fd,
            buffer.as_mut_ptr().cast(),
            buffer.len(),
            libc::MSG_DONTWAIT,
            address.as_mut_ptr().cast(),
            &raw mut len,
        )
    };
    let count = usize::try_from(count).ok()?;
    // SAFETY: the kernel filled `address` with `len` bytes, and the family says which form they have.
    let from = unsafe { read_address(&address, len) }?;
    Some((count, from))
}

/// Asks the kernel to note when each datagram arrives.
pub(super) fn stamp_arrivals(fd: RawFd) -> bool {
    let one: libc::c_int = 1;
    // SAFETY: the option is an integer that outlives the call.
    let result = unsafe {
        libc::setsockopt(
            fd,
            libc::SOL_SOCKET,
            libc::SO_TIMESTAMPNS,
            (&raw const one).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    result == 0
}

/// As [`receive`], and when it arrived: nanoseconds of [`realtime_ns`], if the kernel noted it.
pub(super) fn receive_stamped(fd: RawFd, buffer: &mut [u8]) -> Option<(usize, SocketAddr, Option<u64>)> {
    let mut address = MaybeUninit::<libc::sockaddr_storage>::uninit();
    let mut control = [0u64; 8];
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // SAFETY: all zeros is a valid header; every pointer put into it outlives the calls, with its length beside it.
    unsafe {
        let mut header: libc::msghdr = std::mem::zeroed();
        header.msg_name = address.as_mut_ptr().cast();
        header.msg_namelen = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
        header.msg_iov = &raw mut part;
        header.msg_iovlen = 1;
        header.msg_control = control.as_mut_ptr().cast();
        header.msg_controllen = size_of_val(&control) as _;
        let count = usize::try_from(libc::recvmsg(fd, &raw mut header, libc::MSG_DONTWAIT)).ok()?;
        let from = read_address(&address, header.msg_namelen)?;
        let message = libc::CMSG_FIRSTHDR(&raw const header);
        let stamp = (!message.is_null() && (*message).cmsg_type == libc::SO_TIMESTAMPNS).then(|| {
            let time = libc::CMSG_DATA(message).cast::<libc::timespec>().read_unaligned();
            time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
        });
        Some((count, from, stamp))
    }
}

/// Nanoseconds of the clock that arrivals are noted by.
pub(super) fn realtime_ns() -> u64 {
    let mut time = MaybeUninit::<libc::timespec>::uninit();
    // SAFETY: the call fills `time`; it cannot fail with this clock.
    let time = unsafe {
        libc::clock_gettime(libc::CLOCK_REALTIME, time.as_mut_ptr());
        time.assume_init()
    };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Sends one datagram; false when the kernel refused it.
#[inline]
pub(super) fn send(fd: RawFd, is_v6: bool, to: SocketAddr, bytes: &[u8]) -> bool {
    let to = match to {
        SocketAddr::V4(v4) if is_v6 => {
            SocketAddr::V6(SocketAddrV6::new(v4.ip().to_ipv6_mapped(), v4.port(), 0, 0))
        }
        to => to,
    };
    let sent = match to {
        SocketAddr::V4(v4) => {
            let address = libc::sockaddr_in {
                sin_family: libc::AF_INET as libc::sa_family_t,
                sin_port: v4.port().to_be(),
                sin_addr: libc::in_addr { s_addr: u32::from(*v4.ip()).to_be() },
                sin_zero: [0; 8],
            };
            // SAFETY: `address` is a sockaddr_in of that length, `bytes` has its own; both outlive the call.
            unsafe { send_to(fd, bytes, (&raw const address).cast(), size_of::<libc::sockaddr_in>()) }
        }
        SocketAddr::V6(v6) => {
            let address = libc::sockaddr_in6 {
                sin6_family: libc::AF_INET6 as libc::sa_family_t,
                sin6_port: v6.port().to_be(),
                sin6_flowinfo: 0,
                sin6_addr: libc::in6_addr { s6_addr: v6.ip().octets() },
                sin6_scope_id: v6.scope_id(),
            };
            // SAFETY: as above, with a sockaddr_in6.
            unsafe { send_to(fd, bytes, (&raw const address).cast(), size_of::<libc::sockaddr_in6>()) }
        }
    };
    sent >= 0
}

/// # Safety
/// `address` points to a socket address of `len` bytes.
#[inline]
unsafe fn send_to(fd: RawFd, bytes: &[u8], address: *const libc::sockaddr, len: usize) -> isize {
    // SAFETY: `bytes` is a slice, `address` is promised by the caller.
    unsafe {
        libc::sendto(
            fd,
            bytes.as_ptr().cast(),
            bytes.len(),
            libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL,
            address,
            len as libc::socklen_t,
        )
    }
}

/// # Safety
/// The kernel has written `len` bytes of a socket address.
#[inline]
unsafe fn read_address(
    address: &MaybeUninit<libc::sockaddr_storage>,
    len: libc::socklen_t,
) -> Option<SocketAddr> {
    let pointer = address.as_ptr();
    if (len as usize) < size_of::<libc::sockaddr_in>() {
        return None;
    }
    // SAFETY: at least a sockaddr_in was written, and every form begins with its family.
    match i32::from(unsafe { (*pointer).ss_family }) {
        libc::AF_INET => {
            // SAFETY: the family says so.
            let v4 = unsafe { &*pointer.cast::<libc::sockaddr_in>() };
            let ip = Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr));
            Some(SocketAddr::new(IpAddr::V4(ip), u16::from_be(v4.sin_port)))
        }
        libc::AF_INET6 if len as usize >= size_of::<libc::sockaddr_in6>() => {
            // SAFETY: the family and the length say so.
            let v6 = unsafe { &*pointer.cast::<libc::sockaddr_in6>() };
            let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
            Some(SocketAddr::V6(SocketAddrV6::new(ip, u16::from_be(v6.sin6_port), 0, v6.sin6_scope_id)))
        }
        _ => None,
    }
}

/// # Safety
/// `fd` is negative or a descriptor nobody else owns.
unsafe fn owned(fd: RawFd) -> io::Result<OwnedFd> {
    let fd = check(fd)?;
    // SAFETY: promised by the caller.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn check(result: i32) -> io::Result<i32> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

fn timespec(ns: u64) -> libc::timespec {
    libc::timespec { tv_sec: (ns / 1_000_000_000) as _, tv_nsec: (ns % 1_000_000_000) as _ }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    #[test]
    fn datagrams_arrive_with_their_sender() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(a) = UdpSocket::bind(address) else { continue }; // a machine without IPv6
            let b = UdpSocket::bind(address).unwrap();
            let to = b.local_addr().unwrap();
            assert!(send(a.as_raw_fd(), to.is_ipv6(), to, b"hello"));
            let mut epoll = Epoll::new().unwrap();
            epoll.add(b.as_raw_fd(), 7).unwrap();
            let mut ready = [NOT_READY; READY_MAX];
            assert_eq!(epoll.wait(&mut ready, Some(1_000_000_000)), 1);
            assert_eq!({ ready[0].u64 }, 7);
            let mut buffer = [0; 100];
            let (count, from) = receive(b.as_raw_fd(), &mut buffer).unwrap();
            assert_eq!((&buffer[..count], from), (&b"hello"[..], a.local_addr().unwrap()));
            assert_eq!(receive(b.as_raw_fd(), &mut buffer), None);
        }
    }

    #[test]
    fn a_socket_for_both_families_sends_to_both() {
        let Ok(both) = UdpSocket::bind("[::]:0") else { return };
        let v4 = UdpSocket::bind("127.0.0.1:0").unwrap();
        assert!(send(both.as_raw_fd(), true, v4.local_addr().unwrap(), b"x"));
        let mut buffer = [0; 10];
        v4.set_read_timeout(Some(std::time::Duration::from_secs(1))).unwrap();
        assert_eq!(v4.recv(&mut buffer).unwrap(), 1);
    }

    #[test]
    fn arrivals_are_noted() {
        let (a, b) = (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
        assert!(stamp_arrivals(b.as_raw_fd()));
        let before = realtime_ns();
        a.send_to(b"hello", b.local_addr().unwrap()).unwrap();
        let after = realtime_ns();
        let mut buffer = [0; 100];
        let mut got = None;
        while got.is_none() {
            got = receive_stamped(b.as_raw_fd(), &mut buffer);
        }
        let (count, from, stamp) = got.unwrap();
        assert_eq!((count, from), (5, a.local_addr().unwrap()));
        // The kernel switches the stamps on a moment after it is asked to.
        assert!(stamp.is_none_or(|stamp| (before..=after + 1_000_000).contains(&stamp)));
        assert!(receive_stamped(b.as_raw_fd(), &mut buffer).is_none());
    }

    #[test]
    fn a_deadline_ends_the_wait() {
        let mut epoll = Epoll::new().unwrap();
        let before = monotonic_ns();
        assert_eq!(epoll.wait(&mut [NOT_READY; READY_MAX], Some(2_000_000)), 0);
        assert!(monotonic_ns() - before >= 2_000_000);
    }

    #[test]
    fn a_signal_ends_the_wait_once() {
        let wake = EventFd::new().unwrap();
        wake.signal();
        wake.signal();
        wake.wait(-1);
        let before = monotonic_ns();
        wake.wait(5);
        assert!(monotonic_ns() - before >= 4_000_000);
    }
}
