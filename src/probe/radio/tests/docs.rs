//! `docs/radios.md` is what the families say of themselves, and what their decoders make of answers of every kind.
//! `VEDETTA_BLESS=1 cargo test --lib page_of_radios` writes it anew.

use std::fmt::Write as _;

use super::*;

const INTRODUCTION: &str = "\
<!-- Generated from src/probe/radio: VEDETTA_BLESS=1 cargo test --lib page_of_radios -->

# Radios

Every family that vedetta reads, in the order in which they are tried. A family of your own: [adding a
radio](adding-a-radio.md). What the names of the figures mean: [metrics](metrics.md).

- **Verified**: a recording of a real device, with its capacity and its signal level in it, is read right. The figures
  of an unverified family are shown, and open no capacity incident unless the inventory says `trust = true`.
- **Reported**: the radio says itself what it can carry. **Derived**: made from its modulation rate, by a stated factor.
- A capacity outside its bounds on a link that is up is *implausible*, which is no value. Each bound has its source
  below. Those that name a maker's published figure are from our knowledge of its data sheets and have not been compared
  with them again; those by a standard, by the highest value that a MIB names, or computed from width and modulation can
  be checked as they stand. They are generous on purpose: a bound only has to catch a wrong unit or a wrapped counter.
- The factor of a derived capacity is Ubiquiti's own for airMAX (by its data sheets); where it says \"an engineering
  figure of this project\" nobody has measured it.
- Known, and read as `generic` (its Ethernet ports alone): Proxim Tsunami, whose published tables have no index that we
  could confirm; Deliberant of other trees, sub10, Vubiq, BreezeNET and Tranzeo, of which no object is known. SIAE has
  alarms of its power supplies in its MIB, and no voltage.
- Every device has, besides, its Ethernet ports by IF-MIB and its uptime.
- Where a radio tells its channel width, a ceiling follows from that: width in MHz, times bits of a symbol, times
  polarisations or streams, times 84/64 for radios that count the framing of Ethernet.
- A device with several radios has one under each of their names, which `vedetta probe` shows (`#105`, `modem1`,
  `wlan0`): a link says which is its own by `near_radio` or `far_radio` in the [inventory](inventory.md).
- An access point has one radio under the MAC address of each peer that is ours, and `sector` for itself. Two families
  tell no addresses of their peers: MultiHaul and RADWIN. There a link names its radio by `near_radio`, as above.
- Newer firmware of AF60 and Wave is said to answer its capacity as 1.3.6.1.4.1.41112.1.11.2.3.1.9 and .10 in place of
  1.3.6.1.4.1.41112.1.11.1.3.1.7 and .8. No published text and no recording has it. It is read where the known columns
  are not there: the peer by a MAC address in the index, the unit (bps, kbps or Mbps) by the size, for between 20 and
  5400 Mbps the three do not meet. A recording of one would settle it.
";

/// Answers of every kind: states, levels, rates in all units, texts, addresses.
fn kinds() -> Vec<Value> {
    let numbers =
        [0, 1, 2, 3, 6, 10, 24, 39, 50, 71, 157, 188, 300, 1613, 5180, 20_000, 161_340, 5_480_000, 300_000_000];
    let negative = [-5, -11, -55, -92, -550];
    let texts = ["-60.5", "50", "300", "5180", "5745/20-Ce/an", "main", "REGISTERED", "up", "temperature", "8X"];
    let integers = numbers.into_iter().chain(negative).map(Value::Integer);
    let texts = texts.into_iter().map(|text| Value::Bytes(text.as_bytes().to_vec()));
    integers.chain(texts).chain([Value::Bytes(vec![2, 0, 0, 0, 0, 17]), Value::NoSuchInstance]).collect()
}

/// The same at each run (SplitMix64, Steele, Lea and Flood 2014).
fn scattered(round: u64, i: u64) -> u64 {
    let mut z = (round << 32 ^ i).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// What a family yields: fields that its decoder sets but as "not measured" or "link down", and the provenance of its
/// capacity.
fn yields(family: &Family) -> (BTreeSet<&'static str>, BTreeSet<&'static str>) {
    let tells = |r: &Reading| !matches!(r.missing(), Some(Missing::NotMeasured | Missing::LinkDown));
    let (mut fields, mut provenance) = (BTreeSet::new(), BTreeSet::new());
    let kinds = kinds();
    let peers = BTreeSet::from(["020000000011".to_owned()]);
    for round in 0..2000u64 {
        // Every question has another answer in every round, and other tables have rows.
        let at = |i: usize| kinds[scattered(round, i as u64) as usize % kinds.len()].clone();
        let (sector, subset) = (round % 2 == 1, scattered(round, u64::MAX));
        let mut rows = Rows::default();
        for (i, table) in family.tables.iter().enumerate().filter(|(i, _)| subset >> i & 1 == 1) {
            let index = if sector { vec![2, 0, 0, 0, 0, 17, 1] } else { vec![1, 2, 0, 0, 0, 0, 17] };
            rows.set(table.name, vec![Row { index, value: at(i) }]);
        }
        let scope = Scope { rows: &rows, sector, peers: &peers, everybody: false };
        let mut answers = Answers::default();
        for (i, oid) in (family.requests)(&scope).into_iter().enumerate() {
            answers.insert(oid, at(i));
        }
        let decoded = family.read(&answers, &scope);
        for radio in &decoded.radios {
            fields.extend(radio.readings.iter().filter(|(_, r)| tells(r)).map(|(field, _)| *field));
            fields.extend(radio.modulation.iter().map(|_| "modulation"));
            fields.extend(radio.octets.iter().flat_map(|_| ["throughput_rx_mbps", "throughput_tx_mbps"]));
            for reading in radio.readings.values() {
                if let Reading::Value { from: Some(from), .. } = reading {
                    provenance.insert(from.as_str());
                }
            }
        }
        fields.extend(decoded.power.iter().filter(|(_, r)| tells(r)).map(|(field, _)| *field));
    }
    add_fixtures(family, &mut fields, &mut provenance);
    (fields, provenance)
}

/// What the family's fixtures show besides: rows that only their names join are not met by chance.
fn add_fixtures(family: &Family, fields: &mut BTreeSet<&'static str>, provenance: &mut BTreeSet<&'static str>) {
    let profile = format!("profile {}\n", family.profile);
    for path in super::files::fixtures() {
        let text = std::fs::read_to_string(path).unwrap();
        let Some(shown) = text.split_once("---\n").map(|(_, shown)| shown).filter(|s| s.starts_with(&profile)) else {
            continue;
        };
        for (field, value) in shown.lines().filter_map(|line| line.trim().split_once('=')) {
            let field = field.trim_start_matches("power ");
            let known = crate::catalogue::RADIO.field(field).or(crate::catalogue::POWER.field(field));
            fields.extend(known.filter(|_| !value.starts_with('(')).map(|f| f.name));
            provenance.extend(Provenance::ALL.map(Provenance::as_str).into_iter().filter(|from| value.ends_with(from)));
        }
    }
}

fn joined<'a>(parts: impl IntoIterator<Item = &'a str>, none: &str) -> String {
    let text = parts.into_iter().collect::<Vec<_>>().join(", ");
    if text.is_empty() { none.to_owned() } else { text }
}

/// What a family yields, in a few words.
fn in_short(fields: &BTreeSet<&'static str>) -> String {
    let kinds = [
        ("capacity", "capacity_"),
        ("level", "rsl_dbm"),
        ("noise or quality", "snr_db"),
        ("noise or quality", "cinr_db"),
        ("noise or quality", "mse_db"),
        ("noise or quality", "sinr_db"),
        ("modulation", "modulation"),
        ("modulation", "mcs_"),
        ("sent power", "tx_power_dbm"),
        ("channel", "channel_"),
        ("distance", "distance_"),
        ("air time", "airtime_"),
        ("link state", "link_up_"),
        ("peers", "peers_count"),
        ("throughput", "throughput_"),
        ("errors", "errors_"),
        ("standby", "on_standby_"),
        ("temperature", "temperature_"),
        ("supply", "supply_"),
        ("battery", "battery_"),
    ];
    let mut found: Vec<&str> =
        kinds.iter().filter(|(_, part)| fields.iter().any(|f| f.contains(part))).map(|(kind, _)| *kind).collect();
    found.dedup();
    joined(found, "interfaces alone")
}

fn identified(family: &Family) -> String {
    let id = |id: &ObjectId| match id {
        ObjectId::Is(arcs) => format!("`{}`", Oid::from(*arcs)),
        ObjectId::Under(arcs) => format!("`{}.*`", Oid::from(*arcs)),
    };
    let descr = |descr: &Descr| match descr {
        Descr::Is(text) => format!("is \"{text}\""),
        Descr::Begins(text) => format!("begins with \"{text}\""),
        Descr::Contains(text) => format!("contains \"{text}\""),
    };
    let ids = |ids: &[ObjectId]| ids.iter().map(id).collect::<Vec<_>>().join(", ");
    let mut ways = Vec::new();
    if !family.object_ids.is_empty() {
        ways.push(format!("sysObjectID {}", ids(family.object_ids)));
    }
    let mut marks: Vec<String> = family.descrs.iter().map(|d| format!("sysDescr {}", descr(d))).collect();
    marks.extend(family.asks.iter().map(|ask| format!("`{}` answers", Oid::from(*ask))));
    let marks = marks.join(" or ");
    if !family.shared_object_ids.is_empty() {
        ways.push(format!("sysObjectID {}, which others have too, and {marks}", ids(family.shared_object_ids)));
    } else if !marks.is_empty() {
        ways.push(marks);
    }
    if ways.is_empty() { "whatever is left".to_owned() } else { ways.join("; or ") }
}

fn page() -> Result<String, std::fmt::Error> {
    let mut out = INTRODUCTION.to_owned();
    let mut details = String::new();
    writeln!(out, "\n| profile | family | yields | capacity | how it was checked | |\n|---|---|---|---|---|---|")?;
    for family in PROFILES {
        let (fields, provenance) = yields(family);
        let checked = match family.checked {
            Checked::Recording => "recording of a real device",
            Checked::MibText => "MIB text and simulated answers",
        };
        let verified = if family.verified() { "verified" } else { "unverified" };
        let capacity = joined(provenance, "none");
        let kinds = in_short(&fields);
        writeln!(out, "| `{}` | {} | {kinds} | {capacity} | {checked} | {verified} |", family.profile, family.title)?;
        let fields: Vec<String> = fields.into_iter().map(|field| format!("`{field}`")).collect();
        writeln!(details, "\n## `{}`: {}\n", family.profile, family.title)?;
        writeln!(details, "- Identified by: {}.", identified(family))?;
        writeln!(details, "- Yields: {}.", joined(fields.iter().map(String::as_str), "no figure of a radio"))?;
        writeln!(details, "- Capacity ({capacity}): {}.", family.capacity_from)?;
        let (min, max, source) = (family.capacity_min_mbps, family.capacity_max_mbps, family.capacity_max_source);
        writeln!(details, "- Plausible from {min} to {max} Mbps: {source}.")?;
        if let Some(Channel { bits_max, streams_max, source }) = family.channel {
            writeln!(details, "- And by its channel: {bits_max} bits of a symbol, {streams_max} streams ({source}).")?;
        }
        writeln!(details, "- {}: {checked}.", if family.verified() { "Verified" } else { "Unverified" })?;
    }
    Ok(out + &details)
}

#[test]
fn the_page_of_radios_is_what_the_families_say() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/radios.md");
    let expected = page().unwrap();
    if std::env::var_os("VEDETTA_BLESS").is_some() {
        std::fs::write(&path, &expected).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "docs/radios.md is out of date: VEDETTA_BLESS=1 cargo test --lib page_of_radios");
}
