//! Sources' threads as the sequencer that they deliver to reaches them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_channel::Sender;

use crate::messages::ToSequencer;
use crate::sequencer::SourceOrder;

/// One source's thread.
pub(crate) struct SourceLink {
    orders: Sender<SourceOrder>,
    /// Messages of this source that are not yet part of a published cut.
    in_flight: Arc<AtomicU64>,
    /// Messages handled since the last cut.
    handled: u64,
    /// Orders that found the channel full.
    backlog: Vec<SourceOrder>,
}

/// All of them, by their place in the set-up.
#[derive(Default)]
pub(crate) struct Links(Vec<SourceLink>);

impl SourceLink {
    pub fn new(orders: Sender<SourceOrder>, in_flight: Arc<AtomicU64>) -> Self {
        Self {
            orders,
            in_flight,
            handled: 0,
            backlog: Vec::new(),
        }
    }
}

impl Links {
    pub fn push(&mut self, link: SourceLink) {
        self.0.push(link);
    }

    /// Counts a message that is being handled, if it is one that its source counts.
    pub fn handles(&mut self, message: &ToSequencer) {
        if let Some(source) = message.in_flight_of() {
            self.0[source].handled += 1;
        }
    }

    /// What was handled is part of what readers see.
    pub fn published(&mut self) {
        for link in &mut self.0 {
            let handled = std::mem::take(&mut link.handled);
            link.in_flight.fetch_sub(handled, Ordering::AcqRel);
        }
    }

    /// Sends orders to the sources, in order, and as far as they take them.
    pub fn dispatch(&mut self, orders: Vec<(usize, SourceOrder)>) {
        for (source, order) in orders {
            self.0[source].backlog.push(order);
        }
        for link in &mut self.0 {
            let sent = link
                .backlog
                .iter()
                .take_while(|order| link.orders.try_send((*order).clone()).is_ok())
                .count();
            link.backlog.drain(..sent);
        }
    }
}
