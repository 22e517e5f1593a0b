//! Outages that need root to make: a partition between network namespaces with addresses of their own, and disks that
//! are full, as small file systems in a mount namespace. Nothing of the machine's own network or mounts changes.
#![cfg(feature = "hub")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use support::rig::{Generator, Hub, Orders, assert_nothing_lost, be_generator_if_told};
use support::{Mosquitto, free_port, wait_for};

const AGENT: &str = "bossolasco";
/// Set inside a namespace.
const INSIDE: &str = "VEDETTA_TEST_INSIDE";

#[test]
fn generator_process() {
    be_generator_if_told();
}

/// Runs one test of this binary again behind other words, and shows what it says.
fn again(words: &[&str], test: &str, inside: &str) {
    let out = Command::new(words[0])
        .args(&words[1..])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(INSIDE, inside)
        .output()
        .unwrap_or_else(|e| panic!("{}: {e}; apt-get install util-linux iproute2", words[0]));
    let told = [out.stdout, out.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    println!("{told}");
    assert!(out.status.success(), "inside the namespace (only root may make one):\n{told}");
}

fn run(words: &[&str]) {
    let done = Command::new(words[0]).args(&words[1..]).status().unwrap_or_else(|e| panic!("{words:?}: {e}"));
    assert!(done.success(), "{words:?}; only root may do that");
}

/// Two network namespaces and a cable between them.
struct Cable {
    union: String,
    hill: String,
}

impl Cable {
    fn lay() -> Self {
        let name = |side: &str| format!("vedetta-{side}-{}", std::process::id());
        let cable = Self { union: name("union"), hill: name("hill") };
        let (union, hill) = (cable.union.as_str(), cable.hill.as_str());
        for namespace in [union, hill] {
            run(&["ip", "netns", "add", namespace]);
            run(&["ip", "-n", namespace, "link", "set", "lo", "up"]);
        }
        run(&["ip", "-n", union, "link", "add", "uplink", "type", "veth", "peer", "name", "uplink", "netns", hill]);
        for (namespace, address) in [(union, "198.51.100.1/24"), (hill, "198.51.100.2/24")] {
            run(&["ip", "-n", namespace, "address", "add", address, "dev", "uplink"]);
            run(&["ip", "-n", namespace, "link", "set", "uplink", "up"]);
        }
        cable
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        for name in [&self.union, &self.hill] {
            let _ = Command::new("ip").args(["netns", "del", name]).status();
        }
    }
}

/// A batch a minute for a week, made while the cable is out.
const WEEK_BATCHES: u64 = 7 * 24 * 60;

#[test]
fn a_week_without_a_link_arrives_afterwards() {
    let Some(hill) = std::env::var(INSIDE).ok() else {
        let cable = Cable::lay();
        let words = ["ip", "netns", "exec", &cable.union];
        return again(&words, "a_week_without_a_link_arrives_afterwards", &cable.hill);
    };
    let dir = tempfile::tempdir().unwrap();
    let broker = Mosquitto::at(([198, 51, 100, 1], free_port()).into(), "allow_anonymous true\n", None);
    let mut hub = Hub::new(&dir.path().join("hub"), broker.addr, &[AGENT]);
    let orders =
        Orders { radios: 20, count: 20, clock_rate: 120, every: Duration::ZERO, ..Orders::new(AGENT, broker.addr) };
    let mut generator = Generator::new(&dir.path().join("agent"), orders).inside(&["ip", "netns", "exec", &hill]);
    hub.start();
    generator.start().until_delivered();
    run(&["ip", "link", "set", "uplink", "down"]);
    generator.orders.count += WEEK_BATCHES;
    generator.order();
    let started = Instant::now();
    generator.until_kept(generator.orders.count);
    println!("a week's batches are in the spool after {:?}", started.elapsed());
    assert_eq!(hub.stored(), 20, "nothing gets through");
    run(&["ip", "link", "set", "uplink", "up"]);
    let healed = Instant::now();
    generator.until_delivered();
    println!("all of them are in the ledger {:?} after the link is back", healed.elapsed());
    generator.stop();
    hub.stop();
    assert_nothing_lost(&hub, &[&generator]);
}

/// A file system of a few megabytes, which the test can fill.
struct SmallDisk<'a>(&'a Path);

impl SmallDisk<'_> {
    fn mount(&self, megabytes: u32) {
        std::fs::create_dir_all(self.0).unwrap();
        let size = format!("size={megabytes}m");
        run(&["mount", "-t", "tmpfs", "-o", &size, "tmpfs", self.0.to_str().unwrap()]);
    }

    /// Takes all the room that there is now.
    fn fill(&self) {
        let mut ballast = File::options().create(true).append(true).open(self.0.join("ballast")).unwrap();
        let page = [7; 4096];
        while ballast.write_all(&page).is_ok() {}
    }

    fn make_room(&self) {
        std::fs::remove_file(self.0.join("ballast")).unwrap();
    }
}

#[test]
fn a_full_disk_on_either_side_delays_and_loses_nothing() {
    if std::env::var_os(INSIDE).is_none() {
        return again(&["unshare", "--mount"], "a_full_disk_on_either_side_delays_and_loses_nothing", "mounts");
    }
    let dir = tempfile::tempdir().unwrap();
    let broker = Mosquitto::open();
    let mut hub = Hub::new(&dir.path().join("hub"), broker.addr, &[AGENT]);
    let orders = Orders { clock_rate: 8, ..Orders::new(AGENT, broker.addr) };
    let mut generator = Generator::new(&dir.path().join("agent"), orders);
    let (ledger_dir, spool_dir) = (hub.data(), generator.dir.join("spool"));
    let (ledger_disk, spool_disk) = (SmallDisk(&ledger_dir), SmallDisk(&spool_dir));
    ledger_disk.mount(8);
    spool_disk.mount(4);
    hub.start();
    generator.start();
    hub.until_stored(50);

    // The hub's disk: batches wait at the agent, and none is called stored that is not.
    wait_for("the ledger is full", || {
        ledger_disk.fill();
        hub.log().contains("the ledger takes no batches").then_some(())
    });
    let waiting = generator.until("batches wait at the agent", |s| s["pending"].as_u64() > Some(20));
    let acknowledged = waiting["kept"].as_u64().unwrap() - waiting["pending"].as_u64().unwrap();
    assert!(acknowledged <= hub.stored(), "{acknowledged} acknowledged, {} stored", hub.stored());
    ledger_disk.make_room();
    generator.until("the backlog is gone", |s| s["pending"].as_u64() < Some(10));

    // The agent's disk: nothing is kept any more, and it says so.
    wait_for("the spool is full", || {
        spool_disk.fill();
        generator.status().filter(|s| s["disk_error"].is_string())
    });
    spool_disk.make_room();
    let status = generator.until("the disk works again", |s| s["disk_error"].is_null());
    let kept = status["kept"].as_u64().unwrap();
    generator.until_kept(kept + 20);
    assert_eq!(generator.status().unwrap()["evicted"], 0, "what was stored was given up, nothing else");

    generator.kill();
    generator.orders.count = generator.journal().offered.len() as u64;
    generator.start().until_delivered();
    generator.stop();
    hub.stop();
    assert_nothing_lost(&hub, &[&generator]);
}
