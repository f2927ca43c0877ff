//! The user's web server: answers by script, and remembers what it was asked.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use base::Mono;
use call::{FetchId, FetchRequest};
use twiml::{FetchFailure, Fetched};

/// One answer of the web server.
#[derive(Clone, Debug)]
pub struct Answer {
    /// After how long.
    pub after: Duration,
    /// What.
    pub result: Result<Page, FetchFailure>,
}

/// A page.
#[derive(Clone, Debug)]
pub struct Page {
    /// HTTP status.
    pub status: u16,
    /// Its type, if it says one.
    pub content_type: Option<String>,
    /// Its body.
    pub body: String,
}

/// One request it got.
#[derive(Clone, Debug)]
pub struct Asked {
    /// When.
    pub at: Mono,
    /// What.
    pub request: FetchRequest,
}

/// A web server of scripted pages. A page set for a URL stays; pages queued for it come first, once each.
#[derive(Clone, Debug, Default)]
pub struct SimWeb {
    pages: BTreeMap<String, Answer>,
    queued: BTreeMap<String, VecDeque<Answer>>,
    /// Everything it was asked, in order.
    pub log: Vec<Asked>,
    /// The requests given up before they were answered.
    pub aborted: Vec<FetchId>,
}

impl Answer {
    /// A TwiML document with these verbs.
    pub fn twiml(verbs: &str) -> Self {
        Self::page(200, Some("text/xml"), &format!("<Response>{verbs}</Response>"))
    }

    /// Any page.
    pub fn page(status: u16, content_type: Option<&str>, body: &str) -> Self {
        let page = Page { status, content_type: content_type.map(str::to_owned), body: body.to_owned() };
        Self { after: Duration::from_millis(20), result: Ok(page) }
    }

    /// No answer at all.
    pub fn failure(code: u32) -> Self {
        let failure = FetchFailure::new(code, "simulated");
        Self { after: Duration::from_millis(20), result: Err(failure) }
    }

    /// The same, later.
    pub fn after(mut self, after: Duration) -> Self {
        self.after = after;
        self
    }
}

impl SimWeb {
    /// Sets the page of a URL; the query does not count.
    pub fn serve(&mut self, url: &str, answer: Answer) {
        self.pages.insert(url.to_owned(), answer);
    }

    /// Answers the next request for a URL so.
    pub fn answer_next(&mut self, url: &str, answer: Answer) {
        self.queued.entry(url.to_owned()).or_default().push_back(answer);
    }

    /// The requests for a URL so far.
    pub fn asked(&self, url: &str) -> Vec<&FetchRequest> {
        self.log
            .iter()
            .map(|asked| &asked.request)
            .filter(|request| without_query(&request.url) == url)
            .collect()
    }

    /// Takes a request; when and how it is answered.
    pub(crate) fn ask(
        &mut self,
        request: FetchRequest,
        at: Mono,
    ) -> (Duration, Result<Fetched, FetchFailure>) {
        let url = without_query(&request.url).to_owned();
        let answer = self
            .queued
            .get_mut(&url)
            .and_then(VecDeque::pop_front)
            .or_else(|| self.pages.get(&url).cloned())
            .unwrap_or_else(|| Answer::page(404, Some("text/plain"), "nothing here"));
        let result = answer.result.map(|page| Fetched {
            status: page.status,
            content_type: page.content_type,
            body: page.body.into_bytes(),
            url: request.url.clone(),
            headers: Vec::new(),
        });
        self.log.push(Asked { at, request });
        (answer.after, result)
    }
}

fn without_query(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or(url)
}
