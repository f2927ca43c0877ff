//! Somebody in a conference: `…/Participants/CA….json`, or by its label (reference: rest-voice §7).

use axum::Json;
use axum::extract::{OriginalUri, Path, State};
use axum::http::{StatusCode, Uri};
use call::{
    Hold, LiveParticipant, Music, Operator, OperatorReply, ParticipantOrder, ParticipantRef,
    ParticipantUpdate,
};
use serde_json::Value;
use twiml::HttpMethod;

use super::call::document_ref;
use super::conferences::named;
use super::participants::{refused, show};
use crate::Api;
use crate::auth::Authorized;
use crate::error::ApiError;
use crate::params::Params;

/// GET.
pub(super) async fn fetch(
    _: Authorized,
    State(api): State<Api>,
    OriginalUri(uri): OriginalUri,
    Path((_, conference, name)): Path<(String, String, String)>,
) -> Result<Json<Value>, ApiError> {
    let one = order(&api, &conference, &name, ParticipantOrder::Look, &uri).await?;
    Ok(Json(show(&one, api.account_sid)))
}

/// POST: another part in it from now on.
pub(super) async fn update(
    _: Authorized,
    State(api): State<Api>,
    OriginalUri(uri): OriginalUri,
    Path((_, conference, name)): Path<(String, String, String)>,
    form: Params,
) -> Result<Json<Value>, ApiError> {
    form.note_unknown(UPDATE);
    let update = Box::new(read(&form)?);
    let one = order(&api, &conference, &name, ParticipantOrder::Update(update), &uri).await?;
    Ok(Json(show(&one, api.account_sid)))
}

/// DELETE: out of it.
pub(super) async fn delete(
    _: Authorized,
    State(api): State<Api>,
    OriginalUri(uri): OriginalUri,
    Path((_, conference, name)): Path<(String, String, String)>,
) -> Result<StatusCode, ApiError> {
    order(&api, &conference, &name, ParticipantOrder::Remove, &uri).await?;
    api.store.flush().await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn order(
    api: &Api,
    conference: &str,
    name: &str,
    order: ParticipantOrder,
    uri: &Uri,
) -> Result<Box<LiveParticipant>, ApiError> {
    let conference = named(conference);
    let who = ParticipantRef::read(name.strip_suffix(".json").unwrap_or(name));
    match api.orders.ask(Operator::Participant { conference: conference.clone(), who, order }).await? {
        OperatorReply::Participant(one) => Ok(one),
        // In a conference that is over is nobody.
        OperatorReply::NoSuchConference => Err(ApiError::not_found(uri.path())),
        other => Err(refused(api, &conference, other, uri).await?),
    }
}

const UPDATE: &[&str] = &[
    "Muted",
    "Hold",
    "HoldUrl",
    "HoldMethod",
    "AnnounceUrl",
    "AnnounceMethod",
    "WaitUrl",
    "WaitMethod",
    "BeepOnExit",
    "EndConferenceOnExit",
    "Coaching",
    "CallSidToCoach",
];

fn read(form: &Params) -> Result<ParticipantUpdate, ApiError> {
    Ok(ParticipantUpdate {
        // Whatever is not true is not muted.
        muted: form.text("Muted").map(|text| text.eq_ignore_ascii_case("true")),
        hold: match form.choice("Hold")? {
            Some(true) => Some(Hold::On(hold_music(form)?)),
            Some(false) => Some(Hold::Off),
            None => None,
        },
        announce: document_ref(form, "AnnounceUrl", "AnnounceMethod")?,
        wait: wait_music(form)?,
        beep_on_exit: form.choice("BeepOnExit")?,
        end_on_exit: form.choice("EndConferenceOnExit")?,
        coaches: coaches(form)?,
    })
}

/// Unlike everything else it is asked for with GET.
fn hold_music(form: &Params) -> Result<Music, ApiError> {
    let method = match form.text("HoldMethod") {
        Some(_) => form.method("HoldMethod", 21209)?,
        None => HttpMethod::Get,
    };
    Ok(Music { url: form.url("HoldUrl", 21205)?, method })
}

/// What is heard until the conference begins, if anything is said of it: empty is silence.
pub(super) fn wait_music(form: &Params) -> Result<Option<Music>, ApiError> {
    let method = form.method("WaitMethod", 21209)?;
    if form.is_empty("WaitUrl") {
        return Ok(Some(Music { url: Some(String::new()), method }));
    }
    Ok(form.url("WaitUrl", 21205)?.map(|url| Music { url: Some(url), method }))
}

/// Whom it coaches from now on, if anything is said of it.
pub(super) fn coaches(form: &Params) -> Result<Option<Option<base::CallSid>>, ApiError> {
    let bad = |_| ApiError::new(20423, "CallSidToCoach is no sid of a call");
    let coached = form.text("CallSidToCoach").map(str::parse).transpose().map_err(bad)?;
    match (form.choice("Coaching")?, coached) {
        (Some(false), _) => Ok(Some(None)),
        (Some(true) | None, Some(coached)) => Ok(Some(Some(coached))),
        (Some(true), None) => Err(ApiError::new(20001, "Coaching needs CallSidToCoach")),
        (None, None) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use base::{CallSid, ConferenceSid};
    use call::office::DocumentRef;
    use call::{ConferenceFault, ConferenceRef};
    use serde_json::json;

    use super::super::participants::tests::{over_row, somebody};
    use super::*;
    use crate::v2010::tests::{api, ask, node, send};

    #[test]
    fn what_an_update_says() {
        let plain = ParticipantUpdate::default;
        let music = |url: &str, method| Music { url: Some(url.to_owned()), method };
        let hold = |music| ParticipantUpdate { hold: Some(Hold::On(music)), ..plain() };
        let coaches = |coaches| ParticipantUpdate { coaches: Some(coaches), ..plain() };
        let coached = format!("CallSidToCoach={}", CallSid(7));
        let both = format!("Coaching=true&{coached}");
        let neither = format!("Coaching=false&{coached}");
        for (form, expected) in [
            ("", plain()),
            ("Muted=true", ParticipantUpdate { muted: Some(true), ..plain() }),
            ("Muted=maybe", ParticipantUpdate { muted: Some(false), ..plain() }),
            ("Hold=true", hold(Music { url: None, method: HttpMethod::Get })),
            ("Hold=true&HoldUrl=http://w/h", hold(music("http://w/h", HttpMethod::Get))),
            ("Hold=true&HoldUrl=http://w/h&HoldMethod=POST", hold(music("http://w/h", HttpMethod::Post))),
            ("Hold=false&HoldUrl=http://w/h", ParticipantUpdate { hold: Some(Hold::Off), ..plain() }),
            ("WaitUrl=", ParticipantUpdate { wait: Some(music("", HttpMethod::Post)), ..plain() }),
            (
                "WaitUrl=http://w/w&WaitMethod=GET",
                ParticipantUpdate { wait: Some(music("http://w/w", HttpMethod::Get)), ..plain() },
            ),
            (
                "AnnounceUrl=http://w/a",
                ParticipantUpdate {
                    announce: Some(DocumentRef { url: "http://w/a".to_owned(), method: HttpMethod::Post }),
                    ..plain()
                },
            ),
            (
                "BeepOnExit=true&EndConferenceOnExit=false",
                ParticipantUpdate { beep_on_exit: Some(true), end_on_exit: Some(false), ..plain() },
            ),
            (coached.as_str(), coaches(Some(CallSid(7)))),
            (both.as_str(), coaches(Some(CallSid(7)))),
            (neither.as_str(), coaches(None)),
        ] {
            assert_eq!(read(&Params::read(form.as_bytes())).unwrap(), expected, "{form}");
        }
        for (form, code) in [
            ("Hold=maybe", 20001),
            ("Hold=true&HoldUrl=here", 21205),
            ("Hold=true&HoldMethod=PUT", 21209),
            ("AnnounceUrl=here", 21205),
            ("WaitUrl=here", 21205),
            ("BeepOnExit=1", 20001),
            ("EndConferenceOnExit=x", 20001),
            ("Coaching=true", 20001),
            ("CallSidToCoach=ann", 20423),
        ] {
            assert_eq!(read(&Params::read(form.as_bytes())).unwrap_err().code(), code, "{form}");
        }
    }

    #[tokio::test]
    async fn one_is_named_by_its_call_or_its_label() {
        let folder = tempfile::tempdir().unwrap();
        let (api, taken) = api(folder.path()).await;
        let node = node(taken, OperatorReply::Participant(Box::new(somebody(1))));
        let by_call = format!("Conferences/{}/Participants/{}.json", ConferenceSid(5), CallSid(1));
        let by_label = "Conferences/my%20room/Participants/desk%203.json";
        for path in [by_call.as_str(), by_label] {
            assert_eq!(ask(&api, "GET", path, "").await.1["call_sid"], json!(CallSid(1)));
            assert_eq!(ask(&api, "POST", path, "Muted=true").await.0, 200);
            assert_eq!(send(&api, "DELETE", path, "", "secret").await.status(), 204);
        }
        drop(api);
        let asked = node.await.unwrap();
        let named = |asked: &Operator| match asked {
            Operator::Participant { conference, who, .. } => (conference.clone(), who.clone()),
            other => panic!("{other:?}"),
        };
        let (sid, call) = (ConferenceRef::Sid(ConferenceSid(5)), ParticipantRef::Call(CallSid(1)));
        assert_eq!(named(&asked[0]), (sid, call));
        let name = ConferenceRef::Name("my room".to_owned());
        assert_eq!(named(&asked[5]), (name, ParticipantRef::Label("desk 3".to_owned())));
        let orders =
            |n: usize| matches!(&asked[n], Operator::Participant { order: ParticipantOrder::Remove, .. });
        assert!(orders(2) && orders(5) && !orders(1));
    }

    #[tokio::test]
    async fn what_is_not_done_has_its_number() {
        let path = format!("Conferences/{}/Participants/{}.json", ConferenceSid(5), CallSid(1));
        for (reply, method, status, code) in [
            (OperatorReply::NotInConference, "GET", 404, 20404),
            (OperatorReply::NotInConference, "DELETE", 404, 20404),
            (OperatorReply::NoSuchConference, "POST", 404, 20404),
            (OperatorReply::ConferenceFault(ConferenceFault::CoachedOnHold), "POST", 400, 16027),
            (OperatorReply::ConferenceFault(ConferenceFault::NobodyToCoach), "POST", 400, 16028),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let (api, taken) = api(folder.path()).await;
            api.store.write(over_row());
            let _node = node(taken, reply);
            let (told, body) = ask(&api, method, &path, "").await;
            assert_eq!((told, &body["code"]), (status, &json!(code)), "{method}");
        }
    }
}
