//! Listening who answered, as long as that is not known.

use super::Leg;
use crate::amd::{Amd, AmdSettings};
use crate::engine::{Garbage, Out};
use crate::event::Event;

/// A detection that runs.
#[derive(Debug)]
pub(super) struct Answering {
    amd: Box<Amd>,
    since: u64,
}

impl Leg {
    /// Begins to listen; a detection that runs is forgotten.
    pub(crate) fn detect_machine(&mut self, settings: AmdSettings, now: u64, out: &mut impl Out) {
        let new = Answering { amd: Box::new(Amd::new(settings)), since: now };
        if let Some(old) = self.answering.replace(new) {
            out.retire(Garbage::Amd(old.amd));
        }
    }

    /// What the peer says.
    pub(super) fn hear_answer(&mut self, narrow: &[i16], out: &mut impl Out) {
        let Some(answering) = &mut self.answering else { return };
        if let Some((answered_by, ms)) = answering.amd.feed(narrow) {
            self.knows(answered_by, ms, out);
        }
    }

    /// The detection's turn, every 20 ms.
    pub(super) fn tick_answering(&mut self, now: u64, out: &mut impl Out) {
        let Some(answering) = &mut self.answering else { return };
        let passed = u32::try_from(now.saturating_sub(answering.since) / 1_000_000).unwrap_or(u32::MAX);
        if let Some((answered_by, ms)) = answering.amd.elapsed(passed) {
            self.knows(answered_by, ms, out);
        }
    }

    fn knows(&mut self, answered_by: crate::AnsweredBy, ms: u32, out: &mut impl Out) {
        out.event(Event::AnsweredBy { leg: self.id, answered_by, ms });
        if let Some(answering) = self.answering.take() {
            out.retire(Garbage::Amd(answering.amd));
        }
    }
}
