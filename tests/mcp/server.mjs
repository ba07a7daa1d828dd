// An MCP server of revision 2026-07-28 (npm `@modelcontextprotocol/server`) on a free port of 127.0.0.1, which it
// prints. It ends when its standard input is closed. It serves older revisions too, as such servers do by default.

import { createServer } from 'node:http';

import { toNodeHandler } from '@modelcontextprotocol/node';
import { McpServer, ResourceTemplate, createMcpHandler } from '@modelcontextprotocol/server';
import * as z from 'zod';

const handler = createMcpHandler(() => {
  const server = new McpServer({ name: 'notes', version: '1.0.0' });
  const text = (value) => ({ content: [{ type: 'text', text: value }] });
  server.registerTool('read_note', { inputSchema: z.object({ id: z.string() }) }, ({ id }) => text(`note ${id}`));
  server.registerTool('delete_all', {}, () => text('all notes are deleted'));
  server.registerTool('admin_reset', {}, () => text('the server is reset'));
  server.registerResource('first', 'note://first', {}, (uri) => ({ contents: [{ uri: uri.href, text: 'first note' }] }));
  server.registerResource('note', new ResourceTemplate('note://notes/{id}', { list: undefined }), {}, (uri, { id }) => ({
    contents: [{ uri: uri.href, text: `the note ${id}` }],
  }));
  return server;
});

const listener = toNodeHandler(handler);
const server = createServer((request, response) => listener(request, response));
server.listen(0, '127.0.0.1', () => console.log(`port ${server.address().port}`));
server.keepAliveTimeout = 120_000;
process.stdin.resume().on('end', () => process.exit());
