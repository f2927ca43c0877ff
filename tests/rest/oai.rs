//! The published descriptions of the API, read where they are at hand: the folder `TANDEM_OAI` names, or the one beside
//! the checkout. Nothing of the product depends on them.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// One description.
pub(crate) struct Description {
    json: Value,
}

/// A path with a method.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    /// As published, with `{names}`.
    pub(crate) template: String,
    /// In capitals.
    pub(crate) method: String,
    pub(crate) parameters: Vec<Parameter>,
    json: Value,
}

/// What an operation may be told.
#[derive(Clone, Debug)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    pub(crate) required: bool,
    /// With every reference followed.
    pub(crate) schema: Value,
}

const FILES: [&str; 2] = ["twilio_api_v2010.json", "twilio_voice_v1.json"];

impl Description {
    /// Both of the voice API, or nothing where they are not at hand.
    pub(crate) fn all() -> Option<Vec<Self>> {
        FILES.iter().map(|name| Self::named(name)).collect()
    }

    /// One of these files, or nothing where it is not at hand.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let folder = match std::env::var_os("TANDEM_OAI") {
            Some(folder) => PathBuf::from(folder),
            None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/reference/oai"),
        };
        match std::fs::read_to_string(folder.join(name)) {
            Ok(text) => Some(Self { json: serde_json::from_str(&text).unwrap() }),
            Err(_) => {
                println!("SKIPPED: {name} is not at {} (TANDEM_OAI)", folder.display());
                None
            }
        }
    }

    pub(crate) fn operations(&self) -> Vec<Operation> {
        let mut all = Vec::new();
        for (template, item) in self.json["paths"].as_object().unwrap() {
            for method in ["get", "post", "delete"] {
                let Some(json) = item.get(method) else { continue };
                let mut parameters = Vec::new();
                for parameter in json["parameters"].as_array().into_iter().flatten() {
                    if parameter["in"] == "query" {
                        parameters.push(Parameter {
                            name: parameter["name"].as_str().unwrap().to_owned(),
                            required: parameter["required"] == true,
                            schema: self.followed(&parameter["schema"]).clone(),
                        });
                    }
                }
                let form = &json["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"];
                for (name, schema) in form["properties"].as_object().into_iter().flatten() {
                    let required =
                        form["required"].as_array().is_some_and(|all| all.iter().any(|n| n == name));
                    let mut schema = self.followed(schema).clone();
                    if schema["items"].is_object() {
                        schema["items"] = self.followed(&schema["items"]).clone();
                    }
                    parameters.push(Parameter { name: name.clone(), required, schema });
                }
                all.push(Operation {
                    template: template.clone(),
                    method: method.to_uppercase(),
                    parameters,
                    json: json.clone(),
                });
            }
        }
        all
    }

    /// A schema itself, where it only names another.
    pub(crate) fn followed<'a>(&'a self, schema: &'a Value) -> &'a Value {
        match schema["$ref"].as_str() {
            Some(name) => {
                let name = name.strip_prefix("#/components/schemas/").expect("a schema of the same file");
                self.followed(&self.json["components"]["schemas"][name])
            }
            None => schema,
        }
    }
}

impl Operation {
    /// Method and path in one.
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.method, self.template)
    }

    /// What an answer with this status looks like; `None`: it is not published, or has no body.
    pub(crate) fn answer(&self, status: u16) -> Option<&Value> {
        let answer = self.json["responses"].get(status.to_string())?;
        answer.pointer("/content/application~1json/schema")
    }

    /// Whether an answer with this status is published.
    pub(crate) fn may_answer(&self, status: u16) -> bool {
        self.json["responses"].get(status.to_string()).is_some()
    }

    /// The keys of each published example with this status.
    pub(crate) fn examples(&self, status: u16) -> Vec<&Value> {
        let path = format!("/responses/{status}/content/application~1json/examples");
        let examples = self.json.pointer(&path).and_then(Value::as_object);
        examples.into_iter().flatten().map(|(_, example)| &example["value"]).collect()
    }
}
