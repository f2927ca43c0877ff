//! What relaying costs: the media plane between simulated phones, against the bare system calls.
//!
//! The yardstick F is the CPU of one `recvfrom` and one `sendto` of a 172-byte packet over as many sockets as
//! there are legs, measured before and after each load in the same run. The relay's cost is the CPU of its media
//! thread alone, read from the kernel's accounting. Delay runs from the generator's stamp to the kernel's receive
//! time stamp, so it includes both passes through the loopback.
//!
//! The load is the one of an office on a bad day: every leg sends 50 packets a second, spread evenly over the
//! 20 ms in slots of 250 µs; leg i is bridged with leg i + N/2.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints its figures and may give up")]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base::RecordingSid;
use media::engine::{Channel, CoreCommand, CoreEvent, MediaCore, Out};
use media::rtp::{Built, Fields};
use media::{CodecKind, Command, Event, LegId, Negotiated};
use net::media::{MediaPlane, MediaPlaneConfig};
use tokio::sync::mpsc;

/// Legs under load, how often it is measured, and the budget as a ratio to F; `None`: printed only. Of several
/// measurements the best counts: what else runs on the machine only ever adds.
const LOADS: [(usize, usize, Option<f64>); 3] =
    [(100, 1, None), (500, 1, None), (1_000, 3, Some(RELAY_BUDGET))];

/// CPU of a relayed packet at 1,000 legs, on a machine that does nothing else.
const RELAY_BUDGET: f64 = 1.45;

/// CPU of our own code in it.
const OWN_BUDGET: f64 = 0.06;

const WARM_UP: Duration = Duration::from_millis(1_500);
const MEASURED: Duration = Duration::from_secs(3);
const SLOT: Duration = Duration::from_micros(250);
const SLOTS: usize = 80;
const FLOOR_ROUNDS: usize = 30;

/// Sockets of the generator; legs share them, as phones behind one carrier do.
const GENERATORS: usize = 16;

fn main() -> ExitCode {
    raise_file_limit();
    let pinned = pin(0, CPU_GENERATOR) && real_time(60);
    println!("relay: G.711, 172-byte packets, 50 a second and leg; one media thread");
    if !pinned {
        println!("note: no right to real-time priority; the figures depend on what else runs");
    }
    println!(
        "{:>5} {:>8} {:>9} {:>6} {:>7} {:>9} {:>9} {:>9} {:>6} {:>6}",
        "legs", "F µs", "relay µs", "×F", "busy %", "p50 µs", "p99 µs", "p99.9 µs", "lost", "result"
    );
    // While any socket asks for time stamps the kernel makes them for all: for the floor as for the relay.
    let _stamps = stamped_socket();
    let mut missed = false;
    let mut floor_of_most = 0.0;
    for (legs, times, budget) in LOADS {
        let measured = (0..times).map(|_| {
            let before = floor(legs);
            let load = relay(legs);
            (f64::midpoint(before, floor(legs)), load)
        });
        let (floor, load) = measured
            .min_by(|(a_floor, a), (b_floor, b)| (a.cpu_us / a_floor).total_cmp(&(b.cpu_us / b_floor)))
            .unwrap();
        floor_of_most = floor;
        let ratio = load.cpu_us / floor;
        let met = budget.is_none_or(|budget| ratio <= budget);
        missed |= !met;
        println!(
            "{legs:>5} {floor:>8.2} {:>9.2} {ratio:>6.2} {:>7.1} {:>9} {:>9} {:>9} {:>6} {:>6}",
            load.cpu_us,
            load.busy * 100.0,
            load.percentile(0.5),
            load.percentile(0.99),
            load.percentile(0.999),
            load.lost,
            verdict(budget, met),
        );
    }
    for (what, recorded) in [("own code", false), ("own code, recorded", true)] {
        let own = own_code_ns(1_000, recorded);
        let ratio = own / 1_000.0 / floor_of_most;
        let budget = (!recorded).then_some(OWN_BUDGET);
        let met = budget.is_none_or(|budget| ratio <= budget);
        missed |= !met;
        println!("{what}: {own:.0} ns a packet at 1,000 legs, {ratio:.3} F {}", verdict(budget, met));
    }
    if missed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn verdict(budget: Option<f64>, met: bool) -> String {
    match budget {
        None => String::new(),
        Some(budget) if met => format!("≤{budget}"),
        Some(budget) => format!("MISSED {budget}"),
    }
}

// The floor.

/// Microseconds of CPU that `recvfrom` and `sendto` of one packet cost over so many cold sockets.
fn floor(sockets: usize) -> f64 {
    pin(0, CPU_RELAY);
    let from: Vec<UdpSocket> = (0..sockets).map(|_| socket()).collect();
    let to: Vec<UdpSocket> = (0..sockets).map(|_| socket()).collect();
    let source = socket();
    let from_addresses: Vec<SocketAddr> = from.iter().map(|s| s.local_addr().unwrap()).collect();
    let to_addresses: Vec<SocketAddr> = to.iter().map(|s| s.local_addr().unwrap()).collect();
    let packet = [0x80u8; 172];
    let mut buffer = [0; 2_048];
    let mut costs = Vec::new();
    for _ in 0..FLOOR_ROUNDS {
        for address in &from_addresses {
            source.send_to(&packet, address).unwrap();
        }
        let before = thread_cpu_ns();
        for n in 0..sockets {
            let (len, _) = from[n].recv_from(&mut buffer).unwrap();
            from[n].send_to(&buffer[..len], to_addresses[n]).unwrap();
        }
        costs.push((thread_cpu_ns() - before) as f64 / sockets as f64 / 1_000.0);
        for sink in &to {
            while sink.recv(&mut buffer).is_ok() {}
        }
    }
    pin(0, CPU_GENERATOR);
    costs.sort_by(f64::total_cmp);
    costs[costs.len() / 2]
}

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_nonblocking(true).unwrap();
    socket
}

// The relay.

struct Load {
    /// Microseconds of the media thread's CPU for one packet.
    cpu_us: f64,
    /// Of one core.
    busy: f64,
    lost: u64,
    /// Microseconds of delay, sorted.
    delays: Vec<u32>,
}

impl Load {
    fn percentile(&self, share: f64) -> u32 {
        self.delays.get((self.delays.len() as f64 * share) as usize).copied().unwrap_or(0)
    }
}

fn relay(legs: usize) -> Load {
    let (events_end, mut events) = mpsc::channel(legs * 4);
    let config = MediaPlaneConfig {
        threads: 1,
        ports: 20_000..=29_999,
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        recordings: std::env::temp_dir(),
        recordings_free_min: 0,
    };
    let plane = MediaPlane::start(config, events_end, Arc::new(|_| None)).unwrap();
    let thread = thread_id("media-0");
    pin(thread, CPU_RELAY);
    let generators: Vec<UdpSocket> = (0..GENERATORS).map(|_| stamped_socket()).collect();

    let mut addresses = vec![None; legs];
    for n in 0..legs {
        let near = (n > 0).then_some(LegId(0));
        plane.command(Command::Open { leg: LegId(n as u64), near, peer: None });
    }
    while addresses.iter().any(Option::is_none) {
        if let Some(Event::Opened { leg, local }) = wait(&mut events) {
            addresses[leg.0 as usize] = Some(local);
        }
    }
    let addresses: Vec<SocketAddr> = addresses.into_iter().flatten().collect();
    for n in 0..legs {
        let remote = generators[n % GENERATORS].local_addr().unwrap();
        plane.command(Command::Configure { leg: LegId(n as u64), negotiated: negotiated(remote) });
    }
    for n in 0..legs / 2 {
        plane.command(Command::Bridge { a: LegId(n as u64), b: LegId((n + legs / 2) as u64) });
    }
    std::thread::sleep(Duration::from_millis(100));

    let mut delays = Vec::with_capacity(legs * 50 * 6);
    let start = Instant::now();
    let (mut sent, mut heard) = (0u64, 0u64);
    let mut measured: Option<(u64, Instant, u64, u64)> = None;
    let mut round = 0u64;
    'load: loop {
        for slot in 0..SLOTS {
            let due = SLOT * (round as usize * SLOTS + slot) as u32;
            heard += drain(&generators, measured.is_some(), &mut delays);
            std::thread::sleep(due.saturating_sub(start.elapsed()));
            if measured.is_none() && start.elapsed() >= WARM_UP {
                measured = Some((cpu_ns(thread), Instant::now(), sent, heard));
            }
            if measured.is_some_and(|(_, since, ..)| since.elapsed() >= MEASURED) {
                break 'load;
            }
            for n in (0..legs).filter(|n| n * SLOTS / legs == slot) {
                let fields = Fields {
                    marker: round == 0,
                    payload_type: 0,
                    sequence: round as u16,
                    timestamp: (round * 160) as u32,
                    ssrc: n as u32 + 1,
                };
                let mut payload = [0xFF; 160];
                payload[..8].copy_from_slice(&wall_ns().to_ne_bytes());
                let packet = Built::new(fields, &payload);
                generators[n % GENERATORS].send_to(packet.bytes(), addresses[n]).unwrap();
                sent += 1;
            }
            heard += drain(&generators, measured.is_some(), &mut delays);
        }
        round += 1;
    }
    let (cpu, since, sent_before, heard_before) = measured.unwrap();
    let (cpu, elapsed) = (cpu_ns(thread) - cpu, since.elapsed());
    let packets = heard - heard_before;
    let end = Instant::now();
    while end.elapsed() < Duration::from_millis(100) {
        heard += drain(&generators, false, &mut delays);
    }
    plane.stop();
    delays.sort_unstable();
    Load {
        cpu_us: cpu as f64 / packets as f64 / 1_000.0,
        busy: cpu as f64 / elapsed.as_nanos() as f64,
        lost: (sent - sent_before).saturating_sub(heard - heard_before),
        delays,
    }
}

fn negotiated(remote: SocketAddr) -> Negotiated {
    Negotiated {
        remote_rtcp: SocketAddr::new(remote.ip(), 0),
        dtmf: Some(101),
        dtmf_receive: Some(101),
        ..Negotiated::plain(remote, CodecKind::Pcmu, 0)
    }
}

fn wait(events: &mut mpsc::Receiver<Event>) -> Option<Event> {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(10) {
        match events.try_recv() {
            Ok(Event::OpenFailed { why, .. }) => panic!("{why}"),
            Ok(event) => return Some(event),
            Err(_) => std::thread::sleep(Duration::from_millis(1)),
        }
    }
    panic!("the media plane is silent")
}

/// Takes what has come back; how many of them carry a stamp.
fn drain(sockets: &[UdpSocket], measured: bool, delays: &mut Vec<u32>) -> u64 {
    let mut count = 0;
    for socket in sockets {
        while let Some((sent_ns, received_ns)) = receive_stamped(socket) {
            // Silence of the box itself carries no stamp.
            if sent_ns == u64::MAX {
                continue;
            }
            count += 1;
            if measured && delays.len() < delays.capacity() {
                delays.push((received_ns.saturating_sub(sent_ns) / 1_000) as u32);
            }
        }
    }
    count
}

// Our own code, without a socket.

struct Nothing(u64);

impl Out for Nothing {
    fn send(&mut self, _: LegId, _: Channel, _: SocketAddr, bytes: &[u8]) {
        self.0 += black_box(bytes).len() as u64;
    }

    fn event(&mut self, _: CoreEvent) {}

    fn tap(&mut self, _: RecordingSid, samples: &[i16], _: u64) {
        self.0 += black_box(samples).len() as u64;
    }
}

/// Nanoseconds of CPU that the engine alone takes for one relayed packet.
fn own_code_ns(legs: usize, recorded: bool) -> f64 {
    let mut core = MediaCore::new(1);
    let mut out = Nothing(0);
    let mut now = 1_000_000_000;
    let address = |n: usize| SocketAddr::new(Ipv4Addr::new(10, 1, (n >> 8) as u8, n as u8).into(), 4_000);
    for n in 0..legs {
        let leg = LegId(n as u64);
        core.on_command(CoreCommand::Open { leg, local: address(n), peer: None }, now, &mut out);
        core.on_command(CoreCommand::Configure { leg, negotiated: negotiated(address(n)) }, now, &mut out);
        if recorded {
            let command = CoreCommand::Record {
                leg,
                recording: RecordingSid(n as u128),
                what: media::RecordWhat::Both,
                beep: None,
                max_ms: u64::MAX,
                silence_ms: 0,
            };
            core.on_command(command, now, &mut out);
        }
    }
    for n in 0..legs / 2 {
        let (a, b) = (LegId(n as u64), LegId((n + legs / 2) as u64));
        core.on_command(CoreCommand::Bridge { a, b }, now, &mut out);
    }
    let mut costs: Vec<f64> = Vec::new();
    let mut buffer = [0; 2_048];
    for round in 0..60u64 {
        let packets: BTreeMap<usize, Built> = (0..legs)
            .map(|n| {
                let fields = Fields {
                    payload_type: 0,
                    sequence: round as u16,
                    timestamp: (round * 160) as u32,
                    ssrc: n as u32 + 1,
                    ..Fields::default()
                };
                (n, Built::new(fields, &[0x55; 160]))
            })
            .collect();
        let before = thread_cpu_ns();
        for (n, packet) in &packets {
            let bytes = packet.bytes();
            buffer[..bytes.len()].copy_from_slice(bytes);
            let buffer = &mut buffer[..bytes.len()];
            core.on_packet(LegId(*n as u64), Channel::Rtp, address(*n), buffer, now, &mut out);
        }
        if recorded {
            now += 20_000_000;
            core.on_deadline(now, &mut out);
        }
        costs.push((thread_cpu_ns() - before) as f64 / legs as f64);
        if !recorded {
            now += 20_000_000;
            core.on_deadline(now, &mut out);
        }
    }
    assert!(black_box(out.0) > 0);
    costs.sort_by(f64::total_cmp);
    costs[costs.len() / 2]
}

// The system.

/// The generator's core and the relay's; the same one where there is only one.
const CPU_GENERATOR: usize = 1;
const CPU_RELAY: usize = 0;

fn pin(thread: i32, cpu: usize) -> bool {
    // SAFETY: takes no pointers. The standard library would count only the cores this thread is pinned to.
    let cores = unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) }.max(1) as usize;
    // SAFETY: the set is plain data, filled here and copied by the kernel.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(cpu % cores, &mut set);
        libc::sched_setaffinity(thread, size_of::<libc::cpu_set_t>(), &raw const set) == 0
    }
}

fn real_time(priority: i32) -> bool {
    let parameters = libc::sched_param { sched_priority: priority };
    // SAFETY: 0 is the calling thread; the parameters outlive the call.
    unsafe {
        libc::sched_setscheduler(0, libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK, &raw const parameters) == 0
    }
}

fn raise_file_limit() {
    // SAFETY: the limit is plain data that outlives both calls.
    unsafe {
        let mut limit: libc::rlimit = std::mem::zeroed();
        libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit);
        limit.rlim_cur = limit.rlim_max;
        libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
    }
}

fn clock_ns(clock: libc::clockid_t) -> u64 {
    // SAFETY: the time is plain data that the call fills.
    let time = unsafe {
        let mut time: libc::timespec = std::mem::zeroed();
        libc::clock_gettime(clock, &raw mut time);
        time
    };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

fn thread_cpu_ns() -> u64 {
    clock_ns(libc::CLOCK_THREAD_CPUTIME_ID)
}

fn wall_ns() -> u64 {
    clock_ns(libc::CLOCK_REALTIME)
}

fn thread_id(name: &str) -> i32 {
    for _ in 0..1_000 {
        for task in std::fs::read_dir("/proc/self/task").unwrap().flatten() {
            let comm = std::fs::read_to_string(task.path().join("comm")).unwrap_or_default();
            if comm.trim() == name {
                return task.file_name().to_str().unwrap().parse().unwrap();
            }
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    panic!("no thread is named {name}")
}

/// CPU a thread has had, in nanoseconds.
fn cpu_ns(thread: i32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/self/task/{thread}/schedstat")).unwrap();
    text.split_whitespace().next().unwrap().parse().unwrap()
}

fn stamped_socket() -> UdpSocket {
    let socket = socket();
    let one = 1i32;
    let size = 8 << 20;
    // SAFETY: both options are integers that outlive the calls.
    unsafe {
        let fd = socket.as_raw_fd();
        libc::setsockopt(fd, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, (&raw const one).cast(), 4);
        libc::setsockopt(
            fd,
            libc::SOL_SOCKET,
            libc::SO_RCVBUFFORCE,
            (&raw const size).cast::<libc::c_void>(),
            4,
        );
    }
    socket
}

/// The stamp in a packet's payload and when the kernel took the packet; `None` when there is none.
fn receive_stamped(socket: &UdpSocket) -> Option<(u64, u64)> {
    let mut buffer = [0u8; 256];
    let mut control = [0u64; 8];
    // SAFETY: every pointer in the header outlives the call, with the length given beside it.
    let (count, received) = unsafe {
        let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
        let mut header: libc::msghdr = std::mem::zeroed();
        header.msg_iov = &raw mut part;
        header.msg_iovlen = 1;
        header.msg_control = control.as_mut_ptr().cast();
        header.msg_controllen = size_of_val(&control);
        let count = libc::recvmsg(socket.as_raw_fd(), &raw mut header, libc::MSG_DONTWAIT);
        if count < 0 {
            return None;
        }
        let message = libc::CMSG_FIRSTHDR(&raw const header);
        if message.is_null() || (*message).cmsg_type != libc::SO_TIMESTAMPNS {
            (count, wall_ns())
        } else {
            let time = libc::CMSG_DATA(message).cast::<libc::timespec>().read_unaligned();
            (count, time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
        }
    };
    if count < 20 {
        return Some((u64::MAX, received));
    }
    Some((u64::from_ne_bytes(buffer[12..20].try_into().unwrap()), received))
}
