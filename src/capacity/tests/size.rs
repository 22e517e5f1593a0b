//! A network of the size that one hub must hold.

use super::build::*;
use crate::model::view::{TargetState, WhatIf};

const SITES: usize = 500;

/// A tree of 500 sites, five to a hop, behind four backhauls; each site with its own target.
fn large() -> Watched {
    let name = |i: usize| format!("s{i:03}");
    let mut inventory = Inventory::new();
    for i in 0..SITES {
        inventory = inventory.site(&name(i), symmetric(10.0 + (i % 90) as f64));
        if i < 4 {
            inventory = inventory.backhaul(&format!("out-{i}"), &name(i), 2000.0);
        } else {
            inventory = inventory.link(&format!("l{i:03}"), &name((i - 4) / 5), &name(i));
        }
    }
    let mut watched = inventory.watch();
    for i in 0..SITES {
        if i < 4 {
            watched.outside(&format!("out-{i}"), 0.0);
        } else {
            let mbps = 40.0 + (i * 37 % 900) as f64;
            watched.up(&format!("l{i:03}"), mbps, mbps);
        }
    }
    watched
}

#[test]
fn five_hundred_sites_are_all_judged() {
    let mut watched = large();
    let view = watched.look();
    assert_eq!(view.sites.len(), SITES);
    assert_eq!(view.edges().count(), SITES);
    assert!(view.sites.values().all(|s| s.downstream.state != TargetState::Unknown));
    assert!(!watched.state.below_target_with(&[]).is_empty());
}
