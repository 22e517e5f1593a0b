//! `hub.toml` and `agent.toml`. `[P]`

use std::path::{Path, PathBuf};

use super::credential::{self, path, required_secret, secret};
use super::inventory;
use crate::config::problem::Findings;
use crate::config::raw::Raw;
use crate::config::secret::Secret;
use crate::config::settings::{
    AgentSettings, AlertSettings, ConditionSettings, HubSettings, InfluxSettings, InventoryOf, MailOut, MailSettings,
    MqttSettings, NotifySettings, Quiet, SmtpSecurity, SmtpSettings, SpoolLimits, TlsSettings, WEB_PROXIES,
    WebSettings, WebhookSettings, Weekly,
};
use crate::config::text::{is_loopback, parse_url};
use crate::model::condition::{Condition, Delivery, Severity};
use crate::model::network::{Language, SecretRef};
use crate::model::{NetworkId, SiteId, WispId};

/// Ports by IANA's register: secure-mqtt, mqtt, submissions, submission, smtp.
const PORT_MQTT_TLS: u16 = 8883;
const PORT_MQTT: u16 = 1883;
const PORT_SUBMISSIONS: u16 = 465;
const PORT_SUBMISSION: u16 = 587;
const PORT_SMTP: u16 = 25;

/// A section with a fault becomes `None` here; [`super::finish`] hands nothing out then.
pub fn hub(raw: &Raw, base: &Path, findings: &mut Findings) -> Option<HubSettings> {
    let mqtt = raw.table("mqtt").and_then(|table| mqtt(table, base, findings));
    let influx = raw.table("influx").and_then(|table| influx(table, base, findings));
    let mail = raw.table("mail").and_then(|table| mail(table, base, findings));
    let web = raw.table("web").and_then(|table| web(table, findings));
    let notify = raw.table("notify").and_then(|table| notify(table, base, findings));
    Some(HubSettings {
        data_dir: path(raw, "data_dir", base)?,
        mqtt,
        influx,
        mail,
        web: web?,
        alert: alert(raw.table("alert")?, findings)?,
        notify: notify?,
        poll_interval: raw.duration("poll_interval")?,
    })
}

pub fn agent(raw: &Raw, base: &Path, findings: &mut Findings) -> Option<AgentSettings> {
    let mqtt = raw.table("mqtt").and_then(|table| mqtt(table, base, findings));
    let credentials = credential::credentials(raw, base, findings);
    let inventory = inventory_of(raw, base, findings);
    let spool = raw.table("spool")?;
    Some(AgentSettings {
        agent: SiteId::parse(raw.text("agent")?).ok()?,
        inventory: inventory?,
        mqtt: mqtt?,
        data_dir: path(raw, "data_dir", base)?,
        poll_interval: raw.duration("poll_interval")?,
        spool: SpoolLimits { bytes_max: spool.integer("bytes_max")?, age_max: spool.duration("age_max")? },
        credentials,
    })
}

fn inventory_of(raw: &Raw, base: &Path, findings: &mut Findings) -> Option<InventoryOf> {
    match (raw.is_written("network"), raw.is_written("network_file")) {
        (true, true) => {
            let wanted = "must not stand beside network: the inventory comes from the hub or from a file";
            findings.push(raw.error("network_file", wanted));
        }
        (false, false) => {
            let wanted = "must be given: the id of the network, whose hub then says what to measure (or network_file, \
                          an inventory on this machine)";
            findings.push(raw.error("network", wanted));
        }
        _ => {}
    }
    let id = raw.text("network").and_then(|id| NetworkId::parse(id).ok());
    id.map(InventoryOf::Hub).or_else(|| path(raw, "network_file", base).map(InventoryOf::File))
}

fn mqtt(raw: &Raw, base: &Path, findings: &mut Findings) -> Option<MqttSettings> {
    let password = user_and_password(raw, base, findings);
    let client = client_certificate(raw, base, findings);
    let tls = is_encrypted(raw, findings).then(|| TlsSettings { ca_file: path(raw, "ca_file", base), client });
    let port = raw.integer("port").and_then(|port| u16::try_from(port).ok());
    Some(MqttSettings {
        host: raw.text("host")?.to_owned(),
        port: port.unwrap_or(if tls.is_some() { PORT_MQTT_TLS } else { PORT_MQTT }),
        tls,
        user: raw.text("user").map(str::to_owned),
        password,
        keep_alive: raw.duration("keep_alive")?,
    })
}

/// Whether the connection has TLS; a plain one to another machine must be asked for in words.
fn is_encrypted(raw: &Raw, findings: &mut Findings) -> bool {
    let is_plain_meant = raw.boolean("plain") == Some(true);
    let is_near = raw.text("host").is_none_or(is_loopback);
    let certificates = ["ca_file", "client_cert_file", "client_key_file"];
    let named = certificates.into_iter().find(|key| raw.is_written(key));
    let tls = raw.boolean("tls").unwrap_or(named.is_some() || !(is_near || is_plain_meant));
    if tls && is_plain_meant {
        findings.push(raw.error("plain", "contradicts tls and the certificates that are named: one of them must go"));
    }
    if !tls && let Some(key) = named {
        findings.push(raw.error(key, "has no use with tls = false"));
    }
    if !tls && !is_near && !is_plain_meant {
        let wanted = "without TLS everyone on the way to this broker reads the password and may forge samples; where \
                      that is meant, write plain = true";
        findings.push(raw.error("tls", wanted).found("false"));
    }
    tls
}

fn client_certificate(raw: &Raw, base: &Path, findings: &mut Findings) -> Option<(PathBuf, PathBuf)> {
    for (key, other) in [("client_cert_file", "client_key_file"), ("client_key_file", "client_cert_file")] {
        if raw.is_written(key) && !raw.is_written(other) {
            findings.push(raw.error(key, format!("needs {other} beside it")));
        }
    }
    Some((path(raw, "client_cert_file", base)?, path(raw, "client_key_file", base)?))
}

/// The password, if there is one; it goes with a user.
fn user_and_password(raw: &Raw, base: &Path, findings: &mut Findings) -> Option<SecretRef> {
    let password = secret(raw, "password", base, findings);
    if password.is_some() && !raw.is_written("user") {
        findings.push(raw.error("user", "must be given with a password"));
    }
    password
}

fn influx(raw: &Raw, base: &Path, findings: &mut Findings) -> Option<InfluxSettings> {
    let token = secret(raw, "token", base, findings);
    let url = raw.text("url")?;
    let is_exposed = parse_url(url).is_some_and(|url| !url.secure && !is_loopback(url.host));
    if is_exposed && token.is_some() {
        findings.push(raw.warning("url", "the token crosses the network unencrypted: https:// would hide it"));
    }
    Some(InfluxSettings {
        url: url.to_owned(),
        org: raw.text("org")?.to_owned(),
        bucket: raw.text("bucket")?.to_owned(),
        token,
        ca_file: path(raw, "ca_file", base),
    })
}

fn mail(raw: &Raw, base: &Path, findings: &mut Findings) -> Option<MailSettings> {
    match (raw.is_written("smtp"), raw.is_written("maildir")) {
        (true, true) => findings.push(raw.error("maildir", "must not stand beside smtp: mails leave in one way")),
        (false, false) => findings.push(raw.error("smtp", "must be given, or maildir: mails need a way to leave")),
        _ => {}
    }
    let out = match raw.table("smtp") {
        Some(table) => smtp(table, base, findings).map(MailOut::Smtp),
        None => path(raw, "maildir", base).map(MailOut::Maildir),
    };
    Some(MailSettings {
        from: raw.text("from")?.to_owned(),
        reply_to: raw.text("reply_to").map(str::to_owned),
        out: out?,
    })
}

fn smtp(raw: &Raw, base: &Path, findings: &mut Findings) -> Option<SmtpSettings> {
    let password = user_and_password(raw, base, findings);
    let host = raw.text("host")?;
    let (security, usual_port) = match raw.text("security")? {
        "tls" => (SmtpSecurity::ImplicitTls, PORT_SUBMISSIONS),
        "plain" => (SmtpSecurity::Plain, PORT_SMTP),
        _ => (SmtpSecurity::StartTls, PORT_SUBMISSION),
    };
    if security == SmtpSecurity::Plain && password.is_some() && !is_loopback(host) {
        findings.push(raw.warning("security", "the password crosses the network unencrypted").found("\"plain\""));
    }
    Some(SmtpSettings {
        host: host.to_owned(),
        port: raw.integer("port").and_then(|port| u16::try_from(port).ok()).unwrap_or(usual_port),
        security,
        user: raw.text("user").map(str::to_owned),
        password,
        ca_file: path(raw, "ca_file", base),
    })
}

fn web(raw: &Raw, findings: &mut Findings) -> Option<WebSettings> {
    let listen = raw.socket("listen")?;
    if !listen.ip().is_loopback() {
        let wanted = "the page speaks no TLS: passwords and cookies cross the network unencrypted; put a reverse proxy before it";
        findings.push(raw.warning("listen", wanted).found(format!("\"{listen}\"")));
    }
    let public_url = raw.text("public_url").map(str::to_owned);
    // Behind a proxy on this machine everybody comes from loopback, whatever the proxy says of them.
    let open_to = match (raw.is_written("open_to"), &public_url) {
        (true, _) => inventory::addresses(raw, "open_to"),
        (false, None) => WEB_PROXIES.to_vec(),
        (false, Some(_)) => Vec::new(),
    };
    Some(WebSettings {
        listen,
        public_url,
        proxies: inventory::addresses(raw, "proxies"),
        open_to,
        public_summary: raw.boolean("public_summary").unwrap_or(false),
        contact: raw.text("contact").map(str::to_owned),
        language: inventory::language(raw).unwrap_or(Language::Italian),
    })
}

fn alert(raw: &Raw, findings: &mut Findings) -> Option<AlertSettings> {
    Some(AlertSettings {
        capacity_open: raw.duration("capacity_open")?,
        capacity_close: raw.duration("capacity_close")?,
        capacity_close_margin: raw.number("capacity_close_margin")?,
        down_open: raw.duration("down_open")?,
        down_close: raw.duration("down_close")?,
        conditions: raw.tables("condition").iter().filter_map(|table| condition(table, findings)).collect(),
        speed: 1.0,
    })
}

fn condition(raw: &Raw, findings: &mut Findings) -> Option<ConditionSettings> {
    let condition = Condition::parse(raw.text("condition")?)?;
    let set = ConditionSettings {
        condition,
        kind: raw.text("kind").map(str::to_owned),
        subject: raw.text("subject").map(str::to_owned),
        enabled: raw.boolean("enabled"),
        open: raw.duration("open"),
        close: raw.duration("close"),
        threshold: raw.number("threshold"),
        close_threshold: raw.number("close_threshold"),
        flaps: raw.integer("flaps").and_then(|n| u32::try_from(n).ok()),
        quiet: raw.duration("quiet"),
        severity: raw.text("severity").and_then(Severity::parse),
        delivery: raw.text("delivery").and_then(Delivery::parse),
    };
    thresholds(raw, &set, findings);
    Some(set)
}

/// A threshold fits its condition, and leaves room between opening and closing on the right side.
fn thresholds(raw: &Raw, set: &ConditionSettings, findings: &mut Findings) {
    let word = set.condition.as_str();
    for (key, found) in [("threshold", set.threshold), ("close_threshold", set.close_threshold)] {
        let Some(found) = found else { continue };
        let Some(spec) = set.condition.spec().threshold else {
            findings.push(raw.error(key, format!("`{word}` has no threshold")).found(found.to_string()));
            continue;
        };
        let (min, max) = spec.range;
        if !(min..=max).contains(&found) {
            let wanted = format!("must be between {min} and {max} {} for `{word}`", spec.unit);
            findings.push(raw.error(key, wanted).found(found.to_string()));
        }
    }
    if let (Some(spec), Some(open), Some(close)) = (set.condition.spec().threshold, set.threshold, set.close_threshold)
        && (close > open) == spec.is_upper()
    {
        let side = if spec.is_upper() { "at most" } else { "at least" };
        let wanted = format!("must be {side} `threshold` ({open}), or `{word}` would open and close at once");
        findings.push(raw.error("close_threshold", wanted).found(close.to_string()));
    }
}

fn webhook(raw: &Raw, base: &Path, findings: &mut Findings) -> Option<WebhookSettings> {
    let secret = required_secret(raw, "secret", base, findings);
    let url = raw.text("url")?;
    if parse_url(url).is_some_and(|url| !url.secure && !is_loopback(url.host)) {
        let wanted =
            "must begin with https://: everyone on the way would read what is told; http:// is for this machine";
        findings.push(raw.error("url", wanted));
    }
    let wisp = raw.text("wisp").map(WispId::parse);
    if matches!(wisp, Some(Err(_))) {
        findings.push(raw.error("wisp", "must be the id of an operator of the inventory"));
    }
    Some(WebhookSettings {
        id: raw.text("id")?.to_owned(),
        url: Secret::new(url),
        secret: secret?,
        wisp: wisp.transpose().ok()?,
        language: inventory::language(raw),
        ca_file: path(raw, "ca_file", base),
    })
}

fn notify(raw: &Raw, base: &Path, findings: &mut Findings) -> Option<NotifySettings> {
    let (work_start_minute, work_end_minute) = (raw.minute_of_day("work_start")?, raw.minute_of_day("work_end")?);
    if work_end_minute <= work_start_minute {
        findings.push(raw.error("work_end", "must be later than work_start"));
    }
    let (quiet_start_minute, quiet_end_minute) = (raw.minute_of_day("quiet_start")?, raw.minute_of_day("quiet_end")?);
    if quiet_start_minute == quiet_end_minute {
        findings
            .push(raw.error("quiet_end", "must differ from quiet_start; where no hour is quiet: quiet = \"never\""));
    }
    Some(NotifySettings {
        rodaggio: raw.duration("rodaggio")?,
        batch: raw.duration("batch")?,
        reminder: raw.duration("reminder")?,
        fresh: raw.duration("fresh")?,
        escalate_critical: raw.duration("escalate_critical")?,
        escalate_major: raw.duration("escalate_major")?,
        work_start_minute,
        work_end_minute,
        quiet_start_minute,
        quiet_end_minute,
        quiet: match raw.text("quiet")? {
            "never" => Quiet::Never,
            "all-but-critical" => Quiet::AllButCritical,
            _ => Quiet::Updates,
        },
        digest_minute: raw.minute_of_day("digest_at")?,
        weekly: match raw.text("weekly")? {
            "nobody" => Weekly::Nobody,
            "contacts" => Weekly::Contacts,
            _ => Weekly::Staff,
        },
        mails_per_hour: u32::try_from(raw.integer("mails_per_hour")?).ok()?,
        mqtt: raw.boolean("mqtt")?,
        webhooks: raw.tables("webhook").iter().filter_map(|table| webhook(table, base, findings)).collect(),
    })
}
