//! The cache over engines that are scripts and a web server that counts; each test in well under two seconds.

use std::sync::atomic::{AtomicUsize, Ordering};

use base::Rng;
use call::BuiltinSound;
use net::webhook::WebhookConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::*;
use crate::espeak::tests::script;

/// A folder and the sounds that live in it; documents are read there, too.
struct Studio {
    folder: tempfile::TempDir,
    sounds: Sounds,
}

/// An engine that counts its runs and speaks as many samples as its input has bytes.
const COUNTING: &str = r#"echo run >> "$(dirname "$0")/runs"; sleep 0.05; text=$(cat)
printf 'RIFF0000WAVEfmt \020\0\0\0\001\0\001\0\100\037\0\0\200\076\0\0\002\0\020\0data0000'
printf '%s%s' "$text" "$text""#;

fn studio(engine: &str) -> Studio {
    let folder = tempfile::tempdir().unwrap();
    let sounds = sounds_in(folder.path(), engine);
    Studio { folder, sounds }
}

fn sounds_in(folder: &Path, engine: &str) -> Sounds {
    let config = WebhookConfig { documents_root: Some(folder.into()), ..WebhookConfig::default() };
    let web = Webhooks::new(config, Rng::seeded(1), mpsc::channel(1).0).unwrap();
    let command = if engine.is_empty() { String::new() } else { script(folder, engine) };
    Sounds::new(SoundsConfig { cache_dir: folder.join("speech"), command, voices: BTreeMap::new() }, web)
}

impl Studio {
    fn runs(&self) -> usize {
        std::fs::read_to_string(self.folder.path().join("runs")).map_or(0, |runs| runs.lines().count())
    }
}

fn key(name: &str) -> ClipKey {
    ClipKey(name.to_owned())
}

/// A sound that has all come.
fn whole(studio: &Studio, name: &str) -> Arc<Clip> {
    match studio.sounds.get(&key(name)) {
        Some(CoreItem::Clip(clip)) => clip,
        other => panic!("{name}: {other:?}"),
    }
}

fn speech(text: &str) -> SoundSource {
    SoundSource::Speech {
        text: text.to_owned(),
        ssml: None,
        voice: "alice".to_owned(),
        language: "de-DE".to_owned(),
    }
}

/// `samples` of silence at 8 kHz as a file.
fn wav(samples: u32) -> Vec<u8> {
    let data = samples * 2;
    let mut file = b"RIFF".to_vec();
    file.extend((36 + data).to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data");
    file.extend(data.to_le_bytes());
    file.resize(44 + data as usize, 0);
    file
}

/// A web server that answers its n-th request with what `behaviour` makes of n and the request's head.
async fn serve(
    behaviour: impl Fn(usize, &str) -> (String, Vec<u8>) + Send + Sync + 'static,
) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/sound", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") && stream.read_buf(&mut head).await.is_ok_and(|n| n > 0) {}
            let head = String::from_utf8(head).unwrap().to_lowercase();
            let (headers, body) = behaviour(count.fetch_add(1, Ordering::SeqCst), &head);
            let length = body.len();
            let head = format!("HTTP/1.1 {headers}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
            let _ = stream.write_all(&[head.as_bytes(), &body].concat()).await;
        }
    });
    (url, asked)
}

#[tokio::test]
async fn two_hundred_callers_of_one_text_cost_one_rendering() {
    let studio = studio(COUNTING);
    let callers: Vec<_> = (0..200)
        .map(|_| {
            let sounds = studio.sounds.clone();
            tokio::spawn(async move { sounds.prepare(key("hello"), speech("hello")).await })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap().unwrap();
    }
    assert_eq!(studio.runs(), 1);
    let first = whole(&studio, "hello");
    studio.sounds.prepare(key("hello"), speech("hello")).await.unwrap();
    assert!(Arc::ptr_eq(&first, &whole(&studio, "hello")));
    assert_eq!(studio.runs(), 1);
    assert!(studio.sounds.inner.under_way.lock().unwrap().is_empty());
}

/// Those who come at once, and those who come while the others already hear it.
#[tokio::test]
async fn hold_music_for_five_hundred_callers_is_decoded_once() {
    let studio = studio("");
    let music = || SoundSource::Builtin(BuiltinSound::HoldMusic);
    for _ in 0..2 {
        let callers: Vec<_> = (0..250)
            .map(|_| {
                let sounds = studio.sounds.clone();
                tokio::spawn(async move {
                    sounds.prepare(key("hold"), SoundSource::Builtin(BuiltinSound::HoldMusic)).await
                })
            })
            .collect();
        for caller in callers {
            caller.await.unwrap().unwrap();
        }
    }
    assert_eq!(studio.sounds.decoded(), 1);
    let first = whole(&studio, "hold");
    studio.sounds.prepare(key("hold"), music()).await.unwrap();
    assert!(Arc::ptr_eq(&first, &whole(&studio, "hold")), "all hear the same samples");
}

/// The engine says which voice it was asked for.
#[tokio::test]
async fn configured_voices_are_spoken_instead_of_those_by_language_and_gender() {
    let folder = tempfile::tempdir().unwrap();
    let engine = format!("printf '%s\\n' \"$*\" >> \"$(dirname \"$0\")/asked\"\n{COUNTING}");
    let config = WebhookConfig { documents_root: Some(folder.path().into()), ..WebhookConfig::default() };
    let web = Webhooks::new(config, Rng::seeded(1), mpsc::channel(1).0).unwrap();
    let voices = BTreeMap::from([("Polly.Vicki".to_owned(), "mb-de7".to_owned())]);
    let command = script(folder.path(), &engine);
    let sounds = Sounds::new(SoundsConfig { cache_dir: folder.path().join("speech"), command, voices }, web);
    for (voice, spoken) in [("Polly.Vicki", "mb-de7"), ("Polly.Marlene", "de+f3"), ("polly.vicki", "de")] {
        let _ = std::fs::remove_file(folder.path().join("asked"));
        let source = SoundSource::Speech {
            text: "guten Tag".into(),
            ssml: None,
            voice: voice.into(),
            language: "de-DE".into(),
        };
        sounds.prepare(key(voice), source).await.unwrap();
        let asked = std::fs::read_to_string(folder.path().join("asked")).unwrap();
        assert!(asked.split_whitespace().any(|word| word == spoken), "{voice}: {asked}");
    }
}

#[tokio::test]
async fn renderings_outlive_a_restart_and_damage() {
    let studio = studio(COUNTING);
    let before = studio.sounds.prepare(key("k"), speech("hello")).await.unwrap();
    let again = sounds_in(studio.folder.path(), COUNTING);
    assert_eq!(again.prepare(key("k"), speech("hello")).await.unwrap(), before);
    assert_eq!(studio.runs(), 1);
    again.prepare(key("other"), speech("other")).await.unwrap();
    assert_eq!(studio.runs(), 2);
    for file in std::fs::read_dir(studio.folder.path().join("speech")).unwrap() {
        std::fs::write(file.unwrap().path(), "damaged").unwrap();
    }
    let again = sounds_in(studio.folder.path(), COUNTING);
    assert_eq!(again.prepare(key("k"), speech("hello")).await.unwrap(), before);
    assert_eq!(studio.runs(), 3);
}

#[tokio::test]
async fn a_failure_is_told_to_all_and_not_kept() {
    let failing_once = format!("test -e \"$0.failed\" || {{ touch \"$0.failed\"; exit 1; }}\n{COUNTING}");
    let studio = studio(&failing_once);
    let ask = || studio.sounds.prepare(key("k"), speech("hello"));
    let (a, b) = tokio::join!(ask(), ask());
    assert_eq!(a.clone().unwrap_err().code, 12400);
    assert_eq!(a, b);
    assert!(studio.sounds.get(&key("k")).is_none());
    ask().await.unwrap();
}

#[tokio::test]
async fn without_an_engine_the_apology_is_still_there() {
    let studio = studio("");
    let error = studio.sounds.prepare(key("k"), speech("hello")).await.unwrap_err();
    assert!(error.to_string().starts_with("99002 no speech engine"), "{error}");
    let apology = SoundSource::Builtin(BuiltinSound::ApplicationError);
    assert!(studio.sounds.prepare(key("sorry"), apology).await.unwrap().duration_ms > Some(1_000));
    assert!(studio.sounds.get(&key("sorry")).is_some());
}

#[tokio::test]
async fn a_caller_that_leaves_lets_the_next_one_finish() {
    let studio = studio(COUNTING);
    let soon = Duration::from_millis(10);
    let gone = tokio::time::timeout(soon, studio.sounds.prepare(key("k"), speech("hello"))).await;
    assert!(gone.is_err());
    assert!(studio.sounds.inner.under_way.lock().unwrap().is_empty());
    studio.sounds.prepare(key("k"), speech("hello")).await.unwrap();
}

#[tokio::test]
async fn a_fetched_sound_is_asked_for_again_as_its_server_wants() {
    for (cache, asked_in_three) in [("max-age=60", 1), ("no-cache", 3), ("no-store", 3)] {
        let (url, asked) = serve(move |_, head| match head.contains("if-none-match: \"v1\"") {
            true => ("304 Not Modified".to_owned(), Vec::new()),
            false => (
                format!("200 OK\r\nContent-Type: audio/wav\r\nETag: \"v1\"\r\nCache-Control: {cache}"),
                wav(800),
            ),
        })
        .await;
        let studio = studio("");
        for _ in 0..3 {
            let info = studio.sounds.prepare(key("k"), SoundSource::Url(url.clone())).await.unwrap();
            assert_eq!(info, SoundInfo { duration_ms: Some(100) }, "{cache}");
        }
        assert_eq!(asked.load(Ordering::SeqCst), asked_in_three, "{cache}");
    }
}

#[tokio::test]
async fn a_confirmation_without_a_word_about_it_makes_a_sound_as_fresh_as_it_was() {
    for (confirmed, asked_in_all) in [("", 2), ("\r\nCache-Control: no-cache", 4)] {
        let (url, asked) = serve(move |_, head| match head.contains("if-none-match: \"v1\"") {
            true => (format!("304 Not Modified{confirmed}"), Vec::new()),
            false => {
                let head = "200 OK\r\nContent-Type: audio/wav\r\nETag: \"v1\"\r\nCache-Control: max-age=1";
                (head.to_owned(), wav(800))
            }
        })
        .await;
        let studio = studio("");
        for wait_ms in [0, 1_050, 0, 0] {
            tokio::time::sleep(Duration::from_millis(wait_ms)).await;
            studio.sounds.prepare(key("k"), SoundSource::Url(url.clone())).await.unwrap();
        }
        assert_eq!(asked.load(Ordering::SeqCst), asked_in_all, "{confirmed}");
    }
}

#[tokio::test]
async fn a_changed_sound_is_heard_and_a_lost_server_is_not() {
    let (url, _) = serve(|n, head| match n {
        0 => ("200 OK\r\nContent-Type: audio/wav\r\nLast-Modified: yesterday".to_owned(), wav(800)),
        1 => {
            assert!(head.contains("if-modified-since: yesterday"), "{head}");
            ("200 OK\r\nContent-Type: audio/wav".to_owned(), wav(1_600))
        }
        2 => ("503 Busy".to_owned(), Vec::new()),
        _ => ("404 Gone".to_owned(), Vec::new()),
    })
    .await;
    let studio = studio("");
    let ask = || studio.sounds.prepare(key("k"), SoundSource::Url(url.clone()));
    assert_eq!(ask().await.unwrap().duration_ms, Some(100));
    assert_eq!(ask().await.unwrap().duration_ms, Some(200));
    assert_eq!(ask().await.unwrap().duration_ms, Some(200), "the known one plays while its server is busy");
    assert_eq!(ask().await.unwrap_err().code, 11200);
    assert!(studio.sounds.get(&key("k")).is_none());
}

#[tokio::test]
async fn an_answer_is_a_sound_without_being_asked_for() {
    let studio = studio("");
    let answer =
        |content_type: &str, body| SoundSource::Answer { content_type: content_type.to_owned(), body };
    let made = studio.sounds.prepare(key("a"), answer("audio/wav", wav(8_000))).await.unwrap();
    assert!(made.duration_ms.is_some_and(|ms| ms > 0), "{made:?}");
    let broken = studio.sounds.prepare(key("b"), answer("audio/mpeg", b"<html>".to_vec())).await.unwrap_err();
    assert_eq!(broken.code, 13420);
}

#[tokio::test]
async fn what_cannot_be_played_has_its_code() {
    let studio = studio("");
    std::fs::write(studio.folder.path().join("noise.wav"), "no sound at all").unwrap();
    std::fs::write(studio.folder.path().join("notes.txt"), "text").unwrap();
    let served = |head: &'static str, body: Vec<u8>| serve(move |_, _| (head.to_owned(), body.clone()));
    let (html, _) = served("200 OK\r\nContent-Type: text/html", wav(8)).await;
    let (untyped, _) = served("200 OK", wav(8)).await;
    let (damaged, _) = served("200 OK\r\nContent-Type: audio/mpeg", b"<html>".to_vec()).await;
    let (missing, _) = served("404 Not Found\r\nContent-Type: audio/wav", Vec::new()).await;
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (source, code) in [
        (SoundSource::Url(html), 13420),
        (SoundSource::Url(untyped), 13420),
        (SoundSource::Url(damaged), 13420),
        (SoundSource::Url(missing), 11200),
        (SoundSource::Url(format!("http://{closed}/")), 11202),
        (SoundSource::Url("nonsense".to_owned()), 11100),
        (SoundSource::Url("file:noise.wav".to_owned()), 13420),
        (SoundSource::Url("file:notes.txt".to_owned()), 13420),
        (SoundSource::Url("file:../outside.wav".to_owned()), 11200),
        (SoundSource::File(studio.folder.path().join("missing.wav")), 11200),
        (SoundSource::File(studio.folder.path().join("noise.wav")), 13420),
    ] {
        let key = key(&format!("{source:?}"));
        let error = studio.sounds.prepare(key, source.clone()).await.unwrap_err();
        assert_eq!(error.code, code, "{source:?}: {error}");
    }
}

#[tokio::test]
async fn a_queue_of_callers_asks_a_broken_server_once() {
    let (url, asked) = serve(|_, _| ("404 Not Found".to_owned(), Vec::new())).await;
    let studio = studio("");
    for _ in 0..50 {
        let error = studio.sounds.prepare(key("k"), SoundSource::Url(url.clone())).await.unwrap_err();
        assert_eq!(error.code, 11200);
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn files_play_and_are_read_again_when_they_change() {
    let studio = studio("");
    let path = studio.folder.path().join("hold.wav");
    for source in [SoundSource::Url("file:hold.wav".to_owned()), SoundSource::File(path.clone())] {
        let ask = || studio.sounds.prepare(key("k"), source.clone());
        std::fs::write(&path, wav(800)).unwrap();
        assert_eq!(ask().await.unwrap().duration_ms, Some(100));
        let first = whole(&studio, "k");
        ask().await.unwrap();
        assert!(Arc::ptr_eq(&first, &whole(&studio, "k")), "{source:?} did not change");
        std::fs::write(&path, wav(1_600)).unwrap();
        assert_eq!(ask().await.unwrap().duration_ms, Some(200));
    }
}

mod streams;
