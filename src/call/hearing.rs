//! Listening to what somebody says: a tap of the leg for the shell's recogniser, and what comes back.
//!
//! The shell listens as long as the tap is there, so ending the tap ends the listening. What it says afterwards is
//! about a listening nobody knows any more, and is dropped.

use media::{RecordWhat, TapId};

use crate::call::{Call, Running};
use crate::ctx::Ctx;
use crate::io::{HearingId, Listen, Output, SpeechNews};
use crate::record::EventKind;

/// A listening that runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hearing {
    pub(crate) id: HearingId,
    tap: TapId,
}

/// How it is to be listened.
#[derive(Clone, Debug)]
pub(crate) struct Attention {
    pub(crate) language: String,
    pub(crate) hints: Vec<String>,
    pub(crate) silence_ms: Option<u32>,
    pub(crate) max_ms: u32,
    pub(crate) profanity_filter: bool,
    pub(crate) goes_on: bool,
}

impl Call {
    /// Begins to listen to one direction of the leg.
    pub(crate) fn listen(&self, what: RecordWhat, attention: Attention, ctx: &mut Ctx<'_>) -> Hearing {
        let (id, tap, leg) = (HearingId(ctx.next_id()), TapId(ctx.next_id()), self.leg.id);
        let Attention { language, hints, silence_ms, max_ms, profanity_filter, goes_on } = attention;
        let listen = Listen { id, leg, tap, language, hints, silence_ms, max_ms, profanity_filter, goes_on };
        ctx.media(media::Command::Tap { leg, tap, what });
        ctx.shared.hearings.insert(id, self.sid());
        ctx.shared.outputs.push_back(Output::Listen(Box::new(listen)));
        Hearing { id, tap }
    }

    /// Ends a listening.
    pub(crate) fn stop_listening(&self, hearing: Hearing, ctx: &mut Ctx<'_>) {
        ctx.shared.hearings.remove(&hearing.id);
        ctx.media(media::Command::Untap { leg: self.leg.id, tap: hearing.tap });
    }

    /// Something was heard.
    pub(crate) fn on_speech(&mut self, id: HearingId, news: SpeechNews, ctx: &mut Ctx<'_>) {
        if let SpeechNews::Failed { code, message } = &news {
            self.warn(*code, message.clone(), ctx);
        } else if let SpeechNews::Said { text, .. } = &news {
            self.trace(EventKind::Media, format!("heard {text:?}"), ctx);
        }
        match &self.running {
            Running::Gather(run) if run.hears(id) => self.gather_heard(news, ctx),
            _ => self.transcription_heard(id, &news, ctx),
        }
        self.drive(ctx);
    }
}

/// As requests carry it: at most seven digits behind the point.
pub(crate) fn decimal(share: f32) -> String {
    let written = format!("{:.7}", share.clamp(0.0, 1.0));
    let shortest = written.trim_end_matches('0');
    if shortest.ends_with('.') { format!("{shortest}0") } else { shortest.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn confidences_are_short_decimals() {
        for (share, written) in
            [(0.0, "0.0"), (0.5, "0.5"), (0.9, "0.9"), (0.123_456_7, "0.1234567"), (2.0, "1.0")]
        {
            assert_eq!(decimal(share), written);
        }
    }
}
