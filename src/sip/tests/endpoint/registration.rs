//! Phones that register and call, trunks that want to be registered with.

use std::time::Duration;

use base::Rng;
use sip::{
    Caller, Command, Destination, DigestAlgorithm, DigestClient, EndpointConfig, Event, HeaderName, Input,
    Message, Method, Outgoing, Request, SessionId, TransportKind, TrunkState,
};

use crate::expect;
use crate::raw::{Bench, address, reply};
use crate::wire::{SDP, SDP_ANSWER, Wire, config, trunk, user};

/// A box at 192.0.2.1 that knows ann, and her phone at 192.0.2.2, which is an endpoint that registers.
fn office(transport: TransportKind, password: &str) -> Wire {
    let mut wire = Wire::new(1);
    let mut office = config("192.0.2.1", transport);
    user(&mut office, "ann", "secret");
    wire.add(office);
    wire.add(phone("192.0.2.2", transport, password));
    wire
}

fn phone(ip: &str, transport: TransportKind, password: &str) -> EndpointConfig {
    let mut phone = config(ip, transport);
    let mut line = trunk("192.0.2.1", transport);
    (line.username, line.password, line.register) = (Some("ann".into()), Some(password.into()), true);
    phone.trunks.push(line);
    phone
}

#[test]
fn a_phone_registers_calls_and_is_called() {
    for transport in [TransportKind::Udp, TransportKind::Tcp] {
        let mut wire = office(transport, "secret");
        wire.run_ms(10);
        expect!(wire, 0, Event::ContactsChanged { user } => assert_eq!(user, "ann"));
        expect!(wire, 0, Event::Registered { user, contacts: 1 } => assert_eq!(user, "ann"));
        expect!(wire, 1, Event::TrunkState { state: TrunkState::Registered { expires_s: 3600 }, .. });
        assert_eq!(wire.codes(0, "REGISTER"), [401, 200]);

        let binding = wire.ends[0].endpoint.contacts_of("ann").remove(0);
        let outgoing = Outgoing {
            session: SessionId(1),
            to: Destination::Contact(binding),
            from: "<sip:+15550001111@office>".parse().unwrap(),
            to_header: Some("<sip:ann@office>".parse().unwrap()),
            headers: vec![(HeaderName::from("X-Queue"), "sales".into()), (HeaderName::Via, "no".into())],
            body: Some(SDP.to_vec()),
            recording: None,
            credentials: None,
        };
        wire.command(0, Command::Invite(Box::new(outgoing)));
        wire.run_ms(10);
        let session = expect!(wire, 1, Event::Incoming { session, request, .. } => {
            assert_eq!(request.headers.text(&HeaderName::from("x-queue")).unwrap(), "sales");
            assert_eq!(request.headers.all(&HeaderName::Via).count(), 1);
            session
        });
        wire.command(1, Command::Answer { session, body: SDP_ANSWER.to_vec() });
        wire.run_ms(10);
        expect!(wire, 0, Event::Answered { .. });
        expect!(wire, 1, Event::Acked { .. });
        wire.command(0, Command::Bye { session: SessionId(1), reason: None });
        wire.run_ms(10);
        expect!(wire, 1, Event::Ended { .. });

        let called = wire.call(1, 2, Some(SDP));
        wire.run_ms(10);
        let (session, from) = expect!(wire, 0, Event::Incoming { session, from, request, .. } => {
            assert!(!request.headers.has(&HeaderName::Authorization));
            (session, from)
        });
        assert_eq!(from, Caller::Phone { user: "ann".into() });
        wire.command(0, Command::Refuse { session, code: 486, reason: None, headers: Vec::new() });
        wire.run_ms(10);
        expect!(wire, 1, Event::Refused { session, code: 486, .. } => assert_eq!(session, called));
        assert_eq!(wire.codes(0, "INVITE"), [401, 100, 486]);
    }
}

#[test]
fn a_wrong_password_is_challenged_again_and_gets_the_source_banned() {
    let mut wire = office(TransportKind::Udp, "wrong");
    wire.run_ms(10);
    assert_eq!(wire.codes(0, "REGISTER"), [401, 401]);
    expect!(wire, 0, Event::Rejected { what: "bad password", .. });
    expect!(wire, 1, Event::TrunkState { state: TrunkState::Failed { code: 401, .. }, .. });
    assert_eq!(wire.ends[0].endpoint.registrations().count(), 0);
    for n in 1..20 {
        wire.input(1, Input::Config(config("192.0.2.2", TransportKind::Udp)));
        wire.input(1, Input::Config(phone("192.0.2.2", TransportKind::Udp, &format!("wrong{n}"))));
        wire.run_ms(10);
    }
    assert_eq!(wire.ends[0].endpoint.bans().count(), 1);
    wire.sent.clear();
    wire.input(1, Input::Config(phone("192.0.2.2", TransportKind::Udp, "secret")));
    wire.run_ms(1_000);
    assert_eq!(wire.codes(0, "REGISTER"), []);
}

#[test]
fn a_nonce_that_is_too_old_is_replaced_and_nobody_is_at_fault() {
    let mut wire = office(TransportKind::Udp, "secret");
    // The refresh comes after 59 minutes, long after the nonce's end.
    wire.run(Duration::from_secs(3_600));
    assert_eq!(wire.codes(0, "REGISTER"), [401, 200, 401, 200]);
    let stale = wire.sent.iter().any(|(_, message)| match message {
        Message::Response(response) => response
            .headers
            .text(&HeaderName::WwwAuthenticate)
            .is_some_and(|text| text.contains("stale=true")),
        Message::Request(_) => false,
    });
    assert!(stale);
    assert_eq!(wire.ends[0].endpoint.registrations().count(), 1);
    assert_eq!(wire.ends[0].endpoint.counters().get("sip_bad_passwords"), None);
}

#[test]
fn either_hash_will_do() {
    for hashes in [
        &[DigestAlgorithm::Md5][..],
        &[DigestAlgorithm::Sha256],
        &[DigestAlgorithm::Sha256, DigestAlgorithm::Md5],
        &[DigestAlgorithm::Md5, DigestAlgorithm::Sha256],
    ] {
        let mut wire = office(TransportKind::Udp, "secret");
        wire.ends[0].endpoint.set_challenges(hashes);
        wire.run_ms(10);
        assert_eq!(wire.codes(0, "REGISTER"), [401, 200], "{hashes:?}");
        let wanted = format!("algorithm={}", hashes[0].as_str());
        let used =
            wire.requests(1, "REGISTER")[1].headers.text(&HeaderName::Authorization).unwrap().into_owned();
        assert!(used.contains(&wanted), "{used}");
    }
}

/// Ann's phone registers, is challenged, and gets this answer to the request returned.
fn register(bench: &mut Bench, seq: u64, from: &str, to: &str, code: u16) -> Request {
    let mut register = Request::new(Method::Register, "sip:192.0.2.1".parse().unwrap());
    let mut digest = DigestClient::new("ann", "secret");
    let transport = bench.flow.transport.via();
    for (seq, code) in [(seq, 401), (seq + 1, code)] {
        let via = format!("SIP/2.0/{} 192.0.2.2:5060;branch=z9hG4bKr{seq};rport", transport.as_str());
        register.headers.set(HeaderName::Via, via);
        register.headers.set(HeaderName::From, format!("<sip:{from}>;tag=1"));
        register.headers.set(HeaderName::To, format!("<sip:{to}>"));
        register.headers.set(HeaderName::CallId, "r");
        register.headers.set(HeaderName::CSeq, format!("{seq} REGISTER"));
        register.headers.set(HeaderName::Contact, "<sip:ann@192.0.2.2;transport=tcp>");
        if code != 401 {
            digest.authorize(&mut register, &mut Rng::seeded(seq));
        }
        bench.hear(register.clone());
        let response = bench.response(code);
        assert!(response.headers.to().unwrap().tag().is_some());
        digest.on_response(&response);
    }
    register
}

#[test]
fn a_phone_that_comes_back_over_another_connection_is_still_reached() {
    let mut office = config("192.0.2.1", TransportKind::Tcp);
    user(&mut office, "ann", "secret");
    let mut bench = Bench::with(office);
    bench.flow.remote = address("192.0.2.2:40001");
    let ann = "ann@192.0.2.1";
    register(&mut bench, 1, ann, ann, 200);
    let binding = bench.endpoint.contacts_of("ann").remove(0);
    bench.invite(1, Destination::Contact(binding));
    let flow = bench.sent[0].0;
    assert_eq!(flow.remote, bench.flow.remote);
    let invite = bench.request("INVITE");
    let contact = (HeaderName::Contact, "<sip:ann@192.0.2.2;transport=tcp>");
    bench.hear(reply(&invite, 200, "x", &[contact], SDP_ANSWER));
    bench.request("ACK");
    bench.input(Input::FlowClosed { flow: bench.flow });
    bench.flow.remote = address("192.0.2.2:40002");
    register(&mut bench, 3, ann, ann, 200);
    bench.command(Command::Bye { session: SessionId(1), reason: None });
    assert_eq!(bench.sent[0].0.remote, address("192.0.2.2:40002"));
    bench.request("BYE");
}

#[test]
fn a_phone_behind_address_translation_is_reached_where_it_last_spoke_from() {
    let mut office = config("192.0.2.1", TransportKind::Udp);
    user(&mut office, "ann", "secret");
    let mut bench = Bench::with(office);
    bench.flow.remote = address("198.51.100.7:40001");
    let ann = "ann@192.0.2.1";
    register(&mut bench, 1, ann, ann, 200);
    let binding = bench.endpoint.contacts_of("ann").remove(0);
    bench.invite(1, Destination::Contact(binding));
    let invite = bench.request("INVITE");
    // Two of its lines answer: the second one is turned away along the same path.
    for (tag, methods) in [("x", &["ACK"][..]), ("y", &["ACK", "BYE"])] {
        let contact = (HeaderName::Contact, "<sip:ann@10.0.0.5:5062>");
        bench.hear(reply(&invite, 200, tag, &[contact], SDP_ANSWER));
        for method in methods {
            assert_eq!(bench.sent[0].0.remote, address("198.51.100.7:40001"), "{tag}");
            bench.request(method);
        }
    }
    let mut info = invite.clone();
    info.method = Method::Info;
    for (name, value) in [
        (HeaderName::Via, "SIP/2.0/UDP 10.0.0.5:5062;branch=z9hG4bKinfo;rport".to_owned()),
        (HeaderName::From, format!("{};tag=x", invite.headers.to().unwrap())),
        (HeaderName::To, invite.headers.from().unwrap().to_string()),
        (HeaderName::CSeq, "1 INFO".to_owned()),
    ] {
        info.headers.set(name, value);
    }
    bench.flow.remote = address("198.51.100.7:40002");
    bench.hear(info);
    bench.response(200);
    bench.command(Command::Bye { session: SessionId(1), reason: None });
    assert_eq!(bench.sent[0].0.remote, address("198.51.100.7:40002"));
    bench.request("BYE");
}

#[test]
fn a_phone_registers_itself_alone_and_here_alone() {
    let mut office = config("192.0.2.1", TransportKind::Udp);
    user(&mut office, "ann", "secret");
    office.domains.push("office.example".into());
    for (from, to, code) in [
        ("ann@192.0.2.1", "ann@192.0.2.1", 200),
        ("ann@office.example", "ann@OFFICE.example", 200),
        ("ann@192.0.2.1", "bob@192.0.2.1", 403),
        ("bob@192.0.2.1", "ann@192.0.2.1", 403),
        ("ann@192.0.2.1", "ann@elsewhere.example", 404),
        ("ann@192.0.2.1", "ann@198.51.100.1", 404),
    ] {
        let mut bench = Bench::with(office.clone());
        let register = register(&mut bench, 1, from, to, code);
        // The repeated request gets the same answer, not a stale nonce.
        bench.hear(register);
        bench.response(code);
        assert_eq!(bench.endpoint.registrations().count(), usize::from(code == 200));
    }
}

#[test]
fn a_trunk_that_refuses_is_tried_again_later_and_later() {
    let mut bench = Bench::with(phone("192.0.2.1", TransportKind::Udp, "secret"));
    bench.wait(Duration::ZERO);
    let mut waits = Vec::new();
    for attempt in 0..9 {
        let register = bench.request("REGISTER");
        bench.hear(reply(&register, 503, "x", &[], b""));
        let retry_s = match bench.event() {
            Some(Event::TrunkState { state: TrunkState::Failed { code: 503, retry_s, .. }, .. }) => retry_s,
            other => panic!("{attempt}: {other:?}"),
        };
        waits.push(retry_s);
        bench.wait(Duration::from_secs(u64::from(retry_s) - 1));
        bench.assert_quiet();
        bench.wait(Duration::from_secs(1));
    }
    assert!((15..=30).contains(&waits[0]) && (30..=60).contains(&waits[1]), "{waits:?}");
    assert!(waits.iter().all(|wait| *wait <= 1_800) && *waits.last().unwrap() >= 900, "{waits:?}");
    // It says how long to wait, then that the time is too short, then yes.
    let register = bench.request("REGISTER");
    bench.hear(reply(&register, 500, "x", &[(HeaderName::RetryAfter, "7 (busy);duration=3")], b""));
    assert!(matches!(
        bench.event(),
        Some(Event::TrunkState { state: TrunkState::Failed { code: 500, retry_s: 7, .. }, .. })
    ));
    bench.wait(Duration::from_secs(7));
    let register = bench.request("REGISTER");
    assert_eq!(register.headers.expires(), Ok(Some(3_600)));
    bench.hear(reply(&register, 423, "x", &[(HeaderName::MinExpires, "7200")], b""));
    let register = bench.request("REGISTER");
    assert_eq!(register.headers.expires(), Ok(Some(7_200)));
    let contact = register.headers.contacts().unwrap().remove(0);
    let granted = format!("<sip:other@192.0.2.77>;expires=9, {contact};expires=1000");
    bench.hear(reply(&register, 200, "x", &[(HeaderName::Contact, &granted)], b""));
    let state = TrunkState::Registered { expires_s: 1_000 };
    assert_eq!(bench.endpoint.trunk_states().next(), Some(("other", &state)));
    bench.event();
    bench.wait(Duration::from_secs(890));
    bench.assert_quiet();
    bench.wait(Duration::from_secs(10));
    let refresh = bench.request("REGISTER");
    assert_eq!(refresh.headers.call_id(), register.headers.call_id());
    bench.hear(reply(&refresh, 200, "x", &[(HeaderName::Contact, &granted)], b""));
    bench.assert_quiet();
    // A trunk that is taken away is left in good order.
    bench.input(Input::Config(config("192.0.2.1", TransportKind::Udp)));
    assert_eq!(bench.request("REGISTER").headers.expires(), Ok(Some(0)));
    assert_eq!(bench.endpoint.trunk_states().count(), 0);
}
