//! Agents without a web server: what they dial, who is rung, and what happens after a call.

use std::collections::BTreeMap;
use std::time::Duration;

use call::agents::{Agent, AgentQueue, AgentSids, Agents, Feature};
use call::record::StoreItem;
use call::taskrouter::rows::{RouterItem, RouterLeafRow, RouterRow};
use call::taskrouter::{DeskAsk, RouterAsk, RouterReply, StatisticsOf, StatisticsView, StatisticsWindow};
use call::{Input, Operator, OperatorReply};
use router::{Expr, Replay, read_attributes};
use sim::{Caller, Faults, NUMBER, Reaction, Scenario, UaId, UaState, office};
use twiml::Source;

const CODES: [(&str, Feature); 6] = [
    ("*10", Feature::LogIn),
    ("*11", Feature::LogOut),
    ("*12", Feature::Pause(0)),
    ("*121", Feature::Pause(0)),
    ("*122", Feature::Pause(1)),
    ("*13", Feature::EndWrapUp),
];

/// Sales is for ann and bob; whom neither takes within 30 s, everybody may take, carl too.
fn agents(wrap_up_s: Option<u32>) -> Agents {
    let expr = |text: &str| Expr::parse(text).expect("an expression");
    let agent = |name: &str, skills: &str| Agent {
        name: name.to_owned(),
        phone: name.to_owned(),
        attributes: read_attributes(&format!("{{\"skills\":[{skills}]}}")).expect("attributes"),
        capacity: 1,
    };
    Agents {
        codes: CODES.map(|(code, feature)| (code.to_owned(), feature)).into(),
        reasons: vec!["Break".to_owned(), "Lunch".to_owned()],
        answer_s: 20,
        logs_out: true,
        wrap_up_s,
        queues: vec![
            AgentQueue {
                name: "sales".to_owned(),
                workers: expr("skills HAS 'sales'"),
                overflow: Some(("all".to_owned(), 30)),
            },
            AgentQueue { name: "all".to_owned(), workers: expr("1==1"), overflow: None },
        ],
        workers: vec![agent("ann", "\"sales\""), agent("bob", "\"sales\""), agent("carl", "")],
    }
}

struct Desk {
    s: Scenario,
    sids: AgentSids,
}

impl Desk {
    fn open(agents: Agents) -> Self {
        let mut office = office(&[("ann", "101"), ("bob", "102"), ("carl", "103")]);
        let sids = AgentSids(office.account_sid);
        let number = office.numbers.get_mut(NUMBER).expect("the office has it");
        let document = format!("<Response><Enqueue workflowSid=\"{}\"/></Response>", sids.workflow("sales"));
        number.application.voice = Source::Inline(document);
        number.application.status_callback = None;
        office.agents = Some(Box::new(agents));
        Self { s: Scenario::with(office, 1, Faults::NONE), sids }
    }

    fn ask(&mut self, what: DeskAsk) -> RouterReply {
        let ask = RouterAsk::In(self.sids.workspace(), what);
        match self.s.operator(Operator::Router(Box::new(ask))) {
            OperatorReply::Router(reply) => *reply,
            other => panic!("{other:?}"),
        }
    }

    fn does(&mut self, name: &str) -> String {
        let sid = self.sids.worker(name);
        let RouterReply::Workers(workers) = self.ask(DeskAsk::Workers(Some(sid))) else { panic!() };
        workers[0].activity_name.clone()
    }

    /// Dials a code and listens to what is said.
    fn dials(&mut self, phone: UaId, code: &str) -> Caller {
        let call = self.s.dials(phone, code);
        self.s.pass_ms(8_000);
        assert!(matches!(self.s.state(&call), UaState::Over(_)), "{code}: {:?}", self.s.state(&call));
        call
    }

    fn calls(&mut self) -> Caller {
        let caller = self.s.carrier_calls(NUMBER);
        self.s.pass_ms(500);
        caller
    }

    fn statistics(&mut self) -> StatisticsView {
        let window = StatisticsWindow { minutes: 60, ..StatisticsWindow::default() };
        match self.ask(DeskAsk::Statistics(StatisticsOf::Workspace, window)) {
            RouterReply::Statistics(view) => *view,
            other => panic!("{other:?}"),
        }
    }

    fn rows(&self) -> Vec<RouterRow> {
        let mut rows = BTreeMap::new();
        for item in &self.s.world.stored {
            match item {
                StoreItem::Router(RouterItem::Put(row)) => drop(rows.insert(row.key(), (**row).clone())),
                StoreItem::Router(RouterItem::Gone(key)) => drop(rows.remove(key)),
                _ => {}
            }
        }
        rows.into_values().collect()
    }

    fn leaves(&self) -> Vec<RouterLeafRow> {
        let leaf = |item: &StoreItem| match item {
            StoreItem::Router(RouterItem::Leaf(row)) => Some((**row).clone()),
            _ => None,
        };
        self.s.world.stored.iter().filter_map(leaf).collect()
    }
}

#[test]
fn an_operator_sees_the_queue_by_its_name() {
    let mut desk = Desk::open(agents(None));
    desk.calls();
    let OperatorReply::Queues(queues) = desk.s.operator(Operator::Queues) else { panic!() };
    let seen: Vec<_> = queues.iter().map(|queue| (queue.workflow.as_deref(), queue.members.len())).collect();
    assert_eq!(seen, [(Some("sales"), 1)]);
    assert_eq!(queues[0].name, desk.sids.workflow("sales").to_string(), "as webhooks and REST name it");
}

#[test]
fn a_code_says_what_it_did_and_does_it() {
    let mut d = Desk::open(agents(Some(0)));
    let ann = d.s.phone("ann");
    assert_eq!(d.does("ann"), "Offline");
    for (code, does, said) in [
        ("*13", "Offline", "not logged in"),
        ("*10", "Available", "logged in"),
        ("*122", "Lunch", "Lunch"),
        ("*12", "Break", "Break"),
        ("*13", "Break", "not in wrap up"),
        ("*10", "Available", "logged in"),
        ("*11", "Offline", "logged out"),
    ] {
        let call = d.dials(ann, code);
        assert_eq!(d.does("ann"), does, "{code}");
        let OperatorReply::Workers(all) = d.s.operator(Operator::Workers) else { panic!() };
        let shown: Vec<_> =
            all.iter().map(|one| (one.name.as_str(), one.activity.as_str(), one.tasks)).collect();
        assert_eq!(shown, [("ann", does, 0), ("bob", "Offline", 0), ("carl", "Offline", 0)], "{code}");
        assert!(d.s.heard_clip(&call, said), "{code}: {:?}", d.s.heard(&call));
    }
    let call = d.s.carrier_calls("*10");
    d.s.pass_ms(1_000);
    assert!(matches!(d.s.state(&call), UaState::Over(_)), "a carrier has no agent");
    assert_eq!(d.does("ann"), "Offline");
    d.s.expect_rest();
}

#[test]
fn a_phone_without_an_agent_is_told_so() {
    let mut few = agents(None);
    few.workers.pop();
    let mut d = Desk::open(few);
    let carl = d.s.phone("carl");
    let call = d.dials(carl, "*10");
    assert!(d.s.heard_clip(&call, "no agent"));
    d.s.expect_rest();
}

#[test]
fn a_caller_rings_the_agent_who_is_there_and_after_work_keeps_the_next_one_waiting() {
    let mut d = Desk::open(agents(Some(0)));
    let (ann, bob) = (d.s.phone("ann"), d.s.phone("bob"));
    d.s.will(ann, Reaction::Ignore);
    d.dials(ann, "*10");
    let caller = d.calls();
    assert!(d.s.heard_clip(&caller, "hold-music"));
    assert_eq!(d.s.latest(bob), None, "bob is not there");
    let ringing = d.s.latest(ann).expect("ann's phone rings");
    assert_eq!(d.s.rows().last().unwrap().from, sim::CALLER, "she sees who calls");
    d.s.picks_up(ann);
    d.s.pass_ms(500);
    assert!(d.s.bridged(&caller, &ringing));
    d.s.hangs_up(&caller);
    d.s.pass_ms(500);
    assert_eq!(d.does("ann"), "Wrap-Up");

    let second = d.calls();
    d.s.pass_ms(3_000);
    assert_eq!(d.s.latest(ann), Some(ringing), "no second call rings yet");
    d.dials(ann, "*13");
    let again = d.s.latest(ann).unwrap();
    assert_ne!(again, ringing, "now it does");
    // She logs out while she talks: that is not undone by the end of the call.
    d.s.picks_up(ann);
    d.s.pass_ms(500);
    d.dials(ann, "*11");
    d.s.hangs_up(&second);
    d.s.pass_ms(500);
    assert_eq!(d.does("ann"), "Offline");
    d.s.expect_rest();
}

#[test]
fn after_work_ends_by_itself_where_that_is_said() {
    let mut d = Desk::open(agents(Some(10)));
    let ann = d.s.phone("ann");
    d.s.will(ann, Reaction::Answer(Duration::from_millis(500)));
    d.dials(ann, "*10");
    let caller = d.calls();
    d.s.pass_ms(1_000);
    d.s.hangs_up(&caller);
    d.s.pass_ms(9_000);
    assert_eq!(d.does("ann"), "Wrap-Up");
    d.s.pass_ms(1_500);
    assert_eq!(d.does("ann"), "Available");
    d.s.expect_rest();
}

#[test]
fn without_after_work_the_next_call_comes_at_once() {
    let mut d = Desk::open(agents(None));
    let ann = d.s.phone("ann");
    d.s.will(ann, Reaction::Answer(Duration::from_millis(500)));
    d.dials(ann, "*10");
    let caller = d.calls();
    d.s.pass_ms(1_000);
    d.s.hangs_up(&caller);
    d.s.pass_ms(500);
    assert_eq!(d.does("ann"), "Available");
    d.s.expect_rest();
}

#[test]
fn who_does_not_answer_is_logged_out_and_callers_go_on_to_everybody() {
    let mut d = Desk::open(agents(Some(0)));
    let (ann, carl) = (d.s.phone("ann"), d.s.phone("carl"));
    d.s.will(ann, Reaction::Ignore);
    d.s.will(carl, Reaction::Answer(Duration::from_millis(500)));
    d.dials(ann, "*10");
    d.dials(carl, "*10");
    let caller = d.calls();
    d.s.pass_ms(19_000);
    assert_eq!((d.does("ann").as_str(), d.s.latest(carl)), ("Available", None));
    d.s.pass_ms(2_000);
    assert_eq!(d.does("ann"), "Offline");
    d.s.pass_ms(10_000);
    let with = d.s.latest(carl).expect("he is asked after 30 s");
    assert!(d.s.bridged(&caller, &with));
    d.s.hangs_up(&caller);
    d.s.expect_rest();
}

#[test]
fn a_reload_changes_who_is_there() {
    let mut d = Desk::open(agents(Some(0)));
    let ann = d.s.phone("ann");
    d.dials(ann, "*10");
    let mut other = office(&[("ann", "101"), ("bob", "102"), ("carl", "103")]);
    let mut fewer = agents(Some(0));
    fewer.workers.remove(1);
    fewer.workers[1].attributes = read_attributes("{\"skills\":[\"sales\"]}").unwrap();
    fewer.queues.truncate(1);
    fewer.queues[0].overflow = None;
    other.agents = Some(Box::new(fewer));
    d.s.world.input(Input::Office(Box::new(other))).unwrap();
    assert_eq!(d.does("ann"), "Available", "who is logged in stays it");
    let RouterReply::Workers(workers) = d.ask(DeskAsk::Workers(None)) else { panic!() };
    let mut named: Vec<_> =
        workers.iter().map(|one| (one.row.worker.name.as_str(), one.queues.len())).collect();
    named.sort_unstable();
    assert_eq!(named, [("ann", 1), ("carl", 1)]);
    d.s.expect_rest();
}

/// A restart: who was logged in still is, statistics go on, and what was told before and after is replayed.
#[test]
fn a_restart_keeps_agents_and_counts_and_the_day_is_replayed() {
    let mut d = Desk::open(agents(Some(0)));
    let ann = d.s.phone("ann");
    d.s.will(ann, Reaction::Answer(Duration::from_millis(500)));
    d.dials(ann, "*10");
    let caller = d.calls();
    d.s.pass_ms(3_000);
    d.s.hangs_up(&caller);
    d.s.pass_ms(500);
    let counted = d.statistics().tasks.unwrap();
    assert_eq!((counted.reservations.accepted, counted.tasks.completed), (1, 1));

    let mut replay = Replay::default();
    let leaves = d.leaves();
    leaves.iter().for_each(|row| replay.turn(&row.leaf).unwrap());
    assert!(replay.done().decisions > 10, "{:?}", replay.done());
    let before = [(d.sids.workspace(), replay.workspace().unwrap().past())].into();
    let (rows, now) = (d.rows(), d.s.world.now());
    let mut again = Desk::open(agents(Some(0)));
    again.s.world.node.restore_router(
        rows,
        Some(&before),
        base::Now { mono: again.s.world.now().mono, wall: now.wall },
    );
    assert_eq!(again.does("ann"), "Wrap-Up");
    let still = again.statistics().tasks.unwrap();
    assert_eq!(
        (still.reservations, still.tasks, still.until_accepted),
        (counted.reservations, counted.tasks, counted.until_accepted)
    );
}

/// The box stops while agents talk: they go on to their after-work, and whoever has dialled something else stays there.
#[test]
fn a_restart_ends_what_was_talked() {
    for (codes, expected, is_known) in [
        (&[][..], "Wrap-Up", true),
        (&["*12"], "Break", true),
        (&["*11"], "Offline", true),
        // A version before did not write down what is to happen then.
        (&[], "Available", false),
    ] {
        let mut d = Desk::open(agents(Some(30)));
        let ann = d.s.phone("ann");
        d.s.will(ann, Reaction::Answer(Duration::from_millis(500)));
        d.dials(ann, "*10");
        d.calls();
        d.s.pass_ms(3_000);
        for code in codes {
            d.dials(ann, code);
        }
        let (mut rows, now) = (d.rows(), d.s.world.now());
        for row in &mut rows {
            if let RouterRow::Reservation(row) = row {
                row.after = row.after.filter(|_| is_known);
            }
        }
        let mut again = Desk::open(agents(Some(30)));
        let mono = again.s.world.now().mono;
        let none = BTreeMap::new();
        again.s.world.node.restore_router(rows, Some(&none), base::Now { mono, wall: now.wall });
        again.s.pass_ms(500);
        assert_eq!(again.does("ann"), expected);
        // Nothing keeps her from the next caller but what she does.
        let phone = again.s.phone("ann");
        if codes.is_empty() && is_known {
            again.s.pass_ms(31_000);
            assert_eq!(again.does("ann"), "Available", "after-work has its time");
        } else if is_known {
            again.dials(phone, "*10");
        }
        let before = again.s.latest(phone);
        again.calls();
        again.s.pass_ms(3_000);
        assert_ne!(again.s.latest(phone), before, "{expected}: she is rung");
    }
}
