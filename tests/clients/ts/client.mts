// One pass of a TypeScript SDK over a server, told as JSON lines on standard output.
//
// For: `tests/clients`. The plan (pass, sdk v1 or v2, transport, era, where) is the only argument. `{"ask": …}` asks the test
// to do something and waits for a line on standard input; `{"report": …}` ends it.

import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

type Json = Record<string, any>;
const plan: Json = JSON.parse(process.argv[2]);
const load = createRequire(`${plan.deps}/`);
const LIMIT_MS = 60_000;
let negotiated: string | null = null;

const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const say = (line: Json) => process.stdout.write(`${JSON.stringify(line)}\n`);
const ask = async (what: string, more: Json = {}) => {
  say({ ask: what, ...more });
  await answers.next();
};

/** What differs between the two SDKs: where things are, and how one calls. */
const sdk = {
  v1: () => ({
    Client: load('@modelcontextprotocol/sdk/client/index.js').Client,
    Stdio: load('@modelcontextprotocol/sdk/client/stdio.js').StdioClientTransport,
    Http: load('@modelcontextprotocol/sdk/client/streamableHttp.js').StreamableHTTPClientTransport,
    Sse: load('@modelcontextprotocol/sdk/client/sse.js').SSEClientTransport,
    elicitation: load('@modelcontextprotocol/sdk/types.js').ElicitRequestSchema,
    options: {},
    call: (client: any, params: Json, options: Json) => client.callTool(params, undefined, options),
  }),
  v2: () => {
    const all = load('@modelcontextprotocol/client');
    return {
      Client: all.Client,
      Stdio: load('@modelcontextprotocol/client/stdio').StdioClientTransport,
      Http: all.StreamableHTTPClientTransport,
      Sse: all.SSEClientTransport,
      elicitation: 'elicitation/create',
      options: plan.era === 'modern' ? { versionNegotiation: { mode: 'auto' } } : {},
      call: (client: any, params: Json, options: Json) => client.callTool(params, options),
    };
  },
}[plan.sdk as 'v1' | 'v2']();

function transport(): any {
  if (plan.transport === 'stdio') return new sdk.Stdio({ command: plan.command, args: plan.args, env: plan.env });
  const options = { requestInit: { headers: plan.headers } };
  return plan.transport === 'sse' ? new sdk.Sse(new URL(plan.url), options) : new sdk.Http(new URL(plan.url), options);
}

async function connect(user?: (params: Json) => Json) {
  const capabilities = user ? { elicitation: { form: {} } } : {};
  const client = new sdk.Client({ name: `typescript-${plan.sdk}`, version: '1' }, { ...sdk.options, capabilities });
  if (user) client.setRequestHandler(sdk.elicitation, async (request: Json) => user(request.params));
  client.onerror = () => {};
  await attach(client);
  return client;
}

/** A session of its own for this client. */
async function attach(client: any) {
  const wire = transport();
  // Every transport may ask to be told; stdio does not, and v1 has no other way to learn it.
  const told = wire.setProtocolVersion?.bind(wire);
  wire.setProtocolVersion = (version: string) => {
    negotiated = version;
    told?.(version);
  };
  await client.connect(wire, { timeout: LIMIT_MS });
}

const call = (client: any, name: string, args: Json, options: Json = {}) =>
  sdk.call(client, { name, arguments: args }, { timeout: LIMIT_MS, ...options });

async function must(client: any, name: string, args: Json): Promise<Json> {
  const result = await call(client, name, args);
  if (result.isError) throw new Error(`${name}: ${JSON.stringify(result.content)}`);
  return result.structuredContent;
}

async function listed(client: any) {
  return {
    tools: (await client.listTools()).tools.map((one: Json) => one.name).sort(),
    prompts: (await client.listPrompts()).prompts.map((one: Json) => one.name).sort(),
    resources: (await client.listResources()).resources.map((one: Json) => one.uri).sort(),
    templates: (await client.listResourceTemplates()).resourceTemplates.map((one: Json) => one.uriTemplate).sort(),
  };
}

async function refused(client: any) {
  const result = await call(client, 'task_add', { titel: 'no such field' });
  return { is_error: result.isError ?? false, text: result.content[0].text };
}

/** Waits for a task that another call finishes once the wait has told twice that it waits. */
async function progress(client: any) {
  const task = (await must(client, 'task_add', { title: 'watched', queue: 'progress' })).id;
  const seen: Json[] = [];
  let twice: Promise<void>;
  let wait: Promise<Json>;
  twice = new Promise((resolve) => {
    const onprogress = ({ progress, total, message }: Json) => {
      if (seen.push({ progress, total, message }) === 2) resolve();
    };
    wait = call(client, 'task_wait', { ids: [task], timeout_s: 40 }, { onprogress });
  });
  await twice;
  const claim = await must(client, 'task_claim', { worker: 'typescript', queue: 'progress' });
  await must(client, 'task_finish', { task, fence: claim.fence, result: { by: 'typescript' } });
  const waited = (await wait!).structuredContent;
  return { seen, settled: waited.settled, open: waited.open };
}

/** Gives up a claim that waits; a task posted afterwards must not be taken by it. */
async function cancelled(client: any) {
  const stop = new AbortController();
  let given: Promise<string>;
  await new Promise<void>((waiting) => {
    const options = { signal: stop.signal, onprogress: () => waiting() };
    given = call(client, 'task_claim', { worker: 'gave-up', queue: 'cancel', wait_s: 45 }, options).then(
      () => 'answered',
      (error: Error) => String(error),
    );
  });
  stop.abort('no longer needed');
  const ended = await given!;
  await ask('cancelled', { tool: 'task_claim' });
  const posted = (await must(client, 'task_add', { title: 'for another one', queue: 'cancel' })).id;
  const claim = await must(client, 'task_claim', { worker: 'another', queue: 'cancel' });
  return { ended, posted, claimed: claim.task };
}

async function read(client: any, task: string) {
  const board = (await client.readResource({ uri: 'callboard://board' })).contents[0];
  const one = (await client.readResource({ uri: `callboard://task/${task}` })).contents[0];
  const missing = await client.readResource({ uri: 'callboard://no/such/thing' }).then(
    () => null,
    (error: Json) => error.code,
  );
  return { board: board.text, mime: board.mimeType, task: one.text, missing };
}

async function prompt(client: any) {
  const got = await client.getPrompt({ name: 'report_status', arguments: { audience: 'the night shift' } });
  return { role: got.messages[0].role, text: got.messages[0].content.text };
}

async function whole() {
  const report: Json = {};
  const client = await connect();
  report.version = negotiated;
  report.server = client.getServerVersion()?.name;
  report.listed = await listed(client);
  const task: string = (await must(client, 'task_add', { title: 'from a TypeScript client', priority: 3 })).id;
  report.called = await must(client, 'task_get', { id: task });
  report.refused = await refused(client);
  report.progress = await progress(client);
  report.cancelled = await cancelled(client);
  report.read = await read(client, task);
  report.prompt = await prompt(client);
  await ask('restart');
  report.after_restart = await must(client, 'task_get', { id: task }).then(
    (got) => ({ task: got.id }),
    (error) => ({ error: String(error) }),
  );
  await client.close().catch((error: Error) => (report.closing = String(error)));
  negotiated = null;
  await attach(client);
  report.again = {
    version: negotiated,
    server: client.getServerVersion()?.name,
    task: (await must(client, 'task_get', { id: task })).id,
    listed: await listed(client),
    progress: await progress(client),
  };
  await client.close();
  report.task = task;
  say({ report });
}

/** Has a roadmap worked whose one choice is the user's, who takes the second option. */
async function decides() {
  const asked: string[] = [];
  const client = await connect(({ message, requestedSchema }) => {
    asked.push(message);
    return { action: 'accept', content: { choice: requestedSchema.properties.choice.oneOf[1].const } };
  });
  const { path } = plan;
  await must(client, 'roadmap_start', { path });
  let state = 'starting';
  while (['starting', 'running'].includes(state)) {
    state = (await must(client, 'roadmap_wait', { path, timeout_s: 20 })).state;
  }
  await client.close();
  say({ report: { version: negotiated, asked, state } });
}

/** Comes in, or tells why not. */
async function enters() {
  try {
    const client = await connect();
    const tools = (await client.listTools()).tools.length;
    await client.close();
    say({ report: { tools } });
  } catch (error) {
    say({ report: { refused: String(error) } });
  }
}

await { whole, decides, enters }[plan.pass as 'whole' | 'decides' | 'enters']();
process.exit(0);
