"""A request becomes a recording, once the model could do what it asks. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from whisper_worker.audio import PcmFile
from whisper_worker.failures import WorkerFailure
from whisper_worker.protocol import DetectLanguage, Transcribe
from whisper_worker.recording import Recording
from whisper_worker.speech_model import SpeechModel


def open_recording(
    request: Transcribe | DetectLanguage, model: SpeechModel, spool: Path
) -> Recording:
    """Raises WorkerFailure when the recording or a language is not what was promised."""
    pcm = PcmFile(request.pcm_path, spool, request.pcm_samples, request.pcm_is_complete)
    prompt_tokens: tuple[int, ...] = ()
    if isinstance(request, Transcribe):
        _check_languages(_languages_of(request), model.languages)
        prompt_tokens = model.prompt_tokens(request.prompt or "", request.keywords)
    return Recording(request, pcm, model.listen(), model.spell, prompt_tokens)


def _languages_of(request: Transcribe) -> Sequence[str]:
    """Those that it may turn out to be; none when that is open."""
    return request.languages or () if request.language is None else (request.language,)


def _check_languages(wanted: Sequence[str], known: Sequence[str]) -> None:
    for language in wanted:
        if language not in known:
            some = ", ".join(sorted(known)[:8])
            raise WorkerFailure(
                "invalid_language",
                f"The model does not know the language {language[:20]!r}. "
                f"It knows {len(known)}, among them {some}.",
            )
