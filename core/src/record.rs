//! `record!`: one definition of a plain value → a Rust struct and a list of its columns.
//!
//! The list (name, kind, unit of each field) is what the Python class, the NumPy dtype, the
//! Parquet schema and the journal's self-describing header are made of, so no second definition
//! of an event exists anywhere. Values are written field by field, little-endian, never as a copy
//! of padded memory.

/// How a field is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum FieldKind {
    /// One byte, 0 or 1.
    Bool = 1,
    /// Unsigned, 8 bits.
    U8 = 2,
    /// Signed, 8 bits.
    I8 = 3,
    /// Unsigned, 16 bits.
    U16 = 4,
    /// Unsigned, 32 bits.
    U32 = 5,
    /// Unsigned, 64 bits.
    U64 = 6,
    /// Signed, 64 bits.
    I64 = 7,
    /// Signed, 128 bits.
    I128 = 8,
    /// A length (u32) and that many bytes; UTF-8 where it is text.
    Bytes = 9,
}

impl FieldKind {
    /// Every kind, by number from 1.
    const ALL: [FieldKind; 9] = [
        FieldKind::Bool,
        FieldKind::U8,
        FieldKind::I8,
        FieldKind::U16,
        FieldKind::U32,
        FieldKind::U64,
        FieldKind::I64,
        FieldKind::I128,
        FieldKind::Bytes,
    ];

    /// The kind that `number` stands for in a stored schema.
    #[must_use]
    pub fn from_number(number: u8) -> Option<FieldKind> {
        FieldKind::ALL.get(usize::from(number).checked_sub(1)?).copied()
    }

    /// Bytes of a stored value; for [`FieldKind::Bytes`] those of its length alone.
    #[inline]
    #[must_use]
    pub const fn size(self) -> usize {
        match self {
            FieldKind::Bool | FieldKind::U8 | FieldKind::I8 => 1,
            FieldKind::U16 => 2,
            FieldKind::U32 | FieldKind::Bytes => 4,
            FieldKind::U64 | FieldKind::I64 => 8,
            FieldKind::I128 => 16,
        }
    }
}

/// One field of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name, in every language.
    pub name: &'static str,
    /// How it is stored.
    pub kind: FieldKind,
}

/// Bytes of a stored record with these fields, without the contents of variable ones.
#[must_use]
pub const fn stored_size(fields: &[Field]) -> usize {
    let (mut size, mut i) = (0, 0);
    while i < fields.len() {
        size += fields[i].kind.size();
        i += 1;
    }
    size
}

/// A fixed-width value that a record can hold.
pub trait FieldValue: Sized {
    /// How it is stored.
    const KIND: FieldKind;
    /// Appends the value, little-endian.
    fn put(&self, out: &mut Vec<u8>);
    /// Writes the value, little-endian, to the first bytes of `to`.
    fn write(&self, to: &mut [u8]);
    /// Reads the value from the front of `bytes` and moves past it; `None` if too short.
    fn take(bytes: &mut &[u8]) -> Option<Self>;
}

macro_rules! field_value {
    ($($ty:ty => $kind:ident),*) => {$(
        impl FieldValue for $ty {
            const KIND: FieldKind = FieldKind::$kind;
            #[inline]
            fn put(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }
            #[inline]
            fn write(&self, to: &mut [u8]) {
                to[..size_of::<$ty>()].copy_from_slice(&self.to_le_bytes());
            }
            #[inline]
            fn take(bytes: &mut &[u8]) -> Option<Self> {
                let (head, rest) = bytes.split_first_chunk::<{ size_of::<$ty>() }>()?;
                *bytes = rest;
                Some(<$ty>::from_le_bytes(*head))
            }
        }
    )*};
}
field_value!(u8 => U8, i8 => I8, u16 => U16, u32 => U32, u64 => U64, i64 => I64, i128 => I128);

impl FieldValue for bool {
    const KIND: FieldKind = FieldKind::Bool;
    #[inline]
    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }
    #[inline]
    fn write(&self, to: &mut [u8]) {
        to[0] = u8::from(*self);
    }
    #[inline]
    fn take(bytes: &mut &[u8]) -> Option<Self> {
        u8::take(bytes).map(|byte| byte != 0)
    }
}

/// A value with named columns; made by [`record!`](crate::record!).
pub trait Record: Sized {
    /// The record's name, in every language.
    const NAME: &'static str;
    /// Its columns, in order.
    const FIELDS: &'static [Field];
    /// Appends all fields, in order.
    fn put(&self, out: &mut Vec<u8>);
    /// Reads all fields from the front of `bytes`; `None` if too short.
    fn take(bytes: &mut &[u8]) -> Option<Self>;
}

/// Defines a plain value once; see the module.
#[macro_export]
macro_rules! record {
    ($(#[$meta:meta])* pub struct $name:ident { $($(#[$fmeta:meta])* pub $field:ident: $ty:ty,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
        #[repr(C)]
        pub struct $name { $($(#[$fmeta])* pub $field: $ty,)* }

        impl $crate::record::Record for $name {
            const NAME: &'static str = stringify!($name);
            const FIELDS: &'static [$crate::record::Field] = &[$(
                $crate::record::Field {
                    name: stringify!($field),
                    kind: <$ty as $crate::record::FieldValue>::KIND,
                },
            )*];
            #[inline]
            fn put(&self, out: &mut Vec<u8>) {
                // Room is made once and filled in place: looking for room per field costs twice
                // as much, and a row built on the stack stalls the copy behind its narrow stores.
                const SIZE: usize =
                    $crate::record::stored_size(<$name as $crate::record::Record>::FIELDS);
                out.extend_from_slice(&[0; SIZE]);
                let Some(row) = out.last_chunk_mut::<SIZE>() else { return };
                let mut _at = 0;
                $(
                    $crate::record::FieldValue::write(&self.$field, &mut row[_at..]);
                    _at += size_of::<$ty>();
                )*
            }
            #[inline]
            fn take(bytes: &mut &[u8]) -> Option<Self> {
                Some(Self { $($field: $crate::record::FieldValue::take(bytes)?,)* })
            }
        }
    };
}
