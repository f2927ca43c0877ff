//! As typed to valid by type: every section that stands once.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::path::{Path, PathBuf};

use call::office::{Limits, MediaPreferences, Office, Secret};
use media::RecordFormat;
use sip::TransportKind;
use url::Url;

use crate::account::Account;
use crate::error::place;
use crate::raw::{
    At, BoxKeys, HttpKeys, LimitKeys, LogKeys, MediaKeys, Raw, RecordingKeys, SipKeys, SpeechKeys, StoreKeys,
};
use crate::read::Fault;
use crate::retention::retention;
use crate::webhooks::webhooks;
use crate::{
    Config, ConfigError, HttpConfig, LogConfig, LogFormat, MediaConfig, SipConfig, SpeechConfig, agents,
    audio, cross, directory, number, recorder,
};

/// Where a text comes from.
pub(crate) struct Origin<'a> {
    /// The file, as an absolute path.
    pub(crate) file: &'a Path,
    pub(crate) text: &'a str,
    /// `--state`.
    pub(crate) state: Option<&'a Path>,
}

impl Origin<'_> {
    /// The directory that relative paths in the file begin at.
    pub(crate) fn directory(&self) -> &Path {
        self.file.parent().unwrap_or(Path::new("/"))
    }

    pub(crate) fn error(&self, fault: Fault) -> ConfigError {
        ConfigError {
            file: self.file.to_owned(),
            at: Some(place(self.text, fault.span.start)),
            key: fault.key,
            message: fault.message,
        }
    }
}

/// What is wrong, and what is odd, as it is found.
#[derive(Default)]
pub(crate) struct Findings {
    pub(crate) errors: Vec<Fault>,
    pub(crate) warnings: Vec<Fault>,
}

impl Findings {
    pub(crate) fn error(&mut self, span: &Range<usize>, key: &str, message: impl Into<String>) {
        self.errors.push(Fault { span: span.clone(), key: key.to_owned(), message: message.into() });
    }

    pub(crate) fn warning(&mut self, span: &Range<usize>, key: &str, message: impl Into<String>) {
        self.warnings.push(Fault { span: span.clone(), key: key.to_owned(), message: message.into() });
    }

    /// Reads a value by `read`, whose error says what would be right.
    pub(crate) fn read<T, V>(
        &mut self,
        key: &str,
        value: Option<&At<V>>,
        read: impl FnOnce(&V) -> Result<T, String>,
    ) -> Option<T> {
        let At { value, span } = value?;
        read(value).map_err(|message| self.error(span, key, message)).ok()
    }
}

/// The state directory a file asks for.
pub(crate) fn state_directory(raw: &Raw, origin: &Origin<'_>) -> PathBuf {
    if let Some(state) = origin.state {
        return std::path::absolute(state).unwrap_or_else(|_| state.to_owned());
    }
    match &raw.r#box.state {
        Some(state) if !state.value.is_empty() => origin.directory().join(&state.value),
        _ if origin.file.starts_with("/etc") => PathBuf::from("/var/lib/tandem"),
        _ => origin.directory().join("state"),
    }
}

/// Resolves a file that was read without fault. `account` is what the state directory keeps, or a new one.
pub(crate) fn resolve(raw: &Raw, origin: &Origin<'_>, account: Account) -> Result<Config, Vec<ConfigError>> {
    let mut findings = Findings::default();
    let found = &mut findings;
    let sip = sip(&raw.sip, found);
    let http = http(&raw.http, found);
    let domain = found.read("sip.domain", raw.sip.domain.as_ref(), |text| host(text));
    let realm = domain.clone().unwrap_or_else(|| "tandem".to_owned());
    let phones = directory::phones(&raw.phones, &realm, found);
    let trunks = directory::trunks(&raw.trunks, found);
    let recorders = recorder::recorders(&raw.siprecs, found);
    let account = own_account(&raw.r#box, account, found);
    let agents = agents::agents((&raw.agents, &raw.queues, &raw.workers), &phones, found);
    let queues = agents.as_deref().map_or(&[][..], |agents| &agents.queues);
    let numbers = number::numbers(&raw.numbers, origin.directory(), (account.sid, queues), found);
    let applications = number::applications(&raw.applications, origin.directory(), found);
    let routes = directory::routes(&raw.routes, &trunks, found);
    let config = Config {
        file: origin.file.to_owned(),
        office: Office {
            name: text_or(raw.r#box.name.as_ref(), "Tandem"),
            account_sid: account.sid,
            realm,
            domain,
            listen: sip.listen.clone(),
            addresses: Vec::new(),
            public_url: http.public_url.clone(),
            debugger_url: found.read("webhooks.debugger_url", raw.webhooks.debugger_url.as_ref(), |text| {
                number::callback_url(text)
            }),
            empty_record_goes_on: raw.webhooks.empty_record_goes_on.as_ref().is_some_and(|on| on.value),
            phones,
            trunks,
            numbers,
            applications,
            domains: BTreeMap::new(),
            byoc: BTreeMap::new(),
            caller_ids: BTreeSet::new(),
            recorders,
            routes,
            emergency_numbers: emergency(&raw.sip, found),
            agents,
            media: preferences(&raw.media, &raw.recording, found),
            limits: limits(&raw.limits, found),
        },
        auth_token: account.token,
        account_is_new: account.is_new,
        state: state_directory(raw, origin),
        caller_ids: caller_ids(&raw.sip, found),
        sip,
        media: media(&raw.media, found),
        recordings_free_min: free_min(&raw.recording, found),
        recordings_open: raw.recording.open.as_ref().is_some_and(|open| open.value),
        retention: retention(&raw.retention, found),
        http,
        webhooks: webhooks(&raw.webhooks, origin.directory(), found),
        store_url: store(&raw.store, found),
        speech: speech(&raw.speech, found),
        log: log(&raw.log, found),
        warnings: Vec::new(),
    };
    cross::check(raw, &config, found);
    finish(config, findings, origin)
}

fn finish(mut config: Config, findings: Findings, origin: &Origin<'_>) -> Result<Config, Vec<ConfigError>> {
    let located = |mut faults: Vec<Fault>| {
        faults.sort_by_key(|fault| fault.span.start);
        faults.into_iter().map(|fault| origin.error(fault)).collect::<Vec<_>>()
    };
    if !findings.errors.is_empty() {
        return Err(located(findings.errors));
    }
    config.warnings = located(findings.warnings);
    Ok(config)
}

fn speech(keys: &SpeechKeys, found: &mut Findings) -> SpeechConfig {
    let recogniser = found.read("speech.recogniser", keys.recogniser.as_ref(), |text| {
        let program = text.strip_prefix("command:").is_some_and(|program| !program.trim().is_empty());
        match text.as_str() {
            "none" | "pocketsphinx" => Ok(text.clone()),
            _ if program => Ok(text.clone()),
            _ => Err("must be pocketsphinx, none, or command: with a program.".to_owned()),
        }
    });
    let voices = found.read("speech.voices", keys.voices.as_ref(), |names| {
        let fits = |voice: &String| {
            !voice.is_empty() && voice.chars().all(|c| c.is_ascii_alphanumeric() || "+-_".contains(c))
        };
        match names.0.iter().find(|(_, voice)| !fits(voice)) {
            Some((name, voice)) => Err(format!("`{voice}` for {name} cannot be a voice.")),
            None => Ok(names.0.clone()),
        }
    });
    SpeechConfig {
        command: text_or(keys.command.as_ref(), "espeak-ng"),
        recogniser: recogniser.unwrap_or_else(|| "pocketsphinx".to_owned()),
        voices: voices.unwrap_or_default(),
    }
}

fn own_account(keys: &BoxKeys, kept: Account, found: &mut Findings) -> Account {
    let sid = found.read("box.account_sid", keys.account_sid.as_ref(), |text| {
        text.parse()
            .map_err(|_| "must be AC and 32 hexadecimal digits; leave it out to have one made.".to_owned())
    });
    let token = found.read("box.auth_token", keys.auth_token.as_ref(), |token| match token.reveal() {
        "" => Err("is empty; leave it out to have one made.".to_owned()),
        _ => Ok(token.clone()),
    });
    Account {
        is_new: kept.is_new && (sid.is_none() || token.is_none()),
        sid: sid.unwrap_or(kept.sid),
        token: token.unwrap_or(kept.token),
    }
}

fn sip(keys: &SipKeys, found: &mut Findings) -> SipConfig {
    let mut listen = Vec::new();
    match &keys.listen {
        Some(sockets) => {
            for text in &sockets.value {
                match listener(text) {
                    Ok(socket) if listen.contains(&socket) => {
                        found.error(&sockets.span, "sip.listen", format!("`{text}` stands twice."));
                    }
                    Ok(socket) => listen.push(socket),
                    Err(message) => found.error(&sockets.span, "sip.listen", message),
                }
            }
            if sockets.value.is_empty() {
                found.error(&sockets.span, "sip.listen", "is empty: nobody could reach the box.");
            }
        }
        None => {
            let any = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 5060);
            listen = vec![(TransportKind::Udp, any), (TransportKind::Tcp, any)];
        }
    }
    SipConfig { listen }
}

fn listener(text: &str) -> Result<(TransportKind, SocketAddr), String> {
    let wrong = || format!("`{text}` must be a transport, an address and a port, as udp:127.0.0.1:5060.");
    let (transport, address) = text.split_once(':').ok_or_else(wrong)?;
    let transport = match transport.parse() {
        Ok(transport @ (TransportKind::Udp | TransportKind::Tcp)) => transport,
        Ok(TransportKind::Tls | TransportKind::Ws | TransportKind::Wss) => {
            return Err(format!(
                "`{text}`: the box does not speak SIP over {transport}; there are udp: and tcp:."
            ));
        }
        Err(_) => return Err(format!("`{text}` begins with no transport; there are udp: and tcp:.")),
    };
    let alone = |ip: IpAddr| SocketAddr::new(ip, transport.default_port());
    let address = address.parse().or_else(|_| address.parse().map(alone)).map_err(|_| wrong())?;
    Ok((transport, address))
}

fn host(text: &str) -> Result<String, String> {
    let text = text.to_ascii_lowercase();
    let label =
        |label: &str| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if text.parse::<IpAddr>().is_ok() || text.split('.').all(label) {
        return Ok(text);
    }
    Err("must be a host name or an address, as office.example.".to_owned())
}

/// An hour: whoever is away for longer is away.
const DESKTOP_GRACE_S_MAX: u32 = 3_600;

fn http(keys: &HttpKeys, found: &mut Findings) -> HttpConfig {
    let listen = found.read("http.listen", keys.listen.as_ref(), |text| {
        text.parse::<SocketAddr>()
            .map_err(|_| format!("`{text}` must be an address and a port, as 127.0.0.1:8080."))
    });
    let listen = listen.unwrap_or(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 8080));
    let public_url = found.read("http.public_url", keys.public_url.as_ref(), |text| public_url(text));
    let public_url = public_url.unwrap_or_else(|| {
        // Nobody can fetch from the unspecified address; the machine itself at least can from loopback.
        let ip = if listen.ip().is_unspecified() { Ipv4Addr::LOCALHOST.into() } else { listen.ip() };
        format!("http://{}", SocketAddr::new(ip, listen.port()))
    });
    let trusted_proxies = found.read("http.trusted_proxies", keys.trusted_proxies.as_ref(), |list| {
        let address =
            |text: &String| text.parse().map_err(|_| format!("`{text}` must be an address, as 10.0.0.2."));
        list.iter().map(address).collect::<Result<Vec<IpAddr>, String>>()
    });
    let count = |n: &u64| u32::try_from(*n).map_err(|_| "must be at most 4294967295.".to_owned());
    let balance_url = found.read("http.balance_url", keys.balance_url.as_ref(), |text: &Secret| {
        let fits = Url::parse(text.reveal()).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
        // It is not said again: there may be a password in it.
        if fits { Ok(text.clone()) } else { Err("must be an http or https URL.".to_owned()) }
    });
    HttpConfig {
        balance_url,
        listen,
        public_url,
        trusted_proxies: trusted_proxies.unwrap_or_default(),
        requests_per_second: found
            .read("http.requests_per_second", keys.requests_per_second.as_ref(), count)
            .unwrap_or(2_000),
        requests_at_once: found
            .read("http.requests_at_once", keys.requests_at_once.as_ref(), count)
            .unwrap_or(100),
        desktop_grace_s: found
            .read("http.desktop_grace_s", keys.desktop_grace_s.as_ref(), |&s| match u32::try_from(s) {
                Ok(s) if s <= DESKTOP_GRACE_S_MAX => Ok(s),
                Ok(_) | Err(_) => Err(format!("must be at most {DESKTOP_GRACE_S_MAX}.")),
            })
            .unwrap_or(30),
    }
}

fn public_url(text: &str) -> Result<String, String> {
    let wrong =
        || "must be an http or https URL without query, as http://box.office.example:8080.".to_owned();
    let url = Url::parse(text).map_err(|_| wrong())?;
    let plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    if !matches!(url.scheme(), "http" | "https") || !plain {
        return Err(wrong());
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

fn media(keys: &MediaKeys, found: &mut Findings) -> MediaConfig {
    let address = found.read("media.address", keys.address.as_ref(), |text| match text.parse::<IpAddr>() {
        Ok(ip) if ip.is_unspecified() || ip.is_multicast() => {
            Err(format!("`{text}` is no address a peer can send to; leave it out to have one chosen."))
        }
        Ok(ip) => Ok(ip),
        Err(_) => Err(format!("`{text}` must be an IP address; leave it out to have one chosen.")),
    });
    let ports =
        found.read("media.ports", keys.ports.as_ref(), |text| ports(text)).unwrap_or((20_000, 29_999));
    let threads = found.read("media.threads", keys.threads.as_ref(), |&threads| match threads {
        1..=64 => Ok(usize::try_from(threads).unwrap_or(1)),
        _ => Err("must be 1 to 64; leave it out to have it chosen.".to_owned()),
    });
    MediaConfig { address, ports, threads }
}

fn ports(text: &str) -> Result<(u16, u16), String> {
    let wrong = || format!("`{text}` must be the first and the last port, as 20000-29999.");
    let (first, last) = text.split_once('-').ok_or_else(wrong)?;
    let port = |text: &str| text.trim().parse::<u16>().map_err(|_| wrong());
    let (first, last) = (port(first)?, port(last)?);
    if first < 1024 {
        return Err(format!("begins at {first}, among the ports of the system; begin at 1024 or above."));
    }
    if first % 2 == 1 {
        return Err(format!("begins at the odd port {first}; RTP takes even ones: begin at {}.", first + 1));
    }
    if last < first.saturating_add(3) {
        return Err(format!("`{text}` has no room for a call: two legs take four ports."));
    }
    Ok((first, last))
}

fn preferences(keys: &MediaKeys, recording: &RecordingKeys, found: &mut Findings) -> MediaPreferences {
    let default = MediaPreferences::default();
    let codecs = found.read("media.codecs", keys.codecs.as_ref(), |names| audio::codecs(names));
    let ptime_ms = found.read("media.ptime_ms", keys.ptime_ms.as_ref(), |&ms| audio::ptime_ms(ms));
    let srtp = found.read("media.srtp", keys.srtp.as_ref(), |text| audio::srtp(text));
    let media_timeout_ms = found.read("media.timeout_s", keys.timeout_s.as_ref(), |&seconds| match seconds {
        0..=3_600 => Ok(seconds * 1_000),
        _ => Err("must be 1 to 3600, or 0 for never.".to_owned()),
    });
    let ringback = found.read("media.ringback", keys.ringback.as_ref(), |text| {
        let code = text.to_ascii_lowercase();
        let is_code = code.len() == 2 && code.bytes().all(|b| b.is_ascii_lowercase());
        is_code
            .then_some(code)
            .ok_or_else(|| format!("`{text}` must be a country code of two letters, as us."))
    });
    let recording_format =
        found.read("recording.format", recording.format.as_ref(), |text| match text.as_str() {
            "wav" => Ok(RecordFormat::Wav),
            "ogg" => Ok(RecordFormat::OggOpus),
            "mp3" if cfg!(feature = "mp3") => Ok(RecordFormat::Mp3),
            "mp3" => Err("`mp3` needs a build with the cargo feature `mp3` (its encoder is LGPL); this one \
                          writes wav or ogg."
                .to_owned()),
            _ => Err(format!("`{text}` must be wav, ogg or mp3.")),
        });
    MediaPreferences {
        codecs: codecs.unwrap_or(default.codecs),
        ptime_ms,
        comfort_noise: keys.comfort_noise.as_ref().map_or(default.comfort_noise, |on| on.value),
        srtp: srtp.unwrap_or(default.srtp),
        media_timeout_ms: media_timeout_ms.unwrap_or(default.media_timeout_ms),
        ringback: ringback.unwrap_or(default.ringback),
        recording_format: recording_format.unwrap_or(default.recording_format),
        encodes_mp3: cfg!(feature = "mp3"),
    }
}

fn free_min(keys: &RecordingKeys, found: &mut Findings) -> u64 {
    let megabytes = found.read("recording.min_free_mb", keys.min_free_mb.as_ref(), |&megabytes| {
        let is_sane = megabytes <= 10_000_000;
        is_sane.then_some(megabytes).ok_or_else(|| "must be at most 10000000, which is 10 TB.".to_owned())
    });
    megabytes.unwrap_or(200) * 1_000_000
}

fn emergency(keys: &SipKeys, found: &mut Findings) -> BTreeSet<String> {
    let numbers = found.read("sip.emergency", keys.emergency.as_ref(), |numbers| {
        let normal: BTreeSet<String> = numbers.iter().map(|text| call::route::normalise(text)).collect();
        match normal.iter().find(|text| !call::route::is_dialable(text)) {
            Some(wrong) => Err(format!("`{wrong}` is not a number.")),
            None => Ok(normal),
        }
    });
    numbers.unwrap_or_else(|| ["112", "911", "999"].map(str::to_owned).into())
}

fn caller_ids(keys: &SipKeys, found: &mut Findings) -> Vec<String> {
    let numbers = found.read("sip.caller_ids", keys.caller_ids.as_ref(), |numbers| {
        let normal: Vec<String> = numbers.iter().map(|text| call::route::normalise(text)).collect();
        match normal.iter().find(|text| !call::route::is_dialable(text)) {
            Some(wrong) => Err(format!("`{wrong}` is not a number.")),
            None => Ok(normal),
        }
    });
    numbers.unwrap_or_default()
}

fn limits(keys: &LimitKeys, found: &mut Findings) -> Limits {
    let default = Limits::default();
    let mut limit = |key: &str, value: Option<&At<u64>>, default: usize| {
        let value = found.read(key, value, |&limit| match usize::try_from(limit) {
            Ok(limit @ 1..=100_000) => Ok(limit),
            _ => Err("must be 1 to 100000.".to_owned()),
        });
        value.unwrap_or(default)
    };
    Limits {
        calls_max: limit("limits.calls", keys.calls.as_ref(), default.calls_max),
        calls_per_phone_max: limit(
            "limits.calls_per_phone",
            keys.calls_per_phone.as_ref(),
            default.calls_per_phone_max,
        ),
        calls_per_phone_minute_max: limit(
            "limits.calls_per_phone_minute",
            keys.calls_per_phone_minute.as_ref(),
            default.calls_per_phone_minute_max,
        ),
    }
}

fn store(keys: &StoreKeys, found: &mut Findings) -> Secret {
    let url = found.read("store.url", keys.url.as_ref(), |url| {
        let known =
            ["sqlite:", "postgres://", "postgresql://"].iter().any(|scheme| url.reveal().starts_with(scheme));
        known
            .then(|| url.clone())
            .ok_or_else(|| "must begin with sqlite: (a file in state) or postgres:// (a server).".to_owned())
    });
    url.unwrap_or_else(|| Secret("sqlite:".to_owned()))
}

fn log(keys: &LogKeys, found: &mut Findings) -> LogConfig {
    let format = found.read("log.format", keys.format.as_ref(), |text| match text.as_str() {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err(format!("`{text}` must be text or json.")),
    });
    LogConfig { filter: text_or(keys.filter.as_ref(), "info"), format: format.unwrap_or(LogFormat::Text) }
}

fn text_or(value: Option<&At<String>>, default: &str) -> String {
    value.map_or_else(|| default.to_owned(), |text| text.value.clone())
}
