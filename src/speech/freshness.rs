//! How long a fetched sound may be played without asking again (RFC 9111, simply).

use std::time::{Duration, SystemTime};

/// What `Cache-Control` and `Expires` said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Freshness {
    /// For how long nobody is asked.
    pub(crate) fresh_for: Duration,
    /// Whether it may be played again at all, once the server has confirmed it.
    pub(crate) may_be_kept: bool,
}

impl Freshness {
    /// Longest time that is believed: a mistyped year must not need a restart to correct.
    const MAX: Duration = Duration::from_secs(24 * 3_600);

    /// Reads the headers. Without `max-age` in `Cache-Control`, `Expires` counts from `date` on; without either a
    /// sound is asked for again each time, by its validators.
    pub(crate) fn read(cache_control: Option<&str>, expires: Option<&str>, date: SystemTime) -> Self {
        let mut freshness = Self { fresh_for: Duration::ZERO, may_be_kept: true };
        let mut no_cache = false;
        let mut has_age = false;
        for directive in cache_control.unwrap_or_default().split(',') {
            let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
            match name.trim().to_ascii_lowercase().as_str() {
                "no-store" => freshness.may_be_kept = false,
                "no-cache" => no_cache = true,
                "max-age" => {
                    has_age = true;
                    let seconds = value.trim().trim_matches('"').parse().unwrap_or(0);
                    freshness.fresh_for = Duration::from_secs(seconds).min(Self::MAX);
                }
                _ => {}
            }
        }
        // What is no date has expired already (RFC 9111 §5.3).
        if !has_age && let Some(Ok(expires)) = expires.map(httpdate::parse_http_date) {
            freshness.fresh_for = expires.duration_since(date).unwrap_or_default().min(Self::MAX);
        }
        if no_cache || !freshness.may_be_kept {
            freshness.fresh_for = Duration::ZERO;
        }
        freshness
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives() {
        for (header, seconds, may_be_kept) in [
            (None, 0, true),
            (Some(""), 0, true),
            (Some("public, Max-Age=60"), 60, true),
            (Some("max-age=\"90\""), 90, true),
            (Some("max-age=60, no-cache"), 0, true),
            (Some("no-cache, max-age=60"), 0, true),
            (Some("no-store, max-age=60"), 0, false),
            (Some("max-age=-1"), 0, true),
            (Some("max-age=99999999999"), 86_400, true),
            (Some("immutable"), 0, true),
        ] {
            let expected = Freshness { fresh_for: Duration::from_secs(seconds), may_be_kept };
            assert_eq!(Freshness::read(header, None, SystemTime::now()), expected, "{header:?}");
        }
    }

    #[test]
    fn without_an_age_the_date_of_expiry_counts() {
        let date = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        for (cache_control, expires, seconds) in [
            (None, "Sun, 06 Nov 1994 08:50:37 GMT", 60),
            (Some("public"), "Sunday, 06-Nov-94 08:50:37 GMT", 60),
            (Some("max-age=5"), "Sun, 06 Nov 1994 08:50:37 GMT", 5),
            (Some("no-cache"), "Sun, 06 Nov 1994 08:50:37 GMT", 0),
            (None, "Sun, 06 Nov 1994 08:49:36 GMT", 0),
            (None, "Fri, 01 Jan 2100 00:00:00 GMT", 86_400),
            (None, "0", 0),
        ] {
            let read = Freshness::read(cache_control, Some(expires), date);
            assert_eq!(read.fresh_for, Duration::from_secs(seconds), "{cache_control:?} {expires}");
        }
    }
}
