//! The engine on a small tree network with a clock that the test moves.
//!
//! ```text
//! internet ─ fibre ─ hub ─ trunk ─ relay ─┬─ to-alba ─ alba
//!                                         ├─ to-bene ─ bene
//!                                         └─ pair (bundle: main, spare) ─ ceva
//! ```

mod conditions;
mod dark;
mod properties;
mod scenarios;
mod weather;
pub(crate) mod world;
