//! The numbers of errors and warnings: how bad each is and what it means (reference: error-codes).
//!
//! Numbers from 99000 are the box's own; the published catalogue leaves them free.

use crate::{Finding, Level};

/// One row of the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorCode {
    /// The number.
    pub code: u32,
    /// Warning or error.
    pub level: Level,
    /// One line, without a full stop.
    pub message: &'static str,
}

/// The row of a number, if the box ever says it.
pub fn error_code(code: u32) -> Option<&'static ErrorCode> {
    CODES.binary_search_by_key(&code, |row| row.code).ok().and_then(|index| CODES.get(index))
}

/// The level of a number; an unknown number is an error.
pub fn error_level(code: u32) -> Level {
    error_code(code).map_or(Level::Error, |row| row.level)
}

impl Finding {
    /// A finding that is not about a place in a text: the catalogue's line, and what happened if anything more
    /// is known.
    pub fn unplaced(code: u32, detail: &str) -> Self {
        let row = error_code(code).map_or("unknown error", |row| row.message);
        let message = if detail.is_empty() { row.to_owned() } else { format!("{row}: {detail}") };
        Self { code, level: error_level(code), line: 0, column: 0, message }
    }
}

const fn e(code: u32, message: &'static str) -> ErrorCode {
    ErrorCode { code, level: Level::Error, message }
}

const fn w(code: u32, message: &'static str) -> ErrorCode {
    ErrorCode { code, level: Level::Warning, message }
}

/// Every number the box uses for documents, webhooks, calls, recordings, queues and SIP, ascending.
pub static CODES: &[ErrorCode] = &[
    e(11100, "The URL is not valid"),
    e(11200, "The document could not be retrieved"),
    e(11201, "The TCP connection timed out"),
    e(11202, "The TCP connection was refused"),
    e(11203, "The time for the whole request is used up"),
    e(11205, "The connection failed"),
    e(11206, "The server violated the HTTP protocol"),
    e(11210, "The host name does not resolve"),
    e(11215, "Too many redirects"),
    e(11220, "The TLS handshake failed"),
    e(11235, "The certificate does not belong to this host"),
    e(11236, "The certificate has expired"),
    e(11237, "The certificate does not lead to a trusted root"),
    e(11243, "The retry policy of the URL's connection overrides is not valid"),
    e(11251, "Fatal protocol error"),
    e(11300, "The template's URL is not valid"),
    e(11310, "The template contains an invalid token"),
    e(11320, "The template's brackets do not match"),
    e(11750, "The response body is larger than 64 kB"),
    e(11770, "The response body is empty"),
    e(12100, "The document is not well-formed XML"),
    e(12101, "The document's XML version is not 1.0"),
    e(12102, "The document's root element is not Response"),
    w(12200, "The document does not follow the schema"),
    e(12300, "The response's content type is not usable"),
    e(12400, "Internal failure"),
    w(13000, "Conference does not go together with other nouns"),
    e(13201, "Dial is not allowed in the document of a dialled leg"),
    w(13210, "Dial: invalid method"),
    w(13212, "Dial: invalid timeout"),
    w(13213, "Dial: invalid hangupOnStar"),
    w(13214, "Dial: invalid callerId"),
    w(13215, "Dial: nested element not allowed"),
    w(13216, "Dial: invalid timeLimit"),
    w(13217, "Dial: invalid record"),
    w(13218, "Dial: invalid sequential"),
    w(13219, "Dial: invalid answerOnBridge"),
    w(13220, "Dial: invalid ringTone"),
    w(13221, "Number: invalid method"),
    w(13222, "Number: invalid sendDigits"),
    w(13223, "Dial: invalid phone number format"),
    w(13224, "Dial: the number is invalid or not supported"),
    w(13225, "Dial: the number is blocked"),
    w(13226, "Dial: invalid country code"),
    w(13227, "Dial: the destination is not permitted"),
    w(13230, "Conference: invalid muted"),
    e(13231, "Conference: invalid endConferenceOnExit"),
    w(13232, "Conference: invalid startConferenceOnEnter"),
    w(13233, "Conference: invalid waitUrl"),
    w(13234, "Conference: invalid waitMethod"),
    w(13235, "Conference: invalid beep"),
    w(13236, "Conference: invalid sid"),
    w(13237, "Conference: invalid name"),
    e(13238, "The verb is not allowed in this document"),
    e(13239, "Conference: invalid trim"),
    e(13240, "Conference: invalid coach"),
    w(13241, "Sip: invalid method"),
    w(13242, "Sip: invalid sendDigits"),
    w(13243, "Sip: invalid URI"),
    w(13244, "Sip: the target demanded authorization"),
    e(13247, "Dial: invalid From number"),
    w(13248, "Dial: callerId too long"),
    w(13249, "Sip: invalid username or password"),
    w(13250, "Dial: more than 10 nouns"),
    w(13251, "Sip: too many headers"),
    w(13252, "Sip: invalid header name"),
    w(13253, "Sip: header too long"),
    w(13254, "Sip: the host does not resolve"),
    w(13256, "Invalid recordingStatusCallback"),
    e(13257, "Invalid transcribeCallback"),
    e(13258, "Sim is not available here"),
    w(13310, "Gather: invalid finishOnKey"),
    w(13311, "Gather: invalid finishOnKey"),
    w(13312, "Gather: invalid method"),
    w(13313, "Gather: invalid timeout"),
    w(13314, "Gather: invalid numDigits"),
    w(13320, "Gather: nested verb not allowed"),
    w(13321, "Gather: invalid voice of a nested Say"),
    w(13322, "Gather: invalid loop of a nested Say"),
    e(13325, "Gather: unusable content type of a nested Play"),
    w(13326, "Gather: invalid input"),
    w(13327, "Gather: invalid speechTimeout"),
    w(13328, "Gather: invalid maxSpeechTime"),
    w(13329, "Gather: invalid partialResultCallbackMethod"),
    w(13330, "Gather: invalid hints"),
    w(13331, "Gather: invalid language"),
    w(13332, "Gather: invalid bargeIn"),
    w(13333, "Gather: invalid profanityFilter"),
    w(13334, "Gather: invalid speechModel"),
    w(13335, "Gather: speechTimeout=\"auto\" does not go together with a speechModel"),
    e(13338, "Gather: invalid actionOnEmptyResult"),
    e(13340, "Gather: speech recognition is degraded"),
    w(13410, "Play: invalid loop"),
    e(13420, "Play: unusable content type"),
    w(13430, "Play: invalid digits"),
    w(13510, "Say: invalid loop"),
    w(13511, "Say: invalid voice"),
    w(13512, "Say: invalid language"),
    w(13513, "Say: invalid rate"),
    w(13520, "Say: empty or invalid text"),
    w(13521, "Say: the text is too long"),
    w(13610, "Record: invalid method"),
    w(13611, "Record: invalid timeout"),
    w(13612, "Record: invalid maxLength"),
    w(13613, "Record: invalid finishOnKey"),
    w(13614, "Record: invalid transcribe"),
    w(13615, "Record: maxLength is too high for a transcription"),
    w(13616, "Record: invalid playBeep"),
    w(13617, "The recording is too short for a transcription"),
    w(13618, "The recording is too long for a transcription"),
    w(13619, "The recording cannot be transcribed"),
    w(13620, "The recording is not available for a transcription"),
    e(13621, "Invalid recordingStatusCallbackEvent"),
    w(13699, "Invalid trim"),
    w(13710, "Redirect: invalid method"),
    e(13750, "The verb is not supported"),
    e(13801, "Refer: the call is not a SIP call"),
    e(13802, "A REFER was received and the Dial has no referUrl"),
    e(13803, "Sms: messages are not supported here"),
    w(13810, "Reject: invalid reason"),
    w(13910, "Pause: invalid length"),
    e(14201, "Enqueue: invalid method"),
    e(14202, "Enqueue: invalid waitUrl"),
    e(14203, "Enqueue: invalid action"),
    e(14204, "Enqueue: the queue's name is too short"),
    e(14205, "Enqueue: the queue's name is too long"),
    e(14206, "Enqueue: invalid waitUrlMethod"),
    w(14207, "Enqueue: the queue is full"),
    e(14210, "Queue: invalid method"),
    e(14211, "Queue: invalid url"),
    e(14212, "Queue: the name is too short"),
    e(14213, "Queue: the name is too long"),
    e(14215, "Queue: invalid reservationSid"),
    e(14217, "Queue: the reservation was not found or could not be accepted"),
    e(14218, "Queue: the worker's activity could not be set"),
    e(14220, "Enqueue: invalid workflowSid"),
    e(14221, "Enqueue: the task's attributes are not JSON"),
    e(14222, "Enqueue: the task could not be created"),
    e(14223, "Enqueue: the task could not be cleaned up"),
    e(14300, "Start, Stop: invalid nested element"),
    e(15002, "The outgoing call waited too long in the queue"),
    w(15003, "The status callback was answered with an error"),
    e(15004, "The action URL of an inline document must be absolute"),
    e(15009, "Internal failure"),
    e(16010, "Conference event: internal failure"),
    e(16011, "The conference's status callback was answered with an error"),
    e(16020, "The conference is full"),
    e(16021, "Too many conferences"),
    e(16022, "The conference does not exist or is over"),
    e(16023, "Conference: invalid participantLabel"),
    e(16025, "Conference: the participantLabel is in use"),
    w(16101, "The recording is too short to be kept"),
    w(16102, "The recording is too silent to be kept"),
    e(16108, "Too many concurrent recordings of the call"),
    w(21262, "Answering machine detection: nobody is told the verdict"),
    w(21263, "Answering machine detection: invalid parameters"),
    e(31900, "Stream: the connection failed"),
    e(31901, "Stream: the connection timed out"),
    e(31902, "Stream: the connection was refused"),
    e(31903, "Stream: the connection broke"),
    e(31904, "Stream: the server cannot be reached"),
    e(31910, "Stream: the TLS handshake failed"),
    e(31920, "Stream: the server did not agree to the WebSocket handshake"),
    e(31921, "Stream: the connection was closed without a word"),
    e(31922, "Stream: the URL must begin with wss:// or ws://"),
    e(31923, "Stream: the URL is not valid"),
    e(31924, "Stream: the server violated the WebSocket protocol"),
    w(31930, "Stream: the server does not read; sound for it was lost"),
    w(31931, "Stream: more than ten minutes of sound wait; the rest was left out"),
    e(31940, "Siprec: there is no connector of this name"),
    e(31941, "Stream, Siprec: invalid track"),
    e(31942, "Siprec: the connector's configuration is not valid"),
    w(31950, "Stream: a message that cannot be read was ignored"),
    w(31951, "Stream: a message that does not conform was ignored"),
    e(31960, "Stream: too many streams of one call"),
    e(32001, "Too many calls per second"),
    w(32002, "The dialled SIP domain is unknown"),
    w(32006, "Too many hops"),
    w(32007, "Too many contacts for one address"),
    w(32008, "Too many registrations"),
    w(32009, "The dialled user is not registered"),
    e(32010, "The trunk has no address to send calls to"),
    w(32011, "The peer's SIP answers are in error"),
    w(32014, "The call was ended: no audio was received"),
    w(32015, "The call was ended: it reached its longest duration"),
    e(32016, "The call was not answered by any progress in time"),
    e(32017, "The carrier blocked the caller ID"),
    e(32018, "The inline document is too long"),
    w(32019, "Both a URL and an inline document were given"),
    w(32021, "The caller's number could not be verified"),
    e(32022, "The peer did not acknowledge the answer"),
    w(32100, "The SIP number is not valid"),
    w(32102, "The SDP is not valid"),
    w(32103, "The SIP message has no body"),
    w(32105, "The Contact header is not valid"),
    w(32106, "SIP authentication failed"),
    w(32110, "The SIP URI is not valid"),
    w(32111, "The SIP header's name is not valid"),
    w(32112, "The SIP header's value is not valid"),
    w(32113, "The SIP header is not allowed"),
    w(32114, "The SIP parameter's value is not valid"),
    e(99001, "No speech recognition is configured"),
    e(99002, "No text to speech is configured"),
    e(99003, "The media engine is overloaded"),
    e(99004, "The storage is full"),
    e(99005, "The box's capacity is reached"),
    w(99006, "The attribute has no effect on this box"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_ascend_without_doubles() {
        assert!(CODES.windows(2).all(|pair| pair[0].code < pair[1].code));
    }

    #[test]
    fn levels_are_the_catalogues() {
        for (code, level) in [
            (11200, Level::Error),
            (12200, Level::Warning),
            (13212, Level::Warning),
            (13338, Level::Error),
            (13621, Level::Error),
            (13910, Level::Warning),
            (4_711, Level::Error),
        ] {
            assert_eq!(error_level(code), level, "{code}");
        }
    }

    #[test]
    fn every_message_is_one_line_without_a_full_stop() {
        for row in CODES {
            assert!(
                !row.message.is_empty() && !row.message.contains('\n') && !row.message.ends_with('.'),
                "{row:?}"
            );
        }
    }
}
