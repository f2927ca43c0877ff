//! `<Echo>` (reference: twiml-voice §16): the caller hears what it says, until it hangs up.

use crate::call::{Call, Running};
use crate::ctx::Ctx;

impl Call {
    pub(crate) fn begin_echo(&mut self, ctx: &mut Ctx<'_>) {
        self.running = Running::Echo;
        ctx.media(media::Command::Echo { leg: self.leg.id });
    }
}
