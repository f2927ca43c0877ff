//! How web servers and media streams are reached, as the configuration says.

use anyhow::Context as _;
use config::WebhooksConfig;
use net::webhook::{Destinations, Trust, WebhookConfig};

/// What both clients take.
pub(crate) struct WebAccess {
    pub(crate) user_agent: String,
    pub(crate) trust: Trust,
    pub(crate) destinations: Destinations,
}

impl WebAccess {
    /// Reads the file of authorities, if one is named.
    pub(crate) fn of(config: &WebhooksConfig) -> anyhow::Result<Self> {
        let trust = match &config.ca_file {
            _ if !config.verify => Trust::Anyone,
            Some(file) => Trust::SystemAnd(
                std::fs::read(file)
                    .with_context(|| format!("cannot read webhooks.ca_file, {}", file.display()))?,
            ),
            None => Trust::System,
        };
        let default = Destinations::default();
        Ok(Self {
            user_agent: config.user_agent.clone().unwrap_or_else(|| WebhookConfig::USER_AGENT.to_owned()),
            trust,
            destinations: Destinations {
                allow_hosts: config.allow_hosts.clone(),
                deny_networks: config.deny_networks.clone().unwrap_or(default.deny_networks),
                ..default
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> WebhooksConfig {
        WebhooksConfig {
            user_agent: None,
            ca_file: None,
            verify: true,
            allow_hosts: Vec::new(),
            deny_networks: None,
            signing_key: None,
        }
    }

    #[test]
    fn what_is_not_said_is_as_safe_as_can_be() {
        let web = WebAccess::of(&config()).unwrap();
        assert_eq!(web.user_agent, WebhookConfig::USER_AGENT);
        assert!(matches!(web.trust, Trust::System));
        assert_eq!(web.destinations.deny_networks, Destinations::default().deny_networks);
    }

    #[test]
    fn authorities_are_believed_besides_the_systems_and_nobody_need_be() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "PEM").unwrap();
        let named = WebhooksConfig { ca_file: Some(file.path().to_owned()), ..config() };
        let trust = WebAccess::of(&named).unwrap().trust;
        assert!(matches!(trust, Trust::SystemAnd(pem) if pem == b"PEM"));
        let anyone = WebhooksConfig { verify: false, ..named };
        assert!(matches!(WebAccess::of(&anyone).unwrap().trust, Trust::Anyone));
        let missing = WebhooksConfig { ca_file: Some("/nowhere/ca.pem".into()), ..config() };
        let told = WebAccess::of(&missing).err().unwrap().to_string();
        assert!(told.contains("webhooks.ca_file"), "{told}");
    }
}
