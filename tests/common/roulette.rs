//! A whole application of somebody else's making, as a web server sees it: callers are put together with strangers, two
//! by two, and nobody twice with the same one.
//!
//! It follows the published sample application `call_roulette`: a call is a state machine whose states render documents,
//! events are URLs, and a router looks every second whom it can put together, by updating both live calls over REST.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::rest::Rest;
use super::web::{Reply, Request, Web};
use super::{hz, tone};

/// Where a call stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Initial,
    Greeting,
    Waiting,
    InConference,
    TimedOut,
    Ended,
}

/// One call as the application knows it.
#[derive(Clone, Debug)]
pub struct Call {
    pub sid: String,
    pub state: State,
    pub waiting_at: Option<Instant>,
    pub ended_at: Option<Instant>,
    pub conference: Option<String>,
    /// Numbers it has talked to.
    met: BTreeSet<String>,
    /// An update is on its way.
    called_up: bool,
    /// Everything it was told, by names in snake case.
    columns: BTreeMap<String, String>,
}

/// The application; its router stops with the process.
#[derive(Clone)]
pub struct Roulette {
    web: Web,
    /// Where the box's REST API is.
    rest: SocketAddr,
    calls: Arc<Mutex<Vec<Call>>>,
    pairs: Arc<Mutex<Vec<[String; 2]>>>,
    max_wait: Duration,
}

/// How long each sound of the application lasts.
pub const SOUND_S: f64 = 1.0;
/// The tones of its seven hold tracks.
pub const TRACKS: [f64; 7] = [1500.0, 1600.0, 1700.0, 1800.0, 1900.0, 2000.0, 2100.0];
/// "Sorry, there is nobody."
pub const SORRY: f64 = 2500.0;

/// The events that a URL may name; anything else is an error, never a method.
const EVENTS: &[&str] = &["incoming_call", "greeted", "put_in_conference", "cleanup", "time_out", "hang_up"];

impl Roulette {
    /// Puts the application on a web server.
    pub fn start(web: &Web, rest: SocketAddr, max_wait: Duration) -> Self {
        let app = Self { web: web.clone(), rest, calls: Arc::default(), pairs: Arc::default(), max_wait };
        web.sound("/greeting.wav", &tone::sine(hz::PROMPT, SOUND_S));
        web.sound("/partner.wav", &tone::sine(hz::MENU, SOUND_S));
        web.sound("/sorry.wav", &tone::sine(SORRY, SOUND_S));
        for (n, track) in TRACKS.iter().enumerate() {
            web.sound(&format!("/hold/{n}.wav"), &tone::sine(*track, SOUND_S * 3.0));
        }
        let (create, flow, stats) = (app.clone(), app.clone(), app.clone());
        web.on("/calls/create", move |request| create.create(request));
        web.on("/calls/flow", move |request| flow.flow(request));
        web.document("/calls/exception", "<Play>/sorry.wav</Play>");
        web.on("/dashboard/stats", move |_| {
            Reply::new(200, "application/json", stats.stats().to_string().into_bytes())
        });
        let router = app.clone();
        std::thread::spawn(move || {
            loop {
                std::thread::sleep(Duration::from_secs(1));
                router.tick();
            }
        });
        app
    }

    /// The calls so far.
    pub fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }

    /// The call of this caller.
    pub fn call_of(&self, number: &str) -> Option<Call> {
        self.calls().into_iter().rev().find(|call| call.number() == number)
    }

    /// The numbers that were put together, in order.
    pub fn pairs(&self) -> Vec<[String; 2]> {
        self.pairs.lock().unwrap().clone()
    }

    fn create(&self, request: &Request) -> Reply {
        let mut call = Call {
            sid: request.get("CallSid").to_owned(),
            state: State::Initial,
            waiting_at: None,
            ended_at: None,
            conference: None,
            met: BTreeSet::new(),
            called_up: false,
            columns: BTreeMap::new(),
        };
        call.capture(request);
        call.fire("incoming_call");
        let reply = call.render();
        self.calls.lock().unwrap().push(call);
        reply
    }

    /// An event that does not fit the state changes nothing: the document of the state is given again.
    fn flow(&self, request: &Request) -> Reply {
        let event = request.query.get("event").map_or("", String::as_str);
        if !EVENTS.contains(&event) {
            return Reply::new(500, "text/plain", "no such event");
        }
        let sid = request.query.get("call_id").cloned().unwrap_or_else(|| request.get("CallSid").to_owned());
        let mut calls = self.calls.lock().unwrap();
        let Some(call) = calls.iter_mut().find(|call| call.sid == sid) else {
            return Reply::new(404, "text/plain", "no such call");
        };
        call.capture(request);
        call.fire(event);
        call.render()
    }

    fn stats(&self) -> Value {
        let calls = self.calls();
        let show = |state: State| -> Vec<Value> {
            let there = calls.iter().filter(|call| call.state == state);
            there.map(|call| json!({ "location": call.location(), "conference": call.conference })).collect()
        };
        json!({
            "waiting": show(State::Waiting),
            "in_conference": show(State::InConference),
            "live": calls.iter().filter(|call| call.state != State::Ended).count(),
            "total": calls.len(),
        })
    }

    /// Looks once whom it can put together, and who has waited too long.
    fn tick(&self) {
        let mut updates = Vec::new();
        {
            let mut calls = self.calls.lock().unwrap();
            let mut waiting: Vec<usize> = (0..calls.len())
                .filter(|n| calls[*n].state == State::Waiting && !calls[*n].called_up)
                .collect();
            shuffle(&mut waiting);
            for pair in waiting.chunks_exact(2) {
                let [a, b] = [&calls[pair[0]], &calls[pair[1]]];
                if a.met.contains(b.number()) || b.met.contains(a.number()) {
                    continue;
                }
                let mut sids = [a.sid.clone(), b.sid.clone()];
                sids.sort();
                let numbers = [a.number().to_owned(), b.number().to_owned()];
                for (n, other) in [(pair[0], 1), (pair[1], 0)] {
                    calls[n].met.insert(numbers[other].clone());
                    calls[n].conference = Some(sids.join("::"));
                    calls[n].called_up = true;
                    updates.push((calls[n].sid.clone(), "put_in_conference"));
                }
                self.pairs.lock().unwrap().push(numbers);
            }
            for n in waiting {
                let long = calls[n].waiting_at.is_some_and(|at| at.elapsed() > self.max_wait);
                if long && !calls[n].called_up {
                    calls[n].called_up = true;
                    updates.push((calls[n].sid.clone(), "time_out"));
                }
            }
        }
        for (sid, event) in updates {
            let url = self.web.url(&format!("/calls/flow?event={event}&call_id={sid}"));
            let status = update(self.rest, &sid, &url);
            // It may have hung up meanwhile: its status callback says so.
            assert!(matches!(status, 200 | 400), "{event} for {sid}: {status}");
        }
    }
}

impl Call {
    pub fn number(&self) -> &str {
        self.columns.get("from").map_or("", String::as_str)
    }

    /// What it was told last of this name.
    pub fn column(&self, name: &str) -> Option<&str> {
        self.columns.get(name).map(String::as_str)
    }

    /// A plain SIP caller has no city.
    fn location(&self) -> &str {
        self.columns.get("from_city").map_or("unknown caller", String::as_str)
    }

    /// What it was told is kept; what is empty never takes the place of what was known.
    fn capture(&mut self, request: &Request) {
        for (name, value) in request.form.iter().filter(|(_, value)| !value.is_empty()) {
            let mut snake = String::new();
            for (at, c) in name.chars().enumerate() {
                if c.is_ascii_uppercase() && at > 0 {
                    snake.push('_');
                }
                snake.push(c.to_ascii_lowercase());
            }
            self.columns.insert(snake, value.clone());
        }
    }

    fn fire(&mut self, event: &str) {
        let next = match (self.state, event) {
            (State::Initial, "incoming_call") | (State::InConference, "cleanup") => State::Greeting,
            (State::Greeting, "greeted") => State::Waiting,
            (State::Waiting, "put_in_conference") => State::InConference,
            (State::Waiting, "time_out") => State::TimedOut,
            (_, "hang_up") => State::Ended,
            _ => return,
        };
        self.state = next;
        self.called_up = false;
        match next {
            State::Waiting => self.waiting_at = Some(Instant::now()),
            State::Ended => self.ended_at = Some(Instant::now()),
            State::Greeting => self.conference = None,
            State::Initial | State::InConference | State::TimedOut => {}
        }
    }

    fn render(&self) -> Reply {
        Reply::twiml(&match self.state {
            State::Initial | State::Ended => String::new(),
            State::Greeting => {
                "<Play>/greeting.wav</Play><Redirect>/calls/flow?event=greeted</Redirect>".to_owned()
            }
            State::Waiting => {
                let mut tracks: Vec<usize> = (0..TRACKS.len()).collect();
                shuffle(&mut tracks);
                let plays: String = tracks.iter().map(|n| format!("<Play>/hold/{n}.wav</Play>")).collect();
                format!("{plays}<Play>/sorry.wav</Play><Hangup/>")
            }
            State::InConference => format!(
                "<Play>/partner.wav</Play><Dial hangupOnStar=\"true\"><Conference endConferenceOnExit=\"true\" \
                 beep=\"false\">{}</Conference></Dial><Redirect>/calls/flow?event=cleanup</Redirect>",
                self.conference.as_deref().unwrap_or_default()
            ),
            State::TimedOut => "<Play>/sorry.wav</Play>".to_owned(),
        })
    }
}

/// Sends a live call to another document; the status of the answer.
fn update(rest: SocketAddr, call: &str, url: &str) -> u16 {
    Rest(rest).post(&format!("Calls/{call}.json"), &[("Url", url), ("Method", "POST")]).0
}

/// Any order, another one each time.
fn shuffle<T>(list: &mut [T]) {
    use std::hash::{BuildHasher as _, Hasher as _};
    for at in (1..list.len()).rev() {
        let chance = std::hash::RandomState::new().build_hasher().finish();
        list.swap(at, (chance % (at as u64 + 1)) as usize);
    }
}
