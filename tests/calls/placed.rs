//! Calls that are asked for from outside: rung first, their document afterwards.

use call::record::RecordingSource;
use call::{CallDocument, CallUpdate, Fate, Input, NewCall, Operator, OperatorReply, RecordWish};
use sim::{Answer, BOX, Reaction, Scenario, UaState, office as plain_office, param};
use twiml::{CallStatus, HttpMethod, ProgressEvent, Source, StatusCallback};

use crate::{EVENTS, told};

const DOCUMENT: &str = "http://web.example/document";

fn office() -> Scenario {
    let mut s = crate::office("");
    s.web().serve(DOCUMENT, Answer::twiml("<Say>hello you</Say><Pause length=\"600\"/>"));
    s
}

fn new(to: &str) -> NewCall {
    use ProgressEvent::{Answered, Completed, Initiated, Ringing};
    NewCall {
        status_callback: Some(StatusCallback {
            url: EVENTS.to_owned(),
            method: HttpMethod::Post,
            events: vec![Initiated, Ringing, Answered, Completed],
        }),
        timeout_s: 20,
        ..NewCall::new(
            to,
            "+15550001111",
            CallDocument::Given(Source::Url { url: DOCUMENT.to_owned(), method: HttpMethod::Post }),
        )
    }
}

fn place(s: &mut Scenario, new: NewCall) -> OperatorReply {
    s.operator(Operator::Originate(Box::new(new)))
}

fn events(s: &mut Scenario) -> Vec<String> {
    let asked = s.asked(EVENTS);
    asked.iter().filter_map(|request| param(request, "CallStatus").map(str::to_owned)).collect()
}

#[test]
fn a_phone_is_rung_and_its_document_runs_after_the_answer() {
    for to in ["client:ann", "101", "sip:ann@192.0.2.1"] {
        let mut s = office();
        let ann = s.phone("ann");
        s.will(ann, Reaction::Ignore);
        let OperatorReply::Call(row) = place(&mut s, new(to)) else { panic!("{to}: not placed") };
        assert_eq!((row.status, row.to.as_str(), row.parent), (CallStatus::Queued, to, None));
        s.pass_ms(3_000);
        assert!(s.asked(DOCUMENT).is_empty(), "nothing is asked before the answer");
        s.picks_up(ann);
        s.pass_ms(500);
        let call = s.latest(ann).expect("it rang");
        assert!(s.heard_clip(&call, "hello you"));
        for (name, value) in [("Direction", "outbound-api"), ("CallStatus", "in-progress"), ("To", to)] {
            assert_eq!(told(&mut s, DOCUMENT, name).as_deref(), Some(value));
        }
        assert_eq!(s.call(&call).from, "+15550001111");
        s.hangs_up(&call);
        s.pass_ms(500);
        assert_eq!(events(&mut s), ["initiated", "ringing", "in-progress", "completed"]);
        s.expect_rest();
    }
}

#[test]
fn of_a_phones_devices_the_one_that_registered_last_is_rung_and_the_other_where_it_cannot_be() {
    for reachable in [true, false] {
        let mut s = office();
        let (stale, fresh) = (s.phone("ann"), s.phone("ann"));
        s.will(fresh, if reachable { Reaction::Ignore } else { Reaction::Refuse(503) });
        s.will(stale, Reaction::Ignore);
        place(&mut s, new("client:ann"));
        s.pass_ms(3_000);
        assert!(s.latest(fresh).is_some(), "the one that registered last rang");
        assert_eq!(s.latest(stale).is_some(), !reachable, "the other only then");
    }
}

#[test]
fn whoever_is_tried_next_is_heard_from_where_it_is() {
    let mut s = office();
    let (there, gone) = (s.phone("ann"), s.phone("ann"));
    s.will(gone, Reaction::Refuse(503));
    place(&mut s, new("client:ann"));
    s.pass_ms(3_000);
    let call = s.latest(there).expect("the other device rang");
    let rtp = s.call(&call).rtp;
    assert_eq!(s.world.media.peer_of(rtp), Some(rtp.ip()), "its sound is no stranger's");
    assert_eq!(events(&mut s), ["initiated", "ringing", "in-progress"]);
}

#[test]
fn who_is_called_can_call_back_a_box_that_listens_everywhere() {
    let mut s = office();
    let (ann, carrier) = (s.phone("ann"), s.carrier());
    let mut everywhere = plain_office(&[("ann", "101")]);
    let udp = sip::TransportKind::Udp;
    everywhere.listen = vec![(udp, "0.0.0.0:5060".parse().unwrap()), (udp, BOX)];
    s.world.input(Input::Office(Box::new(everywhere))).expect("nothing breaks");
    for (to, who) in [("client:ann", ann), ("+15557771234", carrier)] {
        place(&mut s, new(to));
        s.pass_ms(1_000);
        let call = s.latest(who).expect("it rang");
        let from = s.call(&call).invite.unwrap().headers.from().unwrap();
        assert_eq!(from.uri.host.ip(), Some(BOX.ip()), "{to}");
    }
}

#[test]
fn a_phone_that_was_taken_away_is_not_rung_though_it_is_registered() {
    let mut s = office();
    let ann = s.phone("ann");
    let mut without = plain_office(&[("ann", "101")]);
    without.phones.remove("ann").expect("she was there");
    s.world.input(Input::Office(Box::new(without))).expect("nothing breaks");
    let OperatorReply::NotPlaced(why) = place(&mut s, new("client:ann")) else { panic!("she is rung") };
    assert_eq!((why.code, why.why.contains("there is no phone `ann`")), (21214, true), "{}", why.why);
    assert!(s.latest(ann).is_none());
}

#[test]
fn a_carrier_is_not_shown_an_extension() {
    let mut s = office();
    let (ann, carrier) = (s.phone("ann"), s.carrier());
    let document = "<Response><Dial callerId=\"101\"><Number>+15557771234</Number></Dial></Response>";
    let asked = CallDocument::Given(Source::Inline(document.to_owned()));
    place(&mut s, NewCall::new("101", "+15557771234", asked));
    s.pass_ms(3_000);
    assert!(s.latest(ann).is_some());
    let outside = s.latest(carrier).expect("it rang");
    assert_ne!(s.call(&outside).from, "101");
}

#[test]
fn a_number_outside_is_rung_by_its_trunk_and_sent_keys_first() {
    let mut s = office();
    let carrier = s.carrier();
    let new = NewCall {
        send_digits: Some("12#".to_owned()),
        caller_id: Some("+15550009999".to_owned()),
        ..new("+15557771234")
    };
    place(&mut s, new);
    s.pass_ms(700);
    assert!(s.asked(DOCUMENT).is_empty());
    s.pass_ms(2_000);
    let call = s.latest(carrier).expect("it rang");
    assert_eq!(s.call(&call).from, "+15550009999");
    let heard = s.heard(&call);
    assert!(matches!(&heard[0], sim::Heard::Digits(digits) if digits == "12#"), "{heard:?}");
    assert!(s.heard_clip(&call, "hello you"));
    s.hangs_up(&call);
    s.expect_rest();
}

/// What follows the client's name is told to its phone, as a document's `<Parameter>` is.
#[test]
fn a_client_is_told_parameters() {
    let mut s = office();
    let ann = s.phone("ann");
    let reply = place(&mut s, new("client:ann?ticket=42&place=3%20west"));
    let OperatorReply::Call(row) = reply else { panic!("{reply:?}") };
    assert_eq!(row.to, "client:ann");
    s.pass_ms(1_500);
    let call = s.latest(ann).expect("it rang");
    let invite = s.call(&call).invite.expect("it was called");
    for (name, value) in [("X-Param-ticket", "42"), ("X-Param-place", "3 west")] {
        assert_eq!(invite.headers.text(&sip::HeaderName::from(name)).as_deref(), Some(value), "{name}");
    }
    s.hangs_up(&call);
    s.expect_rest();
}

#[test]
fn how_it_ends_without_an_answer() {
    for (reaction, status, code) in [
        (Reaction::Refuse(486), "busy", "486"),
        (Reaction::Refuse(404), "failed", "404"),
        (Reaction::Ignore, "no-answer", "487"),
    ] {
        let mut s = office();
        let ann = s.phone("ann");
        s.will(ann, reaction);
        place(&mut s, new("client:ann"));
        s.pass_ms(30_000);
        let last = s.asked(EVENTS).pop().expect("its end is told");
        assert_eq!((param(&last, "CallStatus"), param(&last, "SipResponseCode")), (Some(status), Some(code)));
        assert!(s.asked(DOCUMENT).is_empty());
        s.expect_rest();
    }
}

#[test]
fn a_phone_out_of_reach_is_a_call_that_ends_at_once() {
    let mut s = office();
    let reply = place(&mut s, new("client:ann"));
    assert!(matches!(reply, OperatorReply::Call(_)));
    s.pass_ms(1_000);
    assert_eq!(s.rows()[0].status, CallStatus::NoAnswer);
    assert_eq!(events(&mut s), ["no-answer"]);
    s.expect_rest();
}

#[test]
fn what_cannot_be_called_is_refused() {
    for (to, code) in [("client:nobody", 21214), ("sip:", 21211), ("12", 21214), ("x y", 21211)] {
        let mut s = office();
        match place(&mut s, new(to)) {
            OperatorReply::NotPlaced(why) => assert_eq!(why.code, code, "{to}: {}", why.why),
            other => panic!("{to}: {other:?}"),
        }
        assert!(s.rows().is_empty());
    }
    let mut s = office();
    s.operator(Operator::Drain);
    assert!(matches!(place(&mut s, new("101")), OperatorReply::NotPlaced(why) if why.code == 20503));
}

#[test]
fn a_call_that_rings_is_given_another_document_or_cancelled() {
    let mut s = office();
    let ann = s.phone("ann");
    s.will(ann, Reaction::Ignore);
    let OperatorReply::Call(row) = place(&mut s, new("client:ann")) else { panic!("not placed") };
    s.pass_ms(1_000);
    let update = |fate| {
        let update = Box::new(CallUpdate { fate: Some(fate), ..CallUpdate::default() });
        Operator::UpdateCall { call: row.sid, update }
    };
    let inline = Source::Inline("<Response><Say>other</Say><Pause length=\"60\"/></Response>".to_owned());
    s.operator(update(Fate::Redirect(inline)));
    s.picks_up(ann);
    s.pass_ms(500);
    let call = s.latest(ann).expect("it rang");
    assert!(s.heard_clip(&call, "other") && s.asked(DOCUMENT).is_empty());
    s.hangs_up(&call);
    s.pass_ms(500);

    let OperatorReply::Call(row) = place(&mut s, new("client:ann")) else { panic!("not placed") };
    s.pass_ms(1_000);
    let cancel = CallUpdate { fate: Some(Fate::Cancel), ..CallUpdate::default() };
    s.operator(Operator::UpdateCall { call: row.sid, update: Box::new(cancel) });
    s.pass_ms(500);
    let call = s.latest(ann).expect("it rang");
    assert_eq!(s.state(&call), UaState::Over(487));
    assert_eq!(events(&mut s).pop().as_deref(), Some("canceled"));
    s.expect_rest();
}

#[test]
fn it_is_recorded_whole_and_ended_by_its_limit() {
    let mut s = office();
    let ann = s.phone("ann");
    let record = RecordWish { what: media::RecordWhat::Dual, trim: false, callback: None };
    place(&mut s, NewCall { record: Some(record), time_limit_s: Some(10), ..new("client:ann") });
    s.pass_ms(9_000);
    let call = s.latest(ann).expect("it rang");
    assert_eq!(s.state(&call), UaState::Up);
    s.pass_ms(4_000);
    assert_eq!(s.state(&call), UaState::Over(200));
    let recordings = s.recordings();
    assert_eq!(recordings.len(), 1);
    assert_eq!((recordings[0].source, recordings[0].channels), (RecordingSource::OutboundApi, 2));
    s.expect_rest();
}
