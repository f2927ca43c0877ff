//! Somebody is called to come into a conference (reference: rest-voice §7): a call of the box whose document is the
//! conference itself.
//!
//! ```text
//! called ──early sound──▶ heard in the room ──answer──▶ its document begins, it joins
//!    └──────── busy, no answer, removed ────────────────────────────▶ told as somebody who left
//! ```
//! The conference is there from the moment somebody is called, so that whoever asks is told its sid.

use base::ConferenceSid;
use media::{Member, PlayItem};
use serde::{Deserialize, Serialize};
use twiml::{Beep, ConferenceEvent, ConferenceNoun, ParticipantLeft, RecordingEvent};

use crate::call::Call;
use crate::conference_dial::{moment, spread};
use crate::ctx::{Ctx, Mail};
use crate::incoming::escape;
use crate::place::NewCall;

/// Somebody to be called into a conference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewParticipant {
    /// The call; its document is the conference.
    pub call: NewCall,
    /// How it takes part; the name is that of the conference that is asked for.
    pub conference: ConferenceNoun,
    /// What comes before the answer is heard in the conference.
    pub early_media: bool,
    /// Where a conference that begins with it is said to be mixed.
    pub region: Option<String>,
}

/// What a call knows of the conference it was made for, until it is there.
#[derive(Clone, Debug)]
pub(crate) struct Invitation {
    pub(crate) conference: ConferenceSid,
    pub(crate) early_media: bool,
    /// Its early sound is heard in the room.
    pub(crate) early: bool,
}

impl Call {
    /// Whether it was made for this conference and has not come yet.
    pub(crate) fn is_called_into(&self, sid: ConferenceSid) -> bool {
        self.invitation.as_ref().is_some_and(|invitation| invitation.conference == sid)
    }

    /// Its network sends sound before the answer: those in the conference hear it. It hears nothing of them.
    pub(crate) fn ring_in_conference(&mut self, ctx: &mut Ctx<'_>) {
        let Some(invitation) = self.invitation.as_mut().filter(|invitation| invitation.early_media) else {
            return;
        };
        let (sid, leg) = (invitation.conference, self.leg.id);
        let Some((room, members)) = ctx.shared.conferences.early(sid, self.row.sid) else { return };
        invitation.early = true;
        ctx.media(media::Command::Join { leg, room, member: Member::default() });
        let play = ctx.next_play();
        let items = vec![PlayItem::Silence { ms: SILENCE_MS }];
        ctx.media(media::Command::Play { leg, play, items, repeat: 0 });
        for other in members {
            ctx.mail(other, Mail::ConferenceChanged(sid));
        }
    }

    /// It has come, into this conference or another.
    pub(crate) fn come_in(&mut self, sid: ConferenceSid, ctx: &mut Ctx<'_>) {
        if !self.is_called_into(sid) {
            self.stay_away(ParticipantLeft::ParticipantUpdatedViaApi, ctx);
        } else if self.invitation.take().is_some_and(|invitation| invitation.early) {
            ctx.media(media::Command::StopPlay { leg: self.leg.id });
        }
    }

    /// It does not come.
    pub(crate) fn stay_away(&mut self, why: ParticipantLeft, ctx: &mut Ctx<'_>) {
        let Some(invitation) = self.invitation.take() else { return };
        let (call, leg, sid) = (self.sid(), self.leg.id, invitation.conference);
        // A closed leg has left already.
        if invitation.early && self.ended.is_none() {
            ctx.media(media::Command::StopPlay { leg });
            ctx.media(media::Command::Leave { leg });
        }
        let (status, moment) = (self.facts.status, moment(ctx));
        if let Some(left) = ctx.shared.conferences.uninvite(sid, call, status, why, moment) {
            spread(call, sid, left, ctx);
        }
    }
}

/// The document of a call into this conference.
pub(crate) fn document(noun: &ConferenceNoun) -> String {
    let mut attributes = String::new();
    let mut set = |name: &str, value: &str| {
        attributes.push_str(&format!(" {name}=\"{}\"", escape(value).replace('"', "&quot;")));
    };
    for (name, value) in [
        ("muted", noun.muted),
        ("startConferenceOnEnter", noun.start_on_enter),
        ("endConferenceOnExit", noun.end_on_exit),
        ("record", noun.record),
    ] {
        set(name, if value { "true" } else { "false" });
    }
    set("trim", if noun.trim { "trim-silence" } else { "do-not-trim" });
    set("jitterBufferSize", noun.jitter_buffer.as_str());
    set("maxParticipants", &noun.max_participants.to_string());
    set("waitMethod", noun.wait_method.as_str());
    set(
        "beep",
        match noun.beep {
            Beep::Both => "true",
            Beep::Never => "false",
            Beep::OnEnter => "onEnter",
            Beep::OnExit => "onExit",
        },
    );
    if let Some(url) = &noun.wait_url {
        set("waitUrl", url);
    }
    if let Some(label) = &noun.label {
        set("participantLabel", label);
    }
    if let Some(coached) = noun.coach {
        set("coach", &coached.to_string());
    }
    if let Some(to) = &noun.status_callback {
        set("statusCallback", &to.url);
        set("statusCallbackMethod", to.method.as_str());
        let words: Vec<&str> = to.events.iter().map(|event| event_word(*event)).collect();
        set("statusCallbackEvent", &words.join(" "));
    }
    if let Some(to) = &noun.recording_status_callback {
        set("recordingStatusCallback", &to.url);
        set("recordingStatusCallbackMethod", to.method.as_str());
        let words: Vec<&str> = to.events.iter().map(|event| recording_word(*event)).collect();
        set("recordingStatusCallbackEvent", &words.join(" "));
    }
    let name = escape(&noun.name);
    format!("<Response><Dial><Conference{attributes}>{name}</Conference></Dial></Response>")
}

fn event_word(event: ConferenceEvent) -> &'static str {
    match event {
        ConferenceEvent::Start => "start",
        ConferenceEvent::End => "end",
        ConferenceEvent::Join => "join",
        ConferenceEvent::Leave => "leave",
        ConferenceEvent::Mute => "mute",
        ConferenceEvent::Hold => "hold",
        ConferenceEvent::Modify => "modify",
        ConferenceEvent::Speaker => "speaker",
        ConferenceEvent::Announcement => "announcement",
    }
}

fn recording_word(event: RecordingEvent) -> &'static str {
    match event {
        RecordingEvent::InProgress => "in-progress",
        RecordingEvent::Completed => "completed",
        RecordingEvent::Absent => "absent",
    }
}

/// One round of the silence a callee hears before it has answered.
const SILENCE_MS: u32 = 1_000;

#[cfg(test)]
mod tests {
    use base::CallSid;
    use twiml::{ConferenceStatusCallback, HttpMethod, RecordingStatusCallback, Verb};

    use super::*;

    fn read(text: &str) -> ConferenceNoun {
        let document = twiml::parse(text, twiml::Dialect::Twiml).unwrap();
        assert_eq!(document.findings, [], "{text}");
        let [Verb::Dial(dial)] = document.verbs.as_slice() else { panic!("{text}") };
        dial.conference().cloned().unwrap()
    }

    #[test]
    fn a_document_says_all_that_was_asked_for() {
        let plain = read("<Response><Dial><Conference>r &amp; \"d\"</Conference></Dial></Response>");
        let all = ConferenceNoun {
            muted: true,
            start_on_enter: false,
            end_on_exit: true,
            record: true,
            trim: false,
            max_participants: 3,
            jitter_buffer: twiml::JitterBufferSize::Small,
            beep: Beep::OnExit,
            wait_url: Some("http://h/w?a=1&b=\"2\"".to_owned()),
            wait_method: HttpMethod::Get,
            label: Some("<desk>".to_owned()),
            coach: Some(CallSid(7)),
            status_callback: Some(ConferenceStatusCallback {
                url: "http://h/s".to_owned(),
                method: HttpMethod::Get,
                events: vec![ConferenceEvent::Start, ConferenceEvent::Announcement],
            }),
            recording_status_callback: Some(RecordingStatusCallback {
                url: "http://h/r".to_owned(),
                method: HttpMethod::Post,
                events: vec![RecordingEvent::Completed, RecordingEvent::Absent],
                sends_url: true,
            }),
            ..plain.clone()
        };
        let silent = ConferenceNoun { wait_url: Some(String::new()), ..plain.clone() };
        for noun in [plain, all, silent] {
            assert_eq!(read(&document(&noun)), noun);
        }
    }
}
