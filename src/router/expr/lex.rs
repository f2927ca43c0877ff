//! An expression's words.

use super::read::ExprError;

/// A word and where it begins, in characters from 1.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub(super) at: usize,
    pub(super) kind: Kind,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// A name or a keyword.
    Name(String),
    Text(String),
    Number(serde_json::Number),
    /// `( ) [ ] , .` and the operators made of signs.
    Sign(&'static str),
    End,
}

/// The longest first, so that `<=` is not read as `<`.
const SIGNS: [&str; 15] = ["==", "!=", "<=", ">=", ">-", "<-", "=", "<", ">", "(", ")", "[", "]", ",", "."];

/// Takes a text apart; the last token is the end.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, ExprError> {
    let chars: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(&first) = chars.get(at) {
        let rest = &chars[at..];
        let (kind, len) = if first.is_whitespace() {
            at += 1;
            continue;
        } else if matches!(first, '"' | '\'') {
            text_of(rest, at)?
        } else if first.is_ascii_digit() || begins_negative(rest, tokens.last()) {
            number_of(rest, at)?
        } else if first.is_alphabetic() || first == '_' || first == '$' {
            let len = rest.iter().take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '$')).count();
            (Kind::Name(rest[..len].iter().collect()), len)
        } else if let Some(sign) =
            SIGNS.iter().find(|sign| sign.chars().eq(rest.iter().copied().take(sign.len())))
        {
            (Kind::Sign(sign), sign.len())
        } else {
            (Kind::Sign("?"), 1)
        };
        tokens.push(Token { at: at + 1, kind });
        at += len;
    }
    tokens.push(Token { at: chars.len() + 1, kind: Kind::End });
    Ok(tokens)
}

/// A minus belongs to a number where a value may stand; after a name it is a hyphen, which names do not have.
fn begins_negative(rest: &[char], before: Option<&Token>) -> bool {
    let stands_alone =
        !matches!(before, Some(Token { kind: Kind::Name(_) | Kind::Text(_) | Kind::Number(_), .. }));
    rest[0] == '-' && stands_alone && rest.get(1).is_some_and(char::is_ascii_digit)
}

fn number_of(rest: &[char], at: usize) -> Result<(Kind, usize), ExprError> {
    let len = 1 + rest[1..].iter().take_while(|c| c.is_ascii_alphanumeric() || **c == '.').count();
    let word: String = rest[..len].iter().collect();
    let number = serde_json::from_str(&word).map_err(|_| ExprError::new(at + 1, "a number"))?;
    Ok((Kind::Number(number), len))
}

fn text_of(rest: &[char], at: usize) -> Result<(Kind, usize), ExprError> {
    let quote = rest[0];
    let mut text = String::new();
    let mut chars = rest.iter().enumerate().skip(1);
    while let Some((n, &c)) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some((_, &escaped)) => text.push(escaped),
                None => break,
            },
            c if c == quote => return Ok((Kind::Text(text), n + 1)),
            c => text.push(c),
        }
    }
    Err(ExprError::new(at + 1, format!("a closing {quote}")))
}
