//! The usual stage: an office with a carrier and a number, a scripted web server, callers and phones on their marks.

use std::time::Instant;

use crate::common::network::loopback;
use crate::common::office::{CARRIER_PORT, Office, Tandem};
use crate::common::rtp::Rtp;
use crate::common::scenario::Scenario;
use crate::common::sipp::{Sipp, Transport};
use crate::common::web::Web;
use crate::common::{hz, s, tone};

/// The number the office owns, answered by `/voice`.
pub const NUMBER: &str = "+15550001111";
/// Who calls.
pub const CALLER: &str = "+15557770001";

/// Prompts at `/prompt.wav` (440 Hz) and `/menu.wav` (550 Hz), two seconds each.
pub fn web() -> Web {
    let web = Web::start(loopback(9));
    web.sound("/prompt.wav", &tone::sine(hz::PROMPT, 2.0)).sound("/menu.wav", &tone::sine(hz::MENU, 2.0));
    web.on("/events", |_| crate::common::web::Reply::empty());
    web
}

/// An office with agents ann, bob and cem, a carrier, and [`NUMBER`] pointing at the web server's `/voice`.
pub fn office(web: &Web) -> Office {
    office_with(web, "")
}

/// The same with further keys for the number.
pub fn office_with(web: &Web, number_keys: &str) -> Office {
    let phones = Office::new()
        .phone("ann", "secret", "101")
        .phone("bob", "secret", "102")
        .phone("cem", "secret", "103");
    phones.carrier().number(NUMBER, &web.url("/voice"), number_keys)
}

/// A caller at the carrier whose call has been answered.
pub struct Caller {
    pub sipp: Sipp,
    pub rtp: Rtp,
    /// When its 200 was seen.
    pub answered: Instant,
}

impl Caller {
    /// Calls [`NUMBER`]; after the answer the caller talks (silence first) and follows `then`.
    pub fn calls(tandem: &Tandem, then: impl FnOnce(Scenario) -> Scenario) -> Self {
        let rtp = Rtp::open(loopback(2));
        let scenario = then(Scenario::caller(CALLER, NUMBER).invite_answered(&rtp.sdp()));
        let mut sipp = tandem.carrier_calls(&scenario);
        let answer = sipp.wait("SIP/2.0 200", s(10));
        rtp.talk_to(answer.media().expect("an answer with SDP"));
        Self { sipp, rtp, answered: Instant::now() }
    }

    /// A second caller at the same carrier, from another port of it; it hangs up when told to.
    pub fn calls_beside(tandem: &Tandem) -> Self {
        let rtp = Rtp::open(loopback(2));
        let scenario = Scenario::caller(CALLER, NUMBER).invite_answered(&rtp.sdp()).until_told().bye();
        let local = (loopback(2), CARRIER_PORT + 2).into();
        let mut sipp = Sipp::call(&scenario.xml(), Transport::Udp, local, tandem.sip());
        let answer = sipp.wait("SIP/2.0 200", s(10));
        rtp.talk_to(answer.media().expect("an answer with SDP"));
        Self { sipp, rtp, answered: Instant::now() }
    }

    /// Calls and hangs up when told to.
    pub fn calls_and_hangs_up_when_told(tandem: &Tandem) -> Self {
        Self::calls(tandem, |scenario| scenario.until_told().bye())
    }

    /// Calls and waits for the box to hang up.
    pub fn calls_until_byed(tandem: &Tandem) -> Self {
        Self::calls(tandem, Scenario::byed)
    }

    /// Waits until a tone has been heard for so long, since the answer.
    pub fn hears(&self, hz: f64, seconds: f64) {
        self.rtp.wait_tone(hz, seconds, self.answered, s(10));
    }

    /// Hangs up (after [`Self::calls_and_hangs_up_when_told`]).
    pub fn hangs_up(&mut self) {
        self.sipp.go_on();
        self.sipp.succeeds(s(10));
    }
}

/// A phone that answers after a short ring and hangs up when told, its audio at `rtp`.
pub fn answering(rtp: &Rtp) -> Scenario {
    Scenario::phone()
        .invited()
        .invite_reply(180, "Ringing")
        .pause(300)
        .pick_up(&rtp.sdp())
        .until_told()
        .hang_up()
}

/// A phone that answers and lets the other side hang up.
pub fn answering_until_byed(rtp: &Rtp) -> Scenario {
    Scenario::phone().invited().invite_reply(180, "Ringing").pause(300).pick_up(&rtp.sdp()).byed()
}

/// A phone that rings until its INVITE is cancelled.
pub fn ringing_until_cancelled() -> Scenario {
    Scenario::phone()
        .invited()
        .invite_reply(180, "Ringing")
        .request("CANCEL")
        .reply(200, "OK", "")
        .invite_reply(487, "Request Terminated")
        .request("ACK")
}

/// Somebody outside whom the carrier reaches.
pub fn outside(scenario: &Scenario) -> Sipp {
    Sipp::answer(&scenario.xml(), Transport::Udp, (loopback(2), CARRIER_PORT).into())
}
