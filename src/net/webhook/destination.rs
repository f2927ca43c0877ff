//! Where requests may go (reference: webhooks §1, note on forged requests).
//!
//! A box in an office must reach private addresses, so only what is never a user's web server is denied unless
//! configured otherwise: link-local addresses and the metadata services of clouds, which hand out credentials.

use std::net::{IpAddr, SocketAddr};

use sip::IpNet;
use twiml::FetchFailure;
use url::{Host, Url};

use super::failure::{CONNECT_FAILED, failure};

/// Which hosts and addresses requests may go to.
#[derive(Clone, Debug)]
pub struct Destinations {
    /// Hosts that may be asked, by name or address, lower case; `*.example.com` names every host below
    /// example.com. Empty: any.
    pub allow_hosts: Vec<String>,
    /// Networks that are never connected to, whatever name led there.
    pub deny_networks: Vec<IpNet>,
    /// Single services that are never connected to, such as the box's own administration.
    pub deny_services: Vec<SocketAddr>,
}

impl Default for Destinations {
    fn default() -> Self {
        /// Link-local (RFC 3927, RFC 4291) and the metadata addresses outside of it.
        const DENIED: [&str; 5] =
            ["169.254.0.0/16", "fe80::/10", "fd00:ec2::254", "100.100.100.200", "192.0.0.192"];
        Self {
            allow_hosts: Vec::new(),
            deny_networks: DENIED
                .iter()
                .map(|text| text.parse().expect("the networks above are written correctly"))
                .collect(),
            deny_services: Vec::new(),
        }
    }
}

impl Destinations {
    /// Whether a URL's host may be asked; a name's addresses are judged once it is resolved.
    pub(crate) fn check(&self, url: &Url) -> Result<(), FetchFailure> {
        let allowed = self.allow_hosts.is_empty()
            || url.host_str().is_some_and(|host| self.allow_hosts.iter().any(|pattern| fits(pattern, host)));
        if !allowed {
            return Err(denied(url.host_str().unwrap_or_default()));
        }
        let port = url.port_or_known_default().unwrap_or_default();
        match url.host() {
            Some(Host::Ipv4(ip)) if !self.permits(ip.into(), port) => Err(denied(&ip.to_string())),
            Some(Host::Ipv6(ip)) if !self.permits(ip.into(), port) => Err(denied(&ip.to_string())),
            Some(Host::Ipv4(_) | Host::Ipv6(_) | Host::Domain(_)) | None => Ok(()),
        }
    }

    /// Whether an address may be connected to.
    pub(crate) fn permits(&self, ip: IpAddr, port: u16) -> bool {
        let ip = ip.to_canonical();
        let service = |denied: &SocketAddr| denied.ip().to_canonical() == ip && denied.port() == port;
        !self.deny_networks.iter().any(|network| network.contains(ip))
            && !self.deny_services.iter().any(service)
    }
}

/// What is told of a destination that is not permitted.
pub(super) fn denied(host: &str) -> FetchFailure {
    failure(CONNECT_FAILED, format!("requests to {host} are not permitted"))
}

fn fits(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix('*') {
        Some(tail) => tail.starts_with('.') && host.len() > tail.len() && host.ends_with(tail),
        None => pattern == host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_denied_and_the_office_is_not() {
        let destinations = Destinations {
            deny_services: vec!["127.0.0.1:8081".parse().unwrap()],
            ..Destinations::default()
        };
        for (url, permitted) in [
            ("http://169.254.169.254/latest/meta-data/", false),
            ("http://[fe80::1]/", false),
            ("http://[::ffff:169.254.169.254]/", false),
            ("http://2852039166/", false),
            ("http://[fd00:ec2::254]/", false),
            ("http://127.0.0.1:8081/", false),
            ("http://127.0.0.1:8080/", true),
            ("http://192.168.1.5/voice", true),
            ("http://localhost/voice", true),
        ] {
            let result = destinations.check(&url.parse().unwrap());
            assert_eq!(result.is_ok(), permitted, "{url}");
            assert!(result.err().is_none_or(|failure| failure.code == 11205));
        }
    }

    #[test]
    fn hosts_can_be_restricted() {
        let allow_hosts = vec!["crm.office.example".to_owned(), "*.example.com".to_owned()];
        let destinations = Destinations { allow_hosts, ..Destinations::default() };
        for (url, permitted) in [
            ("https://crm.office.example/x", true),
            ("https://CRM.office.example/x", true),
            ("https://a.example.com/", true),
            ("https://example.com/", false),
            ("https://badexample.com/", false),
            ("https://10.0.0.1/", false),
        ] {
            assert_eq!(destinations.check(&url.parse().unwrap()).is_ok(), permitted, "{url}");
        }
    }
}
