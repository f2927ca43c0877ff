//! A workflow's configuration: which tasks go to which queues, and when they go on (reference: taskrouter §6).

use base::TaskQueueSid;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Expr, ExprError};

/// Bytes of a configuration.
pub const CONFIGURATION_BYTES_MAX: usize = 1_038_576;

/// A configuration that has been read: everything inherited is filled in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workflow {
    /// In order; the first whose expression is true owns the task.
    pub filters: Vec<Filter>,
    /// For tasks no filter matched, or whose filters were all left by `skip_if`.
    pub default: Option<Target>,
}

/// Which tasks, and where they go one after the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// `filter_friendly_name`.
    pub name: Option<String>,
    /// Over the task's attributes, without a prefix.
    pub expression: Expr,
    /// At least one.
    pub targets: Vec<Target>,
}

/// Where a task waits, and for whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Its own, or that of the target before.
    pub queue: TaskQueueSid,
    /// What the task's priority becomes: its own, or that of the last target that set one.
    pub priority: Option<u32>,
    /// The task's age in seconds at which it leaves this target: its `timeout` and those of all targets before. `None`:
    /// it stays.
    pub until_age_s: Option<u64>,
    /// Over `task.…` and `worker.…`, beside the queue's own expression.
    pub expression: Option<Expr>,
    /// Which of several workers: by whole-number attributes, the first the most important.
    pub order_by: Vec<OrderBy>,
    /// Over `workers.…`; asked only where nobody could be reserved at once.
    pub skip_if: Option<Expr>,
    /// Only this worker.
    pub known_worker: Option<KnownWorker>,
}

/// One of `order_by`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderBy {
    /// The worker's attribute.
    pub attribute: String,
    /// The largest first.
    pub descending: bool,
}

/// Which worker a task knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum KnownWorker {
    /// The task's attribute that holds a sid.
    Sid(String),
    /// The task's attribute that holds a friendly name.
    FriendlyName(String),
}

/// What is wrong with a configuration, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {what}")]
pub struct WorkflowError {
    /// The path to it, as `task_routing.filters[0].targets[1].queue`.
    pub place: String,
    /// In a sentence.
    pub what: String,
}

impl Workflow {
    /// Reads a configuration. The queues it names are for the workspace to know.
    ///
    /// Gives also the paths of keys nobody knows, which are read over.
    pub fn parse(text: &str) -> Result<(Workflow, Vec<String>), WorkflowError> {
        let top = Place("configuration".to_owned());
        if text.len() > CONFIGURATION_BYTES_MAX {
            return Err(top.wrong(format!("is longer than {CONFIGURATION_BYTES_MAX} bytes")));
        }
        let value: Value =
            serde_json::from_str(text).map_err(|error| top.wrong(format!("is no JSON: {error}")))?;
        let mut reader = Reader { unknown: Vec::new() };
        let place = Place("task_routing".to_owned());
        let routing = value.get("task_routing").and_then(Value::as_object);
        let routing = routing.ok_or_else(|| place.wrong("an object must stand here"))?;
        reader.known(routing, &["filters", "default_filter"], &place);
        let mut filters = Vec::new();
        match routing.get("filters") {
            None | Some(Value::Null) => {}
            Some(Value::Array(list)) => {
                for (n, filter) in list.iter().enumerate() {
                    filters.push(reader.filter(filter, &place.item("filters", n))?);
                }
            }
            Some(_) => return Err(place.key("filters").wrong("a list must stand here")),
        }
        let default = match routing.get("default_filter") {
            None | Some(Value::Null) => None,
            Some(target) => Some(reader.target(target, None, &place.key("default_filter"))?),
        };
        Ok((Workflow { filters, default }, reader.unknown))
    }

    /// Every queue it names, in no order, perhaps more than once.
    pub fn queues(&self) -> impl Iterator<Item = TaskQueueSid> {
        self.targets().map(|target| target.queue)
    }

    /// Every target, the default's last.
    pub fn targets(&self) -> impl Iterator<Item = &Target> {
        self.filters.iter().flat_map(|filter| &filter.targets).chain(&self.default)
    }

    /// The first filter from `from` on that a task with these attributes matches.
    pub fn matching(&self, attributes: &Value, from: usize) -> Option<usize> {
        let matches = |filter: &&Filter| filter.expression.is_true(attributes);
        self.filters.iter().enumerate().skip(from).find(|(_, filter)| matches(filter)).map(|(n, _)| n)
    }
}

/// Where in the configuration.
struct Place(String);

impl Place {
    fn key(&self, key: &str) -> Place {
        Place(format!("{}.{key}", self.0))
    }

    fn item(&self, key: &str, n: usize) -> Place {
        Place(format!("{}.{key}[{n}]", self.0))
    }

    fn wrong(&self, what: impl Into<String>) -> WorkflowError {
        WorkflowError { place: self.0.clone(), what: what.into() }
    }
}

struct Reader {
    unknown: Vec<String>,
}

impl Reader {
    fn known(&mut self, object: &Map<String, Value>, keys: &[&str], place: &Place) {
        let unknown = object.keys().filter(|key| !keys.contains(&key.as_str()));
        self.unknown.extend(unknown.map(|key| place.key(key).0));
    }

    fn filter(&mut self, value: &Value, place: &Place) -> Result<Filter, WorkflowError> {
        let object = value.as_object().ok_or_else(|| place.wrong("an object must stand here"))?;
        self.known(object, &["filter_friendly_name", "friendlyName", "expression", "targets"], place);
        let name = text(object, "filter_friendly_name", place)?;
        let name = name.or(text(object, "friendlyName", place)?);
        let expression = expression(object, "expression", &[], place)?;
        let expression = expression.ok_or_else(|| place.key("expression").wrong("is missing"))?;
        let list = object.get("targets").and_then(Value::as_array).filter(|list| !list.is_empty());
        let list =
            list.ok_or_else(|| place.key("targets").wrong("a list of at least one target must stand here"))?;
        let mut targets: Vec<Target> = Vec::new();
        for (n, value) in list.iter().enumerate() {
            let target = self.target(value, targets.last(), &place.item("targets", n))?;
            targets.push(target);
        }
        // Timeouts are told one by one, and add up to ages.
        let mut age = 0;
        for timeout in targets.iter_mut().filter_map(|target| target.until_age_s.as_mut()) {
            age += *timeout;
            *timeout = age;
        }
        Ok(Filter { name, expression, targets })
    }

    /// `before`: the target it inherits from.
    fn target(
        &mut self,
        value: &Value,
        before: Option<&Target>,
        place: &Place,
    ) -> Result<Target, WorkflowError> {
        let object = value.as_object().ok_or_else(|| place.wrong("an object must stand here"))?;
        self.known(object, TARGET_KEYS, place);
        let queue = match text(object, "queue", place)? {
            Some(sid) => {
                sid.parse().map_err(|_| place.key("queue").wrong(format!("`{sid}` is no sid of a queue")))?
            }
            None => {
                before.map(|before| before.queue).ok_or_else(|| place.key("queue").wrong("is missing"))?
            }
        };
        let priority = whole(object, "priority", u64::from(u32::MAX >> 1), place)?;
        let priority = priority.map(|priority| priority as u32).or(before.and_then(|before| before.priority));
        let timeout = whole(object, "timeout", TIMEOUT_MAX, place)?;
        Ok(Target {
            queue,
            priority,
            until_age_s: timeout,
            expression: expression(object, "expression", &["task", "worker"], place)?,
            order_by: order_by(object, place)?,
            skip_if: expression(object, "skip_if", &["workers"], place)?,
            known_worker: known_worker(object, place)?,
        })
    }
}

const TARGET_KEYS: &[&str] = &[
    "queue",
    "priority",
    "timeout",
    "expression",
    "order_by",
    "skip_if",
    "known_worker_sid",
    "known_worker_friendly_name",
];

/// Two weeks: no task lives longer.
const TIMEOUT_MAX: u64 = 1_209_600;

fn text(object: &Map<String, Value>, key: &str, place: &Place) -> Result<Option<String>, WorkflowError> {
    match object.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(place.key(key).wrong("a text must stand here")),
    }
}

/// A whole number, which may be written as a text.
fn whole(
    object: &Map<String, Value>,
    key: &str,
    most: u64,
    place: &Place,
) -> Result<Option<u64>, WorkflowError> {
    let number = match object.get(key) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => text.trim().parse().ok(),
        Some(value) => value.as_u64(),
    };
    match number.filter(|number| *number <= most) {
        Some(number) => Ok(Some(number)),
        None => Err(place.key(key).wrong(format!("a whole number from 0 to {most} must stand here"))),
    }
}

fn expression(
    object: &Map<String, Value>,
    key: &str,
    prefixes: &[&str],
    place: &Place,
) -> Result<Option<Expr>, WorkflowError> {
    let Some(source) = text(object, key, place)? else { return Ok(None) };
    let wrong = |error: ExprError| place.key(key).wrong(error.to_string());
    let expr = Expr::parse(&source).map_err(wrong)?;
    match expr.stray_name(prefixes).filter(|_| !prefixes.is_empty()) {
        Some(name) => {
            Err(place.key(key).wrong(format!("`{name}` must begin with {}", prefixes.join(". or ") + ".")))
        }
        None => Ok(Some(expr)),
    }
}

fn order_by(object: &Map<String, Value>, place: &Place) -> Result<Vec<OrderBy>, WorkflowError> {
    let Some(list) = text(object, "order_by", place)? else { return Ok(Vec::new()) };
    let mut orders = Vec::new();
    for part in list.split(',').filter(|part| !part.trim().is_empty()) {
        let mut words = part.split_whitespace();
        let (name, direction, more) = (words.next().unwrap_or_default(), words.next(), words.next());
        let attribute = name.strip_prefix("worker.").filter(|name| !name.is_empty());
        let descending = match direction.map(str::to_ascii_uppercase).as_deref() {
            None | Some("ASC") => Some(false),
            Some("DESC") => Some(true),
            Some(_) => None,
        };
        match (attribute, descending, more) {
            (Some(attribute), Some(descending), None) => {
                orders.push(OrderBy { attribute: attribute.to_owned(), descending });
            }
            _ => {
                let what = format!("`{}` must be worker.<attribute>, perhaps with ASC or DESC", part.trim());
                return Err(place.key("order_by").wrong(what));
            }
        }
    }
    Ok(orders)
}

/// `"task.agent"`, or `"agent"`: the name of the task's attribute.
fn known_worker(object: &Map<String, Value>, place: &Place) -> Result<Option<KnownWorker>, WorkflowError> {
    let attribute = |text: String| text.strip_prefix("task.").map_or(text.clone(), str::to_owned);
    if let Some(sid) = text(object, "known_worker_sid", place)? {
        return Ok(Some(KnownWorker::Sid(attribute(sid))));
    }
    Ok(text(object, "known_worker_friendly_name", place)?
        .map(|name| KnownWorker::FriendlyName(attribute(name))))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const GOLD: &str = r#"{"task_routing":{"filters":[
        {"filter_friendly_name":"Gold","expression":"tier == 'gold' AND language IN ['de','fr']","targets":[
          {"queue":"WQ00000000000000000000000000000001","expression":"worker.languages HAS task.language",
           "order_by":"worker.level DESC, worker.cost","priority":10,"timeout":30,"skip_if":"workers.available == 0"},
          {"known_worker_sid":"task.last_agent","timeout":"20"},
          {"queue":"WQ00000000000000000000000000000003","priority":"20","timeout":300},
          {},{"timeout":1}]},
        {"friendlyName":"Rest","expression":"1==1","targets":[{"queue":"WQ00000000000000000000000000000004"}]}],
      "default_filter":{"queue":"WQ00000000000000000000000000000005","priority":1,"colour":"red"}}}"#;

    #[test]
    fn what_targets_inherit_is_filled_in() {
        let (workflow, unknown) = Workflow::parse(GOLD).unwrap();
        assert_eq!(unknown, ["task_routing.default_filter.colour"]);
        let gold = &workflow.filters[0];
        assert_eq!(gold.name.as_deref(), Some("Gold"));
        let told: Vec<_> = gold.targets.iter().map(|t| (t.queue.0, t.priority, t.until_age_s)).collect();
        let expected = [
            (1, Some(10), Some(30)),
            (1, Some(10), Some(50)),
            (3, Some(20), Some(350)),
            (3, Some(20), None),
            (3, Some(20), Some(351)),
        ];
        assert_eq!(told, expected);
        let order = |attribute: &str, descending| OrderBy { attribute: attribute.to_owned(), descending };
        assert_eq!(gold.targets[0].order_by, [order("level", true), order("cost", false)]);
        assert_eq!(gold.targets[1].known_worker, Some(KnownWorker::Sid("last_agent".to_owned())));
        assert!(gold.targets[1].expression.is_none(), "an expression is not inherited");
        assert_eq!(workflow.default.as_ref().unwrap().priority, Some(1));
        assert_eq!(workflow.queues().map(|queue| queue.0).collect::<Vec<_>>(), [1, 1, 3, 3, 3, 4, 5]);
    }

    #[test]
    fn the_first_filter_that_matches_owns_the_task() {
        let (workflow, _) = Workflow::parse(GOLD).unwrap();
        let gold = json!({"tier": "gold", "language": "de"});
        assert_eq!(workflow.matching(&gold, 0), Some(0));
        assert_eq!(workflow.matching(&gold, 1), Some(1));
        assert_eq!(workflow.matching(&gold, 2), None);
        assert_eq!(workflow.matching(&json!({}), 0), Some(1));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let filter = |filter: &str| format!(r#"{{"task_routing":{{"filters":[{filter}]}}}}"#);
        let target = |target: &str| {
            filter(&format!(r#"{{"expression":"1==1","targets":[{{"queue":"WQ{:032}"}},{target}]}}"#, 1))
        };
        for (text, error) in [
            ("{".to_owned(), "configuration: is no JSON: EOF while parsing an object at line 1 column 1"),
            ("{}".to_owned(), "task_routing: an object must stand here"),
            (r#"{"task_routing":{"filters":{}}}"#.to_owned(), "task_routing.filters: a list must stand here"),
            (filter(r#"{"targets":[{}]}"#), "task_routing.filters[0].expression: is missing"),
            (
                filter(r#"{"expression":"1==1","targets":[]}"#),
                "task_routing.filters[0].targets: a list of at least one target must stand here",
            ),
            (
                filter(r#"{"expression":"1==1","targets":[{}]}"#),
                "task_routing.filters[0].targets[0].queue: is missing",
            ),
            (
                filter(r#"{"expression":"a ==","targets":[{}]}"#),
                "task_routing.filters[0].expression: at character 5: expected a value",
            ),
            (
                target(r#"{"queue":"sales"}"#),
                "task_routing.filters[0].targets[1].queue: `sales` is no sid of a queue",
            ),
            (
                target(r#"{"expression":"level > 1"}"#),
                "task_routing.filters[0].targets[1].expression: `level` must begin with task. or worker.",
            ),
            (
                target(r#"{"skip_if":"available == 0"}"#),
                "task_routing.filters[0].targets[1].skip_if: `available` must begin with workers.",
            ),
            (
                target(r#"{"timeout":"soon"}"#),
                "task_routing.filters[0].targets[1].timeout: a whole number from 0 to 1209600 must stand here",
            ),
            (
                target(r#"{"order_by":"level DESC"}"#),
                "task_routing.filters[0].targets[1].order_by: `level DESC` must be worker.<attribute>, perhaps with \
                 ASC or DESC",
            ),
            (target(r#"{"queue":7}"#), "task_routing.filters[0].targets[1].queue: a text must stand here"),
        ] {
            assert_eq!(Workflow::parse(&text).unwrap_err().to_string(), error, "{text}");
        }
    }
}
