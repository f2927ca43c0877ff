//! Encrypted legs: who may, who must, who must not.

use base::Rng;
use call::office::SrtpPolicy::{self, Off, Optional, Required};
use media::sdp::{SrtpKeys, SrtpWish};
use sim::{Caller, Faults, NUMBER, Scenario, UaId, UaState, VOICE, office as plain_office};

const DIAL: &str = "<Dial><Client>ann</Client></Dial>";
const STAY: &str = "<Say>hello</Say><Pause length=\"60\"/>";

fn office(policy: SrtpPolicy, verbs: &str) -> (Scenario, UaId) {
    let mut office = plain_office(&[("ann", "101")]);
    office.phones.get_mut("ann").expect("ann").media.srtp = Some(policy);
    let mut s = Scenario::with(office, 1, Faults::NONE);
    s.web().serve(VOICE, sim::Answer::twiml(verbs));
    let ann = s.phone("ann");
    (s, ann)
}

fn peer(wish: SrtpPolicy) -> SrtpWish {
    let keys = SrtpKeys::random(&mut Rng::seeded(77));
    match wish {
        Off => SrtpWish::Off,
        Optional => SrtpWish::Optional(keys),
        Required => SrtpWish::Required(keys),
    }
}

/// Both sides hold the same keys, crosswise.
fn is_encrypted(s: &mut Scenario, caller: &Caller) -> bool {
    let (there, here) =
        (s.call(caller).negotiated.and_then(|n| n.srtp), s.negotiated(caller).and_then(|n| n.srtp));
    let crosswise = here.map(|here| (here.suite, here.receive, here.send));
    assert_eq!(there.map(|there| (there.suite, there.send, there.receive)), crosswise);
    here.is_some()
}

/// `None`: no call.
const OUTCOMES: [(SrtpPolicy, SrtpPolicy, Option<bool>); 9] = [
    (Off, Off, Some(false)),
    (Off, Optional, Some(false)),
    (Off, Required, None),
    (Optional, Off, Some(false)),
    (Optional, Optional, Some(true)),
    (Optional, Required, Some(true)),
    (Required, Off, None),
    (Required, Optional, Some(true)),
    (Required, Required, Some(true)),
];

#[test]
fn a_phone_that_calls_is_encrypted_as_both_allow() {
    for (policy, phone, want) in OUTCOMES {
        let (mut s, ann) = office(policy, STAY);
        s.world.ua(ann).srtp = peer(phone);
        let caller = s.dials(ann, NUMBER);
        s.pass_ms(2_000);
        match want {
            Some(encrypted) => {
                assert_eq!(s.state(&caller), UaState::Up, "{policy:?} {phone:?}");
                assert_eq!(is_encrypted(&mut s, &caller), encrypted, "{policy:?} {phone:?}");
            }
            None => assert_eq!(s.state(&caller), UaState::Over(488), "{policy:?} {phone:?}"),
        }
        s.hangs_up(&caller);
        s.expect_rest();
    }
}

#[test]
fn a_phone_that_is_called_is_encrypted_as_both_allow() {
    for (policy, phone, want) in OUTCOMES {
        let (mut s, ann) = office(policy, DIAL);
        s.world.ua(ann).srtp = peer(phone);
        let caller = s.carrier_calls(NUMBER);
        s.pass_ms(2_000);
        let to_ann = s.latest(ann).expect("it rings");
        let profile = if policy == Required { "RTP/SAVP " } else { "RTP/AVP " };
        assert!(s.call(&to_ann).invite.is_some_and(|i| String::from_utf8_lossy(&i.body).contains(profile)));
        if let Some(encrypted) = want {
            assert!(s.bridged(&caller, &to_ann), "{policy:?} {phone:?}");
            assert_eq!(is_encrypted(&mut s, &to_ann), encrypted, "{policy:?} {phone:?}");
            assert!(!is_encrypted(&mut s, &caller), "the trunk is another matter");
        } else {
            assert!(matches!(s.state(&to_ann), UaState::Over(_)), "{policy:?} {phone:?}");
        }
        s.hangs_up(&caller);
        s.expect_rest();
    }
}

#[test]
fn hold_and_resume_keep_our_key_and_a_new_key_of_the_peer_is_taken() {
    let (mut s, ann) = office(Optional, DIAL);
    s.world.ua(ann).srtp = peer(Required);
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(2_000);
    let to_ann = s.latest(ann).expect("it rings");
    assert!(is_encrypted(&mut s, &to_ann));
    let before = s.negotiated(&to_ann).and_then(|n| n.srtp).expect("keys");
    for hold in [true, false] {
        s.world.hold(to_ann.ua, to_ann.session, hold);
        s.pass_ms(500);
        assert_eq!(s.negotiated(&to_ann).and_then(|n| n.srtp), Some(before), "hold {hold}");
    }
    s.world.ua(ann).srtp = SrtpWish::Required(SrtpKeys::random(&mut Rng::seeded(78)));
    s.world.hold(to_ann.ua, to_ann.session, false);
    s.pass_ms(500);
    assert!(is_encrypted(&mut s, &to_ann));
    let after = s.negotiated(&to_ann).and_then(|n| n.srtp).expect("keys");
    assert_eq!(after.send, before.send);
    assert_ne!(after.receive, before.receive);
    s.hangs_up(&caller);
    s.expect_rest();
}

#[test]
fn no_two_calls_share_a_key() {
    let (mut s, ann) = office(Required, STAY);
    s.world.ua(ann).srtp = peer(Required);
    let mut seen = Vec::new();
    for _ in 0..3 {
        let caller = s.dials(ann, NUMBER);
        s.pass_ms(2_000);
        let key = s.negotiated(&caller).and_then(|n| n.srtp).expect("keys").send;
        assert!(!seen.contains(&key));
        seen.push(key);
        s.hangs_up(&caller);
        s.pass_ms(2_000);
    }
    s.expect_rest();
}
