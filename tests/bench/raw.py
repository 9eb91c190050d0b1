"""The vendor's SDK without a page: each question on the input is asked, and what was seen when is printed."""

import asyncio
import json
import sys
import time

from openai import AsyncOpenAI


async def ask(client: AsyncOpenAI, question: str) -> dict[str, object]:
    """Stream one reply; times are seconds of the wall clock."""
    used, enter = time.process_time(), time.time()
    stream = await client.chat.completions.create(
        model="bench", messages=[{"role": "user", "content": question}], stream=True
    )
    seen = [time.time() async for event in stream if event.choices and event.choices[0].delta.content]
    return {"enter": enter, "steps": list(enumerate(seen)), "cpu_s": time.process_time() - used}


async def main(base_url: str) -> None:
    """Answer each line of the input."""
    async with AsyncOpenAI(base_url=base_url, api_key="key", max_retries=0) as client:
        loop = asyncio.get_running_loop()
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            print(json.dumps(await ask(client, json.loads(line))), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
