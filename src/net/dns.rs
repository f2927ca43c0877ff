//! Names to addresses (RFC 3263, without NAPTR: whoever asks has chosen the transport).
//!
//! Addresses come from the machine's own resolver, so that `/etc/hosts`, search domains and whatever else the
//! system is set up with count. SRV records, which it does not know, are asked of the same name servers.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base::Rng;
use hickory_resolver::proto::rr::RData;
use hickory_resolver::{ResolverBuilder, TokioResolver};
use sip::TransportKind;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Names looked up at a time; further ones wait.
const LOOKUPS_MAX: usize = 64;

/// One name's time, waiting included.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Of which this much for its SRV records: a name server that drops such questions must not cost the call.
const SRV_TIMEOUT: Duration = Duration::from_secs(2);

/// SRV records of one name that are looked at, best first.
const SRV_MAX: usize = 8;

/// Names whose last addresses are remembered, for when the name server is away.
const REMEMBERED_MAX: usize = 256;

/// How long they are.
const REMEMBERED_FOR: Duration = Duration::from_secs(3_600);

/// Looks hosts up, a bounded number at a time, each for a bounded time; a clone is the same one.
#[derive(Clone, Debug)]
pub struct Resolver {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    turns: Semaphore,
    /// Absent when the system names no name server: then there is no SRV.
    srv: Option<TokioResolver>,
    remembered: Mutex<BTreeMap<Question, (Instant, Places)>>,
}

type Question = (String, Option<u16>, TransportKind);

/// Where to send, best first.
type Places = Vec<(TransportKind, SocketAddr)>;

impl Resolver {
    /// A resolver that asks whom the machine asks. SRV needs a tokio runtime.
    pub fn system() -> Self {
        let srv = TokioResolver::builder_tokio().map_err(|error| error.to_string());
        Self::with_srv(srv.and_then(build).inspect_err(|error| {
            tracing::info!(error, "no SRV records: the system's name servers cannot be read");
        }))
    }

    fn with_srv(srv: Result<TokioResolver, String>) -> Self {
        let turns = Semaphore::new(LOOKUPS_MAX);
        Self { inner: Arc::new(Inner { turns, srv: srv.ok(), remembered: Mutex::default() }) }
    }

    /// The addresses of a host.
    pub async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        if let Some(ip) = literal(host) {
            return Ok(vec![ip]);
        }
        let lookup = async {
            let _turn = self.inner.turns.acquire().await.expect("this semaphore is never closed");
            let found: Vec<IpAddr> = tokio::net::lookup_host((host, 0)).await?.map(|a| a.ip()).collect();
            if found.is_empty() { Err(io::ErrorKind::NotFound.into()) } else { Ok(found) }
        };
        timeout(TIMEOUT, lookup).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    /// Where to send SIP for `host`, in the order to be tried (RFC 3263 §4.2): a literal or a port as given; a
    /// bare name by its SRV records, or at the transport's usual port when it has none. Empty when nothing is
    /// found in time and nothing was within the last hour.
    pub async fn resolve(
        &self,
        host: &str,
        port: Option<u16>,
        transport: TransportKind,
    ) -> Vec<(TransportKind, SocketAddr)> {
        let question = (host.to_ascii_lowercase(), port, transport);
        let lookup = timeout(TIMEOUT, self.look_up(host, port, transport));
        match lookup.await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            Ok(found) => {
                let found: Vec<_> = found.into_iter().map(|address| (transport, address)).collect();
                if literal(host).is_none() {
                    self.inner.remember(question, found.clone());
                }
                found
            }
            Err(error) => {
                let remembered = self.inner.recall(&question);
                tracing::debug!(host, %error, remembered = remembered.len(), "a name did not resolve");
                remembered
            }
        }
    }

    async fn look_up(
        &self,
        host: &str,
        port: Option<u16>,
        transport: TransportKind,
    ) -> io::Result<Vec<SocketAddr>> {
        if port.is_none()
            && let Some(services) = self.services(host, transport).await
        {
            let mut found = Vec::new();
            for (target, port) in services {
                match self.addresses(&target).await {
                    Ok(ips) => found.extend(ips.into_iter().map(|ip| SocketAddr::new(ip, port))),
                    Err(error) => tracing::debug!(target, %error, "an SRV record's target did not resolve"),
                }
            }
            return if found.is_empty() { Err(io::ErrorKind::NotFound.into()) } else { Ok(found) };
        }
        let port = port.unwrap_or(transport.default_port());
        Ok(self.addresses(host).await?.into_iter().map(|ip| SocketAddr::new(ip, port)).collect())
    }

    /// The servers that a name's SRV records name; `None` when it has none, and for names that cannot: literals
    /// and those without a domain.
    async fn services(&self, host: &str, transport: TransportKind) -> Option<Vec<(String, u16)>> {
        let service = match transport {
            TransportKind::Udp => "_sip._udp",
            TransportKind::Tcp => "_sip._tcp",
            TransportKind::Tls => "_sips._tcp",
            TransportKind::Ws | TransportKind::Wss => return None,
        };
        if literal(host).is_some() || !host.trim_end_matches('.').contains('.') {
            return None;
        }
        let name = format!("{service}.{}.", host.trim_end_matches('.'));
        let answer = timeout(SRV_TIMEOUT, self.inner.srv.as_ref()?.srv_lookup(name)).await.ok()?.ok()?;
        let records: Vec<Service> = answer
            .answers()
            .iter()
            .filter_map(|record| match &record.data {
                RData::SRV(srv) => Some(Service {
                    priority: srv.priority,
                    weight: srv.weight,
                    target: srv.target.to_ascii(),
                    port: srv.port,
                }),
                _ => None,
            })
            .collect();
        if records.is_empty() {
            return None;
        }
        let mut rng = Rng::seeded(RandomState::new().hash_one(0));
        let mut best = in_order(records, &mut rng);
        best.truncate(SRV_MAX);
        // A root target says that the service is decidedly not offered (RFC 2782).
        let offered = best.into_iter().filter(|service| service.target != ".");
        // Without its last dot: `/etc/hosts` has none.
        Some(offered.map(|s| (s.target.trim_end_matches('.').to_owned(), s.port)).collect())
    }
}

impl Inner {
    fn remember(&self, question: Question, found: Places) {
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= REMEMBERED_MAX && !remembered.contains_key(&question) {
            let oldest = remembered.iter().min_by_key(|(_, (when, _))| *when).map(|(key, _)| key.clone());
            oldest.and_then(|oldest| remembered.remove(&oldest));
        }
        remembered.insert(question, (Instant::now(), found));
    }

    fn recall(&self, question: &Question) -> Places {
        let remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        match remembered.get(question) {
            Some((when, found)) if when.elapsed() < REMEMBERED_FOR => found.clone(),
            Some(_) | None => Vec::new(),
        }
    }
}

fn build(
    mut builder: ResolverBuilder<hickory_resolver::net::runtime::TokioRuntimeProvider>,
) -> Result<TokioResolver, String> {
    let options = builder.options_mut();
    options.timeout = SRV_TIMEOUT / 2;
    options.attempts = 2;
    builder.build().map_err(|error| error.to_string())
}

/// An address written where a name could be, as in a URI.
fn literal(host: &str) -> Option<IpAddr> {
    match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(v6) => v6.parse().ok().map(IpAddr::V6),
        None => host.parse().ok(),
    }
}

/// One SRV record.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Service {
    priority: u16,
    weight: u16,
    target: String,
    port: u16,
}

/// By priority; among equals drawn by weight (RFC 2782).
fn in_order(mut records: Vec<Service>, rng: &mut Rng) -> Vec<Service> {
    records.sort_by_key(|record| (record.priority, record.weight));
    let mut ordered = Vec::new();
    while let Some(first) = records.first() {
        let equals = records.iter().take_while(|record| record.priority == first.priority);
        let weights: Vec<u64> = equals.map(|record| u64::from(record.weight)).collect();
        let mut drawn = rng.below(weights.iter().sum::<u64>() + 1);
        let mut at = 0;
        while at + 1 < weights.len() && drawn > weights[at] {
            drawn -= weights[at];
            at += 1;
        }
        ordered.push(records.remove(at));
    }
    ordered
}

#[cfg(test)]
mod tests {
    use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
    use hickory_resolver::net::runtime::TokioRuntimeProvider;
    use tokio::net::UdpSocket;

    use super::*;

    fn none() -> Resolver {
        Resolver::with_srv(Err(String::new()))
    }

    #[tokio::test]
    async fn literals_and_ports_are_taken_as_they_are() {
        let (udp, tls) = (TransportKind::Udp, TransportKind::Tls);
        for (host, port, transport, expected) in [
            ("192.0.2.1", None, udp, "192.0.2.1:5060"),
            ("192.0.2.1", Some(5080), udp, "192.0.2.1:5080"),
            ("192.0.2.1", None, tls, "192.0.2.1:5061"),
            ("[2001:db8::1]", None, udp, "[2001:db8::1]:5060"),
            ("2001:db8::1", Some(1), udp, "[2001:db8::1]:1"),
        ] {
            let found = none().resolve(host, port, transport).await;
            assert_eq!(found, [(transport, expected.parse().unwrap())], "{host}");
        }
        let found = none().resolve("localhost", None, udp).await;
        assert!(!found.is_empty() && found.iter().all(|(_, a)| a.ip().is_loopback() && a.port() == 5060));
        assert_eq!(none().resolve("nowhere.invalid", None, udp).await, []);
    }

    #[tokio::test]
    async fn what_was_found_last_is_tried_when_nothing_is_found() {
        let resolver = none();
        let question = ("gone.invalid".to_owned(), Some(5060), TransportKind::Tcp);
        let known = vec![(TransportKind::Tcp, "192.0.2.7:5060".parse().unwrap())];
        resolver.inner.remember(question, known.clone());
        assert_eq!(resolver.resolve("Gone.Invalid", Some(5060), TransportKind::Tcp).await, known);
        assert_eq!(resolver.resolve("gone.invalid", Some(5061), TransportKind::Tcp).await, []);
        for port in 0..2 * REMEMBERED_MAX as u16 {
            resolver.inner.remember(("h".to_owned(), Some(port), TransportKind::Udp), Vec::new());
        }
        assert_eq!(resolver.inner.remembered.lock().unwrap().len(), REMEMBERED_MAX);
    }

    /// A name server that answers every question with these records, or with "no such name".
    async fn name_server(records: &'static [(u16, u16, u16, &'static [&'static str])]) -> Resolver {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        tokio::spawn(async move {
            let mut buffer = [0; 1_500];
            while let Ok((count, from)) = socket.recv_from(&mut buffer).await {
                let question_end = 12 + buffer[12..count].iter().position(|b| *b == 0).unwrap() + 5;
                let name_error = if records.is_empty() { 3 } else { 0 };
                let mut answer = buffer[..2].to_vec();
                answer.extend([0x81, 0x80 | name_error, 0, 1, 0, records.len() as u8, 0, 0, 0, 0]);
                answer.extend(&buffer[12..question_end]);
                for (priority, weight, port, target) in records {
                    let mut data = [*priority, *weight, *port].map(u16::to_be_bytes).concat();
                    for label in *target {
                        data.push(label.len() as u8);
                        data.extend(label.as_bytes());
                    }
                    data.push(0);
                    // The question's name, type SRV, class IN, one minute.
                    answer.extend([0xc0, 12, 0, 33, 0, 1, 0, 0, 0, 60, 0, data.len() as u8]);
                    answer.extend(data);
                }
                socket.send_to(&answer, from).await.unwrap();
            }
        });
        let mut connection = ConnectionConfig::udp();
        connection.port = address.port();
        let mut server = NameServerConfig::udp(address.ip());
        server.connections = vec![connection];
        let config = ResolverConfig::from_name_servers(vec![server]);
        let provider = TokioRuntimeProvider::default();
        Resolver::with_srv(build(TokioResolver::builder_with_config(config, provider)))
    }

    #[tokio::test]
    async fn a_bare_name_is_found_by_its_srv_records() {
        let resolver = name_server(&[(20, 0, 5_090, &["localhost"]), (10, 0, 5_070, &["localhost"])]).await;
        let found = resolver.resolve("carrier.example", None, TransportKind::Udp).await;
        let ports: Vec<u16> = found.iter().map(|(_, address)| address.port()).collect();
        assert_eq!((ports.first(), ports.last()), (Some(&5_070), Some(&5_090)), "{found:?}");
        assert!(found.iter().all(|(_, address)| address.ip().is_loopback()));
        let ported = resolver.resolve("localhost", Some(5_080), TransportKind::Udp).await;
        assert!(ported.iter().all(|(_, address)| address.port() == 5_080), "a port asks for no SRV");
    }

    #[tokio::test]
    async fn without_srv_records_the_usual_port_is_tried_and_a_refusal_is_final() {
        let resolver = name_server(&[]).await;
        let found = resolver.resolve("a.localhost", None, TransportKind::Tcp).await;
        assert!(found.iter().all(|(_, address)| address.port() == 5_060), "{found:?}");
        let refused = name_server(&[(0, 0, 0, &[])]).await;
        assert_eq!(refused.resolve("a.localhost", None, TransportKind::Tcp).await, []);
    }

    #[test]
    fn records_are_drawn_by_priority_and_weight() {
        let record = |priority, weight, port| Service { priority, weight, target: String::new(), port };
        let mut rng = Rng::seeded(1);
        let mut first = BTreeMap::new();
        for _ in 0..1_000 {
            let records = vec![record(20, 0, 9), record(10, 60, 1), record(10, 20, 2), record(10, 20, 3)];
            let ordered = in_order(records, &mut rng);
            assert_eq!((ordered.len(), ordered[3].port), (4, 9));
            *first.entry(ordered[0].port).or_insert(0) += 1;
        }
        assert!((500..700).contains(&first[&1]) && first[&2] > 100 && first[&3] > 100, "{first:?}");
    }
}
