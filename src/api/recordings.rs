//! A recording's sound: `…/Recordings/RE….wav` (reference: rest-voice §8).

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base::RecordingSid;

use crate::{Api, auth};

/// The file as it was recorded; the extension may be left out.
pub(crate) async fn media(
    State(api): State<Api>,
    Path((account, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    if let Some(refusal) = auth::refusal(&api, &account, &headers) {
        return refusal;
    }
    let stem = [".wav", ".ogg", ".mp3"].into_iter().find_map(|end| name.strip_suffix(end)).unwrap_or(&name);
    let Ok(sid) = stem.parse::<RecordingSid>() else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let row = match api.store.recording(sid).await {
        Ok(Some(row)) => row,
        Ok(None) => return StatusCode::NOT_FOUND.into_response(),
        Err(error) => {
            tracing::warn!(%sid, %error, "recording not looked up");
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
    };
    // The row's path was written by the box and names a file in its own folder.
    match tokio::fs::read(api.recordings.join(&row.path)).await {
        Ok(bytes) => {
            let kind = match row.path.rsplit_once('.') {
                Some((_, "ogg")) => "audio/ogg",
                Some((_, "mp3")) => "audio/mpeg",
                _ => "audio/x-wav",
            };
            ([(header::CONTENT_TYPE, kind)], bytes).into_response()
        }
        Err(_) => StatusCode::NOT_FOUND.into_response(),
    }
}
