//! What calls cost the whole box: the real binary between callers and called of our own, on loopback.
//!
//! The box has one core, the generator another. CPU is that of the whole process, from the scheduler's account;
//! delay is measured by the kernel's receive time stamps and includes both passes through the loopback; packets that
//! were on their way while the host had taken the core away are counted (`host %`) and not judged. `--hogs`
//! lets four threads compute beside everything; `--only <part of a name>` picks loads; `--seconds <n>` changes how
//! long each is measured.

#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, reason = "a bench speaks to a person")]

#[path = "../common/machine.rs"]
mod machine;
mod report;
mod rtp;
mod sip;
#[path = "../common/stalls.rs"]
mod stalls;
mod work;

use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitCode, Stdio};

use machine::{
    BUDGETS_FLOOR_US, CPU_GENERATOR, CPU_MEASURED, Hogs, percentile, pin, process_bytes, real_time,
};
use report::Seen;
use rtp::{Generator, Load};
use sip::Ends;
use work::{BRIDGE, WORK, Work};

/// Calls that the box should carry on the budgets' machine; on one whose F is higher, as many fewer. Beside it the sizes
/// that are tried, as shares of that.
const CALLS_MIN: usize = 1_500;
const SEARCH: [f64; 5] = [0.6, 0.8, 1.0, 1.15, 1.3];

/// Calls that come and go beside the loaded ones in [`busy`], and how late a frame may be there.
const CHURN: usize = 64;
const LATE_US: u32 = 2_000;

/// The load there, of a core; only how late frames are is judged.
const BUSY: f64 = 0.7;
const BUSY_BRIDGE: Work = Work { cpu_ms: f64::INFINITY, p99_us: None, memory_mib: None, ..BRIDGE };

/// Calls before memory is counted: they fill what every call shares.
const WARM: std::ops::Range<usize> = 9_000_000..9_000_064;

struct Options {
    hogs: bool,
    only: Option<String>,
    seconds: u64,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let after = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1).cloned()
    };
    let options = Options {
        hogs: arguments.iter().any(|argument| argument == "--hogs"),
        only: after("--only"),
        seconds: after("--seconds").and_then(|text| text.parse().ok()).unwrap_or(5),
    };
    machine::raise_file_limit();
    println!("load: the whole box on one core; {}", machine::describe());
    if !(pin(0, CPU_GENERATOR) && real_time(60)) {
        println!("note: no right to real-time priority; the figures depend on what else runs");
    }
    let hogs = options.hogs.then(|| Hogs::start(4));
    if hogs.is_some() {
        println!("four threads compute beside it");
    }
    let wanted = |name: &str| options.only.as_ref().is_none_or(|only| name.contains(only.as_str()));
    let mut met = true;
    report::header();
    let mut bridge_ms = BRIDGE.cpu_ms;
    for work in WORK.iter().filter(|work| wanted(work.name)) {
        match best(|| measure(work, &options)) {
            Ok(seen) => {
                met &= report::row(&seen);
                if work.name == BRIDGE.name {
                    bridge_ms = report::cpu_ms(&seen.load, work.calls);
                }
            }
            Err(why) => met &= report::failed(work, &why),
        }
    }
    if wanted("most") {
        met &= most(&options);
    }
    if wanted("busy") {
        met &= busy((BUSY * 1_000.0 / bridge_ms) as usize, &options, hogs.is_some());
    }
    if met { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The binary at work; killed with this.
struct Tandem {
    child: Child,
    _dir: tempfile::TempDir,
}

impl Tandem {
    fn start(work: &Work, calls: usize) -> Tandem {
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("tandem.toml");
        std::fs::write(&config, work.config(calls)).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_tandem"));
        command.args(["run", "--config"]).arg(&config).stdin(Stdio::null()).stdout(Stdio::null());
        // SAFETY: between fork and exec nothing but system calls is made.
        unsafe {
            command.pre_exec(|| {
                pin(0, CPU_MEASURED);
                Ok(())
            });
        }
        Tandem { child: command.spawn().unwrap(), _dir: dir }
    }

    fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Tandem {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What else runs on the machine only ever adds: of so many measurements the best counts.
const TIMES: usize = 3;

/// The first one that misses nothing, else the one that misses least.
fn best<'w>(measure: impl Fn() -> Result<Seen<'w>, String>) -> Result<Seen<'w>, String> {
    let mut best: Option<Seen<'w>> = None;
    for _ in 0..TIMES {
        let seen = measure()?;
        let worth = |seen: &Seen<'_>| (report::missed(seen).len(), report::scaled_ms(seen));
        if best.as_ref().is_none_or(|best| worth(&seen) < worth(best)) {
            best = Some(seen);
        }
        if best.as_ref().is_some_and(|best| report::missed(best).is_empty()) {
            break;
        }
    }
    best.ok_or_else(|| "nothing was measured".to_owned())
}

/// A box that has had its first calls, and both ends of those to come; before it the yardstick, with the box at rest, or
/// it would have to wait for the floor.
fn stage(work: &Work, calls: usize) -> Result<(f64, Tandem, Ends, Generator), String> {
    let floor_us = machine::floor_us();
    let tandem = Tandem::start(work, calls);
    let mut ends = Ends::new(work.caller, work.called);
    if !ends.wait_until_ready() {
        return Err("the box does not answer; does it know every key of its file?".to_owned());
    }
    let generator = Generator::new();
    let place = |call: usize| (work.number(call - WARM.start), generator.ports(call));
    ends.call(WARM, place)?;
    ends.hang_up(WARM);
    ends.ended.clear();
    Ok((floor_us, tandem, ends, generator))
}

/// One kind of load.
fn measure<'w>(work: &'w Work, options: &Options) -> Result<Seen<'w>, String> {
    let (floor_us, tandem, mut ends, mut generator) = stage(work, work.calls.max(WARM.len()))?;
    let before = process_bytes(tandem.id());
    ends.call(0..work.calls, |call| (work.number(call), generator.ports(call)))?;
    generator.set_legs(&ends.legs(0..work.calls), work.codecs(), work.calls, work.known);
    let load = generator.run(options.seconds * 50, tandem.id(), || ends.serve());
    let mib = process_bytes(tandem.id()).saturating_sub(before) as f64 / f64::from(1 << 20);
    if let Some(why) = ends.ended.first() {
        return Err(why.clone());
    }
    drop(tandem);
    let floor_us = f64::midpoint(floor_us, machine::floor_us());
    Ok(Seen { work, calls: work.calls, load, floor_us, mib: Some(mib / work.calls as f64) })
}

/// The most bridged calls without loss that keep to their delay.
fn most(options: &Options) -> bool {
    println!("\nmost calls without loss at p99 ≤ 1 ms:");
    let (floor_us, tandem, mut ends, mut generator) = match stage(&BRIDGE, 2 * CALLS_MIN) {
        Ok(stage) => stage,
        Err(why) => return report::failed(&BRIDGE, &why),
    };
    let wanted = machine::scaled(CALLS_MIN as f64, floor_us);
    let (mut up, mut carried) = (0, 0);
    let work = Work { cpu_ms: f64::INFINITY, ..BRIDGE };
    for calls in SEARCH.map(|share| (share * wanted) as usize) {
        if let Err(why) = ends.call(up..calls, |call| (BRIDGE.number(call), generator.ports(call))) {
            println!("no {calls} calls: {why}");
            break;
        }
        up = calls;
        let is_carried = (0..TIMES).any(|_| {
            generator.set_legs(&ends.legs(0..calls), BRIDGE.codecs(), calls, BRIDGE.known);
            let load = generator.run(options.seconds * 50, tandem.id(), || ends.serve());
            report::row(&Seen { work: &work, calls, load, floor_us, mib: None })
        });
        if !is_carried {
            break;
        }
        carried = calls;
    }
    let wanted = wanted as usize;
    let what = format!("{carried} calls a core, wanted {wanted} ({CALLS_MIN} at F {BUDGETS_FLOOR_US} µs)");
    report::verdict(&what, carried >= wanted)
}

/// At 70 % of a core, with calls coming and going and four hogs beside it: nothing lost, nothing late.
fn busy(calls: usize, options: &Options, has_hogs: bool) -> bool {
    println!("\nabout 70 % of a core, {CHURN} more calls always coming and going, four hogs:");
    let mut calls = calls;
    for _ in 0..TIMES {
        let (seen, churned) = match beside_churn(calls, options, has_hogs) {
            Ok(seen) => seen,
            Err(why) => return report::failed(&BRIDGE, &why),
        };
        let Load { lost, sent, delays, .. } = &seen.load;
        let (ours, is_judged) = (&delays.ours, delays.is_judged());
        let late = ours.len() - ours.partition_point(|&us| us <= LATE_US);
        report::row(&seen);
        println!("{churned} calls a second came and went; p99.9 {} µs", percentile(ours, 0.999));
        let what = format!("{lost} of {sent} frames lost, {late} late by more than 2 ms");
        if report::verdict(&what, *lost == 0 && late == 0 && is_judged) {
            return true;
        }
        // The host may have become another since it was measured how many calls make the load.
        let core = seen.load.cpu.as_secs_f64() / seen.load.length.as_secs_f64();
        if core > BUSY {
            calls = (calls as f64 * BUSY / core) as usize;
        }
    }
    false
}

/// The load, and how many calls a second came and went beside it.
fn beside_churn(calls: usize, options: &Options, has_hogs: bool) -> Result<(Seen<'static>, u64), String> {
    let (floor_us, tandem, mut ends, mut generator) = stage(&BUSY_BRIDGE, calls)?;
    let _hogs = (!has_hogs).then(|| Hogs::start(4));
    let ports = generator.ports(0);
    ends.call(0..calls, |call| (BRIDGE.number(call), generator.ports(call)))?;
    generator.set_legs(&ends.legs(0..calls), BRIDGE.codecs(), calls, BRIDGE.known);
    let number = BRIDGE.number(0);
    let rounds = options.seconds * 50;
    let load = generator.run(rounds, tandem.id(), || ends.churn(CHURN, |_| (number.clone(), ports)));
    let churned = ends.churned as u64 * 50 / (rounds + 100);
    Ok((Seen { work: &BUSY_BRIDGE, calls, load, floor_us, mib: None }, churned))
}
