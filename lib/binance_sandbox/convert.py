"""`/sapi/v1/convert`: what was converted, and what could be. Nothing can be converted here but by an event.

Source: BINANCE.md section 5.4; of the lists of pairs and precisions ../shared/data/api/documented/convert.json.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from .errors import WireError, mandatory
from .events import Exchange
from .money import plain
from .wire import Call

DAYS = 30
LEAST, MOST = "0.00001", "1000000"    # of an asset in one convert


def pairs(call: Call) -> list[dict[str, str]]:
    """Whatever trades against each other, both ways."""
    ways = [way for pair in call.market.trading(call.now)
            for way in ((pair.base, pair.quote), (pair.quote, pair.base))]
    return [{"fromAsset": one, "toAsset": other, "fromAssetMinAmount": LEAST, "fromAssetMaxAmount": MOST,
             "toAssetMinAmount": LEAST, "toAssetMaxAmount": MOST} for one, other in ways
            if call.params.get("fromAsset") in (None, "", one) and call.params.get("toAsset") in (None, "", other)]


def precisions(call: Call) -> list[dict[str, Any]]:
    assets = {asset for pair in call.market.trading(call.now) for asset in (pair.base, pair.quote)}
    return [{"asset": asset, "fraction": 8} for asset in sorted(assets)]


def order_status(call: Call) -> dict[str, Any]:
    """One convert, by orderId or quoteId."""
    order, quote = call.params.get("orderId"), call.params.get("quoteId")
    if not order and not quote:
        raise mandatory("orderId")
    for row in map(_row, _converts(call, 0, call.now)):
        if str(row["orderId"]) == order or row["quoteId"] == quote:
            return row
    raise WireError(-2013, "Order does not exist.")


def trade_flow(call: Call) -> dict[str, Any]:
    """Both times are mandatory; newest first."""
    for name in ("startTime", "endTime"):
        if call.moment(name) is None:
            raise mandatory(name)
    start, end = call.window(DAYS, WireError(-1127, "More than 30 days between startTime and endTime."),
                             including=True)
    limit, found = call.limit(100, 1000), _converts(call, start, end)
    return {"list": [_row(convert) for convert in found[:limit]], "startTime": start, "endTime": end,
            "limit": limit, "moreData": len(found) > limit}


def _row(convert: Exchange) -> dict[str, Any]:
    ratio, inverse = ((one / other if other else Decimal(0)) for one, other in (
        (convert.to_amount, convert.from_amount), (convert.from_amount, convert.to_amount)))
    return {"quoteId": f"{convert.number:032x}", "orderId": convert.number, "orderStatus": convert.status,
            "fromAsset": convert.from_asset, "fromAmount": plain(convert.from_amount), "toAsset": convert.to_asset,
            "toAmount": plain(convert.to_amount), "ratio": plain(round(ratio, 8)),
            "inverseRatio": plain(round(inverse, 8)), "createTime": convert.time}


def _converts(call: Call, start: int, end: int) -> list[Exchange]:
    return [convert for convert in call.state.ledger.of(Exchange, call.account.name, start, min(end, call.seen))
            if convert.kind == "convert"]
