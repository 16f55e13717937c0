//! What an error on a partition's queue means. Pure.

use change_feed::SourceError;
use rdkafka::error::RDKafkaErrorCode;

/// What to do about an error.
#[derive(Debug)]
pub(crate) enum Fault {
    /// librdkafka tries again by itself, without leaving records out.
    Passing,
    /// Topics may have changed.
    LookAgain,
    /// The log does not have the offset that was to be read next.
    OffsetOutOfRange,
    /// The partition cannot go on; librdkafka might, but would leave records out.
    Loss(SourceError),
}

/// `place` is the topic and partition, as in `orders-3`.
pub(crate) fn fault(code: RDKafkaErrorCode, reason: &str, place: &str) -> Fault {
    use RDKafkaErrorCode as Code;
    match code {
        Code::AllBrokersDown
        | Code::BrokerNotAvailable
        | Code::BrokerTransportFailure
        | Code::FencedLeaderEpoch
        | Code::KafkaStorageError
        | Code::LeaderNotAvailable
        | Code::NetworkException
        | Code::NotLeaderForPartition
        | Code::OffsetNotAvailable
        | Code::OperationTimedOut
        | Code::ReplicaNotAvailable
        | Code::RequestTimedOut
        | Code::Resolve
        | Code::UnknownLeaderEpoch => Fault::Passing,
        Code::UnknownPartition
        | Code::UnknownTopic
        | Code::UnknownTopicId
        | Code::UnknownTopicOrPartition => Fault::LookAgain,
        Code::AutoOffsetReset | Code::OffsetOutOfRange => Fault::OffsetOutOfRange,
        Code::NotImplemented => Fault::Loss(SourceError::Config(format!(
            "{place}: {reason}: zstd needs the cargo feature `zstd`, which this binary may have been built without: \
             use the release image, or build with `--features zstd`"
        ))),
        _ => {
            let reason = if reason.is_empty() {
                code.to_string()
            } else {
                reason.to_owned()
            };
            Fault::Loss(SourceError::Unreachable {
                what: place.to_owned(),
                reason,
            })
        }
    }
}

#[test]
fn only_what_librdkafka_mends_without_a_gap_is_passed_over() {
    use RDKafkaErrorCode as Code;
    let told = |code| match fault(code, "the reason", "orders-3") {
        Fault::Loss(error) => error.to_string(),
        other => format!("{other:?}"),
    };
    assert_eq!(told(Code::NotLeaderForPartition), "Passing");
    assert_eq!(told(Code::UnknownTopicOrPartition), "LookAgain");
    assert_eq!(told(Code::AutoOffsetReset), "OffsetOutOfRange");
    // It would go on behind the batch that it cannot read.
    assert_eq!(told(Code::BadMessage), "orders-3: the reason");
    assert!(told(Code::NotImplemented).contains("--features zstd"));
    assert_eq!(told(Code::TopicAuthorizationFailed), "orders-3: the reason");
}
