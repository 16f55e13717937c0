//! What librdkafka calls back: its log, its errors, the outcome of acknowledgements.

use std::sync::Arc;

use parking_lot::Mutex;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::{ClientContext, TopicPartitionList};

/// Every client of a source has one.
///
/// librdkafka says the same again with each attempt to connect. It goes to the debug log only: what
/// matters of it is told once, as an event of the source.
#[derive(Clone, Default)]
pub(crate) struct Context {
    last_error: Arc<Mutex<Option<String>>>,
    /// Called when a client lost its brokers.
    on_error: Option<Arc<dyn Fn() + Send + Sync>>,
}

impl Context {
    pub(crate) fn new(on_error: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            last_error: Arc::default(),
            on_error: Some(Arc::new(on_error)),
        }
    }

    /// What went wrong last, in librdkafka's words, and forgets it.
    pub(crate) fn take_last_error(&self) -> Option<String> {
        self.last_error.lock().take()
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
                tracing::error!(target: "librdkafka", facility, "{message}");
            }
            RDKafkaLogLevel::Error
            | RDKafkaLogLevel::Warning
            | RDKafkaLogLevel::Notice
            | RDKafkaLogLevel::Info => tracing::debug!(target: "librdkafka", facility, "{message}"),
            RDKafkaLogLevel::Debug => tracing::trace!(target: "librdkafka", facility, "{message}"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "librdkafka", %error, "{reason}");
        // That all are down is no cause; what was said of one of them before is.
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::AllBrokersDown) {
            *self.last_error.lock() = Some(reason.to_owned());
        }
        if let Some(on_error) = &self.on_error {
            on_error();
        }
    }
}

impl ConsumerContext for Context {
    fn commit_callback(&self, result: KafkaResult<()>, _offsets: &TopicPartitionList) {
        if let Err(error) = result {
            // Only lag monitors read it, and the next acknowledgement makes up for it.
            tracing::debug!(%error, "the broker did not take an acknowledgement");
        }
    }
}
