//! SIPp scenarios, written step by step: what a carrier or a simple phone says and expects.

/// A scenario under construction.
#[derive(Clone, Default)]
pub struct Scenario {
    steps: String,
    sends: usize,
    /// Who we are and whom we call; empty for a phone that waits.
    from: String,
    to: String,
    /// The highest CSeq used in our direction.
    cseq: u32,
}

const VIA: &str = "Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=z9hG4bK";

impl Scenario {
    /// A side that will call `to` as `from` (the user parts).
    pub fn caller(from: &str, to: &str) -> Self {
        Self { from: from.to_owned(), to: to.to_owned(), cseq: 1, ..Self::default() }
    }

    /// A side that waits to be called.
    pub fn phone() -> Self {
        Self { cseq: 1, ..Self::default() }
    }

    /// Any step SIPp knows.
    pub fn raw(mut self, xml: &str) -> Self {
        self.steps += xml;
        self.steps.push('\n');
        self
    }

    /// Any message; SIPp's keywords are filled in.
    pub fn send(mut self, message: &str) -> Self {
        self.sends += 1;
        let text = message.trim_start();
        // A message without a body must end with an empty line.
        let end = if text.contains("\n\n") { "" } else { "\n" };
        self.raw(&format!("<send retrans=\"500\"><![CDATA[\n{text}{end}\n]]></send>"))
    }

    /// As [`Self::send`], never repeated.
    pub fn send_once(mut self, message: &str) -> Self {
        self = self.send(message);
        let at = self.steps.rfind("<send retrans=\"500\">").unwrap();
        self.steps.replace_range(at..at + 20, "<send>");
        self
    }

    /// Waits for a response of this code.
    pub fn response(self, code: u16) -> Self {
        self.raw(&format!("<recv response=\"{code}\" rrs=\"true\"/>"))
    }

    /// Accepts a response of this code here, if it comes.
    pub fn maybe(self, code: u16) -> Self {
        self.raw(&format!("<recv response=\"{code}\" optional=\"true\"/>"))
    }

    /// Waits for a request.
    pub fn request(self, method: &str) -> Self {
        self.raw(&format!("<recv request=\"{method}\"/>"))
    }

    pub fn pause(self, milliseconds: u64) -> Self {
        self.raw(&format!("<pause milliseconds=\"{milliseconds}\"/>"))
    }

    /// Stops here until the test says [`super::sipp::Sipp::go_on`].
    pub fn until_told(self) -> Self {
        self.raw("<recv request=\"INFO\"/>")
    }

    /// SIPp itself says the caller's tone from here on, at the port of [`OWN_AUDIO`].
    pub fn say_caller_tone(self) -> Self {
        self.raw("<nop><action><exec rtp_stream=\"caller.ulaw,-1,0\"/></action></nop>")
    }

    /// INVITE with this body; `more` are further header lines.
    pub fn invite(self, sdp: &str, more: &str) -> Self {
        let (from, to) = (self.from.clone(), self.to.clone());
        let text = format!(
            "INVITE sip:{to}@[remote_ip]:[remote_port] SIP/2.0\n{VIA}inv1[call_id]\n\
             From: \"Bench\" <sip:{from}@[local_ip]:[local_port]>;tag=b[call_id]\nTo: <sip:{to}@[remote_ip]:[remote_port]>\n\
             Call-ID: [call_id]\nCSeq: 1 INVITE\nContact: <sip:{from}@[local_ip]:[local_port];transport=[transport]>\n\
             Max-Forwards: 70\nAllow: INVITE, ACK, BYE, CANCEL, OPTIONS\nSupported: 100rel\n{more}\
             Content-Type: application/sdp\nContent-Length: [len]\n\n{sdp}"
        );
        self.send(&text)
    }

    /// INVITE, then whatever comes before the answer, then 200 and our ACK.
    pub fn invite_answered(self, sdp: &str) -> Self {
        self.invite(sdp, "").provisional().response(200).ack()
    }

    /// Provisional responses, each optional.
    pub fn provisional(self) -> Self {
        self.maybe(100).maybe(180).maybe(183)
    }

    /// ACK of a 2xx: a transaction of its own (RFC 3261 §13.2.2.4).
    pub fn ack(self) -> Self {
        let text =
            format!("ACK [next_url] SIP/2.0\n{VIA}ack[call_id]\n{}CSeq: 1 ACK\n{}", self.dialog(), END);
        self.send_once(&text)
    }

    /// ACK of any other final response: part of the INVITE's transaction (RFC 3261 §17.1.1.3).
    pub fn ack_refusal(self) -> Self {
        let to = self.to.clone();
        let text = format!(
            "ACK sip:{to}@[remote_ip]:[remote_port] SIP/2.0\n{VIA}inv1[call_id]\n{}CSeq: 1 ACK\n{END}",
            self.dialog()
        );
        self.send_once(&text)
    }

    /// CANCEL of our INVITE.
    pub fn cancel(self) -> Self {
        let (from, to) = (self.from.clone(), self.to.clone());
        let text = format!(
            "CANCEL sip:{to}@[remote_ip]:[remote_port] SIP/2.0\n{VIA}inv1[call_id]\n\
             From: \"Bench\" <sip:{from}@[local_ip]:[local_port]>;tag=b[call_id]\nTo: <sip:{to}@[remote_ip]:[remote_port]>\n\
             Call-ID: [call_id]\nCSeq: 1 CANCEL\n{END}"
        );
        self.send(&text)
    }

    /// BYE from the calling side, answered.
    pub fn bye(mut self) -> Self {
        self.cseq += 1;
        let text = format!(
            "BYE [next_url] SIP/2.0\n{VIA}bye[call_id]\n{}CSeq: {} BYE\n{END}",
            self.dialog(),
            self.cseq
        );
        self.send(&text).response(200)
    }

    /// A BYE from the box, answered.
    pub fn byed(self) -> Self {
        self.request("BYE").reply(200, "OK", "")
    }

    /// Answers the last request without a body; `more` are further header lines.
    pub fn reply(self, code: u16, reason: &str, more: &str) -> Self {
        let text = format!(
            "SIP/2.0 {code} {reason}\n[last_Via:]\n[last_From:]\n[last_To:]\n[last_Call-ID:]\n[last_CSeq:]\n{more}{END}"
        );
        self.send_once(&text)
    }

    /// Waits for the INVITE of a call to us and keeps what its responses repeat.
    pub fn invited(self) -> Self {
        let keep = |name: &str, header: &str| {
            format!("<ereg regexp=\".*\" search_in=\"hdr\" header=\"{header}:\" assign_to=\"{name}\"/>")
        };
        let all = [("via", "Via"), ("from", "From"), ("to", "To"), ("cseq", "CSeq")];
        let actions: String = all.iter().map(|(name, header)| keep(name, header)).collect();
        self.raw(&format!("<recv request=\"INVITE\" rrs=\"true\"><action>{actions}</action></recv>"))
    }

    /// A provisional or refusing response to the kept INVITE.
    pub fn invite_reply(self, code: u16, reason: &str) -> Self {
        let text = format!("SIP/2.0 {code} {reason}\n{INVITE_HEADERS}{END}");
        if code < 200 { self.send_once(&text) } else { self.send(&text) }
    }

    /// Answers the kept INVITE with this body and waits for the ACK.
    pub fn pick_up(self, sdp: &str) -> Self {
        let text = format!(
            "SIP/2.0 200 OK\n{INVITE_HEADERS}Contact: <sip:phone@[local_ip]:[local_port];transport=[transport]>\n\
             Content-Type: application/sdp\nContent-Length: [len]\n\n{sdp}"
        );
        self.send(&text).request("ACK")
    }

    /// BYE from the called side, answered.
    pub fn hang_up(self) -> Self {
        let text = format!(
            "BYE [next_url] SIP/2.0\n{VIA}bye[call_id]\nFrom: [$to];tag=phone[call_number]\nTo: [$from]\n\
             Call-ID: [call_id]\nCSeq: {} BYE\n{END}",
            self.cseq
        );
        self.send(&text).raw("<recv response=\"200\"/>")
    }

    /// REFER from the called side, accepted, and so many NOTIFY of how it goes.
    pub fn refers(mut self, to: &str, notified: usize) -> Self {
        let text = format!(
            "REFER [next_url] SIP/2.0\n{VIA}ref[call_id]\nFrom: [$to];tag=phone[call_number]\nTo: [$from]\n\
             Call-ID: [call_id]\nCSeq: {} REFER\nContact: <sip:phone@[local_ip]:[local_port]>\n\
             Refer-To: <{to}>\n{END}",
            self.cseq
        );
        self.cseq += 1;
        let accepted = self.send(&text).raw("<recv response=\"202\"/>");
        (0..notified).fold(accepted, |scenario, _| scenario.request("NOTIFY").reply(200, "OK", ""))
    }

    /// The finished scenario.
    pub fn xml(&self) -> String {
        let variables =
            if self.steps.contains("assign_to") { "<Reference variables=\"via,from,to,cseq\"/>" } else { "" };
        format!(
            "<?xml version=\"1.0\" encoding=\"ISO-8859-1\" ?>\n<scenario name=\"bench\">\n{}{variables}\n</scenario>\n",
            self.steps
        )
    }

    /// From, To and Call-ID inside a dialog we began.
    fn dialog(&self) -> String {
        let (from, to) = (&self.from, &self.to);
        format!(
            "From: \"Bench\" <sip:{from}@[local_ip]:[local_port]>;tag=b[call_id]\n\
             To: <sip:{to}@[remote_ip]:[remote_port]>[peer_tag_param]\nCall-ID: [call_id]\n"
        )
    }
}

/// An SDP body for SIPp's own audio.
pub const OWN_AUDIO: &str = "v=0\no=sipp 1 1 IN IP4 [local_ip]\ns=-\nc=IN IP4 [media_ip]\nt=0 0\n\
     m=audio [rtpstream_audio_port] RTP/AVP 0\na=rtpmap:0 PCMU/8000\n";

const END: &str = "Max-Forwards: 70\nContent-Length: 0\n";

const INVITE_HEADERS: &str =
    "Via:[$via]\nFrom:[$from]\nTo:[$to];tag=phone[call_number]\nCall-ID: [call_id]\nCSeq:[$cseq]\n";

/// REGISTER with the password, once challenged; `expires` 0 takes the phone away.
pub fn register(user: &str, password: &str, expires: u32) -> String {
    let request = |cseq: u32, more: &str| {
        format!(
            "REGISTER sip:[remote_ip]:[remote_port] SIP/2.0\n{VIA}reg{cseq}[call_id]\n\
             From: <sip:{user}@[remote_ip]>;tag=r[call_id]\nTo: <sip:{user}@[remote_ip]>\nCall-ID: [call_id]\n\
             CSeq: {cseq} REGISTER\nContact: <sip:{user}@[local_ip]:[local_port];transport=[transport]>\n\
             Expires: {expires}\n{more}{END}"
        )
    };
    let credentials = format!("[authentication username={user} password={password}]\n");
    Scenario::default()
        .send(&request(1, ""))
        .raw("<recv response=\"401\" auth=\"true\"/>")
        .send(&request(2, &credentials))
        .raw("<recv response=\"200\"/>")
        .xml()
}
