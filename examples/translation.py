"""Whatever is spoken becomes English, as well as the model can. It needs `pip install openai`.

    python examples/translation.py [recording]
"""

import os
import sys
from pathlib import Path

from openai import OpenAI

server = os.environ.get("HVISKE_URL", "http://localhost:8000")
sample = Path(__file__).parent.parent / "test" / "audio" / "da.wav"
recording = Path(sys.argv[1]) if len(sys.argv) > 1 else sample
client = OpenAI(base_url=f"{server}/v1", api_key="none-needed")

english = client.audio.translations.create(
    file=recording, model="whisper-1", response_format="verbose_json"
)

print(f"{english.language}, {english.duration:.1f} s: {english.text}")
