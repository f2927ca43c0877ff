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

/// The findings of one document; fails when it could not be executed.
pub(crate) fn lint(document: &str, dialect: Dialect, method: HttpMethod) -> anyhow::Result<ExitCode> {
    let findings = if document.starts_with("http://") || document.starts_with("https://") {
        answered(document, dialect, method)?
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

/// Asks as a call would, with its redirects, limits and overrides, but without a call's parameters.
fn answered(url: &str, dialect: Dialect, method: HttpMethod) -> anyhow::Result<Vec<Finding>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (failures, _) = mpsc::channel(1);
        let rng = Rng::from_entropy(crate::daemon::entropy()?);
        let webhooks = Webhooks::new(WebhookConfig::default(), rng, failures)?;
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
