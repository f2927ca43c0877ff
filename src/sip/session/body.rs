//! Finding the session description in a message (RFC 3261 §8.2.3, RFC 5621).

use crate::{HeaderName, Headers};

/// Parts of a multipart body that are looked at.
const PARTS_MAX: usize = 16;

/// The only type of body the box reads.
pub(crate) const SDP: &str = "application/sdp";

/// A body that the sender insists on and that is no SDP: 415.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotSdp;

/// The SDP in a message: its body, or a part of its multipart body. `None`: there is no body, or none that must be
/// understood (`handling=optional`, RFC 3261 §20.11).
pub(crate) fn sdp_of(headers: &Headers, body: &[u8]) -> Result<Option<Vec<u8>>, NotSdp> {
    if body.is_empty() {
        return Ok(None);
    }
    let encoding = headers.text(&HeaderName::ContentEncoding);
    if encoding.is_some_and(|encoding| !encoding.trim().eq_ignore_ascii_case("identity")) {
        return Err(NotSdp);
    }
    let content_type = headers.text(&HeaderName::ContentType).unwrap_or_default();
    if is_type(&content_type, SDP) || (content_type.is_empty() && body.starts_with(b"v=0")) {
        return Ok(Some(body.to_vec()));
    }
    if content_type.trim_start().get(..10).is_some_and(|head| head.eq_ignore_ascii_case("multipart/"))
        && let Some(boundary) = boundary(&content_type)
        && let Some(part) = sdp_part(body, &boundary)
    {
        return Ok(Some(part));
    }
    let disposition = headers.text(&HeaderName::ContentDisposition).unwrap_or_default().to_ascii_lowercase();
    if disposition.contains("handling=optional") { Ok(None) } else { Err(NotSdp) }
}

fn is_type(value: &str, wanted: &str) -> bool {
    value.split(';').next().is_some_and(|name| name.trim().eq_ignore_ascii_case(wanted))
}

fn boundary(content_type: &str) -> Option<String> {
    let param = content_type
        .split(';')
        .skip(1)
        .map(str::trim)
        .find(|param| param.get(..9).is_some_and(|name| name.eq_ignore_ascii_case("boundary=")))?;
    let boundary = param.get(9..)?.trim_matches('"');
    (!boundary.is_empty()).then(|| format!("--{boundary}"))
}

/// The body of the first part that is SDP (RFC 2046 §5.1).
fn sdp_part(body: &[u8], delimiter: &str) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(body).ok()?;
    text.split(delimiter).skip(1).take(PARTS_MAX).find_map(|part| {
        let part = part.strip_prefix("\r\n").or_else(|| part.strip_prefix('\n'))?;
        let (head, content) = part.split_once("\r\n\r\n").or_else(|| part.split_once("\n\n"))?;
        let is_sdp = head.lines().any(|line| {
            line.split_once(':').is_some_and(|(name, value)| {
                name.trim().eq_ignore_ascii_case("content-type") && is_type(value, SDP)
            })
        });
        // The line end before the next delimiter belongs to the delimiter.
        let content =
            content.strip_suffix('\n').map_or(content, |rest| rest.strip_suffix('\r').unwrap_or(rest));
        is_sdp.then(|| content.as_bytes().to_vec())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(HeaderName, &str)]) -> Headers {
        let mut headers = Headers::new();
        for (name, value) in lines {
            headers.push(name.clone(), *value);
        }
        headers
    }

    #[test]
    fn sdp_is_found_or_refused() {
        use HeaderName::{ContentDisposition, ContentEncoding, ContentType};
        let some = Ok(Some(b"v=0\r\n".to_vec()));
        for (lines, found) in [
            (&[(ContentType, "application/sdp")][..], some.clone()),
            (&[(ContentType, "Application/SDP; charset=utf-8")], some.clone()),
            (&[], some),
            (&[(ContentType, "application/sdp"), (ContentEncoding, "gzip")], Err(NotSdp)),
            (&[(ContentType, "text/plain")], Err(NotSdp)),
            (&[(ContentType, "text/plain"), (ContentDisposition, "render; handling=optional")], Ok(None)),
            (&[(ContentType, "multipart/mixed")], Err(NotSdp)),
        ] {
            assert_eq!(sdp_of(&headers(lines), b"v=0\r\n"), found, "{lines:?}");
        }
        assert_eq!(sdp_of(&headers(&[(ContentType, "text/plain")]), b""), Ok(None));
    }

    #[test]
    fn sdp_is_taken_out_of_a_multipart_body() {
        let body = b"--x\r\nContent-Type: application/isup\r\n\r\nv=9\r\n--x\r\ncontent-type: application/sdp\r\n\r\n\
                     v=0\r\ns=-\r\n\r\n--x--\r\n";
        for boundary in ["multipart/mixed;boundary=x", "Multipart/Mixed; a=b; Boundary=\"x\""] {
            let headers = headers(&[(HeaderName::ContentType, boundary)]);
            assert_eq!(sdp_of(&headers, body), Ok(Some(b"v=0\r\ns=-\r\n".to_vec())), "{boundary}");
        }
        let headers = headers(&[(HeaderName::ContentType, "multipart/mixed;boundary=y")]);
        assert_eq!(sdp_of(&headers, body), Err(NotSdp));
    }
}
