"""OpenAI's own SDK for Python: only the address changes. It needs `pip install openai`.

    python examples/openai-python.py [recording]
"""

import os
import sys
from pathlib import Path

from openai import OpenAI

server = os.environ.get("HVISKE_URL", "http://localhost:8000")
sample = Path(__file__).parent.parent / "test" / "audio" / "da.wav"
recording = Path(sys.argv[1]) if len(sys.argv) > 1 else sample
client = OpenAI(base_url=f"{server}/v1", api_key="none-needed")

with recording.open("rb") as file:
    spoken = client.audio.transcriptions.create(
        file=file, model="whisper-1", language="da", response_format="verbose_json"
    )

for segment in spoken.segments or []:
    print(f"{segment.start:6.2f} – {segment.end:6.2f} s {segment.text}")
