"""The audit: a reviewer's attempts to break the number, made first."""

LOGISTIC = "logistic_l2"
NETWORK = "network"
PARTS = ("protocols", "leaks", "confounding", "order", "people")
