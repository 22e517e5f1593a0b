//! The part of the inventory that the hub sends to an agent: read as strictly as what people write, but for keys that
//! this version does not know, for the hub may be newer. `[P]`

use super::{Kind, Table, default, optional, required};
use crate::config::check::PROFILES;

static CREDENTIAL: Table = Table {
    meaning: "A way to read devices. Its secrets are sealed, as `<id>.community`, `<id>.auth` and `<id>.privacy`.",
    keys: &[
        required("id", Kind::Id, "Name that devices refer to."),
        required("version", Kind::Choice(super::SNMP_VERSIONS), "SNMP version."),
        optional("user", Kind::Text, "required for v3", "SNMPv3 user name."),
        optional("auth", Kind::Choice(super::AUTH_PROTOCOLS), "no authentication", "SNMPv3 authentication."),
        optional("privacy", Kind::Choice(super::PRIVACY_PROTOCOLS), "no encryption", "SNMPv3 encryption."),
    ],
};

static DEVICE: Table = Table {
    meaning: "A device that the agent polls.",
    keys: &[
        required("id", Kind::Id, "Name of the device."),
        required("site", Kind::Id, "Where it stands."),
        required("address", Kind::Address, "IPv4 or IPv6."),
        default("snmp_port", Kind::Integer(1, 65535), "161", "UDP port of its SNMP agent."),
        optional("snmp", Kind::Reference("credential"), "it is only pinged", "How to read it over SNMP."),
        optional("profile", Kind::Choice(PROFILES), "the device is asked what it is", "Radio family."),
        default("ports", Kind::Texts, "[]", "Names of the Ethernet ports that its links pass through."),
        default("sector", Kind::Boolean, "false", "It is the access point of a sector."),
        default(
            "peers",
            Kind::Texts,
            "[]",
            "Its peers that the inventory knows: MAC addresses, or tags of its radios.",
        ),
    ],
};

static BACKHAUL: Table = Table {
    meaning: "A backhaul at the agent's site.",
    keys: &[
        required("id", Kind::Id, "Name of the backhaul."),
        optional("gateway", Kind::Address, "it is not pinged", "Address of the operator's router."),
        default("outside", Kind::Addresses, "[]", "Addresses on the Internet."),
    ],
};

static SERVICE: Table = Table {
    meaning: "A service that the agent tries.",
    keys: &[required("id", Kind::Id, "Name of the service."), required("url", Kind::Url, "What is asked for.")],
};

/// See the module.
pub static PART: Table = Table {
    meaning: "An agent's part of the inventory.",
    keys: &[
        required("network", Kind::Id, "The network that it is a part of."),
        required("agent", Kind::Id, "The agent that it is for."),
        default("credential", Kind::Tables(&CREDENTIAL), "[]", "Ways to read devices."),
        default("device", Kind::Tables(&DEVICE), "[]", "Devices."),
        default("backhaul", Kind::Tables(&BACKHAUL), "[]", "Ways out to the Internet."),
        default("service", Kind::Tables(&SERVICE), "[]", "Services in the cloud."),
    ],
};
