//! What is kept of the readings: how long, and what of them is usual.

use super::build::*;
use super::figures::twelve;
use crate::model::view::{Known, LinkState, TargetState};
use crate::model::{Missing, Reading, UnixMillis};

#[test]
fn readings_grow_stale_and_late_ones_change_nothing() {
    let mut watched = twelve();
    let later = NOW + INTERVAL * 2;
    watched.up_at("trunk", 200.0, 200.0, later);
    watched.up("trunk", 5.0, 5.0);
    let view = watched.state.evaluate(later);
    assert_eq!(link(&view, "trunk").to_far.capacity_mbps, known(200.0));
    assert!(watched.state.ignored().late > 0);
    let view = watched.state.evaluate(later + INTERVAL * 3);
    assert_eq!(link(&view, "trunk").state, LinkState::Up);
    let view = watched.state.evaluate(later + INTERVAL * 4);
    let trunk = link(&view, "trunk");
    assert_eq!(trunk.state, LinkState::Unknown(Missing::Stale));
    assert_eq!(trunk.to_far.capacity_mbps, Reading::Missing(Missing::Stale));
    assert_eq!(trunk.near.as_ref().unwrap().answers, None);
    assert_eq!(site(&view, "comune-00").downstream.state, TargetState::Unknown);
    assert_eq!(site(&view, "comune-00").downstream.known, Known::NotMeasurable);
}

#[test]
fn a_sample_from_the_future_counts_when_it_came() {
    let mut watched = twelve();
    let agent = watched.agent.clone();
    let mut sample = crate::model::Sample::new(&crate::catalogue::RADIO, UnixMillis(NOW.0 * 2))
        .tag(crate::model::Tag::Device, "trunk-n")
        .tag(crate::model::Tag::Radio, "1");
    sample.set("capacity_tx_mbps", known(70.0));
    watched.state.apply(&agent, &sample, NOW);
    let view = watched.look();
    assert_eq!(link(&view, "trunk").to_far.measured_at, Some(NOW));
    assert_eq!(link(&view, "trunk").to_far.capacity_mbps, known(70.0));
}

#[test]
fn what_the_inventory_does_not_know_is_counted_and_dropped() {
    let mut watched = twelve();
    let before = watched.state.ignored().unknown_subject;
    watched.radio("strange", &[("capacity_tx_mbps", known(70.0))]);
    assert_eq!(watched.state.ignored().unknown_subject, before + 3);
    // Another agent has no say about a device that it does not poll.
    watched.agent = site_id("hill");
    watched.radio("trunk-n", &[("capacity_tx_mbps", known(1.0))]);
    assert_eq!(link(&watched.look(), "trunk").to_far.capacity_mbps, known(150.0));
}

#[test]
fn usual_levels_are_the_upper_quartile_of_good_times() {
    let mut watched = twelve();
    watched.up("trunk", 400.0, 400.0);
    for minute in 0..7 {
        let at = NOW + INTERVAL * minute;
        let level = -55.0 - f64::from(minute % 2);
        watched.up_at("trunk", 400.0, 400.0, at);
        watched.radio_at("trunk-n", "1", &[("rsl_dbm", Reading::value(level))], at);
        let view = watched.state.evaluate(at);
        let usual = link(&view, "trunk").near.as_ref().unwrap().rsl_dbm_usual;
        assert_eq!(usual, [None, None, None, None, Some(-55.0), Some(-55.0), Some(-55.0)][minute as usize]);
    }
    // A fade that leaves what is needed does not become usual as long as a quarter of the readings had none.
    for minute in 7..27 {
        let at = NOW + INTERVAL * minute;
        watched.up_at("trunk", 400.0, 400.0, at);
        watched.radio_at("trunk-n", "1", &[("rsl_dbm", Reading::value(-67.0))], at);
        let view = watched.state.evaluate(at);
        let usual = link(&view, "trunk").near.as_ref().unwrap().rsl_dbm_usual;
        assert!(minute > 20 || usual >= Some(-56.0), "minute {minute}: {usual:?}");
    }
    // A fade that starves the sites behind it is not usual.
    let at = NOW + INTERVAL * 28;
    watched.up_at("trunk", 20.0, 20.0, at).radio_at("trunk-n", "1", &[("rsl_dbm", Reading::value(-80.0))], at);
    let view = watched.state.evaluate(at);
    let near = link(&view, "trunk").near.as_ref().unwrap();
    assert_eq!((near.rsl_dbm.get(), near.rsl_dbm_usual), (Some(-80.0), Some(-56.0)));
}
