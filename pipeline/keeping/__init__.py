"""What is kept of runs beside results: notes, an index, a trash; how long weights stay."""
