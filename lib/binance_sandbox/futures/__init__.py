"""The USDⓈ-M futures engine: orders in, fills, funding and liquidations out. It knows no HTTP.

    contracts   what a symbol allows: filters, bands, brackets
    model       orders, algo orders, trades, income, and an account's desk that holds them
    margin      initial and maintenance margin, liquidation price: arithmetic alone
    statement   an account's margins at one moment
    funding     rates and times
    scan        the first minute in which anything could happen
    matching    what happens at one moment: fills, triggers, expiry, payment of funding, liquidation
    engine      runs the clock and the prices, and says what is met on their way
    rules       what Binance refuses, with its codes

Sources: BINANCE.md sections 6 to 8 and 13; DESIGN.md, "binance_sandbox" and "Intrabar rule".
"""
