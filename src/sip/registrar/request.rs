//! What a REGISTER asks for, read and checked before anything is changed (RFC 3261 §10.3 steps 5 to 7).

use std::time::Duration;

use base::Mono;

use super::{Binding, RegistrarLimits};
use crate::msg::syntax;
use crate::{Flow, HeaderName, NameAddr, Request};

/// Contacts one REGISTER may name.
const CONTACTS_MAX: usize = 16;

/// Proxies a Path may name.
const PATH_MAX: usize = 16;

/// A refusal: code and reason phrase.
pub(super) type Refusal = (u16, &'static str);

/// A REGISTER that can be granted as far as it alone tells.
pub(super) struct Registration {
    pub(super) call_id: String,
    pub(super) cseq: u32,
    pub(super) change: Change,
    pub(super) path: Vec<String>,
}

/// What it wants changed.
pub(super) enum Change {
    /// Nothing: it asks what there is.
    None,
    /// All bindings gone.
    RemoveAll,
    /// These set; one that has expired already is to be taken away.
    Set(Vec<Binding>),
}

impl Registration {
    pub(super) fn read(
        request: &Request,
        user: &str,
        flow: Flow,
        limits: &RegistrarLimits,
        now: Mono,
    ) -> Result<Self, Refusal> {
        let headers = &request.headers;
        let to = headers.to().map_err(|_| (400, "Bad To"))?;
        if to.uri.user_decoded() != user {
            return Err((403, "Not your address of record"));
        }
        let call_id = headers.call_id().map_err(|_| (400, "Bad Call-ID"))?;
        let cseq = headers.cseq().map_err(|_| (400, "Bad CSeq"))?.number;
        let path = headers.list::<NameAddr>(&HeaderName::Path).map_err(|_| (400, "Bad Path"))?;
        if path.len() > PATH_MAX {
            return Err((400, "Too many Path values"));
        }
        let path: Vec<String> = path.iter().map(NameAddr::to_string).collect();
        // A malformed Expires counts as none (RFC 3261 §10.2.1.1 says one hour, our default).
        let expires = headers.expires().ok().flatten();
        let change = if headers.contact_is_star() {
            if expires != Some(0) {
                return Err((400, "Contact * needs Expires: 0"));
            }
            Change::RemoveAll
        } else {
            let contacts = headers.contacts().map_err(|_| (400, "Bad Contact"))?;
            if contacts.len() > CONTACTS_MAX {
                return Err((400, "Too many contacts"));
            }
            let template =
                Template { user, flow, path: &path, call_id: &call_id, cseq, expires, limits, now };
            let user_agent = headers.text(&HeaderName::UserAgent).map(|text| text.into_owned());
            let bindings: Result<Vec<Binding>, Refusal> =
                contacts.into_iter().map(|contact| template.binding(contact, user_agent.clone())).collect();
            let bindings = bindings?;
            if bindings.is_empty() { Change::None } else { Change::Set(bindings) }
        };
        Ok(Self { call_id, cseq, change, path })
    }
}

/// What all contacts of one request have in common.
struct Template<'a> {
    user: &'a str,
    flow: Flow,
    path: &'a [String],
    call_id: &'a str,
    cseq: u32,
    expires: Option<u32>,
    limits: &'a RegistrarLimits,
    now: Mono,
}

impl Template<'_> {
    fn binding(&self, contact: NameAddr, user_agent: Option<String>) -> Result<Binding, Refusal> {
        let NameAddr { display: _, uri, mut params } = contact;
        if !uri.is_sip() {
            return Err((416, "Contact is no SIP address"));
        }
        let own = params.get("expires").and_then(syntax::seconds);
        let wanted = own.or(self.expires).unwrap_or(self.limits.expires_default_s);
        let granted = wanted.min(self.limits.expires_max_s);
        if granted != 0 && granted < self.limits.expires_min_s {
            return Err((423, "Interval Too Brief"));
        }
        params.remove("expires");
        let instance = params.unquoted("+sip.instance").map(|id| id.trim_matches(['<', '>']).to_owned());
        let reg_id = params.get("reg-id").and_then(|text| syntax::number(text, u64::from(u32::MAX)));
        Ok(Binding {
            user: self.user.to_owned(),
            contact: uri,
            q: params.get("q").and_then(parse_q).unwrap_or(1000),
            params,
            flow: self.flow,
            path: self.path.to_vec(),
            expires_at: self.now + Duration::from_secs(u64::from(granted)),
            call_id: self.call_id.to_owned(),
            cseq: self.cseq,
            user_agent,
            instance,
            reg_id: reg_id.map(|n| n as u32),
        })
    }
}

/// `0.7` as 700; up to three decimals (RFC 3261 §25.1 `qvalue`).
fn parse_q(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let whole = syntax::number(whole, 1)? as u16;
    if decimals.len() > 3 || !decimals.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let thousandths =
        decimals.bytes().chain([b'0'; 3]).take(3).fold(0, |sum, b| sum * 10 + u16::from(b - b'0'));
    Some(whole * 1000 + thousandths).filter(|q| *q <= 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preferences_are_thousandths() {
        for (text, expected) in [
            ("1", Some(1000)),
            ("0", Some(0)),
            ("0.5", Some(500)),
            ("0.05", Some(50)),
            ("0.123", Some(123)),
            ("1.000", Some(1000)),
            ("0.", Some(0)),
            ("1.001", None),
            ("2", None),
            ("0.1234", None),
            ("-1", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(parse_q(text), expected, "{text}");
        }
    }
}
