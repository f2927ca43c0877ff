//! `make sdk` where neither pip nor npm can fetch anything: said and passed over, except where that must not be.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::surface::root;

/// A folder with programs that are there and can fetch nothing.
fn programs(folder: &Path) -> PathBuf {
    let programs = folder.join("bin");
    std::fs::create_dir_all(&programs).unwrap();
    for (name, script) in [
        // Asked whether it has the module it says yes; making an environment fails as pip would.
        ("python3", "case \"$*\" in *--help*) exit 0;; esac; mkdir -p \"$3\"; echo 'no network' >&2; exit 1"),
        ("npm", "echo 'npm error network' >&2; exit 1"),
        ("node", "exit 1"),
    ] {
        let path = programs.join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    programs
}

fn make_sdk(folder: &Path, ci: Option<&str>) -> Output {
    let path = format!("{}:{}", programs(folder).display(), std::env::var("PATH").unwrap());
    let mut make = Command::new("make");
    make.args(["--no-print-directory", "sdk"]).current_dir(root());
    make.env("PATH", path).env("CARGO_TARGET_DIR", folder).env_remove("CI").env_remove("MAKEFLAGS");
    if let Some(ci) = ci {
        make.env("CI", ci);
    }
    make.output().expect("make is installed")
}

#[test]
fn libraries_that_cannot_be_had_are_passed_over_and_missed_in_ci() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("offline");
    let _ = std::fs::remove_dir_all(&folder);
    let out = make_sdk(&folder, None);
    let said = String::from_utf8_lossy(&out.stdout);
    assert!(out.status.success(), "{said}{}", String::from_utf8_lossy(&out.stderr));
    assert_eq!(said.matches("it cannot be had: its tests are passed over").count(), 2, "{said}");
    // What is half there would be taken for whole.
    for library in ["python", "node"] {
        assert!(!folder.join("sdk").join(library).exists(), "{library}");
    }
    let out = make_sdk(&folder, Some("true"));
    assert!(!out.status.success(), "in CI nothing is passed over");
    std::fs::remove_dir_all(&folder).unwrap();
}
