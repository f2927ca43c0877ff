//! Recordings whose process is killed and whose disk fills up: each in a process of its own.

use std::path::Path;
use std::process::{Child, Command as Process, Stdio};

use super::*;
use crate::media::repair;

/// Where a child process records; without it there is nothing to do.
const FOLDER: &str = "TANDEM_TEST_RECORDS_IN";

/// This program again, running one test alone.
fn child(program: &mut Process, test: &str, folder: &Path) -> Child {
    program
        .args(["--exact", "--nocapture", test])
        .env(FOLDER, folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn record(box_: &mut Box_, leg: LegId, what: RecordWhat) {
    box_.plane.command(Command::Record {
        leg,
        recording: RecordingSid(1),
        path: "RE.wav".to_owned(),
        what,
        beep: false,
        max_ms: 600_000,
        silence_ms: 0,
        trim: false,
        format: media::RecordFormat::Wav,
    });
}

#[test]
fn killed_in_the_middle_of_a_recording_child() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let mut box_ = start(1, folder.into());
    let mut ann = box_.leg(LegId(1), None, CodecKind::Pcmu);
    record(&mut box_, LegId(1), RecordWhat::Dual);
    let says = tone(450.0, 20);
    every_frame(3_000, |_| ann.speak(&says));
}

#[test]
fn a_process_that_is_killed_leaves_a_recording_that_plays() {
    let folder = tempfile::tempdir().unwrap();
    let program = std::env::current_exe().unwrap();
    let name = "media::tests::accidents::killed_in_the_middle_of_a_recording_child";
    let mut process = child(&mut Process::new(program), name, folder.path());
    let path = folder.path().join("RE.wav");
    let end = Instant::now() + PATIENCE;
    while std::fs::metadata(&path).map_or(0, |file| file.len()) < 44 + 32_000 {
        assert!(Instant::now() < end, "it does not record");
        std::thread::sleep(Duration::from_millis(20));
    }
    process.kill().unwrap();
    process.wait().unwrap();
    let before = media::decode::decode(std::fs::read(&path).unwrap(), Some("wav")).unwrap();
    let repaired = repair(&path).unwrap();
    let after = media::decode::decode(std::fs::read(&path).unwrap(), Some("wav")).unwrap();
    assert!(before.duration_ms() >= 1_000 && after.duration_ms() == repaired.duration_ms);
    // The right channel is silence that we sent: half of the tone remains of both.
    assert!(part_with(&after.pcm[1_600..8_000], 8_000, 450.0, 0.9) > 0.5);
}

#[test]
fn on_a_disk_that_is_full_child() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let folder = PathBuf::from(folder);
    // Of 2 MB, so much is left to record into.
    std::fs::write(folder.join("fill"), vec![1; 2 * 1024 * 1024 - 64 * 1024]).unwrap();
    let mut box_ = start(1, folder.clone());
    let leg = LegId(1);
    let mut ann = box_.leg(leg, None, CodecKind::Pcmu);
    record(&mut box_, leg, RecordWhat::Dual);
    let says = tone(450.0, 20);
    every_frame(200, |_| ann.speak(&says));
    let (bytes, duration_ms, why) = box_.wait("Recorded", |event| match event {
        Event::Recorded { bytes, duration_ms, why: RecordEnd::Failed(why), .. } => {
            Some((*bytes, *duration_ms, why.clone()))
        }
        _ => None,
    });
    assert!(why.contains("No space left on device"), "{why}");
    let file = std::fs::read(folder.join("RE.wav")).unwrap();
    assert_eq!(file.len() as u64, bytes);
    assert!(duration_ms >= 1_000, "{duration_ms}");
    assert_eq!(media::decode::decode(file, Some("wav")).unwrap().duration_ms(), duration_ms);
    let stats = box_.plane.stats();
    assert_eq!((stats.recordings, stats.recordings_failed, stats.legs), (0, 1, 1), "the call goes on");
    assert_eq!(stats.recordings_trouble.as_deref(), Some(why.as_str()));
    ann.listen();
    let heard = ann.heard.len();
    every_frame(20, |_| ann.listen());
    assert!(ann.heard.len() >= heard + 10, "and is heard");
    println!("a full disk, really");
}

#[test]
fn a_real_disk_that_fills_up_ends_the_recording_and_not_the_call() {
    let folder = tempfile::tempdir().unwrap();
    let program = std::env::current_exe().unwrap();
    let script = "mount -t tmpfs -o size=2m tmpfs \"$TANDEM_TEST_RECORDS_IN\" || { echo no mount; exit 0; }; exec \"$@\"";
    let mut unshare = Process::new("unshare");
    unshare.args(["-m", "sh", "-c", script, "sh"]).arg(program);
    if Process::new("unshare").args(["-m", "true"]).output().is_ok_and(|out| out.status.success()) {
        let name = "media::tests::accidents::on_a_disk_that_is_full_child";
        let out = child(&mut unshare, name, folder.path()).wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&out.stdout);
        if !said.contains("no mount") {
            let complaints = String::from_utf8_lossy(&out.stderr);
            assert!(out.status.success() && said.contains("a full disk, really"), "{said}\n{complaints}");
            return;
        }
    }
    eprintln!("skipped: a small disk needs root and `unshare -m`");
}
