//! What was said in recordings: `…/Transcriptions.json`, `…/Transcriptions/TR….json` and `.txt`, and those of one
//! recording (reference: rest-voice §8).

use axum::extract::{OriginalUri, Path, State};
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use base::{AccountSid, RecordingSid, TranscriptionSid};
use call::record::{Gone, StoreItem, TranscriptionRow, TranscriptionStatus};
use serde_json::{Value, json};

use super::sid;
use crate::Api;
use crate::auth::Authorized;
use crate::error::ApiError;
use crate::paging::Paging;
use crate::params::Params;

pub(crate) fn routes() -> Router<Api> {
    Router::new()
        .route("/Transcriptions.json", get(list))
        .route("/Transcriptions", get(list))
        .route("/Transcriptions/{transcription}", get(fetch).delete(delete))
        .route("/Recordings/{recording}/Transcriptions.json", get(list_of_recording))
        .route("/Recordings/{recording}/Transcriptions", get(list_of_recording))
        .route(
            "/Recordings/{recording}/Transcriptions/{transcription}",
            get(fetch_of_recording).delete(delete_of_recording),
        )
}

/// GET: of all recordings.
async fn list(
    _: Authorized,
    State(api): State<Api>,
    OriginalUri(uri): OriginalUri,
) -> Result<Json<Value>, ApiError> {
    page(&api, None, &uri).await
}

/// GET: of one recording.
async fn list_of_recording(
    _: Authorized,
    State(api): State<Api>,
    OriginalUri(uri): OriginalUri,
    Path((_, name)): Path<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    let recording: RecordingSid = sid(&name, uri.path())?;
    if api.store.recording(recording).await?.is_none() {
        return Err(ApiError::not_found(uri.path()));
    }
    page(&api, Some(recording), &uri).await
}

/// GET: one; with `.txt` what was said alone.
async fn fetch(
    _: Authorized,
    State(api): State<Api>,
    OriginalUri(uri): OriginalUri,
    Path((_, name)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    let (stem, plain) = match name.strip_suffix(".txt") {
        Some(stem) => (stem, true),
        None => (name.as_str(), false),
    };
    let row = row(&api, stem, &uri).await?;
    if plain {
        let kind = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
        return Ok((kind, row.text.unwrap_or_default()).into_response());
    }
    Ok(Json(show(&row, api.account_sid)).into_response())
}

/// GET: one of a recording.
async fn fetch_of_recording(
    _: Authorized,
    State(api): State<Api>,
    OriginalUri(uri): OriginalUri,
    Path((_, recording, name)): Path<(String, String, String)>,
) -> Result<Json<Value>, ApiError> {
    Ok(Json(show(&row_of(&api, &recording, &name, &uri).await?, api.account_sid)))
}

/// DELETE.
async fn delete(
    _: Authorized,
    State(api): State<Api>,
    OriginalUri(uri): OriginalUri,
    Path((_, name)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    forget(&api, &row(&api, &name, &uri).await?).await
}

/// DELETE: one of a recording.
async fn delete_of_recording(
    _: Authorized,
    State(api): State<Api>,
    OriginalUri(uri): OriginalUri,
    Path((_, recording, name)): Path<(String, String, String)>,
) -> Result<StatusCode, ApiError> {
    forget(&api, &row_of(&api, &recording, &name, &uri).await?).await
}

/// One that is not complete would be written again when it is.
async fn forget(api: &Api, row: &TranscriptionRow) -> Result<StatusCode, ApiError> {
    if row.status == TranscriptionStatus::InProgress {
        return Err(ApiError::new(20009, format!("Transcription {} is not finished", row.sid)));
    }
    api.store.write(StoreItem::Gone(Gone::Transcription(row.sid)));
    api.store.flush().await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn page(api: &Api, recording: Option<RecordingSid>, uri: &Uri) -> Result<Json<Value>, ApiError> {
    let paging = Paging::read(&Params::read(uri.query().unwrap_or_default().as_bytes()))?;
    let rows = api.store.transcriptions(recording, &paging.page()?).await?;
    let shown = |row: &TranscriptionRow| show(row, api.account_sid);
    Ok(Json(paging.envelope(uri.path(), "transcriptions", rows, |row| (row.created, row.sid), shown)))
}

async fn row(api: &Api, name: &str, uri: &Uri) -> Result<TranscriptionRow, ApiError> {
    let transcription: TranscriptionSid = sid(name, uri.path())?;
    api.store.transcription(transcription).await?.ok_or_else(|| ApiError::not_found(uri.path()))
}

async fn row_of(api: &Api, recording: &str, name: &str, uri: &Uri) -> Result<TranscriptionRow, ApiError> {
    let row = row(api, name, uri).await?;
    let ours = sid::<RecordingSid>(recording, uri.path())? == row.recording;
    if ours { Ok(row) } else { Err(ApiError::not_found(uri.path())) }
}

/// The resource; of a recording it is the same.
fn show(row: &TranscriptionRow, account: AccountSid) -> Value {
    json!({
        "sid": row.sid,
        "account_sid": account,
        "api_version": "2010-04-01",
        "date_created": row.created.rfc2822(),
        "date_updated": row.updated.rfc2822(),
        "duration": row.duration_s.to_string(),
        "price": null,
        "price_unit": "USD",
        "recording_sid": row.recording,
        "status": row.status.as_str(),
        "transcription_text": row.text,
        "type": "fast",
        "uri": format!("/2010-04-01/Accounts/{account}/Transcriptions/{}.json", row.sid),
    })
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use base::{CallSid, Timestamp};
    use call::record::{RecordingRow, RecordingSource, RecordingStatus};

    use super::*;
    use crate::v2010::tests::{api, ask, followed, keys, send};

    async fn filled(folder: &std::path::Path) -> Api {
        let (api, _taken) = api(folder).await;
        for n in 1..=3_u128 {
            let done = n < 3;
            api.store.write(StoreItem::Transcription(TranscriptionRow {
                sid: TranscriptionSid(n),
                recording: RecordingSid(n % 2),
                call: CallSid(1),
                status: if done { TranscriptionStatus::Completed } else { TranscriptionStatus::InProgress },
                text: done.then(|| format!("text {n}")),
                duration_s: 10,
                created: Timestamp(n as i64),
                updated: Timestamp(n as i64),
            }));
        }
        api.store.write(StoreItem::Recording(RecordingRow {
            sid: RecordingSid(1),
            call: CallSid(1),
            conference: None,
            path: "1.wav".to_owned(),
            channels: 1,
            status: RecordingStatus::Completed,
            source: RecordingSource::RecordVerb,
            track: "both".to_owned(),
            created: Timestamp(0),
            updated: Timestamp(0),
            start: None,
            duration_ms: Some(10_000),
            bytes: None,
            error_code: None,
        }));
        api
    }

    #[tokio::test]
    async fn one_is_shown_as_published_and_as_its_words() {
        let folder = tempfile::tempdir().unwrap();
        let api = filled(folder.path()).await;
        let published = include_str!("../../../tests/data/rest/transcription.json");
        let published: Value = serde_json::from_str(published).unwrap();
        let path = format!("Transcriptions/{}", TranscriptionSid(1));
        let of_recording = format!("Recordings/{}/{path}.json", RecordingSid(1));
        for path in [format!("{path}.json"), path.clone(), of_recording] {
            let (status, body) = ask(&api, "GET", &path, "").await;
            assert_eq!((status, keys(&body)), (200, keys(&published)), "{path}");
            assert_eq!((&body["duration"], &body["status"]), (&json!("10"), &json!("completed")));
            assert_eq!(body["transcription_text"], "text 1");
        }
        let plain = send(&api, "GET", &format!("{path}.txt"), "", "secret").await;
        assert_eq!(plain.headers()[header::CONTENT_TYPE], "text/plain; charset=utf-8");
        assert_eq!(to_bytes(plain.into_body(), 1_000).await.unwrap(), "text 1");
        let other = format!("Recordings/{}/{path}.json", RecordingSid(0));
        assert_eq!(ask(&api, "GET", &other, "").await.1["code"], 20404);
    }

    #[tokio::test]
    async fn lists_are_followed_and_what_is_complete_is_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let api = filled(folder.path()).await;
        let all = followed(&api, "Transcriptions.json?PageSize=1", "transcriptions", "sid").await;
        assert_eq!(all, [3, 2, 1].map(|n| json!(TranscriptionSid(n))));
        let list = format!("Recordings/{}/Transcriptions.json", RecordingSid(1));
        let ours = followed(&api, &list, "transcriptions", "sid").await;
        assert_eq!(ours, [3, 1].map(|n| json!(TranscriptionSid(n))));
        let none = format!("Recordings/{}/Transcriptions.json", RecordingSid(9));
        assert_eq!(ask(&api, "GET", &none, "").await.1["code"], 20404);

        let one = |n| format!("Transcriptions/{}.json", TranscriptionSid(n));
        assert_eq!(send(&api, "DELETE", &one(1), "", "secret").await.status(), 204);
        assert_eq!(ask(&api, "GET", &one(1), "").await.1["code"], 20404);
        assert_eq!(ask(&api, "DELETE", &one(1), "").await.1["code"], 20404);
        let (status, body) = ask(&api, "DELETE", &one(3), "").await;
        assert_eq!((status, &body["code"]), (409, &json!(20009)), "it is being listened to");
    }
}
