// An MCP client of an older revision (npm `@modelcontextprotocol/sdk`), which prints what it gets for an access token.

import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';

const [url, token] = process.argv.slice(2);
const client = new Client({ name: 'old', version: '1.0.0' });
const headers = { authorization: `Bearer ${token}` };
try {
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } }));
  console.log(JSON.stringify({ connected: true }));
} catch (error) {
  console.log(JSON.stringify({ error: String(error.message) }));
}
await client.close();
