//! Recordings in files: sample-exact, cut off, on disks that are full.

use base::Rng;
use media::decode::decode;

use super::super::disk::tests::Small;
use super::*;

fn create(path: &Path, channels: u8, trim: bool, format: RecordFormat) -> Recording {
    Recording::create(Plan { leg: LegId(1), path: path.to_owned(), channels, trim, format }, 0)
}

fn wav(path: &Path, channels: u8, trim: bool) -> Recording {
    create(path, channels, trim, RecordFormat::Wav)
}

fn path(name: &str) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("tandem-writer-{}", std::process::id()));
    dir.join(name)
}

fn read(path: &PathBuf) -> Vec<i16> {
    let bytes = std::fs::read(path).unwrap();
    let announced = u32::from_le_bytes(bytes[40..44].try_into().unwrap()) as usize;
    assert_eq!(announced, bytes.len() - media::wav::HEADER_BYTES);
    bytes[media::wav::HEADER_BYTES..].as_chunks().0.iter().map(|s| i16::from_le_bytes(*s)).collect()
}

fn sound(n: u64) -> [i16; 160] {
    std::array::from_fn(|i| if (n as usize + i).is_multiple_of(2) { 5_000 } else { -5_000 })
}

#[test]
fn frames_become_a_file() {
    let path = path("whole.wav");
    let mut file = wav(&path, 1, false);
    for n in 0..100 {
        file.write(n * 160, &sound(0));
    }
    file.write(16_000, &[7; 11]);
    assert_eq!(file.finish(), Written { bytes: 44 + 2 * 16_011, duration_ms: 2_001 });
    let samples = read(&path);
    assert_eq!((samples.len(), samples[0], samples[16_010]), (16_011, 5_000, 7));
}

#[test]
fn lost_frames_are_silence_and_late_ones_find_their_place() {
    let path = path("lost.wav");
    let mut file = wav(&path, 1, false);
    for n in (0..100).filter(|n| !(40..60).contains(n)) {
        file.write(n * 160, &sound(0));
    }
    file.write(50 * 160, &[9; 160]);
    file.finish();
    let samples = read(&path);
    assert_eq!(samples.len(), 16_000);
    assert!(samples[6_400..8_000].iter().all(|&s| s == 0));
    assert!(samples[8_000..8_160].iter().all(|&s| s == 9));
    assert!(samples[8_160..9_600].iter().all(|&s| s == 0));
    assert_eq!(samples[9_600], 5_000);
}

#[test]
fn silence_is_cut_off_both_ends() {
    let path = path("trimmed.wav");
    let mut file = wav(&path, 1, true);
    for n in 0..500 {
        let frame = if (200..300).contains(&n) { sound(0) } else { [0; 160] };
        file.write(n * 160, &frame);
    }
    file.finish();
    let samples = read(&path);
    assert_eq!(samples.len(), 100 * 160 + 2 * MARGIN_SAMPLES as usize);
    assert_eq!((samples[799], samples[800]), (0, 5_000));
}

#[test]
fn silence_alone_leaves_a_little() {
    let path = path("silent.wav");
    let mut file = wav(&path, 1, true);
    for n in 0..500 {
        file.write(n * 160, &[0; 160]);
    }
    file.finish();
    assert_eq!(read(&path).len(), MARGIN_SAMPLES as usize);
}

#[test]
fn a_full_disk_is_a_failure_in_words() {
    let mut file = wav(Path::new("/dev/full"), 1, false);
    assert!(file.failure.as_ref().unwrap().starts_with("cannot write /dev/full: "), "{:?}", file.failure);
    file.write(0, &[1; 160]);
    assert_eq!(file.finish(), Written { bytes: 0, duration_ms: 0 });
    let file = wav(Path::new("/proc/none/x.wav"), 1, false);
    assert!(file.failure.is_some());
}

#[test]
fn two_channels_are_trimmed_where_both_are_silent() {
    let path = path("dual.wav");
    let mut file = wav(&path, 2, true);
    for n in 0..500 {
        let mut frame = [0; 320];
        for (i, sample) in sound(0).into_iter().enumerate() {
            frame[2 * i] = if (200..250).contains(&n) { sample } else { 0 };
            frame[2 * i + 1] = if (240..300).contains(&n) { sample } else { 0 };
        }
        file.write(n * 160, &frame);
    }
    let written = file.finish();
    let samples = read(&path);
    assert_eq!(samples.len(), 2 * (100 * 160 + 2 * MARGIN_SAMPLES as usize));
    assert_eq!(written.duration_ms, 2_200);
    assert_eq!((samples[2 * 800], samples[2 * 800 + 1]), (5_000, 0));
    assert_eq!(u16::from_le_bytes(std::fs::read(&path).unwrap()[22..24].try_into().unwrap()), 2);
}

#[test]
fn a_disk_that_fills_up_leaves_what_was_written_and_it_plays() {
    for room in [44, 45, 300, 8_044, 30_001, 77_777] {
        for channels in [1, 2] {
            let small = Small { room, ..Small::default() };
            let plan = Plan {
                leg: LegId(1),
                path: "x.wav".into(),
                channels,
                trim: false,
                format: RecordFormat::Wav,
            };
            let mut file = Recording::on(plan, Ok(Box::new(small.clone())));
            for n in 0..500 {
                file.write(n * 160, &vec![700; 160 * usize::from(channels)]);
            }
            assert!(file.failure.as_ref().unwrap().contains("No space left on device"));
            let written = file.finish();
            let bytes = small.bytes.lock().unwrap().clone();
            let frame = 2 * usize::from(channels);
            let frames = (room - 44) / frame;
            assert_eq!(
                written,
                Written { bytes: (44 + frames * frame) as u64, duration_ms: frames as u64 / 8 }
            );
            assert_eq!(bytes[..44], media::wav::header(u16::from(channels), 8_000, (frames * frame) as u64));
            if frames > 0 {
                let clip = decode(bytes, Some("wav")).unwrap();
                assert!(clip.pcm.iter().all(|&s| s == 700) && clip.pcm.len() == frames);
            }
        }
    }
}

#[test]
fn a_writer_that_is_killed_leaves_a_file_that_plays() {
    let path = path("killed.wav");
    let mut file = wav(&path, 1, false);
    for n in 0..170 {
        file.write(n * 160, &sound(0));
    }
    // Nothing of it runs any more: not even its end.
    std::mem::forget(file);
    let clip = decode(std::fs::read(&path).unwrap(), Some("wav")).unwrap();
    assert!(clip.pcm.len() >= 170 * 160 - 4_000, "at most half a second is lost: {}", clip.pcm.len());
}

/// Decodes with other people's decoder, or says that there is none.
fn foreign(path: &Path, channels: u8) -> Option<Vec<i16>> {
    let out = std::process::Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(path)
        .args(["-f", "s16le", "-ar", "8000", "-ac", &channels.to_string(), "-"])
        .output();
    match out {
        Ok(out) => {
            assert!(out.stderr.is_empty(), "{}", String::from_utf8_lossy(&out.stderr));
            Some(out.stdout.as_chunks().0.iter().map(|s| i16::from_le_bytes(*s)).collect())
        }
        Err(_) => {
            eprintln!("skipped: ffmpeg is not installed");
            None
        }
    }
}

fn tone(hz: f64, n: u64) -> i16 {
    ((n as f64 * hz * std::f64::consts::TAU / 8_000.0).sin() * 8_000.0) as i16
}

#[test]
fn ogg_opus_has_the_right_sound_length_and_place() {
    for channels in [1u8, 2] {
        let path = path(&format!("tone-{channels}.ogg"));
        let mut file = create(&path, channels, false, RecordFormat::OggOpus);
        let mut total = 0;
        // Left: a tone from 1 s on. Right: another until 1 s.
        for len in [160u64; 150].into_iter().chain([77]) {
            let mut frame = Vec::new();
            for n in total..total + len {
                frame.push(if n >= 8_000 { tone(440.0, n) } else { 0 });
                if channels == 2 {
                    frame.push(if n < 8_000 { tone(900.0, n) } else { 0 });
                }
            }
            file.write(total, &frame);
            total += len;
        }
        let written = file.finish();
        assert_eq!(
            (written.duration_ms, written.bytes),
            (total / 8, std::fs::metadata(&path).unwrap().len())
        );
        assert!(written.bytes < 20_000 * u64::from(channels), "{written:?}");
        let again = super::super::repair(&path).unwrap();
        assert_eq!((again.duration_ms, again.changed), (total / 8, false));
        let Some(heard) = foreign(&path, channels) else { return };
        let heard: Vec<&[i16]> = heard.chunks(usize::from(channels)).collect();
        assert_eq!(heard.len() as u64, total);
        let left: Vec<i16> = heard.iter().map(|frame| frame[0]).collect();
        let begins = left.iter().position(|s| s.abs() > 2_000).unwrap();
        assert!(begins.abs_diff(8_000) <= 16, "{begins}");
        assert!(media::tone::goertzel_power(&left[9_000..20_000], 8_000, 440.0) > 0.95);
        if channels == 2 {
            let right: Vec<i16> = heard.iter().map(|frame| frame[1]).collect();
            assert!(media::tone::goertzel_power(&right[400..7_600], 8_000, 900.0) > 0.95);
            assert!(
                right[9_000..].iter().all(|s| s.abs() < 50),
                "one side is not heard in the other channel"
            );
        }
    }
}

#[test]
fn an_ogg_file_that_is_cut_off_plays_up_to_its_last_second() {
    let path = path("cut.ogg");
    let mut file = create(&path, 1, false, RecordFormat::OggOpus);
    for n in 0..500 {
        let frame: Vec<i16> = (n * 160..n * 160 + 160).map(|n| tone(440.0, n)).collect();
        file.write(n * 160, &frame);
    }
    std::mem::forget(file);
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 100]).unwrap();
    let repaired = super::super::repair(&path).unwrap();
    assert!(repaired.changed && (7_900..9_000).contains(&repaired.duration_ms), "{repaired:?}");
    if let Some(heard) = foreign(&path, 1) {
        assert!((heard.len() as u64 / 8).abs_diff(repaired.duration_ms) <= 1);
    }
}

#[test]
fn ogg_opus_is_trimmed_and_a_full_disk_leaves_whole_pages() {
    let path = path("trimmed.ogg");
    let mut file = create(&path, 1, true, RecordFormat::OggOpus);
    for n in 0..900 {
        let frame = if (200..300).contains(&n) { sound(0) } else { [0; 160] };
        file.write(n * 160, &frame);
    }
    assert_eq!(file.finish().duration_ms, 2_200);
    for silence in [70 * 50, 10, 60] {
        let path = self::path("long.ogg");
        let mut file = create(&path, 2, true, RecordFormat::OggOpus);
        let mut rng = Rng::seeded(2);
        for n in 0..500 + silence {
            let loud = n < 500;
            let frame: [i16; 320] = std::array::from_fn(|_| if loud { rng.below(8_000) as i16 } else { 0 });
            file.write(n * 160, &frame);
        }
        let written = file.finish();
        let ms = 10_000 + (20 * silence).min(100);
        assert_eq!((file.failure.take(), written.duration_ms), (None, ms), "{silence}");
        let repaired = super::super::repair(&path).unwrap();
        assert_eq!((repaired.changed, repaired.duration_ms, repaired.bytes), (false, ms, written.bytes));
        if let Some(heard) = foreign(&path, 2) {
            assert_eq!(heard.len() as u64, 2 * 8 * ms, "{silence}");
        }
    }
    let small = Small { room: 9_000, ..Small::default() };
    let format = RecordFormat::OggOpus;
    let plan = Plan { leg: LegId(1), path: "x.ogg".into(), channels: 1, trim: false, format };
    let mut file = Recording::on(plan, Ok(Box::new(small.clone())));
    let mut rng = Rng::seeded(1);
    for n in 0..2_000 {
        let frame: [i16; 160] = std::array::from_fn(|_| rng.below(8_000) as i16);
        file.write(n * 160, &frame);
    }
    let written = file.finish();
    assert!(file.failure.is_some() && written.duration_ms >= 900, "{written:?}");
    let path = self::path("full.ogg");
    std::fs::write(&path, &*small.bytes.lock().unwrap()).unwrap();
    let repaired = super::super::repair(&path).unwrap();
    assert_eq!((repaired.changed, repaired.bytes), (false, written.bytes));
    assert!(repaired.duration_ms.abs_diff(written.duration_ms) <= 1);
}

#[cfg(feature = "mp3")]
#[test]
fn mp3_has_the_right_sound_and_is_trimmed() {
    for channels in [1u8, 2] {
        let path = path(&format!("tone-{channels}.mp3"));
        let mut file = create(&path, channels, true, RecordFormat::Mp3);
        // A second of silence, two of a tone on the left, ninety of silence with frames missing.
        for n in (0..4_650u64).filter(|n| n % 50 != 49 || *n < 200) {
            let tone = |at: u64| if (50..150).contains(&n) { tone(440.0, n * 160 + at) } else { 0 };
            let frame: Vec<i16> =
                (0..160).flat_map(|at| [tone(at), 0].into_iter().take(usize::from(channels))).collect();
            file.write(n * 160, &frame);
        }
        let written = file.finish();
        assert_eq!((file.failure.take(), written.duration_ms), (None, 2_200));
        let size = std::fs::metadata(&path).unwrap().len();
        assert!(size == written.bytes && size < 10_000 * u64::from(channels), "{size}");
        let told = super::super::repair(&path).unwrap();
        assert!(!told.changed && (2_200..2_500).contains(&told.duration_ms), "{told:?}");
        let Some(heard) = foreign(&path, channels) else { continue };
        let left: Vec<i16> = heard.iter().copied().step_by(usize::from(channels)).collect();
        assert!((2_200..2_500).contains(&(left.len() / 8)), "{}", left.len());
        let begins = left.iter().position(|s| s.abs() > 2_000).unwrap();
        assert!((800..800 + 1_105 + 160).contains(&begins), "{begins}");
        assert!(media::tone::goertzel_power(&left[4_000..12_000], 8_000, 440.0) > 0.95);
        if channels == 2 {
            assert!(heard.iter().skip(1).step_by(2).all(|s| s.abs() < 50), "in its own channel only");
        }
    }
}

#[cfg(feature = "mp3")]
#[test]
fn an_mp3_on_a_full_disk_ends_with_a_whole_frame() {
    let small = Small { room: 9_000, ..Small::default() };
    let plan =
        Plan { leg: LegId(1), path: "x.mp3".into(), channels: 1, trim: false, format: RecordFormat::Mp3 };
    let mut file = Recording::on(plan, Ok(Box::new(small.clone())));
    for n in 0..500 {
        let frame: [i16; 160] = std::array::from_fn(|at| tone(440.0, n * 160 + at as u64));
        file.write(n * 160, &frame);
    }
    let written = file.finish();
    assert!(file.failure.is_some() && written.duration_ms > 1_000, "{written:?}");
    assert!(written.bytes.is_multiple_of(288) && written.bytes > 2_880, "{written:?}");
}
