//! What a seed is: the sort of tables it is about, and then everything that happens to them.

use crate::bag_run;
use crate::bags::Kind;
use crate::canary::Canary;
use crate::run::{self, Plan};
use crate::trace::Trace;

/// Tables without a key: of one partition and of several, with and without run ids.
const BAGS: [Kind; 3] = [
    Kind {
        partitions: 1,
        tells_runs: true,
    },
    Kind {
        partitions: 1,
        tells_runs: false,
    },
    Kind {
        partitions: 3,
        tells_runs: true,
    },
];

/// Runs a seed, and says what is wrong if anything is.
pub fn play(seed: u64, canary: Canary, trace: &Trace) -> Result<(), String> {
    let mut rng = fastrand::Rng::with_seed(seed);
    match rng.usize(..10) {
        at @ 0..3 => bag_run::run(rng, BAGS[at], canary, trace),
        _ => run::run(rng, Plan::Random, canary, trace).map(|_| ()),
    }
}
