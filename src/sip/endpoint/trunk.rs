//! Our registrations with the trunks that want one (RFC 3261 §10.2).
//!
//! ```text
//!            ┌──────────── refresh ───────────┐
//!   Registering ──200──► Registered ──────────┘
//!     ▲   │                  │ refused, no answer
//!     │   └─ refused ─► Failed ◄──┘
//!     └── back-off ─────────┘
//! ```

use std::collections::BTreeMap;
use std::time::Duration;

use base::{Mono, Reason};

use super::core::{Core, Failure};
use super::outbound::{Hop, RequestId, User};
use super::{Event, TrunkConfig, TrunkState};
use crate::dialog::MAX_FORWARDS;
use crate::{
    CSeq, DigestClient, DigestStep, HeaderName, Method, NameAddr, Request, Response, Uri, reason_phrase,
};

/// Seconds asked for.
const EXPIRES_S: u32 = 3_600;

/// Longest time granted that is believed.
const EXPIRES_S_MAX: u32 = 86_400;

/// First wait after a failure; it doubles (after RFC 5626 §4.5).
const RETRY_S: u32 = 30;

/// Longest wait after a failure.
const RETRY_S_MAX: u32 = 1_800;

/// All trunks, by name.
pub(super) struct Trunks {
    trunks: BTreeMap<String, Trunk>,
}

struct Trunk {
    config: TrunkConfig,
    state: TrunkState,
    /// One Call-ID and From tag for all its REGISTERs (§10.2).
    call_id: String,
    tag: String,
    seq: u32,
    digest: Option<DigestClient>,
    /// The REGISTER that waits for its answer.
    request: Option<RequestId>,
    /// When the next one is due.
    next_at: Option<Mono>,
    expires_s: u32,
    failures: u32,
}

impl Trunks {
    pub(super) fn new() -> Self {
        Self { trunks: BTreeMap::new() }
    }

    /// Takes a new configuration: what has not changed stays registered.
    pub(super) fn configure(&mut self, core: &mut Core) {
        let mut old = std::mem::take(&mut self.trunks);
        for config in core.config.trunks.clone() {
            let name = config.name.clone();
            let kept = old.remove(&name).and_then(|trunk| {
                if trunk.config == config {
                    return Some(trunk);
                }
                trunk.unregister(core);
                None
            });
            let trunk = kept.unwrap_or_else(|| Trunk::new(config, core));
            self.trunks.insert(name, trunk);
        }
        for trunk in old.into_values() {
            trunk.unregister(core);
        }
    }

    pub(super) fn states(&self) -> impl Iterator<Item = (&str, &TrunkState)> {
        self.trunks.iter().map(|(name, trunk)| (name.as_str(), &trunk.state))
    }

    pub(super) fn on_response(
        &mut self,
        name: &str,
        request: RequestId,
        response: &Response,
        core: &mut Core,
    ) {
        if let Some(trunk) = self.trunks.get_mut(name)
            && trunk.request == Some(request)
        {
            trunk.on_response(request, response, core);
        }
    }

    pub(super) fn on_failure(&mut self, name: &str, request: RequestId, failure: Failure, core: &mut Core) {
        if let Some(trunk) = self.trunks.get_mut(name)
            && trunk.request == Some(request)
        {
            let code = match failure {
                Failure::NoAnswer => 408,
                Failure::Unreachable | Failure::Unresolved => 503,
            };
            trunk.failed(code, reason_phrase(code), None, core);
        }
    }

    pub(super) fn handle_timeout(&mut self, core: &mut Core) {
        for trunk in self.trunks.values_mut() {
            if trunk.next_at.is_some_and(|at| at <= core.now.mono) {
                trunk.next_at = None;
                trunk.register(core);
            }
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<(Mono, Reason)> {
        let first = self.trunks.values().filter_map(|trunk| trunk.next_at).min();
        first.map(|at| (at, Reason("trunk registration")))
    }
}

impl Trunk {
    fn new(config: TrunkConfig, core: &mut Core) -> Self {
        let user = config.username.clone().or_else(|| config.address.user.clone());
        let digest =
            user.zip(config.password.as_ref()).map(|(user, password)| DigestClient::new(&user, password));
        Self {
            state: if config.register { TrunkState::Registering } else { TrunkState::Static },
            call_id: core.rng.hex(32),
            tag: core.tag(),
            seq: 0,
            digest,
            request: None,
            // At once, but not from in here: nobody would be asking for outputs yet.
            next_at: config.register.then_some(core.now.mono),
            expires_s: EXPIRES_S,
            failures: 0,
            config,
        }
    }

    fn register(&mut self, core: &mut Core) {
        let mut request = self.request(self.expires_s);
        self.seq += 1;
        request.headers.push(HeaderName::CSeq, CSeq { number: self.seq, method: Method::Register });
        // With the nonce of last time there is no challenge this time.
        if let Some(digest) = &mut self.digest {
            digest.authorize(&mut request, &mut core.rng);
        }
        let user = User::Trunk(self.config.name.clone());
        let hop = Hop::Uri(self.config.address.clone());
        self.request = Some(core.dispatch(request, Some(&self.user()), hop, user));
    }

    /// Takes the registration back; whether that succeeds is of no interest.
    fn unregister(mut self, core: &mut Core) {
        if !matches!(self.state, TrunkState::Registered { .. }) {
            return;
        }
        let mut request = self.request(0);
        request.headers.push(HeaderName::CSeq, CSeq { number: self.seq + 1, method: Method::Register });
        if let Some(digest) = &mut self.digest {
            digest.authorize(&mut request, &mut core.rng);
        }
        core.dispatch(request, Some(&self.user()), Hop::Uri(self.config.address.clone()), User::Nobody);
    }

    fn on_response(&mut self, id: RequestId, response: &Response, core: &mut Core) {
        let number = self.seq + 1;
        match response.code {
            100..=199 => {}
            200..=299 => self.registered(response, core),
            401 | 407 => {
                let again = self.digest.as_mut().and_then(|digest| match digest.on_response(response) {
                    DigestStep::Retry => core.retry(id, number, digest),
                    DigestStep::Done | DigestStep::GiveUp(_) => None,
                });
                match again {
                    Some(request) => {
                        self.request = Some(request);
                        self.seq = number;
                    }
                    None => self.failed(response.code, &response.reason, None, core),
                }
            }
            // Interval Too Brief: once more with what it wants (§10.2.8).
            423 => match response.headers.min_expires() {
                Ok(Some(least)) if least > self.expires_s && least <= EXPIRES_S_MAX => {
                    self.expires_s = least;
                    self.register(core);
                }
                Ok(_) | Err(_) => self.failed(423, &response.reason, None, core),
            },
            code => {
                let after = response.headers.text(&HeaderName::RetryAfter);
                let after = after.and_then(|text| text.split([' ', ';', '(']).next()?.parse().ok());
                self.failed(code, &response.reason, after, core);
            }
        }
    }

    fn registered(&mut self, response: &Response, core: &mut Core) {
        if let Some(digest) = &mut self.digest {
            digest.on_response(response);
        }
        let expires_s = self.granted(response, core).clamp(1, EXPIRES_S_MAX);
        // Early enough for a request that is repeated to its end, Timer F's 32 seconds, where the time allows.
        let refresh_s =
            if expires_s > 128 { expires_s - expires_s.div_ceil(10).max(64) } else { expires_s.div_ceil(2) };
        self.request = None;
        self.failures = 0;
        self.next_at = Some(core.now.mono + Duration::from_secs(u64::from(refresh_s)));
        self.change(TrunkState::Registered { expires_s }, core);
    }

    /// The seconds it gave the contact that is ours, else those of Expires, else those we asked for (§10.2.4).
    fn granted(&self, response: &Response, core: &Core) -> u32 {
        let flow = self.request.and_then(|request| core.flow_of(request));
        let ours = flow.map(|flow| core.contact(flow, &self.user()).uri);
        let contacts = response.headers.contacts().unwrap_or_default();
        let own = contacts.iter().find(|contact| {
            ours.as_ref().is_some_and(|ours| ours.host == contact.uri.host && ours.port == contact.uri.port)
        });
        let only = if contacts.len() == 1 { contacts.first() } else { None };
        let param = own.or(only).and_then(|contact| contact.params.get("expires")?.parse().ok());
        param.or(response.headers.expires().ok().flatten()).unwrap_or(self.expires_s)
    }

    /// `after`: what Retry-After says, seconds.
    fn failed(&mut self, code: u16, reason: &str, after: Option<u32>, core: &mut Core) {
        let doubled = RETRY_S.saturating_mul(1 << self.failures.min(6)).min(RETRY_S_MAX);
        // Half of it at random, so that many boxes do not come back at once (RFC 5626 §4.5).
        let spread = doubled / 2 + core.rng.below(u64::from(doubled / 2) + 1) as u32;
        let retry_s = after.map_or(spread, |after| after.clamp(1, RETRY_S_MAX));
        self.failures += 1;
        self.request = None;
        self.next_at = Some(core.now.mono + Duration::from_secs(u64::from(retry_s)));
        self.change(TrunkState::Failed { code, reason: reason.to_owned(), retry_s }, core);
    }

    fn change(&mut self, state: TrunkState, core: &mut Core) {
        // A refresh is no news.
        if self.state != state {
            self.state = state.clone();
            core.tell(Event::TrunkState { trunk: self.config.name.clone(), state });
        }
    }

    /// REGISTER without CSeq.
    fn request(&self, expires_s: u32) -> Request {
        let address = &self.config.address;
        let domain = Uri { user: None, password: None, headers: Vec::new(), ..address.clone() };
        let mut aor = Uri::sip(&self.user(), address.host.clone(), None);
        aor.scheme = address.scheme.clone();
        let aor = NameAddr::new(aor);
        let mut request = Request::new(Method::Register, domain);
        request.headers.push(HeaderName::MaxForwards, MAX_FORWARDS);
        request.headers.push(HeaderName::From, aor.clone().with_tag(&self.tag));
        request.headers.push(HeaderName::To, aor);
        request.headers.push(HeaderName::CallId, self.call_id.as_str());
        request.headers.push(HeaderName::Expires, expires_s);
        request
    }

    /// Whom we register as, and the user part of our Contact.
    fn user(&self) -> String {
        let own = || self.config.address.user_decoded().into_owned();
        self.config.username.clone().unwrap_or_else(own)
    }
}
