//! Recordings that the API begins, suspends and ends in the middle of a call.

use call::record::{RecordingSource, RecordingStatus};
use call::{Operator, OperatorReply, RecordChange, RecordFault, RecordOrder, RecordWish};
use media::RecordWhat;
use sim::{Answer, NUMBER, Scenario, VOICE};

fn order(s: &mut Scenario, order: RecordOrder) -> OperatorReply {
    let call = s.rows()[0].sid;
    s.operator(Operator::Recording { call, order: Box::new(order) })
}

fn start(s: &mut Scenario) -> OperatorReply {
    order(s, RecordOrder::Start(RecordWish { what: RecordWhat::Dual, trim: false, callback: None }))
}

fn status(s: &Scenario) -> Vec<(RecordingStatus, RecordingSource)> {
    s.recordings().iter().map(|row| (row.status, row.source)).collect()
}

#[test]
fn a_call_is_recorded_from_here_to_there() {
    use RecordingSource::StartCallRecordingApi as Api;
    let mut s = crate::office("");
    s.web().serve(VOICE, Answer::twiml("<Pause length=\"1\"/><Say>hello</Say><Pause length=\"60\"/>"));
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(200);
    assert_eq!(start(&mut s), OperatorReply::RecordFault(RecordFault::NotInProgress), "it rings");
    s.pass_ms(3_000);
    let OperatorReply::Recording(row) = start(&mut s) else { panic!("it is not recorded") };
    assert_eq!((row.channels, row.source), (2, Api));
    s.pass_ms(1_000);
    let control = |change| RecordOrder::Control { recording: None, change };
    for (change, expected) in [
        (RecordChange::Pause { silence: true }, RecordingStatus::Paused),
        (RecordChange::Resume, RecordingStatus::InProgress),
    ] {
        assert!(matches!(order(&mut s, control(change)), OperatorReply::Recording(_)));
        assert_eq!(status(&s), [(expected, Api)]);
    }
    assert!(matches!(order(&mut s, control(RecordChange::Stop)), OperatorReply::Recording(_)));
    s.pass_ms(500);
    assert_eq!(status(&s), [(RecordingStatus::Completed, Api)]);
    let gone = order(&mut s, control(RecordChange::Stop));
    assert_eq!(gone, OperatorReply::RecordFault(RecordFault::NoSuchRecording));
    s.hangs_up(&caller);
    s.pass_ms(500);
    s.expect_rest();
}

#[test]
fn one_of_several_must_be_named_and_there_are_only_so_many() {
    let mut s = crate::office("");
    s.web().serve(VOICE, Answer::twiml("<Say>hello</Say><Pause length=\"60\"/>"));
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(2_000);
    let mut sids = Vec::new();
    while let OperatorReply::Recording(row) = start(&mut s) {
        sids.push(row.sid);
        s.pass_ms(100);
    }
    assert_eq!(sids.len(), 4);
    let current = RecordOrder::Control { recording: None, change: RecordChange::Stop };
    assert_eq!(order(&mut s, current), OperatorReply::RecordFault(RecordFault::NoSuchRecording));
    let named = RecordOrder::Control { recording: Some(sids[2]), change: RecordChange::Stop };
    assert!(matches!(order(&mut s, named), OperatorReply::Recording(row) if row.sid == sids[2]));
    s.hangs_up(&caller);
    s.pass_ms(500);
    assert!(status(&s).iter().all(|(status, _)| *status == RecordingStatus::Completed));
    s.expect_rest();
}
