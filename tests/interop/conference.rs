//! Conferences on real sockets: who hears whose tone.

use std::time::Instant;

use crate::common::network::{in_own_network, loopback};
use crate::common::rtp::Rtp;
use crate::common::scenario::Scenario;
use crate::common::sipp::{Sipp, Transport};
use crate::common::{hz, ms, s, tone, wait_for};
use crate::stage::{CALLER, NUMBER, office, web};

/// Somebody in the conference, saying a tone of its own.
struct Member {
    sipp: Sipp,
    rtp: Rtp,
    tone: f64,
}

impl Member {
    /// Waits until it hears both of these beside each other, since `since`.
    fn hears_both(&self, others: [f64; 2], since: Instant) {
        for hz in others {
            wait_for(&format!("two seconds with {hz} Hz for the member of {} Hz", self.tone), s(12), || {
                (tone::seconds_with(&self.rtp.heard_since(since), hz) >= 2.0).then_some(())
            });
        }
        let itself = tone::seconds_with(&self.rtp.heard_since(since), self.tone);
        assert!(itself < 0.3, "the member of {} Hz hears itself for {itself} s", self.tone);
    }
}

#[test]
fn three_hear_the_two_others_and_two_go_on_when_one_leaves() {
    in_own_network(|| {
        let web = web();
        let told = "statusCallback=\"/events\" statusCallbackEvent=\"start end join leave\"";
        web.document("/voice", &format!("<Dial><Conference beep=\"false\" {told}>desk</Conference></Dial>"));
        let tandem = office(&web).open();
        let enter = |port: u16, tone: f64| {
            let rtp = Rtp::open(loopback(2));
            let scenario = Scenario::caller(CALLER, NUMBER).invite_answered(&rtp.sdp()).until_told().bye();
            let local = (loopback(2), port).into();
            let mut sipp = Sipp::call(&scenario.xml(), Transport::Udp, local, tandem.sip());
            let answer = sipp.wait("SIP/2.0 200", s(10));
            rtp.talk_to(answer.media().expect("an answer with SDP")).say(tone);
            Member { sipp, rtp, tone }
        };
        let ann = enter(5081, hz::PROMPT);
        wait_for("music while ann is alone", s(8), || {
            (tone::seconds_of_other(&ann.rtp.heard(), &[hz::AGENT, hz::CALLER]) > 1.0).then_some(())
        });
        let bob = enter(5082, hz::AGENT);
        let mut cem = enter(5083, hz::CALLER);
        std::thread::sleep(ms(500));
        let since = Instant::now();
        ann.hears_both([hz::AGENT, hz::CALLER], since);
        bob.hears_both([hz::PROMPT, hz::CALLER], since);
        cem.hears_both([hz::PROMPT, hz::AGENT], since);

        cem.sipp.go_on();
        cem.sipp.succeeds(s(10));
        std::thread::sleep(ms(500));
        let after = Instant::now();
        ann.rtp.wait_tone(hz::AGENT, 2.0, after, s(8));
        bob.rtp.wait_tone(hz::PROMPT, 2.0, after, s(8));
        let left = tone::seconds_with(&ann.rtp.heard_since(after), hz::CALLER);
        assert!(left < 0.2, "who left is heard for {left} s");

        for mut member in [ann, bob] {
            member.sipp.go_on();
            member.sipp.succeeds(s(10));
        }
        let end = web.wait_with("/events", "StatusCallbackEvent", "conference-end", s(5));
        assert_eq!(end.get("ReasonConferenceEnded"), "last-participant-left");
        assert_eq!(end.get("SequenceNumber"), "8");
    });
}

#[test]
fn five_hear_each_other_a_coach_is_heard_by_one_and_all_of_it_is_recorded() {
    const TONES: [f64; 5] = [500.0, 620.0, 740.0, 860.0, 980.0];
    in_own_network(|| {
        let web = web();
        let first: std::sync::Arc<std::sync::Mutex<Option<String>>> = std::sync::Arc::default();
        web.on("/voice", move |request| {
            let mut first = first.lock().expect("nobody panics in here");
            let coach = match &*first {
                // The fifth one says something to the first one alone.
                Some(sid) if request.get("From") == "+15557770005" => format!(" coach=\"{sid}\""),
                _ => String::new(),
            };
            first.get_or_insert_with(|| request.get("CallSid").to_owned());
            let record = "record=\"record-from-start\" recordingStatusCallback=\"/recorded\"";
            let verbs = format!("<Dial><Conference beep=\"false\" {record}{coach}>desk</Conference></Dial>");
            crate::common::web::Reply::twiml(&verbs)
        });
        web.on("/recorded", |_| crate::common::web::Reply::empty());
        let tandem = office(&web).open();
        let mut members: Vec<Member> = Vec::new();
        for (n, tone) in TONES.into_iter().enumerate() {
            let rtp = Rtp::open(loopback(2));
            let from = format!("+1555777000{}", n + 1);
            let scenario = Scenario::caller(&from, NUMBER).invite_answered(&rtp.sdp()).until_told().bye();
            let local = (loopback(2), 5081 + n as u16).into();
            let mut sipp = Sipp::call(&scenario.xml(), Transport::Udp, local, tandem.sip());
            let answer = sipp.wait("SIP/2.0 200", s(10));
            rtp.talk_to(answer.media().expect("an answer with SDP")).say(tone);
            members.push(Member { sipp, rtp, tone });
        }
        std::thread::sleep(ms(700));
        let since = Instant::now();
        std::thread::sleep(ms(4_000));
        for (n, member) in members.iter().enumerate() {
            let heard = member.rtp.heard_since(since);
            for (other, hz) in TONES.into_iter().enumerate() {
                let seconds = tone::seconds_with(&heard, hz);
                let is_heard = other != n && (other != 4 || n == 0);
                assert_eq!(seconds > 2.0, is_heard, "{n} hears {other} for {seconds} s");
            }
        }
        for mut member in members {
            member.sipp.go_on();
            member.sipp.succeeds(s(10));
        }
        let recorded = web.wait("/recorded", s(10));
        assert_eq!(recorded.get("RecordingSource"), "Conference");
        assert!(recorded.get("ConferenceSid").starts_with("CF"));
        let recordings =
            wait_for("the recording", s(5), || Some(tandem.recordings()).filter(|all| !all.is_empty()));
        let sound = &recordings[0][0];
        for (n, hz) in TONES.into_iter().enumerate() {
            let seconds = tone::seconds_with(sound, hz);
            assert_eq!(seconds > 2.0, n != 4, "the recording has {n} for {seconds} s");
        }
    });
}
