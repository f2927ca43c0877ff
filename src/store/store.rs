//! The handle: open, write, flush, close.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use base::Timestamp;
use call::record::StoreItem;
use call::taskrouter::rows::{RouterEventRow, RouterItem};
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::{AnyConnection, AnyPool, Connection};
use tokio::sync::broadcast;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tracing::warn;

use crate::writer::{self, Shared, Writer};
use crate::{Health, ResourceRow, StoreError, resources, schema, sql};

/// The file of the default database, in the state directory.
const DATABASE_FILE: &str = "tandem.sqlite";
/// The file that keeps this box's id, in the state directory.
const BOX_ID_FILE: &str = "box-id";
/// Connections at once beside the writer's.
const READERS_MAX: u32 = 4;
/// What SQLite's connections begin with; its cache is 8 MB a connection. What a statement for several rows would need to
/// be undone goes into memory: into files it was half of all that was written.
const SQLITE_SETTINGS: [&str; 4] = [
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = NORMAL",
    "PRAGMA cache_size = -8000",
    "PRAGMA temp_store = MEMORY",
];
/// How long a connection is waited for.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);
/// Events that a listener may be behind.
const NEWS_MAX: usize = 4_096;
/// How long opening waits for the database.
const MIGRATE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a reader waits for rows still in memory: by then they have been written, or an attempt has failed and the store
/// says that it is degraded. Nobody is shown what is no longer so by a disk that is only slow.
const SETTLE_TIMEOUT: Duration = writer::BATCH_TIMEOUT;

/// What survives a restart. Clones are handles to the same store.
#[derive(Clone)]
pub struct Store {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) pool: AnyPool,
    /// Which of the two databases it is.
    pub(crate) sqlite: bool,
    /// The one connection that rows are written through: however many read, they do not keep it waiting.
    writers: AnyPool,
    pub(crate) box_id: String,
    pub(crate) shared: Arc<Shared>,
    writer: Mutex<Option<JoinHandle<()>>>,
    /// What workspaces tell, to whoever listens.
    pub(crate) news: broadcast::Sender<Arc<RouterEventRow>>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl Store {
    /// Opens the database a url names, bringing its tables up to date.
    ///
    /// `sqlite:` alone is a file in `state_dir`, `sqlite:<path>` another file, `postgres://…` a server. A file
    /// that cannot be opened is an error; a server that cannot be reached is not: the store is then degraded,
    /// keeps rows in memory and goes on trying. The caller has made `state_dir`.
    pub async fn open(url: &str, state_dir: &Path) -> Result<Store, StoreError> {
        Self::open_with(url, state_dir, "").await
    }

    /// [`open`](Self::open), with a statement run on every new SQLite connection.
    pub(crate) async fn open_with(
        url: &str,
        state_dir: &Path,
        pragma: &'static str,
    ) -> Result<Store, StoreError> {
        install_drivers();
        let box_id = box_id(state_dir)?;
        let database = Database::parse(url, state_dir)?;
        let sqlite = matches!(database, Database::Sqlite(_));
        let options: AnyConnectOptions = database.url()?.parse()?;
        // Asked before the pool is: a pool keeps trying until its timeout when nobody listens.
        let migrated = migrate(&options).await;
        let pool = pool(&options, sqlite, pragma, READERS_MAX);
        let writers = self::pool(&options, sqlite, pragma, 1);
        let shared = Arc::new(Shared::default());
        let migrated = match migrated {
            Ok(()) => true,
            Err(error) if sqlite || matches!(error, StoreError::TooNew { .. }) => return Err(error),
            Err(error) => {
                warn!(%error, "the database cannot be reached; rows wait in memory");
                shared.degrade(&error);
                false
            }
        };
        let writer = Writer { pool: writers.clone(), box_id: box_id.clone(), sqlite, migrated };
        let writer = tokio::spawn(writer::run(writer, shared.clone()));
        let (news, _) = broadcast::channel(NEWS_MAX);
        let writer = Mutex::new(Some(writer));
        Ok(Store { inner: Arc::new(Inner { pool, sqlite, writers, box_id, shared, writer, news }) })
    }

    /// Takes a row to be written. Never waits, never fails: see [`health`](Self::health).
    pub fn write(&self, item: StoreItem) {
        if let StoreItem::Router(RouterItem::Event(event)) = &item
            && self.inner.news.receiver_count() > 0
        {
            // Who has left meanwhile misses nothing.
            let _ = self.inner.news.send(Arc::new((**event).clone()));
        }
        self.inner.shared.push(item);
    }

    /// What workspaces tell from now on. Who is more than `NEWS_MAX` behind is told that it has missed something.
    pub fn news(&self) -> broadcast::Receiver<Arc<RouterEventRow>> {
        self.inner.news.subscribe()
    }

    /// Waits until everything written so far is on disk, out of a power cut's reach, or an attempt to put it
    /// there has failed.
    pub async fn flush(&self) -> Result<(), StoreError> {
        self.wait(true).await
    }

    async fn wait(&self, durable: bool) -> Result<(), StoreError> {
        match self.inner.shared.wait(durable) {
            None => Ok(()),
            Some(done) => done.await.unwrap_or(Err(StoreError::Closed)),
        }
    }

    /// How the store is.
    pub fn health(&self) -> Health {
        let state = self.inner.shared.lock();
        Health {
            degraded: state.degraded.clone(),
            pending: state.waiting(),
            dropped: state.pending.dropped(),
            written: state.written,
        }
    }

    /// Writes what is left, as far as the database takes it, and closes every connection.
    pub async fn close(&self) {
        self.inner.shared.close();
        let writer = self.inner.writer.lock().ok().and_then(|mut writer| writer.take());
        if let Some(writer) = writer
            && let Err(error) = writer.await
        {
            warn!(%error, "the store's writer ended badly");
        }
        self.inner.writers.close().await;
        self.inner.pool.close().await;
    }

    /// Gives calls and conferences an end that this box left open when it last stopped without ending them: they
    /// cannot be going on. Returns how many calls.
    pub async fn end_orphans(&self, at: Timestamp) -> Result<u64, StoreError> {
        let done = sqlx::query(sql::END_CALLS)
            .bind(at.0)
            .bind(self.inner.box_id.as_str())
            .execute(&self.inner.pool)
            .await?;
        // Nobody can be in their conferences any more.
        sqlx::query(sql::END_CONFERENCES)
            .bind(at.0)
            .bind(self.inner.box_id.as_str())
            .execute(&self.inner.pool)
            .await?;
        Ok(done.rows_affected())
    }

    /// Waits a moment for rows still in memory, so that a reader finds what was written before it asked.
    pub(crate) async fn settle(&self) {
        let Health { degraded, pending, .. } = self.health();
        if pending > 0 && degraded.is_none() {
            // Late or failed, the read goes on with what is on disk; health says which.
            let _ = timeout(SETTLE_TIMEOUT, self.wait(false)).await;
        }
    }
}

/// Connections that are opened when they are first needed; `pragma` is run on each of SQLite's.
fn pool(options: &AnyConnectOptions, sqlite: bool, pragma: &'static str, most: u32) -> AnyPool {
    AnyPoolOptions::new()
        .max_connections(most)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .after_connect(move |connection, _| {
            Box::pin(async move {
                if sqlite {
                    // Readers do not wait for the writer. A power cut takes what was written in the last moments
                    // and not flushed, never the file.
                    for own in SQLITE_SETTINGS {
                        sqlx::query(own).execute(&mut *connection).await?;
                    }
                    if !pragma.is_empty() {
                        sqlx::query(pragma).execute(&mut *connection).await?;
                    }
                }
                Ok(())
            })
        })
        .connect_lazy_with(options.clone())
}

fn install_drivers() {
    static DRIVERS: Once = Once::new();
    DRIVERS.call_once(sqlx::any::install_default_drivers);
}

/// What the REST API made of the office of the box whose state this is, for somebody who is not the box; nothing where it
/// never ran. Makes and changes nothing.
pub async fn stored_resources(url: &str, state_dir: &Path) -> Result<Vec<ResourceRow>, StoreError> {
    install_drivers();
    let database = Database::parse(url, state_dir)?;
    let Ok(id) = std::fs::read_to_string(state_dir.join(BOX_ID_FILE)) else { return Ok(Vec::new()) };
    if let Database::Sqlite(path) = &database
        && !path.exists()
    {
        return Ok(Vec::new());
    }
    // Without the right to create the file.
    let options: AnyConnectOptions = database.url()?.replace("?mode=rwc", "?mode=rw").parse()?;
    let work = async {
        let mut connection = AnyConnection::connect_with(&options).await?;
        let rows = resources::of_box(&mut connection, id.trim()).await?;
        connection.close().await?;
        Ok(rows)
    };
    timeout(MIGRATE_TIMEOUT, work).await.unwrap_or(Err(StoreError::Timeout(MIGRATE_TIMEOUT.as_secs())))
}

async fn migrate(options: &AnyConnectOptions) -> Result<(), StoreError> {
    let work = async {
        let mut connection = AnyConnection::connect_with(options).await?;
        schema::migrate(&mut connection).await?;
        Ok(connection.close().await?)
    };
    timeout(MIGRATE_TIMEOUT, work).await.unwrap_or(Err(StoreError::Timeout(MIGRATE_TIMEOUT.as_secs())))
}

enum Database {
    Sqlite(PathBuf),
    Postgres(String),
}

impl Database {
    fn parse(url: &str, state_dir: &Path) -> Result<Self, StoreError> {
        if let Some(path) = url.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            let name = if path.is_empty() { DATABASE_FILE } else { path };
            return Ok(Database::Sqlite(state_dir.join(name)));
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Database::Postgres(url.to_owned()));
        }
        Err(StoreError::Url)
    }

    fn url(&self) -> Result<String, StoreError> {
        match self {
            Database::Postgres(url) => Ok(url.clone()),
            Database::Sqlite(path) => {
                let absolute = std::path::absolute(path).map_err(|source| state_error(path, source))?;
                Ok(format!("sqlite://{}?mode=rwc", escape(&absolute.to_string_lossy())))
            }
        }
    }
}

/// What a URL gives another meaning, percent-encoded (RFC 3986 §2.1).
fn escape(path: &str) -> String {
    path.replace('%', "%25").replace('?', "%3F").replace('#', "%23").replace(' ', "%20")
}

/// The id of this box, made at the first start: with several boxes on one database each row says whose it is.
fn box_id(state_dir: &Path) -> Result<String, StoreError> {
    let path = state_dir.join(BOX_ID_FILE);
    match std::fs::read_to_string(&path) {
        Ok(text) if !text.trim().is_empty() => return Ok(text.trim().to_owned()),
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(source) => return Err(state_error(&path, source)),
    }
    let mut bytes = [0; 8];
    let random = Path::new("/dev/urandom");
    std::fs::File::open(random)
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(|source| state_error(random, source))?;
    let id = format!("{:016x}", u64::from_be_bytes(bytes));
    std::fs::write(&path, format!("{id}\n")).map_err(|source| state_error(&path, source))?;
    Ok(id)
}

fn state_error(path: &Path, source: std::io::Error) -> StoreError {
    StoreError::State { path: path.display().to_string(), source }
}
