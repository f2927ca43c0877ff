//! What `/metrics` shows: the box's state, taken every few seconds.
//!
//! The counters of the cores are plain numbers in their own keeping; here they become metrics, so that no core
//! knows a metrics library.

use std::time::Duration;

use call::{Operator, OperatorReply};

use crate::control::Desk;

/// How old a figure may be.
const EVERY: Duration = Duration::from_secs(2);

/// Keeps the gauges true until the box stops.
pub(crate) async fn keep(desk: Desk) {
    let mut tick = tokio::time::interval(EVERY);
    loop {
        tick.tick().await;
        let Ok(OperatorReply::Status(status)) = desk.node(Operator::Status).await else { return };
        let gauge = |name: &'static str, value: u64| metrics::gauge!(name).set(value as f64);
        gauge("tandem_calls", status.calls as u64);
        gauge("tandem_phones_registered", status.phones_registered as u64);
        gauge("tandem_phones", status.phones as u64);
        gauge("tandem_trunks", status.trunks as u64);
        gauge("tandem_sources_banned", status.banned.len() as u64);
        gauge("tandem_draining", u64::from(status.draining));
        let count = |name: &'static str, value: u64| metrics::counter!(name).absolute(value);
        count("tandem_calls_total", status.calls_total);
        for (what, value) in status.counters {
            metrics::counter!("tandem_events_total", "what" => what).absolute(value);
        }
        for (code, value) in status.notifications {
            let level = match twiml::error_level(code) {
                twiml::Level::Warning => "warning",
                twiml::Level::Error => "error",
            };
            let labels = [("code", code.to_string()), ("level", level.to_owned())];
            metrics::counter!("tandem_notifications_total", &labels).absolute(value);
        }
        let media = desk.world.media.stats();
        gauge("tandem_media_legs", media.legs);
        gauge("tandem_media_threads", media.threads as u64);
        gauge("tandem_media_threads_without_real_time", media.degraded_realtime as u64);
        gauge("tandem_media_threads_eased", media.eased as u64);
        gauge("tandem_media_busy_permille", media.busy_permille);
        count("tandem_media_packets_received_total", media.packets_received);
        count("tandem_media_packets_sent_total", media.packets_sent);
        count("tandem_media_send_errors_total", media.send_errors);
        count("tandem_media_events_lost_total", media.events_lost);
        count("tandem_media_frames_lost_total", media.frames_lost);
        delays(&media.delays);
        let degraded = desk.world.store.health().degraded.is_some();
        gauge("tandem_database_degraded", u64::from(degraded));
    }
}

/// In seconds, as Prometheus wants its units.
fn delays(delays: &net::media::DelayHistogram) {
    let ends = net::media::CLASSES_US.iter().map(|us| *us as f64 / 1e6);
    let classes = ends.zip(delays.classes).collect();
    let larger = delays.classes.last().copied().unwrap_or_default();
    let sum = delays.total_ns as f64 / 1e9;
    telemetry::show("tandem_media_delay_seconds", telemetry::Histogram { classes, larger, sum });
}
