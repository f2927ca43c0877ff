//! Voice queues: `…/Queues.json` and each (reference: rest-voice §9).

use axum::Json;
use axum::extract::{OriginalUri, Path, State};
use axum::http::{StatusCode, Uri};
use base::AccountSid;
use call::{LiveQueue, Operator, OperatorReply, QueueFault};
use serde_json::{Value, json};

use super::sid;
use crate::Api;
use crate::auth::Authorized;
use crate::error::ApiError;
use crate::paging::Paging;
use crate::params::Params;

/// GET: newest first.
pub(super) async fn list(
    _: Authorized,
    State(api): State<Api>,
    OriginalUri(uri): OriginalUri,
) -> Result<Json<Value>, ApiError> {
    let paging = Paging::read(&Params::read(uri.query().unwrap_or_default().as_bytes()))?;
    let OperatorReply::Queues(mut queues) = api.orders.ask(Operator::Queues).await? else {
        return Err(ApiError::unexpected());
    };
    let key = |queue: &LiveQueue| (queue.created, queue.sid);
    queues.sort_by_key(|queue| std::cmp::Reverse(key(queue)));
    let rows = paging.among(queues, key)?;
    let shown = |queue: &LiveQueue| show(queue, api.account_sid);
    Ok(Json(paging.envelope(uri.path(), "queues", rows, key, shown)))
}

/// POST: makes one; answered once it is stored.
pub(super) async fn create(
    _: Authorized,
    State(api): State<Api>,
    OriginalUri(uri): OriginalUri,
    form: Params,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    form.note_unknown(NAMES);
    let name = form.text("FriendlyName").ok_or_else(|| ApiError::new(20001, "FriendlyName is missing"))?;
    let command = Operator::CreateQueue { name: name.to_owned(), max_size: max_size(&form)? };
    api.could_be_kept().await?;
    match api.orders.ask(command).await? {
        OperatorReply::Queue(queue) => {
            if let Err(error) = api.store.flush().await {
                // Who is told of an error has made nothing: under this name another may be made.
                api.orders.ask(Operator::DeleteQueue(queue.sid)).await?;
                return Err(error.into());
            }
            Ok((StatusCode::CREATED, Json(show(&queue, api.account_sid))))
        }
        other => Err(refused(&other, &uri)),
    }
}

/// GET.
pub(super) async fn fetch(
    _: Authorized,
    State(api): State<Api>,
    OriginalUri(uri): OriginalUri,
    Path((_, name)): Path<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    let queue = sid(&name, uri.path())?;
    match api.orders.ask(Operator::Queue(queue)).await? {
        OperatorReply::Queue(queue) => Ok(Json(show(&queue, api.account_sid))),
        other => Err(refused(&other, &uri)),
    }
}

/// POST: another name or size.
pub(super) async fn update(
    _: Authorized,
    State(api): State<Api>,
    OriginalUri(uri): OriginalUri,
    Path((_, name)): Path<(String, String)>,
    form: Params,
) -> Result<Json<Value>, ApiError> {
    form.note_unknown(NAMES);
    let queue = sid(&name, uri.path())?;
    let name = form.text("FriendlyName").map(str::to_owned);
    let command = Operator::UpdateQueue { queue, name, max_size: max_size(&form)? };
    api.could_be_kept().await?;
    match api.orders.ask(command).await? {
        OperatorReply::Queue(queue) => {
            api.store.flush().await?;
            Ok(Json(show(&queue, api.account_sid)))
        }
        other => Err(refused(&other, &uri)),
    }
}

/// DELETE: one nobody waits in.
pub(super) async fn delete(
    _: Authorized,
    State(api): State<Api>,
    OriginalUri(uri): OriginalUri,
    Path((_, name)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let command = Operator::DeleteQueue(sid(&name, uri.path())?);
    api.could_be_kept().await?;
    match api.orders.ask(command).await? {
        OperatorReply::Done => {
            api.store.flush().await?;
            Ok(StatusCode::NO_CONTENT)
        }
        other => Err(refused(&other, &uri)),
    }
}

const NAMES: &[&str] = &["FriendlyName", "MaxSize"];

fn max_size(form: &Params) -> Result<Option<u32>, ApiError> {
    form.number("MaxSize", 1..=SIZE_MAX, 20001)
}

/// Why the node did not do it.
pub(super) fn refused(reply: &OperatorReply, uri: &Uri) -> ApiError {
    match reply {
        OperatorReply::NoSuchQueue(_) | OperatorReply::NotInQueue => ApiError::not_found(uri.path()),
        OperatorReply::QueueFault(fault) => match fault {
            QueueFault::NameTaken => ApiError::new(22003, "A queue of this FriendlyName exists"),
            QueueFault::BadName => {
                ApiError::new(20001, "FriendlyName must have 1 to 64 printable characters")
            }
            QueueFault::BadSize => ApiError::new(20001, format!("MaxSize must be from 1 to {SIZE_MAX}")),
            QueueFault::NotEmpty => ApiError::new(20409, "Somebody waits in the queue"),
            QueueFault::TooMany => ApiError::new(20001, "The box has as many queues as it may have"),
        },
        _ => ApiError::unexpected(),
    }
}

fn show(queue: &LiveQueue, account: AccountSid) -> Value {
    let uri = format!("/2010-04-01/Accounts/{account}/Queues/{}", queue.sid);
    json!({
        "sid": queue.sid,
        "account_sid": account,
        "friendly_name": queue.name,
        "current_size": queue.members.len(),
        "max_size": queue.max_size,
        "average_wait_time": queue.average_wait_s,
        "date_created": queue.created.rfc2822(),
        "date_updated": queue.updated.rfc2822(),
        "uri": format!("{uri}.json"),
        "subresource_uris": { "members": format!("{uri}/Members.json") },
    })
}

/// The largest queue (reference: twiml-voice §11.1).
const SIZE_MAX: u32 = 5_000;

#[cfg(test)]
pub(super) mod tests {
    use base::{CallSid, QueueSid, Timestamp};
    use call::LiveQueueMember;

    use super::*;
    use crate::v2010::tests::{api, ask, followed, keys, node, send};

    pub(in crate::v2010) fn queue(n: u128, waiting: u128) -> LiveQueue {
        LiveQueue {
            sid: QueueSid(n),
            name: format!("desk {n}"),
            workflow: None,
            max_size: 100,
            average_wait_s: 9,
            takers: 0,
            created: Timestamp(n as i64 * 1_000_000),
            updated: Timestamp(n as i64 * 1_000_000),
            members: (1..=waiting)
                .map(|n| LiveQueueMember {
                    call: CallSid(n),
                    position: n as u32,
                    enqueued: Timestamp(0),
                    wait_s: 9,
                })
                .collect(),
        }
    }

    #[tokio::test]
    async fn queues_are_listed_newest_first_and_page_by_page() {
        let folder = tempfile::tempdir().unwrap();
        let (api, taken) = api(folder.path()).await;
        let _node = node(taken, OperatorReply::Queues(vec![queue(1, 0), queue(2, 3), queue(3, 1)]));
        let (status, body) = ask(&api, "GET", "Queues.json?PageSize=2", "").await;
        assert_eq!(status, 200);
        let sids = |body: &Value| -> Vec<Value> {
            body["queues"].as_array().unwrap().iter().map(|queue| queue["sid"].clone()).collect()
        };
        assert_eq!(sids(&body), [json!(QueueSid(3)), json!(QueueSid(2))]);
        assert_eq!(
            (&body["queues"][1]["current_size"], &body["queues"][1]["average_wait_time"]),
            (&json!(3), &json!(9))
        );
        let followed = followed(&api, "Queues.json?PageSize=2", "queues", "sid").await;
        assert_eq!(followed, [3, 2, 1].map(|n| json!(QueueSid(n))));
        assert_eq!(ask(&api, "GET", "Queues.json?PageToken=PAx", "").await.1["code"], 21481);
    }

    #[tokio::test]
    async fn one_is_made_changed_and_shown_with_every_published_field() {
        let folder = tempfile::tempdir().unwrap();
        let (api, taken) = api(folder.path()).await;
        let node = node(taken, OperatorReply::Queue(queue(2, 0)));
        let published: Value =
            serde_json::from_str(include_str!("../../../tests/data/rest/queue.json")).unwrap();
        let path = format!("Queues/{}.json", QueueSid(2));
        for (method, path, form, status) in [
            ("POST", "Queues.json", "FriendlyName=desk+2&MaxSize=100", 201),
            ("GET", path.as_str(), "", 200),
            ("POST", path.as_str(), "MaxSize=7", 200),
        ] {
            let (told, body) = ask(&api, method, path, form).await;
            assert_eq!(told, status, "{method} {path}");
            let mut names = keys(&body);
            assert!(names.remove("subresource_uris"));
            assert_eq!(names, keys(&published));
        }
        drop(api);
        let asked = node.await.unwrap();
        assert_eq!(asked[0], Operator::CreateQueue { name: "desk 2".to_owned(), max_size: Some(100) });
        assert_eq!(asked[2], Operator::UpdateQueue { queue: QueueSid(2), name: None, max_size: Some(7) });
    }

    #[tokio::test]
    async fn what_is_not_done_has_its_number() {
        let path = format!("Queues/{}.json", QueueSid(2));
        for (reply, method, path, form, status, code) in [
            (OperatorReply::Done, "POST", "Queues.json", "MaxSize=3", 400, 20001),
            (OperatorReply::Done, "POST", "Queues.json", "FriendlyName=a&MaxSize=5001", 400, 20001),
            (
                OperatorReply::QueueFault(QueueFault::NameTaken),
                "POST",
                "Queues.json",
                "FriendlyName=a",
                400,
                22003,
            ),
            (OperatorReply::QueueFault(QueueFault::NotEmpty), "DELETE", path.as_str(), "", 409, 20409),
            (OperatorReply::NoSuchQueue(QueueSid(2)), "GET", path.as_str(), "", 404, 20404),
            (OperatorReply::Done, "GET", "Queues/sales.json", "", 404, 20404),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let (api, taken) = api(folder.path()).await;
            let _node = node(taken, reply);
            let (told, body) = ask(&api, method, path, form).await;
            assert_eq!((told, &body["code"]), (status, &json!(code)), "{method} {path} {form}");
        }
        let folder = tempfile::tempdir().unwrap();
        let (api, taken) = api(folder.path()).await;
        let _node = node(taken, OperatorReply::Done);
        assert_eq!(send(&api, "DELETE", &path, "", "secret").await.status(), 204);
    }
}
