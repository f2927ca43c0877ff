//! From an answer's bytes to the first verb that is executed, against the XML parser alone on the same text.
//!
//! What lies between is all that a document costs a call: its encoding and type are looked at, it is parsed, read into
//! verbs with every attribute checked and its URLs made absolute.

#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, reason = "a bench speaks to a person")]

extern crate tandem_twiml as twiml;

use std::hint::black_box;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use base::Now;
use twiml::{Dialect, Fetched, HttpMethod, Input, Interpreter, Output, Source, Verb};

/// What a document may cost: a promise to users, kept with room to spare on any machine this is run on.
const START_MAX_NS: f64 = 50_000.0;

/// Documents as applications send them; the number is the budget in times of the XML parser alone.
const DOCUMENTS: &[(&str, f64, &str)] = &[
    (
        "a menu",
        5.0,
        r##"<?xml version="1.0" encoding="UTF-8"?>
<Response>
  <Gather action="/calls/menu?call=5&amp;event=key" numDigits="1" timeout="10" finishOnKey="#">
    <Say voice="Polly.Joanna" language="en-US">For sales, press one. For support, press two.</Say>
    <Play loop="2">https://media.example/hold.mp3</Play>
    <Pause length="2"/>
  </Gather>
  <Say>We have not heard from you. Goodbye.</Say>
  <Redirect method="POST">/calls/menu?again=1</Redirect>
</Response>"##,
    ),
    (
        "a dial",
        7.0,
        r#"<?xml version="1.0" encoding="UTF-8"?><Response><Dial action="https://c.example/call/3/status" callerId="+15550001111" timeout="20" record="record-from-answer-dual" recordingStatusCallback="/recording" recordingStatusCallbackEvent="in-progress completed absent" answerOnBridge="true"><Number sendDigits="ww123" statusCallback="/progress" statusCallbackEvent="initiated ringing answered completed">+15550002222</Number><Sip username="a" password="b" url="/whisper">sip:bob@office.example?X-Ticket=42</Sip><Client>ann</Client></Dial></Response>"#,
    ),
    (
        "a greeting",
        6.0,
        r#"<?xml version="1.0" encoding="UTF-8"?><Response><Say voice="alice" language="en">Hello and thank you for calling.</Say><Hangup/></Response>"#,
    ),
];

fn main() -> ExitCode {
    let mut over = 0;
    for (what, budget, text) in DOCUMENTS {
        let answer = Fetched {
            status: 200,
            content_type: Some("text/xml; charset=utf-8".to_owned()),
            body: text.as_bytes().to_vec(),
            url: "https://c.example/call/3/voice".to_owned(),
            headers: Vec::new(),
        };
        assert!(start(answer.clone()).is_some(), "{what} begins with a verb");
        let (ours, floor) = race(
            || drop(black_box(start(black_box(&answer).clone()))),
            || drop(black_box(roxmltree::Document::parse(black_box(text)).unwrap())),
        );
        let ratio = ours / floor;
        let verdict = if ratio <= *budget && ours <= START_MAX_NS { "" } else { "  OVER BUDGET" };
        over += usize::from(!verdict.is_empty());
        println!(
            "{what:12} {:4} bytes  {ours:6.0} ns (budget {START_MAX_NS:.0})   XML alone {floor:6.0} ns   ratio {ratio:.2} \
             (budget {budget:.1}){verdict}",
            text.len()
        );
    }
    if over == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A call's interpreter from its start to the first verb it hands out.
fn start(answer: Fetched) -> Option<Verb> {
    let mut interpreter = Interpreter::new(None, Dialect::Twiml);
    let source = Source::Url { url: answer.url.clone(), method: HttpMethod::Post };
    interpreter.handle(Input::Start(source), Now::default());
    let Some(Output::Fetch { id, .. }) = interpreter.poll_output() else { return None };
    interpreter.handle(Input::Fetched { id, result: Ok(answer) }, Now::default());
    match interpreter.poll_output()? {
        Output::Execute(verb) => Some(verb),
        other => panic!("a typical document is without fault: {other:?}"),
    }
}

const ROUNDS: usize = 300;
const CALLS: u32 = 200;

/// Nanoseconds a call of each takes: the best of many rounds, taken in turns so that both see the same machine.
fn race(mut ours: impl FnMut(), mut floor: impl FnMut()) -> (f64, f64) {
    let mut best = (Duration::MAX, Duration::MAX);
    for _ in 0..ROUNDS {
        best.0 = best.0.min(round(&mut ours));
        best.1 = best.1.min(round(&mut floor));
    }
    let nanos = |time: Duration| time.as_nanos() as f64 / f64::from(CALLS);
    (nanos(best.0), nanos(best.1))
}

fn round(work: &mut impl FnMut()) -> Duration {
    let began = Instant::now();
    for _ in 0..CALLS {
        work();
    }
    began.elapsed()
}
