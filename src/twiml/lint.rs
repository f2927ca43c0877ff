//! Checking a text without a call: what a call would be told of it, and what it would be told if it came to that.

use crate::template::template_side;
use crate::verb::bad_urls;
use crate::{Context, Dialect, Document, Fetched, Finding, HttpMethod, decode, parse, response};

/// Everything wrong with a text, in the order it stands there.
pub fn lint(text: &str) -> Vec<Finding> {
    lint_dialect(text, Dialect::Twiml)
}

/// Likewise, read with a dialect's tables.
pub fn lint_dialect(text: &str, dialect: Dialect) -> Vec<Finding> {
    // Where a text will be found is not known: only what is a URL nowhere is wrong.
    told(parse(text, dialect), "http://document.invalid/")
}

/// Likewise, for a document of the box's own folder, which in the second dialect is a template: both sides of each of
/// its sections are read.
pub fn lint_stored(text: &str, dialect: Dialect) -> Vec<Finding> {
    if dialect == Dialect::Twiml {
        return lint_dialect(text, dialect);
    }
    let mut findings: Vec<Finding> = Vec::new();
    for other in [false, true] {
        let told = match template_side(text, other) {
            Ok(side) => lint_dialect(&side, dialect),
            Err(finding) => vec![finding],
        };
        let seen = findings.len();
        for finding in told {
            if !findings.iter().take(seen).any(|known| *known == finding) {
                findings.push(finding);
            }
        }
    }
    findings.sort_by_key(|finding| (finding.line == 0, finding.line, finding.column));
    findings
}

/// Likewise, for the bytes of a file in whatever encoding it declares.
pub fn lint_bytes(bytes: &[u8], dialect: Dialect) -> Vec<Finding> {
    match decode(bytes, None) {
        Ok(text) => lint_stored(&text, dialect),
        Err(finding) => vec![finding],
    }
}

/// Likewise, for what a web server answered: its status, its type and its body count.
pub fn lint_answer(answer: &Fetched, dialect: Dialect) -> Vec<Finding> {
    told(response::document(answer, &answer.url, HttpMethod::Get, dialect, Context::Call), &answer.url)
}

/// What stands in the text, and the URLs that lead nowhere, at their places.
fn told(read: Result<Document, Finding>, base: &str) -> Vec<Finding> {
    match read {
        Ok(Document { verbs, mut findings, errors: _, places }) => {
            let places = places.into_iter().map(Some).chain(std::iter::repeat(None));
            let wrong = verbs.into_iter().zip(places).flat_map(|(verb, place)| bad_urls(verb, base, place));
            findings.extend(wrong);
            findings.sort_by_key(|finding| (finding.line == 0, finding.line, finding.column));
            findings
        }
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
    fn urls_that_lead_nowhere_are_told() {
        for (xml, codes) in [
            ("<Play>http://[</Play>", vec![11100]),
            ("<Play>a.mp3</Play><Gather action='/b'/><Redirect>?c</Redirect><Redirect/>", vec![]),
            ("<Gather action='http://['><Play>http://[</Play></Gather>", vec![11100, 11100]),
            ("<Redirect>http://[</Redirect>", vec![11100]),
            ("<Dial action='http://['><Number url='http://['>1</Number></Dial>", vec![11100, 11100]),
            ("<Enqueue waitUrl='http://['>q</Enqueue>", vec![14202]),
            ("<Pay/><Play>http://[</Play>", vec![13750]),
        ] {
            let told: Vec<u32> =
                lint(&format!("<Response>{xml}</Response>")).iter().map(|finding| finding.code).collect();
            assert_eq!(told, codes, "{xml}");
        }
    }

    #[test]
    fn urls_that_lead_nowhere_have_their_places() {
        let text = "<Response>\n  <Gather action='http://['>\n    <Play>a.mp3</Play><Play>\n http://[ </Play></Gather>\n\
                    <Dial\n   action='/x'><Number statusCallback='b'\n  url='http://['>1</Number></Dial>\n  <Foo/>\n\
                    <Play>http://[</Play><Redirect>http://[</Redirect></Response>";
        let places: Vec<(u32, u32, u32)> =
            lint(text).iter().map(|finding| (finding.code, finding.line, finding.column)).collect();
        assert_eq!(
            places,
            [(11100, 2, 11), (11100, 3, 23), (11100, 7, 3), (12200, 8, 3), (11100, 9, 1), (11100, 9, 22)]
        );
    }

    #[test]
    fn a_template_is_read_without_its_sections() {
        let told = |text: &str| -> Vec<(u32, u32, u32)> {
            let findings = lint_bytes(text.as_bytes(), Dialect::Texml);
            findings.iter().map(|finding| (finding.code, finding.line, finding.column)).collect()
        };
        let menu = "<Response>\n{{#if Digits == 1}}\n<Say>One</Say>\n{{else}}<Say>{{From}}</Say>{{/if}}\n";
        assert_eq!(told(&format!("{menu}</Response>")), []);
        assert_eq!(told(&format!("{menu}text</Response>")), [(12200, 5, 1)]);
        let wrong = "<Response>{{#if A}}\n<Foo/>{{else}}\n <Bar/>{{/if}}</Response>";
        assert_eq!(told(wrong), [(12200, 2, 1), (12200, 3, 2)], "both sides");
        assert_eq!(told("<Response>{{#if A}}</Response>"), [(11320, 0, 0)]);
        assert_eq!(
            lint_bytes(wrong.as_bytes(), Dialect::Twiml).len(),
            5,
            "no template: three texts of it are told"
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
