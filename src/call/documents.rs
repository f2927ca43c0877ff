//! How fast the documents of a call follow each other.

use base::Mono;

use crate::call::Call;
use crate::ctx::Ctx;

/// How many documents a call asked for in the last while.
///
/// The interpreter counts redirects; documents can also chase each other through the actions of verbs that take
/// no time, such as a `<Dial>` of nobody. Neither a call nor the web server is to spin (error 11215).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Documents {
    since: Mono,
    count: u32,
}

impl Documents {
    /// Beyond what the interpreter itself lets redirects do.
    const MAX: u32 = 250;
    const WHILE: std::time::Duration = std::time::Duration::from_secs(10);

    /// Counts one more; true when they are too many.
    fn is_running_wild(&mut self, now: Mono) -> bool {
        if now.since(self.since) > Self::WHILE {
            *self = Self { since: now, count: 0 };
        }
        self.count += 1;
        // The one after the first too many is the fallback's chance to do better.
        self.count > Self::MAX && self.count != Self::MAX + 2
    }
}

impl Call {
    /// Counts one more document; true when they follow each other too fast.
    pub(crate) fn asks_too_often(&mut self, ctx: &Ctx<'_>) -> bool {
        self.documents.is_running_wild(ctx.now.mono)
    }
}
