//! The box in one process: the simulated office's node, a database, and the router in front of both.

use std::time::Duration;

use api::{Api, NewOffice, OfficeBook, Order, Orders};
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, header};
use base::AccountSid;
use base64::Engine as _;
use call::office::Recorder;
use call::record::StoreItem;
use call::{Input, Operator};
use serde_json::Value;
use sim::{Answer as Page, Faults, NUMBER, Scenario, VOICE};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tower_service::Service as _;

/// The office's account; the simulated one has no other.
pub(crate) const ACCOUNT: AccountSid = AccountSid(1);
const TOKEN: &str = "secret";
/// The longest answer that is read, bytes.
const ANSWER_MAX: usize = 16 << 20;

pub(crate) struct House {
    pub(crate) office: Scenario,
    api: Api,
    taken: mpsc::Receiver<Order>,
    offices: mpsc::Receiver<NewOffice>,
    /// What of the node's rows is in the database.
    stored: usize,
    folder: TempDir,
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    /// `Null` where the body is no JSON.
    pub(crate) body: Value,
}

impl House {
    pub(crate) async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = store::Store::open("sqlite:", folder.path()).await.unwrap();
        let (orders, taken) = Orders::channel();
        let mut plain = sim::office(&[("ann", "101"), ("bob", "102"), ("carl", "103")]);
        let vault = Recorder {
            name: "vault".to_owned(),
            uri: "sip:vault@198.51.100.9".to_owned(),
            username: None,
            password: None,
            codecs: vec![media::CodecKind::Pcmu],
            srtp: None,
        };
        plain.recorders.insert(vault.name.clone(), vault);
        let caller_ids = ["+15559990001", "+15559990002"].map(str::to_owned);
        let (office, offices) = OfficeBook::open(store.clone(), plain.clone(), &caller_ids).await.unwrap();
        let ready = api::Ready::default();
        ready.set(true);
        let api = Api {
            account_sid: ACCOUNT,
            auth_token: TOKEN.into(),
            store,
            orders,
            office,
            recordings: folder.path().to_owned(),
            metrics: telemetry::metrics(),
            ready,
            key_seed: "seed".into(),
            validations: api::Validations::default(),
            balance: api::Balance::default(),
            desktops: api::Desktops::new(std::time::Duration::from_secs(30)),
            door: api::Door { limits: api::Limits::new(0, 0), ..api::Door::default() },
        };
        let mut house =
            Self { office: Scenario::with(plain, 1, Faults::NONE), api, taken, offices, stored: 0, folder };
        let ann = house.office.phone("ann");
        house.office.will(ann, sim::Reaction::Answer(Duration::from_millis(100)));
        house
    }

    /// Somebody calls the office and is answered with these verbs; the call's sid.
    pub(crate) async fn live_call(&mut self, verbs: &str) -> String {
        self.office.web().serve(VOICE, Page::twiml(verbs));
        self.office.carrier_calls(NUMBER);
        self.pass_ms(1_500).await;
        let newest = self.office.rows().into_iter().rfind(|row| row.to == NUMBER);
        newest.expect("the call is on record").sid.to_string()
    }

    /// Everybody hangs up.
    pub(crate) async fn silence(&mut self) {
        for row in self.office.rows() {
            if row.end.is_none() {
                self.office.operator(Operator::Hangup(row.sid));
            }
        }
        self.pass_ms(3_000).await;
    }

    /// Time passes, and what the node wrote meanwhile is on record.
    pub(crate) async fn pass_ms(&mut self, ms: u64) {
        self.office.pass_ms(ms);
        self.keep();
        let _ = tokio::time::timeout(Duration::from_secs(5), self.api.store.flush()).await;
    }

    /// Time passes, and what the node wrote meanwhile is on its way to the database.
    pub(crate) fn drift_ms(&mut self, ms: u64) {
        self.office.pass_ms(ms);
        self.keep();
    }

    /// A row that no call of the house makes.
    pub(crate) async fn write(&mut self, item: StoreItem) {
        self.api.store.write(item);
        let _ = tokio::time::timeout(Duration::from_secs(5), self.api.store.flush()).await;
    }

    fn keep(&mut self) {
        for item in &self.office.world.stored[self.stored..] {
            if let StoreItem::Recording(row) = item {
                // The simulated media plane writes no files.
                std::fs::write(self.folder.path().join(&row.path), b"RIFF").unwrap();
            }
            self.api.store.write(item.clone());
        }
        self.stored = self.office.world.stored.len();
    }

    /// A request with the right credentials.
    pub(crate) async fn ask(&mut self, method: &str, path: &str, form: &str) -> Answer {
        let pair = base64::engine::general_purpose::STANDARD.encode(format!("{ACCOUNT}:{TOKEN}"));
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "box.example:8080")
            .header(header::AUTHORIZATION, format!("Basic {pair}"));
        if method == "POST" {
            request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
        match request.body(Body::from(form.to_owned())) {
            Ok(request) => self.send(request).await,
            // What cannot be a request is refused by whoever reads requests.
            Err(_) => {
                Answer { status: 400, headers: HeaderMap::new(), body: serde_json::json!({ "code": 20001 }) }
            }
        }
    }

    async fn send(&mut self, request: Request<Body>) -> Answer {
        let mut router = api::router(self.api.clone());
        let mut asked = std::pin::pin!(router.call(request));
        let answer = loop {
            tokio::select! {
                answer = &mut asked => break answer.unwrap(),
                Some(order) = self.taken.recv() => {
                    let reply = self.office.operator(order.command);
                    self.keep();
                    let _ = order.reply.send(reply);
                }
                Some(new) = self.offices.recv() => {
                    self.office.world.input(Input::Office(new.office)).unwrap_or_else(|why| panic!("{}", why.0));
                    let _ = new.taken.send(());
                }
            }
        };
        let (parts, body) = answer.into_parts();
        let body = to_bytes(body, ANSWER_MAX).await.unwrap();
        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        Answer { status: parts.status.as_u16(), headers: parts.headers, body }
    }
}
