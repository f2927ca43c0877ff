//! The fields of a resource as a table: what a form may say of each, and what it is when nothing is said.

use std::ops::RangeInclusive;

use serde_json::{Map, Value, json};
use twiml::HttpMethod;

use crate::error::ApiError;
use crate::params::Params;

/// One field of a resource.
pub(crate) struct Field {
    /// Its name in a form.
    pub(crate) param: &'static str,
    /// Its name in JSON.
    pub(crate) key: &'static str,
    /// What it can be.
    pub(crate) is: Is,
    /// What it is before anybody says anything.
    pub(crate) first: First,
}

/// What a field can be; the number is that of the error otherwise.
pub(crate) enum Is {
    /// A text of so many characters at most.
    Text(usize, u32),
    /// An absolute URL of the web.
    Url(u32),
    /// GET or POST.
    Method(u32),
    /// `true` or `false`.
    Flag,
    /// A whole number.
    Number(RangeInclusive<u32>, u32),
    /// A sid with these letters.
    Sid(&'static str, u32),
    /// One of these words.
    Word(&'static [&'static str], u32),
}

/// A value nobody has given.
#[derive(Clone, Copy)]
pub(crate) enum First {
    Null,
    Text(&'static str),
    Flag(bool),
    Number(u32),
}

impl First {
    pub(crate) fn value(self) -> Value {
        match self {
            First::Null => Value::Null,
            First::Text(text) => json!(text),
            First::Flag(flag) => json!(flag),
            First::Number(number) => json!(number),
        }
    }
}

/// Reads what a form says into a body; what it does not name stays, or is what it is at first. An empty value takes
/// a field back to that.
pub(crate) fn read(fields: &[Field], form: &Params, body: &mut Map<String, Value>) -> Result<(), ApiError> {
    for field in fields {
        match form.given(field.param) {
            Some("") => {
                body.insert(field.key.to_owned(), field.first.value());
            }
            // What stands there already needs no second look: a file's document is no URL of the web.
            Some(text) if body.get(field.key).and_then(Value::as_str) == Some(text) => {}
            Some(text) => {
                body.insert(field.key.to_owned(), field.read(text, form)?);
            }
            None => {
                body.entry(field.key).or_insert_with(|| field.first.value());
            }
        }
    }
    Ok(())
}

/// The fields as they are shown.
pub(crate) fn show(fields: &[Field], body: &Map<String, Value>, shown: &mut Map<String, Value>) {
    for field in fields {
        let value = body.get(field.key).cloned().unwrap_or_else(|| field.first.value());
        shown.insert(field.key.to_owned(), value);
    }
}

impl Field {
    fn read(&self, text: &str, form: &Params) -> Result<Value, ApiError> {
        let Field { param, .. } = self;
        match &self.is {
            Is::Text(most, code) => {
                let fits = text.chars().count() <= *most && !text.chars().any(char::is_control);
                let error = || ApiError::new(*code, format!("{param} has up to {most} printable characters"));
                fits.then(|| json!(text)).ok_or_else(error)
            }
            Is::Url(code) => Ok(json!(form.url(param, *code)?)),
            Is::Method(code) => Ok(json!(form.method(param, *code).map(HttpMethod::as_str)?)),
            Is::Flag => Ok(json!(form.flag(param)?)),
            Is::Number(range, code) => Ok(json!(form.number(param, range.clone(), *code)?)),
            Is::Sid(prefix, code) => Ok(json!(form.sid(param, prefix, *code)?)),
            Is::Word(words, code) => Ok(json!(form.one_of(param, words, *code)?)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: &[Field] = &[
        Field { param: "FriendlyName", key: "friendly_name", is: Is::Text(4, 20001), first: First::Null },
        Field { param: "VoiceUrl", key: "voice_url", is: Is::Url(21402), first: First::Null },
        Field {
            param: "VoiceMethod",
            key: "voice_method",
            is: Is::Method(21403),
            first: First::Text("POST"),
        },
        Field { param: "On", key: "on", is: Is::Flag, first: First::Flag(true) },
        Field { param: "N", key: "n", is: Is::Number(1..=9, 21454), first: First::Number(3) },
        Field { param: "App", key: "app", is: Is::Sid("AP", 21420), first: First::Text("") },
        Field { param: "Word", key: "word", is: Is::Word(&["yes", "no"], 20001), first: First::Null },
    ];

    fn read_over(body: Value, form: &str) -> Result<Value, ApiError> {
        let mut body = body.as_object().unwrap().clone();
        read(FIELDS, &Params::read(form.as_bytes()), &mut body)?;
        Ok(Value::Object(body))
    }

    #[test]
    fn what_is_not_said_stays_or_is_what_it_is_at_first() {
        let first = json!({ "friendly_name": null, "voice_url": null, "voice_method": "POST", "on": true, "n": 3,
            "app": "", "word": null });
        assert_eq!(read_over(json!({}), "").unwrap(), first);
        let said =
            read_over(json!({ "voice_url": "file:///a.xml", "n": 5 }), "VoiceUrl=file:///a.xml&On=false&N=")
                .unwrap();
        assert_eq!(
            (&said["voice_url"], &said["on"], &said["n"]),
            (&json!("file:///a.xml"), &json!(false), &json!(3))
        );
        let back = read_over(json!({ "voice_url": "http://x/" }), "VoiceUrl=").unwrap();
        assert_eq!(back["voice_url"], Value::Null);
    }

    #[test]
    fn what_does_not_fit_has_its_number() {
        for (form, code) in [
            ("FriendlyName=long+one", 20001),
            ("VoiceUrl=file:///etc/passwd", 21402),
            ("VoiceMethod=PUT", 21403),
            ("On=perhaps", 20001),
            ("N=10", 21454),
            ("App=AP1", 21420),
            ("App=PN00000000000000000000000000000001", 21420),
            ("Word=maybe", 20001),
        ] {
            assert_eq!(read_over(json!({}), form).unwrap_err().code(), code, "{form}");
        }
    }
}
