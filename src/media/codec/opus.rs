//! Opus (RFC 6716) as RFC 7587 carries it, by the libopus of the distribution.
//!
//! Mono, tuned for speech. libopus resamples inside: a decoder gives any of its rates whatever was sent, and
//! what an encoder is fed with bounds the bandwidth it sends.

use audiopus::coder::{Decoder, Encoder, GenericCtl};
use audiopus::packet::Packet;
use audiopus::{Application, Bandwidth, Bitrate, Channels, MutSignals, SampleRate};

use crate::negotiated::OpusParameters;

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

    pub(super) fn reset(&mut self) {
        if let Some(decoder) = &mut self.decoder {
            // It fails for broken arguments only.
            let _ = decoder.reset_state();
        }
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
    // libopus repairs nothing at rates that leave no bits for it.
    let wish = if parameters.use_inband_fec { wish + FEC_BITRATE } else { wish };
    let most = parameters.max_average_bitrate.unwrap_or(wish).max(BITRATE_MIN);
    encoder.set_bitrate(Bitrate::BitsPerSecond(wish.min(most) as i32))?;
    encoder.set_vbr(!parameters.cbr)?;
    encoder.set_complexity(COMPLEXITY)?;
    encoder.set_inband_fec(parameters.use_inband_fec)?;
    // What repairs the packet before takes its bits from this one: none is sent until the peer reports losses.
    encoder.set_packet_loss_perc(0)?;
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

/// Whether a packet tells of the one before it, too (RFC 6716 §4.2.3): as of libopus 1.4, which has a call for it.
///
/// A frame of SILK begins with a bit for each of its parts of 20 ms, whether there is a voice in it, and one for the
/// repair; of two channels each has its own. Each is as likely to be set as not, so the range coder leaves them as
/// they are.
pub(super) fn repeats(payload: &[u8]) -> bool {
    let (Some(&toc), Some(&first)) = (payload.first(), first_frame(payload)) else { return false };
    let parts = match toc >> 3 {
        config @ 0..12 => [1, 1, 2, 3][usize::from(config & 3)],
        12..16 => 1,
        _ => return false,
    };
    let is_stereo = toc & 4 != 0;
    first >> (7 - parts) & 1 == 1 || (is_stereo && first >> (6 - 2 * parts) & 1 == 1)
}

/// The first byte of a packet's first frame (RFC 6716 §3.2).
fn first_frame(payload: &[u8]) -> Option<&u8> {
    // Lengths up to 251 take one byte, others two.
    let after_length = |at: usize| Some(at + if *payload.get(at)? < 252 { 1 } else { 2 });
    let at = match payload.first()? & 3 {
        0 | 1 => 1,
        2 => after_length(1)?,
        _ => {
            let count = payload.get(1)?;
            let (is_padded, is_variable) = (count & 0x40 != 0, count & 0x80 != 0);
            let mut at = 2;
            while is_padded && *payload.get(at)? == 255 {
                at += 1;
            }
            at += usize::from(is_padded);
            for _ in 1..count & 0x3F {
                at = if is_variable { after_length(at)? } else { at };
            }
            at
        }
    };
    payload.get(at)
}

/// What a frame is encoded with unless the machine is short of time.
pub(super) const COMPLEXITY: u8 = 5;
/// What repairing takes, in bits a second.
const FEC_BITRATE: u32 = 8_000;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::tests::speech;
    use crate::resample::Resampler;
    use base::Rng;

    const RATES: [u32; 3] = [8_000, 16_000, 48_000];

    /// The synthetic voice twice, at some rate.
    fn voice(rate: u32) -> Vec<i16> {
        let speech = [speech(), speech()].concat();
        let mut output = vec![0; speech.len() * rate as usize / 16_000];
        Resampler::new(16_000, rate).process(&speech, &mut output);
        output
    }

    fn encode(rate: u32, parameters: OpusParameters, pcm: &[i16], frame: usize) -> Vec<Vec<u8>> {
        let mut encoder = OpusEncoder::new(rate, parameters);
        if parameters.use_inband_fec {
            encoder.set_expected_loss(10); // as the peer would report
        }
        pcm.chunks_exact(frame)
            .map(|pcm| {
                let mut payload = [0; 1_500];
                let bytes = encoder.encode(pcm, &mut payload);
                payload[..bytes].to_vec()
            })
            .collect()
    }

    fn decode(rate: u32, packets: &[Vec<u8>]) -> Vec<i16> {
        let mut decoder = OpusDecoder::new(rate);
        let mut pcm = vec![0; packets.len() * rate as usize * 60 / 1_000];
        let mut made = 0;
        for packet in packets {
            made += decoder.decode(packet, &mut pcm[made..]);
        }
        pcm.truncate(made);
        pcm
    }

    fn energy(samples: &[i16]) -> f64 {
        samples.iter().map(|s| f64::from(*s).powi(2)).sum()
    }

    /// Best likeness of two sounds over delays of up to 20 ms: 1 = the same.
    fn likeness(a: &[i16], b: &[i16], rate: u32) -> f64 {
        let most = rate as usize / 50;
        let len = a.len().min(b.len()) - most;
        let at = |delay: usize| {
            let (a, b) = (&a[..len], &b[delay..delay + len]);
            let product: f64 = a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
            product / (energy(a) * energy(b)).sqrt().max(1.0)
        };
        (0..most).map(at).fold(0.0, f64::max)
    }

    #[test]
    fn speech_survives_every_rate_and_packet_length() {
        for rate in RATES {
            let voice = voice(rate);
            for ms in [10, 20, 30, 40, 50, 60] {
                let frame = rate as usize * ms / 1_000;
                let packets = encode(rate, OpusParameters::default(), &voice, frame);
                for packet in &packets {
                    assert_eq!(duration(packet), 48 * ms as u32, "{rate} Hz, {ms} ms: {:x?}", &packet[..2]);
                }
                let heard = decode(rate, &packets);
                assert_eq!(heard.len(), packets.len() * frame);
                let likeness = likeness(&voice, &heard, rate);
                assert!(likeness > 0.9, "{rate} Hz, {ms} ms: likeness {likeness:.2}");
            }
        }
    }

    #[test]
    fn lengths_opus_has_not_are_not_sent() {
        for len in [0, 1, 79, 100, 560, 8_000] {
            assert_eq!(
                OpusEncoder::new(8_000, OpusParameters::default()).encode(&vec![0; len], &mut [0; 1_500]),
                0
            );
        }
    }

    /// Of the TOC: 0 narrowband to 4 fullband (RFC 6716 §3.1, table 2).
    fn bandwidth(packet: &[u8]) -> u8 {
        match packet[0] >> 3 {
            config @ 0..12 => config / 4,
            config @ 12..16 => config / 2 - 3,
            config => [0, 2, 3, 4][usize::from(config / 4 - 4)],
        }
    }

    #[test]
    fn bandwidth_is_that_of_the_source_and_of_what_the_peer_plays() {
        let cases = [
            (8_000, 48_000, 0),
            (16_000, 48_000, 2),
            (48_000, 48_000, 4),
            (48_000, 16_000, 2),
            (48_000, 8_000, 0),
        ];
        for (rate, max_playback_rate, most) in cases {
            let parameters = OpusParameters { max_playback_rate, ..OpusParameters::default() };
            let packets = encode(rate, parameters, &voice(rate), rate as usize / 50);
            assert!(packets.iter().all(|packet| bandwidth(packet) <= most), "{rate}, {max_playback_rate}");
            assert!(packets.iter().any(|packet| bandwidth(packet) == most), "{rate}, {max_playback_rate}");
        }
    }

    #[test]
    fn bit_rates_are_kept() {
        for (most, cbr) in [(None, false), (Some(9_000), false), (Some(500_000), true), (Some(12_000), true)]
        {
            let parameters = OpusParameters { max_average_bitrate: most, cbr, ..OpusParameters::default() };
            let packets = encode(16_000, parameters, &voice(16_000), 320);
            let want = f64::from(most.unwrap_or(24_000).min(24_000));
            let bits = packets.iter().map(Vec::len).sum::<usize>() as f64 * 8.0 * 50.0 / packets.len() as f64;
            assert!((bits / want - 1.0).abs() < 0.25, "{most:?}: {bits:.0} bit/s");
            assert_eq!(cbr, packets.iter().all(|packet| packet.len() == packets[0].len()));
        }
    }

    #[test]
    fn silence_with_dtx_sends_next_to_nothing() {
        for (frame, dtx) in [(160, true), (240, true), (160, false)] {
            let parameters = OpusParameters { use_dtx: dtx, ..OpusParameters::default() };
            let packets = encode(8_000, parameters, &[0; 24_000], frame);
            let sent = packets[packets.len() / 3..].iter().filter(|packet| !packet.is_empty()).count();
            assert_eq!(dtx, sent < packets.len() / 10, "{frame}: {sent} of {}", packets.len());
        }
    }

    #[test]
    fn what_was_lost_is_repaired_from_the_packet_after() {
        for rate in RATES {
            let (voice, frame) = (voice(rate), rate as usize / 50);
            let parameters = OpusParameters { use_inband_fec: true, ..OpusParameters::default() };
            let packets = encode(rate, parameters, &voice, frame);
            let whole = decode(rate, &packets);
            // Every fourth packet is lost; how far is what is heard from what would have been?
            let off = |repair: bool| {
                let mut decoder = OpusDecoder::new(rate);
                let mut heard = vec![0; whole.len()];
                let frames = heard.chunks_exact_mut(frame);
                for (n, (packet, pcm)) in packets.iter().zip(frames).enumerate() {
                    if n % 4 == 3 {
                        decoder.conceal(packets.get(n + 1).map(Vec::as_slice).filter(|_| repair), pcm);
                    } else {
                        assert_eq!(decoder.decode(packet, pcm), frame);
                    }
                }
                1.0 - likeness(&whole, &heard, rate)
            };
            let (repaired, made_up) = (off(true), off(false));
            assert!(repaired < 0.7 * made_up, "{rate}: off by {repaired:.3}, {made_up:.3} without FEC");
        }
    }

    #[test]
    fn a_packet_says_whether_it_repeats_the_one_before() {
        for rate in RATES {
            let voice = voice(rate);
            for ms in [10, 20, 30, 40, 60] {
                let frame = rate as usize * ms / 1_000;
                let packets = |use_inband_fec| {
                    encode(
                        rate,
                        OpusParameters { use_inband_fec, ..OpusParameters::default() },
                        &voice,
                        frame,
                    )
                };
                let (with, without) = (packets(true), packets(false));
                let repeating = with.iter().filter(|packet| repeats(packet)).count();
                assert!(repeating * 2 > with.len(), "{rate} Hz, {ms} ms: {repeating} of {}", with.len());
                assert!(!without.iter().any(|packet| repeats(packet)), "{rate} Hz, {ms} ms");
            }
        }
        // A voice, no repair; a voice and its repair; of two channels the second one's repair alone; CELT.
        for (payload, want) in [
            (&[0x48, 0x80][..], false),
            (&[0x48, 0xC0], true),
            (&[0x4C, 0x10], true),
            (&[0x4C, 0x20], false),
            (&[0x98, 0xC0], false),
            // Two frames of different length, and padding: the first frame begins behind.
            (&[0x4A, 0x01, 0xC0, 0x00], true),
            (&[0x4B, 0x41, 0x01, 0xC0, 0x00], true),
            (&[0x4B, 0xC2, 0x00, 0x01, 0xC0, 0x00], true),
            (&[0x48], false),
            (&[0x4B, 0x41], false),
            (&[], false),
        ] {
            assert_eq!(repeats(payload), want, "{payload:x?}");
        }
    }

    #[test]
    fn losses_of_any_length_are_filled() {
        let packets = encode(8_000, OpusParameters::default(), &voice(8_000), 160);
        for len in [0, 1, 8, 19, 20, 30, 160, 480, 1_000, 5_000] {
            for next in [None, Some(packets[31].as_slice()), Some([].as_slice())] {
                let mut decoder = OpusDecoder::new(8_000);
                let mut pcm = [0; 320];
                for packet in &packets[..30] {
                    decoder.decode(packet, &mut pcm);
                }
                let mut made_up = vec![i16::MAX; len];
                decoder.conceal(next, &mut made_up);
                assert!(made_up.iter().all(|s| *s != i16::MAX), "{len}");
                assert!(len < 160 || energy(&made_up[..160]) > 0.0, "{len}");
                assert_eq!(decoder.decode(&packets[31], &mut pcm), 160);
            }
        }
    }

    #[test]
    fn durations_are_those_libopus_sees() {
        let mut rng = Rng::seeded(7);
        let (mut broken, mut good) = (0, 0);
        for _ in 0..20_000 {
            let payload: Vec<u8> = (0..1 + rng.below(3)).map(|_| rng.u32() as u8).collect();
            let packet = Packet::try_from(payload.as_slice()).unwrap();
            let want = audiopus::packet::nb_samples(packet, SampleRate::Hz48000).unwrap_or(0);
            assert_eq!(duration(&payload), want as u32, "{payload:x?}");
            if want == 0 { broken += 1 } else { good += 1 }
        }
        assert!(broken > 100 && good > 100);
        assert_eq!(duration(&[]), 0);
    }

    #[test]
    fn noise_from_the_network_breaks_nothing() {
        let mut rng = Rng::seeded(8);
        let mut decoder = OpusDecoder::new(48_000);
        let mut pcm = [0; 960];
        for _ in 0..5_000 {
            let payload: Vec<u8> = (0..rng.below(200)).map(|_| rng.u32() as u8).collect();
            assert!(decoder.decode(&payload, &mut pcm) <= 960);
            repeats(&payload);
            decoder.conceal(Some(&payload), &mut pcm);
        }
        assert_eq!(decoder.decode(&[], &mut pcm), 0);
        assert_eq!(decoder.decode(&[0x0B], &mut pcm), 0);
    }

    #[test]
    fn without_libopus_there_is_silence() {
        let mut decoder = OpusDecoder { decoder: None, rate: SampleRate::Hz8000 };
        let mut pcm = [1; 320];
        assert_eq!(decoder.decode(&[0x08, 1, 2], &mut pcm), 160);
        assert_eq!(pcm[..161], [[0; 160].as_slice(), &[1]].concat());
        decoder.conceal(Some(&[0x08, 1, 2]), &mut pcm);
        assert_eq!(pcm, [0; 320]);
        let mut encoder = OpusEncoder { encoder: None, rate: SampleRate::Hz8000, dtx: false, packs: false };
        assert_eq!(encoder.encode(&[0; 160], &mut [0; 100]), 0);
        assert_eq!(encoder.encode(&[0; 240], &mut [0; 100]), 0);
    }
}
