//! What a reload changes, and what of it waits for a restart.

use std::collections::BTreeMap;

use crate::Config;

/// One difference between two configurations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The section or key, with the name of what it is about: `phone ann`, `sip.listen`.
    pub what: String,
    /// Whether it holds only after a restart.
    pub needs_restart: bool,
}

impl Config {
    /// What differs in `new`, in the order of the file. No value is named: it may be a secret.
    pub fn changes(&self, new: &Config) -> Vec<Change> {
        let mut changes = Vec::new();
        let mut note = |what: &str, differs: bool, needs_restart: bool| {
            if differs {
                changes.push(Change { what: what.to_owned(), needs_restart });
            }
        };
        let (office, other) = (&self.office, &new.office);
        note("box.name", office.name != other.name, false);
        note("box.state", self.state != new.state, true);
        note("box.account_sid", office.account_sid != other.account_sid, true);
        note("box.auth_token", self.auth_token != new.auth_token, true);
        note("sip.listen", self.sip.listen != new.sip.listen, true);
        note("sip.domain", office.domain != other.domain, false);
        note("sip.emergency", office.emergency_numbers != other.emergency_numbers, false);
        note("sip.caller_ids", self.caller_ids != new.caller_ids, false);
        note("media.address", self.media.address != new.media.address, true);
        note("media.ports", self.media.ports != new.media.ports, true);
        note("media.threads", self.media.threads != new.media.threads, false);
        note("media", office.media != other.media, false);
        note("recording.min_free_mb", self.recordings_free_min != new.recordings_free_min, true);
        note("recording.open", self.recordings_open != new.recordings_open, true);
        note("retention", self.retention != new.retention, true);
        note("http.listen", self.http.listen != new.http.listen, true);
        let limits = |http: &crate::HttpConfig| (http.requests_per_second, http.requests_at_once);
        note("http.requests", limits(&self.http) != limits(&new.http), true);
        let grace = |http: &crate::HttpConfig| http.desktop_grace_s;
        note("http.desktop_grace_s", grace(&self.http) != grace(&new.http), true);
        note("http.trusted_proxies", self.http.trusted_proxies != new.http.trusted_proxies, true);
        note("http.public_url", self.http.public_url != new.http.public_url, true);
        note("webhooks", self.webhooks != new.webhooks, true);
        note("http.balance_url", self.http.balance_url != new.http.balance_url, true);
        note("store.url", self.store_url != new.store_url, true);
        note("speech", self.speech != new.speech, true);
        note("limits", office.limits != other.limits, false);
        note("log", self.log != new.log, true);
        entries(&mut changes, "phone", &office.phones, &other.phones);
        entries(&mut changes, "trunk", &office.trunks, &other.trunks);
        entries(&mut changes, "siprec", &office.recorders, &other.recorders);
        if office.agents != other.agents {
            changes.push(Change { what: "agents".to_owned(), needs_restart: false });
        }
        entries(&mut changes, "number", &office.numbers, &other.numbers);
        entries(&mut changes, "application", &office.applications, &other.applications);
        if office.routes != other.routes {
            changes.push(Change { what: "route".to_owned(), needs_restart: false });
        }
        changes
    }
}

fn entries<T: PartialEq>(
    changes: &mut Vec<Change>,
    section: &str,
    old: &BTreeMap<String, T>,
    new: &BTreeMap<String, T>,
) {
    let gone = old.keys().filter(|name| !new.contains_key(*name));
    let other = new.iter().filter(|(name, entry)| old.get(*name) != Some(entry)).map(|(name, _)| name);
    changes.extend(
        gone.chain(other).map(|name| Change { what: format!("{section} {name}"), needs_restart: false }),
    );
}

#[cfg(test)]
mod tests {
    use crate::tests::config;

    #[test]
    fn a_reload_names_what_differs_and_never_a_value() {
        let old =
            config("[[phone]]\nname='ann'\npassword='secret'\n[[phone]]\nname='bob'\npassword='secret'");
        let new = config(
            "[sip]\nlisten='udp:127.0.0.1:5099'\n[[phone]]\nname='ann'\npassword='better'\n\
             [[phone]]\nname='eve'\npassword='secret'",
        );
        let changes: Vec<_> =
            old.changes(&new).into_iter().map(|change| (change.what, change.needs_restart)).collect();
        let expected =
            [("sip.listen", true), ("phone bob", false), ("phone ann", false), ("phone eve", false)];
        assert_eq!(changes, expected.map(|(what, restart)| (what.to_owned(), restart)));
        assert_eq!(old.changes(&old), []);
    }
}
