//! The client order id on the wire: who sent an order, and the how-manieth it was.
//!
//! ```text
//!  v  EEEEEE  IIIIII    RRR       CCCCCCCCC  KK      27 characters, [0-9a-zA-Z], a letter first
//!     epoch   instance  revision  counter    check
//! ```
//!
//! The *epoch* rises with every start of an engine and is journalled before it is used, the
//! *instance* tells engines of one account apart, the *counter* is the order's handle: no id comes
//! twice over restarts and engines. The *revision* counts the orders at the venue that took the
//! place of the first, where a change cancels and places anew. The digits are those of base 52 without vowels, so that no id
//! holds a word that a firewall could take offence at. An id of anyone else fails the form or the
//! check, and is an external order's.

use veloz_core::desk::{Desk, WireOwner};
use veloz_core::order::OrderId;

/// Who sent an order, and the how-manieth it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WireId {
    /// Rises with every start.
    pub epoch: u32,
    /// Tells engines of one account apart.
    pub instance: u32,
    /// The order's handle, below [`COUNTERS`].
    pub counter: u64,
    /// Which of the order's legs, below [`REVISIONS`].
    pub revision: u32,
}

/// How many handles there are ids for.
pub const COUNTERS: u64 = 52_u64.pow(9);
/// How many legs of an order there are ids for.
pub const REVISIONS: u32 = 52_u32.pow(3);

/// Characters of an id.
pub const LENGTH: usize = 27;
const DIGITS: &[u8; 52] = b"0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz";
const MARK: u8 = b'v';

impl WireId {
    /// The id as it is sent.
    #[must_use]
    pub fn text(self) -> [u8; LENGTH] {
        let mut out = [MARK; LENGTH];
        put(u64::from(self.epoch), &mut out[1..7]);
        put(u64::from(self.instance), &mut out[7..13]);
        put(u64::from(self.revision), &mut out[13..16]);
        put(self.counter, &mut out[16..25]);
        let check = check(&out[..25]);
        put(check, &mut out[25..27]);
        out
    }

    /// The id that a venue's text is; `None` if it is not one of ours.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<WireId> {
        if text.len() != LENGTH || text[0] != MARK || take(&text[25..])? != check(&text[..25]) {
            return None;
        }
        Some(WireId {
            epoch: u32::try_from(take(&text[1..7])?).ok()?,
            instance: u32::try_from(take(&text[7..13])?).ok()?,
            revision: u32::try_from(take(&text[13..16])?).ok()?,
            counter: take(&text[16..25])?,
        })
    }

    /// The order of a desk that it names, and which leg of it; `None` if it is another engine's.
    #[must_use]
    pub fn leg(self, desk: &Desk) -> Option<(OrderId, u32)> {
        match desk.owner_of(self.epoch, self.instance, self.counter, self.revision) {
            WireOwner::Ours(order, leg) => Some((order, leg)),
            WireOwner::Foreign => None,
        }
    }
}

fn put(mut number: u64, out: &mut [u8]) {
    for slot in out.iter_mut().rev() {
        *slot = DIGITS[(number % 52) as usize];
        number /= 52;
    }
    debug_assert!(number == 0, "a number of an id has more digits than its place");
}

fn take(text: &[u8]) -> Option<u64> {
    text.iter().try_fold(0_u64, |number, byte| {
        let digit = DIGITS.iter().position(|digit| digit == byte)?;
        number.checked_mul(52)?.checked_add(digit as u64)
    })
}

/// A number below 52² that depends on every character and its place.
fn check(text: &[u8]) -> u64 {
    // FNV-1a: short, and good enough against texts that are not ours by accident.
    let hash = text.iter().fold(0xCBF2_9CE4_8422_2325_u64, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
    });
    (hash ^ (hash >> 32)) % (52 * 52)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..Default::default() })]

        #[test]
        fn every_id_comes_back(
            epoch: u32,
            instance: u32,
            counter in 0..COUNTERS,
            revision in 0..REVISIONS,
        ) {
            let id = WireId { epoch, instance, counter, revision };
            let text = id.text();
            prop_assert!(text.len() <= 28 && text[0].is_ascii_alphabetic());
            prop_assert!(text.iter().all(u8::is_ascii_alphanumeric));
            prop_assert_eq!(WireId::parse(&text), Some(id));
        }

        #[test]
        fn one_wrong_character_makes_it_foreign(
            counter in 0..COUNTERS,
            at in 0_usize..27,
            by in 1_u8..52,
        ) {
            let id = WireId { epoch: 7, instance: 1, counter, revision: 0 };
            let mut text = id.text();
            let was = DIGITS.iter().position(|&digit| digit == text[at]).unwrap_or(0);
            text[at] = DIGITS[(was + usize::from(by)) % 52];
            // A check of two characters lets one of 2704 through; never as the same order.
            prop_assert_ne!(WireId::parse(&text), Some(id));
        }

        #[test]
        fn any_other_text_is_foreign(text in "[ -~]{0,40}") {
            prop_assume!(!(text.len() == LENGTH && text.starts_with('v')));
            prop_assert_eq!(WireId::parse(text.as_bytes()), None);
        }
    }

    #[test]
    fn ids_of_others_are_foreign() {
        for text in ["", "v", "web_a1b2c3", "autoclose-1234567890", "adl_autoclose", "x-TKT5PX2F01"]
        {
            assert_eq!(WireId::parse(text.as_bytes()), None, "{text}");
        }
        let id = WireId { epoch: 1, instance: 2, counter: 3, revision: 0 };
        assert_eq!(&id.text()[..25], b"v000001000002000000000003");
        let id = WireId { revision: 54, ..id };
        assert_eq!(&id.text()[..25], b"v000001000002012000000003");
    }
}
