//! Requests as clients of TeXML's API make them, answered by the router; the node is played by the test.

use axum::body::{Body, to_bytes};
use axum::http::{Request, header};
use base::{ApplicationSid, CallSid, ConferenceSid, Timestamp};
use call::office::DocumentRef;
use call::record::{CallRow, StoreItem};
use call::{CallDocument, Fate, LiveParticipant, NewCall, Operator, OperatorReply, ParticipantStage};
use serde_json::{Value, json};
use tower_service::Service as _;
use twiml::{CallStatus, Dialect, Direction, HttpMethod, ParticipantFacts, Source};

use crate::Api;
use crate::v2010::tests::{api, keys, node};

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

async fn ask_as(api: &Api, token: &str, method: &str, path: &str, kind: &str, body: &str) -> (u16, Value) {
    let request = Request::builder()
        .method(method)
        .uri(format!("/v2/texml/{path}"))
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header(header::CONTENT_TYPE, kind)
        .body(Body::from(body.to_owned()))
        .unwrap();
    let answer = crate::router(api.clone()).call(request).await.unwrap();
    let status = answer.status().as_u16();
    let body = to_bytes(answer.into_body(), 1_000_000).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

async fn ask(api: &Api, method: &str, below: &str, kind: &str, body: &str) -> (u16, Value) {
    ask_as(api, "secret", method, &format!("Accounts/{}/{below}", api.account_sid), kind, body).await
}

fn row() -> CallRow {
    let at = Timestamp(1_282_266_822_000_000);
    CallRow::new(CallSid(1), Direction::OutboundApi, "+15550001111", "+14155551212", CallStatus::Queued, at)
}

/// What the node was asked to call, of the only request.
async fn placed(kind: &str, body: &str) -> NewCall {
    let folder = tempfile::tempdir().unwrap();
    let (api, taken) = api(folder.path()).await;
    let node = node(taken, OperatorReply::Call(Box::new(row())));
    let (status, answer) = ask(&api, "POST", "Calls", kind, body).await;
    assert_eq!((status, &answer["status"]), (200, &json!("queued")), "{answer}");
    drop(api);
    match node.await.unwrap().remove(0) {
        Operator::Originate(new) => *new,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_call_is_made_in_the_dialect_with_its_own_names() {
    let json_body = json!({
        "To": "+14155551212", "From": "+15550001111", "ApplicationSid": ApplicationSid(1),
        "Url": "http://web.example/texml", "UrlMethod": "GET", "StatusCallback": "http://web.example/s",
        "StatusCallbackEvent": "ringing answered", "MachineDetection": "Enable",
        "MachineDetectionTimeout": 3_500, "AsyncAmd": true, "TimeLimit": 60, "CallerId": "Front Desk",
        "Record": true, "RecordingStatusCallback": "http://web.example/r", "SendRecordingUrl": false,
        "PreferredCodecs": "PCMU",
    })
    .to_string();
    let form = "To=%2B14155551212&From=%2B15550001111&Url=http://web.example/texml&UrlMethod=GET\
        &StatusCallback=http://web.example/s&StatusCallbackEvent=ringing+answered&MachineDetection=Enable\
        &MachineDetectionTimeout=3500&AsyncAmd=true&TimeLimit=60&Record=true&CallerId=Front+Desk\
        &RecordingStatusCallback=http://web.example/r&SendRecordingUrl=false";
    for (kind, body) in [(JSON, json_body.as_str()), (FORM, form)] {
        let new = placed(kind, body).await;
        assert_eq!((new.to.as_str(), new.from.as_str()), ("+14155551212", "+15550001111"));
        let url = Source::Url { url: "http://web.example/texml".to_owned(), method: HttpMethod::Get };
        assert_eq!((new.dialect, &new.document), (Dialect::Texml, &CallDocument::Given(url)));
        assert_eq!(new.status_callback.unwrap().events.len(), 2);
        let detection = new.machine_detection.unwrap();
        assert_eq!((detection.timeout_ms, detection.beside), (3_500, true));
        assert_eq!((new.time_limit_s, new.caller_id), (Some(60), None), "a name is no number");
        assert_eq!(new.display_name.as_deref(), Some("Front Desk"));
        assert!(!new.record.unwrap().callback.unwrap().sends_url);
    }
    let new = placed(JSON, &json!({"To": "101", "From": "102", "Texml": "<Response/>"}).to_string()).await;
    assert_eq!(new.document, CallDocument::Given(Source::Inline("<Response/>".to_owned())));
    let headers = json!([{"name": "X-Order", "value": "a b"}]);
    let body = json!({"To": "sip:a@h", "From": "1", "Url": "http://w.example/", "CustomHeaders": headers});
    assert_eq!(placed(JSON, &body.to_string()).await.to, "sip:a@h?X-Order=a%20b");
}

#[tokio::test]
async fn a_supervisors_call_runs_no_document_of_its_own() {
    use router::SupervisorMode::{Barge, Monitor, Whisper};
    for (role, mode) in [("barge", Barge), ("whisper", Whisper), ("monitor", Monitor), ("", Barge)] {
        let body = json!({
            "To": "101", "From": "102", "ApplicationSid": ApplicationSid(1), "SuperviseCallSid": CallSid(7),
            "SupervisingRole": role,
        });
        let new = placed(JSON, &body.to_string()).await;
        assert_eq!(new.supervises, Some((CallSid(7), mode)), "{role}");
        assert_eq!((new.status_callback, new.fallback), (None, None));
        assert_eq!(new.document, CallDocument::Given(Source::Inline(String::new())));
    }
}

/// What the request does not name is the application's; with nothing named the application's document runs.
#[tokio::test]
async fn the_application_stands_behind_the_request() {
    let plain = json!({"To": "101", "From": "102", "ApplicationSid": ApplicationSid(1)});
    let new = placed(JSON, &plain.to_string()).await;
    assert_eq!(new.document, CallDocument::Of(ApplicationSid(1).to_string()));
    assert_eq!(new.dialect, Dialect::Texml);

    let folder = tempfile::tempdir().unwrap();
    let (api, taken) = api(folder.path()).await;
    let node = node(taken, OperatorReply::Call(Box::new(row())));
    let application = "FriendlyName=desk&VoiceUrl=http://web.example/v&VoiceMethod=GET\
        &VoiceFallbackUrl=http://web.example/f&StatusCallback=http://web.example/s&StatusCallbackMethod=GET";
    let (status, made) = crate::v2010::tests::ask(&api, "POST", "Applications.json", application).await;
    assert_eq!(status, 201, "{made}");
    let body =
        json!({"To": "101", "From": "102", "ApplicationSid": made["sid"], "Url": "http://web.example/u"});
    let (status, answer) = ask(&api, "POST", "Calls", JSON, &body.to_string()).await;
    assert_eq!(status, 200, "{answer}");
    drop(api);
    let asked = node.await.unwrap();
    let [Operator::Originate(new)] = asked.as_slice() else { panic!("{asked:?}") };
    let url = Source::Url { url: "http://web.example/u".to_owned(), method: HttpMethod::Get };
    assert_eq!(new.document, CallDocument::Given(url), "asked for as the application is");
    let fallback = DocumentRef { url: "http://web.example/f".to_owned(), method: HttpMethod::Post };
    assert_eq!(new.fallback, Some(fallback));
    let callback = new.status_callback.as_ref().unwrap();
    assert_eq!((callback.url.as_str(), callback.method), ("http://web.example/s", HttpMethod::Get));
}

#[tokio::test]
async fn calls_are_listed_fetched_and_changed_as_published() {
    let folder = tempfile::tempdir().unwrap();
    let (api, taken) = api(folder.path()).await;
    let node = node(taken, OperatorReply::Call(Box::new(row())));
    api.store.write(StoreItem::Call(row()));
    let published: Value =
        serde_json::from_str(include_str!("../../../tests/data/rest/texml_call.json")).unwrap();
    let one = format!("Calls/{}", CallSid(1));
    for path in [one.clone(), format!("{one}.json")] {
        let (status, call) = ask(&api, "GET", &path, FORM, "").await;
        assert_eq!((status, keys(&call)), (200, keys(&published)), "{path}");
        assert_eq!((&call["direction"], &call["uri"]), (&json!("outbound"), &published["uri"]));
        assert_eq!((&call["price"], &call["price_unit"]), (&json!(null), &json!(null)));
    }
    for (query, count) in
        [("", 1), ("?Status=queued", 1), ("?StartTime_gt=2023-05-22", 0), ("?page[size]=1&Status=busy", 0)]
    {
        let (status, page) = ask(&api, "GET", &format!("Calls{query}"), FORM, "").await;
        assert_eq!((status, page["calls"].as_array().unwrap().len()), (200, count), "{query}: {page}");
        for key in ["end", "first_page_uri", "next_page_uri", "page", "page_size", "start", "uri"] {
            assert!(page.get(key).is_some(), "{key}");
        }
        assert!(page["uri"].as_str().unwrap().starts_with("/v2/texml/Accounts/"), "{page}");
        assert!(count == 0 || keys(&page["calls"][0]) == keys(&published));
    }
    // The account may be left out.
    assert_eq!(ask_as(&api, "secret", "GET", "Calls", FORM, "").await.0, 200);
    let (status, call) = ask(&api, "POST", &one, FORM, "Texml=%3CResponse/%3E").await;
    assert_eq!((status, keys(&call)), (200, keys(&published)));
    assert_eq!(ask(&api, "POST", &one, JSON, "{\"Status\":\"completed\"}").await.0, 200);
    assert_eq!(ask(&api, "DELETE", &one, FORM, "").await.0, 405);
    drop(api);
    let fates: Vec<_> = node
        .await
        .unwrap()
        .into_iter()
        .filter_map(|command| match command {
            Operator::UpdateCall { update, .. } => update.fate,
            _ => None,
        })
        .collect();
    assert_eq!(fates, [Fate::Redirect(Source::Inline("<Response/>".to_owned())), Fate::Complete]);
}

#[tokio::test]
async fn who_may_ask_and_what_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (api, _taken) = api(folder.path()).await;
    let (_, key) = crate::v2010::tests::ask(&api, "POST", "Keys.json", "FriendlyName=k").await;
    let (sid, secret) = (key["sid"].as_str().unwrap(), key["secret"].as_str().unwrap());
    let path = format!("Accounts/{}/Calls", api.account_sid);
    for (token, status) in [
        ("secret".to_owned(), 200),
        (secret.to_owned(), 200),
        (format!("{sid}:{secret}"), 200),
        (format!("{}:secret", api.account_sid), 200),
        ("wrong".to_owned(), 401),
        (String::new(), 401),
    ] {
        let (told, body) = ask_as(&api, &token, "GET", &path, FORM, "").await;
        assert_eq!(told, status, "{token}: {body}");
        assert!(status == 200 || body["errors"][0]["code"] == "10009", "{body}");
    }
    for (method, below, kind, body, status, code) in [
        ("GET", "Keys.json", FORM, "", 404, "10005"),
        ("GET", "Calls/CA00000000000000000000000000000009", FORM, "", 404, "10005"),
        ("GET", "Calls/CA00000000000000000000000000000009/Payments.json", FORM, "", 404, "10005"),
        ("POST", "Calls", JSON, "{oops", 400, "10015"),
        ("POST", "Calls", JSON, "{\"To\":{}}", 400, "10015"),
        ("POST", "Calls", JSON, "{\"To\":\"1\"}", 400, "10015"),
        ("POST", "Calls", JSON, "{\"To\":\"1\",\"From\":\"2\",\"SuperviseCallSid\":\"CA1\"}", 400, "10015"),
        (
            "POST",
            "Calls",
            FORM,
            "To=1&From=2&SuperviseCallSid=CA00000000000000000000000000000007&SupervisingRole=x",
            400,
            "10015",
        ),
        ("POST", "Calls", FORM, "a=%", 400, "10015"),
        ("GET", "Calls?PageSize=0", FORM, "", 400, "10015"),
    ] {
        let (told, answer) = ask(&api, method, below, kind, body).await;
        assert_eq!(
            (told, &answer["errors"][0]["code"]),
            (status, &json!(code)),
            "{method} {below}: {answer}"
        );
        assert!(answer["errors"][0]["detail"].is_string(), "{answer}");
    }
    let other = "Accounts/AC00000000000000000000000000000009/Calls";
    assert_eq!(ask_as(&api, "secret", "GET", other, FORM, "").await.0, 404, "another account");
    for list in ["Recordings.json", "Transcriptions.json"] {
        assert_eq!(ask(&api, "GET", list, FORM, "").await.0, 200, "{list}");
    }
}

#[tokio::test]
async fn somebody_is_called_into_a_conference() {
    let folder = tempfile::tempdir().unwrap();
    let (api, taken) = api(folder.path()).await;
    let somebody = LiveParticipant {
        conference: ConferenceSid(5),
        facts: ParticipantFacts {
            call_sid: CallSid(3),
            muted: false,
            hold: false,
            coaches: Some(CallSid(1)),
            end_on_exit: false,
            start_on_enter: true,
            label: None,
        },
        stage: ParticipantStage::Queued,
        created: Timestamp(3),
        updated: Timestamp(3),
        queue_time_ms: Some(0),
    };
    let node = node(taken, OperatorReply::Participant(Box::new(somebody)));
    let body = json!({
        "To": "101", "From": "102", "CallerId": "Front Desk", "MachineDetection": "Enable",
        "MachineDetectionTimeout": 500, "StartConferenceOnEnter": false,
    });
    let (status, one) = ask(&api, "POST", "Conferences/desk/Participants", JSON, &body.to_string()).await;
    assert_eq!(status, 200, "{one}");
    assert_eq!((&one["call_sid_legacy"], &one["coaching_call_sid"]), (&one["call_sid"], &json!(CallSid(1))));
    assert!(one["uri"].as_str().unwrap().starts_with("/v2/texml/"), "{one}");
    drop(api);
    let asked = node.await.unwrap();
    let [Operator::AddParticipant { new, .. }] = asked.as_slice() else { panic!("{asked:?}") };
    assert_eq!((new.call.dialect, new.call.display_name.as_deref()), (Dialect::Texml, Some("Front Desk")));
    assert_eq!(new.call.machine_detection.as_ref().unwrap().timeout_ms, 500);
    assert!(!new.conference.start_on_enter);
}

/// Made by that vendor's names, an application speaks the dialect, and is the 2010 API's as well.
#[tokio::test]
async fn an_application_is_made_changed_and_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let (api, _taken) = api(folder.path()).await;
    let apps = |method: &'static str, below: String, body: Value| {
        let api = api.clone();
        async move {
            let request = Request::builder()
                .method(method)
                .uri(format!("/v2/texml_applications{below}"))
                .header(header::AUTHORIZATION, "Bearer secret")
                .header(header::CONTENT_TYPE, JSON)
                .body(Body::from(if body.is_null() { String::new() } else { body.to_string() }))
                .unwrap();
            let answer = crate::router(api).call(request).await.unwrap();
            let status = answer.status().as_u16();
            let body = to_bytes(answer.into_body(), 1_000_000).await.unwrap();
            (status, serde_json::from_slice::<Value>(&body).unwrap_or_default())
        }
    };
    let new = json!({
        "friendly_name": "desk", "voice_url": "http://web.example/v", "voice_fallback_url": "http://web.example/f",
        "status_callback": "http://web.example/s", "status_callback_method": "get", "active": true, "tags": ["a"],
        "anchorsite_override": "Latency", "dtmf_type": "RFC 2833", "first_command_timeout_secs": 30,
        "inbound": { "channel_limit": 10 }, "outbound": { "outbound_voice_profile_id": "1" },
    });
    let (status, made) = apps("POST", String::new(), new).await;
    assert_eq!((status, &made["data"]["record_type"]), (201, &json!("texml_application")), "{made}");
    let sid = made["data"]["id"].as_str().unwrap().to_owned();
    let shown = |key: &str| made["data"][key].as_str().unwrap_or_default().to_owned();
    assert_eq!((shown("voice_method"), shown("status_callback_method")), ("get".into(), "get".into()));
    let application = api.office.view().office().applications[&sid].clone();
    assert_eq!(application.dialect, Dialect::Texml);
    let voice = Source::Url { url: "http://web.example/v".to_owned(), method: HttpMethod::Get };
    assert_eq!(application.voice, voice);

    let one = format!("/{sid}");
    let (status, changed) =
        apps("PATCH", one.clone(), json!({"voice_method": "post", "friendly_name": "front"})).await;
    assert_eq!((status, &changed["data"]["voice_method"]), (200, &json!("post")), "{changed}");
    assert_eq!(api.office.view().office().applications[&sid].dialect, Dialect::Texml, "still");
    assert_eq!(apps("GET", one.clone(), Value::Null).await, (200, changed.clone()));
    let (_, other) = crate::v2010::tests::ask(&api, "GET", &format!("Applications/{sid}.json"), "").await;
    assert_eq!(other["friendly_name"], "front");
    let (status, page) =
        apps("GET", "?page%5Bsize%5D=1&filter%5Bfriendly_name%5D%5Bcontains%5D=ron".into(), Value::Null)
            .await;
    assert_eq!(
        (status, &page["data"][0], &page["meta"]["total_results"]),
        (200, &changed["data"], &json!(1))
    );
    let (_, beyond) = apps("GET", "?page%5Bnumber%5D=9".into(), Value::Null).await;
    assert_eq!(
        (&beyond["data"], &beyond["meta"]["total_results"]),
        (&json!([]), &json!(2)),
        "the file's is one, too"
    );
    for (method, below, body, status) in [
        ("POST", "", json!({"friendly_name": "x"}), 400),
        ("POST", "", json!({"voice_url": "http://w/"}), 400),
        ("POST", "", json!({"friendly_name": "x", "voice_url": "nowhere"}), 400),
        ("GET", "?page%5Bsize%5D=0", Value::Null, 400),
        ("GET", "/AP00000000000000000000000000000009", Value::Null, 404),
        ("PATCH", "/AP00000000000000000000000000000009", json!({}), 404),
        ("DELETE", "/AP00000000000000000000000000000009", Value::Null, 404),
        ("DELETE", "", Value::Null, 405),
    ] {
        let (told, answer) = apps(method, below.to_owned(), body).await;
        assert_eq!(told, status, "{method} {below}: {answer}");
        assert!(answer["errors"][0]["detail"].is_string(), "{answer}");
    }
    assert_eq!(apps("DELETE", one.clone(), Value::Null).await, (200, changed));
    assert_eq!(apps("GET", one, Value::Null).await.0, 404);
    let path = "/v2/texml_applications";
    let unasked = Request::builder().uri(path).body(Body::empty()).unwrap();
    assert_eq!(crate::router(api.clone()).call(unasked).await.unwrap().status(), 401);
}
