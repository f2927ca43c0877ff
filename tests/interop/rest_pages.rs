//! Ten thousand calls on record, read page by page through the official libraries.

use std::collections::BTreeSet;
use std::time::Instant;

use base::{CallSid, RecordingSid, Timestamp};
use call::record::{CallRow, RecordingRow, RecordingSource, RecordingStatus, StoreItem};
use serde_json::{Value, json};
use twiml::{CallStatus, Direction};

use crate::common::network::in_own_network;
use crate::common::office::Tandem;
use crate::common::{hz, s};
use crate::rest::client;
use crate::stage::{Caller, NUMBER, office, web};

/// Calls on record.
const CALLS: u128 = 10_000;
/// Recordings, of the first of them.
const RECORDINGS: u128 = 120;
/// When the first of them was; one a second.
const FIRST: Timestamp = Timestamp(1_767_225_600_000_000);

fn row(n: u128) -> CallRow {
    let at = Timestamp(FIRST.0 + n as i64 * 1_000_000);
    let (status, to) = match n % 10 {
        0 => (CallStatus::Busy, "+15550009999"),
        1 => (CallStatus::NoAnswer, "client:ann"),
        _ => (CallStatus::Completed, NUMBER),
    };
    let mut row = CallRow::new(CallSid(n + 1), Direction::Inbound, "+15557770001", to, status, at);
    (row.start, row.end, row.duration_s) = (Some(at), Some(Timestamp(at.0 + 500_000)), Some(0));
    row
}

fn recording(n: u128) -> RecordingRow {
    let at = Timestamp(FIRST.0 + n as i64 * 1_000_000);
    RecordingRow {
        sid: RecordingSid(n + 1),
        call: CallSid(n + 1),
        conference: None,
        path: format!("{n}.wav"),
        channels: 1 + (n % 2) as u8,
        status: RecordingStatus::Completed,
        source: RecordingSource::RecordVerb,
        track: "both".to_owned(),
        created: at,
        updated: at,
        start: Some(at),
        duration_ms: Some(n as u64 * 1_000),
        bytes: Some(1_000),
        error_code: None,
    }
}

fn fill(tandem: &Tandem) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let store = store::Store::open("sqlite:", &tandem.state()).await.unwrap();
        for n in 0..CALLS {
            store.write(StoreItem::Call(row(n)));
            if n % 1_000 == 999 {
                store.flush().await.unwrap();
            }
        }
        for n in 0..RECORDINGS {
            store.write(StoreItem::Recording(recording(n)));
        }
        store.close().await;
    });
}

#[test]
fn python_reads_ten_thousand_calls() {
    in_own_network(|| ten_thousand_calls_are_read("python"));
}

#[test]
fn node_reads_ten_thousand_calls() {
    in_own_network(|| ten_thousand_calls_are_read("node"));
}

fn ten_thousand_calls_are_read(library: &str) {
    let Some(mut sdk) = client(library) else { return };
    let web = web();
    web.document("/voice", "<Play loop=\"0\">/prompt.wav</Play>");
    let mut tandem = office(&web).open();
    tandem.stop(s(20));
    fill(&tandem);
    tandem.start();
    // Somebody is on the line all the while.
    let mut caller = Caller::calls_and_hangs_up_when_told(&tandem);
    let began = Instant::now();

    let sids = |calls: &Value| -> Vec<String> {
        calls.as_array().unwrap().iter().map(|call| call["sid"].as_str().unwrap().to_owned()).collect()
    };
    let all = sdk.does(json!(["calls"]), "list", json!({ "page_size": 1000 }));
    let all = sids(&all);
    assert_eq!(all.len() as u128, CALLS + 1, "and the one that is going on");
    let stored: Vec<String> = (1..=CALLS).rev().map(|n| CallSid(n).to_string()).collect();
    assert!(all[1..] == stored, "newest first, each once");

    let busy = sdk.does(json!(["calls"]), "list", json!({ "status": "busy", "page_size": 300 }));
    assert_eq!(busy.as_array().unwrap().len(), 1_000);
    assert!(busy.as_array().unwrap().iter().all(|call| call["to"] == "+15550009999"));
    let few = sdk.does(json!(["calls"]), "list", json!({ "to": "client:ann", "limit": 70 }));
    assert_eq!(sids(&few).into_iter().collect::<BTreeSet<_>>().len(), 70);
    assert_eq!(few[0]["sid"], json!(CallSid(CALLS - 8)), "the newest to ann");

    recordings_are_streamed(&mut sdk);

    // An hour in the middle, its ends included.
    let hour = json!({
        "start_time_after": "@2026-01-01T01:00:00+00:00",
        "start_time_before": "@2026-01-01T02:00:00+00:00",
        "page_size": 1000,
    });
    let hour = sdk.does(json!(["calls"]), "list", hour);
    let hour = sids(&hour);
    assert_eq!((hour.len(), &hour[0]), (3_601, &CallSid(7_201).to_string()));

    caller.rtp.wait_tone(hz::PROMPT, 1.5, began, s(10));
    caller.hangs_up();
}

/// One after the other while the library fetches page after page.
fn recordings_are_streamed(sdk: &mut crate::library::Client) {
    let streamed = sdk.does(json!(["recordings"]), "stream", json!({ "page_size": 7 }));
    let streamed = streamed.as_array().unwrap();
    assert_eq!(streamed.len() as u128, RECORDINGS);
    for (row, n) in streamed.iter().zip((0..RECORDINGS).rev()) {
        let stored = recording(n);
        assert_eq!(
            (&row["sid"], &row["call_sid"], &row["duration"], &row["source"], &row["status"]),
            (
                &json!(stored.sid),
                &json!(stored.call),
                &json!(n.to_string()),
                &json!("RecordVerb"),
                &json!("completed")
            )
        );
        assert_eq!(row["channels"], json!(stored.channels), "{row}");
        let url = format!("/Recordings/{}", stored.sid);
        assert!(row["media_url"].as_str().is_some_and(|media| media.ends_with(&url)), "{row}");
    }
    let few = sdk.does(json!(["recordings"]), "stream", json!({ "page_size": 7, "limit": 10 }));
    assert_eq!(few.as_array().unwrap()[..], streamed[..10]);
}
