//! A TwiML text read into verbs (reference: twiml-voice §1.3).
//!
//! In goes a text, out come the verbs with every default filled in and everything noteworthy about it, with its
//! place. Warnings never cost a verb more than the offending part; an error of a verb is kept with the place
//! where execution meets it, because a text may never get there.

use base::limits::DOCUMENT_BYTES_MAX;
use serde::{Deserialize, Serialize};

use crate::encoding::pseudo_attribute;
use crate::place::Place;
use crate::reading::{Reading, tag};
use crate::verb::{self, Verb};
use crate::{Dialect, Finding, Level};

/// A document: what to do, and what was wrong with its text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// The verbs to execute, in order.
    pub verbs: Vec<Verb>,
    /// Everything noteworthy, in the order it stands in the text, `errors` included.
    pub findings: Vec<Finding>,
    /// What has a consequence in the call when execution gets there.
    pub errors: Vec<VerbError>,
    /// Where each of the verbs stands; none for what was no text.
    pub places: Vec<Place>,
}

/// An error that execution meets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerbError {
    /// How many verbs are executed before it.
    pub verb: usize,
    /// The document ends there and the fallback is asked; otherwise it is only told.
    pub ends: bool,
    /// What is wrong.
    pub finding: Finding,
}

/// Reads a text. `Err` when it is not a document at all (11750, 12100, 12101, 12102).
pub fn parse(text: &str, dialect: Dialect) -> Result<Document, Finding> {
    if text.len() > DOCUMENT_BYTES_MAX {
        return Err(Finding::unplaced(11750, ""));
    }
    let body = text.trim_start_matches('\u{feff}').trim_start();
    let mut reading = Reading::new(text, text.len() - body.len(), dialect);
    check_prolog(body, &mut reading)?;
    check_size(body, &mut reading)?;
    let xml =
        roxmltree::Document::parse(body).map_err(|error| not_well_formed(&error, body, &mut reading))?;
    let root = xml.root_element();
    if tag(root) != "Response" {
        let message = format!("the root element is {}, not Response", tag(root));
        return Err(failure(12102, root.range().start, message, &mut reading));
    }
    Ok(verbs(root, reading))
}

fn verbs(root: roxmltree::Node<'_, '_>, mut reading: Reading<'_>) -> Document {
    let mut document = Document::default();
    let mut reachable = true;
    reading.known_attributes(root, &[], &[]);
    reading.no_text(root);
    for node in root.children().filter(|child| child.is_element()) {
        let before = reading.findings.len();
        let verb = verb::read(node, &mut reading);
        let ends = reading.take_fatal();
        if !reachable {
            continue;
        }
        let told = reading.findings.iter().skip(before).filter(|finding| finding.level == Level::Error);
        let at = document.verbs.len();
        document.errors.extend(told.map(|finding| VerbError {
            verb: at,
            ends: false,
            finding: finding.clone(),
        }));
        if ends {
            // The list of findings may have been full; the document ends there all the same.
            let unlisted =
                || VerbError { verb: at, ends: true, finding: Finding::unplaced(12400, tag(node)) };
            match document.errors.last_mut().filter(|error| error.verb == at) {
                Some(error) => error.ends = true,
                None => document.errors.push(unlisted()),
            }
            reachable = false;
        } else if let Some(verb) = verb {
            document.places.push(Place::read(node, &mut reading));
            document.verbs.push(verb);
        }
    }
    // They stay as long as the call.
    document.verbs.shrink_to_fit();
    document.places.shrink_to_fit();
    document.findings = reading.into_findings();
    document.findings.sort_by_key(|finding| (finding.line == 0, finding.line, finding.column));
    document
}

/// The XML declaration's version, and no document type: entities have no place in a document from the network.
fn check_prolog(body: &str, reading: &mut Reading<'_>) -> Result<(), Finding> {
    let mut rest = body;
    if let Some((declaration, after)) = body.strip_prefix("<?xml ").and_then(|d| d.split_once("?>")) {
        let version = pseudo_attribute(declaration, "version");
        if let Some(other) = version.filter(|version| *version != "1.0") {
            return Err(failure(12101, 0, format!("the XML version is {other}, not 1.0"), reading));
        }
        rest = after;
    }
    loop {
        rest = rest.trim_start();
        let skipped = match rest.get(..2) {
            Some("<?") => rest.split_once("?>"),
            Some("<!") if rest.starts_with("<!--") => rest.split_once("-->"),
            Some("<!") if rest.starts_with("<!DOCTYPE") => {
                let at = body.len() - rest.len();
                return Err(failure(12100, at, "a document type declaration is not accepted", reading));
            }
            _ => return Ok(()),
        };
        let Some((_, after)) = skipped else { return Ok(()) };
        rest = after;
    }
}

/// The XML parser compares each attribute of an element, and each namespace, with all others: a cap on both
/// keeps its time linear.
fn check_size(body: &str, reading: &mut Reading<'_>) -> Result<(), Finding> {
    if body.matches("xmlns").count() > NAMESPACES_MAX {
        return Err(failure(12100, 0, "too many namespaces", reading));
    }
    let mut rest = body;
    while let Some((_, markup)) = rest.split_once('<') {
        let skipped = [("!--", "-->"), ("![CDATA[", "]]>"), ("?", "?>")]
            .iter()
            .find(|(start, _)| markup.starts_with(start))
            .map(|(_, end)| markup.split_once(end).map_or("", |(_, after)| after));
        rest = match skipped {
            Some(after) => after,
            None => {
                let (attributes, length) = tag_size(markup);
                if attributes > ATTRIBUTES_MAX {
                    let at = body.len() - markup.len();
                    return Err(failure(12100, at, "too many attributes in one element", reading));
                }
                markup.get(length..).unwrap_or_default()
            }
        };
    }
    Ok(())
}

/// Equal signs outside quotes, and bytes, up to the tag's end.
fn tag_size(markup: &str) -> (usize, usize) {
    let mut attributes = 0;
    let mut quote = None;
    for (at, byte) in markup.bytes().enumerate() {
        match (byte, quote) {
            (b'>', None) => return (attributes, at),
            (b'=', None) => attributes += 1,
            (b'"' | b'\'', None) => quote = Some(byte),
            (_, Some(open)) if byte == open => quote = None,
            _ => {}
        }
    }
    (attributes, markup.len())
}

fn not_well_formed(error: &roxmltree::Error, body: &str, reading: &mut Reading<'_>) -> Finding {
    let position = error.pos();
    let line = usize::try_from(position.row).unwrap_or(1).saturating_sub(1);
    let column = usize::try_from(position.col).unwrap_or(1).saturating_sub(1);
    let start: usize = body.split_inclusive('\n').take(line).map(str::len).sum();
    let within = body.get(start..).unwrap_or_default();
    let offset = within.char_indices().nth(column).map_or(within.len(), |(index, _)| index);
    // The parser's sentence ends in a place that does not count what was trimmed before it.
    let sentence = error.to_string();
    let sentence = sentence.split(&format!(" at {position}")).collect::<Vec<_>>().concat();
    failure(12100, start + offset, sentence, reading)
}

fn failure(code: u32, at: usize, message: impl Into<String>, reading: &mut Reading<'_>) -> Finding {
    let (line, column) = reading.place(at);
    Finding { line, column, message: message.into(), ..Finding::unplaced(code, "") }
}

/// Attributes one element may have; `<Gather>`, the richest, knows 29.
const ATTRIBUTES_MAX: usize = 64;
/// Namespace declarations a text may contain.
const NAMESPACES_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verb::Pause;

    fn codes(text: &str) -> Result<(usize, Vec<u32>), u32> {
        parse(text, Dialect::Twiml)
            .map(|d| (d.verbs.len(), d.findings.iter().map(|f| f.code).collect()))
            .map_err(|finding| finding.code)
    }

    #[test]
    fn what_is_a_document() {
        for (text, expected) in [
            ("<Response/>", Ok((0, vec![]))),
            ("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response></Response>", Ok((0, vec![]))),
            (
                "<?xml version='1.0'?><!-- a --><?b c?><Response><Hangup/></Response><!-- d -->",
                Ok((1, vec![])),
            ),
            ("\u{feff}<?xml version='1.0'?><Response/>", Ok((0, vec![]))),
            ("\n  <?xml version='1.0'?><Response/>", Ok((0, vec![]))),
            ("<Response xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xsi:x='y'/>", Ok((0, vec![]))),
            ("<Response version='2'/>", Ok((0, vec![12200]))),
            ("<Response>hello</Response>", Ok((0, vec![12200]))),
            ("<Response><say>x</say><Hangup/></Response>", Ok((1, vec![12200]))),
            ("<Response><Queue>x</Queue><Hangup/></Response>", Ok((1, vec![12200]))),
            ("<Response><Hangup a='b'/><Leave/></Response>", Ok((2, vec![12200]))),
            ("", Err(12100)),
            ("hello", Err(12100)),
            ("<Response>", Err(12100)),
            ("<Response><Say>a</Response>", Err(12100)),
            ("<Response><Say>a & b</Say></Response>", Err(12100)),
            ("<Response><Say>&nbsp;</Say></Response>", Err(12100)),
            ("<Response/><Response/>", Err(12100)),
            ("<Response a='1' a='2'/>", Err(12100)),
            ("<!DOCTYPE Response><Response/>", Err(12100)),
            ("<!-- x --><!DOCTYPE r [<!ENTITY a 'b'>]><Response>&a;</Response>", Err(12100)),
            ("<?xml version='1.1'?><Response/>", Err(12101)),
            ("<response/>", Err(12102)),
            ("<html><body>502</body></html>", Err(12102)),
        ] {
            assert_eq!(codes(text), expected, "{text}");
        }
        assert_eq!(codes(&format!("<Response>{}</Response>", " ".repeat(65_536))), Err(11750));
    }

    #[test]
    fn findings_say_where() {
        let place = |text: &str| match parse(text, Dialect::Twiml) {
            Ok(document) => (document.findings[0].line, document.findings[0].column),
            Err(finding) => (finding.line, finding.column),
        };
        for (text, expected) in [
            ("<Response>\n  <Foo/>\n</Response>", (2, 3)),
            ("<Response>\n  <Say voice='x'>ü</Say></Response>", (2, 8)),
            ("<Response><Say>ü</Say><Foo/></Response>", (1, 23)),
            ("\n\n  <Response><Foo/></Response>", (3, 13)),
            ("\u{feff}<Response><Foo/></Response>", (1, 12)),
            ("<Response>\r\n<Foo/></Response>", (2, 1)),
            ("<Response>\n <Say>a</Response>", (2, 8)),
            ("\n<response/>", (2, 1)),
        ] {
            assert_eq!(place(text), expected, "{text}");
        }
    }

    #[test]
    fn a_parser_message_names_the_place_once() {
        let finding = parse("\n<Response><Say>x</Response>", Dialect::Twiml).unwrap_err();
        assert_eq!(finding.to_string(), "2:17: error 12100: expected 'Say' tag, not 'Response'");
    }

    #[test]
    fn errors_keep_their_place_among_the_verbs() {
        let text = "<Response><Pause/><Sms>x</Sms><Pause/><Pay/><Pause/><Sms>y</Sms></Response>";
        let document = parse(text, Dialect::Twiml).unwrap();
        assert_eq!(document.verbs, vec![Verb::Pause(Pause { length_s: 1 }); 2]);
        let errors: Vec<(usize, bool, u32)> =
            document.errors.iter().map(|e| (e.verb, e.ends, e.finding.code)).collect();
        assert_eq!(errors, [(1, false, 13803), (2, true, 13750)]);
        assert_eq!(document.findings.iter().map(|f| f.code).collect::<Vec<_>>(), [13803, 13750, 13803]);
    }

    #[test]
    fn findings_are_bounded() {
        let document =
            parse(&format!("<Response>{}</Response>", "<a/>".repeat(10_000)), Dialect::Twiml).unwrap();
        assert_eq!(document.findings.len(), 101);
        assert!(document.findings[100].message.starts_with("9900 more"));
    }

    #[test]
    fn time_is_linear() {
        let attributes: String = (0..8_000).map(|n| format!("a{n}=''")).collect();
        let namespaces: String = (0..4_000).map(|n| format!(" xmlns:a{n}='u'")).collect();
        let deep = format!("<Response>{}{}</Response>", "<a>".repeat(9_000), "</a>".repeat(9_000));
        assert_eq!(codes(&format!("<Response {attributes}/>")), Err(12100));
        assert_eq!(codes(&format!("<Response {namespaces}/>")), Err(12100));
        assert_eq!(codes(&deep), Ok((0, vec![12200])));
        let harmless = format!(
            "<!-- {0} --><Response><Say>don't {0}</Say><?x {0}?><![CDATA[<a {0}]]></Response>",
            "= ".repeat(80)
        );
        assert_eq!(
            codes(&harmless),
            Ok((1, vec![12200])),
            "text in Response is told, equal signs are not counted"
        );
    }
}
