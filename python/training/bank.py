"""The spoken sentences that windows are made of: made once, kept in the work directory."""

import pickle
import random
from pathlib import Path

from grammar import is_held_out, sentence, sentences
from synthesis import HELD_OUT_SETTING, Utterance, VoiceSetting, draw_setting, speak_all

_TRAINED_UTTERANCES = {"da": 30_000, "en": 3_000, "de": 3_000}
_HELD_OUT_UTTERANCES = {"da": 600, "en": 80, "de": 80}


def load_training_bank(work_directory: Path, seed: int) -> dict[str, list[Utterance]]:
    """Training sentences in trained voice settings, by language."""
    path = work_directory / "bank.pickle"
    if path.exists():
        return pickle.loads(path.read_bytes())
    rng = random.Random(f"bank/{seed}")
    bank = {
        language: speak_all([_draw_request(language, rng) for _ in range(count)])
        for language, count in _TRAINED_UTTERANCES.items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(bank, pickle.HIGHEST_PROTOCOL))
    return bank


def held_out_bank(seed: int) -> dict[str, list[Utterance]]:
    """Sentences never trained on, in the voice setting never trained on, by language."""
    bank = {}
    for language, count in _HELD_OUT_UTTERANCES.items():
        texts = sentences(language, random.Random(f"held out/{seed}/{language}"), held_out=True)
        requests = [(language, next(texts), HELD_OUT_SETTING) for _ in range(count)]
        bank[language] = speak_all(requests)
    return bank


def _draw_request(language: str, rng: random.Random) -> tuple[str, str, VoiceSetting]:
    while is_held_out(text := sentence(language, rng)):
        pass
    return language, text, draw_setting(rng)
