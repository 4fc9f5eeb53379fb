"""From a checkpoint on disk to a WhisperModel that has already spoken once."""

# pyright: basic
from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import transformers
from transformers import (
    GenerationConfig,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
    WhisperTokenizer,
)

from whisper_worker.allocator import keep_freed_memory
from whisper_worker.audio import SAMPLE_RATE
from whisper_worker.checkpoint import Checkpoint
from whisper_worker.cross_attention import use_products
from whisper_worker.detector import choose_detector
from whisper_worker.device import Placement, choose_placement
from whisper_worker.failures import FatalFailure, OutOfMemory
from whisper_worker.linears import pack_linears
from whisper_worker.mel import HOP_SAMPLES, N_FFT, LogMel
from whisper_worker.model import WhisperModel
from whisper_worker.protocol import Loading, ModelIdentity
from whisper_worker.repair import GenerationFacts, Shape, settle
from whisper_worker.self_check import pack_and_check, synthetic_windows
from whisper_worker.speech_model import DecodeRow, Ended
from whisper_worker.vad import Region, Window
from whisper_worker.vocabulary import decoder_prefix

Send = Callable[[Loading], None]

# Whisper tiny has 39 million, the bundled tiny-da 2 million.
_SMALL_MODEL_PARAMETERS = 10_000_000
_SELF_CHECK_WINDOWS = 2


@dataclass(frozen=True)
class Wanted:
    """What the operator asks for; None and `auto` leave it to the machine."""

    device: str = "auto"
    compute_type: str = "auto"
    slots: int | None = None
    compiles: bool = False
    has_graphs: bool = True
    # The setting that a CPU is no answer to.
    gpu_asked_by: str | None = None


def load_model(checkpoint: Checkpoint, wanted: Wanted, send: Send) -> WhisperModel:
    """Everything up to `ready`; raises FatalFailure with a line for the operator."""
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    keep_freed_memory()
    placement = choose_placement(
        wanted.device, wanted.compute_type, wanted.slots, wanted.gpu_asked_by
    )
    placement = placement.for_model(_count_parameters(checkpoint))
    send(Loading("loading", "reading the weights", None))
    if placement.compute_type == "float32":
        torch.backends.cudnn.allow_tf32 = False  # else a GPU's convolutions are not float32's
    network = _load_network(checkpoint, placement)
    _set_threads(network, placement)
    tokenizer = _load_tokenizer(checkpoint)
    facts = _settle(checkpoint, network, tokenizer)
    log_mel = _front_end(checkpoint, network, placement)
    _pack(network, facts, log_mel, placement)
    if placement.device.type == "cpu":
        use_products(network, lowers=placement.lowers_attention)
    try:
        loaded = WhisperModel(
            network=network,
            tokenizer=tokenizer,
            log_mel=log_mel,
            facts=facts,
            placement=placement,
            identity=ModelIdentity(
                checkpoint.model, checkpoint.revision, str(checkpoint.directory)
            ),
            detector=choose_detector(),
            has_graphs=wanted.has_graphs,
            compiles=wanted.compiles,
        )
    except RuntimeError as error:  # torch's own for CUDA is one of these
        message = f"No memory for {placement.slots} slots; lower SLOTS. {_first_line(error)}"
        raise FatalFailure("device_failed", message) from error
    detail = "first inference, compiling" if wanted.compiles else "first inference"
    send(Loading("warming_up", detail, None))
    _warm_up(loaded)
    return loaded


def _count_parameters(checkpoint: Checkpoint) -> int:
    """From the shapes alone: nothing is read or allocated."""
    with torch.device("meta"):
        config = WhisperConfig.from_pretrained(checkpoint.directory, local_files_only=True)
        return sum(p.numel() for p in WhisperForConditionalGeneration(config).parameters())


def _pack(
    network: WhisperForConditionalGeneration,
    facts: GenerationFacts,
    log_mel: LogMel,
    placement: Placement,
) -> None:
    """Exchange the linear layers for faster ones; 8 bits have to show what they can."""

    def pack() -> str:
        return pack_linears(network, placement.compute_type, placement.device)

    if placement.compute_type not in ("int8", "float8"):
        placement.reasons["linears"] = pack()
        return
    language = (
        "da" if "da" in facts.vocabulary.language_codes else facts.vocabulary.language_codes[0]
    )
    prefix = decoder_prefix(facts.vocabulary, language, "transcribe", ())
    features = log_mel(synthetic_windows(_SELF_CHECK_WINDOWS))
    verdict = pack_and_check(network, facts, features, prefix, pack)
    placement.reasons["linears"] = verdict.reason


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
        model.start([DecodeRow(encoded, window, language, "transcribe", (), (0.0,), True)])
        while not any(isinstance(event, Ended) for event in model.step()):
            pass
        model.rehearse()
    except OutOfMemory as error:
        raise FatalFailure("device_failed", f"No memory for a first inference: {error}") from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
