//! SIP over TCP: accepting and opening connections.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use sip::{Flow, Input as SipInput, TransportKind};
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::timeout;

use super::connections::{Connections, Place, Queue};
use super::shared::{Shared, Stop};
use super::stream;

/// Connections the kernel keeps for us between two accepts.
const BACKLOG: i32 = 1_024;

/// Begins to accept on `address`; returns it with the port the kernel chose if none was named.
pub(super) fn listen(
    address: SocketAddr,
    connections: Arc<Connections>,
    shared: Arc<Shared>,
) -> io::Result<SocketAddr> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // A restart must not wait for the connections of the last run to time out.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    let listener = TcpListener::from_std(socket.into())?;
    let bound = listener.local_addr()?;
    shared.clone().spawn(accept(listener, connections, shared));
    Ok(bound)
}

async fn accept(listener: TcpListener, connections: Arc<Connections>, shared: Arc<Shared>) {
    /// Out of descriptors or memory: wait for some to come back instead of spinning.
    const AFTER_ERROR: Duration = Duration::from_millis(100);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shared.reached(Stop::Draining) => return,
        };
        let ends = accepted.and_then(|(stream, remote)| Ok((stream.local_addr()?, remote, stream)));
        let (local, remote, stream) = match ends {
            Ok(ends) => ends,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(AFTER_ERROR).await;
                continue;
            }
        };
        let flow = Flow { transport: TransportKind::Tcp, local, remote };
        let Some((place, queue)) = connections.accept(flow, &shared.limits) else {
            shared.counters.connections_refused.up();
            tracing::debug!(%flow, "a connection was refused: there are too many");
            continue;
        };
        shared.counters.connections_accepted.up();
        set_up(&stream);
        shared.clone().spawn(stream::serve(stream, place, queue, shared.clone()));
    }
}

/// Opens the connection whose place this is, and serves it.
pub(super) async fn open(place: Place, queue: Queue, shared: Arc<Shared>) {
    let flow = place.flow;
    let connecting = timeout(shared.limits.connect_timeout, connect(flow));
    match connecting.await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
        Ok(stream) => {
            shared.counters.connections_opened.up();
            set_up(&stream);
            stream::serve(stream, place, queue, shared).await;
        }
        Err(error) => {
            tracing::debug!(%flow, %error, "a connection could not be opened");
            shared.counters.send_failures.up();
            drop(place);
            let _ = shared.inbound.send(SipInput::SendFailed { flow }).await;
        }
    }
}

/// From the address the flow names, so that the peer sees whom its Via names; from a port of the kernel's.
async fn connect(flow: Flow) -> io::Result<TcpStream> {
    let socket = if flow.remote.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if !flow.local.ip().is_unspecified() && flow.local.is_ipv4() == flow.remote.is_ipv4() {
        socket.bind(SocketAddr::new(flow.local.ip(), 0))?;
    }
    socket.connect(flow.remote).await
}

/// Messages leave at once; a peer that vanished is noticed in about two minutes.
fn set_up(stream: &TcpStream) {
    let keep_alive = TcpKeepalive::new()
        .with_time(Duration::from_secs(60))
        .with_interval(Duration::from_secs(20))
        .with_retries(3);
    let result = stream.set_nodelay(true).and_then(|()| SockRef::from(stream).set_tcp_keepalive(&keep_alive));
    if let Err(error) = result {
        tracing::debug!(%error, "a connection keeps the system's defaults");
    }
}
