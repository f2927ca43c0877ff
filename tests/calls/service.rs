//! Services that the API begins and ends in the middle of a call.

use call::{LiveService, Operator, OperatorReply, ServiceFault, ServiceKind, ServiceOrder, StreamAsk};
use sim::{Answer, Caller, NUMBER, Scenario, VOICE, param};
use twiml::{HttpMethod, ServiceCallback, StreamNoun, StreamTrack, TranscriptionNoun};

use crate::EVENTS;

/// A call that waits, two seconds old.
fn waiting() -> (Scenario, Caller) {
    let mut s = crate::office("");
    s.web().serve(VOICE, Answer::twiml("<Pause length=\"1\"/><Say>hello</Say><Pause length=\"60\"/>"));
    let caller = s.carrier_calls(NUMBER);
    (s, caller)
}

fn order(s: &mut Scenario, order: ServiceOrder) -> OperatorReply {
    let call = s.rows()[0].sid;
    s.operator(Operator::Service { call, order: Box::new(order) })
}

fn done(s: &mut Scenario, what: ServiceOrder) -> LiveService {
    match order(s, what) {
        OperatorReply::Service(service) => service,
        other => panic!("{other:?}"),
    }
}

fn told() -> ServiceCallback {
    ServiceCallback { url: EVENTS.to_owned(), method: HttpMethod::Post }
}

fn stream(name: &str, url: &str) -> ServiceOrder {
    ServiceOrder::Stream(StreamNoun {
        name: Some(name.to_owned()),
        url: url.to_owned(),
        track: StreamTrack::InboundTrack,
        status_callback: Some(told()),
        parameters: Vec::new(),
        texml: None,
    })
}

fn transcription() -> ServiceOrder {
    ServiceOrder::Transcription(Box::new(TranscriptionNoun {
        name: None,
        track: StreamTrack::InboundTrack,
        status_callback: Some(told()),
        inbound_track_label: None,
        outbound_track_label: None,
        partial_results: false,
        language: "en-US".to_owned(),
        hints: None,
        profanity_filter: true,
        engine: None,
        model: None,
    }))
}

fn stop(kind: ServiceKind, which: &str) -> ServiceOrder {
    ServiceOrder::Stop { kind, which: which.to_owned() }
}

#[test]
fn a_stream_is_begun_and_ended_in_the_middle_of_a_call() {
    const APP: &str = "wss://app.example/media";
    let (mut s, caller) = waiting();
    s.pass_ms(200);
    let early = order(&mut s, stream("s", APP));
    assert_eq!(early, OperatorReply::ServiceFault(ServiceFault::NotInProgress), "it rings");
    s.pass_ms(3_000);
    let begun = done(&mut s, stream("s", APP));
    assert_eq!(begun.name.as_deref(), Some("s"));
    s.pass_ms(500);
    assert_eq!(s.world.streams.opened[0].stream.to_string(), begun.sid);
    assert_eq!(s.world.media.taps.len(), 1, "its sound flows");
    let twice = order(&mut s, stream("s", APP));
    assert!(
        matches!(twice, OperatorReply::ServiceFault(ServiceFault::Refused { code: 31900, .. })),
        "{twice:?}"
    );
    let http = order(&mut s, stream("t", "http://app.example/"));
    assert!(
        matches!(http, OperatorReply::ServiceFault(ServiceFault::Refused { code: 31922, .. })),
        "{http:?}"
    );

    let second = done(&mut s, stream("u", APP));
    assert_eq!(done(&mut s, stop(ServiceKind::Stream, "s")).sid, begun.sid, "by its name");
    let ended = done(&mut s, stop(ServiceKind::Stream, &second.sid));
    assert_eq!(ended.name.as_deref(), Some("u"), "by its sid");
    let over = order(&mut s, stop(ServiceKind::Stream, "s"));
    assert_eq!(over, OperatorReply::ServiceFault(ServiceFault::NoSuchService));
    let closed: Vec<_> = s.world.streams.told.iter().map(|(_, ask)| *ask).collect();
    assert_eq!(closed, [StreamAsk::Close, StreamAsk::Close]);
    s.hangs_up(&caller);
    s.pass_ms(500);
    let gone = order(&mut s, stream("s", APP));
    assert!(matches!(gone, OperatorReply::NoSuchCall(_)), "{gone:?}");
    s.expect_rest();
}

#[test]
fn what_is_said_is_told_from_here_to_there() {
    let (mut s, caller) = waiting();
    s.pass_ms(3_000);
    let begun = done(&mut s, transcription());
    s.pass_ms(200);
    s.says(&caller, "good morning", 1_000);
    s.pass_ms(2_500);
    assert_eq!(done(&mut s, stop(ServiceKind::Transcription, &begun.sid)).sid, begun.sid);
    s.pass_ms(200);
    s.says(&caller, "nobody hears this", 1_000);
    s.pass_ms(2_500);
    let asked = s.asked(EVENTS);
    let events: Vec<_> = asked.iter().filter_map(|request| param(request, "TranscriptionEvent")).collect();
    assert_eq!(events, ["transcription-started", "transcription-content", "transcription-stopped"]);
    assert!(param(&asked[1], "TranscriptionData").unwrap().contains("good morning"));
    s.hangs_up(&caller);
    s.pass_ms(500);
    s.expect_rest();
}

#[test]
fn messages_are_told_to_whoever_subscribed_and_a_key_is_good_once() {
    let (mut s, caller) = waiting();
    s.pass_ms(3_000);
    let message = |content: &str, key: Option<&str>| ServiceOrder::Message {
        content: content.to_owned(),
        key: key.map(str::to_owned),
    };
    done(&mut s, message("{\"n\":0}", None));
    let subscribe = || ServiceOrder::Subscribe { callback: told(), key: Some("k".to_owned()) };
    let subscription = done(&mut s, subscribe());
    assert_eq!(done(&mut s, subscribe()), subscription, "the same key is the same subscription");
    // A message is no subscription, whatever its key.
    let first = done(&mut s, message("{\"n\":1}", Some("k")));
    assert_eq!(done(&mut s, message("{\"n\":1}", Some("k"))), first);
    s.pass_ms(500);
    let asked = s.asked(EVENTS);
    let seen = |name: &str| asked.iter().filter_map(|request| param(request, name)).collect::<Vec<_>>();
    assert_eq!(seen("Content"), ["{\"n\":1}"]);
    assert_eq!(seen("Sid"), [first.sid.as_str()]);
    assert_eq!(seen("SubscriptionSid"), [subscription.sid.as_str()]);
    let sid = subscription.sid.parse().unwrap();
    done(&mut s, ServiceOrder::Unsubscribe(sid));
    let again = order(&mut s, ServiceOrder::Unsubscribe(sid));
    assert_eq!(again, OperatorReply::ServiceFault(ServiceFault::NoSuchService));
    done(&mut s, message("{\"n\":2}", None));
    s.pass_ms(500);
    assert_eq!(s.asked(EVENTS).len(), 1);
    // What is gone is not answered for by its key.
    let anew = done(&mut s, subscribe());
    assert_ne!(anew.sid, subscription.sid);
    done(&mut s, message("{\"n\":3}", None));
    s.pass_ms(500);
    assert_eq!(s.asked(EVENTS).len(), 2);
    s.hangs_up(&caller);
    s.pass_ms(500);
    s.expect_rest();
}
