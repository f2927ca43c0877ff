//! Documents as real applications send them, and what is left of them after damage.

use base::{Now, Rng};

use crate::{
    Dialect, Fetched, HttpMethod, Input, Interpreter, Output, Overrides, Source, Verb, decode, lint, parse,
    signature,
};

/// Written after what the applications render: single and double quotes, comments, indentation, empty elements.
const DOCUMENTS: &[(&str, &str)] = &[
    (
        "a greeting with music, any key wants voicemail",
        r#"<?xml version="1.0" encoding="UTF-8"?>
<Response>
  <Gather action="/calls/flow?call_id=5&amp;event=voicemail&amp;actor=customer" numDigits="1">
    <Say>Hello and thank you for calling. Press any key to leave a message.</Say>
    <Play loop="100">http://media.example/hold.mp3</Play>
  </Gather>
</Response>"#,
    ),
    (
        "a prompt and a recording",
        r#"<?xml version="1.0" encoding="UTF-8"?>
<Response>
  <Say>Please leave a message after the beep.</Say>
  <Record action="/calls/flow?event=voicemail_complete&amp;actor=customer"/>
</Response>"#,
    ),
    ("nothing more", r#"<?xml version="1.0" encoding="UTF-8"?><Response/>"#),
    (
        "the campaign's message, interrupted by the menu's keys",
        r#"<?xml version="1.0" encoding="UTF-8"?><Response><Gather action="https://c.example/call/3/menu" numDigits="1" timeout="0"><Play>https://c.example/clip.mp3</Play></Gather><Redirect>https://c.example/call/3/menu</Redirect></Response>"#,
    ),
    (
        "a menu with a clip",
        r#"<?xml version="1.0" encoding="UTF-8"?><Response><Gather action="https://c.example/call/3/menu" numDigits="1" timeout="10"><Play>https://c.example/menu.mp3</Play></Gather><Redirect>https://c.example/call/3/menu?iterator=1&amp;Digits=7</Redirect></Response>"#,
    ),
    (
        "a menu that is spoken",
        r#"<?xml version="1.0" encoding="UTF-8"?><Response><Gather action="https://c.example/call/3/menu" numDigits="1" timeout="10"><Say voice="alice" language="fr">Appuyez sur 1 pour être mis en relation, sur 2 pour réécouter.</Say></Gather><Redirect>https://c.example/call/3/menu?iterator=2</Redirect></Response>"#,
    ),
    (
        "one leads on",
        r#"<?xml version="1.0" encoding="UTF-8"?><Response><Redirect>https://c.example/call/3/connect</Redirect></Response>"#,
    ),
    (
        "two starts again",
        r#"<?xml version="1.0" encoding="UTF-8"?><Response><Redirect>https://c.example/call/3/start</Redirect></Response>"#,
    ),
    (
        "the menu gives up",
        r#"<?xml version="1.0" encoding="UTF-8"?><Response><Say voice="alice" language="en">We have not heard from you. Goodbye.</Say><Hangup/></Response>"#,
    ),
    (
        "the target is dialled",
        r#"<?xml version="1.0" encoding="UTF-8"?><Response><Dial action="https://c.example/call/3/target_call_status" callerId="+15550001111"><Number sendDigits="ww123">+15550002222</Number></Dial></Response>"#,
    ),
    (
        "the target without an extension",
        r#"<?xml version="1.0" encoding="UTF-8"?><Response><Dial action="https://c.example/call/3/target_call_status" callerId="15550001111"><Number>15550002222</Number></Dial></Response>"#,
    ),
    (
        "all agents ring",
        "<?xml version='1.0' encoding='UTF-8'?>\n<Response>\n    <!-- Play a file instead:\n    <Play>http://h/support_greeting</Play> -->\n    <Say voice='woman'>Thank you for calling. Connecting you to an agent.</Say>\n    <Dial record='record-from-answer-dual'>\n        <Sip statusCallback='http://h/TeXML/events' statusCallbackEvent='initiated answered completed'>sip:a1@sip.example</Sip>\n        <Sip statusCallback='http://h/TeXML/events' statusCallbackEvent='initiated answered completed'>sip:a2@sip.example</Sip>\n        <!-- one line for each agent -->\n    </Dial>\n    <Pause length='1'/>\n    <Redirect method='POST'>http://h/TeXML/completed</Redirect>\n</Response>\n",
    ),
    (
        "all agents ring again",
        "<?xml version='1.0' encoding='UTF-8'?>\n<Response>\n    <Say voice='woman'>All agents are busy, please hold.</Say>\n    <Dial record='record-from-answer-dual'>\n    </Dial>\n    <Pause length='1'/>\n    <Redirect method='POST'>/TeXML/completed</Redirect>\n</Response>",
    ),
    (
        "voicemail",
        "<?xml version='1.0' encoding='UTF-8'?>\n<Response>\n    <Say voice='woman'>Please leave a message.</Say>\n    <Record playBeep='true' recordingStatusCallback='http://h/TeXML/events' recordingStatusCallbackMethod='POST'/>\n</Response>",
    ),
    (
        "the agent hung up first",
        "<?xml version='1.0' encoding='UTF-8'?>\n<Response>\n    <Say voice='woman'>Thank you for calling.</Say>\n</Response>",
    ),
    (
        "music, chosen at random, and an end",
        "<Response><Play>http://h/1.mp3</Play><Play>http://h/2.mp3</Play><Say>You have waited too long.</Say><Hangup/></Response>",
    ),
];

/// More to damage: what the documents above do not contain.
const RICH: &[&str] = &[
    "<Response><Say>a <break time='1s'/><p>b</p><say-as interpret-as='digits'>12</say-as><sub alias='x'>y</sub></Say></Response>",
    "<Response><Gather input='dtmf speech' hints='a,b' speechTimeout='auto' partialResultCallback='/p'><Pause/></Gather></Response>",
    "<Response><Dial sequential='true' ringTone='us-old'><Client><Identity>ann</Identity><Parameter name='a' value='b'/></Client><Sip username='u' password='p'><Uri>sip:a@[::1]?x-a=%0d</Uri><Headers><Header name='X-B' value='c'/></Headers></Sip></Dial></Response>",
    "<Response><Start><Stream url='wss://h/'/></Start><Enqueue>x</Enqueue><Pay/><Leave/><Reject reason='busy'/></Response>",
    "\u{feff}\n<?xml version='1.0' encoding='ISO-8859-1'?><!-- ü --><?x y?><Response xmlns:a='b' a:c='d'><![CDATA[ ]]></Response>",
    "<Response><Record transcribe='true' maxLength='86400' finishOnKey='' recordingStatusCallbackEvent='absent'/></Response>",
    "<!DOCTYPE r [<!ENTITY a 'bbbb'><!ENTITY b '&a;&a;'>]><Response><Say>&b;</Say></Response>",
];

#[test]
fn real_documents_parse_without_findings() {
    for (name, text) in DOCUMENTS {
        for dialect in [Dialect::Twiml, Dialect::Texml] {
            let document = parse(text, dialect).unwrap_or_else(|finding| panic!("{name}: {finding}"));
            // A pause of no seconds is a timeout in one dialect alone (reference: texml-delta §3).
            let known = dialect == Dialect::Texml && text.contains("timeout=\"0\"");
            let codes: Vec<u32> = document.findings.iter().map(|finding| finding.code).collect();
            assert_eq!(codes, if known { vec![13313] } else { vec![] }, "{name} {dialect:?}");
            assert_eq!(document.errors, [], "{name}");
        }
        assert_eq!(decode(text.as_bytes(), None).as_deref(), Ok(*text), "{name}");
    }
}

#[test]
fn a_dial_without_agents_is_empty_and_goes_on() {
    let (_, text) = DOCUMENTS.iter().find(|(name, _)| *name == "all agents ring again").unwrap();
    let document = parse(text, Dialect::Twiml).unwrap();
    let Some(Verb::Dial(dial)) = document.verbs.get(1) else { panic!() };
    assert!(dial.nouns.is_empty() && dial.action.is_none());
    assert_eq!(document.verbs.len(), 4);
}

/// One of: a byte changed, cut out or put in; a stretch doubled, moved or cut out; a word put in.
fn damage(bytes: &mut Vec<u8>, rng: &mut Rng) {
    const WORDS: &[&str] = &[
        "<",
        ">",
        "/>",
        "</",
        "'",
        "\"",
        "&",
        "&#x0;",
        "&#55296;",
        "&lt;",
        "<!--",
        "-->",
        "<![CDATA[",
        "]]>",
        "<?xml ",
        "?>",
        "<!DOCTYPE",
        "=",
        "=''",
        "ü",
        "\u{feff}",
        "\0",
        "你",
        "%00",
        "-1",
        "99999999999",
        "xmlns:a=''",
        "a:b",
        "sip:",
        "http://",
        "#",
        "?",
        "@",
        "Response",
        "Dial",
        "Number",
        "Say",
        "loop='-1'",
        "\r\n",
        "\u{85}",
    ];
    let at = |bytes: &Vec<u8>, rng: &mut Rng| usize::try_from(rng.below(bytes.len() as u64 + 1)).unwrap();
    let (a, b) = (at(bytes, rng), at(bytes, rng));
    let (start, end) = (a.min(b), a.max(b));
    match rng.below(7) {
        0 if a < bytes.len() => bytes[a] = rng.u32() as u8,
        1 if a < bytes.len() => drop(bytes.remove(a)),
        2 => bytes.insert(a, rng.u32() as u8),
        3 if end - start < 2_000 && bytes.len() < 20_000 => {
            let stretch = bytes[start..end].to_vec();
            bytes.splice(start..start, stretch);
        }
        4 if end - start < 200 => drop(bytes.drain(start..end)),
        5 => bytes.truncate(end),
        _ => {
            let word = WORDS[usize::try_from(rng.below(WORDS.len() as u64)).unwrap()];
            bytes.splice(a..a, word.bytes());
        }
    }
}

#[test]
fn no_damage_makes_anything_panic() {
    let seeds: Vec<&str> = DOCUMENTS.iter().map(|(_, text)| *text).chain(RICH.iter().copied()).collect();
    let mut rng = Rng::seeded(7);
    let mut documents = 0;
    for _ in 0..20_000 {
        let seed = seeds[usize::try_from(rng.below(seeds.len() as u64)).unwrap()];
        let mut bytes = seed.as_bytes().to_vec();
        for _ in 0..=rng.below(3) {
            damage(&mut bytes, &mut rng);
        }
        documents += usize::from(survives(bytes));
    }
    assert!(documents > 1_000, "only {documents} damaged documents were documents: the damage tests nothing");
}

/// Through everything that reads a body; true when it was a document.
fn survives(body: Vec<u8>) -> bool {
    let text = String::from_utf8_lossy(&body).into_owned();
    let _ = (lint(&text), parse(&text, Dialect::Texml), Overrides::parse(&text), signature("t", &text, &[]));
    let mut interpreter = Interpreter::new(Some(("http://h/f".into(), HttpMethod::Get)), Dialect::Twiml);
    let now = Now::default();
    interpreter.handle(Input::Start(Source::Url { url: "http://h/v".into(), method: HttpMethod::Post }), now);
    let fetched = Fetched {
        status: 200,
        content_type: Some("text/xml".into()),
        body,
        url: "http://h/v".into(),
        headers: vec![],
    };
    interpreter.handle(Input::Fetched { id: 1, result: Ok(fetched) }, now);
    let mut fallback = false;
    // A document of n verbs is over after n ends of verbs.
    for _ in 0..30_000 {
        match interpreter.poll_output() {
            Some(Output::Execute(_)) => interpreter.handle(Input::VerbDone(crate::After::Next), now),
            Some(Output::Fetch { params, .. }) => {
                fallback |= params.iter().any(|(name, _)| name == "ErrorCode")
            }
            Some(Output::Notify(..) | Output::ApplicationError { .. } | Output::Finished) => {}
            None => return !fallback,
        }
    }
    panic!("an interpreter that never comes to an end");
}
