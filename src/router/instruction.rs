//! What an application wants done with a reservation: the answer to an assignment callback, or a REST request
//! (reference: taskrouter §7).

use base::ActivitySid;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Instruction {
    /// The worker does it.
    Accept,
    /// The worker does not, and goes to that activity if one is given.
    Reject {
        /// Where the worker goes.
        activity: Option<ActivitySid>,
    },
    /// Ring the worker and connect it with the queued call.
    Dequeue(Dequeue),
    /// Ring the worker with a document of its own.
    Call(CallOut),
    /// Send a call to another document.
    Redirect {
        /// Which call, as text.
        call: String,
        /// The document.
        url: String,
        /// Whether the reservation is accepted by that.
        accept: bool,
    },
    /// Ring the worker and meet the customer in a conference.
    Conference(Box<ConferenceOut>),
}

/// `dequeue`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dequeue {
    /// Whom to ring; `None`: the worker's `contact_uri`.
    pub to: Option<String>,
    /// Who is shown; `None`: the number the caller dialled.
    pub from: Option<String>,
    /// What the worker does after the call.
    pub post_work_activity: Option<ActivitySid>,
    /// `record-from-answer`.
    pub record: bool,
    /// How long it may ring, seconds.
    pub timeout_s: u32,
    /// Told, by GET, of the worker's call.
    pub status_callback: Option<String>,
    /// Of which of its events.
    pub status_callback_events: Vec<String>,
}

/// `call`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallOut {
    /// Whom to ring; `None`: the worker's `contact_uri`.
    pub to: Option<String>,
    /// Who is shown.
    pub from: String,
    /// The document.
    pub url: String,
    /// Whether the answer accepts the reservation.
    pub accept: bool,
    /// `record-from-answer`.
    pub record: bool,
    /// How long it may ring, seconds.
    pub timeout_s: u32,
    /// Told of the end of the worker's call.
    pub status_callback: Option<String>,
}

/// `conference`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConferenceOut {
    /// Whom to ring; `None`: the worker's `contact_uri`.
    pub to: Option<String>,
    /// Who is shown; `None`: the number the caller dialled.
    pub from: Option<String>,
    /// How long it may ring, seconds.
    pub timeout_s: u32,
    /// What the worker does after the call.
    pub post_work_activity: Option<ActivitySid>,
    /// The worker's call is recorded.
    pub record: bool,
    /// Attributes of the worker's `<Conference>`.
    pub room: Vec<(String, String)>,
    /// Of the customer's.
    pub customer_room: Vec<(String, String)>,
}

/// Why an instruction is none, by its published number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code} {message}")]
pub struct InstructionError {
    /// (reference: error-codes 400xx, 401xx)
    pub code: u32,
    /// For people.
    pub message: String,
}

/// Seconds a worker's phone rings unless told otherwise, and the longest (reference: taskrouter §7).
const TIMEOUT_S: u32 = 60;
const TIMEOUT_S_MAX: u32 = 999;

/// The instruction's key, and the attribute of `<Conference>` it becomes.
const ROOM: &[(&str, &str)] = &[
    ("start_conference_on_enter", "startConferenceOnEnter"),
    ("end_conference_on_exit", "endConferenceOnExit"),
    ("muted", "muted"),
    ("beep", "beep"),
    ("wait_url", "waitUrl"),
    ("wait_method", "waitMethod"),
    ("max_participants", "maxParticipants"),
    ("conference_record", "record"),
    ("conference_trim", "trim"),
    ("conference_status_callback", "statusCallback"),
    ("conference_status_callback_method", "statusCallbackMethod"),
    ("conference_status_callback_event", "statusCallbackEvent"),
];

impl Instruction {
    /// Reads the JSON of an assignment callback's answer; `None`: nothing is to be done now.
    pub fn parse(body: &[u8]) -> Result<Option<Instruction>, InstructionError> {
        let text = String::from_utf8_lossy(body);
        if text.trim().is_empty() {
            return Ok(None);
        }
        let value: Value = serde_json::from_str(&text)
            .map_err(|error| wrong(40001, format!("the answer is no JSON: {error}")))?;
        let Some(object) = value.as_object() else {
            return Err(wrong(40001, "the answer is no JSON object"));
        };
        if object.is_empty() {
            return Ok(None);
        }
        let field = |name: &str| match object.get(name)? {
            Value::String(text) => Some(text.clone()),
            Value::Null => None,
            Value::Array(items) => Some(items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ")),
            other => Some(other.to_string()),
        };
        let word = field("instruction").ok_or_else(|| wrong(40005, "the answer has no instruction"))?;
        Instruction::read(&word, field).map(Some)
    }

    /// Reads an instruction whose values are had by their keys in the JSON form.
    pub fn read(word: &str, field: impl Fn(&str) -> Option<String>) -> Result<Instruction, InstructionError> {
        let text =
            |name: &str| field(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        let need = |name: &str, code| text(name).ok_or_else(|| wrong(code, format!("{name} is missing")));
        let is_true = |name: &str| text(name).is_some_and(|text| text.eq_ignore_ascii_case("true"));
        let recorded = || text("record").is_some_and(|text| text == "record-from-answer" || text == "true");
        let activity = |name: &str, code| {
            text(name)
                .map(|sid| sid.parse().map_err(|_| wrong(code, format!("{name} is no activity's sid"))))
                .transpose()
        };
        let timeout = |code| match text("timeout").map(|text| text.parse::<u32>()) {
            None => Ok(TIMEOUT_S),
            Some(Ok(seconds @ 1..=TIMEOUT_S_MAX)) => Ok(seconds),
            Some(_) => Err(wrong(code, format!("timeout must be from 1 to {TIMEOUT_S_MAX}"))),
        };
        let url = |name: &str, code| match text(name) {
            Some(url) if url.starts_with("http://") || url.starts_with("https://") => Ok(Some(url)),
            None => Ok(None),
            Some(url) => Err(wrong(code, format!("{name} is no URL: {url}"))),
        };
        match word.trim().to_ascii_lowercase().as_str() {
            "accept" => Ok(Instruction::Accept),
            "reject" => Ok(Instruction::Reject { activity: activity("activity_sid", 40100)? }),
            "dequeue" => {
                let events = text("status_callback_events").or_else(|| text("status_callback_event"));
                let events: Vec<String> = events
                    .unwrap_or_default()
                    .split([',', ' '])
                    .filter(|event| !event.is_empty())
                    .map(str::to_owned)
                    .collect();
                if let Some(event) = events.iter().find(|event| !EVENTS.contains(&event.as_str())) {
                    return Err(wrong(40134, format!("status_callback_events knows no `{event}`")));
                }
                Ok(Instruction::Dequeue(Dequeue {
                    to: text("to"),
                    from: text("from"),
                    post_work_activity: activity("post_work_activity_sid", 40132)?,
                    record: recorded(),
                    timeout_s: timeout(40133)?,
                    status_callback: url("status_callback_url", 40157)?,
                    status_callback_events: events,
                }))
            }
            "call" => Ok(Instruction::Call(CallOut {
                to: text("to"),
                from: need("from", 40110)?,
                url: url("url", 40111)?.ok_or_else(|| wrong(40111, "url is missing"))?,
                accept: is_true("accept"),
                record: recorded(),
                timeout_s: timeout(40113)?,
                status_callback: url("status_callback_url", 40158)?,
            })),
            "redirect" => Ok(Instruction::Redirect {
                call: need("call_sid", 40120)?,
                url: url("url", 40121)?.ok_or_else(|| wrong(40121, "url is missing"))?,
                accept: is_true("accept"),
            }),
            "conference" => {
                let room = ROOM.iter().filter_map(|(key, name)| Some(((*name).to_owned(), text(key)?)));
                let customer = [
                    ("end_conference_on_customer_exit", "endConferenceOnExit"),
                    ("beep_on_customer_entrance", "beep"),
                ];
                let customer =
                    customer.iter().filter_map(|(key, name)| Some(((*name).to_owned(), text(key)?)));
                Ok(Instruction::Conference(Box::new(ConferenceOut {
                    to: text("to"),
                    from: text("from"),
                    timeout_s: timeout(40136)?,
                    post_work_activity: activity("post_work_activity_sid", 40139)?,
                    record: recorded(),
                    room: room.collect(),
                    customer_room: customer.collect(),
                })))
            }
            other => Err(wrong(
                40151,
                format!("there is no instruction `{}`", other.chars().take(64).collect::<String>()),
            )),
        }
    }
}

const EVENTS: &[&str] = &["initiated", "ringing", "answered", "completed"];

fn wrong(code: u32, message: impl Into<String>) -> InstructionError {
    InstructionError { code, message: message.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_is_done() {
        let parse = |text: &str| Instruction::parse(text.as_bytes()).unwrap();
        assert_eq!((parse(""), parse(" {} ")), (None, None));
        assert_eq!(parse(r#"{"instruction":"accept"}"#), Some(Instruction::Accept));
        assert_eq!(
            parse(
                r#"{"instruction":"dequeue","post_work_activity_sid":"WA00000000000000000000000000000003"}"#
            ),
            Some(Instruction::Dequeue(Dequeue {
                post_work_activity: Some(ActivitySid(3)),
                timeout_s: 60,
                ..Dequeue::default()
            }))
        );
        let call = r#"{"instruction":"call","from":"+1555","url":"http://a/b","accept":true,"timeout":5}"#;
        let Some(Instruction::Call(call)) = parse(call) else { panic!("a call") };
        assert_eq!((call.accept, call.timeout_s, call.url.as_str()), (true, 5, "http://a/b"));
        let room = r#"{"instruction":"conference","beep":false,"end_conference_on_customer_exit":true}"#;
        let Some(Instruction::Conference(room)) = parse(room) else { panic!("a conference") };
        assert_eq!(room.room, [("beep".to_owned(), "false".to_owned())]);
        assert_eq!(room.customer_room, [("endConferenceOnExit".to_owned(), "true".to_owned())]);
    }

    #[test]
    fn what_is_wrong_has_its_number() {
        for (text, code) in [
            ("nonsense", 40001),
            ("[1]", 40001),
            (r#"{"to":"sip:a@b"}"#, 40005),
            (r#"{"instruction":"dance"}"#, 40151),
            (r#"{"instruction":"reject","activity_sid":"Offline"}"#, 40100),
            (r#"{"instruction":"call","url":"http://a/"}"#, 40110),
            (r#"{"instruction":"call","from":"1"}"#, 40111),
            (r#"{"instruction":"call","from":"1","url":"/b"}"#, 40111),
            (r#"{"instruction":"call","from":"1","url":"http://a/","timeout":"x"}"#, 40113),
            (r#"{"instruction":"redirect","url":"http://a/"}"#, 40120),
            (r#"{"instruction":"redirect","call_sid":"CA1"}"#, 40121),
            (r#"{"instruction":"dequeue","post_work_activity_sid":"x"}"#, 40132),
            (r#"{"instruction":"dequeue","timeout":1000}"#, 40133),
            (r#"{"instruction":"dequeue","status_callback_events":"lunch"}"#, 40134),
            (r#"{"instruction":"dequeue","status_callback_url":"x"}"#, 40157),
            (r#"{"instruction":"conference","timeout":0}"#, 40136),
        ] {
            assert_eq!(Instruction::parse(text.as_bytes()).unwrap_err().code, code, "{text}");
        }
    }
}
