//! A hasher of 128 bits.

use std::hash::Hasher;

/// Both halves in one pass (the mixing steps of splitmix64 and of MurmurHash3).
pub(super) struct Wide(pub(super) u64, pub(super) u64);

impl Hasher for Wide {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u64(&mut self, x: u64) {
        self.0 = (self.0 ^ x).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        self.0 ^= self.0 >> 27;
        self.1 = (self.1.rotate_left(23) ^ x).wrapping_mul(0xff51_afd7_ed55_8ccd);
        self.1 ^= self.1 >> 33;
    }

    fn write_u8(&mut self, x: u8) {
        self.write_u64(u64::from(x));
    }

    fn write_usize(&mut self, x: usize) {
        self.write_u64(x as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
