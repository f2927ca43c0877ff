//! Recordings as they are fetched over HTTP: whole, in part, in one channel, as MP3, and not twice.

use crate::common::network::in_own_network;
use crate::common::office::Tandem;
use crate::common::rest::Rest;
use crate::common::web::{Reply, Web};
use crate::common::{hz, s, tone};
use crate::stage::{Caller, office, web};

/// The recording of a caller who says one tone and hears two others, once it is complete: its sid.
fn recorded(tandem: &Tandem, web: &Web) -> String {
    let mut caller = Caller::calls_until_byed(tandem);
    caller.rtp.say(hz::CALLER);
    caller.sipp.succeeds(s(15));
    web.wait("/recorded", s(10)).get("RecordingSid").to_owned()
}

/// A web server whose document has two channels recorded.
fn recording_web() -> Web {
    let web = web();
    web.document(
        "/voice",
        "<Start><Recording recordingStatusCallback=\"/recorded\"/></Start><Play>/prompt.wav</Play>\
         <Play>/menu.wav</Play><Hangup/>",
    );
    web.on("/recorded", |_| Reply::empty());
    web
}

/// A value of an answer's head.
fn header<'a>(head: &'a str, name: &str) -> &'a str {
    let named = |line: &&'a str| line.split_once(": ").is_some_and(|(n, _)| n.eq_ignore_ascii_case(name));
    head.lines().find(named).and_then(|line| line.split_once(": ")).map_or("", |(_, value)| value)
}

#[test]
fn a_recording_is_fetched_whole_in_part_in_one_channel_and_not_twice() {
    in_own_network(|| {
        let web = recording_web();
        let tandem = office(&web).open();
        let sid = recorded(&tandem, &web);
        let rest = Rest::local();
        let path = format!("Recordings/{sid}.wav");
        let (status, head, whole) = rest.whole(&path, "");
        assert_eq!((status, header(&head, "content-type")), (200, "audio/x-wav"), "{head}");
        assert_eq!(header(&head, "content-length"), whole.len().to_string());
        let channels = tone::read_wav(&whole);
        let [said, heard] = channels.as_slice() else { panic!("{} channels", channels.len()) };
        assert!(tone::seconds_of(said, hz::CALLER) > 3.0 && tone::seconds_of(heard, hz::MENU) > 1.7);
        assert_eq!(rest.bytes(&format!("Recordings/{sid}")), whole, "without an extension");

        // In parts, as players seek, and both parts are the whole.
        let half = whole.len() / 2;
        let (status, head, first) = rest.whole(&path, &format!("Range: bytes=0-{}\r\n", half - 1));
        let range = format!("bytes 0-{}/{}", half - 1, whole.len());
        assert_eq!((status, header(&head, "content-range")), (206, range.as_str()), "{head}");
        let (_, _, second) = rest.whole(&path, &format!("Range: bytes={half}-\r\n"));
        assert_eq!([first, second].concat(), whole);
        assert_eq!(rest.whole(&path, &format!("Range: bytes={}-\r\n", whole.len())).0, 416);

        // Who has it is not sent it again.
        let (_, head, _) = rest.whole(&path, "");
        let tag = header(&head, "etag").to_owned();
        assert!(!tag.is_empty() && header(&head, "cache-control").contains("max-age"), "{head}");
        let (status, _, nothing) = rest.whole(&path, &format!("If-None-Match: {tag}\r\n"));
        assert_eq!((status, nothing.len()), (304, 0));
        let (status, ..) = rest.whole(&path, "If-None-Match: \"another\"\r\n");
        assert_eq!(status, 200);

        // Both sides in one channel, and as two where they are two.
        let (status, head, mono) = rest.whole(&format!("{path}?RequestedChannels=1"), "");
        assert_eq!(status, 200, "{head}");
        let channels = tone::read_wav(&mono);
        let [both] = channels.as_slice() else { panic!("{} channels", channels.len()) };
        for hz in [hz::CALLER, hz::PROMPT, hz::MENU] {
            let seconds = tone::seconds_with(both, hz);
            assert!(seconds > 1.5, "{hz} Hz for {seconds} s");
        }
        assert!(header(&head, "etag") != tag, "another form is another thing");
        assert_eq!(rest.bytes(&format!("{path}?RequestedChannels=2")), whole);
        assert_eq!(rest.get(&format!("{path}?RequestedChannels=3")).1["code"], 16113);
        // A build without an encoder says so.
        if cfg!(not(feature = "mp3")) {
            let (status, refused) = rest.get(&format!("Recordings/{sid}.mp3"));
            assert_eq!((status, &refused["code"]), (406, &20406.into()), "{refused}");
        }
        assert_eq!(rest.delete(&format!("Recordings/{sid}.json")), 204);
        assert_eq!(rest.get(&path).0, 404);
        let left = std::fs::read_dir(tandem.state().join("recordings")).unwrap().count();
        assert_eq!(left, 0, "nothing of any form is left");
    });
}

/// What `ffmpeg` makes of an MP3 file: its channels at 8,000 samples a second. The library that reads sounds for the box
/// itself is no judge of what it writes.
#[cfg(feature = "mp3")]
fn decoded(file: &[u8], channels: usize) -> Vec<Vec<i16>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mp3");
    std::fs::write(&path, file).unwrap();
    let run = |program: &str, arguments: &[&str]| {
        let output = std::process::Command::new(program).args(arguments).arg(&path).output();
        let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    let said = run(
        "ffprobe",
        &["-v", "error", "-show_entries", "stream=codec_name,channels,sample_rate", "-of", "csv=p=0"],
    );
    assert_eq!(String::from_utf8_lossy(&said).trim(), format!("mp3,8000,{channels}"));
    let wav = folder.path().join("a.wav");
    let output = std::process::Command::new("ffmpeg")
        .args(["-v", "error", "-xerror", "-i"])
        .arg(&path)
        .args(["-c:a", "pcm_s16le", "-bitexact"])
        .arg(&wav)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    tone::read_wav(&std::fs::read(wav).unwrap())
}

#[cfg(feature = "mp3")]
#[test]
fn a_recording_is_fetched_as_mp3() {
    in_own_network(|| {
        let web = recording_web();
        let tandem = office(&web).open();
        let sid = recorded(&tandem, &web);
        let rest = Rest::local();
        let path = format!("Recordings/{sid}.mp3");
        let (status, head, file) = rest.whole(&path, "");
        assert_eq!((status, header(&head, "content-type")), (200, "audio/mpeg"), "{head}");
        let wav = rest.bytes(&format!("Recordings/{sid}.wav"));
        assert!(file.len() * 3 < wav.len(), "{} of {} bytes", file.len(), wav.len());
        let channels = decoded(&file, 2);
        let [said, heard] = channels.as_slice() else { panic!("{} channels", channels.len()) };
        let originals = tone::read_wav(&wav);
        for (channel, original, hz) in [
            (said, &originals[0], hz::CALLER),
            (heard, &originals[1], hz::PROMPT),
            (heard, &originals[1], hz::MENU),
        ] {
            let (seconds, before) = (tone::seconds_of(channel, hz), tone::seconds_of(original, hz));
            assert!((seconds - before).abs() < 0.2, "{hz} Hz for {seconds} s of {before} s");
        }
        assert!(tone::seconds_with(heard, hz::CALLER) < 0.1, "the channels are apart");
        let length = said.len() as f64 / 8_000.0 - originals[0].len() as f64 / 8_000.0;
        assert!(length.abs() < 0.3, "it is longer by {length} s");

        let (status, _, mono) = rest.whole(&format!("{path}?RequestedChannels=1"), "");
        assert_eq!(status, 200);
        let one = decoded(&mono, 1);
        for hz in [hz::CALLER, hz::PROMPT, hz::MENU] {
            assert!(tone::seconds_with(&one[0], hz) > 1.5, "{hz} Hz");
        }
        // Its parts and what a client has of it are asked for as of any file.
        let (status, head, part) = rest.whole(&path, "Range: bytes=0-99\r\n");
        assert_eq!((status, part.as_slice()), (206, &file[..100]), "{head}");
        let tag = header(&head, "etag").to_owned();
        assert_eq!(rest.whole(&path, &format!("If-None-Match: {tag}\r\n")).0, 304);
        assert_eq!(rest.bytes(&path), file, "made once");
        assert_eq!(rest.delete(&format!("Recordings/{sid}.json")), 204);
        let left = std::fs::read_dir(tandem.state().join("recordings")).unwrap().count();
        assert_eq!(left, 0, "nothing of any form is left");
    });
}
