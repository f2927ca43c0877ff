//! Time as an argument.
//!
//! A core is told what time it is with each input. Monotonic time drives timers; wall time is only written
//! into records and webhooks. Both are plain numbers that serialise, unlike `std::time::Instant`.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Nanoseconds since an origin the shell chose; never goes backwards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Mono(pub u64);

/// Microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Timestamp(pub i64);

/// What time it is, both ways.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Now {
    /// For deadlines and durations.
    pub mono: Mono,
    /// For what people and web servers read.
    pub wall: Timestamp,
}

impl Mono {
    /// How long ago `earlier` was; zero if it lies ahead.
    pub fn since(self, earlier: Mono) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Mono {
    type Output = Mono;
    fn add(self, rhs: Duration) -> Mono {
        Mono(self.0.saturating_add(u64::try_from(rhs.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Timestamp;
    fn add(self, rhs: Duration) -> Timestamp {
        Timestamp(self.0.saturating_add(i64::try_from(rhs.as_micros()).unwrap_or(i64::MAX)))
    }
}

impl Sub for Timestamp {
    type Output = Duration;
    fn sub(self, rhs: Timestamp) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(rhs.0)).unwrap_or(0))
    }
}

impl Add<Duration> for Now {
    type Output = Now;
    fn add(self, rhs: Duration) -> Now {
        Now { mono: self.mono + rhs, wall: self.wall + rhs }
    }
}

impl Timestamp {
    /// As the 2010 API and every webhook writes it: `Fri, 20 Aug 2010 01:13:42 +0000`.
    pub fn rfc2822(self) -> String {
        self.jiff().strftime("%a, %d %b %Y %H:%M:%S +0000").to_string()
    }

    /// As the v1 APIs and our logs write it: `2010-08-20T01:13:42Z`.
    pub fn iso8601(self) -> String {
        self.jiff().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    /// Of a day (`2010-08-20`, its beginning in UTC) or a moment (`2010-08-20T01:13:42Z`); true when it was a day.
    pub fn parse_iso8601(text: &str) -> Option<(Self, bool)> {
        let moment = |text: &str| text.parse::<jiff::Timestamp>().ok().map(|at| Self(at.as_microsecond()));
        match text.len() {
            10 => moment(&format!("{text}T00:00:00Z")).map(|at| (at, true)),
            _ => moment(text).map(|at| (at, false)),
        }
    }

    fn jiff(self) -> jiff::Timestamp {
        jiff::Timestamp::from_microsecond(self.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.iso8601())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_read_as_published() {
        let t = Timestamp(1_282_266_822_000_000);
        assert_eq!(t.rfc2822(), "Fri, 20 Aug 2010 01:13:42 +0000");
        assert_eq!(t.iso8601(), "2010-08-20T01:13:42Z");
    }

    #[test]
    fn days_and_moments_are_read() {
        let day = Timestamp::parse_iso8601("2010-08-20");
        assert_eq!(day, Some((Timestamp(1_282_262_400_000_000), true)));
        let moment = Timestamp::parse_iso8601("2010-08-20T01:13:42Z");
        assert_eq!(moment, Some((Timestamp(1_282_266_822_000_000), false)));
        for text in ["", "2010-13-20", "yesterday", "2010-08-20T01:13:42"] {
            assert_eq!(Timestamp::parse_iso8601(text), None, "{text}");
        }
    }

    #[test]
    fn time_that_lies_ahead_is_not_negative() {
        assert_eq!(Mono(5).since(Mono(9)), Duration::ZERO);
        assert_eq!(Timestamp(5) - Timestamp(9), Duration::ZERO);
    }

    #[test]
    fn adding_moves_both_clocks() {
        let now = Now { mono: Mono(1), wall: Timestamp(1) } + Duration::from_secs(2);
        assert_eq!((now.mono, now.wall), (Mono(2_000_000_001), Timestamp(2_000_001)));
    }
}
