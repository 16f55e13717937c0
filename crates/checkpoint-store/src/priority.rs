//! Work that may wait gives way to reading and answering.

/// The niceness of a thread that gives way: beside a busy one of the usual kind it gets a quarter of a core, and
/// on a core that nobody wants all of it.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 5;

/// Puts the calling thread, and all that it starts from now on, behind the others of the machine. Where
/// that cannot be done they compete.
pub fn give_way() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICENESS);
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn only_the_thread_that_gives_way_does() {
        let niceness = || rustix::process::getpriority_process(Some(rustix::thread::gettid()));
        let before = niceness().unwrap();
        let given_way = std::thread::spawn(move || {
            give_way();
            niceness().unwrap()
        });
        assert_eq!(given_way.join().unwrap(), before.max(NICENESS));
        assert_eq!(niceness().unwrap(), before);
    }
}
