//! Who waits in a voice queue: `…/Queues/QU…/Members.json` and each, by the call's sid or as `Front` (reference:
//! rest-voice §9).

use axum::Json;
use axum::extract::{OriginalUri, Path, State};
use axum::http::Uri;
use base::{AccountSid, CallSid, QueueSid};
use call::{LiveQueueMember, Operator, OperatorReply};
use serde_json::{Value, json};

use super::queues::refused;
use super::sid;
use crate::Api;
use crate::auth::Authorized;
use crate::error::ApiError;
use crate::paging::Paging;
use crate::params::Params;

/// GET: from the front.
pub(super) async fn list(
    _: Authorized,
    State(api): State<Api>,
    OriginalUri(uri): OriginalUri,
    Path((_, name)): Path<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    let queue: QueueSid = sid(&name, uri.path())?;
    let paging = Paging::read(&Params::read(uri.query().unwrap_or_default().as_bytes()))?;
    let members = match api.orders.ask(Operator::Queue(queue)).await? {
        OperatorReply::Queue(queue) => queue.members,
        other => return Err(refused(&other, &uri)),
    };
    // Positions change while a list is followed, when somebody came does not.
    let key = |member: &LiveQueueMember| (member.enqueued, member.call);
    let rows = paging.among(members, key)?;
    let shown = |member: &LiveQueueMember| show(member, queue, api.account_sid);
    Ok(Json(paging.envelope(uri.path(), "queue_members", rows, key, shown)))
}

/// GET.
pub(super) async fn fetch(
    _: Authorized,
    State(api): State<Api>,
    OriginalUri(uri): OriginalUri,
    Path((_, queue, name)): Path<(String, String, String)>,
) -> Result<Json<Value>, ApiError> {
    let queue: QueueSid = sid(&queue, uri.path())?;
    one(&api, Operator::QueueMember { queue, call: member(&name, &uri)? }, queue, &uri).await
}

/// POST: out of the queue, and on with another document.
pub(super) async fn update(
    _: Authorized,
    State(api): State<Api>,
    OriginalUri(uri): OriginalUri,
    Path((_, queue, name)): Path<(String, String, String)>,
    form: Params,
) -> Result<Json<Value>, ApiError> {
    form.note_unknown(&["Url", "Method"]);
    let queue: QueueSid = sid(&queue, uri.path())?;
    let url = form.url("Url", 21205)?.ok_or_else(|| ApiError::new(21205, "Url is missing"))?;
    let method = form.method("Method", 21209)?;
    one(&api, Operator::Dequeue { queue, call: member(&name, &uri)?, url, method }, queue, &uri).await
}

/// `None`: whoever is in front.
fn member(name: &str, uri: &Uri) -> Result<Option<CallSid>, ApiError> {
    if name.strip_suffix(".json").unwrap_or(name) == "Front" {
        Ok(None)
    } else {
        sid(name, uri.path()).map(Some)
    }
}

async fn one(api: &Api, command: Operator, queue: QueueSid, uri: &Uri) -> Result<Json<Value>, ApiError> {
    match api.orders.ask(command).await? {
        OperatorReply::QueueMember(member) => Ok(Json(show(&member, queue, api.account_sid))),
        other => Err(refused(&other, uri)),
    }
}

fn show(member: &LiveQueueMember, queue: QueueSid, account: AccountSid) -> Value {
    json!({
        "call_sid": member.call,
        "queue_sid": queue,
        "date_enqueued": member.enqueued.rfc2822(),
        "position": member.position,
        "wait_time": member.wait_s,
        "uri": format!("/2010-04-01/Accounts/{account}/Queues/{queue}/Members/{}.json", member.call),
    })
}

#[cfg(test)]
mod tests {
    use base::Timestamp;
    use twiml::HttpMethod;

    use super::*;
    use crate::v2010::tests::{api, ask, keys, node};

    fn waiting(n: u128) -> LiveQueueMember {
        LiveQueueMember { call: CallSid(n), position: n as u32, enqueued: Timestamp(n as i64), wait_s: 143 }
    }

    #[tokio::test]
    async fn the_one_in_front_is_shown_and_sent_elsewhere() {
        let folder = tempfile::tempdir().unwrap();
        let (api, taken) = api(folder.path()).await;
        let node = node(taken, OperatorReply::QueueMember(waiting(1)));
        let published = include_str!("../../../tests/data/rest/queue_member.json");
        let published: Value = serde_json::from_str(published).unwrap();
        let queue = QueueSid(5);
        for (method, name, form) in [
            ("GET", "Front.json".to_owned(), ""),
            ("POST", format!("{}.json", CallSid(1)), "Url=http://web.example/next&Method=GET"),
        ] {
            let (status, body) = ask(&api, method, &format!("Queues/{queue}/Members/{name}"), form).await;
            assert_eq!((status, keys(&body)), (200, keys(&published)), "{name}");
            assert_eq!((&body["position"], &body["wait_time"]), (&json!(1), &json!(143)));
        }
        drop(api);
        let (call, url) = (Some(CallSid(1)), "http://web.example/next".to_owned());
        let asked = node.await.unwrap();
        assert_eq!(asked[0], Operator::QueueMember { queue, call: None });
        assert_eq!(asked[1], Operator::Dequeue { queue, call, url, method: HttpMethod::Get });
    }

    #[tokio::test]
    async fn what_is_not_done_has_its_number() {
        let folder = tempfile::tempdir().unwrap();
        let (api, taken) = api(folder.path()).await;
        let _node = node(taken, OperatorReply::NotInQueue);
        let front = format!("Queues/{}/Members/Front.json", QueueSid(5));
        assert_eq!(ask(&api, "GET", &front, "").await.1["code"], 20404);
        assert_eq!(ask(&api, "POST", &front, "").await.1["code"], 21205);
        assert_eq!(ask(&api, "POST", &front, "Url=http://w/&Method=PUT").await.1["code"], 21209);
        let nobody = format!("Queues/{}/Members/Last.json", QueueSid(5));
        assert_eq!(ask(&api, "GET", &nobody, "").await.1["code"], 20404);
    }
}
