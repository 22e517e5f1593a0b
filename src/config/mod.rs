//! Files that people edit: read as raw tables, checked with every problem at once, turned into the model.
//!
//! The way of a file: `load` reads its text, `raw` holds the text against the one description in `schema` (types,
//! ranges, unknown and missing keys), `check` resolves references and judges what needs more than one key, and out
//! comes the model or a list of `problem`s. `reference` prints the same description as docs/inventory.md.

pub mod check;
pub mod load;
pub mod part;
pub mod problem;
pub mod raw;
pub mod reference;
pub mod schema;
pub mod seal;
pub mod secret;
pub mod settings;
pub mod text;

pub use load::{CheckReport, Loaded, check_files, load_agent, load_hub, load_network};
pub use problem::{Problem, Severity};
