//! `tandem trace`: one call and the calls it dialled, on one page.

use std::fmt::Write as _;

use base::Timestamp;
use call::record::{CallRow, EventKind, NotificationRow};

use crate::control::Traced;

/// Every event of every leg in the order of time.
pub(crate) fn draw(calls: &[Traced]) -> String {
    let mut text = String::new();
    for (leg, traced) in calls.iter().enumerate() {
        let _ = writeln!(text, "{} {}", letter(leg), headline(&traced.call));
    }
    let start = calls.first().map(|traced| traced.call.created).unwrap_or_default();
    let _ = writeln!(text, "\n{:>9}  leg", "s");
    let mut events: Vec<_> = calls
        .iter()
        .enumerate()
        .flat_map(|(leg, traced)| traced.events.iter().map(move |e| (e.at, leg, e)))
        .collect();
    events.sort_by_key(|(at, leg, event)| (*at, *leg, event.seq));
    for (at, leg, event) in events {
        let lane = "    ".repeat(leg.min(9));
        let _ = writeln!(
            text,
            "{:>9.3}  {lane}{} {} {}",
            seconds(at, start),
            letter(leg),
            arrow(event.kind),
            event.text
        );
    }
    for traced in calls {
        let mut notes: Vec<&NotificationRow> = traced.notifications.iter().collect();
        notes.sort_by_key(|note| (note.at, note.line, note.column));
        for note in notes {
            let place = match (note.line, note.column) {
                (Some(line), Some(column)) => format!(" line {line} column {column}"),
                _ => String::new(),
            };
            let url = note.url.as_deref().unwrap_or_default();
            let _ =
                writeln!(text, "\n{} {} {url}{place}\n    {}", note.code, level(note.level), note.message);
            text.push_str(&exchange(note));
        }
    }
    for traced in calls {
        for recording in &traced.recordings {
            let length =
                recording.duration_ms.map_or("?".to_owned(), |ms| format!("{:.1} s", ms as f64 / 1_000.0));
            let _ = writeln!(
                text,
                "\nrecording {} {}, {length}: recordings/{}",
                recording.sid,
                recording.status.as_str(),
                recording.path
            );
        }
    }
    text
}

/// What was requested and answered, in a few lines.
fn exchange(note: &NotificationRow) -> String {
    let (Some(method), Some(variables)) = (note.method, &note.request_variables) else {
        return String::new();
    };
    let cut = |text: &str, chars: usize| match text.char_indices().nth(chars) {
        Some((end, _)) => format!("{}…", on_one_line(&text[..end])),
        None => on_one_line(text),
    };
    let mut lines = format!("    {} {}\n", method.as_str(), cut(variables, 200));
    if let Some(status) = note.response_status {
        let body = note.response_body.as_deref().unwrap_or_default();
        let _ = writeln!(lines, "    answered {status} {}", cut(body, 200));
    }
    lines
}

/// As it is, but for what would end the line or steer a terminal.
fn on_one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() { line.extend(c.escape_debug()) } else { line.push(c) }
    }
    line
}

fn headline(call: &CallRow) -> String {
    let ended = call.ended_by.as_deref().map_or(String::new(), |by| format!(", ended by {by}"));
    let duration = call.duration_s.map_or(String::new(), |s| format!(", {s} s"));
    format!(
        "{} {} {} to {}: {}{duration}{ended}  ({})",
        call.sid,
        call.direction.as_str(),
        call.from,
        call.to,
        call.status.as_str(),
        call.created.iso8601()
    )
}

fn letter(leg: usize) -> char {
    char::from(b'A' + u8::try_from(leg.min(25)).unwrap_or(25))
}

fn seconds(at: Timestamp, start: Timestamp) -> f64 {
    (at - start).as_secs_f64()
}

fn level(level: twiml::Level) -> &'static str {
    match level {
        twiml::Level::Warning => "warning",
        twiml::Level::Error => "error",
    }
}

fn arrow(kind: EventKind) -> &'static str {
    match kind {
        EventKind::SipIn => "-->",
        EventKind::SipOut => "<--",
        EventKind::Fetch => "web",
        EventKind::Verb => "do ",
        EventKind::Media => "rtp",
        EventKind::Decision => "=> ",
        EventKind::Note => "!  ",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_shown_as_it_is_on_one_line() {
        assert_eq!(
            on_one_line("<Say voice=\"Zoë\">\n\u{1b}[2J</Say>"),
            "<Say voice=\"Zoë\">\\n\\u{1b}[2J</Say>"
        );
    }
}
