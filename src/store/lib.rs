//! What survives a restart: calls, events, recordings, conferences, notifications, in SQLite or PostgreSQL.
//!
//! [`Store::write`] never waits: a row goes into bounded memory ([`pending`]) and one task ([`writer`]) moves
//! rows from there into the database, up to 256 of them or 20 ms' worth in one transaction. A database that is
//! down or a disk that is full degrades the store and nothing else: rows wait, [`Store::health`] says so, and
//! the writer tries again. Reading goes straight to the database.

mod columns;
mod error;
mod filter;
mod health;
mod leaves;
mod listing;
mod pending;
#[cfg(test)]
mod plans;
mod read;
mod registrations;
mod resources;
mod retention;
mod router;
mod rows;
#[cfg(test)]
mod sample;
mod schema;
mod several;
mod sql;
mod store;
#[cfg(test)]
mod tests;
mod usage;
mod writer;

pub use error::StoreError;
pub use health::{Degraded, Health};
pub use leaves::{LEAVES_PAGE_MAX, LeafPlace};
pub use listing::{Cut, Page};
pub use read::{
    CallFilter, ConferenceFilter, EVENTS_READ_MAX, NotificationFilter, PAGE_ROWS_MAX, RecordingFilter,
};
pub use resources::{ResourceChange, ResourceRow};
pub use retention::{Keep, Retention, other_form, remove_recording};
pub use router::RouterEventFilter;
pub use store::{Store, stored_resources};
pub use usage::{Counted, Usage};
