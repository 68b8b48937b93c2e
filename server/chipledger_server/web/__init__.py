"""HTTP: the agents' doors, and the screens and API behind them."""
