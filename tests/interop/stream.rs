//! Media streams with a real WebSocket server, judged by tones: in the RTP the caller hears, in the frames the
//! application gets.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use crate::common::app::{App, Manner};
use crate::common::network::{in_own_network, loopback};
use crate::common::office::AUTH_TOKEN;
use crate::common::rtp::Rtp;
use crate::common::web::{Reply, Web};
use crate::common::{hz, ms, s, tone, wait_for};
use crate::stage::{Caller, answering_until_byed, office, outside, web};

fn connect(web: &Web, app: &App) {
    let url = app.url("/media?room=1");
    web.document(
        "/voice",
        &format!(
            "<Connect action=\"/after\"><Stream url=\"{url}\" statusCallback=\"/events\">\
             <Parameter name=\"who\" value=\"me\"/></Stream></Connect>"
        ),
    );
    web.document("/after", "<Play>/menu.wav</Play><Hangup/>");
}

#[test]
fn a_connected_application_hears_the_caller_and_is_heard() {
    in_own_network(|| {
        let (web, app) = (web(), App::start(loopback(9), Manner::Echoes));
        connect(&web, &app);
        let tandem = office(&web).open();
        let caller = Caller::calls_until_byed(&tandem);
        let started = web.wait_with("/events", "StreamEvent", "stream-started", s(10));
        let sid = app.sid();
        assert_eq!(started.get("StreamSid"), sid);
        let (target, headers) = app.handshakes().remove(0);
        assert_eq!(target, "/media?room=1");
        assert_eq!(
            headers["x-twilio-signature"],
            twiml::signature(AUTH_TOKEN, &app.url("/media?room=1"), &[])
        );
        let heard = app.heard();
        assert_eq!((&heard[0].1["event"], &heard[1].1["event"]), (&"connected".into(), &"start".into()));
        let start = &heard[1].1["start"];
        assert_eq!(
            (&start["customParameters"]["who"], &start["tracks"][0]),
            (&"me".into(), &"inbound".into())
        );

        // What the caller says comes back.
        let since = Instant::now();
        caller.rtp.say(hz::CALLER);
        caller.rtp.wait_tone(hz::CALLER, 2.0, since, s(8));
        assert!(tone::seconds_of(&app.sound("inbound", since), hz::CALLER) > 1.5);
        caller.rtp.press("5#");
        let keys = [app.wait("dtmf", 1, s(5)).1, app.wait("dtmf", 2, s(5)).1];
        assert_eq!((&keys[0]["dtmf"]["digit"], &keys[1]["dtmf"]["digit"]), (&"5".into(), &"#".into()));

        // Frames come at the pace of the clock, also in silence.
        caller.rtp.hush();
        std::thread::sleep(ms(500));
        let from = Instant::now();
        std::thread::sleep(ms(2_000));
        let frames = app.sound("inbound", from).len() / 160;
        assert!((95..=106).contains(&frames), "{frames} frames in 2 s");

        app.close();
        let after = web.wait("/after", s(5));
        assert_eq!(after.get("StreamSid"), sid);
        web.wait_with("/events", "StreamEvent", "stream-stopped", s(5));
        caller.rtp.wait_tone(hz::MENU, 1.0, from, s(8));
    });
}

#[test]
fn marks_come_when_the_words_are_said_and_a_barge_in_is_obeyed_at_once() {
    in_own_network(|| {
        let (web, app) = (web(), App::start(loopback(9), Manner::Listens));
        connect(&web, &app);
        let tandem = office(&web).open();
        let mut caller = Caller::calls_and_hangs_up_when_told(&tandem);
        app.wait("media", 10, s(10));
        let since = Instant::now();
        app.mark("first").say(&tone::sine(hz::PROMPT, 2.0)).mark("said");
        let (at, first) = app.wait("mark", 1, s(3));
        assert_eq!(first["mark"]["name"], "first");
        assert!(at - since < ms(300), "nothing was to be said before it: {:?}", at - since);
        let (at, said) = app.wait("mark", 2, s(6));
        assert_eq!(said["mark"]["name"], "said");
        // Not before the words were said; how long a busy machine takes to say them is another matter.
        assert!((ms(1_900)..ms(4_000)).contains(&(at - since)), "{:?}", at - since);
        let heard = tone::seconds_of(&caller.rtp.heard_since(since), hz::PROMPT);
        assert!(heard > 1.7, "{heard} s were heard when the mark came");

        let since = Instant::now();
        app.say(&tone::sine(hz::MENU, 20.0)).mark("interrupted");
        caller.rtp.wait_tone(hz::MENU, 1.0, since, s(5));
        let cleared = Instant::now();
        app.clear();
        let (at, mark) = app.wait("mark", 3, s(3));
        assert_eq!(mark["mark"]["name"], "interrupted");
        assert!(at - cleared < ms(100), "{:?}", at - cleared);
        std::thread::sleep(ms(200));
        let quiet = Instant::now();
        std::thread::sleep(ms(1_000));
        let after = tone::seconds_with(&caller.rtp.heard_since(quiet), hz::MENU);
        assert!(after < 0.05, "it goes on for {after} s");

        caller.hangs_up();
        app.wait("stop", 1, s(5));
        assert_eq!(app.closed(s(5)), 1000);
        let last = app.heard().last().unwrap().1.clone();
        assert_eq!(last["event"], "stop");
        for (n, (_, message)) in app.heard().iter().skip(1).enumerate() {
            assert_eq!(
                message["sequenceNumber"],
                (n + 1).to_string(),
                "none is missing and none comes twice"
            );
        }
        assert!(web.asked("/after").is_empty());
    });
}

#[test]
fn a_started_stream_hears_both_sides_of_a_bridge_apart() {
    in_own_network(|| {
        let (web, app) = (web(), App::start(loopback(9), Manner::Listens));
        let url = app.url("/");
        web.document(
            "/voice",
            &format!(
                "<Start><Stream url=\"{url}\" name=\"s\" track=\"both_tracks\"/><Recording/></Start>\
                 <Dial callerId=\"+15550001111\"><Number>+15559990001</Number></Dial>"
            ),
        );
        let tandem = office(&web).open();
        let rtp = Rtp::open(loopback(2));
        let mut callee = outside(&answering_until_byed(&rtp));
        let mut caller = Caller::calls_and_hangs_up_when_told(&tandem);
        caller.rtp.say(hz::CALLER);
        let invite = callee.wait("INVITE sip:+15559990001@", s(5));
        rtp.talk_to(invite.media().expect("an offer")).say(hz::AGENT);
        let since = Instant::now();
        caller.rtp.wait_tone(hz::AGENT, 2.0, since, s(8));
        wait_for("both tones, each in its track", s(8), || {
            let (inbound, outbound) = (app.sound("inbound", since), app.sound("outbound", since));
            (tone::seconds_of(&inbound, hz::CALLER) > 2.0 && tone::seconds_of(&outbound, hz::AGENT) > 2.0)
                .then_some(())
        });
        assert!(tone::seconds_with(&app.sound("inbound", since), hz::AGENT) < 0.1);
        assert!(tone::seconds_with(&app.sound("outbound", since), hz::CALLER) < 0.1);
        caller.hangs_up();
        callee.succeeds(s(5));
        assert_eq!(app.closed(s(5)), 1000);
    });
}

/// Of somebody in a conference: what it says, and what it hears, which is everybody but itself.
#[test]
fn a_stream_of_a_conference_hears_its_member_and_the_others_apart() {
    in_own_network(|| {
        let (web, app) = (web(), App::start(loopback(9), Manner::Listens));
        let stream = format!("<Start><Stream url=\"{}\" track=\"both_tracks\"/></Start>", app.url("/"));
        let calls = AtomicUsize::new(0);
        web.on("/voice", move |_| {
            let is_first = calls.fetch_add(1, Ordering::Relaxed) == 0;
            let stream = if is_first { &stream } else { "" };
            let room = "<Dial><Conference beep=\"false\" waitUrl=\"\">desk</Conference></Dial>";
            Reply::twiml(&format!("{stream}{room}"))
        });
        let tandem = office(&web).open();
        let mut ann = Caller::calls_and_hangs_up_when_told(&tandem);
        app.wait("media", 10, s(10));
        let mut bob = Caller::calls_beside(&tandem);
        ann.rtp.say(hz::CALLER);
        bob.rtp.say(hz::AGENT);
        let since = Instant::now();
        wait_for("both tones, each in its track", s(10), || {
            let (inbound, outbound) = (app.sound("inbound", since), app.sound("outbound", since));
            (tone::seconds_of(&inbound, hz::CALLER) > 2.0 && tone::seconds_of(&outbound, hz::AGENT) > 2.0)
                .then_some(())
        });
        assert!(tone::seconds_with(&app.sound("inbound", since), hz::AGENT) < 0.1);
        assert!(tone::seconds_with(&app.sound("outbound", since), hz::CALLER) < 0.1, "not itself");
        bob.hangs_up();
        ann.hangs_up();
        assert_eq!(app.closed(s(5)), 1000);
    });
}

/// What the application says is what the box says: it is in the recording's other channel.
#[test]
fn what_an_application_says_is_recorded() {
    in_own_network(|| {
        let (web, app) = (web(), App::start(loopback(9), Manner::Listens));
        let url = app.url("/");
        web.on("/recorded", |_| Reply::empty());
        web.document(
            "/voice",
            &format!(
                "<Start><Recording recordingStatusCallback=\"/recorded\"/></Start>\
                 <Connect><Stream url=\"{url}\"/></Connect>"
            ),
        );
        let tandem = office(&web).open();
        let mut caller = Caller::calls_and_hangs_up_when_told(&tandem);
        app.wait("media", 5, s(10));
        caller.rtp.say(hz::CALLER);
        app.say(&tone::sine(hz::PROMPT, 2.0)).mark("said");
        app.wait("mark", 1, s(8));
        std::thread::sleep(ms(300));
        caller.hangs_up();
        web.wait("/recorded", s(10));
        let all = wait_for("the recording", s(5), || Some(tandem.recordings()).filter(|all| all.len() == 1));
        let [said, heard] = all[0].as_slice() else { panic!("{} channels", all[0].len()) };
        assert!(tone::seconds_of(heard, hz::PROMPT) > 1.5, "{} s", tone::seconds_of(heard, hz::PROMPT));
        assert!(tone::seconds_of(said, hz::CALLER) > 1.5, "{} s", tone::seconds_of(said, hz::CALLER));
        assert_eq!(tone::seconds_with(said, hz::PROMPT), 0.0);
    });
}

#[test]
fn an_echo_is_heard() {
    in_own_network(|| {
        let web = web();
        web.document("/voice", "<Echo/>");
        let tandem = office(&web).open();
        let mut caller = Caller::calls_and_hangs_up_when_told(&tandem);
        let since = Instant::now();
        caller.rtp.say(hz::CALLER);
        caller.rtp.wait_tone(hz::CALLER, 2.0, since, s(8));
        caller.hangs_up();
    });
}
