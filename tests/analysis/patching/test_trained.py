"""Trained models whose answers are known to take a certain way."""

from pathlib import Path

import pytest

from mitool.analysis.patching import patch
from mitool.models.pretrained import load_pretrained
from mitool.models.subject import load
from mitool.settings import PatchSettings
from mitool.tasks.min import Min
from mitool.training.conversion import convert

SHARED = Path(__file__).parents[4] / "shared/data"


@pytest.mark.skipif(not SHARED.exists(), reason="the real models are not here")
def test_on_a_real_model_the_information_moves_from_the_noun_to_the_end() -> None:
    subject = load_pretrained(SHARED / "stories260k")
    settings = PatchSettings(resamples=200)
    result = patch(subject, settings, pairs=SHARED / "pronoun_pairs.csv")
    assert result.claims["n_pairs"] == 160
    assert result.claims["clean_metric"] == pytest.approx(5.6607, abs=1e-3)
    assert result.claims["corrupted_metric"] == pytest.approx(-5.6607, abs=1e-3)
    names = [column.name for column in result.columns]
    assert names == ["before", "d+0", "d+1", "d+2", "middle", "end-1", "end"]
    stream = result.effects["resid_post"].effect.view(5, 7)
    assert stream[0, 1:4].sum() > 0.8  # the noun's three tokens
    assert stream[3, names.index("d+2")] > 0.7  # its last one, up to the last layer but one
    assert stream[3, names.index("end")] < 0.1
    assert stream[4, names.index("end")] == pytest.approx(1, abs=1e-5)
    assert result.claims["top_site"] == "attn_out.L4.end"
    assert result.claims["effects.z.L4H2"] == max(result.effects["z"].effect.tolist())


@pytest.mark.skipif(not SHARED.exists(), reason="the real models are not here")
def test_the_min_model_carries_the_value_of_the_operand_that_is_the_answer(tmp_path: Path) -> None:
    out = tmp_path / "min.safetensors"
    convert(SHARED / "peers/min_int_model.pt", Min()).save(out)
    result = patch(load(out), PatchSettings(by_position=True, resamples=200))
    effects = {name: found.effect for name, found in result.effects.items()}
    assert effects["v"].item() > 0.95
    assert effects["z"].item() == pytest.approx(1, abs=1e-4)
    assert effects["v_by_pos"][:2].sum().item() == pytest.approx(effects["v"].item(), abs=0.02)
    for name in ("q", "k", "pattern", "q_by_pos", "k_by_pos", "pattern_by_pos"):
        assert effects[name].abs().max() < 0.01, name
    assert effects["v_by_pos"][2] == effects["resid_pre"][2] == 0
