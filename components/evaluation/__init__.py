"""Model evaluation: metrics, standard errors, chance."""
