//! What the benches ask of Linux: cores, priorities, clocks, the kernel's accounts and its receive time stamps.

#![allow(dead_code, reason = "each bench takes what it needs")]

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;

/// The core of what is measured and the generator's; the same one where there is only one.
pub const CPU_MEASURED: usize = 0;
/// See [`CPU_MEASURED`].
pub const CPU_GENERATOR: usize = 1;

fn cores() -> usize {
    // SAFETY: takes no pointers. The standard library would count only the cores this thread is pinned to.
    unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) }.max(1) as usize
}

/// Keeps a thread on one core; 0 = the calling one. What it starts stays there too.
pub fn pin(thread: i32, cpu: usize) -> bool {
    let cores = cores();
    set_cores(thread, |n| n == cpu % cores)
}

/// Lets the calling thread run anywhere again.
pub fn unpin() {
    set_cores(0, |_| true);
}

fn set_cores(thread: i32, on: impl Fn(usize) -> bool) -> bool {
    // SAFETY: the set is plain data, filled here and copied by the kernel.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        for cpu in (0..cores()).filter(|&cpu| on(cpu)) {
            libc::CPU_SET(cpu, &mut set);
        }
        libc::sched_setaffinity(thread, size_of::<libc::cpu_set_t>(), &raw const set) == 0
    }
}

/// Real-time priority for the calling thread, not for what it starts; false when the system refuses.
pub fn real_time(priority: i32) -> bool {
    let parameters = libc::sched_param { sched_priority: priority };
    // SAFETY: 0 is the calling thread; the parameters outlive the call.
    unsafe {
        libc::sched_setscheduler(0, libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK, &raw const parameters) == 0
    }
}

/// As many files as the system allows.
pub fn raise_file_limit() {
    // SAFETY: the limit is plain data that outlives both calls.
    unsafe {
        let mut limit: libc::rlimit = std::mem::zeroed();
        libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit);
        limit.rlim_cur = limit.rlim_max;
        libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
    }
}

/// The machine and what else runs on it, for the reader of the figures.
pub fn describe() -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split(':').nth(1));
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    format!("{}, {} cores, load average {load}", model.unwrap_or("unknown").trim(), cores())
}

/// Threads of ordinary priority that compute for as long as this lives, on any core.
pub struct Hogs {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Hogs {
    /// So many of them.
    pub fn start(count: usize) -> Hogs {
        let stop = Arc::new(AtomicBool::new(false));
        let work = |stop: Arc<AtomicBool>| {
            unpin();
            let mut n = 1u64;
            while !stop.load(Relaxed) {
                n = std::hint::black_box(n.wrapping_mul(6_364_136_223_846_793_005).rotate_left(9));
            }
        };
        let threads = (0..count).map(|_| {
            let stop = stop.clone();
            std::thread::spawn(move || work(stop))
        });
        Hogs { threads: threads.collect(), stop }
    }
}

impl Drop for Hogs {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        self.threads.drain(..).for_each(|thread| {
            let _ = thread.join();
        });
    }
}

// Clocks and accounts.

fn clock_ns(clock: libc::clockid_t) -> u64 {
    // SAFETY: the time is plain data that the call fills.
    let time = unsafe {
        let mut time: libc::timespec = std::mem::zeroed();
        libc::clock_gettime(clock, &raw mut time);
        time
    };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// CPU the calling thread has had.
pub fn thread_cpu_ns() -> u64 {
    clock_ns(libc::CLOCK_THREAD_CPUTIME_ID)
}

/// The clock of the kernel's receive time stamps.
pub fn wall_ns() -> u64 {
    clock_ns(libc::CLOCK_REALTIME)
}

/// A thread of this process by its name; waits for it to be there.
pub fn thread_id(name: &str) -> i32 {
    for _ in 0..1_000 {
        for task in std::fs::read_dir("/proc/self/task").unwrap().flatten() {
            let comm = std::fs::read_to_string(task.path().join("comm")).unwrap_or_default();
            if comm.trim() == name {
                return task.file_name().to_str().unwrap().parse().unwrap();
            }
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    panic!("no thread is named {name}")
}

/// CPU a thread of this process has had, in nanoseconds.
pub fn cpu_ns(thread: i32) -> u64 {
    schedstat(&format!("/proc/self/task/{thread}/schedstat"))
}

/// CPU that all threads of a process have had, in nanoseconds, from the scheduler's own account.
pub fn process_cpu_ns(process: u32) -> u64 {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).unwrap();
    tasks.flatten().map(|task| schedstat(task.path().join("schedstat").to_str().unwrap())).sum()
}

/// Nothing of a thread that has just ended.
fn schedstat(path: &str) -> u64 {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.split_whitespace().next().and_then(|ns| ns.parse().ok()).unwrap_or(0)
}

/// Bytes of memory that are a process' own (Pss).
pub fn process_bytes(process: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/smaps_rollup")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1_024
}

// Sockets.

/// A socket that does not wait, with room for a burst.
pub fn socket(address: Ipv4Addr) -> UdpSocket {
    let socket = UdpSocket::bind((address, 0)).unwrap();
    socket.set_nonblocking(true).unwrap();
    let size = 8 << 20;
    // SAFETY: the option is an integer that outlives the call.
    unsafe {
        let size = (&raw const size).cast::<libc::c_void>();
        libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, size, 4);
    }
    socket
}

/// The same with the kernel's receive time stamps.
pub fn stamped_socket(address: Ipv4Addr) -> UdpSocket {
    let socket = socket(address);
    let one = 1i32;
    // SAFETY: the option is an integer that outlives the call.
    unsafe {
        let one = (&raw const one).cast::<libc::c_void>();
        libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, one, 4);
    }
    socket
}

/// A packet's length, where it came from, and when the kernel took it; `None` when there is none.
pub fn receive_stamped(socket: &UdpSocket, buffer: &mut [u8]) -> Option<(usize, SocketAddr, u64)> {
    let mut control = [0u64; 8];
    // SAFETY: every pointer in the header outlives the call, with the length given beside it.
    unsafe {
        let mut name: libc::sockaddr_in = std::mem::zeroed();
        let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
        let mut header: libc::msghdr = std::mem::zeroed();
        header.msg_name = (&raw mut name).cast();
        header.msg_namelen = size_of_val(&name) as u32;
        header.msg_iov = &raw mut part;
        header.msg_iovlen = 1;
        header.msg_control = control.as_mut_ptr().cast();
        header.msg_controllen = size_of_val(&control);
        let count = libc::recvmsg(socket.as_raw_fd(), &raw mut header, libc::MSG_DONTWAIT);
        let count = usize::try_from(count).ok()?;
        let message = libc::CMSG_FIRSTHDR(&raw const header);
        let received = if message.is_null() || (*message).cmsg_type != libc::SO_TIMESTAMPNS {
            wall_ns()
        } else {
            let time = libc::CMSG_DATA(message).cast::<libc::timespec>().read_unaligned();
            time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
        };
        let address = Ipv4Addr::from(u32::from_be(name.sin_addr.s_addr));
        Some((count, SocketAddrV4::new(address, u16::from_be(name.sin_port)).into(), received))
    }
}

/// Sockets of the yardstick that budgets in milliseconds are scaled by: each has been idle for as long as the others
/// are served, so F grows with how many there are.
pub const BUDGETS_SOCKETS: usize = 1_000;

/// F of the machine that those budgets were set on, over so many sockets, in microseconds.
pub const BUDGETS_FLOOR_US: f64 = 3.57;

/// The yardstick that budgets are scaled by, in microseconds: see [`floor_ns`]. Best measured before and after, and the
/// mean taken: on a shared host it differs from one second to the next.
pub fn floor_us() -> f64 {
    floor_ns(BUDGETS_SOCKETS) / 1_000.0
}

/// What so much CPU would have been on the machine the budgets were set on, by F of the same run: the kernel's part,
/// which is most of it, is what differs from one host to the next, and on one host from hour to hour.
pub fn scaled(cpu: f64, floor_us: f64) -> f64 {
    cpu * BUDGETS_FLOOR_US / floor_us
}

/// The yardstick F: nanoseconds of CPU that `recvfrom` and `sendto` of one 172-byte packet cost over so many cold
/// sockets, on the core of what is measured. Leaves the calling thread on the generator's.
pub fn floor_ns(sockets: usize) -> f64 {
    pin(0, CPU_MEASURED);
    // While any socket asks for time stamps the kernel makes them for all: for the floor as for what is measured.
    let _stamps = stamped_socket(Ipv4Addr::LOCALHOST);
    let open = || (0..sockets).map(|_| socket(Ipv4Addr::LOCALHOST)).collect::<Vec<_>>();
    let (from, to, source) = (open(), open(), socket(Ipv4Addr::LOCALHOST));
    let addresses = |of: &[UdpSocket]| of.iter().map(|s| s.local_addr().unwrap()).collect::<Vec<_>>();
    let (from_addresses, to_addresses) = (addresses(&from), addresses(&to));
    let mut buffer = [0x80; 2_048];
    let mut costs: Vec<f64> = Vec::new();
    for _ in 0..30 {
        for address in &from_addresses {
            source.send_to(&[0x80; 172], address).unwrap();
        }
        let before = thread_cpu_ns();
        for (from, to) in from.iter().zip(&to_addresses) {
            let (len, _) = from.recv_from(&mut buffer).unwrap();
            from.send_to(&buffer[..len], to).unwrap();
        }
        costs.push((thread_cpu_ns() - before) as f64 / sockets as f64);
        for sink in &to {
            while sink.recv(&mut buffer).is_ok() {}
        }
    }
    pin(0, CPU_GENERATOR);
    costs.sort_by(f64::total_cmp);
    costs[costs.len() / 2]
}

/// The value that so large a share of the sorted ones does not exceed.
pub fn percentile(sorted: &[u32], share: f64) -> u32 {
    sorted.get((sorted.len() as f64 * share) as usize).or(sorted.last()).copied().unwrap_or(0)
}
