"""The fastmcp server of the interop tests: one of each kind and a slow tool, on stdio or, given a port, over HTTP."""

import asyncio
import sys

from fastmcp import Context, FastMCP

server = FastMCP("bowline-demo")


@server.tool
def add(a: int, b: int) -> int:
    """Adds two integers."""
    return a + b


@server.tool
async def count(to: int, pause: float, context: Context) -> int:
    """Counts, with a pause in seconds before each step, and tells how far it is."""
    for step in range(1, to + 1):
        await asyncio.sleep(pause)
        await context.report_progress(step, to)
    return to


@server.resource("demo://motto")
def motto() -> str:
    """Returns the motto of the house."""
    return "holds under load"


@server.resource("demo://knots/{name}")
def knot(name: str) -> str:
    """Returns a line about a knot."""
    return f"{name}: tied"


@server.prompt
def explain(knot: str) -> str:
    """Asks how a knot is tied."""
    return f"How is a {knot} tied?"


if __name__ == "__main__":
    if len(sys.argv) > 1:
        server.run(transport="http", host="127.0.0.1", port=int(sys.argv[1]), show_banner=False)
    else:
        server.run(show_banner=False)
