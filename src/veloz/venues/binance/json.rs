//! A scanner over one JSON text: it finds values and never builds them.
//!
//! Values are spans of the frame. Nothing is allocated, nothing recurses, and every way in which a
//! text can be wrong ends in a [`DecodeError`] that names the field and the byte.

use std::fmt;

/// Why a frame could not be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The text ends too early.
    Truncated,
    /// Not JSON here; says what was expected.
    Syntax(&'static str),
    /// JSON, but not of the expected type; says which.
    WrongType(&'static str),
    /// The field is not there.
    Missing,
    /// The field is there twice.
    Twice,
    /// More decimals than the instrument's scale holds, and they are not zeros.
    TooFine,
    /// More digits than the integer holds.
    TooLarge,
    /// Below zero where that means nothing.
    Negative,
}

/// What was wrong with a frame, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// The venue's name of the field; `frame` outside of any.
    pub field: &'static str,
    /// Byte of the frame at which the problem shows.
    pub offset: usize,
    /// What is wrong.
    pub problem: Problem,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "field `{}` at byte {}: ", self.field, self.offset)?;
        match self.problem {
            Problem::Truncated => f.write_str("the frame ends too early"),
            Problem::Syntax(expected) => write!(f, "not JSON, expected {expected}"),
            Problem::WrongType(expected) => write!(f, "expected {expected}"),
            Problem::Missing => f.write_str("missing"),
            Problem::Twice => f.write_str("given twice"),
            Problem::TooFine => f.write_str("more decimals than the instrument's scale holds"),
            Problem::TooLarge => f.write_str("too many digits"),
            Problem::Negative => f.write_str("negative"),
        }
    }
}

impl std::error::Error for DecodeError {}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Type {
    /// In quotes; the span lies between them, escapes as they stand.
    String,
    /// Digits, sign, point, exponent.
    Number,
    /// `true`.
    True,
    /// `false`.
    False,
    /// `null`.
    #[default]
    Null,
    /// From brace to brace.
    Object,
    /// From bracket to bracket.
    Array,
}

/// Where a value stands in the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Value {
    /// What it is.
    pub kind: Type,
    /// First byte.
    pub start: u32,
    /// Byte after the last.
    pub end: u32,
}

impl Value {
    /// The bytes of the value.
    #[inline]
    pub fn of<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        bytes.get(self.start as usize..self.end as usize).unwrap_or_default()
    }
}

/// A place in one JSON text.
#[derive(Clone, Copy, Debug)]
pub struct Scanner<'a> {
    /// The whole text.
    pub bytes: &'a [u8],
    /// The next byte to read.
    pub at: usize,
}

/// The eight bytes from `at`, the first in the lowest byte; `None` near the end of the text.
#[inline(always)]
pub fn load8(bytes: &[u8], at: usize) -> Option<u64> {
    let eight = bytes.get(at..at.checked_add(8)?)?;
    Some(u64::from_le_bytes(eight.try_into().ok()?))
}

/// Eight digits zero.
pub(super) const ZEROS: u64 = 0x3030_3030_3030_3030;

/// Brings what is above nine to the top bit of its byte.
pub(super) const NOT_DIGITS: u64 = 0x7676_7676_7676_7676;
/// The top bit of each byte.
pub(super) const TOPS: u64 = 0x8080_8080_8080_8080;

/// The top bit of the first byte that is no digit; `x` is the word with `ZEROS` taken off.
#[inline(always)]
pub(super) fn first_non_digit(x: u64) -> u32 {
    // Bytes behind the first such byte may be wrong because of a carry; they are not looked at.
    ((x.wrapping_add(NOT_DIGITS) | x) & TOPS).trailing_zeros() / 8
}

/// A bit in the top of each byte of `word` that equals `byte`; exact up to the first of them.
#[inline]
fn matches(word: u64, byte: u8) -> u64 {
    let x = word ^ (u64::from(byte) * 0x0101_0101_0101_0101);
    x.wrapping_sub(0x0101_0101_0101_0101) & !x & 0x8080_8080_8080_8080
}

impl<'a> Scanner<'a> {
    /// A scanner at the first byte.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Scanner { bytes, at: 0 }
    }

    /// A scanner over the inside of one value; offsets stay those of the frame.
    #[must_use]
    pub fn over(bytes: &'a [u8], value: Value) -> Self {
        let end = (value.end as usize).min(bytes.len());
        Scanner { bytes: bytes.get(..end).unwrap_or_default(), at: value.start as usize }
    }

    /// The error that something other than `expected` stands here.
    #[cold]
    pub fn unexpected(&self, field: &'static str, expected: &'static str) -> DecodeError {
        let problem = if self.at >= self.bytes.len() {
            Problem::Truncated
        } else {
            Problem::Syntax(expected)
        };
        DecodeError { field, offset: self.at, problem }
    }

    /// The next byte that is not white space, without moving past it.
    #[inline]
    pub fn peek(&mut self) -> Option<u8> {
        loop {
            match self.bytes.get(self.at) {
                Some(b' ' | b'\t' | b'\r' | b'\n') => self.at += 1,
                other => return other.copied(),
            }
        }
    }

    /// Moves past `byte`, if it comes next.
    #[inline]
    pub fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// Moves past `byte`.
    ///
    /// # Errors
    ///
    /// If something else comes next.
    #[inline]
    pub fn expect(
        &mut self,
        byte: u8,
        field: &'static str,
        expected: &'static str,
    ) -> Result<(), DecodeError> {
        if self.eat(byte) {
            Ok(())
        } else {
            Err(self.unexpected(field, expected))
        }
    }

    /// Checks that nothing but white space is left.
    ///
    /// # Errors
    ///
    /// If something is.
    pub fn finish(&mut self) -> Result<(), DecodeError> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.unexpected("frame", "the end of the frame")),
        }
    }

    /// A key and the colon behind it.
    ///
    /// # Errors
    ///
    /// If there is none.
    #[inline]
    pub fn key(&mut self) -> Result<&'a [u8], DecodeError> {
        if let Some(&[b'"', letter, b'"', b':']) = self.bytes.get(self.at..self.at + 4) {
            if letter != b'\\' {
                self.at += 4;
                return Ok(&self.bytes[self.at - 3..self.at - 2]);
            }
        }
        self.expect(b'"', "frame", "a key in quotes")?;
        let start = self.at;
        let end = self.string_end("frame")?;
        self.expect(b':', "frame", "a colon")?;
        Ok(&self.bytes[start..end])
    }

    /// From inside a string to behind its closing quote; returns where the quote stands.
    #[inline]
    fn string_end(&mut self, field: &'static str) -> Result<usize, DecodeError> {
        loop {
            if let Some(word) = load8(self.bytes, self.at) {
                let found = matches(word, b'"') | matches(word, b'\\');
                if found == 0 {
                    self.at += 8;
                    continue;
                }
                self.at += found.trailing_zeros() as usize / 8;
            }
            match self.bytes.get(self.at) {
                None => return Err(self.unexpected(field, "a closing quote")),
                Some(b'"') => {
                    self.at += 1;
                    return Ok(self.at - 1);
                }
                Some(b'\\') => self.at = (self.at + 2).min(self.bytes.len()),
                Some(_) => self.at += 1,
            }
        }
    }

    /// Any value; `field` is named in errors.
    ///
    /// # Errors
    ///
    /// If no value stands here or it does not end.
    #[inline]
    pub fn value(&mut self, field: &'static str) -> Result<Value, DecodeError> {
        let first = self.peek();
        let start = self.at;
        let kind = match first {
            Some(b'"') => {
                self.at += 1;
                let end = self.string_end(field)?;
                return Ok(Value { kind: Type::String, start: start as u32 + 1, end: end as u32 });
            }
            Some(b'-' | b'0'..=b'9') => {
                self.at += 1;
                while let Some(word) = load8(self.bytes, self.at) {
                    let digits = first_non_digit(word ^ ZEROS) as usize;
                    self.at += digits;
                    if digits < 8 {
                        break;
                    }
                }
                while let Some(b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-') =
                    self.bytes.get(self.at)
                {
                    self.at += 1;
                }
                Type::Number
            }
            Some(b't') => self.word(field, b"true", Type::True)?,
            Some(b'f') => self.word(field, b"false", Type::False)?,
            Some(b'n') => self.word(field, b"null", Type::Null)?,
            Some(b'{') => self.nested(field, Type::Object)?,
            Some(b'[') => self.nested(field, Type::Array)?,
            _ => return Err(self.unexpected(field, "a value")),
        };
        Ok(Value { kind, start: start as u32, end: self.at as u32 })
    }

    fn word(
        &mut self,
        field: &'static str,
        word: &'static [u8],
        kind: Type,
    ) -> Result<Type, DecodeError> {
        for &byte in word {
            if self.bytes.get(self.at) != Some(&byte) {
                return Err(self.unexpected(field, "true, false or null"));
            }
            self.at += 1;
        }
        Ok(kind)
    }

    /// Past a bracketed value of any depth, by counting brackets outside of strings. The inside of
    /// a field that nobody reads is not judged further.
    fn nested(&mut self, field: &'static str, kind: Type) -> Result<Type, DecodeError> {
        let mut depth = 0_usize;
        loop {
            match self.bytes.get(self.at) {
                None => return Err(self.unexpected(field, "a closing bracket")),
                Some(b'{' | b'[') => depth += 1,
                Some(b'}' | b']') => {
                    depth -= 1;
                    if depth == 0 {
                        self.at += 1;
                        return Ok(kind);
                    }
                }
                Some(b'"') => {
                    self.at += 1;
                    self.string_end(field)?;
                    continue;
                }
                Some(_) => {}
            }
            self.at += 1;
        }
    }

    /// Behind an element: true if another one follows, false after the closing `close`.
    ///
    /// # Errors
    ///
    /// If neither stands here.
    #[inline]
    pub fn more(&mut self, close: u8, field: &'static str) -> Result<bool, DecodeError> {
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                Ok(true)
            }
            Some(byte) if byte == close => {
                self.at += 1;
                Ok(false)
            }
            _ => Err(self.unexpected(field, "a comma or a closing bracket")),
        }
    }
}

/// Reads the named fields of the object that comes next; others are passed over.
///
/// # Errors
///
/// If it is no object, or a named field is there twice.
pub fn named_fields<const N: usize>(
    scan: &mut Scanner<'_>,
    names: &[&'static str; N],
) -> Result<[Option<Value>; N], DecodeError> {
    let mut found = [None; N];
    scan.expect(b'{', "frame", "an object")?;
    if scan.eat(b'}') {
        return Ok(found);
    }
    loop {
        let key = scan.key()?;
        let slot = names.iter().position(|name| name.as_bytes() == key);
        let offset = scan.at;
        let value = scan.value(slot.map_or("frame", |slot| names[slot]))?;
        if let Some(slot) = slot {
            if found[slot].replace(value).is_some() {
                return Err(DecodeError { field: names[slot], offset, problem: Problem::Twice });
            }
        }
        if !scan.more(b'}', "frame")? {
            return Ok(found);
        }
    }
}
