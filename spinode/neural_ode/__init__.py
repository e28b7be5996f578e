"""The method: the Spin-Neural ODE, how it is trained and how it forecasts."""
