//! The kinds of load: what the box is configured for, what both ends speak, and what each may cost.

use media::CodecKind;

use crate::rtp::Known;
use crate::sip::{CALLED, CALLERS, PORT, Speaks};

/// Members of a conference.
pub const MEMBERS: usize = 8;

/// One kind of load.
#[derive(Clone, Copy, Debug)]
pub struct Work {
    pub name: &'static str,
    /// Calls under load; participants of conferences.
    pub calls: usize,
    pub caller: Speaks,
    /// `None`: the box calls nobody.
    pub called: Option<Speaks>,
    /// What the number's document says.
    pub document: &'static str,
    pub known: Known,
    /// CPU milliseconds of a call-second.
    pub cpu_ms: f64,
    /// MiB of a call.
    pub memory_mib: Option<f64>,
    /// Microseconds that the 99th percentile of the delay may take; the box has its own clock in a conference.
    pub p99_us: Option<u32>,
}

const PLAIN: Speaks = speaks(CodecKind::Pcmu);
const DIAL: &str = "<Dial><Number>+15558880000</Number></Dial>";

const fn speaks(codec: CodecKind) -> Speaks {
    Speaks { codec, encrypted: false }
}

/// What all the others differ from.
pub const BRIDGE: Work = Work {
    name: "bridge",
    calls: 500,
    caller: PLAIN,
    called: Some(PLAIN),
    document: DIAL,
    known: Known::Stamp,
    cpu_ms: 0.55,
    memory_mib: Some(0.03),
    p99_us: Some(1_000),
};

/// All kinds, in the order they are shown in.
pub const WORK: [Work; 6] = [
    BRIDGE,
    Work {
        name: "µ-law ↔ Opus",
        calls: 100,
        called: Some(speaks(CodecKind::Opus)),
        known: Known::Order,
        cpu_ms: 3.3,
        memory_mib: None,
        p99_us: None,
        ..BRIDGE
    },
    Work {
        name: "µ-law ↔ G.722",
        calls: 200,
        called: Some(speaks(CodecKind::G722)),
        known: Known::Order,
        cpu_ms: 1.5,
        memory_mib: None,
        p99_us: None,
        ..BRIDGE
    },
    Work {
        name: "bridge, recorded",
        calls: 200,
        document: "<Dial record=\"record-from-answer\"><Number>+15558880000</Number></Dial>",
        cpu_ms: 0.7,
        memory_mib: None,
        ..BRIDGE
    },
    Work {
        name: "bridge, SRTP",
        calls: 400,
        caller: Speaks { codec: CodecKind::Pcmu, encrypted: true },
        called: Some(Speaks { codec: CodecKind::Pcmu, encrypted: true }),
        // Each of a call's hundred packets is decrypted and encrypted, for 0.1 F or half a microsecond each.
        cpu_ms: 0.65,
        memory_mib: None,
        ..BRIDGE
    },
    Work {
        name: "conference of 8",
        calls: 400,
        called: None,
        document: "<Dial><Conference beep=\"false\" waitUrl=\"\">ROOM</Conference></Dial>",
        known: Known::Not,
        cpu_ms: 0.5,
        memory_mib: None,
        p99_us: None,
        ..BRIDGE
    },
];

impl Work {
    /// The number that a call goes to.
    pub fn number(&self, call: usize) -> String {
        let room = if self.has_rooms() { call / MEMBERS } else { 0 };
        format!("+1556{room:07}")
    }

    pub fn codecs(&self) -> [CodecKind; 2] {
        [self.caller.codec, self.called.unwrap_or(self.caller).codec]
    }

    /// The box's configuration for up to so many calls.
    pub fn config(&self, calls: usize) -> String {
        let mut text = format!(
            "[sip]\nlisten = [\"udp:{}\"]\n[media]\naddress = \"127.0.0.1\"\nports = \"10000-31999\"\n\
             [http]\nlisten = \"127.0.0.1:8968\"\n[limits]\ncalls = {}\n[log]\nfilter = \"error\"\n\
             [recording]\nmin_free_mb = 1\n[[route]]\npattern = \"+1555*\"\ntrunk = [\"called\"]\n",
            crate::sip::BOX,
            4 * calls + 400,
        );
        let called = self.called.unwrap_or(self.caller);
        for (name, address, speaks) in [("callers", CALLERS, self.caller), ("called", CALLED, called)] {
            let srtp = if speaks.encrypted { "required" } else { "off" };
            text += &format!(
                "[[trunk]]\nname = \"{name}\"\naddress = \"sip:{address}:{PORT}\"\naccept_from = [\"{address}\"]\n\
                 codecs = [\"{}\"]\nsrtp = \"{srtp}\"\n",
                speaks.codec.info().key
            );
        }
        let rooms = if self.has_rooms() { calls.div_ceil(MEMBERS) } else { 1 };
        for room in 0..rooms {
            let document = self.document.replace("ROOM", &format!("room{room}"));
            text += &format!(
                "[[number]]\nnumber = \"{}\"\nvoice_twiml = '<Response>{document}</Response>'\n",
                self.number(room * MEMBERS)
            );
        }
        text
    }

    fn has_rooms(&self) -> bool {
        self.called.is_none()
    }
}
