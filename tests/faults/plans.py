"""One scripted plan for each fault that can be injected into the trading scenario (level T1).

`KNOWN` are faults that the engine does not survive yet: their tests must fail, each for the reason
that is written here, so that whoever repairs one finds the line to delete.
"""

from __future__ import annotations

from typing import Any

AT = {"at_ms": 12_000}
NEXT = {"at_ms": 10_000, "nth": 1}
PLACE = {"request": "order.place"}


def often(rate: float, **when: Any) -> dict[str, Any]:
    return {**when, "rate_per_1k_events": rate}


# fault → (when, args)
PLANS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "F-A01": (AT, {"stream": "user", "notice_ms": 500, "layer": "venue"}),
    "F-A02": (AT, {"link": 1}),
    "F-A03": (AT, {"stream": "market", "for_ms": 30_000, "layer": "venue"}),
    "F-A04": (NEXT, {}),
    "F-A05": (NEXT, {"for_ms": 2_000}),
    "F-A06": (AT, {"stream": "market"}),
    "F-A07": (often(60, market="spot"), {}),
    "F-A08": (AT, {}),
    "F-A09": (AT, {"for_ms": 30_000}),
    "F-A10": (NEXT, {"for_ms": 2_000}),
    "F-B01": (often(20), {}),
    "F-B02": (often(900), {}),
    "F-B03": (often(50), {}),
    "F-B04": (often(60), {}),
    "F-B05": (often(20), {}),
    "F-B06": (often(900), {"levels": 2}),
    "F-B07": (often(20), {}),
    "F-B08": (often(20), {}),
    "F-B09": (often(40), {}),
    "F-B10": (often(10), {}),
    "F-C01": (often(60, **PLACE), {}),
    "F-C02": (often(60, **PLACE), {}),
    "F-C03": (often(60, **PLACE), {"later_ms": 2_500}),
    "F-C04": (often(900, request="order.status"), {}),
    "F-C05": (often(60, **PLACE), {}),
    "F-C06": (often(60, **PLACE), {}),
    "F-C07": (often(150, request="order.cancel"), {}),
    "F-C08": (often(300, request="order.*"), {}),
    "F-C09": (often(700, request="order.*Batch"), {"effect": "partly"}),
    "F-C10": (often(60, **PLACE), {}),
    "F-C11": (often(60, **PLACE), {}),
    "F-C12": (often(60, **PLACE), {}),
    "F-D01": (often(100), {}),
    "F-D02": (often(100), {}),
    "F-D03": (often(150), {}),
    "F-D04": (often(60), {"market": "usdm"}),
    "F-D05": (often(150), {}),
    "F-D06": (often(400, market="spot"), {}),  # on futures as F-D05
    "F-D08": (often(150), {}),
    "F-D09": (often(60), {"market": "usdm"}),
    "F-D10": (often(150), {}),
    "F-D11": (often(150), {}),
    "F-E01": (AT, {"market": "usdm", "qty": "0.004"}),
    "F-E02": (AT, {"market": "usdm"}),
    "F-E03": (AT, {"market": "spot", "amount": "10"}),
    "F-E04": (AT, {"market": "spot", "amount": "2"}),
    "F-E05": (often(100), {}),
    "F-E06": ({"at_ms": 0}, {}),  # the venue refuses it once there are positions
    "F-E07": (AT, {"leverage": 10}),
    "F-E09": (often(200), {}),
    "F-E10": (AT, {}),
    "F-F01": (often(25), {}),
    "F-F02": (often(15), {}),
    "F-F03": (often(10), {}),
    "F-F04": (often(10), {}),
    "F-F05": (often(60, **PLACE), {}),
    "F-F06": (AT, {"market": "usdm"}),
    "F-F07": (AT, {"market": "usdm", "for_ms": 5_000}),
    "F-F08": (often(60, **PLACE), {}),
    "F-F09": (often(900), {}),
    "F-G03": (AT, {"market": "usdm", "side": "SELL"}),
    "F-G04": (often(60), {}),
    "F-G05": (AT, {"market": "usdm", "side": "SELL"}),
    "F-H01": (AT, {}),
    "F-H02": (AT, {}),
    "F-H03": (NEXT, {}),
    "F-H04": (NEXT, {}),
    "F-H05": (NEXT, {}),
    "F-H06": (NEXT, {}),
    "F-H07": (NEXT, {}),
    "F-H08": (NEXT, {}),
    "F-H09": ({"at_ms": 9_000}, {}),
    "F-H10": (AT, {}),
    "F-H11": (NEXT, {}),
    "F-H12": (AT, {}),
    "F-H13": (AT, {}),
    "F-H14": (AT, {}),
    "F-H18": (AT, {}),
    "F-K01": (often(8), {}),
    "F-K02": (often(8), {}),
    "F-K03": (often(8), {}),
    "F-K04": (often(8), {}),
    "F-L01": (AT, {}),
    "F-L02": (AT, {"by_ms": -300}),
    "F-L03": (AT, {"by_ms": 500}),
}

# Can be injected, and nothing in this scenario sends what it is about.
NO_OCCASION: dict[str, str] = {}

KNOWN: dict[str, str] = {}

SEED = 2


# What has to happen first: nobody asks about an order whose answer came.
# Batches go by REST, and that is used while the order connections are gone and do not come back:
# a venue that refuses them with 429 wants silence, and hears no order at all.
OCCASIONS: dict[str, list[tuple[str, dict[str, Any], dict[str, Any]]]] = {
    "F-C04": [("F-C02", *PLANS["F-C02"])],
    "F-C09": [
        ("F-A05", {"at_ms": 9_000}, {"for_ms": 12_000, "layer": "venue", "status": 503}),
        ("F-A02", {"at_ms": 9_100}, {"stream": "api", "layer": "venue"}),
    ],
}


def plan_of(fault: str) -> dict[str, Any]:
    parts = [(fault, *PLANS[fault]), *OCCASIONS.get(fault, [])]
    return {"plan": [{"fault": name, "when": when, "args": args} for name, when, args in parts]}
