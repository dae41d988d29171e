// `npm run local`: everything that a run needs as plain processes of this machine, for those without a container engine.
import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { DEFAULT_PORTS, LocalSystem } from './local/system.js';
import type { LocalProcess } from './local/process.js';

const DEFAULT_FOLDER = './.bbdistill/local';
const RESTART_DELAY_MS = 1_000;
const USAGE = `npm run local -- [--teachers FILE] [--folder DIR]
Starts nats-server and the four services on loopback, starts again what ends, and stops all on Ctrl-C.
--teachers FILE   YAML file with the teachers: block to register
--folder DIR      data and logs; default ${DEFAULT_FOLDER}
Settings of the services come from the environment, e.g. BBDISTILL_ENGINE=wasm.`;

const say = (text: string) => void process.stdout.write(`${text}\n`);
const stopping = new AbortController();

const { values } = parseArgs({
  options: { teachers: { type: 'string' }, folder: { type: 'string' }, help: { type: 'boolean' } },
});
if (values.help) say(USAGE);
else await serve(resolve(values.folder ?? DEFAULT_FOLDER), values.teachers && resolve(values.teachers));

async function serve(folder: string, teachers: string | undefined): Promise<void> {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stopping.abort());
  const system = await LocalSystem.start({ folder, ports: DEFAULT_PORTS, ...(teachers && { teachers }) });
  try {
    for (const { name, address, pid } of system.processes) say(`${name.padEnd(16)} ${address}  pid ${pid}`);
    say(`logs             ${folder}/logs`);
    say(`ready: npx bbdistill run FILE --orchestrator ${system.address}`);
    for (const each of system.processes) void keepRunning(each);
    await new Promise<void>((done) => {
      if (stopping.signal.aborted) done();
      stopping.signal.addEventListener('abort', () => done());
    });
    say('stopping');
  } finally {
    await system.stop();
  }
}

async function keepRunning(each: LocalProcess): Promise<void> {
  for (;;) {
    await each.ended;
    if (stopping.signal.aborted) return;
    say(`${each.name} ended: starting it again (see ${each.program.logFile})`);
    await delay(RESTART_DELAY_MS);
    if (stopping.signal.aborted) return;
    await each.start().catch((error: unknown) => say(String(error)));
  }
}
