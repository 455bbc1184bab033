"""W3 and, with --orders, W7 on hftbacktest: the same rules, the strategy compiled by numba."""
# ruff: noqa: FBT003 - numba takes no keyword arguments here

from reporting import arguments, emit, need, timed

need("hftbacktest", "numba", "numpy")
import numpy as np  # noqa: E402
from hftbacktest import BUY, GTX, LIMIT, BacktestAsset, ROIVectorMarketDepthBacktest  # noqa: E402
from numba import njit  # noqa: E402

SELL_IDS = 1 << 40
BEAT_NS = 3_000_000


@njit
def make_market(hbt, most, size):
    tick = hbt.depth(0).tick_size
    steps = 0
    while hbt.elapse(100_000_000) == 0:
        steps += 1
        hbt.clear_inactive_orders(0)
        bid, ask = hbt.depth(0).best_bid_tick, hbt.depth(0).best_ask_tick
        buy_at = bid if ask - bid >= 2 else bid - 1
        sell_at = ask if ask - bid >= 3 else ask + 1
        held = hbt.position(0)
        buying, selling = held < most, held > -most
        listed = hbt.orders(0).values()
        while listed.has_next():
            order = listed.get()
            if order.side == BUY and buying and order.price_tick == buy_at:
                buying = False
            elif order.side != BUY and selling and order.price_tick == sell_at:
                selling = False
            elif order.cancellable:
                hbt.cancel(0, order.order_id, False)
        if buying:
            hbt.submit_buy_order(0, buy_at, buy_at * tick, size, GTX, LIMIT, False)
        if selling:
            hbt.submit_sell_order(0, SELL_IDS + sell_at, sell_at * tick, size, GTX, LIMIT, False)
    return steps


@njit
def submit_and_cancel(hbt, size):
    tick = hbt.depth(0).tick_size
    trips = 0
    while hbt.elapse(BEAT_NS) == 0:
        hbt.clear_inactive_orders(0)
        trips += 1
        price = (hbt.depth(0).best_bid_tick - 5) * tick
        hbt.submit_buy_order(0, trips, price, size, GTX, LIMIT, False)
        if hbt.elapse(BEAT_NS) != 0:
            break
        hbt.cancel(0, trips, False)
    return trips


def main() -> None:
    parser = arguments("W3 or W7 on hftbacktest.", n=5_000_000, runs=4)
    parser.add_argument("--orders", action="store_true", help="W7: submit and cancel")
    args = parser.parse_args()
    with np.load(args.data / "l2_hft.npz") as archive:
        rows = archive["data"][: args.n]
    lowest, highest = rows["px"].min() - 100, rows["px"].max() + 100
    seconds, state = [], {}
    for _ in range(args.runs):
        asset = (
            BacktestAsset().data(rows).linear_asset(1.0).tick_size(0.1).lot_size(0.001)
            .constant_order_latency(1_000_000, 1_000_000).risk_adverse_queue_model()
            .no_partial_fill_exchange().trading_value_fee_model(0.0002, 0.0005)
            .last_trades_capacity(0).roi_lb(lowest).roi_ub(highest)
        )  # fmt: skip
        hbt = ROIVectorMarketDepthBacktest([asset])
        if args.orders:
            taken, done = timed(lambda hbt=hbt: submit_and_cancel(hbt, 0.01))
        else:
            taken, done = timed(lambda hbt=hbt: make_market(hbt, 1.0, 0.01))
        values = hbt.state_values(0)
        state = {"fills": int(values.num_trades), "position": round(float(values.position), 6)}
        hbt.close()
        seconds.append(taken)
    if args.orders:
        each = round(min(seconds[1:] or seconds) / done * 1e6, 4)
        emit(
            "hftbacktest", "W7", "submit+cancel round trips/s", int(done), seconds,
            us_per_round_trip=each, events=args.n, **state,
        )  # fmt: skip
    else:
        emit("hftbacktest", "W3", "events/s", args.n, seconds, steps=int(done), **state)


main()
