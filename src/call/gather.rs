//! `<Gather>` (reference: twiml-voice §7): keys, words, or whichever comes first.
//!
//! ```text
//! prompting ──key──▶ collecting ──finish key, numDigits, timeout──▶ action, or the next verb
//!     │  └──voice──▶ listening ──words, or none──▶ action, or the next verb
//!     └──all heard──▶ waiting ──key──▶ collecting · ──voice──▶ listening
//!                        └──timeout──▶ the next verb, or the action with empty Digits
//! ```
//! The timeout runs from the end of the prompts and again from each key. A timeout of 0 does not wait: what
//! was typed during the prompts is all there is. Once somebody speaks keys count no more, and the other way round.

use std::time::Duration;

use media::RecordWhat;
use twiml::{
    After, Gather, GatherResult, PartialFacts, Prompt, SpeechTimeout, gather_params, partial_params,
};

use crate::call::{Call, Running};
use crate::ctx::{Asked, Ctx};
use crate::hearing::{Attention, Hearing, decimal};
use crate::io::{HearingId, SpeechNews};
use crate::prompt::{Part, Prompting};
use crate::timers::Timer;

/// Digits one `<Gather>` takes; keys beyond are not heard.
const DIGITS_MAX: usize = 1_000;

/// Beyond the longest utterance, how long understanding it may take.
const UNDERSTOOD_WITHIN_S: u32 = 30;

/// A `<Gather>` that runs.
#[derive(Clone, Debug)]
pub(crate) struct GatherRun {
    gather: Gather,
    digits: String,
    /// The key that ended the input while the prompts were not to be interrupted.
    finished: Option<char>,
    /// Gone once heard, or stopped by a key.
    pub(crate) prompting: Option<Prompting>,
    hearing: Option<Hearing>,
    /// Somebody speaks, or spoke: keys count no more.
    speaking: bool,
    /// Number of the next partial result.
    partials: u32,
}

/// What was collected.
#[derive(Debug)]
enum Collected {
    Nothing(Option<char>),
    Digits(Option<char>),
    Words { text: String, confidence: Option<f32> },
}

impl GatherRun {
    /// Forgets digits that are too few.
    fn forget_few(&mut self) {
        if self.digits.len() < self.gather.min_digits as usize {
            self.digits.clear();
        }
    }

    /// Whether this key, which does not end the input, is not one of those that count.
    fn refuses(&self, digit: char) -> bool {
        self.gather.valid_digits.as_ref().is_some_and(|valid| !valid.contains(digit))
    }

    /// Whether the digits so far end the input by their number.
    fn is_full(&self) -> bool {
        self.gather.num_digits.is_some_and(|max| self.digits.len() >= max as usize)
    }

    /// Whether this is its listening.
    pub(crate) fn hears(&self, id: HearingId) -> bool {
        self.hearing.is_some_and(|hearing| hearing.id == id)
    }

    fn attention(&self) -> Attention {
        let speech = &self.gather.speech;
        let silence_ms = match speech.timeout {
            Some(SpeechTimeout::Auto) => None,
            Some(SpeechTimeout::Seconds(s)) => Some(s.saturating_mul(1_000)),
            None => Some(self.gather.timeout_s.max(1).saturating_mul(1_000)),
        };
        let hints = speech.hints.as_deref().unwrap_or_default().split(',').map(|hint| hint.trim().to_owned());
        Attention {
            language: speech.language.clone(),
            hints: hints.filter(|hint| !hint.is_empty()).collect(),
            silence_ms,
            max_ms: speech.max_s.saturating_mul(1_000),
            profanity_filter: speech.profanity_filter,
            goes_on: false,
        }
    }
}

impl Call {
    pub(crate) fn begin_gather(&mut self, gather: Gather, ctx: &mut Ctx<'_>) {
        let parts: Vec<Part> = gather.prompts.iter().flat_map(part).collect();
        let prompting = (!parts.is_empty()).then(|| Prompting::begin(self.sid(), parts, ctx));
        let mut run = GatherRun {
            gather,
            digits: String::new(),
            finished: None,
            prompting,
            hearing: None,
            speaking: false,
            partials: 0,
        };
        let playing = match &mut run.prompting {
            Some(prompting) if prompting.is_ready() => prompting.play(self.row.sid, self.leg.id, ctx),
            Some(_) => true,
            None => false,
        };
        let interruptible = run.gather.barge_in;
        self.running = Running::Gather(run);
        if playing && interruptible {
            self.gather_listen(ctx);
        }
        if !playing {
            self.gather_prompted(ctx);
        }
    }

    /// Begins to listen for words, if that is wanted and nothing was typed.
    fn gather_listen(&mut self, ctx: &mut Ctx<'_>) {
        let Running::Gather(run) = &self.running else { return };
        if !run.gather.input.speech || run.hearing.is_some() || !run.digits.is_empty() {
            return;
        }
        let hearing = self.listen(RecordWhat::Received, run.attention(), ctx);
        if let Running::Gather(run) = &mut self.running {
            run.hearing = Some(hearing);
        }
    }

    /// The prompts have been heard, or there are none.
    pub(crate) fn gather_prompted(&mut self, ctx: &mut Ctx<'_>) {
        let Running::Gather(run) = &mut self.running else { return };
        run.prompting = None;
        if run.speaking {
            return;
        }
        if let Some(key) = run.finished {
            self.gather_finish(Collected::Digits(Some(key)), ctx);
        } else if run.is_full() || run.gather.timeout_s == 0 {
            self.gather_finish(Collected::Digits(None), ctx);
        } else {
            let timeout = Duration::from_secs(u64::from(run.gather.timeout_s));
            ctx.timer(self.row.sid, Timer::Gather, timeout);
            self.gather_listen(ctx);
        }
    }

    pub(crate) fn gather_digit(&mut self, digit: char, ctx: &mut Ctx<'_>) {
        let leg = self.leg.id;
        let Running::Gather(run) = &mut self.running else { return };
        if !run.gather.input.dtmf || run.finished.is_some() || run.speaking {
            return;
        }
        let finish_key = run.gather.finish_on_key == Some(digit);
        if finish_key && run.digits.len() < run.gather.min_digits as usize {
            return;
        }
        if !finish_key && run.refuses(digit) {
            // Whoever asked to be told of such a key is told of that one alone.
            let Some(action) = run.gather.invalid_digits_action.take() else { return };
            run.gather.action = Some(action);
            (run.gather.num_digits, run.gather.min_digits) = (Some(1), 0);
            run.digits.clear();
        }
        if !finish_key && run.digits.len() < DIGITS_MAX && !run.is_full() {
            run.digits.push(digit);
        }
        // The first kind of input wins.
        let hearing = run.hearing.take();
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
        let (is_full, timeout_s) = (run.is_full(), run.gather.timeout_s);
        if let Some(hearing) = hearing {
            self.stop_listening(hearing, ctx);
        }
        if finish_key {
            self.gather_finish(Collected::Digits(Some(digit)), ctx);
        } else if is_full {
            self.gather_finish(Collected::Digits(None), ctx);
        } else {
            // With timeout="0" the keys of one prompt still belong together: a second apart at most.
            let timeout = Duration::from_secs(u64::from(timeout_s.max(1)));
            ctx.timer(self.row.sid, Timer::Gather, timeout);
        }
    }

    /// Something was heard of what somebody says.
    pub(crate) fn gather_heard(&mut self, news: SpeechNews, ctx: &mut Ctx<'_>) {
        let leg = self.leg.id;
        let Running::Gather(run) = &mut self.running else { return };
        match news {
            SpeechNews::Began => {
                run.speaking = true;
                if run.prompting.take().is_some_and(|prompting| prompting.is_playing()) {
                    ctx.media(media::Command::StopPlay { leg });
                }
                ctx.cancel_timer(self.row.sid, Timer::Stuck);
                let patience = run.gather.speech.max_s.saturating_add(UNDERSTOOD_WITHIN_S);
                ctx.timer(self.row.sid, Timer::Gather, Duration::from_secs(u64::from(patience)));
            }
            SpeechNews::Partial { stable, unstable, stability } => {
                self.gather_partial(stable, unstable, stability, ctx);
            }
            SpeechNews::Said { text, confidence } => {
                let collected = match text.is_empty() {
                    true => Collected::Nothing(None),
                    false => Collected::Words { text, confidence },
                };
                self.gather_finish(collected, ctx);
            }
            // Nobody will be understood: as if nothing had been said (reference: twiml-voice §3).
            SpeechNews::Failed { .. } if run.speaking => self.gather_finish(Collected::Nothing(None), ctx),
            SpeechNews::Failed { .. } => {
                if let Some(hearing) = run.hearing.take() {
                    self.stop_listening(hearing, ctx);
                }
            }
        }
    }

    fn gather_partial(&mut self, stable: String, unstable: String, stability: f32, ctx: &mut Ctx<'_>) {
        let Running::Gather(run) = &mut self.running else { return };
        let Some(callback) = run.gather.speech.partial_result_callback.clone() else { return };
        let language = run.gather.speech.language.clone();
        let params = partial_params(
            &self.facts,
            &PartialFacts {
                stable,
                unstable,
                stability: decimal(stability),
                sequence: run.partials,
                language,
            },
        );
        run.partials += 1;
        ctx.fetch(self.sid(), Asked::Callback, callback.url, callback.method, params);
    }

    /// No key came in time: too few are none.
    pub(crate) fn gather_timeout(&mut self, ctx: &mut Ctx<'_>) {
        if let Running::Gather(run) = &mut self.running {
            run.forget_few();
            self.gather_finish(Collected::Digits(None), ctx);
        }
    }

    /// The call is over: nobody listens any more.
    pub(crate) fn gather_abandoned(&mut self, ctx: &mut Ctx<'_>) {
        let Running::Gather(run) = std::mem::replace(&mut self.running, Running::Nothing) else { return };
        if let Some(hearing) = run.hearing {
            self.stop_listening(hearing, ctx);
        }
    }

    fn gather_finish(&mut self, collected: Collected, ctx: &mut Ctx<'_>) {
        let Running::Gather(run) = std::mem::replace(&mut self.running, Running::Nothing) else { return };
        ctx.cancel_timer(self.row.sid, Timer::Gather);
        if let Some(hearing) = run.hearing {
            self.stop_listening(hearing, ctx);
        }
        let gather = run.gather;
        let result = match collected {
            Collected::Words { text, confidence } => GatherResult::Speech {
                text,
                confidence: confidence.map(decimal),
                language: Some(gather.speech.language),
            },
            Collected::Digits(finished_on) if !run.digits.is_empty() => {
                GatherResult::Digits { digits: run.digits, finished_on }
            }
            Collected::Digits(finished_on) | Collected::Nothing(finished_on) => {
                GatherResult::Nothing { finished_on }
            }
        };
        let is_nothing = matches!(result, GatherResult::Nothing { .. });
        let after = if is_nothing && !gather.action_on_empty_result {
            After::Next
        } else {
            let params = gather_params(&result, gather.input);
            After::Action { url: gather.action, method: gather.method, params }
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
