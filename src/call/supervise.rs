//! Somebody who is rung to listen to others: a supervisor comes into their conference (reference: taskrouter §7,
//! texml-delta §7).

use base::CallSid;
use router::SupervisorMode;
use twiml::Source;

use crate::incoming::escape;
use crate::node::Node;
use crate::participant::ConferenceRef;
use crate::place::{CallDocument, NotPlaced};

/// What a supervisor's call is told to do: it neither begins the conference nor ends it, and nobody is told that it
/// comes. Who whispers is heard by `whom` alone.
pub(crate) fn supervisor_document(conference: &str, mode: SupervisorMode, whom: &str) -> String {
    let how = match mode {
        SupervisorMode::Monitor => " muted=\"true\"".to_owned(),
        SupervisorMode::Whisper => format!(" coach=\"{whom}\""),
        SupervisorMode::Barge => String::new(),
    };
    let conference = escape(conference);
    format!(
        "<Response><Dial><Conference startConferenceOnEnter=\"false\" endConferenceOnExit=\"false\" \
         beep=\"false\"{how}>{conference}</Conference></Dial></Response>"
    )
}

impl Node {
    /// The document of a call that supervises another one, which has to be in a conference: two that are bridged share
    /// no room a third could come into.
    pub(crate) fn supervises(
        &self,
        supervised: CallSid,
        mode: SupervisorMode,
    ) -> Result<CallDocument, NotPlaced> {
        let conferences = &self.shared.conferences;
        let conference = conferences.participants().find(|(_, call)| *call == supervised);
        let conference = conference.and_then(|(sid, _)| conferences.find(&ConferenceRef::Sid(sid)));
        let why = || format!("{supervised} is in no conference: only there is a call supervised");
        let conference = conference.ok_or_else(|| NotPlaced { code: NOT_THERE, why: why() })?;
        let text = supervisor_document(&conference.name, mode, &supervised.to_string());
        Ok(CallDocument::Given(Source::Inline(text)))
    }
}

/// The call is not where it would have to be (reference: error-codes).
const NOT_THERE: u32 = 21220;
