//! How long a fetched sound may be played without asking again (RFC 9111, simply).

use std::time::Duration;

/// What `Cache-Control` said.
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

    /// Reads a `Cache-Control` header. Without `max-age` a sound is asked for again each time, by its validators.
    pub(crate) fn read(cache_control: Option<&str>) -> Self {
        let mut freshness = Self { fresh_for: Duration::ZERO, may_be_kept: true };
        let mut no_cache = false;
        for directive in cache_control.unwrap_or_default().split(',') {
            let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
            match name.trim().to_ascii_lowercase().as_str() {
                "no-store" => freshness.may_be_kept = false,
                "no-cache" => no_cache = true,
                "max-age" => {
                    let seconds = value.trim().trim_matches('"').parse().unwrap_or(0);
                    freshness.fresh_for = Duration::from_secs(seconds).min(Self::MAX);
                }
                _ => {}
            }
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
            assert_eq!(Freshness::read(header), expected, "{header:?}");
        }
    }
}
