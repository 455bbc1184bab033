//! Inputs of a desk as values: what a shell feeds it, and what a journal's batch did.
//!
//! The first record of a batch is its input; the rest is what the input caused, which applying it
//! causes again. A batch that starts with a command is what a strategy gave: its verdict is in the
//! batch, so that it can be done again without the market it was judged by.

use super::{Desk, DeskError, ExternalSpec, Origin, Scope};
use crate::facts::{self, number};
use crate::journal::{Batch, Header, Row, Schema};
use crate::market::Funding;
use crate::order::{FillFact, OrderId, OrderSpec, OrderType, PositionSide, Report, ReportKind};
use crate::order::{Side, Tif, FEE_UNSAID};
use crate::order_state::{Asked, Found, FoundStatus};
use crate::record::{stored_size, Record};

/// One input of a desk.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // fields are those of the desk's method of the same name
pub enum Input {
    /// What another input says is about a later leg of its order, not about the first.
    Leg { leg: u32, input: Box<Input> },
    /// The venue reported; with its words if it refused.
    Report { report: Report, words: Option<(i64, Box<str>)> },
    /// A fill came again; it changes nothing, and is in the journal.
    Repeated(facts::VenueReport),
    /// A request's outcome is not known.
    Doubt { order: OrderId, asked: Asked, reason: Box<str> },
    /// A request never left.
    NeverLeft { order: OrderId, asked: Asked, reason: Box<str> },
    /// The venue has no trace of a request.
    Absent { order: OrderId, asked: Asked, ts_exchange: i64, evidence: Box<str> },
    /// A query or a listing showed an order.
    Found(Found),
    /// The venue counts more fills than we have.
    Cumulative { order: OrderId, ts_exchange: i64, filled_qty: i64 },
    /// An order's number at the venue.
    Name { order: OrderId, venue_order_id: u64 },
    /// An order that this engine did not send.
    External { fact: facts::ExternalOrder, client_id: Box<str> },
    /// A report of an order that nobody knows yet.
    Park { report: facts::ParkedReport, client_id: Box<str> },
    /// Money moved without a trade.
    Cash(facts::CashMoved),
    /// The venue stated a balance.
    Balance(facts::BalanceStated),
    /// The venue stated a position.
    Position(facts::PositionStated),
    /// A scope may not give orders, or may again.
    Freeze { scope: Scope, on: bool, reason: Box<str> },
    /// The fee of a fill that was told without it.
    Fee(facts::FillFee),
    /// The venue's leverage of an instrument.
    Setting(facts::AccountSetting),
    /// The engine started.
    Epoch { epoch: u32, instance: u32 },
    /// A deposit or withdrawal.
    Deposit(facts::Deposit),
    /// Funding that we compute.
    Funding(facts::FundingPaid),
    /// A timer was due.
    Timer(facts::TimerDue),
    /// A strategy started or stopped.
    State { fact: facts::StrategyState, text: Box<str> },
    /// A parameter has a value.
    Parameter { fact: facts::Parameter, text: Box<str> },
    /// A strategy saved its state.
    Saved { strategy: u16, state: Box<[u8]> },
}

impl Input {
    /// This input about a leg of its order.
    #[must_use]
    pub fn about(self, leg: u32) -> Input {
        match leg {
            0 => self,
            leg => Input::Leg { leg, input: Box::new(self) },
        }
    }

    /// The leg of its order that an input is about, and what it says.
    #[must_use]
    pub fn parts(&self) -> (u32, &Input) {
        match self {
            Input::Leg { leg, input } => (*leg, input),
            input => (0, input),
        }
    }
}

/// A command that a journal holds, with its verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command<'a> {
    Place { fact: facts::PlaceCommand, text: &'a [u8], refused: Option<&'a [u8]> },
    Cancel(facts::CancelCommand),
    Amend { fact: facts::AmendCommand, refused: Option<&'a [u8]>, leg: u32 },
}

/// What one batch of a journal did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Deed<'a> {
    Input(Input),
    Command(Command<'a>),
}

/// Why a batch cannot be read as an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputError {
    /// This build knows no record of that number.
    UnknownRecord(u16),
    /// A number in a record stands for no word of this build.
    UnknownWord(&'static str),
    /// The batch holds no record, or one that does not fit its schema.
    Malformed,
}

impl std::fmt::Display for InputError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            InputError::UnknownRecord(number) => write!(
                f,
                "it starts with a record of type {number}, which this build does not know; \
                 recover with the build that wrote it"
            ),
            InputError::UnknownWord(record) => write!(
                f,
                "a number in its {record} record stands for nothing that this build knows; \
                 recover with the build that wrote it"
            ),
            InputError::Malformed => f.write_str("its records do not fit their schema"),
        }
    }
}

impl std::error::Error for InputError {}

/// How the records of one segment are laid out.
pub(crate) struct Layouts {
    /// By number: true if the segment's schema is this build's.
    same: Vec<bool>,
    schemas: Vec<Schema>,
}

impl Layouts {
    pub(crate) fn of(header: &Header) -> Layouts {
        let mut same = vec![false; 64];
        for own in &facts::LIVE_RECORDS {
            if header.schema(own.number).is_some_and(|schema| *schema == Schema::from(own)) {
                same[usize::from(own.number)] = true;
            }
        }
        Layouts { same, schemas: header.schemas.clone() }
    }

    /// True if every record is laid out as this build does.
    pub(crate) fn are_own(&self) -> bool {
        self.schemas.iter().all(|schema| self.is_own(schema.number))
    }

    fn is_own(&self, number: u16) -> bool {
        self.same.get(usize::from(number)).copied().unwrap_or(false)
    }

    /// A record and the byte string behind it, fields found by name where the layout differs.
    fn read<'a, R: Record>(&self, row: &Row<'a>) -> Result<(R, &'a [u8]), InputError> {
        if self.is_own(row.number) {
            let mut rest = row.bytes;
            let value = R::take(&mut rest).ok_or(InputError::Malformed)?;
            return Ok((value, rest.get(4..).unwrap_or_default()));
        }
        let schema = self.schemas.iter().find(|schema| schema.number == row.number);
        let schema = schema.ok_or(InputError::UnknownRecord(row.number))?;
        let cells = schema.cut(row.bytes).ok_or(InputError::Malformed)?;
        let mut stored = Vec::with_capacity(stored_size(R::FIELDS));
        for field in R::FIELDS {
            match schema.fields.iter().position(|known| known.name == field.name) {
                Some(at) if schema.fields[at].kind == field.kind => {
                    stored.extend_from_slice(cells[at]);
                }
                Some(_) => return Err(InputError::Malformed),
                None => stored.resize(stored.len() + field.kind.size(), 0),
            }
        }
        let value = R::take(&mut stored.as_slice()).ok_or(InputError::Malformed)?;
        Ok((value, schema.text(row.bytes).unwrap_or_default()))
    }

    /// What a batch did.
    pub(crate) fn deed<'a>(&self, batch: &Batch<'a>) -> Result<Deed<'a>, InputError> {
        let mut rows = batch.rows();
        let first = rows.next().ok_or(InputError::Malformed)?;
        let refused = |row: Option<Row<'a>>| match row {
            Some(row) if row.number == number::REFUSED => {
                self.read::<facts::Refused>(&row).map(|(_, text)| Some(text))
            }
            _ => Ok(None),
        };
        let command = match first.number {
            number::PLACE => {
                let (fact, text) = self.read(&first)?;
                Command::Place { fact, text, refused: refused(rows.next())? }
            }
            number::CANCEL => Command::Cancel(self.read(&first)?.0),
            number::AMEND => {
                let fact = self.read(&first)?.0;
                Command::Amend { fact, refused: refused(rows.next())?, leg: self.leg(batch)? }
            }
            _ => {
                let input = self.input(&first, rows)?;
                let leg = self.leg(batch)?;
                return Ok(Deed::Input(input.about(leg)));
            }
        };
        Ok(Deed::Command(command))
    }

    /// Which leg a batch is about.
    fn leg(&self, batch: &Batch<'_>) -> Result<u32, InputError> {
        let mut rows = batch.rows().skip(1);
        match rows.find(|row| row.number == number::LEG) {
            Some(row) => Ok(self.read::<facts::OrderLeg>(&row)?.0.leg),
            None => Ok(0),
        }
    }

    fn input<'a>(
        &self,
        first: &Row<'a>,
        mut rest: impl Iterator<Item = Row<'a>>,
    ) -> Result<Input, InputError> {
        Ok(match first.number {
            number::REPORT => {
                let fact: facts::VenueReport = self.read(first)?.0;
                if fact.kind == 10 {
                    return Ok(Input::Repeated(fact));
                }
                let report = fact.report().ok_or(InputError::UnknownWord("VenueReport"))?;
                let words = match rest.next() {
                    Some(row) if row.number == number::WORDS => {
                        let (words, said) = self.read::<facts::VenueWords>(&row)?;
                        Some((words.code, text(said)))
                    }
                    _ => None,
                };
                Input::Report { report, words }
            }
            number::FILL => {
                let fact: facts::Fill = self.read(first)?.0;
                let (mut realised, mut fee_asset) = (None, fact.fee_asset);
                for row in rest {
                    match row.number {
                        number::PROFIT => {
                            realised = Some(self.read::<facts::VenueProfit>(&row)?.0.realised);
                        }
                        number::FEE_DUE => fee_asset = FEE_UNSAID,
                        _ => {}
                    }
                }
                let kind = ReportKind::Filled(FillFact {
                    trade_id: fact.trade_id,
                    qty: fact.qty,
                    price: fact.price,
                    is_maker: fact.is_maker,
                    fee: fact.fee,
                    fee_asset,
                    realised,
                });
                let report = Report { order: fact.order, ts_exchange: fact.ts_exchange, kind };
                Input::Report { report, words: None }
            }
            number::DOUBT => {
                let (fact, reason) = self.read::<facts::RequestDoubt>(first)?;
                let asked = Asked::of(fact.asked).ok_or(InputError::UnknownWord("RequestDoubt"))?;
                let (order, reason) = (fact.order, text(reason));
                match fact.outcome {
                    0 => Input::Doubt { order, asked, reason },
                    1 => Input::NeverLeft { order, asked, reason },
                    _ => return Err(InputError::UnknownWord("RequestDoubt")),
                }
            }
            number::ABSENT => {
                let (fact, evidence) = self.read::<facts::RequestAbsent>(first)?;
                let asked =
                    Asked::of(fact.asked).ok_or(InputError::UnknownWord("RequestAbsent"))?;
                let (order, ts_exchange) = (fact.order, fact.ts_exchange);
                Input::Absent { order, asked, ts_exchange, evidence: text(evidence) }
            }
            number::FOUND => {
                let fact: facts::OrderFound = self.read(first)?.0;
                Input::Found(found(&fact).ok_or(InputError::UnknownWord("OrderFound"))?)
            }
            number::CUMULATIVE => {
                let fact: facts::CumulativeQty = self.read(first)?.0;
                let facts::CumulativeQty { order, ts_exchange, filled_qty } = fact;
                Input::Cumulative { order, ts_exchange, filled_qty }
            }
            number::VENUE_ID => {
                let facts::VenueId { order, venue_order_id } = self.read(first)?.0;
                Input::Name { order, venue_order_id }
            }
            _ => return self.outside_input(first),
        })
    }

    /// Inputs that are about no order of ours.
    fn outside_input(&self, first: &Row<'_>) -> Result<Input, InputError> {
        Ok(match first.number {
            number::EXTERNAL => {
                let (fact, client_id) = self.read(first)?;
                Input::External { fact, client_id: text(client_id) }
            }
            number::PARKED => {
                let (report, client_id) = self.read(first)?;
                Input::Park { report, client_id: text(client_id) }
            }
            number::FEE => Input::Fee(self.read(first)?.0),
            number::CASH => Input::Cash(self.read(first)?.0),
            number::BALANCE => Input::Balance(self.read(first)?.0),
            number::POSITION => Input::Position(self.read(first)?.0),
            number::FROZEN => {
                let (fact, reason) = self.read::<facts::Frozen>(first)?;
                let scope = (fact.account, fact.strategy, fact.instrument);
                Input::Freeze { scope, on: fact.on, reason: text(reason) }
            }
            number::SETTING => Input::Setting(self.read(first)?.0),
            number::EPOCH => {
                let fact: facts::Epoch = self.read(first)?.0;
                Input::Epoch { epoch: fact.epoch, instance: fact.instance }
            }
            number::DEPOSIT => Input::Deposit(self.read(first)?.0),
            number::FUNDING => Input::Funding(self.read(first)?.0),
            number::TIMER => Input::Timer(self.read(first)?.0),
            number::STRATEGY_STATE => {
                let (fact, why) = self.read(first)?;
                Input::State { fact, text: text(why) }
            }
            number::PARAMETER => {
                let (fact, value) = self.read(first)?;
                Input::Parameter { fact, text: text(value) }
            }
            number::SAVED_STATE => {
                let (fact, state) = self.read::<facts::SavedState>(first)?;
                Input::Saved { strategy: fact.strategy, state: state.into() }
            }
            other => return Err(InputError::UnknownRecord(other)),
        })
    }
}

fn text(bytes: &[u8]) -> Box<str> {
    String::from_utf8_lossy(bytes).into()
}

fn found(fact: &facts::OrderFound) -> Option<Found> {
    Some(Found {
        order: fact.order,
        ts_exchange: fact.ts_exchange,
        ts_created: fact.ts_created,
        status: FoundStatus::of(fact.status)?,
        reason: fact.reason,
        filled_qty: fact.filled_qty,
        avg_price: fact.avg_price,
        qty: fact.qty,
        price: fact.price,
        venue_order_id: fact.venue_order_id,
    })
}

/// The terms of an external order; `None` if a number stands for no word.
fn external_spec(fact: &facts::ExternalOrder) -> Option<OrderSpec> {
    let (side, kind) = (Side::of(fact.side)?, OrderType::of(fact.kind)?);
    let mut spec = OrderSpec::new(fact.instrument, side, kind, fact.qty, fact.price);
    spec.tif = Tif::of(fact.tif)?;
    spec.position_side = PositionSide::of(fact.position_side)?;
    spec.post_only = fact.flags & 1 != 0;
    spec.reduce_only = fact.flags & 2 != 0;
    spec.close_position = fact.flags & 4 != 0;
    spec.trigger_price = fact.trigger_price;
    Some(spec)
}

impl Desk {
    /// Applies one input at `now_ns` of the event clock.
    ///
    /// # Errors
    ///
    /// [`DeskError`] if money does not fit, or the input makes no sense here.
    pub fn apply(&mut self, input: &Input, now_ns: i64) -> Result<(), DeskError> {
        self.now_ns = now_ns;
        match input {
            Input::Leg { leg, input } => {
                self.leg = *leg;
                let applied = self.apply(input, now_ns);
                self.leg = 0;
                return applied;
            }
            Input::Report { report, words } => {
                let words = words.as_ref().map(|(code, text)| (*code, &**text));
                return self.report_with(report, words);
            }
            Input::Repeated(fact) => {
                self.journal.begin(self.market_seq, self.now_ns);
                self.journal.record(number::REPORT, fact);
                self.note_leg(fact.order);
                self.journal.commit();
            }
            Input::Doubt { order, asked, reason } => self.doubt(*order, *asked, reason),
            Input::NeverLeft { order, asked, reason } => self.never_left(*order, *asked, reason),
            Input::Absent { order, asked, ts_exchange, evidence } => {
                self.absent(*order, *asked, *ts_exchange, evidence);
            }
            Input::Found(found) => return self.found(found),
            Input::Cumulative { order, ts_exchange, filled_qty } => {
                self.cumulative(*order, *ts_exchange, *filled_qty);
            }
            Input::Name { order, venue_order_id } => {
                return self.name_order(*order, *venue_order_id)
            }
            Input::External { fact, client_id } => {
                let (spec, origin) = (external_spec(fact), Origin::of(fact.origin));
                let (Some(spec), Some(origin)) = (spec, origin) else {
                    return Err(DeskError("an external order has terms without meaning".into()));
                };
                let (account, ts_exchange) = (fact.account, fact.ts_exchange);
                let venue_order_id = fact.venue_order_id;
                return self
                    .external_order(&ExternalSpec {
                        account,
                        spec,
                        venue_order_id,
                        ts_exchange,
                        origin,
                        client_id,
                    })
                    .map(|_| ());
            }
            Input::Park { report, client_id } => self.park(report, client_id),
            Input::Fee(told) => return self.fee_told(told),
            Input::Cash(cash) => return self.cash(cash).map(|_| ()),
            Input::Balance(stated) => {
                self.balance_stated(stated);
            }
            Input::Position(stated) => {
                self.position_stated(stated);
            }
            Input::Freeze { scope, on: true, reason } => self.freeze(*scope, reason),
            Input::Freeze { scope, on: false, reason } => {
                self.unfreeze(*scope, reason);
            }
            Input::Setting(s) => self.setting_stated(s.account, s.instrument, s.leverage),
            Input::Epoch { epoch, instance } => return self.begin_epoch(*epoch, *instance),
            Input::Deposit(d) => return self.deposit(d.account, d.asset, d.amount),
            Input::Funding(paid) => {
                let (instrument, rate, mark) = (paid.instrument, paid.rate, paid.mark);
                let funding = Funding { instrument, rate, mark, ..Funding::default() };
                return self.funding(paid.account, &funding);
            }
            Input::Timer(due) => self.note_timer(due.strategy, due.timer, due.due_ns),
            Input::State { fact, text } => {
                self.note_with_text(number::STRATEGY_STATE, fact, text.as_bytes());
            }
            Input::Parameter { fact, text } => {
                self.note_with_text(number::PARAMETER, fact, text.as_bytes());
            }
            Input::Saved { strategy, state } => self.note_saved(*strategy, state),
        }
        Ok(())
    }

    /// Writes what a strategy saved, and keeps it for snapshots.
    pub(crate) fn note_saved(&mut self, strategy: u16, state: &[u8]) {
        self.note_with_text(number::SAVED_STATE, &facts::SavedState { strategy }, state);
        self.outside.saved.insert(strategy, (self.journal.sequence(), state.into()));
    }

    /// Writes a batch of one record and its text.
    pub(crate) fn note_with_text<R: Record>(&mut self, number: u16, fact: &R, text: &[u8]) {
        self.journal.begin(self.market_seq, self.now_ns);
        self.journal.record_with_text(number, fact, text);
        self.journal.commit();
    }
}
