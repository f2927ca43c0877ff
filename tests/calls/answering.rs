//! How a call is answered, refused and ended.

use sim::{Answer, CALLER, NUMBER, Scenario, UaState, VOICE, param};
use twiml::CallStatus;

#[test]
fn a_caller_hears_what_the_document_says_and_is_hung_up() {
    let mut s = Scenario::office();
    s.web().serve(VOICE, Answer::twiml("<Say>hello</Say>"));
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(1_000);
    assert_eq!(s.state(&caller), UaState::Up);
    assert!(s.heard_clip(&caller, "hello"));
    s.pass_ms(5_000);
    assert_eq!(s.state(&caller), UaState::Over(200));
    let asked = s.web().asked(VOICE)[0].clone();
    assert_eq!(param(&asked, "From"), Some(CALLER));
    assert_eq!(param(&asked, "To"), Some(NUMBER));
    assert_eq!(param(&asked, "CallStatus"), Some("ringing"));
    s.expect_rest();
    assert_eq!(s.rows().iter().map(|row| row.status).collect::<Vec<_>>(), [CallStatus::Completed]);
}
