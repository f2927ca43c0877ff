//! The media plane without IO: SDP, RTP, codecs, prompts, recording, bridges.
