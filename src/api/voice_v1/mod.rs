//! The voice API of version 1: `/v1/…` (reference: rest-voice §15). Its paths begin otherwise than those of other
//! products of version 1, which one origin may serve beside it.

mod byoc_trunks;
mod connection_policies;
mod dialing_permissions;
mod ip_records;
mod settings;

use axum::Router;

use crate::Api;

/// Everything under `/v1` that is of voice.
pub(crate) fn router() -> Router<Api> {
    Router::new()
        .merge(byoc_trunks::routes())
        .merge(connection_policies::routes())
        .merge(dialing_permissions::routes())
        .merge(ip_records::routes())
        .merge(settings::routes())
}

#[cfg(test)]
mod tests;
