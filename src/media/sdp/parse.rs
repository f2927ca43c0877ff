//! Reads a session description.
//!
//! Tolerant where phones are careless (bare LF, missing `o=`, `s=` or `t=`, unknown lines, host names where
//! an address belongs), strict where a guess could send audio to the wrong place. Takes linear time; every
//! list has a maximum, beyond which the description is refused.

use super::SdpError;
use super::description::{Attribute, Connection, Media, Origin, Sdp};

/// Bytes of a description.
pub const BYTES_MAX: usize = 32 * 1024;
/// Bytes of one line.
pub const LINE_BYTES_MAX: usize = 2 * 1024;
/// Streams (`m=`) of a description.
pub const MEDIA_MAX: usize = 16;
/// Attributes (`a=`) of a description, all streams together. Browsers write about 150.
pub const ATTRIBUTES_MAX: usize = 512;
/// Formats of one stream.
pub const FORMATS_MAX: usize = 64;

impl Sdp {
    /// Reads a description; bytes that are not UTF-8 are replaced.
    pub fn parse(bytes: &[u8]) -> Result<Sdp, SdpError> {
        if bytes.len() > BYTES_MAX {
            return Err(SdpError::TooLarge { what: "bytes", max: BYTES_MAX });
        }
        let text = String::from_utf8_lossy(bytes);
        let mut lines = text
            .split('\n')
            .map(|line| line.strip_suffix('\r').unwrap_or(line).trim_end_matches(' '))
            .enumerate()
            .map(|(index, line)| (index + 1, line))
            .filter(|(_, line)| !line.is_empty());

        // RFC 8866 §5.1: there is no other version, and a body that does not begin so is something else.
        match lines.next() {
            Some((_, "v=0")) => {}
            other => {
                let line = other.map_or(1, |(number, _)| number);
                return Err(SdpError::Syntax { line, why: "does not begin with v=0" });
            }
        }
        let mut sdp =
            Sdp { origin: None, name: String::new(), connection: None, attributes: vec![], media: vec![] };
        let mut attributes = 0;
        for (number, line) in lines {
            let (kind, value) = split_line(line).map_err(|why| SdpError::Syntax { line: number, why })?;
            match kind {
                b'o' => sdp.origin = parse_origin(value),
                b's' => sdp.name = value.to_owned(),
                b'c' => match sdp.media.last_mut() {
                    None => sdp.connection = Some(parse_connection(value)),
                    Some(media) => media.connection = Some(parse_connection(value)),
                },
                b'm' => {
                    if sdp.media.len() == MEDIA_MAX {
                        return Err(SdpError::TooLarge { what: "streams", max: MEDIA_MAX });
                    }
                    sdp.media.push(parse_media(value, number)?);
                }
                b'a' => {
                    attributes += 1;
                    if attributes > ATTRIBUTES_MAX {
                        return Err(SdpError::TooLarge { what: "attributes", max: ATTRIBUTES_MAX });
                    }
                    let list = sdp.media.last_mut().map_or(&mut sdp.attributes, |m| &mut m.attributes);
                    list.push(parse_attribute(value));
                }
                _ => {}
            }
        }
        Ok(sdp)
    }
}

fn split_line(line: &str) -> Result<(u8, &str), &'static str> {
    if line.len() > LINE_BYTES_MAX {
        return Err("too long");
    }
    // Some of it is written back in answers: nothing may pass that another parser takes for a line end.
    if line.bytes().any(|b| b < b' ' && b != b'\t') {
        return Err("control character");
    }
    match line.as_bytes() {
        [kind, b'=', ..] => Ok((*kind, line[2..].trim_start_matches(' '))),
        _ => Err("not of the form x=…"),
    }
}

fn parse_origin(value: &str) -> Option<Origin> {
    let mut words = value.split_ascii_whitespace();
    let mut word = || words.next().map(str::to_owned);
    let (username, session_id, version) = (word()?, word()?, word()?);
    let (net, kind, address) = (word()?, word()?, word()?);
    Some(Origin { username, session_id, version, address: format!("{net} {kind} {address}") })
}

/// `IN IP4 192.0.2.1/127` → the address.
fn parse_connection(value: &str) -> Connection {
    let words: Vec<&str> = value.split_ascii_whitespace().take(3).collect();
    let address = match words[..] {
        [net, kind, address]
            if net.eq_ignore_ascii_case("IN")
                && (kind.eq_ignore_ascii_case("IP4") || kind.eq_ignore_ascii_case("IP6")) =>
        {
            address.split('/').next().and_then(|a| a.parse().ok())
        }
        _ => None,
    };
    address.map_or_else(|| Connection::Other(value.to_owned()), Connection::Address)
}

fn parse_media(value: &str, line: usize) -> Result<Media, SdpError> {
    let syntax = |why| SdpError::Syntax { line, why };
    let mut words = value.split_ascii_whitespace();
    let (Some(kind), Some(port), Some(protocol)) = (words.next(), words.next(), words.next()) else {
        return Err(syntax("m= needs media, port and protocol"));
    };
    // `49170/2` announces several ports for layered streams; the first is the stream's own.
    let port = port.split('/').next().unwrap_or(port).parse().map_err(|_| syntax("port is not a number"))?;
    let formats: Vec<String> = words.take(FORMATS_MAX + 1).map(str::to_owned).collect();
    if formats.len() > FORMATS_MAX {
        return Err(SdpError::TooLarge { what: "formats", max: FORMATS_MAX });
    }
    Ok(Media {
        kind: kind.to_owned(),
        port,
        protocol: protocol.to_owned(),
        formats,
        connection: None,
        attributes: vec![],
    })
}

fn parse_attribute(value: &str) -> Attribute {
    match value.split_once(':') {
        None => Attribute { name: value.trim_end().to_owned(), value: None },
        Some((name, value)) => Attribute { name: name.to_owned(), value: Some(value.trim().to_owned()) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHONE: &str = "v=0\r\no=alice 2890844526 2890844527 IN IP4 host.example.com\r\ns= \r\n\
        c=IN IP4 192.0.2.4/127\r\nb=AS:64\r\nt=0 0\r\na=tool:x\r\nm=audio 49170/2 RTP/AVP 0 8 101\r\n\
        c=IN IP6 2001:db8::7\r\na=rtpmap:101 telephone-event/8000\r\na=sendonly\r\n";

    fn address(text: &str) -> Option<Connection> {
        Some(Connection::Address(text.parse().unwrap()))
    }

    #[test]
    fn reads_what_matters() {
        let sdp = Sdp::parse(PHONE.as_bytes()).unwrap();
        assert_eq!(sdp.origin.as_ref().unwrap().version, "2890844527");
        assert_eq!(sdp.origin.as_ref().unwrap().address, "IN IP4 host.example.com");
        assert_eq!(sdp.connection, address("192.0.2.4"));
        assert_eq!(sdp.attributes, [Attribute::new("tool", "x")]);
        let audio = &sdp.media[0];
        assert_eq!((audio.kind.as_str(), audio.port, audio.protocol.as_str()), ("audio", 49170, "RTP/AVP"));
        assert_eq!(audio.formats, ["0", "8", "101"]);
        assert_eq!(audio.connection, address("2001:db8::7"));
        assert_eq!(audio.attribute("rtpmap"), Some("101 telephone-event/8000"));
        assert_eq!(audio.attributes[1], Attribute::flag("sendonly"));
    }

    #[test]
    fn what_is_written_reads_the_same() {
        let mut sdp = Sdp::parse(PHONE.as_bytes()).unwrap();
        sdp.name = "-".into();
        assert_eq!(Sdp::parse(sdp.to_string().as_bytes()).unwrap(), sdp);
    }

    #[test]
    fn bare_line_feeds_and_missing_lines_are_taken() {
        let sdp = Sdp::parse(b"v=0\nm=audio 4000 RTP/AVP 0\n\nc=IN IP4 10.0.0.1\nx=unknown\n").unwrap();
        assert_eq!(sdp.media[0].connection, address("10.0.0.1"));
        assert_eq!(sdp.origin, None);
    }

    #[test]
    fn host_names_and_odd_networks_are_no_address() {
        for c in ["IN IP4 phone.example", "ATM NSAP 1.2.3.4", "IN IP4", ""] {
            let sdp = Sdp::parse(format!("v=0\r\nc={c}\r\n").as_bytes()).unwrap();
            assert_eq!(sdp.connection, Some(Connection::Other(c.to_owned())));
        }
    }

    #[test]
    fn what_is_no_description_is_refused_at_its_line() {
        let cases: [(&str, usize); 7] = [
            ("", 1),
            ("v=1\r\n", 1),
            ("<xml/>", 1),
            ("v=0\r\nhello\r\n", 2),
            ("v=0\r\n\r\nm=audio\r\n", 3),
            ("v=0\r\nm=audio 70000 RTP/AVP 0\r\n", 2),
            ("v=0\r\ns=a\rb\r\n", 2),
        ];
        for (text, at) in cases {
            match Sdp::parse(text.as_bytes()) {
                Err(SdpError::Syntax { line, .. }) => assert_eq!(line, at, "{text:?}"),
                other => panic!("{text:?}: {other:?}"),
            }
        }
    }

    #[test]
    fn every_list_has_its_maximum() {
        let too_large = |text: String| match Sdp::parse(text.as_bytes()) {
            Err(SdpError::TooLarge { what, .. }) => what,
            other => panic!("{other:?}"),
        };
        let media = "m=audio 1 RTP/AVP 0\r\n";
        assert!(Sdp::parse(format!("v=0\r\n{}", media.repeat(MEDIA_MAX)).as_bytes()).is_ok());
        assert_eq!(too_large(format!("v=0\r\n{}", media.repeat(MEDIA_MAX + 1))), "streams");
        assert!(Sdp::parse(format!("v=0\r\n{}", "a=x\r\n".repeat(ATTRIBUTES_MAX)).as_bytes()).is_ok());
        assert_eq!(too_large(format!("v=0\r\n{}", "a=x\r\n".repeat(ATTRIBUTES_MAX + 1))), "attributes");
        assert_eq!(too_large(format!("v=0\r\nm=audio 1 RTP/AVP{}", " 0".repeat(FORMATS_MAX + 1))), "formats");
        assert_eq!(too_large(format!("v=0\r\n{}", "\r\n".repeat(BYTES_MAX))), "bytes");
        let long = format!("v=0\r\na={}\r\n", "x".repeat(LINE_BYTES_MAX));
        assert_eq!(Sdp::parse(long.as_bytes()), Err(SdpError::Syntax { line: 2, why: "too long" }));
    }
}
