//! Which neighbours speak for rain, and which against it.

use super::world::*;
use crate::alert::evidence::{Neighbours, Recent, neighbours};
use crate::model::network::Network;
use crate::model::{Provenance, Reading};

/// The trunk is 6.0 km long, `to-bene` 4.0 km, `to-alba` 0.3 km.
fn network() -> Network {
    let mut network = (*World::network()).clone();
    for (id, lat) in [("hub", 44.500), ("relay", 44.554), ("alba", 44.557), ("bene", 44.590), ("ceva", 44.600)] {
        network.sites.get_mut(id).unwrap().lat = lat;
    }
    network
}

/// `drops`: link, frequency, dB lost at both ends.
#[track_caller]
fn check(drops: &[(&str, Option<f64>, f64)], faded: usize, steady: usize) {
    let mut view = World::new().view(START);
    for (id, mhz, drop_db) in drops {
        let link = view.links.get_mut(*id).unwrap();
        for end in [&mut link.near, &mut link.far].into_iter().flatten() {
            end.profile = Some("mikrotik".into());
            end.rsl_dbm_usual = Some(-55.0);
            end.rsl_dbm = Reading::known(-55.0 - drop_db, Provenance::Reported);
            if let Some(mhz) = mhz {
                end.channel_mhz = Reading::value(*mhz);
            }
        }
    }
    let mut recent = Recent::default();
    recent.observe(&view, START);
    let found = neighbours(&recent, &network(), &view, &view.links["trunk"], Some(drops[0].2));
    assert_eq!(found, Neighbours { faded, steady });
}

const V_BAND: Option<f64> = Some(58_320.0);
const FIVE_GHZ: Option<f64> = Some(5_745.0);

#[test]
fn in_rain_short_hops_and_5_ghz_do_not_vote_against_it() {
    check(
        &[("trunk", V_BAND, 18.0), ("to-bene", V_BAND, 12.0), ("to-alba", V_BAND, 1.0), ("main", FIVE_GHZ, 0.0)],
        1,
        0,
    );
}

#[test]
fn in_calm_weather_a_long_neighbour_votes_against_it() {
    check(
        &[("trunk", V_BAND, 18.0), ("to-bene", V_BAND, 0.0), ("to-alba", V_BAND, 0.0), ("main", FIVE_GHZ, 0.0)],
        0,
        1,
    );
    // A small drop would not be seen on the shorter path either.
    check(&[("trunk", V_BAND, 8.0), ("to-bene", V_BAND, 0.0)], 0, 0);
}

#[test]
fn without_a_frequency_the_family_decides() {
    check(&[("trunk", V_BAND, 18.0), ("to-bene", None, 0.0), ("main", FIVE_GHZ, 0.0)], 0, 1);
}
