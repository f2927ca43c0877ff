//! SIP recording sessions of a call: its sound on its way to a recorder (reference: twiml-voice §14.2; RFC 7866, the
//! session recording client).
//!
//! ```text
//!            Open        all ports       INVITE          200         Tap, Hear       <Stop>, BYE, the call's end
//!   begun ─────────▶ opening ─────────────────────▶ invited ─────────────────▶ up ─────────────────────────▶ told, gone
//!                       └──no port──┐                  └──refused, nothing──┐   └──lost──┐
//!                                   └──────────────▶ siprec-error ◀─────────┴────────────┘
//! ```
//! A session has a leg of its own for each track; the media plane lets the recorder hear there what a tap of the call
//! hands over. Whatever becomes of it, the call does not notice.

use std::collections::BTreeMap;
use std::time::Duration;

use base::{CallSid, Mono, SiprecSid};
use media::sdp::{SrtpKeys, SrtpWish, Track, Wishes, accept_tracks, answer_tracks, offer_tracks};
use media::{Direction, LegId, Negotiated, RecordWhat, TapId};
use sip::{Destination, SessionId, Uri};
use twiml::{Finding, ServiceCallback, ServiceEvent, SiprecNoun, StreamTrack, siprec_params};

use crate::call::{Call, OVERDUE};
use crate::ctx::{Asked, Ctx};
use crate::leg::Side;
use crate::office::{Recorder, SrtpPolicy};
use crate::originate::{parameter_header, shown_from};
use crate::record::EventKind;
use crate::siprec_metadata::{Metadata, Party};
use crate::timers::Timer;

/// A recording session of a call, from its beginning until its end is told.
#[derive(Clone, Debug)]
pub(crate) struct Siprec {
    named: Named,
    recorder: Recorder,
    uri: Uri,
    parameters: Vec<(String, String)>,
    session: SessionId,
    tracks: Vec<TrackLeg>,
    stage: Stage,
    since: Mono,
    /// Of `o=` in our descriptions.
    sdp: (u64, u64),
    /// Our offer that has no answer yet.
    offered: Option<Vec<u8>>,
}

/// How a session is told of.
#[derive(Clone, Debug)]
struct Named {
    sid: SiprecSid,
    name: Option<String>,
    callback: Option<ServiceCallback>,
}

/// One track and the leg it is sent from.
#[derive(Clone, Debug)]
struct TrackLeg {
    leg: LegId,
    tap: TapId,
    what: RecordWhat,
    media: TrackMedia,
    /// Each stream has its own (RFC 4568 §6.1).
    keys: Option<SrtpKeys>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TrackMedia {
    Opening,
    Open(std::net::SocketAddr),
    /// The recorder hears the track.
    Heard(std::net::SocketAddr),
    /// There is no port.
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Opening,
    Invited,
    Up,
    /// There is nobody to say BYE to.
    Over,
}

/// How a session ended.
enum End {
    /// As it should.
    Stopped,
    /// For this reason: number and sentence.
    Failed(u32, String),
}

/// Whose the sessions and legs with recorders are; a leg until the media plane has let go of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct RecorderIndex {
    sessions: BTreeMap<SessionId, (CallSid, SiprecSid)>,
    legs: BTreeMap<LegId, (CallSid, SiprecSid)>,
}

impl RecorderIndex {
    pub(crate) fn of_session(&self, session: SessionId) -> Option<(CallSid, SiprecSid)> {
        self.sessions.get(&session).copied()
    }

    /// Whose leg it is; after its last event nobody's.
    pub(crate) fn of_leg(&mut self, leg: LegId, is_last: bool) -> Option<(CallSid, SiprecSid)> {
        if is_last { self.legs.remove(&leg) } else { self.legs.get(&leg).copied() }
    }
}

/// Recording sessions one call may have running.
pub const SIPRECS_MAX: usize = 4;

impl Call {
    /// Begins to send the call's sound to a recorder. What keeps it from beginning has been told, to the callback and to
    /// the debugger, and is given back: its number and a sentence.
    pub(crate) fn start_siprec(
        &mut self,
        noun: &SiprecNoun,
        ctx: &mut Ctx<'_>,
    ) -> Result<SiprecSid, (u32, String)> {
        let sid = SiprecSid::random(&mut ctx.shared.rng);
        let named = Named { sid, name: noun.name.clone(), callback: noun.status_callback.clone() };
        let (recorder, uri) = match self.recorder_for(noun, ctx) {
            Ok(recorder) => recorder,
            Err((code, why)) => return Err(self.siprec_failed(&named, code, &why, ctx)),
        };
        let session = SessionId(ctx.next_id());
        let peer = uri.host.ip();
        let tracks: &[RecordWhat] = match noun.track {
            StreamTrack::InboundTrack => &[RecordWhat::Received],
            StreamTrack::OutboundTrack => &[RecordWhat::Sent],
            StreamTrack::BothTracks => &[RecordWhat::Received, RecordWhat::Sent],
        };
        let mut open = |what: &RecordWhat| {
            let (leg, tap) = (LegId(ctx.next_id()), TapId(ctx.next_id()));
            ctx.shared.recorders.legs.insert(leg, (self.row.sid, sid));
            ctx.media(media::Command::Open { leg, near: None, peer });
            TrackLeg { leg, tap, what: *what, media: TrackMedia::Opening, keys: None }
        };
        let siprec = Siprec {
            tracks: tracks.iter().map(&mut open).collect(),
            named,
            recorder,
            uri,
            parameters: noun.parameters.clone(),
            session,
            stage: Stage::Opening,
            since: ctx.now.mono,
            sdp: (u64::from(ctx.shared.rng.u32()), 1),
            offered: None,
        };
        self.trace(EventKind::Media, format!("siprec {sid} to {:?}", noun.connector_name), ctx);
        ctx.shared.recorders.sessions.insert(session, (self.row.sid, sid));
        self.siprecs.insert(sid, siprec);
        ctx.timer(self.sid(), Timer::Siprec, OVERDUE);
        Ok(sid)
    }

    /// The one that runs under this name, or whose sid this is.
    pub(crate) fn siprec_named(&self, which: &str) -> Option<(SiprecSid, Option<String>)> {
        let is_meant = |siprec: &&Siprec| {
            siprec.named.name.as_deref() == Some(which) || siprec.named.sid.to_string() == which
        };
        self.siprecs.values().find(is_meant).map(|siprec| (siprec.named.sid, siprec.named.name.clone()))
    }

    /// Ends one as it should; false: it is over already.
    pub(crate) fn close_siprec(&mut self, sid: SiprecSid, ctx: &mut Ctx<'_>) -> bool {
        self.siprec_over(sid, End::Stopped, ctx)
    }

    /// The call is over, and with it all its recording sessions.
    pub(crate) fn close_siprecs(&mut self, ctx: &mut Ctx<'_>) {
        while let Some(sid) = self.siprecs.keys().next().copied() {
            self.close_siprec(sid, ctx);
        }
    }

    /// The media plane tells of a track's leg.
    pub(crate) fn on_recorder_media(&mut self, sid: SiprecSid, event: &media::Event, ctx: &mut Ctx<'_>) {
        let Some(siprec) = self.siprecs.get_mut(&sid) else { return };
        let place = |tracks: &mut Vec<TrackLeg>, leg: LegId, media: TrackMedia| {
            if let Some(track) = tracks.iter_mut().find(|track| track.leg == leg) {
                track.media = media;
            }
        };
        match event {
            media::Event::Opened { leg, local } => {
                place(&mut siprec.tracks, *leg, TrackMedia::Open(*local));
                if siprec.tracks.iter().all(|track| track.local().is_some()) {
                    self.invite_recorder(sid, ctx);
                }
            }
            media::Event::OpenFailed { leg, why } => {
                place(&mut siprec.tracks, *leg, TrackMedia::None);
                self.siprec_over(sid, End::Failed(UNKNOWN, format!("no media port: {why}")), ctx);
            }
            // Nothing is heard of a recorder, and nothing plays to it that would end.
            media::Event::Played { .. }
            | media::Event::Digit { .. }
            | media::Event::Finding { .. }
            | media::Event::Speaking { .. }
            | media::Event::AnsweredBy { .. }
            | media::Event::MediaLost { .. }
            | media::Event::Announced { .. }
            | media::Event::RecordStarted { .. }
            | media::Event::Recorded { .. }
            | media::Event::Closed { .. } => {}
        }
    }

    /// The recorder says something.
    pub(crate) fn on_recorder(&mut self, sid: SiprecSid, event: sip::Event, ctx: &mut Ctx<'_>) {
        let Some(siprec) = self.siprecs.get_mut(&sid) else { return };
        let session = siprec.session;
        match event {
            sip::Event::Answered { body, .. } => self.recorder_answered(sid, body.as_deref(), ctx),
            sip::Event::Refused { code, reason, .. } => {
                siprec.stage = Stage::Over;
                let number = match code {
                    401 | 403 | 407 => CONNECTOR,
                    408 => TIMEOUT,
                    503 => UNREACHABLE,
                    _ => REFUSED,
                };
                let why = format!("the recorder answered {code} {reason}");
                self.siprec_over(sid, End::Failed(number, why), ctx);
            }
            sip::Event::Offered { body, .. } => self.recorder_offers(sid, body, ctx),
            sip::Event::Acked { offered: false, .. } => {}
            sip::Event::Acked { body, .. } => {
                if let (Some(offer), Some(answer)) = (siprec.offered.take(), body) {
                    let tracks = self.tracks_of(sid, ctx);
                    if let Ok(agreed) = accept_tracks(&offer, &answer, &tracks) {
                        self.configure_tracks(sid, &agreed, ctx);
                    }
                }
            }
            sip::Event::Ended { why, .. } => {
                siprec.stage = Stage::Over;
                let end = match why {
                    sip::Ended::ByPeer { .. } => End::Stopped,
                    sip::Ended::AckTimeout | sip::Ended::TransactionTimeout | sip::Ended::FlowLost => {
                        End::Failed(BROKEN, "the recorder was lost".to_owned())
                    }
                };
                self.siprec_over(sid, end, ctx);
            }
            sip::Event::Referred { .. } => ctx.sip(sip::Command::AnswerRefer { session, code: 603 }),
            sip::Event::Incoming { .. }
            | sip::Event::Progress { .. }
            | sip::Event::Cancelled { .. }
            | sip::Event::OfferAnswered { .. }
            | sip::Event::Info { .. }
            | sip::Event::ReferAnswered { .. }
            | sip::Event::Notified { .. }
            | sip::Event::Registered { .. }
            | sip::Event::Unregistered { .. }
            | sip::Event::ContactsChanged { .. }
            | sip::Event::TrunkState { .. }
            | sip::Event::Rejected { .. } => {}
        }
    }

    /// Nothing was heard of a session for longer than anything takes.
    pub(crate) fn siprec_overdue(&mut self, ctx: &mut Ctx<'_>) {
        let (mut late, mut next) = (Vec::new(), None);
        for siprec in
            self.siprecs.values().filter(|siprec| matches!(siprec.stage, Stage::Opening | Stage::Invited))
        {
            let left = OVERDUE.saturating_sub(ctx.now.mono.since(siprec.since));
            if left.is_zero() {
                late.push(siprec.named.sid);
            } else {
                next = Some(next.map_or(left, |next: Duration| next.min(left)));
            }
        }
        for sid in late {
            self.siprec_over(sid, End::Failed(TIMEOUT, "the recorder does not answer".to_owned()), ctx);
        }
        if let Some(left) = next {
            ctx.timer(self.sid(), Timer::Siprec, left);
        }
    }

    /// The recorder of this name, if another session with it may begin.
    fn recorder_for(&self, noun: &SiprecNoun, ctx: &Ctx<'_>) -> Result<(Recorder, Uri), (u32, String)> {
        let named = &noun.connector_name;
        let Some(recorder) = ctx.office.recorders.get(named) else {
            return Err((NO_CONNECTOR, format!("{named:?}")));
        };
        let uri =
            recorder.uri.parse::<Uri>().map_err(|error| (CONNECTOR, format!("{}: {error}", recorder.uri)))?;
        let is_taken = |siprec: &Siprec| noun.name.is_some() && siprec.named.name == noun.name;
        if self.siprecs.values().any(is_taken) {
            return Err((UNKNOWN, "a recording session of this name runs already".to_owned()));
        }
        if self.siprecs.len() >= SIPRECS_MAX {
            return Err((QUOTA, format!("{SIPRECS_MAX} recording sessions of this call run already")));
        }
        // Two tracks a call, for all the calls there may be.
        if ctx.shared.recorders.legs.len() >= ctx.office.limits.calls_max.saturating_mul(2) {
            return Err((QUOTA, "the box has as many recording sessions as it may have".to_owned()));
        }
        Ok((recorder.clone(), uri))
    }

    fn invite_recorder(&mut self, sid: SiprecSid, ctx: &mut Ctx<'_>) {
        let tracks = self.tracks_of(sid, ctx);
        let metadata = self.siprec_metadata(sid, ctx);
        let Some(siprec) = self.siprecs.get_mut(&sid) else { return };
        let offer = offer_tracks(&tracks, siprec.sdp);
        siprec.offered = Some(offer.clone());
        siprec.stage = Stage::Invited;
        let headers = siprec.parameters.iter().filter_map(|(name, value)| parameter_header(name, value));
        let password = siprec.recorder.password.as_ref().map(|password| password.reveal().to_owned());
        let outgoing = sip::Outgoing {
            session: siprec.session,
            to: Destination::Uri(siprec.uri.clone()),
            from: shown_from(&siprec.recorder.name, None, None, ctx),
            to_header: None,
            headers: headers.collect(),
            body: Some(offer),
            recording: Some(metadata.into_bytes()),
            credentials: siprec.recorder.username.clone().zip(password),
        };
        ctx.sip(sip::Command::Invite(Box::new(outgoing)));
    }

    fn recorder_answered(&mut self, sid: SiprecSid, answer: Option<&[u8]>, ctx: &mut Ctx<'_>) {
        let tracks = self.tracks_of(sid, ctx);
        let Some(siprec) = self.siprecs.get_mut(&sid) else { return };
        siprec.stage = Stage::Up;
        let offer = siprec.offered.take().unwrap_or_default();
        let agreed =
            answer.and_then(|answer| accept_tracks(&offer, answer, &tracks).ok()).unwrap_or_default();
        if agreed.iter().all(Option::is_none) {
            let why = "the recorder takes none of the tracks".to_owned();
            self.siprec_over(sid, End::Failed(REFUSED, why), ctx);
            return;
        }
        self.configure_tracks(sid, &agreed, ctx);
        self.trace(EventKind::Media, format!("siprec {sid} started"), ctx);
        if let Some(named) = self.siprecs.get(&sid).map(|siprec| siprec.named.clone()) {
            self.tell_siprec(&named, ServiceEvent::Started, None, ctx);
        }
    }

    /// The recorder pauses, goes on or moves.
    fn recorder_offers(&mut self, sid: SiprecSid, offer: Option<Vec<u8>>, ctx: &mut Ctx<'_>) {
        let tracks = self.tracks_of(sid, ctx);
        let Some(siprec) = self.siprecs.get_mut(&sid) else { return };
        let session = siprec.session;
        siprec.sdp.1 += 1;
        let result = match offer {
            None => {
                let offer = offer_tracks(&tracks, siprec.sdp);
                siprec.offered = Some(offer.clone());
                Ok(offer)
            }
            Some(offer) => match answer_tracks(&offer, &tracks, siprec.sdp) {
                Ok((answer, agreed)) => {
                    self.configure_tracks(sid, &agreed, ctx);
                    Ok(answer)
                }
                Err(error) => Err(error.status()),
            },
        };
        ctx.sip(sip::Command::AnswerOffer { session, result });
    }

    /// What was agreed on holds from now on; a track that is taken for the first time is heard.
    fn configure_tracks(&mut self, sid: SiprecSid, agreed: &[Option<Negotiated>], ctx: &mut Ctx<'_>) {
        let leg = self.leg.id;
        let Some(siprec) = self.siprecs.get_mut(&sid) else { return };
        for (track, negotiated) in siprec.tracks.iter_mut().zip(agreed) {
            let Some(negotiated) = *negotiated else { continue };
            ctx.media(media::Command::Configure { leg: track.leg, negotiated });
            if let TrackMedia::Open(local) = track.media {
                ctx.media(media::Command::Tap { leg, tap: track.tap, what: track.what });
                ctx.media(media::Command::Hear { leg: track.leg, tap: track.tap });
                track.media = TrackMedia::Heard(local);
            }
        }
    }

    /// Our side of the tracks, for the media description.
    fn tracks_of(&mut self, sid: SiprecSid, ctx: &mut Ctx<'_>) -> Vec<Track> {
        let Some(siprec) = self.siprecs.get_mut(&sid) else { return Vec::new() };
        let office = ctx.office;
        let policy = siprec.recorder.srtp.unwrap_or(office.media.srtp);
        let mut tracks = Vec::new();
        for track in &mut siprec.tracks {
            let Some(local) = track.local() else { continue };
            let mut keys = || track.keys.get_or_insert_with(|| SrtpKeys::random(&mut ctx.shared.rng)).clone();
            let srtp = match policy {
                SrtpPolicy::Off => SrtpWish::Off,
                SrtpPolicy::Optional => SrtpWish::Optional(keys()),
                SrtpPolicy::Required => SrtpWish::Required(keys()),
            };
            tracks.push(Track {
                local,
                label: label(track.what).to_owned(),
                wishes: Wishes {
                    events: false,
                    inband: false,
                    ptime_ms: office.media.ptime_ms,
                    srtp,
                    ..Wishes::of(&siprec.recorder.codecs)
                },
                direction: Direction::SendOnly,
            });
        }
        tracks
    }

    /// Who talks to whom, and which track is whose.
    fn siprec_metadata(&self, sid: SiprecSid, ctx: &mut Ctx<'_>) -> String {
        let (from, to) = (&self.facts.from, &self.facts.to);
        let name = self.facts.caller_name.clone();
        let (peer, other) = match self.leg.side {
            Side::Called => ((from, name), (to, None)),
            Side::Calling => ((to, None), (from, name)),
        };
        let party = |(address, name): (&String, Option<String>)| Party {
            aor: shown_from(address, None, None, ctx).uri.to_string(),
            name,
        };
        let (peer, other) = (party(peer), party(other));
        let siprec = self.siprecs.get(&sid);
        let sends = |what: RecordWhat| {
            siprec.is_some_and(|siprec| siprec.tracks.iter().any(|track| track.what == what))
        };
        let metadata = Metadata {
            call: self.facts.call_sid.to_string(),
            siprec: sid.to_string(),
            at: ctx.now.wall,
            peer,
            other,
            said: sends(RecordWhat::Received).then_some(label(RecordWhat::Received)),
            heard: sends(RecordWhat::Sent).then_some(label(RecordWhat::Sent)),
            parameters: siprec.map(|siprec| siprec.parameters.clone()).unwrap_or_default(),
        };
        metadata.write(&mut ctx.shared.rng)
    }

    /// Gives everything back and tells the end; false: it had ended before.
    fn siprec_over(&mut self, sid: SiprecSid, end: End, ctx: &mut Ctx<'_>) -> bool {
        let Some(siprec) = self.siprecs.remove(&sid) else { return false };
        let session = siprec.session;
        match siprec.stage {
            Stage::Opening | Stage::Over => {}
            Stage::Invited => ctx.sip(sip::Command::Cancel { session }),
            Stage::Up => ctx.sip(sip::Command::Bye { session, reason: None }),
        }
        ctx.shared.recorders.sessions.remove(&session);
        for track in &siprec.tracks {
            if let TrackMedia::Heard(_) = track.media {
                ctx.media(media::Command::Untap { leg: self.leg.id, tap: track.tap });
            }
            if track.media != TrackMedia::None {
                ctx.media(media::Command::Close { leg: track.leg });
            }
        }
        match end {
            End::Stopped => {
                self.trace(EventKind::Media, format!("siprec {sid} stopped"), ctx);
                self.tell_siprec(&siprec.named, ServiceEvent::Stopped, None, ctx);
            }
            End::Failed(code, why) => {
                self.siprec_failed(&siprec.named, code, &why, ctx);
            }
        }
        true
    }

    fn siprec_failed(&mut self, named: &Named, code: u32, why: &str, ctx: &mut Ctx<'_>) -> (u32, String) {
        let finding = Finding::unplaced(code, why);
        self.notify(&finding, None, ctx);
        let error = (code, finding.message);
        self.tell_siprec(named, ServiceEvent::Error, Some(error.clone()), ctx);
        error
    }

    fn tell_siprec(
        &mut self,
        named: &Named,
        event: ServiceEvent,
        error: Option<(u32, String)>,
        ctx: &mut Ctx<'_>,
    ) {
        let Some(callback) = &named.callback else { return };
        let facts = self.service_facts(named.name.clone(), event, error, ctx);
        let params = siprec_params(named.sid, &facts);
        ctx.fetch(self.sid(), Asked::Callback, callback.url.clone(), callback.method, params);
    }
}

impl TrackLeg {
    fn local(&self) -> Option<std::net::SocketAddr> {
        match self.media {
            TrackMedia::Open(local) | TrackMedia::Heard(local) => Some(local),
            TrackMedia::Opening | TrackMedia::None => None,
        }
    }
}

/// Names a track in media description and metadata.
fn label(what: RecordWhat) -> &'static str {
    match what {
        RecordWhat::Sent => "2",
        RecordWhat::Received | RecordWhat::Both | RecordWhat::Dual => "1",
    }
}

/// What goes wrong, by its number (reference: error-codes 319xx).
const UNKNOWN: u32 = 31900;
const TIMEOUT: u32 = 31901;
const REFUSED: u32 = 31902;
const BROKEN: u32 = 31903;
const UNREACHABLE: u32 = 31904;
const NO_CONNECTOR: u32 = 31940;
const CONNECTOR: u32 = 31942;
const QUOTA: u32 = 31960;
