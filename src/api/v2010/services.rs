//! What the API's resources of a live call's services have in common: begun by POST on the list, ended by
//! `Status=stopped`, neither listed nor fetched (reference: rest-voice §12).

use axum::extract::{OriginalUri, Path, State};
use axum::http::Uri;
use axum::routing::post;
use axum::{Json, Router};
use base::CallSid;
use call::{LiveService, Operator, OperatorReply, ServiceFault, ServiceKind, ServiceOrder};
use serde_json::{Value, json};
use twiml::{ServiceCallback, StreamTrack};

use super::sid;
use crate::Api;
use crate::auth::Authorized;
use crate::error::ApiError;
use crate::params::Params;

/// What a form asks to be begun.
type Read = fn(&Params) -> Result<ServiceOrder, ApiError>;

/// POST on `list` begins what `read` reads, with the parameters `known` and those of the service itself; POST on one
/// of them, by sid or name, ends it.
pub(super) fn routes(
    list: &'static str,
    kind: ServiceKind,
    known: &'static [&'static str],
    read: Read,
) -> Router<Api> {
    let begin = move |_: Authorized,
                      State(api): State<Api>,
                      OriginalUri(uri): OriginalUri,
                      Path((_, call)): Path<(String, String)>,
                      form: Params| async move {
        let call = sid(&call, uri.path())?;
        note_unknown(&form, known);
        let service = order(&api, call, read(&form)?, &uri).await?;
        Ok::<_, ApiError>(Json(show(&service, "in-progress", &api, call, list)))
    };
    let end = move |_: Authorized,
                    State(api): State<Api>,
                    OriginalUri(uri): OriginalUri,
                    Path((_, call, which)): Path<(String, String, String)>,
                    form: Params| async move {
        let call = sid(&call, uri.path())?;
        form.note_unknown(&["Status"]);
        if form.one_of("Status", &["stopped"], 20001)?.is_none() {
            return Err(ApiError::new(20001, "Status is missing"));
        }
        let which = which.strip_suffix(".json").unwrap_or(&which).to_owned();
        let service = order(&api, call, ServiceOrder::Stop { kind, which }, &uri).await?;
        Ok(Json(show(&service, "stopped", &api, call, list)))
    };
    Router::new()
        .route(&format!("/Calls/{{call}}/{list}.json"), post(begin))
        .route(&format!("/Calls/{{call}}/{list}"), post(begin))
        .route(&format!("/Calls/{{call}}/{list}/{{service}}"), post(end))
}

/// Has the node carry an order out.
pub(super) async fn order(
    api: &Api,
    call: CallSid,
    order: ServiceOrder,
    uri: &Uri,
) -> Result<LiveService, ApiError> {
    let over = || ApiError::new(21220, format!("Call is not in-progress: {call}"));
    match api.orders.ask(Operator::Service { call, order: Box::new(order) }).await? {
        OperatorReply::Service(service) => Ok(service),
        OperatorReply::ServiceFault(ServiceFault::NotInProgress) => Err(over()),
        OperatorReply::ServiceFault(ServiceFault::Refused { code, why }) => Err(ApiError::new(code, why)),
        OperatorReply::NoSuchCall(_) if api.store.call(call).await?.is_some() => Err(over()),
        OperatorReply::NoSuchCall(_) | OperatorReply::ServiceFault(ServiceFault::NoSuchService) => {
            Err(ApiError::not_found(uri.path()))
        }
        _ => Err(ApiError::unexpected()),
    }
}

fn show(service: &LiveService, status: &str, api: &Api, call: CallSid, list: &str) -> Value {
    let (account, sid) = (api.account_sid, &service.sid);
    json!({
        "sid": sid,
        "account_sid": account,
        "call_sid": call,
        "name": service.name,
        "status": status,
        "date_updated": service.at.rfc2822(),
        "uri": format!("/2010-04-01/Accounts/{account}/Calls/{call}/{list}/{sid}.json"),
    })
}

/// Whose sound; the party's alone, unless `default` says otherwise.
pub(super) fn track(form: &Params, default: StreamTrack) -> Result<StreamTrack, ApiError> {
    Ok(match form.one_of("Track", &["inbound_track", "outbound_track", "both_tracks"], 31941)? {
        Some("inbound_track") => StreamTrack::InboundTrack,
        Some("outbound_track") => StreamTrack::OutboundTrack,
        Some(_) => StreamTrack::BothTracks,
        None => default,
    })
}

/// Where a service's fate is told.
pub(super) fn callback(form: &Params, url: &str, method: &str) -> Result<Option<ServiceCallback>, ApiError> {
    let method = form.method(method, 21209)?;
    Ok(form.url(url, 21205)?.map(|url| ServiceCallback { url, method }))
}

/// `Parameter1.Name` with `Parameter1.Value`, and so on.
pub(super) fn parameters(form: &Params) -> Result<Vec<(String, String)>, ApiError> {
    let mut parameters = Vec::new();
    for n in 1..=PARAMETERS_MAX {
        let Some(name) = form.text(&format!("Parameter{n}.Name")) else { continue };
        let value = form.text(&format!("Parameter{n}.Value")).unwrap_or_default();
        if name.chars().count() + value.chars().count() >= PARAMETER_CHARS_MAX {
            let what = format!("Parameter{n} has {PARAMETER_CHARS_MAX} characters or more");
            return Err(ApiError::new(20001, what));
        }
        parameters.push((name.to_owned(), value.to_owned()));
    }
    Ok(parameters)
}

/// As [`Params::note_unknown`], for services that have parameters of their own.
fn note_unknown(form: &Params, known: &[&str]) {
    let own = form.iter().map(|(name, _)| name).filter(|name| is_parameter(name));
    let known: Vec<&str> = known.iter().copied().chain(own).collect();
    form.note_unknown(&known);
}

/// Whether a name is one that [`parameters`] reads.
fn is_parameter(name: &str) -> bool {
    let number = name.strip_prefix("Parameter").and_then(|rest| rest.split_once('.'));
    number.is_some_and(|(n, part)| {
        matches!(part, "Name" | "Value") && n.parse().is_ok_and(|n| (1..=PARAMETERS_MAX).contains(&n))
    })
}

/// Parameters of one service (reference: rest-voice §12).
const PARAMETERS_MAX: u32 = 99;
/// Of a name and its value together (reference: twiml-voice §14.1).
const PARAMETER_CHARS_MAX: usize = 500;

#[cfg(test)]
mod tests {
    use base::Timestamp;

    use super::*;
    use crate::v2010::tests::{api, ask, keys, node};

    const SID: &str = "MZ00000000000000000000000000000003";

    fn live() -> OperatorReply {
        OperatorReply::Service(LiveService {
            sid: SID.to_owned(),
            name: Some("s".to_owned()),
            at: Timestamp(1_282_266_822_000_000),
        })
    }

    #[tokio::test]
    async fn each_is_begun_and_ended_and_shown_as_published() {
        let published = include_str!("../../../tests/data/rest/call_service.json");
        let published: Value = serde_json::from_str(published).unwrap();
        for (list, form, kind) in [
            ("Streams", "Url=wss%3A%2F%2Fapp.example%2F&Name=s", ServiceKind::Stream),
            ("Siprec", "ConnectorName=c&Name=s", ServiceKind::Siprec),
            ("Transcriptions", "Name=s", ServiceKind::Transcription),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let (api, taken) = api(folder.path()).await;
            let node = node(taken, live());
            let call = CallSid(1);
            let (status, body) = ask(&api, "POST", &format!("Calls/{call}/{list}.json"), form).await;
            assert_eq!((status, keys(&body)), (200, keys(&published)), "{list}: {body}");
            assert_eq!((&body["status"], &body["name"]), (&json!("in-progress"), &json!("s")));
            assert_eq!(body["date_updated"], "Fri, 20 Aug 2010 01:13:42 +0000");
            let uri = format!("/2010-04-01/Accounts/{}/Calls/{call}/{list}/{SID}.json", api.account_sid);
            assert_eq!(body["uri"], uri);
            for which in [SID, "my%20room"] {
                let path = format!("Calls/{call}/{list}/{which}.json");
                let (status, body) = ask(&api, "POST", &path, "Status=stopped").await;
                assert_eq!((status, &body["status"]), (200, &json!("stopped")), "{path}");
                assert_eq!(ask(&api, "POST", &path, "").await.1["code"], 20001);
                assert_eq!(ask(&api, "POST", &path, "Status=paused").await.1["code"], 20001);
                assert_eq!(ask(&api, "GET", &path, "").await.0, 405, "neither fetched");
            }
            assert_eq!(ask(&api, "GET", &format!("Calls/{call}/{list}.json"), "").await.0, 405, "nor listed");
            drop(api);
            let stops: Vec<_> = node
                .await
                .unwrap()
                .into_iter()
                .filter_map(|command| match command {
                    Operator::Service { order, .. } => Some(*order),
                    _ => None,
                })
                .skip(1)
                .collect();
            let stop = |which: &str| ServiceOrder::Stop { kind, which: which.to_owned() };
            assert_eq!(stops, [stop(SID), stop("my room")]);
        }
    }

    #[tokio::test]
    async fn what_is_not_done_has_its_number() {
        let refused = ServiceFault::Refused { code: 31960, why: "too many".to_owned() };
        let list = format!("Calls/{}/Streams.json", CallSid(1));
        let one = format!("Calls/{}/Streams/none.json", CallSid(1));
        let url = "Url=wss://app.example/";
        for (reply, path, form, status, code) in [
            (OperatorReply::ServiceFault(ServiceFault::NotInProgress), &list, url, 400, 21220),
            (OperatorReply::ServiceFault(refused), &list, url, 400, 31960),
            (OperatorReply::NoSuchCall(CallSid(1)), &list, url, 404, 20404),
            (OperatorReply::ServiceFault(ServiceFault::NoSuchService), &one, "Status=stopped", 404, 20404),
            (OperatorReply::Done, &list, url, 500, 20500),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let (api, taken) = api(folder.path()).await;
            let _node = node(taken, reply);
            let (told, body) = ask(&api, "POST", path, form).await;
            assert_eq!((told, &body["code"]), (status, &json!(code)), "{path} {form}");
        }
    }

    #[test]
    fn parameters_are_numbered() {
        let read = |text: &str| parameters(&Params::read(text.as_bytes()));
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            read("Parameter2.Name=b&Parameter1.Name=a&Parameter1.Value=1&Parameter100.Name=z").unwrap(),
            [pair("a", "1"), pair("b", "")]
        );
        let long = format!("Parameter1.Name=a&Parameter1.Value={}", "x".repeat(499));
        assert_eq!(read(&long).unwrap_err().code(), 20001);
        assert!(is_parameter("Parameter99.Value"));
        assert!(!is_parameter("Parameter100.Value") && !is_parameter("Parameter1.Colour"));
    }
}
