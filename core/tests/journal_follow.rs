//! Following a journal, resuming one, snapshots and sync marks: each against what the reader says.

use proptest::prelude::*;
use veloz_core::facts::{number, SavedState, RECORDS};
use veloz_core::journal::{
    Cursor, Header, Journal, JournalError, Reader, Snapshot, Step, Stream, SyncMark, BLOCK_BYTES,
};

fn header() -> Header {
    Header { account: "venue/main".to_owned(), ..Header::first(Stream::Trading, &RECORDS) }
}

fn save(journal: &mut Journal, state: &[u8]) -> u64 {
    journal.begin(7, 9);
    journal.record_with_text(number::SAVED_STATE, &SavedState { strategy: 0 }, state);
    journal.commit()
}

fn journal_of(batches: usize, size: usize) -> Vec<u8> {
    let mut journal = Journal::new(&header());
    (0..batches).for_each(|n| {
        save(&mut journal, &vec![n as u8; size]);
    });
    journal.close();
    journal.drain()
}

/// Sequences that a cursor finds in `bytes`, and the cursor.
fn follow(cursor: &mut Cursor, bytes: &[u8]) -> Vec<u64> {
    let mut found = Vec::new();
    loop {
        match cursor.step(&bytes[cursor.position() as usize..]).unwrap() {
            Step::Batch(batch) => found.push(batch.sequence),
            Step::Link(_) => {}
            Step::Wait => return found,
        }
    }
}

#[test]
fn a_cursor_sees_each_batch_once_however_the_bytes_come() {
    let bytes = journal_of(20, 10_000); // several links
    assert!(bytes.len() > 3 * BLOCK_BYTES);
    let start = Header::parse(&bytes).unwrap().1;
    let mut cursor = Cursor::new(&bytes[..start]).unwrap();
    let mut room = vec![0; bytes.len() + 500];
    let mut found = Vec::new();
    for end in (0..bytes.len()).step_by(997).chain([bytes.len()]) {
        room[..end].copy_from_slice(&bytes[..end]);
        found.extend(follow(&mut cursor, &room));
    }
    assert_eq!(found, (1..=20).collect::<Vec<_>>());
    assert!(cursor.is_sealed());
    assert_eq!(cursor.position() as usize, bytes.len());
    let check = Reader::new(&bytes).unwrap().check();
    assert_eq!(cursor.chain(), check.chain);
    assert_eq!(cursor.header(), &header());
}

#[test]
fn the_digest_of_a_cursor_is_the_journals_at_every_batch() {
    let mut journal = Journal::new(&header());
    let mut bytes = journal.drain();
    let mut cursor = Cursor::new(&bytes).unwrap();
    for n in 0..200 {
        let sequence = save(&mut journal, &vec![n; 1000]);
        journal.drain_into(&mut bytes);
        follow(&mut cursor, &bytes);
        assert_eq!(cursor.sequence(), sequence);
        assert_eq!(cursor.chain(), journal.chain_hash());
        let reader = Reader::new(&bytes).unwrap();
        assert_eq!(reader.chain_at(sequence), Some(journal.chain_hash()));
        assert_eq!(reader.chain_at(sequence + 1), None);
    }
    let reader = Reader::new(&bytes).unwrap();
    assert_eq!(reader.chain_at(0), Some([0; 32]));
    let behind = |sequence| {
        let offset = reader.end_of(sequence).unwrap();
        reader.batches_from(offset).map(|batch| batch.sequence).collect::<Vec<_>>()
    };
    assert_eq!(behind(0), (1..=200).collect::<Vec<_>>());
    assert_eq!(behind(198), [199, 200]);
    assert!(behind(200).is_empty());
    assert_eq!(reader.end_of(201), None);
}

#[test]
fn a_cursor_waits_for_a_header_and_refuses_what_does_not_follow() {
    let bytes = journal_of(3, 50);
    assert_eq!(Cursor::new(&[0; 100]).unwrap_err(), JournalError::TornHeader);
    assert_eq!(Cursor::new(&bytes[..40]).unwrap_err(), JournalError::TornHeader);
    let start = Header::parse(&bytes).unwrap().1;
    let ends: Vec<_> = Reader::new(&bytes).unwrap().batches().map(|batch| batch.end).collect();
    let mut without_first = bytes[..start].to_vec();
    without_first.extend_from_slice(&bytes[ends[0]..]);
    let mut cursor = Cursor::new(&without_first).unwrap();
    let broken = cursor.step(&without_first[start..]).unwrap_err();
    assert_eq!(broken.sequence, 1);
    assert!(broken.to_string().contains("another one stands in its place"));
}

#[test]
fn a_resumed_journal_continues_behind_a_torn_tail() {
    let bytes = journal_of(5, 100);
    let ends: Vec<_> = Reader::new(&bytes).unwrap().batches().map(|batch| batch.end).collect();
    let torn = Reader::new(&bytes[..ends[3] - 1]).unwrap();
    let check = torn.check();
    assert_eq!(check.last_sequence, 3);
    let next = torn.header().resumed(&check, "0.2.0", 2);
    let mut journal = Journal::new(&next);
    assert_eq!(save(&mut journal, b"after the crash"), 4);
    journal.close();
    let more = journal.drain();
    assert!(check.is_continued_by(Reader::new(&more).unwrap().header()));
    assert_eq!((next.segment, next.epoch, next.build.as_str()), (2, 2, "0.2.0"));
}

#[test]
fn a_header_of_which_not_all_reached_the_disk_is_torn_and_another_file_is_none() {
    let bytes = journal_of(1, 10);
    let start = Header::parse(&bytes).unwrap().1;
    for end in 0..start {
        let mut room = bytes[..end].to_vec();
        room.resize(start + 100, 0);
        let error = Header::parse(&room).unwrap_err();
        assert!(matches!(error, JournalError::TornHeader | JournalError::BrokenHeader), "{end}");
        assert!(end >= 9 || error == JournalError::TornHeader, "{end}");
    }
    assert_eq!(Header::parse(b"\x89PNG....").unwrap_err(), JournalError::NotAJournal);
}

#[test]
fn a_snapshot_comes_back_and_every_flipped_bit_of_it_is_found() {
    let snapshot = Snapshot::of(&header(), 12, [3; 32], b"the state of a desk");
    let mut bytes = Vec::new();
    snapshot.put(&mut bytes);
    assert_eq!(Snapshot::parse(&bytes).unwrap(), snapshot);
    for bit in 0..8 * bytes.len() {
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(Snapshot::parse(&bytes).is_err(), "bit {bit}");
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
    for end in 0..bytes.len() {
        assert!(Snapshot::parse(&bytes[..end]).is_err(), "{end} bytes");
    }
}

#[test]
fn the_furthest_whole_mark_counts() {
    let mark = |segment, bytes| SyncMark { segment, bytes, sequence: bytes };
    let mut file = vec![0; SyncMark::FILE_BYTES];
    assert_eq!(SyncMark::newest(&file), None);
    let mut put = |turn: u64, mark: SyncMark| {
        let at = SyncMark::place(turn) as usize;
        let bytes = mark.to_bytes();
        file[at..at + bytes.len()].copy_from_slice(&bytes);
        file.clone()
    };
    put(0, mark(1, 500));
    let both = put(1, mark(2, 3));
    assert_eq!(SyncMark::newest(&both), Some(mark(2, 3)));
    for bit in 0..8 * mark(2, 3).to_bytes().len() {
        let mut damaged = both.clone();
        damaged[SyncMark::place(1) as usize + bit / 8] ^= 1 << (bit % 8);
        assert_eq!(SyncMark::newest(&damaged), Some(mark(1, 500)), "bit {bit}");
    }
    assert_eq!(SyncMark::newest(&both[..40]), Some(mark(1, 500)));
    assert_eq!(SyncMark::newest(b""), None);
}

proptest! {
    #[test]
    fn no_bytes_make_a_cursor_panic_or_invent(tail: Vec<u8>) {
        let mut bytes = journal_of(2, 5);
        bytes.truncate(bytes.len() - 49); // without the seal
        bytes.extend_from_slice(&tail);
        let mut cursor = Cursor::new(&bytes).unwrap();
        let mut found = 0;
        while let Ok(Step::Batch(_)) = cursor.step(&bytes[cursor.position() as usize..]) {
            found += 1;
        }
        prop_assert_eq!(found, 2);
    }

    #[test]
    fn no_bytes_make_a_snapshot_or_a_mark_panic(bytes: Vec<u8>) {
        prop_assert!(Snapshot::parse(&bytes).is_err());
        prop_assert_eq!(SyncMark::newest(&bytes), None);
    }
}
