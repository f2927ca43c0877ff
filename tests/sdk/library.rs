//! The official libraries, in the folders where `make test` installs them: run once over a table, or told step by step
//! what to do.

#![allow(dead_code, reason = "each test target uses its own part of it")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

/// One of the libraries, and how its scripts are run.
pub(crate) struct Library {
    pub(crate) name: &'static str,
    program: PathBuf,
    modules: Option<PathBuf>,
}

impl Library {
    /// Those that are installed. Without them their tests say so and pass; in CI they fail.
    pub(crate) fn installed() -> Vec<Self> {
        let folder = match std::env::var_os("TANDEM_SDK") {
            Some(folder) => PathBuf::from(folder),
            None => {
                let test = std::env::current_exe().unwrap();
                test.ancestors().nth(3).expect("tests lie in target/debug/deps").join("sdk")
            }
        };
        let python = folder.join("python/bin/python");
        let modules = folder.join("node/node_modules");
        let all = [
            (python.clone(), Self { name: "python", program: python, modules: None }),
            (modules.join("twilio"), Self { name: "node", program: "node".into(), modules: Some(modules) }),
        ];
        let mut found = Vec::new();
        for (sign, library) in all {
            if sign.exists() {
                found.push(library);
            } else {
                assert!(std::env::var_os("CI").is_none(), "CI needs the {} library: make sdk", library.name);
                println!(
                    "SKIPPED: the official {} library is not installed ({}): make sdk",
                    library.name,
                    sign.display()
                );
            }
        }
        found
    }

    /// A script of `tests/sdk` in this library's language.
    pub(crate) fn command(&self, script: &str) -> Command {
        let extension = if self.modules.is_some() { "js" } else { "py" };
        let script = folder().join(format!("{script}_{}.{extension}", self.name));
        let mut command = Command::new(&self.program);
        command.arg(&script).stdin(Stdio::piped()).stdout(Stdio::piped());
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        if let Some(modules) = &self.modules {
            command.env("NODE_PATH", modules);
        }
        command
    }

    /// Runs a script of `tests/sdk` with this on its standard input; what it writes, line by line.
    pub(crate) fn run(&self, script: &str, input: &Value) -> Vec<String> {
        let mut command = self.command(script);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", self.program.display()));
        // All of it before anything is read: the scripts read to the end first.
        child.stdin.take().unwrap().write_all(input.to_string().as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{script} failed");
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
    }
    /// A client of the box at `origin`, waiting to be told what to do.
    pub(crate) fn client(&self, origin: &str, account: &str, token: &str) -> Client {
        let mut command = self.command("drive");
        command.env("BOX", origin).env("ACCOUNT", account).env("TOKEN", token);
        command.env_remove("TWILIO_EDGE").env_remove("TWILIO_REGION");
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", self.program.display()));
        let (orders, told) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Client { child, orders, told }
    }
}

/// An application made with a library, serving until it is dropped.
pub(crate) struct Application {
    child: Child,
    /// What it said of itself when it began to serve.
    pub(crate) says: Value,
}

impl Library {
    /// Starts `script` with these in its environment, and waits for its first line.
    pub(crate) fn serves(&self, script: &str, environment: &[(&str, &str)]) -> Application {
        let mut command = self.command(script);
        command.envs(environment.iter().copied()).env_remove("TWILIO_EDGE").env_remove("TWILIO_REGION");
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", self.program.display()));
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let says = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{script}: {error}: {line}"));
        Application { child, says }
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A library at work.
pub(crate) struct Client {
    child: Child,
    orders: ChildStdin,
    told: BufReader<ChildStdout>,
}

/// What a library made of an answer that was no success.
#[derive(Debug, PartialEq)]
pub(crate) struct Refusal {
    /// The name of its exception.
    pub(crate) class: String,
    pub(crate) status: Option<u64>,
    pub(crate) code: Option<u64>,
}

impl Client {
    /// Does one thing: the way to a resource (names are attributes, lists are calls), a method, its arguments.
    pub(crate) fn try_do(&mut self, way: Value, what: &str, with: Value) -> Result<Value, Refusal> {
        self.tell(&json!({ "way": way, "do": what, "with": with }))
    }

    /// The same, and it must go well.
    pub(crate) fn does(&mut self, way: Value, what: &str, with: Value) -> Value {
        let asked = format!("{way}.{what} {with}");
        self.try_do(way, what, with).unwrap_or_else(|refusal| panic!("{asked}: {refusal:?}"))
    }

    /// The same, and it must be refused.
    pub(crate) fn is_refused(&mut self, way: Value, what: &str, with: Value) -> Refusal {
        let asked = format!("{way}.{what} {with}");
        self.try_do(way, what, with).expect_err(&asked)
    }

    /// What the client makes of another token.
    pub(crate) fn with_token(&mut self, token: &str, way: Value, what: &str) -> Result<Value, Refusal> {
        self.tell(&json!({ "way": way, "do": what, "with": {}, "token": token }))
    }

    fn tell(&mut self, order: &Value) -> Result<Value, Refusal> {
        writeln!(self.orders, "{order}").unwrap();
        let mut line = String::new();
        self.told.read_line(&mut line).unwrap();
        let told: Value =
            serde_json::from_str(&line).unwrap_or_else(|error| panic!("{order}: {error}: {line}"));
        match told.get("is") {
            Some(value) => Ok(value.clone()),
            None => Err(Refusal {
                class: told["error"].as_str().unwrap_or_default().to_owned(),
                status: told["status"].as_u64(),
                code: told["code"].as_u64(),
            }),
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `tests/sdk`, from whichever crate the test belongs to.
fn folder() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().map(|folder| folder.join("tests/sdk")).find(|folder| folder.is_dir()).expect("tests/sdk")
}
