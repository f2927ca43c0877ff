//! Conferences made and led from outside: who is called in, held, spoken to, coached and removed.

use call::office::DocumentRef;
use call::record::{ConferenceRow, ConferenceStatus, StoreItem};
use call::{
    CallDocument, ConferenceFault, ConferenceRef, Hold, LiveParticipant, Music, NewCall, NewParticipant,
    Operator, OperatorReply, ParticipantOrder, ParticipantRef, ParticipantStage, ParticipantUpdate,
    RecordChange,
};
use sim::{Answer, Caller, Heard, Reaction, Scenario, UaState, param};
use std::time::Duration;
use twiml::{ConferenceEvent, ConferenceNoun, ConferenceStatusCallback, Dialect, HttpMethod, Source, Verb};

use crate::{EVENTS, office};

const HOLD: &str = "http://web.example/hold";
const NEWS: &str = "http://web.example/news";

/// The conference as the one who makes it wants it: every event is told.
fn noun() -> ConferenceNoun {
    let xml = "<Response><Dial><Conference>desk</Conference></Dial></Response>";
    let document = twiml::parse(xml, Dialect::Twiml).expect("it is a document");
    let [Verb::Dial(dial)] = document.verbs.as_slice() else { panic!("{xml}") };
    use ConferenceEvent::{Announcement, End, Hold, Join, Leave, Modify, Mute, Start};
    ConferenceNoun {
        status_callback: Some(ConferenceStatusCallback {
            url: EVENTS.to_owned(),
            method: HttpMethod::Post,
            events: vec![Start, End, Join, Leave, Mute, Hold, Modify, Announcement],
        }),
        ..dial.conference().cloned().expect("it dials one")
    }
}

fn new(to: &str, conference: ConferenceNoun) -> NewParticipant {
    NewParticipant {
        call: NewCall {
            timeout_s: 20,
            display_name: Some("The Desk".to_owned()),
            ..NewCall::new(to, "+15550001111", CallDocument::Given(Source::Inline(String::new())))
        },
        conference,
        early_media: true,
        region: Some("ie1".to_owned()),
    }
}

fn desk() -> ConferenceRef {
    ConferenceRef::Name("desk".to_owned())
}

fn add(s: &mut Scenario, new: NewParticipant) -> OperatorReply {
    s.operator(Operator::AddParticipant { conference: desk(), new: Box::new(new) })
}

/// Calls a phone into the conference; it answers at once.
fn comes(s: &mut Scenario, phone: &str, noun: ConferenceNoun) -> (Caller, LiveParticipant) {
    let ua = s.phone(phone);
    let OperatorReply::Participant(one) = add(s, new(&format!("client:{phone}"), noun)) else {
        panic!("{phone} is not called")
    };
    s.pass_ms(1_500);
    (s.latest(ua).expect("it rang"), *one)
}

fn order(s: &mut Scenario, one: &LiveParticipant, order: ParticipantOrder) -> OperatorReply {
    let who = ParticipantRef::Call(one.facts.call_sid);
    let reply = s.operator(Operator::Participant { conference: desk(), who, order });
    s.pass_ms(300);
    reply
}

fn update(s: &mut Scenario, one: &LiveParticipant, update: ParticipantUpdate) -> LiveParticipant {
    match order(s, one, ParticipantOrder::Update(Box::new(update))) {
        OperatorReply::Participant(one) => *one,
        other => panic!("{other:?}"),
    }
}

fn plain() -> ParticipantUpdate {
    ParticipantUpdate::default()
}

/// What the conference's callback was told, in order and without a gap.
fn told(s: &mut Scenario) -> Vec<String> {
    let asked = s.asked(EVENTS);
    let numbers: Vec<usize> = asked.iter().filter_map(|a| param(a, "SequenceNumber")?.parse().ok()).collect();
    assert_eq!(numbers, (1..=asked.len()).collect::<Vec<_>>());
    asked.iter().filter_map(|a| param(a, "StatusCallbackEvent").map(str::to_owned)).collect()
}

fn rows(s: &Scenario) -> Vec<ConferenceRow> {
    let row = |item: &StoreItem| match item {
        StoreItem::Conference(row) => Some(row.clone()),
        _ => None,
    };
    s.world.stored.iter().filter_map(row).collect()
}

fn last_clip(s: &mut Scenario, who: &Caller) -> String {
    match s.heard(who).into_iter().rev().find(|heard| matches!(heard, Heard::Clip(_))) {
        Some(Heard::Clip(key)) => key,
        _ => String::new(),
    }
}

#[test]
fn a_conference_is_built_led_and_ended_from_outside() {
    let mut s = office("");
    let (ann, anns) = comes(&mut s, "ann", noun());
    assert_eq!((anns.stage, anns.queue_time_ms), (ParticipantStage::Queued, Some(0)));
    assert!(s.heard_clip(&ann, "hold-music"), "it waits for the second");
    let (bob, bobs) = comes(&mut s, "bob", ConferenceNoun { status_callback: None, ..noun() });
    assert_eq!(bobs.conference, anns.conference);
    assert!(s.hears(&ann, &bob) && s.hears(&bob, &ann));
    let OperatorReply::Participants(sid, all) = s.operator(Operator::Participants(desk())) else {
        panic!("it is there")
    };
    let calls: Vec<_> = all.iter().map(|one| (one.facts.call_sid, one.stage)).collect();
    let connected = |one: &LiveParticipant| (one.facts.call_sid, ParticipantStage::Connected);
    assert_eq!((sid, calls), (anns.conference, vec![connected(&bobs), connected(&anns)]));

    assert!(update(&mut s, &bobs, ParticipantUpdate { muted: Some(true), ..plain() }).facts.muted);
    assert!(!s.hears(&ann, &bob) && s.hears(&bob, &ann));
    update(&mut s, &bobs, ParticipantUpdate { muted: Some(false), end_on_exit: Some(true), ..plain() });
    assert!(matches!(order(&mut s, &anns, ParticipantOrder::Remove), OperatorReply::Participant(_)));
    assert!(matches!(s.state(&ann), UaState::Over(_)), "a call made for the conference ends with its part");
    assert_eq!(order(&mut s, &anns, ParticipantOrder::Look), OperatorReply::NotInConference);
    let OperatorReply::Conference(row) = s.operator(Operator::EndConference(desk())) else {
        panic!("it is there")
    };
    s.pass_ms(500);
    assert!(matches!(s.state(&bob), UaState::Over(_)));
    assert_eq!(s.operator(Operator::EndConference(desk())), OperatorReply::NoSuchConference);
    let statuses: Vec<_> = rows(&s).iter().map(|row| row.status).collect();
    assert_eq!(statuses, ConferenceStatus::ALL);
    assert_eq!(rows(&s).last(), Some(&*row));
    assert_eq!(row.ended_why.map(|why| why.as_str()), Some("conference-ended-via-api"));
    assert_eq!(row.region.as_deref(), Some("ie1"), "as the first one's maker said");
    assert_eq!(
        told(&mut s),
        [
            "participant-join",
            "participant-join",
            "conference-start",
            "participant-mute",
            "participant-unmute",
            "participant-modify",
            "participant-leave",
            "participant-leave",
            "conference-end"
        ]
    );
    s.expect_rest();
}

#[test]
fn who_does_not_come_is_told_with_what_became_of_the_call() {
    for (reaction, status) in
        [(Reaction::Refuse(486), "busy"), (Reaction::Ignore, "no-answer"), (Reaction::Refuse(404), "failed")]
    {
        let mut s = office("");
        let ann = s.phone("ann");
        s.will(ann, reaction);
        assert!(matches!(add(&mut s, new("client:ann", noun())), OperatorReply::Participant(_)));
        s.pass_ms(30_000);
        let asked = s.asked(EVENTS);
        assert_eq!(param(&asked[0], "ParticipantCallStatus"), Some(status));
        assert_eq!(param(&asked[0], "ReasonParticipantLeft"), Some("participant_add_failed"));
        assert_eq!(told(&mut s), ["participant-leave", "conference-end"]);
        assert_eq!(rows(&s).last().map(|row| row.status), Some(ConferenceStatus::Completed));
        s.expect_rest();
    }
    // A phone that is not registered is a call that ends at once.
    let mut s = office("");
    let OperatorReply::Participant(one) = add(&mut s, new("client:ann", noun())) else { panic!("201") };
    s.pass_ms(500);
    assert_eq!(order(&mut s, &one, ParticipantOrder::Look), OperatorReply::NoSuchConference);
    assert_eq!(told(&mut s), ["participant-leave", "conference-end"]);
    s.expect_rest();
}

#[test]
fn who_still_rings_is_seen_changed_and_called_off() {
    let mut s = office("");
    let ann = s.phone("ann");
    s.will(ann, Reaction::Ignore);
    let labelled = ConferenceNoun { label: Some("customer".to_owned()), ..noun() };
    let OperatorReply::Participant(one) = add(&mut s, new("client:ann", labelled.clone())) else {
        panic!("it is called")
    };
    s.pass_ms(1_000);
    let who = ParticipantRef::Label("customer".to_owned());
    let look = Operator::Participant { conference: desk(), who, order: ParticipantOrder::Look };
    let OperatorReply::Participant(seen) = s.operator(look) else { panic!("it is seen") };
    assert_eq!((seen.stage, seen.facts.call_sid), (ParticipantStage::Ringing, one.facts.call_sid));
    let fault = OperatorReply::ConferenceFault;
    assert_eq!(add(&mut s, new("client:bob", labelled)), fault(ConferenceFault::LabelInUse));
    assert!(update(&mut s, &one, ParticipantUpdate { muted: Some(true), ..plain() }).facts.muted);
    order(&mut s, &one, ParticipantOrder::Remove);
    s.pass_ms(500);
    let call = s.latest(ann).expect("it rang");
    assert!(matches!(s.state(&call), UaState::Over(487)), "{:?}", s.state(&call));
    let asked = s.asked(EVENTS);
    assert_eq!(param(&asked[0], "ReasonParticipantLeft"), Some("participant_updated_via_api"));
    assert_eq!(param(&asked[1], "ReasonConferenceEnded"), Some("last-participant-kicked"));

    assert!(matches!(add(&mut s, new("client:ann", noun())), OperatorReply::Participant(_)));
    s.pass_ms(1_000);
    s.operator(Operator::EndConference(desk()));
    s.pass_ms(500);
    let call = s.latest(ann).expect("it rang again");
    assert!(matches!(s.state(&call), UaState::Over(487)), "a conference that is over calls nobody");
    s.expect_rest();
}

#[test]
fn one_alone_hears_how_the_other_is_called() {
    for (early_media, hears) in [(true, true), (false, false)] {
        let mut s = office("");
        let (ann, _) = comes(&mut s, "ann", noun());
        let bob = s.phone("bob");
        s.will(bob, Reaction::Early(Duration::from_secs(5)));
        let one = NewParticipant { early_media, ..new("client:bob", noun()) };
        assert!(matches!(add(&mut s, one), OperatorReply::Participant(_)));
        s.pass_ms(2_000);
        let bob = s.latest(bob).expect("it rang");
        assert_eq!(s.hears(&ann, &bob), hears);
        assert!(!s.hears(&bob, &ann), "before the answer nobody is listened to");
        s.pass_ms(5_000);
        assert!(s.hears(&ann, &bob) && s.hears(&bob, &ann));
        s.hangs_up(&ann);
        s.hangs_up(&bob);
        s.expect_rest();
    }
}

#[test]
fn the_music_of_one_on_hold_is_heard_by_that_one_and_goes_on() {
    let mut s = office("");
    s.web().serve(HOLD, Answer::twiml("<Play>/held.wav</Play>"));
    let (ann, _) = comes(&mut s, "ann", noun());
    let (bob, bobs) = comes(&mut s, "bob", noun());
    let (carl, _) = comes(&mut s, "carl", noun());
    let held = |url: Option<&str>| {
        let music = Music { url: url.map(str::to_owned), method: HttpMethod::Get };
        ParticipantUpdate { hold: Some(Hold::On(music)), ..plain() }
    };
    assert!(update(&mut s, &bobs, held(Some(HOLD))).facts.hold);
    s.pass_ms(8_000);
    let asked = s.asked(HOLD);
    assert!((3..6).contains(&asked.len()), "it begins again: {}", asked.len());
    assert_eq!(asked[0].method, HttpMethod::Get);
    assert!(s.heard_clip(&bob, "held.wav"));
    assert!(!s.heard_clip(&ann, "held.wav") && !s.heard_clip(&carl, "held.wav"));
    assert!(!s.hears(&ann, &bob) && !s.hears(&bob, &ann) && s.hears(&ann, &carl));
    update(&mut s, &bobs, held(None));
    assert!(last_clip(&mut s, &bob).contains("hold-music"), "without a document the box's own");
    s.web().serve(HOLD, Answer::page(500, None, ""));
    update(&mut s, &bobs, held(Some(HOLD)));
    s.pass_ms(2_000);
    assert!(last_clip(&mut s, &bob).contains("hold-music"), "and without one that can be had");
    assert!(!update(&mut s, &bobs, ParticipantUpdate { hold: Some(Hold::Off), ..plain() }).facts.hold);
    assert!(s.hears(&ann, &bob) && s.hears(&bob, &ann));
    for caller in [&ann, &bob, &carl] {
        s.hangs_up(caller);
    }
    s.expect_rest();
}

#[test]
fn an_announcement_to_one_is_heard_by_that_one_and_what_it_heard_goes_on() {
    let mut s = office("");
    s.web().serve(NEWS, Answer::twiml("<Say>your turn</Say><Pause length=\"1\"/>"));
    let (ann, anns) = comes(&mut s, "ann", noun());
    let announce = || {
        let (url, method) = (NEWS.to_owned(), HttpMethod::Post);
        ParticipantUpdate { announce: Some(DocumentRef { url, method }), ..plain() }
    };
    update(&mut s, &anns, announce());
    s.pass_ms(5_000);
    assert!(s.heard_clip(&ann, "your turn"));
    assert!(last_clip(&mut s, &ann).contains("hold-music"), "it still waits");
    let (bob, _) = comes(&mut s, "bob", noun());
    update(&mut s, &anns, announce());
    s.pass_ms(5_000);
    assert!(last_clip(&mut s, &ann).contains("your turn") && !s.heard_clip(&bob, "your turn"));
    assert!(s.hears(&ann, &bob) && s.hears(&bob, &ann));
    s.web().serve(NEWS, Answer::twiml("<Gather/>"));
    update(&mut s, &anns, announce());
    s.pass_ms(3_000);
    assert!(s.hears(&ann, &bob), "nobody is put out by it");
    let asked = s.asked(EVENTS);
    let fail = asked.last().expect("it is told");
    assert_eq!(param(fail, "AnnounceUrl"), Some(NEWS));
    assert!(param(fail, "ReasonAnnouncementFailed").is_some_and(|why| !why.is_empty()));
    assert_eq!(param(fail, "CallSid"), Some(anns.facts.call_sid.to_string().as_str()));
    assert_eq!(
        told(&mut s),
        [
            "participant-join",
            "announcement-end",
            "participant-join",
            "conference-start",
            "announcement-end",
            "announcement-fail"
        ]
    );
    s.hangs_up(&ann);
    s.hangs_up(&bob);
    s.expect_rest();
}

#[test]
fn an_announcement_to_all_is_heard_by_all_over_what_they_say() {
    let mut s = office("");
    let (ann, _) = comes(&mut s, "ann", noun());
    let (bob, _) = comes(&mut s, "bob", noun());
    let announce = |s: &mut Scenario, answer: Answer| {
        s.web().serve(NEWS, answer);
        let (url, method) = (NEWS.to_owned(), HttpMethod::Get);
        let reply = s.operator(Operator::Announce { conference: desk(), url, method });
        assert!(matches!(reply, OperatorReply::Conference(_)), "{reply:?}");
    };
    announce(&mut s, Answer::twiml("<Say>five minutes</Say><Pause length=\"2\"/><Play>/gong.wav</Play>"));
    s.pass_ms(1_000);
    assert!(s.heard_clip(&ann, "five minutes") && s.heard_clip(&bob, "five minutes"));
    assert!(s.hears(&ann, &bob) && !s.heard_clip(&ann, "gong"));
    s.pass_ms(6_000);
    assert!(s.heard_clip(&ann, "gong") && s.heard_clip(&bob, "gong"));
    let asked = s.asked(NEWS);
    assert_eq!((asked.len(), asked[0].method), (1, HttpMethod::Get));
    assert_eq!(param(&asked[0], "FriendlyName"), Some("desk"));
    announce(&mut s, Answer::page(500, None, ""));
    s.pass_ms(1_000);
    announce(&mut s, Answer::twiml("<Dial>101</Dial>"));
    s.pass_ms(1_000);
    announce(&mut s, Answer::twiml("<Say>one</Say>"));
    announce(&mut s, Answer::twiml("<Say>two</Say>"));
    s.pass_ms(5_000);
    assert!(s.heard_clip(&ann, "two") && !s.heard_clip(&ann, "one"), "the later one takes its place");
    announce(&mut s, Answer::twiml("<Pause length=\"60\"/>"));
    s.pass_ms(1_000);
    let news: Vec<String> = told(&mut s).split_off(3);
    assert_eq!(news, ["announcement-end", "announcement-fail", "announcement-fail", "announcement-end"]);
    s.hangs_up(&ann);
    s.hangs_up(&bob);
    s.pass_ms(500);
    let (url, method) = (NEWS.to_owned(), HttpMethod::Get);
    let reply = s.operator(Operator::Announce { conference: desk(), url, method });
    assert_eq!(reply, OperatorReply::NoSuchConference);
    s.expect_rest();
}

#[test]
fn one_who_still_waits_hears_what_is_announced_and_waits_on() {
    let mut s = office("");
    let (ann, _) = comes(&mut s, "ann", noun());
    s.web().serve(NEWS, Answer::twiml("<Say>five minutes</Say>"));
    let (url, method) = (NEWS.to_owned(), HttpMethod::Get);
    s.operator(Operator::Announce { conference: desk(), url, method });
    s.pass_ms(1_000);
    assert!(last_clip(&mut s, &ann).contains("five minutes"));
    s.pass_ms(4_000);
    assert!(last_clip(&mut s, &ann).contains("hold-music"));
    assert_eq!(told(&mut s), ["participant-join", "announcement-end"]);
    s.hangs_up(&ann);
    s.expect_rest();
}

#[test]
fn a_coach_changes_sides() {
    let mut s = office("");
    let (agent, agents) = comes(&mut s, "ann", noun());
    let (customer, customers) = comes(&mut s, "bob", noun());
    let fault = OperatorReply::ConferenceFault;
    let nobody = ConferenceNoun { coach: Some(base::CallSid(9)), ..noun() };
    assert_eq!(add(&mut s, new("client:carl", nobody)), fault(ConferenceFault::NobodyToCoach));
    let whispers = ConferenceNoun { coach: Some(agents.facts.call_sid), ..noun() };
    let (coach, coachs) = comes(&mut s, "carl", whispers);
    assert!(s.hears(&agent, &coach) && !s.hears(&customer, &coach) && s.hears(&coach, &customer));
    let coaches = |whom: Option<&LiveParticipant>| ParticipantUpdate {
        coaches: Some(whom.map(|one| one.facts.call_sid)),
        ..plain()
    };
    update(&mut s, &coachs, coaches(Some(&customers)));
    assert!(!s.hears(&agent, &coach) && s.hears(&customer, &coach));
    update(&mut s, &coachs, coaches(None));
    assert!(s.hears(&agent, &coach) && s.hears(&customer, &coach));
    update(&mut s, &agents, ParticipantUpdate { hold: Some(Hold::On(Music::default())), ..plain() });
    let held = ParticipantOrder::Update(Box::new(coaches(Some(&agents))));
    assert_eq!(order(&mut s, &coachs, held), fault(ConferenceFault::CoachedOnHold));
    let itself = ParticipantOrder::Update(Box::new(coaches(Some(&coachs))));
    assert_eq!(order(&mut s, &coachs, itself), fault(ConferenceFault::NobodyToCoach));
    let modified = told(&mut s).into_iter().filter(|event| event == "participant-modify").count();
    assert_eq!(modified, 2);
    for caller in [&agent, &customer, &coach] {
        s.hangs_up(caller);
    }
    s.expect_rest();
}

#[test]
fn what_is_waited_with_changes_while_it_is_waited() {
    let mut s = office("");
    s.web().serve(HOLD, Answer::twiml("<Play>/other.wav</Play>"));
    let (ann, anns) = comes(&mut s, "ann", noun());
    let wait = Some(Music { url: Some(HOLD.to_owned()), method: HttpMethod::Get });
    update(&mut s, &anns, ParticipantUpdate { wait, ..plain() });
    s.pass_ms(1_000);
    assert!(last_clip(&mut s, &ann).contains("other.wav"));
    assert_eq!(told(&mut s), ["participant-join", "participant-modify"]);
    s.hangs_up(&ann);
    s.expect_rest();
}

#[test]
fn a_conferences_recording_is_paused_and_ended() {
    let mut s = office("");
    let (ann, anns) = comes(&mut s, "ann", ConferenceNoun { record: true, ..noun() });
    let (bob, _) = comes(&mut s, "bob", noun());
    let conference = anns.conference;
    let control = |s: &mut Scenario, change| {
        let order = Operator::ConferenceRecording { conference, recording: None, change };
        let reply = s.operator(order);
        s.pass_ms(500);
        match reply {
            OperatorReply::Recording(row) => row.status.as_str(),
            _ => "none",
        }
    };
    for (change, status) in [
        (RecordChange::Pause { silence: true }, "paused"),
        (RecordChange::Resume, "in-progress"),
        (RecordChange::Stop, "processing"),
        (RecordChange::Stop, "none"),
    ] {
        assert_eq!(control(&mut s, change), status, "{change:?}");
    }
    assert_eq!(s.recordings().len(), 1);
    assert_eq!(s.recordings()[0].status.as_str(), "completed");
    s.hangs_up(&ann);
    s.hangs_up(&bob);
    s.expect_rest();
}
