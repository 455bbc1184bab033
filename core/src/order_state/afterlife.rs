//! Ended orders that are still remembered: a late report of one must find its facts (rule 2 of
//! the fault catalogue: an id keeps a tombstone for a day).

use std::collections::{BTreeMap, VecDeque};

use super::{Order, OrderTable};
use crate::order::OrderId;

/// Ended orders whose rows are used again, and when each ended.
#[derive(Debug, Default)]
pub(super) struct Afterlife {
    /// How long they are kept, ns of event time; 0 keeps none.
    pub(super) remembers_ns: i64,
    pub(super) orders: BTreeMap<OrderId, Order>,
    /// Event time of the end, oldest first; an order that ended twice stands there twice.
    pub(super) ends: VecDeque<(i64, OrderId)>,
    /// The latest end of each.
    pub(super) ended: BTreeMap<OrderId, i64>,
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
                self.afterlife.ended.remove(&old);
                self.afterlife.orders.remove(&old);
            }
        }
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
            self.afterlife.orders.insert(id, order);
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

    /// Puts an ended order among those that are remembered.
    pub fn insert_ended(&mut self, order: Order, ended_ns: i64) {
        let id = order.id;
        self.afterlife.ends.push_back((ended_ns, id));
        self.afterlife.ended.insert(id, ended_ns);
        self.afterlife.orders.insert(id, order);
    }

    /// Sorts what `insert_ended` put in, once all are there.
    pub fn sort_ended(&mut self) {
        self.afterlife.ends.make_contiguous().sort_unstable();
    }

    /// The next order gets this handle, or a later one.
    pub fn continue_at(&mut self, id: OrderId) {
        if self.first == self.next {
            (self.first, self.next) = (self.first.max(id), self.next.max(id));
        } else if id > self.next {
            self.cover(id - 1);
        }
    }

    /// True if an order that is open or remembered has booked a trade of the venue.
    #[must_use]
    pub fn has_trade(&self, account: u16, instrument: u32, trade_id: u64) -> bool {
        let ids = self.open.iter().chain(self.afterlife.ended.keys());
        ids.filter_map(|id| self.get(*id)).any(|order| {
            (order.account, order.spec.instrument) == (account, instrument)
                && order.knows_trade(trade_id)
        })
    }

    /// Every order that was journalled and is open, or ended after `since_ns`; by handle, with the
    /// event time of its end (0 while it is open).
    pub fn known(&self, since_ns: i64) -> Vec<(i64, &Order)> {
        let mut known: BTreeMap<OrderId, (i64, &Order)> = BTreeMap::new();
        for &id in &self.open {
            let Some(order) = self.get(id) else { continue };
            if !order.is_unborn() {
                known.insert(id, (0, order));
            }
        }
        for (&id, &ended_ns) in &self.afterlife.ended {
            let Some(order) = self.get(id) else { continue };
            if ended_ns > since_ns {
                known.entry(id).or_insert((ended_ns, order));
            }
        }
        known.into_values().collect()
    }
}
