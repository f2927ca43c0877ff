//! What the parts of a configuration must be to each other.

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;

use call::route::{is_dialable, normalise};
use sip::{IpNet, TransportKind};

use crate::Config;
use crate::directory::is_everybody;
use crate::raw::{At, Raw};
use crate::resolve::Findings;

/// Where Linux begins to take ports for outgoing traffic by itself (`net.ipv4.ip_local_port_range`).
const EPHEMERAL_FIRST: u16 = 32_768;

pub(crate) fn check(raw: &Raw, config: &Config, found: &mut Findings) {
    sockets(raw, config, found);
    extensions(raw, config, found);
    emergency_numbers(raw, config, found);
    trunk_sources(raw, config, found);
}

fn sockets(raw: &Raw, config: &Config, found: &mut Findings) {
    let tcp = |(transport, address): &(TransportKind, SocketAddr)| {
        (*transport != TransportKind::Udp).then_some(*address)
    };
    let http = config.http.listen;
    if config.sip.listen.iter().filter_map(tcp).any(|sip| same_socket(sip, http)) {
        let span = span_of(raw.http.listen.as_ref(), &raw.http.span);
        found.error(&span, "http.listen", format!("{http} is a SIP socket already; take another port."));
    }
    let (first, last) = config.media.ports;
    let span = span_of(raw.media.ports.as_ref(), &raw.media.span);
    for (transport, address) in &config.sip.listen {
        if *transport == TransportKind::Udp && (first..=last).contains(&address.port()) {
            let message = format!("{first}-{last} holds the SIP port {}; move one of them.", address.port());
            found.error(&span, "media.ports", message);
        }
    }
    if last >= EPHEMERAL_FIRST {
        let message = format!(
            "reaches into the kernel's ephemeral range: other programs may hold ports from {EPHEMERAL_FIRST} up."
        );
        found.warning(&span, "media.ports", message);
    }
}

/// The same port on the same address, or on any.
fn same_socket(a: SocketAddr, b: SocketAddr) -> bool {
    a.port() == b.port() && (a.ip() == b.ip() || a.ip().is_unspecified() || b.ip().is_unspecified())
}

fn extensions(raw: &Raw, config: &Config, found: &mut Findings) {
    let mut seen: Vec<(String, String)> = Vec::new();
    for keys in &raw.phones {
        let (Some(name), Some(At { value, span })) = (&keys.name, &keys.extension) else { continue };
        let (name, extension) = (&name.value, normalise(value));
        if let Some((_, other)) = seen.iter().find(|(taken, _)| *taken == extension) {
            found.error(span, "phone.extension", format!("`{extension}` is {other}'s already."));
        } else if !is_dialable(&extension) {
            // Said where it was read.
        } else if config.office.phones.contains_key(&extension) && *name != extension {
            found.error(span, "phone.extension", format!("`{extension}` is the name of another phone."));
        } else if config.office.agents.as_ref().is_some_and(|agents| agents.feature(&extension).is_some()) {
            found.error(span, "phone.extension", format!("`{extension}` is what agents dial; take another."));
        } else if config.office.numbers.contains_key(&extension) {
            found.error(
                span,
                "phone.extension",
                format!("`{extension}` is a [[number]] of the office, which goes first."),
            );
        }
        seen.push((extension, name.clone()));
    }
    for keys in &raw.phones {
        let Some(At { value: name, span }) = &keys.name else { continue };
        if config.office.numbers.contains_key(name) {
            found.error(
                span,
                "phone.name",
                format!("`{name}` is a [[number]] of the office, which goes first."),
            );
        }
    }
}

fn emergency_numbers(raw: &Raw, config: &Config, found: &mut Findings) {
    let emergency = &config.office.emergency_numbers;
    let mut refuse = |key: &str, value: &Option<At<String>>| {
        if let Some(At { value, span }) = value
            && emergency.contains(&normalise(value))
        {
            found.error(span, key, format!("`{value}` is an emergency number and leaves the office."));
        }
    };
    for keys in &raw.phones {
        refuse("phone.name", &keys.name);
        refuse("phone.extension", &keys.extension);
    }
    for keys in &raw.numbers {
        refuse("number.number", &keys.number);
    }
    if config.office.trunks.is_empty() && !config.office.phones.is_empty() && !emergency.is_empty() {
        let span = span_of(raw.sip.emergency.as_ref(), &raw.sip.span);
        found.warning(&span, "trunk", "there is none: emergency calls cannot leave the office.");
    }
}

fn trunk_sources(raw: &Raw, config: &Config, found: &mut Findings) {
    let mut seen: Vec<(&str, &str, IpNet)> = Vec::new();
    for keys in &raw.trunks {
        let Some(At { value: name, span: name_span }) = &keys.name else { continue };
        let Some(At { value: texts, span }) = &keys.accept_from else {
            found.warning(name_span, "trunk.accept_from", "is missing: no call can come in from this trunk.");
            continue;
        };
        for text in texts {
            let Ok(net) = text.parse::<IpNet>() else { continue };
            if is_everybody(&net) {
                continue;
            }
            let overlap = seen.iter().find(|(other, there, other_net)| {
                other != name && (holds(&net, there) || holds(other_net, text))
            });
            if let Some((other, there, _)) = overlap {
                let message = format!("`{text}` and {other}'s `{there}` overlap: whose call would it be?");
                found.error(span, "trunk.accept_from", message);
            }
            seen.push((name, text, net));
            if let Some(own) = own_addresses(config).find(|own| net.contains(*own)) {
                let message = format!(
                    "`{text}` holds {own}, where the box itself listens: phones on this machine count as the carrier."
                );
                found.warning(span, "trunk.accept_from", message);
            }
        }
    }
}

/// Whether the address a range is written with lies in a network.
fn holds(net: &IpNet, text: &str) -> bool {
    let address = text.split('/').next().unwrap_or(text);
    address.parse::<IpAddr>().is_ok_and(|address| net.contains(address))
}

fn own_addresses(config: &Config) -> impl Iterator<Item = IpAddr> + '_ {
    config.sip.listen.iter().map(|(_, address)| address.ip()).filter(|ip| !ip.is_unspecified())
}

fn span_of<T>(value: Option<&At<T>>, section: &Range<usize>) -> Range<usize> {
    value.map_or_else(|| section.clone(), |value| value.span.clone())
}
