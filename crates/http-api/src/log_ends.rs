//! Where logs end by now: asked of whoever reads them, for a floor that wants everything that is in them.

use std::sync::Arc;
use std::time::Duration;

use query::as_of::{AsOf, TableHash, TableStanding};
use table_store::TableCut;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

/// One partition's end: its topic, its number, and the offset of the next record.
pub type PartitionEnd = (String, i32, u64);

/// Hears the answer, from any thread. Dropped, there is none.
pub type EndsAnswer = Box<dyn FnOnce(Result<Vec<PartitionEnd>, String>) + Send>;

/// Asks sources where their logs end. Never waits: the answer comes by itself, or the asker gives up.
pub trait LogEnds: Send + Sync + 'static {
    fn ask(&self, source: &str, of: Vec<(String, i32)>, answer: EndsAnswer);
}

/// A server whose sources cannot be asked.
#[derive(Clone, Copy, Debug)]
pub struct NoLogEnds;

impl LogEnds for NoLogEnds {
    fn ask(&self, source: &str, _: Vec<(String, i32)>, answer: EndsAnswer) {
        answer(Err(format!("source {source} cannot be asked")));
    }
}

/// Where the logs of these tables end, as a place that they may come to.
pub(crate) async fn ends_of(
    asked: &dyn LogEnds,
    tables: &[Arc<TableCut>],
    at_most: Duration,
) -> Result<AsOf, String> {
    let deadline = Instant::now() + at_most;
    if let Some(table) = tables.iter().find(|table| table.facts.offsets.is_empty()) {
        let name = &table.table.identity().name;
        return Err(format!("nothing is known yet of the log of table '{name}'"));
    }
    let mut sources: Vec<&str> = Vec::new();
    for table in tables {
        let source = table.table.identity().source.as_str();
        if !sources.contains(&source) {
            sources.push(source);
        }
    }
    // All at once: each may take a while.
    let asked = sources.iter().map(|source| {
        let of_source = tables
            .iter()
            .filter(|table| table.table.identity().source == *source);
        let partitions = of_source.flat_map(|table| {
            let topic = &table.table.identity().topic;
            let offsets = table.facts.offsets.iter();
            offsets.map(|(partition, _)| (topic.clone(), *partition))
        });
        let (answer, answered) = oneshot::channel();
        let answer = move |ends| drop(answer.send(ends));
        asked.ask(source, partitions.collect(), Box::new(answer));
        (*source, answered)
    });
    let asked: Vec<_> = asked.collect();
    let mut standings = Vec::new();
    for (source, answered) in asked {
        let silent = || {
            format!(
                "source {source} did not answer within {} ms",
                at_most.as_millis()
            )
        };
        let ends = timeout_at(deadline, answered).await.map_err(|_| silent())?;
        let ends = ends.map_err(|_| format!("source {source} has ended"))??;
        let of_source = tables
            .iter()
            .filter(|table| table.table.identity().source == source);
        standings.extend(of_source.map(|table| standing(table, &ends)));
    }
    Ok(AsOf {
        cut: None,
        tables: standings,
    })
}

fn standing(table: &TableCut, ends: &[PartitionEnd]) -> TableStanding {
    let identity = table.table.identity();
    let ours = ends.iter().filter(|(topic, ..)| *topic == identity.topic);
    TableStanding {
        table: TableHash::of(identity),
        position: None,
        log: table.facts.log,
        offsets: ours
            .map(|(_, partition, next)| (*partition, *next))
            .collect(),
    }
}
