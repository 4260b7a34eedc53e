"""What the paper says, statement by statement, and whether it holds here."""

from __future__ import annotations

from collections.abc import Sequence

from lenet1998.evidence import facts
from lenet1998.report.sections import Claim, Section, Table

_NOT_YET = "not yet"


def claims_section(sections: Sequence[Section], *, whole: bool) -> Section:
    """The claims that sections of the report judge; of the whole report, all that there are."""
    judged: dict[int, list[Claim]] = {}
    for claim in (claim for section in sections for claim in section.claims):
        judged.setdefault(claim.number, []).append(claim)
    rows = [
        (str(number), f"{says.says} ({says.section})", *_verdict(judged.get(number, ())))
        for number, says in facts.claims().items()
        if whole or number in judged
    ]
    text = (
        "Each statement of the paper that a measurement can judge, restated in its own strength. "
        "What is estimated there is no claim of a measurement, and what may be no claim that it is."
    )
    header = ("", "the paper says", "measured", "holds?")
    return Section("What the paper says, statement by statement", [text], [Table("", header, rows)])


def _verdict(claims: Sequence[Claim]) -> tuple[str, str]:
    """What was measured, by all sections that judge a claim, and whether it holds."""
    if not claims:
        return "–", _NOT_YET
    measured = "; ".join(claim.measured for claim in claims)
    if len(claims) == 1:
        return measured, claims[0].holds
    verdicts = {claim.holds.partition(",")[0] for claim in claims}  # without what one is of
    # What does not contradict it takes nothing from what else is said.
    judged = verdicts - {"not contradicted"} or verdicts
    return measured, judged.pop() if len(judged) == 1 else "in part"
