//! Every published operation is asked with every parameter, once as it should be and once as it should not, and every
//! answer is held against its description.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::house::{ACCOUNT, Answer, House};
use crate::judge::judge;
use crate::oai::{Description, Operation, Parameter};
use crate::places;
use crate::values::{REFUSED, Things, WITHOUT_EFFECT, bad, companions, required_without};

#[tokio::test(flavor = "current_thread")]
async fn what_is_published_is_answered_as_published() {
    let Some(all) = Description::all() else { return };
    let mut survey = Survey::open().await;
    let mut named = BTreeSet::new();
    for description in &all {
        let operations = description.operations();
        for operation in &operations {
            named.extend(
                operation.parameters.iter().map(|one| (operation.template.clone(), one.name.clone())),
            );
            survey.ask(operation, &operations, description).await;
        }
    }
    let Lists { implemented, refused, missing, unreached } = &survey.lists;
    println!("{} operations are implemented:", implemented.len());
    implemented.iter().for_each(|name| println!("  {name}"));
    println!("{} are refused with a word on it:", refused.len());
    refused.iter().for_each(|name| println!("  {name}"));
    assert!(survey.faults.is_empty(), "{} faults:\n{}", survey.faults.len(), survey.faults.join("\n"));
    assert_eq!((missing, unreached), (&Vec::new(), &Vec::new()), "not there, and not reached");
    assert!(implemented.len() > 150, "the API is not there");
    // What is said to have no effect is said of something that is published.
    let rows = WITHOUT_EFFECT.iter().map(|(part, name, _)| (part, name));
    for (part, name) in rows.chain(REFUSED.iter().map(|(part, name, ..)| (part, name))) {
        let is_it = |(template, parameter): &(String, String)| template.contains(part) && parameter == name;
        assert!(named.iter().any(is_it), "{part} {name} is not published");
    }
}

#[derive(Default)]
struct Lists {
    implemented: Vec<String>,
    refused: Vec<String>,
    missing: Vec<String>,
    unreached: Vec<String>,
}

pub(crate) struct Survey {
    pub(crate) house: House,
    pub(crate) things: Things,
    /// Those made so far.
    pub(crate) transcriptions: u128,
    faults: Vec<String>,
    lists: Lists,
}

impl Survey {
    async fn open() -> Self {
        let mut survey = Self {
            house: House::open().await,
            things: Things::default(),
            transcriptions: 0,
            faults: Vec::new(),
            lists: Lists::default(),
        };
        survey.things = places::things(&mut survey).await;
        survey
    }

    async fn ask(&mut self, operation: &Operation, all: &[Operation], description: &Description) {
        let name = operation.name();
        match self.is_routed(operation).await {
            Routed::Yes => self.lists.implemented.push(name.clone()),
            Routed::Refused => return self.lists.refused.push(name),
            Routed::No => return self.lists.missing.push(name),
        }
        let Some(path) = self.path(operation, all).await else {
            return self.lists.unreached.push(name);
        };
        let required = self.things.least(operation);
        let answer = self.send(operation, &path, &required).await;
        if is_refusal(&answer) {
            self.lists.implemented.pop();
            return self.lists.refused.push(name);
        }
        if !(200..300).contains(&answer.status) {
            self.faults.push(format!("{name} {required}: {} {}", answer.status, answer.body));
            return;
        }
        self.faults.extend(judge(operation, &answer, description));
        for parameter in &operation.parameters {
            self.check_parameter(operation, parameter, all).await;
        }
        self.house.silence().await;
    }

    async fn check_parameter(&mut self, operation: &Operation, parameter: &Parameter, all: &[Operation]) {
        let name = operation.name();
        let least = self.things.least(operation);
        let asked = |value: &str, things: &Things| {
            let required = things.least(operation);
            let mut rest = required_without(&required, &parameter.name);
            if parameter.name == "Twiml" {
                rest = required_without(&rest, "Url");
            }
            let mut text = url::form_urlencoded::Serializer::new(rest);
            text.append_pair(&parameter.name, value);
            for (other, value) in companions(&parameter.name, things) {
                if !required.contains(&format!("{other}=")) {
                    text.append_pair(other, &value);
                }
            }
            text.finish()
        };
        let refused = REFUSED
            .iter()
            .find(|(part, named, ..)| operation.template.contains(part) && *named == parameter.name);
        if let Some((.., value, code)) = refused {
            let Some(path) = self.path(operation, all).await else { return };
            let mut form = asked(value, &self.things);
            if parameter.name == "AreaCode" {
                form = required_without(&form, "PhoneNumber");
            }
            let answer = self.send(operation, &path, &form).await;
            if operation.method == "POST" && answer.body["code"] != *code {
                self.faults.push(format!("{name}: {}={value} is told {}", parameter.name, answer.body));
            }
            return;
        }
        let Some(path) = self.path(operation, all).await else { return };
        if let Some(good) = self.things.good(&operation.template, parameter) {
            let answer = self.send(operation, &path, &asked(&good, &self.things)).await;
            if (200..300).contains(&answer.status) {
                self.check_echo(operation, parameter, &good, &answer);
            }
            if !(200..300).contains(&answer.status) {
                let told = format!("{} {}", answer.status, answer.body);
                self.faults.push(format!("{name}: {}={good} is refused: {told}", parameter.name));
            }
        }
        if parameter.required {
            let Some(path) = self.path(operation, all).await else { return };
            let answer = self.send(operation, &path, &required_without(&least, &parameter.name)).await;
            if !(400..500).contains(&answer.status) || answer.body["code"].as_u64() < Some(10_000) {
                let told = format!("{} {}", answer.status, answer.body["code"]);
                self.faults.push(format!("{name}: without {}: {told}", parameter.name));
            }
        }
        if let Some((bad, codes)) = bad(&operation.template, parameter) {
            let Some(path) = self.path(operation, all).await else { return };
            let answer = self.send(operation, &path, &asked(&bad, &self.things)).await;
            let told = answer.body["code"].as_u64();
            if !told.is_some_and(|code| codes.contains(&code)) || !(400..500).contains(&answer.status) {
                let told = format!("{} {}", answer.status, answer.body["code"]);
                self.faults.push(format!("{name}: {}={bad:?} is told {told}, not {codes:?}", parameter.name));
            }
        }
    }

    /// What was said of a resource is shown of it, and a list shows what was asked for alone.
    fn check_echo(&mut self, operation: &Operation, parameter: &Parameter, said: &str, answer: &Answer) {
        let key = snake(&parameter.name);
        if parameter.schema["format"].as_str().is_some_and(|format| format.starts_with("date")) {
            return;
        }
        let shown = |value: &Value| match value {
            Value::String(text) => Some(text.clone()),
            Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
            _ => None,
        };
        let rows: Vec<&Value> = match operation.method.as_str() {
            "GET" => answer
                .body
                .as_object()
                .into_iter()
                .flatten()
                .filter_map(|(_, v)| v.as_array())
                .flatten()
                .collect(),
            _ => vec![&answer.body],
        };
        for value in rows.iter().filter_map(|row| shown(row.get(&key)?)) {
            let is_same =
                value.eq_ignore_ascii_case(said) || SHOWN_OTHERWISE.contains(&(&parameter.name, &value));
            if !is_same {
                self.faults.push(format!(
                    "{}: {}={said} is shown as {value}",
                    operation.name(),
                    parameter.name
                ));
            }
        }
    }

    async fn send(&mut self, operation: &Operation, path: &str, form: &str) -> Answer {
        let answer = if operation.method == "POST" {
            self.house.ask("POST", path, form).await
        } else {
            self.house.ask(&operation.method, &format!("{path}?{form}"), "").await
        };
        if answer.status >= 500 {
            self.faults.push(format!("{} {form}: {} {}", operation.name(), answer.status, answer.body));
        }
        answer
    }

    /// Whether the router knows the operation, without doing it: a verb nobody takes is answered with those that are.
    async fn is_routed(&mut self, operation: &Operation) -> Routed {
        let mut path = String::new();
        for part in operation.template.split('/').skip(1) {
            let dummy = match part.split_once('}') {
                Some((_, end))
                    if part.contains("AccountSid")
                        || operation.template.ends_with("/Accounts/{Sid}.json") =>
                {
                    format!("{ACCOUNT}{end}")
                }
                Some((_, end)) => format!("XX{}{end}", "1".repeat(32)),
                None => part.to_owned(),
            };
            path.push('/');
            path.push_str(&dummy);
        }
        let answer = self.house.ask("TRACE", &path, "").await;
        let allowed = answer.headers.get("allow").and_then(|list| list.to_str().ok()).unwrap_or_default();
        if allowed.split(',').any(|method| method == operation.method) {
            return Routed::Yes;
        }
        if is_refusal(&answer) { Routed::Refused } else { Routed::No }
    }
}

#[derive(PartialEq)]
enum Routed {
    Yes,
    Refused,
    No,
}

/// What is shown where another word was said.
const SHOWN_OTHERWISE: &[(&str, &str)] = &[];

/// Whether it is said by name that the box has nothing of the kind.
fn is_refusal(answer: &Answer) -> bool {
    let told = answer.body["message"].as_str().unwrap_or_default();
    (400..500).contains(&answer.status) && told.contains("not supported by this appliance")
}

/// `VoiceUrl` as `voice_url`.
fn snake(name: &str) -> String {
    let mut snake = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}
