//! As typed to valid by type: numbers and the documents behind them.

use std::collections::BTreeMap;
use std::path::Path;

use base::{AccountSid, ApplicationSid};
use call::agents::AgentQueue;
use call::office::{Application, DocumentRef, Number};
use call::route::{is_dialable, normalise};
use twiml::{Dialect, HttpMethod, Level, ProgressEvent, Source, StatusCallback};
use url::Url;

use crate::agents::queue_document;
use crate::directory::{name, required, twice};
use crate::raw::{ApplicationKeys, At, NumberKeys};
use crate::read::nearest;
use crate::resolve::Findings;

pub(crate) fn numbers(
    keys: &[NumberKeys],
    directory: &Path,
    (account, queues): (AccountSid, &[AgentQueue]),
    found: &mut Findings,
) -> BTreeMap<String, Number> {
    let mut numbers = BTreeMap::new();
    for keys in keys {
        let text = required(found, "number.number", &keys.span, keys.number.as_ref(), owned_number);
        let queue = found.read("number.queue", keys.queue.as_ref(), |text: &String| {
            let known: Vec<&str> = queues.iter().map(|queue| queue.name.as_str()).collect();
            match (known.contains(&text.as_str()), known.as_slice()) {
                (true, _) => Ok(queue_document(account, text)),
                (false, []) => Err(format!("`{text}` is no queue; there is no [[queue]] yet.")),
                (false, known) => {
                    Err(format!("`{text}` is no queue; the nearest is `{}`.", nearest(text, known)))
                }
            }
        });
        let application = application(keys, queue, directory, found);
        let (Some(text), Some(application)) = (text, application) else { continue };
        if numbers.insert(normalise(&text), Number { number: text.clone(), application }).is_some() {
            twice(found, "number.number", keys.number.as_ref(), &text);
        }
    }
    numbers
}

pub(crate) fn applications(
    keys: &[ApplicationKeys],
    directory: &Path,
    found: &mut Findings,
) -> BTreeMap<String, Application> {
    let mut applications = BTreeMap::new();
    for keys in keys {
        let sid = required(found, "application.sid", &keys.span, keys.sid.as_ref(), |text| {
            text.parse::<ApplicationSid>().map(|sid| sid.to_string()).map_err(|error| format!("{error}."))
        });
        // Its keys are a number's, and read as such.
        let mut own = Findings::default();
        let application = application(&as_number(keys), None, directory, &mut own);
        for fault in own.errors.iter_mut().chain(&mut own.warnings) {
            fault.key = fault.key.replace("number.", "application.");
        }
        found.errors.append(&mut own.errors);
        found.warnings.append(&mut own.warnings);
        let (Some(sid), Some(application)) = (sid, application) else { continue };
        if applications.insert(sid.clone(), application).is_some() {
            twice(found, "application.sid", keys.sid.as_ref(), &sid);
        }
    }
    applications
}

fn as_number(keys: &ApplicationKeys) -> NumberKeys {
    let ApplicationKeys {
        span,
        sid: _,
        voice_url,
        voice_method,
        voice_twiml,
        voice_fallback_url,
        voice_fallback_method,
        status_callback,
        status_callback_method,
        status_callback_event,
        dialect,
    } = keys;
    NumberKeys {
        span: span.clone(),
        voice_url: voice_url.clone(),
        voice_method: voice_method.clone(),
        voice_twiml: voice_twiml.clone(),
        voice_fallback_url: voice_fallback_url.clone(),
        voice_fallback_method: voice_fallback_method.clone(),
        status_callback: status_callback.clone(),
        status_callback_method: status_callback_method.clone(),
        status_callback_event: status_callback_event.clone(),
        dialect: dialect.clone(),
        ..NumberKeys::default()
    }
}

fn owned_number(text: &String) -> Result<String, String> {
    let normal = normalise(text);
    if is_dialable(&normal) || name(&normal).is_ok() {
        return Ok(text.trim().to_owned());
    }
    Err(format!("`{text}` must be a number as it is dialled, as +15550001111, or a SIP user name."))
}

/// `queue`: the document of the queue a number names.
fn application(
    keys: &NumberKeys,
    queue: Option<String>,
    directory: &Path,
    found: &mut Findings,
) -> Option<Application> {
    let method = |found: &mut Findings, key: &str, value: Option<&At<String>>| {
        found
            .read(key, value, |text| {
                HttpMethod::parse(text).ok_or_else(|| format!("`{text}` must be GET or POST."))
            })
            .unwrap_or_default()
    };
    let dialect = found.read("number.dialect", keys.dialect.as_ref(), |text| match text.as_str() {
        "twiml" => Ok(Dialect::Twiml),
        "texml" => Ok(Dialect::Texml),
        _ => Err(format!("`{text}` must be twiml or texml.")),
    });
    let dialect = dialect.unwrap_or_default();
    let voice_method = match (&keys.voice_method, dialect) {
        // There an application is asked by GET unless it says otherwise (reference: texml-delta §2).
        (None, Dialect::Texml) => HttpMethod::Get,
        (method_key, _) => method(found, "number.voice_method", method_key.as_ref()),
    };
    let fallback_method = method(found, "number.voice_fallback_method", keys.voice_fallback_method.as_ref());
    let callback_method =
        method(found, "number.status_callback_method", keys.status_callback_method.as_ref());
    if let (Some(At { span, .. }), true) =
        (&keys.queue, keys.voice_url.is_some() || keys.voice_twiml.is_some())
    {
        found.error(span, "number.queue", "stands beside a document; one of them has to go.");
    }
    let voice = match (&keys.voice_url, &keys.voice_twiml) {
        // What is wrong with it has been said.
        (None, None) if keys.queue.is_some() => queue.map(Source::Inline),
        (Some(_), Some(twiml)) => {
            found.error(
                &twiml.span,
                "number.voice_twiml",
                "stands beside `voice_url`; one of them has to go.",
            );
            None
        }
        (Some(_), None) => found
            .read("number.voice_url", keys.voice_url.as_ref(), |text| document_url(text, directory))
            .map(|url| Source::Url { url, method: voice_method }),
        (None, Some(_)) => found
            .read("number.voice_twiml", keys.voice_twiml.as_ref(), |text| inline_document(text, dialect))
            .map(Source::Inline),
        (None, None) => {
            let span = keys.number.as_ref().map_or(&keys.span, |number| &number.span);
            found.error(span, "number.voice_url", "is missing: nothing would answer this number.");
            None
        }
    };
    let fallback = found
        .read("number.voice_fallback_url", keys.voice_fallback_url.as_ref(), |text| {
            document_url(text, directory)
        })
        .map(|url| DocumentRef { url, method: fallback_method });
    let events = found
        .read("number.status_callback_event", keys.status_callback_event.as_ref(), |words| events(words));
    let status_callback = found
        .read("number.status_callback", keys.status_callback.as_ref(), |text| callback_url(text))
        .map(|url| StatusCallback {
            url,
            method: callback_method,
            events: events.unwrap_or_else(|| vec![ProgressEvent::Completed]),
        });
    let record_dual =
        found.read("number.record_channels", keys.record_channels.as_ref(), |text| match text.as_str() {
            "mono" => Ok(false),
            "dual" => Ok(true),
            _ => Err(format!("`{text}` must be mono or dual.")),
        });
    Some(Application {
        voice: voice?,
        fallback,
        status_callback,
        dialect,
        record: keys.record.as_ref().is_some_and(|record| record.value),
        record_dual: record_dual.unwrap_or_default(),
    })
}

/// Where a document is: the URL as it stands, or the absolute form of a file's.
///
/// The text itself stays out of messages: it may carry a password.
fn document_url(text: &str, directory: &Path) -> Result<String, String> {
    if let Some(path) = text.strip_prefix("file:") {
        let path = path.strip_prefix("//").unwrap_or(path);
        if path.is_empty() {
            return Err("names no file; write file:welcome.xml.".to_owned());
        }
        return Url::from_file_path(directory.join(path))
            .map(String::from)
            .map_err(|()| "must be a file, as file:welcome.xml.".to_owned());
    }
    if let Some(entry) = text.strip_prefix("app:") {
        return match entry.split_once('/') {
            Some((app, entry)) if !app.is_empty() && !entry.is_empty() => Ok(text.to_owned()),
            _ => Err("must name an application and its entry, as app:flow/reception.".to_owned()),
        };
    }
    web_url(text).map_err(|()| "must be http://…, https://…, file:… or app:….".to_owned())
}

pub(crate) fn callback_url(text: &str) -> Result<String, String> {
    web_url(text).map_err(|()| "must be http://… or https://….".to_owned())
}

fn web_url(text: &str) -> Result<String, ()> {
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(text.to_owned()),
        _ => Err(()),
    }
}

fn inline_document(text: &str, dialect: Dialect) -> Result<String, String> {
    let findings = match twiml::parse(text, dialect) {
        Ok(document) => document.findings,
        Err(finding) => vec![finding],
    };
    match findings.into_iter().find(|finding| finding.level == Level::Error) {
        Some(finding) => Err(format!("is no document that can be executed: {finding}")),
        None => Ok(text.to_owned()),
    }
}

fn events(words: &[String]) -> Result<Vec<ProgressEvent>, String> {
    // One text with spaces is how TwiML and the REST API write the list.
    words
        .iter()
        .flat_map(|words| words.split_whitespace())
        .map(|word| match word {
            "initiated" => Ok(ProgressEvent::Initiated),
            "ringing" => Ok(ProgressEvent::Ringing),
            "answered" => Ok(ProgressEvent::Answered),
            "completed" => Ok(ProgressEvent::Completed),
            _ => Err(format!("`{word}` is no event; there are initiated, ringing, answered and completed.")),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_found_relative_to_the_file() {
        let directory = Path::new("/etc/tandem");
        for (text, expected) in [
            ("file:welcome.xml", Ok("file:///etc/tandem/welcome.xml")),
            ("file:sub/a b.xml", Ok("file:///etc/tandem/sub/a%20b.xml")),
            ("file:///srv/x.xml", Ok("file:///srv/x.xml")),
            ("file:/srv/x.xml", Ok("file:///srv/x.xml")),
            ("app:flow/reception", Ok("app:flow/reception")),
            ("https://u:p@web.example/v?a=b#rc=2", Ok("https://u:p@web.example/v?a=b#rc=2")),
            ("file:", Err("names no file")),
            ("app:flow", Err("must name an application")),
            ("welcome.xml", Err("must be http://")),
            ("ftp://x/y", Err("must be http://")),
            ("http:///x", Ok("http:///x")),
        ] {
            match (document_url(text, directory), expected) {
                (Ok(url), Ok(expected)) => assert_eq!(url, expected),
                (Err(message), Err(expected)) => assert!(message.contains(expected), "{text}: {message}"),
                (result, _) => panic!("{text}: {result:?}"),
            }
        }
    }
}
