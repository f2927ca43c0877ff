//! Keys that come and go by SIP INFO beside those in the audio: each counts once and is passed on once.

use call::office::DtmfMode;
use sim::{Caller, Faults, Heard, NUMBER, Scenario, UaId, VOICE, office as plain_office};

use crate::{ACTION, told};

fn office(dtmf: DtmfMode, verbs: &str) -> (Scenario, UaId) {
    let mut office = plain_office(&[("ann", "101")]);
    office.phones.get_mut("ann").expect("ann").media.dtmf = dtmf;
    let mut s = Scenario::with(office, 1, Faults::NONE);
    s.web().serve(VOICE, sim::Answer::twiml(verbs));
    s.web().serve(ACTION, sim::Answer::twiml("<Say>done</Say>"));
    let ann = s.phone("ann");
    (s, ann)
}

/// Keys the media plane was told to send to somebody, as it heard them.
fn sent_to(s: &mut Scenario, caller: &Caller) -> String {
    let digits = s.heard(caller).into_iter().filter_map(|heard| match heard {
        Heard::Digits(digits) => Some(digits),
        Heard::Clip(_) | Heard::Tone | Heard::Itself | Heard::Beep | Heard::Peer(_) | Heard::Silence => None,
    });
    digits.collect()
}

fn by_info(s: &mut Scenario, caller: &Caller, digit: char) {
    s.world.info(caller.ua, caller.session, "application/dtmf", &digit.to_string());
}

const GATHER: &str = "<Gather numDigits=\"4\" action=\"/action\" timeout=\"3\"/>";

#[test]
fn keys_by_info_are_gathered_once_however_they_come() {
    for (dtmf, want) in [(DtmfMode::Auto, Some("1223")), (DtmfMode::Rtp, None)] {
        let (mut s, ann) = office(dtmf, GATHER);
        let caller = s.dials(ann, NUMBER);
        s.pass_ms(500);
        s.presses_by_info(&caller, "1");
        if want.is_some() {
            // The same key both ways, in either order, then a key in the audio alone.
            by_info(&mut s, &caller, '2');
            s.presses(&caller, "2");
            s.pass_ms(400);
            s.world.press(caller.ua, caller.session, '2');
            s.pass_ms(50);
            by_info(&mut s, &caller, '2');
            s.pass_ms(400);
            s.presses(&caller, "3");
            s.pass_ms(500);
            assert_eq!(told(&mut s, ACTION, "Digits").as_deref(), want);
        } else {
            s.presses_by_info(&caller, "223");
            s.pass_ms(5_000);
            assert!(s.asked(ACTION).is_empty());
        }
        s.hangs_up(&caller);
        s.expect_rest();
    }
}

/// ann talks to the carrier.
fn talking(dtmf: DtmfMode, events: bool) -> (Scenario, Caller, Caller) {
    let (mut s, ann) = office(dtmf, "<Dial><Client>ann</Client></Dial>");
    s.world.ua(ann).events = events;
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(2_000);
    let to_ann = s.latest(ann).expect("it rings");
    assert!(s.bridged(&caller, &to_ann));
    (s, caller, to_ann)
}

#[test]
fn a_key_by_info_is_passed_on_exactly_once() {
    for events in [true, false] {
        let (mut s, caller, to_ann) = talking(DtmfMode::Auto, events);
        s.presses_by_info(&to_ann, "5#");
        assert_eq!(sent_to(&mut s, &caller), "5#", "events {events}");
        // Both ways at once: the media plane passes it on, the node does not.
        by_info(&mut s, &to_ann, '7');
        s.presses(&to_ann, "7");
        s.presses(&to_ann, "8");
        by_info(&mut s, &to_ann, '8');
        s.pass_ms(1_000);
        if events {
            assert_eq!(sent_to(&mut s, &caller), "5#");
        }
        assert!(s.call(&caller).infos.is_empty());
        s.hangs_up(&caller);
        s.expect_rest();
    }
}

/// A phone that dials from its memory tells all keys at once: the next is sent on when the one before it is over.
#[test]
fn keys_that_come_by_info_all_at_once_are_passed_on_one_after_the_other() {
    for events in [true, false] {
        let (mut s, caller, to_ann) = talking(DtmfMode::Auto, events);
        for digit in "27*0".chars() {
            by_info(&mut s, &to_ann, digit);
            s.pass_ms(10);
        }
        s.pass_ms(1_500);
        assert_eq!(sent_to(&mut s, &caller), "27*0", "events {events}");
        s.presses_by_info(&to_ann, "5");
        assert_eq!(sent_to(&mut s, &caller), "27*05", "events {events}");
        s.hangs_up(&caller);
        s.expect_rest();
    }
}

#[test]
fn a_phone_that_takes_info_gets_info() {
    let (mut s, caller, to_ann) = talking(DtmfMode::Info, true);
    assert!(!s.call(&to_ann).described.contains("telephone-event"));
    s.presses(&caller, "4");
    s.presses_by_info(&caller, "*");
    s.pass_ms(500);
    assert_eq!(s.call(&to_ann).infos, ["Signal=4\r\nDuration=160\r\n", "Signal=*\r\nDuration=160\r\n"]);
    assert_eq!(sent_to(&mut s, &to_ann), "", "not in the audio as well");
    assert_eq!(s.negotiated(&to_ann).map(|n| (n.dtmf, n.dtmf_inband)), Some((None, false)));
    s.hangs_up(&caller);
    s.expect_rest();
}

#[test]
fn played_digits_go_out_by_info_one_after_the_other() {
    let (mut s, ann) = office(DtmfMode::Info, "<Say>hello</Say><Play digits=\"1w2#\"/><Say>after</Say>");
    let caller = s.dials(ann, NUMBER);
    s.pass_ms(6_000);
    let signals: Vec<String> = s.call(&caller).infos.iter().map(|body| body[..8].to_owned()).collect();
    assert_eq!(signals, ["Signal=1", "Signal=2", "Signal=#"]);
    assert!(s.heard_clip(&caller, "after"), "the document goes on");
    s.hangs_up(&caller);
    s.expect_rest();
}
