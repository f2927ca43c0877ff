//! Which codec each leg speaks, end to end, and when it changes.

use std::time::Duration;

use call::record::StoreItem;
use media::CodecKind::{self, G722, Opus, Pcma, Pcmu};
use media::Direction;
use sim::{Caller, Faults, NUMBER, Reaction, Scenario, UaId, VOICE, office as plain_office};

const DIAL: &str = "<Dial><Client>ann</Client></Dial>";
const ALL: [CodecKind; 4] = [Opus, G722, Pcmu, Pcma];

/// An office that speaks everything, its number answered with these verbs, and ann's phone.
fn office(verbs: &str) -> (Scenario, UaId) {
    let mut office = plain_office(&[("ann", "101")]);
    office.media.codecs = ALL.to_vec();
    let mut s = Scenario::with(office, 1, Faults::NONE);
    s.web().serve(VOICE, sim::Answer::twiml(verbs));
    let ann = s.phone("ann");
    s.will(ann, Reaction::Answer(Duration::from_millis(100)));
    (s, ann)
}

fn speaks(s: &mut Scenario, caller: &Caller) -> CodecKind {
    let there = s.call(caller).negotiated.expect("it is agreed on").codec;
    assert_eq!(s.negotiated(caller).map(|n| n.codec), Some(there), "both sides know the same codec");
    there
}

#[test]
fn a_calls_record_names_the_codec_as_its_description_does() {
    for (codec, name) in [(G722, "G722"), (Opus, "opus"), (CodecKind::L16Wide, "L16")] {
        let mut office = plain_office(&[]);
        office.media.codecs = vec![codec];
        let mut s = Scenario::with(office, 1, Faults::NONE);
        s.web().serve(VOICE, sim::Answer::twiml("<Say>hello</Say>"));
        let carrier = s.carrier();
        s.world.ua(carrier).codecs = vec![codec];
        s.carrier_calls(NUMBER);
        s.pass_ms(1_000);
        let is_it = |item: &StoreItem| matches!(item, StoreItem::Event(event) if event.text.starts_with(&format!("{name} to ")));
        assert!(s.world.stored.iter().any(is_it), "{name}");
        s.pass_ms(2_000);
        s.expect_rest();
    }
}

#[test]
fn the_callee_is_offered_first_what_the_caller_speaks() {
    let cases: [(&[CodecKind], &[CodecKind], CodecKind, CodecKind); 5] = [
        (&[Pcma, Pcmu], &ALL, Pcma, Pcma),
        (&[G722, Pcma], &ALL, G722, G722),
        (&ALL, &[Pcmu, G722], Opus, G722),
        (&[Pcmu], &[Pcma], Pcmu, Pcma),
        (&[Opus, Pcmu], &[Pcmu], Opus, Pcmu),
    ];
    for (caller_codecs, ann_codecs, at_caller, at_ann) in cases {
        // The caller is answered before ann is called: both were settled apart.
        let (mut s, ann) = office("<Pause/><Say>hello</Say><Dial><Client>ann</Client></Dial>");
        let carrier = s.carrier();
        s.world.ua(carrier).codecs = caller_codecs.to_vec();
        s.world.ua(ann).codecs = ann_codecs.to_vec();
        s.world.ua(carrier).refuses_offers = Some(488);
        s.world.ua(ann).refuses_offers = Some(488);
        let caller = s.carrier_calls(NUMBER);
        s.pass_ms(6_000);
        let to_ann = s.latest(ann).expect("it rings");
        assert!(s.bridged(&caller, &to_ann));
        assert_eq!(
            (speaks(&mut s, &caller), speaks(&mut s, &to_ann)),
            (at_caller, at_ann),
            "{caller_codecs:?}"
        );
        s.hangs_up(&caller);
        s.expect_rest();
    }
}

#[test]
fn a_caller_answered_for_the_callee_gets_the_callees_codec() {
    let cases: [(&[CodecKind], &[CodecKind], CodecKind); 3] =
        [(&[Opus, Pcmu, Pcma], &[Pcma], Pcma), (&[Pcmu, G722], &[G722, Pcmu], G722), (&ALL, &ALL, Opus)];
    for (caller_codecs, ann_codecs, want) in cases {
        for reaction in
            [Reaction::Answer(Duration::from_millis(100)), Reaction::Early(Duration::from_millis(900))]
        {
            let (mut s, ann) = office("<Dial answerOnBridge=\"true\"><Client>ann</Client></Dial>");
            let carrier = s.carrier();
            s.world.ua(carrier).codecs = caller_codecs.to_vec();
            s.world.ua(ann).codecs = ann_codecs.to_vec();
            s.will(ann, reaction);
            let caller = s.carrier_calls(NUMBER);
            s.pass_ms(2_000);
            let to_ann = s.latest(ann).expect("it rings");
            assert!(s.bridged(&caller, &to_ann));
            assert_eq!((speaks(&mut s, &caller), speaks(&mut s, &to_ann)), (want, want), "{reaction:?}");
            assert_eq!((s.call(&caller).offers, s.call(&to_ann).offers), (0, 0), "nobody is asked again");
            s.hangs_up(&caller);
            s.expect_rest();
        }
    }
}

#[test]
fn one_re_invite_spares_the_transcoding_and_a_refusal_changes_nothing() {
    for refusal in [None, Some(488), Some(491)] {
        let (mut s, ann) = office("<Say>hello</Say><Dial><Client>ann</Client></Dial>");
        let carrier = s.carrier();
        s.world.ua(carrier).codecs = vec![Opus, Pcma];
        // She has no Opus, and what she has the caller has too.
        s.world.ua(ann).codecs = vec![Pcma];
        s.world.ua(carrier).refuses_offers = refusal;
        let caller = s.carrier_calls(NUMBER);
        s.pass_ms(8_000);
        let to_ann = s.latest(ann).expect("it rings");
        assert!(s.bridged(&caller, &to_ann));
        assert_eq!(speaks(&mut s, &to_ann), Pcma);
        match refusal {
            None => {
                assert_eq!(speaks(&mut s, &caller), Pcma);
                assert_eq!(s.call(&caller).offers, 1, "once");
            }
            Some(code) => assert_eq!(speaks(&mut s, &caller), Opus, "{code}"),
        }
        assert_eq!(s.call(&to_ann).offers, 0);
        s.hangs_up(&caller);
        s.expect_rest();
    }
}

#[test]
fn a_callee_who_answers_before_the_callers_ack_is_bridged() {
    let mut asked = 0;
    for seed in 0..40 {
        let mut office = plain_office(&[("ann", "101")]);
        office.media.codecs = ALL.to_vec();
        // What is sent overtakes what was sent before.
        let faults = Faults { latency_max: Duration::from_millis(450), ..Faults::NONE };
        let mut s = Scenario::with(office, seed, faults);
        s.web().serve(VOICE, sim::Answer::twiml(DIAL));
        let ann = s.phone("ann");
        s.will(ann, Reaction::Answer(Duration::ZERO));
        s.pass_ms(5_000);
        let carrier = s.carrier();
        s.world.ua(carrier).codecs = vec![Pcmu, G722];
        s.world.ua(ann).codecs = vec![G722];
        let caller = s.carrier_calls(NUMBER);
        s.pass_ms(10_000);
        let to_ann = s.latest(ann).expect("it rings");
        assert!(s.bridged(&caller, &to_ann), "seed {seed}");
        asked += s.call(&caller).offers;
        s.hangs_up(&caller);
        s.expect_rest();
    }
    assert!(asked > 0, "nobody was asked for another codec");
}

#[test]
fn a_peer_may_change_its_codec_in_mid_call() {
    let (mut s, ann) = office(DIAL);
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(2_000);
    let to_ann = s.latest(ann).expect("it rings");
    assert_eq!(speaks(&mut s, &to_ann), Pcmu);
    s.world.ua(ann).codecs = vec![G722];
    s.world.hold(to_ann.ua, to_ann.session, false);
    s.pass_ms(500);
    assert_eq!((speaks(&mut s, &to_ann), speaks(&mut s, &caller)), (G722, Pcmu));
    // Back, both offered: what the other side speaks is taken, not her first.
    s.world.ua(ann).codecs = vec![G722, Pcmu];
    s.world.hold(to_ann.ua, to_ann.session, false);
    s.pass_ms(500);
    assert_eq!(speaks(&mut s, &to_ann), Pcmu);
    // Nothing in common: refused, and what was goes on.
    s.world.ua(ann).codecs = vec![media::CodecKind::L16Wide];
    s.world.hold(to_ann.ua, to_ann.session, false);
    s.pass_ms(500);
    assert_eq!(s.negotiated(&to_ann).map(|n| n.codec), Some(Pcmu));
    assert!(s.bridged(&caller, &to_ann));
    s.hangs_up(&caller);
    s.expect_rest();
}

/// A peer that changes its codec in mid-call is followed by the other one, once, if that has named the codec.
#[test]
fn the_other_side_follows_a_codec_that_changes_in_mid_call() {
    for (others, want) in [(vec![Pcmu, G722], G722), (vec![Pcmu], Pcmu)] {
        let (mut s, ann) = office(DIAL);
        let carrier = s.carrier();
        s.world.ua(ann).codecs = vec![Pcmu];
        s.world.ua(carrier).codecs = others.clone();
        let caller = s.carrier_calls(NUMBER);
        s.pass_ms(2_000);
        let to_ann = s.latest(ann).expect("it rings");
        assert_eq!((speaks(&mut s, &to_ann), speaks(&mut s, &caller)), (Pcmu, Pcmu));
        s.world.ua(ann).codecs = vec![G722];
        s.world.hold(to_ann.ua, to_ann.session, false);
        s.pass_ms(1_000);
        assert_eq!((speaks(&mut s, &to_ann), speaks(&mut s, &caller)), (G722, want), "{others:?}");
        assert_eq!((s.call(&to_ann).offers, s.call(&caller).offers), (0, u32::from(want == G722)));
        s.hangs_up(&caller);
        s.expect_rest();
    }
}

#[test]
fn hold_and_resume_keep_every_codec() {
    for codec in ALL {
        let (mut s, ann) = office(DIAL);
        s.world.ua(ann).codecs = vec![codec];
        let caller = s.carrier_calls(NUMBER);
        s.pass_ms(2_000);
        let to_ann = s.latest(ann).expect("it rings");
        for (hold, want) in [(true, Direction::RecvOnly), (false, Direction::SendRecv)] {
            s.world.hold(to_ann.ua, to_ann.session, hold);
            s.pass_ms(500);
            assert_eq!(s.direction(&to_ann), Some(want), "{codec:?}");
            assert_eq!(speaks(&mut s, &to_ann), codec);
        }
        s.hangs_up(&caller);
        s.expect_rest();
    }
}

#[test]
fn a_phone_and_a_trunk_have_codecs_of_their_own() {
    let mut office = plain_office(&[("ann", "101")]);
    office.media.codecs = ALL.to_vec();
    office.phones.get_mut("ann").expect("ann").media.codecs = Some(vec![G722, Pcma]);
    office.trunks.get_mut("carrier").expect("the carrier").media.codecs = Some(vec![Pcma]);
    let mut s = Scenario::with(office, 1, Faults::NONE);
    let (ann, carrier) = (s.phone("ann"), s.carrier());
    s.world.ua(ann).codecs = ALL.to_vec();
    s.world.ua(carrier).codecs = ALL.to_vec();
    let out = s.dials(ann, "+15557770000");
    s.pass_ms(2_000);
    let at_carrier = s.latest(carrier).expect("it rings");
    assert!(s.call(&at_carrier).described.contains("RTP/AVP 8 101\r\n"), "{}", s.call(&at_carrier).described);
    assert_eq!((speaks(&mut s, &out), speaks(&mut s, &at_carrier)), (Pcma, Pcma));
    s.hangs_up(&out);
    s.expect_rest();
}
