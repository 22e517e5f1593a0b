//! Nothing is lost between the hill and the Union: real mosquitto, real `vedetta hub`, real files, real SIGKILL.
#![cfg(feature = "hub")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::time::{Duration, Instant};

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use support::rig::{Rig, assert_nothing_lost, be_generator_if_told};
use support::seed;

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
        generator.kill();
        generator.orders.count = generator.journal().offered.len() as u64;
        generator.start().until_delivered();
        generator.stop();
    }
    rig.hub.stop();
    assert_nothing_lost(&rig.hub, &[&generators[0], &generators[1]]);
}
