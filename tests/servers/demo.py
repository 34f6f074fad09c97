"""The fastmcp server of the interop tests: one of each kind."""

from fastmcp import FastMCP

server = FastMCP("bowline-demo")


@server.tool
def add(a: int, b: int) -> int:
    """Adds two integers."""
    return a + b


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
    server.run(show_banner=False)
