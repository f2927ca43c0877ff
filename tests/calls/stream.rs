//! Media streams, recordings begun by `<Start>`, and `<Echo>`: what the application, the caller and the record see.

use base::StreamSid;
use call::{StreamAsk, StreamEvent};
use media::RecordWhat;
use sim::{Answer, Heard, NUMBER, Scenario, UaState, VOICE, param};
use twiml::{RecordingSource, RecordingStatus, StreamTrack};

use crate::{ACTION, EVENTS, office, told};

const APP: &str = "wss://app.example/media";

fn start(attributes: &str) -> String {
    format!("<Start><Stream url=\"{APP}\" statusCallback=\"/events\" {attributes}/></Start>")
}

fn connect(attributes: &str) -> String {
    format!(
        "<Connect {attributes}><Stream url=\"{APP}\" statusCallback=\"/events\"/></Connect><Say>after</Say>"
    )
}

/// What was told of streams, in order.
fn events(s: &mut Scenario) -> Vec<String> {
    let asked = s.asked(EVENTS);
    asked.iter().filter_map(|request| param(request, "StreamEvent").map(str::to_owned)).collect()
}

fn event(s: &mut Scenario, n: usize, name: &str) -> Option<String> {
    param(&s.asked(EVENTS)[n], name).map(str::to_owned)
}

fn opened(s: &Scenario, n: usize) -> StreamSid {
    s.world.streams.opened[n].stream
}

#[test]
fn a_started_stream_runs_beside_the_document_until_the_call_ends() {
    let parameter = "<Parameter name=\"a\" value=\"1\"/>";
    let verbs = format!(
        "<Start><Stream url=\"{APP}\" name=\"s\" track=\"both_tracks\" statusCallback=\"/events\">{parameter}\
         </Stream></Start><Say>hello</Say><Pause length=\"5\"/>"
    );
    let mut s = office(&verbs);
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(1_000);
    assert!(s.heard_clip(&caller, "hello"), "nobody waits for the stream");
    let open = s.world.streams.opened[0].clone();
    assert_eq!((open.url.as_str(), open.track, open.feed), (APP, StreamTrack::BothTracks, None));
    assert_eq!(open.parameters, [("a".to_owned(), "1".to_owned())]);
    let tapped: Vec<RecordWhat> = s.world.media.taps.values().map(|(_, what)| *what).collect();
    assert_eq!(tapped, [RecordWhat::Dual]);
    assert_eq!(events(&mut s), ["stream-started"]);
    assert_eq!(event(&mut s, 0, "StreamName").as_deref(), Some("s"));
    assert_eq!(event(&mut s, 0, "StreamSid"), Some(open.stream.to_string()));
    assert_eq!(event(&mut s, 0, "CallSid"), Some(open.call.to_string()));
    s.hangs_up(&caller);
    s.pass_ms(500);
    assert_eq!(events(&mut s), ["stream-started", "stream-stopped"]);
    assert_eq!(s.world.streams.told, [(open.stream, StreamAsk::Close)]);
    assert!(s.world.media.taps.is_empty());
    s.expect_rest();
}

#[test]
fn each_track_is_tapped_as_asked() {
    for (track, what) in [
        ("", RecordWhat::Received),
        ("track=\"inbound_track\"", RecordWhat::Received),
        ("track=\"outbound_track\"", RecordWhat::Sent),
        ("track=\"both_tracks\"", RecordWhat::Dual),
    ] {
        let mut s = office(&format!("{}<Pause length=\"3\"/>", start(track)));
        s.carrier_calls(NUMBER);
        s.pass_ms(1_500);
        let tapped: Vec<RecordWhat> = s.world.media.taps.values().map(|(_, what)| *what).collect();
        assert_eq!(tapped, [what], "{track}");
        s.expect_rest();
    }
}

#[test]
fn stop_ends_the_stream_it_names_and_no_other() {
    let verbs = format!(
        "{}{}<Pause length=\"1\"/><Stop><Stream name=\"b\"/></Stop><Stop><Stream name=\"none\"/></Stop>\
         <Pause length=\"2\"/>",
        start("name=\"a\""),
        start("name=\"b\"")
    );
    let mut s = office(&verbs);
    s.carrier_calls(NUMBER);
    s.pass_ms(2_500);
    let (a, b) = (opened(&s, 0), opened(&s, 1));
    assert_eq!(
        (s.world.streams.running(), s.world.streams.told.clone()),
        (vec![a], vec![(b, StreamAsk::Close)])
    );
    assert_eq!(events(&mut s), ["stream-started", "stream-started", "stream-stopped"]);
    assert_eq!(event(&mut s, 2, "StreamName").as_deref(), Some("b"));
    assert_eq!(s.notifications(), [0_u32; 0]);
    s.expect_rest();
}

#[test]
fn the_fifth_stream_of_a_call_is_refused_and_so_is_a_name_in_use() {
    let verbs: String =
        ["a", "b", "a", "c", "d", "e"].map(|name| start(&format!("name=\"{name}\""))).concat();
    let mut s = office(&format!("{verbs}<Say>hello</Say>"));
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(1_500);
    assert_eq!(s.world.streams.opened.len(), 4);
    assert_eq!(s.notifications(), [31900, 31960]);
    let failed: Vec<_> =
        (0..6).filter(|n| event(&mut s, *n, "StreamEvent").as_deref() == Some("stream-error")).collect();
    assert_eq!(failed.len(), 2);
    let why = event(&mut s, failed[1], "StreamError").unwrap();
    assert!(why.contains("too many streams"), "{why}");
    assert!(s.heard_clip(&caller, "hello"), "the call goes on");
    s.expect_rest();
}

#[test]
fn a_stream_that_cannot_be_connected_is_told_and_the_call_goes_on() {
    for code in [31901, 31902, 31904, 31910, 31920] {
        let mut s = office(&format!("{}<Pause length=\"1\"/><Say>hello</Say>", start("")));
        s.world.streams.refusals.insert(APP.to_owned(), (code, "why".to_owned()));
        let caller = s.carrier_calls(NUMBER);
        s.pass_ms(2_500);
        assert_eq!(events(&mut s), ["stream-error"]);
        assert_eq!(event(&mut s, 0, "StreamErrorCode"), Some(code.to_string()));
        assert_eq!(s.notifications(), [code]);
        assert!(s.heard_clip(&caller, "hello"));
        s.expect_rest();
    }
    for (url, code) in [("https://app.example/", 31922), ("media", 31923)] {
        let mut s = office(&format!(
            "<Start><Stream url=\"{url}\" statusCallback=\"/events\"/></Start><Say>hello</Say>"
        ));
        let caller = s.carrier_calls(NUMBER);
        s.pass_ms(2_500);
        assert_eq!((events(&mut s), s.notifications()), (vec!["stream-error".to_owned()], vec![code]));
        assert!(s.world.streams.opened.is_empty() && s.heard_clip(&caller, "hello"));
        s.expect_rest();
    }
}

#[test]
fn a_stream_that_breaks_is_told_and_one_that_the_application_closes_has_stopped() {
    for (end, told, codes) in [
        (StreamEvent::Stopped, "stream-stopped", vec![]),
        (StreamEvent::Failed { code: 31921, message: String::new() }, "stream-error", vec![31921]),
    ] {
        let mut s = office(&format!("{}<Pause length=\"3\"/><Say>hello</Say>", start("")));
        let caller = s.carrier_calls(NUMBER);
        s.pass_ms(1_500);
        let sid = opened(&s, 0);
        s.world.stream(sid, end);
        s.pass_ms(3_500);
        assert_eq!(events(&mut s), ["stream-started", told]);
        assert_eq!(s.notifications(), codes);
        assert!(s.heard_clip(&caller, "hello") && s.world.media.taps.is_empty());
        s.expect_rest();
    }
}

#[test]
fn a_warning_of_a_stream_is_a_notification_and_nothing_else() {
    let mut s = office(&format!("{}<Pause length=\"3\"/>", start("")));
    s.carrier_calls(NUMBER);
    s.pass_ms(1_500);
    let sid = opened(&s, 0);
    s.world.stream(sid, StreamEvent::Warning { code: 31930, message: String::new() });
    s.pass_ms(100);
    assert_eq!((s.notifications(), events(&mut s)), (vec![31930], vec!["stream-started".to_owned()]));
    assert_eq!(s.world.streams.running(), [sid]);
    s.expect_rest();
}

#[test]
fn connect_holds_the_document_until_the_application_closes() {
    let mut s = office(&connect(""));
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(20_000);
    assert_eq!(s.state(&caller), UaState::Up);
    assert!(!s.heard_clip(&caller, "after"), "it blocks");
    let open = s.world.streams.opened[0].clone();
    assert!(open.feed.is_some());
    assert_eq!(s.world.media.feeds.len(), 1);
    s.presses(&caller, "1#");
    let sid = open.stream;
    assert_eq!(s.world.streams.told, [(sid, StreamAsk::Key('1')), (sid, StreamAsk::Key('#'))]);
    s.world.stream(sid, StreamEvent::Stopped);
    s.pass_ms(1_000);
    assert!(s.heard_clip(&caller, "after"));
    assert!(s.world.media.feeds.is_empty() && s.world.media.taps.is_empty());
    assert_eq!(events(&mut s), ["stream-started", "stream-stopped"]);
    s.expect_rest();
}

#[test]
fn stop_does_not_end_a_connected_stream_and_a_started_one_may_run_beside_it() {
    let verbs = format!("{}{}", start("name=\"s\""), connect(""));
    let mut s = office(&verbs);
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(2_000);
    assert_eq!(s.world.streams.running().len(), 2);
    s.presses(&caller, "5");
    let connected = opened(&s, 1);
    assert_eq!(s.world.streams.told, [(connected, StreamAsk::Key('5'))], "a started one hears of no keys");
    s.hangs_up(&caller);
    s.pass_ms(500);
    assert_eq!(events(&mut s).iter().filter(|event| *event == "stream-stopped").count(), 2);
    s.expect_rest();
}

#[test]
fn the_action_of_a_connect_is_requested_whatever_ended_it() {
    for (end, code) in [
        (Some(StreamEvent::Stopped), None),
        (Some(StreamEvent::Failed { code: 31903, message: String::new() }), Some("31903")),
        (None, Some("31902")),
    ] {
        let mut s = office(&connect("action=\"/action\""));
        if end.is_none() {
            s.world.streams.refusals.insert(APP.to_owned(), (31902, String::new()));
        }
        let caller = s.carrier_calls(NUMBER);
        s.pass_ms(1_500);
        let sid = opened(&s, 0);
        end.into_iter().for_each(|end| s.world.stream(sid, end));
        s.pass_ms(1_000);
        assert_eq!(told(&mut s, ACTION, "StreamSid"), Some(sid.to_string()));
        assert_eq!(told(&mut s, ACTION, "ErrorCode").as_deref(), code);
        assert!(s.heard_clip(&caller, "done") && !s.heard_clip(&caller, "after"));
        s.expect_rest();
    }
}

#[test]
fn a_connect_of_which_nothing_is_heard_is_given_up() {
    let mut s = office(&connect(""));
    s.world.streams.silent.push(APP.to_owned());
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(45_000);
    assert!(s.heard_clip(&caller, "after"));
    assert_eq!((s.notifications(), events(&mut s)), (vec![31901], vec!["stream-error".to_owned()]));
    s.expect_rest();
}

#[test]
fn what_the_box_cannot_connect_to_is_told_and_its_action_requested_or_the_next_verb_runs() {
    let mut s = office("<Connect action=\"/action\"><Room>r</Room></Connect><Say>after</Say>");
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(2_000);
    assert_eq!(s.notifications(), [13750]);
    assert_eq!(told(&mut s, ACTION, "ErrorCode").as_deref(), Some("13750"));
    assert!(s.heard_clip(&caller, "done"));
    s.expect_rest();

    let mut s = office("<Connect><ConversationRelay url=\"wss://h\"/></Connect><Say>after</Say>");
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(2_000);
    assert_eq!(s.notifications(), [13750]);
    assert!(s.heard_clip(&caller, "after"));
    s.expect_rest();
}

#[test]
fn a_caller_who_hangs_up_while_a_stream_connects_leaves_nothing() {
    for verbs in [connect("action=\"/action\""), format!("{}<Pause length=\"3\"/>", start(""))] {
        let mut s = office(&verbs);
        s.world.streams.silent.push(APP.to_owned());
        let caller = s.carrier_calls(NUMBER);
        s.pass_ms(1_000);
        assert_eq!(s.world.streams.running().len(), 1);
        s.hangs_up(&caller);
        s.pass_ms(500);
        assert_eq!(events(&mut s), ["stream-stopped"]);
        assert!(s.asked(ACTION).is_empty(), "nobody is there to go on");
        s.expect_rest();
    }
}

#[test]
fn streams_live_across_documents_and_dials() {
    let mut s = office(&format!("{}<Redirect>/action</Redirect>", start("track=\"both_tracks\"")));
    s.web().serve(ACTION, Answer::twiml("<Dial><Client>ann</Client></Dial>"));
    let ann = s.phone("ann");
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(4_000);
    let phone = s.latest(ann).expect("ann's phone rings");
    assert!(s.bridged(&caller, &phone));
    assert_eq!((s.world.streams.running().len(), s.world.media.taps.len()), (1, 1));
    s.hangs_up(&caller);
    s.expect_rest();
}

#[test]
fn a_started_recording_lasts_across_documents_until_the_call_ends() {
    for (attributes, channels, track) in [
        ("", 2, "both"),
        ("channels=\"mono\"", 1, "both"),
        ("track=\"inbound\"", 1, "inbound"),
        ("track=\"outbound\" trim=\"trim-silence\"", 1, "outbound"),
    ] {
        let verbs = format!(
            "<Start><Recording {attributes} recordingStatusCallback=\"/events\" \
             recordingStatusCallbackEvent=\"in-progress completed\"/></Start><Redirect>/action</Redirect>"
        );
        let mut s = office(&verbs);
        s.web().serve(ACTION, Answer::twiml("<Pause length=\"4\"/>"));
        s.carrier_calls(NUMBER);
        s.pass_ms(7_000);
        let rows = s.recordings();
        assert_eq!(rows.len(), 1);
        assert_eq!((rows[0].channels, rows[0].track.as_str()), (channels, track));
        assert_eq!(rows[0].source, RecordingSource::StartCallRecordingTwiml);
        assert_eq!(rows[0].status, RecordingStatus::Completed);
        assert!(rows[0].duration_ms.unwrap() >= 4_000);
        let asked = s.asked(EVENTS);
        let told: Vec<_> = asked.iter().map(|r| param(r, "RecordingStatus").unwrap()).collect();
        assert_eq!(told, ["in-progress", "completed"]);
        assert_eq!(param(&asked[1], "RecordingSource"), Some("StartCallRecordingTwiML"));
        s.expect_rest();
    }
}

#[test]
fn too_many_recordings_are_told_and_the_call_goes_on() {
    let mut s = office(&format!("{}<Say>hello</Say>", "<Start><Recording/></Start>".repeat(5)));
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(2_000);
    assert_eq!((s.recordings().len(), s.notifications()), (4, vec![12400]));
    assert!(s.heard_clip(&caller, "hello"));
    s.expect_rest();
}

#[test]
fn echo_lasts_until_the_caller_hangs_up() {
    let mut s = office("<Echo/><Say>never</Say>");
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(60_000);
    assert_eq!(s.state(&caller), UaState::Up);
    assert_eq!(s.heard(&caller), [Heard::Itself]);
    s.presses(&caller, "12");
    s.hangs_up(&caller);
    s.pass_ms(500);
    assert!(!s.heard_clip(&caller, "never"));
    s.expect_rest();
}

#[test]
fn a_wrong_child_of_start_or_stop_ends_the_document() {
    for (verbs, code) in [
        ("<Start><Say>x</Say></Start>", 14300),
        ("<Stop><Stream/></Stop>", 14300),
        ("<Start><Stream/></Start>", 31923),
        ("<Connect><Stream url=\"wss://h\" track=\"both_tracks\"/></Connect>", 31941),
    ] {
        let mut s = office(verbs);
        s.web().serve(VOICE, Answer::twiml(&format!("{verbs}<Say>never</Say>")));
        let caller = s.carrier_calls(NUMBER);
        s.pass_ms(2_000);
        assert!(s.notifications().contains(&code), "{verbs}: {:?}", s.notifications());
        assert!(!s.heard_clip(&caller, "never"), "{verbs}");
        s.expect_rest();
    }
}
