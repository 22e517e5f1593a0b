//! Siklu EtherHaul (EH-600, EH-1200, EH-8010 and others), by RADIO-BRIDGE-MIB (1.3.6.1.4.1.31926).
//!
//! The MIB has no capacity: it is the rate of the radio's interface (ifType radioMAC), the same both ways.

use super::carriers::{cell, name_of, up};
use super::{
    Channel, Checked, Decoded, Family, Info, ObjectId, Octets, Radio, Rows, SYS_DESCR, Scope, Table, gate, interfaces,
    of_interface, unless,
};
use super::{IF_HIGH_SPEED, IF_TYPE, ONLY_RADIO};
use crate::model::network::Duplex;
use crate::model::{Missing, Reading};
use crate::probe::snmp::Row;
use crate::probe::value::{Answers, Counter, Oid};

pub static FAMILY: Family = Family {
    profile: "siklu-etherhaul",
    title: "Siklu EtherHaul",
    checked: Checked::Recording,
    duplex: Duplex::Full,
    capacity_min_mbps: 1.0,
    capacity_max_mbps: 10_000.0,
    capacity_max_source: "Siklu's published 10 Gbps for the EH-8010FX",
    channel: Some(Channel { bits_max: 8.0, streams_max: 1.0, source: "256QAM" }),
    capacity_from: "ifHighSpeed of the interface of ifType 188 (radioMAC)",
    object_ids: &[ObjectId::Under(ROOT)],
    shared_object_ids: &[],
    descrs: &[],
    asks: &[],
    tables: &[Table { name: INTERFACES, column: IF_TYPE, rows_max: 64 }],
    info: |_| vec![SYS_DESCR.into(), system(5), system(6), system(7), system(8)],
    decode_info,
    requests,
    decode,
};

const INTERFACES: &str = "interfaces";
/// radioMAC (IANAifType-MIB).
const RADIO_MAC: i32 = 188;
const IF_OPER_STATUS: &[u32] = &[1, 3, 6, 1, 2, 1, 2, 2, 1, 8];
const ROOT: &[u32] = &[1, 3, 6, 1, 4, 1, 31926];
/// rbRfEntry: 3 width, 4 frequency in MHz, 7 modulation, 17 operational state, 18 CINR in dB, 19 RSSI in dBm, 25 state
/// of the receiver, 42 transmit power in dBm.
const RF: &[u32] = &[1, 3, 6, 1, 4, 1, 31926, 2, 1, 1];
/// rbRfStatisticsEntry, 64 bits: 3 good octets received, 5 octets sent, 6 of them idle.
const STATISTICS: &[u32] = &[1, 3, 6, 1, 4, 1, 31926, 2, 2, 1];
const RF_COLUMNS: [u32; 8] = [3, 4, 7, 17, 18, 19, 25, 42];
const STATISTICS_COLUMNS: [u32; 3] = [3, 5, 6];
/// Widths of the enumeration, MHz.
const WIDTHS: [f64; 6] = [250.0, 500.0, 750.0, 1250.0, 125.0, 2000.0];
const MODULATIONS: [&str; 5] = ["QPSK", "16QAM", "64QAM", "32QAM", "BPSK"];
const LINK_FIELDS: [&str; 4] = ["capacity_tx_mbps", "capacity_rx_mbps", "rsl_dbm", "cinr_db"];

/// A scalar of radioBridgeSystem: 1 volts, 2 degrees, 5 and 6 versions, 7 and 8 which of them runs.
fn system(object: u32) -> Oid {
    Oid::of(ROOT, &[1, object, 0])
}

/// The only radio has index 1.
fn rf(column: u32) -> Oid {
    cell(RF, column, &[1])
}

fn decode_info(answers: &Answers, _: &Rows) -> Info {
    // 1 is a bank that does not run.
    let runs = |bank: u32| answers.number(&system(bank)).is_ok_and(|state| state > 1.0);
    let bank = if answers.number(&system(7)) == Ok(1.0) || (runs(8) && !runs(7)) { 6 } else { 5 };
    Info {
        model: answers.text(&SYS_DESCR.into()).ok(),
        // What follows is the date on which it was built.
        firmware: answers.text(&system(bank)).ok().and_then(|t| t.split_whitespace().next().map(str::to_owned)),
    }
}

fn interface<'a>(scope: &Scope<'a>) -> Option<&'a Row> {
    interfaces(scope.rows.of(INTERFACES), RADIO_MAC).next()
}

fn requests(scope: &Scope<'_>) -> Vec<Oid> {
    let mut oids = vec![system(1), system(2)];
    oids.extend(RF_COLUMNS.map(rf));
    oids.extend(STATISTICS_COLUMNS.map(|column| cell(STATISTICS, column, &[1])));
    if let Some(row) = interface(scope) {
        oids.extend([IF_HIGH_SPEED, IF_OPER_STATUS].map(|column| Oid::of(column, &row.index)));
    }
    oids
}

fn decode(answers: &Answers, scope: &Scope<'_>) -> Decoded {
    let mut decoded = Decoded::default();
    let mut radio = link(answers, scope);
    radio.set("channel_mhz", unless(answers.reading(&rf(4), 1.0), &[0.0]));
    radio.set("channel_width_mhz", width(answers));
    radio.set("tx_power_dbm", answers.reading(&rf(42), 1.0));
    gate(&FAMILY, &mut radio);
    decoded.radios.push(radio);
    decoded.power.insert("supply_volts", unless(answers.reading(&system(1), 1.0), &[0.0]));
    decoded.power.insert("temperature_celsius", answers.reading(&system(2), 1.0));
    decoded
}

fn link(answers: &Answers, scope: &Scope<'_>) -> Radio {
    let mut radio = Radio::new(ONLY_RADIO);
    let interface = interface(scope);
    let oper = interface.map_or(Err(Missing::NotOffered), |row| answers.number(&Oid::of(IF_OPER_STATUS, &row.index)));
    // TruthValue: 2 is false. Of ifOperStatus 2 is down and 7 lowerLayerDown.
    match (answers.number(&rf(17)), oper) {
        (Ok(2.0), _) | (Err(_), Ok(2.0 | 7.0)) => return radio.down(&LINK_FIELDS),
        (Ok(1.0), _) | (Err(_), Ok(1.0)) => up(&mut radio),
        (Ok(_), _) => radio.set("link_up_flag", Reading::Missing(Missing::Malformed)),
        (Err(why), _) => radio.set("link_up_flag", Reading::Missing(why)),
    }
    let capacity = interface.map_or(Reading::Missing(Missing::NotOffered), |row| of_interface(answers, row));
    radio.set("capacity_tx_mbps", capacity);
    radio.set("capacity_rx_mbps", capacity);
    radio.set("rsl_dbm", unless(answers.reading(&rf(19), 1.0), &[0.0]));
    radio.set("cinr_db", answers.reading(&rf(18), 1.0));
    radio.modulation = name_of(answers, &rf(7), &MODULATIONS).map(str::to_owned);
    let octets = |column| answers.counter(&cell(STATISTICS, column, &[1]));
    radio.octets = Some(Octets { tx: payload(octets(5), octets(6)), rx: octets(3) });
    radio
}

/// The air is filled with idle octets, which are counted in those sent.
fn payload(all: Result<Counter, Missing>, idle: Result<Counter, Missing>) -> Result<Counter, Missing> {
    match (all?, idle?) {
        // Read one after the other, idle may be ahead for a moment.
        (Counter::Bits64(all), Counter::Bits64(idle)) => Ok(Counter::Bits64(all.saturating_sub(idle))),
        _ => Err(Missing::Malformed),
    }
}

fn width(answers: &Answers) -> Reading {
    let index = answers.reading(&rf(3), 1.0);
    match index.get() {
        Some(n) => (1..)
            .zip(WIDTHS)
            .find(|(i, _)| f64::from(*i) == n)
            .map_or(Reading::Missing(Missing::Malformed), |(_, mhz)| Reading::value(mhz)),
        None => index,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, packets, poll, without};
    use super::*;

    const EH: &str = "
        1.3.6.1.2.1.1.1.0 str EH-1200TL
        1.3.6.1.2.1.1.2.0 oid 1.3.6.1.4.1.31926
        1.3.6.1.2.1.1.3.0 ticks 100
        @eh = 1.3.6.1.4.1.31926
        @eh.1.1.0 int 47
        @eh.1.2.0 int 31
        @eh.1.5.0 str 7.7.0.1 2022-01-01 10:00:00
        @eh.1.6.0 str 7.7.11.2 2023-02-02 11:00:00
        @eh.1.7.0 int 1
        @eh.1.8.0 int 2
        @eh.2.1.1.3.1 int 2
        @eh.2.1.1.4.1 int 73875
        @eh.2.1.1.7.1 int 3
        @eh.2.1.1.17.1 int 1
        @eh.2.1.1.18.1 int 21
        @eh.2.1.1.19.1 int -44
        @eh.2.1.1.42.1 int 5
        @eh.2.2.1.3.1 c64 1000
        @eh.2.2.1.5.1 c64 5000
        @eh.2.2.1.6.1 c64 4000
        1.3.6.1.2.1.2.2.1.3.1 int 1
        1.3.6.1.2.1.2.2.1.3.2 int 188
        1.3.6.1.2.1.2.2.1.8.2 int 1
        1.3.6.1.2.1.31.1.1.1.15.2 gauge 700
    ";

    #[tokio::test]
    async fn etherhaul_in_the_normal_form() {
        let polled = poll(EH).await;
        assert_eq!(polled.identity.family.profile, "siklu-etherhaul");
        assert_eq!(polled.identity.info, Info { model: Some("EH-1200TL".into()), firmware: Some("7.7.11.2".into()) });
        assert_eq!(polled.power["supply_volts"], Reading::value(47.0));
        assert_eq!(polled.radios[0].modulation.as_deref(), Some("64QAM"));
        check(
            &polled.radios[0],
            &[
                "capacity_rx_mbps=700 reported",
                "capacity_tx_mbps=700 reported",
                "channel_mhz=73875",
                "channel_width_mhz=500",
                "cinr_db=21",
                "link_up_flag=1",
                "rsl_dbm=-44",
                "throughput_rx_mbps=(no baseline)",
                "throughput_tx_mbps=(no baseline)",
                "tx_power_dbm=5",
            ],
        );
    }

    #[tokio::test]
    async fn an_etherhaul_is_down_by_its_own_word_or_by_its_interface() {
        let own = poll(&EH.replace("17.1 int 1", "17.1 int 2")).await;
        assert!(own.radios[0].is_down());
        let interface = without(EH, "2.1.1.17.1").replace("2.2.1.8.2 int 1", "2.2.1.8.2 int 2");
        assert_eq!(
            poll(&interface).await.radios[0].reading("capacity_tx_mbps"),
            Some(Reading::Missing(Missing::LinkDown))
        );
    }

    #[tokio::test]
    async fn an_etherhaul_without_a_rate_has_no_capacity() {
        let read = async |from: &str, to: &str| {
            let radio = &poll(&EH.replace(from, to)).await.radios[0];
            radio.reading("capacity_tx_mbps").unwrap()
        };
        assert_eq!(read("gauge 700", "gauge 0").await, Reading::Missing(Missing::Sentinel));
        assert_eq!(read("gauge 700", "str 700 Mbps").await, Reading::Missing(Missing::Malformed));
        assert_eq!(read("gauge 700", "gauge 4294967").await, Reading::Missing(Missing::Implausible));
        assert_eq!(read("int 188", "int 6").await, Reading::Missing(Missing::NotOffered));
    }

    #[tokio::test]
    async fn a_poll_costs_two_packets_at_most() {
        let packets = packets(EH).await;
        assert!(packets <= 2, "{packets}");
    }
}
