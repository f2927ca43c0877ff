//! Every operation there is with the names it may be told: those that are published, in `tests/data/rest/surface.txt`, and
//! the box's own.

use std::collections::BTreeSet;
use std::path::Path;

use crate::oai::Description;

/// A method, a path with `{names}`, and what may be said to it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Way {
    pub(crate) method: String,
    pub(crate) template: String,
    pub(crate) names: Vec<String>,
}

const PUBLISHED: &str = include_str!("../data/rest/surface.txt");

/// What the box has beside what is published.
const OWN: &str = "\
GET /v1/Workspaces/{WorkspaceSid}/Tasks/{TaskSid}/Reservations/{Sid}/Explanation
GET /v1/Workspaces/{WorkspaceSid}/Workers/{WorkerSid}/Reservations/{Sid}/Explanation
GET /2010-04-01/Accounts/{AccountSid}/Calls/{CallSid}/Payments
GET /2010-04-01/Accounts/{AccountSid}/Recordings/{Sid}.wav RequestedChannels
GET /2010-04-01/Accounts/{AccountSid}/Recordings/{Sid}.mp3 RequestedChannels
GET /2010-04-01/Accounts/{AccountSid}/Recordings/{Sid} RequestedChannels
GET /2010-04-01/Accounts/{AccountSid}/Transcriptions/{Sid}.txt
GET /2010-04-01/Accounts/{AccountSid}/Nothing.json
GET /2010-04-01/Accounts/{AccountSid}/Calls.xml
";

/// All of them.
pub(crate) fn ways() -> Vec<Way> {
    PUBLISHED.lines().chain(OWN.lines()).map(read).collect()
}

fn read(line: &str) -> Way {
    let mut words = line.split(' ').map(str::to_owned);
    let (method, template) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    Way { method, template, names: words.collect() }
}

/// Of the hundred numbered names of one list the first and the last are enough.
fn is_kept(name: &str) -> bool {
    let number = name.strip_prefix("Parameter").and_then(|rest| rest.split_once('.'));
    number.is_none_or(|(number, _)| matches!(number, "1" | "99"))
}

#[test]
fn the_surface_is_what_is_published() {
    let names = ["twilio_api_v2010.json", "twilio_voice_v1.json", "twilio_taskrouter_v1.json"];
    let Some(all) = names.map(Description::named).into_iter().collect::<Option<Vec<_>>>() else { return };
    let published: BTreeSet<String> = all
        .iter()
        .flat_map(Description::operations)
        .map(|one| {
            let mut names: Vec<_> = one.parameters.into_iter().map(|parameter| parameter.name).collect();
            names.retain(|name| is_kept(name));
            names.sort();
            format!("{} {} {}", one.method, one.template, names.join(" "))
        })
        .collect();
    let written: BTreeSet<String> = PUBLISHED
        .lines()
        .map(read)
        .map(|Way { method, template, mut names }| {
            names.sort();
            format!("{method} {template} {}", names.join(" "))
        })
        .collect();
    let other: Vec<_> = published.symmetric_difference(&written).collect();
    assert!(other.is_empty(), "{other:#?}");
}

/// What is between slashes alone: names in a path, and its ending, do not matter.
fn shape(template: &str) -> String {
    let mut shape = String::new();
    for part in template.split('/').filter(|part| !part.is_empty()) {
        let part = part.strip_suffix(".json").unwrap_or(part);
        shape.push('/');
        shape.push_str(if part.starts_with('{') { "{}" } else { part });
    }
    shape
}

/// Whoever adds a route adds it here, and it is asked what no client would ask.
#[test]
fn no_route_is_left_out() {
    let known: BTreeSet<String> = ways().iter().map(|way| shape(&way.template)).collect();
    let api = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|folder| folder.join("src/api"));
    let api = api.into_iter().find(|folder| folder.is_dir()).expect("the crate of the API");
    let mut seen = 0;
    for (folder, root) in
        [("v2010", "/2010-04-01/Accounts/{}"), ("voice_v1", "/v1"), ("taskrouter_v1", "/v1/Workspaces")]
    {
        for entry in std::fs::read_dir(api.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            let product = text.split("#[cfg(test)]").next().unwrap_or_default();
            for start in [".route(", "const PATH: &'static str =", "routes.route("] {
                for after in product.split(start).skip(1) {
                    let Some(route) = after.trim_start().strip_prefix('"') else { continue };
                    let route = route.split('"').next().unwrap_or_default();
                    // The pages a caller's validation fetches are no resource.
                    if !route.starts_with("/validations") {
                        let shape = shape(&format!("{root}{route}"));
                        assert!(known.contains(&shape), "{}: {route} is asked nothing", path.display());
                        seen += 1;
                    }
                }
            }
        }
    }
    assert!(seen > 80, "{seen}");
}
