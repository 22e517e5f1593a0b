mod answer_path;
mod bad_input;
mod cambium;
mod docs;
mod files;
mod manners;
mod mikrotik_new;
mod seeds;
mod ubiquiti_more;

use super::*;
use crate::probe::device::{Manner, Polled, Poller};
use crate::probe::testing::{AF60, Fake};
use crate::probe::value::Value;
use crate::runtime::clock::ManualClock;

pub async fn poll_as(fixture: &str, manner: Manner) -> (Polled, Poller<Fake>) {
    let clock = ManualClock::at(crate::model::UnixMillis(1_000_000));
    let mut poller = Poller::new(Fake::new(fixture), manner);
    let polled = poller.poll(&*clock).await.unwrap();
    (polled, poller)
}

pub async fn poll(fixture: &str) -> Polled {
    poll_as(fixture, Manner::default()).await.0
}

pub fn check(radio: &Radio, expected: &[&str]) {
    assert_eq!(crate::probe::recording::readings(&radio.readings), expected);
}

/// A missing reading, by the word for its reason.
pub fn missing(why: &str) -> Reading {
    Reading::Missing(Missing::ALL.into_iter().find(|m| m.as_str() == why).unwrap())
}

/// Packets of a poll of a device that is known.
pub(super) async fn packets(fixture: &str) -> u64 {
    let clock = ManualClock::at(crate::model::UnixMillis(1_000_000));
    let mut poller = poll_as(fixture, Manner::default()).await.1;
    // The first poll may have found tables that it wants to look at again.
    poller.poll(&*clock).await.unwrap();
    (poller.session.gets, poller.session.nexts) = (0, 0);
    poller.poll(&*clock).await.unwrap();
    poller.session.gets + poller.session.nexts
}

pub fn sector(peers: &[&str]) -> Manner {
    Manner { sector: true, peers: peers.iter().map(|&p| p.to_owned()).collect(), ..Manner::default() }
}

/// The fixture without the lines that contain `part`.
pub(super) fn without(fixture: &str, part: &str) -> String {
    fixture.lines().filter(|l| !l.contains(part)).collect::<Vec<_>>().join("\n")
}

#[test]
fn families_are_well_formed() {
    let mut names = BTreeSet::new();
    for family in PROFILES.iter().copied() {
        assert!(names.insert(family.profile), "{} twice", family.profile);
        assert!(std::ptr::eq(super::family(family.profile).unwrap(), family));
        assert!(family.capacity_min_mbps < family.capacity_max_mbps);
        assert!(!family.capacity_max_source.is_empty());
        assert!(!family.capacity_from.is_empty());
        let tells_apart = !family.asks.is_empty() || !family.descrs.is_empty();
        assert!(family.shared_object_ids.is_empty() || tells_apart, "{}", family.profile);
        assert!(family.asks.is_empty() || !family.shared_object_ids.is_empty(), "{}: never asked", family.profile);
    }
    assert!(super::family("ubiquiti-af61").is_none());
}

#[test]
fn a_description_matches_whole_at_its_beginning_or_anywhere() {
    let check =
        |descr: Descr, text: &str, expected: bool| assert_eq!(descr.matches(text), expected, "{descr:?} {text}");
    check(Descr::Is("Radio 80"), "Radio 80", true);
    check(Descr::Is("Radio 80"), "Radio 80X", false);
    check(Descr::Begins("Radio"), "Radio 80X", true);
    check(Descr::Begins("80X"), "Radio 80X", false);
    check(Descr::Contains("80X"), "Radio 80X", true);
    check(Descr::Contains("80x"), "Radio 80X", false);
}

#[test]
fn interfaces_are_found_by_their_type() {
    let row = |index: u32, value| Row { index: vec![index], value };
    let rows = [row(1, Value::Integer(157)), row(2, Value::Integer(6)), row(3, Value::Bytes(vec![157]))];
    let found: Vec<_> = interfaces(&rows, 157).map(|row| row.index.clone()).collect();
    assert_eq!(found, [[1]]);
    let mut answers = Answers::default();
    answers.insert(Oid::of(IF_HIGH_SPEED, &[1]), Value::Gauge32(323));
    answers.insert(Oid::of(IF_HIGH_SPEED, &[2]), Value::Gauge32(0));
    assert_eq!(of_interface(&answers, &rows[0]), Reading::known(323.0, Provenance::Reported));
    assert_eq!(of_interface(&answers, &rows[1]), Reading::Missing(Missing::Sentinel));
    assert_eq!(of_interface(&answers, &rows[2]), Reading::Missing(Missing::NotOffered));
}

#[test]
fn levels_of_both_chains_add_up_as_powers() {
    let check = |first: Reading, second: Reading, expected: Reading| {
        assert_eq!(combined(first, second).map(|dbm| (dbm * 10.0).round() / 10.0), expected);
    };
    let gone = Reading::Missing(Missing::Sentinel);
    // Twice the power is 3.0 dB more; a tenth of it adds 0.4 dB.
    check(Reading::value(-74.0), Reading::value(-74.0), Reading::value(-71.0));
    check(Reading::value(-50.0), Reading::value(-60.0), Reading::value(-49.6));
    check(Reading::value(-50.0), gone, Reading::value(-50.0));
    check(gone, Reading::value(-60.0), Reading::value(-60.0));
    check(gone, gone, gone);
}

#[tokio::test]
async fn af60_in_the_normal_form() {
    let polled = poll(AF60).await;
    assert_eq!(polled.identity.family.profile, "ubiquiti-af60");
    assert_eq!(polled.identity.why, "sysObjectID 1.3.6.1.4.1.10002.1, and 1.3.6.1.4.1.41112.1.11.1.2.4.1 answers");
    assert_eq!(polled.identity.info.model.as_deref(), Some("AF60-LR"));
    assert_eq!(polled.identity.info.firmware.as_deref(), Some("v2.6.0"));
    assert_eq!(polled.uptime_secs, Reading::value(3600.0));
    let [radio] = &polled.radios[..] else { panic!("{:?}", polled.radios) };
    assert_eq!((radio.tag.as_str(), radio.peer.as_deref()), ("1", Some("020000000011")));
    check(
        radio,
        &[
            "capacity_rx_mbps=1625 reported",
            "capacity_tx_mbps=1951 reported",
            "channel_mhz=69120",
            "channel_width_mhz=2160",
            "distance_meters=4076",
            "link_up_flag=1",
            "mcs_rx_index=8",
            "mcs_tx_index=9",
            "on_standby_flag=0",
            "remote_rsl_dbm=-56",
            "remote_snr_db=18",
            "rsl_dbm=-55",
            "snr_db=19",
            "throughput_rx_mbps=4",
            "throughput_tx_mbps=120.5",
        ],
    );
}

#[tokio::test]
async fn an_af60_without_its_peer_is_down_and_finds_it_again() {
    let clock = ManualClock::at(crate::model::UnixMillis(0));
    let (polled, mut poller) = poll_as(&without(AF60, "@peer"), Manner::default()).await;
    let radio = &polled.radios[0];
    assert_eq!(radio.reading("link_up_flag"), Some(Reading::value(0.0)));
    assert_eq!(radio.reading("capacity_tx_mbps"), Some(Reading::Missing(Missing::LinkDown)));
    assert_eq!(radio.reading("channel_mhz"), Some(Reading::value(69120.0)));
    poller.session.objects = Fake::new(AF60).objects;
    let polled = poller.poll(&*clock).await.unwrap();
    assert_eq!(polled.radios[0].reading("capacity_tx_mbps").unwrap().get(), Some(1951.0));
    // And away, while the poller still asks for its row.
    poller.session.objects = Fake::new(&without(AF60, "@peer")).objects;
    let polled = poller.poll(&*clock).await.unwrap();
    assert_eq!(polled.radios[0].reading("link_up_flag"), Some(Reading::value(0.0)));
    assert_eq!(polled.radios[0].reading("rsl_dbm"), Some(Reading::Missing(Missing::LinkDown)));
}

#[tokio::test]
async fn what_an_af60_says_when_it_lies() {
    let capacity = "1.3.6.1.4.1.41112.1.11.1.3.1.7.2.0.0.0.0.17.1";
    let read = async |value: Value| {
        let mut poller = Poller::new(Fake::new(AF60), Manner::default());
        poller.session.set(capacity, value);
        let clock = ManualClock::at(crate::model::UnixMillis(0));
        poller.poll(&*clock).await.unwrap().radios[0].reading("capacity_tx_mbps").unwrap()
    };
    let missing = |why| Reading::Missing(why);
    // 1 Mbps on a live 60 GHz link, nothing at all, a negative number, more than the family can do.
    assert_eq!(read(Value::Integer(1000)).await, missing(Missing::Implausible));
    assert_eq!(read(Value::Integer(0)).await, missing(Missing::Sentinel));
    assert_eq!(read(Value::Integer(-5)).await, missing(Missing::Implausible));
    assert_eq!(read(Value::Integer(9_000_000)).await, missing(Missing::Implausible));
    assert_eq!(read(Value::Bytes(b"1951000\0".to_vec())).await, missing(Missing::Malformed));
    assert_eq!(read(Value::NoSuchObject).await, missing(Missing::NotOffered));
    assert_eq!(read(Value::Counter64(u64::MAX)).await, missing(Missing::Implausible));
    assert_eq!(read(Value::Gauge32(24_000)).await, Reading::known(24.0, Provenance::Reported));
}

#[tokio::test]
async fn a_wave_on_its_backup_says_so() {
    let polled =
        poll(&AF60.replace("str main", "str backup").replace("oid 1.3.6.1.4.1.10002.1", "oid 1.3.6.1.4.1.41112")).await;
    assert_eq!(polled.identity.family.profile, "ubiquiti-af60");
    assert_eq!(polled.radios[0].reading("on_standby_flag"), Some(Reading::value(1.0)));
}

#[tokio::test]
async fn strangers_of_a_sector_are_counted_and_never_named() {
    let stranger = |last: u8, fixture: &str| {
        let row = fixture.lines().filter(|l| l.contains(".@peer")).map(|l| l.replace("@peer", "@other"));
        let lines = row.collect::<Vec<_>>().join("\n");
        format!("{fixture}\n@other = 2.0.0.0.0.{last}.1\n{lines}")
    };
    let fixture = stranger(99, AF60);
    let (polled, poller) = poll_as(&fixture, sector(&["020000000011", "020000000012"])).await;
    let tags: Vec<_> = polled.radios.iter().map(|r| r.tag.as_str()).collect();
    assert_eq!(tags, ["020000000011", "020000000012", "sector"]);
    let read = |i: usize, field: &str| polled.radios[i].reading(field).unwrap();
    assert_eq!(read(0, "capacity_tx_mbps"), Reading::known(1951.0, Provenance::Reported));
    // Ours, and not there: that is known to be down.
    assert_eq!(read(1, "link_up_flag"), Reading::value(0.0));
    assert_eq!(read(1, "capacity_tx_mbps"), Reading::Missing(Missing::LinkDown));
    assert_eq!(read(2, "peers_count"), Reading::value(2.0));
    assert_eq!(read(2, "strangers_count"), Reading::value(1.0));
    assert!(!format!("{:?}", polled.radios).contains("020000000063"));
    drop(poller);
    // The same radio as one end of a link: with two peers, the inventory decides which.
    let known = Manner { peers: ["020000000011".to_owned()].into(), ..Manner::default() };
    let (polled, _) = poll_as(&fixture, known).await;
    assert_eq!(polled.radios[0].peer.as_deref(), Some("020000000011"));
    let (polled, _) = poll_as(&fixture, Manner::default()).await;
    assert_eq!(polled.radios[0].peer, None);
    assert_eq!(polled.radios[0].reading("capacity_tx_mbps"), Some(Reading::Missing(Missing::NotMeasured)));
}

#[tokio::test]
async fn a_sector_read_by_a_family_of_one_peer_names_no_stranger() {
    let fixture = include_str!("fixtures/ubiquiti-airfiber.txt").split_once("---\n").unwrap().0;
    let (polled, _) = poll_as(fixture, Manner::default()).await;
    let peer = polled.radios[0].peer.clone().unwrap();
    let (polled, _) = poll_as(fixture, sector(&["020000000099"])).await;
    assert!(polled.radios.iter().all(|radio| radio.peer.is_none()), "{:?}", polled.radios);
    for (mut manner, whose) in [(sector(&[&peer]), "ours"), (sector(&[ONLY_RADIO]), "ours by its radio")] {
        let (polled, _) = poll_as(fixture, manner.clone()).await;
        assert_eq!(polled.radios[0].peer.as_ref(), Some(&peer), "{whose}");
        (manner.peers, manner.everybody) = (BTreeSet::new(), true);
        let (polled, _) = poll_as(fixture, manner).await;
        assert_eq!(polled.radios[0].peer.as_ref(), Some(&peer), "a technician asks for everybody");
    }
}

const AIRMAX: &str = "
    1.3.6.1.2.1.1.1.0 str Linux 2.6.32.68 mips
    1.3.6.1.2.1.1.2.0 oid 1.3.6.1.4.1.10002.1
    1.3.6.1.2.1.1.3.0 ticks 100
    1.2.840.10036.3.1.2.1.3.7 str LiteBeam 5AC Gen2
    1.2.840.10036.3.1.2.1.4.7 str WA.ar934x.v8.7.4.45112.210415.1103
    @am = 1.3.6.1.4.1.41112.1.4
    @am.1.1.4.1 int 5780
    @am.1.1.6.1 int 24
    @am.1.1.7.1 int 1200
    @am.2.1.2.1.1 int 19
    @am.2.1.2.1.2 int 24
    @am.5.1.5.1 int -70
    @am.5.1.7.1 int 33
    @am.5.1.8.1 int -91
    @am.5.1.9.1 int 39000000
    @am.5.1.10.1 int 52000000
    @am.5.1.14.1 int 40
    @am.5.1.15.1 gauge 1
    @am.6.1.3.1 int 88
    @am.6.1.7.1 int 699
    @am.8.4.0 int 160000000
";
const AIRMAX_ROW: &str = "
    @row = 1.2.0.0.0.0.33
    @am.7.1.3.@row int -61
    @am.7.1.4.@row int -95
    @am.7.1.5.@row int 5300
    @am.7.1.11.@row int 300000000
    @am.7.1.12.@row int 270000000
    @am.7.1.13.@row c64 1000
    @am.7.1.14.@row c64 1000
    @am.7.1.16.@row int 29
    @am.7.1.17.@row int 241000
    @am.7.1.18.@row int 198500
";

#[tokio::test]
async fn airmax_without_a_station_table_is_derived() {
    let polled = poll(AIRMAX).await;
    assert_eq!(polled.identity.family.profile, "ubiquiti-airmax");
    assert_eq!(polled.identity.info.model.as_deref(), Some("LiteBeam 5AC Gen2"));
    assert_eq!(polled.identity.info.firmware.as_deref(), Some("v8.7.4"));
    assert_eq!(polled.power["temperature_celsius"], Reading::value(16.0));
    check(
        &polled.radios[0],
        &[
            "airtime_percent=69.9",
            "capacity_rx_mbps=26 derived",
            "capacity_tx_mbps=19.5 derived",
            "ccq_tx_percent=33",
            "channel_mhz=5780",
            "channel_width_mhz=40",
            "distance_meters=1200",
            "link_up_flag=1",
            "noise_floor_dbm=-91",
            "phy_rx_mbps=52",
            "phy_tx_mbps=39",
            "rsl_chain0_dbm=-77",
            "rsl_chain1_dbm=-72",
            "rsl_dbm=-70",
            "signal_quality_percent=88",
            "tx_power_dbm=24",
        ],
    );
}

#[tokio::test]
async fn airmax_ac_reports_what_the_link_can_carry() {
    let polled = poll(&format!("{AIRMAX}{AIRMAX_ROW}")).await;
    let [radio] = &polled.radios[..] else { panic!() };
    assert_eq!(radio.peer.as_deref(), Some("020000000021"));
    let read = |field: &str| radio.reading(field).unwrap();
    assert_eq!(read("capacity_tx_mbps"), Reading::known(241.0, Provenance::Reported));
    assert_eq!(read("capacity_rx_mbps"), Reading::known(198.5, Provenance::Reported));
    assert_eq!(read("phy_tx_mbps"), Reading::value(300.0));
    assert_eq!(read("rsl_dbm"), Reading::value(-61.0));
    assert_eq!(read("cinr_db"), Reading::value(29.0));
    assert_eq!(read("throughput_tx_mbps"), Reading::Missing(Missing::NoBaseline));
    // M has the row, and not those two columns.
    let m = without(&without(&format!("{AIRMAX}{AIRMAX_ROW}"), "7.1.17"), "7.1.18");
    let polled = poll(&m).await;
    assert_eq!(polled.radios[0].reading("capacity_tx_mbps"), Some(Reading::known(150.0, Provenance::Derived)));
}

#[tokio::test]
async fn an_airmax_with_no_or_many_stations_has_no_figure_of_a_link() {
    let polled = poll(&AIRMAX.replace("gauge 1", "gauge 0")).await;
    assert_eq!(polled.radios[0].reading("link_up_flag"), Some(Reading::value(0.0)));
    assert_eq!(polled.radios[0].reading("capacity_tx_mbps"), Some(Reading::Missing(Missing::LinkDown)));
    assert_eq!(polled.radios[0].reading("rsl_chain0_dbm"), Some(Reading::Missing(Missing::LinkDown)));
    let polled = poll(&AIRMAX.replace("gauge 1", "gauge 22")).await;
    assert_eq!(polled.radios[0].reading("capacity_tx_mbps"), Some(Reading::Missing(Missing::NotMeasured)));
    let (polled, _) =
        poll_as(&format!("{}{AIRMAX_ROW}", AIRMAX.replace("gauge 1", "gauge 22")), sector(&["020000000021"])).await;
    let tags: Vec<_> = polled.radios.iter().map(|r| r.tag.as_str()).collect();
    assert_eq!(tags, ["020000000021", "sector"]);
    assert_eq!(polled.radios[1].reading("strangers_count"), Some(Reading::value(21.0)));
    assert_eq!(polled.radios[1].reading("airtime_percent").unwrap().map(f64::round), Reading::value(70.0));
}

#[tokio::test]
async fn an_airmax_temperature_of_older_firmware_is_left_alone() {
    let polled = poll(&AIRMAX.replace("int 160000000", "int 41")).await;
    assert_eq!(polled.power["temperature_celsius"], Reading::value(41.0));
}

const ROUTEROS: &str = "
    1.3.6.1.2.1.1.1.0 str RouterOS RBLHGG-60ad
    1.3.6.1.2.1.1.2.0 oid 1.3.6.1.4.1.14988.1
    1.3.6.1.2.1.1.3.0 ticks 100
    @mt = 1.3.6.1.4.1.14988.1.1
    @mt.4.4.0 str 6.44
";
const W60G: &str = "
    @mt.1.8.1.2.1 int 3
    @mt.1.8.1.4.1 int 1
    @mt.1.8.1.5.1 hex 020000000041
    @mt.1.8.1.6.1 int 58320
    @mt.1.8.1.7.1 int 8
    @mt.1.8.1.8.1 int 80
    @mt.1.8.1.12.1 int -54
    @mt.1.8.1.13.1 gauge 2310
";
const W60G_STATION: &str = "
    @mt.1.9.1.2.4 int 1
    @mt.1.9.1.3.4 hex 020000000041
    @mt.1.9.1.4.4 int 8
    @mt.1.9.1.5.4 int 80
    @mt.1.9.1.8.4 gauge 2310
    @mt.1.9.1.9.4 int -54
    @mt.1.9.1.10.4 int 18545
    1.3.6.1.2.1.31.1.1.1.6.4 c64 10
    1.3.6.1.2.1.31.1.1.1.10.4 c64 10
";

#[tokio::test]
async fn mikrotik_60_ghz_in_the_normal_form() {
    let polled = poll(&format!("{ROUTEROS}{W60G}{W60G_STATION}")).await;
    assert_eq!(polled.identity.family.profile, "mikrotik");
    assert_eq!(polled.identity.why, "sysObjectID 1.3.6.1.4.1.14988.1");
    assert_eq!(polled.identity.info, Info { model: Some("RBLHGG-60ad".into()), firmware: Some("6.44".into()) });
    let [radio] = &polled.radios[..] else { panic!() };
    assert_eq!(radio.peer.as_deref(), Some("020000000041"));
    check(
        radio,
        &[
            "capacity_rx_mbps=1155 derived",
            "capacity_tx_mbps=1155 derived",
            "channel_mhz=58320",
            "distance_meters=185.45",
            "link_up_flag=1",
            "mcs_tx_index=8",
            "phy_rx_mbps=2310",
            "phy_tx_mbps=2310",
            "rsl_dbm=-54",
            "signal_quality_percent=80",
            "throughput_rx_mbps=(no baseline)",
            "throughput_tx_mbps=(no baseline)",
        ],
    );
    // Without stations of its own (it is one), the interface tells; and tells when it is not connected.
    let polled = poll(&format!("{ROUTEROS}{W60G}")).await;
    assert_eq!(polled.radios[0].reading("capacity_rx_mbps"), Some(Reading::known(1155.0, Provenance::Derived)));
    let polled = poll(&format!("{ROUTEROS}{}", W60G.replace("8.1.4.1 int 1", "8.1.4.1 int 0"))).await;
    assert_eq!(polled.radios[0].reading("link_up_flag"), Some(Reading::value(0.0)));
    let polled = poll(&format!("{ROUTEROS}{W60G}{}", W60G_STATION.replace("9.1.2.4 int 1", "9.1.2.4 int 0"))).await;
    assert_eq!(polled.radios[0].reading("capacity_rx_mbps"), Some(Reading::Missing(Missing::LinkDown)));
}

#[tokio::test]
async fn a_60_ghz_device_with_5_ghz_in_reserve_has_both_radios() {
    let polled = poll(&format!("{ROUTEROS}{W60G}{W60G_STATION}{STATION}")).await;
    let [main, reserve] = &polled.radios[..] else { panic!("{:?}", polled.radios) };
    assert_eq!((main.tag.as_str(), main.peer.as_deref()), (ONLY_RADIO, Some("020000000041")));
    assert_eq!(main.reading("channel_mhz"), Some(Reading::value(58_320.0)));
    assert_eq!((reserve.tag.as_str(), reserve.peer.as_deref()), ("#23", Some("020000000051")));
    assert_eq!(reserve.reading("channel_mhz"), Some(Reading::value(5745.0)));
    assert_eq!(reserve.reading("capacity_tx_mbps"), Some(Reading::known(75.0, Provenance::Derived)));
    // The 60 GHz link is down in the rain: the other one still is what it was.
    let rain = W60G_STATION.replace("9.1.2.4 int 1", "9.1.2.4 int 0");
    let polled = poll(&format!("{ROUTEROS}{W60G}{rain}{STATION}")).await;
    assert!(polled.radios[0].is_down());
    assert_eq!(polled.radios[1], *reserve);
    assert!(packets(&format!("{ROUTEROS}{W60G}{W60G_STATION}{STATION}")).await <= 2);
}

const STATION: &str = "
    @mt.1.1.1.2.23 gauge 150000000
    @mt.1.1.1.3.23 gauge 90000000
    @mt.1.1.1.4.23 int -47
    @mt.1.1.1.6.23 hex 020000000051
    @mt.1.1.1.7.23 int 5745
    @mt.1.1.1.8.23 str 5745/20-Ce/an
    @mt.1.1.1.9.23 c32 100
    @mt.1.1.1.10.23 c32 80
";

#[tokio::test]
async fn mikrotik_station_in_the_normal_form() {
    let polled = poll(&format!("{ROUTEROS}{STATION}")).await;
    let [radio] = &polled.radios[..] else { panic!() };
    assert_eq!(radio.modulation.as_deref(), Some("802.11an"));
    check(
        radio,
        &[
            "capacity_rx_mbps=45 derived",
            "capacity_tx_mbps=75 derived",
            "ccq_rx_percent=80",
            "ccq_tx_percent=100",
            "channel_mhz=5745",
            "channel_width_mhz=40",
            "link_up_flag=1",
            "phy_rx_mbps=90",
            "phy_tx_mbps=150",
            "rsl_dbm=-47",
            "throughput_rx_mbps=(not offered)",
            "throughput_tx_mbps=(not offered)",
        ],
    );
    let lost = STATION.replace("int -47", "int 0").replace("hex 020000000051", "hex 000000000000");
    let polled = poll(&format!("{ROUTEROS}{}", lost.replace("150000000", "0"))).await;
    assert_eq!(polled.radios[0].reading("link_up_flag"), Some(Reading::value(0.0)));
}

const ACCESS_POINT: &str = "
    @mt.1.3.1.6.8 c32 1
    @mt.1.3.1.7.8 int 5805
    @mt.1.3.1.8.8 str 5805/20-Ceee/ac
    @mt.1.3.1.9.8 int -112
    @mt.1.3.1.10.8 c32 75
    @mt.1.4.0 gauge 1
    @mt.1.2.1.3.2.0.0.0.0.81.8 int -58
    @mt.1.2.1.8.2.0.0.0.0.81.8 gauge 585000000
    @mt.1.2.1.9.2.0.0.0.0.81.8 gauge 520000000
    @mt.1.2.1.12.2.0.0.0.0.81.8 int 0
    @mt.1.2.1.14.2.0.0.0.0.81.8 int -60
    @mt.1.2.1.16.2.0.0.0.0.81.8 int -61
    @mt.1.2.1.19.2.0.0.0.0.81.8 int -57
";

#[tokio::test]
async fn mikrotik_access_point_of_a_pair_and_of_a_sector() {
    let fixture = format!("{ROUTEROS}{ACCESS_POINT}");
    let polled = poll(&fixture).await;
    let [radio] = &polled.radios[..] else { panic!() };
    check(
        radio,
        &[
            "capacity_rx_mbps=260 derived",
            "capacity_tx_mbps=292.5 derived",
            "ccq_tx_percent=75",
            "channel_mhz=5805",
            "channel_width_mhz=80",
            "link_up_flag=1",
            "noise_floor_dbm=-112",
            "phy_rx_mbps=520",
            "phy_tx_mbps=585",
            "remote_rsl_dbm=-57",
            "rsl_chain0_dbm=-60",
            "rsl_chain1_dbm=-61",
            "rsl_dbm=-58",
            "snr_db=(sentinel)",
            "throughput_rx_mbps=(not offered)",
            "throughput_tx_mbps=(not offered)",
        ],
    );
    let (polled, _) = poll_as(&fixture, sector(&["020000000051"])).await;
    let tags: Vec<_> = polled.radios.iter().map(|r| r.tag.as_str()).collect();
    assert_eq!(tags, ["020000000051", "sector"]);
    let polled = poll(&without(&fixture, "@mt.1.2.1.")).await;
    assert_eq!(polled.radios[0].reading("link_up_flag"), Some(Reading::value(0.0)));
}

#[tokio::test]
async fn mikrotik_power_by_scalars_and_by_gauges() {
    let old = poll(&format!("{ROUTEROS}@mt.3.8.0 int 237\n@mt.3.10.0 int 330\n@mt.3.12.0 int 0\n")).await;
    let expected = [
        ("supply_volts", Reading::value(23.7)),
        ("supply_watts", Reading::Missing(Missing::Sentinel)),
        ("temperature_celsius", Reading::value(33.0)),
    ];
    assert_eq!(old.power, expected.into());
    let gauges = "
        @g = 1.3.6.1.4.1.14988.1.1.3.100.1
        @g.2.13 str cpu-temperature
        @g.3.13 int 61
        @g.4.13 int 1
        @g.2.14 str board-temperature1
        @g.3.14 int 38
        @g.4.14 int 1
        @g.2.15 str psu1-voltage
        @g.3.15 int 241
        @g.4.15 int 3
        @g.2.16 str psu2-voltage
        @g.3.16 int 0
        @g.4.16 int 3
        @g.2.17 str fan1-speed
        @g.3.17 int 4000
        @g.4.17 int 2
    ";
    let new = poll(&format!("{ROUTEROS}{gauges}")).await;
    let expected = [("supply_volts", Reading::value(24.1)), ("temperature_celsius", Reading::value(38.0))];
    assert_eq!(new.power, expected.into());
}

#[tokio::test]
async fn anything_else_is_read_by_its_interfaces() {
    let polled = poll("1.3.6.1.2.1.1.1.0 str Switch 8 ports\n1.3.6.1.2.1.1.2.0 oid 1.3.6.1.4.1.99999.3\n").await;
    assert_eq!(polled.identity.family.profile, "generic");
    assert!(polled.identity.why.contains("no family known"));
    assert!(polled.radios.is_empty());
    let polled = poll("1.3.6.1.2.1.1.2.0 oid 1.3.6.1.4.1.10002.1\n").await;
    assert_eq!(polled.identity.family.profile, "generic", "of all who share this sysObjectID, none has answered");
    let polled = poll("1.3.6.1.2.1.1.2.0 oid 1.3.6.1.4.1.41112.1.4\n").await;
    assert_eq!(polled.identity.family.profile, "ubiquiti-airmax");
    let forced = Manner { family: super::family("mikrotik"), ..Manner::default() };
    let (polled, _) = poll_as(AF60, forced).await;
    assert_eq!((polled.identity.family.profile, polled.identity.why.as_str()), ("mikrotik", "the inventory says so"));
}

#[test]
fn the_gate_knows_what_cannot_be() {
    let gated = |field: &'static str, value: f64| {
        let mut radio = Radio::new(ONLY_RADIO);
        radio.set(field, Reading::value(value));
        gate(&ubiquiti_airmax::FAMILY, &mut radio);
        radio.reading(field).unwrap().get().is_some()
    };
    for (field, fine, nonsense) in [
        ("capacity_tx_mbps", 450.0, 871.0),
        ("phy_rx_mbps", 866.7, 4294.967),
        ("rsl_dbm", -65.0, 0.0),
        ("rsl_dbm", -94.0, -128.0),
        ("remote_rsl_dbm", -65.0, -199.0),
        ("noise_floor_dbm", -101.0, 0.0),
        ("snr_db", 31.0, 255.0),
        ("tx_power_dbm", 24.0, 58.0),
        ("ccq_tx_percent", 99.0, 991.0),
        ("airtime_percent", 0.0, -1.0),
        ("distance_meters", 14_400.0, 4_294_967_295.0),
    ] {
        assert!(gated(field, fine), "{field} {fine}");
        assert!(!gated(field, nonsense), "{field} {nonsense}");
    }
}

mod any_answer {
    use super::*;
    use proptest::prelude::*;

    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![
            any::<i32>().prop_map(Value::Integer),
            any::<u32>().prop_map(Value::Gauge32),
            any::<u32>().prop_map(Value::Counter32),
            any::<u64>().prop_map(Value::Counter64),
            prop::collection::vec(any::<u8>(), 0..12).prop_map(Value::Bytes),
            Just(Value::NoSuchObject),
            Just(Value::NoSuchInstance),
            Just(Value::EndOfMib),
            Just(Value::Other),
        ]
    }

    proptest! {
        /// Whatever a device answers to whatever a family asks, the decoder gives finite readings of the catalogue.
        #[test]
        fn no_decoder_is_upset(
            family in prop::sample::select(PROFILES.to_vec()),
            index in prop::collection::vec(0u32..300, 0..9),
            rows in 0usize..4,
            sector in any::<bool>(),
            values in prop::collection::vec(value(), 1..40),
        ) {
            let mut known = Rows::default();
            for table in family.tables {
                let row = |i: usize| Row {
                    index: index.iter().copied().chain([i as u32]).collect(),
                    value: values[i % values.len()].clone(),
                };
                known.set(table.name, (0..rows).map(row).collect());
            }
            let peers = BTreeSet::from(["020000000011".to_owned()]);
            let scope = Scope { rows: &known, sector, peers: &peers, everybody: false };
            let mut answers = Answers::default();
            for (i, oid) in (family.requests)(&scope).into_iter().enumerate() {
                answers.insert(oid, values[i % values.len()].clone());
            }
            let decoded = family.read(&answers, &scope);
            let _ = (family.decode_info)(&answers, &known);
            for radio in &decoded.radios {
                for (field, reading) in &radio.readings {
                    prop_assert!(crate::catalogue::RADIO.field(field).is_some(), "{field}");
                    prop_assert!(reading.get().is_none_or(f64::is_finite));
                }
            }
            for field in decoded.power.keys() {
                prop_assert!(crate::catalogue::POWER.field(field).is_some(), "{field}");
            }
        }
    }
}
