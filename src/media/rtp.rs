//! RTP packets: validating and rewriting them where they lie, and building our own.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |V=2|P|X|  CC   |M|     PT      |       sequence number         |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |                           timestamp                           |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |           synchronization source (SSRC) identifier            |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```
//!
//! A relayed packet leaves with the fixed header only: contributing sources, header extensions and padding were
//! agreed with the peer it came from, not with the one it goes to, so the new header is written right before
//! the payload and what stood between is left out. Nothing is copied.

use std::ops::Range;

/// Bytes of the fixed header (RFC 3550 §5.1).
pub const HEADER_BYTES: usize = 12;

/// The largest packet taken or built; Ethernet's 1,500 and some for tunnels that reassemble.
pub const PACKET_BYTES_MAX: usize = 2_048;

/// Bytes of the largest payload we make; with all headers it fits into every path of 1,280 bytes.
pub const PAYLOAD_BYTES_MAX: usize = 1_200;

/// The fields of a fixed header that are not the same in every packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fields {
    /// First packet of a talk spurt (RFC 3551 §4.1), first of a telephone event (RFC 4733 §2.5.1.1).
    pub marker: bool,
    /// 0–127.
    pub payload_type: u8,
    /// Increments by one a packet.
    pub sequence: u16,
    /// Sampling instant of the payload's first sample, in samples.
    pub timestamp: u32,
    /// Whose stream it is.
    pub ssrc: u32,
}

/// What [`parse`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// The header.
    pub fields: Fields,
    /// Where the payload lies, without padding.
    pub payload: Range<usize>,
}

/// Validates a datagram as RTP (RFC 3550 §A.1). `None`: it is none, or an RTCP packet on the wrong port.
#[inline]
pub fn parse(bytes: &[u8]) -> Option<Parsed> {
    let header: &[u8; HEADER_BYTES] = bytes.first_chunk()?;
    if header[0] >> 6 != 2 {
        return None;
    }
    let payload_type = header[1] & 0x7F;
    // 200–204 in the second byte would be RTCP (RFC 5761 §4).
    if (72..=76).contains(&payload_type) {
        return None;
    }
    let mut start = HEADER_BYTES + 4 * usize::from(header[0] & 0x0F);
    if header[0] & 0x10 != 0 {
        let extension: &[u8; 4] = bytes.get(start..)?.first_chunk()?;
        start += 4 + 4 * usize::from(u16::from_be_bytes([extension[2], extension[3]]));
    }
    let mut end = bytes.len();
    if header[0] & 0x20 != 0 {
        let padding = usize::from(bytes[end - 1]);
        if padding == 0 {
            return None;
        }
        end = end.checked_sub(padding)?;
    }
    if start > end {
        return None;
    }
    Some(Parsed {
        fields: Fields {
            marker: header[1] & 0x80 != 0,
            payload_type,
            sequence: u16::from_be_bytes([header[2], header[3]]),
            timestamp: u32::from_be_bytes([header[4], header[5], header[6], header[7]]),
            ssrc: u32::from_be_bytes([header[8], header[9], header[10], header[11]]),
        },
        payload: start..end,
    })
}

/// Writes a fixed header right before the payload and returns the packet that results.
///
/// # Panics
/// When `payload` is not a range that [`parse`] found in `bytes`.
#[inline]
pub fn rewrite(bytes: &mut [u8], payload: Range<usize>, fields: Fields) -> &[u8] {
    let packet = &mut bytes[payload.start - HEADER_BYTES..payload.end];
    let header = packet.first_chunk_mut().expect("a parsed packet has a header");
    *header = header_of(fields);
    packet
}

/// Writes a packet of ours; how long it is. A payload that does not fit is cut.
///
/// # Panics
/// When there is no room for a header.
#[inline]
pub fn write(fields: Fields, payload: &[u8], bytes: &mut [u8]) -> usize {
    let (header, room) = bytes.split_first_chunk_mut().expect("there is room for a header");
    *header = header_of(fields);
    let len = payload.len().min(room.len());
    room[..len].copy_from_slice(&payload[..len]);
    HEADER_BYTES + len
}

/// A fixed header (RFC 3550 §5.1) of version 2, without anything optional.
#[inline]
fn header_of(fields: Fields) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[0] = 0x80;
    header[1] = (u8::from(fields.marker) << 7) | (fields.payload_type & 0x7F);
    header[2..4].copy_from_slice(&fields.sequence.to_be_bytes());
    header[4..8].copy_from_slice(&fields.timestamp.to_be_bytes());
    header[8..12].copy_from_slice(&fields.ssrc.to_be_bytes());
    header
}

/// A packet of our own, built on the stack.
#[derive(Debug)]
pub struct Built {
    bytes: [u8; Built::BYTES_MAX],
    len: usize,
}

impl Built {
    /// Room for the header and the largest payload we make.
    pub const BYTES_MAX: usize = HEADER_BYTES + PAYLOAD_BYTES_MAX;

    /// Header and payload; a payload that does not fit is cut.
    pub fn new(fields: Fields, payload: &[u8]) -> Built {
        let mut bytes = [0; Built::BYTES_MAX];
        let len = write(fields, payload, &mut bytes);
        Built { bytes, len }
    }

    /// The packet.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// How far `a` is ahead of `b` on the circle of sequence numbers: negative when it is behind.
#[inline]
pub fn sequence_distance(a: u16, b: u16) -> i32 {
    i32::from(a.wrapping_sub(b).cast_signed())
}

/// How far `a` is ahead of `b` on the circle of timestamps: negative when it is behind.
#[inline]
pub fn timestamp_distance(a: u32, b: u32) -> i64 {
    i64::from(a.wrapping_sub(b).cast_signed())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use shared::marshal::{Marshal, Unmarshal};

    use super::*;

    const FIELDS: Fields =
        Fields { marker: true, payload_type: 8, sequence: 65_535, timestamp: 0xFFFF_FF00, ssrc: 0xDEAD_BEEF };

    fn with_everything() -> Vec<u8> {
        let packet = ::rtp::Packet {
            header: ::rtp::Header {
                version: 2,
                padding: true,
                extension: true,
                marker: true,
                payload_type: 96,
                sequence_number: 7,
                timestamp: 160,
                ssrc: 1,
                csrc: vec![2, 3],
                extension_profile: 0xBEDE,
                extensions: vec![::rtp::header::Extension { id: 1, payload: Bytes::from_static(&[9, 9]) }],
                extensions_padding: 0,
            },
            payload: Bytes::from_static(b"hello"),
        };
        packet.marshal().unwrap().to_vec()
    }

    #[test]
    fn what_we_build_is_read_by_others() {
        let built = Built::new(FIELDS, &[1, 2, 3]);
        let mut bytes = Bytes::copy_from_slice(built.bytes());
        let packet = ::rtp::Packet::unmarshal(&mut bytes).unwrap();
        assert_eq!(
            (packet.header.marker, packet.header.payload_type, packet.header.sequence_number),
            (true, 8, 65_535)
        );
        assert_eq!((packet.header.timestamp, packet.header.ssrc), (0xFFFF_FF00, 0xDEAD_BEEF));
        assert_eq!(packet.payload.as_ref(), [1, 2, 3]);
        assert_eq!(parse(built.bytes()).unwrap(), Parsed { fields: FIELDS, payload: 12..15 });
    }

    #[test]
    fn a_rewritten_packet_keeps_its_payload_and_nothing_else() {
        let mut bytes = with_everything();
        let parsed = parse(&bytes).unwrap();
        assert_eq!(&bytes[parsed.payload.clone()], b"hello");
        let out = rewrite(&mut bytes, parsed.payload, FIELDS).to_vec();
        assert_eq!(out, Built::new(FIELDS, b"hello").bytes());
    }

    #[test]
    fn no_cut_or_changed_packet_panics_or_reaches_outside() {
        let whole = with_everything();
        for len in 0..=whole.len() {
            for position in 0..len {
                for value in [0, 1, 0x7F, 0x80, 0x9F, 0xBF, 0xFF] {
                    let mut bytes = whole[..len].to_vec();
                    bytes[position] = value;
                    if let Some(parsed) = parse(&bytes) {
                        assert!(parsed.payload.start >= HEADER_BYTES && parsed.payload.end <= len);
                        rewrite(&mut bytes, parsed.payload, FIELDS);
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_not_rtp_is_refused() {
        let cases: [(&str, &[u8]); 6] = [
            ("empty", &[]),
            ("eleven bytes", &[0x80, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0]),
            ("version 1", &[0x40, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1]),
            ("a receiver report", &[0x81, 201, 0, 7, 0, 0, 0, 1, 0, 0, 0, 1]),
            ("padding of none", &[0xA0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0]),
            ("an extension beyond the end", &[0x90, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1]),
        ];
        for (what, bytes) in cases {
            assert_eq!(parse(bytes), None, "{what}");
        }
    }

    #[test]
    fn distances_wrap() {
        assert_eq!((sequence_distance(2, 65_534), sequence_distance(65_534, 2)), (4, -4));
        assert_eq!((timestamp_distance(80, u32::MAX - 79), timestamp_distance(u32::MAX, 0)), (160, -1));
    }
}
