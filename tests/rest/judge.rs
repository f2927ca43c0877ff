//! An answer is held against what is published of it: its status, its types, and every key there is to be.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::house::Answer;
use crate::oai::{Description, Operation};
use crate::schema::faults;

/// What an event says depends on its kind, and the example's is another one; the scenarios hold each kind.
const OF_ITS_KIND: [&str; 2] = ["/event_data/", "/events/0/event_data/"];

/// What is not as published.
pub(crate) fn judge(operation: &Operation, answer: &Answer, description: &Description) -> Vec<String> {
    let name = operation.name();
    let mut found = Vec::new();
    if !operation.may_answer(answer.status) {
        found.push(format!("{name}: {} is not published", answer.status));
    }
    let Some(schema) = operation.answer(answer.status) else { return found };
    // Where the published example is not as its schema says, the example is right: clients were tried with it.
    let examples = operation.examples(answer.status);
    let place = |fault: &String| -> String {
        let at = fault.split_once(": ").map_or("", |(at, _)| at);
        at.chars().filter(|c| !c.is_ascii_digit()).collect()
    };
    let lenient: BTreeSet<String> = examples
        .iter()
        .flat_map(|example| faults(example, schema, description))
        .map(|fault| place(&fault))
        .collect();
    let wrong = faults(&answer.body, schema, description).into_iter();
    found
        .extend(wrong.filter(|fault| !lenient.contains(&place(fault))).map(|fault| format!("{name}{fault}")));
    if let Some(example) = examples.first() {
        missing_keys(&answer.body, example, "", &mut |at| {
            if !OF_ITS_KIND.iter().any(|data| at.starts_with(data)) {
                found.push(format!("{name}: {at} is missing"));
            }
        });
    }
    missing_properties(&answer.body, schema, description, &mut |key| {
        found.push(format!("{name}: there is no {key}"));
    });
    if !answer.headers.contains_key("twilio-request-id") {
        found.push(format!("{name}: no Twilio-Request-Id"));
    }
    found
}

/// Keys of an example that an answer has not, at any depth; of lists the first element counts.
fn missing_keys(value: &Value, example: &Value, at: &str, fault: &mut impl FnMut(String)) {
    match (value, example) {
        (Value::Object(value), Value::Object(example)) => {
            let names: BTreeSet<&String> = example.keys().collect();
            for name in names {
                match value.get(name) {
                    Some(inner) => missing_keys(inner, &example[name], &format!("{at}/{name}"), fault),
                    None => fault(format!("{at}/{name}")),
                }
            }
        }
        (Value::Array(value), Value::Array(example)) => {
            if let (Some(value), Some(example)) = (value.first(), example.first()) {
                missing_keys(value, example, &format!("{at}/0"), fault);
            }
        }
        _ => {}
    }
}

/// Properties of a resource, or of those in a list, that an answer has not.
fn missing_properties(value: &Value, schema: &Value, of: &Description, fault: &mut impl FnMut(&str)) {
    let schema = of.followed(schema);
    if let Some(rows) = value.as_array() {
        rows.iter().for_each(|row| missing_properties(row, &schema["items"], of, fault));
    }
    let Some(properties) = schema["properties"].as_object().filter(|_| value.is_object()) else { return };
    for (key, inner) in properties {
        match value.get(key) {
            None => fault(key),
            Some(rows) if rows.is_array() => missing_properties(rows, inner, of, fault),
            Some(_) => {}
        }
    }
}
