//! Two legs that are to hear each other speak one codec where they can, so that nothing is transcoded.
//!
//! A call that is dialled is offered first what its parent speaks; a parent that is answered for its child's sake
//! is answered with what the child speaks. When both were settled before and differ, one re-INVITE may mend
//! it: to the side whose last description names the other's codec. So it may where a peer changes its codec in mid-call:
//! the other side is asked to follow. Refused, or crossed by the peer's own (491), it changes nothing: the box
//! transcodes.

use base::CallSid;
use media::{CodecKind, Direction};

use crate::call::Call;
use crate::ctx::{Ctx, Mail};
use crate::leg::Signalling;
use crate::record::EventKind;

impl Call {
    /// What a call dialled from here is best offered: what we speak, or before the answer, could.
    pub(crate) fn near_codecs(&self, ctx: &Ctx<'_>) -> Vec<CodecKind> {
        match (self.leg.negotiated, &self.leg.remote_offer) {
            (Some(negotiated), _) => vec![negotiated.codec],
            (None, Some(offer)) => {
                let own = ctx.office.media_of(self.row.trunk.as_deref(), self.row.phone.as_deref());
                let mut codecs = media::sdp::codecs(offer);
                codecs.retain(|kind| own.codecs.contains(kind));
                codecs
            }
            (None, None) => Vec::new(),
        }
    }

    /// We are bridged with `child`, which speaks `theirs`. Once a bridge one of us may change.
    pub(crate) fn spare_transcoding(&mut self, child: CallSid, theirs: CodecKind, ctx: &mut Ctx<'_>) {
        let Some(ours) = self.leg.negotiated.map(|negotiated| negotiated.codec) else { return };
        self.leg.near = vec![theirs];
        let differ = is_coded_anew(ours, theirs);
        let adapts = differ && self.speak(theirs, ctx);
        ctx.mail(child, Mail::Bridged { codec: ours, adapt: differ && !adapts });
    }

    /// The peer has made us speak another codec: whoever we are bridged with may spare both of us the transcoding. Told
    /// of peers' own wishes only, so that two of them cannot send each other around in circles.
    pub(crate) fn tell_codec(&mut self, before: Option<CodecKind>, ctx: &mut Ctx<'_>) {
        let now = self.leg.negotiated.map(|negotiated| negotiated.codec);
        if let (Some(codec), Some(near)) = (now.filter(|_| now != before), self.near_call()) {
            ctx.mail(near, Mail::Speaks { codec });
        }
    }

    /// Whom we are bridged with speaks another codec from now on.
    pub(crate) fn on_near_speaks(&mut self, theirs: CodecKind, ctx: &mut Ctx<'_>) {
        let Some(ours) = self.leg.negotiated.map(|negotiated| negotiated.codec) else { return };
        self.leg.near = vec![theirs];
        if is_coded_anew(ours, theirs) {
            self.speak(theirs, ctx);
        }
    }

    /// Asks the peer for this codec, if that can work; whether it was asked.
    pub(crate) fn speak(&mut self, codec: CodecKind, ctx: &mut Ctx<'_>) -> bool {
        let own = ctx.office.media_of(self.row.trunk.as_deref(), self.row.phone.as_deref());
        let can = self.leg.spoken.contains(&codec) && own.codecs.contains(&codec);
        // On hold nobody hears what it would save.
        let talks = self.leg.negotiated.is_some_and(|n| n.direction == Direction::SendRecv);
        if !can || !talks || self.leg.signalling != Signalling::Up || self.leg.offer_pending {
            return false;
        }
        let Some(body) = self.offer(Direction::SendRecv, ctx) else { return false };
        self.trace(
            EventKind::Decision,
            format!("asks for {}, as the other side speaks it", codec.info().name),
            ctx,
        );
        ctx.sip(sip::Command::Offer { session: self.leg.session, body });
        true
    }

    /// What became of our re-INVITE.
    pub(crate) fn on_offer_answered(&mut self, result: Result<Vec<u8>, u16>, ctx: &mut Ctx<'_>) {
        let agreed = match result {
            Ok(answer) => self.accept(Some(&answer), ctx),
            Err(code) => {
                self.trace(EventKind::Decision, format!("re-INVITE refused with {code}"), ctx);
                false
            }
        };
        if !agreed {
            self.leg.offer_pending = false;
            self.leg.sdp.refused();
        }
    }
}

/// Whether sound between two that speak these is worth a word; between the laws of G.711 a table does it.
fn is_coded_anew(ours: CodecKind, theirs: CodecKind) -> bool {
    ours != theirs && !(ours.is_g711() && theirs.is_g711())
}
