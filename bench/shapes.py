"""Random weights in the shape of OpenAI's models, as a Hugging Face directory that all can load.

What a model says costs the same whatever its weights are. The rows of all special tokens are zero
in the (tied) embedding: their logit is 0, the greatest of 50,000 random ones never is, so nobody's
decoder ends a text by itself and nobody writes a timestamp. Lengths come from the script alone.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.places import CACHE

TEXT_TOKENS = 50257  # as many as in OpenAI's multilingual vocabulary, then <|endoftext|>
TIMESTAMPS = 1501
_FORMAT = 3  # of the directory; counts up when it has to be made again


@dataclass(frozen=True)
class Shape:
    """What decides the cost of a Whisper."""

    name: str
    width: int
    layers: int
    heads: int
    mel_bins: int
    languages: int
    vocabulary: int


SMALL = Shape("small-shape", 768, 12, 12, 80, 99, 51865)
LARGE = Shape("large-shape", 1280, 32, 20, 128, 100, 51866)


def random_model(shape: Shape) -> Path:
    """The directory of that shape; made once."""
    directory = CACHE / "models" / shape.name
    stamp = directory / "made.json"
    if stamp.is_file() and json.loads(stamp.read_text()) == {"format": _FORMAT}:
        return directory
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    print(f"   making random weights in the shape of {shape.name}", flush=True)
    _write(shape, directory)
    stamp.write_text(json.dumps({"format": _FORMAT}))
    return directory


def _write(shape: Shape, directory: Path) -> None:
    import torch
    from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration

    tokenizer = _tokenizer(shape)
    end = TEXT_TOKENS
    config = WhisperConfig(
        vocab_size=shape.vocabulary,
        num_mel_bins=shape.mel_bins,
        d_model=shape.width,
        encoder_layers=shape.layers,
        decoder_layers=shape.layers,
        encoder_attention_heads=shape.heads,
        decoder_attention_heads=shape.heads,
        encoder_ffn_dim=4 * shape.width,
        decoder_ffn_dim=4 * shape.width,
        bos_token_id=end,
        eos_token_id=end,
        pad_token_id=end,
        decoder_start_token_id=end + 1,
        suppress_tokens=None,
        begin_suppress_tokens=None,
    )
    torch.manual_seed(0)
    model: Any = WhisperForConditionalGeneration(config)  # libraries without complete types
    with torch.no_grad():
        model.model.decoder.embed_tokens.weight[end:] = 0.0
    model.generation_config = _generation_config(tokenizer, shape)
    # half the size on disk; everybody converts it to his own arithmetic when he loads it
    model.to(torch.float16).save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    extractor = WhisperFeatureExtractor(feature_size=shape.mel_bins)
    extractor.save_pretrained(directory)
    _write_whisper_cpp_vocabulary(tokenizer, directory)


def _tokenizer(shape: Shape) -> Any:
    """Byte symbols, words that no text spells, then Whisper's special tokens in their order."""
    from tokenizers import AddedToken, pre_tokenizers
    from transformers import WhisperTokenizer

    symbols = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {symbol: index for index, symbol in enumerate(symbols)}
    for index in range(len(symbols), TEXT_TOKENS):
        vocabulary[f"Ġ{_word(index)}"] = index
    vocabulary["<|endoftext|>"] = TEXT_TOKENS
    tokenizer: Any = WhisperTokenizer(vocab=vocabulary, merges=[])
    tokenizer.add_special_tokens({"additional_special_tokens": list(_specials(shape))})
    tokenizer.add_tokens(
        [
            AddedToken(f"<|{index * 0.02:.2f}|>", special=False, normalized=False)
            for index in range(TIMESTAMPS)
        ]
    )
    if len(tokenizer) != shape.vocabulary:
        raise ValueError(f"{len(tokenizer)} tokens instead of {shape.vocabulary}")
    return tokenizer


def _word(index: int) -> str:
    """A different one for each number: 4 letters, pronounceable enough for a table."""
    consonants, vowels = "bdfghjklmnprstvw", "aeiouyæøå"
    letters = ""
    for place in range(4):
        alphabet = vowels if place % 2 else consonants
        index, letter = divmod(index, len(alphabet))
        letters += alphabet[letter]
    return letters if index == 0 else letters + consonants[index]


def _specials(shape: Shape) -> tuple[str, ...]:
    from transformers.models.whisper.tokenization_whisper import LANGUAGES

    return (
        "<|startoftranscript|>",
        *(f"<|{code}|>" for code in list(LANGUAGES)[: shape.languages]),
        "<|translate|>",
        "<|transcribe|>",
        "<|startoflm|>",
        "<|startofprev|>",
        "<|nospeech|>",
        "<|notimestamps|>",
    )


def _generation_config(tokenizer: Any, shape: Shape) -> Any:
    from transformers import GenerationConfig
    from transformers.models.whisper.tokenization_whisper import LANGUAGES

    def token_id(token: str) -> int:
        return tokenizer.convert_tokens_to_ids(token)

    config: Any = GenerationConfig(
        bos_token_id=TEXT_TOKENS,
        eos_token_id=TEXT_TOKENS,
        pad_token_id=TEXT_TOKENS,
        decoder_start_token_id=TEXT_TOKENS + 1,
        max_length=448,
        suppress_tokens=[token_id(token) for token in ("<|startofprev|>", "<|nospeech|>")],
        return_timestamps=False,
    )
    config.is_multilingual = True
    config.lang_to_id = {
        f"<|{code}|>": token_id(f"<|{code}|>") for code in list(LANGUAGES)[: shape.languages]
    }
    config.task_to_id = {name: token_id(f"<|{name}|>") for name in ("transcribe", "translate")}
    config.no_timestamps_token_id = token_id("<|notimestamps|>")
    config.prev_sot_token_id = token_id("<|startofprev|>")
    config.max_initial_timestamp_index = 50
    config.alignment_heads = [[shape.layers - 1, 0], [shape.layers - 1, 1]]
    return config


def _write_whisper_cpp_vocabulary(tokenizer: Any, directory: Path) -> None:
    """Two files of older transformers that whisper.cpp's own conversion reads."""
    words = {word: id_ for word, id_ in tokenizer.get_vocab().items() if id_ < TEXT_TOKENS}
    added = {word: id_ for word, id_ in tokenizer.get_vocab().items() if id_ >= TEXT_TOKENS}
    directory.joinpath("vocab.json").write_text(json.dumps(words, ensure_ascii=False))
    directory.joinpath("added_tokens.json").write_text(json.dumps(added, ensure_ascii=False))
