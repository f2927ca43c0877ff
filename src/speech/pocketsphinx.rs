//! How PocketSphinx is asked and how its answers are read (`pocketsphinx_continuous`, its manual page).
//!
//! Its model hears 16 kHz and English. With hints it is given a grammar of just those words, which it hears far
//! better than any word of the language over a telephone; without, its own language model.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;

use tempfile::NamedTempFile;

use crate::recogniser::{Line, Wanted};

/// Samples a second its models are made for.
pub(crate) const RATE: u32 = 16_000;

/// Words of one grammar; hints beyond are left out.
const WORDS_MAX: usize = 1_000;

/// Where Debian has its model and its dictionary.
pub(crate) const MODELS: &str = "/usr/share/pocketsphinx/model";

/// What `$OOV_CLASS_…DIGIT…` and its kin in hints stand for.
const DIGITS: &[&str] =
    &["zero", "oh", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];

/// Whether there is a model for a language, any kind of it.
pub(crate) fn knows(language: &str) -> Result<(), String> {
    let primary = language.split('-').next().unwrap_or_default();
    match primary.eq_ignore_ascii_case("en") {
        true => Ok(()),
        false => Err(format!("pocketsphinx has no model for {language}")),
    }
}

/// The arguments, and the grammar they name, which must live as long as the process. Blocks.
pub(crate) fn arguments(
    wanted: &Wanted,
    models: &Path,
) -> Result<(Vec<String>, Option<NamedTempFile>), String> {
    knows(&wanted.language)?;
    let mut arguments: Vec<String> =
        ["-infile", "/dev/stdin", "-time", "yes", "-logfn", "/dev/null", "-vad_postspeech", "30"]
            .map(str::to_owned)
            .to_vec();
    let dictionary = models.join("en-us/cmudict-en-us.dict");
    let phrases = known_phrases(&phrases(&wanted.hints), &dictionary)?;
    if phrases.is_empty() {
        return Ok((arguments, None));
    }
    let mut grammar = NamedTempFile::new().map_err(|error| error.to_string())?;
    write!(grammar, "#JSGF V1.0;\ngrammar hints;\npublic <hints> = ( {} )+ ;\n", phrases.join(" | "))
        .map_err(|error| error.to_string())?;
    arguments.extend(["-jsgf".to_owned(), grammar.path().to_string_lossy().into_owned()]);
    Ok((arguments, Some(grammar)))
}

/// Hints as words the dictionary may have.
fn phrases(hints: &[String]) -> Vec<Vec<String>> {
    let mut phrases: Vec<Vec<String>> = Vec::new();
    for hint in hints {
        if hint.contains('$') {
            if ["DIGIT", "NUM", "PHONE"].iter().any(|class| hint.contains(class)) {
                phrases.extend(DIGITS.iter().map(|digit| vec![(*digit).to_owned()]));
            }
            continue;
        }
        let words = hint.split(|c: char| !c.is_alphabetic() && c != '\'').filter(|word| !word.is_empty());
        let phrase: Vec<String> = words.map(str::to_lowercase).collect();
        if !phrase.is_empty() {
            phrases.push(phrase);
        }
    }
    phrases.truncate(WORDS_MAX);
    phrases.sort();
    phrases.dedup();
    phrases
}

/// Those phrases all of whose words have a pronunciation: one without would spoil the grammar.
fn known_phrases(phrases: &[Vec<String>], dictionary: &Path) -> Result<Vec<String>, String> {
    if phrases.is_empty() {
        return Ok(Vec::new());
    }
    let wanted: std::collections::BTreeSet<&str> = phrases.iter().flatten().map(String::as_str).collect();
    let file =
        std::fs::File::open(dictionary).map_err(|error| format!("{}: {error}", dictionary.display()))?;
    let mut known = std::collections::BTreeSet::new();
    for line in BufReader::new(file).lines().map_while(Result::ok) {
        let word = line.split(' ').next().unwrap_or_default();
        if let Some(word) = wanted.get(word) {
            known.insert(*word);
        }
    }
    let all_known = |phrase: &&Vec<String>| phrase.iter().all(|word| known.contains(word.as_str()));
    Ok(phrases.iter().filter(all_known).map(|phrase| phrase.join(" ")).collect())
}

/// One line of its output: what was understood between two pauses, or one word of that with times and probability.
pub(crate) fn read(line: &str) -> Option<Line> {
    let line = line.trim();
    let words: Vec<&str> = line.split(' ').collect();
    if let [word, times @ ..] = words.as_slice()
        && let [_, _, share] = times
        && times.iter().all(|time| time.parse::<f32>().is_ok())
    {
        let is_word = !word.starts_with(['<', '[', '(']) && !word.starts_with("++");
        let share: f32 = share.parse().ok()?;
        return is_word.then(|| Line::Confidence(share.clamp(0.0, 1.0)));
    }
    // Its name for a second pronunciation is no part of the word.
    let without_number = |word: &&str| word.split('(').next().unwrap_or_default().to_owned();
    let text: Vec<String> = words.iter().map(without_number).filter(|word| !word.is_empty()).collect();
    (!text.is_empty()).then(|| Line::Text(text.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(language: &str, hints: &[&str]) -> Wanted {
        Wanted { language: language.to_owned(), hints: hints.iter().map(|h| (*h).to_owned()).collect() }
    }

    #[test]
    fn its_output_is_read() {
        for (line, expected) in [
            ("yes", Some(Line::Text("yes".into()))),
            ("one(2) two", Some(Line::Text("one two".into()))),
            ("yes 0.380 0.660 0.950000", Some(Line::Confidence(0.95))),
            ("yes 0.380 0.660 1.000100", Some(Line::Confidence(1.0))),
            ("<sil> 0.000 0.370 1.000000", None),
            ("</s> 1.420 1.770 1.000000", None),
            ("(NULL) 1.240 1.240 1.000000", None),
            ("[NOISE] 1.240 1.240 1.000000", None),
            ("", None),
            ("  ", None),
        ] {
            assert_eq!(read(line), expected, "{line}");
        }
    }

    #[test]
    fn hints_become_a_grammar_of_words_it_knows() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("en-us")).unwrap();
        let dictionary = "yes Y EH S\nno N OW\nsales S EY L Z\none W AH N\ntwo T UW\nzero Z\noh OW\nthree T\nfour F\nfive F\nsix S\nseven S\neight EY\nnine N\n";
        std::fs::write(folder.path().join("en-us/cmudict-en-us.dict"), dictionary).unwrap();
        let grammar = |hints: &[&str]| {
            let (arguments, file) = arguments(&wanted("en-GB", hints), folder.path()).unwrap();
            assert_eq!(arguments.contains(&"-jsgf".to_owned()), file.is_some());
            file.map(|file| std::fs::read_to_string(file.path()).unwrap())
        };
        assert_eq!(grammar(&[]), None);
        assert_eq!(grammar(&["Zaphod", "; public <x> = rm;"]), None, "nothing it knows");
        let plain = grammar(&["Yes", "no", "Sales, Yes!", "no"]).unwrap();
        assert!(plain.ends_with("public <hints> = ( no | sales yes | yes )+ ;\n"), "{plain}");
        let digits = grammar(&["$OOV_CLASS_DIGIT_SEQUENCE"]).unwrap();
        assert!(digits.contains("( eight | five | four"), "{digits}");
        let error = arguments(&wanted("de-DE", &[]), folder.path()).unwrap_err();
        assert_eq!(error, "pocketsphinx has no model for de-DE");
    }
}
