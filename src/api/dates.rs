//! Dates in filters: a day or a second, equal, not before, not after (reference: rest-voice §1).
//!
//! Answers show whole seconds, so that a moment stands for the whole of its second: what is shown of a row finds it.

use std::time::Duration;

use base::Timestamp;

use crate::error::ApiError;
use crate::params::Params;

/// A stretch of time, its ends included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) from: Option<Timestamp>,
    pub(crate) to: Option<Timestamp>,
}

/// Reads `<name>`, `<name><` and `<name>>`: the operator stands in the key.
pub(crate) fn span(query: &Params, name: &str) -> Result<Span, ApiError> {
    let read = |key: &str| match query.text(key) {
        None => Ok(None),
        Some(text) => Timestamp::parse_iso8601(text)
            // Without a zone it is the API's own, UTC.
            .or_else(|| Timestamp::parse_iso8601(&format!("{text}Z")))
            .map(|(at, is_day)| Some((at, last(at, is_day))))
            .ok_or_else(|| ApiError::new(20001, format!("{name} is not a date: {text}"))),
    };
    // The libraries write a day as its midnight (reference: sdk-drive §2).
    let midnight = |from: Timestamp| from.0.rem_euclid(DAY_US) == 0;
    let day = read(name)?.map(|(from, to)| (from, if midnight(from) { from + DAY } else { to }));
    let from = read(&format!("{name}>"))?.or(day).map(|(from, _)| from);
    let to = read(&format!("{name}<"))?.or(day).map(|(_, to)| to);
    Ok(Span { from, to })
}

/// The last microsecond of a day that begins then, or of the second that lies around it.
fn last(at: Timestamp, is_day: bool) -> Timestamp {
    if is_day { at + DAY } else { Timestamp(at.0 - at.0.rem_euclid(SECOND_US)) + SECOND }
}

/// From a day's first microsecond to its last.
const DAY: Duration = Duration::from_micros(86_400_000_000 - 1);
/// The same of a second.
const SECOND: Duration = Duration::from_micros(999_999);
const SECOND_US: i64 = 1_000_000;
const DAY_US: i64 = 86_400 * SECOND_US;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_all_of_it_and_bounds_are_included() {
        let at = |text: &str| Timestamp::parse_iso8601(text).unwrap().0;
        let last = |text: &str| at(text) + DAY;
        let second = |text: &str| at(text) + SECOND;
        for (query, from, to) in [
            ("T=2026-01-02", Some(at("2026-01-02")), Some(last("2026-01-02"))),
            ("T=2026-01-02T00:00:00Z", Some(at("2026-01-02")), Some(last("2026-01-02"))),
            ("T=2026-01-02T02:00:00%2B02:00", Some(at("2026-01-02")), Some(last("2026-01-02"))),
            ("T%3C=2026-01-02T00:00:00Z", None, Some(second("2026-01-02T00:00:00Z"))),
            ("T%3E=2026-01-02", Some(at("2026-01-02")), None),
            ("T%3C=2026-01-02", None, Some(last("2026-01-02"))),
            ("T%3E=2026-01-02T10:00:00Z", Some(at("2026-01-02T10:00:00Z")), None),
            ("T%3C=2026-01-02T10:00:00Z", None, Some(second("2026-01-02T10:00:00Z"))),
            ("T%3C=2026-01-02T10:00:00.25Z", None, Some(second("2026-01-02T10:00:00Z"))),
            ("T%3C=2026-01-02T12:00:00%2B02:00", None, Some(second("2026-01-02T10:00:00Z"))),
            ("T=2026-01-02T10:00:00", Some(at("2026-01-02T10:00:00Z")), Some(second("2026-01-02T10:00:00Z"))),
            ("T%3E=2026-01-02&T%3C=2026-01-03", Some(at("2026-01-02")), Some(last("2026-01-03"))),
            ("", None, None),
        ] {
            assert_eq!(span(&Params::read(query.as_bytes()), "T").unwrap(), Span { from, to }, "{query}");
        }
        for text in ["yesterday", "2026-13-01", "2026-01-02T25:00:00Z", "2026-1-2", "0"] {
            let query = format!("T%3C={text}");
            assert_eq!(span(&Params::read(query.as_bytes()), "T").unwrap_err().code(), 20001, "{text}");
        }
    }
}
