//! The official libraries, in the folders where `make test` installs them.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::surface::root;

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

    /// Runs a script of `tests/sdk` with this on its standard input; what it writes, line by line.
    pub(crate) fn run(&self, script: &str, input: &serde_json::Value) -> Vec<String> {
        let extension = if self.modules.is_some() { "js" } else { "py" };
        let script = root().join(format!("tests/sdk/{script}_{}.{extension}", self.name));
        let mut command = Command::new(&self.program);
        command.arg(&script).stdin(Stdio::piped()).stdout(Stdio::piped());
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        if let Some(modules) = &self.modules {
            command.env("NODE_PATH", modules);
        }
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", self.program.display()));
        // All of it before anything is read: the scripts read to the end first.
        child.stdin.take().unwrap().write_all(input.to_string().as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{} failed", script.display());
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
    }
}
