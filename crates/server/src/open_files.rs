//! As many open files as the system lets this process have: every connection is one, and thousands may wait.
//!
//! Systems start processes with room for a thousand, and let them ask for more.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Where that is refused the listeners do with what there is: connections then wait to be accepted.
pub fn allow_all() {
    let limit = getrlimit(Resource::Nofile);
    let all = Rlimit {
        current: limit.maximum,
        ..limit
    };
    let _ = setrlimit(Resource::Nofile, all);
}
