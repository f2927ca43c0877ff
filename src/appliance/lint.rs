//! `tandem twiml lint`: what a call would find wrong with a document, without a call.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use base::{CallSid, Rng};
use call::{FetchId, FetchKind, FetchRequest};
use net::webhook::{WebhookConfig, Webhooks};
use tokio::sync::mpsc;
use twiml::{Dialect, Finding, HttpMethod, Level};

use crate::tables::say;
use crate::web_access::WebAccess;

/// The findings of one document; fails when it could not be executed.
pub(crate) fn lint(
    document: &str,
    dialect: Dialect,
    method: HttpMethod,
    config: Option<&Path>,
) -> anyhow::Result<ExitCode> {
    let findings = if document.starts_with("http://") || document.starts_with("https://") {
        answered(document, dialect, method, asking(config)?)?
    } else {
        let bytes = std::fs::read(Path::new(document)).with_context(|| format!("cannot read {document}"))?;
        twiml::lint_bytes(&bytes, dialect)
    };
    let shown = twiml::shown(document);
    for finding in &findings {
        say(&format!("{}\n", finding.of(&shown)));
    }
    if findings.is_empty() {
        say(&format!("{shown}: ok\n"));
    }
    let broken = findings.iter().any(|finding| finding.level == Level::Error);
    Ok(if broken { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// As the box beside it asks; where there is none, or it may not be looked at, with no token.
fn asking(config: Option<&Path>) -> anyhow::Result<WebhookConfig> {
    let is_there = config.is_some() || config::find_config(None).is_ok();
    if !is_there {
        return Ok(WebhookConfig::default());
    }
    let of_the_box = || WebAccess::webhooks(&crate::cli::load(config, None)?);
    of_the_box().or_else(|error| {
        if config.is_some() {
            return Err(error);
        }
        say(&format!("(Asked without the box's token: {error:#})\n"));
        Ok(WebhookConfig::default())
    })
}

/// Asks as a call would, with its signature, redirects, limits and overrides, but without a call's parameters.
fn answered(
    url: &str,
    dialect: Dialect,
    method: HttpMethod,
    asking: WebhookConfig,
) -> anyhow::Result<Vec<Finding>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (failures, _) = mpsc::channel(1);
        let rng = Rng::from_entropy(crate::daemon::entropy()?);
        let webhooks = Webhooks::new(asking, rng, failures)?;
        let request = FetchRequest {
            id: FetchId(1),
            call: CallSid(0),
            kind: FetchKind::Document,
            dialect,
            url: url.to_owned(),
            method,
            params: Vec::new(),
        };
        let overrides = twiml::Overrides::parse(url).1.finding();
        Ok(overrides
            .into_iter()
            .chain(match webhooks.fetch(request).await.1 {
                Ok(answer) => twiml::lint_answer(&answer, dialect),
                Err(failure) => vec![Finding::unplaced(failure.code, &failure.message)],
            })
            .collect())
    })
}
