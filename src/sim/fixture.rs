//! A small network for tests: every family, a sector, a 1+1 pair, two backhauls, each kind of SNMP access. `[P]`
//!
//! ```text
//! Internet = pop --af60-- a --af60-- b ==60g/5g== d = Internet
//!                         \--airMAX sector: c, e
//! ```

use std::path::PathBuf;

use crate::model::network::{
    AuthProtocol, Backhaul, Bundle, BundleMode, Credential, Device, Language, Link, Medium, Network, PrivProtocol,
    SecretRef, Sector, Site, SiteKind, SnmpAccess,
};
use crate::model::{BackhaulId, BundleId, CredentialId, DeviceId, LinkId, NetworkId, SectorId, SiteId, WispId};

fn site_id(id: &str) -> SiteId {
    SiteId::parse(id).expect("an id")
}

fn device_id(id: &str) -> DeviceId {
    DeviceId::parse(id).expect("an id")
}

fn site(id: &str, kind: SiteKind, lat: f64, lon: f64, agent: bool) -> Site {
    Site {
        id: site_id(id),
        name: id.to_uppercase(),
        kind,
        lat,
        lon,
        residents: None,
        municipality: None,
        agent,
        target: None,
        access: None,
        contact: None,
        contact_email: Vec::new(),
    }
}

fn device(id: &str, site: &str, address: &str, profile: Option<&str>, credential: Option<&str>) -> Device {
    Device {
        id: device_id(id),
        site: site_id(site),
        address: address.parse().expect("an address"),
        snmp_port: 161,
        via: site_id("pop"),
        credential: credential.map(|c| CredentialId::parse(c).expect("an id")),
        profile: profile.map(str::to_owned),
        ports: Vec::new(),
        mac: None,
        trust: false,
    }
}

fn link(id: &str, near: &str, far: &str) -> Link {
    Link {
        id: LinkId::parse(id).expect("an id"),
        near: device_id(near),
        far: device_id(far),
        near_radio: None,
        far_radio: None,
        medium: Medium::Radio,
        wisp: None,
        cost: 10,
        duplex: None,
        target: None,
        declared_mbps: None,
    }
}

fn backhaul(id: &str, site: &str, gateway: &str) -> Backhaul {
    Backhaul {
        id: BackhaulId::parse(id).expect("an id"),
        site: site_id(site),
        wisp: WispId::parse("wisp").expect("an id"),
        contract_downstream_mbps: 100.0,
        contract_upstream_mbps: 50.0,
        gateway: Some(gateway.parse().expect("an address")),
        outside: vec!["192.0.2.1".parse().expect("an address")],
        cost: 10,
    }
}

fn credential(id: &str, access: SnmpAccess) -> Credential {
    Credential { id: CredentialId::parse(id).expect("an id"), access }
}

fn credentials() -> Vec<Credential> {
    let env = |name: &str| SecretRef::Env(name.into());
    let v3 = SnmpAccess::V3 {
        user: "vedetta".into(),
        auth: Some((AuthProtocol::Sha256, env("V3_AUTH"))),
        privacy: Some((PrivProtocol::Aes128, SecretRef::File(PathBuf::from("secrets/v3-privacy")))),
    };
    vec![
        credential("old", SnmpAccess::V1 { community: env("COMMUNITY_V1") }),
        credential("radios", SnmpAccess::V2c { community: env("COMMUNITY") }),
        credential("safe", v3),
    ]
}

fn devices() -> Vec<Device> {
    let mut peer = device("c-cpe", "c", "10.0.3.1", Some("ubiquiti-airmax"), Some("radios"));
    peer.mac = Some("0200000000c1".into());
    vec![
        device("pop-a-af60", "pop", "10.0.0.2", Some("ubiquiti-af60"), Some("old")),
        device("a-pop-af60", "a", "10.0.1.1", Some("ubiquiti-af60"), Some("old")),
        device("a-b-af60", "a", "10.0.1.2", Some("ubiquiti-af60"), Some("radios")),
        device("b-a-af60", "b", "10.0.2.1", Some("ubiquiti-af60"), Some("radios")),
        device("a-ap", "a", "10.0.1.3", Some("ubiquiti-airmax"), Some("radios")),
        peer,
        device("e-cpe", "e", "10.0.5.1", Some("ubiquiti-airmax"), Some("radios")),
        device("b-d-60g", "b", "10.0.2.2", Some("mikrotik"), Some("radios")),
        device("d-b-60g", "d", "10.0.4.1", Some("mikrotik"), Some("safe")),
        device("b-d-5g", "b", "10.0.2.3", Some("mikrotik"), Some("radios")),
        device("d-b-5g", "d", "10.0.4.2", Some("mikrotik"), Some("radios")),
        device("pop-switch", "pop", "10.0.0.3", None, Some("radios")),
        device("pop-camera", "pop", "10.0.0.4", None, None),
    ]
}

/// See the module's picture. All devices are polled from `pop`.
pub fn network() -> Network {
    let mut uplink = link("pop-switch-a", "pop-switch", "pop-a-af60");
    uplink.medium = Medium::Cable;
    let links = vec![
        link("pop-a", "pop-a-af60", "a-pop-af60"),
        link("a-b", "a-b-af60", "b-a-af60"),
        link("a-c", "a-ap", "c-cpe"),
        link("a-e", "a-ap", "e-cpe"),
        link("b-d", "b-d-60g", "d-b-60g"),
        link("b-d-5ghz", "b-d-5g", "d-b-5g"),
        uplink,
    ];
    let pair = Bundle {
        id: BundleId::parse("b-d-pair").expect("an id"),
        mode: BundleMode::Standby,
        links: vec![links[4].id.clone(), links[5].id.clone()],
    };
    let sector = Sector {
        id: SectorId::parse("a-sector").expect("an id"),
        access_point: device_id("a-ap"),
        peers: vec![device_id("c-cpe"), device_id("e-cpe")],
    };
    let sites = [
        site("pop", SiteKind::Pop, 44.55, 8.00, true),
        site("a", SiteKind::Relay, 44.53, 8.04, false),
        site("b", SiteKind::Municipality, 44.50, 8.06, false),
        site("c", SiteKind::Municipality, 44.54, 8.08, false),
        site("d", SiteKind::Municipality, 44.495, 8.065, false),
        site("e", SiteKind::Municipality, 44.52, 8.00, false),
    ];
    let backhauls = [backhaul("fibra", "pop", "10.9.0.1"), backhaul("riserva", "d", "10.9.0.2")];
    Network {
        id: NetworkId::parse("prova").expect("an id"),
        name: "Prova".into(),
        time_zone: "Europe/Rome".into(),
        language: Language::Italian,
        simultaneity: 1.0,
        hub_site: None,
        wisps: std::iter::empty().collect(),
        staff: Vec::new(),
        sites: sites.into_iter().map(|s| (s.id.clone(), s)).collect(),
        credentials: credentials().into_iter().map(|c| (c.id.clone(), c)).collect(),
        devices: devices().into_iter().map(|d| (d.id.clone(), d)).collect(),
        links: links.into_iter().map(|l| (l.id.clone(), l)).collect(),
        bundles: [(pair.id.clone(), pair)].into_iter().collect(),
        sectors: [(sector.id.clone(), sector)].into_iter().collect(),
        backhauls: backhauls.into_iter().map(|b| (b.id.clone(), b)).collect(),
        services: std::iter::empty().collect(),
        backups: std::iter::empty().collect(),
    }
}
