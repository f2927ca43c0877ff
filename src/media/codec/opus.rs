//! Opus (RFC 6716) as RFC 7587 carries it, by the libopus of the distribution.
//!
//! Mono, tuned for speech. libopus resamples inside: a decoder gives any of its rates whatever was sent, and
//! what an encoder is fed with bounds the bandwidth it sends.

use audiopus::coder::{Decoder, Encoder};
use audiopus::packet::Packet;
use audiopus::{Application, Bandwidth, Bitrate, Channels, MutSignals, SampleRate};

use crate::command::OpusParameters;

/// Without a decoder, when libopus could not make one, it gives silence.
pub(super) struct OpusDecoder {
    decoder: Option<Decoder>,
    rate: SampleRate,
}

/// Without an encoder, when libopus could not make one, it sends nothing.
pub(super) struct OpusEncoder {
    encoder: Option<Encoder>,
    rate: SampleRate,
    dtx: bool,
    /// Frames are being packed by us, see [`OpusEncoder::pack`].
    packs: bool,
}

impl OpusDecoder {
    pub(super) fn new(rate: u32) -> OpusDecoder {
        let rate = supported(rate);
        OpusDecoder { decoder: Decoder::new(rate, Channels::Mono).ok(), rate }
    }

    pub(super) fn rate(&self) -> u32 {
        self.rate as u32
    }

    pub(super) fn decode(&mut self, payload: &[u8], pcm: &mut [i16]) -> usize {
        // An empty payload is what libopus takes for a loss.
        if duration(payload) == 0 {
            return 0;
        }
        if self.decoder.is_none() {
            let silence = (duration(payload) as u64 * u64::from(self.rate()) / 48_000) as usize;
            let count = silence.min(pcm.len());
            pcm[..count].fill(0);
            return count;
        }
        self.run(Some(payload), pcm, false)
    }

    pub(super) fn conceal(&mut self, next: Option<&[u8]>, pcm: &mut [i16]) {
        // libopus counts in steps of 2.5 ms.
        let step = self.rate() as usize / 400;
        let whole = pcm.len() / step * step;
        let (steps, rest) = pcm.split_at_mut(whole);
        let next = next.filter(|payload| duration(payload) > 0);
        // Asked to repair from the next packet, libopus fills what was lost before that by itself.
        let mut made = if next.is_some() { self.run(next, steps, true) } else { 0 };
        // It makes up at most 120 ms at once.
        while made < steps.len() {
            let end = steps.len().min(made + 48 * step);
            let more = self.run(None, &mut steps[made..end], false);
            if more == 0 {
                break;
            }
            made += more;
        }
        steps[made..].fill(0);
        if !rest.is_empty() {
            let mut scratch = [0; STEP_MAX];
            self.run(None, &mut scratch[..step], false);
            rest.copy_from_slice(&scratch[..rest.len()]);
        }
    }

    fn run(&mut self, payload: Option<&[u8]>, pcm: &mut [i16], fec: bool) -> usize {
        let Some(decoder) = &mut self.decoder else { return 0 };
        let packet = match payload.map(Packet::try_from) {
            Some(Ok(packet)) => Some(packet),
            Some(Err(_)) => return 0,
            None => None,
        };
        let Ok(signals) = MutSignals::try_from(pcm) else { return 0 };
        decoder.decode(packet, signals, fec).unwrap_or(0)
    }
}

impl OpusEncoder {
    pub(super) fn new(rate: u32, parameters: OpusParameters) -> OpusEncoder {
        let rate = supported(rate);
        let encoder = Encoder::new(rate, Channels::Mono, Application::Voip)
            .and_then(|mut encoder| configure(&mut encoder, rate, parameters).map(|()| encoder))
            .ok();
        OpusEncoder { encoder, rate, dtx: parameters.use_dtx, packs: false }
    }

    pub(super) fn rate(&self) -> u32 {
        self.rate as u32
    }

    pub(super) fn encode(&mut self, pcm: &[i16], payload: &mut [u8]) -> usize {
        let ten_ms = self.rate() as usize / 100;
        let room = payload.len().min(PACKET_MAX);
        let payload = &mut payload[..room];
        let bytes = match pcm.len() / ten_ms {
            _ if !pcm.len().is_multiple_of(ten_ms) => 0,
            1 | 2 | 4 | 6 => self.run(pcm, payload),
            frames @ (3 | 5) => self.pack(pcm, frames, payload),
            _ => 0,
        };
        // In silence it gives a packet of the TOC alone, which need not be sent (RFC 7587 §3.1.3).
        if self.dtx && bytes <= 2 { 0 } else { bytes }
    }

    pub(super) fn set_complexity(&mut self, complexity: u8) {
        if let Some(encoder) = &mut self.encoder {
            encoder.set_complexity(complexity).expect("libopus takes 0 to 10");
        }
    }

    pub(super) fn set_expected_loss(&mut self, percent: u8) {
        if let Some(encoder) = &mut self.encoder {
            encoder.set_packet_loss_perc(percent.min(100)).expect("libopus takes 0 to 100");
        }
    }

    fn run(&mut self, pcm: &[i16], payload: &mut [u8]) -> usize {
        self.encoder.as_ref().and_then(|encoder| encoder.encode(pcm, payload).ok()).unwrap_or(0)
    }

    /// Lengths that no Opus frame has: so many frames of 10 ms in one packet (RFC 6716 §3.2.5). All frames of a
    /// packet are of one mode and bandwidth, so libopus is asked to stay in one from the first such packet
    /// on; should it change them all the same, the packet ends before.
    fn pack(&mut self, pcm: &[i16], frames: usize, payload: &mut [u8]) -> usize {
        if let Some(encoder) = self.encoder.as_mut().filter(|_| !self.packs) {
            self.packs = true;
            // What libopus' own packing of long frames asks of its encoder; without it nothing breaks.
            let _ = encoder.set_encoder_ctl_request(FORCE_MODE, MODE_SILK);
        }
        let mut scratch = [0; FRAME_MAX];
        let mut packed = Packed::new(payload);
        for part in pcm.chunks(pcm.len() / frames) {
            let bytes = self.run(part, &mut scratch);
            if !packed.push(&scratch[..bytes]) {
                break;
            }
        }
        packed.finish()
    }
}

/// A packet of code 3 with variable lengths, built up frame by frame (RFC 6716 §3.2.5, figure 7).
struct Packed<'a> {
    payload: &'a mut [u8],
    toc: Option<u8>,
    lengths: [u16; PACKED_MAX],
    count: usize,
    /// Frames gather behind the longest header there can be.
    end: usize,
}

impl<'a> Packed<'a> {
    fn new(payload: &'a mut [u8]) -> Packed<'a> {
        Packed { payload, toc: None, lengths: [0; PACKED_MAX], count: 0, end: HEADER_MAX }
    }

    /// Appends a packet of a single frame; false where it does not fit the others.
    fn push(&mut self, packet: &[u8]) -> bool {
        let Some((toc, frame)) = packet.split_first() else { return false };
        let Some(room) = self.payload.get_mut(self.end..self.end + frame.len()) else { return false };
        if toc & 3 != 0 || *self.toc.get_or_insert(*toc) != *toc || self.count == PACKED_MAX {
            return false;
        }
        room.copy_from_slice(frame);
        self.lengths[self.count] = frame.len() as u16;
        self.count += 1;
        self.end += frame.len();
        true
    }

    /// Writes the header and closes the gap behind it; says how many bytes the packet has. Frames that are all
    /// empty, as DTX has them, make a packet of no more than two.
    fn finish(self) -> usize {
        let Some(toc) = self.toc else { return 0 };
        if self.end == HEADER_MAX {
            self.payload[0] = toc;
            return 1;
        }
        let mut header = [0; HEADER_MAX];
        header[0] = toc | 3;
        header[1] = 0x80 | self.count as u8;
        let mut at = 2;
        for length in &self.lengths[..self.count - 1] {
            let first = if *length < 252 { *length } else { 252 + (*length & 3) };
            header[at] = first as u8;
            at += 1;
            if *length >= 252 {
                header[at] = ((*length - first) / 4) as u8;
                at += 1;
            }
        }
        self.payload[..at].copy_from_slice(&header[..at]);
        self.payload.copy_within(HEADER_MAX..self.end, at);
        at + self.end - HEADER_MAX
    }
}

fn configure(encoder: &mut Encoder, rate: SampleRate, parameters: OpusParameters) -> audiopus::Result<()> {
    let bandwidth = match parameters.max_playback_rate {
        ..12_000 => Bandwidth::Narrowband,
        12_000..16_000 => Bandwidth::Mediumband,
        16_000..24_000 => Bandwidth::Wideband,
        24_000..48_000 => Bandwidth::Superwideband,
        48_000.. => Bandwidth::Fullband,
    };
    encoder.set_max_bandwidth(bandwidth)?;
    let sound = (rate as u32).min(parameters.max_playback_rate);
    let wish = match sound {
        ..12_000 => 16_000,
        12_000..24_000 => 24_000,
        24_000.. => 32_000,
    };
    let most = parameters.max_average_bitrate.unwrap_or(wish).max(BITRATE_MIN);
    encoder.set_bitrate(Bitrate::BitsPerSecond(wish.min(most) as i32))?;
    encoder.set_vbr(!parameters.cbr)?;
    encoder.set_complexity(COMPLEXITY)?;
    encoder.set_inband_fec(parameters.use_inband_fec)?;
    encoder.set_packet_loss_perc(if parameters.use_inband_fec { EXPECTED_LOSS_PERCENT } else { 0 })?;
    encoder.set_dtx(parameters.use_dtx)
}

fn supported(rate: u32) -> SampleRate {
    match rate {
        8_000 => SampleRate::Hz8000,
        12_000 => SampleRate::Hz12000,
        16_000 => SampleRate::Hz16000,
        24_000 => SampleRate::Hz24000,
        _ => SampleRate::Hz48000,
    }
}

/// Ticks of 48 kHz a packet lasts, by its first two bytes (RFC 6716 §3.1, §3.2); 0 where they break a rule.
pub(super) fn duration(payload: &[u8]) -> u32 {
    let Some(toc) = payload.first() else { return 0 };
    let frame = match toc >> 3 {
        // SILK: 10, 20, 40, 60 ms. Hybrid: 10, 20. CELT: 2.5, 5, 10, 20.
        config @ 0..12 => [480, 960, 1_920, 2_880][usize::from(config & 3)],
        config @ 12..16 => [480, 960][usize::from(config & 1)],
        config => [120, 240, 480, 960][usize::from(config & 3)],
    };
    let frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => payload.get(1).map_or(0, |count| u32::from(count & 0x3F)),
    };
    // No packet is longer than 120 ms (R5).
    if frame * frames > DURATION_MAX { 0 } else { frame * frames }
}

/// What a frame is encoded with unless the machine is short of time.
pub(super) const COMPLEXITY: u8 = 5;
/// Until the peer reports: what makes the encoder spend bits on FEC at all.
const EXPECTED_LOSS_PERCENT: u8 = 10;
/// The least RFC 7587 §6.1 lets a peer ask for.
const BITRATE_MIN: u32 = 6_000;
/// 120 ms of 48 kHz.
const DURATION_MAX: u32 = 5_760;
/// The longest frame (RFC 6716 §3.4, R2) and its TOC.
const FRAME_MAX: usize = 1_276;
/// What fits a datagram on every path; libopus keeps to it.
const PACKET_MAX: usize = 1_276;
/// 50 ms in frames of 10.
const PACKED_MAX: usize = 5;
/// TOC, count, and two bytes for the length of each frame but the last.
const HEADER_MAX: usize = 2 + 2 * (PACKED_MAX - 1);
/// 2.5 ms at 48 kHz.
const STEP_MAX: usize = 120;
/// `OPUS_SET_FORCE_MODE` and `MODE_SILK_ONLY` of libopus; above wideband that means hybrid.
const FORCE_MODE: i32 = 11_002;
const MODE_SILK: i32 = 1_000;
