//! Scenarios on the simulator: what callers, phones and web servers notice. Virtual time, no real port.

mod agents;
mod answering;
mod application;
mod bridge;
mod codecs;
mod conference;
mod conference_rest;
mod debugger;
mod dial;
mod domains;
mod exchanges;
mod failures;
mod faults;
mod flows;
mod gather;
mod keys;
mod limits;
mod machine;
mod outcome;
mod phones;
mod placed;
mod prompts;
mod queue;
mod queue_desk;
mod record;
mod record_control;
mod refer;
mod refusing;
mod service;
mod siprec;
mod speech;
mod srtp;
mod stream;
mod taskrouter;
mod taskrouter_events;
mod taskrouter_instructions;
mod taskrouter_told;
mod texml;
mod transcription;
mod transfer;
mod turn;
mod update;
mod waking;
mod whisper;

use sim::{Answer, Scenario, VOICE, param};

/// Where verbs send their results.
const ACTION: &str = "http://web.example/action";

/// Where a number's or a noun's progress is told.
const EVENTS: &str = "http://web.example/events";

/// An office whose number answers with these verbs; actions are answered by `<Say>done</Say>`.
fn office(verbs: &str) -> Scenario {
    let mut s = Scenario::office();
    s.web().serve(VOICE, Answer::twiml(verbs));
    s.web().serve(ACTION, Answer::twiml("<Say>done</Say>"));
    s.web().serve(EVENTS, Answer::page(204, None, ""));
    s
}

/// One parameter of the only request for a URL.
fn told(s: &mut Scenario, url: &str, name: &str) -> Option<String> {
    let asked = s.asked(url);
    assert_eq!(asked.len(), 1, "requests for {url}");
    param(&asked[0], name).map(str::to_owned)
}
