//! As typed to valid by type: phones, trunks and routes. What they must be to each other stands in `cross`.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use call::office::{Phone, Route, Secret, Trunk};
use call::route::{is_dialable, normalise};
use sip::{IpNet, Scheme, Uri, UserCredentials};

use crate::audio;
use crate::raw::{At, PhoneKeys, RouteKeys, TrunkKeys};
use crate::read::nearest;
use crate::resolve::Findings;

/// Characters of a name: more would not fit a Client identity (`twiml-voice` §9.4).
const NAME_CHARS_MAX: usize = 121;
/// A password shorter than this is guessed sooner than a ban takes effect.
const PASSWORD_CHARS_MIN: usize = 6;

pub(crate) fn phones(keys: &[PhoneKeys], realm: &str, found: &mut Findings) -> BTreeMap<String, Phone> {
    let mut phones = BTreeMap::new();
    for keys in keys {
        let name = required(found, "phone.name", &keys.span, keys.name.as_ref(), name);
        let password =
            required(found, "phone.password", &keys.span, keys.password.as_ref(), |password: &Secret| {
                match password.reveal() {
                    "" => Err("is empty: anybody could register.".to_owned()),
                    text => Ok(text.to_owned()),
                }
            });
        if let (Some(At { span, .. }), Some(password)) = (&keys.password, &password)
            && password.chars().count() < PASSWORD_CHARS_MIN
        {
            found.warning(span, "phone.password", "is short enough to be guessed.");
        }
        let extension = found.read("phone.extension", keys.extension.as_ref(), |text| number(text));
        let caller_id = found.read("phone.caller_id", keys.caller_id.as_ref(), |text| number(text));
        let (codecs, srtp, dtmf) = (keys.codecs.as_ref(), keys.srtp.as_ref(), keys.dtmf.as_ref());
        let media = audio::of_peer("phone", codecs, srtp, dtmf, found);
        let (Some(name), Some(password)) = (name, password) else { continue };
        let UserCredentials { ha1_md5, ha1_sha256 } = UserCredentials::from_password(&name, realm, &password);
        let phone = Phone {
            name: name.clone(),
            extension,
            ha1_md5: Secret(ha1_md5),
            ha1_sha256: Secret(ha1_sha256),
            caller_id,
            media,
        };
        if phones.insert(name.clone(), phone).is_some() {
            twice(found, "phone.name", keys.name.as_ref(), &name);
        }
    }
    phones
}

pub(crate) fn trunks(keys: &[TrunkKeys], found: &mut Findings) -> BTreeMap<String, Trunk> {
    let mut trunks = BTreeMap::new();
    for keys in keys {
        let name = required(found, "trunk.name", &keys.span, keys.name.as_ref(), name);
        let address =
            required(found, "trunk.address", &keys.span, keys.address.as_ref(), |text| trunk_address(text));
        let accept_from = found
            .read("trunk.accept_from", keys.accept_from.as_ref(), |texts| networks(texts))
            .unwrap_or_default();
        let caller_id = found.read("trunk.caller_id", keys.caller_id.as_ref(), |text| number(text));
        let calls_max =
            found.read("trunk.calls", keys.calls.as_ref(), |&calls| match usize::try_from(calls) {
                Ok(calls @ 1..=100_000) => Ok(calls),
                _ => Err("must be 1 to 100000; leave it out for no limit of its own.".to_owned()),
            });
        let per_second =
            found.read(
                "trunk.calls_per_second",
                keys.calls_per_second.as_ref(),
                |&calls| match u32::try_from(calls) {
                    Ok(calls @ 1..=1_000) => Ok(calls),
                    _ => Err("must be 1 to 1000; leave it out where they need not be spread.".to_owned()),
                },
            );
        let register = keys.register.as_ref().is_some_and(|register| register.value);
        let username = keys.username.as_ref().map(|username| username.value.clone());
        let password = keys.password.as_ref().map(|password| password.value.clone());
        credentials("trunk", keys.username.as_ref(), keys.password.as_ref(), found);
        if register && username.is_none() && password.is_none() {
            let span = keys.register.as_ref().map_or(&keys.span, |register| &register.span);
            found.error(span, "trunk.register", "needs `username` and `password`.");
        }
        let (codecs, srtp, dtmf) = (keys.codecs.as_ref(), keys.srtp.as_ref(), keys.dtmf.as_ref());
        let media = audio::of_peer("trunk", codecs, srtp, dtmf, found);
        let (Some(name), Some(address)) = (name, address) else { continue };
        let trunk = Trunk {
            name: name.clone(),
            address,
            accept_from,
            username,
            password,
            register,
            caller_id,
            calls_max,
            calls_gap_ms: per_second.map_or(0, |calls| 1_000 / calls),
            media,
        };
        if trunks.insert(name.clone(), trunk).is_some() {
            twice(found, "trunk.name", keys.name.as_ref(), &name);
        }
    }
    trunks
}

fn trunk_address(text: &str) -> Result<String, String> {
    let uri = sip_uri(text)?;
    if uri.user.is_some() || uri.password.is_some() {
        return Err("has a user before the host; write `username` and `password` as keys.".to_owned());
    }
    Ok(text.to_owned())
}

pub(crate) fn sip_uri(text: &str) -> Result<Uri, String> {
    let wrong = || {
        format!("`{text}` must be a SIP URI, as sip:192.0.2.20:5060 or sip:carrier.example;transport=tcp.")
    };
    let uri: Uri = text.parse().map_err(|_| wrong())?;
    let hostless = matches!(&uri.host, sip::Host::Name(name) if name.is_empty());
    if !matches!(uri.scheme, Scheme::Sip | Scheme::Sips) || hostless {
        return Err(wrong());
    }
    Ok(uri)
}

/// A user and a password go together.
pub(crate) fn credentials(
    section: &str,
    username: Option<&At<String>>,
    password: Option<&At<Secret>>,
    found: &mut Findings,
) {
    match (username, password) {
        (Some(lonely), None) => {
            found.error(&lonely.span, &format!("{section}.username"), "needs a `password`.");
        }
        (None, Some(lonely)) => {
            found.error(&lonely.span, &format!("{section}.password"), "needs a `username`.");
        }
        (Some(_), Some(_)) | (None, None) => {}
    }
}

fn networks(texts: &[String]) -> Result<Vec<IpNet>, String> {
    texts
        .iter()
        .map(|text| {
            let net: IpNet = text.parse().map_err(|_| {
                format!("`{text}` must be an IP address or a range, as 192.0.2.20 or 198.51.100.0/24.")
            })?;
            if is_everybody(&net) {
                return Err(format!("`{text}` is everybody: anybody's call would count as the carrier's."));
            }
            Ok(net)
        })
        .collect()
}

/// Whether a range has the first and the last address of its family.
pub(crate) fn is_everybody(net: &IpNet) -> bool {
    let holds = |first: IpAddr, last: IpAddr| net.contains(first) && net.contains(last);
    holds(Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::BROADCAST.into())
        || holds(Ipv6Addr::UNSPECIFIED.into(), Ipv6Addr::from_bits(u128::MAX).into())
}

pub(crate) fn routes(
    keys: &[RouteKeys],
    trunks: &BTreeMap<String, Trunk>,
    found: &mut Findings,
) -> Vec<Route> {
    let mut routes: Vec<Route> = Vec::new();
    for keys in keys {
        let pattern = required(found, "route.pattern", &keys.span, keys.pattern.as_ref(), pattern);
        let chosen = required(found, "route.trunk", &keys.span, keys.trunk.as_ref(), |names| {
            known_trunks(names, trunks)
        });
        let prefix = found.read("route.prefix", keys.prefix.as_ref(), |text| {
            let right = text.is_empty() || text == "+" || is_dialable(text);
            right
                .then(|| text.clone())
                .ok_or_else(|| format!("`{text}` must be digits, with + in front if need be."))
        });
        let (Some(pattern), Some(chosen)) = (pattern, chosen) else { continue };
        let strip = found.read("route.strip", keys.strip.as_ref(), |&strip| {
            let shortest = pattern.chars().count();
            match usize::try_from(strip) {
                Ok(strip) if strip < shortest || (strip <= shortest && pattern.ends_with('*')) => Ok(strip),
                _ => Err(format!("takes off more than `{pattern}` has.")),
            }
        });
        if let Some(earlier) = routes.iter().find(|earlier| covers(&earlier.pattern, &pattern)) {
            let span = keys.pattern.as_ref().map_or(&keys.span, |pattern| &pattern.span);
            let message =
                format!("is never reached: the earlier `{}` takes all it matches.", earlier.pattern);
            found.warning(span, "route.pattern", message);
        }
        routes.push(Route {
            pattern,
            trunks: chosen,
            strip: strip.unwrap_or(0),
            prefix: prefix.unwrap_or_default(),
        });
    }
    routes
}

fn pattern(text: &String) -> Result<String, String> {
    let right = |c: char| c.is_ascii_digit() || matches!(c, '+' | '*' | '#' | '?');
    if text.is_empty() || !text.chars().all(right) || text.chars().skip(1).any(|c| c == '+') {
        return Err(format!(
            "`{text}` must be digits, + in front, ? for one character, * at the end, as +1*."
        ));
    }
    Ok(text.to_owned())
}

/// Trunks that there are; none at all is right.
fn known_trunks(names: &[String], trunks: &BTreeMap<String, Trunk>) -> Result<Vec<String>, String> {
    if let Some(unknown) = names.iter().find(|name| !trunks.contains_key(*name)) {
        let known: Vec<&str> = trunks.keys().map(String::as_str).collect();
        return Err(match known.as_slice() {
            [] => format!("`{unknown}` is no trunk; there is no [[trunk]] yet."),
            known => format!("`{unknown}` is no trunk; the nearest is `{}`.", nearest(unknown, known)),
        });
    }
    Ok(names.to_vec())
}

/// Whether every number `later` matches is matched by `earlier`: exact when both end alike, else on the safe
/// side.
fn covers(earlier: &str, later: &str) -> bool {
    if earlier == later {
        return true;
    }
    let Some(stem) = earlier.strip_suffix('*') else { return false };
    let later_stem = later.strip_suffix('*').unwrap_or(later);
    let longer = later_stem.chars().count() > stem.chars().count()
        || (later.ends_with('*') && later_stem.chars().count() == stem.chars().count());
    longer && stem.chars().zip(later_stem.chars()).all(|(a, b)| a == b || a == '?')
}

pub(crate) fn name(text: &String) -> Result<String, String> {
    let right = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if text.is_empty() || text.len() > NAME_CHARS_MAX || !text.chars().all(right) {
        return Err(format!("`{text}` must be letters, digits, dots, hyphens and underscores."));
    }
    Ok(text.to_owned())
}

fn number(text: &str) -> Result<String, String> {
    let normal = normalise(text);
    is_dialable(&normal).then_some(normal).ok_or_else(|| format!("`{text}` must be a number."))
}

pub(crate) fn required<T, V>(
    found: &mut Findings,
    key: &str,
    section: &Range<usize>,
    value: Option<&At<V>>,
    read: impl FnOnce(&V) -> Result<T, String>,
) -> Option<T> {
    if value.is_none() {
        found.error(section, key, "is missing.");
    }
    found.read(key, value, read)
}

pub(crate) fn twice(found: &mut Findings, key: &str, value: Option<&At<String>>, text: &str) {
    if let Some(At { span, .. }) = value {
        found.error(span, key, format!("`{text}` stands twice."));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_earlier_route_covers_what_it_matches() {
        for (earlier, later, expected) in [
            ("+*", "+*", true),
            ("+*", "+1*", true),
            ("+*", "+15550001111", true),
            ("+1*", "+*", false),
            ("00*", "0*", false),
            ("1?*", "12*", true),
            ("1?*", "1*", false),
            ("112", "11*", false),
            ("*", "9*", true),
            ("9*", "9", false),
        ] {
            assert_eq!(covers(earlier, later), expected, "{earlier} {later}");
        }
    }
}
