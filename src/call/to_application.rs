//! An application as somebody who is called: `app:AP…` (reference: rest-voice §7), and a number of the office's own.
//!
//! The box calls itself by a name that nobody can guess, and the INVITE comes in again as a call to what was named. Its
//! documents have a leg of their own, so that whatever they can do with a caller they do with those they are called to:
//! speak, hear, record, stream.
//!
//! ```text
//! a call that was asked for ──INVITE sip:<32 digits>@box──▶ an inbound call, answered by the application's documents
//! ```

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use sip::{TransportKind, unescape};

use crate::ctx::Ctx;
use crate::office::{Application, Office};
use crate::place::{NewCall, NotPlaced};
use crate::route::{Target, Who, route};

/// What of the office is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Called {
    /// A key of [`Office::applications`].
    Application(String),
    /// A key of [`Office::numbers`].
    Number(String),
}

impl Called {
    /// What answers there, and the number as configured where it is one; nothing once it is gone.
    pub(crate) fn answer(&self, office: &Office) -> Option<(Application, Option<String>)> {
        match self {
            Called::Application(sid) => Some((office.applications.get(sid)?.clone(), None)),
            Called::Number(number) => {
                let owned = office.numbers.get(number)?;
                Some((owned.application.clone(), Some(owned.number.clone())))
            }
        }
    }
}

/// An application or a number that is called, until its call comes in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OwnCall {
    pub(crate) called: Called,
    pub(crate) from: String,
    /// As it was asked for; a number as configured.
    pub(crate) to: String,
    /// What its first document is asked for with.
    pub(crate) parameters: Vec<(String, String)>,
}

/// Where both ends of such a call send their sound.
pub(crate) const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Applications that are called and whose calls have not come in.
pub(crate) const OWN_CALLS_MAX: usize = 1_024;

/// An own call that has not come in by then does not come any more.
const COMES: Duration = Duration::from_secs(60);

/// Parameters of one call.
const PARAMETERS_MAX: usize = 32;

/// There is no such application (reference: error-codes).
const NO_APPLICATION: u32 = 21218;
/// It cannot be reached (reference: rest-voice §5.1).
const UNREACHABLE: u32 = 21214;

/// Where to call the application or the office's own number that `to` names; `None`: it names neither.
pub(crate) fn address(
    to: &str,
    told: &[(String, String)],
    new: &NewCall,
    ctx: &mut Ctx<'_>,
) -> Result<Option<String>, NotPlaced> {
    let (called, to) = match to.strip_prefix("app:") {
        Some(sid) if ctx.office.applications.contains_key(sid) => {
            (Called::Application(sid.to_owned()), to.to_owned())
        }
        Some(sid) => {
            return Err(NotPlaced { code: NO_APPLICATION, why: format!("there is no application {sid}") });
        }
        // Who names a carrier wants it called from outside.
        None if new.carrier.is_some() || to.contains(':') => return Ok(None),
        None => match route(ctx.office, &Who::Api, to, |_| true).target {
            Target::Application { number } => {
                let shown = ctx.office.owned(&number).unwrap_or_else(|| to.to_owned());
                (Called::Number(number), shown)
            }
            _ => return Ok(None),
        },
    };
    let Some((transport, here)) = door(&ctx.office.listen) else {
        let why = "the box calls itself by UDP or TCP, and listens to neither".to_owned();
        return Err(NotPlaced { code: UNREACHABLE, why });
    };
    let name = ctx.shared.rng.hex(32);
    let (now, deadline) = (ctx.now.mono, ctx.now.mono + COMES);
    let own = OwnCall {
        called,
        from: new.caller_id.as_ref().unwrap_or(&new.from).clone(),
        to,
        parameters: told.iter().map(|(name, value)| (format!("Param_{name}"), value.clone())).collect(),
    };
    while ctx.shared.own_calls.expire(now).is_some() {}
    ctx.shared.own_calls.insert(name.clone(), own, deadline);
    ctx.shared.endpoint.expect_own(name.clone(), now);
    Ok(Some(format!("sip:{name}@{here};transport={transport}")))
}

/// Who is called, and what an application or a client is told: `app:AP…?name=value&…`.
pub(crate) fn with_parameters(to: &str) -> (String, Vec<(String, String)>) {
    match to.split_once('?') {
        Some((who, query)) if who.starts_with("app:") || who.starts_with("client:") => {
            let pairs = query.split('&').filter_map(|pair| pair.split_once('=')).take(PARAMETERS_MAX);
            let pairs =
                pairs.map(|(name, value)| (unescape(name).into_owned(), unescape(value).into_owned()));
            (who.to_owned(), pairs.collect())
        }
        Some(_) | None => (to.to_owned(), Vec::new()),
    }
}

/// Where the box hears itself.
fn door(listen: &[(TransportKind, SocketAddr)]) -> Option<(&'static str, SocketAddr)> {
    let of = |kind, word| listen.iter().find(|(k, _)| *k == kind).map(|(_, address)| (word, *address));
    let (word, address) = of(TransportKind::Udp, "udp").or_else(|| of(TransportKind::Tcp, "tcp"))?;
    let here = match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => SocketAddr::new(HERE, v4.port()),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => {
            SocketAddr::new(IpAddr::V6(std::net::Ipv6Addr::LOCALHOST), v6.port())
        }
        there => there,
    };
    Some((word, here))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_called_and_what_it_is_told() {
        let told = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        for (to, who, parameters) in [
            ("client:ann", "client:ann", vec![]),
            ("client:ann?a=1", "client:ann", vec![told("a", "1")]),
            ("app:AP1", "app:AP1", vec![]),
            (
                "app:AP1?lang=de&room=3%20west&broken",
                "app:AP1",
                vec![told("lang", "de"), told("room", "3 west")],
            ),
            ("sip:ann@h?X-a=1", "sip:ann@h?X-a=1", vec![]),
        ] {
            assert_eq!(with_parameters(to), (who.to_owned(), parameters), "{to}");
        }
    }

    #[test]
    fn the_box_is_found_where_it_listens() {
        let at = |text: &str| text.parse::<SocketAddr>().unwrap();
        let (udp, tcp, any) = (at("192.0.2.1:5070"), at("192.0.2.1:5071"), at("0.0.0.0:5060"));
        for (listen, expected) in [
            (vec![(TransportKind::Tcp, tcp), (TransportKind::Udp, udp)], Some(("udp", udp))),
            (vec![(TransportKind::Tcp, tcp)], Some(("tcp", tcp))),
            (vec![(TransportKind::Udp, any)], Some(("udp", at("127.0.0.1:5060")))),
            (vec![], None),
        ] {
            assert_eq!(door(&listen), expected);
        }
    }
}
