//! Reading and writing a SIP message, against the `rsip` crate on the same message in the same run.
//!
//! Reading here judges Via, From, To, Call-ID, CSeq, Contact and routes at once, which rsip leaves for later: the row
//! with typed headers is where both have done the same work, and the first row's budget leaves room for it.

#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, reason = "a bench speaks to a person")]

use std::hint::black_box;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use rsip::headers::ToTypedHeader;
use rsip::message::HeadersExt;
use sip::{Decoded, Message};

/// An INVITE as a carrier sends it, 1.2 kB.
const INVITE: &str = "INVITE sip:+15550001111@203.0.113.7:5060;user=phone SIP/2.0\r\n\
    Via: SIP/2.0/UDP 198.51.100.20:5060;branch=z9hG4bK7f3a9c5e1d2b4a68;rport\r\n\
    Via: SIP/2.0/UDP 10.20.30.40:5080;branch=z9hG4bK0c1d2e3f405162738495;received=198.51.100.33\r\n\
    Max-Forwards: 69\r\n\
    Record-Route: <sip:198.51.100.20;lr;ftag=as5f0c2b71>\r\n\
    From: \"Jane Doe\" <sip:+15552223333@carrier.example;user=phone>;tag=as5f0c2b71\r\n\
    To: <sip:+15550001111@203.0.113.7;user=phone>\r\n\
    Call-ID: 4f1e7b0a2c3d4e5f60718293a4b5c6d7@10.20.30.40\r\n\
    CSeq: 102 INVITE\r\n\
    Contact: <sip:+15552223333@10.20.30.40:5080;transport=udp>\r\n\
    User-Agent: Carrier-SBC/7.4.1\r\n\
    Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, SUBSCRIBE, NOTIFY, INFO, PUBLISH, MESSAGE\r\n\
    Supported: replaces, timer, 100rel\r\n\
    Session-Expires: 1800;refresher=uac\r\n\
    Min-SE: 90\r\n\
    P-Asserted-Identity: \"Jane Doe\" <sip:+15552223333@carrier.example>\r\n\
    Content-Type: application/sdp\r\n\
    Content-Length: 266\r\n\
    \r\n\
    v=0\r\n\
    o=carrier 1718293 1718293 IN IP4 198.51.100.33\r\n\
    s=-\r\n\
    c=IN IP4 198.51.100.33\r\n\
    t=0 0\r\n\
    m=audio 27182 RTP/AVP 0 8 18 101\r\n\
    a=rtpmap:0 PCMU/8000\r\n\
    a=rtpmap:8 PCMA/8000\r\n\
    a=rtpmap:18 G729/8000\r\n\
    a=rtpmap:101 telephone-event/8000\r\n\
    a=fmtp:101 0-16\r\n\
    a=ptime:20\r\n\
    a=sendrecv\r\n";

fn main() -> ExitCode {
    let bytes = INVITE.as_bytes();
    let (message, theirs) = (ours(bytes), rsip(bytes));
    assert!(message.body().ends_with(b"a=sendrecv\r\n"), "the message states its own length");
    println!("INVITE of {} bytes, {} headers, best of {ROUNDS} rounds", bytes.len(), message.headers().len());
    let parse = race(|| drop(black_box(ours(bytes))), || drop(black_box(rsip(bytes))));
    let typed = race(
        || {
            let message = ours(bytes);
            let h = message.headers();
            black_box((h.via().unwrap(), h.from().unwrap(), h.to().unwrap()));
            black_box((h.cseq().unwrap(), h.contacts().unwrap()));
        },
        || {
            let m = rsip(bytes);
            black_box((typed(m.via_header()), typed(m.from_header()), typed(m.to_header())));
            black_box((typed(m.cseq_header()), typed(m.contact_header())));
        },
    );
    let encode = race(
        || drop(black_box(black_box(&message).encode())),
        || drop(black_box(Vec::<u8>::from(black_box(&theirs).clone()))),
    );
    let rows = [("parse", 1.2, parse), ("parse, 5 typed headers", 1.0, typed), ("encode", 0.4, encode)];
    let over = rows.into_iter().filter(|(what, budget, times)| !within(what, *budget, *times)).count();
    if over == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Prints one row; whether it keeps to its budget in times of rsip.
fn within(what: &str, budget: f64, (ours, theirs): (f64, f64)) -> bool {
    let ratio = ours / theirs;
    let verdict = if ratio <= budget { "" } else { "  OVER BUDGET" };
    println!(
        "{what:24} {ours:6.0} ns   rsip {theirs:6.0} ns   ratio {ratio:.2} (budget {budget:.2}){verdict}"
    );
    ratio <= budget
}

fn ours(bytes: &[u8]) -> Message {
    match sip::decode(black_box(bytes)) {
        Decoded::Message(message) => message,
        Decoded::Reject { code, reason, .. } => panic!("{code} {reason}"),
        Decoded::Drop(reason) => panic!("{reason:?}"),
    }
}

fn rsip(bytes: &[u8]) -> rsip::SipMessage {
    rsip::SipMessage::try_from(black_box(bytes)).unwrap()
}

fn typed<'a, H: ToTypedHeader<'a> + 'a>(header: Result<&H, rsip::Error>) -> H::Typed
where
    <H as ToTypedHeader<'a>>::Typed: rsip::headers::typed::TypedHeader<'a>,
{
    header.unwrap().typed().unwrap()
}

const ROUNDS: usize = 300;

/// Nanoseconds a call of each takes: the best of many rounds, taken in turns so that both see the same machine.
fn race(mut ours: impl FnMut(), mut theirs: impl FnMut()) -> (f64, f64) {
    let mut best = (Duration::MAX, Duration::MAX);
    for _ in 0..ROUNDS {
        best.0 = best.0.min(round(&mut ours));
        best.1 = best.1.min(round(&mut theirs));
    }
    (nanos(best.0), nanos(best.1))
}

const CALLS: u32 = 200;

fn round(call: &mut impl FnMut()) -> Duration {
    let start = Instant::now();
    for _ in 0..CALLS {
        call();
    }
    start.elapsed()
}

fn nanos(round: Duration) -> f64 {
    round.as_nanos() as f64 / f64::from(CALLS)
}
