//! A network of the test's own.
//!
//! Each test runs in a fresh process inside new network and process namespaces: every loopback address and port is free,
//! tests cannot disturb one another or the machine, and nothing survives a test that stops half way. Root needs nothing
//! for it; any other user gets it through an unprivileged user namespace. A phone that ignores loopback addresses hangs
//! on a [`Line`]: a cable (veth pair) into a further namespace, where it is alone with its address.

use std::io::Read as _;
use std::net::{IpAddr, Ipv4Addr};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

const MARK: &str = "TANDEM_TEST_NETWORK";

/// The longest a single test may take, its waiting included.
const TEST_TIME_MAX: Duration = Duration::from_secs(150);

/// The body of a test: runs `test` here when this process is already inside a network of its own, otherwise runs the
/// calling test again in a process that is.
pub fn in_own_network<F: FnOnce()>(test: F) {
    if std::env::var_os(MARK).is_some() {
        return test();
    }
    // A closure's type is named after the function it stands in: `interop::file::test::{{closure}}`.
    let path = std::any::type_name::<F>().trim_end_matches("::{{closure}}");
    let name = path.split_once("::").map_or(path, |(_crate, name)| name);
    let mut inner = me_in_own_network();
    inner.args(["--exact", name, "--nocapture", "--test-threads=1"]);
    let child = inner
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("unshare starts");
    let (ok, text) = finish(child, TEST_TIME_MAX);
    assert!(ok, "{name}:\n{text}");
    assert!(text.contains("1 passed"), "{name} was not found in its own network:\n{text}");
}

/// The same for a program without a test harness: `main` is run again in a network of its own, in full view.
pub fn main_in_own_network(main: impl FnOnce()) -> ExitCode {
    if std::env::var_os(MARK).is_some() {
        main();
        return ExitCode::SUCCESS;
    }
    let status = me_in_own_network().args(std::env::args_os().skip(1)).status().expect("unshare starts");
    if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// This program again, in new network and process namespaces.
fn me_in_own_network() -> Command {
    let mut command = unshare(&["--pid", "--fork", "--kill-child", "--mount-proc"]);
    command.args(["sh", "-c", "ip link set lo up && exec \"$@\"", "sh"]);
    command.arg(std::env::current_exe().unwrap()).env(MARK, "1");
    command
}

/// `unshare` with what the current user needs to be allowed a network namespace.
fn unshare(more: &[&str]) -> Command {
    let mut command = Command::new("unshare");
    if !is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    command.arg("--net").args(more).arg("--");
    command
}

fn is_root() -> bool {
    let out = Command::new("id").arg("-u").output().expect("id runs");
    out.stdout.trim_ascii() == b"0"
}

/// Waits for a process, its two outputs collected; kills it at the deadline.
pub fn finish(mut child: Child, within: Duration) -> (bool, String) {
    let mut out = child.stdout.take().unwrap();
    let mut err = child.stderr.take().unwrap();
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        let _ = err.read_to_string(&mut text);
        text
    });
    let writer = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = out.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    });
    let deadline = Instant::now() + within;
    let ok = loop {
        match child.try_wait().unwrap() {
            Some(status) => break status.success(),
            None if Instant::now() > deadline => {
                let _ = child.kill();
                let _ = child.wait();
                break false;
            }
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    let late = if Instant::now() > deadline { format!("\nstopped after {within:?}") } else { String::new() };
    (ok, writer.join().unwrap() + &reader.join().unwrap() + &late)
}

/// A loopback address of this test's network; the last byte says who.
pub const fn loopback(host: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(127, 0, 0, host))
}

/// A cable from the box to one phone.
pub struct Line {
    /// The box's end.
    pub near: IpAddr,
    /// The phone's end, the only address it has.
    pub far: IpAddr,
    number: u8,
    holder: Child,
}

impl Line {
    /// Lays cable `number` (1…200): 10.77.`number`.1 at the box, 10.77.`number`.2 at the phone.
    pub fn lay(number: u8) -> Self {
        let (near, far) = (format!("line{number}a"), format!("line{number}b"));
        let address = |end: u8| Ipv4Addr::new(10, 77, number, end);
        // Phones take a network without a gateway for none. The holder keeps the far namespace alive; its user namespace, if any, is already ours.
        let holder = Command::new("unshare")
            .args(["--net", "--", "sh", "-c"])
            .arg(format!(
                "until ip link show {far} >/dev/null 2>&1; do sleep 0.02; done; ip link set lo up; \
                 ip addr add {}/24 dev {far}; ip link set {far} up; ip route add default via {}; exec sleep 100000",
                address(2),
                address(1)
            ))
            .stdin(Stdio::null())
            .spawn()
            .expect("unshare starts");
        ip(&format!("link add {near} type veth peer name {far}"));
        // The holder may not have left our namespace yet: then the cable's end stays here, and is offered again.
        super::wait_for("the phone's end of the cable to leave", super::s(5), || {
            let _ =
                Command::new("ip").args(["link", "set", &far, "netns", &holder.id().to_string()]).output();
            let here = Command::new("ip").args(["link", "show", &far]).output().expect("ip runs");
            (!here.status.success()).then_some(())
        });
        ip(&format!("addr add {}/24 dev {near}", address(1)));
        ip(&format!("link set {near} up"));
        let line = Self { near: address(1).into(), far: address(2).into(), number, holder };
        super::wait_for("the cable to carry", super::s(5), || {
            let state = line.enter("ip").args(["-o", "link", "show", &far]).output().expect("nsenter runs");
            String::from_utf8_lossy(&state.stdout).contains("state UP").then_some(())
        });
        line
    }

    /// A command that will run at the phone's end.
    pub fn enter(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.holder.id().to_string(), "--net", "--", program]);
        command
    }

    /// Pulls the plug: nothing passes any more, and nobody is told.
    pub fn cut(&self) {
        ip(&format!("link set line{}a down", self.number));
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

fn ip(arguments: &str) {
    let out = Command::new("ip").args(arguments.split(' ')).output().expect("ip runs");
    assert!(out.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&out.stderr));
}
