"""Every file of two corpora goes through ingest: a cohort with bcftools' counts, or one sentence.

`python -m tests.corpora` judges all files and writes `verdicts.md`; `test_corpora.py` judges a
fixed sample and compares it with that table. Files are ingested in child processes that take many
files each, so that a crash or a hang is a verdict too.
"""
