//! Client certificates: how long they are valid, and whether their files have changed.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::config::settings::TlsSettings;
use crate::model::UnixMillis;

/// Last instant of validity of the first certificate of a PEM file; `None` if it cannot be read.
pub fn expires_at(path: &Path) -> Option<UnixMillis> {
    let certificate = CertificateDer::from_pem_file(path).ok()?;
    not_after(&certificate)
}

/// `notAfter` of a certificate (RFC 5280, section 4.1).
pub fn not_after(der: &[u8]) -> Option<UnixMillis> {
    let (certificate, _) = element(der, 0x30)?;
    let (mut rest, _) = element(certificate, 0x30)?;
    // version, explicitly tagged, and absent in version 1
    if let Some((_, after)) = element(rest, 0xa0) {
        rest = after;
    }
    // serialNumber, signature, issuer
    for tag in [0x02, 0x30, 0x30] {
        rest = element(rest, tag)?.1;
    }
    let (validity, _) = element(rest, 0x30)?;
    let (_, end) = time(validity)?;
    time(end).map(|(at, _)| at)
}

/// One element of DER with this tag: its content, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    if found != tag {
        return None;
    }
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (bytes.iter().fold(0, |n, byte| n << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

/// UTCTime `YYMMDDHHMMSSZ` (50 to 99 are of the last century) or GeneralizedTime `YYYYMMDDHHMMSSZ`.
fn time(der: &[u8]) -> Option<(UnixMillis, &[u8])> {
    let (text, rest, short) = match element(der, 0x17) {
        Some((text, rest)) => (text, rest, true),
        None => element(der, 0x18).map(|(text, rest)| (text, rest, false))?,
    };
    let digits = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    if digits.len() != if short { 12 } else { 14 } || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (year, fields) = digits.split_at(if short { 2 } else { 4 });
    let year: i16 = year.parse().ok()?;
    let year = match (short, year) {
        (false, year) => year,
        (true, 50..) => 1900 + year,
        (true, year) => 2000 + year,
    };
    let field = |at: usize| fields.get(at..at + 2)?.parse::<i8>().ok();
    let at = jiff::civil::DateTime::new(year, field(0)?, field(2)?, field(4)?, field(6)?, field(8)?, 0).ok()?;
    let at = at.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some((UnixMillis(at.timestamp().as_millisecond()), rest))
}

/// What tells that one of the files was replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp(Vec<Option<(SystemTime, u64)>>);

impl Stamp {
    /// Of the files as they are now.
    pub fn of(tls: &TlsSettings) -> Self {
        let files = tls.client.iter().flat_map(|(certificate, key)| [certificate, key]).chain(&tls.ca_file);
        Self(
            files
                .map(|path: &PathBuf| {
                    let meta = std::fs::metadata(path).ok()?;
                    Some((meta.modified().ok()?, meta.len()))
                })
                .collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    fn der(year: i32) -> Vec<u8> {
        let mut params = CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
        params.not_before = date_time_ymd(1990, 1, 1);
        params.not_after = date_time_ymd(year, 3, 1);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn the_end_is_read_from_both_kinds_of_time() {
        // 1 March, by `date -u -d 2027-03-01 +%s`.
        for (year, seconds) in [(1999, 920_246_400), (2027, 1_803_859_200), (2051, 2_561_241_600)] {
            assert_eq!(not_after(&der(year)), Some(UnixMillis(seconds * 1000)), "{year}");
        }
        assert_eq!(not_after(b""), None);
        assert_eq!(expires_at(Path::new("/nowhere.pem")), None);
    }

    proptest! {
        #[test]
        fn damage_is_no_panic(at in 0usize..400, byte: u8, cut in 0usize..400) {
            static GOOD: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(|| der(2027));
            let mut bytes = GOOD.clone();
            if let Some(b) = bytes.get_mut(at) { *b = byte; }
            bytes.truncate(cut.max(1));
            not_after(&bytes);
        }
    }
}
