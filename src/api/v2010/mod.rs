//! `/2010-04-01/Accounts/AC…`: one file for each resource (reference: rest-voice).

pub(crate) mod account;
mod applications;
mod balance;
mod call;
mod calls;
mod conference_recordings;
mod conferences;
mod credential_lists;
mod events;
mod incoming_numbers;
mod ip_access_control_lists;
mod keys;
mod members;
mod notifications;
mod outgoing_caller_ids;
mod participant;
mod participant_create;
mod participants;
mod payments;
mod queues;
mod realtime_transcriptions;
mod recording_control;
mod recording_media;
mod recordings;
mod services;
mod sip_domains;
mod sip_mappings;
mod siprec;
mod streams;
mod tokens;
mod transcriptions;
mod unsupported;
mod usage;
mod usage_triggers;
mod user_messages;

pub use balance::Balance;
pub use outgoing_caller_ids::Validations;
pub(crate) use outgoing_caller_ids::call_routes;
pub(crate) use unsupported::nothing_at;
pub use usage_triggers::{FiredTrigger, look_at_triggers};

use axum::Router;
use axum::extract::OriginalUri;
use axum::http::Method;
use axum::routing::get;

use crate::Api;
use crate::auth::Authorized;
use crate::error::ApiError;

/// Everything under the account's path. A name may end in `.json` or not: the answer is the same.
pub(crate) fn router() -> Router<Api> {
    Router::new()
        .route("/Calls.json", get(calls::list).post(calls::create))
        .route("/Calls", get(calls::list).post(calls::create))
        .route("/Calls/{call}", get(call::fetch).post(call::update).delete(call::delete))
        .route("/Calls/{call}/Notifications.json", get(notifications::list_of_call))
        .route("/Calls/{call}/Notifications", get(notifications::list_of_call))
        .route("/Calls/{call}/Notifications/{notification}", get(notifications::fetch_of_call))
        .route("/Calls/{call}/Recordings.json", get(recordings::list_of_call).post(recording_control::start))
        .route("/Calls/{call}/Recordings", get(recordings::list_of_call).post(recording_control::start))
        .route(
            "/Calls/{call}/Recordings/{recording}",
            get(recordings::fetch_of_call)
                .post(recording_control::control)
                .delete(recordings::delete_of_call),
        )
        .route("/Notifications.json", get(notifications::list))
        .route("/Notifications", get(notifications::list))
        .route("/Notifications/{notification}", get(notifications::fetch))
        .route("/Queues.json", get(queues::list).post(queues::create))
        .route("/Queues", get(queues::list).post(queues::create))
        .route("/Queues/{queue}", get(queues::fetch).post(queues::update).delete(queues::delete))
        .route("/Queues/{queue}/Members.json", get(members::list))
        .route("/Queues/{queue}/Members", get(members::list))
        .route("/Queues/{queue}/Members/{member}", get(members::fetch).post(members::update))
        .route("/Recordings.json", get(recordings::list))
        .route("/Recordings", get(recordings::list))
        .route("/Recordings/{recording}", get(recordings::fetch).delete(recordings::delete))
        .merge(applications::routes())
        .merge(balance::routes())
        .merge(credential_lists::routes())
        .merge(incoming_numbers::routes())
        .merge(events::routes())
        .merge(payments::routes())
        .merge(realtime_transcriptions::routes())
        .merge(siprec::routes())
        .merge(streams::routes())
        .merge(transcriptions::routes())
        .merge(user_messages::routes())
        .merge(conferences::routes())
        .merge(conference_recordings::routes())
        .merge(participants::routes())
        .merge(ip_access_control_lists::routes())
        .merge(keys::routes())
        .merge(outgoing_caller_ids::routes())
        .merge(sip_domains::routes())
        .merge(sip_mappings::routes())
        .merge(tokens::routes())
        .merge(usage::routes())
        .merge(usage_triggers::routes())
        .method_not_allowed_fallback(wrong_method)
        .fallback(nothing_here)
}

async fn nothing_here(_: Authorized, method: Method, OriginalUri(uri): OriginalUri) -> ApiError {
    nothing_at(&method, &uri)
}

async fn wrong_method(_: Authorized) -> ApiError {
    ApiError::wrong_method()
}

/// The sid in a path, with or without `.json`.
fn sid<T: std::str::FromStr>(name: &str, path: &str) -> Result<T, ApiError> {
    name.strip_suffix(".json").unwrap_or(name).parse().map_err(|_| ApiError::not_found(path))
}

#[cfg(test)]
pub(crate) mod tests;
