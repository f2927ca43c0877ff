//! Where phones are registered, written down: a box that starts again rings them before they register anew.
//!
//! What cannot be reached without the connection it came over, the registrar does not take up again
//! ([`sip::Registrar::restore`]); such phones come back by themselves. Until they had time to, whoever dials one hears it
//! ring ([`Returning`]), and of workers any phone is waited for ([`Node::may_still_come`]).

use std::collections::BTreeSet;
use std::time::Duration;

use base::{Mono, Now};

use crate::io::Output;
use crate::node::Node;
use crate::record::{RegistrationRow, StoreItem};

/// How long phones whose connection went with the box may take to come back (RFC 5626 §4.5: most try within a minute).
const RETURN: Duration = Duration::from_secs(120);

/// Phones that were registered when the box stopped, over connections that went with it, and are not back yet.
#[derive(Clone, Debug, Default)]
pub(crate) struct Returning {
    /// Of those the office has.
    phones: BTreeSet<String>,
    /// When none of them is waited for any more.
    until: Mono,
}

impl Returning {
    /// Whether a phone that is not registered is about to be.
    pub(crate) fn expects(&self, phone: &str, now: Now) -> bool {
        now.mono < self.until && self.phones.contains(phone)
    }

    /// A phone has registered: from now on it is as it says.
    pub(crate) fn is_back(&mut self, phone: &str) {
        self.phones.remove(phone);
    }
}

impl Node {
    /// Where phones were registered when the box stopped, before the first input. Phones the office has no more are not
    /// taken up.
    pub fn restore_registrations(&mut self, rows: Vec<RegistrationRow>, now: Now) {
        let known = |row: &RegistrationRow| self.office.phones.contains_key(&row.phone);
        let rows: Vec<_> = rows.into_iter().filter(known).collect();
        for row in rows {
            let phone = row.phone.clone();
            let mut contacts = row.at(now);
            contacts.retain(|contact| contact.user == phone);
            self.shared.endpoint.restore_contacts(contacts, now);
            if self.shared.endpoint.contacts_of(&phone).is_empty() {
                self.shared.returning.phones.insert(phone);
            }
        }
        self.shared.returning.until = self.started + RETURN;
    }

    pub(crate) fn keep_contacts(&mut self, phone: String, now: Now) {
        let contacts = self.shared.endpoint.contacts_of(&phone);
        let row = RegistrationRow { phone, contacts, written: now };
        self.shared.outputs.push_back(Output::Store(StoreItem::Registration(row)));
    }

    /// Whether the box started so recently that a phone which is not registered may be about to.
    pub(crate) fn may_still_come(&self, now: Now) -> bool {
        now.mono.since(self.started) < RETURN
    }
}
