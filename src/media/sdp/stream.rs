//! What one audio stream of a description says about codecs, addresses and direction.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use super::SdpError;
use super::description::{Attribute, Connection, Media, Sdp};
use crate::codec::CodecKind;
use crate::command::Direction;

/// What one audio stream of a description says.
pub(super) struct Stream<'a> {
    media: &'a Media,
    /// Where the describer receives.
    pub(super) address: Option<IpAddr>,
    /// Codecs the box knows with their payload types, in the order of the `m=` line.
    pub(super) codecs: Vec<(CodecKind, u8)>,
    /// Payload type of telephone events.
    pub(super) events: Option<u8>,
    /// As described, from the describer's side.
    pub(super) direction: Direction,
}

impl<'a> Stream<'a> {
    /// Reads stream `at` of `sdp`, which must be there.
    pub(super) fn read(sdp: &'a Sdp, at: usize) -> Stream<'a> {
        let media = &sdp.media[at];
        let names: BTreeMap<u8, &str> = media
            .attributes
            .iter()
            .filter(|a| a.name == "rtpmap")
            .filter_map(|a| parse_rtpmap(a.value.as_deref()?))
            .collect();
        let (mut codecs, mut events) = (Vec::new(), None);
        for payload_type in media.formats.iter().filter_map(|f| f.parse().ok()).filter(|pt| *pt < 128) {
            let name = names.get(&payload_type).copied();
            match name.map_or_else(|| CodecKind::from_static(payload_type), codec_of) {
                Some(kind) => codecs.push((kind, payload_type)),
                None if events.is_none() && name.is_some_and(is_telephone_event) => {
                    events = Some(payload_type);
                }
                None => {}
            }
        }
        let direction = direction_of(&media.attributes)
            .or_else(|| direction_of(&sdp.attributes))
            .unwrap_or(Direction::SendRecv);
        let address = match media.connection.as_ref().or(sdp.connection.as_ref()) {
            Some(Connection::Address(address)) => Some(*address),
            Some(Connection::Other(_)) | None => None,
        };
        Stream { media, address, codecs, events, direction }
    }

    /// Where RTP and RTCP go. RTCP has the next port unless `a=rtcp` names another (RFC 3605).
    pub(super) fn addresses(&self) -> Result<(SocketAddr, SocketAddr), SdpError> {
        let address = self.address.ok_or(SdpError::Address)?;
        let rtp = SocketAddr::new(address, self.media.port);
        let next = SocketAddr::new(address, self.media.port.saturating_add(1));
        let rtcp = self.media.attribute("rtcp").and_then(|value| parse_rtcp(value, address));
        Ok((rtp, rtcp.unwrap_or(next)))
    }

    /// The packet length the describer asks for, as far as we make it: whole tens up to 60 ms, within
    /// `a=maxptime`; 20 ms otherwise.
    pub(super) fn ptime_ms(&self) -> u8 {
        let number = |name| self.media.attribute(name).and_then(|v| v.parse::<f64>().ok());
        let wish = number("ptime").filter(|ms| (10.0..=60.0).contains(ms)).unwrap_or(f64::from(PTIME_MS));
        let limit = number("maxptime").filter(|ms| *ms >= 10.0).unwrap_or(60.0);
        (wish.min(limit) / 10.0) as u8 * 10
    }
}

/// `101 telephone-event/8000` → 101 and the rest.
fn parse_rtpmap(value: &str) -> Option<(u8, &str)> {
    let (payload_type, name) = value.split_once([' ', '\t'])?;
    Some((payload_type.parse().ok()?, name.trim()))
}

/// `PCMU/8000` or `PCMU/8000/1`.
fn codec_of(name: &str) -> Option<CodecKind> {
    let mut parts = name.split('/');
    let (name, clock) = (parts.next()?, parts.next()?.parse().ok()?);
    if parts.next().is_some_and(|channels| channels != "1") {
        return None;
    }
    CodecKind::from_rtpmap(name, clock)
}

/// Events count time in the clock of the audio they interrupt (RFC 4733 §2.1): 8 kHz for all our codecs.
fn is_telephone_event(name: &str) -> bool {
    let mut parts = name.split('/');
    parts.next().is_some_and(|n| n.eq_ignore_ascii_case("telephone-event")) && parts.next() == Some("8000")
}

/// `53020` or `53020 IN IP4 192.0.2.9` (RFC 3605 §2.1).
fn parse_rtcp(value: &str, address: IpAddr) -> Option<SocketAddr> {
    let mut words = value.split_ascii_whitespace();
    let port = words.next()?.parse().ok().filter(|port| *port != 0)?;
    let address = words.nth(2).map_or(Some(address), |word| word.parse().ok())?;
    Some(SocketAddr::new(address, port))
}

fn direction_of(attributes: &[Attribute]) -> Option<Direction> {
    attributes.iter().find_map(|a| match a.name.as_str() {
        "sendrecv" => Some(Direction::SendRecv),
        "sendonly" => Some(Direction::SendOnly),
        "recvonly" => Some(Direction::RecvOnly),
        "inactive" => Some(Direction::Inactive),
        _ => None,
    })
}

/// Unless the peer asks for another length (RFC 3551 §4.2).
pub(super) const PTIME_MS: u8 = 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(session: &str, stream: &str, check: impl FnOnce(Stream<'_>)) {
        let text = format!("v=0\r\n{session}m=audio 4000 RTP/AVP {stream}");
        let sdp = Sdp::parse(text.as_bytes()).unwrap();
        check(Stream::read(&sdp, 0));
    }

    #[test]
    fn codecs_by_static_and_dynamic_payload_types() {
        use CodecKind::{Pcma, Pcmu};
        let cases: [(&str, &[(CodecKind, u8)]); 8] = [
            ("0 8\r\n", &[(Pcmu, 0), (Pcma, 8)]),
            ("9 8 0\r\na=rtpmap:0 PCMU/8000\r\n", &[(CodecKind::G722, 9), (Pcma, 8), (Pcmu, 0)]),
            ("97 98\r\na=rtpmap:98 pcmu/8000/1\r\na=rtpmap:97 PCMA/8000\r\n", &[(Pcma, 97), (Pcmu, 98)]),
            ("97\r\na=rtpmap:97 PCMU/16000\r\n", &[]),
            ("97\r\na=rtpmap:97 PCMU/8000/2\r\n", &[]),
            ("0\r\na=rtpmap:0 EVIL/8000\r\n", &[]),
            ("3 18 96 x 200 300\r\na=rtpmap:96 opus/48000/2\r\n", &[]),
            ("96\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:96\r\n", &[]),
        ];
        for (text, want) in cases {
            read("", text, |stream| assert_eq!(stream.codecs, want, "{text}"));
        }
    }

    #[test]
    fn telephone_events_at_eight_kilohertz() {
        let cases = [
            ("0 101\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n", Some(101)),
            (
                "0 96 97\r\na=rtpmap:96 telephone-event/48000\r\na=rtpmap:97 Telephone-Event/8000\r\n",
                Some(97),
            ),
            ("0 101\r\n", None),
            ("0\r\na=rtpmap:101 telephone-event/8000\r\n", None),
        ];
        for (text, want) in cases {
            read("", text, |stream| assert_eq!(stream.events, want, "{text}"));
        }
    }

    #[test]
    fn addresses_of_session_stream_and_rtcp() {
        let cases = [
            ("c=IN IP4 192.0.2.1\r\n", "0\r\n", Some(("192.0.2.1:4000", "192.0.2.1:4001"))),
            (
                "c=IN IP4 192.0.2.1\r\n",
                "0\r\nc=IN IP6 2001:db8::1\r\n",
                Some(("[2001:db8::1]:4000", "[2001:db8::1]:4001")),
            ),
            ("c=IN IP4 192.0.2.1\r\n", "0\r\na=rtcp:53020\r\n", Some(("192.0.2.1:4000", "192.0.2.1:53020"))),
            (
                "",
                "0\r\nc=IN IP4 192.0.2.2\r\na=rtcp:53020 IN IP4 192.0.2.9\r\n",
                Some(("192.0.2.2:4000", "192.0.2.9:53020")),
            ),
            ("c=IN IP4 192.0.2.1\r\n", "0\r\na=rtcp:0\r\n", Some(("192.0.2.1:4000", "192.0.2.1:4001"))),
            ("c=IN IP4 phone.example\r\n", "0\r\n", None),
            ("c=IN IP4 192.0.2.1\r\n", "0\r\nc=IN IP4 phone.example\r\n", None),
            ("", "0\r\n", None),
        ];
        for (session, text, want) in cases {
            let want = want.map(|(rtp, rtcp): (&str, &str)| (rtp.parse().unwrap(), rtcp.parse().unwrap()));
            read(session, text, |stream| {
                assert_eq!(stream.addresses(), want.ok_or(SdpError::Address), "{session}{text}");
            });
        }
    }

    #[test]
    fn packet_lengths_are_whole_tens_within_reason() {
        let cases = [
            ("", 20),
            ("a=ptime:30\r\n", 30),
            ("a=ptime:10.0\r\n", 10),
            ("a=ptime:60\r\na=maxptime:40\r\n", 40),
            ("a=maxptime:10\r\n", 10),
            ("a=ptime:25\r\n", 20),
            ("a=ptime:0\r\n", 20),
            ("a=ptime:500\r\n", 20),
            ("a=ptime:NaN\r\na=maxptime:-1\r\n", 20),
            ("a=ptime\r\n", 20),
        ];
        for (text, want) in cases {
            read("", &format!("0\r\n{text}"), |stream| assert_eq!(stream.ptime_ms(), want, "{text}"));
        }
    }

    #[test]
    fn the_streams_direction_beats_the_sessions() {
        let cases = [
            ("", "", Direction::SendRecv),
            ("a=sendonly\r\n", "", Direction::SendOnly),
            ("a=sendonly\r\n", "a=inactive\r\n", Direction::Inactive),
            ("", "a=recvonly\r\n", Direction::RecvOnly),
        ];
        for (session, text, want) in cases {
            read(session, &format!("0\r\n{text}"), |stream| assert_eq!(stream.direction, want));
        }
    }
}
