//! Calls that are asked for ring in turn: so many a second on a trunk, some after a delay, none after an hour; by which
//! carrier, and what that is shown.

use call::office::{Office, Trunk};
use call::{CallDocument, CallUpdate, Fate, NewCall, Operator, OperatorReply};
use sim::{Answer, CARRIER, Faults, NUMBER, Reaction, Scenario, VOICE, office};
use sip::TransportKind;
use twiml::{CallStatus, HttpMethod, Source, StatusCallback};

use crate::EVENTS;

fn paced(change: impl FnOnce(&mut Office)) -> Scenario {
    let mut office = office(&[("ann", "101")]);
    change(&mut office);
    let mut s = Scenario::with(office, 1, Faults::NONE);
    s.web().serve(EVENTS, Answer::twiml(""));
    let carrier = s.carrier();
    s.will(carrier, Reaction::Answer(std::time::Duration::from_millis(100)));
    s
}

fn every_ms(gap: u32) -> impl FnOnce(&mut Office) {
    move |office| {
        office.trunks.get_mut("carrier").expect("there is one").calls_gap_ms = gap;
    }
}

fn new(to: &str) -> NewCall {
    NewCall {
        checks_from: true,
        ..NewCall::new(
            to,
            NUMBER,
            CallDocument::Given(Source::Inline("<Response><Pause length=\"600\"/></Response>".to_owned())),
        )
    }
}

fn placed(s: &mut Scenario, new: NewCall) -> base::CallSid {
    match s.operator(Operator::Originate(Box::new(new))) {
        OperatorReply::Call(row) => {
            assert_eq!((row.status, row.queue_time_ms, row.start), (CallStatus::Queued, 0, None));
            row.sid
        }
        other => panic!("not placed: {other:?}"),
    }
}

fn refused(s: &mut Scenario, new: NewCall) -> u32 {
    match s.operator(Operator::Originate(Box::new(new))) {
        OperatorReply::NotPlaced(why) => why.code,
        other => panic!("placed: {other:?}"),
    }
}

fn status(s: &Scenario, sid: base::CallSid) -> CallStatus {
    s.rows().into_iter().find(|row| row.sid == sid).expect("a row").status
}

#[test]
fn a_trunk_is_sent_so_many_calls_a_second_and_the_others_say_how_long_they_waited() {
    let mut s = paced(every_ms(500));
    let calls: Vec<_> = (0..4).map(|n| placed(&mut s, new(&format!("+1555888000{n}")))).collect();
    s.pass_ms(300);
    let all = |s: &Scenario| calls.iter().map(|sid| status(s, *sid)).collect::<Vec<_>>();
    use CallStatus::{InProgress, Queued};
    assert_eq!(all(&s), [InProgress, Queued, Queued, Queued]);
    s.pass_ms(500);
    assert_eq!(all(&s), [InProgress, InProgress, Queued, Queued]);
    s.pass_ms(1_000);
    assert_eq!(all(&s), [InProgress; 4]);
    for (sid, waited) in calls.iter().zip([0, 500, 1_000, 1_500]) {
        let row = s.rows().into_iter().find(|row| row.sid == *sid).expect("a row");
        assert_eq!(row.queue_time_ms, waited);
        let rung = row.start.expect("it rang").0 - row.created.0;
        assert!(rung >= i64::from(waited) * 1_000, "rung after {rung} µs");
    }
    // A phone of the office needs no carrier.
    s.phone("ann");
    placed(&mut s, new("+15558880009"));
    let phone = placed(&mut s, NewCall { timeout_s: 5, ..new("101") });
    s.pass_ms(400);
    assert_ne!(status(&s, phone), Queued);
}

#[test]
fn a_call_that_waits_can_be_sent_elsewhere_and_called_off_and_the_next_takes_its_turn() {
    let mut s = paced(every_ms(1_000));
    let first = placed(&mut s, new("+15558880001"));
    let second = placed(
        &mut s,
        NewCall {
            status_callback: Some(StatusCallback {
                url: EVENTS.to_owned(),
                method: HttpMethod::Post,
                events: vec![twiml::ProgressEvent::Initiated, twiml::ProgressEvent::Completed],
            }),
            ..new("+15558880002")
        },
    );
    let third = placed(&mut s, new("+15558880003"));
    let hello = Source::Inline("<Response><Say>instead</Say><Pause length=\"600\"/></Response>".to_owned());
    let elsewhere = CallUpdate { fate: Some(Fate::Redirect(hello)), ..CallUpdate::default() };
    s.operator(Operator::UpdateCall { call: third, update: Box::new(elsewhere) });
    s.pass_ms(500);
    let off = CallUpdate { fate: Some(Fate::Cancel), ..CallUpdate::default() };
    s.operator(Operator::UpdateCall { call: second, update: Box::new(off) });
    s.pass_ms(200);
    assert_eq!(status(&s, second), CallStatus::Canceled);
    let row = s.rows().into_iter().find(|row| row.sid == second).expect("a row");
    assert_eq!((row.queue_time_ms, row.start), (500, None), "it never rang");
    assert_eq!(crate::told(&mut s, EVENTS, "CallStatus").as_deref(), Some("canceled"));
    s.pass_ms(800);
    assert_eq!(status(&s, first), CallStatus::InProgress);
    assert_eq!(status(&s, third), CallStatus::InProgress, "the turn of whoever left is not lost");
    let carrier = s.carrier();
    let rung = s.latest(carrier).expect("it rang");
    s.pass_ms(500);
    assert!(s.heard_clip(&rung, "instead"));
}

#[test]
fn some_want_to_be_called_later_and_who_never_has_a_turn_is_told_so() {
    let mut s = paced(every_ms(2_000_000));
    let late = placed(&mut s, NewCall { delay_s: 60, ..new("+15558880001") });
    s.pass_ms(59_000);
    assert_eq!(status(&s, late), CallStatus::Queued);
    s.pass_ms(2_000);
    assert_eq!(status(&s, late), CallStatus::InProgress);
    let waited = |s: &Scenario, sid| {
        let row = s.rows().into_iter().find(|row| row.sid == sid).expect("a row");
        (row.status, row.queue_time_ms)
    };
    assert_eq!(waited(&s, late), (CallStatus::InProgress, 60_000));
    let (second, third) = (placed(&mut s, new("+15558880002")), placed(&mut s, new("+15558880003")));
    for _ in 0..40 {
        s.pass_ms(100_000);
    }
    assert_eq!(waited(&s, second).0, CallStatus::Completed, "it had its turn");
    assert_eq!(waited(&s, third), (CallStatus::Failed, 3_600_000));
    assert_eq!(s.notifications().into_iter().filter(|code| *code == 15002).count(), 1);
}

#[test]
fn byoc_names_the_carrier_of_a_call_and_who_brings_one_may_show_what_they_like() {
    let second = std::net::Ipv4Addr::new(198, 51, 100, 2);
    let mut s = paced(|office| {
        let trunk = Trunk {
            name: "NE1".to_owned(),
            address: format!("sip:{second}:5060"),
            ..office.trunks["carrier"].clone()
        };
        office.trunks.insert(trunk.name.clone(), trunk);
        office.byoc.insert("BY1".to_owned(), vec!["NE1".to_owned()]);
    });
    let other = s.world.add_ua("second", None, TransportKind::Udp, second.into());
    let by = |carrier: &str, from: &str| NewCall {
        carrier: Some(carrier.to_owned()),
        from: from.to_owned(),
        ..new("+442079460000")
    };
    assert_eq!(refused(&mut s, by("BY2", NUMBER)), 20001);
    let call = placed(&mut s, by("BY1", "+15557770001"));
    s.pass_ms(1_000);
    assert!(s.latest(other).is_some(), "the carrier that was named is asked");
    let carrier = s.carrier();
    assert_eq!(s.world.ua(carrier).address.ip(), CARRIER);
    assert!(s.latest(carrier).is_none());
    let row = s.rows().into_iter().find(|row| row.sid == call).expect("a row");
    assert_eq!(row.trunk.as_deref(), Some("NE1"));
}

#[test]
fn a_carrier_is_shown_numbers_of_the_office_and_validated_ones_alone() {
    let mut s = paced(|office| {
        office.caller_ids.insert("+15559990001".to_owned());
    });
    s.phone("ann");
    let from = |from: &str, caller_id: Option<&str>, to: &str| NewCall {
        from: from.to_owned(),
        caller_id: caller_id.map(str::to_owned),
        timeout_s: 5,
        ..new(to)
    };
    let outside = "+442079460000";
    for (who, caller_id, to) in [
        (NUMBER, None, outside),
        ("+1 555 999-0001", None, outside),
        ("ann", None, outside),
        ("client:ann", None, outside),
        ("+15557770001", Some(NUMBER), outside),
        ("+15557770001", None, "101"),
        ("+15557770001", None, "sip:ann@192.0.2.1"),
    ] {
        placed(&mut s, from(who, caller_id, to));
        s.pass_ms(100);
    }
    for (who, caller_id) in [("+15557770001", None), (NUMBER, Some("+15557770001"))] {
        assert_eq!(refused(&mut s, from(who, caller_id, outside)), 21210, "{who} {caller_id:?}");
    }
    placed(&mut s, NewCall { checks_from: false, ..from("+15557770001", None, outside) });
}

#[test]
fn a_call_that_leaves_is_put_down_to_the_number_of_the_office_it_is_from() {
    let mut s = paced(|office| {
        office.caller_ids.insert("+15559990001".to_owned());
    });
    let spelled = format!("{} {}", &NUMBER[..5], &NUMBER[5..]);
    for (from, number) in
        [(NUMBER, Some(NUMBER)), (&spelled, Some(NUMBER)), ("+15559990001", None), ("ann", None)]
    {
        let sid = placed(&mut s, NewCall { from: from.to_owned(), ..new("+442079460000") });
        s.pass_ms(1_000);
        let row = s.rows().into_iter().find(|row| row.sid == sid).expect("it is on record");
        assert_eq!(row.number.as_deref(), number, "{from}");
    }
    s.web().serve(VOICE, Answer::twiml(&format!("<Dial callerId='{NUMBER}'>+442079460000</Dial>")));
    s.carrier_calls(NUMBER);
    s.pass_ms(1_000);
    let child = s.rows().into_iter().find(|row| row.parent.is_some()).expect("the callee is on record");
    assert_eq!(child.number.as_deref(), Some(NUMBER));
}
