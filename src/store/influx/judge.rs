//! What an answer of InfluxDB means, and how long to wait. `[P]`
//!
//! Answers: InfluxDB 2 API reference, `POST /api/v2/write`.

use std::time::Duration;

use rand::Rng;

use crate::model::UnixMillis;

/// Longest wait that a server may ask for.
pub const RETRY_AFTER_MAX: Duration = Duration::from_mins(15);
/// What is shown of a server's own words, in characters.
const WORDS_MAX: usize = 200;

/// What to do with lines that were sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Written,
    /// Too much at once.
    Split,
    /// Some lines cannot be stored.
    BadLines,
    /// The same again later.
    Retry,
    /// Nothing can be written until a person changes something.
    Refused(&'static str),
}

/// Judges by the status code alone.
pub fn judge(status: u16) -> Verdict {
    match status {
        // Only these: a proxy or a portal that answers 200 with a page of its own has stored nothing.
        201 | 204 => Verdict::Written,
        400 | 422 => Verdict::BadLines,
        401 => Verdict::Refused("InfluxDB does not know the token"),
        403 => Verdict::Refused("the token may not write to the bucket"),
        404 => Verdict::Refused("no such organisation or bucket, or the URL is not InfluxDB's"),
        413 => Verdict::Split,
        408 | 425 | 429 | 500..=599 => Verdict::Retry,
        _ => Verdict::Refused("this is not an answer of InfluxDB"),
    }
}

/// The `Retry-After` header (RFC 9110, section 10.2.3): seconds, or a date.
pub fn retry_after(header: &str, now: UnixMillis) -> Option<Duration> {
    let wait = if let Ok(seconds) = header.trim().parse() {
        Duration::from_secs(seconds)
    } else {
        let at = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(header.trim()).ok()?;
        UnixMillis(at.as_millisecond()).since(now)
    };
    Some(wait.min(RETRY_AFTER_MAX))
}

/// How patient the sink is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Longest wait after the first failure; each further one doubles it.
    pub first: Duration,
    pub max: Duration,
    /// Wait where only a person can help.
    pub refused: Duration,
    /// For one request, connecting included.
    pub request: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(1),
            max: Duration::from_mins(1),
            refused: Duration::from_mins(1),
            request: Duration::from_secs(30),
        }
    }
}

/// Wait after so many failures in a row: half of it certain, half by chance.
pub fn backoff<R: Rng>(pace: &Pace, failures: u32, rng: &mut R) -> Duration {
    let doubled = pace.first.saturating_mul(1 << failures.saturating_sub(1).min(16));
    doubled.min(pace.max).mul_f64(rng.random_range(0.5..=1.0))
}

/// The server's own words, short and on one line; InfluxDB puts them into a JSON object.
pub fn words(body: &[u8]) -> String {
    let json: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let message = json.as_ref().and_then(|json| json.get("message").or(json.get("error"))?.as_str());
    let text = message.map_or_else(|| String::from_utf8_lossy(body), Into::into);
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(WORDS_MAX).collect();
    plain.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::SmallRng;

    use super::*;

    #[test]
    fn only_an_answer_of_influxdb_means_written() {
        assert_eq!(judge(204), Verdict::Written);
        assert!(matches!(judge(200), Verdict::Refused(_)));
        assert!(matches!(judge(302), Verdict::Refused(_)));
        assert_eq!(judge(503), Verdict::Retry);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_and_bounded() {
        let now = UnixMillis(1_445_412_450_000); // 2015-10-21T07:27:30Z
        assert_eq!(retry_after(" 7 ", now), Some(Duration::from_secs(7)));
        assert_eq!(retry_after("Wed, 21 Oct 2015 07:28:00 GMT", now), Some(Duration::from_secs(30)));
        assert_eq!(retry_after("Wed, 21 Oct 2015 07:00:00 GMT", now), Some(Duration::ZERO));
        assert_eq!(retry_after("999999999", now), Some(RETRY_AFTER_MAX));
        assert_eq!(retry_after("soon", now), None);
        assert_eq!(retry_after("-1", now), None);
    }

    #[test]
    fn waits_double_up_to_their_bound() {
        let mut rng = SmallRng::seed_from_u64(1);
        let pace = Pace::default();
        for (failures, most) in [(0, 1), (1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (u32::MAX, 60)] {
            let most = Duration::from_secs(most);
            for _ in 0..100 {
                let wait = backoff(&pace, failures, &mut rng);
                assert!(wait <= most && wait >= most / 2, "{failures}: {wait:?}");
            }
        }
    }

    #[test]
    fn the_servers_words_are_short_and_on_one_line() {
        assert_eq!(words(br#"{"code":"invalid","message":"bad\ntimestamp"}"#), "bad timestamp");
        assert_eq!(words(br#"{"error":"no token"}"#), "no token");
        assert_eq!(words(b"<html>\nno\x00"), "<html> no");
        assert_eq!(words(&[b'x'; 1000]).len(), WORDS_MAX);
        assert_eq!(words(&[0xff, 0xfe]), "\u{fffd}\u{fffd}");
    }
}
