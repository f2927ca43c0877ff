//! What entries of the book can be.

use std::fmt;
use std::str::FromStr;

/// A word that names no kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no kind of thing this version knows")]
pub struct ParseKindError(String);

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $word:literal, $prefix:literal;)*) => {
        /// What an entry is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Kind {
            $($(#[$doc])* $name,)*
        }

        impl Kind {
            /// Its name in the database.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Kind::$name => $word,)*
                }
            }

            /// What its sids begin with.
            pub fn prefix(self) -> &'static str {
                match self {
                    $(Kind::$name => $prefix,)*
                }
            }
        }

        impl FromStr for Kind {
            type Err = ParseKindError;
            fn from_str(text: &str) -> Result<Self, ParseKindError> {
                match text {
                    $($word => Ok(Kind::$name),)*
                    _ => Err(ParseKindError(text.chars().take(64).collect())),
                }
            }
        }
    };
}

kinds! {
    /// A voice URL with what belongs to it (reference: rest-voice §11).
    Application = "application", "AP";
    /// A number of the office (§11).
    Number = "number", "PN";
    /// A number that may be shown (§11).
    CallerId = "caller-id", "PN";
    /// A SIP domain (§10).
    Domain = "domain", "SD";
    /// Users with passwords (§10).
    CredentialList = "credential-list", "CL";
    /// One of them; below its list.
    Credential = "credential", "CR";
    /// Addresses (§10).
    AccessList = "access-list", "AL";
    /// One of them, or a range; below its list.
    Address = "address", "IP";
    /// Whose users may register; below a domain, with the sid of a list.
    Registrations = "registrations", "CL";
    /// Whose users may call; likewise.
    CallCredentials = "call-credentials", "CL";
    /// Whose addresses may call; likewise.
    CallAddresses = "call-addresses", "AL";
    /// What opens the API beside the account's token (§13).
    ApiKey = "api-key", "SK";
    /// A threshold of usage (§13).
    UsageTrigger = "usage-trigger", "UT";
    /// Carriers by the name `byoc` gives them (§15).
    ByocTrunk = "byoc-trunk", "BY";
    /// Where calls to a carrier go (§15).
    ConnectionPolicy = "connection-policy", "NY";
    /// One place of it; below its policy.
    Target = "target", "NE";
    /// An address, or a range (§15).
    IpRecord = "ip-record", "IL";
    /// To which domain an address belongs (§15).
    SourceIpMapping = "source-ip-mapping", "IB";
    /// What is said of the account (§13): one entry, with its sid.
    Account = "account", "AC";
    /// Settings of the voice API (§15): one entry, with the account's sid.
    VoiceSettings = "voice-settings", "AC";
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
