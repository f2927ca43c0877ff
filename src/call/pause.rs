//! `<Pause>` (reference: twiml-voice §6): silence, or a later answer when it comes first.

use std::time::Duration;

use twiml::Pause;

use crate::call::{Call, Running};
use crate::ctx::Ctx;
use crate::timers::Timer;

impl Call {
    pub(crate) fn begin_pause(&mut self, pause: Pause, ctx: &mut Ctx<'_>) {
        self.running = Running::Pause;
        ctx.timer(self.sid(), Timer::Pause, Duration::from_secs(u64::from(pause.length_s)));
    }
}
