//! What every socket task shares: where input goes, what is counted, when to stop.

use std::sync::Arc;
use std::time::Duration;

use sip::{Flow, Input as SipInput};
use tokio::runtime::Handle;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};

use super::counters::Counters;
use super::limits::SipLimits;

/// How far a stop has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stop {
    /// Not asked for.
    Running,
    /// Write what is queued, take nothing new.
    Draining,
    /// Leave everything.
    Now,
}

/// Shared by every task of one [`SipTransports`](super::SipTransports).
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) inbound: mpsc::Sender<SipInput>,
    pub(super) counters: Counters,
    pub(super) limits: SipLimits,
    stop: watch::Sender<Stop>,
    /// Sends come from threads that are none of the runtime's.
    runtime: Handle,
}

impl Shared {
    /// Must be called inside a tokio runtime.
    pub(super) fn new(inbound: mpsc::Sender<SipInput>, limits: SipLimits) -> Self {
        let (counters, stop) = (Counters::default(), watch::Sender::new(Stop::Running));
        Self { inbound, counters, limits, stop, runtime: Handle::current() }
    }

    /// Runs a task that ends at the latest when everything stops.
    pub(super) fn spawn(self: Arc<Self>, task: impl Future<Output = ()> + Send + 'static) {
        let runtime = self.runtime.clone();
        runtime.spawn(async move {
            tokio::select! {
                () = self.reached(Stop::Now) => {}
                () = task => {}
            }
        });
    }

    /// Goes on with stopping.
    pub(super) fn stop(&self, how: Stop) {
        self.stop.send_if_modified(|now| {
            let further = *now < how;
            *now = how.max(*now);
            further
        });
    }

    /// Waits until stopping has come as far as `how`.
    pub(super) async fn reached(&self, how: Stop) {
        // It cannot fail: the sender is in `self`.
        let _ = self.stop.subscribe().wait_for(|now| *now >= how).await;
    }

    /// Tells the node that nothing can be sent on `flow`; from a place that must not wait. Lost when the node
    /// is far behind: the transaction then ends by its own timer.
    pub(super) fn failed(&self, flow: Flow) {
        self.counters.send_failures.up();
        let _ = self.inbound.try_send(SipInput::SendFailed { flow });
    }

    /// Hands on a message of a stream. Streams wait rather than lose, but leave the last half of the queue to
    /// datagrams and to news of lost connections, so that a flood on streams cannot silence UDP. `false` when
    /// nobody takes messages any more.
    pub(super) async fn received(&self, flow: Flow, bytes: Vec<u8>) -> bool {
        const LOOK_AGAIN: Duration = Duration::from_millis(2);
        let mut input = SipInput::Received { flow, bytes };
        loop {
            if self.inbound.capacity() * 2 > self.inbound.max_capacity() {
                match self.inbound.try_send(input) {
                    Ok(()) => {
                        self.counters.received.up();
                        return true;
                    }
                    Err(TrySendError::Full(back)) => input = back,
                    Err(TrySendError::Closed(_)) => return false,
                }
            } else if self.inbound.is_closed() {
                return false;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}
