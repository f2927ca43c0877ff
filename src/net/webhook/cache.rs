//! Documents that were asked for by GET, kept as their servers allow (reference: twiml-voice §1.1; RFC 9111).
//!
//! What a server calls fresh (`Cache-Control: max-age`) is not asked for again meanwhile; what it gave a validator
//! (`ETag`, `Last-Modified`) is asked for by that. `no-store` is obeyed, `no-cache` asks each time. A request's own
//! parameters are part of its URL, so that what one call is told is not told to another.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use reqwest::header::{self, HeaderMap, HeaderValue};
use twiml::Fetched;

/// Documents that are kept; beyond it the oldest is forgotten.
const DOCUMENTS_MAX: usize = 128;

/// Longest time a document counts as fresh, whatever its server says.
const FRESH_MAX: Duration = Duration::from_secs(24 * 3_600);

/// The documents, by their whole URL.
#[derive(Debug, Default)]
pub(super) struct Cache(Mutex<Shelf>);

#[derive(Debug, Default)]
struct Shelf {
    documents: BTreeMap<String, Kept>,
    /// By age.
    order: VecDeque<String>,
}

#[derive(Clone, Debug)]
struct Kept {
    answer: Fetched,
    etag: Option<HeaderValue>,
    last_modified: Option<HeaderValue>,
    fresh_until: Option<Instant>,
}

/// What is known of a URL.
#[derive(Debug)]
pub(super) enum Known {
    /// Nothing.
    Nothing,
    /// This, which need not be asked for.
    Fresh(Fetched),
    /// Something; these headers ask whether it is still right.
    Ask(HeaderMap),
}

impl Cache {
    pub(super) fn know(&self, url: &str, now: Instant) -> Known {
        let shelf = self.shelf();
        let Some(kept) = shelf.documents.get(url) else { return Known::Nothing };
        if kept.fresh_until.is_some_and(|until| now < until) {
            return Known::Fresh(kept.answer.clone());
        }
        let mut headers = HeaderMap::new();
        headers.extend(kept.etag.clone().map(|etag| (header::IF_NONE_MATCH, etag)));
        headers.extend(kept.last_modified.clone().map(|time| (header::IF_MODIFIED_SINCE, time)));
        if headers.is_empty() { Known::Nothing } else { Known::Ask(headers) }
    }

    /// The kept document is still right (304).
    pub(super) fn confirmed(&self, url: &str, headers: &HeaderMap, now: Instant) -> Option<Fetched> {
        let mut shelf = self.shelf();
        let kept = shelf.documents.get_mut(url)?;
        kept.fresh_until = fresh_until(headers, now);
        Some(kept.answer.clone())
    }

    /// Keeps an answer, if its server allows and anything could come of it.
    pub(super) fn keep(&self, url: &str, answer: &Fetched, headers: &HeaderMap, now: Instant) {
        let validator = |name| headers.get(name).cloned();
        let (etag, last_modified) = (validator(header::ETAG), validator(header::LAST_MODIFIED));
        let fresh_until = fresh_until(headers, now);
        let useful = etag.is_some() || last_modified.is_some() || fresh_until.is_some();
        let mut shelf = self.shelf();
        let known = shelf.documents.remove(url).is_some();
        if answer.status != 200 || !useful || directives(headers).any(|word| word == "no-store") {
            shelf.order.retain(|kept| !known || kept != url);
            return;
        }
        if !known {
            while shelf.order.len() >= DOCUMENTS_MAX {
                let Some(oldest) = shelf.order.pop_front() else { break };
                shelf.documents.remove(&oldest);
            }
            shelf.order.push_back(url.to_owned());
        }
        let kept = Kept { answer: answer.clone(), etag, last_modified, fresh_until };
        shelf.documents.insert(url.to_owned(), kept);
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        // What a panic elsewhere left is whole: nothing panics between two changes.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn fresh_until(headers: &HeaderMap, now: Instant) -> Option<Instant> {
    if directives(headers).any(|word| word == "no-cache" || word == "no-store") {
        return None;
    }
    let seconds = directives(headers).find_map(|word| word.strip_prefix("max-age=")?.parse().ok())?;
    let age = headers.get(header::AGE).and_then(|age| age.to_str().ok()?.parse().ok()).unwrap_or(0);
    let fresh = Duration::from_secs(u64::saturating_sub(seconds, age)).min(FRESH_MAX);
    (!fresh.is_zero()).then(|| now + fresh)
}

/// The words of `Cache-Control`, in lower case.
fn directives(headers: &HeaderMap) -> impl Iterator<Item = String> + '_ {
    let values = headers.get_all(header::CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(|word| word.trim().to_ascii_lowercase().replace('"', ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16) -> Fetched {
        let body = b"<Response/>".to_vec();
        Fetched {
            status,
            content_type: Some("text/xml".into()),
            body,
            url: "http://h/".into(),
            headers: vec![],
        }
    }

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect()
    }

    fn word(known: &Known) -> String {
        match known {
            Known::Nothing => "nothing".to_owned(),
            Known::Fresh(_) => "fresh".to_owned(),
            Known::Ask(headers) => {
                headers.iter().map(|(name, value)| format!("{name} {}", value.to_str().unwrap())).collect()
            }
        }
    }

    #[test]
    fn what_a_server_allows() {
        let now = Instant::now();
        for (status, said, at_once, later) in [
            (200, vec![], "nothing", "nothing"),
            (200, vec![("etag", "\"a\"")], "if-none-match \"a\"", "if-none-match \"a\""),
            (200, vec![("last-modified", "x")], "if-modified-since x", "if-modified-since x"),
            (200, vec![("cache-control", "private, max-age=60")], "fresh", "nothing"),
            (200, vec![("cache-control", "Max-Age=60"), ("etag", "b")], "fresh", "if-none-match b"),
            (200, vec![("cache-control", "max-age=60"), ("age", "60")], "nothing", "nothing"),
            (
                200,
                vec![("cache-control", "no-cache, max-age=60"), ("etag", "b")],
                "if-none-match b",
                "if-none-match b",
            ),
            (200, vec![("cache-control", "no-store, max-age=60"), ("etag", "b")], "nothing", "nothing"),
            (200, vec![("cache-control", "max-age=99999999999999999999")], "nothing", "nothing"),
            (404, vec![("etag", "b")], "nothing", "nothing"),
        ] {
            let cache = Cache::default();
            cache.keep("http://h/", &answer(status), &headers(&said), now);
            let seen = (
                word(&cache.know("http://h/", now)),
                word(&cache.know("http://h/", now + Duration::from_secs(61))),
            );
            assert_eq!(seen, (at_once.to_owned(), later.to_owned()), "{said:?}");
        }
    }

    #[test]
    fn a_304_makes_it_fresh_again_and_another_answer_replaces_it() {
        let (cache, now) = (Cache::default(), Instant::now());
        cache.keep("u", &answer(200), &headers(&[("etag", "a")]), now);
        assert_eq!(cache.confirmed("u", &headers(&[("cache-control", "max-age=5")]), now), Some(answer(200)));
        assert_eq!(word(&cache.know("u", now)), "fresh");
        cache.keep("u", &answer(500), &headers(&[]), now);
        assert_eq!(word(&cache.know("u", now)), "nothing");
        assert_eq!(cache.confirmed("u", &headers(&[]), now), None);
    }

    #[test]
    fn the_oldest_makes_room() {
        let (cache, now) = (Cache::default(), Instant::now());
        for n in 0..=DOCUMENTS_MAX {
            cache.keep(&n.to_string(), &answer(200), &headers(&[("etag", "a")]), now);
        }
        assert_eq!(word(&cache.know("0", now)), "nothing");
        assert_eq!(word(&cache.know("1", now)), "if-none-match a");
        assert_eq!(cache.shelf().documents.len(), DOCUMENTS_MAX);
    }
}
