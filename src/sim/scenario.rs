//! The vocabulary of scenario tests: who calls, what the web server says, what is heard.
//!
//! ```text
//! let mut s = Scenario::office();
//! let ann = s.phone("ann", "101");
//! s.web().serve(VOICE, Answer::twiml(r#"<Dial><Client>ann</Client></Dial>"#));
//! let caller = s.carrier_calls(NUMBER);
//! s.pass_ms(2_000);
//! s.expect_bridged(&caller, ann);
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use base::AccountSid;
use call::office::{
    Application, DocumentRef, Limits, MediaPreferences, Number, Office, PeerMedia, Phone, Route, Secret,
    Trunk,
};
use call::record::{CallRow, NotificationRow, RecordingRow, StoreItem, TranscriptionRow};
use call::{FetchRequest, Input, Operator, OperatorReply};
use media::Direction;
use sip::{SessionId, TransportKind, UserCredentials};
use twiml::{Dialect, HttpMethod, Source};

use crate::media_plane::Heard;
use crate::ua::{Reaction, UaCall, UaId, UaState};
use crate::web::SimWeb;
use crate::wire::Faults;
use crate::world::{BOX, World, WorldConfig};

/// The office's number in scenarios.
pub const NUMBER: &str = "+15550001111";
/// Who calls it.
pub const CALLER: &str = "+15557654321";
/// Its voice URL.
pub const VOICE: &str = "http://web.example/voice";
/// Its fallback URL.
pub const FALLBACK: &str = "http://web.example/fallback";
/// Its status callback.
pub const STATUS: &str = "http://web.example/status";

const REALM: &str = "office.example";

/// One call of one user agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Whose.
    pub ua: UaId,
    /// Which.
    pub session: SessionId,
}

/// An office with a carrier, ready for a story.
pub struct Scenario {
    /// Everything.
    pub world: World,
    carrier: UaId,
    phones: u8,
}

/// An office with one number, one carrier and these phones; all passwords are `secret`.
pub fn office(phones: &[(&str, &str)]) -> Office {
    let phone = |(name, extension): &(&str, &str)| {
        let credentials = UserCredentials::from_password(name, REALM, "secret");
        let phone = Phone {
            name: (*name).to_owned(),
            extension: Some((*extension).to_owned()),
            ha1_md5: Secret(credentials.ha1_md5),
            ha1_sha256: Secret(credentials.ha1_sha256),
            caller_id: None,
            media: PeerMedia::default(),
        };
        ((*name).to_owned(), phone)
    };
    let carrier = Trunk {
        name: "carrier".to_owned(),
        address: format!("sip:{CARRIER}:5060"),
        accept_from: vec![IpAddr::V4(CARRIER).into()],
        username: None,
        password: None,
        register: false,
        caller_id: Some(NUMBER.to_owned()),
        calls_max: None,
        calls_gap_ms: 0,
        media: PeerMedia::default(),
    };
    let application = Application {
        voice: Source::Url { url: VOICE.to_owned(), method: HttpMethod::Post },
        fallback: Some(DocumentRef { url: FALLBACK.to_owned(), method: HttpMethod::Post }),
        status_callback: Some(twiml::StatusCallback {
            url: STATUS.to_owned(),
            method: HttpMethod::Post,
            events: vec![twiml::ProgressEvent::Completed],
        }),
        dialect: Dialect::Twiml,
        record: false,
        record_dual: false,
    };
    let route = Route {
        pattern: "+*".to_owned(),
        trunks: vec!["carrier".to_owned()],
        strip: 0,
        prefix: String::new(),
    };
    Office {
        name: "Sim".to_owned(),
        account_sid: AccountSid(1),
        realm: REALM.to_owned(),
        domain: None,
        listen: vec![(TransportKind::Udp, BOX)],
        addresses: vec![BOX.ip()],
        public_url: "http://box.example".to_owned(),
        debugger_url: None,
        empty_record_goes_on: false,
        phones: phones.iter().map(phone).collect(),
        trunks: BTreeMap::from([("carrier".to_owned(), carrier)]),
        numbers: BTreeMap::from([(NUMBER.to_owned(), Number { number: NUMBER.to_owned(), application })]),
        applications: BTreeMap::new(),
        domains: BTreeMap::new(),
        byoc: BTreeMap::new(),
        caller_ids: BTreeSet::new(),
        recorders: BTreeMap::new(),
        routes: vec![route],
        emergency_numbers: BTreeSet::from(["112".to_owned()]),
        agents: None,
        media: MediaPreferences::default(),
        limits: Limits::default(),
    }
}

/// Where the carrier is.
pub const CARRIER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);

impl Scenario {
    /// An office with the phones ann, bob and carl, none registered yet, on a quiet wire.
    pub fn office() -> Self {
        Self::with(office(&[("ann", "101"), ("bob", "102"), ("carl", "103")]), 1, Faults::NONE)
    }

    /// Any office, seed and wire.
    pub fn with(office: Office, seed: u64, faults: Faults) -> Self {
        let mut world = World::new(WorldConfig { seed, office, faults });
        let carrier = world.add_ua("carrier", None, TransportKind::Udp, CARRIER.into());
        Self { world, carrier, phones: 0 }
    }

    /// The user's web server.
    pub fn web(&mut self) -> &mut SimWeb {
        &mut self.world.web
    }

    /// A phone of the office comes up and registers over UDP.
    pub fn phone(&mut self, name: &str) -> UaId {
        self.phone_over(name, "secret", TransportKind::Udp)
    }

    /// A phone with this password over this transport.
    pub fn phone_over(&mut self, name: &str, password: &str, transport: TransportKind) -> UaId {
        self.phones += 1;
        let ip = Ipv4Addr::new(203, 0, 113, self.phones);
        let id = self.world.add_ua(name, Some(password), transport, ip.into());
        self.pass_ms(200);
        id
    }

    /// The carrier.
    pub fn carrier(&self) -> UaId {
        self.carrier
    }

    /// Somebody calls the office from outside.
    pub fn carrier_calls(&mut self, number: &str) -> Caller {
        let session = self.world.dial(self.carrier, number, CALLER);
        Caller { ua: self.carrier, session }
    }

    /// A phone dials.
    pub fn dials(&mut self, phone: UaId, number: &str) -> Caller {
        let name = self.world.ua(phone).name.clone();
        let session = self.world.dial(phone, number, &name);
        Caller { ua: phone, session }
    }

    /// Time passes; the test ends when an invariant breaks.
    pub fn pass_ms(&mut self, ms: u64) {
        if let Err(violation) = self.world.pass(Duration::from_millis(ms)) {
            panic!("after {} steps: {}", self.world.steps, violation.0);
        }
    }

    /// Somebody presses keys, 200 ms apart.
    pub fn presses(&mut self, caller: &Caller, digits: &str) {
        for digit in digits.chars() {
            self.world.press(caller.ua, caller.session, digit);
            self.pass_ms(200);
        }
    }

    /// Somebody speaks for so many milliseconds.
    pub fn says(&mut self, caller: &Caller, text: &str, ms: u64) {
        self.world.say(caller.ua, caller.session, text, ms);
    }

    /// Somebody picks up a phone that rings.
    pub fn picks_up(&mut self, phone: UaId) {
        let ringing = self.latest(phone).expect("it rings");
        self.world.pick_up(ringing.ua, ringing.session);
    }

    /// What a phone does when it rings, from now on.
    pub fn will(&mut self, phone: UaId, reaction: Reaction) {
        self.world.ua(phone).reaction = reaction;
    }

    /// An operator asks or orders something.
    pub fn operator(&mut self, command: Operator) -> OperatorReply {
        let input = Input::Command { id: 1, command };
        if let Err(violation) = self.world.input(input) {
            panic!("after {} steps: {}", self.world.steps, violation.0);
        }
        self.world.replies.last().cloned().expect("operators are answered at once")
    }

    /// The requests for a URL so far.
    pub fn asked(&mut self, url: &str) -> Vec<FetchRequest> {
        self.world.web.asked(url).into_iter().cloned().collect()
    }

    /// What was agreed on with somebody, as the box sees it.
    pub fn negotiated(&mut self, caller: &Caller) -> Option<media::Negotiated> {
        let rtp = self.rtp(caller);
        self.world.media.negotiated_with(rtp)
    }

    /// Somebody presses keys that come by INFO, 400 ms apart.
    pub fn presses_by_info(&mut self, caller: &Caller, digits: &str) {
        for digit in digits.chars() {
            let body = format!("Signal={digit}\r\nDuration=160\r\n");
            self.world.info(caller.ua, caller.session, "application/dtmf-relay", &body);
            self.pass_ms(400);
        }
    }

    /// Which way sound goes between the box and somebody, as the box sees it.
    pub fn direction(&mut self, caller: &Caller) -> Option<Direction> {
        let rtp = self.rtp(caller);
        self.world.media.direction_of(rtp)
    }

    /// The last row of every recording, oldest first.
    pub fn recordings(&self) -> Vec<RecordingRow> {
        let mut rows: Vec<RecordingRow> = Vec::new();
        for item in &self.world.stored {
            if let StoreItem::Recording(row) = item {
                match rows.iter_mut().find(|old| old.sid == row.sid) {
                    Some(old) => old.clone_from(row),
                    None => rows.push(row.clone()),
                }
            }
        }
        rows
    }

    /// The last row of every transcription, oldest first.
    pub fn transcriptions(&self) -> Vec<TranscriptionRow> {
        let mut rows: Vec<TranscriptionRow> = Vec::new();
        for item in &self.world.stored {
            if let StoreItem::Transcription(row) = item {
                rows.retain(|old| old.sid != row.sid);
                rows.push(row.clone());
            }
        }
        rows
    }

    /// Somebody asks the box to connect the other party elsewhere.
    pub fn refers(&mut self, who: &Caller, to: &str) {
        self.world.refer(who.ua, who.session, to);
    }

    /// Call-ID and tags of a call, as Replaces names it: `id;to-tag=…;from-tag=…`, escaped for a URI. It is answered,
    /// or one of the phone's own that rings.
    pub fn replaces(&mut self, who: &Caller) -> String {
        let answered = self.world.ua(who.ua).endpoint.dialog_of(who.session);
        let (id, local, remote) = answered.or_else(|| self.call(who).early).expect("a dialog");
        let text = format!("{id};to-tag={remote};from-tag={local}");
        text.replace('@', "%40").replace(';', "%3B").replace('=', "%3D")
    }

    /// Somebody hangs up.
    pub fn hangs_up(&mut self, caller: &Caller) {
        self.world.hang_up(caller.ua, caller.session);
    }

    /// The call as its user agent sees it.
    pub fn call(&mut self, caller: &Caller) -> UaCall {
        self.world.ua(caller.ua).calls.get(&caller.session).cloned().expect("the call was placed")
    }

    /// The latest call a phone got.
    pub fn latest(&mut self, phone: UaId) -> Option<Caller> {
        let calls = &self.world.ua(phone).calls;
        calls
            .keys()
            .filter(|id| **id >= SessionId::INCOMING)
            .max()
            .map(|session| Caller { ua: phone, session: *session })
    }

    /// Where a call stands.
    pub fn state(&mut self, caller: &Caller) -> UaState {
        self.call(caller).state
    }

    fn rtp(&mut self, caller: &Caller) -> SocketAddr {
        self.call(caller).rtp
    }

    /// What somebody heard so far.
    pub fn heard(&mut self, caller: &Caller) -> Vec<Heard> {
        let rtp = self.rtp(caller);
        self.world.media.heard_by(rtp)
    }

    /// Whether somebody heard a sound whose key contains this.
    pub fn heard_clip(&mut self, caller: &Caller, part: &str) -> bool {
        self.heard(caller).iter().any(|heard| matches!(heard, Heard::Clip(key) if key.contains(part)))
    }

    /// Whether two hear each other.
    pub fn bridged(&mut self, a: &Caller, b: &Caller) -> bool {
        let (a, b) = (self.rtp(a), self.rtp(b));
        self.world.media.bridged(a, b)
    }

    /// Whether somebody hears what another one says in their conference.
    pub fn hears(&mut self, who: &Caller, speaker: &Caller) -> bool {
        let (to, from) = (self.rtp(who), self.rtp(speaker));
        self.world.media.hears_in_room(to, from)
    }

    /// The conferences there are, by how many are in each.
    pub fn conferences(&self) -> Vec<usize> {
        self.world.node.conferences().into_values().collect()
    }

    /// The last row of every call, oldest first.
    pub fn rows(&self) -> Vec<CallRow> {
        let mut rows: Vec<CallRow> = self.world.watch.rows.values().cloned().collect();
        rows.sort_by_key(|row| row.created);
        rows
    }

    /// The codes of all notifications so far.
    pub fn notifications(&self) -> Vec<u32> {
        self.findings().iter().map(|row| row.code).collect()
    }

    /// All notifications so far.
    pub fn findings(&self) -> Vec<NotificationRow> {
        self.world
            .stored
            .iter()
            .filter_map(|item| match item {
                StoreItem::Notification(row) => Some(row.clone()),
                StoreItem::Call(_)
                | StoreItem::Event(_)
                | StoreItem::Recording(_)
                | StoreItem::Queue(_)
                | StoreItem::Conference(_)
                | StoreItem::Registration(_)
                | StoreItem::Desktop(_)
                | StoreItem::Router(_)
                | StoreItem::Exchange(_)
                | StoreItem::Gone(_)
                | StoreItem::Transcription(_) => None,
            })
            .collect()
    }

    /// Everything has ended; nothing is held any more.
    pub fn expect_rest(&mut self) {
        self.pass_ms(120_000);
        if let Err(violation) = self.world.watch.at_rest(&self.world.node) {
            panic!("not at rest: {}", violation.0);
        }
        assert_eq!(self.world.media.open_legs(), 0, "media legs are left open");
        assert_eq!(self.world.streams.running(), [], "media streams are left open");
    }
}

/// A parameter of a request.
pub fn param<'a>(request: &'a call::FetchRequest, name: &str) -> Option<&'a str> {
    request.params.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
}
