//! `<Start><Transcription>` (reference: twiml-voice §14.4): what is said in a call, told as it is said.
//!
//! Each track is listened to by itself. Nothing is written down: the words go to the document's callback and nowhere
//! else, in one order for both tracks.

use base::LiveTranscriptionSid;
use media::RecordWhat;
use twiml::{
    LiveTranscriptionFacts, StreamTrack, TranscriptionEvent, TranscriptionNoun, transcription_params,
};

use crate::call::Call;
use crate::ctx::{Asked, Ctx};
use crate::hearing::{Attention, Hearing, decimal};
use crate::io::{HearingId, SpeechNews};

/// One that runs.
#[derive(Clone, Debug)]
pub(crate) struct LiveTranscription {
    sid: LiveTranscriptionSid,
    noun: TranscriptionNoun,
    /// The party's track and ours, as far as they are wanted.
    hearings: Vec<(Hearing, &'static str)>,
    /// Number of the last thing told.
    sequence: u32,
}

/// Live transcriptions of one call at a time.
const TRANSCRIPTIONS_MAX: usize = 4;

/// Silence that ends a sentence, and its greatest length, in milliseconds.
const SILENCE_MS: u32 = 700;
const SENTENCE_MS_MAX: u32 = 30_000;

const INBOUND: &str = "inbound_track";
const OUTBOUND: &str = "outbound_track";

impl LiveTranscription {
    fn is(&self, which: &str) -> bool {
        self.noun.name.as_deref() == Some(which) || self.sid.to_string() == which
    }
}

impl Call {
    /// Begins to listen; one of the same name is replaced. What keeps it from beginning has been told, and is given
    /// back.
    pub(crate) fn start_transcription(
        &mut self,
        noun: &TranscriptionNoun,
        ctx: &mut Ctx<'_>,
    ) -> Result<LiveTranscriptionSid, (u32, String)> {
        if let Some(name) = &noun.name {
            self.stop_transcription(name, ctx);
        }
        if self.transcriptions.len() >= TRANSCRIPTIONS_MAX {
            let why = "too many transcriptions of this call run already".to_owned();
            self.warn(TOO_MANY, why.clone(), ctx);
            return Err((TOO_MANY, why));
        }
        let (tracks, track): (&[_], _) = match noun.track {
            StreamTrack::InboundTrack => (&[(RecordWhat::Received, INBOUND)], INBOUND),
            StreamTrack::OutboundTrack => (&[(RecordWhat::Sent, OUTBOUND)], OUTBOUND),
            StreamTrack::BothTracks => {
                (&[(RecordWhat::Received, INBOUND), (RecordWhat::Sent, OUTBOUND)], "both_tracks")
            }
        };
        let hints = noun.hints.as_deref().unwrap_or_default().split(',').map(|hint| hint.trim().to_owned());
        let attention = Attention {
            language: noun.language.clone(),
            hints: hints.filter(|hint| !hint.is_empty()).collect(),
            silence_ms: Some(SILENCE_MS),
            max_ms: SENTENCE_MS_MAX,
            profanity_filter: noun.profanity_filter,
            goes_on: true,
        };
        let listen =
            |(what, track): &(RecordWhat, &'static str)| (self.listen(*what, attention.clone(), ctx), *track);
        let hearings = tracks.iter().map(listen).collect();
        let sid = LiveTranscriptionSid::random(&mut ctx.shared.rng);
        let mut live = LiveTranscription { sid, noun: noun.clone(), hearings, sequence: 0 };
        let event = TranscriptionEvent::Started {
            name: noun.name.clone(),
            track,
            language: noun.language.clone(),
            partial_results: noun.partial_results,
        };
        self.tell_transcription(&mut live, event, ctx);
        self.transcriptions.push(live);
        Ok(sid)
    }

    /// The one that runs under this name, or whose sid this is.
    pub(crate) fn transcription_named(&self, which: &str) -> Option<(LiveTranscriptionSid, Option<String>)> {
        let live = self.transcriptions.iter().find(|live| live.is(which))?;
        Some((live.sid, live.noun.name.clone()))
    }

    /// Ends the one of this name or sid; false when there is none.
    pub(crate) fn stop_transcription(&mut self, which: &str, ctx: &mut Ctx<'_>) -> bool {
        let Some(at) = self.transcriptions.iter().position(|live| live.is(which)) else { return false };
        let live = self.transcriptions.remove(at);
        self.end_transcription(live, TranscriptionEvent::Stopped, ctx);
        true
    }

    /// The call is over.
    pub(crate) fn stop_transcriptions(&mut self, ctx: &mut Ctx<'_>) {
        for live in std::mem::take(&mut self.transcriptions) {
            self.end_transcription(live, TranscriptionEvent::Stopped, ctx);
        }
    }

    /// Something was heard, perhaps by a transcription.
    pub(crate) fn transcription_heard(&mut self, id: HearingId, news: &SpeechNews, ctx: &mut Ctx<'_>) {
        let hears = |live: &LiveTranscription| live.hearings.iter().any(|(hearing, _)| hearing.id == id);
        let Some(at) = self.transcriptions.iter().position(hears) else { return };
        let mut live = self.transcriptions.remove(at);
        let found = live.hearings.iter().find(|(hearing, _)| hearing.id == id).map(|(_, track)| *track);
        let track = found.unwrap_or(INBOUND);
        let label =
            if track == INBOUND { &live.noun.inbound_track_label } else { &live.noun.outbound_track_label };
        let content =
            |text: String, confidence: Option<f32>, stability: Option<f32>| TranscriptionEvent::Content {
                text,
                confidence: confidence.map(decimal),
                track,
                label: label.clone(),
                language: live.noun.language.clone(),
                stability: stability.map(decimal),
            };
        let event = match news {
            SpeechNews::Began => None,
            SpeechNews::Partial { stable, unstable, stability } if live.noun.partial_results => {
                let text = [stable.as_str(), unstable.as_str()].join(" ").trim().to_owned();
                Some(content(text, None, Some(*stability)))
            }
            SpeechNews::Partial { .. } => None,
            SpeechNews::Said { text, .. } if text.is_empty() => None,
            SpeechNews::Said { text, confidence } => Some(content(text.clone(), *confidence, None)),
            SpeechNews::Failed { code, message } => {
                let event = TranscriptionEvent::Failed { code: *code, message: message.clone() };
                self.end_transcription(live, event, ctx);
                return;
            }
        };
        if let Some(event) = event {
            self.tell_transcription(&mut live, event, ctx);
        }
        self.transcriptions.insert(at, live);
    }

    fn end_transcription(
        &mut self,
        mut live: LiveTranscription,
        event: TranscriptionEvent,
        ctx: &mut Ctx<'_>,
    ) {
        for (hearing, _) in &live.hearings {
            self.stop_listening(*hearing, ctx);
        }
        self.tell_transcription(&mut live, event, ctx);
    }

    fn tell_transcription(
        &mut self,
        live: &mut LiveTranscription,
        event: TranscriptionEvent,
        ctx: &mut Ctx<'_>,
    ) {
        live.sequence += 1;
        let Some(callback) = &live.noun.status_callback else { return };
        let params = transcription_params(&LiveTranscriptionFacts {
            account_sid: ctx.office.account_sid,
            call_sid: self.sid(),
            sid: live.sid,
            at: ctx.now.wall,
            sequence: live.sequence,
            event,
        });
        ctx.fetch(self.sid(), Asked::Callback, callback.url.clone(), callback.method, params);
    }
}

/// An internal error of a verb (reference: error-codes).
const TOO_MANY: u32 = 12400;
