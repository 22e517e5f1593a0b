//! `vedetta simulate`: only the simulated devices.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use serde::Serialize;

use super::radio::Family;
use super::scenario::Scenario;
use super::{SimOptions, Simulated, start};
use crate::config::secret::SecretSource;
use crate::model::network::{AuthProtocol, Device, Network, PrivProtocol, SnmpAccess};
use crate::runtime::clock::SystemClock;
use crate::runtime::tasks::{Shutdown, ShutdownSwitch};

/// Longest scenario file that is read.
const SCENARIO_BYTES_MAX: u64 = 1 << 20;

/// One device, as the table and `--json` show it.
#[derive(Debug, Serialize)]
struct Listed {
    device: String,
    site: String,
    family: &'static str,
    /// `127.38.27.11:10161`
    address: String,
    /// What to give to an SNMP client; null where the device is only pinged.
    snmp: Option<ListedAccess>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "version", rename_all = "lowercase")]
enum ListedAccess {
    V1 { community: String },
    V2c { community: String },
    V3 { user: String, auth: Option<Protocol>, privacy: Option<Protocol> },
}

#[derive(Debug, Serialize)]
struct Protocol {
    protocol: &'static str,
    password: String,
}

#[derive(Debug, Serialize)]
struct Listing {
    scenario: String,
    speed: f64,
    seed: u64,
    devices: Vec<Listed>,
}

/// Reads a scenario file. The error lists every problem, each with file and line.
pub fn load_scenario(file: &Path) -> anyhow::Result<Scenario> {
    // A file in the way can be named as ./storm.
    if let Some(shipped) = file.to_str().and_then(Scenario::by_name) {
        return Ok(shipped);
    }
    let about = || format!("the scenario {}", file.display());
    let length = std::fs::metadata(file).with_context(about)?.len();
    if length > SCENARIO_BYTES_MAX {
        bail!("{} is larger than {SCENARIO_BYTES_MAX} bytes", about());
    }
    let text = std::fs::read_to_string(file).with_context(about)?;
    Scenario::parse(&text).map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(|p| format!("{}: {p}", file.display())).collect();
        anyhow::anyhow!(lines.join("\n"))
    })
}

/// Starts the simulated devices, prints where each answers and how, and plays the scenario (fair weather where none
/// is named) until Ctrl-C. The secrets that it prints are its own inventions.
pub async fn simulate_command(
    network: &Network,
    scenario_file: Option<&Path>,
    options: SimOptions,
    json: bool,
) -> anyhow::Result<()> {
    let scenario = scenario_file.map_or_else(|| Ok(Scenario::calm()), load_scenario)?;
    let (switch, shutdown) = Shutdown::new();
    let simulated = start(network, scenario, options, SystemClock::shared(), shutdown.clone()).await?;
    let listing = show(&simulated, options, json)?;
    std::io::stdout().write_all(listing.as_bytes()).context("writing the list of devices")?;
    run_until_interrupted(simulated, switch, shutdown).await
}

async fn run_until_interrupted(
    simulated: Simulated,
    switch: ShutdownSwitch,
    mut shutdown: Shutdown,
) -> anyhow::Result<()> {
    let mut run = std::pin::pin!(simulated.tasks.run(shutdown.clone()));
    tokio::select! {
        // A task that ends by itself has failed.
        ended = &mut run => return ended,
        waited = tokio::signal::ctrl_c() => waited.context("waiting for Ctrl-C")?,
        () = shutdown.wait() => {}
    }
    switch.stop();
    run.await
}

fn show(simulated: &Simulated, options: SimOptions, json: bool) -> anyhow::Result<String> {
    let mut devices = Vec::new();
    for device in simulated.network.devices.values() {
        devices.push(listed(device, &simulated.network, &simulated.secrets)?);
    }
    let scenario = simulated.world.scenario().name.clone();
    let listing = Listing { scenario, speed: options.speed, seed: options.seed, devices };
    if json {
        return Ok(format!("{}\n", serde_json::to_string(&listing)?));
    }
    Ok(table(&listing))
}

fn listed(device: &Device, network: &Network, secrets: &Arc<dyn SecretSource>) -> anyhow::Result<Listed> {
    let access = device.credential.as_ref().and_then(|c| network.credentials.get(c)).map(|c| &c.access);
    let snmp = match access {
        None => None,
        Some(SnmpAccess::V1 { community }) => {
            Some(ListedAccess::V1 { community: secrets.read(community)?.expose().to_owned() })
        }
        Some(SnmpAccess::V2c { community }) => {
            Some(ListedAccess::V2c { community: secrets.read(community)?.expose().to_owned() })
        }
        Some(SnmpAccess::V3 { user, auth, privacy }) => {
            let mut shown = [None, None];
            if let Some((protocol, secret)) = auth {
                let password = secrets.read(secret)?.expose().to_owned();
                shown[0] = Some(Protocol { protocol: auth_word(*protocol), password });
            }
            if let Some((protocol, secret)) = privacy {
                let password = secrets.read(secret)?.expose().to_owned();
                shown[1] = Some(Protocol { protocol: priv_word(*protocol), password });
            }
            let [auth, privacy] = shown;
            Some(ListedAccess::V3 { user: user.clone(), auth, privacy })
        }
    };
    Ok(Listed {
        device: device.id.to_string(),
        site: device.site.to_string(),
        family: Family::of(device).as_str(),
        address: format!("{}:{}", device.address, device.snmp_port),
        snmp,
    })
}

fn table(listing: &Listing) -> String {
    let header = ["DEVICE", "SITE", "FAMILY", "ADDRESS", "SNMP"].map(str::to_owned);
    let mut rows = vec![header];
    for d in &listing.devices {
        let snmp = match &d.snmp {
            None => "only pinged".to_owned(),
            Some(ListedAccess::V1 { community }) => format!("v1 {community}"),
            Some(ListedAccess::V2c { community }) => format!("v2c {community}"),
            Some(ListedAccess::V3 { user, auth, privacy }) => {
                let part = |p: &Option<Protocol>| {
                    p.as_ref().map_or_else(String::new, |p| format!(" {} {}", p.protocol, p.password))
                };
                format!("v3 {user}{}{}", part(auth), part(privacy))
            }
        };
        rows.push([d.device.clone(), d.site.clone(), d.family.to_owned(), d.address.clone(), snmp]);
    }
    let mut widths = [0; 5];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let line = |row: &[String; 5]| {
        let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    let mut text: String = rows.iter().map(line).collect();
    let _ = writeln!(
        text,
        "{} devices, scenario \"{}\" at {} times the clock, seed {}; Ctrl-C ends it",
        listing.devices.len(),
        listing.scenario,
        listing.speed,
        listing.seed
    );
    text
}

fn auth_word(protocol: AuthProtocol) -> &'static str {
    match protocol {
        AuthProtocol::Md5 => "md5",
        AuthProtocol::Sha1 => "sha1",
        AuthProtocol::Sha224 => "sha224",
        AuthProtocol::Sha256 => "sha256",
        AuthProtocol::Sha384 => "sha384",
        AuthProtocol::Sha512 => "sha512",
    }
}

fn priv_word(protocol: PrivProtocol) -> &'static str {
    match protocol {
        PrivProtocol::Des => "des",
        PrivProtocol::Aes128 => "aes128",
        PrivProtocol::Aes192 => "aes192",
        PrivProtocol::Aes256 => "aes256",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::UnixMillis;
    use crate::runtime::clock::{ManualClock, SharedClock};
    use crate::sim::fixture;

    async fn shown(json: bool) -> (Simulated, String) {
        let port = std::net::UdpSocket::bind("127.0.0.1:0").and_then(|s| s.local_addr()).expect("a free port").port();
        let options = SimOptions { port, ..SimOptions::default() };
        let (_switch, shutdown) = Shutdown::new();
        let clock = ManualClock::at(UnixMillis(0)) as SharedClock;
        let simulated =
            start(&fixture::network(), Scenario::calm(), options, clock, shutdown).await.expect("it starts");
        let text = show(&simulated, options, json).expect("all secrets are known");
        (simulated, text)
    }

    #[tokio::test]
    async fn the_table_says_where_and_how_each_device_answers() {
        let (simulated, text) = shown(false).await;
        let line = |device: &str| {
            let line = text.lines().find(|l| l.starts_with(&format!("{device} "))).expect("it is listed");
            line.split_whitespace().collect::<Vec<_>>().join(" ")
        };
        let port = simulated.network.devices["a-b-af60"].snmp_port;
        let SnmpAccess::V2c { community } = &simulated.network.credentials["radios"].access else {
            panic!("the fixture's credential is v2c")
        };
        let community = simulated.secrets.read(community).expect("invented").expose().to_owned();
        assert_eq!(line("a-b-af60"), format!("a-b-af60 a ubiquiti-af60 127.0.1.2:{port} v2c {community}"));
        assert!(line("pop-a-af60").contains(" v1 "));
        assert!(line("d-b-60g").contains("v3 vedetta sha256 ") && line("d-b-60g").contains(" aes128 "));
        assert!(line("pop-camera").ends_with("only pinged"));
        assert!(text.contains("13 devices, scenario \"sereno\""));
    }

    #[tokio::test]
    async fn json_is_one_object_with_the_same() {
        let (_simulated, text) = shown(true).await;
        let json: serde_json::Value = serde_json::from_str(&text).expect("one object");
        let devices = json["devices"].as_array().expect("a list");
        assert_eq!(devices.len(), 13);
        let of = |id: &str| devices.iter().find(|d| d["device"] == id).expect("it is listed");
        assert_eq!(of("a-b-af60")["snmp"]["version"], "v2c");
        assert_eq!(of("d-b-60g")["snmp"]["auth"]["protocol"], "sha256");
        assert!(of("pop-camera")["snmp"].is_null());
        assert_eq!(json["scenario"], "sereno");
    }

    #[test]
    fn a_scenario_file_that_is_wrong_is_named_with_its_lines() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("x.toml");
        let said = |file: &Path| format!("{:#}", load_scenario(file).expect_err("it is wrong"));
        assert!(said(&file).contains("x.toml"));
        std::fs::write(&file, "name = 3\nwhat = 1\n").expect("a file");
        let text = said(&file);
        for expected in
            ["x.toml: line 1: `description_en` is missing", "line 1: name: must be a text", "line 2: unknown"]
        {
            assert!(text.contains(expected), "{text}");
        }
        std::fs::write(&file, "#".repeat((SCENARIO_BYTES_MAX + 1) as usize)).expect("a file");
        assert!(said(&file).contains("is larger than"));
    }
}
