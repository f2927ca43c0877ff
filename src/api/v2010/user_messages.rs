//! Messages beside a live call's sound: `…/Calls/CA…/UserDefinedMessages.json` and who hears them,
//! `…/UserDefinedMessageSubscriptions.json` (reference: rest-voice §12).

use axum::extract::{OriginalUri, Path, State};
use axum::http::StatusCode;
use axum::routing::{delete, post};
use axum::{Json, Router};
use base::CallSid;
use call::ServiceOrder;
use serde_json::{Value, json};

use super::{services, sid};
use crate::Api;
use crate::auth::Authorized;
use crate::error::ApiError;
use crate::params::Params;

pub(crate) fn routes() -> Router<Api> {
    Router::new()
        .route("/Calls/{call}/UserDefinedMessages.json", post(send))
        .route("/Calls/{call}/UserDefinedMessages", post(send))
        .route("/Calls/{call}/UserDefinedMessageSubscriptions.json", post(subscribe))
        .route("/Calls/{call}/UserDefinedMessageSubscriptions", post(subscribe))
        .route("/Calls/{call}/UserDefinedMessageSubscriptions/{subscription}", delete(unsubscribe))
}

/// POST: tells a message.
async fn send(
    _: Authorized,
    State(api): State<Api>,
    OriginalUri(uri): OriginalUri,
    Path((_, call)): Path<(String, String)>,
    form: Params,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let call: CallSid = sid(&call, uri.path())?;
    form.note_unknown(&["Content", "IdempotencyKey"]);
    let content = form.text("Content").ok_or_else(|| ApiError::new(20001, "Content is missing"))?;
    if content.len() > CONTENT_BYTES_MAX {
        return Err(ApiError::new(20001, format!("Content is longer than {CONTENT_BYTES_MAX} bytes")));
    }
    if serde_json::from_str::<Value>(content).is_err() {
        return Err(ApiError::new(20001, "Content is not JSON"));
    }
    let order = ServiceOrder::Message { content: content.to_owned(), key: key(&form)? };
    let message = services::order(&api, call, order, &uri).await?;
    let shown = json!({
        "account_sid": api.account_sid,
        "call_sid": call,
        "sid": message.sid,
        "date_created": message.at.rfc2822(),
    });
    Ok((StatusCode::CREATED, Json(shown)))
}

/// POST: messages are told there from now on.
async fn subscribe(
    _: Authorized,
    State(api): State<Api>,
    OriginalUri(uri): OriginalUri,
    Path((_, call)): Path<(String, String)>,
    form: Params,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let call: CallSid = sid(&call, uri.path())?;
    form.note_unknown(&["Callback", "IdempotencyKey", "Method"]);
    let callback = services::callback(&form, "Callback", "Method")?;
    let callback = callback.ok_or_else(|| ApiError::new(20001, "Callback is missing"))?;
    let order = ServiceOrder::Subscribe { callback, key: key(&form)? };
    let made = services::order(&api, call, order, &uri).await?;
    let list =
        format!("/2010-04-01/Accounts/{}/Calls/{call}/UserDefinedMessageSubscriptions", api.account_sid);
    let shown = json!({
        "account_sid": api.account_sid,
        "call_sid": call,
        "sid": made.sid,
        "date_created": made.at.rfc2822(),
        "uri": format!("{list}/{}.json", made.sid),
    });
    Ok((StatusCode::CREATED, Json(shown)))
}

/// DELETE: they are told there no more.
async fn unsubscribe(
    _: Authorized,
    State(api): State<Api>,
    OriginalUri(uri): OriginalUri,
    Path((_, call, name)): Path<(String, String, String)>,
) -> Result<StatusCode, ApiError> {
    let call: CallSid = sid(&call, uri.path())?;
    let order = ServiceOrder::Unsubscribe(sid(&name, uri.path())?);
    services::order(&api, call, order, &uri).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn key(form: &Params) -> Result<Option<String>, ApiError> {
    let key = form.text("IdempotencyKey");
    if key.is_some_and(|key| key.len() > KEY_BYTES_MAX) {
        return Err(ApiError::new(20001, format!("IdempotencyKey is longer than {KEY_BYTES_MAX} bytes")));
    }
    Ok(key.map(str::to_owned))
}

/// A message's length.
const CONTENT_BYTES_MAX: usize = 10_000;
const KEY_BYTES_MAX: usize = 128;

#[cfg(test)]
mod tests {
    use base::{MessageSubscriptionSid, Timestamp, UserMessageSid};
    use call::{LiveService, Operator, OperatorReply};

    use super::*;
    use crate::v2010::tests::{api, ask, keys, node, send};

    #[tokio::test]
    async fn messages_and_subscriptions_are_shown_as_published() {
        let folder = tempfile::tempdir().unwrap();
        let (api, taken) = api(folder.path()).await;
        let sid = UserMessageSid(2).to_string();
        let node = node(taken, OperatorReply::Service(LiveService { sid, name: None, at: Timestamp(0) }));
        let call = format!("Calls/{}", CallSid(1));
        for (list, form, file) in [
            (
                "UserDefinedMessages",
                "Content=%7B%22n%22%3A1%7D&IdempotencyKey=k",
                include_str!("../../../tests/data/rest/user_defined_message.json"),
            ),
            (
                "UserDefinedMessageSubscriptions",
                "Callback=http://web.example/m&Method=GET",
                include_str!("../../../tests/data/rest/user_defined_message_subscription.json"),
            ),
        ] {
            let (status, body) = ask(&api, "POST", &format!("{call}/{list}.json"), form).await;
            let published: Value = serde_json::from_str(file).unwrap();
            assert_eq!((status, keys(&body)), (201, keys(&published)), "{body}");
        }
        let one = format!("{call}/UserDefinedMessageSubscriptions/{}.json", MessageSubscriptionSid(4));
        assert_eq!(send(&api, "DELETE", &one, "", "secret").await.status(), 204);
        for (list, form) in [
            ("UserDefinedMessages", ""),
            ("UserDefinedMessages", "Content=%7B"),
            ("UserDefinedMessageSubscriptions", ""),
        ] {
            let (status, body) = ask(&api, "POST", &format!("{call}/{list}.json"), form).await;
            assert_eq!((status, &body["code"]), (400, &json!(20001)), "{list} {form}");
        }
        drop(api);
        let asked = node.await.unwrap();
        let last = Operator::Service {
            call: CallSid(1),
            order: Box::new(ServiceOrder::Unsubscribe(MessageSubscriptionSid(4))),
        };
        assert_eq!((asked.len(), asked.last()), (3, Some(&last)));
        let order = ServiceOrder::Message { content: "{\"n\":1}".to_owned(), key: Some("k".to_owned()) };
        assert_eq!(asked[0], Operator::Service { call: CallSid(1), order: Box::new(order) });
    }
}
