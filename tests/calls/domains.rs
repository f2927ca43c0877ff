//! SIP domains with documents, phones and peers of their own, and carriers that `byoc` names.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use call::office::{Application, Domain, Office, Trunk};
use sim::{Answer, CALLER, CARRIER, Faults, NUMBER, Reaction, Scenario, UaState, VOICE, office, param};
use sip::TransportKind;
use twiml::{Dialect, HttpMethod, Source};

/// The domain's voice URL.
const DESK: &str = "http://web.example/desk";
/// Whose calls come without a password.
const PEER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 77);

fn documented(url: &str) -> Application {
    Application {
        voice: Source::Url { url: url.to_owned(), method: HttpMethod::Post },
        fallback: None,
        status_callback: None,
        dialect: Dialect::Twiml,
        record: false,
        record_dual: false,
    }
}

fn with_domain(change: impl FnOnce(&mut Domain)) -> Office {
    let mut office = office(&[("ann", "101"), ("bob", "102")]);
    let mut domain = Domain {
        phones: BTreeSet::from(["ann".to_owned()]),
        registers: BTreeSet::from(["ann".to_owned()]),
        ..Domain::default()
    };
    change(&mut domain);
    office.domains.insert("desk.example".to_owned(), domain);
    office
}

fn scenario(office: Office) -> Scenario {
    let mut s = Scenario::with(office, 1, Faults::NONE);
    s.web().serve(DESK, Answer::twiml("<Say>desk</Say><Hangup/>"));
    s.web().serve(VOICE, Answer::twiml("<Say>office</Say><Hangup/>"));
    s
}

#[test]
fn a_domains_document_answers_what_its_phones_dial() {
    let mut s = scenario(with_domain(|domain| domain.application = Some(documented(DESK))));
    let (ann, bob) = (s.phone("ann"), s.phone("bob"));
    s.dials(ann, NUMBER);
    s.pass_ms(3_000);
    let asked = s.asked(DESK);
    assert_eq!(asked.len(), 1);
    let to = param(&asked[0], "To").unwrap();
    assert!(to.starts_with(&format!("sip:{NUMBER}@")), "{to}");
    assert!(param(&asked[0], "From").unwrap().starts_with("sip:ann@"));
    assert!(s.asked(VOICE).is_empty(), "the number's own document is the domain's to dial");
    s.dials(bob, NUMBER);
    s.pass_ms(3_000);
    assert_eq!((s.asked(DESK).len(), s.asked(VOICE).len()), (1, 1), "a phone of no domain dials as ever");
}

#[test]
fn an_emergency_call_waits_for_no_document_of_a_domain() {
    let mut s = scenario(with_domain(|domain| domain.application = Some(documented(DESK))));
    let ann = s.phone("ann");
    let call = s.dials(ann, "112");
    s.pass_ms(3_000);
    assert!(s.asked(DESK).is_empty());
    assert_eq!(s.call(&call).state, UaState::Up);
}

#[test]
fn without_a_document_a_domains_phones_dial_as_the_boxs_do() {
    let mut s = scenario(with_domain(|_| {}));
    let ann = s.phone("ann");
    s.dials(ann, NUMBER);
    s.pass_ms(3_000);
    assert_eq!(s.asked(VOICE).len(), 1);
}

#[test]
fn an_address_in_a_domain_is_a_phone_of_the_box() {
    let mut s = scenario(with_domain(|_| {}));
    let ann = s.phone("ann");
    s.web().serve(VOICE, Answer::twiml("<Dial><Sip>sip:ann@Desk.example</Sip></Dial>"));
    s.carrier_calls(NUMBER);
    s.pass_ms(3_000);
    let rung = s.latest(ann).expect("it rang");
    assert_eq!(s.call(&rung).state, UaState::Up);
}

#[test]
fn who_may_only_call_does_not_register_and_calls() {
    let mut s = scenario(with_domain(|domain| domain.registers.clear()));
    let ann = s.phone("ann");
    s.pass_ms(2_000);
    assert!(s.world.node.endpoint().contacts_of("ann").is_empty(), "its REGISTER is refused");
    s.dials(ann, NUMBER);
    s.pass_ms(3_000);
    assert_eq!(s.asked(VOICE).len(), 1);
}

#[test]
fn a_peers_address_is_its_password_and_leads_to_the_domains_document() {
    for documented_domain in [true, false] {
        let mut s = scenario(with_domain(|domain| {
            domain.sources = vec![IpAddr::V4(PEER).into()];
            domain.application = documented_domain.then(|| documented(DESK));
        }));
        let peer = s.world.add_ua("peer", None, TransportKind::Udp, PEER.into());
        s.world.dial(peer, NUMBER, CALLER);
        s.pass_ms(3_000);
        let expected = if documented_domain { (1, 0) } else { (0, 1) };
        assert_eq!((s.asked(DESK).len(), s.asked(VOICE).len()), expected);
        // It is no way through the box.
        s.world.dial(peer, "+442079460000", CALLER);
        s.pass_ms(3_000);
        assert_eq!(s.asked(VOICE).len(), expected.1);
    }
}

#[test]
fn byoc_names_carriers_that_no_route_leads_to_and_the_next_takes_over() {
    let mut office = office(&[("ann", "101")]);
    office.routes.clear();
    let carrier = office.trunks["carrier"].clone();
    let dead = Trunk {
        name: "NE1".to_owned(),
        address: "sip:198.51.100.99:5060".to_owned(),
        accept_from: Vec::new(),
        ..carrier.clone()
    };
    let alive = Trunk {
        name: "NE2".to_owned(),
        address: format!("sip:{CARRIER}:5060"),
        accept_from: Vec::new(),
        ..carrier
    };
    for trunk in [dead, alive] {
        office.trunks.insert(trunk.name.clone(), trunk);
    }
    office.byoc.insert("BY1".to_owned(), vec!["NE1".to_owned(), "NE2".to_owned()]);
    let mut s = scenario(office);
    let dial = "<Dial timeout='40'><Number byoc='BY1'>+442079460000</Number></Dial>";
    s.web().serve(VOICE, Answer::twiml(dial));
    let carrier = s.carrier();
    s.will(carrier, Reaction::Ignore);
    s.carrier_calls(NUMBER);
    s.pass_ms(20_000);
    let reached = s.latest(carrier).map(|call| s.call(&call).state);
    assert_eq!(reached, Some(UaState::Ringing), "the second target was tried");
}
