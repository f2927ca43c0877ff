//! What went wrong with a request, as the published error codes tell it apart (reference: error-codes;
//! twiml-voice §18).

use std::error::Error;
use std::{fmt, io};

use rustls::CertificateError;
use twiml::FetchFailure;

/// The URL is not valid.
pub(super) const BAD_URL: u32 = 11100;
/// Retrieval failed: an error status, no answer in time, nothing else known.
pub(super) const FAILED: u32 = 11200;
/// The TCP connection was not made in time.
pub(super) const CONNECT_TIMED_OUT: u32 = 11201;
/// The TCP connection was refused.
pub(super) const CONNECT_REFUSED: u32 = 11202;
/// The time for all attempts is used up.
pub(super) const TIME_USED_UP: u32 = 11203;
/// The connection failed in another way.
pub(super) const CONNECT_FAILED: u32 = 11205;
/// The server does not speak HTTP.
pub(super) const NOT_HTTP: u32 = 11206;
/// The host's name does not resolve.
pub(super) const NOT_RESOLVED: u32 = 11210;
/// Redirected too often.
pub(super) const REDIRECTED_TOO_OFTEN: u32 = 11215;
/// The TLS handshake failed.
pub(super) const TLS_FAILED: u32 = 11220;
/// The certificate is for another name.
pub(super) const CERTIFICATE_NAME: u32 = 11235;
/// The certificate has expired, or is not valid yet.
pub(super) const CERTIFICATE_EXPIRED: u32 = 11236;
/// No path from the certificate to a trusted root.
pub(super) const CERTIFICATE_UNTRUSTED: u32 = 11237;
/// The body is longer than it may be.
pub(super) const TOO_LARGE: u32 = 11750;
/// A status callback was not taken.
pub(super) const CALLBACK_FAILED: u32 = 15003;

pub(super) fn failure(code: u32, message: impl Into<String>) -> FetchFailure {
    FetchFailure::new(code, message)
}

/// A host that must not, or cannot, be connected to; found while looking its name up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NoSuchHost(pub(super) FetchFailure);

impl fmt::Display for NoSuchHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl Error for NoSuchHost {}

/// Why a connection attempt failed; `over_tls` when one was to be encrypted.
pub(super) fn connect_failure(error: &(dyn Error + 'static), over_tls: bool) -> FetchFailure {
    let mut innermost = String::new();
    for cause in Causes(Some(error)) {
        innermost = cause.to_string();
        if let Some(NoSuchHost(failure)) = cause.downcast_ref::<NoSuchHost>() {
            return failure.clone();
        }
        if let Some(error) = cause.downcast_ref::<rustls::Error>() {
            return failure(tls_code(error), format!("TLS: {error}"));
        }
        if let Some(error) = cause.downcast_ref::<io::Error>()
            && error.get_ref().is_none()
        {
            let code = match error.kind() {
                io::ErrorKind::ConnectionRefused => CONNECT_REFUSED,
                io::ErrorKind::TimedOut => CONNECT_TIMED_OUT,
                // The connection was there already: a handshake that the server breaks off.
                io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof if over_tls => TLS_FAILED,
                _ => CONNECT_FAILED,
            };
            return failure(code, error.to_string());
        }
    }
    // The handshake layer reports a server that hangs up as an error of its own making.
    failure(if over_tls && innermost.contains("eof") { TLS_FAILED } else { CONNECT_FAILED }, innermost)
}

/// Why a connection that was there brought no answer.
pub(super) fn answer_failure(error: &(dyn Error + 'static)) -> FetchFailure {
    let mut innermost = String::new();
    for cause in Causes(Some(error)) {
        innermost = cause.to_string();
        if cause.downcast_ref::<io::Error>().is_some_and(|error| error.get_ref().is_none()) {
            return failure(FAILED, innermost);
        }
    }
    failure(NOT_HTTP, innermost)
}

fn tls_code(error: &rustls::Error) -> u32 {
    match error {
        rustls::Error::InvalidCertificate(why) => match why {
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                CERTIFICATE_NAME
            }
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => CERTIFICATE_EXPIRED,
            _ => CERTIFICATE_UNTRUSTED,
        },
        _ => TLS_FAILED,
    }
}

/// An error, what caused it, and so on. An IO error's own content counts: `source` skips it.
struct Causes<'a>(Option<&'a (dyn Error + 'static)>);

impl<'a> Iterator for Causes<'a> {
    type Item = &'a (dyn Error + 'static);

    fn next(&mut self) -> Option<Self::Item> {
        let error = self.0?;
        self.0 = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(content) => Some(content),
            None => error.source(),
        };
        Some(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connection_failures_have_their_codes() {
        let io = |kind: io::ErrorKind| io::Error::from(kind);
        let tls = |error: rustls::Error| io::Error::other(io::Error::new(io::ErrorKind::InvalidData, error));
        let certificate = |why| tls(rustls::Error::InvalidCertificate(why));
        for (error, over_tls, code) in [
            (io(io::ErrorKind::ConnectionRefused), false, CONNECT_REFUSED),
            (io(io::ErrorKind::ConnectionRefused), true, CONNECT_REFUSED),
            (io(io::ErrorKind::TimedOut), false, CONNECT_TIMED_OUT),
            (io(io::ErrorKind::HostUnreachable), false, CONNECT_FAILED),
            (io(io::ErrorKind::ConnectionReset), false, CONNECT_FAILED),
            (io(io::ErrorKind::ConnectionReset), true, TLS_FAILED),
            (io::Error::other("tls handshake eof"), true, TLS_FAILED),
            (tls(rustls::Error::DecryptError), true, TLS_FAILED),
            (certificate(CertificateError::NotValidForName), true, CERTIFICATE_NAME),
            (certificate(CertificateError::Expired), true, CERTIFICATE_EXPIRED),
            (certificate(CertificateError::NotValidYet), true, CERTIFICATE_EXPIRED),
            (certificate(CertificateError::UnknownIssuer), true, CERTIFICATE_UNTRUSTED),
            (certificate(CertificateError::BadSignature), true, CERTIFICATE_UNTRUSTED),
        ] {
            assert_eq!(connect_failure(&error, over_tls).code, code, "{error:?}");
        }
        let unresolved = NoSuchHost(failure(NOT_RESOLVED, "no such host"));
        assert_eq!(connect_failure(&io::Error::other(unresolved), true).code, NOT_RESOLVED);
    }
}
