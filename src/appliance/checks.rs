//! `tandem check`: what is wrong, where, and what would be right.

use std::path::Path;
use std::process::ExitCode;

use base::Rng;
use config::{Book, Entry, Origin};
use twiml::Source;

use crate::tables::say;

/// Validates the configuration and everything it names that can be looked at without starting.
pub(crate) fn check(file: Option<&Path>, state: Option<&Path>) -> anyhow::Result<ExitCode> {
    let config = crate::cli::load(file, state)?;
    let mut findings: Vec<String> = config.warnings.iter().map(ToString::to_string).collect();
    let mut broken = false;
    for number in config.office.numbers.values() {
        let looked_at = match &number.application.voice {
            Source::Inline(text) => Some((
                format!("number {}", number.number),
                twiml::lint_dialect(text, number.application.dialect),
            )),
            Source::Url { url, .. } => match url.strip_prefix("file://") {
                Some(path) => match std::fs::read_to_string(path) {
                    Ok(text) => {
                        Some((path.to_owned(), twiml::lint_stored(&text, number.application.dialect)))
                    }
                    Err(error) => {
                        broken = true;
                        findings.push(format!("number {}: {path} cannot be read: {error}", number.number));
                        None
                    }
                },
                None => None,
            },
        };
        if let Some((place, told)) = looked_at {
            broken |= told.iter().any(|finding| finding.level == twiml::Level::Error);
            findings.extend(told.iter().map(|finding| finding.of(&place)));
        }
    }
    for (what, error) in refused_sockets(&config) {
        findings.push(format!("{what} cannot be opened: {error} (right if the box is running)"));
    }
    match stored(&config) {
        Ok(stored) => findings.extend(overruled(&config, stored)),
        Err(error) => findings.push(format!("what was changed over HTTP cannot be looked at: {error:#}")),
    }
    for finding in &findings {
        say(&format!("{finding}\n"));
    }
    if broken {
        return Ok(ExitCode::FAILURE);
    }
    let office = &config.office;
    say(&format!(
        "{}: ok, {}, {}, {}, {}\n",
        config.file.display(),
        counted(office.phones.len(), "phone"),
        counted(office.trunks.len(), "trunk"),
        counted(office.numbers.len(), "number"),
        counted(office.routes.len(), "route")
    ));
    Ok(ExitCode::SUCCESS)
}

fn counted(count: usize, what: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {what}{ending}")
}

/// What the REST API made, as the database has it.
fn stored(config: &config::Config) -> anyhow::Result<Vec<Entry>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let rows = runtime.block_on(store::stored_resources(config.store_url.reveal(), &config.state))?;
    Ok(api::stored_entries(rows))
}

/// What stands in the file and does not hold, because the REST API changed it, and what of its changes the file has
/// overtaken.
fn overruled(config: &config::Config, stored: Vec<Entry>) -> Vec<String> {
    let (book, overtaken) = Book::new(config.office.clone(), &config.caller_ids, stored);
    let name = |entry: &Entry| {
        let name = entry.text("phone_number").or(entry.text("friendly_name")).unwrap_or(&entry.key.sid);
        format!("{}: {} {name}", config.file.display(), entry.key.kind)
    };
    let holds_not = book.overruled().map(|(file, over)| {
        let at = over.updated.unwrap_or_default().iso8601();
        match over.origin {
            Origin::Gone(_) => format!("{} was deleted over HTTP at {at} and does not hold", name(file)),
            _ => {
                let differs = file.body.iter().filter(|(key, value)| over.body.get(*key) != Some(value));
                let keys: Vec<&str> = differs.map(|(key, _)| key.as_str()).collect();
                let what = if keys.is_empty() { "other things of it".to_owned() } else { keys.join(", ") };
                format!("{} was changed over HTTP at {at}, which holds: {what}", name(file))
            }
        }
    });
    let holds_again = overtaken.iter().filter_map(|key| book.of_file(key)).map(|file| {
        format!(
            "{} was changed over HTTP and edited here since; what stands here holds from the next start",
            name(file)
        )
    });
    holds_not.chain(holds_again).collect()
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

#[cfg(test)]
mod tests {
    use base::Timestamp;

    use super::*;

    const FILE: &str = "[box]\naccount_sid='AC00000000000000000000000000000007'\nauth_token='secret'\n\
        [sip]\ncaller_ids=['+15550009999']\n\
        [[number]]\nnumber='+15550001111'\nvoice_url='http://web.example/file'\n\
        [[number]]\nnumber='+15550002222'\nvoice_url='http://web.example/file'\n";

    #[test]
    fn what_the_rest_api_changed_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tandem.toml");
        std::fs::write(&path, FILE).unwrap();
        let config = config::load(&path, Some(folder.path())).unwrap();
        assert_eq!(overruled(&config, stored(&config).unwrap()), Vec::<String>::new());
        let (book, _) = Book::new(config.office.clone(), &config.caller_ids, Vec::new());
        let over = |number: &str, gone: bool, mark: Option<&str>| {
            let entry =
                book.of_kind(config::Kind::Number).find(|entry| entry.text("phone_number") == Some(number));
            let mut entry = Entry::clone(entry.unwrap());
            let Origin::File(own) = &entry.origin else { panic!() };
            let mark = mark.unwrap_or(own).to_owned();
            entry.origin = if gone { Origin::Gone(mark) } else { Origin::Over(mark) };
            entry.body.insert("voice_url".to_owned(), "http://web.example/rest".into());
            entry.updated = Some(Timestamp(1_282_266_822_000_000));
            entry
        };
        let said =
            overruled(&config, vec![over("+15550001111", false, None), over("+15550002222", true, None)]);
        assert_eq!(said.len(), 2, "{said:?}");
        let (changed, deleted) = match said[0].contains("+15550001111") {
            true => (&said[0], &said[1]),
            false => (&said[1], &said[0]),
        };
        assert!(
            changed.ends_with(
                "number +15550001111 was changed over HTTP at 2010-08-20T01:13:42Z, which holds: voice_url"
            ),
            "{changed}"
        );
        assert!(deleted.contains("number +15550002222 was deleted over HTTP at 2010"), "{deleted}");
        let said = overruled(&config, vec![over("+15550001111", false, Some("as it was before"))]);
        assert!(said.len() == 1 && said[0].contains("edited here since"), "{said:?}");
    }
}
