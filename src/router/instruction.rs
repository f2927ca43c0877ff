//! What an application wants done with a reservation: the answer to an assignment callback, or a REST request
//! (reference: taskrouter §7).

use base::ActivitySid;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::conference_out::{ConferenceOut, json_field};

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
    /// Ring a supervisor into the conference of worker and customer.
    Supervise(Supervise),
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
    /// Recorded so, as `<Dial record>` says it.
    pub record: Option<String>,
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
    /// Recorded so, as `<Dial record>` says it.
    pub record: Option<String>,
    /// How long it may ring, seconds.
    pub timeout_s: u32,
    /// Told of the end of the worker's call.
    pub status_callback: Option<String>,
}

/// `supervise`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Supervise {
    /// A worker's sid, or whom to ring.
    pub supervisor: String,
    /// How the supervisor takes part.
    pub mode: SupervisorMode,
}

/// How a supervisor takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SupervisorMode {
    /// Hears both, and is heard by nobody.
    Monitor,
    /// Is heard by the worker alone.
    Whisper,
    /// Is heard by both.
    Barge,
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

/// `record`, and what `<Dial record>` makes of it.
const RECORD: &[(&str, Option<&str>)] = &[
    ("do-not-record", None),
    ("false", None),
    ("true", Some("record-from-answer")),
    ("record-from-answer", Some("record-from-answer")),
    ("record-from-ringing", Some("record-from-ringing")),
    ("record-from-answer-dual", Some("record-from-answer-dual")),
    ("record-from-ringing-dual", Some("record-from-ringing-dual")),
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
        let field = |name: &str| json_field(object, name);
        let word = field("instruction").ok_or_else(|| wrong(40005, "the answer has no instruction"))?;
        Instruction::read(&word, field).map(Some)
    }

    /// Reads an instruction whose values are had by their keys in the JSON form.
    pub fn read(word: &str, field: impl Fn(&str) -> Option<String>) -> Result<Instruction, InstructionError> {
        let text =
            |name: &str| field(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        let need = |name: &str, code| text(name).ok_or_else(|| wrong(code, format!("{name} is missing")));
        let truth = |name: &str, code| match text(name).map(|text| text.to_ascii_lowercase()).as_deref() {
            Some("true") => Ok(true),
            Some("false") | None => Ok(false),
            Some(_) => Err(wrong(code, format!("{name} must be true or false"))),
        };
        let record = |code| match text("record") {
            None => Ok(None),
            Some(word) => match RECORD.iter().find(|(name, _)| *name == word) {
                Some((_, how)) => Ok(how.map(str::to_owned)),
                None => Err(wrong(code, format!("record cannot be `{}`", shortened(&word)))),
            },
        };
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
                    record: record(40133)?,
                    timeout_s: timeout(40133)?,
                    status_callback: url("status_callback_url", 40157)?,
                    status_callback_events: events,
                }))
            }
            "call" => Ok(Instruction::Call(CallOut {
                to: text("to"),
                from: need("from", 40110)?,
                url: url("url", 40111)?.ok_or_else(|| wrong(40111, "url is missing"))?,
                accept: truth("accept", 40114)?,
                record: record(40114)?,
                timeout_s: timeout(40113)?,
                status_callback: url("status_callback_url", 40158)?,
            })),
            "redirect" => Ok(Instruction::Redirect {
                call: need("call_sid", 40120)?,
                url: url("url", 40121)?.ok_or_else(|| wrong(40121, "url is missing"))?,
                accept: truth("accept", 40122)?,
            }),
            "conference" => {
                let out =
                    ConferenceOut::read(&field, timeout(40136)?, activity("post_work_activity_sid", 40139)?)?;
                Ok(Instruction::Conference(Box::new(out)))
            }
            "supervise" => {
                let supervisor = need("supervisor", 40147)?;
                let mode = match text("supervisor_mode").as_deref() {
                    None | Some("monitor") => SupervisorMode::Monitor,
                    Some("whisper") => SupervisorMode::Whisper,
                    Some("barge") => SupervisorMode::Barge,
                    Some(_) => {
                        return Err(wrong(20001, "supervisor_mode must be monitor, whisper or barge"));
                    }
                };
                Ok(Instruction::Supervise(Supervise { supervisor, mode }))
            }
            other => Err(wrong(40151, format!("there is no instruction `{}`", shortened(other)))),
        }
    }
}

/// What can be told of a call.
pub(crate) const EVENTS: &[&str] = &["initiated", "ringing", "answered", "completed"];

/// As much of it as an error shows.
pub(crate) fn shortened(text: &str) -> String {
    text.chars().take(64).collect()
}

pub(crate) fn wrong(code: u32, message: impl Into<String>) -> InstructionError {
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
        let dequeue = r#"{"instruction":"dequeue","record":"record-from-answer","status_callback_events":["answered","completed"]}"#;
        let Some(Instruction::Dequeue(dequeue)) = parse(dequeue) else { panic!("a dequeue") };
        assert_eq!(dequeue.record.as_deref(), Some("record-from-answer"));
        assert_eq!(dequeue.status_callback_events, ["answered", "completed"]);
        let mode = |json: &str| match parse(json) {
            Some(Instruction::Supervise(one)) => (one.supervisor, one.mode),
            other => panic!("{other:?}"),
        };
        assert_eq!(
            mode(r#"{"instruction":"supervise","supervisor":"sip:a@b"}"#),
            ("sip:a@b".to_owned(), SupervisorMode::Monitor)
        );
        assert_eq!(
            mode(r#"{"instruction":"supervise","supervisor":"WK1","supervisor_mode":"whisper"}"#),
            ("WK1".to_owned(), SupervisorMode::Whisper)
        );
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
            (r#"{"instruction":"call","from":"1","url":"http://a/","accept":"maybe"}"#, 40114),
            (r#"{"instruction":"call","from":"1","url":"http://a/","record":"all"}"#, 40114),
            (r#"{"instruction":"call","from":"1","url":"http://a/","status_callback_url":"b"}"#, 40158),
            (r#"{"instruction":"redirect","call_sid":"CA1","url":"http://a/","accept":"1"}"#, 40122),
            (r#"{"instruction":"dequeue","record":"all"}"#, 40133),
            (r#"{"instruction":"conference","status_callback":"x"}"#, 40159),
            (r#"{"instruction":"conference","post_work_activity_sid":"x"}"#, 40139),
            (r#"{"instruction":"supervise"}"#, 40147),
            (r#"{"instruction":"supervise","supervisor":"WK1","supervisor_mode":"sing"}"#, 20001),
        ] {
            assert_eq!(Instruction::parse(text.as_bytes()).unwrap_err().code, code, "{text}");
        }
    }
}
