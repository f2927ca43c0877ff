//! The writer thread: recorded frames from the media threads into files.
//!
//! A file is written in half-second pieces and is readable at any moment. Frames that were lost on the way leave
//! silence of their length. Silence at the ends is left out as it comes (at the start) or cut off when the
//! recording ends. Every [`SYNC_EVERY`] what was written is made last by a thread of its own, because a disk may
//! take its time for that: a power cut loses no more. A disk that is full or gone ends the recording, and what
//! was written is kept; the call goes on.

mod convert;
mod disk;
mod format;
#[cfg(feature = "mp3")]
mod mp3;
mod ogg_opus;
mod ogg_page;
mod recording;
mod repair;

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base::RecordingSid;
use media::{Command, Event, RecordEnd};
use rtrb::Consumer;

use super::control::{Ask, Asker};
use super::thread::Tapped;
pub use convert::{ConvertError, can_convert_to, convert};
pub(super) use recording::Plan;
use recording::Recording;
pub use repair::{Repaired, repair, repair_all};

/// Told to the writer thread by the control thread.
#[derive(Debug)]
pub(super) enum Write {
    /// A further media thread hands its frames over here.
    Ring(Consumer<Tapped>),
    /// Frames of this recording will come.
    Begin { recording: RecordingSid, plan: Plan },
    /// No frames will come any more, of any recording.
    Stop,
}

/// The writer thread.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) writes: Receiver<Write>,
    /// One ring of each media thread.
    pub(super) taps: Vec<Consumer<Tapped>>,
    /// For the results.
    pub(super) asker: Asker,
    /// Bytes that must be free for a recording to begin.
    pub(super) free_min: u64,
    /// How recordings fare, for status pages.
    pub(super) health: Arc<Health>,
}

/// How recordings fare.
#[derive(Debug, Default)]
pub(super) struct Health {
    /// In progress.
    pub(super) running: AtomicU64,
    /// That could not be written, wholly or in part.
    pub(super) failed: AtomicU64,
    /// Why the last one failed, until another is complete.
    pub(super) trouble: Mutex<Option<String>>,
}

/// How long frames may wait in the rings.
const POLL: Duration = Duration::from_millis(20);

/// How often what was written is made last: what a power cut may cost.
pub const SYNC_EVERY: Duration = Duration::from_secs(3);

/// So many files of one disk are made last together: each by itself makes the disk's journal wait once more.
const TOGETHER_MIN: usize = 8;

type Files = BTreeMap<RecordingSid, Recording>;

impl Writer {
    /// Runs until told to stop.
    pub(super) fn run(mut self) {
        let (syncs, syncs_end) = std::sync::mpsc::sync_channel(1);
        let syncer =
            std::thread::Builder::new().name("media-sync".to_owned()).spawn(move || sync(&syncs_end));
        let mut files = Files::new();
        let mut synced = Instant::now();
        loop {
            let stop = self.take_writes(&mut files);
            for ring in 0..self.taps.len() {
                while let Ok(tapped) = self.taps[ring].pop() {
                    self.on_tapped(tapped, &mut files);
                }
            }
            if stop {
                break;
            }
            if synced.elapsed() >= SYNC_EVERY {
                synced = Instant::now();
                make_last(&mut files, &syncs);
            }
            self.health.running.store(files.len() as u64, Relaxed);
            if !files.is_empty() {
                std::thread::sleep(POLL);
            }
        }
        for (recording, file) in files {
            let duration_ms = file.end / 8;
            self.finish(recording, file, duration_ms, RecordEnd::Closed);
        }
        drop(syncs);
        if let Ok(syncer) = syncer {
            let _ = syncer.join();
        }
    }

    /// True: it is time to end. Waits when there is nothing to write.
    fn take_writes(&mut self, files: &mut Files) -> bool {
        loop {
            let write = if files.is_empty() {
                self.writes.recv().map_err(|_| TryRecvError::Disconnected)
            } else {
                self.writes.try_recv()
            };
            match write {
                Ok(Write::Begin { recording, plan }) => {
                    let file = Recording::create(plan, self.free_min);
                    self.report(recording, &file);
                    files.insert(recording, file);
                }
                Ok(Write::Ring(ring)) => {
                    self.taps.retain(|ring| !ring.is_abandoned() || !ring.is_empty());
                    self.taps.push(ring);
                }
                Err(TryRecvError::Empty) => return false,
                Ok(Write::Stop) | Err(TryRecvError::Disconnected) => return true,
            }
        }
    }

    fn on_tapped(&self, tapped: Tapped, files: &mut Files) {
        match tapped {
            Tapped::Frame { recording, at, len, samples } => {
                let Some(file) = files.get_mut(&recording).filter(|file| file.failure.is_none()) else {
                    return;
                };
                file.write(at, &samples[..usize::from(len)]);
                self.report(recording, file);
            }
            Tapped::End { recording, duration_ms, why } => {
                if let Some(file) = files.remove(&recording) {
                    self.finish(recording, file, duration_ms, why);
                }
            }
        }
    }

    /// A recording that cannot be written ends at once.
    fn report(&self, recording: RecordingSid, file: &Recording) {
        if let Some(why) = &file.failure {
            let leg = file.plan.leg;
            tracing::warn!(%recording, path = %file.plan.path.display(), why, "recording stopped");
            self.note(Some(why));
            self.asker.ask_patiently(Ask::Command(Box::new(Command::StopRecord { leg, recording })));
        }
    }

    fn finish(&self, recording: RecordingSid, mut file: Recording, duration_ms: u64, why: RecordEnd) {
        let leg = file.plan.leg;
        let had_failed = file.failure.is_some();
        let written = file.finish();
        let (duration_ms, why) = match file.failure.take() {
            None => {
                self.note(None);
                (duration_ms, why)
            }
            Some(failure) => {
                if !had_failed {
                    self.note(Some(&failure));
                }
                // What could be kept of it.
                (written.duration_ms, RecordEnd::Failed(failure))
            }
        };
        let bytes = written.bytes;
        self.asker.ask_patiently(Ask::Event(Box::new(Event::Recorded {
            leg,
            recording,
            duration_ms,
            bytes,
            why,
        })));
    }

    fn note(&self, failure: Option<&str>) {
        if failure.is_some() {
            self.health.failed.fetch_add(1, Relaxed);
        }
        let mut trouble = self.health.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        *trouble = failure.map(str::to_owned);
    }
}

/// Hands what was written since the last time to the thread that waits for the disk; that is still busy: next time.
fn make_last(files: &mut Files, syncs: &SyncSender<Vec<Arc<File>>>) {
    let fresh = || files.values().filter(|file| file.is_unsafe);
    let handles: Vec<Arc<File>> = fresh().filter_map(Recording::file).collect();
    if !handles.is_empty() && syncs.try_send(handles).is_ok() {
        files.values_mut().for_each(|file| file.is_unsafe = false);
    }
}

fn sync(batches: &Receiver<Vec<Arc<File>>>) {
    while let Ok(files) = batches.recv() {
        for files in by_disk(files).into_values() {
            for error in sync_disk(&files) {
                tracing::warn!(%error, "a recording may not survive a power cut");
            }
        }
    }
}

/// By the number of the disk they are on.
fn by_disk(files: Vec<Arc<File>>) -> BTreeMap<u64, Vec<Arc<File>>> {
    let mut disks: BTreeMap<u64, Vec<Arc<File>>> = BTreeMap::new();
    for file in files {
        if let Ok(metadata) = file.metadata() {
            disks.entry(metadata.dev()).or_default().push(file);
        }
    }
    disks
}

/// Makes files of one disk last; what went wrong.
fn sync_disk(files: &[Arc<File>]) -> Vec<io::Error> {
    if files.len() < TOGETHER_MIN {
        return files.iter().filter_map(|file| file.sync_data().err()).collect();
    }
    // SAFETY: takes a descriptor that is open for as long as `files` lives, and no pointers.
    match unsafe { libc::syncfs(files[0].as_raw_fd()) } {
        0 => Vec::new(),
        _ => vec![io::Error::last_os_error()],
    }
}

#[cfg(test)]
mod tests {
    use media::{LegId, RecordFormat};

    use super::*;

    #[test]
    fn what_was_written_since_is_made_last_and_nothing_twice() {
        let folder = tempfile::tempdir().unwrap();
        let plan = |name: &str| Plan {
            leg: LegId(1),
            path: folder.path().join(name),
            channels: 1,
            trim: false,
            format: RecordFormat::Wav,
        };
        let mut files: Files =
            (0..2u128).map(|n| (RecordingSid(n), Recording::create(plan(&n.to_string()), 0))).collect();
        let (syncs, batches) = std::sync::mpsc::sync_channel(1);
        let made_last = |files: &mut Files| {
            make_last(files, &syncs);
            batches.try_recv().map_or(0, |batch: Vec<_>| batch.len())
        };
        assert_eq!(made_last(&mut files), 0, "nothing is written");
        for n in 0..100 {
            files.get_mut(&RecordingSid(1)).unwrap().write(n * 160, &[7; 160]);
        }
        assert_eq!((made_last(&mut files), made_last(&mut files)), (1, 0));
        for n in 100..200 {
            files.values_mut().for_each(|file| file.write(n * 160, &[7; 160]));
        }
        assert_eq!((made_last(&mut files), made_last(&mut files)), (2, 0));
    }

    #[test]
    fn files_of_one_disk_are_made_last_together() {
        let folder = tempfile::tempdir().unwrap();
        let file = |n: usize| Arc::new(File::create(folder.path().join(n.to_string())).unwrap());
        for count in [1, TOGETHER_MIN - 1, TOGETHER_MIN, 40] {
            let disks = by_disk((0..count).map(file).collect());
            assert_eq!(disks.values().map(Vec::len).collect::<Vec<_>>(), [count]);
            assert!(disks.values().all(|files| sync_disk(files).is_empty()));
        }
    }
}
