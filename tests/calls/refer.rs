//! `<Refer>`: the caller's own equipment is asked to call somebody else.

use call::{CallUpdate, Fate, Operator};
use sim::{NUMBER, Scenario, UaState, param};
use twiml::Source;

use crate::{ACTION, office, told};

const REFER: &str =
    "<Refer action=\"/action\"><Sip>sip:carl@other.example?X-Desk=3</Sip></Refer><Say>after</Say>";

/// What the action was told: status, answer to the REFER, last word.
fn outcome(s: &mut Scenario) -> [Option<String>; 3] {
    ["ReferCallStatus", "ReferSipResponseCode", "NotifySipResponseCode"].map(|name| told(s, ACTION, name))
}

fn expected(status: Option<&str>, refer: Option<&str>, notify: Option<&str>) -> [Option<String>; 3] {
    [status, refer, notify].map(|text| text.map(str::to_owned))
}

#[test]
fn every_outcome_is_told_as_published() {
    for (answer, notified, status, notify) in [
        (202, vec![100, 200], "in-progress", Some("200")),
        (202, vec![100, 180, 486], "busy", Some("486")),
        (202, vec![100, 603], "busy", Some("603")),
        (202, vec![480], "no-answer", Some("480")),
        (202, vec![100, 404], "failed", Some("404")),
        (405, vec![], "failed", None),
    ] {
        let mut s = office(REFER);
        let carrier = s.carrier();
        s.world.ua(carrier).on_refer = (answer, notified.clone());
        let caller = s.carrier_calls(NUMBER);
        s.pass_ms(1_000);
        assert_eq!(s.call(&caller).referred.as_deref(), Some("sip:carl@other.example?X-Desk=3"));
        let answer = answer.to_string();
        assert_eq!(outcome(&mut s), expected(Some(status), Some(&answer), notify), "{notified:?}");
        assert!(s.heard_clip(&caller, "done") && !s.heard_clip(&caller, "after"));
        s.hangs_up(&caller);
        s.expect_rest();
    }
}

#[test]
fn without_an_action_the_document_goes_on_or_ends() {
    for (more, heard) in [("<Say>after</Say><Pause length=\"60\"/>", true), ("", false)] {
        let mut s = office(&format!("<Refer><Sip>sip:carl@other.example</Sip></Refer>{more}"));
        let caller = s.carrier_calls(NUMBER);
        s.pass_ms(1_000);
        assert_eq!(s.heard_clip(&caller, "after"), heard);
        assert_eq!(s.state(&caller), if heard { UaState::Up } else { UaState::Over(200) });
        s.hangs_up(&caller);
        s.expect_rest();
    }
}

#[test]
fn a_caller_who_hangs_up_cancels_it_unless_it_got_through() {
    for (notified, status, notify) in [(vec![100, 180], "canceled", Some("180")), (vec![], "canceled", None)]
    {
        let mut s = office(REFER);
        let carrier = s.carrier();
        s.world.ua(carrier).on_refer = (202, notified);
        let caller = s.carrier_calls(NUMBER);
        s.pass_ms(2_000);
        assert!(s.asked(ACTION).is_empty());
        s.hangs_up(&caller);
        s.pass_ms(500);
        assert_eq!(outcome(&mut s), expected(Some(status), Some("202"), notify));
        s.expect_rest();
    }
}

#[test]
fn equipment_that_says_nothing_more_is_not_waited_for_for_ever() {
    let mut s = office(REFER);
    let carrier = s.carrier();
    s.world.ua(carrier).on_refer = (202, vec![]);
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(170_000);
    assert!(s.asked(ACTION).is_empty());
    s.pass_ms(20_000);
    assert_eq!(outcome(&mut s), expected(None, Some("202"), None));
    s.hangs_up(&caller);
    s.expect_rest();
}

#[test]
fn an_update_interrupts_it() {
    let mut s = office(REFER);
    let carrier = s.carrier();
    s.world.ua(carrier).on_refer = (202, vec![100]);
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(2_000);
    let inline =
        Source::Inline("<Response><Say>elsewhere</Say><Pause length=\"600\"/></Response>".to_owned());
    let update = Box::new(CallUpdate { fate: Some(Fate::Redirect(inline)), ..CallUpdate::default() });
    let call = s.rows()[0].sid;
    s.operator(Operator::UpdateCall { call, update });
    s.world.notify(caller.ua, caller.session, 200);
    s.pass_ms(1_000);
    assert!(s.heard_clip(&caller, "elsewhere") && s.asked(ACTION).is_empty());
    s.hangs_up(&caller);
    s.expect_rest();
}

#[test]
fn a_caller_that_rings_is_answered_first() {
    let mut s = office(REFER);
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(1_000);
    assert!(s.call(&caller).negotiated.is_some() || s.state(&caller) == UaState::Up);
    let asked = s.asked(ACTION);
    assert_eq!(param(&asked[0], "CallStatus"), Some("in-progress"));
    s.hangs_up(&caller);
    s.expect_rest();
}
