//! Answering, and every later change of what the two ends agreed on (RFC 3261 §13.3, RFC 3264).

use std::time::Duration;

use media::Direction;
use media::sdp::{SrtpKeys, SrtpWish, Wishes};
use twiml::ProgressEvent;

use crate::call::Call;
use crate::ctx::Ctx;
use crate::leg::{MediaState, Side, Signalling};
use crate::office::{DtmfMode, SrtpPolicy};
use crate::outcome::Cause;
use crate::record::EventKind;
use crate::timers::Timer;

/// How long the media plane may take to open a leg.
pub(crate) const OPEN_OVERDUE: Duration = Duration::from_secs(5);

impl Call {
    /// Answers a caller: a port first, then 200.
    pub(crate) fn answer(&mut self, ctx: &mut Ctx<'_>) {
        match (self.leg.signalling, self.leg.side) {
            (Signalling::Invited, Side::Called) => {}
            (Signalling::Waiting | Signalling::Invited | Signalling::Up | Signalling::Over, _) => return,
        }
        self.leg.wants = Wants::Answer;
        match self.leg.media {
            MediaState::None => self.open_media(None, ctx),
            MediaState::Open(_) => self.send_answer(ctx),
            MediaState::Opening | MediaState::Closing | MediaState::Gone => {}
        }
    }

    /// Gives a caller that is not answered yet the callee's own sound: 183 with SDP.
    pub(crate) fn answer_early(&mut self, ctx: &mut Ctx<'_>) {
        if self.leg.wants == Wants::Early {
            return;
        }
        if self.leg.remote_offer.is_none() || self.leg.wants != Wants::Nothing {
            ctx.sip(sip::Command::Progress { session: self.leg.session, code: 180, body: None });
            return;
        }
        self.leg.wants = Wants::Early;
        match self.leg.media {
            MediaState::None => self.open_media(None, ctx),
            MediaState::Open(_) => self.send_early(ctx),
            MediaState::Opening | MediaState::Closing | MediaState::Gone => {}
        }
    }

    pub(crate) fn open_media(&mut self, near: Option<media::LegId>, ctx: &mut Ctx<'_>) {
        self.leg.media = MediaState::Opening;
        ctx.media(media::Command::Open { leg: self.leg.id, near, peer: self.leg.peer });
        ctx.timer(self.sid(), Timer::Open, OPEN_OVERDUE);
    }

    /// The port stays, the peer is elsewhere: until that is known to the media plane nobody is invited.
    pub(crate) fn readdress_media(&mut self, ctx: &mut Ctx<'_>) {
        self.leg.signalling = Signalling::Waiting;
        self.leg.media = MediaState::Opening;
        ctx.media(media::Command::Readdress { leg: self.leg.id, peer: self.leg.peer });
        ctx.timer(self.sid(), Timer::Open, OPEN_OVERDUE);
    }

    /// The media plane gave the leg a port.
    pub(crate) fn on_opened(&mut self, local: std::net::SocketAddr, ctx: &mut Ctx<'_>) {
        if self.leg.media != MediaState::Opening {
            return;
        }
        ctx.cancel_timer(self.sid(), Timer::Open);
        self.leg.media = MediaState::Open(local);
        match (self.leg.side, self.leg.wants) {
            (Side::Calling, _) => self.send_invite(ctx),
            (Side::Called, Wants::Answer) => self.send_answer(ctx),
            (Side::Called, Wants::Early) => self.send_early(ctx),
            (Side::Called, Wants::Nothing) => {}
        }
        self.drive(ctx);
    }

    pub(crate) fn on_open_failed(&mut self, why: &str, ctx: &mut Ctx<'_>) {
        if self.leg.media == MediaState::Closing {
            // It was given up before it was known that there is none.
            self.leg.media = MediaState::Gone;
            ctx.cancel_timer(self.sid(), Timer::Linger);
        } else if self.leg.media == MediaState::Opening {
            self.trace(EventKind::Media, format!("no media port: {why}"), ctx);
            self.leg.media = MediaState::Gone;
            self.end(Cause::NoMedia(503), ctx);
        }
    }

    fn send_early(&mut self, ctx: &mut Ctx<'_>) {
        let Some(body) = self.agree(ctx) else { return };
        ctx.sip(sip::Command::Progress { session: self.leg.session, code: 183, body: Some(body) });
        self.early_caller_up(ctx);
    }

    fn send_answer(&mut self, ctx: &mut Ctx<'_>) {
        let body = match (&self.leg.remote_offer, self.leg.negotiated) {
            // Early media has agreed on it already; the answer must be the same (RFC 3261 §13.2.1).
            (Some(_), Some(_)) => Some(self.leg.sdp.last().to_vec()),
            (Some(_), None) => self.agree(ctx),
            (None, _) => self.offer(Direction::SendRecv, ctx),
        };
        let Some(body) = body else { return };
        ctx.sip(sip::Command::Answer { session: self.leg.session, body });
        self.leg.signalling = Signalling::Up;
        self.mark_answered(ctx);
        if self.leg.is_up() {
            self.leg_up(ctx);
        }
    }

    /// Answers the caller's offer; the call ends when there is nothing in common.
    fn agree(&mut self, ctx: &mut Ctx<'_>) -> Option<Vec<u8>> {
        let MediaState::Open(local) = self.leg.media else { return None };
        let offer = self.leg.remote_offer.clone()?;
        let wishes = self.wishes(ctx);
        match self.leg.sdp.answer(&offer, local, &wishes, Direction::SendRecv) {
            Ok((body, negotiated)) => {
                self.leg.spoken = media::sdp::codecs(&offer);
                self.configure(negotiated, ctx);
                Some(body)
            }
            Err(error) => {
                self.trace(EventKind::Media, format!("offer refused: {error}"), ctx);
                self.end(Cause::NoMedia(488), ctx);
                None
            }
        }
    }

    /// What our side of this leg may say, and would like best.
    fn wishes(&mut self, ctx: &mut Ctx<'_>) -> Wishes {
        let office = ctx.office;
        let own = office.media_of(self.row.trunk.as_deref(), self.row.phone.as_deref());
        let mut codecs = own.codecs.to_vec();
        codecs.sort_by_key(|kind| !self.leg.near.contains(kind));
        let mut keys =
            || self.leg.srtp_keys.get_or_insert_with(|| SrtpKeys::random(&mut ctx.shared.rng)).clone();
        Wishes {
            codecs,
            wanted: match self.leg.near[..] {
                [only] => Some(only),
                _ => None,
            },
            events: matches!(own.dtmf, DtmfMode::Auto | DtmfMode::Rtp),
            inband: matches!(own.dtmf, DtmfMode::Auto | DtmfMode::Inband),
            ptime_ms: office.media.ptime_ms,
            comfort_noise: office.media.comfort_noise,
            srtp: match own.srtp {
                SrtpPolicy::Off => SrtpWish::Off,
                SrtpPolicy::Optional => SrtpWish::Optional(keys()),
                SrtpPolicy::Required => SrtpWish::Required(keys()),
            },
        }
    }

    /// Makes an offer of ours.
    pub(crate) fn offer(&mut self, direction: Direction, ctx: &mut Ctx<'_>) -> Option<Vec<u8>> {
        let MediaState::Open(local) = self.leg.media else { return None };
        let wishes = self.wishes(ctx);
        self.leg.offer_pending = true;
        Some(self.leg.sdp.offer(local, &wishes, direction))
    }

    /// The peer's answer to our offer.
    pub(crate) fn accept(&mut self, answer: Option<&[u8]>, ctx: &mut Ctx<'_>) -> bool {
        if !std::mem::take(&mut self.leg.offer_pending) {
            return true;
        }
        let Some(answer) = answer else { return false };
        let wishes = self.wishes(ctx);
        match self.leg.sdp.accept(answer, &wishes) {
            Ok(negotiated) => {
                self.leg.spoken = media::sdp::codecs(answer);
                self.configure(negotiated, ctx);
                true
            }
            Err(error) => {
                self.trace(EventKind::Media, format!("answer refused: {error}"), ctx);
                false
            }
        }
    }

    fn configure(&mut self, negotiated: media::Negotiated, ctx: &mut Ctx<'_>) {
        let text = format!(
            "{} to {}, {}, {} ms, keys {}, {}",
            negotiated.codec.info().name,
            negotiated.remote,
            format!("{:?}", negotiated.direction).to_lowercase(),
            negotiated.ptime_ms,
            negotiated.dtmf.map_or_else(|| "as tones".to_owned(), |kind| format!("as events of type {kind}")),
            negotiated.srtp.map_or_else(|| "plain".to_owned(), |srtp| format!("{:?}", srtp.suite)),
        );
        self.trace(EventKind::Media, text, ctx);
        self.leg.negotiated = Some(negotiated);
        ctx.media(media::Command::Configure { leg: self.leg.id, negotiated });
        // A peer that has us on hold may be silent for as long as it likes.
        let listening = negotiated.direction.receives() && self.leg.signalling == Signalling::Up;
        self.watch(listening, ctx);
    }

    fn watch(&mut self, on: bool, ctx: &mut Ctx<'_>) {
        let timeout_ms = if on { ctx.office.media.media_timeout_ms } else { 0 };
        ctx.media(media::Command::Watch { leg: self.leg.id, timeout_ms });
    }

    /// Answered and agreed: whoever waited for it may go on.
    pub(crate) fn leg_up(&mut self, ctx: &mut Ctx<'_>) {
        self.watch(self.leg.negotiated.is_some_and(|n| n.direction.receives()), ctx);
        if self.outbound.is_some() {
            self.record_whole_call(ctx);
            self.callee_up(ctx);
            self.drive(ctx);
        } else {
            self.record_whole_call(ctx);
            self.on_up(ctx);
        }
    }

    /// The caller acknowledged a 200 in which we made the offer, with the answer. An offer of our own re-INVITE, which
    /// waits for the ACK of a 200 before it, has its answer elsewhere.
    pub(crate) fn on_acked(&mut self, body: Option<&[u8]>, ctx: &mut Ctx<'_>) {
        if !self.leg.offer_pending {
            return;
        }
        let before = self.leg.negotiated.map(|negotiated| negotiated.codec);
        if !self.accept(body, ctx) {
            self.end(Cause::NoMedia(488), ctx);
        } else if before.is_none() {
            self.leg_up(ctx);
        } else {
            self.tell_codec(before, ctx);
        }
    }

    /// The peer wants to change the session: hold, resume, another address or codec.
    pub(crate) fn on_offered(&mut self, body: Option<Vec<u8>>, ctx: &mut Ctx<'_>) {
        let session = self.leg.session;
        let MediaState::Open(local) = self.leg.media else {
            ctx.sip(sip::Command::AnswerOffer { session, result: Err(488) });
            return;
        };
        let before = self.leg.negotiated.map(|negotiated| negotiated.codec);
        let result = match body {
            None => self.offer(Direction::SendRecv, ctx).ok_or(488),
            Some(offer) => {
                let wishes = self.wishes(ctx);
                match self.leg.sdp.answer(&offer, local, &wishes, Direction::SendRecv) {
                    Ok((body, negotiated)) => {
                        self.leg.spoken = media::sdp::codecs(&offer);
                        self.configure(negotiated, ctx);
                        Ok(body)
                    }
                    Err(error) => {
                        self.trace(EventKind::Media, format!("re-offer refused: {error}"), ctx);
                        Err(488)
                    }
                }
            }
        };
        ctx.sip(sip::Command::AnswerOffer { session, result });
        self.tell_codec(before, ctx);
    }

    /// The caller hears the callee's early sound from now on.
    fn early_caller_up(&mut self, ctx: &mut Ctx<'_>) {
        match self.dial_early() {
            Some(leg) => ctx.media(media::Command::Bridge { a: self.leg.id, b: leg }),
            None => self.dial_caller_hears(ctx),
        }
    }

    /// The caller gave up before it was answered.
    pub(crate) fn on_cancelled(&mut self, ctx: &mut Ctx<'_>) {
        self.end(Cause::Cancelled, ctx);
    }

    /// An inbound call begins: the caller hears that it rings.
    pub(crate) fn ring_back(&mut self, ctx: &mut Ctx<'_>) {
        ctx.sip(sip::Command::Progress { session: self.leg.session, code: 180, body: None });
        self.tell(ProgressEvent::Ringing, None, ctx);
    }
}

/// What a called leg's port is being opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) enum Wants {
    Nothing,
    Early,
    Answer,
}
