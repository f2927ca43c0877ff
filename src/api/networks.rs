//! An address with the length of its prefix, as several resources have it.

use serde_json::{Map, Value, json};
use sip::IpNet;

use crate::error::ApiError;

/// Fills in a missing length and refuses what is no network, and what is everybody.
pub(crate) fn check(body: &mut Map<String, Value>, code: u32) -> Result<(), ApiError> {
    let text = body.get("ip_address").and_then(Value::as_str).unwrap_or_default();
    let wrong = || ApiError::new(code, "IpAddress must be an IP address, as 192.0.2.20");
    let address: std::net::IpAddr = text.parse().map_err(|_| wrong())?;
    let whole = if address.is_ipv4() { 32 } else { 128 };
    let length = body.get("cidr_prefix_length").and_then(Value::as_u64).unwrap_or(whole);
    if length == 0 {
        return Err(ApiError::new(code, "CidrPrefixLength 0 is everybody: anybody's call would be trusted"));
    }
    format!("{address}/{length}")
        .parse::<IpNet>()
        .map_err(|_| ApiError::new(code, format!("CidrPrefixLength must be from 1 to {whole}")))?;
    body.insert("cidr_prefix_length".to_owned(), json!(length));
    Ok(())
}
