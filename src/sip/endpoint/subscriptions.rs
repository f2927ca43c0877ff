//! Lamps: phones subscribe to what an agent does, or to one of its keys, and are told of each change (RFC 6665).
//!
//! ```text
//!   SUBSCRIBE ──▶ 200, NOTIFY ──▶ Active ──show──▶ NOTIFY
//!                                  │  ▲ SUBSCRIBE again
//!                                  │  └──────────── 200, NOTIFY
//!                                  ├── Expires: 0, or its time is over ──▶ NOTIFY terminated
//!                                  └── a NOTIFY fails ──▶ gone
//! ```
//! The packages are `dialog` (RFC 4235), which lights the lamp beside a key, and `presence` (RFC 3856), which shows a word
//! as well. What there is to subscribe to the owner shows; anything else is 404. Only phones subscribe.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base::{Mono, Now, Reason};

use super::{Core, Endpoint, Hop, User};
use crate::dialog::Dialog;
use crate::transaction::{Deadlines, ServerId};
use crate::{Flow, HeaderName, Method, Request, Response};

/// Subscriptions of all phones.
const SUBSCRIPTIONS_MAX: usize = 20_000;
/// Subscriptions of one phone: a large board of keys.
const SUBSCRIPTIONS_PER_PHONE_MAX: usize = 200;
/// What can be subscribed to.
const SHOWN_MAX: usize = 200_000;
/// Seconds that hold when the phone says none, and at most (RFC 4235 §3.5).
const EXPIRES_S: u32 = 3_600;

/// What a lamp does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lamp {
    /// The agent is free; the key's state does not hold.
    #[default]
    Dark,
    /// A call is offered.
    Flashing,
    /// The agent is not free; the key's state holds.
    Lit,
}

/// What is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// By the lamp.
    pub lamp: Lamp,
    /// In words.
    pub note: String,
}

/// What there is to see, and who looks.
#[derive(Default)]
pub(super) struct Subscriptions {
    /// By whose key it is (nobody's: everybody may look), and what it is called.
    shown: BTreeMap<(String, String), Shown>,
    all: BTreeMap<u64, Subscription>,
    /// Who looks at what.
    lookers: BTreeMap<(String, String), BTreeSet<u64>>,
    /// By Call-ID and our tag.
    dialogs: BTreeMap<(String, String), u64>,
    /// How many each phone has.
    of_phone: BTreeMap<String, usize>,
    deadlines: Deadlines<u64>,
}

struct Subscription {
    dialog: Dialog,
    phone: String,
    /// A key of what is shown.
    resource: (String, String),
    package: Package,
    /// The Event header, its `id` among it.
    event: String,
    flow: Flow,
    until: Mono,
    /// Documents so far (RFC 4235 §4.1).
    version: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Package {
    Dialog,
    Presence,
}

impl Subscriptions {
    pub(super) fn poll_timeout(&self) -> Option<(Mono, Reason)> {
        self.deadlines.first().map(|(at, _)| (at, Reason("subscription")))
    }

    fn remove(&mut self, id: u64) -> Option<Subscription> {
        let one = self.all.remove(&id)?;
        self.deadlines.set(id, None);
        if let Some(lookers) = self.lookers.get_mut(&one.resource) {
            lookers.remove(&id);
            if lookers.is_empty() {
                self.lookers.remove(&one.resource);
            }
        }
        if let Some(count) = self.of_phone.get_mut(&one.phone) {
            *count -= 1;
            if *count == 0 {
                self.of_phone.remove(&one.phone);
            }
        }
        let tag = one.dialog.local().tag().unwrap_or_default().to_owned();
        self.dialogs.remove(&(one.dialog.call_id().to_owned(), tag));
        Some(one)
    }

    /// A NOTIFY was answered.
    pub(super) fn on_response(&mut self, id: u64, response: &Response) {
        // Whoever refuses one has forgotten the subscription (RFC 6665 §4.2.2).
        if response.code >= 300 {
            self.remove(id);
        }
    }

    /// A NOTIFY was not answered, or could not be sent.
    pub(super) fn on_failure(&mut self, id: u64) {
        self.remove(id);
    }

    fn notify(&mut self, id: u64, over: Option<&str>, core: &mut Core) {
        let Some(one) = self.all.get_mut(&id) else { return };
        let nothing = Shown::default();
        let shown = self.shown.get(&one.resource).unwrap_or(&nothing);
        let mut notify = one.dialog.request(Method::Notify);
        notify.headers.push(HeaderName::Event, one.event.as_str());
        let left = one.until.since(core.now.mono).as_secs();
        let state = over
            .map_or_else(|| format!("active;expires={left}"), |reason| format!("terminated;reason={reason}"));
        notify.headers.push(HeaderName::SubscriptionState, state);
        let entity = one.dialog.local().uri.to_string();
        let (kind, body) = match one.package {
            Package::Dialog => ("application/dialog-info+xml", dialog_info(&entity, one.version, shown.lamp)),
            Package::Presence => ("application/pidf+xml", presence(&entity, shown)),
        };
        one.version = one.version.wrapping_add(1);
        notify.headers.set(HeaderName::ContentType, kind);
        notify.body = body.into_bytes();
        let flow = match one.flow.transport.is_reliable() {
            true => core.registered_flow(&one.phone, one.dialog.next_hop()).unwrap_or(one.flow),
            false => one.flow,
        };
        core.dispatch(notify, Some(&one.resource.1), Hop::Flow(flow), User::Subscription(id));
        if over.is_some() {
            self.remove(id);
        }
    }
}

impl Endpoint {
    /// Shows something to whoever subscribes; `phone`: to this phone alone.
    pub fn show(&mut self, phone: Option<&str>, resource: &str, shown: Shown, now: Now) {
        self.core.now = now;
        let subscriptions = &mut self.subscriptions;
        let key = (phone.unwrap_or_default().to_owned(), resource.to_owned());
        let is_new = !subscriptions.shown.contains_key(&key);
        if is_new && subscriptions.shown.len() >= SHOWN_MAX {
            return self.core.count("sip_lamps_without_room");
        }
        let lamp = shown.lamp;
        let before = subscriptions.shown.insert(key.clone(), shown.clone());
        if before.as_ref() == Some(&shown) {
            return;
        }
        let is_lit_anew = before.is_none_or(|before| before.lamp != lamp);
        for id in subscriptions.lookers.get(&key).cloned().unwrap_or_default() {
            // A lamp has no words.
            let has_words = subscriptions.all.get(&id).is_some_and(|one| one.package == Package::Presence);
            if is_lit_anew || has_words {
                subscriptions.notify(id, None, &mut self.core);
            }
        }
    }

    /// Nothing is to be seen any more, until it is shown again. Who has subscribed stays.
    pub fn show_none(&mut self, now: Now) {
        self.core.now = now;
        self.subscriptions.shown.clear();
    }

    /// Subscriptions that are not over.
    pub fn open_subscriptions(&self) -> usize {
        self.subscriptions.all.len()
    }

    pub(super) fn end_subscriptions(&mut self) {
        while let Some(id) = self.subscriptions.deadlines.pop(self.core.now.mono) {
            self.subscriptions.notify(id, Some("timeout"), &mut self.core);
        }
    }

    pub(super) fn on_subscribe(&mut self, request: &Request, flow: Flow) {
        let Some(phone) = self.authenticate(request, flow) else { return };
        let Some(server) = self.open(request, flow) else { return };
        if self.refuse_extensions(request, server) {
            return;
        }
        let to_tag = request.headers.to().ok().and_then(|to| to.tag().map(str::to_owned));
        match to_tag {
            None => self.subscribe(request, phone, flow, server),
            Some(tag) => self.subscribe_again(request, &phone, (flow, tag), server),
        }
    }

    fn subscribe(&mut self, request: &Request, phone: String, flow: Flow, server: ServerId) {
        let event = request.headers.text(&HeaderName::Event).unwrap_or_default().trim().to_owned();
        let package = match event.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
            "dialog" => Package::Dialog,
            "presence" => Package::Presence,
            _ => {
                let tag = self.core.tag();
                let mut response = self.core.response(request, 489, None, &tag);
                response.headers.push(HeaderName::AllowEvents, "dialog, presence");
                return self.core.layer.respond(server, &response, self.core.now.mono);
            }
        };
        let name = request.uri.user_decoded().into_owned();
        let own = (phone.clone(), name.clone());
        let resource = match self.subscriptions.shown.contains_key(&own) {
            true => own,
            false => (String::new(), name),
        };
        if !self.subscriptions.shown.contains_key(&resource) {
            return self.core.reply(server, request, 404);
        }
        let same = self.subscriptions.of_phone.get(&phone).copied().unwrap_or(0);
        if same >= SUBSCRIPTIONS_PER_PHONE_MAX || self.subscriptions.all.len() >= SUBSCRIPTIONS_MAX {
            self.core.count("sip_subscriptions_full");
            return self.core.reply(server, request, 503);
        }
        let (tag, seq) = (self.core.tag(), self.core.rng.u32() >> 16);
        let Ok(dialog) = Dialog::uas(request, &tag, seq) else {
            return self.core.reply(server, request, 400);
        };
        let id = self.core.number();
        let until = self.core.now.mono + Duration::from_secs(u64::from(expires_s(request)));
        self.subscriptions.dialogs.insert((dialog.call_id().to_owned(), tag), id);
        self.subscriptions.lookers.entry(resource.clone()).or_default().insert(id);
        *self.subscriptions.of_phone.entry(phone.clone()).or_default() += 1;
        let one = Subscription { dialog, phone, resource, package, event, flow, until, version: 0 };
        self.subscriptions.all.insert(id, one);
        self.accept_subscription(id, request, server);
    }

    /// Within the subscription: it goes on, or ends.
    fn subscribe_again(
        &mut self,
        request: &Request,
        phone: &str,
        (flow, tag): (Flow, String),
        server: ServerId,
    ) {
        let key = (request.headers.call_id().unwrap_or_default(), tag);
        let found = self.subscriptions.dialogs.get(&key).copied();
        let one = found.and_then(|id| Some((id, self.subscriptions.all.get_mut(&id)?)));
        let Some((id, one)) = one.filter(|(_, one)| one.phone == phone) else {
            return self.core.reply(server, request, 481);
        };
        if let Err(code) = one.dialog.accept(&request.headers) {
            return self.core.reply(server, request, code);
        }
        one.dialog.refresh_target(&request.headers);
        one.flow = flow;
        one.until = self.core.now.mono + Duration::from_secs(u64::from(expires_s(request)));
        self.accept_subscription(id, request, server);
    }

    /// Answers, and tells at once what is to be seen (RFC 6665 §4.2.1.2).
    fn accept_subscription(&mut self, id: u64, request: &Request, server: ServerId) {
        let Some(one) = self.subscriptions.all.get(&id) else { return };
        let tag = one.dialog.local().tag().unwrap_or_default();
        let mut response = self.core.response(request, 200, None, tag);
        for route in request.headers.all(&HeaderName::RecordRoute) {
            response.headers.push(HeaderName::RecordRoute, route.clone());
        }
        response.headers.push(HeaderName::Contact, self.core.contact(one.flow, &one.resource.1));
        let left = expires_s(request);
        response.headers.push(HeaderName::Expires, left.to_string());
        let until = one.until;
        self.core.layer.respond(server, &response, self.core.now.mono);
        self.subscriptions.deadlines.set(id, Some(until));
        let over = (left == 0).then_some("timeout");
        self.subscriptions.notify(id, over, &mut self.core);
    }
}

fn expires_s(request: &Request) -> u32 {
    let wanted = request.headers.text(&HeaderName::Expires);
    wanted.and_then(|text| text.trim().parse().ok()).unwrap_or(EXPIRES_S).min(EXPIRES_S)
}

/// What lights a lamp: a dialog that is not there, rings, or is there (RFC 4235 §4).
fn dialog_info(entity: &str, version: u32, lamp: Lamp) -> String {
    let (direction, state) = match lamp {
        Lamp::Dark => ("", "terminated"),
        Lamp::Flashing => (" direction=\"recipient\"", "early"),
        Lamp::Lit => ("", "confirmed"),
    };
    format!(
        "<?xml version=\"1.0\"?>\r\n<dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"{version}\" \
         state=\"full\" entity=\"{0}\">\r\n<dialog id=\"agent\"{direction}><state>{state}</state></dialog>\r\n\
         </dialog-info>\r\n",
        escape(entity)
    )
}

/// Whether the agent is free, and a word for it (RFC 3863 §4.1).
fn presence(entity: &str, shown: &Shown) -> String {
    let basic = if shown.lamp == Lamp::Dark { "open" } else { "closed" };
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<presence xmlns=\"urn:ietf:params:xml:ns:pidf\" entity=\"{}\">\
         \r\n<tuple id=\"agent\"><status><basic>{basic}</basic></status><note>{}</note></tuple>\r\n</presence>\r\n",
        escape(entity),
        escape(&shown.note)
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_lamp_is_told() {
        for (lamp, state, basic) in [
            (Lamp::Dark, "<dialog id=\"agent\"><state>terminated<", "open"),
            (Lamp::Flashing, "<dialog id=\"agent\" direction=\"recipient\"><state>early<", "closed"),
            (Lamp::Lit, "<dialog id=\"agent\"><state>confirmed<", "closed"),
        ] {
            let text = dialog_info("sip:*12@h?a&b", 3, lamp);
            assert!(text.contains(state) && text.contains("version=\"3\""), "{text}");
            assert!(text.contains("entity=\"sip:*12@h?a&amp;b\""), "{text}");
            let text = presence("sip:a@h", &Shown { lamp, note: "<Break>".to_owned() });
            assert!(text.contains(&format!("<basic>{basic}<")) && text.contains("&lt;Break&gt;"), "{text}");
        }
    }
}
