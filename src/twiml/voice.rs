//! The voices that are published, by name: whose language and gender each is (reference: twiml-voice §4).

use serde::{Deserialize, Serialize};

/// How a voice sounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Gender {
    /// Lower.
    Male,
    /// Higher.
    Female,
}

/// A name's gender, and its own language if it says one; `None`: there is no such voice.
pub fn published_voice(name: &str) -> Option<(Gender, Option<String>)> {
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

/// The languages of Polly's people.
pub fn polly_languages() -> impl Iterator<Item = &'static str> {
    POLLY.iter().map(|(tag, _, _)| *tag)
}

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
    fn published_names_and_others() {
        use Gender::{Female, Male};
        for (name, expected) in [
            ("man", Some((Male, None))),
            ("alice", Some((Female, None))),
            ("Polly.Joanna", Some((Female, Some("en-US")))),
            ("Polly.Joanna-Neural", Some((Female, Some("en-US")))),
            ("Polly.Daniel-Generative", Some((Male, Some("de-DE")))),
            ("Polly.Céline", Some((Female, Some("fr-FR")))),
            ("Google.en-GB-Wavenet-B", Some((Male, Some("en-GB")))),
            ("Google.de-DE-Chirp3-HD-Aoede", Some((Female, Some("de-DE")))),
            ("Polly.Nobody", None),
            ("Google.x", None),
            ("robot", None),
            ("", None),
        ] {
            let found = published_voice(name);
            assert_eq!(found.as_ref().map(|(gender, tag)| (*gender, tag.as_deref())), expected, "{name}");
        }
    }
}
