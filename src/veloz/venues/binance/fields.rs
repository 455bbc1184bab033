//! The fields of one message object, found in one pass in whatever order they come.

use super::json::{DecodeError, Problem, Scanner, Type, Value};

/// Field names that some message has; a field's number is its place here. The first 52 are the
/// letters, found without looking.
#[rustfmt::skip]
pub const NAMES: [&str; 64] = [
    "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m",
    "n", "o", "p", "q", "r", "s", "t", "u", "v", "w", "x", "y", "z",
    "A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K", "L", "M",
    "N", "O", "P", "Q", "R", "S", "T", "U", "V", "W", "X", "Y", "Z",
    "pu", "ps", "ct", "ap", "stream", "data", "lastUpdateId", "bids", "asks", "result", "code", "id",
];

/// A field's number.
pub type Slot = usize;

/// The number of a one-letter field.
#[must_use]
pub const fn letter(name: u8) -> Slot {
    match name {
        b'a'..=b'z' => (name - b'a') as Slot,
        _ => (name - b'A') as Slot + 26,
    }
}

pub const PU: Slot = 52;
pub const PS: Slot = 53;
pub const CT: Slot = 54;
pub const AP: Slot = 55;
pub const STREAM: Slot = 56;
pub const DATA: Slot = 57;
pub const LAST_UPDATE_ID: Slot = 58;
pub const BIDS: Slot = 59;
pub const ASKS: Slot = 60;
pub const RESULT: Slot = 61;
pub const CODE: Slot = 62;

/// The number of a field, if any message has it.
#[inline]
#[must_use]
pub fn slot(key: &[u8]) -> Option<Slot> {
    match key {
        [name] if name.is_ascii_alphabetic() => Some(letter(*name)),
        _ => NAMES[PU..].iter().position(|name| name.as_bytes() == key).map(|at| at + PU),
    }
}

/// Where the fields of one object stand.
#[derive(Clone, Debug)]
pub struct Fields {
    values: [Value; 64],
    seen: u64,
    /// Where the object ends: named in errors about missing fields.
    pub end: usize,
}

impl Default for Fields {
    fn default() -> Self {
        Fields { values: [Value::default(); 64], seen: 0, end: 0 }
    }
}

impl Fields {
    /// Forgets all fields.
    #[inline]
    pub fn clear(&mut self) {
        self.seen = 0;
    }

    /// True if the field is there.
    #[inline]
    #[must_use]
    pub fn has(&self, slot: Slot) -> bool {
        self.seen & (1 << slot) != 0
    }

    /// The field, if it is there.
    #[inline]
    #[must_use]
    pub fn find(&self, slot: Slot) -> Option<Value> {
        self.has(slot).then(|| self.values[slot])
    }

    /// The field.
    ///
    /// # Errors
    ///
    /// If it is missing.
    #[inline]
    pub fn get(&self, slot: Slot) -> Result<Value, DecodeError> {
        self.find(slot).ok_or(DecodeError {
            field: NAMES[slot],
            offset: self.end,
            problem: Problem::Missing,
        })
    }

    /// A field that is text.
    ///
    /// # Errors
    ///
    /// If it is missing or something else.
    #[inline]
    pub fn text<'a>(&self, bytes: &'a [u8], slot: Slot) -> Result<&'a [u8], DecodeError> {
        let value = self.get(slot)?;
        if value.kind != Type::String {
            let problem = Problem::WrongType("text");
            return Err(DecodeError { field: NAMES[slot], offset: value.start as usize, problem });
        }
        Ok(value.of(bytes))
    }

    /// A field that is true or false.
    ///
    /// # Errors
    ///
    /// If it is missing or something else.
    #[inline]
    pub fn flag(&self, slot: Slot) -> Result<bool, DecodeError> {
        let value = self.get(slot)?;
        match value.kind {
            Type::True => Ok(true),
            Type::False => Ok(false),
            _ => Err(DecodeError {
                field: NAMES[slot],
                offset: value.start as usize,
                problem: Problem::WrongType("true or false"),
            }),
        }
    }

    /// Marks a field as found at `offset`.
    ///
    /// # Errors
    ///
    /// If it was found before.
    #[inline]
    pub fn claim(&mut self, slot: Slot, offset: usize) -> Result<(), DecodeError> {
        if self.has(slot) {
            return Err(DecodeError { field: NAMES[slot], offset, problem: Problem::Twice });
        }
        self.seen |= 1 << slot;
        Ok(())
    }

    /// Notes where a field stands.
    #[inline]
    pub fn put(&mut self, slot: Slot, value: Value) {
        self.values[slot] = value;
    }

    /// Finds the fields of the object that comes next.
    ///
    /// # Errors
    ///
    /// If it is no object, or a field is there twice.
    pub fn read(&mut self, scan: &mut Scanner<'_>, field: &'static str) -> Result<(), DecodeError> {
        self.clear();
        if scan.peek() != Some(b'{') {
            let problem = Problem::WrongType("an object");
            return Err(DecodeError { field, offset: scan.at, problem });
        }
        scan.at += 1;
        if !scan.eat(b'}') {
            loop {
                let key = scan.key()?;
                match slot(key) {
                    Some(slot) => {
                        self.claim(slot, scan.at)?;
                        let value = scan.value(NAMES[slot])?;
                        self.put(slot, value);
                    }
                    None => drop(scan.value("frame")?),
                }
                if !scan.more(b'}', field)? {
                    break;
                }
            }
        }
        self.end = scan.at;
        Ok(())
    }
}
