//! What the accounts refuse, and what a broken book looks like.

use crate::instrument::{AssetId, InstrumentId};
use crate::units::format_decimal;
use std::fmt;

/// Why an event was refused. Nothing changed (law L17).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountError {
    /// No such account.
    UnknownAccount(u16),
    /// No such row in the asset table.
    UnknownAsset(AssetId),
    /// No such row in the instrument table.
    UnknownInstrument(InstrumentId),
    /// No such open order.
    UnknownOrder(u64),
    /// An order with this number is open already.
    DuplicateOrder(u64),
    /// A figure of this instrument or asset does not fit its integer.
    Overflow(String),
    /// An instrument or asset whose decimals the books cannot carry exactly.
    BadScale(String),
    /// The asset's balance cannot pay.
    Insufficient {
        /// The asset.
        asset: String,
        /// What would be missing, as decimal text.
        missing: String,
    },
    /// More is paid back than is owed of this asset.
    OwesLess(String),
    /// A reduce-only fill finds nothing to reduce.
    ReduceOnly(String),
    /// A fill would close more than the leg holds.
    ClosesMore(String),
    /// The leg does not exist in the account's position mode or for this kind of instrument.
    BadSide(String),
    /// The event has no meaning for this kind of instrument.
    WrongKind(String),
    /// A quantity, price, amount or leverage that must be above zero is not.
    NotPositive(&'static str),
    /// Isolated margin, or a margin figure, needs a leverage that was never set.
    NoLeverage(String),
    /// Margin cannot be moved: the position is not isolated or is flat.
    NotIsolated(String),
    /// The mode cannot change while there are positions or orders.
    NotFlat(String),
}

impl fmt::Display for AccountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownAccount(id) => write!(f, "there is no account {id}; add it first"),
            Self::UnknownAsset(id) => write!(f, "there is no asset row {id}; add it first"),
            Self::UnknownInstrument(id) => {
                write!(f, "there is no instrument row {id}; add it first")
            }
            Self::UnknownOrder(id) => write!(f, "order {id} is not open in the accounts"),
            Self::DuplicateOrder(id) => write!(f, "order {id} is already open in the accounts"),
            Self::Overflow(name) => {
                write!(f, "a figure of {name} does not fit its integer; use a smaller quantity")
            }
            Self::BadScale(name) => {
                write!(f, "the decimals of {name} are more than the books carry exactly")
            }
            Self::Insufficient { asset, missing } => {
                write!(f, "insufficient {asset}: {missing} is missing")
            }
            Self::OwesLess(name) => write!(f, "less {name} is owed than is paid back"),
            Self::ReduceOnly(name) => {
                write!(f, "a reduce-only fill of {name} would open a position; nothing to reduce")
            }
            Self::ClosesMore(name) => {
                write!(f, "a fill of {name} closes more than the position holds")
            }
            Self::BadSide(name) => {
                write!(f, "{name} has no such position side in this position mode")
            }
            Self::WrongKind(name) => write!(f, "{name} is not an instrument for this event"),
            Self::NotPositive(what) => write!(f, "the {what} must be above zero"),
            Self::NoLeverage(name) => write!(f, "{name} has no leverage; set it first"),
            Self::NotIsolated(name) => {
                write!(f, "{name} has no open isolated position to move margin of")
            }
            Self::NotFlat(name) => {
                write!(f, "the mode of {name} changes only without position and orders")
            }
        }
    }
}

impl std::error::Error for AccountError {}

/// The money identity does not hold: two ways to one figure differ. A defect, never a rounding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityBroken {
    /// The account.
    pub account: u16,
    /// Which equality: `wallet`, `isolated`, `locked`, `reporting`, `quantity` or `profit`;
    /// `arithmetic` if a figure does not fit.
    pub law: &'static str,
    /// The asset or instrument.
    pub name: String,
    /// One side of it.
    pub left: i128,
    /// The other side.
    pub right: i128,
}

impl fmt::Display for IdentityBroken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the {} identity of account {} is broken for {}: {} is not {} (unscaled integers)",
            self.law, self.account, self.name, self.left, self.right,
        )
    }
}

impl std::error::Error for IdentityBroken {}

pub(crate) fn insufficient(asset: &str, missing: i128, scale: u8) -> AccountError {
    AccountError::Insufficient { asset: asset.to_owned(), missing: format_decimal(missing, scale) }
}
