//! Phones that register while a `<Dial>` rings: one that sleeps is waited for when somebody was told to wake it
//! (`clientNotificationUrl`), and every device that comes meanwhile rings along (reference: twiml-voice §10.2, §10.3).

use sip::Binding;
use twiml::{ClientNoun, Noun};

use crate::ctx::Ctx;
use crate::fault::NOT_REGISTERED;
use crate::originate::{Refusal, phone_of};
use crate::route::Who;

/// A phone that is dialled, as long as nobody has answered.
#[derive(Clone, Debug)]
pub(crate) struct Waking {
    pub(crate) noun: Noun,
    phone: String,
    /// Somebody was told to wake it.
    woken: bool,
    /// Where it rings.
    rung: Vec<Binding>,
}

impl Waking {
    /// The phone the noun means, if the office has it.
    pub(crate) fn of(noun: &Noun, dialler: &Who, ctx: &Ctx<'_>) -> Option<Self> {
        let phone = phone_of(noun, dialler, ctx).filter(|phone| ctx.office.phones.contains_key(phone))?;
        let woken = matches!(noun, Noun::Client(ClientNoun { notification_url: Some(_), .. }));
        let rung = ctx.shared.endpoint.contacts_of(&phone);
        Some(Self { noun: noun.clone(), phone, woken, rung })
    }

    pub(crate) fn is_of(&self, phone: &str) -> bool {
        self.phone == phone
    }

    /// Whether the dial rings for it alone, too.
    pub(crate) fn is_waited_for(&self) -> bool {
        self.woken && self.rung.is_empty()
    }

    /// Where it does not ring yet; from now on it does.
    pub(crate) fn take_new(&mut self, contacts: &[Binding]) -> Vec<Binding> {
        let new: Vec<Binding> = contacts
            .iter()
            .filter(|contact| !self.rung.iter().any(|rung| rung.is_same(contact)))
            .cloned()
            .collect();
        self.rung.extend(new.iter().cloned());
        new
    }

    /// What is told when it never came.
    pub(crate) fn in_vain(&self) -> Refusal {
        let message = format!("the phone `{}` did not register when it was called", self.phone);
        Refusal { code: NOT_REGISTERED, message, sip_code: 480 }
    }
}
