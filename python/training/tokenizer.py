"""A Whisper tokenizer for a small vocabulary: byte-level BPE plus all of Whisper's special tokens.

The order of the special tokens is not a matter of taste: transformers computes the no-speech id as
`no_timestamps - 1` and the first timestamp as the id after the last special token.
"""

import json
import random

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import WhisperTokenizer
from transformers.models.whisper.tokenization_whisper import LANGUAGES

from grammar import sentence

BASE_VOCABULARY = 1280  # 256 byte symbols and merges: nearly every word becomes one token
TIMESTAMPS = 1501  # 0.00 s to 30.00 s in steps of 0.02 s
SECONDS_PER_TIMESTAMP = 0.02
SPECIAL_TOKENS = (
    "<|startoftranscript|>",
    *(f"<|{code}|>" for code in LANGUAGES),
    "<|translate|>",
    "<|transcribe|>",
    "<|startoflm|>",
    "<|startofprev|>",
    "<|nospeech|>",
    "<|notimestamps|>",
)
_CORPUS_SENTENCES = {"da": 12_000, "en": 5_000, "de": 5_000}


def build_tokenizer(seed: int) -> WhisperTokenizer:
    """Trains the byte pairs on sentences of the grammar and appends Whisper's special tokens."""
    vocabulary, merges = _train_byte_pairs(random.Random(seed))
    tokenizer = WhisperTokenizer(vocab=vocabulary, merges=merges)
    tokenizer.add_special_tokens({"additional_special_tokens": list(SPECIAL_TOKENS)})
    tokenizer.add_tokens(
        [
            AddedToken(f"<|{index * SECONDS_PER_TIMESTAMP:.2f}|>", special=False, normalized=False)
            for index in range(TIMESTAMPS)
        ]
    )
    return tokenizer


def _train_byte_pairs(rng: random.Random) -> tuple[dict[str, int], list[tuple[str, str]]]:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    corpus = [
        " " + sentence(language, rng)
        for language, count in _CORPUS_SENTENCES.items()
        for _ in range(count)
    ]
    trainer = trainers.BpeTrainer(
        vocab_size=BASE_VOCABULARY,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus, trainer)
    trained = json.loads(tokenizer.to_str())["model"]
    return trained["vocab"], [(left, right) for left, right in trained["merges"]]
