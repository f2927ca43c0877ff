//! Where log lines go, which, and how they look.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Our crates, by the short names people write in a filter.
const CRATES: [&str; 13] = [
    "api",
    "appliance",
    "base",
    "call",
    "config",
    "media",
    "net",
    "sim",
    "sip",
    "speech",
    "store",
    "telemetry",
    "twiml",
];

/// A log filter that says nothing to us.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{filter}` is no log filter: {reason}; write a level (error, warn, info, debug, trace) or info,sip=debug"
)]
pub struct FilterError {
    filter: String,
    reason: String,
}

/// Begins to log to standard error, one JSON object a line or as text for people.
///
/// `filter` is a level, or levels by part of the box: `info,sip=debug,net::webhook=trace`. A second call changes
/// nothing: the first one to come speaks for the process.
pub fn init(filter: &str, json: bool) -> Result<(), FilterError> {
    let filter = parse(filter)?;
    let registry = tracing_subscriber::registry().with(filter);
    let to_stderr = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let result = if json {
        registry.with(to_stderr.json().flatten_event(true)).try_init()
    } else {
        registry.with(to_stderr.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))).try_init()
    };
    if result.is_err() {
        tracing::debug!("logging was already set up");
    }
    Ok(())
}

/// Whether [`init`] would take a filter, for checking a configuration.
pub fn check_filter(filter: &str) -> Result<(), FilterError> {
    parse(filter).map(drop)
}

fn parse(filter: &str) -> Result<EnvFilter, FilterError> {
    let error = |reason: String| FilterError { filter: filter.chars().take(200).collect(), reason };
    if filter.trim().is_empty() {
        return Err(error("it is empty".to_owned()));
    }
    EnvFilter::builder().parse(expand(filter)).map_err(|reason| error(reason.to_string()))
}

/// Gives our crates their full names: a log line's target is `tandem_sip::…`, but people write `sip`.
fn expand(filter: &str) -> String {
    let directives = filter.split(',').map(|directive| {
        let directive = directive.trim();
        let name_len = directive.find(['=', ':', '[']).unwrap_or(directive.len());
        let name = &directive[..name_len];
        if CRATES.contains(&name) { format!("tandem_{directive}") } else { directive.to_owned() }
    });
    directives.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_become_targets() {
        for (filter, expanded) in [
            ("info", "info"),
            ("info,sip=debug", "info,tandem_sip=debug"),
            ("warn, net::webhook=trace", "warn,tandem_net::webhook=trace"),
            ("call[call_sid]=debug", "tandem_call[call_sid]=debug"),
            ("sqlx=warn,sipx=info", "sqlx=warn,sipx=info"),
        ] {
            assert_eq!(expand(filter), expanded);
            assert_eq!(check_filter(filter), Ok(()), "{filter}");
        }
    }

    #[test]
    fn nonsense_is_refused_with_what_would_be_right() {
        for filter in ["", "sip=loud", "info,=debug=x"] {
            let error = check_filter(filter).unwrap_err().to_string();
            assert!(error.contains("write a level"), "{error}");
        }
    }
}
