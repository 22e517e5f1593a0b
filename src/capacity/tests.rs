//! The named cases of capacity, told through samples as agents send them.

mod build;
mod figures;
mod kept;
mod oracle;
mod size;
mod states;
