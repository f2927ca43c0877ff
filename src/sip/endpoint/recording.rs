//! The INVITE that begins a recording session (RFC 7866 §6.1): what makes it one beside its offer.

use crate::session::SDP;
use crate::{HeaderName, Request};

/// Marks whoever sends the sound, in its Contact (RFC 7866 §6.1.1).
pub(super) const SOURCE: &str = "+sip.src";

/// What the recorder must understand (RFC 7866 §11.1).
const SIPREC: &str = "siprec";

/// The type of the metadata (RFC 7866 §9.1, §11.3).
const METADATA: &str = "application/rs-metadata+xml";

/// Writes offer and metadata into an INVITE. `random` is not found in either.
pub(super) fn describe(invite: &mut Request, offer: &[u8], metadata: &[u8], random: &str) {
    invite.headers.push(HeaderName::Require, SIPREC);
    invite.headers.push(HeaderName::ContentType, format!("multipart/mixed;boundary={random}"));
    let mut body = Vec::with_capacity(offer.len() + metadata.len() + 256);
    for (content_type, disposition, part) in
        [(SDP, "session;handling=required", offer), (METADATA, "recording-session", metadata)]
    {
        body.extend_from_slice(
            format!(
                "--{random}\r\nContent-Type: {content_type}\r\nContent-Disposition: {disposition}\r\n\r\n"
            )
            .as_bytes(),
        );
        body.extend_from_slice(part);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{random}--\r\n").as_bytes());
    invite.body = body;
}

/// Whether a request begins one.
pub(super) fn is_begun_by(request: &Request) -> bool {
    request.headers.text(&HeaderName::Require).is_some_and(|require| require == SIPREC)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Method;
    use crate::session::sdp_of;

    #[test]
    fn offer_and_metadata_stand_side_by_side() {
        let mut invite = Request::new(Method::Invite, "sip:srs@192.0.2.30".parse().unwrap());
        assert!(!is_begun_by(&invite));
        describe(&mut invite, b"v=0\r\ns=-\r\n", b"<recording/>", "0123456789abcdef");
        assert!(is_begun_by(&invite));
        assert_eq!(sdp_of(&invite.headers, &invite.body), Ok(Some(b"v=0\r\ns=-\r\n".to_vec())));
        let body = String::from_utf8(invite.body).unwrap();
        let expected = "--0123456789abcdef\r\nContent-Type: application/rs-metadata+xml\r\n\
             Content-Disposition: recording-session\r\n\r\n<recording/>\r\n--0123456789abcdef--\r\n";
        assert!(body.ends_with(expected), "{body}");
    }
}
