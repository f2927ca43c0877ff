//! `<Start>` and `<Stop>`: services that run beside the document (reference: twiml-voice §14).

use serde::{Deserialize, Serialize};

use super::siprec::{self, SiprecNoun};
use super::stream::{self, StreamNoun, name};
use super::transcription::{self, TranscriptionNoun};
use super::{RecordChannels, RecordingStatusCallback, RecordingTrack};
use crate::reading::{Node, Reading, tag};
use crate::refused;

/// Begin services; the next verb runs at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// In document order; the box can run all of them.
    pub services: Vec<Service>,
}

/// What `<Start>` begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Service {
    /// Sound to an application's WebSocket.
    Stream(StreamNoun),
    /// The rest of the call into a file.
    Recording(CallRecording),
    /// Sound to a SIP recorder.
    Siprec(SiprecNoun),
    /// What is said, as text.
    Transcription(Box<TranscriptionNoun>),
}

/// `<Recording>` in `<Start>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallRecording {
    /// One for each direction unless asked otherwise.
    pub channels: RecordChannels,
    /// Which directions it contains.
    pub track: RecordingTrack,
    /// Cut silence off both ends.
    pub trim: bool,
    /// Where its fate is told.
    pub recording_status_callback: Option<RecordingStatusCallback>,
}

/// End services.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    /// In document order.
    pub services: Vec<StopService>,
}

/// What `<Stop>` ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StopService {
    /// A stream by its name.
    Stream(String),
    /// A SIP recording session by its name.
    Siprec(String),
    /// A transcription by its name.
    Transcription(String),
}

pub(super) fn start(node: Node<'_>, reading: &mut Reading<'_>) -> Start {
    reading.known_attributes(node, &["action", "method"], &[]);
    reading.no_text(node);
    let mut services = Vec::new();
    for child in children(node, reading) {
        match tag(child) {
            "Stream" => services.push(Service::Stream(stream::read(child, reading, false))),
            "Recording" => services.push(Service::Recording(recording(child, reading))),
            "Siprec" => services.push(Service::Siprec(siprec::read(child, reading))),
            "Transcription" => {
                services.push(Service::Transcription(Box::new(transcription::read(child, reading))))
            }
            _ => odd(node, child, reading),
        }
    }
    Start { services }
}

pub(super) fn stop(node: Node<'_>, reading: &mut Reading<'_>) -> Stop {
    reading.known_attributes(node, &["action", "method"], &[]);
    reading.no_text(node);
    let mut services = Vec::new();
    for child in children(node, reading) {
        let stopped = match tag(child) {
            "Stream" => StopService::Stream as fn(String) -> StopService,
            "Siprec" => StopService::Siprec,
            "Transcription" => StopService::Transcription,
            _ => {
                odd(node, child, reading);
                continue;
            }
        };
        // Besides the name whatever the noun has in Start is taken and means nothing.
        match tag(child) {
            "Stream" => reading.known_attributes(child, stream::ATTRIBUTES, stream::TEXML_ATTRIBUTES),
            "Transcription" => {
                reading.known_attributes(child, transcription::ATTRIBUTES, transcription::TEXML_ATTRIBUTES)
            }
            _ => reading.known_attributes(child, siprec::ATTRIBUTES, siprec::TEXML_ATTRIBUTES),
        }
        match name(child) {
            Some(name) => services.push(stopped(name)),
            None => reading.bad(14300, child.range().start, format!("{} in Stop needs a name", tag(child))),
        }
    }
    Stop { services }
}

/// The nested elements; there must be one.
fn children<'n>(node: Node<'n>, reading: &mut Reading<'_>) -> Vec<Node<'n>> {
    let children: Vec<Node<'n>> =
        node.children().filter(|child| child.is_element()).take(SERVICES_MAX).collect();
    if children.is_empty() {
        reading.bad(14300, node.range().start, format!("{} needs a nested element", tag(node)));
    }
    children
}

fn odd(node: Node<'_>, child: Node<'_>, reading: &mut Reading<'_>) {
    let at = child.range().start;
    match refused::noun(tag(node), tag(child)) {
        Some(row) => reading.note(row.code, at, format!("{} {}", tag(child), row.why)),
        None => reading.bad(14300, at, format!("{} is nothing to {}", tag(child), tag(node).to_lowercase())),
    }
}

fn recording(node: Node<'_>, reading: &mut Reading<'_>) -> CallRecording {
    const CHANNELS: &[(&str, RecordChannels)] =
        &[("mono", RecordChannels::Single), ("dual", RecordChannels::Dual)];
    const TRACK: &[(&str, RecordingTrack)] = &[
        ("inbound", RecordingTrack::Inbound),
        ("outbound", RecordingTrack::Outbound),
        ("both", RecordingTrack::Both),
    ];
    const TRIM: &[(&str, bool)] = &[("trim-silence", true), ("do-not-trim", false)];
    reading.known_attributes(
        node,
        &[
            "channels",
            "recordingConfigurationId",
            "recordingStatusCallback",
            "recordingStatusCallbackEvent",
            "recordingStatusCallbackMethod",
            "track",
            "trim",
        ],
        &[],
    );
    reading.no_children(node);
    reading.no_text(node);
    CallRecording {
        channels: reading.one_of(node, "channels", CHANNELS, RecordChannels::Dual, 12200),
        track: reading.one_of(node, "track", TRACK, RecordingTrack::Both, 12200),
        trim: reading.one_of(node, "trim", TRIM, false, 13699),
        recording_status_callback: reading.recording_callback(node),
    }
}

/// Services of one `<Start>`.
const SERVICES_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HttpMethod;
    use crate::verb::table::one;
    use crate::verb::{RecordingEvent, Verb};

    fn plain() -> CallRecording {
        CallRecording {
            channels: RecordChannels::Dual,
            track: RecordingTrack::Both,
            trim: false,
            recording_status_callback: None,
        }
    }

    #[test]
    fn attributes_of_a_recording_and_their_bad_values() {
        let told = |method, events: &[RecordingEvent]| CallRecording {
            recording_status_callback: Some(RecordingStatusCallback {
                url: "/r".into(),
                method,
                events: events.to_vec(),
                sends_url: true,
            }),
            ..plain()
        };
        use RecordingEvent::{Absent, Completed, InProgress};
        for (attributes, expected, codes) in [
            ("", plain(), vec![]),
            ("channels='dual'", plain(), vec![]),
            ("channels='mono'", CallRecording { channels: RecordChannels::Single, ..plain() }, vec![]),
            ("channels='stereo'", plain(), vec![12200]),
            ("track='inbound'", CallRecording { track: RecordingTrack::Inbound, ..plain() }, vec![]),
            ("track='outbound'", CallRecording { track: RecordingTrack::Outbound, ..plain() }, vec![]),
            ("track='both'", plain(), vec![]),
            ("track='x'", plain(), vec![12200]),
            ("trim='trim-silence'", CallRecording { trim: true, ..plain() }, vec![]),
            ("trim='do-not-trim'", plain(), vec![]),
            ("trim='x'", plain(), vec![13699]),
            ("recordingConfigurationId='x'", plain(), vec![]),
            ("recordingStatusCallback='/r'", told(HttpMethod::Post, &[Completed]), vec![]),
            (
                "recordingStatusCallback='/r' recordingStatusCallbackMethod='GET' \
                 recordingStatusCallbackEvent='in-progress completed absent'",
                told(HttpMethod::Get, &[InProgress, Completed, Absent]),
                vec![],
            ),
            ("beep='true'", plain(), vec![12200]),
        ] {
            let xml = format!("<Start><Recording {attributes}/></Start>");
            let start = Verb::Start(Start { services: vec![Service::Recording(expected)] });
            assert_eq!(one(&xml), (Some(start), codes), "{xml}");
        }
    }

    #[test]
    fn what_is_started_and_stopped() {
        let stop = |services| Some(Verb::Stop(Stop { services }));
        for (xml, expected, codes) in [
            ("<Stop><Stream name='s'/></Stop>", stop(vec![StopService::Stream("s".into())]), vec![]),
            (
                "<Stop><Siprec name='r'/><Stream name='s'/></Stop>",
                stop(vec![StopService::Siprec("r".into()), StopService::Stream("s".into())]),
                vec![],
            ),
            ("<Stop><Stream/></Stop>", None, vec![14300]),
            ("<Stop><Recording/></Stop>", None, vec![14300]),
            ("<Stop/>", None, vec![14300]),
            ("<Start/>", None, vec![14300]),
            ("<Start><Say>x</Say></Start>", None, vec![14300]),
            (
                "<Start action='/a' method='GET'><Recording/></Start>",
                Some(Verb::Start(Start { services: vec![Service::Recording(plain())] })),
                vec![],
            ),
        ] {
            assert_eq!(one(xml), (expected, codes), "{xml}");
        }
    }
}
