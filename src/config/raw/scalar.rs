//! Single values: each kind of [`Kind`] from the TOML value that stands for it. `[P]`

use std::net::IpAddr;

use toml::de::DeValue;

use super::Value;
use crate::config::problem::near_miss;
use crate::config::schema::{self, Kind};
use crate::config::text;
use crate::model::id::check_id;

/// More choices than these do not fit into a message.
const CHOICES_SHOWN_MAX: usize = 12;

/// Longest line of text accepted, in bytes.
const LINE_BYTES_MAX: usize = 500;
/// Longest text of several lines accepted, in bytes.
const PROSE_BYTES_MAX: usize = 4000;

/// Why a value does not fit.
pub(super) struct Wrong {
    pub wanted: String,
    pub near: Option<String>,
}

impl Wrong {
    pub fn new(wanted: impl Into<String>) -> Self {
        Self { wanted: wanted.into(), near: None }
    }

    pub fn near(wanted: impl Into<String>, near: Option<String>) -> Self {
        Self { wanted: wanted.into(), near }
    }
}

pub(super) fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

/// A single value of this kind.
pub(super) fn scalar(kind: Kind, value: &DeValue<'_>) -> Result<Value, Wrong> {
    match kind {
        Kind::Refused(instead) => Err(Wrong::new(schema::refused_wording(instead))),
        Kind::Boolean => match value {
            DeValue::Boolean(value) => Ok(Value::Boolean(*value)),
            other => Err(Wrong::near(
                "must be true or false",
                other.as_str().and_then(|t| near_miss(t, ["true", "false"])).map(str::to_owned),
            )),
        },
        Kind::Integer(min, max) => integer(value, min, max),
        Kind::Number(min, max) => number(value, min, max, format!("must be between {min} and {max}")),
        Kind::Positive(max) => number(value, f64::MIN_POSITIVE, max, format!("must be more than 0 and at most {max}")),
        Kind::Table(_) => Err(Wrong::new("must be a table: { … }")),
        Kind::Tables(_) => Err(Wrong::new("must be a list of tables: write its heading with two brackets, [[…]]")),
        Kind::References(..) | Kind::Texts | Kind::Addresses | Kind::Emails => {
            Err(Wrong::near("must be a list", value.as_str().map(|text| format!("[{}]", quoted(text)))))
        }
        _ => match value {
            DeValue::String(found) => text_value(kind, found),
            DeValue::Integer(found) if matches!(kind, Kind::Duration(..)) => Err(Wrong::near(
                "must be a duration with its unit, such as \"30s\", \"15m\" or \"35d\"",
                Some(quoted(&format!("{found}s"))),
            )),
            DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) => {
                Err(Wrong::new("must be a text in quotes"))
            }
            DeValue::Array(_) | DeValue::Table(_) => Err(Wrong::new("must be a single text in quotes")),
        },
    }
}

fn integer(value: &DeValue<'_>, min: u64, max: u64) -> Result<Value, Wrong> {
    let wanted = format!("must be between {min} and {max}");
    match value {
        DeValue::Integer(found) => match i128::from_str_radix(found.as_str(), found.radix()) {
            Ok(n) if n >= i128::from(min) && n <= i128::from(max) => Ok(Value::Integer(n as u64)),
            Ok(n) => {
                let near = n.checked_neg().filter(|n| *n > 0 && *n >= i128::from(min) && *n <= i128::from(max));
                Err(Wrong::near(wanted, near.map(|n| n.to_string())))
            }
            Err(_) => Err(Wrong::new(wanted)),
        },
        other => Err(Wrong::near(
            "must be a whole number",
            other.as_str().filter(|t| t.parse::<u64>().is_ok()).map(str::to_owned),
        )),
    }
}

fn number(value: &DeValue<'_>, min: f64, max: f64, wanted: String) -> Result<Value, Wrong> {
    let found = match value {
        DeValue::Integer(found) => i128::from_str_radix(found.as_str(), found.radix()).ok().map(|n| n as f64),
        DeValue::Float(found) => found.as_str().parse().ok(),
        other => {
            let comma = other.as_str().map(|t| t.trim().replace(',', ".")).filter(|t| t.parse::<f64>().is_ok());
            return Err(Wrong::near("must be a number", comma));
        }
    };
    match found {
        Some(n) if n >= min && n <= max => Ok(Value::Number(n)),
        _ => Err(Wrong::new(wanted)),
    }
}

fn text_value(kind: Kind, found: &str) -> Result<Value, Wrong> {
    plain_text(kind, found)?;
    let text = || Ok(Value::Text(found.to_owned()));
    let accept = |fits: bool, wanted: &str| if fits { text() } else { Err(Wrong::new(wanted)) };
    match kind {
        Kind::Id | Kind::Reference(_) => match check_id(found) {
            Ok(()) => text(),
            Err(error) => Err(Wrong::near(error.to_string(), text::suggest_id(found).map(|id| quoted(&id)))),
        },
        Kind::Choice(choices) => choice(found, choices),
        Kind::Duration(min, max) => duration(found, min, max),
        Kind::TimeOfDay => text::parse_minute_of_day(found)
            .map(Value::MinuteOfDay)
            .ok_or_else(|| Wrong::new("must be a time of day from \"00:00\" to \"23:59\"")),
        Kind::TimeZone => time_zone(found),
        Kind::Address => found
            .parse()
            .map(Value::Address)
            .map_err(|_| Wrong::near("must be an IPv4 or IPv6 address", address_without_extras(found))),
        Kind::Socket => found
            .parse()
            .map(Value::Socket)
            .map_err(|_| Wrong::new("must be an IP address and a port, such as \"127.0.0.1:8080\" or \"[::1]:8080\"")),
        Kind::Host => accept(text::is_host(found), "must be a host name or an IP address, without port and scheme"),
        Kind::Mac => text::parse_mac(found)
            .map(Value::Text)
            .ok_or_else(|| Wrong::new("must be a MAC address, such as \"02:00:00:38:05:01\"")),
        Kind::Email => email(found, Some(found)),
        Kind::Mailbox => email(found, text::mailbox_address(found)),
        Kind::Url => accept(
            text::parse_url(found).is_some(),
            "must be an address that begins with http:// or https://, without user and password",
        ),
        Kind::SecretEnv => accept(
            is_variable_name(found),
            "must be the name of an environment variable (letters, digits, underscores), not the secret itself",
        ),
        _ => text(),
    }
}

/// What holds for every text: not empty, not endless, no control characters. (A line break in a name would end up in
/// a mail's header.)
fn plain_text(kind: Kind, found: &str) -> Result<(), Wrong> {
    let (bytes_max, may_break) = match kind {
        Kind::Prose => (PROSE_BYTES_MAX, true),
        _ => (LINE_BYTES_MAX, false),
    };
    if found.trim().is_empty() {
        return Err(Wrong::new("must not be empty"));
    }
    if found.len() > bytes_max {
        return Err(Wrong::new(format!("must have at most {bytes_max} bytes")));
    }
    if found.chars().any(|c| c.is_control() && !(may_break && c == '\n')) {
        return Err(Wrong::new(if may_break {
            "must have no control characters"
        } else {
            "must be one line, without control characters"
        }));
    }
    Ok(())
}

fn choice(found: &str, choices: &[&str]) -> Result<Value, Wrong> {
    if choices.contains(&found) {
        return Ok(Value::Text(found.to_owned()));
    }
    let all: Vec<_> = choices.iter().map(|c| quoted(c)).collect();
    let wanted = if choices.len() <= CHOICES_SHOWN_MAX {
        format!("must be {}", all.join(" or "))
    } else {
        "must be one of those that `vedetta check --reference` lists".to_owned()
    };
    Err(Wrong::near(wanted, near_miss(found, choices.iter().copied()).map(quoted)))
}

fn duration(found: &str, min: &str, max: &str) -> Result<Value, Wrong> {
    let Some(duration) = text::parse_duration(found) else {
        let near = usual_duration(found).map(|text| quoted(&text));
        return Err(Wrong::near("must be a duration with its unit, such as \"30s\", \"15m\" or \"35d\"", near));
    };
    let is_in = text::parse_duration(min).is_none_or(|min| duration >= min)
        && text::parse_duration(max).is_none_or(|max| duration <= max);
    if is_in { Ok(Value::Duration(duration)) } else { Err(Wrong::new(format!("must be between {min} and {max}"))) }
}

/// `15 min` and `2 Hours` meant `15m` and `2h`.
fn usual_duration(found: &str) -> Option<String> {
    let text: String = found.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_lowercase();
    let letters = text.find(|c: char| c.is_ascii_alphabetic())?;
    let unit = match &text[letters..] {
        unit @ ("ms" | "s" | "m" | "h" | "d") => unit,
        "sec" | "secs" | "second" | "seconds" => "s",
        "min" | "mins" | "minute" | "minutes" => "m",
        "hour" | "hours" => "h",
        "day" | "days" => "d",
        _ => return None,
    };
    let text = format!("{}{unit}", &text[..letters]);
    text::parse_duration(&text).map(|_| text)
}

fn time_zone(found: &str) -> Result<Value, Wrong> {
    let zones = jiff::tz::db();
    if zones.get(found).is_ok() {
        return Ok(Value::Text(found.to_owned()));
    }
    let names: Vec<_> = zones.available().map(|name| name.as_str().to_owned()).collect();
    let near = near_miss(found, names.iter().map(String::as_str)).map(quoted);
    Err(Wrong::near("must be a time zone of the IANA database, such as \"Europe/Rome\"", near))
}

fn email(found: &str, address: Option<&str>) -> Result<Value, Wrong> {
    match address.filter(|address| text::is_email(address)) {
        None => Err(Wrong::new("must be an address of mail, such as \"noc@wisp.example\"")),
        Some(address) if text::is_pec(address) => Err(Wrong::new(
            "must not be a certified mailbox (PEC): it turns ordinary mail away, and what arrives there is a legal act; \
             write an ordinary address",
        )),
        Some(_) => Ok(Value::Text(found.to_owned())),
    }
}

/// `10.38.0.1/24` and `10.38.0.1:161` meant `10.38.0.1`.
fn address_without_extras(found: &str) -> Option<String> {
    let bare = found.trim().split(['/', ':']).next()?;
    bare.parse::<IpAddr>().ok().map(|address| quoted(&address.to_string()))
}

fn is_variable_name(text: &str) -> bool {
    !text.starts_with(|c: char| c.is_ascii_digit()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}
