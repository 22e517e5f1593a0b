//! What a channel can carry at the most, from its width and modulation.

use super::Radio;

/// What a family can put into a channel, as data with its source.
#[derive(Debug, Clone, Copy)]
pub struct Channel {
    /// Bits of a symbol at its highest modulation.
    pub bits_max: f64,
    /// Polarisations, streams or carriers of that width each, where the radio does not tell its members in use.
    pub streams_max: f64,
    pub source: &'static str,
}

/// Radios that count their capacity on the Ethernet side with preamble and gap (8 and 12 octets, IEEE 802.3) carry
/// frames of 64 octets as 84: so much may a capacity exceed the bits on the air.
const FRAMING: f64 = 84.0 / 64.0;

/// The gross bit rate of a channel, Mbps: at most one symbol a second for each Hz of its width (Nyquist 1928; ETSI
/// EN 302 217-2 has symbol rates below the channel separation), each of so many bits, on each polarisation.
pub fn gross_mbps(width_mhz: f64, bits: f64, streams: f64) -> f64 {
    width_mhz * bits * streams
}

/// The most that a capacity of that radio can be; `None` where its channel width is not known.
pub fn capacity_max_mbps(channel: &Channel, radio: &Radio, direction: &str) -> Option<f64> {
    let width = radio.reading("channel_width_mhz")?.get().filter(|width| *width > 0.0)?;
    let bits = radio.modulation.as_deref().and_then(|text| bits_of(text, direction)).unwrap_or(channel.bits_max);
    let members = radio.reading("members_active_count").and_then(crate::model::Reading::get);
    Some(gross_mbps(width, bits.min(channel.bits_max), members.unwrap_or(1.0).max(channel.streams_max)) * FRAMING)
}

/// Bits of a symbol in one direction, `tx` or `rx`, of `256QAM` or `tx 256QAM, rx QPSK`; `None` if the text tells none.
fn bits_of(modulation: &str, direction: &str) -> Option<f64> {
    let side = modulation.split(", ").find_map(|part| part.strip_prefix(direction)?.strip_prefix(' '));
    match side.unwrap_or(modulation) {
        "BPSK" => Some(1.0),
        "QPSK" => Some(2.0),
        "8PSK" => Some(3.0),
        other => {
            let order: f64 = other.strip_suffix("QAM")?.parse().ok()?;
            (4.0..=65_536.0).contains(&order).then(|| order.log2())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Reading;

    /// Rates that standards and data sheets publish, with what they are made of: MHz, bits, streams, Mbps. None may be
    /// above the ceiling, and the ceiling is of their kind: less than twice the rate.
    #[test]
    fn published_rates_are_below_the_ceiling_and_not_far() {
        for (width, bits, streams, published) in [
            // IEEE 802.11ac, short guard interval: MCS 9 at 80 MHz, one and two streams; MCS 7 at 40 MHz.
            (80.0, 8.0, 1.0, 433.3),
            (80.0, 8.0, 2.0, 866.7),
            (40.0, 6.0, 2.0, 300.0),
            // IEEE 802.11ax: MCS 11 at 160 MHz, two streams.
            (160.0, 10.0, 2.0, 2402.0),
            // IEEE 802.11ad, single carrier at 2160 MHz, MCS 12: 1760 Msymbol/s of 16QAM, three quarters of them payload.
            (2160.0, 4.0, 1.0, 4620.0),
            // One STM-1 (ITU-T G.707) in 28 MHz, which microwave radios carry with 128QAM.
            (28.0, 7.0, 1.0, 155.52),
        ] {
            let ceiling = gross_mbps(width, bits, streams);
            assert!(published <= ceiling && ceiling < 2.0 * published, "{width} {bits} {streams}: {ceiling}");
        }
    }

    #[test]
    fn ceilings_by_hand() {
        let channel = Channel { bits_max: 12.0, streams_max: 2.0, source: "" };
        let check = |width: f64, modulation: &str, members: Option<f64>, direction: &str, expected: Option<f64>| {
            let mut radio = Radio::new("1");
            radio.set("channel_width_mhz", Reading::value(width));
            radio.modulation = Some(modulation.to_owned());
            if let Some(members) = members {
                radio.set("members_active_count", Reading::value(members));
            }
            assert_eq!(capacity_max_mbps(&channel, &radio, direction), expected, "{width} {modulation}");
        };
        // 56 MHz x 8 bits x 2 polarisations = 896 Mbps, and 21/16 of that with all framing.
        check(56.0, "256QAM", None, "tx", Some(1176.0));
        check(56.0, "tx 256QAM, rx QPSK", None, "tx", Some(1176.0));
        check(56.0, "tx 256QAM, rx QPSK", None, "rx", Some(294.0));
        // Four carriers: 56 x 8 x 4 x 21/16.
        check(56.0, "256QAM", Some(4.0), "rx", Some(2352.0));
        // Without a modulation that tells bits: the family's 12.
        check(56.0, "6x", None, "tx", Some(1764.0));
        check(56.0, "1QAM", None, "tx", Some(1764.0));
        check(0.0, "256QAM", None, "tx", None);
    }
}
