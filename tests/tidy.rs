//! What the compiler cannot check: the cores' purity, the direction of arrows between crates, and order in the house.
//!
//! Each rule stands in `src/ARCHITECTURE.md` with its reason. A failure names file and line. What clippy sees
//! (unwrapping, printing) is left to clippy.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test may stop loudly")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Crates under `src/`, by layer. A crate may use those of lower layers only.
const LAYERS: &[(&str, u8)] = &[
    ("base", 0),
    ("sip", 1),
    ("media", 1),
    ("twiml", 1),
    ("router", 1),
    ("call", 2),
    ("net", 3),
    ("store", 3),
    ("config", 3),
    ("telemetry", 3),
    ("speech", 4), // its sounds come and go through `net`
    ("api", 4),    // serves what `store` and `telemetry` know
    ("appliance", 5),
    ("sim", 5),
];

/// Crates without IO, clock, thread or chance.
const CORES: &[&str] = &["base", "sip", "media", "twiml", "router", "call"];

/// What a core does not say, and what it says instead.
const NOT_IN_A_CORE: &[(&str, &str)] = &[
    ("tokio", "IO belongs to a shell"),
    ("async fn", "an output with an id, and an input that brings the answer"),
    ("std::thread", "a core has no threads"),
    ("UdpSocket", "IO belongs to a shell"),
    ("TcpStream", "IO belongs to a shell"),
    ("TcpListener", "IO belongs to a shell"),
    ("std::fs", "IO belongs to a shell"),
    ("std::env", "configuration is passed in"),
    ("std::process", "IO belongs to a shell"),
    ("Instant::now", "time is passed in as base::Now"),
    ("SystemTime", "time is passed in as base::Now"),
    ("Mutex", "one owner, no locks"),
    ("RwLock", "one owner, no locks"),
    ("HashMap", "BTreeMap: its order is the same in every run"),
    ("HashSet", "BTreeSet: its order is the same in every run"),
    ("thread_rng", "base::Rng, passed in"),
    ("rand::random", "base::Rng, passed in"),
];

/// Where a core says it all the same, and why that is sound.
const IN_A_CORE_ALL_THE_SAME: &[(&str, &str, &str)] = &[(
    "src/media/engine/leg_map.rs",
    "HashMap",
    "looks up a packet's leg, with a hasher of its own; never iterated",
)];

/// Crates a core's manifest may not name.
const NOT_A_CORES_DEPENDENCY: &[&str] =
    &["tokio", "reqwest", "axum", "sqlx", "rustls", "socket2", "libc", "hickory-resolver", "rand"];

/// Files are read in one sitting. A file that is one table may be longer, up to what stands here; never more.
const LINES_MAX: usize = 700;
const LONGER_FILES: &[(&str, usize)] = &[];

#[test]
fn cores_have_no_io_no_clock_and_no_chance() {
    let mut faults = Vec::new();
    let all = sources("src");
    for (path, text) in
        all.iter().filter(|(path, _)| CORES.contains(&crate_of(path)) && !is_test_module(path, &all))
    {
        for (number, line) in code_lines(text) {
            for (word, instead) in NOT_IN_A_CORE.iter().filter(|(word, _)| has_word(line, word)) {
                if IN_A_CORE_ALL_THE_SAME.iter().any(|(file, allowed, _)| file == path && allowed == word) {
                    continue;
                }
                faults.push(format!("{path}:{number}: {word}: {instead}"));
            }
        }
    }
    none(&faults);
}

#[test]
fn nothing_is_left_undone() {
    let mut faults = Vec::new();
    // Put together here, so that this file does not find itself.
    let unfinished = [["TO", "DO"], ["FIX", "ME"], ["XX", "X"]].map(|parts| parts.concat());
    for (path, text) in sources("src").into_iter().chain(sources("tests")).chain(sources("benches")) {
        for (number, line) in text.lines().enumerate().map(|(n, line)| (n + 1, line)) {
            if unfinished.iter().any(|mark| has_word(line, mark)) {
                faults.push(format!("{path}:{number}: unfinished: {}", line.trim()));
            }
        }
    }
    none(&faults);
}

#[test]
fn arrows_between_crates_go_down_only() {
    let layers: BTreeMap<&str, u8> = LAYERS.iter().copied().collect();
    let mut faults = Vec::new();
    for name in crates() {
        let Some(layer) = layers.get(name.as_str()) else {
            faults.push(format!("src/{name}: not in the list of layers"));
            continue;
        };
        for dependency in dependencies(&format!("src/{name}/Cargo.toml")) {
            if layers.get(dependency.as_str()).is_some_and(|below| below >= layer) {
                faults.push(format!("src/{name}/Cargo.toml: {dependency} is not below {name}"));
            }
            if CORES.contains(&name.as_str()) && NOT_A_CORES_DEPENDENCY.contains(&dependency.as_str()) {
                faults.push(format!("src/{name}/Cargo.toml: a core does not use {dependency}"));
            }
        }
    }
    none(&faults);
}

#[test]
fn every_crate_is_whole_and_on_the_map() {
    let map = read("src/ARCHITECTURE.md");
    let mut faults = Vec::new();
    for name in crates() {
        for file in ["Cargo.toml", "lib.rs"] {
            if !root().join("src").join(&name).join(file).is_file() {
                faults.push(format!("src/{name} has no {file}"));
            }
        }
        if root().join("src").join(&name).join("src").exists() {
            faults.push(format!("src/{name}/src: a crate's code lies beside its manifest"));
        }
        if !map.contains(&format!("`{name}/`")) {
            faults.push(format!("src/{name} is not in the code map of src/ARCHITECTURE.md"));
        }
    }
    for (name, _) in LAYERS.iter().filter(|(name, _)| !root().join("src").join(name).is_dir()) {
        faults.push(format!("src/{name} is in the list of layers but not in the tree"));
    }
    none(&faults);
}

#[test]
fn files_are_short_enough_to_be_read() {
    let allowed: BTreeMap<&str, usize> = LONGER_FILES.iter().copied().collect();
    let mut faults = Vec::new();
    for (path, text) in sources("src").into_iter().chain(sources("tests")).chain(sources("benches")) {
        let (lines, most) = (text.lines().count(), allowed.get(path.as_str()).copied().unwrap_or(LINES_MAX));
        if lines > most {
            faults.push(format!("{path}: {lines} lines, at most {most}: move state with its methods out"));
        }
    }
    for (path, _) in LONGER_FILES.iter().filter(|(path, _)| !root().join(path).is_file()) {
        faults.push(format!("{path} is listed as long but does not exist"));
    }
    none(&faults);
}

#[test]
fn scenario_tests_do_not_wait_and_no_test_is_skipped() {
    let mut faults = Vec::new();
    let ignore = "#[ign".to_owned() + "ore";
    for (path, text) in sources("src").into_iter().chain(sources("tests")) {
        let virtual_time =
            ["tests/calls/", "tests/sim/", "src/sim/"].iter().any(|folder| path.starts_with(folder));
        for (number, line) in text.lines().enumerate() {
            if virtual_time && has_word(line, "sleep") {
                faults.push(format!("{path}:{}: sleeps: let virtual time pass", number + 1));
            }
            if line.contains(&ignore) {
                faults.push(format!("{path}:{}: a test that is skipped", number + 1));
            }
        }
    }
    none(&faults);
}

#[test]
fn documents_point_at_files_that_exist() {
    let mut faults = Vec::new();
    let documents = files(&root(), &["md"]);
    assert!(documents.len() >= 3, "{documents:?}");
    for path in documents {
        let text = fs::read_to_string(&path).unwrap();
        for target in links(&text) {
            if target.contains("://") || target.starts_with('#') || target.starts_with("mailto:") {
                continue;
            }
            let file = target.split('#').next().unwrap();
            if !path.parent().unwrap().join(file).exists() {
                faults.push(format!("{}: {target} does not exist", shown(&path)));
            }
        }
    }
    none(&faults);
}

#[test]
fn no_file_knows_a_developers_machine() {
    let homes = [["/ho", "me/"], ["/Us", "ers/"], ["/ro", "ot/"], ["/wo", "rk/"]].map(|parts| parts.concat());
    let mut faults = Vec::new();
    for path in files(&root(), &["rs", "toml", "md", "sh", "service", "conf", "xml", "sql"]) {
        let text = fs::read_to_string(&path).unwrap_or_default();
        for (number, line) in text.lines().enumerate() {
            for home in homes.iter().filter(|home| starts_a_path(line, home)) {
                faults.push(format!("{}:{}: {home}", shown(&path), number + 1));
            }
        }
    }
    none(&faults);
}

fn none(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

/// Folders under `src/`: each is a crate.
fn crates() -> Vec<String> {
    let entries = fs::read_dir(root().join("src")).unwrap().map(Result::unwrap);
    let folders = entries.filter(|entry| entry.file_type().unwrap().is_dir());
    folders.map(|entry| entry.file_name().into_string().unwrap()).collect()
}

/// `src/<crate>/…` → the crate; empty for loose files.
fn crate_of(path: &str) -> &str {
    let rest = path.strip_prefix("src/").unwrap_or("");
    rest.split_once('/').map_or("", |(name, _)| name)
}

/// Whether the file is a module its neighbours declare for tests only.
fn is_test_module(path: &str, all: &[(String, String)]) -> bool {
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    let declared = format!("#[cfg(test)]\nmod {};", file.trim_end_matches(".rs"));
    let neighbours =
        all.iter().filter(|(other, _)| other.rsplit_once('/').is_some_and(|(dir, _)| dir == folder));
    neighbours.into_iter().any(|(_, text)| text.contains(&declared))
}

/// Names in a manifest's `[dependencies]`.
fn dependencies(path: &str) -> Vec<String> {
    let text = read(path);
    let section = text.lines().skip_while(|line| line.trim() != "[dependencies]").skip(1);
    let lines = section.take_while(|line| !line.starts_with('['));
    let names = lines.filter_map(|line| line.split(['.', '=', ' ']).next());
    names.filter(|name| !name.is_empty() && !name.starts_with('#')).map(str::to_owned).collect()
}

/// Rust files below a folder, by path relative to the root.
fn sources(folder: &str) -> Vec<(String, String)> {
    let paths = files(&root().join(folder), &["rs"]);
    paths.into_iter().map(|path| (shown(&path), fs::read_to_string(&path).unwrap())).collect()
}

fn files(folder: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else { return found };
    for entry in entries.map(Result::unwrap) {
        let path = entry.path();
        let name = entry.file_name().into_string().unwrap();
        if path.is_dir() {
            // What is built, and the repository's own records, is not source.
            if !["target", "state", "corpus", "artifacts"].contains(&name.as_str()) && !name.starts_with('.')
            {
                found.extend(files(&path, endings));
            }
        } else if path.extension().is_some_and(|ending| endings.iter().any(|wanted| ending == *wanted)) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Lines of product code, numbered from 1: comments are dropped, and so are test modules, which stand at the end.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let product = text.lines().enumerate().take_while(|(_, line)| line.trim() != "#[cfg(test)]");
    product
        .map(|(n, line)| (n + 1, line.split("//").next().unwrap_or("")))
        .filter(|(_, line)| !line.trim().is_empty())
}

/// Whether a word stands alone in a line.
fn has_word(line: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        !(before.is_some_and(part) || after.is_some_and(part) && word.ends_with(part))
    })
}

/// Whether an absolute path begins here, rather than a URL's or a relative one's middle.
fn starts_a_path(line: &str, home: &str) -> bool {
    line.match_indices(home).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|c| matches!(c, ' ' | '"' | '\'' | '`' | '=' | '(' | ':'))
    })
}

/// Targets of `[text](target)`.
fn links(text: &str) -> Vec<&str> {
    let after = text.split("](").skip(1);
    after
        .filter_map(|rest| rest.split_once(')'))
        .map(|(target, _)| target)
        .filter(|target| !target.contains(' '))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_alone() {
        assert!(has_word("use tokio::net;", "tokio"));
        assert!(!has_word("let tokios = 1;", "tokio"));
        assert!(has_word("let now = Instant::now();", "Instant::now"));
        assert!(!has_word("MyMutexes", "Mutex"));
    }

    #[test]
    fn code_is_told_from_comments_and_tests() {
        let text = "//! a HashMap\nuse x; // HashMap\n\n#[cfg(test)]\nmod tests { HashMap }\n";
        assert_eq!(code_lines(text).collect::<Vec<_>>(), vec![(2, "use x; ")]);
    }

    #[test]
    fn links_are_found() {
        assert_eq!(links("see [a](b.md#c) and [d](https://e)"), vec!["b.md#c", "https://e"]);
    }
}
