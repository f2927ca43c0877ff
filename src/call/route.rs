//! Where a dialled number leads: a pure function of the office, asked by the node for every call and by
//! `tandem route` for people.
//!
//! In this order, the first that applies:
//!
//! 1. an emergency number leaves by any working trunk, ahead of every rule;
//! 2. a code of an agent (`*10`), dialled by a phone, does what it is for;
//! 3. a number the office owns is answered by its application;
//! 4. a phone's extension or name rings that phone;
//! 5. an owned number written another way (`15550001111`, `0015550001111` or `01115550001111` for
//!    `+15550001111`) is that number;
//! 6. the first `[[route]]` in the order of the file whose pattern matches sends it to its trunks, or bars it when
//!    it has none;
//! 7. otherwise nobody is there.
//!
//! A caller from a trunk gets 3 and 5 only. Whatever a carrier sends, it can neither reach a phone that no
//! number leads to nor leave again by a trunk: the box is no open relay.

use serde::{Deserialize, Serialize};

use crate::agents::Feature;
use crate::office::{Number, Office, Route};

/// Characters of a dialled text beyond which it is nobody's number.
pub const DIALLED_CHARS_MAX: usize = 128;

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Who {
    /// A phone of the office, by name.
    Phone(String),
    /// A carrier, by the trunk's name.
    Trunk(String),
    /// The office itself: a document's `<Dial>`, the REST API or the command line.
    Api,
}

/// Where a call goes, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Where it goes.
    pub target: Target,
    /// How that was found, one sentence a step.
    pub steps: Vec<String>,
}

/// Where a call goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Out, ahead of every rule and limit, by the first of these trunks that works.
    Emergency {
        /// What the trunk is asked for.
        number: String,
        /// Every trunk of the office.
        trunks: Vec<String>,
    },
    /// Nowhere: the phone's agent does something else from now on.
    Feature(Feature),
    /// To the application of this owned number, a key of [`Office::numbers`].
    Application {
        /// The key.
        number: String,
    },
    /// To a phone of the office, a key of [`Office::phones`].
    Phone {
        /// The key.
        name: String,
        /// Whether it can be reached at the moment.
        registered: bool,
    },
    /// Out by the first of these trunks that takes it.
    Trunk {
        /// What the trunk is asked for, rewritten as the route says.
        number: String,
        /// In the order of the route.
        trunks: Vec<String>,
    },
    /// Nowhere: a route without a trunk bars it (403).
    Barred,
    /// Nowhere: 404. The last step says why.
    NotFound,
}

/// Where `dialled` leads for `caller`.
///
/// `dialled` is a number as somebody typed it, a phone's name, `client:name`, a `tel:` URI or the SIP URI of
/// an address of the box; whether a SIP URI's host is the box is for the owner to know.
pub fn route(office: &Office, caller: &Who, dialled: &str, registered: impl Fn(&str) -> bool) -> Decision {
    let number = normalise(dialled);
    let mut steps = vec![format!("{} dials `{number}`.", describe(caller))];
    let target = decide(office, caller, &number, registered, &mut steps);
    Decision { target, steps }
}

fn decide(
    office: &Office,
    caller: &Who,
    number: &str,
    registered: impl Fn(&str) -> bool,
    steps: &mut Vec<String>,
) -> Target {
    if number.is_empty() || number.chars().count() > DIALLED_CHARS_MAX {
        steps.push(format!("A number has 1 to {DIALLED_CHARS_MAX} characters."));
        return Target::NotFound;
    }
    let from_trunk = matches!(caller, Who::Trunk(_));
    if !from_trunk && office.emergency_numbers.contains(number) {
        let trunks = emergency_trunks(office, number);
        steps.push(match trunks.as_slice() {
            [] => "It is an emergency number, but the office has no trunk.".to_owned(),
            trunks => format!("It is an emergency number: by any working trunk of {}.", trunks.join(", ")),
        });
        return Target::Emergency { number: number.to_owned(), trunks };
    }
    if let (Who::Phone(_), Some(agents)) = (caller, &office.agents)
        && let Some(feature) = agents.feature(number)
    {
        steps.push("It is a code of the phone's agent.".to_owned());
        return Target::Feature(feature);
    }
    if let Some(owned) = office.numbers.get(number) {
        return application(number, owned, steps);
    }
    if !from_trunk && let Some(name) = phone(office, number) {
        let registered = registered(name);
        let state = if registered { "registered" } else { "not registered at the moment" };
        steps.push(format!("It is the phone `{name}`, which is {state}."));
        return Target::Phone { name: name.to_owned(), registered };
    }
    if let Some((key, owned)) = owned_otherwise_written(office, number) {
        return application(key, owned, steps);
    }
    if from_trunk {
        steps.push(
            "The office does not own it, and calls from a trunk reach the office's own numbers only."
                .to_owned(),
        );
        return Target::NotFound;
    }
    outside(office, number, steps)
}

fn application(key: &str, owned: &Number, steps: &mut Vec<String>) -> Target {
    steps.push(format!("The office owns it as `{}`: its application answers.", owned.number));
    Target::Application { number: key.to_owned() }
}

fn phone<'a>(office: &'a Office, number: &str) -> Option<&'a str> {
    let by_name = || office.phones.get(number);
    office.phone_by_extension(number).or_else(by_name).map(|phone| phone.name.as_str())
}

/// The owned number in international form that `number` writes without its `+`, as carriers and people do.
fn owned_otherwise_written<'a>(office: &'a Office, number: &str) -> Option<(&'a str, &'a Number)> {
    ["", "00", "011"].into_iter().find_map(|prefix| {
        let digits = number.strip_prefix(prefix)?;
        let (key, owned) = office.numbers.get_key_value(&format!("+{digits}"))?;
        Some((key.as_str(), owned))
    })
}

fn outside(office: &Office, number: &str, steps: &mut Vec<String>) -> Target {
    if !is_dialable(number) {
        steps.push("It is neither a number nor a name the office knows.".to_owned());
        return Target::NotFound;
    }
    let Some(route) = office.routes.iter().find(|route| matches(&route.pattern, number)) else {
        steps.push(
            "The office does not own it, no phone has it, and no route's pattern matches it.".to_owned(),
        );
        return Target::NotFound;
    };
    if route.trunks.is_empty() {
        steps.push(format!("The route `{}` matches and has no trunk: nobody dials that.", route.pattern));
        return Target::Barred;
    }
    let rewritten = rewrite(route, number);
    steps.push(format!(
        "The route `{}` matches: by trunk {}, as `{rewritten}`.",
        route.pattern,
        route.trunks.join(", then ")
    ));
    Target::Trunk { number: rewritten, trunks: route.trunks.clone() }
}

fn rewrite(route: &Route, number: &str) -> String {
    let kept: String = number.chars().skip(route.strip).collect();
    format!("{}{kept}", route.prefix)
}

/// Every trunk: those the rules would choose first, then the others.
fn emergency_trunks(office: &Office, number: &str) -> Vec<String> {
    let mut trunks: Vec<String> = Vec::new();
    let preferred = office.routes.iter().filter(|route| matches(&route.pattern, number));
    for name in preferred.flat_map(|route| &route.trunks).chain(office.trunks.keys()) {
        if !trunks.contains(name) && office.trunks.contains_key(name) {
            trunks.push(name.clone());
        }
    }
    trunks
}

fn describe(caller: &Who) -> String {
    match caller {
        Who::Phone(name) => format!("Phone `{name}`"),
        Who::Trunk(name) => format!("A caller from trunk `{name}`"),
        Who::Api => "The office".to_owned(),
    }
}

/// The one form in which numbers are compared.
///
/// A scheme (`tel:`, `sip:`, `sips:`, `client:`), parameters and a host are taken off; a text of digits, `+`,
/// `*`, `#` and visual separators (RFC 3966 §5.1.1, and space and `/`) loses the separators. Anything else is
/// a name and stays as it is.
pub fn normalise(dialled: &str) -> String {
    let text = dialled.trim();
    let (scheme, rest) = text.split_once(':').unwrap_or(("", text));
    let text = match scheme.to_ascii_lowercase().as_str() {
        "sip" | "sips" => rest.split(['@', ';', '?']).next().unwrap_or(rest),
        "tel" => rest.split(';').next().unwrap_or(rest),
        "client" => return rest.to_owned(),
        _ => text,
    };
    let separator = |c: char| matches!(c, '-' | '.' | '(' | ')' | ' ' | '/');
    let digit = |c: char| c.is_ascii_digit() || matches!(c, '+' | '*' | '#');
    if text.chars().any(digit) && text.chars().all(|c| separator(c) || digit(c)) {
        return text.chars().filter(|&c| digit(c)).collect();
    }
    text.to_owned()
}

/// Whether a text in normal form can be sent to a carrier: digits, `*` and `#`, after at most one `+`.
pub fn is_dialable(number: &str) -> bool {
    let rest = number.strip_prefix('+').unwrap_or(number);
    !rest.is_empty() && rest.chars().all(|c| c.is_ascii_digit() || matches!(c, '*' | '#'))
}

/// Whether a route's pattern matches a number in normal form.
///
/// A `*` at the end stands for one or more characters, `?` for exactly one; every other character, and a `*`
/// elsewhere (the key of that name), stands for itself.
pub fn matches(pattern: &str, number: &str) -> bool {
    let mut rest = number.chars();
    let mut pattern = pattern.chars().peekable();
    while let Some(expected) = pattern.next() {
        let Some(actual) = rest.next() else { return false };
        match expected {
            '*' if pattern.peek().is_none() => return true,
            '?' => {}
            _ if expected == actual => {}
            _ => return false,
        }
    }
    rest.next().is_none()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use base::AccountSid;
    use twiml::{Dialect, Source};

    use super::*;
    use crate::office::{Application, Limits, MediaPreferences, PeerMedia, Phone, Secret, Trunk};

    fn office() -> Office {
        let phone = |name: &str, extension: &str| Phone {
            name: name.to_owned(),
            extension: Some(extension.to_owned()),
            ha1_md5: Secret::default(),
            ha1_sha256: Secret::default(),
            caller_id: None,
            media: PeerMedia::default(),
        };
        let trunk = |name: &str| Trunk {
            name: name.to_owned(),
            address: "sip:192.0.2.1".to_owned(),
            accept_from: Vec::new(),
            username: None,
            password: None,
            register: false,
            caller_id: None,
            calls_max: None,
            calls_gap_ms: 0,
            media: PeerMedia::default(),
        };
        let route = |pattern: &str, trunks: &[&str], strip, prefix: &str| Route {
            pattern: pattern.to_owned(),
            trunks: trunks.iter().map(|&name| name.to_owned()).collect(),
            strip,
            prefix: prefix.to_owned(),
        };
        let number = |number: &str| Number {
            number: number.to_owned(),
            application: Application {
                voice: Source::Inline("<Response/>".to_owned()),
                fallback: None,
                status_callback: None,
                dialect: Dialect::Twiml,
                record: false,
                record_dual: false,
            },
        };
        Office {
            name: "Test".to_owned(),
            account_sid: AccountSid(1),
            realm: "test".to_owned(),
            domain: None,
            listen: Vec::new(),
            addresses: Vec::new(),
            public_url: "http://127.0.0.1".to_owned(),
            debugger_url: None,
            empty_record_goes_on: false,
            phones: BTreeMap::from([
                ("ann".to_owned(), phone("ann", "101")),
                ("bob".to_owned(), phone("bob", "102")),
            ]),
            trunks: BTreeMap::from([
                ("backup".to_owned(), trunk("backup")),
                ("carrier".to_owned(), trunk("carrier")),
            ]),
            applications: BTreeMap::new(),
            domains: BTreeMap::new(),
            byoc: BTreeMap::new(),
            caller_ids: BTreeSet::new(),
            recorders: BTreeMap::new(),
            numbers: BTreeMap::from([
                ("+15550001111".to_owned(), number("+1 555 000 1111")),
                ("900".to_owned(), number("900")),
            ]),
            routes: vec![
                route("+1900666*", &[], 0, ""),
                route("+1900*", &["backup"], 0, ""),
                route("+*", &["carrier", "backup"], 0, ""),
                route("00*", &["carrier"], 2, "+"),
                route("11?", &["carrier"], 0, ""),
            ],
            emergency_numbers: BTreeSet::from(["112".to_owned(), "911".to_owned()]),
            agents: None,
            media: MediaPreferences::default(),
            limits: Limits::default(),
        }
    }

    fn out(number: &str, trunks: &[&str]) -> Target {
        Target::Trunk {
            number: number.to_owned(),
            trunks: trunks.iter().map(|&name| name.to_owned()).collect(),
        }
    }

    fn owned(number: &str) -> Target {
        Target::Application { number: number.to_owned() }
    }

    fn rings(name: &str) -> Target {
        Target::Phone { name: name.to_owned(), registered: name == "ann" }
    }

    fn emergency(number: &str, trunks: &[&str]) -> Target {
        Target::Emergency {
            number: number.to_owned(),
            trunks: trunks.iter().map(|&name| name.to_owned()).collect(),
        }
    }

    #[test]
    fn phones_and_the_office_reach_what_the_rules_say() {
        let cases = [
            ("+15550001111", owned("+15550001111")),
            ("+1 555 000-1111", owned("+15550001111")),
            ("tel:+1-555-000-1111;phone-context=x", owned("+15550001111")),
            ("15550001111", owned("+15550001111")),
            ("0015550001111", owned("+15550001111")),
            ("01115550001111", owned("+15550001111")),
            ("900", owned("900")),
            ("101", rings("ann")),
            ("ann", rings("ann")),
            ("client:bob", rings("bob")),
            ("sip:bob@office.example;transport=tcp", rings("bob")),
            ("Ann", Target::NotFound),
            ("+442079460000", out("+442079460000", &["carrier", "backup"])),
            ("+19005551234", out("+19005551234", &["backup"])),
            ("+19006661234", Target::Barred),
            ("00442079460000", out("+442079460000", &["carrier"])),
            ("112", emergency("112", &["carrier", "backup"])),
            ("911", emergency("911", &["backup", "carrier"])),
            ("113", out("113", &["carrier"])),
            ("114x", Target::NotFound),
            ("+", Target::NotFound),
            ("5551234", Target::NotFound),
            ("", Target::NotFound),
        ];
        for caller in [Who::Phone("ann".to_owned()), Who::Api] {
            for (dialled, expected) in &cases {
                let decision = route(&office(), &caller, dialled, |name| name == "ann");
                assert_eq!(&decision.target, expected, "{dialled}: {:?}", decision.steps);
                assert!(decision.steps.len() >= 2, "{dialled} is not explained");
            }
        }
    }

    #[test]
    fn a_trunk_reaches_owned_numbers_and_nothing_else() {
        let cases = [
            ("+15550001111", owned("+15550001111")),
            ("15550001111", owned("+15550001111")),
            ("900", owned("900")),
            ("101", Target::NotFound),
            ("ann", Target::NotFound),
            ("+442079460000", Target::NotFound),
            ("112", Target::NotFound),
        ];
        for (dialled, expected) in cases {
            let decision = route(&office(), &Who::Trunk("carrier".to_owned()), dialled, |_| true);
            assert_eq!(decision.target, expected, "{dialled}");
        }
    }

    #[test]
    fn an_overlong_number_is_nobodys() {
        let dialled = format!("+{}", "1".repeat(DIALLED_CHARS_MAX));
        assert_eq!(route(&office(), &Who::Api, &dialled, |_| true).target, Target::NotFound);
    }

    #[test]
    fn patterns_match_as_documented() {
        let cases = [
            ("+*", "+1", true),
            ("+*", "+", false),
            ("*", "1", true),
            ("*98", "*98", true),
            ("*98", "198", false),
            ("1??", "112", true),
            ("1??", "11", false),
            ("1??", "1123", false),
            ("112", "112", true),
            ("", "", true),
            ("", "1", false),
        ];
        for (pattern, number, expected) in cases {
            assert_eq!(matches(pattern, number), expected, "{pattern} {number}");
        }
    }
}
