//! A conference built, led and ended wholly over HTTP, listened to on real sockets.

use std::time::Instant;

use serde_json::Value;

use crate::common::network::{in_own_network, loopback};
use crate::common::office::Tandem;
use crate::common::rest::Rest;
use crate::common::rtp::Rtp;
use crate::common::sipp::Sipp;
use crate::common::{hz, ms, s, tone, wait_for};
use crate::stage::{NUMBER, answering_until_byed, office, web};

/// What ann, bob and cem say.
const TONES: [f64; 3] = [700.0, 900.0, 1_150.0];
const ROOM: &str = "Conferences/my%20room";

/// Somebody who is called into the conference.
struct Leg {
    sipp: Sipp,
    rtp: Rtp,
    call: String,
    conference: String,
}

impl Leg {
    fn comes(tandem: &Tandem, rest: Rest, name: &str, host: u8, tone: f64, more: &[(&str, &str)]) -> Leg {
        let rtp = Rtp::open(loopback(host));
        let mut sipp = tandem.phone(name, host, &answering_until_byed(&rtp));
        let to = format!("client:{name}");
        let form = [&[("From", NUMBER), ("To", &to), ("Label", name), ("Beep", "false")], more].concat();
        let (status, one) = rest.post(&format!("{ROOM}/Participants.json"), &form);
        assert_eq!((status, &one["status"], &one["label"]), (201, &"queued".into(), &name.into()), "{one}");
        let invite = sipp.wait("INVITE ", s(10));
        assert!(invite.header("From").contains("My Desk"), "{}", invite.header("From"));
        rtp.talk_to(invite.media().expect("an offer")).say(tone);
        let text = |key: &str| one[key].as_str().expect("it is text").to_owned();
        let leg = Leg { sipp, rtp, call: text("call_sid"), conference: text("conference_sid") };
        let path = format!("{ROOM}/Participants/{name}.json");
        wait_for("the participant to be connected", s(10), || {
            (rest.get(&path).1["status"] == "connected").then_some(())
        });
        leg
    }

    fn path(&self) -> String {
        format!("Conferences/{}/Participants/{}.json", self.conference, self.call)
    }
}

/// For two seconds: seconds of each tone that each leg hears.
fn listen<const N: usize>(legs: &[&Leg], tones: [f64; N]) -> Vec<[f64; N]> {
    std::thread::sleep(ms(500));
    let since = Instant::now();
    std::thread::sleep(s(2));
    legs.iter().map(|leg| tones.map(|hz| tone::seconds_with(&leg.rtp.heard_since(since), hz))).collect()
}

/// Who hears what, `1` for a tone that is there most of the time and `0` for one that is not there.
fn heard<const N: usize>(legs: &[&Leg], tones: [f64; N]) -> Vec<String> {
    let word = |seconds: f64| match seconds {
        ..0.3 => '0',
        1.2.. => '1',
        _ => '?',
    };
    listen(legs, tones).into_iter().map(|leg| leg.into_iter().map(word).collect()).collect()
}

#[test]
fn three_are_called_held_announced_to_coached_muted_removed_and_recorded() {
    in_own_network(|| {
        let web = web();
        web.document("/hold", "<Play loop=\"0\">/prompt.wav</Play>");
        web.document("/news", "<Play>/menu.wav</Play><Pause length=\"1\"/><Play>/menu.wav</Play>");
        let mut tandem = office(&web).open();
        let rest = Rest::local();
        let events = web.url("/events");
        let wanted = [
            ("CallerDisplayName", "My Desk"),
            ("ConferenceStatusCallback", events.as_str()),
            ("ConferenceStatusCallbackEvent", "start end join leave mute hold modify announcement"),
            ("ConferenceRecord", "record-from-start"),
            ("ConferenceTrim", "do-not-trim"),
        ];
        let [a, b, c] = TONES;
        let mut ann = Leg::comes(&tandem, rest, "ann", 11, a, &wanted);
        let conference = format!("Conferences/{}.json", ann.conference);
        assert_eq!(rest.get(&conference).1["status"], "init");
        let mut bob = Leg::comes(&tandem, rest, "bob", 12, b, &wanted[..1]);
        let mut cem = Leg::comes(&tandem, rest, "cem", 13, c, &wanted[..1]);
        assert_eq!(rest.get(&conference).1["status"], "in-progress");
        assert_eq!(heard(&[&ann, &bob, &cem], TONES), ["011", "101", "110"]);

        let hold = web.url("/hold");
        let (status, one) = rest.post(&bob.path(), &[("Hold", "true"), ("HoldUrl", &hold)]);
        assert_eq!((status, &one["hold"]), (200, &true.into()));
        let with_hold = [a, b, c, hz::PROMPT];
        assert_eq!(heard(&[&ann, &bob, &cem], with_hold), ["0010", "0001", "1000"]);
        assert_eq!(web.wait("/hold", s(1)).method, "GET");
        let held = rest.get(&format!("{ROOM}/Participants.json?Hold=true")).1;
        assert_eq!(held["participants"][0]["call_sid"], bob.call.as_str());
        rest.post(&bob.path(), &[("Hold", "false")]);

        let since = Instant::now();
        let (status, _) = rest.post(&conference, &[("AnnounceUrl", &web.url("/news"))]);
        assert_eq!(status, 200);
        web.wait_with("/events", "StatusCallbackEvent", "announcement-end", s(15));
        for leg in [&ann, &bob, &cem] {
            let seconds = tone::seconds_with(&leg.rtp.heard_since(since), hz::MENU);
            assert!((3.2..4.5).contains(&seconds), "the announcement is heard for {seconds} s");
        }

        let (status, one) = rest.post(&cem.path(), &[("Coaching", "true"), ("CallSidToCoach", &ann.call)]);
        assert_eq!((status, &one["call_sid_to_coach"]), (200, &ann.call.as_str().into()));
        assert_eq!(heard(&[&ann, &bob, &cem], TONES), ["011", "100", "110"]);
        let (status, one) = rest.post(&bob.path(), &[("Muted", "true")]);
        assert_eq!((status, &one["muted"]), (200, &true.into()));
        assert_eq!(heard(&[&ann, &bob, &cem], TONES), ["001", "100", "100"]);

        assert_eq!(rest.delete(&cem.path()), 204);
        cem.sipp.succeeds(s(10));
        assert_eq!(rest.get(&cem.path()).0, 404);
        rest.post(&bob.path(), &[("Muted", "false")]);
        assert_eq!(heard(&[&ann, &bob], TONES), ["010", "100"]);

        let (status, ended) = rest.post(&conference, &[("Status", "completed")]);
        assert_eq!((status, &ended["status"]), (200, &"completed".into()));
        for leg in [&mut ann, &mut bob] {
            leg.sipp.succeeds(s(10));
        }
        let (status, refused) = rest.post(&conference, &[("Status", "completed")]);
        assert_eq!((status, &refused["code"]), (400, &16022.into()));

        let list = format!("Conferences/{}/Recordings.json", ann.conference);
        let recording = wait_for("the recording", s(10), || {
            let recordings = rest.get(&list).1["recordings"].clone();
            assert_eq!(recordings.as_array().map(Vec::len), Some(1), "{recordings}");
            (recordings[0]["status"] == "completed").then(|| recordings[0].clone())
        });
        let sid = recording["sid"].as_str().expect("it has a sid");
        let sound = &tone::read_wav(&rest.bytes(&format!("Recordings/{sid}.wav")))[0];
        for (hz, is_there) in [(a, true), (b, true), (c, true), (hz::MENU, true), (hz::PROMPT, false)] {
            let seconds = tone::seconds_with(sound, hz);
            assert_eq!(seconds > 2.0, is_there, "{hz} Hz for {seconds} s");
        }

        let told: Vec<_> = web.asked("/events");
        let events: Vec<&str> = told.iter().map(|event| event.get("StatusCallbackEvent")).collect();
        assert_eq!(
            events,
            [
                "participant-join",
                "participant-join",
                "conference-start",
                "participant-join",
                "participant-hold",
                "participant-unhold",
                "announcement-end",
                "participant-modify",
                "participant-mute",
                "participant-leave",
                "participant-unmute",
                "participant-leave",
                "participant-leave",
                "conference-end"
            ]
        );
        for (n, event) in told.iter().enumerate() {
            assert_eq!(event.get("SequenceNumber"), (n + 1).to_string());
        }

        tandem.kill();
        tandem.start();
        let listed: Value = rest.get("Conferences.json?Status=completed&FriendlyName=my%20room").1;
        let one = &listed["conferences"][0];
        assert_eq!(one["sid"], ann.conference.as_str(), "{listed}");
        assert_eq!(one["reason_conference_ended"], "conference-ended-via-api");
    });
}

/// It speaks into the room by a leg of its own, hears it, and records what it hears.
#[test]
fn an_application_is_called_into_a_conference_and_heard() {
    in_own_network(|| {
        let web = web();
        web.document("/bot", "<Play loop=\"2\">/prompt.wav</Play><Record maxLength=\"4\" playBeep=\"false\" action=\"/kept\"/>");
        web.document("/kept", "<Play>/menu.wav</Play>");
        let tandem = office(&web).open();
        let rest = Rest::local();
        let ann = Leg::comes(&tandem, rest, "ann", 11, TONES[0], &[("CallerDisplayName", "My Desk")]);
        let (status, made) =
            rest.post("Applications.json", &[("FriendlyName", "bot"), ("VoiceUrl", &web.url("/bot"))]);
        assert_eq!(status, 201, "{made}");
        let since = Instant::now();
        let to = format!("app:{}?ticket=42", made["sid"].as_str().unwrap());
        let form = [("From", NUMBER), ("To", to.as_str()), ("Label", "bot"), ("Beep", "false")];
        let (status, bot) = rest.post(&format!("{ROOM}/Participants.json"), &form);
        assert_eq!((status, &bot["conference_sid"]), (201, &ann.conference.as_str().into()), "{bot}");
        let asked = web.wait("/bot", s(10));
        assert_eq!((asked.get("Param_ticket"), asked.get("Direction")), ("42", "inbound"));
        assert!(asked.get("To").starts_with("app:AP"), "{}", asked.get("To"));
        ann.rtp.wait_tone(hz::PROMPT, 3.5, since, s(15));
        let kept = web.wait("/kept", s(20));
        ann.rtp.wait_tone(hz::MENU, 1.7, since, s(10));
        let sid = kept.get("RecordingUrl").rsplit('/').next().unwrap().to_owned();
        let sound = wait_for("the sound", s(10), || {
            let row = rest.get(&format!("Recordings/{sid}.json")).1;
            (row["status"] == "completed").then(|| rest.bytes(&format!("Recordings/{sid}.wav")))
        });
        let seconds = tone::seconds_of(&tone::read_wav(&sound)[0], TONES[0]);
        assert!((3.0..4.3).contains(&seconds), "it hears the room for {seconds} s");
        // Its document is over, and it has left.
        wait_for("the application to leave", s(10), || {
            (rest.get(&format!("{ROOM}/Participants/bot.json")).0 == 404).then_some(())
        });
        let list = rest.get(&format!("{ROOM}/Participants.json")).1;
        assert_eq!(list["participants"].as_array().map(Vec::len), Some(1), "{list}");
    });
}

#[test]
fn who_is_in_a_conference_when_the_box_dies_is_not_for_ever() {
    in_own_network(|| {
        let web = web();
        let mut tandem = office(&web).open();
        let rest = Rest::local();
        let ann = Leg::comes(&tandem, rest, "ann", 11, TONES[0], &[("CallerDisplayName", "My Desk")]);
        tandem.kill();
        tandem.start();
        let (_, one) = rest.get(&format!("Conferences/{}.json", ann.conference));
        assert_eq!(one["status"], "completed", "{one}");
        assert_eq!(rest.get(&format!("{ROOM}/Participants.json")).0, 404);
    });
}
