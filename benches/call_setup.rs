//! What it costs the box to set a call up and end it: the real binary on loopback, its own processor time.
//!
//! A carrier sends INVITE, ACK and BYE for many calls at once; the document (`<Gather>`, from a file) makes the
//! box answer, so that every call opens and closes a media leg, but no RTP flows. The floor is a bare loop that
//! receives and sends as many datagrams in the same run. The budget is for the machine of
//! [`machine::BUDGETS_FLOOR_US`]; what counts is the figure scaled to it.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a bench may stop loudly and must print"
)]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::{SocketAddr, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

#[path = "common/machine.rs"]
mod machine;

/// Calls under way at once.
const WINDOW: usize = 64;
/// Calls measured, after as many as a tenth to warm up.
const CALLS: usize = 4_000;
/// Processor milliseconds a call may cost on the machine that budgets were set on.
const BUDGET_MS: f64 = 0.5;

fn main() {
    machine::raise_file_limit();
    let floor_before = machine::floor_us();
    machine::unpin();
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("answer.xml"), "<Response><Gather timeout=\"60\"/></Response>").unwrap();
    let config = dir.path().join("tandem.toml");
    std::fs::write(
        &config,
        "[sip]\nlisten = [\"udp:127.0.0.1:5968\"]\n[media]\naddress = \"127.0.0.1\"\nports = \"21000-28999\"\n\
         [http]\nlisten = \"127.0.0.1:8968\"\n[limits]\ncalls = 4000\n[log]\nfilter = \"error\"\n\
         [[trunk]]\nname = \"load\"\naddress = \"sip:127.0.0.2:5969\"\naccept_from = [\"127.0.0.2\"]\n\
         [[number]]\nnumber = \"+15550001111\"\nvoice_url = \"file:answer.xml\"\n",
    )
    .unwrap();
    let mut tandem = start(&config);
    let socket = UdpSocket::bind("127.0.0.2:5969").unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    let server: SocketAddr = "127.0.0.1:5968".parse().unwrap();
    wait_until_ready(&socket, server);

    run(&socket, server, "warm", CALLS / 10);
    let (cpu_before, began) = (machine::process_cpu_ns(tandem.id()) as f64 / 1e6, Instant::now());
    let datagrams = run(&socket, server, "load", CALLS);
    let (cpu, wall) = (machine::process_cpu_ns(tandem.id()) as f64 / 1e6 - cpu_before, began.elapsed());
    let _ = tandem.kill();
    let _ = tandem.wait();

    let per_call = cpu / CALLS as f64;
    let floor = floor_ms(datagrams) / CALLS as f64;
    let floor_us = f64::midpoint(floor_before, machine::floor_us());
    let judged = machine::scaled(per_call, floor_us);
    println!(
        "call_setup: {per_call:.3} ms CPU a call, {judged:.3} scaled from F {floor_us:.1} µs (budget {BUDGET_MS}), {:.0} calls/s with one generator, \
         {:.1} datagrams a call, {:.1} times the bare datagrams ({floor:.3} ms)",
        CALLS as f64 / wall.as_secs_f64(),
        datagrams as f64 / CALLS as f64,
        per_call / floor,
    );
    if judged > BUDGET_MS {
        println!("call_setup: over its budget by {:.0} %", (judged / BUDGET_MS - 1.0) * 100.0);
        std::process::exit(1);
    }
}

fn start(config: &std::path::Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_tandem"))
        .args(["run", "--config"])
        .arg(config)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

fn wait_until_ready(socket: &UdpSocket, server: SocketAddr) {
    let options = "OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.2:5969;branch=z9hG4bKready\r\n\
                   From: <sip:load@127.0.0.2>;tag=r\r\nTo: <sip:127.0.0.1>\r\nCall-ID: ready\r\nCSeq: 1 OPTIONS\r\n\
                   Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n";
    for _ in 0..40 {
        let _ = socket.send_to(options.as_bytes(), server);
        if socket.recv(&mut [0; 2_048]).is_ok() {
            return;
        }
    }
    panic!("the box does not answer");
}

/// Carries so many calls through, `WINDOW` at once; the datagrams it took both ways.
fn run(socket: &UdpSocket, server: SocketAddr, name: &str, calls: usize) -> usize {
    let mut datagrams = 0;
    let mut begun = 0;
    let mut over = 0;
    // Those under way, with their last message for when one is lost.
    let mut open: BTreeMap<usize, (String, bool)> = BTreeMap::new();
    let mut buffer = [0; 4_096];
    while over < calls {
        while begun < calls && open.len() < WINDOW {
            let invite = invite(name, begun);
            socket.send_to(invite.as_bytes(), server).unwrap();
            open.insert(begun, (invite, false));
            datagrams += 1;
            begun += 1;
        }
        let Ok(length) = socket.recv(&mut buffer) else {
            for (message, _) in open.values() {
                socket.send_to(message.as_bytes(), server).unwrap();
            }
            continue;
        };
        datagrams += 1;
        let text = String::from_utf8_lossy(&buffer[..length]);
        let Some(id) = header(&text, "Call-ID").and_then(|id| id.strip_prefix(name)?.parse::<usize>().ok())
        else {
            continue;
        };
        if !text.starts_with("SIP/2.0 200") {
            assert!(text.starts_with("SIP/2.0 1"), "{text}");
            continue;
        }
        let to = header(&text, "To").unwrap_or_default().to_owned();
        if header(&text, "CSeq").is_some_and(|cseq| cseq.ends_with("INVITE")) {
            let Some((last, up)) = open.get_mut(&id) else { continue };
            let ack = request("ACK", name, id, 1, &to, "");
            let bye = request("BYE", name, id, 2, &to, "");
            socket.send_to(ack.as_bytes(), server).unwrap();
            if !std::mem::replace(up, true) {
                socket.send_to(bye.as_bytes(), server).unwrap();
                datagrams += 2;
            }
            *last = bye;
        } else if open.remove(&id).is_some() {
            over += 1;
        }
    }
    datagrams
}

fn invite(name: &str, id: usize) -> String {
    let sdp = "v=0\r\no=- 1 1 IN IP4 127.0.0.2\r\ns=-\r\nc=IN IP4 127.0.0.2\r\nt=0 0\r\nm=audio 39000 RTP/AVP 0 8 101\r\n\
               a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\n";
    request("INVITE", name, id, 1, "<sip:+15550001111@127.0.0.1:5968>", sdp)
}

fn request(method: &str, name: &str, id: usize, cseq: u32, to: &str, sdp: &str) -> String {
    let content = if sdp.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    format!(
        "{method} sip:+15550001111@127.0.0.1:5968 SIP/2.0\r\n\
         Via: SIP/2.0/UDP 127.0.0.2:5969;branch=z9hG4bK{name}{id}{method}\r\nFrom: <sip:+15557654321@127.0.0.2>;tag={name}{id}\r\n\
         To: {to}\r\nCall-ID: {name}{id}\r\nCSeq: {cseq} {method}\r\nContact: <sip:127.0.0.2:5969>\r\nMax-Forwards: 70\r\n\
         {content}Content-Length: {}\r\n\r\n{sdp}",
        sdp.len()
    )
}

fn header<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(str::trim))
}

/// Processor milliseconds of receiving half and sending half of so many datagrams, nothing else.
fn floor_ms(datagrams: usize) -> f64 {
    let ours = UdpSocket::bind("127.0.0.1:0").unwrap();
    let theirs = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (to_ours, to_theirs) = (ours.local_addr().unwrap(), theirs.local_addr().unwrap());
    let message = [b'x'; 600];
    let mut buffer = [0; 2_048];
    let mut cpu = 0.0;
    for _ in 0..datagrams / 2 {
        theirs.send_to(&message, to_ours).unwrap();
        let before = machine::thread_cpu_ns() as f64 / 1e6;
        let length = ours.recv(&mut buffer).unwrap();
        ours.send_to(&buffer[..length], to_theirs).unwrap();
        cpu += machine::thread_cpu_ns() as f64 / 1e6 - before;
        theirs.recv(&mut buffer).unwrap();
    }
    std::io::stdout().flush().unwrap();
    cpu
}
