//! `tandem init`: a first configuration with credentials of its own.

use std::path::{Path, PathBuf};

use base::Rng;

use crate::account::{Account, write_private};
use crate::raw::reference;

/// Where a new office's documents are put, beside its configuration.
const DOCUMENTS_DIRECTORY: &str = "documents";
/// The documents a new office begins with.
const DOCUMENTS: [(&str, &str); 6] = [
    ("welcome.xml", include_str!("../../firmware-config/example/welcome.xml")),
    ("menu-1.xml", include_str!("../../firmware-config/example/menu-1.xml")),
    ("menu-2.xml", include_str!("../../firmware-config/example/menu-2.xml")),
    ("menu-3.xml", include_str!("../../firmware-config/example/menu-3.xml")),
    ("after-dial.xml", include_str!("../../firmware-config/example/after-dial.xml")),
    ("thanks.xml", include_str!("../../firmware-config/example/thanks.xml")),
];

/// Characters of a made password: 80 bits.
const PASSWORD_CHARS: usize = 20;

/// A file of a first configuration could not be written.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// Nothing that exists is written over.
    #[error("{}: exists already; nothing was written", .0.display())]
    Exists(PathBuf),
    /// The system refused.
    #[error("{}: {reason}", .path.display())]
    Io {
        /// What was to be written.
        path: PathBuf,
        /// Why it was not.
        reason: std::io::Error,
    },
}

/// Writes `tandem.toml` with every key explained and an office of two phones and one number on this machine
/// alone, with credentials of its own, and the documents that answer the number. Returns what to tell whoever
/// asked.
pub fn init(directory: &Path, rng: &mut Rng) -> Result<String, InitError> {
    let config = directory.join("tandem.toml");
    let documents = directory.join(DOCUMENTS_DIRECTORY);
    let documents = DOCUMENTS.map(|(name, text)| (documents.join(name), text));
    for path in documents.iter().map(|(path, _)| path).chain([&config]) {
        if path.exists() {
            return Err(InitError::Exists(path.clone()));
        }
    }
    let io = |path: &Path| {
        let path = path.to_owned();
        move |reason| InitError::Io { path, reason }
    };
    let made = directory.join(DOCUMENTS_DIRECTORY);
    std::fs::create_dir_all(&made).map_err(io(&made))?;
    let passwords = [rng.hex(PASSWORD_CHARS), rng.hex(PASSWORD_CHARS)];
    write_private(&config, &first_config(&Account::random(rng), &passwords)).map_err(io(&config))?;
    for (path, text) in &documents {
        std::fs::write(path, text).map_err(io(path))?;
    }
    Ok(format!(
        "Written: {config} and {documents}.\n\
         \x20 phone    ann (extension 101), password {ann}\n\
         \x20 phone    bob (extension 102), password {bob}\n\
         \x20 number   +15550001111, or 100 for short\n\
         Start the box with `tandem run --config {config}`, register a SIP phone on this machine at\n\
         127.0.0.1:5060 with one of these names, and dial 100.\n",
        config = config.display(),
        documents = made.display(),
        ann = passwords[0],
        bob = passwords[1],
    ))
}

fn first_config(account: &Account, [ann, bob]: &[String; 2]) -> String {
    let mut text: String = reference()
        .lines()
        .map(|line| match line.split(" = ").next() {
            Some("# account_sid") => format!("account_sid = \"{}\"\n", account.sid),
            Some("# auth_token") => format!("auth_token = \"{}\"\n", account.token.reveal()),
            Some("# listen") if line.contains("udp:") => {
                format!(
                    "# For phones elsewhere: {}\nlisten = [\"udp:127.0.0.1:5060\", \"tcp:127.0.0.1:5060\"]\n",
                    line.trim_start_matches("# ")
                )
            }
            _ => format!("{line}\n"),
        })
        .collect();
    text.push_str(&format!(
        "\n# A first office; make it yours.\n\
         [[phone]]\nname = \"ann\"\npassword = \"{ann}\"\nextension = \"101\"\n\n\
         [[phone]]\nname = \"bob\"\npassword = \"{bob}\"\nextension = \"102\"\n\n\
         [[number]]\nnumber = \"+15550001111\"\n{menu}\n[[number]]\nnumber = \"100\"\n{menu}",
        menu = format_args!(
            "voice_url = \"file:{DOCUMENTS_DIRECTORY}/welcome.xml\"\n\
             voice_fallback_url = \"file:{DOCUMENTS_DIRECTORY}/welcome.xml\"\n"
        ),
    ));
    text
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn what_init_writes_is_a_valid_office_nobody_else_reads() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("office");
        let said = init(&place, &mut Rng::seeded(1)).unwrap();
        let config = crate::load(&place.join("tandem.toml"), None).unwrap();
        assert!(!config.account_is_new);
        assert!(config.sip.listen.iter().all(|(_, address)| address.ip().is_loopback()));
        let office = &config.office;
        assert!(office.phones.contains_key("ann") && office.phones.contains_key("bob"));
        assert!(office.numbers.contains_key("100") && office.numbers.contains_key("+15550001111"));
        let text = std::fs::read_to_string(place.join("tandem.toml")).unwrap();
        for password in text.lines().filter_map(|line| line.strip_prefix("password = \"")) {
            assert!(said.contains(password.trim_end_matches('"')), "{said}");
        }
        let mode = std::fs::metadata(place.join("tandem.toml")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);

        let error = init(&place, &mut Rng::seeded(2)).unwrap_err();
        assert!(matches!(error, InitError::Exists(_)), "{error}");
        let other = directory.path().join("other");
        init(&other, &mut Rng::seeded(2)).unwrap();
        let other = crate::load(&other.join("tandem.toml"), None).unwrap();
        assert_ne!(other.auth_token, config.auth_token);
        assert_ne!(other.office.phones["ann"].ha1_md5, config.office.phones["ann"].ha1_md5);
    }

    #[test]
    fn the_first_documents_say_nothing_wrong_and_lead_to_each_other() {
        for (name, text) in DOCUMENTS {
            assert_eq!(twiml::lint(text), [], "{name}");
            let actions = text.split("action=\"").skip(1).filter_map(|rest| rest.split('"').next());
            let redirects = text.split("<Redirect>").skip(1).filter_map(|rest| rest.split('<').next());
            for target in actions.chain(redirects).map(|target| target.replace("{Digits}", "1")) {
                assert!(DOCUMENTS.iter().any(|(name, _)| *name == target), "{name} leads to {target}");
            }
        }
    }
}
