//! Sounds that are heard while they come, from servers that are slow, endless, broken or wrong.

use media::clip::Chunk;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::*;

/// Milliseconds of a part of a body, and how long after the part before it comes.
const PART_MS: u64 = 100;

/// Answers each request with a head and hands the connection to `body`.
async fn trickle<F>(
    head: &'static str,
    body: impl Fn(TcpStream) -> F + Send + Sync + 'static,
) -> (String, Arc<AtomicUsize>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/sound", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") && stream.read_buf(&mut request).await.is_ok_and(|n| n > 0)
            {
            }
            count.fetch_add(1, Ordering::SeqCst);
            let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\n{head}\r\n\r\n");
            let _ = stream.write_all(head.as_bytes()).await;
            tokio::spawn(body(stream));
        }
    });
    (url, asked)
}

/// A ramp that shows where it is, as a file that says it has so many samples.
fn ramp(samples: usize) -> Vec<u8> {
    let mut file = wav(samples as u32);
    for (n, sample) in file[44..].chunks_exact_mut(2).enumerate() {
        sample.copy_from_slice(&(n as i16).to_le_bytes());
    }
    file
}

/// The frames of a file of 0.3 s, without the one that counts them, so many times.
fn mp3(times: usize) -> Vec<u8> {
    let file = include_bytes!("../../../../tests/data/audio/mp3-24k.mp3");
    let find = |what: &[u8], from: usize| {
        from + file[from..].windows(what.len()).position(|bytes| bytes == what).unwrap()
    };
    let frames = find(&[0xFF, 0xF3], find(b"Info", 0));
    file[frames..].repeat(times)
}

/// Sends so many bytes a part, until all are sent or nobody takes them.
async fn send_slowly(stream: &mut TcpStream, bytes: &[u8], part: usize) {
    for part in bytes.chunks(part) {
        if stream.write_all(part).await.is_err() {
            return;
        }
        sleep(Duration::from_millis(PART_MS)).await;
    }
}

fn impatient_studio() -> Studio {
    let folder = tempfile::tempdir().unwrap();
    let web = Webhooks::new(WebhookConfig::default(), Rng::seeded(1), mpsc::channel(1).0).unwrap();
    let config = SoundsConfig {
        cache_dir: folder.path().join("speech"),
        command: String::new(),
        voices: BTreeMap::new(),
    };
    let patience = Patience { stalled: Duration::from_millis(300), unheard: Duration::from_millis(300) };
    let sounds = Sounds::with_patience(config, web, patience);
    Studio { folder, sounds }
}

fn growing(studio: &Studio) -> Arc<media::GrowingClip> {
    match studio.sounds.get(&key("k")) {
        Some(CoreItem::Growing(clip)) => clip,
        other => panic!("{other:?}"),
    }
}

async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let waited = timeout(Duration::from_secs(60), async {
        while !is_so() {
            sleep(Duration::from_millis(10)).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("never {what}"));
}

#[tokio::test]
async fn a_sound_sent_as_slowly_as_it_is_heard_begins_to_play_after_a_second() {
    let (url, asked) =
        trickle("Content-Type: audio/wav\r\nCache-Control: max-age=60", |mut stream| async move {
            send_slowly(&mut stream, &ramp(24_000), 1_600).await;
        })
        .await;
    let studio = studio("");
    let ask = || studio.sounds.prepare(key("k"), SoundSource::Url(url.clone()));
    let began = Instant::now();
    let (first, second) = tokio::join!(ask(), ask());
    let waited = began.elapsed();
    assert!((900..2_400).contains(&waited.as_millis()), "{waited:?}");
    assert_eq!((first.unwrap().duration_ms, second.unwrap().duration_ms), (None, None));
    let clip = growing(&studio);
    assert_eq!((clip.len(), clip.samples(7_990, &mut [0; 10])), (None, Chunk::Some(10)));
    assert_eq!(ask().await.unwrap().duration_ms, None, "a later caller joins in");
    assert!(Arc::ptr_eq(&clip, &growing(&studio)) && clip.len().is_none());
    until("whole", || matches!(studio.sounds.get(&key("k")), Some(CoreItem::Clip(_)))).await;
    assert!(began.elapsed() > Duration::from_millis(2_900));
    let ramp: Vec<i16> = (0..24_000).collect();
    assert_eq!(*whole(&studio, "k").pcm, *ramp);
    assert_eq!(ask().await.unwrap().duration_ms, Some(3_000));
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn compressed_sounds_are_heard_while_they_come_too() {
    let mp3 = mp3(14);
    let ogg = include_bytes!("../../../../audio/hold.ogg").to_vec();
    for (head, bytes, part) in
        [("Content-Type: audio/mpeg", mp3, 400), ("Content-Type: audio/ogg", ogg, 8_000)]
    {
        let file = bytes.clone();
        let (url, _) = trickle(head, move |mut stream| {
            let bytes = bytes.clone();
            async move { send_slowly(&mut stream, &bytes, part).await }
        })
        .await;
        let studio = studio("");
        let info = studio.sounds.prepare(key("k"), SoundSource::Url(url)).await.unwrap();
        assert_eq!(info.duration_ms, None, "{head}");
        assert!(growing(&studio).len().is_none(), "{head}");
        until("whole", || matches!(studio.sounds.get(&key("k")), Some(CoreItem::Clip(_)))).await;
        assert_eq!(*whole(&studio, "k"), decode::decode(file, None).unwrap(), "{head}");
    }
}

#[tokio::test]
async fn a_server_that_stalls_in_the_middle_ends_the_sound_there() {
    let (url, asked) =
        trickle("Content-Type: audio/wav\r\nCache-Control: max-age=60", |mut stream| async move {
            let _ = stream.write_all(&ramp(100_000)[..44 + 2 * 40_000]).await;
            sleep(Duration::from_secs(60)).await;
        })
        .await;
    let studio = impatient_studio();
    let ask = || studio.sounds.prepare(key("k"), SoundSource::Url(url.clone()));
    ask().await.unwrap();
    let clip = growing(&studio);
    until("over", || clip.len().is_some()).await;
    assert_eq!(clip.len(), Some(40_000), "nothing that came is lost");
    // The cut one is not believed: the next caller has it fetched again.
    until("fetched anew", || asked.load(Ordering::SeqCst) == 1).await;
    sleep(Duration::from_millis(50)).await;
    ask().await.unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    assert!(!Arc::ptr_eq(&clip, &growing(&studio)));
}

#[tokio::test]
async fn an_endless_sound_ends_when_nobody_listens() {
    let (url, _) = trickle("Content-Type: audio/wav", |mut stream| async move {
        let mut file = ramp(16_000);
        // As senders of live sound fill the length in.
        file[4..8].fill(0xFF);
        file[40..44].fill(0xFF);
        while stream.write_all(&file).await.is_ok() {
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let studio = impatient_studio();
    studio.sounds.prepare(key("k"), SoundSource::Url(url)).await.unwrap();
    let heard = studio.sounds.get(&key("k")).unwrap();
    sleep(Duration::from_millis(900)).await;
    assert!(growing(&studio).len().is_none(), "somebody plays it");
    drop(heard);
    until("given up", || growing(&studio).len().is_some()).await;
}

#[tokio::test]
async fn an_endless_sound_is_cut_at_forty_minutes_or_forty_megabytes() {
    for (rate, most, least) in [(8_000_u32, 40 * 60_000, 40 * 60_000), (64_000, 330_000, 300_000)] {
        let (url, _) = trickle("Content-Type: audio/wav", move |mut stream| async move {
            let mut file = wav(32_000);
            file[24..28].copy_from_slice(&rate.to_le_bytes());
            file[28..32].copy_from_slice(&(2 * rate).to_le_bytes());
            file[4..8].fill(0xFF);
            file[40..44].fill(0xFF);
            while stream.write_all(&file).await.is_ok() {}
        })
        .await;
        let studio = studio("");
        studio.sounds.prepare(key("k"), SoundSource::Url(url)).await.unwrap();
        let clip = growing(&studio);
        until("cut", || clip.len().is_some()).await;
        let ms = clip.len().unwrap() as u64 / 8;
        assert!((least..=most).contains(&ms), "{rate} Hz: {ms} ms");
    }
}

#[tokio::test]
async fn garbage_after_a_good_beginning_ends_the_sound_and_nothing_else() {
    let mut bytes = mp3(14);
    let good = decode::decode(bytes.clone(), None).unwrap().duration_ms();
    let mut rng = Rng::seeded(5);
    bytes.extend((0..100_000).map(|_| rng.below(256) as u8));
    let (url, _) = trickle("Content-Type: audio/mpeg", move |mut stream| {
        let bytes = bytes.clone();
        async move { send_slowly(&mut stream, &bytes, 5_000).await }
    })
    .await;
    let studio = studio("");
    studio.sounds.prepare(key("k"), SoundSource::Url(url)).await.unwrap();
    until("whole", || matches!(studio.sounds.get(&key("k")), Some(CoreItem::Clip(_)))).await;
    assert!(good > 4_000 && whole(&studio, "k").duration_ms() + 100 >= good);
}

#[tokio::test]
async fn what_turns_out_to_be_no_sound_is_refused_before_anything_plays() {
    // It begins like a sound, and is long.
    for begin in [&b"ID3"[..], b"RIFF\xFF\xFF\xFF\xFFWAVE", b"OggS", b"fLaC", b"<html>"] {
        let body = [begin, &[b'?'; 150_000]].concat();
        let (url, _) = trickle("Content-Type: audio/mpeg", move |mut stream| {
            let body = body.clone();
            async move {
                let _ = stream.write_all(&body).await;
            }
        })
        .await;
        let studio = impatient_studio();
        let error = studio.sounds.prepare(key("k"), SoundSource::Url(url)).await.unwrap_err();
        assert_eq!(error.code, 13420, "{}: {error}", begin.escape_ascii());
        assert!(studio.sounds.get(&key("k")).is_none());
    }
    // One that never says what it is.
    let (url, _) = trickle("Content-Type: audio/wav", |mut stream| async move {
        let _ = stream.write_all(b"RIFF\xFF\xFF\xFF\xFFWAVEfmt ").await;
        sleep(Duration::from_secs(60)).await;
    })
    .await;
    let studio = impatient_studio();
    let error = studio.sounds.prepare(key("k"), SoundSource::Url(url)).await.unwrap_err();
    assert_eq!(error.code, 11200, "{error}");
}

#[tokio::test]
async fn who_hangs_up_before_it_begins_ends_the_fetching() {
    let (gone, mut is_gone) = mpsc::channel(1);
    let (url, _) = trickle("Content-Type: audio/wav", move |mut stream| {
        let gone = gone.clone();
        async move {
            let slowly = ramp(16_000);
            while stream.write_all(&slowly[..1_000]).await.is_ok() {
                sleep(Duration::from_millis(20)).await;
                if stream.try_read(&mut [0]).is_ok_and(|n| n == 0) {
                    break;
                }
            }
            let _ = gone.send(()).await;
        }
    })
    .await;
    let studio = studio("");
    let soon = Duration::from_millis(100);
    let asked = timeout(soon, studio.sounds.prepare(key("k"), SoundSource::Url(url))).await;
    assert!(asked.is_err());
    timeout(Duration::from_secs(10), is_gone.recv()).await.unwrap();
}
