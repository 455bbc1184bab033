//! Orders that the venue knows, and the way from an id to its order.
//!
//! Orders live in slots that are used again; the table from id to slot is open addressing with
//! linear probing. It is only looked up, never walked, so no order of ids decides anything.

use crate::order::{OrderId, OrderSpec};

/// Row of an order in [`Orders`].
pub(super) type Slot = u32;

/// A queue position that nobody knows.
pub(super) const UNKNOWN: i128 = i128::MAX;

/// What an order is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doing {
    /// The slot is free.
    Nothing,
    /// It is being worked on, and stands in no list.
    Acting,
    /// It rests in the book.
    Resting,
    /// It waits for its trigger.
    Armed,
    /// It waits for something to take.
    Waiting,
}

/// One order at the venue.
#[derive(Clone, Copy, Debug)]
pub(super) struct Own {
    pub id: OrderId,
    pub account: u16,
    pub doing: Doing,
    pub spec: OrderSpec,
    /// Total quantity, after cuts.
    pub qty: i64,
    pub filled: i64,
    /// What self-trade prevention took.
    pub prevented: i64,
    pub left: i64,
    /// Visible part of `left`.
    pub shown: i64,
    /// The price at which it rests.
    pub price: i64,
    /// Millionths of a lot before it, or [`UNKNOWN`].
    pub ahead: i128,
    /// Place in time: of joining the queue, or of being armed.
    pub seq: u64,
    /// Place in time of its arrival; names this life of the slot.
    pub birth: u64,
    /// Best price since a trailing order was armed; `None` before.
    pub extreme: Option<i64>,
    /// Quote or base that it locks, at the asset's scale.
    pub locked: i128,
}

impl Own {
    /// Quantity of the slice that an order shows, given what is left.
    pub fn slice(&self) -> i64 {
        if self.spec.display_qty > 0 {
            self.left.min(self.spec.display_qty)
        } else {
            self.left
        }
    }

    /// True if no fill may open or grow a position.
    pub fn reduces(&self) -> bool {
        use crate::order::{PositionSide, Side};
        self.spec.reduce_only
            || self.spec.close_position
            || matches!(
                (self.spec.position_side, self.spec.side),
                (PositionSide::Long, Side::Sell) | (PositionSide::Short, Side::Buy)
            )
    }
}

/// All orders that are open.
#[derive(Clone, Debug)]
pub(super) struct Orders {
    rows: Vec<Own>,
    free: Vec<Slot>,
    table: Vec<(OrderId, Slot)>,
    used: usize,
}

const EMPTY: Slot = Slot::MAX;

impl Orders {
    pub fn new() -> Orders {
        Orders { rows: Vec::new(), free: Vec::new(), table: vec![(0, EMPTY); 64], used: 0 }
    }

    /// All rows, closed ones included.
    pub fn rows(&self) -> &[Own] {
        &self.rows
    }

    #[inline]
    pub fn get(&self, slot: Slot) -> &Own {
        &self.rows[slot as usize]
    }

    #[inline]
    pub fn get_mut(&mut self, slot: Slot) -> &mut Own {
        &mut self.rows[slot as usize]
    }

    #[inline]
    fn home(&self, id: OrderId) -> usize {
        let hash = id.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (hash >> 32) as usize & (self.table.len() - 1)
    }

    /// The slot of an open order.
    #[inline]
    pub fn find(&self, id: OrderId) -> Option<Slot> {
        let mask = self.table.len() - 1;
        let mut place = self.home(id);
        loop {
            let (key, slot) = self.table[place];
            if slot == EMPTY {
                return None;
            }
            if key == id {
                return Some(slot);
            }
            place = (place + 1) & mask;
        }
    }

    /// Adds an order whose id is not open.
    #[inline]
    pub fn insert(&mut self, own: Own) -> Slot {
        let slot = match self.free.pop() {
            Some(slot) => {
                self.rows[slot as usize] = own;
                slot
            }
            None => {
                self.rows.push(own);
                (self.rows.len() - 1) as Slot
            }
        };
        self.used += 1;
        if self.used * 2 > self.table.len() {
            self.grow();
        }
        self.put(own.id, slot);
        slot
    }

    fn put(&mut self, id: OrderId, slot: Slot) {
        let mask = self.table.len() - 1;
        let mut place = self.home(id);
        while self.table[place].1 != EMPTY {
            place = (place + 1) & mask;
        }
        self.table[place] = (id, slot);
    }

    #[cold]
    fn grow(&mut self) {
        let larger = vec![(0, EMPTY); self.table.len() * 2];
        let old = std::mem::replace(&mut self.table, larger);
        for (id, slot) in old {
            if slot != EMPTY {
                self.put(id, slot);
            }
        }
    }

    /// Forgets an order.
    #[inline]
    pub fn remove(&mut self, slot: Slot) {
        let mask = self.table.len() - 1;
        let id = self.rows[slot as usize].id;
        assert!(self.rows[slot as usize].doing != Doing::Nothing, "an order ends once");
        self.rows[slot as usize].doing = Doing::Nothing;
        self.free.push(slot);
        self.used -= 1;
        let mut hole = self.home(id);
        while self.table[hole].0 != id || self.table[hole].1 == EMPTY {
            assert!(self.table[hole].1 != EMPTY, "an open order is in the table");
            hole = (hole + 1) & mask;
        }
        // Later entries of the run move up, so that no probe stops short of them.
        let mut next = hole;
        loop {
            self.table[hole] = (0, EMPTY);
            loop {
                next = (next + 1) & mask;
                let (key, slot) = self.table[next];
                if slot == EMPTY {
                    return;
                }
                let home = self.home(key);
                if (next.wrapping_sub(home) & mask) >= (next.wrapping_sub(hole) & mask) {
                    self.table[hole] = (key, slot);
                    break;
                }
            }
            hole = next;
        }
    }
}

/// Own resting orders of one side, best price first and then oldest, kept with the best at the end.
#[derive(Clone, Debug)]
pub(super) struct RestingSide {
    /// +1 for bids, -1 for asks: `price * sign` rises towards the best.
    sign: i64,
    rows: Vec<(i64, Slot)>,
}

impl RestingSide {
    pub fn new(is_bid: bool) -> RestingSide {
        RestingSide { sign: if is_bid { 1 } else { -1 }, rows: Vec::new() }
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Adds an order behind all others of its price.
    #[inline]
    pub fn join(&mut self, price: i64, slot: Slot) {
        let key = price * self.sign;
        let at = self.rows.partition_point(|(p, _)| p * self.sign < key);
        self.rows.insert(at, (price, slot));
    }

    /// Takes an order out.
    #[inline]
    pub fn leave(&mut self, price: i64, slot: Slot) {
        let key = price * self.sign;
        let from = self.rows.partition_point(|(p, _)| p * self.sign < key);
        let found = self.rows[from..].iter().position(|(_, s)| *s == slot);
        if let Some(at) = found {
            self.rows.remove(from + at);
        }
    }

    /// Best price.
    #[inline]
    pub fn best(&self) -> Option<i64> {
        self.rows.last().map(|(price, _)| *price)
    }

    /// Worst price.
    #[inline]
    pub fn worst(&self) -> Option<i64> {
        self.rows.first().map(|(price, _)| *price)
    }

    /// Orders, best price first and then oldest.
    pub fn iter(&self) -> impl Iterator<Item = (i64, Slot)> + '_ {
        self.rows.iter().rev().copied()
    }

    /// The newest order at one price.
    #[inline]
    pub fn newest_at(&self, price: i64) -> Option<Slot> {
        let key = price * self.sign;
        let from = self.rows.partition_point(|(p, _)| p * self.sign < key);
        self.rows.get(from).filter(|(p, _)| *p == price).map(|(_, slot)| *slot)
    }

    /// Orders at one price, oldest first.
    #[inline]
    pub fn at(&self, price: i64) -> impl Iterator<Item = Slot> + '_ {
        let key = price * self.sign;
        let to = self.rows.partition_point(|(p, _)| p * self.sign <= key);
        let oldest_first = self.rows[..to].iter().rev();
        oldest_first.take_while(move |(p, _)| *p == price).map(|(_, slot)| *slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::{OrderType, Side};

    fn order(id: OrderId) -> Own {
        Own {
            id,
            account: 0,
            doing: Doing::Acting,
            spec: OrderSpec::new(0, Side::Buy, OrderType::Limit, 1, 1),
            qty: 1,
            filled: 0,
            prevented: 0,
            left: 1,
            shown: 1,
            price: 1,
            ahead: 0,
            seq: id,
            birth: id,
            extreme: None,
            locked: 0,
        }
    }

    #[test]
    fn ids_are_found_after_any_order_of_adding_and_removing() {
        let (mut orders, mut open) = (Orders::new(), Vec::new());
        let mut dice = super::super::dice::Dice::new(3, 3);
        for round in 0..20_000_u64 {
            if open.len() < 40 || dice.next_u64() % 2 == 0 {
                let id = if round % 3 == 0 { round << 40 } else { round };
                if orders.find(id).is_none() {
                    orders.insert(order(id));
                    open.push(id);
                }
            } else {
                let id = open.swap_remove(dice.next_u64() as usize % open.len());
                let slot = orders.find(id).unwrap();
                orders.remove(slot);
                assert_eq!(orders.find(id), None);
            }
        }
        assert!(open.iter().all(|id| orders.find(*id).is_some_and(|s| orders.get(s).id == *id)));
    }

    #[test]
    fn a_side_is_walked_best_first_and_then_oldest() {
        let mut bids = RestingSide::new(true);
        let mut asks = RestingSide::new(false);
        for (price, slot) in [(5, 1), (7, 2), (5, 3), (6, 4), (7, 5)] {
            bids.join(price, slot);
            asks.join(price, slot);
        }
        let slots = |side: &RestingSide| side.iter().map(|(_, s)| s).collect::<Vec<_>>();
        assert_eq!(slots(&bids), [2, 5, 4, 1, 3]);
        assert_eq!(slots(&asks), [1, 3, 4, 2, 5]);
        assert_eq!(asks.at(7).collect::<Vec<_>>(), [2, 5]);
        bids.leave(7, 2);
        assert_eq!((bids.best(), bids.worst(), slots(&bids)), (Some(7), Some(5), vec![5, 4, 1, 3]));
    }
}
