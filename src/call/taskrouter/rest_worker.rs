//! Workers and what they can do at once, as the API makes, changes and removes them (reference: taskrouter §4).

use base::{Mono, TaskChannelSid, WorkerChannelSid, WorkerSid};
use router::clock::wall;
use router::{Json, WorkerChannel};

use super::ask::{RouterFault, RouterReply, WorkerChannelView, WorkerForm, WorkerView};
use super::desk::Desk;
use super::events::About;
use super::rest::{Done, check_name, check_version};
use super::rows::Dates;

impl Desk {
    pub(super) fn list_workers(&self, sid: Option<WorkerSid>) -> Vec<WorkerView> {
        let one = |sid: WorkerSid| {
            let row = self.worker_row(sid)?;
            let activity = self.core.activity(row.worker.activity);
            Some(WorkerView {
                activity_name: activity.map(|activity| activity.name.clone()).unwrap_or_default(),
                available: activity.is_some_and(|activity| activity.available),
                queues: self.core.serves(sid).collect(),
                row,
            })
        };
        match sid {
            Some(sid) => one(sid).into_iter().collect(),
            None => self.workers.keys().filter_map(|sid| one(*sid)).collect(),
        }
    }

    pub(super) fn put_worker(&mut self, sid: Option<WorkerSid>, form: WorkerForm, at: Mono) -> Done {
        if let Some(name) = &form.name {
            check_name(name)?;
            let same = name.to_lowercase();
            if self.core.workers().any(|one| Some(one.sid) != sid && one.name.to_lowercase() == same) {
                return Err(RouterFault::new(20001, "another worker has this FriendlyName"));
            }
        }
        if form.activity.is_some_and(|activity| self.core.activity(activity).is_none()) {
            return Err(RouterFault::new(20001, "ActivitySid names no activity of the workspace"));
        }
        let takes_tasks = |activity| self.core.activity(activity).is_some_and(|activity| activity.available);
        if form.reject_pending && form.activity.is_none_or(takes_tasks) {
            let why = "RejectPendingReservations needs an ActivitySid that takes no tasks";
            return Err(RouterFault::new(20001, why));
        }
        let sid = match sid {
            Some(sid) => self.change_worker(sid, form, at)?,
            None => self.create_worker(form, at)?,
        };
        Ok(RouterReply::Workers(self.list_workers(Some(sid))))
    }

    fn create_worker(&mut self, form: WorkerForm, at: Mono) -> Result<WorkerSid, RouterFault> {
        let name = form.name.ok_or_else(|| RouterFault::new(20001, "FriendlyName is missing"))?;
        let sid = WorkerSid::random(&mut self.rng);
        let activity = form.activity.unwrap_or(self.row.default_activity);
        let attributes = form.attributes.unwrap_or_else(|| Json::Object(Default::default()));
        // Its dates first: what it is offered at once is told of somebody who is known.
        self.workers.insert(sid, Dates::new(wall(at)));
        if let Err(error) = self.core.add_worker(sid, &name, attributes, activity, at) {
            self.workers.remove(&sid);
            return Err(error.into());
        }
        let about = About { worker: Some(sid), ..About::default() };
        self.tell("worker.created", format!("Worker {name} created"), about, at);
        self.write_worker(sid);
        Ok(sid)
    }

    fn change_worker(
        &mut self,
        sid: WorkerSid,
        form: WorkerForm,
        at: Mono,
    ) -> Result<WorkerSid, RouterFault> {
        let version = self.workers.get(&sid).ok_or_else(|| RouterFault::unknown("worker"))?.version;
        check_version(form.if_match, version)?;
        self.worker_changed(sid, wall(at));
        if let Some(name) = &form.name {
            self.core.rename_worker(sid, name, at)?;
        }
        if let Some(attributes) = form.attributes {
            self.core.set_attributes(sid, attributes, at)?;
            let about = About { worker: Some(sid), ..About::default() };
            self.tell("worker.attributes.update", format!("Worker {sid} has other attributes"), about, at);
        }
        match form.activity {
            Some(activity) if form.reject_pending => self.core.leave(sid, activity, at)?,
            Some(activity) => self.core.set_activity(sid, activity, at)?,
            None => {}
        }
        Ok(sid)
    }

    pub(super) fn delete_worker(&mut self, sid: WorkerSid, if_match: Option<u64>, at: Mono) -> Done {
        let version = self.workers.get(&sid).ok_or_else(|| RouterFault::unknown("worker"))?.version;
        check_version(if_match, version)?;
        let name = self.core.worker(sid).map(|worker| worker.name.clone()).unwrap_or_default();
        // As it was: nobody can be asked for it afterwards.
        let more = self.worker_set(sid, None);
        self.core.remove_worker(sid)?;
        self.workers.remove(&sid);
        self.gone(sid.to_string());
        let about = About { worker: Some(sid), more, ..About::default() };
        self.tell("worker.deleted", format!("Worker {name} deleted"), about, at);
        Ok(RouterReply::Done)
    }

    pub(super) fn worker_channels(&self, sid: WorkerSid) -> Done {
        let (dates, worker) = self
            .workers
            .get(&sid)
            .zip(self.core.worker(sid))
            .ok_or_else(|| RouterFault::unknown("worker"))?;
        let view = |channel: &super::rows::TaskChannelRow| WorkerChannelView {
            sid: share_sid(sid, channel.sid),
            worker: sid,
            channel: channel.sid,
            unique_name: channel.unique_name.clone(),
            share: worker.channel(&channel.unique_name),
            created: dates.created,
            updated: dates.updated,
        };
        Ok(RouterReply::WorkerChannels(self.channels.values().map(view).collect()))
    }

    pub(super) fn update_worker_channel(
        &mut self,
        sid: WorkerSid,
        channel: &str,
        capacity: Option<u32>,
        available: Option<bool>,
        at: Mono,
    ) -> Done {
        let worker = self.core.worker(sid).ok_or_else(|| RouterFault::unknown("worker"))?;
        let named = |row: &&super::rows::TaskChannelRow| {
            row.unique_name == channel
                || row.sid.to_string() == channel
                || share_sid(sid, row.sid).to_string() == channel
        };
        let row = self.channels.values().find(named).ok_or_else(|| RouterFault::unknown("channel"))?.clone();
        let before: WorkerChannel = worker.channel(&row.unique_name);
        let capacity = capacity.unwrap_or(before.capacity);
        let available = available.unwrap_or(before.available);
        self.core.set_capacity(sid, &row.unique_name, capacity, available, at)?;
        let about = || {
            let more = vec![
                ("TaskChannelSid", row.sid.to_string()),
                ("TaskChannelUniqueName", row.unique_name.clone()),
                ("WorkerChannelTaskCount", before.used.to_string()),
                ("WorkerChannelAvailable", available.to_string()),
                ("WorkerChannelAvailableCapacity", capacity.saturating_sub(before.used).to_string()),
                ("WorkerChannelPreviousCapacity", before.capacity.to_string()),
            ];
            About { worker: Some(sid), more, ..About::default() }
        };
        if capacity != before.capacity {
            self.worker_counted(sid, wall(at));
            let text = format!("Worker {sid} can do {capacity}");
            self.tell("worker.capacity.update", text, about(), at);
        }
        if available != before.available {
            let text = format!("Worker {sid} is available on {}: {available}", row.unique_name);
            self.worker_counted(sid, wall(at));
            self.tell("worker.channel.availability.update", text, about(), at);
        }
        let all = self.worker_channels(sid)?;
        let RouterReply::WorkerChannels(mut all) = all else { return Ok(all) };
        all.retain(|view| view.channel == row.sid);
        Ok(RouterReply::WorkerChannels(all))
    }

    fn write_worker(&mut self, sid: WorkerSid) {
        if let Some(row) = self.worker_row(sid) {
            self.put(super::rows::RouterRow::Worker(row));
        }
    }
}

/// A worker's share of a channel has a sid of its own, which follows from the two.
fn share_sid(worker: WorkerSid, channel: TaskChannelSid) -> WorkerChannelSid {
    WorkerChannelSid(worker.0 ^ channel.0.rotate_left(64))
}
