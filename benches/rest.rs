//! Lists of the REST API over a database of a million calls, asked over HTTP by several clients at once: requests a second
//! of each kind of list, and whether what calls write meanwhile still reaches the disk as quickly.
//!
//! The database is made once and kept in the target directory: `rest-million`.

#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, reason = "a bench speaks to a person")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use base::{AccountSid, CallSid, Timestamp};
use base64::Engine as _;
use call::record::{CallRow, StoreItem};
use record::sid;
use serde_json::Value;
use store::Store;
use twiml::{CallStatus, Direction};

#[path = "common/machine.rs"]
mod machine;
#[path = "common/record.rs"]
mod record;

/// Rows of each kind.
const CALLS: u32 = 1_000_000;
const RECORDINGS: u32 = 100_000;
const NOTIFICATIONS: u32 = 100_000;
/// Clients that ask at once, and for how long of each list.
const CLIENTS: usize = 4;
const SPAN: Duration = Duration::from_secs(3);
/// Requests a second of the slowest list, by the clock, clients included.
const BUDGET: f64 = 1_000.0;
/// How much longer a call's row may take to the disk than without anybody who asks, and at least.
const WRITE_GROWTH: f64 = 4.0;
const WRITE_FLOOR: Duration = Duration::from_millis(50);

const ACCOUNT: AccountSid = AccountSid(1);
const TOKEN: &str = "secret";

/// What is asked: a name, and the list with its filters. Fifty rows a page, as nobody says otherwise.
const LISTS: &[(&str, &str)] = &[
    ("calls", "Calls.json"),
    ("calls to one", "Calls.json?To=%2B15550000042"),
    ("calls from one", "Calls.json?From=%2B15557000042"),
    ("calls that were busy", "Calls.json?Status=busy"),
    ("calls in progress: none", "Calls.json?Status=in-progress"),
    ("calls of one day", "Calls.json?StartTime=2025-03-04"),
    (
        "calls to one in one month",
        "Calls.json?To=%2B15550000042&StartTime%3E=2025-02-01&StartTime%3C=2025-02-28",
    ),
    ("calls that ended on one day", "Calls.json?EndTime=2025-03-04"),
    ("recordings", "Recordings.json"),
    ("recordings of one day", "Recordings.json?DateCreated=2025-01-04"),
    ("notifications", "Notifications.json"),
    ("errors", "Notifications.json?Log=0"),
];

fn main() -> ExitCode {
    println!("rest: list requests a second over {CALLS} calls, {CLIENTS} clients; {}", machine::describe());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("rest-million");
    let store = runtime.block_on(filled(&folder));
    let address = runtime.block_on(served(store.clone(), &folder));

    let alone = runtime.block_on(write_ms(&store, &AtomicBool::new(false), 100));
    let mut met = true;
    let mut lists: Vec<(String, String)> =
        LISTS.iter().map(|(name, path)| ((*name).to_owned(), format!("{}{path}", root()))).collect();
    lists.push(("calls, half way down".to_owned(), deep(address, "Calls.json", "CA")));
    let stop = Arc::new(AtomicBool::new(false));
    let writing = {
        let (store, stop) = (store.clone(), Arc::clone(&stop));
        runtime.spawn(async move { write_ms(&store, &stop, usize::MAX).await })
    };
    for (name, path) in &lists {
        let Asked { per_second, of_a_core, p99 } = asked(address, path);
        let is_met = per_second >= BUDGET;
        met &= is_met;
        let verdict = if is_met { "ok" } else { "OVER" };
        println!(
            "{name:30} {of_a_core:6.0} a second of one core   {per_second:6.0}/s   p99 {:6.1} ms   {verdict}",
            p99.as_secs_f64() * 1e3
        );
    }
    let began = Instant::now();
    Client::new(address).get(&format!("{}Usage/Records/AllTime.json?Category=calls", root()));
    println!("the minutes of every call counted: {:.0} ms", began.elapsed().as_secs_f64() * 1e3);
    stop.store(true, Ordering::Relaxed);
    let beside = runtime.block_on(writing).unwrap();
    let limit = WRITE_FLOOR.max(alone.mul_f64(WRITE_GROWTH));
    let is_met = beside <= limit;
    met &= is_met;
    println!(
        "a call's row on disk, p99: {:.1} ms alone, {:.1} ms beside all that   {}",
        alone.as_secs_f64() * 1e3,
        beside.as_secs_f64() * 1e3,
        if is_met { "ok" } else { "OVER" }
    );
    runtime.block_on(store.close());
    if met { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn root() -> String {
    format!("/2010-04-01/Accounts/{ACCOUNT}/")
}

/// The database, made where it is not there yet.
async fn filled(folder: &Path) -> Store {
    let mark = folder.join("filled");
    if !mark.exists() {
        let _ = std::fs::remove_dir_all(folder);
        std::fs::create_dir_all(folder).unwrap();
        println!("making the database in {}", folder.display());
        Store::open("sqlite:", folder).await.unwrap().close().await;
        let began = Instant::now();
        record::fill(&folder.join("tandem.sqlite"), "bench", CALLS, RECORDINGS, NOTIFICATIONS).await;
        println!("made in {:.0} s", began.elapsed().as_secs_f64());
        std::fs::write(&mark, "").unwrap();
    }
    Store::open("sqlite:", folder).await.unwrap()
}

fn call(n: u32) -> CallRow {
    let status = match n % 10 {
        0 => CallStatus::Busy,
        1 => CallStatus::NoAnswer,
        _ => CallStatus::Completed,
    };
    let (from, to) = (format!("+1555700{:04}", n % 9_973), format!("+1555000{:04}", n % 997));
    let mut row = CallRow::new(CallSid(sid(n)), Direction::Inbound, from, to, status, at(n));
    row.start = Some(at(n));
    row.end = Some(Timestamp(at(n).0 + 60_000_000));
    row.duration_s = Some(60);
    row
}

/// When the row of this number was.
fn at(n: u32) -> Timestamp {
    Timestamp(record::FIRST_US + i64::from(n) * record::APART_US)
}

/// Where the API answers.
async fn served(store: Store, folder: &Path) -> SocketAddr {
    let (orders, _taken) = api::Orders::channel();
    let office = sim::office(&[]);
    let (book, _offices) = api::OfficeBook::open(store.clone(), office, &[]).await.unwrap();
    let router = api::router(api::Api {
        account_sid: ACCOUNT,
        auth_token: TOKEN.into(),
        store,
        orders,
        office: book,
        recordings: folder.to_owned(),
        metrics: telemetry::metrics(),
        ready: api::Ready::default(),
        key_seed: "seed".into(),
        validations: api::Validations::default(),
        desktops: api::Desktops::default(),
        balance: api::Balance::default(),
        door: api::Door { limits: api::Limits::new(0, 0), ..api::Door::default() },
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(api::serve(listener, router));
    address
}

/// The page in the middle of a list.
fn deep(address: SocketAddr, list: &str, prefix: &str) -> String {
    let middle = CALLS / 2;
    let token = format!("PA{prefix}{:032x}-{}", sid(middle), at(middle).0);
    let path = format!("{}{list}?PageSize=50&Page=10000&PageToken={token}", root());
    let page = Client::new(address).get(&path);
    let page: Value = serde_json::from_slice(&page).unwrap();
    assert_eq!(page["calls"].as_array().unwrap().len(), 50, "{page}");
    path
}

/// How a list was answered.
struct Asked {
    /// Requests a second of the clock: as many as the rest of the machine left room for.
    per_second: f64,
    /// Requests a second of one core's time, what the clients need of it included.
    of_a_core: f64,
    /// How long the slowest hundredth took.
    p99: Duration,
}

/// The CPU time of this process.
fn cpu() -> Duration {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: zeroed memory is a valid `rusage`, which the call fills.
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr());
        usage.assume_init()
    };
    let time = |time: libc::timeval| Duration::new(time.tv_sec as u64, time.tv_usec as u32 * 1_000);
    time(usage.ru_utime) + time(usage.ru_stime)
}

fn asked(address: SocketAddr, path: &str) -> Asked {
    let (began, cpu_before) = (Instant::now(), cpu());
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let path = path.to_owned();
            std::thread::spawn(move || {
                let (mut client, mut took) = (Client::new(address), Vec::new());
                while began.elapsed() < SPAN {
                    let asked = Instant::now();
                    client.get(&path);
                    took.push(asked.elapsed());
                }
                took
            })
        })
        .collect();
    let mut took: Vec<Duration> = clients.into_iter().flat_map(|client| client.join().unwrap()).collect();
    let per_second = took.len() as f64 / began.elapsed().as_secs_f64();
    let of_a_core = took.len() as f64 / (cpu() - cpu_before).as_secs_f64();
    took.sort();
    Asked { per_second, of_a_core, p99: took[took.len() * 99 / 100] }
}

/// The p99 of a row written and flushed, one after the other, until told or so often.
async fn write_ms(store: &Store, stop: &AtomicBool, times: usize) -> Duration {
    let mut took = Vec::new();
    while took.len() < times && !stop.load(Ordering::Relaxed) {
        let began = Instant::now();
        // The same rows again and again: the database is kept as it is.
        store.write(StoreItem::Call(call(took.len() as u32 % CALLS)));
        store.flush().await.unwrap();
        took.push(began.elapsed());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    took.sort();
    took[took.len() * 99 / 100]
}

/// One connection, kept open.
struct Client {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
}

impl Client {
    fn new(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { reader: BufReader::new(stream.try_clone().unwrap()), stream }
    }

    fn get(&mut self, path: &str) -> Vec<u8> {
        let pair = base64::engine::general_purpose::STANDARD.encode(format!("{ACCOUNT}:{TOKEN}"));
        let request = format!("GET {path} HTTP/1.1\r\nHost: box\r\nAuthorization: Basic {pair}\r\n\r\n");
        self.stream.write_all(request.as_bytes()).unwrap();
        let (mut status, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            self.reader.read_line(&mut line).unwrap();
            if status.is_empty() {
                status.clone_from(&line);
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        self.reader.read_exact(&mut body).unwrap();
        assert!(status.starts_with("HTTP/1.1 200"), "{status}{}", String::from_utf8_lossy(&body));
        body
    }
}
