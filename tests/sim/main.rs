//! Random offices under faults: a fixed number of seeds, or the one that `SEED` names.
//!
//! Each seed is a story of calls on a bad wire with failing web servers, vanishing phones and impatient people;
//! then the faults stop and everything must end. A failure prints its seed: `SEED=n cargo test --test sim`.

use std::sync::atomic::{AtomicU64, Ordering};

use sim::{Chaos, ChaosReport};

/// Stories, and about how many calls people place in each: 100,000 calls in all, legs not counted.
const STORIES: u64 = 1_000;
const CALLS_PER_STORY: u64 = 100;

/// Stories that once found something.
const REGRESSIONS: [u64; 8] = [181, 216, 233, 266, 273, 412, 456, 872];

#[test]
fn stories_that_once_broke_an_invariant_hold() {
    for seed in REGRESSIONS {
        Chaos::run(seed, CALLS_PER_STORY).unwrap_or_else(|violation| panic!("{violation}"));
    }
}

#[test]
fn a_hundred_thousand_calls_under_faults_break_no_invariant() {
    if let Ok(seed) = std::env::var("SEED") {
        let seed = seed.parse().expect("SEED is a number");
        let report = Chaos::run(seed, CALLS_PER_STORY).unwrap_or_else(|violation| panic!("{violation}"));
        println!("{report:?}");
        return;
    }
    let next = AtomicU64::new(0);
    let story = || {
        let mut sum = ChaosReport::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= STORIES {
                return sum;
            }
            let report = Chaos::run(seed, CALLS_PER_STORY).unwrap_or_else(|violation| panic!("{violation}"));
            sum.placed += report.placed;
            sum.legs += report.legs;
            sum.answered += report.answered;
            sum.bridges += report.bridges;
            sum.joins += report.joins;
            sum.taken += report.taken;
            sum.steps += report.steps;
            sum.seconds += report.seconds;
        }
    };
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let reports: Vec<ChaosReport> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(story)).collect();
        workers.into_iter().map(|worker| worker.join().expect("no story breaks an invariant")).collect()
    });
    let placed: u64 = reports.iter().map(|report| report.placed).sum();
    let bridges: u64 = reports.iter().map(|report| report.bridges).sum();
    assert!(placed >= STORIES * CALLS_PER_STORY, "{placed}");
    assert!(bridges > placed / 20, "people talk to each other: {bridges} bridges in {placed} calls");
    println!("{reports:?}");
}
