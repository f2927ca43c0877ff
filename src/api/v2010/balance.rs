//! `…/Balance.json` (reference: rest-voice §13): the box charges nothing. What is left at the carrier is the carrier's to
//! say; where the office names a URL for that, its answer is passed on.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use base::CallSid;
use call::{FetchId, FetchKind, FetchRequest};
use net::webhook::Webhooks;
use serde_json::{Value, json};
use twiml::{Dialect, HttpMethod};

use crate::Api;
use crate::auth::Authorized;
use crate::error::ApiError;

/// What is left of the office's credit.
#[derive(Clone, Debug, Default)]
pub struct Balance(Option<(call::office::Secret, Webhooks)>);

/// No call's: what is asked here belongs to none.
const NO_CALL: CallSid = CallSid(0);

impl Balance {
    /// As the carrier says it there: JSON with `balance`, a text or a number, and `currency`.
    pub fn at_carrier(url: call::office::Secret, webhooks: Webhooks) -> Self {
        Self(Some((url, webhooks)))
    }

    async fn now(&self) -> Result<(String, String), ApiError> {
        let Some((url, webhooks)) = &self.0 else { return Ok(("0.00".to_owned(), "USD".to_owned())) };
        let request = FetchRequest {
            id: FetchId(0),
            call: NO_CALL,
            kind: FetchKind::Document,
            dialect: Dialect::Twiml,
            url: url.reveal().to_owned(),
            method: HttpMethod::Get,
            params: Vec::new(),
        };
        let answer = webhooks.fetch(request).await.1;
        webhooks.call_ended(NO_CALL);
        let said = match &answer {
            Ok(answer) if (200..300).contains(&answer.status) => read(&answer.body),
            Ok(_) | Err(_) => None,
        };
        said.ok_or_else(|| {
            let status = answer.as_ref().map(|answer| answer.status).ok();
            tracing::warn!(status, "the carrier does not say what is left of the credit");
            ApiError::new(20503, "The carrier does not say what is left of the credit")
        })
    }
}

/// How much of what.
fn read(body: &[u8]) -> Option<(String, String)> {
    let json: Value = serde_json::from_slice(body).ok()?;
    let balance = match &json["balance"] {
        Value::String(text) if text.parse::<f64>().is_ok_and(f64::is_finite) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let currency = json["currency"].as_str().filter(|word| word.chars().count() <= CURRENCY_CHARS_MAX)?;
    Some((balance, currency.to_owned()))
}

/// Characters of a currency's name.
const CURRENCY_CHARS_MAX: usize = 16;

pub(crate) fn routes() -> Router<Api> {
    Router::new().route("/Balance.json", get(fetch)).route("/Balance", get(fetch))
}

async fn fetch(_: Authorized, State(api): State<Api>) -> Result<Json<Value>, ApiError> {
    let (balance, currency) = api.balance.now().await?;
    Ok(Json(json!({ "account_sid": api.account_sid, "balance": balance, "currency": currency })))
}

#[cfg(test)]
mod tests {
    use net::webhook::WebhookConfig;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::v2010::tests::{api, ask};

    /// A carrier's web server that answers each request with the next of these; what it was asked.
    async fn carrier(answers: Vec<&'static str>) -> (String, tokio::task::JoinHandle<Vec<String>>) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://desk:secret@{}/balance.json", listener.local_addr().unwrap());
        let asked = tokio::spawn(async move {
            let mut asked = Vec::new();
            for answer in answers {
                let (mut socket, _) = listener.accept().await.unwrap();
                let mut request = vec![0; 4_096];
                let length = socket.read(&mut request).await.unwrap();
                asked.push(String::from_utf8_lossy(&request[..length]).into_owned());
                let length = answer.split_once("\n\n").unwrap().1.len();
                let (head, body) = answer.split_once("\n\n").unwrap();
                let answer =
                    format!("HTTP/1.1 {head}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}");
                socket.write_all(answer.as_bytes()).await.unwrap();
            }
            asked
        });
        (url, asked)
    }

    #[tokio::test]
    async fn nothing_is_owed_where_nobody_else_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let (api, _taken) = api(folder.path()).await;
        let shown = json!({ "account_sid": api.account_sid, "balance": "0.00", "currency": "USD" });
        assert_eq!(ask(&api, "GET", "Balance.json", "").await, (200, shown));
    }

    #[tokio::test]
    async fn what_the_carrier_says_is_passed_on() {
        let folder = tempfile::tempdir().unwrap();
        let (mut api, _taken) = api(folder.path()).await;
        let (url, asked) = carrier(vec![
            "200 OK\n\n{\"balance\": \"79.99\", \"currency\": \"EUR\", \"more\": 1}",
            "200 OK\n\n{\"balance\": -3.5, \"currency\": \"USD\"}",
            "200 OK\n\n{\"balance\": \"much\", \"currency\": \"USD\"}",
            "500 Oops\n\n{\"balance\": \"1\", \"currency\": \"USD\"}",
        ])
        .await;
        let (told, _heard) = tokio::sync::mpsc::channel(1);
        let webhooks = Webhooks::new(WebhookConfig::default(), base::Rng::seeded(1), told).unwrap();
        api.balance = Balance::at_carrier(call::office::Secret(url), webhooks);
        for said in [json!(["79.99", "EUR"]), json!(["-3.5", "USD"])] {
            let (status, shown) = ask(&api, "GET", "Balance.json", "").await;
            assert_eq!((status, json!([shown["balance"], shown["currency"]])), (200, said), "{shown}");
        }
        for _ in 0..2 {
            let (status, refused) = ask(&api, "GET", "Balance.json", "").await;
            assert_eq!((status, &refused["code"]), (503, &json!(20503)), "{refused}");
        }
        let asked = asked.await.unwrap();
        assert!(asked.iter().all(|one| one.starts_with("GET /balance.json")), "{asked:?}");
        let secret = asked[0].to_ascii_lowercase().contains("authorization: basic zgvzazpzzwnyzxq=");
        assert!(secret, "desk:secret: {}", asked[0]);
        // Nobody is there any more.
        assert_eq!(ask(&api, "GET", "Balance.json", "").await.0, 503);
    }
}
