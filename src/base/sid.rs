//! Twilio-shaped identifiers: two capital letters and 32 lower-case hexadecimal digits (`webhooks` §3).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Rng;

/// A text that is not the sid it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a sid of the form {prefix} followed by 32 hexadecimal digits")]
pub struct ParseSidError {
    prefix: &'static str,
    text: String,
}

macro_rules! sids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u128);

        impl $name {
            /// The two letters it begins with.
            pub const PREFIX: &'static str = $prefix;

            /// A new one, of 128 random bits.
            pub fn random(rng: &mut Rng) -> Self {
                Self(rng.u128())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}{:032x}", Self::PREFIX, self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = ParseSidError;
            fn from_str(text: &str) -> Result<Self, ParseSidError> {
                parse($prefix, text).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

sids! {
    /// The account: one a box.
    AccountSid = "AC";
    /// One call leg.
    CallSid = "CA";
    /// A conference.
    ConferenceSid = "CF";
    /// A recording.
    RecordingSid = "RE";
    /// What was said in a recording.
    TranscriptionSid = "TR";
    /// What is said in a call, as it is said.
    LiveTranscriptionSid = "GT";
    /// A media stream.
    StreamSid = "MZ";
    /// A SIP recording session.
    SiprecSid = "SR";
    /// A message beside a call's sound.
    UserMessageSid = "KX";
    /// A subscription to such messages.
    MessageSubscriptionSid = "ZY";
    /// A voice queue.
    QueueSid = "QU";
    /// An application: a voice URL with its fallback and callbacks.
    ApplicationSid = "AP";
    /// A number of the office, or a caller id.
    PhoneNumberSid = "PN";
    /// A trunk.
    TrunkSid = "TK";
    /// A warning or error of a call.
    NotificationSid = "NO";
    /// A TaskRouter workspace.
    WorkspaceSid = "WS";
    /// A worker.
    WorkerSid = "WK";
    /// A task queue.
    TaskQueueSid = "WQ";
    /// A workflow.
    WorkflowSid = "WW";
    /// A task.
    TaskSid = "WT";
    /// A reservation.
    ReservationSid = "WR";
    /// A worker's activity.
    ActivitySid = "WA";
    /// A task handed on.
    TransferSid = "TT";
    /// A kind of work.
    TaskChannelSid = "TC";
    /// A worker's share of a kind of work.
    WorkerChannelSid = "WC";
    /// Something that happened in a workspace.
    RouterEventSid = "EV";
}

/// The 128 bits of a sid that is the same in every run: an account's, for this text (FNV-1a).
///
/// What stands in the configuration has no moment at which a random sid could be made and kept.
pub fn derived(account: AccountSid, text: &str) -> u128 {
    let seed = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d_u128 ^ account.0;
    let spread =
        |hash: u128, byte: u8| (hash ^ u128::from(byte)).wrapping_mul(0x0100_0000_0000_0000_0000_013b);
    text.bytes().fold(seed, spread)
}

fn parse(prefix: &'static str, text: &str) -> Result<u128, ParseSidError> {
    let error = || ParseSidError { prefix, text: text.chars().take(64).collect() };
    let digits = text.strip_prefix(prefix).ok_or_else(error)?;
    // from_str_radix alone would also accept a sign and fewer digits.
    if digits.len() != 32 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(error());
    }
    u128::from_str_radix(digits, 16).map_err(|_| error())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sid_survives_its_text() {
        let sid = CallSid::random(&mut Rng::seeded(1));
        let text = sid.to_string();
        assert_eq!(text.len(), 34);
        assert_eq!(text.parse::<CallSid>().unwrap(), sid);
        assert_eq!(CallSid(1).to_string(), "CA00000000000000000000000000000001");
    }

    #[test]
    fn a_derived_sid_is_the_same_in_every_run() {
        let ours = AccountSid(7);
        assert_eq!(derived(ours, "carrier"), derived(ours, "carrier"));
        assert_ne!(derived(ours, "carrier"), derived(ours, "carrieR"));
        assert_ne!(derived(ours, "carrier"), derived(AccountSid(8), "carrier"));
    }

    #[test]
    fn what_is_not_a_sid_is_refused() {
        for text in
            ["", "CA", "CA1", "RE00000000000000000000000000000001", "CA+0000000000000000000000000000001"]
        {
            assert!(text.parse::<CallSid>().is_err(), "{text}");
        }
    }
}
