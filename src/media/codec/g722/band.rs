//! Both bands' quantisers and the predictor they share (ITU-T G.722 §3.2 to §3.6, §4.1 to §4.3).

/// Below 4 kHz: six bits a sample, of which the four upper ones steer the adaptation.
#[derive(Debug, PartialEq)]
pub(super) struct LowBand {
    predictor: Predictor,
    scale: i32,
    step: i32,
}

/// Above 4 kHz: two bits a sample.
#[derive(Debug, PartialEq)]
pub(super) struct HighBand {
    predictor: Predictor,
    scale: i32,
    step: i32,
}

impl Default for LowBand {
    fn default() -> LowBand {
        LowBand { predictor: Predictor::default(), scale: 0, step: 32 }
    }
}

impl Default for HighBand {
    fn default() -> HighBand {
        HighBand { predictor: Predictor::default(), scale: 0, step: 8 }
    }
}

impl LowBand {
    #[inline]
    pub(super) fn encode(&mut self, sample: i16) -> u8 {
        let error = saturate(i32::from(sample) - self.predictor.estimate);
        // QUANTL
        let magnitude = if error >= 0 { error } else { !error };
        let level = level(magnitude, self.step);
        let code = if error >= 0 { POSITIVE[level] } else { NEGATIVE[level] };
        self.adapt(code);
        code
    }

    #[inline]
    pub(super) fn decode(&mut self, code: u8) -> i16 {
        // INVQBL, RECONS, LIMIT
        let error = (self.step * i32::from(INVERSE_6[usize::from(code & 63)])) >> 15;
        let sample = (self.predictor.estimate + error).clamp(-16_384, 16_383);
        self.adapt(code);
        sample as i16
    }

    #[inline]
    fn adapt(&mut self, code: u8) {
        let upper = usize::from(code >> 2 & 15);
        // INVQAL
        let error = (self.step * i32::from(INVERSE_4[upper])) >> 15;
        // LOGSCL, SCALEL
        self.scale = (((self.scale * 127) >> 7) + i32::from(SCALE_LOW[upper])).clamp(0, 18_432);
        self.step = step(self.scale, 8);
        self.predictor.update(error);
    }
}

impl HighBand {
    #[inline]
    pub(super) fn encode(&mut self, sample: i16) -> u8 {
        let error = saturate(i32::from(sample) - self.predictor.estimate);
        // QUANTH
        let magnitude = if error >= 0 { error } else { !error };
        let outer = magnitude >= (564 * self.step) >> 12;
        let code = match (error >= 0, outer) {
            (false, false) => 1,
            (false, true) => 0,
            (true, false) => 3,
            (true, true) => 2,
        };
        self.adapt(code);
        code
    }

    #[inline]
    pub(super) fn decode(&mut self, code: u8) -> i16 {
        let error = (self.step * i32::from(INVERSE_2[usize::from(code & 3)])) >> 15;
        let sample = (self.predictor.estimate + error).clamp(-16_384, 16_383);
        self.adapt(code);
        sample as i16
    }

    #[inline]
    fn adapt(&mut self, code: u8) {
        let code = usize::from(code & 3);
        // INVQAH
        let error = (self.step * i32::from(INVERSE_2[code])) >> 15;
        // LOGSCH, SCALEH
        self.scale = (((self.scale * 127) >> 7) + i32::from(SCALE_HIGH[code])).clamp(0, 22_528);
        self.step = step(self.scale, 10);
        self.predictor.update(error);
    }
}

/// How many decision levels a magnitude reaches. QUANTL compares it with `(level * step) >> 12` one by one, which
/// for whole numbers means the same as this quotient with `level`; what each quotient reaches is in a table.
#[inline]
fn level(magnitude: i32, step: i32) -> usize {
    let quotient = (((magnitude + 1) << 12) - 1) as u32 / step as u32;
    usize::from(REACHED[REACHED.len().min(quotient as usize + 1) - 1])
}

/// The quantiser's step: 2 to the power of `scale / 2048` by a table of 32 parts of an octave.
#[inline]
fn step(scale: i32, octaves: i32) -> i32 {
    let part = i32::from(OCTAVE[(scale >> 6 & 31) as usize]);
    let down = octaves - (scale >> 11);
    (if down < 0 { part << -down } else { part >> down }) << 2
}

/// Two poles and six zeros, adapted by signs alone (figure 15/G.722).
#[derive(Debug, Default, PartialEq)]
struct Predictor {
    /// SL: what the next sample is expected to be.
    estimate: i32,
    /// SZL: the zeros' part of it.
    zeros_part: i32,
    /// BL: coefficients of the six zeros, and two that stay 0 to make a register full.
    zeros: [i16; 8],
    /// DLT: the last differences, doubled.
    differences: [i16; 8],
    /// AL: coefficients of the poles.
    poles: [i32; 2],
    /// RLT: the last two reconstructed samples.
    samples: [i32; 2],
    /// PLT: the last two partly reconstructed samples.
    partial: [i32; 2],
}

impl Predictor {
    #[inline]
    fn update(&mut self, difference: i32) {
        // RECONS, PARREC
        let sample = saturate(self.estimate + difference);
        let partial = saturate(self.zeros_part + difference);
        self.poles = self.next_poles(partial);
        self.partial = [partial, self.partial[0]];
        self.samples = [sample, self.samples[0]];
        self.update_zeros(difference);
        // FILTEP, PREDIC
        let poles_part = saturate(
            ((self.poles[0] * saturate(2 * self.samples[0])) >> 15)
                + ((self.poles[1] * saturate(2 * self.samples[1])) >> 15),
        );
        self.estimate = saturate(poles_part + self.zeros_part);
    }

    #[inline]
    fn next_poles(&self, partial: i32) -> [i32; 2] {
        let same = partial ^ self.partial[0] >= 0;
        let same_as_second = partial ^ self.partial[1] >= 0;
        // UPPOL2
        let first = saturate(4 * self.poles[0]);
        let pull = if same { (-first).min(i32::from(i16::MAX)) } else { first };
        let push = if same_as_second { 128 } else { -128 };
        let second = ((pull >> 7) + push + ((self.poles[1] * 32_512) >> 15)).clamp(-12_288, 12_288);
        // UPPOL1
        let bound = 15_360 - second;
        let first = (if same { 192 } else { -192 }) + ((self.poles[0] * 32_640) >> 15);
        [first.clamp(-bound, bound), second]
    }

    /// UPZERO, DELAYA, FILTEZ, in eight lanes whatever is in them: so the compiler keeps them in registers.
    #[inline]
    fn update_zeros(&mut self, difference: i32) {
        let moves = -i16::from(difference != 0);
        let sign = (difference >> 31) as i16;
        let mut zeros = self.zeros;
        for ((zero, earlier), push) in zeros.iter_mut().zip(&self.differences).zip(PUSH) {
            let differs = (*earlier >> 15) ^ sign;
            // Leaking by 1/256 and moving by 128 at most, none ever leaves ±32,640.
            *zero = *zero + (-*zero >> 8) + (((push & moves) ^ differs) - differs);
        }
        let [a, b, c, d, e, f, g, _] = self.differences;
        let differences = [saturate(2 * difference) as i16, a, b, c, d, e, f, g];
        let products = zeros.iter().zip(&differences);
        let sum: i32 = products.map(|(zero, d)| (i32::from(*zero) * i32::from(*d)) >> 15).sum();
        (self.zeros, self.differences) = (zeros, differences);
        self.zeros_part = saturate(sum);
    }
}

#[inline]
fn saturate(value: i32) -> i32 {
    value.clamp(i32::from(i16::MIN), i32::from(i16::MAX))
}

/// Q6: the decision levels of the low band's quantiser (tables 6 and 14/G.722).
const LEVELS: [usize; 29] = [
    35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1023, 1121, 1219,
    1339, 1458, 1612, 1765, 1980, 2195, 2557, 2919,
];
static REACHED: [u8; 2_920] = {
    let mut reached = [0; 2_920];
    let (mut quotient, mut level) = (0, 0);
    while quotient < reached.len() {
        if level < LEVELS.len() && quotient >= LEVELS[level] {
            level += 1;
        }
        reached[quotient] = level as u8;
        quotient += 1;
    }
    reached
};
/// ILN and ILP: the code of each interval, for either sign.
const NEGATIVE: [u8; 30] = [
    63, 62, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7,
    6, 5, 4,
];
const POSITIVE: [u8; 30] = [
    61, 60, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49, 48, 47, 46, 45, 44, 43, 42, 41, 40, 39, 38, 37, 36,
    35, 34, 33, 32,
];
/// How far one sample moves each zero.
const PUSH: [i16; 8] = [128, 128, 128, 128, 128, 128, 0, 0];
/// QM6, QM4, QM2: the inverse quantisers of 6, 4 and 2 bits.
const INVERSE_6: [i16; 64] = [
    -136, -136, -136, -136, -24808, -21904, -19008, -16704, -14984, -13512, -12280, -11192, -10232, -9360,
    -8576, -7856, -7192, -6576, -6000, -5456, -4944, -4464, -4008, -3576, -3168, -2776, -2400, -2032, -1688,
    -1360, -1040, -728, 24808, 21904, 19008, 16704, 14984, 13512, 12280, 11192, 10232, 9360, 8576, 7856,
    7192, 6576, 6000, 5456, 4944, 4464, 4008, 3576, 3168, 2776, 2400, 2032, 1688, 1360, 1040, 728, 432, 136,
    -432, -136,
];
const INVERSE_4: [i16; 16] =
    [0, -20456, -12896, -8968, -6288, -4240, -2584, -1200, 20456, 12896, 8968, 6288, 4240, 2584, 1200, 0];
const INVERSE_2: [i16; 4] = [-7408, -1616, 7408, 1616];
/// WL by RL42 and WH by RH2: how a code moves the scale.
const SCALE_LOW: [i16; 16] =
    [-60, 3042, 1198, 538, 334, 172, 58, -30, 3042, 1198, 538, 334, 172, 58, -30, -60];
const SCALE_HIGH: [i16; 4] = [798, -214, 798, -214];
/// ILB: an octave in 32 parts.
const OCTAVE: [i16; 32] = [
    2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834, 2896,
    2960, 3025, 3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
];
