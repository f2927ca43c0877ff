//! Sounds inside the program: heard even where no engine, folder or network is.

use call::BuiltinSound;

/// The file of a built-in sound, and the end of its name.
pub(crate) fn file(sound: BuiltinSound) -> (&'static [u8], &'static str) {
    match sound {
        BuiltinSound::ApplicationError => (include_bytes!("../../audio/application-error.flac"), "flac"),
        BuiltinSound::HoldMusic => (include_bytes!("../../audio/hold.ogg"), "ogg"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_one_can_be_heard() {
        for (sound, ms, loud) in [
            (BuiltinSound::ApplicationError, 2_000..8_000, 8_000),
            (BuiltinSound::HoldMusic, 19_900..20_100, 2_000),
        ] {
            let (bytes, extension) = file(sound);
            let clip = media::decode::decode(bytes.to_vec(), Some(extension)).unwrap();
            assert!(ms.contains(&clip.duration_ms()), "{sound:?}: {} ms", clip.duration_ms());
            let loudest = clip.pcm.iter().map(|sample| sample.unsigned_abs()).max().unwrap();
            assert!(loudest > loud, "{sound:?}: {loudest}");
        }
    }
}
