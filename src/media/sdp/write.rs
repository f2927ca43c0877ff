//! Our side of a session, put into words.

use std::net::SocketAddr;

use super::crypto::Line;
use super::description::{Attribute, Connection, Media, Origin, Sdp, network};
use super::opus;
use crate::codec::CodecKind;
use crate::negotiated::Direction;

/// Our audio stream.
pub(super) struct Audio<'a> {
    pub(super) port: u16,
    pub(super) protocol: &'a str,
    /// With their payload types, most wanted first.
    pub(super) codecs: &'a [(CodecKind, u8)],
    pub(super) comfort_noise: Option<u8>,
    /// Clocks of telephone events with their payload types.
    pub(super) events: &'a [(u32, u8)],
    pub(super) crypto: Vec<Attribute>,
    pub(super) ptime_ms: u8,
    pub(super) direction: Direction,
}

impl Audio<'_> {
    pub(super) fn describe(&self) -> Media {
        let mut media = Media {
            kind: "audio".to_owned(),
            port: self.port,
            protocol: self.protocol.to_owned(),
            formats: Vec::new(),
            connection: None,
            attributes: Vec::new(),
        };
        for (kind, number) in self.codecs {
            let info = kind.info();
            let channels = if info.channels == 1 { String::new() } else { format!("/{}", info.channels) };
            name(&mut media, *number, format_args!("{}/{}{channels}", info.name, info.clock));
            if *kind == CodecKind::Opus {
                media.attributes.push(Attribute::new("fmtp", format_args!("{number} {}", opus::OURS)));
            }
        }
        if let Some(number) = self.comfort_noise {
            name(&mut media, number, format_args!("CN/8000"));
        }
        for (clock, number) in self.events {
            name(&mut media, *number, format_args!("telephone-event/{clock}"));
            media.attributes.push(Attribute::new("fmtp", format_args!("{number} {EVENTS}")));
        }
        media.attributes.extend(self.crypto.iter().cloned());
        media.attributes.push(Attribute::new("ptime", self.ptime_ms));
        media.attributes.push(Attribute::new("maxptime", MAX_PTIME_MS));
        media.attributes.push(Attribute::flag(direction_name(self.direction)));
        media
    }
}

fn name(media: &mut Media, number: u8, encoding: std::fmt::Arguments<'_>) {
    media.formats.push(number.to_string());
    media.attributes.push(Attribute::new("rtpmap", format_args!("{number} {encoding}")));
}

/// The whole description. `local` is our RTP address.
pub(super) fn session(local: SocketAddr, (id, version): (u64, u64), media: Vec<Media>) -> Vec<u8> {
    let origin = Origin {
        username: "-".to_owned(),
        session_id: id.to_string(),
        version: version.to_string(),
        address: network(local.ip()),
    };
    let sdp = Sdp {
        origin: Some(origin),
        name: "-".to_owned(),
        connection: Some(Connection::Address(local.ip())),
        attributes: vec![],
        media,
    };
    sdp.to_string().into_bytes()
}

/// `streams` as they were, each switched off (RFC 3264 §6: port 0) but the one at `at`.
pub(super) fn only(streams: &[Media], at: usize, audio: &Media) -> Vec<Media> {
    streams.iter().enumerate().map(|(i, media)| if i == at { audio.clone() } else { off(media) }).collect()
}

/// A stream that is not wanted.
pub(super) fn off(media: &Media) -> Media {
    Media { port: 0, connection: None, attributes: vec![], ..media.clone() }
}

pub(super) fn attributes(lines: &[Line]) -> Vec<Attribute> {
    lines.iter().map(Line::attribute).collect()
}

pub(super) fn direction_name(direction: Direction) -> &'static str {
    match direction {
        Direction::SendRecv => "sendrecv",
        Direction::SendOnly => "sendonly",
        Direction::RecvOnly => "recvonly",
        Direction::Inactive => "inactive",
    }
}

/// The longest packet we take, in milliseconds.
pub(super) const MAX_PTIME_MS: u8 = 60;
/// The keys, and the flash hook (RFC 4733 §3.2).
const EVENTS: &str = "0-16";
