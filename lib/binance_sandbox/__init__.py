"""A local Binance over HTTP, for demos and tests: `python -m binance_sandbox --help`.

It serves `/api`, `/sapi`, `/fapi` and `/dapi` below one base URL as BINANCE.md describes them, and `/sandbox` to
control it (DESIGN.md, "binance_sandbox"; docs/SANDBOX.md). It knows nothing of navbook: the two agree on the wire
alone.

What `POST /sandbox/events` takes. Every event has `type`, `account` and optionally `time` (ms; default now) and `id`;
an amount is text or a number; a field in brackets may be left out. Wallets: `accounts.WALLETS`.

    deposit         asset amount [wallet status complete_time network tx_id transfer_type]
    withdrawal      the same [fee order_id]; `amount` is what arrives, the fee comes on top
    transfer        asset amount from_wallet to_wallet
    sub_transfer    asset amount to [from_wallet to_wallet client_id]; `to` is another account of the family
    pay             asset amount (negative: paid) [wallet order_type]
    dividend        asset amount [wallet info]
    fill            symbol side quantity [price market position_side commission commission_asset]
    convert         from_asset from_amount to_asset to_amount [wallet status]
    dust            from_asset from_amount to_amount [to_asset fee]; BNB unless told otherwise
    fiat            side (deposit, withdrawal) asset amount [fee payment_method status wallet]
                    side (buy, sell) the same, coin coin_amount; only a "Cash Balance" also moves the fiat
    c2c             side (BUY, SELL) asset amount fiat total_price [fee status wallet]
    earn_subscribe  asset amount [product (flexible, locked) wallet]; earn_redeem is the way back
    reward          asset amount [product kind (REALTIME, BONUS, REWARDS)]; REALTIME grows the position, others spot
    borrow          asset amount [wallet (margin, isolated_margin) symbol]; repay and interest alike
"""
