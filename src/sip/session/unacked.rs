//! A 2xx of ours, repeated until its ACK comes (RFC 3261 §13.3.1.4).

use std::time::Duration;

use base::Mono;
use serde::{Deserialize, Serialize};

use crate::Response;
use crate::transaction::{ServerId, T1, T1_64, T2};

/// A 2xx whose ACK is awaited. It is repeated over reliable transports too, for a proxy may lose it further on.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Unacked {
    pub(super) server: ServerId,
    /// CSeq of the INVITE, and so of the ACK.
    pub(super) seq: u32,
    response: Box<Response>,
    /// Whether the 2xx made the offer, so that the ACK brings the answer.
    pub(super) offers: bool,
    interval: Duration,
    again_at: Mono,
    give_up_at: Mono,
}

/// What time has brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due<'a> {
    /// Nothing yet.
    Nothing,
    /// The 2xx again.
    Repeat(&'a Response),
    /// The ACK will not come any more.
    GiveUp,
}

impl Unacked {
    /// For a 2xx just sent.
    pub(super) fn new(server: ServerId, seq: u32, response: Response, offers: bool, now: Mono) -> Self {
        Self {
            server,
            seq,
            response: Box::new(response),
            offers,
            interval: T1,
            again_at: now + T1,
            give_up_at: now + T1_64,
        }
    }

    /// Looks at the time; the interval doubles up to T2.
    pub(super) fn handle_timeout(&mut self, now: Mono) -> Due<'_> {
        if self.give_up_at <= now {
            return Due::GiveUp;
        }
        if self.again_at > now {
            return Due::Nothing;
        }
        self.interval = (self.interval * 2).min(T2);
        self.again_at = now + self.interval;
        Due::Repeat(&self.response)
    }

    pub(super) fn poll_timeout(&self) -> Mono {
        self.again_at.min(self.give_up_at)
    }
}
