//! SAF Tehnika Integra-E, 80 GHz, by SAF-INTEGRAE-MIB (1.3.6.1.4.1.7571.100.1.1.7.9): the objects of Integra, but for
//! those of the modem, where the capacities stand one further down behind two modulations in words.

use super::saf_integra::{Model, info, power};
use super::{Channel, Checked, Decoded, Family, ObjectId, SYS_DESCR, gate};
use crate::model::network::Duplex;

pub static FAMILY: Family = Family {
    profile: "saf-integra-e",
    title: "SAF Integra-E (80 GHz)",
    checked: Checked::Recording,
    duplex: Duplex::Full,
    capacity_min_mbps: 1.0,
    capacity_max_mbps: 16_000.0,
    capacity_max_source: "2000 MHz, the widest channel at 71 to 86 GHz (ETSI EN 302 217-2), at 8 bits a symbol (256QAM)",
    channel: Some(Channel { bits_max: 8.0, streams_max: 1.0, source: "256QAM, one polarisation" }),
    capacity_from: "integraEmodemRxCapacity and integraEmodemTxCapacity",
    object_ids: &[ObjectId::Is(BASE)],
    shared_object_ids: &[],
    descrs: &[],
    asks: &[],
    tables: &[],
    info: |_| vec![SYS_DESCR.into()],
    decode_info: |answers, _| info(answers),
    requests: |_| MODEL.requests(),
    decode: |answers, _| {
        let mut radio = MODEL.radio(answers);
        gate(&FAMILY, &mut radio);
        Decoded { radios: vec![radio], power: power(answers, BASE), ..Decoded::default() }
    },
};

const BASE: &[u32] = &[1, 3, 6, 1, 4, 1, 7571, 100, 1, 1, 7, 9];
/// integraEmodemRxCapacity, integraEmodemTxCapacity, integraEmodemBandwidth, integraEmodemTxModulation.
const MODEL: Model = Model { base: BASE, rx_capacity: 11, tx_capacity: 12, bandwidth: Some(7), modulation: Some(10) };

#[cfg(test)]
mod tests {
    use super::super::tests::{check, missing, poll};
    use crate::model::Reading;

    const INTEGRA_E: &str = "
        1.3.6.1.2.1.1.1.0 str Prod: Integra-E;Vers: 3.17.10;Timestamp: 2020-05-05 13:34:59
        1.3.6.1.2.1.1.2.0 oid 1.3.6.1.4.1.7571.100.1.1.7.9
        @saf = 1.3.6.1.4.1.7571.100.1.1.7.9
        @saf.2.1.0 int 10
        @saf.2.2.0 int 74125000
        @saf.2.3.0 int -34
        @saf.3.1.0 int 2
        @saf.3.2.0 int -352
        @saf.3.7.0 int 250000
        @saf.3.9.0 str 128QAM
        @saf.3.10.0 str 256QAM
        @saf.3.11.0 int 1273500
        @saf.3.12.0 int 1455400
        @saf.3.14.0 int -21083
        @saf.4.5.0 int 53000
    ";

    #[tokio::test]
    async fn an_integra_e_in_the_normal_form() {
        let polled = poll(INTEGRA_E).await;
        assert_eq!(polled.identity.family.profile, "saf-integra-e");
        assert_eq!(polled.identity.info.firmware.as_deref(), Some("3.17.10"));
        assert_eq!(polled.radios[0].modulation.as_deref(), Some("256QAM"));
        let expected = [
            "capacity_rx_mbps=1273.5 reported",
            "capacity_tx_mbps=1455.4 reported",
            "channel_mhz=74125",
            "channel_width_mhz=250",
            "link_up_flag=1",
            "mse_db=-35.2",
            "rsl_dbm=-34",
            "tx_power_dbm=10",
        ];
        check(&polled.radios[0], &expected);
        assert_eq!(polled.power["supply_volts"], Reading::value(53.0));
    }

    #[tokio::test]
    async fn a_failed_acquisition_and_odd_answers() {
        let polled = poll(&INTEGRA_E.replace("3.1.0 int 2", "3.1.0 int 3")).await;
        assert_eq!(polled.radios[0].reading("capacity_tx_mbps"), Some(missing("link down")));
        let polled = poll(&INTEGRA_E.replace("3.1.0 int 2", "3.1.0 str up").replace("int 1455400", "hex 00ff")).await;
        assert_eq!(polled.radios[0].reading("link_up_flag"), Some(missing("malformed")));
        assert_eq!(polled.radios[0].reading("capacity_tx_mbps"), Some(missing("malformed")));
    }
}
