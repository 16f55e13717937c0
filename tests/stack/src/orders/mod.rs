//! A shop that takes orders, in the manner of TPC-C: warehouses with districts, their customers, stock, orders
//! and payments, and several writers at once.
//!
//! What makes it a judge: every transaction keeps [balances](balances) between rows of several tables, so that half
//! of one, or one without an earlier one, shows in the sums; and each tells what it wrote, so that a reader can
//! insist on seeing it.
//!
//! Other than TPC-C: names are written out, warehouses are restocked by transactions of their own, and payments
//! (its `HISTORY`) keep having no key.

pub mod answers;
pub mod balances;
pub mod own_writes;
pub mod questions;
pub mod schema;
pub mod transactions;
pub mod writers;
