//! Takes out of a recording what is nobody's business: names, contacts, places, serial numbers, SSIDs, addresses. `[P]`
//!
//! Each MAC address becomes 02:00:00:.. and each IPv4 address one of RFC 5737, the same everywhere and in the same
//! order, so that peers still match and tables keep their order. Of texts only those stay that the decoder needs (the
//! reading changes without them) and, outside of what a decoder asks for, those made of technical words and short
//! numbers; sysDescr stays without what looks like a name. Other octets become zeros unless the decoder needs them.
//! Numbers stay: only a person can tell that one is a serial number or a coordinate.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use super::Objects;
use crate::probe::radio::SYS_DESCR;
use crate::probe::value::{Oid, Value, mac_of_arcs, mac_of_text};

/// SNMPv2-MIB (RFC 3418).
pub const SYS_CONTACT: &[u32] = &[1, 3, 6, 1, 2, 1, 1, 4, 0];
pub const SYS_NAME: &[u32] = &[1, 3, 6, 1, 2, 1, 1, 5, 0];
pub const SYS_LOCATION: &[u32] = &[1, 3, 6, 1, 2, 1, 1, 6, 0];
const IF_DESCR: &[u32] = &[1, 3, 6, 1, 2, 1, 2, 2, 1, 2];
const IF_NAME: &[u32] = &[1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 1];

/// Arcs at the beginning of an OID that are never taken for an address: 1.3.6.1.4.1.VENDOR and one more.
const PATH_ARCS: usize = 8;
/// Arcs of an index that a MAC address has from here on more often than the path of an object.
const ARC_LARGE: u32 = 32;
/// Four numbers in a text whose first is smaller are a version and no address: nobody has a radio in 0/8 to 9/8.
const VERSION_BELOW: u8 = 10;
/// A text shorter than this is no name worth searching in other texts.
const NAME_CHARS_MIN: usize = 4;
/// Texts tried one by one for whether the decoder needs them: beyond, they are blanked unseen.
const TRIALS_MAX: usize = 2_000;

/// What a recording is made of, besides the objects.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// MAC addresses that the decoder told, lower-case hex.
    pub macs: &'a BTreeSet<String>,
    /// Indexes of rows that the decoder looked at.
    pub indexes: &'a BTreeSet<Vec<u32>>,
    /// Objects that nobody but the user asked for.
    pub walked: &'a BTreeSet<Oid>,
}

/// The objects without what is personal. `reads`: what the decoder makes of objects.
pub fn blank(objects: &Objects, known: Known<'_>, reads: &dyn Fn(&Objects) -> String) -> Objects {
    let addresses = Addresses::of(objects, known);
    let mut blanked = addresses.replace(objects);
    let walked: BTreeSet<Oid> = known.walked.iter().map(|oid| addresses.oid(oid)).collect();
    let personal = personal(&blanked);
    for (oid, word) in [(SYS_CONTACT, "contact"), (SYS_NAME, "name"), (SYS_LOCATION, "location")] {
        if let Some(value) = blanked.get_mut(&Oid::from(oid)) {
            *value = Value::Bytes(word.as_bytes().to_vec());
        }
    }
    let mut blanker = Blanker { before: reads(&blanked), personal, numbers: BTreeMap::new(), trials: 0 };
    let texts: BTreeSet<Vec<u8>> = blanked.values().filter_map(bytes).map(<[u8]>::to_vec).collect();
    for text in texts {
        blanker.text(&text, &mut blanked, &walked, &addresses, reads);
    }
    blanked
}

fn bytes(value: &Value) -> Option<&[u8]> {
    if let Value::Bytes(bytes) = value { Some(bytes) } else { None }
}

fn plain(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok().filter(|text| !text.trim_end_matches('\0').chars().any(char::is_control))
}

/// Names that other texts may repeat, and the host's part of each.
fn personal(objects: &Objects) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for oid in [SYS_CONTACT, SYS_NAME, SYS_LOCATION] {
        let Some(text) = objects.get(&Oid::from(oid)).and_then(bytes).and_then(plain) else { continue };
        let text = text.trim_matches(['\0', ' ']).to_lowercase();
        let host = text.split('.').next().unwrap_or_default().to_owned();
        names.extend([text, host].into_iter().filter(|name| name.chars().count() >= NAME_CHARS_MIN));
    }
    names
}

struct Blanker {
    before: String,
    personal: BTreeSet<String>,
    /// The number of each text that was blanked, by kind.
    numbers: BTreeMap<&'static str, usize>,
    trials: usize,
}

impl Blanker {
    fn number(&mut self, kind: &'static str) -> usize {
        let number = self.numbers.entry(kind).or_default();
        *number += 1;
        *number
    }

    /// Decides about one text wherever it stands.
    fn text(
        &mut self,
        text: &[u8],
        objects: &mut Objects,
        walked: &BTreeSet<Oid>,
        addresses: &Addresses,
        reads: &dyn Fn(&Objects) -> String,
    ) {
        let is_system = |oid: &Oid| [SYS_CONTACT, SYS_NAME, SYS_LOCATION].contains(&oid.arcs());
        let is_port = |oid: &Oid| oid.under(IF_DESCR).or_else(|| oid.under(IF_NAME)).is_some();
        let places: Vec<Oid> = objects
            .iter()
            .filter(|(oid, value)| bytes(value) == Some(text) && !is_system(oid))
            .map(|(oid, _)| oid.clone())
            .collect();
        let whole_mac = plain(text).and_then(mac_of_text).is_some() || addresses.has_octets(text);
        if places.is_empty() || text.is_empty() || whole_mac {
            return;
        }
        let scrubbed = plain(text).map(|text| self.scrub(text).into_bytes());
        let (ports, rest): (Vec<Oid>, Vec<Oid>) = places.into_iter().partition(is_port);
        if !ports.is_empty() {
            let name = plain(text).unwrap_or_default();
            let name = port_name(name).unwrap_or_else(|| format!("port-{}", self.number("port")));
            put(objects, &ports, name.as_bytes());
        }
        let (described, rest): (Vec<Oid>, Vec<Oid>) = rest.into_iter().partition(|oid| oid.arcs() == SYS_DESCR);
        if !described.is_empty() {
            put(objects, &described, scrubbed.as_deref().unwrap_or_default());
        }
        let (beside, asked): (Vec<Oid>, Vec<Oid>) = rest.into_iter().partition(|oid| walked.contains(oid));
        let technical = plain(text).is_some_and(is_technical);
        if asked.is_empty() && (technical || beside.is_empty()) {
            return;
        }
        let blind = match &scrubbed {
            Some(_) => format!("text-{}", self.numbers.get("text").unwrap_or(&0) + 1).into_bytes(),
            None => vec![0; text.len()],
        };
        put(objects, &beside, if technical { text } else { &blind });
        let mut used = !technical && !beside.is_empty();
        if !asked.is_empty() {
            self.trials += 1;
            put(objects, &asked, &blind);
            if self.trials <= TRIALS_MAX && reads(objects) != self.before {
                put(objects, &asked, scrubbed.as_deref().unwrap_or(text));
            } else {
                used = true;
            }
        }
        if used && scrubbed.is_some() {
            self.number("text");
        }
    }

    /// A text that must stay, without what looks like a name in it.
    fn scrub(&self, text: &str) -> String {
        let mut words: Vec<String> = Vec::new();
        let mut serial = false;
        for (i, word) in text.split(' ').enumerate() {
            let lower = word.to_lowercase();
            let host = i == 1 && words[0] == "Linux" && !word.starts_with(|c: char| c.is_ascii_digit());
            let bare = lower.trim_end_matches([':', '=', '#', '.']);
            let label = ["serial", "s/n", "sn", "serialnumber", "serialno"].contains(&bare)
                || serial && ["no", "number", "num", ""].contains(&bare);
            let glued = ["s/n:", "s/n=", "sn:", "sn=", "serial:", "serial="];
            if serial && !label || glued.iter().any(|label| lower.starts_with(label) && lower.len() > label.len()) {
                words.push("serial".to_owned());
            } else if word.contains('@') {
                words.push("contact".to_owned());
            } else if host {
                words.push("name".to_owned());
            } else {
                words.push(word.to_owned());
            }
            serial = label;
        }
        let mut text = words.join(" ");
        for name in &self.personal {
            text = without(&text, name);
        }
        text
    }
}

fn put(objects: &mut Objects, places: &[Oid], text: &[u8]) {
    for oid in places {
        objects.insert(oid.clone(), Value::Bytes(text.to_vec()));
    }
}

/// `text` with `name` (lower case) replaced, however it is written.
fn without(text: &str, name: &str) -> String {
    let (mut out, mut rest) = (String::new(), text);
    'search: while !rest.is_empty() {
        for (at, _) in rest.char_indices() {
            let tail = &rest[at..];
            let len: usize = tail.chars().take(name.chars().count()).map(char::len_utf8).sum();
            if tail[..len].to_lowercase() == name {
                out.push_str(&rest[..at]);
                out.push_str("name");
                rest = &tail[len..];
                continue 'search;
            }
        }
        break;
    }
    out + rest
}

/// Words of interface names that nobody has chosen.
const PORT_WORDS: [&str; 34] = [
    "air",
    "ath",
    "bond",
    "br",
    "bridge",
    "combo",
    "data",
    "dummy",
    "eoip",
    "eth",
    "ether",
    "ethernet",
    "fast",
    "fe",
    "fi",
    "ge",
    "gi",
    "gigabit",
    "gigabitethernet",
    "gre",
    "ifb",
    "interface",
    "lan",
    "lo",
    "mgmt",
    "port",
    "ra",
    "radio",
    "rf",
    "sfp",
    "sfpplus",
    "station",
    "wan",
    "wlan",
];

/// An interface name as it may stay: made of usual words and short numbers, or else only its usual beginning.
fn port_name(name: &str) -> Option<String> {
    let name = name.trim_matches(['\0', ' ']);
    if words(name).all(|word| PORT_WORDS.contains(&word.as_str()) || word == "wifi") && digits_max(name) <= 4 {
        return Some(name.to_owned());
    }
    let first: String = name.chars().take_while(char::is_ascii_alphabetic).collect();
    let digits: String = name[first.len()..].chars().take_while(char::is_ascii_digit).take(3).collect();
    let usual = PORT_WORDS.contains(&first.to_lowercase().as_str()) || first.eq_ignore_ascii_case("wifi");
    (usual && !digits.is_empty()).then(|| format!("{first}{digits}"))
}

/// Words that say nothing about anybody.
const TECHNICAL: [&str; 72] = [
    "a",
    "ac",
    "active",
    "ad",
    "auto",
    "ax",
    "backup",
    "bpsk",
    "connected",
    "db",
    "dbm",
    "disabled",
    "disconnected",
    "down",
    "enabled",
    "eth",
    "ether",
    "ethernet",
    "full",
    "ghz",
    "half",
    "high",
    "idle",
    "khz",
    "lan",
    "link",
    "low",
    "m",
    "main",
    "master",
    "mbit",
    "mbps",
    "mcs",
    "mhz",
    "mode",
    "n",
    "na",
    "no",
    "none",
    "normal",
    "of",
    "off",
    "ok",
    "on",
    "operational",
    "primary",
    "psk",
    "qam",
    "qpsk",
    "radio",
    "registered",
    "rx",
    "s",
    "secondary",
    "slave",
    "snr",
    "sta",
    "standby",
    "station",
    "status",
    "strong",
    "tx",
    "unknown",
    "unlocked",
    "locked",
    "up",
    "v",
    "w",
    "wlan",
    "x",
    "yes",
    "wan",
];

/// Whether a text is made of technical words and short numbers alone. A long number may be a serial number, one with
/// many decimals a coordinate.
fn is_technical(text: &str) -> bool {
    let digits = text.chars().filter(char::is_ascii_digit).count();
    digits <= 6 && text.is_ascii() && words(text).all(|word| TECHNICAL.contains(&word.as_str()))
}

fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty()).map(str::to_lowercase)
}

fn digits_max(text: &str) -> usize {
    text.split(|c: char| !c.is_ascii_digit()).map(str::len).max().unwrap_or_default()
}

/// Which address becomes which.
struct Addresses {
    macs: BTreeMap<[u8; 6], [u8; 6]>,
    ips: BTreeMap<[u8; 4], [u8; 4]>,
}

impl Addresses {
    fn of(objects: &Objects, known: Known<'_>) -> Self {
        let mut macs: BTreeSet<[u8; 6]> = known.macs.iter().filter_map(|mac| mac_octets(mac)).collect();
        let mut ips = BTreeSet::new();
        for index in known.indexes.iter().filter(|index| (6..=7).contains(&index.len())) {
            macs.extend(mac_of_arcs(&index[..6]).as_deref().and_then(mac_octets));
        }
        for oid in known.walked {
            macs.extend(mac_at_end(oid));
        }
        for value in objects.values() {
            match value {
                Value::IpAddress(octets) => drop(ips.insert(*octets)),
                Value::Bytes(bytes) => match (plain(bytes), <[u8; 6]>::try_from(bytes.as_slice())) {
                    (None, Ok(octets)) => drop(macs.insert(octets)),
                    (Some(text), _) => {
                        macs.extend(macs_in(text).into_iter().map(|found| found.octets));
                        ips.extend(ips_in(text).into_iter().map(|found| found.octets));
                    }
                    (None, Err(_)) => {}
                },
                _ => {}
            }
        }
        // Zeros and the broadcast address are nobody's.
        macs.retain(|mac| ![[0; 6], [0xff; 6]].contains(mac));
        ips.retain(|ip| !matches!(ip[0], 0 | 127 | 255));
        let numbered = |(i, mac): (usize, [u8; 6])| {
            let [.., high, low] = (i as u32 + 1).to_be_bytes();
            (mac, [2, 0, 0, 0, high, low])
        };
        Self {
            macs: macs.into_iter().enumerate().map(numbered).collect(),
            ips: ips.into_iter().enumerate().map(|(i, ip)| (ip, example_ip(i))).collect(),
        }
    }

    fn has_octets(&self, bytes: &[u8]) -> bool {
        // What was replaced already.
        <[u8; 6]>::try_from(bytes).is_ok_and(|octets| self.macs.values().any(|mac| *mac == octets))
    }

    fn oid(&self, oid: &Oid) -> Oid {
        let mut arcs = oid.arcs().to_vec();
        let mut at = PATH_ARCS;
        while at < arcs.len() {
            let mac = arcs.get(at..at + 6).and_then(mac_of_arcs).as_deref().and_then(mac_octets);
            let ip = arcs.get(at..at + 4).and_then(|four| {
                let octets: Vec<u8> = four.iter().map(|arc| u8::try_from(*arc).ok()).collect::<Option<_>>()?;
                octets.try_into().ok()
            });
            if let Some(other) = mac.and_then(|mac| self.macs.get(&mac)) {
                arcs[at..at + 6].copy_from_slice(&other.map(u32::from));
                at += 6;
            } else if let Some(other) = ip.and_then(|ip: [u8; 4]| self.ips.get(&ip)) {
                arcs[at..at + 4].copy_from_slice(&other.map(u32::from));
                at += 4;
            } else {
                at += 1;
            }
        }
        Oid::from(arcs.as_slice())
    }

    fn value(&self, value: &Value) -> Value {
        match value {
            Value::IpAddress(octets) => Value::IpAddress(*self.ips.get(octets).unwrap_or(octets)),
            Value::Oid(oid) => Value::Oid(self.oid(oid)),
            Value::Bytes(bytes) => {
                let mac = <[u8; 6]>::try_from(bytes.as_slice()).ok().and_then(|octets| self.macs.get(&octets));
                match (mac, plain(bytes)) {
                    (Some(mac), _) => Value::Bytes(mac.to_vec()),
                    (None, Some(text)) => Value::Bytes(self.text(text).into_bytes()),
                    (None, None) => value.clone(),
                }
            }
            _ => value.clone(),
        }
    }

    /// The text with its addresses replaced in the way they are written.
    fn text(&self, text: &str) -> String {
        let mut out = text.to_owned();
        // From the end, so that places stay right.
        for found in macs_in(text).iter().rev() {
            let Some(other) = self.macs.get(&found.octets) else { continue };
            let mut digits = other.iter().flat_map(|octet| format!("{octet:02x}").chars().collect::<Vec<_>>());
            let upper = text[found.start..found.end].chars().any(|c| c.is_ascii_uppercase());
            let put = |c: char| if c.is_ascii_hexdigit() { digits.next().unwrap_or('0') } else { c };
            let written: String = text[found.start..found.end].chars().map(put).collect();
            out.replace_range(found.start..found.end, &if upper { written.to_ascii_uppercase() } else { written });
        }
        let text = out.clone();
        for found in ips_in(&text).iter().rev() {
            if let Some(other) = self.ips.get(&found.octets) {
                out.replace_range(found.start..found.end, &Ipv4Addr::from(*other).to_string());
            }
        }
        out
    }

    fn replace(&self, objects: &Objects) -> Objects {
        objects.iter().map(|(oid, value)| (self.oid(oid), self.value(value))).collect()
    }
}

/// RFC 5737 has three times 254 addresses for examples; what comes after them becomes the last.
fn example_ip(i: usize) -> [u8; 4] {
    let host = (i % 254 + 1) as u8;
    match i / 254 {
        0 => [192, 0, 2, host],
        1 => [198, 51, 100, host],
        2 => [203, 0, 113, host],
        _ => [203, 0, 113, 254],
    }
}

fn mac_octets(hex: &str) -> Option<[u8; 6]> {
    let value = u64::from_str_radix(hex, 16).ok().filter(|_| hex.len() == 12)?;
    value.to_be_bytes()[2..].try_into().ok()
}

/// A MAC address that ends the index of an object that no decoder knows, perhaps with one more arc after it.
fn mac_at_end(oid: &Oid) -> Option<[u8; 6]> {
    let arcs = oid.arcs();
    [0, 1].into_iter().find_map(|after| {
        let start = arcs.len().checked_sub(6 + after)?;
        let window = arcs.get(start..start + 6).filter(|_| start > PATH_ARCS)?;
        let large = window.iter().filter(|arc| **arc >= ARC_LARGE).count();
        mac_of_arcs(window).as_deref().and_then(mac_octets).filter(|_| large >= 3)
    })
}

/// An address in a text, from byte `start` to before `end`.
struct Found<T> {
    start: usize,
    end: usize,
    octets: T,
}

/// Longest way to write a MAC address: 17 characters.
const MAC_CHARS: [usize; 3] = [17, 14, 12];

fn macs_in(text: &str) -> Vec<Found<[u8; 6]>> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let before = text.as_bytes()[..at].last().is_some_and(u8::is_ascii_alphanumeric);
        let hit = (!before).then(|| MAC_CHARS.iter().find_map(|len| mac_here(text, at, *len))).flatten();
        at = hit.as_ref().map_or(at + 1, |hit| hit.end);
        found.extend(hit);
    }
    found
}

fn mac_here(text: &str, start: usize, len: usize) -> Option<Found<[u8; 6]>> {
    let end = start + len;
    let part = text.get(start..end)?;
    let after = text.as_bytes().get(end).is_some_and(u8::is_ascii_alphanumeric);
    // Twelve digits without a letter are a date or a number, unless they are all there is.
    let letters = part.bytes().any(|b| b.is_ascii_alphabetic());
    let bare = len == 12 && !letters && part.len() != text.trim_matches(['\0', ' ']).len();
    let fits = part.bytes().next().is_some_and(|b| b.is_ascii_hexdigit());
    let separators = part.bytes().filter(|b| !b.is_ascii_hexdigit());
    let separated = match len {
        17 => separators.clone().count() == 5 && part.bytes().skip(2).step_by(3).all(|b| b":- ".contains(&b)),
        14 => separators.clone().count() == 2 && part.bytes().skip(4).step_by(5).all(|b| b == b'.'),
        _ => separators.clone().count() == 0,
    };
    // The same one throughout.
    let separated = separated && separators.clone().all(|b| Some(b) == separators.clone().next());
    let digits = mac_of_text(part).filter(|_| separated && fits && !after && !bare);
    let octets = digits.as_deref().and_then(mac_octets)?;
    Some(Found { start, end, octets })
}

fn ips_in(text: &str) -> Vec<Found<[u8; 4]>> {
    let mut found = Vec::new();
    let mut start = 0;
    for part in text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '.')) {
        let bare = part.trim_end_matches('.');
        // A version has a letter before its numbers, or begins with a small one (cnWave: 1.2.2.1).
        if let Some(ip) = bare.parse::<Ipv4Addr>().ok().filter(|ip| ip.octets()[0] >= VERSION_BELOW) {
            found.push(Found { start, end: start + bare.len(), octets: ip.octets() });
        }
        let split = text[start + part.len()..].chars().next().map_or(0, char::len_utf8);
        start += part.len() + split;
    }
    found
}

#[cfg(test)]
mod tests;
