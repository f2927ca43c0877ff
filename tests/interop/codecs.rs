//! Phones that speak other codecs, and phones that encrypt: each hears the caller and is heard, before and after
//! hold, whatever is between them.

use std::time::Instant;

use crate::common::baresip::{Account, Baresip, SoftPhone};
use crate::common::linphone::Linphone;
use crate::common::network::{Line, in_own_network};
use crate::common::office::{Office, Tandem};
use crate::common::{hz, ms, s, tone, wait_for};
use crate::stage::{Caller, NUMBER, web};

fn office(web_url: &str, phone_keys: &str, line: &Line) -> Tandem {
    let phone =
        format!("[[phone]]\nname = \"ann\"\npassword = \"secret\"\nextension = \"101\"\n{phone_keys}");
    let bob = "[[phone]]\nname = \"bob\"\npassword = \"secret\"\nextension = \"102\"";
    Office::new().listen(line.near).table(&phone).table(bob).carrier().number(NUMBER, web_url, "").open()
}

fn ann<'a>(line: &Line, codecs: &'a str, encryption: &'a str) -> Account<'a> {
    Account { codecs, encryption, ..Account::of("ann", line.near) }
}

/// A caller in µ-law and an agent with a codec of its own hear each other; so they do after the agent held the call.
fn caller_and_agent_hear_each_other<P: SoftPhone>(
    phone: impl FnOnce(&Line, &Account) -> P,
    codecs: &str,
    phone_keys: &str,
    encryption: &str,
) -> String {
    let web = web();
    web.document("/voice", "<Play>/prompt.wav</Play><Dial><Client>ann</Client></Dial>");
    let line = Line::lay(1);
    let tandem = office(&web.url("/voice"), phone_keys, &line);
    let mut agent = phone(&line, &ann(&line, codecs, encryption));
    agent.registered();
    let mut caller = Caller::calls_and_hangs_up_when_told(&tandem);
    caller.rtp.say(hz::CALLER);
    agent.established();
    let bridged = Instant::now();
    caller.rtp.wait_tone(hz::AGENT, 1.5, bridged, s(6));
    std::thread::sleep(ms(500));
    agent.hold(true);
    std::thread::sleep(ms(1000));
    let held = Instant::now();
    std::thread::sleep(ms(500));
    assert!(tone::seconds_of(&caller.rtp.heard_since(held), hz::AGENT) < 0.1, "the agent is on hold");
    agent.hold(false);
    let resumed = Instant::now();
    caller.rtp.wait_tone(hz::AGENT, 1.5, resumed, s(6));
    std::thread::sleep(ms(500));
    caller.hangs_up();
    agent.closed();
    // baresip begins its recording anew after a hold.
    let heard =
        wait_for("what the agent heard", s(3), || Some(agent.heard()).filter(|heard| heard.len() > 8000));
    let seconds = tone::seconds_of(&heard, hz::CALLER);
    assert!(seconds > 1.2, "{codecs}: the agent heard the caller for {seconds} s of {}", heard.len() / 8000);
    assert_eq!(tone::seconds_of(&heard, hz::AGENT), 0.0, "the agent heard itself");
    let sid = web.asked("/voice")[0].get("CallSid").to_owned();
    tandem.says(&["trace", &sid])
}

#[test]
fn an_agent_with_opus() {
    in_own_network(|| {
        caller_and_agent_hear_each_other(Baresip::start, "opus/48000/2", "codecs = [\"opus\", \"pcmu\"]", "");
    });
}

#[test]
fn an_agent_with_g722() {
    in_own_network(|| {
        caller_and_agent_hear_each_other(Baresip::start, "g722/16000/1", "codecs = [\"g722\"]", "");
    });
}

#[test]
fn an_agent_with_linear_samples() {
    in_own_network(|| {
        caller_and_agent_hear_each_other(Baresip::start, "l16/16000/1", "codecs = [\"l16\"]", "");
    });
}

#[test]
fn an_agent_who_encrypts() {
    in_own_network(|| {
        caller_and_agent_hear_each_other(Baresip::start, "pcmu", "srtp = \"optional\"", "srtp");
    });
}

#[test]
fn an_agent_who_must_encrypt() {
    in_own_network(|| {
        caller_and_agent_hear_each_other(Baresip::start, "g722/16000/1", "srtp = \"required\"", "srtp-mand");
    });
}

#[test]
fn an_agent_who_must_encrypt_and_speaks_opus() {
    in_own_network(|| {
        caller_and_agent_hear_each_other(
            Baresip::start,
            "opus/48000/2",
            "srtp = \"required\"\ncodecs = [\"opus\"]",
            "srtp-mand",
        );
    });
}

#[test]
fn an_agent_with_another_makers_phone() {
    in_own_network(|| {
        caller_and_agent_hear_each_other(Linphone::start, "pcma", "codecs = [\"pcma\"]", "");
    });
}

#[test]
fn an_agent_with_another_makers_opus() {
    in_own_network(|| {
        caller_and_agent_hear_each_other(Linphone::start, "opus", "codecs = [\"opus\"]", "");
    });
}

#[test]
fn an_agent_with_another_makers_g722_and_encryption() {
    in_own_network(|| {
        caller_and_agent_hear_each_other(
            Linphone::start,
            "g722",
            "srtp = \"required\"\ncodecs = [\"g722\"]",
            "srtp-mand",
        );
    });
}

#[test]
fn a_phone_with_opus_hears_prompts_and_presses_keys() {
    in_own_network(|| {
        let web = web();
        web.document(
            "/voice",
            r#"<Gather numDigits="2" action="/key" timeout="10"><Play loop="10">/prompt.wav</Play></Gather>"#,
        );
        web.document("/key", "<Play>/menu.wav</Play><Hangup/>");
        let line = Line::lay(1);
        let _tandem = office(&web.url("/voice"), "codecs = [\"opus\"]", &line);
        let mut phone = Baresip::start(&line, &ann(&line, "opus/48000/2", ""));
        phone.registered();
        phone.dial(&format!("sip:{NUMBER}@{}", line.near));
        phone.wait("CALL_ESTABLISHED", s(8));
        std::thread::sleep(ms(2000));
        phone.press("55");
        assert_eq!(web.wait("/key", s(3)).get("Digits"), "55");
        phone.wait("CALL_CLOSED", s(8));
        let heard =
            wait_for("what the phone heard", s(3), || Some(phone.heard()).filter(|heard| heard.len() > 8000));
        let (prompt, menu) = (tone::seconds_of(&heard, hz::PROMPT), tone::seconds_of(&heard, hz::MENU));
        assert!(prompt > 1.0 && menu > 1.6, "prompt {prompt} s, menu {menu} s");
    });
}

#[test]
fn two_phones_with_opus_hear_each_other() {
    in_own_network(|| {
        let web = web();
        let (left, right) = (Line::lay(1), Line::lay(2));
        let keys = "codecs = [\"opus\", \"pcmu\"]";
        let phones = ["ann", "bob"].map(|name| {
            let extension = if name == "ann" { "101" } else { "102" };
            format!(
                "[[phone]]\nname = \"{name}\"\npassword = \"secret\"\nextension = \"{extension}\"\n{keys}"
            )
        });
        let tandem = Office::new()
            .listen(left.near)
            .listen(right.near)
            .table(&phones[0])
            .table(&phones[1])
            .carrier()
            .number(NUMBER, &web.url("/voice"), "")
            .open();
        let mut agent = Baresip::start(&left, &ann(&left, "opus/48000/2,pcmu", ""));
        let colleague = Account { user: "bob", tone: hz::CALLER, ..ann(&right, "opus/48000/2,pcmu", "") };
        let colleague = Baresip::start(&right, &colleague);
        agent.registered();
        colleague.registered();
        agent.dial(&format!("sip:102@{}", left.near));
        agent.wait("CALL_ESTABLISHED", s(5));
        colleague.wait("CALL_ESTABLISHED", s(5));
        std::thread::sleep(ms(2500));
        agent.hang_up();
        colleague.wait("CALL_CLOSED", s(5));
        for (phone, hz) in [(&agent, hz::CALLER), (&colleague, hz::AGENT)] {
            let heard = wait_for("what the phone heard", s(3), || {
                Some(phone.heard()).filter(|heard| heard.len() > 8000)
            });
            assert!(tone::seconds_of(&heard, hz) > 1.5, "{hz} Hz: {} s", tone::seconds_of(&heard, hz));
        }
        let calls = tandem.calls();
        assert_eq!(calls.len(), 2);
    });
}
