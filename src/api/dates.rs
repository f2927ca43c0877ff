//! Dates in filters: a day or a moment, equal, not before, not after (reference: rest-voice §1).

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
            .map(|(at, is_day)| Some((at, if is_day { at + DAY } else { at })))
            .ok_or_else(|| ApiError::new(20001, format!("{name} is not a date: {text}"))),
    };
    let day = read(name)?;
    let from = read(&format!("{name}>"))?.or(day).map(|(from, _)| from);
    let to = read(&format!("{name}<"))?.or(day).map(|(_, to)| to);
    Ok(Span { from, to })
}

/// From a day's first microsecond to its last.
const DAY: Duration = Duration::from_micros(86_400_000_000 - 1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_all_of_it_and_bounds_are_included() {
        let at = |text: &str| Timestamp::parse_iso8601(text).unwrap().0;
        let last = |text: &str| at(text) + DAY;
        for (query, from, to) in [
            ("T=2026-01-02", Some(at("2026-01-02")), Some(last("2026-01-02"))),
            ("T%3E=2026-01-02", Some(at("2026-01-02")), None),
            ("T%3C=2026-01-02", None, Some(last("2026-01-02"))),
            ("T%3E=2026-01-02T10:00:00Z", Some(at("2026-01-02T10:00:00Z")), None),
            ("", None, None),
        ] {
            assert_eq!(span(&Params::read(query.as_bytes()), "T").unwrap(), Span { from, to }, "{query}");
        }
        assert_eq!(span(&Params::read(b"T=yesterday"), "T").unwrap_err().code(), 20001);
    }
}
