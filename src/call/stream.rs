//! Media streams of a call (reference: twiml-voice §14.1, §15; media-streams).
//!
//! ```text
//!            StreamOpen               Started                  Ended, Stop, the call's end
//!   begun ───────────────▶ connecting ───────▶ sound flows ─────────────────────────────▶ told and forgotten
//! ```
//! The shell connects and speaks the protocol; the call says whose sound, passes keys on and tells the application.
//! Sound is tapped once the server listens, so that none is kept for one that never will.

use base::StreamSid;
use media::{CodecKind, RecordWhat, TapId};
use serde::{Deserialize, Serialize};
use twiml::{
    After, Connect, ConnectService, Dialect, Finding, HttpMethod, ServiceCallback, ServiceEvent,
    ServiceFacts, Stop, StopService, StreamCodec, StreamNoun, StreamTrack, TexmlStream, connect_params,
    stream_params, stream_url,
};

use crate::call::{Call, Running};
use crate::ctx::{Asked, Ctx};
use crate::io::{Output, StreamAsk, StreamEvent, StreamOpen};
use crate::record::EventKind;
use crate::timers::Timer;

/// A stream of a call, from its beginning until its end is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stream {
    sid: StreamSid,
    name: Option<String>,
    track: StreamTrack,
    callback: Option<ServiceCallback>,
    tap: TapId,
    /// What the application says; only of a `<Connect>`.
    feed: Option<TapId>,
    started: bool,
}

/// A `<Connect>` that runs.
#[derive(Clone, Debug)]
pub(crate) struct ConnectRun {
    stream: StreamSid,
    action: Option<String>,
    method: HttpMethod,
}

/// How a stream ended.
enum End {
    /// As it should.
    Stopped,
    /// For this reason: number and sentence.
    Failed(u32, String),
}

/// Streams that `<Start>` may have running in one call (reference: media-streams §1).
pub const STREAMS_MAX: usize = 4;

impl Call {
    /// Begins a stream beside the document. What keeps it from beginning has been told, and is given back.
    pub(crate) fn start_stream(
        &mut self,
        noun: &StreamNoun,
        ctx: &mut Ctx<'_>,
    ) -> Result<StreamSid, (u32, String)> {
        let forked = self.streams.values().filter(|stream| stream.feed.is_none()).count();
        if forked >= STREAMS_MAX {
            let why = format!("{STREAMS_MAX} streams of this call run already");
            return Err(self.stream_refused(noun, 31960, &why, ctx));
        }
        if noun.name.is_some() && self.streams.values().any(|stream| stream.name == noun.name) {
            return Err(self.stream_refused(noun, 31900, "a stream of this name runs already", ctx));
        }
        self.open_stream(noun, None, ctx).map_err(|(_, code, why)| (code, why))
    }

    /// The one beside the document that runs under this name, or whose sid this is.
    pub(crate) fn stream_named(&self, which: &str) -> Option<(StreamSid, Option<String>)> {
        let named = |stream: &&Stream| {
            stream.feed.is_none()
                && (stream.name.as_deref() == Some(which) || stream.sid.to_string() == which)
        };
        self.streams.values().find(named).map(|stream| (stream.sid, stream.name.clone()))
    }

    /// Hands the call to an application over a stream, until that ends.
    pub(crate) fn begin_connect(&mut self, connect: Connect, ctx: &mut Ctx<'_>) {
        let Connect { action, method, service } = connect;
        match service {
            ConnectService::Stream(noun) => {
                let feed = TapId(ctx.next_id());
                let opened = self.open_stream(&noun, Some(feed), ctx);
                match opened {
                    Ok(stream) => {
                        self.running = Running::Connect(ConnectRun { stream, action, method });
                        ctx.timer(self.sid(), Timer::Stuck, crate::call::OVERDUE);
                    }
                    Err((sid, code, why)) => {
                        self.connect_over(action, method, Some(sid), Some((code, why)), ctx)
                    }
                }
            }
            ConnectService::Refused { code, name } => {
                let error = (code, format!("{name} is not supported"));
                self.connect_over(action, method, None, Some(error), ctx);
            }
        }
    }

    /// The service has ended: its action, or the next verb.
    fn connect_over(
        &mut self,
        action: Option<String>,
        method: HttpMethod,
        stream: Option<StreamSid>,
        error: Option<(u32, String)>,
        ctx: &mut Ctx<'_>,
    ) {
        let after = match action {
            Some(_) => After::Action { url: action, method, params: connect_params(stream, error.as_ref()) },
            None => After::Next,
        };
        self.verb_done(after, ctx);
    }

    /// Ends what `<Stop>` names; a `<Connect>`'s stream is not among it.
    pub(crate) fn begin_stop(&mut self, stop: &Stop, ctx: &mut Ctx<'_>) {
        for service in &stop.services {
            match service {
                StopService::Stream(name) => match self.stream_named(name) {
                    Some((sid, _)) => self.close_stream(sid, ctx),
                    None => self.trace(EventKind::Note, format!("no stream {name:?} to stop"), ctx),
                },
                StopService::Transcription(name) => {
                    if !self.stop_transcription(name, ctx) {
                        self.trace(EventKind::Note, format!("no transcription {name:?} to stop"), ctx);
                    }
                }
                StopService::Siprec(name) => match self.siprec_named(name) {
                    Some((sid, _)) => {
                        self.close_siprec(sid, ctx);
                    }
                    None => {
                        self.trace(EventKind::Note, format!("no SIP recording session {name:?} to stop"), ctx)
                    }
                },
            }
        }
        self.skip_verb(ctx);
    }

    /// The call is over, and with it all its streams.
    pub(crate) fn close_streams(&mut self, ctx: &mut Ctx<'_>) {
        while let Some(sid) = self.streams.keys().next().copied() {
            self.close_stream(sid, ctx);
        }
    }

    /// A key that a `<Connect>`'s application is to hear of.
    pub(crate) fn connect_digit(&mut self, digit: char, ctx: &mut Ctx<'_>) {
        if let Running::Connect(run) = &self.running {
            ctx.shared.outputs.push_back(Output::Stream { stream: run.stream, ask: StreamAsk::Key(digit) });
        }
    }

    /// The call is sent elsewhere: a `<Connect>`'s stream ends without its action.
    pub(crate) fn connect_interrupted(&mut self, ctx: &mut Ctx<'_>) {
        if let Running::Connect(run) = std::mem::replace(&mut self.running, Running::Nothing) {
            self.close_stream(run.stream, ctx);
        }
    }

    /// The shell tells of a stream.
    pub(crate) fn on_stream(&mut self, sid: StreamSid, event: StreamEvent, ctx: &mut Ctx<'_>) {
        match event {
            StreamEvent::Started => self.stream_started(sid, ctx),
            StreamEvent::Warning { code, message } => {
                self.notify(&Finding::unplaced(code, &message), None, ctx);
            }
            StreamEvent::Stopped => self.stream_over(sid, End::Stopped, ctx),
            StreamEvent::Failed { code, message } => self.stream_over(sid, End::Failed(code, message), ctx),
        }
        self.drive(ctx);
    }

    /// Nothing was ever heard of a stream that a `<Connect>` waits for.
    pub(crate) fn stream_overdue(&mut self, ctx: &mut Ctx<'_>) {
        let Running::Connect(run) = &self.running else { return };
        let sid = run.stream;
        if self.streams.get(&sid).is_some_and(|stream| !stream.started) {
            ctx.shared.outputs.push_back(Output::Stream { stream: sid, ask: StreamAsk::Close });
            self.stream_over(sid, End::Failed(31901, "no answer at all".to_owned()), ctx);
        }
    }

    fn open_stream(
        &mut self,
        noun: &StreamNoun,
        feed: Option<TapId>,
        ctx: &mut Ctx<'_>,
    ) -> Result<StreamSid, (StreamSid, u32, String)> {
        let (sid, tap) = (StreamSid::random(&mut ctx.shared.rng), TapId(ctx.next_id()));
        let stream = Stream {
            sid,
            name: noun.name.clone(),
            track: noun.track,
            callback: noun.status_callback.clone(),
            tap,
            feed,
            started: false,
        };
        if let Err(code) = stream_url(&noun.url) {
            let why = twiml::shown(&noun.url);
            self.stream_failed(&stream, code, &why, ctx);
            return Err((sid, code, why));
        }
        self.trace(EventKind::Media, format!("stream {sid} to {}", twiml::shown(&noun.url)), ctx);
        ctx.shared.streams.insert(sid, self.sid());
        ctx.shared.outputs.push_back(Output::StreamOpen(StreamOpen {
            stream: sid,
            call: self.sid(),
            account: ctx.office.account_sid,
            url: noun.url.clone(),
            track: noun.track,
            parameters: noun.parameters.clone(),
            tap,
            feed,
            texml: noun.texml.map(|texml| self.texml_stream(texml)),
            from: self.facts.from.clone(),
            to: self.facts.to.clone(),
        }));
        self.streams.insert(sid, stream);
        Ok(sid)
    }

    /// What nothing is said of is heard as it is spoken in the call at this moment.
    fn texml_stream(&self, texml: TexmlStream) -> TexmlStream {
        let own = self.leg.negotiated.map(|negotiated| match negotiated.codec {
            CodecKind::Pcmu => StreamCodec::Pcmu,
            CodecKind::Pcma => StreamCodec::Pcma,
            CodecKind::G722 => StreamCodec::G722,
            CodecKind::Opus => StreamCodec::Opus,
            CodecKind::L16Narrow | CodecKind::L16Wide => StreamCodec::L16,
        });
        TexmlStream { hears: texml.hears.or(own), ..texml }
    }

    fn stream_refused(
        &mut self,
        noun: &StreamNoun,
        code: u32,
        why: &str,
        ctx: &mut Ctx<'_>,
    ) -> (u32, String) {
        let stream = Stream {
            sid: StreamSid::random(&mut ctx.shared.rng),
            name: noun.name.clone(),
            track: noun.track,
            callback: noun.status_callback.clone(),
            tap: TapId(0),
            feed: None,
            started: false,
        };
        self.stream_failed(&stream, code, why, ctx);
        (code, why.to_owned())
    }

    fn stream_started(&mut self, sid: StreamSid, ctx: &mut Ctx<'_>) {
        let leg = self.leg.id;
        let Some(stream) = self.streams.get_mut(&sid).filter(|stream| !stream.started) else { return };
        stream.started = true;
        let (tap, feed) = (stream.tap, stream.feed);
        let what = match stream.track {
            StreamTrack::InboundTrack => RecordWhat::Received,
            StreamTrack::OutboundTrack => RecordWhat::Sent,
            StreamTrack::BothTracks => RecordWhat::Dual,
        };
        let stream = stream.clone();
        ctx.media(media::Command::Tap { leg, tap, what });
        if let Some(feed) = feed {
            ctx.cancel_timer(self.sid(), Timer::Stuck);
            ctx.media(media::Command::Feed { leg, feed });
        }
        self.trace(EventKind::Media, format!("stream {sid} started"), ctx);
        self.tell_stream(&stream, ServiceEvent::Started, None, ctx);
    }

    /// The call itself ends a stream: that is its regular end, and what the shell still says of it is not heard.
    pub(crate) fn close_stream(&mut self, sid: StreamSid, ctx: &mut Ctx<'_>) {
        ctx.shared.outputs.push_back(Output::Stream { stream: sid, ask: StreamAsk::Close });
        self.stream_over(sid, End::Stopped, ctx);
    }

    fn stream_over(&mut self, sid: StreamSid, end: End, ctx: &mut Ctx<'_>) {
        let Some(stream) = self.streams.remove(&sid) else { return };
        ctx.shared.streams.remove(&sid);
        let leg = self.leg.id;
        if stream.started {
            ctx.media(media::Command::Untap { leg, tap: stream.tap });
            if let Some(feed) = stream.feed {
                ctx.media(media::Command::EndFeed { leg, feed });
            }
        }
        let error = match end {
            End::Stopped => {
                self.trace(EventKind::Media, format!("stream {sid} stopped"), ctx);
                self.tell_stream(&stream, ServiceEvent::Stopped, None, ctx);
                None
            }
            End::Failed(code, why) => {
                self.stream_failed(&stream, code, &why, ctx);
                Some((code, why))
            }
        };
        match &self.running {
            Running::Connect(run) if run.stream == sid => {}
            _ => return,
        }
        if let Running::Connect(run) = std::mem::replace(&mut self.running, Running::Nothing)
            && self.ended.is_none()
        {
            ctx.cancel_timer(self.sid(), Timer::Stuck);
            self.connect_over(run.action, run.method, Some(sid), error, ctx);
        }
    }

    fn stream_failed(&mut self, stream: &Stream, code: u32, why: &str, ctx: &mut Ctx<'_>) {
        let finding = Finding::unplaced(code, why);
        self.notify(&finding, None, ctx);
        self.tell_stream(stream, ServiceEvent::Error, Some((code, finding.message)), ctx);
    }

    fn tell_stream(
        &mut self,
        stream: &Stream,
        event: ServiceEvent,
        error: Option<(u32, String)>,
        ctx: &mut Ctx<'_>,
    ) {
        let Some(callback) = &stream.callback else { return };
        let event = match (event, self.facts.dialect) {
            (ServiceEvent::Error, Dialect::Texml) => ServiceEvent::Failed,
            (event, _) => event,
        };
        let facts = self.service_facts(stream.name.clone(), event, error, ctx);
        let params = stream_params(stream.sid, &facts);
        ctx.fetch(self.sid(), Asked::Callback, callback.url.clone(), callback.method, params);
    }

    /// What a service's callback says of it.
    pub(crate) fn service_facts(
        &self,
        name: Option<String>,
        event: ServiceEvent,
        error: Option<(u32, String)>,
        ctx: &Ctx<'_>,
    ) -> ServiceFacts {
        let (account_sid, call_sid) = (ctx.office.account_sid, self.sid());
        ServiceFacts { account_sid, call_sid, name, event, at: ctx.now.wall, error }
    }
}
