"""The function of this example with the Python SDK, `mcp`."""

import asyncio
import json
import os
import sys

from mcp import Client


async def answer(event):
    async with Client(os.environ["MCP_SERVER"]) as client:
        result = await client.call_tool("add", {"a": event["a"], "b": event["b"]}, read_timeout_seconds=10)
        if result.is_error:
            raise SystemExit(f"the tool failed: {result.content}")
        return result.structured_content


event = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {"a": 2, "b": 40}
print(json.dumps(asyncio.run(answer(event))))
