//! An announcement to a whole conference: a document that nobody in particular hears (reference: rest-voice §6).
//!
//! ```text
//! asked for ──document──▶ verb by verb: sounds made ready, played over what is said ──end──▶ told, gone
//!                 └── cannot be had ───────────────────────────────────────────────────────▶ told, gone
//! ```
//! It is run for no call, so it has a voice of its own: a call's sid that no call has, under which its requests, sounds
//! and timers are kept. Each conference has one announcement at most; a further one takes its place.

use std::time::Duration;

use base::{CallSid, ConferenceSid, Now};
use media::{PlayId, RoomId};
use twiml::{After, ConferenceNews, Context, Dialect, Finding, HttpMethod, Interpreter, Source, Verb};

use crate::call::{OVERDUE, UNANSWERED, notification};
use crate::conference::Conference;
use crate::conference_dial::{moment, send};
use crate::ctx::{Asked, Ctx, Mail};
use crate::io::Output;
use crate::node::Node;
use crate::prompt::{Part, Prompting, SOUND_FAILED, ends_document};
use crate::record::StoreItem;
use crate::timers::Timer;

/// An announcement that runs.
#[derive(Clone, Debug)]
pub(crate) struct Announcement {
    voice: CallSid,
    conference: ConferenceSid,
    name: String,
    room: RoomId,
    url: String,
    interpreter: Interpreter,
    running: Running,
    /// Documents asked for.
    asked: u32,
}

/// Its verb at the moment.
#[derive(Clone, Debug)]
enum Running {
    Nothing,
    Sound(Prompting),
    Pause,
}

/// What can happen to an announcement.
#[derive(Clone, Debug)]
pub(crate) enum Happens {
    Fetched(u64, Result<twiml::Fetched, twiml::FetchFailure>),
    Sound(media::ClipKey, Result<(), (u32, String)>),
    Played(PlayId),
    Timer(Timer),
}

/// Whether it goes on, and if not, what is to be told of it.
enum Next {
    GoesOn,
    Over(ConferenceNews),
}

impl Announcement {
    fn on(&mut self, happens: Happens, ctx: &mut Ctx<'_>) -> Next {
        match happens {
            Happens::Fetched(id, result) => {
                ctx.cancel_timer(self.voice, Timer::Stuck);
                self.interpreter.handle(twiml::Input::Fetched { id, result }, ctx.now);
            }
            Happens::Sound(key, result) => self.on_sound(&key, result, ctx),
            Happens::Played(play) => {
                if matches!(&self.running, Running::Sound(prompting) if prompting.is(play)) {
                    self.verb_done(ctx);
                }
            }
            Happens::Timer(Timer::Pause) => self.verb_done(ctx),
            Happens::Timer(_) => self.overdue(ctx),
        }
        self.drive(ctx)
    }

    fn drive(&mut self, ctx: &mut Ctx<'_>) -> Next {
        while let Some(output) = self.interpreter.poll_output() {
            match output {
                twiml::Output::Fetch { id, url, method, params } => self.ask(id, url, method, params, ctx),
                twiml::Output::Notify(finding, url) => {
                    let row = notification(self.voice, finding.code, finding.level, finding.message, ctx);
                    let row = crate::record::NotificationRow { url, call: None, ..row };
                    ctx.store(StoreItem::Notification(row));
                }
                twiml::Output::Execute(verb) => self.begin(verb, ctx),
                twiml::Output::ApplicationError { code } => {
                    let (url, why) = (self.url.clone(), Finding::unplaced(code, "").message);
                    return Next::Over(ConferenceNews::AnnounceFailed { call: None, url, why });
                }
                twiml::Output::Finished => return Next::Over(ConferenceNews::Announced { call: None }),
            }
        }
        Next::GoesOn
    }

    fn ask(
        &mut self,
        id: u64,
        url: String,
        method: HttpMethod,
        params: Vec<(String, String)>,
        ctx: &mut Ctx<'_>,
    ) {
        self.asked += 1;
        if self.asked > DOCUMENTS_MAX {
            let message = "documents follow each other without end".to_owned();
            let result = Err(twiml::FetchFailure::new(11215, message));
            return self.interpreter.handle(twiml::Input::Fetched { id, result }, ctx.now);
        }
        let mut all = vec![
            ("AccountSid".to_owned(), ctx.office.account_sid.to_string()),
            ("ApiVersion".to_owned(), "2010-04-01".to_owned()),
            ("ConferenceSid".to_owned(), self.conference.to_string()),
            ("FriendlyName".to_owned(), self.name.clone()),
        ];
        all.extend(params);
        ctx.fetch(self.voice, Asked::Interpreter(id), url, method, all);
        ctx.timer(self.voice, Timer::Stuck, OVERDUE);
    }

    fn begin(&mut self, verb: Verb, ctx: &mut Ctx<'_>) {
        let part = match verb {
            Verb::Say(say) if !say.text.is_empty() => Some(Part::say(&say)),
            Verb::Play(play) => Part::play(&play),
            Verb::Pause(pause) => {
                self.running = Running::Pause;
                ctx.timer(self.voice, Timer::Pause, Duration::from_secs(u64::from(pause.length_s)));
                return;
            }
            // The interpreter carries redirects out, and lets nothing else through.
            _ => None,
        };
        match part {
            Some(part) => {
                self.running = Running::Sound(Prompting::begin(self.voice, vec![part], ctx));
            }
            None => self.verb_done(ctx),
        }
    }

    fn on_sound(&mut self, key: &media::ClipKey, result: Result<(), (u32, String)>, ctx: &mut Ctx<'_>) {
        let (voice, room) = (self.voice, self.room);
        let good = result.is_ok();
        let Running::Sound(prompting) = &mut self.running else { return };
        if let Err((code, why)) = result {
            let finding = Finding::unplaced(code, &why);
            if prompting.awaits(key) && ends_document(code) {
                self.running = Running::Nothing;
                ctx.cancel_timer(voice, Timer::Stuck);
                self.interpreter.handle(twiml::Input::VerbDone(After::Error(finding)), ctx.now);
                return;
            }
            let row = notification(voice, code, finding.level, finding.message, ctx);
            ctx.store(StoreItem::Notification(crate::record::NotificationRow { call: None, ..row }));
        }
        if prompting.on_sound(key, good) && !prompting.announce(voice, room, ctx) {
            self.verb_done(ctx);
        }
    }

    /// Something outside that always answers did not.
    fn overdue(&mut self, ctx: &mut Ctx<'_>) {
        let voice = self.voice;
        let ours: Vec<_> = ctx
            .shared
            .fetches
            .iter()
            .filter(|(_, (sid, _))| *sid == voice)
            .map(|(id, (_, theirs))| (*id, *theirs))
            .collect();
        for (id, theirs) in ours {
            ctx.shared.fetches.remove(&id);
            let result = Err(twiml::FetchFailure::new(UNANSWERED, "no answer at all"));
            self.interpreter.handle(twiml::Input::Fetched { id: theirs, result }, ctx.now);
        }
        let waiting = match &self.running {
            Running::Sound(prompting) => prompting.waiting(),
            Running::Nothing | Running::Pause => Vec::new(),
        };
        for key in waiting {
            if let Some(waiting) = ctx.shared.sounds.get_mut(&key) {
                waiting.remove(&voice);
            }
            self.on_sound(&key, Err((SOUND_FAILED, "it was not ready in time".to_owned())), ctx);
        }
    }

    fn verb_done(&mut self, ctx: &mut Ctx<'_>) {
        self.running = Running::Nothing;
        self.interpreter.handle(twiml::Input::VerbDone(After::Next), ctx.now);
    }

    /// Nothing of it comes later.
    fn end(self, ctx: &mut Ctx<'_>) {
        ctx.abort_fetches(self.voice);
        ctx.shared.timers.cancel_all(self.voice);
        ctx.shared.exchanges.forget(self.voice);
        for waiting in ctx.shared.sounds.values_mut() {
            waiting.remove(&self.voice);
        }
        ctx.shared.outputs.push_back(Output::CallOver(self.voice));
    }
}

/// Begins one, in place of the one that runs.
pub(crate) fn announce(conference: &Conference, url: String, method: HttpMethod, ctx: &mut Ctx<'_>) {
    fall_silent(conference.sid, ctx);
    let voice = CallSid::random(&mut ctx.shared.rng);
    let mut interpreter = Interpreter::new(None, Dialect::Twiml).within(Context::ConferenceWait);
    let source = Source::Url { url: url.clone(), method };
    interpreter.handle(twiml::Input::Start(source), ctx.now);
    let announcement = Announcement {
        voice,
        conference: conference.sid,
        name: conference.name.clone(),
        room: conference.room,
        url,
        interpreter,
        running: Running::Nothing,
        asked: 0,
    };
    let conference = announcement.conference;
    go_on(announcement, Announcement::drive, ctx);
    let goes_on = ctx.shared.announcements.contains_key(&voice);
    for member in ctx.shared.conferences.announcing(conference, goes_on) {
        ctx.mail(member, Mail::ConferenceChanged(conference));
    }
}

/// A conference is over, and with it what is announced there.
pub(crate) fn fall_silent(conference: ConferenceSid, ctx: &mut Ctx<'_>) {
    let of_it = |one: &Announcement| one.conference == conference;
    let voice = ctx.shared.announcements.values().find(|one| of_it(one)).map(|one| one.voice);
    if let Some(announcement) = voice.and_then(|voice| ctx.shared.announcements.remove(&voice)) {
        announcement.end(ctx);
    }
}

fn go_on(
    mut announcement: Announcement,
    step: impl FnOnce(&mut Announcement, &mut Ctx<'_>) -> Next,
    ctx: &mut Ctx<'_>,
) {
    match step(&mut announcement, ctx) {
        Next::GoesOn => {
            ctx.shared.announcements.insert(announcement.voice, announcement);
        }
        Next::Over(news) => {
            let (moment, voice) = (moment(ctx), announcement.voice);
            let conference = announcement.conference;
            let letter = ctx.shared.conferences.tell(conference, &news, moment);
            for member in ctx.shared.conferences.announcing(conference, false) {
                ctx.mail(member, Mail::ConferenceChanged(conference));
            }
            send(voice, Vec::from_iter(letter), ctx);
            announcement.end(ctx);
        }
    }
}

impl Node {
    /// Something happened to whoever has this sid; gives it back unless it is an announcement.
    pub(crate) fn announcing(&mut self, voice: CallSid, happens: Happens, now: Now) -> Option<Happens> {
        let Some(announcement) = self.shared.announcements.remove(&voice) else { return Some(happens) };
        let mut ctx = Ctx { now, office: &self.office, shared: &mut self.shared };
        go_on(announcement, |announcement, ctx| announcement.on(happens, ctx), &mut ctx);
        None
    }

    /// An announcement has been heard in a room.
    pub(crate) fn on_announced(&mut self, room: RoomId, play: PlayId, now: Now) {
        let voice = self.shared.announcements.values().find(|one| one.room == room).map(|one| one.voice);
        if let Some(voice) = voice {
            self.announcing(voice, Happens::Played(play), now);
        }
    }
}

/// Documents of one announcement that may follow each other.
const DOCUMENTS_MAX: u32 = 250;
