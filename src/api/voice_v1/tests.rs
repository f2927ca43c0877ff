use serde_json::{Value, json};

use crate::Api;
use crate::v2010::tests::{api, ask, ask_at, keys};

fn published(text: &str) -> std::collections::BTreeSet<String> {
    keys(&serde_json::from_str(text).unwrap())
}

async fn at(api: &Api, method: &str, path: &str, form: &str) -> (u16, Value) {
    ask_at(api, method, path, form, "secret").await
}

#[tokio::test]
async fn a_carrier_is_put_together_and_leads_out_by_its_targets() {
    let folder = tempfile::tempdir().unwrap();
    let (api, _taken) = api(folder.path()).await;
    let (status, policy) = at(&api, "POST", "/v1/ConnectionPolicies", "FriendlyName=Out").await;
    assert_eq!(
        (status, keys(&policy)),
        (201, published(include_str!("../../../tests/data/rest/connection_policy.json")))
    );
    let targets =
        policy["links"]["targets"].as_str().unwrap().strip_prefix("http://localhost").map(str::to_owned);
    let targets = targets
        .unwrap_or_else(|| format!("/v1/ConnectionPolicies/{}/Targets", policy["sid"].as_str().unwrap()));
    let mut sids = Vec::new();
    for (target, priority) in [("sip:b.example:5062", 20), ("sip:a.example", 10)] {
        let form = match priority {
            // As it is when nothing is said.
            10 => format!("Target={target}"),
            _ => format!("Target={target}&Priority={priority}"),
        };
        let (status, made) = at(&api, "POST", &targets, &form).await;
        assert_eq!(
            (&made["priority"], &made["weight"], &made["enabled"]),
            (&json!(priority), &json!(10), &json!(true))
        );
        let names = published(include_str!("../../../tests/data/rest/connection_policy_target.json"));
        assert_eq!((status, keys(&made)), (201, names), "{made}");
        sids.push(made["sid"].as_str().unwrap().to_owned());
    }
    let form = format!("FriendlyName=Carrier&ConnectionPolicySid={}", policy["sid"].as_str().unwrap());
    let (status, trunk) = at(&api, "POST", "/v1/ByocTrunks", &form).await;
    assert_eq!(
        (status, keys(&trunk)),
        (201, published(include_str!("../../../tests/data/rest/byoc_trunk.json")))
    );
    let office = api.office.view().office();
    assert_eq!(office.byoc[trunk["sid"].as_str().unwrap()], [sids[1].clone(), sids[0].clone()]);
    let (_, page) = at(&api, "GET", &format!("{targets}?PageSize=1"), "").await;
    assert_eq!(
        (&page["meta"]["key"], page["targets"].as_array().map(Vec::len)),
        (&json!("targets"), Some(1))
    );
    assert!(page["meta"]["next_page_url"].as_str().unwrap().contains("/v1/ConnectionPolicies/"), "{page}");
    let policy = format!("/v1/ConnectionPolicies/{}", policy["sid"].as_str().unwrap());
    assert_eq!(at(&api, "DELETE", &policy, "").await.0, 409);
    let (_, changed) = at(&api, "POST", &format!("{targets}/{}", sids[0]), "Enabled=false").await;
    assert_eq!((&changed["enabled"], &changed["priority"]), (&json!(false), &json!(20)));
    assert_eq!(api.office.view().office().byoc[trunk["sid"].as_str().unwrap()], [sids[1].clone()]);
}

#[tokio::test]
async fn addresses_belong_to_domains() {
    let folder = tempfile::tempdir().unwrap();
    let (api, _taken) = api(folder.path()).await;
    let (_, domain) = ask(&api, "POST", "SIP/Domains.json", "DomainName=desk.example").await;
    let (status, record) = at(&api, "POST", "/v1/IpRecords", "IpAddress=192.0.2.7").await;
    assert_eq!(
        (status, keys(&record)),
        (201, published(include_str!("../../../tests/data/rest/ip_record.json")))
    );
    assert_eq!(record["cidr_prefix_length"], 32);
    let form = format!(
        "IpRecordSid={}&SipDomainSid={}",
        record["sid"].as_str().unwrap(),
        domain["sid"].as_str().unwrap()
    );
    let (status, mapping) = at(&api, "POST", "/v1/SourceIpMappings", &form).await;
    assert_eq!(
        (status, keys(&mapping)),
        (201, published(include_str!("../../../tests/data/rest/source_ip_mapping.json")))
    );
    assert_eq!(api.office.view().office().domains["desk.example"].sources.len(), 1);
    let path = format!("SIP/Domains/{}.json", domain["sid"].as_str().unwrap());
    assert_eq!(ask(&api, "DELETE", &path, "").await.1["code"], 21233);
    for (path, form) in [
        ("/v1/IpRecords", "IpAddress=nobody"),
        ("/v1/SourceIpMappings", ""),
        ("/v1/ByocTrunks", "VoiceUrl=x"),
        ("/v1/ByocTrunks", "ConnectionPolicySid=NY00000000000000000000000000000009"),
    ] {
        let (status, body) = at(&api, "POST", path, form).await;
        assert_eq!((status, &body["code"]), (400, &json!(20001)), "{path} {form}");
    }
}

#[tokio::test]
async fn permissions_follow_the_routes_and_settings_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (api, _taken) = api(folder.path()).await;
    let (status, us) = at(&api, "GET", "/v1/DialingPermissions/Countries/us", "").await;
    assert_eq!(
        (status, keys(&us)),
        (200, published(include_str!("../../../tests/data/rest/dialing_country.json")))
    );
    assert_eq!(us["low_risk_numbers_enabled"], false, "no route, no way out");
    let (_, page) = at(&api, "GET", "/v1/DialingPermissions/Countries?CountryCode=%2B1&PageSize=1", "").await;
    assert_eq!((&page["content"][0]["iso_code"], &page["meta"]["page_size"]), (&json!("CA"), &json!(1)));
    assert_eq!(at(&api, "GET", "/v1/DialingPermissions/Countries/XX", "").await.0, 404);
    let (status, none) =
        at(&api, "GET", "/v1/DialingPermissions/Countries/US/HighRiskSpecialPrefixes", "").await;
    assert_eq!((status, &none["content"]), (200, &json!([])));
    let (status, settings) = at(&api, "POST", "/v1/Settings", "DialingPermissionsInheritance=true").await;
    assert_eq!((status, &settings["dialing_permissions_inheritance"]), (202, &json!(true)));
    assert_eq!(at(&api, "GET", "/v1/Settings", "").await.1, settings);
    let (status, body) = ask_at(&api, "GET", "/v1/Settings", "", "guess").await;
    assert_eq!((status, &body["code"]), (401, &json!(20003)));
}
