//! Lists page by page, as the 2010 API shows them (reference: rest-voice §3).

use serde_json::{Map, Value, json};
use url::form_urlencoded;

use crate::error::ApiError;
use crate::params::Params;

/// Rows of a page when nothing is said.
const SIZE: u32 = 50;
/// Rows of the largest page.
const SIZE_MAX: u32 = 1_000;
/// What a token begins with: the rows after the one it names.
const AFTER: &str = "PA";

/// Which page is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Paging {
    /// Rows at most.
    pub(crate) size: u32,
    /// Its number, from 0.
    page: u32,
    /// The sid of the last row of the page before.
    pub(crate) after: Option<String>,
    /// What else was asked, to be repeated in every link.
    filters: Vec<(String, String)>,
}

impl Paging {
    pub(crate) fn read(query: &Params) -> Result<Self, ApiError> {
        let size = match query.text("PageSize").map(str::parse) {
            None => SIZE,
            Some(Ok(size @ 1..=SIZE_MAX)) => size,
            Some(_) => return Err(ApiError::new(20007, format!("PageSize must be from 1 to {SIZE_MAX}"))),
        };
        let page = query.number("Page", 0..=u32::MAX, 20001)?.unwrap_or(0);
        let bad = || ApiError::new(21481, "PageToken is invalid");
        let after = match query.text("PageToken") {
            Some(token) => Some(token.strip_prefix(AFTER).ok_or_else(bad)?.to_owned()),
            None if page > 0 => {
                return Err(ApiError::new(21481, "Page needs the PageToken of a next_page_uri"));
            }
            None => None,
        };
        let ours = ["PageSize", "Page", "PageToken"];
        let filters = query.iter().filter(|(name, _)| !ours.contains(name));
        let filters = filters.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Ok(Self { size, page, after, filters })
    }

    /// The envelope of one page; `rows` may be one more than the page takes, which says that there is another.
    pub(crate) fn envelope<T>(
        &self,
        path: &str,
        key: &str,
        mut rows: Vec<T>,
        sid: impl Fn(&T) -> String,
        show: impl Fn(&T) -> Value,
    ) -> Value {
        let size = self.size as usize;
        let more = rows.len() > size;
        rows.truncate(size);
        let next = rows.last().filter(|_| more).map(|row| self.link(path, self.page + 1, Some(&sid(row))));
        let start = u64::from(self.page) * u64::from(self.size);
        let start = if rows.is_empty() { 0 } else { start };
        let end = start + (rows.len() as u64).saturating_sub(1);
        let mut envelope = Map::new();
        envelope.insert(key.to_owned(), rows.iter().map(show).collect());
        for (name, value) in [
            ("first_page_uri", json!(self.link(path, 0, None))),
            ("next_page_uri", json!(next)),
            ("previous_page_uri", Value::Null),
            ("page", json!(self.page)),
            ("page_size", json!(self.size)),
            ("start", json!(start)),
            ("end", json!(end)),
            ("uri", json!(self.link(path, self.page, self.after.as_deref()))),
        ] {
            envelope.insert(name.to_owned(), value);
        }
        Value::Object(envelope)
    }

    fn link(&self, path: &str, page: u32, after: Option<&str>) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(&self.filters);
        query.append_pair("PageSize", &self.size.to_string()).append_pair("Page", &page.to_string());
        if let Some(after) = after {
            query.append_pair("PageToken", &format!("{AFTER}{after}"));
        }
        format!("{path}?{}", query.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(query: &str, rows: &[u32]) -> Result<Value, ApiError> {
        let paging = Paging::read(&Params::read(query.as_bytes()))?;
        Ok(paging.envelope("/x.json", "rows", rows.to_vec(), |row| format!("S{row}"), |row| json!(row)))
    }

    #[test]
    fn a_page_leads_to_the_next_until_there_is_none() {
        let first = page("To=%2B1&PageSize=2", &[9, 8, 7]).unwrap();
        assert_eq!(first["rows"], json!([9, 8]));
        assert_eq!(first["next_page_uri"], "/x.json?To=%2B1&PageSize=2&Page=1&PageToken=PAS8");
        assert_eq!(first["first_page_uri"], "/x.json?To=%2B1&PageSize=2&Page=0");
        assert_eq!((&first["start"], &first["end"]), (&json!(0), &json!(1)));
        let last = page("PageSize=2&Page=1&PageToken=PAS8", &[7]).unwrap();
        assert_eq!(last["next_page_uri"], Value::Null);
        assert_eq!((&last["start"], &last["end"], &last["page"]), (&json!(2), &json!(2), &json!(1)));
        let empty = page("", &[]).unwrap();
        assert_eq!((&empty["start"], &empty["end"], &empty["page_size"]), (&json!(0), &json!(0), &json!(50)));
    }

    #[test]
    fn what_is_no_page_is_refused() {
        for (query, code) in
            [("PageSize=1001", 20007), ("PageSize=0", 20007), ("PageToken=XX1", 21481), ("Page=2", 21481)]
        {
            assert_eq!(page(query, &[]).unwrap_err().code(), code, "{query}");
        }
    }
}
