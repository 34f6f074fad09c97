// The function of this example with the TypeScript SDK, `@modelcontextprotocol/client`.

import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';

async function answer(event) {
  const client = new Client({ name: 'function', version: '1.0.0' });
  await client.connect(new StreamableHTTPClientTransport(new URL(process.env.MCP_SERVER)));
  const result = await client.callTool({ name: 'add', arguments: { a: event.a, b: event.b } }, { timeout: 10_000 });
  await client.close();
  if (result.isError) throw new Error(`the tool failed: ${JSON.stringify(result.content)}`);
  return result.structuredContent;
}

const event = process.argv[2] ? JSON.parse(process.argv[2]) : { a: 2, b: 40 };
console.log(JSON.stringify(await answer(event)));
