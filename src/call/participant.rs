//! Somebody in a conference, or called to come into one: what is known of it, what it hears, and what may be changed
//! (reference: rest-voice §7).

use base::{CallSid, ConferenceSid, Timestamp};
use media::LegId;
use serde::{Deserialize, Serialize};
use twiml::{Beep, ConferenceNoun, HttpMethod, JitterBufferSize, ParticipantFacts};

use crate::office::DocumentRef;

/// Somebody who takes part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Participant {
    pub(crate) facts: ParticipantFacts,
    pub(crate) leg: LegId,
    pub(crate) beep: Beep,
    pub(crate) jitter_buffer: JitterBufferSize,
    /// Until the conference begins.
    pub(crate) wait: Music,
    /// On hold.
    pub(crate) hold: Music,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
}

/// Something to be heard in place of the conference.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Music {
    /// `None`: the box's own; empty: silence; else a document, absolute.
    pub url: Option<String>,
    /// How that is asked for.
    pub method: HttpMethod,
}

/// What a participant is to hear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Hears {
    /// The others.
    Conference,
    /// This, until it begins.
    Waiting(Music),
    /// This, until it is taken back.
    Hold(Music),
}

/// Which conference: one that is not over yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConferenceRef {
    /// By its sid.
    Sid(ConferenceSid),
    /// By its name.
    Name(String),
}

impl ConferenceRef {
    /// A sid is one; everything else is a name.
    pub fn read(text: &str) -> ConferenceRef {
        text.parse().map_or_else(|_| ConferenceRef::Name(text.to_owned()), ConferenceRef::Sid)
    }
}

/// Which participant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ParticipantRef {
    /// By its call.
    Call(CallSid),
    /// By what the application calls it.
    Label(String),
}

impl ParticipantRef {
    /// A call's sid is one; everything else is a label.
    pub fn read(text: &str) -> ParticipantRef {
        text.parse().map_or_else(|_| ParticipantRef::Label(text.to_owned()), ParticipantRef::Call)
    }
}

/// What is asked or ordered about a participant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ParticipantOrder {
    /// How does it take part?
    Look,
    /// From now on it takes part differently.
    Update(Box<ParticipantUpdate>),
    /// It leaves; its document goes on. One that was only called is not called any more.
    Remove,
}

/// What is to change about a participant; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParticipantUpdate {
    /// Is not heard any more, or again.
    pub muted: Option<bool>,
    /// Hears this instead of the others, or the others again.
    pub hold: Option<Hold>,
    /// Alone hears this document once.
    pub announce: Option<DocumentRef>,
    /// What it hears until the conference begins.
    pub wait: Option<Music>,
    /// Whether the others hear a beep when it leaves.
    pub beep_on_exit: Option<bool>,
    /// The conference is over when it leaves.
    pub end_on_exit: Option<bool>,
    /// Whom it coaches, or nobody any more.
    pub coaches: Option<Option<CallSid>>,
}

/// Whether somebody is on hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Hold {
    /// It is, and hears this.
    On(Music),
    /// It is not.
    Off,
}

/// One who takes part (`rest-voice` §7).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveParticipant {
    /// In which conference.
    pub conference: ConferenceSid,
    /// How; whose call and label stand there too.
    pub facts: ParticipantFacts,
    /// How far it is.
    pub stage: ParticipantStage,
    /// When it came or was called.
    pub created: Timestamp,
    /// When something changed about it last.
    pub updated: Timestamp,
    /// How long its call waited to leave, in milliseconds; of calls made by the API.
    pub queue_time_ms: Option<u32>,
}

/// How far a participant is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ParticipantStage {
    /// Its call is to be made.
    Queued,
    /// It is being called.
    Connecting,
    /// It rings.
    Ringing,
    /// It is in the conference.
    Connected,
}

impl ParticipantStage {
    /// As published.
    pub fn as_str(self) -> &'static str {
        match self {
            ParticipantStage::Queued => "queued",
            ParticipantStage::Connecting => "connecting",
            ParticipantStage::Ringing => "ringing",
            ParticipantStage::Connected => "connected",
        }
    }
}

impl Participant {
    pub(crate) fn new(noun: &ConferenceNoun, call: CallSid, leg: LegId, at: Timestamp) -> Self {
        let facts = ParticipantFacts {
            call_sid: call,
            muted: noun.muted,
            hold: false,
            coaches: noun.coach,
            end_on_exit: noun.end_on_exit,
            start_on_enter: noun.start_on_enter,
            label: noun.label.clone(),
        };
        let wait = Music { url: noun.wait_url.clone(), method: noun.wait_method };
        Self {
            facts,
            leg,
            beep: noun.beep,
            jitter_buffer: noun.jitter_buffer,
            wait,
            hold: Music::default(),
            created: at,
            updated: at,
        }
    }

    /// Carries out what concerns it alone; says which kinds of events that is.
    pub(crate) fn change(&mut self, update: &ParticipantUpdate, at: Timestamp) -> Changed {
        let before = self.clone();
        if let Some(muted) = update.muted {
            self.facts.muted = muted;
        }
        match &update.hold {
            Some(Hold::On(music)) => {
                self.facts.hold = true;
                self.hold.clone_from(music);
            }
            Some(Hold::Off) => self.facts.hold = false,
            None => {}
        }
        if let Some(wait) = &update.wait {
            self.wait.clone_from(wait);
        }
        if let Some(beeps) = update.beep_on_exit {
            self.beep = match (self.beep.on_enter(), beeps) {
                (true, true) => Beep::Both,
                (true, false) => Beep::OnEnter,
                (false, true) => Beep::OnExit,
                (false, false) => Beep::Never,
            };
        }
        if let Some(ends) = update.end_on_exit {
            self.facts.end_on_exit = ends;
        }
        if let Some(coaches) = update.coaches {
            self.facts.coaches = coaches;
        }
        if *self != before {
            self.updated = at;
        }
        let otherwise =
            |one: &Participant| (one.beep, one.facts.end_on_exit, one.facts.coaches, one.wait.clone());
        Changed {
            mute: self.facts.muted != before.facts.muted,
            hold: self.facts.hold != before.facts.hold,
            modify: otherwise(self) != otherwise(&before),
        }
    }
}

/// Which events a change is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Changed {
    pub(crate) mute: bool,
    pub(crate) hold: bool,
    pub(crate) modify: bool,
}
