//! Making the URLs of a verb absolute before it is executed.

use super::{
    ConferenceNoun, Connect, ConnectService, Dial, Enqueue, Gather, MachineDetection, Noun, Play, PlaySource,
    Prompt, Record, RecordingStatusCallback, Service, ServiceCallback, Start, StatusCallback, Verb,
};
use crate::Finding;
use crate::place::Place;
use crate::reference::{resolve, shown};

/// The verb with absolute URLs, and what had to be left out. `None` when nothing of it is left.
///
/// A bad `action` stays as written: it is an error only if the verb ends in requesting it. A bad `url` of a noun
/// stays too: the leg it would run on must not be bridged without it.
pub(crate) fn absolute(verb: Verb, base: Option<&str>, place: Option<Place>) -> (Option<Verb>, Vec<Finding>) {
    let mut resolver = Resolver { base, all: false, place, findings: Vec::new() };
    let verb = resolver.verb(verb);
    (verb, resolver.findings)
}

/// Every URL of the verb that leads nowhere, those among them that are only an error once they are asked for.
pub(crate) fn bad_urls(verb: Verb, base: &str, place: Option<Place>) -> Vec<Finding> {
    let mut resolver = Resolver { base: Some(base), all: true, place, findings: Vec::new() };
    if let Verb::Redirect(redirect) = &verb {
        resolver.if_possible(&mut Some(redirect.url.clone()));
    }
    resolver.verb(verb);
    resolver.findings
}

struct Resolver<'b> {
    base: Option<&'b str>,
    /// Also what stays as written is told.
    all: bool,
    /// Where the verb stands; of its URLs, those not told of yet.
    place: Option<Place>,
    findings: Vec<Finding>,
}

impl Resolver<'_> {
    fn verb(&mut self, verb: Verb) -> Option<Verb> {
        match verb {
            Verb::Play(play) => self.play(play).map(Verb::Play),
            Verb::Gather(gather) => Some(Verb::Gather(self.gather(gather))),
            Verb::Record(record) => Some(Verb::Record(self.record(record))),
            Verb::Dial(dial) => Some(Verb::Dial(self.dial(dial))),
            Verb::Refer(mut refer) => {
                self.if_possible(&mut refer.action);
                Some(Verb::Refer(refer))
            }
            Verb::Enqueue(enqueue) => Some(Verb::Enqueue(self.enqueue(enqueue))),
            Verb::Start(start) => Some(Verb::Start(self.start(start))),
            Verb::Connect(connect) => Some(Verb::Connect(self.connect(connect))),
            plain @ (Verb::Say(_)
            | Verb::Pause(_)
            | Verb::Stop(_)
            | Verb::Echo
            | Verb::Redirect(_)
            | Verb::Hangup
            | Verb::Reject(_)
            | Verb::Leave) => Some(plain),
        }
    }

    fn play(&mut self, play: Play) -> Option<Play> {
        match play.source {
            PlaySource::Url(url) => {
                let url = self.needed(&url, 11100)?;
                Some(Play { source: PlaySource::Url(url), ..play })
            }
            PlaySource::Digits(_) | PlaySource::Answer(_) => Some(play),
        }
    }

    fn gather(&mut self, mut gather: Gather) -> Gather {
        self.if_possible(&mut gather.action);
        self.if_possible(&mut gather.invalid_digits_action);
        gather.speech.partial_result_callback =
            gather.speech.partial_result_callback.and_then(|mut callback| {
                callback.url = self.needed(&callback.url, 11100)?;
                Some(callback)
            });
        let prompts = std::mem::take(&mut gather.prompts);
        gather.prompts = prompts.into_iter().filter_map(|prompt| self.prompt(prompt)).collect();
        gather
    }

    fn prompt(&mut self, prompt: Prompt) -> Option<Prompt> {
        match prompt {
            Prompt::Play(play) => self.play(play).map(Prompt::Play),
            Prompt::Say(_) | Prompt::Pause(_) => Some(prompt),
        }
    }

    fn record(&mut self, mut record: Record) -> Record {
        self.if_possible(&mut record.action);
        record.recording_status_callback = self.recording_callback(record.recording_status_callback);
        if let Some(transcribe) = &mut record.transcribe {
            transcribe.callback = transcribe.callback.take().and_then(|url| self.needed(&url, 13257));
        }
        record
    }

    fn dial(&mut self, mut dial: Dial) -> Dial {
        self.if_possible(&mut dial.action);
        dial.recording_status_callback = self.recording_callback(dial.recording_status_callback);
        dial.refer_url = dial.refer_url.and_then(|url| self.needed(&url, 11100));
        dial.audio_url = dial.audio_url.and_then(|url| self.needed(&url, 11100));
        for noun in &mut dial.nouns {
            let (url, callback) = match noun {
                Noun::Conference(conference) => {
                    self.conference(conference);
                    continue;
                }
                Noun::Application(application) => {
                    application.status_callback = self.status_callback(application.status_callback.take());
                    continue;
                }
                Noun::Queue(queue) => {
                    self.if_possible_or_told(&mut queue.url, 14211);
                    continue;
                }
                Noun::Number(number) => {
                    self.amd(&mut number.machine_detection);
                    (&mut number.url, &mut number.status_callback)
                }
                Noun::Sip(sip) => {
                    self.amd(&mut sip.machine_detection);
                    (&mut sip.url, &mut sip.status_callback)
                }
                Noun::Client(client) => {
                    self.if_possible_or_told(&mut client.notification_url, 11100);
                    (&mut client.url, &mut client.status_callback)
                }
            };
            self.if_possible(url);
            *callback = self.status_callback(callback.take());
        }
        dial
    }

    /// A `waitUrl` that leads nowhere leaves the box's own music.
    fn conference(&mut self, noun: &mut ConferenceNoun) {
        let wait_url = noun.wait_url.take();
        noun.wait_url =
            wait_url.and_then(|url| if url.is_empty() { Some(url) } else { self.needed(&url, 13233) });
        noun.status_callback = noun.status_callback.take().and_then(|mut callback| {
            callback.url = self.needed(&callback.url, 11100)?;
            Some(callback)
        });
        noun.recording_status_callback = self.recording_callback(noun.recording_status_callback.take());
    }

    /// A bad `waitUrl` stays as written: nobody is to wait without what was meant to be heard.
    fn enqueue(&mut self, mut enqueue: Enqueue) -> Enqueue {
        self.if_possible_or_told(&mut enqueue.action, 14203);
        if enqueue.wait_url.as_deref() != Some("") {
            self.if_possible_or_told(&mut enqueue.wait_url, 14202);
        }
        enqueue
    }

    fn amd(&mut self, detection: &mut Option<MachineDetection>) {
        let Some(detection) = detection else { return };
        detection.callback = detection.callback.take().and_then(|mut callback| {
            callback.url = self.needed(&callback.url, 11100)?;
            Some(callback)
        });
    }

    fn start(&mut self, mut start: Start) -> Start {
        for service in &mut start.services {
            match service {
                Service::Stream(noun) => self.service_callback(&mut noun.status_callback),
                Service::Siprec(noun) => self.service_callback(&mut noun.status_callback),
                Service::Transcription(noun) => self.service_callback(&mut noun.status_callback),
                Service::Recording(recording) => {
                    let callback = recording.recording_status_callback.take();
                    recording.recording_status_callback = self.recording_callback(callback);
                }
            }
        }
        start
    }

    /// A stream's own URL is absolute or wrong: nothing is relative to a web page there.
    fn connect(&mut self, mut connect: Connect) -> Connect {
        self.if_possible(&mut connect.action);
        match &mut connect.service {
            ConnectService::Stream(noun) => self.service_callback(&mut noun.status_callback),
            ConnectService::Refused { .. } => {}
        }
        connect
    }

    fn service_callback(&mut self, callback: &mut Option<ServiceCallback>) {
        *callback = callback.take().and_then(|callback| {
            let url = self.needed(&callback.url, 11100)?;
            Some(ServiceCallback { url, ..callback })
        });
    }

    fn status_callback(&mut self, callback: Option<StatusCallback>) -> Option<StatusCallback> {
        let callback = callback?;
        let url = self.needed(&callback.url, 11100)?;
        Some(StatusCallback { url, ..callback })
    }

    fn recording_callback(
        &mut self,
        callback: Option<RecordingStatusCallback>,
    ) -> Option<RecordingStatusCallback> {
        let callback = callback?;
        let url = self.needed(&callback.url, 13256)?;
        Some(RecordingStatusCallback { url, ..callback })
    }

    fn needed(&mut self, url: &str, code: u32) -> Option<String> {
        let resolved = resolve(self.base, url);
        if resolved.is_none() {
            self.tell(code, url);
        }
        resolved
    }

    fn if_possible_or_told(&mut self, url: &mut Option<String>, code: u32) {
        let Some(written) = url else { return };
        if let Some(resolved) = self.needed(written, code) {
            *written = resolved;
        }
    }

    fn if_possible(&mut self, url: &mut Option<String>) {
        let Some(written) = url else { return };
        match resolve(self.base, written) {
            Some(resolved) => *written = resolved,
            None if self.all => self.tell(11100, written),
            None => {}
        }
    }

    fn tell(&mut self, code: u32, url: &str) {
        let finding = Finding::unplaced(code, &shown(url));
        self.findings.push(match &mut self.place {
            Some(place) => place.of_url(url, finding),
            None => finding,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verb::table::verb_of;

    fn urls(xml: &str, base: Option<&str>) -> (String, Vec<u32>) {
        let (verb, findings) = absolute(verb_of(xml, &[]), base, None);
        let text = verb.map_or_else(|| "nothing".to_owned(), |verb| format!("{verb:?}"));
        (text, findings.iter().map(|finding| finding.code).collect())
    }

    #[test]
    fn every_url_of_every_verb_becomes_absolute() {
        let base = Some("http://h/a/voice");
        for (xml, expected) in [
            ("<Play>x.mp3</Play>", "\"http://h/a/x.mp3\""),
            ("<Gather action='x'/>", "action: Some(\"http://h/a/x\")"),
            ("<Gather action=''/>", "action: Some(\"http://h/a/voice\")"),
            ("<Gather><Play>x.mp3</Play></Gather>", "\"http://h/a/x.mp3\""),
            ("<Gather partialResultCallback='x'/>", "url: \"http://h/a/x\""),
            ("<Record action='/x'/>", "action: Some(\"http://h/x\")"),
            ("<Record recordingStatusCallback='x'/>", "url: \"http://h/a/x\""),
            ("<Dial action='?x=1'/>", "action: Some(\"http://h/a/voice?x=1\")"),
            ("<Dial recordingStatusCallback='x'/>", "url: \"http://h/a/x\""),
            ("<Dial><Number url='x'>1</Number></Dial>", "url: Some(\"http://h/a/x\")"),
            (
                "<Dial><Number machineDetection='Enable' amdStatusCallback='x'>1</Number></Dial>",
                "url: \"http://h/a/x\"",
            ),
            ("<Dial><Sip statusCallback='x'>sip:a@h</Sip></Dial>", "url: \"http://h/a/x\""),
            ("<Dial><Conference waitUrl='w'>r</Conference></Dial>", "wait_url: Some(\"http://h/a/w\")"),
            ("<Dial><Conference waitUrl=''>r</Conference></Dial>", "wait_url: Some(\"\")"),
            ("<Dial><Conference statusCallback='x'>r</Conference></Dial>", "url: \"http://h/a/x\""),
            ("<Enqueue action='x'>q</Enqueue>", "action: Some(\"http://h/a/x\")"),
            ("<Enqueue waitUrl='w'>q</Enqueue>", "wait_url: Some(\"http://h/a/w\")"),
            ("<Enqueue waitUrl=''>q</Enqueue>", "wait_url: Some(\"\")"),
            ("<Dial><Queue url='x'>q</Queue></Dial>", "url: Some(\"http://h/a/x\")"),
            ("<Connect action='x'><Stream url='wss://h'/></Connect>", "action: Some(\"http://h/a/x\")"),
            ("<Connect><Stream url='wss://h' statusCallback='x'/></Connect>", "url: \"http://h/a/x\""),
            ("<Start><Stream url='wss://h' statusCallback='x'/></Start>", "url: \"http://h/a/x\""),
            ("<Start><Stream url='wss://h/s'/></Start>", "url: \"wss://h/s\""),
            ("<Start><Siprec connectorName='c' statusCallback='x'/></Start>", "url: \"http://h/a/x\""),
            ("<Start><Transcription statusCallbackUrl='x'/></Start>", "url: \"http://h/a/x\""),
            ("<Start><Recording recordingStatusCallback='x'/></Start>", "url: \"http://h/a/x\""),
            ("<Dial><Client statusCallback='x#rc=2'>a</Client></Dial>", "url: \"http://h/a/x#rc=2\""),
        ] {
            let (verb, codes) = urls(xml, base);
            assert!(verb.contains(expected) && codes.is_empty(), "{xml}: {verb} {codes:?}");
        }
    }

    #[test]
    fn what_cannot_be_resolved_is_left_out_and_told() {
        for (xml, expected, codes) in [
            ("<Play>x.mp3</Play>", "nothing", vec![11100]),
            ("<Gather><Play>x.mp3</Play></Gather>", "prompts: []", vec![11100]),
            ("<Gather action='x'/>", "action: Some(\"x\")", vec![]),
            ("<Record recordingStatusCallback='x'/>", "recording_status_callback: None", vec![13256]),
            ("<Dial><Number url='x'>1</Number></Dial>", "url: Some(\"x\")", vec![]),
            ("<Dial><Number statusCallback='x'>1</Number></Dial>", "status_callback: None", vec![11100]),
            (
                "<Start><Stream url='wss://h' statusCallback='x'/></Start>",
                "status_callback: None",
                vec![11100],
            ),
            ("<Dial><Conference waitUrl='w'>r</Conference></Dial>", "wait_url: None", vec![13233]),
            ("<Enqueue waitUrl='w'>q</Enqueue>", "wait_url: Some(\"w\")", vec![14202]),
            ("<Enqueue action='x'>q</Enqueue>", "action: Some(\"x\")", vec![14203]),
            ("<Dial><Queue url='x'>q</Queue></Dial>", "url: Some(\"x\")", vec![14211]),
        ] {
            let (verb, told) = urls(xml, None);
            assert!(verb.contains(expected) && told == codes, "{xml}: {verb} {told:?}");
        }
    }
}
