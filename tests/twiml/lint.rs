//! `tandem twiml lint` says of a document what a call is told that carries it out.

use std::collections::BTreeMap;

use base::Now;
use twiml::{
    After, Dialect, Fetched, Finding, HttpMethod, Input, Interpreter, Output, Source, lint_answer,
    lint_dialect,
};

use crate::surface::Surface;

const URL: &str = "http://web.example/voice";

fn page(body: &str) -> Fetched {
    Fetched {
        status: 200,
        content_type: Some("text/xml".into()),
        body: body.as_bytes().to_vec(),
        url: URL.into(),
        headers: vec![],
    }
}

/// What a call is told that has every verb done at once.
fn live(body: &str, dialect: Dialect) -> Vec<Finding> {
    let now = Now::default();
    let mut interpreter = Interpreter::new(None, dialect);
    let source = Source::Url { url: URL.to_owned(), method: HttpMethod::Post };
    interpreter.handle(Input::Start(source), now);
    let mut told = Vec::new();
    let mut fetched = 0;
    while let Some(output) = interpreter.poll_output() {
        match output {
            Output::Fetch { id, .. } => {
                fetched += 1;
                if fetched == 1 {
                    interpreter.handle(Input::Fetched { id, result: Ok(page(body)) }, now);
                }
            }
            Output::Notify(finding, url) => {
                assert!(url.is_some(), "{body}: where it was found is told");
                told.push(finding);
            }
            Output::Execute(_) => interpreter.handle(Input::VerbDone(After::Next), now),
            Output::ApplicationError { .. } | Output::Finished => {}
        }
    }
    told
}

fn sorted(mut findings: Vec<Finding>) -> Vec<String> {
    findings.sort_by_key(|finding| (finding.code, finding.line, finding.column, finding.message.clone()));
    findings.iter().map(ToString::to_string).collect()
}

#[test]
fn lint_and_calls_tell_the_same_of_every_row() {
    let surface = Surface::load();
    let mut documents = 0;
    for element in &surface.elements {
        let mut given = vec![(BTreeMap::new(), false)];
        for row in &element.attributes {
            for value in row.good.iter().chain(&row.bad) {
                let mut attributes = row.with.clone();
                attributes.insert(row.name.clone(), value.clone());
                given.push((attributes, row.bare));
            }
        }
        for (attributes, bare) in given {
            let xml = surface.document(element, &attributes, bare);
            let (lint, live) = (lint_dialect(&xml, element.dialect), live(&xml, element.dialect));
            assert_eq!(sorted(lint), sorted(live), "{xml}");
            documents += 1;
        }
    }
    assert!(documents > 700, "{documents}");
}

#[test]
fn lint_and_calls_tell_the_same_of_faulty_documents() {
    for xml in [
        "<Response><Sya>x</Sya><Say voice='robot' loop='x'>y</Say><Sms>z</Sms><Hangup/></Response>",
        "<Response><Gather timeout='x'><Dial/><Play>http://[</Play></Gather></Response>",
        "<Response><Pause length='0'/><Gather actionOnEmptyResult='maybe'/></Response>",
        "<Response><Say/><Pay/></Response>",
        "<Response>\n <Play>http://[</Play>\n <Redirect>http://[</Redirect></Response>",
        "<Response><Enqueue waitUrl='http://['>q</Enqueue></Response>",
        "<Response><Record finishOnKey='x' recordingStatusCallback='http://['/></Response>",
        "<Response><Start><Foo/></Start></Response>",
        "<Response><Dial timeout='x' colour='y'><Sim>DE1</Sim><Number>1</Number></Dial></Response>",
        "<?xml version='1.1'?><Response/>",
        "<!DOCTYPE Response><Response/>",
        "<Response><Say>",
        "<response/>",
        "",
    ] {
        let told = lint_answer(&page(xml), Dialect::Twiml);
        assert!(!told.is_empty(), "{xml}");
        assert_eq!(sorted(told), sorted(live(xml, Dialect::Twiml)), "{xml}");
    }
}
