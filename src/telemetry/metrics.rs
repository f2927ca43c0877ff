//! Metrics for Prometheus.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, OnceLock, PoisonError};

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

/// The metrics counted in this process. Clones render the same ones.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

/// A histogram that something else has counted, as it stands now.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Histogram {
    /// Upper ends of the classes in the metric's unit, and how many fell into each without those before it.
    pub classes: Vec<(f64, u64)>,
    /// How many were larger than all ends.
    pub larger: u64,
    /// All values together.
    pub sum: f64,
}

/// Histograms counted elsewhere: the recorder takes single values only.
static COUNTED: Mutex<BTreeMap<&'static str, Histogram>> = Mutex::new(BTreeMap::new());

/// Shows this histogram under this name from now on.
pub fn show(name: &'static str, counted: Histogram) {
    COUNTED.lock().unwrap_or_else(PoisonError::into_inner).insert(name, counted);
}

impl Histogram {
    /// In Prometheus' text format: each class with all before it.
    fn render(&self, name: &str, page: &mut String) {
        let _ = writeln!(page, "# TYPE {name} histogram");
        let mut count = 0;
        for (end, in_class) in &self.classes {
            count += in_class;
            let _ = writeln!(page, "{name}_bucket{{le=\"{end}\"}} {count}");
        }
        count += self.larger;
        let _ = writeln!(page, "{name}_bucket{{le=\"+Inf\"}} {count}");
        let _ = writeln!(page, "{name}_sum {}\n{name}_count {count}\n", self.sum);
    }
}

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
        let mut page = self.0.render();
        for (name, counted) in &*COUNTED.lock().unwrap_or_else(PoisonError::into_inner) {
            counted.render(name, &mut page);
        }
        page
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

    #[test]
    fn a_histogram_counted_elsewhere_is_rendered_as_prometheus_wants_it() {
        let classes = vec![(0.00005, 3), (0.001, 4), (1.0, 0)];
        super::show("tandem_test_delay_seconds", super::Histogram { classes, larger: 1, sum: 2.5 });
        let wanted = "# TYPE tandem_test_delay_seconds histogram\n\
            tandem_test_delay_seconds_bucket{le=\"0.00005\"} 3\n\
            tandem_test_delay_seconds_bucket{le=\"0.001\"} 7\n\
            tandem_test_delay_seconds_bucket{le=\"1\"} 7\n\
            tandem_test_delay_seconds_bucket{le=\"+Inf\"} 8\n\
            tandem_test_delay_seconds_sum 2.5\n\
            tandem_test_delay_seconds_count 8\n";
        let text = super::metrics().render();
        assert!(text.contains(wanted), "{text}");
    }
}
