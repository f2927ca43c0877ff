//! What the debugger webhook is told (reference: webhooks §8).

use base::{AccountSid, CallSid, NotificationSid, Timestamp};
use serde_json::{Map, Value, json};

use crate::{Exchange, Level};

/// One warning or error, as its receiver learns of it.
#[derive(Clone, Debug)]
pub struct DebuggerFacts<'f> {
    /// The notification's sid.
    pub sid: NotificationSid,
    /// Whose it is.
    pub account: AccountSid,
    /// The call in which it happened, if in one.
    pub call: Option<CallSid>,
    /// When.
    pub at: Timestamp,
    /// The published number.
    pub code: u32,
    /// How bad.
    pub level: Level,
    /// What is wrong, in a sentence.
    pub message: &'f str,
    /// Line and column in the document.
    pub place: Option<(u32, u32)>,
    /// The request it came of.
    pub exchange: Option<&'f Exchange>,
}

/// The parameters of the request; the payload is a JSON text in one of them.
pub fn debugger_params(facts: &DebuggerFacts<'_>) -> Vec<(String, String)> {
    let level = match facts.level {
        Level::Warning => "Warning",
        Level::Error => "Error",
    };
    let mut more = json!({ "Msg": facts.message });
    if let Some((line, column)) = facts.place {
        more["line"] = json!(line.to_string());
        more["column"] = json!(column.to_string());
    }
    let webhook = facts.exchange.map_or(Value::Null, |exchange| {
        json!({
            "type": "application/json",
            "request": {
                "url": exchange.url,
                "method": exchange.method.as_str(),
                "headers": {},
                "parameters": object(&exchange.request_variables),
            },
            "response": {
                "status_code": exchange.status,
                "headers": object(&exchange.response_headers),
                "body": exchange.response_body,
            },
        })
    });
    let payload = json!({
        "resource_sid": facts.call.map(|call| call.to_string()),
        "service_sid": null,
        "error_code": facts.code.to_string(),
        "more_info": more,
        "webhook": webhook,
    });
    [
        ("AccountSid", facts.account.to_string()),
        ("Level", level.to_owned()),
        ("Payload", payload.to_string()),
        ("PayloadType", "application/json".to_owned()),
        ("Sid", facts.sid.to_string()),
        ("Timestamp", facts.at.iso8601()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}

/// Form-encoded pairs as an object; of a repeated name the last value.
fn object(form: &str) -> Value {
    let pairs = url::form_urlencoded::parse(form.as_bytes());
    Value::Object(pairs.map(|(name, value)| (name.into_owned(), json!(value))).collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HttpMethod;

    #[test]
    fn the_payload_has_what_was_asked_and_answered() {
        let mut exchange =
            Exchange::asked("http://h/v", HttpMethod::Post, &[("From".to_owned(), "+1".to_owned())]);
        exchange.status = Some(500);
        exchange.response_body = "oops \"quoted\"".to_owned();
        let facts = DebuggerFacts {
            sid: NotificationSid(1),
            account: AccountSid(2),
            call: Some(CallSid(3)),
            at: Timestamp::default(),
            code: 11200,
            level: Level::Error,
            message: "it broke",
            place: Some((2, 5)),
            exchange: Some(&exchange),
        };
        let params = debugger_params(&facts);
        let of =
            |name: &str| params.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str()).unwrap();
        assert_eq!((of("Level"), of("PayloadType"), &of("Sid")[..2]), ("Error", "application/json", "NO"));
        assert!(params.is_sorted());
        let payload: Value = serde_json::from_str(of("Payload")).unwrap();
        assert_eq!(payload["error_code"], "11200");
        assert_eq!(payload["resource_sid"], CallSid(3).to_string());
        assert_eq!(payload["more_info"], json!({ "Msg": "it broke", "line": "2", "column": "5" }));
        assert_eq!(payload["webhook"]["request"]["parameters"], json!({ "From": "+1" }));
        assert_eq!(payload["webhook"]["response"]["status_code"], 500);
        assert_eq!(payload["webhook"]["response"]["body"], "oops \"quoted\"");
        let params =
            debugger_params(&DebuggerFacts { exchange: None, place: None, level: Level::Warning, ..facts });
        assert!(params.contains(&("Level".to_owned(), "Warning".to_owned())));
    }
}
