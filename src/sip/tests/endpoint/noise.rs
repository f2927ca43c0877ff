//! A peer that says anything: valid messages at the wrong time, and messages with bytes changed.

use std::time::Duration;

use base::Rng;
use sip::{Command, Event, HeaderName, Input, Message, Request, SessionId, TransportKind};

use crate::raw::{Bench, INVITE, in_dialog, reply};
use crate::wire::SDP;

const ROUNDS: u64 = 60;
const MESSAGES: usize = 60;
const METHODS: [&str; 9] =
    ["INVITE", "ACK", "BYE", "CANCEL", "INFO", "UPDATE", "OPTIONS", "REGISTER", "PRACK"];
const CODES: [u16; 16] = [100, 180, 183, 199, 200, 202, 302, 401, 404, 407, 408, 481, 486, 491, 500, 503];

#[test]
fn nothing_a_peer_says_breaks_the_endpoint() {
    for seed in 0..ROUNDS {
        let mut rng = Rng::seeded(seed);
        let transport = if seed % 2 == 0 { TransportKind::Udp } else { TransportKind::Tcp };
        let mut bench = Bench::new(transport);
        let (session, answer) = bench.answered();
        let mut ours: Vec<Request> = vec![bench.call(1), bench.call(2)];
        bench.command(Command::Offer { session, body: SDP.to_vec() });
        for _ in 0..MESSAGES {
            ours.extend(bench.sent.drain(..).filter_map(|(_, message)| match message {
                Message::Request(request) => Some(request),
                Message::Response(_) => None,
            }));
            let method = METHODS[rng.below(METHODS.len() as u64) as usize];
            let seq = rng.below(6) as u32;
            let sdp = if rng.chance(0.5) { ("Content-Type: application/sdp\n", "v=0\n") } else { ("", "") };
            let mut bytes = match rng.below(4) {
                0 => {
                    let call = format!("call-{}", rng.below(4));
                    INVITE
                        .replace("INVITE", method)
                        .replace("call-1", &call)
                        .replace('\n', "\r\n")
                        .into_bytes()
                }
                1 => in_dialog(method, seq, &answer, sdp.0, sdp.1).replace('\n', "\r\n").into_bytes(),
                _ => {
                    let code = CODES[rng.below(CODES.len() as u64) as usize];
                    let request = &ours[rng.below(ours.len() as u64) as usize];
                    let challenge = format!("Digest realm=\"r\", nonce=\"{seq}\", stale={}", rng.chance(0.5));
                    let name =
                        if code == 407 { HeaderName::ProxyAuthenticate } else { HeaderName::WwwAuthenticate };
                    let contact = (HeaderName::Contact, "<sip:bob@192.0.2.2>");
                    let tag = ["x", "y"][rng.below(2) as usize];
                    let response = reply(request, code, tag, &[contact, (name, &challenge)], SDP);
                    Message::from(response).encode()
                }
            };
            if rng.chance(0.5) {
                for _ in 0..=rng.below(3) {
                    let at = rng.below(bytes.len() as u64) as usize;
                    match rng.below(3) {
                        0 => bytes[at] = rng.u32() as u8,
                        1 => drop(bytes.remove(at)),
                        _ => bytes.insert(at, b" ;,<>\"\r\n:="[rng.below(10) as usize]),
                    }
                }
            }
            bench.input(Input::Received { flow: bench.flow, bytes });
            bench.wait(Duration::from_millis(rng.below(3_000)));
        }
        // Whatever it was, each session can still be ended, and then everything is over.
        let mut alive: Vec<SessionId> = vec![session, SessionId(1), SessionId(2)];
        while let Some(event) = bench.event() {
            if let Event::Incoming { session, .. } = event {
                alive.push(session);
            }
        }
        for session in alive {
            bench.command(Command::Bye { session, reason: None });
        }
        bench.wait(Duration::from_secs(400));
        assert_eq!(bench.endpoint.open_sessions(), 0, "seed {seed}");
        assert_eq!(bench.endpoint.open_transactions(), 0, "seed {seed}");
    }
}
