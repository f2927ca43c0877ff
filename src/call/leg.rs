//! One leg: a SIP session and the media that belongs to it.
//!
//! ```text
//! called   Invited ──Progress──▶ Invited ──Answer──▶ Up ──BYE──▶ Over
//! calling  Waiting (for a port) ──INVITE──▶ Invited ──200──▶ Up ──BYE──▶ Over
//! media    None ──Open──▶ Opening ──Opened──▶ Open ──Close──▶ Closing ──Closed──▶ Gone
//! ```

use std::net::SocketAddr;

use media::sdp::SrtpKeys;
use media::{CodecKind, LegId, Negotiated};
use serde::{Deserialize, Serialize};
use sip::SessionId;

use crate::answer::Wants;
use crate::keys::Keys;

/// Which side sent the INVITE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Side {
    /// The peer did.
    Called,
    /// We did.
    Calling,
}

/// Where the SIP session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Signalling {
    /// Nothing sent yet: our INVITE waits for a media port.
    Waiting,
    /// The INVITE has no final answer.
    Invited,
    /// A 2xx was sent or received.
    Up,
    /// Refused, cancelled or ended.
    Over,
}

/// Where the leg's media stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum MediaState {
    /// Never asked for.
    None,
    /// A port was asked for.
    Opening,
    /// It has a port.
    Open(SocketAddr),
    /// It was closed and its figures are awaited.
    Closing,
    /// There is none any more.
    Gone,
}

/// One leg of a call.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Leg {
    pub(crate) id: LegId,
    pub(crate) session: SessionId,
    pub(crate) side: Side,
    pub(crate) signalling: Signalling,
    pub(crate) media: MediaState,
    /// The offer of a peer's INVITE; `None`: it wants one from us (RFC 3261 §13.2.1).
    pub(crate) remote_offer: Option<Vec<u8>>,
    /// The last agreement.
    pub(crate) negotiated: Option<Negotiated>,
    /// What we said of ourselves.
    pub(crate) sdp: media::sdp::Session,
    /// What we encrypt with, drawn when it is first needed.
    pub(crate) srtp_keys: Option<SrtpKeys>,
    /// What the peer's last description named.
    pub(crate) spoken: Vec<CodecKind>,
    /// What the leg it is bridged with, or will be, speaks: taken before anything else, so that nothing has to be
    /// transcoded.
    pub(crate) near: Vec<CodecKind>,
    /// Keys the peer pressed lately, and keys on their way to it.
    pub(crate) keys: Keys,
    /// Where the peer is: decides which address of ours it is shown.
    pub(crate) peer: Option<std::net::IpAddr>,
    /// What the port is being opened for.
    pub(crate) wants: Wants,
    /// Whether our last description was an offer that has no answer yet.
    pub(crate) offer_pending: bool,
}

impl Leg {
    pub(crate) fn new(id: LegId, session: SessionId, side: Side, sdp_id: u64) -> Self {
        let signalling = match side {
            Side::Called => Signalling::Invited,
            Side::Calling => Signalling::Waiting,
        };
        Self {
            id,
            session,
            side,
            signalling,
            media: MediaState::None,
            remote_offer: None,
            negotiated: None,
            sdp: media::sdp::Session::new(sdp_id),
            srtp_keys: None,
            spoken: Vec::new(),
            near: Vec::new(),
            keys: Keys::default(),
            peer: None,
            wants: Wants::Nothing,
            offer_pending: false,
        }
    }

    /// Whether the call is answered and its audio agreed on: a verb that needs sound can run.
    pub(crate) fn is_up(&self) -> bool {
        self.signalling == Signalling::Up && self.negotiated.is_some()
    }

    /// Whether nothing of it is left.
    pub(crate) fn is_gone(&self) -> bool {
        self.signalling == Signalling::Over && matches!(self.media, MediaState::None | MediaState::Gone)
    }

    /// Whether a media port is held or asked for.
    pub(crate) fn holds_media(&self) -> bool {
        matches!(self.media, MediaState::Opening | MediaState::Open(_))
    }

    /// Another session begins in the place of one that came to nothing: it shares no keys with that one.
    pub(crate) fn start_over(&mut self, session: SessionId, sdp_id: u64) {
        self.session = session;
        self.sdp = media::sdp::Session::new(sdp_id);
        self.srtp_keys = None;
        self.negotiated = None;
        self.spoken.clear();
    }
}
