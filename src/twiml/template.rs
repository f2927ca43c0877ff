//! Stored documents with places for a request's parameters (reference: texml-delta §2).
//!
//! ```text
//! {{From}}                                     the parameter, escaped for XML; nothing when there is none
//! {{#Digits}} … {{/Digits}}                    when it is there and not empty or `false`
//! {{^Digits}} … {{/Digits}}                    when it is not
//! {{#if Digits == 1}} … {{else}} … {{/if}}     when it equals (or `!=`: does not equal) a value, quoted or not
//! {{! a comment }}
//! ```
//!
//! Only documents of the box's own folder are templates: what a web server sends is a document already.

use base::limits::DOCUMENT_BYTES_MAX;

use crate::Finding;

/// The document that a template and parameters give.
pub fn fill_template(template: &str, params: &[(String, String)]) -> Result<String, Finding> {
    fill(template, params, None)
}

/// A template as one reads it who looks for mistakes: without parameters, places still in it, and with blanks for what
/// is not shown, so that everything stands where it stood. `other` shows the other side of each section.
pub(crate) fn template_side(template: &str, other: bool) -> Result<String, Finding> {
    fill(template, &[], Some(other))
}

fn fill(template: &str, params: &[(String, String)], side: Option<bool>) -> Result<String, Finding> {
    let mut document = String::with_capacity(template.len());
    let mut open: Vec<Section<'_>> = Vec::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let is_shown = open.iter().all(|section| section.shown);
        if is_shown {
            document.push_str(before);
        } else if side.is_some() {
            blank(before, &mut document);
        }
        let at = rest.len();
        let (tag, after) = match after.strip_prefix('{') {
            Some(after) => after.split_once("}}}").ok_or_else(brackets)?,
            None => after.split_once("}}").ok_or_else(brackets)?,
        };
        let written = rest.get(before.len()..at - after.len()).unwrap_or_default();
        rest = after;
        let tag = tag.trim();
        let is_place = is_name(tag) && tag != "else";
        match side {
            Some(_) if is_place && is_shown => document.push_str(written),
            Some(_) => blank(written, &mut document),
            None => {}
        }
        match tag.chars().next() {
            Some('!') => {}
            Some('#' | '^') => {
                if open.len() >= DEPTH_MAX {
                    return Err(token(tag));
                }
                let section = section(tag, params)?;
                open.push(Section { shown: section.shown != (side == Some(true)), ..section });
            }
            Some('/') => {
                let name = tag.get(1..).unwrap_or_default().trim();
                if open.pop().is_none_or(|section| section.name != name) {
                    return Err(brackets());
                }
            }
            _ if tag == "else" => {
                let section = open.last_mut().ok_or_else(brackets)?;
                section.shown = !section.shown;
            }
            _ if !is_name(tag) => return Err(token(tag)),
            _ if is_shown && side.is_none() => escape(value(tag, params), &mut document),
            _ => {}
        }
        if document.len() > DOCUMENT_BYTES_MAX {
            return Err(Finding::unplaced(11750, ""));
        }
    }
    if !open.is_empty() {
        return Err(brackets());
    }
    document.push_str(rest);
    Ok(document)
}

/// What stands between an opening and a closing tag.
struct Section<'t> {
    name: &'t str,
    shown: bool,
}

fn section<'t>(tag: &'t str, params: &[(String, String)]) -> Result<Section<'t>, Finding> {
    let inverted = tag.starts_with('^');
    let inner = tag.get(1..).unwrap_or_default().trim();
    if let Some(condition) = inner.strip_prefix("if ").filter(|_| !inverted) {
        return Ok(Section { name: "if", shown: holds(condition.trim(), params)? });
    }
    if !is_name(inner) {
        return Err(token(tag));
    }
    Ok(Section { name: inner, shown: is_there(inner, params) != inverted })
}

fn holds(condition: &str, params: &[(String, String)]) -> Result<bool, Finding> {
    let (name, wanted, equal) = match (condition.split_once("=="), condition.split_once("!=")) {
        (Some((name, wanted)), _) => (name.trim(), Some(wanted.trim()), true),
        (None, Some((name, wanted))) => (name.trim(), Some(wanted.trim()), false),
        (None, None) => (condition, None, true),
    };
    if !is_name(name) {
        return Err(token(condition));
    }
    let Some(wanted) = wanted else { return Ok(is_there(name, params)) };
    let quoted = |quote: char| wanted.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    let wanted = quoted('"').or_else(|| quoted('\'')).unwrap_or(wanted);
    Ok((value(name, params) == wanted) == equal)
}

fn is_there(name: &str, params: &[(String, String)]) -> bool {
    !matches!(value(name, params), "" | "false")
}

fn value<'p>(name: &str, params: &'p [(String, String)]) -> &'p str {
    params.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
}

/// A parameter's name.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b))
}

/// A caller who types `</Say>` changes nothing but what is said. Characters XML has no place for are left out.
fn escape(value: &str, document: &mut String) {
    for c in value.chars() {
        match c {
            '&' => document.push_str("&amp;"),
            '<' => document.push_str("&lt;"),
            '>' => document.push_str("&gt;"),
            '"' => document.push_str("&quot;"),
            '\'' => document.push_str("&apos;"),
            c if c.is_control() => document.push(' '),
            c => document.push(c),
        }
    }
}

fn blank(text: &str, document: &mut String) {
    document.extend(text.chars().map(|c| if matches!(c, '\n' | '\r') { c } else { ' ' }));
}

fn brackets() -> Finding {
    Finding::unplaced(11320, "every {{ has its }}, and every {{#section}} its {{/section}}")
}

fn token(tag: &str) -> Finding {
    Finding::unplaced(11310, &format!("{{{{{}}}}}", crate::reading::shortened(tag)))
}

/// Sections within each other.
const DEPTH_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_filled_and_sections_chosen() {
        let params: Vec<(String, String)> =
            [("From", "+1 <b> & \"c\""), ("Digits", "1"), ("Empty", ""), ("No", "false")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .to_vec();
        for (template, expected) in [
            ("<Say>{{From}}</Say>", Ok("<Say>+1 &lt;b&gt; &amp; &quot;c&quot;</Say>")),
            ("{{{Digits}}}{{ Digits }}", Ok("11")),
            ("a{{Unknown}}b", Ok("ab")),
            ("{{! nothing }}x", Ok("x")),
            ("{{#Digits}}yes{{/Digits}}{{^Digits}}no{{/Digits}}", Ok("yes")),
            ("{{#Empty}}yes{{/Empty}}{{^Empty}}no{{/Empty}}", Ok("no")),
            ("{{#No}}yes{{else}}no{{/No}}", Ok("no")),
            ("{{#if Digits == 1}}one{{else}}other{{/if}}", Ok("one")),
            ("{{#if Digits == '2'}}two{{else}}other{{/if}}", Ok("other")),
            ("{{#if Digits != \"2\"}}not two{{/if}}", Ok("not two")),
            ("{{#if Digits}}a{{#if Empty}}b{{else}}c{{/if}}d{{/if}}e", Ok("acde")),
            ("{{#Empty}}{{#Digits}}x{{else}}y{{/Digits}}{{/Empty}}z", Ok("z")),
            ("{ {x} }", Ok("{ {x} }")),
            ("{{From", Err(11320)),
            ("{{#Digits}}", Err(11320)),
            ("{{/Digits}}", Err(11320)),
            ("{{#Digits}}{{/From}}", Err(11320)),
            ("{{else}}", Err(11320)),
            ("{{a b}}", Err(11310)),
            ("{{}}", Err(11310)),
            ("{{#if a b == 1}}{{/if}}", Err(11310)),
        ] {
            let filled = fill_template(template, &params);
            assert_eq!(filled.as_deref().map_err(|finding| finding.code), expected, "{template}");
        }
    }

    #[test]
    fn both_sides_of_a_template_stand_where_they_stood() {
        let template = "a{{#if X == 1}}\nb{{Y}}{{else}}c{{/if}}{{! d }}{{{Y}}}";
        let first = format!("a{:14}\n{:14}c{:15}{{{{{{Y}}}}}}", "", "", "");
        let second = format!("a{:14}\nb{{{{Y}}}}{:24}{{{{{{Y}}}}}}", "", "");
        for (other, expected) in [(false, first), (true, second)] {
            assert_eq!(template_side(template, other), Ok(expected), "{other}");
        }
        assert_eq!(template_side("{{#X}}", false).unwrap_err().code, 11320);
    }

    #[test]
    fn what_grows_or_nests_without_end_is_refused() {
        let params = vec![("a".to_owned(), "x".repeat(1_000))];
        assert_eq!(fill_template(&"{{a}}".repeat(100), &params).unwrap_err().code, 11750);
        let deep = "{{#a}}".repeat(10_000);
        assert_eq!(fill_template(&deep, &params).unwrap_err().code, 11310);
    }
}
