//! Who is in a conference or called to come: `…/Conferences/{CF… or name}/Participants.json` (reference: rest-voice §7).

use axum::extract::{OriginalUri, Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use base::AccountSid;
use call::{ConferenceFault, ConferenceRef, LiveParticipant, Operator, OperatorReply};
use serde_json::{Value, json};

use super::calls::{keep, passes_on};
use super::conferences::{named, over};
use super::{participant, participant_create};
use crate::Api;
use crate::auth::Authorized;
use crate::error::ApiError;
use crate::paging::Paging;
use crate::params::Params;
use crate::texml_v2::Spoken;

pub(crate) fn routes() -> Router<Api> {
    Router::new()
        .route("/Conferences/{conference}/Participants.json", get(list).post(create))
        .route("/Conferences/{conference}/Participants", get(list).post(create))
        .route(
            "/Conferences/{conference}/Participants/{participant}",
            get(participant::fetch).post(participant::update).delete(participant::delete),
        )
}

/// GET: those of the moment, newest first; in a conference that is over is nobody.
async fn list(
    _: Authorized,
    State(api): State<Api>,
    OriginalUri(uri): OriginalUri,
    Path((_, name)): Path<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    let query = Params::read(uri.query().unwrap_or_default().as_bytes());
    let paging = Paging::read(&query)?;
    let conference = named(&name);
    let (muted, hold) = (query.choice("Muted")?, query.choice("Hold")?);
    let coaching = query.choice("Coaching")?;
    let mut all = match api.orders.ask(Operator::Participants(conference.clone())).await? {
        OperatorReply::Participants(_, all) => all,
        OperatorReply::NoSuchConference => {
            let why = over(&api, &conference, &uri).await?;
            if why.status() == StatusCode::NOT_FOUND {
                return Err(why);
            }
            Vec::new()
        }
        _ => return Err(ApiError::unexpected()),
    };
    let is = |wanted: Option<bool>, so: bool| wanted.is_none_or(|wanted| wanted == so);
    all.retain(|one| {
        let facts = &one.facts;
        is(muted, facts.muted) && is(hold, facts.hold) && is(coaching, facts.coaches.is_some())
    });
    let key = |one: &LiveParticipant| (one.created, one.facts.call_sid);
    let rows = paging.among(all, key)?;
    let shown = |one: &LiveParticipant| show(one, api.account_sid);
    Ok(Json(paging.envelope(uri.path(), "participants", rows, key, shown)))
}

/// POST: calls somebody into the conference, which a name that none has begins; answered once both are stored.
async fn create(
    _: Authorized,
    State(api): State<Api>,
    OriginalUri(uri): OriginalUri,
    Path((_, name)): Path<(String, String)>,
    Spoken(dialect): Spoken,
    form: Params,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    form.note_unknown(participant_create::CREATE);
    let conference = named(&name);
    let mut new = Box::new(participant_create::read(&form, &conference, dialect)?);
    new.call.checks_from = !passes_on(&form, &api).await?;
    let order = Operator::AddParticipant { conference: conference.clone(), new };
    api.could_be_kept().await?;
    match api.orders.ask(order).await? {
        OperatorReply::Participant(one) => {
            keep(&api, one.facts.call_sid).await?;
            Ok((StatusCode::CREATED, Json(show(&one, api.account_sid))))
        }
        OperatorReply::NotPlaced(why) => Err(ApiError::new(why.code, why.why)),
        other => Err(refused(&api, &conference, other, &uri).await?),
    }
}

/// Why the node did not do it.
pub(super) async fn refused(
    api: &Api,
    conference: &ConferenceRef,
    reply: OperatorReply,
    uri: &axum::http::Uri,
) -> Result<ApiError, ApiError> {
    Ok(match reply {
        OperatorReply::NoSuchConference => over(api, conference, uri).await?,
        OperatorReply::NotInConference => ApiError::not_found(uri.path()),
        OperatorReply::ConferenceFault(fault) => match fault {
            ConferenceFault::Full => ApiError::new(16020, "The conference is full"),
            ConferenceFault::TooMany => {
                ApiError::new(16021, "The box has as many conferences as it may have")
            }
            ConferenceFault::LabelInUse => ApiError::new(16026, "Another participant has this Label"),
            ConferenceFault::CoachedOnHold => {
                ApiError::new(16027, "The participant to be coached is on hold")
            }
            ConferenceFault::NobodyToCoach => {
                ApiError::new(16028, "The participant to be coached is not in the conference")
            }
        },
        _ => ApiError::unexpected(),
    })
}

pub(super) fn show(one: &LiveParticipant, account: AccountSid) -> Value {
    let (conference, facts) = (one.conference, &one.facts);
    let call = facts.call_sid;
    json!({
        "account_sid": account,
        "call_sid": call,
        "label": facts.label,
        "conference_sid": conference,
        "date_created": one.created.rfc2822(),
        "date_updated": one.updated.rfc2822(),
        "end_conference_on_exit": facts.end_on_exit,
        "muted": facts.muted,
        "hold": facts.hold,
        "status": one.stage.as_str(),
        "start_conference_on_enter": facts.start_on_enter,
        "coaching": facts.coaches.is_some(),
        "call_sid_to_coach": facts.coaches,
        "queue_time": one.queue_time_ms.map(|ms| ms.to_string()),
        "uri": format!("/2010-04-01/Accounts/{account}/Conferences/{conference}/Participants/{call}.json"),
    })
}

#[cfg(test)]
pub(super) mod tests {
    use base::{CallSid, ConferenceSid, Timestamp};
    use call::record::{ConferenceRow, ConferenceStatus, StoreItem};
    use call::{NotPlaced, ParticipantStage};
    use twiml::ParticipantFacts;

    use super::*;
    use crate::v2010::tests::{api, ask, keys, node};

    pub(in super::super) fn somebody(n: u128) -> LiveParticipant {
        LiveParticipant {
            conference: ConferenceSid(5),
            facts: ParticipantFacts {
                call_sid: CallSid(n),
                muted: n == 1,
                hold: n == 2,
                coaches: (n == 3).then_some(CallSid(1)),
                end_on_exit: false,
                start_on_enter: true,
                label: Some("customer".to_owned()),
            },
            stage: ParticipantStage::Queued,
            created: Timestamp(n as i64),
            updated: Timestamp(n as i64),
            queue_time_ms: Some(0),
        }
    }

    /// A row of a conference that is over.
    pub(in super::super) fn over_row() -> StoreItem {
        StoreItem::Conference(ConferenceRow {
            sid: ConferenceSid(5),
            name: "room".to_owned(),
            status: ConferenceStatus::Completed,
            created: Timestamp(0),
            updated: Timestamp(0),
            ended_why: None,
            ended_by: None,
            region: None,
        })
    }

    #[tokio::test]
    async fn they_are_listed_filtered_and_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (api, taken) = api(folder.path()).await;
        let all = (1..=4).rev().map(somebody).collect();
        let _node = node(taken, OperatorReply::Participants(ConferenceSid(5), all));
        let list = format!("Conferences/{}/Participants.json", ConferenceSid(5));
        for (query, calls) in [
            ("", &[4, 3, 2, 1][..]),
            ("?Muted=true", &[1]),
            ("?Hold=true", &[2]),
            ("?Coaching=true", &[3]),
            ("?Coaching=false&Muted=false&Hold=false", &[4]),
            ("?PageSize=2", &[4, 3]),
        ] {
            let (status, body) = ask(&api, "GET", &format!("{list}{query}"), "").await;
            let found: Vec<Value> =
                body["participants"].as_array().unwrap().iter().map(|one| one["call_sid"].clone()).collect();
            let wanted: Vec<Value> = calls.iter().map(|n| json!(CallSid(*n))).collect();
            assert_eq!((status, found), (200, wanted), "{query}");
        }
        let (_, body) = ask(&api, "GET", &format!("{list}?PageSize=3"), "").await;
        let next = body["next_page_uri"].as_str().unwrap().split("/Conferences").nth(1).unwrap();
        let (_, body) = ask(&api, "GET", &format!("Conferences{next}"), "").await;
        assert_eq!(body["participants"][0]["call_sid"], json!(CallSid(1)));
        assert_eq!(ask(&api, "GET", &format!("{list}?Hold=maybe"), "").await.1["code"], 20001);
    }

    #[tokio::test]
    async fn one_is_called_in_and_shown_with_every_published_field() {
        let folder = tempfile::tempdir().unwrap();
        let (api, taken) = api(folder.path()).await;
        let node = node(taken, OperatorReply::Participant(Box::new(somebody(1))));
        let published: Value =
            serde_json::from_str(include_str!("../../../tests/data/rest/participant.json")).unwrap();
        let form = "From=%2B15550001111&To=%2B15557654321&Label=customer";
        let (status, body) = ask(&api, "POST", "Conferences/my%20room/Participants.json", form).await;
        assert_eq!((status, keys(&body)), (201, keys(&published)));
        for (key, value) in published.as_object().unwrap() {
            let kind = |value: &Value| std::mem::discriminant(value);
            assert_eq!(kind(&body[key]), kind(value), "{key}");
        }
        assert_eq!((&body["status"], &body["queue_time"]), (&json!("queued"), &json!("0")));
        drop(api);
        let asked = node.await.unwrap();
        let Operator::AddParticipant { conference, new } = &asked[0] else { panic!("{asked:?}") };
        assert_eq!(*conference, ConferenceRef::Name("my room".to_owned()));
        assert_eq!(
            (new.call.to.as_str(), new.conference.label.as_deref()),
            ("+15557654321", Some("customer"))
        );
    }

    #[tokio::test]
    async fn what_is_not_done_has_its_number() {
        let sid = format!("Conferences/{}/Participants.json", ConferenceSid(5));
        let never = format!("Conferences/{}/Participants.json", ConferenceSid(6));
        let fault = OperatorReply::ConferenceFault;
        let unplaced = NotPlaced { code: 21214, why: "leads nowhere".to_owned() };
        for (reply, path, status, code) in [
            (fault(ConferenceFault::Full), sid.as_str(), 400, 16020),
            (fault(ConferenceFault::TooMany), sid.as_str(), 400, 16021),
            (fault(ConferenceFault::LabelInUse), sid.as_str(), 400, 16026),
            (fault(ConferenceFault::CoachedOnHold), sid.as_str(), 400, 16027),
            (fault(ConferenceFault::NobodyToCoach), sid.as_str(), 400, 16028),
            (OperatorReply::NoSuchConference, sid.as_str(), 400, 16022),
            (OperatorReply::NoSuchConference, never.as_str(), 404, 20404),
            (OperatorReply::NotPlaced(unplaced), sid.as_str(), 400, 21214),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let (api, taken) = api(folder.path()).await;
            api.store.write(over_row());
            let _node = node(taken, reply);
            let (told, body) = ask(&api, "POST", path, "From=%2B1555&To=%2B1556").await;
            assert_eq!((told, &body["code"]), (status, &json!(code)), "{path}");
        }
        let folder = tempfile::tempdir().unwrap();
        let (api, taken) = api(folder.path()).await;
        api.store.write(over_row());
        let _node = node(taken, OperatorReply::NoSuchConference);
        assert_eq!(ask(&api, "GET", &sid, "").await.1["participants"], json!([]), "nobody is in it any more");
        assert_eq!(ask(&api, "GET", &never, "").await.0, 404);
    }
}
