//! `tandem run`: the house put together, started, drained and stopped.

use std::collections::BTreeMap;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use base::{Mono, Rng, WorkspaceSid};
use call::taskrouter::rows::RouterRow;
use call::{Node, Operator, OperatorReply};
use config::Config;
use router::clock::moment;
use store::Store;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};

use crate::clock::{self, Clock};
use crate::control::{self, Desk};
use crate::gauges;
use crate::retention;
use crate::shell::{self, Ask, Inbox, World};
use crate::usage;
use crate::web_access::WebAccess;

/// Written into SIP messages.
const USER_AGENT: &str = concat!("Tandem/", env!("CARGO_PKG_VERSION"));

/// What may wait between a shell and the node.
const SIP_INPUTS_MAX: usize = 4_096;
const MEDIA_EVENTS_MAX: usize = 16_384;
const CALLBACKS_MAX: usize = 8_192;
const STREAM_EVENTS_MAX: usize = 1_024;
const ASKS_MAX: usize = 64;

/// Runs the box until it is told to stop.
pub(crate) fn run(config_file: Option<PathBuf>, state: Option<PathBuf>) -> anyhow::Result<()> {
    let config = load(config_file.as_deref(), state.as_deref())?;
    telemetry::init(&config.log.filter, config.log.format == config::LogFormat::Json)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(config, config_file, state))
}

/// Reads the configuration and makes sure that its state directory and account exist.
fn load(config_file: Option<&Path>, state: Option<&Path>) -> anyhow::Result<Config> {
    let mut config = crate::cli::load(config_file, state)?;
    make_private(&config.state.join(RECORDINGS))
        .with_context(|| format!("cannot create the state directory {}", config.state.display()))?;
    if config.account_is_new {
        config::keep_account(&config)?;
    }
    config.office.addresses = net::local::interface_addresses();
    Ok(config)
}

const RECORDINGS: &str = "recordings";
/// How long the start waits for what workspaces had counted; tasks are given out without it.
const PAST_PATIENCE: Duration = Duration::from_millis(300);

/// Makes a directory, and those above it, that other users of the machine may not look into, as the unit makes it.
fn make_private(directory: &Path) -> std::io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o750).create(directory)
}

/// What a crash or a power cut left: files that promise too little or too much, rows that nobody completed.
async fn complete_recordings(store: &store::Store, folder: &Path) -> anyhow::Result<()> {
    let all = folder.to_owned();
    let repaired = tokio::task::spawn_blocking(move || net::media::repair_all(&all)).await?;
    match repaired {
        Ok(0) => {}
        Ok(repaired) => {
            tracing::warn!(repaired, "recordings were cut off when the box last stopped; repaired")
        }
        Err(error) => tracing::warn!(folder = %folder.display(), %error, "recordings were not checked"),
    }
    for mut row in store.unfinished_recordings().await.context("the database")? {
        let path = folder.join(&row.path);
        let found = tokio::task::spawn_blocking(move || net::media::repair(&path)).await?;
        row.updated = clock::wall();
        match found {
            Ok(found) if found.duration_ms > 0 => {
                row.status = call::record::RecordingStatus::Completed;
                row.duration_ms = Some(found.duration_ms);
                row.bytes = Some(found.bytes);
            }
            Ok(_) | Err(_) => row.status = call::record::RecordingStatus::Absent,
        }
        tracing::warn!(sid = %row.sid, status = row.status.as_str(), "a recording was cut off when the box last stopped");
        store.write(call::record::StoreItem::Recording(row));
    }
    Ok(())
}

async fn serve(config: Config, config_file: Option<PathBuf>, state: Option<PathBuf>) -> anyhow::Result<()> {
    let started = Instant::now();
    let control = control::listen(&config.state)?;
    let store = store::Store::open(config.store_url.reveal(), &config.state).await.context("the database")?;
    let ended = store.end_orphans(clock::wall()).await.context("the database")?;
    if ended > 0 {
        tracing::warn!(calls = ended, "calls were in progress when the box last stopped; recorded as ended");
    }
    complete_recordings(&store, &config.state.join(RECORDINGS)).await?;
    let mut rng = Rng::from_entropy(entropy()?);
    let (sip_tx, sip_rx) = mpsc::channel(SIP_INPUTS_MAX);
    let (media_tx, media_rx) = mpsc::channel(MEDIA_EVENTS_MAX);
    let (callbacks_tx, callbacks_rx) = mpsc::channel(CALLBACKS_MAX);
    let (streams_tx, streams_rx) = mpsc::channel(STREAM_EVENTS_MAX);
    let (asks_tx, asks_rx) = mpsc::channel(ASKS_MAX);

    let webhooks = net::webhook::Webhooks::new(WebAccess::webhooks(&config)?, rng.fork(), callbacks_tx)?;
    let sounds = speech::Sounds::new(
        speech::SoundsConfig {
            cache_dir: config.state.join("speech"),
            command: config.speech.command.clone(),
            voices: config.speech.voices.clone(),
        },
        webhooks.clone(),
    );
    let recogniser = speech::Recogniser::new(
        speech::Backend::parse(&config.speech.recogniser).unwrap_or(speech::Backend::None),
    );
    let clips = sounds.clone();
    let media = net::media::MediaPlane::start(
        net::media::MediaPlaneConfig {
            threads: config.media.threads.unwrap_or(0),
            ports: config.media.ports.0..=config.media.ports.1,
            address: config.media.address.unwrap_or(std::net::Ipv4Addr::UNSPECIFIED.into()),
            recordings: config.state.join(RECORDINGS),
            recordings_free_min: config.recordings_free_min,
            gather_max: net::media::GATHER_MAX,
            eased_from_permille: net::media::EASED_FROM_PERMILLE,
        },
        media_tx,
        Arc::new(move |key| clips.get(key)),
    )?;
    let listen: Vec<_> = config
        .sip
        .listen
        .iter()
        .map(|&(transport, address)| net::sip::Listen { transport, address })
        .collect();
    let transports = net::sip::SipTransports::bind(&listen, sip_tx)?;
    let http = tokio::net::TcpListener::bind(config.http.listen)
        .await
        .with_context(|| format!("cannot listen on {} for HTTP", config.http.listen))?;

    let resolver = net::dns::Resolver::system();
    let web = WebAccess::of(&config.auth_token, &config.webhooks)?;
    let streams = net::stream::Streams::new(
        net::stream::StreamsConfig {
            signer: web.signer,
            user_agent: web.user_agent,
            trust: web.trust,
            destinations: web.destinations,
        },
        resolver.clone(),
        media.taps(),
        streams_tx,
    );
    let clock = Clock::start();
    let opened = api::OfficeBook::open(store.clone(), config.office.clone(), &config.caller_ids).await;
    let (book, offices) = opened.context("the database")?;
    let mut node = Node::new(book.view().office(), USER_AGENT, rng, clock.now());
    let registrations = store.registrations(clock.now().wall).await.context("the database")?;
    node.restore_registrations(registrations, clock.now());
    node.restore_queues(store.queues().await.context("the database")?);
    let rows = store.router_rows().await.context("the database")?;
    let mut counted = tokio::spawn(router_past(store.clone(), &rows, moment(clock.now().wall)));
    let past = tokio::time::timeout(PAST_PATIENCE, &mut counted).await;
    let past = past.ok().map(|past| past.unwrap_or_default());
    node.restore_router(rows, past.as_ref(), clock.now());
    if past.is_none() {
        // Tasks are given out meanwhile.
        let asks = asks_tx.clone();
        tokio::spawn(async move {
            let past = counted.await.unwrap_or_default();
            tracing::info!(workspaces = past.len(), "what was counted before is counted again");
            asks.send(Ask::Past(past)).await.ok();
        });
    }
    let world = Arc::new(World {
        transports,
        media,
        webhooks,
        resolver,
        sounds,
        recogniser,
        recordings: config.state.join(RECORDINGS),
        store: store.clone(),
        streams,
    });
    let ready = api::Ready::default();
    let (orders, orders_rx) = api::Orders::channel();
    let desktops = store.desktops().await.context("the database")?;
    let api = api::Api {
        account_sid: config.office.account_sid,
        auth_token: config.auth_token.reveal().into(),
        store: store.clone(),
        orders,
        office: book.clone(),
        key_seed: config::key_seed(&config.state)?.reveal().into(),
        validations: api::Validations::default(),
        recordings: config.state.join(RECORDINGS),
        metrics: telemetry::metrics(),
        ready: ready.clone(),
        balance: match config.http.balance_url.clone() {
            Some(url) => api::Balance::at_carrier(url, world.webhooks.clone()),
            None => api::Balance::default(),
        },
        desktops: api::Desktops::new(Duration::from_secs(u64::from(config.http.desktop_grace_s))),
        door: api::Door {
            limits: api::Limits::new(config.http.requests_per_second, config.http.requests_at_once),
            trusted_proxies: config.http.trusted_proxies.as_slice().into(),
            public_url: config.http.public_url.as_str().into(),
            open_recordings: config.recordings_open,
        },
    };
    let waiting = tokio::spawn(api::await_desktops(api.clone(), desktops));
    let web = tokio::spawn(async move { api::serve(http, api::router(api)).await });

    let (reload_tx, reload_rx) = mpsc::channel(4);
    let desk = Desk { asks: asks_tx.clone(), reload: reload_tx, world: Arc::clone(&world), started };
    let control = tokio::spawn(control::serve(control, desk.clone()));
    let inbox = Inbox {
        sip: sip_rx,
        media: media_rx,
        streams: streams_rx,
        callbacks: callbacks_rx,
        asks: asks_rx,
        orders: orders_rx,
        offices,
    };
    let node = tokio::spawn(shell::run(node, Arc::clone(&world), inbox, clock));

    ready.set(true);
    tell_systemd(sd_notify::NotifyState::Ready);
    tracing::info!(office = config.office.name, listen = ?world.transports.local_addrs(), http = %config.http.listen, "taking calls");
    crate::tables::say(&greeting(&config));
    let gauges = tokio::spawn(gauges::keep(desk.clone()));
    let recordings = config.state.join(RECORDINGS);
    let forgetting = tokio::spawn(retention::keep(world.store.clone(), recordings, config.retention));
    let triggers = tokio::spawn(usage::watch(
        world.store.clone(),
        book.clone(),
        config.office.account_sid,
        world.webhooks.clone(),
    ));
    let reloading = Reloading { file: config_file, state, current: config.clone(), book };
    watch_signals(&desk, reload_rx, &ready, reloading).await?;
    gauges.abort();
    forgetting.abort();
    triggers.abort();
    waiting.abort();
    tell_systemd(sd_notify::NotifyState::Stopping);

    // What the last calls left behind is sent and written before the process ends.
    asks_tx.send(Ask::Stop).await.ok();
    node.await.ok();
    world.transports.stop().await;
    world.media.stop();
    world.store.close().await;
    control.abort();
    web.abort();
    std::fs::remove_file(control::socket_path(&config.state)).ok();
    Ok(())
}

/// Waits for the signals: HUP reloads, the first TERM or INT drains, the second stops.
async fn watch_signals(
    desk: &Desk,
    mut reloads: mpsc::Receiver<oneshot::Sender<Result<Vec<String>, String>>>,
    ready: &api::Ready,
    mut reloading: Reloading,
) -> anyhow::Result<()> {
    let mut hup = signal(SignalKind::hangup())?;
    let mut term = signal(SignalKind::terminate())?;
    let mut int = signal(SignalKind::interrupt())?;
    let mut draining = false;
    let mut tick = tokio::time::interval(Duration::from_millis(200));
    loop {
        tokio::select! {
            _ = hup.recv() => {
                if let Err(why) = reloading.reload(desk).await {
                    tracing::error!("the configuration in force stays: {why}");
                }
            }
            Some(reply) = reloads.recv() => {
                let result = reloading.reload(desk).await;
                reply.send(result).ok();
            }
            _ = term.recv() => if draining { break } else { draining = drain(desk, ready).await? },
            _ = int.recv() => if draining { break } else { draining = drain(desk, ready).await? },
            _ = tick.tick(), if draining => {
                let OperatorReply::Status(status) = desk.node(Operator::Status).await? else { continue };
                if status.calls == 0 {
                    return Ok(());
                }
            }
        }
    }
    hang_up_all(desk).await
}

async fn drain(desk: &Desk, ready: &api::Ready) -> anyhow::Result<bool> {
    ready.set(false);
    tracing::info!("draining: calls in progress go on, no new ones are taken; signal again to stop at once");
    desk.node(Operator::Drain).await?;
    Ok(true)
}

/// Ends every call properly, then gives the messages a moment to leave.
async fn hang_up_all(desk: &Desk) -> anyhow::Result<()> {
    if let OperatorReply::Calls(calls) = desk.node(Operator::Calls).await? {
        for call in calls {
            desk.node(Operator::Hangup(call.sid)).await?;
        }
    }
    for _ in 0..20 {
        let OperatorReply::Status(status) = desk.node(Operator::Status).await? else { break };
        if status.calls == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// What a reload needs to know.
struct Reloading {
    /// As named on the command line.
    file: Option<PathBuf>,
    state: Option<PathBuf>,
    /// What is in force.
    current: Config,
    book: api::OfficeBook,
}

impl Reloading {
    /// Reads the configuration again. What needs a restart is said and stays as it was; the rest holds from the
    /// next call on.
    async fn reload(&mut self, desk: &Desk) -> Result<Vec<String>, String> {
        let mut config =
            load(self.file.as_deref(), self.state.as_deref()).map_err(|error| format!("{error:#}"))?;
        let mut after_restart = Vec::new();
        for change in self.current.changes(&config) {
            match change.needs_restart {
                true => {
                    tracing::warn!(what = change.what, "changed in the file; holds after a restart");
                    after_restart.push(change.what);
                }
                false => tracing::info!(what = change.what, "changed"),
            }
        }
        // The sockets that are open stay the ones the endpoint speaks through.
        config.office.listen.clone_from(&self.current.office.listen);
        config.office.account_sid = self.current.office.account_sid;
        // What webhooks and the API name is one URL, also while the file says another.
        config.office.public_url.clone_from(&self.current.office.public_url);
        if self.current.media.threads != config.media.threads {
            desk.world.media.set_threads(config.media.threads.unwrap_or(0));
        }
        self.book.reload(config.office.clone(), &config.caller_ids).await?;
        self.current = config;
        tracing::info!("the configuration was read again");
        Ok(after_restart)
    }
}

/// What to do next, for whoever started the box by hand.
fn greeting(config: &Config) -> String {
    use std::fmt::Write as _;
    let office = &config.office;
    let mut text = format!("\n{} is taking calls.\n", office.name);
    for (transport, address) in &config.sip.listen {
        let _ = writeln!(text, "  SIP      {transport}:{address}");
    }
    let _ = writeln!(text, "  HTTP     {}", config.http.public_url);
    for phone in office.phones.values() {
        let extension = phone.extension.as_deref().unwrap_or("-");
        let _ = writeln!(text, "  phone    {} (extension {extension})", phone.name);
    }
    for number in office.numbers.values() {
        let _ = writeln!(text, "  number   {}", number.number);
    }
    let _ = writeln!(
        text,
        "Register a phone with one of these names and the password in {}, and dial a number or an extension.\n\
         `tandem status`, `tandem calls` and `tandem trace CALLSID` show what happens.",
        config.file.display()
    );
    text
}

/// 32 bytes from the operating system.
pub(crate) fn entropy() -> anyhow::Result<[u8; 32]> {
    use std::io::Read as _;
    let mut seed = [0; 32];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut seed).context("no entropy")?;
    Ok(seed)
}

/// What workspaces had counted when the box stopped, before this moment.
fn router_past(
    store: Store,
    rows: &[RouterRow],
    before: Mono,
) -> impl Future<Output = BTreeMap<WorkspaceSid, router::Past>> + use<> {
    let workspace = |row: &RouterRow| match row {
        RouterRow::Workspace(row) => Some(row.sid),
        _ => None,
    };
    let workspaces: Vec<WorkspaceSid> = rows.iter().filter_map(workspace).collect();
    async move {
        let mut all = BTreeMap::new();
        for workspace in workspaces {
            match store.router_past(workspace, before).await {
                Ok(past) => all.extend(past.map(|past| (workspace, past))),
                Err(error) => tracing::warn!(%workspace, %error, "its statistics begin anew"),
            }
        }
        all
    }
}

/// Tells systemd, if it started us; a box started by hand has nobody to tell.
fn tell_systemd(state: sd_notify::NotifyState<'_>) {
    sd_notify::notify(false, &[state]).ok();
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_new_state_directory_is_not_for_everybody() {
        let home = tempfile::tempdir().unwrap();
        let state = home.path().join("state");
        make_private(&state.join(RECORDINGS)).unwrap();
        for made in [state.clone(), state.join(RECORDINGS)] {
            assert_eq!(
                std::fs::metadata(&made).unwrap().permissions().mode() & 0o007,
                0,
                "{}",
                made.display()
            );
        }
        make_private(&state.join(RECORDINGS)).expect("what is there stays");
    }
}
