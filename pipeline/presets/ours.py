"""Presets of ours: what to try first, and what the data allow."""

from __future__ import annotations

from pipeline.presets.preset import preset

OURS = (
    preset(
        "quick",
        "Quick what-if",
        "Ours: one small convolution without pooling, trained in seconds. It learns additive "
        "signal; it is not the paper's network.",
        "ours",
        # Tried on three simulated additive cohorts (1,800 training people, 900 variants
        # chosen by them): test AUC 0.64 in 3 to 6 s on two cores, where L2 regression has
        # 0.63, L1 0.76, final_2d 0.51. Pooling costs 0.03, standard scaling 0.06 (rare
        # variants grow until the few who carry them are learned by heart), batch
        # normalisation nothing but time.
        encoding__scaling="none",
        network__convolutions=1,
        network__filters=8,
        network__pool=1,
        network__batch_norm=False,
        network__dense=(),
        training__optimizer="sgd",
        training__learning_rate=0.06,
        training__batch_size=64,
        training__epochs=16,
        training__patience=4,
    ),
    preset(
        "best",
        "Best we know",
        "Ours: sparse gates find genes, a convolution as wide as a gene reads what is left of "
        "them, and validation people choose among these and L1 regression.",
        "ours",
        network__family="gene",
        network__filters=16,
        network__dropout=0.1,
        training__learning_rate=0.003,
        training__schedule="constant",
        training__plateau_factor=1.0,
        training__batch_size=128,
        training__epochs=60,
        training__patience=12,
    ),
)
