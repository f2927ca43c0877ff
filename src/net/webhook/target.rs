//! A URL as a user wrote it, taken apart into what is requested, what is signed and who one is.

use percent_encoding::percent_decode_str;
use twiml::{FetchFailure, HttpMethod, Overrides};
use url::Url;

use super::failure::{BAD_URL, failure};

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// What is requested and signed: no user, no fragment.
    pub(super) url: Url,
    /// `user:pass@`, decoded, for HTTP Basic or Digest.
    pub(super) user: Option<(String, String)>,
}

impl Target {
    /// Takes an `http` or `https` URL apart; its fragment is not looked at.
    pub(super) fn of(mut url: Url) -> Result<Self, FetchFailure> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(failure(BAD_URL, format!("a URL of scheme `{}` cannot be requested", url.scheme())));
        }
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let user = (!url.username().is_empty() || url.password().is_some())
            .then(|| (decoded(url.username()), decoded(url.password().unwrap_or_default())));
        url.set_fragment(None);
        // Neither can fail: the schemes above have an authority.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        Ok(Self { url, user })
    }

    /// With `params` in the query of a GET, after what is there, which stays as it is written. The body of a POST
    /// carries them instead.
    pub(super) fn with_params(mut self, method: HttpMethod, params: &[(String, String)]) -> Self {
        if method == HttpMethod::Get && !params.is_empty() {
            self.url.query_pairs_mut().extend_pairs(params);
        }
        self
    }

    /// Where an answer's `Location` leads; the user goes along only within the same origin.
    pub(super) fn redirected(&self, location: &str) -> Result<Self, FetchFailure> {
        let url = self.url.join(location).map_err(|error| {
            failure(BAD_URL, format!("redirected to `{}`, which is no URL: {error}", shortened(location)))
        })?;
        let same = url.origin() == self.url.origin();
        let mut next = Self::of(url)?;
        if same && next.user.is_none() {
            next.user.clone_from(&self.user);
        }
        Ok(next)
    }

    /// The URL with its user again: what a document's relative references resolve against.
    pub(super) fn base(&self) -> String {
        let mut url = self.url.clone();
        if let Some((name, password)) = &self.user {
            // Neither can fail, as in `of`.
            let _ = url.set_username(name);
            let _ = url.set_password((!password.is_empty()).then_some(password));
        }
        url.into()
    }

    /// Whether the connection is to be encrypted.
    pub(super) fn is_tls(&self) -> bool {
        self.url.scheme() == "https"
    }
}

/// A user's URL and what its fragment asks for.
pub(super) fn parse(text: &str) -> Result<(Url, Overrides), FetchFailure> {
    let (bare, overrides) = Overrides::parse(text);
    let url = Url::parse(bare.trim())
        .map_err(|error| failure(BAD_URL, format!("`{}` is no URL: {error}", shortened(&bare))))?;
    Ok((url, overrides))
}

/// As a form body, and as a query, write it.
pub(super) fn form(params: &[(String, String)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(params).finish()
}

/// Enough of a text to recognise it by, without a password in it.
fn shortened(text: &str) -> String {
    let text = match (text.find("://"), text.find('@')) {
        (Some(scheme), Some(at)) if scheme < at => format!("{}…{}", &text[..scheme + 3], &text[at..]),
        _ => text.to_owned(),
    };
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(text: &str) -> Target {
        Target::of(parse(text).unwrap().0).unwrap()
    }

    #[test]
    fn users_and_fragments_are_taken_out() {
        for (text, url, user) in [
            ("http://h/voice", "http://h/voice", None),
            ("https://h:443/voice?a=%20b#rc=2", "https://h/voice?a=%20b", None),
            ("http://ann:s%40crt@h_x:8080/", "http://h_x:8080/", Some(("ann", "s@crt"))),
            ("http://ann@10.0.0.1/", "http://10.0.0.1/", Some(("ann", ""))),
        ] {
            let target = target(text);
            assert_eq!(target.url.as_str(), url);
            let user = user.map(|(name, password)| (name.to_owned(), password.to_owned()));
            assert_eq!(target.user, user, "{text}");
        }
        assert_eq!(parse("http://h/#rc=3&rt=700").unwrap().1.retries, 3);
    }

    #[test]
    fn what_is_no_web_url_is_11100_and_keeps_its_secret() {
        for text in ["", "voice.xml", "http://", "ftp://h/x", "app:flow/x", "http://u:hush@[::bad/"] {
            let error = parse(text).and_then(|(url, _)| Target::of(url)).unwrap_err();
            assert_eq!(error.code, 11100, "{text}");
            assert!(!error.message.contains("hush"), "{}", error.message);
        }
    }

    #[test]
    fn get_joins_the_query_and_leaves_what_is_there() {
        let params = [("To".to_owned(), "+1 555".to_owned()), ("From".to_owned(), "ü&".to_owned())];
        for (text, url) in [
            ("http://h/v", "http://h/v?To=%2B1+555&From=%C3%BC%26"),
            ("http://h/v?x=a%2fb&y", "http://h/v?x=a%2fb&y&To=%2B1+555&From=%C3%BC%26"),
        ] {
            assert_eq!(target(text).with_params(HttpMethod::Get, &params).url.as_str(), url);
            assert_eq!(target(text).with_params(HttpMethod::Post, &params), target(text));
        }
        assert_eq!(form(&params), "To=%2B1+555&From=%C3%BC%26");
    }

    #[test]
    fn a_redirect_keeps_the_user_within_its_origin_alone() {
        let from = target("http://ann:pw@h/a/b?q=1");
        for (location, base) in [
            ("c", "http://ann:pw@h/a/c"),
            ("/d?x#f", "http://ann:pw@h/d?x"),
            ("http://h:81/", "http://h:81/"),
            ("https://h/", "https://h/"),
            ("http://other/", "http://other/"),
            ("http://bob:x@h/", "http://bob:x@h/"),
        ] {
            assert_eq!(from.redirected(location).unwrap().base(), base);
        }
        assert_eq!(from.redirected("file:///etc/passwd").unwrap_err().code, 11100);
    }
}
