//! The account's sid and token: from the file, else from the state directory, else made.

use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use base::{AccountSid, Rng};
use call::office::Secret;
use toml::de::{DeTable, DeValue};

use crate::Config;

/// The file in the state directory that keeps what the configuration leaves open.
const FILE: &str = "account.toml";

/// The file in the state directory that keeps the seed of API keys.
const SEED_FILE: &str = "key-seed";

/// Characters of a seed: 256 bits.
const SEED_CHARS: usize = 64;

/// Characters of a made token: 128 bits.
const TOKEN_CHARS: usize = 32;

/// What webhooks are signed with and the REST API is opened with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) sid: AccountSid,
    pub(crate) token: Secret,
    /// Not kept anywhere yet.
    pub(crate) is_new: bool,
}

/// The state directory's account could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", .file.display())]
pub struct AccountError {
    file: PathBuf,
    problem: String,
}

impl Account {
    /// A new account.
    pub(crate) fn random(rng: &mut Rng) -> Self {
        Self { sid: AccountSid::random(rng), token: Secret(rng.hex(TOKEN_CHARS)), is_new: true }
    }

    /// As kept in the state directory; `None` before the first start.
    pub(crate) fn read(state: &Path) -> Result<Option<Self>, AccountError> {
        let file = state.join(FILE);
        let error = |problem: String| AccountError { file: file.clone(), problem };
        match std::fs::read_to_string(&file) {
            Ok(text) => Self::parse(&text).map(Some).map_err(|problem| error(problem.to_owned())),
            Err(reason) if reason.kind() == ErrorKind::NotFound => Ok(None),
            // A box that only asks a running one need not be able to read its secrets.
            Err(reason) if reason.kind() == ErrorKind::PermissionDenied => Ok(None),
            Err(reason) => Err(error(reason.to_string())),
        }
    }

    fn parse(text: &str) -> Result<Self, &'static str> {
        const WRONG: &str = "must hold account_sid and auth_token; delete it to have a new account made";
        let table = DeTable::parse(text).map_err(|_| WRONG)?;
        let field = |key: &str| match table.get_ref().get(key)?.get_ref() {
            DeValue::String(text) if !text.is_empty() => Some(text.clone().into_owned()),
            _ => None,
        };
        let sid = field("account_sid").and_then(|text| text.parse().ok()).ok_or(WRONG)?;
        let token = field("auth_token").map(Secret).ok_or(WRONG)?;
        Ok(Self { sid, token, is_new: false })
    }
}

/// Writes a configuration's account into its state directory, for its owner's eyes alone, so that the next
/// start finds it. The caller has made the directory.
pub fn keep_account(config: &Config) -> Result<(), AccountError> {
    let file = config.state.join(FILE);
    let text = format!(
        "# Made at the first start. [box] account_sid and auth_token in tandem.toml go before it.\n\
         account_sid = \"{}\"\nauth_token = \"{}\"\n",
        config.office.account_sid,
        config.auth_token.reveal()
    );
    write_private(&file, &text)
        .map_err(|reason| AccountError { file: file.clone(), problem: reason.to_string() })
}

/// The seed that secrets of API keys follow from: made at the first start and kept in the state directory, for its
/// owner's eyes alone. The caller has made the directory.
pub fn key_seed(state: &Path) -> Result<Secret, AccountError> {
    let file = state.join(SEED_FILE);
    let error = |reason: std::io::Error| AccountError { file: file.clone(), problem: reason.to_string() };
    match std::fs::read_to_string(&file) {
        Ok(text) if !text.trim().is_empty() => return Ok(Secret(text.trim().to_owned())),
        Ok(_) => {
            return Err(AccountError { file, problem: "is empty; delete it and every API key".to_owned() });
        }
        Err(reason) if reason.kind() == ErrorKind::NotFound => {}
        Err(reason) => return Err(error(reason)),
    }
    let seed = system_rng().map_err(error)?.hex(SEED_CHARS);
    write_private(&file, &format!("{seed}\n")).map_err(error)?;
    Ok(Secret(seed))
}

/// Writes a new file that only its owner reads; one that is there is not touched.
pub(crate) fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// A generator for an account nobody has seen yet.
pub(crate) fn system_rng() -> std::io::Result<Rng> {
    let mut seed = [0; 32];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut seed)?;
    Ok(Rng::from_entropy(seed))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn an_account_survives_its_file_which_nobody_else_reads() {
        let state = tempfile::tempdir().unwrap();
        assert_eq!(Account::read(state.path()).unwrap(), None);
        let file = state.path().join("tandem.toml");
        std::fs::write(&file, "").unwrap();
        let config = crate::load(&file, Some(state.path())).unwrap();
        assert!(config.account_is_new);
        keep_account(&config).unwrap();
        let mode = std::fs::metadata(state.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let again = crate::load(&file, Some(state.path())).unwrap();
        assert!(!again.account_is_new);
        assert_eq!(again.office.account_sid, config.office.account_sid);
        assert_eq!(again.auth_token, config.auth_token);
        assert!(keep_account(&again).is_err(), "an account that is kept is not written over");
    }

    #[test]
    fn a_seed_is_made_once() {
        let state = tempfile::tempdir().unwrap();
        let seed = key_seed(state.path()).unwrap();
        assert_eq!((seed.reveal().len(), key_seed(state.path()).unwrap()), (SEED_CHARS, seed));
        std::fs::write(state.path().join(SEED_FILE), "").unwrap();
        assert!(key_seed(state.path()).is_err());
    }

    #[test]
    fn a_damaged_account_is_refused_with_what_to_do() {
        for text in ["", "account_sid = 'AC1'\nauth_token = 'x'", "auth_token = 'x'", "x"] {
            assert!(Account::parse(text).unwrap_err().contains("delete it"), "{text}");
        }
    }

    #[test]
    fn accounts_differ() {
        let mut rng = Rng::seeded(1);
        let (a, b) = (Account::random(&mut rng), Account::random(&mut rng));
        assert_ne!(a.sid, b.sid);
        assert_ne!(a.token, b.token);
        assert_eq!(a.token.reveal().len(), TOKEN_CHARS);
    }
}
