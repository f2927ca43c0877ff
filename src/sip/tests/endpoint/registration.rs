//! Phones that register and call, trunks that want to be registered with.

use sip::{
    Caller, Command, Destination, EndpointConfig, Event, HeaderName, Message, Outgoing, SessionId,
    TransportKind, TrunkState,
};

use crate::expect;
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
        let (session, from) = expect!(wire, 0, Event::Incoming { session, from, .. } => (session, from));
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
        wire.input(1, sip::Input::Config(config("192.0.2.2", TransportKind::Udp)));
        wire.input(1, sip::Input::Config(phone("192.0.2.2", TransportKind::Udp, &format!("wrong{n}"))));
        wire.run_ms(10);
    }
    assert_eq!(wire.ends[0].endpoint.bans().count(), 1);
    wire.sent.clear();
    wire.input(1, sip::Input::Config(phone("192.0.2.2", TransportKind::Udp, "secret")));
    wire.run_ms(1_000);
    assert_eq!(wire.codes(0, "REGISTER"), []);
}

#[test]
fn a_nonce_that_is_too_old_is_replaced_and_nobody_is_at_fault() {
    let mut wire = office(TransportKind::Udp, "secret");
    // The refresh comes after 59 minutes, long after the nonce's end.
    wire.run(std::time::Duration::from_secs(3_600));
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
