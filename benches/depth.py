"""W4: Binance depth frames → book → best bid and ask, one Python call a message.

The decoder is the one that imports recordings and feeds live engines, called as they call it. The
input begins in mid-stream, so the book starts from an empty snapshot at the id before the first
update.
"""

import itertools
import json
import sys
from pathlib import Path
from typing import Any

from timing import arguments, emit, measure, profile, seconds_of

from veloz._core import BinanceDecoder, BinanceInference

SYMBOL = "BTCUSDT"
SNAPSHOT = f"https://api.binance.com/api/v3/depth?symbol={SYMBOL}"


def main() -> None:
    """Run the bench and print its line."""
    args = arguments("W4: depth frames to best bid and ask.", n=200_000).parse_args()
    with (Path(args.data) / "depth.jsonl").open("rb") as lines:
        frames = [line.rstrip(b"\n") for line in itertools.islice(lines, args.n)]
    inference = BinanceInference("spot")
    for frame in frames:
        inference.frame(frame)
    first_id = json.loads(frames[0])["U"]

    def fresh() -> BinanceDecoder:
        decoder = BinanceDecoder("spot")
        decoder.add_inferred(inference)
        empty = json.dumps({"lastUpdateId": first_id - 1, "bids": [], "asks": []})
        decoder.rest(SNAPSHOT, empty, 0)
        return decoder

    def one_run() -> tuple[float, dict[str, Any]]:
        decoder = fresh()
        seconds, best = seconds_of(lambda: replay(decoder, frames))
        book = decoder.book(SYMBOL)
        counts = book.counts
        if counts["applied"] != len(frames) or decoder.errors:
            sys.exit(f"not every message was applied: {counts}, errors {decoder.errors}")
        return seconds, {
            "levels": sum(book.depth),
            "best": [str(best[:2]), str(best[2:])],
            "best_bid": best[0],
            "best_ask": best[2],
        }

    if args.profile:
        parts(frames, fresh)
        profile(lambda: replay(fresh(), frames))
    seconds, fields = measure(one_run, args.runs)
    emit("W4b", "msgs/s", len(frames), seconds, fields)


def replay(decoder: BinanceDecoder, frames: list[bytes]) -> tuple[float, float, float, float]:
    """Give every frame to the decoder and read the best bid and ask after each."""
    book = decoder.book(SYMBOL)
    apply = decoder.frame
    best = (0.0, 0.0, 0.0, 0.0)
    for frame in frames:
        apply(frame, 0)
        best = book.best
    return best


def parts(frames: list[bytes], fresh: Any) -> None:
    """Print what each part of the path costs, in nanoseconds a message."""
    decoder = fresh()
    book = decoder.book(SYMBOL)
    apply = decoder.frame
    blank = b"{}"

    def calls() -> None:
        for _ in frames:
            apply(blank, 0)

    def reads() -> None:
        for _ in frames:
            book.best  # noqa: B018 - the read is what is timed

    def decode_and_apply() -> None:
        for frame in frames:
            apply(frame, 0)

    for name, work in [
        ("decode + apply", decode_and_apply),
        ("call alone", calls),
        ("read best", reads),
    ]:
        seconds, _ = seconds_of(work)
        print(f"{name:>16}: {seconds / len(frames) * 1e9:7.0f} ns/message", file=sys.stderr)


if __name__ == "__main__":
    main()
