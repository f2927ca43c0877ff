//! REFER and NOTIFY between two ends (RFC 3515, RFC 5589).

use sip::{Command, Event, HeaderName, Replaces, SessionId, TransportKind, Uri};

use crate::expect;
use crate::wire::{SDP, SDP_ANSWER, Wire};

/// A call between both, answered: the sessions at either end.
fn connected() -> (Wire, SessionId, SessionId) {
    let mut wire = Wire::pair(1, TransportKind::Udp);
    let a = wire.call(0, 7, Some(SDP));
    wire.run_ms(10);
    let b = expect!(wire, 1, Event::Incoming { session, .. } => session);
    wire.command(1, Command::Answer { session: b, body: SDP_ANSWER.to_vec() });
    wire.run_ms(10);
    expect!(wire, 0, Event::Answered { .. });
    expect!(wire, 1, Event::Acked { .. });
    (wire, a, b)
}

fn target() -> Box<Uri> {
    Box::new("sip:carl@office.example?X-Desk=3".parse().unwrap())
}

fn over(mut wire: Wire, session: SessionId) {
    wire.command(0, Command::Bye { session, reason: None });
    wire.run_ms(10);
    expect!(wire, 1, Event::Ended { .. });
    wire.assert_at_rest();
}

#[test]
fn a_refer_is_accepted_and_told_about_until_the_last_word() {
    for told in [vec![100, 180, 200], vec![200], vec![100, 486]] {
        let (mut wire, a, b) = connected();
        wire.command(0, Command::Refer { session: a, to: target() });
        wire.run_ms(10);
        let to = expect!(wire, 1, Event::Referred { session, to } => { assert_eq!(session, b); to });
        assert_eq!((to.uri.user_decoded().as_ref(), &to.uri.headers[0].0), ("carl", &"X-Desk".to_owned()));
        wire.command(1, Command::AnswerRefer { session: b, code: 202 });
        wire.run_ms(10);
        expect!(wire, 0, Event::ReferAnswered { session, code: 202 } => assert_eq!(session, a));
        for code in &told {
            wire.command(1, Command::Notify { session: b, code: *code });
            wire.run_ms(10);
            expect!(wire, 0, Event::Notified { session, code: heard, last } => {
                assert_eq!((session, heard, last), (a, Some(*code), *code >= 200));
            });
        }
        // Nothing is owed after the last word.
        wire.command(1, Command::Notify { session: b, code: 200 });
        wire.run_ms(10);
        let notifies = wire.requests(1, "NOTIFY");
        assert_eq!(notifies.len(), told.len());
        for (notify, code) in notifies.iter().zip(&told) {
            let header = |name| notify.headers.text(&name).unwrap_or_default().into_owned();
            let terminated = header(HeaderName::SubscriptionState).starts_with("terminated");
            assert_eq!((header(HeaderName::Event).as_str(), terminated), ("refer", *code >= 200));
            assert_eq!(header(HeaderName::ContentType), "message/sipfrag;version=2.0");
            assert!(notify.headers.has(&HeaderName::Contact));
        }
        over(wire, a);
    }
}

#[test]
fn a_refused_refer_leaves_the_call_as_it_was() {
    let (mut wire, a, b) = connected();
    wire.command(0, Command::Refer { session: a, to: target() });
    wire.run_ms(10);
    expect!(wire, 1, Event::Referred { .. });
    wire.command(1, Command::AnswerRefer { session: b, code: 603 });
    wire.run_ms(10);
    expect!(wire, 0, Event::ReferAnswered { code: 603, .. });
    wire.command(1, Command::Notify { session: b, code: 200 });
    wire.run_ms(10);
    assert!(wire.requests(1, "NOTIFY").is_empty(), "nothing was promised");
    over(wire, a);
}

#[test]
fn one_refer_at_a_time_and_the_next_is_told_apart() {
    let (mut wire, a, b) = connected();
    wire.command(0, Command::Refer { session: a, to: target() });
    wire.command(0, Command::Refer { session: a, to: target() });
    wire.run_ms(10);
    expect!(wire, 0, Event::ReferAnswered { code: 491, .. });
    expect!(wire, 1, Event::Referred { .. });
    wire.command(1, Command::AnswerRefer { session: b, code: 202 });
    wire.command(1, Command::Notify { session: b, code: 503 });
    wire.run_ms(10);
    expect!(wire, 0, Event::ReferAnswered { code: 202, .. });
    expect!(wire, 0, Event::Notified { last: true, .. });
    wire.command(0, Command::Refer { session: a, to: target() });
    wire.run_ms(10);
    expect!(wire, 1, Event::Referred { .. });
    wire.command(1, Command::AnswerRefer { session: b, code: 202 });
    wire.command(1, Command::Notify { session: b, code: 200 });
    wire.run_ms(10);
    expect!(wire, 0, Event::ReferAnswered { code: 202, .. });
    expect!(wire, 0, Event::Notified { last: true, .. });
    let second = wire.requests(1, "NOTIFY").last().copied().expect("it is told").clone();
    assert!(second.headers.text(&HeaderName::Event).unwrap().starts_with("refer;id="));
    over(wire, a);
}

#[test]
fn who_hears_nothing_is_told_so() {
    let (mut wire, a, _) = connected();
    wire.filter =
        Box::new(|_, message| !message.headers().cseq().is_ok_and(|cseq| cseq.method.as_str() == "REFER"));
    wire.command(0, Command::Refer { session: a, to: target() });
    wire.run_ms(40_000);
    expect!(wire, 0, Event::ReferAnswered { code: 408, .. });
    wire.filter = Box::new(|_, _| true);
    over(wire, a);
}

#[test]
fn a_session_is_found_by_what_replaces_names() {
    let (mut wire, a, b) = connected();
    let (call_id, ours, theirs) = wire.ends[0].endpoint.dialog_of(a).unwrap();
    assert_eq!(wire.ends[1].endpoint.session_of_dialog(&call_id, &theirs), Some(b));
    let escaped = call_id.replace('@', "%40");
    let uri: Uri =
        format!("sip:b@h?Replaces={escaped}%3Bto-tag%3D{theirs}%3Bfrom-tag%3D{ours}").parse().unwrap();
    assert_eq!(Replaces::in_uri(&uri), Some(Replaces { call_id, to_tag: theirs, from_tag: ours }));
    wire.command(0, Command::Bye { session: a, reason: None });
    wire.run_ms(10);
    assert_eq!(wire.ends[0].endpoint.dialog_of(a), None);
}
