//! `…/Usage/Records.json` and its lists by period (reference: rest-voice §13): what was called and recorded, counted from
//! the rows. The box charges nothing. Days are those of UTC.

use axum::extract::{OriginalUri, State};
use axum::http::Uri;
use axum::routing::get;
use axum::{Json, Router};
use base::Timestamp;
use serde_json::{Map, Value, json};
use store::{Counted, Usage};

use crate::Api;
use crate::auth::Authorized;
use crate::book::now;
use crate::error::ApiError;
use crate::paging::Paging;
use crate::params::Params;

/// Which periods a list has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Periods {
    /// One: from `StartDate` to `EndDate`.
    Asked,
    Today,
    Yesterday,
    ThisMonth,
    LastMonth,
    Daily,
    Monthly,
    Yearly,
}

pub(crate) fn routes() -> Router<Api> {
    let mut routes = Router::new();
    for (path, periods) in [
        ("Records", Periods::Asked),
        ("Records/AllTime", Periods::Asked),
        ("Records/Today", Periods::Today),
        ("Records/Yesterday", Periods::Yesterday),
        ("Records/ThisMonth", Periods::ThisMonth),
        ("Records/LastMonth", Periods::LastMonth),
        ("Records/Daily", Periods::Daily),
        ("Records/Monthly", Periods::Monthly),
        ("Records/Yearly", Periods::Yearly),
    ] {
        let handler = get(move |authorized: Authorized, state: State<Api>, OriginalUri(uri): OriginalUri| {
            list(periods, authorized, state, uri)
        });
        for end in [".json", ""] {
            routes = routes.route(&format!("/Usage/{path}{end}"), handler.clone());
        }
    }
    routes
}

/// What is counted, by its published name and description; the rest of the published ones are nothing here.
const CATEGORIES: [(&str, &str, &str, Counted); 4] = [
    ("calls", "Voice Minutes", "calls", Counted::Calls),
    ("calls-inbound", "Inbound Voice Minutes", "calls", Counted::Inbound),
    ("calls-outbound", "Outbound Voice Minutes", "calls", Counted::Outbound),
    ("recordings", "Recordings", "recordings", Counted::Recordings),
];

/// What of the calls and recordings a category counts; `None`: there is nothing of it here.
pub(super) fn counted(category: &str) -> Option<Counted> {
    CATEGORIES.iter().find(|(name, ..)| *name == category).map(|(.., what)| *what)
}

/// Periods of one list; older ones are left out.
const PERIODS_MAX: usize = 4_000;

/// A row before it is counted: its days, both included, and its category.
struct Record {
    first: Day,
    last: Day,
    category: String,
}

async fn list(
    periods: Periods,
    _: Authorized,
    State(api): State<Api>,
    uri: Uri,
) -> Result<Json<Value>, ApiError> {
    let query = Params::read(uri.query().unwrap_or_default().as_bytes());
    let paging = Paging::read(&query)?;
    // There are none, so that it is all the same.
    query.flag("IncludeSubaccounts")?;
    let today = Day::of(now());
    let asked = |name: &str, default: Day| match query.text(name) {
        None => Ok(default),
        Some(text) => {
            Day::read(text, today).ok_or_else(|| ApiError::new(20001, format!("{name} is no date: {text}")))
        }
    };
    let oldest = api.store.first_call_at().await?.map_or(today, Day::of);
    let (from, to) = (asked("StartDate", oldest)?, asked("EndDate", today)?);
    let categories: Vec<String> = match query.text("Category") {
        Some(text) => vec![text.chars().take(64).collect()],
        None => CATEGORIES.iter().map(|(name, ..)| (*name).to_owned()).collect(),
    };
    let mut rows = Vec::new();
    for (first, last) in periods.spans(from, to, today) {
        rows.extend(categories.iter().map(|category| Record { first, last, category: category.clone() }));
    }
    let key = |row: &Record| (row.first.begins(), row.category.clone());
    rows.sort_by_key(|row| std::cmp::Reverse(key(row)));
    let rows = paging.among(rows, key)?;
    let mut shown_rows = Vec::new();
    for row in rows {
        let usage = match counted(&row.category) {
            Some(what) => api.store.usage(what, row.first.begins(), row.last.next().begins()).await?,
            None => Usage::default(),
        };
        shown_rows.push((row, usage));
    }
    let key = |(row, _): &(Record, Usage)| key(row);
    let shown = |(row, usage): &(Record, Usage)| show(row, *usage, &api);
    Ok(Json(paging.envelope(uri.path(), "usage_records", shown_rows, key, shown)))
}

fn show(row: &Record, usage: Usage, api: &Api) -> Value {
    let known = CATEGORIES.iter().find(|(name, ..)| *name == row.category);
    let (description, unit) = known.map_or(("", ""), |(_, description, unit, _)| (*description, *unit));
    let base = format!("/2010-04-01/Accounts/{}/Usage/Records", api.account_sid);
    let category = &row.category;
    let below = [
        ("all_time", "AllTime"),
        ("daily", "Daily"),
        ("last_month", "LastMonth"),
        ("monthly", "Monthly"),
        ("this_month", "ThisMonth"),
        ("today", "Today"),
        ("yearly", "Yearly"),
        ("yesterday", "Yesterday"),
    ];
    let below: Map<String, Value> = below
        .into_iter()
        .map(|(key, name)| (key.to_owned(), json!(format!("{base}/{name}.json?Category={category}"))))
        .collect();
    let (first, last) = (row.first.text(), row.last.text());
    json!({
        "account_sid": api.account_sid,
        "api_version": "2010-04-01",
        "as_of": now().iso8601().replace('Z', "+00:00"),
        "category": category,
        "count": usage.count.to_string(),
        "count_unit": unit,
        "description": description,
        "start_date": first,
        "end_date": last,
        "price": "0",
        "price_unit": "usd",
        "subresource_uris": below,
        "uri": format!("{base}.json?Category={category}&StartDate={first}&EndDate={last}"),
        "usage": usage.minutes.to_string(),
        "usage_unit": if known.is_some() { "minutes" } else { "" },
    })
}

impl Periods {
    /// First and last day of each, the newest first.
    fn spans(self, from: Day, to: Day, today: Day) -> Vec<(Day, Day)> {
        let this_month = today.first_of_month();
        match self {
            Periods::Asked if from > to => Vec::new(),
            Periods::Asked => vec![(from, to)],
            Periods::Today => vec![(today, today)],
            Periods::Yesterday => vec![(today.before(), today.before())],
            Periods::ThisMonth => vec![(this_month, today)],
            Periods::LastMonth => {
                let last = this_month.before();
                vec![(last.first_of_month(), last)]
            }
            Periods::Daily => stretches(from, to, |day| day),
            Periods::Monthly => stretches(from, to, Day::first_of_month),
            Periods::Yearly => stretches(from, to, Day::first_of_year),
        }
    }
}

/// Cuts a stretch of days where `first` says that a period begins.
fn stretches(from: Day, to: Day, first: impl Fn(Day) -> Day) -> Vec<(Day, Day)> {
    let mut all = Vec::new();
    let mut last = to;
    while last >= from && all.len() < PERIODS_MAX {
        let begins = first(last).max(from);
        all.push((begins, last));
        last = begins.before();
    }
    all
}

/// A day of UTC, counted from 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Day(i64);

const DAY_US: i64 = 86_400_000_000;

impl Day {
    pub(super) fn of(at: Timestamp) -> Self {
        Self(at.0.div_euclid(DAY_US))
    }

    /// `2010-08-20`, or days before or after today: `-30days`.
    fn read(text: &str, today: Day) -> Option<Self> {
        if let Some(days) = text.strip_suffix("days").or_else(|| text.strip_suffix("day")) {
            let days: i32 = days.parse().ok()?;
            return Some(Self(today.0.saturating_add(i64::from(days))));
        }
        Timestamp::parse_iso8601(text).map(|(at, _)| Self::of(at))
    }

    pub(super) fn begins(self) -> Timestamp {
        Timestamp(self.0.saturating_mul(DAY_US))
    }

    fn next(self) -> Self {
        Self(self.0 + 1)
    }

    fn before(self) -> Self {
        Self(self.0 - 1)
    }

    fn text(self) -> String {
        self.begins().iso8601().chars().take(10).collect()
    }

    pub(super) fn first_of_month(self) -> Self {
        let text = self.text();
        let day: i64 = text.get(8..10).and_then(|day| day.parse().ok()).unwrap_or(1);
        Self(self.0 - day + 1)
    }

    pub(super) fn first_of_year(self) -> Self {
        let mut day = self.first_of_month();
        // At most eleven steps back.
        while day.text().get(5..7).is_some_and(|month| month != "01") {
            day = day.before().first_of_month();
        }
        day
    }
}

#[cfg(test)]
mod tests {
    use base::CallSid;
    use call::record::{CallRow, StoreItem};
    use twiml::{CallStatus, Direction};

    use super::*;
    use crate::v2010::tests::{api, ask, keys};

    fn day(text: &str) -> Day {
        Day::read(text, Day(0)).unwrap()
    }

    #[test]
    fn periods_are_whole_but_for_their_ends() {
        let shown = |periods: Periods| -> Vec<(String, String)> {
            let spans = periods.spans(day("2023-12-30"), day("2024-03-02"), day("2024-03-02"));
            spans.into_iter().map(|(first, last)| (first.text(), last.text())).collect()
        };
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(shown(Periods::LastMonth), [pair("2024-02-01", "2024-02-29")]);
        assert_eq!(
            shown(Periods::Monthly),
            [
                pair("2024-03-01", "2024-03-02"),
                pair("2024-02-01", "2024-02-29"),
                pair("2024-01-01", "2024-01-31"),
                pair("2023-12-30", "2023-12-31"),
            ]
        );
        assert_eq!(
            shown(Periods::Yearly),
            [pair("2024-01-01", "2024-03-02"), pair("2023-12-30", "2023-12-31")]
        );
        assert_eq!(shown(Periods::Daily).len(), 64);
    }

    #[tokio::test]
    async fn calls_are_counted_by_category_and_period() {
        let folder = tempfile::tempdir().unwrap();
        let (api, _taken) = api(folder.path()).await;
        for (n, direction) in [(1, Direction::Inbound), (2, Direction::OutboundApi)] {
            let mut row = CallRow::new(CallSid(n), direction, "a", "b", CallStatus::Completed, now());
            row.duration_s = Some(61);
            api.store.write(StoreItem::Call(row));
        }
        let published: Value =
            serde_json::from_str(include_str!("../../../tests/data/rest/usage_record.json")).unwrap();
        let (status, page) = ask(&api, "GET", "Usage/Records.json?Category=calls", "").await;
        let record = &page["usage_records"][0];
        assert_eq!((status, keys(record)), (200, keys(&published)), "{page}");
        assert_eq!(keys(&record["subresource_uris"]), keys(&published["subresource_uris"]));
        assert_eq!(
            (&record["count"], &record["usage"], &record["price"]),
            (&json!("2"), &json!("4"), &json!("0"))
        );
        for (path, count) in [
            ("Records.json", 4),
            ("Records/Today.json?Category=calls-inbound", 1),
            ("Records/Yesterday.json?Category=calls", 1),
            ("Records/Daily?Category=calls&StartDate=-2days", 3),
            ("Records/Monthly.json?PageSize=2", 2),
            ("Records/AllTime.json?Category=sms", 1),
            ("Records.json?StartDate=2030-01-02&EndDate=2030-01-01", 0),
        ] {
            let (status, page) = ask(&api, "GET", &format!("Usage/{path}"), "").await;
            assert_eq!(
                (status, page["usage_records"].as_array().map(Vec::len)),
                (200, Some(count)),
                "{path}"
            );
        }
        let (_, page) = ask(&api, "GET", "Usage/Records/Yesterday.json?Category=calls", "").await;
        assert_eq!(page["usage_records"][0]["count"], "0");
        for query in ["StartDate=soon", "EndDate=2030-02-30", "IncludeSubaccounts=perhaps", "PageSize=0"] {
            let (_, refused) = ask(&api, "GET", &format!("Usage/Records.json?{query}"), "").await;
            assert!(refused["code"].is_u64(), "{query}: {refused}");
        }
    }
}
