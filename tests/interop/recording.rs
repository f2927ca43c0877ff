//! Recordings that are begun beside the document, listened to: which tones are where in their files.

use crate::common::network::{in_own_network, loopback};
use crate::common::office::Tandem;
use crate::common::rest::Rest;
use crate::common::rtp::Rtp;
use crate::common::web::{Reply, Web};
use crate::common::{hz, ms, s, tone, wait_for};
use crate::stage::{Caller, answering_until_byed, office, web};

/// The one recording there is, its channels, once it has been told.
fn recording(tandem: &Tandem, web: &Web) -> Vec<Vec<i16>> {
    let told = web.wait("/recorded", s(10));
    assert_eq!(told.get("RecordingStatus"), "completed", "{told:?}");
    let all = wait_for("the recording", s(5), || Some(tandem.recordings()).filter(|all| all.len() == 1));
    all.into_iter().next().unwrap()
}

#[test]
fn a_started_recording_has_both_sides_apart_and_goes_on_from_document_to_document() {
    in_own_network(|| {
        let web = web();
        web.document(
            "/voice",
            "<Start><Recording recordingStatusCallback=\"/recorded\"/></Start><Play>/prompt.wav</Play>\
             <Redirect>/next</Redirect>",
        )
        .document("/next", "<Pause length=\"1\"/><Play>/menu.wav</Play><Hangup/>");
        web.on("/recorded", |_| Reply::empty());
        let tandem = office(&web).open();
        let mut caller = Caller::calls_until_byed(&tandem);
        caller.rtp.say(hz::CALLER);
        caller.sipp.succeeds(s(15));
        let channels = recording(&tandem, &web);
        let [said, heard] = channels.as_slice() else { panic!("{} channels", channels.len()) };
        assert!(tone::seconds_of(said, hz::CALLER) > 4.0, "{} s", tone::seconds_of(said, hz::CALLER));
        assert_eq!(tone::seconds_with(said, hz::PROMPT) + tone::seconds_with(said, hz::MENU), 0.0);
        assert_eq!(tone::seconds_with(heard, hz::CALLER), 0.0);
        for prompt in [hz::PROMPT, hz::MENU] {
            let seconds = tone::seconds_of(heard, prompt);
            assert!((1.7..2.2).contains(&seconds), "{prompt} Hz for {seconds} s");
        }
        let first = |hz| tone::first_heard(heard, hz).expect("it was counted above");
        assert!(first(hz::PROMPT) < 1.0, "the prompt at {}", first(hz::PROMPT));
        let apart = first(hz::MENU) - first(hz::PROMPT);
        assert!((2.9..3.6).contains(&apart), "two seconds of prompt and one of silence: {apart}");
        assert_eq!(web.asked("/recorded")[0].get("RecordingChannels"), "2");
    });
}

/// Five tones of about two seconds: the second is said in a pause that stands as silence, the fourth in one that is
/// left out.
#[test]
fn a_recording_begun_over_http_has_its_pauses_where_they_were() {
    const TONES: [f64; 5] = [500.0, 620.0, 740.0, 860.0, 980.0];
    in_own_network(|| {
        let web = web();
        web.document("/voice", "<Play>/menu.wav</Play><Pause length=\"60\"/>");
        web.on("/recorded", |_| Reply::empty());
        let tandem = office(&web).open();
        let mut caller = Caller::calls_and_hangs_up_when_told(&tandem);
        caller.hears(hz::MENU, 1.7);
        std::thread::sleep(ms(500));
        let call = web.asked("/voice")[0].get("CallSid").to_owned();
        let change = |form: &[(&str, &str)], status: &str| {
            let path = format!("Calls/{call}/Recordings/Twilio.CURRENT.json");
            let (code, said) = Rest::local().post(&path, form);
            assert_eq!((code, said["status"].as_str()), (200, Some(status)), "{said}");
        };
        let says = |tone| {
            caller.rtp.say(tone);
            std::thread::sleep(ms(2_000));
        };
        // The tone changes as it is asked for: the answer waits until a disk has what was done, however slow that is.
        let changed_saying = |form: &[(&str, &str)], status: &str, tone| {
            std::thread::scope(|scope| {
                scope.spawn(|| change(form, status));
                says(tone);
            });
        };

        let form = [("RecordingStatusCallback", web.url("/recorded")), ("RecordingTrack", "inbound".into())];
        let form = form.each_ref().map(|(name, value)| (*name, value.as_str()));
        let (code, begun) = Rest::local().post(&format!("Calls/{call}/Recordings.json"), &form);
        assert_eq!(code, 201, "{begun}");
        says(TONES[0]);
        changed_saying(&[("Status", "paused"), ("PauseBehavior", "silence")], "paused", TONES[1]);
        changed_saying(&[("Status", "in-progress")], "in-progress", TONES[2]);
        changed_saying(&[("Status", "paused"), ("PauseBehavior", "skip")], "paused", TONES[3]);
        changed_saying(&[("Status", "in-progress")], "in-progress", TONES[4]);
        change(&[("Status", "stopped")], "stopped");
        let channels = recording(&tandem, &web);
        let [sound] = channels.as_slice() else { panic!("{} channels", channels.len()) };
        for (n, hz) in TONES.into_iter().enumerate() {
            let seconds = tone::seconds_of(sound, hz);
            let expected = if n % 2 == 0 { 1.6..2.3 } else { 0.0..0.2 };
            assert!(expected.contains(&seconds), "{hz} Hz for {seconds} s");
        }
        let first = |n: usize| tone::first_heard(sound, TONES[n]).expect("it was counted above");
        assert!(first(0) < 0.4, "it begins with the first: {}", first(0));
        assert!((3.6..4.5).contains(&(first(2) - first(0))), "the first pause stands: {}", first(2));
        assert!((1.6..2.5).contains(&(first(4) - first(2))), "the second is left out: {}", first(4));
        let told = &web.asked("/recorded")[0];
        assert_eq!(told.get("RecordingSource"), "StartCallRecordingAPI");
        assert_eq!(told.get("RecordingSid"), begun["sid"].as_str().unwrap());
        let length = sound.len() as f64 / f64::from(tone::RATE);
        let said: f64 = told.get("RecordingDuration").parse().unwrap();
        assert!((said - length).abs() <= 0.6, "{said} s are told of {length}");
        caller.hangs_up();
    });
}

/// A caller who says nothing leaves an empty recording: where the office wants it so, the next verb follows.
#[test]
fn an_empty_recording_goes_on_where_that_is_wanted() {
    in_own_network(|| {
        let web = web();
        web.document("/voice", "<Record timeout=\"1\" action=\"/kept\"/><Play>/prompt.wav</Play>")
            .document("/kept", "<Play>/menu.wav</Play>");
        let tandem = office(&web).table("[webhooks]\nempty_record_goes_on = true").open();
        let mut caller = Caller::calls_until_byed(&tandem);
        caller.hears(hz::PROMPT, 1.5);
        caller.sipp.succeeds(s(15));
        assert_eq!(web.asked("/kept").len(), 0);
        assert_eq!(tandem.recordings().len(), 1, "it is kept all the same");
    });
}

/// A disk that fills up while a message is left: what fits is kept and plays, the verb's action is asked, whoever waits
/// for the file is told that it failed, and the call goes on.
#[test]
fn a_disk_that_fills_up_ends_the_recording_and_the_call_goes_on() {
    in_own_network(|| {
        let web = web();
        web.document(
            "/voice",
            "<Record action=\"/done\" playBeep=\"false\" recordingStatusCallback=\"/recorded\"/>",
        );
        web.document("/done", "<Play>/prompt.wav</Play><Play>/menu.wav</Play>");
        web.on("/recorded", |_| Reply::empty());
        let tandem = office(&web).table("[recording]\nmin_free_mb = 0").open();
        // Room for three seconds.
        let folder = tandem.state().join("recordings");
        std::fs::create_dir_all(&folder).unwrap();
        let mounted = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=48k", "tmpfs"])
            .arg(&folder)
            .status();
        assert!(mounted.is_ok_and(|status| status.success()), "a small disk");
        let mut caller = Caller::calls_until_byed(&tandem);
        caller.rtp.say(hz::CALLER);
        let done = web.wait("/done", s(15));
        let length: u32 = done.get("RecordingDuration").parse().unwrap();
        assert!((1..=4).contains(&length), "{done:?}");
        caller.hears(hz::PROMPT, 1.5);
        caller.hears(hz::MENU, 1.5);
        let told = web.wait("/recorded", s(5));
        assert_eq!(
            (told.get("RecordingStatus"), told.get("ErrorCode"), told.get("RecordingSid")),
            ("failed", "12400", done.get("RecordingSid"))
        );
        caller.sipp.succeeds(s(15));
        let kept = tandem.recordings().swap_remove(0);
        let heard = tone::seconds_of(&kept[0], hz::CALLER);
        assert!(heard > f64::from(length) - 1.0, "{heard} s of {length}");
        let (_, notified) = Rest::local().get(&format!("Calls/{}/Notifications.json", done.get("CallSid")));
        assert_eq!(notified["notifications"][0]["error_code"], "12400", "{notified}");
    });
}

/// What is in the file of a `<Dial record>` with these attributes: two seconds of nothing, two of the agent, two of the
/// caller, two of nothing.
fn recorded_dial(attributes: &str) -> (Vec<i16>, u32) {
    let web = web();
    let dial = format!(
        "<Dial record=\"record-from-answer\" recordingStatusCallback=\"/recorded\" {attributes}><Client>ann</Client></Dial>"
    );
    web.document("/voice", &dial).on("/recorded", |_| Reply::empty());
    let tandem = office(&web).open();
    let phone = Rtp::open(loopback(11));
    let mut agent = tandem.phone("ann", 11, &answering_until_byed(&phone));
    let mut caller = Caller::calls_and_hangs_up_when_told(&tandem);
    phone.talk_to(agent.wait("INVITE", s(8)).media().unwrap());
    agent.wait("ACK", s(8));
    std::thread::sleep(s(2));
    phone.say(hz::AGENT);
    std::thread::sleep(s(2));
    phone.hush();
    caller.rtp.say(hz::CALLER);
    std::thread::sleep(s(2));
    caller.rtp.hush();
    std::thread::sleep(s(2));
    caller.hangs_up();
    agent.succeeds(s(5));
    let channels = recording(&tandem, &web);
    let [sound] = channels.as_slice() else { panic!("{} channels", channels.len()) };
    let told = web.asked("/recorded")[0].get("RecordingDuration").parse().unwrap();
    (sound.clone(), told)
}

fn seconds_long(sound: &[i16]) -> f64 {
    sound.len() as f64 / f64::from(tone::RATE)
}

#[test]
fn a_recorded_dial_keeps_the_silence_at_its_ends() {
    in_own_network(|| {
        let (sound, told) = recorded_dial("");
        let begins = tone::first_heard(&sound, hz::AGENT).unwrap();
        assert!((1.5..2.8).contains(&begins), "the agent at {begins}");
        assert!((7.0..9.5).contains(&seconds_long(&sound)), "{} s", seconds_long(&sound));
        assert!((7..=10).contains(&told), "{told} s are told");
    });
}

#[test]
fn a_trimmed_dial_begins_and_ends_with_what_is_said() {
    in_own_network(|| {
        let (sound, told) = recorded_dial("trim=\"trim-silence\"");
        let begins = tone::first_heard(&sound, hz::AGENT).unwrap();
        assert!(begins < 0.5, "the agent at {begins}");
        assert!((3.5..5.0).contains(&seconds_long(&sound)), "{} s", seconds_long(&sound));
        for who in [hz::AGENT, hz::CALLER] {
            assert!(tone::seconds_of(&sound, who) > 1.6, "{who} Hz for {} s", tone::seconds_of(&sound, who));
        }
        assert!((7..=10).contains(&told), "{told} s are told: the length before trimming");
    });
}

#[test]
fn the_inbound_track_of_a_dial_is_the_callers_voice() {
    in_own_network(|| {
        let (sound, _) = recorded_dial("recordingTrack=\"inbound\"");
        assert!(tone::seconds_of(&sound, hz::CALLER) > 1.6, "{}", tone::seconds_of(&sound, hz::CALLER));
        assert_eq!(tone::seconds_with(&sound, hz::AGENT), 0.0);
    });
}

#[test]
fn the_outbound_track_of_a_dial_is_the_agents_voice() {
    in_own_network(|| {
        let (sound, _) = recorded_dial("recordingTrack=\"outbound\"");
        assert!(tone::seconds_of(&sound, hz::AGENT) > 1.6, "{}", tone::seconds_of(&sound, hz::AGENT));
        assert_eq!(tone::seconds_with(&sound, hz::CALLER), 0.0);
    });
}
