//! The loop around the node: outputs out, one input or the deadline in.
//!
//! Nothing here waits for the outside world. What takes time is a task of its own whose result comes back
//! through a bounded channel; the node sees one thing after the other.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use base::WorkspaceSid;
use call::{FetchId, FetchKind, Input, Node, Operator, OperatorReply, Output};
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::clock::Clock;

/// What the node's outputs are carried out with.
pub(crate) struct World {
    pub(crate) transports: net::sip::SipTransports,
    pub(crate) media: net::media::MediaPlane,
    pub(crate) webhooks: net::webhook::Webhooks,
    pub(crate) resolver: net::dns::Resolver,
    pub(crate) sounds: speech::Sounds,
    pub(crate) recogniser: speech::Recogniser,
    pub(crate) recordings: PathBuf,
    pub(crate) store: store::Store,
    pub(crate) streams: net::stream::Streams,
}

/// Where inputs come from.
pub(crate) struct Inbox {
    pub(crate) sip: mpsc::Receiver<sip::Input>,
    pub(crate) media: mpsc::Receiver<media::Event>,
    /// What media streams tell.
    pub(crate) streams: mpsc::Receiver<Input>,
    /// What became of status callbacks.
    pub(crate) callbacks: mpsc::Receiver<(FetchId, Result<twiml::Fetched, twiml::FetchFailure>)>,
    pub(crate) asks: mpsc::Receiver<Ask>,
    /// What the API asks.
    pub(crate) orders: mpsc::Receiver<api::Order>,
    /// The office as it is from now on: the file was read again, or the API changed it.
    pub(crate) offices: mpsc::Receiver<api::NewOffice>,
}

/// A question or an order for the node.
pub(crate) enum Ask {
    /// Answered through the channel.
    Operator(Operator, oneshot::Sender<OperatorReply>),
    /// What workspaces had counted before the box stopped.
    Past(BTreeMap<WorkspaceSid, router::Past>),
    /// Leave the loop.
    Stop,
}

/// Results of tasks that may wait for the node to take them.
const RESULTS_MAX: usize = 4_096;

/// Runs the node until it is told to stop.
pub(crate) async fn run(mut node: Node, world: Arc<World>, mut inbox: Inbox, clock: Clock) {
    let (results_tx, mut results) = mpsc::channel::<Input>(RESULTS_MAX);
    let mut waiting: BTreeMap<u64, oneshot::Sender<OperatorReply>> = BTreeMap::new();
    let mut fetching: BTreeMap<FetchId, AbortHandle> = BTreeMap::new();
    let mut next_ask = 0_u64;
    loop {
        while let Some(output) = node.poll_output() {
            carry_out(output, &world, &results_tx, &mut waiting, &mut fetching);
        }
        let deadline = node.poll_timeout().map(|(mono, _)| Instant::from_std(clock.instant(mono)));
        let mut taken = None;
        let input = tokio::select! {
            biased;
            () = sleep_until(deadline) => None,
            Some(input) = inbox.sip.recv() => Some(Input::Sip(input)),
            Some(event) = inbox.media.recv() => Some(Input::Media(event)),
            Some(input) = results.recv() => Some(input),
            Some(input) = inbox.streams.recv() => Some(input),
            Some((id, result)) = inbox.callbacks.recv() => Some(Input::Fetched { id, result }),
            Some(order) = inbox.orders.recv() => {
                next_ask += 1;
                waiting.insert(next_ask, order.reply);
                Some(Input::Command { id: next_ask, command: order.command })
            }
            Some(new) = inbox.offices.recv() => {
                taken = Some(new.taken);
                Some(Input::Office(new.office))
            }
            Some(ask) = inbox.asks.recv() => match ask {
                Ask::Operator(command, reply) => {
                    next_ask += 1;
                    waiting.insert(next_ask, reply);
                    Some(Input::Command { id: next_ask, command })
                }
                Ask::Past(past) => {
                    node.remember_router(past, clock.now());
                    continue;
                }
                Ask::Stop => return,
            },
        };
        if let Some(Input::Fetched { id, .. }) = &input {
            fetching.remove(id);
        }
        let now = clock.now();
        match input {
            Some(input) => node.handle(input, now),
            None => node.handle_timeout(now),
        }
        if let Some(taken) = taken {
            // Whoever changed the office and has gone needs no word.
            let _ = taken.send(());
        }
    }
}

/// Sleeps until the deadline; without one, for ever.
async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

fn carry_out(
    output: Output,
    world: &Arc<World>,
    results: &mpsc::Sender<Input>,
    waiting: &mut BTreeMap<u64, oneshot::Sender<OperatorReply>>,
    fetching: &mut BTreeMap<FetchId, AbortHandle>,
) {
    match output {
        Output::Transmit { flow, bytes } => world.transports.send(flow, bytes),
        Output::Media(command) => world.media.command(command),
        Output::Store(item) => world.store.write(item),
        Output::Listen(listen) => {
            let tap = world.media.taps().take(listen.tap);
            tokio::spawn(world.recogniser.clone().listen(*listen, tap, results.clone()));
        }
        Output::Transcribe { sid, path, language } => {
            let world = Arc::clone(world);
            report(results, async move {
                let path = world.recordings.join(path);
                let text = world.recogniser.transcribe_file(&path, &language).await;
                Input::Transcribed { sid, result: text.map_err(|error| (error.code, error.message)) }
            });
        }
        Output::StreamOpen(open) => world.streams.open(open),
        Output::Stream { stream, ask } => world.streams.ask(stream, ask),
        Output::CallOver(call) => world.webhooks.call_ended(call),
        Output::Reply { id, reply } => {
            if let Some(asker) = waiting.remove(&id) {
                // An asker that has gone needs no answer.
                let _ = asker.send(reply);
            }
        }
        Output::Fetch(request) => match request.kind {
            FetchKind::StatusCallback
            | FetchKind::ConferenceCallback(_)
            | FetchKind::RouterEvent
            | FetchKind::Debugger => {
                world.webhooks.post_status(request);
            }
            FetchKind::Document => {
                let id = request.id;
                let fetch = world.webhooks.fetch(request);
                let task = report(results, async move {
                    let (id, result) = fetch.await;
                    Input::Fetched { id, result }
                });
                fetching.insert(id, task);
            }
        },
        Output::Abort(id) => {
            if let Some(task) = fetching.remove(&id) {
                task.abort();
            }
        }
        Output::Resolve { id, host, port, transport } => {
            let world = Arc::clone(world);
            report(results, async move {
                let addrs = world.resolver.resolve(&host, port, transport).await;
                Input::Sip(sip::Input::Resolved { id, addrs })
            });
        }
        Output::Prepare { key, source } => {
            let world = Arc::clone(world);
            report(results, async move {
                let prepared = world.sounds.prepare(key.clone(), source).await;
                Input::Sound { key, result: prepared.map_err(|error| (error.code, error.message)) }
            });
        }
    }
}

/// Runs a task whose result is an input of the node.
fn report(results: &mpsc::Sender<Input>, work: impl Future<Output = Input> + Send + 'static) -> AbortHandle {
    let results = results.clone();
    let task = tokio::spawn(async move {
        let input = work.await;
        // The loop has ended: nobody is interested any more.
        let _ = results.send(input).await;
    });
    task.abort_handle()
}
