"""How good a model is: metrics, their standard errors, chance."""
