//! Who answered: a person, a machine or a fax (reference: webhooks §4.5).
//!
//! ```text
//!            voice              silence of speech_end: short ─▶ human
//!  waiting ─────────▶ speaking ──────────────────────▶
//!     │ silence_timeout   │ as long as speech_threshold
//!     ▼                   ▼
//!  unknown           machine (start) ──beep─▶ end_beep · silence ─▶ end_silence · a last noise ─▶ end_other
//! ```
//! A person says a word and waits to be answered; a machine goes on and then beeps. A beep is one steady tone for
//! 120 ms; a fax is known by its own two tones (ITU-T T.30 §4.3.3). Time is counted in the sound itself.

use std::f64::consts::TAU;

use serde::{Deserialize, Serialize};

use crate::tone::goertzel_power;
use crate::vad::{Activity, FRAME_MS, FRAME_SAMPLES, Frames, VoiceActivity};

/// What is asked of a detection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AmdSettings {
    /// A machine is only told once its greeting is over.
    pub message_end: bool,
    /// `MachineDetectionTimeout`, milliseconds: then it is unknown.
    pub timeout_ms: u32,
    /// `MachineDetectionSpeechThreshold`, milliseconds: whoever speaks as long at a time is a machine.
    pub speech_threshold_ms: u32,
    /// `MachineDetectionSpeechEndThreshold`, milliseconds of silence after which the word is over.
    pub speech_end_threshold_ms: u32,
    /// `MachineDetectionSilenceTimeout`, milliseconds of silence at the beginning: then it is unknown.
    pub silence_timeout_ms: u32,
}

impl Default for AmdSettings {
    fn default() -> Self {
        Self {
            message_end: false,
            timeout_ms: 30_000,
            speech_threshold_ms: 2_400,
            speech_end_threshold_ms: 1_200,
            silence_timeout_ms: 5_000,
        }
    }
}

/// Who it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnsweredBy {
    /// A person.
    Human,
    /// A machine, whose greeting goes on.
    MachineStart,
    /// A machine: its beep is over.
    MachineEndBeep,
    /// A machine: its greeting ended in silence.
    MachineEndSilence,
    /// A machine: its greeting ended in something else.
    MachineEndOther,
    /// A fax.
    Fax,
    /// Nobody can say.
    Unknown,
}

impl AnsweredBy {
    /// As published.
    pub fn as_str(self) -> &'static str {
        match self {
            AnsweredBy::Human => "human",
            AnsweredBy::MachineStart => "machine_start",
            AnsweredBy::MachineEndBeep => "machine_end_beep",
            AnsweredBy::MachineEndSilence => "machine_end_silence",
            AnsweredBy::MachineEndOther => "machine_end_other",
            AnsweredBy::Fax => "fax",
            AnsweredBy::Unknown => "unknown",
        }
    }
}

/// Listens to one leg until it knows. Sound is 16-bit at 8 kHz.
#[derive(Clone, Debug)]
pub struct Amd {
    settings: AmdSettings,
    frames: Frames,
    ear: Ear,
}

#[derive(Clone, Debug)]
struct Ear {
    vad: VoiceActivity,
    /// Sound heard, in milliseconds.
    at: u32,
    state: State,
    tone: Option<Held>,
    verdict: Option<AnsweredBy>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Nobody has said anything.
    Waiting,
    /// Somebody speaks: since when, and when last.
    Speaking { since: u32, last: u32 },
    /// A machine: when it was last heard, when what it says now began, and what was before that.
    Machine { since: u32, last: u32, paused: bool },
    /// It beeps.
    Beeping,
}

/// One steady tone.
#[derive(Clone, Copy, Debug)]
struct Held {
    hz: f64,
    ms: u32,
    /// Frames in between that were not this tone: a fax turns its phase.
    missed: u32,
}

/// From so many milliseconds of the same frequency on it may become a tone.
const TONE_MS: u32 = 40;
/// A steady tone of so many milliseconds is a beep.
const BEEP_MS: u32 = 120;
/// As long sounds a calling fax's tone (0.5 s, ±15 %), and surely an answering one's.
const FAX_MS: u32 = 400;
const FAX_CALLING: f64 = 1_100.0;
const FAX_ANSWERING: f64 = 2_100.0;
const FAX_OFF_HZ: f64 = 40.0;
/// How far a steady tone's frequency is measured apart from one frame to the next.
const STEADY_HZ: f64 = 25.0;
/// Of a frame's energy, what a pure tone has.
const PURE: f64 = 0.85;
/// Tones people can mean.
const TONE_HZ: std::ops::RangeInclusive<f64> = 300.0..=3_400.0;
/// A machine's beep comes so much later than a person's word would be over, at most.
const BEEP_AWAITED_MS: u32 = 1_500;
/// A last noise: not longer, and so long after the greeting at least.
const LAST_NOISE_MS: u32 = 600;
const LAST_NOISE_AFTER_MS: u32 = 300;
/// Sound that did not come in so many milliseconds is silence: a peer may send nothing while nobody speaks.
const MISSING_MS: u32 = 200;

impl Amd {
    /// Begins to listen.
    pub fn new(settings: AmdSettings) -> Amd {
        let ear =
            Ear { vad: VoiceActivity::default(), at: 0, state: State::Waiting, tone: None, verdict: None };
        Amd { settings, frames: Frames::default(), ear }
    }

    /// Takes what is heard next. The verdict and after how many milliseconds it came, once.
    pub fn feed(&mut self, pcm: &[i16]) -> Option<(AnsweredBy, u32)> {
        let (settings, ear) = (self.settings, &mut self.ear);
        if ear.verdict.is_some() {
            return None;
        }
        self.frames.feed(pcm, |frame| {
            if ear.verdict.is_none() {
                ear.on_frame(&settings, frame);
            }
        });
        ear.verdict.map(|verdict| (verdict, ear.at))
    }

    /// So many milliseconds have passed since it began, whether anything came or not.
    pub fn elapsed(&mut self, ms: u32) -> Option<(AnsweredBy, u32)> {
        let mut missing = ms.saturating_sub(self.ear.at.saturating_add(MISSING_MS));
        while missing >= FRAME_MS && self.ear.verdict.is_none() {
            missing -= FRAME_MS;
            if let Some(verdict) = self.feed(&[0; FRAME_SAMPLES]) {
                return Some(verdict);
            }
        }
        None
    }
}

impl Ear {
    fn on_frame(&mut self, settings: &AmdSettings, frame: &[i16; FRAME_SAMPLES]) {
        self.at += FRAME_MS;
        let activity = self.vad.feed(frame);
        let tone_ended = self.hear_tone(frame, activity != Activity::Quiet);
        if let Some(tone) = self.tone {
            if self.is_fax(tone) {
                self.verdict = Some(AnsweredBy::Fax);
                return;
            }
            if tone.ms >= BEEP_MS && !may_be_fax(tone.hz, self.state) {
                self.state = State::Beeping;
            }
        }
        match (self.state, activity) {
            (State::Waiting, Activity::Voice { .. }) => {
                let since = self.at.saturating_sub(VoiceActivity::ONSET_FRAMES * FRAME_MS);
                // What may yet become a fax's tone is nobody's voice.
                if self.tone.is_none_or(|tone| tone.ms < TONE_MS) {
                    self.state = State::Speaking { since, last: self.at };
                }
            }
            (State::Waiting, _)
                if self.at >= settings.silence_timeout_ms
                    && self.tone.is_none_or(|tone| tone.ms < TONE_MS) =>
            {
                self.verdict = Some(AnsweredBy::Unknown);
            }
            (State::Speaking { since, .. }, Activity::Voice { .. }) => {
                self.state = State::Speaking { since, last: self.at };
                if self.at - since >= settings.speech_threshold_ms {
                    self.is_machine(settings);
                }
            }
            (State::Speaking { since, last }, _) if self.at - last >= settings.speech_end_threshold_ms => {
                if last - since < settings.speech_threshold_ms {
                    self.verdict = Some(AnsweredBy::Human);
                } else {
                    self.is_machine(settings);
                }
            }
            (State::Machine { since, last, paused }, Activity::Voice { onset }) => {
                let pause =
                    self.at.saturating_sub(VoiceActivity::ONSET_FRAMES * FRAME_MS).saturating_sub(last);
                let anew = onset && pause >= LAST_NOISE_AFTER_MS;
                self.state = State::Machine {
                    since: if anew { self.at } else { since },
                    last: self.at,
                    paused: paused || anew,
                };
            }
            (State::Machine { since, last, paused }, _)
                if self.at - last >= settings.speech_end_threshold_ms + BEEP_AWAITED_MS =>
            {
                let ended_otherwise = paused && last - since <= LAST_NOISE_MS;
                self.verdict = Some(match ended_otherwise {
                    true => AnsweredBy::MachineEndOther,
                    false => AnsweredBy::MachineEndSilence,
                });
            }
            (State::Beeping, _) if tone_ended || !settings.message_end => {
                self.verdict = Some(match settings.message_end {
                    true => AnsweredBy::MachineEndBeep,
                    false => AnsweredBy::MachineStart,
                });
            }
            (State::Waiting | State::Speaking { .. } | State::Machine { .. } | State::Beeping, _) => {}
        }
        if self.at >= settings.timeout_ms && self.verdict.is_none() {
            self.verdict = Some(AnsweredBy::Unknown);
        }
    }

    fn is_machine(&mut self, settings: &AmdSettings) {
        if settings.message_end {
            self.state = State::Machine { since: self.at, last: self.at, paused: false };
        } else {
            self.verdict = Some(AnsweredBy::MachineStart);
        }
    }

    fn is_fax(&self, tone: Held) -> bool {
        tone.ms >= FAX_MS && may_be_fax(tone.hz, self.state)
    }

    /// Follows one steady tone; true when a beep is over.
    fn hear_tone(&mut self, frame: &[i16; FRAME_SAMPLES], loud: bool) -> bool {
        let heard = if loud { pure_tone(frame) } else { None };
        let held = self.tone.take();
        self.tone = match (held, heard) {
            (Some(held), Some(hz)) if (hz - held.hz).abs() <= STEADY_HZ => {
                Some(Held { ms: held.ms + FRAME_MS, missed: 0, ..held })
            }
            (Some(held), _) if held.missed == 0 && loud => Some(Held { missed: 1, ..held }),
            (_, Some(hz)) => Some(Held { hz, ms: FRAME_MS, missed: 0 }),
            (_, None) => None,
        };
        held.is_some_and(|held| held.ms >= BEEP_MS) && self.tone.is_none_or(|tone| tone.ms < BEEP_MS)
    }
}

/// An answering fax may be heard at any time before a machine has spoken, a calling one only at once.
fn may_be_fax(hz: f64, state: State) -> bool {
    let near = |wanted: f64| (hz - wanted).abs() <= FAX_OFF_HZ;
    match state {
        State::Waiting => near(FAX_CALLING) || near(FAX_ANSWERING),
        State::Speaking { .. } => near(FAX_ANSWERING),
        State::Machine { .. } | State::Beeping => false,
    }
}

/// The frequency of the one tone a frame consists of. A sine is foretold by the two samples before it: the sum
/// of its neighbours is always the same multiple of a sample.
fn pure_tone(frame: &[i16; FRAME_SAMPLES]) -> Option<f64> {
    let (mut product, mut square) = (0.0, 0.0);
    for three in frame.windows(3) {
        let (before, now, after) = (f64::from(three[0]), f64::from(three[1]), f64::from(three[2]));
        product += now * (before + after);
        square += now * now;
    }
    if square <= 0.0 {
        return None;
    }
    let hz = (product / square / 2.0).clamp(-1.0, 1.0).acos() * 8_000.0 / TAU;
    (TONE_HZ.contains(&hz) && goertzel_power(frame, 8_000, hz) >= PURE).then_some(hz)
}

#[cfg(test)]
mod tests {
    use base::Rng;

    use super::*;

    /// Pieces of sound.
    enum Piece {
        Silence(u32),
        /// Like a voice: a pitch with overtones, louder and softer four times a second.
        Voice(u32),
        Tone(f64, u32),
        /// Two tones at once, which is no beep.
        Both(f64, f64, u32),
        Noise(u32),
    }

    use AnsweredBy::{Fax, Human, MachineEndBeep, MachineEndOther, MachineEndSilence, MachineStart, Unknown};
    use Piece::{Both, Noise, Silence, Tone, Voice};

    fn sound(pieces: &[Piece]) -> Vec<i16> {
        let mut rng = Rng::seeded(3);
        let sine = |hz: f64, n: u32| (TAU * hz * f64::from(n) / 8_000.0).sin();
        let mut pcm = Vec::new();
        for piece in pieces {
            let (Silence(ms) | Voice(ms) | Tone(_, ms) | Both(_, _, ms) | Noise(ms)) = piece;
            for n in 0..ms * 8 {
                let value = match piece {
                    Silence(_) => 0.0,
                    Voice(_) => {
                        let pitch = 130.0 + 20.0 * sine(0.7, n);
                        let loud = 0.6 + 0.4 * sine(4.0, n);
                        let overtones =
                            (1..9).map(|k| sine(pitch * f64::from(k), n) / (1.0 + f64::from(k % 4)));
                        loud * 2_500.0 * overtones.sum::<f64>()
                    }
                    Tone(hz, _) => 6_000.0 * sine(*hz, n),
                    Both(a, b, _) => 4_000.0 * (sine(*a, n) + sine(*b, n)),
                    Noise(_) => rng.below(12_000) as f64 - 6_000.0,
                };
                // A telephone line is never quite silent.
                let sample = (value + rng.below(21) as f64 - 10.0) as i16;
                pcm.push(crate::CodecKind::Pcma.decode(crate::CodecKind::Pcma.encode(sample)));
            }
        }
        pcm
    }

    fn verdict(pcm: &[i16], settings: AmdSettings) -> Option<(AnsweredBy, u32)> {
        let mut amd = Amd::new(settings);
        pcm.chunks(160).find_map(|frame| amd.feed(frame))
    }

    fn end() -> AmdSettings {
        AmdSettings { message_end: true, ..AmdSettings::default() }
    }

    #[test]
    fn who_answered() {
        let start = AmdSettings::default();
        let long = || vec![Silence(300), Voice(1_500), Silence(400), Voice(3_000)];
        let after = |more: Vec<Piece>| long().into_iter().chain(more).collect::<Vec<_>>();
        for (what, pieces, settings, expected, at) in [
            ("hello?", vec![Silence(600), Voice(500), Silence(3_000)], start, Human, 2_300),
            ("hello?", vec![Silence(600), Voice(500), Silence(3_000)], end(), Human, 2_300),
            (
                "hello, this is Ann",
                vec![Voice(700), Silence(300), Voice(900), Silence(2_000)],
                start,
                Human,
                3_100,
            ),
            ("a greeting", long(), start, MachineStart, 2_700),
            (
                "a greeting and a beep",
                after(vec![Silence(600), Tone(1_000.0, 500), Silence(3_000)]),
                end(),
                MachineEndBeep,
                6_340,
            ),
            (
                "a low beep at once",
                after(vec![Tone(440.0, 250), Silence(3_000)]),
                end(),
                MachineEndBeep,
                5_490,
            ),
            ("a greeting and nothing", after(vec![Silence(5_000)]), end(), MachineEndSilence, 7_900),
            (
                "a greeting and a noise",
                after(vec![Silence(500), Noise(250), Silence(5_000)]),
                end(),
                MachineEndOther,
                8_650,
            ),
            (
                "a greeting and a beep of two tones",
                after(vec![Silence(500), Both(480.0, 1_400.0, 300), Silence(5_000)]),
                end(),
                MachineEndOther,
                8_700,
            ),
            (
                "a beep and no word",
                vec![Silence(500), Tone(800.0, 400), Silence(2_000)],
                start,
                MachineStart,
                620,
            ),
            ("nobody", vec![Silence(8_000)], start, Unknown, 5_000),
            ("nobody, end", vec![Silence(8_000)], end(), Unknown, 5_000),
            ("a calling fax", vec![Silence(700), Tone(1_100.0, 500), Silence(3_000)], start, Fax, 1_100),
            ("an answering fax", vec![Silence(1_500), Tone(2_100.0, 3_000)], end(), Fax, 1_900),
            ("an endless talker", vec![Voice(40_000)], end(), Unknown, 30_000),
            ("a click", vec![Silence(300), Noise(40), Silence(9_000)], start, Unknown, 5_000),
        ] {
            let (answered_by, ms) = verdict(&sound(&pieces), settings).expect(what);
            assert_eq!(answered_by, expected, "{what} after {ms} ms");
            assert!(ms.abs_diff(at) <= 150, "{what}: after {ms} ms, not {at}");
        }
    }

    #[test]
    fn every_timer_counts() {
        let pcm = sound(&[Silence(600), Voice(1_500), Silence(700), Voice(800), Silence(4_000)]);
        let with = |change: fn(&mut AmdSettings)| {
            let mut settings = AmdSettings::default();
            change(&mut settings);
            verdict(&pcm, settings).unwrap().0
        };
        assert_eq!(with(|_| {}), MachineStart);
        assert_eq!(with(|s| s.speech_threshold_ms = 6_000), Human);
        assert_eq!(with(|s| s.speech_threshold_ms = 1_000), MachineStart);
        assert_eq!(with(|s| s.speech_end_threshold_ms = 500), Human);
        assert_eq!(with(|s| s.timeout_ms = 1_000), Unknown);
        assert_eq!(with(|s| s.silence_timeout_ms = 400), Unknown);
    }

    #[test]
    fn a_verdict_comes_once_and_missing_sound_is_silence() {
        let mut amd = Amd::new(AmdSettings::default());
        assert_eq!(amd.elapsed(5_000), None);
        assert_eq!(amd.elapsed(5_200), Some((Unknown, 5_000)));
        assert_eq!(amd.elapsed(9_000), None);
        assert_eq!(amd.feed(&[0; 4_000]), None);
        // What comes late is still heard, and nothing twice.
        let mut amd = Amd::new(AmdSettings::default());
        let hello = sound(&[Silence(400), Voice(500)]);
        assert_eq!(amd.feed(&hello), None);
        assert_eq!(amd.elapsed(1_000), None);
        assert!(matches!(amd.elapsed(2_400), Some((Human, 2_000..2_300))));
    }

    #[test]
    fn a_voice_is_no_tone_and_a_quiet_one_is_still_a_voice() {
        for share in [1, 3, 6] {
            let pcm: Vec<i16> =
                sound(&[Silence(500), Voice(600), Silence(3_000)]).iter().map(|s| s / share).collect();
            assert_eq!(verdict(&pcm, end()).unwrap().0, Human, "a {share}th");
        }
    }
}
