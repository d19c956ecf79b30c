"""What every metric that asks nobody gives for some rows, by family; a new metric adds its case."""
