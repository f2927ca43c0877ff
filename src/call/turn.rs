//! Calls that are asked for ring in turn (reference: rest-voice §5.1): a carrier takes so many a second, and somebody may
//! want to be called a little later. What documents dial does not wait, nor does an emergency.
//!
//! ```text
//! asked for ──its delay──▶ in the line of its first trunk ──its turn──▶ a port, the INVITE
//!                                       └── too long ──▶ failed, 15002
//! ```
//! Meanwhile it is `queued`; how long that took is its queue time.

use std::collections::BTreeMap;
use std::time::Duration;

use base::{CallSid, Mono};

use crate::call::Call;
use crate::ctx::Ctx;
use crate::outcome::Cause;
use crate::record::StoreItem;
use crate::timers::Timer;

/// A call of ours that does not ring yet.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    /// When it was asked for.
    pub(crate) since: Mono,
    /// How long it is to wait before it goes into line.
    pub(crate) delay: Duration,
    /// How long it may ring then.
    pub(crate) ring: Duration,
    pub(crate) in_line: bool,
}

/// The line of each trunk. Bounded by the calls and the trunks there are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lines {
    trunks: BTreeMap<String, Line>,
    places: BTreeMap<CallSid, (String, u64)>,
    /// Places given so far.
    given: u64,
}

#[derive(Clone, Debug)]
struct Line {
    /// When it takes another one.
    free: Mono,
    waiting: BTreeMap<u64, CallSid>,
}

/// Who is in front of a line, and when it is its turn.
type Front = Option<(CallSid, Mono)>;

impl Lines {
    /// A call comes to a trunk: its turn is now, or it waits; in front of the line it has a time.
    pub(crate) fn come(&mut self, trunk: &str, call: CallSid, gap: Duration, now: Mono) -> Result<(), Front> {
        self.trunks.retain(|_, line| line.free > now || !line.waiting.is_empty());
        let line = self.trunks.entry(trunk.to_owned());
        let line = line.or_insert(Line { free: now, waiting: BTreeMap::new() });
        if line.waiting.is_empty() && line.free <= now {
            line.free = now + gap;
            return Ok(());
        }
        self.given += 1;
        line.waiting.insert(self.given, call);
        self.places.insert(call, (trunk.to_owned(), self.given));
        Err((line.waiting.len() == 1).then_some((call, line.free)))
    }

    /// It is the turn of the one in front: who is next.
    pub(crate) fn go(&mut self, call: CallSid, gap: Duration, now: Mono) -> Front {
        if let Some((trunk, _)) = self.places.get(&call)
            && let Some(line) = self.trunks.get_mut(trunk)
        {
            line.free = now + gap;
        }
        self.take_out(call, true)
    }

    /// A call waits no more: who is in front now, if that changes.
    pub(crate) fn leave(&mut self, call: CallSid) -> Front {
        self.take_out(call, false)
    }

    fn take_out(&mut self, call: CallSid, goes: bool) -> Front {
        let (trunk, place) = self.places.remove(&call)?;
        let line = self.trunks.get_mut(&trunk)?;
        let was_first = goes || line.waiting.first_key_value().is_some_and(|(first, _)| *first == place);
        line.waiting.remove(&place);
        let (_, next) = line.waiting.first_key_value().filter(|_| was_first)?;
        Some((*next, line.free))
    }
}

impl Call {
    /// It rings, now or when it is its turn.
    pub(crate) fn come_in_turn(&mut self, ctx: &mut Ctx<'_>) {
        let delay = self.outbound.as_ref().and_then(|outbound| outbound.waiting.as_ref()).map(|w| w.delay);
        match delay {
            Some(delay) if delay > Duration::ZERO => ctx.timer(self.sid(), Timer::Turn, delay),
            Some(_) | None => self.get_in_line(ctx),
        }
    }

    fn get_in_line(&mut self, ctx: &mut Ctx<'_>) {
        let sid = self.sid();
        let Some((trunk, gap)) = self.gap(ctx) else { return self.rings_now(ctx) };
        let Err(front) = ctx.shared.lines.come(&trunk, sid, gap, ctx.now.mono) else {
            return self.rings_now(ctx);
        };
        if let Some(waiting) = self.outbound.as_mut().and_then(|outbound| outbound.waiting.as_mut()) {
            waiting.in_line = true;
        }
        ctx.timer(sid, Timer::Queue, QUEUE_MAX);
        wake(front, ctx);
    }

    /// The trunk whose line it stands in, and the time between two calls there.
    fn gap(&self, ctx: &Ctx<'_>) -> Option<(String, Duration)> {
        let outbound = self.outbound.as_ref()?;
        outbound.waiting.as_ref()?;
        let way = outbound.ways.first().filter(|way| !way.unlimited)?;
        let trunk = ctx.office.trunks.get(way.trunk.as_ref()?)?;
        let gap = Duration::from_millis(u64::from(trunk.calls_gap_ms));
        (gap > Duration::ZERO).then(|| (trunk.name.clone(), gap))
    }

    /// Its delay is over, or it is its turn.
    pub(crate) fn turn_due(&mut self, ctx: &mut Ctx<'_>) {
        let waiting = self.outbound.as_ref().and_then(|outbound| outbound.waiting.as_ref());
        match waiting.map(|waiting| waiting.in_line) {
            Some(true) => {
                // A configuration read meanwhile may have taken the limit away.
                let gap = self.gap(ctx).map_or(Duration::ZERO, |(_, gap)| gap);
                let next = ctx.shared.lines.go(self.sid(), gap, ctx.now.mono);
                wake(next, ctx);
                self.rings_now(ctx);
            }
            Some(false) => self.get_in_line(ctx),
            None => {}
        }
    }

    /// It waited longer than anybody wants to be called after.
    pub(crate) fn turn_overdue(&mut self, ctx: &mut Ctx<'_>) {
        self.end(Cause::Overdue, ctx);
    }

    /// It is over, whether it waited or not.
    pub(crate) fn leave_line(&mut self, ctx: &mut Ctx<'_>) {
        let sid = self.sid();
        if let Some(waiting) = self.outbound.as_mut().and_then(|outbound| outbound.waiting.take()) {
            self.row.queue_time_ms = milliseconds(ctx.now.mono.since(waiting.since));
        }
        let next = ctx.shared.lines.leave(sid);
        wake(next, ctx);
    }

    fn rings_now(&mut self, ctx: &mut Ctx<'_>) {
        let sid = self.sid();
        let Some(outbound) = &mut self.outbound else { return };
        let (near, asleep) = (outbound.near, outbound.asleep.is_some());
        if let Some(waiting) = outbound.waiting.take() {
            ctx.cancel_timer(sid, Timer::Queue);
            ctx.timer(sid, Timer::DialRing, waiting.ring);
            self.row.queue_time_ms = milliseconds(ctx.now.mono.since(waiting.since));
            if self.row.queue_time_ms > 0 {
                ctx.store(StoreItem::Call(self.row.clone()));
            }
        }
        if !asleep {
            self.open_media(near, ctx);
        }
    }
}

/// Whoever is in front of a line is told when its turn is.
fn wake(front: Front, ctx: &mut Ctx<'_>) {
    if let Some((call, at)) = front {
        ctx.shared.timers.set(call, Timer::Turn, at.max(ctx.now.mono));
    }
}

fn milliseconds(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}

/// The longest a call waits for its turn.
const QUEUE_MAX: Duration = Duration::from_secs(3_600);

#[cfg(test)]
mod tests {
    use super::*;

    const GAP: Duration = Duration::from_millis(500);

    fn at(ms: u64) -> Mono {
        Mono(ms * 1_000_000)
    }

    #[test]
    fn a_trunk_takes_them_one_after_the_other() {
        let mut lines = Lines::default();
        assert_eq!(lines.come("a", CallSid(1), GAP, at(0)), Ok(()));
        assert_eq!(lines.come("b", CallSid(9), GAP, at(0)), Ok(()));
        assert_eq!(lines.come("a", CallSid(2), GAP, at(0)), Err(Some((CallSid(2), at(500)))));
        assert_eq!(lines.come("a", CallSid(3), GAP, at(100)), Err(None));
        assert_eq!(lines.go(CallSid(2), GAP, at(500)), Some((CallSid(3), at(1_000))));
        assert_eq!(lines.go(CallSid(3), GAP, at(1_000)), None);
        assert_eq!(lines.come("a", CallSid(4), GAP, at(1_400)), Err(Some((CallSid(4), at(1_500)))));
        assert_eq!(lines.go(CallSid(4), GAP, at(1_500)), None);
        assert_eq!(lines.come("a", CallSid(5), GAP, at(2_000)), Ok(()));
    }

    #[test]
    fn who_leaves_lets_the_next_one_come_forward() {
        let mut lines = Lines::default();
        assert_eq!(lines.come("a", CallSid(1), GAP, at(0)), Ok(()));
        for call in 2..=4 {
            let _ = lines.come("a", CallSid(call), GAP, at(0));
        }
        assert_eq!(lines.leave(CallSid(3)), None, "it was not in front");
        assert_eq!(lines.leave(CallSid(2)), Some((CallSid(4), at(500))));
        assert_eq!(lines.leave(CallSid(4)), None);
        assert_eq!(lines.leave(CallSid(4)), None);
        assert!(lines.places.is_empty());
        assert_eq!(lines.come("b", CallSid(5), GAP, at(500)), Ok(()));
        assert_eq!(lines.trunks.len(), 1, "a line nobody stands in is forgotten");
    }
}
