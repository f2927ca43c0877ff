//! `call_roulette`, whole: strangers who wait are put together by updating their live calls over REST, and never twice.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use serde_json::Value;

use crate::common::network::{in_own_network, loopback};
use crate::common::office::{Office, Tandem};
use crate::common::roulette::{Roulette, SORRY, State, TRACKS};
use crate::common::rtp::Rtp;
use crate::common::scenario::Scenario;
use crate::common::sipp::{Sipp, Transport};
use crate::common::web::{Reply, Web};
use crate::common::{hz, ms, s, tone, wait_for};
use crate::stage::NUMBER;

const REST: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8080);

fn open(web: &Web) -> Tandem {
    let keys = format!(
        "voice_fallback_url = \"{}\"\nstatus_callback = \"{}\"\n",
        web.url("/calls/exception"),
        web.url("/calls/flow?event=hang_up")
    );
    Office::new().carrier().number(NUMBER, &web.url("/calls/create"), &keys).open()
}

/// Somebody who calls, with a number and a tone of its own.
struct Stranger {
    number: String,
    tone: f64,
    sipp: Sipp,
    rtp: Rtp,
}

impl Stranger {
    fn calls(tandem: &Tandem, n: u16, tone: f64, then: impl FnOnce(Scenario) -> Scenario) -> Self {
        let number = format!("+1555777{n:04}");
        let rtp = Rtp::open(loopback(2));
        let scenario = then(Scenario::caller(&number, NUMBER).invite_answered(&rtp.sdp()));
        let local = (loopback(2), 5100 + n).into();
        let mut sipp = Sipp::call(&scenario.xml(), Transport::Udp, local, tandem.sip());
        let answer = sipp.wait("SIP/2.0 200", s(10));
        rtp.talk_to(answer.media().expect("an answer with SDP")).say(tone);
        Self { number, tone, sipp, rtp }
    }

    fn hears(&self, tone: f64, seconds: f64, since: Instant) {
        self.rtp.wait_tone(tone, seconds, since, s(15));
    }

    fn hears_a_track(&self) {
        wait_for(&format!("{} hears one of the hold tracks", self.number), s(10), || {
            let heard = self.rtp.heard();
            TRACKS.iter().any(|track| tone::seconds_of(&heard, *track) > 0.5).then_some(())
        });
    }

    fn hangs_up(mut self) {
        self.sipp.go_on();
        self.sipp.succeeds(s(10));
    }
}

fn in_state(app: &Roulette, who: &Stranger, state: State) {
    wait_for(&format!("{} to be {state:?}", who.number), s(15), || {
        (app.call_of(&who.number)?.state == state).then_some(())
    });
}

fn talk(a: &Stranger, b: &Stranger) {
    let since = Instant::now();
    a.hears(b.tone, 1.0, since);
    b.hears(a.tone, 1.0, since);
}

fn dashboard(web: &Web) -> Value {
    let mut stream = TcpStream::connect(web.address).unwrap();
    stream.write_all(b"GET /dashboard/stats HTTP/1.1\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    loop {
        let mut part = [0; 4_096];
        let length = stream.read(&mut part).unwrap();
        answer.extend_from_slice(&part[..length]);
        let text = String::from_utf8_lossy(&answer);
        let body = text.split("\r\n\r\n").nth(1).unwrap_or_default();
        if let Ok(stats) = serde_json::from_str(body) {
            return stats;
        }
        assert!(length > 0, "no dashboard: {text}");
    }
}

fn count(stats: &Value, key: &str) -> usize {
    stats[key].as_array().unwrap().len()
}

#[test]
fn strangers_are_put_together_and_the_star_key_parts_them() {
    in_own_network(|| {
        let web = Web::start(loopback(9));
        let app = Roulette::start(&web, REST, s(60));
        let tandem = open(&web);
        let stay = |scenario: Scenario| scenario.until_told().bye();

        // Two wait, each hearing a track, and are put together within two ticks.
        let began = Instant::now();
        let ann = Stranger::calls(&tandem, 1, hz::CALLER, stay);
        ann.hears(hz::PROMPT, 0.5, began);
        in_state(&app, &ann, State::Waiting);
        ann.hears_a_track();
        // What it was told is kept by name, the latest last; what is empty never takes a place.
        let call = app.call_of(&ann.number).unwrap();
        for (column, value) in [
            ("from", ann.number.as_str()),
            ("caller", &ann.number),
            ("to", NUMBER),
            ("called", NUMBER),
            ("direction", "inbound"),
            ("api_version", "2010-04-01"),
            ("from_country", "US"),
            ("call_sid", &call.sid),
        ] {
            assert_eq!(call.column(column), Some(value), "{column}");
        }
        assert_eq!((call.column("call_status"), call.column("from_city")), (Some("in-progress"), None));
        assert_eq!(count(&dashboard(&web), "waiting"), 1);
        let bob = Stranger::calls(&tandem, 2, hz::AGENT, stay);
        in_state(&app, &bob, State::InConference);
        in_state(&app, &ann, State::InConference);
        let sids = [&ann, &bob].map(|who| app.call_of(&who.number).unwrap().sid);
        let name = BTreeSet::from(sids.clone()).into_iter().collect::<Vec<_>>().join("::");
        for who in [&ann, &bob] {
            assert_eq!(app.call_of(&who.number).unwrap().conference.as_deref(), Some(name.as_str()));
        }
        talk(&ann, &bob);
        let stats = dashboard(&web);
        assert_eq!(
            (count(&stats, "in_conference"), &stats["live"], &stats["total"]),
            (2, &2.into(), &2.into())
        );
        assert_eq!(stats["in_conference"][0]["location"], "unknown caller");
        assert_eq!(stats["in_conference"][0]["conference"], name.as_str());

        // The star key leads both back to the greeting; nobody is dropped, and the two never meet again.
        let pressed = Instant::now();
        ann.rtp.press("*");
        for sid in &sids {
            let cleanup = wait_for("cleanup for each leg", s(3), || {
                let asked = web.asked("/calls/flow").into_iter();
                asked
                    .filter(|r| r.query.get("event").is_some_and(|event| event == "cleanup"))
                    .find(|r| r.get("CallSid") == sid)
            });
            assert!(cleanup.at - pressed < ms(1_000), "cleanup after {:?}", cleanup.at - pressed);
        }
        for who in [&ann, &bob] {
            who.hears(hz::PROMPT, 0.5, pressed);
            in_state(&app, who, State::Waiting);
        }
        std::thread::sleep(s(3));
        assert_eq!(app.pairs().len(), 1, "the same two were put together again");

        // A third one meets one of them, and when that one hangs up, the other.
        let cem = Stranger::calls(&tandem, 3, 1100.0, stay);
        in_state(&app, &cem, State::InConference);
        let [first, second] = match app.call_of(&ann.number).unwrap().conference {
            Some(_) => [ann, bob],
            None => [bob, ann],
        };
        in_state(&app, &first, State::InConference);
        talk(&cem, &first);
        let (left, number) = (Instant::now(), first.number.clone());
        first.hangs_up();
        cem.hears(hz::PROMPT, 0.5, left);
        wait_for("who hung up to be ended", s(5), || app.call_of(&number)?.ended_at);
        assert_eq!(app.call_of(&number).unwrap().state, State::Ended);
        in_state(&app, &cem, State::InConference);
        in_state(&app, &second, State::InConference);
        talk(&cem, &second);

        let pairs: Vec<BTreeSet<String>> = app.pairs().into_iter().map(BTreeSet::from).collect();
        let different: BTreeSet<_> = pairs.iter().collect();
        assert_eq!((pairs.len(), different.len()), (3, 3), "never the same pair: {pairs:?}");
        second.hangs_up();
        cem.hangs_up();
        wait_for("everybody to be gone", s(5), || {
            let stats = dashboard(&web);
            (stats["live"] == 0 && stats["total"] == 3).then_some(())
        });
    });
}

#[test]
fn an_application_in_error_says_goodbye() {
    in_own_network(|| {
        let web = Web::start(loopback(9));
        let _app = Roulette::start(&web, REST, s(60));
        web.on("/calls/create", |_| Reply::new(500, "text/plain", "no such method"));
        let tandem = open(&web);
        let began = Instant::now();
        let mut ann = Stranger::calls(&tandem, 1, hz::CALLER, Scenario::byed);
        ann.hears(SORRY, 0.5, began);
        ann.sipp.succeeds(s(10));
        let told = web.wait("/calls/exception", s(1));
        assert_eq!(
            (told.get("ErrorCode"), told.get("ErrorUrl")),
            ("11200", web.url("/calls/create").as_str())
        );
        let over = web.wait("/calls/flow", s(5));
        assert_eq!(over.query.get("event").map(String::as_str), Some("hang_up"));
        assert_eq!((over.get("CallStatus"), over.get("CallSid")), ("completed", told.get("CallSid")));
    });
}

#[test]
fn who_has_waited_too_long_is_sent_away() {
    in_own_network(|| {
        let web = Web::start(loopback(9));
        let app = Roulette::start(&web, REST, s(4));
        let tandem = open(&web);
        let mut ann = Stranger::calls(&tandem, 1, hz::CALLER, Scenario::byed);
        let mut bob = Stranger::calls(&tandem, 2, hz::AGENT, Scenario::byed);
        in_state(&app, &ann, State::InConference);
        talk(&ann, &bob);
        let pressed = Instant::now();
        bob.rtp.press("*");
        for who in [&ann, &bob] {
            wait_for("another wait", s(10), || {
                app.call_of(&who.number)?.waiting_at.filter(|at| *at > pressed)
            });
            who.hears(SORRY, 0.5, pressed);
        }
        for who in [&mut ann, &mut bob] {
            who.sipp.succeeds(s(10));
            in_state(&app, who, State::Ended);
        }
        assert_eq!(app.pairs().len(), 1, "{:?}", app.pairs());
        let timed_out = web.asked("/calls/flow");
        let timed_out = timed_out.iter().filter(|r| r.query.get("event").is_some_and(|e| e == "time_out"));
        assert_eq!(timed_out.count(), 2);
    });
}
