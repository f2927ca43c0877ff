//! What goes into an interpreter and what comes out.

use serde::{Deserialize, Serialize};

use crate::{Exchange, Finding, HttpMethod, Verb};

/// Where a document comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// Fetched.
    Url {
        /// Absolute.
        url: String,
        /// How.
        method: HttpMethod,
    },
    /// Given (REST `Twiml`); relative references in it have no base.
    Inline(String),
}

/// What happens to an interpreter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Input {
    /// Begin.
    Start(Source),
    /// The answer to a fetch.
    Fetched {
        /// The id of the [`Output::Fetch`].
        id: u64,
        /// What came back.
        result: Result<Fetched, FetchFailure>,
    },
    /// The verb handed out last is over.
    VerbDone(After),
    /// A REST update: abandon everything.
    Replace(Source),
    /// The leg is gone. The running verb may still be reported done, for its last action request.
    HungUp,
}

/// What follows a verb.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum After {
    /// The next verb.
    Next,
    /// Its action is requested and the answer replaces the document.
    Action {
        /// The verb's `action` as handed out; `None` = the verb's own default.
        url: Option<String>,
        /// The verb's `method`.
        method: HttpMethod,
        /// The verb's parameters.
        params: Vec<(String, String)>,
    },
    /// Nothing: the call is over.
    End,
    /// The verb could not be carried out, and the document ends with that: the fallback is asked.
    Error(Finding),
}

/// What the owner must do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Output {
    /// Request a document; the owner adds the standard parameters.
    Fetch {
        /// Comes back in [`Input::Fetched`].
        id: u64,
        /// Absolute, its fragment of connection overrides included.
        url: String,
        /// How.
        method: HttpMethod,
        /// The verb's own parameters, or `ErrorCode` and `ErrorUrl`.
        params: Vec<(String, String)>,
    },
    /// Do this verb and report [`Input::VerbDone`].
    Execute(Verb),
    /// Write a notification; the URL is the document's or the failed request's.
    Notify(Finding, Option<String>),
    /// Nothing is left to try: speak the apology and hang up, or refuse if unanswered.
    ApplicationError {
        /// What went wrong last.
        code: u32,
    },
    /// The document is over: hang up.
    Finished,
}

/// An HTTP answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fetched {
    /// Status code.
    pub status: u16,
    /// `Content-Type` with its parameters.
    pub content_type: Option<String>,
    /// The body, decompressed.
    pub body: Vec<u8>,
    /// After redirects: the base of relative references.
    pub url: String,
    /// Its headers, for a notification.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
}

/// No HTTP answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchFailure {
    /// 11200, 11205, 11210, 11215 …
    pub code: u32,
    /// What happened, for the notification.
    pub message: String,
    /// The request, and the answer that was none of use.
    #[serde(default)]
    pub exchange: Option<Box<Exchange>>,
}

impl FetchFailure {
    /// A failure of which no more is known.
    pub fn new(code: u32, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), exchange: None }
    }
}
