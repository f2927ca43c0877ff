//! What is said in a live call, told as it is said: `…/Calls/CA…/Transcriptions.json` (reference: rest-voice §12).

use axum::Router;
use call::{ServiceKind, ServiceOrder};
use twiml::{StreamTrack, TranscriptionNoun};

use super::services;
use crate::Api;
use crate::error::ApiError;
use crate::params::Params;

pub(crate) fn routes() -> Router<Api> {
    services::routes("Transcriptions", ServiceKind::Transcription, START, |form| {
        Ok(ServiceOrder::Transcription(Box::new(read(form)?)))
    })
}

fn read(form: &Params) -> Result<TranscriptionNoun, ApiError> {
    let text = |name| form.text(name).map(str::to_owned);
    // True when nothing is said.
    for of_an_engine in ["EnableAutomaticPunctuation", "EnableProviderData"] {
        form.choice(of_an_engine)?;
    }
    let profanity_filter = form.text("ProfanityFilter").is_none() || form.flag("ProfanityFilter")?;
    Ok(TranscriptionNoun {
        name: text("Name"),
        track: services::track(form, StreamTrack::BothTracks)?,
        status_callback: services::callback(form, "StatusCallbackUrl", "StatusCallbackMethod")?,
        inbound_track_label: text("InboundTrackLabel"),
        outbound_track_label: text("OutboundTrackLabel"),
        partial_results: form.flag("PartialResults")?,
        language: language(form)?,
        hints: text("Hints"),
        profanity_filter,
        engine: text("TranscriptionEngine"),
        model: text("SpeechModel"),
    })
}

/// BCP-47, as far as its form goes; American English when nothing is said.
fn language(form: &Params) -> Result<String, ApiError> {
    let Some(text) = form.text("LanguageCode") else { return Ok("en-US".to_owned()) };
    let subtag = |tag: &str| (1..=8).contains(&tag.len()) && tag.bytes().all(|b| b.is_ascii_alphanumeric());
    if text.len() <= LANGUAGE_BYTES_MAX && text.split('-').all(subtag) {
        return Ok(text.to_owned());
    }
    Err(ApiError::new(20001, format!("LanguageCode is no language: {text}")))
}

const LANGUAGE_BYTES_MAX: usize = 35;
/// What belongs to a service the box does not have is taken and means nothing.
const START: &[&str] = &[
    "ConfigurationId",
    "ConversationConfiguration",
    "ConversationId",
    "EnableAutomaticPunctuation",
    "EnableProviderData",
    "Hints",
    "InboundTrackLabel",
    "IntelligenceService",
    "LanguageCode",
    "Name",
    "OutboundTrackLabel",
    "PartialResults",
    "ProfanityFilter",
    "SpeechModel",
    "StatusCallbackMethod",
    "StatusCallbackUrl",
    "Track",
    "TranscriptionEngine",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_transcription_is_asked_to_be() {
        let read = |text: &str| read(&Params::read(text.as_bytes()));
        let least = read("").unwrap();
        assert_eq!((least.track, least.language.as_str()), (StreamTrack::BothTracks, "en-US"));
        assert_eq!((least.partial_results, least.profanity_filter), (false, true));
        let most = read(
            "Track=inbound_track&LanguageCode=de-DE&PartialResults=true&ProfanityFilter=false&Hints=a,b\
             &InboundTrackLabel=guest&OutboundTrackLabel=us&StatusCallbackUrl=http://web.example/t",
        )
        .unwrap();
        assert_eq!((most.language.as_str(), most.hints.as_deref()), ("de-DE", Some("a,b")));
        assert_eq!((most.partial_results, most.profanity_filter), (true, false));
        assert_eq!(most.inbound_track_label.as_deref(), Some("guest"));
        assert!(most.status_callback.is_some());
        for (form, code) in [
            ("Track=all", 31941),
            ("LanguageCode=%3F", 20001),
            ("PartialResults=some", 20001),
            ("ProfanityFilter=some", 20001),
            ("StatusCallbackUrl=x", 21205),
        ] {
            assert_eq!(read(form).unwrap_err().code(), code, "{form}");
        }
    }
}
