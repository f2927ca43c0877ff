//! The last of what another leg's encoder said to the peer.
//!
//! A decoder of G.722 adapts to the stream it hears. An encoder of ours that takes over in the middle of a call
//! must have adapted alike, or its first frames come out several times too loud: it is shown what went before.

/// Bytes kept: 200 ms, after which hardly anything is left of how an encoder began.
const KEPT: usize = 1_600;

/// What was relayed since an encoder of ours spoke last.
pub struct Relayed {
    bytes: [u8; KEPT],
    /// How many of them were relayed.
    len: usize,
    /// Where the next one goes.
    next: usize,
}

impl Default for Relayed {
    fn default() -> Relayed {
        Relayed { bytes: [0; KEPT], len: 0, next: 0 }
    }
}

impl std::fmt::Debug for Relayed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Relayed").field("len", &self.len).finish_non_exhaustive()
    }
}

impl Relayed {
    /// This went to the peer.
    pub(crate) fn note(&mut self, payload: &[u8]) {
        let payload = &payload[payload.len().saturating_sub(KEPT)..];
        let (first, rest) = payload.split_at(payload.len().min(KEPT - self.next));
        self.bytes[self.next..self.next + first.len()].copy_from_slice(first);
        self.bytes[..rest.len()].copy_from_slice(rest);
        self.next = (self.next + payload.len()) % KEPT;
        self.len = (self.len + payload.len()).min(KEPT);
    }

    /// Gives it out in its order and forgets it.
    pub(crate) fn take(&mut self, mut give: impl FnMut(&[u8])) {
        let begin = (self.next + KEPT - self.len) % KEPT;
        let first = self.len.min(KEPT - begin);
        give(&self.bytes[begin..begin + first]);
        give(&self.bytes[..self.len - first]);
        self.len = 0;
    }

    /// None of it is to be known any more.
    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_it_comes_out_in_its_order_once() {
        let mut relayed = Relayed::default();
        let take = |relayed: &mut Relayed| {
            let mut all = Vec::new();
            relayed.take(|bytes| all.extend_from_slice(bytes));
            all
        };
        assert!(take(&mut relayed).is_empty());
        let said: Vec<u8> = (0..5_000u32).map(|n| (n % 251) as u8).collect();
        for lengths in [vec![160; 3], vec![160; 10], vec![160; 17], vec![480, 7, 900, 1_600], vec![5_000]] {
            let mut at = 0;
            for len in lengths {
                relayed.note(&said[at..at + len]);
                at += len;
            }
            assert_eq!(take(&mut relayed), said[at.saturating_sub(KEPT)..at], "{at}");
            assert!(take(&mut relayed).is_empty());
        }
    }
}
