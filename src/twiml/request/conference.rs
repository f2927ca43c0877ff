//! What a conference's status callback carries (reference: webhooks §4.3).

use base::{AccountSid, CallSid, ConferenceSid, Timestamp};
use serde::{Deserialize, Serialize};

use super::Params;
use crate::{CallStatus, ConferenceEvent};

/// Which conference, and which of its events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConferenceFacts {
    /// The account.
    pub account_sid: AccountSid,
    /// The conference.
    pub conference_sid: ConferenceSid,
    /// Its name.
    pub name: String,
    /// From 1 for each conference, given when the event happens.
    pub sequence: u32,
    /// When it happened, not when it is told.
    pub at: Timestamp,
}

/// Somebody in a conference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParticipantFacts {
    /// The leg.
    pub call_sid: CallSid,
    /// Hears, but is not heard.
    pub muted: bool,
    /// Hears hold music instead of the others.
    pub hold: bool,
    /// Whom it coaches.
    pub coaches: Option<CallSid>,
    /// The conference ends when it leaves.
    pub end_on_exit: bool,
    /// The conference may begin once it is there.
    pub start_on_enter: bool,
    /// What the application calls it.
    pub label: Option<String>,
}

/// What happened in a conference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConferenceNews {
    /// It began: two are there, and one for whom the others waited.
    Start,
    /// It is over.
    End {
        /// Whose leaving ended it, and that one's label.
        by: Option<(CallSid, Option<String>)>,
        /// Why.
        why: ConferenceEnd,
    },
    /// Somebody came.
    Join(ParticipantFacts),
    /// Somebody left.
    Leave {
        /// Who.
        participant: ParticipantFacts,
        /// Its call's state.
        status: CallStatus,
        /// Why.
        why: ParticipantLeft,
    },
    /// Somebody was muted or unmuted.
    Mute(ParticipantFacts),
    /// Somebody was put on hold or taken back.
    Hold(ParticipantFacts),
    /// How somebody takes part was changed in another way.
    Modify(ParticipantFacts),
    /// Somebody began to speak, or has stopped.
    Speech {
        /// Who.
        participant: ParticipantFacts,
        /// False: has stopped.
        began: bool,
    },
    /// An announcement has been heard.
    Announced {
        /// Who alone heard it, if it was for one.
        call: Option<CallSid>,
    },
    /// An announcement cannot be heard.
    AnnounceFailed {
        /// For whom alone it was, if for one.
        call: Option<CallSid>,
        /// Where it was asked for.
        url: String,
        /// Why, in a sentence.
        why: String,
    },
}

/// `ReasonConferenceEnded`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConferenceEnd {
    /// The API ended it.
    ConferenceEndedViaApi,
    /// The API removed the last one in it.
    LastParticipantKicked,
    /// The last one in it left.
    LastParticipantLeft,
    /// The API removed somebody with `endConferenceOnExit`.
    ParticipantWithEndConferenceOnExitKicked,
    /// Somebody with `endConferenceOnExit` left.
    ParticipantWithEndConferenceOnExitLeft,
}

impl ConferenceEnd {
    /// All of them.
    pub const ALL: [ConferenceEnd; 5] = [
        Self::ConferenceEndedViaApi,
        Self::LastParticipantKicked,
        Self::LastParticipantLeft,
        Self::ParticipantWithEndConferenceOnExitKicked,
        Self::ParticipantWithEndConferenceOnExitLeft,
    ];

    /// As published.
    pub fn as_str(self) -> &'static str {
        match self {
            ConferenceEnd::ConferenceEndedViaApi => "conference-ended-via-api",
            ConferenceEnd::LastParticipantKicked => "last-participant-kicked",
            ConferenceEnd::LastParticipantLeft => "last-participant-left",
            ConferenceEnd::ParticipantWithEndConferenceOnExitKicked => {
                "participant-with-end-conference-on-exit-kicked"
            }
            ConferenceEnd::ParticipantWithEndConferenceOnExitLeft => {
                "participant-with-end-conference-on-exit-left"
            }
        }
    }

    /// For people.
    fn sentence(self) -> &'static str {
        match self {
            ConferenceEnd::ConferenceEndedViaApi => "Conference ended via API",
            ConferenceEnd::LastParticipantKicked => "The last participant was removed from the conference",
            ConferenceEnd::LastParticipantLeft => "The last participant left the conference",
            ConferenceEnd::ParticipantWithEndConferenceOnExitKicked => {
                "A participant with endConferenceOnExit was removed from the conference"
            }
            ConferenceEnd::ParticipantWithEndConferenceOnExitLeft => {
                "A participant with endConferenceOnExit left the conference"
            }
        }
    }
}

/// `ReasonParticipantLeft`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParticipantLeft {
    /// The API ended the conference.
    ConferenceEndedViaApi,
    /// Somebody with `endConferenceOnExit` left.
    ModeratorEndedConference,
    /// The API removed or redirected it.
    ParticipantUpdatedViaApi,
    /// It hung up, or left of its own accord.
    ParticipantHungUp,
    /// It could not be let in properly.
    ParticipantAddFailed,
}

impl ParticipantLeft {
    /// As published, with underscores where the other reasons have hyphens.
    pub fn as_str(self) -> &'static str {
        match self {
            ParticipantLeft::ConferenceEndedViaApi => "conference_ended_via_api",
            ParticipantLeft::ModeratorEndedConference => "moderator_ended_conference",
            ParticipantLeft::ParticipantUpdatedViaApi => "participant_updated_via_api",
            ParticipantLeft::ParticipantHungUp => "participant_hung_up",
            ParticipantLeft::ParticipantAddFailed => "participant_add_failed",
        }
    }
}

impl ConferenceNews {
    /// Under which word of `statusCallbackEvent` it is asked for.
    pub fn event(&self) -> ConferenceEvent {
        match self {
            ConferenceNews::Start => ConferenceEvent::Start,
            ConferenceNews::End { .. } => ConferenceEvent::End,
            ConferenceNews::Join(_) => ConferenceEvent::Join,
            ConferenceNews::Leave { .. } => ConferenceEvent::Leave,
            ConferenceNews::Mute(_) => ConferenceEvent::Mute,
            ConferenceNews::Hold(_) => ConferenceEvent::Hold,
            ConferenceNews::Modify(_) => ConferenceEvent::Modify,
            ConferenceNews::Speech { .. } => ConferenceEvent::Speaker,
            ConferenceNews::Announced { .. } | ConferenceNews::AnnounceFailed { .. } => {
                ConferenceEvent::Announcement
            }
        }
    }
}

/// The parameters of a conference's event. They stand alone, without a call's standard ones.
pub fn conference_params(facts: &ConferenceFacts, news: &ConferenceNews) -> Vec<(String, String)> {
    let mut params = Params::default();
    params.set("AccountSid", facts.account_sid.to_string());
    params.set("ConferenceSid", facts.conference_sid.to_string());
    params.set("FriendlyName", facts.name.as_str());
    params.set("SequenceNumber", facts.sequence.to_string());
    params.set("Timestamp", facts.at.rfc2822());
    let event = match news {
        ConferenceNews::Start => "conference-start",
        ConferenceNews::End { by, why } => {
            if let Some((call, label)) = by {
                params.set("CallSidEndingConference", call.to_string());
                params.set_some("ParticipantLabelEndingConference", label.clone());
            }
            params.set("ReasonConferenceEnded", why.as_str());
            params.set("Reason", why.sentence());
            "conference-end"
        }
        ConferenceNews::Join(one) => {
            participant(one, &mut params);
            "participant-join"
        }
        ConferenceNews::Leave { participant: one, status, why } => {
            participant(one, &mut params);
            params.set("ParticipantCallStatus", status.as_str());
            params.set("ReasonParticipantLeft", why.as_str());
            "participant-leave"
        }
        ConferenceNews::Mute(one) => {
            participant(one, &mut params);
            if one.muted { "participant-mute" } else { "participant-unmute" }
        }
        ConferenceNews::Hold(one) => {
            participant(one, &mut params);
            if one.hold { "participant-hold" } else { "participant-unhold" }
        }
        ConferenceNews::Speech { participant: one, began } => {
            participant(one, &mut params);
            if *began { "participant-speech-start" } else { "participant-speech-stop" }
        }
        ConferenceNews::Modify(one) => {
            participant(one, &mut params);
            "participant-modify"
        }
        ConferenceNews::Announced { call } => {
            params.set_some("CallSid", call.map(|sid| sid.to_string()));
            "announcement-end"
        }
        ConferenceNews::AnnounceFailed { call, url, why } => {
            params.set_some("CallSid", call.map(|sid| sid.to_string()));
            params.set("AnnounceUrl", url.as_str());
            params.set("ReasonAnnouncementFailed", why.as_str());
            "announcement-fail"
        }
    };
    params.set("StatusCallbackEvent", event);
    params.sorted()
}

fn participant(facts: &ParticipantFacts, params: &mut Params) {
    params.set("CallSid", facts.call_sid.to_string());
    params.set("Muted", facts.muted.to_string());
    params.set("Hold", facts.hold.to_string());
    params.set("Coaching", facts.coaches.is_some().to_string());
    params.set_some("CallSidToCoach", facts.coaches.map(|sid| sid.to_string()));
    params.set("EndConferenceOnExit", facts.end_on_exit.to_string());
    params.set("StartConferenceOnEnter", facts.start_on_enter.to_string());
    params.set_some("ParticipantLabel", facts.label.clone());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(news: &ConferenceNews) -> Vec<String> {
        let facts = ConferenceFacts {
            account_sid: AccountSid(2),
            conference_sid: ConferenceSid(5),
            name: "Room 5".into(),
            sequence: 3,
            at: Timestamp(0),
        };
        let always = [
            "AccountSid=AC00000000000000000000000000000002",
            "ConferenceSid=CF00000000000000000000000000000005",
            "FriendlyName=Room 5",
            "SequenceNumber=3",
            "Timestamp=Thu, 01 Jan 1970 00:00:00 +0000",
        ];
        let all: Vec<String> =
            conference_params(&facts, news).iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert!(always.iter().all(|line| all.iter().any(|told| told == line)), "{all:?}");
        all.into_iter().filter(|line| !always.contains(&line.as_str())).collect()
    }

    #[test]
    fn every_event_says_what_is_published() {
        let plain = ParticipantFacts {
            call_sid: CallSid(1),
            muted: false,
            hold: false,
            coaches: None,
            end_on_exit: true,
            start_on_enter: false,
            label: None,
        };
        let marked = ParticipantFacts {
            muted: true,
            hold: true,
            coaches: Some(CallSid(7)),
            label: Some("desk".into()),
            ..plain.clone()
        };
        let plain_lines = [
            "CallSid=CA00000000000000000000000000000001",
            "Coaching=false",
            "EndConferenceOnExit=true",
            "Hold=false",
            "Muted=false",
            "StartConferenceOnEnter=false",
        ];
        let marked_lines = [
            "CallSid=CA00000000000000000000000000000001",
            "CallSidToCoach=CA00000000000000000000000000000007",
            "Coaching=true",
            "EndConferenceOnExit=true",
            "Hold=true",
            "Muted=true",
            "ParticipantLabel=desk",
            "StartConferenceOnEnter=false",
        ];
        let left = ConferenceNews::Leave {
            participant: plain.clone(),
            status: CallStatus::Completed,
            why: ParticipantLeft::ParticipantHungUp,
        };
        let ended = ConferenceNews::End {
            by: Some((CallSid(1), Some("desk".into()))),
            why: ConferenceEnd::LastParticipantLeft,
        };
        let stopped = ConferenceNews::End { by: None, why: ConferenceEnd::ConferenceEndedViaApi };
        let reasons = ["ParticipantCallStatus=completed", "ReasonParticipantLeft=participant_hung_up"];
        let end = [
            "CallSidEndingConference=CA00000000000000000000000000000001",
            "ParticipantLabelEndingConference=desk",
            "Reason=The last participant left the conference",
            "ReasonConferenceEnded=last-participant-left",
        ];
        let stop = ["Reason=Conference ended via API", "ReasonConferenceEnded=conference-ended-via-api"];
        for (news, event, lines) in [
            (ConferenceNews::Start, "conference-start", vec![]),
            (ended, "conference-end", end.to_vec()),
            (stopped, "conference-end", stop.to_vec()),
            (ConferenceNews::Join(plain.clone()), "participant-join", plain_lines.to_vec()),
            (ConferenceNews::Join(marked.clone()), "participant-join", marked_lines.to_vec()),
            (left, "participant-leave", [&plain_lines[..], &reasons].concat()),
            (ConferenceNews::Mute(marked.clone()), "participant-mute", marked_lines.to_vec()),
            (ConferenceNews::Mute(plain.clone()), "participant-unmute", plain_lines.to_vec()),
            (
                ConferenceNews::Speech { participant: plain.clone(), began: true },
                "participant-speech-start",
                plain_lines.to_vec(),
            ),
            (
                ConferenceNews::Speech { participant: marked.clone(), began: false },
                "participant-speech-stop",
                marked_lines.to_vec(),
            ),
            (ConferenceNews::Modify(marked.clone()), "participant-modify", marked_lines.to_vec()),
            (ConferenceNews::Announced { call: None }, "announcement-end", vec![]),
            (
                ConferenceNews::Announced { call: Some(CallSid(1)) },
                "announcement-end",
                vec!["CallSid=CA00000000000000000000000000000001"],
            ),
            (
                ConferenceNews::AnnounceFailed { call: None, url: "http://h/a".into(), why: "gone".into() },
                "announcement-fail",
                vec!["AnnounceUrl=http://h/a", "ReasonAnnouncementFailed=gone"],
            ),
            (ConferenceNews::Hold(marked), "participant-hold", marked_lines.to_vec()),
            (ConferenceNews::Hold(plain), "participant-unhold", plain_lines.to_vec()),
        ] {
            let mut expected: Vec<String> = lines.into_iter().map(str::to_owned).collect();
            expected.push(format!("StatusCallbackEvent={event}"));
            expected.sort();
            assert_eq!(told(&news), expected, "{news:?}");
        }
    }
}
