use super::*;
use crate::config::secret::{Secret, SecretError};
use crate::model::network::{
    Backhaul, Device, Duplex, Language, Link, Medium, Network, PrivProtocol, SecretRef, Sector, Site, SiteKind,
    SnmpAccess, Wisp,
};
use crate::model::{LinkId, NetworkId, SectorId, WispId};

struct Secrets;

impl SecretSource for Secrets {
    fn read(&self, secret: &SecretRef) -> Result<Secret, SecretError> {
        match secret {
            SecretRef::Env(name) if name == "KNOWN" => Ok(Secret::new("public")),
            SecretRef::Env(name) | SecretRef::Sealed(name) => Err(SecretError::Env(name.clone())),
            SecretRef::File(path) => Err(SecretError::EmptyFile(path.clone())),
        }
    }
}

fn site(id: &str) -> SiteId {
    SiteId::parse(id).unwrap()
}

fn device(id: &str, address: &str, via: &str, credential: Option<&str>) -> Device {
    Device {
        id: DeviceId::parse(id).unwrap(),
        site: site(via),
        address: address.parse().unwrap(),
        snmp_port: 161,
        via: site(via),
        credential: credential.map(|c| CredentialId::parse(c).unwrap()),
        profile: None,
        ports: vec!["eth0".into()],
        mac: Some(format!("0200000000{}", &address[address.len() - 2..])),
        trust: false,
    }
}

fn credential(id: &str, variable: &str) -> (CredentialId, Credential) {
    let id = CredentialId::parse(id).unwrap();
    (id.clone(), Credential { id, access: SnmpAccess::V2c { community: SecretRef::Env(variable.into()) } })
}

fn network() -> Network {
    let place = |id: &str| Site {
        id: site(id),
        name: id.to_owned(),
        kind: SiteKind::Relay,
        lat: 44.5,
        lon: 8.0,
        residents: None,
        municipality: None,
        agent: true,
        target: None,
        access: None,
        contact: None,
        contact_email: Vec::new(),
    };
    let devices = [
        device("a-ap", "10.0.0.11", "hill", Some("radios")),
        device("b-sta", "10.0.0.12", "hill", Some("radios")),
        device("c-ups", "fd00::13", "hill", None),
        device("d-far", "10.0.0.14", "valley", Some("radios")),
    ];
    let id = |text: &str| DeviceId::parse(text).unwrap();
    let link = Link {
        id: LinkId::parse("b-d").unwrap(),
        near: id("b-sta"),
        far: id("d-far"),
        near_radio: None,
        far_radio: None,
        medium: Medium::Radio,
        wisp: None,
        cost: 10,
        duplex: Some(Duplex::Shared),
        target: None,
        declared_mbps: None,
    };
    let sector =
        Sector { id: SectorId::parse("s").unwrap(), access_point: id("a-ap"), peers: vec![id("b-sta"), id("d-far")] };
    let backhaul = Backhaul {
        id: BackhaulId::parse("fibra").unwrap(),
        site: site("hill"),
        wisp: WispId::parse("langhenet").unwrap(),
        contract_downstream_mbps: 100.0,
        contract_upstream_mbps: 50.0,
        gateway: Some("10.0.0.1".parse().unwrap()),
        outside: vec!["192.0.2.1".parse().unwrap()],
        cost: 10,
    };
    Network {
        id: NetworkId::parse("alta-langa").unwrap(),
        name: "Alta Langa".into(),
        time_zone: "Europe/Rome".into(),
        language: Language::Italian,
        simultaneity: 1.0,
        hub_site: None,
        wisps: BTreeMap::<WispId, Wisp>::new(),
        staff: vec![],
        sites: ["hill", "valley"].map(|id| (site(id), place(id))).into(),
        credentials: [credential("radios", "KNOWN")].into(),
        devices: devices.map(|d| (d.id.clone(), d)).into(),
        links: [(link.id.clone(), link)].into(),
        bundles: BTreeMap::new(),
        sectors: [(sector.id.clone(), sector)].into(),
        backhauls: [(backhaul.id.clone(), backhaul)].into(),
        services: BTreeMap::new(),
        backups: BTreeMap::new(),
    }
}

fn plan_of(network: &Network, overrides: &BTreeMap<CredentialId, Credential>) -> Result<ProbePlan, Vec<String>> {
    let minute = Duration::from_mins(1);
    plan(&AgentPart::of(network, &site("hill")), minute, overrides, &Secrets)
        .map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

#[test]
fn an_agent_gets_its_own_devices_and_backhauls() {
    let plan = plan_of(&network(), &BTreeMap::new()).unwrap();
    let devices: Vec<_> = plan.devices.iter().map(|d| (d.device.as_str(), d.address.to_string())).collect();
    assert_eq!(devices, [("a-ap", "10.0.0.11:161".to_owned()), ("b-sta", "10.0.0.12:161".to_owned())]);
    let [ap, station] = &plan.devices[..] else { panic!() };
    assert!(ap.manner.sector && !station.manner.sector);
    assert_eq!(ap.manner.peers, ["020000000012".to_owned(), "020000000014".to_owned()].into());
    assert_eq!(station.manner.peers, ["020000000014".to_owned()].into());
    assert_eq!(station.manner.ports, ["eth0"]);
    let pinged: Vec<_> = plan
        .pings
        .iter()
        .map(|p| match p {
            PingPlan::Device { device, .. } => device.as_str(),
            PingPlan::Backhaul { backhaul, .. } => backhaul.as_str(),
        })
        .collect();
    assert_eq!(pinged, ["a-ap", "b-sta", "c-ups", "fibra"]);
}

#[test]
fn every_problem_is_told_at_once_and_names_the_devices() {
    let mut network = network();
    network.credentials = [credential("radios", "MISSING")].into();
    network.devices.get_mut("c-ups").unwrap().credential = Some(CredentialId::parse("ups").unwrap());
    network.devices.get_mut("b-sta").unwrap().profile = Some("airmaxx".into());
    let problems = plan_of(&network, &BTreeMap::new()).unwrap_err();
    let unknown = format!("device \"b-sta\": there is no profile \"airmaxx\" (known: {})", radio::NAMES.join(", "));
    assert_eq!(
        problems,
        [
            "credential \"radios\", needed by a-ap, b-sta, cannot be used",
            "device \"c-ups\": there is no credential \"ups\"",
            unknown.as_str(),
        ]
    );
    // The agent's own credentials come first.
    network.devices.get_mut("c-ups").unwrap().credential = None;
    network.devices.get_mut("b-sta").unwrap().profile = Some("mikrotik".into());
    assert!(plan_of(&network, &[credential("radios", "KNOWN")].into()).is_ok());
}

#[test]
fn a_credential_that_makes_no_sense_is_a_problem_of_the_plan() {
    let mut network = network();
    let id = CredentialId::parse("radios").unwrap();
    let secret = SecretRef::Env("KNOWN".into());
    let access = SnmpAccess::V3 { user: "u".into(), auth: None, privacy: Some((PrivProtocol::Aes128, secret)) };
    network.credentials = [(id.clone(), Credential { id, access })].into();
    let problems =
        plan(&AgentPart::of(&network, &site("hill")), Duration::from_mins(1), &BTreeMap::new(), &Secrets).unwrap_err();
    assert!(matches!(&problems[..], [PlanError::Access { source: AccessError::PrivacyWithoutAuth, .. }]));
}
