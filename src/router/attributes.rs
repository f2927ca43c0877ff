//! Attributes: JSON objects that travel as text (reference: taskrouter §1, §2).

use std::borrow::Cow;
use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::expr::{Names, Step};

/// Characters of a worker's or a task's attributes.
pub const ATTRIBUTES_CHARS_MAX: usize = 4_096;

/// The attributes of one task or worker, as JSON. They are replaced whole and never changed, so that all who hold a copy,
/// a snapshot of everything among them, share them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "Value")]
pub struct Attributes(Arc<Value>);

impl Deref for Attributes {
    type Target = Value;

    fn deref(&self) -> &Value {
        &self.0
    }
}

impl From<Value> for Attributes {
    fn from(value: Value) -> Self {
        Self(Arc::new(value))
    }
}

impl Serialize for Attributes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl PartialEq<Value> for Attributes {
    fn eq(&self, other: &Value) -> bool {
        *self.0 == *other
    }
}

impl Names for Attributes {
    fn value(&self, key: &[Step]) -> Option<Cow<'_, Value>> {
        self.0.value(key)
    }
}

/// Reads attributes; empty text has none. In a sentence what is wrong otherwise.
pub fn read_attributes(text: &str) -> Result<Value, String> {
    if text.trim().is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    if text.chars().count() > ATTRIBUTES_CHARS_MAX {
        return Err(format!("attributes have more than {ATTRIBUTES_CHARS_MAX} characters"));
    }
    match serde_json::from_str(text) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(_) => Err("attributes must be a JSON object".to_owned()),
        Err(error) => Err(format!("attributes are no JSON: {error}")),
    }
}

/// Attributes with one more at this path of names, in place of what stood there.
pub fn with_attribute(mut attributes: Value, path: &[&str], text: &str) -> Value {
    let mut place = &mut attributes;
    for name in path {
        if !place.is_object() {
            *place = Value::Object(Map::new());
        }
        let Value::Object(object) = place else { return attributes };
        place = object.entry(*name).or_insert(Value::Null);
    }
    *place = Value::String(text.to_owned());
    attributes
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn attributes_are_objects_of_bounded_length() {
        assert_eq!(read_attributes("{\"a\":1}"), Ok(json!({"a": 1})));
        assert_eq!(read_attributes(" "), Ok(json!({})));
        for text in ["[1]", "7", "{", "language=de", &format!("{{\"a\":\"{}\"}}", "x".repeat(4_090))] {
            assert!(read_attributes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn one_is_added_where_it_belongs() {
        let attributes = json!({"a": 1, "conference": "old"});
        let attributes = with_attribute(attributes, &["worker_call_sid"], "CA1");
        let attributes = with_attribute(attributes, &["conference", "participants", "worker"], "CA1");
        let expected = json!({"a": 1, "worker_call_sid": "CA1",
            "conference": {"participants": {"worker": "CA1"}}});
        assert_eq!(attributes, expected);
    }
}
