"""Whatever is wrong with what a user gives: one sentence that names it, a code, nothing written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.apps.conftest import SYMBOL, checked, written

from veloz.apps import cli

CONFIG, DATA, STRATEGY = 3, 4, 5


@pytest.fixture
def refused(veloz, catalogue, tmp_path, monkeypatch, capsys):
    """Runs a backtest that must fail; gives its one sentence."""

    def call(file: Path | str, *words: str, code: int, data: Path | str = catalogue) -> str:
        ended = veloz("backtest", file, "--data", data, *words)
        said = ended.stdout + ended.stderr
        assert ended.returncode == code, said
        assert ended.stdout == ""
        lines = ended.stderr.splitlines()
        assert lines[0].startswith("error: ")
        assert len(lines) <= 2
        assert all(line.startswith("hint:  ") for line in lines[1:])
        assert "unexpected" not in said
        assert list(tmp_path.glob("runs/*")) == list(tmp_path.glob("runs/.*")) == []
        # The same as JSON, in this process, which is quicker.
        monkeypatch.chdir(tmp_path)
        ended_with = cli.main(["backtest", str(file), "--data", str(data), *words, "--json"])
        error = json.loads(capsys.readouterr().out.splitlines()[-1])["error"]
        assert set(error) == {"kind", "message", "hint", "code"}
        assert error["code"] == ended_with == code
        return ended.stderr

    return call


SETTINGS = [
    (["--set", "fasst=12"], "unknown parameter 'fasst'; did you mean 'fast'?"),
    (["--set", "fast=1"], "parameter 'fast' is 1, below its least value 2"),
    (["--set", "fast=many"], "parameter 'fast' is 'many', not a whole number"),
    (["--set", "fast"], "'fast' is not NAME=VALUE"),
    (["--set", "fast=3", "--set", "fast=4"], "fast is given twice"),
    (["--set", "symbol=synthetic:BTC/USDC:USDC"], "did you mean synthetic:BTC/USDT:USDT?"),
    (["--balance", "lots"], "balance 'lots' is not an amount and an asset"),
    (["--balance", "0 USDT"], "it must be greater than zero"),
    (["--balance", "10 DOGE"], "DOGE"),
    (["--balance", "1 USDT, 2 USDT"], "the balance of USDT is given twice"),
    (["--leverage", "1000"], "leverage '1000' is not a whole number from 1 to 125"),
    (["--leverage", "binance:X/Y:Y=5"], "which the strategy does not trade"),
    (["--report-currency", "EUR"], "the report currency EUR is none of BTC, USDT"),
    (["--fees", "5%"], "fee rate '5%' is not a number"),
    (["--fees", "5"], "0.05 % is 0.0005"),
    (["--latency", "soon"], "soon"),
    (["--latency", "5"], "latency '5' has no unit"),
    (["--balance", "10,00 USDT"], "balance '10' is not an amount"),
    (["--latency", "there=5ms"], "neither entry=MODEL nor report=MODEL"),
    (["--fill", "queue"], "fill setting 'queue' is not key=value"),
    (["--fill", "queue=magic"], "magic"),
    (["--fill", "qeue=fifo"], "qeue"),
    (["--seed", "-1"], "the seed -1 is not a whole number"),
    (["--limit", "max_leverag=3"], "there is no risk limit 'max_leverag'"),
    (["--limit", "max_leverage=2.5"], "not a whole number above zero"),
    (["--limit", "max_position=0"], "it must be greater than zero"),
    (["--limit", "max_position=0.00000000001"], "finer than its unit"),
    (["--limit", "max_position=binance:X/Y=1"], "which the strategy does not trade"),
    (["--limit", "check_funds=perhaps"], "not true or false"),
]


@pytest.mark.parametrize(("words", "sentence"), SETTINGS)
def test_a_wrong_setting(refused, cross, words: list[str], sentence: str) -> None:
    assert sentence in refused(cross, *words, code=CONFIG)


RANGES = [
    (["--from", "2030-01-01"], "there is no bar_1m of synthetic:BTC/USDT:USDT from 2030-01-01"),
    (["--to", "2020-01-01"], "there is no bar_1m"),
    (["--from", "2024-01-02", "--to", "2024-01-01"], "--from must come before --to"),
    (["--from", "yesterday"], "'yesterday' is not a time"),
]


@pytest.mark.parametrize(("words", "sentence"), RANGES)
def test_a_range_without_data(refused, cross, words: list[str], sentence: str) -> None:
    assert sentence in refused(cross, *words, code=DATA)


def test_a_missing_catalogue(refused, cross, tmp_path) -> None:
    assert "there is no catalogue in" in refused(cross, code=DATA, data=tmp_path / "nowhere")


def test_a_file_instead_of_a_catalogue(refused, cross, tmp_path) -> None:
    file = written(tmp_path / "bars.csv", "a,b\n")
    assert "is a file: import it first" in refused(cross, code=DATA, data=file)


def test_corrupted_parquet(refused, cross, catalogue) -> None:
    part = next(catalogue.rglob("*.parquet"))
    content = bytearray(part.read_bytes())
    content[len(content) // 3 :] = b"\0" * (len(content) - len(content) // 3)
    part.write_bytes(bytes(content))
    assert part.name in refused(cross, code=DATA)


def test_a_missing_part_of_the_catalogue(refused, cross, catalogue) -> None:
    part = next(catalogue.rglob("*.parquet"))
    part.unlink()
    assert part.name in refused(cross, code=DATA)


def test_no_data_of_the_wanted_kind(refused, strategy) -> None:
    mine = strategy("pass", head="from veloz import Books", extra='    books = Books("symbol")\n')
    assert f"asks for books of {SYMBOL}, and the data hold bar_1m" in refused(mine, code=DATA)


def test_bars_that_cannot_be_made_from_those_there_are(refused, tmp_path) -> None:
    body = (
        "from veloz import Bars, Strategy\n\n\nclass Mine(Strategy):\n"
        f'    bars = Bars("{SYMBOL}", "30s")\n'
    )
    said = refused(written(tmp_path / "half.py", body), code=DATA)
    assert "bar_30s of synthetic:BTC/USDT:USDT cannot be had: the data hold bar_1m" in said


def test_a_missing_strategy_file(refused) -> None:
    assert "there is no strategy file nowhere.py" in refused("nowhere.py", code=STRATEGY)


FILES = [
    ("class Mine(:\n    pass\n", "does not parse: invalid syntax on line 1"),
    ("import nothing_of_this_name\n", "No module named 'nothing_of_this_name' at mine.py:1"),
    ("x = 1\n", "has no class that extends Strategy"),
    ("raise SystemExit(0)\n", "raised while it was loaded"),
    ("from veloz import Strategy\n\n\nclass Idle(Strategy):\n    pass\n", "subscribes to nothing"),
    (
        "from veloz import Strategy\n\n\nclass A(Strategy):\n    pass\n\n\n"
        "class B(Strategy):\n    pass\n",
        "has several strategies (A, B)",
    ),
    (
        "from veloz import Bars, Strategy\n\n\nclass Mine(Strategy):\n"
        f'    bars = Bars("{SYMBOL}")\n\n'
        "    def __init__(self, **given):\n        raise RuntimeError('no mood')\n",
        "Mine raised while it was made: RuntimeError: no mood at mine.py:8",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("content", "sentence"), FILES)
def test_a_strategy_file_that_is_wrong(refused, tmp_path, content: str, sentence: str) -> None:
    assert sentence in refused(written(tmp_path / "mine.py", content), code=STRATEGY)


def test_a_class_that_is_not_in_the_file(refused, cross) -> None:
    assert "has no strategy 'Crss'; it has Cross" in refused(f"{cross}:Crss", code=STRATEGY)


CALLBACKS = [
    ("1 / 0", ["ZeroDivisionError", "mine.py:9", "on_bar"]),
    ('self.buy(self.symbol, "0")', ["mine.py:9"]),
    ('self.buy(self.symbol, "-1")', ["-1", "mine.py:9"]),
    ('self.buy(self.symbol, float("nan"))', ["nan", "mine.py:9"]),
    ('self.buy(self.symbol, float("inf"))', ["inf", "mine.py:9"]),
    ('self.buy(self.symbol, "0.01", price="100.00000001")', ["100.00000001", "mine.py:9"]),
    ('self.buy(self.symbol, "0.01", price=-5)', ["-5", "mine.py:9"]),
    ('self.buy("synthetic:ETH/USDT:USDT", "0.01")', ["synthetic:ETH/USDT:USDT", "mine.py:9"]),
    ("raise SystemExit(3)", ["SystemExit", "mine.py:9"]),
]


@pytest.mark.parametrize(("body", "words"), CALLBACKS)
def test_a_callback_that_raises(refused, strategy, body: str, words: list[str]) -> None:
    said = refused(strategy(body), code=STRATEGY)
    for word in words:
        assert word in said


def test_a_strategy_that_loops_on_orders_is_stopped(refused, strategy) -> None:
    extra = (
        "    def on_order(self, order):\n"
        '        self.buy(self.symbol, "0.01", price=order.price)\n'
    )  # fmt: skip
    mine = strategy('self.buy(self.symbol, "0.01", price=round(bar.close * 0.95, 1))', extra=extra)
    said = refused(mine, "--limit", "max_order_notional=1", code=STRATEGY)
    assert "commands" in said


def test_an_unknown_option_is_a_usage_error(veloz, cross) -> None:
    ended = veloz("backtest", cross, "--balanc", "1 USDT", "--sed", "x")
    assert ended.returncode == 2
    assert ended.stderr.startswith("error: ")


def test_a_folder_that_cannot_be_written(veloz, cross, catalogue, tmp_path) -> None:
    written(tmp_path / "taken", "a file")
    ended = veloz("backtest", cross, "--data", catalogue, "--out", "taken")
    assert ended.returncode == DATA
    assert "taken" in ended.stderr


def test_the_place_of_a_fault_is_told_once(refused, strategy) -> None:
    assert refused(strategy("1 / 0"), code=STRATEGY).count("mine.py:9") == 1


def test_an_endless_loop_of_orders_in_one_callback_is_stopped(refused, strategy) -> None:
    said = refused(strategy('while True:\n    self.buy(self.symbol, "0.01")'), code=STRATEGY)
    assert "one callback gave more than 10000 commands" in said
    said = refused(
        strategy(
            'order = self.buy(self.symbol, "0.01", 1000)\nwhile True:\n'
            "    self.amend_order(order, price=1001)"
        ),
        code=STRATEGY,
    )
    assert "one callback gave more than 10000 commands" in said


def test_an_interrupt_in_a_callback_is_no_fault_of_the_strategy(veloz, catalogue, strategy) -> None:
    mine = strategy("raise KeyboardInterrupt")
    ended = veloz("backtest", mine, "--data", catalogue)
    assert (ended.returncode, ended.stderr) == (130, "interrupted\n")


def test_an_init_that_forgets_the_parents_is_told_so(refused, tmp_path) -> None:
    content = (
        "from veloz import Bars, Strategy, Symbol\n\n\nclass Mine(Strategy):\n"
        f'    symbol = Symbol("{SYMBOL}")\n    bars = Bars("symbol")\n\n'
        "    def __init__(self):\n        self.x = 1\n"
    )
    said = refused(written(tmp_path / "mine.py", content), code=STRATEGY)
    assert "must call super().__init__(**parameters) first" in said


def test_an_async_callback_is_refused(refused, strategy) -> None:
    mine = strategy("pass", extra="    async def on_order(self, order):\n        pass\n")
    assert "Mine.on_order is async, and callbacks are plain functions" in refused(
        mine, code=STRATEGY
    )


def test_an_indicator_is_fed_by_a_subscription(refused, strategy) -> None:
    mine = strategy("pass", extra='    def on_start(self):\n        self.sma("close", 3)\n')
    said = refused(mine, code=STRATEGY)
    assert "sma is fed by a Bars subscription of the class, such as self.bars" in said


def test_a_callback_of_another_name_is_warned_of(veloz, catalogue, strategy) -> None:
    extra = (
        "    def on_bars(self, bar):\n        pass\n\n"
        "    def on_tick(self, tick):\n        pass\n\n"
        "    def on_cross(self):\n        pass\n"
    )
    ended = veloz("backtest", strategy("self.on_cross()", extra=extra), "--data", catalogue)
    assert ended.returncode == 0
    assert "Mine.on_bars is no callback, so nothing calls it; did you mean on_bar?" in ended.stdout
    assert "did you mean on_quote or on_trade?" in ended.stdout
    assert "on_cross" not in ended.stdout


def test_a_full_disk_is_one_sentence(capsys, monkeypatch) -> None:
    import errno

    def full(args: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("veloz.apps.doctor.run", full)
    assert cli.main(["doctor"]) == DATA
    assert capsys.readouterr().err.startswith("error: the disk is full")


def test_an_imported_file_with_a_syntax_error_is_named_itself(refused, cross, tmp_path) -> None:
    written(tmp_path / "own_signals.py", "def f(:\n")
    cross.write_text("import own_signals\n" + cross.read_text())
    said = refused(cross, code=STRATEGY)
    assert "own_signals.py does not parse" in said


def test_bench_needs_a_checkout_or_runs(veloz, root) -> None:
    if (root / "benches" / "run.py").is_file():
        pytest.skip("the checkout has its benchmarks; they take minutes")
    ended = veloz("bench")
    assert ended.returncode == 2
    assert "make bench" in ended.stderr


def test_checked_refuses_what_does_not_fit() -> None:
    from jsonschema import ValidationError

    with pytest.raises(ValidationError):
        checked("backtest", '{"run": 1}')
