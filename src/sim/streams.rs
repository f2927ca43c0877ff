//! Applications at the other end of media streams: they listen or do not, and remember what they were told.

use std::collections::BTreeMap;
use std::time::Duration;

use base::StreamSid;
use call::{StreamAsk, StreamEvent, StreamOpen};

use crate::invariants::Violation;

/// The stub: it keeps the promises of the real connections.
#[derive(Clone, Debug, Default)]
pub struct SimStreams {
    /// By URL: why it does not listen.
    pub refusals: BTreeMap<String, (u32, String)>,
    /// URLs of which nothing is ever heard.
    pub silent: Vec<String>,
    /// Every stream there was, in order.
    pub opened: Vec<StreamOpen>,
    /// What each was told, in order.
    pub told: Vec<(StreamSid, StreamAsk)>,
    open: BTreeMap<StreamSid, bool>,
}

/// How long a connection takes.
const CONNECTS_AFTER: Duration = Duration::from_millis(30);

impl SimStreams {
    /// A stream is asked for; what follows, and when.
    pub(crate) fn open(&mut self, open: StreamOpen) -> Result<Option<(Duration, StreamEvent)>, Violation> {
        let (sid, url) = (open.stream, open.url.clone());
        if self.open.insert(sid, true).is_some() {
            return Err(Violation(format!("stream {sid} is opened twice")));
        }
        self.opened.push(open);
        if self.silent.contains(&url) {
            return Ok(None);
        }
        Ok(Some((
            CONNECTS_AFTER,
            match self.refusals.get(&url).cloned() {
                Some((code, message)) => StreamEvent::Failed { code, message },
                None => StreamEvent::Started,
            },
        )))
    }

    /// A stream is told something.
    pub(crate) fn ask(&mut self, sid: StreamSid, ask: StreamAsk) -> Result<(), Violation> {
        let Some(open) = self.open.get_mut(&sid) else {
            return Err(Violation(format!("{sid} is told {ask:?} and was never opened")));
        };
        // The end of one and what is told to it may cross.
        if *open {
            self.told.push((sid, ask));
        }
        *open &= ask != StreamAsk::Close;
        Ok(())
    }

    /// Whether what a stream was to say can still be said; its end is noted.
    pub(crate) fn happens(&mut self, sid: StreamSid, event: &StreamEvent) -> bool {
        let Some(open) = self.open.get_mut(&sid).filter(|open| **open) else { return false };
        *open = !matches!(event, StreamEvent::Stopped | StreamEvent::Failed { .. });
        true
    }

    /// The streams that are not over.
    pub fn running(&self) -> Vec<StreamSid> {
        self.open.iter().filter(|(_, open)| **open).map(|(sid, _)| *sid).collect()
    }
}
