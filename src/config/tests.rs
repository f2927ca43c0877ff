//! Whole files: what works, and what is said about what does not.

use std::path::{Path, PathBuf};
use std::time::Duration;

use base::{AccountSid, Rng};
use call::office::{Limits, MediaPreferences, Secret};
use sip::TransportKind;
use twiml::{Dialect, HttpMethod, ProgressEvent, Source};

use crate::account::Account;
use crate::raw::{SECTIONS, Sample};
use crate::read::read;
use crate::resolve::{Origin, resolve};
use crate::{Config, ConfigError, KeepConfig, LogFormat, RetentionConfig, reference};

pub(crate) fn resolved(text: &str) -> Result<Config, Vec<ConfigError>> {
    let origin = Origin { file: Path::new("/srv/office/tandem.toml"), text, state: None };
    let (raw, faults) = read(text);
    if !faults.is_empty() {
        return Err(faults.into_iter().map(|fault| origin.error(fault)).collect());
    }
    resolve(&raw, &origin, Account::random(&mut Rng::seeded(1)))
}

/// A file's configuration; the file is right.
pub(crate) fn config(text: &str) -> Config {
    resolved(text).unwrap_or_else(|errors| panic!("{errors:?}"))
}

#[test]
fn an_empty_file_works() {
    let config = config("");
    let office = &config.office;
    assert_eq!((office.name.as_str(), office.realm.as_str(), &office.domain), ("Tandem", "tandem", &None));
    let sockets: Vec<_> =
        config.sip.listen.iter().map(|(kind, address)| format!("{kind}:{address}")).collect();
    assert_eq!(sockets, ["udp:0.0.0.0:5060", "tcp:0.0.0.0:5060"]);
    assert_eq!(office.listen, config.sip.listen);
    assert_eq!((config.media.ports, config.media.address), ((20_000, 29_999), None));
    assert_eq!(config.http.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.http.public_url, "http://127.0.0.1:8080");
    assert_eq!(config.http.desktop_grace_s, 30);
    assert_eq!(config.state, Path::new("/srv/office/state"));
    assert_eq!(config.store_url.reveal(), "sqlite:");
    assert_eq!((config.log.filter.as_str(), config.log.format), ("info", LogFormat::Text));
    assert_eq!(office.emergency_numbers.iter().collect::<Vec<_>>(), ["112", "911", "999"]);
    assert_eq!((&office.media, &office.limits), (&MediaPreferences::default(), &Limits::default()));
    assert!(config.account_is_new && config.warnings.is_empty());
}

#[test]
fn the_documented_defaults_are_the_ones_that_hold() {
    let mut text = String::new();
    for (section, keys) in SECTIONS.iter().filter(|(name, _)| {
        !["phone", "trunk", "siprec", "queue", "worker", "number", "application", "route"].contains(name)
    }) {
        text.push_str(&format!("[{section}]\n"));
        for key in *keys {
            if let Sample::Default(value) = key.sample {
                text.push_str(&format!("{} = {value}\n", key.name));
            }
        }
    }
    assert_eq!(config(&text), config(""));
    let route = "[[trunk]]\nname='t'\naddress='sip:192.0.2.1'\naccept_from='192.0.2.1'\n[[route]]\npattern='+*'\ntrunk='t'\n";
    let number = "[[number]]\nnumber='100'\nvoice_url='http://x/'\nstatus_callback='http://x/s'\n";
    let with_defaults = |entry: &str, section: &str| {
        let (_, keys) = SECTIONS.iter().find(|(name, _)| *name == section).unwrap();
        let defaults = keys.iter().filter_map(|key| match key.sample {
            Sample::Default(value) => Some(format!("{} = {value}\n", key.name)),
            Sample::Example(_) => None,
        });
        entry.to_owned() + &defaults.collect::<String>()
    };
    let siprec = "[[siprec]]\nname='a'\nuri='sip:192.0.2.1'\n";
    assert_eq!(config(&with_defaults(siprec, "siprec")), config(siprec));
    assert_eq!(config(&with_defaults(route, "route")), config(route));
    assert_eq!(config(&with_defaults(number, "number")), config(number));
}

#[test]
fn the_reference_is_itself_a_valid_file_as_shipped_and_with_every_section_filled() {
    assert_eq!(config(&reference()), config(""));
    // Every key uncommented is a valid office too, but for other ways to give a document, and a second queue.
    let filled: String = reference()
        .lines()
        .filter(|line| {
            !["# voice_twiml", "# queue =", "# overflow ="].iter().any(|key| line.starts_with(key))
        })
        .map(|line| {
            let key = line.strip_prefix("# ").filter(|rest| rest.contains(" = ") || rest.starts_with("[["));
            let is_key = key.is_some_and(|key| {
                key.starts_with("[[") || key.split(" = ").next().is_some_and(|name| !name.contains(' '))
            });
            format!("{}\n", if is_key { key.unwrap_or(line) } else { line })
        })
        .collect();
    let config = config(&filled);
    assert_eq!(config.office.account_sid, AccountSid(1));
    assert!(config.office.phones.contains_key("ann") && config.office.trunks.contains_key("carrier"));
    assert_eq!(config.office.routes.len(), 1);
}

/// The keys that are fixed for users' scripts and black-box tests.
const FIXED: &str = r#"
[box]
name = "Example office"
state = "/var/lib/tandem"
account_sid = "AC00000000000000000000000000000001"
auth_token  = "sesame"
[sip]
listen = ["udp:127.0.0.1:5060", "tcp:127.0.0.1:5060"]
domain = "office.example"
[media]
address = "127.0.0.1"
ports = "20000-29999"
[http]
listen = "127.0.0.1:8080"
public_url = "http://127.0.0.1:8080/"
[store]
url = "sqlite:"
[[phone]]
name = "ann"
password = "secret"
extension = "101"
[[trunk]]
name = "carrier"
address = "sip:127.0.0.2:5080"
accept_from = ["127.0.0.2"]
[[number]]
number = "+1 555 000 1111"
voice_url = "http://127.0.0.1:9000/voice"
voice_method = "get"
voice_fallback_url = "file:sorry.xml"
voice_fallback_method = "GET"
status_callback = "http://127.0.0.1:9000/status"
status_callback_method = "GET"
status_callback_event = "answered completed"
dialect = "texml"
[[number]]
number = "900"
voice_twiml = "<Response><Say>Hi</Say></Response>"
[[route]]
pattern = "+*"
trunk = ["carrier"]
strip = 1
prefix = "00"
"#;

#[test]
fn a_route_without_a_trunk_bars() {
    let config = config("[[route]]\npattern='+1900*'\ntrunk=[]");
    assert!(config.office.routes[0].trunks.is_empty() && config.warnings.is_empty(), "{:?}", config.warnings);
}

#[test]
fn the_fixed_keys_mean_what_they_say() {
    let config = config(FIXED);
    let office = &config.office;
    assert_eq!(office.name, "Example office");
    assert_eq!((office.account_sid, config.auth_token.reveal()), (AccountSid(1), "sesame"));
    assert!(!config.account_is_new);
    assert_eq!(config.state, PathBuf::from("/var/lib/tandem"));
    assert_eq!(config.sip.listen[1], (TransportKind::Tcp, "127.0.0.1:5060".parse().unwrap()));
    assert_eq!((office.realm.as_str(), office.domain.as_deref()), ("office.example", Some("office.example")));
    assert_eq!(office.public_url, "http://127.0.0.1:8080");
    let ann = &office.phones["ann"];
    assert_eq!(ann.extension.as_deref(), Some("101"));
    // printf ann:office.example:secret | md5sum, sha256sum
    assert_eq!(ann.ha1_md5.reveal(), "37e2ee9525f84c77bea7e4c1fa9a163e");
    assert_eq!(ann.ha1_sha256.reveal().len(), 64);
    assert!(office.trunks["carrier"].accept_from[0].contains("127.0.0.2".parse().unwrap()));
    let number = &office.numbers["+15550001111"];
    assert_eq!(number.number, "+1 555 000 1111");
    let application = &number.application;
    let voice = Source::Url { url: "http://127.0.0.1:9000/voice".to_owned(), method: HttpMethod::Get };
    assert_eq!(application.voice, voice);
    let fallback = application.fallback.as_ref().unwrap();
    assert_eq!((fallback.url.as_str(), fallback.method), ("file:///srv/office/sorry.xml", HttpMethod::Get));
    let callback = application.status_callback.as_ref().unwrap();
    assert_eq!(callback.method, HttpMethod::Get);
    assert_eq!(callback.events, [ProgressEvent::Answered, ProgressEvent::Completed]);
    assert_eq!(application.dialect, Dialect::Texml);
    assert!(matches!(&office.numbers["900"].application.voice, Source::Inline(text) if text.contains("Hi")));
    let route = &office.routes[0];
    assert_eq!((route.pattern.as_str(), route.strip, route.prefix.as_str()), ("+*", 1, "00"));
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
}

#[test]
fn no_secret_shows() {
    let shown = format!("{:?}", config(FIXED));
    for secret in ["sesame", "\"secret\"", "37e2ee95"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
    let errors = resolved(
        "[store]\nurl='mysql://hunter2@x'\n[[phone]]\npassword='hunter2'\n[[number]]\nnumber='1'\nvoice_url='gopher://hunter2@x'",
    )
    .unwrap_err();
    assert!(errors.iter().all(|error| !error.to_string().contains("hunter2")), "{errors:?}");
}

const PHONES: &str =
    "[[phone]]\nname='ann'\npassword='secret'\nextension='101'\n[[phone]]\nname='bob'\npassword='secret'\n";
const TRUNKS: &str = "[[trunk]]\nname='a'\naddress='sip:192.0.2.1'\naccept_from='192.0.2.0/24'\n[[trunk]]\nname='b'\naddress='sip:192.0.2.1'\n";

#[test]
fn what_is_wrong_is_said_with_its_place_and_what_would_be_right() {
    let phones = |more: &str| format!("{PHONES}{more}");
    let trunks = |more: &str| format!("{TRUNKS}{more}");
    let cases: Vec<(String, &str, &str, &str)> = vec![
        ("[sip]\nlisten='udp:5060'".into(), "2:8", "sip.listen", "as udp:127.0.0.1:5060"),
        ("[sip]\nlisten=['sctp:1.2.3.4:5060']".into(), "2:8", "sip.listen", "there are udp: and tcp:"),
        ("[sip]\nlisten=[]".into(), "2:8", "sip.listen", "nobody could reach"),
        ("[sip]\nlisten=['udp:1.2.3.4:5','udp:1.2.3.4:5']".into(), "2:8", "sip.listen", "stands twice"),
        ("[sip]\nlisten='tls:1.2.3.4:5061'".into(), "2:8", "sip.listen", "does not speak SIP over tls"),
        ("[sip]\ndomain='sip:x'".into(), "2:8", "sip.domain", "as office.example"),
        ("[sip]\nemergency=['police']".into(), "2:11", "sip.emergency", "not a number"),
        ("[media]\nports='20001-29999'".into(), "2:7", "media.ports", "begin at 20002"),
        ("[media]\nports='29999-20000'".into(), "2:7", "media.ports", "begins at the odd"),
        ("[media]\nports='20000-20001'".into(), "2:7", "media.ports", "no room"),
        ("[media]\nports='80-100'".into(), "2:7", "media.ports", "1024 or above"),
        ("[media]\nports='many'".into(), "2:7", "media.ports", "as 20000-29999"),
        ("[media]\nports='5000-6000'".into(), "2:7", "media.ports", "holds the SIP port 5060"),
        ("[media]\naddress='0.0.0.0'".into(), "2:9", "media.address", "leave it out"),
        ("[media]\ncodecs='opsu'".into(), "2:8", "media.codecs", "the nearest is `opus`"),
        ("[media]\ncodecs=['g722','G722']".into(), "2:8", "media.codecs", "stands twice"),
        ("[media]\ncodecs=[]".into(), "2:8", "media.codecs", "no call could be heard"),
        ("[media]\nptime_ms=25".into(), "2:10", "media.ptime_ms", "must be 10, 20"),
        ("[media]\nsrtp='on'".into(), "2:6", "media.srtp", "off, optional or required"),
        ("[[phone]]\nname='a'\npassword='secret99'\nsrtp='require'".into(), "4:6", "phone.srtp", "`required`"),
        ("[[phone]]\nname='a'\npassword='secret99'\ndtmf='rfc'".into(), "4:6", "phone.dtmf", "auto, rtp, info"),
        (trunks("dtmf='imfo'"), "8:6", "trunk.dtmf", "the nearest is `info`"),
        (trunks("codecs='g729'"), "8:8", "trunk.codecs", "the nearest is `g722`"),
        ("[recording]\nformat='flac'".into(), "2:8", "recording.format", "must be wav, ogg or mp3"),
        ("[media]\nthreads=0".into(), "2:9", "media.threads", "must be 1 to 64"),
        ("[http]\nlisten='8080'".into(), "2:8", "http.listen", "as 127.0.0.1:8080"),
        ("[http]\nlisten='127.0.0.1:5060'".into(), "2:8", "http.listen", "a SIP socket already"),
        ("[http]\ndesktop_grace_s=3601".into(), "2:17", "http.desktop_grace_s", "must be at most 3600"),
        ("[http]\npublic_url='box'".into(), "2:12", "http.public_url", "must be an http or https URL"),
        ("[store]\nurl='mysql:x'".into(), "2:5", "store.url", "sqlite:"),
        ("[limits]\ncalls=0".into(), "2:7", "limits.calls", "must be 1 to 100000"),
        ("[log]\nformat='xml'".into(), "2:8", "log.format", "text or json"),
        ("[box]\naccount_sid='AC1'".into(), "2:13", "box.account_sid", "leave it out"),
        ("[box]\nauth_token=''".into(), "2:12", "box.auth_token", "leave it out"),
        ("[[phone]]\nname='ann'".into(), "1:1", "phone.password", "is missing"),
        ("[[phone]]\npassword='secret'".into(), "1:1", "phone.name", "is missing"),
        ("[[phone]]\nname='a b'\npassword='secret'".into(), "2:6", "phone.name", "must be letters"),
        (phones("[[phone]]\nname='ann'\npassword='secret'"), "9:6", "phone.name", "stands twice"),
        (phones("extension='101'"), "8:11", "phone.extension", "is ann's already"),
        (phones("extension='ann'"), "8:11", "phone.extension", "must be a number"),
        (phones("extension='911'"), "8:11", "phone.extension", "emergency number"),
        (phones("[[number]]\nnumber='101'\nvoice_url='http://x/'"), "4:11", "phone.extension", "goes first"),
        (phones("[[phone]]\nname='55'\npassword='secret'\n[[phone]]\nname='c'\npassword='secret'\nextension='55'"), "14:11", "phone.extension", "name of another phone"),
        ("[[number]]\nnumber='100'".into(), "2:8", "number.voice_url", "is missing"),
        ("[[number]]\nvoice_url='http://x/'".into(), "1:1", "number.number", "is missing"),
        ("[[number]]\nnumber='1 a'\nvoice_url='http://x/'".into(), "2:8", "number.number", "as +15550001111"),
        ("[[number]]\nnumber='100'\nvoice_url='welcome.xml'".into(), "3:11", "number.voice_url", "file:"),
        ("[[number]]\nnumber='100'\nvoice_url='http://x/'\nvoice_method='PUT'".into(), "4:14", "number.voice_method", "GET or POST"),
        ("[[number]]\nnumber='100'\nvoice_url='http://x/'\nvoice_twiml='<Response/>'".into(), "4:13", "number.voice_twiml", "one of them"),
        ("[[number]]\nnumber='100'\nvoice_twiml='<Response>'".into(), "3:13", "number.voice_twiml", "12100"),
        ("[[number]]\nnumber='100'\nvoice_url='http://x/'\nstatus_callback_event='hangup'".into(), "4:23", "number.status_callback_event", "there are initiated"),
        ("[[number]]\nnumber='100'\nvoice_url='http://x/'\n[[number]]\nnumber='1-0-0'\nvoice_url='http://x/'".into(), "5:8", "number.number", "stands twice"),
        ("[[number]]\nnumber='112'\nvoice_url='http://x/'".into(), "2:8", "number.number", "emergency number"),
        ("[[trunk]]\nname='a'\naddress='192.0.2.1'".into(), "3:9", "trunk.address", "as sip:192.0.2.20:5060"),
        ("[[trunk]]\nname='a'\naddress='sip:u@192.0.2.1'".into(), "3:9", "trunk.address", "as keys"),
        ("[[trunk]]\nname='a'".into(), "1:1", "trunk.address", "is missing"),
        (trunks("accept_from='192.0.2.9'"), "8:13", "trunk.accept_from", "overlap"),
        (trunks("accept_from='192.0.0.0/16'"), "8:13", "trunk.accept_from", "overlap"),
        (trunks("accept_from='carrier.example'"), "8:13", "trunk.accept_from", "IP address or a range"),
        (trunks("accept_from='0.0.0.0/00'"), "8:13", "trunk.accept_from", "everybody"),
        (trunks("accept_from='::/0'"), "8:13", "trunk.accept_from", "everybody"),
        (trunks("register=true"), "8:10", "trunk.register", "needs `username` and `password`"),
        (trunks("username='x'"), "8:10", "trunk.username", "needs a `password`"),
        (trunks("[[route]]\npattern='+*'\ntrunk='aa'"), "10:7", "route.trunk", "the nearest is `a`"),
        ("[[route]]\npattern='+*'\ntrunk='a'".into(), "3:7", "route.trunk", "there is no [[trunk]] yet"),
        (trunks("[[route]]\npattern='+*'"), "8:1", "route.trunk", "is missing"),
        (trunks("[[route]]\npattern='+[0-9]'\ntrunk='a'"), "9:9", "route.pattern", "as +1*"),
        (trunks("[[route]]\npattern='00*'\ntrunk='a'\nstrip=4"), "11:7", "route.strip", "more than `00*` has"),
        (trunks("[[route]]\npattern='00*'\ntrunk='a'\nprefix='x'"), "11:8", "route.prefix", "must be digits"),
    ];
    for (text, at, key, message) in cases {
        let errors = resolved(&text).map(|config| panic!("{text} passed: {config:?}")).unwrap_err();
        assert_eq!(errors.len(), 1, "{text}: {errors:?}");
        let start = format!("/srv/office/tandem.toml:{at}: {key}: ");
        let shown = errors[0].to_string();
        assert!(shown.starts_with(&start), "{text}: {shown}");
        assert!(shown.contains(message), "{text}: {shown}");
    }
}

#[test]
fn every_error_is_found_at_once_in_the_order_of_the_file() {
    let errors = resolved(
        "[sip]\nlisten='x'\n[media]\nports='y'\n[[route]]\npattern='+*'\ntrunk='a'\n[[phone]]\nname='ann'",
    );
    let lines: Vec<u32> =
        errors.unwrap_err().iter().filter_map(|error| error.at).map(|(line, _)| line).collect();
    assert_eq!(lines, [2, 4, 7, 8]);
}

#[test]
fn what_is_odd_is_warned_of() {
    let cases = [
        (format!("{TRUNKS}[[phone]]\nname='ann'\npassword='123'"), "phone.password", "guessed"),
        (TRUNKS.to_owned(), "trunk.accept_from", "no call can come in"),
        (PHONES.to_owned(), "trunk", "emergency calls cannot leave"),
        ("[media]\nports='30000-40000'".to_owned(), "media.ports", "ephemeral"),
        (
            format!("{TRUNKS}[[route]]\npattern='+*'\ntrunk='a'\n[[route]]\npattern='+1*'\ntrunk='b'"),
            "route.pattern",
            "never reached",
        ),
        (
            "[sip]\nlisten='udp:127.0.0.1:5060'\n[[trunk]]\nname='a'\naddress='sip:x'\naccept_from='127.0.0.0/8'".to_owned(),
            "trunk.accept_from",
            "where the box itself listens",
        ),
    ];
    for (text, key, message) in cases {
        let warnings = config(&text).warnings;
        let found = warnings.iter().any(|warning| warning.key == key && warning.message.contains(message));
        assert!(found, "{text}: {warnings:?}");
    }
}

#[test]
fn the_state_directory_is_where_it_was_asked_for() {
    let state = |file: &str, text: &str, option: Option<&str>| {
        let origin = Origin { file: Path::new(file), text, state: option.map(Path::new) };
        let (raw, _) = read(text);
        resolve(&raw, &origin, Account::random(&mut Rng::seeded(1))).unwrap().state
    };
    for (file, text, option, expected) in [
        ("/etc/tandem/tandem.toml", "", None, "/var/lib/tandem"),
        ("/srv/x/tandem.toml", "", None, "/srv/x/state"),
        ("/srv/x/tandem.toml", "[box]\nstate='data'", None, "/srv/x/data"),
        ("/srv/x/tandem.toml", "[box]\nstate='/data'", None, "/data"),
        ("/srv/x/tandem.toml", "[box]\nstate='/data'", Some("/tmp/s"), "/tmp/s"),
    ] {
        assert_eq!(state(file, text, option), Path::new(expected), "{file} {text} {option:?}");
    }
}

#[test]
fn a_missing_file_and_a_half_written_one_say_so() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("tandem.toml");
    let errors = crate::load(&file, None).unwrap_err();
    assert!(errors[0].to_string().contains("cannot be read"), "{errors:?}");
    std::fs::write(&file, "[sip\nlisten = 1").unwrap();
    let errors = crate::load(&file, None).unwrap_err();
    assert!(errors[0].to_string().contains("tandem.toml:1:"), "{errors:?}");
    assert_eq!(crate::find_config(Some(&file)).unwrap(), file);
}

#[test]
fn a_file_with_faults_still_tells_where_its_state_is() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("tandem.toml");
    for (text, expected) in [
        ("[box]\nstate='data'\n[[trunk]]\naddress='127.0.0.1'", Some("data")),
        ("[box]\nstate='data'\n[sipp]\nlisten=1", Some("data")),
        ("[log]\nlevel=7", Some("state")),
        ("[box]\nstate=7", None),
        ("[box]\nstate='data'\n[sip", None),
    ] {
        std::fs::write(&file, text).unwrap();
        let expected = expected.map(|name| directory.path().join(name));
        assert_eq!(crate::find_state(&file).ok(), expected, "{text}");
    }
}

#[test]
fn an_account_given_in_part_keeps_the_other_half() {
    let config = config("[box]\nauth_token='mine'");
    assert!(config.account_is_new, "the sid is");
    assert_eq!(config.auth_token, Secret("mine".to_owned()));
}

#[test]
fn mp3_says_what_it_takes() {
    let result = resolved("[recording]\nformat='mp3'");
    if cfg!(feature = "mp3") {
        return assert!(result.is_ok(), "{result:?}");
    }
    let errors = result.unwrap_err();
    assert!(errors[0].to_string().contains("a build with the cargo feature `mp3`"), "{errors:?}");
}

#[test]
fn an_application_is_named_by_its_sid() {
    let sid = "AP00000000000000000000000000000007";
    let table =
        format!("[[application]]\nsid = \"{sid}\"\nvoice_url = \"http://h/v\"\ndialect = \"texml\"\n");
    let office = config(&table).office;
    let application = &office.applications[sid];
    assert_eq!(application.voice, Source::Url { url: "http://h/v".to_owned(), method: HttpMethod::Get });
    assert_eq!((application.dialect, application.record), (Dialect::Texml, false));
    for (text, key) in [
        (format!("{table}{table}"), "application.sid"),
        ("[[application]]\nvoice_url = \"http://h/v\"\n".to_owned(), "application.sid"),
        ("[[application]]\nsid = \"AP7\"\nvoice_url = \"http://h/v\"\n".to_owned(), "application.sid"),
        (format!("[[application]]\nsid = \"{sid}\"\n"), "application.voice_url"),
        (format!("[[application]]\nsid = \"{sid}\"\nvoice_url = \"h\"\n"), "application.voice_url"),
    ] {
        let errors = resolved(&text).expect_err("it is wrong");
        assert_eq!(errors.iter().map(|error| error.key.as_str()).collect::<Vec<_>>(), [key], "{text}");
    }
}

#[test]
fn each_sort_that_is_kept_has_its_age_and_its_size() {
    let of = |keys: &str| config(&format!("[retention]\n{keys}")).retention;
    let days = |days: u64| Some(Duration::from_secs(days * 86_400));
    let keep = |age, most| KeepConfig { age, most };
    let all = of(
        "calls_days = 1\ncalls_max = 2\nrecordings_days = 3\nrecordings_max_mb = 4\nnotifications_days = 5\n\
         notifications_max = 6\nevents_days = 7\nevents_max = 8\ndecisions_days = 9\ndecisions_max = 10",
    );
    let expected = RetentionConfig {
        calls: keep(days(1), Some(2)),
        recordings: keep(days(3), Some(4_000_000)),
        notifications: keep(days(5), Some(6)),
        events: keep(days(7), Some(8)),
        decisions: keep(days(9), Some(10)),
    };
    assert_eq!(all, expected);
    // What people look for is kept where nothing is said; nought is for ever.
    let plain = of("");
    assert_eq!((plain.calls, plain.recordings, plain.notifications), Default::default());
    assert_eq!((plain.events, plain.decisions), (keep(days(90), None), keep(days(14), Some(1_000_000))));
    let ever = of("events_days = 0\ndecisions_days = 0\ndecisions_max = 0\ncalls_max = 0");
    assert_eq!(ever, RetentionConfig::default());
}
