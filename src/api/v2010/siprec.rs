//! SIP recording sessions of a live call: `…/Calls/CA…/Siprec.json` (reference: rest-voice §12).

use axum::Router;
use call::{ServiceKind, ServiceOrder};
use twiml::{SiprecNoun, StreamTrack};

use super::services;
use crate::Api;
use crate::error::ApiError;
use crate::params::Params;

pub(crate) fn routes() -> Router<Api> {
    services::routes("Siprec", ServiceKind::Siprec, START, |form| Ok(ServiceOrder::Siprec(read(form)?)))
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
