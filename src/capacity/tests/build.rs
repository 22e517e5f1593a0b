//! A small network built by hand, and samples for it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::capacity::{FamilyFacts, NetworkState};
use crate::catalogue;
use crate::model::network::{
    Backhaul, Bundle, BundleMode, Device, Duplex, Language, Link, Medium, Network, Sector, Site, SiteKind, Target,
};
use crate::model::view::{LinkView, NetworkView, SiteView};
use crate::model::{
    BackhaulId, BundleId, CredentialId, DeviceId, LinkId, Missing, NetworkId, Provenance, Reading, Sample, SectorId,
    SiteId, Tag, UnixMillis, WispId,
};

pub const INTERVAL: Duration = Duration::from_mins(1);
/// The instant at which most tests look.
pub const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

pub fn families(profile: &str) -> Option<FamilyFacts> {
    match profile {
        "fdd" => Some(FamilyFacts { duplex: Duplex::Full, verified: true }),
        "tdd" => Some(FamilyFacts { duplex: Duplex::Shared, verified: true }),
        "guess" => Some(FamilyFacts { duplex: Duplex::Full, verified: false }),
        _ => None,
    }
}

pub fn site_id(id: &str) -> SiteId {
    SiteId::parse(id).unwrap()
}

pub fn link_id(id: &str) -> LinkId {
    LinkId::parse(id).unwrap()
}

#[expect(clippy::unnecessary_wraps, reason = "a site takes an optional target")]
pub fn target(downstream_mbps: f64) -> Option<Target> {
    Some(Target { downstream_mbps, upstream_mbps: None })
}

#[expect(clippy::unnecessary_wraps, reason = "a site takes an optional target")]
pub fn symmetric(mbps: f64) -> Option<Target> {
    Some(Target { downstream_mbps: mbps, upstream_mbps: Some(mbps) })
}

/// An inventory that grows by calls. The first site added has the agent that polls everything.
pub struct Inventory {
    pub network: Network,
    agent: Option<SiteId>,
}

impl Inventory {
    pub fn new() -> Self {
        let network = Network {
            id: NetworkId::parse("test").unwrap(),
            name: "Test".into(),
            time_zone: "Europe/Rome".into(),
            language: Language::Italian,
            simultaneity: 1.0,
            hub_site: None,
            wisps: BTreeMap::new(),
            staff: Vec::new(),
            sites: BTreeMap::new(),
            credentials: BTreeMap::new(),
            devices: BTreeMap::new(),
            links: BTreeMap::new(),
            bundles: BTreeMap::new(),
            sectors: BTreeMap::new(),
            backhauls: BTreeMap::new(),
            services: BTreeMap::new(),
            backups: BTreeMap::new(),
        };
        Self { network, agent: None }
    }

    pub fn site(mut self, id: &str, target: Option<Target>) -> Self {
        let kind = if target.is_some() { SiteKind::Municipality } else { SiteKind::Relay };
        let agent = self.agent.is_none();
        self.agent.get_or_insert(site_id(id));
        let site = Site {
            id: site_id(id),
            name: id.to_owned(),
            kind,
            lat: 44.5,
            lon: 8.0,
            residents: target.map(|_| 500),
            municipality: None,
            agent,
            target,
            access: None,
            contact: None,
            contact_email: Vec::new(),
        };
        self.network.sites.insert(site_id(id), site);
        self
    }

    pub fn agent(mut self, id: &str) -> Self {
        self.network.sites.get_mut(id).unwrap().agent = true;
        self
    }

    pub fn device(mut self, id: &str, site: &str) -> Self {
        let device = Device {
            id: DeviceId::parse(id).unwrap(),
            site: site_id(site),
            address: std::net::IpAddr::from([10, 0, 0, 1]),
            snmp_port: 161,
            via: self.agent.clone().unwrap(),
            credential: Some(CredentialId::parse("radios").unwrap()),
            profile: Some("fdd".into()),
            ports: Vec::new(),
            mac: None,
            trust: false,
        };
        self.network.devices.insert(device.id.clone(), device);
        self
    }

    pub fn edit_device(mut self, id: &str, edit: impl FnOnce(&mut Device)) -> Self {
        edit(self.network.devices.get_mut(id).unwrap());
        self
    }

    pub fn edit_link(mut self, id: &str, edit: impl FnOnce(&mut Link)) -> Self {
        edit(self.network.links.get_mut(id).unwrap());
        self
    }

    /// A radio link with its two radios, `<id>-n` and `<id>-f`.
    pub fn link(mut self, id: &str, near: &str, far: &str) -> Self {
        self = self.device(&format!("{id}-n"), near).device(&format!("{id}-f"), far);
        self.link_of(id, &format!("{id}-n"), &format!("{id}-f"))
    }

    pub fn link_of(mut self, id: &str, near: &str, far: &str) -> Self {
        let link = Link {
            id: link_id(id),
            near: DeviceId::parse(near).unwrap(),
            far: DeviceId::parse(far).unwrap(),
            near_radio: None,
            far_radio: None,
            medium: Medium::Radio,
            wisp: None,
            cost: 10,
            duplex: None,
            target: None,
            declared_mbps: None,
        };
        self.network.links.insert(link.id.clone(), link);
        self
    }

    pub fn bundle(mut self, id: &str, mode: BundleMode, links: &[&str]) -> Self {
        let id = BundleId::parse(id).unwrap();
        let bundle = Bundle { id: id.clone(), mode, links: links.iter().map(|l| link_id(l)).collect() };
        self.network.bundles.insert(id, bundle);
        self
    }

    pub fn sector(mut self, id: &str, access_point: &str, peers: &[&str]) -> Self {
        let device = |id: &str| DeviceId::parse(id).unwrap();
        let id = SectorId::parse(id).unwrap();
        let peers = peers.iter().map(|p| device(p)).collect();
        let sector = Sector { id: id.clone(), access_point: device(access_point), peers };
        self.network.sectors.insert(id, sector);
        self
    }

    pub fn backhaul(mut self, id: &str, site: &str, mbps: f64) -> Self {
        let backhaul = Backhaul {
            id: BackhaulId::parse(id).unwrap(),
            site: site_id(site),
            wisp: WispId::parse("operator").unwrap(),
            contract_downstream_mbps: mbps,
            contract_upstream_mbps: mbps,
            gateway: None,
            outside: vec![std::net::IpAddr::from([192, 0, 2, 1])],
            cost: 10,
        };
        self.network.backhauls.insert(backhaul.id.clone(), backhaul);
        self
    }

    pub fn watch(self) -> Watched {
        let agent = self.agent.unwrap();
        let network = Arc::new(self.network);
        let state = NetworkState::new(Arc::clone(&network), INTERVAL, families);
        Watched { state, agent, network }
    }
}

pub fn known(mbps: f64) -> Reading {
    Reading::known(mbps, Provenance::Reported)
}

/// A watched network: helpers send what an agent would.
pub struct Watched {
    pub state: NetworkState,
    pub agent: SiteId,
    pub network: Arc<Network>,
}

impl Watched {
    pub fn send(&mut self, sample: &Sample) -> &mut Self {
        let agent = self.agent.clone();
        self.state.apply(&agent, sample, sample.at);
        self
    }

    pub fn device_at(&mut self, id: &str, answers: bool, at: UnixMillis) -> &mut Self {
        let mut sample = Sample::new(&catalogue::DEVICE, at).tag(Tag::Device, id);
        sample.set("snmp_up_flag", Reading::value(f64::from(u8::from(answers))));
        self.send(&sample);
        let mut sample = Sample::new(&catalogue::PING, at).tag(Tag::Device, id);
        sample.set("loss_percent", Reading::value(if answers { 0.0 } else { 100.0 }));
        self.send(&sample)
    }

    pub fn radio_at(
        &mut self,
        device: &str,
        radio: &str,
        fields: &[(&'static str, Reading)],
        at: UnixMillis,
    ) -> &mut Self {
        let mut sample = Sample::new(&catalogue::RADIO, at).tag(Tag::Device, device).tag(Tag::Radio, radio);
        for (name, reading) in fields {
            sample.set(name, *reading);
        }
        self.device_at(device, true, at).send(&sample)
    }

    pub fn radio(&mut self, device: &str, fields: &[(&'static str, Reading)]) -> &mut Self {
        self.radio_at(device, "1", fields, NOW)
    }

    /// Both radios of a link answer, have their peer and say these capacities: near to far, far to near.
    pub fn up_at(&mut self, link: &str, to_far: f64, to_near: f64, at: UnixMillis) -> &mut Self {
        let flag = ("link_up_flag", Reading::value(1.0));
        let near = [flag, ("capacity_tx_mbps", known(to_far)), ("capacity_rx_mbps", known(to_near))];
        let far = [flag, ("capacity_tx_mbps", known(to_near)), ("capacity_rx_mbps", known(to_far))];
        self.radio_at(&format!("{link}-n"), "1", &near, at).radio_at(&format!("{link}-f"), "1", &far, at)
    }

    pub fn up(&mut self, link: &str, to_far: f64, to_near: f64) -> &mut Self {
        self.up_at(link, to_far, to_near, NOW)
    }

    /// Both radios answer and have no peer.
    pub fn down_at(&mut self, link: &str, at: UnixMillis) -> &mut Self {
        let fields = [
            ("link_up_flag", Reading::value(0.0)),
            ("capacity_tx_mbps", Reading::Missing(Missing::LinkDown)),
            ("capacity_rx_mbps", Reading::Missing(Missing::LinkDown)),
        ];
        self.radio_at(&format!("{link}-n"), "1", &fields, at).radio_at(&format!("{link}-f"), "1", &fields, at)
    }

    pub fn down(&mut self, link: &str) -> &mut Self {
        self.down_at(link, NOW)
    }

    pub fn silent(&mut self, link: &str) -> &mut Self {
        self.device_at(&format!("{link}-n"), false, NOW).device_at(&format!("{link}-f"), false, NOW)
    }

    pub fn port(&mut self, device: &str, port: &str, up: bool, rate_mbps: f64) -> &mut Self {
        let mut sample = Sample::new(&catalogue::PORT, NOW).tag(Tag::Device, device).tag(Tag::Port, port);
        sample.set("up_flag", Reading::value(f64::from(u8::from(up))));
        sample.set("rate_mbps", Reading::value(rate_mbps));
        self.send(&sample)
    }

    pub fn outside_at(&mut self, backhaul: &str, loss_percent: f64, at: UnixMillis) -> &mut Self {
        let mut sample = Sample::new(&catalogue::PING, at).tag(Tag::Backhaul, backhaul);
        sample.set("loss_percent", Reading::value(loss_percent));
        self.send(&sample)
    }

    pub fn outside(&mut self, backhaul: &str, loss_percent: f64) -> &mut Self {
        self.outside_at(backhaul, loss_percent, NOW)
    }

    pub fn look(&mut self) -> NetworkView {
        self.state.evaluate(NOW)
    }
}

pub fn site<'a>(view: &'a NetworkView, id: &str) -> &'a SiteView {
    &view.sites[id]
}

pub fn link<'a>(view: &'a NetworkView, id: &str) -> &'a LinkView {
    &view.links[id]
}

#[track_caller]
pub fn near(found: f64, wanted: f64) {
    assert!((found - wanted).abs() <= 1e-6 * wanted.abs().max(1.0), "found {found}, wanted {wanted}");
}
