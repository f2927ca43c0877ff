//! Linphone: a second soft phone with a SIP and a media stack of its own, headless, at the end of a [`Line`]. It says a
//! tone from a file, keeps what it hears in another, and is driven through its standard input.

use std::io::Write as _;
use std::process::{Child, Stdio};

use tempfile::TempDir;

use super::baresip::{Account, SoftPhone};
use super::network::Line;
use super::tone;

/// The phone, switched on; switched off when dropped.
pub struct Linphone {
    dir: TempDir,
    child: Child,
}

impl Linphone {
    /// `codecs` and `encryption` of the account are named as for baresip: `opus/48000/2,pcmu`; `srtp-mand`.
    pub fn start(line: &Line, account: &Account) -> Self {
        let dir = TempDir::new().unwrap();
        let path = |name: &str| dir.path().join(name);
        std::fs::write(path("say.wav"), tone::wav_of(&tone::sine(account.tone, 100.0), tone::RATE, 1))
            .unwrap();
        std::fs::write(path("hush.wav"), tone::wav(&vec![0; 100 * tone::RATE as usize])).unwrap();
        std::fs::write(path("config"), config(line, account)).unwrap();
        // Without it its database has no place, and without that it opens no socket.
        std::fs::create_dir_all(path(".local/share/linphone")).unwrap();
        let log = std::fs::File::create(path("log")).unwrap();
        let mut command = line.enter("stdbuf");
        command
            .args(["--output=L", "linphonec", "-d", "6", "-c"])
            .arg(path("config"))
            .env("HOME", dir.path());
        if account.auto_answer {
            command.arg("-a");
        }
        let child = command
            .stdin(Stdio::piped())
            .stderr(log.try_clone().unwrap())
            .stdout(log)
            .spawn()
            .expect("linphonec is installed (Debian: linphone-cli)");
        let mut phone = Self { dir, child };
        phone.types("soundcard use files");
        phone.types(&format!("play {}", path_of(&phone, "say.wav")));
        phone.types(&format!("record {}", path_of(&phone, "heard.wav")));
        phone
    }

    /// Waits until it has said so.
    pub fn says(&self, text: &str) {
        super::wait_for(&format!("Linphone to say {text:?}"), super::s(15), || {
            self.log().contains(text).then_some(())
        });
    }

    /// Linphone's own words.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    fn types(&mut self, command: &str) {
        let input = self.child.stdin.as_mut().expect("it has one");
        writeln!(input, "{command}").expect("Linphone listens");
    }
}

impl SoftPhone for Linphone {
    fn registered(&self) {
        self.says("to [LinphoneRegistrationOk]");
    }

    fn established(&self) {
        self.says("to LinphoneCallStreamsRunning");
    }

    fn closed(&self) {
        self.says("to LinphoneCallReleased");
    }

    fn hold(&mut self, on: bool) {
        // What it plays is what whoever it holds hears too.
        let (file, command) = if on { ("hush.wav", "pause") } else { ("say.wav", "resume") };
        self.types(&format!("play {}", path_of(self, file)));
        self.types(command);
    }

    fn heard(&self) -> Vec<i16> {
        let bytes = std::fs::read(self.dir.path().join("heard.wav")).unwrap_or_else(|error| {
            panic!("Linphone heard nothing: {error}\n{}", self.log());
        });
        tone::read_any_wav(&bytes)
    }
}

fn path_of(phone: &Linphone, name: &str) -> String {
    phone.dir.path().join(name).display().to_string()
}

impl Drop for Linphone {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("Linphone:\n{}", self.log());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Its codecs' names and rates; what is not named is off.
const CODECS: [(&str, u32, u32); 9] = [
    ("opus", 48_000, 2),
    ("G722", 8_000, 1),
    ("PCMU", 8_000, 1),
    ("PCMA", 8_000, 1),
    ("speex", 8_000, 1),
    ("speex", 16_000, 1),
    ("speex", 32_000, 1),
    ("GSM", 8_000, 1),
    ("G729", 8_000, 1),
];

fn config(line: &Line, account: &Account) -> String {
    let Account { user, password, registrar, transport, expires, .. } = account;
    let (media_encryption, mandatory) = match account.encryption {
        "" => ("none", 0),
        "srtp" => ("srtp", 0),
        _ => ("srtp", 1),
    };
    let wanted: Vec<&str> = account.codecs.split(',').filter_map(|codec| codec.split('/').next()).collect();
    let mut rows = String::new();
    let place = |mime: &str| wanted.iter().position(|name| name.eq_ignore_ascii_case(mime));
    let mut codecs = CODECS;
    codecs.sort_by_key(|(mime, ..)| place(mime).unwrap_or(usize::MAX));
    for (n, (mime, rate, channels)) in codecs.iter().enumerate() {
        let enabled = u8::from(place(mime).is_some());
        rows +=
            &format!("[audio_codec_{n}]\nmime={mime}\nrate={rate}\nchannels={channels}\nenabled={enabled}\n");
    }
    format!(
        "[net]\nfirewall_policy=0\n\
         [sip]\nsip_port=5060\nsip_tcp_port=5060\nsip_tls_port=0\nguess_hostname=0\n\
         contact=sip:{user}@{ip}\nmedia_encryption={media_encryption}\nmedia_encryption_mandatory={mandatory}\n\
         default_proxy=0\nregister_only_when_network_is_up=0\n\
         [rtp]\naudio_rtp_port=10000\n\
         [sound]\nechocancellation=0\n\
         [proxy_0]\nreg_proxy=<sip:{registrar};transport={transport}>\nreg_identity=sip:{user}@{registrar}\n\
         reg_expires={expires}\nreg_sendregister={registers}\npublish=0\n\
         [auth_info_0]\nusername={user}\npasswd={password}\n{rows}",
        ip = line.far,
        registers = u8::from(*expires > 0),
    )
}
