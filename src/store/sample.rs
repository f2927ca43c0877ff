//! Rows for tests.

use base::{CallSid, ConferenceSid, NotificationSid, QueueSid, RecordingSid, Timestamp};
use call::record::{
    CallRow, ConferenceRow, ConferenceStatus, EventKind, EventRow, ExchangeRow, NotificationRow, QueueRow,
    RecordingRow, RecordingSource, RecordingStatus,
};
use twiml::{CallStatus, Direction, Exchange, HttpMethod, Level};

pub(crate) fn call(n: u128) -> CallRow {
    let at = Timestamp(1_000_000 * n as i64);
    CallRow::new(CallSid(n), Direction::Inbound, "+15550001111", "101", CallStatus::Ringing, at)
}

pub(crate) fn event(call: u128, seq: u32) -> EventRow {
    EventRow {
        call: CallSid(call),
        seq,
        at: Timestamp(i64::from(seq)),
        kind: EventKind::SipIn,
        text: "INVITE sip:101@box SIP/2.0\r\n\r\n".to_owned(),
    }
}

pub(crate) fn exchange(call: u128, seq: u64) -> ExchangeRow {
    let exchange = Exchange::asked("http://127.0.0.1/voice", HttpMethod::Post, &[]);
    let at = Timestamp(i64::try_from(seq).unwrap());
    ExchangeRow { call: CallSid(call), seq, at, duration_ms: 12, exchange }
}

pub(crate) fn recording(n: u128, call: u128) -> RecordingRow {
    RecordingRow {
        sid: RecordingSid(n),
        call: CallSid(call),
        conference: None,
        path: "2026/RE.wav".to_owned(),
        channels: 1,
        status: RecordingStatus::InProgress,
        source: RecordingSource::RecordVerb,
        track: "both".to_owned(),
        created: Timestamp(n as i64),
        updated: Timestamp(n as i64),
        start: Some(Timestamp(n as i64)),
        duration_ms: None,
        bytes: None,
        error_code: None,
    }
}

pub(crate) fn conference(n: u128) -> ConferenceRow {
    ConferenceRow {
        sid: ConferenceSid(n),
        name: "board".to_owned(),
        status: ConferenceStatus::Init,
        created: Timestamp(n as i64),
        updated: Timestamp(n as i64),
        ended_why: None,
        ended_by: None,
        region: None,
    }
}

pub(crate) fn queue(n: u128) -> QueueRow {
    QueueRow::new(QueueSid(n), "support desk", 5_000, true, Timestamp(n as i64))
}

pub(crate) fn notification(n: u128, call: u128) -> NotificationRow {
    NotificationRow {
        sid: NotificationSid(n),
        call: Some(CallSid(call)),
        at: Timestamp(n as i64),
        code: 12100,
        level: Level::Error,
        message: "Document parse failure".to_owned(),
        url: Some("http://127.0.0.1/voice".to_owned()),
        method: Some(HttpMethod::Post),
        line: Some(3),
        column: Some(7),
        request_variables: None,
        response_status: Some(200),
        response_headers: None,
        response_body: Some("<Response".to_owned()),
    }
}

/// Phone `n`, registered for so long from `written` on.
pub(crate) fn registration(n: u16, left_s: u64, written: base::Now) -> call::record::RegistrationRow {
    let (local, remote) = (([192, 0, 2, 1], 5060).into(), ([192, 0, 2, 2], n).into());
    let contact = sip::Binding {
        user: format!("phone{n}"),
        contact: sip::Uri::sip("x", std::net::IpAddr::from([192, 0, 2, 2]).into(), Some(n)),
        params: sip::Params::default(),
        flow: sip::Flow { transport: sip::TransportKind::Udp, local, remote },
        path: Vec::new(),
        expires_at: written.mono + std::time::Duration::from_secs(left_s),
        q: 1_000,
        call_id: "c".to_owned(),
        cseq: 1,
        user_agent: None,
        instance: None,
        reg_id: None,
    };
    call::record::RegistrationRow { phone: format!("phone{n}"), contacts: vec![contact], written }
}
