//! Messages beside a call's sound, of whatever its application makes of them (reference: rest-voice §12).
//!
//! A phone has no ear for them. Whoever has subscribed to a call hears what is sent into it, while it lives.

use base::{MessageSubscriptionSid, Timestamp, UserMessageSid};
use twiml::ServiceCallback;

use crate::call::Call;
use crate::ctx::{Asked, Ctx};
use crate::service::{LiveService, ServiceFault};

/// Who listens to a call's messages, and what was sent lately.
#[derive(Clone, Debug, Default)]
pub(crate) struct UserMessages {
    subscriptions: Vec<(MessageSubscriptionSid, ServiceCallback)>,
    /// Keys that may come a second time, with what they brought the first time.
    keys: Vec<(String, LiveService)>,
}

impl Call {
    /// Tells every subscriber.
    pub(crate) fn send_message(
        &mut self,
        content: String,
        key: Option<String>,
        ctx: &mut Ctx<'_>,
    ) -> Result<LiveService, ServiceFault> {
        if let Some(known) = self.messages.known(key.as_deref(), UserMessageSid::PREFIX) {
            return Ok(known);
        }
        let sid = UserMessageSid::random(&mut ctx.shared.rng);
        for (subscription, callback) in &self.messages.subscriptions {
            let params = [
                ("AccountSid", ctx.office.account_sid.to_string()),
                ("CallSid", self.row.sid.to_string()),
                ("Content", content.clone()),
                ("DateCreated", ctx.now.wall.rfc2822()),
                ("Sid", sid.to_string()),
                ("SubscriptionSid", subscription.to_string()),
            ];
            let params = params.map(|(name, value)| (name.to_owned(), value)).to_vec();
            ctx.fetch(self.row.sid, Asked::Callback, callback.url.clone(), callback.method, params);
        }
        Ok(self.messages.keep(key, sid.to_string(), ctx.now.wall))
    }

    /// Tells what is sent from now on there too.
    pub(crate) fn subscribe(
        &mut self,
        callback: ServiceCallback,
        key: Option<String>,
        ctx: &mut Ctx<'_>,
    ) -> Result<LiveService, ServiceFault> {
        if let Some(known) = self.messages.known(key.as_deref(), MessageSubscriptionSid::PREFIX) {
            return Ok(known);
        }
        if self.messages.subscriptions.len() >= SUBSCRIPTIONS_MAX {
            let why = format!("{SUBSCRIPTIONS_MAX} subscriptions of this call exist already");
            return Err(ServiceFault::Refused { code: TOO_MANY, why });
        }
        let sid = MessageSubscriptionSid::random(&mut ctx.shared.rng);
        self.messages.subscriptions.push((sid, callback));
        Ok(self.messages.keep(key, sid.to_string(), ctx.now.wall))
    }

    /// Tells nothing there any more.
    pub(crate) fn unsubscribe(
        &mut self,
        sid: MessageSubscriptionSid,
        at: Timestamp,
    ) -> Result<LiveService, ServiceFault> {
        let before = self.messages.subscriptions.len();
        self.messages.subscriptions.retain(|(other, _)| *other != sid);
        if self.messages.subscriptions.len() == before {
            return Err(ServiceFault::NoSuchService);
        }
        let sid = sid.to_string();
        // The same request is a new one from here on.
        self.messages.keys.retain(|(_, made)| made.sid != sid);
        Ok(LiveService { sid, name: None, at })
    }
}

impl UserMessages {
    /// What a key brought before: a message and a subscription may have the same.
    fn known(&self, key: Option<&str>, prefix: &str) -> Option<LiveService> {
        let key = key?;
        let is_it = |(known, made): &&(String, LiveService)| known == key && made.sid.starts_with(prefix);
        self.keys.iter().find(is_it).map(|(_, made)| made.clone())
    }

    fn keep(&mut self, key: Option<String>, sid: String, at: Timestamp) -> LiveService {
        let made = LiveService { sid, name: None, at };
        if let Some(key) = key {
            if self.keys.len() >= KEYS_MAX {
                self.keys.remove(0);
            }
            self.keys.push((key, made.clone()));
        }
        made
    }
}

/// Subscriptions of one call.
const SUBSCRIPTIONS_MAX: usize = 16;
/// Keys of one call that are remembered.
const KEYS_MAX: usize = 64;
/// A limit is reached (reference: rest-voice §4).
const TOO_MANY: u32 = 20409;
