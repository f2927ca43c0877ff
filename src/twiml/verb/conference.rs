//! `<Conference>` (reference: twiml-voice §10.4).

use base::CallSid;
use base::ConferenceSid;
use serde::{Deserialize, Serialize};

use super::{ConferenceEvent, ConferenceStatusCallback, RecordingStatusCallback};
use crate::reading::{Node, Reading, attribute, owned, shortened, text};
use crate::{Dialect, HttpMethod};

/// A conference to join, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConferenceNoun {
    /// Its name: whoever names the same one meets there.
    pub name: String,
    /// Hears, but is not heard.
    pub muted: bool,
    /// When the others hear a beep.
    pub beep: Beep,
    /// Those who wait begin when this one is there.
    pub start_on_enter: bool,
    /// Everybody's conference is over when this one leaves.
    pub end_on_exit: bool,
    /// What the application calls this participant; unique in the conference.
    pub label: Option<String>,
    /// What is heard until the conference begins; `None` = the box's hold music, empty = silence.
    pub wait_url: Option<String>,
    /// How that is requested.
    pub wait_method: HttpMethod,
    /// No further participant is let in, 2–250.
    pub max_participants: u32,
    /// The conference is recorded from its beginning.
    pub record: bool,
    /// Cut silence off both ends of the recording.
    pub trim: bool,
    /// Everybody hears that the recording begins (TeXML's `recordBeep`).
    pub record_beep: bool,
    /// Seconds after which the recording ends; `None`: with the conference (TeXML's `recordingTimeout`).
    pub record_s_max: Option<u32>,
    /// Is heard by this participant alone.
    pub coach: Option<CallSid>,
    /// How long what it says may be held back to come steadily.
    pub jitter_buffer: JitterBufferSize,
    /// Where the conference's events are told.
    pub status_callback: Option<ConferenceStatusCallback>,
    /// Where the recording's fate is told.
    pub recording_status_callback: Option<RecordingStatusCallback>,
}

/// How long a participant's sound may be held back for packets that come late.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum JitterBufferSize {
    /// Hardly: what comes late is lost.
    Off,
    /// Little.
    Small,
    /// More.
    Medium,
    /// As long as the path makes it necessary.
    #[default]
    Large,
}

impl JitterBufferSize {
    /// As published.
    pub fn as_str(self) -> &'static str {
        match self {
            JitterBufferSize::Off => "off",
            JitterBufferSize::Small => "small",
            JitterBufferSize::Medium => "medium",
            JitterBufferSize::Large => "large",
        }
    }

    /// Milliseconds at most. The published words have no published lengths; these are the box's.
    pub fn ms_max(self) -> u16 {
        match self {
            JitterBufferSize::Off => 10,
            JitterBufferSize::Small => 40,
            JitterBufferSize::Medium => 100,
            JitterBufferSize::Large => 200,
        }
    }
}

/// When those in a conference hear a beep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Beep {
    /// When the participant joins and when it leaves.
    #[default]
    Both,
    /// Never.
    Never,
    /// When it joins.
    OnEnter,
    /// When it leaves.
    OnExit,
}

impl Beep {
    /// Whether they hear it join.
    pub fn on_enter(self) -> bool {
        matches!(self, Beep::Both | Beep::OnEnter)
    }

    /// Whether they hear it leave.
    pub fn on_exit(self) -> bool {
        matches!(self, Beep::Both | Beep::OnExit)
    }
}

/// `None` when it has no usable name (13237) or its participant none (16023).
pub(crate) fn read(node: Node<'_>, reading: &mut Reading<'_>) -> Option<ConferenceNoun> {
    reading.known_attributes(node, ATTRIBUTES, TEXML_ATTRIBUTES);
    reading.no_children(node);
    let name = name(node, reading);
    let label = label(node, reading);
    let texml = reading.dialect == Dialect::Texml;
    let record_s_max =
        if texml { reading.whole(node, "recordingTimeout", 0..=RECORD_S_MAX, 0, 12200) } else { 0 };
    let noun = ConferenceNoun {
        name: name.clone().unwrap_or_default(),
        muted: reading.boolean(node, "muted", false, 13230),
        beep: reading.one_of(node, "beep", BEEP, Beep::Both, 13235),
        start_on_enter: reading.boolean(node, "startConferenceOnEnter", true, 13232),
        end_on_exit: reading.boolean(node, "endConferenceOnExit", false, 13231),
        label: label.clone().unwrap_or_default(),
        wait_url: owned(node, "waitUrl"),
        wait_method: reading.method(node, "waitMethod", 13234),
        max_participants: reading.whole(
            node,
            "maxParticipants",
            2..=PARTICIPANTS_MAX,
            PARTICIPANTS_MAX,
            12200,
        ),
        record: reading.one_of(node, "record", RECORD, false, 13217),
        trim: reading.one_of(node, "trim", TRIM, !texml, 13239),
        record_beep: texml && reading.boolean(node, "recordBeep", true, 12200),
        record_s_max: Some(record_s_max).filter(|&seconds| seconds > 0),
        coach: coach(node, reading),
        jitter_buffer: reading.one_of(
            node,
            "jitterBufferSize",
            JITTER_BUFFERS,
            JitterBufferSize::Large,
            12200,
        ),
        status_callback: status_callback(node, reading),
        recording_status_callback: reading.recording_callback(node),
    };
    (name.is_some() && label.is_some()).then_some(noun)
}

fn name(node: Node<'_>, reading: &mut Reading<'_>) -> Option<String> {
    let name = text(node);
    let fault = if name.is_empty() {
        "a conference needs a name".to_owned()
    } else if name.chars().count() > NAME_CHARS_MAX || name.contains(char::is_control) {
        format!("a conference's name has at most {NAME_CHARS_MAX} printable characters")
    } else if name.parse::<ConferenceSid>().is_ok() {
        format!("\"{}\" is a conference's sid and cannot be its name", shortened(&name))
    } else {
        return Some(name);
    };
    reading.bad(13237, node.range().start, fault);
    None
}

/// `Some(None)` when there is none, `None` when it is bad: who cannot be named does not join.
fn label(node: Node<'_>, reading: &mut Reading<'_>) -> Option<Option<String>> {
    let Some(label) = attribute(node, "participantLabel").filter(|label| !label.is_empty()) else {
        return Some(None);
    };
    let fits = label.chars().count() <= NAME_CHARS_MAX
        && !label.contains('/')
        && !label.contains(char::is_control)
        && label.parse::<CallSid>().is_err();
    if fits {
        return Some(Some(label.to_owned()));
    }
    let at = node.attribute_node("participantLabel").map_or(node.range().start, |a| a.range().start);
    let wanted = "at most 128 characters, no slash, and not a call's sid";
    reading.note(16023, at, format!("participantLabel=\"{}\": {wanted}", shortened(label)));
    None
}

fn coach(node: Node<'_>, reading: &mut Reading<'_>) -> Option<CallSid> {
    let written = attribute(node, "coach").filter(|coach| !coach.is_empty())?;
    let sid = written.parse().ok();
    if sid.is_none() {
        reading.bad_value(node, "coach", 13240, "must be a call's sid");
    }
    sid
}

fn status_callback(node: Node<'_>, reading: &mut Reading<'_>) -> Option<ConferenceStatusCallback> {
    let events = reading.events(node, "statusCallbackEvent", EVENTS, 12200);
    let method = reading.method(node, "statusCallbackMethod", 12200);
    let url = owned(node, "statusCallback").filter(|url| !url.is_empty())?;
    Some(ConferenceStatusCallback { url, method, events })
}

const BEEP: &[(&str, Beep)] =
    &[("true", Beep::Both), ("false", Beep::Never), ("onEnter", Beep::OnEnter), ("onExit", Beep::OnExit)];
const RECORD: &[(&str, bool)] =
    &[("do-not-record", false), ("record-from-start", true), ("true", true), ("false", false)];
const TRIM: &[(&str, bool)] = &[("trim-silence", true), ("do-not-trim", false)];
const JITTER_BUFFERS: &[(&str, JitterBufferSize)] = &[
    ("off", JitterBufferSize::Off),
    ("small", JitterBufferSize::Small),
    ("medium", JitterBufferSize::Medium),
    ("large", JitterBufferSize::Large),
];
const EVENTS: &[(&str, ConferenceEvent)] = &[
    ("start", ConferenceEvent::Start),
    ("end", ConferenceEvent::End),
    ("join", ConferenceEvent::Join),
    ("leave", ConferenceEvent::Leave),
    ("mute", ConferenceEvent::Mute),
    ("hold", ConferenceEvent::Hold),
    ("modify", ConferenceEvent::Modify),
    ("speaker", ConferenceEvent::Speaker),
    ("announcement", ConferenceEvent::Announcement),
];
const ATTRIBUTES: &[&str] = &[
    "beep",
    "coach",
    "endConferenceOnExit",
    "eventCallbackUrl",
    "jitterBufferSize",
    "maxParticipants",
    "muted",
    "participantLabel",
    "record",
    "recordingConfigurationId",
    "recordingStatusCallback",
    "recordingStatusCallbackEvent",
    "recordingStatusCallbackMethod",
    "region",
    "startConferenceOnEnter",
    "statusCallback",
    "statusCallbackEvent",
    "statusCallbackMethod",
    "trim",
    "waitMethod",
    "waitUrl",
];
const TEXML_ATTRIBUTES: &[&str] = &["recordBeep", "recordingTimeout", "sendRecordingUrl"];
const NAME_CHARS_MAX: usize = 128;
const RECORD_S_MAX: u32 = 14_400;
const PARTICIPANTS_MAX: u32 = 250;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verb::table::{noun_in_dial, one, one_in};
    use crate::verb::{Noun, Verb};
    use crate::{Dialect, RecordingEvent};

    fn plain() -> ConferenceNoun {
        ConferenceNoun {
            name: "room".into(),
            muted: false,
            beep: Beep::Both,
            start_on_enter: true,
            end_on_exit: false,
            label: None,
            wait_url: None,
            wait_method: HttpMethod::Post,
            max_participants: 250,
            record: false,
            trim: true,
            record_beep: false,
            record_s_max: None,
            coach: None,
            jitter_buffer: JitterBufferSize::Large,
            status_callback: None,
            recording_status_callback: None,
        }
    }

    fn with(change: fn(&mut ConferenceNoun)) -> Option<ConferenceNoun> {
        let mut noun = plain();
        change(&mut noun);
        Some(noun)
    }

    #[test]
    fn attributes_and_their_bad_values() {
        let same = || Some(plain());
        for (attributes, expected, codes) in [
            ("", same(), vec![]),
            ("muted='true'", with(|n| n.muted = true), vec![]),
            ("muted='yes'", same(), vec![13230]),
            ("beep='false'", with(|n| n.beep = Beep::Never), vec![]),
            ("beep='onEnter'", with(|n| n.beep = Beep::OnEnter), vec![]),
            ("beep='onExit'", with(|n| n.beep = Beep::OnExit), vec![]),
            ("beep='loud'", same(), vec![13235]),
            ("startConferenceOnEnter='false'", with(|n| n.start_on_enter = false), vec![]),
            ("startConferenceOnEnter='0'", same(), vec![13232]),
            ("endConferenceOnExit='true'", with(|n| n.end_on_exit = true), vec![]),
            ("participantLabel='desk 3'", with(|n| n.label = Some("desk 3".into())), vec![]),
            ("participantLabel='a/b'", None, vec![16023]),
            ("participantLabel='CA00000000000000000000000000000001'", None, vec![16023]),
            ("waitUrl=''", with(|n| n.wait_url = Some(String::new())), vec![]),
            (
                "waitUrl='/w' waitMethod='GET'",
                with(|n| (n.wait_url, n.wait_method) = (Some("/w".into()), HttpMethod::Get)),
                vec![],
            ),
            ("waitMethod='x'", same(), vec![13234]),
            ("maxParticipants='2'", with(|n| n.max_participants = 2), vec![]),
            ("maxParticipants='1'", same(), vec![12200]),
            ("maxParticipants='251'", same(), vec![12200]),
            ("record='do-not-record'", same(), vec![]),
            ("record='record-from-start'", with(|n| n.record = true), vec![]),
            ("record='always'", same(), vec![13217]),
            ("trim='do-not-trim'", with(|n| n.trim = false), vec![]),
            ("coach='CA00000000000000000000000000000007'", with(|n| n.coach = Some(CallSid(7))), vec![]),
            ("coach=''", same(), vec![]),
            ("jitterBufferSize='large'", same(), vec![]),
            ("jitterBufferSize='small'", with(|n| n.jitter_buffer = JitterBufferSize::Small), vec![]),
            ("jitterBufferSize='medium'", with(|n| n.jitter_buffer = JitterBufferSize::Medium), vec![]),
            ("jitterBufferSize='off'", with(|n| n.jitter_buffer = JitterBufferSize::Off), vec![]),
            ("jitterBufferSize='huge'", same(), vec![12200]),
            ("region='us1' eventCallbackUrl='/e' recordingConfigurationId='x'", same(), vec![]),
            ("colour='red'", same(), vec![12200]),
        ] {
            let xml = format!("<Conference {attributes}>room</Conference>");
            assert_eq!(noun_in_dial(&xml), (expected.map(Noun::Conference), codes), "{xml}");
        }
    }

    #[test]
    fn values_whose_meaning_nobody_can_guess_end_the_document() {
        for (attribute, code) in
            [("endConferenceOnExit='maybe'", 13231), ("trim='some'", 13239), ("coach='ann'", 13240)]
        {
            let xml = format!("<Dial><Conference {attribute}>room</Conference></Dial>");
            assert_eq!(one(&xml), (None, vec![code]), "{xml}");
        }
    }

    #[test]
    fn names() {
        let long = "x".repeat(129);
        for (content, name) in [
            ("room", Some("room")),
            ("\n  Zimmer drei \n", Some("Zimmer drei")),
            ("CA1::CA2", Some("CA1::CA2")),
            ("", None),
            (long.as_str(), None),
            ("CF00000000000000000000000000000001", None),
        ] {
            let (noun, codes) = noun_in_dial(&format!("<Conference>{content}</Conference>"));
            let told = noun.map(|noun| match noun {
                Noun::Conference(noun) => noun.name,
                other => panic!("{other:?}"),
            });
            assert_eq!(told.as_deref(), name, "{content}");
            assert_eq!(codes, if name.is_some() { vec![] } else { vec![13237] }, "{content}");
        }
    }

    #[test]
    fn the_other_dialects_recording() {
        for (attributes, beep, seconds, codes) in [
            ("", true, None, vec![]),
            ("recordBeep='false' recordingTimeout='60'", false, Some(60), vec![]),
            ("recordingTimeout='0'", true, None, vec![]),
            ("recordBeep='x' recordingTimeout='14401'", true, None, vec![12200, 12200]),
        ] {
            let xml = format!("<Dial><Conference {attributes}>room</Conference></Dial>");
            let (Some(Verb::Dial(dial)), told) = one_in(&xml, Dialect::Texml) else { panic!("{xml}") };
            let [Noun::Conference(noun)] = dial.nouns.as_slice() else { panic!("{xml}") };
            let recorded = (noun.record_beep, noun.record_s_max, noun.trim);
            assert_eq!((recorded, told), ((beep, seconds, false), codes), "{xml}");
        }
    }

    const EVENTS_LATER: [ConferenceEvent; 2] = [ConferenceEvent::Modify, ConferenceEvent::Announcement];

    #[test]
    fn callbacks() {
        let read = |attributes: &str| {
            let (noun, codes) = noun_in_dial(&format!("<Conference {attributes}>room</Conference>"));
            let Some(Noun::Conference(noun)) = noun else { panic!("{attributes}") };
            (noun, codes)
        };
        let (noun, codes) =
            read("statusCallback='/s' statusCallbackMethod='GET' statusCallbackEvent='start end join join'");
        let callback = noun.status_callback.unwrap();
        assert_eq!((callback.url.as_str(), callback.method, codes), ("/s", HttpMethod::Get, vec![]));
        assert_eq!(callback.events, [ConferenceEvent::Start, ConferenceEvent::End, ConferenceEvent::Join]);
        let (noun, codes) = read("statusCallback='/s' statusCallbackEvent='modify announcement'");
        let events = noun.status_callback.unwrap().events;
        assert_eq!((events.as_slice(), codes), (&EVENTS_LATER[..], vec![]));
        assert_eq!(read("statusCallback='/s' statusCallbackEvent='never'").1, [12200]);
        let (noun, _) = read("recordingStatusCallback='/r' recordingStatusCallbackEvent='in-progress'");
        assert_eq!(noun.recording_status_callback.unwrap().events, [RecordingEvent::InProgress]);
    }
}
