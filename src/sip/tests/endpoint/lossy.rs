//! Thousands of small calls over a wire that loses, repeats and reorders, with owners that do anything at any time.
//!
//! Whatever happens, each owner is told a story that makes sense, and when all is over nothing is left.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base::Mono;
use sip::{Command, Event, SessionId, TransportKind};

use crate::wire::{Faults, SDP, SDP_ANSWER, Wire};

/// Seeds tried; a failing one is named. Set at compile time for a longer run.
const SEEDS: u64 = match option_env!("TANDEM_SEEDS") {
    Some(digits) => match u64::from_str_radix(digits, 10) {
        Ok(number) => number,
        Err(_) => panic!("TANDEM_SEEDS is not a number"),
    },
    None => 300,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Calling { cancelled: bool },
    Ringing,
    Up,
    Done,
}

/// What an owner believes of a session.
#[derive(Debug)]
struct Belief {
    stage: Stage,
    /// The ACK is ours to give.
    ack_owed: bool,
    /// We have an offer out.
    offered: bool,
    /// They have one out: whether it had a body.
    to_answer: Option<bool>,
    history: Vec<String>,
}

struct Owner {
    end: usize,
    sessions: BTreeMap<SessionId, Belief>,
    /// The kinds of news it has had.
    heard: BTreeSet<String>,
}

impl Owner {
    fn new(end: usize) -> Self {
        Self { end, sessions: BTreeMap::new(), heard: BTreeSet::new() }
    }

    /// Hears all news; a story that makes no sense is a panic.
    fn listen(&mut self, wire: &mut Wire) {
        while let Some(event) = wire.event(self.end) {
            let Some(id) = session_of(&event) else { continue };
            self.heard.insert(name(&event));
            if let Event::Incoming { .. } = event {
                let belief = Belief {
                    stage: Stage::Ringing,
                    ack_owed: false,
                    offered: false,
                    to_answer: None,
                    history: vec!["incoming".into()],
                };
                assert!(self.sessions.insert(id, belief).is_none(), "{id:?} came twice");
                continue;
            }
            let belief = self.sessions.get_mut(&id).unwrap_or_else(|| panic!("{event:?} of nobody"));
            belief.history.push(format!("{:?} {}", wire.now.mono, name(&event)));
            let told = (belief.stage, &event);
            match told {
                (Stage::Calling { cancelled: false }, Event::Progress { .. }) => {}
                (Stage::Calling { cancelled: false }, Event::Answered { body, .. }) => {
                    assert!(body.is_some());
                    belief.stage = Stage::Up;
                }
                (Stage::Calling { .. }, Event::Refused { .. }) => belief.stage = Stage::Done,
                (Stage::Ringing, Event::Cancelled { .. }) => belief.stage = Stage::Done,
                (Stage::Ringing | Stage::Calling { .. } | Stage::Up, Event::Info { .. }) => {}
                (Stage::Up, Event::Acked { .. }) => {}
                (Stage::Up, Event::Offered { body, .. }) => belief.to_answer = Some(body.is_some()),
                (Stage::Up, Event::OfferAnswered { .. }) => {
                    assert!(belief.offered, "{belief:#?}");
                    belief.offered = false;
                }
                (Stage::Up, Event::Ended { .. }) => belief.stage = Stage::Done,
                _ => panic!("{event:?} makes no sense: {belief:#?}"),
            }
        }
    }

    /// Does something, or nothing, with one of its sessions.
    fn act(&mut self, wire: &mut Wire) {
        let alive: Vec<SessionId> =
            self.sessions.iter().filter(|(_, b)| b.stage != Stage::Done).map(|(id, _)| *id).collect();
        if alive.is_empty() {
            return;
        }
        let session = alive[wire.rng.below(alive.len() as u64) as usize];
        let dice = wire.rng.below(12);
        let belief = self.sessions.get_mut(&session).unwrap();
        let command = match (belief.stage, dice) {
            (Stage::Calling { cancelled: false }, 0) => {
                belief.stage = Stage::Calling { cancelled: true };
                Command::Cancel { session }
            }
            (Stage::Ringing, 0) => {
                belief.stage = Stage::Done;
                Command::Refuse { session, code: 486, reason: None, headers: Vec::new() }
            }
            (Stage::Ringing, 1..3) => Command::Progress { session, code: 180, body: None },
            (Stage::Ringing, 3..9) => {
                belief.stage = Stage::Up;
                Command::Answer { session, body: SDP_ANSWER.to_vec() }
            }
            (Stage::Up, 0) => {
                belief.stage = Stage::Done;
                Command::Bye { session, reason: None }
            }
            (Stage::Up, 1..4) if belief.ack_owed => {
                belief.ack_owed = false;
                Command::Ack { session, body: Some(SDP_ANSWER.to_vec()) }
            }
            (Stage::Up, 4..7) if belief.to_answer.is_some() => {
                belief.to_answer = None;
                let result = if dice == 4 { Err(488) } else { Ok(SDP_ANSWER.to_vec()) };
                Command::AnswerOffer { session, result }
            }
            (Stage::Up, 7..9) if !belief.offered => {
                belief.offered = true;
                Command::Offer { session, body: SDP.to_vec() }
            }
            (Stage::Up, 9) => Command::Info {
                session,
                content_type: "application/dtmf-relay".into(),
                body: b"Signal=1".to_vec(),
            },
            _ => return,
        };
        belief.history.push(format!("{:?} {}", wire.now.mono, brief(&command)));
        wire.command(self.end, command);
    }

    /// Gives whatever is owed to the peer.
    fn pay(&mut self, wire: &mut Wire) {
        for (session, belief) in self.sessions.iter_mut().filter(|(_, belief)| belief.stage == Stage::Up) {
            let session = *session;
            if std::mem::take(&mut belief.ack_owed) {
                wire.command(self.end, Command::Ack { session, body: Some(SDP_ANSWER.to_vec()) });
            }
            if belief.to_answer.take().is_some() {
                let result = Ok(SDP_ANSWER.to_vec());
                wire.command(self.end, Command::AnswerOffer { session, result });
            }
        }
    }

    /// Brings everything to an end.
    fn finish(&mut self, wire: &mut Wire) {
        for (session, belief) in &mut self.sessions {
            let session = *session;
            let command = match belief.stage {
                Stage::Calling { cancelled: false } => {
                    belief.stage = Stage::Calling { cancelled: true };
                    Command::Cancel { session }
                }
                Stage::Ringing => {
                    belief.stage = Stage::Done;
                    Command::Refuse { session, code: 480, reason: None, headers: Vec::new() }
                }
                Stage::Up => {
                    belief.stage = Stage::Done;
                    Command::Bye { session, reason: None }
                }
                Stage::Calling { cancelled: true } | Stage::Done => continue,
            };
            belief.history.push(format!("{:?} {}", wire.now.mono, brief(&command)));
            wire.command(self.end, command);
        }
    }
}

#[test]
fn whatever_the_wire_does_everything_ends() {
    let mut heard = BTreeSet::new();
    for seed in 0..SEEDS {
        match std::panic::catch_unwind(|| play(seed)) {
            Ok(kinds) => heard.extend(kinds),
            Err(panic) => {
                eprintln!("seed {seed}");
                std::panic::resume_unwind(panic);
            }
        }
    }
    // A simulation in which nothing much happens proves nothing.
    for kind in [
        "Acked",
        "Answered",
        "Cancelled",
        "Ended AckTimeout",
        "Ended ByPeer { reason: None }",
        "Ended TransactionTimeout",
        "Info",
        "OfferAnswered",
        "OfferAnswered 488",
        "Progress",
        "Refused 486",
        "Refused 487",
    ] {
        assert!(heard.contains(kind), "{kind} is not among {heard:#?}");
    }
}

fn play(seed: u64) -> BTreeSet<String> {
    let mut wire = Wire::pair(seed, TransportKind::Udp);
    wire.faults = Faults {
        loss: [0.0, 0.1, 0.3][wire.rng.below(3) as usize],
        repetition: [0.0, 0.3][wire.rng.below(2) as usize],
        delay_ms: [2, 100, 1_500][wire.rng.below(3) as usize],
    };
    let mut owners = [Owner::new(0), Owner::new(1)];
    for n in 0..=wire.rng.below(3) {
        let end = wire.rng.below(2) as usize;
        let with_offer = wire.rng.chance(0.7);
        let session = wire.call(end, n + 1, with_offer.then_some(SDP));
        let stage = Stage::Calling { cancelled: false };
        let belief =
            Belief { stage, ack_owed: !with_offer, offered: false, to_answer: None, history: Vec::new() };
        owners[end].sessions.insert(session, belief);
    }
    // In some runs the wire breaks for longer than any patience lasts.
    let breaks_at = wire.now.mono + Duration::from_millis(wire.rng.below(10_000));
    let breaks = wire.rng.chance(0.3);
    let until = wire.now.mono + Duration::from_secs(if breaks { 60 } else { 20 });
    while wire.now.mono < until {
        if breaks && wire.now.mono >= breaks_at {
            wire.faults.loss = 1.0;
        }
        let nap = wire.rng.below(1_200);
        wire.run_ms(nap);
        for owner in &mut owners {
            owner.listen(&mut wire);
            owner.act(&mut wire);
        }
    }
    wire.faults = crate::wire::CALM;
    // While everybody pays what is owed, every offer must find its answer.
    for _ in 0..400 {
        wire.run_ms(200);
        for owner in &mut owners {
            owner.listen(&mut wire);
            owner.pay(&mut wire);
        }
    }
    for belief in owners.iter().flat_map(|owner| owner.sessions.values()) {
        assert!(!(belief.offered && belief.stage == Stage::Up), "an offer without answer: {belief:#?}");
    }
    // One round may bring new calls to light, whose INVITE was lost so far.
    for _ in 0..3 {
        for owner in &mut owners {
            owner.listen(&mut wire);
            owner.finish(&mut wire);
        }
        while wire.step(Mono(u64::MAX)) {
            for owner in &mut owners {
                owner.listen(&mut wire);
            }
        }
    }
    for owner in &mut owners {
        owner.listen(&mut wire);
        for (id, belief) in &owner.sessions {
            assert_eq!(belief.stage, Stage::Done, "{id:?}: {belief:#?}");
        }
    }
    wire.assert_at_rest();
    owners.into_iter().flat_map(|owner| owner.heard).collect()
}

fn session_of(event: &Event) -> Option<SessionId> {
    match event {
        Event::Incoming { session, .. }
        | Event::Progress { session, .. }
        | Event::Answered { session, .. }
        | Event::Refused { session, .. }
        | Event::Acked { session, .. }
        | Event::Cancelled { session }
        | Event::Offered { session, .. }
        | Event::OfferAnswered { session, .. }
        | Event::Ended { session, .. }
        | Event::Info { session, .. }
        | Event::Referred { session, .. }
        | Event::ReferAnswered { session, .. }
        | Event::Notified { session, .. } => Some(*session),
        Event::Registered { .. }
        | Event::Unregistered { .. }
        | Event::ContactsChanged { .. }
        | Event::TrunkState { .. }
        | Event::Rejected { .. } => None,
    }
}

fn name(event: &Event) -> String {
    match event {
        Event::Refused { code, .. } => format!("Refused {code}"),
        Event::Ended { why, .. } => format!("Ended {why:?}"),
        Event::OfferAnswered { result: Ok(_), .. } => "OfferAnswered".into(),
        Event::OfferAnswered { result: Err(code), .. } => format!("OfferAnswered {code}"),
        other => format!("{other:?}").split([' ', '{']).next().unwrap().to_owned(),
    }
}

fn brief(command: &Command) -> String {
    format!("-> {}", format!("{command:?}").split([' ', '{']).next().unwrap())
}
