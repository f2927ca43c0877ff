//! MP3 (ISO/IEC 13818-3, its extension to 8 kHz), by LAME.
//!
//! Every frame has the same length, so a file may end after any of them. Its sound begins as late as the encoder
//! and any decoder look ahead, a seventh of a second, and ends with a whole frame: the form has no word for less.

use std::io;

use media::Clip;
use mp3lame_encoder::{Bitrate, Builder, Encoder, FlushNoGap, InterleavedPcm, Mode, MonoPcm, Quality};

use super::disk::Disk;
use super::format::Format;

/// Samples of a frame.
const FRAME_SAMPLES: u64 = 576;

/// Bytes of a frame for each channel: 32 kbit/s, of which the form has 64 at most.
const FRAME_BYTES: u64 = 288;

/// Samples that the encoder (576) and any decoder (529) put before the sound.
const DELAY_SAMPLES: u64 = 1_105;

/// Samples of silence that a gap is filled with at a time.
const GAP_SAMPLES: u64 = 4_000;

pub(super) struct Mp3 {
    channels: u64,
    encoder: Encoder,
    /// Bytes in the file, and encoded ones that are not in it yet.
    written: u64,
    waiting: Vec<u8>,
    /// Samples of one channel taken.
    frames: u64,
}

impl std::fmt::Debug for Mp3 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mp3").field("channels", &self.channels).field("frames", &self.frames).finish()
    }
}

impl Mp3 {
    pub(super) fn begin(channels: u8) -> io::Result<Mp3> {
        let refused = |error: mp3lame_encoder::BuildError| io::Error::other(error.to_string());
        let (bitrate, mode) = match channels {
            1 => (Bitrate::Kbps32, Mode::Mono),
            // Not joint stereo: what one side says is not heard in the other channel.
            _ => (Bitrate::Kbps64, Mode::Stereo),
        };
        let encoder = Builder::new()
            .ok_or_else(|| io::Error::other("the MP3 encoder has no memory"))?
            .with_num_channels(channels)
            .and_then(|builder| builder.with_sample_rate(Clip::RATE))
            .and_then(|builder| builder.with_output_sample_rate(std::num::NonZeroU32::new(Clip::RATE)))
            .and_then(|builder| builder.with_brate(bitrate))
            .and_then(|builder| builder.with_mode(mode))
            .and_then(|builder| builder.with_quality(Quality::Good))
            .and_then(|builder| builder.with_to_write_vbr_tag(false))
            .and_then(Builder::build)
            .map_err(refused)?;
        Ok(Mp3 { channels: u64::from(channels), encoder, written: 0, waiting: Vec::new(), frames: 0 })
    }

    fn encode(&mut self, samples: &[i16]) -> io::Result<()> {
        self.waiting.reserve(mp3lame_encoder::max_required_buffer_size(samples.len()));
        let encoded = match self.channels {
            1 => self.encoder.encode_to_vec(MonoPcm(samples), &mut self.waiting),
            _ => self.encoder.encode_to_vec(InterleavedPcm(samples), &mut self.waiting),
        };
        self.frames += samples.len() as u64 / self.channels;
        encoded.map(|_| ()).map_err(|error| io::Error::other(error.to_string()))
    }

    fn flush(&mut self, disk: &dyn Disk) -> io::Result<()> {
        disk.write_at(&self.waiting, self.written)?;
        self.written += self.waiting.len() as u64;
        self.waiting.clear();
        Ok(())
    }

    fn frame_bytes(&self) -> u64 {
        FRAME_BYTES * self.channels
    }
}

impl Format for Mp3 {
    fn put(&mut self, at: u64, samples: &[i16], disk: &dyn Disk) -> io::Result<()> {
        let late = self.frames.saturating_sub(at) * self.channels;
        let samples = &samples[(late as usize).min(samples.len())..];
        while self.frames < at && !samples.is_empty() {
            let gap = (at - self.frames).min(GAP_SAMPLES);
            self.encode(&vec![0; (gap * self.channels) as usize])?;
        }
        self.encode(samples)?;
        self.flush(disk)
    }

    fn finish(&mut self, frames: u64, disk: &dyn Disk) -> io::Result<()> {
        // Enough for the last sample to come out.
        self.encode(&vec![0; (2 * FRAME_SAMPLES * self.channels) as usize])?;
        self.waiting.reserve(mp3lame_encoder::max_required_buffer_size(0));
        let flushed = self.encoder.flush_to_vec::<FlushNoGap>(&mut self.waiting);
        flushed.map_err(|error| io::Error::other(error.to_string()))?;
        self.flush(disk)?;
        self.frames = self.frames.saturating_sub(2 * FRAME_SAMPLES).min(frames);
        let whole = (self.frames + DELAY_SAMPLES).div_ceil(FRAME_SAMPLES) * self.frame_bytes();
        if whole < self.written {
            self.written = whole;
            disk.set_len(whole)?;
        }
        Ok(())
    }

    fn rescue(&mut self, disk: &dyn Disk) -> io::Result<()> {
        self.written -= self.written % self.frame_bytes();
        disk.set_len(self.written)
    }

    fn frames(&self) -> u64 {
        let heard = self.written / self.frame_bytes() * FRAME_SAMPLES;
        heard.saturating_sub(DELAY_SAMPLES).min(self.frames)
    }
}
