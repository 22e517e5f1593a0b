//! How often strangers may ask for a page that a signed link opens, or try to log in. `[P]`
//!
//! Each reader has a bucket of requests that fills again at a steady pace. A reader is an address; of IPv6 a
//! network of 64 bits, for that is what one subscriber has. At most [`READERS_MAX`] are kept in mind; where more come at
//! once, all new ones share one bucket.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::HeaderMap;

const READERS_MAX: usize = 4096;
/// Addresses in `X-Forwarded-For` that are looked at.
const HOPS_MAX: usize = 8;

/// All buckets.
#[derive(Debug)]
pub struct Limit {
    burst: f64,
    every: Duration,
    buckets: Mutex<HashMap<IpAddr, Bucket>>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl Limit {
    /// Of signed links. A person who looks, corrects and sends again needs a dozen; a mail scanner two.
    pub fn of_links() -> Self {
        Self::new(30.0, Duration::from_secs(2))
    }

    /// Of attempts to log in. A person who has forgotten which password it was needs a handful.
    pub fn of_logins() -> Self {
        Self::new(10.0, Duration::from_mins(1))
    }

    fn new(burst: f64, every: Duration) -> Self {
        Self { burst, every, buckets: Mutex::default() }
    }

    fn filled(&self, bucket: Bucket, now: Instant) -> Bucket {
        let filled = now.saturating_duration_since(bucket.at).as_secs_f64() / self.every.as_secs_f64();
        Bucket { left: (bucket.left + filled).min(self.burst), at: now }
    }

    /// Takes one request of a reader; false if it has none left.
    pub fn take(&self, reader: IpAddr, now: Instant) -> bool {
        // Whoever panicked left whole buckets behind.
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let mut key = network_of(reader);
        if !buckets.contains_key(&key) && buckets.len() >= READERS_MAX {
            buckets.retain(|_, bucket| self.filled(*bucket, now).left < self.burst);
            if buckets.len() >= READERS_MAX {
                key = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
            }
        }
        let bucket = buckets.entry(key).or_insert(Bucket { left: self.burst, at: now });
        *bucket = self.filled(*bucket, now);
        let allowed = bucket.left >= 1.0;
        if allowed {
            bucket.left -= 1.0;
        }
        allowed
    }
}

fn network_of(reader: IpAddr) -> IpAddr {
    match reader.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// Who asks: the peer, or where that is one of our proxies the nearest address in `X-Forwarded-For` that is none.
pub fn reader(peer: IpAddr, headers: &HeaderMap, proxies: &[IpAddr]) -> IpAddr {
    let lists = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    let hops: Vec<&str> = lists.flat_map(|list| list.split(',')).map(str::trim).collect();
    let mut reader = peer.to_canonical();
    for hop in hops.iter().rev().take(HOPS_MAX) {
        // What stands left of a stranger is what that stranger says.
        if !proxies.contains(&reader) {
            break;
        }
        let Ok(address) = hop.parse::<IpAddr>() else { break };
        reader = address.to_canonical();
    }
    reader
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn only_a_proxy_of_ours_is_believed() {
        let proxies = [ip("127.0.0.1"), ip("192.0.2.10")];
        let check = |peer: &str, forwarded: &[&str], expected: &str| {
            let mut headers = HeaderMap::new();
            for value in forwarded {
                headers.append("x-forwarded-for", value.parse().unwrap());
            }
            assert_eq!(reader(ip(peer), &headers, &proxies), ip(expected), "{peer} {forwarded:?}");
        };
        check("198.51.100.7", &["203.0.113.9"], "198.51.100.7");
        check("127.0.0.1", &[], "127.0.0.1");
        check("127.0.0.1", &["203.0.113.9"], "203.0.113.9");
        check("::ffff:127.0.0.1", &["203.0.113.9"], "203.0.113.9");
        // What the reader itself wrote stands to the left.
        check("127.0.0.1", &["10.0.0.1, 203.0.113.9"], "203.0.113.9");
        check("127.0.0.1", &["10.0.0.1", "203.0.113.9, 192.0.2.10"], "203.0.113.9");
        check("127.0.0.1", &["nonsense"], "127.0.0.1");
    }

    #[test]
    fn a_reader_has_a_burst_then_a_pace_and_others_are_not_held_up() {
        let (limit, start) = (Limit::of_links(), Instant::now());
        let taken = |who: &str, after: u64| limit.take(ip(who), start + Duration::from_secs(after));
        assert_eq!((0..40).filter(|_| taken("192.0.2.1", 0)).count(), 30);
        assert!(taken("192.0.2.2", 0) && !taken("192.0.2.1", 1));
        assert!(taken("192.0.2.1", 2) && !taken("192.0.2.1", 2));
        assert_eq!((0..40).filter(|i| taken(&format!("2001:db8::{i:x}"), 0)).count(), 30);
        assert!(taken("2001:db8:0:1::1", 0));
    }

    #[test]
    fn the_number_of_readers_is_bounded() {
        let (limit, now) = (Limit::of_links(), Instant::now());
        for n in 0..20_000u32 {
            limit.take(IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + n)), now);
        }
        assert!(limit.buckets.lock().unwrap().len() <= READERS_MAX + 1);
        assert!(!limit.take(ip("10.1.0.0"), now), "those beyond share one bucket, and it is empty");
        assert!(limit.take(ip("10.1.0.0"), now + Duration::from_mins(2)));
    }
}
