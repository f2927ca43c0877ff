//! `<Queue>` in `<Dial>` (reference: twiml-voice §10.5).

use base::{ActivitySid, ReservationSid};
use serde::{Deserialize, Serialize};

use super::enqueue::check_name;
use crate::HttpMethod;
use crate::reading::{Node, Reading, attribute, owned, text};

/// The queue whose front caller is taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueNoun {
    /// Its name; empty when a reservation says whom.
    pub name: String,
    /// What the queued caller hears before the two are connected.
    pub url: Option<String>,
    /// How that is requested.
    pub method: HttpMethod,
    /// Just the caller of this reservation.
    pub reservation: Option<ReservationSid>,
    /// What the worker does after the call.
    pub post_work_activity: Option<ActivitySid>,
}

/// `None` when nobody can be taken by it.
pub(crate) fn read(node: Node<'_>, reading: &mut Reading<'_>) -> Option<QueueNoun> {
    reading.known_attributes(node, ATTRIBUTES, &[]);
    reading.no_children(node);
    let reserved = attribute(node, "reservationSid").is_some();
    let name = text(node);
    let named = (reserved && name.is_empty()) || check_name(&name, node, reading, (14212, 14213));
    let noun = QueueNoun {
        name,
        url: owned(node, "url").filter(|url| !url.is_empty()),
        method: reading.method(node, "method", 14210),
        reservation: sid(node, reading, "reservationSid", 14215, "must be a reservation's sid"),
        post_work_activity: sid(node, reading, "postWorkActivitySid", 14218, "must be an activity's sid"),
    };
    (named && reserved == noun.reservation.is_some()).then_some(noun)
}

fn sid<T: std::str::FromStr>(
    node: Node<'_>,
    reading: &mut Reading<'_>,
    name: &str,
    code: u32,
    wanted: &str,
) -> Option<T> {
    let sid = attribute(node, name)?.parse().ok();
    reading.foreign_attribute(node, name);
    if sid.is_none() {
        reading.bad_value(node, name, code, wanted);
    }
    sid
}

const ATTRIBUTES: &[&str] = &["method", "postWorkActivitySid", "reservationSid", "url"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Dialect;
    use crate::verb::Noun;
    use crate::verb::table::{noun_in_dial, one, one_in};

    fn plain() -> QueueNoun {
        QueueNoun {
            name: "desk".into(),
            url: None,
            method: HttpMethod::Post,
            reservation: None,
            post_work_activity: None,
        }
    }

    fn with(change: fn(&mut QueueNoun)) -> Option<Noun> {
        let mut noun = plain();
        change(&mut noun);
        Some(Noun::Queue(noun))
    }

    #[test]
    fn attributes() {
        for (xml, expected) in [
            ("<Queue> desk </Queue>", with(|_| {})),
            ("<Queue url='/w'>desk</Queue>", with(|q| q.url = Some("/w".into()))),
            ("<Queue url=''>desk</Queue>", with(|_| {})),
            ("<Queue method='GET'>desk</Queue>", with(|q| q.method = HttpMethod::Get)),
            (
                "<Queue reservationSid='WR00000000000000000000000000000002'/>",
                with(|q| (q.name, q.reservation) = (String::new(), Some(ReservationSid(2)))),
            ),
            (
                "<Queue postWorkActivitySid='WA00000000000000000000000000000003'>desk</Queue>",
                with(|q| q.post_work_activity = Some(ActivitySid(3))),
            ),
        ] {
            assert_eq!(noun_in_dial(xml), (expected, vec![]), "{xml}");
        }
        assert_eq!(noun_in_dial("<Queue Url='x'>desk</Queue>"), (with(|_| {}), vec![12200]));
    }

    #[test]
    fn values_nobody_can_be_taken_by_end_the_document() {
        let long = format!("<Queue>{}</Queue>", "x".repeat(65));
        for (xml, code) in [
            ("<Queue method='x'>desk</Queue>", 14210),
            ("<Queue/>", 14212),
            (long.as_str(), 14213),
            ("<Queue reservationSid='x'/>", 14215),
            ("<Queue postWorkActivitySid='x'>desk</Queue>", 14218),
        ] {
            assert_eq!(one(&format!("<Dial>{xml}</Dial>")), (None, vec![code]), "{xml}");
        }
    }

    /// The other dialect has no such thing: each is told, and obeyed.
    #[test]
    fn what_is_of_tasks_is_told_in_the_other_dialect() {
        for attribute in [
            "reservationSid='WR00000000000000000000000000000002'",
            "postWorkActivitySid='WA00000000000000000000000000000003'",
        ] {
            let xml = format!("<Dial><Queue {attribute}>desk</Queue></Dial>");
            assert_eq!(one_in(&xml, Dialect::Texml).1, [12200], "{attribute}");
            assert_eq!(one_in(&xml, Dialect::Texml).0, one(&xml).0, "{attribute}");
        }
    }

    #[test]
    fn it_is_no_verb_and_stands_alone() {
        assert_eq!(one("<Queue>desk</Queue>"), (None, vec![12200]));
        let (verb, codes) = one("<Dial><Queue>desk</Queue><Number>1</Number></Dial>");
        let Some(crate::Verb::Dial(dial)) = verb else { panic!() };
        assert_eq!((dial.queue(), codes), (Some(&plain()), vec![13000]));
    }
}
