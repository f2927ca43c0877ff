//! What parameters do, beyond being taken: values that come back, requests that go out, calls that are refused.

use call::record::StoreItem;
use serde_json::{Value, json};
use sim::{Answer as Page, NUMBER, param};

use crate::house::{ACCOUNT, House};

const WAKE: &str = "http://web.example/wake";
/// A caller of the office's number, and no number of the office's.
const CALLER: &str = sim::CALLER;

fn path(rest: &str) -> String {
    format!("/2010-04-01/Accounts/{ACCOUNT}/{rest}")
}

fn form(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

impl House {
    async fn post(&mut self, rest: &str, pairs: &[(&str, &str)]) -> (u16, Value) {
        let answer = self.ask("POST", &path(rest), &form(pairs)).await;
        (answer.status, answer.body)
    }

    async fn get(&mut self, rest: &str) -> Value {
        let answer = self.ask("GET", &path(rest), "").await;
        assert_eq!(answer.status, 200, "{rest}: {}", answer.body);
        answer.body
    }
}

/// A caller's number is not ours to show a carrier, unless the token of its call is passed on (21210).
#[tokio::test(flavor = "current_thread")]
async fn a_call_token_lets_a_callers_number_be_shown() {
    let mut house = House::open().await;
    house.live_call("<Pause length=\"600\"/>").await;
    let asked = house.office.asked(sim::VOICE).pop().expect("the document was asked for");
    let token = param(&asked, "CallToken").expect("a call from outside has one").to_owned();
    assert_eq!(param(&asked, "From"), Some(CALLER));
    let ours = house.office.rows().len();
    let calls = [("To", "+15557771234"), ("From", CALLER), ("Twiml", "<Response/>")];
    let shown = [("To", "+15557771234"), ("From", NUMBER), ("CallerId", CALLER), ("Twiml", "<Response/>")];
    let other = [("To", "+15557771234"), ("From", "+15550008888"), ("Twiml", "<Response/>")];
    let room = [("To", "+15557771234"), ("From", CALLER)];
    for (rest, pairs) in [
        ("Calls.json", &calls[..]),
        ("Calls.json", &shown[..]),
        ("Conferences/room/Participants.json", &room[..]),
    ] {
        for bad in [None, Some("nonsense"), Some("Q0EwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwOQ==")] {
            let with: Vec<_> = pairs.iter().copied().chain(bad.map(|token| ("CallToken", token))).collect();
            let (status, refused) = house.post(rest, &with).await;
            assert_eq!((status, &refused["code"]), (400, &json!(21210)), "{rest} {with:?}: {refused}");
        }
        let with = [pairs, &[("CallToken", token.as_str())]].concat();
        let (status, made) = house.post(rest, &with).await;
        assert_eq!(status, 201, "{rest}: {made}");
    }
    // It says so of that caller alone.
    let with = [&other[..], &[("CallToken", token.as_str())]].concat();
    assert_eq!(house.post("Calls.json", &with).await.1["code"], 21210);
    house.pass_ms(1_000).await;
    let carrier = house.office.carrier();
    let rung = house.office.latest(carrier).expect("the carrier was rung");
    assert_eq!(house.office.call(&rung).from, CALLER, "it is shown to the carrier");
    assert_eq!(house.office.rows().len() - ours, 3);
    house.silence().await;
}

/// Whoever wakes phones is told at once; the call waits for the phone.
#[tokio::test(flavor = "current_thread")]
async fn a_client_notification_url_is_told_whom_to_wake() {
    let mut house = House::open().await;
    house.office.web().serve(WAKE, Page::page(204, None, ""));
    for (rest, more) in
        [("Calls.json", ("Twiml", "<Response/>")), ("Conferences/room/Participants.json", ("Label", "x"))]
    {
        let before = house.office.asked(WAKE).len();
        let pairs = [("To", "client:bob"), ("From", NUMBER), ("ClientNotificationUrl", WAKE), more];
        let (status, made) = house.post(rest, &pairs).await;
        assert_eq!(status, 201, "{made}");
        house.pass_ms(500).await;
        let told = house.office.asked(WAKE);
        assert_eq!(told.len() - before, 1, "{rest}");
        let told = told.last().expect("it was counted");
        let sid = made["sid"].as_str().or(made["call_sid"].as_str());
        for (name, value) in [("Client", Some("client:bob")), ("CallSid", sid), ("From", Some(NUMBER))] {
            assert_eq!(param(told, name), value, "{rest} {name}");
        }
    }
    house.silence().await;
}

/// What was odd about how a call was asked for is on record as a warning, and the call is made.
#[tokio::test(flavor = "current_thread")]
async fn what_is_odd_of_a_request_is_on_record() {
    let mut house = House::open().await;
    const VOICE: (&str, &str) = ("Url", "http://web.example/x");
    let amd = ("MachineDetection", "Enable");
    for (more, codes) in [
        (&[VOICE][..], &[][..]),
        (&[VOICE, ("Twiml", "<Response><Say>never</Say></Response>")], &["32019"]),
        (&[VOICE, amd], &[]),
        (&[VOICE, amd, ("AsyncAmd", "true")], &["21262"]),
        (&[VOICE, amd, ("AsyncAmd", "true"), ("AsyncAmdStatusCallback", WAKE)], &[]),
    ] {
        house.office.web().serve(VOICE.1, Page::twiml("<Pause length=\"60\"/>"));
        let pairs = [&[("To", "client:ann"), ("From", NUMBER)], more].concat();
        let (status, made) = house.post("Calls.json", &pairs).await;
        assert_eq!(status, 201, "{made}");
        house.pass_ms(1_500).await;
        let sid = made["sid"].as_str().expect("it has a sid");
        let found = house.get(&format!("Calls/{sid}/Notifications.json")).await;
        let found: Vec<_> = found["notifications"].as_array().expect("a list").iter().collect();
        let told: Vec<_> = found.iter().map(|one| one["error_code"].as_str().unwrap_or_default()).collect();
        assert_eq!(told, codes, "{more:?}");
        assert!(found.iter().all(|one| one["log"] == "1"), "a warning, no error: {found:?}");
        // Of both documents the URL's is heard.
        assert_eq!(house.get(&format!("Calls/{sid}.json")).await["status"], "in-progress", "{more:?}");
        house.silence().await;
    }
    // Likewise of who is called into a conference.
    let pairs = [("To", "client:ann"), ("From", NUMBER), amd];
    let (_, made) = house.post("Conferences/room/Participants.json", &pairs).await;
    house.pass_ms(500).await;
    let sid = made["call_sid"].as_str().expect("it has a sid");
    let found = house.get(&format!("Calls/{sid}/Notifications.json?Log=1")).await;
    assert_eq!(found["notifications"][0]["error_code"], "21262", "{found}");
    house.silence().await;
}

/// A conference is said to be where the first one's maker asked for, whoever comes later.
#[tokio::test(flavor = "current_thread")]
async fn a_conference_is_where_it_was_asked_for() {
    let mut house = House::open().await;
    for (region, shown) in [(Some("ie1"), "ie1"), (None, "us1")] {
        let room = format!("Conferences/of-{shown}/Participants.json");
        let least = [("To", "client:ann"), ("From", NUMBER)];
        let first: Vec<_> = least.into_iter().chain(region.map(|region| ("Region", region))).collect();
        let (status, one) = house.post(&room, &first).await;
        assert_eq!(status, 201, "{one}");
        let conference = format!("Conferences/{}.json", one["conference_sid"].as_str().expect("a sid"));
        assert_eq!(house.get(&conference).await["region"], shown);
        house.post(&room, &[("To", "client:ann"), ("From", NUMBER), ("Region", "jp1")]).await;
        house.pass_ms(1_000).await;
        assert_eq!(house.get(&conference).await["region"], shown);
        house.silence().await;
        assert_eq!(house.get(&conference).await["status"], "completed");
        assert_eq!(house.get(&conference).await["region"], shown);
    }
    let bad = [("To", "client:ann"), ("From", NUMBER), ("Region", "mars")];
    assert_eq!(house.post("Conferences/x/Participants.json", &bad).await.1["code"], 20001);
}

/// An application is a participant like any other: seen, labelled, on record, removed.
#[tokio::test(flavor = "current_thread")]
async fn an_application_is_called_into_a_conference() {
    const DESK: &str = "http://web.example/desk";
    let mut house = House::open().await;
    house.office.web().serve(DESK, Page::twiml("<Say>hello</Say><Pause length=\"600\"/>"));
    let (_, made) = house.post("Applications.json", &[("FriendlyName", "bot"), ("VoiceUrl", DESK)]).await;
    let sid = made["sid"].as_str().expect("it has a sid").to_owned();
    let to = format!("app:{sid}?who=ann");
    let pairs = [("To", to.as_str()), ("From", NUMBER), ("Label", "bot")];
    let (status, one) = house.post("Conferences/room/Participants.json", &pairs).await;
    assert_eq!((status, &one["status"], &one["label"]), (201, &json!("queued"), &json!("bot")), "{one}");
    house.pass_ms(2_000).await;
    assert_eq!(house.get("Conferences/room/Participants/bot.json").await["status"], "connected");
    let asked = house.office.asked(DESK).pop().expect("its document was asked for");
    assert_eq!((param(&asked, "Param_who"), param(&asked, "From")), (Some("ann"), Some(NUMBER)));
    let call = house.get(&format!("Calls/{}.json", param(&asked, "CallSid").expect("a sid"))).await;
    assert_eq!((&call["direction"], &call["to"]), (&json!("inbound"), &json!(format!("app:{sid}"))));
    let answer = house.ask("DELETE", &path("Conferences/room/Participants/bot.json"), "").await;
    assert_eq!(answer.status, 204);
    house.pass_ms(1_000).await;
    let sid = call["sid"].as_str().expect("a sid");
    assert_eq!(house.get(&format!("Calls/{sid}.json")).await["status"], "completed");
    let kept = house.office.world.stored.iter().any(|item| matches!(item, StoreItem::Conference(_)));
    assert!(kept);
    for (to, code) in [("app:AP00000000000000000000000000000009", 21218), ("app:bot", 21218)] {
        let (status, refused) =
            house.post("Conferences/room/Participants.json", &[("To", to), ("From", NUMBER)]).await;
        assert_eq!((status, &refused["code"]), (400, &json!(code)), "{to}");
    }
}
