//! What a recording's file must be able to do, and how much room there is for it.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

/// A file that is written at any place. Tests have one that is full when they like.
pub(super) trait Disk: Send + std::fmt::Debug {
    /// Writes all of it, or fails having written some.
    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()>;
    /// Reads all of this from there.
    fn read_at(&self, bytes: &mut [u8], at: u64) -> io::Result<()>;
    /// Cuts the file off, or fills it up.
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// Bytes of the file.
    fn len(&self) -> io::Result<u64>;
    /// The file itself, for whoever makes it last.
    fn file(&self) -> Option<Arc<File>>;
}

impl Disk for Arc<File> {
    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        self.write_all_at(bytes, at)
    }

    fn read_at(&self, bytes: &mut [u8], at: u64) -> io::Result<()> {
        self.read_exact_at(bytes, at)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        File::set_len(self, len)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn file(&self) -> Option<Arc<File>> {
        Some(self.clone())
    }
}

/// A new file, its folder included, unless less than `free_min` bytes are free there.
pub(super) fn create(path: &Path, free_min: u64) -> Result<Box<dyn Disk>, String> {
    let refused = |error: io::Error| format!("cannot write {}: {error}", path.display());
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(refused)?;
        let free = free_bytes(folder).map_err(refused)?;
        if free < free_min {
            let (mb, min) = (free / 1_000_000, free_min / 1_000_000);
            return Err(format!("only {mb} MB are free in {}, less than {min} MB", folder.display()));
        }
    }
    let file =
        OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path).map_err(refused)?;
    Ok(Box::new(Arc::new(file)))
}

/// Bytes that the box may still write where this is.
fn free_bytes(path: &Path) -> io::Result<u64> {
    let path = std::ffi::CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: statvfs is plain numbers, for which zeros are values, and the call fills it or fails.
    let (stat, result) = unsafe {
        let mut stat: libc::statvfs = std::mem::zeroed();
        let result = libc::statvfs(path.as_ptr(), &raw mut stat);
        (stat, result)
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Mutex;

    use super::*;

    /// A disk of so many bytes.
    #[derive(Clone, Debug, Default)]
    pub(in super::super) struct Small {
        pub(in super::super) bytes: Arc<Mutex<Vec<u8>>>,
        pub(in super::super) room: usize,
    }

    impl Disk for Small {
        fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
            let mut all = self.bytes.lock().unwrap();
            let at = at as usize;
            let fits = bytes.len().min(self.room.saturating_sub(at));
            if all.len() < at + fits {
                all.resize(at + fits, 0);
            }
            all[at..at + fits].copy_from_slice(&bytes[..fits]);
            if fits < bytes.len() { Err(io::Error::from_raw_os_error(libc::ENOSPC)) } else { Ok(()) }
        }

        fn read_at(&self, bytes: &mut [u8], at: u64) -> io::Result<()> {
            let all = self.bytes.lock().unwrap();
            let from = all.get(at as usize..at as usize + bytes.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
            bytes.copy_from_slice(from);
            Ok(())
        }

        fn set_len(&self, len: u64) -> io::Result<()> {
            self.bytes.lock().unwrap().resize(len as usize, 0);
            Ok(())
        }

        fn len(&self) -> io::Result<u64> {
            Ok(self.bytes.lock().unwrap().len() as u64)
        }

        fn file(&self) -> Option<Arc<File>> {
            None
        }
    }

    #[test]
    fn too_little_room_is_refused_in_words() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b.wav");
        assert!(create(&path, 1).is_ok());
        std::fs::remove_file(&path).unwrap();
        let why = create(&path, u64::MAX).unwrap_err();
        assert!(why.starts_with("only ") && why.contains(" MB are free in "), "{why}");
        assert!(!path.exists(), "nothing is left behind");
        assert!(create(Path::new("/proc/none/x.wav"), 0).unwrap_err().starts_with("cannot write /proc/none"));
    }
}
