"""The case, named: in Pan & Yang's words, in Zhuang's, and where the two do not say the same.

Pan & Yang, *A Survey on Transfer Learning*, IEEE TKDE 2010, ask whether the *tasks* are the same: inductive where they
differ and the target has labels, transductive where the tasks are the same, the domains differ and only the source has
labels, unsupervised where neither has. Zhuang et al., *A Comprehensive Survey on Transfer Learning*, Proceedings of
the IEEE 2021, ask where the *labels* are: transductive where only the source has some, inductive where the target
has, unsupervised where neither has; and whether the spaces are the same: homogeneous where 𝒳 and 𝒴 both are.
"""

from __future__ import annotations

from dataclasses import dataclass

from headstart.advice.situation import SHIFT_OF_X, Situation, assumed, shifts


@dataclass(frozen=True)
class Case:
    """The name of a situation.

    Attributes
    ----------
    pan_yang : ``inductive``, ``transductive``, ``unsupervised``, ``traditional`` (nothing to transfer across), or
        ``none`` where their table has no cell.
    zhuang : ``inductive``, ``transductive`` or ``unsupervised``.
    space : ``homogeneous``, ``heterogeneous`` or ``unknown``.
    shifts : names of what differs.
    sentence : all of it in words.
    disagreement : where the two taxonomies part here; empty where they do not.
    """

    pan_yang: str
    zhuang: str
    space: str
    shifts: tuple[str, ...]
    sentence: str
    disagreement: str


def name_case(found: Situation) -> Case:
    """Name a situation in both taxonomies.

    Examples
    --------
    >>> seen = dict(feature_space="same", marginal="different", given_class="unknown", prior="same", shared=0)
    >>> rest = dict(conditional="unknown", label_space="unknown", source_labels=True, target_labels=False, overlap=True)
    >>> case = name_case(Situation(**seen, **rest))
    >>> case.pan_yang, case.zhuang, case.space, case.shifts
    ('transductive', 'transductive', 'unknown', ('shift of P(X)',))
    >>> case.sentence
    'Shift of P(X) (covariate shift, if P(Y|X) is the same): transductive transfer.'
    """
    pan, zhuang, space = _pan_yang(found), _zhuang(found), _space(found)
    named = shifts(found)
    return Case(
        pan, zhuang, space, named, _sentence(found, pan, zhuang, space, named), _disagreement(found, pan, zhuang)
    )


def _zhuang(found: Situation) -> str:
    if found.target_labels:
        return "inductive"
    return "transductive" if found.source_labels else "unsupervised"


def _pan_yang(found: Situation) -> str:
    if not found.target_labels:
        return "transductive" if found.source_labels else "unsupervised"
    if not found.source_labels or _tasks_differ(found):
        return "inductive"
    return "traditional" if _domains_same(found) else "none"


def _tasks_differ(found: Situation) -> bool:
    return found.label_space not in ("same", "unknown") or found.conditional == "different"


def _domains_same(found: Situation) -> bool:
    return found.feature_space == "same" and found.marginal == "same"


def _space(found: Situation) -> str:
    if found.feature_space == "different" or found.label_space not in ("same", "unknown"):
        return "heterogeneous"
    return "homogeneous" if found.label_space == "same" else "unknown"


def _sentence(found: Situation, pan: str, zhuang: str, space: str, named: tuple[str, ...]) -> str:
    known = {
        "none": f"{zhuang} transfer (Zhuang et al.), for which Pan & Yang have no cell",
        "traditional": "one domain and one task: ordinary learning on both together, nothing to transfer across",
    }
    told = known.get(
        pan, f"{pan} transfer" if pan == zhuang else f"{pan} (Pan & Yang), {zhuang} (Zhuang et al.) transfer"
    )
    kind = f"{space} " if space != "unknown" and pan != "traditional" else ""
    if named:
        told_of = [f"{name} ({assumed(found)})" if name == SHIFT_OF_X and assumed(found) else name for name in named]
        what = " and ".join(filter(None, (", ".join(told_of[:-1]), told_of[-1])))
    elif "cannot tell" in (found.marginal, found.given_class, found.prior, found.conditional):
        what = "no shift is shown, nor that there is none"
    else:
        what = "no shift of the size that matters"
    return f"{what[:1].upper()}{what[1:]}: {kind}{told}."


def _disagreement(found: Situation, pan: str, zhuang: str) -> str:
    if pan == "traditional":
        return (
            "Zhuang et al. would still say inductive, since the target has labels; Pan & Yang call equal domains and "
            "tasks traditional machine learning."
        )
    if pan == "none":
        return (
            "Zhuang et al. say inductive, since the target has labels. Pan & Yang's inductive setting wants tasks that "
            "differ, their transductive one a target without labels: supervised domain adaptation is in neither."
        )
    if not found.target_labels and found.source_labels:
        return (
            "Both say transductive, on different grounds: Zhuang et al. because only the source has labels, Pan & Yang "
            "only if the tasks are the same, which nobody can know without a target label."
        )
    if not found.source_labels and not found.target_labels:
        return "Both say unsupervised; Pan & Yang ask that the tasks differ, too, which without labels is undefined."
    if not found.source_labels:
        return "Both say inductive; Pan & Yang call it self-taught learning, since the source has no labels."
    return "None here: the tasks differ and the target has labels, so both say inductive."
