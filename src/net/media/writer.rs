//! The writer thread: recorded frames from the media threads into WAV files.
//!
//! A file is written in half-second pieces and is readable at any moment: after each piece its header is brought
//! up to date. Frames that were lost on the way leave silence of their length. Silence at the ends is left out as
//! it comes (at the start) or cut off when the recording ends. A disk that is full or gone ends the recording;
//! the call goes on.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::Duration;

use base::RecordingSid;
use media::{Clip, Command, Event, LegId, RecordEnd, wav};
use rtrb::Consumer;

use super::control::{Ask, Asker};
use super::thread::Tapped;

/// Told to the writer thread by the control thread.
#[derive(Debug)]
pub(super) enum Write {
    /// Frames of this recording will come.
    Begin { leg: LegId, recording: RecordingSid, path: PathBuf, channels: u8, trim: bool },
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
}

/// How long frames may wait in the rings.
const POLL: Duration = Duration::from_millis(20);

/// Samples that are written at once.
const PIECE_SAMPLES: usize = 4_000;

/// Samples of silence left before and after what is said when a recording is trimmed.
const MARGIN_SAMPLES: u64 = 800;

impl Writer {
    /// Runs until told to stop.
    pub(super) fn run(mut self) {
        let mut files = BTreeMap::new();
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
            if !files.is_empty() {
                std::thread::sleep(POLL);
            }
        }
        for (recording, file) in files {
            let duration_ms = file.end / 8;
            self.finish(recording, file, duration_ms, RecordEnd::Closed);
        }
    }

    /// True: it is time to end. Waits when there is nothing to write.
    fn take_writes(&self, files: &mut BTreeMap<RecordingSid, Recording>) -> bool {
        loop {
            let write = if files.is_empty() {
                self.writes.recv().map_err(|_| TryRecvError::Disconnected)
            } else {
                self.writes.try_recv()
            };
            match write {
                Ok(Write::Begin { leg, recording, path, channels, trim }) => {
                    let file = Recording::create(leg, path, channels, trim);
                    self.report(recording, &file);
                    files.insert(recording, file);
                }
                Err(TryRecvError::Empty) => return false,
                Ok(Write::Stop) | Err(TryRecvError::Disconnected) => return true,
            }
        }
    }

    fn on_tapped(&self, tapped: Tapped, files: &mut BTreeMap<RecordingSid, Recording>) {
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
            tracing::warn!(%recording, path = %file.path.display(), why, "recording stopped");
            self.asker.ask_patiently(Ask::Command(Command::StopRecord { leg: file.leg, recording }));
        }
    }

    fn finish(&self, recording: RecordingSid, mut file: Recording, duration_ms: u64, why: RecordEnd) {
        let leg = file.leg;
        let bytes = file.finish();
        let why = file.failure.map_or(why, RecordEnd::Failed);
        self.asker.ask_patiently(Ask::Event(Event::Recorded { leg, recording, duration_ms, bytes, why }));
    }
}

/// A file being written.
#[derive(Debug)]
struct Recording {
    leg: LegId,
    path: PathBuf,
    file: Option<File>,
    /// For people; nothing is written after a failure.
    failure: Option<String>,
    channels: u8,
    trim: bool,
    /// Samples not written yet, and where in the recording the first of them lies.
    piece: Vec<i16>,
    begin: u64,
    /// Where in the recording the file begins; `None` while only silence has come.
    origin: Option<u64>,
    /// Where the last sound ends.
    sound_end: u64,
    /// Where the last frame ends.
    end: u64,
    /// Bytes of samples in the file.
    data_bytes: u64,
}

impl Recording {
    fn create(leg: LegId, path: PathBuf, channels: u8, trim: bool) -> Recording {
        let file = path
            .parent()
            .map_or(Ok(()), std::fs::create_dir_all)
            .and_then(|()| OpenOptions::new().write(true).create(true).truncate(true).open(&path))
            .and_then(|file| {
                file.write_all_at(&wav::header(u16::from(channels), Clip::RATE, 0), 0).map(|()| file)
            });
        let (file, failure) = match file {
            Ok(file) => (Some(file), None),
            Err(error) => (None, Some(format!("cannot write {}: {error}", path.display()))),
        };
        Recording {
            leg,
            path,
            file,
            failure,
            channels,
            trim,
            piece: Vec::with_capacity(2 * PIECE_SAMPLES),
            begin: 0,
            origin: (!trim).then_some(0),
            sound_end: 0,
            end: 0,
            data_bytes: 0,
        }
    }

    /// How many samples of one channel these are.
    fn frames(&self, samples: usize) -> u64 {
        samples as u64 / u64::from(self.channels)
    }

    /// Bytes of a sample of every channel.
    fn frame_bytes(&self) -> u64 {
        2 * u64::from(self.channels)
    }

    fn write(&mut self, at: u64, samples: &[i16]) {
        let next = self.begin + self.frames(self.piece.len());
        if at < next {
            return self.write_late(at, samples);
        }
        if at > next {
            // Frames were lost: what is not written of a file reads as silence.
            self.write_piece();
            self.begin = at;
        }
        self.piece.extend_from_slice(samples);
        self.end = at + self.frames(samples.len());
        let is_silent = match self.channels {
            2 => media::trim::is_silent_dual(samples),
            _ => media::trim::is_silent(samples),
        };
        if !is_silent {
            self.sound_end = self.end;
            self.origin.get_or_insert(at.saturating_sub(MARGIN_SAMPLES));
        }
        if self.origin.is_none() {
            let surplus = self.frames(self.piece.len()).saturating_sub(MARGIN_SAMPLES);
            self.piece.drain(..surplus as usize * usize::from(self.channels));
            self.begin += surplus;
        } else if self.piece.len() >= PIECE_SAMPLES {
            self.write_piece();
        }
    }

    /// A frame from the ring of the thread the leg was on before.
    fn write_late(&mut self, at: u64, samples: &[i16]) {
        self.write_piece();
        let mut bytes = Vec::new();
        wav::append(samples, &mut bytes);
        if let Some(origin) = self.origin.filter(|&origin| origin <= at) {
            self.try_write(&bytes, (at - origin) * self.frame_bytes());
        }
    }

    fn write_piece(&mut self) {
        let Some(origin) = self.origin else { return };
        let frames = self.frames(self.piece.len());
        let before = origin.saturating_sub(self.begin).min(frames);
        let mut bytes = Vec::with_capacity(self.piece.len() * 2);
        wav::append(&self.piece[before as usize * usize::from(self.channels)..], &mut bytes);
        let at = (self.begin + before).saturating_sub(origin) * self.frame_bytes();
        self.begin += frames;
        self.piece.clear();
        self.try_write(&bytes, at);
    }

    fn try_write(&mut self, bytes: &[u8], at: u64) {
        let Some(file) = &self.file else { return };
        if bytes.is_empty() {
            return;
        }
        self.data_bytes = self.data_bytes.max(at + bytes.len() as u64);
        let written = file
            .write_all_at(bytes, wav::HEADER_BYTES as u64 + at)
            .and_then(|()| patch(file, self.data_bytes));
        if let Err(error) = written {
            self.fail(&error);
        }
    }

    /// Completes the file; how many bytes it has.
    fn finish(&mut self) -> u64 {
        // Silent all through: a little of it is kept, for players that refuse a file without sound.
        self.origin.get_or_insert(self.begin);
        self.write_piece();
        if self.trim && self.sound_end > 0 {
            let origin = self.origin.unwrap_or(0);
            let end = (self.sound_end + MARGIN_SAMPLES).min(self.end);
            self.data_bytes = self.data_bytes.min(end.saturating_sub(origin) * self.frame_bytes());
            if let Some(file) = &self.file {
                let len = wav::HEADER_BYTES as u64 + self.data_bytes;
                if let Err(error) = patch(file, self.data_bytes).and_then(|()| file.set_len(len)) {
                    self.fail(&error);
                }
            }
        }
        self.file.take().and_then(|file| file.metadata().ok()).map_or(0, |meta| meta.len())
    }

    fn fail(&mut self, error: &io::Error) {
        self.failure.get_or_insert_with(|| format!("cannot write {}: {error}", self.path.display()));
    }
}

fn patch(file: &File, data_bytes: u64) -> io::Result<()> {
    for (at, bytes) in wav::patch(data_bytes) {
        file.write_all_at(&bytes, at)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("tandem-writer-{}", std::process::id()));
        dir.join(name)
    }

    fn read(path: &PathBuf) -> Vec<i16> {
        let bytes = std::fs::read(path).unwrap();
        let announced = u32::from_le_bytes(bytes[40..44].try_into().unwrap()) as usize;
        assert_eq!(announced, bytes.len() - wav::HEADER_BYTES);
        bytes[wav::HEADER_BYTES..].as_chunks().0.iter().map(|s| i16::from_le_bytes(*s)).collect()
    }

    fn sound(n: u64) -> [i16; 160] {
        std::array::from_fn(|i| if (n as usize + i).is_multiple_of(2) { 5_000 } else { -5_000 })
    }

    #[test]
    fn frames_become_a_file() {
        let path = path("whole.wav");
        let mut file = Recording::create(LegId(1), path.clone(), 1, false);
        for n in 0..100 {
            file.write(n * 160, &sound(0));
        }
        file.write(16_000, &[7; 11]);
        assert_eq!(file.finish(), 44 + 2 * 16_011);
        let samples = read(&path);
        assert_eq!((samples.len(), samples[0], samples[16_010]), (16_011, 5_000, 7));
    }

    #[test]
    fn lost_frames_are_silence_and_late_ones_find_their_place() {
        let path = path("lost.wav");
        let mut file = Recording::create(LegId(1), path.clone(), 1, false);
        for n in (0..100).filter(|n| !(40..60).contains(n)) {
            file.write(n * 160, &sound(0));
        }
        file.write(50 * 160, &[9; 160]);
        file.finish();
        let samples = read(&path);
        assert_eq!(samples.len(), 16_000);
        assert!(samples[6_400..8_000].iter().all(|&s| s == 0));
        assert!(samples[8_000..8_160].iter().all(|&s| s == 9));
        assert!(samples[8_160..9_600].iter().all(|&s| s == 0));
        assert_eq!(samples[9_600], 5_000);
    }

    #[test]
    fn silence_is_cut_off_both_ends() {
        let path = path("trimmed.wav");
        let mut file = Recording::create(LegId(1), path.clone(), 1, true);
        for n in 0..500 {
            let frame = if (200..300).contains(&n) { sound(0) } else { [0; 160] };
            file.write(n * 160, &frame);
        }
        file.finish();
        let samples = read(&path);
        assert_eq!(samples.len(), 100 * 160 + 2 * MARGIN_SAMPLES as usize);
        assert_eq!((samples[799], samples[800]), (0, 5_000));
    }

    #[test]
    fn silence_alone_leaves_a_little() {
        let path = path("silent.wav");
        let mut file = Recording::create(LegId(1), path.clone(), 1, true);
        for n in 0..500 {
            file.write(n * 160, &[0; 160]);
        }
        file.finish();
        assert_eq!(read(&path).len(), MARGIN_SAMPLES as usize);
    }

    #[test]
    fn a_full_disk_is_a_failure_in_words() {
        let mut file = Recording::create(LegId(1), "/dev/full".into(), 1, false);
        assert!(file.failure.as_ref().unwrap().starts_with("cannot write /dev/full: "), "{:?}", file.failure);
        file.write(0, &[1; 160]);
        assert_eq!(file.finish(), 0);
        let file = Recording::create(LegId(1), "/proc/none/x.wav".into(), 1, false);
        assert!(file.failure.is_some());
    }
}
