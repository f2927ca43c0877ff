//! What the verbs' table tests share.

use crate::verb::{Noun, Verb};
use crate::{Dialect, parse};

/// The verb a text with one element gives, and the codes told.
pub(crate) fn one(xml: &str) -> (Option<Verb>, Vec<u32>) {
    one_in(xml, Dialect::Twiml)
}

/// Likewise in a dialect.
pub(crate) fn one_in(xml: &str, dialect: Dialect) -> (Option<Verb>, Vec<u32>) {
    let mut document = parse(&format!("<Response>{xml}</Response>"), dialect).unwrap();
    let codes = document.findings.iter().map(|finding| finding.code).collect();
    assert!(
        document.findings.iter().all(|f| f.line >= 1 && f.column >= 1 && !f.message.is_empty()),
        "{document:?}"
    );
    assert!(document.verbs.len() <= 1);
    (document.verbs.pop(), codes)
}

/// The verb of a text that must give one, with just these codes.
pub(crate) fn verb_of(xml: &str, codes: &[u32]) -> Verb {
    let (verb, told) = one(xml);
    assert_eq!(told, codes, "{xml}");
    verb.unwrap()
}

/// The noun that a `<Dial>` with one element rings, and the codes told.
pub(crate) fn noun_in_dial(xml: &str) -> (Option<Noun>, Vec<u32>) {
    let (verb, codes) = one(&format!("<Dial>{xml}</Dial>"));
    let Some(Verb::Dial(mut dial)) = verb else { panic!("{xml}") };
    assert!(dial.nouns.len() <= 1);
    (dial.nouns.pop(), codes)
}
