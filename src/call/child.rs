//! A call that another call dialled: from its answer to the bridge.
//!
//! After the answer it may first hear digits sent to it (`sendDigits`) and a document of its own (`url`, the
//! whisper); when both are over it tells its parent that it is ready.

use base::CallSid;
use media::PlayId;
use serde::{Deserialize, Serialize};
use twiml::{Dialect, HttpMethod, Interpreter, Source};

use crate::call::{Call, Running};
use crate::ctx::{Ctx, Mail};
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
        let (sid, leg) = (self.sid(), self.leg.id);
        let Some(child) = &mut self.child else { return };
        child.stage = Stage::Preparing;
        ctx.mail(child.parent, Mail::ChildAnswered { child: sid });
        match child.send_digits.take() {
            Some(digits) => {
                let play = ctx.next_play();
                child.sending = Some(play);
                ctx.media(media::Command::SendDigits { leg, play, digits });
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
                let interpreter = Interpreter::new(None, Dialect::default());
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
        let Some(child) = &mut self.child else { return };
        child.stage = Stage::Ready;
        ctx.mail(child.parent, Mail::ChildReady { child: sid, leg });
    }

    pub(crate) fn on_bridged(&mut self, _ctx: &mut Ctx<'_>) {
        if let Some(child) = &mut self.child {
            child.stage = Stage::Bridged;
        }
    }
}
