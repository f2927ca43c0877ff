use base::Timestamp;
use call::office::Office;
use serde_json::{Value, json};
use sip::UserCredentials;
use twiml::{Dialect, Source};

use super::*;
use crate::tests::config;

const FILE: &str = "[[number]]\nnumber='+15550001111'\nvoice_url='http://web.example/file'\nrecord=true\n\
    dialect='texml'\n[[phone]]\nname='ann'\npassword='secret'\n";

fn plain() -> Office {
    config(FILE).office
}

fn entry(kind: Kind, parent: &str, sid: &str, body: Value) -> Entry {
    Entry {
        key: EntryKey { kind, parent: parent.to_owned(), sid: sid.to_owned() },
        created: Some(Timestamp(1)),
        updated: Some(Timestamp(1)),
        body: body.as_object().unwrap().clone(),
        origin: Origin::Rest,
    }
}

fn url_of(office: &Office, number: &str) -> String {
    match &office.numbers[number].application.voice {
        Source::Url { url, .. } => url.clone(),
        Source::Inline(text) => text.clone(),
    }
}

#[test]
fn a_change_of_the_files_number_holds_until_the_file_is_edited() {
    let (mut book, _) = Book::new(plain(), &[], Vec::new());
    assert_eq!(book.office(), plain(), "nothing laid over it, the file is what holds");
    let number = book.list(Kind::Number, "")[0].clone();
    assert!(number.is_of_file());
    let mut changed = Entry::clone(&number);
    changed.body.insert("voice_url".to_owned(), json!("http://web.example/rest"));
    let changed = Entry::clone(&book.put(changed));
    let office = book.office();
    assert_eq!(url_of(&office, "+15550001111"), "http://web.example/rest");
    let application = &office.numbers["+15550001111"].application;
    assert!(
        application.record && application.dialect == Dialect::Texml,
        "what has no field stays the file's"
    );
    let (again, overtaken) = Book::new(plain(), &[], vec![changed.clone()]);
    assert_eq!((again.office(), overtaken), (office, Vec::new()));
    let edited = config(&FILE.replace("/file", "/edited")).office;
    let (again, overtaken) = Book::new(edited.clone(), &[], vec![changed.clone()]);
    assert_eq!((again.office(), overtaken), (edited, vec![changed.key]));
}

#[test]
fn the_files_number_can_be_deleted_until_the_file_is_edited() {
    let (mut book, _) = Book::new(plain(), &[], Vec::new());
    let key = book.list(Kind::Number, "")[0].key.clone();
    let gone = Entry::clone(&book.remove(&key, Timestamp(5)).unwrap());
    assert!(book.office().numbers.is_empty() && book.list(Kind::Number, "").is_empty());
    assert!(book.get(Kind::Number, "", &key.sid).is_none());
    let (again, _) = Book::new(plain(), &[], vec![gone.clone()]);
    assert!(again.office().numbers.is_empty());
    let edited = config(&FILE.replace("/file", "/edited")).office;
    assert_eq!(Book::new(edited, &[], vec![gone]).0.list(Kind::Number, "").len(), 1);
}

#[test]
fn what_the_api_made_gives_way_to_the_same_in_the_file() {
    let (book, _) = Book::new(plain(), &[], Vec::new());
    let sid = book.list(Kind::Number, "")[0].key.sid.clone();
    let made =
        entry(Kind::Number, "", &sid, json!({ "phone_number": "+15550001111", "voice_url": "http://x/" }));
    let (book, overtaken) = Book::new(plain(), &[], vec![made.clone()]);
    assert_eq!((book.office(), overtaken), (plain(), vec![made.key]));
}

#[test]
fn a_number_does_what_its_application_does() {
    let (mut book, _) = Book::new(plain(), &[], Vec::new());
    book.put(entry(
        Kind::Application,
        "",
        "AP1",
        json!({ "voice_url": "http://web.example/app", "voice_method": "GET" }),
    ));
    let body = json!({ "phone_number": "+1 555 000 2222", "voice_application_sid": "AP1", "voice_url": "http://no/" });
    let number = book.put(entry(Kind::Number, "", "PN2", body));
    let office = book.office();
    assert_eq!(url_of(&office, "+15550002222"), "http://web.example/app");
    assert_eq!(office.numbers["+15550002222"].application, office.applications["AP1"]);
    let key = EntryKey { kind: Kind::Application, parent: String::new(), sid: "AP1".to_owned() };
    assert!(book.remove(&key, Timestamp(2)).is_none(), "what the API made leaves nothing behind");
    assert!(url_of(&book.office(), "+15550002222").contains("<Reject/>"));
    book.remove(&number.key, Timestamp(3));
    assert_eq!(book.office(), plain());
}

fn user(name: &str, realm: &str) -> Value {
    let UserCredentials { ha1_md5, ha1_sha256 } = UserCredentials::from_password(name, realm, "secret");
    json!({ "username": name, "realm": realm, "ha1_md5": ha1_md5, "ha1_sha256": ha1_sha256 })
}

#[test]
fn users_of_mapped_lists_are_phones() {
    let (mut book, _) = Book::new(plain(), &[], Vec::new());
    let realm = plain().realm;
    book.put(entry(
        Kind::Domain,
        "",
        "SD1",
        json!({ "domain_name": "Desk.Example", "sip_registration": true }),
    ));
    for (list, name, realm) in [
        ("CL1", "dora", realm.as_str()),
        ("CL2", "emil", &realm),
        ("CL1", "ann", &realm),
        ("CL1", "old", "gone"),
    ] {
        book.put(entry(Kind::Credential, list, &format!("CR{name}"), user(name, realm)));
    }
    assert_eq!(book.office().phones.len(), 1, "an unmapped list opens nothing");
    book.put(entry(Kind::Registrations, "SD1", "CL1", json!({})));
    book.put(entry(Kind::CallCredentials, "SD1", "CL2", json!({})));
    let office = book.office();
    assert_eq!(office.phones.keys().collect::<Vec<_>>(), ["ann", "dora", "emil"]);
    assert_eq!(office.phones["ann"], plain().phones["ann"], "the file's phone keeps its name and password");
    let domain = &office.domains["desk.example"];
    assert_eq!(domain.phones.iter().collect::<Vec<_>>(), ["dora", "emil"]);
    assert_eq!(domain.registers.iter().collect::<Vec<_>>(), ["dora"]);
    book.put(entry(
        Kind::Domain,
        "",
        "SD1",
        json!({ "domain_name": "desk.example", "sip_registration": false }),
    ));
    assert_eq!(book.office().domains["desk.example"].phones.len(), 1, "nobody registers there any more");
}

#[test]
fn mapped_addresses_are_a_domains_sources() {
    let (mut book, _) = Book::new(plain(), &[], Vec::new());
    book.put(entry(
        Kind::Domain,
        "",
        "SD1",
        json!({ "domain_name": "peer.example", "byoc_trunk_sid": "BY1" }),
    ));
    book.put(entry(Kind::ByocTrunk, "", "BY1", json!({ "voice_url": "http://web.example/byoc" })));
    let net = |address: &str, prefix: u8| json!({ "ip_address": address, "cidr_prefix_length": prefix });
    book.put(entry(Kind::Address, "AL1", "IP1", net("192.0.2.0", 24)));
    book.put(entry(Kind::CallAddresses, "SD1", "AL1", json!({})));
    book.put(entry(Kind::IpRecord, "", "IL1", net("198.51.100.7", 32)));
    book.put(entry(Kind::IpRecord, "", "IL2", net("198.51.100.8", 32)));
    let mapping = json!({ "ip_record_sid": "IL1", "sip_domain_sid": "SD1" });
    book.put(entry(Kind::SourceIpMapping, "", "IB1", mapping));
    let office = book.office();
    let domain = &office.domains["peer.example"];
    let sources: Vec<String> = domain.sources.iter().map(ToString::to_string).collect();
    assert_eq!(sources, ["192.0.2.0/24", "198.51.100.7/32"]);
    assert!(matches!(&domain.application.as_ref().unwrap().voice,
        Source::Url { url, .. } if url == "http://web.example/byoc"));
    assert!(office.trunks.is_empty(), "a peer whose calls come in is no way out");
}

#[test]
fn a_byoc_trunk_is_its_policys_targets_in_order() {
    let (mut book, _) = Book::new(plain(), &[], Vec::new());
    book.put(entry(Kind::ByocTrunk, "", "BY1", json!({ "connection_policy_sid": "NY1" })));
    for (sid, priority, weight, enabled) in
        [("NE1", 5, 1, true), ("NE2", 1, 1, true), ("NE3", 1, 9, true), ("NE4", 0, 1, false)]
    {
        let target = format!("sip:{}.example", sid.to_lowercase());
        let body = json!({ "target": target, "priority": priority, "weight": weight, "enabled": enabled });
        book.put(entry(Kind::Target, "NY1", sid, body));
    }
    let office = book.office();
    assert_eq!(office.byoc["BY1"], ["NE3", "NE2", "NE1"]);
    assert_eq!(office.trunks["NE3"].address, "sip:ne3.example");
    assert!(!office.trunks.contains_key("NE4"));
}
