//! One recording of one scenario, delivered to a server and compared with the database it came
//! from.

use anyhow::{Context, bail};

use crate::compare::{Comparison, compare};
use crate::exact::Exact;
use crate::records::Record;
use crate::registry::Schemas;
use crate::scenario::{ExpectedTable, Recording, Scenario};
use crate::server::Server;
use crate::spelling::Spellings;

/// Differences that a message shows.
const SHOWN_MAX: usize = 8;

/// The scenarios that are small enough to be repeated under many seeds.
const SMALL: [&str; 4] = [
    "A_basics_default",
    "A_basics_full",
    "E_truncate",
    "N_no_tombstones",
];

/// 246,060 records.
pub const LARGE: &str = "M_volume";

/// What is delivered, and what must come of it.
pub struct Trial {
    /// Scenario and recording, for messages.
    pub name: String,
    pub records: Vec<Record>,
    pub recording: Recording,
    spellings: Spellings,
    /// `None` where nobody recorded what the database held.
    pub expected: Option<Vec<ExpectedTable>>,
    /// What a registry must know; `None` where none is needed.
    pub registry: Option<Schemas>,
}

impl Trial {
    /// One trial for each JSON recording of a scenario.
    pub fn all(scenario: &str) -> anyhow::Result<Vec<Self>> {
        let scenario = Scenario::open(scenario)?;
        let of = |recording| Self::of(&scenario, recording).transpose();
        Recording::ALL.into_iter().filter_map(of).collect()
    }

    /// The trial of one recording; `None` if it was not made.
    pub fn of(scenario: &Scenario, recording: Recording) -> anyhow::Result<Option<Self>> {
        let Some(records) = scenario.records(&recording)? else {
            return Ok(None);
        };
        let spellings = scenario.spellings(&recording)?;
        Ok(Some(Self {
            name: format!("{} {}", scenario.name, recording.stem()),
            records,
            expected: scenario.expected(&recording, &spellings)?,
            registry: scenario.registry(&recording)?,
            recording,
            spellings,
        }))
    }

    /// Runs `check` on every recording of the small scenarios, all at once: it mostly waits for
    /// processes. The first failure is told.
    pub fn each_small(check: impl Fn(&Self) -> anyhow::Result<()> + Sync) -> anyhow::Result<()> {
        let trials: Vec<Vec<Self>> = SMALL
            .iter()
            .map(|name| Self::all(name))
            .collect::<anyhow::Result<_>>()?;
        let trials: Vec<Self> = trials.into_iter().flatten().collect();
        std::thread::scope(|scope| {
            let checks: Vec<_> = trials
                .iter()
                .map(|trial| scope.spawn(|| check(trial).with_context(|| trial.name.clone())))
                .collect();
            for check in checks {
                match check.join() {
                    Ok(checked) => checked?,
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            Ok(())
        })
    }

    /// Compares every table that the server has with what the database held; fails with the
    /// differences.
    pub fn check(&self, server: &Server) -> anyhow::Result<()> {
        self.check_tables(server, |_| true)
    }

    /// The same after records were delivered twice, for the tables that have a key: nothing tells a
    /// repeated record of a table without one from a row that was inserted twice.
    pub fn check_redelivered(&self, server: &Server) -> anyhow::Result<()> {
        self.check_tables(server, |table| table.key.is_some())
    }

    fn check_tables(
        &self,
        server: &Server,
        wanted: impl Fn(&ExpectedTable) -> bool,
    ) -> anyhow::Result<()> {
        let Comparison { cells, wrong } = self.compare(server, wanted)?;
        if wrong.is_empty() && cells > 0 {
            return Ok(());
        }
        let shown: Vec<&str> = wrong.iter().take(SHOWN_MAX).map(String::as_str).collect();
        bail!(
            "{}: {} differences in {cells} cells\n  {}",
            self.name,
            wrong.len(),
            shown.join("\n  ")
        )
    }

    /// Every difference between the wanted tables and what the database held.
    pub fn compare(
        &self,
        server: &Server,
        wanted: impl Fn(&ExpectedTable) -> bool,
    ) -> anyhow::Result<Comparison> {
        let tables = server.found("/v1/tables", &[])?;
        let tables = tables
            .get("tables")
            .as_list()
            .context("no list of tables")?;
        let mut comparison = Comparison::default();
        let expected = self.expected.iter().flatten();
        for expected in expected.filter(|table| wanted(table)) {
            let Some(told) = tables
                .iter()
                .find(|table| table.get("topic").as_text() == Some(&expected.topic))
            else {
                let has_records = |record: &Record| record.topic == expected.topic;
                if !expected.rows.is_empty() || self.records.iter().any(has_records) {
                    comparison.wrong.push(format!(
                        "{}: no table for topic {}",
                        expected.name, expected.topic
                    ));
                }
                continue;
            };
            comparison.add(self.check_table(server, expected, told)?);
        }
        Ok(comparison)
    }

    fn check_table(
        &self,
        server: &Server,
        expected: &ExpectedTable,
        told: &Exact,
    ) -> anyhow::Result<Comparison> {
        let name = told.get("name").as_text().context("a table without name")?;
        let rows = server.rows(name)?;
        let rows: Vec<Exact> = rows
            .into_iter()
            .map(|row| in_one_shape(row, told))
            .collect();
        let mut comparison = compare(expected, &self.spellings, &rows);
        if told.get("rows").as_integer() != i64::try_from(rows.len()).ok() {
            comparison.wrong.push(format!(
                "{}: says {} rows, lists {}",
                expected.name,
                told.get("rows"),
                rows.len()
            ));
        }
        let key = told.get("key").as_list().map(|key| {
            key.iter()
                .filter_map(Exact::as_text)
                .map(str::to_owned)
                .collect()
        });
        if key != expected.key {
            comparison.wrong.push(format!(
                "{}: says key {}, should be {:?}",
                expected.name,
                told.get("key"),
                expected.key
            ));
        }
        Ok(comparison)
    }
}

/// Runs `trial` under fixed seeds, or under those in `BLACK_BOX_SEED`, and names the seed that
/// failed.
pub fn under_seeds(count: u64, trial: impl Fn(u64) -> anyhow::Result<()>) -> anyhow::Result<()> {
    for seed in seeds(count)? {
        trial(seed).with_context(|| format!("repeat it with BLACK_BOX_SEED={seed}"))?;
    }
    Ok(())
}

/// The first seeds, or what `BLACK_BOX_SEED` says: one (`7`), or from one to another (`1-100`).
pub fn seeds(count: u64) -> anyhow::Result<Vec<u64>> {
    let Ok(told) = std::env::var("BLACK_BOX_SEED") else {
        return Ok((1..=count).collect());
    };
    let (first, last) = told.split_once('-').unwrap_or((&told, &told));
    let number = |text: &str| text.parse().context("BLACK_BOX_SEED is no seed");
    Ok((number(first)?..=number(last)?).collect())
}

/// The row as if it had been written in the table's newest shape, as the database shows it: columns
/// that only rows written earlier have are gone, and what its own shape lacks is null.
fn in_one_shape(row: Exact, told: &Exact) -> Exact {
    let Exact::Object(mut cells) = row else {
        return row;
    };
    let names = |list: &str| {
        let columns = told.get(list).as_list().unwrap_or_default().to_vec();
        columns.into_iter().filter_map(|column| {
            let name = column.get("name").as_text()?;
            Some(name.to_owned())
        })
    };
    for former in names("former_columns") {
        cells.remove(&former);
    }
    let unavailable = cells.get("unavailable").cloned().unwrap_or(Exact::Null);
    for column in names("columns") {
        let is_unavailable = unavailable
            .as_list()
            .is_some_and(|names| names.contains(&Exact::text(&column)));
        if !is_unavailable {
            cells.entry(column).or_insert(Exact::Null);
        }
    }
    Exact::Object(cells)
}
