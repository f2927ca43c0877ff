//! Where the shell's end of a tap and of a feed is had: by its name, whoever comes first.
//!
//! The media plane makes a ring when it is told to, and whoever listens asks for it when the node says so; neither
//! waits for the other. The first to come leaves the ring for the second.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use media::TapId;
use media::feed::Feed;
use media::tap::{TapFrame, TapRing};

/// Rings that may wait for their second end; the oldest is given up for a newer one.
const WAITING_MAX: usize = 4_096;

/// How often a reader that waits looks again; a frame comes every 20 ms.
const LOOK: Duration = Duration::from_millis(5);

/// The rings of a media plane; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Taps {
    waiting: Arc<Mutex<Waiting>>,
}

#[derive(Debug, Default)]
struct Waiting {
    taps: BTreeMap<TapId, Arc<TapRing>>,
    feeds: BTreeMap<TapId, Arc<Feed>>,
}

impl Taps {
    /// The listener's end of a tap ([`media::Command::Tap`]). To be called once for each; before or after the command.
    pub fn take(&self, tap: TapId) -> TapReader {
        TapReader { ring: self.ring(tap), taps: self.clone(), id: tap }
    }

    /// The maker's end of a feed ([`media::Command::Feed`]). To be called once for each; before or after the command.
    pub fn feed(&self, feed: TapId) -> FeedWriter {
        FeedWriter { ring: self.feed_ring(feed), taps: self.clone(), id: feed }
    }

    /// Nobody will come for these rings any more.
    pub(super) fn forget(&self, id: TapId) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.taps.remove(&id);
        waiting.feeds.remove(&id);
    }

    /// The media plane's end of a tap; a test's, too.
    pub fn ring(&self, tap: TapId) -> Arc<TapRing> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        meet(&mut waiting.taps, tap, TapRing::end)
    }

    /// The media plane's end of a feed.
    pub(crate) fn feed_ring(&self, feed: TapId) -> Arc<Feed> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        meet(&mut waiting.feeds, feed, Feed::end)
    }
}

fn meet<T: Default>(waiting: &mut BTreeMap<TapId, Arc<T>>, id: TapId, give_up: fn(&T)) -> Arc<T> {
    if let Some(ring) = waiting.remove(&id) {
        return ring;
    }
    if waiting.len() >= WAITING_MAX
        && let Some((_, oldest)) = waiting.pop_first()
    {
        give_up(&oldest);
    }
    let ring = Arc::new(T::default());
    waiting.insert(id, ring.clone());
    ring
}

/// Reads a tap's frames.
#[derive(Debug)]
pub struct TapReader {
    ring: Arc<TapRing>,
    taps: Taps,
    id: TapId,
}

impl Drop for TapReader {
    fn drop(&mut self) {
        self.taps.forget(self.id);
    }
}

impl TapReader {
    /// The next frame, if there is one now.
    pub fn try_next(&mut self) -> Option<TapFrame> {
        self.ring.take()
    }

    /// The next frame; `None` when the tap is over. For tasks.
    pub async fn next(&mut self) -> Option<TapFrame> {
        loop {
            // Asked first: what was put in before the end was told is there.
            let is_over = self.ring.is_over();
            if let Some(frame) = self.ring.take() {
                return Some(frame);
            }
            if is_over {
                return None;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The next frame; `None` when the tap is over, or after so long. For threads.
    pub fn next_within(&mut self, patience: Duration) -> Option<TapFrame> {
        let end = Instant::now() + patience;
        loop {
            let is_over = self.ring.is_over();
            if let Some(frame) = self.ring.take() {
                return Some(frame);
            }
            if is_over || Instant::now() >= end {
                return None;
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Whether no frame will come any more beside those that wait.
    pub fn is_over(&self) -> bool {
        self.ring.is_over()
    }

    /// Frames lost because they were not read in time.
    pub fn lost(&self) -> u64 {
        self.ring.lost()
    }
}

/// Says something to a leg's peer. What was put in is played to its end when this is gone.
#[derive(Debug)]
pub struct FeedWriter {
    ring: Arc<Feed>,
    taps: Taps,
    id: TapId,
}

impl Deref for FeedWriter {
    type Target = Feed;

    fn deref(&self) -> &Feed {
        &self.ring
    }
}

impl Drop for FeedWriter {
    fn drop(&mut self) {
        self.ring.finish();
        self.taps.forget(self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_meet_whoever_comes_first() {
        let taps = Taps::default();
        let reader = taps.take(TapId(1));
        taps.ring(TapId(1)).end();
        assert!(reader.is_over());
        let ring = taps.feed_ring(TapId(1));
        let feed = taps.feed(TapId(1));
        feed.put(&[1, 2, 3]);
        assert_eq!(ring.written(), 3);
        let is_empty = || {
            let waiting = taps.waiting.lock().unwrap();
            waiting.taps.is_empty() && waiting.feeds.is_empty()
        };
        assert!(is_empty());
        drop(taps.take(TapId(7)));
        drop(taps.feed(TapId(7)));
        assert!(is_empty(), "nobody waits for what nobody will come for");
    }

    #[test]
    fn rings_nobody_comes_for_are_given_up_from_the_oldest() {
        let taps = Taps::default();
        let readers: Vec<TapReader> = (0..=WAITING_MAX as u64).map(|n| taps.take(TapId(n))).collect();
        assert!(readers[0].is_over() && !readers[1].is_over());
        assert_eq!(taps.waiting.lock().unwrap().taps.len(), WAITING_MAX);
    }
}
