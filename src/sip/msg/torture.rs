//! The torture table: messages that are hard to read, what they are, and whether rsip 0.4 reads them right.
//!
//! After RFC 4475, in messages of our own, which stand as files in `tests/data/sip-torture` so that tests on the
//! wire can send them too. The column [`Rsip`] is measured, not believed: a row that rsip begins to read right, or
//! stops reading right, fails.

use std::path::Path;

use base::Rng;

use super::{Decoded, DropReason, HeaderName, Message, decode};

/// Whether rsip, with its typed From, To, CSeq, Via and Contact, comes to the same result as the table.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Rsip {
    /// It does.
    Right,
    /// It does not: this row is why the message layer is ours.
    Wrong,
}

/// What a message is.
#[derive(Clone, Copy, Debug)]
enum Is {
    /// Valid, with these facts.
    Valid(&'static str),
    /// Refused with this code and reason phrase, and answered.
    Refused(u16, &'static str),
    /// Refused, but nobody can be answered.
    Unanswered(u16, &'static str),
    /// Dropped.
    Dropped(DropReason),
}

use Is::{Dropped, Refused, Unanswered, Valid};
use Rsip::{Right, Wrong};

/// Rows for what keeps rsip from being the message layer: compact names, folding, `tel:`, IPv6, `+sip.instance`, two
/// contacts on a line, extension methods and transports, Content-Length, hexadecimal `nc`, binary bodies, leading
/// line ends, the `SHA-256` token, and doubled, missing or contradicting headers.
#[rustfmt::skip]
const TABLE: &[(&str, Rsip, Is)] = &[
("valid-bare-line-feeds", Wrong, Valid("OPTIONS sip:gw.example | sip:ann@office.example > sip:gw.example | torture-40@192.0.2.10 | 1 OPTIONS | 1 0 0")),
("valid-binary-body", Wrong, Valid("MESSAGE sip:bob@gw.example | sip:ann@office.example > sip:bob@gw.example | torture-14@192.0.2.10 | 1 MESSAGE | 1 0 256")),
("valid-bracket-in-display-name", Wrong, Valid("INVITE sip:bob@gw.example | sip:ann@office.example > sip:bob@gw.example | torture-24@192.0.2.10 | 1 INVITE | 1 1 0")),
("valid-comma-in-display-name", Right, Valid("INVITE sip:bob@gw.example | sip:jane@office.example > sip:bob@gw.example | torture-6@192.0.2.10 | 1 INVITE | 1 1 0")),
("valid-compact-names", Wrong, Valid("INVITE sip:bob@gw.example | sip:ann@office.example > sip:bob@gw.example | torture-compact@192.0.2.10 | 1 INVITE | 1 1 129")),
("valid-contact-without-brackets", Right, Valid("REGISTER sip:office.example | sip:ann@office.example > sip:ann@office.example | torture-33@192.0.2.10 | 1 REGISTER | 1 1 0")),
("valid-digest-sha-256", Wrong, Valid("REGISTER sip:office.example | sip:ann@office.example > sip:ann@office.example | torture-18@192.0.2.10 | 1 REGISTER | 1 1 0")),
("valid-display-name-touching-bracket", Right, Valid("OPTIONS sip:gw.example | sip:ann@office.example > sip:gw.example | torture-23@192.0.2.10 | 1 OPTIONS | 1 0 0")),
("valid-empty-values", Right, Valid("OPTIONS sip:gw.example | sip:ann@office.example > sip:gw.example | torture-39@192.0.2.10 | 1 OPTIONS | 1 0 0")),
("valid-escaped-method", Wrong, Valid("RE%47IST%45R sip:office.example | sip:ann@office.example > sip:bob@gw.example | torture-10@192.0.2.10 | 1 RE%47IST%45R | 1 1 0")),
("valid-escaped-nul-in-user", Right, Valid("REGISTER sip:office.example | sip:before%00after@office.example > sip:before%00after@office.example | torture-22@192.0.2.10 | 1 REGISTER | 1 1 0")),
("valid-escaped-quote-at-end", Right, Valid("INVITE sip:bob@gw.example | sip:ann@office.example > sip:bob@gw.example | torture-44@192.0.2.10 | 1 INVITE | 1 1 0")),
("valid-escaped-user", Right, Valid("INVITE sip:sips%3Abob%40gw.example@relay.example | sip:two%20words@office.example > sip:%62ob@gw.example | torture-21@192.0.2.10 | 1 INVITE | 1 1 0")),
("valid-expires-beyond-32-bits", Right, Valid("REGISTER sip:office.example | sip:ann@office.example > sip:ann@office.example | torture-46@192.0.2.10 | 1 REGISTER | 1 1 0")),
("valid-extension-method", Wrong, Valid("!odd-Method0123456789_*+`.%ok'~ sip:bob@gw.example | sip:ann@office.example > sip:bob@gw.example | torture-8@192.0.2.10 | 1 !odd-Method0123456789_*+`.%ok'~ | 1 0 0")),
("valid-folded-headers", Wrong, Valid("INVITE sip:bob@gw.example | sip:ann@office.example > sip:bob@gw.example | torture-2@192.0.2.10 | 1 INVITE | 1 1 0")),
("valid-headers-in-contact-uri", Wrong, Valid("REGISTER sip:office.example | sip:ann@office.example > sip:ann@office.example | torture-20@192.0.2.10 | 1 REGISTER | 1 1 0")),
("valid-highest-cseq", Right, Valid("OPTIONS sip:gw.example | sip:ann@office.example > sip:gw.example | torture-42@192.0.2.10 | 2147483647 OPTIONS | 1 0 0")),
("valid-ipv6", Wrong, Valid("INVITE sip:bob@[2001:db8::9]:5070 | sip:ann@[2001:db8::10] > sip:bob@[2001:db8::9] | torture-4@192.0.2.10 | 1 INVITE | 1 1 0")),
("valid-leading-line-ends", Wrong, Valid("OPTIONS sip:gw.example | sip:ann@office.example > sip:gw.example | torture-15@192.0.2.10 | 1 OPTIONS | 1 0 0")),
("valid-long-values", Right, Valid("INVITE sip:bob@gw.example | sip:verylooooooooooo…426 > sip:bob@gw.example | verylooooooooooooooo…418 | 1 INVITE | 1 1 0")),
("valid-lower-case-method", Wrong, Valid("invite sip:bob@gw.example | sip:ann@office.example > sip:bob@gw.example | torture-9@192.0.2.10 | 1 invite | 1 1 0")),
("valid-lower-case-version", Wrong, Valid("OPTIONS sip:gw.example | sip:ann@office.example > sip:gw.example | torture-38@192.0.2.10 | 1 OPTIONS | 1 0 0")),
("valid-many-transports", Wrong, Valid("OPTIONS sip:gw.example | sip:ann@office.example > sip:gw.example | torture-28@192.0.2.10 | 1 OPTIONS | 5 0 0")),
("valid-many-vias", Right, Valid("INVITE sip:bob@gw.example | sip:ann@office.example > sip:bob@gw.example | torture-27@192.0.2.10 | 1 INVITE | 34 1 0")),
("valid-multipart", Wrong, Valid("INVITE sip:bob@gw.example | sip:ann@office.example > sip:bob@gw.example | torture-29@192.0.2.10 | 1 INVITE | 1 1 290")),
("valid-no-content-length-in-datagram", Right, Valid("INVITE sip:bob@gw.example | sip:ann@office.example > sip:bob@gw.example | torture-31@192.0.2.10 | 1 INVITE | 1 1 129")),
("valid-no-user", Right, Valid("OPTIONS sip:gw.example | sip:192.0.2.10 > sip:gw.example | torture-35@192.0.2.10 | 1 OPTIONS | 1 0 0")),
("valid-nonce-count-above-ff", Wrong, Valid("REGISTER sip:office.example | sip:ann@office.example > sip:ann@office.example | torture-17@192.0.2.10 | 1 REGISTER | 1 1 0")),
("valid-nonce-count-above-nine", Wrong, Valid("REGISTER sip:office.example | sip:ann@office.example > sip:ann@office.example | torture-16@192.0.2.10 | 1 REGISTER | 1 1 0")),
("valid-octets-behind-body", Wrong, Valid("INVITE sip:bob@gw.example | sip:ann@office.example > sip:bob@gw.example | torture-13@192.0.2.10 | 1 INVITE | 1 1 129")),
("valid-odd-case-names", Right, Valid("OPTIONS sip:gw.example | sip:ann@office.example > sip:gw.example | torture-case@192.0.2.10 | 1 OPTIONS | 1 0 0")),
("valid-plain-invite", Right, Valid("INVITE sip:bob@gw.example | sip:ann@office.example > sip:bob@gw.example | torture-1@192.0.2.10 | 1 INVITE | 1 1 129")),
("valid-quoted-controls", Wrong, Valid("OPTIONS sip:gw.example | sip:7_every.mark~(that)!may&stand'in+a$user/part?,;*:and=in,a!pass*word$too~(yes)@office.example > sip:gw.example | one.word-with%every!mark*_+'`~@another(one)<>:\\/\"[]?{} | 139122385 OPTIONS | 1 0 0")),
("valid-refer-with-replaces", Right, Valid("REFER sip:bob@192.0.2.20 | sip:ann@office.example > sip:bob@gw.example | torture-41@192.0.2.10 | 3 REFER | 1 1 0")),
("valid-response", Right, Valid("200 \"OK\" | sip:ann@office.example > sip:bob@gw.example | torture-47@192.0.2.10 | 1 INVITE | 1 1 129")),
("valid-response-empty-reason", Wrong, Valid("180 \"\" | sip:ann@office.example > sip:bob@gw.example | torture-49@192.0.2.10 | 1 INVITE | 1 0 0")),
("valid-response-odd-contact", Wrong, Valid("302 \"Moved Temporarily\" | sip:ann@office.example > sip:bob@gw.example | torture-53@192.0.2.10 | 1 INVITE | 1 2 0")),
("valid-response-unknown-code", Right, Valid("699 \"Nobody Knows\" | sip:ann@office.example > sip:bob@gw.example | torture-51@192.0.2.10 | 1 INVITE | 1 0 0")),
("valid-response-utf8-reason", Wrong, Valid("200 \"Всё хорошо – très bien\" | sip:ann@office.example > sip:bob@gw.example | torture-48@192.0.2.10 | 1 INVITE | 1 0 0")),
("valid-response-vias-on-one-line", Wrong, Valid("200 \"OK\" | sip:ann@office.example > sip:bob@gw.example | torture-52@192.0.2.10 | 1 INVITE | 2 0 0")),
("valid-response-without-reason", Wrong, Valid("180 \"\" | sip:ann@office.example > sip:bob@gw.example | torture-50@192.0.2.10 | 1 INVITE | 1 0 0")),
("valid-rfc2543", Right, Valid("INVITE sip:bob@gw.example | sip:ann@office.example > sip:bob@gw.example | torture-2543@192.0.2.10 | 1 INVITE | 1 1 129")),
("valid-route-set", Right, Valid("BYE sip:bob@192.0.2.20 | sip:ann@office.example > sip:bob@gw.example | torture-34@192.0.2.10 | 2 BYE | 1 0 0")),
("valid-rport", Right, Valid("OPTIONS sip:gw.example | sip:ann@office.example > sip:gw.example | torture-43@192.0.2.10 | 1 OPTIONS | 1 0 0")),
("valid-second-request-behind", Wrong, Valid("OPTIONS sip:gw.example | sip:ann@office.example > sip:gw.example | torture-11@192.0.2.10 | 1 OPTIONS | 1 0 0")),
("valid-semicolon-in-user", Right, Valid("OPTIONS sip:ann;day=tuesday@office.example | sip:ann@office.example > sip:ann;day=tuesday@office.example | torture-19@192.0.2.10 | 1 OPTIONS | 1 0 0")),
("valid-sip-instance", Wrong, Valid("REGISTER sip:office.example | sip:ann@office.example > sip:ann@office.example | torture-5@192.0.2.10 | 1 REGISTER | 1 1 0")),
("valid-star-code", Right, Valid("INVITE sip:*21*100#@gw.example | sip:ann@office.example > sip:*21*100#@gw.example | torture-36@192.0.2.10 | 1 INVITE | 1 1 0")),
("valid-star-contact", Wrong, Valid("REGISTER sip:office.example | sip:ann@office.example > sip:ann@office.example | torture-32@192.0.2.10 | 1 REGISTER | 1 * 0")),
("valid-tel-uris", Wrong, Valid("INVITE tel:+1-555-000-1111 | tel:7042;phone-context=office.example > tel:+1-555-000-1111 | torture-3@192.0.2.10 | 1 INVITE | 1 1 0")),
("valid-tortuous-whitespace", Wrong, Valid("INVITE sip:bob@gw.example;unknown-param | sip:ann@office.example > sip:bob@gw.example | torture-ws@192.0.2.10 | 9 INVITE | 3 1 0")),
("valid-two-contacts-on-one-line", Wrong, Valid("REGISTER sip:office.example | sip:ann@office.example > sip:ann@office.example | torture-7@192.0.2.10 | 1 REGISTER | 1 2 0")),
("valid-underscore-host", Right, Valid("OPTIONS sip:pbx_1.office.example | sip:ann@office.example > sip:pbx_1.office.example | torture-37@192.0.2.10 | 1 OPTIONS | 1 0 0")),
("valid-unknown-scheme", Wrong, Valid("OPTIONS somescheme:with;its?own=syntax | badge:7042-ann > somescheme:with;its | torture-30@192.0.2.10 | 1 OPTIONS | 1 0 0")),
("valid-uri-parameters", Wrong, Valid("INVITE sip:bob@gw.example:5062;transport=tcp;user=phone;lr;maddr=192.0.2.50;method=INVITE;x | sip:ann@office.example > sip:bob@gw.example | torture-45@192.0.2.10 | 1 INVITE | 1 1 0")),
("valid-utf8-display-name", Right, Valid("INVITE sip:bob@gw.example | sip:zofie@office.example > sip:bob@gw.example | torture-25@192.0.2.10 | 1 INVITE | 1 1 0")),
("valid-via-last", Right, Valid("OPTIONS sip:gw.example | sip:ann@office.example > sip:gw.example | torture-order@192.0.2.10 | 1 OPTIONS | 1 0 0")),
    // What is wrong is said in the reason phrase.
("invalid-ack", Right, Unanswered(400, "Bad CSeq: number out of range")),
("invalid-bracket-open", Right, Refused(400, "Bad To: address whose bracket is not closed")),
("invalid-brackets-around-request-uri", Wrong, Refused(400, "Bad Request-URI: a character that may not stand in a URI")),
("invalid-call-id-two-words", Wrong, Refused(400, "Bad Call-ID: not one word")),
("invalid-carriage-return-in-header", Wrong, Refused(400, "Carriage return inside a header")),
("invalid-contact-empty-parameters", Right, Refused(400, "Bad Contact: malformed parameter name")),
("invalid-contact-headers-unbracketed", Right, Refused(400, "Bad Contact: URI that must stand in brackets")),
("invalid-contact-star-among-others", Wrong, Refused(400, "Bad Contact: URI without a scheme")),
("invalid-content-length-beyond-end", Wrong, Refused(400, "Content-Length is more than the body")),
("invalid-content-length-negative", Wrong, Refused(400, "Bad Content-Length: not a number in range")),
("invalid-content-length-twice", Wrong, Refused(400, "Duplicate Content-Length")),
("invalid-content-length-words", Wrong, Refused(400, "Bad Content-Length: not a number in range")),
("invalid-cseq-method", Wrong, Refused(400, "CSeq method does not match the request")),
("invalid-cseq-method-unknown", Right, Refused(400, "CSeq method does not match the request")),
("invalid-cseq-number", Right, Refused(400, "Bad CSeq: number out of range")),
("invalid-cseq-words", Right, Refused(400, "Bad CSeq: number out of range")),
("invalid-display-name-unquoted", Wrong, Refused(400, "Bad To: display name that must be quoted")),
("invalid-fold-first", Right, Unanswered(400, "Malformed header name")),
("invalid-from-empty", Right, Refused(400, "Bad From: URI without a scheme")),
("invalid-garbage", Right, Dropped(DropReason::NotSip)),
("invalid-header-empty-name", Right, Refused(400, "Malformed header name")),
("invalid-header-name", Right, Refused(400, "Malformed header name")),
("invalid-header-too-long", Wrong, Refused(400, "Header too long")),
("invalid-header-without-colon", Right, Refused(400, "Header without a colon")),
("invalid-http", Right, Dropped(DropReason::NotSip)),
("invalid-max-forwards-300", Wrong, Refused(400, "Bad Max-Forwards: not a number in range")),
("invalid-method", Right, Refused(400, "Bad Request-Line: malformed method")),
("invalid-missing-call-id", Right, Refused(400, "Missing Call-ID")),
("invalid-missing-cseq", Right, Refused(400, "Missing CSeq")),
("invalid-missing-from", Right, Refused(400, "Missing From")),
("invalid-missing-to", Right, Refused(400, "Missing To")),
("invalid-missing-via", Right, Unanswered(400, "Missing Via")),
("invalid-no-end-of-headers", Right, Refused(400, "Headers without their end")),
("invalid-quote-open", Wrong, Refused(400, "Bad To: display name whose quote is not closed")),
("invalid-request-uri-broken-escape", Wrong, Refused(400, "Bad Request-URI: malformed escape in the user part")),
("invalid-request-uri-empty-user", Wrong, Refused(400, "Bad Request-URI: URI with an empty user part")),
("invalid-request-uri-ipv6-open", Right, Refused(400, "Bad Request-URI: IPv6 address without its closing bracket")),
("invalid-request-uri-port", Right, Refused(400, "Bad Request-URI: malformed port")),
("invalid-request-uri-tel", Right, Refused(400, "Bad Request-URI: malformed telephone number")),
("invalid-request-uri-without-scheme", Wrong, Refused(400, "Bad Request-URI: URI without a scheme")),
("invalid-response-code-700", Wrong, Dropped(DropReason::BadResponse)),
("invalid-response-code-overflow", Right, Dropped(DropReason::BadResponse)),
("invalid-response-cseq", Right, Dropped(DropReason::BadResponse)),
("invalid-response-two-call-ids", Wrong, Dropped(DropReason::BadResponse)),
("invalid-response-version", Right, Dropped(DropReason::BadResponse)),
("invalid-route", Wrong, Refused(400, "Bad Route: URI without a scheme")),
("invalid-space-after-request-line", Right, Refused(400, "Bad Request-Line: not three words with one space between")),
("invalid-space-in-request-uri", Right, Refused(400, "Bad Request-Line: not three words with one space between")),
("invalid-start-line-alone", Right, Unanswered(400, "Missing Via")),
("invalid-too-many-headers", Wrong, Refused(400, "Too many headers")),
("invalid-too-many-parameters", Wrong, Refused(400, "Bad Contact: too many parameters")),
("invalid-two-call-ids", Wrong, Refused(400, "Duplicate Call-ID")),
("invalid-two-content-types", Wrong, Refused(400, "Duplicate Content-Type")),
("invalid-two-cseqs", Wrong, Refused(400, "Duplicate CSeq")),
("invalid-two-froms", Wrong, Refused(400, "Duplicate From")),
("invalid-two-max-forwards", Wrong, Refused(400, "Duplicate Max-Forwards")),
("invalid-two-spaces-in-request-line", Right, Refused(400, "Bad Request-Line: not three words with one space between")),
("invalid-two-tos", Wrong, Refused(400, "Duplicate To")),
("invalid-version", Right, Refused(505, "Version Not Supported")),
("invalid-via-empty-parameters", Wrong, Refused(400, "Bad Via: malformed parameter name")),
("invalid-via-no-host", Right, Refused(400, "Bad Via: malformed host")),
("invalid-via-version", Right, Refused(400, "Bad Via: protocol that is not SIP/2.0")),
];

/// The facts of a message on one line: start line, From, To, Call-ID and CSeq, then how many Vias, contacts and
/// bytes of body.
fn facts(message: &Message) -> String {
    let headers = message.headers();
    let start = match message {
        Message::Request(request) => format!("{} {}", request.method, request.uri),
        Message::Response(response) => format!("{} {:?}", response.code, response.reason),
    };
    let contacts = if headers.contact_is_star() {
        "*".to_owned()
    } else {
        headers.contacts().map_or("bad".to_owned(), |list| list.len().to_string())
    };
    format!(
        "{start} | {} > {} | {} | {} | {} {contacts} {}",
        short(headers.from().unwrap().uri),
        short(headers.to().unwrap().uri),
        short(headers.call_id().unwrap()),
        headers.cseq().unwrap(),
        headers.vias().unwrap().len(),
        message.body().len(),
    )
}

/// Long texts by their beginning and length.
fn short(text: impl ToString) -> String {
    let text = text.to_string();
    if text.len() <= 120 { text } else { format!("{}…{}", &text[..20], text.len()) }
}

/// The same facts as rsip sees them; `None` when it refuses the message or one of its headers.
fn rsip_facts(bytes: &[u8]) -> Option<String> {
    use ::rsip::headers::auth::AuthQop;
    use ::rsip::headers::{ToTypedHeader, UntypedHeader};
    use ::rsip::message::{HasHeaders, HeadersExt};
    use ::rsip::{Header, SipMessage};

    let message = SipMessage::try_from(bytes).ok()?;
    let start = match &message {
        SipMessage::Request(request) => format!("{} {}", request.method, request.uri),
        SipMessage::Response(response) => {
            let text = response.status_code.to_string();
            format!(
                "{} {:?}",
                response.status_code.code(),
                text.split_once(' ').map_or("", |(_, reason)| reason)
            )
        }
    };
    let (mut vias, mut contacts) = (0, 0);
    for header in message.headers().iter() {
        match header {
            Header::Via(via) => {
                via.typed().ok()?;
                vias += 1;
            }
            Header::Contact(contact) => {
                contact.typed().ok()?;
                contacts += 1;
            }
            Header::Authorization(credentials) => {
                // It takes the hexadecimal count for a decimal one.
                let (_, nc) = credentials.value().split_once("nc=")?;
                let count = u32::from_str_radix(nc.get(..8)?, 16).ok()?;
                match credentials.typed().ok()?.qop? {
                    AuthQop::Auth { nc, .. } | AuthQop::AuthInt { nc, .. } if u32::from(nc) == count => {}
                    AuthQop::Auth { .. } | AuthQop::AuthInt { .. } => return None,
                }
            }
            _ => {}
        }
    }
    if vias == 0 {
        return None;
    }
    let max_forwards = message.headers().iter().find_map(|header| match header {
        Header::MaxForwards(value) => Some(value.num().is_ok()),
        _ => None,
    });
    if max_forwards == Some(false) {
        return None;
    }
    let cseq = message.cseq_header().ok()?.typed().ok()?;
    let body = match &message {
        SipMessage::Request(request) => request.body.clone(),
        SipMessage::Response(response) => response.body.clone(),
    };
    // What it writes must be what it read.
    if !Vec::<u8>::from(message.clone()).ends_with(&body) {
        return None;
    }
    Some(format!(
        "{start} | {} > {} | {} | {} {} | {vias} {contacts} {}",
        short(message.from_header().ok()?.typed().ok()?.uri),
        short(message.to_header().ok()?.typed().ok()?.uri),
        short(message.call_id_header().ok()?.value()),
        cseq.seq,
        cseq.method,
        body.len(),
    ))
}

fn directory() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/sip-torture")
}

fn read(name: &str) -> Vec<u8> {
    std::fs::read(directory().join(format!("{name}.sip"))).unwrap_or_else(|e| panic!("{name}: {e}"))
}

#[test]
fn each_message_is_what_the_table_says() {
    for (name, _, is) in TABLE {
        match (is, decode(&read(name))) {
            (Valid(expected), Decoded::Message(message)) => assert_eq!(facts(&message), *expected, "{name}"),
            (Refused(code, reason), Decoded::Reject { code: c, reason: r, response: Some(response) }) => {
                assert_eq!((c, r.as_str()), (*code, *reason), "{name}");
                assert!(
                    response.starts_with(format!("SIP/2.0 {code} {reason}\r\nVia: ").as_bytes()),
                    "{name}"
                );
            }
            (Unanswered(code, reason), Decoded::Reject { code: c, reason: r, response: None }) => {
                assert_eq!((c, r.as_str()), (*code, *reason), "{name}");
            }
            (Dropped(expected), Decoded::Drop(reason)) => assert_eq!(reason, *expected, "{name}"),
            (is, decoded) => panic!("{name}: {is:?}, but {decoded:?}"),
        }
    }
}

#[test]
fn rsip_reads_the_rows_it_is_said_to_read() {
    let mut right = [0, 0];
    for (name, rsip, is) in TABLE {
        let read = rsip_facts(&read(name));
        let same = match is {
            Valid(expected) => read.as_deref() == Some(*expected),
            Refused(..) | Unanswered(..) | Dropped(_) => read.is_none(),
        };
        assert_eq!(if same { Right } else { Wrong }, *rsip, "{name}: {is:?}, rsip {read:?}");
        right[usize::from(name.starts_with("invalid"))] += usize::from(same);
    }
    println!(
        "of {} messages rsip reads {} valid and catches {} invalid ones",
        TABLE.len(),
        right[0],
        right[1]
    );
}

#[test]
fn the_table_has_every_file_and_no_other() {
    let mut files: Vec<String> = std::fs::read_dir(directory())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|name| name.strip_suffix(".sip").map(str::to_owned))
        .collect();
    files.sort();
    let mut rows: Vec<&str> = TABLE.iter().map(|(name, _, _)| *name).collect();
    rows.sort_unstable();
    assert_eq!(files, rows);
    for (name, _, is) in TABLE {
        assert_eq!(name.starts_with("valid-"), matches!(is, Valid(_)), "{name}");
    }
}

#[test]
fn a_valid_message_survives_being_written() {
    for (name, _, _) in TABLE.iter().filter(|(_, _, is)| matches!(is, Valid(_))) {
        let Decoded::Message(message) = decode(&read(name)) else { panic!("{name}") };
        assert_same_written(&message);
    }
}

/// Written and read again, a message is the same but for the place of its Content-Length.
fn assert_same_written(message: &Message) {
    let written = message.encode();
    let Decoded::Message(mut again) = decode(&written) else {
        panic!("not read again: {}", String::from_utf8_lossy(&written))
    };
    let mut message = message.clone();
    again.headers_mut().remove(&HeaderName::ContentLength);
    message.headers_mut().remove(&HeaderName::ContentLength);
    assert_eq!(again, message);
}

/// Random changes to every message of the table: nothing may panic, what is taken must survive being written, what
/// is refused must be refused in words that are SIP themselves.
#[test]
fn mutated_messages_are_taken_refused_or_dropped() {
    const MUTATIONS: usize = if cfg!(debug_assertions) { 100_000 } else { 400_000 };
    let messages: Vec<Vec<u8>> = TABLE.iter().map(|(name, _, _)| read(name)).collect();
    let valid = TABLE.iter().filter(|(name, _, _)| name.starts_with("valid-")).count();
    let mut rng = Rng::seeded(4475);
    let (mut taken, mut refused, mut dropped) = (0, 0, 0);
    for n in 0..MUTATIONS {
        // The table begins with the valid ones; mostly those are changed.
        let choice = if n % 4 == 0 { messages.len() } else { valid };
        let mut bytes = messages[n / 4 % choice].clone();
        for _ in 0..=rng.below(2) {
            mutate(&mut bytes, &messages, &mut rng);
        }
        match decode(&bytes) {
            Decoded::Message(message) => {
                taken += 1;
                read_everything(&message);
                assert_same_written(&message);
            }
            Decoded::Reject { code, reason, response } => {
                refused += 1;
                assert!((400..=513).contains(&code) && !reason.contains(['\r', '\n']));
                if let Some(response) = response {
                    assert!(response.starts_with(format!("SIP/2.0 {code} {reason}\r\n").as_bytes()));
                }
            }
            Decoded::Drop(_) => dropped += 1,
        }
    }
    assert!(taken > MUTATIONS / 10 && refused > MUTATIONS / 10 && dropped > 0, "{taken} {refused} {dropped}");
}

fn mutate(bytes: &mut Vec<u8>, others: &[Vec<u8>], rng: &mut Rng) {
    const WORDS: [&[u8]; 16] = [
        b"\r\n",
        b"\r\n ",
        b"\n",
        b"\r",
        b"\"",
        b"\\",
        b"<",
        b">",
        b";",
        b",",
        b":",
        b"@",
        b"\0",
        b"%",
        b"\xff",
        b"\r\n\r\n",
    ];
    if bytes.is_empty() {
        bytes.push(b'x');
    }
    let at = rng.below(bytes.len() as u64) as usize;
    match rng.below(9) {
        0..=2 => bytes[at] = rng.u32() as u8,
        3 => drop(bytes.splice(at..at, WORDS[rng.below(16) as usize].iter().copied())),
        6..=7 => drop(bytes.drain(at..(at + 1 + rng.below(20) as usize).min(bytes.len()))),
        4 => bytes.truncate(at),
        5 => {
            let piece: Vec<u8> = bytes[at..].iter().take(40).copied().collect();
            let to = rng.below(bytes.len() as u64) as usize;
            drop(bytes.splice(to..to, piece));
        }
        _ => {
            let other = &others[rng.below(others.len() as u64) as usize];
            let from = rng.below(other.len() as u64) as usize;
            bytes.truncate(at);
            bytes.extend_from_slice(&other[from..]);
        }
    }
}

/// Every typed read there is; only panics count.
fn read_everything(message: &Message) {
    let headers = message.headers();
    let _ = (headers.via(), headers.vias(), headers.from(), headers.to(), headers.call_id(), headers.cseq());
    let _ = (headers.contacts(), headers.routes(), headers.record_routes(), headers.max_forwards());
    let _ = (headers.expires(), headers.min_expires(), headers.content_length(), headers.contact_is_star());
    let _ = (headers.content_type(), headers.content_disposition(), headers.warning(), headers.priority());
    let _ = headers.tokens(&HeaderName::Supported);
    if let Message::Request(request) = message {
        let response = request.response(200, None);
        assert!(matches!(decode(&response.encode()), Decoded::Message(_)), "{response:?}");
    }
}

/// Sixteen times the bytes may cost sixteen times the time, with room for noise; a quadratic reader would need 256
/// times as long.
#[test]
fn reading_takes_linear_time() {
    let head = "INVITE sip:b@b SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:b@b>\r\n\
                Call-ID: c\r\nCSeq: 1 INVITE\r\n";
    for unit in [
        "X: y\r\n",
        "X: y\r\n z\r\n",
        "Contact: <sip:a@b>\r\n",
        "Contact: <sip:a@b>,\r\n <sip:a@b>\r\n",
        " \r\n",
        "\"",
        "\\",
        "<",
        ";a",
        ";a=\"",
        ",",
        "\r\n",
        "\n",
        ":",
        "@",
        "Via: \"\r\n",
        "Via: SIP/2.0/UDP a;b;c;d\r\n",
        "%41",
        "To: <\r\n",
        "Contact: \"\\\"\\\" <sip:a@b?c=d&e=f>;g;h=i\r\n",
        "Content-Type: a/b;c=d;e=\"\r\n",
        "Content-Length: 0\r\n",
    ] {
        let time = |bytes: usize| {
            let message = format!("{head}Subject: {}", unit.repeat(bytes / unit.len())).into_bytes();
            let once = || {
                let start = std::time::Instant::now();
                if let Decoded::Message(message) = decode(&message) {
                    read_everything(&message);
                }
                start.elapsed()
            };
            (0..20).map(|_| once()).min().unwrap().max(std::time::Duration::from_micros(20))
        };
        let (short, long) = (time(4_000), time(64_000));
        assert!(long < short * 100, "{unit:?}: {short:?} for 4 kB, {long:?} for 64 kB");
    }
}
