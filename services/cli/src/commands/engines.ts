import { ENGINE_NAMES, chooseEngine } from '@bbdistill/compute';
import type { EngineName } from '@bbdistill/compute';
import { Command } from 'commander';
import type { CommandContext } from '../context.js';

/** What is known of one engine on this machine. */
interface EngineHere {
  name: EngineName;
  loads: boolean;
  /** Version, instruction set, device. */
  description?: string;
  reason?: string;
}

export function enginesCommand({ output }: CommandContext): Command {
  return new Command('engines')
    .description('say which engines load on this machine and why the others do not')
    .option('--json', 'print JSON for machines')
    .action(async (options: { json?: boolean }) => {
      const { name: auto } = await chooseEngine('auto', 'preferred');
      const engines: EngineHere[] = [];
      for (const name of ENGINE_NAMES) if (name !== 'auto') engines.push(await lookAt(name));
      if (options.json) return output.stdout(JSON.stringify({ auto, engines }));
      const width = Math.max(...engines.map(({ name }) => name.length));
      for (const { name, loads, description, reason } of engines) {
        // A description begins with the engine's name, which stands there already.
        const what = loads ? description?.replace(`${name}: `, '') : reason;
        output.stdout(`${name.padEnd(width)}  ${loads ? 'yes' : 'no '}  ${what}${name === auto ? ' (auto)' : ''}`);
      }
    });
}

async function lookAt(name: EngineName): Promise<EngineHere> {
  try {
    const { description } = await chooseEngine(name, 'preferred');
    return { name, loads: true, description };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { name, loads: false, reason: reason.replace(/^engine: \S+ could not be started; \S+: /, '') };
  }
}
