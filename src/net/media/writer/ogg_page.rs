//! Pages of Ogg as bytes (RFC 3533 §6), to end a stream at one that is written already.

/// Bytes of a page without its lacing values and what they count.
const HEADER_BYTES: usize = 27;

/// The flag of the last page.
const END_OF_STREAM: u8 = 4;

/// Bytes of the page that begins here; `None` when it is not whole.
pub(super) fn len(bytes: &[u8]) -> Option<usize> {
    let count = usize::from(*bytes.get(HEADER_BYTES - 1)?);
    let lacing = bytes.get(HEADER_BYTES..HEADER_BYTES + count)?;
    let len = HEADER_BYTES + count + lacing.iter().map(|&n| usize::from(n)).sum::<usize>();
    (bytes.starts_with(b"OggS") && len <= bytes.len()).then_some(len)
}

/// The page with its first packets only, as the last one of its stream, which ends at this granule.
pub(super) fn end(page: &[u8], packets: usize, granule: u64) -> Vec<u8> {
    let (header, rest) = page.split_at(HEADER_BYTES);
    let (lacing, body) = rest.split_at(usize::from(header[HEADER_BYTES - 1]));
    // A value below 255 is the last one of a packet.
    let ends = lacing.iter().enumerate().filter(|&(_, &n)| n < 255);
    let kept = ends.map(|(at, _)| at + 1).nth(packets.saturating_sub(1)).unwrap_or(lacing.len());
    let body_bytes: usize = lacing[..kept].iter().map(|&n| usize::from(n)).sum();
    let mut end = [header, &lacing[..kept], &body[..body_bytes]].concat();
    end[5] |= END_OF_STREAM;
    end[6..14].copy_from_slice(&granule.to_le_bytes());
    end[22..26].fill(0);
    end[HEADER_BYTES - 1] = kept as u8;
    let sum = checksum(&end);
    end[22..26].copy_from_slice(&sum.to_le_bytes());
    end
}

/// The polynomial 0x04C11DB7, most significant bit first, from zero.
fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |sum: u32, &byte| {
        (0..8).fold(sum ^ (u32::from(byte) << 24), |sum, _| {
            if sum >> 31 == 1 { (sum << 1) ^ 0x04C1_1DB7 } else { sum << 1 }
        })
    })
}

#[cfg(test)]
mod tests {
    use ogg::PacketReader;
    use ogg::writing::{PacketWriteEndInfo, PacketWriter};

    use super::*;

    #[test]
    fn a_page_becomes_the_last_one() {
        let mut writer = PacketWriter::new(Vec::new());
        let page = |n: u64| {
            if n.is_multiple_of(3) { PacketWriteEndInfo::EndPage } else { PacketWriteEndInfo::NormalPacket }
        };
        for n in 1..=6u64 {
            writer.write_packet(vec![n as u8; 255 * n as usize], 1, page(n), n * 960).unwrap();
        }
        let mut bytes = writer.into_inner();
        let first = len(&bytes).unwrap();
        assert_eq!(len(&bytes[first..]), Some(bytes.len() - first));
        assert_eq!((len(&bytes[..first - 1]), len(b"OggS"), len(&[0; 100])), (None, None, None));
        let last = end(&bytes[first..], 2, 4_700);
        bytes.splice(first.., last);
        assert_eq!(len(&bytes[first..]), Some(bytes.len() - first));
        let mut reader = PacketReader::new(std::io::Cursor::new(&bytes));
        let packets: Vec<_> = std::iter::from_fn(|| reader.read_packet().unwrap()).collect();
        let sizes: Vec<usize> = packets.iter().map(|packet| packet.data.len() / 255).collect();
        assert_eq!(sizes, [1, 2, 3, 4, 5]);
        assert_eq!((packets[4].absgp_page(), packets[4].last_in_stream()), (4_700, true));
        assert!(!packets[3].last_in_stream());
    }
}
