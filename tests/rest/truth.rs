//! Random stories of calls that come, are placed, changed, ended and deleted while lists are followed, forwards and back.
//! Whatever is shown is as the node has it at that moment, and who follows a list sees whatever was there all the while,
//! once and in its order.

use std::collections::{BTreeMap, BTreeSet};

use base::Rng;
use call::{Operator, OperatorReply};
use serde_json::Value;
use sim::{Answer as Page, Caller, NUMBER, VOICE};

use crate::house::{ACCOUNT, House};

/// Stories in each run, and what happens in each.
const STORIES: u64 = 4;
const STEPS: usize = 80;
/// What is followed: everything, or what a filter lets through whatever becomes of it.
const FILTERS: [&str; 3] = ["", "To=%2B15550001111&", "StartTime%3E=2000-01-01&"];

#[tokio::test(flavor = "current_thread")]
async fn what_is_shown_is_so_and_lists_miss_nothing_while_calls_come_and_go() {
    let seeds = match std::env::var("SEED") {
        Ok(seed) => vec![seed.parse().expect("SEED is a number")],
        Err(_) => (0..STORIES).collect(),
    };
    let (mut pages, mut walks) = (0, 0);
    for seed in seeds {
        println!("SEED={seed}");
        let mut story = Story::begin(seed).await;
        for _ in 0..STEPS {
            story.step().await;
        }
        pages += story.pages;
        walks += story.walks;
    }
    println!("{pages} pages of {walks} lists were followed to their end");
    assert!(walks > 0 && pages > 4, "{pages} pages of {walks} lists");
}

struct Story {
    house: House,
    rng: Rng,
    /// Those on the line who came by themselves.
    callers: Vec<Caller>,
    deleted: BTreeSet<String>,
    walk: Option<Walk>,
    pages: usize,
    walks: usize,
}

/// A list that is being followed.
struct Walk {
    filter: &'static str,
    next: String,
    is_back: bool,
    seen: Vec<String>,
    /// What stood in it when it was begun.
    there: BTreeSet<String>,
}

impl Story {
    async fn begin(seed: u64) -> Self {
        let mut house = House::open().await;
        house.office.web().serve(VOICE, Page::twiml("<Play loop=\"0\">http://web.example/music.wav</Play>"));
        Self {
            house,
            rng: Rng::seeded(seed),
            callers: Vec::new(),
            deleted: BTreeSet::new(),
            walk: None,
            pages: 0,
            walks: 0,
        }
    }

    async fn step(&mut self) {
        match self.rng.below(16) {
            0..=2 => {
                // Several of one moment now and then.
                for _ in 0..=self.rng.below(3) {
                    self.callers.push(self.house.office.carrier_calls(NUMBER));
                }
            }
            3 | 4 => self.places().await,
            5 => self.ends().await,
            6 => self.deletes().await,
            7 if !self.callers.is_empty() => {
                let n = self.rng.below(self.callers.len() as u64) as usize;
                let caller = self.callers.swap_remove(n);
                self.house.office.hangs_up(&caller);
            }
            7..=9 => {
                // What the node wrote is on its way to the disk, wherever that has got to.
                let ms = self.rng.below(600);
                self.house.drift_ms(ms);
            }
            _ => self.follows().await,
        }
        if self.rng.below(4) == 0 {
            self.is_so().await;
        }
    }

    async fn ask(&mut self, method: &str, path: &str, form: &str) -> (u16, Value) {
        let path = match path.starts_with('/') {
            true => path.to_owned(),
            false => format!("/2010-04-01/Accounts/{ACCOUNT}/{path}"),
        };
        let answer = self.house.ask(method, &path, form).await;
        (answer.status, answer.body)
    }

    /// Everything on record, the newest first.
    async fn all(&mut self, filter: &str) -> Vec<Value> {
        let (status, body) = self.ask("GET", &format!("Calls.json?{filter}PageSize=1000"), "").await;
        assert_eq!(status, 200, "{body}");
        assert_eq!(body["next_page_uri"], Value::Null, "a story is shorter");
        body["calls"].as_array().unwrap().clone()
    }

    async fn places(&mut self) {
        let form = format!(
            "To=client:ann&From={}&Twiml=%3CResponse%3E%3CPause+length='9'/%3E%3C/Response%3E",
            "%2B15550001111"
        );
        let (status, made) = self.ask("POST", "Calls.json", &form).await;
        if status == 201 {
            let (status, found) = self.ask("GET", &format!("Calls/{}.json", sid(&made)), "").await;
            assert_eq!((status, &found), (200, &made), "what is acknowledged is there");
        }
    }

    /// One that is going on is ended.
    async fn ends(&mut self) {
        let live: Vec<String> = self.live().into_keys().collect();
        if live.is_empty() {
            return;
        }
        let call = &live[self.rng.below(live.len() as u64) as usize];
        let (status, body) = self.ask("POST", &format!("Calls/{call}.json"), "Status=completed").await;
        // It may have ended by itself and wait for its last figures.
        assert!(status == 200 || body["code"] == 21220, "{body}");
    }

    async fn deletes(&mut self) {
        let over: Vec<Value> =
            self.all("").await.into_iter().filter(|row| !row["end_time"].is_null()).collect();
        if over.is_empty() {
            return;
        }
        let call = sid(&over[self.rng.below(over.len() as u64) as usize]);
        let (status, body) = self.ask("DELETE", &format!("Calls/{call}.json"), "").await;
        if status == 204 {
            assert_eq!(self.ask("GET", &format!("Calls/{call}.json"), "").await.0, 404);
            self.deleted.insert(call);
        } else {
            assert_eq!(body["code"], 20009, "{body}");
        }
    }

    /// One page more, or a new list.
    async fn follows(&mut self) {
        let Some(mut walk) = self.walk.take() else {
            let filter = FILTERS[self.rng.below(FILTERS.len() as u64) as usize];
            let size = 1 + self.rng.below(7);
            let there = self.all(filter).await.iter().map(sid).collect();
            let next = format!("Calls.json?{filter}PageSize={size}");
            self.walk = Some(Walk { filter, next, is_back: false, seen: Vec::new(), there });
            return;
        };
        let (status, page) = self.ask("GET", &walk.next, "").await;
        assert_eq!(status, 200, "{page}");
        self.pages += 1;
        let mut rows: Vec<String> = page["calls"].as_array().unwrap().iter().map(sid).collect();
        if walk.is_back {
            rows.reverse();
        }
        walk.seen.extend(rows);
        let link = if walk.is_back { "previous_page_uri" } else { "next_page_uri" };
        match page[link].as_str() {
            Some(next) => {
                next.clone_into(&mut walk.next);
                self.walk = Some(walk);
            }
            None => self.is_whole(walk, page["previous_page_uri"].as_str()).await,
        }
    }

    /// At the end of a list: everything that was there when it was begun, and is still there, was seen, once, in its order.
    async fn is_whole(&mut self, walk: Walk, back: Option<&str>) {
        self.walks += 1;
        let mut now: Vec<String> = self.all(walk.filter).await.iter().map(sid).collect();
        if walk.is_back {
            now.reverse();
        }
        let once: BTreeSet<&String> = walk.seen.iter().collect();
        assert_eq!(once.len(), walk.seen.len(), "twice: {:?}", walk.seen);
        let missed: Vec<_> =
            walk.there.iter().filter(|call| !self.deleted.contains(*call) && !once.contains(call)).collect();
        assert!(missed.is_empty(), "missed: {missed:?} of {:?}", walk.seen);
        let kept: Vec<_> = walk.seen.iter().filter(|call| now.contains(call)).collect();
        let order: Vec<_> = now.iter().filter(|call| once.contains(call)).collect();
        assert_eq!(kept, order);
        // From the last page the way leads back; it ends where the newest are.
        if let Some(next) = back.filter(|_| !walk.is_back) {
            let last: BTreeSet<String> = self.before(next).await;
            self.walk = Some(Walk {
                filter: walk.filter,
                next: next.to_owned(),
                is_back: true,
                seen: Vec::new(),
                there: last,
            });
        }
    }

    /// What stands before a page: what lies between the newest and the row its token names.
    async fn before(&mut self, uri: &str) -> BTreeSet<String> {
        let mut all = BTreeSet::new();
        let mut next = Some(uri.to_owned());
        while let Some(uri) = next {
            let (_, page) = self.ask("GET", &uri, "").await;
            all.extend(page["calls"].as_array().unwrap().iter().map(sid));
            next = page["previous_page_uri"].as_str().map(str::to_owned);
        }
        all
    }

    /// The calls the node has, and how they are.
    fn live(&mut self) -> BTreeMap<String, String> {
        let OperatorReply::Calls(live) = self.house.office.operator(Operator::Calls) else { panic!() };
        let is_live = |status: &str| ["queued", "ringing", "in-progress"].contains(&status);
        live.into_iter()
            .filter(|call| is_live(&call.status))
            .map(|call| (call.sid.to_string(), call.status))
            .collect()
    }

    /// What is on record is what the node has.
    async fn is_so(&mut self) {
        self.house.drift_ms(0);
        let live = self.live();
        let shown = self.all("").await;
        let going_on = shown.iter().filter(|row| row["end_time"].is_null());
        let going_on: BTreeMap<String, String> =
            going_on.map(|row| (sid(row), row["status"].as_str().unwrap().to_owned())).collect();
        assert_eq!(going_on, live, "what is shown, and what is");
        for status in ["queued", "ringing", "in-progress"] {
            let listed = self.all(&format!("Status={status}&")).await;
            let listed: BTreeSet<String> = listed.iter().map(sid).collect();
            let is: BTreeSet<String> =
                live.iter().filter(|(_, is)| *is == status).map(|(call, _)| call.clone()).collect();
            assert_eq!(listed, is, "{status}");
        }
        assert!(shown.iter().all(|row| !self.deleted.contains(&sid(row))), "what is deleted stays away");
        if let Some(row) = shown.first() {
            let (_, one) = self.ask("GET", &format!("Calls/{}.json", sid(row)), "").await;
            assert_eq!(&one, row, "a list shows what one shows");
        }
    }
}

fn sid(row: &Value) -> String {
    row["sid"].as_str().expect("a call has a sid").to_owned()
}
