//! Sends a WAV file of speech through each codec, each transcode and several kinds of loss, and leaves what comes
//! out in a folder: `passes SPEECH.wav FOLDER`. Prints a line for each, what it went through and the file, for
//! `mos.py` to judge.

#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, reason = "a tool for a person")]

mod engine;

use std::path::PathBuf;

use base::Rng;
use engine::{Path, Wire};
use media::codec::{CodecKind, Decoder, Encoder, PAYLOAD_MAX, PCM_MAX};
use media::negotiated::OpusParameters;
use media::resample::Resampler;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, speech, folder] = arguments.as_slice() else { panic!("passes SPEECH.wav FOLDER") };
    let (rate, pcm) = read(speech);
    let narrow = [CodecKind::Pcmu, CodecKind::Pcma, CodecKind::G722, CodecKind::Opus, CodecKind::L16Narrow];
    let wide = [CodecKind::G722, CodecKind::Opus, CodecKind::L16Wide];
    let codecs = if rate == 8_000 { &narrow[..] } else { &wide[..] };
    let mut passes = Vec::new();
    for codec in codecs {
        passes.push(Pass { codecs: vec![*codec], loss: Loss::None, fec: false, seed: 0 });
    }
    for from in codecs {
        for to in codecs.iter().filter(|to| *to != from) {
            passes.push(Pass { codecs: vec![*from, *to], loss: Loss::None, fec: false, seed: 0 });
        }
    }
    let losses = [Loss::Random(0.01), Loss::Random(0.05), Loss::Bursts];
    for (seed, loss) in losses.into_iter().flat_map(|loss| (0..LOSSES).map(move |seed| (seed, loss))) {
        for codec in codecs {
            passes.push(Pass { codecs: vec![*codec], loss, fec: false, seed });
            if *codec == CodecKind::Opus {
                passes.push(Pass { codecs: vec![*codec], loss, fec: true, seed });
            } else {
                passes.push(Pass { codecs: vec![*codec], loss: loss.unconcealed(), fec: false, seed });
            }
        }
    }
    for (n, pass) in passes.iter().enumerate() {
        let path = PathBuf::from(folder).join(format!("{n}.wav"));
        write(&path, rate, &pass.run(rate, &pcm));
        println!("{}\t{}", pass.name(), path.display());
    }
    through_the_box(rate, &pcm, codecs, folder);
}

/// Each pair of codecs through the engine; then the wires that offices have, through a relay, a transcode and a room.
fn through_the_box(rate: u32, pcm: &[i16], codecs: &[CodecKind], folder: &str) {
    let jitter = Wire { jitter_ms: 30, ..Wire::PERFECT };
    let drift = |ppm| Wire { drift_ppm: ppm, ..Wire::PERFECT };
    let loss = |share| Wire { loss: share, ..Wire::PERFECT };
    let mut passes = Vec::new();
    for &from in codecs {
        for &to in codecs {
            passes.push((from, to, "", Wire::PERFECT, Path::Bridge));
        }
        passes.push((from, from, ", room", Wire::PERFECT, Path::Room));
    }
    let pairs = if rate == 8_000 {
        [
            (CodecKind::Pcmu, CodecKind::Pcmu),
            (CodecKind::Opus, CodecKind::Pcmu),
            (CodecKind::G722, CodecKind::Pcmu),
        ]
    } else {
        [
            (CodecKind::G722, CodecKind::G722),
            (CodecKind::Opus, CodecKind::G722),
            (CodecKind::Opus, CodecKind::Opus),
        ]
    };
    for (from, to) in pairs {
        for (what, wire) in [
            (", 1 % loss", loss(0.01)),
            (", 5 % loss", loss(0.05)),
            (", 30 ms jitter", jitter),
            (", +200 ppm", drift(200)),
            (", -200 ppm", drift(-200)),
        ] {
            passes.push((from, to, what, wire, Path::Bridge));
        }
        passes.push((from, to, ", room, 30 ms jitter", jitter, Path::Room));
        passes.push((from, to, ", room, +200 ppm", drift(200), Path::Room));
    }
    for (n, (from, to, what, wire, path)) in passes.into_iter().enumerate() {
        let file = PathBuf::from(folder).join(format!("box{n}.wav"));
        let (heard_rate, heard) = engine::pass(from, to, rate, pcm, wire, path, n as u64);
        write(&file, rate, &resample(heard_rate, rate, &heard));
        println!("box: {} > {}{what}\t{}", from.info().key, to.info().key, file.display());
    }
}

/// How often each kind of loss is tried, each time hitting other packets.
const LOSSES: u64 = 4;

struct Pass {
    codecs: Vec<CodecKind>,
    loss: Loss,
    fec: bool,
    /// Decides which packets are lost: the same ones for each codec.
    seed: u64,
}

#[derive(Clone, Copy)]
enum Loss {
    None,
    /// Each packet alike.
    Random(f64),
    /// 5 % in bursts of three on average.
    Bursts,
    /// As the others, with silence in the place of what was lost.
    RandomSilent(f64),
    BurstsSilent,
}

impl Loss {
    /// Of all packets.
    fn percent(self) -> u8 {
        match self {
            Loss::None => 0,
            Loss::Random(share) | Loss::RandomSilent(share) => (share * 100.0).round() as u8,
            Loss::Bursts | Loss::BurstsSilent => 5,
        }
    }

    fn unconcealed(self) -> Loss {
        match self {
            Loss::None | Loss::RandomSilent(_) | Loss::BurstsSilent => self,
            Loss::Random(share) => Loss::RandomSilent(share),
            Loss::Bursts => Loss::BurstsSilent,
        }
    }

    fn is_silent(self) -> bool {
        matches!(self, Loss::RandomSilent(_) | Loss::BurstsSilent)
    }

    /// Whether the next packet is lost; `before`: whether the last one was.
    fn strikes(self, rng: &mut Rng, before: bool) -> bool {
        match self {
            Loss::None => false,
            Loss::Random(share) | Loss::RandomSilent(share) => rng.chance(share),
            Loss::Bursts | Loss::BurstsSilent if before => rng.chance(2.0 / 3.0),
            Loss::Bursts | Loss::BurstsSilent => rng.chance(0.05 / 0.95 / 3.0),
        }
    }
}

impl Pass {
    fn name(&self) -> String {
        let codecs: Vec<&str> = self.codecs.iter().map(|codec| codec.info().key).collect();
        let loss = match self.loss {
            Loss::None => String::new(),
            Loss::Random(share) | Loss::RandomSilent(share) => format!(", {:.0} % loss", share * 100.0),
            Loss::Bursts | Loss::BurstsSilent => ", 5 % loss in bursts".to_owned(),
        };
        let repair = if self.fec { ", FEC" } else { "" };
        let silent = if self.loss.is_silent() { ", not concealed" } else { "" };
        format!("{}{loss}{repair}{silent}", codecs.join(" > "))
    }

    fn run(&self, rate: u32, pcm: &[i16]) -> Vec<i16> {
        let mut sound = (rate, pcm.to_vec());
        for codec in &self.codecs {
            // Opus takes the sound at the rate it has, the others at their own.
            let own = if *codec == CodecKind::Opus { sound.0 } else { codec.info().rate };
            sound = (own, self.through(*codec, own, &resample(sound.0, own, &sound.1)));
        }
        resample(sound.0, rate, &sound.1)
    }

    fn through(&self, codec: CodecKind, rate: u32, pcm: &[i16]) -> Vec<i16> {
        let opus = OpusParameters { use_inband_fec: self.fec, ..OpusParameters::default() };
        let (mut encoder, mut decoder) = (Encoder::new(codec, rate, opus), Decoder::new(codec, rate));
        if self.fec {
            // As the peer would report.
            encoder.set_expected_loss(self.loss.percent());
        }
        let frame = rate as usize / 50;
        let mut payload = [0; PAYLOAD_MAX];
        let packets: Vec<Vec<u8>> = pcm
            .chunks_exact(frame)
            .map(|pcm| {
                let bytes = encoder.encode(pcm, &mut payload);
                payload[..bytes].to_vec()
            })
            .collect();
        let mut rng = Rng::seeded(self.seed);
        let mut before = false;
        let lost: Vec<bool> = packets
            .iter()
            .map(|_| {
                before = self.loss.strikes(&mut rng, before);
                before
            })
            .collect();
        let mut heard = Vec::new();
        let mut out = [0; PCM_MAX];
        for (n, packet) in packets.iter().enumerate() {
            let out = &mut out[..frame];
            if !lost[n] {
                decoder.decode(packet, out);
            } else if self.loss.is_silent() {
                out.fill(0);
            } else {
                let next = (n + 1 < packets.len() && !lost[n + 1]).then(|| packets[n + 1].as_slice());
                decoder.conceal(next, out);
            }
            heard.extend_from_slice(out);
        }
        heard
    }
}

fn resample(from: u32, to: u32, pcm: &[i16]) -> Vec<i16> {
    let mut output = vec![0; pcm.len() * to as usize / from as usize];
    Resampler::new(from, to).process(pcm, &mut output);
    output
}

/// A WAV file of 16-bit mono as ffmpeg writes it: the samples follow the word `data` and their length.
fn read(path: &str) -> (u32, Vec<i16>) {
    let bytes = std::fs::read(path).unwrap();
    let rate = u32::from_le_bytes(bytes[24..28].try_into().unwrap());
    let data = bytes.windows(4).position(|word| word == b"data").unwrap() + 8;
    (rate, bytes[data..].as_chunks::<2>().0.iter().map(|pair| i16::from_le_bytes(*pair)).collect())
}

fn write(path: &PathBuf, rate: u32, pcm: &[i16]) {
    let bytes = pcm.len() as u32 * 2;
    let mut file = Vec::from(b"RIFF");
    file.extend((36 + bytes).to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    file.extend(rate.to_le_bytes());
    file.extend((2 * rate).to_le_bytes());
    file.extend(b"\x02\0\x10\0data");
    file.extend(bytes.to_le_bytes());
    file.extend(pcm.iter().flat_map(|sample| sample.to_le_bytes()));
    std::fs::write(path, file).unwrap();
}
