//! Media streams of a live call: `…/Calls/CA…/Streams.json` (reference: rest-voice §12).

use axum::Router;
use call::{ServiceKind, ServiceOrder};
use twiml::{StreamNoun, StreamTrack, stream_url};

use super::services;
use crate::Api;
use crate::error::ApiError;
use crate::params::Params;

pub(crate) fn routes() -> Router<Api> {
    services::routes("Streams", ServiceKind::Stream, START, |form| Ok(ServiceOrder::Stream(read(form)?)))
}

fn read(form: &Params) -> Result<StreamNoun, ApiError> {
    let url = form.text("Url").ok_or_else(|| ApiError::new(31923, "Url is missing"))?;
    stream_url(url).map_err(|code| ApiError::new(code, format!("Url is no URL of a stream: {url}")))?;
    Ok(StreamNoun {
        name: form.text("Name").map(str::to_owned),
        url: url.to_owned(),
        track: services::track(form, StreamTrack::InboundTrack)?,
        status_callback: services::callback(form, "StatusCallback", "StatusCallbackMethod")?,
        parameters: services::parameters(form)?,
        texml: None,
    })
}

const START: &[&str] = &["Name", "StatusCallback", "StatusCallbackMethod", "Track", "Url"];

#[cfg(test)]
mod tests {
    use twiml::{HttpMethod, ServiceCallback};

    use super::*;

    #[test]
    fn what_a_stream_is_asked_to_be() {
        let read = |text: &str| read(&Params::read(text.as_bytes()));
        let least = read("Url=wss://app.example/m").unwrap();
        assert_eq!((least.name, least.track), (None, StreamTrack::InboundTrack));
        let most = read(
            "Url=wss://app.example/m&Name=s&Track=both_tracks&StatusCallback=http://web.example/s\
             &StatusCallbackMethod=GET&Parameter1.Name=a&Parameter1.Value=b",
        )
        .unwrap();
        assert_eq!((most.name.as_deref(), most.track), (Some("s"), StreamTrack::BothTracks));
        assert_eq!(most.parameters, [("a".to_owned(), "b".to_owned())]);
        let callback = ServiceCallback { url: "http://web.example/s".to_owned(), method: HttpMethod::Get };
        assert_eq!(most.status_callback, Some(callback));
        for (form, code) in [
            ("", 31923),
            ("Url=http://app.example/", 31922),
            ("Url=here", 31923),
            ("Url=wss://h/&Track=all", 31941),
            ("Url=wss://h/&StatusCallback=x", 21205),
            ("Url=wss://h/&StatusCallbackMethod=PUT", 21209),
        ] {
            assert_eq!(read(form).unwrap_err().code(), code, "{form}");
        }
    }
}
