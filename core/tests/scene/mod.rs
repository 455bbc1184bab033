//! A small world for tests of desk, engine and replay: three instruments and two strategies' worth
//! of accounts. All prices are at scale 2, all quantities at scale 3.

#![allow(dead_code)] // each test program uses its part of it

use veloz_core::account::Accounts;
use veloz_core::desk::Desk;
use veloz_core::engine::{Engine, StopPolicy};
use veloz_core::facts::{self, number};
use veloz_core::instrument::{Asset, Filters, Instrument, Kind, Origin, Status};
use veloz_core::journal::{Header, Journal, RecordType, Stream};
use veloz_core::order::{OrderSpec, OrderType, Side};
use veloz_core::risk::Limits;
use veloz_core::strategy::{Event, Fault, Port, Strategy};
use veloz_core::units::{pow10, COST_SCALE, MARK_SCALE};

/// Rows of the asset table.
pub const USDT: u16 = 0;
pub const BTC: u16 = 1;
pub const ETH: u16 = 2;
/// Rows of the instrument table.
pub const PERPETUAL: u32 = 0;
pub const SPOT: u32 = 1;
pub const INVERSE: u32 = 2;

const RECORDS: [RecordType; 12] = [
    RecordType::with_text::<facts::PlaceCommand>(number::PLACE, "text"),
    RecordType::of::<facts::CancelCommand>(number::CANCEL),
    RecordType::of::<facts::AmendCommand>(number::AMEND),
    RecordType::with_text::<facts::Refused>(number::REFUSED, "text"),
    RecordType::of::<facts::VenueReport>(number::REPORT),
    RecordType::of::<facts::Fill>(number::FILL),
    RecordType::of::<facts::Deposit>(number::DEPOSIT),
    RecordType::of::<facts::FundingPaid>(number::FUNDING),
    RecordType::of::<facts::Mark>(number::MARK),
    RecordType::with_text::<facts::Parameter>(number::PARAMETER, "text"),
    RecordType::with_text::<facts::StrategyState>(number::STRATEGY_STATE, "text"),
    RecordType::with_text::<facts::SavedState>(number::SAVED_STATE, "text"),
];

pub fn assets() -> Vec<Asset> {
    ["USDT", "BTC", "ETH"].map(|name| Asset { name: name.into(), scale: 8 }).into()
}

pub fn instruments() -> Vec<Instrument> {
    let row = |symbol: &str, kind, settle, multiplier| Instrument {
        symbol: symbol.into(),
        venue_symbol: "BTCUSDT".into(),
        kind,
        base: BTC,
        quote: USDT,
        settle,
        price_scale: 2,
        qty_scale: 3,
        tick: 1,
        lot: 1,
        multiplier,
        multiplier_scale: 0,
        maker_fee: 0,
        taker_fee: 0,
        liquidation_fee: 0,
        filters: Filters::default(),
        tiers: Vec::new(),
        expiry_ns: None,
        valid_from_ns: 0,
        status: Status::Trading,
        origin: Origin::File,
    };
    vec![
        row("test:BTC/USDT:USDT", Kind::Linear, USDT, 1),
        row("test:BTC/USDT", Kind::Spot, USDT, 1),
        row("test:BTC/USD:BTC", Kind::Inverse, BTC, 100),
    ]
}

/// A desk with one account of a million USDT that checks its money after every change.
pub fn desk(limits: Limits) -> Desk {
    let (assets, instruments) = (assets(), instruments());
    let mut accounts = Accounts::new(&assets, &instruments).unwrap();
    accounts.add_account(false, None).unwrap();
    let journal = Journal::new(&Header::first(Stream::Trading, &RECORDS));
    let mut desk = Desk::new(assets, instruments, accounts, journal, limits);
    desk.check_identity = true;
    desk.deposit(0, USDT, coins(1_000_000)).unwrap();
    desk
}

/// How long the live desks here remember an ended order, ns.
pub const DAY_NS: i64 = 86_400_000_000_000;

/// As [`desk`], of a live engine that began its first epoch.
pub fn live_desk(limits: Limits) -> Desk {
    let mut desk = blank_live_desk(limits);
    desk.deposit(0, USDT, coins(1_000_000)).unwrap();
    desk.deposit(0, BTC, coins(1_000)).unwrap();
    desk.begin_epoch(1, 7).unwrap();
    desk
}

/// A live desk with two accounts in which nothing happened: what recovery starts from.
pub fn blank_live_desk(limits: Limits) -> Desk {
    let (assets, instruments) = (assets(), instruments());
    let mut accounts = Accounts::new(&assets, &instruments).unwrap();
    accounts.add_account(false, None).unwrap();
    accounts.add_account(false, None).unwrap();
    accounts.allow_overdraft();
    let mut header = Header::first(Stream::Trading, &facts::LIVE_RECORDS);
    header.assets.clone_from(&assets);
    header.instruments.clone_from(&instruments);
    let mut desk = Desk::new(assets, instruments, accounts, Journal::new(&header), limits);
    desk.check_identity = true;
    desk.go_live(DAY_NS);
    desk
}

/// A whole number of coins, at the scale of every asset here.
pub fn coins(n: i64) -> i128 {
    i128::from(n) * pow10(8)
}

/// A whole amount at cost scale.
pub fn cost(n: i64) -> i128 {
    i128::from(n) * pow10(COST_SCALE)
}

/// A whole price at mark scale.
pub fn mark_of(price: i64) -> i64 {
    price * pow10(MARK_SCALE) as i64
}

pub fn limit(instrument: u32, side: Side, qty: i64, price: i64) -> OrderSpec {
    OrderSpec::new(instrument, side, OrderType::Limit, qty, price)
}

pub fn market(instrument: u32, side: Side, qty: i64) -> OrderSpec {
    OrderSpec::new(instrument, side, OrderType::Market, qty, 0)
}

/// A strategy that is a function, and writes down what it heard and when.
pub struct Scripted {
    act: Act,
    pub heard: Vec<String>,
}

pub type Act = Box<dyn FnMut(&Event<'_>, &mut Port<'_>) -> Result<(), Fault>>;

impl Scripted {
    pub fn new(
        act: impl FnMut(&Event<'_>, &mut Port<'_>) -> Result<(), Fault> + 'static,
    ) -> Scripted {
        Scripted { act: Box::new(act), heard: Vec::new() }
    }
}

impl Strategy for Scripted {
    fn on_event(&mut self, event: &Event<'_>, port: &mut Port<'_>) -> Result<(), Fault> {
        let now = port.desk().now_ns;
        let seen = match event {
            Event::Bar(bar) => format!("bar {}", bar.close),
            Event::Trade(trade) => format!("trade {}x{} {}", trade.price, trade.qty, trade.taker),
            Event::Quote(quote) => format!("quote {}/{}", quote.bid_price, quote.ask_price),
            Event::Book(row) => format!("book {:?}", port.desk().markets[*row as usize].touch()),
            Event::Mark(mark) => format!("mark {}", mark.mark),
            Event::Funding(funding) => format!("funding {}", funding.rate),
            Event::Order(id) => {
                let order = port.desk().orders.get(*id).expect("told of an unknown order");
                format!("order {id} {}", order.status().text())
            }
            Event::Fill(fill) => format!("fill {} {}@{}", fill.order, fill.qty, fill.price),
            Event::Position(row, _) => format!("position {}", port.position(*row)),
            Event::Timer(number, due) => format!("timer {number} due {due}"),
            other => other.callback().to_owned(),
        };
        self.heard.push(format!("{now} {seen}"));
        (self.act)(event, port)
    }
}

pub fn engine(limits: Limits) -> Engine<Scripted> {
    Engine::new(desk(limits))
}

/// Seats a strategy that hears all of its own affairs and the market events of `wants`.
pub fn seat(
    engine: &mut Engine<Scripted>,
    wants: u32,
    act: impl FnMut(&Event<'_>, &mut Port<'_>) -> Result<(), Fault> + 'static,
) -> u16 {
    let row = engine.add(Scripted::new(act), 0, u32::MAX, StopPolicy::Cancel);
    for instrument in [PERPETUAL, SPOT, INVERSE] {
        if wants != 0 {
            engine.listen(row, instrument, wants, 0);
        }
    }
    row
}
