//! Connection overrides in a URL's fragment (reference: webhooks §6).
//!
//! `http://h/voice#rc=3&rp=5xx,rt` says how the request to `http://h/voice` is connected, timed and retried. The
//! fragment is neither sent nor signed.

use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};

use crate::Finding;

/// How one request is connected, timed and retried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overrides {
    /// `ct`: to connect, ms; 100–10000.
    pub connect_timeout_ms: u32,
    /// `rt`: to the first byte of the answer, ms; 100–15000.
    pub read_timeout_ms: u32,
    /// `tt`: for all attempts together, ms; 100–15000.
    pub total_timeout_ms: u32,
    /// `rc`: attempts after the first; 0–5.
    pub retries: u32,
    /// `rp`: what is tried again.
    pub retry: RetryPolicy,
    /// `sni`: the server's name is sent in the TLS handshake.
    pub sni: bool,
    /// An `rp` that is none (11243); the default is in force instead.
    pub bad_retry_policy: Option<String>,
}

/// What is worth another attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryPolicy {
    /// An answer 400–499.
    pub status_4xx: bool,
    /// An answer 500–599.
    pub status_5xx: bool,
    /// No connection: TCP or TLS.
    pub connect: bool,
    /// No answer in time.
    pub read: bool,
}

impl Default for Overrides {
    fn default() -> Self {
        Self {
            connect_timeout_ms: 5_000,
            read_timeout_ms: 15_000,
            total_timeout_ms: 15_000,
            retries: 1,
            retry: RetryPolicy { connect: true, ..RetryPolicy::NEVER },
            sni: true,
            bad_retry_policy: None,
        }
    }
}

impl Overrides {
    /// Splits a URL into what is requested and signed, and how. Values out of range are clamped; unknown keys and
    /// values that are no numbers leave the default.
    pub fn parse(url: &str) -> (String, Overrides) {
        let mut overrides = Self::default();
        let Some((url, fragment)) = url.split_once('#') else { return (url.to_owned(), overrides) };
        for pair in fragment.split('&').take(PAIRS_MAX) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            overrides.set(key, percent_decode_str(value).decode_utf8_lossy().trim());
        }
        (url.to_owned(), overrides)
    }

    /// What to notify, if anything.
    pub fn finding(&self) -> Option<Finding> {
        self.bad_retry_policy.as_deref().map(|policy| Finding::unplaced(11243, policy))
    }

    fn set(&mut self, key: &str, value: &str) {
        match key {
            "ct" => clamped(value, 100, 10_000, &mut self.connect_timeout_ms),
            "rt" => clamped(value, 100, 15_000, &mut self.read_timeout_ms),
            "tt" => clamped(value, 100, 15_000, &mut self.total_timeout_ms),
            "rc" => clamped(value, 0, 5, &mut self.retries),
            "rp" => match RetryPolicy::parse(value) {
                Some(policy) => self.retry = policy,
                None => self.bad_retry_policy = Some(value.to_owned()),
            },
            "sni" => match value {
                "y" => self.sni = true,
                "n" => self.sni = false,
                _ => {}
            },
            // `e`, the edge, has no meaning on one box; unknown keys have none anywhere.
            _ => {}
        }
    }
}

impl RetryPolicy {
    const NEVER: Self = Self { status_4xx: false, status_5xx: false, connect: false, read: false };

    /// A comma list of `4xx`, `5xx`, `ct`, `rt`, `all`; `None` when any word is none of them.
    fn parse(list: &str) -> Option<Self> {
        let mut policy = Self::NEVER;
        for word in list.split(',') {
            match word.trim() {
                "4xx" => policy.status_4xx = true,
                "5xx" => policy.status_5xx = true,
                "ct" => policy.connect = true,
                "rt" => policy.read = true,
                "all" => policy = Self { status_4xx: true, status_5xx: true, connect: true, read: true },
                _ => return None,
            }
        }
        Some(policy)
    }
}

/// A number beyond any range is one out of range, not none.
fn clamped(value: &str, least: u32, most: u32, field: &mut u32) {
    let digits = value.strip_prefix('-').unwrap_or(value);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return;
    }
    let beyond = if value.starts_with('-') { least } else { most };
    *field = value.parse().unwrap_or(beyond).clamp(least, most);
}

/// Pairs of one fragment that are looked at.
const PAIRS_MAX: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn with(change: fn(&mut Overrides)) -> Overrides {
        let mut overrides = Overrides::default();
        change(&mut overrides);
        overrides
    }

    #[test]
    fn fragments() {
        for (url, bare, expected) in [
            ("http://h/v", "http://h/v", with(|_| {})),
            ("http://h/v?a=1#", "http://h/v?a=1", with(|_| {})),
            ("http://h/v#ct=2000", "http://h/v", with(|o| o.connect_timeout_ms = 2_000)),
            ("http://h/v#ct=1", "http://h/v", with(|o| o.connect_timeout_ms = 100)),
            ("http://h/v#ct=99999", "http://h/v", with(|o| o.connect_timeout_ms = 10_000)),
            (
                "http://h/v#rt=100&tt=200",
                "http://h/v",
                with(|o| (o.read_timeout_ms, o.total_timeout_ms) = (100, 200)),
            ),
            ("http://h/v#tt=999999999999", "http://h/v", with(|o| o.total_timeout_ms = 15_000)),
            ("http://h/v#rc=0", "http://h/v", with(|o| o.retries = 0)),
            ("http://h/v#rc=9", "http://h/v", with(|o| o.retries = 5)),
            ("http://h/v#rc=-1", "http://h/v", with(|o| o.retries = 0)),
            ("http://h/v#rc=x&rc=", "http://h/v", with(|_| {})),
            ("http://h/v#sni=n", "http://h/v", with(|o| o.sni = false)),
            ("http://h/v#sni=maybe&e=dublin&zz=1", "http://h/v", with(|_| {})),
            (
                "http://h/v#rp=5xx,rt",
                "http://h/v",
                with(|o| {
                    o.retry = RetryPolicy { status_5xx: true, read: true, ..RetryPolicy::NEVER };
                }),
            ),
            (
                "http://h/v#rp=4xx%2Cct",
                "http://h/v",
                with(|o| {
                    o.retry = RetryPolicy { status_4xx: true, connect: true, ..RetryPolicy::NEVER };
                }),
            ),
            (
                "http://h/v#rp=all",
                "http://h/v",
                with(|o| {
                    o.retry = RetryPolicy { status_4xx: true, status_5xx: true, connect: true, read: true };
                }),
            ),
            ("http://h/v#rp=6xx", "http://h/v", with(|o| o.bad_retry_policy = Some("6xx".into()))),
            ("http://h/v#rp=", "http://h/v", with(|o| o.bad_retry_policy = Some(String::new()))),
        ] {
            assert_eq!(Overrides::parse(url), (bare.to_owned(), expected), "{url}");
        }
    }

    #[test]
    fn a_bad_policy_is_told() {
        let finding = Overrides::parse("http://h/v#rp=6xx").1.finding().unwrap();
        assert_eq!((finding.code, finding.message.ends_with("6xx")), (11243, true));
        assert_eq!(Overrides::parse("http://h/v#rp=5xx").1.finding(), None);
    }
}
