//! The transports against real sockets on loopback, each test in well under two seconds.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::mpsc::Receiver;
use tokio::time::timeout;

use super::*;

const OPTIONS: &[u8] = b"OPTIONS sip:box SIP/2.0\r\nContent-Length: 4\r\n\r\nbody";
const ANSWER: &[u8] = b"SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n";

struct Box {
    transports: SipTransports,
    inbound: Receiver<SipInput>,
    udp: SocketAddr,
    tcp: SocketAddr,
}

fn limits() -> SipLimits {
    SipLimits {
        message_timeout: Duration::from_millis(200),
        idle_timeout: Duration::from_millis(400),
        write_timeout: Duration::from_millis(400),
        connect_timeout: Duration::from_millis(500),
        ..SipLimits::default()
    }
}

fn open_box(limits: SipLimits, room: usize) -> Box {
    let (sender, inbound) = mpsc::channel(room);
    let listen = ["udp:127.0.0.1:0", "tcp:127.0.0.1:0"].map(|text| text.parse().unwrap());
    let transports = SipTransports::bind_with(&listen, limits, sender).unwrap();
    let addresses = transports.local_addrs();
    Box { transports, inbound, udp: addresses[0].1, tcp: addresses[1].1 }
}

impl Box {
    async fn next(&mut self) -> SipInput {
        timeout(Duration::from_secs(2), self.inbound.recv()).await.expect("an input in time").unwrap()
    }

    async fn message(&mut self) -> (Flow, Vec<u8>) {
        match self.next().await {
            SipInput::Received { flow, bytes } => (flow, bytes),
            other => panic!("{other:?}"),
        }
    }

    fn count(&self, name: &str) -> u64 {
        self.transports.counters().into_iter().find(|(n, _)| *n == name).unwrap().1
    }
}

async fn read_some(stream: &mut TcpStream) -> Vec<u8> {
    let mut buffer = vec![0; 65_536];
    let count = timeout(Duration::from_secs(2), stream.read(&mut buffer)).await.unwrap().unwrap();
    buffer.truncate(count);
    buffer
}

#[tokio::test]
async fn a_datagram_is_answered_by_its_flow() {
    let mut ours = open_box(limits(), 8);
    let phone = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    phone.send_to(b"\r\n\r\n", ours.udp).await.unwrap();
    phone.send_to(OPTIONS, ours.udp).await.unwrap();
    let (flow, bytes) = ours.message().await;
    let remote = phone.local_addr().unwrap();
    assert_eq!(
        (flow, &bytes[..]),
        (Flow { transport: TransportKind::Udp, local: ours.udp, remote }, OPTIONS)
    );
    ours.transports.send(flow, ANSWER.to_vec());
    let mut buffer = [0; 100];
    let (count, from) = phone.recv_from(&mut buffer).await.unwrap();
    assert_eq!((&buffer[..count], from), (ANSWER, ours.udp));
    assert_eq!(ours.count("keep_alives"), 1);
}

#[tokio::test]
async fn the_largest_datagram_arrives_whole() {
    let mut ours = open_box(limits(), 8);
    let phone = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut long = OPTIONS.to_vec();
    long.resize(65_507, b'x');
    phone.send_to(&long, ours.udp).await.unwrap();
    assert_eq!(ours.message().await.1, long);
}

#[tokio::test]
async fn datagrams_beyond_the_queue_are_dropped_and_counted() {
    let mut ours = open_box(limits(), 2);
    let phone = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for n in 0..5 {
        phone.send_to(format!("{n} message").as_bytes(), ours.udp).await.unwrap();
    }
    let deadline = Instant::now() + Duration::from_secs(1);
    while ours.count("datagrams_dropped") < 3 && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!((ours.count("received"), ours.count("datagrams_dropped")), (2, 3));
    assert_eq!(ours.message().await.1, b"0 message");
}

#[tokio::test]
async fn a_closed_udp_port_is_reported_for_its_flow() {
    let mut ours = open_box(limits(), 8);
    let remote = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let flow = Flow { transport: TransportKind::Udp, local: ours.udp, remote };
    ours.transports.send(flow, OPTIONS.to_vec());
    assert_eq!(ours.next().await, SipInput::SendFailed { flow });
}

#[tokio::test]
async fn messages_of_a_stream_are_framed_and_answered_on_their_connection() {
    let mut ours = open_box(limits(), 8);
    let mut phone = TcpStream::connect(ours.tcp).await.unwrap();
    phone.write_all(&[OPTIONS, OPTIONS].concat()[..60]).await.unwrap();
    let (flow, bytes) = ours.message().await;
    assert_eq!(bytes, OPTIONS);
    assert_eq!((flow.local, flow.remote), (ours.tcp, phone.local_addr().unwrap()));
    phone.write_all(&[OPTIONS, OPTIONS].concat()[60..]).await.unwrap();
    assert_eq!(ours.message().await.1, OPTIONS);
    ours.transports.send(flow, ANSWER.to_vec());
    assert_eq!(read_some(&mut phone).await, ANSWER);
    drop(phone);
    assert_eq!(ours.next().await, SipInput::FlowClosed { flow });
}

#[tokio::test]
async fn a_ping_gets_a_pong_and_reaches_nobody() {
    let mut ours = open_box(limits(), 8);
    let mut phone = TcpStream::connect(ours.tcp).await.unwrap();
    phone.write_all(b"\r\n\r\n").await.unwrap();
    assert_eq!(read_some(&mut phone).await, b"\r\n");
    phone.write_all(OPTIONS).await.unwrap();
    assert_eq!(ours.message().await.1, OPTIONS);
}

#[tokio::test]
async fn a_connection_is_opened_once_and_keeps_the_flow_it_was_asked_for() {
    let mut ours = open_box(limits(), 8);
    let carrier = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let flow = Flow { transport: TransportKind::Tcp, local: ours.tcp, remote: carrier.local_addr().unwrap() };
    ours.transports.send(flow, OPTIONS.to_vec());
    ours.transports.send(flow, OPTIONS.to_vec());
    let (mut stream, _) = carrier.accept().await.unwrap();
    let mut got = Vec::new();
    while got.len() < 2 * OPTIONS.len() {
        got.extend(read_some(&mut stream).await);
    }
    assert_eq!(got, [OPTIONS, OPTIONS].concat());
    stream.write_all(ANSWER).await.unwrap();
    assert_eq!(ours.message().await, (flow, ANSWER.to_vec()));
    assert_eq!(ours.count("connections_opened"), 1);
    drop(stream);
    assert_eq!(ours.next().await, SipInput::FlowClosed { flow });
}

#[tokio::test]
async fn a_refused_connection_is_reported() {
    let mut ours = open_box(limits(), 8);
    let remote = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let flow = Flow { transport: TransportKind::Tcp, local: ours.tcp, remote };
    ours.transports.send(flow, OPTIONS.to_vec());
    assert_eq!(ours.next().await, SipInput::SendFailed { flow });
}

#[tokio::test]
async fn a_peer_that_never_reads_loses_its_connection_and_stalls_nobody() {
    let mut ours = open_box(SipLimits { queued_bytes_max: 1 << 20, ..limits() }, 64);
    let deaf = TcpStream::connect(ours.tcp).await.unwrap();
    deaf.writable().await.unwrap();
    deaf.try_write(OPTIONS).unwrap();
    let (deaf_flow, _) = ours.message().await;
    let phone = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let began = Instant::now();
    let mut slowest = Duration::ZERO;
    let mut closed = false;
    while !closed {
        assert!(began.elapsed() < Duration::from_secs(2), "the deaf connection is still open");
        for _ in 0..64 {
            ours.transports.send(deaf_flow, vec![b'x'; 32_768]);
        }
        let asked = Instant::now();
        phone.send_to(OPTIONS, ours.udp).await.unwrap();
        loop {
            match ours.next().await {
                SipInput::Received { flow, .. } if flow.transport == TransportKind::Udp => break,
                SipInput::FlowClosed { flow } => closed |= flow == deaf_flow,
                _ => {}
            }
        }
        slowest = slowest.max(asked.elapsed());
    }
    assert!(slowest < Duration::from_millis(200), "UDP waited {slowest:?}");
    assert!(ours.count("slow_consumers_closed") >= 1);
}

#[tokio::test]
async fn a_flood_on_streams_leaves_room_for_datagrams() {
    let mut ours = open_box(limits(), 8);
    let mut flood = TcpStream::connect(ours.tcp).await.unwrap();
    flood.write_all(&OPTIONS.repeat(50)).await.unwrap();
    while ours.count("received") < 4 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let phone = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    phone.send_to(b"datagram", ours.udp).await.unwrap();
    tokio::time::sleep(Duration::from_millis(30)).await;
    let mut waiting = Vec::new();
    while let Ok(SipInput::Received { bytes, .. }) = ours.inbound.try_recv() {
        waiting.push(bytes);
    }
    assert!(waiting.len() <= 5 && waiting.contains(&b"datagram".to_vec()), "{} waited", waiting.len());
    assert_eq!(ours.count("datagrams_dropped"), 0);
}

#[tokio::test]
async fn what_is_no_sip_or_never_whole_is_closed() {
    for (sent, count) in [
        (&b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..], "framing_errors"),
        (b"OPTIONS sip:box SIP/2.0\r\nContent-Len", "idle_closed"),
        (b"OPTIONS sip:box SIP/2.0\r\nContent-Length: 99999999\r\n\r\n", "framing_errors"),
        (b"", "idle_closed"),
        (b"\r\n\r\n", "idle_closed"),
    ] {
        let mut ours = open_box(limits(), 8);
        let mut peer = TcpStream::connect(ours.tcp).await.unwrap();
        peer.write_all(sent).await.unwrap();
        assert!(matches!(ours.next().await, SipInput::FlowClosed { .. }), "{count}");
        assert_eq!(ours.count(count), 1, "{count} after {sent:?}");
    }
}

#[tokio::test]
async fn a_peer_that_has_spoken_may_be_silent_for_longer_but_not_for_ever() {
    let mut ours = open_box(limits(), 8);
    let mut phone = TcpStream::connect(ours.tcp).await.unwrap();
    phone.write_all(OPTIONS).await.unwrap();
    let (flow, _) = ours.message().await;
    let began = Instant::now();
    assert_eq!(ours.next().await, SipInput::FlowClosed { flow });
    assert!(began.elapsed() >= limits().idle_timeout, "{:?}", began.elapsed());
    assert_eq!(ours.count("idle_closed"), 1);
}

#[tokio::test]
async fn connections_from_one_source_are_limited() {
    let mut ours = open_box(SipLimits { connections_per_source_max: 1, ..limits() }, 8);
    let mut first = TcpStream::connect(ours.tcp).await.unwrap();
    first.write_all(OPTIONS).await.unwrap();
    ours.message().await;
    let mut second = TcpStream::connect(ours.tcp).await.unwrap();
    assert_eq!(read_some(&mut second).await, b"");
    assert_eq!(ours.count("connections_refused"), 1);
}

#[tokio::test]
async fn a_stop_writes_what_is_queued_and_frees_the_ports() {
    let mut ours = open_box(limits(), 8);
    let mut phone = TcpStream::connect(ours.tcp).await.unwrap();
    phone.write_all(OPTIONS).await.unwrap();
    let (flow, _) = ours.message().await;
    ours.transports.send(flow, ANSWER.to_vec());
    ours.transports.stop().await;
    assert_eq!(read_some(&mut phone).await, ANSWER);
    assert_eq!(read_some(&mut phone).await, b"");
    let (udp, tcp) = (ours.udp, ours.tcp);
    drop(ours);
    tokio::time::sleep(Duration::from_millis(20)).await;
    UdpSocket::bind(udp).await.unwrap();
    TcpListener::bind(tcp).await.unwrap();
}

#[tokio::test]
async fn bound_to_all_addresses_a_flow_names_the_one_that_was_reached() {
    let (sender, mut inbound) = mpsc::channel(8);
    let listen = ["udp:0.0.0.0:0", "tcp:0.0.0.0:0"].map(|text| text.parse().unwrap());
    let transports = SipTransports::bind(&listen, sender).unwrap();
    let addresses = transports.local_addrs();
    assert!(addresses.iter().all(|(_, address)| !address.ip().is_unspecified()), "{addresses:?}");
    let port = |kind| addresses.iter().find(|(transport, _)| *transport == kind).unwrap().1.port();
    let second: std::net::IpAddr = "127.0.0.2".parse().unwrap();
    let phone = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    phone.send_to(OPTIONS, (second, port(TransportKind::Udp))).await.unwrap();
    let mut stream = TcpStream::connect((second, port(TransportKind::Tcp))).await.unwrap();
    stream.write_all(OPTIONS).await.unwrap();
    for _ in 0..2 {
        let Some(SipInput::Received { flow, .. }) = inbound.recv().await else { panic!() };
        assert_eq!(flow.local, SocketAddr::new(second, port(flow.transport)), "{flow}");
        transports.send(flow, ANSWER.to_vec());
    }
    let mut buffer = [0; 100];
    let (_, from) = phone.recv_from(&mut buffer).await.unwrap();
    assert_eq!(from, SocketAddr::new(second, port(TransportKind::Udp)));
    assert_eq!(read_some(&mut stream).await, ANSWER);
}

#[tokio::test]
async fn a_taken_port_and_an_unspoken_transport_are_clear_errors() {
    let (sender, _inbound) = mpsc::channel(8);
    let taken = UdpSocket::bind("127.0.0.1:0").await.unwrap().into_std().unwrap();
    let listen = Listen { transport: TransportKind::Udp, address: taken.local_addr().unwrap() };
    let error = SipTransports::bind(&[listen], sender.clone()).unwrap_err().to_string();
    assert!(error.starts_with(&format!("cannot listen on {listen}: ")), "{error}");
    let tls = "tls:127.0.0.1:0".parse().unwrap();
    let error = SipTransports::bind(&[tls], sender).unwrap_err().to_string();
    assert!(error.contains("tls"), "{error}");
}
