//! Nothing is lost between the hill and the Union: real mosquitto, real `vedetta hub`, real files, real SIGKILL.
#![cfg(feature = "hub")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::{AsyncClient, MqttOptions};
use support::rig::{Generator, Hub, Orders, Rig, assert_nothing_lost, be_generator_if_told, content};
use support::{free_port, seed, victoria_metrics, wait_for};
use vedetta::mqtt::inbox::SET_ASIDE_PER_MINUTE;
use vedetta::store::ledger::Ledger;

const AGENT: &str = "bossolasco";

/// What the other tests start; by itself it does nothing.
#[test]
fn generator_process() {
    be_generator_if_told();
}

/// Measured with plain QoS 1: 50 of 50 lost.
#[test]
fn no_hub_has_subscribed_yet() {
    let mut rig = Rig::new(&[AGENT]);
    let mut generator = rig.generator(AGENT);
    generator.orders.count = 50;
    generator.start().until("the broker is there", |s| s["connected"] == true);
    generator.until_kept(50);
    rig.hub.start();
    generator.until_delivered();
    generator.stop();
    rig.hub.stop();
    assert_nothing_lost(&rig.hub, &[&generator]);
}

/// Measured with plain QoS 1: 2,000 of 3,000 lost.
#[test]
fn the_hub_is_away() {
    let mut rig = Rig::new(&[AGENT]);
    let mut generator = rig.generator(AGENT);
    generator.orders.count = 1000;
    generator.orders.every = Duration::from_millis(2);
    // So that the backlog, which keeps to its rate, takes seconds.
    generator.orders.clock_rate = 8;
    generator.start();
    rig.hub.start().until_stored(100);
    rig.hub.kill();
    generator.until_kept(1000);
    rig.hub.start();
    generator.until_delivered();
    generator.stop();
    rig.hub.stop();
    assert_nothing_lost(&rig.hub, &[&generator]);
}

/// Measured with plain QoS 1: 500 of 500 lost. The broker has acknowledged what it never gives to the hub.
#[test]
fn the_broker_is_killed() {
    let mut rig = Rig::new(&[AGENT]);
    let mut generator = rig.generator(AGENT);
    generator.orders.count = 500;
    rig.hub.start();
    generator.start();
    rig.hub.until_stored(1);
    rig.hub.signal("STOP");
    generator.until("what the broker took is under way", |s| s["under_way"].as_u64() >= Some(24));
    rig.broker.kill();
    generator.until_kept(500);
    rig.hub.signal("CONT");
    rig.broker.restart();
    generator.until_delivered();
    generator.stop();
    rig.hub.stop();
    assert_nothing_lost(&rig.hub, &[&generator]);
}

/// Rounds of the loop below: `VEDETTA_KILL_ROUNDS`, 20 without it.
fn rounds() -> u32 {
    let told = std::env::var("VEDETTA_KILL_ROUNDS").ok();
    told.map_or(20, |rounds| rounds.parse().expect("VEDETTA_KILL_ROUNDS is a number"))
}

/// kill -9 of an agent, the hub or the broker at random points, again and again, while two agents deliver.
#[test]
fn kills_at_random_points() {
    let mut rng = SmallRng::seed_from_u64(seed());
    let mut rig = Rig::new(&[AGENT, "murazzano"]);
    let mut generators = [rig.generator(AGENT), rig.generator("murazzano")];
    rig.hub.start();
    for generator in &mut generators {
        // So that the backlog of a hub that was slow, which keeps to its rate, does not take minutes.
        generator.orders.clock_rate = 8;
        generator.start();
    }
    let started = Instant::now();
    for round in 0..rounds() {
        // The loop goes on when something new is stored: so each kill falls into a delivery.
        rig.hub.until_stored(rig.hub.stored() + 1);
        std::thread::sleep(Duration::from_micros(rng.random_range(0..200_000)));
        let victim = rng.random_range(0..4);
        let away = Duration::from_micros(rng.random_range(0..100_000));
        println!("round {round}: kill {victim}, away {away:?}, at {:?}", started.elapsed());
        match victim {
            0 => rig.hub.kill(),
            1 => rig.broker.kill(),
            n => generators[n - 2].kill(),
        }
        std::thread::sleep(away);
        match victim {
            0 => drop(rig.hub.start()),
            1 => rig.broker.restart(),
            n => drop(generators[n - 2].start()),
        }
    }
    for generator in &mut generators {
        finish(generator);
    }
    rig.hub.stop();
    assert_nothing_lost(&rig.hub, &[&generators[0], &generators[1]]);
}

/// Copies a directory as an operator does.
fn copy(from: &Path, to: &Path) {
    let done = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(done.success(), "cp -a {} {}", from.display(), to.display());
}

/// The ledger of the backup lacks what agents know to be stored. They hear it from the hub's next run, and send it again.
#[test]
fn a_hub_restored_from_an_old_backup_gets_what_it_lacks() {
    let mut rig = Rig::new(&[AGENT]);
    let mut generator = rig.generator(AGENT);
    generator.orders.clock_rate = 8;
    rig.hub.start();
    generator.start();
    rig.hub.until_stored(100);
    rig.hub.stop();
    let backup = rig.dir.path().join("backup");
    copy(&rig.hub.data(), &backup);
    let at_backup = rig.hub.stored();
    rig.hub.start().until_stored(at_backup + 200);
    rig.hub.kill();
    std::fs::remove_dir_all(rig.hub.data()).unwrap();
    copy(&backup, &rig.hub.data());
    assert_eq!(rig.hub.stored(), at_backup);
    rig.hub.start();
    finish(&mut generator);
    rig.hub.stop();
    assert_nothing_lost(&rig.hub, &[&generator]);
}

/// Offers no more, and waits until all is delivered.
fn finish(generator: &mut Generator) {
    generator.kill();
    generator.orders.count = generator.journal().offered.len() as u64;
    generator.start().until_delivered();
    generator.stop();
}

/// docs/beyond-one-machine.md, "Cold standby": the first machine is gone for good, another one starts from a copy of its
/// data directory. Here its address is the broker's, which moves too.
#[test]
fn a_cold_standby_takes_over_from_a_backup() {
    let agents = [AGENT, "murazzano"];
    let mut rig = Rig::new(&agents);
    let mut generators = agents.map(|agent| rig.generator(agent));
    rig.hub.start();
    for generator in &mut generators {
        generator.orders.clock_rate = 8;
        generator.start();
    }
    rig.hub.until_stored(200);
    // The nightly copy; the hub stops for it, and the spools cover that.
    rig.hub.stop();
    let mut standby = Hub::new(&rig.dir.path().join("standby"), rig.broker.addr, &agents);
    copy(&rig.hub.data(), &standby.data());
    let at_backup = rig.hub.start().stored();
    rig.hub.until_stored(at_backup + 200);
    rig.hub.kill();
    std::fs::remove_dir_all(&rig.hub.dir).unwrap();
    let kept = |generator: &Generator| generator.journal().kept.len() as u64;
    let meanwhile = generators.each_ref().map(|g| kept(g) + 50);
    for (generator, n) in generators.iter().zip(meanwhile) {
        generator.until_kept(n);
    }
    let started = Instant::now();
    standby.start().until_stored(at_backup + 1);
    println!("the standby stores {:?} after its start", started.elapsed());
    for generator in &mut generators {
        finish(generator);
    }
    standby.stop();
    assert_nothing_lost(&standby, &[&generators[0], &generators[1]]);
}

#[test]
fn a_broker_that_forgets_and_a_clock_that_jumps_by_years() {
    let mut rig = Rig::new(&[AGENT]);
    let mut generator = rig.generator(AGENT);
    generator.orders.jumping_clock = true;
    rig.hub.start();
    generator.start();
    for round in 1..4 {
        rig.hub.until_stored(rig.hub.stored() + 30);
        // Its sessions, its retained messages, all that it had acknowledged.
        rig.broker.restart();
        println!("the broker has forgotten everything {round} times");
    }
    finish(&mut generator);
    rig.hub.stop();
    assert_nothing_lost(&rig.hub, &[&generator]);
}

/// Two agents with one name and one spool's past. What the second made under numbers that are taken is set aside for a
/// person, the rest is stored; the first loses nothing.
#[test]
fn a_cloned_agent_costs_the_first_one_nothing() {
    let mut rig = Rig::new(&[AGENT]);
    let mut first = rig.generator(AGENT);
    first.orders.count = 40;
    rig.hub.start();
    first.start().until_delivered();
    rig.hub.kill();
    // What waits when the disk is copied belongs to both.
    first.kill();
    first.orders.count = 45;
    first.start().until_kept(45);
    first.stop();
    let clone_dir = rig.dir.path().join("clone");
    copy(&first.dir, &clone_dir);
    rig.hub.start();
    first.orders.count = 80;
    first.start().until_delivered();
    first.stop();
    let mut clone = Generator::new(&clone_dir, Orders { salt: 5, count: 90, ..first.orders.clone() });
    clone.start().until_delivered();
    clone.stop();
    rig.hub.stop();

    let stored = rig.hub.payloads().remove(AGENT).unwrap();
    let all: BTreeSet<&String> = stored.iter().collect();
    assert_eq!(all.len(), stored.len(), "stored twice");
    assert!((1..=80).all(|n| all.contains(&content(&first.orders, n))), "the first agent has lost something");
    let ledger = Ledger::open(&rig.hub.data().join("ledger.sqlite")).unwrap();
    let aside: BTreeSet<String> =
        ledger.set_aside_messages(100).unwrap().iter().map(|message| unpacked(&message.payload)).collect();
    assert_eq!(aside, (46..=80).map(|n| content(&clone.orders, n)).collect(), "those whose numbers were taken");
    assert!((81..=90).all(|n| all.contains(&content(&clone.orders, n))), "the clone's own numbers");
    assert!(rig.hub.log().contains("two agents use this name"), "{}", rig.hub.log());
}

fn unpacked(packed: &[u8]) -> String {
    let mut text = String::new();
    flate2::read::GzDecoder::new(packed).read_to_string(&mut text).unwrap();
    text
}

/// Points of one metric in a store that exports what it keeps.
fn points(port: u16, metric: &str) -> usize {
    let get = |path: &str| {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
        stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned())
    };
    get("/internal/force_flush");
    let blocks = get(&format!("/api/v1/export?match%5B%5D={metric}")).unwrap_or_default();
    let count = |line: &str| {
        let block: serde_json::Value = serde_json::from_str(line).unwrap();
        block["timestamps"].as_array().map_or(0, Vec::len)
    };
    blocks.lines().map(count).sum()
}

/// While the store is away, and while it catches up afterwards, batches are made durable as fast as ever.
#[test]
fn the_store_is_away_and_catches_up_in_the_background() {
    let mut rig = Rig::new(&[AGENT]);
    let store = free_port();
    rig.hub.settings = format!("[influx]\nurl = \"http://127.0.0.1:{store}\"\norg = \"unione\"\nbucket = \"rete\"\n");
    let mut generator = rig.generator(AGENT);
    generator.orders.count = 600;
    generator.orders.every = Duration::from_millis(1);
    generator.orders.clock_rate = 8;
    rig.hub.start();
    generator.start().until_delivered();
    let _store = victoria_metrics(store, rig.dir.path(), &[]);
    generator.orders.count = 700;
    generator.order();
    let started = Instant::now();
    generator.until_delivered();
    println!("a hundred live batches are in the ledger after {:?}, beside the catching up", started.elapsed());
    let wanted: usize = (1..=700).map(|n| content(&generator.orders, n).lines().count()).sum();
    wait_for(&format!("{wanted} points in the store"), || (points(store, "radio_rsl_dbm") == wanted).then_some(()));
    generator.stop();
    rig.hub.stop();
    assert_nothing_lost(&rig.hub, &[&generator]);
}

/// An agent that sends what nobody can read, faster than anybody should: counted, bounded, and no harm to another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_bad_batches_harms_nobody_else() {
    let mut rig = Rig::new(&[AGENT, "murazzano"]);
    let mut honest = rig.generator(AGENT);
    honest.orders.clock_rate = 8;
    let started = Instant::now();
    rig.hub.start();
    honest.start();
    rig.hub.until_stored(1);
    let mut options = MqttOptions::new("liar", "127.0.0.1", rig.broker.port());
    options.set_keep_alive(Duration::from_secs(5));
    let (client, mut event_loop) = AsyncClient::new(options, 100);
    let mut liar = tokio::task::JoinSet::new();
    liar.spawn(async move { while event_loop.poll().await.is_ok() {} });
    liar.spawn(async move {
        for n in 0_u64.. {
            // Its own name, and now and then one that the inventory does not know.
            let name = if n % 16 == 0 { "nessuno" } else { "murazzano" };
            let topic = format!("vedetta/v1/prova/{name}/data");
            // Large, for what is large is bounded soonest, also on a slow machine.
            if client.publish(topic, QoS::AtLeastOnce, false, vec![b'x'; 60_000]).await.is_err() {
                break;
            }
        }
    });
    let agent = |status: &serde_json::Value, name: &str| {
        status["agents"].as_array().unwrap().iter().find(|a| a["agent"] == name).unwrap().clone()
    };
    let flooded = wait_for("the flood is bounded and shown", || {
        let status = rig.hub.status()?;
        (agent(&status, "murazzano")["throttled_messages"].as_u64() > Some(0)).then_some(status)
    });
    let stored = rig.hub.stored();
    rig.hub.until_stored(stored + 100);
    let liar_is = agent(&flooded, "murazzano");
    assert!(liar_is["rejected_batches"].as_u64() > Some(0), "{liar_is}");
    let honest_is = agent(&flooded, AGENT);
    assert_eq!((honest_is["throttled_messages"].as_u64(), honest_is["rejected_batches"].as_u64()), (Some(0), Some(0)));
    finish(&mut honest);
    liar.shutdown().await;
    rig.hub.stop();
    assert_nothing_lost(&rig.hub, &[&honest]);
    let ledger = Ledger::open(&rig.hub.data().join("ledger.sqlite")).unwrap();
    let allowed = u64::from(SET_ASIDE_PER_MINUTE) * (started.elapsed().as_secs() / 60 + 1);
    assert!(ledger.stats().unwrap().set_aside_total <= allowed, "what is kept of a flood is bounded");
}
