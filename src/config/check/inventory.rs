//! The tables of `network.toml`, one function each. `[P]`
//!
//! An item that is not whole gives `None`: what is missing has been reported when it was read.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::Path;

use super::credential;
use crate::config::problem::Findings;
use crate::config::raw::{Item, Raw, Value};
use crate::model::network::{
    Backhaul, Backup, Bundle, BundleMode, Device, Duplex, Language, Link, Medium, Network, Sector, Service, Site,
    SiteKind, Staff, Target, Wisp,
};
use crate::model::{
    BackhaulId, BackupId, BundleId, CredentialId, DeviceId, LinkId, NetworkId, SectorId, ServiceId, SiteId, WispId,
};

/// The whole inventory; what several tables say together is [`super::topology`]'s.
pub fn network(raw: &Raw, base: &Path, findings: &mut Findings) -> Option<Network> {
    let general = raw.table("network");
    let language = general.and_then(language).unwrap_or(Language::Italian);
    let agents = agent_sites(raw);
    let devices = by_id(raw, "device", |d| device(d, &agents, findings), |d| d.id.clone());
    let targets = raw.table("targets")?;
    let network = Network {
        wisps: by_id(raw, "wisp", |w| wisp(w, language), |w| w.id.clone()),
        staff: raw.tables("staff").iter().filter_map(|s| staff(s, language)).collect(),
        sites: by_id(raw, "site", |s| site(s, targets), |s| s.id.clone()),
        credentials: credential::credentials(raw, base, findings),
        devices,
        links: by_id(raw, "link", link, |l| l.id.clone()),
        bundles: by_id(raw, "bundle", bundle, |b| b.id.clone()),
        sectors: by_id(raw, "sector", sector, |s| s.id.clone()),
        backhauls: by_id(raw, "backhaul", backhaul, |b| b.id.clone()),
        services: by_id(raw, "service", |s| service(s, &agents), |s| s.id.clone()),
        backups: by_id(raw, "backup", |b| backup(b, findings), |b| b.id.clone()),
        hub_site: raw.table("hub").and_then(|hub| reference(hub, "site", SiteId::parse)),
        id: NetworkId::parse(general?.text("id")?).ok()?,
        name: general?.text("name")?.to_owned(),
        time_zone: general?.text("time_zone")?.to_owned(),
        language,
        simultaneity: general?.number("simultaneity")?,
    };
    Some(network)
}

fn by_id<K: Ord, V>(
    raw: &Raw,
    table: &str,
    read: impl FnMut(&Raw) -> Option<V>,
    id: impl Fn(&V) -> K,
) -> BTreeMap<K, V> {
    raw.tables(table).iter().filter_map(read).map(|value| (id(&value), value)).collect()
}

/// Sites where an agent stands, as far as they can be read: also of sites that have another problem.
fn agent_sites(raw: &Raw) -> BTreeSet<SiteId> {
    let with_agent = raw.tables("site").iter().filter(|site| site.boolean("agent") == Some(true));
    with_agent.filter_map(|site| SiteId::parse(site.text("id")?).ok()).collect()
}

fn reference<T, E>(raw: &Raw, key: &str, parse: impl Fn(&str) -> Result<T, E>) -> Option<T> {
    parse(raw.text(key)?).ok()
}

fn references<T, E>(raw: &Raw, key: &str, parse: impl Fn(&str) -> Result<T, E>) -> Vec<T> {
    raw.texts(key).filter_map(|id| parse(id).ok()).collect()
}

/// A text that may be missing.
fn words(raw: &Raw, key: &str) -> Option<String> {
    raw.text(key).map(str::to_owned)
}

pub(super) fn language(raw: &Raw) -> Option<Language> {
    match raw.text("language")? {
        "en" => Some(Language::English),
        _ => Some(Language::Italian),
    }
}

fn target(raw: &Raw) -> Option<Target> {
    Some(Target { downstream_mbps: raw.number("downstream_mbps")?, upstream_mbps: raw.number("upstream_mbps") })
}

fn wisp(raw: &Raw, network_language: Language) -> Option<Wisp> {
    Some(Wisp {
        id: WispId::parse(raw.text("id")?).ok()?,
        name: words(raw, "name")?,
        email: raw.texts("email").map(str::to_owned).collect(),
        language: language(raw).unwrap_or(network_language),
        phone: words(raw, "phone"),
        attach_json: raw.boolean("attach_json").unwrap_or(false),
    })
}

fn staff(raw: &Raw, network_language: Language) -> Option<Staff> {
    Some(Staff {
        name: words(raw, "name")?,
        email: words(raw, "email")?,
        language: language(raw).unwrap_or(network_language),
    })
}

fn site(raw: &Raw, targets: &Raw) -> Option<Site> {
    let kind = raw.text("kind")?;
    let kind = SiteKind::ALL.into_iter().find(|k| k.as_str() == kind)?;
    let promised_to_kind = match kind {
        SiteKind::Relay | SiteKind::Pop => None,
        SiteKind::Municipality | SiteKind::TownHall | SiteKind::School => targets.table(kind.as_str()).and_then(target),
    };
    Some(Site {
        id: SiteId::parse(raw.text("id")?).ok()?,
        name: words(raw, "name")?,
        kind,
        lat: raw.number("lat")?,
        lon: raw.number("lon")?,
        residents: raw.integer("residents").and_then(|n| u32::try_from(n).ok()),
        municipality: reference(raw, "municipality", SiteId::parse),
        agent: raw.boolean("agent")?,
        target: raw.table("target").and_then(target).or(promised_to_kind),
        access: words(raw, "access"),
        contact: words(raw, "contact"),
        contact_email: raw.texts("contact_email").map(str::to_owned).collect(),
    })
}

fn device(raw: &Raw, agents: &BTreeSet<SiteId>, findings: &mut Findings) -> Option<Device> {
    let site = reference(raw, "site", SiteId::parse);
    let via = via(raw, site.as_ref(), agents, findings);
    Some(Device {
        id: DeviceId::parse(raw.text("id")?).ok()?,
        site: site?,
        address: raw.address("address")?,
        snmp_port: u16::try_from(raw.integer("snmp_port")?).ok()?,
        via: via?,
        credential: reference(raw, "snmp", CredentialId::parse),
        profile: words(raw, "profile"),
        ports: raw.texts("ports").map(str::to_owned).collect(),
        mac: words(raw, "mac"),
        trust: raw.boolean("trust")?,
    })
}

/// The agent that polls a device: the one named, its own site's, or the only one there is.
fn via(raw: &Raw, site: Option<&SiteId>, agents: &BTreeSet<SiteId>, findings: &mut Findings) -> Option<SiteId> {
    if raw.is_written("via") {
        let via = reference(raw, "via", SiteId::parse)?;
        if !agents.contains(&via) && !agents.is_empty() {
            let names: Vec<_> = agents.iter().map(SiteId::as_str).take(8).collect();
            let wanted = format!("no agent stands at this site; agents stand at {}", names.join(", "));
            findings.push(raw.error("via", wanted).found(format!("\"{via}\"")));
        }
        return Some(via);
    }
    match site {
        Some(site) if agents.contains(site) => Some(site.clone()),
        Some(_) if agents.len() == 1 => agents.first().cloned(),
        // Without any agent there is one problem, not one for each device; `topology` reports it.
        Some(site) if !agents.is_empty() => {
            let wanted = format!("must be given: no agent stands at {site}, and the network has {}", agents.len());
            findings.push(raw.error("via", wanted));
            None
        }
        _ => None,
    }
}

fn link(raw: &Raw) -> Option<Link> {
    let declared = raw.table("declared");
    Some(Link {
        id: LinkId::parse(raw.text("id")?).ok()?,
        near: reference(raw, "near", DeviceId::parse)?,
        far: reference(raw, "far", DeviceId::parse)?,
        near_radio: raw.text("near_radio").map(str::to_owned),
        far_radio: raw.text("far_radio").map(str::to_owned),
        medium: if raw.text("medium")? == "cable" { Medium::Cable } else { Medium::Radio },
        wisp: reference(raw, "wisp", WispId::parse),
        cost: u32::try_from(raw.integer("cost")?).ok()?,
        duplex: raw.text("duplex").map(|duplex| match duplex {
            "full" => Duplex::Full,
            "fixed" => Duplex::Fixed,
            _ => Duplex::Shared,
        }),
        target: raw.table("target").and_then(target),
        declared_mbps: declared.and_then(|d| Some((d.number("near_to_far_mbps")?, d.number("far_to_near_mbps")?))),
    })
}

fn bundle(raw: &Raw) -> Option<Bundle> {
    Some(Bundle {
        id: BundleId::parse(raw.text("id")?).ok()?,
        mode: match raw.text("mode")? {
            "sum" => BundleMode::Sum,
            "hash" => BundleMode::Hash,
            _ => BundleMode::Standby,
        },
        links: references(raw, "links", LinkId::parse),
    })
}

fn sector(raw: &Raw) -> Option<Sector> {
    Some(Sector {
        id: SectorId::parse(raw.text("id")?).ok()?,
        access_point: reference(raw, "access_point", DeviceId::parse)?,
        peers: references(raw, "peers", DeviceId::parse),
    })
}

/// A list of IP addresses.
pub fn addresses(raw: &Raw, key: &str) -> Vec<IpAddr> {
    let address = |item: &Item| match item.value {
        Value::Address(address) => Some(address),
        _ => None,
    };
    raw.items(key).iter().filter_map(address).collect()
}

fn backhaul(raw: &Raw) -> Option<Backhaul> {
    let contract = raw.table("contract")?;
    Some(Backhaul {
        id: BackhaulId::parse(raw.text("id")?).ok()?,
        site: reference(raw, "site", SiteId::parse)?,
        wisp: reference(raw, "wisp", WispId::parse)?,
        contract_downstream_mbps: contract.number("downstream_mbps")?,
        contract_upstream_mbps: contract.number("upstream_mbps")?,
        gateway: raw.address("gateway"),
        outside: addresses(raw, "outside"),
        cost: u32::try_from(raw.integer("cost")?).ok()?,
    })
}

fn service(raw: &Raw, agents: &BTreeSet<SiteId>) -> Option<Service> {
    let from =
        if raw.is_written("from") { references(raw, "from", SiteId::parse) } else { agents.iter().cloned().collect() };
    Some(Service {
        id: ServiceId::parse(raw.text("id")?).ok()?,
        name: words(raw, "name")?,
        url: words(raw, "url")?,
        from,
    })
}

fn backup(raw: &Raw, findings: &mut Findings) -> Option<Backup> {
    let (start, end) = (raw.minute_of_day("start")?, raw.minute_of_day("end")?);
    if start == end {
        findings.push(raw.error("end", "must differ from start: the window has no length"));
    }
    Some(Backup {
        id: BackupId::parse(raw.text("id")?).ok()?,
        name: words(raw, "name")?,
        site: reference(raw, "site", SiteId::parse)?,
        window_start_minute: start,
        window_end_minute: end,
        size_gigabytes: raw.number("size_gigabytes")?,
        start_grace: raw.duration("start_grace")?,
        finish_grace: raw.duration("finish_grace")?,
    })
}
