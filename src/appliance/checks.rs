//! `tandem check`: what is wrong, where, and what would be right.

use std::path::Path;
use std::process::ExitCode;

use base::Rng;
use twiml::Source;

use crate::tables::say;

/// Validates the configuration and everything it names that can be looked at without starting.
pub(crate) fn check(file: Option<&Path>, state: Option<&Path>) -> anyhow::Result<ExitCode> {
    let config = crate::cli::load(file, state)?;
    let mut findings: Vec<String> = config.warnings.iter().map(ToString::to_string).collect();
    let mut broken = false;
    for number in config.office.numbers.values() {
        let text = match &number.application.voice {
            Source::Inline(text) => Some((format!("number {}", number.number), text.clone())),
            Source::Url { url, .. } => match url.strip_prefix("file://") {
                Some(path) => match std::fs::read_to_string(path) {
                    Ok(text) => Some((path.to_owned(), text)),
                    Err(error) => {
                        broken = true;
                        findings.push(format!("number {}: {path} cannot be read: {error}", number.number));
                        None
                    }
                },
                None => None,
            },
        };
        for finding in text.iter().flat_map(|(_, text)| twiml::lint_dialect(text, number.application.dialect))
        {
            let place = text.as_ref().map(|(place, _)| place.as_str()).unwrap_or_default();
            broken |= finding.level == twiml::Level::Error;
            findings.push(format!("{place}:{finding}"));
        }
    }
    for (what, error) in refused_sockets(&config) {
        findings.push(format!("{what} cannot be opened: {error} (right if the box is running)"));
    }
    for finding in &findings {
        say(&format!("{finding}\n"));
    }
    if broken {
        return Ok(ExitCode::FAILURE);
    }
    let office = &config.office;
    say(&format!(
        "{}: ok, {} phones, {} trunks, {} numbers, {} routes\n",
        config.file.display(),
        office.phones.len(),
        office.trunks.len(),
        office.numbers.len(),
        office.routes.len()
    ));
    Ok(ExitCode::SUCCESS)
}

/// The listeners that cannot be opened now.
fn refused_sockets(config: &config::Config) -> Vec<(String, std::io::Error)> {
    let mut refused = Vec::new();
    for (transport, address) in &config.sip.listen {
        let result = match transport {
            sip::TransportKind::Udp => std::net::UdpSocket::bind(address).map(drop),
            _ => std::net::TcpListener::bind(address).map(drop),
        };
        if let Err(error) = result {
            refused.push((format!("{transport}:{address}"), error));
        }
    }
    if let Err(error) = std::net::TcpListener::bind(config.http.listen) {
        refused.push((format!("http {}", config.http.listen), error));
    }
    refused
}

/// Randomness for credentials.
pub(crate) fn rng() -> anyhow::Result<Rng> {
    Ok(Rng::from_entropy(crate::daemon::entropy()?))
}
