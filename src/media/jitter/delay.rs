//! How long the path takes, and how much longer it sometimes takes: what the playout delay is chosen from.
//!
//! A packet's transit is its arrival minus its timestamp. The zero of that scale means nothing, its changes mean
//! everything: the lowest transit of the last seconds is the path at its best (the base, which also follows two
//! clocks that drift apart), and what others take longer is jitter. Jitter is kept in a histogram that forgets.

/// The transits of one stream. All figures are RTP ticks.
#[derive(Clone, Debug)]
pub(super) struct Delay {
    /// Ticks of a bucket, [`BUCKET_MS`].
    bucket: i64,
    /// Bucket `n` holds the transits of `n * bucket..(n + 1) * bucket`, at `n` modulo their number.
    weights: [f32; BUCKETS],
    /// Of all buckets together.
    total: f32,
    /// What the next packet weighs; it grows, which is the same as forgetting what came before.
    weight: f32,
    base: i64,
    /// The bucket the base lies in.
    first: i64,
    /// Lowest transit of this window and of the one before it.
    lowest: [i64; 2],
    /// Arrival that begins the next window.
    window_ends: i64,
    window: i64,
    spread: i64,
    /// What the spread was lately at its highest, in 1/256 of ticks; it falls slowly.
    ceiling: i64,
    /// Transit of packets far above all others, and how many of them came in a row.
    outlier: (i64, u8),
    /// More is not waited for.
    most: i64,
}

const BUCKETS: usize = 64;
const BUCKET_MS: i64 = 4;

/// Ticks beyond the base that are still told apart, in milliseconds.
const REACH_MS: i64 = BUCKET_MS * (BUCKETS as i64 - 1);

/// Of this share of packets the playout delay need not wait for.
const TAIL: f32 = 0.02;

/// What a packet counts a packet later: 2 % of all weight lie in the last 7 packets, half in the last 230.
const FORGET: f32 = 0.997;

/// A packet that came too late counts as so many: four of them raise the delay.
const LATE_WEIGHT: f32 = 2.0;

/// The ceiling falls by a bucket in so many packets: 2 ms a second.
const CEILING_FALL: i64 = 100;

/// The base is the lowest of this to twice this time.
const WINDOW_MS: i64 = 4_000;

/// Before the path is known 98 % of packets are taken to come within this.
const FIRST_SPREAD_MS: i64 = 20;

/// So many packets in a row beyond reach, and alike, are a path that has become longer.
const OUTLIERS: u8 = 3;

impl Delay {
    /// Of a stream whose first packet had this transit, and that is waited for by `most_ms` milliseconds at most.
    /// `clock` in Hz.
    pub(super) fn new(clock: u32, transit: i64, arrival: i64, most_ms: u32) -> Delay {
        let ticks = |ms: i64| ms * i64::from(clock) / 1_000;
        let bucket = ticks(BUCKET_MS).max(1);
        let mut delay = Delay {
            bucket,
            weights: [0.0; BUCKETS],
            total: 0.0,
            weight: 1.0,
            base: transit,
            first: transit.div_euclid(bucket),
            lowest: [transit; 2],
            window_ends: arrival + ticks(WINDOW_MS),
            window: ticks(WINDOW_MS),
            spread: 0,
            ceiling: 0,
            outlier: (0, 0),
            most: ticks(i64::from(most_ms)),
        };
        delay.weigh(transit + ticks(FIRST_SPREAD_MS) - bucket, 1.0);
        delay.update_spread();
        delay
    }

    /// Takes a packet into account. `is_late`: its turn was over.
    pub(super) fn learn(&mut self, transit: i64, arrival: i64, is_late: bool) {
        if self.is_outlier(transit) {
            let clock = self.window / (WINDOW_MS / 1_000);
            let most_ms = self.most * 1_000 / clock;
            *self = Delay::new(clock as u32, transit, arrival, most_ms as u32);
            return;
        }
        if arrival >= self.window_ends {
            self.lowest = [transit, self.lowest[0]];
            self.window_ends = arrival + self.window;
        }
        self.lowest[0] = self.lowest[0].min(transit);
        self.move_base(self.lowest[0].min(self.lowest[1]));
        self.weight /= FORGET;
        self.weigh(transit, if is_late { LATE_WEIGHT } else { 1.0 });
        if self.weight > 1e9 {
            self.weights.iter_mut().for_each(|w| *w /= self.weight);
            self.weight = 1.0;
            self.total = self.weights.iter().sum();
        }
        self.ceiling -= self.bucket * 256 / CEILING_FALL;
        self.update_spread();
    }

    /// The lowest transit of the last seconds.
    pub(super) fn base(&self) -> i64 {
        self.base
    }

    /// How much longer than the base 98 of 100 packets take at most; never 0.
    pub(super) fn spread(&self) -> i64 {
        self.spread
    }

    /// What the spread has been lately; the delay is not lowered below it.
    pub(super) fn ceiling(&self) -> i64 {
        self.ceiling / 256
    }

    fn is_outlier(&mut self, transit: i64) -> bool {
        let reach = REACH_MS / BUCKET_MS * self.bucket;
        if transit - self.base <= reach {
            self.outlier.1 = 0;
            return false;
        }
        // What piled up on the way and comes at once has transits that fall: that is jitter.
        if (transit - self.outlier.0).abs() > 2 * self.bucket {
            self.outlier = (transit, 0);
        }
        self.outlier.1 += 1;
        self.outlier.1 >= OUTLIERS
    }

    fn weigh(&mut self, transit: i64, times: f32) {
        // Of what lies within reach; 32 bits are divided much faster than 64.
        let above = (transit - self.first * self.bucket).clamp(0, BUCKETS as i64 * self.bucket - 1);
        let bucket = self.first + i64::from(above as u32 / self.bucket as u32);
        self.weights[slot(bucket)] += times * self.weight;
        self.total += times * self.weight;
    }

    fn move_base(&mut self, base: i64) {
        if base == self.base {
            return;
        }
        let (old, new) = (self.first, base.div_euclid(self.bucket));
        (self.base, self.first) = (base, new);
        if (new - old).abs() >= BUCKETS as i64 {
            (self.weights, self.total) = ([0.0; BUCKETS], 0.0);
            return;
        }
        // A base that falls leaves no room for the highest buckets; one that rises swallows the lowest.
        for bucket in new..old {
            self.weights[slot(bucket)] = 0.0;
        }
        if new < old {
            self.total = self.weights.iter().sum();
        }
        for bucket in old..new {
            let (from, to) = (slot(bucket), slot(new));
            self.weights[to] += self.weights[from];
            self.weights[from] = 0.0;
        }
    }

    fn update_spread(&mut self) {
        // Counted from the base, where nearly all of the weight lies.
        let within = self.total - TAIL * self.total;
        let last = self.first + BUCKETS as i64 - 1;
        let mut bucket = self.first;
        let mut below = self.weights[slot(bucket)];
        while bucket < last && below < within {
            bucket += 1;
            below += self.weights[slot(bucket)];
        }
        self.spread = ((bucket + 1) * self.bucket - self.base).min(self.most).max(1);
        self.ceiling = self.ceiling.max(self.spread * 256);
    }
}

fn slot(bucket: i64) -> usize {
    (bucket & (BUCKETS as i64 - 1)) as usize
}

#[cfg(test)]
mod tests {
    use base::Rng;

    use super::*;

    const MS: i64 = 8;

    fn after(transits: impl Iterator<Item = i64>) -> Delay {
        let mut delay = Delay::new(8_000, 0, 0, 200);
        for (n, transit) in (1..).zip(transits) {
            delay.learn(transit, n * 20 * MS, false);
        }
        delay
    }

    #[test]
    fn a_path_that_is_always_the_same_needs_no_wait() {
        let delay = after([0; 200].into_iter());
        assert_eq!((delay.base(), delay.spread()), (0, 4 * MS));
    }

    #[test]
    fn the_spread_is_the_98th_percentile() {
        let mut rng = Rng::seeded(1);
        let delay = after((0..5_000).map(|_| rng.below(100 * MS as u64) as i64));
        assert!((0..2 * MS).contains(&delay.base()), "{}", delay.base());
        assert!((92 * MS..=104 * MS).contains(&delay.spread()), "{}", delay.spread());
    }

    #[test]
    fn rare_outliers_are_not_waited_for_but_late_ones_soon_are() {
        let rare = after((0..2_000).map(|n| if n % 100 == 50 { 150 * MS } else { 0 }));
        assert_eq!(rare.spread(), 4 * MS);
        let mut late = rare;
        for n in 0..3 {
            late.learn(150 * MS, (2_001 + n) * 20 * MS, true);
        }
        assert!(late.spread() > 150 * MS);
    }

    #[test]
    fn a_base_that_drifts_is_followed_both_ways() {
        for ppm in [-500i64, 500] {
            let delay = after((0..100_000).map(|n| n * 20 * MS * ppm / 1_000_000));
            let last = 99_999 * 20 * MS * ppm / 1_000_000;
            // Falling at once; rising after two windows, in which 500 ppm are 4 ms. What is not yet forgotten of a
            // falling one looks like jitter.
            assert!((0..=4 * MS).contains(&(last - delay.base())), "{ppm}: {}", last - delay.base());
            assert!(delay.spread() <= 16 * MS, "{ppm}: {}", delay.spread());
        }
    }

    #[test]
    fn a_path_that_becomes_much_longer_is_believed_at_the_third_packet() {
        let mut delay = after([0; 200].into_iter());
        for n in 0..3 {
            delay.learn(900 * MS, (201 + n) * 20 * MS, true);
        }
        assert_eq!((delay.base(), delay.spread()), (900 * MS, 20 * MS));
        // A queue that empties is none.
        let mut delay = after([0; 200].into_iter());
        for n in 0..40 {
            delay.learn((900 - 20 * n).max(0) * MS, 201 * 20 * MS, true);
        }
        assert_eq!(delay.base(), 0);
    }
}
