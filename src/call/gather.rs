//! `<Gather input="dtmf">` (reference: twiml-voice §7).
//!
//! ```text
//! prompting ──key──▶ collecting ──finish key, numDigits, timeout──▶ action, or the next verb
//!     └──all heard──▶ waiting ──key──▶ collecting
//!                        └──timeout──▶ the next verb, or the action with empty Digits
//! ```
//! The timeout runs from the end of the prompts and again from each key. A timeout of 0 does not wait: what
//! was typed during the prompts is all there is.

use std::time::Duration;

use twiml::{After, Gather, GatherResult, Prompt, gather_params};

use crate::call::{Call, Running};
use crate::ctx::Ctx;
use crate::prompt::{Part, Prompting};
use crate::timers::Timer;

/// Digits one `<Gather>` takes; keys beyond are not heard.
const DIGITS_MAX: usize = 1_000;

/// A `<Gather>` that runs.
#[derive(Clone, Debug)]
pub(crate) struct GatherRun {
    gather: Gather,
    digits: String,
    /// The key that ended the input while the prompts were not to be interrupted.
    finished: Option<char>,
    /// Gone once heard, or stopped by a key.
    pub(crate) prompting: Option<Prompting>,
}

impl GatherRun {
    /// Whether the digits so far end the input by their number.
    fn is_full(&self) -> bool {
        self.gather.num_digits.is_some_and(|max| self.digits.len() >= max as usize)
    }
}

impl Call {
    pub(crate) fn begin_gather(&mut self, gather: Gather, ctx: &mut Ctx<'_>) {
        let parts: Vec<Part> = gather.prompts.iter().flat_map(part).collect();
        let prompting = (!parts.is_empty()).then(|| Prompting::begin(self.sid(), parts, ctx));
        let mut run = GatherRun { gather, digits: String::new(), finished: None, prompting };
        let playing = match &mut run.prompting {
            Some(prompting) if prompting.is_ready() => prompting.play(self.row.sid, self.leg.id, ctx),
            Some(_) => true,
            None => false,
        };
        self.running = Running::Gather(run);
        if !playing {
            self.gather_prompted(ctx);
        }
    }

    /// The prompts have been heard, or there are none.
    pub(crate) fn gather_prompted(&mut self, ctx: &mut Ctx<'_>) {
        let Running::Gather(run) = &mut self.running else { return };
        run.prompting = None;
        if let Some(key) = run.finished {
            self.gather_finish(Some(key), ctx);
        } else if run.is_full() || run.gather.timeout_s == 0 {
            self.gather_finish(None, ctx);
        } else {
            let timeout = Duration::from_secs(u64::from(run.gather.timeout_s));
            ctx.timer(self.row.sid, Timer::Gather, timeout);
        }
    }

    pub(crate) fn gather_digit(&mut self, digit: char, ctx: &mut Ctx<'_>) {
        let leg = self.leg.id;
        let Running::Gather(run) = &mut self.running else { return };
        if !run.gather.input.dtmf || run.finished.is_some() {
            return;
        }
        let finish_key = run.gather.finish_on_key == Some(digit);
        if !finish_key && run.digits.len() < DIGITS_MAX && !run.is_full() {
            run.digits.push(digit);
        }
        match &run.prompting {
            // bargeIn="false": keys count, but the prompt is heard to its end.
            Some(_) if !run.gather.barge_in => {
                run.finished = finish_key.then_some(digit);
                return;
            }
            Some(prompting) => {
                let playing = prompting.is_playing();
                run.prompting = None;
                if playing {
                    ctx.media(media::Command::StopPlay { leg });
                }
                ctx.cancel_timer(self.row.sid, Timer::Stuck);
            }
            None => {}
        }
        if finish_key {
            self.gather_finish(Some(digit), ctx);
        } else if run.is_full() {
            self.gather_finish(None, ctx);
        } else {
            // With timeout="0" the keys of one prompt still belong together: a second apart at most.
            let timeout = Duration::from_secs(u64::from(run.gather.timeout_s.max(1)));
            ctx.timer(self.row.sid, Timer::Gather, timeout);
        }
    }

    pub(crate) fn gather_timeout(&mut self, ctx: &mut Ctx<'_>) {
        if matches!(self.running, Running::Gather(_)) {
            self.gather_finish(None, ctx);
        }
    }

    fn gather_finish(&mut self, key: Option<char>, ctx: &mut Ctx<'_>) {
        let Running::Gather(run) = std::mem::replace(&mut self.running, Running::Nothing) else { return };
        ctx.cancel_timer(self.row.sid, Timer::Gather);
        let after = if run.digits.is_empty() && !run.gather.action_on_empty_result {
            After::Next
        } else {
            let result = if run.digits.is_empty() {
                GatherResult::Nothing { finished_on: key }
            } else {
                GatherResult::Digits { digits: run.digits, finished_on: key }
            };
            let params = gather_params(&result, run.gather.input);
            After::Action { url: run.gather.action, method: run.gather.method, params }
        };
        self.verb_done(after, ctx);
    }
}

fn part(prompt: &Prompt) -> Option<Part> {
    match prompt {
        Prompt::Say(say) => Some(Part::say(say)),
        Prompt::Play(play) => Part::play(play),
        Prompt::Pause(pause) => Some(Part::Silence { ms: pause.length_s.saturating_mul(1_000) }),
    }
}
