//! Recordings of a call in progress: `POST …/Calls/CA…/Recordings.json` begins one, `POST …/Recordings/RE….json` suspends
//! and ends it (reference: rest-voice §8).

use axum::Json;
use axum::extract::{OriginalUri, Path, State};
use axum::http::{StatusCode, Uri};
use base::{CallSid, RecordingSid};
use call::record::RecordingRow;
use call::{Operator, OperatorReply, RecordChange, RecordFault, RecordOrder};
use serde_json::{Value, json};

use super::calls::record_wish;
use super::recordings::show_of_call;
use super::sid;
use crate::Api;
use crate::auth::Authorized;
use crate::error::ApiError;
use crate::params::Params;

/// POST on the list: begins one; answered once its row is stored.
pub(super) async fn start(
    _: Authorized,
    State(api): State<Api>,
    OriginalUri(uri): OriginalUri,
    Path((_, call)): Path<(String, String)>,
    form: Params,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let call: CallSid = sid(&call, uri.path())?;
    form.note_unknown(START);
    let row = order(&api, call, RecordOrder::Start(record_wish(&form, false)?), &uri).await?;
    Ok((StatusCode::CREATED, Json(show_of_call(&row, api.account_sid))))
}

/// POST on one: `Twilio.CURRENT` is the only one that runs.
pub(super) async fn control(
    _: Authorized,
    State(api): State<Api>,
    OriginalUri(uri): OriginalUri,
    Path((_, call, name)): Path<(String, String, String)>,
    form: Params,
) -> Result<Json<Value>, ApiError> {
    let call: CallSid = sid(&call, uri.path())?;
    form.note_unknown(&["Status", "PauseBehavior"]);
    let (recording, change) = (which(&name, &uri)?, change(&form)?);
    let row = order(&api, call, RecordOrder::Control { recording, change }, &uri).await?;
    let mut shown = show_of_call(&row, api.account_sid);
    if change == RecordChange::Stop {
        shown["status"] = json!("stopped");
    }
    Ok(Json(shown))
}

/// Which recording; `None`: the only one that runs.
pub(super) fn which(name: &str, uri: &Uri) -> Result<Option<RecordingSid>, ApiError> {
    if name.strip_suffix(".json").unwrap_or(name) == CURRENT {
        Ok(None)
    } else {
        sid(name, uri.path()).map(Some)
    }
}

/// What is to be done with it.
pub(super) fn change(form: &Params) -> Result<RecordChange, ApiError> {
    Ok(match form.one_of("Status", &["paused", "in-progress", "stopped"], 20001)? {
        Some("paused") => {
            let skips = form.one_of("PauseBehavior", &["skip", "silence"], 20001)? == Some("skip");
            RecordChange::Pause { silence: !skips }
        }
        Some("in-progress") => RecordChange::Resume,
        Some(_) => RecordChange::Stop,
        None => return Err(ApiError::new(20001, "Status is missing")),
    })
}

/// Stands for the sid of the only recording that runs.
const CURRENT: &str = "Twilio.CURRENT";

const START: &[&str] = &[
    "RecordingStatusCallback",
    "RecordingStatusCallbackMethod",
    "RecordingStatusCallbackEvent",
    "RecordingChannels",
    "RecordingTrack",
    "Trim",
];

async fn order(api: &Api, call: CallSid, order: RecordOrder, uri: &Uri) -> Result<RecordingRow, ApiError> {
    let over = || ApiError::new(21220, format!("Call is not in-progress: {call}"));
    let starts = matches!(order, RecordOrder::Start(_));
    if starts {
        api.could_be_kept().await?;
    }
    match api.orders.ask(Operator::Recording { call, order: Box::new(order) }).await? {
        OperatorReply::Recording(row) => {
            if let Err(error) = api.store.flush().await {
                if starts {
                    // Who is told of an error has begun nothing.
                    let order = RecordOrder::Control { recording: Some(row.sid), change: RecordChange::Stop };
                    api.orders.ask(Operator::Recording { call, order: Box::new(order) }).await?;
                }
                return Err(error.into());
            }
            Ok(*row)
        }
        OperatorReply::RecordFault(RecordFault::NotInProgress) => Err(over()),
        OperatorReply::RecordFault(RecordFault::TooMany) => {
            Err(ApiError::new(16108, "The call is recorded as often as it may be"))
        }
        OperatorReply::NoSuchCall(_) if api.store.call(call).await?.is_some() => Err(over()),
        OperatorReply::NoSuchCall(_) | OperatorReply::RecordFault(RecordFault::NoSuchRecording) => {
            Err(ApiError::not_found(uri.path()))
        }
        _ => Err(ApiError::unexpected()),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use base::Timestamp;
    use call::RecordWish;
    use call::record::{RecordingSource, RecordingStatus};
    use media::RecordWhat;

    use super::*;
    use crate::v2010::tests::{api, ask, keys, node};

    pub(in crate::v2010) fn row(status: RecordingStatus) -> RecordingRow {
        RecordingRow {
            sid: RecordingSid(3),
            call: CallSid(1),
            conference: None,
            path: "3.wav".to_owned(),
            channels: 2,
            status,
            source: RecordingSource::StartCallRecordingApi,
            track: "both".to_owned(),
            created: Timestamp(0),
            updated: Timestamp(0),
            start: None,
            duration_ms: None,
            bytes: None,
            error_code: None,
        }
    }

    #[tokio::test]
    async fn a_live_call_is_recorded_paused_and_no_longer_recorded() {
        let folder = tempfile::tempdir().unwrap();
        let (api, taken) = api(folder.path()).await;
        let node = node(taken, OperatorReply::Recording(Box::new(row(RecordingStatus::Processing))));
        let list = format!("Calls/{}/Recordings.json", CallSid(1));
        let (status, body) = ask(&api, "POST", &list, "RecordingChannels=dual").await;
        let published = include_str!("../../../tests/data/rest/call_recording.json");
        assert_eq!((status, keys(&body)), (201, keys(&serde_json::from_str(published).unwrap())));
        let one = format!("Calls/{}/Recordings/{}.json", CallSid(1), RecordingSid(3));
        let current = format!("Calls/{}/Recordings/Twilio.CURRENT.json", CallSid(1));
        for (path, form) in [
            (&one, "Status=paused&PauseBehavior=skip"),
            (&current, "Status=paused"),
            (&one, "Status=in-progress"),
            (&current, "Status=stopped"),
        ] {
            assert_eq!(ask(&api, "POST", path, form).await.0, 200, "{form}");
        }
        assert_eq!(ask(&api, "POST", &one, "Status=stopped").await.1["status"], "stopped");
        drop(api);
        let orders: Vec<RecordOrder> = node
            .await
            .unwrap()
            .into_iter()
            .map(|command| match command {
                Operator::Recording { order, .. } => *order,
                other => panic!("{other:?}"),
            })
            .collect();
        let control = |recording, change| RecordOrder::Control { recording, change };
        let sid = Some(RecordingSid(3));
        assert_eq!(
            orders[..5],
            [
                RecordOrder::Start(RecordWish { what: RecordWhat::Dual, trim: false, callback: None }),
                control(sid, RecordChange::Pause { silence: false }),
                control(None, RecordChange::Pause { silence: true }),
                control(sid, RecordChange::Resume),
                control(None, RecordChange::Stop),
            ]
        );
    }

    #[tokio::test]
    async fn what_is_not_done_has_its_number() {
        let list = format!("Calls/{}/Recordings.json", CallSid(1));
        let one = format!("Calls/{}/Recordings/{}.json", CallSid(1), RecordingSid(3));
        for (reply, path, form, status, code) in [
            (OperatorReply::RecordFault(RecordFault::NotInProgress), &list, "", 400, 21220),
            (OperatorReply::RecordFault(RecordFault::TooMany), &list, "", 400, 16108),
            (OperatorReply::NoSuchCall(CallSid(1)), &list, "", 404, 20404),
            (OperatorReply::RecordFault(RecordFault::NoSuchRecording), &one, "Status=stopped", 404, 20404),
            (OperatorReply::Done, &one, "Status=halted", 400, 20001),
            (OperatorReply::Done, &one, "", 400, 20001),
            (OperatorReply::Done, &list, "RecordingTrack=mine", 400, 20001),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let (api, taken) = api(folder.path()).await;
            let _node = node(taken, reply);
            let (told, body) = ask(&api, "POST", path, form).await;
            assert_eq!((told, &body["code"]), (status, &json!(code)), "{path} {form}");
        }
    }
}
