//! How much one credential may ask: so many requests at once, so many in a second (reference: rest-voice §4, 20429).
//!
//! Only who has shown a right secret is counted, so there are no more counts than credentials. What is refused
//! touches no call: the node and the database never hear of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::error::ApiError;

/// The counts of all credentials; clones share them.
#[derive(Clone, Debug)]
pub struct Limits {
    per_second: u32,
    at_once: u32,
    counts: Arc<Mutex<BTreeMap<String, Count>>>,
}

#[derive(Debug)]
struct Count {
    running: u32,
    /// What may still be asked, in requests: grows with time up to a second's worth.
    credit: f64,
    at: Instant,
}

/// Requests of one credential in a second, and at once, when nothing is said.
const PER_SECOND: u32 = 2_000;
const AT_ONCE: u32 = 100;
/// Credentials counted; those that ask nothing are forgotten first.
const CREDENTIALS_MAX: usize = 4_096;

impl Default for Limits {
    fn default() -> Self {
        Self::new(PER_SECOND, AT_ONCE)
    }
}

impl Limits {
    /// So many requests in a second, and so many at once, of each credential; 0 of either is no limit.
    pub fn new(per_second: u32, at_once: u32) -> Self {
        Self { per_second, at_once, counts: Arc::default() }
    }

    /// Counts a request that begins now; it lasts as long as the answer.
    pub(crate) fn enter(&self, credential: &str) -> Result<Running, ApiError> {
        self.enter_at(credential, Instant::now())
    }

    fn enter_at(&self, credential: &str, now: Instant) -> Result<Running, ApiError> {
        let mut counts = self.lock();
        if counts.len() >= CREDENTIALS_MAX && !counts.contains_key(credential) {
            counts.retain(|_, count| count.running > 0);
            if counts.len() >= CREDENTIALS_MAX {
                return Err(too_many("credentials"));
            }
        }
        let full = f64::from(self.per_second);
        let fresh = || Count { running: 0, credit: full, at: now };
        let count = counts.entry(credential.to_owned()).or_insert_with(fresh);
        let grown = now.saturating_duration_since(count.at).as_secs_f64() * full;
        (count.credit, count.at) = ((count.credit + grown).min(full), now);
        if self.at_once > 0 && count.running >= self.at_once {
            return Err(too_many("requests at once"));
        }
        if self.per_second > 0 {
            if count.credit < 1.0 {
                return Err(too_many("requests in a second"));
            }
            count.credit -= 1.0;
        }
        count.running += 1;
        Ok(Running { limits: self.clone(), credential: credential.to_owned() })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Count>> {
        // Nothing panics between two changes of a count, so what a poisoned lock guards is sound.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn too_many(of_what: &str) -> ApiError {
    ApiError::new(20429, format!("Too many {of_what}"))
}

/// A request that is being answered.
#[derive(Debug)]
pub(crate) struct Running {
    limits: Limits,
    credential: String,
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(count) = self.limits.lock().get_mut(&self.credential) {
            count.running -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn so_many_at_once_and_no_more() {
        let limits = Limits::new(0, 2);
        let (first, _second) = (limits.enter("AC").unwrap(), limits.enter("AC").unwrap());
        assert_eq!(limits.enter("AC").unwrap_err().code(), 20429);
        assert!(limits.enter("SK").is_ok(), "each credential for itself");
        drop(first);
        assert!(limits.enter("AC").is_ok());
    }

    #[test]
    fn so_many_in_a_second_and_later_again() {
        let (limits, now) = (Limits::new(10, 0), Instant::now());
        let passed = |at| (0..20).filter(|_| limits.enter_at("AC", at).is_ok()).count();
        assert_eq!(passed(now), 10);
        assert_eq!(passed(now + Duration::from_millis(500)), 5);
        assert_eq!(passed(now + Duration::from_secs(60)), 10, "what was not used does not pile up");
    }

    #[test]
    fn credentials_are_bounded() {
        let limits = Limits::default();
        for n in 0..CREDENTIALS_MAX + 10 {
            assert!(limits.enter(&n.to_string()).is_ok());
        }
        assert!(limits.lock().len() <= CREDENTIALS_MAX);
    }
}
