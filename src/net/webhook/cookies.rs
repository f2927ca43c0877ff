//! A cookie jar a call (reference: twiml-voice §1.1).

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base::CallSid;
use base::limits::CALLS_MAX;
use cookie_store::CookieStore;
use url::Url;

/// Calls whose cookies are kept; beyond it the longest known call's are forgotten.
const JARS_MAX: usize = 2 * CALLS_MAX;

/// Cookies of one call; further ones are not taken.
const COOKIES_MAX: usize = 50;

/// Bytes of one `Set-Cookie`; longer ones are not taken (RFC 6265 §6.1).
const COOKIE_BYTES_MAX: usize = 4_096;

/// The jars of all calls.
#[derive(Debug, Default)]
pub(super) struct Jars(Mutex<Shelf>);

#[derive(Debug, Default)]
struct Shelf {
    jars: BTreeMap<CallSid, Jar>,
    /// By age.
    order: VecDeque<CallSid>,
}

/// One call's cookies. A request holds on to its jar, even when the call ends meanwhile.
#[derive(Clone, Debug, Default)]
pub(super) struct Jar(Arc<Mutex<CookieStore>>);

impl Jars {
    /// The call's jar, empty at first.
    pub(super) fn of(&self, call: CallSid) -> Jar {
        let mut shelf = lock(&self.0);
        if let Some(jar) = shelf.jars.get(&call) {
            return jar.clone();
        }
        while shelf.order.len() >= JARS_MAX {
            let Some(oldest) = shelf.order.pop_front() else { break };
            shelf.jars.remove(&oldest);
        }
        shelf.order.push_back(call);
        shelf.jars.entry(call).or_default().clone()
    }

    /// Forgets a call's cookies.
    pub(super) fn forget(&self, call: CallSid) {
        let mut shelf = lock(&self.0);
        shelf.jars.remove(&call);
        shelf.order.retain(|known| *known != call);
    }
}

impl Jar {
    /// The `Cookie` header for a request to `url`, if there is anything to say.
    pub(super) fn header(&self, url: &Url) -> Option<String> {
        let store = lock(&self.0);
        let pairs: Vec<String> =
            store.get_request_values(url).map(|(name, value)| format!("{name}={value}")).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    /// Takes the `Set-Cookie` of an answer from `url`.
    pub(super) fn set(&self, url: &Url, set_cookie: &str) {
        if set_cookie.len() > COOKIE_BYTES_MAX {
            return;
        }
        let mut store = lock(&self.0);
        if store.iter_any().count() < COOKIES_MAX {
            // One that cannot be read, or is for another host, is not taken; the answer is as good without.
            let _ = store.parse(set_cookie, url);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What a panic elsewhere left is whole: each change is one call.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[test]
    fn a_call_gets_its_own_cookies_back_where_they_belong() {
        let jars = Jars::default();
        let ours = jars.of(CallSid(1));
        ours.set(&url("http://h/voice"), "session=abc; Path=/");
        ours.set(&url("http://h/voice"), "other=1; Path=/admin");
        ours.set(&url("http://h/voice"), "evil=1; Domain=bank.example");
        assert_eq!(jars.of(CallSid(1)).header(&url("http://h/gather")).as_deref(), Some("session=abc"));
        assert_eq!(jars.of(CallSid(1)).header(&url("http://elsewhere/")), None);
        assert_eq!(jars.of(CallSid(2)).header(&url("http://h/voice")), None);
        jars.forget(CallSid(1));
        assert_eq!(jars.of(CallSid(1)).header(&url("http://h/")), None);
        assert!(ours.header(&url("http://h/")).is_some(), "a request under way keeps its jar");
    }

    #[test]
    fn jars_and_cookies_are_limited() {
        let jars = Jars::default();
        jars.of(CallSid(0)).set(&url("http://h/"), "first=1");
        for sid in 1..JARS_MAX as u128 {
            jars.of(CallSid(sid));
        }
        assert!(jars.of(CallSid(0)).header(&url("http://h/")).is_some());
        let last = jars.of(CallSid(u128::MAX));
        assert!(jars.of(CallSid(0)).header(&url("http://h/")).is_none());
        for n in 0..COOKIES_MAX + 10 {
            last.set(&url("http://h/"), &format!("c{n}=1"));
        }
        last.set(&url("http://h/"), &format!("c={}", "x".repeat(COOKIE_BYTES_MAX)));
        assert_eq!(last.header(&url("http://h/")).unwrap().split("; ").count(), COOKIES_MAX);
    }
}
