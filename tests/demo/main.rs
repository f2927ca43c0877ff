//! `make demo`: one real call through the demo office, told step by step, and judged by what was heard.
//!
//! The office is the one `tandem init` writes, with three things added so that one machine can play all the parts: a
//! carrier (SIPp), a cable to Ann's soft phone (baresip), and `record = true` on the number. It runs in a
//! network of its own and leaves its files under the build directory.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a demonstration speaks, and may stop loudly"
)]

#[path = "../common/mod.rs"]
mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use common::baresip::{Account, Baresip};
use common::network::{Line, loopback, main_in_own_network};
use common::office::{Tandem, binary};
use common::rtp::Rtp;
use common::scenario::Scenario;
use common::{hz, ms, s, tone, wait_for};

const NUMBER: &str = "+15550001111";
const CALLER: &str = "+15557770001";

fn main() -> ExitCode {
    main_in_own_network(demo)
}

fn demo() {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("demo");
    let _ = std::fs::remove_dir_all(&dir);
    let line = Line::lay(1);
    let password = prepare_office(&dir, &line);
    let mut tandem = Tandem::in_directory(&dir);
    tandem.start();
    say(&format!("the box runs, its files are in {}", dir.display()));

    let account = Account { password: &password, auto_answer: false, ..Account::of("ann", line.near) };
    let mut ann = Baresip::start(&line, &account);
    ann.registered();
    say("Ann's phone (baresip) is registered");

    let ear = Rtp::open(loopback(2));
    let scenario = Scenario::caller(CALLER, NUMBER).invite_answered(&ear.sdp()).until_told().bye();
    let mut caller = tandem.carrier_calls(&scenario);
    ear.talk_to(caller.wait("SIP/2.0 200", s(10)).media().unwrap());
    let answered = Instant::now();
    say(&format!("a caller (SIPp) has reached {NUMBER} by the carrier's trunk"));
    wait_for("the menu's speech", s(15), || (tone::seconds_of_sound(&ear.heard()) > 2.5).then_some(()));
    say("the menu speaks; the caller presses 1");
    ear.press("1");
    ann.wait("CALL_INCOMING", s(15));
    let menu = tone::seconds_of_other(&ear.heard(), &[hz::AGENT, hz::CALLER]);
    say("Ann's phone rings");
    std::thread::sleep(ms(1500));
    ann.pick_up();
    ann.wait("CALL_ESTABLISHED", s(5));
    let bridged = Instant::now();
    say("Ann has picked up; she speaks at 700 Hz");
    ear.wait_tone(hz::AGENT, 2.0, bridged, s(10));
    say("the caller answers at 900 Hz");
    ear.say(hz::CALLER);
    std::thread::sleep(s(2));
    caller.go_on();
    caller.succeeds(s(5));
    ann.wait("CALL_CLOSED", s(5));
    say(&format!("the caller has hung up after {:.0} seconds", answered.elapsed().as_secs_f64()));

    let sid = wait_for("the call's record", s(5), || {
        let calls = tandem.calls();
        let inbound = calls.iter().find(|call| call["parent"].is_null() && call["status"] == "completed")?;
        Some(inbound["sid"].as_str()?.to_owned())
    });
    let file = wait_for("the recording", s(5), || tandem.recording_files().pop());
    println!("\n$ tandem calls\n{}", tandem.says(&["calls"]));
    println!("$ tandem trace {sid}\n{}", tandem.says(&["trace", &sid]));
    judge(menu, &ear.heard(), &ann.heard(), &file);
    println!("\nThe recording is {}", file.display());
}

/// Writes the demo office and gives back Ann's password.
fn prepare_office(dir: &Path, line: &Line) -> String {
    let out = Command::new(binary()).arg("init").arg(dir).output().expect("the box's binary runs");
    assert!(out.status.success(), "tandem init: {}", String::from_utf8_lossy(&out.stderr));
    let config = dir.join("tandem.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let listen = "listen = [\"udp:127.0.0.1:5060\",";
    assert!(text.contains(listen), "the demo office listens on this machine only:\n{text}");
    let text = text.replace(listen, &format!("{listen} \"udp:{}:5060\",", line.near));
    let carrier = loopback(2);
    let trunk = format!(
        "[[trunk]]\nname = \"carrier\"\naddress = \"sip:{carrier}:5080\"\naccept_from = [\"{carrier}\"]\n"
    );
    let number = format!("\nnumber = \"{NUMBER}\"");
    assert!(text.contains(&number), "the demo office has {NUMBER}:\n{text}");
    let text = text.replace(&number, &format!("{number}\nrecord = true"));
    let text = format!("{text}\n{trunk}");
    let after_ann = text.split("\nname = \"ann\"").nth(1).expect("the demo office has a phone for Ann");
    let password = after_ann.split('"').nth(1).unwrap().to_owned();
    std::fs::write(&config, &text).unwrap();
    password
}

/// Looks for each voice where it belongs.
fn judge(menu: f64, ear: &[i16], ann: &[i16], file: &Path) {
    let recording = tone::read_wav(&std::fs::read(file).unwrap()).swap_remove(0);
    let length = recording.len() as f64 / f64::from(tone::RATE);
    let first = |hz| tone::first_with(&recording, hz).expect("both voices are in the recording");
    let (agent, speaks) = (first(hz::AGENT), first(hz::CALLER));
    let prompt = &recording[..(agent * f64::from(tone::RATE)) as usize];
    let rows = [
        ("the caller heard the menu speak and the phone ring", menu, 3.0),
        ("the caller heard Ann (700 Hz)", tone::seconds_of(ear, hz::AGENT), 3.0),
        ("Ann heard the caller (900 Hz)", tone::seconds_of(ann, hz::CALLER), 1.0),
        ("the recording begins with the menu", tone::seconds_of_sound(prompt), 3.0),
        ("the recording has Ann", tone::seconds_with(&recording, hz::AGENT), 3.0),
        ("the recording has the caller", tone::seconds_with(&recording, hz::CALLER), 1.0),
        ("the menu comes before Ann", agent, 3.0),
        ("Ann comes before the caller", speaks - agent, 1.5),
    ];
    for (what, seconds, least) in rows {
        println!("{what:<52} {seconds:>5.1} s");
        assert!(seconds >= least, "{what}: {seconds} s, at least {least} s were expected");
    }
    println!("{:<52} {length:>5.1} s", "the recording's length");
}

fn say(what: &str) {
    println!("-- {what}");
}
