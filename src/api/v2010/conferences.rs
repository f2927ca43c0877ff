//! Conferences: `…/Conferences.json` and each (reference: rest-voice §6).
//!
//! What is told of one is read from the store, where it is written whenever it begins or ends; who is in it is asked of
//! the node ([`super::participants`]).

use axum::extract::{OriginalUri, Path, State};
use axum::http::Uri;
use axum::routing::get;
use axum::{Json, Router};
use base::AccountSid;
use call::record::{ConferenceEnd, ConferenceRow, ConferenceStatus};
use call::{ConferenceRef, Operator, OperatorReply};
use serde_json::{Value, json};
use store::ConferenceFilter;

use super::call::document_ref;
use crate::Api;
use crate::auth::Authorized;
use crate::dates::span;
use crate::error::ApiError;
use crate::paging::Paging;
use crate::params::Params;

pub(crate) fn routes() -> Router<Api> {
    Router::new()
        .route("/Conferences.json", get(list))
        .route("/Conferences", get(list))
        .route("/Conferences/{conference}", get(fetch).post(update))
}

/// GET: newest first.
async fn list(
    _: Authorized,
    State(api): State<Api>,
    OriginalUri(uri): OriginalUri,
) -> Result<Json<Value>, ApiError> {
    let query = Params::read(uri.query().unwrap_or_default().as_bytes());
    let paging = Paging::read(&query)?;
    let words = ConferenceStatus::ALL.map(ConferenceStatus::as_str);
    let word = query.one_of("Status", &words, 20001)?;
    let (created, updated) = (span(&query, "DateCreated")?, span(&query, "DateUpdated")?);
    let filter = ConferenceFilter {
        name: query.text("FriendlyName").map(str::to_owned),
        status: ConferenceStatus::ALL.into_iter().find(|status| Some(status.as_str()) == word),
        created_from: created.from,
        created_to: created.to,
        updated_from: updated.from,
        updated_to: updated.to,
    };
    let rows = api.store.conferences(&filter, &paging.page()?).await?;
    let shown = |row: &ConferenceRow| show(row, api.account_sid);
    Ok(Json(paging.envelope(uri.path(), "conferences", rows, |row| (row.created, row.sid), shown)))
}

/// GET: by its sid, or while it is not over by its name.
async fn fetch(
    _: Authorized,
    State(api): State<Api>,
    OriginalUri(uri): OriginalUri,
    Path((_, name)): Path<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    let row = stored(&api, &named(&name), &uri).await?;
    Ok(Json(show(&row, api.account_sid)))
}

/// POST: ends it for everybody, or has everybody hear a document.
async fn update(
    _: Authorized,
    State(api): State<Api>,
    OriginalUri(uri): OriginalUri,
    Path((_, name)): Path<(String, String)>,
    form: Params,
) -> Result<Json<Value>, ApiError> {
    form.note_unknown(&["Status", "AnnounceUrl", "AnnounceMethod"]);
    let conference = named(&name);
    let ends = form.one_of("Status", &["completed"], 20001)?.is_some();
    let announce = document_ref(&form, "AnnounceUrl", "AnnounceMethod")?;
    let order = match (ends, announce) {
        (true, _) => Operator::EndConference(conference.clone()),
        (false, Some(to)) => {
            let (url, method) = (to.url, to.method);
            Operator::Announce { conference: conference.clone(), url, method }
        }
        (false, None) => {
            let row = stored(&api, &conference, &uri).await?;
            return Ok(Json(show(&row, api.account_sid)));
        }
    };
    match api.orders.ask(order).await? {
        OperatorReply::Conference(row) => {
            api.store.flush().await?;
            Ok(Json(show(&row, api.account_sid)))
        }
        OperatorReply::NoSuchConference => Err(over(&api, &conference, &uri).await?),
        _ => Err(ApiError::unexpected()),
    }
}

/// How a path names one.
pub(super) fn named(name: &str) -> ConferenceRef {
    ConferenceRef::read(name.strip_suffix(".json").unwrap_or(name).trim())
}

/// A conference that the node does not know is over, or never was.
pub(super) async fn over(api: &Api, conference: &ConferenceRef, uri: &Uri) -> Result<ApiError, ApiError> {
    Ok(match conference {
        ConferenceRef::Sid(sid) if api.store.conference(*sid).await?.is_some() => {
            ApiError::new(16022, format!("Conference {sid} is completed"))
        }
        ConferenceRef::Sid(_) | ConferenceRef::Name(_) => ApiError::not_found(uri.path()),
    })
}

async fn stored(api: &Api, conference: &ConferenceRef, uri: &Uri) -> Result<ConferenceRow, ApiError> {
    let sid = match conference {
        ConferenceRef::Sid(sid) => *sid,
        ConferenceRef::Name(_) => match api.orders.ask(Operator::Participants(conference.clone())).await? {
            OperatorReply::Participants(sid, _) => sid,
            _ => return Err(ApiError::not_found(uri.path())),
        },
    };
    api.store.conference(sid).await?.ok_or_else(|| ApiError::not_found(uri.path()))
}

fn show(row: &ConferenceRow, account: AccountSid) -> Value {
    let uri = format!("/2010-04-01/Accounts/{account}/Conferences/{}", row.sid);
    json!({
        "sid": row.sid,
        "account_sid": account,
        "friendly_name": row.name,
        "region": row.region.as_deref().unwrap_or(REGION),
        "status": row.status.as_str(),
        "api_version": "2010-04-01",
        "date_created": row.created.rfc2822(),
        "date_updated": row.updated.rfc2822(),
        "reason_conference_ended": row.ended_why.map(ConferenceEnd::as_str),
        "call_sid_ending_conference": row.ended_by,
        "uri": format!("{uri}.json"),
        "subresource_uris": {
            "participants": format!("{uri}/Participants.json"),
            "recordings": format!("{uri}/Recordings.json"),
        },
    })
}

/// Where it is said to be mixed when nobody asked for anything: where the published API mixes what is not asked for
/// elsewhere. The box itself is in none of the published places.
const REGION: &str = "us1";

#[cfg(test)]
mod tests {
    use base::{CallSid, ConferenceSid, Timestamp};
    use call::record::StoreItem;

    use super::*;
    use crate::v2010::tests::{api, ask, keys, node};

    fn row(n: u128, status: ConferenceStatus) -> ConferenceRow {
        let at = Timestamp(1_282_266_822_000_000 + n as i64 * 1_000_000);
        let over = status == ConferenceStatus::Completed;
        ConferenceRow {
            sid: ConferenceSid(n),
            name: if n == 1 { "board" } else { "my room" }.to_owned(),
            status,
            created: at,
            updated: at,
            ended_why: over.then_some(ConferenceEnd::LastParticipantLeft),
            ended_by: over.then_some(CallSid(9)),
            region: (n == 2).then(|| "ie1".to_owned()),
        }
    }

    async fn filled(api: &Api) {
        for (n, status) in (1..).zip(ConferenceStatus::ALL) {
            api.store.write(StoreItem::Conference(row(n, status)));
        }
    }

    #[tokio::test]
    async fn they_are_listed_filtered_and_shown_with_every_published_field() {
        let folder = tempfile::tempdir().unwrap();
        let (api, _taken) = api(folder.path()).await;
        filled(&api).await;
        for (query, sids) in [
            ("", &[3, 2, 1][..]),
            ("?Status=in-progress", &[2]),
            ("?FriendlyName=my+room", &[3, 2]),
            ("?DateCreated%3C=2010-08-19", &[]),
            ("?DateUpdated%3E=2010-08-20T01:13:44Z", &[3, 2]),
            ("?PageSize=1&Status=completed", &[3]),
        ] {
            let (status, body) = ask(&api, "GET", &format!("Conferences.json{query}"), "").await;
            let found: Vec<Value> =
                body["conferences"].as_array().unwrap().iter().map(|one| one["sid"].clone()).collect();
            let wanted: Vec<Value> = sids.iter().map(|n| json!(ConferenceSid(*n))).collect();
            assert_eq!((status, found), (200, wanted), "{query}");
        }
        assert_eq!(ask(&api, "GET", "Conferences.json?Status=lost", "").await.1["code"], 20001);
        let published: Value =
            serde_json::from_str(include_str!("../../../tests/data/rest/conference.json")).unwrap();
        let path = format!("Conferences/{}.json", ConferenceSid(3));
        let (status, body) = ask(&api, "GET", &path, "").await;
        assert_eq!((status, keys(&body)), (200, keys(&published)));
        assert_eq!(keys(&body["subresource_uris"]), keys(&published["subresource_uris"]));
        assert_eq!(body["reason_conference_ended"], "last-participant-left");
        assert_eq!(body["call_sid_ending_conference"], json!(CallSid(9)));
        assert_eq!(body["region"], "us1", "nobody asked for another");
        let (_, asked) = ask(&api, "GET", &format!("Conferences/{}.json", ConferenceSid(2)), "").await;
        assert_eq!(asked["region"], "ie1");
        let (_, body) = ask(&api, "GET", &format!("Conferences/{}", ConferenceSid(1)), "").await;
        assert_eq!((&body["status"], &body["reason_conference_ended"]), (&json!("init"), &Value::Null));
    }

    #[tokio::test]
    async fn one_is_ended_and_announced_to() {
        let folder = tempfile::tempdir().unwrap();
        let (api, taken) = api(folder.path()).await;
        filled(&api).await;
        let ended = row(2, ConferenceStatus::Completed);
        let node = node(taken, OperatorReply::Conference(Box::new(ended)));
        let path = format!("Conferences/{}.json", ConferenceSid(2));
        let announce = "AnnounceUrl=http%3A%2F%2Fweb.example%2Fa&AnnounceMethod=GET";
        for (path, form) in [(path.as_str(), "Status=completed"), ("Conferences/my%20room.json", announce)] {
            let (status, body) = ask(&api, "POST", path, form).await;
            assert_eq!((status, &body["sid"]), (200, &json!(ConferenceSid(2))), "{form}");
        }
        assert_eq!(ask(&api, "POST", &path, "").await.1["status"], "in-progress", "nothing changes");
        drop(api);
        let asked = node.await.unwrap();
        let conference = ConferenceRef::Name("my room".to_owned());
        let (url, method) = ("http://web.example/a".to_owned(), twiml::HttpMethod::Get);
        assert_eq!(asked[0], Operator::EndConference(ConferenceRef::Sid(ConferenceSid(2))));
        assert_eq!(asked[1], Operator::Announce { conference, url, method });
        assert_eq!(asked.len(), 2);
    }

    #[tokio::test]
    async fn what_is_not_done_has_its_number() {
        let over = format!("Conferences/{}.json", ConferenceSid(3));
        let never = format!("Conferences/{}.json", ConferenceSid(8));
        for (method, path, form, status, code) in [
            ("POST", over.as_str(), "Status=completed", 400, 16022),
            ("POST", over.as_str(), "AnnounceUrl=http%3A%2F%2Fw%2F", 400, 16022),
            ("POST", never.as_str(), "Status=completed", 404, 20404),
            ("POST", "Conferences/nobody.json", "Status=completed", 404, 20404),
            ("POST", over.as_str(), "Status=init", 400, 20001),
            ("POST", over.as_str(), "AnnounceUrl=here", 400, 21205),
            ("POST", over.as_str(), "AnnounceUrl=http%3A%2F%2Fw%2F&AnnounceMethod=PUT", 400, 21209),
            ("GET", never.as_str(), "", 404, 20404),
            ("GET", "Conferences/nobody.json", "", 404, 20404),
            ("POST", "Conferences.json", "", 405, 20004),
            ("DELETE", over.as_str(), "", 405, 20004),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let (api, taken) = api(folder.path()).await;
            filled(&api).await;
            let _node = node(taken, OperatorReply::NoSuchConference);
            let (told, body) = ask(&api, method, path, form).await;
            assert_eq!((told, &body["code"]), (status, &json!(code)), "{method} {path} {form}");
        }
    }
}
