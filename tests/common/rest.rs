//! Requests to the box's REST API, as anybody's HTTP client makes them.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use base64::Engine as _;
use serde_json::Value;

use super::office::{ACCOUNT_SID, AUTH_TOKEN};

/// The API of the box at this address.
#[derive(Clone, Copy, Debug)]
pub struct Rest(pub SocketAddr);

impl Rest {
    /// The box of the loopback network.
    pub fn local() -> Self {
        Self(([127, 0, 0, 1], 8080).into())
    }

    /// A form's names and values sent to a path under the account's: status and JSON, null where there is none.
    pub fn post(self, path: &str, form: &[(&str, &str)]) -> (u16, Value) {
        let escape = |text: &str| -> String { text.bytes().map(|byte| format!("%{byte:02X}")).collect() };
        let pairs: Vec<String> =
            form.iter().map(|(name, value)| format!("{name}={}", escape(value))).collect();
        json(self.send("POST", path, &pairs.join("&")))
    }

    pub fn get(self, path: &str) -> (u16, Value) {
        json(self.send("GET", path, ""))
    }

    /// The bytes at a path that answers 200.
    pub fn bytes(self, path: &str) -> Vec<u8> {
        let (status, body) = self.send("GET", path, "");
        assert_eq!(status, 200, "{path}");
        body
    }

    /// What a path answers to a request with further headers, each with its line's end: status, head and body.
    pub fn whole(self, path: &str, headers: &str) -> (u16, String, Vec<u8>) {
        let headers = format!("{headers}Authorization: Basic {}", basic());
        self.exchange("GET", &format!("/2010-04-01/Accounts/{ACCOUNT_SID}/{path}"), &headers, "")
    }

    pub fn delete(self, path: &str) -> u16 {
        self.send("DELETE", path, "").0
    }

    /// JSON sent to a path of TeXML's API under the account's, as `curl` sends it: status and JSON.
    pub fn texml(self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let path = format!("/v2/texml/Accounts/{ACCOUNT_SID}/{path}");
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let headers = format!("Authorization: Bearer {AUTH_TOKEN}\r\nContent-Type: application/json");
        json(self.request(method, &path, &headers, &body))
    }

    fn send(self, method: &str, path: &str, body: &str) -> (u16, Vec<u8>) {
        let headers =
            format!("Authorization: Basic {}\r\nContent-Type: application/x-www-form-urlencoded", basic());
        self.request(method, &format!("/2010-04-01/Accounts/{ACCOUNT_SID}/{path}"), &headers, body)
    }

    fn request(self, method: &str, path: &str, headers: &str, body: &str) -> (u16, Vec<u8>) {
        let (status, _, body) = self.exchange(method, path, headers, body);
        (status, body)
    }

    fn exchange(self, method: &str, path: &str, headers: &str, body: &str) -> (u16, String, Vec<u8>) {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\n{headers}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            self.0,
            body.len()
        );
        let mut stream = TcpStream::connect(self.0).expect("the box answers HTTP");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|part| part == b"\r\n\r\n").expect("an HTTP answer");
        let head = String::from_utf8_lossy(&answer[..end]).into_owned();
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.unwrap_or_else(|| panic!("no HTTP answer: {head}"));
        (status, head, answer.split_off(end + 4))
    }
}

fn basic() -> String {
    base64::engine::general_purpose::STANDARD.encode(format!("{ACCOUNT_SID}:{AUTH_TOKEN}"))
}

fn json((status, body): (u16, Vec<u8>)) -> (u16, Value) {
    (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
}
