//! A leg whose peer hears itself: what it says waits until the clock takes a frame of it.

use super::{Leg, Playing};
use crate::engine::Out;
use crate::play::FRAME_SAMPLES;

/// Samples at 8 kHz that wait at most: 500 ms. What is older is left out.
const WAITING_SAMPLES_MAX: usize = 4_000;

/// Samples that wait before the first frame goes out, and again after a pause: 60 ms for late packets.
const CUSHION_SAMPLES: usize = 480;

/// What a peer said and is to hear again.
#[derive(Debug)]
pub struct EchoLine {
    ring: Box<[i16]>,
    first: usize,
    len: usize,
    /// Nothing is given out until the cushion is there.
    gathers: bool,
}

impl Default for EchoLine {
    fn default() -> EchoLine {
        EchoLine { ring: vec![0; WAITING_SAMPLES_MAX].into(), first: 0, len: 0, gathers: true }
    }
}

impl EchoLine {
    /// Puts in what was said.
    pub(super) fn put(&mut self, samples: &[i16]) {
        for &sample in samples {
            self.ring[(self.first + self.len) % WAITING_SAMPLES_MAX] = sample;
            match self.len {
                WAITING_SAMPLES_MAX => self.first = (self.first + 1) % WAITING_SAMPLES_MAX,
                _ => self.len += 1,
            }
        }
        self.gathers &= self.len < CUSHION_SAMPLES;
    }

    /// Fills a frame; silence where there is nothing.
    pub(super) fn take(&mut self, frame: &mut [i16; FRAME_SAMPLES]) {
        frame.fill(0);
        if self.gathers {
            return;
        }
        let count = self.len.min(FRAME_SAMPLES);
        for (n, sample) in frame[..count].iter_mut().enumerate() {
            *sample = self.ring[(self.first + n) % WAITING_SAMPLES_MAX];
        }
        self.first = (self.first + count) % WAITING_SAMPLES_MAX;
        self.len -= count;
        self.gathers = self.len == 0;
    }
}

impl Leg {
    /// The peer hears itself from now on; replaces what plays.
    pub(crate) fn echo(&mut self, now: u64, out: &mut impl Out) {
        self.stop_playing(now, out);
        self.playing = Playing::Echo(Box::default());
    }

    /// What the peer said, if it is to hear it again.
    pub(super) fn say_again(&mut self, samples: &[i16]) {
        if let Playing::Echo(line) = &mut self.playing {
            line.put(samples);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_come_out_in_order_after_a_cushion_and_the_oldest_are_left_out() {
        let mut line = EchoLine::default();
        let mut frame = [7; FRAME_SAMPLES];
        line.put(&[1; 320]);
        line.take(&mut frame);
        assert_eq!(frame, [0; FRAME_SAMPLES], "it gathers");
        line.put(&[2; 160]);
        for expected in [1, 1, 2, 0] {
            line.take(&mut frame);
            assert_eq!(frame, [expected; FRAME_SAMPLES]);
        }
        let ramp: Vec<i16> = (0..5_000).collect();
        line.put(&ramp);
        line.take(&mut frame);
        assert_eq!(frame[..2], [1_000, 1_001]);
    }
}
