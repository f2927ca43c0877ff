//! Which element of SSML may stand in which, and what its attributes may be (reference: twiml-voice §4.1).
//!
//! Nothing here costs a caller a word: what breaks a rule is told (12200), and read as if its tag or its value were not
//! there.

use crate::reading::is_language;

pub(super) const STRENGTHS: &[&str] = &["none", "x-weak", "weak", "medium", "strong", "x-strong"];
pub(super) const LEVELS: &[&str] = &["strong", "moderate", "reduced"];
pub(super) const RATES: &[&str] = &["x-slow", "slow", "medium", "fast", "x-fast"];
pub(super) const PITCHES: &[&str] = &["default", "x-low", "low", "medium", "high", "x-high"];
pub(super) const VOLUMES: &[&str] = &["default", "silent", "x-soft", "soft", "medium", "loud", "x-loud"];
const ALPHABETS: &[&str] =
    &["ipa", "x-sampa", "x-amazon-jyutping", "x-amazon-pinyin", "x-amazon-pron-kana", "x-amazon-yomigana"];
const INTERPRETATIONS: &[&str] = &[
    "characters",
    "spell-out",
    "cardinal",
    "number",
    "ordinal",
    "digits",
    "fraction",
    "unit",
    "date",
    "time",
    "address",
    "expletive",
    "telephone",
];
const FORMATS: &[&str] = &["mdy", "dmy", "ymd", "md", "dm", "ym", "my", "d", "m", "y", "yyyymmdd"];

/// What may stand in a word, in a sentence, in a paragraph, and in what holds all of them.
const IN_WORD: &[&str] = &["break", "emphasis", "phoneme", "prosody", "say-as", "sub"];
const IN_SENTENCE: &[&str] = &["break", "emphasis", "lang", "phoneme", "prosody", "say-as", "sub", "w"];
const IN_PARAGRAPH: &[&str] = &["break", "emphasis", "lang", "phoneme", "prosody", "s", "say-as", "sub", "w"];
const IN_ALL: &[&str] = &["break", "emphasis", "lang", "p", "phoneme", "prosody", "s", "say-as", "sub", "w"];

/// Whether an element may stand in another one, or in `<Say>` itself.
pub(super) fn may_contain(parent: &str, child: &str) -> bool {
    let children = match parent {
        "break" | "phoneme" | "say-as" | "sub" => &[],
        "emphasis" | "s" => IN_SENTENCE,
        "p" => IN_PARAGRAPH,
        "w" => IN_WORD,
        _ => IN_ALL,
    };
    children.contains(&child)
}

/// Whether an attribute may have this value.
pub(super) fn is_good(element: &str, attribute: &str, value: &str) -> bool {
    let one_of = |words: &[&str]| words.contains(&value);
    match (element, attribute) {
        ("break", "strength") => one_of(STRENGTHS),
        ("break", "time") => milliseconds(value).is_some(),
        ("emphasis", "level") => one_of(LEVELS),
        ("lang", "lang") => is_language(value),
        ("phoneme", "alphabet") => one_of(ALPHABETS),
        ("prosody", "rate") => one_of(RATES) || percent(value).is_some_and(|percent| percent > 0),
        ("prosody", "pitch") => one_of(PITCHES) || change(value).is_some(),
        ("prosody", "volume") => one_of(VOLUMES) || decibels(value).is_some(),
        ("say-as", "interpret-as") => one_of(INTERPRETATIONS),
        ("say-as", "format") => one_of(FORMATS),
        (_, _) => true,
    }
}

/// `2s` or `350ms`.
pub(super) fn milliseconds(time: &str) -> Option<f32> {
    let ms = match time.strip_suffix("ms") {
        Some(ms) => ms.parse().ok(),
        None => time.strip_suffix('s').and_then(|s| s.parse().ok()).map(|s: f32| s * 1_000.0),
    };
    ms.filter(|ms: &f32| ms.is_finite() && *ms >= 0.0)
}

/// `85%`.
pub(super) fn percent(value: &str) -> Option<i32> {
    value.strip_suffix('%')?.parse::<f32>().ok().filter(|percent| percent.abs() < 1e6).map(|p| p as i32)
}

/// `+10%`.
pub(super) fn change(value: &str) -> Option<i32> {
    percent(value).filter(|_| value.starts_with(['+', '-']))
}

/// `-6dB`.
pub(super) fn decibels(value: &str) -> Option<f32> {
    value.strip_suffix("dB").and_then(|db| db.parse().ok()).filter(|db: &f32| db.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_element_contains_what_it_may() {
        for (parent, children) in [
            ("Say", "break emphasis lang p phoneme prosody s say-as sub w"),
            ("break", ""),
            ("emphasis", "break emphasis lang phoneme prosody say-as sub w"),
            ("lang", "break emphasis lang p phoneme prosody s say-as sub w"),
            ("p", "break emphasis lang phoneme prosody s say-as sub w"),
            ("phoneme", ""),
            ("prosody", "break emphasis lang p phoneme prosody s say-as sub w"),
            ("s", "break emphasis lang phoneme prosody say-as sub w"),
            ("say-as", ""),
            ("sub", ""),
            ("w", "break emphasis phoneme prosody say-as sub"),
        ] {
            let may: Vec<&str> = IN_ALL.iter().copied().filter(|child| may_contain(parent, child)).collect();
            assert_eq!(may.join(" "), children, "{parent}");
        }
    }

    #[test]
    fn values() {
        for (element, attribute, good, bad) in [
            ("break", "strength", "none x-strong", "huge"),
            ("break", "time", "2s 0.5s 350ms 0s", "2 soon -1s NaNs ms"),
            ("emphasis", "level", "strong reduced", "none"),
            ("lang", "lang", "fr-FR arb en-GB-WLS", "? french!"),
            ("phoneme", "alphabet", "ipa x-amazon-pinyin", "sampa"),
            ("prosody", "rate", "x-slow 85% 120%", "quick 0% 85"),
            ("prosody", "pitch", "default +10% -5%", "10% up"),
            ("prosody", "volume", "silent x-loud +6dB -1.5dB", "6 loudest infdB"),
            ("say-as", "interpret-as", "cardinal telephone", "song"),
            ("say-as", "format", "mdy yyyymmdd", "xyz"),
            ("w", "role", "amazon:VB anything", ""),
        ] {
            for value in good.split_whitespace() {
                assert!(is_good(element, attribute, value), "{element} {attribute}={value}");
            }
            for value in bad.split_whitespace() {
                assert!(!is_good(element, attribute, value), "{element} {attribute}={value}");
            }
        }
    }
}
