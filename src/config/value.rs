//! What kinds of value a key may have.

use std::borrow::Cow;
use std::collections::BTreeMap;

use call::office::Secret;
use toml::Spanned;
use toml::de::DeValue;

/// A kind of value, read from TOML. The error is one sentence that never repeats the value.
pub(crate) trait FromToml: Sized {
    fn from_toml(value: &DeValue<'_>) -> Result<Self, String>;
}

impl FromToml for String {
    fn from_toml(value: &DeValue<'_>) -> Result<Self, String> {
        match value {
            DeValue::String(text) => Ok(text.clone().into_owned()),
            other => Err(format!("must be text in quotes, not {}.", kind(other))),
        }
    }
}

impl FromToml for Secret {
    fn from_toml(value: &DeValue<'_>) -> Result<Self, String> {
        String::from_toml(value).map(Secret)
    }
}

impl FromToml for bool {
    fn from_toml(value: &DeValue<'_>) -> Result<Self, String> {
        match value {
            DeValue::Boolean(value) => Ok(*value),
            other => Err(format!("must be true or false, not {}.", kind(other))),
        }
    }
}

impl FromToml for u64 {
    fn from_toml(value: &DeValue<'_>) -> Result<Self, String> {
        match value {
            DeValue::Integer(digits) => u64::from_str_radix(digits.as_str(), digits.radix())
                .map_err(|_| "must be a whole number from 0 up.".to_owned()),
            other => Err(format!("must be a whole number, not {}.", kind(other))),
        }
    }
}

/// A single text stands for a list of one.
impl FromToml for Vec<String> {
    fn from_toml(value: &DeValue<'_>) -> Result<Self, String> {
        match value {
            DeValue::String(text) => Ok(vec![text.clone().into_owned()]),
            DeValue::Array(items) => items.iter().map(|item| String::from_toml(item.get_ref())).collect(),
            other => Err(format!("must be a list of texts, as [\"…\", \"…\"], not {}.", kind(other))),
        }
    }
}

/// Published voices and what speaks for them.
#[derive(Clone, Debug, Default)]
pub(crate) struct VoiceNames(pub(crate) BTreeMap<String, String>);

impl FromToml for VoiceNames {
    fn from_toml(value: &DeValue<'_>) -> Result<Self, String> {
        match value {
            DeValue::Table(table) => {
                let voice = |(name, voice): (&Spanned<Cow<'_, str>>, &Spanned<DeValue<'_>>)| {
                    Ok((name.get_ref().clone().into_owned(), String::from_toml(voice.get_ref())?))
                };
                table.iter().map(voice).collect::<Result<_, String>>().map(VoiceNames)
            }
            other => Err(format!("must be a table of voices, not {}.", kind(other))),
        }
    }
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
