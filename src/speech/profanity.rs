//! Words that are masked in what callers said (reference: twiml-voice §7, `profanityFilter`).

/// Beginnings of words: whatever goes on like one of them is masked too.
const STEMS: &[&str] =
    &["asshole", "bastard", "bitch", "bollock", "bullshit", "cunt", "fuck", "motherfuck", "shit", "wank"];

/// The text with all but the first letter of profanities as `*`.
pub(crate) fn masked(text: &str) -> String {
    let masked_word = |word: &str| {
        let bare = word.to_lowercase();
        if !STEMS.iter().any(|stem| bare.starts_with(stem)) {
            return word.to_owned();
        }
        let mut letters = word.chars();
        let first: String = letters.next().into_iter().collect();
        first + &letters.map(|c| if c.is_alphanumeric() { '*' } else { c }).collect::<String>()
    };
    text.split(' ').map(masked_word).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_but_the_first_letter_is_masked() {
        for (text, shown) in [
            ("yes please", "yes please"),
            ("Shit happens", "S*** happens"),
            ("what the fucking", "what the f******"),
            ("bullshit, really", "b*******, really"),
            ("", ""),
        ] {
            assert_eq!(masked(text), shown);
        }
    }
}
