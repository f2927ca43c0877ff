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
use rtp::{Generator, Load};
use sip::Ends;
use work::{BRIDGE, WORK, Work};

/// Calls of the search for the most the box carries, and how many it should carry on the budgets' machine; on one
/// whose F is higher, as many fewer.
const SEARCH: [usize; 7] = [500, 750, 1_000, 1_250, 1_500, 1_750, 2_000];
const CALLS_MIN: usize = 1_500;

/// Calls that come and go beside the loaded ones in [`busy`], and how late a frame may be there.
const CHURN: usize = 64;
const LATE_US: u32 = 2_000;

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
        match measure(work, &options) {
            Ok((load, mib)) => {
                met &= report::row(work, work.calls, &load, Some(mib));
                if work.name == BRIDGE.name {
                    bridge_ms = report::cpu_ms(&load, work.calls);
                }
            }
            Err(why) => met &= report::failed(work, &why),
        }
    }
    if wanted("most") {
        met &= most(&options);
    }
    if wanted("busy") {
        met &= busy((700.0 / bridge_ms) as usize, &options, hogs.is_some());
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

/// A box that has had its first calls, and both ends of those to come.
fn stage(work: &Work, calls: usize) -> Result<(Tandem, Ends, Generator), String> {
    // With the box at rest, or it would have to wait for the floor.
    let floor_us = machine::floor_ns(1_000) / 1_000.0;
    let tandem = Tandem::start(work, calls);
    let mut ends = Ends::new(work.caller, work.called);
    if !ends.wait_until_ready() {
        return Err("the box does not answer; does it know every key of its file?".to_owned());
    }
    let generator = Generator::new(floor_us);
    let place = |call: usize| (work.number(call - WARM.start), generator.ports(call));
    ends.call(WARM, place)?;
    ends.hang_up(WARM);
    ends.ended.clear();
    Ok((tandem, ends, generator))
}

/// One kind of load; beside it the MiB of each call.
fn measure(work: &Work, options: &Options) -> Result<(Load, f64), String> {
    let (tandem, mut ends, mut generator) = stage(work, work.calls.max(WARM.len()))?;
    let before = process_bytes(tandem.id());
    ends.call(0..work.calls, |call| (work.number(call), generator.ports(call)))?;
    generator.set_legs(&ends.legs(0..work.calls), work.codecs(), work.calls, work.known);
    let load = generator.run(options.seconds * 50, tandem.id(), || ends.serve());
    let mib = process_bytes(tandem.id()).saturating_sub(before) as f64 / f64::from(1 << 20);
    match ends.ended.first() {
        Some(why) => Err(why.clone()),
        None => Ok((load, mib / work.calls as f64)),
    }
}

/// The most bridged calls without loss that keep to their delay.
fn most(options: &Options) -> bool {
    println!("\nmost calls without loss at p99 ≤ 1 ms:");
    let (tandem, mut ends, mut generator) = match stage(&BRIDGE, SEARCH[SEARCH.len() - 1]) {
        Ok(stage) => stage,
        Err(why) => return report::failed(&BRIDGE, &why),
    };
    let (mut up, mut carried) = (0, 0);
    for calls in SEARCH {
        if let Err(why) = ends.call(up..calls, |call| (BRIDGE.number(call), generator.ports(call))) {
            println!("no {calls} calls: {why}");
            break;
        }
        up = calls;
        // What else runs on the machine only ever adds: of three the best counts.
        let is_carried = (0..3).any(|_| {
            generator.set_legs(&ends.legs(0..calls), BRIDGE.codecs(), calls, BRIDGE.known);
            let load = generator.run(options.seconds * 50, tandem.id(), || ends.serve());
            report::row(&Work { cpu_ms: f64::INFINITY, ..BRIDGE }, calls, &load, None)
        });
        if !is_carried {
            break;
        }
        carried = calls;
    }
    let wanted = machine::scaled(CALLS_MIN as f64, generator.floor_us) as usize;
    let what = format!("{carried} calls a core, wanted {wanted} ({CALLS_MIN} at F {BUDGETS_FLOOR_US} µs)");
    // The sizes tried are steps: the last one below what is wanted counts as it.
    let step = SEARCH.iter().rev().find(|&&size| size <= wanted).copied().unwrap_or(SEARCH[0]);
    report::verdict(&what, carried >= step)
}

/// At 70 % of a core, with calls coming and going and four hogs beside it: nothing lost, nothing late.
fn busy(calls: usize, options: &Options, has_hogs: bool) -> bool {
    println!("\n{calls} calls, {CHURN} more always coming and going, four hogs:");
    let (tandem, mut ends, mut generator) = match stage(&BRIDGE, calls) {
        Ok(stage) => stage,
        Err(why) => return report::failed(&BRIDGE, &why),
    };
    let _hogs = (!has_hogs).then(|| Hogs::start(4));
    let ports = generator.ports(0);
    if let Err(why) = ends.call(0..calls, |call| (BRIDGE.number(call), generator.ports(call))) {
        return report::failed(&BRIDGE, &why);
    }
    generator.set_legs(&ends.legs(0..calls), BRIDGE.codecs(), calls, BRIDGE.known);
    let number = BRIDGE.number(0);
    let rounds = options.seconds * 50;
    let load = generator.run(rounds, tandem.id(), || ends.churn(CHURN, |_| (number.clone(), ports)));
    report::row(&Work { cpu_ms: f64::INFINITY, ..BRIDGE }, calls, &load, None);
    let delays = &load.delays.ours;
    let late = delays.len() - delays.partition_point(|&us| us <= LATE_US);
    println!(
        "{} calls a second came and went; p99.9 {} µs",
        ends.churned as u64 * 50 / (rounds + 100),
        percentile(delays, 0.999)
    );
    let what = format!("{} of {} frames lost, {late} late by more than 2 ms", load.lost, load.sent);
    report::verdict(&what, load.lost == 0 && late == 0 && load.delays.is_judged())
}
