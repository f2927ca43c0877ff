//! The same sums for HTTP (RFC 7616): one request, its challenge, one answer.

use super::client::Realm;
use crate::msg::syntax;

/// The `Authorization` of a request that an HTTP server has challenged with these `WWW-Authenticate` headers; `None`
/// when none of the challenges can be met. Of several the first that can be. `uri` is the request's target as it
/// stands on its first line, `cnonce` a text nobody can guess.
pub fn answer_http_challenge<'a>(
    challenges: impl IntoIterator<Item = &'a str>,
    (user, password): (&str, &str),
    method: &str,
    uri: &str,
    cnonce: &str,
) -> Option<String> {
    let (mut realm, _) =
        challenges.into_iter().flat_map(apart).find_map(|text| Realm::from_challenge(&text, false))?;
    Some(realm.credentials(user, password, method, uri, cnonce))
}

/// The challenges of one header: a comma stands between two of them as it does between their parameters (RFC 9110
/// §11.6.1).
fn apart(header: &str) -> Vec<String> {
    let mut challenges: Vec<String> = Vec::new();
    for piece in syntax::split(header, b',').map(syntax::trim).filter(|piece| !piece.is_empty()) {
        let scheme = piece.split([' ', '\t']).next().unwrap_or_default();
        if let Some(challenge) = challenges.last_mut()
            && scheme.contains('=')
        {
            challenge.push_str(", ");
            challenge.push_str(piece);
        } else if challenges.len() < CHALLENGES_MAX {
            challenges.push(piece.to_owned());
        } else {
            break;
        }
    }
    challenges
}

/// Challenges of one header that are looked at.
const CHALLENGES_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    const MUFASA: (&str, &str) = ("Mufasa", "Circle of Life");

    /// RFC 7616 §3.9.1.
    #[test]
    fn the_example_of_the_rfc() {
        let challenge = |algorithm: &str| {
            format!(
                "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm={algorithm}, \
                 nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", \
                 opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
            )
        };
        let cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
        for (algorithm, response) in [
            ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
            ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ] {
            let challenge = challenge(algorithm);
            let answer =
                answer_http_challenge([challenge.as_str()], MUFASA, "GET", "/dir/index.html", cnonce)
                    .unwrap();
            assert!(answer.starts_with("Digest username=\"Mufasa\", realm=\"http-auth@example.org\", "));
            for part in [
                "uri=\"/dir/index.html\"",
                &format!("response=\"{response}\""),
                "qop=auth, nc=00000001",
                "opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"",
            ] {
                assert!(answer.contains(part), "{part}: {answer}");
            }
        }
    }

    #[test]
    fn a_challenge_is_found_among_others_and_what_cannot_be_met_is_not() {
        let answer = |headers: &[&str]| {
            answer_http_challenge(headers.iter().copied(), MUFASA, "POST", "/", "c").is_some()
        };
        for (headers, met) in [
            (&["Basic realm=\"a, b\", Digest realm=\"r\", nonce=\"n\""][..], true),
            (&["Digest realm=\"r\", nonce=\"n\", Basic realm=\"a\""], true),
            (&["Basic realm=\"a\"", "digest nonce=\"n\",realm=\"r\""], true),
            (&["Basic realm=\"a\""], false),
            (&["Negotiate"], false),
            (&["Digest realm=\"r\", nonce=\"n\", algorithm=SHA-512-256"], false),
            (&["Digest realm=\"r\", nonce=\"n\", qop=\"auth-int\""], false),
            (&[""], false),
            (&[], false),
        ] {
            assert_eq!(answer(headers), met, "{headers:?}");
        }
        let many = "Basic realm=\"a\",".repeat(1_000) + "Digest realm=\"r\", nonce=\"n\"";
        assert!(!answer(&[&many]), "only so many are looked at");
    }
}
