//! Mails as golden files (`tests/golden/mails`; write them anew with `VEDETTA_BLESS=1`), and who gets them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use super::log::{Facts, Log, Mailbox, Refused, Thread, Told, key};
use super::policy::{self, Notice, Situation, Why};
use super::render::{Material, Sender, compose, render};
use super::{Mail, NoticeKind, Recipient, chart, message};
use crate::alert::desk::{Act, Command, Desk};
use crate::alert::incident::*;
use crate::alert::signed::LinkKeys;
use crate::config::settings::NotifySettings;
use crate::model::network::*;
use crate::model::*;

const SENDER: Sender<'_> = Sender {
    from: "Unione Montana Alta Langa <rete@unione.example>",
    reply_to: Some("rete@unione.example"),
    public_url: Some("https://vedetta.example"),
    links: Some(&KEYS),
};
const KEYS: LinkKeys = LinkKeys::new([7; 32]);

fn at(text: &str) -> UnixMillis {
    UnixMillis(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

fn site_id(id: &str) -> SiteId {
    SiteId::parse(id).unwrap()
}

const TOWNS: [(&str, &str, u32); 6] = [
    ("bossolasco", "Bossolasco", 635),
    ("murazzano", "Murazzano", 790),
    ("camerana", "Camerana", 560),
    ("mombarcaro", "Mombarcaro", 260),
    ("paroldo", "Paroldo", 220),
    ("igliano", "Igliano", 110),
];

fn network(language: Language) -> Network {
    let wisp = WispId::parse("langhenet").unwrap();
    let town = |(id, name, residents): (&str, &str, u32)| Site {
        id: site_id(id),
        name: name.into(),
        kind: SiteKind::Municipality,
        lat: 44.5,
        lon: 8.0,
        residents: Some(residents),
        municipality: None,
        agent: id == "bossolasco",
        target: Some(Target { downstream_mbps: 30.0, upstream_mbps: None }),
        access: (id == "murazzano").then(|| "chiavi in municipio, lun–ven 8:30–12:30".into()),
        contact: None,
        contact_email: Vec::new(),
    };
    let device = |id: &str, site: &str, host: u8| Device {
        id: DeviceId::parse(id).unwrap(),
        site: site_id(site),
        address: std::net::Ipv4Addr::new(10, 38, 27, host).into(),
        snmp_port: 161,
        via: site_id("bossolasco"),
        credential: None,
        profile: None,
        ports: Vec::new(),
        mac: None,
        trust: false,
    };
    let other = WispId::parse("belbo").unwrap();
    let operator = |id: &WispId, name: &str| Wisp {
        id: id.clone(),
        name: format!("{name} (example)"),
        email: vec![format!("noc@{id}.example")],
        language,
        phone: Some("0173 000000".into()),
        attach_json: false,
    };
    let link = |id: &str, near: &str, far: &str| Link {
        id: LinkId::parse(id).unwrap(),
        near: DeviceId::parse(near).unwrap(),
        far: DeviceId::parse(far).unwrap(),
        near_radio: None,
        far_radio: None,
        medium: Medium::Radio,
        wisp: Some(if far.starts_with("igliano") { other.clone() } else { wisp.clone() }),
        cost: 10,
        duplex: None,
        target: None,
        declared_mbps: None,
    };
    let devices = [
        device("bossolasco-af60", "bossolasco", 11),
        device("murazzano-af60", "murazzano", 12),
        device("bossolasco-5ghz", "bossolasco", 13),
        device("murazzano-5ghz", "murazzano", 14),
        device("murazzano-paroldo", "murazzano", 15),
        device("paroldo-murazzano", "paroldo", 16),
        device("murazzano-igliano", "murazzano", 17),
        device("igliano-murazzano", "igliano", 18),
    ];
    let links = [
        link("bossolasco-murazzano", "bossolasco-af60", "murazzano-af60"),
        link("bossolasco-murazzano-5ghz", "bossolasco-5ghz", "murazzano-5ghz"),
        link("murazzano-paroldo", "murazzano-paroldo", "paroldo-murazzano"),
        link("murazzano-igliano", "murazzano-igliano", "igliano-murazzano"),
    ];
    let bundle = Bundle {
        id: BundleId::parse("bossolasco-murazzano-coppia").unwrap(),
        mode: BundleMode::Standby,
        links: links[..2].iter().map(|l| l.id.clone()).collect(),
    };
    let fibre = Backhaul {
        id: BackhaulId::parse("bossolasco-fibra").unwrap(),
        site: site_id("bossolasco"),
        wisp: wisp.clone(),
        contract_downstream_mbps: 1000.0,
        contract_upstream_mbps: 1000.0,
        gateway: None,
        outside: Vec::new(),
        cost: 10,
    };
    Network {
        id: NetworkId::parse("alta-langa").unwrap(),
        name: "Unione Montana Alta Langa".into(),
        time_zone: "Europe/Rome".into(),
        language,
        simultaneity: 1.0,
        hub_site: None,
        wisps: [(wisp.clone(), operator(&wisp, "LangheNet")), (other.clone(), operator(&other, "Belbo Wireless"))]
            .into(),
        staff: vec![Staff { name: "Rete".into(), email: "tecnico@unione.example".into(), language }],
        sites: TOWNS.into_iter().map(|t| (site_id(t.0), town(t))).collect(),
        credentials: BTreeMap::new(),
        devices: devices.into_iter().map(|d| (d.id.clone(), d)).collect(),
        links: links.into_iter().map(|l| (l.id.clone(), l)).collect(),
        bundles: [(bundle.id.clone(), bundle)].into(),
        sectors: BTreeMap::new(),
        backhauls: BTreeMap::from([(fibre.id.clone(), fibre)]),
        services: BTreeMap::new(),
        backups: BTreeMap::new(),
    }
}

fn behind() -> Vec<SiteId> {
    let mut sites: Vec<SiteId> = TOWNS[1..].iter().map(|t| site_id(t.0)).collect();
    sites.sort();
    sites
}

fn end(site: &str, device: &str, host: u8, rsl: (f64, f64), snr: Option<(f64, f64)>, volts: f64) -> EvidenceEnd {
    EvidenceEnd {
        site: site.into(),
        device: device.into(),
        address: format!("10.38.27.{host}"),
        model: Some("AF60-LR".into()),
        firmware: Some("v2.6.0".into()),
        answers: Some(true),
        rsl_dbm_usual: Some(rsl.0),
        rsl_dbm: Some(rsl.1),
        snr_db_usual: snr.map(|s| s.0),
        snr_db: snr.map(|s| s.1),
        modulation: None,
        port_rate_mbps: Some(1000.0),
        supply_volts: Some(volts),
        rsl_at: Some(at("2026-11-24T05:41:30Z")),
        ..EvidenceEnd::default()
    }
}

/// An incident that opened at 06:57 about a breach since 06:42, local time.
fn incident(condition: Condition, subject: EdgeId) -> Incident {
    let (since, opened) = (at("2026-11-24T05:42:00Z"), at("2026-11-24T05:57:00Z"));
    let capacity = condition == Condition::CapacityBelow;
    Incident {
        number: 147,
        condition,
        subject: Subject::Edge(subject),
        direction: capacity.then_some(Direction::Downstream),
        severity: Severity::Major,
        state: IncidentState::Open,
        since,
        opened_at: Some(opened),
        closed_at: None,
        changed_at: opened,
        caused_by: Vec::new(),
        wisp: Some(WispId::parse("langhenet").unwrap()),
        measured_mbps: None,
        measured_mbps_min: None,
        required_mbps: Some(150.0),
        sites: behind(),
        sites_below: behind(),
        sites_cut_off: Vec::new(),
        residents: 1940,
        near: None,
        far: None,
        probable_cause: ProbableCause::Unknown,
        confidence: Confidence::Low,
        transitions: vec![
            Transition { at: since, state: IncidentState::Pending, measured_mbps: None },
            Transition { at: opened, state: IncidentState::Open, measured_mbps: None },
        ],
        detail: Detail {
            announced: true,
            towards: Some(site_id("murazzano")),
            evidence_link: Some(LinkId::parse("bossolasco-murazzano").unwrap()),
            figure: Figure { measured_at: Some(at("2026-11-24T05:56:20Z")), ..Figure::default() },
            ..Detail::default()
        },
    }
}

fn with_mbps(mut incident: Incident, mbps: f64) -> Incident {
    incident.measured_mbps = Some(mbps);
    incident.measured_mbps_min = Some(mbps);
    for transition in &mut incident.transitions {
        transition.measured_mbps = Some(mbps);
    }
    incident
}

fn link() -> EdgeId {
    EdgeId::Link(LinkId::parse("bossolasco-murazzano").unwrap())
}

fn fade() -> Incident {
    let mut made = with_mbps(incident(Condition::CapacityBelow, link()), 62.4);
    made.near = Some(end("Bossolasco", "bossolasco-af60", 11, (-55.0, -68.0), Some((21.0, 9.0)), 24.1));
    made.far = Some(end("Murazzano", "murazzano-af60", 12, (-56.0, -67.0), Some((20.0, 10.0)), 24.3));
    made.near.as_mut().unwrap().modulation = Some("QPSK 1/2".into());
    made.far.as_mut().unwrap().modulation = Some("QPSK 1/2".into());
    made.probable_cause = ProbableCause::RainFade;
    made.confidence = Confidence::High;
    made.detail.reasons = vec![
        Reason::RslFellBothEnds { near_db: 13.0, far_db: 11.0 },
        Reason::NeighboursFaded { n: 3 },
        Reason::SupplyGood,
    ];
    made.detail.figure.from = Some("reported".into());
    made.detail.figure.limit = Some(Limit::RadioTx(LinkEnd::Near));
    made.detail.figure.throughput_mbps = Some(58.0);
    made
}

fn down() -> Incident {
    let mut made = incident(Condition::LinkDown, link());
    made.severity = Severity::Critical;
    made.sites_cut_off = behind();
    made.opened_at = Some(at("2026-11-24T05:45:00Z"));
    made.near = Some(end("Bossolasco", "bossolasco-af60", 11, (-55.0, -55.0), None, 24.1));
    made.far = Some(end("Murazzano", "murazzano-af60", 12, (-56.0, -56.0), None, 22.6));
    made.far.as_mut().unwrap().answers = Some(false);
    made.probable_cause = ProbableCause::Power;
    made.confidence = Confidence::High;
    made.detail.reasons = vec![Reason::SupplyLow { end: LinkEnd::Far, volts: 22.6 }];
    with_mbps(made, 0.0)
}

/// Murazzano is without power, and with it two more links: one of the same operator, one of another.
fn dark() -> Incident {
    let mut made = down();
    made.far.as_mut().unwrap().supply_volts = None;
    made.confidence = Confidence::Medium;
    made.detail.reasons = vec![Reason::SiteSilent { end: LinkEnd::Far }];
    made.detail.dark_site = Some(site_id("murazzano"));
    made.detail.also_down =
        ["murazzano-igliano", "murazzano-paroldo"].map(|id| EdgeId::Link(LinkId::parse(id).unwrap())).to_vec();
    made
}

fn standby() -> Incident {
    let bundle = EdgeId::Bundle(BundleId::parse("bossolasco-murazzano-coppia").unwrap());
    let mut made = with_mbps(incident(Condition::OnStandby, bundle), 97.0);
    made.near = Some(end("Bossolasco", "bossolasco-af60", 11, (-55.0, -74.0), None, 24.1));
    made.far = Some(end("Murazzano", "murazzano-af60", 12, (-56.0, -75.0), None, 24.3));
    made.probable_cause = ProbableCause::Misalignment;
    made.confidence = Confidence::High;
    made.detail.reasons = vec![
        Reason::RslFellBothEnds { near_db: 19.0, far_db: 19.0 },
        Reason::NeighboursSteady { n: 4 },
        Reason::SupplyGood,
    ];
    made.detail.figure.from = Some("reported".into());
    made.detail.figure.limit = Some(Limit::Member(LinkId::parse("bossolasco-murazzano-5ghz").unwrap()));
    made.detail.figure.throughput_mbps = Some(41.0);
    made
}

/// An Ethernet port that fell to 100 Mbit/s.
fn port() -> Incident {
    let mut made = with_mbps(incident(Condition::CapacityBelow, link()), 93.0);
    made.near = Some(end("Bossolasco", "bossolasco-af60", 11, (-55.0, -55.0), Some((21.0, 21.0)), 24.1));
    made.far = Some(end("Murazzano", "murazzano-af60", 12, (-56.0, -56.0), Some((20.0, 20.0)), 24.3));
    made.far.as_mut().unwrap().port_rate_mbps = Some(100.0);
    made.probable_cause = ProbableCause::PortRate;
    made.confidence = Confidence::High;
    made.detail.reasons =
        vec![Reason::PortLimits { end: LinkEnd::Far, rate_mbps: 100.0 }, Reason::RslUsual, Reason::SupplyGood];
    made.detail.figure.from = Some("reported".into());
    made.detail.figure.limit = Some(Limit::Port(LinkEnd::Far, "eth0".into()));
    made.detail.figure.throughput_mbps = Some(71.0);
    made
}

/// The operator's fibre to the Internet: nothing of ours stands at its ends.
fn fibre() -> Incident {
    let mut made = down();
    made.subject = Subject::Edge(EdgeId::Backhaul(BackhaulId::parse("bossolasco-fibra").unwrap()));
    (made.near, made.far) = (None, None);
    (made.probable_cause, made.confidence) = (ProbableCause::Unknown, Confidence::Low);
    (made.detail.reasons, made.detail.evidence_link, made.detail.towards) = (Vec::new(), None, None);
    made
}

fn closed(mut incident: Incident) -> Incident {
    let (recovered, closed) = (at("2026-11-24T08:30:00Z"), at("2026-11-24T08:45:00Z"));
    incident.state = IncidentState::Closed;
    incident.closed_at = Some(closed);
    incident.changed_at = closed;
    incident.measured_mbps = Some(1951.0);
    incident.detail.below_ms = 160 * 60_000;
    for (at, state) in [(recovered, IncidentState::Closing), (closed, IncidentState::Closed)] {
        incident.transitions.push(Transition { at, state, measured_mbps: Some(1951.0) });
    }
    incident
}

fn wisp() -> Recipient {
    Recipient::Wisp(WispId::parse("langhenet").unwrap())
}

/// Writes the mail as a browser shows it, where `VEDETTA_MAILS` names a directory: for whoever wants to look at it.
fn seen(name: &str, mail: &Mail) {
    let Some(dir) = std::env::var_os("VEDETTA_MAILS").map(PathBuf::from) else { return };
    std::fs::create_dir_all(&dir).unwrap();
    let mut html = message::html(mail);
    if let Some(png) = mail.chart.as_ref().and_then(chart::Chart::png) {
        std::fs::write(dir.join(format!("{name}.png")), png).unwrap();
        let at = html.find("cid:").unwrap();
        let end = at + html[at..].find('"').unwrap();
        html.replace_range(at..end, &format!("{name}.png"));
    }
    std::fs::write(dir.join(format!("{name}.html")), html).unwrap();
}

fn golden(name: &str, actual: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/mails").join(name);
    if std::env::var_os("VEDETTA_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, actual).unwrap();
        return;
    }
    let expected = std::fs::read_to_string(&path)
        .unwrap_or_else(|e| panic!("{}: {e}; write it with VEDETTA_BLESS=1 cargo test", path.display()));
    assert_eq!(expected, actual, "{name} has changed; if that is right: VEDETTA_BLESS=1 cargo test");
}

/// The 24 hours before an incident: as usual, an hour at night that nobody measured, then what the incident says.
fn measured(mut mail: Mail, incident: &Incident) -> Mail {
    let Some(chart) = &mut mail.chart else { return mail };
    let required = incident.required_mbps.unwrap_or(100.0);
    let series = |usual: f64, wave: f64, end: Option<f64>, over: bool| -> Vec<Option<i32>> {
        (0..chart::SLOTS)
            .map(|slot| {
                let n = slot as f64;
                let quiet = usual + wave * (n / 23.0).sin() * (n / 7.0).cos();
                match slot {
                    170..182 => None,
                    200..230 if over => end.and_then(chart::tenths),
                    282.. if !over => end.and_then(chart::tenths),
                    _ => chart::tenths(quiet),
                }
            })
            .collect()
    };
    let over = incident.closed_at.is_some();
    chart.capacity = series(required * 1.6, required * 0.08, incident.measured_mbps_min, over);
    for (level, end) in chart.levels.iter_mut().zip([&incident.near, &incident.far].into_iter().flatten()) {
        let gone = incident.condition == Condition::LinkDown;
        level.rsl = series(end.rsl_dbm_usual.unwrap(), 0.8, end.rsl_dbm.filter(|_| !gone), over);
    }
    mail
}

fn shown(mail: &Mail) -> String {
    let mut out = format!("From: {}\nTo: {}\nSubject: {}\n", mail.from, mail.to.join(", "), mail.subject);
    let _ = writeln!(out, "Message-ID: {}\nList-Id: {}", mail.message_id, mail.list_id);
    if let Some(id) = &mail.in_reply_to {
        let _ = writeln!(out, "In-Reply-To: {id}\nReferences: {}", mail.references.join(" "));
    }
    format!("{out}\n{}", mail.text)
}

#[test]
fn mails_read_as_written_down() {
    for language in [Language::Italian, Language::English] {
        let network = network(language);
        let cases = [
            ("fade", fade()),
            ("down", down()),
            ("dark", dark()),
            ("standby", standby()),
            ("port", port()),
            ("fibre", fibre()),
        ];
        for (name, incident) in cases {
            for (role, recipient) in [("wisp", wisp()), ("staff", Recipient::Staff(0))] {
                let opened_at = incident.opened_at.unwrap();
                let opened = render(&network, &incident, &recipient, NoticeKind::Opened, opened_at, &SENDER).unwrap();
                let over = closed(incident.clone());
                let now = over.closed_at.unwrap();
                let closed = render(&network, &over, &recipient, NoticeKind::Closed, now, &SENDER).unwrap();
                let code = language.code();
                golden(&format!("{name}-{role}-opened-{code}.txt"), &shown(&opened));
                golden(&format!("{name}-{role}-closed-{code}.txt"), &shown(&closed));
                let (opened, closed) = (measured(opened, &incident), measured(closed, &over));
                golden(&format!("{name}-{role}-opened-{code}.html"), &message::html(&opened));
                golden(&format!("{name}-{role}-closed-{code}.html"), &message::html(&closed));
                seen(&format!("{name}-{role}-opened-{code}"), &opened);
                seen(&format!("{name}-{role}-closed-{code}"), &closed);
                for mail in [&opened, &closed] {
                    assert!(mail.text.lines().count() <= 30, "{name}-{role}: {} lines", mail.text.lines().count());
                    // A phone shows about 70 characters of a subject in two lines; the target may follow.
                    assert!(mail.subject.chars().count() <= 90, "{}", mail.subject);
                }
                // One thread.
                assert_eq!(opened.subject, closed.subject);
                assert_eq!(closed.in_reply_to.as_ref(), Some(&opened.message_id));
                assert_eq!(closed.references, std::slice::from_ref(&opened.message_id));
                assert_ne!(opened.message_id, closed.message_id);
                assert!(opened.id < closed.id);
            }
        }
    }
}

#[test]
fn other_incidents_read_well_too() {
    let network = network(Language::Italian);
    let staff = Recipient::Staff(0);
    let mut site = with_mbps(incident(Condition::SiteBelowTarget, link()), 12.5);
    site.subject = Subject::Site(site_id("paroldo"));
    site.wisp = None;
    (site.sites, site.sites_below, site.residents) = (vec![site_id("paroldo")], vec![site_id("paroldo")], 220);
    site.required_mbps = Some(30.0);
    site.detail = Detail { announced: true, ..Detail::default() };
    let mut lost = incident(Condition::SamplesLost, link());
    lost.subject = Subject::Agent(site_id("bossolasco"));
    lost.wisp = None;
    lost.detail = Detail { announced: true, lost_batches: Some(4), ..Detail::default() };
    (lost.sites, lost.sites_below, lost.residents) = (vec![site_id("bossolasco")], Vec::new(), 0);
    let mut rerouted = down();
    rerouted.severity = Severity::Major;
    (rerouted.sites_below, rerouted.sites_cut_off) = (Vec::new(), Vec::new());
    for (name, incident) in [("site", site), ("samples-lost", lost), ("rerouted", rerouted)] {
        let now = incident.opened_at.unwrap();
        let mail = render(&network, &incident, &staff, NoticeKind::Opened, now, &SENDER).unwrap();
        golden(&format!("{name}-staff-opened-it.txt"), &shown(&mail));
        let over = closed(incident);
        let mail = render(&network, &over, &staff, NoticeKind::Closed, over.closed_at.unwrap(), &SENDER).unwrap();
        golden(&format!("{name}-staff-closed-it.txt"), &shown(&mail));
    }
}

/// Of no link: told to the staff alone.
fn unlinked(condition: Condition, subject: Subject, detail: Detail) -> Incident {
    let mut made = incident(condition, link());
    (made.subject, made.wisp, made.required_mbps) = (subject, None, None);
    (made.sites, made.sites_below, made.residents) = (Vec::new(), Vec::new(), 0);
    made.detail = Detail { announced: true, ..detail };
    made
}

fn night(id: &BackupId) -> Backup {
    Backup {
        id: id.clone(),
        name: "Copia notturna di Bossolasco".into(),
        site: site_id("bossolasco"),
        window_start_minute: 22 * 60,
        window_end_minute: 5 * 60,
        size_gigabytes: 120.0,
        start_grace: std::time::Duration::from_mins(30),
        finish_grace: std::time::Duration::from_mins(30),
    }
}

#[test]
fn what_the_staff_alone_hear_of_reads_well() {
    let job = BackupId::parse("bossolasco-notte").unwrap();
    let agent = || Subject::Agent(site_id("bossolasco"));
    let of_backup = |trouble| {
        let detail = Detail { backup: Some(trouble), ..Detail::default() };
        unlinked(Condition::BackupWillNotFinish, Subject::Backup(job.clone()), detail)
    };
    let mut narrow = with_mbps(of_backup(BackupTrouble::DoesNotFit), 12.5);
    narrow.required_mbps = Some(38.0);
    let days = Detail { value: Some(12.0), value_worst: Some(12.0), limit: Some(30.0), ..Detail::default() };
    let cases = [
        ("backup-too-narrow", narrow),
        ("backup-not-finished", of_backup(BackupTrouble::NotFinished)),
        ("certificate", unlinked(Condition::CertificateExpiring, agent(), days)),
        ("cloned", unlinked(Condition::ClonedAgent, agent(), Detail::default())),
    ];
    for language in [Language::Italian, Language::English] {
        let mut network = network(language);
        network.backups.insert(job.clone(), night(&job));
        for (name, incident) in &cases {
            let (staff, code) = (Recipient::Staff(0), language.code());
            let now = incident.opened_at.unwrap();
            let opened = render(&network, incident, &staff, NoticeKind::Opened, now, &SENDER).unwrap();
            golden(&format!("{name}-staff-opened-{code}.txt"), &shown(&opened));
            seen(&format!("{name}-staff-opened-{code}"), &opened);
            let mut over = closed(incident.clone());
            over.measured_mbps = incident.measured_mbps.map(|_| 74.0);
            let closed = render(&network, &over, &staff, NoticeKind::Closed, over.closed_at.unwrap(), &SENDER).unwrap();
            golden(&format!("{name}-staff-closed-{code}.txt"), &shown(&closed));
            assert_eq!(opened.subject, closed.subject);
            assert!(opened.text.lines().count() <= 30 && opened.subject.chars().count() <= 90, "{}", opened.subject);
        }
    }
}

#[test]
fn without_a_public_address_there_are_no_links() {
    let network = network(Language::Italian);
    let sender = Sender { public_url: None, ..SENDER };
    for recipient in [wisp(), Recipient::Staff(0)] {
        let mail = render(&network, &standby(), &recipient, NoticeKind::Opened, at("2026-11-24T05:57:00Z"), &sender);
        let mail = mail.unwrap();
        assert!(!mail.text.contains("http") && !mail.html.contains("href"), "{}", mail.text);
    }
}

#[test]
fn names_from_the_inventory_are_escaped_and_break_no_header() {
    let mut network = network(Language::Italian);
    network.sites.get_mut("murazzano").unwrap().name = "<script>x</script>\r\nBcc: a@b.example & co".into();
    let mail = render(&network, &fade(), &wisp(), NoticeKind::Opened, at("2026-11-24T05:57:00Z"), &SENDER).unwrap();
    assert!(!mail.html.contains("<script>"), "{}", mail.html);
    assert!(!mail.subject.contains(['\r', '\n']), "{:?}", mail.subject);
    let bytes = super::message::build(&mail).unwrap().bytes;
    assert!(!String::from_utf8(bytes).unwrap().contains("\r\nBcc:"));
}

#[test]
fn another_operators_equipment_is_not_shown() {
    let mut network = network(Language::Italian);
    network.links.get_mut("bossolasco-murazzano").unwrap().wisp = Some(WispId::parse("other").unwrap());
    let mail = render(&network, &standby(), &wisp(), NoticeKind::Opened, at("2026-11-24T05:57:00Z"), &SENDER).unwrap();
    assert!(!mail.text.contains("10.38.27.") && !mail.text.contains("AF60"), "{}", mail.text);
}

#[test]
fn at_a_dark_site_an_operator_reads_only_of_its_own_links() {
    let network = network(Language::Italian);
    let now = at("2026-11-24T05:45:00Z");
    let mail = |to: &Recipient| render(&network, &dark(), to, NoticeKind::Opened, now, &SENDER).unwrap();
    let (operator, staff) = (mail(&wisp()), mail(&Recipient::Staff(0)));
    assert!(operator.text.contains("Murazzano–Paroldo"), "{}", operator.text);
    for text in [&operator.text, &operator.html, &operator.subject] {
        assert!(!text.contains("Murazzano–Igliano") && !text.contains("Belbo"), "{text}");
    }
    assert!(staff.text.contains("Murazzano–Paroldo") && staff.text.contains("Belbo Wireless"), "{}", staff.text);
}

#[test]
fn a_message_has_the_headers_that_machines_need() {
    let mail = render(
        &network(Language::Italian),
        &closed(fade()),
        &wisp(),
        NoticeKind::Closed,
        at("2026-11-24T08:45:00Z"),
        &SENDER,
    )
    .unwrap();
    let first = super::message::build(&mail).unwrap();
    let text = String::from_utf8(first.bytes.clone()).unwrap();
    for header in [
        "Auto-Submitted: auto-generated\r\n",
        "List-Id: <alta-langa.vedetta.unione.example>\r\n",
        "Date: Tue, 24 Nov 2026 08:45:00 +0000\r\n",
        "Content-Type: multipart/alternative;",
        "Content-Type: text/plain; charset=utf-8\r\n",
        "Content-Type: text/html; charset=utf-8\r\n",
        "Reply-To: rete@unione.example\r\n",
    ] {
        assert!(text.contains(header), "no {header:?} in\n{text}");
    }
    assert!(text.lines().all(|l| l.len() <= 998), "RFC 5322 allows no longer line");
    // A repeat is the same to the byte.
    assert_eq!(first.bytes, super::message::build(&mail).unwrap().bytes);
}

mod feeds;
mod policy_tests;
mod together;
