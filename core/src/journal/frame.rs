//! Frames: how a segment's bytes are cut, checked and chained.
//!
//! ```text
//!  u32 CRC32C of all that follows │ u32 length of the body │ body
//!  body = u8 kind │ u64 sequence │ batch: u64 market sequence, i64 now, rows
//!                                │ link, seal: 32 bytes of hash
//!  row  = u16 record number │ u32 length │ fields
//! ```

use super::Hash;

/// A link is written behind the first batch with which a block reaches this many bytes.
///
/// Hashing small pieces costs about five times as much per byte as hashing 64 KiB at once.
pub const BLOCK_BYTES: usize = 64 * 1024;

/// CRC and length.
pub(super) const FRAME_HEAD: usize = 8;
/// Kind and sequence, in every body.
const BODY_HEAD: usize = 9;
/// Kind, sequence, market sequence, time.
const BATCH_HEAD: usize = BODY_HEAD + 16;
/// Kind, sequence, hash.
const LINK_BODY: usize = BODY_HEAD + 32;
/// Record number and length.
pub(super) const ROW_HEAD: usize = 6;

/// What a frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum FrameKind {
    Batch = 1,
    Link = 2,
    Seal = 3,
}

impl FrameKind {
    fn from_number(number: u8) -> Option<FrameKind> {
        [FrameKind::Batch, FrameKind::Link, FrameKind::Seal]
            .into_iter()
            .find(|kind| *kind as u8 == number)
    }
}

/// A frame whose structure is sound; its checksum is a second question.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame<'a> {
    pub kind: FrameKind,
    /// Of the batch, or of the last batch before the link.
    pub sequence: u64,
    /// The bytes behind kind and sequence.
    pub rest: &'a [u8],
    /// Where the next frame starts.
    pub end: usize,
}

/// Appends all of a batch's frame that stands before the fields of its first row;
/// [`close_frame`] completes it.
#[inline]
pub(super) fn open_batch(
    bytes: &mut Vec<u8>,
    (sequence, market_sequence, now_ns): (u64, u64, i64),
    number: u16,
    length: usize,
) {
    // Filled in place, not copied: a copy would wait for the narrow stores before it.
    const SIZE: usize = FRAME_HEAD + BATCH_HEAD + ROW_HEAD;
    bytes.extend_from_slice(&[0; SIZE]);
    let Some(head) = bytes.last_chunk_mut::<SIZE>() else { return };
    head[8] = FrameKind::Batch as u8;
    head[9..17].copy_from_slice(&sequence.to_le_bytes());
    head[17..25].copy_from_slice(&market_sequence.to_le_bytes());
    head[25..33].copy_from_slice(&now_ns.to_le_bytes());
    head[33..35].copy_from_slice(&number.to_le_bytes());
    head[35..].copy_from_slice(&row_length(length).to_le_bytes());
}

/// Appends what stands before the fields of a further row.
#[inline]
pub(super) fn open_row(bytes: &mut Vec<u8>, number: u16, length: usize) {
    bytes.extend_from_slice(&[0; ROW_HEAD]);
    let Some(head) = bytes.last_chunk_mut::<ROW_HEAD>() else { return };
    head[..2].copy_from_slice(&number.to_le_bytes());
    head[2..].copy_from_slice(&row_length(length).to_le_bytes());
}

#[inline]
fn row_length(length: usize) -> u32 {
    u32::try_from(length).expect("a record stays below 4 GiB")
}

/// Appends a link or seal; [`close_frame`] completes it.
pub(super) fn open_link(bytes: &mut Vec<u8>, kind: FrameKind, sequence: u64, chain: &Hash) {
    let mut frame = [0_u8; FRAME_HEAD + LINK_BODY];
    frame[8] = kind as u8;
    frame[9..17].copy_from_slice(&sequence.to_le_bytes());
    frame[17..].copy_from_slice(chain);
    bytes.extend_from_slice(&frame);
}

/// Fills in length and checksum of the frame from `start` to the end.
#[inline]
pub(super) fn close_frame(bytes: &mut [u8], start: usize) {
    let body = bytes.len() - start - FRAME_HEAD;
    let length = u32::try_from(body).expect("a batch stays below 4 GiB");
    bytes[start + 4..start + 8].copy_from_slice(&length.to_le_bytes());
    let crc = checksum_from(bytes, start + 4);
    bytes[start..start + 4].copy_from_slice(&crc.to_le_bytes());
}

/// Bytes that are copied for the checksum of a short frame.
const COPY: usize = 256;

#[repr(align(16))]
struct Aligned([u8; COPY]);

/// CRC32C of the bytes from `start` to the end.
///
/// The processor does eight bytes at a time where they are aligned, and what stands before and
/// behind them one by one: in frames of a hundred bytes, each of which lies otherwise, that is half
/// of the time. So of a short frame an aligned copy is taken that ends with its last byte. What
/// stands before becomes zeros, which a register of zeros passes over; instead of starting as
/// ones, it meets the first four bytes inverted.
#[inline]
fn checksum_from(bytes: &[u8], start: usize) -> u32 {
    let plain = || crc32c::crc32c(&bytes[start..]);
    let Some(tail) = bytes.last_chunk::<COPY>() else { return plain() };
    let Some(from) = (COPY + start).checked_sub(bytes.len()) else { return plain() };
    if from + 4 > COPY {
        return plain();
    }
    let mut copy = Aligned(*tail);
    let padded = &mut copy.0[from & !7..];
    let shift = 8 * (from & 7);
    let inverted = 0xffff_ffff_u128 << shift;
    if let Some(first) = padded.first_chunk_mut::<8>() {
        let word = u64::from_le_bytes(*first) & (u64::MAX << shift);
        *first = (word ^ inverted as u64).to_le_bytes();
    }
    if let Some(second) = padded.get_mut(8..).and_then(|rest| rest.first_chunk_mut::<8>()) {
        *second = (u64::from_le_bytes(*second) ^ (inverted >> 64) as u64).to_le_bytes();
    }
    crc32c::crc32c_append(!0, padded)
}

/// The frame at `at`, if the bytes there have the form of one.
pub(super) fn frame_at(bytes: &[u8], at: usize) -> Option<Frame<'_>> {
    let head = bytes.get(at + 4..at + FRAME_HEAD)?;
    let length = u32::from_le_bytes(head.try_into().ok()?) as usize;
    let end = (at + FRAME_HEAD).checked_add(length)?;
    let body = bytes.get(at + FRAME_HEAD..end)?;
    let (kind, body) = body.split_first()?;
    let (sequence, rest) = body.split_first_chunk::<8>()?;
    let kind = FrameKind::from_number(*kind)?;
    let fits = match kind {
        FrameKind::Batch => length >= BATCH_HEAD,
        FrameKind::Link | FrameKind::Seal => length == LINK_BODY,
    };
    fits.then_some(Frame { kind, sequence: u64::from_le_bytes(*sequence), rest, end })
}

/// The frame at `at`, if it is there, whole and unchanged.
pub(super) fn checked_frame_at(bytes: &[u8], at: usize) -> Option<Frame<'_>> {
    let frame = frame_at(bytes, at)?;
    let stored = u32::from_le_bytes(bytes[at..at + 4].try_into().ok()?);
    (crc32c::crc32c(&bytes[at + 4..frame.end]) == stored).then_some(frame)
}

/// The hash of a block of frames that follows one with hash `chain`.
pub(super) fn link(chain: &Hash, block: &[u8]) -> Hash {
    *blake3::keyed_hash(chain, block).as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_of_every_length_and_place_is_the_plain_one() {
        let bytes: Vec<u8> =
            (0..600_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        for end in [3, 255, 256, 257, 300, 301, 302, 303, 304, 305, 600] {
            for start in 0..=end {
                let bytes = &bytes[..end];
                let plain = crc32c::crc32c(&bytes[start..]);
                assert_eq!(checksum_from(bytes, start), plain, "{start}..{end}");
            }
        }
    }
}
