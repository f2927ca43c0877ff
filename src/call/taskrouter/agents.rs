//! The workspace that the configuration keeps: its agents log in and out by what they dial, their phones ring without
//! anybody being asked, and lamps show what they do.
//!
//! ```text
//!   Offline ──log in──▶ Available ──call over──▶ Wrap-Up
//!      ▲                 ▲  │  ▲                    │
//!      └───── log out ───┘  │  └── its end dialled ─┘  or its time is over
//!        (from anywhere)    └──pause──▶ Break …
//! ```

use std::collections::BTreeSet;
use std::time::Duration;

use base::{ActivitySid, Mono, Now, ReservationSid, WorkerSid, WorkspaceSid};
use router::clock::wall;
use router::{
    Activity, Dequeue, Instruction, Json, QueueConfig, ReservationStatus, TaskOrder, Workflow,
    WorkflowConfig, with_attribute,
};
use sip::{Lamp, Shown};

use super::TaskRouter;
use super::desk::Desk;
use super::events::About;
use super::rows::{Dates, QueueActivities, RouterRow, WorkflowRow, WorkspaceRow};
use crate::agents::{AVAILABLE, Agent, AgentQueue, AgentSids, Agents, Feature, OFFLINE, WRAP_UP};
use crate::node::Node;
use crate::office::Office;

/// Who is about after-work that ends by itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct WrapUps {
    /// The activity, and how long at most.
    kept: Option<(ActivitySid, Duration)>,
    /// When whose is over.
    due: BTreeSet<(Mono, WorkerSid)>,
}

impl WrapUps {
    /// A worker does something else.
    pub(crate) fn changed(
        &mut self,
        worker: WorkerSid,
        (from, to): (ActivitySid, ActivitySid),
        before: Duration,
        at: Mono,
    ) {
        let Some((activity, most)) = self.kept else { return };
        if from == activity {
            let began = Mono(at.0.saturating_sub(u64::try_from(before.as_nanos()).unwrap_or(u64::MAX)));
            self.due.remove(&(began + most, worker));
        }
        if to == activity {
            self.due.insert((at + most, worker));
        }
    }

    pub(crate) fn first(&self) -> Option<Mono> {
        self.due.first().map(|(at, _)| *at)
    }
}

impl Node {
    /// What the configuration says of agents holds from now on.
    pub(crate) fn furnish_agents(&mut self, now: Now) {
        self.shared.router.furnish_agents(&self.office, now);
        let Some(agents) = &self.office.agents else {
            self.shared.endpoint.show_none(now);
            return;
        };
        let sids = AgentSids(self.office.account_sid);
        self.shared.endpoint.show_none(now);
        if let Some(desk) = self.shared.router.desks.get_mut(&sids.workspace()) {
            desk.lamps.extend(agents.workers.iter().map(|one| sids.worker(&one.name)));
        }
    }

    /// Lamps show what changed; false when nothing did.
    pub(crate) fn light_lamps(&mut self, now: Now) -> bool {
        let sids = AgentSids(self.office.account_sid);
        let (Some(agents), Some(desk)) =
            (&self.office.agents, self.shared.router.desks.get_mut(&sids.workspace()))
        else {
            return false;
        };
        let Some(worker) = desk.lamps.pop_first() else { return false };
        let agent = agents.workers.iter().find(|one| sids.worker(&one.name) == worker);
        let Some((agent, state)) = agent.zip(desk.core.worker(worker)) else { return true };
        let activity = desk.core.activity(state.activity);
        let name = activity.map(|one| one.name.clone()).unwrap_or_default();
        let offered = state.reservations.iter().filter_map(|sid| desk.core.reservation(*sid));
        let offered: Vec<_> = offered.map(|one| one.status).collect();
        let lamp = if offered.contains(&ReservationStatus::Pending) {
            Lamp::Flashing
        } else if activity.is_some_and(|one| one.available) && offered.is_empty() {
            Lamp::Dark
        } else {
            Lamp::Lit
        };
        let extension = self.office.phones.get(&agent.phone).and_then(|phone| phone.extension.clone());
        for resource in [Some(agent.phone.clone()), extension].into_iter().flatten() {
            let shown = Shown { lamp, note: name.clone() };
            self.shared.endpoint.show(None, &resource, shown, now);
        }
        for (code, feature) in &agents.codes {
            let lamp = if is_lit(agents, code, *feature, &name) { Lamp::Lit } else { Lamp::Dark };
            self.shared.endpoint.show(Some(&agent.phone), code, Shown { lamp, note: name.clone() }, now);
        }
        true
    }
}

/// Whether what a code does is what an agent about this does already.
fn is_lit(agents: &Agents, code: &str, feature: Feature, activity: &str) -> bool {
    // Without a digit the code is lit by any pause: it stands before the same one with a digit behind it.
    let is_bare = || agents.codes.iter().any(|(other, what)| other.len() > code.len() && *what == feature);
    match feature {
        Feature::LogIn => activity != OFFLINE,
        Feature::LogOut => activity == OFFLINE,
        Feature::Pause(0) if is_bare() => agents.reasons.iter().any(|reason| reason == activity),
        Feature::Pause(reason) => agents.reasons.get(reason).is_some_and(|reason| reason == activity),
        Feature::EndWrapUp => activity == WRAP_UP,
    }
}

impl TaskRouter {
    fn furnish_agents(&mut self, office: &Office, now: Now) {
        let (at, sids) = (self.clock(now), AgentSids(office.account_sid));
        let sid = sids.workspace();
        let none = Agents {
            codes: Default::default(),
            reasons: Vec::new(),
            answer_s: 20,
            logs_out: true,
            wrap_up_s: None,
            queues: Vec::new(),
            workers: Vec::new(),
        };
        if !self.desks.contains_key(&sid) {
            if office.agents.is_none() {
                return;
            }
            let activity = |name: &str, available| Activity {
                sid: sids.activity(name),
                name: name.to_owned(),
                available,
            };
            let offline = sids.activity(OFFLINE);
            let row = WorkspaceRow {
                sid,
                name: format!("{} agents", office.name),
                default_activity: offline,
                timeout_activity: offline,
                event_callback_url: None,
                events_filter: None,
                multi_task: true,
                prioritize_queue_order: "FIFO".to_owned(),
                created: wall(at),
                updated: wall(at),
            };
            let activities = [activity(OFFLINE, false), activity(AVAILABLE, true), activity(WRAP_UP, false)];
            let mut desk = self.begin_workspace(row, &activities, at);
            desk.core.begin(at);
            self.desks.insert(sid, desk);
        }
        if let Some(desk) = self.desks.get_mut(&sid) {
            desk.furnish_agents(office.agents.as_deref().unwrap_or(&none), sids, at);
        }
    }

    /// An agent's phone has dialled a code; what it is told.
    pub(crate) fn feature(&mut self, office: &Office, phone: &str, feature: Feature, now: Now) -> String {
        let (at, sids) = (self.clock(now), AgentSids(office.account_sid));
        let agent = office.agents.as_ref().and_then(|agents| Some((agents, agents.of_phone(phone)?)));
        let (Some((agents, agent)), Some(desk)) = (agent, self.desks.get_mut(&sids.workspace())) else {
            return "This phone has no agent.".to_owned();
        };
        let worker = sids.worker(&agent.name);
        let does = desk.core.worker(worker).map(|worker| worker.activity);
        let (activity, text) = match feature {
            Feature::LogIn => (AVAILABLE, "You are logged in.".to_owned()),
            Feature::LogOut => (OFFLINE, "You are logged out.".to_owned()),
            _ if does == Some(sids.activity(OFFLINE)) => return "You are not logged in.".to_owned(),
            Feature::Pause(reason) => match agents.reasons.get(reason) {
                Some(reason) => (reason.as_str(), format!("Paused: {reason}.")),
                None => return "There is no such reason.".to_owned(),
            },
            Feature::EndWrapUp if does == Some(sids.activity(WRAP_UP)) => {
                (AVAILABLE, "Wrap up is over.".to_owned())
            }
            Feature::EndWrapUp => return "You are not in wrap up.".to_owned(),
        };
        match desk.core.set_activity(worker, sids.activity(activity), at) {
            Ok(()) => text,
            Err(_) => "This phone has no agent.".to_owned(),
        }
    }

    /// What is to be done with a reservation about which no application is asked.
    pub(crate) fn own_instruction(
        &self,
        office: &Office,
        workspace: WorkspaceSid,
        sid: ReservationSid,
    ) -> Option<Instruction> {
        let (agents, sids) = (office.agents.as_ref()?, AgentSids(office.account_sid));
        let desk = self.desks.get(&workspace).filter(|_| workspace == sids.workspace())?;
        let task = desk.core.task(desk.core.reservation(sid)?.task)?;
        desk.tasks.get(&task.sid)?.call?;
        let after = if agents.wrap_up_s.is_some() { WRAP_UP } else { AVAILABLE };
        Some(Instruction::Dequeue(Dequeue {
            to: None,
            // Who answers wants to see who calls.
            from: task.attributes.get("from").and_then(Json::as_str).map(str::to_owned),
            post_work_activity: Some(sids.activity(after)),
            record: None,
            // The reservation's own time is over first.
            timeout_s: agents.answer_s + 5,
            status_callback: None,
            status_callback_events: Vec::new(),
        }))
    }

    /// After-work that has lasted long enough is over.
    pub(super) fn end_wrap_ups(&mut self, at: Mono) {
        for desk in self.desks.values_mut() {
            let Some((activity, _)) = desk.wrap_ups.kept else { continue };
            while let Some((due, worker)) = desk.wrap_ups.due.first().copied().filter(|(due, _)| *due <= at) {
                desk.wrap_ups.due.remove(&(due, worker));
                let available = desk.core.activities().find(|one| one.available).map(|one| one.sid);
                if desk.core.worker(worker).is_some_and(|worker| worker.activity == activity)
                    && let Some(available) = available
                {
                    // It is there, and so is the activity.
                    let _ = desk.core.set_activity(worker, available, at);
                }
            }
        }
    }
}

impl Desk {
    /// Whether the worker of a reservation, who has talked, goes on to its after-work: not whoever has dialled something
    /// else meanwhile.
    pub(super) fn goes_on(&self, sid: ReservationSid) -> bool {
        let worker = self.core.reservation(sid).and_then(|one| self.core.worker(one.worker));
        let activity = worker.and_then(|worker| self.core.activity(worker.activity));
        !self.is_office || activity.is_some_and(|activity| activity.available)
    }

    /// Everything is as the configuration says; what it no longer names goes, as soon as it is not in use.
    fn furnish_agents(&mut self, agents: &Agents, sids: AgentSids, at: Mono) {
        self.is_office = true;
        for name in [OFFLINE, AVAILABLE, WRAP_UP].into_iter().chain(agents.reasons.iter().map(String::as_str))
        {
            self.keep_activity(sids.activity(name), name, name == AVAILABLE, at);
        }
        let unanswered = sids.activity(if agents.logs_out { OFFLINE } else { AVAILABLE });
        if self.row.timeout_activity != unanswered && self.core.set_timeout_activity(unanswered).is_ok() {
            self.row.timeout_activity = unanswered;
            self.put(RouterRow::Workspace(self.row.clone()));
        }
        agents.queues.iter().for_each(|queue| self.keep_queue(queue, sids, at));
        for queue in &agents.queues {
            self.keep_workflow(queue, agents.answer_s, sids, at);
        }
        agents.workers.iter().for_each(|agent| self.keep_worker(agent, sids, at));
        self.leave_out(agents, sids, at);
        let most = agents.wrap_up_s.filter(|seconds| *seconds > 0);
        self.wrap_ups.kept =
            most.map(|seconds| (sids.activity(WRAP_UP), Duration::from_secs(u64::from(seconds))));
        self.wrap_ups.due = match self.wrap_ups.kept {
            None => BTreeSet::new(),
            Some((activity, most)) => {
                let about = self.core.workers().filter(|worker| worker.activity == activity);
                about.map(|worker| (worker.since + most, worker.sid)).collect()
            }
        };
    }

    fn keep_activity(&mut self, sid: ActivitySid, name: &str, available: bool, at: Mono) {
        let activity = Activity { sid, name: name.to_owned(), available };
        if self.core.activity(sid).is_some() || self.core.put_activity(activity).is_err() {
            return;
        }
        self.activities.insert(sid, (wall(at), wall(at)));
        if let Some(row) = self.activity_row(sid) {
            self.put(RouterRow::Activity(row));
        }
    }

    fn keep_queue(&mut self, queue: &AgentQueue, sids: AgentSids, at: Mono) {
        let sid = sids.queue(&queue.name);
        let config = QueueConfig {
            sid,
            name: queue.name.clone(),
            target_workers: queue.workers.clone(),
            max_reserved: 1,
            order: TaskOrder::Fifo,
        };
        if self.core.queue(sid) == Some(&config) || self.core.put_queue(config, at).is_err() {
            return;
        }
        let (_, dates) = self.queues.entry(sid).or_insert((QueueActivities::default(), Dates::new(wall(at))));
        dates.touch(wall(at));
        if let Some(row) = self.queue_row(sid) {
            self.put(RouterRow::Queue(row));
        }
    }

    fn keep_workflow(&mut self, queue: &AgentQueue, answer_s: u32, sids: AgentSids, at: Mono) {
        let (sid, first) = (sids.workflow(&queue.name), sids.queue(&queue.name));
        let text = match &queue.overflow {
            None => format!("{{\"task_routing\":{{\"default_filter\":{{\"queue\":\"{first}\"}}}}}}"),
            Some((other, after_s)) => format!(
                "{{\"task_routing\":{{\"filters\":[{{\"filter_friendly_name\":\"overflow\",\"expression\":\"1==1\",\
                 \"targets\":[{{\"queue\":\"{first}\",\"timeout\":{after_s}}},{{\"queue\":\"{}\"}}]}}]}}}}",
                sids.queue(other)
            ),
        };
        let reservation_timeout = Duration::from_secs(u64::from(answer_s));
        let known = self.workflows.get(&sid);
        if known.is_some_and(|row| {
            row.text == text
                && row.workflow.name == queue.name
                && row.workflow.reservation_timeout == reservation_timeout
        }) {
            return;
        }
        let mut dates = known.map_or_else(|| Dates::new(wall(at)), |row| row.dates);
        dates.touch(wall(at));
        let Ok((configuration, _)) = Workflow::parse(&text) else { return };
        let name = queue.name.clone();
        let workflow = WorkflowConfig { sid, name, configuration, reservation_timeout };
        if self.core.put_workflow(workflow.clone()).is_err() {
            return;
        }
        let row = WorkflowRow {
            workspace: self.row.sid,
            workflow,
            text,
            assignment_url: None,
            fallback_url: None,
            dates,
        };
        self.workflows.insert(sid, row.clone());
        self.put(RouterRow::Workflow(row));
        self.core.reevaluate(sid, at);
    }

    fn keep_worker(&mut self, agent: &Agent, sids: AgentSids, at: Mono) {
        let sid = sids.worker(&agent.name);
        let contact = format!("client:{}", agent.phone);
        let attributes = with_attribute(agent.attributes.clone(), &["contact_uri"], &contact);
        let known = self.core.worker(sid).cloned();
        match &known {
            None => {
                self.workers.insert(sid, Dates::new(wall(at)));
                let offline = sids.activity(OFFLINE);
                if self.core.add_worker(sid, &agent.name, attributes, offline, at).is_err() {
                    self.workers.remove(&sid);
                    return;
                }
                let about = About { worker: Some(sid), ..About::default() };
                self.tell("worker.created", format!("Worker {} created", agent.name), about, at);
                self.worker_changed(sid, wall(at));
            }
            Some(known) if known.attributes != attributes => {
                // It is there.
                let _ = self.core.set_attributes(sid, attributes, at);
                self.worker_changed(sid, wall(at));
            }
            Some(_) => {}
        }
        let share = known.map(|known| known.channel("voice")).unwrap_or_default();
        if share.capacity != agent.capacity {
            // It is there, and so is the channel.
            let _ = self.core.set_capacity(sid, "voice", agent.capacity, share.available, at);
            self.worker_changed(sid, wall(at));
        }
    }

    /// What others have made in the workspace stays.
    fn leave_out(&mut self, agents: &Agents, sids: AgentSids, at: Mono) {
        let is_ours = |worker: &&router::Worker| worker.sid == sids.worker(&worker.name);
        let named = |name: &str| agents.workers.iter().any(|agent| agent.name == name);
        let gone = self.core.workers().filter(is_ours).filter(|worker| !named(&worker.name));
        for sid in gone.map(|worker| worker.sid).collect::<Vec<_>>() {
            // It is there, and so is the activity; whoever talks goes with the next reload or start.
            let _ = self.core.set_activity(sid, sids.activity(OFFLINE), at);
            if self.core.remove_worker(sid).is_ok() {
                self.workers.remove(&sid);
                self.gone(sid.to_string());
            }
        }
        let named = |name: &str| agents.queues.iter().any(|queue| queue.name == name);
        let gone: Vec<_> = self
            .core
            .workflows()
            .filter(|flow| flow.sid == sids.workflow(&flow.name) && !named(&flow.name))
            .map(|flow| flow.sid)
            .collect();
        for sid in gone {
            if self.core.remove_workflow(sid).is_ok() {
                self.workflows.remove(&sid);
                self.gone(sid.to_string());
            }
        }
        let gone: Vec<_> = self
            .core
            .queues()
            .filter(|queue| queue.sid == sids.queue(&queue.name) && !named(&queue.name))
            .map(|queue| queue.sid)
            .collect();
        for sid in gone {
            if self.core.remove_queue(sid).is_ok() {
                self.queues.remove(&sid);
                self.gone(sid.to_string());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lamp_shows_any_pause_or_that_of_its_digit() {
        let codes = [
            ("*10", Feature::LogIn),
            ("*11", Feature::LogOut),
            ("*12", Feature::Pause(0)),
            ("*121", Feature::Pause(0)),
            ("*122", Feature::Pause(1)),
            ("*13", Feature::EndWrapUp),
        ];
        let agents = Agents {
            codes: codes.iter().map(|(code, feature)| ((*code).to_owned(), *feature)).collect(),
            reasons: vec!["Break".to_owned(), "Lunch".to_owned()],
            answer_s: 20,
            logs_out: true,
            wrap_up_s: Some(0),
            queues: Vec::new(),
            workers: Vec::new(),
        };
        for (activity, lit) in [
            (OFFLINE, &["*11"][..]),
            (AVAILABLE, &["*10"]),
            ("Break", &["*10", "*12", "*121"]),
            ("Lunch", &["*10", "*12", "*122"]),
            (WRAP_UP, &["*10", "*13"]),
        ] {
            let shown = codes.iter().filter(|(code, feature)| is_lit(&agents, code, *feature, activity));
            assert_eq!(shown.map(|(code, _)| *code).collect::<Vec<_>>(), lit, "{activity}");
        }
    }
}
