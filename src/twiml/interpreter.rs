//! The state machine that takes one leg through its documents (reference: twiml-voice §1.1–1.4, §2, §18).
//!
//! In go a first document's URL or text, HTTP answers and the ends of verbs; out come fetches, one verb at a time
//! with its defaults filled in and its URLs absolute, and everything worth a notification. It follows redirects,
//! actions and fallbacks by itself. It never fetches, never waits and knows nothing of SIP or media.

use std::collections::VecDeque;

use base::Now;
use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::io::{After, FetchFailure, Fetched, Input, Output, Source};
use crate::place::Place;
use crate::reference::{document_url, resolve, shown};
use crate::verb::absolute;
use crate::{Dialect, Document, Finding, HttpMethod, Level, Overrides, Verb, parse, response};

/// One leg's interpreter: one document at a time.
///
/// ```text
///            Start, Replace                Fetched: a document
///   Idle ───────────────────▶ Fetching ───────────────────────▶ Running ──▶ Ended
///                              │    ▲  ◀─── Redirect, action ───┘  │
///                              │    └──────── error of a verb ─────┤
///                              ▼                                   ▼
///              error: Fetching the fallback ──▶ error again: ApplicationError
/// ```
///
/// The owner drains [`Interpreter::poll_output`] after each input. It reports [`Input::HungUp`] before the
/// [`Input::VerbDone`] of the verb that the hang-up ended, and reports nothing of a verb that a
/// [`Input::Replace`] interrupted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interpreter {
    dialect: Dialect,
    context: Context,
    fallback: Option<(String, HttpMethod)>,
    state: State,
    /// Where the current document was found; `None` for an inline one.
    base: Option<String>,
    /// The leg has hung up: nothing is executed any more.
    gone: bool,
    /// Fetches since a verb last took time.
    fetches: u32,
    next_id: u64,
    outputs: VecDeque<Output>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum State {
    Idle,
    Fetching(Fetching),
    Running(Box<Running>),
    Ended,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Fetching {
    id: u64,
    url: String,
    method: HttpMethod,
    params: Vec<(String, String)>,
    purpose: Purpose,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Purpose {
    /// Its own URL.
    Document,
    /// The fallback URL, after an error.
    Fallback,
    /// The action of a verb that a hang-up ended; the answer is not executed.
    Last,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Running {
    document: Document,
    /// The fallback gave it: an error in it has nowhere else to go.
    from_fallback: bool,
    /// The next verb.
    next: usize,
    /// Errors of the document told so far.
    told: usize,
    /// The verb handed out and not yet done, with absolute URLs.
    executing: Option<Verb>,
}

impl Interpreter {
    /// An interpreter that has not started; `fallback` is asked when a document cannot be had.
    pub fn new(fallback: Option<(String, HttpMethod)>, dialect: Dialect) -> Self {
        Self {
            dialect,
            context: Context::Call,
            fallback,
            state: State::Idle,
            base: None,
            gone: false,
            fetches: 0,
            next_id: 1,
            outputs: VecDeque::new(),
        }
    }

    /// The same for documents that somebody else than a call hears, which allows fewer verbs.
    pub fn within(self, context: Context) -> Self {
        Self { context, ..self }
    }

    /// Another fallback from now on, as if it had begun with it.
    pub fn set_fallback(&mut self, fallback: Option<(String, HttpMethod)>) {
        self.fallback = fallback;
    }

    /// Begins with a document that is asked for with parameters of its own.
    pub fn start_with(&mut self, url: String, method: HttpMethod, params: Vec<(String, String)>) {
        self.fetch(url, method, params, Purpose::Document);
    }

    /// Whether a document has been had: its first verb is handed out next, or it has none.
    pub fn has_document(&self) -> bool {
        matches!(self.state, State::Running(_)) || self.outputs.contains(&Output::Finished)
    }

    /// One event of the outside world. What does not fit the state (an old fetch, a verb done twice) is ignored.
    pub fn handle(&mut self, input: Input, _now: Now) {
        match input {
            Input::Start(source) | Input::Replace(source) => self.start(source),
            Input::Fetched { id, result } => self.fetched(id, result),
            Input::VerbDone(after) => self.verb_done(after),
            Input::HungUp => self.hung_up(),
        }
    }

    /// What the owner must do next, if anything.
    pub fn poll_output(&mut self) -> Option<Output> {
        let output = self.outputs.pop_front();
        if self.outputs.is_empty() {
            // A verb takes minutes, and an interpreter waits as long with every call.
            self.outputs = VecDeque::new();
        }
        output
    }

    /// Asks again for what is owed to the owner and not yet answered, after a restart from stored state: the
    /// same fetch with the same id, or the same verb.
    pub fn resume(&mut self) {
        self.outputs.clear();
        match &self.state {
            State::Fetching(fetching) => self.outputs.push_back(fetching.output()),
            State::Running(running) if !self.gone => {
                self.outputs.extend(running.executing.clone().map(Output::Execute));
            }
            State::Idle | State::Running(_) | State::Ended => {}
        }
    }

    /// Where the current document was found; `None` before the first, and for an inline one.
    pub fn document_url(&self) -> Option<&str> {
        self.base.as_deref()
    }

    /// Nothing more is asked of the owner unless it starts another document.
    pub fn is_over(&self) -> bool {
        self.state == State::Ended && self.outputs.is_empty()
    }

    fn start(&mut self, source: Source) {
        if self.gone {
            return;
        }
        self.abandon();
        self.fetches = 0;
        match source {
            Source::Url { url, method } => match resolve(None, &url) {
                Some(url) => self.fetch(url, method, Vec::new(), Purpose::Document),
                None => self.fail(Finding::unplaced(11100, &shown(&url)), Some(url), false),
            },
            Source::Inline(text) => {
                self.base = None;
                match parse(&text, self.dialect) {
                    Ok(document) => self.run(document, false),
                    Err(finding) => self.fail(finding, None, false),
                }
            }
        }
    }

    fn fetched(&mut self, id: u64, result: Result<Fetched, FetchFailure>) {
        let State::Fetching(fetching) = &self.state else { return };
        if fetching.id != id {
            return;
        }
        let Fetching { url, method, purpose, .. } = fetching.clone();
        let answer = result.map_err(|failure| Finding::unplaced(failure.code, &failure.message));
        if purpose == Purpose::Last {
            self.last_answered(answer, url);
            return;
        }
        let in_fallback = purpose == Purpose::Fallback;
        let read = answer.and_then(|answer| {
            let base = document_url(&url, method, &answer.url);
            response::document(&answer, &base, method, self.dialect, self.context)
                .map(|document| (document, base))
        });
        match read {
            Ok((document, base)) => {
                self.base = Some(base);
                self.run(document, in_fallback);
            }
            Err(finding) => self.fail(finding, Some(url), in_fallback),
        }
    }

    /// The answer to a last action request is of no use; that it failed is worth telling.
    fn last_answered(&mut self, answer: Result<Fetched, Finding>, url: String) {
        let failure = match answer {
            Ok(answer) if answer.status < 400 => None,
            Ok(answer) => Some(Finding::unplaced(11200, &format!("HTTP status {}", answer.status))),
            Err(finding) => Some(finding),
        };
        if let Some(finding) = failure {
            self.tell(finding, Some(url));
        }
        self.state = State::Ended;
    }

    fn verb_done(&mut self, after: After) {
        let State::Running(running) = &mut self.state else { return };
        let Some(verb) = running.executing.take() else { return };
        match after {
            After::Next if self.gone => self.state = State::Ended,
            After::Next => self.advance(),
            After::End => self.state = State::Ended,
            After::Error(finding) => {
                let in_fallback = self.in_fallback();
                let finding = self.placed(finding);
                self.fail(finding, self.base.clone(), in_fallback);
            }
            After::Action { url, method, params } => self.action(&verb, url, method, params),
        }
    }

    /// The default of `action` is the current document, or for `<Dial>` none at all (reference: twiml-voice §7,
    /// §8, §9.1; TeXML's `<Record>` has none either).
    fn action(
        &mut self,
        verb: &Verb,
        url: Option<String>,
        method: HttpMethod,
        params: Vec<(String, String)>,
    ) {
        let (written, current) = match verb {
            Verb::Gather(gather) => (gather.action.clone(), true),
            Verb::Record(record) => (record.action.clone(), self.dialect == Dialect::Twiml),
            Verb::Dial(dial) => (dial.action.clone(), false),
            Verb::Refer(refer) => (refer.action.clone(), false),
            Verb::Enqueue(enqueue) => (enqueue.action.clone(), false),
            Verb::Connect(connect) => (connect.action.clone(), false),
            Verb::Say(_)
            | Verb::Play(_)
            | Verb::Pause(_)
            | Verb::Start(_)
            | Verb::Stop(_)
            | Verb::Echo
            | Verb::Redirect(_)
            | Verb::Hangup
            | Verb::Reject(_)
            | Verb::Leave => (None, false),
        };
        let wanted = url.or(written).or_else(|| current.then(String::new));
        let purpose = if self.gone { Purpose::Last } else { Purpose::Document };
        match wanted.map(|url| resolve(self.base.as_deref(), &url).ok_or(url)) {
            None if self.gone => self.state = State::Ended,
            None => self.advance(),
            Some(Ok(url)) => self.fetch(url, method, params, purpose),
            Some(Err(url)) => {
                let inline = "an inline document has no URL of its own";
                let detail = if url.is_empty() { inline.to_owned() } else { shown(&url) };
                let in_fallback = self.in_fallback();
                let finding = self.placed_url(11100, &detail, &url);
                self.fail(finding, Some(url), in_fallback);
            }
        }
    }

    /// A fetch under way is abandoned; the verb that runs may still owe a last action request.
    fn hung_up(&mut self) {
        let owes_last = match &self.state {
            State::Fetching(fetching) => fetching.purpose == Purpose::Last,
            State::Running(running) => match &running.executing {
                Some(Verb::Record(_) | Verb::Dial(_) | Verb::Refer(_) | Verb::Enqueue(_)) => true,
                Some(_) | None => false,
            },
            State::Idle | State::Ended => false,
        };
        self.gone = true;
        if !owes_last {
            self.abandon();
        }
    }

    /// Nothing is owed any more, in either direction; notifications already made stay.
    fn abandon(&mut self) {
        self.outputs.retain(|output| matches!(output, Output::Notify(..)));
        self.state = State::Ended;
    }

    fn run(&mut self, document: Document, from_fallback: bool) {
        for finding in document.findings.iter().filter(|finding| finding.level == Level::Warning) {
            self.tell(finding.clone(), self.base.clone());
        }
        let running = Running { document, from_fallback, next: 0, told: 0, executing: None };
        self.state = State::Running(Box::new(running));
        self.advance();
    }

    /// On to the next verb that takes the owner to do it.
    fn advance(&mut self) {
        while let State::Running(running) = &mut self.state {
            let step = running.step(self.context);
            let from_fallback = running.from_fallback;
            match step {
                Step::Tell(finding) => self.tell(finding, self.base.clone()),
                Step::Fail(finding) => self.fail(finding, self.base.clone(), from_fallback),
                Step::Over => {
                    self.state = State::Ended;
                    self.outputs.push_back(Output::Finished);
                }
                Step::Verb(Verb::Leave) if self.context != Context::QueueWait => {}
                Step::Verb(Verb::Redirect(redirect)) => match resolve(self.base.as_deref(), &redirect.url) {
                    Some(url) => self.fetch(url, redirect.method, Vec::new(), Purpose::Document),
                    None => {
                        let finding = self.placed_url(11100, &shown(&redirect.url), &redirect.url);
                        self.fail(finding, Some(redirect.url), from_fallback);
                    }
                },
                Step::Verb(verb) => {
                    if self.execute(verb) {
                        return;
                    }
                }
            }
        }
    }

    /// False when nothing of the verb is left once its URLs are looked at.
    fn execute(&mut self, verb: Verb) -> bool {
        let (verb, findings) = absolute(verb, self.base.as_deref(), self.place().cloned());
        for finding in findings {
            self.tell(finding, self.base.clone());
        }
        let (Some(verb), State::Running(running)) = (verb, &mut self.state) else { return false };
        running.executing = Some(verb.clone());
        self.fetches = 0;
        self.outputs.push_back(Output::Execute(verb));
        true
    }

    /// Documents that only lead to each other are stopped: one fetch more is the fallback's.
    fn fetch(&mut self, url: String, method: HttpMethod, params: Vec<(String, String)>, purpose: Purpose) {
        if purpose == Purpose::Document && self.fetches >= FETCHES_MAX {
            let in_fallback = self.in_fallback();
            let detail = format!("{FETCHES_MAX} documents in a row that do nothing but lead to another");
            self.fail(Finding::unplaced(11215, &detail), Some(url), in_fallback);
            return;
        }
        if let Some(finding) = Overrides::parse(&url).1.finding() {
            self.tell(finding, Some(url.clone()));
        }
        self.fetches = self.fetches.saturating_add(1);
        let fetching = Fetching { id: self.next_id, url, method, params, purpose };
        self.next_id += 1;
        self.outputs.push_back(fetching.output());
        self.state = State::Fetching(fetching);
    }

    /// Tells the error, then asks the fallback; without one, or when the fallback itself is in error, gives up
    /// (reference: twiml-voice §18).
    fn fail(&mut self, finding: Finding, url: Option<String>, in_fallback: bool) {
        let code = finding.code;
        self.tell(finding, url.clone());
        self.state = State::Ended;
        if self.gone {
            return;
        }
        match self.fallback.clone() {
            Some((fallback, method)) if !in_fallback && self.fetches <= FETCHES_MAX => {
                let failed = url.as_deref().map(shown).unwrap_or_default();
                let params =
                    vec![("ErrorCode".to_owned(), code.to_string()), ("ErrorUrl".to_owned(), failed)];
                self.fetch(fallback, method, params, Purpose::Fallback);
            }
            Some(_) | None => self.outputs.push_back(Output::ApplicationError { code }),
        }
    }

    fn tell(&mut self, finding: Finding, url: Option<String>) {
        self.outputs.push_back(Output::Notify(finding, url.as_deref().map(shown)));
    }

    /// Where the verb stands that was begun last.
    fn place(&self) -> Option<&Place> {
        let State::Running(running) = &self.state else { return None };
        running.document.places.get(running.next.checked_sub(1)?)
    }

    /// What is wrong with the verb that runs, with its place.
    pub fn placed(&self, finding: Finding) -> Finding {
        match self.place() {
            Some(place) => place.of_verb(finding),
            None => finding,
        }
    }

    fn placed_url(&self, code: u32, detail: &str, url: &str) -> Finding {
        let finding = Finding::unplaced(code, detail);
        match self.place() {
            Some(place) => place.clone().of_url(url, finding),
            None => finding,
        }
    }

    fn in_fallback(&self) -> bool {
        match &self.state {
            State::Fetching(fetching) => fetching.purpose == Purpose::Fallback,
            State::Running(running) => running.from_fallback,
            State::Idle | State::Ended => false,
        }
    }
}

impl Running {
    fn step(&mut self, context: Context) -> Step {
        if let Some(error) = self.document.errors.get(self.told).filter(|error| error.verb <= self.next) {
            self.told += 1;
            let finding = error.finding.clone();
            return if error.ends { Step::Fail(finding) } else { Step::Tell(finding) };
        }
        let Some(verb) = self.document.verbs.get(self.next).cloned() else { return Step::Over };
        if let Some(code) = context.refuses(&verb) {
            let finding = Finding::unplaced(code, "");
            return Step::Fail(match self.document.places.get(self.next) {
                Some(place) => place.of_verb(finding),
                None => finding,
            });
        }
        self.next += 1;
        Step::Verb(verb)
    }
}

impl Fetching {
    fn output(&self) -> Output {
        let Self { id, url, method, params, purpose: _ } = self.clone();
        Output::Fetch { id, url, method, params }
    }
}

/// What a running document does next.
#[allow(clippy::large_enum_variant, reason = "a step is taken at once and never kept")]
enum Step {
    Tell(Finding),
    Fail(Finding),
    Verb(Verb),
    Over,
}

/// Documents fetched in a row without a verb that takes time; then error 11215.
const FETCHES_MAX: u32 = 100;

#[cfg(test)]
#[path = "interpreter_tests.rs"]
mod tests;
