//! Certificates by authorities of their own.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

pub(super) struct Made {
    /// The authority's certificate, PEM.
    pub(super) authority: String,
    pub(super) acceptor: TlsAcceptor,
}

/// A certificate for `name` by an authority of its own; valid in this century, or only in the last one.
pub(super) fn certificate(name: &str, century: i32) -> Made {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let authority_key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.distinguished_name.push(rcgen::DnType::CommonName, format!("authority for {name} {century}"));
    let authority_pem = authority.self_signed(&authority_key).unwrap().pem();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let first_year = if century > 0 { 2000 } else { 1990 };
    params.not_before = date_time_ymd(first_year, 1, 1);
    params.not_after = date_time_ymd(first_year + if century > 0 { 99 } else { 9 }, 1, 1);
    let certificate = params.signed_by(&key, &Issuer::new(authority, authority_key)).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    Made { authority: authority_pem, acceptor: TlsAcceptor::from(Arc::new(config)) }
}
