//! Renderings on disk: what was spoken before is not spoken again, not even after a restart.
//!
//! A file is named by a hash of everything that makes it sound as it does, and appears whole or not at all. The
//! folder is a cache: losing it, or failing to write it, costs time and nothing else.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use sha2::{Digest, Sha256};

/// Writes between two looks at the folder's size.
const WRITES_BETWEEN_PRUNINGS: u64 = 64;

/// The folder.
#[derive(Debug)]
pub(crate) struct Renderings {
    folder: PathBuf,
    bytes_max: u64,
    writes: AtomicU64,
}

impl Renderings {
    /// A folder that is made when first needed, of about `bytes_max` bytes: the least recently used go first.
    pub(crate) fn new(folder: PathBuf, bytes_max: u64) -> Self {
        Self { folder, bytes_max, writes: AtomicU64::new(0) }
    }

    /// The file name of a rendering.
    pub(crate) fn name(parts: &[&str]) -> String {
        let mut hash = Sha256::new();
        for part in parts {
            // With its length, so that no two lists of parts are the same text.
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect::<String>() + ".wav"
    }

    /// A rendering, if it is there. Blocks.
    pub(crate) fn read(&self, name: &str) -> Option<Vec<u8>> {
        let path = self.folder.join(name);
        let bytes = std::fs::read(&path).ok()?;
        // Marks it as used; a folder that cannot be written to is read all the same.
        let _ =
            std::fs::File::options().append(true).open(&path).and_then(|f| f.set_modified(SystemTime::now()));
        Some(bytes)
    }

    /// Keeps a rendering. Blocks.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        std::fs::create_dir_all(&self.folder)?;
        let writes = self.writes.fetch_add(1, Ordering::Relaxed);
        let partial = self.folder.join(format!("{name}.{}-{writes}.partial", std::process::id()));
        let written =
            std::fs::write(&partial, bytes).and_then(|()| std::fs::rename(&partial, self.folder.join(name)));
        if written.is_err() {
            let _ = std::fs::remove_file(&partial);
        }
        if writes.is_multiple_of(WRITES_BETWEEN_PRUNINGS) {
            self.prune()?;
        }
        written
    }

    /// Forgets a rendering. Blocks.
    pub(crate) fn remove(&self, name: &str) {
        let _ = std::fs::remove_file(self.folder.join(name));
    }

    /// Removes the least recently used until a quarter is free, and what a crash left unfinished.
    fn prune(&self) -> io::Result<()> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&self.folder)? {
            let entry = entry?;
            let (path, metadata) = (entry.path(), entry.metadata()?);
            if is_abandoned(&path) {
                let _ = std::fs::remove_file(path);
            } else if path.extension().is_some_and(|extension| extension == "wav") {
                files.push((metadata.modified()?, metadata.len(), path));
            }
        }
        let mut bytes: u64 = files.iter().map(|(_, length, _)| length).sum();
        if bytes <= self.bytes_max {
            return Ok(());
        }
        files.sort();
        for (_, length, path) in files {
            if bytes <= self.bytes_max / 4 * 3 {
                break;
            }
            std::fs::remove_file(path)?;
            bytes -= length;
        }
        Ok(())
    }
}

/// Whether a file is a partial one of a process that is gone.
fn is_abandoned(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.ends_with(".partial") && !name.contains(&format!(".{}-", std::process::id()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn names_tell_parts_apart() {
        let name = Renderings::name(&["espeak-ng", "de", "Hallo"]);
        assert_eq!(name.len(), 68);
        assert_eq!(name, Renderings::name(&["espeak-ng", "de", "Hallo"]));
        assert_ne!(name, Renderings::name(&["espeak-ng", "deH", "allo"]));
    }

    #[test]
    fn a_rendering_is_found_again_and_nothing_partial_stays() {
        let folder = tempfile::tempdir().unwrap();
        let renderings = Renderings::new(folder.path().join("speech"), 1_000);
        assert_eq!(renderings.read("a.wav"), None);
        renderings.write("a.wav", b"sound").unwrap();
        assert_eq!(renderings.read("a.wav").as_deref(), Some(&b"sound"[..]));
        assert_eq!(std::fs::read_dir(folder.path().join("speech")).unwrap().count(), 1);
        renderings.remove("a.wav");
        assert_eq!(renderings.read("a.wav"), None);
    }

    #[test]
    fn a_full_folder_loses_what_was_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let renderings = Renderings::new(folder.path().into(), 1_000);
        let hours_ago = |hours: u64| SystemTime::now() - Duration::from_secs(3_600 * hours);
        for (name, hours) in [("old.wav", 5), ("used.wav", 6), ("new.wav", 1)] {
            let path = folder.path().join(name);
            std::fs::write(&path, [0; 400]).unwrap();
            std::fs::File::options()
                .append(true)
                .open(&path)
                .unwrap()
                .set_modified(hours_ago(hours))
                .unwrap();
        }
        std::fs::write(folder.path().join("x.wav.1-0.partial"), "left by a crash").unwrap();
        std::fs::write(folder.path().join("notes.txt"), "not ours").unwrap();
        renderings.read("used.wav").unwrap();
        renderings.write("latest.wav", &[0; 300]).unwrap();
        let mut left: Vec<_> =
            std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["latest.wav", "notes.txt", "used.wav"]);
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(Renderings::new(file, 1_000).write("a.wav", b"x").is_err());
    }
}
