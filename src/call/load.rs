//! How busy trunks and phones are, for the limits of the configuration.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use base::{CallSid, Mono};

use crate::office::Limits;

/// Who is on which trunk, and what each phone has begun outside. Bounded by the calls there are, and by calls a
/// minute for each phone that was ever let out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    trunks: BTreeMap<String, BTreeSet<CallSid>>,
    phones: BTreeMap<String, PhoneLoad>,
}

#[derive(Clone, Debug, Default)]
struct PhoneLoad {
    open: BTreeSet<CallSid>,
    /// When it began its outside calls of the last minute.
    begun: VecDeque<Mono>,
}

const MINUTE: Duration = Duration::from_secs(60);

impl Ledger {
    /// Calls on a trunk, in both directions.
    pub(crate) fn on_trunk(&self, trunk: &str) -> usize {
        self.trunks.get(trunk).map_or(0, BTreeSet::len)
    }

    /// A call takes a place on a trunk.
    pub(crate) fn take_trunk(&mut self, trunk: &str, call: CallSid) {
        self.trunks.entry(trunk.to_owned()).or_default().insert(call);
    }

    /// A call leaves a trunk for another one.
    pub(crate) fn leave_trunk(&mut self, trunk: &str, call: CallSid) {
        if let Some(calls) = self.trunks.get_mut(trunk) {
            calls.remove(&call);
        }
    }

    /// A phone begins a call outside, if it may.
    ///
    /// # Errors
    /// After how many seconds it is worth another attempt.
    pub(crate) fn phone_begins(
        &mut self,
        phone: &str,
        call: CallSid,
        limits: &Limits,
        now: Mono,
    ) -> Result<(), u64> {
        let load = self.phones.entry(phone.to_owned()).or_default();
        while load.begun.front().is_some_and(|begun| now.since(*begun) >= MINUTE) {
            load.begun.pop_front();
        }
        if load.open.len() >= limits.calls_per_phone_max {
            return Err(RETRY_AFTER_S);
        }
        if load.begun.len() >= limits.calls_per_phone_minute_max {
            let waited = load.begun.front().map_or(Duration::ZERO, |begun| now.since(*begun));
            return Err((MINUTE - waited).as_secs() + 1);
        }
        load.open.insert(call);
        load.begun.push_back(now);
        Ok(())
    }

    /// A call is over.
    pub(crate) fn release(&mut self, call: CallSid, trunk: Option<&str>, phone: Option<&str>) {
        if let Some(trunk) = trunk {
            self.leave_trunk(trunk, call);
        }
        if let Some(load) = phone.and_then(|phone| self.phones.get_mut(phone)) {
            load.open.remove(&call);
        }
    }
}

/// Seconds after which a caller that was refused for load may try again.
pub(crate) const RETRY_AFTER_S: u64 = 30;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phone_has_so_many_calls_at_once_and_so_many_a_minute() {
        let limits = Limits { calls_per_phone_max: 2, calls_per_phone_minute_max: 3, ..Limits::default() };
        let mut ledger = Ledger::default();
        let at = |s: u64| Mono(s * 1_000_000_000);
        assert_eq!(ledger.phone_begins("ann", CallSid(1), &limits, at(0)), Ok(()));
        assert_eq!(ledger.phone_begins("ann", CallSid(2), &limits, at(10)), Ok(()));
        assert_eq!(ledger.phone_begins("ann", CallSid(3), &limits, at(20)), Err(30));
        assert_eq!(ledger.phone_begins("bob", CallSid(4), &limits, at(20)), Ok(()));
        ledger.release(CallSid(1), None, Some("ann"));
        assert_eq!(ledger.phone_begins("ann", CallSid(3), &limits, at(20)), Ok(()));
        ledger.release(CallSid(3), None, Some("ann"));
        assert_eq!(ledger.phone_begins("ann", CallSid(5), &limits, at(20)), Err(41));
        assert_eq!(ledger.phone_begins("ann", CallSid(5), &limits, at(60)), Ok(()));
    }

    #[test]
    fn a_trunk_counts_each_call_once() {
        let mut ledger = Ledger::default();
        ledger.take_trunk("a", CallSid(1));
        ledger.take_trunk("a", CallSid(1));
        assert_eq!(ledger.on_trunk("a"), 1);
        ledger.release(CallSid(1), Some("a"), None);
        assert_eq!(ledger.on_trunk("a"), 0);
    }
}
