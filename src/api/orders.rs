//! What the API asks the node: a command goes in, its answer comes back.

use call::{Operator, OperatorReply};
use tokio::sync::{mpsc, oneshot};

use crate::Api;
use crate::error::ApiError;

impl Api {
    /// Nothing is begun while it is known that it could not be stored.
    pub(crate) async fn could_be_kept(&self) -> Result<(), ApiError> {
        match self.store.health().degraded {
            Some(_) => Ok(self.store.flush().await?),
            None => Ok(()),
        }
    }
}

/// A command on its way to the node.
#[derive(Debug)]
pub struct Order {
    /// What is wanted.
    pub command: Operator,
    /// Where the answer goes.
    pub reply: oneshot::Sender<OperatorReply>,
}

/// Where commands are handed in.
#[derive(Clone, Debug)]
pub struct Orders(mpsc::Sender<Order>);

/// Commands that may wait for the node; more make their askers wait.
const ORDERS_MAX: usize = 256;

impl Orders {
    /// Where to hand in, and where to take from.
    pub fn channel() -> (Self, mpsc::Receiver<Order>) {
        let (sender, receiver) = mpsc::channel(ORDERS_MAX);
        (Self(sender), receiver)
    }

    /// Asks; there is no answer only when the box is stopping.
    pub(crate) async fn ask(&self, command: Operator) -> Result<OperatorReply, ApiError> {
        let stopping = || ApiError::new(20503, "The box is stopping");
        let (reply, answer) = oneshot::channel();
        self.0.send(Order { command, reply }).await.map_err(|_| stopping())?;
        answer.await.map_err(|_| stopping())
    }
}
