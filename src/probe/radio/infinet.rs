//! InfiNet Wireless (1.3.6.1.4.1.3942): R5000 with WANFleX by AQUAMINT-MIB, point to point and with several peers, and
//! InfiLINK XG.
//!
//! R5000 tells modulation rates, so its capacity is derived, times [`FACTOR`]. XG tells what both directions of the
//! link carry, but not which is its own: the lower one is true of both.

use super::{
    Checked, Decoded, Family, Info, ONLY_RADIO, ObjectId, Peers, Radio, Scope, Station, Table, derived, gate, reported,
    unless,
};
use crate::model::network::Duplex;
use crate::model::{Missing, Reading};
use crate::probe::snmp::Row;
use crate::probe::value::{Answers, Oid, mac_of_arcs};

pub static FAMILY: Family = Family {
    profile: "infinet",
    title: "InfiNet Wireless R5000, InfiLINK XG",
    checked: Checked::MibText,
    duplex: Duplex::Shared,
    capacity_min_mbps: 0.1,
    capacity_max_mbps: 1280.0,
    capacity_max_source: "two polarisations at 80 MHz at 8 bits a symbol (256QAM): 1280 Mbps",
    channel: None,
    capacity_from: "R5000: the modulation rate, times 0.5; XG: the lower of the capacities down and up",
    object_ids: &[ObjectId::Under(&[1, 3, 6, 1, 4, 1, 3942])],
    shared_object_ids: &[],
    descrs: &[],
    asks: &[],
    tables: &[
        Table { name: STATUS, column: LINK_STATUS, rows_max: 1 },
        Table { name: XG, column: XG_STATUS, rows_max: 1 },
        Table { name: LINKS, column: LINK_RX_RATE, rows_max: 64 },
    ],
    info: |_| vec![MODEL.into(), VERSION.into()],
    decode_info: |answers, _| Info {
        model: answers.text(&MODEL.into()).ok(),
        firmware: answers.text(&VERSION.into()).ok(),
    },
    requests,
    decode,
};

/// Part of the modulation rate that a link carries with all the air time: as with other radios that are built on
/// IEEE 802.11, half.
const FACTOR: f64 = 0.5;

const STATUS: &str = "status";
const XG: &str = "xg";
const LINKS: &str = "links";
/// AQUASYSTEM-MIB: model and version; temperature in tenths.
const MODEL: &[u32] = &[1, 3, 6, 1, 4, 1, 3942, 1, 1, 3, 15, 0];
const VERSION: &[u32] = &[1, 3, 6, 1, 4, 1, 3942, 1, 1, 3, 14, 0];
const TEMPERATURE: &[u32] = &[1, 3, 6, 1, 4, 1, 3942, 1, 1, 3, 7, 0];
/// AQUAMINT-MIB: 1 up, 2 down, 3 several peers.
const LINK_STATUS: &[u32] = &[1, 3, 6, 1, 4, 1, 3942, 1, 1, 5, 1, 1, 5];
/// The one link of a point-to-point device, a scalar each.
const PTP: &[u32] = &[1, 3, 6, 1, 4, 1, 3942, 1, 1, 5, 1, 1, 4];
/// The links of others: ifIndex and the peer's MAC address.
const LINK: &[u32] = &[1, 3, 6, 1, 4, 1, 3942, 1, 1, 5, 1, 1, 2, 1];
const LINK_RX_RATE: &[u32] = &[1, 3, 6, 1, 4, 1, 3942, 1, 1, 5, 1, 1, 2, 1, 9];
const DOWN: f64 = 2.0;
/// Rates in kbps, the same numbers as scalars and as columns.
const RX_RATE: u32 = 9;
const TX_RATE: u32 = 10;
/// SNR of what comes in, metres, dBm.
const PLAIN: [(&str, u32, f64); 4] =
    [("snr_db", 5, 1.0), ("tx_power_dbm", 28, 0.1), ("distance_meters", 29, 1.0), ("rsl_dbm", 30, 1.0)];
/// InfiLINK XG: 3 up; metres; capacities in kbps.
const XG_STATUS: &[u32] = &[1, 3, 6, 1, 4, 1, 3942, 4, 1, 1, 2, 1];
const XG_DISTANCE: &[u32] = &[1, 3, 6, 1, 4, 1, 3942, 4, 1, 1, 2, 2, 0];
const XG_CAPACITIES: [&[u32]; 2] =
    [&[1, 3, 6, 1, 4, 1, 3942, 4, 1, 1, 2, 10, 0], &[1, 3, 6, 1, 4, 1, 3942, 4, 1, 1, 2, 11, 0]];
const XG_UP: f64 = 3.0;

const LINK_FIELDS: [&str; 7] =
    ["capacity_tx_mbps", "capacity_rx_mbps", "phy_tx_mbps", "phy_rx_mbps", "rsl_dbm", "snr_db", "distance_meters"];
const XG_LINK_FIELDS: [&str; 3] = ["capacity_tx_mbps", "capacity_rx_mbps", "distance_meters"];

fn peers<'a>(scope: &Scope<'a>) -> Peers<'a> {
    let mac = |row: &Row| mac_of_arcs(row.index.get(1..7)?);
    Peers { rows: scope.rows.of(LINKS), tables: &[LINKS], link_fields: &LINK_FIELDS, mac }
}

fn of_link(row: &Row) -> impl Fn(u32) -> Oid + '_ {
    |column| Oid::of(&[LINK, &[column]].concat(), &row.index)
}

fn scalar(object: u32) -> Oid {
    Oid::of(PTP, &[object, 0])
}

fn columns() -> impl Iterator<Item = u32> {
    [RX_RATE, TX_RATE].into_iter().chain(PLAIN.iter().map(|(_, column, _)| *column))
}

fn first(column: &[u32]) -> Oid {
    Oid::of(column, &[0])
}

fn requests(scope: &Scope<'_>) -> Vec<Oid> {
    if !scope.rows.of(XG).is_empty() {
        return [first(XG_STATUS), XG_DISTANCE.into()].into_iter().chain(XG_CAPACITIES.map(Oid::from)).collect();
    }
    let mut oids: Vec<Oid> = vec![first(LINK_STATUS), TEMPERATURE.into()];
    if scope.rows.of(LINKS).is_empty() && !scope.sector {
        oids.extend(columns().map(scalar));
    }
    for station in peers(scope).select(scope).chosen() {
        oids.extend(columns().map(of_link(station.row)));
    }
    oids
}

fn decode(answers: &Answers, scope: &Scope<'_>) -> Decoded {
    let mut decoded = if !scope.rows.of(XG).is_empty() {
        Decoded { radios: vec![xg(answers)], ..Decoded::default() }
    } else if scope.rows.of(LINKS).is_empty() && !scope.sector {
        Decoded { radios: vec![point_to_point(answers)], ..Decoded::default() }
    } else {
        peers(scope).decode(scope, |station| peer(answers, station, scope))
    };
    for radio in &mut decoded.radios {
        gate(&FAMILY, radio);
    }
    super::supply::note(&mut decoded.power, "temperature_celsius", answers.reading(&TEMPERATURE.into(), 0.1));
    decoded
}

fn point_to_point(answers: &Answers) -> Radio {
    let status = answers.reading(&first(LINK_STATUS), 1.0);
    let radio = Radio::new(ONLY_RADIO);
    if status.get() == Some(DOWN) {
        return radio.down(&LINK_FIELDS);
    }
    link(answers, radio, &scalar, status.map(|_| 1.0))
}

fn peer(answers: &Answers, station: &Station<'_>, scope: &Scope<'_>) -> Option<Radio> {
    let of = of_link(station.row);
    let gone = columns().all(|column| answers.value(&of(column)) == Err(Missing::NotOffered));
    (!gone).then(|| link(answers, Radio::towards(station, scope), &of, Reading::value(1.0)))
}

fn link(answers: &Answers, mut radio: Radio, of: &dyn Fn(u32) -> Oid, up: Reading) -> Radio {
    radio.set("link_up_flag", up);
    let rates = [("phy_tx_mbps", "capacity_tx_mbps", TX_RATE), ("phy_rx_mbps", "capacity_rx_mbps", RX_RATE)];
    for (phy, capacity, column) in rates {
        let rate = unless(answers.reading(&of(column), 1e-3), &[0.0]);
        radio.set(phy, rate);
        radio.set(capacity, derived(rate, FACTOR));
    }
    for (field, column, scale) in PLAIN {
        let reading = answers.reading(&of(column), scale);
        radio.set(field, if field == "rsl_dbm" { unless(reading, &[0.0]) } else { reading });
    }
    radio
}

fn xg(answers: &Answers) -> Radio {
    let status = answers.reading(&first(XG_STATUS), 1.0);
    let mut radio = Radio::new(ONLY_RADIO);
    if status.get().is_some_and(|status| status != XG_UP) {
        return radio.down(&XG_LINK_FIELDS);
    }
    radio.set("link_up_flag", status.map(|_| 1.0));
    radio.set("distance_meters", answers.reading(&XG_DISTANCE.into(), 1.0));
    let [down, up] = XG_CAPACITIES.map(|object| reported(answers, &object.into(), 1e-3));
    let lower = match (down.get(), up.get()) {
        (Some(a), Some(b)) if b < a => up,
        (Some(_), None) => up,
        _ => down,
    };
    radio.set("capacity_tx_mbps", lower);
    radio.set("capacity_rx_mbps", lower);
    radio
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, missing, poll, poll_as, sector};
    use super::*;

    const R5000: &str = "
        1.3.6.1.2.1.1.2.0 oid 1.3.6.1.4.1.3942.1
        @in = 1.3.6.1.4.1.3942.1.1
        @in.3.7.0 int 412
        @in.3.14.0 str MINT 1.90.33
        @in.3.15.0 str R5000-Omx
        @in.5.1.1.5.0 int 1
    ";
    const PTP: &str = "
        @in.5.1.1.4.5.0 int 29
        @in.5.1.1.4.9.0 int 270000
        @in.5.1.1.4.10.0 int 300000
        @in.5.1.1.4.28.0 int 180
        @in.5.1.1.4.29.0 int 12400
        @in.5.1.1.4.30.0 int -58
    ";
    const PTMP: &str = "
        @row = 3.2.0.0.0.0.17
        @in.5.1.1.2.1.5.@row int 31
        @in.5.1.1.2.1.9.@row int 130000
        @in.5.1.1.2.1.10.@row int 104000
        @in.5.1.1.2.1.30.@row int -61
    ";

    #[tokio::test]
    async fn a_pair_of_r5000_in_the_normal_form() {
        let polled = poll(&format!("{R5000}{PTP}")).await;
        assert_eq!(polled.identity.family.profile, "infinet");
        assert_eq!(polled.identity.info.model.as_deref(), Some("R5000-Omx"));
        let expected = [
            "capacity_rx_mbps=135 derived",
            "capacity_tx_mbps=150 derived",
            "distance_meters=12400",
            "link_up_flag=1",
            "phy_rx_mbps=270",
            "phy_tx_mbps=300",
            "rsl_dbm=-58",
            "snr_db=29",
            "tx_power_dbm=18",
        ];
        check(&polled.radios[0], &expected);
        assert_eq!(polled.power["temperature_celsius"], Reading::value(41.2));
        let polled = poll(&format!("{R5000}{PTP}").replace("5.1.1.5.0 int 1", "5.1.1.5.0 int 2")).await;
        assert_eq!(polled.radios[0].reading("capacity_tx_mbps"), Some(missing("link down")));
    }

    #[tokio::test]
    async fn a_sector_of_r5000() {
        let fixture = format!("{R5000}{PTMP}").replace("5.1.1.5.0 int 1", "5.1.1.5.0 int 3");
        let (polled, _) = poll_as(&fixture, sector(&["020000000011", "020000000012"])).await;
        let tags: Vec<_> = polled.radios.iter().map(|r| r.tag.as_str()).collect();
        assert_eq!(tags, ["020000000011", "020000000012", "sector"]);
        assert_eq!(polled.radios[0].reading("phy_tx_mbps"), Some(Reading::value(104.0)));
        assert_eq!(polled.radios[1].reading("link_up_flag"), Some(Reading::value(0.0)));
    }

    #[tokio::test]
    async fn an_xg_and_odd_answers() {
        let fixture = "
            1.3.6.1.2.1.1.2.0 oid 1.3.6.1.4.1.3942.4
            1.3.6.1.4.1.3942.4.1.1.2.1.0 int 3
            1.3.6.1.4.1.3942.4.1.1.2.2.0 int 9100
            1.3.6.1.4.1.3942.4.1.1.2.10.0 int 240500
            1.3.6.1.4.1.3942.4.1.1.2.11.0 int 160500
        ";
        let polled = poll(fixture).await;
        let expected = [
            "capacity_rx_mbps=160.5 reported",
            "capacity_tx_mbps=160.5 reported",
            "distance_meters=9100",
            "link_up_flag=1",
        ];
        check(&polled.radios[0], &expected);
        let polled = poll(&fixture.replace("2.1.0 int 3", "2.1.0 int 1")).await;
        assert_eq!(polled.radios[0].reading("link_up_flag"), Some(Reading::value(0.0)));
        let polled = poll(&fixture.replace("int 160500", "str 160500")).await;
        assert_eq!(polled.radios[0].reading("capacity_tx_mbps"), Some(missing("malformed")));
        let polled = poll(&format!("{R5000}{PTP}").replace("int 300000", "int 0").replace("int -58", "int 0")).await;
        assert_eq!(polled.radios[0].reading("capacity_tx_mbps"), Some(missing("sentinel")));
        assert_eq!(polled.radios[0].reading("rsl_dbm"), Some(missing("sentinel")));
    }
}
