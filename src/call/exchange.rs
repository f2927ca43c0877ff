//! Every request to a web server that is made for a call, with its answer: the latest for notifications, all of them
//! for the record (reference: rest-voice §12, Events; webhooks §8).
//!
//! ```text
//!        asked                    answered                       EXCHANGES_MAX rows of a call
//!   ───────────────▶ under way ───────────────▶ a row is written ────────────────────────────▶ no more of it
//! ```
//! The debugger's requests are not among them: what they carry stands in the notifications.

use std::collections::BTreeMap;
use std::time::Duration;

use base::{CallSid, ExpiringMap, Mono, Now, Timestamp};
use twiml::{Exchange, FetchFailure, Fetched};

use crate::io::FetchId;
use crate::record::ExchangeRow;

/// What is known of requests and answers.
#[derive(Debug)]
pub(crate) struct Exchanges {
    /// Each live call's latest request for a document.
    latest: BTreeMap<CallSid, Latest>,
    under_way: ExpiringMap<FetchId, UnderWay>,
}

#[derive(Debug)]
struct Latest {
    id: FetchId,
    exchange: Exchange,
    /// Rows of the call so far.
    rows: u32,
}

#[derive(Debug)]
struct UnderWay {
    call: CallSid,
    at: Timestamp,
    since: Mono,
    exchange: Exchange,
}

/// Exchanges of one call that are kept; a document that chases itself fills no disk.
const EXCHANGES_MAX: u32 = 1_000;
/// Bytes of an answer's body in a row; the whole of it is for notifications.
const BODY_BYTES_MAX: usize = 8 * 1024;
/// Requests under way at once; beyond it the oldest stays without a row.
const UNDER_WAY_MAX: usize = 20_000;
/// How long an answer is waited for: longer than any request may take with all that it may be tried again.
const FORGOTTEN: Duration = Duration::from_secs(300);

impl Exchanges {
    /// Nothing yet.
    pub(crate) fn new() -> Self {
        Self { latest: BTreeMap::new(), under_way: ExpiringMap::new(UNDER_WAY_MAX) }
    }

    /// A document is requested.
    pub(crate) fn document_asked(&mut self, id: FetchId, call: CallSid, exchange: Exchange, now: Now) {
        let rows = self.latest.get(&call).map_or(0, |latest| latest.rows);
        self.latest.insert(call, Latest { id, exchange: exchange.clone(), rows });
        self.asked(id, call, exchange, now);
    }

    /// Anything else is.
    pub(crate) fn asked(&mut self, id: FetchId, call: CallSid, exchange: Exchange, now: Now) {
        let under_way = UnderWay { call, at: now.wall, since: now.mono, exchange };
        self.under_way.insert(id, under_way, now.mono + FORGOTTEN);
    }

    /// The row of what is now complete; `None` when it is not to be written.
    pub(crate) fn answered(
        &mut self,
        id: FetchId,
        result: &Result<Fetched, FetchFailure>,
        now: Now,
    ) -> Option<ExchangeRow> {
        let UnderWay { call, at, since, mut exchange } = self.under_way.remove(&id)?;
        match result {
            Ok(answer) => exchange.answered(answer),
            Err(failure) => {
                if let Some(told) = &failure.exchange {
                    exchange = Exchange { url: exchange.url, method: exchange.method, ..(**told).clone() };
                }
            }
        }
        if let Some(latest) = self.latest.get_mut(&call) {
            if latest.id == id && result.is_ok() {
                latest.exchange.clone_from(&exchange);
            }
            if latest.rows >= EXCHANGES_MAX {
                return None;
            }
            latest.rows += 1;
        }
        exchange.response_body.truncate(exchange.response_body.floor_char_boundary(BODY_BYTES_MAX));
        let duration_ms = u32::try_from(now.mono.since(since).as_millis()).unwrap_or(u32::MAX);
        Some(ExchangeRow { call, seq: id.0, at, duration_ms, exchange })
    }

    /// A call's latest request for a document, answered or not.
    pub(crate) fn latest(&self, call: CallSid) -> Option<&Exchange> {
        self.latest.get(&call).map(|latest| &latest.exchange)
    }

    /// Nobody waits for this answer any more.
    pub(crate) fn given_up(&mut self, id: FetchId) {
        self.under_way.remove(&id);
    }

    /// The call is over; answers still under way are written all the same.
    pub(crate) fn forget(&mut self, call: CallSid) {
        self.latest.remove(&call);
    }

    /// Time has passed.
    pub(crate) fn expire(&mut self, now: Mono) {
        while self.under_way.expire(now).is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use twiml::HttpMethod;

    use super::*;

    const CALL: CallSid = CallSid(1);

    fn now(ms: u64) -> Now {
        let mono = Mono::default() + Duration::from_millis(ms);
        Now { mono, wall: Timestamp(i64::try_from(ms).unwrap() * 1_000) }
    }

    fn asking() -> Exchange {
        Exchange::asked("http://web.example/voice", HttpMethod::Post, &[("A".to_owned(), "1".to_owned())])
    }

    fn answer() -> Result<Fetched, FetchFailure> {
        Ok(Fetched {
            status: 200,
            content_type: None,
            body: b"<Response/>".to_vec(),
            url: "http://web.example/voice".to_owned(),
            headers: Vec::new(),
        })
    }

    #[test]
    fn an_exchange_is_written_once_with_how_long_it_took() {
        let mut exchanges = Exchanges::new();
        exchanges.document_asked(FetchId(7), CALL, asking(), now(1_000));
        assert_eq!(exchanges.latest(CALL), Some(&asking()));
        let row = exchanges.answered(FetchId(7), &answer(), now(1_120)).unwrap();
        assert_eq!((row.call, row.seq, row.at, row.duration_ms), (CALL, 7, Timestamp(1_000_000), 120));
        assert_eq!((row.exchange.status, row.exchange.response_body.as_str()), (Some(200), "<Response/>"));
        assert_eq!(exchanges.latest(CALL), Some(&row.exchange));
        assert_eq!(exchanges.answered(FetchId(7), &answer(), now(1_120)), None);

        exchanges.asked(FetchId(8), CALL, asking(), now(2_000));
        exchanges.forget(CALL);
        let failed =
            exchanges.answered(FetchId(8), &Err(FetchFailure::new(11200, "no")), now(2_500)).unwrap();
        assert_eq!((failed.duration_ms, failed.exchange.status), (500, None), "after the call's end");
    }

    #[test]
    fn only_so_many_are_kept() {
        let mut exchanges = Exchanges::new();
        let mut written = 0;
        for n in 0..u64::from(EXCHANGES_MAX) + 5 {
            exchanges.document_asked(FetchId(n), CALL, asking(), now(n));
            written += u32::from(exchanges.answered(FetchId(n), &answer(), now(n)).is_some());
        }
        assert_eq!(written, EXCHANGES_MAX);
        exchanges.asked(FetchId(9_999), CALL, asking(), now(0));
        exchanges.expire(now(300_000).mono);
        assert_eq!(exchanges.answered(FetchId(9_999), &answer(), now(300_001)), None, "it was forgotten");
    }
}
