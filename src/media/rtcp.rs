//! Sender and receiver reports (RFC 3550 §6): ours every five seconds or so, and what the peer's say.
//!
//! Report timestamps count from the origin of the media clock, not from 1900: RFC 3550 §6.4.1 allows elapsed
//! time, the peer only ever hands them back to us, and the core has no wall clock.

use bytes::Bytes;
use rtcp::goodbye::Goodbye;
use rtcp::receiver_report::ReceiverReport;
use rtcp::reception_report::ReceptionReport;
use rtcp::sender_report::SenderReport;
use rtcp::source_description::{SdesType, SourceDescription, SourceDescriptionChunk, SourceDescriptionItem};
use shared::marshal::Marshal;

use crate::reception::Report;

/// Nanoseconds between reports on average; each interval is 0.5 to 1.5 times as long (RFC 3550 §6.2, §6.3.1).
pub const INTERVAL_NS: u64 = 5_000_000_000;

/// The largest compound we send: SR with one block 52, SDES with a CNAME of 16 28, BYE 8.
pub const COMPOUND_BYTES_MAX: usize = 128;

/// Packets of one compound that are looked at.
const PACKETS_MAX: usize = 16;

/// What a sender report says about our stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The RTP timestamp of this moment.
    pub timestamp: u32,
    /// Packets sent so far.
    pub packets: u64,
    /// Payload bytes sent so far.
    pub octets: u64,
}

/// Writes our reports; holds the packets so that writing one does not allocate.
#[derive(Clone, Debug)]
pub struct Reporter {
    sender: SenderReport,
    receiver: ReceiverReport,
    description: SourceDescription,
    goodbye: Goodbye,
}

impl Reporter {
    /// For the stream `ssrc`, with a canonical name that says nothing about us (RFC 7022).
    pub fn new(ssrc: u32, cname: &str) -> Reporter {
        let text = Bytes::copy_from_slice(&cname.as_bytes()[..cname.len().min(16)]);
        // The first clone of such bytes makes them shared, which allocates: here, not in the first report.
        drop(text.clone());
        let item = SourceDescriptionItem { sdes_type: SdesType::SdesCname, text };
        Reporter {
            sender: SenderReport { ssrc, reports: Vec::with_capacity(1), ..SenderReport::default() },
            receiver: ReceiverReport { ssrc, reports: Vec::with_capacity(1), ..ReceiverReport::default() },
            description: SourceDescription {
                chunks: vec![SourceDescriptionChunk { source: ssrc, items: vec![item] }],
            },
            goodbye: Goodbye { sources: vec![ssrc], reason: Bytes::new() },
        }
    }

    /// A report with its description: from a sender when something was sent, else from a receiver.
    pub fn report(
        &mut self,
        sent: Option<Sent>,
        block: Option<(Report, Option<Heard>)>,
        now: u64,
        buffer: &mut [u8; COMPOUND_BYTES_MAX],
    ) -> usize {
        let block = block.map(|(report, heard)| ReceptionReport {
            ssrc: report.ssrc,
            fraction_lost: report.fraction_lost,
            total_lost: report.lost,
            last_sequence_number: report.highest,
            jitter: report.jitter,
            last_sender_report: heard.map_or(0, |h| h.middle),
            delay: heard.map_or(0, |h| middle(now.saturating_sub(h.at))),
        });
        let len = match sent {
            Some(sent) => {
                self.sender.ntp_time = ntp(now);
                self.sender.rtp_time = sent.timestamp;
                self.sender.packet_count = sent.packets as u32;
                self.sender.octet_count = sent.octets as u32;
                self.sender.reports.clear();
                self.sender.reports.extend(block);
                self.sender.marshal_to(buffer)
            }
            None => {
                self.receiver.reports.clear();
                self.receiver.reports.extend(block);
                self.receiver.marshal_to(buffer)
            }
        }
        .expect("the buffer holds a report with one block");
        len + self.description.marshal_to(&mut buffer[len..]).expect("the buffer holds the description too")
    }

    /// The same, and that we leave (RFC 3550 §6.6).
    pub fn goodbye(
        &mut self,
        sent: Option<Sent>,
        block: Option<(Report, Option<Heard>)>,
        now: u64,
        buffer: &mut [u8; COMPOUND_BYTES_MAX],
    ) -> usize {
        let len = self.report(sent, block, now, buffer);
        len + self.goodbye.marshal_to(&mut buffer[len..]).expect("the buffer holds the goodbye too")
    }
}

/// When the peer's last sender report came, and the middle of its NTP timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    middle: u32,
    at: u64,
}

/// What a compound of the peer says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Read {
    /// Its sender report, if there is one.
    pub heard: Option<Heard>,
    /// What it says about our stream.
    pub about_us: Option<AboutUs>,
}

/// A report block about our stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AboutUs {
    /// Of 256 packets since its last report, how many it missed.
    pub fraction_lost: u8,
    /// Packets of ours that the peer missed.
    pub lost: u32,
    /// Jitter the peer sees, in samples.
    pub jitter: u32,
    /// Microseconds to the peer and back, when it could be measured.
    pub round_trip_us: Option<u32>,
}

/// Reads a compound packet. `None`: it is none (RFC 3550 §A.2; reduced-size ones are taken, RFC 5506).
pub fn read(bytes: &[u8], our_ssrc: u32, now: u64) -> Option<Read> {
    let mut read = Read::default();
    let mut rest = bytes;
    for _ in 0..PACKETS_MAX {
        let header: &[u8; 4] = rest.first_chunk()?;
        if header[0] >> 6 != 2 || !(192..=223).contains(&header[1]) {
            return None;
        }
        let len = 4 + 4 * usize::from(u16::from_be_bytes([header[2], header[3]]));
        let packet = rest.get(..len)?;
        let blocks = match header[1] {
            SENDER_REPORT => {
                let middle = word(packet, 10)?;
                read.heard = Some(Heard { middle, at: now });
                packet.get(28..)?
            }
            RECEIVER_REPORT => packet.get(8..)?,
            _ => &[],
        };
        let count = usize::from(header[0] & 0x1F);
        for block in blocks.chunks_exact(BLOCK_BYTES).take(count) {
            if word(block, 0) == Some(our_ssrc) {
                read.about_us = about_us(block, now);
            }
        }
        rest = &rest[len..];
        if rest.is_empty() {
            return Some(read);
        }
    }
    Some(read)
}

fn about_us(block: &[u8], now: u64) -> Option<AboutUs> {
    let last = word(block, 16)?;
    let delay = word(block, 20)?;
    let round_trip = middle(now).wrapping_sub(last).wrapping_sub(delay);
    // Clocks of two machines differ: a trip of less than nothing is a very short one.
    let round_trip = if round_trip.cast_signed() < 0 { 0 } else { round_trip };
    let lost = word(block, 4)?;
    Some(AboutUs {
        fraction_lost: (lost >> 24) as u8,
        // Signed in 24 bits: copies can make it less than nothing.
        lost: if lost & 0x80_0000 == 0 { lost & 0xFF_FFFF } else { 0 },
        jitter: word(block, 12)?,
        round_trip_us: (last != 0).then_some(((u64::from(round_trip) * 1_000_000) >> 16) as u32),
    })
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|w| u32::from_be_bytes(*w))
}

/// Nanoseconds as seconds in 32.32 fixed point (RFC 3550 §4).
fn ntp(ns: u64) -> u64 {
    ((ns / 1_000_000_000) << 32) | (((ns % 1_000_000_000) << 32) / 1_000_000_000)
}

/// Nanoseconds as seconds in 16.16 fixed point: the middle of [`ntp`].
fn middle(ns: u64) -> u32 {
    (ntp(ns) >> 16) as u32
}

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const BLOCK_BYTES: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;

    const SENT: Sent = Sent { timestamp: 8_000, packets: 50, octets: 8_000 };
    const REPORT: Report = Report { ssrc: 9, fraction_lost: 3, lost: 5, highest: 70_000, jitter: 11 };

    #[test]
    fn our_reports_are_read_by_others() {
        let mut reporter = Reporter::new(7, "0123456789abcdef");
        let mut buffer = [0; COMPOUND_BYTES_MAX];
        let heard = Heard { middle: 0x1234_5678, at: 1_000_000_000 };
        let len = reporter.goodbye(Some(SENT), Some((REPORT, Some(heard))), 1_500_000_000, &mut buffer);
        let packets = rtcp::packet::unmarshal(&mut &buffer[..len]).unwrap();
        assert_eq!(packets.len(), 3);
        let sender = packets[0].as_any().downcast_ref::<SenderReport>().unwrap();
        assert_eq!((sender.ssrc, sender.ntp_time, sender.rtp_time), (7, 3 << 31, 8_000));
        assert_eq!((sender.packet_count, sender.octet_count), (50, 8_000));
        let block = &sender.reports[0];
        assert_eq!((block.ssrc, block.total_lost, block.last_sequence_number), (9, 5, 70_000));
        assert_eq!((block.last_sender_report, block.delay), (0x1234_5678, 1 << 15));
        let description = packets[1].as_any().downcast_ref::<SourceDescription>().unwrap();
        assert_eq!(description.chunks[0].items[0].text.as_ref(), b"0123456789abcdef");
        assert_eq!(packets[2].as_any().downcast_ref::<Goodbye>().unwrap().sources, [7]);
    }

    #[test]
    fn who_sent_nothing_reports_as_receiver() {
        let mut reporter = Reporter::new(7, "x");
        let mut buffer = [0; COMPOUND_BYTES_MAX];
        let len = reporter.report(None, None, 0, &mut buffer);
        let packets = rtcp::packet::unmarshal(&mut &buffer[..len]).unwrap();
        assert!(packets[0].as_any().downcast_ref::<ReceiverReport>().unwrap().reports.is_empty());
    }

    #[test]
    fn the_round_trip_is_measured_with_both_ends() {
        // A reports at 10 s; B hears it at once on its own clock, answers 2 s later; A hears that 0.3 s later.
        let (mut a, mut b) = (Reporter::new(1, "a"), Reporter::new(2, "b"));
        let mut buffer = [0; COMPOUND_BYTES_MAX];
        let len = a.report(Some(SENT), None, 10_000_000_000, &mut buffer);
        let heard = read(&buffer[..len], 2, 77_000_000_000).unwrap().heard;
        assert!(heard.is_some());
        let report = Report { ssrc: 1, ..REPORT };
        let len = b.report(None, Some((report, heard)), 79_000_000_000, &mut buffer);
        let about_us = read(&buffer[..len], 1, 12_300_000_000).unwrap().about_us.unwrap();
        let round_trip = about_us.round_trip_us.unwrap();
        assert!((299_900..=300_100).contains(&round_trip), "{round_trip}");
        assert_eq!((about_us.lost, about_us.jitter), (5, 11));
        assert_eq!(read(&buffer[..len], 3, 0).unwrap().about_us, None);
    }

    #[test]
    fn no_cut_or_changed_report_panics() {
        let mut reporter = Reporter::new(7, "0123456789abcdef");
        let mut buffer = [0; COMPOUND_BYTES_MAX];
        let len = reporter.goodbye(Some(SENT), Some((REPORT, None)), 5, &mut buffer);
        for end in 0..=len {
            for position in 0..end {
                for value in [0, 1, 0x7F, 0x80, 0x9F, 200, 201, 0xFF] {
                    let mut bytes = buffer[..end].to_vec();
                    bytes[position] = value;
                    let _ = read(&bytes, 9, 0);
                }
            }
        }
        assert_eq!(read(&[], 9, 0), None);
        assert_eq!(read(&[0x80, 0, 0, 0], 9, 0), None);
    }
}
