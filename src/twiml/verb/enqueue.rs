//! `<Enqueue>` (reference: twiml-voice §11.1).

use base::WorkflowSid;
use serde::{Deserialize, Serialize};

use crate::HttpMethod;
use crate::reading::{Node, Reading, attribute, owned, shortened, tag, text};

/// Wait in a queue until somebody takes the call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enqueue {
    /// Which; whoever dials the same name takes the call. Empty when a workflow decides.
    pub name: String,
    /// Requested when the call leaves the queue; `None` = go on with the next verb.
    pub action: Option<String>,
    /// How the action is requested.
    pub method: HttpMethod,
    /// What is heard meanwhile; `None` = the box's hold music, empty = silence.
    pub wait_url: Option<String>,
    /// How that is requested.
    pub wait_url_method: HttpMethod,
    /// No further caller is let in for this one's sake, 1–5,000; `None` = the queue's own size.
    pub max_queue_size: Option<u32>,
    /// The workflow the call is handed to as a task, instead of waiting by name.
    pub workflow: Option<WorkflowSid>,
    /// What the task is.
    pub task: Option<EnqueueTask>,
}

/// `<Task>`, or by its old name `<TaskAttributes>`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnqueueTask {
    /// A JSON object, as written.
    pub attributes: String,
    /// Of the task; `None` = the workflow's.
    pub priority: Option<u32>,
    /// Seconds until the task is given up; `None` = the workspace's.
    pub timeout_s: Option<u32>,
}

pub(crate) fn read(node: Node<'_>, reading: &mut Reading<'_>) -> Enqueue {
    reading.known_attributes(node, ATTRIBUTES, &[]);
    reading.only_children(node, TASKS);
    let workflow = workflow(node, reading);
    let task = task(node, reading);
    let mut name = text(node);
    if attribute(node, "workflowSid").is_none() {
        check_name(&name, node, reading, (14204, 14205));
    } else {
        name.clear();
    }
    Enqueue {
        name,
        action: owned(node, "action"),
        method: reading.method(node, "method", 14201),
        wait_url: owned(node, "waitUrl"),
        wait_url_method: reading.method(node, "waitUrlMethod", 14206),
        max_queue_size: reading.whole_or_none(node, "maxQueueSize", 1..=QUEUE_SIZE_MAX, 12200),
        workflow,
        task,
    }
}

/// A queue's name, in either of the verbs that have one: too short, too long.
pub(super) fn check_name(
    name: &str,
    node: Node<'_>,
    reading: &mut Reading<'_>,
    (short, long): (u32, u32),
) -> bool {
    let fault = if name.is_empty() {
        (short, format!("{} needs the name of a queue", tag(node)))
    } else if name.chars().count() > NAME_CHARS_MAX || name.contains(char::is_control) {
        (long, format!("a queue's name has at most {NAME_CHARS_MAX} printable characters"))
    } else {
        return true;
    };
    reading.bad(fault.0, node.range().start, fault.1);
    false
}

fn workflow(node: Node<'_>, reading: &mut Reading<'_>) -> Option<WorkflowSid> {
    let sid = attribute(node, "workflowSid")?.parse().ok();
    reading.foreign_attribute(node, "workflowSid");
    if sid.is_none() {
        reading.bad_value(node, "workflowSid", 14220, "must be a workflow's sid");
    }
    sid
}

/// Only the first counts; without a workflow nothing becomes of it.
fn task(node: Node<'_>, reading: &mut Reading<'_>) -> Option<EnqueueTask> {
    let task = node.children().find(|child| child.is_element() && TASKS.contains(&tag(*child)))?;
    reading.known_attributes(task, &["priority", "timeout"], &[]);
    reading.no_children(task);
    if attribute(node, "workflowSid").is_none() {
        let message = format!("{} means nothing without a workflowSid and was ignored", tag(task));
        reading.note(12200, task.range().start, message);
        return None;
    }
    reading.foreign(task.range().start, tag(task));
    let attributes = text(task);
    if !is_json_object(&attributes) {
        let message = format!("the task's attributes are no JSON object: {}", shortened(&attributes));
        reading.bad(14221, task.range().start, message);
    }
    Some(EnqueueTask {
        attributes,
        priority: reading.whole_or_none(task, "priority", 0..=NUMBER_MAX, 12200),
        timeout_s: reading.whole_or_none(task, "timeout", 1..=NUMBER_MAX, 12200),
    })
}

/// No attributes at all are an empty object.
fn is_json_object(text: &str) -> bool {
    text.is_empty() || serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text).is_ok()
}

const TASKS: &[&str] = &["Task", "TaskAttributes"];
const ATTRIBUTES: &[&str] = &["action", "maxQueueSize", "method", "waitUrl", "waitUrlMethod", "workflowSid"];
const NAME_CHARS_MAX: usize = 64;
/// Members of one queue at most (reference: rest-voice §9).
const QUEUE_SIZE_MAX: u32 = 5_000;
const NUMBER_MAX: u32 = i32::MAX as u32;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verb::table::{one, one_in};
    use crate::{Dialect, Verb};

    fn plain() -> Enqueue {
        Enqueue {
            name: "desk".into(),
            action: None,
            method: HttpMethod::Post,
            wait_url: None,
            wait_url_method: HttpMethod::Post,
            max_queue_size: None,
            workflow: None,
            task: None,
        }
    }

    fn with(change: fn(&mut Enqueue)) -> Option<Verb> {
        let mut enqueue = plain();
        change(&mut enqueue);
        Some(Verb::Enqueue(enqueue))
    }

    #[test]
    fn attributes_and_their_bad_values() {
        for (attributes, expected, codes) in [
            ("", with(|_| {}), vec![]),
            ("action='/a'", with(|e| e.action = Some("/a".into())), vec![]),
            ("action=''", with(|e| e.action = Some(String::new())), vec![]),
            ("method='GET'", with(|e| e.method = HttpMethod::Get), vec![]),
            ("method='x'", None, vec![14201]),
            ("waitUrl='/w'", with(|e| e.wait_url = Some("/w".into())), vec![]),
            ("waitUrl=''", with(|e| e.wait_url = Some(String::new())), vec![]),
            ("waitUrlMethod='GET'", with(|e| e.wait_url_method = HttpMethod::Get), vec![]),
            ("waitUrlMethod='x'", None, vec![14206]),
            ("maxQueueSize='2'", with(|e| e.max_queue_size = Some(2)), vec![]),
            ("maxQueueSize='0'", with(|_| {}), vec![12200]),
            ("maxQueueSize='5001'", with(|_| {}), vec![12200]),
            ("workflowSid='WQ1'", None, vec![14220]),
            ("workflowSid=''", None, vec![14220]),
            ("WaitUrl='/w'", with(|_| {}), vec![12200]),
        ] {
            let xml = format!("<Enqueue {attributes}>\n  desk </Enqueue>");
            assert_eq!(one(&xml), (expected, codes), "{xml}");
        }
    }

    #[test]
    fn names() {
        let (fits, long) = ("ü".repeat(64), "x".repeat(65));
        for (name, codes) in [
            ("support desk", vec![]),
            (fits.as_str(), vec![]),
            ("", vec![14204]),
            (long.as_str(), vec![14205]),
        ] {
            let (verb, told) = one(&format!("<Enqueue>{name}</Enqueue>"));
            assert_eq!((verb.is_some(), told), (codes.is_empty(), codes), "{name}");
        }
    }

    #[test]
    fn a_task_for_a_workflow() {
        const SID: &str = "WW00000000000000000000000000000001";
        let task = |attributes: &str, priority, timeout_s| {
            let task = EnqueueTask { attributes: attributes.into(), priority, timeout_s };
            let workflow = Some(WorkflowSid(1));
            Some(Verb::Enqueue(Enqueue { name: String::new(), workflow, task: Some(task), ..plain() }))
        };
        for (content, expected, codes) in [
            ("<Task>{\"a\":1}</Task>", task("{\"a\":1}", None, None), vec![]),
            ("<TaskAttributes>{}</TaskAttributes>", task("{}", None, None), vec![]),
            ("<Task priority='5' timeout='60'>{}</Task>", task("{}", Some(5), Some(60)), vec![]),
            ("<Task priority='-1' timeout='0'>{}</Task>", task("{}", None, None), vec![12200, 12200]),
            ("<Task/>", task("", None, None), vec![]),
            ("ignored<Task>{}</Task>", task("{}", None, None), vec![]),
            ("<Task x='1'>{}</Task>", task("{}", None, None), vec![12200]),
            ("<Task>[1]</Task>", None, vec![14221]),
            ("<Task>{oops</Task>", None, vec![14221]),
        ] {
            let xml = format!("<Enqueue workflowSid='{SID}'>{content}</Enqueue>");
            assert_eq!(one(&xml), (expected, codes), "{xml}");
        }
        assert_eq!(one("<Enqueue>desk<Task>{}</Task></Enqueue>"), (with(|_| {}), vec![12200]));
        assert_eq!(one("<Enqueue>desk<Say>x</Say></Enqueue>"), (with(|_| {}), vec![12200]));
        // The other dialect has no such thing: each is told, and obeyed.
        let xml = format!("<Enqueue workflowSid='{SID}'><Task>{{}}</Task></Enqueue>");
        assert_eq!(one_in(&xml, Dialect::Texml), (task("{}", None, None), vec![12200, 12200]));
    }
}
