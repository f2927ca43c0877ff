//! Values against schemas, as far as the published descriptions use them: types, `nullable`, `enum`, sids' patterns,
//! dates, URLs, objects and lists.

use base::Timestamp;
use serde_json::Value;

use crate::oai::Description;

/// Where a value is not as its schema says.
pub(crate) fn faults(value: &Value, schema: &Value, of: &Description) -> Vec<String> {
    let mut faults = Vec::new();
    check(value, schema, of, "", &mut faults);
    faults
}

fn check(value: &Value, schema: &Value, of: &Description, at: &str, faults: &mut Vec<String>) {
    let nullable = schema["nullable"] == true;
    let schema = of.followed(schema);
    if value.is_null() && (nullable || schema["nullable"] == true) {
        return;
    }
    let mut fault = |what: &str| faults.push(format!("{at}: {value} {what}"));
    let fits = match schema["type"].as_str() {
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        _ => true,
    };
    if !fits {
        fault(&format!("is no {}", schema["type"]));
        return;
    }
    if let Some(words) = schema["enum"].as_array()
        && !words.contains(value)
    {
        fault(&format!("is none of {}", schema["enum"]));
    }
    if let (Some(text), Some(pattern)) = (value.as_str(), schema["pattern"].as_str())
        && !matches(text, pattern)
        // As the published examples have it where there is none.
        && !(text.is_empty() && nullable_of(schema))
    {
        fault(&format!("does not match {pattern}"));
    }
    if let (Some(text), Some(format)) = (value.as_str(), schema["format"].as_str())
        && !has_format(text, format)
    {
        fault(&format!("is no {format}"));
    }
    if let (Some(list), Some(items)) = (value.as_array(), schema.get("items")) {
        for (n, item) in list.iter().enumerate() {
            check(item, items, of, &format!("{at}/{n}"), faults);
        }
    }
    if let (Some(object), Some(properties)) = (value.as_object(), schema["properties"].as_object()) {
        for (name, inner) in properties {
            if let Some(value) = object.get(name) {
                check(value, inner, of, &format!("{at}/{name}"), faults);
            }
        }
    }
}

fn nullable_of(schema: &Value) -> bool {
    schema["nullable"] == true
}

/// The patterns of sids, the only ones there are: letters, perhaps several pairs of them, and 32 digits.
fn matches(text: &str, pattern: &str) -> bool {
    let prefixes = pattern.strip_prefix('^').and_then(|rest| rest.strip_suffix("[0-9a-fA-F]{32}$"));
    let Some(prefixes) = prefixes else { panic!("a pattern of another kind: {pattern}") };
    let prefixes = prefixes.trim_matches(['(', ')']);
    prefixes.split('|').any(|prefix| {
        text.strip_prefix(prefix)
            .is_some_and(|rest| rest.len() == 32 && rest.bytes().all(|b| b.is_ascii_hexdigit()))
    })
}

fn has_format(text: &str, format: &str) -> bool {
    match format {
        // `Tue, 31 Aug 2010 20:36:28 +0000`
        "date-time-rfc-2822" => text.len() == 31 && text.ends_with(" +0000") && &text[3..5] == ", ",
        "date-time" => text.ends_with('Z') && Timestamp::parse_iso8601(text).is_some(),
        "http-method" => matches!(text, "GET" | "POST"),
        "uri" => text.is_empty() || text.starts_with('/') || text.contains("://"),
        _ => true,
    }
}

#[test]
fn what_is_wrong_is_found() {
    let schema = serde_json::json!({
        "type": "object",
        "properties": {
            "sid": { "type": "string", "pattern": "^(SM|MM)[0-9a-fA-F]{32}$" },
            "at": { "type": "string", "format": "date-time-rfc-2822", "nullable": true },
            "state": { "type": "string", "enum": ["on", "off"] },
            "all": { "type": "array", "items": { "type": "integer" } },
        },
    });
    let Some(all) = Description::all() else { return };
    let sid = format!("MM{}", "a".repeat(32));
    let good = serde_json::json!({ "sid": sid, "at": null, "state": "on", "all": [1, 2], "more": true });
    assert_eq!(faults(&good, &schema, &all[0]), [""; 0]);
    let bad = serde_json::json!({ "sid": "MM1", "at": "2026-01-01", "state": "x", "all": [1, "2"] });
    let found = faults(&bad, &schema, &all[0]);
    assert_eq!(found.len(), 4, "{found:?}");
}
