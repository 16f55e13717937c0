//! Bugs on demand, so that it can be shown that such bugs are found. The driver has them; the product
//! does not know of them.

/// A bug that the driver of a process has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Canary {
    None,
    /// The broker is acknowledged when a checkpoint begins, not when it is durable.
    AcknowledgesEarly,
    /// Reading resumes one record after where it should.
    ResumesOneLate,
    /// What a failed checkpoint held is not put into the next one.
    ForgetsFailedCheckpoints,
    /// Writes are said to be flushed that are not.
    LiesAboutFlushes,
    /// Every partition is said to be at its end as soon as the last row of a snapshot was read.
    SweepsEarly,
    /// Changes without a key have nothing by which they could be recognised.
    AppliesTwice,
    /// A held cut is read as of the newest one.
    ServesHeldCutsFromNewer,
    /// A partition that was gone is read on from its end.
    SkipsWhatCameWhileGone,
    /// Nothing is waited for, not even the other half of a key change.
    ShowsHalves,
    /// The source is called quiet while records wait.
    ClaimsFreshness,
    /// Records that cannot be decoded are passed over.
    DropsFailures,
    /// A log that begins late is read as if it began there.
    OverlooksRetention,
    /// A transaction is complete when it has ended, whatever was read of it.
    TearsTransactions,
}

impl Canary {
    pub const ALL: &[Self] = &[
        Self::AcknowledgesEarly,
        Self::ResumesOneLate,
        Self::ForgetsFailedCheckpoints,
        Self::LiesAboutFlushes,
        Self::SweepsEarly,
        Self::AppliesTwice,
        Self::ServesHeldCutsFromNewer,
        Self::SkipsWhatCameWhileGone,
        Self::ShowsHalves,
        Self::ClaimsFreshness,
        Self::DropsFailures,
        Self::OverlooksRetention,
        Self::TearsTransactions,
    ];
}
