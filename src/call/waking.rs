//! Phones that register while a `<Dial>` rings: one that sleeps is waited for when somebody was told to wake it
//! (`clientNotificationUrl`), or when the box has just started and the phone was there before (`call::phones`), and every
//! device that comes meanwhile rings along (reference: twiml-voice §10.2, §10.3).
//! A call that was asked for from outside waits for its phone likewise (reference: rest-voice §5.1).

use sip::Binding;
use twiml::{ClientNoun, Noun};

use crate::call::Call;
use crate::ctx::Ctx;
use crate::fault::NOT_REGISTERED;
use crate::originate::{Refusal, device, phone_of};
use crate::route::Who;

/// Devices of one phone that ring for one dial; one that registers ever new addresses rings no further.
const DEVICES_MAX: usize = 32;

/// A phone that is dialled, as long as nobody has answered.
#[derive(Clone, Debug)]
pub(crate) struct Waking {
    pub(crate) noun: Noun,
    phone: String,
    /// Somebody was told to wake it, or it is about to come by itself.
    woken: bool,
    /// Where it rings.
    rung: Vec<Binding>,
}

impl Waking {
    /// The phone the noun means, if the office has it.
    pub(crate) fn of(noun: &Noun, dialler: &Who, ctx: &Ctx<'_>) -> Option<Self> {
        let phone = phone_of(noun, dialler, ctx).filter(|phone| ctx.office.phones.contains_key(phone))?;
        let woken = matches!(noun, Noun::Client(ClientNoun { notification_url: Some(_), .. }))
            || ctx.shared.returning.expects(&phone, ctx.now);
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
            .take(DEVICES_MAX.saturating_sub(self.rung.len()))
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

impl Call {
    /// The phone this call was waiting for has registered: it is called, at the device that came first.
    pub(crate) fn awake(&mut self, phone: &str, ctx: &mut Ctx<'_>) {
        let Some(outbound) = &mut self.outbound else { return };
        if outbound.asleep.as_deref() != Some(phone) {
            return;
        }
        outbound.asleep = None;
        outbound.ways = ctx
            .shared
            .endpoint
            .contacts_of(phone)
            .into_iter()
            .map(|contact| device(phone, contact))
            .collect();
        let first = outbound.ways.first();
        self.leg.peer = first.and_then(|way| way.peer);
        self.row.phone = first.and_then(|way| way.phone.clone());
        // If it is its turn: otherwise it rings then.
        if outbound.waiting.is_none() {
            let near = outbound.near;
            self.open_media(near, ctx);
        }
    }
}

#[cfg(test)]
mod tests {
    use base::Mono;
    use sip::{Flow, Params, TransportKind};
    use twiml::{ClientNoun, HttpMethod};

    use super::*;

    fn contact(n: usize) -> Binding {
        let addr = ([192, 0, 2, 1], 5060).into();
        Binding {
            user: "ann".to_owned(),
            contact: format!("sip:ann{n}@192.0.2.2").parse().unwrap(),
            params: Params::default(),
            flow: Flow { transport: TransportKind::Udp, local: addr, remote: addr },
            path: Vec::new(),
            expires_at: Mono::default(),
            q: 1000,
            call_id: String::new(),
            cseq: 1,
            user_agent: None,
            instance: None,
            reg_id: None,
        }
    }

    #[test]
    fn one_dial_does_not_ring_at_ever_new_addresses() {
        let noun = Noun::Client(ClientNoun {
            identity: "ann".to_owned(),
            parameters: Vec::new(),
            url: None,
            method: HttpMethod::Post,
            status_callback: None,
            notification_url: None,
        });
        let mut waking = Waking { noun, phone: "ann".to_owned(), woken: true, rung: vec![contact(0)] };
        assert!(waking.take_new(&[contact(0)]).is_empty());
        let rung: usize = (1..100).map(|n| waking.take_new(&[contact(n)]).len()).sum();
        assert_eq!(rung, DEVICES_MAX - 1);
        let mut asleep = Waking { rung: Vec::new(), ..waking };
        let all: Vec<Binding> = (0..100).map(contact).collect();
        assert_eq!(asleep.take_new(&all).len(), DEVICES_MAX);
    }
}
