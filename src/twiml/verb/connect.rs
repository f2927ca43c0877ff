//! `<Connect>` (reference: twiml-voice §15).

use serde::{Deserialize, Serialize};

use super::stream::{self, StreamNoun};
use crate::reading::{Node, Reading, owned, tag};
use crate::{HttpMethod, refused};

/// Hand the call to a service until that ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connect {
    /// Requested when the service ends; `None` = go on with the next verb.
    pub action: Option<String>,
    /// How the action is requested.
    pub method: HttpMethod,
    /// What the call is handed to.
    pub service: ConnectService,
}

/// What `<Connect>` hands the call to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConnectService {
    /// An application, over a WebSocket, both ways.
    Stream(StreamNoun),
    /// Something this box has not, which was told already: the verb is over at once.
    Refused {
        /// The code it was told with.
        code: u32,
        /// What it is called.
        name: String,
    },
}

/// The first nested element counts.
pub(super) fn read(node: Node<'_>, reading: &mut Reading<'_>) -> Connect {
    reading.known_attributes(node, &["action", "method"], &[]);
    reading.no_text(node);
    let method = reading.method(node, "method", 12200);
    let mut service = None;
    for child in node.children().filter(|child| child.is_element()) {
        let at = child.range().start;
        if service.is_some() {
            reading.note(12200, at, format!("{}: Connect takes one nested element", tag(child)));
        } else if tag(child) == "Stream" {
            service = Some(ConnectService::Stream(stream::read(child, reading, true)));
        } else {
            // Its own number alone: a 12200 beside it would tell the same thing twice.
            let (code, why) = refused::noun("Connect", tag(child))
                .map_or((12200, "is nothing to connect to"), |row| (row.code, row.why));
            reading.note(code, at, format!("{} {why}", tag(child)));
            service = Some(ConnectService::Refused { code, name: tag(child).to_owned() });
        }
    }
    let service = service.unwrap_or_else(|| {
        reading.note(12200, node.range().start, "Connect needs a nested element");
        ConnectService::Refused { code: 12200, name: String::new() }
    });
    Connect { action: owned(node, "action"), method, service }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verb::Verb;
    use crate::verb::table::one;

    #[test]
    fn what_the_box_has_not_is_told_and_the_verb_stays_for_its_action() {
        let refused = |code, name: &str| {
            let service = ConnectService::Refused { code, name: name.into() };
            Verb::Connect(Connect { action: Some("/a".into()), method: HttpMethod::Get, service })
        };
        for (xml, code, name) in [
            ("<Room participantIdentity='a'>r</Room>", 13750, "Room"),
            (
                "<VirtualAgent connectorName='c'><Config name='a' value='b'/></VirtualAgent>",
                13750,
                "VirtualAgent",
            ),
            (
                "<ConversationRelay url='wss://h'><Language code='x'/></ConversationRelay>",
                13750,
                "ConversationRelay",
            ),
            ("<ConversationRelaySession connector='c'/>", 13750, "ConversationRelaySession"),
            ("<AiSession aiConnector='c'/>", 13750, "AiSession"),
            ("<Autopilot>x</Autopilot>", 13750, "Autopilot"),
            ("<Conversation serviceInstanceSid='x'/>", 13750, "Conversation"),
            ("<Say>x</Say>", 12200, "Say"),
            ("", 12200, ""),
        ] {
            let xml = format!("<Connect action='/a' method='GET'>{xml}</Connect>");
            assert_eq!(one(&xml), (Some(refused(code, name)), vec![code]), "{xml}");
        }
        let (verb, codes) = one("<Connect><Room/><Stream url='wss://h'/></Connect>");
        assert!(matches!(verb, Some(Verb::Connect(Connect { action: None, .. }))));
        assert_eq!(codes, [13750, 12200]);
        assert_eq!(one("<Connect method='x' timeout='1'><Room/></Connect>").1, [12200, 12200, 13750]);
    }
}
