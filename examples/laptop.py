"""On the laptop, with OpenAI's SDK: a recording, or every one of a folder, becomes text. It needs `pip install openai`.

    HVISKE_URL=https://speech.example.org HVISKE_KEY=hv_… python examples/laptop.py [recording|folder]

One recording is printed. Of a folder each gets its text beside it, and what is there already is left alone, so a second run goes on
with the first. Large ones go as jobs. Where the box has CADDY_TLS=internal also SSL_CERT_FILE=root.crt: Caddy's root certificate.
"""

import os
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

from openai import OpenAI, OpenAIError

SERVER = os.environ.get("HVISKE_URL", "http://localhost:8000")
JOB_FROM_BYTES = int(os.environ.get("HVISKE_JOB_FROM_BYTES", "50000000"))
SAMPLE = Path(__file__).parent.parent / "test" / "audio" / "da.wav"
SOUNDS = {".flac", ".m4a", ".mkv", ".mov", ".mp3", ".mp4", ".ogg", ".opus", ".wav", ".webm"}
# A retry after a lost connection joins the work that is still running.
client = OpenAI(
    base_url=f"{SERVER}/v1",
    api_key=os.environ.get("HVISKE_KEY", "none-needed"),
    timeout=6 * 3600,
    max_retries=5,
)


def text_of(recording: Path) -> str:
    if recording.stat().st_size >= JOB_FROM_BYTES:
        return text_by_job(recording)
    with recording.open("rb") as file:
        spoken = client.audio.transcriptions.create(file=file, model="whisper-1", language="da")
    return spoken.text


def text_by_job(recording: Path) -> str:
    """Handed in and fetched when it is done: nobody holds a connection, and the box may restart."""
    facts = recording.stat()
    headers = {
        "Content-Type": "multipart/form-data",
        # Handed in again, it is the same job: that costs the upload and nothing else.
        "Idempotency-Key": quote(f"{recording.name} {facts.st_size} {facts.st_mtime_ns}")[-255:],
    }
    with recording.open("rb") as file:
        job: Any = client.post(
            "/jobs", cast_to=object, files={"file": file}, options={"headers": headers}
        )
    while job["status"] in ("pending", "processing"):
        time.sleep(1)
        job = client.get(f"/jobs/{job['id']}", cast_to=object)
        print(f"{recording.name}: {job['status']} {job.get('percent', 0)} %", file=sys.stderr)
    result: Any = client.get(f"/jobs/{job['id']}/result?format=json", cast_to=object)
    return result["text"]


def write_beside(recording: Path) -> bool:
    written = recording.with_name(f"{recording.name}.txt")
    if written.exists():
        return True
    try:
        written.write_text(text_of(recording) + "\n", "utf-8")
    except OpenAIError as error:
        print(f"{recording.name}: {error}", file=sys.stderr)
        return False
    print(written.name)
    return True


chosen = Path(sys.argv[1]) if len(sys.argv) > 1 else SAMPLE
if chosen.is_dir():
    recordings = sorted(path for path in chosen.iterdir() if path.suffix.lower() in SOUNDS)
    sys.exit(0 if all([write_beside(one) for one in recordings]) else 1)
print(text_of(chosen))
