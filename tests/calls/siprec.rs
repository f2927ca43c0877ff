//! `<Siprec>`: a recorder is sent both tracks of a call beside the document, and whatever it does the call goes on.

use call::office::Recorder;
use media::{Direction, RecordWhat};
use sim::{Answer, Caller, Faults, NUMBER, Reaction, Scenario, UaId, UaState, VOICE, office, param};
use sip::{HeaderName, TransportKind};
use std::net::SocketAddr;
use std::time::Duration;

use crate::EVENTS;

const ARCHIVE: [u8; 4] = [203, 0, 113, 200];

/// An office that has the recorder "archive" and answers with these verbs; the recorder.
fn recorded(verbs: &str) -> (Scenario, UaId) {
    let mut office = office(&[("ann", "101")]);
    let archive = Recorder {
        name: "archive".to_owned(),
        uri: "sip:record@203.0.113.200".to_owned(),
        username: None,
        password: None,
        codecs: vec![media::CodecKind::Pcmu, media::CodecKind::Pcma],
        srtp: None,
    };
    office.recorders.insert("archive".to_owned(), archive);
    let mut s = Scenario::with(office, 1, Faults::NONE);
    s.web().serve(VOICE, Answer::twiml(verbs));
    s.web().serve(EVENTS, Answer::page(204, None, ""));
    let archive = s.world.add_ua("archive", None, TransportKind::Udp, ARCHIVE.into());
    s.world.ua(archive).records = true;
    s.will(archive, Reaction::Answer(Duration::from_millis(50)));
    (s, archive)
}

fn start(attributes: &str) -> String {
    format!("<Start><Siprec connectorName=\"archive\" statusCallback=\"/events\" {attributes}/></Start>")
}

/// What was told of recording sessions, in order.
fn events(s: &mut Scenario) -> Vec<String> {
    let asked = s.asked(EVENTS);
    asked.iter().filter_map(|request| param(request, "SiprecEvent").map(str::to_owned)).collect()
}

fn event(s: &mut Scenario, n: usize, name: &str) -> Option<String> {
    param(&s.asked(EVENTS)[n], name).map(str::to_owned)
}

/// Where the recorder listens for the two tracks of a session.
fn listens(s: &mut Scenario, session: &Caller) -> [SocketAddr; 2] {
    let first = s.call(session).rtp;
    [first, SocketAddr::new(first.ip(), first.port() + 2)]
}

/// Which side of whose sound the recorder hears on each track.
fn hears(s: &mut Scenario, session: &Caller) -> [Option<RecordWhat>; 2] {
    listens(s, session).map(|rtp| s.world.media.hears_tap(rtp).map(|(_, what)| what))
}

const BOTH: [Option<RecordWhat>; 2] = [Some(RecordWhat::Received), Some(RecordWhat::Sent)];

#[test]
fn both_tracks_are_sent_until_stop_names_the_session() {
    let verbs = format!(
        "{}<Say>hello</Say><Pause length=\"2\"/><Stop><Siprec name=\"none\"/></Stop>\
         <Stop><Siprec name=\"r\"/></Stop><Pause length=\"5\"/>",
        start("name=\"r\"")
    );
    let (mut s, archive) = recorded(&verbs);
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(1_500);
    assert!(s.heard_clip(&caller, "hello"), "nobody waits for the recorder");
    let session = s.latest(archive).expect("it is invited");
    let invite = s.call(&session).invite.expect("a call it got");
    assert_eq!(invite.headers.text(&HeaderName::Require).as_deref(), Some("siprec"));
    let contact = invite.headers.text(&HeaderName::Contact).unwrap().into_owned();
    assert!(contact.ends_with(";+sip.src"), "{contact}");
    let offer = s.call(&session).described;
    assert_eq!((offer.matches("m=audio").count(), offer.matches("a=sendonly").count()), (2, 2));
    assert_eq!(hears(&mut s, &session), BOTH);
    let rtp = s.call(&caller).rtp;
    let leg = s.world.media.leg_of(rtp);
    for track in listens(&mut s, &session) {
        assert_eq!(s.world.media.hears_tap(track).map(|(leg, _)| leg), leg);
        assert_eq!(s.world.media.direction_of(track), Some(Direction::SendOnly));
    }
    assert_eq!(events(&mut s), ["siprec-started"]);
    assert_eq!(event(&mut s, 0, "SiprecName").as_deref(), Some("r"));
    assert!(event(&mut s, 0, "SiprecSid").unwrap().starts_with("SR"));
    s.pass_ms(4_000);
    assert_eq!(s.state(&session), UaState::Over(200));
    assert_eq!(events(&mut s), ["siprec-started", "siprec-stopped"]);
    assert!(s.world.media.taps.is_empty());
    assert_eq!((s.state(&caller), s.world.media.open_legs()), (UaState::Up, 1));
    assert!(s.notifications().is_empty());
    s.hangs_up(&caller);
    s.expect_rest();
}

#[test]
fn a_track_alone_and_parameters_are_sent_as_asked() {
    for (track, what) in [("inbound_track", RecordWhat::Received), ("outbound_track", RecordWhat::Sent)] {
        let noun = format!(
            "<Start><Siprec connectorName=\"archive\" track=\"{track}\"><Parameter name=\"desk\" value=\"3\"/>\
             </Siprec></Start><Pause length=\"5\"/>"
        );
        let (mut s, archive) = recorded(&noun);
        let caller = s.carrier_calls(NUMBER);
        s.pass_ms(1_500);
        let session = s.latest(archive).expect("it is invited");
        assert_eq!(hears(&mut s, &session), [Some(what), None], "{track}");
        let invite = s.call(&session).invite.expect("a call it got");
        assert_eq!(invite.headers.text(&HeaderName::from("X-Param-desk")).as_deref(), Some("3"));
        s.hangs_up(&caller);
        s.pass_ms(500);
        assert_eq!(s.state(&session), UaState::Over(200), "it ends with the call");
        s.expect_rest();
    }
}

#[test]
fn what_the_recorder_does_is_not_noticed_by_the_call() {
    let (mut s, archive) = recorded(&format!("{}<Dial><Client>ann</Client></Dial>", start("")));
    let ann = s.phone("ann");
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(2_000);
    let callee = s.latest(ann).expect("it rings");
    let session = s.latest(archive).expect("it is invited");
    for (hold, direction) in [(true, Direction::Inactive), (false, Direction::SendOnly)] {
        s.world.hold(session.ua, session.session, hold);
        s.pass_ms(500);
        for track in listens(&mut s, &session) {
            assert_eq!(s.world.media.direction_of(track), Some(direction));
        }
        assert_eq!(hears(&mut s, &session), BOTH);
    }
    assert!(s.bridged(&caller, &callee));
    s.hangs_up(&session);
    s.pass_ms(500);
    assert_eq!(events(&mut s), ["siprec-started", "siprec-stopped"]);
    assert!(s.bridged(&caller, &callee), "the call goes on");
    assert_eq!(s.world.media.open_legs(), 2);
    s.hangs_up(&caller);
    s.expect_rest();
}

#[test]
fn a_session_that_cannot_be_is_told_with_its_number() {
    type Story = fn(&mut Scenario, UaId);
    let stories: [(&str, u32, Story); 7] = [
        ("refused", 31902, |s, archive| s.will(archive, Reaction::Refuse(486))),
        ("forbidden", 31942, |s, archive| s.will(archive, Reaction::Refuse(403))),
        ("full", 31904, |s, archive| s.will(archive, Reaction::Refuse(503))),
        ("silent", 31901, |s, archive| s.world.ua(archive).gone = true),
        ("ringing", 31901, |s, archive| s.will(archive, Reaction::Ignore)),
        ("no codec", 31902, |s, archive| s.world.ua(archive).codecs = vec![media::CodecKind::Opus]),
        ("no port", 31900, |s, _| s.world.media.open_failures = 1),
    ];
    for (story, code, happens) in stories {
        let (mut s, archive) = recorded(&format!("<Say>wait</Say>{}<Echo/>", start("")));
        let caller = s.carrier_calls(NUMBER);
        s.pass_ms(900);
        happens(&mut s, archive);
        s.pass_ms(60_000);
        assert_eq!(events(&mut s), ["siprec-error"], "{story}");
        assert_eq!(event(&mut s, 0, "SiprecErrorCode"), Some(code.to_string()), "{story}");
        assert_eq!(s.notifications(), [code], "{story}");
        assert_eq!((s.state(&caller), s.world.media.open_legs()), (UaState::Up, 1), "{story}");
        s.hangs_up(&caller);
        s.expect_rest();
    }
}

#[test]
fn too_many_a_name_twice_and_an_unknown_connector_are_refused() {
    let other = "<Start><Siprec connectorName=\"other\" statusCallback=\"/events\"/></Start>";
    let verbs: String =
        ["a", "b", "a", "c", "d", "e"].map(|name| start(&format!("name=\"{name}\""))).concat();
    let (mut s, archive) = recorded(&format!("{verbs}{other}<Say>hello</Say><Pause length=\"60\"/>"));
    let caller = s.carrier_calls(NUMBER);
    s.pass_ms(2_000);
    assert_eq!(s.notifications(), [31900, 31960, 31940]);
    assert_eq!(s.world.ua(archive).calls.len(), call::SIPRECS_MAX);
    assert!(s.heard_clip(&caller, "hello"), "the call goes on");
    s.hangs_up(&caller);
    s.expect_rest();
}

#[test]
fn a_call_that_ends_before_the_recorder_answers_leaves_nothing_behind() {
    for ms in [0, 40] {
        let (mut s, archive) = recorded(&format!("{}<Hangup/>", start("")));
        s.will(archive, Reaction::Answer(Duration::from_millis(ms)));
        s.carrier_calls(NUMBER);
        s.pass_ms(3_000);
        assert_eq!(events(&mut s), ["siprec-stopped"]);
        s.expect_rest();
    }
}
