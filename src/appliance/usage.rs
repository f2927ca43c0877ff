//! Tells web servers of usage triggers that fired, as long as the box runs.

use std::time::Duration;

use api::OfficeBook;
use base::{AccountSid, CallSid};
use call::{FetchId, FetchKind, FetchRequest};
use net::webhook::Webhooks;
use store::Store;
use twiml::Dialect;

use crate::clock;

/// How often what was called is counted, where anybody has a trigger.
const EVERY: Duration = Duration::from_secs(60);

/// No call's: what is told here belongs to none.
const NO_CALL: CallSid = CallSid(0);

/// Looks and tells until the task is dropped.
pub(crate) async fn watch(store: Store, office: OfficeBook, account: AccountSid, webhooks: Webhooks) {
    loop {
        tokio::time::sleep(EVERY).await;
        let fired = match api::look_at_triggers(&store, &office, account, clock::wall()).await {
            Ok(fired) => fired,
            Err(error) => {
                tracing::warn!(error, "usage triggers cannot be looked at");
                continue;
            }
        };
        for trigger in fired {
            let request = FetchRequest {
                id: FetchId(0),
                call: NO_CALL,
                kind: FetchKind::Document,
                dialect: Dialect::Twiml,
                url: trigger.url.clone(),
                method: trigger.method,
                params: trigger.params,
            };
            let url = twiml::shown(&trigger.url);
            match webhooks.fetch(request).await.1 {
                Ok(answer) => tracing::info!(%url, status = answer.status, "a usage trigger fired"),
                Err(failure) => {
                    tracing::warn!(%url, code = failure.code, "a usage trigger's server does not answer")
                }
            }
        }
        webhooks.call_ended(NO_CALL);
    }
}
