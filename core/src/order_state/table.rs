//! The orders of a desk, by handle.

use super::afterlife::Afterlife;
use super::Order;
use crate::order::{OrderId, OrderSpec};

/// The orders of a desk: by handle in O(1), rows re-used once nobody can ask for them.
#[derive(Debug)]
pub struct OrderTable {
    pub(super) rows: Vec<Order>,
    pub(super) free: Vec<u32>,
    /// Row of each handle from `first` to before `next`, at the handle modulo its length, which is
    /// a power of two; `GONE` once the row was re-used.
    pub(super) index: Vec<u32>,
    pub(super) first: OrderId,
    pub(super) next: OrderId,
    /// Handles of open orders, oldest first.
    pub(super) open: Vec<OrderId>,
    pub(super) afterlife: Afterlife,
}

pub(super) const GONE: u32 = u32::MAX;

impl Default for OrderTable {
    fn default() -> Self {
        OrderTable {
            rows: Vec::new(),
            free: Vec::new(),
            index: vec![GONE; 64],
            first: 1,
            next: 1,
            open: Vec::new(),
            afterlife: Afterlife::default(),
        }
    }
}

impl OrderTable {
    /// An empty table whose first handle is 1.
    #[must_use]
    pub fn new() -> Self {
        OrderTable::default()
    }

    /// The handle that the next order will get.
    #[must_use]
    pub fn next_id(&self) -> OrderId {
        self.next
    }

    /// Adds an order in state New and gives its handle.
    pub fn insert(&mut self, account: u16, strategy: u16, spec: OrderSpec, now_ns: i64) -> OrderId {
        let id = self.next;
        if id - self.first == self.index.len() as u64 {
            self.widen(2 * self.index.len() as u64);
        }
        self.next += 1;
        let row = match self.free.pop() {
            Some(row) => {
                self.rows[row as usize].renew(id, account, strategy, &spec, now_ns);
                row
            }
            None => {
                self.rows.push(Order::new(id, account, strategy, spec, now_ns));
                (self.rows.len() - 1) as u32
            }
        };
        let at = self.place(id);
        self.index[at] = row;
        self.open.push(id);
        id
    }

    /// Where a handle stands in the index.
    #[inline]
    pub(super) fn place(&self, id: OrderId) -> usize {
        id as usize & (self.index.len() - 1)
    }

    /// Makes the index hold a handle; those between it and the others are of no order.
    pub(super) fn cover(&mut self, id: OrderId) {
        let (first, next) = (self.first.min(id), self.next.max(id + 1));
        if next - first > self.index.len() as u64 {
            self.widen(next - first);
        }
        for id in (first..self.first).chain(self.next..next) {
            let at = self.place(id);
            self.index[at] = GONE;
        }
        (self.first, self.next) = (first, next);
    }

    /// Gives the index room for so many handles.
    #[cold]
    fn widen(&mut self, handles: u64) {
        let wider = vec![GONE; (handles as usize).next_power_of_two()];
        let old = std::mem::replace(&mut self.index, wider);
        for id in self.first..self.next {
            let at = self.place(id);
            self.index[at] = old[id as usize & (old.len() - 1)];
        }
    }

    #[inline]
    pub(super) fn row(&self, id: OrderId) -> Option<usize> {
        if id.wrapping_sub(self.first) >= self.next - self.first {
            return None;
        }
        let row = self.index[self.place(id)];
        (row != GONE).then_some(row as usize)
    }

    /// The order, unless it is unknown or long forgotten.
    #[inline]
    #[must_use]
    pub fn get(&self, id: OrderId) -> Option<&Order> {
        match self.row(id) {
            Some(row) => Some(&self.rows[row]),
            None => self.afterlife.orders.get(&id).map(|order| &**order),
        }
    }

    /// As [`get`](Self::get), to change it.
    #[inline]
    pub fn get_mut(&mut self, id: OrderId) -> Option<&mut Order> {
        match self.row(id) {
            Some(row) => Some(&mut self.rows[row]),
            None => self.afterlife.orders.get_mut(&id).map(|order| &mut **order),
        }
    }

    /// Handles of open orders, oldest first.
    #[inline]
    #[must_use]
    pub fn open(&self) -> &[OrderId] {
        &self.open
    }

    /// Takes an ended order off the list of open ones.
    pub fn close(&mut self, id: OrderId) {
        if let Some(at) = self.open.iter().position(|&open| open == id) {
            self.open.remove(at);
        }
    }

    /// Frees the row of an ended order that nobody holds.
    pub fn forget(&mut self, id: OrderId) {
        let Some(row) = self.row(id) else { return };
        let order = &self.rows[row];
        if order.handles > 0 || order.is_open() {
            return;
        }
        self.bury(row);
        let at = self.place(id);
        self.index[at] = GONE;
        self.free.push(row as u32);
        while self.first < self.next && self.index[self.place(self.first)] == GONE {
            self.first += 1;
        }
    }
}
