//! A snapshot: the state of a desk behind one batch, so that recovery need not start at the first.
//!
//! ```text
//!  magic │ u16 format │ u32 length │ names, epoch, stream, sequence, times, chain │ state │ BLAKE3
//! ```
//!
//! It is a shortcut and proves nothing: it counts only beside the journal whose chain it names.

use super::tables::{put_text, take_text};
use super::{Hash, Header, JournalError, Stream};
use crate::record::FieldValue;

/// First bytes of every snapshot.
pub const SNAPSHOT_MAGIC: [u8; 8] = *b"\x89VELOZS\n";
/// The format of snapshots that this build writes and reads.
pub const SNAPSHOT_FORMAT: u16 = 1;

/// Magic, format, length of what stands before the state.
const HEAD: usize = 14;
const HASH: usize = 32;

/// A desk's state and the batch behind which it stood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot<'a> {
    /// Version and digest of the engine that wrote it; another build's state is not read.
    pub build: String,
    /// `venue/name` of the account.
    pub account: String,
    /// The engine's own name.
    pub instance: String,
    /// Of the run that wrote it.
    pub epoch: u32,
    /// Which stream.
    pub stream: Stream,
    /// The last batch that is in the state.
    pub sequence: u64,
    /// Market sequence that was applied before that batch.
    pub market_sequence: u64,
    /// Event clock of that batch, ns.
    pub now_ns: i64,
    /// Digest of the journal up to that batch.
    pub chain: Hash,
    /// What the desk said of itself.
    pub state: &'a [u8],
}

impl<'a> Snapshot<'a> {
    /// A snapshot of the journal with this header.
    #[must_use]
    pub fn of(header: &Header, sequence: u64, chain: Hash, state: &'a [u8]) -> Snapshot<'a> {
        Snapshot {
            build: header.build.clone(),
            account: header.account.clone(),
            instance: header.instance.clone(),
            epoch: header.epoch,
            stream: header.stream,
            sequence,
            market_sequence: 0,
            now_ns: 0,
            chain,
            state,
        }
    }

    /// Appends the snapshot's bytes.
    pub fn put(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&SNAPSHOT_MAGIC);
        SNAPSHOT_FORMAT.put(out);
        0_u32.put(out);
        [&self.build, &self.account, &self.instance].iter().for_each(|text| put_text(text, out));
        self.epoch.put(out);
        (self.stream as u8).put(out);
        self.sequence.put(out);
        self.market_sequence.put(out);
        self.now_ns.put(out);
        out.extend_from_slice(&self.chain);
        let length = (out.len() - start - HEAD) as u32;
        out[start + 10..start + HEAD].copy_from_slice(&length.to_le_bytes());
        out.extend_from_slice(self.state);
        let hash = blake3::hash(&out[start..]);
        out.extend_from_slice(hash.as_bytes());
    }

    /// Reads a snapshot.
    ///
    /// # Errors
    ///
    /// [`JournalError`] if the bytes are none, of another format, cut or changed.
    pub fn parse(bytes: &'a [u8]) -> Result<Snapshot<'a>, JournalError> {
        let head = bytes.get(..HEAD).ok_or(JournalError::NotASnapshot)?;
        if head[..8] != SNAPSHOT_MAGIC {
            return Err(JournalError::NotASnapshot);
        }
        let (content, stored) =
            bytes.split_last_chunk::<HASH>().ok_or(JournalError::BrokenSnapshot)?;
        if blake3::hash(content).as_bytes() != stored {
            return Err(JournalError::BrokenSnapshot);
        }
        let format = u16::from_le_bytes([head[8], head[9]]);
        if format != SNAPSHOT_FORMAT {
            return Err(JournalError::SnapshotFormat(format));
        }
        let length = u32::from_le_bytes([head[10], head[11], head[12], head[13]]) as usize;
        let behind = content.get(HEAD..).ok_or(JournalError::BrokenSnapshot)?;
        let (facts, state) = behind.split_at_checked(length).ok_or(JournalError::BrokenSnapshot)?;
        Snapshot::take(&mut &*facts, state).ok_or(JournalError::BrokenSnapshot)
    }

    fn take(facts: &mut &[u8], state: &'a [u8]) -> Option<Snapshot<'a>> {
        let (build, account, instance) = (take_text(facts)?, take_text(facts)?, take_text(facts)?);
        let epoch = u32::take(facts)?;
        let stream = *[Stream::Trading, Stream::Market].get(usize::from(u8::take(facts)?))?;
        let (sequence, market_sequence) = (u64::take(facts)?, u64::take(facts)?);
        let now_ns = i64::take(facts)?;
        let chain = *facts.first_chunk::<HASH>()?;
        Some(Snapshot {
            build,
            account,
            instance,
            epoch,
            stream,
            sequence,
            market_sequence,
            now_ns,
            chain,
            state,
        })
    }
}
