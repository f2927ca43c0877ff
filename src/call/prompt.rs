//! What one caller is to hear: sounds made ready first, then played in one go.
//!
//! All sounds of a prompt are asked for at once and playing starts when the last one is ready, so that there
//! is no gap inside a prompt. A sound that cannot be had is left out (DESIGN: "the verb is over; the next
//! runs").

use std::collections::BTreeSet;
use std::time::Duration;

use base::CallSid;
use media::{ClipKey, LegId, PlayId, PlayItem, RoomId};
use serde::{Deserialize, Serialize};
use twiml::{After, Finding, Play, PlaySource, Say};

use crate::call::{Call, Running};
use crate::ctx::Ctx;
use crate::io::{BuiltinSound, SoundSource};
use crate::timers::Timer;

/// Repetitions that `loop="0"` stands for (reference: twiml-voice §4, §5).
pub(crate) const LOOPS_MAX: u32 = 1_000;

/// One piece of a prompt.
#[derive(Clone, Debug)]
pub(crate) enum Part {
    Sound { key: ClipKey, source: SoundSource, times: u32 },
    Silence { ms: u32 },
}

/// A prompt on its way.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Prompting {
    items: Vec<(PlayItem, u32)>,
    waiting: BTreeSet<ClipKey>,
    broken: BTreeSet<ClipKey>,
    play: Option<PlayId>,
}

impl Part {
    pub(crate) fn say(say: &Say) -> Part {
        let spoken = say.ssml.as_ref().unwrap_or(&say.text);
        let key = ClipKey(format!("say:{}:{}:{spoken}", say.voice, say.language));
        let source = SoundSource::Speech {
            text: say.text.clone(),
            ssml: say.ssml.clone(),
            voice: say.voice.clone(),
            language: say.language.clone(),
        };
        Part::Sound { key, source, times: times(say.loop_) }
    }

    /// `None` for `<Play digits>`, which is not a sound.
    pub(crate) fn play(play: &Play) -> Option<Part> {
        match &play.source {
            PlaySource::Url(url) => Some(Part::Sound {
                key: ClipKey(format!("url:{url}")),
                source: SoundSource::Url(url.clone()),
                times: times(play.loop_),
            }),
            PlaySource::Answer(answer) => Some(Part::Sound {
                key: ClipKey(format!("answer:{}:{}", answer.digest, answer.url)),
                source: SoundSource::Answer {
                    content_type: answer.content_type.clone(),
                    body: answer.body.clone(),
                },
                times: times(play.loop_),
            }),
            PlaySource::Digits(_) => None,
        }
    }

    pub(crate) fn builtin(sound: BuiltinSound) -> Part {
        let key = match sound {
            BuiltinSound::ApplicationError => "builtin:application-error",
            BuiltinSound::HoldMusic => "builtin:hold-music",
        };
        // Music goes on until it is stopped.
        let times = if sound == BuiltinSound::HoldMusic { 0 } else { 1 };
        Part::Sound { key: ClipKey(key.to_owned()), source: SoundSource::Builtin(sound), times }
    }
}

/// How often that is.
pub(crate) fn times(loop_: u32) -> u32 {
    if loop_ == 0 { LOOPS_MAX } else { loop_.min(LOOPS_MAX) }
}

impl Prompting {
    /// Asks for all sounds of the prompt.
    pub(crate) fn begin(call: CallSid, parts: Vec<Part>, ctx: &mut Ctx<'_>) -> Self {
        let mut prompting =
            Self { items: Vec::new(), waiting: BTreeSet::new(), broken: BTreeSet::new(), play: None };
        for part in parts {
            match part {
                Part::Sound { key, source, times } => {
                    if prompting.waiting.insert(key.clone()) {
                        ctx.prepare(call, &key, source);
                    }
                    prompting.items.push((PlayItem::Clip(key), times));
                }
                Part::Silence { ms } => prompting.items.push((PlayItem::Silence { ms }, 1)),
            }
        }
        if !prompting.waiting.is_empty() {
            ctx.timer(call, Timer::Stuck, SOUND_OVERDUE);
        }
        prompting
    }

    /// Notes that a sound is ready, or never will be; true when the last one awaited has come.
    pub(crate) fn on_sound(&mut self, key: &ClipKey, good: bool) -> bool {
        let awaited = self.waiting.remove(key);
        if awaited && !good {
            self.broken.insert(key.clone());
        }
        awaited && self.waiting.is_empty() && self.play.is_none()
    }

    /// Whether it cannot be played for want of this sound.
    pub(crate) fn awaits(&self, key: &ClipKey) -> bool {
        self.waiting.contains(key)
    }

    /// Whether all sounds have come and nothing plays yet.
    pub(crate) fn is_ready(&self) -> bool {
        self.waiting.is_empty() && self.play.is_none()
    }

    /// Starts playing; false when nothing is left to play.
    pub(crate) fn play(&mut self, call: CallSid, leg: LegId, ctx: &mut Ctx<'_>) -> bool {
        let Some((play, items, repeat)) = self.ready(call, ctx) else { return false };
        ctx.media(media::Command::Play { leg, play, items, repeat });
        true
    }

    /// Likewise, to everybody in a room.
    pub(crate) fn announce(&mut self, voice: CallSid, room: RoomId, ctx: &mut Ctx<'_>) -> bool {
        let Some((play, items, repeat)) = self.ready(voice, ctx) else { return false };
        ctx.media(media::Command::Announce { room, play: Some(play), items, repeat });
        true
    }

    /// What there is to play, and how often.
    fn ready(&mut self, call: CallSid, ctx: &mut Ctx<'_>) -> Option<(PlayId, Vec<PlayItem>, u32)> {
        ctx.cancel_timer(call, Timer::Stuck);
        let broken = &self.broken;
        let whole = |item: &PlayItem| !matches!(item, PlayItem::Clip(key) if broken.contains(key));
        self.items.retain(|(item, _)| whole(item));
        if self.items.is_empty() {
            return None;
        }
        let play = ctx.next_play();
        // One item alone repeats in the media plane; several are written out, each as often as it says.
        let (items, repeat) = match self.items.as_slice() {
            [(item, times)] => (vec![item.clone()], *times),
            several => {
                let written =
                    several.iter().flat_map(|(item, n)| std::iter::repeat_n(item.clone(), *n as usize));
                (written.take(ITEMS_MAX).collect(), 1)
            }
        };
        self.play = Some(play);
        Some((play, items, repeat))
    }

    /// Whether this is the play it waits for.
    pub(crate) fn is(&self, play: PlayId) -> bool {
        self.play == Some(play)
    }

    /// Whether it is being heard.
    pub(crate) fn is_playing(&self) -> bool {
        self.play.is_some()
    }

    /// The sounds it still waits for.
    pub(crate) fn waiting(&self) -> Vec<ClipKey> {
        self.waiting.iter().cloned().collect()
    }
}

/// What follows once a prompt has been heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Prompted {
    /// The next verb: it was all of this one.
    VerbOver,
    /// The caller's turn.
    Gathers,
    /// The callee still rings.
    Rings,
    /// The call's end.
    CallOver,
}

impl Running {
    /// The prompt of the verb that runs, if it has one, and what follows it.
    pub(crate) fn prompt(&mut self) -> Option<(&mut Prompting, Prompted)> {
        match self {
            Running::Play(run) => run.prompting().map(|prompting| (prompting, Prompted::VerbOver)),
            Running::Gather(run) => run.prompting.as_mut().map(|prompting| (prompting, Prompted::Gathers)),
            Running::Apology(prompting) => Some((prompting, Prompted::CallOver)),
            Running::Dial(run) => run.prompting().map(|prompting| (prompting, Prompted::Rings)),
            Running::Nothing
            | Running::Answering(_)
            | Running::AnsweringToApologise { .. }
            | Running::Pause
            | Running::Record(_)
            | Running::Connect(_)
            | Running::Echo
            | Running::Refer(_)
            | Running::Conference(_)
            | Running::Enqueue(_)
            | Running::Dequeue(_) => None,
        }
    }

    /// The prompt alone.
    pub(crate) fn prompting(&mut self) -> Option<&mut Prompting> {
        self.prompt().map(|(prompting, _)| prompting)
    }
}

impl Call {
    /// The prompt of what is heard: of the wait document while there is one.
    pub(crate) fn prompting(&mut self) -> Option<&mut Prompting> {
        match &mut self.wait {
            Some(wait) => wait.running.prompting(),
            None => self.running.prompting(),
        }
    }

    /// Tells why a sound cannot be had; true when the document ends with it, or else it is left out.
    pub(crate) fn sound_failed(&mut self, key: &ClipKey, code: u32, why: &str, ctx: &mut Ctx<'_>) -> bool {
        let nested = matches!(self.running, Running::Gather(_));
        let code = if nested && code == NOT_PLAYABLE { NESTED_NOT_PLAYABLE } else { code };
        let in_verb = nested || matches!(self.running, Running::Play(_));
        let awaited = self.running.prompting().is_some_and(|prompting| prompting.awaits(key));
        if !(in_verb && awaited && ends_document(code)) {
            let message = format!("a sound cannot be had and is left out: {why}");
            match self.interpreter.as_ref().filter(|_| in_verb && awaited) {
                Some(interpreter) => {
                    let finding = interpreter.placed(Finding { message, ..Finding::unplaced(code, "") });
                    let url = interpreter.document_url().map(twiml::shown);
                    self.notify(&finding, url, ctx);
                }
                None => self.warn(code, message, ctx),
            }
            return false;
        }
        ctx.cancel_timer(self.row.sid, Timer::Stuck);
        if nested {
            self.gather_abandoned(ctx);
        }
        self.verb_done(After::Error(Finding::unplaced(code, why)), ctx);
        true
    }
}

/// Whether this is wrong with the document and not only with a sound of it (reference: twiml-voice §1.3).
pub(crate) fn ends_document(code: u32) -> bool {
    matches!(code, NOT_PLAYABLE | NESTED_NOT_PLAYABLE)
}

/// Media could not be fetched (reference: twiml-voice §5).
pub(crate) const SOUND_FAILED: u32 = 11200;
/// What was fetched is no audio that can be played; and its number within `<Gather>`.
const NOT_PLAYABLE: u32 = 13420;
const NESTED_NOT_PLAYABLE: u32 = 13325;

/// Items of one play; more than anyone will listen to.
const ITEMS_MAX: usize = 4_000;

/// Longer than the shell takes to give a sound up.
const SOUND_OVERDUE: Duration = Duration::from_secs(40);
