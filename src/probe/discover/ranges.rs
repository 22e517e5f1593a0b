//! The addresses that a user names: `10.38.0.0/22`, one address, IPv6 ranges of the same size. `[P]`

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Addresses of one range: a /16 of IPv4, an hour at the usual rate.
pub const RANGE_BITS_MAX: u32 = 16;

/// A range of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    first: IpAddr,
    /// Bits that vary.
    bits: u32,
}

impl FromStr for Range {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("\"{text}\" is no range: want 10.38.0.0/22, or one address");
        let (address, prefix) = text.split_once('/').map_or((text, None), |(a, p)| (a, Some(p)));
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let prefix: u32 = prefix.map_or(Ok(width), |p| p.parse().map_err(|_| wrong()))?;
        let bits = width.checked_sub(prefix).ok_or_else(wrong)?;
        if bits > RANGE_BITS_MAX {
            let largest = width - RANGE_BITS_MAX;
            return Err(format!(
                "{text} has more than 65536 addresses: name the ranges that hold your radios, none larger than /{largest}"
            ));
        }
        let mask = |all: u128| all >> bits << bits;
        let first = match address {
            IpAddr::V4(v4) => IpAddr::V4(Ipv4Addr::from(mask(u128::from(u32::from(v4))) as u32)),
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from(mask(u128::from(v6)))),
        };
        Ok(Self { first, bits })
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = if self.first.is_ipv4() { 32 } else { 128 };
        write!(f, "{}/{}", self.first, width - self.bits)
    }
}

impl Range {
    /// Its addresses, without those of the network and of broadcast in IPv4.
    pub fn addresses(self) -> impl Iterator<Item = IpAddr> {
        let count = 1_u32 << self.bits;
        let ends = self.first.is_ipv4() && self.bits > 1;
        let (from, to) = if ends { (1, count - 1) } else { (0, count) };
        (from..to).map(move |i| match self.first {
            IpAddr::V4(v4) => IpAddr::V4(Ipv4Addr::from(u32::from(v4) + i)),
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from(u128::from(v6) + u128::from(i))),
        })
    }

    pub fn contains(self, address: IpAddr) -> bool {
        match (self.first, address) {
            (IpAddr::V4(first), IpAddr::V4(v4)) => {
                u64::from(u32::from(first)) >> self.bits == u64::from(u32::from(v4)) >> self.bits
            }
            (IpAddr::V6(first), IpAddr::V6(v6)) => u128::from(first) >> self.bits == u128::from(v6) >> self.bits,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_in_every_form() {
        let check = |text: &str, shown: &str, count: usize, first: &str| {
            let range: Range = text.parse().unwrap();
            assert_eq!((range.to_string().as_str(), range.addresses().count()), (shown, count));
            assert_eq!(range.addresses().next().unwrap().to_string(), first);
            assert!(range.addresses().all(|address| range.contains(address)));
        };
        check("10.38.1.7/24", "10.38.1.0/24", 254, "10.38.1.1");
        check("10.38.1.7", "10.38.1.7/32", 1, "10.38.1.7");
        check("10.38.1.7/31", "10.38.1.6/31", 2, "10.38.1.6");
        check("10.38.0.0/16", "10.38.0.0/16", 65_534, "10.38.0.1");
        check("255.255.255.0/24", "255.255.255.0/24", 254, "255.255.255.1");
        check("2001:db8::1/120", "2001:db8::/120", 256, "2001:db8::");
        for bad in ["", "10.38.0", "10.0.0.0/33", "10.0.0.0/x", "::/129", "radio/24"] {
            assert!(bad.parse::<Range>().unwrap_err().contains("is no range"), "{bad}");
        }
        for large in ["10.0.0.0/15", "0.0.0.0/0", "2001:db8::/64"] {
            assert!(large.parse::<Range>().unwrap_err().contains("more than 65536 addresses"), "{large}");
        }
    }
}
