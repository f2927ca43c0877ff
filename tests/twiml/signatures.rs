//! The box's signatures, judged by the official validators (reference: webhooks §5).

use serde_json::{Value, json};
use twiml::{body_signed_url, signature};
use url::Url;

use crate::library::Library;

const TOKEN: &str = "12345";

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Forms as a call may have to send them.
fn forms() -> Vec<Vec<(String, String)>> {
    let long = "x".repeat(20_000);
    vec![
        vec![],
        pairs(&[
            ("CallSid", "CA1234567890ABCDE"),
            ("Caller", "+14158675310"),
            ("Digits", "1234"),
            ("From", "+14158675310"),
            ("To", "+18005551212"),
        ]),
        pairs(&[
            ("Digits", ""),
            ("SpeechResult", "grüezi 你好 👋"),
            ("a", "lower sorts after Z"),
            ("Z", "x"),
        ]),
        pairs(&[("A", "2"), ("A", "1"), ("A", "2"), ("B", "x"), ("B", "")]),
        pairs(&[("Digits", "*#0"), ("FinishedOnKey", "#"), ("x y", "a+b &=?%20%zz\r\n\t\"<>")]),
        pairs(&[
            ("SipHeader_X-Ticket", "42; q=\"1\""),
            ("StirVerstat", "TN-Validation-Passed-A"),
            ("CallToken", "{\"a\":1}"),
        ]),
        pairs(&[
            ("From", "sip:ann@office.example:5060;transport=tcp"),
            ("To", "client:bob"),
            ("FromCity", ""),
        ]),
        vec![("SpeechResult".to_owned(), long)],
    ]
}

/// Servers as a URL may name them.
const URLS: &[&str] = &[
    "https://example.com/myapp.php?foo=1&bar=2",
    "https://example.com/",
    "https://example.com",
    "https://example.com:443/a",
    "https://example.com:8443/a",
    "http://10.1.2.3:8080/voice",
    "http://10.1.2.3:80/voice",
    "http://localhost:9000/voice?x=a%2fb&y&z=%C3%BC",
    "http://host_with_underscore/voice",
    "https://ann:secret@example.com/voice?q=1#rc=2&rt=700",
    "http://example.com/gr%C3%BCezi/a%20b;c=d@e",
    "http://example.com/a?b=c@d:443",
];

/// The URL as its server sees it: what stands on the request line, with the host's name.
fn seen(mut url: Url) -> String {
    url.set_fragment(None);
    url.set_username("").unwrap();
    url.set_password(None).unwrap();
    url.to_string()
}

/// Every URL with every form, posted, asked for, and as JSON, signed as they are sent.
fn requests() -> Vec<Value> {
    let mut requests = Vec::new();
    for text in URLS {
        for form in forms() {
            let url = Url::parse(&seen(Url::parse(text).unwrap())).unwrap();
            let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&form).finish();
            requests.push(json!({
                "token": TOKEN, "url": url.as_str(), "form": true, "body": body,
                "signature": signature(TOKEN, url.as_str(), &form),
            }));
            let mut asked = url.clone();
            if !form.is_empty() {
                asked.query_pairs_mut().extend_pairs(&form);
            }
            requests.push(json!({
                "token": TOKEN, "url": asked.as_str(), "form": false, "body": "",
                "signature": signature(TOKEN, asked.as_str(), &[]),
            }));
            let body = serde_json::to_string(&form).unwrap();
            let hashed = body_signed_url(url.as_str(), body.as_bytes());
            requests.push(json!({
                "token": TOKEN, "url": hashed, "form": false, "body": body,
                "signature": signature(TOKEN, &hashed, &[]),
            }));
        }
    }
    requests
}

/// The worked examples that have one signature for every receiver.
fn examples() -> Vec<Value> {
    let example = |url: &str, form: &[(&str, &str)], signature: &str| {
        let form = pairs(form);
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&form).finish();
        json!({ "token": TOKEN, "url": url, "form": !form.is_empty(), "body": body, "signature": signature })
    };
    let json_body = r#"{"CallSid":"CA1234567890ABCDE","Caller":"+12349013030"}"#;
    vec![
        example(
            "https://example.com/myapp.php?foo=1&bar=2",
            &[
                ("CallSid", "CA1234567890ABCDE"),
                ("Caller", "+14158675310"),
                ("Digits", "1234"),
                ("From", "+14158675310"),
                ("To", "+18005551212"),
            ],
            "L/OH5YylLD5NRKLltdqwSvS0BnU=",
        ),
        example(
            "http://10.1.2.3:8080/voice?CallSid=CA1234567890ABCDE&From=%2B14158675310",
            &[],
            "iONs77K8dr1GO33LB0BMUDZtsrw=",
        ),
        json!({
            "token": TOKEN, "form": false, "body": json_body, "signature": "hPXmLwIy3Fgqv1i9KPmH/HhQ6zo=",
            "url": body_signed_url("https://example.com/myapp", json_body.as_bytes()),
        }),
        example(
            "http://h.example/x",
            &[("Digits", ""), ("SpeechResult", "grüezi 你好"), ("Z", "x"), ("a", "lower sorts after Z")],
            "ZORxFlSNG+DG+qJ/8BvVkPn/Apo=",
        ),
        example(
            "http://h.example/x",
            &[("A", "2"), ("A", "1"), ("A", "2"), ("B", "x")],
            "/CTxMf8ZyTDG8i0KPPtpFKYQzno=",
        ),
        example("https://example.com/a", &[("k", "v")], "jAFWgnJpW+XopoFgVrZdGhS90kk="),
        example("https://example.com/a", &[("k", "v")], "fblvVrccVyi2ZucBHEXaXUNRZyw="),
    ]
}

#[test]
fn official_validators_accept_what_the_box_signs_and_nothing_else() {
    let mut right = requests();
    right.extend(examples());
    let mut wrong = right.clone();
    for (n, request) in wrong.iter_mut().enumerate() {
        match n % 3 {
            0 => request["token"] = json!("54321"),
            1 => request["url"] = json!(format!("{}x", request["url"].as_str().unwrap())),
            _ => request["signature"] = json!("L/OH5YylLD5NRKLltdqwSvS0BnU"),
        }
    }
    for library in Library::installed() {
        for (requests, expected) in [(&right, "true"), (&wrong, "false")] {
            let answers = library.run("verify", &json!(requests));
            assert_eq!(answers.len(), requests.len(), "{}", library.name);
            for (request, answer) in requests.iter().zip(answers) {
                assert_eq!(answer, expected, "{}: {request:#}", library.name);
            }
        }
        println!("{}: {} signatures accepted, {} refused", library.name, right.len(), wrong.len());
    }
}
