"""OpenAI's SDK for Python, unchanged, asks the server at sys.argv[1] all that its users ask.

Prints one JSON object: what each question brought. openai-python.test.ts decides if it is right.
"""

import asyncio
import inspect
import json
import sys
from collections.abc import Callable
from pathlib import Path

import openai
from openai import APIStatusError, AsyncOpenAI, OpenAI

BASE_URL, KEY, AUDIO = f"{sys.argv[1]}/v1", sys.argv[2], Path(sys.argv[3])
DA = AUDIO / "da.wav"
# Strict: the SDK holds every field of every answer and event against its types.
SETTINGS = {"base_url": BASE_URL, "max_retries": 0, "_strict_response_validation": True}
client = OpenAI(api_key=KEY, **SETTINGS)
create = client.audio.transcriptions.create


def transcribed(file: object = None, **options: object) -> object:
    answer = create(file=file or DA.open("rb"), model="whisper-1", **options)
    if isinstance(answer, str):
        return answer
    return answer.model_dump() | {"type": type(answer).__name__, "id": answer._request_id}


def events_of(stream: object) -> list[dict]:
    return [event.model_dump(exclude_none=True) for event in stream]


def stream() -> list[dict]:
    return events_of(create(file=DA.open("rb"), model="whisper-1", stream=True))


def stream_in_with() -> list[dict]:
    with create(file=DA.open("rb"), model="gpt-4o-transcribe", stream=True) as events:
        return events_of(events)


def raw_response() -> dict:
    raw = client.audio.transcriptions.with_raw_response.create(file=DA, model="whisper-1")
    return {"text": raw.parse().text, "id": raw.headers["x-request-id"], "status": raw.status_code}


def streamed_body() -> str:
    with client.audio.transcriptions.with_streaming_response.create(
        file=DA, model="whisper-1", response_format="srt"
    ) as response:
        return "".join(response.iter_text())


async def in_async_code() -> dict:
    async with AsyncOpenAI(api_key=KEY, **SETTINGS) as asking:
        answer = await asking.audio.transcriptions.create(file=DA, model="whisper-1")
        events = await asking.audio.transcriptions.create(file=DA, model="whisper-1", stream=True)
        deltas = [event.delta async for event in events if event.type == "transcript.text.delta"]
        return {"text": answer.text, "joined": "".join(deltas)}


def translation(**options: object) -> object:
    return client.audio.translations.create(file=DA, model="whisper-1", **options).model_dump()


def models() -> dict:
    ids = [model.id for model in client.models.list()]
    return {"listed": ids, "found": [client.models.retrieve(name).id for name in ids]}


def wrong_key() -> object:
    return OpenAI(api_key="sk-a-wrong-one", **SETTINGS).models.list()


QUESTIONS: dict[str, Callable[[], object]] = {
    "json": transcribed,
    "text": lambda: transcribed(response_format="text"),
    "srt": lambda: transcribed(response_format="srt"),
    "vtt": lambda: transcribed(response_format="vtt"),
    "verbose_json": lambda: transcribed(
        response_format="verbose_json", timestamp_granularities=["word", "segment"]
    ),
    "logprobs": lambda: transcribed(include=["logprobs"]),
    "bytes": lambda: transcribed(DA.read_bytes()),
    "path": lambda: transcribed(DA),
    "tuple": lambda: transcribed(
        ('mø"de.webm', (AUDIO / "da.webm").read_bytes(), "audio/webm;codecs=opus")
    ),
    "extra_body": lambda: transcribed(
        extra_body={"vad_filter": True, "x": {"a": 1}, "list": [1, 2]}, chunking_strategy="auto"
    ),
    "chunking": lambda: transcribed(
        chunking_strategy={"type": "server_vad", "threshold": 0.4, "silence_duration_ms": 300}
    ),
    "stream": stream,
    "stream_in_with": stream_in_with,
    "raw_response": raw_response,
    "streamed_body": streamed_body,
    "in_async_code": in_async_code,
    "translation": translation,
    "verbose_translation": lambda: translation(response_format="verbose_json"),
    "models": models,
    "bad_value": lambda: transcribed(response_format="docx"),
    "bad_model": lambda: transcribed(extra_body={"model": "gpt-5"}),
    "unknown_model": lambda: client.models.retrieve("gpt-5"),
    "wrong_key": wrong_key,
    "deletion": lambda: client.models.delete("whisper-1"),
}


def answer_to(question: Callable[[], object]) -> object:
    try:
        answer = question()
        return asyncio.run(answer) if inspect.iscoroutine(answer) else answer
    except APIStatusError as error:
        facts = {
            name: getattr(error, name)
            for name in ("status_code", "code", "param", "type", "request_id")
        }
        return {"error": type(error).__name__, **facts}


answers = {name: answer_to(question) for name, question in QUESTIONS.items()}
print(json.dumps({"version": openai.__version__, **answers}))
