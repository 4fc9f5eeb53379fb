"""Loading: what is mended, what is refused, and what the operator is told."""

import json
import shutil

import pytest
from conftest import TINY_DA, load, read_wav, run_requests, segments_of, transcribe
from safetensors.torch import load_file, save_file

from whisper_worker.failures import FatalFailure


@pytest.fixture
def checkpoint(tmp_path):
    """A copy of the bundled model that a test may damage."""
    return shutil.copytree(TINY_DA, tmp_path / "checkpoint")


def edit_json(path, **changes):
    path.chmod(0o644)
    body = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**body, **changes}), encoding="utf-8")


def texts(model, spool, name="da"):
    path = spool / "recording.pcm"
    read_wav(name).tofile(path)
    messages = run_requests(model, spool, [transcribe(str(path), language="da")])
    return [segment.text for segment in segments_of(messages)]


def test_loading_says_what_it_does_and_the_model_says_what_it_is(tiny_da):
    said = []

    load(TINY_DA, send=said.append)

    assert [message.stage for message in said] == ["loading", "warming_up"]
    ready = tiny_da.describe()
    assert (ready.device, ready.compute_type, ready.vad) == ("cpu", "float32", "silero")
    assert ready.model.revision is None
    assert ready.model.directory == str(TINY_DA)
    assert ready.repairs == ()
    assert {"da", "en", "de"} <= set(ready.languages)
    assert {"device", "compute_type", "slots", "vad"} <= set(ready.reasons)


def test_a_checkpoint_without_generation_settings_says_the_same_after_repair(
    tiny_da, checkpoint, spool
):
    (checkpoint / "generation_config.json").unlink()

    repaired = load(checkpoint)

    assert "".join(texts(repaired, spool)) == "".join(texts(tiny_da, spool))
    assert any("generation_config.json: missing" in r for r in repaired.describe().repairs)


def test_inherited_settings_of_another_model_are_mended_and_named(tiny_da, checkpoint, spool):
    edit_json(
        checkpoint / "generation_config.json",
        alignment_heads=[[7, 0], [10, 17]],
        forced_decoder_ids=[[1, None], [2, 50360]],
        lang_to_id=None,
        no_timestamps_token_id=50364,
        num_beams=5,
    )

    repaired = load(checkpoint)

    named = {repair.split(":")[0] for repair in repaired.describe().repairs}
    assert named == {
        "alignment_heads",
        "forced_decoder_ids",
        "lang_to_id",
        "no_timestamps_token_id",
        "num_beams",
    }
    assert "".join(texts(repaired, spool)) == "".join(texts(tiny_da, spool))


def test_the_older_name_of_the_processor_s_settings_loads_as_well(checkpoint):
    path = checkpoint / "processor_config.json"
    settings = json.loads(path.read_text(encoding="utf-8"))["feature_extractor"]
    path.unlink()
    (checkpoint / "preprocessor_config.json").write_text(json.dumps(settings))

    load(checkpoint)


def test_an_english_only_checkpoint_is_steered_without_language_and_task(checkpoint, spool):
    edit_json(checkpoint / "generation_config.json", is_multilingual=False)

    model = load(checkpoint)

    ready = model.describe()
    assert (ready.languages, ready.is_multilingual, ready.can_translate) == (("en",), False, False)
    assert model.detect_language([object()]) == [{"en": 1.0}]
    path = spool / "recording.pcm"
    read_wav("en").tofile(path)
    (*_, done) = run_requests(model, spool, [transcribe(str(path))])
    assert (done.kind, done.language) == ("done", "en")


def test_half_the_precision_still_transcribes(spool):
    assert texts(load(TINY_DA, compute_type="bfloat16"), spool)


def damaged_kind(checkpoint):
    edit_json(checkpoint / "config.json", model_type="conformer")


def damaged_weights(checkpoint):
    (checkpoint / "model.safetensors").unlink()


def damaged_config(checkpoint):
    (checkpoint / "config.json").unlink()


def broken_config(checkpoint):
    (checkpoint / "config.json").chmod(0o644)
    (checkpoint / "config.json").write_text("{")


def damaged_tokenizer(checkpoint):
    (checkpoint / "tokenizer.json").unlink()


def damaged_front_end(checkpoint):
    settings = {"feature_size": 128, "sampling_rate": 8000}
    (checkpoint / "preprocessor_config.json").unlink(missing_ok=True)
    (checkpoint / "preprocessor_config.json").write_text(json.dumps(settings))


def lost_weight(checkpoint):
    path = checkpoint / "model.safetensors"
    weights = load_file(path)
    del weights["model.decoder.layers.0.fc1.weight"]
    path.unlink()
    save_file(weights, path, metadata={"format": "pt"})


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (damaged_kind, "conformer model.*model_type whisper"),
        (damaged_weights, "no complete weights"),
        (damaged_config, "holds no model"),
        (broken_config, "cannot be read"),
        (damaged_tokenizer, "tokenizer"),
        (damaged_front_end, "sampling_rate 8000"),
        (lost_weight, r"lacks 1 weights.*fc1"),
    ],
)
def test_what_cannot_be_mended_is_refused_in_one_line(checkpoint, damage, complaint):
    damage(checkpoint)

    with pytest.raises(FatalFailure, match=complaint) as caught:
        load(checkpoint)
    assert caught.value.code == "model_unsupported"
    assert "\n" not in caught.value.message
