//! The sync mark: how far a journal is known to be on the device, kept beside its segments.
//!
//! It tells damage from a crash. A disk that loses power may keep a later page and lose an earlier
//! one, so a hole behind the mark was never acknowledged; a hole before it is damage.

use crate::record::FieldValue;

/// First bytes of every mark.
const MAGIC: [u8; 8] = *b"\x89VELOZM\n";
const FORMAT: u16 = 1;
/// Bytes of one mark.
const MARK: usize = MAGIC.len() + 2 + 4 + 8 + 8 + 4;
/// The two places of a mark are written in turn, each in a sector of its own.
const PLACE: usize = 512;

/// A journal is on the device up to here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct SyncMark {
    /// Number of the segment.
    pub segment: u32,
    /// Bytes of that segment.
    pub bytes: u64,
    /// The last batch in them.
    pub sequence: u64,
}

impl SyncMark {
    /// Bytes of the file that holds the marks.
    pub const FILE_BYTES: usize = 2 * PLACE;

    /// Where the `turn`-th mark goes in its file.
    #[must_use]
    pub const fn place(turn: u64) -> u64 {
        turn % 2 * PLACE as u64
    }

    /// The mark as bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(MARK);
        out.extend_from_slice(&MAGIC);
        FORMAT.put(&mut out);
        self.segment.put(&mut out);
        self.bytes.put(&mut out);
        self.sequence.put(&mut out);
        let crc = crc32c::crc32c(&out);
        crc.put(&mut out);
        out
    }

    /// The furthest whole mark of a file; `None` if it holds none.
    #[must_use]
    pub fn newest(file: &[u8]) -> Option<SyncMark> {
        (0..2).filter_map(|turn| SyncMark::take(file.get(turn * PLACE..)?)).max()
    }

    fn take(bytes: &[u8]) -> Option<SyncMark> {
        let bytes = bytes.get(..MARK)?;
        let (content, mut rest) = bytes.split_at(MARK - 4);
        if u32::take(&mut rest)? != crc32c::crc32c(content) || content[..8] != MAGIC {
            return None;
        }
        let mut fields = &content[MAGIC.len()..];
        if u16::take(&mut fields)? != FORMAT {
            return None;
        }
        Some(SyncMark {
            segment: u32::take(&mut fields)?,
            bytes: u64::take(&mut fields)?,
            sequence: u64::take(&mut fields)?,
        })
    }
}

const _: () = assert!(MARK <= PLACE);
