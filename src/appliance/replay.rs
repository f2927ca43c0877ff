//! `tandem replay DAY`: what TaskRouter was told is told to it again, and what it decides compared.

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use base::{Timestamp, WorkspaceSid};
use call::taskrouter::rows::RouterRow;
use config::Config;
use router::clock::wall;
use router::{Difference, Replayed};
use serde::Serialize;
use store::Store;

use crate::tables;

const DAY_US: i64 = 86_400_000_000;

/// Replays a day of every workspace, or of one; beside the running box, if it runs.
pub(crate) fn replay(
    config: &Config,
    day: &str,
    workspace: Option<WorkspaceSid>,
) -> anyhow::Result<ExitCode> {
    let Some((begin, true)) = Timestamp::parse_iso8601(day) else {
        bail!("`{day}` must be a day, as 2026-11-22");
    };
    let end = Timestamp(begin.0.saturating_add(DAY_US));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let same = runtime.block_on(async {
        let store = Store::open(config.store_url.reveal(), &config.state).await.context("the database")?;
        let workspaces = match workspace {
            Some(one) => vec![one],
            None => {
                let rows = store.router_rows().await?;
                let workspace = |row: &RouterRow| match row {
                    RouterRow::Workspace(row) => Some(row.sid),
                    _ => None,
                };
                rows.iter().filter_map(workspace).collect()
            }
        };
        if workspaces.is_empty() {
            tables::say("there is no workspace\n");
        }
        let mut same = true;
        for workspace in workspaces {
            let (replay, difference) = store.replay(workspace, begin, Some(end)).await?;
            tables::say(&report(workspace, replay.done(), difference.as_ref()));
            same &= difference.is_none();
        }
        store.close().await;
        anyhow::Ok(same)
    })?;
    Ok(if same { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn report(workspace: WorkspaceSid, done: Replayed, difference: Option<&Difference>) -> String {
    let Replayed { runs, entries, decisions, checks, unknown } = done;
    let mut text = format!(
        "{workspace}: {entries} entries with {decisions} decisions in {runs} runs told again, {checks} checks: {}\n",
        if difference.is_some() { "not the same" } else { "the same" }
    );
    if unknown > 0 {
        let _ = writeln!(text, "{unknown} entries before them cannot be judged: what was before is not kept");
    }
    match difference {
        None => {}
        Some(Difference::Decision { run, number, written, found }) => {
            let run = wall(*run).iso8601();
            let _ = writeln!(text, "entry {number} of the run of {run}, at {}", wall(written.at).iso8601());
            let _ = writeln!(text, "  told     {}", json(&written.input));
            let both = |written: String, found: String| format!("  written  {written}\n  found    {found}\n");
            if written.refused != found.refused {
                text.push_str(&both(refusal(&written.refused), refusal(&found.refused)));
            }
            let most = written.outputs.len().max(found.outputs.len());
            let at = (0..most).find(|at| written.outputs.get(*at) != found.outputs.get(*at));
            if let Some(at) = at {
                let one = |outputs: &[router::Output]| outputs.get(at).map_or("nothing".to_owned(), json);
                text.push_str(&both(one(&written.outputs), one(&found.outputs)));
            }
        }
        Some(Difference::State { run, number }) => {
            let run = wall(*run).iso8601();
            let _ = writeln!(text, "at leaf {number} of the run of {run} the workspace has become another");
        }
        Some(Difference::Gap { run, expected, number }) => {
            let run = wall(*run).iso8601();
            let _ = writeln!(text, "leaves {expected} to {} of the run of {run} are missing", number - 1);
        }
    }
    text
}

fn refusal(refused: &Option<String>) -> String {
    refused.as_ref().map_or("it was done".to_owned(), |why| format!("refused: {why}"))
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use base::{Mono, ReservationSid};
    use router::{Entry, Input, Output};

    use super::*;

    #[test]
    fn the_first_difference_is_shown_beside_what_is_written() {
        let entry = |refused: Option<&str>, outputs: &[Output]| {
            Box::new(Entry {
                at: Mono(1_000_000_000),
                input: Input::Accept(ReservationSid(1)),
                refused: refused.map(str::to_owned),
                outputs: outputs.to_vec(),
            })
        };
        let (one, two) = (Output::Assign(ReservationSid(1)), Output::Assign(ReservationSid(2)));
        let difference = Difference::Decision {
            run: Mono(0),
            number: 7,
            written: entry(None, &[one.clone(), one.clone()]),
            found: entry(Some("no"), &[one, two]),
        };
        let done = Replayed { runs: 1, entries: 6, decisions: 9, checks: 0, unknown: 2 };
        let text = report(WorkspaceSid(1), done, Some(&difference));
        for part in [
            "6 entries with 9 decisions in 1 runs told again, 0 checks: not the same\n",
            "2 entries before them cannot be judged",
            "entry 7 of the run of 1970-01-01T00:00:00Z, at 1970-01-01T00:00:01Z\n",
            "  told     {\"accept\":\"WR00000000000000000000000000000001\"}\n",
            "  written  it was done\n  found    refused: no\n",
            "  written  {\"Assign\":\"WR00000000000000000000000000000001\"}\n  found    \
             {\"Assign\":\"WR00000000000000000000000000000002\"}\n",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(
            report(WorkspaceSid(1), done, None).ends_with("cannot be judged: what was before is not kept\n")
        );
    }
}
