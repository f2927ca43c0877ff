//! What commands print: for people in columns, for programs as JSON.

use std::fmt::Write as _;
use std::io::Write as _;

use call::record::CallRow;
use call::{LiveCall, LiveQueue, LiveWorker, OperatorReply};
use serde::Serialize;
use serde_json::{Value, json};

use crate::control::Answer;

/// Prints to standard output; a reader that has gone away is no error.
pub(crate) fn say(text: &str) {
    let mut out = std::io::stdout();
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
}

/// Prints to standard error.
pub(crate) fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "tandem: {text}");
}

/// Prints JSON.
pub(crate) fn say_json(value: &impl Serialize) -> anyhow::Result<()> {
    say(&format!("{}\n", serde_json::to_string_pretty(value)?));
    Ok(())
}

/// An answer for programs.
pub(crate) fn json(answer: &Answer) -> Value {
    match answer {
        Answer::Status(status) => json!(status),
        Answer::Calls { live, rows } => {
            json!({ "calls": rows.iter().map(|row| call_json(row, live)).collect::<Vec<_>>() })
        }
        Answer::Node(OperatorReply::Phones(phones)) => json!({ "phones": phones }),
        Answer::Node(OperatorReply::Trunks(trunks)) => json!({ "trunks": trunks }),
        Answer::Node(OperatorReply::Queues(queues)) => json!({ "queues": queues }),
        Answer::Node(OperatorReply::Workers(workers)) => json!({ "workers": workers }),
        Answer::Node(reply) => json!(reply),
        Answer::Trace(calls) => json!(calls),
        Answer::Done => json!({}),
        Answer::Reloaded { after_restart } => json!({ "after_restart": after_restart }),
        Answer::Error(why) => json!({ "error": why }),
    }
}

/// One call, dates as the v1 APIs write them.
fn call_json(row: &CallRow, live: &[LiveCall]) -> Value {
    let date = |at: Option<base::Timestamp>| at.map(base::Timestamp::iso8601);
    let live = live.iter().find(|call| call.sid == row.sid);
    json!({
        "sid": row.sid,
        "parent": row.parent,
        "direction": row.direction.as_str(),
        "from": row.from,
        "to": row.to,
        "caller_name": row.caller_name,
        "number": row.number,
        "trunk": row.trunk,
        "phone": row.phone,
        "status": row.status.as_str(),
        "start": date(row.start),
        "answer": date(row.answer),
        "end": date(row.end),
        "duration_s": row.duration_s,
        "sip_code": row.sip_code,
        "ended_by": row.ended_by,
        "live": live.is_some(),
        "doing": live.map(|call| call.doing.clone()),
    })
}

/// An answer for people.
pub(crate) fn draw(answer: &Answer) -> String {
    match answer {
        Answer::Status(status) => {
            let node = &status.node;
            let mut text = String::new();
            let mut line = |name: &str, value: String| {
                let _ = writeln!(text, "{name:<12} {value}");
            };
            line("office", node.name.clone());
            line("version", status.version.clone());
            line("up", format!("{} s", status.uptime_s));
            line("calls", format!("{} in progress, {} since start", node.calls, node.calls_total));
            line("phones", format!("{} of {} registered", node.phones_registered, node.phones));
            line("trunks", node.trunks.to_string());
            line("database", status.database.clone());
            let mut priority = match status.degraded_realtime {
                0 => "real time".to_owned(),
                n => format!("degraded real time on {n}"),
            };
            if status.eased > 0 {
                let _ = write!(priority, ", busy: Opus encoded with less care on {}", status.eased);
            }
            line(
                "media",
                format!("{} legs, {} threads, {priority}", status.media_legs, status.media_threads),
            );
            let mut recordings = format!("{} in progress", status.recordings);
            if status.recordings_failed > 0 {
                let _ = write!(recordings, ", {} failed since start", status.recordings_failed);
            }
            if let Some(why) = &status.recordings_trouble {
                let _ = write!(recordings, "; the last one: {why}");
            }
            line("recordings", recordings);
            line("packets", format!("{} in, {} out", status.packets_received, status.packets_sent));
            if !node.notifications.is_empty() {
                let codes = node.notifications.iter().map(|(code, n)| format!("{code}: {n}"));
                line("errors", codes.collect::<Vec<_>>().join(", "));
            }
            line("public key", status.public_key.clone());
            if node.draining {
                line("draining", "no new calls are taken".to_owned());
            }
            for source in &node.banned {
                line("banned", source.clone());
            }
            for (name, count) in &node.counters {
                line("", format!("{count:>8}  {name}"));
            }
            text
        }
        Answer::Calls { live, rows } => {
            let header = ["SID", "DIRECTION", "FROM", "TO", "STATUS", "S", "DOING / ENDED BY"];
            let rows = rows.iter().map(|row| {
                let doing = live.iter().find(|call| call.sid == row.sid).map(|call| call.doing.clone());
                [
                    row.sid.to_string(),
                    row.direction.as_str().to_owned(),
                    row.from.clone(),
                    row.to.clone(),
                    row.status.as_str().to_owned(),
                    row.duration_s.map(|s| s.to_string()).unwrap_or_default(),
                    doing.or_else(|| row.ended_by.clone()).unwrap_or_default(),
                ]
            });
            columns(header, rows.collect())
        }
        Answer::Node(OperatorReply::Phones(phones)) => {
            let rows = phones.iter().map(|phone| {
                [
                    phone.name.clone(),
                    phone.extension.clone().unwrap_or_default(),
                    phone.calls.to_string(),
                    if phone.contacts.is_empty() {
                        "not registered".to_owned()
                    } else {
                        phone.contacts.join(" ")
                    },
                ]
            });
            columns(["PHONE", "EXTENSION", "CALLS", "REGISTERED AT"], rows.collect())
        }
        Answer::Node(OperatorReply::Trunks(trunks)) => {
            let rows = trunks.iter().map(|trunk| {
                [trunk.name.clone(), trunk.address.clone(), trunk.calls.to_string(), trunk.state.clone()]
            });
            columns(["TRUNK", "ADDRESS", "CALLS", "STATE"], rows.collect())
        }
        Answer::Node(OperatorReply::Queues(queues)) => draw_queues(queues),
        Answer::Node(OperatorReply::Workers(workers)) => draw_workers(workers),
        Answer::Node(_) | Answer::Trace(_) | Answer::Done => String::new(),
        Answer::Reloaded { after_restart } => reloaded(after_restart),
        Answer::Error(why) => format!("{why}\n"),
    }
}

fn reloaded(after_restart: &[String]) -> String {
    let mut text = "the configuration was read again\n".to_owned();
    for what in after_restart {
        let _ = writeln!(text, "{what}: changed in the file; holds after a restart");
    }
    text
}

/// Each queue, and under it who waits there.
fn draw_queues(queues: &[LiveQueue]) -> String {
    let mut rows = Vec::new();
    for queue in queues {
        rows.push([
            queue.workflow.as_ref().unwrap_or(&queue.name).clone(),
            queue.sid.to_string(),
            format!("{} of {}", queue.members.len(), queue.max_size),
            format!("{} s on average", queue.average_wait_s),
            queue.takers.to_string(),
        ]);
        rows.extend(queue.members.iter().map(|member| {
            let position = format!("  {}", member.position);
            [position, member.call.to_string(), String::new(), format!("{} s", member.wait_s), String::new()]
        }));
    }
    columns(["QUEUE", "SID", "WAITING", "FOR", "TAKERS"], rows)
}

fn draw_workers(workers: &[LiveWorker]) -> String {
    let rows = workers.iter().map(|worker| {
        [
            worker.name.clone(),
            worker.workspace.clone(),
            worker.activity.clone(),
            format!("{} s", worker.since_s),
            worker.tasks.to_string(),
        ]
    });
    columns(["WORKER", "WORKSPACE", "DOES", "FOR", "TASKS"], rows.collect())
}

/// Left-aligned columns as wide as their widest cell.
fn columns<const N: usize>(header: [&str; N], rows: Vec<[String; N]>) -> String {
    let mut widths = header.map(|cell| cell.chars().count());
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for row in std::iter::once(header.map(str::to_owned)).chain(rows) {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            let _ = write!(line, "{cell:<width$}  ");
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let text = columns(["A", "LONG"], vec![["first".to_owned(), "x".to_owned()]]);
        assert_eq!(text, "A      LONG\nfirst  x\n");
    }

    #[test]
    fn a_reload_says_what_holds_after_a_restart() {
        let told = |after_restart: &[&str]| {
            let after_restart = after_restart.iter().map(|&what| what.to_owned()).collect();
            draw(&Answer::Reloaded { after_restart })
        };
        assert_eq!(told(&[]), "the configuration was read again\n");
        assert!(told(&["webhooks"]).ends_with("webhooks: changed in the file; holds after a restart\n"));
    }
}
