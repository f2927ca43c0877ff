//! Recordings of one conference: `…/Conferences/CF…/Recordings.json` and each (reference: rest-voice §7, §8).

use axum::extract::{OriginalUri, Path, State};
use axum::http::{StatusCode, Uri};
use axum::routing::get;
use axum::{Json, Router};
use base::ConferenceSid;
use call::record::RecordingRow;
use call::{ConferenceRef, Operator, OperatorReply, RecordChange};
use serde_json::{Value, json};
use store::RecordingFilter;

use super::conferences::over;
use super::recording_control::{change, which};
use super::recordings::{forget, page, row, show_of_conference};
use super::sid;
use crate::Api;
use crate::auth::Authorized;
use crate::dates::span;
use crate::error::ApiError;
use crate::params::Params;

pub(crate) fn routes() -> Router<Api> {
    Router::new()
        .route("/Conferences/{conference}/Recordings.json", get(list))
        .route("/Conferences/{conference}/Recordings", get(list))
        .route("/Conferences/{conference}/Recordings/{recording}", get(fetch).post(control).delete(delete))
}

/// GET: newest first.
async fn list(
    _: Authorized,
    State(api): State<Api>,
    OriginalUri(uri): OriginalUri,
    Path((_, name)): Path<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    let conference: ConferenceSid = sid(&name, uri.path())?;
    let query = Params::read(uri.query().unwrap_or_default().as_bytes());
    let created = span(&query, "DateCreated")?;
    let filter = RecordingFilter {
        conference: Some(conference),
        created_from: created.from,
        created_to: created.to,
        ..RecordingFilter::default()
    };
    page(&api, &uri, &query, &filter, |row| show_of_conference(row, api.account_sid)).await
}

/// GET.
async fn fetch(
    _: Authorized,
    State(api): State<Api>,
    OriginalUri(uri): OriginalUri,
    Path((_, conference, name)): Path<(String, String, String)>,
) -> Result<Json<Value>, ApiError> {
    let row = of_conference(&api, &conference, &name, &uri).await?;
    Ok(Json(show_of_conference(&row, api.account_sid)))
}

/// DELETE: the sound is gone for good.
async fn delete(
    _: Authorized,
    State(api): State<Api>,
    OriginalUri(uri): OriginalUri,
    Path((_, conference, name)): Path<(String, String, String)>,
) -> Result<StatusCode, ApiError> {
    forget(&api, of_conference(&api, &conference, &name, &uri).await?).await
}

/// POST: suspends, resumes or ends it.
async fn control(
    _: Authorized,
    State(api): State<Api>,
    OriginalUri(uri): OriginalUri,
    Path((_, name, recording)): Path<(String, String, String)>,
    form: Params,
) -> Result<Json<Value>, ApiError> {
    form.note_unknown(&["Status", "PauseBehavior"]);
    let conference: ConferenceSid = sid(&name, uri.path())?;
    let (recording, change) = (which(&recording, &uri)?, change(&form)?);
    match api.orders.ask(Operator::ConferenceRecording { conference, recording, change }).await? {
        OperatorReply::Recording(row) => {
            api.store.flush().await?;
            let mut shown = show_of_conference(&row, api.account_sid);
            if change == RecordChange::Stop {
                shown["status"] = json!("stopped");
            }
            Ok(Json(shown))
        }
        OperatorReply::NoSuchConference => Err(over(&api, &ConferenceRef::Sid(conference), &uri).await?),
        OperatorReply::RecordFault(_) => Err(ApiError::not_found(uri.path())),
        _ => Err(ApiError::unexpected()),
    }
}

async fn of_conference(api: &Api, conference: &str, name: &str, uri: &Uri) -> Result<RecordingRow, ApiError> {
    let conference: ConferenceSid = sid(conference, uri.path())?;
    let row = row(api, name, uri).await?;
    if row.conference == Some(conference) { Ok(row) } else { Err(ApiError::not_found(uri.path())) }
}

#[cfg(test)]
mod tests {
    use base::{CallSid, RecordingSid, Timestamp};
    use call::RecordFault;
    use call::record::{ConferenceRow, ConferenceStatus, RecordingSource, RecordingStatus, StoreItem};

    use super::*;
    use crate::v2010::tests::{api, ask, keys, node, send};

    fn recording(n: u128, conference: Option<u128>, status: RecordingStatus) -> RecordingRow {
        RecordingRow {
            sid: RecordingSid(n),
            call: CallSid(1),
            conference: conference.map(ConferenceSid),
            path: format!("{n}.wav"),
            channels: 1,
            status,
            source: RecordingSource::Conference,
            track: "both".to_owned(),
            created: Timestamp(n as i64),
            updated: Timestamp(n as i64),
            start: None,
            duration_ms: None,
            bytes: None,
            error_code: None,
        }
    }

    fn path(conference: u128, recording: u128) -> String {
        format!("Conferences/{}/Recordings/{}.json", ConferenceSid(conference), RecordingSid(recording))
    }

    #[tokio::test]
    async fn they_are_listed_shown_and_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let (api, _taken) = api(folder.path()).await;
        for (n, conference, status) in [
            (1, Some(5), RecordingStatus::Completed),
            (2, Some(6), RecordingStatus::Completed),
            (3, None, RecordingStatus::Completed),
            (4, Some(5), RecordingStatus::InProgress),
        ] {
            api.store.write(StoreItem::Recording(recording(n, conference, status)));
        }
        let (_, body) =
            ask(&api, "GET", &format!("Conferences/{}/Recordings.json", ConferenceSid(5)), "").await;
        let found: Vec<&Value> =
            body["recordings"].as_array().unwrap().iter().map(|one| &one["sid"]).collect();
        assert_eq!(found, [&json!(RecordingSid(4)), &json!(RecordingSid(1))]);
        let published = include_str!("../../../tests/data/rest/conference_recording.json");
        let (status, body) = ask(&api, "GET", &path(5, 1), "").await;
        assert_eq!((status, keys(&body)), (200, keys(&serde_json::from_str(published).unwrap())));
        for (of, one) in [(6, 1), (5, 3), (5, 9)] {
            assert_eq!(ask(&api, "GET", &path(of, one), "").await.1["code"], 20404);
        }
        assert_eq!(ask(&api, "DELETE", &path(5, 4), "").await.1["code"], 20009);
        assert_eq!(send(&api, "DELETE", &path(5, 1), "", "secret").await.status(), 204);
        assert_eq!(ask(&api, "GET", &path(5, 1), "").await.0, 404);
    }

    #[tokio::test]
    async fn one_that_runs_is_controlled() {
        let folder = tempfile::tempdir().unwrap();
        let (api, taken) = api(folder.path()).await;
        let row = recording(1, Some(5), RecordingStatus::Processing);
        let node = node(taken, OperatorReply::Recording(Box::new(row)));
        let current = format!("Conferences/{}/Recordings/Twilio.CURRENT.json", ConferenceSid(5));
        assert_eq!(ask(&api, "POST", &current, "Status=paused&PauseBehavior=skip").await.0, 200);
        assert_eq!(ask(&api, "POST", &path(5, 1), "Status=stopped").await.1["status"], "stopped");
        drop(api);
        let conference = ConferenceSid(5);
        let order = |recording, change| Operator::ConferenceRecording { conference, recording, change };
        assert_eq!(
            node.await.unwrap(),
            [
                order(None, RecordChange::Pause { silence: false }),
                order(Some(RecordingSid(1)), RecordChange::Stop)
            ]
        );
    }

    #[tokio::test]
    async fn what_is_not_done_has_its_number() {
        let missing = OperatorReply::RecordFault(RecordFault::NoSuchRecording);
        for (reply, form, status, code) in [
            (missing, "Status=stopped", 404, 20404),
            (OperatorReply::NoSuchConference, "Status=stopped", 400, 16022),
            (OperatorReply::Done, "Status=absent", 400, 20001),
            (OperatorReply::Done, "", 400, 20001),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let (api, taken) = api(folder.path()).await;
            api.store.write(StoreItem::Conference(ConferenceRow {
                sid: ConferenceSid(5),
                name: "room".to_owned(),
                status: ConferenceStatus::Completed,
                created: Timestamp(0),
                updated: Timestamp(0),
                ended_why: None,
                ended_by: None,
                region: None,
            }));
            let _node = node(taken, reply);
            let (told, body) = ask(&api, "POST", &path(5, 1), form).await;
            assert_eq!((told, &body["code"]), (status, &json!(code)), "{form}");
        }
    }
}
