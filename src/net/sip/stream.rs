//! One stream connection: a task that reads, writes and gives up.
//!
//! It knows nothing of TCP: any ordered byte stream will do, so that TLS is a handshake away.

use std::io;
use std::sync::Arc;

use sip::{Flow, Framer, Input as SipInput};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::time::{Instant, timeout, timeout_at};

use super::connections::{Outbox, Place, Queue, TakenOut};
use super::shared::{Shared, Stop};

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
enum End {
    #[error("{0}")]
    Gone(io::Error),
    #[error("nothing came, or not the rest of a message")]
    Idle,
    #[error("the peer does not read")]
    Slow,
    #[error("what came is no SIP: {0}")]
    Unframed(sip::FrameError),
    #[error("taken out: {0:?}")]
    TakenOut(TakenOut),
    #[error("the box stops")]
    Over,
}

/// Serves a connection until it ends, and tells the node so.
pub(super) async fn serve<S>(stream: S, mut place: Place, queue: Queue, shared: Arc<Shared>)
where
    S: AsyncRead + AsyncWrite + Send + 'static,
{
    let flow = place.flow;
    let (reader, writer) = tokio::io::split(stream);
    let outbox = place.outbox.clone();
    let end = tokio::select! {
        why = place.taken_out() => End::TakenOut(why),
        end = read(reader, flow, outbox, &shared) => end,
        end = write(writer, queue, &shared) => end,
    };
    match &end {
        End::Idle => shared.counters.idle_closed.up(),
        End::Slow | End::TakenOut(TakenOut::Overfull) => shared.counters.slow_consumers_closed.up(),
        End::Unframed(_) => shared.counters.framing_errors.up(),
        End::Gone(_) | End::TakenOut(TakenOut::Replaced) | End::Over => {}
    }
    tracing::debug!(%flow, %end, "a connection ended");
    drop(place);
    // Replaced by a newer connection, the flow lives on.
    if !matches!(end, End::TakenOut(TakenOut::Replaced)) {
        let _ = shared.inbound.send(SipInput::FlowClosed { flow }).await;
    }
}

async fn read<S: AsyncRead>(mut reader: ReadHalf<S>, flow: Flow, outbox: Outbox, shared: &Shared) -> End {
    let limits = &shared.limits;
    let mut framer = Framer::new();
    let mut buffer = vec![0; 4_096];
    // Bytes of a message that is not whole yet.
    let mut pending = 0;
    let mut deadline = Instant::now() + limits.message_timeout;
    let mut proven = false;
    loop {
        let count = match timeout_at(deadline, reader.read(&mut buffer)).await {
            Err(_) => return End::Idle,
            Ok(Err(error)) => return End::Gone(error),
            Ok(Ok(0)) => return End::Gone(io::ErrorKind::UnexpectedEof.into()),
            Ok(Ok(count)) => count,
        };
        let began = pending == 0;
        pending += count;
        framer.push(&buffer[..count]);
        let mut whole = false;
        while let Some(frame) = framer.next() {
            let bytes = match frame {
                Ok(bytes) => bytes,
                Err(error) => return End::Unframed(error),
            };
            whole = true;
            pending = pending.saturating_sub(bytes.len());
            if is_line_ends(&bytes) {
                shared.counters.keep_alives.up();
                // RFC 5626 §3.5.1: a double line end is a ping, a single one is the answer to ours.
                if bytes.len() == 4 && outbox.send(b"\r\n".to_vec()).is_err() {
                    return End::Slow;
                }
                continue;
            }
            proven = true;
            if !shared.received(flow, bytes).await {
                return End::Over;
            }
        }
        deadline = match (pending, proven) {
            // Keep-alives alone do not prove a SIP peer: a connection that only pings is closed all the same.
            (0, true) => Instant::now() + limits.idle_timeout,
            (0, false) => deadline,
            (_, _) if began || whole => Instant::now() + limits.message_timeout,
            (_, _) => deadline,
        };
    }
}

async fn write<S: AsyncWrite>(mut writer: WriteHalf<S>, mut queue: Queue, shared: &Shared) -> End {
    loop {
        let next = tokio::select! {
            biased;
            next = queue.next() => next,
            () = shared.reached(Stop::Draining) => break,
        };
        let Some(bytes) = next else { return End::Over };
        if let Err(end) = write_one(&mut writer, &queue, &bytes, shared).await {
            return end;
        }
    }
    while let Some(bytes) = queue.next_waiting() {
        if let Err(end) = write_one(&mut writer, &queue, &bytes, shared).await {
            return end;
        }
    }
    let _ = timeout(shared.limits.write_timeout, writer.shutdown()).await;
    End::Over
}

async fn write_one<S: AsyncWrite>(
    writer: &mut WriteHalf<S>,
    queue: &Queue,
    bytes: &[u8],
    shared: &Shared,
) -> Result<(), End> {
    match timeout(shared.limits.write_timeout, writer.write_all(bytes)).await {
        Ok(Ok(())) => {
            queue.written(bytes.len());
            Ok(())
        }
        Ok(Err(error)) => Err(End::Gone(error)),
        Err(_) => Err(End::Slow),
    }
}

fn is_line_ends(bytes: &[u8]) -> bool {
    bytes.iter().all(|b| matches!(b, b'\r' | b'\n'))
}
