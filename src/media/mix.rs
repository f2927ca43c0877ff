//! Mixing: every member of a conference hears all the others, one frame at a time.
//!
//! ```text
//!  input 0 ─┐                       ┌─ sum − 0 ─▶ member 0 (speaks)
//!  input 1 ─┼─ loudest few ─▶ sum ──┼─ sum − 1 + coach ─▶ member 1 (speaks, is coached)
//!  input 2 ─┘                       └─ sum ─▶ everyone else, the coach too: the shared mix
//! ```
//!
//! The members who are in the sum hear it without themselves, exactly. All others hear the same, so it is made
//! once and needs to be encoded only once for each codec. Only the loudest few are in the sum, which keeps a big
//! conference quiet and its cost in proportion to its members; who is in it stays for a while and leaves by
//! being turned down over a frame, so nobody's words are chopped.

/// How loud a member is made: in 1/256, 0 to 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gain(u16);

impl Gain {
    /// As it came.
    pub const ONE: Gain = Gain(256);
    /// Not heard.
    pub const NONE: Gain = Gain(0);

    /// A factor; below 0 becomes 0, above 4 becomes 4.
    pub fn new(factor: f32) -> Gain {
        Gain((factor.clamp(0.0, 4.0) * 256.0) as u16)
    }
}

/// Who hears a member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// Everyone else.
    #[default]
    Speaker,
    /// Nobody: muted, or there to listen.
    Listener,
    /// Only the member it coaches. It hears everyone.
    Coach {
        /// Whom it coaches.
        of: MemberId,
    },
}

/// A member's place in its mixer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MemberId(u16);

/// Which mix a member hears in this frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mix {
    /// The one that all who hear themselves nowhere in it share: ask [`Mixer::shared`].
    Shared,
    /// One of its own: ask [`Mixer::own`].
    Own,
}

/// Mixes the frames of one conference; makes no allocation once it is made.
#[derive(Debug)]
pub struct Mixer {
    /// Samples of a frame.
    frame: usize,
    speakers: usize,
    members: Vec<Option<Member>>,
    /// A frame for each member.
    inputs: Box<[i16]>,
    sum: Box<[i32]>,
    shared: Box<[i16]>,
    /// Scores and places of those who want to be heard.
    ranking: Vec<(u32, u16)>,
}

#[derive(Clone, Copy, Debug)]
struct Member {
    role: Role,
    gain: Gain,
    /// The gain its last sample was given.
    applied: Gain,
    /// Its input is of this frame.
    is_fresh: bool,
    /// It is one of the loudest.
    is_active: bool,
    /// It is in the sum of this frame.
    is_heard: bool,
    is_coached: bool,
    /// Sum of the magnitudes of a frame's samples, lately.
    score: u32,
}

/// How many are heard at once unless the office wants otherwise.
pub const SPEAKERS: usize = 8;

/// Members of one mixer.
pub const MEMBERS_MAX: usize = 1_000;

/// A member who is heard stays so until another is this much louder: 6 dB.
const STAY: u32 = 2;

impl Mixer {
    /// For up to `members` with frames of `frame` samples, of whom the `speakers` loudest are heard.
    pub fn new(members: usize, frame: usize, speakers: usize) -> Mixer {
        let members = members.min(MEMBERS_MAX);
        Mixer {
            frame,
            speakers,
            members: vec![None; members],
            inputs: vec![0; members * frame].into(),
            sum: vec![0; frame].into(),
            shared: vec![0; frame].into(),
            ranking: Vec::with_capacity(members),
        }
    }

    /// Somebody comes; `None`: it is full.
    pub fn join(&mut self, role: Role, gain: Gain) -> Option<MemberId> {
        let at = self.members.iter().position(Option::is_none)?;
        self.members[at] = Some(Member {
            role,
            gain,
            applied: Gain::NONE,
            is_fresh: false,
            is_active: false,
            is_heard: false,
            is_coached: false,
            score: 0,
        });
        Some(MemberId(at as u16))
    }

    /// Somebody goes. Who coached them coaches nobody.
    pub fn leave(&mut self, id: MemberId) {
        if let Some(member) = self.members.get_mut(usize::from(id.0)) {
            *member = None;
        }
        for member in self.members.iter_mut().flatten() {
            if member.role == (Role::Coach { of: id }) {
                member.role = Role::Listener;
            }
        }
    }

    /// From the next frame on; the change is spread over that frame.
    pub fn set(&mut self, id: MemberId, role: Role, gain: Gain) {
        if let Some(member) = self.members.get_mut(usize::from(id.0)).and_then(Option::as_mut) {
            (member.role, member.gain) = (role, gain);
        }
    }

    /// Members there are.
    pub fn len(&self) -> usize {
        self.members.iter().flatten().count()
    }

    /// Whether nobody is there.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where this frame of a member belongs; it is to be filled as a whole. A member whose input is not asked
    /// for before [`Mixer::mix`] is silent. What comes from nobody goes nowhere.
    pub fn input(&mut self, id: MemberId) -> &mut [i16] {
        let at = usize::from(id.0);
        match self.members.get_mut(at).and_then(Option::as_mut) {
            Some(member) => {
                member.is_fresh = true;
                &mut self.inputs[at * self.frame..(at + 1) * self.frame]
            }
            None => &mut self.shared,
        }
    }

    /// All inputs of this frame are there: mixes them.
    pub fn mix(&mut self) {
        self.rank();
        self.sum.fill(0);
        for (member, input) in self.members.iter_mut().zip(self.inputs.chunks_exact_mut(self.frame)) {
            let Some(member) = member else { continue };
            member.is_coached = false;
            member.is_heard = member.scale(input);
            if member.is_heard && !matches!(member.role, Role::Coach { .. }) {
                for (sum, &sample) in self.sum.iter_mut().zip(&*input) {
                    *sum += i32::from(sample);
                }
            }
        }
        for at in 0..self.members.len() {
            if let Some(Member { role: Role::Coach { of }, is_heard: true, .. }) = self.members[at]
                && let Some(coached) = self.members.get_mut(usize::from(of.0)).and_then(Option::as_mut)
            {
                coached.is_coached = true;
            }
        }
        saturate(&self.sum, &mut self.shared);
    }

    /// Which mix a member hears. Changes from frame to frame.
    pub fn hears(&self, id: MemberId) -> Mix {
        match self.member(id) {
            Some(member) if member.is_in_sum() || member.is_coached => Mix::Own,
            _ => Mix::Shared,
        }
    }

    /// The mix of all who hear themselves nowhere in it.
    pub fn shared(&self) -> &[i16] {
        &self.shared
    }

    /// The mix of one member, whichever it hears.
    pub fn own(&mut self, id: MemberId, out: &mut [i16]) {
        let Some(member) = self.member(id) else { return };
        let (is_in_sum, is_coached) = (member.is_in_sum(), member.is_coached);
        let out_len = out.len().min(self.frame);
        let out = &mut out[..out_len];
        match (is_in_sum, is_coached) {
            (false, false) => out.copy_from_slice(&self.shared[..out_len]),
            (true, false) => {
                let own = self.input_of(usize::from(id.0));
                for ((out, &sum), &own) in out.iter_mut().zip(&self.sum).zip(own) {
                    *out = clip(sum - i32::from(own));
                }
            }
            (_, true) => self.own_with_coaches(id, is_in_sum, out),
        }
    }

    /// Rare: one who hears what nobody else hears.
    fn own_with_coaches(&self, id: MemberId, is_in_sum: bool, out: &mut [i16]) {
        for (n, out) in out.iter_mut().enumerate() {
            let mut sum = self.sum[n];
            if is_in_sum {
                sum -= i32::from(self.input_of(usize::from(id.0))[n]);
            }
            for (at, member) in self.members.iter().enumerate() {
                if let Some(Member { role: Role::Coach { of }, is_heard: true, .. }) = member
                    && *of == id
                {
                    sum += i32::from(self.input_of(at)[n]);
                }
            }
            *out = clip(sum);
        }
    }

    /// Finds the loudest.
    fn rank(&mut self) {
        self.ranking.clear();
        let inputs = self.inputs.chunks_exact(self.frame);
        for (at, (member, input)) in self.members.iter_mut().zip(inputs).enumerate() {
            let Some(member) = member else { continue };
            // Falls by 28 dB a second: a pause between two words costs nobody their place.
            member.score -= member.score.div_ceil(16);
            if member.role != Role::Speaker {
                member.is_active = matches!(member.role, Role::Coach { .. });
                continue;
            }
            if member.is_fresh {
                let level = loudness(input).saturating_mul(u32::from(member.gain.0)) / 256;
                member.score = member.score.max(level);
            }
            let stay = if member.is_active { STAY } else { 1 };
            member.is_active = true;
            if member.score > 0 {
                self.ranking.push((member.score.saturating_mul(stay), at as u16));
            }
        }
        if self.ranking.len() <= self.speakers {
            return;
        }
        // Of equals the one who came first.
        self.ranking.select_nth_unstable_by(self.speakers, |a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
        for &(_, at) in &self.ranking[self.speakers..] {
            if let Some(member) = &mut self.members[usize::from(at)] {
                member.is_active = false;
            }
        }
    }

    fn member(&self, id: MemberId) -> Option<&Member> {
        self.members.get(usize::from(id.0))?.as_ref()
    }

    fn input_of(&self, at: usize) -> &[i16] {
        &self.inputs[at * self.frame..(at + 1) * self.frame]
    }
}

impl Member {
    fn is_in_sum(&self) -> bool {
        self.is_heard && !matches!(self.role, Role::Coach { .. })
    }

    /// Makes the input as loud as it is to be heard; whether there is anything to hear.
    fn scale(&mut self, input: &mut [i16]) -> bool {
        let is_fresh = std::mem::take(&mut self.is_fresh);
        let wanted = if self.is_active && self.role != Role::Listener { self.gain } else { Gain::NONE };
        let from = std::mem::replace(&mut self.applied, wanted);
        if !is_fresh || (from, wanted) == (Gain::NONE, Gain::NONE) {
            return false;
        }
        if from == wanted {
            if wanted != Gain::ONE {
                input.iter_mut().for_each(|s| *s = clip((i32::from(*s) * i32::from(wanted.0)) >> 8));
            }
            return true;
        }
        // A step would click.
        let (from, to, len) = (i32::from(from.0), i32::from(wanted.0), input.len() as i32);
        for (n, sample) in (1..).zip(input) {
            let gain = from + (to - from) * n / len;
            *sample = clip((i32::from(*sample) * gain) >> 8);
        }
        true
    }
}

fn saturate(sum: &[i32], out: &mut [i16]) {
    for (out, &sum) in out.iter_mut().zip(sum) {
        *out = clip(sum);
    }
}

fn clip(sample: i32) -> i16 {
    sample.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16
}

fn loudness(input: &[i16]) -> u32 {
    input.iter().map(|s| u32::from(s.unsigned_abs())).sum()
}

#[cfg(test)]
mod tests {
    use base::Rng;

    use super::*;

    const LEN: usize = 160;

    /// Role, gain, and the value of all samples.
    type Part = (Role, f32, i16);

    /// A mixer whose members speak at a constant value each.
    struct Room {
        mixer: Mixer,
        members: Vec<(MemberId, i16)>,
    }

    impl Room {
        fn new(parts: &[Part]) -> Room {
            let mut mixer = Mixer::new(parts.len(), LEN, SPEAKERS);
            let members = parts
                .iter()
                .map(|(role, gain, value)| (mixer.join(*role, Gain::new(*gain)).unwrap(), *value))
                .collect();
            Room { mixer, members }
        }

        fn frame(&mut self) {
            for (id, value) in &self.members {
                self.mixer.input(*id).fill(*value);
            }
            self.mixer.mix();
        }

        /// What each hears at the end of a frame, once changes have settled.
        fn heard(&mut self) -> Vec<i16> {
            self.frame();
            self.frame();
            self.members
                .iter()
                .map(|(id, _)| {
                    let mut out = [0; LEN];
                    self.mixer.own(*id, &mut out);
                    if self.mixer.hears(*id) == Mix::Shared {
                        assert_eq!(out, self.mixer.shared());
                    }
                    out[LEN - 1]
                })
                .collect()
        }
    }

    #[test]
    fn everyone_hears_all_others() {
        use Role::{Coach, Listener, Speaker};
        let of = |n| Coach { of: MemberId(n) };
        let cases: [(&str, &[Part], &[i16]); 9] = [
            ("two", &[(Speaker, 1.0, 10), (Speaker, 1.0, 200)], &[200, 10]),
            (
                "three",
                &[(Speaker, 1.0, 10), (Speaker, 1.0, 200), (Speaker, 1.0, 3_000)],
                &[3_200, 3_010, 210],
            ),
            ("gains", &[(Speaker, 0.5, 100), (Speaker, 4.0, 100), (Speaker, 0.0, 100)], &[400, 50, 450]),
            ("a listener", &[(Speaker, 1.0, 1), (Speaker, 1.0, 2), (Listener, 1.0, 500)], &[2, 1, 3]),
            (
                "a coach",
                &[(Speaker, 1.0, 1), (Speaker, 1.0, 20), (Speaker, 1.0, 300), (of(1), 1.0, 4_000)],
                &[320, 4_301, 21, 321],
            ),
            (
                "two coaches of a listener",
                &[(Speaker, 1.0, 1), (Listener, 1.0, 20), (of(1), 1.0, 300), (of(1), 2.0, 1_000)],
                &[0, 2_301, 1, 1],
            ),
            (
                "loud",
                &[(Speaker, 1.0, 30_000), (Speaker, 1.0, 30_000), (Speaker, 1.0, 30_000)],
                &[i16::MAX, i16::MAX, i16::MAX],
            ),
            ("too loud alone", &[(Speaker, 4.0, -30_000), (Speaker, 1.0, 5)], &[5, i16::MIN]),
            ("nobody", &[(Listener, 1.0, 9)], &[0]),
        ];
        for (what, parts, heard) in cases {
            assert_eq!(Room::new(parts).heard(), heard, "{what}");
        }
    }

    #[test]
    fn clipping_the_sum_does_not_damage_what_is_left_of_it() {
        // 30,000 + 30,000 − 30,000: the sum without oneself is exact though the sum is not.
        let mut room = Room::new(&[
            (Role::Speaker, 1.0, 30_000),
            (Role::Speaker, 1.0, 30_000),
            (Role::Listener, 1.0, 0),
        ]);
        assert_eq!(room.heard(), [30_000, 30_000, i16::MAX]);
    }

    #[test]
    fn random_frames_are_summed_exactly() {
        let mut rng = Rng::seeded(5);
        let mut mixer = Mixer::new(8, 480, SPEAKERS);
        let ids: Vec<_> = (0..8).map(|_| mixer.join(Role::Speaker, Gain::ONE).unwrap()).collect();
        for round in 0..50 {
            let frames: Vec<Vec<i16>> =
                ids.iter().map(|_| (0..480).map(|_| rng.below(8_000) as i16 - 4_000).collect()).collect();
            for (id, frame) in ids.iter().zip(&frames) {
                mixer.input(*id).copy_from_slice(frame);
            }
            mixer.mix();
            // In the first they are turned up.
            for (me, id) in ids.iter().enumerate().filter(|_| round > 0) {
                let mut out = [0; 480];
                mixer.own(*id, &mut out);
                for (n, &out) in out.iter().enumerate() {
                    let others = frames.iter().enumerate().filter(|(other, _)| *other != me);
                    assert_eq!(i32::from(out), others.map(|(_, f)| i32::from(f[n])).sum::<i32>());
                }
            }
        }
    }

    #[test]
    fn only_the_loudest_are_heard_and_they_are_not_chopped() {
        let parts: Vec<_> = (0..12).map(|n| (Role::Speaker, 1.0, 100 + 10 * n)).collect();
        let mut room = Room::new(&parts);
        let heard = room.heard();
        let sum: i16 = (4..12).map(|n| 100 + 10 * n).sum();
        assert_eq!(heard[0], sum, "the quiet hear the eight loudest");
        assert_eq!(heard[11], sum - 210);
        // One of the quiet becomes a little louder: it must be twice as loud as the quietest heard (140).
        room.members[0].1 = 270;
        assert_eq!(room.heard()[1], sum);
        room.members[0].1 = 290;
        assert_eq!(room.heard()[1], sum - 140 + 290);
        // A pause between words: nobody takes the place.
        room.members[0].1 = 0;
        for _ in 0..5 {
            room.frame();
        }
        assert_eq!(room.heard()[4], sum - 140);
        // A long one.
        for _ in 0..100 {
            room.frame();
        }
        assert_eq!(room.heard()[0], sum);
    }

    #[test]
    fn whoever_comes_or_goes_does_so_without_a_step() {
        let mut room = Room::new(&[(Role::Speaker, 1.0, 10_000), (Role::Listener, 1.0, 0)]);
        let mut heard = Vec::new();
        for n in 0..6 {
            if n == 3 {
                room.mixer.set(room.members[0].0, Role::Listener, Gain::ONE);
            }
            room.frame();
            heard.extend_from_slice(room.mixer.shared());
        }
        assert!(heard.windows(2).all(|w| (w[0] - w[1]).abs() <= 100));
        assert_eq!((heard[0] < 100, heard[2 * LEN], heard[5 * LEN]), (true, 10_000, 0));
    }

    #[test]
    fn who_is_silent_or_gone_costs_nothing_and_shares() {
        let mut mixer = Mixer::new(3, LEN, SPEAKERS);
        let [a, b, c] = [(); 3].map(|()| mixer.join(Role::Speaker, Gain::ONE).unwrap());
        assert_eq!(mixer.join(Role::Speaker, Gain::ONE), None);
        for _ in 0..2 {
            mixer.input(a).fill(70);
            mixer.mix();
        }
        assert_eq!((mixer.hears(a), mixer.hears(b), mixer.shared()[9]), (Mix::Own, Mix::Shared, 70));
        mixer.set(c, Role::Coach { of: b }, Gain::ONE);
        mixer.leave(b);
        mixer.input(b).fill(1);
        mixer.mix();
        assert_eq!((mixer.len(), mixer.shared()[0]), (2, 0));
        let again = mixer.join(Role::Speaker, Gain::ONE).unwrap();
        mixer.input(c).fill(5);
        mixer.mix();
        assert_eq!((again, mixer.hears(again)), (b, Mix::Shared), "the coach is not the newcomer's");
    }
}
