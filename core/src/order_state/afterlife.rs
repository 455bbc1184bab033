//! Ended orders that are still remembered: a late report of one must find its facts (rule 2 of
//! the fault catalogue: an id keeps a tombstone for a day).

use std::collections::{BTreeMap, VecDeque};

use super::{Order, OrderTable};
use crate::instrument::InstrumentId;
use crate::order::OrderId;

/// Ended orders whose rows are used again, and when each ended.
#[derive(Debug, Default)]
pub(super) struct Afterlife {
    /// How long they are kept, ns of event time; 0 keeps none.
    pub(super) remembers_ns: i64,
    /// In boxes: a day's orders go into the tree at once, and are not moved about in it.
    pub(super) orders: BTreeMap<OrderId, Box<Order>>,
    /// Event time of the end, oldest first; an order that ended twice stands there twice.
    pub(super) ends: VecDeque<(i64, OrderId)>,
    /// The latest end of each.
    pub(super) ended: BTreeMap<OrderId, i64>,
    /// Forgotten since last asked, with account and instrument.
    forgotten: Vec<(OrderId, u16, InstrumentId)>,
}

impl OrderTable {
    /// Keeps ended orders for a time, ns; 0 forgets them as soon as nobody holds them.
    pub fn remember(&mut self, ns: i64) {
        self.afterlife.remembers_ns = ns;
    }

    /// How long ended orders are kept, ns.
    #[must_use]
    pub fn remembers_ns(&self) -> i64 {
        self.afterlife.remembers_ns
    }

    /// Notes that an order ended at an event time, and forgets those that ended too long ago.
    pub fn note_end(&mut self, id: OrderId, now_ns: i64) {
        if self.afterlife.remembers_ns == 0 {
            return;
        }
        self.afterlife.ends.push_back((now_ns, id));
        self.afterlife.ended.insert(id, now_ns);
        let since = now_ns - self.afterlife.remembers_ns;
        while let Some(&(ended_ns, old)) = self.afterlife.ends.front() {
            if ended_ns > since {
                break;
            }
            self.afterlife.ends.pop_front();
            if self.afterlife.ended.get(&old) == Some(&ended_ns) {
                if let Some(order) = self.get(old) {
                    let (account, instrument) = (order.account, order.spec.instrument);
                    self.afterlife.forgotten.push((old, account, instrument));
                }
                self.afterlife.ended.remove(&old);
                self.afterlife.orders.remove(&old);
            }
        }
    }

    /// Takes the orders that `note_end` forgot: handle, account, instrument.
    pub fn take_forgotten(&mut self) -> Vec<(OrderId, u16, InstrumentId)> {
        std::mem::take(&mut self.afterlife.forgotten)
    }

    /// Puts an order that came to life again back on the list of open ones.
    pub fn reopen(&mut self, id: OrderId) {
        self.afterlife.ended.remove(&id);
        if let Err(at) = self.open.binary_search(&id) {
            self.open.insert(at, id);
        }
    }

    /// Keeps the row of an ended order that is about to be used again.
    pub(super) fn bury(&mut self, row: usize) {
        let id = self.rows[row].id;
        if self.afterlife.ended.contains_key(&id) {
            let mut order = self.rows[row].clone();
            order.handles = 0;
            self.afterlife.orders.insert(id, Box::new(order));
        }
    }

    /// Adds an order under its own handle, as a journal names it.
    pub fn insert_as(&mut self, order: Order) {
        let id = order.id;
        self.cover(id);
        let is_open = order.is_open();
        let row = match self.free.pop() {
            Some(row) => {
                self.rows[row as usize] = order;
                row
            }
            None => {
                self.rows.push(order);
                (self.rows.len() - 1) as u32
            }
        };
        let at = self.place(id);
        self.index[at] = row;
        if is_open {
            self.reopen(id);
        }
    }

    /// Puts ended orders among those that are remembered, with the event time of each end: all at
    /// once, since a day's orders one by one take several times as long.
    pub fn insert_ended(
        &mut self,
        orders: Vec<(OrderId, Box<Order>)>,
        mut ends: Vec<(i64, OrderId)>,
    ) {
        let life = &mut self.afterlife;
        life.ended = ends.iter().map(|&(ended_ns, id)| (id, ended_ns)).collect();
        life.orders = orders.into_iter().collect();
        ends.sort_unstable();
        life.ends = ends.into();
    }

    /// The next order gets this handle, or a later one.
    pub fn continue_at(&mut self, id: OrderId) {
        if self.first == self.next {
            (self.first, self.next) = (self.first.max(id), self.next.max(id));
        } else if id > self.next {
            self.cover(id - 1);
        }
    }

    /// The orders, open or remembered, that have booked a trade of the venue: one, or both sides of
    /// a trade with oneself.
    pub fn with_trade(
        &self,
        account: u16,
        instrument: u32,
        trade_id: u64,
    ) -> impl Iterator<Item = &Order> {
        let ids = self.open.iter().chain(self.afterlife.ended.keys());
        ids.filter_map(|id| self.get(*id)).filter(move |order| {
            (order.account, order.spec.instrument) == (account, instrument)
                && order.knows_trade(trade_id)
        })
    }

    /// Every order that was journalled and is open or remembered; by handle, with the event time of
    /// its end (0 while it is open).
    pub fn known(&self) -> Vec<(i64, &Order)> {
        let mut known: BTreeMap<OrderId, (i64, &Order)> = BTreeMap::new();
        for &id in &self.open {
            let Some(order) = self.get(id) else { continue };
            if !order.is_unborn() {
                known.insert(id, (0, order));
            }
        }
        for (&id, &ended_ns) in &self.afterlife.ended {
            let Some(order) = self.get(id) else { continue };
            known.entry(id).or_insert((ended_ns, order));
        }
        known.into_values().collect()
    }
}
