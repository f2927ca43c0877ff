//! What is made over HTTP works at once and after the power was gone: an application, a number, a phone.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use base64::Engine as _;
use serde_json::Value;

use crate::common::baresip::{Account, Baresip};
use crate::common::network::{Line, in_own_network, loopback};
use crate::common::office::{ACCOUNT_SID, AUTH_TOKEN, Office};
use crate::common::rtp::Rtp;
use crate::common::web::Reply;
use crate::common::{hz, ms, s, tone, wait_for};
use crate::stage::{Caller, NUMBER, answering_until_byed, outside, web};

/// A request to the API; the answer's JSON, which must be a success.
fn rest(method: &str, path: &str, form: &str) -> Value {
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("{ACCOUNT_SID}:{AUTH_TOKEN}"));
    let request = format!(
        "{method} /2010-04-01/Accounts/{ACCOUNT_SID}/{path} HTTP/1.1\r\nHost: box\r\nConnection: close\r\n\
         Authorization: Basic {basic}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\n\r\n{form}",
        form.len()
    );
    let mut stream = TcpStream::connect("127.0.0.1:8080").unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 20"), "{method} {path} {form}: {answer}");
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default();
    serde_json::from_str(body).unwrap_or_default()
}

fn sid(made: &Value) -> &str {
    made["sid"].as_str().unwrap()
}

const PASSWORD: &str = "Secret123456";

fn dora(line: &Line) -> Baresip {
    let account = Account { password: PASSWORD, ..Account::of("dora", line.near) };
    let phone = Baresip::start(line, &account);
    phone.registered();
    phone
}

/// The phone dials the number and hears its application's prompt.
fn dials_and_hears(phone: &mut Baresip, line: &Line) {
    phone.forget();
    phone.dial(&format!("sip:{NUMBER}@{}", line.near));
    phone.wait("CALL_ESTABLISHED", s(8));
    // The prompt is two seconds long; then the box hangs up.
    phone.wait("CALL_CLOSED", s(8));
    let heard =
        wait_for("what the phone heard", s(3), || Some(phone.heard()).filter(|heard| heard.len() > 8000));
    let prompt = tone::seconds_of(&heard, hz::PROMPT);
    assert!(prompt > 1.0, "prompt {prompt} s");
}

#[test]
fn a_phone_and_a_number_made_over_http_work_at_once_and_after_a_kill() {
    in_own_network(|| {
        let web = web();
        web.document("/app", "<Play>/prompt.wav</Play><Hangup/>");
        let line = Line::lay(1);
        let mut tandem = Office::new().carrier().listen(line.near).open();
        let app = rest("POST", "Applications.json", &format!("VoiceUrl={}", web.url("/app")));
        let number = format!("PhoneNumber=%2B{}&VoiceApplicationSid={}", &NUMBER[1..], sid(&app));
        rest("POST", "IncomingPhoneNumbers.json", &number);
        let list = rest("POST", "SIP/CredentialLists.json", "FriendlyName=Desks");
        let users = format!("SIP/CredentialLists/{}/Credentials.json", sid(&list));
        rest("POST", &users, &format!("Username=dora&Password={PASSWORD}"));
        let domain = rest("POST", "SIP/Domains.json", "DomainName=desk.example&SipRegistration=true");
        let mappings = format!("SIP/Domains/{}/Auth/Registrations/CredentialListMappings.json", sid(&domain));
        rest("POST", &mappings, &format!("CredentialListSid={}", sid(&list)));

        let mut phone = dora(&line);
        dials_and_hears(&mut phone, &line);
        assert!(web.asked("/app")[0].get("From").contains("dora"));

        tandem.kill();
        drop(phone);
        tandem.start();
        let mut phone = dora(&line);
        dials_and_hears(&mut phone, &line);
        // A carrier's caller reaches the same application by the same number.
        let mut caller = Caller::calls_until_byed(&tandem);
        caller.hears(hz::PROMPT, 1.0);
        caller.sipp.succeeds(s(8));
        assert_eq!(web.asked("/app").len(), 3);

        // The domain gets a document of its own: from the next call on it answers.
        web.document("/desk", "<Play>/menu.wav</Play><Hangup/>");
        let path = format!("SIP/Domains/{}.json", sid(&domain));
        rest("POST", &path, &format!("VoiceUrl={}", web.url("/desk")));
        phone.forget();
        phone.dial(&format!("sip:anything@{}", line.near));
        let asked = web.wait("/desk", s(5));
        assert!(asked.get("To").starts_with("sip:anything@"), "{asked:?}");
        phone.wait("CALL_CLOSED", s(8));
        std::thread::sleep(ms(300));
        let menu = tone::seconds_of(&phone.heard(), hz::MENU);
        assert!(menu > 1.0, "menu {menu} s");

        // A phone that is taken out is let in no more.
        let user = rest("GET", &users, "")["credentials"][0].clone();
        rest("DELETE", &users.replace(".json", &format!("/{}.json", sid(&user))), "");
        web.document("/desk", "<Hangup/>");
        phone.forget();
        phone.dial(&format!("sip:anything@{}", line.near));
        phone.wait("CALL_CLOSED", s(10));
        assert_eq!(web.asked("/desk").len(), 1);
    });
}

/// Six digits that are not these.
fn other(code: &str) -> String {
    code.chars().map(|digit| if digit == '9' { '0' } else { '9' }).collect()
}

#[test]
fn a_caller_id_is_validated_by_a_call_that_is_keyed_the_code() {
    in_own_network(|| {
        let web = web();
        web.on("/verified", |_| Reply::empty());
        let _tandem = Office::new().carrier().number(NUMBER, &web.url("/voice"), "").open();
        for (right, status) in [(false, "failed"), (true, "success")] {
            let rtp = Rtp::open(loopback(2));
            let mut callee = outside(&answering_until_byed(&rtp));
            let form = format!("PhoneNumber=%2B15557778888&StatusCallback={}", web.url("/verified"));
            let asked = rest("POST", "OutgoingCallerIds.json", &form);
            let code = asked["validation_code"].as_str().unwrap();
            rtp.talk_to(callee.wait("INVITE", s(8)).media().unwrap());
            callee.wait("ACK", s(5));
            std::thread::sleep(ms(700));
            // Three codes that are wrong end it.
            let keyed = if right { vec![code.to_owned()] } else { vec![other(code); 3] };
            for keys in keyed {
                rtp.press(&keys);
                std::thread::sleep(ms(3_000));
            }
            let told = web.wait_with("/verified", "VerificationStatus", status, s(30));
            assert_eq!(told.get("CallSid"), asked["call_sid"]);
            callee.succeeds(s(8));
            let list = rest("GET", "OutgoingCallerIds.json", "");
            let known = list["outgoing_caller_ids"].as_array().unwrap();
            assert_eq!(known.len(), usize::from(right), "{list}");
            if right {
                assert_eq!(told.get("OutgoingCallerIdSid"), sid(&known[0]));
            }
        }
    });
}
