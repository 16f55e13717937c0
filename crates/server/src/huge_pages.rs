//! Whether the system may back memory with pages of two megabytes.

/// Refuses them, where the system has them. The allocator asks for them, takes a page in small pieces and
/// gives it back in small pieces, and each time two megabytes are cleared: a server of 200,000 rows takes a fifth more
/// memory with them and answers no faster, and checkpoints fault them in again and again.
pub fn refuse() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::thread::disable_transparent_huge_pages(true) {
        tracing::debug!(%error, "huge pages stay allowed");
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #[test]
    fn huge_pages_are_refused() {
        super::refuse();
        assert!(rustix::thread::transparent_huge_pages_are_disabled().unwrap());
    }
}
