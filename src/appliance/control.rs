//! The socket in the state directory through which commands ask a running box.
//!
//! One connection, one question, one answer: a line of JSON each way. Who may open the socket may ask
//! anything; its file mode says who that is.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use base::CallSid;
use call::record::{CallRow, EventRow, NotificationRow, RecordingRow};
use call::{LiveCall, Operator, OperatorReply};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};

use crate::shell::Ask;

/// What a command asks.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Question {
    /// The node alone can answer.
    Node(Operator),
    /// The node's state and that of everything around it.
    Status,
    /// Calls in progress and the latest that ended.
    Calls { ended: u32 },
    /// Everything known of one call and the calls it dialled.
    Trace(CallSid),
    /// Read the configuration again.
    Reload,
}

/// What the box answers.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    Node(OperatorReply),
    Status(Box<Status>),
    Calls {
        live: Vec<LiveCall>,
        rows: Vec<CallRow>,
    },
    Trace(Vec<Traced>),
    Done,
    /// The configuration was read again; the changes that hold only after a restart.
    Reloaded {
        after_restart: Vec<String>,
    },
    /// It could not be done; one sentence.
    Error(String),
}

/// How the whole box is.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Status {
    pub(crate) version: String,
    pub(crate) node: call::NodeStatus,
    pub(crate) uptime_s: u64,
    pub(crate) database: String,
    pub(crate) media_legs: u64,
    pub(crate) media_threads: usize,
    pub(crate) degraded_realtime: usize,
    #[serde(default)]
    pub(crate) eased: usize,
    pub(crate) recordings: u64,
    pub(crate) recordings_failed: u64,
    pub(crate) recordings_trouble: Option<String>,
    pub(crate) packets_received: u64,
    pub(crate) packets_sent: u64,
    /// What receivers of texml requests verify signatures with.
    #[serde(default)]
    pub(crate) public_key: String,
}

/// One call as the store knows it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Traced {
    pub(crate) call: CallRow,
    pub(crate) events: Vec<EventRow>,
    pub(crate) notifications: Vec<NotificationRow>,
    pub(crate) recordings: Vec<RecordingRow>,
}

/// Longest question or answer, and how long either may take.
const LINE_BYTES_MAX: u64 = 64 * 1024 * 1024;
const PATIENCE: Duration = Duration::from_secs(10);

/// Where a box with this state directory listens.
pub(crate) fn socket_path(state: &Path) -> PathBuf {
    state.join("tandem.sock")
}

/// Asks the box whose state directory this is.
pub(crate) fn ask(state: &Path, question: &Question) -> anyhow::Result<Answer> {
    let path = socket_path(state);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let line = runtime.block_on(async {
        let stream = UnixStream::connect(&path)
            .await
            .with_context(|| format!("no box is running: nothing answers at {}", path.display()))?;
        tokio::time::timeout(PATIENCE, exchange(stream, question))
            .await
            .context("the box did not answer in time")?
    })?;
    match serde_json::from_str(&line).context("the box answered something else")? {
        Answer::Error(why) => bail!(why),
        answer => Ok(answer),
    }
}

async fn exchange(stream: UnixStream, question: &Question) -> anyhow::Result<String> {
    let (read, mut write) = stream.into_split();
    let mut line = serde_json::to_string(question)?;
    line.push('\n');
    write.write_all(line.as_bytes()).await?;
    let mut answer = String::new();
    BufReader::new(read.take(LINE_BYTES_MAX)).read_line(&mut answer).await?;
    Ok(answer)
}

/// What the questions are answered from.
#[derive(Clone)]
pub(crate) struct Desk {
    pub(crate) asks: mpsc::Sender<Ask>,
    pub(crate) reload: mpsc::Sender<oneshot::Sender<Result<Vec<String>, String>>>,
    pub(crate) world: std::sync::Arc<crate::shell::World>,
    pub(crate) started: std::time::Instant,
}

/// Connections served at once; more wait.
const CONNECTIONS_MAX: usize = 16;

/// Takes the socket of this state directory, unless a living box has it.
pub(crate) fn listen(state: &Path) -> anyhow::Result<UnixListener> {
    let path = socket_path(state);
    if std::os::unix::net::UnixStream::connect(&path).is_ok() {
        bail!("another box is running with the state directory {}", state.display());
    }
    // What a box that was killed left behind.
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path).with_context(|| format!("cannot create {}", path.display()))?;
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o660))?;
    Ok(listener)
}

/// Answers questions until the task is dropped.
pub(crate) async fn serve(listener: UnixListener, desk: Desk) {
    let slots = std::sync::Arc::new(tokio::sync::Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(slot) = std::sync::Arc::clone(&slots).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors: try again when some may be free.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let desk = desk.clone();
        tokio::spawn(async move {
            // A client that goes away early harms nobody.
            let _ = tokio::time::timeout(PATIENCE, answer(stream, desk)).await;
            drop(slot);
        });
    }
}

async fn answer(stream: UnixStream, desk: Desk) -> anyhow::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    BufReader::new(read.take(64 * 1024)).read_line(&mut line).await?;
    let answer = match serde_json::from_str(&line) {
        Ok(question) => {
            desk.reply(question).await.unwrap_or_else(|error| Answer::Error(format!("{error:#}")))
        }
        Err(error) => Answer::Error(format!("not a question this box knows: {error}")),
    };
    let mut line = serde_json::to_string(&answer)?;
    line.push('\n');
    write.write_all(line.as_bytes()).await?;
    Ok(())
}

impl Desk {
    pub(crate) async fn node(&self, command: Operator) -> anyhow::Result<OperatorReply> {
        let (reply, answer) = oneshot::channel();
        self.asks.send(Ask::Operator(command, reply)).await.ok().context("the box is stopping")?;
        answer.await.context("the box is stopping")
    }

    async fn reply(&self, question: Question) -> anyhow::Result<Answer> {
        let store = &self.world.store;
        match question {
            Question::Node(command) => Ok(Answer::Node(self.node(command).await?)),
            Question::Status => self.status().await,
            Question::Calls { ended } => {
                let OperatorReply::Calls(live) = self.node(Operator::Calls).await? else {
                    bail!("the node answered another question");
                };
                store.flush().await?;
                let page = store::Page::first(ended.saturating_add(u32::try_from(live.len())?));
                let rows = store.calls(&store::CallFilter::default(), &page).await?;
                Ok(Answer::Calls { live, rows })
            }
            Question::Trace(sid) => {
                store.flush().await?;
                let Some(call) = store.call(sid).await? else { bail!("there is no call {sid}") };
                // The whole ladder hangs together: a child is shown with its parent.
                let root = call.parent.unwrap_or(sid);
                let filter = store::CallFilter { parent: Some(root), ..Default::default() };
                let mut calls = store.calls(&filter, &store::Page::first(100)).await?;
                calls.extend(store.call(root).await?);
                calls.sort_by_key(|call| (call.parent.is_some(), call.created));
                let mut traced = Vec::new();
                for call in calls {
                    traced.push(self.traced(call).await?);
                }
                Ok(Answer::Trace(traced))
            }
            Question::Reload => {
                let (reply, answer) = oneshot::channel();
                self.reload.send(reply).await.ok().context("the box is stopping")?;
                match answer.await.context("the box is stopping")? {
                    Ok(after_restart) => Ok(Answer::Reloaded { after_restart }),
                    Err(why) => Ok(Answer::Error(why)),
                }
            }
        }
    }

    async fn traced(&self, call: CallRow) -> anyhow::Result<Traced> {
        let store = &self.world.store;
        let events = store.events(call.sid).await?;
        let filter = store::NotificationFilter { call: Some(call.sid), ..Default::default() };
        let notifications = store.notifications(&filter, &store::Page::first(100)).await?;
        let filter = store::RecordingFilter { call: Some(call.sid), ..Default::default() };
        let recordings = store.recordings(&filter, &store::Page::first(100)).await?;
        Ok(Traced { call, events, notifications, recordings })
    }

    async fn status(&self) -> anyhow::Result<Answer> {
        let OperatorReply::Status(node) = self.node(Operator::Status).await? else {
            bail!("the node answered another question");
        };
        let media = self.world.media.stats();
        let database = match self.world.store.health().degraded {
            None => "ok".to_owned(),
            Some(why) => format!("degraded since {}: {}", why.since, why.error),
        };
        Ok(Answer::Status(Box::new(Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            node,
            uptime_s: self.started.elapsed().as_secs(),
            database,
            media_legs: media.legs,
            media_threads: media.threads,
            degraded_realtime: media.degraded_realtime,
            eased: media.eased,
            recordings: media.recordings,
            recordings_failed: media.recordings_failed,
            recordings_trouble: media.recordings_trouble,
            packets_received: media.packets_received,
            packets_sent: media.packets_sent,
            public_key: self.world.webhooks.public_key(),
        })))
    }
}
