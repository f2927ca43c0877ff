//! Lists page by page, forwards and back, as the 2010 API shows them (reference: rest-voice §3).
//!
//! A token names a row by its creation and its sid, so that rows that come or go while a list is followed neither
//! repeat nor hide others.

use std::fmt::Display;
use std::str::FromStr;

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use base::Timestamp;
use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::{Value, json};
use store::{Cut, Page};
use url::form_urlencoded;

use crate::error::ApiError;
use crate::params::Params;

/// Rows of a page when nothing is said.
const SIZE: u32 = 50;
/// Rows of the largest page.
const SIZE_MAX: u32 = 1_000;
/// What a token begins with: the rows after the one it names, or those before it.
const AFTER: &str = "PA";
const BEFORE: &str = "PB";

/// Which page is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Paging {
    /// Rows at most.
    size: u32,
    /// Its number, from 0.
    page: u32,
    token: Option<Token>,
    /// What else was asked, to be repeated in every link.
    filters: Vec<(String, String)>,
}

/// A page on its way out, its keys in the order of the alphabet as those of every answer.
pub(crate) struct Written<R> {
    frame: [(&'static str, Value); 8],
    name: &'static str,
    rows: Vec<R>,
}

/// What a row takes, about: a page is written into one piece of memory.
const ROW_BYTES: usize = 2_048;

impl<R: Serialize> Serialize for Written<R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (before, after) = self.frame.split_at(self.frame.partition_point(|(key, _)| *key < self.name));
        let mut map = serializer.serialize_map(Some(self.frame.len() + 1))?;
        for (key, value) in before {
            map.serialize_entry(key, value)?;
        }
        map.serialize_entry(self.name, &self.rows)?;
        for (key, value) in after {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl<R: Serialize> IntoResponse for Written<R> {
    fn into_response(self) -> Response {
        let mut text = Vec::with_capacity((self.rows.len() + 1) * ROW_BYTES);
        match serde_json::to_writer(&mut text, &self) {
            Ok(()) => ([(CONTENT_TYPE, "application/json")], text).into_response(),
            Err(_) => ApiError::unexpected().into_response(),
        }
    }
}

/// A row as a token names it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Token {
    back: bool,
    at: Timestamp,
    sid: String,
}

impl Paging {
    pub(crate) fn read(query: &Params) -> Result<Self, ApiError> {
        let size = match query.text("PageSize").map(str::parse) {
            None => SIZE,
            Some(Ok(size @ 1..=SIZE_MAX)) => size,
            Some(_) => return Err(ApiError::new(20007, format!("PageSize must be from 1 to {SIZE_MAX}"))),
        };
        let page = query.number("Page", 0..=u32::MAX, 20001)?.unwrap_or(0);
        let token = match query.text("PageToken") {
            Some(text) => Some(Token::read(text).ok_or_else(bad_token)?),
            None if page > 0 => {
                return Err(ApiError::new(21481, "Page needs the PageToken of a next_page_uri"));
            }
            None => None,
        };
        let ours = ["PageSize", "Page", "PageToken"];
        let filters = query.iter().filter(|(name, _)| !ours.contains(name));
        let filters = filters.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Ok(Self { size, page, token, filters })
    }

    /// The page as the store is asked for it: one row more than it takes, which says that there is another.
    pub(crate) fn page<Sid: FromStr>(&self) -> Result<Page<Sid>, ApiError> {
        let cut = match &self.token {
            None => Cut::Newest,
            Some(Token { back, at, sid }) => {
                let sid = sid.parse().map_err(|_| bad_token())?;
                if *back { Cut::Before(*at, sid) } else { Cut::After(*at, sid) }
            }
        };
        Ok(Page { limit: self.size + 1, cut })
    }

    /// The page of a list that is in memory, in the order it is to be shown in: what [`page`](Self::page) is to one
    /// in the store. `key` must be in that order, rising or falling.
    pub(crate) fn among<T, Sid: FromStr + Ord>(
        &self,
        mut rows: Vec<T>,
        key: impl Fn(&T) -> (Timestamp, Sid),
    ) -> Result<Vec<T>, ApiError> {
        let rising = match (rows.first(), rows.last()) {
            (Some(first), Some(last)) => key(first) < key(last),
            _ => true,
        };
        let take = self.size as usize + 1;
        let (cut, back) = match self.page()?.cut {
            Cut::Newest => {
                rows.truncate(take);
                return Ok(rows);
            }
            Cut::After(at, sid) => ((at, sid), false),
            Cut::Before(at, sid) => ((at, sid), true),
        };
        if back {
            rows.retain(|row| if rising { key(row) < cut } else { key(row) > cut });
            rows.drain(..rows.len().saturating_sub(take));
        } else {
            rows.retain(|row| if rising { key(row) > cut } else { key(row) < cut });
            rows.truncate(take);
        }
        Ok(rows)
    }

    /// The envelope of one page; `rows` may be one more than the page takes. `key` names a row for a token.
    pub(crate) fn envelope<T, Sid: Display>(
        &self,
        path: &str,
        name: &str,
        mut rows: Vec<T>,
        key: impl Fn(&T) -> (Timestamp, Sid),
        show: impl Fn(&T) -> Value,
    ) -> Value {
        let frame = self.frame(path, &mut rows, key);
        let rows = (name.to_owned(), rows.iter().map(show).collect());
        let frame = frame.into_iter().map(|(name, value)| (name.to_owned(), value));
        Value::Object(frame.chain([rows]).collect())
    }

    /// The same of rows that are written as they are shown, without a tree of values for each.
    pub(crate) fn written<T, Sid: Display, R: Serialize>(
        &self,
        path: &str,
        name: &'static str,
        mut rows: Vec<T>,
        key: impl Fn(&T) -> (Timestamp, Sid),
        show: impl Fn(T) -> R,
    ) -> Written<R> {
        let frame = self.frame(path, &mut rows, key);
        Written { frame, name, rows: rows.into_iter().map(show).collect() }
    }

    /// What stands around the rows, in the order of the alphabet; of the rows those remain that the page takes.
    fn frame<T, Sid: Display>(
        &self,
        path: &str,
        rows: &mut Vec<T>,
        key: impl Fn(&T) -> (Timestamp, Sid),
    ) -> [(&'static str, Value); 8] {
        let size = self.size as usize;
        let more = rows.len() > size;
        let back = self.token.as_ref().is_some_and(|token| token.back);
        if back {
            rows.drain(..rows.len().saturating_sub(size));
        } else {
            rows.truncate(size);
        }
        // The page one comes from lies on the other side of the row that was named.
        let (newer, older) = if back { (more, true) } else { (self.token.is_some(), more) };
        let token = |back: bool, row: &T| {
            let (at, sid) = key(row);
            Token { back, at, sid: sid.to_string() }
        };
        let next = rows.last().filter(|_| older).map(|row| token(false, row));
        let next = next.map(|token| self.link(path, self.page.saturating_add(1), Some(&token)));
        let previous = rows.first().filter(|_| newer).map(|row| token(true, row));
        let previous = previous.map(|token| self.link(path, self.page.saturating_sub(1), Some(&token)));
        let start = u64::from(self.page) * u64::from(self.size);
        let start = if rows.is_empty() { 0 } else { start };
        let end = start + (rows.len() as u64).saturating_sub(1);
        [
            ("end", json!(end)),
            ("first_page_uri", json!(self.link(path, 0, None))),
            ("next_page_uri", json!(next)),
            ("page", json!(self.page)),
            ("page_size", json!(self.size)),
            ("previous_page_uri", json!(previous)),
            ("start", json!(start)),
            ("uri", json!(self.link(path, self.page, self.token.as_ref()))),
        ]
    }

    /// The same as the v1 APIs show it: `url` is that of the list, absolute, without its query.
    pub(crate) fn meta<T, Sid: Display>(
        &self,
        url: &str,
        name: &str,
        rows: Vec<T>,
        key: impl Fn(&T) -> (Timestamp, Sid),
        show: impl Fn(&T) -> Value,
    ) -> Value {
        let page = self.envelope(url, name, rows, key, show);
        json!({
            "meta": {
                "page": page["page"],
                "page_size": page["page_size"],
                "first_page_url": page["first_page_uri"],
                "previous_page_url": page["previous_page_uri"],
                "url": page["uri"],
                "next_page_url": page["next_page_uri"],
                "key": name,
            },
            name: page[name],
        })
    }

    fn link(&self, path: &str, page: u32, token: Option<&Token>) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(&self.filters);
        query.append_pair("PageSize", &self.size.to_string()).append_pair("Page", &page.to_string());
        if let Some(token) = token {
            query.append_pair("PageToken", &token.text());
        }
        format!("{path}?{}", query.finish())
    }
}

impl Token {
    /// `PACA…-<creation in microseconds>`.
    fn read(text: &str) -> Option<Self> {
        let (back, rest) = match (text.strip_prefix(AFTER), text.strip_prefix(BEFORE)) {
            (Some(rest), _) => (false, rest),
            (None, Some(rest)) => (true, rest),
            (None, None) => return None,
        };
        let (sid, at) = rest.rsplit_once('-')?;
        let at: i64 = at.parse().ok()?;
        // Where the newest comes first, places are below zero.
        let (sid, at) = sid.strip_suffix('-').map_or((sid, at), |sid| (sid, -at));
        Some(Self { back, at: Timestamp(at), sid: sid.to_owned() })
    }

    fn text(&self) -> String {
        let direction = if self.back { BEFORE } else { AFTER };
        format!("{direction}{}-{}", self.sid, self.at.0)
    }
}

fn bad_token() -> ApiError {
    ApiError::new(21481, "PageToken is invalid")
}

#[cfg(test)]
mod tests {
    use base::CallSid;

    use super::*;

    fn key(row: &u32) -> (Timestamp, CallSid) {
        (Timestamp(i64::from(*row)), CallSid(u128::from(*row)))
    }

    fn page(query: &str, rows: &[u32]) -> Result<Value, ApiError> {
        let paging = Paging::read(&Params::read(query.as_bytes()))?;
        let rows = paging.among(rows.to_vec(), key)?;
        Ok(paging.envelope("/x.json", "rows", rows, key, |row| json!(row)))
    }

    /// What a link asks.
    fn query(link: &Value) -> String {
        link.as_str().unwrap().strip_prefix("/x.json?").unwrap().to_owned()
    }

    #[test]
    fn a_list_is_followed_to_its_end_and_back_while_it_changes() {
        let mut rows = vec![9, 8, 7, 6, 5];
        let first = page("To=%2B1&PageSize=2", &rows).unwrap();
        assert_eq!(first["rows"], json!([9, 8]));
        assert_eq!(first["first_page_uri"], "/x.json?To=%2B1&PageSize=2&Page=0");
        assert_eq!((&first["start"], &first["end"]), (&json!(0), &json!(1)));
        assert_eq!(first["previous_page_uri"], Value::Null);
        assert!(query(&first["next_page_uri"]).starts_with("To=%2B1&PageSize=2&Page=1&PageToken=PACA"));

        // One comes, and the one the token names goes.
        rows = vec![10, 9, 7, 6, 5];
        let second = page(&query(&first["next_page_uri"]), &rows).unwrap();
        assert_eq!(
            (&second["rows"], &second["page"], &second["start"]),
            (&json!([7, 6]), &json!(1), &json!(2))
        );
        let last = page(&query(&second["next_page_uri"]), &rows).unwrap();
        assert_eq!((&last["rows"], &last["next_page_uri"]), (&json!([5]), &Value::Null));
        assert_eq!((&last["start"], &last["end"]), (&json!(4), &json!(4)));

        let back = page(&query(&last["previous_page_uri"]), &rows).unwrap();
        assert_eq!((&back["rows"], &back["page"]), (&json!([7, 6]), &json!(1)));
        assert_eq!(page(&query(&back["next_page_uri"]), &rows).unwrap()["rows"], json!([5]));
        let front = page(&query(&back["previous_page_uri"]), &rows).unwrap();
        assert_eq!((&front["rows"], &front["page"]), (&json!([10, 9]), &json!(0)));
        assert_eq!(front["previous_page_uri"], Value::Null);
        assert!(query(&front["uri"]).contains("PageToken=PBCA"));
    }

    #[test]
    fn a_list_in_memory_may_be_the_oldest_first() {
        let rows = [1, 2, 3, 4, 5];
        let first = page("PageSize=2", &rows).unwrap();
        let second = page(&query(&first["next_page_uri"]), &rows).unwrap();
        assert_eq!(second["rows"], json!([3, 4]));
        let back = page(&query(&second["previous_page_uri"]), &rows).unwrap();
        assert_eq!((&back["rows"], &back["previous_page_uri"]), (&json!([1, 2]), &Value::Null));
    }

    #[test]
    fn a_page_is_written_as_it_is_put_together() {
        let paging = Paging::read(&Params::read(b"PageSize=2&To=x")).unwrap();
        for name in ["calls", "notifications", "recordings", "zebras"] {
            let put_together = paging.envelope("/x.json", name, vec![9, 8, 7], key, |row| json!(row));
            let written = paging.written("/x.json", name, vec![9, 8, 7], key, |row| row);
            assert_eq!(serde_json::to_string(&written).unwrap(), put_together.to_string());
        }
    }

    #[test]
    fn an_empty_page_has_no_neighbours() {
        let empty = page("", &[]).unwrap();
        assert_eq!((&empty["start"], &empty["end"], &empty["page_size"]), (&json!(0), &json!(0), &json!(50)));
        let token = format!("PageToken=PA{}-5", CallSid(5));
        let empty = page(&token, &[]).unwrap();
        assert_eq!((&empty["next_page_uri"], &empty["previous_page_uri"]), (&Value::Null, &Value::Null));
    }

    #[test]
    fn what_is_no_page_is_refused() {
        for (query, code) in [
            ("PageSize=1001", 20007),
            ("PageSize=0", 20007),
            ("PageSize=many", 20007),
            ("PageToken=XX1", 21481),
            ("PageToken=PA", 21481),
            ("PageToken=PAS1-5", 21481),
            ("PageToken=PACA00000000000000000000000000000009", 21481),
            ("PageToken=PACA00000000000000000000000000000009-x", 21481),
            ("Page=2", 21481),
            ("Page=x", 20001),
        ] {
            assert_eq!(page(query, &[1]).unwrap_err().code(), code, "{query}");
        }
    }
}
