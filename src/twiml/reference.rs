//! URLs in documents: what a relative reference means (RFC 3986 §5; reference: twiml-voice §1.4).

use url::Url;

use crate::HttpMethod;

/// The absolute URL a reference stands for, or `None` when there is none (11100).
///
/// What is absolute stays as written, so that logs, signatures and web servers see the user's own text. An empty
/// reference is the base itself, query included. A base without `//` (`app:flow/reception`, `file:welcome.xml`)
/// resolves like any other: its last segment is replaced.
pub(crate) fn resolve(base: Option<&str>, reference: &str) -> Option<String> {
    let reference = reference.trim();
    if let Some(rest) = after_scheme(reference) {
        // `localhost:8080/voice` is no scheme anybody meant.
        let port = rest.starts_with(|c: char| c.is_ascii_digit());
        return (!port && Url::parse(reference).is_ok()).then(|| reference.to_owned());
    }
    let base = without_fragment(base?);
    if reference.is_empty() || reference.starts_with('#') {
        return Some(format!("{base}{reference}"));
    }
    let rest = after_scheme(base)?;
    if rest.starts_with('/') {
        return Url::parse(base).ok()?.join(reference).ok().map(String::from);
    }
    let scheme = base.strip_suffix(rest)?;
    let stand_in = Url::parse(&format!("{STAND_IN}{rest}")).ok()?;
    let joined = String::from(stand_in.join(reference).ok()?);
    joined.strip_prefix(STAND_IN).map(|path| format!("{scheme}{path}"))
}

/// The base of a document: where it was found in the end, unless that is where it was asked for.
///
/// The asked-for URL is kept for its credentials, which relative references share, and without the parameters
/// that a GET appends to it: they belong to the request, not to the document's name.
pub(crate) fn document_url(requested: &str, method: HttpMethod, found: &str) -> String {
    let requested = without_fragment(requested);
    let found = without_fragment(found);
    let (Some(asked), Some(last)) = (bare(requested), bare(found)) else {
        return if found.is_empty() { requested.to_owned() } else { found.to_owned() };
    };
    let appended = method == HttpMethod::Get
        && asked.path() == last.path()
        && asked.origin() == last.origin()
        && last.query().unwrap_or_default().starts_with(asked.query().unwrap_or_default())
        && has_call_sid(&last)
        && !has_call_sid(&asked);
    if asked == last || appended { requested.to_owned() } else { found.to_owned() }
}

/// What stands before the fragment of connection overrides.
pub(crate) fn without_fragment(url: &str) -> &str {
    url.split_once('#').map_or(url, |(before, _)| before)
}

/// A URL as logs and other servers may see it: without credentials and without overrides.
pub fn shown(url: &str) -> String {
    let url = without_fragment(url);
    let Some((scheme, rest)) = url.split_once("//") else { return url.to_owned() };
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    match authority.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}//{host}{path}"),
        None => url.to_owned(),
    }
}

fn has_call_sid(url: &Url) -> bool {
    url.query_pairs().any(|(name, _)| name == "CallSid")
}

/// Without credentials, normalised.
fn bare(url: &str) -> Option<Url> {
    let mut url = Url::parse(url).ok()?;
    if url.has_authority() && url.host().is_some() && url.scheme() != "file" {
        url.set_username("").ok()?;
        url.set_password(None).ok()?;
    }
    Some(url)
}

/// What follows `scheme:` (RFC 3986 §3.1).
fn after_scheme(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once(':')?;
    let mut bytes = scheme.bytes();
    let valid = bytes.next().is_some_and(|b| b.is_ascii_alphabetic())
        && bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    valid.then_some(rest)
}

/// Gives a URL without authority one while it is resolved.
const STAND_IN: &str = "http://stand-in.invalid/";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_resolve() {
        let base = "http://u:p@h.example:8080/a/voice?x=1&y=2#rc=2";
        for (base, reference, expected) in [
            (base, "http://other/b", Some("http://other/b")),
            (base, "http://other", Some("http://other")),
            (base, "https://o/b?q=1#rt=100", Some("https://o/b?q=1#rt=100")),
            (base, "", Some("http://u:p@h.example:8080/a/voice?x=1&y=2")),
            (base, "#ct=100", Some("http://u:p@h.example:8080/a/voice?x=1&y=2#ct=100")),
            (base, "next", Some("http://u:p@h.example:8080/a/next")),
            (base, "next?d=3#rc=1", Some("http://u:p@h.example:8080/a/next?d=3#rc=1")),
            (base, "?d=3", Some("http://u:p@h.example:8080/a/voice?d=3")),
            (base, "/next", Some("http://u:p@h.example:8080/next")),
            (base, "../next", Some("http://u:p@h.example:8080/next")),
            (base, "../../next", Some("http://u:p@h.example:8080/next")),
            (base, "./b/c", Some("http://u:p@h.example:8080/a/b/c")),
            (base, "//other/b", Some("http://other/b")),
            (base, " next ", Some("http://u:p@h.example:8080/a/next")),
            ("https://my_host.local/v", "b", Some("https://my_host.local/b")),
            ("http://[::1]:9/v", "b", Some("http://[::1]:9/b")),
            ("file:///etc/t/welcome.xml", "busy.wav", Some("file:///etc/t/busy.wav")),
            ("file:welcome.xml", "busy.wav", Some("file:busy.wav")),
            ("app:flow/reception?x=1", "menu?y=2", Some("app:flow/menu?y=2")),
            ("app:flow/reception?x=1", "", Some("app:flow/reception?x=1")),
            ("app:flow/reception", "//evil/x", None),
            (base, "http://", None),
            (base, "http://a b/", None),
            (base, "localhost:8080/voice", None),
        ] {
            assert_eq!(resolve(Some(base), reference).as_deref(), expected, "{base} + {reference}");
        }
        for (reference, expected) in
            [("http://h/b", Some("http://h/b")), ("b", None), ("", None), ("/b", None)]
        {
            assert_eq!(resolve(None, reference).as_deref(), expected, "inline + {reference}");
        }
    }

    #[test]
    fn credentials_are_not_shown() {
        for (url, expected) in [
            ("http://u:p@h:8080/a?b=c@d#rc=1", "http://h:8080/a?b=c@d"),
            ("//u@h", "//h"),
            ("http://h/a@b", "http://h/a@b"),
            ("http://", "http://"),
            ("x@y", "x@y"),
            ("", ""),
        ] {
            assert_eq!(shown(url), expected);
        }
    }

    #[test]
    fn the_base_is_the_final_url() {
        use HttpMethod::{Get, Post};
        for (requested, method, found, expected) in [
            ("http://h/v", Post, "http://h/v", "http://h/v"),
            ("http://h", Post, "http://h/", "http://h"),
            ("http://h/v#rc=1", Post, "http://h/v", "http://h/v"),
            ("http://u:p@h/v", Post, "http://h/v", "http://u:p@h/v"),
            ("http://h/v", Post, "https://other/w?x=1", "https://other/w?x=1"),
            ("http://h/v?a=1", Get, "http://h/v?a=1&CallSid=CA1&From=x", "http://h/v?a=1"),
            ("http://h/v", Get, "http://h/w?CallSid=CA1", "http://h/w?CallSid=CA1"),
            ("http://h/v", Get, "http://h/v?step=2", "http://h/v?step=2"),
            ("file:welcome.xml", Post, "file:///etc/t/welcome.xml", "file:///etc/t/welcome.xml"),
            ("app:flow/x", Post, "", "app:flow/x"),
        ] {
            assert_eq!(document_url(requested, method, found), expected, "{requested} → {found}");
        }
    }
}
