//! Opus in Ogg (RFC 7845), a page a second, so that a file that is cut off plays up to its last second.
//!
//! Two channels are two streams of one packet, not one of stereo (RFC 7845 §5.1.1.2): what one side says is not
//! heard in the other channel, however few bits there are.

use std::io;

use media::codec::coder::{Encoder, PAYLOAD_MAX};
use media::{Clip, CodecKind, OpusParameters};
use ogg::writing::{PacketWriteEndInfo, PacketWriter};

use super::disk::Disk;
use super::format::Format;
use super::ogg_page;

/// Samples of a packet: 20 ms.
const PACKET_SAMPLES: usize = 160;

/// Packets of a page: one second.
const PAGE_PACKETS: u64 = 50;

/// Granules (at 48 kHz, RFC 7845 §4) of a sample.
const GRANULES: u64 = 6;

/// Granules that the encoder's look-ahead puts before the sound, 6.5 ms with libopus, for players to skip.
const PRE_SKIP: u16 = 312;

/// Bits a second of one channel: a telephone's band without a flaw.
const BITRATE: u32 = 24_000;

pub(super) struct OggOpus {
    channels: usize,
    encoders: Vec<Encoder>,
    pages: PacketWriter<'static, Vec<u8>>,
    serial: u32,
    /// Bytes in the file, all of whole pages.
    written: u64,
    /// Where in the file the pages with sound begin.
    begins: Vec<u64>,
    /// Samples that are no packet yet.
    rest: Vec<i16>,
    /// The packet before: only when another comes is it known not to be the last.
    last: Option<Vec<u8>>,
    /// Packets encoded.
    packets: u64,
    /// Samples of one channel taken.
    frames: u64,
    /// Of those, what whole pages hold.
    safe_frames: u64,
}

impl std::fmt::Debug for OggOpus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OggOpus").field("channels", &self.channels).field("frames", &self.frames).finish()
    }
}

impl OggOpus {
    pub(super) fn begin(channels: u8, disk: &dyn Disk) -> io::Result<OggOpus> {
        let parameters = OpusParameters {
            max_playback_rate: Clip::RATE,
            max_average_bitrate: Some(BITRATE),
            ..OpusParameters::default()
        };
        let encoder = |_| Encoder::new(CodecKind::Opus, Clip::RATE, parameters);
        let mut file = OggOpus {
            channels: usize::from(channels),
            encoders: (0..channels).map(encoder).collect(),
            pages: PacketWriter::new(Vec::new()),
            // Unique among the streams of a file, of which there is one.
            serial: 1,
            written: 0,
            begins: Vec::new(),
            rest: Vec::new(),
            last: None,
            packets: 0,
            frames: 0,
            safe_frames: 0,
        };
        for header in [head(channels), tags()] {
            file.pages.write_packet(header, file.serial, PacketWriteEndInfo::EndPage, 0)?;
        }
        file.flush(disk)?;
        file.begins.clear();
        Ok(file)
    }

    /// Encodes whole packets.
    fn encode(&mut self) -> io::Result<()> {
        while self.rest.len() >= PACKET_SAMPLES * self.channels {
            let mut packet = Vec::with_capacity(256);
            let mut payload = [0; PAYLOAD_MAX];
            for (channel, encoder) in self.encoders.iter_mut().enumerate() {
                let pcm: [i16; PACKET_SAMPLES] =
                    std::array::from_fn(|n| self.rest[n * self.channels + channel]);
                let len = encoder.encode(&pcm, &mut payload);
                if len == 0 {
                    return Err(io::Error::other("the Opus encoder fails"));
                }
                let is_last = channel + 1 == self.channels;
                if is_last {
                    packet.extend_from_slice(&payload[..len]);
                } else {
                    delimit(&payload[..len], &mut packet)?;
                }
            }
            self.rest.drain(..PACKET_SAMPLES * self.channels);
            self.packets += 1;
            if let Some(before) = self.last.replace(packet) {
                let packets = self.packets - 1;
                let is_page = packets.is_multiple_of(PAGE_PACKETS);
                let end =
                    if is_page { PacketWriteEndInfo::EndPage } else { PacketWriteEndInfo::NormalPacket };
                self.pages.write_packet(
                    before,
                    self.serial,
                    end,
                    packets * PACKET_SAMPLES as u64 * GRANULES,
                )?;
            }
        }
        Ok(())
    }

    /// Ends the file, in which there are more, with so many packets, the last of them cut at this granule (RFC 7845
    /// §4.4).
    fn cut(&mut self, packets: u64, granule: u64, disk: &dyn Disk) -> io::Result<()> {
        if let Some(last) = self.last.take() {
            let end = self.packets * PACKET_SAMPLES as u64 * GRANULES;
            self.pages.write_packet(last, self.serial, PacketWriteEndInfo::EndPage, end)?;
            self.flush(disk)?;
        }
        let page = (packets.saturating_sub(1) / PAGE_PACKETS) as usize;
        let begin = self.begins[page];
        let end = self.begins.get(page + 1).copied().unwrap_or(self.written);
        let mut bytes = vec![0; (end - begin) as usize];
        disk.read_at(&mut bytes, begin)?;
        let bytes = ogg_page::end(&bytes, (packets - page as u64 * PAGE_PACKETS) as usize, granule);
        disk.write_at(&bytes, begin)?;
        self.written = begin + bytes.len() as u64;
        self.safe_frames = self.frames;
        disk.set_len(self.written)
    }

    /// Writes the pages that are whole.
    fn flush(&mut self, disk: &dyn Disk) -> io::Result<()> {
        let bytes = std::mem::take(self.pages.inner_mut());
        disk.write_at(&bytes, self.written)?;
        let mut rest = bytes.as_slice();
        while let Some(len) = ogg_page::len(rest) {
            self.begins.push(self.written + (bytes.len() - rest.len()) as u64);
            rest = &rest[len..];
        }
        self.written += bytes.len() as u64;
        let pages = self.packets.saturating_sub(1) / PAGE_PACKETS;
        let granules = pages * PAGE_PACKETS * PACKET_SAMPLES as u64 * GRANULES;
        self.safe_frames = granules.saturating_sub(u64::from(PRE_SKIP)) / GRANULES;
        Ok(())
    }
}

impl Format for OggOpus {
    fn put(&mut self, at: u64, samples: &[i16], disk: &dyn Disk) -> io::Result<()> {
        let late = self.frames.saturating_sub(at).min((samples.len() / self.channels) as u64);
        let samples = &samples[late as usize * self.channels..];
        while self.frames < at && !samples.is_empty() {
            let gap = (at - self.frames).min(PACKET_SAMPLES as u64);
            self.rest.resize(self.rest.len() + gap as usize * self.channels, 0);
            self.frames += gap;
            self.encode()?;
        }
        self.frames += (samples.len() / self.channels) as u64;
        self.rest.extend_from_slice(samples);
        self.encode()?;
        self.flush(disk)
    }

    fn finish(&mut self, frames: u64, disk: &dyn Disk) -> io::Result<()> {
        self.frames = self.frames.min(frames);
        // The last sample comes out of the encoder only when what follows it goes in.
        let end = self.frames * GRANULES + u64::from(PRE_SKIP);
        let packets = end.div_ceil(PACKET_SAMPLES as u64 * GRANULES);
        if packets < self.packets {
            return self.cut(packets, end, disk);
        }
        let missing = packets.saturating_sub(self.packets) as usize * PACKET_SAMPLES * self.channels;
        self.rest.resize(missing.max(self.rest.len()), 0);
        self.encode()?;
        if let Some(last) = self.last.take() {
            self.pages.write_packet(last, self.serial, PacketWriteEndInfo::EndStream, end)?;
        }
        self.flush(disk)?;
        self.safe_frames = self.frames;
        Ok(())
    }

    fn rescue(&mut self, disk: &dyn Disk) -> io::Result<()> {
        // Whole pages only; the last one without its mark is no harm (RFC 3533 §6).
        disk.set_len(self.written)
    }

    fn frames(&self) -> u64 {
        self.safe_frames.min(self.frames)
    }
}

/// The identification header (RFC 7845 §5.1).
fn head(channels: u8) -> Vec<u8> {
    let mut head = b"OpusHead\x01".to_vec();
    head.push(channels);
    head.extend_from_slice(&PRE_SKIP.to_le_bytes());
    head.extend_from_slice(&Clip::RATE.to_le_bytes());
    head.extend_from_slice(&0i16.to_le_bytes());
    match channels {
        1 => head.push(0),
        // Family 1: two streams, neither of them coupled, left and right.
        _ => head.extend_from_slice(&[1, 2, 0, 0, 1]),
    }
    head
}

/// The comment header (RFC 7845 §5.2): who wrote it, and no comments.
fn tags() -> Vec<u8> {
    let vendor = b"Tandem";
    let mut tags = b"OpusTags".to_vec();
    tags.extend_from_slice(&(vendor.len() as u32).to_le_bytes());
    tags.extend_from_slice(vendor);
    tags.extend_from_slice(&0u32.to_le_bytes());
    tags
}

/// Appends a packet of one frame with its length inside (RFC 6716 appendix B), as all but the last of several
/// streams have it.
fn delimit(packet: &[u8], all: &mut Vec<u8>) -> io::Result<()> {
    let [toc, frame @ ..] = packet else { return Ok(()) };
    if toc & 3 != 0 {
        return Err(io::Error::other("the Opus encoder gives more than one frame"));
    }
    all.push(*toc);
    // RFC 6716 §3.2.1.
    match frame.len() {
        len @ ..=251 => all.push(len as u8),
        len => {
            let low = 252 + (len & 3);
            all.extend_from_slice(&[low as u8, ((len - low) / 4) as u8]);
        }
    }
    all.extend_from_slice(frame);
    Ok(())
}
