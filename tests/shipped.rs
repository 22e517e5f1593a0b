//! What ships with the program: every example file loads, the samples say what the defaults say, the page that
//! explains the keys is the one that the code prints.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use vedetta::config::schema::{FileKind, Kind, Table};
use vedetta::config::{check_files, load_agent, load_hub, load_network, reference};
use vedetta::model::SiteId;
use vedetta::model::network::{BundleMode, Medium, Network, SiteKind};

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn alta_langa() -> Network {
    let loaded = load_network(&root("configs/alta-langa.toml")).expect("the example loads");
    assert_eq!(loaded.warnings, [], "the example has no warnings");
    loaded.value
}

#[test]
fn every_file_in_configs_loads_without_a_warning() {
    let mut paths: Vec<_> = std::fs::read_dir(root("configs")).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    assert!(paths.len() >= 3, "{paths:?}");
    let report = check_files(&paths);
    assert_eq!(report.problems, [], "{}", report.render(false));
    let kinds: Vec<_> = report.files.iter().filter_map(|file| file.kind).collect();
    assert!(FileKind::ALL.iter().all(|kind| kinds.contains(kind)), "one example of each kind");
}

#[test]
fn the_page_of_keys_is_what_the_code_prints() {
    let path = root("docs/inventory.md");
    let expected = reference::markdown();
    if std::env::var_os("VEDETTA_BLESS").is_some() {
        std::fs::write(&path, &expected).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "docs/inventory.md is out of date: VEDETTA_BLESS=1 cargo test --test shipped");
}

#[test]
fn the_page_of_conditions_is_what_the_code_prints() {
    let path = root("docs/conditions.md");
    let expected = vedetta::model::condition::page::markdown();
    if std::env::var_os("VEDETTA_BLESS").is_some() {
        std::fs::write(&path, &expected).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "docs/conditions.md is out of date: VEDETTA_BLESS=1 cargo test --test shipped");
}

/// `text` as a file of a directory of its own, beside which relative paths begin.
fn in_file<T>(text: &str, load: impl Fn(&Path) -> T) -> T {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("settings.toml");
    std::fs::write(&path, text).unwrap();
    load(&path)
}

fn sample(name: &str) -> String {
    std::fs::read_to_string(root("configs").join(name)).unwrap()
}

/// The settings without the directory that they were read from.
fn shown(settings: &impl std::fmt::Debug, dir_of: &Path) -> String {
    format!("{settings:#?}").replace(&dir_of.parent().unwrap().display().to_string(), "DIR")
}

#[test]
fn the_hub_sample_says_what_an_empty_file_says() {
    let show = |path: &Path| shown(&load_hub(path).unwrap().value, path);
    assert_eq!(in_file(&sample("hub.toml"), show), in_file("", show));
}

#[test]
fn the_agent_sample_says_what_its_required_keys_say() {
    let show = |path: &Path| shown(&load_agent(path).unwrap().value, path);
    let least = "agent = \"bric-della-croce\"\nnetwork = \"alta-langa\"\n[mqtt]\nhost = \"broker.unione.example\"\n";
    assert_eq!(in_file(&sample("agent.toml"), show), in_file(least, show));
}

/// The sample with every optional line taken in: those that begin with `#` and no space.
fn taken_in(sample: &str) -> String {
    let line = |line: &str| match line.strip_prefix('#') {
        Some(rest) if rest.starts_with(|c: char| c == '[' || c.is_ascii_lowercase()) => rest.to_owned(),
        _ => line.to_owned(),
    };
    sample.lines().map(|l| line(l) + "\n").collect()
}

#[test]
fn the_optional_lines_of_the_samples_load_too() {
    let hub =
        in_file(&taken_in(&sample("hub.toml")), |path| load_hub(path).map(|loaded| (loaded.value, loaded.warnings)));
    let (hub, warnings) = hub.unwrap();
    assert_eq!(warnings, []);
    assert!(hub.mqtt.is_some() && hub.influx.is_some() && hub.mail.is_some() && hub.web.public_url.is_some());
    let agent = in_file(&taken_in(&sample("agent.toml")), load_agent).unwrap();
    assert_eq!(agent.warnings, []);
    assert_eq!(agent.value.credentials.len(), 2);
}

fn keys_of(table: &'static Table, into: &mut BTreeSet<&'static str>) {
    for key in table.keys {
        if !matches!(key.kind, Kind::Refused(_)) {
            into.insert(key.name);
        }
        if let Kind::Table(inner) | Kind::Tables(inner) = key.kind {
            keys_of(inner, into);
        }
    }
}

#[test]
fn the_samples_show_every_key() {
    for kind in [FileKind::Hub, FileKind::Agent] {
        let text = sample(kind.file_name());
        let mut keys = BTreeSet::new();
        keys_of(kind.schema(), &mut keys);
        let words: BTreeSet<_> = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).collect();
        let missing: Vec<_> = keys.difference(&words).collect();
        assert!(missing.is_empty(), "{} does not show {missing:?}", kind.file_name());
    }
}

#[test]
fn the_example_has_what_it_promises() {
    let network = alta_langa();
    let n_sites = |kind: SiteKind| network.sites.values().filter(|site| site.kind == kind).count();
    assert_eq!(n_sites(SiteKind::Municipality), 38);
    assert_eq!((n_sites(SiteKind::School), n_sites(SiteKind::TownHall)), (2, 1));
    assert_eq!((network.wisps.len(), network.backhauls.len()), (3, 4));
    assert_eq!((network.bundles.len(), network.sectors.len()), (1, 1));
    assert!((5..=7).contains(&network.agents().count()));
    let n_radio = network.links.values().filter(|link| link.medium == Medium::Radio).count();
    assert!((55..=66).contains(&n_radio), "{n_radio} radio links");
    assert!(
        network
            .wisps
            .values()
            .all(|w| w.name.ends_with("(example)") && w.email.iter().all(|e| e.ends_with(".example")))
    );
    assert!(network.devices.values().all(|d| d.credential.is_some() && d.profile.is_some()));
    // The residents of 2021 of the 38 together, by ISTAT.
    let residents: u32 = network.sites.values().filter_map(|site| site.residents).sum();
    assert_eq!(residents, 17_882);
    let bundle = &network.bundles["bossolasco-murazzano-coppia"];
    assert_eq!(bundle.mode, BundleMode::Standby);
    let profile = |link: &str| network.devices[&network.links[link].near].profile.as_deref();
    assert_eq!(profile(bundle.links[0].as_str()), Some("ubiquiti-af60"));
    assert_eq!(profile(bundle.links[1].as_str()), Some("ubiquiti-airmax"));
    let town_hall = network.sites["municipio-cortemilia"].target.unwrap();
    assert_eq!((town_hall.downstream_mbps, town_hall.upstream_mbps), (200.0, Some(200.0)));
}

#[test]
fn the_simulator_can_tell_every_family() {
    for device in alta_langa().devices.values() {
        let id = device.id.as_str();
        let fits = match device.profile.as_deref() {
            Some("ubiquiti-af60") => id.ends_with("-af60"),
            Some("ubiquiti-airmax") => id.ends_with("-airmax"),
            Some("mikrotik") => id.ends_with("-60g") || id.ends_with("-5g"),
            _ => false,
        };
        assert!(fits, "{id}");
    }
}

/// Straight-line distance on a plane tangent at the middle of the network: good to a few metres at this size, and not
/// the formula of the code.
fn plane_km(network: &Network, a: &SiteId, b: &SiteId) -> f64 {
    let (a, b) = (&network.sites[a], &network.sites[b]);
    let north = (a.lat - b.lat) * 111.13;
    let east = (a.lon - b.lon) * 111.32 * 44.56_f64.to_radians().cos();
    north.hypot(east)
}

#[test]
fn the_example_could_be_built() {
    let network = alta_langa();
    for link in network.links.values() {
        let (near, far) = network.link_sites(link);
        let km = plane_km(&network, &near, &far);
        let km_max = if link.near.as_str().ends_with("-60g") { 1.8 } else { 15.0 };
        assert!(km > 0.1 && km < km_max, "{}: {km:.1} km", link.id);
    }
    let addresses: BTreeSet<_> = network.devices.values().map(|device| device.address).collect();
    assert_eq!(addresses.len(), network.devices.len(), "addresses are all different");
}

/// What each family carries in fair weather, Mbps: one pool where `true`.
fn nominal(device: &str) -> (f64, bool) {
    match device.rsplit('-').next() {
        Some("af60") => (940.0, false),
        Some("60g") => (940.0, true),
        Some("airmax") => (240.0, true),
        _ => (150.0, true),
    }
}

/// Routes every promise over least-cost paths by Bellman-Ford, adds up, and looks at every link and exit.
#[test]
fn in_fair_weather_every_promise_holds_with_a_fifth_to_spare() {
    let network = alta_langa();
    let standby: BTreeSet<_> = network.bundles.values().flat_map(|bundle| &bundle.links[1..]).collect();
    let links: Vec<_> = network.links.values().filter(|link| !standby.contains(&link.id)).collect();
    let mut cost: BTreeMap<SiteId, (u32, Option<usize>, String)> = BTreeMap::new();
    for backhaul in network.backhauls.values() {
        cost.insert(backhaul.site.clone(), (backhaul.cost, None, backhaul.id.to_string()));
    }
    for _ in 0..network.sites.len() {
        for (n, link) in links.iter().enumerate() {
            let (near, far) = network.link_sites(link);
            for (from, to) in [(&near, &far), (&far, &near)] {
                let Some((base, _, exit)) = cost.get(from).cloned() else { continue };
                if cost.get(to).is_none_or(|(known, ..)| base + link.cost < *known) {
                    cost.insert(to.clone(), (base + link.cost, Some(n), exit));
                }
            }
        }
    }
    let mut load = vec![(0.0, 0.0); links.len()];
    let mut exits: BTreeMap<String, (f64, f64)> = BTreeMap::new();
    for site in network.sites.values() {
        let Some(target) = site.target else { continue };
        let up = target.upstream_mbps.unwrap_or(0.0);
        let mut here = site.id.clone();
        let exit = exits.entry(cost[&here].2.clone()).or_default();
        *exit = (exit.0 + target.downstream_mbps, exit.1 + up);
        while let Some(n) = cost[&here].1 {
            load[n] = (load[n].0 + target.downstream_mbps, load[n].1 + up);
            let (near, far) = network.link_sites(links[n]);
            here = if near == here { far } else { near };
        }
    }
    for (link, (down, up)) in links.iter().zip(&load) {
        let (capacity, is_pool) = nominal(link.near.as_str());
        let needed = if is_pool { down + up } else { down.max(*up) };
        assert!(needed * 1.2 <= capacity, "{}: {needed} of {capacity} Mbps", link.id);
    }
    let sector = &network.sectors["bric-della-croce-settore"];
    let sector_load: f64 =
        links.iter().zip(&load).filter(|(l, _)| l.near == sector.access_point).map(|(_, l)| l.0).sum();
    assert!(sector_load > 0.0 && sector_load * 1.2 <= 240.0, "{sector_load}");
    for backhaul in network.backhauls.values() {
        let (down, up) = exits[backhaul.id.as_str()];
        assert!(down * 1.2 <= backhaul.contract_downstream_mbps.min(940.0), "{}: {down}", backhaul.id);
        assert!(up * 1.2 <= backhaul.contract_upstream_mbps, "{}: {up}", backhaul.id);
    }
    let total: f64 = exits.values().map(|exit| exit.0).sum();
    assert_eq!(total, 38.0 * 30.0 + 2.0 * 100.0 + 200.0);
}

#[test]
fn the_trunks_are_a_mesh() {
    let network = alta_langa();
    // Without any one trunk, every site still reaches a backhaul.
    let trunks: Vec<_> = network.links.values().filter(|link| link.cost == 10).collect();
    assert!(trunks.len() >= 9);
    for cut in trunks {
        let mut reached: BTreeSet<SiteId> = network.backhauls.values().map(|backhaul| backhaul.site.clone()).collect();
        for _ in 0..network.sites.len() {
            for link in network.links.values().filter(|link| link.id != cut.id) {
                let (near, far) = network.link_sites(link);
                if reached.contains(&near) || reached.contains(&far) {
                    reached.extend([near, far]);
                }
            }
        }
        assert_eq!(reached.len(), network.sites.len(), "without {}", cut.id);
    }
}

#[cfg(feature = "sim")]
#[test]
fn the_shipped_scenarios_fit_the_example_network() {
    use vedetta::sim::command::load_scenario;
    let network = alta_langa();
    for entry in std::fs::read_dir(root("configs/scenarios")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            continue;
        }
        let scenario = load_scenario(&path).unwrap();
        assert_eq!(scenario.check(&network), [], "{}", path.display());
    }
}
