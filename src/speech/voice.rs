//! Published voice names to local voices, by language and gender (reference: twiml-voice §4).
//!
//! Applications name voices of the vendor's engines. The local engine has one voice a language and variants of
//! it; whoever asked for a German woman hears a German woman. The names are data: no text of a document ever
//! becomes part of a command line.

/// How a voice sounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Gender {
    /// Lower.
    Male,
    /// Higher.
    Female,
}

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
        let (gender, own) = named(name).unwrap_or((Gender::Male, None));
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

/// A name's gender, and its own language if it says one.
fn named(name: &str) -> Option<(Gender, Option<String>)> {
    match name {
        "man" => return Some((Gender::Male, None)),
        "woman" | "alice" => return Some((Gender::Female, None)),
        _ => {}
    }
    let (vendor, rest) = name.split_once('.')?;
    match vendor {
        "Polly" | "AWS" => {
            // `Polly.Vicki-Neural`, `AWS.Polly.Vicki-Neural`
            let person = rest.trim_start_matches("Polly.").split('-').next().unwrap_or(rest);
            let plain = person.replace(['é', 'è'], "e").replace('ó', "o").replace('ê', "e");
            let plain = plain.replace('ú', "u").replace('í', "i").replace('ã', "a").replace('ç', "c");
            let row = POLLY.iter().find(|(_, _, people)| people.contains(&plain.as_str()))?;
            Some((row.1, Some(row.0.to_owned())))
        }
        "Google" => {
            // `Google.de-DE-Neural2-A`, `Google.en-US-Chirp3-HD-Aoede`
            let mut parts = rest.split('-');
            let tag = format!("{}-{}", parts.next()?, parts.next()?);
            let last = rest.rsplit('-').next()?;
            let is_male = MALE_LETTERS.contains(&last) || MALE_STARS.contains(&last);
            Some((if is_male { Gender::Male } else { Gender::Female }, Some(tag)))
        }
        _ => None,
    }
}

/// The engine's language for a BCP-47 tag: the exact tag's, or that of the language alone.
fn local_language(tag: &str) -> &'static str {
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

/// Letters that name Google's lower voices in most languages.
const MALE_LETTERS: &[&str] = &["B", "D", "I", "J"];

/// Google's lower voices that are named after stars and moons.
const MALE_STARS: &[&str] = &[
    "Achird",
    "Algenib",
    "Algieba",
    "Alnilam",
    "Charon",
    "Enceladus",
    "Fenrir",
    "Iapetus",
    "Orus",
    "Puck",
    "Rasalgethi",
    "Sadachbia",
    "Sadaltager",
    "Schedar",
    "Umbriel",
    "Zubenelgenubi",
];

/// Polly's people by language and gender, accents left out.
#[rustfmt::skip]
const POLLY: &[(&str, Gender, &[&str])] = &[
    ("arb", Gender::Female, &["Zeina"]),
    ("ar-AE", Gender::Female, &["Hala"]),
    ("ar-AE", Gender::Male, &["Zayd"]),
    ("ca-ES", Gender::Female, &["Arlet"]),
    ("cmn-CN", Gender::Female, &["Zhiyu"]),
    ("cs-CZ", Gender::Female, &["Jitka"]),
    ("cy-GB", Gender::Female, &["Gwyneth"]),
    ("da-DK", Gender::Female, &["Naja", "Sofie"]),
    ("da-DK", Gender::Male, &["Mads"]),
    ("de-AT", Gender::Female, &["Hannah"]),
    ("de-CH", Gender::Female, &["Sabrina"]),
    ("de-DE", Gender::Female, &["Marlene", "Vicki"]),
    ("de-DE", Gender::Male, &["Hans", "Daniel"]),
    ("en-AU", Gender::Female, &["Nicole", "Olivia"]),
    ("en-AU", Gender::Male, &["Russell"]),
    ("en-GB", Gender::Female, &["Amy", "Emma"]),
    ("en-GB", Gender::Male, &["Brian", "Arthur"]),
    ("en-GB-WLS", Gender::Male, &["Geraint"]),
    ("en-IE", Gender::Female, &["Niamh"]),
    ("en-IN", Gender::Female, &["Aditi", "Kajal", "Raveena"]),
    ("en-NZ", Gender::Female, &["Aria"]),
    ("en-SG", Gender::Female, &["Jasmine"]),
    ("en-US", Gender::Female, &["Danielle", "Ivy", "Joanna", "Kendra", "Kimberly", "Ruth", "Salli"]),
    ("en-US", Gender::Male, &["Gregory", "Joey", "Justin", "Kevin", "Matthew", "Patrick", "Stephen"]),
    ("en-ZA", Gender::Female, &["Ayanda"]),
    ("es-ES", Gender::Female, &["Alba", "Conchita", "Lucia"]),
    ("es-ES", Gender::Male, &["Enrique", "Raul", "Sergio"]),
    ("es-MX", Gender::Female, &["Mia"]),
    ("es-MX", Gender::Male, &["Andres"]),
    ("es-US", Gender::Female, &["Lupe", "Penelope"]),
    ("es-US", Gender::Male, &["Miguel", "Pedro"]),
    ("fi-FI", Gender::Female, &["Suvi"]),
    ("fr-BE", Gender::Female, &["Isabelle"]),
    ("fr-CA", Gender::Female, &["Chantal", "Gabrielle"]),
    ("fr-CA", Gender::Male, &["Liam"]),
    ("fr-FR", Gender::Female, &["Celine", "Lea"]),
    ("fr-FR", Gender::Male, &["Mathieu", "Remi"]),
    ("is-IS", Gender::Female, &["Dora"]),
    ("is-IS", Gender::Male, &["Karl"]),
    ("it-IT", Gender::Female, &["Bianca", "Carla"]),
    ("it-IT", Gender::Male, &["Adriano", "Giorgio"]),
    ("ja-JP", Gender::Female, &["Kazuha", "Mizuki", "Tomoko"]),
    ("ja-JP", Gender::Male, &["Takumi"]),
    ("ko-KR", Gender::Female, &["Jihye", "Seoyeon"]),
    ("nb-NO", Gender::Female, &["Ida", "Liv"]),
    ("nl-BE", Gender::Female, &["Lisa"]),
    ("nl-NL", Gender::Female, &["Laura", "Lotte"]),
    ("nl-NL", Gender::Male, &["Ruben"]),
    ("pl-PL", Gender::Female, &["Ewa", "Maja", "Ola"]),
    ("pl-PL", Gender::Male, &["Jacek", "Jan"]),
    ("pt-BR", Gender::Female, &["Camila", "Vitoria"]),
    ("pt-BR", Gender::Male, &["Ricardo", "Thiago"]),
    ("pt-PT", Gender::Female, &["Ines"]),
    ("pt-PT", Gender::Male, &["Cristiano"]),
    ("ro-RO", Gender::Female, &["Carmen"]),
    ("ru-RU", Gender::Female, &["Tatyana"]),
    ("ru-RU", Gender::Male, &["Maxim"]),
    ("sv-SE", Gender::Female, &["Astrid", "Elin"]),
    ("tr-TR", Gender::Female, &["Burcu", "Filiz"]),
    ("yue-CN", Gender::Female, &["Hiujin"]),
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
        for (tag, _, people) in POLLY {
            let local = local_language(tag);
            assert!(local != "en-us" || tag.starts_with("en-"), "{tag} of {people:?}");
        }
    }
}
