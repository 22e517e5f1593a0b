//! Texts with a meaning: durations, times of day, addresses of mail, of the web and of hardware. `[P]`

use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;

/// Longest duration accepted: ten years.
const DURATION_DAYS_MAX: u64 = 3653;

/// Units of a duration, longest first: the order in which they may be combined.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

/// Lower-case hexadecimal, two digits a byte.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// `30s`, `15m`, `35d`, `500ms`, `1h30m`. `None` if it is not one.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut total_ms: u64 = 0;
    let mut n_units = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        let after = &rest[digits..];
        let length = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let position = UNITS.iter().position(|(name, _)| *name == &after[..length])?;
        if position < n_units {
            return None;
        }
        n_units = position + 1;
        total_ms = total_ms.checked_add(number.checked_mul(UNITS[position].1)?)?;
        rest = &after[length..];
    }
    let duration = Duration::from_millis(total_ms);
    (n_units > 0 && duration <= Duration::from_hours(24 * DURATION_DAYS_MAX)).then_some(duration)
}

/// `22:30` as minutes after midnight; `24:00` is not one.
pub fn parse_minute_of_day(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |t: &str| (t.len() == 2 && t.bytes().all(|b| b.is_ascii_digit())).then(|| t.parse::<u16>().ok())?;
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (hours < 24 && minutes < 60).then_some(60 * hours + minutes)
}

/// A hardware address in any usual writing, as twelve lower-case hexadecimal digits.
pub fn parse_mac(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(|c| !matches!(c, ':' | '-' | '.')).collect();
    let separators_fit = match text.len() {
        12 => text.len() == digits.len(),
        14 => text.split('.').count() == 3,
        17 => text.split([':', '-']).count() == 6,
        _ => false,
    };
    (separators_fit && digits.len() == 12 && digits.bytes().all(|b| b.is_ascii_hexdigit()))
        .then(|| digits.to_ascii_lowercase())
}

/// Whether this is an address of mail as RFC 5321 has it, without quoted local parts, comments and address literals:
/// none of those belongs in an inventory.
pub fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let local_fits = !local.is_empty()
        && local.len() <= 64
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
        && local.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&b));
    local_fits && is_host_name(domain) && (domain.contains('.') || domain == "localhost")
}

/// Labels of letters, digits and hyphens (RFC 1123).
pub fn is_host_name(text: &str) -> bool {
    text.len() <= 253
        && text.split('.').all(|label| {
            !label.is_empty()
                && label.len() <= 63
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        })
}

/// Whether an address of mail belongs to Italian certified mail (PEC), as far as its domain shows. PEC boxes turn
/// away ordinary mail or file it as an anomaly, and a notice that arrives there is a legal act: nobody means that for
/// an alert.
pub fn is_pec(address: &str) -> bool {
    let domain = address.rsplit('@').next().unwrap_or("").to_ascii_lowercase();
    let providers = ["legalmail", "postacert", "postecert", "arubapec", "mypec", "gigapec", "namirialpec", "pecmail"];
    domain == "cert.ruparpiemonte.it"
        || domain.split('.').any(|label| {
            label == "pec"
                || label.starts_with("pec-")
                || label.ends_with("-pec")
                || providers.iter().any(|provider| label.contains(provider))
        })
}

/// The address in `Name <address>`, or the whole text where there is no name. `None` if neither is right.
pub fn mailbox_address(text: &str) -> Option<&str> {
    let address = match text.split_once('<') {
        Some((name, rest)) => {
            let name = name.trim();
            if name.is_empty() || name.contains(['>', '"', '\\', '@']) {
                return None;
            }
            rest.strip_suffix('>')?
        }
        None => text,
    };
    is_email(address).then_some(address)
}

/// What a URL of a configuration must have, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Url<'t> {
    pub secure: bool,
    pub host: &'t str,
}

/// `http` or `https`, a host, perhaps a port and a path; no user, no password, no space.
pub fn parse_url(text: &str) -> Option<Url<'_>> {
    let (scheme, rest) = text.split_once("://")?;
    let secure = match scheme {
        "https" => true,
        "http" => false,
        _ => return None,
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or("");
    if authority.contains('@') || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return None;
    }
    let (host, port) = split_port(authority)?;
    let port_fits = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|n| n > 0));
    (port_fits && is_host(host)).then_some(Url { secure, host })
}

/// Host and port of `host:port`, `[::1]:port` or `host`.
fn split_port(authority: &str) -> Option<(&str, Option<&str>)> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, after) = rest.split_once(']')?;
        return match after {
            "" => Some((host, None)),
            _ => Some((host, Some(after.strip_prefix(':')?))),
        };
    }
    Some(authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port))))
}

/// A host name or an IP address.
pub fn is_host(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok() || is_host_name(text)
}

/// Whether what is sent to this host stays on this machine.
pub fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// An identifier made of any text, for "did you mean": `San Benedetto Belbo` gives `san-benedetto-belbo`.
pub fn suggest_id(text: &str) -> Option<String> {
    let mut out = String::new();
    for c in text.chars().flat_map(char::to_lowercase) {
        let c = match c {
            'à' | 'á' => 'a',
            'è' | 'é' => 'e',
            'ì' | 'í' => 'i',
            'ò' | 'ó' => 'o',
            'ù' | 'ú' => 'u',
            c if c.is_ascii_alphanumeric() => c,
            _ => '-',
        };
        if c != '-' || !(out.is_empty() || out.ends_with('-')) {
            out.push(c);
        }
    }
    let out = out.trim_end_matches('-');
    crate::model::id::check_id(out).is_ok().then(|| out.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations() {
        fn check(text: &str, expected_ms: Option<u64>) {
            assert_eq!(parse_duration(text), expected_ms.map(Duration::from_millis), "{text}");
        }
        check("30s", Some(30_000));
        check("15m", Some(900_000));
        check("35d", Some(3_024_000_000));
        check("500ms", Some(500));
        check("1h30m", Some(5_400_000));
        check("1m500ms", Some(60_500));
        check("0s", Some(0));
        for bad in ["", "30", "s", "30 s", "-3s", "1m1h", "1s1s", "1.5h", "3y", "99999999999999999999s", "4000d", "٣s"]
        {
            check(bad, None);
        }
    }

    proptest! {
        #[test]
        fn a_duration_is_the_sum_of_its_parts(d in 0u64..3000, h in 0u64..99, s in 0u64..999, ms in 0u64..9999) {
            let expected = Duration::from_millis(((d * 24 + h) * 3600 + s) * 1000 + ms);
            prop_assert_eq!(parse_duration(&format!("{d}d{h}h{s}s{ms}ms")), Some(expected));
        }

        #[test]
        fn no_text_panics(text in any::<String>()) {
            let _ = (parse_duration(&text), parse_minute_of_day(&text), parse_mac(&text), is_email(&text));
            let _ = (is_pec(&text), mailbox_address(&text), parse_url(&text), parse_url(&format!("http://{text}")));
            prop_assert!(suggest_id(&text).is_none_or(|id| crate::model::id::check_id(&id).is_ok()));
        }
    }

    #[test]
    fn times_of_day() {
        assert_eq!(parse_minute_of_day("00:00"), Some(0));
        assert_eq!(parse_minute_of_day("22:30"), Some(1350));
        for bad in ["24:00", "7:30", "22.30", "22:60", "", "aa:bb", "+1:00"] {
            assert_eq!(parse_minute_of_day(bad), None, "{bad}");
        }
    }

    #[test]
    fn hardware_addresses() {
        for good in ["02:00:00:38:0A:01", "02-00-00-38-0a-01", "020000380a01", "0200.0038.0a01"] {
            assert_eq!(parse_mac(good).as_deref(), Some("020000380a01"), "{good}");
        }
        for bad in ["", "02:00:00:38:0a", "02:00:00:38:0a:0g", "0200:0038:0a01", "02:00:00:38:0a:01:02"] {
            assert_eq!(parse_mac(bad), None, "{bad}");
        }
    }

    #[test]
    fn addresses_of_mail() {
        for good in ["noc@langhenet.example", "a.b+c@x-y.example.it", "root@localhost"] {
            assert!(is_email(good), "{good}");
        }
        for bad in ["", "noc", "@x.it", "a@", "a@b", "a@@b.it", "a b@c.it", ".a@b.it", "a@b..it", "a@-b.it", "a\n@b.it"]
        {
            assert!(!is_email(bad), "{bad}");
        }
    }

    #[test]
    fn certified_mail_is_recognised_and_cheese_is_not() {
        for pec in [
            "unione@pec.example.it",
            "x@pec-mail.example",
            "x@studio-pec.example",
            "x@legalmail.it",
            "x@cert.legalmail.it",
            "x@postacert.example.it",
            "x@arubapec.example",
            "comune@cert.ruparpiemonte.it",
        ] {
            assert!(is_pec(pec), "{pec}");
        }
        for plain in ["noc@langhenet.example", "pec@langhenet.example", "info@pecorino.example", "noc@cert.example"] {
            assert!(!is_pec(plain), "{plain}");
        }
    }

    #[test]
    fn mailboxes() {
        assert_eq!(mailbox_address("Unione Montana <rete@unione.example>"), Some("rete@unione.example"));
        assert_eq!(mailbox_address("rete@unione.example"), Some("rete@unione.example"));
        for bad in
            ["Unione <rete>", "<rete@unione.example>", "Unione <rete@unione.example", "a@b.it <rete@unione.example>"]
        {
            assert_eq!(mailbox_address(bad), None, "{bad}");
        }
    }

    #[test]
    fn urls() {
        let check = |text: &str, secure, host| assert_eq!(parse_url(text), Some(Url { secure, host }), "{text}");
        check("https://documenti.example.it/health", true, "documenti.example.it");
        check("http://127.0.0.1:8086", false, "127.0.0.1");
        check("http://[::1]:8086/x?y", false, "::1");
        for bad in [
            "documenti.example.it",
            "ftp://x.it",
            "http://",
            "https://user:secret@x.it/",
            "http://x.it:0",
            "http://x.it:port",
            "http://a b/",
            "http://[::1",
        ] {
            assert_eq!(parse_url(bad), None, "{bad}");
        }
        assert!(is_loopback("localhost") && is_loopback("127.3.2.1") && is_loopback("::1"));
        assert!(!is_loopback("broker.example") && !is_loopback("10.0.0.1"));
    }

    #[test]
    fn suggested_ids() {
        assert_eq!(suggest_id("San Benedetto Belbo").as_deref(), Some("san-benedetto-belbo"));
        assert_eq!(suggest_id("Mondovì / ufficio").as_deref(), Some("mondovi-ufficio"));
        assert_eq!(suggest_id("日本"), None);
    }
}
