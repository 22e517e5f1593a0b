//! Raw tables to the model: what needs more than one key at a time. `[P]`
//!
//! Each function takes the text of a file and gives the model, if it has no error, and everything that was found.
//! Nothing here reads a file, a secret or a clock; a relative path is taken from `base`, the directory of the file.

mod credential;
mod inventory;
mod part;
mod settings;
mod topology;

pub(super) use part::sealed_name;

use std::path::Path;

use super::problem::{Finding, Findings};
use super::raw;
use super::schema::{self, FileKind};
use super::settings::{AgentSettings, HubSettings};
use crate::model::network::Network;
use crate::model::part::AgentPart;

/// Radio families that an inventory may name.
pub const PROFILES: &[&str] = crate::probe::radio::NAMES;

/// The text of a `network.toml`.
pub fn network(text: &str, base: &Path) -> (Option<Network>, Findings) {
    let mut findings = Findings::default();
    let network = raw::read(FileKind::Inventory, text, &mut findings).and_then(|raw| {
        let network = inventory::network(&raw, base, &mut findings)?;
        topology::check(&raw, &network, &mut findings);
        Some(network)
    });
    finish(network, findings)
}

/// The text of a `hub.toml`.
pub fn hub(text: &str, base: &Path) -> (Option<HubSettings>, Findings) {
    let mut findings = Findings::default();
    let raw = raw::read(FileKind::Hub, text, &mut findings);
    let settings = raw.and_then(|raw| settings::hub(&raw, base, &mut findings));
    finish(settings, findings)
}

/// The text of an `agent.toml`.
pub fn agent(text: &str, base: &Path) -> (Option<AgentSettings>, Findings) {
    let mut findings = Findings::default();
    let raw = raw::read(FileKind::Agent, text, &mut findings);
    let settings = raw.and_then(|raw| settings::agent(&raw, base, &mut findings));
    finish(settings, findings)
}

/// The text of an agent's part of the inventory, as the hub sends it. Keys that this version does not know are ignored.
pub fn part(text: &str) -> (Option<AgentPart>, Findings) {
    let mut findings = Findings::default();
    let raw = raw::read_table(&schema::PART, raw::Unknown::Ignored, text, &mut findings);
    let part = raw.and_then(|raw| part::part(&raw, &mut findings));
    finish(part, findings)
}

/// A value that was built from a file with an error is not handed out. (A value that is missing without an error
/// would be a fault of this program; it is refused like one of the file.)
fn finish<T>(value: Option<T>, mut findings: Findings) -> (Option<T>, Findings) {
    if value.is_none() && !findings.has_error() {
        findings.push(Finding::error(0, "", "cannot be understood, and vedetta does not know why: please report this"));
    }
    (value.filter(|_| !findings.has_error()), findings)
}

#[cfg(test)]
mod tests;
