//! The instruction `conference`: the worker's call, and how both take part (reference: taskrouter §7).

use base::ActivitySid;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::instruction::{EVENTS, InstructionError, shortened, wrong};

/// `conference`.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConferenceOut {
    /// Whom to ring; `None`: the worker's `contact_uri`.
    pub to: Option<String>,
    /// Who is shown; `None`: the number the caller dialled.
    pub from: Option<String>,
    /// How long it may ring, seconds.
    pub timeout_s: u32,
    /// What the worker does after the call.
    pub post_work_activity: Option<ActivitySid>,
    /// Told of the worker's call.
    pub status_callback: Option<Told>,
    /// Of which of its events; `completed` when none is named.
    pub status_callback_events: Vec<String>,
    /// The worker's call is recorded.
    pub record: bool,
    /// In two channels.
    pub dual: bool,
    /// Told of that recording.
    pub recording_callback: Option<Told>,
    /// The worker hears how the customer's phone rings.
    pub early_media: bool,
    /// User and password for the worker's SIP address.
    pub credentials: Option<(String, String)>,
    /// Attributes of the worker's `<Conference>`.
    pub room: Vec<(String, String)>,
    /// Of the customer's.
    pub customer_room: Vec<(String, String)>,
}

/// Whom to tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Where.
    pub url: String,
    /// By GET.
    pub by_get: bool,
}

impl std::fmt::Debug for ConferenceOut {
    /// A password is shown to nobody.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConferenceOut")
            .field("to", &self.to)
            .field("from", &self.from)
            .field("timeout_s", &self.timeout_s)
            .field("post_work_activity", &self.post_work_activity)
            .field("status_callback", &self.status_callback)
            .field("record", &self.record)
            .field("early_media", &self.early_media)
            .field("room", &self.room)
            .field("customer_room", &self.customer_room)
            .finish_non_exhaustive()
    }
}

/// What a key of the instruction may be.
enum Kind {
    Truth,
    Word(&'static [&'static str]),
    Url,
    /// A URL, or nothing at all: silence.
    Sound,
    Whole(u32, u32),
    Words(&'static [&'static str]),
}

/// The instruction's key, the attribute of `<Conference>` it becomes, and what it may be.
const ROOM: &[(&str, &str, Kind)] = &[
    ("start_conference_on_enter", "startConferenceOnEnter", Kind::Truth),
    ("end_conference_on_exit", "endConferenceOnExit", Kind::Truth),
    ("muted", "muted", Kind::Truth),
    ("beep", "beep", Kind::Word(&["true", "false", "onEnter", "onExit"])),
    ("wait_url", "waitUrl", Kind::Sound),
    ("wait_method", "waitMethod", Kind::Word(METHODS)),
    ("max_participants", "maxParticipants", Kind::Whole(2, 250)),
    ("conference_record", "record", Kind::Word(&["true", "false", "record-from-start", "do-not-record"])),
    ("conference_trim", "trim", Kind::Word(&["trim-silence", "do-not-trim"])),
    ("conference_status_callback", "statusCallback", Kind::Url),
    ("conference_status_callback_method", "statusCallbackMethod", Kind::Word(METHODS)),
    ("conference_status_callback_event", "statusCallbackEvent", Kind::Words(CONFERENCE_EVENTS)),
    ("conference_recording_status_callback", "recordingStatusCallback", Kind::Url),
    ("conference_recording_status_callback_method", "recordingStatusCallbackMethod", Kind::Word(METHODS)),
    ("jitter_buffer_size", "jitterBufferSize", Kind::Word(&["off", "small", "medium", "large"])),
    ("region", "region", Kind::Word(&[])),
];

const CUSTOMER_ROOM: &[(&str, &str, Kind)] = &[
    ("end_conference_on_customer_exit", "endConferenceOnExit", Kind::Truth),
    ("beep_on_customer_entrance", "beep", Kind::Truth),
];

const METHODS: &[&str] = &["GET", "POST"];
const CONFERENCE_EVENTS: &[&str] =
    &["start", "end", "join", "leave", "mute", "hold", "modify", "speaker", "announcement"];

/// A key that is not as it must be; the catalogue has no more detail (reference: error-codes).
const MALFORMED: u32 = 40141;

impl ConferenceOut {
    /// Reads what is had by its keys in the JSON form.
    pub(crate) fn read(
        field: &impl Fn(&str) -> Option<String>,
        timeout_s: u32,
        post_work_activity: Option<ActivitySid>,
    ) -> Result<Self, InstructionError> {
        let text =
            |name: &str| field(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        let is_true = |name: &str| Ok(read_as(name, text(name), &Kind::Truth)?.as_deref() == Some("true"));
        let told = |name: &str, code| {
            let url = read_as(name, text(name), &Kind::Url);
            let url = url.map_err(|error| InstructionError { code, ..error })?;
            let method = format!("{name}_method");
            let by_get = read_as(&method, text(&method), &Kind::Word(METHODS))?.as_deref() == Some("GET");
            Ok(url.map(|url| Told { url, by_get }))
        };
        let attributes = |table: &[(&str, &str, Kind)]| {
            let mut read = Vec::new();
            for (key, attribute, kind) in table {
                if let Some(value) = read_as(key, field(key), kind)? {
                    read.push(((*attribute).to_owned(), value));
                }
            }
            Ok(read)
        };
        let events = read_as("status_callback_event", text("status_callback_event"), &Kind::Words(EVENTS))?;
        let mut customer_room: Vec<(String, String)> = attributes(CUSTOMER_ROOM)?;
        // Who comes is heard coming, not going.
        for (_, value) in customer_room.iter_mut().filter(|(name, value)| name == "beep" && value == "true") {
            "onEnter".clone_into(value);
        }
        let channels = Kind::Word(&["mono", "dual"]);
        let channels = read_as("recording_channels", text("recording_channels"), &channels)?;
        Ok(Self {
            to: text("to"),
            from: text("from"),
            timeout_s,
            post_work_activity,
            status_callback: told("status_callback", 40159)?,
            status_callback_events: words(&events.unwrap_or_default()).map(str::to_owned).collect(),
            record: is_true("record")?,
            dual: channels.as_deref() == Some("dual"),
            recording_callback: told("recording_status_callback", MALFORMED)?,
            early_media: text("early_media").is_none() || is_true("early_media")?,
            credentials: text("sip_auth_username")
                .map(|user| (user, field("sip_auth_password").unwrap_or_default())),
            room: attributes(ROOM)?,
            customer_room,
        })
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', ' ']).filter(|word| !word.is_empty())
}

/// What a key says, in the spelling of the attribute.
fn read_as(key: &str, value: Option<String>, kind: &Kind) -> Result<Option<String>, InstructionError> {
    let Some(value) = value.map(|value| value.trim().to_owned()) else { return Ok(None) };
    let fault = |wanted: String| {
        Err(wrong(MALFORMED, format!("{key} must be {wanted}, not `{}`", shortened(&value))))
    };
    let is_url = |value: &str| value.starts_with("http://") || value.starts_with("https://");
    match kind {
        Kind::Sound if value.is_empty() => Ok(Some(value)),
        _ if value.is_empty() => Ok(None),
        Kind::Truth => match value.to_ascii_lowercase().as_str() {
            "true" | "false" => Ok(Some(value.to_ascii_lowercase())),
            _ => fault("true or false".to_owned()),
        },
        Kind::Word(allowed) => {
            let known = allowed.iter().find(|word| word.eq_ignore_ascii_case(&value));
            match known {
                Some(word) => Ok(Some((*word).to_owned())),
                None if allowed.is_empty() => Ok(Some(value)),
                None => fault(format!("one of {}", allowed.join(", "))),
            }
        }
        Kind::Url | Kind::Sound if is_url(&value) => Ok(Some(value)),
        Kind::Url | Kind::Sound => fault("a URL".to_owned()),
        Kind::Whole(least, most) => match value.parse::<u32>() {
            Ok(number) if (*least..=*most).contains(&number) => Ok(Some(value)),
            Ok(_) | Err(_) => fault(format!("from {least} to {most}")),
        },
        Kind::Words(allowed) => match words(&value).find(|word| !allowed.contains(word)) {
            None => Ok(Some(words(&value).collect::<Vec<_>>().join(" "))),
            Some(_) => fault(format!("some of {}", allowed.join(", "))),
        },
    }
}

/// Keys by name, from JSON; for the assignment callback's answer.
pub(crate) fn json_field(object: &serde_json::Map<String, Value>, name: &str) -> Option<String> {
    match object.get(name)? {
        Value::String(text) => Some(text.clone()),
        Value::Null => None,
        Value::Array(items) => Some(items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ")),
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use crate::Instruction;

    use super::*;

    fn parse(keys: &str) -> Result<ConferenceOut, u32> {
        let json = format!("{{\"instruction\":\"conference\"{keys}}}");
        match Instruction::parse(json.as_bytes()) {
            Ok(Some(Instruction::Conference(out))) => Ok(*out),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error.code),
        }
    }

    #[test]
    fn every_key_becomes_an_attribute_of_its_own() {
        for (keys, room) in [
            (r#""start_conference_on_enter":false"#, ("startConferenceOnEnter", "false")),
            (r#""end_conference_on_exit":"True""#, ("endConferenceOnExit", "true")),
            (r#""muted":true"#, ("muted", "true")),
            (r#""beep":"onenter""#, ("beep", "onEnter")),
            (r#""beep":false"#, ("beep", "false")),
            (r#""wait_url":"""#, ("waitUrl", "")),
            (r#""wait_url":"http://a/w""#, ("waitUrl", "http://a/w")),
            (r#""wait_method":"get""#, ("waitMethod", "GET")),
            (r#""max_participants":3"#, ("maxParticipants", "3")),
            (r#""conference_record":true"#, ("record", "true")),
            (r#""conference_record":"record-from-start""#, ("record", "record-from-start")),
            (r#""conference_trim":"do-not-trim""#, ("trim", "do-not-trim")),
            (r#""conference_status_callback":"http://a/c""#, ("statusCallback", "http://a/c")),
            (r#""conference_status_callback_method":"GET""#, ("statusCallbackMethod", "GET")),
            (
                r#""conference_status_callback_event":["start","join, leave"]"#,
                ("statusCallbackEvent", "start join leave"),
            ),
            (
                r#""conference_recording_status_callback":"http://a/r""#,
                ("recordingStatusCallback", "http://a/r"),
            ),
            (
                r#""conference_recording_status_callback_method":"POST""#,
                ("recordingStatusCallbackMethod", "POST"),
            ),
            (r#""jitter_buffer_size":"small""#, ("jitterBufferSize", "small")),
            (r#""region":"us1""#, ("region", "us1")),
        ] {
            let out = parse(&format!(",{keys}")).unwrap();
            assert_eq!(out.room, [(room.0.to_owned(), room.1.to_owned())], "{keys}");
            assert_eq!(out.customer_room, [], "{keys}");
        }
        let out =
            parse(r#","end_conference_on_customer_exit":true,"beep_on_customer_entrance":true"#).unwrap();
        let customer =
            [("endConferenceOnExit", "true"), ("beep", "onEnter")].map(|(a, b)| (a.to_owned(), b.to_owned()));
        assert_eq!((out.room, out.customer_room), (vec![], customer.to_vec()));
    }

    #[test]
    fn the_workers_call_has_its_own_keys() {
        let plain = parse("").unwrap();
        assert_eq!((plain.timeout_s, plain.early_media, plain.record), (60, true, false));
        let out = parse(
            r#","to":"sip:a@b","from":"+1","timeout":5,"record":true,"recording_channels":"dual","early_media":false,
            "recording_status_callback":"http://a/r","recording_status_callback_method":"GET",
            "status_callback":"http://a/s","status_callback_event":["initiated","answered"],
            "sip_auth_username":"u","sip_auth_password":"p"#,
        );
        assert_eq!(out, Err(40001), "an unfinished text is none");
        let out = parse(
            r#","to":"sip:a@b","from":"+1","timeout":5,"record":true,"recording_channels":"dual","early_media":false,
            "recording_status_callback":"http://a/r","recording_status_callback_method":"GET",
            "status_callback":"http://a/s","status_callback_event":["initiated","answered"],
            "sip_auth_username":"u","sip_auth_password":"secret""#,
        )
        .unwrap();
        assert!(!format!("{out:?}").contains("secret"));
        let expected = ConferenceOut {
            to: Some("sip:a@b".to_owned()),
            from: Some("+1".to_owned()),
            timeout_s: 5,
            record: true,
            dual: true,
            recording_callback: Some(Told { url: "http://a/r".to_owned(), by_get: true }),
            status_callback: Some(Told { url: "http://a/s".to_owned(), by_get: false }),
            status_callback_events: vec!["initiated".to_owned(), "answered".to_owned()],
            credentials: Some(("u".to_owned(), "secret".to_owned())),
            ..ConferenceOut::default()
        };
        assert_eq!(out, expected);
    }

    #[test]
    fn a_key_that_is_not_as_it_must_be_is_refused() {
        for (keys, code) in [
            (r#","muted":"very""#, 40141),
            (r#","beep":"loud""#, 40141),
            (r#","wait_url":"/w""#, 40141),
            (r#","max_participants":1"#, 40141),
            (r#","max_participants":251"#, 40141),
            (r#","conference_status_callback_event":"lunch""#, 40141),
            (r#","status_callback_event":"lunch""#, 40141),
            (r#","status_callback":"x""#, 40159),
            (r#","status_callback_method":"PUT""#, 40141),
            (r#","recording_channels":"three""#, 40141),
            (r#","end_conference_on_customer_exit":"sometimes""#, 40141),
            (r#","timeout":1000"#, 40136),
        ] {
            assert_eq!(parse(keys).err(), Some(code), "{keys}");
        }
    }
}
