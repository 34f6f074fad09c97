"""The WebSocket server of the interop tests: the Python SDK's own transport, on a port; it ends with its first session."""

import sys

import uvicorn
from mcp.server.lowlevel import Server
from mcp.server.websocket import websocket_server
from mcp.types import TextContent, Tool

server = Server("bowline-websocket")
NUMBER = {"type": "integer"}
ADD = {"type": "object", "properties": {"a": NUMBER, "b": NUMBER}, "required": ["a", "b"]}


@server.list_tools()
async def list_tools():
    return [Tool(name="add", description="Adds two integers.", inputSchema=ADD)]


@server.call_tool()
async def call_tool(name, arguments):
    return [TextContent(type="text", text=str(arguments["a"] + arguments["b"]))]


async def app(scope, receive, send):
    async with websocket_server(scope, receive, send) as (incoming, outgoing):
        await server.run(incoming, outgoing, server.create_initialization_options())
    web.should_exit = True


web = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=int(sys.argv[1]), ws="websockets", lifespan="off"))
web.run()
