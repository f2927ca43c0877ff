//! baresip: a real soft phone, headless, at the end of a [`Line`]. It says a tone from a file, keeps what it hears in
//! another, and is driven through its control socket.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::network::Line;
use super::tone;

/// A phone as a test of calls between two people needs it, whoever made it.
pub trait SoftPhone {
    /// Waits until it is registered.
    fn registered(&self);
    /// Waits until it is in a call.
    fn established(&self);
    /// Waits until its call is over.
    fn closed(&self);
    /// Puts the call on hold, or takes it back.
    fn hold(&mut self, on: bool);
    /// What its ear heard in its latest finished call, at 8 kHz.
    fn heard(&self) -> Vec<i16>;
}

impl SoftPhone for Baresip {
    fn registered(&self) {
        Baresip::registered(self);
    }

    fn established(&self) {
        self.wait("CALL_ESTABLISHED", super::s(8));
    }

    fn closed(&self) {
        self.wait("CALL_CLOSED", super::s(5));
    }

    fn hold(&mut self, on: bool) {
        Baresip::hold(self, on);
    }

    fn heard(&self) -> Vec<i16> {
        Baresip::heard(self)
    }
}

/// Who the phone is.
pub struct Account<'a> {
    pub user: &'a str,
    pub password: &'a str,
    /// Where it registers.
    pub registrar: SocketAddr,
    /// `udp` or `tcp`.
    pub transport: &'a str,
    /// Takes calls by itself.
    pub auto_answer: bool,
    /// What it says.
    pub tone: f64,
    /// Registers for this long, in seconds; 0: not at all.
    pub expires: u32,
    /// In its order of preference, as baresip names them: `opus/48000/2,g722,pcmu`.
    pub codecs: &'a str,
    /// baresip's `mediaenc`: `srtp` (optional), `srtp-mand`, `srtp-mandf`; empty for none.
    pub encryption: &'a str,
}

impl<'a> Account<'a> {
    /// A phone that registers there with the password `secret` over UDP, takes calls by itself and speaks G.711.
    pub fn of(user: &'a str, registrar: IpAddr) -> Self {
        Self {
            user,
            password: "secret",
            registrar: (registrar, 5060).into(),
            transport: "udp",
            auto_answer: true,
            tone: super::hz::AGENT,
            expires: 60,
            codecs: "pcmu,pcma",
            encryption: "",
        }
    }
}

/// The phone, switched on; switched off when dropped.
pub struct Baresip {
    dir: TempDir,
    child: Child,
    control: TcpStream,
    events: Arc<Mutex<Vec<Value>>>,
}

const MODULES: &str = "/usr/lib/baresip/modules";

impl Baresip {
    pub fn start(line: &Line, account: &Account) -> Self {
        let dir = TempDir::new().unwrap();
        let path = |name: &str| dir.path().join(name);
        // baresip ends the call when the file ends: long enough for any test.
        // It is read at the codec's rate and with its channels, whichever those are.
        let (rate, channels) = match account.codecs.split(['/', ',']).next() {
            Some("opus") => (48_000, 2),
            Some("g722" | "l16") => (16_000, 1),
            _ => (tone::RATE, 1),
        };
        let said = tone::sine_at(account.tone, 100.0, rate);
        let said: Vec<i16> = said.iter().flat_map(|&x| std::iter::repeat_n(x, channels)).collect();
        std::fs::write(path("say.wav"), tone::wav_of(&said, rate, channels as u8)).unwrap();
        std::fs::write(path("contacts"), "").unwrap();
        std::fs::write(path("accounts"), account_line(account)).unwrap();
        std::fs::write(path("config"), config(line, dir.path())).unwrap();
        let log = std::fs::File::create(path("log")).unwrap();
        let mut command = line.enter("baresip");
        command.arg("-f").arg(dir.path()).stdin(Stdio::null()).stderr(log.try_clone().unwrap()).stdout(log);
        let child = command.spawn().expect("baresip is installed (Debian: baresip-core)");
        let control = super::wait_for("baresip's control socket", super::s(10), || {
            TcpStream::connect_timeout(&(line.far, 4444).into(), super::ms(200)).ok()
        });
        let events = Arc::new(Mutex::new(Vec::new()));
        let (mut stream, log) = (control.try_clone().unwrap(), Arc::clone(&events));
        std::thread::spawn(move || {
            while let Some(event) = read_netstring(&mut stream) {
                log.lock().unwrap().push(event);
            }
        });
        Self { dir, child, control, events }
    }

    /// Waits for an event of this type, e.g. `REGISTER_OK`, `CALL_INCOMING`, `CALL_ESTABLISHED`, `CALL_CLOSED`.
    pub fn wait(&self, kind: &str, within: Duration) -> Value {
        super::wait_for(&format!("baresip's {kind}"), within, || self.seen(kind).into_iter().next())
    }

    /// Waits until it is registered. It says so in its log too, which counts when it was faster than the control
    /// connection.
    pub fn registered(&self) {
        super::wait_for("baresip to be registered", super::s(10), || {
            let told = !self.seen("REGISTER_OK").is_empty();
            (told || self.log().contains("} 200 OK")).then_some(())
        });
    }

    /// Events of this type so far.
    pub fn seen(&self, kind: &str) -> Vec<Value> {
        let events = self.events.lock().unwrap();
        events.iter().filter(|event| event["type"] == kind).cloned().collect()
    }

    /// Forgets the events so far: the next [`Self::wait`] sees only what comes.
    pub fn forget(&self) {
        self.events.lock().unwrap().clear();
    }

    pub fn dial(&mut self, uri: &str) {
        self.command("dial", uri);
    }

    pub fn pick_up(&mut self) {
        self.command("accept", "");
    }

    /// Hangs up, or refuses what rings (486).
    pub fn hang_up(&mut self) {
        self.command("hangup", "");
    }

    /// Puts the call on hold, or takes it back.
    pub fn hold(&mut self, on: bool) {
        self.command(if on { "hold" } else { "resume" }, "");
    }

    /// Presses keys, one after the other.
    pub fn press(&mut self, keys: &str) {
        for key in keys.chars() {
            self.command("sndcode", &key.to_string());
            std::thread::sleep(super::ms(250));
        }
    }

    /// What the phone's ear heard in its latest finished call, at 8 kHz.
    pub fn heard(&self) -> Vec<i16> {
        let mut files = self.recordings();
        files.sort();
        let path = files.pop().unwrap_or_else(|| panic!("baresip heard nothing\n{}", self.log()));
        tone::read_any_wav(&std::fs::read(path).unwrap())
    }

    fn recordings(&self) -> Vec<PathBuf> {
        let files = std::fs::read_dir(self.dir.path()).unwrap().map(|entry| entry.unwrap().path());
        files.filter(|path| path.to_string_lossy().ends_with("-dec.wav")).collect()
    }

    /// baresip's own words.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    fn command(&mut self, command: &str, params: &str) {
        let text = json!({ "command": command, "params": params }).to_string();
        self.control.write_all(format!("{}:{text},", text.len()).as_bytes()).expect("baresip listens");
    }
}

impl Drop for Baresip {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("baresip:\n{}", self.log());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn account_line(account: &Account) -> String {
    let Account { user, password, registrar, transport, expires, codecs, .. } = account;
    let encryption = match account.encryption {
        "" => String::new(),
        name => format!(";mediaenc={name}"),
    };
    let mode = if account.auto_answer { "auto" } else { "manual" };
    format!(
        "<sip:{user}@{registrar};transport={transport}>;auth_user={user};auth_pass={password};regint={expires};\
         answermode={mode};audio_codecs={codecs};ptime=20{encryption}\n"
    )
}

fn config(line: &Line, dir: &std::path::Path) -> String {
    let (ip, dir) = (line.far, dir.display());
    format!(
        "poll_method epoll\nsip_listen {ip}:5060\ncall_local_timeout 120\ncall_max_calls 4\n\
         audio_player aufile,{dir}/ear.wav\naudio_source aufile,{dir}/say.wav\naudio_alert aufile,{dir}/alert.wav\n\
         ausrc_format s16\nauplay_format s16\nrtp_ports 10000-11000\n\
         jitter_buffer_delay 2-10\nmodule_path {MODULES}\nmodule g711.so\nmodule g722.so\nmodule opus.so\nmodule l16.so\nmodule srtp.so\nmodule aufile.so\nmodule sndfile.so\n\
         module_tmp uuid.so\nmodule_tmp account.so\nmodule_app menu.so\nmodule_app ctrl_tcp.so\n\
         ctrl_tcp_listen {ip}:4444\nsnd_path {dir}\n"
    )
}

/// One JSON text in a netstring: `12:{"a":"b"…},`.
fn read_netstring(stream: &mut TcpStream) -> Option<Value> {
    let mut byte = [0];
    let mut length = 0;
    loop {
        stream.read_exact(&mut byte).ok()?;
        match byte[0] {
            b':' => break,
            digit => length = length * 10 + usize::from(digit.checked_sub(b'0')?),
        }
    }
    let mut text = vec![0; length + 1];
    stream.read_exact(&mut text).ok()?;
    text.pop();
    Some(serde_json::from_slice(&text).unwrap_or(Value::Null))
}
