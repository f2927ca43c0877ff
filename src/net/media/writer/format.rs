//! The forms a recording's file may have, behind one seam.

use std::io;

use media::{Clip, RecordFormat, wav};

use super::disk::Disk;
use super::ogg_opus::OggOpus;

/// Puts samples into a file. Samples of two channels take turns; places count samples of one channel from the
/// beginning of the file.
pub(super) trait Format: Send + std::fmt::Debug {
    /// Puts samples at their place. One whose samples depend on each other leaves out what comes late and fills gaps with silence.
    fn put(&mut self, at: u64, samples: &[i16], disk: &dyn Disk) -> io::Result<()>;
    /// Nothing more will come; what is behind so many samples is to be cut off.
    fn finish(&mut self, frames: u64, disk: &dyn Disk) -> io::Result<()>;
    /// Writing has failed: makes of what is there a file that can be played.
    fn rescue(&mut self, disk: &dyn Disk) -> io::Result<()>;
    /// Samples of one channel that are in the file.
    fn frames(&self) -> u64;
}

/// The form that was asked for, with its beginning written.
pub(super) fn begin(format: RecordFormat, channels: u8, disk: &dyn Disk) -> io::Result<Box<dyn Format>> {
    match format {
        RecordFormat::Wav => Ok(Box::new(Wav::begin(channels, disk)?)),
        RecordFormat::OggOpus => Ok(Box::new(OggOpus::begin(channels, disk)?)),
        #[cfg(feature = "mp3")]
        RecordFormat::Mp3 => Ok(Box::new(super::mp3::Mp3::begin(channels)?)),
        #[cfg(not(feature = "mp3"))]
        RecordFormat::Mp3 => Err(io::Error::other("this build has no MP3 encoder")),
    }
}

/// Linear samples. Readable at any moment: after each piece the header is brought up to date.
#[derive(Debug)]
struct Wav {
    channels: u8,
    data_bytes: u64,
}

impl Wav {
    fn begin(channels: u8, disk: &dyn Disk) -> io::Result<Wav> {
        disk.write_at(&wav::header(u16::from(channels), Clip::RATE, 0), 0)?;
        Ok(Wav { channels, data_bytes: 0 })
    }

    fn frame_bytes(&self) -> u64 {
        2 * u64::from(self.channels)
    }
}

impl Format for Wav {
    fn put(&mut self, at: u64, samples: &[i16], disk: &dyn Disk) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(2 * samples.len());
        wav::append(samples, &mut bytes);
        let at = at * self.frame_bytes();
        let end = at + bytes.len() as u64;
        if end > wav::DATA_BYTES_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        disk.write_at(&bytes, wav::HEADER_BYTES as u64 + at)?;
        let data_bytes = self.data_bytes.max(end);
        patch(disk, data_bytes)?;
        self.data_bytes = data_bytes;
        Ok(())
    }

    fn finish(&mut self, frames: u64, disk: &dyn Disk) -> io::Result<()> {
        let data_bytes = frames * self.frame_bytes();
        if data_bytes < self.data_bytes {
            self.data_bytes = data_bytes;
            patch(disk, data_bytes)?;
            disk.set_len(wav::HEADER_BYTES as u64 + data_bytes)?;
        }
        Ok(())
    }

    fn rescue(&mut self, disk: &dyn Disk) -> io::Result<()> {
        // A write that failed may have written some.
        self.data_bytes = wav::repair(disk.len()?, u16::from(self.channels)).min(wav::DATA_BYTES_MAX);
        disk.set_len(wav::HEADER_BYTES as u64 + self.data_bytes)?;
        // In place, which a full disk has room for.
        patch(disk, self.data_bytes)
    }

    fn frames(&self) -> u64 {
        self.data_bytes / self.frame_bytes()
    }
}

fn patch(disk: &dyn Disk, data_bytes: u64) -> io::Result<()> {
    for (at, bytes) in wav::patch(data_bytes) {
        disk.write_at(&bytes, at)?;
    }
    Ok(())
}
