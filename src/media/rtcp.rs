//! RTCP packets.
