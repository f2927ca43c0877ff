//! A recording's sound: `…/Recordings/RE….wav` (reference: rest-voice §8).

use axum::body::Body;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, ETAG, HeaderValue, IF_NONE_MATCH};
use axum::response::{IntoResponse, Response};
use call::record::{RecordingRow, RecordingStatus};
use tower_http::services::ServeFile;

use crate::Api;
use crate::error::ApiError;
use crate::params::Params;

/// The file as it was recorded; the extension may be left out. Parts of it, and whether it is still the same, are
/// asked for as of any file (RFC 9110 §13, §14); a finished one does not change any more.
pub(super) async fn serve(api: &Api, row: &RecordingRow, request: Request) -> Result<Response, ApiError> {
    let path = request.uri().path().to_owned();
    let query = Params::read(request.uri().query().unwrap_or_default().as_bytes());
    if query.number("RequestedChannels", 1..=2, 16113)? == Some(2) && row.channels == 1 {
        return Err(ApiError::new(16113, "The recording has one channel"));
    }
    let ending = row.path.rsplit_once('.').map(|(_, ending)| ending);
    if path.ends_with(".mp3") && ending != Some("mp3") {
        let what =
            "The recording is not MP3: [recording] format says what is made; without .mp3 it comes as it is";
        return Err(ApiError::new(20406, what));
    }
    let is_done = row.status == RecordingStatus::Completed;
    // A finished file never changes, so that its row tells it apart from whatever else was under this name.
    let tag = is_done.then(|| format!("\"{}-{}\"", row.sid, row.updated.0));
    if let Some(tag) = &tag
        && request.headers().get_all(IF_NONE_MATCH).iter().any(|known| names(known, tag))
    {
        return Ok((StatusCode::NOT_MODIFIED, [(ETAG, tag.clone())]).into_response());
    }
    let kind = match ending {
        Some("ogg") => "audio/ogg",
        Some("mp3") => "audio/mpeg",
        _ => "audio/x-wav",
    };
    let kind = kind.parse().expect("each is a media type");
    // The row's path was written by the box and names a file in its own folder.
    let mut file = ServeFile::new_with_mime(api.recordings.join(&row.path), &kind);
    match file.try_call(request).await {
        Ok(answer) if answer.status() == StatusCode::NOT_FOUND => Err(ApiError::not_found(&path)),
        Ok(answer) => {
            let mut answer = answer.map(Body::new).into_response();
            let cache = if is_done { "private, max-age=31536000, immutable" } else { "no-cache" };
            answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(cache));
            if let Some(tag) = tag.and_then(|tag| HeaderValue::try_from(tag).ok()) {
                answer.headers_mut().insert(ETAG, tag);
            }
            Ok(answer)
        }
        Err(error) => {
            tracing::warn!(sid = %row.sid, %error, "a recording cannot be read");
            Err(ApiError::not_found(&path))
        }
    }
}

/// Whether `If-None-Match` names this tag, or any (RFC 9110 §13.1.2).
fn names(known: &HeaderValue, tag: &str) -> bool {
    let Ok(known) = known.to_str() else { return false };
    known.split(',').map(str::trim).any(|one| one == "*" || one.trim_start_matches("W/") == tag)
}

/// What of the name of a recording is its sid, where its sound is asked for; `None` for the resource itself.
pub(super) fn stem(name: &str) -> Option<&str> {
    if name.ends_with(".json") {
        return None;
    }
    Some([".wav", ".ogg", ".mp3"].into_iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name))
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use axum::http::header;
    use base::{CallSid, RecordingSid, Timestamp};
    use call::record::{RecordingSource, StoreItem};

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
    async fn what_a_client_has_already_is_not_sent_again_and_there_is_no_other_format() {
        let folder = tempfile::tempdir().unwrap();
        let api = api(folder.path()).await;
        let first = get(&api, &format!("{}.wav", RecordingSid(1)), "secret").await;
        let tag = first.headers()[header::ETAG].to_str().unwrap().to_owned();
        assert!(first.headers().contains_key(header::LAST_MODIFIED));
        for (known, status) in [
            (tag.as_str(), StatusCode::NOT_MODIFIED),
            (&format!("\"other\", W/{tag}"), StatusCode::NOT_MODIFIED),
            ("*", StatusCode::NOT_MODIFIED),
            ("\"other\"", StatusCode::OK),
        ] {
            let account = api.account_sid;
            let request = axum::http::Request::builder()
                .uri(format!("/2010-04-01/Accounts/{account}/Recordings/{}.wav", RecordingSid(1)))
                .header(header::IF_NONE_MATCH, known)
                .header(header::AUTHORIZATION, crate::v2010::tests::basic(&api, "secret"));
            let request = request.body(Body::empty()).unwrap();
            let answer =
                tower_service::Service::call(&mut crate::router(api.clone()), request).await.unwrap();
            assert_eq!(answer.status(), status, "{known}");
        }
        let mp3 = get(&api, &format!("{}.mp3", RecordingSid(1)), "secret").await;
        assert_eq!(mp3.status(), StatusCode::NOT_ACCEPTABLE);
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
