//! Lamps: who subscribes is told at once and of each change, until it ends (RFC 6665, RFC 4235).

use std::time::Duration;

use base::Rng;
use sip::{DigestClient, HeaderName, Lamp, Method, Request, Response, Shown, TransportKind};

use crate::raw::{Bench, reply};
use crate::wire::{config, user};

fn office() -> Bench {
    let mut office = config("192.0.2.1", TransportKind::Udp);
    user(&mut office, "ann", "secret");
    let mut bench = Bench::with(office);
    light(&mut bench, Lamp::Dark);
    bench
}

/// Ann's pause key.
fn light(bench: &mut Bench, lamp: Lamp) {
    let shown = Shown { lamp, note: "Lunch".to_owned() };
    bench.endpoint.show(Some("ann"), "*12", shown, bench.now);
    // What it put out is fetched with the next input.
    bench.wait(Duration::ZERO);
    bench.say("");
}

struct Phone {
    digest: DigestClient,
    seq: u32,
    to: String,
    call: &'static str,
}

impl Phone {
    fn new(call: &'static str) -> Self {
        Self { call, digest: DigestClient::new("ann", "secret"), seq: 0, to: String::new() }
    }

    /// Subscribes, answering a challenge; the final response.
    fn subscribes(
        &mut self,
        bench: &mut Bench,
        event: &str,
        resource: &str,
        expires: u32,
        code: u16,
    ) -> Response {
        let uri = format!("sip:{resource}@192.0.2.1");
        let mut request = Request::new(Method::Subscribe, uri.parse().unwrap());
        let to = if self.to.is_empty() { format!("<{uri}>") } else { self.to.clone() };
        loop {
            self.seq += 1;
            let via = format!("SIP/2.0/UDP 192.0.2.2:5060;branch=z9hG4bK{}{};rport", self.call, self.seq);
            request.headers.set(HeaderName::Via, via);
            request.headers.set(HeaderName::From, "<sip:ann@192.0.2.1>;tag=at");
            request.headers.set(HeaderName::To, to.as_str());
            request.headers.set(HeaderName::CallId, self.call);
            request.headers.set(HeaderName::CSeq, format!("{} SUBSCRIBE", self.seq));
            request.headers.set(HeaderName::Contact, "<sip:ann@192.0.2.2:5060>");
            request.headers.set(HeaderName::Event, event);
            request.headers.set(HeaderName::Expires, expires.to_string());
            self.digest.authorize(&mut request, &mut Rng::seeded(u64::from(self.seq)));
            bench.hear(request.clone());
            let Some((_, sip::Message::Response(response))) = bench.sent.pop_front() else { panic!() };
            if response.code == 401 && self.digest.on_response(&response) == sip::DigestStep::Retry {
                continue;
            }
            self.digest.on_response(&response);
            assert_eq!(response.code, code);
            if code == 200 {
                self.to = response.headers.text(&HeaderName::To).unwrap().into_owned();
            }
            return response;
        }
    }
}

/// The next NOTIFY, answered: its Subscription-State and its body.
fn told(bench: &mut Bench, code: u16) -> (String, String) {
    let notify = bench.request("NOTIFY");
    assert_eq!(notify.uri.to_string(), "sip:ann@192.0.2.2:5060");
    let state = notify.headers.text(&HeaderName::SubscriptionState).unwrap().into_owned();
    let body = String::from_utf8(notify.body.clone()).unwrap();
    bench.hear(reply(&notify, code, "", &[], b""));
    (state, body)
}

#[test]
fn a_lamp_follows_what_is_shown_until_the_subscription_ends() {
    let mut bench = office();
    let mut ann = Phone::new("lamp0");
    let answer = ann.subscribes(&mut bench, "dialog", "*12", 600, 200);
    assert_eq!(answer.headers.text(&HeaderName::Expires).unwrap(), "600");
    let (state, body) = told(&mut bench, 200);
    assert_eq!(state, "active;expires=600");
    assert!(body.contains("<state>terminated<") && body.contains("version=\"0\""), "{body}");
    light(&mut bench, Lamp::Lit);
    let (_, body) = told(&mut bench, 200);
    assert!(body.contains("<state>confirmed<") && body.contains("version=\"1\""), "{body}");
    light(&mut bench, Lamp::Lit);
    bench.assert_quiet();

    bench.wait(Duration::from_secs(400));
    ann.subscribes(&mut bench, "dialog", "*12", 600, 200);
    assert_eq!(told(&mut bench, 200).0, "active;expires=600");
    bench.wait(Duration::from_secs(400));
    bench.assert_quiet();
    bench.wait(Duration::from_secs(200));
    assert_eq!(told(&mut bench, 200).0, "terminated;reason=timeout");
    light(&mut bench, Lamp::Dark);
    bench.assert_quiet();
    assert_eq!(bench.endpoint.open_subscriptions(), 0);
    ann.subscribes(&mut bench, "dialog", "*12", 600, 481);
}

#[test]
fn one_look_is_an_expiry_of_zero_and_presence_says_it_in_words() {
    let mut bench = office();
    light(&mut bench, Lamp::Lit);
    Phone::new("lamp1").subscribes(&mut bench, "presence;id=7", "*12", 0, 200);
    let (state, body) = told(&mut bench, 200);
    assert_eq!(state, "terminated;reason=timeout");
    assert!(body.contains("<basic>closed<") && body.contains("<note>Lunch<"), "{body}");
    assert_eq!(bench.endpoint.open_subscriptions(), 0);
}

#[test]
fn what_cannot_be_subscribed_to_is_refused() {
    let mut bench = office();
    let refused = Phone::new("lamp2").subscribes(&mut bench, "message-summary", "*12", 600, 489);
    assert_eq!(refused.headers.text(&HeaderName::AllowEvents).unwrap(), "dialog, presence");
    Phone::new("lamp3").subscribes(&mut bench, "dialog", "*13", 600, 404);
    assert_eq!(bench.endpoint.open_subscriptions(), 0);
}

#[test]
fn whoever_refuses_a_notify_or_does_not_answer_one_is_forgotten() {
    let mut bench = office();
    Phone::new("lamp4").subscribes(&mut bench, "dialog", "*12", 600, 200);
    told(&mut bench, 481);
    assert_eq!(bench.endpoint.open_subscriptions(), 0);
    Phone::new("lamp5").subscribes(&mut bench, "dialog", "*12", 600, 200);
    assert_eq!(bench.endpoint.open_subscriptions(), 1);
    bench.wait(Duration::from_secs(40));
    assert_eq!(bench.endpoint.open_subscriptions(), 0);
}

#[test]
fn one_phone_has_room_for_a_large_board_of_keys_and_again_when_one_ends() {
    let mut bench = office();
    let subscribes = |bench: &mut Bench, call: String, expires, code| {
        let mut ann = Phone::new(call.leak());
        ann.subscribes(bench, "dialog", "*12", expires, code);
        if code == 200 {
            told(bench, 200);
        }
        ann
    };
    let mut board: Vec<Phone> =
        (0..200).map(|key| subscribes(&mut bench, format!("board{key}"), 600, 200)).collect();
    subscribes(&mut bench, "full".to_owned(), 600, 503);
    board[7].subscribes(&mut bench, "dialog", "*12", 0, 200);
    assert_eq!(told(&mut bench, 200).0, "terminated;reason=timeout");
    subscribes(&mut bench, "again".to_owned(), 600, 200);
    subscribes(&mut bench, "full-again".to_owned(), 600, 503);
    assert_eq!(bench.endpoint.open_subscriptions(), 200);
}
