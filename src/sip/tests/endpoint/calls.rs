//! Calls on a calm wire.

use sip::{Caller, Command, Ended, Event, Flow, HeaderName, Input, SessionId, TransportKind};

use crate::expect;
use crate::wire::{SDP, SDP_ANSWER, Wire};

const TRANSPORTS: [TransportKind; 2] = [TransportKind::Udp, TransportKind::Tcp];

#[test]
fn a_call_is_answered_and_ended_by_either_end() {
    for transport in TRANSPORTS {
        for hangs_up in [0, 1] {
            let mut wire = Wire::pair(1, transport);
            let a = wire.call(0, 7, Some(SDP));
            wire.run_ms(10);
            let (b, request, from) = expect!(wire, 1, Event::Incoming { session, request, from, .. } =>
                (session, request, from));
            assert_eq!(from, Caller::Trunk { name: "other".into() });
            assert_eq!((request.uri.user_decoded().as_ref(), request.body.as_slice()), ("+15550001111", SDP));
            wire.command(1, Command::Progress { session: b, code: 180, body: None });
            wire.run_ms(3_000);
            expect!(wire, 0, Event::Progress { session, code: 180, body: None, .. } => assert_eq!(session, a));
            wire.command(1, Command::Answer { session: b, body: SDP_ANSWER.to_vec() });
            wire.run_ms(10);
            expect!(wire, 0, Event::Answered { session, body: Some(body), .. } => {
                assert_eq!((session, body.as_slice()), (a, SDP_ANSWER));
            });
            expect!(wire, 1, Event::Acked { session, body: None, .. } => assert_eq!(session, b));
            let session = [a, b][hangs_up];
            wire.command(hangs_up, Command::Bye { session, reason: Some((16, "Normal".into())) });
            wire.run_ms(10);
            expect!(wire, 1 - hangs_up, Event::Ended { session, why, .. } => {
                assert_eq!(session, [b, a][hangs_up]);
                assert_eq!(why, Ended::ByPeer { reason: Some((16, "Normal".into())) });
            });
            wire.assert_at_rest();
            assert_eq!(wire.requests(0, "INVITE").len(), 1);
            assert_eq!(wire.codes(1, "INVITE"), [100, 180, 200]);
        }
    }
}

/// A call between both, answered: the sessions at either end.
fn connected(wire: &mut Wire) -> (SessionId, SessionId) {
    let a = wire.call(0, 7, Some(SDP));
    wire.run_ms(10);
    let b = expect!(wire, 1, Event::Incoming { session, .. } => session);
    wire.command(1, Command::Answer { session: b, body: SDP_ANSWER.to_vec() });
    wire.run_ms(10);
    expect!(wire, 0, Event::Answered { .. });
    expect!(wire, 1, Event::Acked { .. });
    (a, b)
}

/// Loses the first `count` messages of an end that are requests of this method, or responses to it.
fn lose(wire: &mut Wire, by: usize, method: &'static str, response: bool, count: usize) {
    let mut left = count;
    wire.filter = Box::new(move |end, message| {
        let cseq = message.headers().cseq().unwrap().method;
        let lost = end == by && cseq.as_str() == method && message.is_request() != response && left > 0;
        left -= usize::from(lost);
        !lost
    });
}

fn bye(wire: &mut Wire, end: usize, session: SessionId) {
    wire.command(end, Command::Bye { session, reason: None });
    wire.run_ms(10);
    expect!(wire, 1 - end, Event::Ended { why: Ended::ByPeer { reason: None }, .. });
    wire.assert_at_rest();
}

#[test]
fn a_lost_ack_is_sent_again_when_the_answer_is_repeated() {
    for transport in TRANSPORTS {
        let mut wire = Wire::pair(1, transport);
        lose(&mut wire, 0, "ACK", false, 2);
        let a = wire.call(0, 7, Some(SDP));
        wire.run_ms(10);
        let b = expect!(wire, 1, Event::Incoming { session, .. } => session);
        wire.command(1, Command::Answer { session: b, body: SDP_ANSWER.to_vec() });
        wire.run_ms(1_000);
        expect!(wire, 0, Event::Answered { .. });
        assert!(wire.event(1).is_none(), "no ACK has arrived yet");
        wire.run_ms(600);
        expect!(wire, 1, Event::Acked { .. });
        assert!(wire.event(0).is_none() && wire.event(1).is_none());
        assert_eq!((wire.requests(0, "ACK").len(), wire.codes(1, "INVITE")), (3, vec![100, 200, 200, 200]));
        bye(&mut wire, 0, a);
    }
}

#[test]
fn an_answer_that_is_never_acknowledged_is_taken_back() {
    let mut wire = Wire::pair(1, TransportKind::Udp);
    lose(&mut wire, 0, "ACK", false, usize::MAX);
    wire.call(0, 7, Some(SDP));
    wire.run_ms(10);
    let b = expect!(wire, 1, Event::Incoming { session, .. } => session);
    wire.command(1, Command::Answer { session: b, body: SDP_ANSWER.to_vec() });
    wire.run_ms(31_900);
    expect!(wire, 0, Event::Answered { .. });
    assert!(wire.event(1).is_none() && wire.event(0).is_none());
    wire.run_ms(200);
    expect!(wire, 1, Event::Ended { why: Ended::AckTimeout, .. });
    expect!(wire, 0, Event::Ended { why: Ended::ByPeer { reason: None }, .. });
    // 0.5, 1.5, 3.5, then every four seconds (RFC 3261 §13.3.1.4).
    assert_eq!(wire.codes(1, "INVITE").iter().filter(|code| **code == 200).count(), 11);
    wire.assert_at_rest();
}

#[test]
fn a_repeated_invite_is_one_call() {
    let mut wire = Wire::pair(1, TransportKind::Udp);
    lose(&mut wire, 1, "INVITE", true, 2);
    let a = wire.call(0, 7, Some(SDP));
    wire.run_ms(2_000);
    expect!(wire, 1, Event::Incoming { .. });
    assert!(wire.event(1).is_none());
    assert_eq!(wire.requests(0, "INVITE").len(), 3);
    wire.command(0, Command::Cancel { session: a });
    wire.run_ms(10);
    expect!(wire, 0, Event::Refused { code: 487, .. });
    expect!(wire, 1, Event::Cancelled { .. });
    wire.assert_at_rest();
}

#[test]
fn cancel_waits_for_the_first_provisional_response() {
    let mut wire = Wire::pair(1, TransportKind::Udp);
    let a = wire.call(0, 7, Some(SDP));
    wire.command(0, Command::Cancel { session: a });
    assert_eq!(wire.requests(0, "CANCEL").len(), 0);
    wire.run_ms(10);
    expect!(wire, 1, Event::Incoming { .. });
    expect!(wire, 1, Event::Cancelled { .. });
    expect!(wire, 0, Event::Refused { session, code: 487, .. } => assert_eq!(session, a));
    assert_eq!((wire.codes(1, "CANCEL"), wire.codes(1, "INVITE")), (vec![200], vec![100, 487]));
    wire.assert_at_rest();
}

#[test]
fn an_answer_that_crosses_our_cancel_is_taken_and_ended() {
    let mut wire = Wire::pair(1, TransportKind::Udp);
    let a = wire.call(0, 7, Some(SDP));
    wire.run_ms(10);
    let b = expect!(wire, 1, Event::Incoming { session, .. } => session);
    wire.command(1, Command::Answer { session: b, body: SDP_ANSWER.to_vec() });
    wire.command(0, Command::Cancel { session: a });
    wire.run_ms(10);
    expect!(wire, 0, Event::Refused { session, code: 487, .. } => assert_eq!(session, a));
    expect!(wire, 1, Event::Acked { .. });
    expect!(wire, 1, Event::Ended { why: Ended::ByPeer { reason: None }, .. });
    wire.assert_at_rest();
}

#[test]
fn a_cancel_that_comes_too_late_changes_nothing() {
    let mut wire = Wire::pair(1, TransportKind::Udp);
    let (a, _) = connected(&mut wire);
    // The owner's Cancel has crossed Answered: it means Bye.
    wire.command(0, Command::Cancel { session: a });
    wire.run_ms(10);
    expect!(wire, 1, Event::Ended { .. });
    assert_eq!(wire.requests(0, "CANCEL").len(), 0);
    wire.assert_at_rest();
}

#[test]
fn both_may_hang_up_at_once() {
    let mut wire = Wire::pair(1, TransportKind::Udp);
    let (a, b) = connected(&mut wire);
    wire.command(0, Command::Bye { session: a, reason: None });
    wire.command(1, Command::Bye { session: b, reason: None });
    wire.run_ms(10);
    assert_eq!((wire.codes(0, "BYE"), wire.codes(1, "BYE")), (vec![200], vec![200]));
    wire.assert_at_rest();
}

#[test]
fn nobody_answers() {
    let mut wire = Wire::pair(1, TransportKind::Udp);
    lose(&mut wire, 0, "INVITE", false, usize::MAX);
    wire.call(0, 7, Some(SDP));
    wire.run_ms(31_900);
    assert!(wire.event(0).is_none());
    wire.run_ms(200);
    expect!(wire, 0, Event::Refused { code: 408, .. });
    // At 0, 0.5, 1.5, 3.5, 7.5, 15.5 and 31.5 seconds (RFC 3261 §17.1.1.2).
    assert_eq!(wire.requests(0, "INVITE").len(), 7);
    wire.assert_at_rest();
}

#[test]
fn a_phone_that_rings_for_ever_is_given_up_after_timer_c() {
    let mut wire = Wire::pair(1, TransportKind::Udp);
    wire.call(0, 7, Some(SDP));
    wire.run_ms(10);
    expect!(wire, 1, Event::Incoming { .. });
    wire.run_ms(181_000);
    expect!(wire, 0, Event::Refused { code: 408, .. });
    expect!(wire, 1, Event::Cancelled { .. });
    wire.assert_at_rest();
}

#[test]
fn ringing_is_repeated_so_that_nobody_gives_up() {
    let mut wire = Wire::pair(1, TransportKind::Udp);
    let a = wire.call(0, 7, Some(SDP));
    wire.run_ms(10);
    let session = expect!(wire, 1, Event::Incoming { session, .. } => session);
    wire.command(1, Command::Progress { session, code: 180, body: None });
    wire.run_ms(605_000);
    for _ in 0..=10 {
        expect!(wire, 0, Event::Progress { code: 180, .. });
    }
    wire.command(0, Command::Cancel { session: a });
    wire.run_ms(10);
    expect!(wire, 0, Event::Refused { code: 487, .. });
    expect!(wire, 1, Event::Cancelled { .. });
    wire.assert_at_rest();
}

#[test]
fn a_call_without_offer_is_offered_in_the_answer() {
    let mut wire = Wire::pair(1, TransportKind::Udp);
    let a = wire.call(0, 7, None);
    wire.run_ms(10);
    let b = expect!(wire, 1, Event::Incoming { session, request, .. } => {
        assert!(request.body.is_empty());
        session
    });
    wire.command(1, Command::Answer { session: b, body: SDP.to_vec() });
    wire.run_ms(600);
    expect!(wire, 0, Event::Answered { body: Some(body), .. } => assert_eq!(body, SDP));
    assert_eq!(wire.requests(0, "ACK").len(), 0);
    wire.command(0, Command::Ack { session: a, body: Some(SDP_ANSWER.to_vec()) });
    wire.run_ms(10);
    expect!(wire, 1, Event::Acked { body: Some(body), .. } => assert_eq!(body, SDP_ANSWER));
    bye(&mut wire, 1, b);
}

#[test]
fn bye_waits_for_the_ack_of_our_answer() {
    let mut wire = Wire::pair(1, TransportKind::Udp);
    lose(&mut wire, 0, "ACK", false, 1);
    wire.call(0, 7, Some(SDP));
    wire.run_ms(10);
    let b = expect!(wire, 1, Event::Incoming { session, .. } => session);
    wire.command(1, Command::Answer { session: b, body: SDP_ANSWER.to_vec() });
    wire.command(1, Command::Bye { session: b, reason: None });
    wire.run_ms(400);
    expect!(wire, 0, Event::Answered { .. });
    assert_eq!(wire.requests(1, "BYE").len(), 0);
    wire.run_ms(400);
    expect!(wire, 0, Event::Ended { .. });
    wire.assert_at_rest();
}

#[test]
fn an_offer_is_answered_or_refused_and_the_call_goes_on() {
    let mut wire = Wire::pair(1, TransportKind::Udp);
    let ends = connected(&mut wire);
    for (from, ours, theirs) in [(0, ends.0, ends.1), (1, ends.1, ends.0)] {
        for result in [Ok(SDP_ANSWER.to_vec()), Err(488)] {
            wire.command(from, Command::Offer { session: ours, body: SDP.to_vec() });
            wire.run_ms(10);
            expect!(wire, 1 - from, Event::Offered { session, body: Some(body) } => {
                assert_eq!((session, body.as_slice()), (theirs, SDP));
            });
            wire.command(1 - from, Command::AnswerOffer { session: theirs, result: result.clone() });
            wire.run_ms(10);
            expect!(wire, from, Event::OfferAnswered { result: told, .. } => assert_eq!(told, result));
            if result.is_ok() {
                expect!(wire, 1 - from, Event::Acked { body: None, .. });
            }
        }
    }
    bye(&mut wire, 0, ends.0);
}

#[test]
fn two_offers_at_once_are_both_made_again() {
    for seed in 0..20 {
        let mut wire = Wire::pair(seed, TransportKind::Udp);
        let (a, b) = connected(&mut wire);
        wire.command(0, Command::Offer { session: a, body: SDP.to_vec() });
        wire.command(1, Command::Offer { session: b, body: SDP.to_vec() });
        wire.run_ms(20);
        assert_eq!(
            (wire.codes(0, "INVITE"), wire.codes(1, "INVITE")),
            (vec![100, 491], vec![100, 200, 100, 491])
        );
        let mut answered = [0, 0];
        for _ in 0..1_000 {
            wire.run_ms(10);
            for (end, session) in [(0, a), (1, b)] {
                match wire.event(end) {
                    Some(Event::Offered { .. }) => {
                        wire.command(end, Command::AnswerOffer { session, result: Ok(SDP_ANSWER.to_vec()) });
                    }
                    Some(Event::OfferAnswered { result: Ok(_), .. }) => answered[end] += 1,
                    Some(Event::Acked { .. }) | None => {}
                    Some(other) => panic!("{other:?}"),
                }
            }
        }
        assert_eq!(answered, [1, 1], "seed {seed}");
        bye(&mut wire, 0, a);
    }
}

#[test]
fn our_offer_waits_for_the_answer_to_theirs() {
    let mut wire = Wire::pair(1, TransportKind::Udp);
    let (a, b) = connected(&mut wire);
    wire.command(0, Command::Offer { session: a, body: SDP.to_vec() });
    wire.run_ms(10);
    expect!(wire, 1, Event::Offered { .. });
    wire.command(1, Command::Offer { session: b, body: SDP.to_vec() });
    wire.command(1, Command::Offer { session: b, body: SDP.to_vec() });
    expect!(wire, 1, Event::OfferAnswered { result: Err(491), .. });
    wire.run_ms(10);
    assert_eq!(wire.requests(1, "INVITE").len(), 0);
    wire.command(1, Command::AnswerOffer { session: b, result: Ok(SDP_ANSWER.to_vec()) });
    wire.run_ms(10);
    expect!(wire, 0, Event::OfferAnswered { result: Ok(_), .. });
    expect!(wire, 0, Event::Offered { .. });
    expect!(wire, 1, Event::Acked { .. });
    wire.command(0, Command::AnswerOffer { session: a, result: Ok(SDP_ANSWER.to_vec()) });
    wire.run_ms(10);
    expect!(wire, 1, Event::OfferAnswered { result: Ok(_), .. });
    expect!(wire, 0, Event::Acked { .. });
    bye(&mut wire, 1, b);
}

#[test]
fn info_goes_both_ways() {
    let mut wire = Wire::pair(1, TransportKind::Udp);
    let ends = connected(&mut wire);
    for (from, session) in [(0, ends.0), (1, ends.1)] {
        let content_type = "application/dtmf-relay".to_owned();
        wire.command(from, Command::Info { session, content_type, body: b"Signal=5".to_vec() });
        wire.run_ms(10);
        expect!(wire, 1 - from, Event::Info { content_type, body, .. } => {
            assert_eq!((content_type.as_str(), body.as_slice()), ("application/dtmf-relay", &b"Signal=5"[..]));
        });
    }
    bye(&mut wire, 0, ends.0);
}

#[test]
fn a_peer_that_has_vanished_ends_the_call() {
    let mut wire = Wire::pair(1, TransportKind::Udp);
    let (a, b) = connected(&mut wire);
    wire.faults.loss = 1.0;
    wire.command(0, Command::Offer { session: a, body: SDP.to_vec() });
    wire.run_ms(33_000);
    expect!(wire, 0, Event::Ended { why: Ended::TransactionTimeout, .. });
    wire.command(1, Command::Bye { session: b, reason: None });
    wire.assert_at_rest();
}

#[test]
fn a_peer_that_has_forgotten_the_call_ends_it() {
    let mut wire = Wire::pair(1, TransportKind::Udp);
    let (a, b) = connected(&mut wire);
    wire.faults.loss = 1.0;
    wire.command(1, Command::Bye { session: b, reason: None });
    wire.run_ms(33_000);
    wire.faults.loss = 0.0;
    wire.command(0, Command::Info { session: a, content_type: "text/plain".into(), body: b"?".to_vec() });
    wire.run_ms(10);
    expect!(wire, 0, Event::Ended { why: Ended::ByPeer { reason: Some((481, _)) }, .. });
    wire.assert_at_rest();
}

#[test]
fn a_connection_that_closes_before_the_answer_takes_the_call_with_it() {
    let mut wire = Wire::pair(1, TransportKind::Tcp);
    wire.call(0, 7, Some(SDP));
    wire.run_ms(10);
    expect!(wire, 1, Event::Incoming { .. });
    for (end, other) in [(0, 1), (1, 0)] {
        let flow = Flow {
            transport: TransportKind::Tcp,
            local: wire.ends[end].address,
            remote: wire.ends[other].address,
        };
        wire.input(end, Input::FlowClosed { flow });
    }
    expect!(wire, 0, Event::Refused { code: 503, .. });
    expect!(wire, 1, Event::Cancelled { .. });
    wire.assert_at_rest();
}

#[test]
fn more_calls_than_allowed_are_sent_away() {
    let mut wire = Wire::pair(1, TransportKind::Udp);
    let mut config = crate::wire::config("192.0.2.2", TransportKind::Udp);
    config.trunks.push(crate::wire::trunk("192.0.2.1", TransportKind::Udp));
    config.limits.sessions_max = 1;
    wire.input(1, Input::Config(config));
    wire.call(0, 1, Some(SDP));
    wire.call(0, 2, Some(SDP));
    wire.run_ms(10);
    let session = expect!(wire, 1, Event::Incoming { session, .. } => session);
    expect!(wire, 0, Event::Refused { code: 503, headers, .. } => {
        assert!(headers.get(&HeaderName::RetryAfter).is_some());
    });
    wire.command(1, Command::Refuse { session, code: 603, reason: Some("No".into()), headers: Vec::new() });
    wire.run_ms(10);
    expect!(wire, 0, Event::Refused { code: 603, reason, .. } => assert_eq!(reason, "No"));
    wire.assert_at_rest();
}
