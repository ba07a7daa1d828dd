// npm `express`, with the routes that the first argument lists, on a free port of 127.0.0.1, which it prints. It ends
// when its standard input is closed.
//
// A route has a name and segments: `{literal}`, `{variable}` for one segment, or `{rest}` for all further segments. The
// response is the route's name, then one line for each parameter as Express parsed it, except the one called `rest`.

import express from 'express';

const app = express();

const written = ({ literal, variable, rest }) => (rest ? `*${rest}` : variable ? `:${variable}` : literal);

app.get('/healthz', (request, response) => response.send('healthy'));

for (const { name, segments } of JSON.parse(process.argv[2])) {
  app.get(`/${segments.map(written).join('/')}`, (request, response) => {
    const lines = segments
      .map(({ variable, rest }) => variable ?? rest)
      .filter((parameter) => parameter && parameter !== 'rest')
      // A wildcard is an array of segments, each decoded.
      .map((parameter) => `${parameter}=${[request.params[parameter]].flat().join('/')}\n`);
    response.type('application/octet-stream').send(Buffer.from(`${name}\n${lines.join('')}`));
  });
}

// Without Express's page, whose stack traces would fill the log.
app.use((error, request, response, next) => response.status(error.status ?? 500).end());

const server = app.listen(0, '127.0.0.1', () => console.log(`port ${server.address().port}`));
// Envoy keeps connections; the server must not close one that Envoy is about to use.
server.keepAliveTimeout = 120_000;
process.stdin.resume().on('end', () => process.exit());
