"""S1: build and sign an order, called from Python as a gateway calls it.

One unit is `BinanceEncoder.place` and `BinanceRequest.ws_frame`: a limit order as the bytes of a
WebSocket API frame, with a new client id, price and time each. Beside it, on the same order, the
same with an Ed25519 key, and the standard library's HMAC-SHA256 alone over a payload that is ready:
what no client in Python can be faster than. Percentiles are of single calls.
"""

import base64
import gc
import hashlib
import hmac
import json
import sys
import time
from collections.abc import Callable
from decimal import Decimal

from timing import arguments, emit

from veloz._core import BinanceDecoder, BinanceEncoder, BinanceSigner, wire_id

# The venue's own documented example.
SECRET = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"  # noqa: S105
API_KEY = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"
SYMBOL = {
    "symbol": "BTCUSDT", "status": "TRADING", "baseAsset": "BTC", "quoteAsset": "USDT",
    "baseAssetPrecision": 8, "quotePrecision": 8,
    "filters": [
        {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "99999", "tickSize": "0.01"},
        {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000", "stepSize": "0.00001"},
    ],
}  # fmt: skip
# PKCS#8 around a seed, RFC 8410; the seed is that of RFC 8032, test 1.
SEED = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
PKCS8 = bytes.fromhex("302e020100300506032b657004220420" + SEED)
NOW_MS = 1_722_470_400_123


def main() -> None:
    """Run the bench and print its line."""
    args = arguments("S1: build + sign an order.", n=200_000, runs=3).parse_args()
    body = base64.b64encode(PKCS8).decode()
    pem = f"-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n"
    ids = [wire_id(1, 1, at) for at in range(args.n)]
    seconds, hmac_ns = timed(signing(BinanceSigner(API_KEY, SECRET), ids), args.n, args.runs)
    few = max(args.n // 10, 100)
    _, ed25519_ns = timed(signing(BinanceSigner(API_KEY, pem), ids), few, args.runs)
    _, bare_ns = timed(bare(), args.n, args.runs)
    emit(
        "S1", "orders signed/s", args.n, seconds,
        {
            **spread("hmac", hmac_ns),
            **spread("ed25519", ed25519_ns),
            **spread("bare_hmac", bare_ns),
        },
    )  # fmt: skip


def signing(signer: BinanceSigner, ids: list[str]) -> Callable[[int], object]:
    """A call that makes and signs the nth order."""
    decoder, encoder = BinanceDecoder("spot"), BinanceEncoder("spot")
    decoder.add_exchange_info(json.dumps({"symbols": [SYMBOL]}))
    encoder.add_instruments(decoder)
    price_scale, qty_scale = encoder.scales("BTCUSDT")
    first, qty = 30_000 * 10**price_scale, 10**qty_scale // 100
    place = encoder.place

    def one(at: int) -> bytes:
        request = place("BTCUSDT", "buy", "limit", qty, ids[at], price=first + at, post_only=True)
        return request.ws_frame(signer, ids[at], NOW_MS + at, 5000)

    price = json.loads(one(1))["params"]["price"]
    if Decimal(price).scaleb(price_scale) != first + 1:
        sys.exit(f"the order's price came out as {price}")
    return one


def bare() -> Callable[[int], object]:
    """The standard library's HMAC alone, over the payload of such an order."""
    payload = (
        f"apiKey={API_KEY}&newClientOrderId={wire_id(1, 1, 1)}&price=30000.01&quantity=0.01"
        f"&recvWindow=5000&side=BUY&symbol=BTCUSDT&timestamp={NOW_MS}&type=LIMIT_MAKER"
    ).encode()
    key = SECRET.encode()
    return lambda _: hmac.digest(key, payload, hashlib.sha256).hex()


def timed(one: Callable[[int], object], n: int, runs: int) -> tuple[list[float], list[int]]:
    """Seconds of each run without a clock inside, and the ns of each call of one more run."""
    seconds = []
    for _ in range(runs):
        gc.collect()
        start = time.perf_counter()
        for at in range(n):
            one(at)
        seconds.append(time.perf_counter() - start)
    clock, each = time.perf_counter_ns, []
    for at in range(n):
        start_ns = clock()
        one(at)
        each.append(clock() - start_ns)
    return seconds, sorted(each)


def spread(name: str, each_ns: list[int]) -> dict[str, float]:
    """Median and 99th percentile in µs."""
    return {
        f"{name}_p50_us": each_ns[len(each_ns) // 2] / 1000,
        f"{name}_p99_us": each_ns[len(each_ns) * 99 // 100] / 1000,
    }


if __name__ == "__main__":
    main()
