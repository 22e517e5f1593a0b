//! Files that people edit: read as raw tables, checked with every problem at once, turned into the model.

pub mod check;
pub mod load;
pub mod problem;
pub mod raw;
pub mod reference;
pub mod secret;
pub mod settings;
