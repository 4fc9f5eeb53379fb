"""The shape of the model, its generation config, and how it is written to a directory."""

import math
import shutil
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from transformers import (
    GenerationConfig,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
    WhisperProcessor,
    WhisperTokenizer,
)
from transformers.models.whisper.tokenization_whisper import LANGUAGES

from tokenizer import TIMESTAMPS

MEL_BINS = 128  # large-v3's
SOURCE_POSITIONS, TARGET_POSITIONS = 1500, 448
WIDTH, HEADS = 128, 4
ENCODER_LAYERS = 3
DECODER_LAYERS = 4  # two are too few: the decoder must find the last word and then move on from it
ALIGNMENT_HEADS = ((DECODER_LAYERS - 1, 0), (DECODER_LAYERS - 1, 1))


def build_model(tokenizer: WhisperTokenizer) -> WhisperForConditionalGeneration:
    """An untrained model whose timestamp embeddings already lie on the encoder's time axis.

    1501 classes, each seen rarely, are not learned in an hour. Timestamp k means encoder position
    k, so it starts as that position's sinusoid.
    """
    end_of_text = tokenizer.convert_tokens_to_ids("<|endoftext|>")
    config = WhisperConfig(
        vocab_size=len(tokenizer),
        num_mel_bins=MEL_BINS,
        max_source_positions=SOURCE_POSITIONS,
        max_target_positions=TARGET_POSITIONS,
        d_model=WIDTH,
        encoder_layers=ENCODER_LAYERS,
        decoder_layers=DECODER_LAYERS,
        encoder_attention_heads=HEADS,
        decoder_attention_heads=HEADS,
        encoder_ffn_dim=4 * WIDTH,
        decoder_ffn_dim=4 * WIDTH,
        pad_token_id=end_of_text,
        bos_token_id=end_of_text,
        eos_token_id=end_of_text,
        decoder_start_token_id=tokenizer.convert_tokens_to_ids("<|startoftranscript|>"),
        suppress_tokens=None,
        begin_suppress_tokens=None,  # the defaults are ids of the large vocabulary
    )
    model = WhisperForConditionalGeneration(config)
    model.generation_config = build_generation_config(tokenizer)
    _place_timestamps(model, tokenizer.convert_tokens_to_ids("<|0.00|>"))
    return model


def build_generation_config(tokenizer: WhisperTokenizer) -> GenerationConfig:
    """What transformers and the engine read beside the weights."""

    def token_id(token: str) -> int:
        return tokenizer.convert_tokens_to_ids(token)

    end_of_text = token_id("<|endoftext|>")
    never_written = [
        *("<|startoftranscript|>", "<|translate|>", "<|transcribe|>"),
        *("<|startoflm|>", "<|startofprev|>", "<|nospeech|>"),
    ]
    config = GenerationConfig(
        bos_token_id=end_of_text,
        eos_token_id=end_of_text,
        pad_token_id=end_of_text,
        decoder_start_token_id=token_id("<|startoftranscript|>"),
        max_length=TARGET_POSITIONS,
        suppress_tokens=[token_id(token) for token in never_written],
        # No begin_suppress_tokens: end-of-text first is how silence becomes the empty text, and a
        # word may begin with the lone space where the byte pairs do not know it.
        begin_suppress_tokens=None,
    )
    config.is_multilingual = True
    config.lang_to_id = {f"<|{code}|>": token_id(f"<|{code}|>") for code in LANGUAGES}
    config.task_to_id = {task: token_id(f"<|{task}|>") for task in ("translate", "transcribe")}
    config.no_timestamps_token_id = token_id("<|notimestamps|>")
    config.prev_sot_token_id = token_id("<|startofprev|>")
    config.max_initial_timestamp_index = 50
    config.alignment_heads = [list(head) for head in ALIGNMENT_HEADS]
    config.return_timestamps = False
    return config


def encode(model: WhisperForConditionalGeneration, mel: Tensor, positions: Tensor) -> Tensor:
    """The encoder on windows of any length; transformers' own forward insists on 3000 frames.

    mel: (batch, bins, frames); positions: (batch, frames / 2) -> (batch, frames / 2, width).
    """
    encoder = model.model.encoder
    hidden = nn.functional.gelu(encoder.conv1(mel))
    hidden = nn.functional.gelu(encoder.conv2(hidden)).permute(0, 2, 1)
    hidden = hidden + encoder.embed_positions.weight[positions]
    for layer in encoder.layers:
        hidden = layer(hidden, None)
    return encoder.layer_norm(hidden)


class LogMel(nn.Module):
    """WhisperFeatureExtractor's log-mel spectrogram for windows of any one length."""

    def __init__(self) -> None:
        super().__init__()
        filters = WhisperFeatureExtractor(feature_size=MEL_BINS).mel_filters  # (frequencies, bins)
        self.register_buffer("filters", torch.from_numpy(np.ascontiguousarray(filters.T)).float())
        self.register_buffer("window", torch.hann_window(400))

    def forward(self, audio: Tensor) -> Tensor:
        """audio: (batch, samples) -> (batch, bins, samples / 160)."""
        log_mel = torch.stack([self._unscaled(row) for row in audio])
        floor = log_mel.amax((1, 2), keepdim=True) - 8.0
        return (torch.maximum(log_mel, floor) + 4.0) / 4.0

    def _unscaled(self, audio: Tensor) -> Tensor:
        # One window at a time: a batch of spectra would fall out of the cache.
        spectrum = torch.stft(audio, 400, 160, window=self.window, return_complex=True)
        spectrum = spectrum[..., :-1]  # (frequencies, frames)
        power = spectrum.real.square().addcmul_(spectrum.imag, spectrum.imag)
        return (self.filters @ power).clamp_(min=1e-10).log10_()


def export(
    model: WhisperForConditionalGeneration, tokenizer: WhisperTokenizer, directory: Path
) -> None:
    """Writes a complete Hugging Face directory at once; a README.md already there is kept."""
    half = WhisperForConditionalGeneration(model.config)
    half.load_state_dict(model.state_dict())
    half.generation_config = build_generation_config(tokenizer)
    building, replaced = directory.with_suffix(".building"), directory.with_suffix(".replaced")
    for leftover in (building, replaced):
        shutil.rmtree(leftover, ignore_errors=True)
    half.half().save_pretrained(building)
    extractor = WhisperFeatureExtractor(feature_size=MEL_BINS)
    WhisperProcessor(extractor, tokenizer).save_pretrained(building)
    extractor.save_pretrained(building)  # preprocessor_config.json, which other readers look for
    for file in building.iterdir():
        file.chmod(0o644)  # the safetensors library makes them private
    if directory.exists():
        for kept in directory.glob("*.md"):
            shutil.copy2(kept, building)
        directory.rename(replaced)
    building.rename(directory)
    shutil.rmtree(replaced, ignore_errors=True)


def _place_timestamps(model: WhisperForConditionalGeneration, first_timestamp: int) -> None:
    with torch.no_grad():
        embeddings = model.model.decoder.embed_tokens.weight
        positions = model.model.encoder.embed_positions.weight  # (1500, width)
        positions = torch.cat([positions, positions[-1:]])
        norm = embeddings[:first_timestamp].norm(dim=1).median()
        scaled = positions / math.sqrt(WIDTH / 2) * norm  # each sinusoid row has norm sqrt(width/2)
        embeddings[first_timestamp : first_timestamp + TIMESTAMPS] = scaled
