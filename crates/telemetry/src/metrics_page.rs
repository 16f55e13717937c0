//! Where metrics are collected and how they are read: the page that `/metrics` serves.
//!
//! The recorder is the process's only one. Histograms pile up single observations until they are
//! folded, so a thread folds them whether anybody reads the page or not.

use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::{Kind, Metric};

/// What `/metrics` is served as.
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Between two foldings, observations take 8 bytes each: a second of a busy server is under a megabyte.
const FOLD_INTERVAL: Duration = Duration::from_secs(1);

/// From a lookup's fraction of a millisecond to a request's timeout.
const SECONDS_BUCKETS: &[f64] = &[
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0,
];

/// Why there are no metrics.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    /// The buckets of a histogram were refused.
    #[error("the metrics recorder cannot be built: {0}")]
    Build(#[from] metrics_exporter_prometheus::BuildError),
    /// Something else collects this process's metrics already.
    #[error("a metrics recorder is installed already")]
    Installed,
    /// The operating system gave no thread.
    #[error("no thread to fold histograms with: {0}")]
    Thread(#[from] std::io::Error),
}

/// Renders what was recorded. Cheap to clone.
#[derive(Clone, Debug)]
pub struct MetricsPage {
    handle: PrometheusHandle,
}

impl MetricsPage {
    /// Starts to collect. Once a process; what was recorded before is lost.
    pub fn install(version: &str) -> Result<Self, MetricsError> {
        let recorder = builder()?.build_recorder();
        let page = Self {
            handle: recorder.handle(),
        };
        metrics::set_global_recorder(recorder).map_err(|_| MetricsError::Installed)?;
        describe();
        start_counters();
        metrics::gauge!(Metric::BuildInfo.name(), "version" => version.to_owned()).set(1.0);
        let handle = page.handle.clone();
        std::thread::Builder::new()
            .name("metrics-fold".to_owned())
            .spawn(move || {
                loop {
                    std::thread::park_timeout(FOLD_INTERVAL);
                    handle.run_upkeep();
                }
            })?;
        Ok(page)
    }

    /// A page that nothing is recorded to.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            handle: PrometheusBuilder::new().build_recorder().handle(),
        }
    }

    #[must_use]
    pub fn render(&self) -> String {
        self.handle.render()
    }

    #[must_use]
    pub fn content_type(&self) -> &'static str {
        CONTENT_TYPE
    }
}

fn builder() -> Result<PrometheusBuilder, MetricsError> {
    let histograms = Metric::ALL
        .iter()
        .filter(|metric| metric.kind() == Kind::Histogram);
    histograms
        .into_iter()
        .try_fold(PrometheusBuilder::new(), |builder, metric| {
            Ok(builder
                .set_buckets_for_metric(Matcher::Full(metric.name().to_owned()), SECONDS_BUCKETS)?)
        })
}

fn describe() {
    for metric in Metric::ALL {
        match metric.kind() {
            Kind::Counter => metrics::describe_counter!(metric.name(), metric.help()),
            Kind::Gauge => metrics::describe_gauge!(metric.name(), metric.help()),
            Kind::Histogram => metrics::describe_histogram!(metric.name(), metric.help()),
        }
    }
}

/// A counter that is not there before it has counted something grows from nothing to one unseen: Prometheus needs a zero to see an
/// increase. So those without labels begin with it.
fn start_counters() {
    for metric in [
        Metric::CheckpointFailuresTotal,
        Metric::CheckpointRewritesTotal,
        Metric::RequestPanicsTotal,
        Metric::ResponseTruncatedTotal,
    ] {
        metrics::counter!(metric.name()).absolute(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Operation, TableGauges, count_applied, record_state, record_table};

    #[test]
    fn what_is_recorded_is_on_the_page() {
        let recorder = builder().unwrap().build_recorder();
        let page = MetricsPage {
            handle: recorder.handle(),
        };
        metrics::with_local_recorder(&recorder, || {
            describe();
            count_applied("orders", Operation::Upsert, 3);
            record_state("live", &["live", "loading"]);
            record_table(&TableGauges {
                source: "shop",
                table: "orders",
                rows: 7,
                memory_bytes: 640,
                lag_ms: Some(1_500),
                commit_ms: None,
            });
            crate::RequestDuration::of("/v1/status", 200).record(Duration::from_micros(200));
            // One clock was behind another.
            crate::StageLag::of("orders", "connector").record(-300);
        });
        expect_test::expect![[r##"
            # TYPE rowtide_events_applied_total counter
            rowtide_events_applied_total{table="orders",op="upsert"} 3
            # TYPE rowtide_lag_seconds gauge
            rowtide_lag_seconds{source="shop",table="orders"} 1.5
            # TYPE rowtide_memory_bytes gauge
            rowtide_memory_bytes{table="orders"} 640
            # TYPE rowtide_request_duration_seconds histogram
            rowtide_request_duration_seconds_bucket{route="/v1/status",status="200",le="0.00025"} 1
            rowtide_request_duration_seconds_count{route="/v1/status",status="200"} 1
            # TYPE rowtide_rows gauge
            rowtide_rows{table="orders"} 7
            # TYPE rowtide_stage_lag_seconds histogram
            rowtide_stage_lag_seconds_bucket{table="orders",stage="connector",le="0.00025"} 1
            rowtide_stage_lag_seconds_count{table="orders",stage="connector"} 1
            # TYPE rowtide_state gauge
            rowtide_state{state="live"} 1
            rowtide_state{state="loading"} 0
        "##]]
        .assert_eq(&excerpt(&page.render()));
    }

    /// Types and values in order, of the buckets only the first that holds something below the rest.
    fn excerpt(page: &str) -> String {
        let shown = |line: &&str| {
            !line.is_empty()
                && !line.starts_with("# HELP")
                && !line.contains("_sum{")
                && (!line.contains("_bucket{") || line.contains("le=\"0.00025\""))
        };
        let mut sections: Vec<Vec<&str>> = Vec::new();
        for line in page.lines().filter(shown) {
            match sections.last_mut() {
                Some(section) if !line.starts_with('#') => section.push(line),
                _ => sections.push(vec![line]),
            }
        }
        sections.sort();
        for section in &mut sections {
            section[1..].sort_unstable();
        }
        sections.concat().join("\n") + "\n"
    }
}
