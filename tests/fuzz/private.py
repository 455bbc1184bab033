"""Private data of Binance: user-data frames, answers of both APIs, the engine that takes them."""

from __future__ import annotations

from tests.environments.test_live_payloads import KINDS, engine_of, payloads
from tests.fuzz.parser import Parser
from tests.test_user_data import PATHS
from veloz._core import BinanceUserDecoder, binance_verdict

__all__ = ["PARSERS", "corpus_of"]

NOW = 1_700_000_000_000_000_000
READERS = ("frame", "reply", "orders", "algo_orders", "trades", "account")
KIND = ("place", "amend", "cancel")


def corpus_of(market: str) -> list[bytes]:
    found = [path.read_bytes() for path in PATHS if path.parent.parent.name == market]
    return [body for body in found if len(body) < 20_000]


class _Reader:
    """One of the readers, over everything that the venue documents or was recorded to say."""

    def __init__(self, market: str, name: str) -> None:
        self.corpus = corpus_of(market)
        self._decoder = BinanceUserDecoder()
        self._read = getattr(self._decoder, name)

    def read(self, data: bytes, kind: int) -> bool:
        del kind
        found = self._read(data)
        return found is not None

    def state(self) -> object:
        return None


class _Verdicts:
    """Answers that are no success: any body has a meaning, and none is an error."""

    def __init__(self, market: str) -> None:
        self._market = market
        self.corpus = [*corpus_of(market)[:20], b'{"code":-2010,"msg":"Duplicate order sent."}']
        self._decoder = BinanceUserDecoder()

    def read(self, data: bytes, kind: int) -> bool:
        status = (400, 403, 418, 429, 500, 503)[kind % 6]
        reply = self._decoder.rest_reply(status, data)
        word, _ = binance_verdict(
            self._market, KIND[kind % 3], status, reply.code, reply.text or ""
        )
        assert word in {
            "done", "refused", "doubted", "halved", "absent", "limited", "clock", "fatal",
            "unknown",
        }  # fmt: skip
        assert word != "done" or reply.code in {None, 0, 200}
        return True

    def state(self) -> object:
        return None


class _Engine:
    """The live engine: what it cannot read changes nothing, and nothing poisons it."""

    def __init__(self, market: str) -> None:
        self._engine = engine_of(market)
        self._engine.start(NOW)
        rows = payloads(market)
        self._is_rest = [kind == "rest" for kind, _ in rows]
        self.corpus = [body for _, body in rows]
        self._now = NOW

    def read(self, data: bytes, kind: int) -> bool:
        self._now += 1_000
        take = self._engine.found if self._is_rest[kind] else self._engine.user_frame
        try:
            bits = take(0, data, self._now)
        finally:
            assert self._engine.poison is None, self._engine.poison
            self._engine.journal_pending()
        return bits == 0

    def state(self) -> object:
        return self._engine.state_hash()


def _reader(market: str, name: str) -> Parser:
    return Parser(f"private.{name}.{market}", lambda _folder: _Reader(market, name), rounds=400)


def _verdicts(market: str) -> Parser:
    return Parser(f"private.verdict.{market}", lambda _folder: _Verdicts(market), rounds=400)


def _engine(market: str) -> Parser:
    return Parser(f"private.engine.{market}", lambda _folder: _Engine(market))


PARSERS = [
    *(_reader(market, name) for market in KINDS for name in READERS),
    *(_verdicts(market) for market in KINDS),
    *(_engine(market) for market in KINDS),
]
