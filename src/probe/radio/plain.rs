//! Radios of which little is known: each figure is one object with its scale, and no more is said of them. A family
//! here is a row of [`MODELS`].
//!
//! None is verified. What is left out is what no source is sure of: rates without a unit, tables without an index.

use super::carriers::up;
use super::{Checked, Decoded, Family, Info, ONLY_RADIO, ObjectId, Radio, Rows, SYS_DESCR, Scope, Table, gate, unless};
use crate::model::network::Duplex;
use crate::model::{Missing, Provenance, Reading};
use crate::probe::snmp::Row;
use crate::probe::value::{Answers, Oid};

/// One line of products.
struct Model {
    /// Its radios; a device has one of them.
    places: &'static [Place],
    figures: &'static [Figure],
    /// The object that says whether there is a link, and which of its values say so.
    state: Option<State>,
}

/// An object, and whether a value of it means that there is a link.
type State = (&'static [u32], fn(f64) -> bool);

/// Where radios are found.
enum Place {
    /// One radio, its objects under this base.
    Scalars(&'static [u32]),
    /// A radio a row: the table that finds them, and the entry that columns are under.
    Rows(&'static str, &'static [u32]),
}

struct Figure {
    field: &'static str,
    /// Under the place: a column, or the rest of an object.
    object: &'static [u32],
    scale: f64,
    /// Values that say "none".
    none: &'static [f64],
}

const fn figure(field: &'static str, object: &'static [u32], scale: f64, none: &'static [f64]) -> Figure {
    Figure { field, object, scale, none }
}

/// The number of a channel of IEEE 802.11 in place of its frequency.
const CHANNEL_NUMBER: &str = "channel number";

static MODELS: [Model; 7] = [
    // 4RF Aprisa XE: level in tenths, SNR in hundredths, frequency in Hz.
    Model {
        places: &[Place::Scalars(&[1, 3, 6, 1, 4, 1, 14817, 7, 3, 1, 2])],
        figures: &[
            figure("rsl_dbm", &[51, 6, 0], 0.1, &[0.0]),
            figure("snr_db", &[6, 3, 0], 0.01, &[]),
            figure("tx_power_dbm", &[36, 8, 0], 1.0, &[]),
            figure("channel_mhz", &[36, 7, 0], 1e-6, &[0.0]),
            figure("errors_rx_total", &[6, 2, 0], 1.0, &[]),
        ],
        state: None,
    },
    // Exalt: aggregate throughput as a text in Mbps, of both directions; frequency in kHz, transmit power in tenths.
    Model {
        places: &[Place::Scalars(&[1, 3, 6, 1, 4, 1, 25651, 1, 2])],
        figures: &[
            figure("capacity_tx_mbps", &[4, 5, 1, 0], 1.0, &[0.0]),
            figure("capacity_rx_mbps", &[4, 5, 1, 0], 1.0, &[0.0]),
            figure("rsl_dbm", &[4, 3, 1, 3, 0], 1.0, &[0.0]),
            figure("tx_power_dbm", &[3, 1, 57, 1, 0], 0.1, &[]),
            figure("channel_mhz", &[3, 1, 57, 4, 0], 1e-3, &[0.0]),
        ],
        // 0 normal, 1 minor alarm, 2 no link.
        state: Some((&[4, 2, 3, 1, 1, 0], |state| state == 0.0 || state == 1.0)),
    },
    // BATS: texts, and what they are while it scans.
    Model {
        places: &[Place::Scalars(&[1, 3, 6, 1, 4, 1, 37069, 1, 2])],
        figures: &[figure("rsl_dbm", &[4, 3, 0], 1.0, &[0.0, -160.0]), figure("snr_db", &[5, 3, 0], 1.0, &[-130.0])],
        state: None,
    },
    // Microwave Networks Proteus MX. Its rate has no unit that is published: 106 stands beside the profile
    // "32QAM-106" of a 6 GHz radio, which can only be Mbps.
    Model {
        places: &[Place::Rows("radios", &[1, 3, 6, 1, 4, 1, 3323, 13, 1, 4, 1, 1])],
        figures: &[
            figure("rsl_dbm", &[3], 1.0, &[0.0, -99.0]),
            figure("tx_power_dbm", &[2], 1.0, &[]),
            figure("snr_db", &[13], 1.0, &[]),
            figure("capacity_rx_mbps", &[17], 1.0, &[0.0]),
        ],
        state: None,
    },
    // WIS: laid out as UBNT-AirMAX-MIB. The unit of its rates is not known.
    Model {
        places: &[Place::Scalars(&[1, 3, 6, 1, 4, 1, 62821, 1, 4])],
        figures: &[
            figure("rsl_dbm", &[3, 1, 5, 1], 1.0, &[0.0]),
            figure("noise_floor_dbm", &[3, 1, 8, 1], 1.0, &[0.0]),
            figure("tx_power_dbm", &[1, 1, 6, 1], 1.0, &[]),
            figure("channel_mhz", &[1, 1, 4, 1], 1.0, &[0.0]),
        ],
        // Its stations. Without one its signal is its noise.
        state: Some((&[3, 1, 15, 1], |stations| stations > 0.0)),
    },
    // LANCOM LCOS and LCOS LX.
    Model {
        places: &[
            Place::Rows("lcos", &[1, 3, 6, 1, 4, 1, 2356, 11, 1, 3, 57, 1]),
            Place::Rows("lcos lx", &[1, 3, 6, 1, 4, 1, 2356, 13, 1, 3, 57, 1]),
        ],
        figures: &[
            figure(CHANNEL_NUMBER, &[3], 1.0, &[0.0]),
            figure("noise_floor_dbm", &[5], 1.0, &[0.0]),
            figure("airtime_percent", &[6], 1.0, &[]),
            figure("tx_power_dbm", &[7], 1.0, &[]),
        ],
        state: None,
    },
    // Albentia: width is a text.
    Model {
        places: &[Place::Rows("sectors", &[1, 3, 6, 1, 4, 1, 28087, 12, 10, 10, 5, 1])],
        figures: &[
            figure("tx_power_dbm", &[6], 1.0, &[]),
            figure("channel_mhz", &[13], 1.0, &[0.0]),
            figure("channel_width_mhz", &[3], 1.0, &[0.0]),
        ],
        state: None,
    },
];

const LICENSED: &str = "112 MHz, the widest channel below 57 GHz (ETSI EN 302 217-2), at 12 bits a symbol (4096QAM)";

pub static APRISA: Family = Family {
    profile: "aprisa-xe",
    title: "4RF Aprisa XE",
    object_ids: &[ObjectId::Under(&[1, 3, 6, 1, 4, 1, 14817, 7, 3])],
    ..family::<0>()
};
pub static EXALT: Family = Family {
    profile: "exalt",
    title: "Exalt ExtendAir",
    duplex: Duplex::Shared,
    capacity_max_mbps: 1344.0,
    capacity_max_source: LICENSED,
    capacity_from: "the aggregate throughput 1.2.4.5.1, a text in Mbps, of both directions together",
    object_ids: &[ObjectId::Under(&[1, 3, 6, 1, 4, 1, 25651, 1])],
    ..family::<1>()
};
pub static BATS: Family = Family {
    profile: "bats",
    title: "BATS antenna tracker",
    object_ids: &[ObjectId::Under(&[1, 3, 6, 1, 4, 1, 37069])],
    ..family::<2>()
};
pub static PROTEUS: Family = Family {
    profile: "mni-proteus",
    title: "Microwave Networks Proteus MX",
    capacity_max_mbps: 1344.0,
    capacity_max_source: LICENSED,
    capacity_from: "the rate in column 17, taken for Mbps, of what is received; the other end tells the other direction",
    object_ids: &[ObjectId::Under(&[1, 3, 6, 1, 4, 1, 3323, 11, 1])],
    tables: &[Table { name: "radios", column: &[1, 3, 6, 1, 4, 1, 3323, 13, 1, 4, 1, 1, 3], rows_max: RADIOS_MAX }],
    ..family::<3>()
};
pub static WIS: Family = Family {
    profile: "wis-bridge",
    title: "WIS wireless bridge",
    duplex: Duplex::Shared,
    object_ids: &[ObjectId::Under(&[1, 3, 6, 1, 4, 1, 62821, 1, 4])],
    ..family::<4>()
};
pub static LANCOM: Family = Family {
    profile: "lancom",
    title: "LANCOM LCOS, LCOS LX",
    duplex: Duplex::Shared,
    object_ids: &[ObjectId::Under(&[1, 3, 6, 1, 4, 1, 2356, 11, 8]), ObjectId::Under(&[1, 3, 6, 1, 4, 1, 2356, 13, 8])],
    tables: &[
        Table { name: "lcos", column: &[1, 3, 6, 1, 4, 1, 2356, 11, 1, 3, 57, 1, 3], rows_max: RADIOS_MAX },
        Table { name: "lcos lx", column: &[1, 3, 6, 1, 4, 1, 2356, 13, 1, 3, 57, 1, 3], rows_max: RADIOS_MAX },
    ],
    ..family::<5>()
};
pub static ALBENTIA: Family = Family {
    profile: "albentia",
    title: "Albentia base station",
    duplex: Duplex::Shared,
    object_ids: &[ObjectId::Under(&[1, 3, 6, 1, 4, 1, 28087, 12, 10])],
    tables: &[Table {
        name: "sectors",
        column: &[1, 3, 6, 1, 4, 1, 28087, 12, 10, 10, 5, 1, 13],
        rows_max: RADIOS_MAX,
    }],
    ..family::<6>()
};

static FAMILIES: [&Family; MODELS.len()] = [&APRISA, &EXALT, &BATS, &PROTEUS, &WIS, &LANCOM, &ALBENTIA];
const RADIOS_MAX: usize = 8;

/// What the families have in common; `M` is the model's place in [`MODELS`].
const fn family<const M: usize>() -> Family {
    Family {
        profile: "",
        title: "",
        checked: Checked::MibText,
        duplex: Duplex::Full,
        capacity_min_mbps: 0.1,
        capacity_max_mbps: 200.0,
        capacity_max_source: "no capacity is read from this family",
        channel: None,
        capacity_from: "none is offered",
        object_ids: &[],
        shared_object_ids: &[],
        descrs: &[],
        asks: &[],
        tables: &[],
        info: |_| vec![SYS_DESCR.into()],
        decode_info: |answers, _| Info { model: answers.text(&SYS_DESCR.into()).ok(), firmware: None },
        requests: |scope| MODELS[M].requests(scope.rows),
        decode: |answers, scope| MODELS[M].decode(FAMILIES[M], answers, scope),
    }
}

/// One radio: its tag, what its objects are under, and its row's index.
struct Found<'a> {
    tag: String,
    base: &'static [u32],
    index: &'a [u32],
}

impl Found<'_> {
    fn object(&self, rest: &[u32]) -> Oid {
        Oid::of(&[self.base, rest].concat(), self.index)
    }
}

/// A row's name, where its index spells one (its length, then its letters), else its number.
fn name(row: &Row) -> String {
    let letters = match row.index.split_first() {
        Some((length, letters)) if *length as usize == letters.len() => letters,
        _ => &[],
    };
    let text: Option<String> = letters.iter().map(|arc| u8::try_from(*arc).ok().map(char::from)).collect();
    match text.filter(|t| !t.is_empty() && t.chars().all(|c| c.is_ascii_graphic() || c == ' ')) {
        Some(text) => text,
        None => super::carriers::tag(row, true),
    }
}

/// The middle of a channel by its number at 2.4 and 5 GHz (IEEE Std 802.11-2020, 15.4.4.3 and 17.3.8.4), MHz.
fn middle_of_channel(number: f64) -> Option<f64> {
    match number {
        1.0..=13.0 => Some(2407.0 + 5.0 * number),
        14.0 => Some(2484.0),
        32.0..=177.0 => Some(5000.0 + 5.0 * number),
        _ => None,
    }
}

impl Model {
    fn radios<'a>(&self, rows: &'a Rows) -> Vec<Found<'a>> {
        let found = |place: &Place| match *place {
            Place::Scalars(base) => vec![Found { tag: ONLY_RADIO.to_owned(), base, index: &[] }],
            Place::Rows(table, base) => {
                let rows = rows.of(table);
                let tag = |row: &Row| if rows.len() == 1 { ONLY_RADIO.to_owned() } else { name(row) };
                rows.iter().map(|row| Found { tag: tag(row), base, index: &row.index }).collect()
            }
        };
        self.places.iter().flat_map(found).collect()
    }

    fn requests(&self, rows: &Rows) -> Vec<Oid> {
        let state = self.state.map(|(object, _)| object);
        let objects = || self.figures.iter().map(|figure| figure.object).chain(state);
        let mut oids: Vec<Oid> =
            self.radios(rows).iter().flat_map(|found| objects().map(|object| found.object(object))).collect();
        // Exalt tells both directions by one object.
        oids.dedup();
        oids
    }

    fn decode(&self, family: &Family, answers: &Answers, scope: &Scope<'_>) -> Decoded {
        let mut decoded = Decoded::default();
        for found in self.radios(scope.rows) {
            let mut radio = self.radio(answers, &found);
            gate(family, &mut radio);
            decoded.radios.push(radio);
        }
        decoded
    }

    fn radio(&self, answers: &Answers, found: &Found<'_>) -> Radio {
        let mut radio = Radio::new(found.tag.clone());
        let state = self.state.map(|(object, is_up)| (answers.number(&found.object(object)), is_up));
        let down = matches!(state, Some((Ok(state), is_up)) if !is_up(state));
        if down {
            radio = radio.down(&[]);
        } else {
            match state {
                Some((Ok(_), _)) => up(&mut radio),
                Some((Err(why), _)) => radio.set("link_up_flag", Reading::Missing(why)),
                None => radio.set("link_up_flag", Reading::Missing(Missing::NotOffered)),
            }
        }
        for figure in self.figures {
            let (field, reading) = figure.read(answers, found);
            let of_link = ["capacity_", "rsl_", "snr_"].iter().any(|part| field.starts_with(part));
            radio.set(field, if down && of_link { Reading::Missing(Missing::LinkDown) } else { reading });
        }
        radio
    }
}

impl Figure {
    fn read(&self, answers: &Answers, found: &Found<'_>) -> (&'static str, Reading) {
        let reading = unless(answers.decimal(&found.object(self.object), self.scale), self.none);
        match reading.get() {
            Some(number) if self.field == CHANNEL_NUMBER => {
                let middle = middle_of_channel(number).map_or(Reading::Missing(Missing::Malformed), Reading::value);
                ("channel_mhz", middle)
            }
            _ if self.field == CHANNEL_NUMBER => ("channel_mhz", reading),
            Some(mbps) if self.field.starts_with("capacity_") => {
                (self.field, Reading::known(mbps, Provenance::Reported))
            }
            _ => (self.field, reading),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, missing, poll};
    use super::*;

    #[test]
    fn channels_have_their_middle() {
        for (number, expected) in
            [(1.0, Some(2412.0)), (13.0, Some(2472.0)), (14.0, Some(2484.0)), (64.0, Some(5320.0)), (20.0, None)]
        {
            assert_eq!(middle_of_channel(number), expected, "{number}");
        }
    }

    #[test]
    fn a_row_is_called_as_its_index_spells() {
        let name = |index: &[u32]| name(&Row { index: index.to_vec(), value: crate::probe::value::Value::Integer(1) });
        assert_eq!(name(&[3, 102, 97, 114]), "far");
        assert_eq!(name(&[4, 102, 97, 114]), "#114");
        assert_eq!(name(&[2, 7, 300]), "#300");
        assert_eq!(name(&[2]), "#2");
    }

    #[tokio::test]
    async fn without_a_link_there_are_no_figures_of_one() {
        let device = "
            1.3.6.1.2.1.1.1.0 str ExtendAir
            1.3.6.1.2.1.1.2.0 oid 1.3.6.1.4.1.25651.1.2
            @x = 1.3.6.1.4.1.25651.1.2
            @x.4.5.1.0 str 98.5 Mbit/s
            @x.4.3.1.3.0 int -55
            @x.3.1.57.1.0 int 180
            @x.3.1.57.4.0 int 5740000
            @x.4.2.3.1.1.0 int 0
        ";
        let polled = poll(device).await;
        assert_eq!(polled.identity.family.profile, "exalt");
        let expected = [
            "capacity_rx_mbps=98.5 reported",
            "capacity_tx_mbps=98.5 reported",
            "channel_mhz=5740",
            "link_up_flag=1",
            "rsl_dbm=-55",
            "tx_power_dbm=18",
        ];
        check(&polled.radios[0], &expected);
        let radio = &poll(&device.replace("1.1.0 int 0", "1.1.0 int 2")).await.radios[0];
        assert!(radio.is_down());
        assert_eq!(radio.reading("capacity_tx_mbps"), Some(missing("link down")));
        assert_eq!(radio.reading("rsl_dbm"), Some(missing("link down")));
        assert_eq!(radio.reading("tx_power_dbm"), Some(Reading::value(18.0)));
    }
}
