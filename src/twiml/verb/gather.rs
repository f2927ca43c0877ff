//! `<Gather>` (reference: twiml-voice §7).

use serde::{Deserialize, Serialize};

use super::{Pause, Play, Say};
use crate::HttpMethod;

/// Collect digits or speech while prompting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gather {
    /// Requested with what was collected; `None` = the current document.
    pub action: Option<String>,
    /// How the action is requested.
    pub method: HttpMethod,
    /// Seconds of silence before the first and between two digits; counted from the end of the prompts.
    pub timeout_s: u32,
    /// Ends the input and is not part of it; `None` = no such key.
    pub finish_on_key: Option<char>,
    /// Submit as soon as so many digits arrived; `None` = no limit.
    pub num_digits: Option<u32>,
    /// Request the action even when nothing was entered.
    pub action_on_empty_result: bool,
    /// A key or a word stops the prompts.
    pub barge_in: bool,
    /// What is listened for.
    pub input: GatherInput,
    /// How speech is recognised.
    pub speech: SpeechOptions,
    /// What is played meanwhile, in order.
    pub prompts: Vec<Prompt>,
}

/// What `<Gather>` listens for; at least one is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatherInput {
    /// Keys.
    pub dtmf: bool,
    /// Words.
    pub speech: bool,
}

/// The attributes of `<Gather>` that concern speech.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpeechOptions {
    /// Silence that ends an utterance; `None` = the gather's timeout.
    pub timeout: Option<SpeechTimeout>,
    /// Upper bound of an utterance, seconds.
    pub max_s: u32,
    /// BCP-47 or engine tag.
    pub language: String,
    /// Words to expect, comma separated.
    pub hints: Option<String>,
    /// Mask profanities with `*`.
    pub profanity_filter: bool,
    /// The recogniser's model by its published name.
    pub model: String,
    /// Where unfinished results are told.
    pub partial_result_callback: Option<PartialResultCallback>,
}

/// `speechTimeout`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SpeechTimeout {
    /// The recogniser decides.
    Auto,
    /// Seconds.
    Seconds(u32),
}

/// `partialResultCallback` with its method.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartialResultCallback {
    /// The receiver.
    pub url: String,
    /// How.
    pub method: HttpMethod,
}

/// A verb nested in `<Gather>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Prompt {
    /// Speak.
    Say(Say),
    /// Play a file (never digits).
    Play(Play),
    /// Wait.
    Pause(Pause),
}
