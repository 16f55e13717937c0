//! One recording of one scenario: delivered as it was recorded, and then as badly as Kafka allows.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use anyhow::ensure;
use black_box::records::{self, Record, delivered};
use black_box::registry::Registry;
use black_box::rendering;
use black_box::scenario::{Recording, Scenario};
use black_box::server::Server;
use black_box::site::{Settings, Site};
use black_box::spelling::Wire;
use black_box::trial::Trial;
use black_box::wait;
use fastrand::Rng;

use crate::particulars;

/// Differences that a message shows of each case.
const SHOWN_MAX: usize = 12;

/// What is done to a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mischief {
    /// The server is killed at a random offset and started again.
    Restarted,
    /// A random suffix of every partition comes twice.
    Redelivered,
    /// The partitions are shuffled against each other.
    Interleaved,
}

impl Mischief {
    pub const ALL: [Self; 3] = [Self::Restarted, Self::Redelivered, Self::Interleaved];
}

impl fmt::Display for Mischief {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Restarted => "restarted",
            Self::Redelivered => "redelivered",
            Self::Interleaved => "interleaved",
        })
    }
}

/// What came of a mischief.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Aftermath {
    SameTables,
    Excused(&'static str),
    Differs,
}

/// What came of a case.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub scenario: String,
    pub stem: String,
    pub records: usize,
    /// Tables, cells and deviations of the comparison; `None` where nobody recorded what the database held.
    pub compared: Option<Compared>,
    /// Tables that are not compared, and why.
    pub uncompared: Vec<(String, &'static str)>,
    pub mischief: Vec<(Mischief, Aftermath)>,
    /// What no oracle knows: tables, records set aside, and the types of columns where they are pinned.
    pub pinned: String,
    /// Whether there were differences before any mischief.
    pub differs_as_recorded: bool,
    /// Every difference, ready to be read.
    pub wrong: Vec<String>,
}

#[derive(Clone, Copy, Debug)]
pub struct Compared {
    pub tables: usize,
    pub cells: usize,
    pub deviations: usize,
}

/// A case that was not run yet.
pub struct Case {
    scenario: Scenario,
    recording: Recording,
}

impl Case {
    pub fn all() -> anyhow::Result<Vec<Self>> {
        let mut cases = Vec::new();
        for scenario in Scenario::all()? {
            for recording in scenario.recordings()? {
                cases.push(Self {
                    scenario: scenario.clone(),
                    recording,
                });
            }
        }
        Ok(cases)
    }

    pub fn name(&self) -> String {
        format!("{} {}", self.scenario.name, self.recording.stem())
    }

    /// Runs it under these seeds. A server that could not be used is a difference like any other.
    pub fn run(&self, seeds: &[u64]) -> anyhow::Result<Outcome> {
        let trial = Trial::of(&self.scenario, self.recording.clone())?;
        let mut trial = trial.ok_or_else(|| anyhow::anyhow!("{}: no records", self.name()))?;
        let (scenario, stem) = (self.scenario.name.as_str(), self.recording.stem());
        let mut uncompared = Vec::new();
        if let Some(tables) = &mut trial.expected {
            tables.retain(|table| {
                let why = particulars::uncompared(scenario, stem, &table.name);
                uncompared.extend(why.map(|why| (table.name.clone(), why)));
                why.is_none()
            });
            for table in tables {
                particulars::complete(scenario, stem, table)?;
            }
        }
        let mut outcome = Outcome {
            scenario: scenario.to_owned(),
            stem: stem.to_owned(),
            records: trial.records.len(),
            compared: None,
            uncompared,
            mischief: Vec::new(),
            pinned: String::new(),
            differs_as_recorded: false,
            wrong: Vec::new(),
        };
        let plain = match self.plainly(&trial, &mut outcome) {
            Ok(plain) => plain,
            Err(error) => {
                outcome.wrong.push(format!("{error:#}"));
                outcome.differs_as_recorded = true;
                return Ok(outcome);
            }
        };
        outcome.differs_as_recorded = !outcome.wrong.is_empty();
        for mischief in Mischief::ALL {
            let aftermath = match particulars::excuse(scenario, stem, mischief) {
                Some(why) => Aftermath::Excused(why),
                None => self.worse(&trial, mischief, seeds, &plain, &mut outcome.wrong),
            };
            outcome.mischief.push((mischief, aftermath));
        }
        Ok(outcome)
    }

    /// As it was recorded; what the server then holds.
    fn plainly(&self, trial: &Trial, outcome: &mut Outcome) -> anyhow::Result<String> {
        let (site, _registry) = self.site(trial, Settings::DEFAULT.checkpoint_interval_ms)?;
        site.deliver(&trial.records)?;
        let mut server = site.start()?;
        server.ready()?;
        let comparison = trial.compare(&server, |_| true)?;
        if let Some(tables) = &trial.expected {
            let deviations = tables.iter().flat_map(|table| &table.deviations);
            outcome.compared = (!tables.is_empty()).then(|| Compared {
                tables: tables.len(),
                cells: comparison.cells,
                deviations: deviations.count(),
            });
        }
        outcome
            .wrong
            .extend(comparison.wrong.into_iter().take(SHOWN_MAX));
        let expected = |topic: &str| {
            let mut tables = trial.expected.iter().flatten();
            tables.any(|table| table.topic == topic)
        };
        outcome.pinned = rendering::tables(&server, |topic| !expected(topic))?;
        outcome.pinned += &rendering::quarantine(&server)?;
        let types_matter = ["D_types", "D_pg18", "K_"];
        let typed = matches!(self.recording.wire(), Wire::Typed | Wire::ProtobufZeros);
        if typed
            && types_matter
                .iter()
                .any(|prefix| self.scenario.name.starts_with(prefix))
        {
            outcome.pinned += &rendering::columns(&server)?;
        }
        let plain = self.held(&server)?;
        ensure!(server.stop()? == 0, "exit code after SIGTERM");
        Ok(plain)
    }

    fn worse(
        &self,
        trial: &Trial,
        mischief: Mischief,
        seeds: &[u64],
        plain: &str,
        wrong: &mut Vec<String>,
    ) -> Aftermath {
        for seed in seeds {
            let held = self.after(trial, mischief, &mut Rng::with_seed(*seed));
            let difference = match held {
                Ok(held) if held == plain => continue,
                Ok(held) => difference(plain, &held),
                Err(error) => format!("{error:#}"),
            };
            wrong.push(format!("{mischief}, BLACK_BOX_SEED={seed}: {difference}"));
            return Aftermath::Differs;
        }
        Aftermath::SameTables
    }

    fn after(&self, trial: &Trial, mischief: Mischief, rng: &mut Rng) -> anyhow::Result<String> {
        // Short beside a life, so that a kill finds a checkpoint of some records and not of others.
        let (site, _registry) = self.site(trial, rng.u32(10..50))?;
        let records: Vec<Record> = match mischief {
            Mischief::Restarted => {
                site.deliver(&trial.records[..rng.usize(..trial.records.len())])?;
                let mut server = site.start()?;
                server.ready()?;
                // Before, during or after a checkpoint of what was read.
                wait::pass(Duration::from_millis(rng.u64(0..60)));
                server.kill()?;
                trial.records.clone()
            }
            Mischief::Redelivered | Mischief::Interleaved => {
                let how = records::Mischief {
                    redeliver: mischief == Mischief::Redelivered,
                    interleave: mischief == Mischief::Interleaved,
                };
                delivered(&trial.records, how, rng)
            }
        };
        site.deliver(&records)?;
        let mut server = site.start()?;
        server.ready()?;
        self.held(&server)
    }

    /// Everything there is, but for tables too large to be a text.
    fn held(&self, server: &Server) -> anyhow::Result<String> {
        if self.scenario.name == "M_volume" {
            return Ok(String::new());
        }
        Ok(rendering::meanings(server)? + &rendering::quarantine(server)?)
    }

    fn site(
        &self,
        trial: &Trial,
        checkpoint_interval_ms: u32,
    ) -> anyhow::Result<(Site, Option<Registry>)> {
        let registry = trial.registry.clone().map(Registry::start).transpose()?;
        let site = Site::new(Settings {
            checkpoint_interval_ms,
            unavailable_value: particulars::unavailable_value(&self.scenario.name),
            registry_url: registry.as_ref().map(Registry::url),
            ..Settings::DEFAULT
        })?;
        Ok((site, registry))
    }
}

/// The lines that one of two texts has more often than the other.
fn difference(was: &str, is: &str) -> String {
    let mut counts: BTreeMap<&str, i64> = BTreeMap::new();
    for line in was.lines() {
        *counts.entry(line).or_default() -= 1;
    }
    for line in is.lines() {
        *counts.entry(line).or_default() += 1;
    }
    let mut lines: Vec<String> = counts
        .into_iter()
        .filter(|(_, count)| *count != 0)
        .map(|(line, count)| format!("\n      {count:+} × {line}"))
        .collect();
    if lines.is_empty() {
        return "the same lines in another order".to_owned();
    }
    lines.truncate(SHOWN_MAX);
    lines.concat()
}
