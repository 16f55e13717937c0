//! Every seed of every fuzz target, checked as the fuzzer would.

use fuzz_checks::TARGETS;

/// One after another: what an input takes is counted for the whole process.
#[test]
fn seeds_pass() {
    for target in TARGETS {
        let seeds = (target.seeds)().unwrap();
        assert!(!seeds.is_empty(), "{} has no seeds", target.name);
        for (number, seed) in seeds.iter().enumerate() {
            println!("{}, seed {number}: {}", target.name, seed.escape_ascii());
            (target.check)(seed);
        }
    }
}
