//! Where payloads wait: a ring of bytes, and for each of the last sequence numbers where its payload lies.
//!
//! Payloads are written one behind the other in the order they come. Nothing is ever freed: what the writer has
//! run over is found to be gone when it is asked for. Order of play is nearly order of arrival, so only what
//! waited too long is run over.

use super::timeline::Place;
use crate::codec::CodecKind;

/// Packets told apart at a time: 320 ms of 10 ms packets.
const PACKETS_MAX: usize = 32;

/// Bytes of payloads at a time: 320 ms of a codec with 64 kbit/s.
const BYTES_64K: usize = 2_560;
/// 200 ms of Opus at 160 kbit/s, 256 ms of 16-bit samples at 8 kHz.
const BYTES: usize = 4_096;
/// 256 ms of 16-bit samples at 16 kHz.
const BYTES_WIDE: usize = 8_192;

/// A packet that waits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting {
    pub(super) place: Place,
    pub(super) arrival: i64,
    /// Where the payload lies, counted from the first byte ever written.
    start: u64,
    len: u16,
    pub(super) duration: u16,
    pub(super) is_comfort: bool,
}

#[derive(Debug)]
pub(super) struct Store {
    slots: Box<[Option<Waiting>]>,
    bytes: Box<[u8]>,
    /// Bytes ever written.
    written: u64,
}

impl Store {
    /// Room for some 200 ms and what comes early.
    pub(super) fn new(codec: CodecKind) -> Store {
        let bytes = match codec {
            CodecKind::Pcmu | CodecKind::Pcma | CodecKind::G722 => BYTES_64K,
            CodecKind::Opus | CodecKind::L16Narrow => BYTES,
            CodecKind::L16Wide => BYTES_WIDE,
        };
        Store { slots: vec![None; PACKETS_MAX].into(), bytes: vec![0; bytes].into(), written: 0 }
    }

    /// Whether a payload so long is ever kept.
    pub(super) fn fits(&self, payload: &[u8]) -> bool {
        payload.len() <= self.bytes.len() / 2
    }

    /// Keeps a packet. The caller has made sure that it [`Store::fits`].
    pub(super) fn put(
        &mut self,
        place: Place,
        arrival: i64,
        duration: u16,
        is_comfort: bool,
        payload: &[u8],
    ) {
        let size = self.bytes.len();
        let at = (self.written % size as u64) as usize;
        // A payload lies in one piece.
        let at = if at + payload.len() > size {
            self.written += (size - at) as u64;
            0
        } else {
            at
        };
        self.bytes[at..at + payload.len()].copy_from_slice(payload);
        let start = self.written;
        self.written += payload.len() as u64;
        let len = payload.len() as u16;
        self.slots[slot(place.sequence)] = Some(Waiting { place, arrival, start, len, duration, is_comfort });
    }

    /// The packet of this number if it waits.
    pub(super) fn get(&self, sequence: i64) -> Option<Waiting> {
        self.slots[slot(sequence)]
            .filter(|w| w.place.sequence == sequence && self.written - w.start <= self.bytes.len() as u64)
    }

    /// The first packet in `from..=to`.
    pub(super) fn first(&self, from: i64, to: i64) -> Option<Waiting> {
        let from = from.max(to - PACKETS_MAX as i64 + 1);
        (from..=to).find_map(|sequence| self.get(sequence))
    }

    /// Its payload.
    pub(super) fn payload(&self, waiting: &Waiting) -> &[u8] {
        let at = (waiting.start % self.bytes.len() as u64) as usize;
        &self.bytes[at..at + usize::from(waiting.len)]
    }

    pub(super) fn remove(&mut self, sequence: i64) {
        self.slots[slot(sequence)].take_if(|w| w.place.sequence == sequence);
    }

    pub(super) fn clear(&mut self) {
        self.slots.fill(None);
    }

    /// Bytes it takes in memory.
    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.slots) + size_of_val(&*self.bytes)
    }
}

fn slot(sequence: i64) -> usize {
    (sequence & (PACKETS_MAX as i64 - 1)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(sequence: i64) -> Place {
        Place { sequence, timestamp: 0 }
    }

    #[test]
    fn what_was_put_is_found_until_it_is_run_over() {
        let mut store = Store::new(CodecKind::L16Narrow);
        for n in 0..200 {
            let payload = vec![n as u8; 150 + n as usize % 20];
            store.put(place(n), 0, 160, false, &payload);
            let kept = (0..=n).filter(|&k| store.get(k).is_some()).count() as i64;
            assert!(kept >= (n + 1).min(23), "{n}: {kept}");
            for k in 0..=n {
                let Some(waiting) = store.get(k) else { continue };
                assert_eq!(store.payload(&waiting), vec![k as u8; 150 + k as usize % 20]);
                assert!(k > n - kept, "the oldest go first");
            }
        }
    }

    #[test]
    fn numbers_64_apart_are_not_mistaken() {
        let mut store = Store::new(CodecKind::Opus);
        store.put(place(3), 0, 960, false, &[1]);
        assert!(store.get(67).is_none());
        store.remove(67);
        assert!(store.get(3).is_some() && store.first(0, 10).is_some() && store.first(4, 10).is_none());
        store.put(place(67), 0, 960, false, &[2]);
        assert!(store.get(3).is_none());
    }
}
