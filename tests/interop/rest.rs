//! The official libraries drive the box, unmodified but for the address: calls placed, sent elsewhere, recorded and
//! ended while phones hear it; what is in a queue; what is refused. The same story is told through each library.

use std::time::Instant;

use base64::Engine as _;
use serde_json::{Value, json};

use crate::common::network::{in_own_network, loopback};
use crate::common::office::{ACCOUNT_SID, AUTH_TOKEN, Tandem};
use crate::common::rtp::Rtp;
use crate::common::{hz, ms, s, tone, wait_for};
use crate::library::{Client, Library, Refusal};
use crate::stage::{Caller, NUMBER, answering_until_byed, office, web};

/// Where the box answers.
pub const ORIGIN: &str = "http://127.0.0.1:8080";

/// A client made with one of the libraries; `None`, and said, where it is not installed.
pub fn client(library: &str) -> Option<Client> {
    let all = Library::installed();
    let library = all.iter().find(|one| one.name == library)?;
    Some(library.client(ORIGIN, ACCOUNT_SID, AUTH_TOKEN))
}

#[test]
fn python_drives_a_call() {
    in_own_network(|| a_call_is_driven("python"));
}

#[test]
fn node_drives_a_call() {
    in_own_network(|| a_call_is_driven("node"));
}

/// The call, once it has this status.
pub fn wait_status(sdk: &mut Client, sid: &str, status: &str) -> Value {
    wait_for(&format!("call {sid} to be {status}"), s(8), || {
        let call = sdk.does(json!(["calls", [sid]]), "fetch", json!({}));
        (call["status"] == status).then_some(call)
    })
}

fn a_call_is_driven(library: &str) {
    let Some(mut sdk) = client(library) else { return };
    let web = web();
    web.document("/talk", "<Play loop=\"0\">/prompt.wav</Play>");
    web.document("/next", "<Play loop=\"0\">/menu.wav</Play>");
    let tandem = office(&web).open();
    let rtp = Rtp::open(loopback(11));
    let mut ann = tandem.phone("ann", 11, &answering_until_byed(&rtp));

    let account = sdk.does(json!(["api", "v2010", "accounts", [ACCOUNT_SID]]), "fetch", json!({}));
    assert_eq!((&account["sid"], &account["status"]), (&json!(ACCOUNT_SID), &json!("active")));

    let placed = sdk.does(
        json!(["calls"]),
        "create",
        json!({
            "to": "client:ann", "from": NUMBER, "url": web.url("/talk"), "timeout": 20,
            "status_callback": web.url("/events"),
            "status_callback_event": ["initiated", "ringing", "answered", "completed"],
        }),
    );
    let sid = placed["sid"].as_str().unwrap().to_owned();
    assert!(sid.starts_with("CA") && sid.len() == 34, "{placed}");
    for (name, value) in [
        ("status", json!("queued")),
        ("to", json!("client:ann")),
        ("from", json!(NUMBER)),
        ("direction", json!("outbound-api")),
        ("account_sid", json!(ACCOUNT_SID)),
        ("duration", Value::Null),
        ("end_time", Value::Null),
        ("price_unit", json!("USD")),
    ] {
        assert_eq!(placed[name], value, "{name}");
    }
    assert!(placed["date_created"].as_str().unwrap().starts_with("20"), "a date: {placed}");
    let number = sdk.does(json!(["incoming_phone_numbers"]), "list", json!({ "phone_number": NUMBER }));
    assert_eq!(placed["phone_number_sid"], number[0]["sid"], "of the number it is from");

    rtp.talk_to(ann.wait("INVITE", s(8)).media().expect("an offer")).say(hz::AGENT);
    let rung = Instant::now();
    rtp.wait_tone(hz::PROMPT, 1.0, rung, s(10));
    let talking = wait_status(&mut sdk, &sid, "in-progress");
    assert!(talking["start_time"].is_string() && talking["end_time"].is_null(), "{talking}");

    let sent =
        sdk.does(json!(["calls", [sid]]), "update", json!({ "url": web.url("/next"), "method": "GET" }));
    assert_eq!((&sent["sid"], &sent["status"]), (&json!(sid), &json!("in-progress")));
    let redirected = Instant::now();
    rtp.wait_tone(hz::MENU, 1.0, redirected, s(8));
    let asked = web.wait("/next", s(1));
    assert_eq!((asked.method.as_str(), asked.get("CallSid")), ("GET", sid.as_str()));
    let after = tone::seconds_with(&rtp.heard_since(redirected + ms(1_500)), hz::PROMPT);
    assert!(after < 0.1, "the first document is still heard for {after} s");

    let recording = record(&mut sdk, &sid);

    let over = sdk.does(json!(["calls", [sid]]), "update", json!({ "status": "completed" }));
    assert_eq!(over["sid"], json!(sid));
    ann.succeeds(s(10));
    let over = wait_status(&mut sdk, &sid, "completed");
    let seconds: u32 = over["duration"].as_str().expect("a text").parse().unwrap();
    assert!((3..60).contains(&seconds) && over["end_time"].is_string(), "{over}");
    web.wait_with("/events", "CallStatus", "completed", s(5));
    let told: Vec<String> =
        web.asked("/events").iter().map(|event| event.get("CallStatus").to_owned()).collect();
    assert_eq!(told, ["initiated", "ringing", "in-progress", "completed"]);

    let found = sdk.does(json!(["calls"]), "list", json!({ "to": "client:ann", "status": "completed" }));
    let found: Vec<&Value> = found.as_array().unwrap().iter().map(|call| &call["sid"]).collect();
    assert_eq!(found, [&json!(sid)]);
    assert_eq!(sdk.does(json!(["calls"]), "list", json!({ "status": "busy" })), json!([]));

    listen(&mut sdk, &tandem, &sid, &recording);
}

/// Records for two seconds, waits for one, records another.
fn record(sdk: &mut Client, sid: &str) -> String {
    let all = json!(["calls", [sid], "recordings"]);
    let made = sdk.does(all.clone(), "create", json!({ "recording_channels": "dual" }));
    assert_eq!(
        (&made["source"], &made["channels"], &made["call_sid"], &made["track"]),
        (&json!("StartCallRecordingAPI"), &json!(2), &json!(sid), &json!("both"))
    );
    let recording = made["sid"].as_str().unwrap().to_owned();
    assert!(recording.starts_with("RE"), "{made}");
    let one = json!(["calls", [sid], "recordings", [recording]]);
    std::thread::sleep(s(2));
    let paused = sdk.does(one.clone(), "update", json!({ "status": "paused", "pause_behavior": "skip" }));
    assert_eq!(paused["status"], "paused");
    std::thread::sleep(s(1));
    let again = sdk.does(one.clone(), "update", json!({ "status": "in-progress" }));
    assert_eq!(again["status"], "in-progress");
    std::thread::sleep(s(1));
    let current = json!(["calls", [sid], "recordings", ["Twilio.CURRENT"]]);
    assert_eq!(sdk.does(current, "update", json!({ "status": "stopped" }))["status"], "stopped");
    assert_eq!(sdk.does(all, "list", json!({})).as_array().unwrap().len(), 1);
    recording
}

/// The recording as its metadata, its bytes and its sound; then it is deleted.
fn listen(sdk: &mut Client, tandem: &Tandem, call: &str, recording: &str) {
    let of_call = sdk.does(json!(["recordings"]), "list", json!({ "call_sid": call }));
    assert_eq!(of_call.as_array().unwrap().len(), 1, "{of_call}");
    let row = wait_for("the recording to be complete", s(8), || {
        let row = sdk.does(json!(["recordings", [recording]]), "fetch", json!({}));
        (row["status"] == "completed").then_some(row)
    });
    let seconds: u32 = row["duration"].as_str().unwrap().parse().unwrap();
    assert!((2..=4).contains(&seconds), "two seconds, a pause left out, and one: {row}");
    let url = row["media_url"].as_str().unwrap().to_owned();
    assert_eq!(url, format!("{ORIGIN}/2010-04-01/Accounts/{ACCOUNT_SID}/Recordings/{recording}"));

    let fetched = sdk.does(json!(["http", format!("{url}.wav")]), "", json!({}));
    assert_eq!((&fetched["status"], &fetched["type"]), (&json!(200), &json!("audio/x-wav")));
    let bytes = base64::engine::general_purpose::STANDARD.decode(fetched["body"].as_str().unwrap()).unwrap();
    let files = tandem.recording_files();
    assert_eq!(files.len(), 1);
    assert!(bytes == std::fs::read(&files[0]).unwrap(), "the bytes of the file are sent");
    let channels = tone::read_wav(&bytes);
    let (agent, menu) = (tone::seconds_of(&channels[0], hz::AGENT), tone::seconds_of(&channels[1], hz::MENU));
    assert!(agent > 2.0 && menu > 2.0, "{agent} s of the phone, {menu} s of the document");
    // While it comes, as whoever plays it hears it.
    let piece = 4_096;
    let streamed = sdk.does(json!(["http", format!("{url}.wav")]), "", json!({ "pieces": piece }));
    assert_eq!((&streamed["status"], &streamed["body"]), (&json!(200), &fetched["body"]));
    assert!(streamed["pieces"].as_u64() > Some(1), "{} pieces of {} bytes", streamed["pieces"], bytes.len());
    let part = sdk.does(json!(["http", url.clone()]), "", json!({ "Range": "bytes=0-3" }));
    assert_eq!((&part["status"], &part["body"]), (&json!(206), &json!("UklGRg==")), "RIFF");

    // A live call has none of it to delete; a finished one has.
    sdk.does(json!(["recordings", [recording]]), "delete", json!({}));
    let gone = sdk.is_refused(json!(["recordings", [recording]]), "fetch", json!({}));
    assert_eq!((gone.status, gone.code), (Some(404), Some(20404)));
    assert!(!files[0].exists());
}

#[test]
fn python_takes_a_caller_out_of_a_queue_and_hears_what_is_refused() {
    in_own_network(|| a_queue_is_driven("python"));
}

#[test]
fn node_takes_a_caller_out_of_a_queue_and_hears_what_is_refused() {
    in_own_network(|| a_queue_is_driven("node"));
}

fn a_queue_is_driven(library: &str) {
    let Some(mut sdk) = client(library) else { return };
    let web = web();
    web.document("/voice", "<Enqueue waitUrl=\"/wait\" action=\"/out\">desk</Enqueue>");
    web.document("/wait", "<Play loop=\"0\">/prompt.wav</Play>").document("/out", "<Hangup/>");
    web.document("/next", "<Play loop=\"0\">/menu.wav</Play>");
    let tandem = office(&web).open();

    let made = sdk.does(json!(["queues"]), "create", json!({ "friendly_name": "desk", "max_size": 3 }));
    assert_eq!(
        (&made["friendly_name"], &made["max_size"], &made["current_size"]),
        (&json!("desk"), &json!(3), &json!(0))
    );
    let queue = made["sid"].as_str().unwrap().to_owned();
    let same = sdk.is_refused(json!(["queues"]), "create", json!({ "friendly_name": "desk" }));
    assert_eq!((same.status, same.code), (Some(400), Some(22003)));

    let mut caller = Caller::calls_and_hangs_up_when_told(&tandem);
    caller.hears(hz::PROMPT, 1.0);
    let sid = web.wait("/voice", s(5)).get("CallSid").to_owned();
    let waiting = wait_for("the caller to wait", s(5), || {
        let all = sdk.does(json!(["queues", [queue], "members"]), "list", json!({}));
        (all.as_array().unwrap().len() == 1).then(|| all[0].clone())
    });
    assert_eq!(
        (&waiting["call_sid"], &waiting["position"], &waiting["queue_sid"]),
        (&json!(sid), &json!(1), &json!(queue))
    );
    assert_eq!(sdk.does(json!(["queues", [queue]]), "fetch", json!({}))["current_size"], 1);
    let full = sdk.is_refused(json!(["queues", [queue]]), "delete", json!({}));
    assert_eq!((full.status, full.code), (Some(409), Some(20409)), "somebody waits in it");

    let front = json!(["queues", [queue], "members", ["Front"]]);
    sdk.does(front.clone(), "update", json!({ "url": web.url("/next") }));
    let taken = Instant::now();
    caller.rtp.wait_tone(hz::MENU, 1.0, taken, s(8));
    assert_eq!(web.wait("/next", s(1)).get("QueueResult"), "redirected");
    assert_eq!(sdk.is_refused(front, "fetch", json!({})).code, Some(20404));
    sdk.does(json!(["queues", [queue]]), "update", json!({ "friendly_name": "front desk" }));
    sdk.does(json!(["queues", [queue]]), "delete", json!({}));
    assert_eq!(sdk.does(json!(["queues"]), "list", json!({})), json!([]));
    caller.hangs_up();
    wait_status(&mut sdk, &sid, "completed");

    what_is_refused(library, &mut sdk, &sid);
}

/// What goes wrong comes as the library's own exception, with status and number.
fn what_is_refused(library: &str, sdk: &mut Client, ended: &str) {
    let class = if library == "python" { "TwilioRestException" } else { "RestException" };
    let create = |with: Value| (json!(["calls"]), "create", with);
    let nobody = "CAffffffffffffffffffffffffffffffff";
    for ((way, what, with), status, code) in [
        (create(json!({ "to": "", "from": NUMBER, "twiml": "<Response/>" })), 400, 21201),
        (create(json!({ "to": "101", "from": NUMBER, "url": "next door" })), 400, 21205),
        (create(json!({ "to": "101", "from": NUMBER })), 400, 21205),
        (create(json!({ "to": "101", "from": NUMBER, "twiml": "<Response>" })), 400, 12100),
        (create(json!({ "to": "101", "from": NUMBER, "twiml": "<Response/>", "timeout": 601 })), 400, 21208),
        (
            create(json!({ "to": "101", "from": NUMBER, "twiml": "<Response/>", "send_digits": "one" })),
            400,
            21206,
        ),
        (create(json!({ "to": "nobody at all", "from": NUMBER, "twiml": "<Response/>" })), 400, 21211),
        ((json!(["calls", [nobody]]), "fetch", json!({})), 404, 20404),
        ((json!(["calls", [nobody]]), "update", json!({ "status": "completed" })), 404, 20404),
        ((json!(["calls", [ended]]), "update", json!({ "status": "completed" })), 400, 21220),
        ((json!(["calls", [ended], "recordings"]), "create", json!({})), 400, 21220),
        ((json!(["recordings", ["RE1"]]), "fetch", json!({})), 404, 20404),
    ] {
        let refusal = sdk.is_refused(way, what, with.clone());
        let expected = Refusal { class: class.to_owned(), status: Some(status), code: Some(code) };
        assert_eq!(refusal, expected, "{what} {with}");
    }
    let guessed = sdk.with_token("guess", json!(["calls", [ended]]), "fetch").unwrap_err();
    assert_eq!((guessed.status, guessed.code), (Some(401), Some(20003)));
}
