//! Tones: made, and found again in what was heard. Independent of the box's own code on purpose.

use std::f64::consts::TAU;

pub const RATE: u32 = 8000;

/// A sine at a quarter of full scale.
pub fn sine(hz: f64, seconds: f64) -> Vec<i16> {
    sine_at(hz, seconds, RATE)
}

/// The same at so many samples a second.
pub fn sine_at(hz: f64, seconds: f64, rate: u32) -> Vec<i16> {
    let count = (seconds * f64::from(rate)) as usize;
    (0..count).map(|n| ((n as f64 * hz * TAU / f64::from(rate)).sin() * 8000.0) as i16).collect()
}

/// The share of the samples' energy that is at `hz`: 1 for a pure tone, about 0 when it is absent.
pub fn share(samples: &[i16], hz: f64) -> f64 {
    let energy: f64 = samples.iter().map(|&x| f64::from(x).powi(2)).sum();
    if samples.is_empty() || energy < samples.len() as f64 * 100.0 {
        return 0.0;
    }
    let turn = TAU * hz / f64::from(RATE);
    let (re, im) = samples.iter().enumerate().fold((0.0, 0.0), |(re, im), (n, &x)| {
        let angle = n as f64 * turn;
        (re + f64::from(x) * angle.cos(), im + f64::from(x) * angle.sin())
    });
    2.0 * (re * re + im * im) / samples.len() as f64 / energy
}

/// Where a tone dominates: seconds at which 50 ms windows hold at least half their energy at `hz`.
pub fn seconds_of(samples: &[i16], hz: f64) -> f64 {
    windows(samples, |window| share(window, hz) > 0.5)
}

/// Seconds at which a tone is part of what is heard, perhaps beside another voice.
pub fn seconds_with(samples: &[i16], hz: f64) -> f64 {
    windows(samples, |window| share(window, hz) > 0.2)
}

/// Seconds at which there is sound that is none of `tones`: speech, music, noise.
pub fn seconds_of_other(samples: &[i16], tones: &[f64]) -> f64 {
    windows(samples, |window| loud(window) && tones.iter().all(|&hz| share(window, hz) < 0.5))
}

/// Seconds at which there is any sound.
pub fn seconds_of_sound(samples: &[i16]) -> f64 {
    windows(samples, loud)
}

/// When, in seconds from the start, a tone is first heard.
pub fn first_heard(samples: &[i16], hz: f64) -> Option<f64> {
    let at = samples.chunks(WINDOW).position(|window| share(window, hz) > 0.5)?;
    Some((at * WINDOW) as f64 / f64::from(RATE))
}

/// When, in seconds from the start, a tone is first part of what is heard, perhaps beside another voice.
pub fn first_with(samples: &[i16], hz: f64) -> Option<f64> {
    let at = samples.chunks(WINDOW).position(|window| share(window, hz) > 0.2)?;
    Some((at * WINDOW) as f64 / f64::from(RATE))
}

const WINDOW: usize = 400;

fn windows(samples: &[i16], is: impl Fn(&[i16]) -> bool) -> f64 {
    samples.chunks_exact(WINDOW).filter(|window| is(window)).count() as f64 * WINDOW as f64 / f64::from(RATE)
}

fn loud(window: &[i16]) -> bool {
    window.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() > window.len() as f64 * 200.0 * 200.0
}

/// G.711 µ-law, one sample (ITU-T G.711 table 2).
pub fn ulaw_encode(sample: i16) -> u8 {
    let sign = if sample < 0 { 0x80 } else { 0 };
    let magnitude = i32::from(sample).abs().min(32_635) + 132;
    let exponent = (0..8).rev().find(|e| magnitude & (0x80 << e) != 0).unwrap_or(0);
    let mantissa = (magnitude >> (exponent + 3)) & 0x0f;
    !(sign | (exponent << 4) as u8 | mantissa as u8)
}

/// G.711 µ-law, one byte.
pub fn ulaw_decode(byte: u8) -> i16 {
    let byte = !byte;
    let magnitude = ((i32::from(byte & 0x0f) << 3) + 132) << ((byte >> 4) & 7);
    let value = magnitude - 132;
    (if byte & 0x80 != 0 { -value } else { value }) as i16
}

/// G.711 A-law, one byte.
pub fn alaw_decode(byte: u8) -> i16 {
    let byte = byte ^ 0x55;
    let exponent = (byte >> 4) & 7;
    let mantissa = i32::from(byte & 0x0f) << 4;
    let value = if exponent == 0 { mantissa + 8 } else { (mantissa + 0x108) << (exponent - 1) };
    (if byte & 0x80 != 0 { value } else { -value }) as i16
}

/// G.711 A-law, one sample.
pub fn alaw_encode(sample: i16) -> u8 {
    let sign = if sample >= 0 { 0x80 } else { 0 };
    let magnitude = i32::from(sample).abs().min(32_635);
    let exponent = (1..8).rev().find(|e| magnitude & (0x80 << e) != 0).unwrap_or(0);
    let mantissa = (magnitude >> if exponent == 0 { 4 } else { exponent + 3 }) & 0x0f;
    (sign | (exponent << 4) as u8 | mantissa as u8) ^ 0x55
}

/// A WAV file of one channel, 16 bit.
pub fn wav(samples: &[i16]) -> Vec<u8> {
    wav_of(samples, RATE, 1)
}

/// The same at so many samples a second, the channels' samples in turns.
pub fn wav_of(samples: &[i16], rate: u32, channels: u8) -> Vec<u8> {
    let data = samples.len() as u32 * 2;
    let mut out = Vec::with_capacity(44 + data as usize);
    out.extend_from_slice(b"RIFF");
    out.extend_from_slice(&(36 + data).to_le_bytes());
    out.extend_from_slice(b"WAVEfmt ");
    out.extend_from_slice(&16u32.to_le_bytes());
    out.extend_from_slice(&[1, 0, channels, 0]);
    out.extend_from_slice(&rate.to_le_bytes());
    out.extend_from_slice(&(rate * 2 * u32::from(channels)).to_le_bytes());
    out.extend_from_slice(&[2 * channels, 0, 16, 0]);
    out.extend_from_slice(b"data");
    out.extend_from_slice(&data.to_le_bytes());
    samples.iter().for_each(|x| out.extend_from_slice(&x.to_le_bytes()));
    out
}

/// The channels of a WAV file of 16-bit samples at 8 kHz.
pub fn read_wav(bytes: &[u8]) -> Vec<Vec<i16>> {
    let (channels, rate) = channels_of(bytes);
    assert_eq!(rate, RATE);
    channels
}

/// The first channel of a WAV file of 16-bit samples at any multiple of 8 kHz, brought to 8 kHz.
pub fn read_any_wav(bytes: &[u8]) -> Vec<i16> {
    let (mut channels, rate) = channels_of(bytes);
    let step = (rate / RATE) as usize;
    let mean = |part: &[i16]| (part.iter().map(|&x| i32::from(x)).sum::<i32>() / part.len() as i32) as i16;
    channels.swap_remove(0).chunks_exact(step).map(mean).collect()
}

/// The channels of a WAV file of 16-bit samples, and their rate.
fn channels_of(bytes: &[u8]) -> (Vec<Vec<i16>>, u32) {
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    assert_eq!((&bytes[..4], &bytes[8..12]), (&b"RIFF"[..], &b"WAVE"[..]), "not a WAV file");
    let (mut at, mut channels, mut rate) = (12, 1usize, RATE);
    while at + 8 <= bytes.len() {
        let size = word(at + 4) as usize;
        match &bytes[at..at + 4] {
            b"fmt " => {
                channels = usize::from(bytes[at + 10]);
                rate = word(at + 12);
                assert_eq!(bytes[at + 22], 16, "16 bit");
            }
            b"data" => {
                let data = &bytes[at + 8..bytes.len().min(at + 8 + size)];
                let samples: Vec<i16> =
                    data.chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]])).collect();
                let channel = |c| samples.iter().skip(c).step_by(channels).copied().collect();
                return ((0..channels).map(channel).collect(), rate);
            }
            _ => {}
        }
        at += 8 + size + size % 2;
    }
    panic!("a WAV file without data");
}
