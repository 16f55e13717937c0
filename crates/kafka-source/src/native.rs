//! The calls of librdkafka that rdkafka does not offer, and with them all unsafe code of the workspace.
//!
//! Four things cannot be had without it:
//! - where an end or an error *was*: rdkafka's `PartitionEOF` names neither topic nor offset, and its
//!   consumption errors name nothing at all;
//! - header names that are not UTF-8: rdkafka unwraps them, and one strange record would end the process;
//! - the ids of topics;
//! - where a log ended when records were fetched: rdkafka asks the broker.
//!
//! Reading a queue in batches also costs half the processor time of rdkafka's `poll` per record.
//!
//! Refuses to hand out anything that outlives its message: what is read is lent to a closure.

use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::time::Duration;

use change_feed::{Header, TopicUuid};
use rdkafka::ClientContext;
use rdkafka::bindings as librdkafka;
use rdkafka::client::Client;
use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::RDKafkaErrorCode;

/// What a header is called whose name is not UTF-8: nothing that anyone looks for.
const UNREADABLE_HEADER_NAME: &str = "\u{fffd}";

/// How much longer than the request itself its answer is waited for.
const ANSWER_MARGIN: Duration = Duration::from_millis(500);

/// The queue of one partition, taken out of the consumer's common queue for good.
pub(crate) struct PartitionReader<C: ConsumerContext + 'static> {
    /// Keeps the client alive and calls when the queue is no longer empty. Also keeps `handle`'s queue.
    _wake: PartitionQueue<C>,
    handle: Owned<librdkafka::rd_kafka_queue_t>,
    consumer: Arc<BaseConsumer<C>>,
    topic: CString,
    partition: i32,
}

/// What a partition's queue holds.
pub(crate) enum Delivery<'a> {
    Record(Record<'a>),
    /// Everything before this offset was delivered.
    End {
        offset: u64,
    },
    Failure {
        code: RDKafkaErrorCode,
        reason: String,
    },
}

pub(crate) struct Record<'a> {
    message: &'a librdkafka::rd_kafka_message_t,
}

impl<C: ConsumerContext> PartitionReader<C> {
    /// To be called before the partition is assigned, so that no record takes another way. `on_ready`
    /// is called from librdkafka's threads, with the queue locked: it must not call librdkafka.
    pub(crate) fn open(
        consumer: &Arc<BaseConsumer<C>>,
        topic: &str,
        partition: i32,
        on_ready: impl Fn() + Send + Sync + 'static,
    ) -> Option<Self> {
        let mut wake = consumer.split_partition_queue(topic, partition)?;
        wake.set_nonempty_callback(on_ready);
        let topic = CString::new(topic).ok()?;
        let client = consumer.client().native_ptr();
        // SAFETY: the client lives as long as `consumer`, which `wake` holds; the name is a C string.
        // The answer is a reference of our own to the queue, or null.
        let handle =
            unsafe { librdkafka::rd_kafka_queue_get_partition(client, topic.as_ptr(), partition) };
        Some(Self {
            _wake: wake,
            handle: Owned::new(handle, librdkafka::rd_kafka_queue_destroy)?,
            consumer: Arc::clone(consumer),
            topic,
            partition,
        })
    }

    /// Where the log ended when the newest records came that the queue has or had; no question to the broker.
    pub(crate) fn end_as_fetched(&self) -> Option<u64> {
        let client = self.consumer.client().native_ptr();
        let (mut first, mut end) = (-1, -1);
        // SAFETY: the consumer keeps the client alive, the name is a C string, and the two places are ours.
        let code = unsafe {
            librdkafka::rd_kafka_get_watermark_offsets(
                client,
                self.topic.as_ptr(),
                self.partition,
                &raw mut first,
                &raw mut end,
            )
        };
        let is_known = RDKafkaErrorCode::from(code) == RDKafkaErrorCode::NoError;
        u64::try_from(end).ok().filter(|_| is_known)
    }

    /// Lends what the queue holds, up to `records_max`, without waiting. Returns how much that was.
    pub(crate) fn read(
        &mut self,
        records_max: usize,
        mut visit: impl FnMut(Delivery<'_>),
    ) -> usize {
        let mut messages = vec![ptr::null_mut(); records_max];
        // SAFETY: the queue is alive, and the array has room for as many pointers as we say.
        let count = unsafe {
            librdkafka::rd_kafka_consume_batch_queue(
                self.handle.get(),
                0,
                messages.as_mut_ptr(),
                messages.len(),
            )
        };
        // It answers -1 for an error, and then there is nothing to read.
        messages.truncate(usize::try_from(count).unwrap_or(0));
        let owned = |message| Owned::new(message, librdkafka::rd_kafka_message_destroy);
        for message in messages.iter().filter_map(|message| owned(*message)) {
            // SAFETY: librdkafka filled in this pointer, and the message is ours until `message` is dropped.
            visit(Delivery::of(unsafe { &*message.get() }));
        }
        messages.len()
    }
}

impl<'a> Delivery<'a> {
    fn of(message: &'a librdkafka::rd_kafka_message_t) -> Self {
        match RDKafkaErrorCode::from(message.err) {
            RDKafkaErrorCode::NoError => Self::Record(Record { message }),
            RDKafkaErrorCode::PartitionEOF => Self::End {
                offset: message.offset.max(0) as u64,
            },
            code => {
                // SAFETY: the message is alive; the answer is a C string that lives as long, or null.
                let reason = unsafe { text(librdkafka::rd_kafka_message_errstr(message)) };
                Self::Failure {
                    code,
                    reason: reason.unwrap_or_default(),
                }
            }
        }
    }
}

impl<'a> Record<'a> {
    pub(crate) fn offset(&self) -> u64 {
        self.message.offset.max(0) as u64
    }

    pub(crate) fn timestamp_ms(&self) -> Option<i64> {
        // SAFETY: the message is alive, and the kind of timestamp may be left out.
        let timestamp =
            unsafe { librdkafka::rd_kafka_message_timestamp(self.message, ptr::null_mut()) };
        (timestamp >= 0).then_some(timestamp)
    }

    pub(crate) fn key(&self) -> Option<&'a [u8]> {
        // SAFETY: the message owns `key_len` bytes there, or the pointer is null.
        unsafe { bytes(self.message.key, self.message.key_len) }
    }

    pub(crate) fn value(&self) -> Option<&'a [u8]> {
        // SAFETY: the message owns `len` bytes there, or the pointer is null.
        unsafe { bytes(self.message.payload, self.message.len) }
    }

    pub(crate) fn headers(&self) -> impl Iterator<Item = Header<'a>> + use<'a> {
        let mut list = ptr::null_mut();
        // SAFETY: the message is alive, keeps the list that it answers, and fills in the pointer.
        unsafe { librdkafka::rd_kafka_message_headers(self.message, &raw mut list) };
        let list = NonNull::new(list);
        (0..).map_while(move |index| {
            let (mut name, mut value, mut length) = (ptr::null(), ptr::null(), 0);
            // SAFETY: the list lives as long as the message does, which is 'a; the three places are ours.
            let code = unsafe {
                librdkafka::rd_kafka_header_get_all(
                    list?.as_ptr(),
                    index,
                    &raw mut name,
                    &raw mut value,
                    &raw mut length,
                )
            };
            if code != librdkafka::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
                return None;
            }
            // SAFETY: names are C strings and values have `length` bytes; both belong to the message.
            let (name, value) = unsafe { (CStr::from_ptr(name), bytes(value, length)) };
            Some(Header {
                name: name.to_str().unwrap_or(UNREADABLE_HEADER_NAME),
                value,
            })
        })
    }
}

/// The ids of topics, asked of one broker: any will do. Those that it has none for are left out.
pub(crate) fn topic_uuids<C: ClientContext>(
    client: &Client<C>,
    broker_id: i32,
    topics: &[&str],
    timeout: Duration,
) -> Vec<(String, TopicUuid)> {
    describe(client, broker_id, topics, timeout).unwrap_or_default()
}

fn describe<C: ClientContext>(
    client: &Client<C>,
    broker_id: i32,
    topics: &[&str],
    timeout: Duration,
) -> Option<Vec<(String, TopicUuid)>> {
    let names: Vec<CString> = topics
        .iter()
        .filter_map(|topic| CString::new(*topic).ok())
        .collect();
    let mut names: Vec<*const c_char> = names.iter().map(|name| name.as_ptr()).collect();
    let handle = client.native_ptr();
    let millis = |timeout: Duration| i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
    let admin_op = librdkafka::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS;
    // SAFETY: the client is alive while it is borrowed, the names while this function runs. Each object
    // made here is destroyed once, by its owner; the event is read only while its owner lives.
    unsafe {
        let names =
            librdkafka::rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), names.len());
        let names = Owned::new(names, librdkafka::rd_kafka_TopicCollection_destroy)?;
        let options = librdkafka::rd_kafka_AdminOptions_new(handle, admin_op);
        let options = Owned::new(options, librdkafka::rd_kafka_AdminOptions_destroy)?;
        librdkafka::rd_kafka_AdminOptions_set_request_timeout(
            options.get(),
            millis(timeout),
            ptr::null_mut(),
            0,
        );
        librdkafka::rd_kafka_AdminOptions_set_broker(options.get(), broker_id, ptr::null_mut(), 0);
        let queue = Owned::new(
            librdkafka::rd_kafka_queue_new(handle),
            librdkafka::rd_kafka_queue_destroy,
        )?;
        librdkafka::rd_kafka_DescribeTopics(handle, names.get(), options.get(), queue.get());
        let event = librdkafka::rd_kafka_queue_poll(queue.get(), millis(timeout + ANSWER_MARGIN));
        let event = Owned::new(event, librdkafka::rd_kafka_event_destroy)?;
        let result =
            NonNull::new(librdkafka::rd_kafka_event_DescribeTopics_result(event.get()).cast_mut())?;
        let mut count = 0;
        let list =
            librdkafka::rd_kafka_DescribeTopics_result_topics(result.as_ptr(), &raw mut count);
        let described = (0..count).filter_map(|index| {
            let topic = *list.add(index);
            let uuid =
                NonNull::new(librdkafka::rd_kafka_TopicDescription_topic_id(topic).cast_mut())?;
            let high = librdkafka::rd_kafka_Uuid_most_significant_bits(uuid.as_ptr()) as u64;
            let low = librdkafka::rd_kafka_Uuid_least_significant_bits(uuid.as_ptr()) as u64;
            let uuid = (u128::from(high) << 64) | u128::from(low);
            let name = text(librdkafka::rd_kafka_TopicDescription_name(topic))?;
            (uuid != 0).then_some((name, TopicUuid(uuid.to_be_bytes())))
        });
        Some(described.collect())
    }
}

/// An object of librdkafka's that is ours to destroy.
struct Owned<T> {
    object: NonNull<T>,
    destroy: unsafe extern "C" fn(*mut T),
}

impl<T> Owned<T> {
    fn new(object: *mut T, destroy: unsafe extern "C" fn(*mut T)) -> Option<Self> {
        Some(Self {
            object: NonNull::new(object)?,
            destroy,
        })
    }

    fn get(&self) -> *mut T {
        self.object.as_ptr()
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: the object was given to us with this function to destroy it, and this is the only call.
        unsafe { (self.destroy)(self.object.as_ptr()) }
    }
}

// SAFETY: librdkafka's queues may be used and destroyed by any thread; only the queue is kept in a field.
unsafe impl Send for Owned<librdkafka::rd_kafka_queue_t> {}

/// # Safety
/// `start` is null or has `length` bytes that live for `'a`.
unsafe fn bytes<'a>(start: *const c_void, length: usize) -> Option<&'a [u8]> {
    // SAFETY: as the caller promises.
    (!start.is_null()).then(|| unsafe { std::slice::from_raw_parts(start.cast(), length) })
}

/// # Safety
/// `start` is null or a C string.
unsafe fn text(start: *const c_char) -> Option<String> {
    // SAFETY: as the caller promises.
    (!start.is_null()).then(|| {
        unsafe { CStr::from_ptr(start) }
            .to_string_lossy()
            .into_owned()
    })
}
