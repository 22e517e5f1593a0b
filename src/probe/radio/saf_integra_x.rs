//! SAF Tehnika Integra-X by SAF-INTEGRAX-MIB (1.3.6.1.4.1.7571.100.1.1.7.10): two radios and modems in one case behind
//! one antenna. They are the two carriers of one link, so its capacity is the sum of the modems that are locked.

use super::saf_integra::{LOCKED, info, power, system_requests};
use super::{Checked, Decoded, Family, ONLY_RADIO, ObjectId, Radio, SYS_DESCR, gate, reported, unless};
use crate::model::network::Duplex;
use crate::model::{Missing, Provenance, Reading};
use crate::probe::value::{Answers, Oid};

pub static FAMILY: Family = Family {
    profile: "saf-integra-x",
    title: "SAF Integra-X",
    checked: Checked::MibText,
    duplex: Duplex::Full,
    capacity_min_mbps: 1.0,
    capacity_max_mbps: 2688.0,
    capacity_max_source: "two carriers of 112 MHz, the widest channel below 57 GHz (ETSI EN 302 217-2), at 12 bits",
    channel: None,
    capacity_from: "the sum of Rx and TxCapacity of the modems that are locked",
    object_ids: &[ObjectId::Is(BASE)],
    shared_object_ids: &[],
    descrs: &[],
    asks: &[],
    tables: &[],
    info: |_| vec![SYS_DESCR.into()],
    decode_info: |answers, _| info(answers),
    requests: |_| {
        let both = CARRIERS.into_iter().flat_map(|carrier| OBJECTS.map(|(group, object)| at(group, carrier, object)));
        both.chain(system_requests(BASE)).collect()
    },
    decode: |answers, _| {
        let mut radio = radio(answers);
        gate(&FAMILY, &mut radio);
        Decoded { radios: vec![radio], power: power(answers, BASE), ..Decoded::default() }
    },
};

const BASE: &[u32] = &[1, 3, 6, 1, 4, 1, 7571, 100, 1, 1, 7, 10];
/// A and B.
const CARRIERS: [u32; 2] = [1, 2];
const RADIO: u32 = 2;
const MODEM: u32 = 3;
/// Transmit power, transmit frequency, received level; acquire status, MSE, XPD, modulation of what it sends, capacities.
const OBJECTS: [(u32, u32); 9] =
    [(RADIO, 1), (RADIO, 2), (RADIO, 3), (MODEM, 1), (MODEM, 2), (MODEM, 4), (MODEM, 8), (MODEM, 9), (MODEM, 10)];
const LINK_FIELDS: [&str; 4] = ["capacity_tx_mbps", "capacity_rx_mbps", "mse_db", "xpd_db"];

fn at(group: u32, carrier: u32, object: u32) -> Oid {
    Oid::of(BASE, &[group, carrier, object, 0])
}

fn radio(answers: &Answers) -> Radio {
    let mut radio = Radio::new(ONLY_RADIO);
    let [a, b] = CARRIERS;
    let read = |group, carrier, object, scale| answers.reading(&at(group, carrier, object), scale);
    let level = |carrier| unless(read(RADIO, carrier, 3, 1.0), &[0.0]);
    radio.set("rsl_chain0_dbm", level(a));
    radio.set("rsl_chain1_dbm", level(b));
    // The worse of the two limits the link.
    radio.set("rsl_dbm", lower(level(a), level(b)));
    radio.set("tx_power_dbm", read(RADIO, a, 1, 1.0));
    radio.set("channel_mhz", unless(read(RADIO, a, 2, 1e-3), &[0.0]));
    let status = CARRIERS.map(|carrier| read(MODEM, carrier, 1, 1.0));
    if status.iter().all(|s| s.get().is_some_and(|s| s != LOCKED)) {
        return radio.down(&LINK_FIELDS);
    }
    let locked: Vec<u32> =
        CARRIERS.into_iter().zip(status).filter(|(_, s)| s.get().is_none_or(|s| s == LOCKED)).map(|(c, _)| c).collect();
    let known = status.iter().find(|s| s.get() == Some(LOCKED)).unwrap_or(&status[0]);
    radio.set("link_up_flag", known.map(|_| 1.0));
    radio.set("capacity_rx_mbps", sum(locked.iter().map(|c| reported(answers, &at(MODEM, *c, 9), 1e-3))));
    radio.set("capacity_tx_mbps", sum(locked.iter().map(|c| reported(answers, &at(MODEM, *c, 10), 1e-3))));
    let first = locked[0];
    radio.set("mse_db", read(MODEM, first, 2, 0.1));
    radio.set("xpd_db", read(MODEM, first, 4, 0.1));
    radio.modulation = answers.text(&at(MODEM, first, 8)).ok();
    radio
}

fn lower(a: Reading, b: Reading) -> Reading {
    match (a.get(), b.get()) {
        (Some(one), Some(other)) => Reading::value(one.min(other)),
        (None, Some(_)) => b,
        _ => a,
    }
}

/// A sum is known when all its parts are.
fn sum(parts: impl Iterator<Item = Reading>) -> Reading {
    parts
        .reduce(|sum, part| match (sum.get(), part.get()) {
            (Some(a), Some(b)) => Reading::known(a + b, Provenance::Reported),
            (None, _) => sum,
            _ => part,
        })
        .unwrap_or(Reading::Missing(Missing::NotOffered))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, missing, poll};
    use super::*;

    const INTEGRA_X: &str = "
        1.3.6.1.2.1.1.1.0 str Prod: Integra-X;Vers: 4.1
        1.3.6.1.2.1.1.2.0 oid 1.3.6.1.4.1.7571.100.1.1.7.10
        @saf = 1.3.6.1.4.1.7571.100.1.1.7.10
        @saf.2.1.1.0 int 17
        @saf.2.1.2.0 int 19385000
        @saf.2.1.3.0 int -39
        @saf.2.2.1.0 int 17
        @saf.2.2.2.0 int 19385000
        @saf.2.2.3.0 int -42
        @saf.3.1.1.0 int 2
        @saf.3.1.2.0 int -371
        @saf.3.1.4.0 int 284
        @saf.3.1.8.0 str 1024QAM
        @saf.3.1.9.0 int 456700
        @saf.3.1.10.0 int 456700
        @saf.3.2.1.0 int 2
        @saf.3.2.9.0 int 366000
        @saf.3.2.10.0 int 456700
    ";

    #[tokio::test]
    async fn two_carriers_are_one_link() {
        let polled = poll(INTEGRA_X).await;
        assert_eq!(polled.identity.family.profile, "saf-integra-x");
        let expected = [
            "capacity_rx_mbps=822.7 reported",
            "capacity_tx_mbps=913.4 reported",
            "channel_mhz=19385",
            "link_up_flag=1",
            "mse_db=-37.1",
            "rsl_chain0_dbm=-39",
            "rsl_chain1_dbm=-42",
            "rsl_dbm=-42",
            "tx_power_dbm=17",
            "xpd_db=28.4",
        ];
        check(&polled.radios[0], &expected);
    }

    #[tokio::test]
    async fn one_carrier_lost_and_both() {
        let one = INTEGRA_X.replace("@saf.3.2.1.0 int 2", "@saf.3.2.1.0 int 1");
        let polled = poll(&one).await;
        assert_eq!(polled.radios[0].reading("capacity_rx_mbps").unwrap().get().map(f64::round), Some(457.0));
        let polled = poll(&one.replace("@saf.3.1.1.0 int 2", "@saf.3.1.1.0 int 3")).await;
        assert_eq!(polled.radios[0].reading("link_up_flag"), Some(Reading::value(0.0)));
        assert_eq!(polled.radios[0].reading("capacity_rx_mbps"), Some(missing("link down")));
    }

    #[tokio::test]
    async fn a_part_that_is_not_known_makes_the_sum_unknown() {
        let polled =
            poll(&INTEGRA_X.replace("int 366000", "str 366").replace("3.2.10.0 int 456700", "3.2.10.0 int 0")).await;
        assert_eq!(polled.radios[0].reading("capacity_rx_mbps"), Some(missing("malformed")));
        assert_eq!(polled.radios[0].reading("capacity_tx_mbps"), Some(missing("sentinel")));
    }
}
