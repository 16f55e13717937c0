//! What librdkafka calls back: its log, its errors, the outcome of acknowledgements.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::{ClientContext, TopicPartitionList};

use crate::contact::Contact;

/// Every client of a source has one.
///
/// librdkafka says the same again with each attempt to connect. It goes to the debug log only: what
/// matters of it is told once, as an event of the source.
#[derive(Clone, Default)]
pub(crate) struct Context {
    last_error: Arc<Mutex<Option<String>>>,
    /// Called when a client lost its brokers.
    on_error: Option<Arc<dyn Fn() + Send + Sync>>,
    contact: Option<Arc<Mutex<Watched>>>,
}

/// What its statistics say of the contact of a client that reads.
struct Watched {
    contact: Contact,
    delay: Duration,
}

impl Context {
    /// Of a client that reads.
    pub(crate) fn new(contact: Contact, on_error: impl Fn() + Send + Sync + 'static) -> Self {
        let delay = Duration::ZERO;
        Self {
            last_error: Arc::default(),
            on_error: Some(Arc::new(on_error)),
            contact: Some(Arc::new(Mutex::new(Watched { contact, delay }))),
        }
    }

    /// How old what the brokers have answered is; zero if that is as usual.
    pub(crate) fn delay(&self) -> Duration {
        let watched = self.contact.as_ref();
        watched.map_or(Duration::ZERO, |watched| watched.lock().delay)
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

    fn stats_raw(&self, statistics: &[u8]) {
        if let Some(watched) = &self.contact {
            let watched = &mut *watched.lock();
            if let Some(delay) = watched.contact.delay(statistics) {
                watched.delay = delay;
            } else {
                tracing::error!("librdkafka's statistics are not what they were");
            }
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
