//! `<Say>` and `<Play>` (reference: twiml-voice §4, §5), and the apology when an application is broken.

use media::PlayId;
use twiml::{After, Play, PlaySource, Say};

use crate::call::{Call, Running};
use crate::ctx::Ctx;
use crate::io::BuiltinSound;
use crate::prompt::{Part, Prompting, times};
use crate::record::EventKind;

/// What a `<Say>` or `<Play>` is doing.
#[derive(Clone, Debug)]
pub(crate) enum PlayRun {
    /// A sound is made ready or heard.
    Sound(Prompting),
    /// `<Play digits>`.
    Digits(PlayId),
}

/// Keys of one `<Play digits>` with all its repetitions: more than a quarter of an hour of them.
const KEYS_MAX: usize = 4_000;

impl PlayRun {
    pub(crate) fn prompting(&mut self) -> Option<&mut Prompting> {
        match self {
            PlayRun::Sound(prompting) => Some(prompting),
            PlayRun::Digits(_) => None,
        }
    }

    /// Whether these are the digits being sent.
    pub(crate) fn sends(&self, play: PlayId) -> bool {
        matches!(self, PlayRun::Digits(ours) if *ours == play)
    }
}

impl Call {
    pub(crate) fn begin_say(&mut self, say: Say, ctx: &mut Ctx<'_>) {
        if say.text.is_empty() {
            self.verb_done(After::Next, ctx);
            return;
        }
        let prompting = Prompting::begin(self.sid(), vec![Part::say(&say)], ctx);
        self.running = Running::Play(PlayRun::Sound(prompting));
    }

    pub(crate) fn begin_play(&mut self, play: Play, ctx: &mut Ctx<'_>) {
        match (&play.source, Part::play(&play)) {
            (_, Some(part)) => {
                let prompting = Prompting::begin(self.sid(), vec![part], ctx);
                self.running = Running::Play(PlayRun::Sound(prompting));
            }
            (PlaySource::Digits(digits), None) => {
                let id = ctx.next_play();
                let count = digits.len().saturating_mul(times(play.loop_) as usize).min(KEYS_MAX);
                let digits = digits.chars().cycle().take(count).collect();
                self.running = Running::Play(PlayRun::Digits(id));
                self.send_digits(id, digits, ctx);
            }
            (PlaySource::Url(_) | PlaySource::Answer(_), None) => self.verb_done(After::Next, ctx),
        }
    }

    /// Nothing that could decide about this call can be had: say so, then hang up. Never silence.
    pub(crate) fn apologise(&mut self, code: u32, ctx: &mut Ctx<'_>) {
        if self.leg.is_up() {
            self.trace(EventKind::Decision, format!("{code}: no document left, apologising"), ctx);
            let prompting =
                Prompting::begin(self.sid(), vec![Part::builtin(BuiltinSound::ApplicationError)], ctx);
            self.running = Running::Apology(prompting);
        } else {
            self.running = Running::AnsweringToApologise { code };
            self.answer(ctx);
        }
    }
}
