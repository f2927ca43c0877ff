//! What has been kept long enough goes, as the configuration says by age and by size, while somebody talks: nothing of what
//! they say is lost or late, and what is asked and placed meanwhile is answered as ever.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::common::network::{in_own_network, loopback};
use crate::common::office::Tandem;
use crate::common::rest::Rest;
use crate::common::rtp::Rtp;
use crate::common::scenario::Scenario;
use crate::common::{hz, s, tone, wait_for};
use crate::record;
use crate::rest_load::missing;
use crate::stage::{Caller, NUMBER, answering, office, web};

/// Rows on record, years old; recordings are of a megabyte each.
const CALLS: u32 = 10_000;
const RECORDINGS: u32 = 300;
const NOTIFICATIONS: u32 = 5_000;
/// How many of them may stay.
const KEEP: &str = "[retention]\ncalls_max = 500\nrecordings_max_mb = 100\nnotifications_days = 30\n";
/// The first sweep comes a minute after the start, and takes a little at a time.
const FIRST: Duration = s(60);

/// Rows of a list, up to a page.
fn rows(list: &str) -> Vec<Value> {
    let key = list.split('.').next().unwrap().to_lowercase();
    let (status, body) = Rest::local().get(&format!("{list}PageSize=1000"));
    assert_eq!(status, 200, "{list}: {body}");
    body[&key].as_array().unwrap().clone()
}

fn fill(tandem: &Tandem) {
    let owner = std::fs::read_to_string(tandem.state().join("box-id")).unwrap();
    let file = tandem.state().join("tandem.sqlite");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(record::fill(&file, owner.trim(), CALLS, RECORDINGS, NOTIFICATIONS));
    // The file all of them name.
    std::fs::create_dir_all(tandem.state().join("recordings")).unwrap();
}

#[test]
fn what_is_kept_long_enough_goes_while_people_talk() {
    in_own_network(|| {
        let web = web();
        web.document("/voice", "<Dial><Client>ann</Client></Dial>");
        let mut tandem = office(&web).table(KEEP).open();
        tandem.stop(s(20));
        fill(&tandem);
        tandem.start();
        let started = Instant::now();
        assert_eq!((rows("Calls.json?").len(), rows("Notifications.json?").len()), (1_000, 1_000));
        assert_eq!(rows("Recordings.json?").len(), RECORDINGS as usize);

        std::thread::sleep((FIRST - s(6)).saturating_sub(started.elapsed()));
        let rtp = Rtp::open(loopback(11));
        let mut ann = tandem.phone("ann", 11, &answering(&rtp));
        let caller = Caller::calls(&tandem, Scenario::byed);
        rtp.talk_to(ann.wait("INVITE", s(10)).media().expect("an offer")).say(hz::AGENT);
        caller.rtp.say(hz::CALLER);
        let bridged = Instant::now();
        rtp.wait_tone(hz::CALLER, 0.5, bridged, s(10));

        // While it goes on, every order is stored and answered.
        let began = Instant::now();
        let mut slowest = Duration::ZERO;
        let swept = wait_for("the old ones to go", s(60), || {
            let asked = Instant::now();
            let form = [("FriendlyName", "kept"), ("VoiceUrl", "http://127.0.0.9/voice")];
            let (status, made) = Rest::local().post("Applications.json", &form);
            assert_eq!(status, 201, "{made}");
            slowest = slowest.max(asked.elapsed());
            let is_over = rows("Notifications.json?").is_empty() && rows("Calls.json?").len() < 600;
            is_over.then(Instant::now)
        });
        std::thread::sleep(s(1));
        let ended = Instant::now();
        println!(
            "swept {:.1?} after the start; the slowest order took {slowest:.0?}",
            swept.duration_since(started)
        );
        assert!(slowest < s(3), "{slowest:?}");
        for (who, end, hz) in [("ann", &rtp, hz::CALLER), ("the caller", &caller.rtp, hz::AGENT)] {
            let mut heard = end.packets();
            heard.retain(|packet| (began..ended).contains(&packet.at));
            let (lost, gap) = missing(&heard);
            let (spoken, span) = (tone::seconds_of(&end.heard_since(began), hz), ended.duration_since(began));
            println!("{who}: {lost} lost, {gap:.0?} apart at most; {spoken:.1} s of {span:.1?}");
            assert!(lost == 0 && gap < s(1), "{who}: {lost} lost, {gap:?} apart");
            assert!(spoken > span.as_secs_f64() * 0.9, "{who} hears {spoken} s of {span:?}");
        }

        // The newest are there, and the calls that go on; of recordings as many as fit.
        let calls = rows("Calls.json?");
        let live = calls.iter().filter(|call| call["end_time"].is_null()).count();
        assert_eq!((live, calls.len() - live), (2, 500), "who talks is not counted, and stays");
        let newest = |n: u32| json!(format!("CA{:032x}", record::sid(CALLS - 1 - n)));
        let kept: Vec<&Value> = calls[live..].iter().map(|call| &call["sid"]).collect();
        assert!(kept.iter().zip(0..).all(|(sid, n)| **sid == newest(n)), "the newest 500");
        assert_eq!(calls[1]["to"], NUMBER);
        let recordings = wait_for("the recordings to go", s(10), || {
            Some(rows("Recordings.json?")).filter(|rows| rows.len() < 200)
        });
        assert_eq!(recordings.len(), 100_000_000 / 960_044, "as many megabytes");
        ann.go_on();
        ann.succeeds(s(10));
    });
}
