//! A connection that broke is made again: `enableReconnect` of the other dialect (reference: media-streams §6).
//!
//! The new one begins like the first, with `connected` and `start` of the same stream. What the party says meanwhile is
//! lost, what it is to hear goes on; keys and marks wait.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{interval, sleep};

use super::Failure;
use super::connect::Socket;
use super::message::{Numbering, Said};
use super::session::{LOOK, Session, begin, outbox};

/// What came of connecting again.
pub(super) enum Again {
    Connected(Box<(Socket, Numbering)>),
    /// The node closed the stream.
    Closed,
    /// It is not to be, or nobody answers.
    Not,
}

/// Connections that one stream may lose.
pub(super) const RECONNECTS_MAX: u32 = 10;

/// Before each attempt.
const WAITS: [Duration; 3] = [Duration::from_millis(250), Duration::from_secs(1), Duration::from_secs(3)];

impl Session<'_> {
    /// Connects again after this failure, if that is to be.
    pub(super) async fn again(
        &mut self,
        failure: &Failure,
        left: &mut u32,
        keys: &mut mpsc::Receiver<char>,
    ) -> Again {
        let wanted = self.open.texml.is_some_and(|stream| stream.reconnects);
        let broke = matches!(failure.code, 31903 | 31921);
        if !wanted || !broke || *left == 0 {
            return Again::Not;
        }
        *left -= 1;
        self.warn(failure.code, format!("{}; connecting again", failure.message)).await;
        self.outbox = outbox(&self.open);
        let (inner, open) = (self.inner.clone(), self.open.clone());
        let mut look = interval(LOOK);
        for wait in WAITS {
            let attempt = async {
                sleep(wait).await;
                begin(&inner, &open).await
            };
            tokio::pin!(attempt);
            loop {
                tokio::select! {
                    begun = &mut attempt => match begun {
                        Ok(begun) => return Again::Connected(Box::new(begun)),
                        Err(failure) => {
                            tracing::debug!(stream = %open.stream, code = failure.code, "not again");
                            break;
                        }
                    },
                    key = keys.recv() => match key {
                        Some(key) => self.say(Said::Dtmf(key)).await,
                        None => return Again::Closed,
                    },
                    _ = look.tick() => {
                        while self.tap.try_next().is_some() {}
                        self.pump().await;
                    }
                }
            }
        }
        Again::Not
    }
}
