//! One value of a private message: exact numbers, text with its escapes resolved, known words.
//!
//! Private messages are about symbols, assets and words that no table of ours may know. So numbers
//! keep the decimals that they came with ([`Number`]) and words the text ([`Word`]); nothing is
//! lost, and what it means is decided by whoever knows the instrument.

use std::borrow::Cow;

use veloz_core::units::pow10;

use super::json::{DecodeError, Problem, Scanner, Type, Value};
use super::number;

/// A decimal exactly as the venue wrote it: `value` at `scale` decimals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Number {
    /// All digits, with the sign.
    pub value: i128,
    /// How many of them stand behind the point.
    pub scale: u8,
}

impl Number {
    /// Decimals that are read at most; further zeros are passed over.
    pub const MAX_SCALE: u8 = 30;

    /// The integer at another scale.
    ///
    /// # Errors
    ///
    /// [`Problem::TooFine`] if digits would be lost, [`Problem::TooLarge`] if it does not fit.
    pub fn at(self, scale: u8) -> Result<i128, Problem> {
        if scale >= self.scale {
            let up = scale - self.scale;
            if up > 38 {
                return Err(Problem::TooLarge);
            }
            return self.value.checked_mul(pow10(up)).ok_or(Problem::TooLarge);
        }
        let down = pow10(self.scale - scale);
        if self.value % down == 0 {
            Ok(self.value / down)
        } else {
            Err(Problem::TooFine)
        }
    }

    /// A price or quantity in an instrument's units.
    ///
    /// # Errors
    ///
    /// As [`at`](Self::at).
    pub fn units(self, scale: u8) -> Result<i64, Problem> {
        self.at(scale).and_then(|value| i64::try_from(value).map_err(|_| Problem::TooLarge))
    }

    /// True if it is zero.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self.value == 0
    }

    fn parse(digits: &[u8]) -> Result<Number, (usize, Problem)> {
        let wrong = Problem::WrongType("a decimal number");
        let is_negative = digits.first() == Some(&b'-');
        let (mut number, mut any, mut point) = (Number::default(), false, false);
        for (at, &byte) in digits.iter().enumerate().skip(usize::from(is_negative)) {
            match byte {
                b'.' if any && !point => point = true,
                b'0'..=b'9' => {
                    any = true;
                    if point && number.scale == Number::MAX_SCALE {
                        if byte != b'0' {
                            return Err((at, Problem::TooFine));
                        }
                        continue;
                    }
                    number.scale += u8::from(point);
                    number.value = number
                        .value
                        .checked_mul(10)
                        .and_then(|value| value.checked_add(i128::from(byte - b'0')))
                        .ok_or((at, Problem::TooLarge))?;
                }
                _ => return Err((at, wrong)),
            }
        }
        if !any {
            return Err((0, wrong));
        }
        if is_negative {
            number.value = -number.value;
        }
        Ok(number)
    }
}

/// A word of the venue's, and what it means if we know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word<'a, T> {
    /// The word as it came.
    pub text: &'a str,
    /// What it means; `None` for a word that came after this was written.
    pub known: Option<T>,
}

/// One value of an object, under its key.
#[derive(Clone, Copy)]
pub struct Cell<'a> {
    /// The whole frame; valid UTF-8.
    pub bytes: &'a [u8],
    /// The key, escapes as they stand.
    pub key: &'a [u8],
    /// Where the value stands.
    pub value: Value,
}

/// A field's name for errors.
fn named(name: &'static [u8]) -> &'static str {
    std::str::from_utf8(name).unwrap_or("frame")
}

impl<'a> Cell<'a> {
    /// Reads the value into its slot.
    ///
    /// # Errors
    ///
    /// If it has the wrong type or the slot is taken.
    #[inline]
    pub fn put<T>(
        &self,
        slot: &mut Option<T>,
        name: &'static [u8],
        read: impl FnOnce(&Self, &'static str) -> Result<Option<T>, DecodeError>,
    ) -> Result<(), DecodeError> {
        if slot.is_some() {
            return Err(self.fail(named(name), Problem::Twice));
        }
        *slot = read(self, named(name))?;
        Ok(())
    }

    /// The error that this value has a problem.
    #[cold]
    pub fn fail(&self, field: &'static str, problem: Problem) -> DecodeError {
        DecodeError { field, offset: self.value.start as usize, problem }
    }

    fn is_null(&self) -> bool {
        self.value.kind == Type::Null
    }

    /// The span of a text, escapes as they stand; nothing for null.
    fn span(&self, field: &'static str) -> Result<Option<&'a str>, DecodeError> {
        match self.value.kind {
            Type::Null => Ok(None),
            Type::String => {
                let span = std::str::from_utf8(self.value.of(self.bytes));
                span.map(Some).map_err(|_| self.fail(field, Problem::Syntax("UTF-8 text")))
            }
            _ => Err(self.fail(field, Problem::WrongType("text"))),
        }
    }

    /// Text; nothing for null and for an empty one.
    pub(super) fn text(&self, field: &'static str) -> Result<Option<Cow<'a, str>>, DecodeError> {
        let Some(span) = self.span(field)?.filter(|span| !span.is_empty()) else {
            return Ok(None);
        };
        if !span.contains('\\') {
            return Ok(Some(Cow::Borrowed(span)));
        }
        let text = unescaped(span);
        text.map(|text| Some(Cow::Owned(text)))
            .ok_or_else(|| self.fail(field, Problem::Syntax("a JSON escape")))
    }

    /// Text, or the digits of a number.
    pub(super) fn loose_text(
        &self,
        field: &'static str,
    ) -> Result<Option<Cow<'a, str>>, DecodeError> {
        if self.value.kind != Type::Number {
            return self.text(field);
        }
        let digits = std::str::from_utf8(self.value.of(self.bytes)).unwrap_or_default();
        Ok(Some(Cow::Borrowed(digits)))
    }

    /// A decimal in quotes; nothing for null and for an empty text.
    pub(super) fn number(&self, field: &'static str) -> Result<Option<Number>, DecodeError> {
        match self.value.kind {
            Type::Null => Ok(None),
            Type::String if self.value.start == self.value.end => Ok(None),
            Type::String => self.digits(field).map(Some),
            _ => Err(self.fail(field, Problem::WrongType("a decimal number in quotes"))),
        }
    }

    /// A decimal, in quotes or not, where the venue's own pages differ.
    pub(super) fn loose_number(&self, field: &'static str) -> Result<Option<Number>, DecodeError> {
        match self.value.kind {
            Type::Number => self.digits(field).map(Some),
            _ => self.number(field),
        }
    }

    fn digits(&self, field: &'static str) -> Result<Number, DecodeError> {
        Number::parse(self.value.of(self.bytes)).map_err(|(at, problem)| DecodeError {
            field,
            offset: self.value.start as usize + at,
            problem,
        })
    }

    /// A whole number, with a sign; nothing for null.
    pub(super) fn whole(&self, field: &'static str) -> Result<Option<i64>, DecodeError> {
        if self.is_null() {
            return Ok(None);
        }
        let wrong = Problem::WrongType("a whole number");
        if self.value.kind != Type::Number {
            return Err(self.fail(field, wrong));
        }
        let number = self.digits(field)?;
        if number.scale > 0 {
            return Err(self.fail(field, wrong));
        }
        i64::try_from(number.value).map(Some).map_err(|_| self.fail(field, Problem::TooLarge))
    }

    /// A whole number, in quotes or not; nothing for null and an empty text.
    pub(super) fn loose_whole(&self, field: &'static str) -> Result<Option<i64>, DecodeError> {
        let Some(number) = self.loose_number(field)? else { return Ok(None) };
        let units = number.units(0);
        units.map(Some).map_err(|_| self.fail(field, Problem::WrongType("a whole number")))
    }

    /// True or false; nothing for null.
    pub(super) fn flag(&self, field: &'static str) -> Result<Option<bool>, DecodeError> {
        match self.value.kind {
            Type::Null => Ok(None),
            Type::True => Ok(Some(true)),
            Type::False => Ok(Some(false)),
            _ => Err(self.fail(field, Problem::WrongType("true or false"))),
        }
    }

    /// True or false, in quotes or not.
    pub(super) fn loose_flag(&self, field: &'static str) -> Result<Option<bool>, DecodeError> {
        match (self.value.kind, self.value.of(self.bytes)) {
            (Type::String, b"true") => Ok(Some(true)),
            (Type::String, b"false") => Ok(Some(false)),
            _ => self.flag(field),
        }
    }

    /// A time in ns; nothing for null, and for zero or less, which the venue writes for "never".
    pub(super) fn stamp(&self, field: &'static str) -> Result<Option<i64>, DecodeError> {
        match self.whole(field)? {
            None | Some(..=0) => Ok(None),
            Some(_) => number::stamp(self.bytes, self.value, field).map(Some),
        }
    }

    /// A word as it came; nothing for null and for an empty one.
    pub(super) fn raw(&self, field: &'static str) -> Result<Option<&'a str>, DecodeError> {
        Ok(self.span(field)?.filter(|span| !span.is_empty()))
    }

    /// A side: what is neither must not be taken for one of them.
    pub(super) fn side(&self, field: &'static str) -> Result<Option<&'a str>, DecodeError> {
        match self.raw(field)? {
            None | Some("BUY" | "SELL") => self.raw(field),
            _ => Err(self.fail(field, Problem::WrongType("BUY or SELL"))),
        }
    }

    /// A leg of a position, as [`side`](Self::side).
    pub(super) fn leg(&self, field: &'static str) -> Result<Option<&'a str>, DecodeError> {
        match self.raw(field)? {
            None | Some("BOTH" | "LONG" | "SHORT") => self.raw(field),
            _ => Err(self.fail(field, Problem::WrongType("BOTH, LONG or SHORT"))),
        }
    }

    /// Where an object or list stands.
    pub(super) fn nested(&self, _: &'static str) -> Result<Option<Value>, DecodeError> {
        Ok(Some(self.value).filter(|value| value.kind != Type::Null))
    }
}

/// A word looked up in a table.
pub fn word<'a, T: Copy>(
    table: &'static [(&'static str, T)],
) -> impl Fn(&Cell<'a>, &'static str) -> Result<Option<Word<'a, T>>, DecodeError> {
    move |cell, field| {
        Ok(cell.raw(field)?.map(|text| Word {
            text,
            known: table.iter().find(|(name, _)| *name == text).map(|(_, known)| *known),
        }))
    }
}

/// Hands each value of the object that comes next to `take`.
///
/// # Errors
///
/// If it is no object, or `take` says so.
pub fn each_field<'a>(
    scan: &mut Scanner<'a>,
    field: &'static str,
    mut take: impl FnMut(Cell<'a>) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    if scan.peek() != Some(b'{') {
        let problem = match scan.peek() {
            None => Problem::Truncated,
            Some(_) => Problem::WrongType("an object"),
        };
        return Err(DecodeError { field, offset: scan.at, problem });
    }
    scan.at += 1;
    if scan.eat(b'}') {
        return Ok(());
    }
    loop {
        let key = scan.key()?;
        let value = scan.value(field)?;
        take(Cell { bytes: scan.bytes, key, value })?;
        if !scan.more(b'}', field)? {
            return Ok(());
        }
    }
}

/// Hands each element of the list that comes next to `take`, which must read it.
///
/// # Errors
///
/// If it is no list, or `take` says so.
pub fn each_row<'a>(
    scan: &mut Scanner<'a>,
    field: &'static str,
    mut take: impl FnMut(&mut Scanner<'a>) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    if scan.peek() != Some(b'[') {
        let problem = Problem::WrongType("a list");
        return Err(DecodeError { field, offset: scan.at, problem });
    }
    scan.at += 1;
    if scan.eat(b']') {
        return Ok(());
    }
    loop {
        take(scan)?;
        if !scan.more(b']', field)? {
            return Ok(());
        }
    }
}

/// What a message must hold.
///
/// # Errors
///
/// If it is missing.
pub fn need<T>(found: Option<T>, field: &'static str, end: usize) -> Result<T, DecodeError> {
    found.ok_or(DecodeError { field, offset: end, problem: Problem::Missing })
}

/// Text with its JSON escapes resolved; `None` if one is broken.
fn unescaped(span: &str) -> Option<String> {
    let mut out = String::with_capacity(span.len());
    let mut rest = span.chars();
    while let Some(letter) = rest.next() {
        if letter != '\\' {
            out.push(letter);
            continue;
        }
        out.push(match rest.next()? {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'b' => '\u{8}',
            'f' => '\u{c}',
            plain @ ('"' | '\\' | '/') => plain,
            'u' => {
                let first = four_digits(&mut rest)?;
                match first {
                    0xD800..=0xDBFF => {
                        if rest.next()? != '\\' || rest.next()? != 'u' {
                            return None;
                        }
                        let second = four_digits(&mut rest)?.checked_sub(0xDC00)?;
                        if second > 0x3FF {
                            return None;
                        }
                        char::from_u32(0x10000 + ((first - 0xD800) << 10) + second)?
                    }
                    _ => char::from_u32(first)?,
                }
            }
            _ => return None,
        });
    }
    Some(out)
}

fn four_digits(rest: &mut std::str::Chars<'_>) -> Option<u32> {
    (0..4).try_fold(0, |number, _| Some(number * 16 + rest.next()?.to_digit(16)?))
}

/// Reads the values of one object into their slots, by key.
macro_rules! slots {
    ($cell:ident, $($key:literal => $slot:expr, $read:expr;)*) => {
        match $cell.key {
            $($key => $cell.put(&mut $slot, $key, $read)?,)*
            _ => {}
        }
    };
}
pub(super) use slots;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_keep_their_decimals() {
        let read = |text: &str| Number::parse(text.as_bytes()).map_err(|(_, problem)| problem);
        assert_eq!(read("-10.50"), Ok(Number { value: -1050, scale: 2 }));
        assert_eq!(read("0"), Ok(Number { value: 0, scale: 0 }));
        assert_eq!(read("5."), Ok(Number { value: 5, scale: 0 }));
        for text in ["", "-", ".", ".5", "1e5", "NaN", "--1", "1.2.3", "+1", " 1"] {
            assert!(read(text).is_err(), "{text:?}");
        }
        let large = "9".repeat(40);
        assert_eq!(read(&large), Err(Problem::TooLarge));
        let half = Number { value: 150, scale: 2 };
        assert_eq!(half.at(1), Ok(15));
        assert_eq!(half.at(0), Err(Problem::TooFine));
        assert_eq!(half.at(8), Ok(150_000_000));
        assert_eq!(Number { value: i128::MAX, scale: 0 }.at(1), Err(Problem::TooLarge));
        assert_eq!(Number { value: 1, scale: 0 }.at(200), Err(Problem::TooLarge));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..Default::default() })]

        #[test]
        fn escapes_read_as_another_parser_reads_them(text: String) {
            let written = serde_json::to_string(&text).unwrap_or_default();
            let span = &written[1..written.len() - 1];
            prop_assert_eq!(unescaped(span), Some(text));
        }

        #[test]
        fn broken_escapes_do_not_panic(text in "[\\\\uDdn\"0-9a-f]{0,20}") {
            let _ = unescaped(&text);
        }
    }

    #[test]
    fn surrogates() {
        assert_eq!(unescaped("\\ud83d\\ude00").as_deref(), Some("😀"));
        assert_eq!(unescaped("\\u5e01").as_deref(), Some("币"));
        assert_eq!(unescaped("\\ud83d"), None);
        assert_eq!(unescaped("\\ud83d\\u0041"), None);
    }
}
