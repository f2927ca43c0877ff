//! The other dialect, whole calls of it (reference: texml-delta §2, §3, §5).

use std::time::Duration;

use call::{CallDocument, NewCall, Operator, OperatorReply, ServiceOrder};
use media::AnsweredBy;
use sim::{Answer, Faults, Heard, NUMBER, Reaction, Scenario, VOICE, param};
use twiml::{Dialect, HttpMethod, Source};

use crate::{ACTION, EVENTS};

/// An office whose number speaks texml and answers with these verbs.
fn texml(verbs: &str) -> Scenario {
    texml_in(sim::office(&[("ann", "101")]), verbs)
}

fn texml_in(mut office: call::office::Office, verbs: &str) -> Scenario {
    office.numbers.get_mut(NUMBER).expect("there is one").application.dialect = Dialect::Texml;
    let mut s = Scenario::with(office, 1, Faults::NONE);
    s.web().serve(VOICE, Answer::twiml(verbs));
    s.web().serve(ACTION, Answer::twiml("<Say>done</Say>"));
    s.web().serve(EVENTS, Answer::page(204, None, ""));
    s
}

#[test]
fn requests_carry_the_dialects_parameters() {
    let mut s = texml("<Gather numDigits=\"1\" action=\"/action\"/>");
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(1_000);
    s.presses(&caller, "1");
    s.pass_ms(1_000);
    let asked = s.asked(VOICE);
    assert_eq!((asked.len(), asked[0].dialect, asked[0].method), (1, Dialect::Texml, HttpMethod::Post));
    for name in
        ["CallSid", "CallSidLegacy", "ConnectionId", "CallerId", "FromSipUri", "ToSipUri", "CallingPartyType"]
    {
        assert!(param(&asked[0], name).is_some_and(|value| !value.is_empty()), "{name}: {asked:?}");
    }
    assert_eq!(param(&asked[0], "CallingPartyType"), Some("pstn"));
    assert_eq!(param(&asked[0], "Direction"), Some("inbound"));
    for name in ["ApiVersion", "Caller", "FromCountry"] {
        assert_eq!(param(&asked[0], name), None, "{name}");
    }
    let action = s.asked(ACTION);
    assert_eq!(param(&action[0], "Digits"), Some("1"));
    assert!(param(&action[0], "CallSidLegacy").is_some());
    s.expect_rest();
}

/// Without an action the next verb runs, where Twilio asks the document's own URL again.
#[test]
fn a_recording_without_an_action_goes_on() {
    let verbs = "<Record maxLength=\"2\" playBeep=\"false\"/><Say>afterwards</Say>";
    let mut s = texml(verbs);
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(8_000);
    assert!(s.heard_clip(&caller, "afterwards"), "{:?}", s.heard(&caller));
    assert_eq!(s.asked(VOICE).len(), 1);
    s.expect_rest();
    let mut s = crate::office(verbs);
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(4_000);
    assert!(!s.heard_clip(&caller, "afterwards"));
    assert!(s.asked(VOICE).len() > 1);
    s.hangs_up(&caller);
    s.expect_rest();
}

#[test]
fn a_dialled_legs_requests_are_of_the_same_dialect() {
    let mut s = texml(
        "<Dial action=\"/action\"><Client url=\"/whisper\" statusCallback=\"/events\" statusCallbackEvent=\"answered \
         completed\">ann</Client></Dial>",
    );
    s.web().serve("http://web.example/whisper", Answer::twiml("<Say>whisper</Say>"));
    let ann = s.phone("ann");
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(1_000);
    s.picks_up(ann);
    s.pass_ms(6_000);
    let whisper = s.asked("http://web.example/whisper");
    assert_eq!(whisper.len(), 1, "{:?}", s.notifications());
    assert_eq!(param(&whisper[0], "Direction"), Some("outbound"));
    assert_eq!(param(&whisper[0], "ParentCallSid"), param(&whisper[0], "ParentCallSidLegacy"));
    s.hangs_up(&caller);
    s.pass_ms(2_000);
    let events = s.asked(EVENTS);
    assert!(events.len() >= 2, "{events:?}");
    for event in &events {
        let time = param(event, "Timestamp").unwrap_or_default();
        assert!(time.contains('T') && time.ends_with('Z'), "{time}");
    }
    s.expect_rest();
}

#[test]
fn digits_are_counted_and_chosen() {
    for (attributes, pressed, digits, asked_invalid) in [
        ("minDigits=\"2\" timeout=\"3\"", "1", None, false),
        ("minDigits=\"2\" timeout=\"3\"", "12", Some("12"), false),
        ("minDigits=\"2\" timeout=\"60\"", "1#2#", Some("12"), false),
        ("validDigits=\"12\" timeout=\"3\"", "192", Some("12"), false),
        ("validDigits=\"12\" invalidDigitsAction=\"/invalid\" timeout=\"60\"", "19", Some("9"), true),
    ] {
        let verbs = format!("<Gather action=\"/action\" {attributes}/><Say>nothing</Say>");
        let mut s = texml(&verbs);
        s.web().serve("http://web.example/invalid", Answer::twiml("<Say>not that key</Say>"));
        let caller = s.carrier_calls(NUMBER);
        s.pass_ms(1_000);
        s.presses(&caller, pressed);
        s.pass_ms(8_000);
        let (action, other) = (ACTION, "http://web.example/invalid");
        let (asked, silent) = if asked_invalid { (other, action) } else { (action, other) };
        let told = s.asked(asked);
        assert_eq!(
            told.first().and_then(|request| param(request, "Digits")),
            digits,
            "{attributes} {pressed}"
        );
        assert!(s.asked(silent).is_empty(), "{attributes} {pressed}");
        assert_eq!(s.heard_clip(&caller, "nothing"), digits.is_none(), "{attributes} {pressed}");
        s.hangs_up(&caller);
        s.expect_rest();
    }
}

const RING: &str = "http://web.example/ring.mp3";

#[test]
fn a_dial_has_a_sound_of_its_own_a_name_and_a_limit_to_its_recording() {
    let mut s = texml(
        "<Dial audioUrl=\"/ring.mp3\" fromDisplayName=\"Front Desk\" record=\"record-from-answer\" \
         recordingChannels=\"dual\" recordMaxLength=\"60\"><Number>101</Number></Dial>",
    );
    let ann = s.phone("ann");
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(2_000);
    assert!(s.heard_clip(&caller, RING), "{:?} {:?}", s.heard(&caller), s.findings());
    let to_ann = s.latest(ann).expect("it rings");
    let invite = s.call(&to_ann).invite.expect("it was called");
    assert_eq!(invite.headers.from().expect("a From").display.as_deref(), Some("Front Desk"));
    s.pass_ms(70_000);
    assert!(s.bridged(&caller, &to_ann));
    let recordings = s.recordings();
    let recording = recordings.last().expect("there is one");
    assert_eq!((recording.channels, recording.duration_ms), (2, Some(60_000)));
    s.hangs_up(&caller);
    s.expect_rest();
}

/// The callee answers, presses a key, and hangs up.
#[test]
fn a_conferences_recording_beeps_ends_by_itself_and_keeps_its_url() {
    let attributes = "record=\"true\" beep=\"false\" recordingStatusCallback=\"/events\"";
    let conference =
        |more: &str| format!("<Dial><Conference waitUrl=\"\" {attributes} {more}>desk</Conference></Dial>");
    for (more, beeps, url) in [
        ("recordingTimeout=\"3\" sendRecordingUrl=\"false\"", true, false),
        ("recordBeep=\"false\"", false, true),
    ] {
        let mut s = texml(&conference(more));
        let ann = s.carrier_calls(NUMBER);
        s.pass_ms(500);
        let bob = s.carrier_calls(NUMBER);
        s.pass_ms(500);
        assert_eq!(s.heard(&bob).contains(&Heard::Beep), beeps, "{more}: {:?}", s.heard(&bob));
        s.pass_ms(4_000);
        assert_eq!(s.asked(EVENTS).len(), usize::from(beeps), "{more}: it has ended by itself, or not yet");
        s.hangs_up(&ann);
        s.hangs_up(&bob);
        s.pass_ms(1_000);
        let told = s.asked(EVENTS);
        assert_eq!((told.len(), param(&told[0], "RecordingStatus")), (1, Some("completed")), "{more}");
        assert_eq!(param(&told[0], "RecordingUrl").is_some(), url, "{more}");
        s.expect_rest();
    }
}

#[test]
fn a_legs_events_tell_who_answered_its_keys_and_its_end() {
    let mut s = texml(
        "<Dial machineDetection=\"Enable\"><Number statusCallback=\"/events\" statusCallbackEvent=\"answered amd \
         dtmf completed\">101</Number></Dial>",
    );
    s.world.media.answers.push_back((AnsweredBy::MachineStart, 2_000));
    let ann = s.phone("ann");
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(500);
    s.pass_ms(5_000);
    let to_ann = s.latest(ann).expect("it rings");
    s.presses(&to_ann, "7");
    s.pass_ms(1_000);
    s.hangs_up(&to_ann);
    s.pass_ms(2_000);
    let told: Vec<_> = s.asked(EVENTS);
    let of = |n: usize, name: &str| param(&told[n], name).unwrap_or_default().to_owned();
    assert_eq!(told.len(), 4, "{told:?}");
    assert_eq!(
        (of(0, "CallStatus"), of(0, "Codec"), of(0, "SamplingRate")),
        ("in-progress".into(), "PCMU".into(), "8000".into())
    );
    assert_eq!((of(1, "AnsweredBy"), of(1, "Digits")), ("machine".to_owned(), String::new()));
    assert_eq!((of(2, "Digits"), of(2, "SequenceNumber")), ("7".to_owned(), "4".to_owned()));
    assert_eq!(
        (of(3, "CallStatus"), of(3, "HangupCause"), of(3, "HangupSource")),
        ("completed".into(), "normal_clearing".into(), "callee".into())
    );
    assert!(of(3, "CallQualityStats").starts_with("{\"inbound\":{"), "{}", of(3, "CallQualityStats"));
    for name in ["AnsweredTime", "CallInitiatedAt", "EndTime", "SipResponseCode", "CallDuration"] {
        assert!(!of(3, name).is_empty(), "{name}");
    }
    s.hangs_up(&caller);
    s.expect_rest();
}

#[test]
fn the_end_tells_what_the_last_dial_came_to() {
    let mut office = sim::office(&[("ann", "101")]);
    let application = &mut office.numbers.get_mut(NUMBER).expect("there is one").application;
    application.status_callback = Some(twiml::StatusCallback {
        url: EVENTS.into(),
        method: HttpMethod::Post,
        events: vec![twiml::ProgressEvent::Completed],
    });
    let mut s = texml_in(office, "<Dial><Number>101</Number></Dial><Pause length=\"2\"/>");
    let ann = s.phone("ann");
    s.will(ann, Reaction::Refuse(486));
    s.carrier_calls(NUMBER);
    s.pass_ms(6_000);
    let told = s.asked(EVENTS);
    assert_eq!(param(&told[0], "DialCallStatus"), Some("busy"), "{told:?}");
    let child = s.rows().into_iter().find(|row| row.parent.is_some()).expect("a child call").sid.to_string();
    assert_eq!(param(&told[0], "DialCallSid"), Some(child.as_str()));
    s.expect_rest();
}

/// The media plane never says that the leg is closed: the end is told all the same.
#[test]
fn an_end_is_told_without_its_figures_when_there_are_none() {
    let mut office = sim::office(&[("ann", "101")]);
    let application = &mut office.numbers.get_mut(NUMBER).expect("there is one").application;
    application.dialect = Dialect::Texml;
    application.status_callback = Some(twiml::StatusCallback {
        url: EVENTS.into(),
        method: HttpMethod::Post,
        events: vec![twiml::ProgressEvent::Completed],
    });
    let mut s = Scenario::with(office, 1, Faults::NONE);
    s.web().serve(VOICE, Answer::twiml("<Reject reason=\"busy\"/>"));
    s.web().serve(EVENTS, Answer::page(204, None, ""));
    s.carrier_calls(NUMBER);
    s.pass_ms(2_000);
    let told = s.asked(EVENTS);
    assert_eq!(param(&told[0], "HangupCause"), Some("user_busy"));
    assert_eq!(param(&told[0], "SipResponseCode"), Some("486"));
    assert_eq!(param(&told[0], "CallQualityStats"), None);
    s.expect_rest();
}

#[test]
fn a_stream_speaks_the_dialect_and_fails_in_its_words() {
    const APP: &str = "wss://app.example/media";
    let verbs = format!(
        "<Start><Stream url=\"{APP}\" statusCallback=\"/events\" bidirectionalMode=\"rtp\" bidirectionalCodec=\"PCMA\"/>\
         </Start><Say>hello</Say>"
    );
    let mut s = texml(&verbs);
    s.world.streams.refusals.insert(APP.into(), (31902, "refused".into()));
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(2_000);
    let open = s.world.streams.opened[0].clone();
    let pcma = twiml::StreamCodec::Pcma;
    let hears = Some(twiml::StreamCodec::Pcmu);
    let wanted = twiml::TexmlStream { mp3: false, says: pcma, hears, ..twiml::TexmlStream::default() };
    assert_eq!(open.texml, Some(wanted));
    assert_eq!((open.from.is_empty(), open.to.as_str()), (false, NUMBER));
    let told = s.asked(EVENTS);
    assert_eq!(param(&told[0], "StreamEvent"), Some("stream-failed"), "{told:?}");
    assert!(s.heard_clip(&caller, "hello"), "the call goes on");
    s.expect_rest();
    let mut s = crate::office(&verbs);
    s.carrier_calls(NUMBER);
    s.pass_ms(1_000);
    assert_eq!(s.world.streams.opened[0].texml, None);
}

/// What a stream is in unless its document says otherwise, or says `default`.
#[test]
fn a_stream_is_heard_in_the_codec_of_its_call() {
    use media::CodecKind;
    use twiml::StreamCodec;
    for (spoken, codec, heard) in [
        (CodecKind::Pcmu, "", StreamCodec::Pcmu),
        (CodecKind::Pcma, "", StreamCodec::Pcma),
        (CodecKind::Pcma, "codec=\"default\"", StreamCodec::Pcma),
        (CodecKind::G722, "codec=\"default\"", StreamCodec::G722),
        (CodecKind::Opus, "codec=\"default\"", StreamCodec::Opus),
        (CodecKind::Pcma, "codec=\"PCMU\"", StreamCodec::Pcmu),
        (CodecKind::Pcmu, "codec=\"L16\"", StreamCodec::L16),
    ] {
        let mut office = sim::office(&[("ann", "101")]);
        office.media.codecs = vec![CodecKind::Pcmu, CodecKind::Pcma, CodecKind::G722, CodecKind::Opus];
        let stream = format!("<Stream url=\"wss://app.example/media\" {codec}/>");
        let mut s = texml_in(office, &format!("<Connect>{stream}</Connect>"));
        let carrier = s.carrier();
        s.world.ua(carrier).codecs = vec![spoken];
        let caller = s.carrier_calls(NUMBER);
        s.pass_ms(1_000);
        let opened = s.world.streams.opened[0].texml.and_then(|texml| texml.hears);
        assert_eq!(opened, Some(heard), "{spoken:?} {codec}");
        s.hangs_up(&caller);
        s.expect_rest();
    }
}

/// The application is the call's, whichever API asked for the stream.
#[test]
fn a_stream_begun_by_the_api_speaks_the_calls_dialect() {
    const APP: &str = "wss://app.example/media";
    let verbs = "<Say>hello</Say><Pause length=\"60\"/>";
    let hears = Some(twiml::StreamCodec::Pcmu);
    let own = twiml::TexmlStream { hears, ..twiml::TexmlStream::default() };
    for (mut s, texml) in [(texml(verbs), Some(own)), (crate::office(verbs), None)] {
        let caller = s.carrier_calls(NUMBER);
        s.pass_ms(3_000);
        let call = s.rows()[0].sid;
        let noun = twiml::StreamNoun {
            name: None,
            url: APP.to_owned(),
            track: twiml::StreamTrack::InboundTrack,
            status_callback: None,
            parameters: Vec::new(),
            // What was asked for in the other dialect is not this call's.
            texml: texml.is_none().then(twiml::TexmlStream::default),
        };
        let order = Box::new(ServiceOrder::Stream(noun));
        let reply = s.operator(Operator::Service { call, order });
        assert!(matches!(reply, OperatorReply::Service(_)), "{reply:?}");
        s.pass_ms(500);
        assert_eq!(s.world.streams.opened[0].texml, texml);
        s.hangs_up(&caller);
        s.expect_rest();
    }
}

/// A file of the wanted format where the box can write it; what it always writes otherwise.
#[test]
fn a_recording_is_of_the_wanted_format() {
    use media::RecordFormat::{Mp3, OggOpus, Wav};
    for (attribute, encodes_mp3, format) in [
        ("", true, Mp3),
        ("", false, OggOpus),
        ("format=\"mp3\"", true, Mp3),
        ("format=\"mp3\"", false, OggOpus),
        ("format=\"wav\"", true, Wav),
        ("format=\"wav\"", false, Wav),
    ] {
        let mut office = sim::office(&[]);
        office.media.recording_format = OggOpus;
        office.media.encodes_mp3 = encodes_mp3;
        let verbs = format!("<Record maxLength=\"2\" playBeep=\"false\" {attribute}/>");
        let mut s = texml_in(office, &verbs);
        s.carrier_calls(NUMBER);
        s.pass_ms(5_000);
        let path = s.recordings()[0].path.clone();
        assert!(path.ends_with(format.extension()), "{attribute} {encodes_mp3}: {path}");
        s.expect_rest();
    }
}

/// A call center written for that vendor: two agents ring at once, who answers is told by its events, the document goes
/// on after the dial, and a message ends with a key without another request.
#[test]
fn a_call_center_of_that_vendor_runs_unchanged() {
    const COMPLETED: &str = "http://web.example/TeXML/completed";
    let mut office = sim::office(&[("ann", "101"), ("bob", "102")]);
    let application = &mut office.numbers.get_mut(NUMBER).expect("there is one").application;
    application.status_callback = None;
    let sip = |name: &str| {
        format!(
            "<Sip statusCallback='/events' statusCallbackEvent='initiated answered completed'>sip:{name}@192.0.2.1</Sip>"
        )
    };
    let inbound = format!(
        "<!-- the greeting --><Say>welcome</Say><Dial record='record-from-answer-dual'><!-- all at once -->{}{}</Dial>\
         <Pause length='1'/><Redirect method='POST'>/TeXML/completed</Redirect>",
        sip("ann"),
        sip("bob")
    );
    let mut s = texml_in(office, &inbound);
    let voicemail = "<Say>leave a message</Say><Record playBeep='true' recordingStatusCallback='/recorded'/>";
    s.web().serve(COMPLETED, Answer::twiml(voicemail));
    s.web().serve("http://web.example/recorded", Answer::page(204, None, ""));
    let (_, bob) = (s.phone("ann"), s.phone("bob"));
    let caller = s.carrier_calls(NUMBER);
    for _ in 0..100 {
        s.pass_ms(100);
        if s.asked(EVENTS).len() == 2 {
            break;
        }
    }
    let begun = s.asked(EVENTS);
    assert_eq!(begun.len(), 2, "{begun:?}");
    let of = |request: &_, name: &str| param(request, name).unwrap_or_default().to_owned();
    let parent = of(&s.asked(VOICE)[0], "CallSid");
    for event in &begun {
        assert_eq!(
            (of(event, "CallStatus"), of(event, "ParentCallSid")),
            ("initiated".into(), parent.clone())
        );
    }
    assert_ne!(of(&begun[0], "CallSid"), of(&begun[1], "CallSid"));
    s.picks_up(bob);
    s.pass_ms(10_000);
    let told = s.asked(EVENTS);
    let answered: Vec<_> = told.iter().filter(|event| of(event, "CallStatus") == "in-progress").collect();
    assert_eq!(answered.len(), 1, "{told:?}");
    assert!(of(answered[0], "To").starts_with("sip:bob@"), "{answered:?}");
    let to_bob = s.latest(bob).expect("it talks");
    s.hangs_up(&to_bob);
    s.pass_ms(3_000);
    let told = s.asked(EVENTS);
    let recorded: Vec<_> = told.iter().filter(|event| param(event, "RecordingUrl").is_some()).collect();
    assert_eq!(recorded.len(), 1, "{told:?}");
    assert_eq!(of(recorded[0], "CallStatus"), "completed");
    let seconds: u32 = of(recorded[0], "RecordingDuration").parse().expect("seconds");
    assert!((9..=11).contains(&seconds), "{seconds}");
    let next = s.asked(COMPLETED);
    assert_eq!(
        (next.len(), of(&next[0], "CallSid")),
        (1, parent),
        "the dial has no action: the document goes on"
    );
    s.pass_ms(2_000);
    s.presses(&caller, "#");
    s.pass_ms(3_000);
    assert_eq!(s.asked(COMPLETED).len(), 1, "a message that ends with a key asks nobody");
    let recorded = s.asked("http://web.example/recorded");
    assert_eq!(recorded.len(), 1);
    assert_eq!(of(&recorded[0], "RecordingStatus"), "completed");
    assert!(s.notifications().is_empty(), "{:?}", s.notifications());
    s.expect_rest();
}

/// Of a call of the API that says whom it supervises.
#[test]
fn a_supervisor_comes_into_the_conference_and_is_heard_as_asked() {
    use router::SupervisorMode::{Barge, Monitor, Whisper};
    let supervisor = |call, mode| NewCall {
        supervises: Some((call, mode)),
        dialect: Dialect::Texml,
        ..NewCall::new("client:ann", "+15550001111", CallDocument::Given(Source::Inline(String::new())))
    };
    for (mode, agent_hears, customer_hears) in
        [(Monitor, false, false), (Whisper, true, false), (Barge, true, true)]
    {
        let mut s = texml("<Dial><Conference>R &amp; D</Conference></Dial>");
        let ann = s.phone("ann");
        s.will(ann, Reaction::Answer(Duration::from_millis(100)));
        let (agent, customer) = (s.carrier_calls(NUMBER), s.carrier_calls(NUMBER));
        s.pass_ms(1_000);
        let supervised = s.rows()[0].sid;
        let reply = s.operator(Operator::Originate(Box::new(supervisor(supervised, mode))));
        assert!(matches!(reply, OperatorReply::Call(_)), "{reply:?}");
        s.pass_ms(1_500);
        let boss = s.latest(ann).expect("it rings");
        assert!(s.hears(&boss, &agent) && s.hears(&boss, &customer), "{mode:?}");
        let heard = (s.hears(&agent, &boss), s.hears(&customer, &boss));
        assert_eq!(heard, (agent_hears, customer_hears), "{mode:?}");
        s.hangs_up(&boss);
        s.pass_ms(500);
        assert!(s.hears(&agent, &customer), "they talk on");
        s.hangs_up(&agent);
        s.hangs_up(&customer);
        s.expect_rest();
    }
    let mut s = texml("<Pause length=\"60\"/>");
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(500);
    let alone = s.rows()[0].sid;
    let reply = s.operator(Operator::Originate(Box::new(supervisor(alone, Barge))));
    assert!(matches!(&reply, OperatorReply::NotPlaced(why) if why.code == 21220), "{reply:?}");
    s.hangs_up(&caller);
    s.expect_rest();
}
