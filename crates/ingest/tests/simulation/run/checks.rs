//! What must hold: after a start, of every cut, when a source is quiet, and at the end.

use table_store::{ReadState, TableCut, Transactions};

use super::World;
use crate::coverage::Happening;
use crate::process::Process;
use crate::readers::{self, Seen};
use crate::truth::{Place, Rows};

impl World {
    /// What a process begins with is what the records make of it that it does not read again.
    pub(super) fn check_start(&mut self, process: &mut Process) -> Result<(), String> {
        let loaded = readers::newest(process.sequencer.store());
        process.poll();
        process.publish();
        self.note_begun(process);
        for (at, topic) in self.database.topics.iter().enumerate() {
            if self.database.is_gone(at) {
                continue;
            }
            for partition in 0..topic.partitions {
                let acknowledged = self.around.log.acknowledged(topic.name, partition);
                let started = process.started.get(&(topic.name.to_owned(), partition));
                if let (Some(acknowledged), Some(from)) = (acknowledged, started)
                    && acknowledged.0 > *from
                {
                    return Err(format!(
                        "{}-{partition}: {acknowledged:?} was acknowledged, and a restart reads from {from}",
                        topic.name
                    ));
                }
            }
        }
        for seen in &loaded {
            let at = self.topic_of(&seen.table);
            let topic = &self.database.topics[at];
            let place = |partition| (topic.name.to_owned(), partition);
            let is_started = |partition| process.started.contains_key(&place(partition));
            // Nobody says how far a table was read that may not be read on.
            if !self.database.is_gone(at) && (0..topic.partitions).all(is_started) {
                self.check_rows("after a start", at, seen, |partition| {
                    process.started[&place(partition)]
                })?;
            }
        }
        Ok(())
    }

    /// Every table of a cut is what the records before its offsets make of it.
    pub(super) fn check_cut(&self, process: &Process) -> Result<(), String> {
        for seen in readers::newest(process.sequencer.store()) {
            let at = self.topic_of(&seen.table);
            let offsets = &seen.table.facts.offsets;
            // Before the source has told its partitions, and where it may not be read on, a table is
            // what was loaded.
            let topic = self.database.topics[at].name;
            let is_started = |(partition, _): &(i32, u64)| {
                process
                    .started
                    .contains_key(&(topic.to_owned(), *partition))
            };
            if offsets.is_empty() || !offsets.iter().all(is_started) {
                continue;
            }
            let next = |partition| {
                let mut known = offsets.iter();
                let known = known.find(|(of, _)| *of == partition);
                known.map_or(0, |at| at.1)
            };
            self.check_rows("at a cut", at, &seen, next)?;
            self.check_facts(at, &seen, next)?;
        }
        self.check_transactions(process)
    }

    /// A cut that says so shows the first of the source's transactions, each of them whole.
    fn check_transactions(&self, process: &Process) -> Result<(), String> {
        let Some(boundaries) = &self.database.boundaries else {
            return Ok(());
        };
        let cut = process.sequencer.store().published();
        let says_whole = |topic: &str| {
            let mut tables = cut.tables().iter();
            let table = tables.find(|table| table.table.identity().topic == topic);
            table.is_some_and(|table| table.facts.transactions == Transactions::Whole)
        };
        let topics = self.database.topics.iter();
        let whole: Vec<bool> = topics.map(|topic| says_whole(topic.name)).collect();
        self.count(if whole.contains(&true) {
            Happening::WholeShown
        } else {
            Happening::PartsShown
        });
        let next = |topic: &str, partition: i32| {
            let mut tables = cut.tables().iter();
            let table = tables.find(|table| table.table.identity().topic == topic);
            let offsets = table.map_or(&[][..], |table| &table.facts.offsets);
            offsets
                .iter()
                .find(|(of, _)| *of == partition)
                .map_or(0, |it| it.1)
        };
        let mut first_missing = None;
        for (number, places) in boundaries.written.iter().enumerate() {
            let places = places.iter().filter(|(topic, _)| whole[*topic]);
            let retained = places.clone().filter(|(topic, (partition, offset))| {
                let name = self.database.topics[*topic].name;
                *offset >= self.database.log.retained_from(name, *partition)
            });
            let shown = retained.map(|(topic, (partition, offset))| {
                next(self.database.topics[*topic].name, *partition) > *offset
            });
            let shown: Vec<bool> = shown.collect();
            if shown.contains(&true) && (shown.contains(&false) || first_missing.is_some()) {
                return Err(format!(
                    "a cut says whole and shows {shown:?} of transaction {number} at {:?}; the first that is missing is {first_missing:?}",
                    places.collect::<Vec<_>>()
                ));
            }
            if shown.contains(&false) {
                first_missing.get_or_insert(number);
            }
        }
        Ok(())
    }

    fn check_rows(
        &self,
        when: &str,
        topic: usize,
        seen: &Seen,
        next: impl Fn(i32) -> u64,
    ) -> Result<(), String> {
        let name = self.database.topics[topic].name;
        let rows: Rows = seen.rows.iter().cloned().collect();
        if rows.len() != seen.rows.len() || seen.table.rows != rows.len() as u64 {
            return Err(format!(
                "{name} {when}: {} rows are counted of {:?}",
                seen.table.rows, seen.rows
            ));
        }
        if self.database.topics[topic].is_out_of_order {
            let truth = &self.database.truth;
            let mut untold = rows.iter().filter(|row| !truth.was_told(topic, *row));
            return untold.next().map_or(Ok(()), |row| {
                Err(format!("{name} {when}: nobody has told of {row:?}"))
            });
        }
        let all = self.rows_as_read(topic, &next);
        if all.contains(&rows) {
            return Ok(());
        }
        let expected = &all[0];
        let mut keys = expected.keys().chain(rows.keys());
        let wrong = keys.find(|key| rows.get(key) != expected.get(key));
        Err(format!(
            "{name} {when}: row {wrong:?} is wrong: {rows:?} should be {expected:?}"
        ))
    }

    /// What a table may hold when this much of its partitions was read.
    fn rows_as_read(&self, topic: usize, next: impl Fn(i32) -> u64) -> Vec<Rows> {
        let (database, truth) = (&self.database, &self.database.truth);
        let partitions = database.topics[topic].partitions;
        let reached = |partition, offset| offset < next(partition);
        let early = self.swept_early.iter();
        let early = early.filter(|(of, _)| *of == topic).map(|(_, scan)| *scan);
        let mut all = Vec::new();
        for swept in [0]
            .into_iter()
            .chain(truth.may_have_swept(topic, reached))
            .chain(early)
        {
            // A delete that was applied last in its partition is read again after a restart: of each
            // partition it may be part of the table or not.
            for last_deletes in 0..1 << partitions {
                all.push(truth.rows_after(topic, swept, |partition, offset| {
                    let begin = self.begin(topic, partition);
                    let may_be = last_deletes >> partition & 1 == 1
                        && offset == next(partition)
                        && database.is_delete(topic, partition, offset, begin);
                    offset >= begin && (reached(partition, offset) || may_be)
                }));
            }
        }
        all
    }

    /// What is said of a table is true.
    fn check_facts(
        &self,
        topic: usize,
        seen: &Seen,
        next: impl Fn(i32) -> u64,
    ) -> Result<(), String> {
        let of_topic = &self.database.topics[topic];
        let (facts, name) = (&seen.table.facts, of_topic.name);
        if facts.state == ReadState::Stalled && facts.reason.is_none() {
            return Err(format!("{name} is stalled and does not say why"));
        }
        if facts.complete == facts.incomplete_because.is_some() {
            return Err(format!("{name}: complete is {}", facts.complete));
        }
        let lost = (0..self.database.topics[topic].partitions)
            .any(|partition| self.begin(topic, partition) > 0);
        // One that stands still before what retention took has lost that, though it would not be read any more.
        let stands = facts.state == ReadState::Stalled;
        if !lost && !stands && !facts.complete {
            let because = &facts.incomplete_because;
            return Err(format!("{name} lacks nothing, and says {because:?}"));
        }
        // Complete is what holds every row that the source had at that moment. A snapshot whose first
        // row is retained is taken to be retained whole, which retention by size need not leave true
        // (ARCHITECTURE, Non-guarantees). Nor does the table know of what retention took after a
        // partition was found and before its reading began: that is open, and said there too.
        let was_noticed = !self.cut_unnoticed.iter().any(|(of, _)| of == name);
        let is_known = !of_topic.was_cut_by_size && !of_topic.is_out_of_order && was_noticed;
        if lost && facts.complete && is_known {
            let truth = &self.database.truth;
            let rows: Rows = seen.rows.iter().cloned().collect();
            let read = |swept| {
                truth.rows_after(topic, swept, |partition, offset| offset < next(partition))
            };
            let scans = (0..=truth.scans).map(read);
            if !scans.into_iter().any(|whole| whole == rows) {
                return Err(format!(
                    "{name} is called complete with {rows:?}, and should be {:?}",
                    read(truth.scans)
                ));
            }
        }
        Ok(())
    }

    /// Nobody is told that a table is at the end of its log if it is not.
    pub(super) fn check_freshness(&self, process: &Process) -> Result<(), String> {
        let cut = process.sequencer.store().published();
        for table in cut.tables() {
            let topic = &self.database.topics[self.topic_of(table)];
            if table.facts.at_end_ms() != Some(process.now_ms) {
                continue;
            }
            let ends = (0..topic.partitions).map(|partition| {
                let end = self.around.log.end(topic.name, partition);
                (partition, end)
            });
            let ends: Vec<_> = ends.collect();
            if table.facts.offsets != ends {
                return Err(format!(
                    "{} is said to be at its end with {:?}, and the log ends at {ends:?}",
                    topic.name, table.facts.offsets
                ));
            }
        }
        Ok(())
    }

    /// At the end of the log everything is there, live, and acknowledged.
    pub(super) fn check_end(&self, process: &mut Process) -> Result<(), String> {
        let tables = readers::newest(process.sequencer.store());
        let mut broken = Vec::new();
        for (at, topic) in self.database.topics.iter().enumerate() {
            let of_topic = self.database.broken_records(at).iter();
            let of_topic: Vec<_> = of_topic
                .filter(|(partition, offset)| *offset >= self.begin(at, *partition))
                .map(|(partition, offset)| (topic.name.to_owned(), *partition, *offset))
                .collect();
            let mut tables = tables.iter();
            let Some(seen) = tables.find(|seen| self.topic_of(&seen.table) == at) else {
                return Err(format!("{} has no table", topic.name));
            };
            self.check_rows("at the end", at, seen, |_| u64::MAX)?;
            self.check_swept(at, seen)?;
            self.check_facts(at, seen, |_| u64::MAX)?;
            // What was put aside before retention took it stays, where there was no table to rebuild.
            if seen.table.facts.quarantined < of_topic.len() as u64 {
                return Err(format!(
                    "{}: {} records are counted as put aside, and {} were broken",
                    topic.name,
                    seen.table.facts.quarantined,
                    of_topic.len()
                ));
            }
            broken.extend(of_topic);
        }
        let (mut aside, mut expected) = (process.quarantine(), broken);
        aside.sort();
        expected.sort();
        aside.retain(|(topic, partition, offset)| {
            let mut topics = self.database.topics.iter();
            let at = topics.position(|it| it.name == topic);
            at.is_none_or(|at| *offset >= self.begin(at, *partition))
        });
        if aside != expected {
            return Err(format!(
                "{aside:?} are put aside, and {expected:?} were broken"
            ));
        }
        for seen in &tables {
            let facts = &seen.table.facts;
            if facts.state != ReadState::Live {
                let topic = &seen.table.table.identity().topic;
                return Err(format!(
                    "everything was read, and {topic} is {:?}: {:?}",
                    facts.state, facts.reason
                ));
            }
        }
        Ok(())
    }

    /// What vanished while the connector was down is gone once the next full snapshot was read, or the
    /// table says that it was not.
    fn check_swept(&self, topic: usize, seen: &Seen) -> Result<(), String> {
        if self.database.topics[topic].is_out_of_order {
            return Ok(());
        }
        let truth = &self.database.truth;
        let read = |swept| {
            truth.rows_after(topic, swept, |partition, offset| {
                offset >= self.begin(topic, partition)
            })
        };
        let rows: Rows = seen.rows.iter().cloned().collect();
        let (swept, unswept) = (read(truth.last_scan(topic)), read(0));
        if rows == swept {
            if swept != unswept {
                self.count(Happening::Swept);
            }
            return Ok(());
        }
        let reason = seen.table.facts.reason.as_deref().unwrap_or_default();
        // A run that was seen to stream before its snapshot was, from another partition: the table
        // stays unconfirmed until the next one (ARCHITECTURE, Non-guarantees).
        if self.database.topics[topic].partitions > 1 && reason.starts_with("unconfirmed") {
            return Ok(());
        }
        // Retention took the row that ended the snapshot, or all that a partition had of it, so that
        // what was streamed later may be read first (ARCHITECTURE, Non-guarantees; that a table says
        // nothing of the latter is open). Either way rows are said to be missing.
        let is_cut = self.is_scan_cut(topic);
        if is_cut && !seen.table.facts.complete {
            return Ok(());
        }
        // A later run was read first, from a partition that was added since; and where no other table's
        // snapshot told of it, nothing is said (ARCHITECTURE, Non-guarantees).
        if reason.is_empty() && self.has_partition_without_scan(topic) {
            return Ok(());
        }
        let name = self.database.topics[topic].name;
        Err(format!(
            "{name} has ghosts at the end: {rows:?} should be {swept:?} ({reason})"
        ))
    }

    /// Whether some partition has no row of the last full snapshot.
    fn has_partition_without_scan(&self, topic: usize) -> bool {
        let Some(scan) = self.database.truth.last_ended(topic) else {
            return false;
        };
        let partitions = self.database.topics[topic].partitions;
        (0..partitions).any(|partition| !scan.places.iter().any(|place| place.0 == partition))
    }

    /// Whether the last row of the last full snapshot was not retained, or a partition that was cut has
    /// none of its rows.
    fn is_scan_cut(&self, topic: usize) -> bool {
        let Some(scan) = self.database.truth.last_ended(topic) else {
            return false;
        };
        let is_left = |place: &Place| place.1 >= self.begin(topic, place.0);
        let has_none = |partition: i32| {
            let mut places = scan.places.iter();
            self.begin(topic, partition) > 0
                && !places.any(|place| place.0 == partition && is_left(place))
        };
        let partitions = self.database.topics[topic].partitions;
        !scan.places.last().is_none_or(is_left) || (0..partitions).any(has_none)
    }

    /// A process that is started on the end of the log reads nothing again but a last delete.
    pub(super) fn check_reread(&self, process: &Process) -> Result<(), String> {
        for (at, topic) in self.database.topics.iter().enumerate() {
            for partition in 0..topic.partitions {
                let started = process.started.get(&(topic.name.to_owned(), partition));
                let end = self.database.end(at, partition);
                let begin = self.begin(at, partition);
                let is_last_delete = started.is_some_and(|from| {
                    from + 1 == end && self.database.is_delete(at, partition, *from, begin)
                });
                if started != Some(&end) && !is_last_delete {
                    return Err(format!(
                        "{}-{partition} ends at {end}, and is read from {started:?} again",
                        topic.name
                    ));
                }
            }
        }
        Ok(())
    }

    /// Topics that say that records were lost before they were read, and that this is so.
    pub(super) fn stalled_for_good(process: &mut Process) -> Vec<String> {
        let report = process.report();
        let partitions = report.sources.iter().flat_map(|source| &source.partitions);
        let halted = partitions.filter(|partition| {
            let reason = partition.halted.as_deref().unwrap_or_default();
            is_for_good(reason)
        });
        halted.map(|partition| partition.topic.clone()).collect()
    }

    /// An end of a partition may be told after the mark of a snapshot on another partition was read,
    /// and yet have been reached before it: then the snapshot takes effect a little early, and its late
    /// rows follow (ARCHITECTURE, Non-guarantees).
    pub(super) fn excuse_early_sweeps(&mut self, process: &mut Process) {
        for ((name, partition), next) in process.take_ends() {
            let mut topics = self.database.topics.iter();
            let Some(topic) = topics.position(|topic| topic.name == name) else {
                continue;
            };
            let beyond = self.database.truth.scans_beyond(topic, (partition, next));
            let beyond: Vec<(u32, Place)> = beyond.collect();
            if beyond.is_empty() {
                continue;
            }
            let report = process.report();
            let partitions = || report.sources.iter().flat_map(|source| &source.partitions);
            let is_read = |mark: &Place| {
                let mut reached = partitions();
                reached
                    .any(|it| it.topic == name && it.partition == mark.0 && it.next_offset > mark.1)
            };
            let early = beyond.iter().filter(|(_, mark)| is_read(mark));
            self.swept_early
                .extend(early.map(|(scan, _)| (topic, *scan)));
        }
    }

    /// Where the table that the disk holds begins in a partition.
    fn begin(&self, topic: usize, partition: i32) -> u64 {
        let name = self.database.topics[topic].name.to_owned();
        self.begin.get(&(name, partition)).copied().unwrap_or(0)
    }

    fn topic_of(&self, table: &TableCut) -> usize {
        let mut topics = self.database.topics.iter();
        let name = &table.table.identity().topic;
        topics
            .position(|topic| topic.name == name)
            .expect("a table of a topic that there is")
    }
}

/// What is said of a log that has lost records before they were read.
fn is_for_good(reason: &str) -> bool {
    reason.contains("no longer retained")
}
