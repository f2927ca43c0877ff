//! Services of a live call that the API begins and ends: streams, SIP recording sessions, transcriptions, and what its
//! parties tell each other beside the sound (reference: rest-voice §12).

use base::Timestamp;
use serde::{Deserialize, Serialize};
use twiml::{Dialect, ServiceCallback, SiprecNoun, StreamNoun, TexmlStream, TranscriptionNoun};

use crate::call::Call;
use crate::ctx::Ctx;

/// What the API may want of a live call's services.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ServiceOrder {
    /// Begin a media stream.
    Stream(StreamNoun),
    /// Begin a SIP recording session.
    Siprec(SiprecNoun),
    /// Begin to transcribe.
    Transcription(Box<TranscriptionNoun>),
    /// End one of these.
    Stop {
        /// Of which sort.
        kind: ServiceKind,
        /// Its sid, or its name.
        which: String,
    },
    /// Tell a message to whoever subscribed to this call's.
    Message {
        /// JSON, as it was given.
        content: String,
        /// Given twice: the message was told already.
        key: Option<String>,
    },
    /// Tell the messages of this call there.
    Subscribe {
        /// Where.
        callback: ServiceCallback,
        /// Given twice: the subscription was made already.
        key: Option<String>,
    },
    /// Tell them no more.
    Unsubscribe(base::MessageSubscriptionSid),
}

/// Sorts of services.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ServiceKind {
    /// Media streams.
    Stream,
    /// SIP recording sessions.
    Siprec,
    /// Transcriptions of what is said.
    Transcription,
}

/// A service that was begun or ended just now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveService {
    /// Its sid.
    pub sid: String,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// Why an order about services was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ServiceFault {
    /// The call is not answered, or over.
    NotInProgress,
    /// None of this sid or name runs.
    NoSuchService,
    /// It cannot be begun.
    Refused {
        /// The published number.
        code: u32,
        /// A sentence.
        why: String,
    },
}

impl Call {
    /// Carries an order out; what is begun or ended has been told to its callback.
    pub(crate) fn order_service(
        &mut self,
        order: ServiceOrder,
        ctx: &mut Ctx<'_>,
    ) -> Result<LiveService, ServiceFault> {
        if self.ended.is_some() || !self.leg.is_up() {
            return Err(ServiceFault::NotInProgress);
        }
        let at = ctx.now.wall;
        let refused = |(code, why): (u32, String)| ServiceFault::Refused { code, why };
        let live = |sid: String, name: Option<String>| LiveService { sid, name, at };
        match order {
            ServiceOrder::Stream(mut noun) => {
                // Its application is the call's: it is spoken to in the call's dialect, whichever API asked.
                match self.facts.dialect {
                    Dialect::Twiml => noun.texml = None,
                    Dialect::Texml => noun.texml = noun.texml.or_else(|| Some(TexmlStream::default())),
                }
                let sid = self.start_stream(&noun, ctx).map_err(refused)?;
                Ok(live(sid.to_string(), noun.name))
            }
            ServiceOrder::Siprec(noun) => {
                let sid = self.start_siprec(&noun, ctx).map_err(refused)?;
                Ok(live(sid.to_string(), noun.name))
            }
            ServiceOrder::Transcription(noun) => {
                let sid = self.start_transcription(&noun, ctx).map_err(refused)?;
                Ok(live(sid.to_string(), noun.name))
            }
            ServiceOrder::Stop { kind, which } => {
                let (sid, name) = self.stop_service(kind, &which, ctx).ok_or(ServiceFault::NoSuchService)?;
                Ok(live(sid, name))
            }
            ServiceOrder::Message { content, key } => self.send_message(content, key, ctx),
            ServiceOrder::Subscribe { callback, key } => self.subscribe(callback, key, ctx),
            ServiceOrder::Unsubscribe(sid) => self.unsubscribe(sid, at),
        }
    }

    /// The sid and the name of what was ended.
    fn stop_service(
        &mut self,
        kind: ServiceKind,
        which: &str,
        ctx: &mut Ctx<'_>,
    ) -> Option<(String, Option<String>)> {
        match kind {
            ServiceKind::Stream => {
                let (sid, name) = self.stream_named(which)?;
                self.close_stream(sid, ctx);
                Some((sid.to_string(), name))
            }
            ServiceKind::Siprec => {
                let (sid, name) = self.siprec_named(which)?;
                self.close_siprec(sid, ctx).then(|| (sid.to_string(), name))
            }
            ServiceKind::Transcription => {
                let (sid, name) = self.transcription_named(which)?;
                self.stop_transcription(which, ctx).then(|| (sid.to_string(), name))
            }
        }
    }
}
