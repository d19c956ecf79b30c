"""A report from beginning to end: what comes after what, and what is left out where there is nothing to say."""

from collections.abc import Sequence

from evalbus.reporting.distributions import distributions
from evalbus.reporting.findings import data, errors, findings
from evalbus.reporting.heading import facts, notice, summary
from evalbus.reporting.lines import directions_in, score_lines
from evalbus.reporting.material import Material
from evalbus.reporting.parts import Part, Report, Section, figures
from evalbus.reporting.provenance import provenance
from evalbus.reporting.scores import partial_scores, scores
from evalbus.reporting.slices import agreement, by_slice
from evalbus.reporting.usage import judging_table, usage_table


def report_of(material: Material) -> Report:
    explanations = material.explanations
    directions = directions_in(explanations)
    lines = score_lines(material.result.results if material.result else (), directions)
    parts: dict[str, Sequence[Part]] = {
        "Summary": [*summary(material, lines), *facts(material)],
        "Scores": scores(lines) if lines or not explanations else partial_scores(explanations),
        "Distributions": distributions(lines),
        "Slices": by_slice(material.slices, directions),
        "Agreement": agreement(material.slices, directions),
        "What stands out": findings(explanations) if explanations else [],
        "Errors": errors(explanations) if explanations else [],
        "The data": data(explanations) if explanations else [],
        "What it took": [
            *figures("Calls to live models", usage_table(material.usage)),
            *figures("Calls of judges and other live metrics", judging_table(material.usage)),
        ],
        "What was run": provenance(material),
    }
    return Report(
        title=material.name,
        notice=notice(material),
        sections=tuple(Section(title=title, parts=tuple(of)) for title, of in parts.items() if of),
    )
