//! Text to speech and prepared sound, off the call path.
