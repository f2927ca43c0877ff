//! `<Client>` (reference: twiml-voice §10.3).

use serde::{Deserialize, Serialize};

use super::StatusCallback;
use crate::HttpMethod;
use crate::reading::{Node, Reading, attribute, owned, tag, text};

/// A registered phone or browser to ring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientNoun {
    /// Its name.
    pub identity: String,
    /// `<Parameter>`s: travel as `X-Param-<name>` headers.
    pub parameters: Vec<(String, String)>,
    /// Document run on the callee after the answer, before bridging.
    pub url: Option<String>,
    /// How that is requested.
    pub method: HttpMethod,
    /// Where the leg's progress is told.
    pub status_callback: Option<StatusCallback>,
    /// Told by POST that the client is dialled, registered or not: something that can wake it.
    pub notification_url: Option<String>,
}

/// `None` when nobody is named (12200).
pub(crate) fn read(node: Node<'_>, reading: &mut Reading<'_>) -> Option<ClientNoun> {
    reading.known_attributes(
        node,
        &[
            "clientNotificationUrl",
            "method",
            "statusCallback",
            "statusCallbackEvent",
            "statusCallbackMethod",
            "url",
        ],
        &[],
    );
    reading.only_children(node, &["Identity", "Parameter"]);
    reading.foreign(node.range().start, tag(node));
    let noun = ClientNoun {
        identity: identity(node),
        parameters: parameters(node, reading),
        url: owned(node, "url").filter(|url| !url.is_empty()),
        method: reading.method(node, "method", 13221),
        status_callback: reading.status_callback(node, 13221),
        notification_url: owned(node, "clientNotificationUrl").filter(|url| !url.is_empty()),
    };
    let length = noun.identity.chars().count();
    let named = (1..=IDENTITY_CHARS_MAX).contains(&length) && !noun.identity.contains(char::is_control);
    if !named {
        reading.bad(12200, node.range().start, "Client needs an identity of at most 256 characters");
    }
    named.then_some(noun)
}

fn identity(node: Node<'_>) -> String {
    let nested = node.children().find(|c| c.is_element() && tag(*c) == "Identity");
    nested.map_or_else(|| text(node), text)
}

/// `<Parameter name value/>` children; the name must be fit for a header.
pub(crate) fn parameters(node: Node<'_>, reading: &mut Reading<'_>) -> Vec<(String, String)> {
    let mut parameters = Vec::new();
    for child in node.children().filter(|c| c.is_element() && tag(*c) == "Parameter") {
        reading.known_attributes(child, &["name", "value"], &[]);
        let name = attribute(child, "name").unwrap_or_default();
        let value = attribute(child, "value").unwrap_or_default();
        let fits = is_token(name) && !value.contains(char::is_control) && parameters.len() < PARAMETERS_MAX;
        if fits {
            parameters.push((name.to_owned(), value.to_owned()));
        } else {
            let message = format!("Parameter of {} does not fit into a header and was ignored", tag(node));
            reading.note(12200, child.range().start, message);
        }
    }
    parameters
}

/// A header name's characters ([RFC 3261 §25.1], `token`).
///
/// [RFC 3261 §25.1]: https://www.rfc-editor.org/rfc/rfc3261#section-25.1
pub(crate) fn is_token(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= TOKEN_BYTES_MAX
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&b))
}

const IDENTITY_CHARS_MAX: usize = 256;
const PARAMETERS_MAX: usize = 32;
const TOKEN_BYTES_MAX: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Dialect;
    use crate::verb::Noun;
    use crate::verb::table::{noun_in_dial, one_in};

    #[test]
    fn it_is_told_in_the_other_dialect_and_rings() {
        let xml = "<Dial><Client>ann</Client></Dial>";
        let (there, codes) = one_in(xml, Dialect::Texml);
        let Some(crate::Verb::Dial(dial)) = there else { panic!() };
        assert_eq!((dial.nouns.len(), codes), (1, vec![12200]));
    }

    #[test]
    fn content_and_bad_values() {
        let ann = ClientNoun {
            identity: "ann".into(),
            parameters: vec![],
            url: None,
            method: HttpMethod::Post,
            status_callback: None,
            notification_url: None,
        };
        let told = |parameters: &[(&str, &str)]| ClientNoun {
            parameters: parameters.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
            ..ann.clone()
        };
        for (xml, expected, codes) in [
            ("<Client>ann</Client>", Some(ann.clone()), vec![]),
            ("<Client>\n ann \n</Client>", Some(ann.clone()), vec![]),
            ("<Client><Identity>ann</Identity></Client>", Some(ann.clone()), vec![]),
            (
                "<Client><Identity>ann</Identity><Parameter name='a' value='1'/><Parameter name='b' value=''/></Client>",
                Some(told(&[("a", "1"), ("b", "")])),
                vec![],
            ),
            ("<Client>ann<Parameter name='a b' value='1'/></Client>", Some(ann.clone()), vec![12200]),
            ("<Client>ann<Parameter name='a' value='1&#10;2'/></Client>", Some(ann.clone()), vec![12200]),
            (
                "<Client url='/w'>ann</Client>",
                Some(ClientNoun { url: Some("/w".into()), ..ann.clone() }),
                vec![],
            ),
            (
                "<Client clientNotificationUrl='/n'>ann</Client>",
                Some(ClientNoun { notification_url: Some("/n".into()), ..ann.clone() }),
                vec![],
            ),
            ("<Client clientNotificationUrl=''>ann</Client>", Some(ann.clone()), vec![]),
            ("<Client method='x'>ann</Client>", Some(ann.clone()), vec![13221]),
            ("<Client sendDigits='1'>ann</Client>", Some(ann.clone()), vec![12200]),
            ("<Client><Say>x</Say>ann</Client>", Some(ann.clone()), vec![12200]),
            ("<Client/>", None, vec![12200]),
        ] {
            assert_eq!(noun_in_dial(xml), (expected.map(Noun::Client), codes), "{xml}");
        }
        let long = format!("<Client>{}</Client>", "x".repeat(257));
        assert_eq!(noun_in_dial(&long), (None, vec![12200]));
    }
}
