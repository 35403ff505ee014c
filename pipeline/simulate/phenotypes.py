"""Who falls ill: liability from planted variants, and a threshold on it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pipeline.errors import SettingsError
from pipeline.settings.simulation import Architecture, SimulationSettings
from pipeline.simulate.genes import Gene
from pipeline.simulate.people import POPULATIONS, People
from pipeline.simulate.randomness import Stream, generator

SCZ, BP, CONTROL = "SCZ", "BP", "control"

# Effects of an allele of frequency p go with [2p(1-p)] to this power, so rare ones are larger.
_FREQUENCY_POWER = -0.1
_CAUSAL_VARIANT_FRACTION = 0.5
# Interactions need few genes to leave a trace that 3,000 people can show.
_INTERACTION_GENE_FRACTION = 0.25
_LEAST_FREQUENCY = {"additive": 0.0, "recessive": 0.15, "compound": 0.03, "epistatic": 0.03}
_FEWEST_VARIANTS = {"additive": 1, "recessive": 1, "compound": 2, "epistatic": 2}
_MOST_VARIANTS = {"additive": None, "recessive": 2, "compound": 4, "epistatic": 4}
# Two variants in tighter linkage than this say the same, and their exclusive-or says nothing.
_LARGEST_CORRELATION = 0.5


@dataclass(frozen=True)
class Allele:
    """An alternate allele that may be made causal; `dosage` (n_people,) is its true count."""

    gene: Gene
    pos: int
    ref: str
    alt: str
    dosage: np.ndarray

    @property
    def frequency(self) -> float:
        """Return the share of copies that are this allele."""
        return float(self.dosage.mean()) / 2

    @property
    def minor_frequency(self) -> float:
        """Return the smaller of the frequency and what is left."""
        return min(self.frequency, 1 - self.frequency)

    @property
    def minor_dosage(self) -> np.ndarray:
        """Return how many copies of the rarer one of this allele and the rest each person has."""
        return self.dosage if self.frequency <= 0.5 else 2 - self.dosage


@dataclass(frozen=True)
class Unit:
    """What acts as one on liability: `score` (n_people,) from some alleles of a gene."""

    name: str
    alleles: tuple[Allele, ...]
    score: np.ndarray


@dataclass(frozen=True)
class Truth:
    """The planted cause: per unit its effects, in standard deviations of liability a score step."""

    units: tuple[Unit, ...]
    scz_effects: np.ndarray
    bp_effects: np.ndarray

    @property
    def n_causal(self) -> int:
        """Return the number of causal alleles, each counted once."""
        return sum(len(unit.alleles) for unit in self.units)


def choose_genes(genes: tuple[Gene, ...], settings: SimulationSettings) -> list[Gene]:
    """Return the autosomal genes in the order in which they are tried as causal."""
    rng = generator(settings.seed, Stream.EFFECTS)
    autosomal = [gene for gene in genes if gene.is_autosomal]
    return [autosomal[k] for k in rng.permutation(len(autosomal))]


def n_causal_genes(settings: SimulationSettings) -> int:
    """Return how many genes cause disease, at least one."""
    interacts = settings.architecture != "additive"
    fraction = settings.causal_fraction * (_INTERACTION_GENE_FRACTION if interacts else 1.0)
    return max(1, round(settings.genes * fraction))


def least_frequency(architecture: Architecture) -> float:
    """Return the smallest minor allele frequency of a causal variant."""
    return _LEAST_FREQUENCY[architecture]


def plant(alleles: list[Allele], genes: list[Gene], settings: SimulationSettings) -> Truth:
    """Return the units of the first of `genes` that have enough variants, with their effects.

    `alleles` are the candidates. Effects on BP correlate with those on SCZ as the settings say.
    Raises `SettingsError` when no gene has what the architecture needs.
    """
    by_gene: dict[str, list[Allele]] = {}
    floor = least_frequency(settings.architecture)
    for allele in alleles:
        if allele.minor_frequency > floor:
            by_gene.setdefault(allele.gene.name, []).append(allele)
    rng = generator(settings.seed, Stream.EFFECTS, 1)
    units: list[Unit] = []
    n_planted = 0
    for gene in genes:
        found = _units(by_gene.get(gene.name, []), settings.architecture, rng)
        units += found
        n_planted += bool(found)
        if n_planted == n_causal_genes(settings):
            break
    if not units:
        raise SettingsError(
            f"The {settings.architecture} architecture needs common variants within a gene, but "
            f"none of {settings.genes} simulated genes has them; ask for more genes."
        )
    own = _draw_effects(units, settings.architecture, rng)
    other = _draw_effects(units, settings.architecture, rng)
    r = settings.bp_correlation
    return Truth(tuple(units), own, r * own + np.sqrt(1 - r * r) * other)


def _units(
    alleles: list[Allele], architecture: Architecture, rng: np.random.Generator
) -> list[Unit]:
    """Return the units of one gene, none when it has too few fitting variants."""
    if len(alleles) < _FEWEST_VARIANTS[architecture]:
        return []
    most = _MOST_VARIANTS[architecture] or max(1, round(_CAUSAL_VARIANT_FRACTION * len(alleles)))
    picks = sorted(rng.permutation(len(alleles))[:most].tolist())
    chosen = [alleles[k] for k in picks]
    name = chosen[0].gene.name
    if architecture == "additive":
        units = [Unit(f"{name}_{a.pos}_{a.alt}", (a,), a.dosage) for a in chosen]
    elif architecture == "recessive":
        units = [Unit(f"{name}_{a.pos}_{a.alt}", (a,), a.minor_dosage == 2) for a in chosen]
    elif architecture == "compound":
        hits = sum(a.minor_dosage.astype(int) for a in chosen)
        units = [Unit(name, tuple(chosen), hits >= 2)]
    else:
        units = [
            Unit(f"{name}_{first.pos}_{second.pos}", (first, second), _carriers_xor(first, second))
            for first, second in zip(chosen[0::2], chosen[1::2], strict=False)
            if _correlation(first, second) < _LARGEST_CORRELATION
        ]
    return [unit for unit in units if np.ptp(unit.score.astype(np.int8))]


def _carriers_xor(first: Allele, second: Allele) -> np.ndarray:
    return (first.minor_dosage > 0) ^ (second.minor_dosage > 0)


def _correlation(first: Allele, second: Allele) -> float:
    return abs(float(np.corrcoef(first.dosage, second.dosage)[0, 1]))


def _draw_effects(
    units: list[Unit], architecture: Architecture, rng: np.random.Generator
) -> np.ndarray:
    """Return the effect of a score step of each unit, up to the scale that `assign` gives it.

    Interactions all have about the same share of variance, so that none is the whole story.
    """
    if architecture == "additive":
        frequency = np.array([unit.alleles[0].frequency for unit in units])
        weight = (2 * frequency * (1 - frequency)) ** _FREQUENCY_POWER
        return rng.normal(size=len(units)) * weight
    spread = np.array([unit.score.std() for unit in units])
    return rng.choice([-1.0, 1.0], len(units)) * rng.uniform(0.7, 1.3, len(units)) / spread


def diagnose(truth: Truth, people: People, settings: SimulationSettings) -> tuple[Truth, list[str]]:
    """Return the truth with effects scaled to unit liability, and the diagnosis of each person.

    Liability is genetic value (centred within each population, scaled to the heritability) plus
    normal noise. In each population the same share is ill, those of highest liability, so ancestry
    does not confound; of the others, those of highest BP liability have BP.
    """
    rng = generator(settings.seed, Stream.LIABILITY)
    scores = np.column_stack([unit.score.astype(float) for unit in truth.units])
    scaled, liabilities = [], []
    for effects in (truth.scz_effects, truth.bp_effects):
        value = scores @ effects
        for k in range(len(POPULATIONS)):
            value[people.population == k] -= value[people.population == k].mean()
        scale = np.sqrt(settings.heritability) / value.std()
        noise = rng.normal(size=len(people)) * np.sqrt(1 - settings.heritability)
        liabilities.append(value * scale + noise)
        scaled.append(effects * scale)
    diagnosis = _threshold(liabilities[0], liabilities[1], people, settings)
    if settings.null:
        diagnosis = generator(settings.seed, Stream.SHUFFLE).permutation(diagnosis)
    return Truth(truth.units, *scaled), diagnosis.tolist()


def _threshold(
    scz: np.ndarray, bp: np.ndarray, people: People, settings: SimulationSettings
) -> np.ndarray:
    """Return diagnoses (n_people,) from the two liabilities."""
    diagnosis = np.full(len(people), CONTROL, dtype=object)
    for k in range(len(POPULATIONS)):
        members = np.flatnonzero(people.population == k)
        n_scz = round(settings.scz_fraction * len(members))
        n_bp = round(settings.bp_fraction * len(members))
        ranked = members[np.argsort(-scz[members], kind="stable")]
        ill, others = ranked[:n_scz], ranked[n_scz:]
        diagnosis[ill] = SCZ
        diagnosis[others[np.argsort(-bp[others], kind="stable")][:n_bp]] = BP
    return diagnosis


def phenotype_lines(people: People, diagnosis: list[str]) -> Iterator[bytes]:
    """Yield the phenotype table: sex as M / F, age in years."""
    yield b"sample_id\tdiagnosis\tsex\tpopulation\tage\n"
    for i, sample_id in enumerate(people.ids):
        sex = "M" if people.is_male[i] else "F"
        population = POPULATIONS[people.population[i]]
        row = [sample_id, diagnosis[i], sex, population, str(people.age[i])]
        yield "\t".join(row).encode() + b"\n"


def truth_lines(truth: Truth, architecture: Architecture) -> Iterator[bytes]:
    """Yield one row a causal allele; alleles of one unit share its effects.

    Additive effects are of one alternate allele, others of the unit's being present (recessive: two
    copies of the rarer allele; compound: two or more rarer alleles; epistatic: one carrier of two).
    """
    yield b"chrom\tpos\tref\talt\tgene\talt_frequency\tarchitecture\tunit\teffect\teffect_bp\n"
    rows = [
        (allele, unit.name, scz, bp)
        for unit, scz, bp in zip(truth.units, truth.scz_effects, truth.bp_effects, strict=True)
        for allele in unit.alleles
    ]
    for allele, unit, scz, bp in sorted(rows, key=lambda r: (r[0].gene.index, r[0].pos, r[0].alt)):
        where = [allele.gene.chrom, str(allele.pos), allele.ref, allele.alt, allele.gene.name]
        what = [f"{allele.frequency:.5g}", architecture, unit, f"{scz:.5g}", f"{bp:.5g}"]
        yield "\t".join([*where, *what]).encode() + b"\n"
