//! One RTP stream in each direction.
