//! URIs: `sip:`, `sips:`, `tel:` and whatever else stands where a URI does (RFC 3261 §19.1, RFC 3966).

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::host::{HostRef, parse_hostport};
use super::limits::PARAMS_MAX;
use super::typed::Checked;
use super::{Host, Params};

/// A URI's scheme.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Scheme {
    /// `sip:`
    Sip,
    /// `sips:`, over TLS all the way (RFC 3261 §26.2.2).
    Sips,
    /// `tel:`, a telephone number (RFC 3966).
    Tel,
    /// Any other, in lower case: answered 416 where it matters (RFC 3261 §8.2.2.1).
    Other(String),
}

impl Scheme {
    /// Its name, without the colon.
    pub fn as_str(&self) -> &str {
        match self {
            Scheme::Sip => "sip",
            Scheme::Sips => "sips",
            Scheme::Tel => "tel",
            Scheme::Other(name) => name,
        }
    }
}

/// Why a text is not a URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UriError(pub &'static str);

/// A URI. Text parts keep their escapes as received, so that what is written is what was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Uri {
    /// The scheme.
    pub scheme: Scheme,
    /// What stands before `@`, its own `;parameters` included; of `tel:` the number. Escapes as received.
    pub user: Option<String>,
    /// What stands between `user:` and `@`. Deprecated by RFC 3261 §19.1.1; never written into logs.
    pub password: Option<String>,
    /// The host; an empty name in `tel:` and unknown schemes.
    pub host: Host,
    /// The port, when written.
    pub port: Option<u16>,
    /// `;parameters` after the host, or after the number in `tel:`.
    pub params: Params,
    /// `?name=value&…`, escapes as received (RFC 3261 §19.1.1): header fields for a request made from this URI.
    pub headers: Vec<(String, String)>,
    /// Everything after the colon when the scheme is [`Scheme::Other`]; empty otherwise.
    pub opaque: String,
}

impl Uri {
    /// `sip:user@host:port`. Characters that may not stand in the user part are escaped; an empty user is none.
    pub fn sip(user: &str, host: Host, port: Option<u16>) -> Self {
        Self {
            scheme: Scheme::Sip,
            user: (!user.is_empty()).then(|| escape_user(user)),
            password: None,
            host,
            port,
            params: Params::new(),
            headers: Vec::new(),
            opaque: String::new(),
        }
    }

    /// `tel:number`.
    pub fn tel(number: &str) -> Self {
        Self { scheme: Scheme::Tel, ..Self::sip(number, Host::Name(String::new()), None) }
    }

    /// The user part, or a `tel:` number, with its escapes resolved; empty when there is none.
    pub fn user_decoded(&self) -> Cow<'_, str> {
        unescape(self.user.as_deref().unwrap_or(""))
    }

    /// Who is meant by the user part: decoded, and of a telephone number without the parameters that may follow one
    /// there, as in `sip:+15550001111;npdi;rn=+15550002222@host` (RFC 3261 §19.1.6, RFC 3966 §3, RFC 4694).
    pub fn party(&self) -> Cow<'_, str> {
        let user = self.user.as_deref().unwrap_or("");
        let number = user.split_once(';').map(|(number, _)| unescape(number)).filter(|number| {
            let part = |b: u8| b.is_ascii_digit() || b"+*#-.()".contains(&b);
            number.bytes().any(|b| b.is_ascii_digit()) && number.bytes().all(part)
        });
        number.unwrap_or_else(|| unescape(user))
    }

    /// Whether it is `sip:` or `sips:`.
    pub fn is_sip(&self) -> bool {
        matches!(self.scheme, Scheme::Sip | Scheme::Sips)
    }

    /// The same URI without `?headers` and without the parameters RFC 3261 §19.1.1 (table 1) forbids in a
    /// Request-URI (`method`).
    pub fn for_request(&self) -> Self {
        let mut uri = self.clone();
        uri.headers.clear();
        uri.params.remove("method");
        uri
    }

    /// Whether both URIs mean the same resource (RFC 3261 §19.1.4).
    pub fn equivalent(&self, other: &Uri) -> bool {
        if self.scheme != other.scheme {
            return false;
        }
        if let Scheme::Other(_) = self.scheme {
            return self.opaque == other.opaque;
        }
        same_escaped(self.user.as_deref(), other.user.as_deref())
            && same_escaped(self.password.as_deref(), other.password.as_deref())
            && self.host.equivalent(&other.host)
            && self.port == other.port
            && params_equivalent(&self.params, &other.params)
            && params_equivalent(&other.params, &self.params)
            && headers_equivalent(&self.headers, &other.headers)
    }
}

impl FromStr for Uri {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, UriError> {
        let Parts { scheme, user, password, host, port, params, headers, opaque } = Parts::read(text)?;
        Ok(Self {
            scheme,
            user: user.map(str::to_owned),
            password: password.map(str::to_owned),
            host: host.into(),
            port,
            params: Params::parse_uri(params).map_err(UriError)?,
            headers: uri_headers(headers)
                .map(|header| header.map(|(name, value)| (name.to_owned(), value.to_owned())))
                .collect::<Result<_, _>>()?,
            opaque: opaque.to_owned(),
        })
    }
}

impl Checked for Uri {
    fn check(text: &str) -> Result<(), UriError> {
        let parts = Parts::read(text)?;
        Params::check_uri(parts.params).map_err(UriError)?;
        uri_headers(parts.headers).try_for_each(|header| header.map(drop))
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.scheme.as_str())?;
        match self.scheme {
            Scheme::Other(_) => return f.write_str(&self.opaque),
            Scheme::Tel => f.write_str(self.user.as_deref().unwrap_or(""))?,
            Scheme::Sip | Scheme::Sips => {
                if let Some(user) = &self.user {
                    f.write_str(user)?;
                    if let Some(password) = &self.password {
                        write!(f, ":{password}")?;
                    }
                    f.write_str("@")?;
                }
                self.host.fmt(f)?;
                if let Some(port) = self.port {
                    write!(f, ":{port}")?;
                }
            }
        }
        self.params.fmt(f)?;
        for (n, (name, value)) in self.headers.iter().enumerate() {
            write!(f, "{}{name}={value}", if n == 0 { '?' } else { '&' })?;
        }
        Ok(())
    }
}

/// A URI's parts where they stand; parameters and headers not yet read.
struct Parts<'a> {
    scheme: Scheme,
    user: Option<&'a str>,
    password: Option<&'a str>,
    host: HostRef<'a>,
    port: Option<u16>,
    params: Option<&'a str>,
    headers: Option<&'a str>,
    opaque: &'a str,
}

impl<'a> Parts<'a> {
    fn read(text: &'a str) -> Result<Self, UriError> {
        if text.bytes().any(|b| b <= b' ' || b == 0x7f || matches!(b, b'<' | b'>' | b'"')) {
            return Err(UriError("a character that may not stand in a URI"));
        }
        let (scheme, rest) = text.split_once(':').ok_or(UriError("URI without a scheme"))?;
        let scheme = parse_scheme(scheme).ok_or(UriError("malformed URI scheme"))?;
        if rest.is_empty() {
            return Err(UriError("URI with nothing after its scheme"));
        }
        match scheme {
            Scheme::Sip | Scheme::Sips => Self::sip(scheme, rest),
            Scheme::Tel => Self::tel(rest),
            Scheme::Other(_) => Ok(Self { opaque: rest, ..Self::bare(scheme) }),
        }
    }

    fn bare(scheme: Scheme) -> Self {
        let host = HostRef::Name("");
        Self { scheme, user: None, password: None, host, port: None, params: None, headers: None, opaque: "" }
    }

    fn sip(scheme: Scheme, rest: &'a str) -> Result<Self, UriError> {
        // The user part may hold `;`, `?` and `/`, so `@` is looked for first. A second one can only stand in
        // `?headers`: phones leave it unescaped in Replaces.
        let (user, password, rest) = match rest.split_once('@') {
            Some((userinfo, rest)) => {
                let (user, password) = cut(userinfo, ':');
                if user.is_empty() {
                    return Err(UriError("URI with an empty user part"));
                }
                if !escapes_are_whole(userinfo) {
                    return Err(UriError("malformed escape in the user part"));
                }
                (Some(user), password, rest)
            }
            None => (None, None, rest),
        };
        let (rest, headers) = cut(rest, '?');
        let (hostport, params) = cut(rest, ';');
        let (host, port) = parse_hostport(hostport)?;
        Ok(Self { user, password, host, port, params, headers, ..Self::bare(scheme) })
    }

    fn tel(rest: &'a str) -> Result<Self, UriError> {
        let (number, params) = cut(rest, ';');
        let fine = |b: u8| b.is_ascii_hexdigit() || matches!(b, b'*' | b'#' | b'-' | b'.' | b'(' | b')');
        let digits = number.strip_prefix('+').unwrap_or(number);
        if digits.is_empty() || !digits.bytes().all(fine) {
            return Err(UriError("malformed telephone number"));
        }
        Ok(Self { user: Some(number), params, ..Self::bare(Scheme::Tel) })
    }
}

/// What stands before the first `mark`, and what after it if there is one.
fn cut(text: &str, mark: char) -> (&str, Option<&str>) {
    match text.split_once(mark) {
        Some((before, after)) => (before, Some(after)),
        None => (text, None),
    }
}

fn parse_scheme(text: &str) -> Option<Scheme> {
    for known in [Scheme::Sip, Scheme::Sips, Scheme::Tel] {
        if text.eq_ignore_ascii_case(known.as_str()) {
            return Some(known);
        }
    }
    let fine = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
    let whole = text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.bytes().all(fine);
    whole.then(|| Scheme::Other(text.to_ascii_lowercase()))
}

/// `name=value` between `&`.
fn uri_headers(text: Option<&str>) -> impl Iterator<Item = Result<(&str, &str), UriError>> {
    let pieces = text.into_iter().flat_map(|list| list.split('&')).take(PARAMS_MAX + 1).enumerate();
    pieces.map(|(n, piece)| match piece.split_once('=') {
        _ if n == PARAMS_MAX => Err(UriError("too many headers in the URI")),
        Some((name, value)) if !name.is_empty() => Ok((name, value)),
        Some(_) | None => Err(UriError("malformed header in the URI")),
    })
}

/// Whether each `%` is followed by two hexadecimal digits.
fn escapes_are_whole(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.iter().enumerate().filter(|(_, b)| **b == b'%').all(|(at, _)| {
        bytes.get(at + 1).is_some_and(u8::is_ascii_hexdigit)
            && bytes.get(at + 2).is_some_and(u8::is_ascii_hexdigit)
    })
}

/// Resolves `%hh`; what is not UTF-8 afterwards becomes U+FFFD, an incomplete escape stays as it is.
pub fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).and_then(|b| char::from(*b).to_digit(16));
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match (bytes[at], digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                at += 3;
            }
            (b, _, _) => {
                out.push(b);
                at += 1;
            }
        }
    }
    Cow::Owned(String::from_utf8_lossy(&out).into_owned())
}

fn escape_user(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for b in text.bytes() {
        // unreserved and user-unreserved of RFC 3261 §25.1, without `;` and `?` which read as structure.
        if b.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,/".contains(&b) {
            out.push(char::from(b));
        } else {
            out.push('%');
            out.push(char::from(b"0123456789ABCDEF"[usize::from(b >> 4)]));
            out.push(char::from(b"0123456789ABCDEF"[usize::from(b & 15)]));
        }
    }
    out
}

fn same_escaped(a: Option<&str>, b: Option<&str>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => unescape(a) == unescape(b),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    }
}

/// Every parameter of `a` that `b` has too must be equal; these must not be missing in one of them.
fn params_equivalent(a: &Params, b: &Params) -> bool {
    const NEVER_IGNORED: [&str; 5] = ["user", "ttl", "method", "maddr", "transport"];
    a.iter().all(|(name, value)| {
        if b.has(name) {
            match (value, b.get(name)) {
                (Some(a), Some(b)) => unescape(a).eq_ignore_ascii_case(&unescape(b)),
                (a, b) => a == b,
            }
        } else {
            !NEVER_IGNORED.iter().any(|n| n.eq_ignore_ascii_case(name))
        }
    })
}

fn headers_equivalent(a: &[(String, String)], b: &[(String, String)]) -> bool {
    let has = |list: &[(String, String)], (name, value): &(String, String)| {
        list.iter().any(|(n, v)| n.eq_ignore_ascii_case(name) && unescape(v) == unescape(value))
    };
    a.len() == b.len() && a.iter().all(|h| has(b, h)) && b.iter().all(|h| has(a, h))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_are_written_as_they_were_read() {
        for (text, user, host, port) in [
            ("sip:ann@office.example", Some("ann"), "office.example", None),
            ("sips:ann:secret@office.example:5061", Some("ann"), "office.example", Some(5061)),
            ("sip:192.0.2.4", None, "192.0.2.4", None),
            ("sip:ann@[2001:db8::9]:5070;transport=tcp", Some("ann"), "[2001:db8::9]", Some(5070)),
            ("sip:[::1]", None, "[::1]", None),
            ("sip:+15550001111@gw.example;user=phone", Some("+15550001111"), "gw.example", None),
            ("sip:ann;day=tue@office.example", Some("ann;day=tue"), "office.example", None),
            ("sip:a?b@office.example", Some("a?b"), "office.example", None),
            ("sip:%61nn%00@office.example", Some("%61nn%00"), "office.example", None),
            ("sip:*21*100#@pbx_1.example", Some("*21*100#"), "pbx_1.example", None),
            ("sip:gw.example;lr;maddr=239.255.255.1;ttl=15", None, "gw.example", None),
            ("sip:gw.example?Subject=a%20b&Route=%3Csip:x%3E", None, "gw.example", None),
            ("sip:bob@gw.example?Replaces=1%402%3Bto-tag%3D3", Some("bob"), "gw.example", None),
            ("sip:bob@gw.example?Replaces=1@2%3Bto-tag%3D3", Some("bob"), "gw.example", None),
            ("tel:+1-555-000-1111", Some("+1-555-000-1111"), "", None),
            ("tel:7042;phone-context=office.example", Some("7042"), "", None),
            ("urn:service:sos", None, "", None),
            ("https://a.example/b?c;d", None, "", None),
        ] {
            let uri: Uri = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(uri.to_string(), text);
            assert_eq!(
                (uri.user.as_deref(), uri.host.to_string().as_str(), uri.port),
                (user, host, port),
                "{text}"
            );
        }
    }

    #[test]
    fn schemes_and_addresses_are_recognised_in_any_case() {
        let uri: Uri = "SIPS:ann@[2001:DB8::9]".parse().unwrap();
        assert_eq!(uri.scheme, Scheme::Sips);
        assert_eq!(uri.host.ip(), Some("2001:db8::9".parse().unwrap()));
        let other: Uri = "NobodyKnows:what?ever".parse().unwrap();
        assert_eq!(other.scheme, Scheme::Other("nobodyknows".into()));
        assert_eq!(other.opaque, "what?ever");
    }

    #[test]
    fn what_is_no_uri_is_refused() {
        for text in [
            "",
            "sip",
            "sip:",
            ":x",
            "1sip:x",
            "bob",
            "sip:@host",
            "sip:a@",
            "sip:a@b@c",
            "sip:a b@c",
            "sip:<a@b>",
            "sip:a@host:",
            "sip:a@host:65536",
            "sip:a@host:-1",
            "sip:a@host:5060x",
            "sip:a@[::1",
            "sip:a@::1",
            "sip:a@[192.0.2.1]",
            "sip:a@ho!st",
            "sip:a@host;",
            "sip:a@host;;lr",
            "sip:a@host;=x",
            "sip:a@host?",
            "sip:a@host?x",
            "sip:a%zz@host",
            "sip:a%4@host",
            "sip:a\0@host",
            "tel:",
            "tel:+",
            "tel:x",
            "tel:1;",
        ] {
            assert!(text.parse::<Uri>().is_err(), "{text:?}");
        }
        assert!(format!("sip:h{}", ";a".repeat(PARAMS_MAX + 1)).parse::<Uri>().is_err());
        assert!(format!("sip:h?a=b{}", "&a=b".repeat(PARAMS_MAX)).parse::<Uri>().is_err());
    }

    #[test]
    fn a_telephone_number_is_told_without_its_parameters() {
        for (user, party) in [
            ("+15550001111", "+15550001111"),
            ("+15550001111;verstat=TN-Validation-Passed-A", "+15550001111"),
            ("411;npdi;rn=+15550002222", "411"),
            ("%2B1-555;phone-context=+1", "+1-555"),
            ("*67;x", "*67"),
            ("ann", "ann"),
            ("ann;x=y", "ann;x=y"),
            ("+1555%3bx", "+1555;x"),
            (";x", ";x"),
            ("+;x", "+;x"),
        ] {
            let uri: Uri = format!("sip:{user}@192.0.2.1;user=phone").parse().unwrap();
            assert_eq!(uri.party(), party, "{user}");
        }
    }

    #[test]
    fn a_user_made_here_is_escaped_and_comes_back() {
        for user in ["ann", "a b", "a@b;c?d:e", "žofie", "100%", "\"<>\r\n"] {
            let uri = Uri::sip(user, Host::Name("office.example".into()), None);
            let back: Uri = uri.to_string().parse().unwrap();
            assert_eq!(back.user_decoded(), user);
        }
        assert_eq!(
            Uri::sip("", Host::V4(std::net::Ipv4Addr::LOCALHOST), Some(5060)).to_string(),
            "sip:127.0.0.1:5060"
        );
        assert_eq!(Uri::tel("+15550001111").to_string(), "tel:+15550001111");
    }

    /// The cases of RFC 3261 §19.1.4, in our own words.
    #[test]
    fn equivalence_follows_the_rfc() {
        for (a, b, same) in [
            ("sip:%61nn@office.example", "sip:ann@OFFICE.example", true),
            ("sip:ann@office.example", "sip:ann@office.example;newparam=5", true),
            ("sip:ann@office.example;security=on", "sip:ann@office.example;newparam=5", true),
            ("sip:ann@office.example;security=ON", "sip:ann@office.example;security=on", true),
            ("sip:ann@office.example;security=off", "sip:ann@office.example;security=on", false),
            ("sip:office.example?a=b&c=d", "sip:office.example?c=d&a=b", true),
            ("sip:office.example?a=b", "sip:office.example", false),
            ("SIP:ann@office.example", "sip:Ann@office.example", false),
            ("sip:ann@office.example", "sips:ann@office.example", false),
            ("sip:ann@office.example", "sip:ann@office.example:5060", false),
            ("sip:ann@office.example", "sip:ann@office.example;transport=udp", false),
            ("sip:ann@office.example;transport=TCP", "sip:ann@office.example;transport=tcp", true),
            ("sip:ann@office.example", "sip:office.example", false),
            ("tel:+1555", "tel:+1555", true),
            ("urn:a:b", "urn:a:c", false),
        ] {
            let (x, y): (Uri, Uri) = (a.parse().unwrap(), b.parse().unwrap());
            assert_eq!((x.equivalent(&y), y.equivalent(&x)), (same, same), "{a} {b}");
        }
    }
}
