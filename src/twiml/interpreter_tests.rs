//! Every row of the execution model and of the failure table, seen from the owner's side.

use super::*;
use crate::verb::{Play, PlaySource};

/// An interpreter and the ids of its fetches, written and read in short lines.
struct Leg {
    interpreter: Interpreter,
    fetch: u64,
}

impl Leg {
    fn new(fallback: Option<&str>) -> Self {
        let fallback = fallback.map(|url| (url.to_owned(), HttpMethod::Post));
        Self { interpreter: Interpreter::new(fallback, Dialect::Twiml), fetch: 0 }
    }

    /// A leg whose document at `http://h/a/voice?x=1` was just answered.
    fn running(twiml: &str) -> Self {
        let mut leg = Self::new(Some("http://h/fallback"));
        assert_eq!(leg.start("http://h/a/voice?x=1"), ["POST http://h/a/voice?x=1"]);
        leg.pending_answer(twiml);
        leg
    }

    fn pending_answer(&mut self, twiml: &str) {
        self.feed(fetched(self.fetch, 200, Some("text/xml"), twiml));
    }

    fn feed(&mut self, input: Input) {
        self.interpreter.handle(input, Now::default());
    }

    fn input(&mut self, input: Input) -> Vec<String> {
        self.feed(input);
        self.outputs()
    }

    fn start(&mut self, url: &str) -> Vec<String> {
        self.input(Input::Start(Source::Url { url: url.into(), method: HttpMethod::Post }))
    }

    fn inline(&mut self, text: &str) -> Vec<String> {
        self.input(Input::Start(Source::Inline(text.into())))
    }

    fn answer(&mut self, twiml: &str) -> Vec<String> {
        self.pending_answer(twiml);
        self.outputs()
    }

    fn answer_with(&mut self, status: u16, content_type: Option<&str>, body: &str) -> Vec<String> {
        self.input(fetched(self.fetch, status, content_type, body))
    }

    fn fetch_fails(&mut self, code: u32) -> Vec<String> {
        let failure = FetchFailure::new(code, "it broke");
        self.input(Input::Fetched { id: self.fetch, result: Err(failure) })
    }

    fn next(&mut self) -> Vec<String> {
        self.input(Input::VerbDone(After::Next))
    }

    fn action(&mut self, url: Option<&str>, params: &[(&str, &str)]) -> Vec<String> {
        let params = params.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let url = url.map(str::to_owned);
        self.input(Input::VerbDone(After::Action { url, method: HttpMethod::Post, params }))
    }

    fn outputs(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some(output) = self.interpreter.poll_output() {
            if let Output::Fetch { id, .. } = &output {
                assert!(*id > self.fetch, "ids grow");
                self.fetch = *id;
            }
            lines.push(line(&output));
        }
        lines
    }
}

fn fetched(id: u64, status: u16, content_type: Option<&str>, body: &str) -> Input {
    let content_type = content_type.map(str::to_owned);
    // An empty URL stands for "where it was asked for".
    let answer =
        Fetched { status, content_type, body: body.as_bytes().to_vec(), url: String::new(), headers: vec![] };
    Input::Fetched { id, result: Ok(answer) }
}

fn line(output: &Output) -> String {
    match output {
        Output::Fetch { url, method, params, .. } => {
            let params: String = params.iter().map(|(name, value)| format!(" {name}={value}")).collect();
            format!("{method} {url}{params}")
        }
        Output::Execute(Verb::Say(say)) => format!("Say {}", say.text),
        Output::Execute(Verb::Play(Play { source: PlaySource::Url(url), .. })) => format!("Play {url}"),
        Output::Execute(Verb::Play(Play { source: PlaySource::Answer(answer), .. })) => {
            format!("Play {}", answer.url)
        }
        Output::Execute(Verb::Gather(_)) => "Gather".into(),
        Output::Execute(Verb::Record(_)) => "Record".into(),
        Output::Execute(Verb::Dial(_)) => "Dial".into(),
        Output::Execute(verb) => format!("{verb:?}"),
        Output::Notify(finding, Some(url)) => format!("! {} {url}", finding.code),
        Output::Notify(finding, None) => format!("! {}", finding.code),
        Output::ApplicationError { code } => format!("sorry {code}"),
        Output::Finished => "finished".into(),
    }
}

const NONE: [&str; 0] = [];

#[test]
fn verbs_run_one_after_the_other_until_the_end() {
    let mut leg = Leg::running("<Response><Say>a</Say><Play>b.mp3</Play><Pause length='2'/></Response>");
    assert_eq!(leg.outputs(), ["Say a"]);
    assert_eq!(leg.next(), ["Play http://h/a/b.mp3"]);
    assert_eq!(leg.next(), ["Pause(Pause { length_s: 2 })"]);
    assert_eq!(leg.next(), ["finished"]);
    assert!(leg.interpreter.is_over());
    assert_eq!(leg.next(), NONE, "a verb that was not handed out cannot be done");
}

#[test]
fn an_empty_response_is_valid() {
    assert_eq!(Leg::running("<Response/>").outputs(), ["finished"]);
}

#[test]
fn an_action_replaces_the_document() {
    let mut leg = Leg::running("<Response><Gather action='menu?y=2'/><Say>never</Say></Response>");
    assert_eq!(leg.outputs(), ["Gather"]);
    let handed_out = "http://h/a/menu?y=2";
    assert_eq!(leg.action(Some(handed_out), &[("Digits", "1")]), ["POST http://h/a/menu?y=2 Digits=1"]);
    assert_eq!(leg.answer("<Response><Play>x.mp3</Play></Response>"), ["Play http://h/a/x.mp3"]);
    assert_eq!(leg.next(), ["finished"]);
}

#[test]
fn no_input_falls_through() {
    let mut leg = Leg::running("<Response><Gather/><Say>nothing heard</Say></Response>");
    assert_eq!(leg.outputs(), ["Gather"]);
    assert_eq!(leg.next(), ["Say nothing heard"]);
}

#[test]
fn actions_have_the_verbs_own_default() {
    let current = "POST http://h/a/voice?x=1 p=1";
    for (xml, dialect, expected) in [
        ("<Gather/>", Dialect::Twiml, current),
        ("<Gather action=''/>", Dialect::Twiml, current),
        ("<Gather action='b'/>", Dialect::Twiml, "POST http://h/a/b p=1"),
        ("<Record/>", Dialect::Twiml, current),
        ("<Record/>", Dialect::Texml, "Say next"),
        ("<Record action='b'/>", Dialect::Texml, "POST http://h/a/b p=1"),
        ("<Dial/>", Dialect::Twiml, "Say next"),
        ("<Dial action=''/>", Dialect::Twiml, current),
        ("<Dial action='/b'/>", Dialect::Twiml, "POST http://h/b p=1"),
        ("<Say>x</Say>", Dialect::Twiml, "Say next"),
    ] {
        let mut leg = Leg { interpreter: Interpreter::new(None, dialect), fetch: 0 };
        leg.start("http://h/a/voice?x=1#rc=2");
        leg.answer(&format!("<Response>{xml}<Say>next</Say></Response>"));
        assert_eq!(leg.action(None, &[("p", "1")]), [expected], "{xml} {dialect:?}");
    }
}

#[test]
fn the_base_is_where_redirects_led() {
    let mut leg = Leg::new(None);
    leg.start("http://h/a/voice");
    let body = b"<Response><Gather/></Response>".to_vec();
    let url = "https://other/b/w?s=1".to_owned();
    let answer = Fetched { status: 200, content_type: Some("text/xml".into()), body, url, headers: vec![] };
    leg.input(Input::Fetched { id: leg.fetch, result: Ok(answer) });
    assert_eq!(leg.interpreter.document_url(), Some("https://other/b/w?s=1"));
    assert_eq!(leg.action(Some("x"), &[]), ["POST https://other/b/x"]);
}

#[test]
fn a_redirect_is_followed_without_parameters() {
    let mut leg =
        Leg::running("<Response><Say>a</Say><Redirect method='GET'>../b?z=1#rt=500</Redirect></Response>");
    leg.outputs();
    assert_eq!(leg.next(), ["GET http://h/b?z=1#rt=500"]);
    assert_eq!(leg.answer("<Response><Redirect/></Response>"), ["POST http://h/b?z=1"], "empty: itself");
}

#[test]
fn redirects_that_lead_nowhere_are_stopped() {
    let mut leg = Leg::running("<Response><Redirect/></Response>");
    let mut lines = leg.outputs();
    let mut fetches = 1;
    while lines == ["POST http://h/a/voice?x=1"] {
        fetches += 1;
        lines = leg.answer("<Response><Redirect/></Response>");
    }
    assert_eq!(fetches, 100);
    let told = "! 11215 http://h/a/voice?x=1";
    let asked = "POST http://h/fallback ErrorCode=11215 ErrorUrl=http://h/a/voice?x=1";
    assert_eq!(lines, [told, asked]);
    let end = ["! 11215 http://h/fallback", "sorry 11215"];
    assert_eq!(leg.answer("<Response><Redirect/></Response>"), end);
}

#[test]
fn a_loop_that_takes_time_goes_on_for_ever() {
    let mut leg = Leg::running("<Response><Pause/><Redirect/></Response>");
    leg.outputs();
    for _ in 0..300 {
        assert_eq!(leg.next(), ["POST http://h/a/voice?x=1"]);
        assert_eq!(leg.answer("<Response><Pause/><Redirect/></Response>").len(), 1);
    }
}

#[test]
fn hangup_and_reject_are_handed_out() {
    let mut leg = Leg::running("<Response><Reject reason='busy'/><Say>never</Say></Response>");
    assert_eq!(leg.outputs(), ["Reject(Reject { busy: true })"]);
    assert_eq!(leg.input(Input::VerbDone(After::End)), NONE);
    assert!(leg.interpreter.is_over());
    assert_eq!(Leg::running("<Response><Hangup/></Response>").outputs(), ["Hangup"]);
}

#[test]
fn leave_does_nothing_outside_a_queue() {
    assert_eq!(Leg::running("<Response><Leave/><Say>on</Say></Response>").outputs(), ["Say on"]);
    let mut leg = Leg::new(None);
    leg.interpreter = leg.interpreter.within(Context::QueueWait);
    assert_eq!(leg.inline("<Response><Leave/></Response>"), ["Leave"]);
}

#[test]
fn a_verb_that_is_not_allowed_in_the_context_is_an_error() {
    let mut leg = Leg::new(None);
    leg.interpreter = leg.interpreter.within(Context::Whisper);
    assert_eq!(leg.inline("<Response><Say>a</Say><Dial>1</Dial></Response>"), ["Say a"]);
    assert_eq!(leg.next(), ["! 13201", "sorry 13201"]);
}

#[test]
fn audio_is_played_and_text_is_spoken_and_then_the_call_ends() {
    let mut leg = Leg::new(None);
    leg.start("http://h/a.mp3");
    assert_eq!(leg.answer_with(200, Some("audio/mpeg"), "…"), ["Play http://h/a.mp3"]);
    assert_eq!(leg.next(), ["Hangup"]);
    leg.start("http://h/a.txt");
    assert_eq!(leg.answer_with(200, Some("text/plain; charset=utf-8"), "Good  day\n"), ["Say Good day"]);
    assert_eq!(leg.next(), ["Hangup"]);
}

/// The failure table: what goes wrong with a document, and the number it gets.
fn failures() -> Vec<(&'static str, Input, u32)> {
    let failed = |code| {
        let failure = FetchFailure::new(code, "");
        Input::Fetched { id: 0, result: Err(failure) }
    };
    let answered = |status, content_type, body| fetched(0, status, content_type, body);
    let xml = Some("text/xml");
    let mut rows = vec![
        ("4xx", answered(404, xml, "<Response/>"), 11200),
        ("5xx", answered(503, xml, "<Response/>"), 11200),
        ("empty", answered(200, xml, ""), 11770),
        ("204", answered(204, None, ""), 11770),
        ("not well-formed", answered(200, xml, "<Response>"), 12100),
        ("XML 1.1", answered(200, xml, "<?xml version='1.1'?><Response/>"), 12101),
        ("wrong root", answered(200, xml, "<html/>"), 12102),
        ("content type", answered(200, Some("image/png"), "x"), 12300),
        ("no content type", answered(200, None, "<Response/>"), 12300),
        ("verb error", answered(200, xml, "<Response><Gather actionOnEmptyResult='x'/></Response>"), 13338),
        ("refused for good", answered(200, xml, "<Response><Pay/></Response>"), 13750),
    ];
    for code in [11200, 11201, 11202, 11203, 11205, 11206, 11210, 11215, 11220, 11235, 11750, 11100] {
        rows.push(("fetch failure", failed(code), code));
    }
    rows
}

fn addressed(input: Input, to: u64) -> Input {
    match input {
        Input::Fetched { result, .. } => Input::Fetched { id: to, result },
        other => other,
    }
}

#[test]
fn every_failure_goes_to_the_fallback_once() {
    for (name, input, code) in failures() {
        let mut leg = Leg::new(Some("http://h/fallback#rt=100"));
        leg.start("http://h/voice#rc=2");
        let lines = leg.input(addressed(input, leg.fetch));
        let fallback = format!("POST http://h/fallback#rt=100 ErrorCode={code} ErrorUrl=");
        assert_eq!(lines.len(), 2, "{name}: {lines:?}");
        assert!(lines[0].starts_with(&format!("! {code} http://h/voice")), "{name}: {lines:?}");
        assert!(lines[1].starts_with(&format!("{fallback}http://h/voice")), "{name}: {lines:?}");
        assert_eq!(leg.answer("<Response><Say>sorry</Say></Response>"), ["Say sorry"], "{name}");
    }
}

#[test]
fn without_a_fallback_every_failure_is_an_application_error() {
    for (name, input, code) in failures() {
        let mut leg = Leg::new(None);
        leg.start("http://h/voice");
        let lines = leg.input(addressed(input, leg.fetch));
        assert_eq!(lines, [format!("! {code} http://h/voice"), format!("sorry {code}")], "{name}");
        assert!(leg.interpreter.is_over());
    }
}

#[test]
fn a_failure_of_the_fallback_is_an_application_error() {
    for (name, input, code) in failures() {
        let mut leg = Leg::new(Some("http://h/fallback"));
        leg.start("http://h/voice");
        leg.fetch_fails(11200);
        let lines = leg.input(addressed(input, leg.fetch));
        assert_eq!(lines, [format!("! {code} http://h/fallback"), format!("sorry {code}")], "{name}");
    }
}

#[test]
fn after_a_fallback_each_url_is_tried_itself_first() {
    let mut leg = Leg::new(Some("http://h/fallback"));
    leg.start("http://h/voice");
    leg.fetch_fails(11205);
    assert_eq!(leg.answer("<Response><Gather action='menu'/></Response>"), ["Gather"]);
    assert_eq!(leg.action(None, &[]), ["POST http://h/menu"]);
    let again = "POST http://h/fallback ErrorCode=11210 ErrorUrl=http://h/menu";
    assert_eq!(leg.fetch_fails(11210), ["! 11210 http://h/menu", again]);
}

#[test]
fn a_bad_url_is_an_error_where_it_is_used() {
    let mut leg = Leg::new(None);
    assert_eq!(leg.start("voice.xml"), ["! 11100 voice.xml", "sorry 11100"]);
    let mut leg = Leg::running("<Response><Redirect>http://</Redirect></Response>");
    let fallback = "POST http://h/fallback ErrorCode=11100 ErrorUrl=http://";
    assert_eq!(leg.outputs(), ["! 11100 http://", fallback]);
    let mut leg = Leg::running("<Response><Gather action='http://'/><Say>on</Say></Response>");
    assert_eq!(leg.outputs(), ["Gather"], "no error as long as nobody presses a key");
    assert_eq!(leg.action(Some("http://"), &[]), ["! 11100 http://", fallback]);
    let mut leg = Leg::running("<Response><Play>http://</Play><Say>on</Say></Response>");
    assert_eq!(leg.outputs(), ["! 11100 http://h/a/voice?x=1", "Say on"]);
}

#[test]
fn an_inline_document_has_no_base() {
    let mut leg = Leg::new(Some("http://h/fallback"));
    assert_eq!(leg.inline("<Response><Gather/></Response>"), ["Gather"]);
    assert_eq!(leg.action(None, &[]), ["! 11100 ", "POST http://h/fallback ErrorCode=11100 ErrorUrl="]);
    let mut leg = Leg::new(None);
    leg.inline("<Response><Gather action='http://h/menu'/></Response>");
    assert_eq!(leg.action(None, &[]), ["POST http://h/menu"]);
    let mut leg = Leg::new(None);
    assert_eq!(leg.inline("<Response><Play>x.mp3</Play></Response>"), ["! 11100", "finished"]);
    assert_eq!(leg.inline("<Response><Redirect>x</Redirect></Response>"), ["! 11100 x", "sorry 11100"]);
    assert_eq!(leg.inline("oops"), ["! 12100", "sorry 12100"]);
}

#[test]
fn warnings_are_told_at_once_and_errors_when_met() {
    let twiml = "<Response><Say voice='x'>a</Say><Sms>b</Sms><Foo/><Dial timeout='1'>1</Dial></Response>";
    let mut leg = Leg::running(twiml);
    let at = "http://h/a/voice?x=1";
    let warnings = [13511, 12200, 13212].map(|code| format!("! {code} {at}"));
    let mut expected = warnings.to_vec();
    expected.push("Say a".into());
    assert_eq!(leg.outputs(), expected);
    assert_eq!(leg.next(), [format!("! 13803 {at}"), "Dial".into()]);
    let mut leg = Leg::running("<Response><Say>a</Say><Sms>b</Sms></Response>");
    leg.outputs();
    assert_eq!(leg.next(), [format!("! 13803 {at}"), "finished".into()], "the last one too");
}

#[test]
fn an_error_of_a_verb_ends_the_document_when_it_is_met() {
    let mut leg = Leg::running("<Response><Say>a</Say><Pay/><Say>never</Say></Response>");
    assert_eq!(leg.outputs(), ["Say a"]);
    let url = "http://h/a/voice?x=1";
    let fallback = format!("POST http://h/fallback ErrorCode=13750 ErrorUrl={url}");
    assert_eq!(leg.next(), [format!("! 13750 {url}"), fallback]);
}

#[test]
fn replacing_abandons_everything() {
    let replace = |leg: &mut Leg| {
        leg.input(Input::Replace(Source::Url { url: "http://h/new".into(), method: HttpMethod::Get }))
    };
    let mut leg = Leg::running("<Response><Say>a</Say><Say>b</Say></Response>");
    leg.outputs();
    assert_eq!(replace(&mut leg), ["GET http://h/new"]);
    assert_eq!(leg.next(), NONE, "the old verb's end means nothing");
    assert_eq!(leg.answer("<Response><Say>new</Say></Response>"), ["Say new"]);

    let mut leg = Leg::new(None);
    leg.start("http://h/slow");
    let stale = leg.fetch;
    assert_eq!(replace(&mut leg), ["GET http://h/new"]);
    assert_eq!(leg.input(fetched(stale, 200, Some("text/xml"), "<Response><Hangup/></Response>")), NONE);
    assert_eq!(leg.answer("<Response><Say>new</Say></Response>"), ["Say new"]);

    let mut leg = Leg::running("<Response><Say>a</Say></Response>");
    assert_eq!(
        leg.input(Input::Replace(Source::Inline("<Response><Hangup/></Response>".into()))),
        ["Hangup"]
    );

    let mut leg = Leg::running("<Response/>");
    assert_eq!(leg.outputs(), ["finished"]);
    assert_eq!(
        replace(&mut leg),
        ["GET http://h/new"],
        "after the end, too: a wait document asked for again"
    );
}

#[test]
fn what_a_hang_up_still_requests() {
    for (xml, last) in [
        ("<Say>x</Say>", None),
        ("<Play>x</Play>", None),
        ("<Pause/>", None),
        ("<Gather action='/a'/>", None),
        ("<Record action='/a'/>", Some("POST http://h/a Digits=hangup")),
        ("<Record/>", Some("POST http://h/a/voice?x=1 Digits=hangup")),
        ("<Dial action='/a'/>", Some("POST http://h/a Digits=hangup")),
        ("<Dial/>", None),
        ("<Enqueue action='/a'>q</Enqueue>", Some("POST http://h/a Digits=hangup")),
        ("<Enqueue>q</Enqueue>", None),
    ] {
        let mut leg = Leg::running(&format!("<Response>{xml}<Say>never</Say></Response>"));
        assert_eq!(leg.outputs().len(), 1);
        assert_eq!(leg.input(Input::HungUp), NONE, "{xml}");
        let lines = leg.action(None, &[("Digits", "hangup")]);
        assert_eq!(lines, last.into_iter().collect::<Vec<_>>(), "{xml}");
        assert_eq!(leg.answer("<Response><Say>never</Say></Response>"), NONE, "{xml}");
        assert!(leg.interpreter.is_over(), "{xml}");
    }
}

#[test]
fn a_hang_up_is_final() {
    let mut leg = Leg::running("<Response><Dial/><Say>never</Say></Response>");
    leg.outputs();
    leg.input(Input::HungUp);
    assert_eq!(leg.next(), NONE);
    assert!(leg.interpreter.is_over());
    assert_eq!(leg.start("http://h/voice"), NONE);

    let mut leg = Leg::new(Some("http://h/fallback"));
    leg.start("http://h/voice");
    assert_eq!(leg.input(Input::HungUp), NONE);
    assert_eq!(leg.fetch_fails(11200), NONE, "the fetch was abandoned");

    let mut leg = Leg::running("<Response><Record/></Response>");
    leg.outputs();
    leg.input(Input::HungUp);
    leg.action(None, &[]);
    leg.input(Input::HungUp);
    let url = "http://h/a/voice?x=1";
    assert_eq!(leg.answer_with(500, None, ""), [format!("! 11200 {url}")], "told, but no fallback");

    let mut leg = Leg::new(Some("http://h/fallback"));
    leg.inline("<Response><Record/></Response>");
    leg.input(Input::HungUp);
    assert_eq!(leg.action(None, &[]), ["! 11100 "]);
    assert!(leg.interpreter.is_over());
}

#[test]
fn a_stored_interpreter_goes_on_where_it_was() {
    fn storable<T: Serialize + serde::de::DeserializeOwned>(_: &T) {}
    let mut leg = Leg::new(Some("http://h/fallback"));
    leg.start("http://h/voice");
    storable(&leg.interpreter);
    let mut copy = leg.interpreter.clone();
    copy.resume();
    copy.resume();
    let again = Output::Fetch {
        id: leg.fetch,
        url: "http://h/voice".into(),
        method: HttpMethod::Post,
        params: vec![],
    };
    assert_eq!((copy.poll_output(), copy.poll_output()), (Some(again), None));

    leg.answer("<Response><Say>a</Say><Play>b.mp3</Play></Response>");
    leg.next();
    leg.interpreter.resume();
    assert_eq!(leg.outputs(), ["Play http://h/b.mp3"]);
    assert_eq!(leg.next(), ["finished"]);
    leg.interpreter.resume();
    assert_eq!(leg.outputs(), NONE);
}

#[test]
fn what_does_not_fit_the_state_is_ignored() {
    let mut leg = Leg::new(None);
    assert_eq!(leg.next(), NONE);
    assert_eq!(leg.fetch_fails(11200), NONE);
    assert_eq!(leg.answer("<Response/>"), NONE);
    leg.start("http://h/voice");
    assert_eq!(leg.next(), NONE);
    assert_eq!(leg.input(fetched(leg.fetch + 1, 200, Some("text/xml"), "<Response/>")), NONE);
    assert_eq!(leg.answer("<Response><Pause/></Response>").len(), 1);
    assert_eq!(leg.answer("<Response><Hangup/></Response>"), NONE, "answered twice");
}

#[test]
fn credentials_and_overrides_stay_between_box_and_server() {
    let mut leg = Leg::new(Some("http://h/fallback"));
    assert_eq!(leg.start("http://u:secret@h/voice#rc=1"), ["POST http://u:secret@h/voice#rc=1"]);
    let fallback = "POST http://h/fallback ErrorCode=11205 ErrorUrl=http://h/voice";
    assert_eq!(leg.fetch_fails(11205), ["! 11205 http://h/voice", fallback]);
    leg.start("http://u:secret@h/voice");
    leg.answer("<Response><Gather action='menu'/></Response>");
    assert_eq!(leg.action(None, &[]), ["POST http://u:secret@h/menu"], "the same server is asked with them");
}

#[test]
fn a_bad_retry_policy_is_told_and_the_document_fetched() {
    let mut leg = Leg::new(None);
    assert_eq!(leg.start("http://h/voice#rp=6xx"), ["! 11243 http://h/voice", "POST http://h/voice#rp=6xx"]);
}
