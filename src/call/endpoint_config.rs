//! What the SIP endpoint has to know of the office.

use std::collections::BTreeMap;

use sip::{EndpointConfig, EndpointLimits, TrunkConfig, UserCredentials};

use crate::office::{Office, Phone, Secret, Trunk};

impl Office {
    /// The part of the configuration that concerns SIP alone.
    pub(crate) fn endpoint_config(&self, user_agent: &str) -> EndpointConfig {
        EndpointConfig {
            realm: self.realm.clone(),
            domains: self.served_domains(),
            user_agent: user_agent.to_owned(),
            listen: self.listen.clone(),
            addresses: self.addresses.clone(),
            trunks: self.trunks.values().filter_map(trunk).chain(self.peers()).collect(),
            users: self.phones.values().map(user).collect::<BTreeMap<_, _>>(),
            callers_only: self.callers_only(),
            extensions: Vec::new(),
            limits: EndpointLimits { sessions_max: self.sessions_max(), ..EndpointLimits::default() },
        }
    }

    /// Without a domain of its own the box answers to any; further ones then narrow nothing.
    fn served_domains(&self) -> Vec<String> {
        let own = self.domain.iter().map(|domain| domain.to_ascii_lowercase());
        match &self.domain {
            Some(_) => own.chain(self.domains.keys().cloned()).collect(),
            None => Vec::new(),
        }
    }

    /// Whoever may call in a domain without a password comes in as a trunk of the domain's name; none leads out.
    fn peers(&self) -> impl Iterator<Item = TrunkConfig> {
        let with_sources = self.domains.iter().filter(|(_, domain)| !domain.sources.is_empty());
        with_sources.filter_map(|(name, domain)| {
            Some(TrunkConfig {
                name: name.clone(),
                address: format!("sip:{name}").parse().ok()?,
                accept_from: domain.sources.clone(),
                username: None,
                password: None,
                register: false,
            })
        })
    }
}

impl Office {
    /// A call, and with recorders a recording session of each.
    fn sessions_max(&self) -> usize {
        let each = if self.recorders.is_empty() { 1 } else { 2 };
        self.limits.calls_max.saturating_mul(each).saturating_add(EMERGENCY_SESSIONS)
    }
}

/// Room above the office's own limit, so that an emergency call gets in and out of a full box.
const EMERGENCY_SESSIONS: usize = 32;

/// A trunk whose address does not parse is left out: `config` lets none through.
fn trunk(trunk: &Trunk) -> Option<TrunkConfig> {
    Some(TrunkConfig {
        name: trunk.name.clone(),
        address: trunk.address.parse().ok()?,
        accept_from: trunk.accept_from.clone(),
        username: trunk.username.clone(),
        password: trunk.password.as_ref().map(|password| Secret::reveal(password).to_owned()),
        register: trunk.register,
    })
}

fn user(phone: &Phone) -> (String, UserCredentials) {
    let credentials = UserCredentials {
        ha1_md5: phone.ha1_md5.reveal().to_owned(),
        ha1_sha256: phone.ha1_sha256.reveal().to_owned(),
    };
    (phone.name.clone(), credentials)
}
