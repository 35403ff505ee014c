"""A network learns: epochs, learning rate, early stopping, best weights, prediction, files.

Only the worker imports this package.
"""

from pipeline.training.fit import (
    PREDICT_BATCH,
    class_weights,
    forget_models,
    load_model,
    precision,
    predict_probability,
    save_model,
    train_network,
)

__all__ = [
    "PREDICT_BATCH",
    "class_weights",
    "forget_models",
    "load_model",
    "precision",
    "predict_probability",
    "save_model",
    "train_network",
]
