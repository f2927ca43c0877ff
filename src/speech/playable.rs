//! What `<Play>` plays, by what a web server says it is.

use crate::error::{NOT_PLAYABLE, SoundError};

/// Whether `<Play>` takes a content type: the published ones (reference: twiml-voice §5), and what else the box
/// can decode. A local file may have a name that says nothing: its content decides.
pub(crate) fn playable(content_type: Option<&str>, is_file: bool) -> Result<(), SoundError> {
    const PLAYABLE: &[&str] = &[
        "audio/mpeg",
        "audio/wav",
        "audio/wave",
        "audio/x-wav",
        "audio/aiff",
        "audio/x-aiff",
        "audio/x-aifc",
        "audio/gsm",
        "audio/x-gsm",
        "audio/ulaw",
        // Beyond the published ones.
        "audio/aac",
        "audio/alaw",
        "audio/basic",
        "audio/flac",
        "audio/mp3",
        "audio/mp4",
        "audio/ogg",
        "audio/vnd.wave",
        "audio/x-flac",
        "audio/x-m4a",
    ];
    let Some(content_type) = content_type else {
        let told = "the server does not say what it is: no Content-Type";
        return if is_file { Ok(()) } else { Err(SoundError::new(NOT_PLAYABLE, told)) };
    };
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if PLAYABLE.contains(&kind.as_str()) {
        return Ok(());
    }
    let kind: String = kind.chars().take(80).collect();
    Err(SoundError::new(NOT_PLAYABLE, format!("the content type {kind} is not audio that can be played")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types_of_play() {
        for (content_type, is_file, takes) in [
            (Some("audio/mpeg"), false, true),
            (Some("Audio/X-WAV; charset=binary"), false, true),
            (Some("audio/ulaw"), false, true),
            (Some("video/mp4"), false, false),
            (Some("application/octet-stream"), false, false),
            (Some(""), false, false),
            (None, false, false),
            (None, true, true),
        ] {
            let result = playable(content_type, is_file);
            assert_eq!(result.is_ok(), takes, "{content_type:?}");
            assert!(result.err().is_none_or(|error| error.code == 13420));
        }
    }
}
