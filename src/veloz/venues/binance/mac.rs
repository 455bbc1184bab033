//! HMAC-SHA256 (RFC 2104) with the key kept as two hash states.
//!
//! The compression function is the `sha2` crate's, with the processor's own instructions where it
//! has them. What is done here is the padding: the inner and outer pad are hashed once, when the key
//! is set, so that a signature costs the payload's blocks and one more, and nothing is allocated or
//! zeroed on the way but the key itself at its end.

use sha2::block_api::compress256;
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

const BLOCK: usize = 64;
/// FIPS 180-4, section 5.3.3.
const START: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
]; // the first digits of the roots of the first primes

/// A key that is ready to sign.
pub struct Mac {
    inner: [u32; 8],
    outer: [u32; 8],
}

impl Drop for Mac {
    fn drop(&mut self) {
        self.inner.zeroize();
        self.outer.zeroize();
    }
}

impl Mac {
    /// From a secret of any length.
    #[must_use]
    pub fn new(secret: &[u8]) -> Mac {
        let mut key = Zeroizing::new([0_u8; BLOCK]);
        if secret.len() > BLOCK {
            key[..32].copy_from_slice(&Sha256::digest(secret));
        } else {
            key[..secret.len()].copy_from_slice(secret);
        }
        Mac { inner: padded(&key, 0x36), outer: padded(&key, 0x5c) }
    }

    /// The code of a payload.
    #[inline]
    #[must_use]
    pub fn of(&self, payload: &[u8]) -> [u8; 32] {
        let mut state = self.inner;
        let blocks = payload.chunks_exact(BLOCK);
        let rest = blocks.remainder();
        for block in blocks {
            let mut copy = [[0; BLOCK]; 1];
            copy[0].copy_from_slice(block);
            compress256(&mut state, &copy);
        }
        finish(&mut state, rest, payload.len());
        let digest = bytes(&state);
        let mut state = self.outer;
        finish(&mut state, &digest, digest.len());
        bytes(&state)
    }
}

fn padded(key: &[u8; BLOCK], pad: u8) -> [u32; 8] {
    let mut block = Zeroizing::new([[0_u8; BLOCK]; 1]);
    for (slot, byte) in block[0].iter_mut().zip(key) {
        *slot = byte ^ pad;
    }
    let mut state = START;
    compress256(&mut state, &*block);
    state
}

/// The last blocks: what is left, a one bit, zeros, and the length in bits with the pad's block.
#[inline]
fn finish(state: &mut [u32; 8], rest: &[u8], length: usize) {
    let mut tail = [[0_u8; BLOCK]; 2];
    tail[0][..rest.len()].copy_from_slice(rest);
    tail[0][rest.len()] = 0x80;
    let last = usize::from(rest.len() >= BLOCK - 8);
    let bits = (BLOCK as u64 + length as u64) * 8;
    tail[last][BLOCK - 8..].copy_from_slice(&bits.to_be_bytes());
    compress256(state, &tail[..=last]);
}

#[inline]
fn bytes(state: &[u32; 8]) -> [u8; 32] {
    let mut out = [0; 32];
    for (four, word) in out.chunks_exact_mut(4).zip(state) {
        four.copy_from_slice(&word.to_be_bytes());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use hmac::{Hmac, KeyInit, Mac as _};
    use proptest::prelude::*;

    fn of_the_crate(key: &[u8], payload: &[u8]) -> [u8; 32] {
        let mut other = Hmac::<Sha256>::new_from_slice(key).unwrap();
        other.update(payload);
        other.finalize().into_bytes().into()
    }

    #[test]
    fn every_length_around_a_block() {
        let text: Vec<u8> = (0..400_u16).map(|n| n as u8).collect();
        for length in 0..400 {
            let (key, payload) = (&text[..length % 200], &text[..length]);
            assert_eq!(Mac::new(key).of(payload), of_the_crate(key, payload), "{length}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..Default::default() })]

        #[test]
        fn as_another_implementation_has_it(key: Vec<u8>, payload: Vec<u8>) {
            prop_assert_eq!(Mac::new(&key).of(&payload), of_the_crate(&key, &payload));
        }
    }
}
