//! Sounds that could not be had a moment ago: a queue of callers does not ask a broken server again each.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use media::ClipKey;

use crate::error::SoundError;

/// How long a failure is believed: short enough for whoever repairs it and tries again.
const KEPT: Duration = Duration::from_secs(2);

/// Failures kept at a time; with more, all are forgotten.
const FAILURES_MAX: usize = 1_024;

/// What failed, why, and when.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    recent: Mutex<BTreeMap<ClipKey, (Instant, SoundError)>>,
}

impl Failures {
    /// Why this could not be had, if that was a moment ago.
    pub(crate) fn recent(&self, key: &ClipKey, now: Instant) -> Option<SoundError> {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, error) = recent.get(key)?;
        (now.saturating_duration_since(*at) < KEPT).then(|| error.clone())
    }

    /// It could not be had.
    pub(crate) fn note(&self, key: ClipKey, error: SoundError, now: Instant) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.retain(|_, (at, _)| now.saturating_duration_since(*at) < KEPT);
        if recent.len() >= FAILURES_MAX {
            recent.clear();
        }
        recent.insert(key, (now, error));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_known_for_a_moment() {
        let failures = Failures::default();
        let (key, now) = (ClipKey("url:a".to_owned()), Instant::now());
        assert_eq!(failures.recent(&key, now), None);
        let error = SoundError::new(11200, "answered with status 404");
        failures.note(key.clone(), error.clone(), now);
        assert_eq!(failures.recent(&key, now + KEPT / 2), Some(error.clone()));
        assert_eq!(failures.recent(&key, now + KEPT), None);
        for n in 0..3 * FAILURES_MAX {
            failures.note(ClipKey(n.to_string()), error.clone(), now);
            assert!(failures.recent.lock().unwrap().len() <= FAILURES_MAX);
        }
        failures.note(key, error, now + KEPT);
        assert_eq!(failures.recent.lock().unwrap().len(), 1, "old ones go");
    }
}
