//! The file as typed: every section and key, each documented where it is declared.
//!
//! The declarations make three things at once: the structs the reader fills, the table unknown keys are
//! compared with, and the commented default file ([`reference`]), which `firmware-config/tandem.toml` must
//! equal.

use std::ops::Range;

use call::office::Secret;
use toml::Spanned;
use toml::de::DeValue;

use crate::value::{FromToml, VoiceNames};

/// A value and where it stands in the file, in bytes.
#[derive(Clone, Debug)]
pub(crate) struct At<T> {
    pub(crate) value: T,
    pub(crate) span: Range<usize>,
}

/// What is known of one key without a file.
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) sample: Sample,
    pub(crate) doc: &'static [&'static str],
}

/// The value shown for a key in the default file, in TOML.
pub(crate) enum Sample {
    /// What holds when the key is absent.
    Default(&'static str),
    /// One possible value; absent, the key does what its text says.
    Example(&'static str),
}

/// A table of the file.
pub(crate) trait Section: Default {
    const NAME: &'static str;
    /// Whether it may stand several times, as `[[name]]`.
    const REPEATED: bool;
    const DOC: &'static [&'static str];
    const KEYS: &'static [Key];
    /// Tells the section where its header, or its first key, stands.
    fn set_span(&mut self, span: Range<usize>);
    /// Takes a value for one of [`Self::KEYS`]; the error says what kind of value is right.
    fn take(&mut self, key: &str, value: &Spanned<DeValue<'_>>) -> Result<(), String>;
}

macro_rules! sections {
    ($(
        $(#[doc = $section_doc:literal])*
        $name:ident = $section:literal, repeated $repeated:literal {
            $($(#[doc = $doc:literal])* $key:ident: $type:ty, $sample:ident $text:literal;)*
        }
    )*) => {$(
        $(#[doc = $section_doc])*
        #[derive(Debug, Default)]
        pub(crate) struct $name {
            pub(crate) span: Range<usize>,
            $($(#[doc = $doc])* pub(crate) $key: Option<At<$type>>,)*
        }

        impl Section for $name {
            const NAME: &'static str = $section;
            const REPEATED: bool = $repeated;
            const DOC: &'static [&'static str] = &[$($section_doc),*];
            const KEYS: &'static [Key] = &[
                $(Key { name: stringify!($key), sample: Sample::$sample($text), doc: &[$($doc),*] },)*
            ];

            fn set_span(&mut self, span: Range<usize>) {
                self.span = span;
            }

            fn take(&mut self, key: &str, value: &Spanned<DeValue<'_>>) -> Result<(), String> {
                match key {
                    $(stringify!($key) => {
                        let span = value.span();
                        self.$key = Some(At { value: <$type>::from_toml(value.get_ref())?, span });
                    })*
                    _ => return Err("there is no such key.".to_owned()),
                }
                Ok(())
            }
        }
    )*};
}

sections! {
    /// The box itself.
    BoxKeys = "box", repeated false {
        /// What people call it; shown on pages and in logs.
        name: String, Default "\"Tandem\"";
        /// Where database, recordings and credentials are kept, relative to this file; `--state` overrides.
        /// Absent: /var/lib/tandem for a file under /etc, otherwise `state` beside this file.
        state: String, Example "\"/var/lib/tandem\"";
        /// The account webhooks and the REST API speak of. Absent: made at the first start and kept in state.
        account_sid: String, Example "\"AC00000000000000000000000000000001\"";
        /// Its secret: signs webhooks, opens the REST API. Absent: made at the first start and kept in state.
        auth_token: Secret, Example "\"a-long-random-text\"";
    }

    /// SIP: where phones and trunks reach the box.
    SipKeys = "sip", repeated false {
        /// Sockets, each transport:address:port. Transports: udp, tcp.
        listen: Vec<String>, Default "[\"udp:0.0.0.0:5060\", \"tcp:0.0.0.0:5060\"]";
        /// The realm and host of phones' addresses. Absent: any address of the box.
        domain: String, Example "\"office.example\"";
        /// Numbers that leave by any working trunk ahead of every rule, web server and limit.
        emergency: Vec<String>, Default "[\"112\", \"911\", \"999\"]";
        /// Numbers of others that may be shown as the caller's, besides the office's own; the REST API lists them as
        /// outgoing caller ids.
        caller_ids: Vec<String>, Example "[\"+15550009999\"]";
    }

    /// Audio.
    MediaKeys = "media", repeated false {
        /// The address SDP offers. Absent: the one that routes to the peer.
        address: String, Example "\"192.0.2.10\"";
        /// UDP ports for RTP and RTCP, two a leg; outside the kernel's ephemeral range.
        ports: String, Default "\"20000-29999\"";
        /// Media threads. Absent: one less than the cores, at least one.
        threads: u64, Example "2";
        /// Codecs offered and accepted, best first: opus, g722, pcmu, pcma, l16, l16-8k.
        codecs: Vec<String>, Default "[\"opus\", \"g722\", \"pcmu\", \"pcma\"]";
        /// Milliseconds of audio a packet the box asks for: 10 to 60. Absent: what the peer asks for, else 20.
        ptime_ms: u64, Example "20";
        /// Whether silence may be sent as comfort noise.
        comfort_noise: bool, Default "false";
        /// Encrypted audio (SRTP): off, optional (offered and taken) or required (or no call). The keys travel in SDP.
        srtp: String, Default "\"off\"";
        /// Seconds without RTP and RTCP after which a leg counts as lost; 0: never.
        timeout_s: u64, Default "30";
        /// Whose ringing tone callers hear, as a country code.
        ringback: String, Default "\"us\"";
    }

    /// Recordings: what their files are, and when the disk is too full for another.
    RecordingKeys = "recording", repeated false {
        /// What the files are: wav (16 bits, about 1 MB a minute a channel), ogg (Opus, a sixth of that) or mp3 (a
        /// quarter of it; in builds with the cargo feature mp3).
        format: String, Default "\"wav\"";
        /// Megabytes that must be free for a recording to begin; calls go on without it.
        min_free_mb: u64, Default "200";
        /// Whether anybody who knows a recording's URL hears it: for players that send no credentials.
        open: bool, Default "false";
    }

    /// How long what has been is remembered; what goes, goes for good. 0: for ever, and any number.
    RetentionKeys = "retention", repeated false {
        /// Days a call's record is kept after its end.
        calls_days: u64, Default "0";
        /// Calls that are kept.
        calls_max: u64, Default "0";
        /// Days a recording is kept, with its file and what was said in it.
        recordings_days: u64, Default "0";
        /// Megabytes recordings may take; beyond it the oldest go.
        recordings_max_mb: u64, Default "0";
        /// Days a warning or error is kept.
        notifications_days: u64, Default "0";
        /// Warnings and errors that are kept.
        notifications_max: u64, Default "0";
        /// Days the steps of a call are kept: its messages, and its requests to web servers; workspaces' events likewise.
        events_days: u64, Default "90";
        /// Steps that are kept, and requests likewise.
        events_max: u64, Default "0";
        /// Days it is kept what TaskRouter was told and decided, for `tandem replay` and for statistics after a restart.
        decisions_days: u64, Default "14";
        /// Entries of it that are kept.
        decisions_max: u64, Default "1000000";
    }

    /// HTTP: REST API, status and metrics.
    HttpKeys = "http", repeated false {
        /// The socket, address:port.
        listen: String, Default "\"127.0.0.1:8080\"";
        /// What callbacks and recording URLs begin with. Absent: http:// and the socket above.
        public_url: String, Example "\"http://127.0.0.1:8080\"";
        /// Addresses of reverse proxies whose X-Forwarded-Proto is believed when the API names a URL of itself.
        trusted_proxies: Vec<String>, Default "[]";
        /// Requests to the API one credential may make in a second; beyond it 429; 0: no limit.
        requests_per_second: u64, Default "2000";
        /// Requests to the API one credential may have open at once; beyond it 429; 0: no limit.
        requests_at_once: u64, Default "100";
        /// Where the carrier says what is left of the office's credit: JSON with `balance` and `currency`, as this API
        /// itself answers it, and the user and password it is asked with. The API passes it on. Absent: 0.00.
        balance_url: Secret, Example "\"https://user:password@carrier.example/balance.json\"";
        /// Seconds a worker whose last agent's desktop is closed may take to be back before the worker is put to where
        /// the workspace puts workers who do not answer.
        desktop_grace_s: u64, Default "30";
    }

    /// Requests to web servers.
    WebhookKeys = "webhooks", repeated false {
        /// Who is told, by POST, of every warning and error of a call: code, document, line and column, what was
        /// requested and answered. Absent: nobody; `tandem trace` shows the same.
        debugger_url: String, Example "\"http://127.0.0.1:9000/debugger\"";
        /// Whether a `<Record>` in which nothing was said goes on with the verb after it, as some older applications
        /// expect, instead of asking its action.
        empty_record_goes_on: bool, Default "false";
        /// The User-Agent header. Absent: the box's name and version, then TwilioProxy/1.1, which some applications ask
        /// for.
        user_agent: String, Example "\"TwilioProxy/1.1\"";
        /// Certificate authorities in PEM that are believed besides the system's, of web servers and media streams.
        ca_file: String, Example "\"office-ca.pem\"";
        /// Whether a server over https or wss must prove by its certificate who it is.
        verify: bool, Default "true";
        /// Hosts that may be asked, by name or address; *.example.com is every host below example.com. Absent: any.
        allow_hosts: Vec<String>, Example "[\"crm.office.example\", \"*.example.com\"]";
        /// Networks that are never connected to, whatever name led there. Absent: link-local addresses and the metadata
        /// services of clouds.
        deny_networks: Vec<String>, Example "[\"169.254.0.0/16\", \"192.0.2.0/24\"]";
        /// A key that signs requests in place of the account's token. Absent: the token signs.
        signing_key: Secret, Example "\"another-long-random-text\"";
        /// The name by which receivers know that key; it travels in X-Twilio-Webhooks-Signature-Settings.
        signing_key_id: String, Example "\"desk\"";
        /// How it signs: HMAC_SHA1 or HMAC_SHA256.
        signing_algorithm: String, Default "\"HMAC_SHA1\"";
    }

    /// The database.
    StoreKeys = "store", repeated false {
        /// `sqlite:` is a file in state, `sqlite:<file>` another file, `postgres://user@host/db` a server.
        url: Secret, Default "\"sqlite:\"";
    }

    /// What the box says for <Say>, and what it understands of callers.
    SpeechKeys = "speech", repeated false {
        /// The program that speaks: espeak-ng or another that takes the same arguments; "" leaves <Say> silent.
        command: String, Default "\"espeak-ng\"";
        /// What listens for <Gather input="speech"> and transcriptions: pocketsphinx (English), command:PROGRAM for one of
        /// your own (samples at 8 kHz in, lines out), or none.
        recogniser: String, Default "\"pocketsphinx\"";
        /// Other voices for published names, as the program that speaks names them.
        voices: VoiceNames, Example "{ \"Polly.Amy\" = \"en-gb+f2\", woman = \"en-us+f4\" }";
    }

    /// How much is allowed. Emergency numbers are excepted.
    LimitKeys = "limits", repeated false {
        /// Calls (legs) in progress; beyond it 503 with Retry-After.
        calls: u64, Default "2000";
        /// Outside calls in progress from one phone.
        calls_per_phone: u64, Default "10";
        /// Outside calls one phone may begin in a minute.
        calls_per_phone_minute: u64, Default "30";
    }

    /// Logging, to standard error.
    LogKeys = "log", repeated false {
        /// A level (error, warn, info, debug, trace), or several as "info,sip=debug".
        filter: String, Default "\"info\"";
        /// How a line looks: text or json.
        format: String, Default "\"text\"";
    }

    /// A device or soft client that registers.
    PhoneKeys = "phone", repeated true {
        /// SIP user and Client identity: <Client>ann</Client>.
        name: String, Example "\"ann\"";
        /// What it registers with.
        password: Secret, Example "\"secret\"";
        /// What other phones dial for it.
        extension: String, Example "\"101\"";
        /// The number it shows when it calls outside. Absent: the trunk's.
        caller_id: String, Example "\"+15550001111\"";
        /// Its own codecs, best first. Absent: those of [media].
        codecs: Vec<String>, Example "[\"g722\", \"pcmu\"]";
        /// Its own encryption: off, optional or required. Absent: that of [media].
        srtp: String, Example "\"optional\"";
        /// How keys come and go: auto, rtp, info or inband.
        dtmf: String, Default "\"auto\"";
    }

    /// A carrier.
    TrunkKeys = "trunk", repeated true {
        /// Its name in routes, logs and records.
        name: String, Example "\"carrier\"";
        /// Where calls to it are sent.
        address: String, Example "\"sip:192.0.2.20:5060\"";
        /// Whose INVITEs are its calls: addresses or ranges; never an address phones use too.
        accept_from: Vec<String>, Example "[\"192.0.2.20\", \"198.51.100.0/24\"]";
        /// For its digest challenge.
        username: String, Example "\"office\"";
        /// For its digest challenge.
        password: Secret, Example "\"secret\"";
        /// Whether the box registers with it.
        register: bool, Default "false";
        /// The number shown to it when nothing else says one.
        caller_id: String, Example "\"+15550001111\"";
        /// Calls it carries at once. Absent: as many as the box.
        calls: u64, Example "30";
        /// Calls the API asks for that it is sent in a second; the others wait. Absent: all at once.
        calls_per_second: u64, Example "1";
        /// Its own codecs, best first. Absent: those of [media].
        codecs: Vec<String>, Example "[\"pcma\", \"pcmu\"]";
        /// Its own encryption: off, optional or required. Absent: that of [media].
        srtp: String, Example "\"optional\"";
        /// How keys come and go: auto, rtp, info or inband.
        dtmf: String, Default "\"auto\"";
    }

    /// A SIP recorder (SRS) that <Start><Siprec connectorName> names.
    SiprecKeys = "siprec", repeated true {
        /// The connectorName.
        name: String, Example "\"archive\"";
        /// Where recording sessions are sent; its transport and port are part of it.
        uri: String, Example "\"sip:record@192.0.2.30:5060;transport=tcp\"";
        /// For its digest challenge.
        username: String, Example "\"office\"";
        /// For its digest challenge.
        password: Secret, Example "\"secret\"";
        /// Its codecs, best first.
        codecs: Vec<String>, Default "[\"pcmu\", \"pcma\"]";
        /// Its own encryption: off, optional or required. Absent: that of [media].
        srtp: String, Example "\"optional\"";
    }

    /// What agents' phones dial, and what happens between calls. Agents are the people of [[worker]].
    AgentsKeys = "agents", repeated false {
        /// Dialled to be given calls.
        log_in: String, Default "\"*10\"";
        /// Dialled to be given none.
        log_out: String, Default "\"*11\"";
        /// Dialled to be given none for a while; with a digit behind it for the reason of that place: *122 is Lunch.
        pause: String, Default "\"*12\"";
        /// Dialled when the after-work is done.
        end_wrap_up: String, Default "\"*13\"";
        /// What agents pause for, at most nine.
        reasons: Vec<String>, Default "[\"Break\", \"Lunch\", \"Meeting\"]";
        /// Seconds an agent's phone rings.
        answer_s: u64, Default "20";
        /// Whoever does not answer: log-out, or stay to be offered the next call.
        not_answered: String, Default "\"log-out\"";
        /// Whether an agent has after-work when a call is over; otherwise the next one may come at once.
        wrap_up: bool, Default "true";
        /// Seconds after which the after-work is over by itself; 0: not before its end is dialled.
        wrap_up_s: u64, Default "0";
    }

    /// A queue of callers for agents.
    QueueKeys = "queue", repeated true {
        /// Its name: a number's `queue`, and the skill it wants unless `workers` says otherwise.
        name: String, Example "\"sales\"";
        /// Whom it wants, as an expression over their attributes. Absent: whose skills have the queue's name.
        workers: String, Example "\"skills HAS 'sales' AND level > 1\"";
        /// The queue its callers go on to whom nobody took in time. Absent: they wait.
        overflow: String, Example "\"everybody\"";
        /// Seconds after which they do.
        overflow_s: u64, Default "60";
    }

    /// Somebody who takes calls at a phone.
    WorkerKeys = "worker", repeated true {
        /// Its name.
        name: String, Example "\"ann\"";
        /// The [[phone]] that rings and from which codes are dialled. Absent: the one of the same name.
        phone: String, Example "\"ann\"";
        /// What queues choose by.
        skills: Vec<String>, Default "[]";
        /// More attributes, as a JSON object.
        attributes: String, Example "'{\"level\": 2}'";
        /// Calls at once.
        calls: u64, Default "1";
    }
}

// What answers a call, as a number and an application have it: with keys of their own before, between and behind.
macro_rules! answering {
    (
        $(#[doc = $section_doc:literal])*
        $name:ident = $section:literal { $($before:tt)* } { $($between:tt)* } { $($behind:tt)* }
    ) => {
        sections! {
            $(#[doc = $section_doc])*
            $name = $section, repeated true {
                $($before)*
                /// The document that answers: http(s)://…, file:welcome.xml (relative to this file), app:flow/reception.
                voice_url: String, Example "\"file:welcome.xml\"";
                /// How it is requested: GET or POST. Absent with dialect texml: GET.
                voice_method: String, Default "\"POST\"";
                /// Instead of voice_url: the document itself.
                voice_twiml: String, Example "\"<Response><Say>We are closed.</Say></Response>\"";
                $($between)*
                /// Requested when the document, or one it led to, cannot be had.
                voice_fallback_url: String, Example "\"file:sorry.xml\"";
                /// How the fallback is requested: GET or POST.
                voice_fallback_method: String, Default "\"POST\"";
                /// Who is told how the call went.
                status_callback: String, Example "\"http://127.0.0.1:9000/status\"";
                /// How it is told: GET or POST.
                status_callback_method: String, Default "\"POST\"";
                /// About what: initiated, ringing, answered, completed.
                status_callback_event: Vec<String>, Default "[\"completed\"]";
                /// How its documents are read: twiml or texml.
                dialect: String, Default "\"twiml\"";
                $($behind)*
            }
        }
    };
}

answering! {
    /// A number of the office.
    NumberKeys = "number" {
        /// As it is dialled, from trunks and from phones.
        number: String, Example "\"+15550001111\"";
    } {
        /// Instead of a document: the [[queue]] whose agents take its calls.
        queue: String, Example "\"sales\"";
    } {
        /// Whether every call is recorded whole, both voices and all prompts.
        record: bool, Default "false";
        /// In how many channels: mono, or dual with the caller left and what the caller hears right.
        record_channels: String, Default "\"mono\"";
    }
}

answering! {
    /// An application that <Dial><Application> and the REST API name by its sid.
    ApplicationKeys = "application" {
        /// Its sid: AP and 32 hexadecimal digits.
        sid: String, Example "\"AP00000000000000000000000000000001\"";
    } {} {}
}

sections! {
    /// What phones, <Dial> and the REST API may call outside. The first pattern that matches decides.
    RouteKeys = "route", repeated true {
        /// Digits and `+` stand for themselves, `?` for one character, `*` at the end for one or more.
        pattern: String, Example "\"+*\"";
        /// The trunks that take it, in order; [] bars it, whatever a later route says.
        trunk: Vec<String>, Example "[\"carrier\"]";
        /// Characters taken off the front before the number leaves.
        strip: u64, Default "0";
        /// What is then put in front of it.
        prefix: String, Default "\"\"";
    }
}

/// The whole file.
#[derive(Debug, Default)]
pub(crate) struct Raw {
    pub(crate) r#box: BoxKeys,
    pub(crate) sip: SipKeys,
    pub(crate) media: MediaKeys,
    pub(crate) recording: RecordingKeys,
    pub(crate) retention: RetentionKeys,
    pub(crate) http: HttpKeys,
    pub(crate) webhooks: WebhookKeys,
    pub(crate) store: StoreKeys,
    pub(crate) speech: SpeechKeys,
    pub(crate) limits: LimitKeys,
    pub(crate) log: LogKeys,
    pub(crate) phones: Vec<PhoneKeys>,
    pub(crate) trunks: Vec<TrunkKeys>,
    pub(crate) siprecs: Vec<SiprecKeys>,
    pub(crate) agents: AgentsKeys,
    pub(crate) queues: Vec<QueueKeys>,
    pub(crate) workers: Vec<WorkerKeys>,
    pub(crate) numbers: Vec<NumberKeys>,
    pub(crate) applications: Vec<ApplicationKeys>,
    pub(crate) routes: Vec<RouteKeys>,
}

/// A section's name with its keys, for the reader's messages.
pub(crate) type SectionKeys = (&'static str, &'static [Key]);

/// Every section in the order of the default file.
pub(crate) const SECTIONS: [SectionKeys; 20] = [
    (BoxKeys::NAME, BoxKeys::KEYS),
    (SipKeys::NAME, SipKeys::KEYS),
    (MediaKeys::NAME, MediaKeys::KEYS),
    (RecordingKeys::NAME, RecordingKeys::KEYS),
    (RetentionKeys::NAME, RetentionKeys::KEYS),
    (HttpKeys::NAME, HttpKeys::KEYS),
    (WebhookKeys::NAME, WebhookKeys::KEYS),
    (StoreKeys::NAME, StoreKeys::KEYS),
    (SpeechKeys::NAME, SpeechKeys::KEYS),
    (LimitKeys::NAME, LimitKeys::KEYS),
    (LogKeys::NAME, LogKeys::KEYS),
    (PhoneKeys::NAME, PhoneKeys::KEYS),
    (TrunkKeys::NAME, TrunkKeys::KEYS),
    (SiprecKeys::NAME, SiprecKeys::KEYS),
    (AgentsKeys::NAME, AgentsKeys::KEYS),
    (QueueKeys::NAME, QueueKeys::KEYS),
    (WorkerKeys::NAME, WorkerKeys::KEYS),
    (NumberKeys::NAME, NumberKeys::KEYS),
    (ApplicationKeys::NAME, ApplicationKeys::KEYS),
    (RouteKeys::NAME, RouteKeys::KEYS),
];

/// The default file: every key, commented out, with its default or an example.
pub fn reference() -> String {
    let mut text = String::from(
        "# Tandem's configuration. Every key may be left out: what stands here is what then holds, or, where the\n\
         # text says what happens without the key, an example. `tandem check` says what is wrong with this file.\n",
    );
    write_section::<BoxKeys>(&mut text);
    write_section::<SipKeys>(&mut text);
    write_section::<MediaKeys>(&mut text);
    write_section::<RecordingKeys>(&mut text);
    write_section::<RetentionKeys>(&mut text);
    write_section::<HttpKeys>(&mut text);
    write_section::<WebhookKeys>(&mut text);
    write_section::<StoreKeys>(&mut text);
    write_section::<SpeechKeys>(&mut text);
    write_section::<LimitKeys>(&mut text);
    write_section::<LogKeys>(&mut text);
    write_section::<PhoneKeys>(&mut text);
    write_section::<TrunkKeys>(&mut text);
    write_section::<SiprecKeys>(&mut text);
    write_section::<AgentsKeys>(&mut text);
    write_section::<QueueKeys>(&mut text);
    write_section::<WorkerKeys>(&mut text);
    write_section::<NumberKeys>(&mut text);
    write_section::<ApplicationKeys>(&mut text);
    write_section::<RouteKeys>(&mut text);
    text
}

fn write_section<S: Section>(text: &mut String) {
    text.push('\n');
    for line in S::DOC {
        text.push_str(&format!("#{line}\n"));
    }
    let header = if S::REPEATED { format!("# [[{}]]\n", S::NAME) } else { format!("[{}]\n", S::NAME) };
    text.push_str(&header);
    for Key { name, sample, doc } in S::KEYS {
        for line in *doc {
            text.push_str(&format!("#{line}\n"));
        }
        let (Sample::Default(value) | Sample::Example(value)) = sample;
        text.push_str(&format!("# {name} = {value}\n"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_default_file_is_generated_from_the_declarations() {
        let shipped = include_str!("../../firmware-config/tandem.toml");
        assert!(shipped == reference(), "firmware-config/tandem.toml should read:\n{}", reference());
    }

    #[test]
    fn every_key_is_explained() {
        for (section, keys) in SECTIONS {
            for key in keys {
                assert!(!key.doc.is_empty(), "{section}.{}", key.name);
            }
        }
    }
}
