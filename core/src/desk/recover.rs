//! Recover: apply a journal's batches to a desk. No strategy runs, nothing is sent.
//!
//! Applying a batch writes it again, into the recovering desk's own journal. So recovery proves
//! itself: the journal that comes out must have the digest of the one that went in, or the desk is
//! not the one that wrote it.

use super::input::{Command, Deed, InputError, Layouts};
use super::{Desk, DeskError, Notice, Turn};
use crate::account::EXTERNAL;
use crate::facts::{self, number};
use crate::journal::{Journal, Reader};
use crate::order::OrderId;
use crate::order_state::{Asked, Ending, Order, Pending};

/// Something that a strategy was told, or would have been, after its last saved state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveredNotice {
    /// Batch that caused it.
    pub sequence: u64,
    /// Event clock, ns.
    pub now_ns: i64,
    /// Row of the strategy table.
    pub strategy: u16,
    /// What it is.
    pub notice: Notice,
}

/// What a recovery found besides the desk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Sequence of the last batch that was applied.
    pub sequence: u64,
    /// Market sequence that was applied before it.
    pub market_sequence: u64,
    /// Batches applied.
    pub batches: u64,
    /// Last saved state of each strategy, by row, and its sequence; 0 and nothing if there is none.
    pub saved: Vec<(u64, Box<[u8]>)>,
    /// Last state of each strategy, by row, as in [`facts::StrategyState`].
    pub states: Vec<u8>,
    /// Own notices since, in order.
    pub notices: Vec<RecoveredNotice>,
}

/// Why a journal cannot be recovered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecoveryError {
    /// A batch cannot be read.
    Input(u64, InputError),
    /// The desk cannot take a batch.
    Desk(u64, DeskError),
    /// The segment does not follow what was applied before: its first sequence, and ours.
    Gap(u64, u64),
    /// Applying a batch did something else than the journal says: another build, another
    /// configuration, or a fault of ours.
    Diverged(u64),
    /// The segment's tables are not those that the desk was made with.
    Tables(&'static str),
}

impl std::fmt::Display for RecoveryError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            RecoveryError::Input(sequence, error) => {
                write!(f, "batch {sequence} of the journal cannot be applied: {error}")
            }
            RecoveryError::Desk(sequence, error) => {
                write!(f, "batch {sequence} of the journal cannot be applied: {error}")
            }
            RecoveryError::Gap(first, expected) => write!(
                f,
                "the segment starts at batch {first} and batch {expected} is the next one; \
                 give the segments in order, from the snapshot's on"
            ),
            RecoveryError::Diverged(sequence) => write!(
                f,
                "applying batch {sequence} did not do what the journal says it did; recover with \
                 the build and the accounts that wrote it"
            ),
            RecoveryError::Tables(what) => write!(
                f,
                "the segment was written with other {what} than the engine was made with; make \
                 it with those of the journal"
            ),
        }
    }
}

impl std::error::Error for RecoveryError {}

impl Recovery {
    /// Own notices of a strategy after a sequence, in order.
    pub fn notices_after(
        &self,
        strategy: u16,
        sequence: u64,
    ) -> impl Iterator<Item = &RecoveredNotice> {
        self.notices.iter().filter(move |n| n.strategy == strategy && n.sequence > sequence)
    }

    /// The saved state of a strategy and its sequence, if there is one.
    #[must_use]
    pub fn saved_state(&self, strategy: u16) -> Option<(u64, &[u8])> {
        let (sequence, state) = self.saved.get(usize::from(strategy))?;
        (*sequence > 0).then_some((*sequence, &**state))
    }

    pub(super) fn note_saved(&mut self, strategy: u16, sequence: u64, state: &[u8]) {
        let row = usize::from(strategy);
        if self.saved.len() <= row {
            self.saved.resize(row + 1, (0, Box::default()));
        }
        self.saved[row] = (sequence, state.into());
    }

    fn note(&mut self, deed: &Deed<'_>, sequence: u64) {
        let Deed::Input(input) = deed else { return };
        match input {
            super::Input::Saved { strategy, state } => {
                self.note_saved(*strategy, sequence, state);
                self.notices.retain(|notice| notice.strategy != *strategy);
            }
            super::Input::State { fact, .. } => {
                let row = usize::from(fact.strategy);
                if self.states.len() <= row {
                    self.states.resize(row + 1, u8::MAX);
                }
                self.states[row] = fact.state;
            }
            _ => {}
        }
    }
}

impl Desk {
    /// Applies every batch of a segment that comes after `recovery.sequence`.
    ///
    /// The desk's journal becomes one that stands behind the segment's last batch; its bytes are
    /// dropped. A caller that goes on writing opens a new segment there.
    ///
    /// # Errors
    ///
    /// [`RecoveryError`]; the desk is then good for nothing.
    pub fn recover<B: AsRef<[u8]>>(
        &mut self,
        segment: &Reader<B>,
        recovery: &mut Recovery,
    ) -> Result<(), RecoveryError> {
        let header = segment.header();
        if !self.assets.starts_with(&header.assets) {
            return Err(RecoveryError::Tables("assets"));
        }
        let known = header.instruments.iter().zip(&self.instruments);
        let is_prefix = header.instruments.len() <= self.instruments.len();
        // Filters, steps and fees may have changed since: verdicts and fees are in the journal.
        if !is_prefix || !known.into_iter().all(|(theirs, ours)| theirs.counts_like(ours)) {
            return Err(RecoveryError::Tables("instruments"));
        }
        if header.first_sequence > recovery.sequence + 1 {
            return Err(RecoveryError::Gap(header.first_sequence, recovery.sequence + 1));
        }
        let is_whole = header.first_sequence == recovery.sequence + 1;
        let mut own = header.clone();
        own.first_sequence = recovery.sequence + 1;
        let committed_ns = self.journal.committed_ns();
        self.journal = Journal::new(&own);
        self.journal.resume_clock(committed_ns);
        let layouts = Layouts::of(header);
        for batch in segment.batches() {
            if batch.sequence <= self.journal.sequence() {
                // Before the snapshot, or made again by the batch that caused it.
                recovery.market_sequence = batch.market_sequence;
                continue;
            }
            self.pin_market(batch.market_sequence);
            let deed = layouts.deed(&batch);
            let deed = deed.map_err(|error| RecoveryError::Input(batch.sequence, error))?;
            self.now_ns = batch.now_ns;
            let applied = match &deed {
                Deed::Input(input) => self.apply(input, batch.now_ns),
                Deed::Command(command) => self.redo(command),
            };
            applied.map_err(|error| RecoveryError::Desk(batch.sequence, error))?;
            if self.journal.sequence() < batch.sequence {
                return Err(RecoveryError::Diverged(batch.sequence));
            }
            recovery.note(&deed, batch.sequence);
            self.clear_outbox(batch.sequence, recovery);
            recovery.sequence = self.journal.sequence();
            recovery.market_sequence = batch.market_sequence;
            recovery.batches += 1;
            self.journal.discard();
        }
        let check = segment.check();
        let same = check.chain == self.journal.chain_hash();
        if self.journal.sequence() != check.last_sequence.max(own.first_sequence - 1)
            || (is_whole && layouts.are_own() && !same)
        {
            return Err(RecoveryError::Diverged(check.last_sequence));
        }
        Ok(())
    }

    /// What nobody hears while no strategy runs: notices are kept for later, requests were sent.
    fn clear_outbox(&mut self, sequence: u64, recovery: &mut Recovery) {
        self.outbox.requests.clear();
        while let Some(turn) = self.outbox.turns.pop_front() {
            let Turn::Notice(notice) = turn else { continue };
            let strategy = match &notice {
                Notice::Order { id, strategy } => {
                    self.orders.forget(*id);
                    *strategy
                }
                Notice::Fill(fill) => fill.strategy,
                Notice::Funding(_) | Notice::Frozen(..) => EXTERNAL,
            };
            if strategy != EXTERNAL {
                let now_ns = self.now_ns;
                recovery.notices.push(RecoveredNotice { sequence, now_ns, strategy, notice });
            }
        }
    }

    /// Does a command again, with the verdict that it had.
    fn redo(&mut self, command: &Command<'_>) -> Result<(), DeskError> {
        match command {
            Command::Place { fact, text, refused } => self.redo_place(fact, text, *refused),
            Command::Cancel(fact) => {
                // The same rules decide again; they look at the order alone.
                self.apply_command(super::Command::Cancel {
                    id: fact.order,
                    strategy: fact.strategy,
                })
            }
            Command::Amend { fact, refused, leg } => {
                self.redo_amend(fact, *refused, *leg);
                Ok(())
            }
        }
    }

    fn redo_place(
        &mut self,
        fact: &facts::PlaceCommand,
        text: &[u8],
        refused: Option<&[u8]>,
    ) -> Result<(), DeskError> {
        let Some(spec) = fact.spec() else {
            return Err(DeskError(format!("order {} has terms without meaning", fact.order)));
        };
        let mut order = Order::new(fact.order, fact.account, fact.strategy, spec, self.now_ns);
        order.arrival_mid2 = fact.arrival_mid2;
        self.counts.orders += 1;
        self.journal.begin(self.market_seq, self.now_ns);
        self.journal.record_with_text(number::PLACE, fact, text);
        if let Some(reason) = refused {
            let reason = String::from_utf8_lossy(reason);
            order.ending = Some(Ending::Refused);
            order.ts_closed = self.now_ns;
            order.refusal = Some(reason.as_ref().into());
            self.counts.refused += 1;
            let fact = facts::Refused { order: fact.order, strategy: fact.strategy, request: 0 };
            self.journal.record_with_text(number::REFUSED, &fact, reason.as_bytes());
            self.orders.insert_as(order);
            self.note_end(fact.order);
            self.tell_order(fact.order, fact.strategy);
        } else {
            order.place = Pending::Sent;
            self.count_rate(fact.account);
            self.orders.insert_as(order);
        }
        self.journal.commit();
        Ok(())
    }

    fn redo_amend(&mut self, fact: &facts::AmendCommand, refused: Option<&[u8]>, leg: u32) {
        self.journal.begin(self.market_seq, self.now_ns);
        self.journal.record(number::AMEND, fact);
        let Some(order) = self.orders.get_mut(fact.order) else {
            self.journal.commit();
            return;
        };
        let account = order.account;
        if let Some(reason) = refused {
            let reason = String::from_utf8_lossy(reason);
            order.refusal = Some(reason.as_ref().into());
            let refusal = facts::Refused { order: fact.order, strategy: fact.strategy, request: 1 };
            self.journal.record_with_text(number::REFUSED, &refusal, reason.as_bytes());
            self.tell_order(fact.order, fact.strategy);
        } else {
            if leg > 0 {
                let leg = order.replace(fact.qty, fact.price, self.now_ns);
                let begun = facts::OrderLeg { order: fact.order, leg };
                self.journal.record(number::LEG, &begun);
            } else {
                order.amend_in_place(fact.qty, fact.price);
            }
            order.refusal = None;
            self.count_rate(account);
        }
        self.journal.commit();
    }

    fn count_rate(&mut self, account: u16) {
        if self.rate.len() <= usize::from(account) {
            self.rate.resize_with(usize::from(account) + 1, Default::default);
        }
        self.rate[usize::from(account)].push(self.now_ns);
    }

    /// Doubts every request that was under way: what a restart knows of them is that their batch
    /// is durable, not whether they left. Returns how many there are.
    pub fn doubt_all(&mut self, reason: &str) -> usize {
        let mut doubted: Vec<(OrderId, u32, Asked)> = Vec::new();
        for &id in self.orders.open() {
            let Some(order) = self.orders.get(id) else { continue };
            doubted.extend(order.sent().into_iter().map(|(leg, asked)| (id, leg, asked)));
        }
        for &(id, leg, asked) in &doubted {
            self.leg = leg;
            self.doubt(id, asked, reason);
        }
        self.leg = 0;
        doubted.len()
    }
}
