//! What a recorder is told of a recording session beside its sound (RFC 7865): who talks to whom, and which stream is
//! whose.

use std::fmt::Write as _;

use base::{Rng, Timestamp};

/// One recording session of one call.
pub(crate) struct Metadata {
    pub(crate) call: String,
    pub(crate) siprec: String,
    /// When it began.
    pub(crate) at: Timestamp,
    /// Who is at the other end of the call's leg.
    pub(crate) peer: Party,
    /// Whom they talk to.
    pub(crate) other: Party,
    /// The label of the stream with what the peer says, and of that with what it hears.
    pub(crate) said: Option<&'static str>,
    pub(crate) heard: Option<&'static str>,
    /// The document's own.
    pub(crate) parameters: Vec<(String, String)>,
}

/// Somebody who talks.
pub(crate) struct Party {
    /// Their address of record, a SIP URI.
    pub(crate) aor: String,
    pub(crate) name: Option<String>,
}

impl Metadata {
    /// The document: a complete one (RFC 7865 §6.1), as the session does not change.
    pub(crate) fn write(&self, rng: &mut Rng) -> String {
        let mut id = || unique_id(rng);
        let (session, peer, other) = (id(), id(), id());
        let streams: Vec<(&str, String, &str, &str)> =
            [(self.said, &peer, &other), (self.heard, &other, &peer)]
                .into_iter()
                .filter_map(|(label, by, to)| Some((label?, id(), by.as_str(), to.as_str())))
                .collect();
        let at = self.at.iso8601();
        let mut xml = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<recording xmlns=\"{RECORDING}\">\r\n\
             <datamode>complete</datamode>\r\n\
             <session session_id=\"{session}\">\r\n<start-time>{at}</start-time>\r\n\
             <call xmlns=\"{OURS}\" callSid=\"{}\" siprecSid=\"{}\"/>\r\n",
            attribute(&self.call),
            attribute(&self.siprec)
        );
        // Writing into a string does not fail.
        for (name, value) in &self.parameters {
            let (name, value) = (attribute(name), attribute(value));
            let _ = write!(xml, "<parameter xmlns=\"{OURS}\" name=\"{name}\" value=\"{value}\"/>\r\n");
        }
        xml.push_str("</session>\r\n");
        for (party, id) in [(&self.peer, &peer), (&self.other, &other)] {
            let aor = attribute(&party.aor);
            let _ = write!(xml, "<participant participant_id=\"{id}\"><nameID aor=\"{aor}\">");
            if let Some(name) = &party.name {
                let _ = write!(xml, "<name>{}</name>", attribute(name));
            }
            xml.push_str("</nameID></participant>\r\n");
        }
        for (label, stream, _, _) in &streams {
            let _ = write!(
                xml,
                "<stream stream_id=\"{stream}\" session_id=\"{session}\"><label>{label}</label></stream>\r\n"
            );
        }
        for id in [&peer, &other] {
            let _ = write!(
                xml,
                "<participantsessionassoc participant_id=\"{id}\" session_id=\"{session}\">\
                 <associate-time>{at}</associate-time></participantsessionassoc>\r\n"
            );
        }
        for id in [&peer, &other] {
            let _ = write!(xml, "<participantstreamassoc participant_id=\"{id}\">");
            for (_, stream, _, _) in streams.iter().filter(|(_, _, by, _)| by == id) {
                let _ = write!(xml, "<send>{stream}</send>");
            }
            for (_, stream, _, _) in streams.iter().filter(|(_, _, _, to)| to == id) {
                let _ = write!(xml, "<recv>{stream}</recv>");
            }
            xml.push_str("</participantstreamassoc>\r\n");
        }
        xml.push_str("</recording>\r\n");
        xml
    }
}

/// A random UUID (RFC 9562 §5.4) in base64, as RFC 7865 §6.10 has it.
fn unique_id(rng: &mut Rng) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut id = String::with_capacity(24);
    for n in 0..22 {
        let sixth = rng.u32() as usize & 63;
        let sixth = match n {
            // Where the version and the variant stand, and where only two bits are left.
            8 => 0b01_0000 | (sixth & 0b11),
            10 => (sixth & 0b11_1100) | 0b10,
            21 => sixth & 0b11_0000,
            _ => sixth,
        };
        id.push(char::from(LETTERS[sixth]));
    }
    id.push_str("==");
    id
}

/// A text as an attribute or element may contain it; what XML has no way to say is left out.
fn attribute(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars().take(VALUE_CHARS_MAX) {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
            c => out.push(c),
        }
    }
    out
}

/// The namespace of RFC 7865 §10.
const RECORDING: &str = "urn:ietf:params:xml:ns:recording:1";

/// The namespace of what the box adds (RFC 7865 §6.1.1 leaves room for it).
const OURS: &str = "urn:tandem:siprec:1";

/// Characters of one value.
const VALUE_CHARS_MAX: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata() -> Metadata {
        Metadata {
            call: "CA1".to_owned(),
            siprec: "SR1".to_owned(),
            at: Timestamp(1_790_000_000_000_000),
            peer: Party {
                aor: "sip:+15557654321@192.0.2.1".to_owned(),
                name: Some("Ann <\"&\u{1}".to_owned()),
            },
            other: Party { aor: "sip:+15550001111@192.0.2.1".to_owned(), name: None },
            said: Some("1"),
            heard: Some("2"),
            parameters: vec![("desk".to_owned(), "3 & 4".to_owned())],
        }
    }

    /// The text between two marks, of each place.
    fn between<'a>(text: &'a str, start: &str, end: &str) -> Vec<&'a str> {
        text.split(start).skip(1).filter_map(|rest| rest.split(end).next()).collect()
    }

    #[test]
    fn each_stream_is_sent_by_one_and_heard_by_the_other() {
        let xml = metadata().write(&mut Rng::seeded(1));
        let participants = between(&xml, "<participant participant_id=\"", "\"");
        let streams = between(&xml, "<stream stream_id=\"", "\"");
        assert_eq!((participants.len(), streams.len()), (2, 2));
        assert_eq!(between(&xml, "<label>", "<"), ["1", "2"]);
        let flows = between(&xml, "<participantstreamassoc participant_id=\"", "</participantstreamassoc>");
        let flow = |by: usize, sends: usize, hears: usize| {
            let (by, sends, hears) = (participants[by], streams[sends], streams[hears]);
            format!("{by}\"><send>{sends}</send><recv>{hears}</recv>")
        };
        assert_eq!(flows, [flow(0, 0, 1), flow(1, 1, 0)]);
        assert!(xml.contains("<nameID aor=\"sip:+15557654321@192.0.2.1\"><name>Ann &lt;&quot;&amp;</name>"));
        assert!(xml.contains("name=\"desk\" value=\"3 &amp; 4\""), "{xml}");
        assert!(xml.contains("callSid=\"CA1\" siprecSid=\"SR1\"") && xml.contains("<datamode>complete<"));
    }

    #[test]
    fn one_track_alone_has_one_stream() {
        let xml = Metadata { heard: None, ..metadata() }.write(&mut Rng::seeded(1));
        assert_eq!(between(&xml, "<label>", "<"), ["1"]);
        assert_eq!((xml.matches("<send>").count(), xml.matches("<recv>").count()), (1, 1));
    }

    #[test]
    fn an_id_is_a_uuid_in_base64() {
        let mut rng = Rng::seeded(3);
        for _ in 0..100 {
            let id = unique_id(&mut rng);
            assert!(id.len() == 24 && id.ends_with("=="), "{id}");
            let bytes = id.as_bytes();
            assert!(b"QRST".contains(&bytes[8]), "version 4: {id}");
            assert!(b"CGKOSWaeimquy26+".contains(&bytes[10]), "its variant: {id}");
            assert!(b"AQgw".contains(&bytes[21]), "16 bytes: {id}");
        }
    }
}
