//! A call the box makes: how it reaches its callee, and what comes after the answer.
//!
//! After the answer it may first be sent digits (`sendDigits`), or listened to who answered. Then a call with a document of its own begins that; a
//! call that another one dialled goes on in [`crate::child`].

use media::{LegId, PlayId};
use twiml::{Dialect, HttpMethod, Interpreter, MachineDetection, Source};

use crate::call::Call;
use crate::child::Stage;
use crate::ctx::{Ctx, Mail};
use crate::originate::Way;
use crate::outcome::Cause;
use crate::turn::Waiting;

/// How a call of ours is made.
#[derive(Clone, Debug)]
pub(crate) struct Outbound {
    /// A leg that is to live on the same media thread.
    pub(crate) near: Option<LegId>,
    /// Where the INVITE goes, and where next if that cannot be reached.
    pub(crate) ways: Vec<Way>,
    /// The phone that somebody was told to wake: it is called as soon as it registers.
    pub(crate) asleep: Option<String>,
    /// There is nobody to be rung: how it ends as it begins.
    pub(crate) stillborn: Option<Cause>,
    /// The From the callee sees.
    pub(crate) from: sip::NameAddr,
    pub(crate) headers: Vec<(sip::HeaderName, String)>,
    pub(crate) credentials: Option<(String, String)>,
    /// Sent after the answer, before anything is heard.
    pub(crate) send_digits: Option<String>,
    /// Listened for after the answer.
    pub(crate) machine_detection: Option<MachineDetection>,
    /// What follows the answer waits for the verdict.
    pub(crate) detecting: bool,
    /// The digits being sent.
    pub(crate) sending: Option<PlayId>,
    /// It is not its turn yet.
    pub(crate) waiting: Option<Waiting>,
    /// What begins after the answer.
    pub(crate) opening: Option<Opening>,
}

/// A document that waits for the answer.
#[derive(Clone, Debug)]
pub(crate) struct Opening {
    pub(crate) source: Source,
    pub(crate) fallback: Option<(String, HttpMethod)>,
    pub(crate) dialect: Dialect,
}

impl Call {
    /// The callee answered and its audio is agreed on.
    pub(crate) fn callee_up(&mut self, ctx: &mut Ctx<'_>) {
        let sid = self.sid();
        if let Some(child) = &mut self.child {
            child.stage = Stage::Preparing;
            ctx.mail(child.parent, Mail::ChildAnswered { child: sid });
        }
        let Some(outbound) = &mut self.outbound else { return };
        if let Some(digits) = outbound.send_digits.take() {
            let play = ctx.next_play();
            outbound.sending = Some(play);
            self.send_digits(play, digits, ctx);
            return;
        }
        let detection = outbound.machine_detection.take();
        if let Some(detection) = &detection {
            outbound.detecting = !detection.beside;
            self.detect_machine(detection, ctx);
        }
        if detection.is_none_or(|detection| detection.beside) {
            self.callee_ready(ctx);
        }
    }

    /// The verdict that what follows the answer waited for.
    pub(crate) fn callee_detected(&mut self, ctx: &mut Ctx<'_>) {
        if self.outbound.as_mut().is_some_and(|outbound| std::mem::take(&mut outbound.detecting)) {
            self.callee_ready(ctx);
        }
    }

    /// A play that belongs to no verb ended: the digits sent to a callee.
    pub(crate) fn callee_played(&mut self, play: PlayId, ctx: &mut Ctx<'_>) {
        let Some(outbound) = &mut self.outbound else { return };
        if outbound.sending == Some(play) {
            outbound.sending = None;
            self.callee_ready(ctx);
        }
    }

    fn callee_ready(&mut self, ctx: &mut Ctx<'_>) {
        match self.outbound.as_mut().and_then(|outbound| outbound.opening.take()) {
            Some(Opening { source, fallback, dialect }) => {
                self.leave_parent(ctx);
                self.interpret(Interpreter::new(fallback, dialect), source, ctx);
            }
            None => self.whisper(ctx),
        }
    }
}
