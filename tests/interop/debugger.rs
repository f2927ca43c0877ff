//! What goes wrong in a call reaches whoever looks after the box, and the other dialect's requests on the wire.

use std::io::{Read as _, Write as _};
use std::process::Command;

use serde_json::Value;

use crate::common::network::in_own_network;
use crate::common::office::binary;
use crate::common::rest::Rest;
use crate::common::web::Reply;
use crate::common::{hz, s, wait_for};
use crate::stage::{Caller, office, office_with, web};

/// The metrics page.
fn metrics() -> String {
    let mut stream = std::net::TcpStream::connect("127.0.0.1:8080").unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: box\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn findings_are_told_traced_and_counted_with_what_was_asked_and_answered() {
    in_own_network(|| {
        let web = web();
        web.document(
            "/voice",
            "\n  <Dance tempo=\"fast\"/><Play>/menu.wav</Play>\n<Redirect>/broken</Redirect>",
        );
        web.on("/broken", |_| Reply::new(503, "text/plain", "closed for repair"));
        web.document("/fallback", "<Play>/prompt.wav</Play>");
        web.on("/debugger", |_| Reply::empty());
        let keys = format!("voice_fallback_url = \"{}\"", web.url("/fallback"));
        let watched = format!("[webhooks]\ndebugger_url = \"{}\"", web.url("/debugger"));
        let tandem = office_with(&web, &keys).table(&watched).open();
        let mut caller = Caller::calls_until_byed(&tandem);
        caller.hears(hz::MENU, 1.5);
        caller.hears(hz::PROMPT, 1.5);
        caller.sipp.succeeds(s(15));
        let sid = web.asked("/voice")[0].get("CallSid").to_owned();
        let told = [web.wait_nth("/debugger", 1, s(2)), web.wait_nth("/debugger", 2, s(2))];
        let payload = |n: usize| -> Value { serde_json::from_str(told[n].get("Payload")).unwrap() };
        assert_eq!((told[0].get("Level"), told[1].get("Level")), ("Warning", "Error"));
        assert!(told.iter().all(|told| told.headers.contains_key("x-twilio-signature")));
        let (warning, error) = (payload(0), payload(1));
        assert_eq!(
            (warning["error_code"].as_str(), error["error_code"].as_str()),
            (Some("12200"), Some("11200"))
        );
        assert_eq!(warning["resource_sid"], sid.as_str());
        assert!(warning["webhook"]["response"]["body"].as_str().unwrap().contains("<Dance"), "{warning}");
        assert_eq!(error["webhook"]["response"]["status_code"], 503);
        assert_eq!(error["webhook"]["response"]["body"], "closed for repair");
        assert_eq!(error["webhook"]["request"]["parameters"]["CallSid"], sid.as_str());
        let trace = tandem.says(&["trace", &sid]);
        for part in
            ["12200 warning", "11200 error", "/broken", "answered 503 closed for repair", "CallStatus"]
        {
            assert!(trace.contains(part), "{part} in {trace}");
        }
        wait_for("both codes in the metrics", s(6), || {
            let text = metrics();
            let line = |code| text.contains(&format!("tandem_notifications_total{{code=\"{code}\""));
            (line(12200) && line(11200)).then_some(())
        });
        assert!(tandem.says(&["status"]).contains("11200: 1"));
        // The same by the API: the list says what, one of them all of it.
        let (status, list) = Rest::local().get(&format!("Calls/{sid}/Notifications.json"));
        assert_eq!(status, 200, "{list}");
        let codes: Vec<&str> = list["notifications"]
            .as_array()
            .unwrap()
            .iter()
            .map(|n| n["error_code"].as_str().unwrap())
            .collect();
        assert_eq!(codes, ["11200", "12200"], "the newest first");
        let one = list["notifications"][1]["sid"].as_str().unwrap();
        let (_, one) = Rest::local().get(&format!("Notifications/{one}.json"));
        assert_eq!((&one["log"], &one["request_method"]), (&"1".into(), &"POST".into()), "{one}");
        assert!(one["request_url"].as_str().unwrap().ends_with("/voice"), "{one}");
        assert!(one["request_variables"].as_str().unwrap().contains(&sid), "{one}");
        assert!(one["response_body"].as_str().unwrap().contains("<Dance"), "{one}");
        assert!(one["message_text"].as_str().unwrap().contains("Dance"), "{one}");
    });
}

#[test]
fn a_document_is_linted_where_it_is_served() {
    in_own_network(|| {
        let web = web();
        web.document("/good", "<Say>hello</Say>");
        web.document("/odd", "\n<Sya>hello</Sya>");
        web.on("/json", |_| Reply::new(200, "application/json", "{}"));
        let lint = |path: &str, more: &[&str]| {
            let mut command = Command::new(binary());
            let out = command.args(["twiml", "lint", &web.url(path)]).args(more).output().unwrap();
            (out.status.success(), String::from_utf8(out.stdout).unwrap())
        };
        let (fine, said) = lint("/good", &[]);
        assert!(fine && said.ends_with("/good: ok\n"), "{said}");
        // Beside a box's configuration it asks as that box does.
        let directory = tempfile::TempDir::new().unwrap();
        let config = directory.path().join("tandem.toml");
        let signed = |keys: &str, path: &str| {
            std::fs::write(&config, keys).unwrap();
            let (fine, said) = lint(path, &["--config", config.to_str().unwrap()]);
            assert!(fine, "{said}");
            web.asked(path).pop().unwrap().headers["x-twilio-signature"].clone()
        };
        web.document("/signed", "<Say>hello</Say>");
        let url = web.url("/signed");
        let account = "[box]\nauth_token = \"fourtytwo\"\n";
        assert_eq!(signed(account, "/signed"), twiml::signature("fourtytwo", &url, &[]));
        let with_key = format!("{account}[webhooks]\nsigning_key = \"hush\"\nsigning_key_id = \"desk\"\n");
        assert_eq!(signed(&with_key, "/signed"), twiml::signature("hush", &url, &[]));
        let (fine, said) = lint("/odd", &["--method", "GET"]);
        assert!(fine && said.contains(" warning 12200: Sya is not a verb"), "{said}");
        assert_eq!(web.asked("/odd")[0].method, "GET");
        let (fine, said) = lint("/json", &[]);
        assert!(!fine && said.contains("error 12300"), "{said}");
        let (fine, said) = lint("/nothing#rp=6xx", &[]);
        assert!(!fine && said.contains("11243") && said.contains("11200"), "{said}");
    });
}

#[test]
fn the_other_dialect_is_spoken_on_the_wire() {
    in_own_network(|| {
        let web = web();
        web.document("/voice", "<Record maxLength=\"2\" playBeep=\"false\"/><Play>/menu.wav</Play>");
        let tandem = office_with(&web, "dialect = \"texml\"").open();
        let mut caller = Caller::calls_until_byed(&tandem);
        caller.hears(hz::MENU, 1.5);
        caller.sipp.succeeds(s(15));
        let asked = web.asked("/voice");
        assert_eq!((asked.len(), asked[0].method.as_str()), (1, "GET"), "the recording has no action to ask");
        assert_eq!(asked[0].get("CallSidLegacy"), asked[0].get("CallSid"));
        assert_eq!(asked[0].get("ApiVersion"), "");
        assert_eq!(asked[0].headers["telnyx-signature-ed25519"].len(), 88);
        assert!(asked[0].headers["telnyx-timestamp"].parse::<u64>().unwrap() > 1_700_000_000);
        assert!(tandem.says(&["status"]).contains("public key"));
        // Twilio's own requests go without.
        drop(tandem);
        let tandem = office(&web).open();
        let mut caller = Caller::calls_and_hangs_up_when_told(&tandem);
        caller.hangs_up();
        caller.sipp.succeeds(s(5));
        assert!(!web.asked("/voice")[1].headers.contains_key("telnyx-signature-ed25519"));
    });
}
