//! A bridged party asks us to connect the other one elsewhere: REFER from outside (reference: twiml-voice §9.6, RFC
//! 5589).
//!
//! ```text
//! REFER ──▶ with referUrl: its document is asked for ──had──▶ the other party carries it out
//!     │                                             └──not──▶ NOTIFY 503, the bridge goes on
//!     ├──▶ from a phone of ours: the other party dials the target, or meets who is consulted
//!     └──▶ from anybody else: 603 and 13802
//! ```
//! A phone may transfer its own calls without a document's leave, by what it may dial itself; a carrier may not, for it
//! would dial at the office's cost. Whoever transfers is told and let go once the other party is on its way, or, where
//! that is only tried ([`crate::kept`]), once somebody has answered, or, of two who are brought together, once both
//! are in the room: the last NOTIFY tells the outcome (RFC 3515 §2.4.5, RFC 5589 §7).

use base::CallSid;
use media::LegId;
use sip::{NameAddr, Uri};
use twiml::{Dial, Dialect, HttpMethod, Interpreter, Source};

use crate::call::{Call, Running};
use crate::ctx::{Asked, Ctx, Mail};
use crate::incoming::escape;
use crate::originate::is_ours;
use crate::outcome::Cause;
use crate::record::EventKind;
use crate::route::Who;
use crate::timers::Timer;

/// Where a `<Dial>` asks for a document when one of its two parties refers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReferTo {
    pub(crate) url: String,
    pub(crate) method: HttpMethod,
    /// Whoever refers stays until somebody answers.
    pub(crate) keeps: bool,
}

impl Transfer {
    pub(crate) fn by(&self) -> CallSid {
        self.by
    }
}

impl ReferTo {
    pub(crate) fn of(dial: &Dial) -> Option<Self> {
        let (method, keeps) = (dial.refer_method, dial.answer_on_bridge);
        dial.refer_url.clone().map(|url| Self { url, method, keeps })
    }
}

/// What the other party is to do.
#[derive(Clone, Debug)]
pub(crate) enum Elsewhere {
    /// What this URL says.
    Ask { refer_to: ReferTo, target: String },
    /// Come into a room with whom the phone has consulted.
    Meet(Meeting),
    /// Likewise, of a phone that stays on this leg until somebody answers, or is rung again if nobody does.
    Try { text: String, phone: String, leg: LegId },
}

/// Where two meet who are brought together.
#[derive(Clone, Debug)]
pub(crate) struct Meeting {
    text: String,
    /// The phone's other call, let go as soon as the one it talked to is in.
    consult: CallSid,
    /// Who comes in after that.
    next: Option<CallSid>,
}

/// A document that is being asked for because the peer referred; the bridge goes on meanwhile.
#[derive(Clone, Debug)]
pub(crate) struct Transfer {
    interpreter: Interpreter,
    /// Who is told how it went.
    by: CallSid,
    /// Whether they stay until somebody answers.
    keeps: bool,
    /// The bridge is over: that party hung up as soon as it was promised a transfer, as phones do.
    pub(crate) alone: bool,
}

/// Another call of the same phone, whose other party the first one's is to meet.
#[derive(Clone, Debug)]
pub(crate) struct Consulted {
    /// The phone's own call.
    pub(crate) call: CallSid,
    /// Whom it talks to there; nobody yet while that one rings.
    pub(crate) with: Option<CallSid>,
    /// Whose phone.
    pub(crate) phone: Option<String>,
    /// Whom it dialled.
    pub(crate) dialled: String,
}

/// Marks a fetch as a transfer's: the call's own interpreter counts from 1.
const TRANSFER_FETCH: u64 = 1 << 62;

/// Whether an answer is for a transfer's document.
pub(crate) fn is_for_transfer(fetch: u64) -> bool {
    fetch & TRANSFER_FETCH != 0 && fetch >> 63 == 0
}

impl Call {
    /// The peer refers. `consulted` is the call that Replaces in it names, if it is one of ours.
    pub(crate) fn on_referred(&mut self, to: &NameAddr, consulted: Option<Consulted>, ctx: &mut Ctx<'_>) {
        let target: String = to.uri.to_string().chars().take(TARGET_CHARS_MAX).collect();
        self.trace(EventKind::Decision, format!("asked to transfer to {target}"), ctx);
        let session = self.leg.session;
        let decided = self.transfer(to, target, consulted, ctx);
        match decided {
            Ok((party, to)) => {
                ctx.sip(sip::Command::AnswerRefer { session, code: 202 });
                ctx.sip(sip::Command::Notify { session, code: 100 });
                ctx.mail(party, Mail::Transfer { by: self.sid(), to: Box::new(to) });
            }
            Err((code, why)) => {
                self.warn(REFER_REFUSED, why.to_owned(), ctx);
                ctx.sip(sip::Command::AnswerRefer { session, code });
            }
        }
    }

    /// Who is to do what first; or the code and the reason of a refusal.
    fn transfer(
        &mut self,
        to: &NameAddr,
        target: String,
        consulted: Option<Consulted>,
        ctx: &mut Ctx<'_>,
    ) -> Result<(CallSid, Elsewhere), (u16, &'static str)> {
        let Some(other) = self.near_call() else {
            return Err((603, "a REFER outside a bridge of two is refused"));
        };
        if let Some(refer_to) = self.refer_to() {
            return Ok((other, Elsewhere::Ask { refer_to, target }));
        }
        let Some(phone) = self.row.phone.clone() else {
            return Err((603, "a REFER was refused: the Dial has no referUrl"));
        };
        let replaces = to.uri.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("replaces"));
        // Another call of the same phone, and not one of its two ends here.
        let consulted = consulted.filter(|consulted| {
            consulted.phone.as_ref() == Some(&phone) && ![self.sid(), other].contains(&consulted.call)
        });
        match consulted {
            Some(Consulted { with: Some(_), .. }) if ctx.shared.conferences.are_full() => {
                Err((503, "a REFER was refused: there is no room for two to meet"))
            }
            Some(Consulted { call, with: Some(with), .. }) => {
                let meeting = Meeting { text: meeting(self.sid()), consult: call, next: Some(other) };
                Ok((with, Elsewhere::Meet(meeting)))
            }
            // Transferred while the consulted one still rings: as if it had been dialled in the first place.
            Some(Consulted { call, with: None, dialled, .. }) => {
                ctx.mail(call, Mail::Transferred { code: 200 });
                Ok((other, self.dialling(&dialled, phone)))
            }
            None if replaces => {
                Err((603, "a REFER was refused: it replaces a call that is not this phone's"))
            }
            None => {
                let uri = to.uri.for_request();
                let user = uri.party().into_owned();
                let number = !uri.is_sip() || is_ours(&uri, ctx);
                Ok((other, if number { self.dialling(&user, phone) } else { self.calling(&uri, phone) }))
            }
        }
    }

    /// The document of a `<Dial>` that may be transferred out of, and its URL.
    fn refer_to(&self) -> Option<ReferTo> {
        match (&self.running, &self.child) {
            (Running::Dial(run), _) => run.refer_to(),
            (_, Some(child)) => child.refer_to.clone(),
            (_, None) => None,
        }
    }

    fn dialling(&self, number: &str, phone: String) -> Elsewhere {
        let text = format!("<Response><Dial><Number>{}</Number></Dial></Response>", escape(number));
        Elsewhere::Try { text, phone, leg: self.leg.id }
    }

    fn calling(&self, uri: &Uri, phone: String) -> Elsewhere {
        let text = format!("<Response><Dial><Sip>{}</Sip></Dial></Response>", escape(&uri.to_string()));
        Elsewhere::Try { text, phone, leg: self.leg.id }
    }

    /// The party we talk to transferred us.
    pub(crate) fn on_transfer(&mut self, by: CallSid, to: Elsewhere, ctx: &mut Ctx<'_>) {
        if self.ended.is_some() {
            return;
        }
        match to {
            Elsewhere::Ask { refer_to: ReferTo { url, method, keeps }, target } => {
                let mut interpreter = Interpreter::new(None, Dialect::default());
                interpreter.start_with(url, method, vec![("ReferTransferTarget".to_owned(), target)]);
                self.transfer = Some(Box::new(Transfer { interpreter, by, keeps, alone: false }));
                self.drive_transfer(ctx);
            }
            Elsewhere::Meet(meeting) => self.meet(meeting, by, ctx),
            Elsewhere::Try { text, phone, leg } => {
                let dialler = Who::Phone(phone.clone());
                let from = Some((phone, leg));
                if let Err(interpreter) =
                    self.try_elsewhere(inline(text, ctx), by, dialler.clone(), from, ctx)
                {
                    self.dialler = dialler;
                    self.go_elsewhere(interpreter, by, ctx);
                }
            }
        }
    }

    pub(crate) fn transfer_fetched(
        &mut self,
        id: u64,
        result: Result<twiml::Fetched, twiml::FetchFailure>,
        ctx: &mut Ctx<'_>,
    ) {
        if let Some(transfer) = &mut self.transfer {
            let id = id & !TRANSFER_FETCH;
            transfer.interpreter.handle(twiml::Input::Fetched { id, result }, ctx.now);
        }
        self.drive_transfer(ctx);
    }

    /// Until there is a document, or none to be had.
    fn drive_transfer(&mut self, ctx: &mut Ctx<'_>) {
        while let Some(transfer) = &mut self.transfer {
            if transfer.interpreter.has_document() {
                let Some(transfer) = self.transfer.take() else { return };
                let Transfer { interpreter, by, keeps, alone } = *transfer;
                let tried = if keeps && !alone {
                    self.try_elsewhere(interpreter, by, self.dialler.clone(), None, ctx)
                } else {
                    Err(interpreter)
                };
                if let Err(interpreter) = tried {
                    self.go_elsewhere(interpreter, by, ctx);
                }
                return;
            }
            match transfer.interpreter.poll_output() {
                Some(twiml::Output::Fetch { id, url, method, params }) => {
                    self.trace(EventKind::Fetch, format!("{} {}", method.as_str(), twiml::shown(&url)), ctx);
                    let mut all = twiml::standard_params(&self.facts);
                    all.extend(params);
                    ctx.fetch(self.sid(), Asked::Interpreter(id | TRANSFER_FETCH), url, method, all);
                    ctx.timer(self.sid(), Timer::Stuck, crate::call::OVERDUE);
                }
                Some(twiml::Output::Notify(finding, url)) => self.notify(&finding, url, ctx),
                Some(twiml::Output::ApplicationError { .. }) => {
                    let Some(transfer) = self.transfer.take() else { return };
                    ctx.mail(transfer.by, Mail::Transferred { code: 503 });
                    // The bridge goes on as if nothing had been asked, if there still is one.
                    if transfer.alone {
                        self.go_on_alone(ctx);
                    }
                }
                Some(twiml::Output::Execute(_) | twiml::Output::Finished) => {}
                None => return,
            }
        }
    }

    /// The bridge ended while the document was asked for, and that came to nothing.
    pub(crate) fn go_on_alone(&mut self, ctx: &mut Ctx<'_>) {
        match &self.running {
            _ if self.child.is_some() => self.end(Cause::Released { timeout: false }, ctx),
            Running::Dequeue(_) => self.dequeue_alone(ctx),
            _ => self.dial_next(ctx),
        }
    }

    /// Whoever transferred is let go, and this party carries the document out.
    fn go_elsewhere(&mut self, interpreter: Interpreter, by: CallSid, ctx: &mut Ctx<'_>) {
        // First of all, or it would be let go without having been told.
        ctx.mail(by, Mail::Transferred { code: 200 });
        self.interrupt(ctx);
        self.leave_parent(ctx);
        self.interpreter = Some(interpreter);
        self.drive(ctx);
    }

    /// Into the room. What is told of it overtakes what leaving the bridge told: nobody is let go unheard.
    fn meet(&mut self, meeting: Meeting, by: CallSid, ctx: &mut Ctx<'_>) {
        self.interrupt(ctx);
        self.leave_parent(ctx);
        self.dialler = Who::Api;
        self.interpreter = Some(inline(meeting.text.clone(), ctx));
        self.drive(ctx);
        let Running::Conference(_) = self.running else {
            ctx.mail_first(by, Mail::Transferred { code: 503 });
            return;
        };
        match meeting.next {
            Some(next) => {
                let to = Box::new(Elsewhere::Meet(Meeting { next: None, ..meeting.clone() }));
                ctx.mail(next, Mail::Transfer { by, to });
                ctx.mail_first(meeting.consult, Mail::Transferred { code: 200 });
            }
            None => ctx.mail_first(by, Mail::Transferred { code: 200 }),
        }
    }

    /// What became of the peer's REFER.
    pub(crate) fn on_transferred(&mut self, code: u16, ctx: &mut Ctx<'_>) {
        ctx.sip(sip::Command::Notify { session: self.leg.session, code });
        if (200..300).contains(&code) {
            self.end(Cause::Transferred, ctx);
        }
    }
}

/// An interpreter of this document.
pub(crate) fn inline(text: String, ctx: &Ctx<'_>) -> Interpreter {
    let mut interpreter = Interpreter::new(None, Dialect::default());
    interpreter.handle(twiml::Input::Start(Source::Inline(text)), ctx.now);
    interpreter
}

/// The document of two who meet because of this call. Each side's end is the other's: a room of two that nobody
/// outlives, and whose name nobody guesses.
fn meeting(by: CallSid) -> String {
    format!(
        "<Response><Dial><Conference beep=\"false\" waitUrl=\"\" endConferenceOnExit=\"true\">transfer {by}\
         </Conference></Dial></Response>"
    )
}

/// What a web server is told of Refer-To (reference: twiml-voice §9.6).
const TARGET_CHARS_MAX: usize = 256;

/// A REFER that nobody allowed (reference: error-codes 13802).
const REFER_REFUSED: u32 = 13802;
