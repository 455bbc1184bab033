//! The journal: there and back, cut anywhere, damaged anywhere, read by older and newer builds.

use proptest::prelude::*;
use veloz_core::instrument::{
    Asset, Filters, Instrument, Kind, Origin, PercentPrice, Status, Tier,
};
use veloz_core::journal::{
    first_difference, take_instrument, Check, Header, Journal, JournalError, Reader, RecordType,
    Stream, Value, BLOCK_BYTES,
};
use veloz_core::market::{Quote, Trade};
use veloz_core::record;
use veloz_core::record::Record;

record! {
    /// A fact with a reason behind it, and one field of each signed width.
    pub struct Verdict {
        /// An order's handle.
        pub order: u64,
        /// An amount.
        pub amount: i128,
        /// True if it may go.
        pub allowed: bool,
        /// A side.
        pub side: i8,
    }
}

const TRADE: u16 = 1;
const QUOTE: u16 = 2;
const VERDICT: u16 = 300;

const TYPES: [RecordType; 3] = [
    RecordType::of::<Trade>(TRADE),
    RecordType::of::<Quote>(QUOTE),
    RecordType::with_text::<Verdict>(VERDICT, "reason"),
];

fn instrument(symbol: &str) -> Instrument {
    Instrument {
        symbol: symbol.to_owned(),
        venue_symbol: "BTCUSDT".to_owned(),
        kind: Kind::Linear,
        base: 0,
        quote: 1,
        settle: 1,
        price_scale: 2,
        qty_scale: 3,
        tick: 10,
        lot: 1,
        multiplier: 1,
        multiplier_scale: 0,
        maker_fee: -50_000_000_000_000,
        taker_fee: 500_000_000_000_000,
        liquidation_fee: 0,
        filters: Filters {
            min_notional: 5_000_000_000_000_000_000,
            percent_price: Some(PercentPrice { up: 2, down: 1, both_sides: true }),
            ..Filters::default()
        },
        tiers: vec![
            Tier { floor: 0, cap: Some(1 << 100), rate: 4, amount: 0, max_leverage: 125 },
            Tier { floor: 1 << 100, cap: None, rate: 5, amount: -9, max_leverage: 50 },
        ],
        expiry_ns: Some(1_900_000_000_000_000_000),
        valid_from_ns: -1,
        status: Status::CancelOnly,
        origin: Origin::Inferred,
    }
}

fn header() -> Header {
    Header {
        build: "0.1.0 0123abcd".to_owned(),
        account: "binance/main".to_owned(),
        instance: "a1".to_owned(),
        assets: vec![
            Asset { name: "BTC".to_owned(), scale: 8 },
            Asset { name: "USDT".to_owned(), scale: 8 },
        ],
        instruments: vec![instrument("binance:BTC/USDT:USDT")],
        ..Header::first(Stream::Trading, &TYPES)
    }
}

fn trade(n: u64) -> Trade {
    Trade {
        ts_exchange: 1_700_000_000_000_000_000 + n as i64,
        ts_recv: 1_700_000_000_000_100_000 + n as i64,
        instrument: 0,
        taker: -1,
        price: 6_543_210 + n as i64,
        qty: 17,
        trade_id: n,
    }
}

fn verdict(n: u64) -> Verdict {
    Verdict { order: n, amount: -(1 << 90) - i128::from(n), allowed: n % 2 == 0, side: -1 }
}

/// Batch `n`: a trade, sometimes with a verdict.
fn write_batch(journal: &mut Journal, n: u64) {
    journal.begin(n * 10, 1_000 + n as i64);
    journal.record(TRADE, &trade(n));
    if n % 3 == 0 {
        journal.record_with_text(VERDICT, &verdict(n), format!("limit {n}").as_bytes());
    }
    assert_eq!(journal.commit(), n);
}

fn journal_of(batches: u64) -> Journal {
    let mut journal = Journal::new(&header());
    (1..=batches).for_each(|n| write_batch(&mut journal, n));
    journal
}

fn sealed(batches: u64) -> Vec<u8> {
    let mut journal = journal_of(batches);
    journal.close();
    journal.drain()
}

fn check(bytes: &[u8]) -> Result<Check, JournalError> {
    Ok(Reader::new(bytes)?.check())
}

fn golden(name: &str) -> String {
    format!("{}/../tests/vectors/journal/{name}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn records_come_back_with_sequence_time_and_text() {
    let bytes = sealed(7);
    let reader = Reader::new(&bytes).unwrap();
    assert_eq!(reader.header(), &header());
    let trades = reader.read_all::<Trade>(TRADE).unwrap();
    assert_eq!(trades, (1..=7).map(|n| (n, 1_000 + n as i64, trade(n))).collect::<Vec<_>>());
    let verdicts = reader.read_all_with_text::<Verdict>(VERDICT).unwrap();
    let expected = [(3, 1_003, verdict(3), &b"limit 3"[..]), (6, 1_006, verdict(6), b"limit 6")];
    assert_eq!(verdicts, expected);
    assert!(reader.read_all::<Quote>(QUOTE).unwrap().is_empty());
    let found = reader.check();
    assert!(found.is_whole() && found.is_sealed);
    assert_eq!((found.batches, found.records, found.unknown_records), (7, 9, 0));
    assert_eq!(
        reader.batches().map(|b| b.market_sequence).collect::<Vec<_>>(),
        [10, 20, 30, 40, 50, 60, 70]
    );
}

#[test]
fn values_are_read_by_the_schema_alone() {
    let bytes = sealed(3);
    let reader = Reader::new(&bytes).unwrap();
    let batch = reader.batches().nth(2).unwrap();
    let row = batch.rows().nth(1).unwrap();
    let values = reader.header().schema(row.number).unwrap().values(row.bytes).unwrap();
    let expected = [
        ("order", Value::Int(3)),
        ("amount", Value::Int(-(1 << 90) - 3)),
        ("allowed", Value::Bool(false)),
        ("side", Value::Int(-1)),
        ("reason", Value::Bytes(b"limit 3")),
    ];
    assert_eq!(values, expected);
}

#[test]
fn a_batch_without_records_leaves_nothing() {
    let mut journal = journal_of(2);
    let before = (journal.pending().to_vec(), journal.chain_hash());
    journal.begin(99, 99);
    assert_eq!(journal.commit(), 2);
    assert_eq!((journal.pending().to_vec(), journal.chain_hash()), before);
}

#[test]
fn an_open_batch_is_not_pending() {
    let mut journal = journal_of(1);
    let whole = journal.pending().len();
    journal.begin(0, 0);
    journal.record(TRADE, &trade(2));
    assert_eq!(journal.pending().len(), whole);
    journal.commit();
    assert!(journal.pending().len() > whole);
}

#[test]
#[should_panic(expected = "a record was written outside a batch")]
fn a_record_outside_a_batch_is_a_broken_invariant() {
    journal_of(1).record(TRADE, &trade(2));
}

#[test]
#[should_panic(expected = "a batch was begun inside another")]
fn a_batch_inside_a_batch_is_a_broken_invariant() {
    let mut journal = journal_of(1);
    journal.begin(0, 0);
    journal.begin(0, 0);
}

#[test]
fn bytes_and_digest_do_not_depend_on_draining() {
    let batches = 4 * BLOCK_BYTES as u64 / 100;
    let (mut kept, mut eager, mut dropped) =
        (Journal::new(&header()), Journal::new(&header()), Journal::new(&header()));
    let mut pieces = Vec::new();
    for n in 1..=batches {
        for journal in [&mut kept, &mut eager, &mut dropped] {
            write_batch(journal, n);
        }
        eager.drain_into(&mut pieces);
        dropped.discard();
    }
    for journal in [&mut kept, &mut eager, &mut dropped] {
        journal.close();
    }
    eager.drain_into(&mut pieces);
    let whole = kept.drain();
    assert_eq!(whole, pieces);
    assert_eq!(kept.chain_hash(), dropped.chain_hash());
    let found = check(&whole).unwrap();
    assert!(found.is_whole() && found.is_sealed);
    assert_eq!(found.chain, kept.chain_hash());
    assert!(whole.len() > 3 * BLOCK_BYTES);
}

#[test]
fn the_digest_is_the_readers_at_every_batch() {
    let mut journal = Journal::new(&header());
    let mut bytes = Vec::new();
    for n in 1..=2 * BLOCK_BYTES as u64 / 100 {
        write_batch(&mut journal, n);
        journal.drain_into(&mut bytes);
        if n % 97 == 0 {
            assert_eq!(check(&bytes).unwrap().chain, journal.chain_hash());
        }
    }
}

#[test]
fn every_cut_leaves_the_whole_batches_before_it() {
    let bytes = sealed(12);
    let ends: Vec<usize> = Reader::new(&bytes).unwrap().batches().map(|b| b.end).collect();
    let header_bytes = Header::parse(&bytes).unwrap().1;
    for cut in 0..bytes.len() {
        let Ok(reader) = Reader::new(&bytes[..cut]) else {
            assert!(cut < header_bytes, "cut at {cut}");
            continue;
        };
        let found = reader.check();
        let whole = ends.iter().filter(|end| **end <= cut).count();
        assert_eq!(reader.batches().count(), whole, "cut at {cut}");
        assert_eq!(found.torn_bytes as usize, cut - reader.whole_bytes(), "cut at {cut}");
        assert!(!found.is_sealed && found.first_broken.is_none(), "cut at {cut}");
    }
}

#[test]
fn every_flipped_bit_is_found() {
    let mut bytes = sealed(9);
    bytes.extend_from_slice(&[0; 40]); // preallocated room
    let clean = check(&bytes).unwrap();
    assert!(clean.is_whole() && clean.is_sealed);
    let last = Reader::new(&bytes).unwrap().batches().last().unwrap().end;
    for bit in 0..bytes.len() * 8 {
        bytes[bit / 8] ^= 1 << (bit % 8);
        if let Ok(found) = check(&bytes) {
            assert!(!found.is_whole(), "bit {bit}");
            assert!(found.last_sequence <= 9, "bit {bit}");
            if bit / 8 < last {
                // Damage with whole frames behind it is not taken for a torn tail.
                assert_eq!(found.first_broken, Some(found.last_sequence + 1), "bit {bit}");
            }
        }
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
}

#[test]
fn a_changed_record_with_a_right_checksum_breaks_the_chain() {
    let mut bytes = sealed(3 * BLOCK_BYTES as u64 / 100);
    let reader = Reader::new(&bytes).unwrap();
    // A batch of the second block.
    let (before, batch) = reader
        .batches()
        .zip(reader.batches().skip(1))
        .find(|(_, batch)| batch.end > BLOCK_BYTES + BLOCK_BYTES / 2)
        .unwrap();
    let (start, end, sequence) = (before.end, batch.end, batch.sequence);
    bytes[end - 1] ^= 1;
    let crc = crc32c::crc32c(&bytes[start + 4..end]);
    bytes[start..start + 4].copy_from_slice(&crc.to_le_bytes());
    let found = check(&bytes).unwrap();
    let first = found.first_broken.unwrap();
    assert!(first > 1 && first <= sequence);
    assert_eq!(found.torn_bytes, 0);
}

#[test]
fn a_lost_batch_is_named() {
    let mut bytes = sealed(9);
    let ends: Vec<usize> = Reader::new(&bytes).unwrap().batches().map(|b| b.end).collect();
    bytes.drain(ends[3]..ends[4]);
    assert_eq!(check(&bytes).unwrap().first_broken, Some(5));
}

#[test]
fn a_segment_continues_the_one_before() {
    let mut journal = journal_of(5);
    let mut first = Vec::new();
    let tables = (header().assets, vec![instrument("binance:ETH/USDT:USDT")]);
    journal.roll(&tables.0, &tables.1, &mut first);
    (6..=8).for_each(|n| write_batch(&mut journal, n));
    journal.close();
    let second = journal.drain();
    let (one, two) = (Reader::new(&first).unwrap(), Reader::new(&second).unwrap());
    assert!(one.check().is_continued_by(two.header()));
    assert_eq!((two.header().segment, two.header().first_sequence), (2, 6));
    assert_eq!(two.header().instruments[0].symbol, "binance:ETH/USDT:USDT");
    assert_eq!(two.check().last_sequence, 8);
    assert!(!two.check().is_continued_by(two.header()));
}

#[test]
fn a_torn_segment_is_continued_from_its_last_whole_batch_and_nowhere_else() {
    let torn = &journal_of(5).drain()[..];
    let torn = &torn[..torn.len() - 10];
    let found = check(torn).unwrap();
    assert_eq!((found.last_sequence, found.is_sealed), (4, false));
    let next = header().after(found.last_sequence, found.chain);
    assert!(found.is_continued_by(&next));
    let cut_more = Reader::new(torn).unwrap().batches().nth(2).unwrap().end;
    assert!(!check(&torn[..cut_more]).unwrap().is_continued_by(&next));
}

mod newer {
    use super::record;
    record! {
        /// The verdict of a later build: two fields more.
        pub struct Verdict {
            /// See above.
            pub order: u64,
            /// See above.
            pub amount: i128,
            /// See above.
            pub allowed: bool,
            /// See above.
            pub side: i8,
            /// New.
            pub limit: i64,
            /// New.
            pub rule: u16,
        }
    }
}

mod other {
    use super::record;
    record! {
        /// A verdict whose amount is stored otherwise.
        pub struct Verdict {
            /// See above.
            pub amount: i64,
        }
    }
}

#[test]
fn appended_fields_are_tolerated_both_ways() {
    let old = verdict(3);
    let new = newer::Verdict {
        order: 3,
        amount: old.amount,
        allowed: old.allowed,
        side: old.side,
        limit: -7,
        rule: 9,
    };
    let old_bytes = sealed(3);
    let read = Reader::new(&old_bytes).unwrap().read_all::<newer::Verdict>(VERDICT).unwrap();
    assert_eq!(read[0].2, newer::Verdict { limit: 0, rule: 0, ..new });

    let types = [RecordType::with_text::<newer::Verdict>(VERDICT, "reason")];
    let mut journal = Journal::new(&Header::first(Stream::Trading, &types));
    journal.begin(0, 5);
    journal.record_with_text(VERDICT, &new, b"why");
    journal.commit();
    let new_bytes = journal.drain();
    let reader = Reader::new(&new_bytes).unwrap();
    let read = reader.read_all_with_text::<Verdict>(VERDICT).unwrap();
    assert_eq!(read, [(1, 5, old, &b"why"[..])]);
    assert_eq!(reader.read_all::<newer::Verdict>(VERDICT).unwrap()[0].2, new);
    assert!(matches!(
        reader.read_all::<other::Verdict>(VERDICT),
        Err(JournalError::OtherKind { field, .. }) if field == "amount"
    ));
    assert!(matches!(reader.read_all::<Trade>(TRADE), Err(JournalError::NoSuchRecord(_))));
}

/// The same bytes under a header that declares only `types`.
fn under(types: &[RecordType], bytes: &[u8]) -> Vec<u8> {
    let mut header = header();
    header.schemas.retain(|schema| types.iter().any(|known| known.number == schema.number));
    let mut out = Vec::new();
    header.put(&mut out);
    out.extend_from_slice(&bytes[Header::parse(bytes).unwrap().1..]);
    out
}

#[test]
fn records_of_unknown_type_are_passed_over_and_counted() {
    let mut journal = journal_of(6);
    let bytes = under(&TYPES[..2], &journal.drain());
    let reader = Reader::new(&bytes).unwrap();
    let found = reader.check();
    assert_eq!((found.batches, found.records, found.unknown_records), (6, 8, 2));
    assert_eq!(reader.read_all::<Trade>(TRADE).unwrap().len(), 6);
}

#[test]
fn an_instrument_row_with_appended_fields_loads() {
    let mut row = Vec::new();
    veloz_core::journal::put_instrument(&instrument("x:A/B"), &mut row);
    let length = u32::from_le_bytes(row[..4].try_into().unwrap());
    row.splice(..4, (length + 3).to_le_bytes());
    row.extend_from_slice(&[1, 2, 3, 77]);
    let mut rest = row.as_slice();
    assert_eq!(take_instrument(&mut rest), Some(instrument("x:A/B")));
    assert_eq!(rest, [77]);
}

#[test]
fn what_is_no_journal_is_refused_with_a_reason() {
    assert_eq!(Reader::new(b"").err(), Some(JournalError::TornHeader));
    assert!(matches!(Reader::new(b"PAR1....").err(), Some(JournalError::NotAJournal)));
    let bytes = sealed(1);
    assert_eq!(Reader::new(&bytes[..20]).err(), Some(JournalError::TornHeader));
    let mut later = bytes.clone();
    later[8] = 2;
    assert_eq!(Reader::new(&later).err(), Some(JournalError::Format(2)));
    let mut broken = bytes;
    broken[30] ^= 1;
    assert_eq!(Reader::new(&broken).err(), Some(JournalError::BrokenHeader));
}

#[test]
fn the_first_difference_is_named() {
    let bytes = sealed(6);
    let left = Reader::new(&bytes).unwrap();
    let named = |bytes: &[u8]| first_difference(&left, &Reader::new(bytes).unwrap());
    assert_eq!(named(&bytes), None);
    assert_eq!(named(&sealed(4)).unwrap(), "batch 5 is in the first journal only");
    assert_eq!(named(&sealed(7)).unwrap(), "batch 7 is in the second journal only");
    assert_eq!(named(&journal_of(6).drain()).unwrap(), "the seal is true against false");

    let mut journal = journal_of(5);
    journal.begin(60, 1_006);
    journal.record(TRADE, &trade(6));
    journal.record_with_text(VERDICT, &verdict(6), b"limit 7");
    journal.commit();
    assert_eq!(
        named(&journal.drain()).unwrap(),
        "batch 6: record 2: Verdict, reason is \"limit 6\" against \"limit 7\""
    );

    let mut journal = journal_of(5);
    journal.begin(60, 1_007);
    journal.record(TRADE, &trade(6));
    journal.commit();
    assert_eq!(named(&journal.drain()).unwrap(), "batch 6: time in ns is 1006 against 1007");

    let other = Header { epoch: 2, ..header() };
    let bytes = Journal::new(&other).drain();
    assert_eq!(named(&bytes).unwrap(), "header: epoch is 1 against 2");
}

#[test]
fn columns_hold_each_field_packed() {
    use veloz_core::journal::ColumnValues::{Bytes, Packed};
    let bytes = sealed(6);
    let reader = Reader::new(&bytes).unwrap();
    let columns = reader.columns("Verdict").unwrap();
    let names: Vec<_> = columns.iter().map(|column| column.name.as_str()).collect();
    let of_batch = ["batch_sequence", "batch_market_sequence", "batch_now_ns"];
    assert_eq!(names[..3], of_batch);
    assert_eq!(names[3..], ["order", "amount", "allowed", "side", "reason"]);
    let sequences: Vec<u8> = [3_u64, 6].into_iter().flat_map(u64::to_le_bytes).collect();
    assert_eq!(columns[0].values, Packed(sequences.clone()));
    assert_eq!(columns[3].values, Packed(sequences));
    assert_eq!(columns[7].values, Bytes(vec![b"limit 3", b"limit 6"]));
    assert!(matches!(reader.columns("Nothing"), Err(JournalError::NoSuchRecord(_))));
}

/// Formats are for ever: this file was written by the first build that had format 1.
#[test]
fn the_golden_journal_of_format_1_loads() {
    let bytes = std::fs::read(golden("format-1.vj")).unwrap();
    let reader = Reader::new(&bytes).unwrap();
    assert_eq!(reader.header(), &header());
    let found = reader.check();
    assert!(found.is_whole() && found.is_sealed);
    assert_eq!((found.batches, found.records), (20, 26));
    let trades = reader.read_all::<Trade>(TRADE).unwrap();
    assert_eq!(trades[19], (20, 1_020, trade(20)));
    let verdicts = reader.read_all_with_text::<Verdict>(VERDICT).unwrap();
    assert_eq!(verdicts[5], (18, 1_018, verdict(18), &b"limit 18"[..]));
}

#[test]
fn this_build_writes_the_golden_journal_of_format_1() {
    assert!(std::fs::read(golden("format-1.vj")).unwrap() == sealed(20));
}

#[test]
#[ignore = "writes the golden journals; only for a new format"]
fn make_the_golden_journals() {
    std::fs::write(golden("format-1.vj"), sealed(20)).unwrap();
    // A journal of two segments, and one that differs from the second in one field.
    let mut first = Vec::new();
    let mut journal = journal_of(5);
    let tables = (header().assets, header().instruments);
    journal.roll(&tables.0, &tables.1, &mut first);
    let mut other = journal.clone();
    (6..=8).for_each(|n| write_batch(&mut journal, n));
    journal.close();
    (6..=7).for_each(|n| write_batch(&mut other, n));
    other.begin(80, 1_008);
    other.record(TRADE, &Trade { qty: 18, ..trade(8) });
    other.commit();
    other.close();
    std::fs::write(golden("trading-000001.vj"), first).unwrap();
    std::fs::write(golden("trading-000002.vj"), journal.drain()).unwrap();
    std::fs::write(golden("other-000002.vj"), other.drain()).unwrap();
}

/// What a random batch holds: market sequence, time, and rows.
type Content = (u64, i64, Vec<Fact>);

#[derive(Clone, Debug, PartialEq)]
enum Fact {
    Trade(Trade),
    Verdict(Verdict, Vec<u8>),
}

fn fact() -> impl Strategy<Value = Fact> {
    let trade = (any::<[i64; 4]>(), any::<u32>(), any::<i8>(), any::<u64>()).prop_map(
        |([ts_exchange, ts_recv, price, qty], instrument, taker, trade_id)| {
            Fact::Trade(Trade { ts_exchange, ts_recv, instrument, taker, price, qty, trade_id })
        },
    );
    let verdict = (any::<u64>(), any::<i128>(), any::<bool>(), any::<i8>(), any::<Vec<u8>>());
    let verdict = verdict.prop_map(|(order, amount, allowed, side, text)| {
        Fact::Verdict(Verdict { order, amount, allowed, side }, text)
    });
    prop_oneof![trade, verdict]
}

fn contents() -> impl Strategy<Value = Vec<Content>> {
    let batch = (any::<u64>(), any::<i64>(), prop::collection::vec(fact(), 1..4));
    prop::collection::vec(batch, 0..12)
}

fn write(contents: &[Content]) -> Vec<u8> {
    let mut journal = Journal::new(&header());
    for (market_sequence, now_ns, facts) in contents {
        journal.begin(*market_sequence, *now_ns);
        for fact in facts {
            match fact {
                Fact::Trade(trade) => journal.record(TRADE, trade),
                Fact::Verdict(verdict, text) => journal.record_with_text(VERDICT, verdict, text),
            }
        }
        journal.commit();
    }
    journal.close();
    journal.drain()
}

fn read(bytes: &[u8]) -> Vec<Content> {
    let reader = Reader::new(bytes).unwrap();
    let fact = |number: u16, mut row: &[u8]| match number {
        TRADE => Fact::Trade(Trade::take(&mut row).unwrap()),
        _ => {
            let text = reader.header().schema(number).unwrap().text(row).unwrap().to_vec();
            Fact::Verdict(Verdict::take(&mut row).unwrap(), text)
        }
    };
    reader
        .batches()
        .map(|batch| {
            let facts = batch.rows().map(|row| fact(row.number, row.bytes)).collect();
            (batch.market_sequence, batch.now_ns, facts)
        })
        .collect()
}

/// Puts the checksum of `from..to` at `place`.
fn sign(bytes: &mut [u8], from: usize, to: usize, place: usize) {
    let crc = crc32c::crc32c(&bytes[from..to]);
    bytes[place..place + 4].copy_from_slice(&crc.to_le_bytes());
}

proptest! {
    #[test]
    fn any_batches_go_there_and_back(contents in contents()) {
        let bytes = write(&contents);
        prop_assert_eq!(read(&bytes), contents);
        let found = check(&bytes).unwrap();
        prop_assert!(found.is_whole() && found.is_sealed);
    }

    #[test]
    fn any_cut_gives_a_prefix(contents in contents(), share in 0.0..1.0) {
        let bytes = write(&contents);
        let start = Header::parse(&bytes).unwrap().1;
        let cut = start + ((bytes.len() - start) as f64 * share) as usize;
        let left = read(&bytes[..cut]);
        prop_assert_eq!(&left[..], &contents[..left.len()]);
        prop_assert!(!check(&bytes[..cut]).unwrap().is_sealed);
    }

    #[test]
    fn any_flipped_bit_is_found(contents in contents(), at: prop::sample::Index, bit in 0_u8..8) {
        let mut bytes = write(&contents);
        let at = at.index(bytes.len());
        bytes[at] ^= 1_u8 << bit;
        prop_assert!(!check(&bytes).is_ok_and(|found| found.is_whole()));
    }

    /// Checksums keep accidents out, not malice: what is read must hold on its own.
    #[test]
    fn forged_bytes_do_not_make_the_reader_panic(
        contents in contents(),
        changes: [(prop::sample::Index, u8); 4],
    ) {
        let original = write(&contents);
        let mut bytes = original.clone();
        changes.iter().for_each(|(at, value)| bytes[at.index(original.len())] = *value);
        bytes[..14].copy_from_slice(&original[..14]);
        let reader = Reader::new(&original).unwrap();
        let start = Header::parse(&original).unwrap().1;
        sign(&mut bytes, 0, start - 4, start - 4);
        let ends = reader.batches().map(|batch| batch.end);
        let mut at = start;
        for end in ends {
            bytes[at + 4..at + 8].copy_from_slice(&original[at + 4..at + 8]);
            sign(&mut bytes, at + 4, end, at);
            at = end;
        }
        if let Ok(forged) = Reader::new(&bytes) {
            prop_assert!(forged.check().torn_bytes <= bytes.len() as u64);
            for schema in &forged.header().schemas {
                let _ = forged.columns(&schema.name);
                let _ = forged.read_all_with_text::<Trade>(schema.number);
                let _ = forged.read_all_with_text::<Verdict>(schema.number);
            }
            first_difference(&reader, &forged);
        }
    }

    #[test]
    fn no_bytes_make_the_reader_panic(tail: Vec<u8>, behind_a_header: bool) {
        let mut bytes = if behind_a_header { journal_of(2).drain() } else { Vec::new() };
        bytes.extend_from_slice(&tail);
        if let Ok(reader) = Reader::new(&bytes) {
            prop_assert!(reader.check().batches >= 2);
            prop_assert!(reader.whole_bytes() <= bytes.len());
        }
    }
}

/// `cargo test --release -p veloz-core --test journal -- --ignored --nocapture cost`
#[test]
#[ignore = "a measurement"]
fn the_cost_of_a_batch() {
    const COUNT: u64 = 400_000;
    let quote = Quote { ts_exchange: 1, bid_price: 2, bid_qty: 3, ..Quote::default() };
    let report = |name: &str, write: &dyn Fn(&mut Journal, u64)| {
        let (mut best, mut size) = (f64::INFINITY, 0);
        for _ in 0..7 {
            let mut journal = Journal::new(&header());
            let started = std::time::Instant::now();
            for n in 0..COUNT {
                journal.begin(n, n as i64);
                write(&mut journal, n);
                journal.commit();
                size = journal.pending().len();
                journal.discard();
            }
            best = best.min(started.elapsed().as_nanos() as f64 / COUNT as f64);
        }
        println!("{name}: {best:.1} ns per batch of {size} bytes");
    };
    report("1 trade", &|journal, n| journal.record(TRADE, std::hint::black_box(&trade(n))));
    report("3 quotes", &|journal, _| {
        (0..3).for_each(|_| journal.record(QUOTE, std::hint::black_box(&quote)));
    });
    report("1 verdict with text", &|journal, n| {
        journal.record_with_text(VERDICT, std::hint::black_box(&verdict(n)), b"position limit");
    });

    let mut journal = Journal::new(&header());
    (1..=COUNT).for_each(|n| write_batch(&mut journal, n));
    let bytes = journal.drain();
    let started = std::time::Instant::now();
    let reader = Reader::new(&bytes).unwrap();
    let opened = started.elapsed();
    let check = reader.check();
    let checked = started.elapsed();
    let trades = reader.read_all::<Trade>(TRADE).unwrap().len();
    println!(
        "{} records, {} bytes: opened in {opened:?}, chain in {:?}, {trades} trades in {:?}",
        check.records,
        bytes.len(),
        checked - opened,
        started.elapsed() - checked
    );
}
