//! The first thing in which two segments differ, named so that a person can go and look.

use std::fmt::Debug;

use super::{Batch, Header, Reader, Row, Schema, Value};

/// A sentence that names the first difference; `None` if header, batches and end are the same.
///
/// Looks at the header first: under different schemas or tables equal bytes mean different things.
pub fn first_difference<A: AsRef<[u8]>, B: AsRef<[u8]>>(
    left: &Reader<A>,
    right: &Reader<B>,
) -> Option<String> {
    if let Some(found) = header_difference(left.header(), right.header()) {
        return Some(format!("header: {found}"));
    }
    let (mut lefts, mut rights) = (left.batches(), right.batches());
    loop {
        match (lefts.next(), rights.next()) {
            (Some(a), Some(b)) => {
                if let Some(found) = batch_difference(left.header(), &a, &b) {
                    return Some(format!("batch {}: {found}", a.sequence));
                }
            }
            (Some(a), None) => {
                return Some(format!("batch {} is in the first journal only", a.sequence))
            }
            (None, Some(b)) => {
                return Some(format!("batch {} is in the second journal only", b.sequence))
            }
            (None, None) => break,
        }
    }
    let (left, right) = (left.check(), right.check());
    field("the seal", &left.is_sealed, &right.is_sealed)
        .or_else(|| field("bytes of a torn tail", &left.torn_bytes, &right.torn_bytes))
        .or_else(|| field("the first broken sequence", &left.first_broken, &right.first_broken))
        .or_else(|| (left.chain != right.chain).then(|| "the hash chain differs".to_owned()))
}

fn header_difference(left: &Header, right: &Header) -> Option<String> {
    field("build", &left.build, &right.build)
        .or_else(|| field("account", &left.account, &right.account))
        .or_else(|| field("instance", &left.instance, &right.instance))
        .or_else(|| field("epoch", &left.epoch, &right.epoch))
        .or_else(|| field("stream", &left.stream, &right.stream))
        .or_else(|| field("segment", &left.segment, &right.segment))
        .or_else(|| field("first sequence", &left.first_sequence, &right.first_sequence))
        .or_else(|| rows("asset", &left.assets, &right.assets))
        .or_else(|| rows("instrument", &left.instruments, &right.instruments))
        .or_else(|| rows("record type", &left.schemas, &right.schemas))
        .or_else(|| (left.chain != right.chain).then(|| "the segments before differ".to_owned()))
}

fn batch_difference(header: &Header, left: &Batch<'_>, right: &Batch<'_>) -> Option<String> {
    field("market sequence", &left.market_sequence, &right.market_sequence)
        .or_else(|| field("time in ns", &left.now_ns, &right.now_ns))
        .or_else(|| {
            let (mut lefts, mut rights) = (left.rows(), right.rows());
            for number in 1.. {
                let found = match (lefts.next(), rights.next()) {
                    (Some(a), Some(b)) => row_difference(header, a, b),
                    (Some(a), None) => Some(format!("{} is in the first only", name(header, a))),
                    (None, Some(b)) => Some(format!("{} is in the second only", name(header, b))),
                    (None, None) => return None,
                };
                if let Some(found) = found {
                    return Some(format!("record {number}: {found}"));
                }
            }
            None
        })
}

fn row_difference(header: &Header, left: Row<'_>, right: Row<'_>) -> Option<String> {
    if left.number != right.number {
        return Some(format!("{} against {}", name(header, left), name(header, right)));
    }
    if left.bytes == right.bytes {
        return None;
    }
    let named = name(header, left);
    let schema = header.schema(left.number)?;
    Some(match value_difference(schema, left.bytes, right.bytes) {
        Some(found) => format!("{named}, {found}"),
        None => format!("{named}, its bytes"),
    })
}

fn value_difference(schema: &Schema, left: &[u8], right: &[u8]) -> Option<String> {
    let (left, right) = (schema.values(left)?, schema.values(right)?);
    let ((name, a), (_, b)) = left.into_iter().zip(right).find(|((_, a), (_, b))| a != b)?;
    Some(format!("{name} is {} against {}", shown(a), shown(b)))
}

fn name(header: &Header, row: Row<'_>) -> String {
    let unknown = || format!("a record of unknown type {}", row.number);
    header.schema(row.number).map_or_else(unknown, |schema| schema.name.clone())
}

fn shown(value: Value<'_>) -> String {
    match value {
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Bytes(value) => format!("{:?}", String::from_utf8_lossy(value)),
    }
}

fn field<T: PartialEq + Debug>(name: &str, left: &T, right: &T) -> Option<String> {
    (left != right).then(|| format!("{name} is {left:?} against {right:?}"))
}

fn rows<T: PartialEq + Debug>(name: &str, left: &[T], right: &[T]) -> Option<String> {
    if let Some(row) = left.iter().zip(right).position(|(a, b)| a != b) {
        return field(&format!("{name} row {row}"), &left[row], &right[row]);
    }
    field(&format!("the number of {name} rows"), &left.len(), &right.len())
}
