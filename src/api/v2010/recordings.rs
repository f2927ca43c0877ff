//! A recording's sound: `…/Recordings/RE….wav` (reference: rest-voice §8).

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use base::RecordingSid;

use crate::Api;
use crate::auth::Authorized;

/// The file as it was recorded; the extension may be left out.
pub(crate) async fn media(
    _: Authorized,
    State(api): State<Api>,
    Path((_, name)): Path<(String, String)>,
) -> Response {
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

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use base::{CallSid, Timestamp};
    use call::record::{RecordingRow, RecordingSource, RecordingStatus, StoreItem};

    use super::*;

    const WAV: &[u8] = include_bytes!("../../../tests/data/audio/stereo-8k.wav");
    const OGG: &[u8] = include_bytes!("../../../tests/data/audio/opus-stereo.ogg");

    async fn api(folder: &std::path::Path) -> Api {
        std::fs::write(folder.join("RE.wav"), WAV).unwrap();
        std::fs::write(folder.join("RE.ogg"), OGG).unwrap();
        let api = crate::v2010::tests::api(folder).await.0;
        for (n, path) in [(1, "RE.wav"), (2, "RE.ogg"), (3, "lost.wav")] {
            api.store.write(StoreItem::Recording(RecordingRow {
                sid: RecordingSid(n),
                call: CallSid(1),
                conference: None,
                path: path.to_owned(),
                channels: 2,
                status: RecordingStatus::Completed,
                source: RecordingSource::RecordVerb,
                track: "both".to_owned(),
                created: Timestamp(1),
                updated: Timestamp(1),
                start: Some(Timestamp(1)),
                duration_ms: Some(300),
                bytes: None,
                error_code: None,
            }));
        }
        api.store.flush().await.unwrap();
        api
    }

    async fn get(api: &Api, name: &str, token: &str) -> Response {
        let path = format!("Recordings/{name}");
        crate::v2010::tests::send(api, "GET", &path, "", token).await
    }

    /// The lengths of a file's channels: how many, and milliseconds.
    fn told(file: &[u8]) -> (u8, u64) {
        if file.starts_with(b"RIFF") {
            let data = u32::from_le_bytes(file[40..44].try_into().unwrap());
            return (file[22], u64::from(data) / 32);
        }
        let find = |what: &[u8]| file.windows(what.len()).rposition(|bytes| bytes == what).unwrap();
        let (head, last) = (find(b"OpusHead"), find(b"OggS"));
        let granules = u64::from_le_bytes(file[last + 6..last + 14].try_into().unwrap());
        let skip = u16::from_le_bytes([file[head + 10], file[head + 11]]);
        (file[head + 9], (granules - u64::from(skip)) / 48)
    }

    #[tokio::test]
    async fn a_recording_of_two_channels_comes_as_it_was_made() {
        let folder = tempfile::tempdir().unwrap();
        let api = api(folder.path()).await;
        for (n, kind, file) in [(1, "audio/x-wav", WAV), (2, "audio/ogg", OGG)] {
            for end in ["", ".wav", ".ogg"] {
                let answer = get(&api, &format!("{}{end}", RecordingSid(n)), "secret").await;
                assert_eq!(
                    (answer.status(), &answer.headers()[header::CONTENT_TYPE]),
                    (StatusCode::OK, &kind.parse().unwrap())
                );
                let body = to_bytes(answer.into_body(), 1_000_000).await.unwrap();
                assert_eq!(body, file, "{kind}");
                assert_eq!(told(&body), (2, 300), "{kind}");
            }
        }
    }

    #[tokio::test]
    async fn what_is_not_there_or_not_to_be_seen() {
        let folder = tempfile::tempdir().unwrap();
        let api = api(folder.path()).await;
        for (name, token, status) in [
            (RecordingSid(1).to_string(), "guess", StatusCode::UNAUTHORIZED),
            (RecordingSid(3).to_string(), "secret", StatusCode::NOT_FOUND),
            (RecordingSid(9).to_string(), "secret", StatusCode::NOT_FOUND),
            ("..%2Ftandem.db".to_owned(), "secret", StatusCode::NOT_FOUND),
        ] {
            assert_eq!(get(&api, &name, token).await.status(), status, "{name}");
        }
    }
}
