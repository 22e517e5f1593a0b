//! `[scenario]`: a test of what is told, `vedetta check --scenarios`. `[P]`

use super::{Kind, Table, default, optional, required};

/// The part of a scenario's file that is no inventory and no settings.
pub static SCENARIO: Table = Table {
    meaning: "A test of what is told: a time line of trouble, and the mails that must come of it. `vedetta check \
              --scenarios DIR` plays every such file below a directory; docs/scenarios.md explains the sentences. \
              `[scenario.alert]` and `[scenario.notify]` have the keys of `[alert]` and `[notify]` in `hub.toml`.",
    keys: &[required("scenario", Kind::Table(&TABLE), "The scenario.")],
};

static TABLE: Table = Table {
    meaning: "The scenario. What else stands in the file is its inventory.",
    keys: &[
        required("title", Kind::Text, "What it shows, in a line."),
        optional(
            "network",
            Kind::Path,
            "the inventory in this file, else that of the command line",
            "The inventory that it is played on.",
        ),
        default("start", Kind::Text, "\"2026-11-24T10:00\"", "When it begins, in the network's time zone."),
        required("lasts", Kind::Duration("1m", "31d"), "How long it lasts."),
        default("interval", Kind::Duration("1s", "1h"), "\"1m\"", "How often agents poll; the hub's `poll_interval`."),
        default("look", Kind::Duration("1s", "1h"), "\"15s\"", "How often the hub evaluates."),
        default("link_mbps", Kind::Positive(100_000.0), "500", "What a radio link carries where no sentence says.")
            .unit("Mbps"),
        required("timeline", Kind::Texts, "Sentences: `at 10m link X down`, `expect opened to W at 13m about link X`."),
    ],
};
