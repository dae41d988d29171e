import { spawnSync } from 'node:child_process';
import { mkdir, readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { portToComeBackTo } from './ports.js';
import { LocalProcess } from './process.js';
import type { Program, RunningProgram } from './process.js';

export const SERVICES = ['teacher-proxy', 'synthesis', 'student-trainer', 'orchestrator'] as const;
export type ServiceName = (typeof SERVICES)[number];

/** Ports of `npm run local`, as the services have them by default. */
export const DEFAULT_PORTS: Readonly<Record<ServiceName | 'nats', number>> = {
  nats: 7704,
  orchestrator: 7700,
  'teacher-proxy': 7701,
  synthesis: 7702,
  'student-trainer': 7703,
};

export interface LocalSystemOptions {
  /** Logs, the data of NATS and what a service keeps beside NATS. */
  folder: string;
  /** YAML file with the operator's teachers. */
  teachers?: string;
  /** Default: any free ones, see `portToComeBackTo`. */
  ports?: Readonly<Record<ServiceName | 'nats', number>>;
  /** Settings of the services, as environment variables; those of this process count as well. */
  env?: Readonly<Record<string, string>>;
  /** Address that services find NATS at instead of its own, e.g. that of a proxy. */
  natsUrlFor?: (service: string, natsUrl: string) => string;
}

type PlacedOptions = LocalSystemOptions & { ports: NonNullable<LocalSystemOptions['ports']> };

const FINDER = fileURLToPath(new URL('../../scripts/install-nats-server.mjs', import.meta.url));
const NATS_CONFIG = fileURLToPath(new URL('../nats.conf', import.meta.url));
const mainOf = (service: ServiceName) =>
  fileURLToPath(new URL(`../../services/${service}/dist/main.js`, import.meta.url));
const POLL_MS = 20;
/** They compute for minutes and nobody waits for their answers: with all on one machine, those that answer go first. */
const COMPUTE_SERVICES: readonly ServiceName[] = ['synthesis', 'student-trainer'];
const COMPUTE_NICENESS = 10;

/** nats-server and the four services as processes of this machine, on loopback. */
export class LocalSystem {
  readonly services: Readonly<Record<ServiceName, LocalProcess>>;
  readonly nats: LocalProcess;

  private constructor(private readonly options: PlacedOptions) {
    this.nats = new LocalProcess(natsProgram(options));
    const entries = SERVICES.map((name) => [name, new LocalProcess(this.#program(name))] as const);
    this.services = Object.fromEntries(entries) as Record<ServiceName, LocalProcess>;
  }

  /** @throws Error where nats-server is missing, or a process doesn't become ready */
  static async start(options: LocalSystemOptions): Promise<LocalSystem> {
    await mkdir(join(options.folder, 'logs'), { recursive: true });
    const system = new LocalSystem({ ...options, ports: options.ports ?? (await freePorts()) });
    try {
      await system.nats.start();
      // The orchestrator is told the address of the teacher-proxy, so that one goes first.
      await system.services['teacher-proxy'].start();
      const others = SERVICES.filter((name) => name !== 'teacher-proxy');
      await Promise.all(others.map((name) => system.services[name].start()));
      return system;
    } catch (error) {
      await system.stop();
      throw error;
    }
  }

  get natsUrl(): string {
    return `nats://${this.nats.address}`;
  }

  /** Where callers find the API: `host:port`. */
  get address(): string {
    return this.services.orchestrator.address;
  }

  get processes(): readonly LocalProcess[] {
    return [this.nats, ...SERVICES.map((name) => this.services[name])];
  }

  /** One more process of a service; it is not started yet, and whoever asked for it stops it. */
  another(service: ServiceName, name: string): LocalProcess {
    return new LocalProcess(this.#program(service, name));
  }

  /** Ends the services in order, then NATS. */
  async stop(): Promise<void> {
    await Promise.all(SERVICES.map((name) => this.services[name].stop()));
    await this.nats.stop();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #program(service: ServiceName, name: string = service): Program {
    const { folder, ports, teachers, env = {}, natsUrlFor = (_, url) => url } = this.options;
    const port = name === service ? ports[service] : 0;
    return {
      name,
      file: process.execPath,
      logFile: join(folder, 'logs', `${name}.log`),
      niceness: COMPUTE_SERVICES.includes(service) ? COMPUTE_NICENESS : 0,
      args: (address) => [mainOf(service), '--listen', address ?? `127.0.0.1:${port}`, '--state', join(folder, name)],
      env: () => ({
        ...env,
        NATS_URL: natsUrlFor(name, this.natsUrl),
        ...(service === 'teacher-proxy' && teachers !== undefined && { BBDISTILL_TEACHERS: teachers }),
        ...(service === 'orchestrator' && {
          BBDISTILL_TEACHER_PROXY_ADDRESS: this.services['teacher-proxy'].address,
        }),
      }),
      ready: async (running) => (await running.line(/ listening on (127\.0\.0\.1:\d+)$/))[1]!,
    };
  }
}

async function freePorts(): Promise<PlacedOptions['ports']> {
  const ports = new Set<number>();
  while (ports.size < SERVICES.length + 1) ports.add(await portToComeBackTo());
  const [nats, ...rest] = [...ports];
  return { nats, ...Object.fromEntries(SERVICES.map((name, i) => [name, rest[i]!])) } as PlacedOptions['ports'];
}

/** JetStream with its data below the folder, on the disk before it is acknowledged. */
function natsProgram({ folder, ports }: PlacedOptions): Program {
  const found = spawnSync(process.execPath, [FINDER, '--find'], { encoding: 'utf8' });
  if (found.status !== 0) throw new Error('nats-server is missing: npm run setup:nats gets it');
  const data = join(folder, 'nats');
  const first = ports.nats;
  return {
    name: 'nats',
    file: found.stdout.trim(),
    env: () => ({}),
    logFile: join(folder, 'logs', 'nats.log'),
    args: (address) => {
      const port = address === undefined ? first : Number(address.slice(address.lastIndexOf(':') + 1));
      const place = ['-a', '127.0.0.1', '-p', String(port), '--ports_file_dir', join(folder, 'logs')];
      return ['-c', NATS_CONFIG, '-js', '-sd', data, ...place];
    },
    ready: (running) => natsAddress(join(folder, 'logs'), running),
  };
}

/** A server that listens writes its ports into a file of its own. */
async function natsAddress(folder: string, { pid, ended }: RunningProgram): Promise<string> {
  for (;;) {
    ended.throwIfAborted();
    const file = (await readdir(folder)).find((name) => name.endsWith(`_${pid}.ports`));
    const text = file === undefined ? '' : await readFile(join(folder, file), 'utf8');
    if (text.trimEnd().endsWith('}')) return new URL((JSON.parse(text) as { nats: string[] }).nats[0]!).host;
    await delay(POLL_MS);
  }
}
