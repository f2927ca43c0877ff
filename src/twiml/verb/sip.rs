//! `<Sip>` (reference: twiml-voice §10.2).

use serde::{Deserialize, Serialize};

use super::client::is_token;
use super::{MachineDetection, StatusCallback, machine_detection};
use crate::HttpMethod;
use crate::reading::{Node, Reading, attribute, owned, shortened, tag, text};

/// A SIP address to ring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SipNoun {
    /// `sip:` or `sips:` URI with its parameters, without its headers.
    pub uri: String,
    /// The headers of the URI and of `<Headers>`, decoded, checked and free of control characters.
    pub headers: Vec<(String, String)>,
    /// Answers a challenge.
    pub username: Option<String>,
    /// Answers a challenge.
    pub password: Option<String>,
    /// Document run on the callee after the answer, before bridging.
    pub url: Option<String>,
    /// How that is requested.
    pub method: HttpMethod,
    /// Where the leg's progress is told.
    pub status_callback: Option<StatusCallback>,
    /// Listen who answered.
    pub machine_detection: Option<MachineDetection>,
}

/// `None` when the URI is none (13243).
pub(crate) fn read(node: Node<'_>, reading: &mut Reading<'_>) -> Option<SipNoun> {
    reading.known_attributes(node, ATTRIBUTES, &["detectionMode"]);
    reading.only_children(node, &["Uri", "Headers", "Parameter"]);
    let target = child(node, "Uri").unwrap_or(node);
    let written = text(target);
    let (uri, in_uri) = written.split_once('?').unwrap_or((&written, ""));
    let mut headers = Vec::new();
    uri_headers(in_uri, target, reading, &mut headers);
    element_headers(node, reading, &mut headers);
    let (username, password) = credentials(node, target, reading);
    let noun = SipNoun {
        uri: uri.to_owned(),
        headers,
        username,
        password,
        url: owned(node, "url").filter(|url| !url.is_empty()),
        method: reading.method(node, "method", 13241),
        status_callback: reading.status_callback(node, 13241),
        machine_detection: machine_detection::read(node, reading),
    };
    let dialled = is_sip_uri(uri);
    if !dialled {
        let message = format!("\"{}\" is not a SIP URI and is not dialled", shortened(uri));
        reading.bad(13243, target.range().start, message);
    }
    dialled.then_some(noun)
}

/// `?x-foo=bar&…`: each becomes a header of the INVITE.
fn uri_headers(part: &str, node: Node<'_>, reading: &mut Reading<'_>, headers: &mut Vec<(String, String)>) {
    if part.len() > HEADER_BYTES_MAX {
        reading.bad(13253, node.range().start, "the headers of the SIP URI are longer than 1024 characters");
        return;
    }
    for pair in part.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let decoded =
            |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
        header(&decoded(name), decoded(value), node, reading, headers);
    }
}

/// `<Headers><Header name value/></Headers>`.
fn element_headers(node: Node<'_>, reading: &mut Reading<'_>, headers: &mut Vec<(String, String)>) {
    let Some(parent) = child(node, "Headers") else { return };
    reading.only_children(parent, &["Header"]);
    for element in parent.children().filter(|c| c.is_element() && tag(*c) == "Header") {
        reading.known_attributes(element, &["name", "value"], &[]);
        let value = attribute(element, "value").unwrap_or_default().to_owned();
        header(attribute(element, "name").unwrap_or_default(), value, element, reading, headers);
    }
}

fn header(
    name: &str,
    value: String,
    node: Node<'_>,
    reading: &mut Reading<'_>,
    headers: &mut Vec<(String, String)>,
) {
    let at = node.range().start;
    let extension = name.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("x-"));
    let allowed = extension || HEADERS_ALLOWED.iter().any(|known| known.eq_ignore_ascii_case(name));
    if !allowed || !is_token(name) {
        reading.bad(13252, at, format!("header \"{}\" cannot be sent and was ignored", shortened(name)));
    } else if value.contains(char::is_control) {
        reading.bad(
            32112,
            at,
            format!("the value of header \"{name}\" has control characters and was ignored"),
        );
    } else if value.len() > HEADER_BYTES_MAX {
        reading.bad(13253, at, format!("header \"{name}\" is longer than 1024 characters and was ignored"));
    } else if headers.len() >= HEADERS_MAX {
        reading.bad(13251, at, format!("header \"{name}\" is one too many and was ignored"));
    } else {
        headers.push((name.to_owned(), value));
    }
}

/// Of the noun, or of its `<Uri>`.
fn credentials(
    node: Node<'_>,
    target: Node<'_>,
    reading: &mut Reading<'_>,
) -> (Option<String>, Option<String>) {
    if target != node {
        reading.known_attributes(target, &["username", "password", "priority", "weight"], &[]);
    }
    let named = |name| owned(node, name).or_else(|| owned(target, name)).filter(|value| !value.is_empty());
    let (username, password) = (named("username"), named("password"));
    let unfit = |value: &Option<String>| value.as_ref().is_some_and(|v| v.contains(char::is_control));
    if (username.is_none() && password.is_some()) || unfit(&username) || unfit(&password) {
        reading.bad(
            13249,
            node.range().start,
            "username and password of Sip are not usable and were ignored",
        );
        return (None, None);
    }
    (username, password)
}

fn child<'n>(node: Node<'n>, name: &str) -> Option<Node<'n>> {
    node.children().find(|c| c.is_element() && tag(*c) == name)
}

/// Enough to refuse what certainly cannot be dialled; the SIP stack reads the rest.
fn is_sip_uri(uri: &str) -> bool {
    let rest = ["sip:", "sips:"].iter().find_map(|scheme| {
        uri.get(..scheme.len()).filter(|s| s.eq_ignore_ascii_case(scheme)).map(|s| &uri[s.len()..])
    });
    let Some(rest) = rest else { return false };
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    let named = host.starts_with(|c: char| c.is_alphanumeric() || c == '[');
    let clean = !uri.contains(|c: char| c.is_whitespace() || c.is_control() || "<>\"".contains(c));
    named && clean && uri.len() < URI_BYTES_MAX
}

const ATTRIBUTES: &[&str] = &[
    "amdStatusCallback",
    "amdStatusCallbackMethod",
    "machineDetection",
    "machineDetectionSilenceTimeout",
    "machineDetectionSpeechEndThreshold",
    "machineDetectionSpeechThreshold",
    "machineDetectionTimeout",
    "method",
    "password",
    "statusCallback",
    "statusCallbackEvent",
    "statusCallbackMethod",
    "url",
    "username",
];
/// Headers without `X-` that a document may set.
const HEADERS_ALLOWED: &[&str] =
    &["User-to-User", "Remote-Party-ID", "P-Preferred-Identity", "P-Called-Party-ID"];
const URI_BYTES_MAX: usize = 255;
const HEADER_BYTES_MAX: usize = 1_024;
const HEADERS_MAX: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verb::table::noun_in_dial;
    use crate::verb::{Noun, ProgressEvent};

    fn plain(uri: &str) -> SipNoun {
        SipNoun {
            uri: uri.into(),
            headers: vec![],
            username: None,
            password: None,
            url: None,
            method: HttpMethod::Post,
            status_callback: None,
            machine_detection: None,
        }
    }

    fn with_headers(uri: &str, headers: &[(&str, &str)]) -> SipNoun {
        let headers = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        SipNoun { headers, ..plain(uri) }
    }

    #[test]
    fn content_and_bad_values() {
        let uri = "sip:a@h.example";
        let told = SipNoun {
            status_callback: Some(StatusCallback {
                url: "http://h/events".into(),
                method: HttpMethod::Post,
                events: vec![ProgressEvent::Initiated, ProgressEvent::Answered, ProgressEvent::Completed],
            }),
            ..plain(uri)
        };
        let secret = |password: Option<&str>| SipNoun {
            username: Some("u".into()),
            password: password.map(str::to_owned),
            ..plain(uri)
        };
        for (xml, expected, codes) in [
            ("<Sip>sip:a@h.example</Sip>", Some(plain(uri)), vec![]),
            ("<Sip>\n  sip:a@h.example\n</Sip>", Some(plain(uri)), vec![]),
            (
                "<Sip>sips:a@[::1]:5061;transport=tls</Sip>",
                Some(plain("sips:a@[::1]:5061;transport=tls")),
                vec![],
            ),
            ("<Sip><Uri>sip:a@h.example</Uri></Sip>", Some(plain(uri)), vec![]),
            (
                "<Sip>sip:a@h.example?x-one=1%202&amp;User-to-User=ab</Sip>",
                Some(with_headers(uri, &[("x-one", "1 2"), ("User-to-User", "ab")])),
                vec![],
            ),
            (
                "<Sip><Uri>sip:a@h.example</Uri><Headers><Header name='X-A' value='1'/></Headers></Sip>",
                Some(with_headers(uri, &[("X-A", "1")])),
                vec![],
            ),
            ("<Sip>sip:a@h.example?Subject=x</Sip>", Some(plain(uri)), vec![13252]),
            ("<Sip>sip:a@h.example?x-a%0d%0aVia=x</Sip>", Some(plain(uri)), vec![13252]),
            ("<Sip>sip:a@h.example?x-a=1%0d%0aVia:%20x</Sip>", Some(plain(uri)), vec![32112]),
            (
                "<Sip statusCallback='http://h/events' statusCallbackEvent='initiated answered completed'>sip:a@h.example</Sip>",
                Some(told),
                vec![],
            ),
            ("<Sip username='u' password='p'>sip:a@h.example</Sip>", Some(secret(Some("p"))), vec![]),
            ("<Sip username='u'>sip:a@h.example</Sip>", Some(secret(None)), vec![]),
            ("<Sip password='p'>sip:a@h.example</Sip>", Some(plain(uri)), vec![13249]),
            ("<Sip method='x'>sip:a@h.example</Sip>", Some(plain(uri)), vec![13241]),
            ("<Sip sendDigits='1'>sip:a@h.example</Sip>", Some(plain(uri)), vec![12200]),
            ("<Sip>a@h.example</Sip>", None, vec![13243]),
            ("<Sip>sip:</Sip>", None, vec![13243]),
            ("<Sip>sip:a@h b</Sip>", None, vec![13243]),
            ("<Sip/>", None, vec![13243]),
        ] {
            assert_eq!(noun_in_dial(xml), (expected.map(Noun::Sip), codes), "{xml}");
        }
    }

    #[test]
    fn what_is_too_long_or_too_many_is_left_out() {
        let long = format!("<Sip>sip:{}@h</Sip>", "a".repeat(260));
        assert_eq!(noun_in_dial(&long), (None, vec![13243]));
        let long = format!("<Sip>sip:a@h?x-a={}</Sip>", "1".repeat(1_024));
        assert_eq!(noun_in_dial(&long), (Some(Noun::Sip(plain("sip:a@h"))), vec![13253]));
        let many = format!("<Sip>sip:a@h?{}</Sip>", "x-a=1&amp;".repeat(33));
        let (Some(Noun::Sip(sip)), codes) = noun_in_dial(&many) else { panic!() };
        assert_eq!((sip.headers.len(), codes), (32, vec![13251]));
    }
}
