//! One recording on its way into its file: order, gaps, silence at the ends, failure.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use media::record::DUAL_FRAME_SAMPLES;
use media::{LegId, RecordFormat};

use super::disk::{self, Disk};
use super::format::{self, Format};

/// Samples of one channel that are written at once.
const PIECE_SAMPLES: u64 = 4_000;

/// Samples of silence left before and after what is said when a recording is trimmed.
pub(super) const MARGIN_SAMPLES: u64 = 800;

/// What is to be written, and where.
#[derive(Debug)]
pub(in super::super) struct Plan {
    pub(in super::super) leg: LegId,
    pub(in super::super) path: PathBuf,
    pub(in super::super) channels: u8,
    pub(in super::super) trim: bool,
    pub(in super::super) format: RecordFormat,
}

/// A file being written.
#[derive(Debug)]
pub(super) struct Recording {
    pub(super) plan: Plan,
    file: Option<(Box<dyn Disk>, Box<dyn Format>)>,
    /// For people; nothing is written after a failure.
    pub(super) failure: Option<String>,
    /// Samples not written yet, and where in the recording the first of them lies.
    piece: Vec<i16>,
    begin: u64,
    /// Where in the recording the file begins; `None` while only silence has come.
    origin: Option<u64>,
    /// Where the last sound ends.
    sound_end: u64,
    /// Where the last frame ends.
    pub(super) end: u64,
    /// Something was written that may not be on the disk itself.
    pub(super) is_unsafe: bool,
}

/// How a recording ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Written {
    /// Bytes of the file.
    pub(super) bytes: u64,
    /// Milliseconds that are in it.
    pub(super) duration_ms: u64,
}

impl Recording {
    /// Begins a file, unless fewer than `free_min` bytes are free.
    pub(super) fn create(plan: Plan, free_min: u64) -> Recording {
        let disk = disk::create(&plan.path, free_min);
        Recording::on(plan, disk)
    }

    pub(super) fn on(plan: Plan, disk: Result<Box<dyn Disk>, String>) -> Recording {
        let begun = disk.and_then(|disk| match format::begin(plan.format, plan.channels, &*disk) {
            Ok(format) => Ok((disk, format)),
            Err(error) => Err(told(&plan.path, &error)),
        });
        let (file, failure) = match begun {
            Ok(file) => (Some(file), None),
            Err(why) => (None, Some(why)),
        };
        Recording {
            file,
            failure,
            piece: Vec::with_capacity(
                usize::from(plan.channels) * PIECE_SAMPLES as usize + DUAL_FRAME_SAMPLES,
            ),
            begin: 0,
            origin: (!plan.trim).then_some(0),
            sound_end: 0,
            end: 0,
            is_unsafe: false,
            plan,
        }
    }

    /// The file, for whoever makes it last.
    pub(super) fn file(&self) -> Option<Arc<File>> {
        self.file.as_ref()?.0.file()
    }

    /// How many samples of one channel these are.
    fn frames(&self, samples: usize) -> u64 {
        samples as u64 / u64::from(self.plan.channels)
    }

    fn samples(&self, frames: u64) -> usize {
        frames as usize * usize::from(self.plan.channels)
    }

    pub(super) fn write(&mut self, at: u64, samples: &[i16]) {
        let next = self.begin + self.frames(self.piece.len());
        if at < next {
            return self.write_late(at, samples);
        }
        if at > next {
            // Frames were lost: what is not written of a file is silence.
            self.write_piece(u64::MAX);
            self.begin = at;
        }
        self.piece.extend_from_slice(samples);
        self.end = at + self.frames(samples.len());
        if self.plan.trim && !self.is_silent(samples) {
            self.sound_end = self.end;
            self.origin.get_or_insert(at.saturating_sub(MARGIN_SAMPLES));
        }
        let waiting = self.frames(self.piece.len());
        if self.origin.is_none() {
            let surplus = waiting.saturating_sub(MARGIN_SAMPLES);
            self.piece.drain(..self.samples(surplus));
            self.begin += surplus;
        } else if waiting >= PIECE_SAMPLES {
            self.write_piece(u64::MAX);
        }
    }

    fn is_silent(&self, samples: &[i16]) -> bool {
        match self.plan.channels {
            2 => media::trim::is_silent_dual(samples),
            _ => media::trim::is_silent(samples),
        }
    }

    /// A frame from the ring of the thread the leg was on before.
    fn write_late(&mut self, at: u64, samples: &[i16]) {
        if let Some(origin) = self.origin.filter(|&origin| origin <= at) {
            self.write_piece(u64::MAX);
            self.put(at - origin, samples);
        }
    }

    /// Writes what waits, up to this place of the recording.
    fn write_piece(&mut self, until: u64) {
        let Some(origin) = self.origin else { return };
        let frames = self.frames(self.piece.len()).min(until.saturating_sub(self.begin));
        let before = origin.saturating_sub(self.begin).min(frames);
        let at = (self.begin + before).saturating_sub(origin);
        self.begin += frames;
        let mut piece = std::mem::take(&mut self.piece);
        self.put(at, &piece[self.samples(before)..self.samples(frames)]);
        piece.drain(..self.samples(frames));
        self.piece = piece;
    }

    fn put(&mut self, at: u64, samples: &[i16]) {
        if samples.is_empty() || self.failure.is_some() {
            return;
        }
        let Some((disk, format)) = &mut self.file else { return };
        self.is_unsafe = true;
        if let Err(error) = format.put(at, samples, &**disk) {
            self.fail(&error);
        }
    }

    /// Completes the file.
    pub(super) fn finish(&mut self) -> Written {
        // Silent all through: a little of it is kept, for players that refuse a file without sound.
        let origin = *self.origin.get_or_insert(self.begin);
        let end = match self.plan.trim && self.sound_end > 0 {
            true => (self.sound_end + MARGIN_SAMPLES).min(self.end),
            false => self.end,
        };
        self.write_piece(end);
        if self.failure.is_none()
            && let Some((disk, format)) = &mut self.file
            && let Err(error) = format.finish(end.saturating_sub(origin), &**disk)
        {
            self.fail(&error);
        }
        let Some((disk, format)) = &self.file else { return Written { bytes: 0, duration_ms: 0 } };
        Written { bytes: disk.len().unwrap_or(0), duration_ms: format.frames() / 8 }
    }

    /// What was written is kept, as a file that plays.
    fn fail(&mut self, error: &io::Error) {
        if self.failure.is_some() {
            return;
        }
        self.failure = Some(told(&self.plan.path, error));
        if let Some((disk, format)) = &mut self.file
            && let Err(error) = format.rescue(&**disk)
        {
            tracing::warn!(path = %self.plan.path.display(), %error, "what was recorded may need repair");
        }
    }
}

fn told(path: &Path, error: &io::Error) -> String {
    format!("cannot write {}: {error}", path.display())
}

#[cfg(test)]
mod tests;
