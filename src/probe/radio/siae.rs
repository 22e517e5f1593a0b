//! SIAE Microelettronica ALFOplus2, ALFOplus80HDX and AGS (SM-OS), by SIAE-RADIO-SYSTEM-MIB (1.3.6.1.4.1.3373.1103.80).
//!
//! A link has one or two rows of status, one a polarisation, each with the capacity of its carrier: with XPIC they add
//! up. With 1+1 there is one row and two radios, of which one transmits. A carrier that is lost keeps its last figures
//! in the status of the link: its radio has to say that it is lost. All models answer the same sysObjectID.

use super::carriers::{cell, first, greatest, least, modulation, name_of, sum, up};
use super::{
    Channel, Checked, Decoded, Family, Info, ONLY_RADIO, ObjectId, Radio, Rows, SYS_DESCR, Scope, Table, gate,
    reported, unless,
};
use crate::model::network::Duplex;
use crate::model::{Missing, Reading};
use crate::probe::snmp::Row;
use crate::probe::value::{Answers, Oid};

pub static FAMILY: Family = Family {
    profile: "siae",
    title: "SIAE ALFOplus2 / ALFOplus80HDX / AGS",
    checked: Checked::MibText,
    duplex: Duplex::Full,
    capacity_min_mbps: 1.0,
    capacity_max_mbps: 10_000.0,
    capacity_max_source: "SIAE's published 10 Gbps for ALFOplus80HDX",
    channel: Some(Channel {
        bits_max: 12.0,
        streams_max: 2.0,
        source: "4096QAM, the highest that the MIB names, on both polarisations",
    }),
    capacity_from: "linkTxETHCapacity and linkRxETHCapacity, kbps, of all carriers in use",
    object_ids: &[ObjectId::Is(OBJECT_ID)],
    shared_object_ids: &[],
    descrs: &[],
    asks: &[],
    tables: &[
        Table { name: RADIOS, column: RADIO_PRX, rows_max: 8 },
        Table { name: LINKS, column: LINK_TX_CAPACITY, rows_max: 8 },
        Table { name: TYPES, column: LINK_TYPE, rows_max: 4 },
    ],
    info: |_| vec![SYS_DESCR.into(), VERSION.into()],
    decode_info,
    requests,
    decode,
};

pub const OBJECT_ID: &[u32] = &[1, 3, 6, 1, 4, 1, 3373, 1103];
const RADIOS: &str = "radios";
const LINKS: &str = "links";
const TYPES: &str = "link types";
/// `N50052  01.05.00`: the package and its version.
pub const VERSION: &[u32] = &[1, 3, 6, 1, 4, 1, 3373, 1103, 7, 2, 0];
/// linkType: 2 and 3 are 1+1, hot standby and frequency diversity.
const LINK_TYPE: &[u32] = &[1, 3, 6, 1, 4, 1, 3373, 1103, 80, 6, 1, 2];
/// radioTxFrequency, kHz; its index is that of the settings, which are counted as the radios are.
const TX_FREQUENCY: &[u32] = &[1, 3, 6, 1, 4, 1, 3373, 1103, 80, 9, 1, 4];
/// radioStatusEntry: 2 half the channel spacing in kHz, 3 and 4 levels received and transmitted in dBm, 5 MSE and 28
/// XPD in tenths of a dB, 7 transmits (2) or not (1), 13 demodulator failed (1: cleared, above: by severity).
const RADIO: &[u32] = &[1, 3, 6, 1, 4, 1, 3373, 1103, 80, 12, 1];
const RADIO_PRX: &[u32] = &[1, 3, 6, 1, 4, 1, 3373, 1103, 80, 12, 1, 3];
/// linkStatusEntry, index link and polarisation: 6 and 7 modulation received and sent, 10 and 11 capacity sent and
/// received in kbps.
const LINK: &[u32] = &[1, 3, 6, 1, 4, 1, 3373, 1103, 80, 17, 1];
const LINK_TX_CAPACITY: &[u32] = &[1, 3, 6, 1, 4, 1, 3373, 1103, 80, 17, 1, 10];
const LINK_COLUMNS: [u32; 4] = [6, 7, 10, 11];
const RADIO_COLUMNS: [u32; 7] = [2, 3, 4, 5, 7, 13, 28];
/// BitsPerSymbol.
const MODULATIONS: [&str; 12] =
    ["BPSK", "4QAM", "8PSK", "16QAM", "32QAM", "64QAM", "128QAM", "256QAM", "512QAM", "1024QAM", "2048QAM", "4096QAM"];
/// What an ALFOplus80HDX without its peer says.
pub const NO_PRX: f64 = -90.0;
pub const NO_PTX: f64 = -99.0;
const NO_XPD: f64 = 99.0;
const LINK_FIELDS: [&str; 8] = [
    "capacity_tx_mbps",
    "capacity_rx_mbps",
    "rsl_dbm",
    "rsl_chain0_dbm",
    "rsl_chain1_dbm",
    "mse_db",
    "xpd_db",
    "on_standby_flag",
];

/// A link: its number, and the rows of its polarisations and of its radios.
struct Link<'a> {
    number: u32,
    polarisations: Vec<&'a Row>,
    radios: Vec<&'a Row>,
}

pub fn decode_info(answers: &Answers, _: &Rows) -> Info {
    let model = answers.text(&SYS_DESCR.into()).ok();
    Info {
        model: model.map(|t| t.split(" - SIAE").next().unwrap_or(&t).to_owned()),
        firmware: answers.text(&VERSION.into()).ok().and_then(|t| t.split_whitespace().last().map(str::to_owned)),
    }
}

/// The links of a device. The status of a link does not name its radios: one link has all of them; as many links as
/// radios have one each, in their order.
fn links<'a>(scope: &Scope<'a>) -> Vec<Link<'a>> {
    let radios = scope.rows.of(RADIOS);
    let mut links: Vec<Link<'a>> = Vec::new();
    for row in scope.rows.of(LINKS) {
        let Some(number) = row.index.first().copied() else { continue };
        match links.iter_mut().find(|link| link.number == number) {
            Some(link) => link.polarisations.push(row),
            None => links.push(Link { number, polarisations: vec![row], radios: Vec::new() }),
        }
    }
    if links.is_empty() && !radios.is_empty() {
        links.push(Link { number: 1, polarisations: Vec::new(), radios: Vec::new() });
    }
    let each = links.len() > 1 && links.len() == radios.len();
    for (i, link) in links.iter_mut().enumerate() {
        link.radios = if each { radios.get(i).into_iter().collect() } else { radios.iter().collect() };
    }
    links
}

fn requests(scope: &Scope<'_>) -> Vec<Oid> {
    let mut oids = Vec::new();
    for row in scope.rows.of(RADIOS) {
        oids.extend(RADIO_COLUMNS.map(|column| cell(RADIO, column, &row.index)));
        oids.push(Oid::of(TX_FREQUENCY, &row.index));
    }
    for row in scope.rows.of(LINKS) {
        oids.extend(LINK_COLUMNS.map(|column| cell(LINK, column, &row.index)));
    }
    oids
}

fn decode(answers: &Answers, scope: &Scope<'_>) -> Decoded {
    let mut decoded = Decoded::default();
    let links = links(scope);
    for link in &links {
        let mut radio = read(answers, scope, link, links.len() > 1);
        gate(&FAMILY, &mut radio);
        decoded.radios.push(radio);
    }
    // Radios and the status of links keep their rows while a link is down.
    if scope.rows.of(RADIOS).is_empty() {
        decoded.suspect.extend([RADIOS, LINKS, TYPES]);
    }
    decoded
}

/// Whether a radio hears its peer; `None` if it does not say.
fn hears(answers: &Answers, row: &Row) -> Option<bool> {
    let failed = answers.number(&cell(RADIO, 13, &row.index)).ok().map(|alarm| alarm > 1.0);
    let level = answers.number(&cell(RADIO, 3, &row.index)).ok();
    match (failed, level) {
        (Some(true), _) | (_, Some(NO_PRX)) => Some(false),
        (Some(false), _) | (None, Some(_)) => Some(true),
        (None, None) => None,
    }
}

fn read(answers: &Answers, scope: &Scope<'_>, link: &Link<'_>, several: bool) -> Radio {
    let mut radio = Radio::new(if several { format!("#{}", link.number) } else { ONLY_RADIO.to_owned() });
    let read = |row: &Row, column, scale| answers.reading(&cell(RADIO, column, &row.index), scale);
    let frequencies = link.radios.iter().map(|row| answers.reading(&Oid::of(TX_FREQUENCY, &row.index), 1e-3));
    radio.set("channel_mhz", first(frequencies.map(|f| unless(f, &[0.0]))));
    let half_widths = link.radios.iter().map(|row| unless(read(row, 2, 2e-3), &[0.0]));
    radio.set("channel_width_mhz", first(half_widths));
    let powers = link.radios.iter().map(|row| unless(read(row, 4, 1.0), &[NO_PTX]));
    radio.set("tx_power_dbm", greatest(powers));
    let hearing: Vec<Option<bool>> = link.radios.iter().map(|row| hears(answers, row)).collect();
    if !hearing.is_empty() && hearing.iter().all(|hears| *hears == Some(false)) {
        return radio.down(&LINK_FIELDS);
    }
    if hearing.contains(&Some(true)) {
        up(&mut radio);
    } else {
        let why = link.radios.first().and_then(|row| read(row, 3, 1.0).missing()).unwrap_or(Missing::NotOffered);
        radio.set("link_up_flag", Reading::Missing(why));
    }
    // One radio a polarisation, in their order; else the link hangs on any of its radios.
    let pairs = link.polarisations.len() == link.radios.len();
    let lost = |i: usize| pairs && hearing.get(i) == Some(&Some(false));
    let used: Vec<&Row> =
        link.polarisations.iter().enumerate().filter(|(i, _)| !lost(*i)).map(|(_, row)| *row).collect();
    for (field, column) in [("capacity_tx_mbps", 10), ("capacity_rx_mbps", 11)] {
        let members = used.iter().map(|row| reported(answers, &cell(LINK, column, &row.index), 1e-3));
        radio.set(field, if used.is_empty() { Reading::Missing(Missing::NotOffered) } else { sum(members) });
    }
    if let Some(row) = used.first() {
        let name = |column| name_of(answers, &cell(LINK, column, &row.index), &MODULATIONS);
        radio.modulation = modulation(name(7), name(6));
    }
    set_levels(&mut radio, answers, link, &hearing);
    if pairs && link.radios.len() > 1 {
        radio.set("members_count", Reading::value(link.radios.len() as f64));
        radio.set("members_active_count", Reading::value(used.len() as f64));
    }
    set_standby(&mut radio, answers, scope, link);
    radio
}

fn set_levels(radio: &mut Radio, answers: &Answers, link: &Link<'_>, hearing: &[Option<bool>]) {
    let read = |row: &Row, column, scale| answers.reading(&cell(RADIO, column, &row.index), scale);
    let level = |row: &Row| unless(read(row, 3, 1.0), &[NO_PRX]);
    let heard = || link.radios.iter().zip(hearing).filter(|(_, hears)| **hears != Some(false)).map(|(row, _)| *row);
    // Each carrier hangs on its own level: the weakest stands for the link.
    radio.set("rsl_dbm", least(heard().map(level)));
    if link.radios.len() > 1 {
        for (field, row) in ["rsl_chain0_dbm", "rsl_chain1_dbm"].into_iter().zip(&link.radios) {
            radio.set(field, level(row));
        }
        radio.set("xpd_db", least(heard().map(|row| unless(read(row, 28, 0.1), &[NO_XPD]))));
    }
    // Normalised: like a signal to noise ratio, more is better.
    radio.set("mse_db", least(heard().map(|row| unless(read(row, 5, 0.1), &[0.0]))));
}

/// With 1+1 the first radio is the main one: which of them transmits is which carries traffic.
fn set_standby(radio: &mut Radio, answers: &Answers, scope: &Scope<'_>, link: &Link<'_>) {
    let types = scope.rows.of(TYPES);
    let kind = types.iter().find(|row| row.index.first() == Some(&link.number)).map(|row| &row.value);
    let protected = matches!(kind, Some(crate::probe::value::Value::Integer(2 | 3)));
    let [main, backup] = link.radios[..] else { return };
    if !protected {
        return;
    }
    let transmits = |row: &Row| answers.number(&cell(RADIO, 7, &row.index));
    let standby = match (transmits(main), transmits(backup)) {
        (Ok(2.0), _) => Reading::value(0.0),
        (Ok(1.0), Ok(2.0)) => Reading::value(1.0),
        (Err(why), _) | (_, Err(why)) => Reading::Missing(why),
        _ => Reading::Missing(Missing::Malformed),
    };
    radio.set("on_standby_flag", standby);
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, packets, poll, without};
    use super::*;

    const XPIC: &str = "
        1.3.6.1.2.1.1.1.0 str ALFOplus2 - SIAE Microelettronica
        1.3.6.1.2.1.1.2.0 oid 1.3.6.1.4.1.3373.1103
        1.3.6.1.2.1.1.3.0 ticks 100
        1.3.6.1.4.1.3373.1103.7.2.0 str N50052  01.06.00
        @s = 1.3.6.1.4.1.3373.1103.80
        @s.6.1.2.1 int 4
        @s.9.1.4.1 int 11325000
        @s.12.1.2.1 int 40000
        @s.12.1.3.1 int -44
        @s.12.1.3.2 int -46
        @s.12.1.4.1 int 18
        @s.12.1.4.2 int 18
        @s.12.1.5.1 int 433
        @s.12.1.5.2 int 428
        @s.12.1.7.1 int 2
        @s.12.1.7.2 int 2
        @s.12.1.13.1 int 1
        @s.12.1.13.2 int 1
        @s.12.1.28.1 int 312
        @s.12.1.28.2 int 990
        @s.17.1.6.1.1 int 11
        @s.17.1.7.1.1 int 11
        @s.17.1.10.1.1 int 700100
        @s.17.1.11.1.1 int 700100
        @s.17.1.10.1.2 int 700100
        @s.17.1.11.1.2 int 600200
    ";

    #[tokio::test]
    async fn with_xpic_both_polarisations_add_up() {
        let polled = poll(XPIC).await;
        assert_eq!(polled.identity.family.profile, "siae");
        assert_eq!(polled.identity.info, Info { model: Some("ALFOplus2".into()), firmware: Some("01.06.00".into()) });
        assert_eq!(polled.radios[0].modulation.as_deref(), Some("2048QAM"));
        check(
            &polled.radios[0],
            &[
                "capacity_rx_mbps=1300.3 reported",
                "capacity_tx_mbps=1400.2 reported",
                "channel_mhz=11325",
                "channel_width_mhz=80",
                "link_up_flag=1",
                "members_active_count=2",
                "members_count=2",
                "mse_db=42.8",
                "rsl_chain0_dbm=-44",
                "rsl_chain1_dbm=-46",
                "rsl_dbm=-46",
                "tx_power_dbm=18",
                "xpd_db=31.2",
            ],
        );
    }

    #[tokio::test]
    async fn a_lost_carrier_carries_nothing_whatever_its_link_says() {
        for lost in ["12.1.13.2 int 6", "12.1.3.2 int -90"] {
            let (what, _) = lost.split_once(" int ").unwrap();
            let polled = poll(&format!("{}\n@s.{lost}\n", without(XPIC, what))).await;
            assert_eq!(polled.radios[0].reading("capacity_tx_mbps").unwrap().get(), Some(700.1), "{lost}");
            assert_eq!(polled.radios[0].reading("rsl_dbm"), Some(Reading::value(-44.0)));
        }
    }

    #[tokio::test]
    async fn a_link_without_its_peer_is_down_although_it_shows_capacities() {
        let down = "
            1.3.6.1.2.1.1.1.0 hex 414c464f706c757338304844582d
            1.3.6.1.2.1.1.2.0 oid 1.3.6.1.4.1.3373.1103
            @s = 1.3.6.1.4.1.3373.1103.80
            @s.9.1.4.1 int 0
            @s.12.1.3.1 int -90
            @s.12.1.4.1 int -99
            @s.12.1.5.1 int 0
            @s.12.1.28.1 int 990
            @s.17.1.10.1.1 int 360000
            @s.17.1.11.1.1 int 50000
        ";
        let polled = poll(down).await;
        assert!(polled.radios[0].is_down());
        let read = |field: &str| polled.radios[0].reading(field).unwrap();
        assert_eq!(read("capacity_tx_mbps"), Reading::Missing(Missing::LinkDown));
        assert_eq!(read("channel_mhz"), Reading::Missing(Missing::Sentinel));
        assert_eq!(read("tx_power_dbm"), Reading::Missing(Missing::Sentinel));
    }

    #[tokio::test]
    async fn with_one_plus_one_the_radio_that_transmits_is_told() {
        let protected = without(&without(XPIC, ".1.2 int"), "@s.6.1.2.1");
        let protected = format!("{protected}@s.6.1.2.1 int 2\n@s.12.1.2.1 int 20000\n");
        let polled = poll(&protected).await;
        assert_eq!(polled.radios[0].reading("on_standby_flag"), Some(Reading::value(0.0)));
        assert_eq!(polled.radios[0].reading("capacity_tx_mbps").unwrap().get(), Some(700.1));
        let backup = poll(&protected.replace("12.1.7.1 int 2", "12.1.7.1 int 1")).await;
        assert_eq!(backup.radios[0].reading("on_standby_flag"), Some(Reading::value(1.0)));
        // The receiver of one is lost: the other carries all.
        let half = poll(&protected.replace("12.1.13.1 int 1", "12.1.13.1 int 5")).await;
        assert_eq!(half.radios[0].reading("capacity_tx_mbps").unwrap().get(), Some(700.1));
    }

    #[tokio::test]
    async fn two_links_are_two_radios_and_no_figure_is_of_both() {
        let two = XPIC.replace("10.1.2 int", "10.2.1 int").replace("11.1.2 int", "11.2.1 int");
        let polled = poll(&two).await;
        let tags: Vec<_> = polled.radios.iter().map(|r| r.tag.as_str()).collect();
        assert_eq!(tags, ["#1", "#2"]);
        assert_eq!(polled.radios[1].reading("capacity_rx_mbps").unwrap().get(), Some(600.2));
        assert_eq!(polled.radios[1].reading("rsl_dbm"), Some(Reading::value(-46.0)));
    }

    #[tokio::test]
    async fn a_carrier_that_cannot_be_read_leaves_no_sum() {
        let read = async |value: &str| {
            let radio = &poll(&XPIC.replace("10.1.2 int 700100", value)).await.radios[0];
            radio.reading("capacity_tx_mbps").unwrap()
        };
        assert_eq!(read("10.1.2 str 700100").await, Reading::Missing(Missing::Malformed));
        assert_eq!(read("10.1.2 int 0").await, Reading::Missing(Missing::Sentinel));
        assert_eq!(read("10.1.2 int -1").await, Reading::Missing(Missing::Implausible));
        // Levels only, as some firmware has it.
        let radio = &poll(&without(XPIC, "@s.17.")).await.radios[0];
        assert_eq!(radio.reading("capacity_tx_mbps"), Some(Reading::Missing(Missing::NotOffered)));
        assert_eq!(radio.reading("rsl_dbm"), Some(Reading::value(-46.0)));
    }

    #[tokio::test]
    async fn a_poll_costs_two_packets_at_most() {
        let packets = packets(XPIC).await;
        assert!(packets <= 2, "{packets}");
    }
}
