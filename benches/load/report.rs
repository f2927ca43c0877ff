//! What is printed: a line for each load, and whether it kept to its budget.

use crate::machine::{percentile, scaled};
use crate::rtp::Load;
use crate::work::Work;

/// Names the columns.
pub fn header() {
    println!(
        "\n{:<17} {:>5} {:>9} {:>5} {:>7} {:>6} {:>8} {:>8} {:>8} {:>6} {:>5} {:>7} {:>8}  result",
        "work",
        "calls",
        "CPU ms/cs",
        "F µs",
        "scaled",
        "core %",
        "p50 µs",
        "p99 µs",
        "max µs",
        "host %",
        "lost",
        "gen µs",
        "MiB/call"
    );
}

/// CPU milliseconds of a call-second.
pub fn cpu_ms(load: &Load, calls: usize) -> f64 {
    load.cpu.as_secs_f64() * 1_000.0 / load.length.as_secs_f64() / calls as f64
}

/// One kind of load as it was seen.
pub struct Seen<'w> {
    pub work: &'w Work,
    pub calls: usize,
    pub load: Load,
    /// The yardstick F in microseconds.
    pub floor_us: f64,
    /// MiB of a call, where that is measured.
    pub mib: Option<f64>,
}

/// CPU milliseconds of a call-second on the machine that budgets were set on.
pub fn scaled_ms(seen: &Seen<'_>) -> f64 {
    scaled(cpu_ms(&seen.load, seen.calls), seen.floor_us)
}

/// What of it is not within its budget.
pub fn missed(seen: &Seen<'_>) -> Vec<String> {
    let Seen { work, load, mib, .. } = seen;
    let judged = scaled_ms(seen);
    let p99 = percentile(&load.delays.ours, 0.99);
    let mut missed = Vec::new();
    if judged > work.cpu_ms {
        missed.push(format!("CPU {:.2}", work.cpu_ms));
    }
    if load.lost > 0 {
        missed.push(format!("lost {:.3} %", load.lost as f64 * 100.0 / load.sent as f64));
    }
    if work.p99_us.is_some_and(|budget| p99 > budget) {
        missed.push(format!("p99 {} µs", work.p99_us.unwrap_or_default()));
    }
    if work.p99_us.is_some() && !load.delays.is_judged() {
        missed.push("a host that leaves half of the time".to_owned());
    }
    if let (Some(budget), Some(mib)) = (work.memory_mib, mib)
        && *mib > budget
    {
        missed.push(format!("memory {budget} MiB"));
    }
    missed
}

/// One line; whether everything in it is within its budget.
pub fn row(seen: &Seen<'_>) -> bool {
    let missed = missed(seen);
    let Seen { work, calls, load, floor_us: floor, mib } = seen;
    let cpu = cpu_ms(load, *calls);
    let delay = |share: f64| match load.delays.ours.is_empty() {
        true => "–".to_owned(),
        false => percentile(&load.delays.ours, share).to_string(),
    };
    let result = match missed.is_empty() {
        true if work.cpu_ms.is_infinite() => "ok".to_owned(),
        true => format!("≤ {:.2}", work.cpu_ms),
        false => format!("MISSED {}", missed.join(", ")),
    };
    println!(
        "{:<17} {calls:>5} {cpu:>9.3} {floor:>5.2} {:>7.3} {:>6.1} {:>8} {:>8} {:>8} {:>6.1} {:>5} {:>7} {:>8}  {result}",
        work.name,
        scaled_ms(seen),
        load.cpu.as_secs_f64() * 100.0 / load.length.as_secs_f64(),
        delay(0.5),
        delay(0.99),
        delay(1.0),
        load.delays.host() * 100.0,
        load.lost,
        percentile(&load.lateness, 0.99),
        mib.map_or_else(|| "–".to_owned(), |mib| format!("{mib:.3}")),
    );
    missed.is_empty()
}

/// A load that did not come about.
pub fn failed(work: &Work, why: &str) -> bool {
    println!("{:<17} FAILED: {why}", work.name);
    false
}

/// A figure of its own, against what it may be.
pub fn verdict(what: &str, is_met: bool) -> bool {
    println!("{what}: {}", if is_met { "met" } else { "MISSED" });
    is_met
}
