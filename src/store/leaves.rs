//! What workspaces were told and decided, leaf by leaf: appended, and read in its order to be replayed.

use base::{Mono, Timestamp, WorkspaceSid};
use call::taskrouter::rows::RouterLeafRow;
use router::clock::wall;
use router::{Leaf, Page};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Error, Row};

use crate::{Store, StoreError, sql};

/// Leaves that are read at once.
pub const LEAVES_PAGE_MAX: u32 = 500;

/// Runs, one before the other, that are looked through for what they have counted.
const RUNS_BACK_MAX: u32 = 16;

/// A leaf's place: its run and its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LeafPlace {
    /// The run.
    pub run: Mono,
    /// The number.
    pub number: u64,
}

pub(crate) async fn write(
    connection: &mut AnyConnection,
    box_id: &str,
    row: &RouterLeafRow,
) -> Result<(), Error> {
    let leaf = &row.leaf;
    let json = serde_json::to_string(leaf).map_err(|error| Error::Encode(Box::new(error)))?;
    let whole = match leaf.page {
        Page::Start(_) | Page::Check(_) => 1,
        Page::Entry(_) => 0,
    };
    sqlx::query(sql::PUT_ROUTER_LEAF)
        .bind(row.workspace.to_string())
        .bind(number(leaf.run.0))
        .bind(number(leaf.number))
        .bind(box_id)
        .bind(wall(leaf.at).0)
        .bind(whole)
        .bind(json)
        .execute(connection)
        .await?;
    Ok(())
}

/// Nanoseconds since 1970 fit until 2262.
fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn read(row: &AnyRow) -> Result<Leaf, Error> {
    let json: String = row.try_get("leaf")?;
    serde_json::from_str(&json).map_err(|error| Error::Decode(Box::new(error)))
}

fn read_place(row: &AnyRow) -> Result<LeafPlace, Error> {
    let value = |name| row.try_get::<i64, _>(name).map(|value| u64::try_from(value).unwrap_or(0));
    Ok(LeafPlace { run: Mono(value("run")?), number: value("number")? })
}

impl Store {
    /// Where a replay that is to show what happened from `at` on begins: the last leaf before it that has the workspace
    /// whole, or else the first after it.
    pub async fn leaf_to_begin(
        &self,
        workspace: WorkspaceSid,
        at: Timestamp,
    ) -> Result<Option<LeafPlace>, StoreError> {
        let query = sqlx::query(sql::LAST_WHOLE_LEAF).bind(workspace.to_string()).bind(at.0);
        if let Some(place) = self.row(query, read_place).await? {
            return Ok(Some(place));
        }
        self.row(sqlx::query(sql::FIRST_WHOLE_LEAF).bind(workspace.to_string()), read_place).await
    }

    /// Leaves from this one on, those of `until` or later excluded; at most [`LEAVES_PAGE_MAX`].
    pub async fn leaves(
        &self,
        workspace: WorkspaceSid,
        from: LeafPlace,
        until: Option<Timestamp>,
    ) -> Result<Vec<Leaf>, StoreError> {
        let query = sqlx::query(sql::LEAVES)
            .bind(workspace.to_string())
            .bind(number(from.run.0))
            .bind(number(from.number))
            .bind(until.map_or(i64::MAX, |until| until.0))
            .bind(i64::from(LEAVES_PAGE_MAX));
        self.rows(query, read).await
    }

    /// Replays what is written of a workspace from a moment on, as far as it goes.
    pub async fn replay(
        &self,
        workspace: WorkspaceSid,
        from: Timestamp,
        until: Option<Timestamp>,
    ) -> Result<(router::Replay, Option<router::Difference>), StoreError> {
        let mut replay = router::Replay::default();
        let Some(mut place) = self.leaf_to_begin(workspace, from).await? else { return Ok((replay, None)) };
        loop {
            let leaves = self.leaves(workspace, place, until).await?;
            for leaf in &leaves {
                if let Err(difference) = replay.turn(leaf) {
                    return Ok((replay, Some(difference)));
                }
            }
            match leaves.last() {
                Some(last) if leaves.len() == LEAVES_PAGE_MAX as usize => {
                    place = LeafPlace { run: last.run, number: last.number + 1 };
                }
                Some(_) | None => return Ok((replay, None)),
            }
        }
    }

    /// What a workspace had counted in its runs that began before a moment; `None` where there are none.
    ///
    /// A run that ended before it knew what had been counted before it has counted for itself alone: what the run
    /// before it counted belongs to it too.
    pub async fn router_past(
        &self,
        workspace: WorkspaceSid,
        before: Mono,
    ) -> Result<Option<router::Past>, StoreError> {
        let (mut past, mut before): (Option<router::Past>, Mono) = (None, before);
        for _ in 0..RUNS_BACK_MAX {
            let query =
                sqlx::query(sql::LAST_WHOLE_LEAF_BEFORE).bind(workspace.to_string()).bind(number(before.0));
            let Some(place) = self.row(query, read_place).await? else { return Ok(past) };
            let Some(mut all) = self.run_from(workspace, place).await? else { return Ok(past) };
            let expects_more = all.0.expects_past();
            past = Some(match past {
                None => all.0.past(),
                Some(later) => {
                    // Counted together as of the later one's last moment.
                    all.0.remember(&later, all.1);
                    all.0.past()
                }
            });
            if !expects_more {
                return Ok(past);
            }
            before = place.run;
        }
        Ok(past)
    }

    /// A workspace at the end of a run, and when that was.
    async fn run_from(
        &self,
        workspace: WorkspaceSid,
        place: LeafPlace,
    ) -> Result<Option<(router::Workspace, Mono)>, StoreError> {
        let (mut replay, mut next, mut at) = (router::Replay::default(), place, place.run);
        loop {
            let leaves = self.leaves(workspace, next, None).await?;
            let count = leaves.len();
            for leaf in leaves.iter().take_while(|leaf| leaf.run == place.run) {
                at = at.max(leaf.at);
                if let Err(difference) = replay.turn(leaf) {
                    tracing::warn!(%workspace, ?difference, "what was written of a workspace cannot be replayed");
                    return Ok(replay.into_workspace().map(|all| (all, at)));
                }
            }
            match leaves.last() {
                Some(last) if count == LEAVES_PAGE_MAX as usize && last.run == place.run => {
                    next = LeafPlace { run: last.run, number: last.number + 1 };
                }
                Some(_) | None => return Ok(replay.into_workspace().map(|all| (all, at))),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use base::{ActivitySid, Rng, WorkerSid};
    use call::record::StoreItem;
    use call::taskrouter::rows::RouterItem;
    use router::{Activity, Written};

    use super::*;
    use crate::{Keep, Retention};

    const WORKSPACE: WorkspaceSid = WorkspaceSid(1);
    const DAY_NS: u64 = 86_400_000_000_000;

    fn activity(n: u128) -> Activity {
        Activity { sid: ActivitySid(n), name: format!("activity {n}"), available: n > 1 }
    }

    /// Somebody comes and goes all day long; three days, the second beginning with a restart.
    fn leaves() -> Vec<Leaf> {
        let all = router::Workspace::new(vec![activity(1), activity(2)], ActivitySid(1), Rng::seeded(1));
        let mut written = Written::new(all);
        written.begin(Mono(DAY_NS));
        let worker = WorkerSid(1);
        written
            .add_worker(worker, "ann", serde_json::json!({"level": 0.1}), ActivitySid(1), Mono(DAY_NS))
            .unwrap();
        for n in 0..2_000_u64 {
            let at = Mono(DAY_NS + n * (3 * DAY_NS / 2_000));
            if n == 1_000 {
                written.begin(at);
            }
            written.set_activity(worker, ActivitySid(u128::from(n % 2 + 1)), at).unwrap();
        }
        std::iter::from_fn(|| written.poll_leaf()).collect()
    }

    async fn filled(folder: &std::path::Path, leaves: &[Leaf]) -> Store {
        let store = Store::open("sqlite:", folder).await.unwrap();
        for leaf in leaves {
            let row = RouterLeafRow { workspace: WORKSPACE, leaf: leaf.clone() };
            store.write(StoreItem::Router(RouterItem::Leaf(Box::new(row))));
        }
        store.flush().await.unwrap();
        store
    }

    fn day(n: i64) -> Timestamp {
        Timestamp(n * 86_400_000_000)
    }

    #[tokio::test]
    async fn a_day_is_replayed_from_the_disk() {
        let (folder, all) = (tempfile::tempdir().unwrap(), leaves());
        let store = filled(folder.path(), &all).await;
        let (whole, difference) = store.replay(WORKSPACE, day(0), None).await.unwrap();
        assert_eq!((difference, whole.done().entries, whole.done().runs), (None, 2_001, 2));
        let (third, difference) = store.replay(WORKSPACE, day(3), Some(day(4))).await.unwrap();
        assert_eq!(
            (difference, third.done().entries, third.done().checks),
            (None, 1_000, 1),
            "from the run's start before it"
        );
        let past = store.router_past(WORKSPACE, Mono(u64::MAX)).await.unwrap().unwrap();
        assert_eq!(past, whole.workspace().unwrap().past());
        assert!(store.router_past(WorkspaceSid(2), Mono(u64::MAX)).await.unwrap().is_none());
        // Somebody changes what was decided.
        sqlx::query("UPDATE router_leaves SET leaf = replace(leaf, '\"refused\":null', '\"refused\":\"no\"') WHERE number = 77")
            .execute(&store.inner.pool)
            .await
            .unwrap();
        let (_, difference) = store.replay(WORKSPACE, day(1), Some(day(2))).await.unwrap();
        let Some(router::Difference::Decision { number: 77, .. }) = difference else {
            panic!("{difference:?}")
        };
    }

    /// The box stops again before it knows what was counted in its first run: both runs count, and a third is told of
    /// both.
    #[tokio::test]
    async fn a_run_that_never_knew_its_past_is_counted_with_the_one_before() {
        let created = |written: &Written| {
            let window = router::statistics::Window::minutes(60, Mono(DAY_NS + 3_600_000_000_000));
            written.workers_cumulative(&window, |_| true).activities
        };
        let mut all = router::Workspace::new(vec![activity(1), activity(2)], ActivitySid(1), Rng::seeded(1));
        all.add_worker(WorkerSid(1), "ann", serde_json::json!({}), ActivitySid(1), Mono(DAY_NS)).unwrap();
        let (mut leaves, mut expected) = (Vec::new(), Written::new(all.clone()));
        for run in 0..2_u64 {
            let mut written = Written::new(all.clone());
            if run == 1 {
                written.expect_past();
            }
            written.begin(Mono(DAY_NS + run * 60_000_000_000));
            for n in 1..=3 {
                let at = Mono(DAY_NS + run * 60_000_000_000 + n * 1_000_000_000);
                written.set_activity(WorkerSid(1), ActivitySid(u128::from(n % 2 + 1)), at).unwrap();
                expected.set_activity(WorkerSid(1), ActivitySid(u128::from(n % 2 + 1)), at).unwrap();
            }
            leaves.extend(std::iter::from_fn(|| written.poll_leaf()));
            all = router::Workspace::new(vec![activity(1), activity(2)], ActivitySid(1), Rng::seeded(1));
            all.restore_worker(written.worker(WorkerSid(1)).unwrap().clone());
        }
        let folder = tempfile::tempdir().unwrap();
        let store = filled(folder.path(), &leaves).await;
        let past = store.router_past(WORKSPACE, Mono(u64::MAX)).await.unwrap().unwrap();
        let mut third = Written::new(all);
        third.expect_past();
        third.begin(Mono(DAY_NS + 120_000_000_000));
        third.remember(past, Mono(DAY_NS + 121_000_000_000));
        assert!(!third.expects_past());
        assert_eq!(created(&third), created(&expected));
        let one = store.router_past(WORKSPACE, Mono(DAY_NS + 1)).await.unwrap().unwrap();
        assert_ne!(Some(one), store.router_past(WORKSPACE, Mono(u64::MAX)).await.unwrap());
    }

    #[tokio::test]
    async fn what_is_too_old_goes_and_the_rest_is_replayed_from_its_first_check() {
        let (folder, all) = (tempfile::tempdir().unwrap(), leaves());
        let store = filled(folder.path(), &all).await;
        let keep = Keep { age: Some(Duration::from_secs(86_400)), most: None };
        let retention = Retention { decisions: keep, ..Retention::default() };
        let half = Timestamp(day(3).0 + 43_200_000_000);
        assert!(store.sweep(&retention, folder.path(), half).await.unwrap() > 900);
        let (replay, difference) = store.replay(WORKSPACE, day(0), None).await.unwrap();
        assert_eq!((difference, replay.done().runs), (None, 1));
        assert!(replay.done().entries > 600, "{:?}", replay.done());
    }
}
