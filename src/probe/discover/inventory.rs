//! What was found, as an inventory to paste, and what differs from one that there is. `[P]`
//!
//! What could not be decided says so in a comment `# to decide: …`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::{Value as Json, json};

use super::Found;
use super::pair::{Evidence, Pairs};
use super::ranges::Range;
use crate::model::network::Network;

/// Longest id (docs/inventory.md).
const ID_CHARS_MAX: usize = 64;

/// What was found, with names for all of it.
#[derive(Debug)]
pub struct Draft<'a> {
    found: &'a [Found],
    pairs: &'a Pairs,
    /// By device.
    ids: Vec<String>,
    sites: Vec<String>,
    /// What the inventory has of it already.
    known: Vec<bool>,
}

/// An id made of a text: what an id cannot have becomes a hyphen.
fn slug(text: &str) -> String {
    let plain = |c: char| match c.to_ascii_lowercase() {
        'à' | 'á' => 'a',
        'è' | 'é' => 'e',
        'ì' | 'í' => 'i',
        'ò' | 'ó' => 'o',
        'ù' | 'ú' => 'u',
        c if c.is_ascii_alphanumeric() => c,
        _ => '-',
    };
    let text: String = text.chars().map(plain).collect();
    let words: Vec<&str> = text.split('-').filter(|word| !word.is_empty()).collect();
    let id: String = words.join("-").chars().take(ID_CHARS_MAX - 4).collect();
    id.trim_end_matches('-').to_owned()
}

/// `wanted`, or the same with a number, that nobody has yet.
fn unique(wanted: &str, taken: &mut BTreeSet<String>) -> String {
    let numbered = (2..).map(|n| format!("{wanted}-{n}"));
    let id = std::iter::once(wanted.to_owned()).chain(numbered).find(|id| !taken.contains(id)).unwrap_or_default();
    taken.insert(id.clone());
    id
}

/// A TOML basic string; JSON escapes what TOML wants escaped, but for DEL, which [`super::super::value::clean_text`]
/// takes out.
fn quoted(text: &str) -> String {
    Json::from(text).to_string()
}

fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

impl<'a> Draft<'a> {
    /// `network`: the inventory that there is.
    pub fn new(found: &'a [Found], pairs: &'a Pairs, network: Option<&Network>) -> Self {
        let mut taken: BTreeSet<String> =
            network.into_iter().flat_map(|n| n.devices.keys()).map(ToString::to_string).collect();
        let mut draft = Self { found, pairs, ids: Vec::new(), sites: Vec::new(), known: Vec::new() };
        for device in found {
            let of = network.and_then(|n| n.devices.values().find(|d| d.address == device.address));
            draft.known.push(of.is_some());
            let id = of.map_or_else(
                || {
                    let name = device.name.as_deref().map(slug).filter(|name| !name.is_empty());
                    unique(&name.unwrap_or_else(|| slug(&format!("device {}", device.address))), &mut taken)
                },
                |of| of.id.to_string(),
            );
            let place = device.location.as_deref().map(slug).filter(|place| !place.is_empty());
            draft.sites.push(of.map_or_else(
                || {
                    place.unwrap_or_else(|| {
                        format!("place-of-{}", id.chars().take(ID_CHARS_MAX - 9).collect::<String>())
                    })
                },
                |of| of.site.to_string(),
            ));
            draft.ids.push(id);
        }
        draft
    }

    fn is_new(&self, i: usize) -> bool {
        !self.known[i]
    }

    /// Tables to paste; those that `network` has are left out.
    pub fn toml(&self, credentials: &[(String, &'static str)], network: Option<&Network>) -> String {
        let mut out = String::new();
        let new: Vec<usize> = (0..self.found.len()).filter(|i| self.is_new(*i)).collect();
        let used: BTreeSet<&str> = new.iter().map(|i| self.found[*i].credential.as_str()).collect();
        for (name, version) in credentials.iter().filter(|(name, _)| used.contains(name.as_str())) {
            let id = slug(name);
            if network.is_none_or(|n| !n.credentials.contains_key(id.as_str())) {
                credential(&mut out, &id, version);
            }
        }
        self.site_tables(&mut out, &new, network);
        for i in new {
            self.device(&mut out, i);
        }
        self.link_tables(&mut out, network);
        self.sector_tables(&mut out, network);
        out
    }

    fn site_tables(&self, out: &mut String, new: &[usize], network: Option<&Network>) {
        let mut sites: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for i in new {
            sites.entry(&self.sites[*i]).or_default().push(*i);
        }
        for (site, devices) in sites {
            if network.is_some_and(|n| n.sites.contains_key(site)) {
                continue;
            }
            let told = devices.iter().find_map(|i| self.found[*i].location.as_deref());
            let (name, from) = match told {
                Some(location) => (location.to_owned(), "by sysLocation"),
                None => (self.ids[devices[0]].clone(), "sysLocation is empty"),
            };
            let _ = writeln!(
                out,
                "\n[[site]]  # to decide: is this one place of its own? ({from})\nid = {}\nname = {}\n\
                 kind = \"relay\"  # to decide: municipality, town-hall, school, relay or pop\n\
                 # to decide: lat = 44.5, lon = 8.0 (a line each), and agent = true where an agent stands",
                quoted(site),
                quoted(&one_line(&name))
            );
        }
    }

    fn device(&self, out: &mut String, i: usize) {
        let found = &self.found[i];
        let told = [found.model.as_deref(), found.firmware.as_deref(), found.name.as_deref()];
        let told: Vec<String> = told.into_iter().flatten().map(one_line).collect();
        let _ = writeln!(out, "\n# {}: {}", found.profile, told.join(", "));
        if let Some(why) = &found.unread {
            let _ = writeln!(out, "# to decide: what it is; {why}");
        }
        for (_, why) in self.pairs.undecided.iter().filter(|(of, _)| *of == i) {
            let _ = writeln!(out, "# to decide: its other end; {why}");
        }
        let _ = writeln!(
            out,
            "[[device]]\nid = {}\nsite = {}\naddress = \"{}\"\nsnmp = {}",
            quoted(&self.ids[i]),
            quoted(&self.sites[i]),
            found.address,
            quoted(&slug(&found.credential))
        );
        if found.port != super::super::command::SNMP_PORT {
            let _ = writeln!(out, "snmp_port = {}", found.port);
        }
        // An access point knows its peer by the address that it tells.
        let point = self.pairs.pairs.iter().find(|p| p.far == i && self.found[p.near].sector);
        let mac = point.and_then(|p| found.own_macs.intersection(&self.found[p.near].peers).next());
        if let Some(mac) = mac {
            let _ = writeln!(out, "mac = \"{mac}\"");
        }
    }

    fn joined(&self, network: Option<&Network>, near: usize, far: usize) -> bool {
        let ends = [self.ids[near].as_str(), self.ids[far].as_str()];
        network.is_some_and(|n| {
            n.links.values().any(|l| ends.contains(&l.near.as_str()) && ends.contains(&l.far.as_str()))
        })
    }

    fn link_tables(&self, out: &mut String, network: Option<&Network>) {
        let mut taken: BTreeSet<String> =
            network.into_iter().flat_map(|n| n.links.keys()).map(ToString::to_string).collect();
        for pair in &self.pairs.pairs {
            if self.joined(network, pair.near, pair.far) {
                continue;
            }
            let why = match pair.by {
                Evidence::Both => "# both ends name each other",
                Evidence::One => "# one end names the other",
                Evidence::Names => "# to decide: is this a link? Only the names of its ends say so",
            };
            let (near, far) = (&self.ids[pair.near], &self.ids[pair.far]);
            let id = unique(&slug(&format!("{near} {far}")), &mut taken);
            let _ = writeln!(
                out,
                "\n{why}\n[[link]]  # to decide: wisp, cost\nid = {}\nnear = {}\nfar = {}",
                quoted(&id),
                quoted(near),
                quoted(far)
            );
        }
    }

    fn sector_tables(&self, out: &mut String, network: Option<&Network>) {
        for (i, id) in self.ids.iter().enumerate().filter(|(i, _)| self.found[*i].sector) {
            if network.is_some_and(|n| n.sectors.values().any(|s| s.access_point.as_str() == id)) {
                continue;
            }
            let peers = self.pairs.pairs.iter().filter(|p| p.near == i).map(|p| quoted(&self.ids[p.far]));
            let peers: Vec<String> = peers.collect();
            if peers.is_empty() {
                let _ = writeln!(out, "\n# to decide: {id} serves several peers, and none of them was found");
                continue;
            }
            let sector = format!("{}-set", id.chars().take(ID_CHARS_MAX - 4).collect::<String>());
            let peers = peers.join(", ");
            let _ = writeln!(
                out,
                "\n[[sector]]  # to decide: are these all that are ours? Other peers are strangers\nid = {}\n\
                 access_point = {}\npeers = [{peers}]",
                quoted(&sector),
                quoted(id)
            );
        }
    }

    /// What differs from the inventory, a line each. Only devices within `ranges` can be missing.
    pub fn differences(&self, network: &Network, ranges: &[Range]) -> Vec<String> {
        let mut lines = Vec::new();
        for (i, found) in self.found.iter().enumerate() {
            let id = &self.ids[i];
            let Some(device) = network.devices.values().find(|d| d.address == found.address) else {
                lines.push(self.newcomer(network, i));
                continue;
            };
            if let Some(profile) = device.profile.as_ref().filter(|p| **p != found.profile && found.unread.is_none()) {
                lines.push(format!("profile of {id}: {profile} in the inventory, {} found", found.profile));
            }
            if let Some(mac) =
                device.mac.as_ref().filter(|m| !found.own_macs.is_empty() && !found.own_macs.contains(*m))
            {
                lines.push(format!("mac of {id}: {mac} in the inventory, and the device has no such address"));
            }
        }
        for device in network.devices.values().filter(|d| d.credential.is_some()) {
            let asked = ranges.iter().any(|range| range.contains(device.address));
            if asked && self.found.iter().all(|found| found.address != device.address) {
                lines.push(format!("missing: {} did not answer on {}", device.id, device.address));
            }
        }
        for pair in self.pairs.pairs.iter().filter(|p| p.by != Evidence::Names) {
            let (near, far) = (&self.ids[pair.near], &self.ids[pair.far]);
            if self.known[pair.near] && self.known[pair.far] && !self.joined(Some(network), pair.near, pair.far) {
                lines.push(format!("peer: {near} and {far} are linked, and the inventory has no such link"));
            }
        }
        lines
    }

    fn newcomer(&self, network: &Network, i: usize) -> String {
        let found = &self.found[i];
        let same = |mac: &Option<String>| mac.as_ref().is_some_and(|mac| found.own_macs.contains(mac));
        let name = found.name.as_deref().map(slug).unwrap_or_default();
        let elsewhere = network.devices.values().find(|d| same(&d.mac) || d.id.as_str() == name);
        match elsewhere {
            Some(device) => {
                format!("address of {}: {} in the inventory, {} found", device.id, device.address, found.address)
            }
            None => format!("new: {} on {} ({})", self.ids[i], found.address, found.profile),
        }
    }

    /// One object for scripts.
    pub fn to_json(&self, differs: Option<&[String]>, complete: bool, unanswered: u64) -> Json {
        let device = |(i, found): (usize, &Found)| {
            let undecided: Vec<&str> =
                self.pairs.undecided.iter().filter(|(of, _)| *of == i).map(|(_, why)| why.as_str()).collect();
            json!({
                "device": self.ids[i], "site": self.sites[i], "address": found.address, "snmp_port": found.port,
                "credential": found.credential, "profile": found.profile, "identified_by": found.identified_by,
                "model": found.model, "firmware": found.firmware, "name": found.name, "location": found.location,
                "sector": found.sector, "radio": found.radio, "in_inventory": self.known[i], "unread": found.unread,
                "undecided": undecided,
            })
        };
        let link = |pair: &super::pair::Pair| {
            let by = match pair.by {
                Evidence::Both => "both ends",
                Evidence::One => "one end",
                Evidence::Names => "names only",
            };
            json!({ "near": self.ids[pair.near], "far": self.ids[pair.far], "by": by })
        };
        json!({
            "complete": complete, "unanswered": unanswered,
            "devices": self.found.iter().enumerate().map(device).collect::<Vec<_>>(),
            "links": self.pairs.pairs.iter().map(link).collect::<Vec<_>>(),
            "differs": differs,
        })
    }
}

fn credential(out: &mut String, id: &str, version: &str) {
    let id = quoted(id);
    let _ = if version == "v3" {
        writeln!(out, "\n# to decide: [[credential]] id = {id}, version = \"v3\", with its user and passwords")
    } else {
        writeln!(
            out,
            "\n[[credential]]\nid = {id}\nversion = \"{version}\"\n\
             community_env = \"VEDETTA_COMMUNITY\"  # to decide: where the community is, or community_file"
        )
    };
}
