//! The promises of both stores, and what crashes, damage and full disks do to them.

#![allow(clippy::unwrap_used, reason = "a test tells by panicking")]

mod damage;
mod directory;
mod full_disk;
mod kill;
mod scrub;
mod spec;
mod write_points;
