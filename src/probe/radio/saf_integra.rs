//! SAF Tehnika Integra and Integra-W (SAF-INTEGRAB-MIB, SAF-INTEGRAW-MIB), licensed full duplex, and what Integra-E
//! shares with them: 1.3.6.1.4.1.7571.100.1.1.7 and the arc of the model, then 2 radio, 3 modem, 4 system.

use std::collections::BTreeMap;

use super::supply::note;
use super::{
    Checked, Decoded, Family, Info, ONLY_RADIO, ObjectId, Radio, SYS_DESCR, Scope, Table, gate, reported, unless,
};
use crate::model::Reading;
use crate::model::network::Duplex;
use crate::probe::value::{Answers, Oid};

pub static FAMILY: Family = Family {
    profile: "saf-integra",
    title: "SAF Integra, Integra-W",
    // What recordings there are of these two identify them and have no radio in them.
    checked: Checked::MibText,
    duplex: Duplex::Full,
    capacity_min_mbps: 1.0,
    capacity_max_mbps: 1344.0,
    capacity_max_source: "112 MHz, the widest channel below 57 GHz (ETSI EN 302 217-2), at 12 bits a symbol (4096QAM)",
    channel: None,
    capacity_from: "the capacities of the modem, objects 3.10 and 3.11 under the model",
    object_ids: &[ObjectId::Is(INTEGRA), ObjectId::Is(INTEGRA_W)],
    shared_object_ids: &[],
    descrs: &[],
    asks: &[],
    // Which of the two it is, by the received level that it has.
    tables: &[
        Table { name: "integra", column: &[1, 3, 6, 1, 4, 1, 7571, 100, 1, 1, 7, 1, 2, 3], rows_max: 1 },
        Table { name: "integra-w", column: &[1, 3, 6, 1, 4, 1, 7571, 100, 1, 1, 7, 2, 2, 3], rows_max: 1 },
    ],
    info: |_| vec![SYS_DESCR.into()],
    decode_info: |answers, _| info(answers),
    requests: |scope| model(scope).map_or(Vec::new(), |model| model.requests()),
    decode,
};

const INTEGRA: &[u32] = &[1, 3, 6, 1, 4, 1, 7571, 100, 1, 1, 7, 1];
const INTEGRA_W: &[u32] = &[1, 3, 6, 1, 4, 1, 7571, 100, 1, 1, 7, 2];

/// Where a model has what differs from one to the other.
#[derive(Debug)]
pub struct Model {
    pub base: &'static [u32],
    /// Objects of the modem: capacities (kbps), signal bandwidth (kHz), modulation of what it sends.
    pub rx_capacity: u32,
    pub tx_capacity: u32,
    pub bandwidth: Option<u32>,
    pub modulation: Option<u32>,
}

/// `acquireLocked` of the modem's acquire status; 1 is in progress, 3 has failed.
pub const LOCKED: f64 = 2.0;
/// Acquire status, transmit power (dBm), transmit frequency (kHz), received level (dBm), normalised MSE (0.1 dB).
const STATUS: [u32; 3] = [3, 1, 0];
const TX_POWER: [u32; 3] = [2, 1, 0];
const TX_FREQUENCY: [u32; 3] = [2, 2, 0];
const RX_LEVEL: [u32; 3] = [2, 3, 0];
const MSE: [u32; 3] = [3, 2, 0];
const LINK_FIELDS: [&str; 3] = ["capacity_tx_mbps", "capacity_rx_mbps", "mse_db"];
/// mV, mA, mW and tenths of a degree.
const SYSTEM: [(&str, u32, f64); 4] =
    [("supply_volts", 5, 1e-3), ("supply_amps", 6, 1e-3), ("supply_watts", 7, 1e-3), ("temperature_celsius", 2, 0.1)];

impl Model {
    fn modem(&self, object: u32) -> Oid {
        Oid::of(self.base, &[3, object, 0])
    }

    pub fn requests(&self) -> Vec<Oid> {
        let mut oids: Vec<Oid> =
            [STATUS, TX_POWER, TX_FREQUENCY, RX_LEVEL, MSE].iter().map(|object| Oid::of(self.base, object)).collect();
        let modem = [Some(self.rx_capacity), Some(self.tx_capacity), self.bandwidth, self.modulation];
        oids.extend(modem.into_iter().flatten().map(|object| self.modem(object)));
        oids.extend(system_requests(self.base));
        oids
    }

    pub fn radio(&self, answers: &Answers) -> Radio {
        let of = |object: [u32; 3]| Oid::of(self.base, &object);
        let mut radio = Radio::new(ONLY_RADIO);
        // The receiver measures without a lock too: that is how a dish is aligned.
        radio.set("rsl_dbm", unless(answers.reading(&of(RX_LEVEL), 1.0), &[0.0]));
        radio.set("tx_power_dbm", answers.reading(&of(TX_POWER), 1.0));
        radio.set("channel_mhz", unless(answers.reading(&of(TX_FREQUENCY), 1e-3), &[0.0]));
        if let Some(bandwidth) = self.bandwidth {
            radio.set("channel_width_mhz", unless(answers.reading(&self.modem(bandwidth), 1e-3), &[0.0]));
        }
        let status = answers.reading(&of(STATUS), 1.0);
        if status.get().is_some_and(|status| status != LOCKED) {
            return radio.down(&LINK_FIELDS);
        }
        radio.set("link_up_flag", status.map(|_| 1.0));
        radio.set("capacity_rx_mbps", reported(answers, &self.modem(self.rx_capacity), 1e-3));
        radio.set("capacity_tx_mbps", reported(answers, &self.modem(self.tx_capacity), 1e-3));
        radio.set("mse_db", answers.reading(&of(MSE), 0.1));
        radio.modulation = self.modulation.and_then(|object| answers.text(&self.modem(object)).ok());
        radio
    }
}

/// Supply and temperature, the same on every Integra.
pub fn system_requests(base: &'static [u32]) -> impl Iterator<Item = Oid> {
    SYSTEM.iter().map(move |(_, object, _)| Oid::of(base, &[4, *object, 0]))
}

pub fn power(answers: &Answers, base: &[u32]) -> BTreeMap<&'static str, Reading> {
    let mut power = BTreeMap::new();
    for (field, object, scale) in SYSTEM {
        note(&mut power, field, answers.reading(&Oid::of(base, &[4, object, 0]), scale));
    }
    power
}

/// `Prod: Integra;Vers: 3.6.18;Timestamp: …`
pub fn info(answers: &Answers) -> Info {
    let Ok(text) = answers.text(&SYS_DESCR.into()) else { return Info::default() };
    let part = |name: &str| {
        let value = text.split(';').find_map(|part| part.trim().strip_prefix(name))?;
        Some(value.trim().to_owned()).filter(|v| !v.is_empty())
    };
    Info { model: part("Prod:"), firmware: part("Vers:") }
}

const fn model_of(base: &'static [u32]) -> Model {
    Model { base, rx_capacity: 10, tx_capacity: 11, bandwidth: None, modulation: None }
}

fn model(scope: &Scope<'_>) -> Option<Model> {
    let has = |(table, _): &(&str, _)| !scope.rows.of(table).is_empty();
    [("integra", INTEGRA), ("integra-w", INTEGRA_W)].into_iter().find(has).map(|(_, base)| model_of(base))
}

fn decode(answers: &Answers, scope: &Scope<'_>) -> Decoded {
    let Some(model) = model(scope) else { return Decoded::default() };
    let mut radio = model.radio(answers);
    gate(&FAMILY, &mut radio);
    Decoded { radios: vec![radio], power: power(answers, model.base), ..Decoded::default() }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, missing, poll};
    use super::*;

    const INTEGRA: &str = "
        1.3.6.1.2.1.1.1.0 str Prod: Integra-W;Vers: 3.6.17-mux;Timestamp: 2017-05-24
        1.3.6.1.2.1.1.2.0 oid 1.3.6.1.4.1.7571.100.1.1.7.2
        @saf = 1.3.6.1.4.1.7571.100.1.1.7.2
        @saf.2.1.0 int 19
        @saf.2.2.0 int 23058000
        @saf.2.3.0 int -41
        @saf.2.7.0 int 22050000
        @saf.3.1.0 int 2
        @saf.3.2.0 int -361
        @saf.3.10.0 int 474600
        @saf.3.11.0 int 366200
        @saf.3.14.0 int 99
        @saf.4.2.0 int 315
        @saf.4.5.0 int 52800
        @saf.4.6.0 int 600
        @saf.4.7.0 int 31680
    ";

    #[tokio::test]
    async fn an_integra_in_the_normal_form() {
        let polled = poll(INTEGRA).await;
        assert_eq!(polled.identity.family.profile, "saf-integra");
        let info = Info { model: Some("Integra-W".into()), firmware: Some("3.6.17-mux".into()) };
        assert_eq!(polled.identity.info, info);
        let expected = [
            "capacity_rx_mbps=474.6 reported",
            "capacity_tx_mbps=366.2 reported",
            "channel_mhz=23058",
            "link_up_flag=1",
            "mse_db=-36.1",
            "rsl_dbm=-41",
            "tx_power_dbm=19",
        ];
        check(&polled.radios[0], &expected);
        assert_eq!(polled.power["supply_volts"], Reading::value(52.8));
        assert_eq!(polled.power["temperature_celsius"], Reading::value(31.5));
        // The same objects under the arc of Integra.
        let polled = poll(&INTEGRA.replace("1.1.7.2", "1.1.7.1")).await;
        assert_eq!(polled.radios[0].reading("capacity_rx_mbps").unwrap().get().map(f64::round), Some(475.0));
    }

    #[tokio::test]
    async fn without_a_lock_there_is_a_level_and_no_link() {
        let polled = poll(&INTEGRA.replace("3.1.0 int 2", "3.1.0 int 1").replace("int -41", "int -88")).await;
        let radio = &polled.radios[0];
        assert_eq!(radio.reading("link_up_flag"), Some(Reading::value(0.0)));
        assert_eq!(radio.reading("capacity_rx_mbps"), Some(missing("link down")));
        assert_eq!(radio.reading("rsl_dbm"), Some(Reading::value(-88.0)));
    }

    #[tokio::test]
    async fn what_cannot_be_is_missing() {
        let polled = poll(&INTEGRA.replace("int 474600", "int 0").replace("int 366200", "int 36620000")).await;
        let radio = &polled.radios[0];
        assert_eq!(radio.reading("capacity_rx_mbps"), Some(missing("sentinel")));
        assert_eq!(radio.reading("capacity_tx_mbps"), Some(missing("implausible")));
        let polled = poll(&INTEGRA.replace("int 474600", "str 256QAM").replace("int -41", "int 0")).await;
        assert_eq!(polled.radios[0].reading("capacity_rx_mbps"), Some(missing("malformed")));
        assert_eq!(polled.radios[0].reading("rsl_dbm"), Some(missing("sentinel")));
        let polled = poll("1.3.6.1.2.1.1.2.0 oid 1.3.6.1.4.1.7571.100.1.1.7.1\n").await;
        assert!(polled.radios.is_empty());
    }
}
