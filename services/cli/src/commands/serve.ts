import { serveProgram } from '@bbdistill/common';
import { Command } from 'commander';
import type { CommandContext } from '../context.js';
import { SERVICE_NAMES, serviceProgram } from '../service-programs.js';

export function serveCommand({ output, interrupt }: CommandContext): Command {
  return new Command('serve')
    .description('start a service, or all of them in one process, and serve until Ctrl-C or SIGTERM')
    .usage('<service> [--key value ...]')
    .argument('<service>', SERVICE_NAMES.join(', '))
    .argument('[settings...]', 'settings of the service; each is an environment variable as well')
    .passThroughOptions()
    .allowUnknownOption()
    .addHelpText(
      'after',
      '\n"bbdistill serve SERVICE --help" lists its settings, "bbdistill check-config --service SERVICE" checks them.\n' +
        '"all" serves runs of others: bbdistill run FILE --orchestrator HOST:PORT. Services that are started one by\n' +
        'one work together by the NATS that NATS_URL names.\n' +
        'Prints one line with the address when ready; --json prints it as JSON. Exit codes: 0 stopped in order,\n' +
        '2 wrong settings, 5 the address can not be had, 130 ended at once by a second Ctrl-C.',
    )
    .action(async (service: string, argv: string[]) => {
      const stdout = (text: string) => output.stdout(text);
      await serveProgram(serviceProgram(service), { argv, env: process.env, signal: interrupt, stdout });
    });
}
