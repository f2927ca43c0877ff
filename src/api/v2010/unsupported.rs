//! What of the published API this box has not (reference: rest-voice §14): refused with its name, so that nobody looks
//! for a misspelt path.

use axum::http::{Method, Uri};

use crate::error::ApiError;

/// Names below the account, and what they would be.
const FEATURES: &[(&str, &str)] = &[
    ("Addresses", "Postal addresses are"),
    ("AuthorizedConnectApps", "Connect apps are"),
    ("AvailablePhoneNumbers", "A stock of numbers to buy is"),
    ("ConnectApps", "Connect apps are"),
    ("Messages", "Messages are"),
    ("SMS", "Messages are"),
    ("AssignedAddOns", "Add-ons are"),
    ("AddOnResults", "Add-ons are"),
    ("Archives", "Archived calls are"),
    ("BulkCountryUpdates", "Dialling permissions other than the routes of the configuration are"),
];

/// Why there is nothing at this path.
pub(crate) fn nothing_at(method: &Method, uri: &Uri) -> ApiError {
    let plain = |part: &'static str| move |named: &str| named.strip_suffix(".json").unwrap_or(named) == part;
    let named = FEATURES.iter().find(|(part, _)| uri.path().split('/').any(plain(part)));
    match named {
        // Senders of messages know this number (reference: rest-voice §13).
        Some(("Messages", _)) if method == Method::POST => {
            ApiError::new(21606, "Messages are not supported by this appliance: it carries voice alone")
        }
        Some((_, what)) => ApiError::new(20404, format!("{what} not supported by this appliance")),
        None => ApiError::not_found(uri.path()),
    }
}

#[cfg(test)]
mod tests {
    use crate::v2010::tests::{api, ask};

    #[tokio::test]
    async fn what_the_box_has_not_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let (api, _taken) = api(folder.path()).await;
        for (method, path, status, code, word) in [
            ("GET", "AvailablePhoneNumbers/US/Local.json", 404, 20404, "numbers"),
            ("GET", "Addresses.json", 404, 20404, "addresses"),
            ("POST", "Messages.json", 400, 21606, "voice"),
            ("GET", "Messages.json", 404, 20404, "appliance"),
            ("GET", "SMS/ShortCodes.json", 404, 20404, "appliance"),
            (
                "GET",
                "IncomingPhoneNumbers/PN00000000000000000000000000000001/AssignedAddOns.json",
                404,
                20404,
                "Add-ons",
            ),
            ("GET", "Nothing.json", 404, 20404, "was not found"),
        ] {
            let (told, body) = ask(&api, method, path, "").await;
            assert_eq!((told, &body["code"]), (status, &code.into()), "{method} {path}");
            let message = body["message"].as_str().unwrap();
            assert!(message.to_lowercase().contains(&word.to_lowercase()), "{path}: {message}");
        }
    }
}
