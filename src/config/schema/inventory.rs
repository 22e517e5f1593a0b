//! `network.toml`. `[P]`

use super::{CREDENTIAL, Kind, LANGUAGES, RATE_MBPS_MAX, Table, default, optional, required};
use crate::config::check::PROFILES;

static TARGET: Table = Table {
    meaning: "What was promised.",
    keys: &[
        required("downstream_mbps", Kind::Positive(RATE_MBPS_MAX), "Towards the people.").unit("Mbps"),
        optional(
            "upstream_mbps",
            Kind::Positive(RATE_MBPS_MAX),
            "no upstream rate was promised",
            "From the people to the Internet.",
        )
        .unit("Mbps"),
    ],
};

static NETWORK: Table = Table {
    meaning: "The network as a whole.",
    keys: &[
        required("id", Kind::Id, "Short name; the first part of every MQTT topic."),
        required("name", Kind::Text, "Name as people say it."),
        default("time_zone", Kind::TimeZone, "\"Europe/Rome\"", "IANA name; times in mails and on the page are local."),
        default("language", Kind::Choice(LANGUAGES), "\"it\"", "Language of people who have none of their own."),
        default(
            "simultaneity",
            Kind::Number(0.05, 1.0),
            "1.0",
            "Share of the targets behind a link that it must carry at once; 1 is everybody at the same moment.",
        ),
    ],
};

static TARGETS: Table = Table {
    meaning: "What the Union promised, by kind of site. A site may have its own `target`.",
    keys: &[
        default("municipality", Kind::Table(&TARGET), "{ downstream_mbps = 30 }", "Municipalities."),
        default("town-hall", Kind::Table(&TARGET), "{ downstream_mbps = 30 }", "Town halls."),
        default("school", Kind::Table(&TARGET), "{ downstream_mbps = 30 }", "Schools."),
    ],
};

static HUB_PLACE: Table = Table {
    meaning: "Where the hub stands.",
    keys: &[optional(
        "site",
        Kind::Reference("site"),
        "the hub is beyond the backhauls, in a data centre",
        "Site of the machine that runs the hub.",
    )],
};

static STAFF: Table = Table {
    meaning: "Somebody at the Union who gets mails.",
    keys: &[
        required("name", Kind::Text, "Name."),
        required("email", Kind::Email, "Address; not a certified one (PEC)."),
        optional("language", Kind::Choice(LANGUAGES), "the network's", "Language of the mails."),
    ],
};

static WISP: Table = Table {
    meaning: "An operator that runs links or sells backhauls.",
    keys: &[
        required("id", Kind::Id, "Name that links and backhauls refer to."),
        required("name", Kind::Text, "Name as people say it."),
        default(
            "email",
            Kind::Emails,
            "[]",
            "Who is told about its links; not certified addresses (PEC). With none, only staff is told.",
        ),
        optional("language", Kind::Choice(LANGUAGES), "the network's", "Language of the mails."),
        optional("phone", Kind::Text, "none is shown", "What staff dials when a mail is not answered."),
        default(
            "attach_json",
            Kind::Boolean,
            "false",
            "Mails carry the incident as a JSON file too, for a ticket system (`docs/ticket-systems.md`).",
        ),
    ],
};

static SITE: Table = Table {
    meaning: "A place with coordinates.",
    keys: &[
        required("id", Kind::Id, "Name that everything else refers to."),
        required("name", Kind::Text, "Name as people say it."),
        required(
            "kind",
            Kind::Choice(&["municipality", "town-hall", "school", "relay", "pop"]),
            "What stands there; its kind's target applies. Relays and POPs have none.",
        ),
        required("lat", Kind::Number(-90.0, 90.0), "Latitude, WGS 84.").unit("degrees"),
        required("lon", Kind::Number(-180.0, 180.0), "Longitude, WGS 84.").unit("degrees"),
        optional("residents", Kind::Integer(0, 10_000_000), "nobody is counted", "People who live there.")
            .unit("people"),
        optional(
            "municipality",
            Kind::Reference("site"),
            "none, or the site itself",
            "The municipality that a school or a town hall belongs to.",
        ),
        default("agent", Kind::Boolean, "false", "An agent stands here; it is named after the site."),
        optional("target", Kind::Table(&TARGET), "that of its kind", "What was promised to this very site."),
        optional("access", Kind::Prose, "nothing is said", "How one gets in: keys, hours, phone."),
        optional("contact", Kind::Prose, "nobody is named", "Who is told, besides staff."),
        default(
            "contact_email",
            Kind::Emails,
            "[]",
            "Who gets a short mail when this place has no Internet or less than promised; not certified addresses \
             (PEC). With none, nobody here is mailed.",
        ),
    ],
};

static DEVICE: Table = Table {
    meaning: "Something with an address at a site: a radio, a router.",
    keys: &[
        required("id", Kind::Id, "Name that links refer to."),
        required("site", Kind::Reference("site"), "Where it stands."),
        required("address", Kind::Address, "IPv4 or IPv6; unique among the devices of one agent."),
        default("snmp_port", Kind::Integer(1, 65535), "161", "UDP port of its SNMP agent."),
        optional(
            "via",
            Kind::Reference("site"),
            "its own site if an agent stands there, else the only agent of the network",
            "Site of the agent that polls it: address spaces of WISPs overlap.",
        ),
        optional("snmp", Kind::Reference("credential"), "it is only pinged", "How to read it over SNMP."),
        optional(
            "profile",
            Kind::Choice(PROFILES),
            "the device is asked what it is",
            "Radio family, where identification must not decide.",
        ),
        default(
            "ports",
            Kind::Texts,
            "[]",
            "Names (ifName or ifDescr) of the Ethernet ports that its links pass through. With none, a port caps a \
             link only where a single one is up.",
        ),
        optional(
            "mac",
            Kind::Mac,
            "a sector cannot tell it from a stranger",
            "MAC address of its radio: how an access point knows its peer.",
        ),
        default(
            "trust",
            Kind::Boolean,
            "false",
            "Its capacity may open incidents although its family was checked against no recording.",
        ),
    ],
};

static DECLARED: Table = Table {
    meaning: "What a cable or a shaper lets through at the most.",
    keys: &[
        required("near_to_far_mbps", Kind::Positive(RATE_MBPS_MAX), "From `near` to `far`.").unit("Mbps"),
        required("far_to_near_mbps", Kind::Positive(RATE_MBPS_MAX), "From `far` to `near`.").unit("Mbps"),
    ],
};

static LINK: Table = Table {
    meaning: "Two devices joined by radio or by cable.",
    keys: &[
        required("id", Kind::Id, "Name of the link."),
        required("near", Kind::Reference("device"), "The device at one end, usually the one towards the Internet."),
        required("far", Kind::Reference("device"), "The device at the other end."),
        optional(
            "near_radio",
            Kind::Text,
            "the only one it has",
            "Which radio of `near` this is, where it has several: its name as `vedetta probe` shows it.",
        ),
        optional("far_radio", Kind::Text, "the only one it has", "The same for `far`."),
        default("medium", Kind::Choice(&["radio", "cable"]), "\"radio\"", "What joins them."),
        optional("wisp", Kind::Reference("wisp"), "the Union itself", "Who runs it, and is told about it."),
        default(
            "cost",
            Kind::Integer(1, 65535),
            "10",
            "Routing cost, as configured in the routers: traffic follows cost, not width.",
        ),
        optional(
            "duplex",
            Kind::Choice(&["full", "fixed", "shared"]),
            "as the family of its radios has it",
            "`full`: two capacities; `fixed`: a fixed split; `shared`: what goes down cannot go up.",
        ),
        optional(
            "target",
            Kind::Table(&TARGET),
            "what is routed over it decides",
            "A floor of its own; downstream is from `near` to `far`.",
        ),
        optional("declared", Kind::Table(&DECLARED), "no limit but the devices'", "A limit that no device reports."),
    ],
};

static BUNDLE: Table = Table {
    meaning: "Parallel links that serve as one.",
    keys: &[
        required("id", Kind::Id, "Name of the bundle."),
        required(
            "mode",
            Kind::Choice(&["sum", "hash", "standby"]),
            "`sum`: one flow gets all of it; `hash`: one flow gets one member (LAG, ECMP); `standby`: the first works, \
             the others wait.",
        ),
        required(
            "links",
            Kind::References("link", 2),
            "Its members, all between the same two sites, in order of preference.",
        ),
    ],
};

static SECTOR: Table = Table {
    meaning: "An access point with many peers, ours and strangers'.",
    keys: &[
        required("id", Kind::Id, "Name of the sector."),
        required("access_point", Kind::Reference("device"), "The access point."),
        required(
            "peers",
            Kind::References("device", 1),
            "The peers that are ours; each is the other end of a link of the access point, and has its `mac`.",
        ),
    ],
};

static CONTRACT: Table = Table {
    meaning: "What was sold.",
    keys: &[
        required("downstream_mbps", Kind::Positive(RATE_MBPS_MAX), "From the Internet.").unit("Mbps"),
        required("upstream_mbps", Kind::Positive(RATE_MBPS_MAX), "To the Internet.").unit("Mbps"),
    ],
};

static BACKHAUL: Table = Table {
    meaning: "A link from a site to the Internet, sold by a WISP.",
    keys: &[
        required("id", Kind::Id, "Name of the backhaul."),
        required("site", Kind::Reference("site"), "Where it ends; an agent should stand there."),
        required("wisp", Kind::Reference("wisp"), "Who sells it, and is told about it."),
        required("contract", Kind::Table(&CONTRACT), "What was sold."),
        optional("gateway", Kind::Address, "it is not pinged", "Address of the operator's router."),
        default(
            "outside",
            Kind::Addresses,
            "[]",
            "Addresses on the Internet: the backhaul works when these answer through it, not when its gateway does.",
        ),
        default("cost", Kind::Integer(1, 65535), "10", "Routing cost of leaving through it."),
    ],
};

static SERVICE: Table = Table {
    meaning: "Something in the cloud that offices need.",
    keys: &[
        required("id", Kind::Id, "Name of the service."),
        required("name", Kind::Text, "Name as people say it."),
        required("url", Kind::Url, "What is asked for, `http` or `https`; without user and password."),
        optional("from", Kind::References("site", 1), "every agent", "Sites whose agents try it."),
    ],
};

static BACKUP: Table = Table {
    meaning: "A backup job that must finish in its window.",
    keys: &[
        required("id", Kind::Id, "Name of the job."),
        required("name", Kind::Text, "Name as people say it."),
        required("site", Kind::Reference("site"), "Where the data are."),
        required("start", Kind::TimeOfDay, "When the window opens, in the network's time zone."),
        required("end", Kind::TimeOfDay, "When it closes; earlier than `start` means on the next day."),
        required("size_gigabytes", Kind::Positive(1_000_000.0), "What one run sends.").unit("GB (10⁹ bytes)"),
        default(
            "start_grace",
            Kind::Duration("1m", "12h"),
            "\"30m\"",
            "A job that says when it starts (docs/backups.md) is missed so long after `start`.",
        ),
        default(
            "finish_grace",
            Kind::Duration("1m", "12h"),
            "\"30m\"",
            "One that says when it finishes is missed so long after `end`.",
        ),
    ],
};

/// The inventory.
pub static INVENTORY: Table = Table {
    meaning: "One file describes the network: the hub reads it, agents receive their part of it.",
    keys: &[
        required("network", Kind::Table(&NETWORK), "The network as a whole."),
        default("targets", Kind::Table(&TARGETS), "{}", "What was promised, by kind of site."),
        default("hub", Kind::Table(&HUB_PLACE), "{}", "Where the hub stands."),
        default("staff", Kind::Tables(&STAFF), "[]", "People at the Union."),
        default("wisp", Kind::Tables(&WISP), "[]", "Operators."),
        default("credential", Kind::Tables(&CREDENTIAL), "[]", "Ways to read devices."),
        default("site", Kind::Tables(&SITE), "[]", "Places."),
        default("device", Kind::Tables(&DEVICE), "[]", "Devices."),
        default("link", Kind::Tables(&LINK), "[]", "Links."),
        default("bundle", Kind::Tables(&BUNDLE), "[]", "Parallel links."),
        default("sector", Kind::Tables(&SECTOR), "[]", "Access points with many peers."),
        default("backhaul", Kind::Tables(&BACKHAUL), "[]", "Ways out to the Internet."),
        default("service", Kind::Tables(&SERVICE), "[]", "Services in the cloud."),
        default("backup", Kind::Tables(&BACKUP), "[]", "Backup jobs."),
    ],
};
