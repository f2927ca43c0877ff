//! As typed to valid by type: how web servers are asked (reference: webhooks §1, §5.6, twiml-voice §1.1).

use std::path::{Path, PathBuf};

use call::office::Secret;
use sip::IpNet;

use crate::raw::WebhookKeys;
use crate::resolve::Findings;

/// How web servers are asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhooksConfig {
    /// The `User-Agent` header; `None`: the box's own.
    pub user_agent: Option<String>,
    /// Authorities that are believed besides the system's, a PEM file.
    pub ca_file: Option<PathBuf>,
    /// Whether a server over https must prove who it is.
    pub verify: bool,
    /// Hosts that may be asked; empty: any.
    pub allow_hosts: Vec<String>,
    /// Networks that are never connected to; `None`: those that are never a user's web server's.
    pub deny_networks: Option<Vec<IpNet>>,
    /// What signs requests in place of the account's token.
    pub signing_key: Option<SigningKeyConfig>,
}

/// A key that receivers know by its name (reference: webhooks §5.6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningKeyConfig {
    /// Its name.
    pub id: String,
    /// The key.
    pub key: Secret,
    /// HMAC with SHA-256 instead of SHA-1.
    pub sha256: bool,
}

pub(crate) fn webhooks(keys: &WebhookKeys, directory: &Path, found: &mut Findings) -> WebhooksConfig {
    let printable = |text: &String| {
        let fits = !text.is_empty() && text.bytes().all(|b| (b' '..=b'~').contains(&b));
        fits.then(|| text.clone()).ok_or_else(|| "must be printable ASCII.".to_owned())
    };
    WebhooksConfig {
        user_agent: found.read("webhooks.user_agent", keys.user_agent.as_ref(), printable),
        ca_file: keys.ca_file.as_ref().map(|file| directory.join(&file.value)),
        verify: keys.verify.as_ref().is_none_or(|on| on.value),
        allow_hosts: found
            .read("webhooks.allow_hosts", keys.allow_hosts.as_ref(), |hosts| {
                hosts.iter().map(|host| pattern(host)).collect::<Result<Vec<_>, _>>()
            })
            .unwrap_or_default(),
        deny_networks: found.read("webhooks.deny_networks", keys.deny_networks.as_ref(), |networks| {
            let network = |text: &String| {
                let wrong = || format!("`{text}` must be an address or a range, as 169.254.0.0/16.");
                text.parse::<IpNet>().map_err(|_| wrong())
            };
            networks.iter().map(network).collect::<Result<Vec<_>, _>>()
        }),
        signing_key: signing_key(keys, found),
    }
}

fn pattern(host: &str) -> Result<String, String> {
    let fits = !host.is_empty() && !host.contains(['/', ' ', '@']);
    let wrong =
        || format!("`{host}` must be a host's name or address, as crm.office.example or *.example.com.");
    fits.then(|| host.to_ascii_lowercase()).ok_or_else(wrong)
}

fn signing_key(keys: &WebhookKeys, found: &mut Findings) -> Option<SigningKeyConfig> {
    let sha256 = found.read("webhooks.signing_algorithm", keys.signing_algorithm.as_ref(), |text| match text
        .as_str()
    {
        "HMAC_SHA1" => Ok(false),
        "HMAC_SHA256" => Ok(true),
        _ => Err(format!("`{text}` must be HMAC_SHA1 or HMAC_SHA256.")),
    });
    let id = found.read("webhooks.signing_key_id", keys.signing_key_id.as_ref(), |id| {
        let fits = !id.is_empty() && id.bytes().all(|b| b.is_ascii_graphic() && !b",=".contains(&b));
        fits.then(|| id.clone()).ok_or_else(|| "must be printable, without a comma or `=`.".to_owned())
    });
    match (id, keys.signing_key.as_ref(), &keys.signing_key_id) {
        (Some(id), Some(key), _) if !key.value.reveal().is_empty() => {
            Some(SigningKeyConfig { id, key: key.value.clone(), sha256: sha256.unwrap_or(false) })
        }
        (_, Some(key), None) => {
            found.error(
                &key.span,
                "webhooks.signing_key",
                "needs a `signing_key_id`, by which receivers know it.",
            );
            None
        }
        (_, Some(key), Some(_)) if key.value.reveal().is_empty() => {
            found.error(&key.span, "webhooks.signing_key", "is empty.");
            None
        }
        (_, None, Some(id)) => {
            found.error(&id.span, "webhooks.signing_key_id", "needs a `signing_key`.");
            None
        }
        (_, _, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::tests::{config, resolved};

    #[test]
    fn nothing_said_believes_the_system_and_asks_anybody() {
        let web = config("").webhooks;
        assert!(web.verify && web.allow_hosts.is_empty());
        assert_eq!(
            (web.user_agent, web.ca_file, web.deny_networks, web.signing_key),
            (None, None, None, None)
        );
    }

    #[test]
    fn everything_can_be_said() {
        let web = config(
            "[webhooks]\nuser_agent = 'TwilioProxy/1.1'\nca_file = 'office-ca.pem'\nverify = false\n\
             allow_hosts = ['CRM.office.example', '*.example.com']\ndeny_networks = ['10.0.0.0/8']\n\
             signing_key_id = 'desk'\nsigning_key = 'hush'\nsigning_algorithm = 'HMAC_SHA256'",
        )
        .webhooks;
        assert_eq!(web.user_agent.as_deref(), Some("TwilioProxy/1.1"));
        assert!(web.ca_file.is_some_and(|file| file.ends_with("office-ca.pem")) && !web.verify);
        assert_eq!(web.allow_hosts, ["crm.office.example", "*.example.com"]);
        assert_eq!(web.deny_networks, Some(vec!["10.0.0.0/8".parse().unwrap()]));
        let key = web.signing_key.unwrap();
        assert_eq!((key.id.as_str(), key.key.reveal(), key.sha256), ("desk", "hush", true));
    }

    #[test]
    fn what_cannot_be_is_said() {
        for (text, told) in [
            ("user_agent = ''", "user_agent"),
            ("allow_hosts = ['http://h/']", "allow_hosts"),
            ("deny_networks = ['all']", "deny_networks"),
            ("signing_algorithm = 'md5'", "signing_algorithm"),
            ("signing_key = 'hush'", "needs a `signing_key_id`"),
            ("signing_key_id = 'desk'", "needs a `signing_key`"),
            ("signing_key_id = 'a,b'\nsigning_key = 'hush'", "signing_key_id"),
            ("signing_key_id = 'desk'\nsigning_key = ''", "is empty"),
        ] {
            let errors = resolved(&format!("[webhooks]\n{text}")).unwrap_err();
            assert_eq!(errors.len(), 1, "{text}: {errors:?}");
            assert!(errors[0].to_string().contains(told), "{text}: {errors:?}");
        }
    }
}
