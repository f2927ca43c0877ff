//! Words every core shares: sids, time, randomness, expiring maps, limits.
//!
//! Nothing here does IO, reads a clock or draws entropy of its own: [`Now`] and [`Rng`] are made by a
//! shell and handed down, so that a core's whole life can be replayed from its inputs and one seed.

mod expiring_map;
pub mod limits;
mod reason;
mod rng;
mod sid;
mod time;

pub use expiring_map::ExpiringMap;
pub use reason::Reason;
pub use rng::Rng;
pub use sid::{
    AccountSid, ActivitySid, ApplicationSid, CallSid, ConferenceSid, NotificationSid, ParseSidError,
    PhoneNumberSid, QueueSid, RecordingSid, ReservationSid, SiprecSid, StreamSid, TaskQueueSid, TaskSid,
    TrunkSid, WorkerSid, WorkflowSid, WorkspaceSid,
};
pub use sid::{
    LiveTranscriptionSid, MessageSubscriptionSid, RouterEventSid, TaskChannelSid, TranscriptionSid,
    TransferSid, UserMessageSid, WorkerChannelSid, derived,
};
pub use time::{Mono, Now, Timestamp};
