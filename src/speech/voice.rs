//! Published voice names to local voices, by language and gender (reference: twiml-voice §4).
//!
//! Applications name voices of the vendor's engines. The local engine has one voice a language and variants of
//! it; whoever asked for a German woman hears a German woman. The names are data: no text of a document ever
//! becomes part of a command line.

use twiml::{Gender, published_voice};

/// A voice as the local engine knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Voice {
    /// One of the engine's languages.
    pub language: &'static str,
    /// Which variant of it.
    pub gender: Gender,
}

impl Voice {
    /// The voice for a published name and a BCP-47 tag. An unknown name is the default one, a man; an unknown
    /// language is read as American English.
    ///
    /// A Polly or Google name says its language itself. It counts when the tag is only the default, `en-US`: then
    /// the document named none.
    pub fn of(name: &str, language: &str) -> Self {
        let (gender, own) = published_voice(name).unwrap_or((Gender::Male, None));
        let tag = match own {
            Some(own) if language.is_empty() || language.eq_ignore_ascii_case(DEFAULT_TAG) => own,
            Some(_) | None => language.to_owned(),
        };
        Self { language: local_language(&tag), gender }
    }

    /// As the engine's command line names it: `de`, `de+f3`.
    pub(crate) fn argument(self) -> String {
        match self.gender {
            Gender::Male => self.language.to_owned(),
            Gender::Female => format!("{}+f3", self.language),
        }
    }
}

/// What the document's reader fills in for an absent `language`.
const DEFAULT_TAG: &str = "en-US";

/// The engine's language for a BCP-47 tag: the exact tag's, or that of the language alone.
pub(crate) fn local_language(tag: &str) -> &'static str {
    let tag = tag.to_ascii_lowercase();
    let exact = TAGS.iter().find(|(known, _)| *known == tag).map(|(_, local)| *local);
    let primary = tag.split('-').next().unwrap_or_default();
    exact
        .or_else(|| TAGS.iter().find(|(known, _)| *known == primary).map(|(_, local)| *local))
        .or_else(|| LANGUAGES.iter().find(|known| **known == primary).copied())
        .unwrap_or("en-us")
}

/// Tags whose local language has another name, or differs by region.
const TAGS: &[(&str, &str)] = &[
    ("arb", "ar"),
    ("cmn-hk", "yue"),
    ("en", "en-us"),
    ("en-au", "en-gb"),
    ("en-gb", "en-gb"),
    ("en-gb-wls", "en-gb"),
    ("en-ie", "en-gb"),
    ("en-in", "en-gb"),
    ("en-nz", "en-gb"),
    ("en-sg", "en-gb"),
    ("en-za", "en-gb"),
    ("es", "es"),
    ("es-419", "es-419"),
    ("es-ar", "es-419"),
    ("es-cl", "es-419"),
    ("es-co", "es-419"),
    ("es-mx", "es-419"),
    ("es-us", "es-419"),
    ("fil", "en-us"),
    ("fr", "fr-fr"),
    ("fr-be", "fr-be"),
    ("fr-ch", "fr-ch"),
    ("in", "id"),
    ("iw", "he"),
    ("no", "nb"),
    ("pt", "pt"),
    ("pt-br", "pt-br"),
    ("vi", "vi"),
    ("zh", "cmn"),
    ("zh-hk", "yue"),
];

/// Languages the engine knows by their own code.
const LANGUAGES: &[&str] = &[
    "af", "am", "ar", "az", "be", "bg", "bn", "bs", "ca", "cmn", "cs", "cy", "da", "de", "el", "eo", "et",
    "eu", "fa", "fi", "ga", "gd", "gu", "he", "hi", "hr", "ht", "hu", "hy", "id", "is", "it", "ja", "ka",
    "kk", "kn", "ko", "ku", "ky", "la", "lb", "lt", "lv", "mi", "mk", "ml", "mr", "ms", "mt", "my", "nb",
    "ne", "nl", "om", "pa", "pl", "ro", "ru", "sd", "si", "sk", "sl", "sq", "sr", "sv", "sw", "ta", "te",
    "th", "tk", "tn", "tr", "tt", "ug", "uk", "ur", "uz", "yue",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_voices_have_a_local_one() {
        for (name, language, argument) in [
            ("man", "en-US", "en-us"),
            ("woman", "en-US", "en-us+f3"),
            ("alice", "de-DE", "de+f3"),
            ("alice", "en-GB", "en-gb+f3"),
            ("man", "fr-CA", "fr-fr"),
            ("man", "zh-HK", "yue"),
            ("Polly.Joanna", "en-US", "en-us+f3"),
            ("Polly.Hans", "de-DE", "de"),
            ("Polly.Vicki-Neural", "en-US", "de+f3"),
            ("Polly.Celine", "fr-FR", "fr-fr+f3"),
            ("Polly.Céline", "en-US", "fr-fr+f3"),
            ("Polly.Raúl-Neural", "en-US", "es"),
            ("Polly.Inês", "en-US", "pt+f3"),
            ("Polly.Vitória-Generative", "en-US", "pt-br+f3"),
            ("Polly.Matthew", "de-DE", "de"),
            ("AWS.Polly.Daniel-Neural", "en-US", "de"),
            ("Google.de-DE-Neural2-B", "en-US", "de"),
            ("Google.en-GB-Wavenet-A", "en-US", "en-gb+f3"),
            ("Google.es-US-Chirp3-HD-Charon", "es-US", "es-419"),
            ("Google.ja-JP-Chirp3-HD-Aoede", "en-US", "ja+f3"),
            ("Polly.Nobody", "de-DE", "de"),
            ("", "", "en-us"),
            ("man", "tlh-KX", "en-us"),
            ("man", "-v /etc/passwd", "en-us"),
        ] {
            assert_eq!(Voice::of(name, language).argument(), argument, "{name} in {language}");
        }
    }

    #[test]
    fn every_polly_language_is_spoken() {
        for tag in twiml::polly_languages() {
            let local = local_language(tag);
            assert!(local != "en-us" || tag.starts_with("en-"), "{tag}");
        }
    }
}
