//! What must be true after every step, whatever the wire and the people did.
//!
//! The media stub checks as it goes that a leg is opened once, closed once, and in one bridge at most. Here
//! stands what concerns messages, records and time.

use std::collections::BTreeMap;

use base::{CallSid, Mono, RecordingSid};
use call::Node;
use call::record::{CallRow, RecordingStatus, StoreItem};
use sip::{Decoded, HeaderName, Message, Method};

use crate::media_plane::StubMedia;

/// An invariant that does not hold, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation(pub String);

/// What has been seen so far.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    /// Final codes the box gave to each INVITE it got, by Call-ID, CSeq and branch.
    finals: BTreeMap<(String, u32, String), u16>,
    /// The last row of each call.
    pub rows: BTreeMap<CallSid, CallRow>,
    recordings: BTreeMap<RecordingSid, RecordingStatus>,
    event_seq: BTreeMap<CallSid, u32>,
    timeouts_at: (Mono, u32),
}

/// Times the node may ask to be woken for one and the same instant before it counts as spinning.
const WAKES_MAX: u32 = 1_000;

impl Watch {
    /// A message the box sent.
    pub fn sent(&mut self, bytes: &[u8]) -> Result<(), Violation> {
        let Decoded::Message(message) = sip::decode(bytes) else {
            return Err(Violation(format!(
                "the box sent what it cannot read: {:?}",
                String::from_utf8_lossy(bytes)
            )));
        };
        let Message::Response(response) = message else { return Ok(()) };
        let Ok(cseq) = response.headers.cseq() else { return Ok(()) };
        if cseq.method != Method::Invite || response.code < 200 {
            return Ok(());
        }
        let id = response.headers.text(&HeaderName::CallId).unwrap_or_default().into_owned();
        let branch =
            response.headers.via().ok().and_then(|via| via.branch().map(str::to_owned)).unwrap_or_default();
        let before = *self.finals.entry((id.clone(), cseq.number, branch)).or_insert(response.code);
        if before != response.code {
            return Err(Violation(format!("INVITE {id} was answered {before} and {}", response.code)));
        }
        Ok(())
    }

    /// A row the box wrote.
    pub fn stored(&mut self, item: &StoreItem) -> Result<(), Violation> {
        match item {
            StoreItem::Call(row) => {
                if let Some(old) = self.rows.get(&row.sid)
                    && old.status.is_final()
                    && old.status != row.status
                {
                    return Err(Violation(format!(
                        "{} was {} and became {}",
                        row.sid, old.status, row.status
                    )));
                }
                if row.status.is_final() != row.end.is_some() {
                    return Err(Violation(format!("{} is {} with end {:?}", row.sid, row.status, row.end)));
                }
                self.rows.insert(row.sid, row.clone());
            }
            StoreItem::Event(event) => {
                let next = self.event_seq.entry(event.call).or_default();
                if event.seq != *next {
                    return Err(Violation(format!("{}: event {} after {}", event.call, event.seq, *next)));
                }
                *next += 1;
            }
            StoreItem::Recording(row) => {
                self.recordings.insert(row.sid, row.status);
            }
            StoreItem::Notification(_)
            | StoreItem::Transcription(_)
            | StoreItem::Queue(_)
            | StoreItem::Conference(_)
            | StoreItem::Registration(_)
            | StoreItem::Desktop(_)
            | StoreItem::Router(_)
            | StoreItem::Exchange(_)
            | StoreItem::Gone(_) => {}
        }
        Ok(())
    }

    /// After the node handled something at `now`.
    pub fn after(&mut self, node: &Node, now: Mono) -> Result<(), Violation> {
        if let Some((deadline, reason)) = node.poll_timeout()
            && deadline <= now
        {
            let (at, wakes) = &mut self.timeouts_at;
            *wakes = if *at == now { *wakes + 1 } else { 0 };
            *at = now;
            if *wakes > WAKES_MAX {
                return Err(Violation(format!(
                    "the node wants to be woken at {deadline:?} for {reason} again and again"
                )));
            }
        }
        Ok(())
    }

    /// The media plane seats exactly those whom the node has in conferences, and none of these is empty.
    pub fn conferences(&self, node: &Node, media: &StubMedia) -> Result<(), Violation> {
        let (wanted, seated) = (node.seats(), media.seats());
        if wanted != seated {
            return Err(Violation(format!("in conferences: {wanted:?}, in rooms: {seated:?}")));
        }
        if let Some((sid, _)) = node.conferences().iter().find(|(_, members)| **members == 0) {
            return Err(Violation(format!("nobody is in conference {sid}")));
        }
        Ok(())
    }

    /// Whoever is in a queue is a call that waits there, and nobody is taken by two.
    pub fn queues(&self, node: &Node) -> Result<(), Violation> {
        node.queue_trouble().map_or(Ok(()), |trouble| Err(Violation(trouble)))
    }

    /// When nobody calls any more and every fault has stopped.
    pub fn at_rest(&self, node: &Node) -> Result<(), Violation> {
        if node.calls_open() > 0 {
            return Err(Violation(format!(
                "{} calls never ended: {}",
                node.calls_open(),
                node.describe_calls()
            )));
        }
        if node.endpoint().open_sessions() > 0 {
            return Err(Violation(format!("{} SIP sessions never ended", node.endpoint().open_sessions())));
        }
        if !node.conferences().is_empty() {
            return Err(Violation(format!("conferences never ended: {:?}", node.conferences())));
        }
        if !node.queued().is_empty() {
            return Err(Violation(format!("somebody waits for ever: {:?}", node.queued())));
        }
        if node.pending() > 0 {
            return Err(Violation(format!("{} fetches and sounds are still waited for", node.pending())));
        }
        for row in self.rows.values() {
            if !row.status.is_final() {
                return Err(Violation(format!("{} is for ever {}", row.sid, row.status)));
            }
        }
        for (sid, status) in &self.recordings {
            if matches!(
                status,
                RecordingStatus::InProgress | RecordingStatus::Paused | RecordingStatus::Processing
            ) {
                return Err(Violation(format!("recording {sid} is for ever {}", status.as_str())));
            }
        }
        Ok(())
    }
}
