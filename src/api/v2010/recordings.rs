//! Recordings: `…/Recordings.json`, those of one call, and each (reference: rest-voice §8).

use axum::Json;
use axum::extract::{OriginalUri, Path, Request, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use base::{AccountSid, CallSid, RecordingSid, Timestamp};
use call::record::{RecordingRow, RecordingStatus, StoreItem};
use serde_json::{Value, json};
use store::RecordingFilter;

use super::{recording_media, sid};
use crate::Api;
use crate::auth::Authorized;
use crate::dates::span;
use crate::door::Origin;
use crate::error::ApiError;
use crate::paging::Paging;
use crate::params::Params;

/// GET: of all calls.
pub(super) async fn list(
    _: Authorized,
    State(api): State<Api>,
    OriginalUri(uri): OriginalUri,
    origin: Origin,
) -> Result<Json<Value>, ApiError> {
    let query = Params::read(uri.query().unwrap_or_default().as_bytes());
    let bad = |name: &str| ApiError::new(20423, format!("{name} is no sid"));
    let call = query.text("CallSid").map(|text| text.parse().map_err(|_| bad("CallSid"))).transpose()?;
    let conference = query.text("ConferenceSid").map(|text| text.parse().map_err(|_| bad("ConferenceSid")));
    let (created, deleted) = (span(&query, "DateCreated")?, query.flag("IncludeSoftDeleted")?);
    let filter = RecordingFilter {
        call,
        conference: conference.transpose()?,
        created_from: created.from,
        created_to: created.to,
        deleted,
    };
    let base = media_base(&api, &origin);
    page(&api, &uri, &query, &filter, |row| show(row, api.account_sid, &base)).await
}

/// GET: of one call.
pub(super) async fn list_of_call(
    _: Authorized,
    State(api): State<Api>,
    OriginalUri(uri): OriginalUri,
    Path((_, name)): Path<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    let call: CallSid = sid(&name, uri.path())?;
    let query = Params::read(uri.query().unwrap_or_default().as_bytes());
    let created = span(&query, "DateCreated")?;
    let filter = RecordingFilter {
        call: Some(call),
        created_from: created.from,
        created_to: created.to,
        ..RecordingFilter::default()
    };
    page(&api, &uri, &query, &filter, |row| show_of_call(row, api.account_sid)).await
}

/// GET: the resource with `.json`, its sound without or with another extension.
pub(super) async fn fetch(
    _: recording_media::Hearer,
    State(api): State<Api>,
    OriginalUri(uri): OriginalUri,
    Path((_, name)): Path<(String, String)>,
    origin: Origin,
    request: Request,
) -> Result<Response, ApiError> {
    let Some(stem) = recording_media::stem(&name) else {
        let query = Params::read(uri.query().unwrap_or_default().as_bytes());
        let row = match query.flag("IncludeSoftDeleted")? {
            true => any_row(&api, &name, &uri).await?,
            false => row(&api, &name, &uri).await?,
        };
        return Ok(Json(show(&row, api.account_sid, &media_base(&api, &origin))).into_response());
    };
    let row = row(&api, stem, &uri).await?;
    recording_media::serve(&api, &row, request).await
}

/// GET: one of a call.
pub(super) async fn fetch_of_call(
    _: Authorized,
    State(api): State<Api>,
    OriginalUri(uri): OriginalUri,
    Path((_, call, name)): Path<(String, String, String)>,
) -> Result<Json<Value>, ApiError> {
    let row = row_of_call(&api, &call, &name, &uri).await?;
    Ok(Json(show_of_call(&row, api.account_sid)))
}

/// DELETE: the sound is gone for good, what is known of it stays for the list with `IncludeSoftDeleted`.
pub(super) async fn delete(
    _: Authorized,
    State(api): State<Api>,
    OriginalUri(uri): OriginalUri,
    Path((_, name)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    forget(&api, row(&api, &name, &uri).await?).await
}

/// DELETE: likewise, one of a call.
pub(super) async fn delete_of_call(
    _: Authorized,
    State(api): State<Api>,
    OriginalUri(uri): OriginalUri,
    Path((_, call, name)): Path<(String, String, String)>,
) -> Result<StatusCode, ApiError> {
    forget(&api, row_of_call(&api, &call, &name, &uri).await?).await
}

/// What is over belongs to the store alone: the node has forgotten it.
pub(super) async fn forget(api: &Api, mut row: RecordingRow) -> Result<StatusCode, ApiError> {
    if matches!(
        row.status,
        RecordingStatus::InProgress | RecordingStatus::Paused | RecordingStatus::Processing
    ) {
        return Err(ApiError::new(20009, format!("Recording {} is not finished", row.sid)));
    }
    if let Err(error) = store::remove_recording(&api.recordings, &row).await {
        tracing::warn!(sid = %row.sid, %error, "a recording cannot be deleted");
        return Err(ApiError::new(20500, "The recording cannot be deleted"));
    }
    row.status = RecordingStatus::Deleted;
    api.store.write(StoreItem::Recording(row));
    api.store.flush().await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn row(api: &Api, name: &str, uri: &Uri) -> Result<RecordingRow, ApiError> {
    let row = any_row(api, name, uri).await?;
    if row.status == RecordingStatus::Deleted { Err(ApiError::not_found(uri.path())) } else { Ok(row) }
}

/// Of those too whose sound was deleted.
async fn any_row(api: &Api, name: &str, uri: &Uri) -> Result<RecordingRow, ApiError> {
    let recording: RecordingSid = sid(name, uri.path())?;
    api.store.recording(recording).await?.ok_or_else(|| ApiError::not_found(uri.path()))
}

async fn row_of_call(api: &Api, call: &str, name: &str, uri: &Uri) -> Result<RecordingRow, ApiError> {
    let row = row(api, name, uri).await?;
    if sid::<CallSid>(call, uri.path())? == row.call { Ok(row) } else { Err(ApiError::not_found(uri.path())) }
}

pub(super) async fn page(
    api: &Api,
    uri: &Uri,
    query: &Params,
    filter: &RecordingFilter,
    shown: impl Fn(&RecordingRow) -> Value,
) -> Result<Json<Value>, ApiError> {
    let paging = Paging::read(query)?;
    let rows = api.store.recordings(filter, &paging.page()?).await?;
    Ok(Json(paging.envelope(uri.path(), "recordings", rows, |row| (row.created, row.sid), shown)))
}

/// What the URLs of recordings begin with: the one that webhooks name too, so that both lead to the same place; where none
/// is configured, as the client came.
fn media_base(api: &Api, origin: &Origin) -> String {
    let public = &*api.door.public_url;
    if public.is_empty() { origin.0.clone() } else { public.to_owned() }
}

/// The resource of the account.
fn show(row: &RecordingRow, account: AccountSid, base: &str) -> Value {
    let uri = format!("/2010-04-01/Accounts/{account}/Recordings/{}", row.sid);
    let mut shown = common(row, account);
    shown["uri"] = json!(format!("{uri}.json"));
    shown["media_url"] = json!(format!("{base}{uri}"));
    shown["subresource_uris"] = json!({
        "add_on_results": format!("{uri}/AddOnResults.json"),
        "transcriptions": format!("{uri}/Transcriptions.json"),
    });
    shown
}

/// The resource of a call.
pub(super) fn show_of_call(row: &RecordingRow, account: AccountSid) -> Value {
    let mut shown = common(row, account);
    shown["track"] = json!(row.track);
    let uri = format!("/2010-04-01/Accounts/{account}/Calls/{}/Recordings/{}.json", row.call, row.sid);
    shown["uri"] = json!(uri);
    shown
}

/// The resource of a conference.
pub(super) fn show_of_conference(row: &RecordingRow, account: AccountSid) -> Value {
    let mut shown = common(row, account);
    let conference = row.conference.map(|sid| sid.to_string()).unwrap_or_default();
    let uri = format!("/2010-04-01/Accounts/{account}/Conferences/{conference}/Recordings/{}.json", row.sid);
    shown["uri"] = json!(uri);
    shown
}

fn common(row: &RecordingRow, account: AccountSid) -> Value {
    let seconds = |ms: u64| ((ms + 500) / 1_000).to_string();
    json!({
        "sid": row.sid,
        "account_sid": account,
        "api_version": "2010-04-01",
        "call_sid": row.call,
        "conference_sid": row.conference,
        "channels": row.channels,
        "date_created": row.created.rfc2822(),
        "date_updated": row.updated.rfc2822(),
        "start_time": row.start.map(Timestamp::rfc2822),
        "price": null,
        "price_unit": "USD",
        "duration": row.duration_ms.map(seconds),
        "source": row.source.as_str(),
        "status": row.status.as_str(),
        "error_code": row.error_code,
        "encryption_details": null,
    })
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use axum::http::header;
    use call::record::RecordingSource;

    use super::*;
    use crate::v2010::tests::{api, ask, followed, keys, send};

    fn row(n: u128, call: u128, status: RecordingStatus) -> RecordingRow {
        let at = Timestamp(1_282_266_822_000_000 + n as i64 * 1_000_000);
        RecordingRow {
            sid: RecordingSid(n),
            call: CallSid(call),
            conference: None,
            path: format!("{n}.wav"),
            channels: 2,
            status,
            source: RecordingSource::RecordVerb,
            track: "both".to_owned(),
            created: at,
            updated: at,
            start: Some(at),
            duration_ms: (status == RecordingStatus::Completed).then_some(4_400),
            bytes: None,
            error_code: None,
        }
    }

    /// Three of two calls, the last one still going on.
    async fn filled(folder: &std::path::Path) -> Api {
        let api = api(folder).await.0;
        for (n, call, status) in [
            (1, 1, RecordingStatus::Completed),
            (2, 2, RecordingStatus::Completed),
            (3, 2, RecordingStatus::InProgress),
        ] {
            std::fs::write(folder.join(format!("{n}.wav")), b"0123456789").unwrap();
            api.store.write(StoreItem::Recording(row(n, call, status)));
        }
        api
    }

    #[tokio::test]
    async fn they_are_shown_with_every_published_field() {
        let folder = tempfile::tempdir().unwrap();
        let api = filled(folder.path()).await;
        let own = format!("Recordings/{}.json", RecordingSid(1));
        let of_call = format!("Calls/{}/{own}", CallSid(1));
        for (path, published) in [
            (&own, include_str!("../../../tests/data/rest/recording.json")),
            (&of_call, include_str!("../../../tests/data/rest/call_recording.json")),
        ] {
            let (status, body) = ask(&api, "GET", path, "").await;
            assert_eq!(
                (status, keys(&body)),
                (200, keys(&serde_json::from_str(published).unwrap())),
                "{path}"
            );
            assert_eq!((&body["duration"], &body["channels"]), (&json!("4"), &json!(2)));
        }
        let other = format!("Calls/{}/{own}", CallSid(2));
        assert_eq!(ask(&api, "GET", &other, "").await.0, 404, "of another call");
    }

    #[tokio::test]
    async fn the_sound_is_named_as_webhooks_name_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut api = filled(folder.path()).await;
        api.door.public_url = "https://box.example".into();
        let (_, shown) = ask(&api, "GET", &format!("Recordings/{}.json", RecordingSid(1)), "").await;
        let account = api.account_sid;
        let url = format!("https://box.example/2010-04-01/Accounts/{account}/Recordings/{}", RecordingSid(1));
        assert_eq!(shown["media_url"], json!(url));
        let (_, page) = ask(&api, "GET", "Recordings.json", "").await;
        assert_eq!(page["recordings"][2]["media_url"], json!(url));
    }

    async fn listed(api: &Api, path: &str) -> Vec<String> {
        let (status, body) = ask(api, "GET", path, "").await;
        assert_eq!(status, 200, "{path}: {body}");
        let list = body["recordings"].as_array().unwrap();
        list.iter().map(|row| row["sid"].as_str().unwrap().trim_start_matches("RE").to_owned()).collect()
    }

    #[tokio::test]
    async fn lists_are_filtered_and_followed() {
        let folder = tempfile::tempdir().unwrap();
        let api = filled(folder.path()).await;
        let ends = |sids: &[u128]| sids.iter().map(|n| format!("{n:032x}")).collect::<Vec<_>>();
        for (path, sids) in [
            ("Recordings.json".to_owned(), &[3, 2, 1][..]),
            (format!("Recordings.json?CallSid={}", CallSid(2)), &[3, 2]),
            (format!("Calls/{}/Recordings.json", CallSid(1)), &[1]),
            ("Recordings.json?DateCreated%3C=2010-08-19".to_owned(), &[]),
            ("Recordings.json?PageSize=2".to_owned(), &[3, 2]),
        ] {
            assert_eq!(listed(&api, &path).await, ends(sids), "{path}");
        }
        let followed = followed(&api, "Recordings.json?PageSize=2", "recordings", "sid").await;
        assert_eq!(followed, [3, 2, 1].map(|n| json!(RecordingSid(n))));
        assert_eq!(ask(&api, "GET", "Recordings.json?CallSid=x", "").await.1["code"], 20423);
    }

    #[tokio::test]
    async fn what_is_deleted_is_gone_but_not_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let api = filled(folder.path()).await;
        let path = format!("Recordings/{}", RecordingSid(1));
        assert_eq!(send(&api, "DELETE", &format!("{path}.json"), "", "secret").await.status(), 204);
        assert!(!folder.path().join("1.wav").exists());
        for name in [format!("{path}.json"), format!("{path}.wav")] {
            assert_eq!(ask(&api, "GET", &name, "").await.1["code"], 20404, "{name}");
        }
        assert_eq!(send(&api, "DELETE", &format!("{path}.json"), "", "secret").await.status(), 404);
        let (status, known) = ask(&api, "GET", &format!("{path}.json?IncludeSoftDeleted=true"), "").await;
        assert_eq!((status, &known["status"]), (200, &json!("deleted")));
        assert_eq!(listed(&api, "Recordings.json").await.len(), 2);
        assert_eq!(listed(&api, "Recordings.json?IncludeSoftDeleted=true").await.len(), 3);
        let running = format!("Calls/{}/Recordings/{}.json", CallSid(2), RecordingSid(3));
        let (status, body) = ask(&api, "DELETE", &running, "").await;
        assert_eq!((status, &body["code"]), (409, &json!(20009)));
        assert!(folder.path().join("3.wav").exists());
    }

    #[tokio::test]
    async fn parts_of_a_sound_are_fetched_and_finished_ones_may_be_kept() {
        let folder = tempfile::tempdir().unwrap();
        let api = filled(folder.path()).await;
        let account = api.account_sid;
        let whole = send(&api, "GET", &format!("Recordings/{}.wav", RecordingSid(1)), "", "secret").await;
        assert!(whole.headers()[header::CACHE_CONTROL].to_str().unwrap().contains("immutable"));
        let running = send(&api, "GET", &format!("Recordings/{}", RecordingSid(3)), "", "secret").await;
        assert_eq!(running.headers()[header::CACHE_CONTROL], "no-cache");
        let request = axum::http::Request::builder()
            .uri(format!("/2010-04-01/Accounts/{account}/Recordings/{}.wav", RecordingSid(1)))
            .header(header::RANGE, "bytes=2-4")
            .header(header::AUTHORIZATION, crate::v2010::tests::basic(&api, "secret"));
        let request = request.body(axum::body::Body::empty()).unwrap();
        let answer = tower_service::Service::call(&mut crate::router(api), request).await.unwrap();
        assert_eq!(answer.status(), StatusCode::PARTIAL_CONTENT);
        assert_eq!(answer.headers()[header::CONTENT_RANGE], "bytes 2-4/10");
        assert_eq!(to_bytes(answer.into_body(), 100).await.unwrap(), "234");
    }
}
