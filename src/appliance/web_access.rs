//! How web servers and media streams are reached, as the configuration says.

use std::path::Path;

use anyhow::Context as _;
use call::office::Secret;
use config::{Config, WebhooksConfig};
use net::webhook::{Destinations, OwnRecordings, SharedKey, Signer, Trust, WebhookConfig};

/// What both clients take.
pub(crate) struct WebAccess {
    pub(crate) signer: Signer,
    pub(crate) user_agent: String,
    pub(crate) trust: Trust,
    pub(crate) destinations: Destinations,
}

impl WebAccess {
    /// How web servers are asked by the box with this configuration, and by whoever tries a document for it.
    pub(crate) fn webhooks(config: &Config) -> anyhow::Result<WebhookConfig> {
        let Self { signer, user_agent, trust, destinations } =
            Self::of(&config.auth_token, &config.webhooks)?;
        Ok(WebhookConfig {
            signer,
            own_recordings: Some(OwnRecordings {
                prefix: format!(
                    "{}/2010-04-01/Accounts/{}/Recordings/",
                    config.http.public_url, config.office.account_sid
                ),
                account: config.office.account_sid.to_string(),
            }),
            documents_root: config.file.parent().map(Path::to_path_buf),
            user_agent,
            trust,
            destinations,
        })
    }

    /// Reads the file of authorities, if one is named.
    pub(crate) fn of(auth_token: &Secret, config: &WebhooksConfig) -> anyhow::Result<Self> {
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
            signer: Signer {
                auth_token: auth_token.reveal().into(),
                shared_key: config.signing_key.as_ref().map(|key| SharedKey {
                    id: key.id.clone(),
                    key: key.key.reveal().into(),
                    sha256: key.sha256,
                }),
            },
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

    fn of(config: &WebhooksConfig) -> anyhow::Result<WebAccess> {
        WebAccess::of(&Secret("token".to_owned()), config)
    }

    #[test]
    fn the_configured_key_signs_beside_the_token() {
        let key = |sha256| config::SigningKeyConfig {
            id: "desk".to_owned(),
            key: Secret("hush".to_owned()),
            sha256,
        };
        for sha256 in [false, true] {
            let signer = of(&WebhooksConfig { signing_key: Some(key(sha256)), ..config() }).unwrap().signer;
            assert_eq!(signer.auth_token, "token".into());
            let shared = signer.shared_key.unwrap();
            assert_eq!((shared.id.as_str(), shared.key.as_str(), shared.sha256), ("desk", "hush", sha256));
        }
        assert_eq!(of(&config()).unwrap().signer.shared_key, None);
    }

    #[test]
    fn who_asks_and_where_requests_go_is_as_said() {
        let said = WebhooksConfig {
            user_agent: Some("Desk/1".to_owned()),
            allow_hosts: vec!["crm.office.example".to_owned()],
            deny_networks: Some(vec!["10.0.0.0/8".parse().unwrap()]),
            ..config()
        };
        let web = of(&said).unwrap();
        assert_eq!(web.user_agent, "Desk/1");
        assert_eq!(web.destinations.allow_hosts, said.allow_hosts);
        assert_eq!(Some(web.destinations.deny_networks), said.deny_networks);
    }

    #[test]
    fn what_is_not_said_is_as_safe_as_can_be() {
        let web = of(&config()).unwrap();
        assert_eq!(web.user_agent, WebhookConfig::USER_AGENT);
        assert!(matches!(web.trust, Trust::System));
        assert_eq!(web.destinations.deny_networks, Destinations::default().deny_networks);
    }

    #[test]
    fn authorities_are_believed_besides_the_systems_and_nobody_need_be() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "PEM").unwrap();
        let named = WebhooksConfig { ca_file: Some(file.path().to_owned()), ..config() };
        let trust = of(&named).unwrap().trust;
        assert!(matches!(trust, Trust::SystemAnd(pem) if pem == b"PEM"));
        let anyone = WebhooksConfig { verify: false, ..named };
        assert!(matches!(of(&anyone).unwrap().trust, Trust::Anyone));
        let missing = WebhooksConfig { ca_file: Some("/nowhere/ca.pem".into()), ..config() };
        let told = of(&missing).err().unwrap().to_string();
        assert!(told.contains("webhooks.ca_file"), "{told}");
    }
}
