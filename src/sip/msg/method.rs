//! Methods: what a request asks for (RFC 3261 §7.1 and the extensions the box knows).

use std::fmt;

use serde::{Deserialize, Serialize};

/// A request's method. Names are case-sensitive (RFC 3261 §7.1): `invite` is an unknown method.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Method {
    /// Confirms a final response to INVITE (RFC 3261 §17).
    Ack,
    /// Ends a session (RFC 3261 §15).
    Bye,
    /// Gives up a pending request (RFC 3261 §9).
    Cancel,
    /// Carries application data inside a session (RFC 6086).
    Info,
    /// Begins or changes a session (RFC 3261 §13, §14).
    Invite,
    /// An instant message (RFC 3428).
    Message,
    /// Tells a subscriber (RFC 6665).
    Notify,
    /// Asks for capabilities (RFC 3261 §11).
    Options,
    /// Confirms a provisional response (RFC 3262).
    Prack,
    /// Publishes event state (RFC 3903).
    Publish,
    /// Asks the peer to call somebody else (RFC 3515).
    Refer,
    /// Binds a contact to an address of record (RFC 3261 §10).
    Register,
    /// Asks to be told (RFC 6665).
    Subscribe,
    /// Changes a session without an INVITE transaction (RFC 3311).
    Update,
    /// Any other token, as received: answered 405 or 501, never a parse error.
    Other(String),
}

impl Method {
    /// Its name on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Method::Ack => "ACK",
            Method::Bye => "BYE",
            Method::Cancel => "CANCEL",
            Method::Info => "INFO",
            Method::Invite => "INVITE",
            Method::Message => "MESSAGE",
            Method::Notify => "NOTIFY",
            Method::Options => "OPTIONS",
            Method::Prack => "PRACK",
            Method::Publish => "PUBLISH",
            Method::Refer => "REFER",
            Method::Register => "REGISTER",
            Method::Subscribe => "SUBSCRIBE",
            Method::Update => "UPDATE",
            Method::Other(name) => name,
        }
    }
}

impl From<&str> for Method {
    fn from(name: &str) -> Self {
        match name {
            "ACK" => Method::Ack,
            "BYE" => Method::Bye,
            "CANCEL" => Method::Cancel,
            "INFO" => Method::Info,
            "INVITE" => Method::Invite,
            "MESSAGE" => Method::Message,
            "NOTIFY" => Method::Notify,
            "OPTIONS" => Method::Options,
            "PRACK" => Method::Prack,
            "PUBLISH" => Method::Publish,
            "REFER" => Method::Refer,
            "REGISTER" => Method::Register,
            "SUBSCRIBE" => Method::Subscribe,
            "UPDATE" => Method::Update,
            other => Method::Other(other.to_owned()),
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_method_survives_its_name_and_case_matters() {
        for name in [
            "ACK",
            "BYE",
            "CANCEL",
            "INFO",
            "INVITE",
            "MESSAGE",
            "NOTIFY",
            "OPTIONS",
            "PRACK",
            "PUBLISH",
            "REFER",
            "REGISTER",
            "SUBSCRIBE",
            "UPDATE",
        ] {
            let method = Method::from(name);
            assert!(!matches!(method, Method::Other(_)), "{name}");
            assert_eq!(method.to_string(), name);
        }
        assert_eq!(Method::from("invite"), Method::Other("invite".into()));
    }
}
