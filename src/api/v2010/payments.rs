//! Payments are not taken: `…/Calls/CA…/Payments.json` says so (reference: rest-voice §12).

use axum::Router;
use axum::routing::any;

use crate::Api;
use crate::auth::Authorized;
use crate::error::ApiError;

pub(crate) fn routes() -> Router<Api> {
    Router::new()
        .route("/Calls/{call}/Payments.json", any(refuse))
        .route("/Calls/{call}/Payments", any(refuse))
        .route("/Calls/{call}/Payments/{payment}", any(refuse))
}

async fn refuse(_: Authorized) -> ApiError {
    ApiError::new(20004, "Payments are not supported by this appliance")
}
