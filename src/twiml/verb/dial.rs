//! `<Dial>` (reference: twiml-voice §9).

use base::limits::DIAL_NOUNS_MAX;
use serde::{Deserialize, Serialize};

use super::{
    ApplicationNoun, ClientNoun, ConferenceNoun, MachineDetection, Number, QueueNoun,
    RecordingStatusCallback, SipNoun, application, client, conference, machine_detection, number, queue, sip,
};
use crate::reading::{Node, Reading, attribute, owned, tag, text};
use crate::{Dialect, HttpMethod, refused};

/// Call somebody and bridge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dial {
    /// Requested when the dial ends; `None` = go on with the next verb.
    pub action: Option<String>,
    /// How the action is requested.
    pub method: HttpMethod,
    /// Ring time, seconds.
    pub timeout_s: u32,
    /// Longest bridged call, seconds.
    pub time_limit_s: u32,
    /// The caller's `*` ends the callee's leg.
    pub hangup_on_star: bool,
    /// What the callee sees; `None` = the caller's own number.
    pub caller_id: Option<String>,
    /// The caller keeps ringing until the callee answers, if this is the first verb.
    pub answer_on_bridge: bool,
    /// One noun after the other instead of all at once.
    pub sequential: bool,
    /// Whether and how the bridge is recorded.
    pub record: DialRecord,
    /// Which directions a recording contains.
    pub recording_track: RecordingTrack,
    /// Cut silence off both ends of the recording.
    pub trim: bool,
    /// Where the recording's fate is told.
    pub recording_status_callback: Option<RecordingStatusCallback>,
    /// A country's ringing tone instead of the callee's; lower case, `us-old` included.
    pub ring_tone: Option<String>,
    /// TeXML: a sound the caller hears instead of a ringing tone.
    pub audio_url: Option<String>,
    /// TeXML: the name the callee sees beside the number, 128 characters at most.
    pub from_display_name: Option<String>,
    /// TeXML: longest recording, seconds; 0 = as long as the bridge.
    pub record_max_length_s: u32,
    /// TeXML: the callee learns who diverted the call here.
    pub pass_diversion: bool,
    /// Where a REFER from a bridged leg asks for a document.
    pub refer_url: Option<String>,
    /// How that is requested.
    pub refer_method: HttpMethod,
    /// Whom to ring, in document order; empty when the document named nobody the box can ring.
    pub nouns: Vec<Noun>,
}

/// Whom `<Dial>` rings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Noun {
    /// A phone number.
    Number(Number),
    /// A SIP address.
    Sip(SipNoun),
    /// A registered phone or browser by name.
    Client(ClientNoun),
    /// A conference; the only noun of its `<Dial>`.
    Conference(ConferenceNoun),
    /// Another application; likewise.
    Application(ApplicationNoun),
    /// The caller who has waited longest in a queue; the only noun of its `<Dial>`.
    Queue(QueueNoun),
}

impl Dial {
    /// The application that takes over, when this rings nobody but does that.
    pub fn application(&self) -> Option<&ApplicationNoun> {
        match self.nouns.as_slice() {
            [Noun::Application(noun)] => Some(noun),
            _ => None,
        }
    }

    /// The conference to join, when this rings nobody but does that.
    pub fn conference(&self) -> Option<&ConferenceNoun> {
        match self.nouns.as_slice() {
            [Noun::Conference(noun)] => Some(noun),
            _ => None,
        }
    }

    /// The queue to take a caller from, when this rings nobody but does that.
    pub fn queue(&self) -> Option<&QueueNoun> {
        match self.nouns.as_slice() {
            [Noun::Queue(noun)] => Some(noun),
            _ => None,
        }
    }
}

/// `record` of `<Dial>`; dual: channel 1 the parent leg, channel 2 the child.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DialRecord {
    /// No recording.
    #[default]
    DoNotRecord,
    /// One channel, from the answer.
    RecordFromAnswer,
    /// One channel, from the ringing.
    RecordFromRinging,
    /// Two channels, from the answer.
    RecordFromAnswerDual,
    /// Two channels, from the ringing.
    RecordFromRingingDual,
}

/// `recordingTrack` of `<Dial>`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RecordingTrack {
    /// Both directions.
    #[default]
    Both,
    /// What the parent leg sends; one channel.
    Inbound,
    /// What the parent leg hears; one channel.
    Outbound,
}

impl RecordingTrack {
    /// As published.
    pub fn as_str(self) -> &'static str {
        match self {
            RecordingTrack::Both => "both",
            RecordingTrack::Inbound => "inbound",
            RecordingTrack::Outbound => "outbound",
        }
    }
}

pub(crate) fn read(node: Node<'_>, reading: &mut Reading<'_>) -> Dial {
    reading.known_attributes(node, ATTRIBUTES, TEXML_ATTRIBUTES);
    let (timeout, time_limit) = match reading.dialect {
        Dialect::Twiml => (5..=600, 1..=u32::MAX),
        Dialect::Texml => (5..=120, 60..=14_400),
    };
    let texml = reading.dialect == Dialect::Texml;
    let detection = if texml { machine_detection::read(node, reading) } else { None };
    Dial {
        action: owned(node, "action"),
        method: reading.method(node, "method", 13210),
        timeout_s: reading.whole(node, "timeout", timeout, 30, 13212),
        time_limit_s: reading.whole(node, "timeLimit", time_limit, 14_400, 13216),
        hangup_on_star: reading.boolean(node, "hangupOnStar", false, 13213),
        caller_id: caller_id(node, reading),
        answer_on_bridge: reading.boolean(node, "answerOnBridge", false, 13219),
        sequential: reading.boolean(node, "sequential", false, 13218),
        record: record(node, reading),
        recording_track: reading.one_of(node, "recordingTrack", TRACK, RecordingTrack::Both, 13217),
        trim: reading.one_of(node, "trim", &[("trim-silence", true), ("do-not-trim", false)], false, 13699),
        recording_status_callback: reading.recording_callback(node),
        ring_tone: ring_tone(node, reading),
        audio_url: owned(node, "audioUrl").filter(|url| texml && !url.is_empty()),
        from_display_name: if texml { from_display_name(node, reading) } else { None },
        record_max_length_s: if texml { record_max_length(node, reading) } else { 0 },
        pass_diversion: texml && reading.boolean(node, "passDiversionHeader", false, 12200),
        refer_url: owned(node, "referUrl").filter(|url| !url.is_empty()),
        refer_method: reading.method(node, "referMethod", 13210),
        nouns: nouns(node, detection.as_ref(), reading),
    }
}

/// TeXML has the channels apart from the rest (reference: texml-delta §3).
fn record(node: Node<'_>, reading: &mut Reading<'_>) -> DialRecord {
    const CHANNELS: &[(&str, Option<bool>)] = &[("single", Some(false)), ("dual", Some(true))];
    let record = reading.one_of(node, "record", RECORD, DialRecord::DoNotRecord, 13217);
    let dual = match reading.dialect {
        Dialect::Twiml => None,
        Dialect::Texml => reading.one_of(node, "recordingChannels", CHANNELS, None, 13217),
    };
    match (record, dual) {
        (DialRecord::RecordFromAnswer, Some(true)) => DialRecord::RecordFromAnswerDual,
        (DialRecord::RecordFromRinging, Some(true)) => DialRecord::RecordFromRingingDual,
        (DialRecord::RecordFromAnswerDual, Some(false)) => DialRecord::RecordFromAnswer,
        (DialRecord::RecordFromRingingDual, Some(false)) => DialRecord::RecordFromRinging,
        (record, _) => record,
    }
}

fn record_max_length(node: Node<'_>, reading: &mut Reading<'_>) -> u32 {
    reading.whole(node, "recordMaxLength", 0..=14_400, 0, 13612)
}

fn from_display_name(node: Node<'_>, reading: &mut Reading<'_>) -> Option<String> {
    let name = attribute(node, "fromDisplayName").filter(|name| !name.is_empty())?;
    if name.chars().count() <= DISPLAY_NAME_CHARS_MAX && !name.contains(char::is_control) {
        return Some(name.to_owned());
    }
    reading.bad_value(node, "fromDisplayName", 12200, "may have 128 printable characters");
    None
}

fn caller_id(node: Node<'_>, reading: &mut Reading<'_>) -> Option<String> {
    let written = attribute(node, "callerId")?;
    if written.len() > CALLER_ID_BYTES_MAX {
        reading.bad_value(node, "callerId", 13248, "is too long");
        return None;
    }
    if let Some(number) = number::phone_number(written) {
        return Some(number);
    }
    let name = written.strip_prefix("client:").or_else(|| written.strip_prefix("sip:")).unwrap_or(written);
    let fits = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-_.@:;=".contains(&b));
    if name.is_empty() || !fits {
        reading.bad_value(node, "callerId", 13214, "must be a phone number, client:name or a SIP user");
        return None;
    }
    Some(written.to_owned())
}

fn ring_tone(node: Node<'_>, reading: &mut Reading<'_>) -> Option<String> {
    let tone = attribute(node, "ringTone")?;
    if RING_TONES.contains(&tone) {
        return Some(tone.to_owned());
    }
    reading.bad_value(node, "ringTone", 13220, "must be a country's code such as us");
    None
}

/// `detection` is for the nouns that say nothing of it themselves.
fn nouns(node: Node<'_>, detection: Option<&MachineDetection>, reading: &mut Reading<'_>) -> Vec<Noun> {
    let elements: Vec<Node<'_>> = node.children().filter(|c| c.is_element()).collect();
    let number = text(node);
    if elements.is_empty() && !number.is_empty() {
        let at = node.first_child().map_or(node.range().start, |c| c.range().start);
        let mut noun = number::bare(&number, at, reading).map(Noun::Number);
        noun.iter_mut().for_each(|noun| inherit(noun, detection));
        return noun.into_iter().collect();
    }
    reading.no_text(node);
    let mut nouns = Vec::new();
    for child in alone_or_together(elements, reading) {
        if let Some(mut noun) = noun(child, reading) {
            if attribute(child, "machineDetection").is_none_or(str::is_empty) {
                inherit(&mut noun, detection);
            }
            if nouns.len() < DIAL_NOUNS_MAX {
                nouns.push(noun);
            } else {
                reading.bad(
                    13250,
                    child.range().start,
                    format!("{} is one too many and is not dialled", tag(child)),
                );
            }
        }
    }
    // They stay as long as the call.
    nouns.shrink_to_fit();
    nouns
}

fn inherit(noun: &mut Noun, detection: Option<&MachineDetection>) {
    match noun {
        Noun::Number(number) => number.machine_detection = detection.cloned(),
        Noun::Sip(sip) => sip.machine_detection = detection.cloned(),
        Noun::Client(_) | Noun::Conference(_) | Noun::Application(_) | Noun::Queue(_) => {}
    }
}

/// A conference goes together with nothing: only the first of such a mixture is dialled (13000).
fn alone_or_together<'n>(mut nouns: Vec<Node<'n>>, reading: &mut Reading<'_>) -> Vec<Node<'n>> {
    let Some((first, rest)) = nouns.split_first() else { return nouns };
    let alone = |n: &Node<'_>| ["Conference", "Queue", "Application"].contains(&tag(*n));
    if !rest.is_empty() && (alone(first) || rest.iter().any(alone)) {
        let message = format!("nouns that cannot be dialled together: only {} is", tag(*first));
        reading.bad(13000, first.range().start, message);
        nouns.truncate(1);
    }
    nouns
}

fn noun(node: Node<'_>, reading: &mut Reading<'_>) -> Option<Noun> {
    match tag(node) {
        "Number" => number::read(node, reading).map(Noun::Number),
        "Sip" => sip::read(node, reading).map(Noun::Sip),
        "Client" => client::read(node, reading).map(Noun::Client),
        "Conference" => conference::read(node, reading).map(Noun::Conference),
        "Queue" => queue::read(node, reading).map(Noun::Queue),
        "Application" => application::read(node, reading).map(Noun::Application),
        other => {
            let (code, why) = refused::noun("Dial", other)
                .map_or((13215, "is not allowed in Dial"), |row| (row.code, row.why));
            reading.note(code, node.range().start, format!("{other} {why}"));
            None
        }
    }
}

const RECORD: &[(&str, DialRecord)] = &[
    ("do-not-record", DialRecord::DoNotRecord),
    ("record-from-answer", DialRecord::RecordFromAnswer),
    ("record-from-ringing", DialRecord::RecordFromRinging),
    ("record-from-answer-dual", DialRecord::RecordFromAnswerDual),
    ("record-from-ringing-dual", DialRecord::RecordFromRingingDual),
    ("true", DialRecord::RecordFromAnswer),
    ("false", DialRecord::DoNotRecord),
];
const TRACK: &[(&str, RecordingTrack)] = &[
    ("both", RecordingTrack::Both),
    ("inbound", RecordingTrack::Inbound),
    ("outbound", RecordingTrack::Outbound),
];
const RING_TONES: &[&str] = &[
    "at", "au", "bg", "br", "be", "ch", "cl", "cn", "cz", "de", "dk", "ee", "es", "fi", "fr", "gr", "hu",
    "il", "in", "it", "lt", "jp", "mx", "my", "nl", "no", "nz", "ph", "pl", "pt", "ru", "se", "sg", "th",
    "uk", "us", "us-old", "tw", "ve", "za",
];
const ATTRIBUTES: &[&str] = &[
    "action",
    "answerOnBridge",
    "callReason",
    "callerId",
    "events",
    "hangupOnStar",
    "method",
    "passports",
    "record",
    "recordingConfigurationId",
    "recordingStatusCallback",
    "recordingStatusCallbackEvent",
    "recordingStatusCallbackMethod",
    "recordingTrack",
    "referMethod",
    "referUrl",
    "ringTone",
    "sequential",
    "timeLimit",
    "timeout",
    "trim",
];
const TEXML_ATTRIBUTES: &[&str] = &[
    "audioUrl",
    "fromDisplayName",
    "amdStatusCallback",
    "amdStatusCallbackMethod",
    "detectionMode",
    "machineDetection",
    "machineDetectionSilenceTimeout",
    "machineDetectionSpeechEndThreshold",
    "machineDetectionSpeechThreshold",
    "machineDetectionTimeout",
    "passDiversionHeader",
    "recordMaxLength",
    "recordingChannels",
    "sendRecordingUrl",
];
const CALLER_ID_BYTES_MAX: usize = 255;
const DISPLAY_NAME_CHARS_MAX: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verb::table::{one, one_in, verb_of};
    use crate::{RecordingEvent, Verb};

    fn plain() -> Dial {
        Dial {
            action: None,
            method: HttpMethod::Post,
            timeout_s: 30,
            time_limit_s: 14_400,
            hangup_on_star: false,
            caller_id: None,
            answer_on_bridge: false,
            sequential: false,
            record: DialRecord::DoNotRecord,
            recording_track: RecordingTrack::Both,
            trim: false,
            recording_status_callback: None,
            ring_tone: None,
            audio_url: None,
            from_display_name: None,
            record_max_length_s: 0,
            pass_diversion: false,
            refer_url: None,
            refer_method: HttpMethod::Post,
            nouns: vec![],
        }
    }

    fn with(change: fn(&mut Dial)) -> Dial {
        let mut dial = plain();
        change(&mut dial);
        dial
    }

    #[test]
    fn attributes_and_their_bad_values() {
        for (attributes, expected, codes) in [
            ("", plain(), vec![]),
            ("action='/a'", with(|d| d.action = Some("/a".into())), vec![]),
            ("action=''", with(|d| d.action = Some(String::new())), vec![]),
            ("method='GET'", with(|d| d.method = HttpMethod::Get), vec![]),
            ("method='x'", plain(), vec![13210]),
            ("timeout='5'", with(|d| d.timeout_s = 5), vec![]),
            ("timeout='600'", with(|d| d.timeout_s = 600), vec![]),
            ("timeout='4'", plain(), vec![13212]),
            ("timeout='601'", plain(), vec![13212]),
            ("timeout='ten'", plain(), vec![13212]),
            ("timeLimit='60'", with(|d| d.time_limit_s = 60), vec![]),
            ("timeLimit='0'", plain(), vec![13216]),
            ("hangupOnStar='true'", with(|d| d.hangup_on_star = true), vec![]),
            ("hangupOnStar='*'", plain(), vec![13213]),
            ("callerId='+15550001111'", with(|d| d.caller_id = Some("+15550001111".into())), vec![]),
            ("callerId='+1 (555) 000-1111'", with(|d| d.caller_id = Some("+15550001111".into())), vec![]),
            ("callerId='client:ann'", with(|d| d.caller_id = Some("client:ann".into())), vec![]),
            ("callerId='front-desk_1.a'", with(|d| d.caller_id = Some("front-desk_1.a".into())), vec![]),
            ("callerId='front desk'", plain(), vec![13214]),
            ("callerId=''", plain(), vec![13214]),
            ("answerOnBridge='true'", with(|d| d.answer_on_bridge = true), vec![]),
            ("answerOnBridge='1'", plain(), vec![13219]),
            ("sequential='true'", with(|d| d.sequential = true), vec![]),
            ("sequential='1'", plain(), vec![13218]),
            ("record='true'", with(|d| d.record = DialRecord::RecordFromAnswer), vec![]),
            ("record='false'", plain(), vec![]),
            (
                "record='record-from-answer-dual'",
                with(|d| d.record = DialRecord::RecordFromAnswerDual),
                vec![],
            ),
            ("record='record-from-ringing'", with(|d| d.record = DialRecord::RecordFromRinging), vec![]),
            ("record='always'", plain(), vec![13217]),
            ("recordingTrack='inbound'", with(|d| d.recording_track = RecordingTrack::Inbound), vec![]),
            ("recordingTrack='x'", plain(), vec![13217]),
            ("trim='trim-silence'", with(|d| d.trim = true), vec![]),
            ("trim='x'", plain(), vec![13699]),
            ("ringTone='us-old'", with(|d| d.ring_tone = Some("us-old".into())), vec![]),
            ("ringTone='xx'", plain(), vec![13220]),
            ("referMethod='x'", plain(), vec![13210]),
            ("referUrl='/r'", with(|d| d.refer_url = Some("/r".into())), vec![]),
            ("events='call-progress-event' passports='x' callReason='y'", plain(), vec![]),
            ("Timeout='10'", plain(), vec![12200]),
        ] {
            let xml = format!("<Dial {attributes}/>");
            assert_eq!(one(&xml), (Some(Verb::Dial(expected)), codes), "{xml}");
        }
        for (attributes, expected, codes) in [
            ("audioUrl='/r.mp3'", with(|d| d.audio_url = Some("/r.mp3".into())), vec![]),
            ("fromDisplayName='Sales'", with(|d| d.from_display_name = Some("Sales".into())), vec![]),
            ("recordMaxLength='60'", with(|d| d.record_max_length_s = 60), vec![]),
            ("recordMaxLength='14401'", plain(), vec![13612]),
            ("passDiversionHeader='true'", with(|d| d.pass_diversion = true), vec![]),
            (
                "record='record-from-answer' recordingChannels='dual'",
                with(|d| d.record = DialRecord::RecordFromAnswerDual),
                vec![],
            ),
            (
                "record='record-from-ringing-dual' recordingChannels='single'",
                with(|d| d.record = DialRecord::RecordFromRinging),
                vec![],
            ),
            ("recordingChannels='dual'", plain(), vec![]),
            ("recordingChannels='x'", plain(), vec![13217]),
            ("machineDetection='Enable'", plain(), vec![]),
            ("machineDetection='x'", plain(), vec![21263]),
        ] {
            let xml = format!("<Dial {attributes}/>");
            assert_eq!(one_in(&xml, Dialect::Texml), (Some(Verb::Dial(expected)), codes), "{xml}");
            let codes =
                vec![12200; attributes.matches('=').count() - usize::from(attributes.contains("record="))];
            assert_eq!(one(&xml).1, codes, "{xml} in the other dialect");
        }
        let long = format!("<Dial fromDisplayName='{}'/>", "x".repeat(129));
        assert_eq!(one_in(&long, Dialect::Texml), (Some(Verb::Dial(plain())), vec![12200]));
        let long = format!("<Dial callerId='{}'/>", "1".repeat(256));
        assert_eq!(one(&long), (Some(Verb::Dial(plain())), vec![13248]));
        assert_eq!(one_in("<Dial timeout='121'/>", Dialect::Texml), (Some(Verb::Dial(plain())), vec![13212]));
        let xml =
            "<Dial record='true' recordingStatusCallback='/r' recordingStatusCallbackEvent='in-progress'/>";
        let Verb::Dial(dial) = verb_of(xml, &[]) else { panic!() };
        assert_eq!(dial.recording_status_callback.unwrap().events, [RecordingEvent::InProgress]);
    }

    #[test]
    fn whom_it_rings() {
        for (content, expected, codes) in [
            ("+15550001111", vec!["+15550001111"], vec![]),
            ("\n  555-0001 ", vec!["5550001"], vec![]),
            ("client:ann", vec![], vec![13223]),
            ("", vec![], vec![]),
            ("<Number>1</Number><Sip>sip:a@h</Sip><Client>ann</Client>", vec!["1", "sip:a@h", "ann"], vec![]),
            ("<!-- all --><Number>1</Number>\n<!-- ring -->", vec!["1"], vec![]),
            ("2<Number>1</Number>", vec!["1"], vec![12200]),
            ("<Number>x</Number><Number>1</Number>", vec!["1"], vec![13223]),
            ("<Say>Hi</Say><Number>1</Number>", vec!["1"], vec![13215]),
            ("<number>1</number>", vec![], vec![13215]),
            ("<Conference>room</Conference>", vec!["room"], vec![]),
            ("<Number>1</Number><Conference>room</Conference>", vec!["1"], vec![13000]),
            ("<Conference>room</Conference><Number>1</Number>", vec!["room"], vec![13000]),
            ("<Queue>q</Queue>", vec!["q"], vec![]),
            ("<Sim>DE1</Sim><Number>1</Number>", vec!["1"], vec![13258]),
        ] {
            let Verb::Dial(dial) = verb_of(&format!("<Dial>{content}</Dial>"), &codes) else { panic!() };
            let rung: Vec<&str> = dial
                .nouns
                .iter()
                .map(|noun| match noun {
                    Noun::Number(number) => number.number.as_str(),
                    Noun::Sip(sip) => sip.uri.as_str(),
                    Noun::Client(client) => client.identity.as_str(),
                    Noun::Conference(conference) => conference.name.as_str(),
                    Noun::Queue(queue) => queue.name.as_str(),
                    Noun::Application(_) => "an application",
                })
                .collect();
            assert_eq!(rung, expected, "{content}");
        }
        let nested = "<Dial machineDetection='Enable'><Number>1</Number>\
                      <Sip machineDetection='DetectMessageEnd'>sip:a@h</Sip></Dial>";
        let (Some(Verb::Dial(dial)), _) = one_in(nested, Dialect::Texml) else { panic!() };
        let ends: Vec<Option<bool>> = dial
            .nouns
            .iter()
            .map(|noun| match noun {
                Noun::Number(number) => number.machine_detection.as_ref().map(|d| d.message_end),
                Noun::Sip(sip) => sip.machine_detection.as_ref().map(|d| d.message_end),
                _ => None,
            })
            .collect();
        assert_eq!(ends, [Some(false), Some(true)], "a noun's own comes first");
        let many = format!("<Dial>{}</Dial>", "<Number>1</Number>".repeat(12));
        let Verb::Dial(dial) = verb_of(&many, &[13250, 13250]) else { panic!() };
        assert_eq!(dial.nouns.len(), 10);
    }
}
