//! Lists are asked over many thousand calls on record, as fast as the box answers, while people talk: nothing of what they say
//! is lost or late, and who calls meanwhile is answered, heard and told apart as ever.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::common::network::{in_own_network, loopback};
use crate::common::rest::Rest;
use crate::common::rtp::{Packet, Rtp};
use crate::common::web::{Reply, Web};
use crate::common::{hz, ms, s, tone};
use crate::record;
use crate::stage::{Caller, answering, office, web};

/// Rows on record.
const CALLS: u32 = 100_000;
const RECORDINGS: u32 = 10_000;
const NOTIFICATIONS: u32 = 10_000;
/// Clients that ask at once, each the next as soon as it has its answer.
const CLIENTS: usize = 3;
/// Calls that come one after the other while they ask.
const COMERS: usize = 3;
/// What they ask in turn.
const LISTS: [&str; 8] = [
    "Calls.json",
    "Calls.json?To=%2B15550000042",
    "Calls.json?Status=busy&From=%2B15557000042",
    "Calls.json?StartTime=2025-03-04",
    "Calls.json?EndTime=2025-03-04&PageSize=20",
    "Calls.json?Status=in-progress",
    "Recordings.json?DateCreated%3C=2025-01-04",
    "Notifications.json?Log=0",
];

/// The first caller is put through; those who come later choose from a menu.
fn answers(web: &Web) {
    let before = AtomicUsize::new(0);
    web.on("/voice", move |_| match before.fetch_add(1, Ordering::Relaxed) {
        0 => Reply::twiml("<Dial><Client>ann</Client></Dial>"),
        _ => Reply::twiml(
            "<Gather numDigits=\"1\" timeout=\"20\" action=\"/chosen\"><Play loop=\"0\">/prompt.wav</Play></Gather>",
        ),
    });
    web.document("/chosen", "<Play loop=\"0\">/menu.wav</Play>");
}

/// Asks list after list until told to stop; how many were answered, and how long the slowest took.
fn asks(stop: &AtomicBool, first: usize) -> (usize, Duration) {
    let (mut answered, mut slowest) = (0, Duration::ZERO);
    for list in LISTS.iter().cycle().skip(first) {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let began = Instant::now();
        let (status, body) = Rest::local().get(list);
        assert_eq!(status, 200, "{list}: {body}");
        slowest = slowest.max(began.elapsed());
        answered += 1;
    }
    (answered, slowest)
}

/// How long it took from the decision to call, SIPp's own beginning included, to the answer; and from a key to what
/// follows it.
struct Signalling {
    answered: Duration,
    chosen: Duration,
}

/// Somebody calls, hears the menu, presses a key, hears what it leads to, and hangs up.
fn comes(tandem: &crate::common::office::Tandem, web: &Web, nth: usize) -> Signalling {
    let began = Instant::now();
    let mut caller = Caller::calls_beside(tandem);
    let answered = caller.answered.duration_since(began);
    let sent = web.asked("/voice").len();
    assert_eq!(sent, nth + 2, "each is asked for once");
    caller.hears(hz::PROMPT, 0.5);
    let pressed = Instant::now();
    caller.rtp.press("1");
    web.wait_nth("/chosen", nth + 1, s(10));
    let chosen = pressed.elapsed();
    caller.rtp.wait_tone(hz::MENU, 0.5, pressed, s(10));
    caller.hangs_up();
    Signalling { answered, chosen }
}

/// Packets that are missing among those of one stream, by their numbers, and the longest time between two.
pub fn missing(packets: &[Packet]) -> (usize, Duration) {
    let mut streams = BTreeMap::<u32, Vec<&Packet>>::new();
    for packet in packets {
        streams.entry(packet.ssrc).or_default().push(packet);
    }
    let (mut missing, mut longest) = (0, Duration::ZERO);
    for stream in streams.values() {
        for pair in stream.windows(2) {
            missing += usize::from(pair[1].sequence.wrapping_sub(pair[0].sequence)).saturating_sub(1);
            longest = longest.max(pair[1].at.duration_since(pair[0].at));
        }
    }
    (missing, longest)
}

#[test]
fn lists_touch_no_call_in_progress() {
    in_own_network(|| {
        let web = web();
        answers(&web);
        let mut tandem = office(&web).open();
        tandem.stop(s(20));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let began = Instant::now();
        let file = tandem.state().join("tandem.sqlite");
        runtime.block_on(record::fill(&file, "bench", CALLS, RECORDINGS, NOTIFICATIONS));
        println!("{CALLS} calls on record in {:.0?}", began.elapsed());
        tandem.start();

        let rtp = Rtp::open(loopback(11));
        let mut ann = tandem.phone("ann", 11, &answering(&rtp));
        let caller = Caller::calls(&tandem, crate::common::scenario::Scenario::byed);
        rtp.talk_to(ann.wait("INVITE", s(10)).media().expect("an offer")).say(hz::AGENT);
        caller.rtp.say(hz::CALLER);
        let bridged = Instant::now();
        rtp.wait_tone(hz::CALLER, 0.5, bridged, s(10));
        caller.rtp.wait_tone(hz::AGENT, 0.5, bridged, s(10));

        let stop = Arc::new(AtomicBool::new(false));
        let asking: Vec<_> = (0..CLIENTS)
            .map(|n| {
                let stop = Arc::clone(&stop);
                std::thread::spawn(move || asks(&stop, n))
            })
            .collect();
        std::thread::sleep(ms(500));
        let began = Instant::now();
        let comers: Vec<Signalling> = (0..COMERS).map(|nth| comes(&tandem, &web, nth)).collect();
        std::thread::sleep(s(2));
        let ended = Instant::now();
        let span = ended.duration_since(began);
        stop.store(true, Ordering::Relaxed);
        let asked: Vec<_> = asking.into_iter().map(|client| client.join().unwrap()).collect();
        let lists: usize = asked.iter().map(|(answered, _)| answered).sum();
        let slowest = asked.iter().map(|(_, slowest)| *slowest).max().unwrap_or_default();

        for (who, end, hz) in [("ann", &rtp, hz::CALLER), ("the caller", &caller.rtp, hz::AGENT)] {
            let mut heard = end.packets();
            heard.retain(|packet| (began..ended).contains(&packet.at));
            let (lost, gap) = missing(&heard);
            let spoken = tone::seconds_of(&end.heard_since(began), hz);
            println!(
                "{who}: {} packets, {lost} lost, {gap:.0?} apart at most; {spoken:.1} s of {span:.1?}",
                heard.len()
            );
            assert_eq!(lost, 0, "{who} misses packets");
            assert!(gap < s(1), "{who} hears nothing for {gap:?}");
            assert!(spoken > span.as_secs_f64() * 0.9, "{who} hears {spoken} s of {span:?}");
        }
        for Signalling { answered, chosen } in &comers {
            println!("a caller was answered after {answered:.0?}, and heard after {chosen:.0?}");
            assert!(*answered < s(3) && *chosen < s(2), "{answered:?} {chosen:?}");
        }
        println!("{lists} lists in {span:.1?}, the slowest after {slowest:.0?}");
        assert!(lists as f64 > span.as_secs_f64() * 20.0, "there was no load: {lists}");
        ann.go_on();
        ann.succeeds(s(10));
    });
}
