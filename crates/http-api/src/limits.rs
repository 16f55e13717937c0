//! Everything that is bounded, and how: the numbers in one place, with what must hold between them.

use std::time::Duration;

/// What one listener takes on at once, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Open connections. Beyond them new ones wait in the operating system's queue.
    pub connections_max: usize,
    /// Requests being answered. Beyond them a request is refused at once, to be tried again.
    pub in_flight_max: usize,
    /// Requests that wait for tables to come as far as they insist on, beside those being answered, up to the end of
    /// their answers. Beyond them one that would have to wait is refused at once.
    pub waiters_max: usize,
    /// Requests that follow changes, beside those being answered.
    pub feeds_max: usize,
    /// Table scans that run at once, each on a thread of its own: a scan is all CPU, so more would only share the cores.
    pub scans_max: usize,
    /// Rows of a table that a query may look at one by one.
    pub scan_rows_max: u64,
    /// Whole tables that are being sent at once: each keeps the versions of its cut.
    pub exports_max: usize,
    /// From the first row of a whole table to its last.
    pub export_timeout: Duration,
    /// How long the reader of a whole table may take nothing of it.
    pub export_stall_max: Duration,
    /// Bytes of a request's body.
    pub body_bytes_max: u64,
    /// From a request's head to the head of its answer.
    pub request_timeout: Duration,
    /// From a connection's opening or last answer to the end of the next request's head.
    pub head_timeout: Duration,
    /// From the order to stop to the end of the last connection.
    pub drain_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 20_480,
            in_flight_max: 1_024,
            waiters_max: 16_384,
            feeds_max: 1_024,
            scans_max: std::thread::available_parallelism()
                .map_or(2, usize::from)
                .max(2),
            scan_rows_max: 50_000_000,
            exports_max: 2,
            export_timeout: Duration::from_mins(15),
            export_stall_max: Duration::from_secs(30),
            body_bytes_max: 1 << 20,
            request_timeout: Duration::from_secs(10),
            head_timeout: Duration::from_mins(1),
            drain_timeout: Duration::from_secs(10),
        }
    }
}

impl Limits {
    /// How long a scan may take: it gives up, and says so, before its request is given up.
    #[must_use]
    pub fn scan_timeout(&self) -> Duration {
        self.request_timeout * 4 / 5
    }

    /// # Panics
    /// If a limit defeats another.
    #[must_use]
    pub fn checked(self) -> Self {
        assert!(
            self.in_flight_max <= self.connections_max,
            "HTTP/1.1 has one request a connection"
        );
        assert!(
            self.request_timeout <= self.drain_timeout,
            "a drain must outlast the requests it waits for"
        );
        self
    }
}

/// Records that `GET /v1/quarantine` answers with.
pub(crate) const QUARANTINE_LIMIT_DEFAULT: usize = 100;
pub(crate) const QUARANTINE_LIMIT_MAX: usize = 1_000;

/// How long tables are waited for if nothing else is said, and at most.
pub(crate) const WAIT_DEFAULT: Duration = Duration::from_secs(2);
pub(crate) const WAIT_MAX: Duration = Duration::from_mins(1);

/// The greatest lag that can be insisted on: with a greater one nothing is.
pub(crate) const MAX_LAG_MAX: Duration = Duration::from_hours(24);

/// How long a source is waited for to say where its log ends, at least: a request that waits for nothing else asks too.
pub(crate) const LOG_END_WAIT_MIN: Duration = Duration::from_millis(500);

/// Waiters that the writer's own thread looks through. More are looked through beside it.
pub(crate) const WAITERS_AT_ONCE_MAX: usize = 32;

/// Transactions named in an error, the newest of those that are shown.
pub(crate) const RECENT_TX_MAX: usize = 8;

/// Longer values are left out of headers, which clients bound to a few kilobytes. The body has them all.
pub(crate) const HEADER_BYTES_MAX: usize = 2_048;

/// Bytes of the rows of one batch, which has no pages.
pub(crate) const BATCH_BYTES_MAX: usize = 8 << 20;

/// Candidates named in an error.
pub(crate) const CANDIDATES_MAX: usize = 10;
