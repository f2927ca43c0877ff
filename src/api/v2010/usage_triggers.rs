//! `…/Usage/Triggers.json` and each (reference: rest-voice §13): what was called and recorded is watched, and a web server
//! told when there is as much of it as the trigger says. Nothing costs anything here, so that no trigger fires by price.

use axum::Router;
use base::{AccountSid, Timestamp, derived};
use config::{Entry, Kind};
use serde_json::{Map, Value, json};
use store::{Store, StoreError};
use twiml::HttpMethod;

use super::usage::{Day, counted};
use crate::error::ApiError;
use crate::fields::{Field, First, Is};
use crate::params::Params;
use crate::resource::{self, Making, Resource, Shown};
use crate::{Api, OfficeBook};

struct Triggers;

/// What is held against its value.
const WHAT: &[&str] = &["count", "usage", "price"];
/// When it may fire again.
const HOW_OFTEN: &[&str] = &["daily", "monthly", "yearly", "alltime"];

impl Resource for Triggers {
    const KIND: Kind = Kind::UsageTrigger;
    const PATH: &'static str = "/Usage/Triggers";
    const LIST: &'static str = "usage_triggers";
    const FIELDS: &'static [Field] = &[
        Field { param: "FriendlyName", key: "friendly_name", is: Is::Text(64, 20001), first: First::Null },
        Field { param: "CallbackUrl", key: "callback_url", is: Is::Url(21402), first: First::Null },
        Field {
            param: "CallbackMethod",
            key: "callback_method",
            is: Is::Method(21403),
            first: First::Text("POST"),
        },
        Field { param: "UsageCategory", key: "usage_category", is: Is::Text(64, 20001), first: First::Null },
        Field { param: "TriggerValue", key: "trigger_value", is: Is::Text(32, 20001), first: First::Null },
        Field {
            param: "TriggerBy",
            key: "trigger_by",
            is: Is::Word(WHAT, 20001),
            first: First::Text("usage"),
        },
        Field {
            param: "Recurring",
            key: "recurring",
            is: Is::Word(HOW_OFTEN, 20001),
            first: First::Text("alltime"),
        },
    ];

    fn check(_: &Making<'_>, body: &mut Map<String, Value>) -> Result<(), ApiError> {
        let missing = |param: &str| ApiError::new(20001, format!("{param} is missing"));
        for (key, param) in [
            ("callback_url", "CallbackUrl"),
            ("usage_category", "UsageCategory"),
            ("trigger_value", "TriggerValue"),
        ] {
            if body[key].is_null() {
                return Err(missing(param));
            }
        }
        let value = body["trigger_value"].as_str().unwrap_or_default();
        if value.strip_prefix('+').unwrap_or(value).parse::<f64>().is_err() {
            return Err(ApiError::new(20001, "TriggerValue must be a number, or a number after +"));
        }
        Ok(())
    }

    fn check_query(query: &Params) -> Result<(), ApiError> {
        query.one_of("TriggerBy", WHAT, 20001)?;
        query.one_of("Recurring", HOW_OFTEN, 20001).map(|_| ())
    }

    fn is_wanted(query: &Params, entry: &Entry) -> bool {
        [("Recurring", "recurring"), ("TriggerBy", "trigger_by"), ("UsageCategory", "usage_category")]
            .into_iter()
            .all(|(param, key)| query.text(param).is_none_or(|text| entry.text(key) == Some(text)))
    }

    fn show(entry: &Entry, at: &Shown<'_>, shown: &mut Map<String, Value>) {
        let category = entry.text("usage_category").unwrap_or_default();
        for (key, value) in [
            ("api_version", json!("2010-04-01")),
            ("current_value", json!(entry.text(CURRENT).unwrap_or("0"))),
            ("date_fired", json!(entry.text(FIRED))),
            ("usage_record_uri", json!(format!("{}/Usage/Records.json?Category={category}", at.base))),
        ] {
            shown.insert(key.to_owned(), value);
        }
    }
}

/// Beside the fields of a trigger's body: how much there was when it was last looked at, when it last fired, and the
/// beginning of the period it fired for.
const CURRENT: &str = "current_value";
const FIRED: &str = "date_fired";
const FIRED_FOR: &str = "fired_for";

/// What a web server is told of a trigger that fired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FiredTrigger {
    /// Where.
    pub url: String,
    /// How.
    pub method: HttpMethod,
    /// What.
    pub params: Vec<(String, String)>,
}

/// Looks at every trigger once. Those that fired are known to have before they are given back: one fires once, or once a
/// day, month or year; a box that ends in between has told nobody, and the next look does not either.
pub async fn look_at_triggers(
    store: &Store,
    office: &OfficeBook,
    account: AccountSid,
    now: Timestamp,
) -> Result<Vec<FiredTrigger>, String> {
    let mut all = Vec::new();
    let entries: Vec<_> = office.view().of_kind(Kind::UsageTrigger).cloned().collect();
    for entry in entries {
        let from = period(&entry, now);
        let seen = seen(store, &entry, from, now).await.map_err(|error| error.to_string())?;
        let value = value(store, &entry, now).await.map_err(|error| error.to_string())?;
        let Some(news) = News::of(&entry, seen, value, from, now) else { continue };
        let told = news.fires.then(|| fired(&entry, &news, account));
        let key = entry.key.clone();
        let noted = office.change(move |draft| {
            // Whoever changed or deleted it meanwhile is right.
            if let Some(entry) = draft.book.get(key.kind, &key.parent, &key.sid) {
                let mut entry = Entry::clone(entry);
                news.note(&mut entry.body);
                draft.put(entry);
            }
            Ok(())
        });
        noted.await.map_err(|error| format!("{error:?}"))?;
        all.extend(told);
    }
    Ok(all)
}

/// When the period began that a trigger counts in at that moment.
fn period(entry: &Entry, at: Timestamp) -> Timestamp {
    let day = Day::of(at);
    let first = match entry.text("recurring") {
        Some("daily") => day,
        Some("monthly") => day.first_of_month(),
        Some("yearly") => day.first_of_year(),
        _ => Day::of(Timestamp(0)),
    };
    first.begins()
}

/// What a trigger fires at: with a `+`, so much more than there was when it was made, however long ago that is.
async fn value(store: &Store, entry: &Entry, now: Timestamp) -> Result<String, StoreError> {
    let value = entry.text("trigger_value").unwrap_or_default();
    let Some(more) = value.strip_prefix('+') else { return Ok(value.to_owned()) };
    // One that was changed counts from then on.
    let made = entry.updated.or(entry.created).unwrap_or(now);
    let before = seen(store, entry, period(entry, made), made).await?;
    Ok((before as f64 + more.parse::<f64>().unwrap_or(f64::INFINITY)).to_string())
}

/// How much there is of what a trigger watches, up to that moment.
async fn seen(store: &Store, entry: &Entry, from: Timestamp, to: Timestamp) -> Result<u64, StoreError> {
    let Some(what) = counted(entry.text("usage_category").unwrap_or_default()) else { return Ok(0) };
    let usage = store.usage(what, from, Timestamp(to.0.saturating_add(1))).await?;
    Ok(match entry.text("trigger_by") {
        Some("count") => usage.count,
        Some("price") => 0,
        _ => usage.minutes,
    })
}

/// What a look at a trigger found that was not known.
struct News {
    current: String,
    value: String,
    period: i64,
    fires: bool,
    date: String,
}

impl News {
    fn of(entry: &Entry, seen: u64, value: String, from: Timestamp, now: Timestamp) -> Option<Self> {
        let current = seen.to_string();
        let fired_for = entry.body.get(FIRED_FOR).and_then(Value::as_i64);
        let fires = fired_for != Some(from.0) && value.parse().is_ok_and(|value: f64| seen as f64 >= value);
        let is_known = entry.text(CURRENT) == Some(&current) && entry.text("trigger_value") == Some(&value);
        (fires || !is_known).then(|| Self { current, value, period: from.0, fires, date: now.rfc2822() })
    }

    fn note(&self, body: &mut Map<String, Value>) {
        body.insert(CURRENT.to_owned(), json!(self.current));
        body.insert("trigger_value".to_owned(), json!(self.value));
        if self.fires {
            body.insert(FIRED.to_owned(), json!(self.date));
            body.insert(FIRED_FOR.to_owned(), json!(self.period));
        }
    }
}

fn fired(entry: &Entry, news: &News, account: AccountSid) -> FiredTrigger {
    let sid = &entry.key.sid;
    let category = entry.text("usage_category").unwrap_or_default();
    let token = derived(account, &format!("usage trigger {sid} {}", news.period));
    let params = [
        ("AccountSid", account.to_string()),
        ("UsageTriggerSid", sid.clone()),
        ("FriendlyName", entry.text("friendly_name").unwrap_or_default().to_owned()),
        ("Recurring", entry.text("recurring").unwrap_or_default().to_owned()),
        ("TriggerBy", entry.text("trigger_by").unwrap_or_default().to_owned()),
        ("TriggerValue", news.value.clone()),
        ("CurrentValue", news.current.clone()),
        ("UsageCategory", category.to_owned()),
        ("UsageRecordUri", format!("/2010-04-01/Accounts/{account}/Usage/Records.json?Category={category}")),
        ("DateFired", news.date.clone()),
        ("IdempotencyToken", format!("{token:032x}")),
    ];
    FiredTrigger {
        url: entry.text("callback_url").unwrap_or_default().to_owned(),
        method: entry.text("callback_method").and_then(HttpMethod::parse).unwrap_or_default(),
        params: params.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
    }
}

pub(crate) fn routes() -> Router<Api> {
    resource::routes::<Triggers>()
}

#[cfg(test)]
mod tests {
    use base::CallSid;
    use call::record::{CallRow, StoreItem};
    use twiml::{CallStatus, Direction};

    use super::*;
    use crate::v2010::tests::{api, ask, keys, send};

    const DAY_US: i64 = 86_400_000_000;

    #[tokio::test]
    async fn one_fires_when_there_is_enough_and_once_a_period() {
        let folder = tempfile::tempdir().unwrap();
        let (api, _taken) = api(folder.path()).await;
        let made = async |form: &str| {
            let form = format!("CallbackUrl=http://web.example/t&UsageCategory=calls-inbound&{form}");
            let (status, made) = ask(&api, "POST", "Usage/Triggers.json", &form).await;
            assert_eq!(status, 201, "{made}");
            made["sid"].as_str().unwrap().to_owned()
        };
        let noon = Timestamp(20_000 * DAY_US + DAY_US / 2);
        let calls = async |n: std::ops::Range<u128>, at: Timestamp| {
            for n in n {
                let mut row =
                    CallRow::new(CallSid(n), Direction::Inbound, "a", "b", CallStatus::Completed, at);
                row.duration_s = Some(90);
                api.store.write(StoreItem::Call(row));
            }
        };
        calls(0..1, noon).await;
        let daily = made("TriggerBy=count&TriggerValue=3&Recurring=daily").await;
        let more = made("TriggerBy=usage&TriggerValue=%2B4&CallbackMethod=GET").await;
        let price = made("TriggerBy=price&TriggerValue=1").await;
        let look = async |at: Timestamp| {
            look_at_triggers(&api.store, &api.office, api.account_sid, at).await.unwrap()
        };
        assert_eq!(look(noon).await, []);
        let (_, shown) = ask(&api, "GET", &format!("Usage/Triggers/{more}.json"), "").await;
        assert_eq!((&shown["current_value"], &shown["trigger_value"]), (&json!("2"), &json!("6")), "{shown}");
        assert_eq!(shown["date_fired"], Value::Null);
        calls(1..3, noon).await;
        let fired = look(noon).await;
        let said = |fired: &FiredTrigger, name: &str| {
            fired.params.iter().find(|(n, _)| n == name).map(|(_, value)| value.clone()).unwrap()
        };
        let mut sids: Vec<_> = fired.iter().map(|fired| said(fired, "UsageTriggerSid")).collect();
        sids.sort();
        let mut both = [daily.clone(), more.clone()];
        both.sort();
        assert_eq!(sids, both);
        let once = fired.iter().find(|fired| fired.method == HttpMethod::Get).unwrap();
        assert_eq!((said(once, "CurrentValue"), said(once, "TriggerValue")), ("6".into(), "6".into()));
        assert_eq!(once.url, "http://web.example/t");
        assert_eq!(look(noon).await, [], "once");
        let (_, shown) = ask(&api, "GET", &format!("Usage/Triggers/{daily}.json"), "").await;
        assert_eq!((&shown["current_value"], &shown["date_fired"]), (&json!("3"), &json!(noon.rfc2822())));
        let tomorrow = Timestamp(noon.0 + DAY_US);
        calls(10..13, tomorrow).await;
        let again = look(tomorrow).await;
        assert_eq!((again.len(), said(&again[0], "UsageTriggerSid")), (1, daily.clone()));
        let token = |fired: &[FiredTrigger]| {
            let of_daily = fired.iter().find(|fired| said(fired, "UsageTriggerSid") == daily).unwrap();
            said(of_daily, "IdempotencyToken")
        };
        assert!(token(&again) != token(&fired), "another day is another time");
        let (_, shown) = ask(&api, "GET", &format!("Usage/Triggers/{price}.json"), "").await;
        assert_eq!((&shown["current_value"], &shown["date_fired"]), (&json!("0"), &Value::Null));
    }

    #[tokio::test]
    async fn so_much_more_counts_from_its_making_however_late_the_first_look_is() {
        let folder = tempfile::tempdir().unwrap();
        let (api, _taken) = api(folder.path()).await;
        let call = |n: u128, at: Timestamp| {
            let row = CallRow::new(CallSid(n), Direction::Inbound, "a", "b", CallStatus::Completed, at);
            api.store.write(StoreItem::Call(CallRow { duration_s: Some(90), ..row }));
        };
        let (made_at, form) = (crate::book::now(), "CallbackUrl=http://web.example/t&UsageCategory=calls");
        call(1, Timestamp(made_at.0 - DAY_US));
        let form = format!("{form}&TriggerBy=count&TriggerValue=%2B2");
        let (_, made) = ask(&api, "POST", "Usage/Triggers.json", &form).await;
        // The box was away: it has seen two calls since and nobody has looked at the trigger.
        let later = Timestamp(made_at.0 + DAY_US);
        call(2, later);
        let look = async || look_at_triggers(&api.store, &api.office, api.account_sid, later).await.unwrap();
        assert_eq!(look().await, []);
        let path = format!("Usage/Triggers/{}.json", made["sid"].as_str().unwrap());
        let (_, shown) = ask(&api, "GET", &path, "").await;
        assert_eq!((&shown["current_value"], &shown["trigger_value"]), (&json!("2"), &json!("3")));
        call(3, later);
        assert_eq!(look().await.len(), 1);
    }

    #[tokio::test]
    async fn one_is_kept_in_the_published_shape() {
        let folder = tempfile::tempdir().unwrap();
        let (api, _taken) = api(folder.path()).await;
        let form = "CallbackUrl=http://web.example/t&UsageCategory=calls&TriggerValue=%2B50&Recurring=daily";
        let (status, made) = ask(&api, "POST", "Usage/Triggers.json", form).await;
        let published: serde_json::Value =
            serde_json::from_str(include_str!("../../../tests/data/rest/usage_trigger.json")).unwrap();
        assert_eq!((status, keys(&made)), (201, keys(&published)), "{made}");
        for (query, count) in [("", 1), ("?Recurring=daily", 1), ("?UsageCategory=sms", 0)] {
            let (_, page) = ask(&api, "GET", &format!("Usage/Triggers.json{query}"), "").await;
            assert_eq!(page["usage_triggers"].as_array().map(Vec::len), Some(count), "{query}");
        }
        for form in ["", "CallbackUrl=http://w/&UsageCategory=calls&TriggerValue=many"] {
            assert_eq!(ask(&api, "POST", "Usage/Triggers.json", form).await.1["code"], 20001, "{form}");
        }
        let path = format!("Usage/Triggers/{}.json", made["sid"].as_str().unwrap());
        assert_eq!(send(&api, "DELETE", &path, "", "secret").await.status(), 204);
    }
}
