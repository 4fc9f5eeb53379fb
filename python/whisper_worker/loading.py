"""From a checkpoint on disk to a WhisperModel that has already spoken once."""

# pyright: basic
from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import transformers
from transformers import (
    GenerationConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
    WhisperTokenizer,
)

from whisper_worker.audio import SAMPLE_RATE
from whisper_worker.checkpoint import Checkpoint
from whisper_worker.detector import choose_detector
from whisper_worker.device import Placement, choose_placement
from whisper_worker.failures import FatalFailure, OutOfMemory
from whisper_worker.mel import HOP_SAMPLES, N_FFT, LogMel
from whisper_worker.model import WhisperModel
from whisper_worker.protocol import Loading, ModelIdentity
from whisper_worker.repair import GenerationFacts, Shape, settle
from whisper_worker.speech_model import DecodeRow
from whisper_worker.vad import Region, Window

Send = Callable[[Loading], None]

# Whisper tiny has 39 million, the bundled tiny-da 2 million.
_SMALL_MODEL_PARAMETERS = 10_000_000


def load_model(checkpoint: Checkpoint, device: str, compute_type: str, send: Send) -> WhisperModel:
    """Everything up to `ready`; raises FatalFailure with a line for the operator."""
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    placement = choose_placement(device, compute_type)
    send(Loading("loading", "reading the weights", None))
    network = _load_network(checkpoint, placement)
    _set_threads(network, placement)
    tokenizer = _load_tokenizer(checkpoint)
    loaded = WhisperModel(
        network=network,
        tokenizer=tokenizer,
        log_mel=_front_end(checkpoint, network, placement),
        facts=_settle(checkpoint, network, tokenizer),
        placement=placement,
        identity=ModelIdentity(checkpoint.model, checkpoint.revision, str(checkpoint.directory)),
        detector=choose_detector(),
    )
    send(Loading("warming_up", "first inference", None))
    _warm_up(loaded)
    return loaded


def _set_threads(network: WhisperForConditionalGeneration, placement: Placement) -> None:
    """Once, before any inference. More threads than the work can use cost dearly on a busy machine:
    they wait for each other by spinning (a small model took 40 times as long with two)."""
    parameters = sum(parameter.numel() for parameter in network.parameters())
    is_heavy = placement.device.type == "cpu" and parameters > _SMALL_MODEL_PARAMETERS
    if not is_heavy:
        torch.set_num_threads(1)
    elif "OMP_NUM_THREADS" not in os.environ and hasattr(os, "sched_getaffinity"):
        torch.set_num_threads(len(os.sched_getaffinity(0)))
    count = torch.get_num_threads()
    placement.reasons["threads"] = (
        f"{count}: the model runs on the CPU" if is_heavy else f"{count}: little work for the CPU"
    )


def _load_network(checkpoint: Checkpoint, placement: Placement) -> WhisperForConditionalGeneration:
    try:
        loaded: Any = WhisperForConditionalGeneration.from_pretrained(
            checkpoint.directory,
            dtype=placement.dtype,
            device_map={"": placement.device},
            attn_implementation="sdpa",
            local_files_only=True,
            output_loading_info=True,
        )
    except torch.OutOfMemoryError as error:
        message = f"{checkpoint.model} does not fit into the device."
        raise FatalFailure("device_failed", message) from error
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        message = f"{checkpoint.model} cannot be loaded: {error}"
        raise FatalFailure("model_unsupported", message) from error
    network, report = loaded
    # transformers fills what is missing with random numbers and only warns.
    missing = sorted(report["missing_keys"])
    if missing:
        raise FatalFailure(
            "model_unsupported",
            f"{checkpoint.model} lacks {len(missing)} weights, the first is {missing[0]}.",
        )
    return network.eval()


def _load_tokenizer(checkpoint: Checkpoint) -> WhisperTokenizer:
    try:
        return WhisperTokenizer.from_pretrained(checkpoint.directory, local_files_only=True)
    except Exception as error:
        message = f"{checkpoint.model} has no tokenizer that can be read: {error}"
        raise FatalFailure("model_unsupported", message) from error


def _settle(
    checkpoint: Checkpoint, network: WhisperForConditionalGeneration, tokenizer: WhisperTokenizer
) -> GenerationFacts:
    config = network.config
    shape = Shape(config.vocab_size, config.decoder_layers, config.decoder_attention_heads)
    settings = checkpoint.read_json("generation_config.json")
    facts = settle(settings, tokenizer.get_vocab(), shape)
    # Decoding is configured call by call; what the checkpoint brought must not fill the gaps.
    network.generation_config = GenerationConfig()
    return facts


def _front_end(
    checkpoint: Checkpoint, network: WhisperForConditionalGeneration, placement: Placement
) -> LogMel:
    """Every Whisper hears through the same front end; only the number of mel bins differs."""
    settings = checkpoint.read_json("preprocessor_config.json")
    if not settings:
        nested = checkpoint.read_json("processor_config.json").get("feature_extractor")
        settings = nested if isinstance(nested, dict) else {}
    expected = {"sampling_rate": SAMPLE_RATE, "n_fft": N_FFT, "hop_length": HOP_SAMPLES}
    for name, value in expected.items():
        if settings.get(name, value) != value:
            raise FatalFailure(
                "model_unsupported",
                f"The model wants {name} {settings[name]}; Whisper's front end has {value}.",
            )
    extractor = WhisperFeatureExtractor(feature_size=network.config.num_mel_bins)
    return LogMel(extractor.mel_filters, placement.device)


def _warm_up(model: WhisperModel) -> None:
    """One real inference: a model that cannot do this must not say ready."""
    noise = np.random.default_rng(0).normal(0, 0.01, SAMPLE_RATE).astype(np.float32)
    window = Window(0, 0, SAMPLE_RATE, (Region(0, SAMPLE_RATE // 10),))
    try:
        (encoded,) = model.encode([noise])
        (heard,) = model.detect_language([encoded])
        language = max(heard, key=heard.__getitem__)
        model.decode([DecodeRow(encoded, window, language, "transcribe", (), 0.0, 0, True)])
    except OutOfMemory as error:
        raise FatalFailure("device_failed", f"No memory for a first inference: {error}") from error
