//! Checking a text without a call.

use crate::{Context, Dialect, Fetched, Finding, decode, parse, response};

/// Everything wrong with a text, in the order it stands there.
pub fn lint(text: &str) -> Vec<Finding> {
    lint_dialect(text, Dialect::Twiml)
}

/// Likewise, read with a dialect's tables.
pub fn lint_dialect(text: &str, dialect: Dialect) -> Vec<Finding> {
    match parse(text, dialect) {
        Ok(document) => document.findings,
        Err(finding) => vec![finding],
    }
}

/// Likewise, for the bytes of a file in whatever encoding it declares.
pub fn lint_bytes(bytes: &[u8], dialect: Dialect) -> Vec<Finding> {
    match decode(bytes, None) {
        Ok(text) => lint_dialect(&text, dialect),
        Err(finding) => vec![finding],
    }
}

/// Likewise, for what a web server answered: its status, its type and its body count.
pub fn lint_answer(answer: &Fetched, dialect: Dialect) -> Vec<Finding> {
    match response::document(answer, &answer.url, dialect, Context::Call) {
        Ok(document) => document.findings,
        Err(finding) => vec![finding],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_read_like_a_compilers() {
        let text = "<Response>\n  <Gather numDigits='x'>\n    <Say voice='robot'>Hi</Say>\n    <Dial/>\n  </Gather>\n  <Sms>x</Sms>\n  <Record timeout='-1' foo='bar'/>\n</Response>";
        let lines: Vec<String> = lint(text).iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            [
                "2:11: warning 13314: numDigits=\"x\" of Gather: must be a whole number of at least 1",
                "3:10: warning 13321: voice=\"robot\" of Say: no such voice, man speaks instead",
                "4:5: warning 13320: Dial is not allowed in Gather and was ignored",
                "6:3: error 13803: Sms is not sent; the next verb runs",
                "7:11: warning 13611: timeout=\"-1\" of Record: must be a whole number of at least 0",
                "7:24: warning 12200: attribute \"foo\" of Record is unknown and was ignored",
            ]
        );
    }

    #[test]
    fn what_is_no_document_is_one_finding() {
        let told = |bytes: &[u8]| {
            lint_bytes(bytes, Dialect::Twiml).iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(
            told(b"<Response>\n<Say>"),
            ["1:1: error 12100: the root node was opened but never closed"]
        );
        assert_eq!(told(b"<a/>"), ["1:1: error 12102: the root element is a, not Response"]);
        assert!(told(b"\xff")[0].starts_with("error 12100: "));
        assert_eq!(
            told(b"<?xml version='1.0' encoding='latin1'?><Response><Say>\xfc</Say></Response>"),
            [""; 0]
        );
    }
}
