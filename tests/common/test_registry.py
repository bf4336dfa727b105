"""Every register of the package is filled in one way: by name, each name once."""

from typing import Any, Dict

import pytest

from s2sft_fairseq.common.registry import registrar
from s2sft_fairseq.metrics import METRICS, register_metric
from s2sft_fairseq.objectives.finetuning import OBJECTIVES, register_objective
from s2sft_fairseq.objectives.pretraining import PRETRAINING, register_pretraining
from s2sft_fairseq.pretrained.families import FAMILIES, register_family

REGISTERS = {
    "objective": (OBJECTIVES, register_objective),
    "pre-training objective": (PRETRAINING, register_pretraining),
    "metric": (METRICS, register_metric),
    "family": (FAMILIES, lambda name: register_family),
}


def test_what_is_registered_stays_what_it_is() -> None:
    register: Dict[str, Any] = {}
    named = registrar(register, "thing")
    assert named("one")(int) is int
    assert register == {"one": int}


@pytest.mark.parametrize("kind", REGISTERS)
def test_a_name_is_taken_once(kind: str) -> None:
    register, named = REGISTERS[kind]
    before = dict(register)
    name, registered = next(iter(before.items()))
    with pytest.raises(AssertionError, match=f"two .* are named {name}"):
        named(name)(registered)
    assert register == before


def test_families_are_registered_under_their_own_names() -> None:
    assert all(family.name == name for name, family in FAMILIES.items())
    assert {"bert", "roberta", "xlm-roberta", "electra", "ernie", "ernie-gen", "unilm", "unilmv2"} <= set(FAMILIES)
