"""Which files of a repository are fetched."""

import pytest

from whisper_worker.hub_files import needed

SETTINGS = {"config.json", "generation_config.json", "tokenizer.json", "vocab.json", "merges.txt"}


@pytest.mark.parametrize(
    ("weights", "taken"),
    [
        ({"model.safetensors", "pytorch_model.bin", "tf_model.h5"}, {"model.safetensors"}),
        ({"model.fp32.safetensors", "model.safetensors"}, {"model.safetensors"}),
        (
            {
                "model.safetensors",
                "model.safetensors.index.fp32.json",
                "model.fp32-00001-of-00002.safetensors",
                "model.fp32-00002-of-00002.safetensors",
            },
            {"model.safetensors"},
        ),
        (
            {"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"}
            | {"model.safetensors.index.json", "pytorch_model.bin"},
            {"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"}
            | {"model.safetensors.index.json"},
        ),
        ({"pytorch_model.bin", "pytorch_model.bin.index.json"}, {"pytorch_model.bin"}),
        ({"model.bin", "ggml-model.bin", "model.onnx"}, set()),
    ],
)
def test_one_set_of_weights_is_taken_the_one_that_transformers_takes(weights, taken):
    assert needed(SETTINGS | weights) == SETTINGS | taken


def test_the_card_and_the_licence_come_along_and_what_training_left_does_not():
    left = {"trainer_state.json", "all_results.json", "optimizer.pt", "checkpoint-1/config.json"}

    assert needed({"README.md", "LICENSE", "LICENSE.txt", *left}) == {
        "README.md",
        "LICENSE",
        "LICENSE.txt",
    }
