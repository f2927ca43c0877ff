//! A recording's sound: `…/Recordings/RE….wav` (reference: rest-voice §8).

use axum::body::Body;
use axum::extract::{FromRequestParts, OriginalUri, Request};
use axum::http::StatusCode;
use axum::http::header::{
    AUTHORIZATION, CACHE_CONTROL, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH, IF_RANGE, RANGE,
};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use call::record::{RecordingRow, RecordingStatus};
use media::RecordFormat;
use net::media::ConvertError;
use tokio::sync::Semaphore;
use tower_http::services::ServeFile;

use crate::Api;
use crate::auth::Authorized;
use crate::error::ApiError;
use crate::limits::Running;
use crate::params::Params;

/// Who asks for a recording: somebody with credentials or, where recordings are open, anybody who asks for the sound of one
/// (reference: rest-voice §8).
pub(super) struct Hearer {
    /// Counted as long as the answer takes.
    _counted: Counted,
}

enum Counted {
    /// Among those of its credentials.
    Authorized { _with: Authorized },
    /// Among those of all who have none.
    Anybody { _running: Running },
}

impl FromRequestParts<Api> for Hearer {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let OriginalUri(uri) =
            OriginalUri::from_request_parts(parts, api).await.unwrap_or_else(|never| match never {});
        let own = format!("/2010-04-01/Accounts/{}/Recordings/", api.account_sid);
        let is_sound = uri.path().strip_prefix(&own).and_then(stem).is_some();
        let is_open = api.door.open_recordings && is_sound && !parts.headers.contains_key(AUTHORIZATION);
        let _counted = match is_open {
            true => Counted::Anybody { _running: api.door.limits.enter("")? },
            false => Counted::Authorized { _with: Authorized::from_request_parts(parts, api).await? },
        };
        Ok(Self { _counted })
    }
}

/// Conversions at once: calls in progress need the machine more.
static CONVERSIONS: Semaphore = Semaphore::const_new(1);

/// The file as it was recorded; the extension may be left out. Of two channels one is made where `RequestedChannels` asks
/// for it, and MP3 where `.mp3` does and the build has an encoder: the first time somebody asks, and kept beside the
/// recording. Parts of any form, and whether it is still the same, are asked for as of any file (RFC 9110 §13, §14); a
/// finished one does not change any more.
pub(super) async fn serve(api: &Api, row: &RecordingRow, mut request: Request) -> Result<Response, ApiError> {
    let path = request.uri().path().to_owned();
    let query = Params::read(request.uri().query().unwrap_or_default().as_bytes());
    let channels = query.number("RequestedChannels", 1..=2, 16113)?;
    if channels == Some(2) && row.channels == 1 {
        return Err(ApiError::new(16113, "The recording has one channel"));
    }
    let stored = row.path.rsplit_once('.').map_or("wav", |(_, ending)| ending);
    let is_mono = channels == Some(1) && row.channels == 2;
    let ending = match path.rsplit_once('.') {
        Some((_, "mp3")) => "mp3",
        _ if is_mono => "wav",
        _ => stored,
    };
    let is_done = row.status == RecordingStatus::Completed;
    let file = if ending == stored && !is_mono {
        row.path.clone()
    } else {
        other_form(api, row, is_mono, ending).await?
    };
    // A finished file never changes, so that its row tells it apart from whatever else was under this name.
    let form = if is_mono { "-mono" } else { "" };
    let tag = is_done.then(|| format!("\"{}-{}{form}-{ending}\"", row.sid, row.updated.0));
    if let Some(tag) = &tag
        && request.headers().get_all(IF_NONE_MATCH).iter().any(|known| names(known, tag))
    {
        return Ok((StatusCode::NOT_MODIFIED, [(ETAG, tag.clone())]).into_response());
    }
    if !sends_part(request.headers(), tag.as_deref()) {
        request.headers_mut().remove(RANGE);
    }
    let kind = match ending {
        "ogg" => "audio/ogg",
        "mp3" => "audio/mpeg",
        _ => "audio/x-wav",
    };
    let kind = kind.parse().expect("each is a media type");
    // The row's path was written by the box and names a file in its own folder.
    let mut file = ServeFile::new_with_mime(api.recordings.join(&file), &kind);
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

/// Where another form lies; it is made where it is not there yet.
async fn other_form(api: &Api, row: &RecordingRow, is_mono: bool, ending: &str) -> Result<String, ApiError> {
    let format = if ending == "mp3" { RecordFormat::Mp3 } else { RecordFormat::Wav };
    if !net::media::can_convert_to(format) {
        return Err(ApiError::new(
            20406,
            "This build has no MP3 encoder; without .mp3 the recording comes as it is",
        ));
    }
    if row.status != RecordingStatus::Completed {
        return Err(ApiError::new(20009, format!("Recording {} is not finished", row.sid)));
    }
    let name = store::other_form(&row.path, is_mono, ending);
    let (from, to) = (api.recordings.join(&row.path), api.recordings.join(&name));
    let _turn = CONVERSIONS.acquire().await.map_err(|_| ApiError::unexpected())?;
    // What is compressed is decoded in one channel.
    let channels = if is_mono || !row.path.ends_with(".wav") { 1 } else { row.channels };
    let work = tokio::task::spawn_blocking(move || match to.exists() {
        true => Ok(()),
        false => net::media::convert(&from, &to, format, channels),
    });
    match work.await {
        Ok(Ok(())) => Ok(name),
        Ok(Err(ConvertError::Io(error))) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(ApiError::new(20404, format!("The sound of {} is not there", row.sid)))
        }
        Ok(Err(error)) => {
            tracing::warn!(sid = %row.sid, %error, "a recording has no other form");
            Err(ApiError::new(20503, "The recording cannot be converted now"))
        }
        Err(_) => Err(ApiError::unexpected()),
    }
}

/// Whether `If-None-Match` names this tag, or any (RFC 9110 §13.1.2).
fn names(known: &HeaderValue, tag: &str) -> bool {
    let Ok(known) = known.to_str() else { return false };
    known.split(',').map(str::trim).any(|one| one == "*" || one.trim_start_matches("W/") == tag)
}

/// Whether a part alone is sent: one, counted in bytes, and of the very file the client has the rest of. Of several parts,
/// in a unit nobody knows, and where only a date is known of the rest, all of it is sent (RFC 9110 §13.1.5, §14.2).
fn sends_part(headers: &HeaderMap, tag: Option<&str>) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let is_one = text(RANGE).is_none_or(|range| range.starts_with("bytes=") && !range.contains(','));
    is_one && text(IF_RANGE).is_none_or(|known| tag == Some(known))
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
    async fn what_a_client_has_already_is_not_sent_again() {
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
    }

    #[tokio::test]
    async fn parts_are_sent_of_what_is_still_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let api = api(folder.path()).await;
        let name = format!("{}.wav", RecordingSid(1));
        let first = get(&api, &name, "secret").await;
        let tag = first.headers()[header::ETAG].to_str().unwrap().to_owned();
        let length = WAV.len();
        let all = (200, None, length);
        let part = |from: usize, to: usize| (206, Some(format!("bytes {from}-{to}/{length}")), to + 1 - from);
        for (range, known, told) in [
            ("bytes=0-3", None, part(0, 3)),
            ("bytes=-4", None, part(length - 4, length - 1)),
            ("bytes=4-", None, part(4, length - 1)),
            ("bytes=0-3", Some(tag.as_str()), part(0, 3)),
            ("bytes=0-3", Some("\"other\""), all.clone()),
            ("bytes=0-3", Some("Fri, 20 Aug 2010 01:13:42 GMT"), all.clone()),
            ("bytes=0-3,8-11", None, all.clone()),
            ("chars=0-3", None, all.clone()),
            ("seconds=9999999-", None, all.clone()),
            ("0-3", None, all.clone()),
            ("bytes=9999999-", None, (416, Some(format!("bytes */{length}")), 0)),
        ] {
            let account = api.account_sid;
            let mut request = axum::http::Request::builder()
                .uri(format!("/2010-04-01/Accounts/{account}/Recordings/{name}"))
                .header(header::RANGE, range)
                .header(header::AUTHORIZATION, crate::v2010::tests::basic(&api, "secret"));
            if let Some(known) = known {
                request = request.header(header::IF_RANGE, known);
            }
            let request = request.body(Body::empty()).unwrap();
            let answer =
                tower_service::Service::call(&mut crate::router(api.clone()), request).await.unwrap();
            let status = answer.status().as_u16();
            let place = answer.headers().get(header::CONTENT_RANGE);
            let place = place.map(|place| place.to_str().unwrap().to_owned());
            let body = to_bytes(answer.into_body(), 1_000_000).await.unwrap();
            if status == 416 {
                let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
                assert_eq!((status, place, 0), told, "{range} {known:?}");
                assert_eq!((&body["code"], &body["status"]), (&20416.into(), &416.into()));
                continue;
            }
            assert_eq!((status, place, body.len()), told, "{range} {known:?}");
        }
    }

    #[tokio::test]
    async fn other_forms_are_made_once_and_served_like_the_recording() {
        let folder = tempfile::tempdir().unwrap();
        let api = api(folder.path()).await;
        for (name, kind, file, channels) in [
            (format!("{}.wav?RequestedChannels=2", RecordingSid(1)), "audio/x-wav", "RE.wav", 2),
            (format!("{}.wav?RequestedChannels=1", RecordingSid(1)), "audio/x-wav", "RE.mono.wav", 1),
            (format!("{}?RequestedChannels=1", RecordingSid(1)), "audio/x-wav", "RE.mono.wav", 1),
        ] {
            let answer = get(&api, &name, "secret").await;
            assert_eq!(
                (answer.status(), &answer.headers()[header::CONTENT_TYPE]),
                (StatusCode::OK, &kind.parse().unwrap())
            );
            assert!(answer.headers()[header::CACHE_CONTROL].to_str().unwrap().contains("immutable"));
            let body = to_bytes(answer.into_body(), 1_000_000).await.unwrap();
            assert_eq!(told(&body).0, channels, "{name}");
            assert_eq!(body, std::fs::read(folder.path().join(file)).unwrap(), "{name}");
        }
        let tags: Vec<_> = tags_of(&api).await;
        assert!(tags[0] != tags[1], "one form is not another: {tags:?}");
        // What is there is not made again.
        std::fs::write(folder.path().join("RE.mono.wav"), b"0123456789").unwrap();
        let account = api.account_sid;
        let request = axum::http::Request::builder()
            .uri(format!("/2010-04-01/Accounts/{account}/Recordings/{}?RequestedChannels=1", RecordingSid(1)))
            .header(header::RANGE, "bytes=2-4")
            .header(header::AUTHORIZATION, crate::v2010::tests::basic(&api, "secret"));
        let request = request.body(Body::empty()).unwrap();
        let answer = tower_service::Service::call(&mut crate::router(api.clone()), request).await.unwrap();
        assert_eq!(answer.status(), StatusCode::PARTIAL_CONTENT);
        assert_eq!(to_bytes(answer.into_body(), 100).await.unwrap(), "234");
        for (name, status) in [
            (format!("{}?RequestedChannels=3", RecordingSid(1)), StatusCode::BAD_REQUEST),
            (format!("{}?RequestedChannels=1", RecordingSid(3)), StatusCode::NOT_FOUND),
        ] {
            assert_eq!(get(&api, &name, "secret").await.status(), status, "{name}");
        }
        let own = format!("Recordings/{}.json", RecordingSid(1));
        let gone = crate::v2010::tests::send(&api, "DELETE", &own, "", "secret").await;
        assert_eq!(gone.status(), StatusCode::NO_CONTENT);
        assert!(!folder.path().join("RE.mono.wav").exists(), "it goes with the recording");
    }

    /// The tags of both forms.
    async fn tags_of(api: &Api) -> Vec<String> {
        let mut tags = Vec::new();
        for query in ["", "?RequestedChannels=1"] {
            let answer = get(api, &format!("{}{query}", RecordingSid(1)), "secret").await;
            tags.push(answer.headers()[header::ETAG].to_str().unwrap().to_owned());
        }
        tags
    }

    #[tokio::test]
    async fn open_ones_are_heard_without_credentials_and_nothing_else_is_open() {
        let folder = tempfile::tempdir().unwrap();
        let mut api = api(folder.path()).await;
        let ask = async |api: &Api, method: &str, path: &str| {
            let uri = format!("/2010-04-01/Accounts/{}/Recordings{path}", api.account_sid);
            let request = axum::http::Request::builder().method(method).uri(uri);
            let request = request.body(Body::empty()).unwrap();
            tower_service::Service::call(&mut crate::router(api.clone()), request).await.unwrap().status()
        };
        let own = format!("/{}", RecordingSid(1));
        for (open, method, path, status) in [
            (false, "GET", own.clone(), StatusCode::UNAUTHORIZED),
            (true, "GET", own.clone(), StatusCode::OK),
            (true, "HEAD", format!("{own}.wav"), StatusCode::OK),
            (true, "GET", format!("{own}.json"), StatusCode::UNAUTHORIZED),
            (true, "DELETE", own.clone(), StatusCode::UNAUTHORIZED),
            (true, "GET", ".json".to_owned(), StatusCode::UNAUTHORIZED),
        ] {
            api.door.open_recordings = open;
            assert_eq!(ask(&api, method, &path).await, status, "{open} {method} {path}");
        }
        api.door.open_recordings = true;
        let wrong = get(&api, &RecordingSid(1).to_string(), "guess").await;
        assert_eq!(wrong.status(), StatusCode::UNAUTHORIZED, "who says who they are must be");
    }

    #[tokio::test]
    async fn an_mp3_is_made_where_there_is_an_encoder() {
        let folder = tempfile::tempdir().unwrap();
        let api = api(folder.path()).await;
        for (n, query) in [(1, ""), (1, "?RequestedChannels=1"), (2, "")] {
            let answer = get(&api, &format!("{}.mp3{query}", RecordingSid(n)), "secret").await;
            if !cfg!(feature = "mp3") {
                assert_eq!(answer.status(), StatusCode::NOT_ACCEPTABLE);
                continue;
            }
            assert_eq!(
                (answer.status(), &answer.headers()[header::CONTENT_TYPE]),
                (StatusCode::OK, &"audio/mpeg".parse().unwrap())
            );
            let body = to_bytes(answer.into_body(), 1_000_000).await.unwrap();
            assert!(media::decode::decode(body.to_vec(), Some("mp3")).is_ok());
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
