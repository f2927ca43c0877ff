//! Tells web servers of usage triggers that fired, as long as the box runs.

use std::time::Duration;

use api::OfficeBook;
use base::{AccountSid, CallSid};
use call::{FetchId, FetchKind, FetchRequest};
use net::webhook::Webhooks;
use store::Store;
use twiml::Dialect;

use crate::clock;

/// How often what was called is counted, where anybody has a trigger.
const EVERY: Duration = Duration::from_secs(60);

/// No call's: what is told here belongs to none.
const NO_CALL: CallSid = CallSid(0);

/// Looks and tells until the task is dropped.
pub(crate) async fn watch(store: Store, office: OfficeBook, account: AccountSid, webhooks: Webhooks) {
    watch_every(EVERY, store, office, account, webhooks).await;
}

async fn watch_every(
    every: Duration,
    store: Store,
    office: OfficeBook,
    account: AccountSid,
    webhooks: Webhooks,
) {
    loop {
        tokio::time::sleep(every).await;
        let fired = match api::look_at_triggers(&store, &office, account, clock::wall()).await {
            Ok(fired) => fired,
            Err(error) => {
                tracing::warn!(error, "usage triggers cannot be looked at");
                continue;
            }
        };
        for trigger in fired {
            let request = FetchRequest {
                id: FetchId(0),
                call: NO_CALL,
                kind: FetchKind::Document,
                dialect: Dialect::Twiml,
                url: trigger.url.clone(),
                method: trigger.method,
                params: trigger.params,
            };
            let url = twiml::shown(&trigger.url);
            match webhooks.fetch(request).await.1 {
                Ok(answer) => tracing::info!(%url, status = answer.status, "a usage trigger fired"),
                Err(failure) => {
                    tracing::warn!(%url, code = failure.code, "a usage trigger's server does not answer")
                }
            }
        }
        webhooks.call_ended(NO_CALL);
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    const FILE: &str = "[box]\naccount_sid='AC00000000000000000000000000000007'\nauth_token='secret'\n";
    const ACCOUNT: AccountSid = AccountSid(7);

    /// A socket of our own.
    async fn listener() -> (TcpListener, std::net::SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        (listener, at)
    }

    /// One request to the API; its status line.
    async fn post(at: std::net::SocketAddr, path: &str, form: &str) -> String {
        // AC…07:secret
        let pair = "QUMwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwNzpzZWNyZXQ=";
        let request = format!(
            "POST /2010-04-01/Accounts/{ACCOUNT}/{path} HTTP/1.1\r\nHost: {at}\r\nAuthorization: Basic {pair}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{form}",
            form.len()
        );
        let mut socket = TcpStream::connect(at).await.unwrap();
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        answer.lines().next().unwrap_or_default().to_owned()
    }

    /// A web server; what it was told.
    async fn receiver(listener: TcpListener, told: tokio::sync::mpsc::Sender<String>) {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 8_192];
            let mut length = 0;
            // The form comes behind the head, perhaps a little later.
            while !String::from_utf8_lossy(&request[..length]).contains("IdempotencyToken") {
                match socket.read(&mut request[length..]).await.unwrap() {
                    0 => break,
                    more => length += more,
                }
            }
            let answer = "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";
            socket.write_all(answer.as_bytes()).await.unwrap();
            told.send(String::from_utf8_lossy(&request[..length]).into_owned()).await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_trigger_that_fires_is_told_once_and_the_next_one_too() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tandem.toml");
        std::fs::write(&file, FILE).unwrap();
        let config = config::load(&file, Some(folder.path())).unwrap();
        let store = Store::open("sqlite:", folder.path()).await.unwrap();
        let opened = OfficeBook::open(store.clone(), config.office, &config.caller_ids).await;
        let (office, mut offices) = opened.unwrap();
        tokio::spawn(async move {
            while let Some(new) = offices.recv().await {
                let _ = new.taken.send(());
            }
        });
        let (orders, _taken) = api::Orders::channel();
        let router = api::router(api::Api {
            account_sid: ACCOUNT,
            auth_token: "secret".into(),
            store: store.clone(),
            orders,
            office: office.clone(),
            key_seed: "seed".into(),
            validations: api::Validations::default(),
            recordings: folder.path().into(),
            metrics: telemetry::metrics(),
            ready: api::Ready::default(),
            door: api::Door::default(),
            desktops: api::Desktops::default(),
            balance: api::Balance::default(),
        });
        let (http, at) = listener().await;
        tokio::spawn(async move { api::serve(http, router).await });
        let (web, web_at) = listener().await;
        let (told, mut heard) = tokio::sync::mpsc::channel(8);
        tokio::spawn(receiver(web, told));
        let entropy = base::Rng::seeded(1);
        let (failures, _failed) = tokio::sync::mpsc::channel(1);
        let webhooks = Webhooks::new(net::webhook::WebhookConfig::default(), entropy, failures).unwrap();
        let every = Duration::from_millis(20);
        let watching = tokio::spawn(watch_every(every, store, office, ACCOUNT, webhooks));

        for (path, method) in [("first", "POST"), ("second", "GET")] {
            let form = format!(
                "CallbackUrl=http://{web_at}/{path}&CallbackMethod={method}&UsageCategory=calls&TriggerBy=count\
                 &TriggerValue=0&FriendlyName={path}"
            );
            let status = post(at, "Usage/Triggers.json", &form).await;
            assert!(status.contains("201"), "{status}");
            let request = tokio::time::timeout(Duration::from_secs(20), heard.recv()).await.unwrap().unwrap();
            assert!(request.starts_with(&format!("{method} /{path}")), "{request}");
            for param in ["UsageCategory=calls", "CurrentValue=0", &format!("FriendlyName={path}")] {
                assert!(request.contains(param), "{param}: {request}");
            }
            assert!(request.to_ascii_lowercase().contains("x-twilio-signature: "), "{request}");
        }
        // Looked at many times more, it has fired.
        let more = tokio::time::timeout(every * 20, heard.recv()).await;
        assert!(more.is_err(), "told again: {more:?}");
        watching.abort();
    }
}
