//! The registrar: which contacts stand for a user, and for how long (RFC 3261 §10.3, RFC 3327, RFC 5626 §6).
//!
//! In goes a REGISTER whose sender has been authenticated, out comes the response. What changed is told by
//! [`Registrar::poll_event`]. It never sends, authenticates or looks at the request's digest.

mod binding;
mod request;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use base::{Mono, Now, Reason};
use serde::{Deserialize, Serialize};

pub use binding::Binding;
use request::{Change, Refusal, Registration};

use crate::{Flow, HeaderName, Request, Response};

/// Events waiting for [`Registrar::poll_event`]; beyond it the oldest is forgotten. The owner polls after each
/// input, which makes a few.
const EVENTS_MAX: usize = 4_096;

/// Seconds after which a phone may try again when there is no room.
const RETRY_AFTER_S: u32 = 60;

/// An older request overtaken by a newer one (RFC 3261 §10.3 steps 6 and 7).
const OUT_OF_ORDER: Refusal = (500, "CSeq is not higher than the last one");

/// What the registrar grants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistrarLimits {
    /// Shortest time granted; a request for less gets 423 with Min-Expires (RFC 3261 §10.3 step 6).
    pub expires_min_s: u32,
    /// Longest time granted; a request for more is granted this.
    pub expires_max_s: u32,
    /// What is granted to a request that names no time.
    pub expires_default_s: u32,
    /// Bindings of one user. Beyond it the one that would expire first makes room: a phone that comes back with a
    /// new address again and again must not lock itself out.
    pub contacts_per_user_max: usize,
    /// Bindings of all users; beyond it 503 with Retry-After.
    pub bindings_max: usize,
}

impl Default for RegistrarLimits {
    fn default() -> Self {
        Self {
            expires_min_s: 60,
            expires_max_s: 3_600,
            expires_default_s: 3_600,
            contacts_per_user_max: 10,
            bindings_max: 10_000,
        }
    }
}

/// What changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegistrarEvent {
    /// A user got a binding, or another one.
    Registered {
        /// The user.
        user: String,
        /// How many bindings there are now.
        contacts: usize,
    },
    /// A user's last binding is gone: taken away, expired, or its connection closed.
    Unregistered {
        /// The user.
        user: String,
    },
    /// A user's bindings are no longer what they were: one more, one less, or refreshed.
    Changed {
        /// The user.
        user: String,
    },
}

/// All bindings.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Registrar {
    limits: RegistrarLimits,
    /// Never an empty list.
    users: BTreeMap<String, Vec<Binding>>,
    /// One entry a user: when the first of its bindings expires.
    deadlines: BTreeSet<(Mono, String)>,
    /// Bindings of all users.
    total: usize,
    #[serde(skip)]
    events: VecDeque<RegistrarEvent>,
}

impl Registrar {
    /// A registrar without bindings.
    pub fn new(limits: RegistrarLimits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Answers a REGISTER for `user`, who has been authenticated and came over `flow`. The caller adds the tag to
    /// the response's To.
    pub fn handle_register(&mut self, request: &Request, user: &str, flow: Flow, now: Now) -> Response {
        self.handle_timeout(now);
        let registration = match Registration::read(request, user, flow, &self.limits, now.mono) {
            Ok(registration) => registration,
            Err((code, reason)) => return self.refuse(request, code, reason),
        };
        let Registration { call_id, cseq, change, path } = registration;
        let applied = match change {
            Change::None => Ok(()),
            Change::RemoveAll => self.remove_all(user, &call_id, cseq),
            Change::Set(bindings) => self.set(user, bindings, now.mono),
        };
        match applied {
            Ok(()) => self.grant(request, user, &path, now.mono),
            Err((code, reason)) => self.refuse(request, code, reason),
        }
    }

    /// Takes away the bindings that can only be reached over `flow`, a connection that has closed: those of
    /// devices that promised to come back by themselves (RFC 5626 §4.2) and of WebSocket clients, who cannot be
    /// connected to (RFC 7118 §5.2).
    pub fn handle_flow_closed(&mut self, flow: Flow) {
        let websocket = matches!(flow.transport, crate::TransportKind::Ws | crate::TransportKind::Wss);
        let lost = |binding: &Binding| binding.flow == flow && (websocket || binding.reg_id.is_some());
        let users: Vec<String> = self
            .users
            .iter()
            .filter(|(_, list)| list.iter().any(lost))
            .map(|(user, _)| user.clone())
            .collect();
        for user in users {
            self.edit(&user, |list| list.retain(|binding| !lost(binding)));
        }
    }

    /// Takes up bindings of an earlier run, the most wanted first as [`Registrar::contacts_of`] lists them. Those that
    /// have expired, and those nobody can be reached at without the connection they came over, are not taken.
    pub fn restore(&mut self, bindings: Vec<Binding>, now: Mono) {
        let bindings = bindings.into_iter().rev().filter(|binding| binding.expires_at > now);
        for binding in bindings.filter_map(Binding::without_connection) {
            let list = self.users.get(&binding.user).map_or(&[][..], Vec::as_slice);
            let room =
                self.total < self.limits.bindings_max && list.len() < self.limits.contacts_per_user_max;
            if room && !list.iter().any(|old| old.is_same(&binding)) {
                let user = binding.user.clone();
                self.edit(&user, |list| list.push(binding));
            }
        }
        // Nothing has happened: it is as it was.
        self.events.clear();
    }

    /// Takes expired bindings away.
    pub fn handle_timeout(&mut self, now: Now) {
        while let Some((at, user)) = self.deadlines.first().cloned() {
            if at > now.mono {
                break;
            }
            self.edit(&user, |list| list.retain(|binding| binding.expires_at > now.mono));
        }
    }

    /// When the next binding expires.
    pub fn poll_timeout(&self) -> Option<(Mono, Reason)> {
        self.deadlines.first().map(|(at, _)| (*at, Reason("registration")))
    }

    /// What changed since it was last asked.
    pub fn poll_event(&mut self) -> Option<RegistrarEvent> {
        self.events.pop_front()
    }

    /// All bindings, by user.
    pub fn bindings(&self) -> impl Iterator<Item = &Binding> {
        self.users.values().flatten()
    }

    /// The bindings of `user`: the most wanted first, among equals the one registered last.
    pub fn contacts_of(&self, user: &str) -> Vec<Binding> {
        let mut list: Vec<Binding> = self.users.get(user).cloned().unwrap_or_default();
        list.reverse();
        list.sort_by_key(|binding| std::cmp::Reverse(binding.q));
        list
    }

    /// How many bindings there are.
    pub fn len(&self) -> usize {
        self.total
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    fn remove_all(&mut self, user: &str, call_id: &str, cseq: u32) -> Result<(), Refusal> {
        let list = self.users.get(user).map_or(&[][..], Vec::as_slice);
        if list.iter().any(|binding| binding.call_id == call_id && binding.cseq >= cseq) {
            return Err(OUT_OF_ORDER);
        }
        self.edit(user, Vec::clear);
        Ok(())
    }

    /// All or nothing: what can be refused is refused before the first change.
    fn set(&mut self, user: &str, bindings: Vec<Binding>, now: Mono) -> Result<(), Refusal> {
        let list = self.users.get(user).map_or(&[][..], Vec::as_slice);
        let mut added = 0;
        for binding in &bindings {
            match list.iter().find(|old| old.is_same(binding)) {
                Some(old) if old.call_id == binding.call_id && old.cseq >= binding.cseq => {
                    return Err(OUT_OF_ORDER);
                }
                Some(_) => {}
                None => added += usize::from(binding.expires_at > now),
            }
        }
        let max = self.limits.contacts_per_user_max;
        let grown = (list.len() + added).min(max).saturating_sub(list.len());
        if self.total + grown > self.limits.bindings_max {
            return Err((503, "Too many registrations"));
        }
        self.edit(user, |list| {
            for binding in bindings {
                list.retain(|old| !old.is_same(&binding));
                if binding.expires_at > now {
                    if list.len() >= max {
                        drop_earliest(list);
                    }
                    list.push(binding);
                }
            }
        });
        Ok(())
    }

    /// The only place where a user's bindings change: keeps deadlines, total and events in step.
    fn edit(&mut self, user: &str, change: impl FnOnce(&mut Vec<Binding>)) {
        let mut list = self.users.remove(user).unwrap_or_default();
        let before = list.len();
        if let Some(first) = earliest(&list) {
            self.deadlines.remove(&(first, user.to_owned()));
        }
        change(&mut list);
        self.tell(RegistrarEvent::Changed { user: user.to_owned() });
        let after = list.len();
        self.total = self.total + after - before;
        if let Some(first) = earliest(&list) {
            self.deadlines.insert((first, user.to_owned()));
            self.users.insert(user.to_owned(), list);
        }
        if after > before {
            self.tell(RegistrarEvent::Registered { user: user.to_owned(), contacts: after });
        } else if after == 0 && before > 0 {
            self.tell(RegistrarEvent::Unregistered { user: user.to_owned() });
        }
    }

    fn tell(&mut self, event: RegistrarEvent) {
        if self.events.len() == EVENTS_MAX {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }

    /// The 200: every binding there now is (RFC 3261 §10.3 step 8), the path as received (RFC 3327 §5.3).
    fn grant(&self, request: &Request, user: &str, path: &[String], now: Mono) -> Response {
        let mut response = request.response(200, None);
        for binding in self.users.get(user).into_iter().flatten() {
            response.headers.push(HeaderName::Contact, binding.to_contact(now));
        }
        for value in path {
            response.headers.push(HeaderName::Path, value.as_str());
        }
        let outbound = |binding: &&Binding| binding.reg_id.is_some() && binding.instance.is_some();
        let supported = request.headers.tokens(&HeaderName::Supported);
        if supported.iter().any(|tag| tag.eq_ignore_ascii_case("outbound"))
            && self.users.get(user).is_some_and(|list| list.iter().any(|b| outbound(&b)))
        {
            response.headers.push(HeaderName::Require, "outbound");
        }
        response
    }

    fn refuse(&self, request: &Request, code: u16, reason: &str) -> Response {
        let mut response = request.response(code, reason);
        match code {
            423 => response.headers.push(HeaderName::MinExpires, self.limits.expires_min_s),
            503 => response.headers.push(HeaderName::RetryAfter, RETRY_AFTER_S),
            _ => {}
        }
        response
    }
}

/// When the first of these expires.
fn earliest(list: &[Binding]) -> Option<Mono> {
    list.iter().map(|binding| binding.expires_at).min()
}

fn drop_earliest(list: &mut Vec<Binding>) {
    if let Some(first) = earliest(list)
        && let Some(at) = list.iter().position(|binding| binding.expires_at == first)
    {
        list.remove(at);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{Decoded, Message, TransportKind, decode};

    fn at(seconds: u64) -> Now {
        Now::default() + Duration::from_secs(seconds)
    }

    fn flow(port: u16) -> Flow {
        let [local, remote] = [5060, port].map(|port| ([192, 0, 2, 1], port).into());
        Flow { transport: TransportKind::Tcp, local, remote }
    }

    /// A REGISTER by ann; `lines` are its other headers.
    fn register(cseq: u32, lines: &str) -> Request {
        let text = format!(
            "REGISTER sip:office SIP/2.0\r\nVia: SIP/2.0/TCP pc;branch=1\r\nFrom: <sip:ann@office>;tag=1\r\n\
             To: <sip:ann@office>\r\nCall-ID: c\r\nCSeq: {cseq} REGISTER\r\n{lines}\r\n"
        );
        match decode(text.as_bytes()) {
            Decoded::Message(Message::Request(request)) => request,
            other => panic!("{other:?}"),
        }
    }

    fn contacts(response: &Response) -> Vec<String> {
        response.headers.all(&HeaderName::Contact).map(|value| value.text().into_owned()).collect()
    }

    /// What a REGISTER with these headers is answered, at second 0.
    fn answer(registrar: &mut Registrar, cseq: u32, lines: &str) -> (u16, Vec<String>) {
        let response = registrar.handle_register(&register(cseq, lines), "ann", flow(9), at(0));
        (response.code, contacts(&response))
    }

    /// What happened, but for that something changed.
    fn events(registrar: &mut Registrar) -> Vec<RegistrarEvent> {
        let is_told = |event: &RegistrarEvent| !matches!(event, RegistrarEvent::Changed { .. });
        std::iter::from_fn(|| registrar.poll_event()).filter(is_told).collect()
    }

    fn registered(contacts: usize) -> RegistrarEvent {
        RegistrarEvent::Registered { user: "ann".into(), contacts }
    }

    fn unregistered() -> RegistrarEvent {
        RegistrarEvent::Unregistered { user: "ann".into() }
    }

    #[test]
    fn times_are_granted_between_their_bounds() {
        for (lines, code, granted) in [
            ("Contact: <sip:a@pc>\r\n", 200, "<sip:a@pc>;expires=3600"),
            ("Contact: <sip:a@pc>\r\nExpires: 120\r\n", 200, "<sip:a@pc>;expires=120"),
            ("Contact: <sip:a@pc>;expires=90\r\nExpires: 120\r\n", 200, "<sip:a@pc>;expires=90"),
            ("Contact: <sip:a@pc>;expires=99999999999\r\n", 200, "<sip:a@pc>;expires=3600"),
            ("Contact: <sip:a@pc>;expires=soon\r\n", 200, "<sip:a@pc>;expires=3600"),
            ("Contact: <sip:a@pc>\r\nExpires: soon\r\n", 200, "<sip:a@pc>;expires=3600"),
            ("Contact: sip:a@pc;expires=60;q=0.5\r\n", 200, "<sip:a@pc>;q=0.5;expires=60"),
            ("Contact: <sip:a@pc>;expires=59\r\n", 423, ""),
            ("Contact: <sip:a@pc>, <sip:b@pc>;expires=1\r\n", 423, ""),
            ("Contact: <sip:a@pc>;expires=0\r\n", 200, ""),
            ("Contact: *\r\n", 400, ""),
            ("Contact: *\r\nExpires: 60\r\n", 400, ""),
            ("Contact: <tel:+1555>\r\n", 416, ""),
            ("Contact: <sip:a@pc>\r\nPath: nonsense\r\n", 400, ""),
            ("", 200, ""),
        ] {
            let granted: Vec<&str> = granted.split_terminator('|').collect();
            let mut registrar = Registrar::new(RegistrarLimits::default());
            let (c, list) = answer(&mut registrar, 1, lines);
            assert_eq!((c, list.iter().map(String::as_str).collect()), (code, granted), "{lines}");
            assert_eq!(registrar.len(), list.len(), "{lines}");
        }
    }

    #[test]
    fn too_brief_says_how_long_it_must_be() {
        let mut registrar = Registrar::new(RegistrarLimits::default());
        let request = register(1, "Contact: <sip:a@pc>;expires=5\r\n");
        let response = registrar.handle_register(&request, "ann", flow(9), at(0));
        assert_eq!((response.code, response.headers.min_expires()), (423, Ok(Some(60))));
    }

    #[test]
    fn bindings_are_added_refreshed_listed_and_taken_away() {
        let mut registrar = Registrar::new(RegistrarLimits::default());
        let (_, list) =
            answer(&mut registrar, 1, "Contact: <sip:a@pc>;q=0.1, <sip:a@desk;transport=tcp>;expires=60\r\n");
        assert_eq!(list, ["<sip:a@pc>;q=0.1;expires=3600", "<sip:a@desk;transport=tcp>;expires=60"]);
        assert_eq!(events(&mut registrar), [registered(2)]);

        // Refreshing one leaves the other and changes no number.
        let request = register(2, "Contact: <sip:a@PC>;q=0.2\r\n");
        let response = registrar.handle_register(&request, "ann", flow(7), at(30));
        assert_eq!(
            contacts(&response),
            ["<sip:a@desk;transport=tcp>;expires=30", "<sip:a@PC>;q=0.2;expires=3600"]
        );
        assert_eq!(events(&mut registrar), []);

        // The most wanted first.
        let order: Vec<u16> = registrar.contacts_of("ann").iter().map(|binding| binding.q).collect();
        assert_eq!(order, [1000, 200]);
        assert_eq!(registrar.contacts_of("ann")[1].flow, flow(7));
        assert!(registrar.contacts_of("bob").is_empty());

        let (_, list) = answer(&mut registrar, 3, "Contact: <sip:a@desk;transport=tcp>;expires=0\r\n");
        assert_eq!(list.len(), 1);
        let (code, list) = answer(&mut registrar, 4, "Contact: *\r\nExpires: 0\r\n");
        assert_eq!((code, list.len(), registrar.len()), (200, 0, 0));
        assert_eq!(events(&mut registrar), [unregistered()]);
        assert_eq!(registrar.poll_timeout(), None);
    }

    #[test]
    fn bindings_expire_on_time() {
        let mut registrar = Registrar::new(RegistrarLimits::default());
        answer(
            &mut registrar,
            1,
            "Contact: <sip:a@pc>;expires=60, <sip:b@pc>;expires=60, <sip:c@pc>;expires=90\r\n",
        );
        assert_eq!(registrar.poll_timeout(), Some((at(60).mono, Reason("registration"))));
        registrar.handle_timeout(at(59));
        assert_eq!(registrar.len(), 3);
        registrar.handle_timeout(at(60));
        assert_eq!(
            (registrar.len(), registrar.poll_timeout()),
            (1, Some((at(90).mono, Reason("registration"))))
        );
        registrar.handle_timeout(at(1000));
        assert_eq!((registrar.len(), registrar.poll_timeout()), (0, None));
        assert_eq!(events(&mut registrar), [registered(3), unregistered()]);
    }

    #[test]
    fn an_older_request_changes_nothing() {
        let mut registrar = Registrar::new(RegistrarLimits::default());
        answer(&mut registrar, 5, "Contact: <sip:a@pc>\r\n");
        for lines in [
            "Contact: <sip:a@pc>;expires=0\r\n",
            "Contact: <sip:b@pc>, <sip:a@pc>;expires=0\r\n",
            "Contact: *\r\nExpires: 0\r\n",
        ] {
            for cseq in [4, 5] {
                assert_eq!(answer(&mut registrar, cseq, lines).0, 500, "{cseq} {lines}");
            }
        }
        assert_eq!(registrar.len(), 1);
        // Another Call-ID is another phone, or this one after a restart: its numbers begin anew.
        let mut request = register(1, "Contact: <sip:a@pc>;expires=0\r\n");
        request.headers.set(HeaderName::CallId, "d");
        assert_eq!(registrar.handle_register(&request, "ann", flow(9), at(0)).code, 200);
        assert!(registrar.is_empty());
    }

    #[test]
    fn one_device_has_one_binding_a_flow() {
        let mut registrar = Registrar::new(RegistrarLimits::default());
        let device = "+sip.instance=\"<urn:uuid:7>\"";
        let lines = |user: &str, id: u32| {
            format!("Contact: <sip:{user}@x.invalid>;{device};reg-id={id}\r\nSupported: path, outbound\r\n")
        };
        answer(&mut registrar, 1, &lines("a", 1));
        // Back from another address, with another contact.
        let response = registrar.handle_register(&register(2, &lines("b", 1)), "ann", flow(8), at(0));
        assert_eq!(contacts(&response), [format!("<sip:b@x.invalid>;{device};reg-id=1;expires=3600")]);
        assert_eq!(response.headers.text(&HeaderName::Require).as_deref(), Some("outbound"));
        answer(&mut registrar, 3, &lines("c", 2));
        let binding = &registrar.contacts_of("ann")[0];
        assert_eq!((binding.instance.as_deref(), binding.reg_id), (Some("urn:uuid:7"), Some(2)));
        // A closed connection takes its flow along, and no other.
        registrar.handle_flow_closed(flow(8));
        assert_eq!(registrar.contacts_of("ann").iter().map(|b| b.reg_id).collect::<Vec<_>>(), [Some(2)]);
        registrar.handle_flow_closed(flow(9));
        assert!(registrar.is_empty());
    }

    #[test]
    fn a_phone_that_can_be_reached_again_outlives_its_connection() {
        let mut registrar = Registrar::new(RegistrarLimits::default());
        answer(&mut registrar, 1, "Contact: <sip:a@pc>\r\n");
        registrar.handle_flow_closed(flow(9));
        assert_eq!(registrar.len(), 1);
        let browser = Flow { transport: TransportKind::Wss, ..flow(9) };
        registrar.handle_register(&register(2, "Contact: <sip:b@x.invalid>\r\n"), "ann", browser, at(0));
        registrar.handle_flow_closed(browser);
        assert_eq!(registrar.len(), 1);
    }

    #[test]
    fn the_path_is_kept_and_returned() {
        let mut registrar = Registrar::new(RegistrarLimits::default());
        let lines =
            "Contact: <sip:a@pc>\r\nPath: <sip:edge1;lr>, <sip:edge2;lr>\r\nUser-Agent: Phone 1.0\r\n";
        let response = registrar.handle_register(&register(1, lines), "ann", flow(9), at(0));
        let binding = &registrar.contacts_of("ann")[0];
        assert_eq!(binding.path, ["<sip:edge1;lr>", "<sip:edge2;lr>"]);
        assert_eq!(binding.user_agent.as_deref(), Some("Phone 1.0"));
        let path: Vec<_> = response.headers.all(&HeaderName::Path).map(|value| value.text()).collect();
        assert_eq!(path, ["<sip:edge1;lr>", "<sip:edge2;lr>"]);
    }

    #[test]
    fn nobody_registers_for_somebody_else() {
        let mut registrar = Registrar::new(RegistrarLimits::default());
        let request = register(1, "Contact: <sip:a@pc>\r\n");
        assert_eq!(registrar.handle_register(&request, "bob", flow(9), at(0)).code, 403);
        assert!(registrar.is_empty() && events(&mut registrar).is_empty());
    }

    #[test]
    fn a_full_user_replaces_and_a_full_registrar_refuses() {
        let limits =
            RegistrarLimits { contacts_per_user_max: 2, bindings_max: 3, ..RegistrarLimits::default() };
        let mut registrar = Registrar::new(limits);
        answer(&mut registrar, 1, "Contact: <sip:a@pc>;expires=100, <sip:b@pc>;expires=90\r\n");
        let (code, list) = answer(&mut registrar, 2, "Contact: <sip:c@pc>;expires=80\r\n");
        assert_eq!(
            (code, list),
            (200, vec!["<sip:a@pc>;expires=100".into(), "<sip:c@pc>;expires=80".into()])
        );

        let mut other = register(1, "Contact: <sip:a@pc>, <sip:b@pc>\r\n");
        other.headers.set(HeaderName::To, "<sip:bob@office>");
        let response = registrar.handle_register(&other, "bob", flow(9), at(0));
        assert_eq!(response.code, 503);
        assert_eq!(response.headers.text(&HeaderName::RetryAfter).as_deref(), Some("60"));
        other.headers.set(HeaderName::Contact, "<sip:a@pc>");
        assert_eq!(registrar.handle_register(&other, "bob", flow(9), at(0)).code, 200);
        assert_eq!(registrar.len(), 3);
        // Who is registered already may refresh.
        assert_eq!(answer(&mut registrar, 3, "Contact: <sip:c@pc>\r\n").0, 200);
        let many = format!("Contact: <sip:a@pc>{}\r\n", ", <sip:a@pc>".repeat(16));
        assert_eq!(answer(&mut registrar, 4, &many).0, 400);
    }

    /// A run that begins knows where phones are that can be reached without the connections of the one before.
    #[test]
    fn what_was_registered_is_taken_up_where_it_can_be_reached() {
        for (transport, lines, reached) in [
            (TransportKind::Udp, "Contact: <sip:a@10.0.0.7:5070>\r\n", Some("192.0.2.1:9")),
            (TransportKind::Udp, "Contact: <sip:a@pc>\r\n", Some("192.0.2.1:9")),
            (TransportKind::Tcp, "Contact: <sip:a@10.0.0.7:5070>\r\n", Some("10.0.0.7:5070")),
            (TransportKind::Tcp, "Contact: <sip:a@10.0.0.7>\r\n", Some("10.0.0.7:5060")),
            (TransportKind::Tcp, "Contact: <sip:a@pc>\r\n", None),
            (TransportKind::Tcp, "Contact: <sip:a@10.0.0.7>;reg-id=1;+sip.instance=\"<urn:x>\"\r\n", None),
            (TransportKind::Tls, "Contact: <sip:a@10.0.0.7>\r\n", None),
            (TransportKind::Wss, "Contact: <sip:a@10.0.0.7>\r\n", None),
        ] {
            let mut registrar = Registrar::new(RegistrarLimits::default());
            let flow = Flow { transport, ..flow(9) };
            assert_eq!(registrar.handle_register(&register(1, lines), "ann", flow, at(0)).code, 200);
            let kept = registrar.contacts_of("ann");
            let mut again = Registrar::new(RegistrarLimits::default());
            again.restore(kept.clone(), at(10).mono);
            let found = again.contacts_of("ann").pop().map(|binding| binding.flow.remote.to_string());
            assert_eq!(found.as_deref(), reached, "{transport:?} {lines}");
            assert_eq!((again.poll_event(), again.len()), (None, usize::from(reached.is_some())));
            assert_eq!(again.poll_timeout().is_some(), reached.is_some());
            let mut late = Registrar::new(RegistrarLimits::default());
            late.restore(kept, at(3_600).mono);
            assert!(late.is_empty(), "it has expired");
        }
        let mut registrar = Registrar::new(RegistrarLimits::default());
        answer(&mut registrar, 1, "Contact: <sip:a@10.0.0.7>;q=0.1, <sip:a@10.0.0.8>, <sip:a@10.0.0.9>\r\n");
        let changed = |event| matches!(event, RegistrarEvent::Changed { .. });
        assert!(std::iter::from_fn(|| registrar.poll_event()).any(changed));
        answer(&mut registrar, 2, "Contact: <sip:a@10.0.0.8>\r\n");
        assert!(std::iter::from_fn(|| registrar.poll_event()).any(changed), "a refreshed one lasts longer");
        let kept: Vec<_> = registrar
            .contacts_of("ann")
            .into_iter()
            .map(|binding| Binding {
                flow: Flow { transport: TransportKind::Udp, ..binding.flow },
                ..binding
            })
            .collect();
        let mut again = Registrar::new(RegistrarLimits { contacts_per_user_max: 2, ..Default::default() });
        again.restore(kept.clone(), at(1).mono);
        assert_eq!(again.len(), 2, "as many as one may have");
        let mut again = Registrar::new(RegistrarLimits::default());
        again.restore(kept.clone(), at(1).mono);
        assert_eq!(again.contacts_of("ann"), kept, "in their order");
    }
}
