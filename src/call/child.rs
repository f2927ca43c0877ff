//! A call that another call dialled: from its answer to the bridge.
//!
//! After the answer it may hear a document of its own (`url`, the whisper); when that is over it tells its parent that
//! it is ready. A child that is sent to another document leaves its parent for good.

use base::CallSid;
use media::{CodecKind, LegId};
use serde::{Deserialize, Serialize};
use twiml::{Context, DialSip, HttpMethod, Interpreter, SipFacts, Source};

use crate::call::{Call, Running};
use crate::ctx::{Ctx, Mail};
use crate::incoming::{domain_sid, x_headers};
use crate::transfer::ReferTo;

/// What a dialled call knows of why it exists.
#[derive(Clone, Debug)]
pub(crate) struct ChildOf {
    pub(crate) parent: CallSid,
    /// The parent's leg, which it will be bridged with.
    pub(crate) parent_leg: LegId,
    /// Heard by the callee before the bridge.
    pub(crate) whisper: Option<(String, HttpMethod)>,
    /// Of a `<Sip>`, what the action request will say about it.
    pub(crate) sip: Option<Box<DialSip>>,
    /// Where a REFER of the callee asks for a document.
    pub(crate) refer_to: Option<ReferTo>,
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
    /// The callee answered: it hears what is for it alone.
    pub(crate) fn whisper(&mut self, ctx: &mut Ctx<'_>) {
        let Some(child) = &mut self.child else { return };
        match child.whisper.take() {
            Some((url, method)) => {
                let interpreter = Interpreter::new(None, self.facts.dialect).within(Context::Whisper);
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

    /// It goes its own way from now on: the parent's `<Dial>` ends (reference: twiml-voice §9.6).
    pub(crate) fn leave_parent(&mut self, ctx: &mut Ctx<'_>) {
        let Some(child) = self.child.take() else { return };
        if child.stage == Stage::Bridged {
            ctx.media(media::Command::Unbridge { a: self.leg.id, b: child.parent_leg });
        }
        ctx.mail(child.parent, Mail::ChildLeft { child: self.sid() });
    }

    /// The final response to the INVITE of a `<Sip>`: what the action request tells of it, and what its own requests
    /// do (reference: twiml-voice §9.4, §10.2).
    pub(crate) fn final_response(&mut self, code: u16, headers: &sip::Headers, ctx: &Ctx<'_>) {
        let Some(facts) = self.child.as_mut().and_then(|child| child.sip.as_mut()) else { return };
        facts.response_code = code;
        facts.x_headers = x_headers(headers);
        let domain = self.facts.to.parse::<sip::Uri>().ok().map(|uri| uri.host.to_string());
        let Some(source_ip) = self.leg.peer.filter(|_| code < 300) else { return };
        self.facts.sip = Some(SipFacts {
            domain_sid: domain.as_deref().and_then(|name| domain_sid(name, ctx)),
            domain,
            call_id: self.call_ids.last().cloned().unwrap_or_default(),
            source_ip,
            x_headers: facts.x_headers.clone(),
            trunk_sid: None,
        });
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
        self.enqueue_bridged();
        self.leg.near = vec![codec];
        if adapt {
            self.speak(codec, ctx);
        }
    }
}
