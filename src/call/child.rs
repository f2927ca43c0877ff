//! A call that another call dialled: from its answer to the bridge.
//!
//! After the answer it may first hear digits sent to it (`sendDigits`) and a document of its own (`url`, the
//! whisper); when both are over it tells its parent that it is ready.

use base::CallSid;
use media::{CodecKind, PlayId};
use serde::{Deserialize, Serialize};
use twiml::{Context, DialSip, Dialect, HttpMethod, Interpreter, Source};

use crate::call::{Call, Running};
use crate::ctx::{Ctx, Mail};
use crate::incoming::x_headers;
use crate::originate::Way;

/// What a dialled call knows of why it exists.
#[derive(Clone, Debug)]
pub(crate) struct ChildOf {
    pub(crate) parent: CallSid,
    /// The parent's leg: both are to live on the same media thread.
    pub(crate) near: Option<media::LegId>,
    /// Sent after the answer, before the whisper.
    pub(crate) send_digits: Option<String>,
    /// Heard by the callee before the bridge.
    pub(crate) whisper: Option<(String, HttpMethod)>,
    /// Where the INVITE goes, and where next if that cannot be reached.
    pub(crate) ways: Vec<Way>,
    /// The parent's From, as the callee sees it.
    pub(crate) from: sip::NameAddr,
    pub(crate) headers: Vec<(sip::HeaderName, String)>,
    pub(crate) credentials: Option<(String, String)>,
    /// Of a `<Sip>`, what the action request will say about it.
    pub(crate) sip: Option<Box<DialSip>>,
    /// The digits being sent.
    pub(crate) sending: Option<PlayId>,
    pub(crate) stage: Stage,
}

/// How far a dialled call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Stage {
    Ringing,
    Preparing,
    Ready,
    Bridged,
}

impl Call {
    /// The callee answered and its audio is agreed on.
    pub(crate) fn child_up(&mut self, ctx: &mut Ctx<'_>) {
        let sid = self.sid();
        let Some(child) = &mut self.child else { return };
        child.stage = Stage::Preparing;
        ctx.mail(child.parent, Mail::ChildAnswered { child: sid });
        match child.send_digits.take() {
            Some(digits) => {
                let play = ctx.next_play();
                child.sending = Some(play);
                self.send_digits(play, digits, ctx);
            }
            None => self.whisper(ctx),
        }
    }

    /// A play that belongs to no verb ended: the digits sent to a callee.
    pub(crate) fn child_played(&mut self, play: PlayId, _completed: bool, ctx: &mut Ctx<'_>) {
        let Some(child) = &mut self.child else { return };
        if child.sending == Some(play) {
            child.sending = None;
            self.whisper(ctx);
        }
    }

    fn whisper(&mut self, ctx: &mut Ctx<'_>) {
        let Some(child) = &mut self.child else { return };
        match child.whisper.take() {
            Some((url, method)) => {
                let interpreter = Interpreter::new(None, Dialect::default()).within(Context::Whisper);
                self.interpret(interpreter, Source::Url { url, method }, ctx);
            }
            None => self.whisper_over(ctx),
        }
    }

    /// The callee has heard what was for it alone.
    pub(crate) fn whisper_over(&mut self, ctx: &mut Ctx<'_>) {
        self.interpreter = None;
        self.running = Running::Nothing;
        let (sid, leg) = (self.sid(), self.leg.id);
        let (Some(child), Some(negotiated)) = (&mut self.child, self.leg.negotiated) else { return };
        child.stage = Stage::Ready;
        ctx.mail(child.parent, Mail::ChildReady { child: sid, leg, codec: negotiated.codec });
    }

    /// The final response to its INVITE, as far as the action request tells it.
    pub(crate) fn final_response(&mut self, code: u16, headers: &sip::Headers) {
        let Some(facts) = self.child.as_mut().and_then(|child| child.sip.as_mut()) else { return };
        facts.response_code = code;
        facts.x_headers = x_headers(headers);
    }

    /// Whose child this is and what is left to tell about it.
    pub(crate) fn last_words(&mut self) -> Option<(CallSid, Option<Box<DialSip>>)> {
        let call_id = self.call_ids.last().cloned();
        let child = self.child.as_mut()?;
        let mut sip = child.sip.take();
        if let (Some(sip), Some(call_id)) = (&mut sip, call_id) {
            sip.call_id = call_id;
        }
        Some((child.parent, sip))
    }

    pub(crate) fn on_bridged(&mut self, codec: CodecKind, adapt: bool, ctx: &mut Ctx<'_>) {
        if let Some(child) = &mut self.child {
            child.stage = Stage::Bridged;
        }
        self.leg.near = vec![codec];
        if adapt {
            self.speak(codec, ctx);
        }
    }
}
