//! What Opus' `a=fmtp` asks of the other side's encoder (RFC 7587 §6.1).

use crate::negotiated::OpusParameters;

/// What we say with every Opus: that our decoder repairs lost packets.
pub(super) const OURS: &str = "useinbandfec=1";

/// Reads a peer's wishes. What makes no sense is as if it had not been said; stereo is never sent.
pub(super) fn read(fmtp: &str) -> OpusParameters {
    let mut wishes = OpusParameters::default();
    for (name, value) in fmtp.split(';').filter_map(|parameter| parameter.split_once('=')) {
        let value = value.trim().parse::<u32>().ok();
        match (name.trim().to_ascii_lowercase().as_str(), value) {
            ("maxplaybackrate", Some(rate @ 8_000..)) => wishes.max_playback_rate = playback_rate(rate),
            ("maxaveragebitrate", Some(rate @ 6_000..)) => {
                wishes.max_average_bitrate = Some(rate.min(510_000));
            }
            ("useinbandfec", Some(on @ 0..=1)) => wishes.use_inband_fec = on == 1,
            ("usedtx", Some(on @ 0..=1)) => wishes.use_dtx = on == 1,
            ("cbr", Some(on @ 0..=1)) => wishes.cbr = on == 1,
            _ => {}
        }
    }
    wishes
}

/// The highest rate of the encoder that is not above the wish.
fn playback_rate(wish: u32) -> u32 {
    let rates = [48_000, 24_000, 16_000, 12_000];
    rates.into_iter().find(|rate| *rate <= wish).unwrap_or(8_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peers_wishes_are_read_and_nonsense_is_not() {
        let usual = OpusParameters::default();
        let cases = [
            ("", usual),
            ("minptime=10; useinbandfec=1", OpusParameters { use_inband_fec: true, ..usual }),
            (
                "maxplaybackrate=16000; sprop-maxcapturerate=16000; maxaveragebitrate=20000; stereo=1; \
                 useinbandfec=1; usedtx=1; cbr=1",
                OpusParameters {
                    max_playback_rate: 16_000,
                    max_average_bitrate: Some(20_000),
                    use_inband_fec: true,
                    use_dtx: true,
                    cbr: true,
                },
            ),
            (
                "MaxPlaybackRate=44100;UseDTX = 1",
                OpusParameters { max_playback_rate: 24_000, use_dtx: true, ..usual },
            ),
            ("maxplaybackrate=9000", OpusParameters { max_playback_rate: 8_000, ..usual }),
            ("maxaveragebitrate=900000", OpusParameters { max_average_bitrate: Some(510_000), ..usual }),
            ("maxplaybackrate=1;maxaveragebitrate=5;usedtx=2;cbr=yes;;=;useinbandfec", usual),
        ];
        for (text, want) in cases {
            assert_eq!(read(text), want, "{text}");
        }
    }
}
