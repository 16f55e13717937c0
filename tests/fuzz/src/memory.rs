//! What one input may take is bounded by its size, not only by what the machine has.

use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// What `work` answers; panics if the process ever holds more than `bytes_max` beyond what it held before.
pub fn within<T>(bytes_max: usize, work: impl FnOnce() -> T) -> T {
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    let answer = work();
    let held = ALLOCATOR.peak_usage().saturating_sub(before);
    assert!(
        held <= bytes_max,
        "{held} bytes were held at once, and {bytes_max} are the bound for this input"
    );
    answer
}
