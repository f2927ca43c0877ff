//! What every verb needs to read itself from an element: attributes with defaults, text, and where to complain.

use std::ops::RangeInclusive;

use crate::errors::{error_code, error_level};
use crate::verb::{ProgressEvent, RecordingEvent, RecordingStatusCallback, StatusCallback};
use crate::{Dialect, Finding, HttpMethod, Level};

/// An element of a text being read.
pub(crate) type Node<'n> = roxmltree::Node<'n, 'n>;

/// A text while it is read: the dialect, and what was found so far.
pub(crate) struct Reading<'t> {
    pub(crate) dialect: Dialect,
    text: &'t str,
    /// Bytes of `text` before what the XML parser was given.
    lead: usize,
    line_starts: Vec<usize>,
    /// A line's start, a byte in it and the characters between them: most places come in the order of the text, and
    /// a line may be all of it.
    counted: (usize, usize, usize),
    pub(crate) findings: Vec<Finding>,
    omitted: u32,
    /// A bad value that ends the document stood in the verb being read.
    fatal: bool,
}

impl<'t> Reading<'t> {
    pub(crate) fn new(text: &'t str, lead: usize, dialect: Dialect) -> Self {
        Self {
            dialect,
            text,
            lead,
            line_starts: Vec::new(),
            counted: (0, 0, 0),
            findings: Vec::new(),
            omitted: 0,
            fatal: false,
        }
    }

    /// Notes a code at a byte of the parsed text. Beyond [`FINDINGS_MAX`] they are only counted.
    pub(crate) fn note(&mut self, code: u32, at: usize, message: impl Into<String>) {
        if self.findings.len() >= FINDINGS_MAX {
            self.omitted = self.omitted.saturating_add(1);
            return;
        }
        debug_assert!(error_code(code).is_some(), "{code} is in the catalogue");
        let (line, column) = self.place(at);
        self.findings.push(Finding { code, level: error_level(code), line, column, message: message.into() });
    }

    /// Likewise, for a bad value: one of error level ends the document when execution gets there (reference:
    /// twiml-voice §1.3).
    pub(crate) fn bad(&mut self, code: u32, at: usize, message: impl Into<String>) {
        self.fatal |= error_level(code) == Level::Error;
        self.note(code, at, message);
    }

    /// Line and column, from 1, of a byte of the parsed text.
    pub(crate) fn place(&mut self, at: usize) -> (u32, u32) {
        if self.line_starts.is_empty() {
            self.line_starts.push(0);
            self.line_starts.extend(self.text.match_indices('\n').map(|(index, _)| index + 1));
        }
        let at = self.lead.saturating_add(at).min(self.text.len());
        let line = self.line_starts.partition_point(|start| *start <= at).max(1);
        let start = self.line_starts.get(line - 1).copied().unwrap_or(0);
        let (from, known) = match self.counted {
            (line, byte, characters) if line == start && byte <= at => (byte, characters),
            _ => (start, 0),
        };
        let characters = known + self.text.get(from..at).map_or(0, |before| before.chars().count());
        self.counted = (start, at, characters);
        let column = characters + 1;
        (u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
    }

    /// Whether the verb just read ends the document; asked once a verb.
    pub(crate) fn take_fatal(&mut self) -> bool {
        std::mem::take(&mut self.fatal)
    }

    /// Everything found, with a last line for what did not fit.
    pub(crate) fn into_findings(mut self) -> Vec<Finding> {
        if self.omitted > 0 {
            let message = format!("{} more findings are not listed", self.omitted);
            self.findings.push(Finding { message, ..Finding::unplaced(12200, "") });
        }
        self.findings
    }

    /// 12200 for every attribute that is none of `known`, nor of `texml` in that dialect. Attributes of foreign
    /// namespaces (`xsi:…`) are nobody's business.
    pub(crate) fn known_attributes(&mut self, node: Node<'_>, known: &[&str], texml: &[&str]) {
        for attribute in node.attributes().filter(|a| a.namespace().is_none()) {
            let name = attribute.name();
            let other = self.dialect == Dialect::Texml && texml.contains(&name);
            if !known.contains(&name) && !other {
                let message = format!("attribute \"{name}\" of {} is unknown and was ignored", tag(node));
                self.note(12200, attribute.range().start, message);
            }
        }
    }

    /// 12200 for what only the first dialect has: it is obeyed all the same (reference: texml-delta §1).
    pub(crate) fn foreign(&mut self, at: usize, what: &str) {
        if self.dialect == Dialect::Texml {
            self.note(12200, at, format!("{what} is not of this dialect; it is obeyed all the same"));
        }
    }

    /// Likewise, for an attribute that is there.
    pub(crate) fn foreign_attribute(&mut self, node: Node<'_>, name: &str) {
        if let Some(attribute) = node.attribute_node(name) {
            self.foreign(attribute.range().start, &format!("{name} of {}", tag(node)));
        }
    }

    /// 12200 for every nested element.
    pub(crate) fn no_children(&mut self, node: Node<'_>) {
        self.only_children(node, &[]);
    }

    /// 12200 for every nested element that is none of `allowed`.
    pub(crate) fn only_children(&mut self, node: Node<'_>, allowed: &[&str]) {
        for child in node.children().filter(|c| c.is_element() && !allowed.contains(&tag(*c))) {
            let message = format!("{} is not allowed in {} and was ignored", tag(child), tag(node));
            self.note(12200, child.range().start, message);
        }
    }

    /// 12200 for text where only elements belong.
    pub(crate) fn no_text(&mut self, node: Node<'_>) {
        for child in node.children().filter(|c| c.is_text()) {
            let text = child.text().unwrap_or_default();
            if !text.trim().is_empty() {
                let at = child.range().start + (text.len() - text.trim_start().len());
                self.note(12200, at, format!("text in {} was ignored", tag(node)));
            }
        }
    }

    /// A value that must be one of few; `default` when absent, and when bad.
    pub(crate) fn one_of<T: Copy>(
        &mut self,
        node: Node<'_>,
        name: &str,
        allowed: &[(&str, T)],
        default: T,
        code: u32,
    ) -> T {
        let Some(value) = attribute(node, name) else { return default };
        match allowed.iter().find(|(word, _)| *word == value) {
            Some((_, meaning)) => *meaning,
            None => {
                let words: Vec<&str> = allowed.iter().map(|(word, _)| *word).collect();
                self.bad_value(node, name, code, &format!("must be one of {}", words.join(", ")));
                default
            }
        }
    }

    /// A whole number in a range; `default` when absent, and when bad.
    pub(crate) fn whole(
        &mut self,
        node: Node<'_>,
        name: &str,
        range: RangeInclusive<u32>,
        default: u32,
        code: u32,
    ) -> u32 {
        self.whole_or_none(node, name, range, code).unwrap_or(default)
    }

    /// A whole number in a range; `None` when absent, and when bad.
    pub(crate) fn whole_or_none(
        &mut self,
        node: Node<'_>,
        name: &str,
        range: RangeInclusive<u32>,
        code: u32,
    ) -> Option<u32> {
        let value = attribute(node, name)?;
        let number = value.parse().ok().filter(|number| range.contains(number));
        if number.is_none() {
            let wanted = match range.end() {
                &u32::MAX => format!("must be a whole number of at least {}", range.start()),
                end => format!("must be a whole number from {} to {end}", range.start()),
            };
            self.bad_value(node, name, code, &wanted);
        }
        number
    }

    /// `true` or `false`, in any case of letters; `default` when absent, and when bad.
    pub(crate) fn boolean(&mut self, node: Node<'_>, name: &str, default: bool, code: u32) -> bool {
        match attribute(node, name) {
            None => default,
            Some(value) if value.eq_ignore_ascii_case("true") => true,
            Some(value) if value.eq_ignore_ascii_case("false") => false,
            Some(_) => {
                self.bad_value(node, name, code, "must be true or false");
                default
            }
        }
    }

    /// `GET` or `POST`; `POST` when absent, and when bad.
    pub(crate) fn method(&mut self, node: Node<'_>, name: &str, code: u32) -> HttpMethod {
        match attribute(node, name).map(HttpMethod::parse) {
            None => HttpMethod::Post,
            Some(Some(method)) => method,
            Some(None) => {
                self.bad_value(node, name, code, "must be GET or POST");
                HttpMethod::Post
            }
        }
    }

    /// `statusCallback`, `…Method`, `…Event` of a noun.
    pub(crate) fn status_callback(&mut self, node: Node<'_>, method_code: u32) -> Option<StatusCallback> {
        const EVENTS: &[(&str, ProgressEvent)] = &[
            ("initiated", ProgressEvent::Initiated),
            ("ringing", ProgressEvent::Ringing),
            ("answered", ProgressEvent::Answered),
            ("completed", ProgressEvent::Completed),
            // The other dialect's own (reference: texml-delta §3).
            ("amd", ProgressEvent::Amd),
            ("dtmf", ProgressEvent::Dtmf),
        ];
        let events = match self.dialect {
            Dialect::Twiml => &EVENTS[..4],
            Dialect::Texml => EVENTS,
        };
        let events = self.events(node, "statusCallbackEvent", events, 12200);
        let method = self.method(node, "statusCallbackMethod", method_code);
        let url = attribute(node, "statusCallback").filter(|url| !url.is_empty())?.to_owned();
        let events = if events.is_empty() { vec![ProgressEvent::Completed] } else { events };
        Some(StatusCallback { url, method, events })
    }

    /// `recordingStatusCallback`, `…Method`, `…Event`.
    pub(crate) fn recording_callback(&mut self, node: Node<'_>) -> Option<RecordingStatusCallback> {
        const EVENTS: &[(&str, RecordingEvent)] = &[
            ("in-progress", RecordingEvent::InProgress),
            ("completed", RecordingEvent::Completed),
            ("absent", RecordingEvent::Absent),
        ];
        let events = self.events(node, "recordingStatusCallbackEvent", EVENTS, 13621);
        let method = self.method(node, "recordingStatusCallbackMethod", 13256);
        let sends_url = self.dialect == Dialect::Twiml || self.boolean(node, "sendRecordingUrl", true, 12200);
        let url = attribute(node, "recordingStatusCallback").filter(|url| !url.is_empty())?.to_owned();
        let events = if events.is_empty() { vec![RecordingEvent::Completed] } else { events };
        Some(RecordingStatusCallback { url, method, events, sends_url })
    }

    /// A space-separated list of words, each once, bad ones left out.
    pub(crate) fn events<T: Copy + PartialEq>(
        &mut self,
        node: Node<'_>,
        name: &str,
        known: &[(&str, T)],
        code: u32,
    ) -> Vec<T> {
        let mut events = Vec::new();
        for word in attribute(node, name).unwrap_or_default().split_ascii_whitespace() {
            match known.iter().find(|(token, _)| *token == word) {
                Some((_, event)) if events.contains(event) => {}
                Some((_, event)) => events.push(*event),
                None => {
                    let words: Vec<&str> = known.iter().map(|(token, _)| *token).collect();
                    self.bad_value(node, name, code, &format!("may contain {}", words.join(", ")));
                }
            }
        }
        events
    }

    /// A bad value, said with the element, the attribute and what would be right.
    pub(crate) fn bad_value(&mut self, node: Node<'_>, name: &str, code: u32, wanted: &str) {
        let value = attribute(node, name).unwrap_or_default();
        let at = node.attribute_node(name).map_or(node.range().start, |a| a.range().start);
        let message = format!("{name}=\"{}\" of {}: {wanted}", shortened(value), tag(node));
        self.bad(code, at, message);
    }
}

/// The value of an attribute, trimmed; `Some("")` when it is there but empty.
pub(crate) fn attribute<'n>(node: Node<'n>, name: &str) -> Option<&'n str> {
    node.attribute(name).map(str::trim)
}

/// Likewise, as an owned text.
pub(crate) fn owned(node: Node<'_>, name: &str) -> Option<String> {
    attribute(node, name).map(str::to_owned)
}

/// The element's name.
pub(crate) fn tag<'n>(node: Node<'n>) -> &'n str {
    node.tag_name().name()
}

/// The element's own text, without that of nested elements, trimmed.
pub(crate) fn text(node: Node<'_>) -> String {
    let mut texts = node.children().filter(|c| c.is_text()).filter_map(|c| c.text());
    let first = texts.next().unwrap_or_default();
    let rest: String = texts.collect();
    if rest.is_empty() { first.trim().to_owned() } else { format!("{first}{rest}").trim().to_owned() }
}

/// White space runs become one space.
pub(crate) fn collapsed(text: &str) -> String {
    let mut words = text.split_whitespace();
    let mut line = words.next().unwrap_or_default().to_owned();
    for word in words {
        line.push(' ');
        line.push_str(word);
    }
    line
}

/// A value as a message may quote it.
pub(crate) fn shortened(value: &str) -> String {
    const CHARS_MAX: usize = 60;
    match value.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => format!("{}…", value.get(..end).unwrap_or_default()),
        None => value.to_owned(),
    }
}

/// Only the primary subtag's length and the characters are checked: engines know more languages than we do
/// (BCP 47, reference: twiml-voice §17).
pub(crate) fn is_language(tag: &str) -> bool {
    let mut subtags = tag.split('-');
    let primary = subtags.next().unwrap_or_default();
    (2..=3).contains(&primary.len())
        && primary.bytes().all(|b| b.is_ascii_alphabetic())
        && subtags.all(|s| (1..=8).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// DTMF with pauses: `0-9 A-D * # w W`.
pub(crate) fn is_digits(digits: &str) -> bool {
    !digits.is_empty()
        && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'A'..=b'D' | b'*' | b'#' | b'w' | b'W'))
}

/// Findings listed for one text.
pub(crate) const FINDINGS_MAX: usize = 100;
