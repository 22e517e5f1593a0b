//! Cambium PTP 250, 500, 600, 650, 670 and 800, by CAMBIUM-PTPnnn-MIB (1.3.6.1.4.1.17713.n): the same figures under
//! other numbers, so each is a row of [`MODELS`] and a family of its own, verified or not by itself.
//!
//! The MIBs call the data rates an average over the last second; they are what the link can carry (a PTP 670 answers
//! the same 161340 kbps both ways, and ifHighSpeed of its wireless interface, 323 Mbps, is their sum).

use super::{
    Checked, Decoded, Family, IF_TYPE, Info, ONLY_RADIO, ObjectId, Octets, Radio, Rows, SYS_DESCR, Scope, Table, gate,
    interfaces, reported, unless,
};
use crate::model::network::Duplex;
use crate::model::{Missing, Provenance, Reading};
use crate::probe::value::{Answers, Oid};

/// One model's numbers. An object is written without the base and the trailing 0.
struct Model {
    name: &'static str,
    base: &'static [u32],
    /// Tenths of dBm.
    rx_power: &'static [u32],
    tx_power: &'static [u32],
    /// Tenths of dB.
    vector_error: &'static [u32],
    tx_frequency: &'static [u32],
    /// MHz for one of its units.
    frequency_scale: f64,
    rates: [&'static [u32]; 2],
    /// What a rate counts.
    rate_unit: RateUnit,
    modulations: [&'static [u32]; 2],
    /// Tenths of a kilometre.
    range: Option<&'static [u32]>,
    status: &'static [u32],
    /// Its value of a link that is up; any other is down.
    up: f64,
}

#[derive(Clone, Copy, PartialEq)]
enum RateUnit {
    Kbps,
    /// The MIB says tenths of Mbps, others read kbps. See [`Model::rate`].
    TenthsOrKbps,
}

const MODELS: [Model; 6] = [
    Model {
        name: "PTP 250",
        base: &[1, 3, 6, 1, 4, 1, 17713, 250],
        rx_power: &[5, 1],
        tx_power: &[5, 3],
        vector_error: &[5, 2],
        tx_frequency: &[5, 11],
        frequency_scale: 1.0,
        rates: [&[11, 2], &[11, 1]],
        rate_unit: RateUnit::TenthsOrKbps,
        modulations: [&[5, 9], &[5, 8]],
        range: None,
        status: &[11, 4],
        up: 1.0,
    },
    older("PTP 500", &[1, 3, 6, 1, 4, 1, 17713, 5]),
    older("PTP 600", &[1, 3, 6, 1, 4, 1, 17713, 6]),
    newer("PTP 650", &[1, 3, 6, 1, 4, 1, 17713, 7]),
    newer("PTP 670", &[1, 3, 6, 1, 4, 1, 17713, 11]),
    older("PTP 800", &[1, 3, 6, 1, 4, 1, 17713, 8]),
];

const fn older(name: &'static str, base: &'static [u32]) -> Model {
    Model {
        name,
        base,
        rx_power: &[12, 1],
        tx_power: &[12, 3],
        vector_error: &[12, 2],
        tx_frequency: &[12, 15],
        frequency_scale: 1e-3,
        rates: [&[20, 2], &[20, 1]],
        rate_unit: RateUnit::Kbps,
        modulations: [&[12, 9], &[12, 8]],
        range: Some(&[12, 4]),
        status: &[20, 5],
        up: 0.0,
    }
}

const fn newer(name: &'static str, base: &'static [u32]) -> Model {
    Model {
        // The raw level: 12.2 is a filtered one, which lags behind.
        rx_power: &[12, 12],
        tx_power: &[12, 4],
        vector_error: &[12, 3],
        tx_frequency: &[12, 11],
        modulations: [&[12, 15], &[12, 14]],
        range: Some(&[12, 13]),
        ..older(name, base)
    }
}

pub static PTP250: Family = Family {
    profile: "cambium-ptp250",
    title: "Cambium PTP 250",
    capacity_max_mbps: 256.0,
    capacity_max_source: "Cambium's published 256 Mbps, both directions together",
    channel: None,
    capacity_from: "the data rates; their MIB says tenths of Mbps and others read kbps: by their size they are one \
                    or the other",
    object_ids: &[ObjectId::Is(&[1, 3, 6, 1, 4, 1, 17713, 250])],
    ..family::<0>()
};
pub static PTP500: Family = Family {
    profile: "cambium-ptp500",
    title: "Cambium PTP 500",
    capacity_max_mbps: 105.0,
    capacity_max_source: "Cambium's published 105 Mbps, both directions together",
    object_ids: &[ObjectId::Is(&[1, 3, 6, 1, 4, 1, 17713, 5])],
    ..family::<1>()
};
pub static PTP600: Family = Family {
    profile: "cambium-ptp600",
    title: "Cambium PTP 600",
    capacity_max_mbps: 300.0,
    capacity_max_source: "Cambium's published 300 Mbps, both directions together",
    object_ids: &[ObjectId::Is(&[1, 3, 6, 1, 4, 1, 17713, 6])],
    ..family::<2>()
};
pub static PTP650: Family = Family {
    profile: "cambium-ptp650",
    title: "Cambium PTP 650",
    object_ids: &[ObjectId::Is(&[1, 3, 6, 1, 4, 1, 17713, 7])],
    ..family::<3>()
};
pub static PTP670: Family = Family {
    profile: "cambium-ptp670",
    title: "Cambium PTP 670",
    checked: Checked::Recording,
    object_ids: &[ObjectId::Is(&[1, 3, 6, 1, 4, 1, 17713, 11])],
    ..family::<4>()
};
pub static PTP800: Family = Family {
    profile: "cambium-ptp800",
    title: "Cambium PTP 800",
    duplex: Duplex::Full,
    capacity_max_mbps: 370.0,
    capacity_max_source: "Cambium's published 368 Mbps each way",
    object_ids: &[ObjectId::Is(&[1, 3, 6, 1, 4, 1, 17713, 8])],
    ..family::<5>()
};

/// What the families have in common; `M` is the model's place in [`MODELS`].
const fn family<const M: usize>() -> Family {
    Family {
        profile: "",
        title: "",
        checked: Checked::MibText,
        duplex: Duplex::Fixed,
        capacity_min_mbps: 0.1,
        capacity_max_mbps: 450.0,
        capacity_max_source: "Cambium's published 450 Mbps, both directions together",
        channel: None,
        capacity_from: "the transmit and receive data rates",
        object_ids: &[],
        shared_object_ids: &[],
        descrs: &[],
        asks: &[],
        tables: &[Table { name: INTERFACES, column: IF_TYPE, rows_max: 32 }],
        info: |_| vec![SYS_DESCR.into()],
        decode_info: |answers, _| Info {
            model: Some(MODELS[M].name.to_owned()),
            firmware: answers.text(&SYS_DESCR.into()).ok().and_then(|text| version(&text)),
        },
        requests: |scope| MODELS[M].requests(scope.rows),
        decode: |answers, scope| MODELS[M].decode(FAMILIES[M], answers, scope),
    }
}

static FAMILIES: [&Family; MODELS.len()] = [&PTP250, &PTP500, &PTP600, &PTP650, &PTP670, &PTP800];

const INTERFACES: &str = "interfaces";
/// propWirelessP2P (IANAifType-MIB): the "wireless interface".
const WIRELESS: i32 = 157;
/// ifHCInOctets and ifHCOutOctets (RFC 2863).
const HC_IN: &[u32] = &[1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 6];
const HC_OUT: &[u32] = &[1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 10];

const CAPACITIES: [&str; 2] = ["capacity_tx_mbps", "capacity_rx_mbps"];
const LINK_FIELDS: [&str; 7] =
    ["capacity_tx_mbps", "capacity_rx_mbps", "rsl_dbm", "mse_db", "mcs_tx_index", "mcs_rx_index", "distance_meters"];

/// `Cambium PTP 50670 PTP Wireless Ethernet Bridge, Version 50670-02-00`
fn version(descr: &str) -> Option<String> {
    descr.split_once(", Version ").map(|(_, version)| version.trim_end_matches('"').to_owned())
}

fn octets(rows: &Rows) -> Option<[Oid; 2]> {
    let row = interfaces(rows.of(INTERFACES), WIRELESS).next()?;
    Some([Oid::of(HC_OUT, &row.index), Oid::of(HC_IN, &row.index)])
}

impl Model {
    fn object(&self, rest: &[u32]) -> Oid {
        Oid::of(&[self.base, rest].concat(), &[0])
    }

    fn requests(&self, rows: &Rows) -> Vec<Oid> {
        let mut objects = vec![self.rx_power, self.tx_power, self.vector_error, self.tx_frequency, self.status];
        objects.extend(self.rates);
        objects.extend(self.modulations);
        objects.extend(self.range);
        let objects = objects.into_iter().map(|rest| self.object(rest));
        objects.chain(octets(rows).into_iter().flatten()).collect()
    }

    fn decode(&self, family: &Family, answers: &Answers, scope: &Scope<'_>) -> Decoded {
        let read = |rest, scale| answers.reading(&self.object(rest), scale);
        let mut radio = Radio::new(ONLY_RADIO);
        match answers.number(&self.object(self.status)) {
            Ok(status) if status != self.up => radio = radio.down(&LINK_FIELDS),
            state => {
                radio.set("link_up_flag", state.map_or_else(Reading::Missing, |_| Reading::value(1.0)));
                radio.set("rsl_dbm", unless(read(self.rx_power, 0.1), &[0.0]));
                radio.set("mse_db", read(self.vector_error, 0.1));
                for (field, rate) in CAPACITIES.into_iter().zip(self.rates) {
                    radio.set(field, self.rate(answers, rate));
                }
                for (field, modulation) in ["mcs_tx_index", "mcs_rx_index"].into_iter().zip(self.modulations) {
                    radio.set(field, read(modulation, 1.0));
                }
                if let Some(range) = self.range {
                    radio.set("distance_meters", unless(read(range, 100.0), &[0.0]));
                }
                if let Some([tx, rx]) = octets(scope.rows) {
                    radio.octets = Some(Octets { tx: answers.counter(&tx), rx: answers.counter(&rx) });
                }
            }
        }
        radio.set("tx_power_dbm", read(self.tx_power, 0.1));
        radio.set("channel_mhz", unless(read(self.tx_frequency, self.frequency_scale), &[0.0]));
        gate(family, &mut radio);
        Decoded { radios: vec![radio], ..Decoded::default() }
    }

    /// A data rate. Tenths of Mbps of a PTP 250 end at 2560, and its lowest rate in kbps is well above that.
    fn rate(&self, answers: &Answers, object: &[u32]) -> Reading {
        let kbps = reported(answers, &self.object(object), 1e-3);
        match kbps.get() {
            Some(mbps) if self.rate_unit == RateUnit::TenthsOrKbps => match mbps {
                ..=2.56 => Reading::known(mbps * 100.0, Provenance::Reported),
                4.0.. => kbps,
                _ => Reading::Missing(Missing::Implausible),
            },
            _ => kbps,
        }
    }
}
