//! What is told of a voice queue: to the action of `<Enqueue>`, to a wait document and to a whisper
//! (reference: twiml-voice §10.5, §11.1).

use base::{CallSid, QueueSid};
use serde::{Deserialize, Serialize};

use super::Params;

/// How a call came out of its queue (reference: twiml-voice §11.1, `QueueResult`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum QueueResult {
    /// Somebody took it, they talked, and that is over.
    Bridged,
    /// Somebody took it and went away before they talked.
    BridgingInProcess,
    /// The document it waited with is in error, or the verb.
    Error,
    /// It hung up while it waited.
    Hangup,
    /// `<Leave>`.
    Leave,
    /// Somebody moved it while it waited.
    Redirected,
    /// Somebody moved it while it talked.
    RedirectedFromBridged,
    /// There was no room.
    QueueFull,
    /// The box could not queue it.
    SystemError,
}

impl QueueResult {
    /// As published.
    pub fn as_str(self) -> &'static str {
        match self {
            QueueResult::Bridged => "bridged",
            QueueResult::BridgingInProcess => "bridging-in-process",
            QueueResult::Error => "error",
            QueueResult::Hangup => "hangup",
            QueueResult::Leave => "leave",
            QueueResult::Redirected => "redirected",
            QueueResult::RedirectedFromBridged => "redirected-from-bridged",
            QueueResult::QueueFull => "queue-full",
            QueueResult::SystemError => "system-error",
        }
    }
}

/// A call's stay in a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueStay {
    /// Which queue.
    pub sid: QueueSid,
    /// How long it waited, whole seconds.
    pub time_s: u64,
}

impl QueueStay {
    fn put(self, params: &mut Params) {
        params.set("QueueSid", self.sid.to_string());
        params.set("QueueTime", self.time_s.to_string());
    }
}

/// The parameters of `<Enqueue>`'s action; without a stay when it never was in the queue.
pub fn enqueue_params(result: QueueResult, stay: Option<QueueStay>) -> Vec<(String, String)> {
    let mut params = Params::default();
    params.set("QueueResult", result.as_str());
    stay.into_iter().for_each(|stay| stay.put(&mut params));
    params.sorted()
}

/// How a queue is at the moment, for one who waits in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueMoment {
    /// Its stay.
    pub stay: QueueStay,
    /// Its place, from 1.
    pub position: u32,
    /// How long those in the queue have waited on average, whole seconds.
    pub average_s: u64,
    /// How many are in it.
    pub size: u32,
    /// How many there may be.
    pub size_max: u32,
}

/// The parameters of a wait document's requests.
pub fn queue_wait_params(queue: &QueueMoment) -> Vec<(String, String)> {
    let mut params = Params::default();
    queue.stay.put(&mut params);
    params.set("QueuePosition", queue.position.to_string());
    params.set("AvgQueueTime", queue.average_s.to_string());
    params.set("CurrentQueueSize", queue.size.to_string());
    params.set("MaxQueueSize", queue.size_max.to_string());
    params.sorted()
}

/// What a dequeued call's stay is told with: to the document it hears before it is connected, and to the action of
/// the `<Dial>` that took it. The parameter's spelling is the published one.
pub fn dequeue_params(stay: QueueStay, taken_by: CallSid) -> Vec<(String, String)> {
    let mut params = Params::default();
    stay.put(&mut params);
    params.set("DequeingCallSid", taken_by.to_string());
    params.sorted()
}

#[cfg(test)]
mod tests {
    use super::super::tests::lines;
    use super::*;

    const STAY: QueueStay = QueueStay { sid: QueueSid(5), time_s: 61 };

    #[test]
    fn an_action_tells_a_stay_only_if_there_was_one() {
        assert_eq!(
            lines(&enqueue_params(QueueResult::Bridged, Some(STAY))),
            ["QueueResult=bridged", "QueueSid=QU00000000000000000000000000000005", "QueueTime=61"]
        );
        assert_eq!(lines(&enqueue_params(QueueResult::QueueFull, None)), ["QueueResult=queue-full"]);
    }

    #[test]
    fn a_wait_document_is_told_the_moment() {
        let moment = QueueMoment { stay: STAY, position: 2, average_s: 30, size: 3, size_max: 1_000 };
        assert_eq!(
            lines(&queue_wait_params(&moment)),
            [
                "AvgQueueTime=30",
                "CurrentQueueSize=3",
                "MaxQueueSize=1000",
                "QueuePosition=2",
                "QueueSid=QU00000000000000000000000000000005",
                "QueueTime=61"
            ]
        );
    }

    #[test]
    fn a_whisper_is_told_who_took_the_caller() {
        assert_eq!(
            lines(&dequeue_params(STAY, CallSid(7))),
            [
                "DequeingCallSid=CA00000000000000000000000000000007",
                "QueueSid=QU00000000000000000000000000000005",
                "QueueTime=61"
            ]
        );
    }
}
