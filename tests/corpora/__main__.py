"""Judge every file of the corpora and write the table: `python -m tests.corpora`."""

from __future__ import annotations

import sys

from tests.corpora.verdicts import TABLE, corpus_files, judge, write_table


def main() -> int:
    """Write the table and return 1 when a verdict is a problem."""
    verdicts = judge(corpus_files())
    write_table(verdicts)
    problems = [f"{v.file}: {problem}" for v in verdicts for problem in v.problems]
    outcomes = [o for v in verdicts for o in (v.as_it_is, v.copy) if o]
    n_cohorts = sum(not o.problem and o.text.endswith(" rows") for o in outcomes)
    n_copies = len(outcomes) - len(verdicts)
    print(
        *problems,
        f"{len(verdicts)} files and {n_copies} completed copies: {n_cohorts} cohorts as bcftools "
        f"counts, {len(outcomes) - n_cohorts - len(problems)} refused in a sentence, "
        f"{len(problems)} problems; {TABLE.name} written",
        sep="\n",
    )
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
