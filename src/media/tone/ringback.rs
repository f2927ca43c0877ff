//! How a ringing phone sounds to the caller, country by country.
//!
//! Frequencies and cadences as the administrations reported them to the ITU (E.180 Supplement 2, "Various
//! tones used in national networks"). The codes are those of `ringTone` (`twiml-voice` §9.1); they are not
//! all ISO 3166: `uk`, `us-old`.

use super::Sound::{self, Modulated, Pure, Sum};

/// The country codes with a ringback tone of their own, in alphabetical order.
pub const COUNTRIES: [&str; RINGBACK.len()] = countries();

/// What sounds in `country`, compared without case, and its cadence in milliseconds.
pub(super) fn of(country: &str) -> (Sound, &'static [u16]) {
    let row = RINGBACK.iter().find(|row| row.0.eq_ignore_ascii_case(country));
    row.map_or((Sum(440, 480), US), |row| (row.1, row.2))
}

const fn countries() -> [&'static str; RINGBACK.len()] {
    let mut codes = [""; RINGBACK.len()];
    let mut i = 0;
    while i < codes.len() {
        codes[i] = RINGBACK[i].0;
        i += 1;
    }
    codes
}

const US: &[u16] = &[2_000, 4_000];
/// One second in five.
const CEPT: &[u16] = &[1_000, 4_000];
/// Two short rings.
const DOUBLE: &[u16] = &[400, 200, 400, 2_000];

const RINGBACK: [(&str, Sound, &[u16]); 40] = [
    ("at", Pure(420), &[1_000, 5_000]),
    ("au", Sum(413, 438), DOUBLE),
    ("be", Pure(425), &[1_000, 3_000]),
    ("bg", Pure(425), CEPT),
    ("br", Pure(425), CEPT),
    ("ch", Pure(425), CEPT),
    ("cl", Pure(400), &[1_000, 3_000]),
    ("cn", Pure(450), CEPT),
    ("cz", Pure(425), CEPT),
    ("de", Pure(425), CEPT),
    ("dk", Pure(425), CEPT),
    ("ee", Pure(425), CEPT),
    ("es", Pure(425), &[1_500, 3_000]),
    ("fi", Pure(425), CEPT),
    ("fr", Pure(440), &[1_500, 3_500]),
    ("gr", Pure(425), CEPT),
    ("hu", Pure(425), &[1_250, 3_750]),
    ("il", Pure(400), &[1_000, 3_000]),
    ("in", Modulated(400, 25), DOUBLE),
    ("it", Pure(425), CEPT),
    ("jp", Modulated(400, 16), &[1_000, 2_000]),
    ("lt", Pure(425), CEPT),
    ("mx", Pure(425), CEPT),
    ("my", Pure(425), DOUBLE),
    ("nl", Pure(425), CEPT),
    ("no", Pure(425), CEPT),
    ("nz", Sum(400, 450), DOUBLE),
    ("ph", Sum(425, 480), CEPT),
    ("pl", Pure(425), CEPT),
    ("pt", Pure(425), &[1_000, 5_000]),
    ("ru", Pure(425), CEPT),
    ("se", Pure(425), &[1_000, 5_000]),
    ("sg", Modulated(425, 24), DOUBLE),
    ("th", Pure(400), CEPT),
    ("tw", Sum(440, 480), &[1_000, 2_000]),
    ("uk", Sum(400, 450), DOUBLE),
    ("us", Sum(440, 480), US),
    ("us-old", Modulated(420, 40), US),
    ("ve", Pure(425), CEPT),
    ("za", Modulated(400, 33), DOUBLE),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_of_the_reference_is_there_in_order() {
        let reference = "at au bg br be ch cl cn cz de dk ee es fi fr gr hu il in it lt jp mx my nl no nz ph \
            pl pt ru se sg th uk us us-old tw ve za";
        let mut codes: Vec<&str> = reference.split_whitespace().collect();
        codes.sort_unstable();
        assert_eq!(codes, COUNTRIES);
    }

    #[test]
    fn sound_and_pause_take_turns() {
        for (code, _, cadence) in RINGBACK {
            assert!(cadence.len() % 2 == 0 && cadence.iter().all(|ms| *ms >= 200), "{code}");
        }
    }
}
