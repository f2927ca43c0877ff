//! What goes wrong on the wire: repeated, lost, early and broken messages, refusals, silence, wrong passwords.

use std::time::Instant;

use crate::common::network::{in_own_network, loopback};
use crate::common::office::CARRIER_PORT;
use crate::common::rtp::Rtp;
use crate::common::scenario::Scenario;
use crate::common::sipp::{Sipp, Transport, header};
use crate::common::web::Reply;
use crate::common::wire::{Wire, to_tag};
use crate::common::{hz, ms, s, wait_for};
use crate::stage::{CALLER, Caller, NUMBER, answering_until_byed, office, ringing_until_cancelled, web};

#[test]
fn a_repeated_invite_is_one_call() {
    in_own_network(|| {
        let web = web();
        web.document("/voice", r#"<Play>/prompt.wav</Play><Pause length="20"/>"#);
        let tandem = office(&web).open();
        let rtp = Rtp::open(loopback(2));
        let wire = Wire::open(loopback(2), 5081, tandem.sip());
        let invite = wire.request("INVITE", NUMBER, "twice", "twice", "", &rtp.sdp());
        for _ in 0..4 {
            wire.send(invite.as_bytes());
            std::thread::sleep(ms(60));
        }
        let answer = wire.wait("SIP/2.0 200", s(5));
        // Once more after the answer: the answer is repeated, nothing is begun.
        wire.send(invite.as_bytes());
        assert_eq!(to_tag(&wire.wait("SIP/2.0 200", s(2))), to_tag(&answer));
        let tag = to_tag(&answer).to_owned();
        wire.send(wire.request("ACK", NUMBER, "twice", "twiceack", &tag, "").as_bytes());
        rtp.talk_to(crate::common::sipp::media_address(&answer).unwrap());
        rtp.wait_tone(hz::PROMPT, 1.0, Instant::now(), s(5));
        assert_eq!(web.asked("/voice").len(), 1);
        assert_eq!(tandem.calls().len(), 1);
        let bye = wire.request("BYE", NUMBER, "twice", "twicebye", &tag, "");
        wire.send(bye.as_bytes());
        wire.wait("SIP/2.0 200", s(2));
        // A repeated BYE is answered alike.
        wire.send(bye.as_bytes());
        wire.wait("SIP/2.0 200", s(2));
        tandem.wait_call(web.asked("/voice")[0].get("CallSid"), "completed");
    });
}

#[test]
fn an_answer_nobody_acknowledges_is_repeated_and_then_hung_up() {
    in_own_network(|| {
        let web = web();
        web.document("/voice", r#"<Gather timeout="60"/>"#);
        let tandem = office(&web).open();
        let rtp = Rtp::open(loopback(2));
        let wire = Wire::open(loopback(2), 5081, tandem.sip());
        wire.send(wire.request("INVITE", NUMBER, "lost", "lost", "", &rtp.sdp()).as_bytes());
        wire.wait("SIP/2.0 200", s(5));
        let began = Instant::now();
        // RFC 3261 §13.3.1.4: at T1 (0.5 s), doubling to T2 (4 s); after 64 × T1 = 32 s the dialog is ended.
        let again = wire.all(s(4)).iter().filter(|message| message.starts_with("SIP/2.0 200")).count();
        assert!((2..=4).contains(&again), "{again} repetitions in four seconds");
        let bye = wire.wait("BYE ", s(40));
        let after = began.elapsed();
        assert!(after > s(29) && after < s(36), "BYE after {after:?}");
        let via = header(&bye, "Via");
        let lines =
            ["From", "To", "Call-ID", "CSeq"].map(|name| format!("{name}: {}\r\n", header(&bye, name)));
        wire.send(
            format!("SIP/2.0 200 OK\r\nVia: {via}\r\n{}Content-Length: 0\r\n\r\n", lines.concat()).as_bytes(),
        );
        let sid = web.asked("/voice")[0].get("CallSid").to_owned();
        wait_for("the end on record", s(5), || {
            tandem.calls().into_iter().find(|call| call["sid"] == sid.as_str() && !call["end"].is_null())
        });
    });
}

#[test]
fn a_caller_who_cancels_before_the_document_came() {
    in_own_network(|| {
        let web = web();
        web.on("/voice", |_| Reply::twiml("<Play>/prompt.wav</Play>").after(s(3)));
        let tandem = office(&web).open();
        let rtp = Rtp::open(loopback(2));
        let scenario = Scenario::caller(CALLER, NUMBER)
            .invite(&rtp.sdp(), "")
            .response(100)
            .response(180)
            .pause(500)
            .cancel()
            .raw("<recv response=\"200\"/>")
            .raw("<recv response=\"487\"/>")
            .ack_refusal();
        tandem.carrier_calls(&scenario).succeeds(s(10));
        let call = tandem.wait_call(web.wait("/voice", s(1)).get("CallSid"), "canceled");
        assert!(call["answer"].is_null(), "{call}");
        std::thread::sleep(s(3));
        assert!(rtp.packets().is_empty(), "the late document spoke to nobody");
    });
}

#[test]
fn a_caller_who_hangs_up_while_the_agent_rings() {
    in_own_network(|| {
        let web = web();
        web.document("/voice", r#"<Dial action="/after"><Client>ann</Client></Dial>"#);
        web.document("/after", "<Hangup/>");
        let tandem = office(&web).open();
        let mut agent = tandem.phone("ann", 11, &ringing_until_cancelled());
        let mut caller = Caller::calls_and_hangs_up_when_told(&tandem);
        agent.wait("INVITE", s(5));
        std::thread::sleep(ms(500));
        // The caller hears ringing meanwhile, never silence.
        assert!(crate::common::tone::seconds_of_sound(&caller.rtp.heard()) > 0.2, "no ringback");
        caller.hangs_up();
        agent.succeeds(s(5));
        let sid = web.asked("/voice")[0].get("CallSid").to_owned();
        tandem.wait_call(&sid, "completed");
        let child = &tandem.children(&sid)[0];
        assert!(["canceled", "no-answer"].contains(&child["status"].as_str().unwrap()), "{child}");
    });
}

/// The port stays, and the peer is somewhere else than it was opened for.
#[test]
fn who_answers_after_another_place_refused_is_heard_and_hears() {
    in_own_network(|| {
        let web = web();
        web.document("/voice", "<Dial><Number>0044123</Number></Dial>");
        let trunk = |name, host| {
            let at = loopback(host);
            format!(
                "[[trunk]]\nname = \"{name}\"\naddress = \"sip:{at}:{CARRIER_PORT}\"\naccept_from = [\"{at}\"]\n"
            )
        };
        let routes = "[[route]]\npattern = \"0044*\"\ntrunk = [\"first\", \"second\"]";
        let tables = format!("{}{}{routes}", trunk("first", 5), trunk("second", 6));
        let tandem = office(&web).table(&tables).open();
        let answer = |scenario: &Scenario, host| {
            Sipp::answer(&scenario.xml(), Transport::Udp, (loopback(host), CARRIER_PORT).into())
        };
        let refusing = Scenario::phone().invited().invite_reply(503, "Service Unavailable").request("ACK");
        let mut first = answer(&refusing, 5);
        let rtp = Rtp::open(loopback(6));
        let mut second = answer(&answering_until_byed(&rtp), 6);
        let mut caller = Caller::calls_and_hangs_up_when_told(&tandem);
        first.succeeds(s(10));
        let invite = second.wait("INVITE", s(10));
        rtp.talk_to(invite.media().expect("an offer")).say(hz::AGENT);
        caller.rtp.say(hz::CALLER);
        let since = Instant::now();
        caller.rtp.wait_tone(hz::AGENT, 1.0, since, s(10));
        rtp.wait_tone(hz::CALLER, 1.0, since, s(10));
        caller.hangs_up();
        second.succeeds(s(10));
    });
}

#[test]
fn a_busy_agent() {
    in_own_network(|| {
        let web = web();
        web.document("/voice", r#"<Dial action="/after"><Client>ann</Client></Dial>"#);
        web.document("/after", "<Play>/menu.wav</Play>");
        let tandem = office(&web).open();
        let busy = Scenario::phone().invited().invite_reply(486, "Busy Here").request("ACK");
        let mut agent = tandem.phone("ann", 11, &busy);
        let mut caller = Caller::calls_until_byed(&tandem);
        assert_eq!(web.wait("/after", s(5)).get("DialCallStatus"), "busy");
        caller.hears(hz::MENU, 1.5);
        agent.succeeds(s(5));
        caller.sipp.succeeds(s(10));
    });
}

#[test]
fn an_agent_who_does_not_pick_up() {
    in_own_network(|| {
        let web = web();
        web.document("/voice", r#"<Dial action="/after" timeout="5"><Client>ann</Client></Dial>"#);
        web.document("/after", "<Play>/menu.wav</Play>");
        let tandem = office(&web).open();
        let mut agent = tandem.phone("ann", 11, &ringing_until_cancelled());
        let mut caller = Caller::calls_until_byed(&tandem);
        agent.wait("INVITE", s(5));
        let rang = Instant::now();
        let after = web.wait("/after", s(10));
        assert_eq!(after.get("DialCallStatus"), "no-answer");
        let rung = after.at - rang;
        assert!(rung > ms(4000) && rung < s(7), "rang for {rung:?}");
        caller.hears(hz::MENU, 1.5);
        agent.succeeds(s(5));
        caller.sipp.succeeds(s(10));
    });
}

#[test]
fn an_agent_who_is_not_there() {
    in_own_network(|| {
        let web = web();
        web.document("/voice", r#"<Dial action="/after"><Client>ann</Client></Dial>"#);
        web.document("/after", "<Play>/menu.wav</Play>");
        let tandem = office(&web).open();
        let mut caller = Caller::calls_until_byed(&tandem);
        let after = web.wait("/after", s(5));
        assert!(["no-answer", "failed"].contains(&after.get("DialCallStatus")), "{after:?}");
        caller.hears(hz::MENU, 1.5);
        caller.sipp.succeeds(s(10));
    });
}

#[test]
fn a_number_nobody_owns() {
    in_own_network(|| {
        let web = web();
        let tandem = office(&web).open();
        let rtp = Rtp::open(loopback(2));
        let scenario = Scenario::caller(CALLER, "+15559999999")
            .invite(&rtp.sdp(), "")
            .provisional()
            .response(404)
            .ack_refusal();
        tandem.carrier_calls(&scenario).succeeds(s(5));
        assert!(web.log().is_empty());
        let call = wait_for("a line in the call log", s(5), || tandem.calls().into_iter().next());
        assert_eq!((&call["to"], &call["status"]), (&"+15559999999".into(), &"failed".into()), "{call}");
    });
}

#[test]
fn a_stranger_is_challenged_and_no_number_answers_him() {
    in_own_network(|| {
        let web = web();
        web.document("/voice", "<Hangup/>");
        let tandem = office(&web).open();
        let wire = Wire::open(loopback(66), 5060, tandem.sip());
        for number in [NUMBER, "+15559999999", "101"] {
            wire.send(
                wire.request("INVITE", number, number, number, "", &Rtp::open(loopback(66)).sdp()).as_bytes(),
            );
            let answer = wire.wait("SIP/2.0 4", s(3));
            assert!(answer.starts_with("SIP/2.0 401") || answer.starts_with("SIP/2.0 407"), "{answer}");
            wire.send(wire.request("ACK", number, number, number, to_tag(&answer), "").as_bytes());
        }
        assert!(web.log().is_empty());
        assert!(tandem.calls().is_empty());
    });
}

#[test]
fn wrong_passwords_get_the_source_banned_and_nobody_else() {
    in_own_network(|| {
        let web = web();
        let tandem = office(&web).open();
        let wire = Wire::open(loopback(66), 5060, tandem.sip());
        let mut refused = 0;
        for attempt in 0..30 {
            let ask = |step: &str, credentials: &str| {
                let call = format!("guess{attempt}{step}");
                let request = wire.request("REGISTER", "ann", &call, &call, "", "");
                let (head, rest) = request.split_once("Max-Forwards").unwrap();
                wire.send(format!("{head}{credentials}Max-Forwards{rest}").as_bytes());
                wire.receive(ms(700))
            };
            let Some(challenge) = ask("a", "") else { break };
            assert!(
                challenge.starts_with("SIP/2.0 401") || challenge.starts_with("SIP/2.0 403"),
                "{challenge}"
            );
            let nonce = header(&challenge, "WWW-Authenticate").split("nonce=\"").nth(1);
            let Some(nonce) = nonce.and_then(|rest| rest.split('"').next()) else { break };
            let realm = header(&challenge, "WWW-Authenticate")
                .split("realm=\"")
                .nth(1)
                .unwrap()
                .split('"')
                .next()
                .unwrap();
            let credentials = format!(
                "Authorization: Digest username=\"ann\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"sip:127.0.0.1\", \
                 response=\"{:032x}\"\r\n",
                attempt
            );
            let Some(answer) = ask("b", &credentials) else { break };
            assert!(answer.starts_with("SIP/2.0 401") || answer.starts_with("SIP/2.0 403"), "{answer}");
            refused += 1;
        }
        assert!((1..30).contains(&refused), "no ban after {refused} wrong passwords");
        let status = tandem.says(&["status"]);
        assert!(status.contains("127.0.0.66"), "the ban is shown:\n{status}");
        tandem.register("ann", "secret", (loopback(11), 5060).into());
        assert!(tandem.says(&["phones"]).contains("ann"));
    });
}

#[test]
fn broken_messages_are_survived_and_the_next_call_works() {
    in_own_network(|| {
        let web = web();
        web.document("/voice", r#"<Dial><Client>ann</Client></Dial>"#);
        let mut tandem = office(&web).open();
        let wire = Wire::open(loopback(66), 5060, tandem.sip());
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/sip-torture");
        let mut files: Vec<_> =
            std::fs::read_dir(folder).expect(folder).map(|entry| entry.unwrap().path()).collect();
        files.sort();
        let messages: Vec<Vec<u8>> =
            files.iter().filter(|path| path.is_file()).map(|path| std::fs::read(path).unwrap()).collect();
        assert!(messages.len() >= 20, "{} messages in {folder}", messages.len());
        for message in &messages {
            wire.send(message);
            // Cut short, doubled, and with its bytes upset.
            wire.send(&message[..message.len() / 2]);
            wire.send(&[message.as_slice(), message.as_slice()].concat()[..(message.len() * 2).min(60_000)]);
            let upset: Vec<u8> =
                message.iter().enumerate().map(|(n, b)| if n % 17 == 3 { b ^ 0x55 } else { *b }).collect();
            wire.send(&upset);
        }
        for size in [0, 1, 2, 4, 12, 100, 1500, 9000, 65_000] {
            wire.send(&vec![b'A'; size]);
            wire.send(&vec![0; size]);
            wire.send(&vec![b'\n'; size]);
        }
        let mut tcp = std::net::TcpStream::connect(tandem.sip()).unwrap();
        let _ = std::io::Write::write_all(&mut tcp, &vec![b'x'; 300_000]);
        wire.all(ms(500));
        assert!(tandem.runs(), "{}", tandem.log());

        let phone = Rtp::open(loopback(11));
        let mut agent = tandem.phone("ann", 11, &answering_until_byed(&phone));
        let mut caller = Caller::calls_and_hangs_up_when_told(&tandem);
        caller.rtp.say(hz::CALLER);
        phone.talk_to(agent.wait("INVITE", s(5)).media().unwrap()).say(hz::AGENT);
        caller.hears(hz::AGENT, 1.0);
        phone.wait_tone(hz::CALLER, 1.0, caller.answered, s(5));
        caller.hangs_up();
        agent.succeeds(s(5));
    });
}

#[test]
fn a_phone_that_vanishes_is_hung_up_on_the_other_side_too() {
    in_own_network(|| {
        let web = web();
        web.document("/voice", r#"<Dial action="/after"><Client>ann</Client></Dial>"#);
        web.document("/after", "<Play>/menu.wav</Play>");
        let tandem = office(&web).media("timeout_s = 3").open();
        let phone = Rtp::open(loopback(11));
        let mut agent = tandem.phone("ann", 11, &answering_until_byed(&phone));
        let mut caller = Caller::calls_until_byed(&tandem);
        caller.rtp.say(hz::CALLER);
        phone.talk_to(agent.wait("INVITE", s(5)).media().unwrap()).say(hz::AGENT);
        caller.hears(hz::AGENT, 1.0);
        phone.vanish();
        web.wait("/after", s(8));
        caller.hears(hz::MENU, 1.5);
        agent.succeeds(s(5));
        caller.sipp.succeeds(s(10));
    });
}
