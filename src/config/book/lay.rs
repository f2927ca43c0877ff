//! The entries of the book laid over the file's office.

use std::collections::BTreeSet;

use call::office::{Application, DocumentRef, Domain, Number, Office, PeerMedia, Phone, Secret, Trunk};
use call::route::normalise;
use sip::IpNet;
use twiml::{Dialect, HttpMethod, ProgressEvent, Source, StatusCallback};

use super::file::voice;
use super::{Book, Entry, Kind, Origin};

/// What is said of a call to a number that leads nowhere.
const NOWHERE: &str = "<Response><Reject/></Response>";

pub(super) fn over(book: &Book) -> Office {
    let mut office = book.plain().clone();
    applications(book, &mut office);
    numbers(book, &mut office);
    carriers(book, &mut office);
    domains(book, &mut office);
    let numbers = book.of_kind(Kind::CallerId).filter_map(|entry| entry.text("phone_number"));
    office.caller_ids = numbers.map(normalise).collect();
    office
}

fn applications(book: &Book, office: &mut Office) {
    let plain = book.plain();
    office.applications.retain(|sid, _| book.get(Kind::Application, "", sid).is_some());
    for entry in book.of_kind(Kind::Application).filter(|entry| !entry.is_of_file()) {
        let sid = &entry.key.sid;
        office
            .applications
            .insert(sid.clone(), application(entry, plain.applications.get(sid), "status_callback"));
    }
}

fn numbers(book: &Book, office: &mut Office) {
    let plain = book.plain();
    let kept: BTreeSet<String> =
        book.of_kind(Kind::Number).filter_map(|entry| Some(normalise(entry.text("phone_number")?))).collect();
    office.numbers.retain(|number, _| kept.contains(number));
    for entry in book.of_kind(Kind::Number).filter(|entry| !entry.is_of_file()) {
        let Some(number) = entry.text("phone_number") else { continue };
        let key = normalise(number);
        let of_file = plain.numbers.get(&key).map(|owned| &owned.application);
        let application = match entry.text("voice_application_sid") {
            // An application that is gone leaves the number without a document.
            Some(sid) => office.applications.get(sid).cloned().unwrap_or_else(nowhere),
            None => application(entry, of_file, "status_callback"),
        };
        let owned = Number { number: number.to_owned(), application };
        office.numbers.insert(key, owned);
    }
}

fn nowhere() -> Application {
    Application {
        voice: Source::Inline(NOWHERE.to_owned()),
        fallback: None,
        status_callback: None,
        dialect: Dialect::Twiml,
        record: false,
        record_dual: false,
    }
}

/// What an entry's fields make; where they are as the file's entry has them, so is what they make.
fn application(entry: &Entry, of_file: Option<&Application>, callback: &str) -> Application {
    let of_file = of_file.filter(|_| matches!(entry.origin, Origin::Over(_)));
    let method = |name: &str| entry.text(name).and_then(HttpMethod::parse).unwrap_or_default();
    let mut made = of_file.cloned().unwrap_or_else(nowhere);
    made.dialect = match entry.text("dialect") {
        Some("texml") => Dialect::Texml,
        Some(_) => Dialect::Twiml,
        None => made.dialect,
    };
    let shown = of_file.map(voice).unwrap_or_default();
    let differs = |names: &[&str]| {
        of_file.is_none() || names.iter().any(|name| entry.body.get(*name) != shown.get(*name))
    };
    if differs(&["voice_url", "voice_method"]) {
        made.voice = match entry.text("voice_url") {
            Some(url) => Source::Url { url: url.to_owned(), method: method("voice_method") },
            None => Source::Inline(NOWHERE.to_owned()),
        };
    }
    if differs(&["voice_fallback_url", "voice_fallback_method"]) {
        made.fallback = entry
            .text("voice_fallback_url")
            .map(|url| DocumentRef { url: url.to_owned(), method: method("voice_fallback_method") });
    }
    let callback_method = format!("{}_method", callback.strip_suffix("_url").unwrap_or(callback));
    if differs(&[callback, &callback_method]) {
        made.status_callback = entry.text(callback).map(|url| StatusCallback {
            url: url.to_owned(),
            method: method(&callback_method),
            events: vec![ProgressEvent::Completed],
        });
    }
    made
}

/// Each target is a trunk; a `byoc` names those of its policy, by priority and then weight.
fn carriers(book: &Book, office: &mut Office) {
    for entry in book.of_kind(Kind::Target).filter(|entry| entry.flag("enabled")) {
        let Some(address) = entry.text("target") else { continue };
        let trunk = Trunk {
            name: entry.key.sid.clone(),
            address: address.to_owned(),
            accept_from: Vec::new(),
            username: None,
            password: None,
            register: false,
            caller_id: None,
            calls_max: None,
            calls_gap_ms: 0,
            media: PeerMedia::default(),
        };
        office.trunks.insert(trunk.name.clone(), trunk);
    }
    for entry in book.of_kind(Kind::ByocTrunk) {
        let policy = entry.text("connection_policy_sid").unwrap_or_default();
        let mut targets = book.list(Kind::Target, policy);
        targets.retain(|target| target.flag("enabled") && office.trunks.contains_key(&target.key.sid));
        targets.sort_by_key(|target| {
            let weight = std::cmp::Reverse(target.number("weight"));
            (target.number("priority"), weight, target.key.sid.clone())
        });
        let names = targets.iter().map(|target| target.key.sid.clone()).collect();
        office.byoc.insert(entry.key.sid.clone(), names);
    }
}

fn domains(book: &Book, office: &mut Office) {
    for entry in book.of_kind(Kind::Domain) {
        let Some(name) = entry.text("domain_name") else { continue };
        let sid = &entry.key.sid;
        let mut domain = Domain {
            sid: Some(sid.clone()),
            application: domain_application(book, entry),
            sources: sources(book, sid),
            ..Domain::default()
        };
        let mappings = [Kind::Registrations, Kind::CallCredentials];
        for kind in mappings {
            let registers = kind == Kind::Registrations && entry.flag("sip_registration");
            if kind == Kind::Registrations && !registers {
                continue;
            }
            for list in book.list(kind, sid) {
                phones(book, &list.key.sid, registers, &mut domain, office);
            }
        }
        office.domains.insert(name.to_ascii_lowercase(), domain);
    }
}

/// The document of a domain: its own, else that of the carrier it belongs to.
fn domain_application(book: &Book, entry: &Entry) -> Option<Application> {
    if entry.text("voice_url").is_some() {
        return Some(application(entry, None, "voice_status_callback_url"));
    }
    let carrier = book.get(Kind::ByocTrunk, "", entry.text("byoc_trunk_sid")?)?;
    carrier.text("voice_url").map(|_| application(carrier, None, "status_callback_url"))
}

/// The users of a list become phones of the office; a name that is somebody's already stays theirs.
fn phones(book: &Book, list: &str, registers: bool, domain: &mut Domain, office: &mut Office) {
    for user in book.list(Kind::Credential, list) {
        let (Some(name), Some(md5), Some(sha256)) =
            (user.text("username"), user.text("ha1_md5"), user.text("ha1_sha256"))
        else {
            continue;
        };
        // A password of another realm opens nothing.
        let realm_holds = user.text("realm") == Some(office.realm.as_str());
        if book.plain().phones.contains_key(name) || !realm_holds {
            continue;
        }
        let phone = Phone {
            name: name.to_owned(),
            extension: None,
            ha1_md5: Secret(md5.to_owned()),
            ha1_sha256: Secret(sha256.to_owned()),
            caller_id: None,
            media: PeerMedia::default(),
        };
        office.phones.insert(name.to_owned(), phone);
        domain.phones.insert(name.to_owned());
        if registers {
            domain.registers.insert(name.to_owned());
        }
    }
}

/// Addresses whose calls are a domain's: those of its access lists, and those mapped to it singly.
fn sources(book: &Book, domain: &str) -> Vec<IpNet> {
    let lists = book.list(Kind::CallAddresses, domain);
    let of_lists = lists.iter().flat_map(|list| book.list(Kind::Address, &list.key.sid));
    let mapped = book.of_kind(Kind::SourceIpMapping).filter(|m| m.text("sip_domain_sid") == Some(domain));
    let single = mapped.filter_map(|m| book.get(Kind::IpRecord, "", m.text("ip_record_sid")?).cloned());
    of_lists.chain(single).filter_map(|entry| network(&entry)).collect()
}

fn network(entry: &Entry) -> Option<IpNet> {
    let (address, prefix) = (entry.text("ip_address")?, entry.number("cidr_prefix_length"));
    match prefix {
        Some(prefix) => format!("{address}/{prefix}").parse().ok(),
        None => address.parse().ok(),
    }
}
