//! What a message of the reading threads means to a sequencer.

use change_feed::SourceEvent;

use crate::messages::{FromStore, ToSequencer};
use crate::sequencer::Sequencer;

impl Sequencer {
    /// Takes a message in. Gives back what is no news of a source.
    pub(crate) fn deliver(&mut self, message: ToSequencer) -> Option<FromStore> {
        match message {
            ToSequencer::Decoded {
                source,
                batch,
                heard,
            } => {
                self.positions.hear(heard);
                self.take_in(source, batch);
            }
            ToSequencer::End {
                source,
                partition,
                ended,
                heard,
            } => {
                self.positions.hear(heard);
                self.reached_end(source, partition, ended);
            }
            ToSequencer::Silence(silence) => self.hear_of_silence(&silence),
            ToSequencer::Lost {
                source,
                partition,
                error,
            } => self.partition_lost(source, partition, &error),
            ToSequencer::Back { source, facts } => self.discovered(source, &facts),
            ToSequencer::Fenced { source, partition } => self.fenced(source, partition),
            ToSequencer::Held {
                source,
                partition,
                schema,
            } => self.held(source, partition, schema),
            ToSequencer::Released { source, partition } => self.released(source, partition),
            ToSequencer::SchemaAwaited {
                source,
                schema,
                reason,
            } => self.schema_awaited(source, schema, &reason),
            ToSequencer::Quiet {
                source,
                at_ms,
                obeyed,
                heard,
            } => {
                self.positions.hear(heard);
                if obeyed == self.orders_given(source) {
                    self.quiet(source, at_ms);
                }
            }
            ToSequencer::Event { source, event } => self.hear_event(source, event),
            ToSequencer::Store(news) => return Some(news),
        }
        None
    }

    fn hear_event(&mut self, source: usize, event: SourceEvent) {
        match event {
            SourceEvent::Discovered(facts) => self.discovered(source, &facts),
            SourceEvent::DiscoveryComplete => self.discovery_complete(source),
            SourceEvent::Unavailable(error) => self.unavailable(source, &error),
            SourceEvent::Available => self.available(source),
            SourceEvent::Delayed(by) => self.delayed(source, by),
            SourceEvent::Unreadable { place, reason } => self.unreadable(source, &place, &reason),
            SourceEvent::Records(_)
            | SourceEvent::End { .. }
            | SourceEvent::PartitionLost { .. } => {
                unreachable!("goes through the worker of its partition")
            }
        }
    }
}
