//! SIP recording sessions of a live call: `…/Calls/CA…/Siprec.json` (reference: rest-voice §12).

use axum::extract::{OriginalUri, Path, State};
use axum::routing::post;
use axum::{Json, Router};
use call::{ServiceKind, ServiceOrder};
use serde_json::Value;
use twiml::{SiprecNoun, StreamTrack};

use super::{services, sid};
use crate::Api;
use crate::auth::Authorized;
use crate::error::ApiError;
use crate::params::Params;

pub(crate) fn routes() -> Router<Api> {
    Router::new()
        .route("/Calls/{call}/Siprec.json", post(start))
        .route("/Calls/{call}/Siprec", post(start))
        .route("/Calls/{call}/Siprec/{session}", post(stop))
}

/// POST on the list: begins one.
async fn start(
    _: Authorized,
    State(api): State<Api>,
    OriginalUri(uri): OriginalUri,
    Path((_, call)): Path<(String, String)>,
    form: Params,
) -> Result<Json<Value>, ApiError> {
    let call = sid(&call, uri.path())?;
    services::note_unknown(&form, START);
    services::start(&api, call, ServiceOrder::Siprec(read(&form)?), LIST, &uri).await
}

/// POST on one: ends it.
async fn stop(
    _: Authorized,
    State(api): State<Api>,
    OriginalUri(uri): OriginalUri,
    Path((_, call, which)): Path<(String, String, String)>,
    form: Params,
) -> Result<Json<Value>, ApiError> {
    let call = sid(&call, uri.path())?;
    services::stop(&api, call, (ServiceKind::Siprec, &which), LIST, &form, &uri).await
}

fn read(form: &Params) -> Result<SiprecNoun, ApiError> {
    let connector = form.text("ConnectorName");
    Ok(SiprecNoun {
        name: form.text("Name").map(str::to_owned),
        connector_name: connector.ok_or_else(|| ApiError::new(31940, "ConnectorName is missing"))?.to_owned(),
        track: services::track(form, StreamTrack::BothTracks)?,
        status_callback: services::callback(form, "StatusCallback", "StatusCallbackMethod")?,
        secure: false,
        session_timeout_s: None,
        parameters: services::parameters(form)?,
    })
}

const LIST: &str = "Siprec";
const START: &[&str] = &["ConnectorName", "Name", "StatusCallback", "StatusCallbackMethod", "Track"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_session_is_asked_to_be() {
        let read = |text: &str| read(&Params::read(text.as_bytes()));
        let least = read("ConnectorName=c").unwrap();
        assert_eq!((least.connector_name.as_str(), least.track), ("c", StreamTrack::BothTracks));
        for (form, code) in [("", 31940), ("ConnectorName=c&Track=x", 31941)] {
            assert_eq!(read(form).unwrap_err().code(), code, "{form}");
        }
    }
}
