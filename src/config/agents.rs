//! As typed to valid by type: agents, their queues, and what their phones dial.

use std::collections::BTreeMap;

use base::AccountSid;
use call::agents::{Agent, AgentQueue, AgentSids, Agents, Feature};
use call::office::Phone;
use call::route::normalise;
use router::{Expr, read_attributes, with_attribute};

use crate::directory::{name, required, twice};
use crate::raw::{AgentsKeys, At, QueueKeys, WorkerKeys};
use crate::read::nearest;
use crate::resolve::Findings;

/// Reasons that have a digit of their own.
const REASONS_MAX: usize = 9;
const SECONDS_MAX: u64 = 86_400;

pub(crate) fn agents(
    keys: (&AgentsKeys, &[QueueKeys], &[WorkerKeys]),
    phones: &BTreeMap<String, Phone>,
    found: &mut Findings,
) -> Option<Box<Agents>> {
    let (common, queues, workers) = keys;
    let reasons = found.read("agents.reasons", common.reasons.as_ref(), |names| reasons(names));
    let reasons = reasons.unwrap_or_else(|| REASONS.map(str::to_owned).to_vec());
    let codes = codes(common, reasons.len(), found);
    let answer_s =
        found.read("agents.answer_s", common.answer_s.as_ref(), |&s| seconds(s, 5, 600)).unwrap_or(20);
    let logs_out =
        found.read("agents.not_answered", common.not_answered.as_ref(), |text| match text.as_str() {
            "log-out" => Ok(true),
            "stay" => Ok(false),
            _ => Err(format!("`{text}` must be log-out or stay.")),
        });
    let wraps_up = common.wrap_up.as_ref().is_none_or(|wrap_up| wrap_up.value);
    let wrap_up_s =
        found.read("agents.wrap_up_s", common.wrap_up_s.as_ref(), |&s| seconds(s, 0, SECONDS_MAX));
    let agents = Agents {
        codes,
        reasons,
        answer_s,
        logs_out: logs_out.unwrap_or(true),
        wrap_up_s: wraps_up.then(|| wrap_up_s.unwrap_or(0)),
        queues: read_queues(queues, found),
        workers: read_workers(workers, phones, found),
    };
    (!queues.is_empty() || !workers.is_empty()).then(|| Box::new(agents))
}

/// What agents pause for when nothing is said.
const REASONS: [&str; 3] = ["Break", "Lunch", "Meeting"];

fn reasons(names: &[String]) -> Result<Vec<String>, String> {
    let fits = |name: &&String| {
        !name.trim().is_empty() && name.chars().count() <= 64 && !name.contains(char::is_control)
    };
    let taken = ["Offline", "Available", "Wrap-Up"];
    if names.is_empty() || names.len() > REASONS_MAX || !names.iter().all(|name| fits(&name)) {
        return Err(format!("must be 1 to {REASONS_MAX} names of at most 64 characters."));
    }
    if let Some(twice) = names.iter().enumerate().find(|(at, name)| names[..*at].contains(name)) {
        return Err(format!("`{}` stands twice.", twice.1));
    }
    match names.iter().find(|name| taken.contains(&name.as_str())) {
        Some(name) => Err(format!("`{name}` is what agents do anyway; take another name.")),
        None => Ok(names.to_vec()),
    }
}

fn seconds(value: u64, least: u64, most: u64) -> Result<u32, String> {
    let fits = u32::try_from(value).ok().filter(|_| (least..=most).contains(&value));
    fits.ok_or_else(|| format!("must be {least} to {most}."))
}

fn codes(keys: &AgentsKeys, reasons: usize, found: &mut Findings) -> BTreeMap<String, Feature> {
    let mut codes: BTreeMap<String, Feature> = BTreeMap::new();
    for (key, value, default, feature) in [
        ("agents.log_in", &keys.log_in, "*10", Feature::LogIn),
        ("agents.log_out", &keys.log_out, "*11", Feature::LogOut),
        ("agents.pause", &keys.pause, "*12", Feature::Pause(0)),
        ("agents.end_wrap_up", &keys.end_wrap_up, "*13", Feature::EndWrapUp),
    ] {
        let code = found.read(key, value.as_ref(), |text: &String| {
            let code = normalise(text);
            let fits = (2..=16).contains(&code.len())
                && code.chars().all(|c| c.is_ascii_digit() || "*#".contains(c));
            fits.then_some(code)
                .ok_or_else(|| format!("`{text}` must be 2 to 16 keys of a telephone, as {default}."))
        });
        let code = code.unwrap_or_else(|| default.to_owned());
        let mut all = vec![(code.clone(), feature)];
        if matches!(feature, Feature::Pause(_)) {
            all.extend((0..reasons).map(|at| (format!("{code}{}", at + 1), Feature::Pause(at))));
        }
        for (code, feature) in all {
            if codes.contains_key(&code) {
                let span = value.as_ref().map_or(&keys.span, |value| &value.span);
                found.error(span, key, format!("`{code}` does something else already."));
            }
            codes.insert(code, feature);
        }
    }
    codes
}

fn read_queues(keys: &[QueueKeys], found: &mut Findings) -> Vec<AgentQueue> {
    let names: Vec<&str> = keys.iter().filter_map(|keys| Some(keys.name.as_ref()?.value.as_str())).collect();
    let mut queues: Vec<AgentQueue> = Vec::new();
    for keys in keys {
        let name = required(found, "queue.name", &keys.span, keys.name.as_ref(), name);
        let workers = found.read("queue.workers", keys.workers.as_ref(), |text: &String| {
            Expr::parse(text).map_err(|error| format!("`{text}`: {error}."))
        });
        let overflow = found.read("queue.overflow", keys.overflow.as_ref(), |text: &String| {
            let known = names.contains(&text.as_str());
            known
                .then(|| text.clone())
                .ok_or_else(|| format!("`{text}` is no queue; the nearest is `{}`.", nearest(text, &names)))
        });
        let after_s =
            found.read("queue.overflow_s", keys.overflow_s.as_ref(), |&s| seconds(s, 1, SECONDS_MAX));
        let Some(name) = name else { continue };
        if queues.iter().any(|queue| queue.name == name) {
            twice(found, "queue.name", keys.name.as_ref(), &name);
        }
        if let (Some(At { span, .. }), Some(other)) = (&keys.overflow, &overflow)
            && *other == name
        {
            found.error(span, "queue.overflow", "is the queue itself.");
        }
        let by_skill = || Expr::parse(&format!("skills HAS \"{name}\"")).expect("a name has no quotes");
        queues.push(AgentQueue {
            workers: workers.unwrap_or_else(by_skill),
            overflow: overflow.map(|other| (other, after_s.unwrap_or(60))),
            name,
        });
    }
    queues
}

fn read_workers(keys: &[WorkerKeys], phones: &BTreeMap<String, Phone>, found: &mut Findings) -> Vec<Agent> {
    let mut workers: Vec<Agent> = Vec::new();
    for keys in keys {
        let name = required(found, "worker.name", &keys.span, keys.name.as_ref(), name);
        let phone = keys.phone.as_ref().or(keys.name.as_ref());
        let phone = found.read("worker.phone", phone, |text: &String| {
            let known: Vec<&str> = phones.keys().map(String::as_str).collect();
            match (phones.contains_key(text), known.as_slice()) {
                (true, _) => Ok(text.clone()),
                (false, []) => Err(format!("`{text}` is no phone; there is no [[phone]] yet.")),
                (false, known) => {
                    Err(format!("`{text}` is no phone; the nearest is `{}`.", nearest(text, known)))
                }
            }
        });
        let attributes = found.read("worker.attributes", keys.attributes.as_ref(), |text: &String| {
            read_attributes(text).map_err(|why| format!("must be a JSON object: {why}."))
        });
        let calls = found.read("worker.calls", keys.calls.as_ref(), |&calls| seconds(calls, 1, 50));
        let (Some(name), Some(phone)) = (name, phone) else { continue };
        if workers.iter().any(|worker| worker.name == name) {
            twice(found, "worker.name", keys.name.as_ref(), &name);
        }
        if workers.iter().any(|worker| worker.phone == phone) {
            found.error(&keys.span, "worker.phone", format!("`{phone}` is another worker's already."));
        }
        let mut attributes =
            attributes.unwrap_or_else(|| read_attributes("").expect("nothing is no attribute"));
        if let (Some(skills), Some(all)) = (&keys.skills, attributes.as_object_mut()) {
            all.insert("skills".to_owned(), skills.value.clone().into());
        }
        let attributes = with_attribute(attributes, &["name"], &name);
        workers.push(Agent { name, phone, attributes, capacity: calls.unwrap_or(1) });
    }
    workers
}

/// The document of a number whose callers wait for agents.
pub(crate) fn queue_document(account: AccountSid, queue: &str) -> String {
    format!("<Response><Enqueue workflowSid=\"{}\"/></Response>", AgentSids(account).workflow(queue))
}

#[cfg(test)]
mod tests {
    use twiml::Source;

    use super::*;
    use crate::tests::{config, resolved};

    const PHONES: &str =
        "[[phone]]\nname='ann'\npassword='secret'\n[[phone]]\nname='bob'\npassword='secret'\n";

    #[test]
    fn agents_are_read_with_what_they_leave_out() {
        assert_eq!(config(PHONES).office.agents, None);
        let config = config(&format!(
            "{PHONES}[[queue]]\nname='sales'\n[[queue]]\nname='help'\nworkers='level > 1'\noverflow='sales'\n\
             [[worker]]\nname='ann'\nskills=['sales']\nattributes='{{\"level\": 2}}'\n\
             [[worker]]\nname='Robert'\nphone='bob'\ncalls=2\n[[number]]\nnumber='+15550001111'\nqueue='sales'"
        ));
        let agents = config.office.agents.as_ref().unwrap();
        let queues: Vec<_> = agents.queues.iter().map(|q| (q.workers.as_str(), q.overflow.clone())).collect();
        assert_eq!(queues, [("skills HAS \"sales\"", None), ("level > 1", Some(("sales".to_owned(), 60)))]);
        let ann = &agents.workers[0];
        assert_eq!((ann.phone.as_str(), ann.capacity), ("ann", 1));
        assert_eq!(ann.attributes.to_string(), "{\"level\":2,\"name\":\"ann\",\"skills\":[\"sales\"]}");
        assert_eq!((agents.workers[1].phone.as_str(), agents.workers[1].capacity), ("bob", 2));
        for (code, feature) in [
            ("*10", Some(Feature::LogIn)),
            ("*11", Some(Feature::LogOut)),
            ("*12", Some(Feature::Pause(0))),
            ("*123", Some(Feature::Pause(2))),
            ("*124", None),
            ("*13", Some(Feature::EndWrapUp)),
        ] {
            assert_eq!(agents.feature(code), feature, "{code}");
        }
        assert_eq!((agents.answer_s, agents.wrap_up_s, agents.logs_out), (20, Some(0), true));
        let Source::Inline(document) = &config.office.numbers["+15550001111"].application.voice else {
            panic!()
        };
        let workflow = AgentSids(config.office.account_sid).workflow("sales");
        assert!(document.contains(&workflow.to_string()), "{document}");
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (toml, key, part) in [
            ("[[worker]]\nname='eve'", "worker.phone", "is no phone; the nearest is"),
            ("[[worker]]\nphone='ann'", "worker.name", "is missing"),
            (
                "[[worker]]\nname='a'\nphone='ann'\n[[worker]]\nname='b'\nphone='ann'",
                "worker.phone",
                "another worker's",
            ),
            ("[[worker]]\nname='ann'\nattributes='[]'", "worker.attributes", "must be a JSON object"),
            ("[[queue]]\nname='s'\nworkers='level >'", "queue.workers", "level >"),
            ("[[queue]]\nname='s'\noverflow='t'", "queue.overflow", "is no queue"),
            ("[[queue]]\nname='s'\noverflow='s'", "queue.overflow", "the queue itself"),
            ("[agents]\nlog_in='*13'", "agents.end_wrap_up", "something else"),
            ("[agents]\nlog_in='hello'", "agents.log_in", "keys of a telephone"),
            ("[agents]\nreasons=['Offline']", "agents.reasons", "take another name"),
            ("[agents]\nnot_answered='no'", "agents.not_answered", "log-out or stay"),
            ("[[number]]\nnumber='1'\nqueue='x'", "number.queue", "is no queue"),
            (
                "[[queue]]\nname='s'\n[[number]]\nnumber='1'\nqueue='s'\nvoice_url='http://x/'",
                "number.queue",
                "beside",
            ),
            (
                "[[worker]]\nname='ann'\n[[phone]]\nname='c'\npassword='secret'\nextension='*10'",
                "phone.extension",
                "agents dial",
            ),
        ] {
            let errors = resolved(&format!("{PHONES}{toml}")).unwrap_err();
            let text = errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
            assert!(text.contains(key) && text.contains(part), "{toml}: {text}");
        }
    }
}
