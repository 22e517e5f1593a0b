//! Ceragon IP-10 and IP-20, by the MWRM MIBs (1.3.6.1.4.1.2281.10).
//!
//! One row a carrier, by a large ifIndex. Carriers that work add up: those of an outdoor unit, and those of a modular
//! one that has a multi-carrier group, are one link. A modular unit without a group may serve several links, and the
//! tables do not say which carrier is of which: then each carrier stands for itself.
//!
//! An idle carrier reports some tens of kbps; one that is muted is the standby of another; neither is part of the sum.

use super::carriers::{cell, first, greatest, least, mhz_or_khz, modulation, sum, tag, up};
use super::{
    Channel, Checked, Decoded, Family, Info, ONLY_RADIO, ObjectId, Radio, SYS_DESCR, SYS_OBJECT_ID, Scope, Table, gate,
    reported, unless,
};
use crate::model::network::Duplex;
use crate::model::{Missing, Reading};
use crate::probe::snmp::Row;
use crate::probe::value::{Answers, Oid, Value, clean_text};

pub static FAMILY: Family = Family {
    profile: "ceragon",
    title: "Ceragon FibeAir IP-10 / IP-20",
    checked: Checked::Recording,
    duplex: Duplex::Full,
    capacity_min_mbps: IDLE_MBPS,
    capacity_max_mbps: 10_000.0,
    capacity_max_source: "the 10 Gbps of the fastest port that an IP-20 has",
    channel: Some(Channel {
        bits_max: 12.0,
        streams_max: 2.0,
        source: "4096QAM on both polarisations, or as many carriers as are in use",
    }),
    capacity_from: "the bit rates of MRMC, columns 7 (sent) and 11 (received), kbps, of all carriers in use",
    object_ids: &[ObjectId::Under(&[1, 3, 6, 1, 4, 1, 2281, 1, 10]), ObjectId::Under(&[1, 3, 6, 1, 4, 1, 2281, 1, 20])],
    shared_object_ids: &[],
    descrs: &[],
    asks: &[],
    tables: &[
        Table { name: CARRIERS, column: RSL, rows_max: 16 },
        Table { name: NAMES, column: IF_DESCR, rows_max: 64 },
    ],
    info: |_| vec![SYS_DESCR.into()],
    decode_info: |answers, _| Info { model: answers.text(&SYS_DESCR.into()).ok(), firmware: None },
    requests,
    decode,
};

/// The least that the lowest modulation in the narrowest channel carries (QPSK at 3.5 MHz: some 4 Mbps) is above this,
/// and what an idle carrier reports far below.
const IDLE_MBPS: f64 = 1.0;

const CARRIERS: &str = "carriers";
const NAMES: &str = "interface names";
const IF_DESCR: &[u32] = &[1, 3, 6, 1, 2, 1, 2, 2, 1, 2];
/// How the interface of a multi-carrier group is called.
const GROUP: &str = "Multi-Carrier ABC";
/// All-outdoor units: IP-20C, S and E.
const OUTDOOR: &[u32] = &[1, 3, 6, 1, 4, 1, 2281, 1, 20, 2];
/// genEquipRfuStatusEntry: 2 and 3 levels received and transmitted in dBm, 25 muted (1).
const RFU: &[u32] = &[1, 3, 6, 1, 4, 1, 2281, 10, 5, 1, 1];
const RSL: &[u32] = &[1, 3, 6, 1, 4, 1, 2281, 10, 5, 1, 1, 2];
/// The transmitted frequency: MHz by the MIB, kHz in devices.
const TX_FREQUENCY: &[u32] = &[1, 3, 6, 1, 4, 1, 2281, 10, 5, 2, 1, 3];
/// Hundredths of a dB.
const MSE: &[u32] = &[1, 3, 6, 1, 4, 1, 2281, 10, 7, 1, 1, 2];
/// Defective blocks since the counter was cleared.
const BLOCKS: &[u32] = &[1, 3, 6, 1, 4, 1, 2281, 10, 7, 1, 1, 3];
const XPI: &[u32] = &[1, 3, 6, 1, 4, 1, 2281, 10, 7, 1, 1, 5];
/// 0 down, 1 up.
const OPER: &[u32] = &[1, 3, 6, 1, 4, 1, 2281, 10, 7, 2, 1, 9];
/// Whether the remote unit answers: 0 or 1.
const REMOTE: &[u32] = &[1, 3, 6, 1, 4, 1, 2281, 10, 7, 3, 1, 1, 2];
/// MRMC status: 3 occupied bandwidth in kHz, 6 and 10 QAM sent and received, 7 and 11 bit rates in kbps.
const MRMC: &[u32] = &[1, 3, 6, 1, 4, 1, 2281, 10, 7, 4, 1, 1];
/// Degrees, volts.
const TEMPERATURE: &[u32] = &[1, 3, 6, 1, 4, 1, 2281, 10, 1, 1, 9, 0];
const VOLTAGE: &[u32] = &[1, 3, 6, 1, 4, 1, 2281, 10, 1, 1, 10, 0];

const NO_RSL: f64 = -99.0;
const NO_MSE: f64 = -99.0;
const LINK_FIELDS: [&str; 7] =
    ["capacity_tx_mbps", "capacity_rx_mbps", "rsl_dbm", "rsl_chain0_dbm", "rsl_chain1_dbm", "mse_db", "xpd_db"];

fn requests(scope: &Scope<'_>) -> Vec<Oid> {
    let mut oids = [TEMPERATURE, VOLTAGE, SYS_OBJECT_ID].map(Oid::from).to_vec();
    let carriers = scope.rows.of(CARRIERS);
    for row in carriers {
        let of = |column: &[u32]| Oid::of(column, &row.index);
        oids.extend([2, 3, 25].map(|column| cell(RFU, column, &row.index)));
        oids.extend([7, 11].map(|column| cell(MRMC, column, &row.index)));
        oids.extend([of(TX_FREQUENCY), of(MSE), of(XPI), of(OPER), of(REMOTE)]);
        // The carriers of a link are alike in these, and a unit with many would fill packets with them.
        if carriers.len() <= 4 {
            oids.push(of(BLOCKS));
            oids.extend([3, 6, 10].map(|column| cell(MRMC, column, &row.index)));
        }
    }
    oids
}

fn decode(answers: &Answers, scope: &Scope<'_>) -> Decoded {
    let rows = scope.rows.of(CARRIERS);
    let mut decoded = Decoded::default();
    let used: Vec<&Row> = rows.iter().filter(|row| carries(answers, row)).collect();
    if used.len() > 1 && !one_link(answers, scope) {
        decoded.radios.extend(used.iter().map(|row| Radio { tag: tag(row, true), ..link(answers, &[row]) }));
    } else if used.is_empty() {
        decoded.radios.push(idle(answers, rows));
    } else {
        let mut radio = link(answers, &used);
        // Of an all-outdoor unit or a group every carrier is a member; else those that idle may be of other links.
        if one_link(answers, scope) {
            radio.set("members_count", Reading::value(rows.len() as f64));
            radio.set("members_active_count", Reading::value(used.len() as f64));
        }
        decoded.radios.push(radio);
    }
    if rows.is_empty() || used.is_empty() {
        decoded.suspect.extend([CARRIERS, NAMES]);
    }
    for radio in &mut decoded.radios {
        gate(&FAMILY, radio);
    }
    decoded.power.insert("temperature_celsius", answers.reading(&TEMPERATURE.into(), 1.0));
    decoded.power.insert("supply_volts", unless(answers.reading(&VOLTAGE.into(), 1.0), &[0.0]));
    decoded
}

fn one_link(answers: &Answers, scope: &Scope<'_>) -> bool {
    let outdoor = matches!(answers.value(&SYS_OBJECT_ID.into()), Ok(Value::Oid(id)) if id.under(OUTDOOR).is_some());
    let group = |row: &Row| matches!(&row.value, Value::Bytes(name) if clean_text(name).starts_with(GROUP));
    outdoor || scope.rows.of(NAMES).iter().any(group)
}

/// Whether a carrier takes part in its link. What it does not tell is no evidence against it.
fn carries(answers: &Answers, row: &Row) -> bool {
    let told = |oid: Oid, value: f64| answers.number(&oid) == Ok(value);
    // A rate of 0 one way alone is a rate that is not known.
    let idle = [7, 11]
        .iter()
        .all(|column| answers.number(&cell(MRMC, *column, &row.index)).is_ok_and(|kbps| kbps * 1e-3 < IDLE_MBPS));
    let lost = told(Oid::of(OPER, &row.index), 0.0)
        || told(Oid::of(REMOTE, &row.index), 0.0)
        || told(cell(RFU, 2, &row.index), NO_RSL);
    let muted = told(cell(RFU, 25, &row.index), 1.0);
    !lost && !muted && !idle
}

/// No carrier works: the link is down, unless nothing at all was told.
fn idle(answers: &Answers, rows: &[Row]) -> Radio {
    let radio = Radio::new(ONLY_RADIO);
    if rows.iter().any(|row| answers.has(&cell(RFU, 2, &row.index))) {
        return radio.down(&LINK_FIELDS);
    }
    Radio::unmeasured(&["capacity_tx_mbps", "capacity_rx_mbps", "rsl_dbm"])
}

fn link(answers: &Answers, carriers: &[&Row]) -> Radio {
    let mut radio = Radio::new(ONLY_RADIO);
    let read = |row: &Row, column: &[u32], scale| answers.reading(&Oid::of(column, &row.index), scale);
    let mrmc = |row: &Row, column| cell(MRMC, column, &row.index);
    let each = |of: &dyn Fn(&Row) -> Reading| carriers.iter().map(|row| of(row)).collect::<Vec<_>>();
    match first(each(&|row| read(row, OPER, 1.0))).missing() {
        // Not all units have the object: a carrier that hears its peer and has a rate is up.
        None | Some(Missing::NotOffered) => up(&mut radio),
        Some(why) => radio.set("link_up_flag", Reading::Missing(why)),
    }
    radio.set("capacity_tx_mbps", sum(each(&|row| reported(answers, &mrmc(row, 7), 1e-3))));
    radio.set("capacity_rx_mbps", sum(each(&|row| reported(answers, &mrmc(row, 11), 1e-3))));
    let level = |row: &Row| unless(read(row, RSL, 1.0), &[NO_RSL, 0.0]);
    // Each carrier hangs on its own level: the weakest stands for the link.
    radio.set("rsl_dbm", least(each(&level)));
    if carriers.len() == 2 {
        radio.set("rsl_chain0_dbm", level(carriers[0]));
        radio.set("rsl_chain1_dbm", level(carriers[1]));
    }
    radio.set("mse_db", greatest(each(&|row| unless(read(row, MSE, 0.01), &[NO_MSE, 0.0]))));
    let blocks = each(&|row| read(row, BLOCKS, 1.0));
    if blocks.iter().any(|r| r.missing() != Some(Missing::NotOffered)) {
        radio.set("errors_rx_total", sum(blocks));
    }
    radio.set("xpd_db", least(each(&|row| xpi(answers, row))));
    radio.set("tx_power_dbm", greatest(each(&|row| answers.reading(&cell(RFU, 3, &row.index), 1.0))));
    let frequency = first(each(&|row| unless(read(row, TX_FREQUENCY, 1.0), &[0.0])));
    radio.set("channel_mhz", mhz_or_khz(frequency));
    radio.set("channel_width_mhz", first(each(&|row| unless(answers.reading(&mrmc(row, 3), 1e-3), &[0.0]))));
    let qam = |column| {
        let order = answers.number(&mrmc(carriers[0], column)).ok().filter(|q| (2.0..=65_536.0).contains(q))?;
        Some(if order == 4.0 { "QPSK".to_owned() } else { format!("{order}QAM") })
    };
    radio.modulation = modulation(qam(6).as_deref(), qam(10).as_deref());
    radio
}

/// Cross-polar interference. Without XPIC it is a negative number, -98.99 or below, that some firmware gives the type
/// of a gauge, which makes it a very large one.
fn xpi(answers: &Answers, row: &Row) -> Reading {
    let reading = answers.reading(&Oid::of(XPI, &row.index), 1.0);
    let signed = reading.map(|n| if n > f64::from(i32::MAX) { n - 4_294_967_296.0 } else { n } * 0.01);
    match signed.get() {
        Some(db) if db <= 0.0 => Reading::Missing(Missing::Sentinel),
        _ => signed,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, packets, poll, without};
    use super::*;

    const IP20: &str = "
        1.3.6.1.2.1.1.1.0 str High capacity packet radio outdoor unit
        1.3.6.1.2.1.1.2.0 oid 1.3.6.1.4.1.2281.1.20.2.2
        1.3.6.1.2.1.1.3.0 ticks 100
        @c = 1.3.6.1.4.1.2281.10
        @c.1.1.9.0 int 33
        @c.1.1.10.0 int 48
        @c.5.1.1.2.1001 int -41
        @c.5.1.1.3.1001 int 19
        @c.5.1.1.25.1001 int 0
        @c.5.2.1.3.1001 gauge 17900000
        @c.7.1.1.2.1001 int -3750
        @c.7.1.1.5.1001 int 2610
        @c.7.2.1.9.1001 int 1
        @c.7.3.1.1.2.1001 int 1
        @c.7.4.1.1.3.1001 int 55000
        @c.7.4.1.1.6.1001 int 1024
        @c.7.4.1.1.10.1001 int 1024
        @c.7.4.1.1.7.1001 gauge 400500
        @c.7.4.1.1.11.1001 gauge 400500
        @c.5.1.1.2.1002 int -43
        @c.7.1.1.2.1002 int -3690
        @c.7.1.1.5.1002 gauge 4294957397
        @c.7.2.1.9.1002 int 1
        @c.7.4.1.1.7.1002 gauge 400500
        @c.7.4.1.1.11.1002 gauge 350250
    ";

    #[tokio::test]
    async fn the_carriers_of_an_outdoor_unit_add_up() {
        let polled = poll(IP20).await;
        assert_eq!(polled.identity.family.profile, "ceragon");
        assert_eq!(polled.radios[0].modulation.as_deref(), Some("1024QAM"));
        assert_eq!(polled.power["supply_volts"], Reading::value(48.0));
        check(
            &polled.radios[0],
            &[
                "capacity_rx_mbps=750.75 reported",
                "capacity_tx_mbps=801 reported",
                "channel_mhz=17900",
                "channel_width_mhz=55",
                "link_up_flag=1",
                "members_active_count=2",
                "members_count=2",
                "mse_db=-36.9",
                "rsl_chain0_dbm=-41",
                "rsl_chain1_dbm=-43",
                "rsl_dbm=-43",
                "tx_power_dbm=19",
                "xpd_db=26.1",
            ],
        );
    }

    #[tokio::test]
    async fn idle_lost_and_muted_carriers_carry_nothing() {
        let capacity = async |second: &str| {
            let (object, _) = second.split_once(' ').unwrap();
            let radio = &poll(&format!("{}\n{second}\n", without(IP20, object))).await.radios[0];
            radio.reading("capacity_tx_mbps").unwrap().get()
        };
        assert_eq!(capacity("@c.5.1.1.2.1002 int -99").await, Some(400.5));
        assert_eq!(capacity("@c.7.2.1.9.1002 int 0").await, Some(400.5));
        assert_eq!(capacity("@c.7.3.1.1.2.1002 int 0").await, Some(400.5));
        assert_eq!(capacity("@c.5.1.1.25.1002 int 1").await, Some(400.5));
        let idle = IP20.replace("7.1002 gauge 400500", "7.1002 gauge 77").replace("gauge 350250", "gauge 32");
        assert_eq!(poll(&idle).await.radios[0].reading("capacity_tx_mbps").unwrap().get(), Some(400.5));
    }

    #[tokio::test]
    async fn without_a_working_carrier_the_link_is_down() {
        let idle = IP20.replace("gauge 400500", "gauge 86").replace("gauge 350250", "gauge 43");
        let polled = poll(&idle).await;
        assert!(polled.radios[0].is_down());
        assert_eq!(polled.radios[0].reading("capacity_tx_mbps"), Some(Reading::Missing(Missing::LinkDown)));
        assert!(poll(&IP20.replace("int -41", "int -99").replace("int -43", "int -99")).await.radios[0].is_down());
    }

    #[tokio::test]
    async fn the_carriers_of_a_modular_unit_are_one_link_only_if_it_says_so() {
        let modular = IP20.replace("2281.1.20.2.2", "2281.1.20.1.3.1");
        let polled = poll(&modular).await;
        let tags: Vec<_> = polled.radios.iter().map(|r| r.tag.as_str()).collect();
        assert_eq!(tags, ["#1001", "#1002"]);
        assert_eq!(polled.radios[1].reading("capacity_rx_mbps").unwrap().get(), Some(350.25));
        let group = format!("{modular}1.3.6.1.2.1.2.2.1.2.2001 str Multi-Carrier ABC\n");
        let polled = poll(&group).await;
        assert_eq!(polled.radios[0].reading("capacity_tx_mbps").unwrap().get(), Some(801.0));
        let ip10 = poll(&without(&IP20.replace("2281.1.20.2.2", "2281.1.10"), "1002")).await;
        assert_eq!((ip10.identity.family.profile, ip10.radios[0].tag.as_str()), ("ceragon", "1"));
    }

    #[tokio::test]
    async fn a_rate_that_cannot_be_read_leaves_no_sum() {
        let read = async |value: &str| {
            let radio = &poll(&IP20.replace("7.1002 gauge 400500", value)).await.radios[0];
            radio.reading("capacity_tx_mbps").unwrap()
        };
        assert_eq!(read("7.1002 str 400500").await, Reading::Missing(Missing::Malformed));
        assert_eq!(read("7.1002 gauge 0").await, Reading::Missing(Missing::Sentinel));
        assert_eq!(read("7.1002 int -5").await, Reading::Missing(Missing::Implausible));
        assert_eq!(read("7.1002 gauge 4294957397").await, Reading::Missing(Missing::Implausible));
    }

    #[tokio::test]
    async fn a_poll_costs_two_packets_at_most() {
        let packets = packets(IP20).await;
        assert!(packets <= 2, "{packets}");
    }
}
