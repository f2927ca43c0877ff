//! Which thread serves whom, and with what right.

use super::*;
use crate::media::realtime::Class;

/// How many legs the threads of each class have: relay, work.
fn legs(box_: &Box_) -> [u64; 2] {
    let counters = box_.plane.counters.lock().unwrap();
    // Each pair has a thread of either class, in this order.
    let of = |class: Class| {
        let threads = counters.iter().skip(usize::from(class == Class::Work)).step_by(2);
        threads.map(|thread| thread.legs.load(Ordering::Relaxed)).sum()
    };
    [of(Class::Relay), of(Class::Work)]
}

fn wait_for_legs(box_: &Box_, wanted: [u64; 2]) {
    let end = Instant::now() + PATIENCE;
    while legs(box_) != wanted {
        assert!(Instant::now() < end, "{:?} instead of {wanted:?}", legs(box_));
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Coding takes milliseconds, passing on microseconds that everybody waits for: they do not share a thread.
#[test]
fn a_leg_alone_that_is_coded_for_works_elsewhere_than_those_that_are_passed_on() {
    let mut box_ = start(1, recordings());
    let (a, b) = (LegId(1), LegId(2));
    let _ann = box_.leg(a, None, CodecKind::Pcmu);
    wait_for_legs(&box_, [1, 0]);
    let bob = box_.leg(b, None, CodecKind::Opus);
    wait_for_legs(&box_, [1, 1]);
    // A bridge is on one thread: with Opus on one side alone that is the one that works.
    box_.plane.command(Command::Bridge { a, b });
    wait_for_legs(&box_, [0, 2]);
    let light = Negotiated::plain(bob.socket.local_addr().unwrap(), CodecKind::Pcma, 8);
    box_.plane.command(Command::Configure { leg: b, negotiated: light });
    wait_for_legs(&box_, [2, 0]);
    box_.plane.stop();
}

/// Encoders work less on a thread that has too much to do, and it is told; here any work is too much.
#[test]
fn encoders_of_a_busy_thread_work_less() {
    let mut box_ = start_eased_from(0, 1, recordings());
    let leg = LegId(1);
    let _ann = box_.leg(leg, None, CodecKind::Opus);
    let items = vec![PlayItem::Tone(Tone::Busy)];
    box_.plane.command(Command::Play { leg, play: PlayId(1), items, repeat: 0 });
    let end = Instant::now() + PATIENCE;
    while box_.plane.stats().eased == 0 {
        assert!(Instant::now() < end, "no thread has too much to do");
        std::thread::sleep(Duration::from_millis(2));
    }
    box_.plane.stop();
    assert_eq!(box_.plane.stats().eased, 0);
}

/// Without the right to real-time priority the threads run all the same, and it is told of each.
#[test]
fn without_the_right_to_real_time_it_is_told() {
    // Rights are a thread's own, and those it starts inherit them.
    let told = std::thread::spawn(|| {
        give_up_real_time();
        let mut box_ = start(1, recordings());
        let _ann = box_.leg(LegId(1), None, CodecKind::Pcmu);
        let stats = box_.plane.stats();
        box_.plane.stop();
        (stats.threads, stats.degraded_realtime, box_.plane.stats().degraded_realtime)
    });
    assert_eq!(told.join().unwrap(), (2, 2, 0));
}

/// Takes the right to raise priorities from the calling thread, whoever runs it.
fn give_up_real_time() {
    const CAP_SYS_NICE: u32 = 23;
    // Version 3 of the interface (capset(2)): a header, and twice effective, permitted and inheritable.
    let mut header = [0x2008_0522_u32, 0];
    let mut rights = [0_u32; 6];
    // The limit is the whole process': its other tests run as well without.
    // SAFETY: both arrays are as large as the calls read and write, and outlive them; 0 is the calling thread.
    unsafe {
        let no_limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        libc::prlimit(0, libc::RLIMIT_RTPRIO, &raw const no_limit, std::ptr::null_mut());
        assert_eq!(libc::syscall(libc::SYS_capget, header.as_mut_ptr(), rights.as_mut_ptr()), 0);
        (rights[0], rights[1]) = (rights[0] & !(1 << CAP_SYS_NICE), rights[1] & !(1 << CAP_SYS_NICE));
        assert_eq!(libc::syscall(libc::SYS_capset, header.as_mut_ptr(), rights.as_ptr()), 0);
    }
}
