//! What peers do that no endpoint of ours would.

use std::time::Duration;

use sip::{Caller, Command, Destination, Ended, Event, Flow, HeaderName, Input, SessionId, TransportKind};

use crate::raw::{Bench, INVITE, address, in_dialog, reply};
use crate::wire::{SDP, SDP_ANSWER, config, trunk};

const CONTACT: (HeaderName, &str) = (HeaderName::Contact, "<sip:bob@192.0.2.2>");
const CHALLENGE: (HeaderName, &str) =
    (HeaderName::ProxyAuthenticate, "Digest realm=\"carrier\", nonce=\"n1\", algorithm=MD5, qop=\"auth\"");

fn bench() -> Bench {
    Bench::new(TransportKind::Udp)
}

macro_rules! told {
    ($bench:expr, $pattern:pat => $value:expr) => {
        match $bench.event() {
            Some($pattern) => $value,
            other => panic!("expected {}, not {other:?}", stringify!($pattern)),
        }
    };
    ($bench:expr, $pattern:pat) => {
        told!($bench, $pattern => ())
    };
}

#[test]
fn a_trunk_that_challenges_gets_credentials_once() {
    let mut bench = bench();
    let first = bench.call(1);
    bench.hear(reply(&first, 407, "x", &[CHALLENGE], b""));
    let ack = bench.request("ACK");
    assert_eq!(ack.headers.via().unwrap().branch(), first.headers.via().unwrap().branch());
    let second = bench.request("INVITE");
    let credentials = second.headers.text(&HeaderName::ProxyAuthorization).unwrap().into_owned();
    assert!(
        credentials.contains("username=\"alice\"") && credentials.contains("nonce=\"n1\""),
        "{credentials}"
    );
    assert_eq!((first.headers.cseq().unwrap().number, second.headers.cseq().unwrap().number), (1, 2));
    assert_eq!(first.headers.call_id(), second.headers.call_id());
    assert_eq!(first.headers.from(), second.headers.from());
    assert_ne!(first.headers.via(), second.headers.via());
    // Once more with another nonce: the password is wrong.
    let again = "Digest realm=\"carrier\", nonce=\"n2\", algorithm=MD5, qop=\"auth\"";
    bench.hear(reply(&second, 407, "x", &[(HeaderName::ProxyAuthenticate, again)], b""));
    bench.request("ACK");
    told!(bench, Event::Refused { code: 407, .. });
    bench.assert_quiet();
}

#[test]
fn the_ack_of_an_answer_has_the_invites_credentials() {
    let mut bench = bench();
    let first = bench.call(1);
    bench.hear(reply(&first, 407, "x", &[CHALLENGE], b""));
    bench.request("ACK");
    let second = bench.request("INVITE");
    bench.hear(reply(&second, 200, "y", &[CONTACT], SDP_ANSWER));
    let ack = bench.request("ACK");
    assert_eq!(ack.headers.cseq().unwrap().number, 2);
    assert_eq!(
        ack.headers.text(&HeaderName::ProxyAuthorization),
        second.headers.text(&HeaderName::ProxyAuthorization)
    );
    told!(bench, Event::Answered { .. });
    // BYE is challenged as well.
    bench.command(Command::Bye { session: SessionId(1), reason: None });
    let bye = bench.request("BYE");
    let again = "Digest realm=\"carrier\", nonce=\"n2\", algorithm=MD5, qop=\"auth\"";
    bench.hear(reply(&bye, 407, "", &[(HeaderName::ProxyAuthenticate, again)], b""));
    let bye = bench.request("BYE");
    assert_eq!(bye.headers.cseq().unwrap().number, 4);
    assert!(bye.headers.text(&HeaderName::ProxyAuthorization).unwrap().contains("n2"));
    bench.hear(reply(&bye, 200, "", &[], b""));
    assert_eq!(bench.endpoint.open_sessions(), 0);
}

#[test]
fn forks_ring_and_one_wins() {
    let mut bench = bench();
    let invite = bench.call(1);
    for (tag, code) in [("x", 180), ("y", 183), ("x", 183)] {
        bench.hear(reply(&invite, code, tag, &[CONTACT], if code == 183 { SDP } else { b"" }));
        told!(bench, Event::Progress { code: told, body, .. } => {
            assert_eq!((told, body.is_some()), (code, code == 183));
        });
    }
    let winner = (HeaderName::Contact, "<sip:y@192.0.2.2:5070>");
    bench.hear(reply(&invite, 200, "y", std::slice::from_ref(&winner), SDP_ANSWER));
    let ack = bench.request("ACK");
    assert_eq!(
        (ack.uri.to_string().as_str(), ack.headers.to().unwrap().tag()),
        ("sip:y@192.0.2.2:5070", Some("y"))
    );
    told!(bench, Event::Answered { .. });
    // The other fork answers as well: its call is taken and ended (RFC 3261 §13.2.2.4).
    bench.hear(reply(&invite, 200, "x", &[CONTACT], SDP_ANSWER));
    for method in ["ACK", "BYE"] {
        let request = bench.request(method);
        assert_eq!(request.uri.to_string(), "sip:bob@192.0.2.2");
        assert_eq!(request.headers.to().unwrap().tag(), Some("x"));
    }
    // The winner's answer again: acknowledged again, to its own address.
    bench.hear(reply(&invite, 200, "y", &[winner], SDP_ANSWER));
    assert_eq!(bench.request("ACK").headers.to().unwrap().tag(), Some("y"));
    bench.assert_quiet();
    // And a fork that answers after the call has ended.
    bench.command(Command::Bye { session: SessionId(1), reason: None });
    let bye = bench.request("BYE");
    bench.hear(reply(&bye, 200, "", &[], b""));
    assert_eq!(bench.endpoint.open_sessions(), 0);
    bench.hear(reply(&invite, 200, "z", &[CONTACT], SDP_ANSWER));
    assert_eq!(bench.request("ACK").headers.to().unwrap().tag(), Some("z"));
    assert_eq!(bench.request("BYE").headers.to().unwrap().tag(), Some("z"));
    bench.assert_quiet();
}

#[test]
fn a_redirect_is_a_refusal_with_a_contact() {
    let mut bench = bench();
    let invite = bench.call(1);
    bench.hear(reply(&invite, 302, "x", &[(HeaderName::Contact, "<sip:bob@elsewhere>")], b""));
    bench.request("ACK");
    told!(bench, Event::Refused { code: 302, headers, .. } => {
        assert_eq!(headers.contacts().unwrap()[0].uri.to_string(), "sip:bob@elsewhere");
    });
}

#[test]
fn requests_go_along_the_recorded_route() {
    let mut bench = bench();
    let invite = bench.call(1);
    let record = (HeaderName::RecordRoute, "<sip:192.0.2.9;lr>, <sip:192.0.2.2;lr>");
    bench.hear(reply(&invite, 200, "x", &[CONTACT, record], SDP_ANSWER));
    let (flow, _) = bench.sent.front().unwrap();
    assert_eq!(flow.remote, address("192.0.2.2:5060"));
    let ack = bench.request("ACK");
    let routes: Vec<String> = ack.headers.routes().unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(routes, ["<sip:192.0.2.2;lr>", "<sip:192.0.2.9;lr>"]);
}

#[test]
fn addresses_are_tried_one_after_the_other() {
    let mut bench = bench();
    let to = Destination::Uri("sip:bob@carrier.example".parse().unwrap());
    bench.invite(1, to.clone());
    let (id, host) = bench.resolves.pop_front().unwrap();
    assert_eq!(host, "carrier.example");
    let addrs = ["198.51.100.1:5060", "198.51.100.2:5062", "198.51.100.3:5060"];
    bench.input(Input::Resolved { id, addrs: addrs.map(|a| (TransportKind::Udp, address(a))).to_vec() });
    let (flow, _) = *bench.sent.front().map(|(flow, message)| (*flow, message)).as_ref().unwrap();
    assert_eq!(flow.remote, address(addrs[0]));
    let first = bench.request("INVITE");
    bench.input(Input::SendFailed { flow });
    assert_eq!(bench.sent.front().unwrap().0.remote, address(addrs[1]));
    let second = bench.request("INVITE");
    assert_ne!(first.headers.via().unwrap().branch(), second.headers.via().unwrap().branch());
    assert_eq!(first.headers.cseq(), second.headers.cseq());
    // 503 means the next one too (RFC 3263 §4.3).
    bench.hear(reply(&second, 503, "x", &[], b""));
    bench.request("ACK");
    assert_eq!(bench.sent.front().unwrap().0.remote, address(addrs[2]));
    bench.request("INVITE");
    bench.assert_quiet();
    bench.wait(Duration::from_secs(33));
    told!(bench, Event::Refused { session: SessionId(1), code: 408, .. });

    bench.sent.clear();
    bench.invite(2, to.clone());
    let (id, _) = bench.resolves.pop_front().unwrap();
    bench.input(Input::Resolved { id, addrs: Vec::new() });
    told!(bench, Event::Refused { session: SessionId(2), code: 503, .. });
    bench.invite(3, to);
    bench.command(Command::Cancel { session: SessionId(3) });
    told!(bench, Event::Refused { session: SessionId(3), code: 487, .. });
    let (id, _) = bench.resolves.pop_front().unwrap();
    bench.input(Input::Resolved { id, addrs: vec![(TransportKind::Udp, address(addrs[0]))] });
    bench.assert_quiet();
    bench.invite(4, Destination::Uri("tel:+15550001111".parse().unwrap()));
    told!(bench, Event::Refused { session: SessionId(4), code: 416, .. });
    // Nobody ever answers the question.
    bench.invite(5, Destination::Uri("sip:bob@slow.example".parse().unwrap()));
    bench.wait(Duration::from_secs(32));
    told!(bench, Event::Refused { session: SessionId(5), code: 503, .. });
    assert_eq!(bench.endpoint.poll_timeout(), None);
}

#[test]
fn what_is_wrong_with_an_invite_is_said() {
    for (from, to, code, header) in [
        ("Max-Forwards: 70", "Max-Forwards: 0", 483, None),
        ("Max-Forwards: 70", "Require: 100rel", 420, Some((HeaderName::Unsupported, "100rel"))),
        (
            "Content-Type: application/sdp",
            "Content-Type: text/plain",
            415,
            Some((HeaderName::Accept, "application/sdp")),
        ),
        ("Contact: <sip:carol@192.0.2.2:5060>\n", "", 400, None),
        ("INVITE sip:100@192.0.2.1 ", "INVITE mailto:100@192.0.2.1 ", 416, None),
    ] {
        let mut bench = bench();
        assert!(INVITE.contains(from));
        bench.say(&INVITE.replacen(from, to, 1));
        bench.response(100);
        let response = bench.response(code);
        assert!(response.headers.to().unwrap().tag().is_some());
        if let Some((name, value)) = header {
            assert_eq!(response.headers.text(&name).unwrap(), value);
        }
        told!(bench, Event::Rejected { .. });
        bench.assert_quiet();
        assert_eq!(bench.endpoint.open_sessions(), 0);
    }
}

#[test]
fn methods_we_do_not_take_are_refused_without_memory() {
    let mut bench = bench();
    for (method, code) in [
        ("MESSAGE", 405),
        ("PUBLISH", 405),
        ("PRACK", 405),
        ("REFER", 481),
        ("NOTIFY", 481),
        ("invite", 501),
        ("BYE", 481),
    ] {
        bench.say(&INVITE.replace("INVITE", method));
        let response = bench.response(code);
        assert_eq!(response.headers.has(&HeaderName::Allow), code != 481, "{method}");
        assert!(response.headers.to().unwrap().tag().is_some());
    }
    bench.say(&INVITE.replace("INVITE", "OPTIONS"));
    let options = bench.response(200);
    assert!(options.headers.tokens(&HeaderName::Allow).contains(&"UPDATE".to_owned()));
    assert_eq!(options.headers.text(&HeaderName::Accept).unwrap(), "application/sdp");
    assert!(!options.headers.tokens(&HeaderName::Supported).contains(&"100rel".to_owned()));
    bench.say(&INVITE.replace("INVITE", "ACK"));
    bench.say(&INVITE.replace("INVITE", "CANCEL"));
    bench.response(481);
    bench.assert_quiet();
    assert_eq!(bench.endpoint.open_transactions(), 0);
}

#[test]
fn a_call_that_comes_along_two_ways_is_one_call() {
    let mut bench = bench();
    bench.say(INVITE);
    bench.response(100);
    told!(bench, Event::Incoming { .. });
    bench.say(&INVITE.replace("z9hG4bKi1", "z9hG4bKi2"));
    bench.response(482);
    bench.say(INVITE);
    bench.response(100);
    bench.assert_quiet();
}

#[test]
fn our_own_call_that_comes_back_is_a_loop() {
    let mut bench = bench();
    let mut invite = bench.call(1);
    let proxy = "SIP/2.0/UDP 192.0.2.2:5060;branch=z9hG4bKproxy";
    invite.headers.push_front(HeaderName::Via, proxy);
    bench.hear(invite);
    bench.response(100);
    bench.response(482);
    told!(bench, Event::Rejected { what: "loop", .. });
    bench.assert_quiet();
}

#[test]
fn strangers_are_challenged_without_memory() {
    let mut bench = bench();
    bench.flow = Flow { remote: address("203.0.113.9:5060"), ..bench.flow };
    for _ in 0..2 {
        bench.say(INVITE);
        let response = bench.response(401);
        assert_eq!(response.headers.all(&HeaderName::WwwAuthenticate).count(), 1);
        bench.say(&in_dialog("ACK", 1, &response, "", ""));
    }
    bench.assert_quiet();
    assert_eq!(bench.endpoint.open_transactions(), 0);
}

#[test]
fn answers_find_their_way_through_address_translation() {
    let mut bench = bench();
    bench.flow = Flow { remote: address("192.0.2.2:40000"), ..bench.flow };
    bench.say(&INVITE.replace("UDP 192.0.2.2:5060", "UDP 10.0.0.5:5060"));
    let (flow, _) = bench.sent.front().unwrap();
    assert_eq!(flow.remote, address("192.0.2.2:40000"));
    let via = bench.response(100).headers.via().unwrap();
    assert_eq!((via.received(), via.rport()), (Some("192.0.2.2".parse().unwrap()), Some(40_000)));
    // Without rport the port is the one Via names (RFC 3261 §18.2.2).
    bench.say(&INVITE.replace("i1;rport", "i3").replace("call-1", "call-3"));
    let (flow, _) = bench.sent.front().unwrap();
    assert_eq!(flow.remote, address("192.0.2.2:5060"));
}

#[test]
fn requests_out_of_order_and_of_strangers_are_refused() {
    let mut bench = bench();
    let (session, answer) = bench.answered();
    bench.say(&in_dialog("INFO", 5, &answer, "", ""));
    bench.response(200);
    told!(bench, Event::Info { content_type, body, .. } => assert!(content_type.is_empty() && body.is_empty()));
    bench.say(&in_dialog("INFO", 4, &answer, "", ""));
    bench.response(500);
    bench.say(&in_dialog("INFO", 6, &answer, "Info-Package: x\n", ""));
    bench.response(469);
    bench.say(&in_dialog("BYE", 7, &answer, "", "").replace("tag=ct", "tag=other"));
    bench.response(481);
    bench.say(&in_dialog("BYE", 7, &answer, "", "").replace("call-1", "call-2"));
    bench.response(481);
    bench.say(&in_dialog("BYE", 8, &answer, "Reason: Q.850;cause=31;text=\"gone\"\n", ""));
    bench.response(200);
    told!(bench, Event::Ended { session: ended, why, .. } => {
        assert_eq!((ended, why), (session, Ended::ByPeer { reason: Some((31, "gone".into())) }));
    });
    bench.assert_quiet();
}

#[test]
fn update_and_invite_without_offer_change_the_session_too() {
    let mut bench = bench();
    let (session, answer) = bench.answered();
    let sdp = "Content-Type: application/sdp\n";
    bench.say(&in_dialog("UPDATE", 2, &answer, sdp, "v=0\n"));
    told!(bench, Event::Offered { body: Some(_), .. });
    // Another one before the first is answered (RFC 3311 §5.2).
    bench.say(&in_dialog("UPDATE", 3, &answer, sdp, "v=0\n"));
    assert!(bench.response(500).headers.has(&HeaderName::RetryAfter));
    bench.command(Command::AnswerOffer { session, result: Ok(SDP_ANSWER.to_vec()) });
    assert_eq!(bench.response(200).body, SDP_ANSWER);
    // Without an offer it only moves the peer's address.
    bench.say(&in_dialog("UPDATE", 4, &answer, "Contact: <sip:carol@192.0.2.2:5099>\n", ""));
    bench.response(200);

    bench.say(&in_dialog("INVITE", 5, &answer, "Contact: <sip:carol@192.0.2.2:5098>\n", ""));
    bench.response(100);
    told!(bench, Event::Offered { body: None, .. });
    bench.command(Command::AnswerOffer { session, result: Ok(SDP.to_vec()) });
    assert_eq!(bench.response(200).body, SDP);
    // While the ACK is out, nothing else is negotiated.
    bench.say(&in_dialog("INVITE", 6, &answer, sdp, "v=0\n"));
    bench.response(100);
    bench.response(491);
    bench.say(&in_dialog("ACK", 6, &answer, "", ""));
    bench.say(&in_dialog("ACK", 5, &answer, sdp, "v=0\ns=answer\n"));
    told!(bench, Event::Acked { body: Some(body), .. } => assert_eq!(body, SDP_ANSWER));
    bench.say(&in_dialog("INVITE", 7, &answer, "Content-Type: text/plain\n", "hello"));
    bench.response(100);
    bench.response(415);
    bench.assert_quiet();

    bench.command(Command::Bye { session, reason: None });
    assert_eq!(bench.sent.front().unwrap().0.remote, address("192.0.2.2:5098"));
    assert_eq!(bench.request("BYE").uri.to_string(), "sip:carol@192.0.2.2:5098");
}

#[test]
fn a_reinvite_that_is_cancelled_leaves_the_session_as_it_was() {
    let mut bench = bench();
    let (session, answer) = bench.answered();
    bench.say(&in_dialog("INVITE", 2, &answer, "Content-Type: application/sdp\n", "v=0\n"));
    bench.response(100);
    told!(bench, Event::Offered { .. });
    bench.say(&in_dialog("CANCEL", 2, &answer, "", "").replace("bKCANCEL2", "bKINVITE2"));
    bench.response(200);
    bench.response(487);
    bench.command(Command::AnswerOffer { session, result: Ok(SDP_ANSWER.to_vec()) });
    bench.assert_quiet();
    assert_eq!(bench.endpoint.open_sessions(), 1);
}

#[test]
fn an_early_dialog_knows_its_place() {
    let mut bench = bench();
    bench.say(INVITE);
    bench.response(100);
    let session = told!(bench, Event::Incoming { session, from, .. } => {
        assert_eq!(from, Caller::Trunk { name: "other".into() });
        session
    });
    bench.command(Command::Progress { session, code: 183, body: Some(SDP.to_vec()) });
    let early = bench.response(183);
    assert_eq!(early.headers.contacts().unwrap()[0].uri.to_string(), "sip:100@192.0.2.1:5060");
    let sdp = "Content-Type: application/sdp\n";
    bench.say(&in_dialog("UPDATE", 2, &early, sdp, "v=0\n"));
    bench.response(500);
    bench.say(&in_dialog("INVITE", 3, &early, sdp, "v=0\n"));
    bench.response(100);
    bench.response(500);
    bench.say(&in_dialog("UPDATE", 4, &early, "", ""));
    bench.response(200);
    // The caller may end it so (§15).
    bench.say(&in_dialog("BYE", 5, &early, "", ""));
    bench.response(200);
    assert_eq!(bench.response(487).headers.cseq().unwrap().number, 1);
    told!(bench, Event::Cancelled { .. });
    bench.assert_quiet();
}

#[test]
fn an_invitation_may_expire() {
    let mut bench = bench();
    bench.say(&INVITE.replace("Max-Forwards: 70", "Max-Forwards: 70\nExpires: 20"));
    bench.response(100);
    told!(bench, Event::Incoming { .. });
    bench.wait(Duration::from_secs(19));
    bench.assert_quiet();
    bench.wait(Duration::from_secs(2));
    assert_eq!(bench.response(487).headers.cseq().unwrap().number, 1);
    told!(bench, Event::Cancelled { .. });
}

#[test]
fn the_recorded_route_is_copied_and_our_address_is_the_one_the_peer_sees() {
    let mut office = config("0.0.0.0", TransportKind::Udp);
    office.addresses =
        vec![address("10.0.0.1:0").ip(), address("192.0.2.200:0").ip(), address("127.0.0.1:0").ip()];
    office.trunks.push(trunk("192.0.2.2", TransportKind::Udp));
    let mut bench = Bench::with(office);
    bench.say(&INVITE.replace("Max-Forwards: 70", "Record-Route: <sip:192.0.2.3;lr>\nMax-Forwards: 70"));
    bench.response(100);
    let session = told!(bench, Event::Incoming { session, .. } => session);
    bench.command(Command::Answer { session, body: SDP.to_vec() });
    let answer = bench.response(200);
    assert_eq!(answer.headers.text(&HeaderName::RecordRoute).unwrap(), "<sip:192.0.2.3;lr>");
    assert_eq!(answer.headers.contacts().unwrap()[0].uri.to_string(), "sip:100@192.0.2.200:5060");
    let invite = bench.call(1);
    assert_eq!(invite.headers.via().unwrap().host.to_string(), "192.0.2.200");
}

#[test]
fn without_room_for_another_transaction_one_is_told_to_come_later() {
    let mut office = config("192.0.2.1", TransportKind::Udp);
    office.trunks.push(trunk("192.0.2.2", TransportKind::Udp));
    office.limits.transactions_max = 1;
    let mut bench = Bench::with(office);
    bench.say(INVITE);
    bench.response(100);
    told!(bench, Event::Incoming { .. });
    bench.say(&INVITE.replace("bKi1", "bKi2").replace("call-1", "call-2"));
    assert!(bench.response(503).headers.has(&HeaderName::RetryAfter));
    // What runs goes on.
    bench.say(INVITE);
    bench.response(100);
    bench.assert_quiet();
    assert_eq!(bench.endpoint.open_transactions(), 1);
    assert_eq!(bench.endpoint.counters().get("sip_transactions_full"), Some(&1));
}

#[test]
fn noise_is_counted_and_costs_nothing() {
    let mut bench = bench();
    for bytes in [&b"\r\n\r\n"[..], b"\r\n", b"\0\0\0\0", b"GET / HTTP/1.1\r\n\r\n", b"", b"\xff\xfe"] {
        bench.input(Input::Received { flow: bench.flow, bytes: bytes.to_vec() });
    }
    let ok = "SIP/2.0 200 OK\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKno\nFrom: <sip:a@b>;tag=1\nTo: <sip:a@b>;tag=2\n\
              Call-ID: x\nCSeq: 1 INVITE\n\n";
    bench.say(ok);
    bench.input(Input::SendFailed { flow: bench.flow });
    bench.input(Input::FlowClosed { flow: bench.flow });
    bench.input(Input::Resolved { id: 99, addrs: Vec::new() });
    bench.command(Command::Bye { session: SessionId(5), reason: None });
    bench.assert_quiet();
    assert_eq!(bench.endpoint.counters().get("sip_stray_responses"), Some(&1));
    assert_eq!(bench.endpoint.counters().values().sum::<u64>(), 9);
}
