//! WAV headers and what is written below them.
