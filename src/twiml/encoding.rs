//! From the bytes of a body to text: BOM, charset of the content type, XML declaration, else UTF-8.

use crate::Finding;

/// Decodes a body. `charset` is the content type's parameter.
///
/// A byte order mark wins, then the content type, then the XML declaration ([RFC 7303 §3.2]). A label that the
/// bytes contradict, or that names an encoding we do not know, gives way to the next one: web frameworks add
/// `charset=utf-8` to documents that say otherwise themselves.
///
/// [RFC 7303 §3.2]: https://www.rfc-editor.org/rfc/rfc7303#section-3.2
pub fn decode(body: &[u8], charset: Option<&str>) -> Result<String, Finding> {
    if let Some(rest) = body.strip_prefix(&[0xef, 0xbb, 0xbf]) {
        return utf8(rest).ok_or_else(undecodable);
    }
    if let Some(rest) = body.strip_prefix(&[0xfe, 0xff]) {
        return utf16(rest, u16::from_be_bytes).ok_or_else(undecodable);
    }
    if let Some(rest) = body.strip_prefix(&[0xff, 0xfe]) {
        return utf16(rest, u16::from_le_bytes).ok_or_else(undecodable);
    }
    let declared = declared_encoding(body);
    [charset, declared.as_deref(), Some("utf-8")]
        .into_iter()
        .flatten()
        .find_map(|label| labelled(body, label))
        .ok_or_else(undecodable)
}

fn undecodable() -> Finding {
    Finding::unplaced(12100, "the body is not text in UTF-8 or in the encoding it declares")
}

fn labelled(body: &[u8], label: &str) -> Option<String> {
    match label.trim().to_ascii_lowercase().as_str() {
        "utf-8" | "utf8" | "us-ascii" | "ascii" => utf8(body),
        "iso-8859-1" | "iso8859-1" | "iso_8859-1" | "latin1" | "latin-1" | "l1" => {
            Some(body.iter().map(|byte| char::from(*byte)).collect())
        }
        "windows-1252" | "cp1252" => Some(body.iter().map(|byte| windows_1252(*byte)).collect()),
        "utf-16be" => utf16(body, u16::from_be_bytes),
        "utf-16le" => utf16(body, u16::from_le_bytes),
        // Without a byte order mark the first `<` tells.
        "utf-16" if body.first() == Some(&0) => utf16(body, u16::from_be_bytes),
        "utf-16" if body.get(1) == Some(&0) => utf16(body, u16::from_le_bytes),
        _ => None,
    }
}

fn utf8(body: &[u8]) -> Option<String> {
    std::str::from_utf8(body).ok().map(str::to_owned)
}

fn utf16(body: &[u8], unit: fn([u8; 2]) -> u16) -> Option<String> {
    let (pairs, rest) = body.as_chunks::<2>();
    let units: Vec<u16> = pairs.iter().map(|pair| unit(*pair)).collect();
    if rest.is_empty() { String::from_utf16(&units).ok() } else { None }
}

/// The only difference to ISO-8859-1 lies in 80–9F.
fn windows_1252(byte: u8) -> char {
    const HIGH: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}',
        '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
    ];
    byte.checked_sub(0x80).and_then(|index| HIGH.get(usize::from(index)).copied()).unwrap_or(char::from(byte))
}

/// `encoding="…"` of an XML declaration, in a body that is ASCII so far.
fn declared_encoding(body: &[u8]) -> Option<String> {
    let start = body.trim_ascii_start().strip_prefix(b"<?xml")?;
    let end = start.windows(2).take(DECLARATION_BYTES_MAX).position(|pair| pair == b"?>")?;
    let declaration = std::str::from_utf8(start.get(..end)?).ok()?;
    pseudo_attribute(declaration, "encoding").map(str::to_owned)
}

/// The value of `name="…"` in an XML declaration.
pub(crate) fn pseudo_attribute<'t>(declaration: &'t str, name: &str) -> Option<&'t str> {
    let after = declaration.split_once(name)?.1.trim_start().strip_prefix('=')?.trim_start();
    let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    after.get(1..)?.split_once(quote).map(|(value, _)| value)
}

/// Longer XML declarations are not looked at.
const DECLARATION_BYTES_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_become_text() {
        let utf16 =
            |bytes: fn(u16) -> [u8; 2], text: &str| text.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
        let latin = b"<?xml version='1.0' encoding='ISO-8859-1'?><a>gr\xfcezi</a>".to_vec();
        let bom = |mark: &[u8], rest: Vec<u8>| [mark, &rest].concat();
        for (body, charset, expected) in [
            ("<a>grüezi</a>".as_bytes().to_vec(), None, Some("<a>grüezi</a>")),
            (bom(b"\xef\xbb\xbf", b"<a/>".to_vec()), None, Some("<a/>")),
            (bom(b"\xfe\xff", utf16(u16::to_be_bytes, "<a>ü</a>")), None, Some("<a>ü</a>")),
            (bom(b"\xff\xfe", utf16(u16::to_le_bytes, "<a>ü</a>")), Some("utf-8"), Some("<a>ü</a>")),
            (utf16(u16::to_le_bytes, "<a>ü</a>"), Some("UTF-16"), Some("<a>ü</a>")),
            (utf16(u16::to_be_bytes, "<a>ü</a>"), Some("utf-16"), Some("<a>ü</a>")),
            (latin.clone(), None, Some("<?xml version='1.0' encoding='ISO-8859-1'?><a>grüezi</a>")),
            (latin.clone(), Some("utf-8"), Some("<?xml version='1.0' encoding='ISO-8859-1'?><a>grüezi</a>")),
            (b"gr\xfcezi".to_vec(), Some("latin1"), Some("grüezi")),
            (b"\x93ok\x94".to_vec(), Some("windows-1252"), Some("“ok”")),
            ("ü".as_bytes().to_vec(), Some("x-unknown"), Some("ü")),
            (b"gr\xfcezi".to_vec(), None, None),
            (b"\xff\xfe\x3c".to_vec(), None, None),
            (b"".to_vec(), None, Some("")),
        ] {
            let got = decode(&body, charset);
            assert_eq!(got.as_deref().ok(), expected, "{body:?} {charset:?}");
        }
    }
}
