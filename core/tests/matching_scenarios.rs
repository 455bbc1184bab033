//! Plays the golden scenarios of the matching simulator and compares every line.
//!
//! The folder is `tests/vectors/matching`, or the one that `VELOZ_GOLDEN_MATCHING` names. The
//! format stands in the README beside the files. Requests travel through the same timeline and
//! channels that a backtest uses.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;
use veloz_core::instrument::{
    Asset, Filters, Instrument, Kind, Origin, PercentPrice, Status, Tier,
};
use veloz_core::market::{
    Bar, Quote, Tick, TICK_BUY, TICK_CLEAR, TICK_EMPTY, TICK_LAST, TICK_TRADE, TICK_UNKNOWN_TAKER,
};
use veloz_core::matching::timeline::{Key, Timeline, LATE_OPEN, MARKET, NOTICE, REQUEST};
use veloz_core::matching::{
    parse_stp, AccountReport, Channel, ExecutionBand, FeeRounding, IsolatedMargin, Latency, Venue,
    VenueEvent, VenueSettings,
};
use veloz_core::order::{Expiry, OrderId, OrderSpec, OrderType, ReportKind, Side, Tif, TriggerBy};
use veloz_core::units::{format_decimal, parse_decimal, MARK_SCALE, RATE_SCALE};

/// Decimals of prices and quantities in all scenarios.
const SCALE: u8 = 4;

#[test]
fn every_golden_scenario_gives_its_lines() {
    let folder = std::env::var_os("VELOZ_GOLDEN_MATCHING").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors/matching"),
        PathBuf::from,
    );
    let listing = std::fs::read_dir(&folder)
        .unwrap_or_else(|e| panic!("cannot read {}: {e}", folder.display()));
    let mut files: Vec<PathBuf> = listing
        .map(|entry| entry.expect("a readable folder entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == "json"))
        .collect();
    files.sort();
    let (mut passed, mut failed, mut left_out) = (0, 0, 0);
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a readable scenario file");
        let scenarios: Vec<Value> = serde_json::from_str(&text)
            .unwrap_or_else(|e| panic!("{} is not a list of scenarios: {e}", file.display()));
        for scenario in &scenarios {
            let id = scenario["id"].as_str().unwrap_or("(no id)");
            match play(scenario) {
                Ok(lines) => match first_difference(&lines, &strings(&scenario["out"])) {
                    None => passed += 1,
                    Some(difference) => {
                        failed += 1;
                        println!("FAILED {id}: {difference}");
                    }
                },
                Err(reason) => {
                    left_out += 1;
                    println!("left out {id}: {reason}");
                }
            }
        }
    }
    println!("matching: {passed} passed, {failed} failed, {left_out} left out");
    assert!(failed == 0, "{failed} scenarios differ");
    assert!(passed > 0, "no scenario was found in {}", folder.display());
}

fn first_difference(got: &[String], expected: &[String]) -> Option<String> {
    let end = "(nothing)".to_owned();
    (0..got.len().max(expected.len())).find_map(|row| {
        let (got, expected) = (got.get(row).unwrap_or(&end), expected.get(row).unwrap_or(&end));
        (got != expected).then(|| format!("line {}: expected {expected:?}, got {got:?}", row + 1))
    })
}

fn strings(value: &Value) -> Vec<String> {
    let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter().map(|v| v.as_str().expect("a line of text").to_owned()).collect()
}

/// A value of the config as text: numbers and words alike.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(word) => Some(word.clone()),
        other => Some(other.to_string()),
    }
}

type Played<T> = Result<T, String>;

fn number(word: &str, scale: u8) -> Played<i64> {
    let value = parse_decimal(word, scale).map_err(|e| format!("{word:?} is no number: {e:?}"))?;
    i64::try_from(value).map_err(|_| format!("{word:?} is too large"))
}

fn time(word: &str) -> Played<i64> {
    word.parse().map_err(|_| format!("{word:?} is no time"))
}

/// Values of a config that must all be used.
struct Config(BTreeMap<String, Value>);

impl Config {
    fn section(config: &mut Config, key: &str) -> Config {
        let section = config.0.remove(key).unwrap_or(Value::Null);
        Config(section.as_object().map(|o| o.clone().into_iter().collect()).unwrap_or_default())
    }

    fn word(&mut self, key: &str) -> Option<String> {
        self.0.remove(key).as_ref().and_then(text)
    }

    fn scaled(&mut self, key: &str, scale: u8, default: i64) -> Played<i64> {
        self.word(key).map_or(Ok(default), |word| number(&word, scale))
    }

    fn cost(&mut self, key: &str) -> Played<i128> {
        let word = self.word(key).unwrap_or_else(|| "0".to_owned());
        parse_decimal(&word, 18).map_err(|e| format!("{key}: {e:?}"))
    }

    fn finish(self, what: &str) -> Played<()> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(key) => Err(format!("{what} key {key:?} is not known here")),
        }
    }
}

/// What a line of a scenario does, at its place in the timeline.
enum Item {
    Ticks(Vec<Tick>),
    Quote(Quote),
    Bar(Bar),
    Mark(i64),
    Index(i64),
    Status(Status),
    Rate(i64, i64),
    Place(u16, OrderId, OrderSpec),
    Amend(u16, OrderId, i64, i64),
    Cancel(u16, OrderId),
    CancelAll(u16),
}

struct Scene {
    venue: Venue,
    line: Timeline<Item>,
    entry: Channel,
    report: Channel,
    two_times: bool,
    late_open: bool,
    with_fees: bool,
    with_liquidation_fee: bool,
    names: Vec<String>,
    accounts: Vec<String>,
    groups: Vec<String>,
    asked: BTreeMap<OrderId, i64>,
    out: Vec<String>,
}

fn play(scenario: &Value) -> Played<Vec<String>> {
    let mut scene = build(&scenario["config"])?;
    let lines = strings(&scenario["in"]);
    let mut requests = Vec::new();
    for (row, line) in lines.iter().enumerate() {
        scene.read(row as u64, line, &mut requests)?;
    }
    // Requests leave in the order of their times, then of their lines.
    requests.sort_by_key(|(sent, _)| *sent);
    for (sent, item) in requests {
        let arrival = scene.entry.arrival(sent);
        scene.line.push(arrival, REQUEST, 0, item);
    }
    scene.run();
    Ok(scene.out)
}

fn build(config: &Value) -> Played<Scene> {
    let map = config.as_object().map(|o| o.clone().into_iter().collect()).unwrap_or_default();
    let mut config = Config(map);
    let mut settings = VenueSettings::default();
    settings.set("queue=back")?;
    settings.fees.rounding = FeeRounding::AgainstTrader;
    if let Some(level) = config.word("level") {
        settings.set(&format!("level={level}"))?;
    }
    for section in ["bar", "trade", "book", "rules"] {
        for (key, value) in Config::section(&mut config, section).0 {
            let value = text(&value).unwrap_or_default();
            settings.set(&format!("{key}={value}"))?;
        }
    }
    let mut latency = Config::section(&mut config, "latency");
    let entry = read_latency(latency.0.remove("entry"))?;
    let report = read_latency(latency.0.remove("report"))?;
    latency.finish("latency")?;
    let instrument_config = Config::section(&mut config, "instrument");
    let mut instrument = read_instrument(instrument_config, &mut settings)?;
    let mut fees = Config::section(&mut config, "fees");
    let with_fees = !fees.0.is_empty();
    instrument.maker_fee = fees.scaled("maker", RATE_SCALE, 0)?;
    instrument.taker_fee = fees.scaled("taker", RATE_SCALE, 0)?;
    fees.finish("fees")?;
    let assets = ["BASE", "QUOTE"].map(|name| Asset { name: name.to_owned(), scale: 8 });
    let late_open = settings.market.bar.open_last;
    let with_liquidation_fee = instrument.liquidation_fee != 0;
    let mut venue = Venue::new(settings, &[instrument], &assets);
    let mut account = Config::section(&mut config, "account");
    for (asset, key) in [(0, "base"), (1, "quote")] {
        if let Some(amount) = account.word(key) {
            venue.set_balance(0, asset, i128::from(number(&amount, 8)?));
        }
    }
    account.finish("account")?;
    config.finish("config")?;
    Ok(Scene {
        venue,
        line: Timeline::default(),
        two_times: !report.is_none(),
        entry: Channel::new(entry, 1, 1),
        report: Channel::new(report, 1, 2),
        late_open,
        with_fees,
        with_liquidation_fee,
        names: Vec::new(),
        accounts: vec!["me".to_owned()],
        groups: Vec::new(),
        asked: BTreeMap::new(),
        out: Vec::new(),
    })
}

fn read_latency(value: Option<Value>) -> Played<Latency> {
    match value {
        None => Ok(Latency::None),
        Some(Value::Array(steps)) => {
            let step = |s: &Value| Some(format!("{}={}", s.get(0)?.as_i64()?, s.get(1)?.as_i64()?));
            let steps: Option<Vec<String>> = steps.iter().map(step).collect();
            Latency::parse(&format!("steps:{}", steps.ok_or("bad latency steps")?.join(",")))
        }
        Some(other) => Latency::parse(&other.to_string()),
    }
}

fn read_instrument(mut config: Config, settings: &mut VenueSettings) -> Played<Instrument> {
    let kind = match config.word("kind").as_deref() {
        None | Some("linear") => Kind::Linear,
        Some("spot") => Kind::Spot,
        Some("inverse") => Kind::Inverse,
        Some(other) => return Err(format!("instrument kind {other:?} is not built")),
    };
    let mut band = Config::section(&mut config, "percent_price");
    let percent_price = if band.0.is_empty() {
        None
    } else {
        Some(PercentPrice {
            up: band.scaled("up", RATE_SCALE, 0)?,
            down: band.scaled("down", RATE_SCALE, 0)?,
            both_sides: band.word("sides").as_deref() == Some("both"),
        })
    };
    band.finish("percent_price")?;
    let mut band = Config::section(&mut config, "exec_band");
    if !band.0.is_empty() {
        settings.market.exec_band = Some(ExecutionBand {
            up: band.scaled("up", RATE_SCALE, 0)?,
            down: band.scaled("down", RATE_SCALE, 0)?,
        });
    }
    band.finish("exec_band")?;
    if config.0.contains_key("maintenance") {
        settings.market.margin = Some(IsolatedMargin {
            initial: config.scaled("initial", RATE_SCALE, 1_000_000_000_000_000_000)?,
            maintenance: config.scaled("maintenance", RATE_SCALE, 0)?,
        });
    }
    let filters = Filters {
        min_price: config.scaled("min_price", SCALE, 0)?,
        max_price: config.scaled("max_price", SCALE, 0)?,
        min_qty: config.scaled("min_qty", SCALE, 0)?,
        max_qty: config.scaled("max_qty", SCALE, 0)?,
        market_max_qty: config.scaled("market_max_qty", SCALE, 0)?,
        market_lot: config.scaled("market_step", SCALE, 0)?,
        min_notional: config.cost("min_notional")?,
        max_notional: config.cost("max_notional")?,
        max_orders: config.scaled("max_orders", 0, 0)? as u32,
        max_conditional_orders: config.scaled("max_algo_orders", 0, 0)? as u32,
        max_iceberg_parts: config.scaled("iceberg_parts", 0, 0)? as u32,
        percent_price,
    };
    let unit = 10_i64.pow(u32::from(SCALE));
    let instrument = Instrument {
        symbol: "test:BASE/QUOTE".to_owned(),
        venue_symbol: "BASEQUOTE".to_owned(),
        kind,
        base: 0,
        quote: 1,
        settle: if kind == Kind::Inverse { 0 } else { 1 },
        price_scale: SCALE,
        qty_scale: SCALE,
        tick: config.scaled("tick", SCALE, unit)?,
        lot: config.scaled("step", SCALE, unit)?,
        multiplier: config.scaled("mult", SCALE, unit)?,
        multiplier_scale: SCALE,
        maker_fee: 0,
        taker_fee: 0,
        liquidation_fee: config.scaled("liq_fee", RATE_SCALE, 0)?,
        filters,
        tiers: Vec::<Tier>::new(),
        expiry_ns: None,
        valid_from_ns: 0,
        status: Status::Trading,
        origin: Origin::File,
    };
    config.finish("instrument")?;
    Ok(instrument)
}

impl Scene {
    fn read(&mut self, row: u64, line: &str, requests: &mut Vec<(i64, Item)>) -> Played<()> {
        let words: Vec<&str> = line.split(' ').collect();
        let [at, verb, rest @ ..] = &words[..] else { return Err(format!("short line {line:?}")) };
        let at = time(at)?;
        let bad = || format!("cannot read {line:?}");
        let price = |word: &str| number(word, SCALE);
        let mut push = |rank, sub, item| {
            self.line.push_at(Key::new(at, rank, sub).with_sequence(row), item);
        };
        match (*verb, rest) {
            ("book", levels) => push(MARKET, 1, Item::Ticks(book_rows(at, levels, true)?)),
            ("diff", levels) => push(MARKET, 1, Item::Ticks(book_rows(at, levels, false)?)),
            ("quote", [bid, ask]) => {
                let ((bid_price, bid_qty), (ask_price, ask_qty)) =
                    (pair(bid, 'x')?, pair(ask, 'x')?);
                let quote = Quote {
                    ts_exchange: at,
                    bid_price,
                    bid_qty,
                    ask_price,
                    ask_qty,
                    ..Quote::default()
                };
                push(MARKET, 1, Item::Quote(quote));
            }
            ("trade", [what, side]) => {
                let (qty, price) = pair(what, '@')?;
                let flags = TICK_TRADE
                    | match *side {
                        "buy" => TICK_BUY,
                        "sell" => 0,
                        "none" => TICK_UNKNOWN_TAKER,
                        _ => return Err(bad()),
                    };
                let tick = Tick { ts_exchange: at, price, qty, flags, ..Tick::default() };
                push(MARKET, 0, Item::Ticks(vec![tick]));
            }
            ("bar", [end, o, h, l, c, v]) => {
                let bar = Bar {
                    ts_open: at,
                    ts_close: time(end)?,
                    instrument: 0,
                    open: price(o)?,
                    high: price(h)?,
                    low: price(l)?,
                    close: price(c)?,
                    volume: price(v)?,
                };
                let rank = if self.late_open { LATE_OPEN } else { MARKET };
                push(rank, 1, Item::Bar(bar));
            }
            ("mark", [p]) => push(NOTICE, 0, Item::Mark(number(p, MARK_SCALE)?)),
            ("index", [p]) => push(NOTICE, 0, Item::Index(number(p, MARK_SCALE)?)),
            ("status", [word]) => {
                let status = match *word {
                    "TRADING" => Status::Trading,
                    "BREAK" | "END_OF_DAY" | "CANCEL_ONLY" | "PRE_SETTLE" => Status::CancelOnly,
                    "HALT" => Status::Halt,
                    "CLOSE" | "DELIVERED" => Status::Closed,
                    _ => return Err(bad()),
                };
                push(NOTICE, 0, Item::Status(status));
            }
            ("rate", [rate, "at", when]) => {
                push(NOTICE, 0, Item::Rate(number(rate, RATE_SCALE)?, time(when)?));
            }
            ("place", [id, side, kind, what, options @ ..]) => {
                let (account, spec) = self.read_place(side, kind, what, options)?;
                let id = self.id(id);
                self.asked.insert(id, spec.qty);
                requests.push((at, Item::Place(account, id, spec)));
            }
            ("amend", [id, what]) => {
                let (qty, price) = pair(what, '@')?;
                let (id, account) = (self.id(id), self.owner(id, requests));
                requests.push((at, Item::Amend(account, id, qty, price)));
            }
            ("cancel", [id]) => {
                let (id, account) = (self.id(id), self.owner(id, requests));
                requests.push((at, Item::Cancel(account, id)));
            }
            ("cancel_all", who) => {
                let account = self.account(who.first().unwrap_or(&"me"));
                requests.push((at, Item::CancelAll(account)));
            }
            _ => return Err(bad()),
        }
        Ok(())
    }

    fn read_place(
        &mut self,
        side: &str,
        kind: &str,
        what: &str,
        options: &[&str],
    ) -> Played<(u16, OrderSpec)> {
        let side = match side {
            "buy" => Side::Buy,
            "sell" => Side::Sell,
            _ => return Err(format!("side {side:?}")),
        };
        let kind = match kind {
            "limit" => OrderType::Limit,
            "market" => OrderType::Market,
            "stop" => OrderType::Stop,
            "stop_limit" => OrderType::StopLimit,
            "take" => OrderType::TakeProfit,
            "take_limit" => OrderType::TakeProfitLimit,
            "trail" => OrderType::TrailingStop,
            _ => return Err(format!("order type {kind:?} is not built")),
        };
        let (qty, price) = match what.split_once('@') {
            Some((qty, price)) => (number(qty, SCALE)?, number(price, SCALE)?),
            None => (number(what, SCALE)?, 0),
        };
        let mut spec = OrderSpec::new(0, side, kind, qty, price);
        let mut account = 0;
        for option in options {
            match option.split_once('=').unwrap_or((option, "")) {
                ("ioc", _) => spec.tif = Tif::Ioc,
                ("fok", _) => spec.tif = Tif::Fok,
                ("gtd", at) => (spec.tif, spec.expire_ns) = (Tif::Gtd, time(at)?),
                ("post", _) => spec.post_only = true,
                ("reduce", _) => spec.reduce_only = true,
                ("close", _) => spec.close_position = true,
                ("trigger", p) => spec.trigger_price = number(p, SCALE)?,
                ("by", "last") => spec.trigger_by = TriggerBy::Last,
                ("by", "mark") => spec.trigger_by = TriggerBy::Mark,
                ("by", "index") => spec.trigger_by = TriggerBy::Index,
                ("bps", n) => spec.trail_bps = number(n, 0)?,
                ("activate", p) => spec.activation_price = number(p, SCALE)?,
                ("show", q) => spec.display_qty = number(q, SCALE)?,
                ("stp", mode) => spec.stp = parse_stp(mode)?,
                ("oco", group) => spec.oco_group = 1 + row_of(&mut self.groups, group) as u32,
                ("protect", x) => spec.price_protect = number(x, RATE_SCALE)?,
                ("acct", name) => account = self.account(name),
                _ => return Err(format!("option {option:?} is not built")),
            }
        }
        Ok((account, spec))
    }

    fn id(&mut self, name: &str) -> OrderId {
        1 + row_of(&mut self.names, name) as OrderId
    }

    fn account(&mut self, name: &str) -> u16 {
        row_of(&mut self.accounts, name) as u16
    }

    /// The account that placed an order.
    fn owner(&mut self, name: &str, requests: &[(i64, Item)]) -> u16 {
        let wanted = self.id(name);
        let owner = requests.iter().rev().find_map(|(_, item)| match item {
            Item::Place(account, id, _) if *id == wanted => Some(*account),
            _ => None,
        });
        owner.unwrap_or(0)
    }

    fn run(&mut self) {
        loop {
            let next = self.line.next_key();
            let done = self.venue.advance(next);
            self.drain();
            if !done {
                continue;
            }
            let Some((key, item)) = self.line.pop() else { return };
            self.apply(key.time_ns(), item);
            self.drain();
        }
    }

    fn apply(&mut self, now: i64, item: Item) {
        match item {
            Item::Ticks(rows) => {
                let mut rows = &rows[..];
                while !rows.is_empty() {
                    let taken = self.venue.ticks(rows, now + 1);
                    assert!(taken > 0, "the venue's clock is behind the market");
                    rows = &rows[taken..];
                    self.drain();
                }
            }
            Item::Quote(quote) => self.venue.quote(&quote),
            Item::Bar(bar) => self.venue.bar(&bar),
            Item::Mark(mark) => self.venue.mark(now, 0, mark),
            Item::Index(index) => self.venue.index(now, 0, index),
            Item::Status(status) => self.venue.status(now, 0, status),
            Item::Rate(rate, at) => self.venue.rate(0, rate, at, None),
            Item::Place(account, id, spec) => self.venue.place(now, account, id, &spec),
            Item::Amend(account, id, qty, price) => self.venue.amend(now, account, id, qty, price),
            Item::Cancel(account, id) => self.venue.cancel(now, account, id),
            Item::CancelAll(account) => self.venue.cancel_all(now, account, None),
        }
    }

    fn drain(&mut self) {
        for report in std::mem::take(&mut self.venue.reports) {
            let at = report.event.ts_exchange();
            let known = self.report.arrival(at);
            let times = if self.two_times { format!("{at}>{known}") } else { at.to_string() };
            let line = self.describe(&report);
            self.out.push(format!("{times} {line}"));
        }
    }

    fn describe(&self, said: &AccountReport) -> String {
        let units = |value: i64| format_decimal(i128::from(value), SCALE);
        let account = &self.accounts[usize::from(said.account)];
        match said.event {
            VenueEvent::Funding { amount, .. } => {
                format!("{account} funding {}", format_decimal(amount, 8))
            }
            VenueEvent::MarkMissing { .. } => format!("{account} mark_missing"),
            VenueEvent::Liquidated { side, qty, price, fee, .. } => {
                let side = if side == Side::Buy { "buy" } else { "sell" };
                let fee = if self.with_liquidation_fee {
                    format!(" fee={}", format_decimal(fee, 8))
                } else {
                    String::new()
                };
                format!("{account} liquidated {side} {}@{}{fee}", units(qty), units(price))
            }
            VenueEvent::Order(report) => {
                let name = &self.names[report.order as usize - 1];
                format!("{name} {}", self.describe_order(report.order, report.kind, said.left))
            }
        }
    }

    fn describe_order(&self, order: OrderId, kind: ReportKind, left_now: i64) -> String {
        let units = |value: i64| format_decimal(i128::from(value), SCALE);
        match kind {
            ReportKind::Accepted { qty } if self.asked.get(&order) != Some(&qty) => {
                format!("accepted qty={}", units(qty))
            }
            ReportKind::Accepted { .. } => "accepted".to_owned(),
            ReportKind::Rejected { reason } => format!("rejected {}", reason.word()),
            ReportKind::Filled(fill) => {
                let role = if fill.is_maker { "maker" } else { "taker" };
                let (qty, price) = (units(fill.qty), units(fill.price));
                let fee = if self.with_fees {
                    format!(" fee={}", format_decimal(fill.fee, 8))
                } else {
                    String::new()
                };
                format!("filled {qty}@{price} {role} left={}{fee}", units(left_now))
            }
            ReportKind::Triggered => "triggered".to_owned(),
            ReportKind::Canceled { left, by_oco: true } => {
                format!("canceled oco left={}", units(left))
            }
            ReportKind::Canceled { left, by_oco: false } => {
                format!("canceled left={}", units(left))
            }
            ReportKind::CancelRejected { reason } => format!("cancel_rejected {}", reason.word()),
            ReportKind::Expired { reason: Expiry::Delisted, .. } => "expired delisted".to_owned(),
            ReportKind::Expired { reason, left, prevented } => {
                let prevented = if prevented > 0 {
                    format!(" prevented={}", units(prevented))
                } else {
                    String::new()
                };
                format!("expired {} left={}{prevented}", reason.word(), units(left))
            }
            ReportKind::Amended { qty, price, queue_kept } => {
                let queue = if queue_kept { "kept" } else { "lost" };
                format!("amended {}@{} queue={queue}", units(qty), units(price))
            }
            ReportKind::AmendRejected { reason } => format!("amend_rejected {}", reason.word()),
            ReportKind::Reduced { left } => format!("reduced left={}", units(left)),
            ReportKind::Prevented { qty, left } => {
                format!("prevented {} left={}", units(qty), units(left))
            }
        }
    }
}

fn row_of(names: &mut Vec<String>, name: &str) -> usize {
    names.iter().position(|known| known == name).unwrap_or_else(|| {
        names.push(name.to_owned());
        names.len() - 1
    })
}

/// Two numbers of one word: `100x5`, `5@100`.
fn pair(word: &str, between: char) -> Played<(i64, i64)> {
    let (a, b) = word.split_once(between).ok_or_else(|| format!("{word:?} is no pair"))?;
    Ok((number(a, SCALE)?, number(b, SCALE)?))
}

/// The rows of one book message.
fn book_rows(at: i64, words: &[&str], snapshot: bool) -> Played<Vec<Tick>> {
    let (mut rows, mut side) = (Vec::new(), TICK_BUY);
    if snapshot {
        rows.push(Tick { ts_exchange: at, flags: TICK_CLEAR | TICK_EMPTY, ..Tick::default() });
    }
    for word in words {
        match *word {
            "bids" => side = TICK_BUY,
            "asks" => side = 0,
            level => {
                let (price, qty) = pair(level, 'x')?;
                rows.push(Tick { ts_exchange: at, price, qty, flags: side, ..Tick::default() });
            }
        }
    }
    if let Some(last) = rows.last_mut() {
        last.flags |= TICK_LAST;
    }
    Ok(rows)
}
