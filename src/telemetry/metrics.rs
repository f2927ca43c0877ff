//! Metrics for Prometheus.

use std::sync::OnceLock;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

/// The metrics counted in this process. Clones render the same ones.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

/// The metrics of this process. What is counted before the first call is lost.
pub fn metrics() -> Metrics {
    static METRICS: OnceLock<Metrics> = OnceLock::new();
    METRICS
        .get_or_init(|| {
            let recorder = PrometheusBuilder::new().build_recorder();
            let handle = recorder.handle();
            if metrics::set_global_recorder(recorder).is_err() {
                // Somebody else counts: nothing is lost but the page, which stays empty.
                tracing::warn!("another metrics recorder was installed first");
            }
            Metrics(handle)
        })
        .clone()
}

impl Metrics {
    /// The page Prometheus reads.
    pub fn render(&self) -> String {
        // Histograms gather samples until upkeep folds them; without a task of its own, each reading does it.
        self.0.run_upkeep();
        self.0.render()
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_is_counted_is_rendered() {
        let page = super::metrics();
        metrics::counter!("tandem_test_calls_total", "direction" => "inbound").increment(3);
        metrics::gauge!("tandem_test_legs").set(2.0);
        metrics::histogram!("tandem_test_seconds").record(0.5);
        let text = super::metrics().render();
        for line in [
            "tandem_test_calls_total{direction=\"inbound\"} 3",
            "tandem_test_legs 2",
            "tandem_test_seconds_count 1",
        ] {
            assert!(text.contains(line), "{line} is missing in:\n{text}");
        }
        assert_eq!(page.render(), text);
    }
}
