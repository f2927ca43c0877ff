//! What one audio stream of a description says about codecs, addresses and direction.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use super::SdpError;
use super::description::{Attribute, Connection, Media, Sdp};
use super::numbers::Format;
use super::opus;
use super::write::MAX_PTIME_MS;
use crate::codec::CodecKind;
use crate::negotiated::{Direction, OpusParameters};

/// What one audio stream of a description says.
pub(super) struct Stream<'a> {
    pub(super) media: &'a Media,
    /// Where the describer receives.
    pub(super) address: Option<IpAddr>,
    /// Codecs the box knows with their payload types, in the order of the `m=` line.
    pub(super) codecs: Vec<(CodecKind, u8)>,
    /// Clocks of telephone events with their payload types.
    pub(super) events: Vec<(u32, u8)>,
    /// Payload type of comfort noise at 8 kHz.
    pub(super) comfort_noise: Option<u8>,
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
        let mut stream = Stream {
            media,
            address: None,
            codecs: Vec::new(),
            events: Vec::new(),
            comfort_noise: None,
            direction: Direction::SendRecv,
        };
        for number in media.formats.iter().filter_map(|f| f.parse().ok()).filter(|number| *number < 128) {
            match names.get(&number).map_or_else(|| format_of_static(number), |name| format_of(name)) {
                Some(Format::Codec(kind)) => stream.codecs.push((kind, number)),
                Some(Format::Events(clock)) => stream.events.push((clock, number)),
                Some(Format::ComfortNoise) => stream.comfort_noise = stream.comfort_noise.or(Some(number)),
                None => {}
            }
        }
        stream.direction = direction_of(&media.attributes)
            .or_else(|| direction_of(&sdp.attributes))
            .unwrap_or(Direction::SendRecv);
        stream.address = match media.connection.as_ref().or(sdp.connection.as_ref()) {
            Some(Connection::Address(address)) => Some(*address),
            Some(Connection::Other(_)) | None => None,
        };
        stream
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
    /// `a=maxptime`. Without a wish of its own, `usual`. Opus has no packets of 30 or 50 ms (RFC 7587 §4.2).
    pub(super) fn ptime_ms(&self, usual: u8, codec: CodecKind) -> u8 {
        let wish = self.milliseconds("ptime").filter(|ms| (10.0..=60.0).contains(ms));
        let tens = (wish.unwrap_or(f64::from(usual)) / 10.0) as u8 * 10;
        match tens.min(self.max_ptime_ms()) {
            30 if codec == CodecKind::Opus => 20,
            50 if codec == CodecKind::Opus => 40,
            ms => ms,
        }
    }

    /// The longest packet the describer takes, in whole tens up to 60 ms.
    pub(super) fn max_ptime_ms(&self) -> u8 {
        let limit = self.milliseconds("maxptime").filter(|ms| *ms >= 10.0).unwrap_or(f64::INFINITY);
        (limit.min(f64::from(MAX_PTIME_MS)) / 10.0) as u8 * 10
    }

    fn milliseconds(&self, name: &str) -> Option<f64> {
        self.media.attribute(name)?.parse().ok()
    }

    /// What the describer wants to get as Opus.
    pub(super) fn opus(&self, number: u8) -> OpusParameters {
        let fmtp = self.media.attributes.iter().filter(|a| a.name == "fmtp").find_map(|a| {
            let (of, parameters) = a.value.as_deref()?.split_once([' ', '\t'])?;
            (of.parse() == Ok(number)).then_some(parameters)
        });
        fmtp.map(opus::read).unwrap_or_default()
    }

    /// Payload type of telephone events of this clock.
    pub(super) fn events_at(&self, clock: u32) -> Option<u8> {
        self.events.iter().find(|(c, _)| *c == clock).map(|(_, number)| *number)
    }

    /// Everything it numbers.
    pub(super) fn numbers(&self) -> impl Iterator<Item = (u8, Format)> + '_ {
        let codecs = self.codecs.iter().map(|(kind, number)| (*number, Format::Codec(*kind)));
        let events = self.events.iter().map(|(clock, number)| (*number, Format::Events(*clock)));
        codecs.chain(events).chain(self.comfort_noise.map(|number| (number, Format::ComfortNoise)))
    }
}

/// `101 telephone-event/8000` → 101 and the rest.
fn parse_rtpmap(value: &str) -> Option<(u8, &str)> {
    let (payload_type, name) = value.split_once([' ', '\t'])?;
    Some((payload_type.parse().ok()?, name.trim()))
}

/// What an `a=rtpmap` names: `PCMU/8000`, `opus/48000/2`, `telephone-event/48000`.
fn format_of(name: &str) -> Option<Format> {
    let mut parts = name.split('/');
    let (name, clock, channels) = (parts.next()?, parts.next()?.parse().ok()?, parts.next());
    let events = name.eq_ignore_ascii_case("telephone-event");
    match clock {
        8_000 | 16_000 | 48_000 if events => return Some(Format::Events(clock)),
        8_000 if name.eq_ignore_ascii_case("CN") => return Some(Format::ComfortNoise),
        // Its samples come at 16 kHz, its clock says 8 by an old mistake (RFC 3551 §4.5.2); some mend it.
        16_000 if name.eq_ignore_ascii_case("G722") => return Some(Format::Codec(CodecKind::G722)),
        _ => {}
    }
    let kind = CodecKind::from_rtpmap(name, clock)?;
    let wanted = kind.info().channels.to_string();
    channels.is_none_or(|channels| channels == wanted).then_some(Format::Codec(kind))
}

/// What needs no `a=rtpmap` (RFC 3551 §6).
fn format_of_static(number: u8) -> Option<Format> {
    match number {
        13 => Some(Format::ComfortNoise),
        _ => CodecKind::from_static(number).map(Format::Codec),
    }
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
        use CodecKind::{G722, L16Narrow, L16Wide, Opus, Pcma, Pcmu};
        let cases: [(&str, &[(CodecKind, u8)]); 11] = [
            ("0 8\r\n", &[(Pcmu, 0), (Pcma, 8)]),
            ("9 8 0\r\na=rtpmap:0 PCMU/8000\r\n", &[(G722, 9), (Pcma, 8), (Pcmu, 0)]),
            ("97 98\r\na=rtpmap:98 pcmu/8000/1\r\na=rtpmap:97 PCMA/8000\r\n", &[(Pcma, 97), (Pcmu, 98)]),
            ("97\r\na=rtpmap:97 PCMU/16000\r\n", &[]),
            ("97\r\na=rtpmap:97 PCMU/8000/2\r\n", &[]),
            ("0\r\na=rtpmap:0 EVIL/8000\r\n", &[]),
            ("3 18 96 x 200 300\r\na=rtpmap:96 opus/48000/2\r\n", &[(Opus, 96)]),
            ("96 97\r\na=rtpmap:96 OPUS/48000\r\na=rtpmap:97 opus/48000/1\r\n", &[(Opus, 96)]),
            ("9\r\na=rtpmap:9 G722/16000\r\n", &[(G722, 9)]),
            (
                "11 96 97\r\na=rtpmap:96 L16/8000\r\na=rtpmap:97 L16/16000/1\r\n",
                &[(L16Narrow, 96), (L16Wide, 97)],
            ),
            ("96\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:96\r\n", &[]),
        ];
        for (text, want) in cases {
            read("", text, |stream| assert_eq!(stream.codecs, want, "{text}"));
        }
    }

    #[test]
    fn telephone_events_and_comfort_noise() {
        type Case = (&'static str, &'static [(u32, u8)], Option<u8>);
        let cases: [Case; 6] = [
            (
                "0 101 13\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n",
                &[(8_000, 101)],
                Some(13),
            ),
            (
                "0 96 97\r\na=rtpmap:96 telephone-event/48000\r\na=rtpmap:97 Telephone-Event/8000\r\n",
                &[(48_000, 96), (8_000, 97)],
                None,
            ),
            ("0 101\r\n", &[], None),
            ("0\r\na=rtpmap:101 telephone-event/8000\r\na=rtpmap:13 CN/8000\r\n", &[], None),
            ("0 101\r\na=rtpmap:101 telephone-event/90000\r\n", &[], None),
            ("0 98 99\r\na=rtpmap:98 CN/16000\r\na=rtpmap:99 cn/8000\r\n", &[], Some(99)),
        ];
        for (text, events, comfort_noise) in cases {
            read("", text, |stream| {
                assert_eq!((&stream.events[..], stream.comfort_noise), (events, comfort_noise), "{text}");
            });
        }
    }

    #[test]
    fn opus_parameters_belong_to_their_payload_type() {
        let text = "96 97\r\na=rtpmap:96 opus/48000/2\r\na=fmtp:97 usedtx=1\r\na=fmtp:96 cbr=1;usedtx=0\r\n";
        read("", text, |stream| {
            assert_eq!((stream.opus(96).cbr, stream.opus(96).use_dtx), (true, false));
            assert_eq!(stream.opus(98), OpusParameters::default());
        });
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
            ("", 20, 60),
            ("a=ptime:30\r\n", 30, 60),
            ("a=ptime:10.0\r\n", 10, 60),
            ("a=ptime:60\r\na=maxptime:40\r\n", 40, 40),
            ("a=maxptime:10\r\n", 10, 10),
            ("a=maxptime:150\r\n", 20, 60),
            ("a=ptime:25\r\n", 20, 60),
            ("a=ptime:0\r\n", 20, 60),
            ("a=ptime:500\r\n", 20, 60),
            ("a=ptime:NaN\r\na=maxptime:-1\r\n", 20, 60),
            ("a=ptime\r\n", 20, 60),
        ];
        for (text, want, max) in cases {
            read("", &format!("0\r\n{text}"), |stream| {
                assert_eq!(
                    (stream.ptime_ms(20, CodecKind::Pcmu), stream.max_ptime_ms()),
                    (want, max),
                    "{text}"
                );
            });
        }
        for (wish, pcmu, opus) in [(30, 30, 20), (50, 50, 40), (60, 60, 60), (10, 10, 10)] {
            read("", &format!("0\r\na=ptime:{wish}\r\n"), |stream| {
                assert_eq!(stream.ptime_ms(20, CodecKind::Pcmu), pcmu);
                assert_eq!(stream.ptime_ms(20, CodecKind::Opus), opus);
            });
        }
        read("", "0\r\n", |stream| assert_eq!(stream.ptime_ms(40, CodecKind::Opus), 40));
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
