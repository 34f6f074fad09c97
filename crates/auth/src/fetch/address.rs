//! What an address reaches.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whom an address reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Anybody.
    Public,
    /// This machine.
    Loopback,
    /// A network of somebody's own.
    Private,
    /// The link alone, where clouds keep their metadata; many at once; or nobody.
    Never,
}

impl Reach {
    pub(crate) fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => of_v4(address),
            IpAddr::V6(address) => of_v6(address),
        }
    }
}

/// The registry of special addresses (RFC 6890 and what came later), as far as it is not public.
const fn of_v4(address: Ipv4Addr) -> Reach {
    match address.octets() {
        [127, ..] => Reach::Loopback,
        [0, ..] | [169, 254, ..] | [192, 0, 0 | 2, _] | [198, 51, 100, _] | [203, 0, 113, _] | [224..=255, ..] => {
            Reach::Never
        }
        // Alibaba Cloud has its metadata there, and Azure what serves its machines.
        [100, 100, 100, 200] | [168, 63, 129, 16] => Reach::Never,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] | [198, 18 | 19, ..] => Reach::Private,
        _ => Reach::Public,
    }
}

fn of_v6(address: Ipv6Addr) -> Reach {
    let v4 = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        of_v4(Ipv4Addr::new(a, b, c, d))
    };
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 1] => Reach::Loopback,
        // Addresses of version 4 in those of version 6: mapped, compatible, translated, 6to4.
        [0, 0, 0, 0, 0, 0xffff | 0, high, low] => v4(high, low),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => v4(high, low),
        [0x2002, high, low, ..] => v4(high, low),
        // A translator of a network's own, and Teredo: whom they reach in the end is hidden in them.
        [0x64, 0xff9b, 1, ..] | [0x2001, 0, ..] => Reach::Never,
        // Amazon has its metadata there.
        [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254] => Reach::Never,
        [0xfc00..=0xfdff, ..] | [0xfec0..=0xfeff, ..] => Reach::Private,
        [0xfe80..=0xfebf, ..] | [0xff00..=0xffff, ..] | [0x100, 0, 0, 0, ..] | [0x2001, 0xdb8, ..] => Reach::Never,
        [0x2000..=0x3fff, ..] => Reach::Public,
        _ => Reach::Never,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn se_03_addresses_are_told_apart_in_every_form() {
        for (reach, addresses) in [
            (Reach::Public, "1.1.1.1 172.32.0.1 100.128.0.1 2606:4700::1111 ::ffff:8.8.8.8 64:ff9b::808:808"),
            (Reach::Loopback, "127.0.0.1 127.255.255.255 ::1 ::ffff:127.0.0.1 64:ff9b::7f00:1 2002:7f00:1::"),
            (Reach::Private, "10.1.2.3 172.16.0.1 192.168.1.1 100.64.0.1 fd12::1 ::ffff:10.0.0.1"),
            (Reach::Never, "0.0.0.0 169.254.169.254 224.0.0.1 255.255.255.255 100.100.100.200 :: fe80::1 ff02::1"),
            (Reach::Never, "168.63.129.16 64:ff9b:1::a9fe:a9fe 2001:0:a9fe:a9fe::1"),
            (Reach::Never, "fd00:ec2::254 ::ffff:169.254.169.254 64:ff9b::a9fe:a9fe 2002:a9fe:a9fe::1 2001:db8::1"),
        ] {
            for address in addresses.split(' ') {
                assert_eq!(Reach::of(address.parse().unwrap()), reach, "{address}");
            }
        }
    }
}
