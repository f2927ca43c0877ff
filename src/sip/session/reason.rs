//! The Reason header: why a session ends (RFC 3326).

use crate::{HeaderName, Headers};

/// Causes below this are Q.850's, from it on SIP status codes (RFC 3326 §2).
const SIP_CAUSES: u16 = 200;

/// `Q.850;cause=16;text="Normal call clearing"` or `SIP;cause=486;text="Busy Here"`.
pub(super) fn write(cause: u16, text: &str) -> String {
    let protocol = if cause < SIP_CAUSES { "Q.850" } else { "SIP" };
    let plain: String =
        text.chars().map(|c| if matches!(c, '"' | '\\') || c.is_control() { ' ' } else { c }).collect();
    if plain.is_empty() {
        format!("{protocol};cause={cause}")
    } else {
        format!("{protocol};cause={cause};text=\"{plain}\"")
    }
}

/// The first cause that can be read, with its text.
pub(super) fn read(headers: &Headers) -> Option<(u16, String)> {
    headers.all(&HeaderName::Reason).find_map(|value| {
        let text = value.text();
        let mut cause = None;
        let mut said = String::new();
        for param in text.split(';').skip(1) {
            match param.split_once('=') {
                Some((name, value)) if name.trim().eq_ignore_ascii_case("cause") => {
                    cause = value.trim().split(',').next().and_then(|number| number.trim().parse().ok());
                }
                Some((name, value)) if name.trim().eq_ignore_ascii_case("text") => {
                    said = value.trim().trim_matches('"').to_owned();
                }
                Some(_) | None => {}
            }
        }
        cause.map(|cause| (cause, said))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_read() {
        for (value, read_as) in [
            ("Q.850;cause=16;text=\"Normal call clearing\"", Some((16, "Normal call clearing"))),
            ("SIP ;cause=200 ;text=\"Call completed elsewhere\"", Some((200, "Call completed elsewhere"))),
            ("SIP;cause=486", Some((486, ""))),
            ("SIP;cause=70000", None),
            ("SIP", None),
            ("", None),
        ] {
            let mut headers = Headers::new();
            headers.push(HeaderName::Reason, value);
            let read = read(&headers);
            assert_eq!(read.as_ref().map(|(cause, text)| (*cause, text.as_str())), read_as, "{value}");
        }
    }

    #[test]
    fn causes_are_written_and_cannot_break_the_header() {
        assert_eq!(write(16, "Normal"), "Q.850;cause=16;text=\"Normal\"");
        assert_eq!(write(480, ""), "SIP;cause=480");
        let mut headers = Headers::new();
        headers.push(HeaderName::Reason, write(200, "a\"b\r\nX: c"));
        assert_eq!(read(&headers), Some((200, "a b  X: c".into())));
    }
}
