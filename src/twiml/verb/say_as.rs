//! `<say-as>`: characters, numbers and dates as the words they are read as (reference: twiml-voice §4.1).
//!
//! What a voice reads by itself (cardinals, fractions, units, times) is left to it. Names of months and endings of
//! ordinals are English ones: in other languages numbers are left as they are written.

/// The words; an expletive has none.
pub(crate) fn words(interpretation: &str, format: &str, inner: &str, language: &str) -> String {
    let is_english = language.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("en"));
    match interpretation {
        "characters" | "spell-out" => apart(inner.chars()),
        "digits" => apart(inner.chars()),
        "telephone" => telephone(inner),
        "expletive" => " ".to_owned(),
        "ordinal" if is_english => ordinal(inner).unwrap_or_else(|| inner.to_owned()),
        "date" if is_english => date(format, inner).unwrap_or_else(|| inner.to_owned()),
        _ => inner.to_owned(),
    }
}

/// Read one by one when they stand apart.
fn apart(chars: impl Iterator<Item = char>) -> String {
    let mut text = String::new();
    for c in chars.filter(|c| !c.is_whitespace()) {
        text.push(' ');
        text.push(c);
    }
    text
}

/// Digit by digit, with a breath where people write a separator.
fn telephone(inner: &str) -> String {
    let mut text = String::new();
    let mut breath = false;
    for c in inner.chars() {
        match c {
            ' ' | '-' | '.' | '(' | ')' | '/' => breath = !text.is_empty(),
            c => {
                if std::mem::take(&mut breath) {
                    text.push(',');
                }
                text.push(' ');
                match c {
                    '+' => text.push_str("plus"),
                    c => text.push(c),
                }
            }
        }
    }
    text
}

fn ordinal(inner: &str) -> Option<String> {
    let number: u64 = inner.trim().parse().ok()?;
    let ending = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    Some(format!("{number}{ending}"))
}

/// A date in the order its format says; without one, month, day, year.
fn date(format: &str, inner: &str) -> Option<String> {
    let inner = inner.trim();
    let (format, parts) = if format == "yyyymmdd"
        || (inner.len() == 8 && inner.bytes().all(|b| b.is_ascii_digit()))
    {
        ("ymd", vec![inner.get(..4)?, inner.get(4..6)?, inner.get(6..8)?])
    } else {
        let parts: Vec<&str> = inner.split(['/', '-', '.', ' ']).filter(|part| !part.is_empty()).collect();
        let usual = if parts.len() == 3 { "mdy" } else { "md" };
        (if format.is_empty() { usual } else { format }, parts)
    };
    if parts.len() != format.len() {
        return None;
    }
    let (mut day, mut month, mut year) = (None, None, None);
    for (what, part) in format.chars().zip(parts) {
        // Of what is not known a question mark stands in the place.
        let number: Option<u32> = part.parse().ok();
        match what {
            'd' => day = Some(ordinal(part.trim_start_matches('0'))?),
            'm' => month = Some(*MONTHS.get(number?.checked_sub(1)? as usize)?),
            'y' => year = number.map(|_| part.to_owned()),
            _ => return None,
        }
    }
    let first: Vec<String> = month.map(str::to_owned).into_iter().chain(day).collect();
    let words: Vec<String> =
        [first.join(" "), year.unwrap_or_default()].into_iter().filter(|part| !part.is_empty()).collect();
    (!words.is_empty()).then(|| words.join(", "))
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_as_what() {
        for (interpretation, format, inner, read) in [
            ("characters", "", "ab1", " a b 1"),
            ("spell-out", "", "a b", " a b"),
            ("digits", "", "4711", " 4 7 1 1"),
            ("telephone", "", "+1 (555) 010-2000", " plus 1, 5 5 5, 0 1 0, 2 0 0 0"),
            ("telephone", "", "110", " 1 1 0"),
            ("ordinal", "", "1", "1st"),
            ("ordinal", "", "12", "12th"),
            ("ordinal", "", "23", "23rd"),
            ("ordinal", "", "first", "first"),
            ("cardinal", "", "12345", "12345"),
            ("fraction", "", "3/20", "3/20"),
            ("date", "mdy", "1/2/2026", "January 2nd, 2026"),
            ("date", "dmy", "24.12.2026", "December 24th, 2026"),
            ("date", "ymd", "2026-03-05", "March 5th, 2026"),
            ("date", "yyyymmdd", "20260305", "March 5th, 2026"),
            ("date", "md", "3/5", "March 5th"),
            ("date", "my", "3/2026", "March, 2026"),
            ("date", "y", "2026", "2026"),
            ("date", "", "1/2/2026", "January 2nd, 2026"),
            ("date", "mdy", "13/2/2026", "13/2/2026"),
            ("date", "mdy", "tomorrow", "tomorrow"),
            ("date", "xyz", "1/2/3", "1/2/3"),
            ("expletive", "", "darn", " "),
            ("song", "", "la", "la"),
        ] {
            let words = words(interpretation, format, inner, "en-US");
            assert_eq!(words, read, "{interpretation} {format} {inner}");
        }
        assert_eq!(words("ordinal", "", "3", "de-DE"), "3");
        assert_eq!(words("date", "dmy", "3.5.2026", "de-DE"), "3.5.2026");
    }
}
