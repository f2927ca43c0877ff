//! Sounds inside the program: heard even where no engine, folder or network is.

use call::BuiltinSound;

/// The file of a built-in sound, a FLAC.
pub(crate) fn file(sound: BuiltinSound) -> &'static [u8] {
    match sound {
        BuiltinSound::ApplicationError => include_bytes!("../../audio/application-error.flac"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_apology_can_be_heard() {
        let clip =
            media::decode::decode(file(BuiltinSound::ApplicationError).to_vec(), Some("flac")).unwrap();
        assert!((2_000..8_000).contains(&clip.duration_ms()), "{} ms", clip.duration_ms());
        let loudest = clip.pcm.iter().map(|sample| sample.unsigned_abs()).max().unwrap();
        assert!(loudest > 8_000, "{loudest}");
    }
}
