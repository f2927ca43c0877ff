//! What is changed of a workspace is answered once it is stored; what was made and could not be stored is taken back: who is
//! told of an error has made nothing, and may try again under the same name.

use base::WorkspaceSid;
use call::taskrouter::{DeskAsk, RouterAsk, RouterFault, RouterReply};

use super::ask_node;
use crate::Api;
use crate::error::ApiError;

/// Asks the node for a change; a refusal is its own.
pub(crate) async fn change_node(
    api: &Api,
    ask: RouterAsk,
) -> Result<Result<RouterReply, RouterFault>, ApiError> {
    let workspace = match &ask {
        RouterAsk::In(workspace, _) => Some(*workspace),
        RouterAsk::Workspaces | RouterAsk::CreateWorkspace(_) => None,
    };
    let makes = makes(&ask);
    if makes {
        api.could_be_kept().await?;
    }
    let reply = ask_node(api, ask).await?;
    if let Err(error) = api.store.flush().await {
        if let Ok(reply) = &reply
            && makes
            && let Some(undo) = undo(workspace, reply)
        {
            // What the node says to it changes nothing: the first error is the one to tell.
            let _ = ask_node(api, undo).await;
        }
        return Err(error.into());
    }
    Ok(reply)
}

/// Whether something is there afterwards that was not.
fn makes(ask: &RouterAsk) -> bool {
    match ask {
        RouterAsk::CreateWorkspace(_) => true,
        RouterAsk::Workspaces => false,
        RouterAsk::In(_, ask) => matches!(
            ask,
            DeskAsk::PutActivity { sid: None, .. }
                | DeskAsk::CreateChannel { .. }
                | DeskAsk::PutWorker(None, _)
                | DeskAsk::PutQueue(None, _)
                | DeskAsk::PutWorkflow(None, _)
                | DeskAsk::PutTask(None, _)
        ),
    }
}

/// What takes back the one that was made.
fn undo(workspace: Option<WorkspaceSid>, made: &RouterReply) -> Option<RouterAsk> {
    if let RouterReply::Workspaces(all) = made {
        return all.first().map(|view| RouterAsk::In(view.row.sid, DeskAsk::Delete));
    }
    let ask = match made {
        RouterReply::Activities(all) => DeskAsk::DeleteActivity(all.first()?.activity.sid),
        RouterReply::Channels(all) => DeskAsk::DeleteChannel(all.first()?.sid.to_string()),
        RouterReply::Workers(all) => DeskAsk::DeleteWorker(all.first()?.row.worker.sid, None),
        RouterReply::Queues(all) => DeskAsk::DeleteQueue(all.first()?.0.queue.sid),
        RouterReply::Workflows(all) => DeskAsk::DeleteWorkflow(all.first()?.workflow.sid),
        RouterReply::Tasks(all) => DeskAsk::DeleteTask(all.first()?.row.task.sid, None),
        _ => return None,
    };
    workspace.map(|workspace| RouterAsk::In(workspace, ask))
}

#[cfg(test)]
mod tests {
    use call::record::{QueueRow, StoreItem};
    use serde_json::json;

    use crate::taskrouter_v1::tests::{Desk, sid};

    /// Somebody's row that the disk does not take any more: whoever waits for it is told so.
    fn row() -> StoreItem {
        let at = base::Timestamp(1);
        StoreItem::Queue(QueueRow {
            sid: base::QueueSid(9),
            name: "waits".to_owned(),
            max_size: 100,
            on_demand: false,
            created: at,
            updated: at,
            deleted: None,
        })
    }

    #[tokio::test]
    async fn what_is_answered_with_an_error_is_not_made() {
        let desk = Desk::open().await;
        let ws = format!("/v1/Workspaces/{}", sid(&desk.make("", &[("FriendlyName", "Office")]).await));
        let account = format!("/2010-04-01/Accounts/{}", desk.api.account_sid);
        let queue = sid(&desk.ask_at("POST", &format!("{ws}/TaskQueues"), "FriendlyName=Q").await);
        let configuration = json!({"task_routing": {"default_filter": {"queue": queue}}}).to_string();
        let workflow = |name: &str| {
            let pairs = [("FriendlyName", name), ("Configuration", &configuration)];
            url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
        };
        let flow = sid(&desk.ask_at("POST", &format!("{ws}/Workflows"), &workflow("first")).await);
        let all = [
            ("/v1/Workspaces".to_owned(), "workspaces", "FriendlyName=Other".to_owned()),
            (format!("{ws}/Activities"), "activities", "FriendlyName=Lunch".to_owned()),
            (format!("{ws}/TaskChannels"), "channels", "FriendlyName=Fax&UniqueName=fax".to_owned()),
            (format!("{ws}/Workers"), "workers", "FriendlyName=Ann".to_owned()),
            (format!("{ws}/TaskQueues"), "task_queues", "FriendlyName=German".to_owned()),
            (format!("{ws}/Workflows"), "workflows", workflow("second")),
            (format!("{ws}/Tasks"), "tasks", format!("WorkflowSid={flow}")),
            (format!("{account}/Queues.json"), "queues", "FriendlyName=desk".to_owned()),
            (format!("{account}/Applications.json"), "applications", "FriendlyName=app".to_owned()),
            (format!("{account}/Keys.json"), "keys", "FriendlyName=key".to_owned()),
            (format!("{account}/SIP/Domains.json"), "domains", "DomainName=a.sip.twilio.com".to_owned()),
        ];
        let count = async |path: &str, key: &str| {
            desk.ask_at("GET", path, "").await[key].as_array().map(Vec::len).unwrap()
        };
        let mut before = Vec::new();
        for (path, key, _) in &all {
            before.push(count(path, key).await);
        }
        desk.api.store.close().await;
        desk.api.store.write(row());
        for ((path, key, form), before) in all.iter().zip(before) {
            let (status, _, body) = desk.send_at("POST", path, form, None).await;
            assert_eq!((status, &body["code"]), (503, &json!(20503)), "{path}: {body}");
            assert_eq!(count(path, key).await, before, "{path}");
        }
    }
}
