//! Calls on a calm wire.

use sip::{Caller, Command, Ended, Event, TransportKind};

use crate::expect;
use crate::wire::{SDP, SDP_ANSWER, Wire};

const TRANSPORTS: [TransportKind; 2] = [TransportKind::Udp, TransportKind::Tcp];

#[test]
fn a_call_is_answered_and_ended_by_either_end() {
    for transport in TRANSPORTS {
        for hangs_up in [0, 1] {
            let mut wire = Wire::pair(1, transport);
            let a = wire.call(0, 7, Some(SDP));
            wire.run_ms(10);
            let (b, request, from) = expect!(wire, 1, Event::Incoming { session, request, from, .. } =>
                (session, request, from));
            assert_eq!(from, Caller::Trunk { name: "other".into() });
            assert_eq!((request.uri.user_decoded().as_ref(), request.body.as_slice()), ("+15550001111", SDP));
            wire.command(1, Command::Progress { session: b, code: 180, body: None });
            wire.run_ms(3_000);
            expect!(wire, 0, Event::Progress { session, code: 180, body: None, .. } => assert_eq!(session, a));
            wire.command(1, Command::Answer { session: b, body: SDP_ANSWER.to_vec() });
            wire.run_ms(10);
            expect!(wire, 0, Event::Answered { session, body: Some(body), .. } => {
                assert_eq!((session, body.as_slice()), (a, SDP_ANSWER));
            });
            expect!(wire, 1, Event::Acked { session, body: None } => assert_eq!(session, b));
            let session = [a, b][hangs_up];
            wire.command(hangs_up, Command::Bye { session, reason: Some((16, "Normal".into())) });
            wire.run_ms(10);
            expect!(wire, 1 - hangs_up, Event::Ended { session, why, .. } => {
                assert_eq!(session, [b, a][hangs_up]);
                assert_eq!(why, Ended::ByPeer { reason: Some((16, "Normal".into())) });
            });
            wire.assert_at_rest();
            assert_eq!(wire.requests(0, "INVITE").len(), 1);
            assert_eq!(wire.codes(1, "INVITE"), [100, 180, 200]);
        }
    }
}
