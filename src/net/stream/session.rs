//! One stream, from its handshake to its end.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use call::{StreamEvent, StreamOpen};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, interval_at, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use twiml::StreamCodec;

use super::again::{Again, RECONNECTS_MAX};
use super::codec::Ear;
use super::connect::{HANDSHAKE, Socket, broken, connect};
use super::message::{Heard, Numbering, Said, Track, read};
use super::outbox::{Next, Outbox};
use super::playout::Playout;
use super::{Failure, Inner, texml};
use crate::media::{FeedWriter, TapReader};

/// How often sound is moved; a frame comes every 20 ms.
pub(super) const LOOK: Duration = Duration::from_millis(10);

/// How long the last message may take to leave, and the application to say goodbye.
const GOODBYE: Duration = Duration::from_secs(1);

/// Runs a stream to its end, which is answered with unless the node closed it.
pub(super) async fn run(
    inner: &Arc<Inner>,
    open: StreamOpen,
    mut keys: mpsc::Receiver<char>,
) -> Option<StreamEvent> {
    let stream = open.stream;
    let begun = tokio::select! {
        begun = begin(inner, &open) => begun,
        () = closed(&mut keys) => return None,
    };
    let mut begun = match begun {
        Ok(begun) => begun,
        Err(failure) => {
            tracing::info!(%stream, code = failure.code, "no media stream: {}", failure.message);
            return Some(event(Err(failure)));
        }
    };
    let mut session = Session {
        inner,
        tap: inner.taps.take(open.tap),
        feed: open.feed.map(|feed| inner.taps.feed(feed)),
        playout: Playout::default(),
        outbox: outbox(&open),
        ear: open.texml.map(Ear::new),
        warned: Vec::new(),
        open,
    };
    inner.tell(stream, StreamEvent::Started).await;
    let mut left = RECONNECTS_MAX;
    loop {
        let (sink, messages) = begun.0.split();
        let writer = tokio::spawn(write(sink, session.outbox.clone(), begun.1));
        let mut ends = Ends { messages, writer };
        let end = session.serve(&mut ends, &mut keys).await;
        ends.writer.abort();
        let Some(Err(failure)) = &end else { return end.map(event) };
        begun = match session.again(failure, &mut left, &mut keys).await {
            Again::Connected(begun) => *begun,
            Again::Closed => return None,
            Again::Not => return end.map(event),
        };
    }
}

/// What waits to be said on a connection.
pub(super) fn outbox(open: &StreamOpen) -> Arc<Outbox> {
    let codec = open.texml.map_or(StreamCodec::Pcmu, |stream| stream.heard_in());
    Arc::new(Outbox::new(Track::of(open.track), codec))
}

fn event(end: Result<(), Failure>) -> StreamEvent {
    match end {
        Ok(()) => StreamEvent::Stopped,
        Err(Failure { code, message }) => StreamEvent::Failed { code, message },
    }
}

/// Returns when the node has closed the stream; keys before it began are lost.
async fn closed(keys: &mut mpsc::Receiver<char>) {
    while keys.recv().await.is_some() {}
}

/// Connects and says the first two messages.
pub(super) async fn begin(inner: &Inner, open: &StreamOpen) -> Result<(Socket, Numbering), Failure> {
    let mut socket = connect(inner, &open.url).await?;
    let mut numbering = Numbering::new(open);
    let greeting = async {
        socket.send(Message::text(Numbering::connected(open))).await?;
        socket.send(Message::text(numbering.start(open))).await
    };
    timeout(HANDSHAKE, greeting)
        .await
        .map_err(|_| Failure::new(31901, "the start message did not leave"))?
        .map_err(|error| broken(&error))?;
    Ok((socket, numbering))
}

/// Writes what the outbox gives, one message after the other.
async fn write(
    mut sink: SplitSink<Socket, Message>,
    outbox: Arc<Outbox>,
    mut numbering: Numbering,
) -> Result<(), Failure> {
    loop {
        let message = match outbox.next().await {
            Next::Said(said) => Message::text(numbering.write(&said)),
            Next::Ping => Message::Ping(Bytes::new()),
            Next::End => break,
        };
        sink.send(message).await.map_err(|error| broken(&error))?;
    }
    let close = CloseFrame { code: CloseCode::Normal, reason: "".into() };
    sink.send(Message::Close(Some(close))).await.map_err(|error| broken(&error))
}

/// What comes from the application, and who writes to it.
struct Ends {
    messages: SplitStream<Socket>,
    writer: JoinHandle<Result<(), Failure>>,
}

pub(super) struct Session<'i> {
    pub(super) inner: &'i Arc<Inner>,
    pub(super) open: StreamOpen,
    pub(super) tap: TapReader,
    feed: Option<FeedWriter>,
    playout: Playout,
    pub(super) outbox: Arc<Outbox>,
    /// Only of the other dialect.
    ear: Option<Ear>,
    /// Warnings that were told: once each.
    warned: Vec<u32>,
}

impl Session<'_> {
    /// Until the end; `None`: the node wanted it.
    async fn serve(
        &mut self,
        ends: &mut Ends,
        keys: &mut mpsc::Receiver<char>,
    ) -> Option<Result<(), Failure>> {
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let every = self.inner.ping;
        let mut ping = interval_at(Instant::now() + every, every);
        loop {
            tokio::select! {
                biased;
                key = keys.recv() => match key {
                    Some(key) => self.say(Said::Dtmf(key)).await,
                    None => {
                        self.goodbye(ends).await;
                        return None;
                    }
                },
                message = ends.messages.next() => {
                    let heard = match message {
                        Some(Ok(Message::Close(frame))) => {
                            // Our part of the closing handshake leaves while the end is awaited.
                            let _ = timeout(GOODBYE, ends.messages.next()).await;
                            return Some(closing(frame));
                        }
                        Some(Ok(message)) => self.hear(message),
                        Some(Err(error)) => return Some(Err(broken(&error))),
                        None => return Some(Err(Failure::new(31921, "the connection ended"))),
                    };
                    if let Err((code, why)) = heard {
                        self.warn(code, why).await;
                    }
                    // An application that never stops talking must not keep the clock from its turn.
                    self.pass_sound_on().await;
                    self.pump().await;
                },
                written = &mut ends.writer => {
                    // It ends by itself only when it cannot write.
                    return Some(match written {
                        Ok(Ok(())) => Ok(()),
                        Ok(Err(failure)) => Err(failure),
                        Err(_) => Err(Failure::new(31900, "the writer ended")),
                    });
                },
                _ = look.tick() => {
                    self.pass_sound_on().await;
                    self.pump().await;
                },
                _ = ping.tick() => self.outbox.ping(),
            }
        }
    }

    /// Says the last message, if the application still reads.
    async fn goodbye(&mut self, ends: &mut Ends) {
        self.outbox.stop();
        if timeout(GOODBYE, &mut ends.writer).await.is_ok() {
            let farewell = async { while let Some(Ok(_)) = ends.messages.next().await {} };
            let _ = timeout(GOODBYE, farewell).await;
        }
    }

    async fn pass_sound_on(&mut self) {
        let mut is_lost = self.tap.lost() > 0;
        while let Some(frame) = self.tap.try_next() {
            is_lost |= !self.outbox.sound(frame);
        }
        if is_lost {
            self.warn(31930, String::new()).await;
        }
    }

    /// An error is a warning to be told: its number, and what is wrong.
    fn hear(&mut self, message: Message) -> Result<(), (u32, String)> {
        let text = match &message {
            Message::Text(text) => text.as_str(),
            Message::Binary(_) => return Err((31950, "a binary message".to_owned())),
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_) => return Ok(()),
        };
        let Some(feed) = &self.feed else {
            return Err((31951, "a stream of one direction listens to nothing".to_owned()));
        };
        let heard = match &mut self.ear {
            None => read(text, &self.open.stream.to_string()),
            Some(ear) => texml::read(text, ear).map_err(|(code, title, detail)| {
                self.outbox.word(Said::Wrong { code, title, detail: detail.clone() });
                detail
            }),
        };
        match heard.map_err(|why| (31951, why))? {
            Heard::Media(sound) => {
                if self.playout.sound(&sound) {
                    Ok(())
                } else {
                    Err((31931, String::new()))
                }
            }
            Heard::Mark(name) => {
                if self.playout.mark(name, feed) {
                    Ok(())
                } else {
                    Err((31951, "too many marks wait".to_owned()))
                }
            }
            Heard::Clear => {
                for name in self.playout.clear(feed) {
                    self.outbox.word(Said::Mark(name));
                }
                Ok(())
            }
        }
    }

    pub(super) async fn pump(&mut self) {
        let Some(feed) = &self.feed else { return };
        for name in self.playout.pump(feed) {
            self.say(Said::Mark(name)).await;
        }
    }

    pub(super) async fn say(&mut self, said: Said) {
        if !self.outbox.word(said) {
            self.warn(31930, String::new()).await;
        }
    }

    pub(super) async fn warn(&mut self, code: u32, message: String) {
        if !self.warned.contains(&code) {
            self.warned.push(code);
            self.inner.tell(self.open.stream, StreamEvent::Warning { code, message }).await;
        }
    }
}

/// What the application's goodbye means.
fn closing(frame: Option<CloseFrame>) -> Result<(), Failure> {
    match frame {
        None => Ok(()),
        Some(frame) if matches!(frame.code, CloseCode::Normal | CloseCode::Away | CloseCode::Status) => {
            Ok(())
        }
        Some(frame) => {
            Err(Failure::new(31921, format!("closed with {} {}", u16::from(frame.code), frame.reason)))
        }
    }
}
