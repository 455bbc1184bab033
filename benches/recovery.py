"""J4: a desk from a million records of its journal, and from a snapshot of it.

    python benches/recovery.py FOLDER [--n 1000000]

J3 reads and checks a journal; here a live engine also applies it. A strategy places an order with
every tick of a timer; each is accepted and filled as the venue would tell it, so four records are
one order's life. The journal, in segments as long as a run's, is recovered by a fresh engine, which
must come to the same state to the byte; then another fresh engine starts from a snapshot taken when
99 of 100 records were written, reads the segment that holds its last batch, and applies the rest.
All of the run's orders are still remembered (a run remembers a day of them): no state is larger for
so many records.
"""

import json
from time import perf_counter
from typing import Any

from timing import arguments, emit

from veloz import Strategy
from veloz._core import LiveEngine

SYMBOL = "binance:BTC/USDT:USDT"
ASSETS = [("USDT", 8), ("BTC", 8)]
MS = 1_000_000
STEP_MS = 20
SEGMENT_BYTES = 64 * 1024 * 1024
START_NS = 1_700_000_000_000 * MS
RECORDS_PER_ORDER = 4  # placed, number known, accepted, filled
INSTRUMENT: dict[str, Any] = {
    "symbol": SYMBOL, "venue_symbol": "BTCUSDT", "kind": "linear", "base": "BTC", "quote": "USDT",
    "settle": "USDT", "price_scale": 2, "qty_scale": 3, "tick": 10, "lot": 1, "multiplier": "1",
    "maker_fee": "0.0002", "taker_fee": "0.0004", "liquidation_fee": "0", "origin": "venue",
}  # fmt: skip


class Turns(Strategy):
    """Buys and sells in turn."""

    def on_start(self) -> None:
        self.bought = False
        self.every(f"{STEP_MS}ms", self.turn)

    def turn(self) -> None:
        side = self.sell if self.bought else self.buy
        side(SYMBOL, "0.010", "30000.00")
        self.bought = not self.bought


def engine_of(epoch: int) -> LiveEngine:
    settings = {"accounts": ["usdm"], "check_identity": True, "epoch": epoch}
    engine = LiveEngine(ASSETS, [INSTRUMENT], settings)
    engine.add_strategy(Turns(), "hold")
    engine.add_feed("usdm", [SYMBOL])
    return engine


def update(request: Any, number: int, now_ms: int, **fields: Any) -> str:
    """An ORDER_TRADE_UPDATE as the venue writes it."""
    side = request.terms["side"].upper()
    order = {
        "s": "BTCUSDT", "c": request.client_order_id, "S": side, "o": "LIMIT",
        "f": "GTC", "q": "0.010", "p": "30000.00", "ap": "0", "sp": "0", "x": "NEW", "X": "NEW",
        "i": number, "l": "0", "z": "0", "L": "0", "n": "0", "N": "USDT", "T": now_ms, "t": 0,
        "b": "0", "a": "0", "m": False, "R": False, "wt": "CONTRACT_PRICE", "ot": "LIMIT",
        "ps": "BOTH", "cp": False, "rp": "0", "pP": False, "si": 0, "ss": 0, "V": "NONE",
        "pm": "NONE", "gtd": 0,
    } | fields  # fmt: skip
    return json.dumps({"e": "ORDER_TRADE_UPDATE", "E": now_ms, "T": now_ms, "o": order})


def trade(records: int) -> tuple[list[bytes], bytes, int, str]:
    """A run with so many records.

    Returns:
        Its segments, a snapshot of near its end, which segment holds that, and the last state.
    """
    engine = engine_of(1)
    engine.deposit(0, "USDT", "1000000", START_NS)
    engine.start(START_NS)
    segments, part, snapshot, holder = [], bytearray(), b"", 0
    now_ns, trades = START_NS, 0
    while engine.journal_sequence < records:
        now_ns += STEP_MS * MS
        engine.advance(now_ns)
        for request in engine.take_requests():
            trades += 1
            told = {"now_ms": now_ns // MS, "number": 8_000_000 + trades}
            engine.user_frame(0, update(request, **told), now_ns)
            fill = {"x": "TRADE", "X": "FILLED", "l": "0.010", "z": "0.010", "L": "30000.00"}
            fill |= {"n": "0.06", "t": trades, "m": True}
            engine.user_frame(0, update(request, **told, **fill), now_ns)
        if not snapshot and engine.journal_sequence >= records * 99 // 100:
            snapshot, holder = engine.snapshot(), len(segments)
        part += engine.journal_pending()
        if len(part) > SEGMENT_BYTES:
            segments.append(bytes(part + engine.roll_journal()))
            part.clear()
    part += engine.journal_pending()
    return [*segments, bytes(part)], snapshot, holder, engine.state_hash()


def recovered_in(segments: list[bytes], snapshot: bytes | None, state: str) -> tuple[float, int]:
    """Seconds for one recovery, and the batches that it applied."""
    engine = engine_of(2)
    began = perf_counter()
    told = engine.recover(segments, snapshot)
    taken = perf_counter() - began
    if engine.state_hash() != state:
        raise SystemExit("the recovered desk is another one")
    return taken, told["batches"]


def main() -> None:
    """Run the bench and print its line."""
    args = arguments("J4: recovery of a desk.", n=1_000_000).parse_args()
    segments, snapshot, holder, state = trade(args.n)
    runs = [recovered_in(segments, None, state) for _ in range(args.runs)]
    restored = [recovered_in(segments[holder:], snapshot, state) for _ in range(args.runs)]
    fields = {
        "journal_bytes": sum(map(len, segments)),
        "segments": len(segments),
        "snapshot_bytes": len(snapshot),
        "with_snapshot_seconds": round(min(seconds for seconds, _ in restored), 6),
        "batches_behind_snapshot": restored[0][1],
        "batches": runs[0][1],
    }
    emit("J4", "records/s applied", args.n, [seconds for seconds, _ in runs], fields)


if __name__ == "__main__":
    main()
