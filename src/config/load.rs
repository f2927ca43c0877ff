//! From a path to a configuration.

use std::path::{Path, PathBuf};

use crate::account::{Account, system_rng};
use crate::read::{Fault, read};
use crate::resolve::{Origin, resolve, state_directory};
use crate::{Config, ConfigError};

/// Where a configuration is looked for when none is named, in this order.
const PLACES: [&str; 2] = ["./tandem.toml", "/etc/tandem/tandem.toml"];

/// The configuration file to read: the one named, else `./tandem.toml`, else `/etc/tandem/tandem.toml`.
pub fn find_config(named: Option<&Path>) -> Result<PathBuf, ConfigError> {
    if let Some(file) = named {
        return Ok(file.to_owned());
    }
    PLACES.into_iter().map(PathBuf::from).find(|file| file.exists()).ok_or_else(|| {
        about(Path::new(PLACES[0]), format!("neither it nor {} exists; `tandem init` writes one.", PLACES[1]))
    })
}

/// Reads and resolves a file, with everything that is wrong with it. `state` goes before `[box] state`.
///
/// An account that neither the file nor the state directory has is made, in memory: see
/// [`Config::account_is_new`].
pub fn load(file: &Path, state: Option<&Path>) -> Result<Config, Vec<ConfigError>> {
    let text = std::fs::read_to_string(file)
        .map_err(|reason| vec![about(file, format!("cannot be read: {reason}."))])?;
    let absolute = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    let origin = Origin { file: &absolute, text: &text, state };
    let (raw, faults) = read(&text);
    if !faults.is_empty() {
        let mut faults = faults;
        faults.sort_by_key(|fault| fault.span.start);
        return Err(faults.into_iter().map(|fault| origin.error(fault)).collect());
    }
    let account = account(&state_directory(&raw, &origin)).map_err(|message| vec![about(file, message)])?;
    resolve(&raw, &origin, account)
}

/// The state directory a file asks for, whatever else may be wrong with it: a running box must answer while
/// somebody edits its file. A syntax error, or one in `[box]`, hides where that is.
pub fn find_state(file: &Path) -> Result<PathBuf, Vec<ConfigError>> {
    let text = std::fs::read_to_string(file)
        .map_err(|reason| vec![about(file, format!("cannot be read: {reason}."))])?;
    let absolute = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    let origin = Origin { file: &absolute, text: &text, state: None };
    let (raw, faults) = read(&text);
    let hides = |fault: &Fault| fault.key.is_empty() || fault.key.starts_with("box");
    let hiding: Vec<ConfigError> =
        faults.into_iter().filter(hides).map(|fault| origin.error(fault)).collect();
    if hiding.is_empty() { Ok(state_directory(&raw, &origin)) } else { Err(hiding) }
}

fn account(state: &Path) -> Result<Account, String> {
    if let Some(kept) = Account::read(state).map_err(|error| error.to_string())? {
        return Ok(kept);
    }
    let mut rng = system_rng().map_err(|error| format!("no account can be made: /dev/urandom: {error}."))?;
    Ok(Account::random(&mut rng))
}

fn about(file: &Path, message: String) -> ConfigError {
    ConfigError { file: file.to_owned(), at: None, key: String::new(), message }
}
