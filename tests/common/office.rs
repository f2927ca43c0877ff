//! The box as a user runs it: a configuration file, a state directory, the `tandem` binary and its command line.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::network::loopback;
use super::scenario;
use super::sipp::{Sipp, Transport};

/// The account of every test box.
pub const ACCOUNT_SID: &str = "AC00000000000000000000000000000001";
/// Its secret.
pub const AUTH_TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// A configuration under construction. The box is at 127.0.0.1:5060 (UDP and TCP), its carrier at 127.0.0.2, the web
/// server at 127.0.0.9; phones have addresses of their own.
pub struct Office {
    listen: Vec<IpAddr>,
    media: String,
    tables: String,
}

impl Office {
    pub fn new() -> Self {
        Self { listen: vec![loopback(1)], media: String::new(), tables: String::new() }
    }

    /// Takes SIP at this address too.
    pub fn listen(mut self, ip: IpAddr) -> Self {
        self.listen.push(ip);
        self
    }

    /// Further keys of `[media]`.
    pub fn media(mut self, keys: &str) -> Self {
        self.media.push_str(keys);
        self
    }

    /// Any further tables.
    pub fn table(mut self, toml: &str) -> Self {
        self.tables.push_str(toml);
        self.tables.push('\n');
        self
    }

    pub fn phone(self, name: &str, password: &str, extension: &str) -> Self {
        self.table(&format!(
            "[[phone]]\nname = \"{name}\"\npassword = \"{password}\"\nextension = \"{extension}\""
        ))
    }

    /// The carrier at 127.0.0.2, with a way out for every `+` number.
    pub fn carrier(self) -> Self {
        let (carrier, port) = (loopback(2), CARRIER_PORT);
        self.table(&format!(
            "[[trunk]]\nname = \"carrier\"\naddress = \"sip:{carrier}:{port}\"\naccept_from = [\"{carrier}\"]\n\
             [[route]]\npattern = \"+*\"\ntrunk = [\"carrier\"]"
        ))
    }

    /// A number that is answered by a document; `more` are further keys of it.
    pub fn number(self, number: &str, voice_url: &str, more: &str) -> Self {
        self.table(&format!("[[number]]\nnumber = \"{number}\"\nvoice_url = \"{voice_url}\"\n{more}"))
    }

    fn toml(&self) -> String {
        let sockets = self.listen.iter().map(|ip| format!("\"udp:{ip}:5060\", \"tcp:{ip}:5060\""));
        let sockets: Vec<String> = sockets.collect();
        let mut text = format!(
            "[box]\nname = \"Bench\"\naccount_sid = \"{ACCOUNT_SID}\"\nauth_token = \"{AUTH_TOKEN}\"\n\
             [sip]\nlisten = [{}]\n[media]\nports = \"20000-20999\"\n{}\n[http]\nlisten = \"127.0.0.1:8080\"\n\
             [log]\nfilter = \"debug\"\n",
            sockets.join(", "),
            self.media
        );
        writeln!(text, "{}", self.tables).unwrap();
        text
    }

    /// Starts the box and waits until it takes SIP.
    pub fn open(self) -> Tandem {
        let dir = TempDir::new().unwrap();
        std::fs::write(dir.path().join("tandem.toml"), self.toml()).unwrap();
        let mut tandem = Tandem { dir: dir.path().to_owned(), child: None, temporary: Some(dir) };
        tandem.start();
        tandem
    }
}

/// Where the carrier takes calls from the box.
pub const CARRIER_PORT: u16 = 5080;

/// The running box; killed when dropped.
pub struct Tandem {
    /// Where `tandem.toml` lies, and `state/` beside it.
    dir: PathBuf,
    child: Option<Child>,
    temporary: Option<TempDir>,
}

/// The binary under test; `TANDEM_BIN` names another, a release build for instance.
pub fn binary() -> PathBuf {
    std::env::var_os("TANDEM_BIN").map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_tandem")), PathBuf::from)
}

impl Tandem {
    /// A box whose `tandem.toml` is in this directory already; not started yet.
    pub fn in_directory(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), child: None, temporary: None }
    }

    /// Where phones and carriers reach it on the loopback network.
    pub fn sip(&self) -> SocketAddr {
        (loopback(1), 5060).into()
    }

    pub fn state(&self) -> PathBuf {
        self.dir.join("state")
    }

    /// Starts the box, or starts it again, with the same configuration and state.
    pub fn start(&mut self) {
        let log = std::fs::File::options().create(true).append(true).open(self.dir.join("log")).unwrap();
        let mut command = self.command(&["run"]);
        command.arg("--state").arg(self.state());
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        self.child = Some(command.spawn().expect("the box starts"));
        let socket = UdpSocket::bind((loopback(250), 0)).unwrap();
        socket.set_read_timeout(Some(super::ms(200))).unwrap();
        super::wait_for("the box to take SIP", super::s(20), || {
            let over = self.child.as_mut().unwrap().try_wait().unwrap();
            assert!(over.is_none(), "the box ended ({over:?}):\n{}", self.log());
            socket.send_to(options(&socket).as_bytes(), self.sip()).ok()?;
            socket.recv(&mut [0; 4096]).ok()
        });
    }

    /// kill -9.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Asks it to stop, as systemd does, and waits until it has.
    pub fn stop(&mut self, within: Duration) -> std::process::ExitStatus {
        let mut child = self.child.take().expect("the box runs");
        assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
        super::wait_for("the box to stop", within, || child.try_wait().unwrap())
    }

    /// Whether it is still running.
    pub fn runs(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| child.try_wait().unwrap().is_none())
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        let (verb, rest) = arguments.split_first().expect("a command");
        command.arg(verb).args(rest).arg("--config").arg(self.dir.join("tandem.toml"));
        command.current_dir(&self.dir);
        command
    }

    /// Runs one command of the box's command line.
    pub fn cli(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the command line runs")
    }

    /// What a command prints; the test stops when the command fails.
    pub fn says(&self, arguments: &[&str]) -> String {
        let out = self.cli(arguments);
        let (text, error) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
        assert!(out.status.success(), "tandem {}: {}\n{text}{error}", arguments.join(" "), out.status);
        text.into_owned()
    }

    /// The calls on record, as `tandem calls --json` tells them.
    pub fn calls(&self) -> Vec<Value> {
        let text = self.says(&["calls", "--json"]);
        let value: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let list = value.get("calls").cloned().unwrap_or(value);
        serde_json::from_value(list).expect("a list of calls")
    }

    /// The call with this sid, once it has this status.
    pub fn wait_call(&self, sid: &str, status: &str) -> Value {
        super::wait_for(&format!("call {sid} to be {status}"), super::s(8), || {
            self.calls().into_iter().find(|call| call["sid"] == sid && call["status"] == status)
        })
    }

    /// Calls whose parent is this one.
    pub fn children(&self, sid: &str) -> Vec<Value> {
        self.calls().into_iter().filter(|call| call["parent"] == sid).collect()
    }

    /// The files of every recording, oldest first.
    pub fn recording_files(&self) -> Vec<PathBuf> {
        let mut files = wav_files(&self.state().join("recordings"));
        files.sort_by_key(|path| std::fs::metadata(path).and_then(|meta| meta.modified()).unwrap());
        files
    }

    /// Every recording's channels, oldest first.
    pub fn recordings(&self) -> Vec<Vec<Vec<i16>>> {
        let files = self.recording_files();
        files.iter().map(|path| super::tone::read_wav(&std::fs::read(path).unwrap())).collect()
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }

    /// Registers a phone at `local` by SIPp.
    pub fn register(&self, user: &str, password: &str, local: SocketAddr) {
        let scenario = scenario::register(user, password, 3600);
        Sipp::call(&scenario, Transport::Udp, local, self.sip()).succeeds(super::s(10));
    }

    /// Registers a phone at 127.0.0.`host` and lets it wait for its call.
    pub fn phone(&self, user: &str, host: u8, scenario: &scenario::Scenario) -> Sipp {
        let local = (loopback(host), 5060).into();
        self.register(user, "secret", local);
        Sipp::answer(&scenario.xml(), Transport::Udp, local)
    }

    /// A call from the carrier.
    pub fn carrier_calls(&self, scenario: &scenario::Scenario) -> Sipp {
        Sipp::call(&scenario.xml(), Transport::Udp, (loopback(2), 5081).into(), self.sip())
    }
}

impl Drop for Tandem {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("the box:\n{}", lines[lines.len().saturating_sub(150)..].join("\n"));
        }
        self.kill();
    }
}

fn options(socket: &UdpSocket) -> String {
    let local = socket.local_addr().unwrap();
    format!(
        "OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bKready{};rport\r\n\
         From: <sip:bench@{local}>;tag=ready\r\nTo: <sip:127.0.0.1>\r\nCall-ID: ready@{local}\r\nCSeq: 1 OPTIONS\r\n\
         Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos()
    )
}

fn wav_files(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files = Vec::new();
    for path in entries {
        if path.is_dir() {
            files.extend(wav_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "wav") {
            files.push(path);
        }
    }
    files
}
