//! Each codec, each resampling, and whole transcodes against the bare codec calls they consist of.
//!
//! A frame is 20 ms. A transcode is what a media thread does for a packet: decoder, resampler, encoder, all with
//! their state. Its floor is the same codec calls alone, on the same samples in the same run.

#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, reason = "a bench speaks to a person")]

use std::hint::black_box;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use media::codec::{CodecKind, Decoder, Encoder, PAYLOAD_MAX, PCM_MAX, coder::Effort};
use media::negotiated::OpusParameters;
use media::resample::Resampler;

fn main() -> ExitCode {
    println!("microseconds for a frame of 20 ms, best of {ROUNDS} rounds over a second of speech");
    println!("\ncodec                 encode  decode");
    for (codec, rate, effort) in [
        (CodecKind::Pcmu, 8_000, Effort::Full),
        (CodecKind::Pcma, 8_000, Effort::Full),
        (CodecKind::L16Narrow, 8_000, Effort::Full),
        (CodecKind::L16Wide, 16_000, Effort::Full),
        (CodecKind::G722, 16_000, Effort::Full),
        (CodecKind::Opus, 8_000, Effort::Least),
        (CodecKind::Opus, 8_000, Effort::Less),
        (CodecKind::Opus, 8_000, Effort::Full),
        (CodecKind::Opus, 16_000, Effort::Full),
        (CodecKind::Opus, 48_000, Effort::Full),
    ] {
        let (encode, decode) = codec_costs(codec, rate, effort);
        println!("{:21} {encode:6.2}  {decode:6.2}", name(codec, rate, effort));
    }
    println!("\nconcealing a lost frame, of the first four in a row");
    for codec in [CodecKind::Pcmu, CodecKind::L16Wide] {
        println!("{:21} {:6.2}", name(codec, codec.info().rate, Effort::Full), conceal_cost(codec));
    }
    println!("\nresampling");
    let mut within = true;
    for (from, to, budget) in
        [(8_000, 16_000, 1.2), (16_000, 8_000, 1.2), (8_000, 48_000, 3.0), (48_000, 8_000, 3.0)]
    {
        let took = resampling_cost(from, to);
        let verdict = if took <= budget { "" } else { "  SLOWER THAN HOPED" };
        println!("{from:6} to {to:6}      {took:6.2}  (hoped for {budget:.1}){verdict}");
    }
    for (from, to) in [(16_000, 48_000), (48_000, 16_000)] {
        println!("{from:6} to {to:6}      {:6.2}", resampling_cost(from, to));
    }
    println!("\ntranscode                    whole    bare   ratio");
    for (from, to) in [
        (CodecKind::Opus, CodecKind::Pcmu),
        (CodecKind::Pcmu, CodecKind::Opus),
        (CodecKind::G722, CodecKind::Pcmu),
        (CodecKind::Pcmu, CodecKind::G722),
        (CodecKind::Opus, CodecKind::G722),
        (CodecKind::G722, CodecKind::Opus),
    ] {
        within &= transcode(from, to);
    }
    if within { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn name(codec: CodecKind, rate: u32, effort: Effort) -> String {
    match (codec, effort) {
        (CodecKind::Opus, Effort::Least) => format!("opus {} kHz, effort 0", rate / 1_000),
        (CodecKind::Opus, Effort::Less) => format!("opus {} kHz, effort 3", rate / 1_000),
        (CodecKind::Opus, Effort::Full) => format!("opus {} kHz, effort 5", rate / 1_000),
        _ => codec.info().key.to_owned(),
    }
}

/// A second of a synthetic voice.
fn voice(rate: u32) -> Vec<i16> {
    let bytes = include_bytes!("../tests/data/audio/speech-16k.s16");
    let speech: Vec<i16> = bytes.as_chunks::<2>().0.iter().map(|pair| i16::from_le_bytes(*pair)).collect();
    let mut output = vec![0; rate as usize];
    Resampler::new(16_000, rate).process(&speech, &mut output);
    output
}

fn encoder(codec: CodecKind, rate: u32) -> Encoder {
    Encoder::new(codec, rate, OpusParameters::default())
}

fn packets(codec: CodecKind, rate: u32) -> Vec<Vec<u8>> {
    let mut encoder = encoder(codec, rate);
    let frame = encoder.rate() as usize / 50;
    let mut payload = [0; PAYLOAD_MAX];
    voice(encoder.rate())
        .chunks(frame)
        .map(|pcm| {
            let bytes = encoder.encode(pcm, &mut payload);
            payload[..bytes].to_vec()
        })
        .collect()
}

fn codec_costs(codec: CodecKind, rate: u32, effort: Effort) -> (f64, f64) {
    let pcm = voice(rate);
    let mut encoder = encoder(codec, rate);
    encoder.set_effort(effort);
    let mut payload = [0; PAYLOAD_MAX];
    let encode = || {
        for pcm in pcm.chunks(rate as usize / 50) {
            black_box(encoder.encode(black_box(pcm), &mut payload));
        }
    };
    let packets = packets(codec, rate);
    let mut decoder = Decoder::new(codec, rate);
    let mut out = [0; PCM_MAX];
    let decode = || {
        for packet in &packets {
            black_box(decoder.decode(black_box(packet), &mut out));
        }
    };
    race(encode, decode)
}

fn conceal_cost(codec: CodecKind) -> f64 {
    let packets = packets(codec, codec.info().rate);
    let frame = codec.info().rate as usize / 50;
    let mut decoder = Decoder::new(codec, codec.info().rate);
    let mut out = [0; PCM_MAX];
    let mut sound = |lose: bool| {
        for (n, packet) in packets.iter().enumerate() {
            if lose && n % 10 >= 6 {
                decoder.conceal(None, black_box(&mut out[..frame]));
            } else {
                black_box(decoder.decode(packet, &mut out));
            }
        }
    };
    // Twenty of fifty are lost: what they add to the others' cost, over twenty of the cheap decodes they replace.
    let (mut with, mut without) = (Duration::MAX, Duration::MAX);
    for _ in 0..ROUNDS {
        with = with.min(timed(|| sound(true)));
        without = without.min(timed(|| sound(false)));
    }
    (micros(with) * 50.0 - micros(without) * 30.0) / 20.0
}

fn resampling_cost(from: u32, to: u32) -> f64 {
    let pcm = voice(from);
    let mut resampler = Resampler::new(from, to);
    let mut out = [0; PCM_MAX];
    let convert = || {
        for pcm in pcm.chunks(from as usize / 50) {
            black_box(resampler.process(black_box(pcm), &mut out));
        }
    };
    race(convert, || ()).0
}

/// Prints one row; whether it keeps to its budget.
fn transcode(from: CodecKind, to: CodecKind) -> bool {
    // Opus and G.722 meet the other side at that side's rate, without a filter of ours.
    let other = |codec: CodecKind, peer: CodecKind| match codec {
        CodecKind::Opus => peer.info().rate,
        CodecKind::G722 => peer.info().rate.min(16_000),
        _ => codec.info().rate,
    };
    let (rate, out_rate) = (other(from, to), other(to, from));
    let packets = packets(from, rate);
    let mut payload = [0; PAYLOAD_MAX];
    let mut pcm = [0; PCM_MAX];
    let mut resampled = [0; PCM_MAX];
    let (mut decoder, mut resampler) = (Decoder::new(from, rate), Resampler::new(rate, out_rate));
    let mut to_whole = encoder(to, out_rate);
    let whole = || {
        for packet in &packets {
            let count = decoder.decode(black_box(packet), &mut pcm);
            let count = resampler.process(&pcm[..count], &mut resampled);
            black_box(to_whole.encode(&resampled[..count], &mut payload));
        }
    };
    // The same sound in front of the bare encoder, for what it costs depends on it.
    let mut sound = Vec::new();
    let (mut decoder, mut resampler) = (Decoder::new(from, rate), Resampler::new(rate, out_rate));
    let (mut pcm, mut resampled, mut payload) = ([0; PCM_MAX], [0; PCM_MAX], [0; PAYLOAD_MAX]);
    for packet in &packets {
        let count = decoder.decode(packet, &mut pcm);
        let count = resampler.process(&pcm[..count], &mut resampled);
        sound.extend_from_slice(&resampled[..count]);
    }
    let mut decoder = Decoder::new(from, rate);
    let mut to_bare = encoder(to, out_rate);
    let bare = || {
        for (packet, sound) in packets.iter().zip(sound.chunks(out_rate as usize / 50)) {
            black_box(decoder.decode(black_box(packet), &mut pcm));
            black_box(to_bare.encode(black_box(sound), &mut payload));
        }
    };
    let (whole, bare) = race(whole, bare);
    let ratio = whole / bare;
    let budget = 1.05;
    let verdict = if ratio <= budget { "" } else { "  OVER BUDGET" };
    println!(
        "{:12} to {:8} {whole:8.2} {bare:8.2}   {ratio:.3} (budget {budget:.2}){verdict}",
        from.info().key,
        to.info().key
    );
    ratio <= budget
}

const ROUNDS: usize = 60;

/// Microseconds a frame of each takes: the best of many rounds, taken in turns so that both see the same machine.
fn race(mut a: impl FnMut(), mut b: impl FnMut()) -> (f64, f64) {
    let mut best = (Duration::MAX, Duration::MAX);
    for _ in 0..ROUNDS {
        best.0 = best.0.min(timed(&mut a));
        best.1 = best.1.min(timed(&mut b));
    }
    (micros(best.0), micros(best.1))
}

fn timed(call: impl FnOnce()) -> Duration {
    let start = Instant::now();
    call();
    start.elapsed()
}

/// Of a second's fifty frames.
fn micros(second: Duration) -> f64 {
    second.as_nanos() as f64 / 1_000.0 / 50.0
}
