//! Whose a line is: the hub adds the tags `link` and `wisp` to what it forwards. `[P]`

use std::collections::{BTreeMap, HashMap};

use crate::model::network::Network;
use crate::model::{DeviceId, LinkId, Tag, WispId};
use crate::wire::line::Line;

/// The WISPs of links, bundles, backhauls and devices, and the links of devices.
#[derive(Debug, Clone, Default)]
pub struct WispIndex {
    links: HashMap<String, WispId>,
    backhauls: HashMap<String, WispId>,
    devices: HashMap<String, WispId>,
    /// A device to its links, each with the radio that is its end there, where the inventory names one.
    ends: HashMap<String, Vec<(Option<String>, LinkId)>>,
}

impl WispIndex {
    /// A device is its WISP's if all its links are; a bundle if all its members are.
    pub fn new(network: &Network) -> Self {
        let mut links: HashMap<String, WispId> = HashMap::new();
        let mut ends: HashMap<String, Vec<(Option<String>, LinkId)>> = HashMap::new();
        let mut of_device: BTreeMap<&DeviceId, Vec<Option<&WispId>>> = BTreeMap::new();
        for link in network.links.values() {
            links.extend(link.wisp.clone().map(|wisp| (link.id.to_string(), wisp)));
            for device in [&link.near, &link.far] {
                of_device.entry(device).or_default().push(link.wisp.as_ref());
                let radio = link.radio_of(device).map(str::to_owned);
                ends.entry(device.to_string()).or_default().push((radio, link.id.clone()));
            }
        }
        for bundle in network.bundles.values() {
            let members = bundle.links.iter().map(|id| network.links.get(id).and_then(|link| link.wisp.as_ref()));
            links.extend(only(members).map(|wisp| (bundle.id.to_string(), wisp.clone())));
        }
        let devices = of_device
            .into_iter()
            .filter_map(|(device, wisps)| Some((device.to_string(), only(wisps.into_iter())?.clone())))
            .collect();
        let backhauls = network.backhauls.values().map(|b| (b.id.to_string(), b.wisp.clone())).collect();
        Self { links, backhauls, devices, ends }
    }

    /// The link that a line without one is about: of a device the only one, else the only one of its radio.
    pub fn link_of(&self, line: &Line<'_>) -> Option<&LinkId> {
        if line.tag(Tag::Link).is_some() {
            return None;
        }
        let ends = self.ends.get(line.tag(Tag::Device)?)?;
        if let [(_, link)] = &ends[..] {
            return Some(link);
        }
        let radio = line.tag(Tag::Radio)?;
        let mut of_radio = ends.iter().filter(|(end, _)| end.as_deref() == Some(radio));
        let (_, link) = of_radio.next()?;
        of_radio.next().is_none().then_some(link)
    }

    /// By the line's link, else its backhaul, else its device; `None`: the Union's own, several WISPs', or unknown.
    pub fn wisp_of(&self, line: &Line<'_>) -> Option<&WispId> {
        let by = [(Tag::Link, &self.links), (Tag::Backhaul, &self.backhauls), (Tag::Device, &self.devices)];
        let (subject, index) = by.into_iter().find_map(|(tag, index)| Some((line.tag(tag)?, index)))?;
        index.get(subject)
    }
}

fn only<'a>(mut wisps: impl Iterator<Item = Option<&'a WispId>>) -> Option<&'a WispId> {
    let first = wisps.next()??;
    wisps.all(|other| other == Some(first)).then_some(first)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::model::network::{Backhaul, Bundle, BundleMode, Language, Link, Medium};
    use crate::model::{BackhaulId, BundleId, LinkId, NetworkId, SiteId};

    fn link(id: &str, near: &str, far: &str, wisp: Option<&str>) -> Link {
        Link {
            id: LinkId::parse(id).unwrap(),
            near: DeviceId::parse(near).unwrap(),
            far: DeviceId::parse(far).unwrap(),
            near_radio: None,
            far_radio: None,
            medium: Medium::Radio,
            wisp: wisp.map(|w| WispId::parse(w).unwrap()),
            cost: 10,
            duplex: None,
            target: None,
            declared_mbps: None,
        }
    }

    fn bundle(id: &str, links: &[&str]) -> Bundle {
        let links = links.iter().map(|l| LinkId::parse(l).unwrap()).collect();
        Bundle { id: BundleId::parse(id).unwrap(), mode: BundleMode::Sum, links }
    }

    pub fn network() -> Network {
        let links = [
            link("ab", "a1", "b1", Some("langhenet")),
            link("ac", "a2", "c1", Some("langhenet")),
            link("bc", "b1", "c1", Some("belbo")),
            link("cd", "c2", "d1", None),
        ];
        let bundles = [bundle("one", &["ab", "ac"]), bundle("two", &["ab", "bc"]), bundle("own", &["ab", "cd"])];
        let backhaul = Backhaul {
            id: BackhaulId::parse("fibra").unwrap(),
            site: SiteId::parse("a").unwrap(),
            wisp: WispId::parse("belbo").unwrap(),
            contract_downstream_mbps: 100.0,
            contract_upstream_mbps: 50.0,
            gateway: None,
            outside: vec![],
            cost: 10,
        };
        Network {
            id: NetworkId::parse("test").unwrap(),
            name: "Test".into(),
            time_zone: "Europe/Rome".into(),
            language: Language::Italian,
            simultaneity: 1.0,
            hub_site: None,
            wisps: BTreeMap::new(),
            staff: vec![],
            sites: BTreeMap::new(),
            credentials: BTreeMap::new(),
            devices: BTreeMap::new(),
            links: links.into_iter().map(|l| (l.id.clone(), l)).collect(),
            bundles: bundles.into_iter().map(|b| (b.id.clone(), b)).collect(),
            sectors: BTreeMap::new(),
            backhauls: [(backhaul.id.clone(), backhaul)].into(),
            services: BTreeMap::new(),
            backups: BTreeMap::new(),
        }
    }

    fn check(tags: &str, wanted: Option<&str>) {
        let line = format!("radio{tags} rsl_dbm=1 5");
        let index = WispIndex::new(&network());
        assert_eq!(index.wisp_of(&Line::parse(&line).unwrap()).map(WispId::as_str), wanted, "{tags}");
    }

    #[test]
    fn a_line_of_a_device_is_about_its_link() {
        let mut network = network();
        let mut second = link("bd", "b1", "d2", None);
        second.near_radio = Some("2".to_owned());
        network.links.insert(second.id.clone(), second);
        let index = WispIndex::new(&network);
        let check = |tags: &str, wanted: Option<&str>| {
            let line = format!("radio{tags} rsl_dbm=1 5");
            assert_eq!(index.link_of(&Line::parse(&line).unwrap()).map(LinkId::as_str), wanted, "{tags}");
        };
        check(",device=a1", Some("ab"));
        check(",device=a1,radio=7", Some("ab"));
        check(",device=b1", None);
        check(",device=b1,radio=1", None);
        check(",device=b1,radio=2", Some("bd"));
        check(",device=a1,link=other", None);
        check(",device=stranger", None);
        check(",site=a", None);
    }

    #[test]
    fn a_line_is_its_links_or_backhauls_or_devices() {
        check(",link=ab", Some("langhenet"));
        check(",link=cd", None);
        check(",backhaul=fibra", Some("belbo"));
        check(",device=a1", Some("langhenet"));
        check(",device=c1,link=bc", Some("belbo"));
        check(",device=b1", None);
        check(",device=d1", None);
        check(",link=one", Some("langhenet"));
        check(",link=two", None);
        check(",link=own", None);
        check(",device=stranger", None);
        check(",site=a", None);
    }
}
