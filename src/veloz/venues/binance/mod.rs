//! Binance: spot, USDT-M and COIN-M.
