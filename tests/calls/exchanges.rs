//! What is on record of a call's requests to web servers, and how the record is deleted.

use call::record::{ExchangeRow, Gone, StoreItem};
use call::{Operator, OperatorReply};
use sim::{Answer, NUMBER, Scenario, VOICE};

use crate::ACTION;

fn exchanges(s: &Scenario) -> Vec<ExchangeRow> {
    s.world
        .stored
        .iter()
        .filter_map(|item| match item {
            StoreItem::Exchange(row) => Some(row.clone()),
            _ => None,
        })
        .collect()
}

#[test]
fn every_request_and_its_answer_are_on_record() {
    let mut s = crate::office("");
    s.web().serve(VOICE, Answer::twiml("<Gather numDigits=\"1\" action=\"/action\"/>"));
    s.web().serve(ACTION, Answer::twiml("<Say>thanks</Say>"));
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(3_000);
    s.presses(&caller, "5");
    s.pass_ms(5_000);
    let rows = exchanges(&s);
    let call = s.rows()[0].sid;
    assert!(rows.iter().all(|row| row.call == call));
    assert!(rows.windows(2).all(|pair| pair[0].seq < pair[1].seq && pair[0].at <= pair[1].at));
    let documents: Vec<_> = rows
        .iter()
        .filter(|row| [VOICE, ACTION].contains(&row.exchange.url.as_str()))
        .map(|row| (row.exchange.status, row.exchange.response_body.contains("Response>")))
        .collect();
    assert_eq!(documents, [(Some(200), true), (Some(200), true)]);
    let action = rows.iter().find(|row| row.exchange.url == ACTION).unwrap();
    assert!(action.exchange.request_variables.contains("Digits=5"), "{action:?}");
    s.hangs_up(&caller);
    s.expect_rest();
}

#[test]
fn the_record_of_a_call_that_is_over_is_deleted_and_stays_so() {
    let mut s = crate::office("");
    s.web().serve(VOICE, Answer::twiml("<Say>hello</Say><Pause length=\"60\"/>"));
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(3_000);
    let call = s.rows()[0].sid;
    assert_eq!(s.operator(Operator::ForgetCall(call)), OperatorReply::StillLive(call));
    s.hangs_up(&caller);
    s.pass_ms(5);
    // Its media may still have figures to give: whatever comes of them goes with the record.
    assert_eq!(s.operator(Operator::ForgetCall(call)), OperatorReply::Done);
    s.expect_rest();
    let of_call = |item: &StoreItem| match item {
        StoreItem::Call(row) => Some(row.sid) == Some(call),
        StoreItem::Gone(gone) => *gone == Gone::Call(call),
        _ => false,
    };
    let last = s.world.stored.iter().rev().find(|item| of_call(item)).unwrap();
    assert_eq!(*last, StoreItem::Gone(Gone::Call(call)), "nothing of it is written after");
}
