//! `hub.toml` and `agent.toml`. `[P]`

use crate::model::condition::{Delivery, Severity};

use super::{CREDENTIAL, Key, Kind, LANGUAGES, Table, default, optional, required};

const PASSWORD_FILE: Key =
    optional("password_file", Kind::SecretFile, "no password", "File whose only line is the password.");
const PASSWORD_ENV: Key =
    optional("password_env", Kind::SecretEnv, "no password", "Environment variable that holds the password.");
const PASSWORD: Key = optional("password", Kind::Refused("password_file = \"…\" or password_env = \"…\""), "", "");
const CA_FILE: Key = optional("ca_file", Kind::Path, "the system's", "Certificates of the authorities to trust, PEM.");

static MQTT: Table = Table {
    meaning: "The MQTT 5 broker.",
    keys: &[
        required("host", Kind::Host, "Name or address."),
        optional("port", Kind::Integer(1, 65535), "8883 with TLS, 1883 without", "TCP port."),
        optional(
            "tls",
            Kind::Boolean,
            "true, but false for a broker on this machine for which no certificates are named",
            "Whether the connection is encrypted.",
        ),
        default(
            "plain",
            Kind::Boolean,
            "false",
            "Says that a broker on another machine may be spoken to without TLS, password included.",
        ),
        CA_FILE,
        optional("client_cert_file", Kind::Path, "none is shown", "Certificate chain to show to the broker, PEM."),
        optional("client_key_file", Kind::Path, "goes with `client_cert_file`", "Its private key, PEM."),
        optional("user", Kind::Text, "none", "User name."),
        PASSWORD_FILE,
        PASSWORD_ENV,
        PASSWORD,
        default(
            "keep_alive",
            Kind::Duration("5s", "1h"),
            "\"30s\"",
            "How often an idle connection shows that it lives.",
        ),
    ],
};

static INFLUX: Table = Table {
    meaning: "InfluxDB 2, or anything that speaks its write API.",
    keys: &[
        required("url", Kind::Url, "Where it listens, `http` or `https`; without user and password."),
        required("org", Kind::Text, "Organisation that owns the bucket."),
        required("bucket", Kind::Text, "Where samples are written."),
        optional("token_file", Kind::SecretFile, "no token is sent", "File whose only line is the token."),
        optional("token_env", Kind::SecretEnv, "no token is sent", "Environment variable that holds the token."),
        optional("token", Kind::Refused("token_file = \"…\" or token_env = \"…\""), "", ""),
        CA_FILE,
    ],
};

static SMTP: Table = Table {
    meaning: "The mail server that takes the mails.",
    keys: &[
        required("host", Kind::Host, "Name or address."),
        optional("port", Kind::Integer(1, 65535), "465 with `tls`, 587 with `starttls`, 25 with `plain`", "TCP port."),
        default(
            "security",
            Kind::Choice(&["tls", "starttls", "plain"]),
            "\"starttls\"",
            "`tls`: encrypted from the start; `starttls`: encrypted before anything is said, or not at all; `plain`: \
             everyone on the way reads the mails.",
        ),
        optional("user", Kind::Text, "no authentication", "User name."),
        PASSWORD_FILE,
        PASSWORD_ENV,
        PASSWORD,
        CA_FILE,
    ],
};

static MAIL: Table = Table {
    meaning: "How mails leave. One of `smtp` and `maildir`.",
    keys: &[
        required("from", Kind::Mailbox, "Sender: `Name <address>`; not a certified address (PEC)."),
        optional("reply_to", Kind::Mailbox, "`from`", "Where answers go."),
        optional("smtp", Kind::Table(&SMTP), "see `maildir`", "Mails go to a mail server."),
        optional(
            "maildir",
            Kind::Path,
            "see `smtp`",
            "Mails are written into this directory for a person to open; nothing leaves the machine.",
        ),
    ],
};

static WEB: Table = Table {
    meaning: "The status page.",
    keys: &[
        default(
            "listen",
            Kind::Socket,
            "\"127.0.0.1:8080\"",
            "Address and port. It speaks no TLS: for other machines put a reverse proxy before it.",
        ),
        optional("public_url", Kind::Url, "mails carry no links", "Where people find the page from outside."),
        default(
            "proxies",
            Kind::Addresses,
            "[\"127.0.0.1\", \"::1\"]",
            "Reverse proxies: only from these is `X-Forwarded-For` believed, which tells readers apart.",
        ),
        optional(
            "open_to",
            Kind::Addresses,
            "[\"127.0.0.1\", \"::1\"], but [] where there is a public_url",
            "Addresses from which the pages and /metrics are read without an account, for instance that of Prometheus.",
        ),
        default(
            "public_summary",
            Kind::Boolean,
            "false",
            "Whether everybody may see how the municipalities stand, at `/public/summary`: no figures, links or operators.",
        ),
        optional(
            "contact",
            Kind::Text,
            "nobody is named",
            "Whom barriers are reported to, on the statement on accessibility.",
        ),
        default("language", Kind::Choice(LANGUAGES), "\"it\"", "Language where the browser asks for neither."),
    ],
};

/// The words of `Condition::ALL`; a test compares them.
pub const CONDITIONS: &[&str] = &[
    "hub_blind",
    "agent_silent",
    "site_power",
    "link_down",
    "on_standby",
    "capacity_below",
    "redundancy_lost",
    "site_below_target",
    "device_down",
    "management_unreachable",
    "packet_loss",
    "round_trip_time",
    "port_below_usual",
    "signal_below_baseline",
    "capacity_not_measurable",
    "service_unreachable",
    "certificate_expiring",
    "temperature",
    "backup_will_not_finish",
    "clock_wrong",
    "part_refused",
    "cloned_agent",
    "samples_lost",
];

/// Kinds of subjects, then kinds of sites.
pub const SUBJECT_KINDS: &[&str] = &[
    "link",
    "bundle",
    "backhaul",
    "site",
    "device",
    "service",
    "backup",
    "agent",
    "municipality",
    "town-hall",
    "school",
    "relay",
    "pop",
];

static CONDITION: Table = Table {
    meaning: "Other figures for one condition: for the whole network, for one kind of subject, or for one subject; \
              the narrower wins. docs/conditions.md lists the defaults.",
    keys: &[
        required("condition", Kind::Choice(CONDITIONS), "The condition."),
        optional("kind", Kind::Choice(SUBJECT_KINDS), "all kinds", "Kind of subject, or of its site."),
        optional("subject", Kind::Text, "all subjects", "Id of one link, bundle, backhaul, site, device, service."),
        optional("enabled", Kind::Boolean, "true", "Whether it is judged at all."),
        optional("open", Kind::Duration("1s", "7d"), "as in docs/conditions.md", "So long wrong opens an incident."),
        optional("close", Kind::Duration("1s", "7d"), "as in docs/conditions.md", "So long well closes it."),
        optional(
            "threshold",
            Kind::Number(-20.0, 86_400.0),
            "as in docs/conditions.md",
            "From here on it is wrong, in the unit of the condition.",
        ),
        optional(
            "close_threshold",
            Kind::Number(-20.0, 86_400.0),
            "as far from `threshold` as by default",
            "From here on it is well again.",
        ),
        optional(
            "flaps",
            Kind::Integer(2, 100),
            "5 (3 for what is slow by nature)",
            "So many openings within two hours (a day) are one unstable incident.",
        ),
        optional("quiet", Kind::Duration("1m", "7d"), "1h (12h)", "So long quiet ends an unstable incident."),
        optional("severity", Kind::Choice(Severity::WORDS), "as in docs/conditions.md", "How grave it is at least."),
        optional(
            "delivery",
            Kind::Choice(Delivery::WORDS),
            "as in docs/conditions.md",
            "Mailed as soon as it opens, or with the daily digest.",
        ),
    ],
};

static ALERT: Table = Table {
    meaning: "Hold times and thresholds. The defaults are meant to be right without tuning.",
    keys: &[
        default(
            "capacity_open",
            Kind::Duration("1s", "1d"),
            "\"15m\"",
            "So long below what is required opens an incident.",
        ),
        default(
            "capacity_close",
            Kind::Duration("1s", "1d"),
            "\"15m\"",
            "So long above it, with the margin to spare, closes it.",
        ),
        default(
            "capacity_close_margin",
            Kind::Number(0.0, 1.0),
            "0.2",
            "What must be to spare to close, as a share of what is required; capped by what the link can reach at all.",
        ),
        default("down_open", Kind::Duration("1s", "1d"), "\"3m\"", "So long down opens an incident."),
        default("down_close", Kind::Duration("1s", "1d"), "\"3m\"", "So long up closes it."),
        default("condition", Kind::Tables(&CONDITION), "[]", "Other figures for single conditions."),
    ],
};

static WEBHOOK: Table = Table {
    meaning: "A machine, such as an operator's ticket system, that is told of incidents over HTTP \
              (`docs/ticket-systems.md`).",
    keys: &[
        required("id", Kind::Id, "Its name."),
        required(
            "url",
            Kind::Url,
            "Where requests go: `https`, or `http` to this machine; without user and password. It is never shown.",
        ),
        optional(
            "secret_file",
            Kind::SecretFile,
            "see `secret_env`",
            "File whose only line is the secret that requests are signed with: 24 to 64 bytes in base64, as \
             `openssl rand -base64 32` makes them.",
        ),
        optional("secret_env", Kind::SecretEnv, "see `secret_file`", "Environment variable that holds the secret."),
        optional("secret", Kind::Refused("secret_file = \"…\" or secret_env = \"…\""), "", ""),
        optional(
            "wisp",
            Kind::Text,
            "it is told what the staff is told",
            "Id of an operator of the inventory: it is told what that operator is told.",
        ),
        optional("language", Kind::Choice(LANGUAGES), "the operator's, or the network's", "Of the titles in a report."),
        CA_FILE,
    ],
};

static NOTIFY: Table = Table {
    meaning: "When mails go out (`docs/mails.md`). The defaults are meant to be right without tuning; times of day are in \
              the network's time zone.",
    keys: &[
        default(
            "rodaggio",
            Kind::Duration("0s", "365d"),
            "\"14d\"",
            "Running in: for so long a new network tells its staff once a day what would have been sent, and nobody \
             else anything; then each operator is switched on with `vedetta rodaggio enable`. `\"0s\"`: no running in.",
        ),
        default(
            "batch",
            Kind::Duration("1s", "1d"),
            "\"30m\"",
            "Updates of one incident to one recipient are at least so far apart.",
        ),
        default(
            "reminder",
            Kind::Duration("1h", "30d"),
            "\"1d\"",
            "How often an operator is reminded, in the morning, of an incident that stays open; three times as long \
             where somebody took charge of it.",
        ),
        default(
            "fresh",
            Kind::Duration("1d", "30d"),
            "\"7d\"",
            "A conversation older than this goes on with a fresh mail, for mail programs lose old threads.",
        ),
        default(
            "escalate_critical",
            Kind::Duration("10m", "7d"),
            "\"2h\"",
            "Staff is told when nobody took charge of a critical incident for so long, counted outside quiet hours.",
        ),
        default(
            "escalate_major",
            Kind::Duration("10m", "7d"),
            "\"4h\"",
            "The same of any other, counted in working hours.",
        ),
        default("work_start", Kind::TimeOfDay, "\"08:00\"", "Working hours, Monday to Friday: start."),
        default("work_end", Kind::TimeOfDay, "\"17:00\"", "Their end."),
        default("quiet_start", Kind::TimeOfDay, "\"22:00\"", "Quiet hours, every day: start."),
        default("quiet_end", Kind::TimeOfDay, "\"07:00\"", "Their end."),
        default(
            "quiet",
            Kind::Choice(&["never", "updates", "all-but-critical"]),
            "\"updates\"",
            "What waits for the end of quiet hours: nothing; updates and reminders; all mails about incidents during \
             which the service works.",
        ),
        default("digest_at", Kind::TimeOfDay, "\"07:30\"", "When summaries and reminders go out."),
        default(
            "weekly",
            Kind::Choice(&["nobody", "staff", "contacts"]),
            "\"staff\"",
            "Who gets a summary of the week on Monday, at `digest_at`: `contacts` is the staff, and whoever a site names in \
             `contact_email`, of that site alone.",
        ),
        default(
            "mails_per_hour",
            Kind::Integer(2, 1000),
            "20",
            "Further mails to one recipient within an hour become one summary: nothing is lost.",
        ),
        default(
            "mqtt",
            Kind::Boolean,
            "true",
            "Whether incidents are published on `vedetta/v1/<network>/_hub/incidents/<operator>/<incident>`.",
        ),
        default("webhook", Kind::Tables(&WEBHOOK), "[]", "Machines that are told of incidents over HTTP."),
    ],
};

static SPOOL: Table = Table {
    meaning: "What the agent keeps until the hub has stored it. Beyond either limit the oldest goes first, counted.",
    keys: &[
        default("bytes_max", Kind::Integer(4_000_000, 1_000_000_000_000), "150_000_000", "Room on disk.").unit("bytes"),
        default("age_max", Kind::Duration("1h", "365d"), "\"35d\"", "Age."),
    ],
};

const DATA_DIR: Key = default("data_dir", Kind::Path, "\"/var/lib/vedetta\"", "The one directory that is written to.");

const POLL_INTERVAL: Key = default(
    "poll_interval",
    Kind::Duration("1s", "1h"),
    "\"60s\"",
    "How often every device is asked; the same on the hub and on its agents.",
);

/// `hub.toml`.
pub static HUB: Table = Table {
    meaning: "Settings of `vedetta hub`, the Union's machine. Every key has a default; an empty file is a good start.",
    keys: &[
        DATA_DIR,
        POLL_INTERVAL,
        optional("mqtt", Kind::Table(&MQTT), "the broker embedded in `vedetta run`", "The MQTT 5 broker."),
        optional("influx", Kind::Table(&INFLUX), "samples stay in the ledger only", "InfluxDB 2."),
        optional("mail", Kind::Table(&MAIL), "no mails are sent", "How mails leave."),
        default("web", Kind::Table(&WEB), "{}", "The status page."),
        default("alert", Kind::Table(&ALERT), "{}", "Hold times and thresholds."),
        default("notify", Kind::Table(&NOTIFY), "{}", "When mails go out."),
    ],
};

/// `agent.toml`.
pub static AGENT: Table = Table {
    meaning: "Settings of `vedetta agent`, the machine at a relay site.",
    keys: &[
        required("agent", Kind::Id, "The site where it stands: `[[site]]` with `agent = true` in the inventory."),
        optional(
            "network",
            Kind::Id,
            "see `network_file`",
            "The network's id: the hub sends this agent its part of the inventory.",
        ),
        optional(
            "network_file",
            Kind::Path,
            "see `network`",
            "An inventory on this machine, in place of what the hub would send.",
        ),
        DATA_DIR,
        POLL_INTERVAL,
        required("mqtt", Kind::Table(&MQTT), "The MQTT 5 broker."),
        default("spool", Kind::Table(&SPOOL), "{}", "What is kept until the hub has stored it."),
        default(
            "credential",
            Kind::Tables(&CREDENTIAL),
            "[]",
            "Ways to read devices, instead of or besides those of the inventory.",
        ),
    ],
};
