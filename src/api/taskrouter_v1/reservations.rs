//! `…/Tasks/WT…/Reservations` and `…/Workers/WK…/Reservations` (reference: taskrouter §7, §8.2).

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};
use base::{ReservationSid, TaskSid, WorkerSid};
use call::taskrouter::rows::ReservationRow;
use call::taskrouter::{DeskAsk, ReservationChange, RouterReply};
use router::{Instruction, ReservationStatus, Why};
use serde_json::{Value, json};

use super::{Site, sid_of, versioned};
use crate::Api;
use crate::error::ApiError;
use crate::params::Params;

pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/{workspace}/Tasks/{owner}/Reservations", get(list))
        .route("/{workspace}/Workers/{owner}/Reservations", get(list))
        .route("/{workspace}/Tasks/{owner}/Reservations/{sid}", get(fetch).post(update))
        .route("/{workspace}/Workers/{owner}/Reservations/{sid}", get(fetch).post(update))
        .route("/{workspace}/Tasks/{owner}/Reservations/{sid}/Explanation", get(explain))
        .route("/{workspace}/Workers/{owner}/Reservations/{sid}/Explanation", get(explain))
}

/// A reservation and its worker's name.
type Named = (ReservationRow, String);

/// Whose reservations.
#[derive(Clone, Copy)]
enum Owner {
    Task(TaskSid),
    Worker(WorkerSid),
}

impl Owner {
    fn of(site: &Site, owner: &str) -> Result<Self, ApiError> {
        match owner.starts_with("WK") {
            true => Ok(Owner::Worker(site.sid(owner)?)),
            false => Ok(Owner::Task(site.sid(owner)?)),
        }
    }

    async fn all(self, site: &Site, workspace: &str) -> Result<Vec<Named>, ApiError> {
        let ask = match self {
            Owner::Task(sid) => DeskAsk::Reservations(Some(sid), None),
            Owner::Worker(sid) => DeskAsk::Reservations(None, Some(sid)),
        };
        match site.ask_in(workspace, ask).await? {
            RouterReply::Reservations(all) => Ok(all),
            _ => Err(ApiError::unexpected()),
        }
    }
}

async fn list(site: Site, Path((workspace, owner)): Path<(String, String)>) -> Result<Json<Value>, ApiError> {
    let owner = Owner::of(&site, &owner)?;
    let status = site.query.one_of("ReservationStatus", STATUSES, 20001)?;
    let worker: Option<WorkerSid> = sid_of(&site.query, "WorkerSid")?;
    let mut all = owner.all(&site, &workspace).await?;
    all.retain(|(row, _)| {
        status.is_none_or(|status| status == word(row.reservation.status))
            && worker.is_none_or(|worker| worker == row.reservation.worker)
    });
    let key = |(row, _): &Named| (row.dates.created, row.reservation.sid);
    site.paging()?;
    site.page("reservations", all, key, |named| show(named, owner, &site))
}

async fn fetch(
    site: Site,
    Path((workspace, owner, sid)): Path<(String, String, String)>,
) -> Result<Response, ApiError> {
    let owner = Owner::of(&site, &owner)?;
    let named = find(&site, &workspace, owner, &sid).await?;
    Ok(versioned(StatusCode::OK, named.0.dates.version, show(&named, owner, &site)))
}

/// The box's own: why this worker and not the others.
async fn explain(
    site: Site,
    Path((workspace, owner, sid)): Path<(String, String, String)>,
) -> Result<Json<Value>, ApiError> {
    let owner = Owner::of(&site, &owner)?;
    let (row, name) = find(&site, &workspace, owner, &sid).await?;
    let obstacles = match &row.why {
        Some(Why::TaskCame { passed_over, .. }) => passed_over.as_slice(),
        Some(Why::WorkerCame { .. } | Why::MeantFor) | None => &[],
    };
    let passed_over = obstacles
        .iter()
        .map(|(worker, obstacle)| json!({ "worker_sid": worker, "obstacle": obstacle.to_string() }));
    Ok(Json(json!({
        "account_sid": site.api.account_sid,
        "workspace_sid": row.workspace,
        "task_sid": row.reservation.task,
        "reservation_sid": row.reservation.sid,
        "worker_sid": row.reservation.worker,
        "worker_name": name,
        "text": row.why.as_ref().map(ToString::to_string),
        "passed_over": passed_over.collect::<Vec<_>>(),
        "url": site.own_url(),
    })))
}

async fn find(site: &Site, workspace: &str, owner: Owner, sid: &str) -> Result<Named, ApiError> {
    let sid: ReservationSid = site.sid(sid)?;
    let RouterReply::Reservations(found) = site.ask_in(workspace, DeskAsk::Reservation(sid)).await? else {
        return Err(ApiError::unexpected());
    };
    let is_owners = |(row, _): &Named| match owner {
        Owner::Task(task) => row.reservation.task == task,
        Owner::Worker(worker) => row.reservation.worker == worker,
    };
    site.one(found.into_iter().filter(is_owners).collect())
}

async fn update(
    site: Site,
    Path((workspace, owner, sid)): Path<(String, String, String)>,
    form: Params,
) -> Result<Response, ApiError> {
    let owner = Owner::of(&site, &owner)?;
    let sid = find(&site, &workspace, owner, &sid).await?.0.reservation.sid;
    let change = read(&form)?;
    let ask = DeskAsk::UpdateReservation { sid, change, if_match: site.if_match };
    let RouterReply::Reservations(all) = site.change(&workspace, ask).await? else {
        return Err(ApiError::unexpected());
    };
    let named = site.one(all)?;
    Ok(versioned(StatusCode::OK, named.0.dates.version, show(&named, owner, &site)))
}

/// An instruction with its own names, or a state.
pub(crate) fn read(form: &Params) -> Result<ReservationChange, ApiError> {
    let instruct = |word: &str, activity: &str| {
        let read = Instruction::read(word, |name| value(form, word, activity, name));
        read.map(ReservationChange::Instruct).map_err(|error| ApiError::new(error.code, error.message))
    };
    if let Some(word) = form.text("Instruction") {
        return instruct(&word.to_ascii_lowercase(), "WorkerActivitySid");
    }
    match form.text("ReservationStatus") {
        Some("accepted") => instruct("accept", ""),
        Some("rejected") => instruct("reject", "WorkerActivitySid"),
        Some("wrapping") => Ok(ReservationChange::Become(ReservationStatus::Wrapping)),
        Some("completed") => Ok(ReservationChange::Become(ReservationStatus::Completed)),
        Some(other) => Err(ApiError::new(20001, format!("ReservationStatus cannot be set to `{other}`"))),
        None => Err(ApiError::new(20001, "Instruction or ReservationStatus is missing")),
    }
}

/// What stands in the form under the name an instruction's key has there.
fn value(form: &Params, instruction: &str, activity: &str, key: &str) -> Option<String> {
    let camel: String = key
        .split('_')
        .map(|part| {
            let mut letters = part.chars();
            let first = letters.next().map(|letter| letter.to_ascii_uppercase());
            first.into_iter().chain(letters).collect::<String>()
        })
        .collect();
    let name = match instruction {
        "dequeue" => format!("Dequeue{camel}"),
        "call" => format!("Call{camel}").replace("CallCall", "Call"),
        "redirect" => format!("Redirect{camel}"),
        "reject" if key == "activity_sid" => activity.to_owned(),
        _ => camel,
    };
    // Empty is silence, not nothing.
    if instruction == "conference" && key == "wait_url" && form.is_empty(&name) {
        return Some(String::new());
    }
    let list = form.list(&name).join(" ");
    (!list.is_empty()).then_some(list)
}

/// Every word that is one.
const STATUSES: &[&str] =
    &["pending", "accepted", "rejected", "timeout", "canceled", "rescinded", "wrapping", "completed"];

/// `reservation_status`.
pub(crate) fn word(status: ReservationStatus) -> &'static str {
    match status {
        ReservationStatus::Pending => "pending",
        ReservationStatus::Accepted => "accepted",
        ReservationStatus::Rejected => "rejected",
        ReservationStatus::Timeout => "timeout",
        ReservationStatus::Canceled => "canceled",
        ReservationStatus::Rescinded => "rescinded",
        ReservationStatus::Wrapping => "wrapping",
        ReservationStatus::Completed => "completed",
    }
}

fn show((row, worker): &Named, owner: Owner, site: &Site) -> Value {
    let one = &row.reservation;
    let at = |rest: String| site.at(row.workspace, rest);
    let url = match owner {
        Owner::Task(task) => format!("/Tasks/{task}/Reservations/{}", one.sid),
        Owner::Worker(worker) => format!("/Workers/{worker}/Reservations/{}", one.sid),
    };
    json!({
        "sid": one.sid,
        "account_sid": site.account(),
        "workspace_sid": row.workspace,
        "task_sid": one.task,
        "worker_sid": one.worker,
        "worker_name": worker,
        "reservation_status": word(one.status),
        "date_created": row.dates.created.iso8601(),
        "date_updated": row.dates.updated.iso8601(),
        "url": at(url),
        "links": {
            "task": at(format!("/Tasks/{}", one.task)),
            "worker": at(format!("/Workers/{}", one.worker)),
            "workspace": at(String::new()),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A form means what the same answer to an assignment callback means.
    #[test]
    fn every_published_name_of_an_instruction_is_read() {
        let activity = "WA00000000000000000000000000000003";
        for (form, json) in [
            ("Instruction=accept", r#"{"instruction":"accept"}"#.to_owned()),
            ("ReservationStatus=accepted", r#"{"instruction":"accept"}"#.to_owned()),
            (
                "ReservationStatus=rejected&WorkerActivitySid=WA00000000000000000000000000000003",
                format!(r#"{{"instruction":"reject","activity_sid":"{activity}"}}"#),
            ),
            (
                "Instruction=dequeue&DequeueTo=client:bob&DequeueFrom=1&DequeueTimeout=5&DequeueRecord=record-from-answer\
                 &DequeuePostWorkActivitySid=WA00000000000000000000000000000003&DequeueStatusCallbackUrl=http://a/s\
                 &DequeueStatusCallbackEvent=answered&DequeueStatusCallbackEvent=completed",
                format!(
                    r#"{{"instruction":"dequeue","to":"client:bob","from":"1","timeout":5,"record":"record-from-answer",
                    "post_work_activity_sid":"{activity}","status_callback_url":"http://a/s",
                    "status_callback_events":"answered,completed"}}"#
                ),
            ),
            (
                "Instruction=call&CallTo=client:bob&CallFrom=1&CallUrl=http://a/u&CallTimeout=5&CallAccept=true\
                 &CallRecord=do-not-record&CallStatusCallbackUrl=http://a/s",
                r#"{"instruction":"call","to":"client:bob","from":"1","url":"http://a/u","timeout":5,"accept":true,
                "record":"do-not-record","status_callback_url":"http://a/s"}"#
                    .to_owned(),
            ),
            (
                "Instruction=redirect&RedirectCallSid=CA1&RedirectUrl=http://a/u&RedirectAccept=true",
                r#"{"instruction":"redirect","call_sid":"CA1","url":"http://a/u","accept":true}"#.to_owned(),
            ),
            (
                "Instruction=conference&To=client:bob&From=1&Timeout=5&StatusCallback=http://a/s\
                 &StatusCallbackMethod=GET&StatusCallbackEvent=answered&StatusCallbackEvent=completed&Record=true\
                 &Muted=true&Beep=onEnter&StartConferenceOnEnter=false&EndConferenceOnExit=true&WaitUrl=http://a/w\
                 &WaitMethod=GET&EarlyMedia=false&MaxParticipants=3&ConferenceStatusCallback=http://a/c\
                 &ConferenceStatusCallbackMethod=GET&ConferenceStatusCallbackEvent=start&ConferenceStatusCallbackEvent=end\
                 &ConferenceRecord=record-from-start&ConferenceTrim=do-not-trim&RecordingChannels=dual\
                 &RecordingStatusCallback=http://a/r&RecordingStatusCallbackMethod=GET\
                 &ConferenceRecordingStatusCallback=http://a/q&ConferenceRecordingStatusCallbackMethod=GET&Region=us1\
                 &SipAuthUsername=u&SipAuthPassword=p&PostWorkActivitySid=WA00000000000000000000000000000003\
                 &EndConferenceOnCustomerExit=true&BeepOnCustomerEntrance=false&JitterBufferSize=small",
                format!(
                    r#"{{"instruction":"conference","to":"client:bob","from":"1","timeout":5,
                    "status_callback":"http://a/s","status_callback_method":"GET",
                    "status_callback_event":["answered","completed"],"record":true,"muted":true,"beep":"onEnter",
                    "start_conference_on_enter":false,"end_conference_on_exit":true,"wait_url":"http://a/w",
                    "wait_method":"GET","early_media":false,"max_participants":3,
                    "conference_status_callback":"http://a/c","conference_status_callback_method":"GET",
                    "conference_status_callback_event":["start","end"],"conference_record":"record-from-start",
                    "conference_trim":"do-not-trim","recording_channels":"dual",
                    "recording_status_callback":"http://a/r","recording_status_callback_method":"GET",
                    "conference_recording_status_callback":"http://a/q",
                    "conference_recording_status_callback_method":"GET","region":"us1","sip_auth_username":"u",
                    "sip_auth_password":"p","post_work_activity_sid":"{activity}",
                    "end_conference_on_customer_exit":true,"beep_on_customer_entrance":false,
                    "jitter_buffer_size":"small"}}"#
                ),
            ),
            // Empty is silence.
            (
                "Instruction=conference&WaitUrl=",
                r#"{"instruction":"conference","wait_url":""}"#.to_owned(),
            ),
            (
                "Instruction=supervise&Supervisor=client:bob&SupervisorMode=barge",
                r#"{"instruction":"supervise","supervisor":"client:bob","supervisor_mode":"barge"}"#.to_owned(),
            ),
        ] {
            let expected = Instruction::parse(json.as_bytes()).unwrap().unwrap();
            let read = read(&Params::read(form.as_bytes())).unwrap_or_else(|error| panic!("{form}: {error:?}"));
            assert_eq!(read, ReservationChange::Instruct(expected), "{form}");
        }
    }
}
