//! A call's ladder: what happened to it, in order.

use base::CallSid;
use twiml::{ConnectService, PlaySource, Service, Verb};

use crate::call::Call;
use crate::ctx::Ctx;
use crate::record::{EventKind, EventRow, StoreItem};

/// Event rows one call may have; a call that goes on longer is no longer written down step by step.
const EVENTS_PER_CALL_MAX: u32 = 5_000;

impl Call {
    /// Writes one line of the ladder.
    pub(crate) fn trace(&mut self, kind: EventKind, text: String, ctx: &mut Ctx<'_>) {
        if self.event_seq > EVENTS_PER_CALL_MAX {
            return;
        }
        let (kind, text) = if self.event_seq == EVENTS_PER_CALL_MAX {
            (EventKind::Note, "too many events: the rest is not written down".to_owned())
        } else {
            (kind, text)
        };
        let row = EventRow { call: self.sid(), seq: self.event_seq, at: ctx.now.wall, kind, text };
        self.event_seq += 1;
        ctx.store(StoreItem::Event(row));
    }
}

/// The Call-ID of a message, read without parsing the rest: it only decides under which call a message is
/// shown.
pub(crate) fn peek_call_id(bytes: &[u8]) -> Option<&str> {
    let head = &bytes[..bytes.len().min(PEEK_BYTES_MAX)];
    for line in head.split(|b| *b == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            return None;
        }
        let Some(colon) = line.iter().position(|b| *b == b':') else { continue };
        let name = line[..colon].trim_ascii();
        if name.eq_ignore_ascii_case(b"call-id") || name.eq_ignore_ascii_case(b"i") {
            return std::str::from_utf8(line[colon + 1..].trim_ascii()).ok();
        }
    }
    None
}

/// One message in one line: its start line and what matters of the rest.
pub(crate) fn summary(bytes: &[u8], peer: std::net::SocketAddr) -> String {
    let line = bytes.split(|b| *b == b'\r' || *b == b'\n').next().unwrap_or_default();
    let line = String::from_utf8_lossy(&line[..line.len().min(200)]).into_owned();
    let sdp = bytes.windows(4).position(|w| w == b"\r\n\r\n").is_some_and(|at| bytes.len() > at + 4);
    format!("{line} ({peer}{})", if sdp { ", SDP" } else { "" })
}

/// A verb in one line of the ladder.
pub(crate) fn describe(verb: &Verb) -> String {
    match verb {
        Verb::Say(say) => format!("Say {:?}", say.text.chars().take(60).collect::<String>()),
        Verb::Play(play) => match &play.source {
            PlaySource::Url(url) => format!("Play {}", twiml::shown(url)),
            PlaySource::Answer(answer) => format!("Play the answer of {}", twiml::shown(&answer.url)),
            PlaySource::Digits(digits) => format!("Play digits {digits}"),
        },
        Verb::Pause(pause) => format!("Pause {} s", pause.length_s),
        Verb::Gather(gather) => format!("Gather, {} s", gather.timeout_s),
        Verb::Record(record) => format!("Record, at most {} s", record.max_length_s),
        Verb::Dial(dial) if let Some(noun) = dial.conference() => format!("Dial conference {:?}", noun.name),
        Verb::Dial(dial) if let Some(noun) = dial.application() => format!("Dial application {}", noun.sid),
        Verb::Dial(dial) if let Some(noun) = dial.queue() => format!("Dial queue {:?}", noun.name),
        Verb::Enqueue(enqueue) => match enqueue.workflow {
            Some(workflow) => format!("Enqueue for workflow {workflow}"),
            None => format!("Enqueue {:?}", enqueue.name),
        },
        Verb::Dial(dial) => format!("Dial, {} to ring, {} s", dial.nouns.len(), dial.timeout_s),
        Verb::Start(start) => {
            format!("Start {}", start.services.iter().map(service).collect::<Vec<_>>().join(", "))
        }
        Verb::Stop(stop) => format!("Stop, {} services", stop.services.len()),
        Verb::Connect(connect) => match &connect.service {
            ConnectService::Stream(noun) => format!("Connect stream to {}", twiml::shown(&noun.url)),
            ConnectService::Refused { name, .. } => format!("Connect {name}"),
        },
        Verb::Echo => "Echo".to_owned(),
        Verb::Refer(refer) => format!("Refer to {}", refer.uri),
        Verb::Redirect(redirect) => format!("Redirect {}", redirect.url),
        Verb::Hangup => "Hangup".to_owned(),
        Verb::Reject(reject) => if reject.busy { "Reject as busy" } else { "Reject" }.to_owned(),
        Verb::Leave => "Leave".to_owned(),
    }
}

/// What `<Start>` begins, in a few words.
fn service(service: &Service) -> String {
    match service {
        Service::Stream(noun) => format!("stream to {}", twiml::shown(&noun.url)),
        Service::Recording(_) => "recording".to_owned(),
        Service::Siprec(noun) => format!("siprec {:?}", noun.connector_name),
        Service::Transcription(_) => "transcription".to_owned(),
    }
}

/// Which call a Call-ID belongs to, remembered while the call lives.
pub(crate) type CallIds = std::collections::BTreeMap<String, CallSid>;

const PEEK_BYTES_MAX: usize = 8 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_call_id_is_found_in_either_spelling_and_only_among_headers() {
        assert_eq!(peek_call_id(b"INVITE sip:x SIP/2.0\r\nVia: v\r\nCall-ID: a@b\r\n\r\n"), Some("a@b"));
        assert_eq!(peek_call_id(b"INVITE sip:x SIP/2.0\r\ni:  c \r\n\r\n"), Some("c"));
        assert_eq!(peek_call_id(b"INVITE sip:x SIP/2.0\r\nVia: v\r\n\r\nCall-ID: body"), None);
        assert_eq!(peek_call_id(b"\xff\xfe"), None);
    }

    #[test]
    fn a_summary_is_one_line() {
        let text = summary(b"SIP/2.0 200 OK\r\nVia: v\r\n\r\nv=0", "192.0.2.1:5060".parse().unwrap());
        assert_eq!(text, "SIP/2.0 200 OK (192.0.2.1:5060, SDP)");
    }
}
