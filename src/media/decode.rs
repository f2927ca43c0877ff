//! Sound files to clips.
