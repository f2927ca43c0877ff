//! A text into [`Raw`]: syntax, unknown keys, kinds of value. Every error is found, not only the first.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::raw::{Key, Raw, SECTIONS, Section};

/// An error of the text, before file and line are put to it.
pub(crate) struct Fault {
    pub(crate) span: Range<usize>,
    pub(crate) key: String,
    pub(crate) message: String,
}

/// Reads a text. What could not be read is left out of the result and stands among the faults.
pub(crate) fn read(text: &str) -> (Raw, Vec<Fault>) {
    let mut raw = Raw::default();
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut faults: Vec<Fault> = errors
        .into_iter()
        .map(|error| Fault {
            span: error.span().unwrap_or_default(),
            key: String::new(),
            message: format!("{}.", error.message().trim_end_matches('.')),
        })
        .collect();
    if !faults.is_empty() {
        // What follows a syntax error is guesswork: complaining about it would hide the cause.
        return (raw, faults);
    }
    for (name, value) in table.get_ref() {
        read_section(&mut raw, name, value, &mut faults);
    }
    (raw, faults)
}

fn read_section(
    raw: &mut Raw,
    name: &Spanned<std::borrow::Cow<'_, str>>,
    value: &Spanned<DeValue<'_>>,
    faults: &mut Vec<Fault>,
) {
    match name.get_ref().as_ref() {
        "box" => one(&mut raw.r#box, value, faults),
        "sip" => one(&mut raw.sip, value, faults),
        "media" => one(&mut raw.media, value, faults),
        "recording" => one(&mut raw.recording, value, faults),
        "retention" => one(&mut raw.retention, value, faults),
        "http" => one(&mut raw.http, value, faults),
        "webhooks" => one(&mut raw.webhooks, value, faults),
        "store" => one(&mut raw.store, value, faults),
        "speech" => one(&mut raw.speech, value, faults),
        "limits" => one(&mut raw.limits, value, faults),
        "log" => one(&mut raw.log, value, faults),
        "phone" => many(&mut raw.phones, value, faults),
        "trunk" => many(&mut raw.trunks, value, faults),
        "siprec" => many(&mut raw.siprecs, value, faults),
        "agents" => one(&mut raw.agents, value, faults),
        "queue" => many(&mut raw.queues, value, faults),
        "worker" => many(&mut raw.workers, value, faults),
        "number" => many(&mut raw.numbers, value, faults),
        "application" => many(&mut raw.applications, value, faults),
        "route" => many(&mut raw.routes, value, faults),
        unknown => faults.push(Fault {
            span: name.span(),
            key: unknown.to_owned(),
            message: match value.get_ref() {
                DeValue::Table(_) | DeValue::Array(_) => {
                    let names = SECTIONS.map(|(section, _)| section);
                    format!("there is no such section; the nearest is `{}`.", nearest(unknown, &names))
                }
                _ => homeless(unknown),
            },
        }),
    }
}

fn one<S: Section>(section: &mut S, value: &Spanned<DeValue<'_>>, faults: &mut Vec<Fault>) {
    section.set_span(value.span());
    match value.get_ref() {
        DeValue::Table(table) => keys(section, table, faults),
        _ => faults.push(Fault {
            span: value.span(),
            key: S::NAME.to_owned(),
            message: format!("is a section: write [{}] once, and its keys below.", S::NAME),
        }),
    }
}

fn many<S: Section>(sections: &mut Vec<S>, value: &Spanned<DeValue<'_>>, faults: &mut Vec<Fault>) {
    let DeValue::Array(items) = value.get_ref() else {
        faults.push(not_repeated::<S>(value.span()));
        return;
    };
    for item in items.iter() {
        let DeValue::Table(table) = item.get_ref() else {
            faults.push(not_repeated::<S>(item.span()));
            continue;
        };
        let mut section = S::default();
        section.set_span(item.span());
        keys(&mut section, table, faults);
        sections.push(section);
    }
}

fn not_repeated<S: Section>(span: Range<usize>) -> Fault {
    let message = format!("may stand several times: write [[{}]], with two brackets, for each.", S::NAME);
    Fault { span, key: S::NAME.to_owned(), message }
}

fn keys<S: Section>(section: &mut S, table: &DeTable<'_>, faults: &mut Vec<Fault>) {
    for (name, value) in table {
        let key = name.get_ref().as_ref();
        if !S::KEYS.iter().any(|known| known.name == key) {
            let message = unknown_key(S::NAME, S::KEYS, key);
            faults.push(Fault { span: name.span(), key: format!("{}.{key}", S::NAME), message });
            continue;
        }
        if let Err(message) = section.take(key, value) {
            faults.push(Fault { span: value.span(), key: format!("{}.{key}", S::NAME), message });
        }
    }
}

fn unknown_key(section: &str, keys: &[Key], key: &str) -> String {
    let names: Vec<&str> = keys.iter().map(|key| key.name).collect();
    let elsewhere: Vec<String> = SECTIONS
        .iter()
        .filter(|(name, keys)| *name != section && keys.iter().any(|known| known.name == key))
        .map(|(name, _)| format!("[{name}]"))
        .collect();
    let nearest = nearest(key, &names);
    if elsewhere.is_empty() {
        format!("there is no such key; the nearest is `{nearest}`.")
    } else {
        format!("there is no such key; the nearest is `{nearest}`, and {} has `{key}`.", elsewhere.join(", "))
    }
}

/// A key above every section header.
fn homeless(key: &str) -> String {
    let pairs: Vec<(&str, &str)> = SECTIONS
        .iter()
        .flat_map(|(section, keys)| keys.iter().map(move |key| (*section, key.name)))
        .collect();
    let names: Vec<&str> = pairs.iter().map(|(_, name)| *name).collect();
    let nearest = nearest(key, &names);
    let section = pairs.iter().find(|(_, name)| *name == nearest).map_or("box", |(section, _)| section);
    format!("stands in no section; the nearest key is `{nearest}` in [{section}].")
}

pub(crate) fn nearest<'a>(text: &str, names: &[&'a str]) -> &'a str {
    let text = text.to_ascii_lowercase();
    names
        .iter()
        .copied()
        .min_by_key(|name| {
            // Missing or additional words ("voice_fallback", "listen_address") weigh less than other letters.
            let contained = name.contains(text.as_str()) || text.contains(name);
            (
                strsim::damerau_levenshtein(&text, name).saturating_sub(if contained { 3 } else { 0 }),
                name.len(),
            )
        })
        .unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> Vec<(String, String, String)> {
        let found = read(text).1;
        found.into_iter().map(|f| (text[f.span].to_owned(), f.key, f.message)).collect()
    }

    #[test]
    fn unknown_keys_name_the_nearest_known_one() {
        let cases = [
            ("[sip]\nlisen = []", "lisen", "sip.lisen", "the nearest is `listen`."),
            ("[[phone]]\npasswd = 'x'", "passwd", "phone.passwd", "the nearest is `password`."),
            ("[[number]]\nvoice-url = 'x'", "voice-url", "number.voice-url", "`voice_url`."),
            ("[[number]]\nVoiceUrl = 'x'", "VoiceUrl", "number.VoiceUrl", "`voice_url`."),
            ("[box]\nlisten = 'x'", "listen", "box.listen", "and [sip], [http] has `listen`."),
            ("[[phones]]\nname = 'x'", "phones", "phones", "no such section; the nearest is `phone`."),
            ("account_sid = 'x'", "account_sid", "account_sid", "`account_sid` in [box]."),
            ("[media.ports]\na = 1", "[media.ports]", "media.ports", "not a table."),
            ("[phone]\nname = 'x'", "[phone]", "phone", "write [[phone]], with two brackets"),
            ("[[sip]]\nlisten = 'x'", "[[sip]]", "sip", "write [sip] once"),
            ("[limits]\ncalls = '5'", "'5'", "limits.calls", "must be a whole number, not a text."),
            ("[limits]\ncalls = -5", "-5", "limits.calls", "must be a whole number from 0 up."),
            ("[[phone]]\nextension = 101", "101", "phone.extension", "text in quotes, not a number."),
            ("[[trunk]]\nregister = 'yes'", "'yes'", "trunk.register", "must be true or false, not a text."),
            ("[sip]\nlisten = [1]", "[1]", "sip.listen", "text in quotes, not a number."),
        ];
        for (text, at, key, message) in cases {
            let found = faults(text);
            assert_eq!(found.len(), 1, "{text}: {found:?}");
            assert!(found[0].0.starts_with(at) || at.starts_with(&found[0].0), "{text}: at {}", found[0].0);
            assert_eq!(found[0].1, key, "{text}");
            assert!(found[0].2.contains(message), "{text}: {}", found[0].2);
        }
    }

    #[test]
    fn all_faults_are_found_but_nothing_is_guessed_after_a_syntax_error() {
        assert_eq!(faults("[sip]\na = 1\nb = 2\n[[route]]\nc = 3").len(), 3);
        let found = faults("[sip\na = 1");
        assert!(!found.is_empty() && found.iter().all(|(_, key, _)| key.is_empty()), "{found:?}");
    }

    #[test]
    fn a_single_text_is_a_list_of_one() {
        let (raw, faults) = read("[[route]]\npattern = '+*'\ntrunk = 'carrier'");
        assert!(faults.is_empty());
        assert_eq!(raw.routes[0].trunk.as_ref().unwrap().value, ["carrier"]);
    }
}
