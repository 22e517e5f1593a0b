#[cfg(feature = "sim")]
use super::inventory::Draft;
#[cfg(feature = "sim")]
use super::pair::pair;
use super::*;
use crate::config::secret::Secret;
use crate::probe::testing::{AF60, Responder, Temper, objects};

fn options(ranges: &[&str], port: u16) -> DiscoverOptions {
    DiscoverOptions {
        ranges: ranges.iter().map(|range| range.parse().unwrap()).collect(),
        port,
        access: vec![("radios".into(), Access::V2c { community: Secret::new("public") })],
        timeout: Duration::from_millis(300),
        rate: RATE_MAX,
        resume: None,
    }
}

async fn forever() {
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_dead_address_is_asked_twice_and_a_search_goes_on_where_it_was() {
    let dead = Responder::start(objects(AF60), Temper::Silent).await;
    let dir = tempfile::tempdir().unwrap();
    let resume = Some(dir.path().join("state.json"));
    let options = DiscoverOptions { resume, ..options(&["127.0.0.1"], dead.address.port()) };
    // Stopped before anything was asked; then to the end; then there is nothing left to ask.
    let (state, complete) = discover(&options, async {}, |_| {}).await.unwrap();
    assert!(!complete && state.found.is_empty() && options.resume.as_ref().unwrap().exists());
    let (state, complete) = discover(&options, forever(), |_| {}).await.unwrap();
    assert_eq!((complete, state.done, state.unanswered, dead.datagrams()), (true, 1, 2, 2));
    discover(&options, forever(), |_| {}).await.unwrap();
    assert_eq!(dead.datagrams(), 2);
    // Two credentials: each once.
    let access = vec![options.access[0].clone(), ("other".into(), Access::V2c { community: Secret::new("x") })];
    discover(&DiscoverOptions { access, resume: None, ..options.clone() }, forever(), |_| {}).await.unwrap();
    assert_eq!(dead.datagrams(), 4);
    // The state of another search, and what is none.
    let other = DiscoverOptions { port: 9, ..options.clone() };
    let error = discover(&other, forever(), |_| {}).await.unwrap_err();
    assert!(matches!(error, DiscoverError::OtherState { .. }), "{error}");
    std::fs::write(options.resume.as_ref().unwrap(), "{").unwrap();
    let error = discover(&options, forever(), |_| {}).await.unwrap_err();
    assert!(matches!(error, DiscoverError::BadState { .. }), "{error}");
}

#[cfg(feature = "sim")]
#[tokio::test]
async fn a_simulated_network_is_found_paired_and_passes_check() {
    use crate::config::check;
    use crate::model::network::SnmpAccess;
    use crate::runtime::tasks::Shutdown;
    use crate::sim::{SimOptions, scenario::Scenario, start};

    // A part of 127/8 of its own, so that no other test's devices are found here.
    let port = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let mut network = crate::sim::fixture::network();
    for device in network.devices.values_mut() {
        let IpAddr::V4(v4) = device.address else { continue };
        let [_, _, c, d] = v4.octets();
        device.address = IpAddr::from([127, 73, c, d]);
        // What is on loopback already keeps its port in a simulation.
        device.snmp_port = port;
    }
    let (_switch, shutdown) = Shutdown::new();
    let sim_options = SimOptions { port, ..SimOptions::default() };
    let simulated =
        start(&network, Scenario::calm(), sim_options, SystemClock::shared(), shutdown.clone()).await.unwrap();
    let mut access = Vec::new();
    for name in ["radios", "old"] {
        let (SnmpAccess::V1 { community } | SnmpAccess::V2c { community }) = &network.credentials[name].access else {
            panic!("{name} has a community")
        };
        let community = simulated.secrets.read(community).unwrap();
        let version = |community| if name == "old" { Access::V1 { community } } else { Access::V2c { community } };
        access.push((name.to_owned(), version(community)));
    }
    let ranges: Vec<String> = (0..6).map(|c| format!("127.73.{c}.0/29")).collect();
    let ranges: Vec<&str> = ranges.iter().map(String::as_str).collect();
    let options = DiscoverOptions { access, timeout: Duration::from_secs(1), ..options(&ranges, port) };
    let found = tokio::select! {
        _ = simulated.tasks.run(shutdown) => panic!("the simulation ended"),
        found = discover(&options, forever(), |_| {}) => found.unwrap().0.found,
    };
    let ends: Vec<_> = found.iter().map(Found::end).collect();
    let pairs = pair(&ends);
    let name = |i: usize| found[i].name.clone().unwrap();
    let links: BTreeSet<_> = pairs
        .pairs
        .iter()
        .map(|p| [name(p.near), name(p.far)])
        .map(|mut p| {
            p.sort();
            p
        })
        .collect();
    for expected in [
        ["a-pop-af60", "pop-a-af60"],
        ["a-b-af60", "b-a-af60"],
        ["a-ap", "c-cpe"],
        ["a-ap", "e-cpe"],
        ["b-d-5g", "d-b-5g"],
    ] {
        assert!(links.contains(&expected.map(str::to_owned)), "{expected:?} not in {links:?}; {pairs:?}");
    }
    let draft = Draft::new(&found, &pairs, None);
    let versions = [("radios".to_owned(), "v2c"), ("old".to_owned(), "v1")];
    let toml = draft.toml(&versions, None);
    // The sites filled in, as a person would.
    let mut n = 0;
    let filled: String = toml.lines().fold(String::new(), |text, line| {
        if !line.starts_with("# to decide: lat") {
            return text + line + "\n";
        }
        n += 1;
        let agent = if n == 1 { "\nagent = true" } else { "" };
        text + &format!("lat = 44.{}\nlon = 8.0{agent}\n", 500 + n)
    });
    let pasted = format!("[network]\nid = \"prova\"\nname = \"Prova\"\n{filled}");
    let (read, findings) = check::network(&pasted, Path::new("."));
    assert!(!findings.has_error(), "{findings:?}\n{pasted}");
    let read = read.unwrap();
    assert_eq!((read.devices.len(), read.links.len()), (found.len(), pairs.pairs.len()));
    assert_eq!(read.sectors.len(), 1);
    // Against what it printed itself nothing differs; without one device and with another address two things do.
    let ranges = options.ranges.clone();
    assert_eq!(Draft::new(&found, &pairs, Some(&read)).differences(&read, &ranges), Vec::<String>::new());
    assert_eq!(Draft::new(&found, &pairs, Some(&read)).toml(&versions, Some(&read)).trim(), "");
    let mut changed = read.clone();
    changed.devices.get_mut("a-ap").unwrap().address = "127.73.1.6".parse().unwrap();
    let lines = Draft::new(&found, &pairs, Some(&changed)).differences(&changed, &ranges);
    assert!(lines.contains(&"address of a-ap: 127.73.1.6 in the inventory, 127.73.1.3 found".to_owned()), "{lines:?}");
    assert!(lines.contains(&"missing: a-ap did not answer on 127.73.1.6".to_owned()), "{lines:?}");
}
